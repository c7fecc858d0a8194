"""For whom a sealed file is now: chips by number and kind, each to be taken out and put back."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QWidget

from guardapp.desktop.checkpoints.flow import Flow
from guardapp.desktop.checkpoints.recipients import KIND_ICONS, KIND_WORDS
from guardapp.desktop.i18n import Key, call_it
from guardapp.desktop.kit import Button, Card, Chip, Label, row


class PresentRecipients(Card):
    """changed(): somebody was taken out or put back."""

    changed = Signal()

    def __init__(self) -> None:
        super().__init__("Who can open it now")
        self.count = Label("", "small", "muted")
        self.tools.addWidget(self.count)
        self._kinds: Sequence[str] = ()
        self._all_leave = False
        self.removed: set[int] = set()
        self.flow = Flow()
        self.back = Button("Put all back", "link", "ph.arrow-counter-clockwise")
        self.back.clicked.connect(self.put_back)
        self._note = Label("", "small", "muted", wrap=True)
        self.body.addWidget(self.flow)
        self.body.addWidget(self._note)
        self.body.addLayout(row(self.back, None))

    def show_kinds(self, kinds: Sequence[str]) -> None:
        """kinds: of the stanzas, in file order."""
        self._kinds, self.removed = kinds, set()
        self._show()

    def set_all_leave(self, all_leave: bool) -> None:
        """With a new key nobody stays by himself."""
        self._all_leave = all_leave
        self._show()

    @property
    def staying(self) -> int:
        return 0 if self._all_leave else len(self._kinds) - len(self.removed)

    def put_back(self) -> None:
        self.removed = set()
        self._changed()

    def _remove(self, number: int) -> None:
        self.removed.add(number)
        self._changed()

    def _changed(self) -> None:
        self._show()
        (self.back if self.removed else self.flow.widgets()[0]).setFocus()
        self.changed.emit()

    def _show(self) -> None:
        chips: list[QWidget] = []
        for number, kind in enumerate(self._kinds, 1):
            if number in self.removed and not self._all_leave:
                continue
            words = Key(KIND_WORDS.get(kind, "Unknown kind"))
            chip = Chip(
                "{n} · {kind}", KIND_ICONS.get(kind, "ph.key"), n=number, kind=words, removable=not self._all_leave
            )
            if not self._all_leave:
                call_it(chip, "{n} · {kind}: press Delete to remove", n=number, kind=words)
            chip.removed.connect(partial(self._remove, number))
            chips.append(chip)
        self.flow.fill(chips)
        self.flow.setVisible(bool(chips))
        self.count.say("{n} of {total} stay", n=self.staying, total=len(self._kinds))
        self.back.setVisible(bool(self.removed) and not self._all_leave)
        self._note.say(_NOBODY_STAYS if self._all_leave else _NOT_WHOSE)


_NOT_WHOSE = "The file tells what kind of key opens it, not whose it is: in the order in which they were added."
_NOBODY_STAYS = "With a new key none of them stays: name everybody who shall open it."
