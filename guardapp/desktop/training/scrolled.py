"""A column that scrolls when it is higher than its place, and only then."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, Qt
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QFrame, QLayout, QScrollArea, QSizePolicy, QWidget


class Scrolled(QScrollArea):
    """Holds a layout of cards or fields; the scroll bar is the only part that takes no keyboard focus."""

    def __init__(self, layout: QLayout) -> None:
        super().__init__()
        self._inner = QWidget()
        self._inner.setProperty("k", "scrolled")
        self._inner.setLayout(layout)
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.viewport().setAutoFillBackground(False)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        # its own wish for height must not make a column around it scroll
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Ignored)
        self.setWidget(self._inner)
        self._inner.setAutoFillBackground(False)
        self._inner.installEventFilter(self)

    def fit(self) -> None:
        """Ask for the height that the text needs at this width; Qt would ask for that of a narrower column."""
        layout = self._inner.layout()
        if layout is not None:
            layout.activate()
            needed = layout.minimumHeightForWidth(self.viewport().width())
            self._inner.setMinimumHeight(max(needed, 1) if layout.hasHeightForWidth() else 0)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.LayoutRequest:
            self.fit()
        return super().eventFilter(watched, event)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.fit()
