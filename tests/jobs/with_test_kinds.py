"""The `guardapp` command, with the kinds of job that the tests of the engine bring."""

from __future__ import annotations

import sys
from pathlib import Path

from guardapp.cli import run
from guardapp.jobs import registry

if __name__ == "__main__":
    for path in (Path(__file__).parent / "kinds").glob("*.py"):
        registry.add_file(path.stem, path)
    sys.exit(run(sys.argv[1:]))
