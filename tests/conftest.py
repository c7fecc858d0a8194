"""What every test shares: no display, a private data folder, and nothing left behind."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
os.environ.setdefault("QT_LOGGING_RULES", "qt.qpa.fonts=false")
os.environ.setdefault("OMP_NUM_THREADS", "1")

import psutil
import pytest
from hypothesis import HealthCheck, settings

settings.register_profile(
    "guardapp", deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
settings.load_profile("guardapp")

SHARED = Path(__file__).parents[2] / "shared" / "data"


@pytest.fixture(autouse=True)
def home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data folder of its own for every test: vault, queue and settings never touch the user's."""
    folder = tmp_path_factory.mktemp("guardapp-home")
    monkeypatch.setenv("GUARDAPP_HOME", str(folder))
    return folder


@pytest.fixture
def shared() -> Path:
    """Real data and test vectors, beside the checkout; the test is skipped where they are absent."""
    if not SHARED.is_dir():
        pytest.skip("real data (../shared/data) is not here")
    return SHARED


def children() -> list[psutil.Process]:
    """Of this process, with their own. psutil reads about every process of the system, so ask Linux first for one."""
    try:
        lists = [path.read_text() for path in Path("/proc/self/task").glob("*/children")]
    except FileNotFoundError:  # a thread ended meanwhile
        lists = []
    return psutil.Process().children(recursive=True) if any(lists) or not lists else []


@pytest.fixture(autouse=True)
def nothing_left_behind() -> Iterator[None]:
    """A test fails if it leaves a child process or a non-daemon thread alive."""
    before = {child.pid for child in children()}
    threads = set(threading.enumerate())
    yield
    _, alive = psutil.wait_procs([c for c in children() if c.pid not in before], timeout=5)
    if alive:
        lines = []
        for child in alive:
            lines.append(" ".join(child.cmdline()))
            child.kill()
        pytest.fail("child processes were left alive: " + "; ".join(lines))
    left = [t for t in threading.enumerate() if t not in threads and t.is_alive() and not t.daemon]
    for thread in left:
        thread.join(timeout=5)
    assert not [t for t in left if t.is_alive()], f"threads were left alive: {left}"


def pytest_make_parametrize_id(config: pytest.Config, val: object, argname: str) -> str | None:
    """Bytes are named by their length: compressed data differ from run to run, and workers must agree on the names."""
    return f"{argname}-{len(val)}-bytes" if isinstance(val, bytes) else None
