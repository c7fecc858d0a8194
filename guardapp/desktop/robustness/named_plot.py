"""A plot whose curves are named by what is shown: models of a person's own, and bounds that come and go."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QHBoxLayout, QSizePolicy, QWidget

from guardapp.desktop.kit import ElidedLabel, IconButton, Label
from guardapp.desktop.kit.plot_parts import LegendMark, Series
from guardapp.desktop.kit.plots import PlotCard

_LONGEST = 18
_NARROW = 560


class _Entry(QWidget):
    """A mark and a name that changes with what is shown."""

    def __init__(self, mark: LegendMark, name: str, *, given: bool = False) -> None:
        super().__init__()
        # a name that a person gave may be long; ours are short and stay whole
        self.name = ElidedLabel(name, "small") if given else Label(name, "small")
        self.name.setSizePolicy(QSizePolicy.Policy.Maximum, QSizePolicy.Policy.Fixed)
        line = QHBoxLayout(self)
        line.setContentsMargins(0, 0, 4, 0)
        line.setSpacing(6)
        line.addWidget(mark)
        line.addWidget(self.name)


class NamedPlot(PlotCard):
    """A plot that names only the curves that it shows. given: keys of the curves whose names a person gave."""

    def __init__(
        self, title: str, series: Sequence[Series], *, given: Sequence[str] = (), bands: bool = False, **kwargs: Any
    ) -> None:
        self._entries: dict[str, _Entry] = {}
        self._present: set[str] = set()
        self._given = tuple(given)
        super().__init__(title, series, bands=bands, **kwargs)

    def _build_header(self, series: Sequence[Series], budget: str, bands: bool) -> None:
        for one in series:
            self._entries[one.key] = _Entry(LegendMark(one), one.name, given=one.key in self._given)
            self.tools.addWidget(self._entries[one.key])
        if bands:
            self._entries["band"] = _Entry(LegendMark(None, band=0), "95 % band")
            self.tools.addWidget(self._entries["band"])
        self.export = IconButton("ph.export", "Export the plot as a picture or a table", box=28)
        self.export.clicked.connect(self._export_menu)
        self.tools.addWidget(self.export)

    def name_curve(self, key: str, name: str, *, literal: bool, present: bool) -> None:
        """literal: a person gave the name, which may be long; else it is an English key."""
        short = name if len(name) <= _LONGEST or not literal else f"{name[: _LONGEST - 1]}…"
        curve = self._curves[key]
        curve.series = curve.series._replace(name=short)
        if literal:
            self._entries[key].name.put(short)
        else:
            self._entries[key].name.say(name)
        self.mark_present(key, present)

    def mark_present(self, key: str, present: bool) -> None:
        (self._present.add if present else self._present.discard)(key)
        self._fit_header()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit_header()

    def _fit_header(self) -> None:
        """In a narrow card the table at the cursor is the legend: it names every curve with its marker."""
        narrow = self.width() < _NARROW
        self.note.setVisible(not narrow)
        for key, entry in self._entries.items():
            entry.setVisible(not narrow and key in self._present)
