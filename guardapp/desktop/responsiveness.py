"""How long the window's thread was busy: a 10 ms timer that writes down how late it was called.

    python -m guardapp.desktop.responsiveness --seconds 60 --training [FILE…]
    python -m guardapp.desktop.responsiveness --seconds 60 --check

opens the window (on the files' pages), watches it while a training on sample data runs in the queue, or a robustness
check whose curve grows on its page, and prints one JSON document: the 99th percentile and the largest of the gaps in
milliseconds, the same of the processor time that the window's thread used within a gap (a gap without it was waited
for, on a busy machine), how long the window took to show from the start of the process, which jobs ran to the end of
the watch, and with `--where` what the thread was doing in the largest gaps.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import threading
import time
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Qt, QTimer

if TYPE_CHECKING:
    from collections.abc import Callable

    from guardapp.desktop.window import Window
    from guardapp.jobs.states import JobRow

_TICK_MS = 10
_LATE_MS = 33
"""From this gap on, `Witness` looks at what the window's thread does."""
_WORST = 12
_STEPS = 20_000
"""So that the training outlasts the watch; it is cancelled at the end."""
_STRENGTHS = [round(0.001 * step, 4) for step in range(1, 21)]
"""So that the check outlasts the watch: every strength is attacked with the largest budget."""


class Watch(QObject):
    """Collects the gaps between two ticks of a 10 ms timer, in milliseconds; a window that never stalls has 10."""

    def __init__(self) -> None:
        super().__init__()
        self.gaps: list[float] = []
        self.busy: list[float] = []
        self.last: float | None = None
        self._used = 0.0
        self._timer = QTimer(self)
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.setInterval(_TICK_MS)
        self._timer.timeout.connect(self._tick)

    def start(self) -> None:
        self.gaps.clear()
        self.busy.clear()
        self.last = None
        self._timer.start()

    def stop(self) -> None:
        self._timer.stop()
        self.last = None

    def _tick(self) -> None:
        now, used = time.perf_counter(), time.thread_time()
        if self.last is not None:
            self.gaps.append(1000 * (now - self.last))
            self.busy.append(1000 * (used - self._used))
        self.last, self._used = now, used

    def figures(self) -> dict[str, float | int]:
        """p99 and max of the gaps and of the processor time within them in milliseconds, and how many there were."""
        figures: dict[str, float | int] = {"ticks": len(self.gaps)}
        for name, values in (("", self.gaps), ("busy_", self.busy)):
            ordered = sorted(values) or [0.0]
            at = min(len(ordered) - 1, int(0.99 * len(ordered)))
            figures |= {f"{name}p99_ms": round(ordered[at], 1), f"{name}max_ms": round(ordered[-1], 1)}
        return figures


class Witness(threading.Thread):
    """Looks every 5 ms whether the window's thread is late, and keeps where it was then."""

    def __init__(self, watch: Watch) -> None:
        super().__init__(daemon=True)
        self._watch = watch
        self._thread = threading.get_ident()
        self._seen: dict[float, tuple[float, list[str]]] = {}

    def run(self) -> None:
        while True:
            time.sleep(0.005)
            last = self._watch.last
            if last is None or (late := 1000 * (time.perf_counter() - last)) < _LATE_MS:
                continue
            stack = traceback.extract_stack(sys._current_frames()[self._thread])
            lines = [f"{Path(frame.filename).stem}.{frame.name}:{frame.lineno}" for frame in stack]
            places = self._seen.get(last, (0.0, []))[1]
            self._seen[last] = (late, [*places, " > ".join(lines[-6:])])

    def worst(self) -> list[dict[str, object]]:
        """The longest gaps, each with the places that it was seen at."""
        longest = sorted(self._seen.values(), key=lambda seen: -seen[0])[:_WORST]
        return [{"ms": round(late), "at": sorted(set(places))} for late, places in longest]


def train_meanwhile(window: Window) -> None:
    """Queue a training on the sample digits that lasts."""
    from guardapp.jobs import registry
    from guardapp.resource_files import resource

    spec = registry.lookup("train").spec.model_validate(
        {
            "kind": "train",
            "name": "responsiveness",
            "data": {"images": str(resource("samples", "digits.npz")), "test_fraction": 0.1},
            "privacy": {"epsilon": 3.0, "delta": 1e-5, "max_examples": 6000},
            "steps": _STEPS,
        }
    )
    window.jobs.submit(spec)


def check_meanwhile(window: Window, running: Callable[[], None]) -> None:
    """Queue a short training on the sample digits and a check of its model that lasts; show that one's page.

    running: is called when the check begins
    """
    from guardapp.jobs import registry
    from guardapp.resource_files import resource

    data = {"images": str(resource("samples", "digits.npz")), "test_fraction": 0.2}
    train = {"kind": "train", "name": "model", "data": data, "recipe": "cnn", "privacy": None, "steps": 40, "seed": 0}
    check = {
        "kind": "check",
        "name": "responsiveness",
        "model": {"job": "${model}"},
        "data": {**data, "part": "test"},
        "strengths": _STRENGTHS,
        "budget": "reference",
    }
    window.jobs.submit([registry.lookup(str(spec["kind"])).spec.model_validate(spec) for spec in (train, check)])
    page = window.show_page("robustness")
    opened: list[str] = []

    def follow(row: JobRow) -> None:
        if row.kind == "check" and row.state == "running" and not opened:
            opened.append(row.id)
            page.open_job(row)
            running()

    window.jobs.changed.connect(follow)


def since_process_start() -> float:
    """Seconds since this process was started by the operating system."""
    now = time.time()
    stat = Path("/proc/self/stat")
    if stat.exists():
        # psutil counts from the boot time in whole seconds, which is off by up to one; the kernel counts in ticks
        ticks = int(stat.read_text().rsplit(")", 1)[1].split()[19])
        return time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK")
    import psutil

    return now - psutil.Process(os.getpid()).create_time()


def main() -> None:
    parser = argparse.ArgumentParser(description="Watch how responsive the window is.")
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--after", type=float, default=3, help="seconds to wait before the watch begins")
    parser.add_argument("--training", action="store_true", help="run a training in the queue meanwhile")
    parser.add_argument("--check", action="store_true", help="run a robustness check in the queue meanwhile")
    parser.add_argument("--where", action="store_true", help="tell what the thread did in the largest gaps")
    parser.add_argument("files", nargs="*", type=Path)
    asked = parser.parse_args()
    from guardapp.desktop import app

    application, window = app.make([path.absolute() for path in asked.files])
    watch = Watch()
    witness = Witness(watch)
    if asked.where:
        witness.start()
    if asked.training:
        window.painted.connect(lambda: train_meanwhile(window))
    shown: list[float] = []
    still: list[str] = []

    def end() -> None:
        watch.stop()
        still.extend(row.kind for row in window.jobs.rows if row.state == "running")
        window.cancel_and_close() if window.jobs.running else window.close()

    window.painted.connect(lambda: shown.append(since_process_start()))

    def begin() -> None:
        QTimer.singleShot(round(1000 * asked.after), watch.start)
        QTimer.singleShot(round(1000 * (asked.after + asked.seconds)), end)

    window.painted.connect((lambda: check_meanwhile(window, begin)) if asked.check else begin)
    window.show()
    application.exec()
    report: dict[str, object] = {
        "shown_s": round(shown[0], 3),
        **watch.figures(),
        "still_running": still,
        "torch_loaded": "torch" in sys.modules,
    }
    if asked.where:
        report["worst"] = witness.worst()
    sys.stdout.write(json.dumps(report) + "\n")


if __name__ == "__main__":
    main()
