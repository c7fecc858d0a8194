"""A few kills of small trainings; `kill_runs.py` is the long version."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path


def test_killed_trainings_are_charged_for_what_they_took_and_end_as_planned() -> None:
    script = Path(__file__).parent / "kill_runs.py"
    done = subprocess.run(
        [sys.executable, str(script), "--kills", "8", "--seed", "3"], capture_output=True, text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"}, timeout=600, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["kills"] >= 8 and found["trainings"] >= 1
