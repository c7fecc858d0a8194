"""The keys and the audit log as tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import TYPE_CHECKING

from guardapp.desktop import wording
from guardapp.desktop.i18n import tr
from guardapp.desktop.kit.tables import Cell, Column, TableModel

if TYPE_CHECKING:
    from guardapp.vault.chain import Entry
    from guardapp.vault.keys import KeyInfo

_TYPES = {
    "x25519": ("ph.lock-key", "Sealing (X25519)"),
    "hybrid": ("ph.lock-key", "Sealing (hybrid)"),
    "rsa": ("ph.lock-key", "Sealing (RSA)"),
    "signing": ("ph.pen-nib", "Signing (P-256)"),
    "pseudonym": ("ph.key", "Pseudonyms"),
}
SEALING_TYPES = ("x25519", "hybrid", "rsa")
"""Keys that something can be sealed to."""

_EVENTS = {
    "key-made": "A key was made",
    "key-imported": "A key was imported",
    "key-exported": "A private key was exported",
    "key-deleted": "A key was deleted",
    "key-rotated": "A key was rotated",
    "rule-set": "A rule was set",
    "vault-unlocked": "The vault was unlocked",
    "vault-protection-changed": "The protection was changed",
    "backup-made": "The vault was backed up",
    "backup-restored": "The vault was restored",
    "signed": "A folder was signed",
    "tokens-revealed": "Tokens were revealed",
    "budget-set": "A budget was set",
    "datasets-linked": "Datasets were linked",
    "job-done": "A job was done",
    "job-failed": "A job failed",
    "job-cancelled": "A job was cancelled",
}
_ROOMY = 800
"""From this width on, a table shows what matters less, too: since when a key is there, who did it."""

_FINGERPRINT = 300
"""Eight groups of four in the font for letters, whole: a fingerprint that is cut cannot be compared."""


def type_name(kind: str) -> str:
    """What a type of key is for, as an English key."""
    return _TYPES.get(kind, ("", kind))[1]


def event_name(event: str) -> str:
    """What an event of the audit log was, as an English key."""
    return _EVENTS.get(event, event)


class KeysModel(TableModel):
    """Keys by name, with their last day: what for, fingerprint, since when."""

    def __init__(self) -> None:
        super().__init__(
            [
                Column("Name"),
                Column("For", width=140),
                Column("Fingerprint", width=_FINGERPRINT),
                Column("Since", width=140, needs=_ROOMY),
            ]
        )
        self._keys: list[KeyInfo] = []
        self._expiries: dict[str, date] = {}

    def show_keys(self, keys: Sequence[KeyInfo], expiries: Mapping[str, date]) -> None:
        if list(keys) == self._keys and expiries == self._expiries:
            return
        self.beginResetModel()
        self._keys, self._expiries = list(keys), dict(expiries)
        self.endResetModel()

    def key(self, row: int) -> KeyInfo | None:
        return self._keys[row] if 0 <= row < len(self._keys) else None

    def row_total(self) -> int:
        return len(self._keys)

    def cell(self, row: int, column: int) -> Cell | None:
        key = self._keys[row]
        if column == 0:
            last = self._expiries.get(key.name)
            name = tr("{name} (expires {day})", name=key.name, day=last.isoformat()) if last else key.name
            return Cell(name, icon=_TYPES.get(key.type, ("ph.key", ""))[0], strong=True)
        if column == 1:
            return Cell(tr(type_name(key.type)), color="muted")
        if column == 2:
            return Cell(key.fingerprint, mono=True)
        return Cell(wording.date(datetime.fromisoformat(key.created).astimezone()), color="muted")


class AuditModel(TableModel):
    """The latest acts, newest first."""

    def __init__(self) -> None:
        super().__init__(
            [
                Column("When", width=176),
                Column("What", width=192),
                Column("Of"),
                Column("By", width=140, needs=_ROOMY),
                Column("No.", numeric=True, width=72),
            ]
        )
        self._entries: list[Entry] = []

    def show_entries(self, entries: Sequence[Entry]) -> None:
        self.beginResetModel()
        self._entries = list(reversed(entries))
        self.endResetModel()

    def row_total(self) -> int:
        return len(self._entries)

    def cell(self, row: int, column: int) -> Cell | None:
        entry = self._entries[row]
        if column == 0:
            when = datetime.fromisoformat(entry.time).astimezone()
            return Cell(f"{wording.date(when)} {when:%H:%M}", color="muted")
        if column == 1:
            return Cell(tr(event_name(entry.event)))
        if column == 2:
            return Cell(entry.subject, strong=True)
        if column == 3:
            return Cell(str(entry.facts.get("by", "")), color="muted")
        return Cell(wording.number(entry.number), color="muted")
