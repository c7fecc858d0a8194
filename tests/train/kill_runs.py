"""Kill small private trainings at random moments, resume them, and compare with what the ledger says.

    python tests/train/kill_runs.py --kills 1000 --seed 1

Every training runs in a forked process of its own and is killed with SIGKILL after a random time, then resumed, as
often as it takes. Each step is noted in a file in the moment before it is taken. After each kill: the ledger holds at
least the steps that were noted, its ε is at least PLD's for them, and its chain of hashes is intact. In the end: it
reports the ε and the steps of one that nobody interrupted, and no more steps were taken than that. Forks of one process
start in no time, so kills fall into the work and not into starting Python; `tests/jobs/kill_storm.py --check-ledger
--chain` kills the real worker and the real application.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).parents[2]))
sys.path.insert(0, str(Path(__file__).parents[1] / "jobs"))
os.environ.setdefault("OMP_NUM_THREADS", "1")

from kill_storm import check_ledger

from guardapp.formats.datasets import load_dataset
from guardapp.progress import Progress
from guardapp.train import session
from guardapp.train.accounting import Mechanism, epsilon
from guardapp.train.job import TrainSpec, run
from guardapp.train.state import read_run
from guardapp.vault.ledger import Ledger
from tests.train.faults.engine_checks import a_spec

DELTA = 1e-4
PER_LEDGER = 10
"""Trainings that share a ledger; each reads all entries before it."""


class Tally(NamedTuple):
    """kills: that hit; where: into which part they fell; trainings: completed; attempts: most that one needed."""

    kills: int
    where: Counter[str]
    trainings: int
    attempts: int


def kill_runs(place: Path, kills: int, seed: int) -> Tally:
    """Run until `kills` have hit and the last training is through. Raises AssertionError for a broken promise."""
    choose = random.Random(seed)
    hit, where, trainings, most, spent = 0, Counter[str](), 0, 0, 0.0
    home = place / "home"
    os.environ["GUARDAPP_HOME"] = str(home)
    spec = a_spec(place, 200, steps=20, batch=40)
    dataset = load_dataset(spec.data).fingerprint
    (place / "first").mkdir()
    _train(spec, place / "first")  # here, so that every fork finds modules loaded and the plan computed
    longest = 0.0
    expected = json.loads((place / "first" / "out" / "report.json").read_text(encoding="utf-8"))
    while hit < kills:
        if trainings % PER_LEDGER == 0:
            home, spent = place / f"home{trainings}", 0.0
            os.environ["GUARDAPP_HOME"] = str(home)
        folder = place / f"training{trainings}"
        folder.mkdir()
        attempts = 0
        while True:
            attempts += 1
            # some are left alone after a few kills, so that some end and many are killed very often
            spared = hit >= kills or not longest or attempts >= choose.choice((10, 60))
            started = time.monotonic()
            ended = _attempt(spec, folder, None if spared else choose.uniform(0, 0.6 * longest))
            longest = longest or time.monotonic() - started
            hit += not ended
            where.update([] if ended else [_moment(folder)])
            _check(folder, dataset, home, spent)
            if ended:
                break
        report = json.loads((folder / "out" / "report.json").read_text(encoding="utf-8"))
        ends = [(each["epsilon"], each["steps"]) for each in (report, expected)]
        assert ends[0] == ends[1], f"ε and steps are {ends[0]}, and {ends[1]} without kills"
        assert _noted(folder) <= expected["steps"], "more steps were taken than were planned"
        spent += report["epsilon"]
        trainings, most = trainings + 1, max(most, attempts)
        check_ledger(home, spent)
        shutil.rmtree(folder)
        print(f"{hit} kills, {trainings} trainings", file=sys.stderr, flush=True)
    return Tally(hit, where, trainings, most)


def _attempt(spec: TrainSpec, folder: Path, wait: float | None) -> bool:
    """Start or resume the training, killed after `wait` seconds; whether it ended by itself, in good order."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            _train(spec, folder)
            code = 0
        finally:
            os._exit(code)
    if wait is not None:
        time.sleep(wait)
        os.kill(child, signal.SIGKILL)
    status = os.waitpid(child, 0)[1]
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0, "a resumed training failed"
    return not os.WIFSIGNALED(status)


def _train(spec: TrainSpec, folder: Path) -> None:
    one_step = session.Session._one_step
    notes = os.open(folder / "steps", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def noted(self: session.Session) -> None:
        os.write(notes, b".")  # before the step, and in the system's hands when the process dies
        one_step(self)

    session.Session._one_step = noted  # type: ignore[method-assign]
    shutil.rmtree(folder / "out", ignore_errors=True)
    (folder / "out").mkdir()
    run(spec, folder / "out", Progress(resume_folder=folder / "resume"))


def _noted(folder: Path) -> int:
    return (folder / "steps").stat().st_size if (folder / "steps").exists() else 0


def _moment(folder: Path) -> str:
    """Into which part of the training the kill fell, by what lies there."""
    if not (folder / "resume" / "run.json").exists():
        return "before the plan was kept"
    if not _noted(folder):
        return "before the first step"
    return "while writing" if any((folder / "out").glob("*")) else "between the first step and the last"


def _check(folder: Path, dataset: str, home: Path, spent: float) -> None:
    ledger = Ledger(home)
    assert ledger.verify().intact, "the ledger was damaged"
    current = read_run(folder / "resume")
    taken = _noted(folder)
    if current is None:
        assert taken == 0, "steps were taken by a run that is not written down"
        return
    held = next((each for each in ledger.balance(dataset).runs if each.run == current.run), None)
    reserved, charged = (held.reserved, held.epsilon) if held else (0, 0.0)
    assert taken <= reserved, f"{taken} steps were taken, {reserved} are in the ledger"
    plan = current.plan
    least = epsilon(Mechanism(plan.mechanism.noise, plan.rate), taken, DELTA)
    assert charged >= least * (1 - 1e-9), f"ε = {least} was spent, {charged} is in the ledger"
    check_ledger(home, spent + least)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="kill-runs-") as place:
        done = kill_runs(Path(place), options.kills, options.seed)
    print(json.dumps({**done._asdict(), "where": dict(done.where)}))


if __name__ == "__main__":
    main()
