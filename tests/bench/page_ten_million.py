"""A long table in the De-identify page: `python -m tests.bench.page_ten_million [ROWS]`, ten million by default.

Writes a CSV, opens it in a window off screen, scrolls with the wheel, jumps, drags the bar and moves the handle of risk
and utility, while a 10 ms timer watches the window's thread. Prints a line of JSON for each phase: the largest gap and
the 99th percentile, the same of the thread's own processor time (on a busy machine the rest was waited for), how long
answers took, and where the thread was in the largest gaps. Takes minutes, and 500 MB of disk.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
WORDS = {
    "sex": ("Female", "Male"),
    "education": ("Bachelors", "HS-grad", "11th", "Masters", "Doctorate", "Some-college"),
    "city": ("Leeds", "York", "Bath", "Hull", "Ely"),
    "diagnosis": tuple(f"D{number:02d}" for number in range(30)),
}
STEP_MS = 30
PATIENCE_S = 600


def write(path: Path, rows: int) -> None:
    import pyarrow as pa
    import pyarrow.csv as csv

    luck = np.random.default_rng(5)
    with path.open("wb") as file:
        for start in range(0, rows, 500_000):
            count = min(500_000, rows - start)
            columns = {
                "id": pa.array(np.arange(start, start + count)),
                "age": pa.array(luck.integers(17, 90, count)),
                "zip": pa.array(luck.integers(10_000, 60_000, count)),
            }
            for name, words in WORDS.items():
                columns[name] = pa.array(words).take(pa.array(luck.integers(0, len(words), count)))
            csv.write_csv(pa.table(columns), file, csv.WriteOptions(include_header=start == 0))


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("rows", type=int, nargs="?", default=10_000_000)
    options.add_argument("--file", type=Path, help="a table to open instead of one that is written")
    asked = options.parse_args()
    with tempfile.TemporaryDirectory() as name:
        os.environ["GUARDAPP_HOME"] = f"{name}/home"
        path = asked.file or Path(name) / "long.csv"
        if not asked.file:
            write(path, asked.rows)
        watch_page(path)


def watch_page(path: Path) -> None:
    from PySide6.QtCore import QEvent, QPoint, QPointF, Qt, QTimer
    from PySide6.QtGui import QKeyEvent, QWheelEvent
    from PySide6.QtWidgets import QApplication

    from guardapp.desktop import app
    from guardapp.desktop.deidentify.page import DeidentifyPage
    from guardapp.desktop.responsiveness import Watch, Witness

    application, window = app.make()
    watch = Watch()
    witness = Witness(watch)
    witness.start()
    luck = random.Random(1)

    def drive() -> Iterator[Callable[[], bool] | None]:
        """Does one thing after the other; yields what to wait for, or None for a moment."""
        page = window.show_page("deidentify")
        assert isinstance(page, DeidentifyPage)
        page.open_file(path)
        pair = page.settings_step.pair
        slider = page.settings_step.figures.tradeoff.slider

        def shown() -> bool:
            """Whether what is on screen is there, on both sides."""
            lines = [pair.rows.get(number) for number in pair.right_model.numbers]
            return bool(lines) and all(line is not None and line[1] is not None for line in lines)

        def settled() -> bool:
            return page.draft is not None and not page.desk.busy and shown()

        yield from phase("opening", lambda: iter([settled]))
        yield from phase("curve", lambda: iter([lambda: page.settings_step.figures.tradeoff.has_curve]))

        def wheel() -> Iterator[Callable[[], bool] | None]:
            middle = QPointF(pair.left.viewport().rect().center())
            for _ in range(200):
                turn = QPoint(0, luck.choice((-120, -360)))
                event = QWheelEvent(
                    middle,
                    QPointF(pair.left.viewport().mapToGlobal(middle.toPoint())),
                    QPoint(),
                    turn,
                    Qt.MouseButton.NoButton,
                    Qt.KeyboardModifier.NoModifier,
                    Qt.ScrollPhase.NoScrollPhase,
                    False,
                )
                QApplication.sendEvent(pair.left.viewport(), event)
                yield None
            yield shown

        def drag() -> Iterator[Callable[[], bool] | None]:
            for part in range(200):
                pair.bar.setValue(pair.bar.maximum() * part // 200)
                yield None
            yield shown

        def jumps() -> Iterator[Callable[[], bool] | None]:
            for _ in range(12):
                pair.bar.setValue(luck.randrange(pair.bar.maximum()))
                yield shown

        def handle() -> Iterator[Callable[[], bool] | None]:
            for key in (Qt.Key.Key_Left, Qt.Key.Key_Left, Qt.Key.Key_Right, Qt.Key.Key_Left, Qt.Key.Key_Right):
                for kind in (QEvent.Type.KeyPress, QEvent.Type.KeyRelease):
                    QApplication.sendEvent(slider, QKeyEvent(kind, key, Qt.KeyboardModifier.NoModifier))
                yield lambda: page.desk.busy
                yield settled

        yield from phase("wheel", wheel)
        yield from phase("drag", drag)
        yield from phase("jumps, each shown", jumps)
        yield from phase("handle, each measured", handle)

    def phase(
        title: str, steps: Callable[[], Iterator[Callable[[], bool] | None]]
    ) -> Iterator[Callable[[], bool] | None]:
        watch.start()
        waits: list[float] = []
        for step in steps():
            began = time.perf_counter()
            yield step
            if step is not None:
                waits.append(time.perf_counter() - began)
        watch.stop()
        waited = {"waits_s": [round(wait, 2) for wait in waits]}
        sys.stdout.write(json.dumps({"phase": title, **watch.figures(), **waited}) + "\n")
        sys.stdout.flush()

    steps = drive()
    waiting: list[tuple[Callable[[], bool] | None, float]] = [(None, 0.0)]

    def step() -> None:
        ready, since = waiting[0]
        if ready is not None and not ready() and time.monotonic() - since < PATIENCE_S:
            return
        following = next(steps, end)
        if following is end:
            timer.stop()
            window.close()
        else:
            waiting[0] = (following, time.monotonic())

    def end() -> bool:
        return True

    timer = QTimer()
    timer.setInterval(STEP_MS)
    timer.timeout.connect(step)
    window.painted.connect(timer.start)
    window.resize(1440, 900)
    window.show()
    application.exec()
    sys.stdout.write(json.dumps({"worst": witness.worst()}) + "\n")
    window.shut_down()


if __name__ == "__main__":
    main()
