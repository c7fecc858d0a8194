"""A folder of tables on the page: opened, its rules loaded and saved, and the job queued."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Signal

from guardapp.desktop.deidentify.folder_step import FolderStep
from guardapp.desktop.deidentify.page_jobs import PageJobs
from guardapp.desktop.deidentify.policy_files import RULES
from guardapp.desktop.deidentify.table_desk import TableDesk
from guardapp.desktop.deidentify.tables_draft import TablesDraft
from guardapp.errors import GuardError, from_os_error

if TYPE_CHECKING:
    from guardapp.desktop.page import Services


class FolderMode(QObject):
    """changed(): something is known or set; refused(error): the folder cannot be used. `path` is None without one."""

    changed = Signal()
    refused = Signal(object)

    def __init__(self, services: Services, desk: TableDesk, parent: QObject) -> None:
        super().__init__(parent)
        self._services, self._desk = services, desk
        self.path: Path | None = None
        self.step = FolderStep(services.jobs.new_folder)
        self.step.load.connect(lambda: services.choose_file(self.load, "Load rules…", RULES))
        self.step.save.connect(lambda: services.choose_target(self.save, "Save rules…", "policy.yaml"))
        self.step.changed.connect(self.changed)
        desk.progressed.connect(self._progressed)

    def open(self, path: Path) -> None:
        """Look at the tables in a folder and suggest rules for them."""
        self.path = path
        self.step.wait("Looking at the tables", None)
        self._desk.folder(path, None, self._found, self._failed)

    def load(self, policy: Path) -> None:
        """Take the rules of a file for the tables of the folder."""
        if self.path is not None:
            self._desk.folder(self.path, policy, self._found, self._services.fail)

    def save(self, path: Path) -> None:
        """Write the rules of all tables as a policy file that `guardapp deid run` takes."""
        draft = self.step.draft
        if draft is not None:
            told = partial(self._services.tell, "The rules were saved to {file}.", "success", file=path.name)
            self._services.background(lambda: _write(path, draft.policy), lambda _: told())

    def leave(self) -> None:
        self.path = None

    def choose(self, then: Callable[[Path], None]) -> None:
        self._services.choose_file(then, "Choose a folder of tables…", folder=True)

    def queue(self, jobs: PageJobs, submit: Callable[[Any], None]) -> None:
        """Hand the job on as it is set."""
        draft = self.step.draft
        if self.path is not None and draft is not None:
            name = self.step.name.text().strip()
            document = {"kind": "tables", "input": str(self.path), "policy": draft.policy, "name": name}
            jobs.queue(document, submit, needs_key=draft.needs_key)

    def _progressed(self, stage: str, share: object) -> None:
        if self.path is not None and self.step.draft is None:
            self.step.wait(stage, share if isinstance(share, float) else None)

    def _found(self, found: dict[str, Any]) -> None:
        if self.path is not None:
            self.step.show_draft(TablesDraft(found), self.path.name[:100])
            self.changed.emit()

    def _failed(self, error: GuardError) -> None:
        if error.code != "session.cancelled":
            self.path = None
            self.refused.emit(error)


def _write(path: Path, policy: dict[str, Any]) -> None:
    import yaml

    text = yaml.safe_dump(policy, allow_unicode=True, sort_keys=False, width=120)
    try:
        # nobody may find half of the rules under their name
        half = path.with_name(f".{path.name}.half")
        half.write_text(text, encoding="utf-8")
        half.replace(path)
    except OSError as error:
        raise from_os_error(error, path) from error
