"""Taking files in: the drop zone and the file field."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QRectF, Qt, Signal
from PySide6.QtGui import QDragEnterEvent, QDragLeaveEvent, QDropEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QFrame, QHBoxLayout, QVBoxLayout

from guardapp.desktop.i18n import call_it
from guardapp.desktop.kit.buttons import Button, IconButton
from guardapp.desktop.kit.labels import ElidedLabel, Icon, Label
from guardapp.desktop.kit.tiles import Chip
from guardapp.desktop.theme import tokens
from guardapp.desktop.theme.state import theme


def dropped_paths(event: QDropEvent | QDragEnterEvent) -> list[Path]:
    """The local files and folders of a drag."""
    return [Path(url.toLocalFile()) for url in event.mimeData().urls() if url.isLocalFile()]


class DropFrame(QFrame):
    """A frame that takes files and folders; `dropped(paths)` gives a list of Path."""

    dropped = Signal(list)

    def __init__(self, name: str) -> None:
        super().__init__()
        self._hovered = False
        self.setAcceptDrops(True)
        call_it(self, name)

    def _over(self, on: bool) -> None:
        self._hovered = on
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        width = tokens.stroke("selectedCard" if self._hovered else "hair")
        pen = QPen(theme().color("accent" if self._hovered else "control"), width, Qt.PenStyle.CustomDashLine)
        pen.setDashPattern([6 / width, 4 / width])
        painter.setPen(pen)
        painter.setBrush(theme().color("selected" if self._hovered else "surface"))
        inset = width / 2
        radius = tokens.radius("card")
        painter.drawRoundedRect(QRectF(self.rect()).adjusted(inset, inset, -inset, -inset), radius, radius)
        painter.end()

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if dropped_paths(event):
            event.acceptProposedAction()
            self._over(True)

    def dragLeaveEvent(self, event: QDragLeaveEvent) -> None:
        self._over(False)

    def dropEvent(self, event: QDropEvent) -> None:
        self._over(False)
        event.acceptProposedAction()
        self.dropped.emit(dropped_paths(event))


class DropZone(DropFrame):
    """The large one: icon 40, one line, one sentence, a button, and chips that say what is taken."""

    choose = Signal()

    def __init__(
        self,
        title: str,
        sentence: str,
        button: str = "Choose a file…",
        hint: str = "",
        kinds: tuple[tuple[str, str], ...] = (),
    ) -> None:
        super().__init__(title)
        self.button = Button(button, "primary", "ph.folder-open")
        self.button.clicked.connect(self.choose)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(8, 24, 8, 24)
        whole.setSpacing(tokens.space(1))
        whole.addStretch(1)
        mark = Icon("ph.download-simple", "accentText", tokens.icon_size("empty"))
        whole.addWidget(mark, 0, Qt.AlignmentFlag.AlignHCenter)
        whole.addSpacing(tokens.space(2))
        for label in (Label(title, "h3", wrap=True), Label(sentence, "body", "muted", wrap=True)):
            label.setAlignment(Qt.AlignmentFlag.AlignHCenter)
            whole.addWidget(label)
        whole.addSpacing(tokens.space(2))
        press = QHBoxLayout()
        press.setSpacing(tokens.space(3))
        press.addStretch(1)
        press.addWidget(self.button)
        if hint:
            press.addWidget(Label(hint, "body", "muted"))
        press.addStretch(1)
        whole.addLayout(press)
        if kinds:
            whole.addSpacing(tokens.space(3))
            chips = QHBoxLayout()
            chips.setSpacing(tokens.space(2))
            chips.addStretch(1)
            for icon, text in kinds:
                chips.addWidget(Chip(text, icon))
            chips.addStretch(1)
            whole.addLayout(chips)
        whole.addStretch(1)


class FileField(DropFrame):
    """One file or folder, chosen or dropped: icon, its name, and a button to change it.

    choose(then): asks for a path without blocking; pages pass `services.choose_file` with its title bound
    """

    chosen = Signal(object)

    def __init__(self, name: str, choose: Callable[[Callable[[Path], None]], None], icon: str = "ph.file") -> None:
        super().__init__(name)
        self.choose = choose
        self.path: Path | None = None
        self._empty = "Choose or drop a file…"
        self._label = ElidedLabel(self._empty, "body", "subtle", mode=Qt.TextElideMode.ElideMiddle)
        self.button = IconButton("ph.folder-open", "Choose a file…", box=28)
        self.button.clicked.connect(lambda: choose(self.take))
        self.setFixedHeight(tokens.height("control") + 4)
        line = QHBoxLayout(self)
        line.setContentsMargins(10, 0, 3, 0)
        line.setSpacing(tokens.space(2))
        line.addWidget(Icon(icon, "muted"))
        line.addWidget(self._label, 1)
        line.addWidget(self.button)
        self.dropped.connect(lambda paths: self.take(paths[0]) if paths else None)

    def set_path(self, path: Path | None) -> None:
        """Show a path without telling anybody."""
        self.path = path
        if path is None:
            self._label.set_color("subtle")
            self._label.say(self._empty)
        else:
            self._label.set_color("text")
            self._label.put(path.name or str(path))
            self._label.setToolTip(str(path))

    def take(self, path: Path) -> None:
        """Show a path and tell it."""
        self.set_path(path)
        self.chosen.emit(path)
