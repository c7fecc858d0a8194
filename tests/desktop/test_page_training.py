"""The Private training page, operated as a person would: real data, a real worker, the real ledger."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLabel
from pytestqt.qtbot import QtBot

from guardapp.desktop.i18n import speech
from guardapp.desktop.training.draft import of_spec, starting
from guardapp.desktop.training.live import Live, at_least_one_digit, exponent, rounded_up
from guardapp.desktop.training.page import DATA, JOB, REVIEW, SETTINGS, START, TrainingPage
from guardapp.desktop.window import Window
from guardapp.jobs.events import Facts, Metric
from guardapp.language import translate
from guardapp.vault.ledger import Ledger


def _looking() -> ModuleType:
    place = importlib.util.spec_from_file_location("looking", Path(__file__).with_name("looking.py"))
    assert place is not None and place.loader is not None
    module = importlib.util.module_from_spec(place)
    place.loader.exec_module(module)
    return module


looking = _looking()
LEFT = Qt.MouseButton.LeftButton


@pytest.fixture
def digits(tmp_path: Path) -> Path:
    """300 pictures of three easy classes: a bright third of the picture."""
    rng = np.random.default_rng(0)
    labels = (np.arange(300) % 3).astype(np.uint8)
    images = rng.integers(0, 60, (300, 18, 18), dtype=np.uint8)
    for row, label in enumerate(labels):
        images[row, 6 * label : 6 * label + 6] += 180
    path = tmp_path / "thirds.npz"
    np.savez(path, images=images, labels=labels)
    return path


@pytest.fixture
def page(window: Window) -> TrainingPage:
    shown = window.show_page("training")
    assert isinstance(shown, TrainingPage)
    return shown


def to_data(page: TrainingPage, qtbot: QtBot, path: Path, bound: str = "400") -> None:
    page.open_file(path)
    qtbot.waitUntil(lambda: page._found is not None, timeout=20_000)
    page.data.bound.setFocus()
    qtbot.keyClicks(page.data.bound, bound)


def to_settings(page: TrainingPage, qtbot: QtBot, path: Path, **fields: str) -> None:
    to_data(page, qtbot, path)
    qtbot.keyClick(page.data.bound, Qt.Key.Key_Return)
    assert page.at == SETTINGS
    for name, text in fields.items():
        field = getattr(page.bench.panel, name)
        field.clear()
        qtbot.keyClicks(field, text)
    predicted(page, qtbot)


def predicted(page: TrainingPage, qtbot: QtBot) -> None:
    qtbot.waitUntil(lambda: page._prediction is not None, timeout=20_000)


def queue(page: TrainingPage, qtbot: QtBot) -> None:
    qtbot.mouseClick(page.primary, LEFT)
    assert page.at == REVIEW
    qtbot.mouseClick(page.primary, LEFT)
    qtbot.waitUntil(lambda: page.at == JOB, timeout=20_000)


def ends(page: TrainingPage, qtbot: QtBot, *states: str) -> None:
    qtbot.waitUntil(lambda: page.job.row is not None and page.job.row.state in states, timeout=90_000)


def texts(root: Any) -> str:
    return "\n".join(label.text() for label in root.findChildren(QLabel) if label.isVisible())


def test_data_settings_and_queue_lead_to_a_model_with_its_promise(
    window: Window,
    page: TrainingPage,
    qtbot: QtBot,
    digits: Path,
    make_window: Callable[[], Window],
) -> None:
    to_settings(page, qtbot, digits, steps="60")
    before = page.bench.hero.headline.text()
    assert before.startswith("predicted ε = ") and "of 3.0 · about" in before
    queue(page, qtbot)
    ends(page, qtbot, "done", "failed")
    assert page.job.row.state == "done", page.job.row.error
    qtbot.waitUntil(lambda: page.bench.view.isVisible(), timeout=10_000)
    report = json.loads((page.job.row.folder / "report.json").read_text(encoding="utf-8"))
    assert report["statement"]["words"][0] in texts(page.bench.promise)
    assert f"ε = {rounded_up(report['epsilon'])} of 3.0" in page.bench.hero.headline.text()
    assert page.job.live.step == 60 and len(page.bench.curves.loss.points("training")[0]) == 60
    balance = Ledger().datasets()[0]
    assert balance.spent_epsilon == pytest.approx(report["epsilon"])
    # after a restart the same curves come from what the job told
    job, spent = page.job.row.id, page.bench.curves.epsilon.points("spent")
    window.shut_down()
    again = make_window()
    row = again.jobs.row(job)
    assert row is not None
    again.open_job(row)
    shown = again.show_page("training")
    assert isinstance(shown, TrainingPage)
    qtbot.waitUntil(lambda: shown.bench.view.isVisible(), timeout=15_000)
    assert np.array_equal(shown.bench.curves.epsilon.points("spent"), spent)
    assert len(shown.bench.curves.loss.points("training")[0]) == 60


def test_a_training_pauses_goes_on_and_is_cancelled_only_after_saying_what_is_lost(
    page: TrainingPage, qtbot: QtBot, digits: Path
) -> None:
    to_settings(page, qtbot, digits, steps="20000")
    queue(page, qtbot)
    hero = page.bench.hero
    qtbot.waitUntil(lambda: page.job.live.step > 20, timeout=60_000)
    assert "The budget holds" in hero.sentence.text()
    qtbot.mouseClick(hero.pause_button, LEFT)
    ends(page, qtbot, "paused")
    held = page.job.live.step
    qtbot.waitUntil(hero.resume_button.isVisible, timeout=5_000)
    qtbot.mouseClick(hero.resume_button, LEFT)
    qtbot.waitUntil(lambda: page.job.live.step > held, timeout=60_000)
    qtbot.waitUntil(hero.cancel_button.isVisible, timeout=5_000)
    hero.cancel_button.setFocus()
    qtbot.keyClick(hero.cancel_button, Qt.Key.Key_Space)
    assert hero.confirm.isVisible() and "stays spent" in hero.lost.text()
    qtbot.keyClick(hero.keep, Qt.Key.Key_Space)
    assert not hero.confirm.isVisible() and page.job.row.state == "running"
    qtbot.mouseClick(hero.cancel_button, LEFT)
    qtbot.mouseClick(hero.sure, LEFT)
    ends(page, qtbot, "cancelled")
    spent = Ledger().datasets()[0].spent_epsilon
    assert spent > 0
    qtbot.waitUntil(hero.again_button.isVisible, timeout=5_000)
    assert hero.sentence.text() == f"What was spent stays spent: ε = {rounded_up(page.job.live.spent)}."
    # a copy has the same settings and can be changed
    qtbot.mouseClick(page.bench.panel.copy, LEFT)
    assert page.at == DATA and page.draft is not None and page.draft.steps == 20_000
    assert page.job.row is None


def test_nothing_goes_on_without_its_reason(page: TrainingPage, qtbot: QtBot, digits: Path) -> None:
    page.open_file(digits)
    qtbot.waitUntil(lambda: page._found is not None, timeout=20_000)
    assert not page.primary.isEnabled()
    assert "public upper bound" in page.primary.toolTip() and page.footer is not None
    assert page.footer.note.text() == page.primary.toolTip()
    qtbot.keyClicks(page.data.bound, "400")
    assert page.primary.isEnabled()
    qtbot.mouseClick(page.primary, LEFT)
    predicted(page, qtbot)
    first = page._prediction
    panel = page.bench.panel
    panel.epsilon.selectAll()
    qtbot.keyClicks(panel.epsilon, "x")
    assert not page.primary.isEnabled() and "not a number" in page.primary.toolTip()
    panel.epsilon.selectAll()
    qtbot.keyClicks(panel.epsilon, "1")
    predicted(page, qtbot)
    assert first is not None and page._prediction is not None
    assert page._prediction["sigma"] > first["sigma"], "less ε takes more noise"
    panel.delta.selectAll()
    qtbot.keyClicks(panel.delta, "0.05")
    assert "below 0.0025" in panel.hint.text()


def test_a_budget_that_has_no_room_is_said_before_the_start(
    window: Window, page: TrainingPage, qtbot: QtBot, digits: Path
) -> None:
    to_data(page, qtbot, digits)
    assert page._found is not None
    ledger = Ledger()
    ledger.register(page._found["fingerprint"], "thirds.npz")
    ledger.set_budget(page._found["fingerprint"], 1.0, 1e-3)
    window.vault.refresh()
    qtbot.waitUntil(lambda: "1 of 1" in texts(page.data), timeout=10_000)
    qtbot.mouseClick(page.primary, LEFT)
    predicted(page, qtbot)
    assert not page.primary.isEnabled()
    assert "ε = 1 is left, 3 is needed" in page.primary.toolTip()
    page.bench.panel.epsilon.selectAll()
    qtbot.keyClicks(page.bench.panel.epsilon, "0.5")
    predicted(page, qtbot)
    assert page.primary.isEnabled()


def test_a_table_asks_for_its_column_and_its_schema(page: TrainingPage, qtbot: QtBot, tmp_path: Path) -> None:
    table = tmp_path / "people.csv"
    rows = [f"{20 + i % 50},{'yes' if i % 2 else 'no'}" for i in range(80)]
    table.write_text("age,answer\n" + "\n".join(rows) + "\n", encoding="utf-8")
    page.open_file(table)
    data = page.data
    qtbot.waitUntil(lambda: data.label.count() == 3, timeout=20_000)
    assert "column to predict" in page.primary.toolTip()
    data.label.setFocus()
    qtbot.keyClicks(data.label, "answer")
    data.label.activated.emit(data.label.currentIndex())
    assert page.draft is not None and page.draft.label == "answer"
    assert "schema" in page.primary.toolTip()
    schema = tmp_path / "people.schema.yaml"
    schema.write_text(
        "version: 1\ncolumns:\n"
        "  age: {type: number, low: 0, high: 120}\n  answer: {type: category, values: ['no', 'yes'], other: false}\n",
        encoding="utf-8",
    )
    data.schema.take(schema)
    qtbot.waitUntil(lambda: page._found is not None or page._refusal is not None, timeout=20_000)
    assert page._refusal is None, page._refusal
    assert page._found is not None and page._found["examples"] == 80


def test_data_that_cannot_be_read_says_so_in_place(page: TrainingPage, qtbot: QtBot, tmp_path: Path) -> None:
    path = tmp_path / "broken.npz"
    path.write_bytes(b"PK\x03\x04 not an archive")
    spec = tmp_path / "train.yaml"
    spec.write_text("kind: seal\n", encoding="utf-8")
    page.open_file(spec)
    qtbot.waitUntil(page.start.error.isVisible, timeout=20_000)
    assert page.at == START
    page.open_file(path)
    qtbot.waitUntil(page.data.error.isVisible, timeout=20_000)
    assert not page.primary.isEnabled() and "could not be read" in page.primary.toolTip()


def test_a_model_that_does_not_fit_is_refused_before_it_is_queued(
    page: TrainingPage, qtbot: QtBot, tmp_path: Path
) -> None:
    path = tmp_path / "small.npz"
    labels = (np.arange(60) % 2).astype(np.uint8)
    np.savez(path, images=np.zeros((60, 8, 8), np.uint8), labels=labels)
    to_data(page, qtbot, path)
    qtbot.mouseClick(page.primary, LEFT)
    qtbot.waitUntil(page.bench.hero.error.isVisible, timeout=20_000)
    assert "at least 16 × 16" in texts(page.bench.hero) and not page.primary.isEnabled()
    page.bench.panel.model.setFocus()
    qtbot.keyClick(page.bench.panel.model, Qt.Key.Key_End)
    page.bench.panel.model.activated.emit(page.bench.panel.model.currentIndex())
    predicted(page, qtbot)
    assert page.primary.isEnabled()


@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_step_is_whole_named_and_reachable(
    window: Window, page: TrainingPage, qtbot: QtBot, digits: Path, language: Any
) -> None:
    window.resize(1120, 700)
    speech().choose(language)

    def look() -> None:
        qtbot.wait(60)
        assert looking.clipped(page) == []
        assert looking.unnamed(page) == []
        assert looking.unreachable(page) == []

    look()
    to_data(page, qtbot, digits)
    look()
    qtbot.mouseClick(page.primary, LEFT)
    predicted(page, qtbot)
    look()
    qtbot.mouseClick(page.primary, LEFT)
    look()
    assert (window.width(), window.height()) == (1120, 700)
    if language == "zh":
        assert "所作的保证" in texts(page)


def test_the_whole_way_in_either_language_by_mouse_or_by_keyboard(
    page: TrainingPage, qtbot: QtBot, digits: Path, hand: Any
) -> None:
    hand.look(looking)
    page.open_file(digits)
    qtbot.waitUntil(lambda: page._found is not None, timeout=20_000)
    hand.write(page.data.bound, "400")
    hand.look(looking)
    hand.press(page.primary)
    assert page.at == SETTINGS
    predicted(page, qtbot)
    hand.write(page.bench.panel.steps, "60")
    hand.write(page.bench.panel.epsilon, "2")
    predicted(page, qtbot)
    hand.look(looking)
    hand.press(page.primary)
    assert page.at == REVIEW
    hand.look(looking)
    hand.press(page.primary)
    qtbot.waitUntil(lambda: page.at == JOB, timeout=20_000)
    ends(page, qtbot, "done", "failed")
    assert page.job.row.state == "done", page.job.row.error
    qtbot.waitUntil(lambda: page.bench.view.isVisible(), timeout=10_000)
    hand.look(looking)
    report = json.loads((page.job.row.folder / "report.json").read_text(encoding="utf-8"))
    assert report["epsilon"] <= 2
    assert f"ε = {rounded_up(report['epsilon'])}" in page.bench.hero.headline.text()
    assert translate(report["statement"]["words"][0], hand.language) in texts(page.bench.promise)


def test_curves_take_a_history_once_and_charge_whole_blocks() -> None:
    live = Live()
    facts = {"steps": 20, "steps_per_epoch": 10, "budget": 3.0, "predicted_epsilon": 2.0}
    told: list[Any] = [
        Facts("a", {**facts, "predicted_curve": [[10, 1.0], [20, 2.0]]}),
        Metric("a", "epsilon", ((10, 1.0),)),
        Metric("a", "loss", ((1, 2.0), (2, float("nan")), (5, 1.5))),
    ]
    assert live.take(told)["loss"] == [(1, 2.0), (5, 1.5)]
    assert live.take(told)["loss"] == []
    assert live.step == 5 and live.spent == 1.0
    assert live.spent_stairs() == [(0.0, 1.0), (0.5, 1.0)]
    assert live.predicted_rest() == [(0.5, 1.0), (1.0, 1.0), (2.0, 2.0)]


def test_epsilon_is_never_shown_below_what_is_spent() -> None:
    assert [rounded_up(x) for x in (2.93, 2.931, 2.9999, 0.0)] == ["2.93", "2.94", "3.00", "0.00"]
    assert [at_least_one_digit(x) for x in (3.0, 2.25, 0.5)] == ["3.0", "2.25", "0.5"]
    assert [exponent(x) for x in (1e-5, 2.5e-12)] == ["1e-5", "2.5e-12"]


def test_a_copy_of_a_spec_loses_no_setting(tmp_path: Path) -> None:
    draft = starting(tmp_path / "d.npz", folder=False).but(bound=900, steps=7, clip=0.5, classes=("a", "b"))
    spec = {**draft.document("one"), "seed": 5, "learning_rate": 0.1}
    copied = of_spec(spec, tmp_path).document("two")
    assert copied == {**spec, "name": "two"}


def test_the_window_imports_nothing_that_computes() -> None:
    code = (
        "import sys, guardapp.desktop.training.page; "
        "bad = {'torch', 'scipy', 'dp_accounting', 'pandas', 'pyarrow'} & set(sys.modules); assert not bad, bad"
    )
    subprocess.run([sys.executable, "-c", code], check=True, env={**os.environ})
