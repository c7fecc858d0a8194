"""Benchmarks of de-identification beside peers in the same run: `python -m tests.bench.bench_deid --peer PYTHON`.

PYTHON is an interpreter that has anjana, anonypy and pycanon (they bring old dependencies, so they have a venv of
their own).
Without it the peers' rows say that they were skipped.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from guardapp.deid import check
from guardapp.deid.detectors import KIND, look
from guardapp.deid.policy import build_policy
from guardapp.deid.protect import coded_columns, read_codes
from guardapp.deid.recoding import recode
from guardapp.deid.rules.pseudonym import pseudonyms
from guardapp.formats.tables import open_table
from guardapp.progress import Progress
from tests.bench.deid_large import Timed

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
mondrian = time.perf_counter() - start
from anjana.anonymity import k_anonymity
folder = sys.argv[4]
whole = pd.read_csv(f"{folder}/adult.csv.gz", sep=";")
eight = [name for name in whole.columns if name != "salary-class"]
trees = {}
for name in eight:
    tree = pd.read_csv(f"{folder}/adult_hierarchy_{name}.csv", sep=";", header=None, dtype=str)
    if whole[name].dtype != object:
        tree[0] = tree[0].astype(whole[name].dtype)
    trees[name] = dict(tree)
start = time.perf_counter(); out = k_anonymity(whole, [], eight, 10, 10, trees); full = time.perf_counter() - start
print(json.dumps({"anjana": full, "left": len(out), "check": check,
                   "k": int(k), "mondrian": mondrian, "groups": len(rows)}))
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


def eight(trees: bool) -> tuple[float, float]:
    """Seconds to group Adult's eight quasi-identifiers at k = 10, and the loss; trees: under ARX's hierarchies."""
    table = open_table(ADULT)
    names = [name for name in table.columns if name != "salary-class"]
    columns: dict[str, dict[str, str]] = {"salary-class": {"role": "other"}}
    for name in names:
        tree = {"hierarchy": str(ADULT.parent / f"adult_hierarchy_{name}.csv")} if trees else {}
        columns[name] = {"role": "quasi", **tree}
    policy = build_policy({"columns": columns, "models": [{"name": "k-anonymity", "k": 10}]})
    coded, _ = read_codes(table, names, Progress())
    return median(lambda: recode(policy, coded, Progress()), 7), recode(policy, coded, Progress()).utility.gcp


def apart(*arguments: str) -> dict[str, Any]:
    """A part of deid_large in a process of its own."""
    command = [sys.executable, "-m", "tests.bench.deid_large", *arguments]
    answer: dict[str, Any] = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    return answer


def lattice() -> dict[str, float]:
    """Seconds for the slowest of four optimal searches on Adult: nine columns with hierarchies, 12,960 nodes."""
    table = open_table(ADULT)
    columns = {n: {"role": "quasi", "hierarchy": str(ADULT.parent / f"adult_hierarchy_{n}.csv")} for n in table.columns}
    coded, _ = read_codes(table, table.columns, Progress())
    taken = []
    for k, suppression in [(5, 0.04), (100, 0.04), (5, 0.0), (100, 0.0)]:
        search = {"engine": "lattice", "metric": "entropy", "suppression": suppression}
        policy = build_policy({"columns": columns, "models": [{"name": "k-anonymity", "k": k}], "search": search})
        with Timed() as three:
            wall = median(partial(recode, policy, coded, Progress()))
        taken.append({"wall": wall, "cpu": three.cpu / 3})
    return max(taken, key=lambda timed: timed["wall"])


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
    command = [python, "-c", _PEER, str(folder / "adult.csv"), json.dumps(QUASI), str(PEER_ROWS), str(ADULT.parent)]
    answer: dict[str, Any] = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    return answer


def took(timed: dict[str, float]) -> str:
    return f"{timed['wall']:.1f} s ({timed['cpu']:.1f} s of CPU)"


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
        under, loss_under = eight(trees=True)
        free, loss_free = eight(trees=False)
        million, ten = apart("group", "1000000"), apart("group", "10000000")
        textbook = apart("plain", "1000000")
        searched = lattice()
        seen, made = identifiers()
    profiled = apart("profile")
    skipped = "skipped: no --peer"
    rows = [
        ("Adult, first 5,000 rows, 6 quasi-identifiers, k = 10: grouping", f"{1000 * small:.0f} ms",
         f"anonypy {other['mondrian']:.1f} s" if other else skipped,
         f"{other['mondrian'] / small:,.0f} × as fast" if other else "—"),
        ("Adult, 30,162 rows, the same", f"{1000 * whole:.0f} ms, loss (GCP) {loss:.3f}", "—", "—"),
        ("Adult, 30,162 rows: k of a file, reading included", f"{1000 * checked:.0f} ms",
         f"pycanon {1000 * other['check']:.0f} ms, without reading" if other else skipped,
         f"{other['check'] / checked:.1f} × as fast" if other else "—"),
        ("Adult, 30,162 rows, 8 quasi-identifiers, k = 10: grouping", f"{1000 * free:.0f} ms, loss {loss_free:.3f}",
         f"anjana {other['anjana']:.1f} s" if other else skipped,
         f"{other['anjana'] / free:.0f} × as fast" if other else "—"),
        ("The same under ARX's hierarchies, as anjana has them, read before",
         f"{1000 * under:.0f} ms, loss {loss_under:.3f}", f"anjana {other['anjana']:.1f} s" if other else skipped,
         f"{other['anjana'] / under:.0f} × as fast" if other else "—"),
        ("1,000,000 rows × 10 quasi-identifiers, k = 10: grouping", took(million["engine"]),
         f"textbook Mondrian: loss {textbook['gcp']:.3f}", f"loss {million['gcp']:.3f}"),
        ("10,000,000 rows × 10 quasi-identifiers, k = 10: grouping",
         f"{took(ten['engine'])}, {ten['mib']:.0f} MiB", "—",
         f"{ten['engine']['cpu'] / million['engine']['cpu']:.1f} × a million"),
        ("10,000,000 rows: risk before and after", took(ten["risk"]), "—", "—"),
        ("Adult, 9 quasi-identifiers: optimal of 12,960 nodes, slowest of four",
         f"{searched['wall']:.2f} s ({searched['cpu']:.2f} s of CPU)", "—", "—"),
        ("1,000,000 rows × 20 mixed columns: profile and detection",
         f"{took(profiled)}, {profiled['mib']:.0f} MiB", "—", "—"),
        ("Resident IDs looked at", f"{seen / 1e6:.2f} M/s", "—", "—"),
        ("Pseudonyms (HMAC-SHA-256)", f"{made / 1e6:.2f} M/s", "—", "—"),
    ]  # fmt: skip
    table = ["| task | guardapp | peer | ratio |", "|---|---|---|---|"]
    table += [f"| {' | '.join(row)} |" for row in rows]
    print("\n".join(table))
    print("\nMedians of three or seven, but for a million rows and more, which ran once, each in a process of its own:")
    print("MiB is its largest resident memory. The ratios are of one run.")


if __name__ == "__main__":
    main()
