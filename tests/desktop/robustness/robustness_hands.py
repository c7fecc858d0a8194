"""What a person does on the Robustness page, and what the person reads there."""

from __future__ import annotations

import json
from typing import Any, cast

from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from guardapp.desktop.kit import Label
from guardapp.desktop.robustness.page import RobustnessPage


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
