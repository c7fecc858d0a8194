"""Guarantees beside k are asked for on the De-identify page and shown as measured; laws are told beside the columns."""

from __future__ import annotations

import csv
import json
import random
from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication, QComboBox, QLineEdit, QMenu, QWidget
from pytestqt.qtbot import QtBot

from guardapp.deid.job import DeidSpec
from guardapp.deid.job import run as protect
from guardapp.deid.legal_categories import HIPAA
from guardapp.desktop.deidentify.page import OUTCOME, REVIEW, DeidentifyPage
from guardapp.desktop.deidentify.rules import Draft
from guardapp.desktop.i18n import tr
from guardapp.desktop.kit import Button, Combo, ElidedLabel, FileField, Label
from guardapp.desktop.sheet import Sheet
from guardapp.desktop.window import Window
from guardapp.progress import Progress


@pytest.fixture
def clinic(tmp_path: Path) -> Path:
    luck = random.Random(11)
    path = tmp_path / "clinic.csv"
    for name, rows in (("clinic.csv", 240), ("city.csv", 3000)):
        with path.with_name(name).open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(["age", "sex", "ward"])
            writer.writerows([luck.randint(20, 60), luck.choice("FM"), luck.choice("ABC")] for _ in range(rows))
    return path


@pytest.fixture
def page(window: Window, qtbot: QtBot) -> DeidentifyPage:
    window.activateWindow()
    return cast(DeidentifyPage, window.show_page("deidentify"))


def measured(qtbot: QtBot, page: DeidentifyPage) -> None:
    qtbot.waitUntil(lambda: page.draft is not None and not page.desk.busy and page._figures is not None, timeout=20_000)


def question(page: DeidentifyPage, qtbot: QtBot) -> Sheet:
    def shown() -> list[Sheet]:
        return [sheet for sheet in page.window().findChildren(Sheet) if sheet.isVisible()]

    qtbot.waitUntil(lambda: bool(shown()), timeout=10_000)
    return shown()[-1]


def menu(hand: Any, page: DeidentifyPage, *texts: str) -> None:
    """Take an entry of the page's menu, or of a menu in it."""
    hand.press(page.more)
    found = QApplication.activePopupWidget()
    assert isinstance(found, QMenu)
    for text in texts:
        hand.choose(found, text)


def part(sheet: QWidget, kind: type[Any], name: str) -> Any:
    return next(one for one in sheet.findChildren(kind) if one.accessibleName() == tr(name))


def pick(qtbot: QtBot, box: Combo, value: str) -> None:
    box.setFocus()
    qtbot.keyClick(box, Qt.Key.Key_Home)
    for _ in range(box.count()):
        if box.value == value:
            return
        qtbot.keyClick(box, Qt.Key.Key_Down)
    raise AssertionError(f"{value} is not offered")


def run(page: DeidentifyPage, out: Path) -> tuple[SimpleNamespace, dict[str, Any]]:
    """Do here what the worker would do with what is set, and return what the page takes of a job, and the report."""
    assert page.draft is not None
    document = {"input": page.path, "policy": page.draft.policy(), **page.review.options.fields()}
    out.mkdir()
    result = protect(DeidSpec.model_validate(document), out, Progress())
    report = json.loads((out / "report.json").read_text(encoding="utf-8"))
    return SimpleNamespace(result=result.model_dump()), report


@pytest.mark.parametrize("hand", ["en-mouse", "zh-keyboard"], indirect=True)
def test_risks_and_a_map_are_asked_for_instead_of_k_and_shown_as_measured(
    page: DeidentifyPage, qtbot: QtBot, clinic: Path, tmp_path: Path, hand: Any, looking: Any
) -> None:
    page.open_file(clinic)
    measured(qtbot, page)
    page._set_role("age", "quasi")
    page._set_role("ward", "other")
    page._set_target(None)
    measured(qtbot, page)
    assert page.draft is not None

    menu(hand, page, "Further guarantees…")
    sheet = question(page, qtbot)
    offered = part(sheet, QComboBox, "Guarantee")
    pick(qtbot, offered, "population-uniqueness")
    assert part(sheet, QLineEdit, "People in the population").isVisible()
    pick(qtbot, offered, "sample-uniqueness")
    hand.write(part(sheet, QLineEdit, "Largest share of rows that are alone, 0 to 1"), "0.02")
    hand.press(part(sheet, Button, "Add this guarantee"))
    pick(qtbot, offered, "average-risk")
    hand.write(part(sheet, QLineEdit, "Largest mean risk, 0 to 1"), "0.1")
    hand.press(part(sheet, Button, "Add this guarantee"))
    pick(qtbot, offered, "k-map")
    sheet.findChild(FileField).take(clinic.with_name("city.csv"))
    hand.write(part(sheet, QLineEdit, "People that every row fits, at least"), "40")
    hand.press(part(sheet, Button, "Add this guarantee"))
    qtbot.waitUntil(lambda: looking.clipped(sheet) == [], timeout=5_000)
    hand.press(part(sheet, Button, "Apply"))
    measured(qtbot, page)
    assert page.draft.policy()["models"] == [
        {"name": "sample-uniqueness", "max": 0.02},
        {"name": "average-risk", "max": 0.1},
        {"name": "k-map", "k": 40},
    ]
    hand.look(looking, "clinic", "deid")

    assert page.settings_step.why.law.text() == "HIPAA (C) · GDPR Art. 4(1) · PIPL GB/T 35273 A"
    menu(hand, page, "HIPAA, GDPR and PIPL…")
    sheet = question(page, qtbot)
    assert any(tr(HIPAA["C"]) in label.text() for label in sheet.findChildren(Label))
    qtbot.waitUntil(lambda: looking.clipped(sheet) == [], timeout=5_000)
    hand.press(part(sheet, Button, "Close"))

    page._step_chosen(REVIEW)
    hand.look(looking, "clinic", "deid")
    job, report = run(page, tmp_path / "out")
    page.results.one.show_done(job, report)
    page._go(OUTCOME)
    with (tmp_path / "out" / "clinic.csv").open(newline="", encoding="utf-8") as file:
        groups = Counter((row["age"], row["sex"]) for row in csv.DictReader(file))
    mean = len(groups) / 240
    assert 0 < mean <= 0.1
    assert [model["measured"] for model in report["models"][:2]] == [pytest.approx(0), pytest.approx(mean)]
    assert report["models"][2]["measured"] >= 40
    said = tr("Mean risk of a row: {measured}", measured=f"{100 * mean:.2f} %")
    # a label is elided until its card has its width
    qtbot.waitUntil(lambda: any(label.text() == said for label in page.outcome.findChildren(ElidedLabel)))
    hand.look(looking, "clinic", "deid")


def test_a_draft_without_a_group_size_keeps_its_other_guarantees() -> None:
    risk = {"name": "average-risk", "max": 0.1}
    draft = Draft({"columns": {"age": {"role": "quasi"}}, "models": [risk]})
    assert draft.policy()["models"] == [risk]
    assert draft.grouped
    draft.set_target(5)
    assert draft.policy()["models"] == [{"name": "k-anonymity", "k": 5}, risk]
    draft.set_target(None)
    assert draft.policy()["models"] == [risk]
    draft.undo()
    assert draft.k == 5
