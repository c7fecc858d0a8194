"""Who will be able to open it: chips, and four ways to add one: a vault key, a pasted key, a key file, a passphrase."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QWidget

from guardapp.desktop.checkpoints.flow import Flow
from guardapp.desktop.i18n import Key, call_it, tr
from guardapp.desktop.kit import Button, Card, Chip, Choice, Combo, Field, IconLabel, Label, TextField, row
from guardapp.desktop.typed_secrets import PREFIX
from guardapp.desktop.vault_tables import SEALING_TYPES

if TYPE_CHECKING:
    from guardapp.desktop.child_session import ChildSession
    from guardapp.desktop.page import Services
    from guardapp.errors import GuardError
    from guardapp.vault.keys import KeyInfo

KIND_WORDS = {
    "X25519": "age key",
    "mlkem768x25519": "Hybrid age key",
    "RSA-OAEP": "RSA key",
    "argon2id": "Passphrase",
    "scrypt": "Passphrase",
}
"""What a recipient's stanza is for, an English key."""

KIND_ICONS = {"argon2id": "ph.lock-key", "scrypt": "ph.lock-key"}
"""The icons of those that are no keys."""

_PATH_ENDINGS = (".pem", ".pub", ".txt")


class Recipient(NamedTuple):
    """Somebody who may open it.

    text:  as the spec takes it: a vault key's name, `age1…` or PEM, or the handle of a typed passphrase
    label: on the chip
    mine:  the private half is in the vault
    """

    text: str
    label: str
    icon: str
    mine: bool = False


def of_vault(key: KeyInfo) -> Recipient:
    """A vault key by its name, or by itself where its name would be taken for a file's."""
    text = key.public if key.name.endswith(_PATH_ENDINGS) else key.name
    return Recipient(text, key.name, "ph.user" if key.has_private else "ph.users", key.has_private)


def short(text: str) -> str:
    """How a recipient of a spec is shown where its label is not known."""
    if text.startswith("-----BEGIN"):
        return "RSA"
    return f"{text[:10]}…{text[-4:]}" if text.startswith("age1") and len(text) > 20 else text


def kind_chips(kinds: Sequence[str]) -> list[QWidget]:
    """What a sealed file tells of its recipients: only for what kind of key each is."""
    made: list[QWidget] = []
    for kind in dict.fromkeys(kinds):
        count = sum(one == kind for one in kinds)
        words = Key(KIND_WORDS.get(kind, "Unknown kind"))
        text = "{kind} × {n}" if count > 1 else "{kind}"
        made.append(Chip(text, KIND_ICONS.get(kind, "ph.key"), kind=words, n=count))
    return made


class RecipientsCard(Card):
    """changed(): somebody was added or removed.

    alone: whether nobody else can open it; False where they come in addition to others
    """

    changed = Signal()

    def __init__(self, services: Services, session: ChildSession) -> None:
        super().__init__("Who can open it")
        self._services, self._session = services, session
        self.chosen: list[Recipient] = []
        self.alone = True
        self._begun = False
        self.flow = Flow()
        self.nobody = Label("Nobody yet. Add at least one key.", "body", "muted", wrap=True)
        self.locked_out = IconLabel(
            "ph.warning", "None of these keys is yours: you could not open it again.", "warning"
        )
        self.vault_keys = Combo("Add a key from the vault")
        self.vault_keys.picked.connect(self._add_from_vault)
        self.new_key = Button("New key…", icon="ph.plus")
        self.new_key.clicked.connect(self._make_key)
        self.paste = TextField("Paste a public key", placeholder="age1…")
        self.paste.returnPressed.connect(self._add_pasted)
        self.pasted = Field("Paste a public key", self.paste)
        self.add = Button("Add", icon="ph.plus")
        self.add.clicked.connect(self._add_pasted)
        self.file = Button("Key file…", icon="ph.folder-open")
        self.file.clicked.connect(lambda: services.choose_file(self.add_file, "Choose a public key: age or PEM"))
        self.passphrase = Button("Passphrase…", icon="ph.lock-key")
        self.passphrase.clicked.connect(self._ask_passphrase)
        self.body.addWidget(self.flow)
        self.body.addWidget(self.nobody)
        self.body.addWidget(self.locked_out)
        first = row(self.vault_keys, self.new_key, self.passphrase, None)
        first.setStretch(0, 100)
        second = row(self.pasted, self.add, self.file)
        second.setStretch(0, 1)
        for button in (self.add, self.file):
            second.setAlignment(button, Qt.AlignmentFlag.AlignTop)
            button.setContentsMargins(0, 0, 0, 0)
        self.pasted.label.hide()
        self.body.addLayout(first)
        self.body.addLayout(second)
        services.vault.changed.connect(self._show_vault)
        self._show()

    # -- what is chosen --------------------------------------------------------------------------------------------

    @property
    def texts(self) -> list[str]:
        """The keys, for the spec."""
        return [recipient.text for recipient in self.chosen if not recipient.text.startswith(PREFIX)]

    @property
    def typed(self) -> str:
        """The handle of the typed passphrase, for the spec; "" for none."""
        return next((recipient.text for recipient in self.chosen if recipient.text.startswith(PREFIX)), "")

    def begin(self) -> None:
        """For a new file: oneself, where the vault has a key, so that nobody locks himself out by accident."""
        self.chosen, self._begun = [], False
        self._show_vault()

    def set_alone(self, alone: bool) -> None:
        self.alone = alone
        self.title.say("Who can open it" if alone else "Who can open it, too")
        self._show_vault()

    def put(self, recipient: Recipient) -> None:
        """Add one, once."""
        if all(recipient.text != one.text for one in self.chosen):
            self.chosen.append(recipient)
            self._show()
            self.changed.emit()

    def remove(self, recipient: Recipient) -> None:
        self.chosen = [one for one in self.chosen if one.text != recipient.text]
        self._show()
        self.vault_keys.setFocus()
        self.changed.emit()

    def _show(self) -> None:
        chips: list[QWidget] = []
        for recipient in self.chosen:
            chip = Chip("", recipient.icon, removable=True)
            chip.put(recipient.label)
            call_it(chip, "{name}: press Delete to remove", name=recipient.label)
            chip.removed.connect(partial(self.remove, recipient))
            chips.append(chip)
        self.flow.fill(chips)
        self.flow.setVisible(bool(chips))
        self.nobody.setVisible(not chips and self.alone)
        self.locked_out.setVisible(bool(chips) and self.alone and not any(one.mine for one in self.chosen))
        text = "1 recipient" if len(chips) == 1 else "{n} recipients"
        self.note.say(text, n=len(chips)) if chips else self.note.put("")
        self.passphrase.setEnabled(not self.typed)
        self._offer()

    def _offer(self) -> None:
        offered = [Choice("", "Add a key from the vault…", "ph.plus")]
        names = {one.label for one in self.chosen}
        keys = [key for key in self._keys() if key.name not in names]
        offered += [Choice(key.name, key.name, "ph.user" if key.has_private else "ph.users") for key in keys]
        self.vault_keys.set_choices(offered, "")
        self.vault_keys.setCurrentIndex(0)
        self.vault_keys.setVisible(bool(self._keys()))

    def _keys(self) -> list[KeyInfo]:
        snapshot = self._services.vault.snapshot
        keys = [key for key in snapshot.keys if key.type in SEALING_TYPES] if snapshot is not None else []
        return sorted(keys, key=lambda key: SEALING_TYPES.index(key.type))

    def _show_vault(self) -> None:
        if self._services.vault.snapshot is not None and not self._begun and self.alone:
            self._begun = True
            own = [key for key in self._keys() if key.has_private]
            if own and not self.chosen:
                self.put(of_vault(own[0]))
        self._show()

    # -- adding ----------------------------------------------------------------------------------------------------

    def _add_from_vault(self, name: str) -> None:
        for key in self._keys():
            if key.name == name:
                self.put(of_vault(key))

    def _make_key(self) -> None:
        from guardapp.desktop.vault_sheets import ask_new_key

        known = {key.name for key in self._keys()}
        self._begun = bool(self.chosen) or bool(known)

        def ask() -> None:
            ask_new_key(self.window(), self._services.vault)

        self._services.vault.unlocked(ask)

    def _ask_passphrase(self) -> None:
        from guardapp.desktop.checkpoints.passphrase_sheet import ask_recipient_passphrase

        def use(passphrase: str) -> None:
            self.put(Recipient(self._services.typed.keep(passphrase), tr("Passphrase"), "ph.lock-key", mine=True))

        ask_recipient_passphrase(self.window(), use)

    def _add_pasted(self) -> None:
        text = self.paste.text().strip()
        if not text:
            return
        self._session.ask({"do": "recipients", "text": text}, self._take_pasted, self._refuse)

    def add_file(self, path: Path) -> None:
        """Everybody in a key file."""
        self._session.ask({"do": "recipients", "path": str(path)}, partial(self._take, path.stem), self._refuse)

    def _take_pasted(self, found: dict[str, Any]) -> None:
        self.paste.clear()
        self._take("", found)

    def _take(self, name: str, found: dict[str, Any]) -> None:
        self.pasted.clear_error()
        for one in found["recipients"]:
            label = name if name and len(found["recipients"]) == 1 else short(one["text"])
            known = next((key for key in self._keys() if key.public.strip() == one["text"].strip()), None)
            self.put(of_vault(known) if known else Recipient(one["text"], label, "ph.key"))

    def _refuse(self, error: GuardError) -> None:
        self.pasted.show_error(f"{error.what}. {error.next}")
