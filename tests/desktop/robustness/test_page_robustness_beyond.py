"""What lies beyond the norm on the Robustness page: constraints to edit, corruptions and faults to read."""

from __future__ import annotations

from types import ModuleType
from typing import Any, Literal

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QWidget
from pytestqt.qtbot import QtBot

from guardapp.desktop.i18n import speech
from guardapp.desktop.kit import Label
from guardapp.desktop.robustness.beyond_words import beyond_words
from guardapp.desktop.robustness.constraints_card import ConstraintsCard
from guardapp.desktop.robustness.explanations import EXPLANATIONS
from guardapp.desktop.robustness.finding import Finding, from_report, share
from guardapp.desktop.robustness.measures import measures
from guardapp.desktop.robustness.page import SETTINGS, RobustnessPage
from guardapp.robust.constraints import Constraints

LEFT = Qt.MouseButton.LeftButton


def report_of_rows() -> dict[str, Any]:
    """The report of a check of a table, as the engine writes it."""
    level = {"low": 0.5, "high": 0.9}
    return {
        "clean_accuracy": 0.9,
        "clean_interval": [0.85, 0.94],
        "norm": "linf",
        "unit": "rows",
        "examples": 100,
        "trustworthy": True,
        "flags": [],
        "passed": [],
        "worst": [],
        "curve": [
            {"strength": 0.1, "robust_accuracy": 0.6, "certified_accuracy": None, "single_step_accuracy": 0.7}
            | {"low": 0.5, "high": 0.7, "passes": []}
        ],
        "damage": [
            {"kind": "unit", "level": 10.0, "accuracy": 0.7, **level},
            {"kind": "unit", "level": 1000.0, "accuracy": 0.6, **level},
            {"kind": "swap", "level": 0.5, "accuracy": 0.8, **level},
        ],
        "parts": [
            {"kind": "subgroup", "name": "city = Ulm", "accuracy": 0.4, "rows": 40, **level},
            {"kind": "permutation", "name": "age", "accuracy": 0.55, "rows": 100, **level},
        ],
        "constrained": {"points": [{"budget": 2.0, "robust_accuracy": 0.75, "low": 0.65, "high": 0.82}]},
    }


@pytest.fixture
def rows() -> Finding:
    return from_report("model", report_of_rows())


@pytest.fixture
def card(qtbot: QtBot, home: object) -> ConstraintsCard:
    made = ConstraintsCard()
    qtbot.addWidget(made)
    made.show()
    return made


def said(widget: QWidget) -> set[str]:
    return {label.text() for label in widget.findChildren(Label) if label.isVisible()}


def test_constraints_are_edited_with_the_keyboard(card: ConstraintsCard, qtbot: QtBot) -> None:
    card.rules.setFocus()
    qtbot.keyClicks(card.rules, "age: up, whole")
    qtbot.keyClick(card.rules, Qt.Key.Key_Return)
    qtbot.keyClicks(card.rules, "debt <= income")
    card.budgets.selectAll()
    qtbot.keyClicks(card.budgets, "1, 3")
    found = card.constraints()
    assert found == {
        "budgets": [1.0, 3.0],
        "categories": "fixed",
        "columns": {"age": {"change": "up", "whole": True}},
        "relations": [{"terms": {"debt": 1.0, "income": -1.0}, "at_most": 0.0}],
    }
    Constraints.model_validate(found)


def test_a_line_that_cannot_be_read_is_named_below_the_rules(card: ConstraintsCard, qtbot: QtBot) -> None:
    card.rules.setPlainText("age: up\nage sideways")
    assert "Line 2 cannot be read: write it like the examples." in said(card)
    assert card.why_not() == "Correct the field that is marked." and card.constraints() is None
    card.rules.setPlainText("age: up")
    assert card.why_not() == "" and "Line 2" not in " ".join(said(card))


def test_budgets_that_are_no_numbers_are_refused(card: ConstraintsCard) -> None:
    for text in ("", "0", "much", "1," * 11 + "2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12"):
        card.budgets.setText(text)
        assert card.why_not() == "Correct the field that is marked.", text


def test_without_the_tick_rows_are_not_attacked(card: ConstraintsCard, qtbot: QtBot) -> None:
    card.rules.setPlainText("nonsense")
    qtbot.mouseClick(card.wanted, LEFT)
    assert card.constraints() is None and card.why_not() == ""
    assert not card.rules.isEnabled()


def test_earlier_constraints_are_shown_and_kept(card: ConstraintsCard) -> None:
    wanted = {
        "budgets": [0.5],
        "categories": "free",
        "most_columns": 2,
        "columns": {"living area": {"change": "down", "scale": 2.5}},
        "relations": [{"terms": {"a": 1.0, "b": -2.0}, "equals": 3.0}],
    }
    card.show_constraints(wanted)
    assert card.constraints() == wanted
    card.show_constraints(None)
    assert card.constraints() is None


def test_only_tables_have_constraints_on_the_page(page: RobustnessPage, qtbot: QtBot, hands: ModuleType) -> None:
    hands.show(qtbot, page, "check-long")
    qtbot.mouseClick(page.result.checks.change, LEFT)
    assert page.step == SETTINGS
    settings = page.settings_step
    assert not settings.constraints.isVisible() and "constraints" not in settings.document()
    assert settings.natural.isChecked() and settings.document()["natural"] is True
    settings.set_table(True)
    assert settings.constraints.isVisible() and settings.document()["constraints"]["budgets"] == [1.0, 2.0, 4.0]
    settings.constraints.rules.setPlainText("?")
    assert settings.why_not() == "Correct the field that is marked."


def test_corruptions_are_read_by_severity_and_the_weakest_are_named(
    page: RobustnessPage, qtbot: QtBot, hands: ModuleType
) -> None:
    report = hands.show(qtbot, page, "check-long")
    lines = page.result.checks.rows
    lines.setFocus()
    while lines.plot != "corruptions":
        qtbot.keyClick(lines, Qt.Key.Key_Down)
    page.result.set_index(len(page.result.finding.points) - 1)  # type: ignore[union-attr]
    xs, ys = page.result.plot.points("ours")
    assert xs.tolist() == [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]
    last = [one["accuracy"] for one in report["corruptions"] if one["severity"] == 5]
    assert ys[-1] / 100 == pytest.approx(sum(last) / len(last))
    assert hands.figure(page, "corruptions") == share(sum(last) / len(last))
    text = " ".join(said(page.result.worst))
    weakest = min((one for one in report["corruptions"] if one["severity"] == 5), key=lambda one: one["accuracy"])
    assert f"{weakest['name']} {share(weakest['accuracy'])}" in text
    assert share(report["corruption_summary"]["mean_error"]) in text
    assert page.result.worst.title.text() == "Weakest corruptions"
    qtbot.keyClick(lines, Qt.Key.Key_Home)
    assert page.result.worst.title.text() == "Worst examples"


def test_turns_and_shifts_have_curves_of_their_own(page: RobustnessPage, qtbot: QtBot, hands: ModuleType) -> None:
    report = hands.show(qtbot, page, "check-long")
    lines = page.result.checks.rows
    for kind in ("rotation", "translation"):
        lines.setFocus()
        qtbot.keyClick(lines, Qt.Key.Key_Home)
        while lines.plot != kind:
            qtbot.keyClick(lines, Qt.Key.Key_Down)
        _, ys = page.result.plot.points("ours")
        expected = [one["accuracy"] for one in report["damage"] if one["kind"] == kind]
        assert (ys[1:] / 100).tolist() == pytest.approx(expected)


def test_faults_of_rows_are_lines_of_the_list(rows: Finding) -> None:
    found = {line.key: line for line in measures(rows, 1, table=True)}
    assert found["constrained"].figure == "75 %" and found["constrained"].values["level"] == "2"
    assert found["unit"].figure == "60 %" and found["unit"].values["level"] == "1000"
    assert found["swap"].figure == "80 %"
    assert "corruptions" not in found and "rotation" not in found


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_weakest_parts_are_named_and_possible_rows_point_to_their_files(
    rows: Finding, language: Literal["en", "zh"], home: object
) -> None:
    speech().choose(language)
    found = beyond_words(rows, "unit", 1)
    assert found is not None and found.values == {"groups": "city = Ulm 40 %", "columns": "age 55 %"}
    possible = beyond_words(rows, "constrained", 1)
    assert possible is not None and possible.folder
    assert beyond_words(rows, "attacks", 1) is None


def test_every_flag_that_can_be_raised_is_explained() -> None:
    import ast
    import inspect

    from guardapp.robust import flags, label_evaluator, model_flags

    modules = [ast.parse(inspect.getsource(module)) for module in (flags, model_flags, label_evaluator)]
    tree = ast.Module([statement for module in modules for statement in module.body], [])
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Flag"]
    raised = {call.args[0].value for call in calls if isinstance(call.args[0], ast.Constant)}
    raised |= {entry[0] for entry in flags._OTHERS.values()}
    only_passed = {"second-opinions"}
    assert raised - only_passed == set(EXPLANATIONS)
