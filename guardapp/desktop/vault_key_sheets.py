"""What may be done with a key that is there: a new one in its place, and a last day."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

from PySide6.QtWidgets import QWidget

from guardapp.desktop.kit.fields import Field, TextField
from guardapp.desktop.sheet import Sheet
from guardapp.errors import GuardError

if TYPE_CHECKING:
    from guardapp.desktop.page import Services
    from guardapp.desktop.vault_desk import VaultDesk
    from guardapp.vault.store import Vault


def ask_rotate(parent: QWidget, vault: VaultDesk, services: Services, name: str) -> Sheet:
    """Whether to make a new key under the name of an old one, which is kept."""

    def rotate(vault: Vault) -> str:
        from guardapp.vault.rules import rotate

        return rotate(vault, name)[1].name

    def done(old: object) -> None:
        services.tell("{name} is a new key. The old one is now {old}.", "success", name=name, old=old)

    text = "The old key is kept under another name, to open what it opened. What was sealed for it stays so."
    sheet = Sheet(parent, "ph.key", "Make a new key in the place of {name}?", text, name=name)
    sheet.add_button("Cancel")
    sheet.add_button("Make the new key", lambda: vault.act(rotate, done), "primary", default=True)
    sheet.open()
    return sheet


def ask_expiry(parent: QWidget, vault: VaultDesk, name: str, last: date | None) -> Sheet:
    """The last day on which the key seals or signs something new; none for a key that stays."""
    text = "After this day (UTC) nothing new is sealed to the key or signed with it. Opening stays allowed."
    sheet = Sheet(parent, "ph.clock-counter-clockwise", "When {name} expires", text, name=name)
    day = TextField("Last day", placeholder="2027-12-31")
    day.setText(last.isoformat() if last else "")
    field = Field("Last day", day, "As year-month-day. Leave it empty for a key that does not expire.")
    sheet.add_field(field)

    def refused(error: GuardError) -> None:
        button.setEnabled(True)
        field.show_error(f"{error.what}. {error.next}")

    def write() -> None:
        field.clear_error()
        try:
            chosen = date.fromisoformat(day.text().strip()) if day.text().strip() else None
        except ValueError:
            field.show_error("This is no day. Write it as 2027-12-31.")
            return
        button.setEnabled(False)

        def expire(vault: Vault) -> None:
            from guardapp.vault.rules import set_expiry

            set_expiry(vault, name, chosen)

        vault.act(expire, lambda _: sheet.done(0), refused)

    sheet.add_button("Cancel")
    button = sheet.add_button("Set the day", write, "primary", closes=False, default=True)
    sheet.open()
    day.setFocus()
    return sheet
