"""Benchmarks of de-identification beside peers in the same run: `python -m tests.bench.bench_deid --peer PYTHON`.

PYTHON is an interpreter that has anonypy and pycanon (they bring old dependencies, so they have a venv of their own).
Without it the peers' rows say that they were skipped.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from guardapp.deid import check
from guardapp.deid.axes import Line
from guardapp.deid.detectors import KIND, look
from guardapp.deid.mondrian import partition
from guardapp.deid.policy import build_policy
from guardapp.deid.profile import profile
from guardapp.deid.protect import coded_columns, read_codes
from guardapp.deid.recoding import recode
from guardapp.deid.rules.pseudonym import pseudonyms
from guardapp.formats.tables import open_table
from guardapp.progress import Progress

ROOT = Path(__file__).parents[2]
ADULT = ROOT.parent / "shared" / "data" / "arx-adult" / "adult.csv.gz"
QUASI = ["age", "sex", "race", "marital-status", "education", "native-country"]
PEER_ROWS = 5_000

_PEER = """
import json, sys, time, warnings
warnings.filterwarnings("ignore")
import pandas as pd
frame = pd.read_csv(sys.argv[1], sep=";")
quasi = json.loads(sys.argv[2])
from pycanon import anonymity
start = time.perf_counter(); k = anonymity.k_anonymity(frame, quasi); check = time.perf_counter() - start
part = frame.head(int(sys.argv[3])).copy()
for name in part.columns:
    if part[name].dtype == object or str(part[name].dtype).startswith("str"):
        part[name] = part[name].astype("category")
import anonypy
start = time.perf_counter()
rows = anonypy.Preserver(part, quasi, "salary-class").anonymize_k_anonymity(k=10)
print(json.dumps({"check": check, "k": int(k), "mondrian": time.perf_counter() - start, "groups": len(rows)}))
"""


def median(task: Callable[[], Any], times: int = 3) -> float:
    taken = []
    for _ in range(times):
        start = time.perf_counter()
        task()
        taken.append(time.perf_counter() - start)
    return statistics.median(taken)


def adult(rows: int | None, folder: Path) -> tuple[float, float]:
    """Seconds to group Adult's first rows at k = 10, and the loss."""
    import gzip

    lines = gzip.decompress(ADULT.read_bytes()).splitlines(keepends=True)
    path = folder / "adult.csv"
    path.write_bytes(b"".join(lines[: rows + 1 if rows else None]))
    table = open_table(path)
    columns = {name: {"role": "quasi" if name in QUASI else "other"} for name in table.columns}
    policy = build_policy({"columns": columns, "models": [{"name": "k-anonymity", "k": 10}]})
    coded, _ = read_codes(table, coded_columns(policy), Progress())
    return median(lambda: recode(policy, coded, Progress())), recode(policy, coded, Progress()).utility.gcp


def million() -> float:
    """Seconds to group 1,000,000 random rows of ten numeric columns at k = 10."""
    rng = np.random.default_rng(1)
    cards = [80, 2, 5, 7, 16, 40, 100, 30, 12, 9]
    columns = [rng.integers(0, card, 1_000_000).astype(np.int32) for card in cards]
    axes = [Line([str(i) for i in range(card)], np.arange(card, dtype=float), missing=False) for card in cards]
    weights = np.ones(1_000_000, np.int64)
    return median(lambda: partition(columns, axes, weights, 10))


def lattice() -> float:
    """Seconds for the slowest of four optimal searches on Adult: nine columns with hierarchies, 12,960 nodes."""
    table = open_table(ADULT)
    columns = {n: {"role": "quasi", "hierarchy": str(ADULT.parent / f"adult_hierarchy_{n}.csv")} for n in table.columns}
    coded, _ = read_codes(table, table.columns, Progress())
    taken = []
    for k, suppression in [(5, 0.04), (100, 0.04), (5, 0.0), (100, 0.0)]:
        search = {"engine": "lattice", "metric": "entropy", "suppression": suppression}
        policy = build_policy({"columns": columns, "models": [{"name": "k-anonymity", "k": k}], "search": search})
        taken.append(median(partial(recode, policy, coded, Progress())))
    return max(taken)


def profile_million(folder: Path) -> float:
    path = folder / "million.csv"
    with path.open("w") as file:
        file.write("id,name,age,city,zip,sex,diagnosis,date,amount,note\n")
        for i in range(1_000_000):
            file.write(
                f"{i},Name {i % 977},{i % 90},City{i % 300},{10000 + i % 5000},{'MF'[i % 2]},D{i % 40},"
                f"19{i % 80 + 10:02d}-01-{i % 28 + 1:02d},{i * 3 % 1000}.5,text {i}\n"
            )
    return median(lambda: profile(path))


def identifiers() -> tuple[float, float]:
    """Resident IDs looked at, and pseudonyms made, per second."""
    rng = np.random.default_rng(2)
    parts = rng.integers([50, 1, 10, 0], [99, 9, 28, 999], (200_000, 4)).tolist()
    numbers = [f"11010519{year:02d}0{month}{day:02d}{serial:03d}1" for year, month, day, serial in parts]
    values = [f"value {i}" for i in range(200_000)]
    seen = median(lambda: look(KIND["cn_resident_id"], numbers))
    made = median(lambda: pseudonyms(bytes(32), "id")(values))
    return len(numbers) / seen, len(values) / made


def peer(python: str | None, folder: Path) -> dict[str, Any] | None:
    if python is None:
        return None
    command = [python, "-c", _PEER, str(folder / "adult.csv"), json.dumps(QUASI), str(PEER_ROWS)]
    answer: dict[str, Any] = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    return answer


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--peer", help="an interpreter with anonypy and pycanon")
    arguments = options.parse_args()
    if not ADULT.exists():
        raise SystemExit("skipped: the Adult table (../shared/data/arx-adult) is not here")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        small, _ = adult(PEER_ROWS, folder)
        whole, loss = adult(None, folder)
        checked = median(lambda: check.measure(folder / "adult.csv", QUASI, []))
        other = peer(arguments.peer, folder)
        large = million()
        searched = lattice()
        seen, made = identifiers()
        profiled = profile_million(folder)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    skipped = "skipped: no --peer"
    rows = [
        ("Adult, first 5,000 rows, 6 quasi-identifiers, k = 10: grouping", f"{1000 * small:.0f} ms",
         f"anonypy {other['mondrian']:.1f} s" if other else skipped,
         f"{other['mondrian'] / small:,.0f} × as fast" if other else "—"),
        ("Adult, 30,162 rows, the same", f"{1000 * whole:.0f} ms, loss (GCP) {loss:.3f}", "—", "—"),
        ("Adult, 30,162 rows: k of a file, reading included", f"{1000 * checked:.0f} ms",
         f"pycanon {1000 * other['check']:.0f} ms, without reading" if other else skipped,
         f"{other['check'] / checked:.1f} × as fast" if other else "—"),
        ("1,000,000 rows × 10 quasi-identifiers, k = 10: grouping", f"{large:.1f} s", "—", "—"),
        ("Adult, 9 quasi-identifiers: optimal of 12,960 nodes, slowest of four", f"{searched:.2f} s", "—", "—"),
        ("1,000,000 rows × 10 columns: profile", f"{profiled:.1f} s", "—", "—"),
        ("Resident IDs looked at", f"{seen / 1e6:.2f} M/s", "—", "—"),
        ("Pseudonyms (HMAC-SHA-256)", f"{made / 1e6:.2f} M/s", "—", "—"),
    ]  # fmt: skip
    table = ["| task | guardapp | peer | ratio |", "|---|---|---|---|"]
    table += [f"| {' | '.join(row)} |" for row in rows]
    print("\n".join(table))
    print("\nMedians of three; the ratios are of one run. Largest resident memory of the whole run, the million-row")
    print(f"tables included: {memory:.0f} MiB.")


if __name__ == "__main__":
    main()
