"""The queue as a person operates it: rows 40 high, actions at the end of each, dragging, keys, several at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from PySide6.QtCore import QPoint, QRectF, Qt, Signal
from PySide6.QtGui import QKeyEvent, QPainter, QResizeEvent
from PySide6.QtWidgets import QAbstractItemView, QHBoxLayout, QMenu, QStyle, QStyleOptionViewItem, QWidget

from guardapp.desktop.i18n import tr
from guardapp.desktop.job_kinds import look
from guardapp.desktop.kit.buttons import Button, IconButton
from guardapp.desktop.kit.tables import CellDelegate, Index, TableView
from guardapp.desktop.kit.tiles import paint_bar
from guardapp.desktop.queue_model import ACTIONS, HANDLE, JOB, PROGRESS, REASON, SHARE, QueueModel
from guardapp.desktop.theme import icons, tokens
from guardapp.desktop.theme.fonts import font
from guardapp.desktop.theme.state import bold, theme

if TYPE_CHECKING:
    from guardapp.desktop.jobs_desk import JobsDesk
    from guardapp.jobs.states import JobRow

_WIDE = 1200
_NARROW = {PROGRESS: 132, SHARE: 56, REASON: 232}
"""Below this width the name of the job matters more than a long bar."""
_BAR_COLORS = {"done": "success", "failed": "danger", "cancelled": "subtle", "interrupted": "warning"}


class QueueDelegate(CellDelegate):
    """Paints name and kind in one cell, and the bar."""

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        if index.column() not in (HANDLE, JOB, PROGRESS):
            super().paint(painter, option, index)
            return
        model = index.model()
        assert isinstance(model, QueueModel)
        job = model.job(index.row())
        rect = QRectF(option.rect)
        selected = bool(option.state & QStyle.StateFlag.State_Selected)
        painter.save()
        self._paint_ground(painter, rect, None, selected, model.columns[index.column()])
        painter.setPen(theme().color("divider"))
        painter.drawLine(rect.bottomLeft(), rect.bottomRight())
        if job is not None and index.column() == HANDLE:
            self._paint_handle(painter, rect, job)
        elif job is not None and index.column() == JOB:
            self._paint_name(painter, rect, job)
        elif job is not None:
            bar = QRectF(rect.left() + 12, rect.center().y() - 3, rect.width() - 20, tokens.height("progress"))
            share = QueueModel.share(job)
            paint_bar(painter, bar, share, _BAR_COLORS.get(job.state, "accentText"))
        painter.restore()

    @staticmethod
    def _paint_handle(painter: QPainter, rect: QRectF, job: JobRow) -> None:
        y = rect.center().y()
        if not job.is_over and job.state != "running":
            icons.paint(
                painter, "ph.dots-six-vertical", QRectF(rect.left() + 10, y - 8, 16, 16), theme().color("subtle")
            )
        icons.paint(painter, look(job.kind).icon, QRectF(rect.left() + 32, y - 8, 16, 16), theme().color("text"))

    @staticmethod
    def _paint_name(painter: QPainter, rect: QRectF, job: JobRow) -> None:
        words = rect.adjusted(12, 0, -8, 0)
        painter.setFont(bold(font("body")))
        painter.setPen(theme().color("text"))
        name = painter.fontMetrics().elidedText(job.name, Qt.TextElideMode.ElideMiddle, int(words.width() * 0.7))
        painter.drawText(words, Qt.AlignmentFlag.AlignVCenter, name)
        words.setLeft(words.left() + painter.fontMetrics().horizontalAdvance(name) + 10)
        painter.setFont(font("small"))
        painter.setPen(theme().color("muted"))
        kind = painter.fontMetrics().elidedText(
            tr(look(job.kind).title), Qt.TextElideMode.ElideRight, max(0, int(words.width()))
        )
        painter.drawText(words, Qt.AlignmentFlag.AlignVCenter, kind)


class QueueView(TableView):
    """The rows of the queue. Keys: Space pauses or resumes, Delete cancels, R retries, Alt+↑↓ reorders, Enter opens."""

    opened_job = Signal(object)
    folder_wanted = Signal(object)
    chosen_job = Signal(object)

    def __init__(self, jobs: JobsDesk) -> None:
        self.queue = QueueModel()
        self._placed: set[int] = set()
        super().__init__("Queue", self.queue, row_height=tokens.height("rowQueue"))
        self._jobs = jobs
        self.setItemDelegate(QueueDelegate(self))
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setDragDropMode(QAbstractItemView.DragDropMode.DragDrop)
        self.setDefaultDropAction(Qt.DropAction.MoveAction)
        self.setDropIndicatorShown(True)
        self.setDragDropOverwriteMode(False)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.customContextMenuRequested.connect(self._menu_at)
        self.opened.connect(self._open)
        self.queue.moved.connect(jobs.move)
        self.verticalScrollBar().valueChanged.connect(self._place_visible)
        self.selectionModel().currentRowChanged.connect(lambda now, _: self.chosen_job.emit(self.queue.job(now.row())))
        jobs.changed.connect(self._changed)
        jobs.removed.connect(self._removed)
        jobs.loaded.connect(self._reload)
        self._reload()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        narrow = self.width() < _WIDE
        for column, width in ((PROGRESS, 268), (SHARE, 72), (REASON, 296)):
            self.setColumnWidth(column, _NARROW[column] if narrow else width)
        self._place_visible()

    # -- rows ------------------------------------------------------------------------------------------------------

    def _reload(self) -> None:
        chosen = self.chosen_ids()
        self.queue.replace(self._jobs.rows)
        self._after_reset(chosen)

    def _changed(self, row: JobRow) -> None:
        chosen = self.chosen_ids()
        before = self.queue.job(self.queue.place(row.id))
        if self.queue.put(row):
            self._after_reset(chosen)
        elif before is None or (before.state, before.asked) != (row.state, row.asked):
            self._placed.discard(self.queue.place(row.id))
            self._place_visible()

    def _removed(self, job_id: str) -> None:
        chosen = self.chosen_ids()
        self.queue.drop(job_id)
        self._after_reset(chosen)

    def _after_reset(self, chosen: list[str]) -> None:
        self._placed.clear()
        self._place_visible()
        model = self.selectionModel()
        for job_id in chosen:
            at = self.queue.place(job_id)
            if at >= 0:
                index = self.queue.index(at, 0)
                model.select(index, model.SelectionFlag.Select | model.SelectionFlag.Rows)
                model.setCurrentIndex(index, model.SelectionFlag.NoUpdate)

    def chosen_ids(self) -> list[str]:
        found = (self.queue.job(row) for row in self.selected_rows())
        return [job.id for job in found if job is not None]

    # -- actions ---------------------------------------------------------------------------------------------------

    def _place_visible(self) -> None:
        """Give buttons to the rows in view only: hundreds may lie below, and each costs a millisecond."""
        first = max(0, self.rowAt(0))
        last = min(first + 1 + self.viewport().height() // tokens.height("rowQueue"), self.queue.row_total() - 1)
        for row in range(first, last + 1):
            if row not in self._placed:
                self._placed.add(row)
                self._place_actions(row)

    def _place_actions(self, row: int) -> None:
        job = self.queue.job(row)
        if job is None:
            return
        holder = QWidget()
        line = QHBoxLayout(holder)
        line.setContentsMargins(0, 0, 12, 0)
        line.setSpacing(4)
        line.addStretch(1)
        for widget in self._actions(job):
            line.addWidget(widget)
        self.setIndexWidget(self.queue.index(row, ACTIONS), holder)

    def _actions(self, job: JobRow) -> list[QWidget]:
        jobs, job_id = self._jobs, job.id
        cancel = self._icon("ph.x", "Cancel {name}", job, lambda: jobs.cancel([job_id]))
        if job.asked == "cancel":
            return []
        if job.state == "running":
            return [self._icon("ph.pause", "Pause {name}", job, lambda: jobs.pause([job_id])), cancel]
        if job.state == "queued":
            return [self._icon("ph.arrow-up", "Move {name} up", job, lambda: self._step(job_id, -1)), cancel]
        if job.state in ("paused", "interrupted"):
            word = "Resume" if job.resume or job.state == "paused" else "Start again"
            return [self._button(word, lambda: jobs.resume([job_id])), cancel]
        more = IconButton("ph.dots-three", "More", box=24)
        more.rename("More for {name}", name=job.name)
        more.clicked.connect(lambda: self._menu(job, more.mapToGlobal(more.rect().bottomLeft())))
        if job.state == "done":
            return [self._button("Open result", lambda: self.opened_job.emit(job)), more]
        return [self._button("Retry", lambda: jobs.retry([job_id])), more]

    @staticmethod
    def _icon(icon: str, name: str, job: JobRow, act: Callable[[], None]) -> IconButton:
        button = IconButton(icon, name, box=24)
        button.rename(name, name=job.name)
        button.clicked.connect(act)
        return button

    @staticmethod
    def _button(text: str, act: Callable[[], None]) -> Button:
        button = Button(text, compact=True)
        button.clicked.connect(act)
        return button

    def _menu_at(self, at: QPoint) -> None:
        job = self.queue.job(self.rowAt(at.y()))
        if job is not None:
            self._menu(job, self.viewport().mapToGlobal(at))

    def _menu(self, job: JobRow, at: QPoint) -> None:
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        jobs = self._jobs
        chosen = self.chosen_ids() if job.id in self.chosen_ids() else [job.id]
        entries: list[tuple[str, bool, Callable[[], None]]] = [
            ("Show on its page", True, lambda: self.opened_job.emit(job)),
            ("Open result folder", job.state == "done", lambda: self.folder_wanted.emit(job.folder)),
            ("Pause", job.state == "running", lambda: jobs.pause(chosen)),
            ("Resume", job.state in ("paused", "interrupted"), lambda: jobs.resume(chosen)),
            ("Retry", job.state in ("failed", "cancelled", "skipped"), lambda: jobs.retry(chosen)),
            ("Cancel", not job.is_over, lambda: jobs.cancel(chosen)),
            ("Remove from the list", job.is_over, lambda: jobs.remove(chosen)),
        ]
        for text, possible, act in entries:
            action = menu.addAction(tr(text))
            action.setEnabled(possible)
            action.triggered.connect(lambda _=False, act=act: act())
        menu.popup(at)

    def _open(self, row: int) -> None:
        job = self.queue.job(row)
        if job is not None:
            self.opened_job.emit(job)

    def _step(self, job_id: str, step: int) -> None:
        """Move a job one place up or down among those that wait."""
        waiting = [job.id for row in range(self.queue.row_total()) if (job := self.queue.job(row)) and not job.is_over]
        waiting = [one for one in waiting if (job := self.queue.job(self.queue.place(one))) and job.state != "running"]
        if job_id not in waiting:
            return
        at = waiting.index(job_id)
        to = at - 1 if step < 0 else at + 2
        if to < 0 or at + step >= len(waiting):
            return
        self._jobs.move([job_id], waiting[to] if to < len(waiting) else "")

    def keyPressEvent(self, event: QKeyEvent) -> None:
        chosen = self.chosen_ids()
        job = self.queue.job(self.currentIndex().row())
        key = Qt.Key(event.key())
        alt = bool(event.modifiers() & Qt.KeyboardModifier.AltModifier)
        if job is None:
            super().keyPressEvent(event)
        elif key == Qt.Key.Key_Space:
            (self._jobs.pause if job.state == "running" else self._jobs.resume)(chosen or [job.id])
        elif key == Qt.Key.Key_Delete:
            (self._jobs.remove if job.is_over else self._jobs.cancel)(chosen or [job.id])
        elif key == Qt.Key.Key_R and not event.modifiers():
            self._jobs.retry(chosen or [job.id])
        elif alt and key in (Qt.Key.Key_Up, Qt.Key.Key_Down):
            self._step(job.id, -1 if key == Qt.Key.Key_Up else 1)
        else:
            super().keyPressEvent(event)
