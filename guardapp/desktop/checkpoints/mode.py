"""What Protect, Open and Verify have in common: a file, a job that is watched, and what header and footer say."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from PySide6.QtCore import QUrl, Signal
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import QApplication, QVBoxLayout, QWidget

from guardapp.desktop import wording
from guardapp.desktop.checkpoints.running import Running
from guardapp.desktop.kit import DropZone, ErrorCard, row
from guardapp.desktop.theme import tokens
from guardapp.errors import GuardError, from_os_error

if TYPE_CHECKING:
    from guardapp.desktop.child_session import ChildSession
    from guardapp.desktop.kit import Footer, PageHeader
    from guardapp.desktop.kit.buttons import Button
    from guardapp.desktop.page import Services
    from guardapp.spec import Spec


_FORMATS = {"torch-zip": "PyTorch", "torch-legacy": "PyTorch", "torchscript": "TorchScript", "sealed": "guard-sealed/1"}
"""What a kind of checkpoint is called; the others are called as they are."""


def file_line(seen: Mapping[str, Any]) -> str:
    """Name, size and format of a file that the helper has looked at."""
    line = f"{seen['name']} · {wording.size(seen['bytes'])}"
    kind = str(seen["kind"])
    return line if kind in ("other", "folder") else f"{line} · {_FORMATS.get(kind, kind)}"


class Mode(QWidget):
    """One of the page's modes. The page shows its `tools` in the header and its `buttons` in the footer.

    submitted(spec): a job for the queue
    moved():         something changed that header or footer say
    """

    kinds: ClassVar[tuple[str, ...]] = ()

    submitted = Signal(object)
    moved = Signal()

    def __init__(self, services: Services, session: ChildSession) -> None:
        super().__init__()
        self.services, self.session = services, session
        self.path: Path | None = None
        self.tools: list[Button] = []
        self.buttons: list[Button] = []
        self.job = ""
        self._known: set[str] | None = None
        self.running = Running(services.jobs)
        services.jobs.refused.connect(self._refused_order)
        self.parts: tuple[QWidget, ...] = ()
        self.column = QVBoxLayout(self)
        self.column.setContentsMargins(0, 0, 0, 0)
        self.column.setSpacing(tokens.space(4))

    def open_file(self, path: Path) -> None:
        """Begin with this file."""

    def start_over(self) -> None:
        """Begin without a file."""

    def show_job(self, row: Any) -> None:
        """Show a job of one of `kinds` in its present state."""

    # -- what is shown ---------------------------------------------------------------------------------------------

    def add_parts(self, *parts: QWidget) -> None:
        """What the mode shows, one at a time; the first one to begin with."""
        self.parts = parts
        for part in parts:
            self.column.addWidget(part, 1)
            part.setVisible(part is parts[0])

    @property
    def part(self) -> QWidget:
        """Which of `parts` is shown."""
        return next(one for one in self.parts if not one.isHidden())

    def show_part(self, part: QWidget) -> None:
        arrived = part is not self.part
        focused = QApplication.focusWidget()
        mine = focused is None or self.isAncestorOf(focused) or focused in (*self.tools, *self.buttons)
        for one in self.parts:
            one.setVisible(one is part)
        self.moved.emit()
        if arrived and mine and self.isVisible():
            self.focus_first()

    def focus_first(self) -> None:
        """Where the keyboard goes on when another part is shown: never left on a button that has just been hidden."""

    def say(self, header: PageHeader, footer: Footer) -> None:
        """Write header and footer, and decide which of `tools` and `buttons` are there."""

    # -- jobs ------------------------------------------------------------------------------------------------------

    def queue(self, build: Callable[[], Spec]) -> None:
        """Make a spec off the window's thread, because that imports its kind, and submit it."""
        self.services.background(build, self._submit, self._refused_order)

    def _submit(self, spec: Spec) -> None:
        self._known = {row.id for row in self.services.jobs.rows}
        self.submitted.emit(spec)

    def _refused_order(self, error: GuardError) -> None:
        if self.part is self.running and self.running.waiting:
            self._known = None
            self.running.show_refusal(error)
            self.moved.emit()

    def forget_job(self) -> None:
        self.job, self._known = "", None

    def take_job(self, row: Any) -> None:
        """Show this job from now on."""
        self._known = None
        self.job = row.id
        self.show_job(row)
        self.moved.emit()

    def job_changed(self, row: Any) -> None:
        """News of any job of `kinds`; only the one that was submitted here, or is shown, matters."""
        if row.id == self.job or (self._known is not None and row.id not in self._known):
            self.take_job(row)

    @property
    def row(self) -> Any:
        """The row of the job that is shown, or None."""
        return self.services.jobs.row(self.job) if self.job else None

    def open_folder(self) -> None:
        row = self.row
        if row is not None:
            self.services.open_folder(row.folder)

    def say_waiting(self, footer: Footer) -> None:
        """The footer while a job waits or runs, or after one that did not come to its end."""
        row = self.row
        if row is not None and row.is_over:
            footer.sentence.say("Nothing was written.")
        else:
            footer.sentence.say("You may go on working: the job runs by itself")

    def open_report(self) -> None:
        row = self.row
        if row is not None:
            QDesktopServices.openUrl(QUrl.fromLocalFile(str(row.folder / "report.html")))

    def export_report(self, prefix: str, _: object = None) -> None:
        """Ask where to put a copy of the report; `prefix` begins the name that is offered."""
        row = self.row
        if row is not None and self.path is not None:
            source = row.folder / "report.html"
            self.services.choose_target(
                lambda path: self.services.background(partial(_copy_file, source, path), self.exported),
                "Export report…",
                f"{prefix}-{self.path.name}.html",
            )

    def exported(self, _: object) -> None:
        self.services.tell("The file was written.", "success")


def _copy_file(source: Path, target: Path) -> None:
    try:
        shutil.copyfile(source, target)
    except OSError as error:
        raise from_os_error(error) from error


class Start(QWidget):
    """No file yet, or one that cannot be used, with the reason in place. dropped(path)"""

    dropped = Signal(object)

    def __init__(
        self, title: str, sentence: str, button: str, kinds: tuple[tuple[str, str], ...], *more: QWidget
    ) -> None:
        super().__init__()
        self.error = ErrorCard()
        self.error.hide()
        self.zone = DropZone(title, sentence, button, "", kinds)
        self.zone.dropped.connect(lambda paths: self.dropped.emit(paths[0]) if paths else None)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.setSpacing(tokens.space(4))
        whole.addWidget(self.error)
        whole.addWidget(self.zone, 1)
        if more:
            whole.addLayout(row(None, *more, None))

    def show_error(self, error: GuardError | None) -> None:
        self.error.hide() if error is None else self.error.show_error(error)
