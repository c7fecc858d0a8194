"""Asking for the vault's passphrase, and setting a new one. What is typed lives in the field and nowhere else."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from PySide6.QtWidgets import QWidget

from guardapp.desktop.kit.fields import Field, TextField
from guardapp.desktop.sheet import Sheet
from guardapp.errors import GuardError

if TYPE_CHECKING:
    from guardapp.desktop.vault_desk import VaultDesk

SHORTEST = 12


def ask_passphrase(parent: QWidget, vault: VaultDesk, then: Callable[[], None]) -> Sheet:
    """Unlock, then `then()`; a wrong passphrase is said below the field, and can be typed again."""
    sheet = Sheet(parent, "ph.lock-key", "Unlock the vault", "This needs a key that your passphrase protects.")
    field = Field("Passphrase", TextField("Passphrase", secret=True))
    sheet.add_field(field)
    control = field.control
    assert isinstance(control, TextField)

    def unlocked() -> None:
        sheet.done(0)
        then()

    def refused(error: GuardError) -> None:
        button.setEnabled(True)
        control.selectAll()
        field.show_error(f"{error.what}. {error.next}")

    def unlock() -> None:
        button.setEnabled(False)
        vault.unlock(control.text(), unlocked, refused)

    sheet.add_button("Cancel")
    button = sheet.add_button("Unlock", unlock, "primary", closes=False, default=True)
    sheet.open()
    control.setFocus()
    return sheet


def set_passphrase(parent: QWidget, vault: VaultDesk) -> Sheet:
    """Choose a passphrase, typed twice, because losing it loses the keys."""
    sheet = Sheet(
        parent,
        "ph.lock-key",
        "Protect the vault by a passphrase",
        "Without it nobody can use your private keys, you included: there is no way to recover it. "
        "Write it down and keep it away from this computer.",
    )
    first = Field("New passphrase", TextField("New passphrase", secret=True), "Five or more random words are good.")
    again = Field("The same again", TextField("The same again", secret=True))
    sheet.add_field(first)
    sheet.add_field(again)
    new, repeated = first.control, again.control
    assert isinstance(new, TextField)
    assert isinstance(repeated, TextField)

    def check() -> None:
        first.clear_error()
        again.clear_error()
        if len(new.text()) < SHORTEST:
            first.show_error("Too short to withstand guessing: use {n} characters or more.", n=SHORTEST)
        elif new.text() != repeated.text():
            again.show_error("The two are not the same. Type it again.")
        else:
            passphrase = new.text()
            sheet.done(0)
            vault.act(lambda vault: vault.set_passphrase(passphrase))

    sheet.add_button("Cancel")
    sheet.add_button("Set passphrase", check, "primary", closes=False, default=True)
    sheet.open()
    new.setFocus()
    return sheet
