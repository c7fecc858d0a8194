"""Sealing for people who have another program: the age format, and why it may not fit the recipients."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QVBoxLayout, QWidget

from guardapp.desktop.kit import Label, Tick, row
from guardapp.desktop.theme import tokens
from guardapp.desktop.typed_secrets import PREFIX

if TYPE_CHECKING:
    from guardapp.desktop.checkpoints.recipients import Recipient
    from guardapp.vault.keys import KeyInfo


class AgeChoice(QWidget):
    """Two ticks: the age format, and that as text. changed()"""

    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.age = Tick("Write the age format")
        self.armor = Tick("Write it as text")
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(tokens.space(1))
        for tick, text in ((self.age, _AGE_HELP), (self.armor, _ARMOR_HELP)):
            help = row(28, Label(text, "small", "muted", wrap=True))
            help.setStretch(1, 1)
            column.addWidget(tick)
            column.addLayout(help)
            tick.toggled.connect(self._show)
        self._show()

    def reset(self) -> None:
        self.age.setChecked(False)

    @property
    def format(self) -> str:
        """As the spec takes it."""
        return "age" if self.age.isChecked() else "sealed"

    def _show(self) -> None:
        self.armor.setEnabled(self.age.isChecked())
        if not self.age.isChecked():
            self.armor.setChecked(False)
        self.changed.emit()

    def why_not(self, recipients: Sequence[Recipient], keys: Sequence[KeyInfo]) -> str:
        """What age's rules say against these recipients, in English; "" where it fits or is not chosen."""
        if not self.age.isChecked():
            return ""
        types = {key.name: key.type for key in keys}
        kinds = [_kind(one.text, types) for one in recipients]
        if "rsa" in kinds:
            return "The age format has no RSA keys. Take them out, or switch it off."
        if "passphrase" in kinds and len(kinds) > 1:
            return "The age format allows a passphrase only alone."
        if "hybrid" in kinds and len(set(kinds)) > 1:
            return "The age format does not mix hybrid keys with others."
        return ""


def _kind(text: str, types: Mapping[str, str]) -> str:
    if text.startswith(PREFIX):
        return "passphrase"
    if text.startswith("-----BEGIN"):
        return "rsa"
    if text.startswith("age1"):
        return "hybrid" if text.startswith("age1pq1") else "x25519"
    return types.get(text, "x25519")


_AGE_HELP = "For people who have another program: age itself opens it. Parts of it cannot be read alone."
_ARMOR_HELP = "Letters only, as for a mail; a third longer."
