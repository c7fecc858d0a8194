"""Helpers that answer JSON lines, without ever blocking the window."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from guardapp.desktop.child_session import ChildSession
from guardapp.errors import GuardError

HELPER = """
import json, os, sys
for line in sys.stdin:
    request = json.loads(line)
    if request["do"] == "crash":
        os._exit(9)
    if request["do"] == "flood":
        for number in range(5000):
            print(json.dumps({"number": number}), flush=False)
        print("this is no JSON")
    if request["do"] == "refuse":
        error = {"what": "No", "why": "because", "next": "Stop.", "code": "test.no"}
        print(json.dumps({"id": request["id"], "error": error}), flush=True)
    else:
        print(json.dumps({"id": request["id"], "result": request.get("value")}), flush=True)
"""


@pytest.fixture
def session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ChildSession]:
    (tmp_path / "helper_of_a_test.py").write_text(HELPER)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    made = ChildSession("helper_of_a_test")
    yield made
    made.stop()
    made.deleteLater()


def test_answers_come_back_to_who_asked(session: ChildSession, qtbot: QtBot) -> None:
    answers: list[object] = []
    for value in ("one", "zwei", "三"):
        session.ask({"do": "echo", "value": value}, answers.append)
    qtbot.waitUntil(lambda: len(answers) == 3, timeout=10_000)
    assert answers == ["one", "zwei", "三"]


def test_a_refusal_comes_back_as_an_error_for_people(session: ChildSession, qtbot: QtBot) -> None:
    errors: list[GuardError] = []
    session.ask({"do": "refuse"}, lambda _: None, errors.append)
    qtbot.waitUntil(lambda: bool(errors), timeout=10_000)
    assert errors[0].code == "test.no"


def test_a_crash_is_said_and_the_next_request_starts_anew(session: ChildSession, qtbot: QtBot) -> None:
    errors: list[GuardError] = []
    session.ask({"do": "crash"}, lambda _: None, errors.append)
    qtbot.waitUntil(lambda: bool(errors), timeout=10_000)
    assert errors[0].code == "session.ended"
    answers: list[object] = []
    session.ask({"do": "echo", "value": 5}, answers.append)
    qtbot.waitUntil(lambda: bool(answers), timeout=10_000)


def test_a_flood_of_lines_is_taken_in_turns_and_nothing_is_lost(session: ChildSession, qtbot: QtBot) -> None:
    told: list[object] = []
    session.told.connect(told.append)
    answers: list[object] = []
    session.ask({"do": "flood", "value": "end"}, answers.append)
    qtbot.waitUntil(lambda: bool(answers), timeout=10_000)
    assert len(told) == 5000


def test_an_answer_that_nobody_wants_any_more_is_dropped(session: ChildSession, qtbot: QtBot) -> None:
    old: list[object] = []
    new: list[object] = []
    session.forget(session.ask({"do": "echo", "value": "old"}, old.append))
    session.ask({"do": "echo", "value": "new"}, new.append)
    qtbot.waitUntil(lambda: bool(new), timeout=10_000)
    assert old == []
