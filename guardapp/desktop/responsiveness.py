"""How long the window's thread was busy: a 10 ms timer that writes down how late it was called.

    python -m guardapp.desktop.responsiveness --seconds 60 [FILE…]

opens the window (on the files' pages), watches it, and prints one JSON document: the 99th percentile and the largest
of the gaps in milliseconds, and how long the window took to show from the start of the process.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from pathlib import Path

from PySide6.QtCore import QObject, Qt, QTimer

_TICK_MS = 10


class Watch(QObject):
    """Collects the gaps between two ticks of a 10 ms timer, in milliseconds; a window that never stalls has 10."""

    def __init__(self) -> None:
        super().__init__()
        self.gaps: list[float] = []
        self._last: float | None = None
        self._timer = QTimer(self)
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.setInterval(_TICK_MS)
        self._timer.timeout.connect(self._tick)

    def start(self) -> None:
        self.gaps.clear()
        self._last = None
        self._timer.start()

    def stop(self) -> None:
        self._timer.stop()

    def _tick(self) -> None:
        now = time.perf_counter()
        if self._last is not None:
            self.gaps.append(1000 * (now - self._last))
        self._last = now

    def figures(self) -> dict[str, float | int]:
        """p99 and max of the gaps in milliseconds, and how many there were."""
        ordered = sorted(self.gaps)
        if not ordered:
            return {"ticks": 0, "p99_ms": 0.0, "max_ms": 0.0}
        at = min(len(ordered) - 1, int(0.99 * len(ordered)))
        return {"ticks": len(ordered), "p99_ms": round(ordered[at], 1), "max_ms": round(ordered[-1], 1)}


def since_process_start() -> float:
    """Seconds since this process was started by the operating system."""
    now = time.time()
    import psutil

    return now - psutil.Process(os.getpid()).create_time()


def main() -> None:
    parser = argparse.ArgumentParser(description="Watch how responsive the window is.")
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--after", type=float, default=3, help="seconds to wait before the watch begins")
    parser.add_argument("files", nargs="*", type=Path)
    asked = parser.parse_args()
    from guardapp.desktop import app

    application, window = app.make([path.absolute() for path in asked.files])
    watch = Watch()
    shown: list[float] = []

    def end() -> None:
        watch.stop()
        window.cancel_and_close() if window.jobs.running else window.close()

    window.painted.connect(lambda: shown.append(since_process_start()))
    window.painted.connect(lambda: QTimer.singleShot(round(1000 * asked.after), watch.start))
    window.painted.connect(lambda: QTimer.singleShot(round(1000 * (asked.after + asked.seconds)), end))
    window.show()
    application.exec()
    report = {"shown_s": round(shown[0], 3), **watch.figures(), "torch_loaded": "torch" in sys.modules}
    sys.stdout.write(json.dumps(report) + "\n")


if __name__ == "__main__":
    main()
