"""What Protect, Open and Verify have in common: a file, a job that is watched, and what header and footer say."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from PySide6.QtCore import QUrl, Signal
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import QVBoxLayout, QWidget

from guardapp.desktop.kit import DropZone, ErrorCard, row
from guardapp.desktop.theme import tokens
from guardapp.errors import GuardError

if TYPE_CHECKING:
    from guardapp.desktop.child_session import ChildSession
    from guardapp.desktop.kit import Footer, PageHeader
    from guardapp.desktop.kit.buttons import Button
    from guardapp.desktop.page import Services
    from guardapp.spec import Spec


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
        self.column = QVBoxLayout(self)
        self.column.setContentsMargins(0, 0, 0, 0)
        self.column.setSpacing(tokens.space(4))

    def open_file(self, path: Path) -> None:
        """Begin with this file."""

    def show_job(self, row: Any) -> None:
        """Show a job of one of `kinds` in its present state."""

    def say(self, header: PageHeader, footer: Footer) -> None:
        """Write header and footer, and decide which of `tools` and `buttons` are there."""

    # -- jobs ------------------------------------------------------------------------------------------------------

    def queue(self, build: Callable[[], Spec]) -> None:
        """Make a spec off the window's thread, because that imports its kind, and submit it."""
        self.services.background(build, self._submit)

    def _submit(self, spec: Spec) -> None:
        self._known = {row.id for row in self.services.jobs.rows}
        self.submitted.emit(spec)

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

    def open_report(self) -> None:
        row = self.row
        if row is not None:
            QDesktopServices.openUrl(QUrl.fromLocalFile(str(row.folder / "report.html")))


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
