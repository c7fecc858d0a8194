"""The one job that the page shows: queued from here, or opened from the queue."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, QUrl, Signal
from PySide6.QtGui import QDesktopServices

from guardapp.errors import GuardError, from_os_error

if TYPE_CHECKING:
    from guardapp.desktop.page import Services


class PageJobs(QObject):
    """arrived(row): a job is to be shown from now on; went_on(row): it is further than it was, or has failed;
    done(row, report, arrived): it is done, and this is what was counted in the written file; arrived: it is to be
    shown from now on; refused(error): there is no report
    """

    arrived = Signal(object)
    went_on = Signal(object)
    done = Signal(object, object, bool)
    refused = Signal(object)

    def __init__(self, services: Services, parent: QObject) -> None:
        super().__init__(parent)
        self._services = services
        self._id = ""
        self._known: set[str] | None = None

    @property
    def row(self) -> Any:
        """The job that is shown, as the queue knows it now; None without one."""
        return self._services.jobs.row(self._id)

    def leave(self) -> None:
        """Show no job any more; it goes on by itself."""
        self._id, self._known = "", None

    def queue(self, document: Mapping[str, Any], submit: Callable[[Any], None], *, needs_key: bool) -> None:
        """Build the spec and hand it on; the next new job is the one to show."""

        def hand_on(spec: Any) -> None:
            self._known = {row.id for row in self._services.jobs.rows}
            submit(spec)

        def build() -> None:
            self._services.background(lambda: _spec(document), hand_on)

        if needs_key:
            self._services.vault.unlocked(build)
        else:
            build()

    def take(self, row: Any) -> None:
        """What the queue says of a job of this kind."""
        if self._known is not None and row.id not in self._known:
            self.open(row)
        elif row.id == self._id:
            self._tell(row, self.went_on.emit, arrived=False)

    def open(self, row: Any) -> None:
        """Show a job, whatever its state."""
        self._id, self._known = row.id, None
        self._tell(row, self.arrived.emit, arrived=True)

    def _tell(self, row: Any, how: Callable[[Any], object], *, arrived: bool) -> None:
        if row.state == "done":
            then = partial(self._read, row, arrived)
            self._services.background(lambda: _report(row.folder), then, self.refused.emit)
        else:
            how(row)

    def _read(self, row: Any, arrived: bool, report: dict[str, Any]) -> None:
        if row.id == self._id:
            self.done.emit(row, report, arrived)

    def again(self) -> None:
        self._services.jobs.retry([self._id])

    def cancel(self) -> None:
        self._services.jobs.cancel([self._id])

    def open_folder(self) -> None:
        if self.row is not None:
            self._services.open_folder(self.row.folder)

    def open_report(self) -> None:
        if self.row is not None:
            QDesktopServices.openUrl(QUrl.fromLocalFile(str(self.row.folder / "report.html")))


def _spec(document: Mapping[str, Any]) -> Any:
    from guardapp.jobs.registry import lookup

    return lookup(str(document["kind"])).spec.model_validate(document)


def _report(folder: Path) -> dict[str, Any]:
    path = folder / "report.json"
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise from_os_error(error, path) from error
    except (ValueError, TypeError) as error:
        raise GuardError(
            what=f"The report in {folder.name} cannot be read",
            why="the file is damaged",
            next="Run the job again.",
            code="deid.bad-report",
        ) from error
