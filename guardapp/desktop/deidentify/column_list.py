"""The list of columns: name, kind and evidence, the role to choose, and what happens to it. Painted, so that it stays
quick with thousands of columns; operated by mouse (role box, rule line) and keyboard (Space: role, Enter: rule).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from PySide6.QtCore import (
    QAbstractListModel,
    QEvent,
    QModelIndex,
    QPersistentModelIndex,
    QPoint,
    QRect,
    QRectF,
    QSize,
    Qt,
    Signal,
)
from PySide6.QtGui import QKeyEvent, QMouseEvent, QPainter, QResizeEvent
from PySide6.QtWidgets import QAbstractItemView, QListView, QMenu, QStyle, QStyledItemDelegate, QStyleOptionViewItem

from guardapp.desktop.deidentify.rules import ROLES, Draft, options
from guardapp.desktop.i18n import call_it, speech, tr
from guardapp.desktop.theme import icons, tokens
from guardapp.desktop.theme.fonts import font
from guardapp.desktop.theme.state import bold, theme

Index = QModelIndex | QPersistentModelIndex
ENTRY = Qt.ItemDataRole.UserRole + 1
_BOX = 144
"""Width of the role box, and of the rule line below it."""

ROLE_WORDS = {"direct": "Identifier", "quasi": "Quasi-identifier", "sensitive": "Sensitive", "other": "Keep"}
ROLE_ICONS = {"direct": "identifier", "quasi": "quasi", "sensitive": "sensitive", "other": "keep"}


class ColumnModel(QAbstractListModel):
    """The columns that are shown: indices into the profile."""

    def __init__(self) -> None:
        super().__init__()
        self._profiles: Sequence[Mapping[str, Any]] = ()
        self._draft: Draft | None = None
        self._shown: list[int] = []
        speech().changed.connect(self.refresh)

    def show(self, profiles: Sequence[Mapping[str, Any]], draft: Draft | None, shown: Sequence[int]) -> None:
        self.beginResetModel()
        self._profiles, self._draft, self._shown = profiles, draft, list(shown)
        self.endResetModel()

    def refresh(self) -> None:
        """Roles, rules or the language are different now."""
        if self._shown:
            self.dataChanged.emit(self.index(0), self.index(len(self._shown) - 1))

    def profile(self, row: int) -> Mapping[str, Any]:
        return self._profiles[self._shown[row]]

    def row_of(self, name: str) -> int:
        """-1 where the column is not shown."""
        return next((row for row, at in enumerate(self._shown) if self._profiles[at]["name"] == name), -1)

    @property
    def draft(self) -> Draft | None:
        return self._draft

    def role(self, row: int) -> str:
        name = str(self.profile(row)["name"])
        return str(self._draft.columns[name]["role"]) if self._draft else str(self.profile(row)["role"])

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008 - Qt's signature
        return 0 if parent.isValid() else len(self._shown)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if not index.isValid() or index.row() >= len(self._shown):
            return None
        profile = self.profile(index.row())
        if role == ENTRY:
            return profile
        if role == Qt.ItemDataRole.DisplayRole:
            return profile["name"]
        if role == Qt.ItemDataRole.ToolTipRole:
            return f"{profile['name']} · {tr(str(profile['evidence']))}"
        if role == Qt.ItemDataRole.AccessibleTextRole:
            treated = self._draft.treatment(str(profile["name"])).words if self._draft else None
            rule = tr(treated.key, **treated.values) if treated else ""
            words = (profile["name"], tr(str(profile["kind_title"])), tr(ROLE_WORDS[self.role(index.row())]), rule)
            return ", ".join(str(word) for word in words if word)
        return None


class ColumnDelegate(QStyledItemDelegate):
    """Two lines: name and kind, evidence; at the right the role box and the rule line."""

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        return QSize(200, tokens.height("rowTwoLine"))

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        profile, model = index.data(ENTRY), index.model()
        view = option.widget
        if profile is None or not isinstance(model, ColumnModel) or not isinstance(view, ColumnList):
            return
        rect = QRectF(option.rect)
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if option.state & QStyle.StateFlag.State_Selected:
            painter.fillRect(rect, theme().color("selected"))
        painter.setPen(theme().color("divider"))
        painter.drawLine(rect.bottomLeft(), rect.bottomRight())
        box = QRectF(role_box(option.rect))
        self._paint_words(painter, rect, box.left() - 8, profile)
        self._paint_role(painter, box, model.role(index.row()), view.hovered(index.row(), "role"))
        if model.draft is not None:
            self._paint_rule(
                painter,
                QRectF(rule_line(option.rect)),
                model.draft,
                str(profile["name"]),
                view.hovered(index.row(), "rule"),
            )
        if option.state & QStyle.StateFlag.State_HasFocus and view.hasFocus():
            pen = painter.pen()
            pen.setColor(theme().color("focus"))
            pen.setWidth(2)
            painter.setPen(pen)
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRect(rect.adjusted(1, 1, -1, -2))
        painter.restore()

    @staticmethod
    def _paint_words(painter: QPainter, rect: QRectF, right: float, profile: Mapping[str, Any]) -> None:
        left = rect.left() + 16
        upper = QRectF(left, rect.top() + 8, right - left, 22)
        lower = QRectF(left, rect.top() + 30, right - left, 18)
        name_font = bold(font("body"))
        painter.setFont(name_font)
        painter.setPen(theme().color("text"))
        metrics = painter.fontMetrics()
        kind = tr(str(profile["kind_title"]))
        shown = metrics.elidedText(str(profile["name"]), Qt.TextElideMode.ElideRight, int(upper.width()))
        painter.drawText(upper, Qt.AlignmentFlag.AlignVCenter, shown)
        taken = metrics.horizontalAdvance(shown) + 10
        small = font("small")
        painter.setFont(small)
        painter.setPen(theme().color("muted"))
        metrics = painter.fontMetrics()
        if upper.width() - taken > 24:
            rest = upper.adjusted(taken, 0, 0, 0)
            painter.drawText(
                rest,
                Qt.AlignmentFlag.AlignVCenter,
                metrics.elidedText(kind, Qt.TextElideMode.ElideRight, int(rest.width())),
            )
        evidence = tr(str(profile["evidence"]))
        painter.setPen(theme().color("text"))
        painter.drawText(
            lower,
            Qt.AlignmentFlag.AlignVCenter,
            metrics.elidedText(evidence, Qt.TextElideMode.ElideRight, int(lower.width())),
        )

    @staticmethod
    def _paint_role(painter: QPainter, box: QRectF, role: str, hovered: bool) -> None:
        painter.setPen(theme().color("control" if hovered else "border"))
        painter.setBrush(theme().color("hover" if hovered else "surface"))
        painter.drawRoundedRect(box.adjusted(0.5, 0.5, -0.5, -0.5), tokens.radius("control"), tokens.radius("control"))
        middle = box.center().y()
        icons.paint(
            painter,
            tokens.role_icon(ROLE_ICONS[role]),
            QRectF(box.left() + 8, middle - 7, 14, 14),
            theme().color("muted"),
        )
        icons.paint(painter, "ph.caret-down", QRectF(box.right() - 20, middle - 7, 14, 14), theme().color("text"))
        words = box.adjusted(28, 0, -22, 0)
        painter.setFont(font("small"))
        painter.setPen(theme().color("text"))
        text = painter.fontMetrics().elidedText(tr(ROLE_WORDS[role]), Qt.TextElideMode.ElideRight, int(words.width()))
        painter.drawText(words, Qt.AlignmentFlag.AlignVCenter, text)

    @staticmethod
    def _paint_rule(painter: QPainter, line: QRectF, draft: Draft, name: str, hovered: bool) -> None:
        treated = draft.treatment(name)
        found = tokens.treatment(treated.look)
        color = theme().color(found.color)
        if hovered:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(theme().color("hover"))
            painter.drawRoundedRect(line, 4, 4)
        icons.paint(painter, found.icon, QRectF(line.left() + 8, line.center().y() - 7, 14, 14), color)
        painter.setFont(font("small"))
        painter.setPen(color)
        words = line.adjusted(28, 0, -2, 0)
        text = tr(treated.words.key, **treated.words.values)
        text = painter.fontMetrics().elidedText(text, Qt.TextElideMode.ElideRight, int(words.width()))
        painter.drawText(words, Qt.AlignmentFlag.AlignVCenter, text)


def role_box(row: QRect) -> QRect:
    return QRect(row.right() - _BOX - 4, row.top() + 7, _BOX, tokens.height("compact"))


def rule_line(row: QRect) -> QRect:
    return QRect(row.right() - _BOX - 4, row.top() + 32, _BOX, 20)


class ColumnList(QListView):
    """chosen(name): a column was selected; role_picked(name, role); rule_picked(name, rule, hierarchy);
    details_wanted(name): set the rule's numbers by hand; hierarchy_wanted(name): import or edit its hierarchy.
    """

    chosen = Signal(str)
    role_picked = Signal(str, str)
    rule_picked = Signal(str, object, object)
    details_wanted = Signal(str)
    hierarchy_wanted = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        call_it(self, "Columns with their roles and rules; Space chooses the role, Enter the rule")
        self._over: tuple[int, str] = (-1, "")
        self.columns = ColumnModel()
        self.setModel(self.columns)
        self.setItemDelegate(ColumnDelegate(self))
        self.setUniformItemSizes(True)
        self.setMouseTracking(True)
        self.setFrameShape(QListView.Shape.NoFrame)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerItem)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.selectionModel().currentChanged.connect(self._tell)

    def _tell(self, now: QModelIndex) -> None:
        if now.isValid():
            self.chosen.emit(str(now.data()))

    def choose(self, name: str) -> None:
        row = self.columns.row_of(name)
        if row >= 0:
            self.setCurrentIndex(self.columns.index(row))

    def hovered(self, row: int, part: str) -> bool:
        return self._over == (row, part)

    def resizeEvent(self, event: QResizeEvent) -> None:
        # whole rows, never a sliver
        self.setViewportMargins(0, 0, 0, max(0, self.height() % tokens.height("rowTwoLine")))
        super().resizeEvent(event)

    # -- mouse -----------------------------------------------------------------------------------------------------

    def _part(self, at: QPoint) -> tuple[int, str]:
        index = self.indexAt(at)
        if not index.isValid():
            return -1, ""
        place = self.visualRect(index)
        if role_box(place).contains(at):
            return index.row(), "role"
        return index.row(), "rule" if rule_line(place).contains(at) else ""

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        over = self._part(event.position().toPoint())
        if over != self._over:
            self._over = over
            self.viewport().setCursor(Qt.CursorShape.PointingHandCursor if over[1] else Qt.CursorShape.ArrowCursor)
            self.viewport().update()
        super().mouseMoveEvent(event)

    def leaveEvent(self, event: QEvent) -> None:
        self._over = (-1, "")
        self.viewport().update()
        super().leaveEvent(event)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        super().mouseReleaseEvent(event)
        row, part = self._part(event.position().toPoint())
        if event.button() == Qt.MouseButton.LeftButton and part:
            self._open_menu(row, part)

    # -- keyboard --------------------------------------------------------------------------------------------------

    def keyPressEvent(self, event: QKeyEvent) -> None:
        row = self.currentIndex().row()
        if row >= 0 and event.key() in (Qt.Key.Key_Space, Qt.Key.Key_F2):
            self._open_menu(row, "role")
        elif row >= 0 and event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self._open_menu(row, "rule")
        else:
            super().keyPressEvent(event)

    # -- menus -----------------------------------------------------------------------------------------------------

    def _open_menu(self, row: int, part: str) -> None:
        draft = self.columns.draft
        if draft is None:
            return
        menu = self.role_menu(row) if part == "role" else self.rule_menu(row)
        place = self.visualRect(self.columns.index(row))
        below = (role_box(place) if part == "role" else rule_line(place)).bottomLeft()
        menu.popup(self.viewport().mapToGlobal(below))

    def _menu(self, name: str) -> QMenu:
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        call_it(menu, name)
        menu.aboutToHide.connect(self._take_focus_back, Qt.ConnectionType.QueuedConnection)
        return menu

    def _take_focus_back(self) -> None:
        # where no window manager does it, the keyboard would belong to nobody after a menu
        self.window().activateWindow()
        self.setFocus(Qt.FocusReason.PopupFocusReason)

    def role_menu(self, row: int) -> QMenu:
        """The four roles; the present one is marked."""
        name, now = str(self.columns.profile(row)["name"]), self.columns.role(row)
        menu = self._menu("Role")
        for role in ROLES:
            action = menu.addAction(icons.icon(tokens.role_icon(ROLE_ICONS[role]), "muted"), tr(ROLE_WORDS[role]))
            action.triggered.connect(lambda _=False, role=role: self.role_picked.emit(name, role))
            if role == now:
                action.setFont(bold(menu.font()))
                menu.setActiveAction(action)
        return menu

    def rule_menu(self, row: int) -> QMenu:
        """What may happen to a column of this role and type; the present rule is marked."""
        draft = self.columns.draft
        assert draft is not None
        profile = self.columns.profile(row)
        name = str(profile["name"])
        now = draft.columns[name]
        menu = self._menu("Rule")
        for option in options(str(now["role"]), str(profile["type"]), now):
            found = tokens.treatment(option.treatment.look)
            words = option.treatment.words
            action = menu.addAction(icons.icon(found.icon, found.color), tr(words.key, **words.values))
            action.triggered.connect(
                lambda _=False, option=option: self.rule_picked.emit(name, option.rule, option.hierarchy)
            )
            if (option.rule, option.hierarchy) == (now.get("rule"), now.get("hierarchy")):
                action.setFont(bold(menu.font()))
                menu.setActiveAction(action)
        menu.addSeparator()
        menu.addAction(tr("Set it by hand…")).triggered.connect(lambda: self.details_wanted.emit(name))
        if now["role"] in ("quasi", "sensitive"):
            menu.addAction(tr("Hierarchy…")).triggered.connect(lambda: self.hierarchy_wanted.emit(name))
        return menu
