"""How a model is trained can be chosen on the page: clipping in sight, the rest one fold away, all in the spec."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from pytestqt.qtbot import QtBot

from guardapp.desktop.i18n import speech
from guardapp.desktop.training.draft import Draft, of_spec
from guardapp.desktop.training.method import MethodSettings
from guardapp.desktop.training.page import REVIEW, SETTINGS, TrainingPage
from guardapp.desktop.window import Window
from guardapp.train.job import TrainSpec
from guardapp.train.method import Method


def _looking() -> ModuleType:
    place = importlib.util.spec_from_file_location("looking", Path(__file__).with_name("looking.py"))
    assert place is not None and place.loader is not None
    module = importlib.util.module_from_spec(place)
    place.loader.exec_module(module)
    return module


looking = _looking()


@pytest.fixture
def page(window: Window) -> TrainingPage:
    shown = window.show_page("training")
    assert isinstance(shown, TrainingPage)
    return shown


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    path = tmp_path / "halves.npz"
    np.savez(path, images=np.zeros((60, 18, 18), np.uint8), labels=(np.arange(60) % 2).astype(np.uint8))
    return path


def to_settings(page: TrainingPage, qtbot: QtBot, path: Path) -> None:
    page.open_file(path)
    qtbot.waitUntil(lambda: page._found is not None, timeout=20_000)
    page.data.bound.setText("400")
    page.primary.click()
    assert page.at == SETTINGS


def test_a_method_is_chosen_by_mouse_or_keyboard_in_either_language(
    page: TrainingPage, qtbot: QtBot, pictures: Path, hand: Any
) -> None:
    to_settings(page, qtbot, pictures)
    method = page.bench.panel.method
    assert not method.optimizer.isVisible(), "what few people need is folded away"
    hand.look(looking)
    hand.pick(method.clipping, "adaptive")
    hand.press(method.fold)
    assert method.optimizer.isVisible()
    hand.pick(method.optimizer, "adam")
    hand.press(method.noise_correction)
    hand.write(method.averaging, "0.99")
    hand.write(method.label_smoothing, "0.1")
    hand.pick(method.generator, "fast")
    hand.look(looking)
    qtbot.waitUntil(lambda: page._prediction is not None, timeout=20_000)
    assert page.draft is not None
    chosen = TrainSpec.model_validate(page.draft.document("one")).method
    assert chosen == Method(
        clipping="adaptive", optimizer="adam", noise_correction=True, averaging=0.99, label_smoothing=0.1,
        generator="fast",
    )  # fmt: skip
    hand.press(page.primary)
    assert page.at == REVIEW
    hand.look(looking)


def test_a_number_out_of_bounds_keeps_the_training_from_the_queue(
    page: TrainingPage, qtbot: QtBot, pictures: Path
) -> None:
    to_settings(page, qtbot, pictures)
    method = page.bench.panel.method
    method.fold.click()
    method.averaging.setText("2")
    assert not page.primary.isEnabled() and "not a number" in page.primary.toolTip()
    method.averaging.setText("")
    qtbot.waitUntil(page.primary.isEnabled, timeout=20_000)


def test_views_can_be_chosen_only_where_the_model_sees_images(page: TrainingPage, qtbot: QtBot, pictures: Path) -> None:
    to_settings(page, qtbot, pictures)
    panel = page.bench.panel
    panel.method.fold.click()
    assert not panel.method.views.isEnabled()
    panel.model.set_value("cnn")
    panel.model.picked.emit("cnn")
    assert panel.method.views.isEnabled()
    panel.method.views.setText("4")
    assert page.draft is not None and dict(page.draft.method) == {"views": 4}
    panel.model.set_value("auto")
    panel.model.picked.emit("auto")
    assert page.draft is not None and not page.draft.method, "a choice that cannot work is not kept in secret"


@pytest.mark.parametrize("language", ["zh"])
def test_the_unfolded_settings_are_whole_named_and_reachable(
    window: Window, page: TrainingPage, qtbot: QtBot, pictures: Path, language: Any
) -> None:
    window.resize(1120, 700)
    speech().choose(language)
    to_settings(page, qtbot, pictures)
    page.bench.panel.method.fold.click()
    qtbot.wait(60)
    assert looking.clipped(page) == []
    assert looking.unnamed(page) == []
    assert looking.unreachable(page) == []


def test_the_settings_of_a_job_are_shown_unfolded_and_locked(qtbot: QtBot, tmp_path: Path) -> None:
    method = {"clipping": "per-layer", "schedule": "cosine", "weight_decay": 0.01}
    spec = TrainSpec.model_validate(
        {"data": {"images": tmp_path / "a.npz"}, "recipe": "cnn", "privacy": None, "method": method}
    )
    draft = of_spec(spec.model_dump(mode="json"), tmp_path)
    shown = MethodSettings()
    qtbot.addWidget(shown)
    shown.show_draft(draft)
    shown.set_locked(True)
    assert shown.read() == method and shown.fold.is_open
    assert not any(control.isEnabled() for control in (shown.clipping, shown.schedule, shown.views, shown.averaging))


def test_every_choice_of_the_page_is_one_of_the_method(qtbot: QtBot, tmp_path: Path) -> None:
    shown = MethodSettings()
    qtbot.addWidget(shown)
    shown.show_draft(Draft(tmp_path / "a.npz", "image"))
    assert shown.read() == {}
    for name, combo in shown._combos.items():
        for choice in combo._choices:
            Method.model_validate({name: choice.value or None})
    assert {*shown._combos, *shown._numbers, "noise_correction"} == set(Method.model_fields)
