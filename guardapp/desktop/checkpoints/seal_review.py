"""Before a file is sealed: what will happen, who can open it, and where the result goes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from guardapp.desktop.checkpoints.flow import Flow
from guardapp.desktop.checkpoints.recipients import Recipient
from guardapp.desktop.kit import Card, CheckLine, Chip, Field, Label, TextField, clear
from guardapp.desktop.theme import tokens


class SealReview(QWidget):
    """folder_of(name): where the results of a job of that name would go."""

    def __init__(self, folder_of: Callable[[str], Path]) -> None:
        super().__init__()
        self._folder_of = folder_of
        self._steps = QVBoxLayout()
        self._steps.setSpacing(tokens.space(1))
        what = Card("What will happen")
        what.body.addLayout(self._steps)
        what.body.addStretch(1)
        who = Card("Who can open it")
        self._chips = Flow()
        who.body.addWidget(self._chips)
        text = "Nobody else can, you included, unless your own key is among them. There is no way to recover it."
        who.body.addWidget(Label(text, "small", "muted", wrap=True))
        self.name = TextField("Name of the job")
        self.name.setMaxLength(100)
        self.name.textChanged.connect(self._say_folder)
        self.folder = Label("", "small", "muted", wrap=True)
        where = Card("Where the result goes")
        where.body.addWidget(Field("Name", self.name))
        where.body.addWidget(self.folder)
        side = QVBoxLayout()
        side.setSpacing(tokens.space(4))
        side.addWidget(who)
        side.addWidget(where)
        side.addStretch(1)
        line = QHBoxLayout(self)
        line.setContentsMargins(0, 0, 0, 0)
        line.setSpacing(tokens.space(4))
        line.addWidget(what, 3)
        line.addLayout(side, 2)

    def show_plan(
        self,
        path: Path,
        sealed_name: str,
        recipients: Sequence[Recipient],
        options: tuple[bool, bool, bool],
        left_out: Sequence[str],
        *,
        each: bool = False,
    ) -> None:
        """options: convert, verify, flush; each: every file of the folder by itself"""
        convert, verify, flush = options
        clear(self._steps)
        if each:
            text = "Checkpoints are loaded safely first, and only their tensors are kept." if convert else "As it is."
            self._steps.addWidget(CheckLine("done", "Each file in {file} is sealed by itself", text, file=path.name))
        elif convert:
            text = "Only its tensors are kept, as safetensors."
            self._steps.addWidget(CheckLine("done", "{file} is loaded safely", text, file=path.name))
            if left_out:
                names = ", ".join(left_out[:8]) + (" …" if len(left_out) > 8 else "")
                self._steps.addWidget(CheckLine("amberFlag", "This is left out", "{names}", names=names))
        text = "With a new key for this file alone, which only the recipients' keys unwrap."
        self._steps.addWidget(CheckLine("done", "It is encrypted as {file}", text, file=sealed_name))
        if verify:
            self._steps.addWidget(CheckLine("done", "It is read back", "Every byte is decrypted and compared."))
        else:
            self._steps.addWidget(CheckLine("amberFlag", "It is not read back", "You switched this off."))
        if not flush:
            text = "A power cut right after the job could lose the file."
            self._steps.addWidget(CheckLine("amberFlag", "It is not waited for the disk", text))
        text = "Delete it yourself where it should not lie about unprotected."
        self._steps.addWidget(CheckLine("amberFlag", "The original stays as it is", text))
        chips: list[QWidget] = []
        for recipient in recipients:
            chip = Chip("", recipient.icon)
            chip.put(recipient.label)
            chips.append(chip)
        self._chips.fill(chips)
        self.name.setText(f"seal {path.name}"[:100])
        self._say_folder()

    def _say_folder(self) -> None:
        self.folder.say("New folder: {folder}", folder=str(self._folder_of(self.name.text().strip() or "seal")))
