"""The settings at the left: open while a training is set up, locked while one is shown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QGridLayout, QVBoxLayout

from guardapp.desktop import wording
from guardapp.desktop.i18n import plain
from guardapp.desktop.kit import (
    Banner,
    Button,
    Card,
    Chip,
    Choice,
    Combo,
    ElidedLabel,
    Field,
    Label,
    NumberField,
    OptionalNumber,
    TextField,
)
from guardapp.desktop.theme import tokens
from guardapp.desktop.training.course import Choose, CourseSettings
from guardapp.desktop.training.draft import IMAGE_MODELS, TABLE_MODELS, Draft
from guardapp.desktop.training.live import at_least_one_digit, exponent
from guardapp.desktop.training.method import MethodSettings
from guardapp.desktop.training.scrolled import Scrolled

OTHER = "other"
_LABEL = 20
"""Height of a label beside another one: a Greek letter alone is lower than Chinese text."""
_LOCK = "They decide the guarantee of this job. Copy them to start another."
_HINT = "Where a field is empty the model's recipe decides. σ follows from ε, δ and the steps."
GUARANTEES = (
    Choice("private", "Differential privacy", "ph.shield-check"),
    Choice("none", "None, only for comparison", "ph.warning"),
)
_NONE = (
    "Nothing is promised about the data, and the model says so. With a clip norm gradients are clipped without noise."
)
_LARGE = "δ should be well below one in the number of rows, here below {limit}."


class SettingsPanel(Card):
    """changed(): a setting is different; other_data(): another dataset is wanted; copied(): a copy is wanted."""

    changed = Signal()
    other_data = Signal()
    copied = Signal()

    def __init__(self, choose_model: Choose, choose_public: Choose, choose_folder: Choose) -> None:
        super().__init__("Settings")
        self.setFixedWidth(tokens.width("settings"))
        self._locked = False
        self._lock = Chip("Locked", "ph.lock-simple")
        self.tools.addWidget(self._lock)
        self.dataset = Combo("Dataset")
        self.facts = ElidedLabel("", "small", "muted")
        self.model = Combo("Model")
        self.guarantee = Combo("Guarantee", GUARANTEES)
        self.epsilon = NumberField("Target ε", 3.0, low=0.01, high=1000)
        self.delta = NumberField("δ", 1e-5, low=1e-12, high=0.099)
        self.steps = OptionalNumber("Steps", low=1, high=10**6, whole=True)
        self.batch = OptionalNumber("Batch", low=1, high=10**7, whole=True)
        self.clip = OptionalNumber("Clip norm", low=1e-6, high=1e6)
        self.noise = TextField("Noise σ")
        self.noise.setEnabled(False)
        self.method = MethodSettings()
        self.course = CourseSettings(choose_model, choose_public, choose_folder)
        self.banner = Banner("neutral", "Settings are locked", _LOCK, "ph.lock-simple")
        self.copy = Button("Copy to a new job", icon="ph.copy", compact=True)
        self.banner.buttons.insertWidget(0, self.copy)
        self.hint = Label("", "small", "muted", wrap=True)
        self._fields = (self.epsilon, self.delta, self.steps, self.batch, self.clip)
        self._build()
        self.dataset.picked.connect(self._dataset_picked)
        self.model.picked.connect(lambda _: self.changed.emit())
        self.guarantee.picked.connect(lambda _: self._allow())
        self.guarantee.picked.connect(lambda _: self.changed.emit())
        for field in self._fields:
            field.number_changed.connect(lambda _: self.changed.emit())
        self.course.changed.connect(self._allow)
        for part in (self.method, self.course):
            part.changed.connect(self.changed)
            part.resized.connect(lambda: self._area.fit())
        self.copy.clicked.connect(self.copied)

    def _build(self) -> None:
        column = QVBoxLayout()
        column.setContentsMargins(15, 13, 15, 11)
        column.setSpacing(tokens.space(3))
        data = Field("Dataset", self.dataset)
        below = data.layout()
        assert below is not None
        below.addWidget(self.facts)
        column.addWidget(data)
        self._model = Field("Model", self.model)
        column.addWidget(self._model)
        column.addWidget(Field("Guarantee", self.guarantee))
        grid = QGridLayout()
        grid.setHorizontalSpacing(tokens.space(3))
        grid.setVerticalSpacing(tokens.space(2))
        names = ("Target ε", "δ", "Steps", "Batch", "Clip norm", "Noise σ")
        for index, (name, control) in enumerate(zip(names, (*self._fields, self.noise), strict=True)):
            field = Field(name, control)
            field.label.setMinimumHeight(_LABEL)
            grid.addWidget(field, index // 2, index % 2, Qt.AlignmentFlag.AlignTop)
        grid.setColumnStretch(0, 1)
        grid.setColumnStretch(1, 1)
        column.addLayout(grid)
        column.addWidget(self.hint)
        column.addWidget(self.method)
        column.addWidget(self.course)
        column.addWidget(self.banner)
        column.addStretch(1)
        self.body.setContentsMargins(0, 0, 0, 0)
        self._area = Scrolled(column)
        self.body.addWidget(self._area, 1)

    # -- showing ---------------------------------------------------------------------------------------------------

    def show_draft(self, draft: Draft) -> None:
        """Settings that can be changed."""
        self._fill(draft)
        self._set_locked(False)
        self.say_hint(draft)

    def say_hint(self, draft: Draft) -> None:
        """What to know about the settings as they are: δ against the public number of rows."""
        if not draft.private:
            self.hint.set_color("warning")
            self.hint.say(_NONE)
        elif draft.delta is not None and draft.bound is not None and draft.delta * draft.bound > 1:
            self.hint.set_color("warning")
            self.hint.say(_LARGE, limit=exponent(1 / draft.bound))
        else:
            self.hint.set_color("muted")
            self.hint.say(_HINT)
        self._area.fit()

    def show_locked(self, draft: Draft, facts: dict[str, Any]) -> None:
        """Settings of a job, with what its plan came to."""
        self._fill(draft)
        if not draft.private:
            for field in (self.epsilon, self.delta):
                field.blockSignals(True)
                field.clear()
                field.blockSignals(False)
        self._set_locked(True)
        self.show_plan(facts)

    def show_found(self, found: Mapping[str, Any] | None) -> None:
        """What is in the data, below its name; None where it is not known."""
        if found is None:
            self.facts.put("")
            return
        n, classes = wording.number(int(found["examples"])), found["class_count"]
        if found["kind"] == "image":
            _, height, width = found["shape"]
            text = "{n} images, {height} × {width}, {classes} classes"
            self.facts.say(text, n=n, height=height, width=width, classes=classes)
        else:
            text = "{n} rows, {columns} columns, {classes} classes"
            self.facts.say(text, n=n, columns=found["columns"], classes=classes)

    def _fill(self, draft: Draft) -> None:
        self.method.set_locked(False)
        icon = "ph.table" if draft.kind == "table" else "ph.image"
        self.dataset.set_choices([Choice("here", draft.path.name, icon), Choice(OTHER, "Choose other data…")], "here")
        self.model.set_choices(TABLE_MODELS if draft.kind == "table" else IMAGE_MODELS, draft.recipe)
        chosen = (draft.epsilon, draft.delta, draft.steps, draft.batch, draft.clip)
        for field, value in zip(self._fields, chosen, strict=True):
            field.blockSignals(True)
            field.setText(_text(value))
            field.set_bad(False)
            field.blockSignals(False)
        self.guarantee.set_value("private" if draft.private else "none")
        self.method.show_draft(draft)
        self.course.show_draft(draft)

    def show_plan(self, plan: dict[str, Any]) -> None:
        """The recipe's own figures, in grey where the user left the choice to it. Keys: steps, batch, clip, sigma."""
        for field, name in ((self.steps, "steps"), (self.batch, "batch"), (self.clip, "clip")):
            value = plan.get(name)
            shown = "" if value is None else wording.number(value)
            plain(field, shown, "setPlaceholderText")
            if self._locked and field.empty:
                field.setText(shown)
        sigma = plan.get("sigma", plan.get("noise_multiplier"))
        plain(self.noise, "" if sigma is None else f"{sigma:.3g}")

    def _set_locked(self, locked: bool) -> None:
        self._locked = locked
        self._lock.setVisible(locked)
        self.banner.setVisible(locked)
        self.hint.setVisible(not locked)
        self.method.set_locked(locked)
        self.course.set_locked(locked)
        self._allow()
        self._area.fit()

    def _allow(self) -> None:
        """Which choices can be made."""
        free, private = not self._locked, self.guarantee.value == "private"
        started = bool(self.course.start.value)
        if started and free:
            self.model.set_value("auto")
        self.model.setEnabled(free and not started)
        self._model.set_help("The model that is started from keeps its own shape." if started and free else "")
        for control in (self.dataset, self.guarantee, *self._fields):
            control.setEnabled(free)
        for asked in (self.epsilon, self.delta):
            asked.setEnabled(free and private)

    # -- reading ---------------------------------------------------------------------------------------------------

    def read(self, draft: Draft) -> Draft:
        """The draft with the settings as they stand."""
        draft = draft.but(recipe=self.model.value or "auto", private=self.guarantee.value == "private")
        self.method.fit(draft)
        self.course.fit(draft)
        delta, epsilon = self.delta.value, self.epsilon.value
        return draft.but(
            epsilon=draft.epsilon if epsilon is None and not draft.private else epsilon,
            delta=draft.delta if delta is None and not draft.private else delta,
            steps=_whole(self.steps.value),
            batch=_whole(self.batch.value),
            clip=self.clip.value,
            method=tuple(self.method.read().items()),
            course=tuple(self.course.read().items()),
        )

    @property
    def wrong(self) -> bool:
        """Whether a field holds something that is no setting."""
        if self.guarantee.value == "private" and (self.epsilon.value is None or self.delta.value is None):
            return True
        parts = (self.steps, self.batch, self.clip, self.method, self.course)
        return any(part.wrong for part in parts)

    def _dataset_picked(self, value: str) -> None:
        if value == OTHER:
            self.dataset.set_value("here")
            self.other_data.emit()


def _whole(value: float | None) -> int | None:
    return None if value is None else int(value)


def _text(value: float | None) -> str:
    if value is None:
        return ""
    if isinstance(value, int):
        return wording.number(value)
    return exponent(value) if value < 0.001 else at_least_one_digit(value)
