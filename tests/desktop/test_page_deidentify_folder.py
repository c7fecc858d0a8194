"""A folder of tables about the same people, on the De-identify page: found, promised, queued, and attacked together."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any, cast

import pytest
import yaml
from pytestqt.qtbot import QtBot

from guardapp.deid.related.policy import load_tables_policy
from guardapp.desktop.deidentify.page import FOLDER, INPUT, JOINED, DeidentifyPage
from guardapp.desktop.routing import route
from guardapp.desktop.window import Window


@pytest.fixture
def hospital(tmp_path: Path) -> Path:
    """Forty patients by e-mail address; the town in one table and the drug in the other tell them apart."""
    folder = tmp_path / "hospital"
    folder.mkdir()
    chance = random.Random(7)
    drugs = [drug for drug in "ABCDEFGH" for _ in range(5)]
    chance.shuffle(drugs)
    towns = ["North", "East", "South", "West"]
    patients = [f"p{i}@example.org,{towns[i // 10]},{30 + i % 3}" for i in range(40)]
    visits = [f"p{i}@example.org,{drugs[i]},{chance.choice('FM')}" for i in range(40)]
    (folder / "patients.csv").write_text("\n".join(["email,city,age", *patients]) + "\n")
    (folder / "visits.csv").write_text("\n".join(["email,drug,sex", *visits]) + "\n")
    (folder / "notes.txt").write_text("not a table\n")
    return folder


@pytest.fixture
def page(window: Window, qtbot: QtBot) -> DeidentifyPage:
    window.activateWindow()
    return cast(DeidentifyPage, window.show_page("deidentify"))


def opened(qtbot: QtBot, page: DeidentifyPage, folder: Path) -> None:
    page.open_file(folder)
    qtbot.waitUntil(lambda: page.folder.step.draft is not None, timeout=20_000)


@pytest.mark.parametrize("hand", ["en-keyboard", "zh-mouse"], indirect=True)
def test_a_folder_is_protected_and_what_joining_its_tables_gives_away_is_shown(
    page: DeidentifyPage, qtbot: QtBot, hospital: Path, tmp_path: Path, hand: Any, looking: Any
) -> None:
    nothing = tmp_path / "nothing"
    nothing.mkdir()
    page.open_file(nothing)
    qtbot.waitUntil(lambda: page.start.error.isVisible(), timeout=20_000)
    assert (page.step, page.folder.path) == (INPUT, None)

    assert route(hospital).page == "deidentify"
    opened(qtbot, page, hospital)
    step = page.folder.step
    assert page.step == FOLDER
    assert [line[:4] for line in step.list.texts] == [
        ["patients", "patients.csv", "40", "3"],
        ["visits", "visits.csv", "40", "3"],
    ]
    assert step.draft is not None
    assert step.draft.person == {"patients": "email", "visits": "email"}
    hand.write(step.k, "3")
    hand.look(looking, "hospital", ".csv", "notes")

    rules = tmp_path / "rules.yaml"
    page.folder.save(rules)
    qtbot.waitUntil(rules.is_file, timeout=10_000)
    assert load_tables_policy(rules).tables["visits"].k == 3
    document = yaml.safe_load(rules.read_text(encoding="utf-8"))
    visits = document["tables"]["visits"]
    visits["columns"]["drug"] = {"role": "quasi"}
    visits["models"] = visits["models"][:1]
    rules.write_text(yaml.safe_dump(document), encoding="utf-8")
    before = step.draft
    page.open_file(rules)
    qtbot.waitUntil(lambda: step.draft not in (None, before), timeout=20_000)
    assert "drug" in step.list.texts[1][4]

    if hand.language == "en":
        # one of the two people waits for the job
        return
    hand.press(page.primary)
    qtbot.waitUntil(lambda: page.step == JOINED, timeout=40_000)
    job = page.jobs.row
    report = json.loads((job.folder / "report.json").read_text(encoding="utf-8"))
    assert report["joined_k"] < 3
    assert [line[:3] for line in page.joined.list.texts] == [
        [name, "40", str(table["k"])] for name, table in report["tables"].items()
    ]
    assert all(table["k"] >= 3 for table in report["tables"].values())
    hand.look(looking, "hospital")
