"""How a release is written, signed and attacked: folded away until somebody wants other than the usual."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from PySide6.QtWidgets import QVBoxLayout, QWidget

from guardapp.desktop.kit import Button, Choice, Combo, Field, FileField, row
from guardapp.desktop.theme import tokens

_FORMATS = (
    Choice("", "Like the original", "ph.equals"),
    Choice("csv", "CSV", "ph.table"),
    Choice("parquet", "Parquet", "ph.database"),
    Choice("jsonl", "JSON Lines", "ph.file-text"),
    Choice("xlsx", "Excel workbook", "ph.table"),
    Choice("sqlite", "SQLite database", "ph.database"),
)
_ORDERS = (
    Choice("keep", "Rows in their order", "ph.equals"),
    Choice("shuffle", "Rows in a secret random order", "ph.shuffle"),
)
_UNSIGNED = Choice("", "Do not sign it")
_ORDER_HELP = "An order can tell who is who to someone who has seen the original list."
_SIGN_HELP = "The certificate is signed, so that anybody who has the public key can see that nothing was changed."
_POPULATION_HELP = "A table of more people with the same quasi-identifiers: the release is attacked with it, too."


class ReleaseOptions(QWidget):
    """choose(then): asks for a table without blocking."""

    def __init__(self, choose: Callable[[Callable[[Path], None]], None]) -> None:
        super().__init__()
        self.more = Button("More options", "link", "ph.caret-right", compact=True)
        self.more.clicked.connect(self.toggle)
        self.format = Combo("Format of the result", _FORMATS)
        self.order = Combo("Order of the rows", _ORDERS)
        self.sign = Combo("Sign the certificate with", (_UNSIGNED,))
        self.population = FileField("Table of the population", choose, "ph.users")
        self.no_population = Button("No population", "link", compact=True)
        self.no_population.clicked.connect(self._forget_population)
        self.population.chosen.connect(lambda _: self._show_forget())
        self._folded = QWidget()
        folded = QVBoxLayout(self._folded)
        folded.setContentsMargins(0, 0, 0, 0)
        folded.setSpacing(tokens.space(3))
        folded.addWidget(Field("Format of the result", self.format))
        folded.addWidget(Field("Order of the rows", self.order, _ORDER_HELP))
        folded.addWidget(Field("Sign the certificate with", self.sign, _SIGN_HELP))
        folded.addWidget(Field("Table of the population", self.population, _POPULATION_HELP))
        folded.addLayout(row(self.no_population, None))
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.setSpacing(tokens.space(2))
        whole.addLayout(row(self.more, None))
        whole.addWidget(self._folded)
        self._folded.hide()
        self._show_forget()

    def toggle(self) -> None:
        opened = self._folded.isHidden()
        self._folded.setVisible(opened)
        self.more.say("Fewer options" if opened else "More options")
        self.more.set_icon("ph.caret-down" if opened else "ph.caret-right")

    def forget(self) -> None:
        """Another table was opened: the usual again, but for the signing key, which is the person's own."""
        self.format.set_value("")
        self.order.set_value("keep")
        self._forget_population()

    def offer_keys(self, names: Sequence[str]) -> None:
        """The vault's signing keys."""
        # in quotation marks, so that the name of a key is not translated
        self.sign.set_choices([_UNSIGNED, *(Choice(name, f"“{name}”", "ph.pen-nib") for name in names)])

    def fields(self) -> dict[str, Any]:
        """What the spec says of it; what is usual is left out."""
        output = {"order": self.order.value} if self.order.value != "keep" else {}
        if self.format.value:
            output["format"] = self.format.value
        found: dict[str, Any] = {"output": output} if output else {}
        if self.sign.value:
            found["sign"] = self.sign.value
        if self.population.path is not None:
            found["population"] = str(self.population.path)
        return found

    def _forget_population(self) -> None:
        self.population.set_path(None)
        self._show_forget()

    def _show_forget(self) -> None:
        self.no_population.setVisible(self.population.path is not None)
