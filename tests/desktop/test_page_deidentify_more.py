"""What lies folded away on the De-identify page: guarantees, engine, hierarchies, comparison, output."""

from __future__ import annotations

import csv
import json
import random
from pathlib import Path
from typing import Any, cast

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtWidgets import QApplication, QComboBox, QLineEdit, QMenu, QWidget
from pytestqt.qtbot import QtBot

from guardapp.deid.certificate import signature_fits
from guardapp.desktop.deidentify.hierarchy_editing import HierarchyDraft
from guardapp.desktop.deidentify.hierarchy_sheet import HierarchyEditor
from guardapp.desktop.deidentify.page import INPUT, OUTCOME, REVIEW, SETTINGS, DeidentifyPage
from guardapp.desktop.i18n import tr
from guardapp.desktop.kit import Button, Combo
from guardapp.desktop.sheet import Sheet
from guardapp.desktop.window import Window

LEFT = Qt.MouseButton.LeftButton
ROWS = 300
CITIES = {"Bern": "Switzerland", "Basel": "Switzerland", "Rome": "Italy", "Milan": "Italy"}


@pytest.fixture
def clinic(tmp_path: Path) -> Path:
    luck = random.Random(5)
    path = tmp_path / "clinic.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["age", "city", "diagnosis"])
        for _ in range(ROWS):
            cells = [luck.randint(20, 60), luck.choice(list(CITIES)), luck.choice(["A09", "I21", "J18", "K35"])]
            writer.writerow(cells)
    return path


@pytest.fixture
def page(window: Window, qtbot: QtBot) -> DeidentifyPage:
    window.activateWindow()
    return cast(DeidentifyPage, window.show_page("deidentify"))


def measured(qtbot: QtBot, page: DeidentifyPage) -> None:
    qtbot.waitUntil(lambda: page.draft is not None and not page.desk.busy and page._figures is not None, timeout=20_000)


def opened(qtbot: QtBot, page: DeidentifyPage, path: Path) -> None:
    page.open_file(path)
    measured(qtbot, page)


def asked(page: DeidentifyPage, qtbot: QtBot) -> Sheet:
    """The question in front of the window."""

    def shown() -> list[Sheet]:
        return [sheet for sheet in page.window().findChildren(Sheet) if sheet.isVisible()]

    qtbot.waitUntil(lambda: bool(shown()), timeout=10_000)
    return shown()[-1]


def more(hand: Any, page: DeidentifyPage, text: str) -> None:
    """Take an entry of the page's menu."""
    hand.press(page.more)
    menu = QApplication.activePopupWidget()
    assert isinstance(menu, QMenu)
    hand.choose(menu, text)


def part(sheet: QWidget, kind: type[Any], name: str) -> Any:
    """The control of a kind with an (English) accessible name."""
    return next(one for one in sheet.findChildren(kind) if one.accessibleName() == tr(name))


def pick(qtbot: QtBot, box: Combo, value: str) -> None:
    """Choose an entry with the arrow keys."""
    box.setFocus()
    qtbot.keyClick(box, Qt.Key.Key_Home)
    for _ in range(box.count()):
        if box.value == value:
            return
        qtbot.keyClick(box, Qt.Key.Key_Down)
    raise AssertionError(f"{value} is not offered")


def press(qtbot: QtBot, sheet: QWidget, text: str) -> None:
    qtbot.mouseClick(next(b for b in sheet.findChildren(Button) if b.accessibleName() == tr(text)), LEFT)


def test_guarantee_hierarchy_and_comparison_in_either_language_by_mouse_or_keyboard(
    page: DeidentifyPage, qtbot: QtBot, clinic: Path, tmp_path: Path, hand: Any, looking: Any
) -> None:
    opened(qtbot, page, clinic)
    page._set_role("diagnosis", "sensitive")
    page._set_role("city", "quasi")
    measured(qtbot, page)
    assert page.draft is not None

    more(hand, page, "Further guarantees…")
    sheet = asked(page, qtbot)
    pick(qtbot, part(sheet, QComboBox, "Guarantee"), "t-closeness")
    hand.write(part(sheet, QLineEdit, "Largest distance t, 0 to 1"), "0.4")
    hand.press(part(sheet, Button, "Add this guarantee"))
    qtbot.waitUntil(lambda: looking.clipped(sheet) == [], timeout=5_000)
    hand.press(part(sheet, Button, "Apply"))
    measured(qtbot, page)
    models = page.draft.policy()["models"]
    assert {"name": "t-closeness", "t": 0.4, "column": "diagnosis", "distance": "equal"} in models

    columns = page.settings_step.list
    menu = columns.rule_menu(columns.columns.row_of("city"))
    menu.popup(QPoint(0, 0))
    hand.choose(menu, "Hierarchy…")
    sheet = asked(page, qtbot)
    editor = sheet.findChild(HierarchyEditor)
    assert editor is not None
    own = tmp_path / "cities.csv"
    own.write_text("Bern;CH;*\nBasel;CH;*\nRome;IT;*\n", encoding="utf-8")
    page.desk.read_hierarchy("city", own, editor.imported, page.services.fail)
    qtbot.waitUntil(lambda: editor.draft.levels == 2, timeout=10_000)
    assert editor.draft.lines[-1] == ("Milan", "*", "*")
    editor.table.selectRow(3)
    hand.write(editor.name, "IT")
    hand.press(editor.apply)
    assert editor.draft.lines[-1] == ("Milan", "IT", "*")
    hand.press(editor.undo)
    assert editor.draft.lines[-1] == ("Milan", "*", "*")
    hand.press(editor.redo)
    qtbot.waitUntil(lambda: looking.clipped(sheet) == [], timeout=5_000)
    hand.press(part(sheet, Button, "Apply"))
    qtbot.waitUntil(lambda: isinstance(page.draft and page.draft.columns["city"].get("hierarchy"), str), timeout=10_000)
    measured(qtbot, page)
    found = page._figures
    assert found is not None
    at = found["columns"].index("city")
    assert {row[at] for row in found["protected"]} <= {*CITIES, "CH", "IT", "*"}

    more(hand, page, "Compare before and after…")
    sheet = asked(page, qtbot)
    pick(qtbot, part(sheet, QComboBox, "Column"), "city")
    qtbot.waitUntil(lambda: looking.clipped(sheet) == [], timeout=5_000)
    hand.press(part(sheet, Button, "Close"))
    page._step_chosen(REVIEW)
    hand.look(looking)
    page._step_chosen(SETTINGS)
    page._undo()
    page._undo()
    measured(qtbot, page)
    assert "hierarchy" not in page.draft.columns["city"]
    assert all(model["name"] != "t-closeness" for model in page.draft.policy()["models"])


def test_a_full_domain_search_is_shuffled_signed_attacked_with_a_population_and_written_as_parquet(
    page: DeidentifyPage, qtbot: QtBot, clinic: Path, tmp_path: Path
) -> None:
    page.services.vault.act(lambda vault: vault.new_key("Aiko", "signing"))
    opened(qtbot, page, clinic)
    qtbot.waitUntil(lambda: "Aiko" in page.services.vault.key_names, timeout=10_000)
    assert page.draft is not None
    page._set_rule("age", None, {"intervals": {"width": 10.0}})
    page.sheets.search(page.draft)
    sheet = asked(page, qtbot)
    pick(qtbot, part(sheet, QComboBox, "How groups are found"), "lattice")
    pick(qtbot, part(sheet, QComboBox, "What is kept as small as possible"), "precision")
    qtbot.keyClicks(part(sheet, QLineEdit, "Rows that may be suppressed, in %"), "5")
    press(qtbot, sheet, "Apply")
    measured(qtbot, page)
    assert page.draft.policy()["search"] == {"engine": "lattice", "metric": "precision", "suppression": 0.05}
    page._step_chosen(REVIEW)
    options = page.review.options
    qtbot.mouseClick(options.more, LEFT)
    pick(qtbot, options.format, "parquet")
    pick(qtbot, options.order, "shuffle")
    pick(qtbot, options.sign, "Aiko")
    options.population.take(clinic)
    qtbot.mouseClick(page.primary, LEFT)
    qtbot.waitUntil(lambda: page.step == OUTCOME, timeout=15_000)
    qtbot.waitUntil(lambda: page.jobs.row is not None and page.jobs.row.is_over, timeout=30_000)
    job = page.jobs.row
    assert job.state == "done", job.error
    report = json.loads((job.folder / "report.json").read_text(encoding="utf-8"))
    assert report["search"]["engine"] == "lattice"
    assert report["output"] == {"format": "parquet", "order": "shuffle", "encoding": "utf-8"}
    certificate = json.loads((job.folder / "release.json").read_text(encoding="utf-8"))
    mine = next(key for key in page.services.vault.snapshot.keys if key.name == "Aiko")  # type: ignore[union-attr]
    assert signature_fits(certificate, mine.public)
    attacks = {attack["name"]: attack["outcome"] for attack in report["attacks"]}
    assert attacks["population-linkage"] != "not-run"


def test_a_wrong_number_keeps_the_question_open(page: DeidentifyPage, qtbot: QtBot, clinic: Path) -> None:
    opened(qtbot, page, clinic)
    assert page.draft is not None
    before = page.draft.policy()
    page.sheets.search(page.draft)
    sheet = asked(page, qtbot)
    qtbot.keyClicks(part(sheet, QLineEdit, "Rows that are released, in %"), "200")
    press(qtbot, sheet, "Apply")
    assert sheet.isVisible()
    assert page.draft.policy() == before
    press(qtbot, sheet, "Cancel")


def test_a_workbook_of_several_sheets_asks_which(page: DeidentifyPage, qtbot: QtBot, tmp_path: Path) -> None:
    from openpyxl import Workbook

    book, path = Workbook(), tmp_path / "book.xlsx"
    for title in ("wards", "staff"):
        sheet = book.create_sheet(title)
        sheet.append([f"{title} age", "sex"])
        for row in range(30):
            sheet.append([20 + row, "FM"[row % 2]])
    del book["Sheet"]
    book.save(path)
    page.open_file(path)
    question = asked(page, qtbot)
    assert page.step == INPUT
    assert not page.start.error.isVisible()
    pick(qtbot, part(question, QComboBox, "Table"), "staff")
    press(qtbot, question, "Open")
    measured(qtbot, page)
    assert page._names == ["staff age", "sex"]


def test_the_start_names_every_format_that_is_taken(page: DeidentifyPage) -> None:
    from guardapp.desktop.kit import Chip

    shown = {chip.accessibleName() or chip.text() for chip in page.start.findChildren(Chip)}
    assert {"CSV or TSV", "Excel workbook", "Parquet", "SQLite database", "JSON Lines"} <= shown


def test_lines_are_named_levelled_and_undone() -> None:
    draft = HierarchyDraft([["Bern", "*"], ["Rome", "*"]])
    draft.add_level(0)
    draft.name([0], 1, " CH ")
    assert draft.lines == (("Bern", "CH", "*"), ("Rome", "Rome", "*"))
    draft.remove_level(2)
    assert draft.lines == (("Bern", "CH"), ("Rome", "Rome"))
    draft.remove_level(1)
    assert draft.levels == 1
    for _ in range(3):
        draft.undo()
    assert draft.lines == (("Bern", "*"), ("Rome", "*"))
    assert not draft.changed
    draft.redo()
    assert draft.levels == 2
