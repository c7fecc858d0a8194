"""The vault's questions: a new key, a backup, a restoration."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, cast

from PySide6.QtWidgets import QWidget

from guardapp.desktop.kit.fields import Choice, Combo, Field, TextField
from guardapp.desktop.passphrase import SHORTEST
from guardapp.desktop.sheet import Sheet
from guardapp.desktop.vault_tables import type_name
from guardapp.errors import GuardError

if TYPE_CHECKING:
    from guardapp.desktop.page import Services
    from guardapp.desktop.vault_desk import VaultDesk
    from guardapp.vault.keys import KeyType

_OFFERED = ("x25519", "hybrid", "rsa", "signing", "pseudonym")
_LARGEST_KEY = 64 * 1024


def ask_new_key(parent: QWidget, vault: VaultDesk) -> Sheet:
    """A name and what it is for."""
    text = "The private half never leaves the vault unless you export it."
    sheet = Sheet(parent, "ph.key", "New key", text)
    name = TextField("Name", placeholder="for instance: ml-release")
    kind = Combo("What for", [Choice(one, type_name(one), "ph.key") for one in _OFFERED])
    field = Field("Name", name)
    sheet.add_field(field)
    sheet.add_field(Field("What for", kind))

    def refused(error: GuardError) -> None:
        make.setEnabled(True)
        field.show_error(f"{error.what}. {error.next}")

    def create() -> None:
        make.setEnabled(False)
        chosen, of_type = name.text(), cast("KeyType", kind.value)
        vault.act(lambda vault: vault.new_key(chosen, of_type), lambda _: sheet.done(0), refused)

    sheet.add_button("Cancel")
    make = sheet.add_button("Make the key", create, "primary", closes=False, default=True)
    sheet.open()
    name.setFocus()
    return sheet


def read_key_file(path: Path) -> bytes:
    """A key file's bytes. Raises GuardError `window.not-a-key` for one that is too large to be a key."""
    with path.open("rb") as file:
        data = file.read(_LARGEST_KEY + 1)
    if len(data) > _LARGEST_KEY:
        raise GuardError(
            what=f"{path.name} is not a key",
            why="it is larger than any key file",
            next="Choose a file with an age identity, an age recipient or a PEM key.",
            code="window.not-a-key",
        )
    return data


def ask_backup(parent: QWidget, vault: VaultDesk, services: Services, path: Path) -> Sheet:
    """A passphrase for the backup, then the backup, read back."""
    text = "The file holds every key, the budgets and the audit log, encrypted under a passphrase of its own."
    sheet = Sheet(parent, "ph.export", "Back up the vault", text)
    first = Field("Passphrase of the backup", TextField("Passphrase of the backup", secret=True))
    again = Field("The same again", TextField("The same again", secret=True))
    sheet.add_field(first)
    sheet.add_field(again)
    new, repeated = cast(TextField, first.control), cast(TextField, again.control)

    def write() -> None:
        first.clear_error()
        again.clear_error()
        if len(new.text()) < SHORTEST:
            first.show_error("Too short to withstand guessing: use {n} characters or more.", n=SHORTEST)
        elif new.text() != repeated.text():
            again.show_error("The two are not the same. Type it again.")
        else:
            _back_up(vault, services, path, new.text())
            sheet.done(0)

    sheet.add_button("Cancel")
    sheet.add_button("Back up", write, "primary", closes=False, default=True)
    sheet.open()
    new.setFocus()
    return sheet


def _back_up(vault: VaultDesk, services: Services, path: Path, passphrase: str) -> None:
    from guardapp.vault.backup import back_up

    vault.act(
        lambda vault: back_up(vault, path, passphrase),
        lambda count: services.tell("Backed up and read back: {n} keys.", "success", n=count),
    )


def ask_restore(parent: QWidget, vault: VaultDesk, services: Services, path: Path) -> Sheet:
    """The passphrase of a backup; what is here now is set aside, never overwritten."""
    text = "Every key and entry is checked first. The vault that is here now is set aside, and no budget shrinks."
    sheet = Sheet(parent, "ph.clock-counter-clockwise", "Restore a backup", text)
    field = Field("Passphrase of the backup", TextField("Passphrase of the backup", secret=True))
    sheet.add_field(field)
    control = cast(TextField, field.control)

    def refused(error: GuardError) -> None:
        button.setEnabled(True)
        field.show_error(f"{error.what}. {error.next}")

    def restore_it() -> None:
        button.setEnabled(False)
        vault.restore(path, control.text(), lambda: sheet.done(0), refused)

    sheet.add_button("Cancel")
    button = sheet.add_button("Restore", restore_it, "danger", closes=False, default=True)
    sheet.open()
    control.setFocus()
    return sheet
