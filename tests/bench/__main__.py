"""`make bench`: run the benchmarks and put what they print into docs/benchmarks.md, a section each.

    python -m tests.bench [deid] [seal] [train] [robust]       # all of them by default

Peers that would hold our dependencies back run from a virtual environment of their own, build/bench-peers.
"""

from __future__ import annotations

import os
import platform
import re
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "benchmarks.md"
PEERS = ROOT / "build" / "bench-peers"
TITLES = {
    "train": "Private training",
    "deid": "De-identification",
    "seal": "Sealing",
    "robust": "Robustness: attacks",
}


def peers() -> Path:
    """The interpreter that has anjana, anonypy and pycanon; made on first use."""
    python = PEERS / ("Scripts" if os.name == "nt" else "bin") / "python"
    if not python.exists():
        venv.create(PEERS, with_pip=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", "anjana", "anonypy", "pycanon"], check=True)
    return python


def measured(name: str) -> str:
    """The Markdown that a benchmark prints, with the machine that it ran on."""
    command = [sys.executable, "-m", f"tests.bench.bench_{name}"]
    if name == "deid":
        command += ["--peer", str(peers())]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    load = f", load average {os.getloadavg()[0]:.1f} at its end" if hasattr(os, "getloadavg") else ""
    machine = (
        f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}{load}"
    )
    return f"{done.stdout.strip()}\n\n_{machine}._"


def write_section(name: str, text: str) -> None:
    """Put `text` in place of the section of that name, or at the end of the page."""
    begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    section = f"{begin}\n## {TITLES[name]}\n\n{text}\n{end}\n"
    page = PAGE.read_text(encoding="utf-8") if PAGE.exists() else "# Benchmarks\n"
    pattern = re.compile(re.escape(begin) + ".*?" + re.escape(end) + "\n", re.DOTALL)
    page = pattern.sub(lambda _: section, page) if pattern.search(page) else f"{page}\n{section}"
    PAGE.write_text(page, encoding="utf-8", newline="\n")


def main() -> None:
    for name in sys.argv[1:] or TITLES:
        if name not in TITLES:
            raise SystemExit(f"There is no benchmark “{name}”; there are {', '.join(TITLES)}.")
        print(f"{TITLES[name]} …", file=sys.stderr)
        write_section(name, measured(name))
    print(PAGE)


if __name__ == "__main__":
    main()
