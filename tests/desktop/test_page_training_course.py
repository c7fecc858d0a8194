"""What a training starts from, when it stops, whether it is audited, and that there may be no guarantee at all."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from pytestqt.qtbot import QtBot

from guardapp.desktop.training.course import AUDITS, STARTS, CourseSettings
from guardapp.desktop.training.draft import Draft, of_spec, public_data
from guardapp.desktop.training.page import REVIEW, SETTINGS, TrainingPage
from guardapp.desktop.window import Window
from guardapp.formats.models import ModelCard
from guardapp.train.audit.options import Audit
from guardapp.train.job import TrainSpec
from guardapp.train.start import Start


@pytest.fixture
def page(window: Window) -> TrainingPage:
    shown = window.show_page("training")
    assert isinstance(shown, TrainingPage)
    return shown


def pictures(path: Path, rows: int) -> Path:
    np.savez(path, images=np.zeros((rows, 18, 18), np.uint8), labels=(np.arange(rows) % 2).astype(np.uint8))
    return path


@pytest.fixture
def trained(tmp_path: Path) -> Path:
    """The folder of a finished training; the page reads its card alone."""
    folder = tmp_path / "before"
    folder.mkdir()
    card = ModelCard(architecture="mlp", input="image", input_shape=(1, 18, 18), classes=["0", "1"])
    (folder / "model.json").write_text(card.model_dump_json(), encoding="utf-8")
    return folder


def to_settings(page: TrainingPage, qtbot: QtBot, path: Path) -> None:
    page.open_file(path)
    qtbot.waitUntil(lambda: page._found is not None, timeout=20_000)
    page.data.bound.setText("400")
    page.primary.click()
    assert page.at == SETTINGS
    page.bench.panel.steps.setText("3")


def spec_of(page: TrainingPage) -> TrainSpec:
    assert page.draft is not None
    return TrainSpec.model_validate(page.draft.document("one"))


@pytest.mark.parametrize("hand", ["en-mouse", "zh-keyboard"], indirect=True)
def test_start_stop_audit_and_no_guarantee_are_chosen_by_mouse_or_keyboard(
    page: TrainingPage, qtbot: QtBot, tmp_path: Path, trained: Path, hand: Any, looking: ModuleType
) -> None:
    to_settings(page, qtbot, pictures(tmp_path / "halves.npz", 60))
    panel, course = page.bench.panel, page.bench.panel.course
    assert not course.start.isVisible(), "what few people need is folded away"
    hand.press(course.fold)
    hand.pick(course.start, "low-rank")
    assert not page.primary.isEnabled() and not panel.model.isEnabled(), "a model is missing, and its shape is its own"
    course.model._take(trained / "model.safetensors")
    hand.write(course.rank, "2")
    hand.pick(course.stop, "public")
    assert not page.primary.isEnabled()
    course.public._take(pictures(tmp_path / "public.npz", 40))
    hand.pick(course.audit, "nothing")
    hand.write(course.canaries, "200")
    hand.look(looking, "safetensors", "npz")
    qtbot.waitUntil(page.primary.isEnabled, timeout=20_000)
    assert page._prediction is not None and page._prediction["architecture"] == "mlp"
    spec = spec_of(page)
    assert spec.start == Start(model=trained / "model.safetensors", train="low-rank", rank=2)
    assert spec.stop is not None and spec.stop.data.images == tmp_path / "public.npz" and spec.stop.patience == 5
    assert spec.audit == Audit(canaries=200, require="nothing")
    hand.press(page.primary)
    assert page.at == REVIEW
    hand.look(looking, "halves")
    hand.press(page.back)
    hand.pick(panel.guarantee, "none")
    assert not course.audit.isEnabled() and not panel.epsilon.isEnabled()
    qtbot.waitUntil(page.primary.isEnabled, timeout=20_000)
    assert not page.bench.curves.isVisible() and not panel.clip.placeholderText(), "no ε to draw, and no clipping"
    hand.look(looking, "safetensors", "npz")
    compared = spec_of(page)
    assert compared.privacy is None and compared.audit is None and compared.max_examples == 400
    assert compared.start == spec.start and compared.stop == spec.stop
    hand.press(page.primary)
    assert page.at == REVIEW
    hand.look(looking, "halves")


def test_the_settings_of_a_job_come_back_whole(qtbot: QtBot, tmp_path: Path) -> None:
    public = {"table": tmp_path / "public.csv", "label": "income", "test_fraction": 0.0}
    spec = TrainSpec.model_validate(
        {
            "data": {"table": tmp_path / "a.csv", "label": "income"},
            "privacy": None,
            "max_examples": 900,
            "start": {"model": tmp_path / "before", "train": "all"},
            "stop": {"data": public, "patience": 7},
        }
    )
    draft = of_spec(spec.model_dump(mode="json", by_alias=True), tmp_path)
    assert draft.bound == 900 and not draft.private and draft.is_whole
    shown = CourseSettings(*[lambda then: None] * 3)
    qtbot.addWidget(shown)
    shown.show_draft(draft)
    shown.set_locked(True)
    assert shown.fold.is_open and not shown.start.isEnabled() and not shown.audit.isEnabled()
    again = TrainSpec.model_validate(draft.but(course=tuple(shown.read().items())).document(""))
    assert (again.start, again.stop, again.max_examples) == (spec.start, spec.stop, 900)


def test_every_choice_of_the_page_is_one_of_the_spec(tmp_path: Path) -> None:
    for choice in STARTS[1:]:
        Start.model_validate({"model": tmp_path, "train": choice.value})
    for choice in AUDITS[1:]:
        Audit.model_validate({"require": choice.value})
    table = Draft(tmp_path / "a.csv", "table", label="income", course=(("start", {"train": "all"}),))
    assert public_data(tmp_path / "b.csv", table) == {"table": str(tmp_path / "b.csv"), "label": "income"}
    assert table.lacks == "start" and not table.but(bound=100).is_whole
