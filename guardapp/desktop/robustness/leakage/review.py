"""Before a leakage check is queued: what is compared, what the result will say and what not, and where it goes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from guardapp.desktop import wording
from guardapp.desktop.kit import clear
from guardapp.desktop.robustness.finding import model_label
from guardapp.desktop.robustness.leakage.finding import examples_label
from guardapp.desktop.robustness.leakage.settings_step import NAMES
from guardapp.desktop.robustness.review import Review


class LeakReview(Review):
    """As the review of an attack."""

    SAYS = (
        ("done", "How well members are told from others", "AUC with a 95 % interval, and the rates at few errors."),
        ("done", "Whether a promised ε holds", "Only a contradiction is sure; that none is found proves nothing."),
        ("amberFlag", "No proof", "A cleverer attacker may learn more: the figures are lower bounds."),
    )

    def show_document(self, spec: Mapping[str, Any], name: str) -> None:
        clear(self._figures)
        self._add("Model", model_label(spec))
        self._add("Examples", examples_label(spec))
        same = spec["members"].get("part") == "train"
        self._say("Where the non-members are", "in the same file: the rows held back" if same else _OWN)
        self._add("Members at most", wording.number(int(spec["limit"])))
        references = int(spec["references"])
        attacker = "loss" if spec["compare"] == "online" and not references else str(spec["compare"])
        self._say("What the attacker compares with", NAMES[attacker])
        if references:
            self._add("Reference models", str(references))
        claim = spec.get("claim")
        if claim:
            self._add("What was promised", f"ε = {claim['epsilon']:g}, δ = {claim['delta']:g}")
        else:
            self._say("What was promised", "what the training's statement says")
        self.name.setText(name)
        self._say_folder()


_OWN = "in a file of their own"
