"""Asking for a passphrase that will also open a sealed file. What is typed stays in the memory of this process."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

from PySide6.QtWidgets import QVBoxLayout, QWidget

from guardapp.desktop.checkpoints.strength import STRONG_BITS, bits, level
from guardapp.desktop.i18n import Key
from guardapp.desktop.kit import Field, Label, ProgressBar, TextField
from guardapp.desktop.passphrase import SHORTEST
from guardapp.desktop.sheet import Sheet
from guardapp.desktop.theme import tokens

_TONES = {"weak": "danger", "fair": "warning", "strong": "success"}
_WORDS = {
    "weak": "Weak: a computer guesses it soon",
    "fair": "Fair: enough where few will try",
    "strong": "Strong",
}


class StrengthMeter(QWidget):
    """A bar and a sentence, for a passphrase that is being typed."""

    def __init__(self) -> None:
        super().__init__()
        self.bar = ProgressBar("Strength of the passphrase")
        self.words = Label("", "small", "muted", wrap=True)
        lines = QVBoxLayout(self)
        lines.setContentsMargins(0, 0, 0, 0)
        lines.setSpacing(tokens.space(1))
        lines.addWidget(self.bar)
        lines.addWidget(self.words)
        self.measure("")

    def measure(self, passphrase: str) -> None:
        if not passphrase:
            self.bar.set_value(None)
            self.words.say("Five or more random words are good.")
            return
        found = bits(passphrase)
        self.bar.set_value(found / STRONG_BITS, _TONES[level(passphrase)])
        self.words.say("{strength} (about {n} bits)", strength=Key(_WORDS[level(passphrase)]), n=round(found))


def ask_recipient_passphrase(parent: QWidget, then: Callable[[str], None]) -> Sheet:
    """A passphrase, typed twice, with its strength; then `then(passphrase)`."""
    sheet = Sheet(
        parent,
        "ph.lock-key",
        "A passphrase that opens it",
        "Whoever knows it can open the file, on any computer. It is kept only until this window is closed: "
        "if you forget it, nobody can tell it to you.",
    )
    first = Field("Passphrase", TextField("Passphrase", secret=True))
    meter = StrengthMeter()
    again = Field("The same again", TextField("The same again", secret=True))
    for field in (first, meter, again):
        sheet.add_field(field)
    new, repeated = cast(TextField, first.control), cast(TextField, again.control)
    new.textChanged.connect(meter.measure)

    def check() -> None:
        first.clear_error()
        again.clear_error()
        if len(new.text()) < SHORTEST:
            first.show_error("Too short to withstand guessing: use {n} characters or more.", n=SHORTEST)
        elif new.text() != repeated.text():
            again.show_error("The two are not the same. Type it again.")
        else:
            typed = new.text()
            new.clear()
            repeated.clear()
            sheet.done(0)
            then(typed)

    sheet.add_button("Cancel")
    sheet.add_button("Use it", check, "primary", closes=False, default=True)
    sheet.open()
    new.setFocus()
    return sheet
