"""How a model is trained beyond its recipe: clipping in sight, everything else folded away under “More settings”."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QVBoxLayout, QWidget

from guardapp.desktop.i18n import say
from guardapp.desktop.kit import Button, Choice, Combo, Field, OptionalNumber, Tick
from guardapp.desktop.theme import tokens
from guardapp.desktop.training.draft import Draft

CLIPPING = (
    Choice("flat", "All weights together"),
    Choice("per-layer", "Layer by layer"),
    Choice("automatic", "Automatic"),
    Choice("adaptive", "Follow the median norm"),
)
OPTIMIZERS = (Choice("", "The recipe's"), Choice("sgd", "SGD with momentum"), Choice("adam", "Adam"))
SCHEDULES = (
    Choice("linear", "Falls in a line"),
    Choice("cosine", "Falls as a cosine"),
    Choice("constant", "Stays as it is"),
)
GENERATORS = (Choice("aes", "Cryptographic (AES)"), Choice("fast", "Fast, not cryptographic"))
NUMBERS = ("averaging", "weight_decay", "label_smoothing", "views")
_CHOSEN = {"clipping": "flat", "optimizer": "", "schedule": "linear", "generator": "aes"}
_DEFAULTS: dict[str, float] = {"weight_decay": 0, "label_smoothing": 0, "views": 1}
_CLIPPING_HELP = {
    "flat": "Each row's gradient is cut to the clip norm.",
    "per-layer": "Each layer's share of a row's gradient is cut by itself.",
    "automatic": "Every row's gradient is scaled to about the clip norm.",
    "adaptive": "The norm follows a noisy count, which is paid for from ε.",
}
_NOT_ADAPTED = "The norm cannot follow the median here: that needs a noisy count."
_FAST = "Whoever can tell the generator's state can take the noise away. The statement will say so."
_VIEWS = "Shifted copies of each image; costs no privacy, but time."
_NO_VIEWS = "Only the small convolutional network trains on the images themselves."


class Fold(Button):
    """A button that shows and hides what follows it."""

    toggled_to = Signal(bool)

    def __init__(self, text: str) -> None:
        super().__init__(text, "link", "ph.caret-right", compact=True)
        self.is_open = False
        self.clicked.connect(lambda: self.set_open(not self.is_open))

    def set_open(self, is_open: bool) -> None:
        if is_open != self.is_open:
            self.is_open = is_open
            self.set_icon("ph.caret-down" if is_open else "ph.caret-right")
            self.toggled_to.emit(is_open)


class MethodSettings(QWidget):
    """changed(): a choice is different; resized(): it needs another height."""

    changed = Signal()
    resized = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._locked = self._possible = False
        self._private = True
        self.clipping = Combo("Clipping", CLIPPING)
        self.optimizer = Combo("Optimizer", OPTIMIZERS)
        self.schedule = Combo("Learning rate", SCHEDULES)
        self.generator = Combo("Noise generator", GENERATORS)
        self.noise_correction = Tick("Take the noise out of Adam's scale")
        self.averaging = OptionalNumber("Weight averaging", low=0.001, high=0.99999)
        self.weight_decay = OptionalNumber("Weight decay", low=0, high=10)
        self.label_smoothing = OptionalNumber("Label smoothing", low=0, high=0.99)
        self.views = OptionalNumber("Views of an image", low=1, high=64, whole=True)
        self.fold = Fold("More settings")
        self._fields = {
            "clipping": Field("Clipping", self.clipping),
            "optimizer": Field("Optimizer", self.optimizer),
            "schedule": Field("Learning rate", self.schedule),
            "averaging": Field("Weight averaging", self.averaging, "Decay of a running average, such as 0.999."),
            "weight_decay": Field("Weight decay", self.weight_decay),
            "label_smoothing": Field("Label smoothing", self.label_smoothing),
            "views": Field("Views of an image", self.views, _VIEWS),
            "generator": Field("Noise generator", self.generator),
        }
        self._combos = {
            "clipping": self.clipping,
            "optimizer": self.optimizer,
            "schedule": self.schedule,
            "generator": self.generator,
        }
        self._numbers = {name: getattr(self, name) for name in NUMBERS}
        say(self.averaging, "none", into="setPlaceholderText")
        for name, shown in (("weight_decay", "0"), ("label_smoothing", "0"), ("views", "1")):
            self._numbers[name].setPlaceholderText(shown)
        self._build()
        for combo in self._combos.values():
            combo.picked.connect(self._picked)
        for number in self._numbers.values():
            number.number_changed.connect(lambda _: self.changed.emit())
        self.noise_correction.clicked.connect(lambda: self.changed.emit())
        self.fold.toggled_to.connect(self._unfold)

    def _build(self) -> None:
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.setSpacing(tokens.space(3))
        whole.addWidget(self._fields["clipping"])
        whole.addWidget(self.fold)
        self._more = QWidget()
        more = QVBoxLayout(self._more)
        more.setContentsMargins(0, 0, 0, 0)
        more.setSpacing(tokens.space(3))
        more.addWidget(self._fields["optimizer"])
        more.addWidget(self.noise_correction)
        for name in ("schedule", "averaging", "weight_decay", "label_smoothing", "views", "generator"):
            more.addWidget(self._fields[name])
        whole.addWidget(self._more)
        self._more.hide()

    def _unfold(self, is_open: bool) -> None:
        self._more.setVisible(is_open)
        self.resized.emit()

    def _picked(self, _: str) -> None:
        self._say()
        self.changed.emit()

    def _say(self) -> None:
        """Help that depends on what is chosen, and which choices can be made."""
        self._fields["clipping"].set_help(_CLIPPING_HELP[self.clipping.value] if self._private else _NOT_ADAPTED)
        self._fields["generator"].set_help(_FAST if self.generator.value == "fast" else "")
        if self.optimizer.value != "adam":
            self.noise_correction.setChecked(False)
        self._allow()
        self.resized.emit()

    def _allow(self) -> None:
        for control in (*self._combos.values(), *self._numbers.values()):
            control.setEnabled(not self._locked)
        self.views.setEnabled(self._possible and not self._locked)
        self.noise_correction.setEnabled(self.optimizer.value == "adam" and not self._locked)

    # -- showing and reading -----------------------------------------------------------------------------------------

    def show_draft(self, draft: Draft) -> None:
        method = dict(draft.method)
        for name, combo in self._combos.items():
            combo.set_value(method.get(name) or _CHOSEN[name])
        self.noise_correction.setChecked(bool(method.get("noise_correction")))
        for name, number in self._numbers.items():
            value = method.get(name)
            number.blockSignals(True)
            number.setText("" if value is None or value == _DEFAULTS.get(name) else f"{value:g}")
            number.set_bad(False)
            number.blockSignals(False)
        self.fit(draft)
        self.fold.set_open(bool(set(self.read()) - {"clipping"}))

    def fit(self, draft: Draft) -> None:
        """Which choices the model and the data leave."""
        self._private = draft.private
        if not draft.private and self.clipping.value == "adaptive":
            self.clipping.set_value("flat")
        self._possible = draft.kind == "image" and draft.recipe == "cnn"
        if not self._possible:
            self.views.blockSignals(True)
            self.views.clear()
            self.views.set_bad(False)
            self.views.blockSignals(False)
        self._fields["views"].set_help(_VIEWS if self._possible else _NO_VIEWS)
        self._say()

    def set_locked(self, locked: bool) -> None:
        self._locked = locked
        self._allow()

    def read(self) -> dict[str, Any]:
        """What differs from the defaults."""
        chosen: dict[str, Any] = {
            name: combo.value for name, combo in self._combos.items() if combo.value != _CHOSEN[name]
        }
        if self.noise_correction.isChecked():
            chosen["noise_correction"] = True
        for name, number in self._numbers.items():
            value = number.value
            if value is not None and value != _DEFAULTS.get(name):
                chosen[name] = value
        return chosen

    @property
    def wrong(self) -> bool:
        """Whether a field holds something that is no setting."""
        return any(number.wrong for number in self._numbers.values())
