"""Editing a column's hierarchy: import an ARX file, name values on each level, add and remove levels, undo."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QKeySequence, QShortcut
from PySide6.QtWidgets import QVBoxLayout, QWidget

from guardapp.desktop import wording
from guardapp.desktop.deidentify.hierarchy_editing import HierarchyDraft
from guardapp.desktop.i18n import tr
from guardapp.desktop.kit import (
    Button,
    Cell,
    Choice,
    Column,
    Combo,
    Field,
    IconButton,
    Label,
    TableModel,
    TableView,
    TextField,
    row,
)
from guardapp.desktop.sheet import Sheet
from guardapp.desktop.theme import tokens

_WIDTH, _ROWS = 860, 7
_HOW = (
    "Choose rows, a level and a name: values with one name on a level are one group there. Groups should stay together "
    "on the levels above."
)


class LinesModel(TableModel):
    """The lines of a draft, a column a level."""

    def __init__(self, draft: HierarchyDraft) -> None:
        super().__init__()
        self._draft = draft
        self.refresh()

    def refresh(self) -> None:
        titles = [tr("Value"), *(tr("Level {n}", n=level) for level in range(1, self._draft.levels + 1))]
        self.set_columns([Column(title, literal=True, width=0) for title in titles])

    def row_total(self) -> int:
        return len(self._draft.lines)

    def cell(self, row: int, column: int) -> Cell | None:
        line = self._draft.lines[row]
        text = line[column] if column < len(line) else ""
        return Cell(text, strong=column == 0, color="muted" if text == "*" else "text")


class HierarchyEditor(QWidget):
    """import_wanted(), export_wanted(): a file is to be chosen."""

    import_wanted = Signal()
    export_wanted = Signal()

    def __init__(self, draft: HierarchyDraft) -> None:
        super().__init__()
        self.draft = draft
        self.model = LinesModel(draft)
        self.table = TableView("Values and what they are called on every level", self.model)
        # whole rows, never a sliver
        self.table.setFixedHeight((_ROWS + 1) * tokens.height("row") + 2)
        self.level = Combo("Level of the hierarchy")
        self.name = TextField("Name of the chosen rows", placeholder="Name of the chosen rows")
        self.apply = Button("Name the chosen rows", compact=True)
        self.add = Button("Add a level above", icon="ph.plus", compact=True)
        self.remove = Button("Remove this level", icon="ph.trash", compact=True)
        self.bring = Button("Import…", icon="ph.folder-open", compact=True)
        self.take = Button("Export…", icon="ph.export", compact=True)
        self.undo = IconButton("ph.arrow-u-up-left", "Undo the last change of the hierarchy (Ctrl+Z)", box=28)
        self.redo = IconButton("ph.arrow-u-up-right", "Redo (Ctrl+Shift+Z)", box=28)
        self.note = Label("", "small", "muted", wrap=True)
        self.note.hide()
        fields = Field("Level of the hierarchy", self.level), Field("Name of the chosen rows", self.name)
        naming = row(*fields, gap=tokens.space(3))
        naming.setStretch(1, 1)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.setSpacing(tokens.space(3))
        whole.addLayout(row(self.bring, self.take, None, self.undo, self.redo))
        whole.addWidget(self.table)
        whole.addLayout(naming)
        whole.addLayout(row(self.apply, self.add, self.remove, None))
        whole.addWidget(self.note)
        self.apply.clicked.connect(self._name)
        self.name.returnPressed.connect(self._name)
        self.add.clicked.connect(lambda: self._do(lambda: draft.add_level(self._level)))
        self.remove.clicked.connect(lambda: self._do(lambda: draft.remove_level(self._level)))
        self.undo.clicked.connect(lambda: self._do(draft.undo))
        self.redo.clicked.connect(lambda: self._do(draft.redo))
        self.bring.clicked.connect(self.import_wanted)
        self.take.clicked.connect(self.export_wanted)
        for keys, act in (("Ctrl+Z", draft.undo), ("Ctrl+Shift+Z", draft.redo), ("Ctrl+Y", draft.redo)):
            shortcut = QShortcut(QKeySequence(keys), self.table)
            shortcut.setContext(Qt.ShortcutContext.WidgetShortcut)
            shortcut.activated.connect(lambda act=act: self._do(act))
        self.show_draft()

    @property
    def _level(self) -> int:
        return int(self.level.value or 1)

    def show_draft(self) -> None:
        chosen = self.table.selected_rows()
        self.model.refresh()
        for at in chosen:
            self.table.selectionModel().select(
                self.model.index(at, 0),
                self.table.selectionModel().SelectionFlag.Select | self.table.selectionModel().SelectionFlag.Rows,
            )
        levels = [Choice(str(n), tr("Level {n}", n=n)) for n in range(1, self.draft.levels + 1)]
        self.level.set_choices(levels, self.level.value or "1")
        if not self.level.value:
            self.level.set_value("1")
        self.undo.setEnabled(self.draft.can_undo)
        self.redo.setEnabled(self.draft.can_redo)
        self.remove.setEnabled(self.draft.levels > 1)

    def imported(self, found: Mapping[str, Any]) -> None:
        """A file was read: {lines, added}."""
        self.draft.replace(found["lines"])
        self.show_draft()
        self.note.setVisible(bool(found["added"]))
        if found["added"]:
            text = "{n} values of the column were not in the file; they stand at the end and become * at once."
            self.note.say(text, n=wording.number(int(found["added"])))

    def _name(self) -> None:
        self._do(lambda: self.draft.name(self.table.selected_rows(), self._level, self.name.text()))

    def _do(self, act: Callable[[], None]) -> None:
        act()
        self.show_draft()


def edit_hierarchy(
    parent: QWidget, column: str, draft: HierarchyDraft, then: Callable[[HierarchyDraft], None]
) -> tuple[Sheet, HierarchyEditor]:
    """Open the editor; `then(draft)` when it is applied."""
    sheet = Sheet(parent, "ph.tree-structure", "Hierarchy of {name}", _HOW, name=column)
    sheet.setFixedWidth(_WIDTH)
    editor = HierarchyEditor(draft)
    sheet.add_field(editor)
    sheet.add_button("Cancel")
    sheet.add_button("Apply", lambda: then(draft), "primary")
    sheet.open()
    editor.table.setFocus()
    return sheet, editor
