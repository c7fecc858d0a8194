"""Which keys are tried on a sealed file: those of the vault, a key file, a passphrase."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QVBoxLayout

from guardapp.desktop.kit import Card, CheckLine, Field, FileField, TextField, Tick, clear
from guardapp.desktop.theme import tokens
from guardapp.desktop.vault_tables import SEALING_TYPES

if TYPE_CHECKING:
    from guardapp.desktop.page import Services
    from guardapp.vault.keys import KeyInfo

_STANZA = {"x25519": "X25519", "hybrid": "mlkem768x25519", "rsa": "RSA-OAEP"}
"""The kind of recipient that a vault key of a type opens."""

_PASSPHRASES = {"argon2id", "scrypt"}


class KeysToTry(Card):
    """changed(): other keys were chosen."""

    changed = Signal()

    def __init__(self, services: Services) -> None:
        super().__init__("Keys to try")
        self._services = services
        self._kinds: Sequence[str] = ()
        self._begun = False
        self.ticks: dict[str, Tick] = {}
        self._at_hand = QVBoxLayout()
        self._ticks = QVBoxLayout()
        self._ticks.setSpacing(tokens.space(1))
        choose = services.choose_file
        self.key_file = FileField("Private key file", lambda then: choose(then, "Choose a private key file"), "ph.key")
        self.key_file.chosen.connect(lambda _: self.changed.emit())
        self.passphrase = FileField(
            "Passphrase file", lambda then: choose(then, "Choose a file with the passphrase"), "ph.lock-key"
        )
        self.passphrase.chosen.connect(lambda _: self.changed.emit())
        key_field = Field("A key that is not in the vault", self.key_file, "An age identity, or an RSA key in PEM.")
        self._passphrase_field = Field("A file whose first line is the passphrase", self.passphrase, _FROM_FILE)
        self.typed = TextField("Passphrase", secret=True)
        self.typed.textChanged.connect(self.changed)
        self._typed_field = Field("Passphrase", self.typed, _TYPED)
        self.body.addLayout(self._at_hand)
        self.body.addLayout(self._ticks)
        for field in (key_field, self._typed_field, self._passphrase_field):
            self.body.addWidget(field)
        services.vault.changed.connect(self._show_vault)

    def begin(self) -> None:
        """For a new file, of which nothing is known yet."""
        self._begun = False
        for field in (self.key_file, self.passphrase):
            field.set_path(None)
        self.typed.clear()

    def show_for(self, kinds: Sequence[str]) -> None:
        """Offer what may open a file with recipients of these kinds."""
        self._begun, self._kinds = True, kinds
        for field in (self._typed_field, self._passphrase_field):
            field.setVisible(bool(_PASSPHRASES & set(kinds)))
        self._show_vault()

    def _keys(self) -> list[KeyInfo]:
        """The vault's private keys of a kind that could open it."""
        snapshot = self._services.vault.snapshot
        keys = snapshot.keys if snapshot is not None else ()
        usable = [key for key in keys if key.has_private and key.type in SEALING_TYPES]
        return [key for key in usable if _STANZA[key.type] in self._kinds]

    def _show_vault(self) -> None:
        if not self._begun:
            return
        keys = self._keys()
        if [key.name for key in keys] != list(self.ticks) or not self._at_hand.count():
            clear(self._ticks)
            clear(self._at_hand)
            self.ticks = {}
            for key in keys:
                tick = Tick("{key} · {kind}", key=key.name, kind="RSA" if key.type == "rsa" else "age")
                tick.setChecked(True)
                tick.toggled.connect(self.changed)
                self.ticks[key.name] = tick
                self._ticks.addWidget(tick)
            if keys:
                text = "Your vault has keys of a kind that can open it"
                self._at_hand.addWidget(CheckLine("done", text, "Whether one of them fits shows when it is tried."))
            else:
                text = "No private key in your vault is of a kind that opens it"
                self._at_hand.addWidget(CheckLine("amberFlag", text, "Choose a key file below."))
        self.changed.emit()

    # -- what is chosen --------------------------------------------------------------------------------------------

    @property
    def chosen(self) -> list[str]:
        """The vault's keys, by name."""
        return [name for name, tick in self.ticks.items() if tick.isChecked()]

    @property
    def why_not(self) -> str:
        """Why nothing can be opened with them, in English; "" where something may be."""
        if self.chosen or self.key_file.path or self.passphrase.path or self.typed.text():
            return ""
        return "Choose at least one key to try."

    def take(self) -> dict[str, Any]:
        """For a spec: private_keys, identity_files, passphrase_file, passphrase. What was typed is forgotten here."""
        typed = self.typed.text()
        self.typed.clear()
        return {
            "private_keys": self.chosen,
            "identity_files": [str(self.key_file.path)] if self.key_file.path else [],
            "passphrase_file": str(self.passphrase.path) if self.passphrase.path else None,
            "passphrase": self._services.typed.keep(typed) if typed else "",
        }


_TYPED = "It stays in this window's memory: it is written nowhere, and forgotten when the window is closed."
_FROM_FILE = "Delete the file afterwards."
