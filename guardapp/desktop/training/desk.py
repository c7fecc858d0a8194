"""The data and the prediction behind the page: asks the helper process, and forgets answers that came too late."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, QTimer, Signal

from guardapp.desktop.training.draft import Draft

if TYPE_CHECKING:
    from guardapp.desktop.child_session import ChildSession

SETTLE_MS = 250
"""How long settings must rest before ε is predicted: it takes about a second."""


class TrainingDesk(QObject):
    """columns(object):  the names of a table's columns
    looked(object):      what was found in the data
    refused(error):      the data cannot be opened or read
    predicted(object):   ε, curve, schedule and time for the settings asked last
    unpredictable(error): there is no such training
    spec_read(object):   the spec of a train.yaml
    spec_refused(error): a file that describes no training
    """

    columns = Signal(object)
    looked = Signal(object)
    refused = Signal(object)
    predicted = Signal(object)
    unpredictable = Signal(object)
    spec_read = Signal(object)
    spec_refused = Signal(object)

    def __init__(self, session: ChildSession, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._looking = False
        self._wanted: dict[str, Any] | None = None
        self._asked: dict[str, Any] | None = None
        self._settle = QTimer(self)
        self._settle.setSingleShot(True)
        self._settle.setInterval(SETTLE_MS)
        self._settle.timeout.connect(self._predict)

    def close(self) -> None:
        """Forget the data; a look that is under way ends with its process, for nothing else would stop it."""
        self._settle.stop()
        self._wanted = self._asked = None
        if self._looking:
            self._looking = False
            self._session.stop()
        self._session.forget_all()

    def read_columns(self, path: Path) -> None:
        self._session.ask({"do": "columns", "path": str(path)}, lambda r: self.columns.emit(r["columns"]), self._refuse)

    def read_spec(self, path: Path) -> None:
        request = {"do": "read_spec", "path": str(path)}
        self._session.ask(request, lambda r: self.spec_read.emit(r["spec"]), self.spec_refused.emit)

    def look(self, draft: Draft) -> None:
        """Read the data once, to say what is in it; `looked` or `refused` follows."""
        self.close()
        self._looking = True
        self._session.ask({"do": "look", "data": draft.data()}, self._saw, self._refuse)

    def _saw(self, found: Any) -> None:
        self._looking = False
        self.looked.emit(found)

    def _refuse(self, error: object) -> None:
        self._looking = False
        self.refused.emit(error)

    def predict(self, draft: Draft, found: Mapping[str, Any]) -> None:
        """Predict ε as soon as the settings have rested; only the answer to the latest wish is told.

        found: what a look found in the data
        """
        self._wanted = {
            "do": "predict",
            "privacy": draft.privacy(),
            "max_examples": draft.bound,
            "clipped": draft.clip is not None or "clipping" in dict(draft.method),
            "start": dict(draft.course).get("start"),
            "recipe": draft.recipe,
            "kind": draft.kind,
            "test_fraction": draft.held_back,
            "classes": found["class_count"],
            "shape": found["shape"],
            **draft.overrides(),
        }
        self._settle.start()

    def forget_prediction(self) -> None:
        """The settings have no prediction now."""
        self._settle.stop()
        self._wanted = None

    def _predict(self) -> None:
        # one question at a time, so that a person who goes on typing does not wait for a row of stale answers
        if self._asked is not None or self._wanted is None:
            return
        self._asked = self._wanted
        self._session.ask(self._asked, self._answered, self._failed)

    def _answered(self, found: Any) -> None:
        if self._is_latest():
            self.predicted.emit(found)

    def _failed(self, error: object) -> None:
        if self._is_latest():
            self.unpredictable.emit(error)

    def _is_latest(self) -> bool:
        asked, self._asked = self._asked, None
        if asked is self._wanted:
            return True
        if not self._settle.isActive():
            self._predict()
        return False
