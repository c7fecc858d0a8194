"""The window: rail, the page that is shown, dock, status bar; and the services that pages are given."""

from __future__ import annotations

import importlib
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from PySide6.QtCore import Qt, QTimer, QUrl, Signal
from PySide6.QtGui import QCloseEvent, QDesktopServices, QKeySequence, QPaintEvent, QResizeEvent, QShortcut
from PySide6.QtWidgets import QFileDialog, QHBoxLayout, QStackedWidget, QVBoxLayout, QWidget

from guardapp.desktop.background import Background, Failed
from guardapp.desktop.child_session import ChildSession
from guardapp.desktop.dock import Dock
from guardapp.desktop.find import Findable, FindPanel
from guardapp.desktop.i18n import say, tr
from guardapp.desktop.job_kinds import look
from guardapp.desktop.jobs_desk import JobsDesk
from guardapp.desktop.kit.messages import ErrorCard
from guardapp.desktop.page import Page, Services, Tone
from guardapp.desktop.pages import PAGES, PageEntry
from guardapp.desktop.queue_model import ordered
from guardapp.desktop.rail import Rail
from guardapp.desktop.routing import Route, route
from guardapp.desktop.settings import Settings
from guardapp.desktop.statusbar import StatusBar
from guardapp.desktop.theme import tokens
from guardapp.desktop.typed_secrets import PREFIX, TypedSecrets
from guardapp.desktop.vault_desk import VaultDesk
from guardapp.errors import GuardError

if TYPE_CHECKING:
    from guardapp.desktop.supervisor_thread import CloseMode
    from guardapp.jobs.states import JobRow

_FIRST_SIZE = (1440, 900)
_LOWEST = 700


class Window(QWidget):
    """The one window. It is also the `Services` of its pages."""

    painted = Signal()
    """The first paint is done: now imports, threads and files may begin."""

    ended = Signal()
    """Closed, with every thread and process gone."""

    def __init__(self, home: Path, settings: Settings, *, warm: bool = True) -> None:
        super().__init__()
        self.setProperty("k", "page")
        self.setMinimumSize(tokens.width("minWindow"), _LOWEST)
        self.resize(*_FIRST_SIZE)
        say(self, "guardapp", into="setWindowTitle")
        self.settings = settings
        self.home = home
        self._warm = warm
        self.background_work = Background(self.fail, self)
        self.typed = TypedSecrets()
        self.vault = VaultDesk(home, self.background_work)
        self.jobs = JobsDesk(home, settings, self.background_work, self._provide_key)
        self.vault.setParent(self)
        self.jobs.setParent(self)
        self._sessions: list[ChildSession] = []
        self._entries = {entry.name: entry for entry in PAGES if entry.exists}
        self._pages: dict[str, Page] = {}
        self._painted = False
        self._closing = False
        self._warmer = threading.Thread(target=self._import_pages, daemon=True)
        self.rail = Rail(list(self._entries.values()))
        self.stack = QStackedWidget()
        self.stack.setProperty("k", "pages")
        self.dock = Dock(self.jobs)
        self.status = StatusBar()
        self.error = ErrorCard()
        self.error.setParent(self)
        self.error.hide()
        self._lay_out()
        self.setFocusPolicy(Qt.FocusPolicy.ClickFocus)
        self.setFocus()
        self.finder = FindPanel(self, self._findables)
        self._connect()
        self.show_page("home")

    def _lay_out(self) -> None:
        centre = QVBoxLayout()
        centre.setSpacing(0)
        centre.addWidget(self.stack, 1)
        centre.addWidget(self.dock)
        upper = QHBoxLayout()
        upper.setSpacing(0)
        upper.addWidget(self.rail)
        upper.addLayout(centre, 1)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.setSpacing(0)
        whole.addLayout(upper, 1)
        whole.addWidget(self.status)

    def _connect(self) -> None:
        self.rail.chosen.connect(self.show_page)
        self.dock.opened_job.connect(self.open_job)
        self.dock.folder_wanted.connect(self.open_folder)
        self.dock.batch_dropped.connect(self.open_file)
        self.dock.toggled.connect(lambda is_open: self.settings.put("dock_open", is_open))
        self.status.vault_pressed.connect(lambda: self.show_page("vault"))
        self.jobs.refused.connect(self.fail)
        self.jobs.news.connect(self._hand_on)
        self.jobs.changed.connect(self._show_running)
        self.jobs.loaded.connect(self._show_running)
        self.vault.changed.connect(self._show_vault)
        self.vault.passphrase_wanted.connect(self._ask_passphrase)
        shortcuts: list[tuple[str, Callable[[], object]]] = [
            ("Ctrl+K", self.finder.open),
            ("Ctrl+O", self._choose_any),
            ("Ctrl+J", lambda: self.dock.set_open(not self.dock.is_open)),
            ("F1", self.open_help),
            ("Ctrl+Q", self.close),
        ]
        shortcuts += [(f"Ctrl+{number}", partial(self.show_page, name)) for number, name in enumerate(self._entries, 1)]
        for keys, act in shortcuts:
            QShortcut(QKeySequence(keys), self).activated.connect(act)

    # -- starting --------------------------------------------------------------------------------------------------

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        if not self._painted:
            self._painted = True
            QTimer.singleShot(0, self._begin)

    def _begin(self) -> None:
        """What may take a while: threads, files, the vault."""
        self.painted.emit()
        if self._closing:
            return
        self.status.start()
        self.vault.start()
        self.jobs.start(warm=self._warm)
        self.dock.set_open(bool(self.settings.get("dock_open")))
        if self._warm:
            self._warmer.start()

    def _import_pages(self) -> None:
        # more than a second of imports, which would hold up whoever opens the first page with a plot; on a thread of
        # its own, because they only define classes
        importlib.import_module("pyqtgraph")
        for entry in self.entries:
            entry.load()

    # -- pages -----------------------------------------------------------------------------------------------------

    @property
    def entries(self) -> list[PageEntry]:
        return list(self._entries.values())

    @property
    def page(self) -> Page:
        """The page in front."""
        return cast(Page, self.stack.currentWidget())

    def show_page(self, name: str) -> Page:
        if name not in self._pages:
            made = self._entries[name].load()(cast(Services, self))
            made.submit.connect(self._submit)
            self._pages[name] = made
            self.stack.addWidget(made)
        page = self._pages[name]
        self.stack.setCurrentWidget(page)
        self.rail.choose(name)
        self.error.hide()
        page.shown()
        return page

    def open_file(self, path: Path) -> None:
        self.background_work(lambda: route(path), self._go)

    def _go(self, found: Route) -> None:
        if found.page == "queue":
            self.jobs.submit_batch(found.path)
            self.dock.set_open(True)
            return
        name = found.page or next((n for n, page in self._pages.items() if page.accepts(found.path)), "")
        if name in self._entries:
            self.show_page(name).open_file(found.path)
            return
        self.fail(
            GuardError(
                what=f"No page takes {found.path.name}",
                why="its content is neither a table, a picture, a checkpoint nor a batch file",
                next="Open it from the page that you want to use it on.",
                code="window.no-page",
            )
        )

    def open_job(self, row: JobRow) -> None:
        """Show a job on the page of its kind."""
        page = look(row.kind).page
        if page in self._entries:
            self.show_page(page).open_job(row)

    def open_find(self) -> None:
        self.finder.open()

    def open_help(self) -> None:
        from guardapp.desktop.help import Help

        shown = next((help for help in self.findChildren(Help) if help.isVisible()), None)
        sheet = shown or Help(self, self.entries, self.home)
        sheet.show()
        sheet.raise_()
        sheet.activateWindow()

    def _hand_on(self, event: Any) -> None:
        row = getattr(event, "row", None) or self.jobs.row(getattr(event, "job_id", ""))
        if row is None:
            return
        for page in self._pages.values():
            if row.kind in page.kinds:
                page.job_event(event)

    def _submit(self, spec: Any) -> None:
        self.jobs.submit(spec)
        self.dock.set_open(True)

    # -- services --------------------------------------------------------------------------------------------------

    def session(self, module: str, *arguments: str) -> ChildSession:
        made = ChildSession(module, *arguments, parent=self)
        self._sessions.append(made)
        return made

    def background(self, work: Callable[[], Any], then: Callable[[Any], None], failed: Failed | None = None) -> None:
        self.background_work(work, then, failed)

    def choose_file(
        self, then: Callable[[Path], object], title: str, filters: str = "", *, folder: bool = False
    ) -> None:
        dialog = QFileDialog(self, tr(title))
        dialog.setFileMode(QFileDialog.FileMode.Directory if folder else QFileDialog.FileMode.ExistingFile)
        if filters:
            dialog.setNameFilter(tr(filters))
        self._ask(dialog, then)

    def choose_files(self, then: Callable[[list[Path]], object], title: str) -> None:
        dialog = QFileDialog(self, tr(title))
        dialog.setFileMode(QFileDialog.FileMode.ExistingFiles)
        self._ask_several(dialog, then)

    def choose_target(self, then: Callable[[Path], object], title: str, name: str) -> None:
        dialog = QFileDialog(self, tr(title))
        dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
        dialog.selectFile(name)
        self._ask(dialog, then)

    def _ask(self, dialog: QFileDialog, then: Callable[[Path], object]) -> None:
        self._ask_several(dialog, lambda paths: then(paths[0]))

    def _ask_several(self, dialog: QFileDialog, then: Callable[[list[Path]], object]) -> None:
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        last = str(self.settings.get("last_folder") or Path.home())
        dialog.setDirectory(last)

        def chosen(names: list[str]) -> None:
            self.settings.put("last_folder", str(Path(names[0]).parent))
            then([Path(name) for name in names])

        dialog.filesSelected.connect(chosen)  # fileSelected would be silent where several were
        dialog.open()

    def open_folder(self, path: Path) -> None:
        QDesktopServices.openUrl(QUrl.fromLocalFile(str(path)))

    def tell(self, text: str, tone: Tone = "neutral", **values: Any) -> None:
        self.status.tell(text, tone, **values)

    def fail(self, error: GuardError) -> None:
        self.error.show_error(error)
        self._place_error()
        self.error.raise_()

    # -- what the status bar says ----------------------------------------------------------------------------------

    def _show_running(self) -> None:
        running = ordered(self.jobs.running)
        if not running:
            self.status.show_no_job()
            return
        row = running[0]
        self.status.show_job(look(row.kind).short, row.name, row.fraction, row.eta)

    def _show_vault(self) -> None:
        snapshot = self.vault.snapshot
        if snapshot is None or self.vault.error is not None:
            self.status.show_vault(locked=None)
        else:
            self.status.show_vault(locked=snapshot.locked, seconds=snapshot.locks_in)

    def _ask_passphrase(self, then: Callable[[], None]) -> None:
        from guardapp.desktop.passphrase import ask_passphrase

        ask_passphrase(self, self.vault, then)

    def _provide_key(self, need: Any) -> bytes:
        # called on the supervisor's thread, just before a worker is given the keys that its spec names
        if need.name.startswith(PREFIX):
            return self.typed.get(need.name)
        from guardapp.vault.provider import key_provider

        return key_provider(self.vault.vault())(need)

    # -- finding ---------------------------------------------------------------------------------------------------

    def _choose_any(self) -> None:
        self.choose_file(self.open_file, "Choose a file…")

    def _findables(self) -> list[Findable]:
        found = [
            Findable(tr(entry.title), tr("Page"), tokens.nav_icon(name), partial(self.show_page, name))
            for name, entry in self._entries.items()
        ]
        found += [
            Findable(tr("Choose a file…"), "Ctrl+O", "ph.folder-open", self._choose_any),
            Findable(
                tr("Open or close the queue"), "Ctrl+J", "ph.queue", lambda: self.dock.set_open(not self.dock.is_open)
            ),
            Findable(tr("Help"), "F1", "ph.question", self.open_help),
            Findable(tr("Lock the vault"), "", "ph.lock-simple", self.vault.lock),
        ]
        for row in ordered(self.jobs.rows):
            kind = look(row.kind)
            found.append(Findable(row.name, tr(kind.title), kind.icon, partial(self.open_job, row)))
        return found

    # -- size and end ----------------------------------------------------------------------------------------------

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._place_error()

    def _place_error(self) -> None:
        left = tokens.width("rail") + tokens.space(5)
        width = self.width() - left - tokens.space(5)
        self.error.setFixedWidth(min(720, width))
        self.error.adjustSize()
        self.error.move(left + (width - self.error.width()) // 2, tokens.height("header"))

    def closeEvent(self, event: QCloseEvent) -> None:
        if self.jobs.running and not self._closing:
            from guardapp.desktop.close_dialog import ask_before_closing

            event.ignore()
            ask_before_closing(self)
            return
        self.shut_down()
        super().closeEvent(event)
        self.ended.emit()

    def keep_running(self) -> None:
        """Hide, work on, and end by itself when nothing runs or waits any more."""
        self._leave("leave")

    def pause_and_close(self) -> None:
        """Let every job save its state, then end."""
        self._leave("pause")

    def cancel_and_close(self) -> None:
        self._leave("cancel")

    def _leave(self, mode: CloseMode) -> None:
        self.hide()
        self.jobs.ended.connect(self._left)
        self.jobs.finish(mode)

    def _left(self) -> None:
        self.shut_down()
        self.ended.emit()

    def shut_down(self) -> None:
        """End threads, timers and helpers; the window may be deleted afterwards."""
        if self._closing:
            return
        self._closing = True
        if self._warmer.is_alive():
            self._warmer.join()  # an import that the end of the process interrupts may crash it
        for session in self._sessions:
            session.stop()
        self.status.stop()
        self.vault.stop()
        self.jobs.stop()
        self.background_work.stop()
        self.typed.forget_all()
