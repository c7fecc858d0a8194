"""How a training starts, when it stops and whether it is audited: folded away, for most runs need none of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QVBoxLayout, QWidget

from guardapp.desktop.kit import Button, Choice, Combo, Field, FileField, OptionalNumber, row
from guardapp.desktop.theme import tokens
from guardapp.desktop.training.draft import Draft, public_data
from guardapp.desktop.training.method import Fold

Choose = Callable[[Callable[[Path], None]], None]

STARTS = (
    Choice("", "From chance"),
    Choice("last", "A model, last layer only"),
    Choice("low-rank", "A model, by corrections"),
    Choice("all", "A model, all weights"),
)
STOPS = (Choice("", "After all steps"), Choice("public", "When public data says so"))
AUDITS = (
    Choice("", "No audit"),
    Choice("pass", "Rehearse; fail if ε is refuted"),
    Choice("nothing", "Rehearse; only report it"),
)
_START_HELP = "What its weights disclose was decided by their own training."
_LOW_RANK = "Low-rank corrections (LoRA). What the model's own weights disclose was decided by their training."
_STOP_HELP = "Once its loss no longer falls. All planned steps are charged: when a run stops depends on private rows."
_STOP_FREE = "Once its loss no longer falls."
_AUDIT_HELP = "Made-up rows are put into the data and searched for. The model is not for release."
_NO_CLAIM = "Without a guarantee there is no ε that an audit could refute."
_DEFAULTS = {"rank": 4, "patience": 5, "canaries": 1000}


class CourseSettings(QWidget):
    """changed(): a choice is different; resized(): it needs another height."""

    changed = Signal()
    resized = Signal()

    def __init__(self, choose_model: Choose, choose_public: Choose, choose_folder: Choose) -> None:
        super().__init__()
        self._locked = False
        self._private, self._draft = True, Draft(Path(), "image")
        self.start = Combo("Start", STARTS)
        self.model = FileField("Trained model", choose_model, "ph.cube")
        self.rank = OptionalNumber("Rank of the corrections", low=1, high=256, whole=True)
        self.stop = Combo("Stop", STOPS)
        self.public = FileField("Public data", choose_public, "ph.file")
        self.folder = Button("Choose a folder of pictures…", "link", compact=True)
        self.folder.clicked.connect(lambda: choose_folder(self._take_public))
        self.patience = OptionalNumber("Checks without progress", low=1, high=1000, whole=True)
        self.audit = Combo("Audit", AUDITS)
        self.canaries = OptionalNumber("Made-up rows", low=40, high=4000, whole=True)
        self.fold = Fold("Start, stop and audit")
        self._numbers = {"rank": self.rank, "patience": self.patience, "canaries": self.canaries}
        for name, number in self._numbers.items():
            number.setPlaceholderText(str(_DEFAULTS[name]))
            number.number_changed.connect(lambda _: self.changed.emit())
        self._build()
        for combo in (self.start, self.stop, self.audit):
            combo.picked.connect(self._picked)
        for file in (self.model, self.public):
            file.chosen.connect(lambda _: self.changed.emit())
        self.fold.toggled_to.connect(self._unfold)

    def _build(self) -> None:
        self._start, self._stop, self._audit = (
            Field("Start", self.start),
            Field("Stop", self.stop),
            Field("Audit", self.audit),
        )
        self._model, self._rank = Field("Trained model", self.model), Field("Rank of the corrections", self.rank)
        self._public, self._patience = (
            Field("Public data", self.public),
            Field("Checks without progress", self.patience),
        )
        self._canaries = Field("Made-up rows", self.canaries)
        below = self._public.layout()
        assert below is not None
        line = QWidget()
        line.setLayout(row(self.folder, None))
        below.addWidget(line)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.setSpacing(tokens.space(3))
        whole.addWidget(self.fold)
        self._more = QWidget()
        more = QVBoxLayout(self._more)
        more.setContentsMargins(0, 0, 0, 0)
        more.setSpacing(tokens.space(3))
        for field in (
            self._start,
            self._model,
            self._rank,
            self._stop,
            self._public,
            self._patience,
            self._audit,
            self._canaries,
        ):
            more.addWidget(field)
        whole.addWidget(self._more)
        self._more.hide()

    def _unfold(self, is_open: bool) -> None:
        self._more.setVisible(is_open)
        self.resized.emit()

    def _picked(self, _: str) -> None:
        self._say()
        self.changed.emit()

    def _take_public(self, path: Path) -> None:
        self.public.set_path(path)
        self.changed.emit()

    def _say(self) -> None:
        """Only the fields of what is chosen, and which choices can be made."""
        if not self._private:
            self.audit.set_value("")
        started, stopped, audited = (combo.value for combo in (self.start, self.stop, self.audit))
        self._model.setVisible(bool(started))
        self._rank.setVisible(started == "low-rank")
        self._public.setVisible(bool(stopped))
        self._patience.setVisible(bool(stopped))
        self._canaries.setVisible(bool(audited))
        self.folder.setVisible(self._draft.kind == "image")
        self._start.set_help(_LOW_RANK if started == "low-rank" else _START_HELP if started else "")
        self._stop.set_help("" if not stopped else _STOP_HELP if self._private else _STOP_FREE)
        self._audit.set_help(_AUDIT_HELP if audited else "" if self._private else _NO_CLAIM)
        for control in (self.start, self.model, self.stop, self.public, self.folder, *self._numbers.values()):
            control.setEnabled(not self._locked)
        self.audit.setEnabled(self._private and not self._locked)
        self.resized.emit()

    # -- showing and reading -----------------------------------------------------------------------------------------

    def show_draft(self, draft: Draft) -> None:
        course = dict(draft.course)
        start, stop, audit = (course.get(name) or {} for name in ("start", "stop", "audit"))
        self._draft, self._private = draft, draft.private
        self.start.set_value(start.get("train", "last") if start else "")
        self.model.set_path(Path(start["model"]) if start.get("model") else None)
        self.stop.set_value("public" if stop else "")
        data = stop.get("data") or {}
        public = data.get("images") or data.get("table")
        self.public.set_path(Path(public) if public else None)
        self.audit.set_value(audit.get("require", "pass") if audit else "")
        found = {"rank": start.get("rank"), "patience": stop.get("patience"), "canaries": audit.get("canaries")}
        for name, number in self._numbers.items():
            number.blockSignals(True)
            number.setText("" if found[name] in (None, _DEFAULTS[name]) else str(found[name]))
            number.set_bad(False)
            number.blockSignals(False)
        self._say()
        self.fold.set_open(bool(course))

    def fit(self, draft: Draft) -> None:
        """Which choices the guarantee leaves."""
        if draft.private != self._private:
            self._private = draft.private
            self._say()

    def set_locked(self, locked: bool) -> None:
        self._locked = locked
        self._say()

    def read(self) -> dict[str, Any]:
        """`start`, `stop` and `audit` of a spec, where they are chosen; a path that is missing is left out."""
        chosen: dict[str, Any] = {}
        if self.start.value:
            chosen["start"] = {"train": self.start.value}
            if self.start.value == "low-rank":
                chosen["start"]["rank"] = self._number("rank")
            if self.model.path is not None:
                chosen["start"]["model"] = str(self.model.path)
        if self.stop.value:
            chosen["stop"] = {"patience": self._number("patience")}
            if self.public.path is not None:
                chosen["stop"]["data"] = self._public_data(self.public.path)
        if self.audit.value:
            chosen["audit"] = {"canaries": self._number("canaries"), "require": self.audit.value}
        return chosen

    def _number(self, name: str) -> int:
        value = self._numbers[name].value
        return _DEFAULTS[name] if value is None else int(value)

    def _public_data(self, path: Path) -> dict[str, Any]:
        """As it was in the spec that was opened, unless another file was chosen."""
        known: dict[str, Any] = (dict(self._draft.course).get("stop") or {}).get("data") or {}
        if str(path) in (known.get("images"), known.get("table")):
            return known
        return public_data(path, self._draft)

    @property
    def wrong(self) -> bool:
        """Whether a field holds something that is no setting."""
        return any(number.wrong for number in self._numbers.values())
