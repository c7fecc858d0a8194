"""Leakage on the Robustness page: set up, queued, read and compared, as a person would."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from guardapp.desktop.i18n import speech
from guardapp.desktop.robustness.leakage.leak_bench import INPUT, RESULT, REVIEW, SETTINGS, LeakBench
from guardapp.desktop.robustness.page import ATTACKS, LEAKAGE, RobustnessPage

LEFT = Qt.MouseButton.LeftButton


def show(qtbot: QtBot, page: RobustnessPage, row: Any) -> LeakBench:
    """Open a finished leakage check."""
    page.open_job(row)
    bench = page.leakage
    qtbot.waitUntil(lambda: bench.shown_leaks.job == row.id and bench.result.finding is not None, timeout=10_000)
    qtbot.waitUntil(lambda: bench.result.finding == bench.shown_leaks.finding, timeout=10_000)
    return bench


@pytest.fixture
def leak(page: RobustnessPage, hands: ModuleType) -> Any:
    """The leakage check of the laboratory's model: its row in the queue."""
    return hands.row(page, "leak-long")


@pytest.fixture
def another(page: RobustnessPage, tmp_path: Path, leak: Any) -> Callable[[dict[str, Any], str], Any]:
    """A row of the queue whose report differs from that of the real check."""

    def make(changes: dict[str, Any], name: str = "another") -> Any:
        folder = tmp_path / name
        shutil.copytree(leak.folder, folder)
        report = json.loads((folder / "report.json").read_text(encoding="utf-8"))
        (folder / "report.json").write_text(json.dumps(report | changes), encoding="utf-8")
        row = replace(leak, id=f"{len(name):012x}", name=name, folder=folder)
        page.services.jobs._rows[row.id] = row
        page._refresh()
        return row

    return make


def fill(qtbot: QtBot, page: RobustnessPage, name: str = "long") -> LeakBench:
    """Choose Leakage and a finished training, whose rows come by themselves."""
    page.choose(LEAKAGE)
    bench = page.leakage
    bench.go(INPUT)
    row = next(one for one in page.services.jobs.rows if one.name == name)
    bench.input.show_model({"job": str(row.folder)})
    bench.take_training(row.id)
    qtbot.waitUntil(lambda: bench.input.images.path is not None and not bench.input.why_not(), timeout=10_000)
    return bench


def test_a_training_brings_its_members_and_non_members_may_come_from_a_file_of_their_own(
    page: RobustnessPage, qtbot: QtBot, laboratory: Path, hands: ModuleType, tmp_path: Path
) -> None:
    bench = fill(qtbot, page)
    document = bench.input.document()
    data = {"images": str(laboratory / "blobs.npz"), "test_fraction": 0.3, "split_seed": 5}
    assert document["members"] == {**data, "part": "train"}
    assert document["non_members"] == {**data, "part": "test"}
    told = "Members are the rows that long was trained on, non-members those that it held back."
    assert told in hands.words(bench.input)

    box = bench.input.part
    box.setFocus()
    qtbot.keyClick(box, Qt.Key.Key_Down)
    assert bench.input.why_not() == "Choose the examples that the model was not trained on."
    assert not bench.primary.isEnabled()
    bench.input.others.set_path(tmp_path / "others.npz")
    bench.input.changed.emit()
    document = bench.input.document()
    assert document["members"]["part"] == document["non_members"]["part"] == "all"
    assert document["non_members"]["images"] == str(tmp_path / "others.npz")
    bench.input.show_sides(document["members"], document["non_members"])
    assert bench.input.document() == document


def test_every_attacker_fills_the_spec_that_the_engine_takes_and_what_does_not_fit_is_said(
    page: RobustnessPage, qtbot: QtBot
) -> None:
    from guardapp.jobs.specs import parse

    bench = fill(qtbot, page)
    settings = bench.settings_step
    bench.go(SETTINGS)
    found = {}
    for name, card in settings.attackers.items():
        qtbot.mouseClick(card, LEFT)
        spec = parse(bench._document())
        found[name] = (spec.compare, spec.references)
        before = settings.document()
        settings.show_document(spec.model_dump(mode="json"))
        assert settings.document() == before
    assert found == {
        "loss": ("online", 0),
        "quantile": ("quantile", 0),
        "offline": ("offline", 4),
        "online": ("online", 16),
    }

    settings.references.setText("3")
    assert bench.primary.toolTip().startswith("Give an even number of reference models")
    qtbot.mouseClick(settings.attackers["offline"], LEFT)
    settings.references.setText("3")
    assert bench.primary.isEnabled()
    settings.delta.setText("0.1")
    assert settings.why_not() == "A promised δ needs its ε."
    settings.epsilon.setText("-1")
    assert not bench.primary.isEnabled()


@pytest.mark.parametrize("hand", ["zh-keyboard"], indirect=True)
def test_the_whole_way_to_the_curve(
    page: RobustnessPage, qtbot: QtBot, looking: ModuleType, hand: Any, hands: ModuleType
) -> None:
    page._go(INPUT)
    if hand.mouse:
        cells = page.which._cells()
        qtbot.mouseClick(page.which, LEFT, pos=cells[LEAKAGE][0].center().toPoint())
    else:
        hand.reach(page.which)
        qtbot.keyClick(page.which, Qt.Key.Key_Right)
    assert page.which.index == LEAKAGE
    bench = fill(qtbot, page, "short")
    hand.look(looking, "short")
    hand.press(bench.primary)
    hand.press(bench.settings_step.attackers["loss"])
    hand.write(bench.settings_step.limit, "100")
    hand.look(looking, "short")
    hand.press(bench.primary)
    assert bench.step == REVIEW
    hand.look(looking, "short")
    hand.write(bench.review.name, "mine")
    hand.press(bench.primary)
    qtbot.waitUntil(lambda: bench.step == RESULT, timeout=15_000)
    qtbot.waitUntil(lambda: bench.result.finding is not None, timeout=60_000)
    report = json.loads((hands.row(page, "mine").folder / "report.json").read_text(encoding="utf-8"))
    assert report["members"] == 100
    xs, ys = bench.result.plot.points("ours")
    assert (10**xs).tolist() == pytest.approx(report["false_positives"])
    assert (ys / 100).tolist() == pytest.approx(report["attacks"][0]["curve"])
    assert f"{report['attacks'][0]['auc']:.3f}" in hands.words(bench.result.auc)
    assert not bench.result.strip.isVisible()
    hand.look(looking, "short", "mine")
    hand.press(bench.result.change)
    assert (bench.step, bench.settings_step.attacker) == (SETTINGS, "loss")


def test_a_contradicted_promise_is_a_red_alarm_and_what_it_allows_is_drawn(
    page: RobustnessPage, qtbot: QtBot, hands: ModuleType, another: Callable[..., Any], leak: Any
) -> None:
    bench = show(qtbot, page, leak)
    assert "The promised privacy is contradicted" not in hands.words(bench.result.answer)
    assert {"needs 1,000", "needs 10,000"} <= hands.words(bench.result), "a rate that the sample cannot tell"
    assert len(bench.result.plot.points("allowed")[0]) == 200
    bench = show(qtbot, page, another({"contradicted": True, "epsilon_at_least": 3.5}))
    assert "The promised privacy is contradicted" in hands.words(bench.result.answer)
    assert any("ε ≥ 3.50, and ε = 2 was promised" in text for text in hands.words(bench.result.answer))
    assert bench.result.answer.property("tone") == "danger"
    bench = show(qtbot, page, another({"claim": None, "allowed": None}, "unpromised"))
    assert len(bench.result.plot.points("allowed")[0]) == 0
    assert bench.result.epsilon.accessibleDescription().endswith("nothing was promised")


def test_two_models_are_compared_figure_by_figure_and_a_report_that_is_none_is_an_error(
    page: RobustnessPage, qtbot: QtBot, hands: ModuleType, another: Callable[..., Any], leak: Any
) -> None:
    report = json.loads((leak.folder / "report.json").read_text(encoding="utf-8"))
    attack = report["attacks"][0]
    other = another({"attacks": [{**attack, "attack": "quantile regression", "auc": 0.913, "curve": [0.5] * 200}]})
    bench = show(qtbot, page, leak)
    bench.other.setFocus()
    for _ in range(bench.other.count()):
        if bench.other.value != other.id:
            qtbot.keyClick(bench.other, Qt.Key.Key_Down)
    qtbot.waitUntil(lambda: len(bench.result.plot.points("other")[0]) == 200, timeout=10_000)
    assert f"{attack['auc']:.3f} against 0.913" in hands.words(bench.result)
    assert bench.result.plot.points("other")[1].tolist() == [50.0] * 200
    assert bench.result.plot.note.text() == "loss threshold against quantile regression"

    page.open_job(another({"false_positives": None}, "early"))
    qtbot.waitUntil(page.leakage.result.strip.error.isVisible, timeout=10_000)
    assert "Run the check again." in hands.words(page.leakage.result.strip)


def test_the_other_kind_of_check_keeps_its_place(
    page: RobustnessPage, qtbot: QtBot, hands: ModuleType, leak: Any
) -> None:
    hands.show(qtbot, page, "check-long")
    page.choose(LEAKAGE)
    qtbot.waitUntil(lambda: page.leakage.step == RESULT, timeout=10_000)
    assert page.leakage.isVisible() and not page.stack.isVisible() and not page.export.isVisible()
    page.choose(ATTACKS)
    assert page.stack.isVisible() and page.export.isVisible() and not page.leakage.export_report.isVisible()
    assert page.step == RESULT
    page._go(INPUT)
    assert page.primary.isVisible() and not page.leakage.primary.isVisible()


def test_no_step_of_leakage_is_clipped_in_any_language(
    page: RobustnessPage, qtbot: QtBot, looking: ModuleType, hands: ModuleType, another: Callable[..., Any], leak: Any
) -> None:
    window = page.window()
    window.resize(1120, 700)
    bench = fill(qtbot, page)
    other = another({"contradicted": True})

    def look() -> None:
        languages: tuple[Literal["en", "zh"], ...] = ("en", "zh")
        for language in languages:
            speech().choose(language)
            for _ in range(3):
                QApplication.processEvents()
            assert looking.clipped(page) == []
            assert looking.unnamed(page) == []
            assert looking.unreachable(page) == []
            assert language == "en" or looking.english(page) == []

    for step in (INPUT, SETTINGS, REVIEW):
        bench.go(step)
        look()
    for row in (leak, other):
        show(qtbot, page, row)
        look()
    assert (window.width(), window.height()) == (1120, 700)
