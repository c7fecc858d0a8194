"""The queue as a table: what each row says, and which rows can be dragged where."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from PySide6.QtCore import QByteArray, QMimeData, QModelIndex, QPersistentModelIndex, Qt, Signal

from guardapp.desktop import wording
from guardapp.desktop.i18n import tr
from guardapp.desktop.job_kinds import look
from guardapp.desktop.kit.tables import Cell, Column, Index, TableModel
from guardapp.desktop.theme import tokens

if TYPE_CHECKING:
    from guardapp.jobs.states import JobRow

_MIME = "application/x-guardapp-jobs"
_RANK = {"running": 0, "paused": 1, "queued": 1, "interrupted": 2}

HANDLE, JOB, STATE, PROGRESS, SHARE, REASON, ACTIONS = range(7)


class StateLook(NamedTuple):
    """How a job's state is shown: its name in the tokens' `states`, and its English key."""

    token: str
    text: str


_STATES = {
    "queued": StateLook("queued", "Queued"),
    "running": StateLook("running", "Running"),
    "paused": StateLook("paused", "Paused"),
    "done": StateLook("done", "Done"),
    "failed": StateLook("failed", "Failed"),
    "cancelled": StateLook("cancelled", "Cancelled"),
    "interrupted": StateLook("interrupted", "Interrupted"),
    "skipped": StateLook("cancelled", "Skipped"),
}


def state_look(row: JobRow) -> StateLook:
    """A job that is done but whose answer is no needs a look."""
    if row.state == "done" and not row.holds:
        return StateLook("redFlag", "Needs a look")
    return _STATES[row.state]


def ordered(rows: Iterable[JobRow]) -> list[JobRow]:
    """What runs, then what waits in the order it will run, then what is over, the latest first."""
    return sorted(
        rows, key=lambda row: (_RANK.get(row.state, 3), row.position if not row.is_over else -(row.finished or 0.0))
    )


def reason(row: JobRow, waits_for: Sequence[str] = ()) -> str:
    """What stands under “Time left or reason”, in the current language."""
    if row.state == "running":
        return _running(row)
    if row.state == "queued":
        return tr("waits for {names}", names=", ".join(waits_for)) if waits_for else tr("waits for its turn")
    if row.state == "done":
        return tr("took {time}", time=wording.exact_duration(_seconds(row)))
    if row.state == "paused":
        return tr("goes on when you resume it")
    if row.state == "interrupted":
        return tr("can go on from where it was") if row.resume else tr("stopped before it was done; start it again")
    return tr(str(row.error.get("what", ""))) if row.error else ""


def _running(row: JobRow) -> str:
    if row.asked:
        return tr("pausing…") if row.asked == "pause" else tr("stopping…")
    parts = [tr(row.stage)] if row.stage else []
    if row.eta is not None:
        parts.append(tr("about {time}", time=wording.duration(row.eta)))
    return " · ".join(parts) or tr("starting…")


def _seconds(row: JobRow) -> float:
    return max(0.0, (row.finished or 0.0) - (row.started or 0.0))


class QueueModel(TableModel):
    """The jobs, in the order of the queue. `moved(ids, before)`: the user dragged jobs before another ("" = last)."""

    moved = Signal(list, str)

    def __init__(self) -> None:
        super().__init__(
            [
                Column("", width=48),
                Column("Job"),
                Column("State", width=112),
                Column("Progress", width=268),
                Column("", numeric=True, width=72),
                Column("Time left or reason", width=296),
                Column("", width=148),
            ]
        )
        self._rows: list[JobRow] = []
        self._known: dict[str, JobRow] = {}

    def row_total(self) -> int:
        return len(self._rows)

    def job(self, row: int) -> JobRow | None:
        return self._rows[row] if 0 <= row < len(self._rows) else None

    def place(self, job_id: str) -> int:
        """The row of a job; -1 if it is not here."""
        return next((index for index, row in enumerate(self._rows) if row.id == job_id), -1)

    def replace(self, rows: Iterable[JobRow]) -> None:
        self.beginResetModel()
        self._rows = ordered(rows)
        self._known = {row.id: row for row in self._rows}
        self.endResetModel()

    def put(self, row: JobRow) -> bool:
        """Take a changed row; True when the order changed and the view was reset, else only its cells are redrawn."""
        self._known[row.id] = row
        wanted = ordered(self._known.values())
        if [one.id for one in wanted] == [one.id for one in self._rows]:
            self._rows = wanted
            at = self.place(row.id)
            self.rows_changed(at, at)
            return False
        self.beginResetModel()
        self._rows = wanted
        self.endResetModel()
        return True

    def drop(self, job_id: str) -> None:
        self._known.pop(job_id, None)
        self.replace(self._known.values())

    def waits_for(self, row: JobRow) -> list[str]:
        return [name for name, needed in row.needs.items() if (job := self._known.get(needed)) and not job.is_over]

    def cell(self, row: int, column: int) -> Cell | None:
        job = self._rows[row]
        if column == JOB:
            return Cell(job.name, strong=True)
        if column == STATE:
            shown = state_look(job)
            found = tokens.state(shown.token)
            return Cell(tr(shown.text), icon=found.icon, color=found.color)
        if column == SHARE:
            share = self.share(job)
            return Cell(wording.percent(share) if share is not None and job.state != "done" else "", color="muted")
        if column == REASON:
            return Cell(reason(job, self.waits_for(job)))
        return Cell()

    @staticmethod
    def share(job: JobRow) -> float | None:
        """How much of the bar is filled, 0 … 1."""
        return 1.0 if job.state == "done" else job.fraction

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if role == Qt.ItemDataRole.AccessibleTextRole and index.column() == JOB:
            job = self._rows[index.row()]
            return f"{job.name}, {tr(look(job.kind).title)}, {tr(state_look(job).text)}, {reason(job)}"
        return super().data(index, role)

    # -- reordering by dragging ------------------------------------------------------------------------------------

    def flags(self, index: Index) -> Qt.ItemFlag:
        flags = super().flags(index)
        if not index.isValid():
            return flags | Qt.ItemFlag.ItemIsDropEnabled
        waits = self._rows[index.row()].state in ("queued", "paused", "interrupted")
        return flags | Qt.ItemFlag.ItemIsDragEnabled if waits else flags

    def supportedDropActions(self) -> Qt.DropAction:
        return Qt.DropAction.MoveAction

    def mimeTypes(self) -> list[str]:
        return [_MIME]

    def mimeData(self, indexes: Sequence[QModelIndex]) -> QMimeData:
        data = QMimeData()
        ids = [self._rows[row].id for row in sorted({index.row() for index in indexes})]
        data.setData(_MIME, QByteArray(",".join(ids).encode()))
        return data

    def dropMimeData(
        self, data: QMimeData, action: Qt.DropAction, row: int, column: int, parent: QModelIndex | QPersistentModelIndex
    ) -> bool:
        if not data.hasFormat(_MIME):
            return False
        at = row if row >= 0 else parent.row() if parent.isValid() else len(self._rows)
        ids = bytes(data.data(_MIME).data()).decode().split(",")
        self.moved.emit(ids, self._rows[at].id if at < len(self._rows) else "")
        return False  # the rows move when the queue says so
