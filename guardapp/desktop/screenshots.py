"""Pictures of every page, filled with the results of a data folder: `make screenshots`.

    python -m guardapp.desktop.screenshots --home build/demo/home --out build/screenshots

renders each page in English and Chinese, light and dark, at 1440×900 and twice its density, and in light at 1120×700.
A page that shows jobs is shown with the latest one of its kinds that is done; De-identify also with its sample open.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from guardapp.desktop.window import Window
    from guardapp.jobs.states import JobRow

Language = Literal["en", "zh"]
Theme = Literal["light", "dark"]

_LANGUAGES: tuple[Language, ...] = ("en", "zh")
_THEMES: tuple[Theme, ...] = ("light", "dark")
_SETTLE_MS = 900
"""A helper's answer, a plot's throttle and the vault's snapshot are there by then, on a slow machine too."""
_SAMPLE_MS = 6000
"""A sample is opened, profiled and measured by then."""


class Shot(NamedTuple):
    """One combination; `scale` is the device pixel ratio."""

    language: Language
    theme: Theme
    width: int
    height: int
    scale: int = 1

    def file_name(self, page: str) -> str:
        dense = f"@{self.scale}x" if self.scale > 1 else ""
        return f"{page}-{self.language}-{self.theme}-{self.width}x{self.height}{dense}.png"


def shots(scale: int) -> Iterator[Shot]:
    """What is rendered at one density."""
    for language in _LANGUAGES:
        for theme in _THEMES:
            yield Shot(language, theme, 1440, 900, scale)
        if scale == 1:
            yield Shot(language, "light", 1120, 700)


def wait(milliseconds: int) -> None:
    """Let the window work."""
    from PySide6.QtCore import QEventLoop, QTimer

    loop = QEventLoop()
    QTimer.singleShot(milliseconds, loop.quit)
    loop.exec()


def latest(rows: list[JobRow], page: str) -> list[JobRow]:
    """The latest finished job of each kind that opens on a page, oldest first."""
    from guardapp.desktop.job_kinds import look

    done = sorted((row for row in rows if row.state == "done"), key=lambda row: row.finished or 0)
    by_kind = {row.kind: row for row in done if look(row.kind).page == page}
    return list(by_kind.values())


def take(window: Window, shot: Shot, out: Path) -> None:
    """Render every page of the window in one combination; refuses a window that grew beyond the size asked for."""
    from guardapp.desktop.i18n import speech
    from guardapp.desktop.theme.state import theme

    speech().choose(shot.language)
    theme().choose(shot.theme)
    window.resize(shot.width, shot.height)
    for entry in window.entries:
        jobs = latest(window.jobs.rows, entry.name)
        shown: list[JobRow | None] = [*jobs] or [None]
        for job in shown:
            window.show_page(entry.name)
            if job is not None:
                window.open_job(job)
            wait(_SETTLE_MS)
            if (window.width(), window.height()) != (shot.width, shot.height):
                raise RuntimeError(f"{entry.name} widened the window to {window.width()} × {window.height()}")
            name = entry.name if job is None or len(jobs) == 1 else f"{entry.name}-{job.kind}"
            window.grab().save(str(out / shot.file_name(name)))
    window.show_page("deidentify").open_sample()
    wait(_SAMPLE_MS)
    window.grab().save(str(out / shot.file_name("deidentify-sample")))
    window.show_page("home")
    window.dock.set_open(True)
    wait(_SETTLE_MS)
    window.grab().save(str(out / shot.file_name("queue")))
    window.dock.set_open(False)


def render(home: Path, out: Path, scale: int) -> None:
    """All combinations at the density that this process was started with."""
    from guardapp.desktop.settings import Settings
    from guardapp.desktop.start import application, dress
    from guardapp.desktop.window import Window

    app = application()
    dress(app, "light", "en")
    window = Window(home, Settings(home), warm=False)
    window.show()
    wait(2 * _SETTLE_MS)
    try:
        for shot in shots(scale):
            take(window, shot, out)
    finally:
        window.shut_down()


def main() -> None:
    parser = argparse.ArgumentParser(description="Render every page to pictures.")
    parser.add_argument("--home", type=Path, required=True, help="data folder with finished jobs")
    parser.add_argument("--out", type=Path, required=True, help="folder for the pictures")
    parser.add_argument("--scale", type=int, default=0, help="only this density (1 or 2)")
    asked = parser.parse_args()
    home, out = asked.home.absolute(), asked.out.absolute()
    out.mkdir(parents=True, exist_ok=True)
    if asked.scale:
        render(home, out, asked.scale)
        return
    for scale in (1, 2):
        # Qt reads the density once, when the application is made: so a process for each
        environment = {**os.environ, "GUARDAPP_HOME": str(home), "QT_SCALE_FACTOR": str(scale)}
        environment.setdefault("QT_QPA_PLATFORM", "offscreen")
        again = [sys.executable, "-m", "guardapp.desktop.screenshots", "--home", str(home), "--out", str(out)]
        subprocess.run([*again, "--scale", str(scale)], env=environment, check=True)


if __name__ == "__main__":
    main()
