"""`python -m guardapp` and the `guardapp` command."""

from __future__ import annotations

import multiprocessing
import sys


def main() -> None:
    multiprocessing.freeze_support()
    from guardapp.cli import run

    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
