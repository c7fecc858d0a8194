"""The `guardapp` command, with the kinds of job that the tests of the engine bring."""

from __future__ import annotations

import os
import sys
from pathlib import Path

CHECKOUT = str(Path(__file__).parents[2])

if __name__ == "__main__":
    sys.path.insert(0, CHECKOUT)
    os.environ["PYTHONPATH"] = CHECKOUT  # for the workers, wherever the command was started

    from guardapp.cli import run
    from guardapp.jobs import registry

    for path in (Path(__file__).parent / "kinds").glob("*.py"):
        registry.add_file(path.stem, path)
    sys.exit(run(sys.argv[1:]))
