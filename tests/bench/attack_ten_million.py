"""The attacks on a release of many rows: `python -m tests.bench.attack_ten_million [ROWS]`, ten million by default.

Makes a table of six quasi-identifiers, a sensitive and two other columns, releases it at k = 10 with two different
diagnoses in every group, and attacks the release as a job does. Prints the seconds of each attack and the largest
resident memory. Takes minutes, and 1 GB of disk.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from guardapp.deid.attacks.campaign import ATTACKS, gather
from guardapp.deid.coding import Coded
from guardapp.deid.policy import Policy, build_policy
from guardapp.deid.recoding import recode
from guardapp.formats.tables import open_table
from guardapp.progress import Progress

CARDINALITIES = {"age": 80, "sex": 2, "race": 5, "education": 16, "zip": 1000, "job": 40}
OTHERS = {"diagnosis": 40, "ward": 12, "visits": 9}


def peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def asked() -> Policy:
    columns = {name: {"role": "quasi"} for name in CARDINALITIES}
    columns |= {name: {"role": "sensitive" if name == "diagnosis" else "other"} for name in OTHERS}
    models = [{"name": "k-anonymity", "k": 10}, {"name": "distinct-l-diversity", "l": 3, "column": "diagnosis"}]
    return build_policy({"columns": columns, "models": models})


def make(folder: Path, rows: int, policy: Policy) -> tuple[Path, Path]:
    """The original and its release."""
    rng = np.random.default_rng(1)
    names = {**CARDINALITIES, **OTHERS}
    coded = {
        name: Coded(rng.integers(0, count, rows).astype(np.int32), [str(value) for value in range(count)])
        for name, count in names.items()
    }
    start, cpu = time.perf_counter(), time.process_time()
    found = recode(policy, coded, Progress())
    print(f"grouping: {time.process_time() - cpu:.1f} s of CPU, {time.perf_counter() - start:.1f} s, {peak():.0f} MiB")
    original, release = folder / "original.parquet", folder / "release.parquet"
    for path, columns in ((original, {}), (release, found.columns)):
        taken = {name: columns.get(name, (coded[name].codes, coded[name].values)) for name in names}
        arrays = [pa.array(values, pa.string()).take(pa.array(codes)) for codes, values in taken.values()]
        pq.write_table(pa.table(arrays, names=list(taken)), path)  # type: ignore[no-untyped-call]
    return original, release


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("rows", type=int, nargs="?", default=10_000_000)
    rows = options.parse_args().rows
    policy = asked()
    with tempfile.TemporaryDirectory() as name:
        original, release = make(Path(name), rows, policy)
        start = time.process_time()
        same = {column: column for column in policy.columns}
        evidence = gather(policy, open_table(original), open_table(release), same, rows, Progress())
        print(f"reading both: {time.process_time() - start:.1f} s of CPU, {peak():.0f} MiB", flush=True)
        for attack in ATTACKS:
            start = time.process_time()
            found = attack(evidence)
            taken = time.process_time() - start
            print(f"{found.name}, {found.outcome}: {taken:.1f} s of CPU, {peak():.0f} MiB", flush=True)


if __name__ == "__main__":
    main()
