"""How often the checks raise a false alarm: 100 runs of all of them over a correct engine.

python -m tests.train.faults.false_alarms [--runs 100]
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import warnings
from collections import Counter
from pathlib import Path


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=100)
    runs = parser.parse_args().runs
    warnings.simplefilter("ignore")
    alarms, found = 0, Counter[str]()
    for run in range(runs):
        with tempfile.TemporaryDirectory() as folder:
            os.environ["GUARDAPP_HOME"] = str(Path(folder) / "home")
            from tests.train.faults.engine_checks import CHECKS

            failed = set()
            for name, check in CHECKS.items():
                place = Path(folder) / name
                place.mkdir()
                os.environ["GUARDAPP_HOME"] = str(place / "home")
                try:
                    check(place)
                except AssertionError as error:
                    failed.add(name)
                    print(f"run {run}: {name}: {error}", flush=True)
            alarms += bool(failed)
            found.update(failed)
    print(f"{alarms} of {runs} correct runs raised an alarm: {dict(found)}")
    return int(alarms > 0.05 * runs)


if __name__ == "__main__":
    sys.exit(main())
