"""What a bundle's passport states, in short. It is the signer's statement: that it agrees with the files is a check."""

from __future__ import annotations

from typing import Any

from PySide6.QtWidgets import QVBoxLayout

from guardapp.desktop import wording
from guardapp.desktop.job_kinds import look
from guardapp.desktop.kit import Card, FigureLine, IconLabel, Label, clear
from guardapp.desktop.theme import tokens


class PassportCard(Card):
    """Hidden where there is no passport."""

    def __init__(self) -> None:
        super().__init__("What the passport states")
        self._count = Label("", "small", "muted")
        self.tools.addWidget(self._count)
        self._lines = QVBoxLayout()
        self._lines.setSpacing(tokens.space(1))
        self.body.addLayout(self._lines)
        self.hide()

    def show_passport(self, found: dict[str, Any] | None) -> None:
        """As the session's `passport` answers."""
        self.setVisible(found is not None)
        clear(self._lines)
        if found is None:
            return
        jobs = found["jobs"]
        self._count.say("1 job" if len(jobs) == 1 else "{n} jobs", n=len(jobs))
        icon, text, color = ("ph.link", "One unbroken chain", "success")
        if not found["chained"]:
            icon, text, color = ("ph.warning", "Not one chain: some jobs share no file", "warning")
        self._lines.addWidget(IconLabel(icon, text, color))
        for job in jobs:
            line = FigureLine(look(job["kind"]).title)
            line.put(job["name"])
            self._lines.addWidget(line)
        for one in found["protection"]:
            if one["k"] is not None:
                self._figure("k, smallest group", wording.number(one["k"]))
        for one in found["training"]:
            if one["epsilon"] is not None:
                delta = f" · δ = {one['delta']:g}" if one["delta"] is not None else ""
                self._figure("Privacy of the training data", f"ε = {one['epsilon']:.3g}{delta}")
        for one in found["robustness"]:
            if one["clean_accuracy"] is not None:
                self._figure("Accuracy without attack", wording.percent(one["clean_accuracy"], 1))
        self._figure("Sealed files", str(len(found["sealed"])))

    def _figure(self, name: str, value: str) -> None:
        line = FigureLine(name)
        line.put(value)
        self._lines.addWidget(line)
