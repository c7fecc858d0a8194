"""The Robustness page, operated as a person would: real models, the real worker, real attacks, and what they found."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any, Literal, cast

import numpy as np
import pytest
import yaml
from PySide6.QtCore import QPoint, Qt
from PySide6.QtWidgets import QApplication, QDialog
from pytestqt.qtbot import QtBot

from guardapp.desktop.i18n import speech
from guardapp.desktop.kit import Button, Label
from guardapp.desktop.robustness.finding import share, strength_words
from guardapp.desktop.robustness.flags_card import sentence
from guardapp.desktop.robustness.lists import read_numbers
from guardapp.desktop.robustness.page import INPUT, RESULT, REVIEW, SETTINGS, RobustnessPage
from guardapp.desktop.theme.state import theme
from guardapp.desktop.window import Window

LEFT = Qt.MouseButton.LeftButton
SIDE = 12
STRENGTHS = [0.05, 0.1]


def blobs(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Pictures of a soft blob, whose place tells the class of three: (count, 12, 12) uint8, and (count,)."""
    luck = np.random.default_rng(seed)
    y = luck.integers(0, 3, count)
    axis = np.arange(SIDE)
    top = SIDE / 2 + 3 * np.sin(2 * np.pi * y / 3) + luck.normal(0, 0.5, count)
    left = SIDE / 2 + 3 * np.cos(2 * np.pi * y / 3) + luck.normal(0, 0.5, count)
    far = (axis[None, :, None] - top[:, None, None]) ** 2 + (axis[None, None, :] - left[:, None, None]) ** 2
    x = 0.3 + 0.35 * np.exp(-far / 6) + luck.normal(0, 0.06, (count, SIDE, SIDE))
    return (x.clip(0, 1) * 255).round().astype(np.uint8), y


def dead_model(folder: Path) -> None:
    """A net whose hidden layer never fires: it always says class 0, and its gradient is zero everywhere."""
    import torch

    from guardapp.formats.models import ModelCard, build, save_model

    model = build("mlp", {"hidden": [4]}, (1, SIDE, SIDE), 3)
    weights = list(model.parameters())
    with torch.no_grad():
        weights[1].fill_(-1000.0)
        weights[3].copy_(torch.tensor([1.0, 0.0, 0.0]))
    folder.mkdir()
    card = ModelCard(
        architecture="mlp",
        options={"hidden": [4]},
        input="image",
        input_shape=(1, SIDE, SIDE),
        classes=["0", "1", "2"],
    )
    save_model(model, card, folder)


@pytest.fixture(scope="session")
def laboratory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder whose queue holds two trainings and the checks of three models, all really run, once."""
    place = tmp_path_factory.mktemp("laboratory")
    x, y = blobs(600, seed=0)
    np.savez(place / "blobs.npz", images=x, labels=y)
    dead_model(place / "dead")
    data = {"images": str(place / "blobs.npz"), "test_fraction": 0.3}
    held = {**data, "part": "test", "limit": 60, "split_seed": 5}
    check = {"kind": "check", "data": held, "strengths": STRENGTHS, "budget": "quick", "noise": [0.1]}
    recipe = {"kind": "train", "recipe": "mlp", "data": data, "privacy": None, "seed": 5}
    jobs = [
        {**recipe, "name": "long", "steps": 60},
        {**recipe, "name": "short", "steps": 12},
        {**check, "name": "check-long", "model": {"job": "${long}"}},
        {**check, "name": "check-short", "model": {"job": "${short}"}},
        {**check, "name": "check-dead", "model": {"weights": str(place / "dead" / "model.safetensors")}},
    ]
    (place / "batch.yaml").write_text(yaml.safe_dump({"jobs": jobs}), encoding="utf-8")
    home = place / "home"
    home.mkdir()
    command = [sys.executable, "-m", "guardapp", "run", str(place / "batch.yaml"), "--out", str(place / "results")]
    root = Path(__file__).parents[2]
    environment = {**os.environ, "GUARDAPP_HOME": str(home), "PYTHONPATH": str(root)}
    done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, timeout=180, check=False)
    # the dead model is not trustworthy, so the batch as a whole says no
    assert done.returncode == 1, done.stderr
    return place


@pytest.fixture
def page(make_window: Callable[[], Window], home: Path, laboratory: Path, qtbot: QtBot) -> RobustnessPage:
    """The page in a window whose queue holds the laboratory's jobs."""
    shutil.copytree(laboratory / "home", home, dirs_exist_ok=True)
    window = make_window()
    window.activateWindow()
    return cast(RobustnessPage, window.show_page("robustness"))


@pytest.fixture
def empty_page(window: Window) -> RobustnessPage:
    """The page of somebody who has nothing yet."""
    return cast(RobustnessPage, window.show_page("robustness"))


def row(page: RobustnessPage, name: str) -> Any:
    return next(one for one in page.services.jobs.rows if one.name == name)


def show(qtbot: QtBot, page: RobustnessPage, name: str) -> dict[str, Any]:
    """Open a finished check; returns its report."""
    found = row(page, name)
    page.open_job(found)
    shown = lambda: page.shown_checks.finding is not None and page.result.finding == page.shown_checks.finding  # noqa: E731
    qtbot.waitUntil(shown, timeout=10_000)
    report = json.loads((found.folder / "report.json").read_text(encoding="utf-8"))
    if report["worst"]:
        qtbot.waitUntil(lambda: bool(page.result._pairs), timeout=10_000)
    return cast(dict[str, Any], report)


def figure(page: RobustnessPage, key: str) -> str:
    line = next(one for one in page.result.checks.rows.lines if one.key == key)
    return line.figure.format(**line.values)


def words(root: Any) -> set[str]:
    return {label.text() for label in root.findChildren(Label) if label.isVisible()}


def pick(qtbot: QtBot, page: RobustnessPage, name: str) -> None:
    """Choose a finished training with the keyboard."""
    box = page.input.training
    box.setFocus()
    for _ in range(box.count()):
        if box.currentText() == name:
            break
        qtbot.keyClick(box, Qt.Key.Key_Down)
    assert box.currentText() == name
    qtbot.waitUntil(lambda: page.input.images.path is not None, timeout=10_000)


# -- before anything is there -------------------------------------------------------------------------------------


def test_without_a_model_the_page_says_what_to_do_first(empty_page: RobustnessPage) -> None:
    assert empty_page.step == INPUT
    assert "No training has finished yet." in words(empty_page)
    assert not empty_page.primary.isEnabled()
    assert empty_page.footer is not None
    assert empty_page.footer.note.text() == "Choose the model: a finished training, or a file of weights."
    assert empty_page.input.try_sample.isVisible()


def test_the_sample_queues_a_training_and_the_check_of_its_model(empty_page: RobustnessPage, qtbot: QtBot) -> None:
    qtbot.mouseClick(empty_page.input.try_sample, LEFT)
    jobs = empty_page.services.jobs
    qtbot.waitUntil(lambda: {one.kind for one in jobs.rows} == {"train", "check"}, timeout=15_000)
    check = next(one for one in jobs.rows if one.kind == "check")
    assert list(check.needs) == ["digits"]
    qtbot.waitUntil(lambda: empty_page.step == RESULT, timeout=10_000)
    assert empty_page.result.strip.stage.text() == "Waiting for its turn"
    jobs.cancel([one.id for one in jobs.rows])
    qtbot.waitUntil(lambda: all(one.is_over for one in jobs.rows), timeout=20_000)


# -- choosing and queueing ----------------------------------------------------------------------------------------


def test_a_training_brings_the_rows_that_it_held_back(page: RobustnessPage, qtbot: QtBot, laboratory: Path) -> None:
    page._go(INPUT)
    pick(qtbot, page, "long")
    told = "Rows that long held back: the model has never seen them."
    # what was chosen before on the way down fills the same fields
    qtbot.waitUntil(lambda: told in words(page.input), timeout=10_000)
    document = page.input.document()
    assert document["model"] == {"job": str(laboratory / "results" / "long")}
    images = str(laboratory / "blobs.npz")
    assert document["data"] == {"images": images, "part": "test", "test_fraction": 0.3, "split_seed": 5}


def test_a_check_is_set_up_with_the_keyboard_and_its_result_is_that_of_the_report(
    page: RobustnessPage, qtbot: QtBot
) -> None:
    page._go(INPUT)
    pick(qtbot, page, "short")
    qtbot.keyClick(page.primary, Qt.Key.Key_Space)
    assert page.step == SETTINGS
    settings = page.settings_step
    settings.strengths.selectAll()
    qtbot.keyClicks(settings.strengths, "8/255, 0.1")
    quick = settings.budgets["quick"]
    quick.setFocus()
    qtbot.keyClick(quick, Qt.Key.Key_Space)
    settings.limit.selectAll()
    qtbot.keyClicks(settings.limit, "40")
    settings.noise.selectAll()
    qtbot.keyClick(settings.noise, Qt.Key.Key_Delete)
    qtbot.keyClick(page.primary, Qt.Key.Key_Space)
    assert page.step == REVIEW
    assert "8/255, 0.1" in words(page.review)
    page.review.name.selectAll()
    qtbot.keyClicks(page.review.name, "mine")
    qtbot.keyClick(page.primary, Qt.Key.Key_Space)
    qtbot.waitUntil(lambda: page.step == RESULT, timeout=15_000)
    qtbot.waitUntil(lambda: page.shown_checks.finding is not None, timeout=60_000)
    job = row(page, "mine")
    report = json.loads((job.folder / "report.json").read_text(encoding="utf-8"))
    assert [point["strength"] for point in report["curve"]] == [8 / 255, 0.1]
    page.result.set_index(2)
    assert figure(page, "whole") == share(report["curve"][1]["robust_accuracy"])
    assert not page.result.strip.progress.isVisible()
    assert "noise" not in [line.key for line in page.result.checks.rows.lines]
    spec = json.loads((job.folder / "job.json").read_text(encoding="utf-8"))["spec"]
    assert (spec["data"]["part"], spec["data"]["split_seed"], spec["data"]["limit"]) == ("test", 5, 40)


def test_a_curve_grows_while_the_check_runs_and_it_can_be_cancelled(page: RobustnessPage, qtbot: QtBot) -> None:
    show(qtbot, page, "check-long")
    qtbot.mouseClick(page.result.checks.change, LEFT)
    assert page.step == SETTINGS
    page.settings_step.strengths.setText(", ".join(f"{0.002 * n:g}" for n in range(1, 21)))
    qtbot.mouseClick(page.settings_step.budgets["reference"], LEFT)
    page.settings_step.limit.setText("180")
    qtbot.mouseClick(page.primary, LEFT)
    qtbot.mouseClick(page.primary, LEFT)
    qtbot.waitUntil(lambda: page.step == RESULT and page.shown_checks.job != row(page, "check-long").id, timeout=10_000)
    live = page.result
    qtbot.waitUntil(lambda: live.finding is not None and len(live.finding.points) >= 1, timeout=30_000)
    assert live.finding is not None
    assert not live.finding.complete
    assert not page.export.isEnabled()
    qtbot.mouseClick(live.strip.pausing, LEFT)
    qtbot.waitUntil(lambda: live.strip.stage.text() == "Paused", timeout=15_000)
    qtbot.mouseClick(live.strip.stopping, LEFT)
    qtbot.waitUntil(lambda: page.services.jobs.row(page.shown_checks.job).state == "cancelled", timeout=20_000)  # type: ignore[union-attr]
    assert live.strip.stage.text() == "Cancelled: nothing was written"
    assert live.strip.again.isVisible()


def test_wrong_numbers_are_refused_below_their_field(page: RobustnessPage, qtbot: QtBot) -> None:
    page._go(INPUT)
    pick(qtbot, page, "long")
    page._go(SETTINGS)
    page.settings_step.strengths.setText("0.1, much")
    assert page.settings_step.strengths.property("bad") == "true"
    assert "Write one to 20 numbers larger than 0, separated by commas." in words(page.settings_step)
    assert not page.primary.isEnabled()
    page.settings_step.strengths.setText("0.1")
    assert page.settings_step.strengths.property("bad") == "false"
    assert page.primary.isEnabled()


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("0.1，0.05", [0.05, 0.1]),
        ("8/255", [8 / 255]),
        ("", []),
        ("1/0", None),
        ("nan", None),
        ("inf", None),
        ("a", None),
    ],
)
def test_lists_of_numbers_are_read_as_people_write_them(text: str, numbers: list[float] | None) -> None:
    assert read_numbers(text) == numbers


# -- reading a result ---------------------------------------------------------------------------------------------


def test_the_page_opens_with_the_latest_result(page: RobustnessPage, qtbot: QtBot) -> None:
    qtbot.waitUntil(lambda: page.step == RESULT and page.shown_checks.finding is not None, timeout=10_000)
    assert page.shown_checks.job == row(page, "check-dead").id


def test_the_slider_moves_every_figure_by_keyboard_and_mouse(page: RobustnessPage, qtbot: QtBot) -> None:
    report = show(qtbot, page, "check-long")
    slider = page.result.checks.slider
    slider.setFocus()
    qtbot.keyClick(slider, Qt.Key.Key_Home)
    assert figure(page, "whole") == share(report["clean_accuracy"])
    assert page.result.checks.strength.text() == "0"
    qtbot.keyClick(slider, Qt.Key.Key_Right)
    first = report["curve"][0]
    assert figure(page, "whole") == share(first["robust_accuracy"])
    assert figure(page, "single") == share(first["single_step_accuracy"])
    broken = sum(one["broken"] for one in first["passes"] if one["kind"] == "climb")
    assert figure(page, "climb") == f"{broken} broken"
    qtbot.mouseClick(slider, LEFT, pos=QPoint(slider.width() - 8, slider.height() // 2))
    assert figure(page, "whole") == share(report["curve"][-1]["robust_accuracy"])
    assert figure(page, "noise") == share(report["damage"][-1]["accuracy"])


def test_what_was_not_computed_is_not_shown_as_a_figure(page: RobustnessPage, qtbot: QtBot) -> None:
    show(qtbot, page, "check-long")
    certified = next(line for line in page.result.checks.rows.lines if line.key == "certified")
    assert (certified.figure, certified.state) == ("", "none")
    assert certified.note == "not available: not computed"
    assert page.result.checks.count.text() == "6 of 7 measured"


def test_the_curve_and_its_band_are_those_of_the_report(page: RobustnessPage, qtbot: QtBot) -> None:
    report = show(qtbot, page, "check-long")
    xs, ys = page.result.plot.points("ours")
    assert xs.tolist() == [0.0, *STRENGTHS]
    expected = [report["clean_accuracy"], *(point["robust_accuracy"] for point in report["curve"])]
    assert (ys / 100).tolist() == pytest.approx(expected)
    low, high, _ = page.result.plot._bands["ours"]
    bounds = [report["clean_interval"], *([point["low"], point["high"]] for point in report["curve"])]
    assert (low.yData / 100).tolist() == pytest.approx([bound[0] for bound in bounds])
    assert (high.yData / 100).tolist() == pytest.approx([bound[1] for bound in bounds])


def test_a_line_of_the_list_opens_its_own_curve(page: RobustnessPage, qtbot: QtBot) -> None:
    report = show(qtbot, page, "check-long")
    rows = page.result.checks.rows
    rows.setFocus()
    qtbot.keyClick(rows, Qt.Key.Key_End)
    qtbot.keyClick(rows, Qt.Key.Key_Up)
    assert rows.plot == "noise"
    xs, ys = page.result.plot.points("ours")
    assert xs.tolist() == [0.0, 0.1]
    assert ys[-1] / 100 == pytest.approx(report["damage"][0]["accuracy"])


def test_the_worst_mistakes_are_shown_as_pictures_with_their_classes(page: RobustnessPage, qtbot: QtBot) -> None:
    report = show(qtbot, page, "check-long")
    page.result.set_index(2)
    worst = [one for one in report["worst"] if one["strength"] == STRENGTHS[-1]]
    assert worst, "the attack broke something at the largest strength"
    first = worst[0]
    right = f"{first['label']}  {first['label_confidence']:.2f}"
    wrong = f"{first['mistake']}  {first['mistake_confidence']:.2f}"
    qtbot.waitUntil(lambda: {right, wrong} <= words(page.result.worst), timeout=5_000)
    window = page.result.worst.show_all()
    assert not window.isModal()
    assert window.isVisible()
    window.close()


def test_two_models_are_compared_in_one_plot(page: RobustnessPage, qtbot: QtBot) -> None:
    show(qtbot, page, "check-long")
    other = row(page, "check-short")
    report = json.loads((other.folder / "report.json").read_text(encoding="utf-8"))
    page.other.setFocus()
    while page.other.value != other.id:
        before = page.other.value
        qtbot.keyClick(page.other, Qt.Key.Key_Down)
        assert page.other.value != before
    qtbot.waitUntil(lambda: page.shown_checks.compared is not None, timeout=10_000)
    qtbot.waitUntil(lambda: len(page.result.plot.points("other")[0]) == 3, timeout=10_000)
    _, ys = page.result.plot.points("other")
    assert ys[-1] / 100 == pytest.approx(report["curve"][-1]["robust_accuracy"])
    assert page.header.subtitle.text() == "long compared with short · blobs.npz, 60 images"


def test_a_result_with_a_red_flag_says_first_that_it_is_not_trustworthy(page: RobustnessPage, qtbot: QtBot) -> None:
    report = show(qtbot, page, "check-dead")
    assert not report["trustworthy"]
    red = next(flag for flag in report["flags"] if flag["level"] == "red")
    assert page.result.strip.doubt.isVisible()
    said = next(text for text in words(page.result.strip) if "not trustworthy" in text)
    assert said.startswith("The result of dead is not trustworthy, because ")
    assert red["why"] in said
    assert page.result.flags.red.isVisible()
    qtbot.waitUntil(lambda: red["title"] in words(page.result.flags), timeout=5_000)


def test_a_flag_says_why_it_matters_in_a_window_that_blocks_nothing(page: RobustnessPage, qtbot: QtBot) -> None:
    show(qtbot, page, "check-dead")
    why = next(b for b in page.result.flags.findChildren(Button) if b.accessibleName() == "Why this matters")
    qtbot.mouseClick(why, LEFT)
    dialog = next(d for d in page.window().findChildren(QDialog) if d.windowTitle() == "What the flags mean")
    assert not dialog.isModal()
    assert any("Most attacks follow the gradient" in text for text in words(dialog))
    dialog.close()


def test_the_report_is_exported_where_the_user_chooses(page: RobustnessPage, qtbot: QtBot, tmp_path: Path) -> None:
    show(qtbot, page, "check-long")
    target = tmp_path / "mine.html"
    page.export_report(row(page, "check-long").folder, target)
    report = (row(page, "check-long").folder / "report.html").read_bytes()
    qtbot.waitUntil(lambda: target.is_file() and len(target.read_bytes()) == len(report), timeout=10_000)
    assert target.read_bytes() == report


def test_a_damaged_report_is_an_error_with_a_next_step(
    page: RobustnessPage, qtbot: QtBot, tmp_path: Path, laboratory: Path
) -> None:
    from dataclasses import replace

    broken = tmp_path / "broken"
    shutil.copytree(row(page, "check-long").folder, broken)
    (broken / "report.json").write_text('{"clean_accuracy": "much"}', encoding="utf-8")
    damaged = replace(row(page, "check-long"), id="0123456789ab", folder=broken)
    page.services.jobs._rows[damaged.id] = damaged
    page.open_job(damaged)
    qtbot.waitUntil(page.result.strip.error.isVisible, timeout=10_000)
    assert "The report in broken cannot be read" in words(page.result.strip)
    assert "Run the check again." in words(page.result.strip)


def test_a_file_that_cannot_be_checked_is_refused_in_place(page: RobustnessPage, tmp_path: Path) -> None:
    page.open_file(tmp_path)
    assert page.input.error.isVisible()
    assert f"{tmp_path.name} is nothing that can be checked" in words(page.input)


# -- how it looks -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("size", [(1440, 900), (1120, 700)])
def test_no_step_is_clipped_in_any_language(
    page: RobustnessPage, qtbot: QtBot, looking: ModuleType, language: Literal["en", "zh"], size: tuple[int, int]
) -> None:
    speech().choose(language)
    window = page.window()
    window.resize(*size)
    page._go(INPUT)
    pick(qtbot, page, "long")
    for step in (INPUT, SETTINGS, REVIEW):
        page._go(step)
        for _ in range(3):
            QApplication.processEvents()
        assert looking.clipped(page) == [], step
        assert looking.unnamed(page) == []
        assert looking.unreachable(page) == []
    for name in ("check-long", "check-dead"):
        show(qtbot, page, name)
        for index in range(3):
            page.result.set_index(index)
            for _ in range(3):
                QApplication.processEvents()
            assert looking.clipped(page) == [], (name, index)
        assert looking.unnamed(page) == []
        assert looking.unreachable(page) == []
    assert (window.width(), window.height()) == size


def test_everything_is_said_in_chinese(page: RobustnessPage, qtbot: QtBot, looking: ModuleType) -> None:
    speech().choose("zh")
    page._go(INPUT)
    pick(qtbot, page, "long")
    for step in (INPUT, SETTINGS, REVIEW):
        page._go(step)
        assert looking.english(page) == [], step
    for name in ("check-long", "check-dead"):
        show(qtbot, page, name)
        assert looking.english(page) == [], name
    theme().choose("dark")
    assert page.result.isVisible()


def test_a_strength_is_written_as_people_write_it() -> None:
    assert [strength_words(value) for value in (0.0, 8 / 255, 0.1, 0.2, 0.0312)] == [
        "0",
        "8/255",
        "0.1",
        "0.2",
        "0.0312",
    ]


def test_a_reason_becomes_a_sentence() -> None:
    assert sentence("no answer changed") == "No answer changed."
    assert sentence("没有回答改变") == "没有回答改变。"


def test_the_whole_way_in_either_language_by_mouse_or_by_keyboard(
    page: RobustnessPage, qtbot: QtBot, looking: ModuleType, hand: Any
) -> None:
    page._go(INPUT)
    box = page.input.training
    if hand.mouse:
        qtbot.mouseClick(box, LEFT)
        view = box.view()
        qtbot.waitUntil(view.isVisible, timeout=5_000)
        qtbot.wait(
            QApplication.doubleClickInterval() + 50
        )  # a list does not take the click that opened it for a choice
        place = view.visualRect(view.model().index(box.findText("short"), 0))
        qtbot.mouseClick(view.viewport(), LEFT, pos=place.center())
    else:
        hand.reach(box)
        for _ in range(box.count()):
            if box.currentText() != "short":
                qtbot.keyClick(box, Qt.Key.Key_Down)
    assert box.currentText() == "short"
    qtbot.waitUntil(lambda: page.input.images.path is not None, timeout=10_000)
    hand.look(looking)
    hand.press(page.primary)
    settings = page.settings_step
    hand.write(settings.strengths, "0.05, 0.1")
    hand.press(settings.budgets["quick"])
    hand.write(settings.limit, "30")
    hand.look(looking)
    hand.press(page.primary)
    assert page.step == REVIEW
    hand.look(looking)
    hand.write(page.review.name, "mine")
    hand.press(page.primary)
    qtbot.waitUntil(lambda: page.step == RESULT, timeout=15_000)
    qtbot.waitUntil(
        lambda: page.shown_checks.finding is not None and page.shown_checks.finding.complete, timeout=60_000
    )
    hand.look(looking)
    report = json.loads((row(page, "mine").folder / "report.json").read_text(encoding="utf-8"))
    slider = page.result.checks.slider
    if hand.mouse:
        qtbot.mouseClick(slider, LEFT, pos=QPoint(slider.width() - 8, slider.height() // 2))
    else:
        hand.reach(slider)
        qtbot.keyClick(slider, Qt.Key.Key_End)
    assert figure(page, "whole") == share(report["curve"][-1]["robust_accuracy"])
    hand.look(looking)
