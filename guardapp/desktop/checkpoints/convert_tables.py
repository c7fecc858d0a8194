"""The files of a conversion, one a row: what would become of each before it is asked for, and what became of it."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import QModelIndex
from PySide6.QtWidgets import QWidget

from guardapp.desktop import wording
from guardapp.desktop.checkpoints.plain_rows import PlainRows
from guardapp.desktop.checkpoints.tensor_card import WholeRows
from guardapp.desktop.i18n import Key, tr
from guardapp.desktop.kit import Card, Cell, Column, Icon, Label, TableView, column, hline, row
from guardapp.desktop.theme import tokens

_FATES = {
    "convert": ("Is converted", "ph.arrow-right", "accentText"),
    "already": ("Safetensors already: stays where it is", "ph.check-circle", "success"),
    "other": ("No checkpoint: stays where it is", "ph.file", "muted"),
}
_ORDER = ("convert", "already", "other")


class PlannedModel(PlainRows):
    """name, bytes and fate of each file, as the helper answers them."""

    def __init__(self) -> None:
        super().__init__([Column("File"), Column("What becomes of it"), Column("Size", True, 96)])

    def show_files(self, files: list[list[Any]]) -> None:
        """files: [name, bytes, fate] each; those that are converted come first."""
        rows = [{"name": name, "bytes": nbytes, "fate": fate} for name, nbytes, fate in files]
        self.show_rows(sorted(rows, key=lambda one: _ORDER.index(one["fate"])))

    def cell(self, row: int, column: int) -> Cell:
        one = self.rows[row]
        if column == 0:
            return Cell(one["name"], mono=True)
        if column == 1:
            text, icon, color = _FATES[one["fate"]]
            return Cell(tr(text), icon=icon, color=color)
        return Cell(wording.size(one["bytes"]), color="muted")


class OutcomeModel(PlainRows):
    """Every file of a `ConvertResult` as plain data: refused ones first, then the new files, then what was left."""

    def __init__(self) -> None:
        super().__init__(
            [
                Column("File"),
                Column("What became of it"),
                Column("Tensors", True, 84),
                Column("Size before", True, 104, needs=560),
                Column("Size after", True, 104, needs=560),
            ]
        )

    def show_result(self, result: dict[str, Any]) -> None:
        rows = [{"verdict": "refused", **one} for one in result["refused"]]
        rows += [{"verdict": "converted", **one} for one in result["converted"]]
        rows += [{"verdict": "already", "path": path} for path in result["already"]]
        self.show_rows(rows)

    def cell(self, row: int, column: int) -> Cell:
        one = self.rows[row]
        if column == 0:
            return Cell(one["path"], mono=True)
        if column == 1:
            return _outcome(one)
        if one["verdict"] != "converted":
            return Cell("–", color="muted")
        if column == 2:
            return Cell(wording.number(one["tensors"]))
        nbytes = one["bytes_before"] if column == 3 else one["bytes"]
        return Cell(wording.size(nbytes) if nbytes else "–", color="muted" if column == 3 else "text")


def _outcome(one: dict[str, Any]) -> Cell:
    if one["verdict"] == "refused":
        return Cell(tr("Refused: {why}", why=tr(one["why"])), icon="ph.x-circle", color="danger")
    if one["verdict"] == "already":
        return Cell(tr(_FATES["already"][0]), icon="ph.check-circle", color="success")
    left = len(one["left_out"])
    text = "Converted, {n} left out" if left else "Converted"
    return Cell(tr(text, n=left) if left else tr(text), icon="ph.check-circle", color="success")


class OutcomeCard(Card):
    """The table, and below it all that is known of the chosen row."""

    def __init__(self) -> None:
        super().__init__("Verdict of each file", flush=True)
        self.count = Label("", "small", "muted")
        self.tools.addWidget(self.count)
        self.model = OutcomeModel()
        self.table = TableView("Verdict of each file", self.model)
        self.table.selectionModel().currentRowChanged.connect(self._chosen)
        self.first = Label("", "small", wrap=True)
        self.second = Label("", "small", "muted", wrap=True)
        self._foot = QWidget()
        foot = row(Icon("ph.info", "muted"), margins=(15, 10, 15, 11))
        foot.addLayout(column(self.first, self.second, gap=2), 1)
        self._foot.setLayout(foot)
        self.body.setSpacing(0)
        self.body.addWidget(WholeRows(self.table), 1)
        self.body.addWidget(hline())
        self.body.addWidget(self._foot)
        self.setMinimumHeight(tokens.height("cardHeader") + 7 * tokens.height("row") + 60)

    def show_result(self, result: dict[str, Any]) -> None:
        """A `ConvertResult` as plain data; its first row, the worst, is chosen."""
        self.model.show_result(result)
        count = len(self.model.rows)
        self.count.say("1 file" if count == 1 else "{n} files", n=wording.number(count))
        self.table.setCurrentIndex(self.model.index(0, 0))

    def _chosen(self, index: QModelIndex, _before: QModelIndex) -> None:
        if not index.isValid():
            return
        one = self.model.rows[index.row()]
        if one["verdict"] == "refused":
            self.first.say("{what}: {why}.", what=Key(one["what"]), why=Key(one["why"]))
            self.second.say(one["next"])
        elif one["verdict"] == "already":
            self.first.put(one["path"])
            self.second.say("It holds no code as it is, and was not copied.")
        else:
            self.first.say("New file: {file}", file=one["written"])
            left = one["left_out"]
            names = ", ".join(left[:_NAMED])
            if not left:
                self.second.say("All that the old file held is in the new one.")
            elif len(left) > _NAMED:
                self.second.say("Left out: {names} and {count} more.", names=names, count=len(left) - _NAMED)
            else:
                self.second.say("Left out: {names}.", names=names)


_NAMED = 6
