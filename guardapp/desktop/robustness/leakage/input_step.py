"""Input of a leakage check: the model, the examples that it was trained on, and others that it was not."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from guardapp.desktop.kit import Card, Choice, Field, FileField
from guardapp.desktop.robustness.input_step import IMAGES, InputStep


class LeakInput(InputStep):
    """As the input of an attack, with two sides of examples instead of one."""

    PARTS: ClassVar[tuple[Choice, ...]] = (
        Choice("split", "in the same file: the rows held back"),
        Choice("files", "in a file of their own"),
    )
    PARTS_TITLE: ClassVar[str] = "Where the non-members are"
    SPLIT: ClassVar[str] = "split"
    SAMPLE: ClassVar[tuple[str, str]] = (
        "Queues two jobs: it trains the sample model on bundled pictures of digits, then tries to tell which of them "
        "it was trained on.",
        "Chooses the sample model that you have trained: its training pictures, and those that it held back.",
    )

    def _data_card(self) -> Card:
        card = super()._data_card()
        card.title.say("Members and non-members")
        self.others = FileField("Non-members", self._choose("Choose the non-members…"), "ph.file")
        self.others_labels = FileField("Labels of the non-members", self._choose("Choose labels…"), "ph.tag")
        for field in (self.others, self.others_labels):
            field.chosen.connect(lambda _: self.changed.emit())
        self._others_field = Field("Non-members, a file of the same kind", self.others)
        self._others_labels_field = Field(
            "Labels of the non-members", self.others_labels, "Only where they are in a file of their own."
        )
        # above what the card keeps free at its foot
        for labelled in (self._others_field, self._others_labels_field):
            card.body.insertWidget(card.body.count() - 2, labelled)
        return card

    def _show_parts(self) -> None:
        super()._show_parts()
        files = self.part.value == "files"
        self._others_field.setVisible(files)
        self._others_labels_field.setVisible(files and self.kind.index == IMAGES)

    @property
    def document_begun(self) -> bool:
        return super().document_begun or self.others.path is not None

    def why_not(self) -> str:
        reason = super().why_not()
        if not reason and self.part.value == "files" and self.others.path is None:
            return "Choose the examples that the model was not trained on."
        return reason

    def document(self) -> dict[str, Any]:
        """`model`, `members` and `non_members` of the spec; only when `why_not` is silent."""
        found = super().document()
        data = {name: value for name, value in found["data"].items() if name != "part"}
        if self.part.value == "split":
            sides = {"members": {**data, "part": "train"}, "non_members": {**data, "part": "test"}}
        else:
            others = {name: value for name, value in data.items() if name not in ("images", "labels", "table")}
            others["images" if self.kind.index == IMAGES else "table"] = str(self.others.path)
            if self.kind.index == IMAGES and self.others_labels.path is not None:
                others["labels"] = str(self.others_labels.path)
            sides = {"members": {**data, "part": "all"}, "non_members": {**others, "part": "all"}}
        return {"model": found["model"], **sides}

    def show_sides(self, members: Mapping[str, Any], others: Mapping[str, Any], preset: str = "") -> None:
        """Fill in both sides; `preset` names the training that they come from."""
        same = all(members.get(name) == others.get(name) for name in ("images", "table", "labels"))
        self.show_data(members, preset)
        if preset:
            text = "Members are the rows that {name} was trained on, non-members those that it held back."
            self._preset_line.say(text, name=preset)
        self.part.set_value("split" if same else "files")
        other, labels = others.get("images") or others.get("table"), others.get("labels")
        self.others.set_path(None if same or not other else Path(str(other)))
        self.others_labels.set_path(None if same or not labels else Path(str(labels)))
        self._show_parts()
        self.changed.emit()
