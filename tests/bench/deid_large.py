"""The parts of bench_deid that need a process of their own, so that its memory is theirs: `… deid_large PART [ROWS]`.

group ROWS: ROWS × 10 quasi-identifiers at k = 10, with the risk before and after; plain ROWS: the loss of a textbook
Mondrian on the same rows; profile: 1,000,000 × 20 mixed cells. Prints one line of JSON.
"""

from __future__ import annotations

import json
import resource
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from guardapp.deid.classes import class_sizes
from guardapp.deid.coding import Coded
from guardapp.deid.policy import build_policy
from guardapp.deid.profile import profile
from guardapp.deid.recoding import recode
from guardapp.deid.risk import risk
from guardapp.progress import Progress

K = 10
CARDINALITIES = (80, 2, 5, 7, 16, 40, 100, 30, 12, 9)
PROFILED = 1_000_000


class Timed:
    """Seconds of a block: `wall` and `cpu`."""

    def __enter__(self) -> Timed:
        self._wall, self._cpu = time.perf_counter(), time.process_time()
        return self

    def __exit__(self, *_: object) -> None:
        self.wall, self.cpu = time.perf_counter() - self._wall, time.process_time() - self._cpu


def codes(rows: int) -> list[NDArray[np.int32]]:
    rng = np.random.default_rng(1)
    return [rng.integers(0, count, rows).astype(np.int32) for count in CARDINALITIES]


def group(rows: int) -> dict[str, Any]:
    coded = {
        f"c{i}": Coded(column, [str(value) for value in range(count)])
        for i, (column, count) in enumerate(zip(codes(rows), CARDINALITIES, strict=True))
    }
    policy = build_policy(
        {"columns": {name: {"role": "quasi"} for name in coded}, "models": [{"name": "k-anonymity", "k": K}]}
    )
    with Timed() as engine:
        found = recode(policy, coded, Progress())
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    with Timed() as risks:
        before = risk(class_sizes([column.codes for column in coded.values()]), K)
        after = risk(class_sizes([column for column, _ in found.columns.values()]), K)
    assert (before, after) == (found.before, found.after)
    assert after.at_risk == 0
    return {"engine": vars_of(engine), "risk": vars_of(risks), "mib": peak, "gcp": found.utility.gcp}


def vars_of(timed: Timed) -> dict[str, float]:
    return {"wall": timed.wall, "cpu": timed.cpu}


def plain(rows: int) -> dict[str, Any]:
    """Median cuts on the relatively widest axis, one box after the other (LeFevre et al. 2006), as written there."""
    table = np.stack(codes(rows), axis=1)
    width = np.array([count - 1 for count in CARDINALITIES], float)
    waiting, lost = [np.arange(rows)], 0.0
    while waiting:
        inside = waiting.pop()
        box = table[inside]
        spans = (box.max(axis=0) - box.min(axis=0)) / width
        for axis in np.argsort(-spans):
            column = box[:, axis]
            left = column <= np.median(column)
            if K <= int(left.sum()) <= len(inside) - K:
                waiting += [inside[left], inside[~left]]
                break
        else:
            lost += float(spans.sum()) * len(inside)
    return {"gcp": lost / (rows * len(CARDINALITIES))}


def write_mixed(path: Path) -> None:
    first, last = ("Ann", "Bob", "Carla", "Dan", "Eve", "Frank"), ("Miller", "Smith", "Jones", "Garcia", "Lee", "Brown")
    rng = np.random.default_rng(3)
    with path.open("w", encoding="utf-8") as file:
        file.write(
            "id,name,email,age,city,zip,sex,diagnosis,date,amount,note,phone,card,ip,birth,country,job,flag,score,"
        )
        file.write("code\n")
        for i, (a, b, c, d, e, g) in enumerate(rng.integers(0, 1 << 30, (PROFILED, 6)).tolist()):
            file.write(
                f"{i},{first[a % 6]} {last[b % 6]},u{a}@example{b % 50}.org,{a % 90},City{b % 300},{10000 + c % 50000},"
                f"{'MF'[d % 2]},D{e % 40},20{g % 24:02d}-{a % 12 + 1:02d}-{b % 28 + 1:02d},{c % 100000 / 100},"
                f"text {i} called {a % 977} about {b % 31} things on {c % 28},+44 20 7{a % 1000:03d} {b % 10000:04d},"
                f"4{a % 10**15:015d},10.{a % 256}.{b % 256}.{c % 256},"
                f"19{d % 70 + 20}-{e % 12 + 1:02d}-{g % 28 + 1:02d},"
                f"{('DE', 'FR', 'CN', 'US')[e % 4]},{('nurse', 'clerk', 'miner')[g % 3]},{('true', 'false')[a % 2]},"
                f"{b % 1000 / 7:.4f},{c:08x}\n"
            )


def profiled() -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "mixed.csv"
        write_mixed(path)
        with Timed() as took:
            profile(path)
    return {**vars_of(took), "mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}


def main() -> None:
    part, rows = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 0
    print(json.dumps(profiled() if part == "profile" else group(rows) if part == "group" else plain(rows)))


if __name__ == "__main__":
    main()
