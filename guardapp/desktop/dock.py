"""The dock under every page: Queue, Log, Details; a bar of 40 when closed, four rows more when open."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QEvent, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QDragEnterEvent, QDropEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import (
    QAbstractButton,
    QFrame,
    QHBoxLayout,
    QPlainTextEdit,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from guardapp.desktop import wording
from guardapp.desktop.i18n import call_it, speech, tr
from guardapp.desktop.job_details import details_text
from guardapp.desktop.kit.buttons import Button, IconButton
from guardapp.desktop.kit.files import dropped_paths
from guardapp.desktop.kit.labels import ElidedLabel
from guardapp.desktop.kit.messages import EmptyState
from guardapp.desktop.kit.surfaces import hline
from guardapp.desktop.queue_view import QueueView
from guardapp.desktop.theme import tokens
from guardapp.desktop.theme.fonts import font, mono
from guardapp.desktop.theme.state import theme

if TYPE_CHECKING:
    from guardapp.desktop.jobs_desk import JobsDesk
    from guardapp.jobs.states import JobRow

_ROWS = 4
_LOG_LINES = 2000


class DockTab(QAbstractButton):
    """A tab's name, with a count in a pill, and a line below the one that is open."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self._text, self._count = text, 0
        self.setCheckable(True)
        self.setFont(font("body"))
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setAttribute(Qt.WidgetAttribute.WA_Hover)
        call_it(self, text)
        speech().changed.connect(self.updateGeometry)

    def set_count(self, count: int) -> None:
        self._count = count
        self.setAccessibleDescription(str(count) if count else "")
        self.updateGeometry()
        self.update()

    def sizeHint(self) -> QSize:
        metrics = self.fontMetrics()
        pill = 12 + metrics.horizontalAdvance(str(self._count)) if self._count else 0
        return QSize(
            metrics.horizontalAdvance(tr(self._text)) + pill + (8 if pill else 0) + 4, tokens.height("dockBar")
        )

    def minimumSizeHint(self) -> QSize:
        return self.sizeHint()

    def event(self, event: QEvent) -> bool:
        if event.type() in (QEvent.Type.HoverEnter, QEvent.Type.HoverLeave):
            self.update()
        return super().event(event)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        open_now = self.isChecked()
        chosen = font("strong") if open_now else font("body")
        painter.setFont(chosen)
        painter.setPen(theme().color("text" if open_now or self.underMouse() else "muted"))
        words = QRectF(0, 0, self.width(), self.height())
        painter.drawText(words, Qt.AlignmentFlag.AlignVCenter, tr(self._text))
        if self._count:
            left = painter.fontMetrics().horizontalAdvance(tr(self._text)) + 7.0
            painter.setFont(font("caption"))
            width = max(20.0, painter.fontMetrics().horizontalAdvance(str(self._count)) + 12.0)
            pill = QRectF(min(left, self.width() - width), (self.height() - 16) / 2, width, 16)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(theme().color("pressed"))
            painter.drawRoundedRect(pill, 8, 8)
            painter.setPen(theme().color("text"))
            painter.drawText(pill, Qt.AlignmentFlag.AlignCenter, str(self._count))
        painter.setPen(Qt.PenStyle.NoPen)
        if open_now:
            painter.setBrush(theme().color("accentText"))
            painter.drawRect(QRectF(0, self.height() - 2, self.width(), 2))
        if self.hasFocus():
            painter.setBrush(Qt.BrushStyle.NoBrush)
            pen = painter.pen()
            pen.setStyle(Qt.PenStyle.SolidLine)
            pen.setColor(theme().color("focus"))
            pen.setWidth(2)
            painter.setPen(pen)
            painter.drawRoundedRect(QRectF(self.rect()).adjusted(1, 6, -1, -6), 4, 4)
        painter.end()


class Dock(QFrame):
    """`opened_job(row)` when a result is asked for, `folder_wanted(path)`, `batch_dropped(path)` for a dropped file."""

    opened_job = Signal(object)
    folder_wanted = Signal(object)
    batch_dropped = Signal(object)
    toggled = Signal(bool)

    def __init__(self, jobs: JobsDesk) -> None:
        super().__init__()
        self.setProperty("k", "dock")
        self.setAcceptDrops(True)
        self._jobs = jobs
        self.is_open = True
        self._shown: JobRow | None = None
        self.tabs = [DockTab("Queue"), DockTab("Log"), DockTab("Details")]
        self._summary = ElidedLabel("", "body", "muted")
        self._pause_all = Button("Pause all", "ghost", "ph.pause", compact=True)
        self._pause_all.clicked.connect(self._pause_or_resume_all)
        self._fold = IconButton("ph.caret-up", "Open the queue", box=32)
        self._fold.clicked.connect(lambda: self.set_open(not self.is_open))
        self.view = QueueView(jobs)
        self.view.opened_job.connect(self.opened_job)
        self.view.folder_wanted.connect(self.folder_wanted)
        self.view.chosen_job.connect(self._show_details)
        self.log = self._text("Log")
        self.details = self._text("Details")
        empty = "Jobs wait and run here. Drop a batch file to queue all of its jobs."
        self._empty = EmptyState("ph.queue", "The queue is empty", empty)
        self._queue_pages = QStackedWidget()
        self._queue_pages.addWidget(self._empty)
        self._queue_pages.addWidget(self.view)
        self._pages = QStackedWidget()
        for page in (self._queue_pages, self.log, self.details):
            self._pages.addWidget(page)
        self._pages.setFixedHeight(tokens.height("tableHeader") + _ROWS * tokens.height("rowQueue"))
        bar = QWidget()
        bar.setFixedHeight(tokens.height("dockBar") - 1)
        line = QHBoxLayout(bar)
        line.setContentsMargins(tokens.space(5), 0, 8, 0)
        line.setSpacing(tokens.space(5))
        for index, tab in enumerate(self.tabs):
            tab.clicked.connect(lambda _=False, index=index: self.show_tab(index))
            line.addWidget(tab)
        line.addStretch(1)
        line.addWidget(self._summary)
        line.addWidget(self._pause_all)
        line.addWidget(self._fold)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 1, 0, 0)
        whole.setSpacing(0)
        whole.addWidget(bar)
        self._line = hline()
        whole.addWidget(self._line)
        whole.addWidget(self._pages)
        for signal in (jobs.changed, jobs.removed, jobs.loaded):
            signal.connect(self._count)
        jobs.news.connect(self._note)
        speech().changed.connect(self._retranslate)
        self.set_open(False)
        self._count()

    @staticmethod
    def _text(name: str) -> QPlainTextEdit:
        text = QPlainTextEdit()
        text.setProperty("flat", "true")
        text.setReadOnly(True)
        text.setFont(mono("small"))
        text.setMaximumBlockCount(_LOG_LINES)
        text.setTabChangesFocus(True)
        call_it(text, name)
        return text

    # -- opening ---------------------------------------------------------------------------------------------------

    def set_open(self, is_open: bool) -> None:
        if is_open == self.is_open:
            return
        self.is_open = is_open
        self._pages.setVisible(is_open)
        self._line.setVisible(is_open)
        self._fold.set_icon("ph.caret-down" if is_open else "ph.caret-up")
        self._fold.rename("Close the queue" if is_open else "Open the queue")
        self._mark_tab()
        self._count()
        self.toggled.emit(is_open)

    def show_tab(self, index: int) -> None:
        """Open a tab; pressing the one that is open closes the dock."""
        if self.is_open and self._pages.currentIndex() == index:
            self.set_open(False)
            return
        self._pages.setCurrentIndex(index)
        self.set_open(True)
        self._mark_tab()

    def _mark_tab(self) -> None:
        for index, tab in enumerate(self.tabs):
            tab.setChecked(self.is_open and index == self._pages.currentIndex())

    # -- what it says ----------------------------------------------------------------------------------------------

    def _count(self) -> None:
        rows = self._jobs.rows
        running = [row for row in rows if row.state == "running"]
        waiting = sum(row.state in ("queued", "paused", "interrupted") for row in rows)
        self.tabs[0].set_count(len(running) + waiting)
        self._queue_pages.setCurrentIndex(1 if rows else 0)
        self._show_pause_all(rows)
        if not running and not waiting:
            self._summary.say("Nothing is waiting")
            return
        if not running:
            self._summary.say("{m} waiting", m=waiting)
            return
        left = [row.eta for row in running if row.eta is not None]
        if len(left) == len(running) and not waiting:
            # jobs that wait have no estimate, so the end of all is told only when none waits
            self._summary.say(
                "{n} running · all done in about {time}", n=len(running), time=wording.duration(max(left))
            )
        else:
            self._summary.say("{n} running · {m} waiting", n=len(running), m=waiting)

    def _pause_or_resume_all(self) -> None:
        rows = self._jobs.rows
        # what waits is paused too: otherwise the next job would start in the place of the one that runs
        active = [row.id for row in rows if row.state in ("queued", "running") and not row.asked]
        if any(row.state == "running" for row in rows):
            self._jobs.pause(active)
        else:
            self._jobs.resume([row.id for row in rows if row.state == "paused"])

    def _show_pause_all(self, rows: list[JobRow]) -> None:
        states = {row.state for row in rows}
        resumes = "running" not in states
        self._pause_all.say("Resume all" if resumes else "Pause all")
        self._pause_all.set_icon("ph.play" if resumes else "ph.pause")
        self._pause_all.setVisible(self.is_open and bool(states & {"running", "paused"}))

    def _note(self, event: Any) -> None:
        """Keep what jobs say, with the time and the job's name."""
        message = getattr(event, "message", None)
        if message is None:
            return
        row = self._jobs.row(event.job_id)
        name = row.name if row is not None else event.job_id
        self.log.appendPlainText(f"{time.strftime('%H:%M:%S')}  {name}  {tr(message)}")

    def _show_details(self, row: JobRow | None) -> None:
        self._shown = row
        self.details.setPlainText(details_text(row) if row is not None else tr("Choose a job in the queue."))

    def _retranslate(self) -> None:
        self._count()
        self._show_details(self._shown)

    # -- dropping a batch ------------------------------------------------------------------------------------------

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if dropped_paths(event):
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        event.acceptProposedAction()
        for path in dropped_paths(event):
            self.batch_dropped.emit(Path(path))
