"""What is about to be promised and queued, in words."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from PySide6.QtWidgets import QVBoxLayout, QWidget

from guardapp.desktop import wording
from guardapp.desktop.kit import Card, CheckLine, Field, Label, TextField, clear, row
from guardapp.desktop.theme import tokens
from guardapp.desktop.training.draft import Draft
from guardapp.desktop.training.live import at_least_one_digit, exponent, rounded_up
from guardapp.desktop.training.scrolled import Scrolled

_AFTER = (
    "Model, metrics, statement and report go there. The budget of the data is charged before each block of steps, and "
    "what was spent stays spent, even if the training is cancelled."
)

_NOT_CHARGED = "Model, metrics, statement and report go there. No budget is charged, for nothing is promised."


class Review(QWidget):
    """folder_of(name): the folder that a job of this name would write."""

    def __init__(self, folder_of: Callable[[str], Path]) -> None:
        super().__init__()
        self._folder_of = folder_of
        self._promises = QVBoxLayout()
        self._promises.setSpacing(tokens.space(3))
        promised = Card("What is promised")
        promised.body.addLayout(self._promises)
        promised.body.addStretch(1)
        self._limits = QVBoxLayout()
        self._limits.setSpacing(tokens.space(2))
        limits = Card("What is not covered")
        limits.body.addLayout(self._limits)
        self.name = TextField("Name of the job")
        self.name.setMaxLength(100)
        self.name.textChanged.connect(self._say_folder)
        self.folder = Label("", "small", "muted", wrap=True)
        self._after = Label(_AFTER, "small", "muted", wrap=True)
        where = Card("Where the result goes")
        where.body.addWidget(Field("Name", self.name))
        where.body.addWidget(self.folder)
        where.body.addWidget(self._after)
        side = QVBoxLayout()
        side.setSpacing(tokens.space(4))
        side.addWidget(where)
        side.addWidget(limits)
        side.addStretch(1)
        line = row(gap=tokens.space(4))
        line.addWidget(promised, 1)
        line.addLayout(side, 1)
        self._area = Scrolled(line)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.addWidget(self._area)

    def show_draft(
        self, draft: Draft, found: Mapping[str, Any], prediction: Mapping[str, Any], left: float | None, name: str
    ) -> None:
        """left: what the budget of the data has left, None without one"""
        clear(self._promises)
        for state, lines in (("amberFlag", _cautions(draft, prediction)), ("done", _promises(draft, prediction, left))):
            for text, evidence, values in lines:
                self._promises.addWidget(CheckLine(state, text, evidence, **values))
        clear(self._limits)
        for key in _not_covered(draft, found["derived"]):
            self._limits.addWidget(Label(key, "body", "muted", wrap=True))
        self._after.say(_AFTER if draft.private else _NOT_CHARGED)
        self.name.setText(name)
        self._say_folder()
        self._area.fit()

    def _say_folder(self) -> None:
        self.folder.say("New folder: {folder}", folder=str(self._folder_of(self.name.text().strip() or "training")))


def _promises(draft: Draft, plan: Mapping[str, Any], left: float | None) -> list[tuple[str, str, dict[str, Any]]]:
    if not draft.private:
        return []
    epsilon, delta = rounded_up(plan["epsilon"]), exponent(draft.delta or 0.0)
    found: list[tuple[str, str, dict[str, Any]]] = [
        (
            "ε stays within {target}, at δ = {delta}",
            "Predicted is {epsilon} at the end. Whether one row is there or not changes the probability of any outcome "
            "by a factor of at most e^ε, except with probability δ.",
            {"target": at_least_one_digit(draft.epsilon or 0.0), "delta": delta, "epsilon": epsilon},
        ),
        (
            "The unit is one row",
            "A person with several rows is protected less, in proportion to their rows.",
            {},
        ),
        (
            "Two data sets are neighbours if one row is added or removed",
            "For replacing a row by another one the ε is larger; the statement gives it too.",
            {},
        ),
        (
            "{steps} steps, each row in a step with probability {rate}",
            "Each gradient is clipped to norm {clip}, and Gaussian noise with σ = {sigma} is added to the sum.",
            {
                "steps": wording.number(int(plan["steps"])),
                "rate": f"{plan['sample_rate']:.3g}",
                "clip": f"{plan['clip']:g}",
                "sigma": f"{plan['sigma']:.3g}",
            },
        ),
    ]
    if "stop" in dict(draft.course):
        text, evidence = "It may stop early", "By public data alone; all planned steps are charged nevertheless."
        found.append((text, evidence, {}))
    if left is None:
        text, evidence = "The ledger counts this training", "No budget is set for this data, so none is refused."
        found.append((text, evidence, {}))
    else:
        text, evidence = "The budget of the data has room", "ε = {left} is left, and {epsilon} is needed."
        found.append((text, evidence, {"left": f"{left:.3g}", "epsilon": epsilon}))
    return found


def _cautions(draft: Draft, plan: Mapping[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    """What a person has to know before anything that is promised."""
    if not draft.private:
        steps = {"steps": wording.number(int(plan["steps"]))}
        text = "{steps} steps, for comparison. The model, the report and the statement say that there is no guarantee."
        return [("Nothing is promised about the data", text, steps)]
    if "audit" in dict(draft.course):
        return [("It is a rehearsal", "Made-up rows are among the data. The model is not for release.", {})]
    return []


def _not_covered(draft: Draft, derived: Sequence[str]) -> list[str]:
    if not draft.private:
        return ["Every row of the data: what the model gives away about it is not limited."]
    found = []
    if "start" in dict(draft.course):
        found.append(
            "The weights that the training started from: what they disclose was decided by their own training."
        )
    if draft.held_back > 0:
        found.append("The rows that are held back: accuracy and validation loss are measured with them exactly.")
    if "classes" in derived:
        found.append("The list of classes, which was read from the data and counts as public.")
    if "image shape" in derived:
        found.append("The size of the images, which counts as public.")
    if "schema" in derived:
        found.append("The schema: it was derived from the data.")
    if draft.overrides():
        found.append("Your choice of steps, batch or clip norm, if it was tuned on the same data.")
    method = dict(draft.method)
    if method.pop("generator", "aes") != "aes":
        found.append("Whoever can tell the state of the generator from its output, because it is not cryptographic.")
    if method:
        found.append("Your choice of how it is trained, if it was tuned on the same data.")
    found.append("The file hashes in job.json and the time that training takes.")
    return found
