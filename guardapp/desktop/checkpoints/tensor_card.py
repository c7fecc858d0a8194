"""The list of tensors: name, shape, type, size and, where they were hashed, SHA-256; found by name, looked into."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, Qt, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QSizePolicy, QStackedWidget, QWidget

from guardapp.desktop import wording
from guardapp.desktop.checkpoints.tensor_look import TensorLook
from guardapp.desktop.i18n import say
from guardapp.desktop.kit import (
    Card,
    Cell,
    Column,
    ElidedLabel,
    EmptyState,
    Icon,
    IconButton,
    TableModel,
    TableView,
    TextField,
    hline,
    row,
)
from guardapp.desktop.theme import tokens

if TYPE_CHECKING:
    from guardapp.desktop.child_session import ChildSession

_HEADS = ("Tensor", "Shape", "Type", "Size", "SHA-256")
_COLUMNS = (Column("Tensor"), Column("Shape", width=152), Column("Type", width=64), Column("Size", True, 88))
_HASH = Column("SHA-256", width=124)
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""How a cell begins that a spreadsheet would run (CWE-1236)."""


class Tensor(NamedTuple):
    """A tensor as it is shown; `file` is "" where there is but one, `sha256` where it was not hashed."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    nbytes: int
    sha256: str = ""
    file: str = ""

    @property
    def parameters(self) -> int:
        """How many numbers it holds."""
        count = 1
        for length in self.shape:
            count *= length
        return count

    @property
    def shape_words(self) -> str:
        return " × ".join(map(str, self.shape)) or "1"


def from_result(lines: Sequence[dict[str, Any]]) -> list[Tensor]:
    """The `tensors` of a verification's result."""
    several = len({line["file"] for line in lines}) > 1
    return [
        Tensor(
            line["name"],
            tuple(line["shape"]),
            line["dtype"],
            line["bytes"],
            line["sha256"],
            line["file"] if several else "",
        )
        for line in lines
    ]


def as_csv(tensors: Sequence[Tensor]) -> str:
    """The whole list for a spreadsheet; names that it would run as a formula are escaped."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(["file", "tensor", "shape", "type", "bytes", "sha256"])
    for tensor in tensors:
        file, name = ("'" + text if text.startswith(_FORMULA) else text for text in (tensor.file, tensor.name))
        writer.writerow([file, name, "x".join(map(str, tensor.shape)), tensor.dtype, tensor.nbytes, tensor.sha256])
    return out.getvalue()


def count_words(count: int) -> str:
    """How many parameters: 11_173_962 → "11.2 M"."""
    for limit, unit in ((10**9, "G"), (10**6, "M"), (10**3, "k")):
        if count >= limit:
            return f"{count / limit:.1f} {unit}"
    return str(count)


class TensorModel(TableModel):
    """The tensors whose name holds what is searched for."""

    def __init__(self) -> None:
        super().__init__(_COLUMNS)
        self.tensors: list[Tensor] = []
        self.shown: list[Tensor] = []

    def show_tensors(self, tensors: Sequence[Tensor]) -> None:
        self.tensors = self.shown = list(tensors)
        hashed = any(tensor.sha256 for tensor in tensors)
        self.set_columns([*_COLUMNS, _HASH] if hashed else _COLUMNS)

    def find(self, text: str) -> None:
        """Show those whose name or file holds `text`; case does not matter."""
        wanted = text.strip().casefold()
        self.beginResetModel()
        self.shown = [
            tensor for tensor in self.tensors if wanted in tensor.name.casefold() or wanted in tensor.file.casefold()
        ]
        self.endResetModel()

    def row_total(self) -> int:
        return len(self.shown)

    def cell(self, row: int, column: int) -> Cell:
        tensor = self.shown[row]
        if column == 0:
            return Cell(f"{tensor.file} › {tensor.name}" if tensor.file else tensor.name, mono=True)
        if column == 4:
            return Cell(f"{tensor.sha256[:4]}…{tensor.sha256[-4:]}", color="muted", mono=True)
        return Cell((tensor.shape_words, tensor.dtype, wording.size(tensor.nbytes))[column - 1])

    def data(self, index: QModelIndex | QPersistentModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if role == Qt.ItemDataRole.ToolTipRole and index.column() == 4:
            return self.shown[index.row()].sha256
        return super().data(index, role)


class WholeRows(QWidget):
    """Gives a table the height of whole rows, so that none is cut at the bottom."""

    def __init__(self, table: TableView) -> None:
        super().__init__()
        self._table = table
        table.setParent(self)

    def resizeEvent(self, event: QResizeEvent) -> None:
        head, line = tokens.height("tableHeader"), tokens.height("row")
        rows = max(1, (self.height() - head) // line)
        self._table.setGeometry(0, 0, self.width(), min(self.height(), head + rows * line))


class TensorCard(Card):
    """exported(list): the tensors are wanted as a file."""

    exported = Signal(list)

    def __init__(self) -> None:
        super().__init__("Tensors", flush=True)
        self.model = TensorModel()
        self.search = TextField("Find a tensor", placeholder="Find a tensor", icon="ph.magnifying-glass")
        self.search.setMinimumWidth(_SEARCH_WIDTH // 2)
        self.search.setMaximumWidth(_SEARCH_WIDTH)
        self.title.setSizePolicy(QSizePolicy.Policy.Minimum, QSizePolicy.Policy.Fixed)
        self.search.textChanged.connect(self._find)
        self.export = IconButton("ph.export", "Export the list of tensors…")
        self.export.clicked.connect(lambda: self.exported.emit(self.model.tensors))
        self.tools.addWidget(self.search)
        self.tools.addWidget(self.export)
        self.table = TableView("Tensors", self.model)
        self.empty = EmptyState("ph.package", "No tensors to show", "")
        self._nothing = EmptyState(
            "ph.magnifying-glass", "No tensor has this in its name", "Search for something else."
        )
        self._stack = QStackedWidget()
        self._whole = WholeRows(self.table)
        for view in (self.empty, self._whole, self._nothing):
            self._stack.addWidget(view)
        self._said = ElidedLabel("", "small", "muted")
        self._foot = QWidget()
        foot = row(Icon("ph.info", "muted"), self._said, margins=(15, 10, 15, 11))
        foot.setStretch(1, 1)
        self._foot.setLayout(foot)
        self._line = hline()
        self.look = TensorLook()
        self.table.selectionModel().currentRowChanged.connect(self._chosen)
        self.body.setSpacing(0)
        self.body.addWidget(self._stack, 1)
        self.body.addWidget(self.look)
        self.body.addWidget(self._line)
        self.body.addWidget(self._foot)
        self.setMinimumHeight(_LOWEST)
        self.show_nothing("No tensors to show", "")

    def show_nothing(self, title: str, sentence: str, **values: Any) -> None:
        """No list, and why; English keys."""
        self.model.show_tensors([])
        self.look.begin(None, Path())
        self.empty.title.say(title)
        self.empty.sentence.say(sentence, **values) if sentence else self.empty.sentence.put("")
        self._stack.setCurrentWidget(self.empty)
        self.note.put("")
        for part in (self.search, self.export, self._foot, self._line):
            part.hide()

    def show_tensors(
        self, tensors: Sequence[Tensor], how: str, path: Path | None = None, session: ChildSession | None = None
    ) -> None:
        """`how` they were read, an English key; path, session: whom to ask about the numbers in which file."""
        self.search.clear()
        self.look.begin(session if path is not None else None, path or Path())
        self.model.show_tensors(tensors)
        self._stack.setCurrentWidget(self._whole)
        say(
            self.note,
            "{n} · {parameters} parameters · {size}",
            n=wording.number(len(tensors)),
            parameters=count_words(sum(tensor.parameters for tensor in tensors)),
            size=wording.size(sum(tensor.nbytes for tensor in tensors)),
        )
        self._said.say(how)
        for part in (self.search, self.export, self._foot, self._line):
            part.show()

    def _chosen(self, index: QModelIndex, _before: QModelIndex) -> None:
        if index.isValid() and index.row() < len(self.model.shown):
            self.look.look_at(self.model.shown[index.row()].name)

    def _find(self, text: str) -> None:
        self.model.find(text)
        if self.model.tensors:
            self._stack.setCurrentWidget(self._whole if self.model.shown else self._nothing)


def write_csv(tensors: Sequence[Tensor], path: Path) -> None:
    """Write the list; runs off the window's thread."""
    path.write_text(as_csv(tensors), encoding="utf-8", newline="")


_SEARCH_WIDTH = 200
_LOWEST = tokens.height("cardHeader") + 7 * tokens.height("row") + 40
