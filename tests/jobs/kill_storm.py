"""Kill the worker and the whole application at random moments of a batch, and see that nothing is lost.

    python tests/jobs/kill_storm.py --workers 200 --apps 50 --seed 1 [--chain | --batch BATCH.yaml] [--check-ledger]

--chain takes the whole chain on a few rows: protect, train privately, check, seal, bundle.

The batch is run by a real `guardapp run` process, and run again after each kill until as many kills as asked have hit.
After each kill: no artifact of an unfinished job exists, every finished job verifies against its job.json, and the
queue opens. In the end the batch has to complete.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

sys.path.insert(0, str(Path(__file__).parents[2]))

from guardapp.jobs.folder import problems, record
from guardapp.jobs.queue import JobQueue

COMMAND = [sys.executable, str(Path(__file__).parent / "with_test_kinds.py")]
BATCH = """
- {kind: exercise, name: copy, source: in.txt, steps: [{sleep: 0.2}, {copy: table.txt}]}
- {kind: counter, name: count, upto: 40, seconds: 0.01, source: "${copy.table}"}
- {kind: exercise, name: big, from: [copy], steps: [{fill: 20}, {write: {a/b.txt: x}}]}
- {kind: exercise, name: end, from: [copy, count, big], source: "${count.count}", steps: [{copy: end.txt}]}
"""


class Storm:
    """One folder of results and one data folder, and what has been done to them so far."""

    def __init__(self, place: Path, batch: Path, seed: int, ledger: bool) -> None:
        self.home, self.batch, self.ledger = place / "home", batch, ledger
        self.rounds = place / "rounds"
        self.out = self.rounds / "0"
        self.home.mkdir(parents=True, exist_ok=True)
        self.random = random.Random(seed)
        self.killed = {"worker": 0, "app": 0}
        self.completed = 0
        self.resumed = 0
        self.spent = 0.0
        self.longest = 2.0

    def kill_once(self, target: str) -> None:
        """Run the batch, kill the target at a random moment, and check; a batch that is through starts a new round."""
        app = self.start()
        begun = time.monotonic()
        moment = begun + self.random.uniform(0, self.longest)
        while time.monotonic() < moment and app.poll() is None:
            time.sleep(0.005)
        hit = kill_worker(app) if target == "worker" else kill_app(app)
        self.killed[target] += hit
        if app.wait(timeout=300) == 0:
            self.longest = max(0.5, 0.8 * self.longest + 0.2 * (time.monotonic() - begun))
            self.finish_round()
        self.check()

    def start(self) -> subprocess.Popen[bytes]:
        command = [*COMMAND, "run", str(self.batch), "--out", str(self.out)]
        environment = {**os.environ, "GUARDAPP_HOME": str(self.home), "OMP_NUM_THREADS": "1"}
        return subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def complete(self) -> None:
        for _ in range(20):
            if self.start().wait(timeout=600) == 0:
                self.check()
                self.finish_round()
                return
        raise AssertionError("the batch does not complete although nobody kills it any more")

    def finish_round(self) -> None:
        jobs = sorted(self.out.iterdir())
        assert jobs and all(record(job) for job in jobs), f"a finished round left {[job.name for job in jobs]}"
        self.resumed += sum(len((record(job) or {})["result"].get("started_from", [0])) > 1 for job in jobs)
        self.completed += 1
        self.check()
        self.spent += spent_by(self.out)
        shutil.rmtree(self.out)
        self.out = self.rounds / str(self.completed)

    def check(self) -> None:
        queue = JobQueue(self.home) if (self.home / "queue.db").exists() else None
        if queue is not None:
            queue.rows()
            queue.close()
        assert not list(self.home.glob("queue.damaged*")), "the queue was damaged"
        for folder in self.out.iterdir() if self.out.exists() else []:
            if folder.name.endswith(".partial"):
                assert not folder.with_suffix("").exists(), f"{folder.name} is there beside its results"
            else:
                assert problems(folder) == [], f"{folder.name} does not verify: {problems(folder)}"
        if self.ledger:
            check_ledger(self.home, self.spent + spent_by(self.out))


def spent_by(out: Path) -> float:
    """The sum of ε over the finished trainings below `out`, as their results say."""
    found = [record(folder) or {} for folder in (out.iterdir() if out.exists() else [])]
    return sum(float(each["result"]["epsilon"] or 0) for each in found if each.get("kind") == "train")


def check_ledger(home: Path, spent: float) -> None:
    """The ledger never shows less than what the finished trainings say they spent, over all datasets."""
    from guardapp.vault.ledger import Ledger

    shown = sum(balance.basic_epsilon for balance in Ledger(home).datasets())
    assert shown >= spent * (1 - 1e-9), f"the ledger shows {shown}, but {spent} was spent"


def workers_of(app: subprocess.Popen[bytes]) -> list[psutil.Process]:
    try:
        return [c for c in psutil.Process(app.pid).children() if "guardapp.jobs.worker" in c.cmdline()]
    except psutil.Error:
        return []


def kill_worker(app: subprocess.Popen[bytes]) -> bool:
    found = workers_of(app)
    for worker in found:
        try:
            worker.kill()
        except psutil.Error:
            return False
    return bool(found)


def kill_app(app: subprocess.Popen[bytes]) -> bool:
    if app.poll() is not None:
        return False
    orphans = workers_of(app)
    os.kill(app.pid, signal.SIGKILL)
    app.wait()
    _, alive = psutil.wait_procs(orphans, timeout=10)
    assert not alive, "a worker outlived its application"
    return True


def storm(
    place: Path, *, workers: int, apps: int, seed: int, batch: Path | None = None, chain: bool = False, ledger: bool
) -> Storm:
    """Run until as many kills have hit; returns what happened. Raises AssertionError for any promise that is broken."""
    if chain:
        from chain_batch import lay_out

        (place / "home").mkdir(parents=True)
        batch = lay_out(place, place / "home")
    if batch is None:
        batch = place / "batch.yaml"
        place.mkdir(parents=True, exist_ok=True)
        batch.write_text(BATCH)
        (place / "in.txt").write_text("input")
    running = Storm(place, batch, seed, ledger)
    while running.killed["worker"] < workers or running.killed["app"] < apps:
        wanted = [t for t, most in (("worker", workers), ("app", apps)) if running.killed[t] < most]
        running.kill_once(running.random.choice(wanted))
        print(running.killed, running.completed, "rounds", file=sys.stderr, flush=True)
    running.complete()
    return running


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workers", type=int, default=200)
    parser.add_argument("--apps", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--batch", type=Path)
    parser.add_argument("--chain", action="store_true")
    parser.add_argument("--check-ledger", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="kill-storm-") as place:
        done = storm(
            Path(place) / "storm",
            workers=options.workers,
            apps=options.apps,
            seed=options.seed,
            batch=options.batch and options.batch.absolute(),
            chain=options.chain,
            ledger=options.check_ledger,
        )
    print(json.dumps({"killed": done.killed, "completed rounds": done.completed, "resumed jobs": done.resumed}))


if __name__ == "__main__":
    main()
