"""Starting: what is loaded before the first paint, and what never is."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = ("torch", "pandas", "pyarrow", "scipy")
LATER = ("numpy", "pydantic", "yaml", "pyqtgraph", "qtawesome", "cryptography", "psutil")

_SCRIPT = """
import json, sys
from guardapp.desktop.app import make
app, window = make()
first = []
window.painted.connect(lambda: first.extend(sys.modules))
window.jobs.loaded.connect(window.close)
window.show()
app.exec()
json.dump({"first": first, "all": list(sys.modules)}, sys.stdout)
"""


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """The modules of a process of its own, at the first paint and at the end."""
    environment = {**os.environ, "GUARDAPP_HOME": str(tmp_path_factory.mktemp("home"))}
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", _SCRIPT],
        cwd=root,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    found: dict[str, list[str]] = json.loads(done.stdout)
    return found


def test_the_window_never_loads_torch_nor_pandas(loaded: dict[str, list[str]]) -> None:
    assert [name for name in HEAVY if name in loaded["all"]] == []


def test_nothing_heavy_is_loaded_before_the_first_paint(loaded: dict[str, list[str]]) -> None:
    assert [name for name in LATER if name in loaded["first"]] == []


def test_a_window_that_is_closed_at_its_first_paint_ends_cleanly(tmp_path: Path) -> None:
    script = _SCRIPT.replace("window.jobs.loaded.connect(window.close)", "window.painted.connect(window.close)")
    environment = {**os.environ, "GUARDAPP_HOME": str(tmp_path)}
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=root,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0
    assert "QThread" not in done.stderr


def test_a_file_that_is_not_there_is_refused_before_the_window_opens(tmp_path: Path) -> None:
    from guardapp.cli import run

    assert run(["gui", str(tmp_path / "gone.csv")]) == 2
