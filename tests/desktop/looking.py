"""What a careful eye checks on any page: nothing cut, everything named, everything reachable."""

from __future__ import annotations

import re

from PySide6.QtCore import QPoint, QRect, Qt
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractItemView,
    QAbstractScrollArea,
    QComboBox,
    QHeaderView,
    QLabel,
    QLineEdit,
    QPlainTextEdit,
    QScrollArea,
    QWidget,
)

from guardapp.desktop.kit import ElidedLabel, Segmented, Slider, Steps

INTERACTIVE = (QAbstractButton, QAbstractItemView, QComboBox, QLineEdit, QPlainTextEdit, Segmented, Slider, Steps)


def shown(root: QWidget) -> list[QWidget]:
    """Every visible widget of the tree that has an area."""
    return [w for w in root.findChildren(QWidget) if w.isVisibleTo(root) and w.isVisible() and not w.size().isEmpty()]


def clipped(root: QWidget) -> list[str]:
    """Labels and buttons that are smaller than their text, or stick out of their parent.

    A label that shortens itself is fine where its whole text stands in the tooltip, unless nothing readable is left.
    """
    found = []
    for widget in shown(root):
        words = _words(widget)
        if not words:
            continue
        if isinstance(widget, ElidedLabel):
            if widget.elided and (widget.width() < 40 or not widget.toolTip()):
                found.append(f"{words!r}: shortened to {widget.width()} px")
            continue
        needed, there = widget.sizeHint(), widget.size()
        if isinstance(widget, QLabel) and widget.wordWrap():
            if widget.heightForWidth(there.width()) > there.height() + 1:
                found.append(
                    f"{words!r}: needs {widget.heightForWidth(there.width())} px of height, has {there.height()}"
                )
        elif there.width() < needed.width() - 1 or there.height() < min(needed.height(), 16):
            found.append(f"{words!r}: needs {needed.width()} px, has {there.width()}")
        if _sticks_out(widget, root):
            found.append(f"{words!r}: sticks out of its parent")
    for area in shown(root):
        if (
            isinstance(area, QScrollArea)
            and area.widget() is not None
            and area.widget().width() > area.viewport().width()
        ):
            over = area.widget().width() - area.viewport().width()
            found.append(f"a scrolled page is {over} px wider than its window")
    return found


def english(root: QWidget) -> list[str]:
    """Texts of two or more English words, where a Chinese window shows its own sentences."""
    words = [text for widget in shown(root) if (text := _words(widget) or widget.accessibleName())]
    return sorted({text for text in words if re.search(r"[a-z]{2,} [a-z]{2,}", text) and "/" not in text})


def _words(widget: QWidget) -> str:
    if isinstance(widget, QLabel | QAbstractButton):
        return str(widget.text())
    return ""


def _sticks_out(widget: QWidget, root: QWidget) -> bool:
    parent = widget.parentWidget()
    while parent is not None and parent is not root:
        if isinstance(parent, QAbstractScrollArea) or parent.parentWidget() is None:
            return False
        place = QRect(widget.mapTo(parent, QPoint(0, 0)), widget.size())
        if not parent.rect().adjusted(-1, -1, 1, 1).contains(place):
            return True
        parent = parent.parentWidget()
        if parent is not None and isinstance(parent.parentWidget(), QAbstractScrollArea):
            return False
    return False


def unnamed(root: QWidget) -> list[str]:
    """Things that can be operated but have no name for a screen reader."""
    found = []
    for widget in shown(root):
        operable = (
            isinstance(widget, INTERACTIVE)
            and not isinstance(widget, QHeaderView)
            and widget.focusPolicy() != Qt.FocusPolicy.NoFocus
        )
        if operable and not widget.accessibleName() and not _words(widget):
            found.append(f"{type(widget).__name__} {widget.objectName()}")
    return found


def unreachable(root: QWidget) -> list[str]:
    """Enabled buttons and fields that Tab never comes to."""
    return [
        f"{type(widget).__name__} {widget.accessibleName()}"
        for widget in shown(root)
        if isinstance(widget, INTERACTIVE)
        and not isinstance(widget, QHeaderView)
        and widget.isEnabled()
        and not (widget.focusPolicy() & Qt.FocusPolicy.TabFocus)
        and not (isinstance(widget, QAbstractButton) and widget.focusPolicy() == Qt.FocusPolicy.NoFocus)
    ]
