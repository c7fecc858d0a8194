"""Which of the seeded faults the audit finds by itself, beside the check that is named for each.

    python -m tests.train.faults.audit_power [--only NAME]

One rehearsal a fault (`tests/train/audit/wide_table.py`): ε = 0.5 is claimed, 200 canaries. Also how often it refutes
correct trainings: `--correct 100`.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
import warnings
from pathlib import Path

import pytest


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--only")
    parser.add_argument("--correct", type=int, default=0)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    from tests.train.faults.seeded import FAULTS

    refuted = 0
    for number in range(options.correct):
        refuted += _rehearsed(None) == "refuted"
        print(f"{refuted} of {number + 1} correct trainings were refuted", flush=True)
    for fault in [] if options.correct else FAULTS:
        if options.only in (None, fault.name):
            print(f"{fault.name:48} {fault.caught_by:48} {_rehearsed(fault)}", flush=True)


def _rehearsed(fault: object) -> str:
    """What a rehearsal says with the fault in place."""
    from tests.train.faults.engine_checks import an_audit_does_not_refute_the_claim as audit

    started = time.process_time()
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        os.environ["GUARDAPP_HOME"] = str(Path(folder) / "home")
        if fault is not None:
            fault.seed(patch)  # type: ignore[attr-defined]
        try:
            audit(Path(folder))
        except AssertionError as error:
            return "refuted" if fault is None else f"refuted: {error}"
        except Exception as error:  # a fault may break the training altogether
            return f"failed: {type(error).__name__}"
    return f"not found ({time.process_time() - started:.0f} s)"


if __name__ == "__main__":
    main()
