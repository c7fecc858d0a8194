"""The second step: figures above, columns with their rules at the left, original and protected rows at the right."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from guardapp.desktop.deidentify.column_list import ColumnList
from guardapp.desktop.deidentify.figures import Figures
from guardapp.desktop.deidentify.preview_pair import PreviewPair
from guardapp.desktop.deidentify.rules import Draft, to_check
from guardapp.desktop.deidentify.why_box import WhyBox
from guardapp.desktop.kit import Card, ErrorCard, Segmented, column, hline
from guardapp.desktop.theme import tokens

_LOW, _LOWEST = 400, 300
"""Heights below which the reason, then the figures give way to the columns and rows."""


class SettingsStep(QWidget):
    """Widgets only: the page connects them with the draft and the helper process."""

    def __init__(self) -> None:
        super().__init__()
        self.figures = Figures()
        self.error = ErrorCard(closable=False)
        self.error.hide()
        self.list = ColumnList()
        self.why = WhyBox()
        self.pair = PreviewPair()
        self.which = Segmented(["All", "To check"], "Which columns are listed")
        self.which.changed.connect(self._list)
        self._profiles: Sequence[Mapping[str, Any]] = ()
        self._draft: Draft | None = None
        self.list.chosen.connect(self._explain)
        self.list.chosen.connect(self.pair.choose)
        self.pair.column_chosen.connect(self.list.choose)
        self.card = Card("Columns", flush=True)
        self.card.setFixedWidth(tokens.width("columnList"))
        self.card.tools.addWidget(self.which)
        self.card.body.addWidget(self.list, 1)
        self.card.body.addWidget(hline())
        self._below = QWidget()
        self._below.setLayout(column(self.why, margins=(8, 8, 8, 8)))
        self.card.body.addWidget(self._below)
        self.card.body.setSpacing(0)
        lower = QHBoxLayout()
        lower.setSpacing(tokens.space(4))
        lower.addWidget(self.card)
        lower.addWidget(self.pair, 1)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.setSpacing(tokens.space(4))
        whole.addWidget(self.figures)
        whole.addWidget(self.error)
        whole.addLayout(lower, 1)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        # with the dock open in a low window, what one works on keeps its place
        self._below.setVisible(self.height() >= _LOW)
        self.figures.setVisible(self.height() >= _LOWEST)

    def open(self, names: Sequence[str]) -> None:
        """A table was opened; nothing is known about its columns yet."""
        self.error.hide()
        self.figures.clear()
        self.pair.open(names)
        self.show_columns([{"name": name, **_UNKNOWN} for name in names], None)

    def show_columns(self, profiles: Sequence[Mapping[str, Any]], draft: Draft | None) -> None:
        self._profiles, self._draft = profiles, draft
        self.which.say(0, "All {n}", n=len(profiles))
        self.which.say(1, "{n} to check", n=sum(map(to_check, profiles)))
        self.which.setVisible(draft is not None)
        self._list()

    def _list(self) -> None:
        chosen = str(self.list.currentIndex().data() or "")
        shown = [at for at, profile in enumerate(self._profiles) if not self.which.index or to_check(profile)]
        self.list.columns.show(self._profiles, self._draft, shown)
        if self.list.columns.row_of(chosen) >= 0:
            self.list.choose(chosen)
        elif shown and self._draft is not None:
            self.list.choose(str(self._profiles[shown[0]]["name"]))

    def refresh(self) -> None:
        """Roles or rules have changed."""
        self.list.columns.refresh()
        self._explain(str(self.list.currentIndex().data() or ""))

    def profile(self, name: str) -> Mapping[str, Any] | None:
        return next((profile for profile in self._profiles if profile["name"] == name), None)

    def _explain(self, name: str) -> None:
        self.why.show_column(self.profile(name), self._draft)

    @property
    def numeric(self) -> set[str]:
        """Columns of numbers, which are aligned to the right."""
        return {str(p["name"]) for p in self._profiles if p["type"] in ("integer", "decimal")}


_UNKNOWN = {
    "kind_title": "",
    "evidence": "",
    "why": "",
    "role": "other",
    "type": "text",
    "kinds": [],
    "confidence": 1.0,
}
