"""What a page is, and what it gets from the window.

A page owns widgets and a spec, nothing else: it fills the spec from its widgets, hands it to the queue, and shows the
events that come back. Writing one takes three steps:

1. Subclass `Page` in the module that `guardapp/desktop/pages.py` names for it (`guardapp/desktop/training/page.py` …;
   its other files lie beside it). Build the widgets in `__init__(self, services)`, after `super().__init__(services)`.
   Put content into `self.body` (a QVBoxLayout with the page's margins and 16 between cards); use `self.header.subtitle`
   and `self.header.tools`; if the page has an action, `self.set_footer(Footer(secondary, primary))`.
2. Use the kit (`guardapp.desktop.kit`) with English keys: kit widgets say themselves again when the language changes.
   Texts that the page composes itself belong into `retranslate()`, which runs at every change (call it once yourself).
   Painters ask `theme().color(role)` when they paint; `restyle()` runs when the theme has changed.
3. Every job kind whose events the page wants stands in `kinds`.

From its `services` a page gets:
- `services.settings`: the user's settings (`get`, `put`; JSON values), shared by all pages;
- `services.jobs`:     the queue: `jobs.rows`, `jobs.row(id)`, `jobs.pause([id])`, `jobs.history(id, then)` …; its
                       signals `changed(row)`, `news(event)`. To start a job, emit `self.submit.emit(spec)`. Pages get
                       the events of their kinds through `job_event(event)`, on the window's thread, at most ten a
                       second for a job;
- `services.vault`:    what the vault holds: `vault.snapshot` (keys, lock, budgets), `vault.changed`, and
                       `vault.unlocked(then)`, which asks for the passphrase where needed, then calls `then()`;
- `services.session(module)`: a child process that answers JSON lines (`python -m module`), for previews of large data;
                       see `guardapp.desktop.child_session`;
- `services.background(work, then, failed)`: run a short blocking `work()` off the window's thread;
- `services.open_file(path)`, `services.show_page(name)`, `services.open_folder(path)`: the window's own moves;
- `services.choose_file(then, …)`, `services.choose_target(then, …)`: file dialogs that do not block;
- `services.tell(text, tone)`, `services.fail(error)`: one line at the foot of the window; an error with its next step.

Nothing on a page may block: no file larger than a few kilobytes is read, nothing is computed, no `exec()`.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol, TypeVar

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QFrame, QScrollArea, QVBoxLayout, QWidget

from guardapp.desktop.i18n import speech
from guardapp.desktop.kit.surfaces import Footer, PageHeader
from guardapp.desktop.theme import tokens
from guardapp.desktop.theme.state import theme

if TYPE_CHECKING:
    from guardapp.desktop.child_session import ChildSession
    from guardapp.desktop.jobs_desk import JobsDesk
    from guardapp.desktop.settings import Settings
    from guardapp.desktop.typed_secrets import TypedSecrets
    from guardapp.desktop.vault_desk import VaultDesk
    from guardapp.errors import GuardError
    from guardapp.jobs.states import JobRow

    Failed = Callable[[GuardError], None]

Tone = Literal["neutral", "success", "warning", "danger"]
T = TypeVar("T")
_SCROLL_BAR = 10


class Services(Protocol):
    """The window, as a page sees it."""

    settings: Settings
    jobs: JobsDesk
    vault: VaultDesk
    typed: TypedSecrets

    def session(self, module: str, *arguments: str) -> ChildSession:
        """Start `python -m module arguments…`, a helper that answers JSON lines; it ends with the window."""

    def background(self, work: Callable[[], T], then: Callable[[T], object], failed: Failed | None = None) -> None:
        """Run `work()` off the window's thread, then `then(result)` on it. GuardErrors go to `failed`, or `fail`."""

    def choose_file(
        self, then: Callable[[Path], object], title: str, filters: str = "", *, folder: bool = False
    ) -> None:
        """Ask for a file (or a folder) without blocking, then call `then(path)`; nothing happens on Cancel."""

    def choose_files(self, then: Callable[[list[Path]], object], title: str) -> None:
        """Ask for one file or several without blocking, then call `then(paths)`; nothing happens on Cancel."""

    def choose_target(self, then: Callable[[Path], object], title: str, name: str) -> None:
        """Ask where to save, suggesting `name`, without blocking."""

    def open_file(self, path: Path) -> None:
        """Open a file on the page that its content belongs to."""

    def open_job(self, row: JobRow) -> None:
        """Show a job on the page of its kind."""

    def open_find(self) -> None:
        """Open “Find anything”."""

    def open_help(self) -> None:
        """Open the help beside the window."""

    def show_page(self, name: str) -> Page:
        """Bring a page to the front, by its name in `PAGES`, and return it."""

    def open_folder(self, path: Path) -> None:
        """Show a folder in the desktop's file manager."""

    def tell(self, text: str, tone: Tone = "neutral", **values: Any) -> None:
        """One line at the foot of the window, for a few seconds; `text` is an English key."""

    def fail(self, error: GuardError) -> None:
        """Show what happened, why and the next step, above the current page."""


class Page(QWidget):
    """One page of the rail.

    name:      in `PAGES`, and in the tokens' `nav` for its icon
    title_key: the English title, shown in the header
    kinds:     the job kinds whose events the page gets
    scrolls:   whether the body scrolls when the window is lower than it; pages that fill the height set it False
    """

    name: ClassVar[str] = ""
    title_key: ClassVar[str] = ""
    kinds: ClassVar[tuple[str, ...]] = ()
    scrolls: ClassVar[bool] = True

    submit = Signal(object)
    """A finished spec (or a list of specs) for the queue. The window submits it and opens the dock."""

    def __init__(self, services: Services) -> None:
        super().__init__()
        self.services = services
        self.setProperty("k", "page")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.header = PageHeader(self.title_key)
        self._outer = QVBoxLayout(self)
        self._outer.setContentsMargins(0, 0, 0, 0)
        self._outer.setSpacing(0)
        self._outer.addWidget(self.header)
        content = QWidget()
        content.setProperty("k", "scrolled")
        self.body = QVBoxLayout(content)
        margin = tokens.space(5)
        self.body.setContentsMargins(margin, 0, margin, tokens.space(4))
        self.body.setSpacing(tokens.space(4))
        self._outer.addWidget(self._scroller(content) if self.scrolls else content, 1)
        self.footer: Footer | None = None
        speech().changed.connect(self.retranslate)
        theme().changed.connect(self.restyle)

    def _scroller(self, content: QWidget) -> QScrollArea:
        area = QScrollArea()
        area.setWidgetResizable(True)
        area.setFrameShape(QFrame.Shape.NoFrame)
        area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        area.viewport().setAutoFillBackground(False)
        area.setWidget(content)
        content.setAutoFillBackground(False)
        area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        area.verticalScrollBar().rangeChanged.connect(self._keep_margin)
        return area

    def _keep_margin(self, _: int, most: int) -> None:
        """Let the scroll bar stand in the page's margin, so that cards keep their place when it comes."""
        margins = self.body.contentsMargins()
        wanted = tokens.space(5) - (_SCROLL_BAR if most > 0 else 0)
        if margins.right() != wanted:
            self.body.setContentsMargins(margins.left(), margins.top(), wanted, margins.bottom())

    def set_footer(self, footer: Footer) -> Footer:
        """Put the sentence and the buttons at the foot of the page; replaces the one that was there."""
        if self.footer is not None:
            self._outer.removeWidget(self.footer)
            self.footer.deleteLater()
        self.footer = footer
        self._outer.addWidget(footer)
        return footer

    def retranslate(self) -> None:
        """Say again every text that the page composed itself."""

    def restyle(self) -> None:
        """Take colours again for what is neither kit nor painted on demand."""

    def accepts(self, path: Path) -> bool:
        """Whether to claim a file that `guardapp.desktop.routing` knows no page for. Returns at once, never raises."""
        return False

    def open_file(self, path: Path) -> None:
        """Show a file that `accepts` said yes to, or that the user chose here."""

    def open_sample(self) -> None:
        """Open the page's own sample data (Home's “Open sample”)."""

    def open_job(self, row: Any) -> None:
        """Show a job of one of `kinds` again: its settings, its progress, or its result."""

    def job_event(self, event: Any) -> None:
        """An event of a job of one of `kinds`, on the window's thread."""

    def shown(self) -> None:
        """The page came to the front."""
