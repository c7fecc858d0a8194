"""The De-identify page, operated as a person would: a real table, real rules, the real worker, a real result."""

from __future__ import annotations

import csv
import importlib.util
import json
import random
from collections import Counter
from pathlib import Path
from types import ModuleType
from typing import Any, Literal, cast

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QApplication, QMenu
from pytestqt.qtbot import QtBot

from guardapp.deid.policy import load_policy
from guardapp.desktop.deidentify.column_list import role_box, rule_line
from guardapp.desktop.deidentify.page import INPUT, OUTCOME, REVIEW, SETTINGS, DeidentifyPage
from guardapp.desktop.i18n import speech
from guardapp.desktop.kit import Label
from guardapp.desktop.sheet import Sheet
from guardapp.desktop.window import Window
from guardapp.language import translate

LEFT = Qt.MouseButton.LeftButton
CTRL = Qt.KeyboardModifier.ControlModifier
SHIFT = Qt.KeyboardModifier.ShiftModifier
ROWS = 400


def _looking() -> ModuleType:
    place = importlib.util.spec_from_file_location("looking", Path(__file__).with_name("looking.py"))
    assert place is not None
    assert place.loader is not None
    module = importlib.util.module_from_spec(place)
    place.loader.exec_module(module)
    return module


looking = _looking()


@pytest.fixture
def clinic(tmp_path: Path) -> Path:
    """A small table with an identifier, two quasi-identifiers and a diagnosis."""
    luck = random.Random(7)
    path = tmp_path / "clinic.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["email", "age", "sex", "diagnosis", "ward"])
        for number in range(ROWS):
            writer.writerow(
                [
                    f"person{number}@example.org",
                    luck.randint(18, 90),
                    luck.choice("FM"),
                    luck.choice(["A09", "I21.4", "J18.9", "K35.8"]),
                    luck.choice(["Medicine", "Surgery"]),
                ]
            )
    return path


@pytest.fixture
def page(window: Window, qtbot: QtBot) -> DeidentifyPage:
    window.activateWindow()
    return cast(DeidentifyPage, window.show_page("deidentify"))


def measured(qtbot: QtBot, page: DeidentifyPage) -> None:
    """Wait until the rules that are shown have been measured."""
    qtbot.waitUntil(lambda: page.draft is not None and not page.desk.busy and page._figures is not None, timeout=20_000)


def opened(qtbot: QtBot, page: DeidentifyPage, path: Path) -> None:
    page.open_file(path)
    measured(qtbot, page)
    qtbot.waitUntil(lambda: page.settings_step.figures.tradeoff.has_curve, timeout=20_000)


def menu() -> QMenu:
    found = QApplication.activePopupWidget()
    assert isinstance(found, QMenu)
    return found


def entry(of: QMenu, text: str) -> QAction:
    return next(action for action in of.actions() if action.text() == text)


def click_part(qtbot: QtBot, page: DeidentifyPage, name: str, part: str) -> None:
    """Click the role box or the rule line of a column."""
    columns = page.settings_step.list
    columns.scrollTo(columns.columns.index(columns.columns.row_of(name)))
    place = columns.visualRect(columns.columns.index(columns.columns.row_of(name)))
    box = role_box(place) if part == "role" else rule_line(place)
    qtbot.mouseClick(columns.viewport(), LEFT, pos=box.center())


def finish(qtbot: QtBot, page: DeidentifyPage) -> None:
    """Wait until the job that was queued has ended and is shown."""
    qtbot.waitUntil(lambda: page.step == OUTCOME, timeout=15_000)
    qtbot.waitUntil(lambda: page.jobs.row is not None and page.jobs.row.is_over, timeout=30_000)
    qtbot.waitUntil(lambda: not page.outcome._progress.isVisible(), timeout=5_000)


def words(root: Any) -> set[str]:
    return {label.text() for label in root.findChildren(Label) if label.isVisible()}


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_before_a_table_is_open_the_page_says_what_to_do(page: DeidentifyPage) -> None:
    assert page.step == INPUT
    assert "Drop a table here" in words(page)
    assert page.start.zone.button.isVisible()
    assert page.start.sample_button.isVisible()


def test_a_table_is_protected_by_mouse_and_the_file_keeps_the_promise(
    page: DeidentifyPage, qtbot: QtBot, clinic: Path
) -> None:
    opened(qtbot, page, clinic)
    assert page.step == SETTINGS
    assert page.header.subtitle.text() == "clinic.csv · 400 rows · 5 columns"
    click_part(qtbot, page, "ward", "role")
    entry(menu(), "Quasi-identifier").trigger()
    menu().close()
    measured(qtbot, page)
    assert page.draft is not None
    assert page.draft.quasi == ["age", "sex", "ward"]
    qtbot.mouseClick(page.primary, LEFT)
    assert page.step == REVIEW
    assert "Every row looks like at least 4 others" in words(page)
    qtbot.mouseClick(page.primary, LEFT)
    finish(qtbot, page)
    # no diversity was asked for, and in groups of five one diagnosis may prevail
    assert page.outcome.verdict.headline.text() == "An attack succeeded on this release"
    assert "Rule one row out" in words(page)
    job = page.jobs.row
    assert job is not None
    assert job.result is not None
    written = rows_of(job.folder / job.result["table"])
    groups = Counter((row["age"], row["sex"], row["ward"]) for row in written)
    assert len(written) == ROWS
    assert min(groups.values()) >= 5
    assert page.outcome.k._number.text() == str(min(groups.values()))
    assert not {row["email"] for row in written} & {row["email"] for row in rows_of(clinic)}


def test_the_same_is_done_with_the_keyboard_alone(page: DeidentifyPage, qtbot: QtBot, clinic: Path) -> None:
    opened(qtbot, page, clinic)
    columns = page.settings_step.list
    columns.setFocus()
    qtbot.keyClick(columns, Qt.Key.Key_Home)
    assert columns.currentIndex().data() == "email"
    qtbot.keyClick(columns, Qt.Key.Key_Return)
    rules = menu()
    while rules.activeAction() is None or rules.activeAction().text() != "Remove":
        qtbot.keyClick(rules, Qt.Key.Key_Down)
    qtbot.keyClick(rules, Qt.Key.Key_Return)
    measured(qtbot, page)
    assert page.draft is not None
    assert page.draft.columns["email"] == {"role": "direct", "rule": "drop"}
    qtbot.keyClick(columns, Qt.Key.Key_Z, CTRL)
    assert page.draft.columns["email"] == {"role": "direct", "rule": "pseudonym"}
    qtbot.keyClick(columns, Qt.Key.Key_Z, CTRL | SHIFT)
    assert page.draft.columns["email"] == {"role": "direct", "rule": "drop"}
    measured(qtbot, page)
    slider = page.settings_step.figures.tradeoff.slider
    slider.setFocus()
    qtbot.keyClick(slider, Qt.Key.Key_Left)
    measured(qtbot, page)
    assert page.draft.k == 7
    page.primary.setFocus()
    qtbot.keyClick(page.primary, Qt.Key.Key_Space)
    assert page.step == REVIEW
    assert page.review.name.hasFocus()
    qtbot.keyClicks(page.review.name, "-2")
    page.primary.setFocus()
    qtbot.keyClick(page.primary, Qt.Key.Key_Space)
    finish(qtbot, page)
    job = page.jobs.row
    assert job is not None
    assert job.name == "clinic-2"
    written = rows_of(job.folder / job.result["table"])
    assert "email" not in written[0]
    assert min(Counter((row["age"], row["sex"]) for row in written).values()) >= 7


def test_the_figures_are_those_of_the_rows_that_are_written(page: DeidentifyPage, qtbot: QtBot, clinic: Path) -> None:
    opened(qtbot, page, clinic)
    figures = page.settings_step.figures
    original = Counter((row["age"], row["sex"]) for row in rows_of(clinic))
    at_risk = sum(size for size in original.values() if size < 5) / ROWS
    assert figures.k._number.text() == str(page._figures["k"])  # type: ignore[index]
    assert figures.risk._verdict.label.text() == f"was {100 * at_risk:.1f} %"


def test_a_setting_below_the_target_cannot_be_queued_and_says_why(
    page: DeidentifyPage, qtbot: QtBot, clinic: Path
) -> None:
    opened(qtbot, page, clinic)
    slider = page.settings_step.figures.tradeoff.slider
    slider.setFocus()
    qtbot.keyClick(slider, Qt.Key.Key_End)
    measured(qtbot, page)
    assert page.settings_step.figures.k._number.text() == "2"
    assert not page.primary.isEnabled()
    assert page.footer is not None
    assert page.footer.note.text().startswith("k is below the target of 5")
    qtbot.keyClick(slider, Qt.Key.Key_Z, CTRL)
    measured(qtbot, page)
    assert page.primary.isEnabled()


def test_original_and_protected_rows_stand_side_by_side(page: DeidentifyPage, qtbot: QtBot, clinic: Path) -> None:
    opened(qtbot, page, clinic)
    pair = page.settings_step.pair
    names = [column.title for column in pair.left_model.columns]
    email, age = names.index("email"), names.index("age")
    source = rows_of(clinic)
    assert pair.left_model.data(pair.left_model.index(0, email)) == source[0]["email"]
    pseudonym = pair.right_model.cell(0, email)
    assert pseudonym is not None
    assert pseudonym.treatment == "pseudonym"
    changed = [pair.right_model.cell(row, age) for row in range(pair.right_model.rowCount())]
    assert {cell.treatment for cell in changed if cell} <= {"", "generalise", "suppress"}
    assert any(cell and cell.treatment == "generalise" for cell in changed)
    qtbot.keyClick(pair.left, Qt.Key.Key_End, CTRL)
    qtbot.waitUntil(lambda: pair.right_model.cell(pair.right_model.rowCount() - 1, email) is not None, timeout=10_000)
    last = pair.left_model.rowCount() - 1
    assert pair.left_model.data(pair.left_model.index(last, email)) == source[-1]["email"]


def test_a_removed_column_stands_last_and_hidden(page: DeidentifyPage, qtbot: QtBot, clinic: Path) -> None:
    opened(qtbot, page, clinic)
    click_part(qtbot, page, "email", "rule")
    entry(menu(), "Remove").trigger()
    menu().close()
    measured(qtbot, page)
    pair = page.settings_step.pair
    assert [column.title for column in pair.right_model.columns][-1] == "email"
    hidden = pair.right_model.cell(0, 4)
    assert hidden is not None
    assert hidden.treatment == "suppress"


def test_only_changed_rows_leaves_out_the_others(page: DeidentifyPage, qtbot: QtBot, clinic: Path) -> None:
    opened(qtbot, page, clinic)
    click_part(qtbot, page, "email", "rule")
    entry(menu(), "Remove").trigger()
    menu().close()
    for name in ("age", "sex"):
        click_part(qtbot, page, name, "role")
        entry(menu(), "Keep").trigger()
        menu().close()
    click_part(qtbot, page, "email", "role")
    entry(menu(), "Keep").trigger()
    menu().close()
    qtbot.waitUntil(lambda: not page.desk.busy and page._figures is not None, timeout=20_000)
    pair = page.settings_step.pair
    assert pair.left_model.rowCount() > 0
    qtbot.mouseClick(pair.only_changed, LEFT, pos=QPoint(8, 10))
    qtbot.waitUntil(lambda: pair.where.text() == "0 changed rows among the first 400 of 400", timeout=10_000)
    assert pair.left_model.rowCount() == 0


def test_the_column_list_can_be_narrowed_to_what_needs_a_look(page: DeidentifyPage, qtbot: QtBot, clinic: Path) -> None:
    opened(qtbot, page, clinic)
    settings = page.settings_step
    settings.which.setFocus()
    qtbot.keyClick(settings.which, Qt.Key.Key_Right)
    shown = {settings.list.columns.profile(row)["name"] for row in range(settings.list.columns.rowCount())}
    assert shown == {"age", "sex", "diagnosis"}


def test_why_says_what_the_suggestion_rests_on(page: DeidentifyPage, qtbot: QtBot, clinic: Path) -> None:
    opened(qtbot, page, clinic)
    page.settings_step.list.choose("email")
    why = page.settings_step.why
    assert why.text.text().startswith("<b>email</b> is a direct identifier: 400 of 400 values pass")
    assert why.key.text() == "Key: pseudonyms (vault)"


def test_saved_rules_are_a_policy_that_the_command_line_takes(
    page: DeidentifyPage, qtbot: QtBot, clinic: Path, tmp_path: Path
) -> None:
    opened(qtbot, page, clinic)
    target = tmp_path / "policy.yaml"
    page.save_rules(target)
    qtbot.waitUntil(target.is_file, timeout=10_000)
    policy = load_policy(target)
    assert policy.k == 5
    assert policy.quasi == ["age", "sex"]
    page._set_role("ward", "quasi")
    measured(qtbot, page)
    page.open_file(target)
    qtbot.waitUntil(lambda: page.draft is not None and page.draft.quasi == ["age", "sex"], timeout=10_000)
    measured(qtbot, page)


def test_a_rule_is_set_by_hand(page: DeidentifyPage, qtbot: QtBot, clinic: Path) -> None:
    opened(qtbot, page, clinic)
    page.sheets.rule("age", page.draft)
    sheet = page.window().findChild(Sheet)
    assert sheet is not None
    boxes = {box.accessibleName(): box for box in sheet.findChildren(object) if hasattr(box, "accessibleName")}
    qtbot.keyClick(boxes["Rule"], Qt.Key.Key_Down)
    width = boxes["Width of a range"]
    width.selectAll()
    qtbot.keyClicks(width, "25")
    qtbot.keyClick(sheet, Qt.Key.Key_Return)
    measured(qtbot, page)
    assert page.draft is not None
    assert page.draft.columns["age"] == {"role": "quasi", "hierarchy": {"intervals": {"width": 25.0}}}


def test_a_file_that_is_no_table_is_refused_in_place_with_the_next_step(
    page: DeidentifyPage, qtbot: QtBot, tmp_path: Path
) -> None:
    empty = tmp_path / "empty.csv"
    empty.touch()
    page.open_file(empty)
    qtbot.waitUntil(page.start.error.isVisible, timeout=10_000)
    assert page.step == INPUT
    assert "empty.csv" in page.start.error._what.text()
    assert page.start.error._next.text()


def test_rules_that_cannot_be_met_say_so_above_the_table(page: DeidentifyPage, qtbot: QtBot, tmp_path: Path) -> None:
    path = tmp_path / "few.csv"
    path.write_text("age,sex\n" + "".join(f"{30 + n},F\n" for n in range(8)), encoding="utf-8")
    page.open_file(path)
    measured(qtbot, page)
    page._set_target(30)
    error = page.settings_step.error
    qtbot.waitUntil(error.isVisible, timeout=10_000)
    assert error._next.text()
    assert not page.primary.isEnabled()


def test_a_failed_job_shows_its_error_in_place(page: DeidentifyPage, qtbot: QtBot, clinic: Path) -> None:
    opened(qtbot, page, clinic)
    qtbot.mouseClick(page.primary, LEFT)
    clinic.unlink()
    qtbot.mouseClick(page.primary, LEFT)
    finish(qtbot, page)
    assert page.outcome.error.isVisible()
    assert "clinic.csv" in page.outcome.error._what.text()
    assert page.outcome.retry.isVisible()


def test_a_finished_job_is_shown_again_from_the_queue(
    window: Window, page: DeidentifyPage, qtbot: QtBot, clinic: Path
) -> None:
    opened(qtbot, page, clinic)
    qtbot.mouseClick(page.primary, LEFT)
    qtbot.mouseClick(page.primary, LEFT)
    finish(qtbot, page)
    job = page.jobs.row
    assert job is not None
    qtbot.mouseClick(page.other, LEFT)
    assert page.step == INPUT
    window.open_job(job)
    qtbot.waitUntil(lambda: page.step == OUTCOME, timeout=5_000)
    report = json.loads((job.folder / "report.json").read_text(encoding="utf-8"))
    assert page.outcome.k._number.text() == str(report["k"])


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("size", [(1440, 900), (1120, 700)])
def test_no_step_is_clipped(
    window: Window,
    page: DeidentifyPage,
    qtbot: QtBot,
    clinic: Path,
    language: Literal["en", "zh"],
    size: tuple[int, int],
) -> None:
    speech().choose(language)
    window.resize(*size)
    opened(qtbot, page, clinic)
    for step in (SETTINGS, REVIEW):
        page._step_chosen(step)
        for is_open in (False, True):
            window.dock.set_open(is_open)
            for _ in range(3):
                QApplication.processEvents()
            assert page.step == step
            assert looking.clipped(window) == []
            assert looking.unnamed(page) == []
            assert looking.unreachable(page) == []


def test_the_window_keeps_a_few_pages_of_a_long_table(page: DeidentifyPage, qtbot: QtBot, tmp_path: Path) -> None:
    path = tmp_path / "long.csv"
    path.write_text("age,sex\n" + "".join(f"{18 + n % 60},{'FM'[n % 2]}\n" for n in range(20_000)), encoding="utf-8")
    page.open_file(path)
    measured(qtbot, page)
    pair = page.settings_step.pair
    for at in range(0, 20_000, 1500):
        pair.bar.setValue(at)
        qtbot.waitUntil(lambda: pair.right_model.cell(0, 0) is not None, timeout=10_000)
    assert pair.left_model.rowCount() <= 40
    assert sum(len(held) for held in pair.rows._pages.values()) <= 600


def test_a_helper_that_dies_is_started_again_and_the_rules_stay(
    page: DeidentifyPage, qtbot: QtBot, clinic: Path
) -> None:
    opened(qtbot, page, clinic)
    process = page.desk._session._process
    assert process is not None
    process.kill()
    qtbot.waitUntil(lambda: page.desk._session._process is None, timeout=5_000)
    page._set_role("ward", "quasi")
    measured(qtbot, page)
    assert page.draft is not None
    assert page.draft.quasi == ["age", "sex", "ward"]
    assert not page.settings_step.error.isVisible()


def test_another_target_is_chosen_from_the_menu(page: DeidentifyPage, qtbot: QtBot, clinic: Path) -> None:
    opened(qtbot, page, clinic)
    qtbot.mouseClick(page.more, LEFT)
    more = menu()
    targets = entry(more, "Smallest group to aim at").menu()
    assert isinstance(targets, QMenu)
    entry(targets, "k = 10").trigger()
    more.close()
    measured(qtbot, page)
    assert page.draft is not None
    assert page.draft.k == 10
    assert page.settings_step.figures.k._verdict.label.text() == "target at least 10"


def test_a_very_wide_table_opens_and_stays_small_in_the_window(
    page: DeidentifyPage, qtbot: QtBot, tmp_path: Path
) -> None:
    path = tmp_path / "wide.csv"
    names = [f"c{n}" for n in range(1_200)]
    lines = [",".join(names), *(",".join(str((n * row) % 7) for n in range(1_200)) for row in range(40))]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    page.open_file(path)
    qtbot.waitUntil(lambda: page.draft is not None and not page.desk.busy, timeout=30_000)
    assert page.settings_step.list.columns.rowCount() == 1_200
    assert page.settings_step.pair.rows.size <= 5


def test_the_whole_way_in_either_language_by_mouse_or_by_keyboard(
    page: DeidentifyPage, qtbot: QtBot, clinic: Path, hand: Any
) -> None:
    hand.look(looking)
    opened(qtbot, page, clinic)
    hand.look(looking)
    columns = page.settings_step.list
    if hand.mouse:
        click_part(qtbot, page, "email", "rule")
    else:
        hand.reach(columns)
        qtbot.keyClick(columns, Qt.Key.Key_Home)
        qtbot.keyClick(columns, Qt.Key.Key_Return)
    hand.choose(menu(), "Remove")
    measured(qtbot, page)
    slider = page.settings_step.figures.tradeoff.slider
    before = page.draft.k if page.draft else 0
    if hand.mouse:
        qtbot.mouseClick(slider, LEFT, pos=QPoint(8, slider.height() // 2))
    else:
        hand.reach(slider)
        qtbot.keyClick(slider, Qt.Key.Key_Left)
    measured(qtbot, page)
    assert page.draft is not None and page.draft.k > before
    assert page.draft.columns["email"]["rule"] == "drop"
    hand.press(page.primary)
    assert page.step == REVIEW
    hand.look(looking)
    hand.write(page.review.name, "mine")
    hand.press(page.primary)
    finish(qtbot, page)
    hand.look(looking)
    job = page.jobs.row
    assert job is not None and job.result is not None and job.name == "mine"
    written = rows_of(job.folder / job.result["table"])
    assert "email" not in written[0]
    smallest = min(Counter((row["age"], row["sex"]) for row in written).values())
    assert smallest >= page.draft.k
    sentence = f"Every row looks like at least {smallest - 1} others"
    assert page.outcome.verdict.headline.text() == translate(sentence, hand.language)
