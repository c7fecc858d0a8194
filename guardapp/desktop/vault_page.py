"""The Vault page: keys and recipients, what protects them, budgets, the audit log, backup."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, cast

from PySide6.QtWidgets import QApplication, QHBoxLayout, QVBoxLayout

from guardapp.desktop.home_cards import BudgetLine
from guardapp.desktop.i18n import Key
from guardapp.desktop.kit.buttons import Button
from guardapp.desktop.kit.fields import Choice, Combo, Field
from guardapp.desktop.kit.labels import Label
from guardapp.desktop.kit.messages import EmptyState, ErrorCard, refill
from guardapp.desktop.kit.steps import Segmented
from guardapp.desktop.kit.surfaces import Card, row
from guardapp.desktop.kit.tables import TableView
from guardapp.desktop.kit.tiles import Chip
from guardapp.desktop.page import Page, Services
from guardapp.desktop.passphrase import set_passphrase
from guardapp.desktop.sheet import confirm
from guardapp.desktop.theme import tokens
from guardapp.desktop.vault_key_sheets import ask_expiry, ask_rotate
from guardapp.desktop.vault_tables import SEALING_TYPES, AuditModel, KeysModel

if TYPE_CHECKING:
    from guardapp.vault.keys import KeyInfo
    from guardapp.vault.ledger import Balance
    from guardapp.vault.store import Vault

_LOCK_AFTER = (5, 15, 60)
"""Minutes that are offered."""

_RECOVERY_HELP = "What is sealed from now on can also be opened with it. Keep its private half somewhere else."


class VaultPage(Page):
    """Reads and changes the vault through `services.vault`; nothing here touches a file."""

    name = "vault"
    title_key = "Vault"

    def __init__(self, services: Services) -> None:
        super().__init__(services)
        self._vault = services.vault
        self.body.setContentsMargins(tokens.space(5), 0, tokens.space(5), tokens.space(5))
        self._budgets_shown: tuple[Balance, ...] | None = None
        self._log_shown = -1
        self._trouble = ErrorCard(closable=False)
        self._trouble.hide()
        self._new = Button("New key…", "primary", "ph.plus")
        self._new.clicked.connect(lambda: self._unlocked(self._new_key))
        self._back_up = Button("Back up…", icon="ph.export")
        self._back_up.clicked.connect(lambda: self._unlocked(self._make_backup))
        self._lock = Button("Lock now", icon="ph.lock-simple")
        self._lock.clicked.connect(self._toggle_lock)
        for button in (self._lock, self._back_up, self._new):
            self.header.tools.addWidget(button)
        left = QVBoxLayout()
        left.setSpacing(tokens.space(4))
        left.addWidget(self._keys_card(), 3)
        left.addWidget(self._log_card(), 2)
        right = QVBoxLayout()
        right.setSpacing(tokens.space(4))
        for card in (self._protection_card(), self._budgets_card()):
            card.setFixedWidth(tokens.width("homeSide"))
            right.addWidget(card)
        right.addStretch(1)
        columns = QHBoxLayout()
        columns.setSpacing(tokens.space(4))
        columns.addLayout(left, 1)
        columns.addLayout(right)
        self.body.addWidget(self._trouble)
        self.body.addLayout(columns, 1)
        self._vault.changed.connect(self._show)
        self._show()

    # -- cards -----------------------------------------------------------------------------------------------------

    def _keys_card(self) -> Card:
        card = Card("Keys", flush=True)
        self.which = Segmented(["My keys", "Recipients"], "Which keys")
        self.which.changed.connect(lambda _: self._show())
        card.tools.addWidget(self.which)
        self.keys = KeysModel()
        self.table = TableView("Keys", self.keys)
        self.table.selectionModel().selectionChanged.connect(lambda *_: self._show_actions())
        empty = "Make a key to open what others seal for you, to sign, or to keep pseudonyms linkable."
        self._empty = EmptyState("ph.key", "No keys yet", empty)
        self._copy = Button("Copy public key", icon="ph.copy", compact=True)
        self._copy.clicked.connect(self._copy_public)
        self._export = Button("Export public key…", icon="ph.export", compact=True)
        self._export.clicked.connect(self._export_public)
        self._import = Button("Import…", icon="ph.download-simple", compact=True)
        self._import.clicked.connect(lambda: self._unlocked(self._ask_import))
        self._delete = Button("Delete…", "danger", "ph.trash", compact=True)
        self._delete.clicked.connect(lambda: self._unlocked(self._ask_delete))
        self._rotate = Button("New key in its place…", icon="ph.key", compact=True)
        self._rotate.clicked.connect(lambda: self._unlocked(self._ask_rotate))
        self._expire = Button("Expires…", icon="ph.clock-counter-clockwise", compact=True)
        self._expire.clicked.connect(lambda: self._unlocked(self._ask_expiry))
        upper = row(self._rotate, self._expire, None, margins=(15, 8, 15, 0))
        foot = row(self._copy, self._export, None, self._delete, self._import, margins=(15, 8, 15, 8))
        card.body.addWidget(self._empty, 1)
        card.body.addWidget(self.table, 1)
        card.body.addLayout(upper)
        card.body.addLayout(foot)
        card.setMinimumHeight(316)
        return card

    def _log_card(self) -> Card:
        card = Card("Audit log", flush=True)
        self._log_state = Chip("Intact", "ph.check-circle", "success")
        card.tools.addWidget(self._log_state)
        self.log = AuditModel()
        self.log_table = TableView("Audit log", self.log)
        card.body.addWidget(self.log_table, 1)
        card.setMinimumHeight(200)
        return card

    def _protection_card(self) -> Card:
        card = Card("Protection")
        self._state = Chip("Locked", "ph.lock-simple")
        card.tools.addWidget(self._state)
        self._note = Label("", "body", "muted", wrap=True)
        self._change = Button("Set a passphrase…", icon="ph.lock-key")
        self._change.clicked.connect(lambda: self._unlocked(lambda: set_passphrase(self.window(), self._vault)))
        minutes = [Choice(str(n), f"Lock after {n} minutes without use") for n in _LOCK_AFTER]
        self._after = Combo("When the vault locks", minutes)
        self._after.picked.connect(self._set_lock_after)
        card.body.addWidget(self._note)
        card.body.addWidget(self._change)
        card.body.addWidget(self._after)
        self.recovery = Combo("Recovery key")
        self.recovery.picked.connect(lambda name: self._unlocked(lambda: self._require_recovery(name)))
        card.body.addWidget(Field("Recovery key", self.recovery, _RECOVERY_HELP))
        self._restore = Button("Restore a backup…", "link", compact=True)
        self._restore.clicked.connect(self._ask_restore)
        card.body.addWidget(self._restore)
        return card

    def _budgets_card(self) -> Card:
        card = Card("Privacy budget")
        self._budgets = QVBoxLayout()
        self._budgets.setSpacing(tokens.space(3))
        card.body.addLayout(self._budgets)
        return card

    # -- what it shows ---------------------------------------------------------------------------------------------

    def _show(self) -> None:
        error = self._vault.error
        self._trouble.setVisible(error is not None)
        if error is not None:
            self._trouble.show_error(error)
        snapshot = self._vault.snapshot
        for button in (self._new, self._back_up, self._lock, self._import, self._change):
            button.setEnabled(snapshot is not None)
        if snapshot is None:
            self._show_actions()
            return
        mine = [key for key in snapshot.keys if key.has_private]
        others = [key for key in snapshot.keys if not key.has_private]
        self.which.say(0, "My keys {n}", n=len(mine))
        self.which.say(1, "Recipients {n}", n=len(others))
        shown = others if self.which.index else mine
        self.keys.show_keys(shown, snapshot.expiries)
        self.table.setVisible(bool(shown))
        self._empty.setVisible(not shown)
        self._show_protection(snapshot.locked, snapshot.protection, snapshot.note, snapshot.lock_after)
        self._show_recovery(snapshot.keys, snapshot.recovery)
        self._show_budgets(snapshot.budgets)
        self._log_state.say("{n} entries, intact" if not snapshot.log_note else "Damaged", n=f"{snapshot.log_count:,}")
        self._log_state.set_tone(
            "danger" if snapshot.log_note else "success", "ph.warning" if snapshot.log_note else "ph.check-circle"
        )
        if snapshot.log_count != self._log_shown:
            self._log_shown = snapshot.log_count
            self._vault.audit_entries(self.log.show_entries)
        self._show_actions()

    def _show_protection(self, locked: bool, protection: str, note: str, lock_after: float) -> None:
        self.header.subtitle.say(note)
        self._note.say(note)
        self._state.say("Locked" if locked else "Unlocked")
        icon = "ph.lock-simple" if locked else "ph.lock-simple-open"
        self._state.set_tone("neutral" if locked else "success", icon)
        by_device = protection == "device"
        self._change.say("Set a passphrase…" if by_device else "Change the passphrase…")
        self._after.setVisible(not by_device)
        self._after.set_value(str(round(lock_after / 60)))
        self._lock.set_icon("ph.lock-simple-open" if locked else "ph.lock-simple")
        self._lock.say("Unlock…" if locked else "Lock now")
        if by_device:
            self._lock.why_disabled("Set a passphrase first: without one nothing could unlock it again.")
        else:
            self._lock.enable()

    def _show_recovery(self, keys: tuple[KeyInfo, ...], required: str) -> None:
        offered = [key.name for key in keys if key.type in SEALING_TYPES]
        if required and required not in offered:
            offered.append(required)
        choices = [Choice("", "No recovery key", "ph.key"), *(Choice(name, name, "ph.key") for name in offered)]
        self.recovery.set_choices(choices, required)

    def _show_budgets(self, budgets: tuple[Balance, ...]) -> None:
        if budgets == self._budgets_shown:
            return
        self._budgets_shown = budgets
        empty = "No dataset has been trained on yet. Private training keeps the account of each here."
        lines = [BudgetLine(balance) for balance in budgets]
        refill(self._budgets, [*lines] or [Label(empty, "small", "muted", wrap=True)])

    def _show_actions(self) -> None:
        chosen = self._chosen()
        for button in (self._copy, self._export):
            button.setEnabled(chosen is not None and bool(chosen.public))
        self._delete.setEnabled(chosen is not None)
        self._expire.setEnabled(chosen is not None and chosen.type != "pseudonym")
        self._rotate.setEnabled(chosen is not None and chosen.has_private and chosen.type != "pseudonym")

    def _chosen(self) -> KeyInfo | None:
        rows = self.table.selected_rows()
        return self.keys.key(rows[0]) if rows and self.table.isVisibleTo(self) else None

    # -- what it does ----------------------------------------------------------------------------------------------

    def _unlocked(self, then: Callable[[], object]) -> None:
        self._vault.unlocked(lambda: cast(None, then()))

    def _toggle_lock(self) -> None:
        if self._vault.locked:
            self._vault.unlocked(lambda: None)
        else:
            self._vault.lock()

    def _set_lock_after(self, minutes: str) -> None:
        seconds = 60.0 * int(minutes)
        self._vault.act(lambda vault: setattr(vault, "lock_after", seconds))

    def _new_key(self) -> None:
        from guardapp.desktop.vault_sheets import ask_new_key

        ask_new_key(self.window(), self._vault)

    def _copy_public(self) -> None:
        chosen = self._chosen()
        if chosen is not None:
            QApplication.clipboard().setText(chosen.public)
            self.services.tell("The public key of {name} is on the clipboard.", "success", name=chosen.name)

    def _export_public(self) -> None:
        chosen = self._chosen()
        if chosen is None:
            return
        name = f"{chosen.name}.{'txt' if chosen.public.startswith('age1') else 'pem'}"
        text = chosen.public.strip() + "\n"
        self.services.choose_target(
            lambda path: self.services.background(lambda: path.write_text(text, encoding="utf-8"), self._exported),
            "Export public key…",
            name,
        )

    def _exported(self, _: object) -> None:
        self.services.tell("The public key was written.", "success")

    def _ask_import(self) -> None:
        self.services.choose_file(self._import_file, "Import a key: age identity or recipient, or PEM")

    def _import_file(self, path: Path) -> None:
        from guardapp.desktop.vault_sheets import read_key_file

        self._vault.act(lambda vault: vault.import_key(path.stem[:64], read_key_file(path)))

    def _ask_rotate(self) -> None:
        chosen = self._chosen()
        if chosen is not None:
            ask_rotate(self.window(), self._vault, self.services, chosen.name)

    def _ask_expiry(self) -> None:
        chosen, snapshot = self._chosen(), self._vault.snapshot
        if chosen is not None and snapshot is not None:
            ask_expiry(self.window(), self._vault, chosen.name, snapshot.expiries.get(chosen.name))

    def _require_recovery(self, name: str) -> None:
        def require(vault: Vault) -> None:
            from guardapp.vault.rules import require_recovery

            require_recovery(vault, name)

        self._vault.act(require)

    def _ask_delete(self) -> None:
        chosen = self._chosen()
        if chosen is None:
            return
        name = chosen.name
        self.services.background(
            lambda: self._vault.vault().what_is_lost(name),
            lambda lost: confirm(
                self.window(),
                "Delete the key {name}?",
                "{lost}",
                "Delete the key",
                lambda: self._vault.act(lambda vault: vault.delete(name)),
                icon="ph.trash",
                name=name,
                lost=Key(lost),
            ),
        )

    def _make_backup(self) -> None:
        from guardapp.desktop.vault_sheets import ask_backup

        self.services.choose_target(
            lambda path: ask_backup(self.window(), self._vault, self.services, path),
            "Where to keep the backup",
            "guardapp-vault.backup",
        )

    def _ask_restore(self) -> None:
        from guardapp.desktop.vault_sheets import ask_restore

        self.services.choose_file(
            lambda path: ask_restore(self.window(), self._vault, self.services, path), "Restore a backup…"
        )
