"""Every part of the kit on one sheet, to look at: `python -m guardapp.desktop.gallery OUT.png [light|dark] [en|zh]`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Literal, cast

import numpy as np
from PySide6.QtCore import QEventLoop, Qt, QTimer
from PySide6.QtWidgets import QGridLayout, QWidget

from guardapp.desktop import kit
from guardapp.desktop.kit.plot_parts import Series
from guardapp.desktop.kit.plots import PlotCard
from guardapp.desktop.start import application, dress
from guardapp.errors import GuardError
from guardapp.language import Language


class _Rows(kit.TableModel):
    """A few rows that show each treatment."""

    _cells = (
        (
            kit.Cell("P-NT2TGH", "pseudonym", mono=True),
            kit.Cell("1960–1964", "generalise"),
            kit.Cell("F"),
            kit.Cell("9"),
        ),
        (kit.Cell("P-MAY39D", "pseudonym", mono=True), kit.Cell("", "suppress"), kit.Cell("M"), kit.Cell("17")),
        (
            kit.Cell("P-KF5323", "pseudonym", mono=True),
            kit.Cell("1955–1959", "generalise"),
            kit.Cell("F"),
            kit.Cell("3"),
        ),
    )

    def __init__(self) -> None:
        literal = [
            kit.Column(name, literal=True, width=w) for name, w in (("id", 130), ("birth_date", 130), ("sex", 0))
        ]
        super().__init__([*literal, kit.Column("stay", numeric=True, literal=True, width=60)])

    def row_total(self) -> int:
        return len(self._cells)

    def cell(self, row: int, column: int) -> kit.Cell | None:
        return self._cells[row][column]


def sheet() -> QWidget:
    """The whole kit."""
    page = QWidget()
    page.setProperty("k", "page")
    page.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
    grid = QGridLayout(page)
    grid.setContentsMargins(24, 24, 24, 24)
    grid.setSpacing(16)
    grid.addLayout(_buttons(), 0, 0, 1, 3)
    tiles = [kit.Tile("k, smallest group", "Why"), kit.Tile("Records at risk"), kit.Tile("Suppressed cells")]
    tiles[0].show_value("7", "records", "ph.check-circle", "target at least {n}", n=5)
    tiles[1].show_value("0.8", "%", "ph.arrow-down", "was {share}", share="61.4 %")
    curve = kit.TradeoffSlider("Risk and utility", "Lower risk", "Higher utility")
    curve.show_curve([1 - 0.8 * 0.9**i for i in range(40)], 26, "k falls below {k}", k=5)
    curve.set_index(18)
    card = kit.Card()
    card.body.addWidget(curve)
    grid.addWidget(kit.TileRow(*tiles, card), 1, 0, 1, 3)
    verdict = kit.VerdictCard()
    verdict.show_verdict(
        "success", "ph.shield-check-fill", "Genuine and unchanged", "Signed by <b>{who}</b>.", who="A & B"
    )
    verdict.show_fingerprint("Fingerprint of the signing key", "7C1E 9A40 52D8 B3F6", "Compare it.")
    grid.addWidget(verdict, 2, 0, 1, 3)
    grid.addWidget(_form(), 3, 0)
    table = kit.Card("Protected", flush=True)
    table.body.addWidget(kit.TableView("Protected", _Rows()))
    grid.addWidget(table, 3, 1)
    grid.addWidget(_plot(), 3, 2)
    error = GuardError("clinic.csv cannot be opened", "line 7 has 3 cells", "Repair the line.", "table.ragged")
    grid.addWidget(kit.ErrorCard(error), 4, 0, 1, 2)
    banner = kit.Banner("warning", "Few samples at high strength", "Above 12/255 only 500 images were tried.")
    banner.add(kit.Button("Mark as reviewed", compact=True))
    grid.addWidget(banner, 4, 2)
    for column in range(3):
        grid.setColumnStretch(column, 1)
    return page


def _buttons() -> QGridLayout:
    holder = QGridLayout()
    steps = kit.Steps()
    steps.go(1)
    waiting = kit.Button("Lock now", icon="ph.lock-simple")
    waiting.setEnabled(False)
    parts: list[QWidget] = [
        kit.Button("Review & queue", "primary", "ph.arrow-right", trailing=True),
        kit.Button("Back up…", icon="ph.export"),
        kit.Button("Cancel…", "danger", "ph.x"),
        kit.Button("Show all", "ghost", "ph.clock-counter-clockwise"),
        kit.Button("Why this matters", "link"),
        waiting,
        kit.IconButton("ph.dots-three", "More"),
        kit.Chip("Unlocked", "ph.lock-simple-open", "success"),
        kit.Chip("Aiko Tanaka", "ph.user", removable=True),
        kit.Segmented(["All 14", "5 to check"], "Which columns"),
        steps,
    ]
    for index, part in enumerate(parts):
        holder.addWidget(part, 0, index)
    return holder


def _form() -> kit.Card:
    form = kit.Card("Settings")
    bad = kit.NumberField("Epochs", 30, low=1, high=500, whole=True)
    roles = [kit.Choice("id", "Identifier", "ph.identification-card"), kit.Choice("keep", "Keep", "ph.equals")]
    form.body.addWidget(kit.Field("Role", kit.Combo("Role", roles)))
    form.body.addWidget(kit.Field("Epochs", bad))
    bad.setText("many")
    ticked = kit.Tick("Only changed rows")
    ticked.setChecked(True)
    form.body.addWidget(ticked)
    form.body.addWidget(kit.FileField("Dataset", lambda then: None))
    form.body.addWidget(kit.Slider("Strength", 17, 8))
    bar = kit.ProgressBar()
    bar.set_value(0.53)
    form.body.addWidget(bar)
    form.body.addStretch(1)
    return form


def _plot() -> PlotCard:
    series = [Series("spent", "spent"), Series("ahead", "predicted", kind="predicted"), Series("c", "certified", 2)]
    plot = PlotCard("Privacy spent", series, budget="budget", x_label="epoch")
    x = np.linspace(0, 16, 200)
    plot.set_points("spent", x, 0.7 + 0.35 * np.sqrt(x))
    plot.set_points("ahead", np.linspace(16, 30), 0.7 + 0.35 * np.sqrt(np.linspace(16, 30)))
    plot.set_points("c", np.linspace(0, 30), np.linspace(0, 1.5))
    plot.set_band("spent", x, 0.6 + 0.3 * np.sqrt(x), 0.8 + 0.4 * np.sqrt(x))
    plot.set_x_range(0, 30)
    plot.set_y_range(0, 3.4)
    plot.set_limit(3.0, "budget ε = {value}", value="3.0")
    plot.set_now(16, 2.1, "now {value}", value="2.1")
    return plot


def main() -> None:
    out, mode, language = (*sys.argv[1:4], *("light", "en")[len(sys.argv) - 2 :])
    app = application()
    dress(app, cast(Literal["light", "dark"], mode), cast(Language, language))
    page = sheet()
    page.resize(1344, 900)
    page.show()
    loop = QEventLoop()
    QTimer.singleShot(300, loop.quit)  # plots draw at most ten times a second
    loop.exec()
    page.grab().save(str(Path(out)))


if __name__ == "__main__":
    main()
