"""Setting up a check on the Robustness page, as a person would: real models, the real worker, real attacks."""

from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType

import pytest
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from guardapp.desktop.robustness.finding import share
from guardapp.desktop.robustness.lists import read_numbers
from guardapp.desktop.robustness.page import INPUT, RESULT, REVIEW, SETTINGS, RobustnessPage

LEFT = Qt.MouseButton.LeftButton


# -- before anything is there -------------------------------------------------------------------------------------


def test_without_a_model_the_page_says_what_to_do_first(empty_page: RobustnessPage, hands: ModuleType) -> None:
    assert empty_page.step == INPUT
    assert "No training has finished yet." in hands.words(empty_page)
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


def test_a_training_brings_the_rows_that_it_held_back(
    page: RobustnessPage, qtbot: QtBot, laboratory: Path, hands: ModuleType
) -> None:
    page._go(INPUT)
    hands.pick(qtbot, page, "long")
    told = "Rows that long held back: the model has never seen them."
    # what was chosen before on the way down fills the same fields
    qtbot.waitUntil(lambda: told in hands.words(page.input), timeout=10_000)
    document = page.input.document()
    assert document["model"] == {"job": str(laboratory / "results" / "long")}
    images = str(laboratory / "blobs.npz")
    assert document["data"] == {"images": images, "part": "test", "test_fraction": 0.3, "split_seed": 5}


def test_a_check_is_set_up_with_the_keyboard_and_its_result_is_that_of_the_report(
    page: RobustnessPage, qtbot: QtBot, hands: ModuleType
) -> None:
    page._go(INPUT)
    hands.pick(qtbot, page, "short")
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
    assert "8/255, 0.1" in hands.words(page.review)
    page.review.name.selectAll()
    qtbot.keyClicks(page.review.name, "mine")
    qtbot.keyClick(page.primary, Qt.Key.Key_Space)
    qtbot.waitUntil(lambda: page.step == RESULT, timeout=15_000)
    qtbot.waitUntil(lambda: page.shown_checks.finding is not None, timeout=60_000)
    job = hands.row(page, "mine")
    report = json.loads((job.folder / "report.json").read_text(encoding="utf-8"))
    assert [point["strength"] for point in report["curve"]] == [8 / 255, 0.1]
    page.result.set_index(2)
    assert hands.figure(page, "whole") == share(report["curve"][1]["robust_accuracy"])
    assert not page.result.strip.progress.isVisible()
    assert "noise" not in [line.key for line in page.result.checks.rows.lines]
    spec = json.loads((job.folder / "job.json").read_text(encoding="utf-8"))["spec"]
    assert (spec["data"]["part"], spec["data"]["split_seed"], spec["data"]["limit"]) == ("test", 5, 40)


def test_a_curve_grows_while_the_check_runs_and_it_can_be_cancelled(
    page: RobustnessPage, qtbot: QtBot, hands: ModuleType
) -> None:
    hands.show(qtbot, page, "check-long")
    qtbot.mouseClick(page.result.checks.change, LEFT)
    assert page.step == SETTINGS
    page.settings_step.strengths.setText(", ".join(f"{0.002 * n:g}" for n in range(1, 21)))
    qtbot.mouseClick(page.settings_step.budgets["reference"], LEFT)
    page.settings_step.limit.setText("180")
    qtbot.mouseClick(page.primary, LEFT)
    qtbot.mouseClick(page.primary, LEFT)
    qtbot.waitUntil(
        lambda: page.step == RESULT and page.shown_checks.job != hands.row(page, "check-long").id, timeout=10_000
    )
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


def test_wrong_numbers_are_refused_and_hidden_settings_kept(
    page: RobustnessPage, qtbot: QtBot, hands: ModuleType
) -> None:
    page._go(INPUT)
    hands.pick(qtbot, page, "long")
    page._go(SETTINGS)
    page.settings_step.strengths.setText("0.1, much")
    assert page.settings_step.strengths.property("bad") == "true"
    assert "Write one to 20 numbers larger than 0, separated by commas." in hands.words(page.settings_step)
    assert not page.primary.isEnabled()
    page.settings_step.strengths.setText("0.1")
    assert page.settings_step.strengths.property("bad") == "false"
    assert page.primary.isEnabled()
    given = {"patches": [3], "smoothing": [0.25], "certify": "off", "refine": 0}
    page.settings_step.show_document(given, table=False)
    assert given.items() <= page._document().items()
    qtbot.mouseClick(page.settings_step.budgets["labels"], LEFT)
    page.settings_step.norm.set_value("l1")
    page.settings_step.changed.emit()
    assert not page.primary.isEnabled()
    page.settings_step.norm.set_value("l2")
    page.settings_step.changed.emit()
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
