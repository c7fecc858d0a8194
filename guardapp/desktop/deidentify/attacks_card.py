"""What attacks on a release found, before it was let go: those that succeeded first, with their worst rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from PySide6.QtWidgets import QVBoxLayout

from guardapp.deid.attacks.report import TITLES
from guardapp.desktop import wording
from guardapp.desktop.i18n import Key
from guardapp.desktop.kit import Card, CheckLine, Label, refill
from guardapp.desktop.theme import tokens

_NOTE = "What withstands these attacks is not proven to withstand others."


class AttacksCard(Card):
    """Hidden for a release that was made before there were attacks."""

    def __init__(self) -> None:
        super().__init__("Attacked before release")
        self.lines = QVBoxLayout()
        self.lines.setSpacing(tokens.space(2))
        self.body.addLayout(self.lines)
        self._idle = Label("", "body", "muted", wrap=True)
        self.body.addWidget(self._idle)
        self.body.addWidget(Label(_NOTE, "body", "muted", wrap=True))

    def show_attacks(self, attacks: Sequence[dict[str, Any]]) -> int:
        """Returns how many succeeded."""
        succeeded = [attack for attack in attacks if attack["outcome"] == "succeeded"]
        withstood = [attack for attack in attacks if attack["outcome"] == "withstood"]
        refill(self.lines, [_line(attack) for attack in [*succeeded, *withstood]])
        idle = len(attacks) - len(succeeded) - len(withstood)
        self._idle.setVisible(idle > 0)
        self._idle.say("{n} further attacks found nothing that they could be tried on.", n=wording.number(idle))
        self.setVisible(bool(attacks))
        return len(succeeded)


def _line(attack: dict[str, Any]) -> CheckLine:
    title, sentence = TITLES.get(str(attack["name"]), str(attack["name"])), str(attack["sentence"])
    if attack["outcome"] != "succeeded":
        return CheckLine("done", title, sentence)
    rows = ", ".join(wording.number(int(row)) for row in attack["rows"][:8])
    if not rows:
        return CheckLine("redFlag", title, sentence)
    return CheckLine("redFlag", title, "{sentence}. Rows: {rows}", sentence=Key(sentence), rows=rows)
