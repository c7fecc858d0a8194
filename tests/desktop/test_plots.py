"""Plots: thinned, throttled, exported, and repainted without losing references to None (see known traps, 6.12.0)."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QWidget
from pytestqt.qtbot import QtBot

from guardapp.desktop.kit.plot_export import save_plot
from guardapp.desktop.kit.plot_parts import Series, thin
from guardapp.desktop.kit.plots import PlotCard
from guardapp.desktop.theme.state import theme

Show = Callable[[QWidget], QWidget]


@pytest.fixture
def plot(show: Show, qtbot: QtBot) -> PlotCard:
    made = PlotCard("Loss", [Series("train", "training", kind="live"), Series("valid", "validation", 1, points=True)])
    made.resize(600, 300)
    show(made)
    made.set_x_range(0, 30)
    return made


def test_thinning_keeps_every_peak_and_both_ends() -> None:
    x = np.arange(100_000.0)
    y = np.zeros_like(x)
    y[[12_345, 77_777]] = 9, -9
    shorter_x, shorter_y = thin(x, y, 5000)
    assert len(shorter_x) <= 5000 + 2
    assert {9.0, -9.0} <= set(shorter_y.tolist())
    assert (shorter_x[0], shorter_x[-1]) == (0, 99_999)
    assert (np.diff(shorter_x) > 0).all()


def test_a_short_curve_is_drawn_as_it_is() -> None:
    x = np.arange(10.0)
    assert thin(x, x, 5000)[0] is x


def test_a_live_curve_is_drawn_at_most_ten_times_a_second(plot: PlotCard, qtbot: QtBot) -> None:
    drawn = []
    draw = plot._draw._act
    plot._draw._act = lambda: (drawn.append(1), draw())[1]
    for step in range(500):
        plot.add_point("train", step / 20, 2.0)
        if step % 50 == 0:
            qtbot.wait(20)
    qtbot.wait(150)
    assert 1 <= len(drawn) <= 6
    assert len(plot.points("train")[0]) == 500
    assert len(plot._curves["train"].item.getData()[0]) == 500


def test_repainting_a_plot_loses_no_reference_to_none(plot: PlotCard, qtbot: QtBot) -> None:
    x = np.linspace(0, 30, 500)
    plot.set_points("train", x, np.sin(x))

    def repaint(times: int) -> None:
        for _ in range(times):
            plot.plot.viewport().repaint()
            plot.plot.grab()

    repaint(5)
    before = sys.getrefcount(None)
    repaint(50)
    # 6.12.0 loses several references per repaint; Python 3.12 made None immortal, so its count never moves
    assert abs(sys.getrefcount(None) - before) < 50


def test_a_plot_is_exported_as_picture_drawing_and_numbers(plot: PlotCard, tmp_path: Path, qtbot: QtBot) -> None:
    plot.set_points("valid", [0.0, 1.0, 2.0], [2.0, 1.0, 0.5])
    qtbot.wait(150)
    for kind in ("png", "svg", "csv"):
        save_plot(plot, tmp_path / f"loss.{kind}")
    assert QImage(str(tmp_path / "loss.png")).width() == 1200
    assert ElementTree.parse(tmp_path / "loss.svg").getroot().tag.endswith("svg")
    lines = (tmp_path / "loss.csv").read_text(encoding="utf-8-sig").splitlines()
    assert lines == ["series,x,y", "valid,0.0,2.0", "valid,1.0,1.0", "valid,2.0,0.5"]


def test_a_plot_is_cleared_and_used_again(plot: PlotCard, qtbot: QtBot) -> None:
    plot.set_points("train", [0.0, 1.0], [1.0, 2.0])
    plot.set_limit(3.0, "budget ε = {value}", value="3.0")
    plot.set_now(1.0, 2.0, value="2.0")
    qtbot.wait(150)
    plot.clear()
    assert len(plot.points("train")[0]) == 0
    plot.add_point("train", 0.0, 5.0)
    qtbot.wait(150)
    assert plot._curves["train"].item.getData()[1].tolist() == [5.0]


def test_pens_follow_the_theme(plot: PlotCard) -> None:
    light = plot._curves["train"].item.opts["pen"].color().name()
    theme().choose("dark")
    assert plot._curves["train"].item.opts["pen"].color().name() != light


def test_linked_plots_share_the_cursor(plot: PlotCard, show: Show, qtbot: QtBot) -> None:
    other = PlotCard("Privacy spent", [Series("spent", "spent")])
    show(other)
    other.link(plot)
    for card, key in ((plot, "train"), (other, "spent")):
        card.set_points(key, [0.0, 30.0], [1.0, 2.0])
    plot.pin_cursor(15.0, "at {x}")
    qtbot.wait(150)
    assert plot._readout.isVisible()
