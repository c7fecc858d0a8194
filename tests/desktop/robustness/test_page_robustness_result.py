"""Reading a result on the Robustness page, and the whole way there, in both languages."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtWidgets import QApplication, QDialog
from pytestqt.qtbot import QtBot

from guardapp.desktop.i18n import speech
from guardapp.desktop.kit import Button
from guardapp.desktop.robustness.finding import share, strength_words
from guardapp.desktop.robustness.flags_card import sentence
from guardapp.desktop.robustness.page import INPUT, RESULT, REVIEW, SETTINGS, RobustnessPage
from guardapp.desktop.theme.state import theme

LEFT = Qt.MouseButton.LeftButton
STRENGTHS = [0.05, 0.1]


# -- reading a result ---------------------------------------------------------------------------------------------


def test_the_page_opens_with_the_latest_result(page: RobustnessPage, qtbot: QtBot, hands: ModuleType) -> None:
    qtbot.waitUntil(lambda: page.step == RESULT and page.shown_checks.finding is not None, timeout=10_000)
    assert page.shown_checks.job == hands.row(page, "check-dead").id


def test_the_slider_moves_every_figure_by_keyboard_and_mouse(
    page: RobustnessPage, qtbot: QtBot, hands: ModuleType
) -> None:
    report = hands.show(qtbot, page, "check-long")
    slider = page.result.checks.slider
    slider.setFocus()
    qtbot.keyClick(slider, Qt.Key.Key_Home)
    assert hands.figure(page, "whole") == share(report["clean_accuracy"])
    assert page.result.checks.strength.text() == "0"
    qtbot.keyClick(slider, Qt.Key.Key_Right)
    first = report["curve"][0]
    assert hands.figure(page, "whole") == share(first["robust_accuracy"])
    assert hands.figure(page, "single") == share(first["single_step_accuracy"])
    broken = sum(one["broken"] for one in first["passes"] if one["kind"] == "climb")
    assert hands.figure(page, "climb") == f"{broken} broken"
    qtbot.mouseClick(slider, LEFT, pos=QPoint(slider.width() - 8, slider.height() // 2))
    assert hands.figure(page, "whole") == share(report["curve"][-1]["robust_accuracy"])
    assert hands.figure(page, "noise") == share(report["damage"][0]["accuracy"])


def test_what_is_proved_stands_under_what_an_attack_left(page: RobustnessPage, qtbot: QtBot, hands: ModuleType) -> None:
    report = hands.show(qtbot, page, "check-long")
    certified = next(line for line in page.result.checks.rows.lines if line.key == "certified")
    first = report["curve"][0]
    assert first["certified_accuracy"] is not None
    assert first["certified_accuracy"] <= first["robust_accuracy"]
    assert (certified.figure, certified.state) == (f"{100 * first['certified_accuracy']:.0f} %", "done")
    assert page.result.checks.count.text() == "10 of 10 measured"


def test_the_curve_and_its_band_are_those_of_the_report(page: RobustnessPage, qtbot: QtBot, hands: ModuleType) -> None:
    report = hands.show(qtbot, page, "check-long")
    xs, ys = page.result.plot.points("ours")
    assert xs.tolist() == [0.0, *STRENGTHS]
    expected = [report["clean_accuracy"], *(point["robust_accuracy"] for point in report["curve"])]
    assert (ys / 100).tolist() == pytest.approx(expected)
    low, high, _ = page.result.plot._bands["ours"]
    bounds = [report["clean_interval"], *([point["low"], point["high"]] for point in report["curve"])]
    assert (low.yData / 100).tolist() == pytest.approx([bound[0] for bound in bounds])
    assert (high.yData / 100).tolist() == pytest.approx([bound[1] for bound in bounds])


def test_a_line_of_the_list_opens_its_own_curve(page: RobustnessPage, qtbot: QtBot, hands: ModuleType) -> None:
    report = hands.show(qtbot, page, "check-long")
    rows = page.result.checks.rows
    rows.setFocus()
    qtbot.keyClick(rows, Qt.Key.Key_End)
    for _ in range(4):
        qtbot.keyClick(rows, Qt.Key.Key_Up)
    assert rows.plot == "noise"
    xs, ys = page.result.plot.points("ours")
    assert xs.tolist() == [0.0, 0.1]
    assert ys[-1] / 100 == pytest.approx(report["damage"][0]["accuracy"])


def test_the_worst_mistakes_are_shown_as_pictures_with_their_classes(
    page: RobustnessPage, qtbot: QtBot, hands: ModuleType
) -> None:
    report = hands.show(qtbot, page, "check-long")
    page.result.set_index(2)
    worst = [one for one in report["worst"] if one["strength"] == STRENGTHS[-1]]
    assert worst, "the attack broke something at the largest strength"
    first = worst[0]
    right = f"{first['label']}  {first['label_confidence']:.2f}"
    wrong = f"{first['mistake']}  {first['mistake_confidence']:.2f}"
    qtbot.waitUntil(lambda: {right, wrong} <= hands.words(page.result.worst), timeout=5_000)
    window = page.result.worst.show_all()
    assert not window.isModal()
    assert window.isVisible()
    window.close()


def test_two_models_are_compared_in_one_plot(page: RobustnessPage, qtbot: QtBot, hands: ModuleType) -> None:
    hands.show(qtbot, page, "check-long")
    other = hands.row(page, "check-short")
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


def test_a_result_with_a_red_flag_says_first_that_it_is_not_trustworthy(
    page: RobustnessPage, qtbot: QtBot, hands: ModuleType
) -> None:
    report = hands.show(qtbot, page, "check-dead")
    assert not report["trustworthy"]
    red = next(flag for flag in report["flags"] if flag["level"] == "red")
    assert page.result.strip.doubt.isVisible()
    said = next(text for text in hands.words(page.result.strip) if "not trustworthy" in text)
    assert said.startswith("The result of dead is not trustworthy, because ")
    assert red["why"] in said
    assert page.result.flags.red.isVisible()
    qtbot.waitUntil(lambda: red["title"] in hands.words(page.result.flags), timeout=5_000)


def test_a_flag_says_why_it_matters_in_a_window_that_blocks_nothing(
    page: RobustnessPage, qtbot: QtBot, hands: ModuleType
) -> None:
    hands.show(qtbot, page, "check-dead")
    why = next(b for b in page.result.flags.findChildren(Button) if b.accessibleName() == "Why this matters")
    qtbot.mouseClick(why, LEFT)
    dialog = next(d for d in page.window().findChildren(QDialog) if d.windowTitle() == "What the flags mean")
    assert not dialog.isModal()
    assert any("Most attacks follow the gradient" in text for text in hands.words(dialog))
    dialog.close()


def test_the_report_is_exported_where_the_user_chooses(
    page: RobustnessPage, qtbot: QtBot, tmp_path: Path, hands: ModuleType
) -> None:
    hands.show(qtbot, page, "check-long")
    target = tmp_path / "mine.html"
    page.export_report(hands.row(page, "check-long").folder, target)
    report = (hands.row(page, "check-long").folder / "report.html").read_bytes()
    qtbot.waitUntil(lambda: target.is_file() and len(target.read_bytes()) == len(report), timeout=10_000)
    assert target.read_bytes() == report


def test_a_damaged_report_is_an_error_with_a_next_step(
    page: RobustnessPage, qtbot: QtBot, tmp_path: Path, laboratory: Path, hands: ModuleType
) -> None:
    from dataclasses import replace

    broken = tmp_path / "broken"
    shutil.copytree(hands.row(page, "check-long").folder, broken)
    (broken / "report.json").write_text('{"clean_accuracy": "much"}', encoding="utf-8")
    damaged = replace(hands.row(page, "check-long"), id="0123456789ab", folder=broken)
    page.services.jobs._rows[damaged.id] = damaged
    page.open_job(damaged)
    qtbot.waitUntil(page.result.strip.error.isVisible, timeout=10_000)
    assert "The report in broken cannot be read" in hands.words(page.result.strip)
    assert "Run the check again." in hands.words(page.result.strip)


def test_a_file_that_cannot_be_checked_is_refused_in_place(
    page: RobustnessPage, tmp_path: Path, hands: ModuleType
) -> None:
    page.open_file(tmp_path)
    assert page.input.error.isVisible()
    assert f"{tmp_path.name} is nothing that can be checked" in hands.words(page.input)


# -- how it looks -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("size", [(1440, 900), (1120, 700)])
def test_no_step_is_clipped_in_any_language(
    page: RobustnessPage,
    qtbot: QtBot,
    looking: ModuleType,
    language: Literal["en", "zh"],
    size: tuple[int, int],
    hands: ModuleType,
) -> None:
    speech().choose(language)
    window = page.window()
    window.resize(*size)
    page._go(INPUT)
    hands.pick(qtbot, page, "long")
    for step in (INPUT, SETTINGS, REVIEW):
        page._go(step)
        for _ in range(3):
            QApplication.processEvents()
        assert looking.clipped(page) == [], step
        assert looking.unnamed(page) == []
        assert looking.unreachable(page) == []
    for name in ("check-long", "check-dead"):
        hands.show(qtbot, page, name)
        for index in range(3):
            page.result.set_index(index)
            for _ in range(3):
                QApplication.processEvents()
            assert looking.clipped(page) == [], (name, index)
        assert looking.unnamed(page) == []
        assert looking.unreachable(page) == []
    assert (window.width(), window.height()) == size


def test_everything_is_said_in_chinese(
    page: RobustnessPage, qtbot: QtBot, looking: ModuleType, hands: ModuleType
) -> None:
    speech().choose("zh")
    page._go(INPUT)
    hands.pick(qtbot, page, "long")
    for step in (INPUT, SETTINGS, REVIEW):
        page._go(step)
        assert looking.english(page) == [], step
    for name in ("check-long", "check-dead"):
        hands.show(qtbot, page, name)
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
    page: RobustnessPage, qtbot: QtBot, looking: ModuleType, hand: Any, hands: ModuleType
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
    report = json.loads((hands.row(page, "mine").folder / "report.json").read_text(encoding="utf-8"))
    slider = page.result.checks.slider
    if hand.mouse:
        qtbot.mouseClick(slider, LEFT, pos=QPoint(slider.width() - 8, slider.height() // 2))
    else:
        hand.reach(slider)
        qtbot.keyClick(slider, Qt.Key.Key_End)
    assert hands.figure(page, "whole") == share(report["curve"][-1]["robust_accuracy"])
    hand.look(looking)
