"""Convert as a person uses it: real checkpoints, the real helper, the real worker."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from PySide6.QtCore import QMimeData, QPoint, Qt, QUrl
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from pytestqt.qtbot import QtBot
from safetensors.numpy import load_file, save_file

from guardapp.desktop.checkpoints.page import CheckpointsPage
from guardapp.desktop.kit import DropZone, Label
from guardapp.desktop.window import Window
from guardapp.formats import checkpoints
from guardapp.language import translate
from guardapp.progress import Progress
from guardapp.seal import convert_job
from guardapp.seal.convert_job import ConvertSpec

JOB = 60_000
NAMES = ("downloads", "more.pt", "evil", "model", "good", "config", "weight", "epoch", "converted", "state dict")


@pytest.fixture
def page(window: Window, qtbot: QtBot) -> CheckpointsPage:
    qtbot.waitUntil(lambda: window.vault.snapshot is not None, timeout=15_000)
    shown = window.show_page("checkpoints")
    assert isinstance(shown, CheckpointsPage)
    return shown


@pytest.fixture(scope="module")
def downloads(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with checkpoints, one that would leave a mark, one that is safetensors, and a text."""
    torch = pytest.importorskip("torch")
    folder = tmp_path_factory.mktemp("given") / "downloads"
    (folder / "deep").mkdir(parents=True)
    torch.save({"weight": torch.ones(3, 2)}, folder / "deep" / "model.pt")
    torch.save({"state_dict": {"weight": torch.zeros(2)}, "epoch": 3}, folder / "model.bin")
    mark = f"touch {folder.parent}/mark".encode()
    (folder / "evil.pt").write_bytes(b"\x80\x02cposix\nsystem\nX" + len(mark).to_bytes(4, "little") + mark + b"\x85R.")
    save_file({"weight": np.ones(3)}, folder / "good.safetensors")
    (folder / "config.json").write_text("{}")
    return folder


@pytest.fixture
def result(downloads: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What converting the folder gives, done in this process."""
    monkeypatch.setattr(checkpoints, "UNPICKLE_ALLOWED", True)
    (tmp_path / "out").mkdir()
    done = convert_job.run(ConvertSpec(input=downloads, flush=False), tmp_path / "out", Progress())
    return done.model_dump(mode="json")


@pytest.fixture
def mark(downloads: Path) -> Path:
    """What the hostile file would make."""
    return downloads.parent / "mark"


def drop(zone: DropZone, paths: list[Path]) -> None:
    """Drag files from elsewhere over the zone and let them go."""
    carried = QMimeData()
    carried.setUrls([QUrl.fromLocalFile(str(path)) for path in paths])
    action, left, none = Qt.DropAction.CopyAction, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    zone.dragEnterEvent(QDragEnterEvent(QPoint(9, 9), action, carried, left, none))
    zone.dropEvent(QDropEvent(QPoint(9, 9), action, carried, left, none))


def said(of: Any) -> str:
    return " ".join(label.text() for label in of.findChildren(Label) if label.isVisible())


def cells(model: Any, row: int) -> list[str]:
    return [model.cell(row, column).text for column in range(len(model.columns))]


def test_a_folder_the_whole_way_in_either_language_by_mouse_or_by_keyboard(
    page: CheckpointsPage,
    qtbot: QtBot,
    downloads: Path,
    result: dict[str, Any],
    mark: Path,
    looking: ModuleType,
    hand: Any,
) -> None:
    mode, window = page.convert, page.window()
    hand.press(page.cards["scan"])
    hand.press(page.scan.convert_instead)
    assert (page.mode, page.cards["scan"].selected) == ("convert", True)
    hand.look(looking)
    page.open_file(downloads)
    qtbot.waitUntil(mode.primary.isEnabled, timeout=20_000)
    window.resize(1120, 700)
    hand.look(looking, *NAMES)
    fates = [(row["name"], row["fate"]) for row in mode.planned.rows]
    assert fates[:3] == [(name, "convert") for name in ("deep/model.pt", "evil.pt", "model.bin")]
    assert fates[3:] == [("good.safetensors", "already"), ("config.json", "other")]
    if hand.mouse == (hand.language == "en"):  # a job imports torch: each language and each hand has one, not four
        hand.press(mode.primary)
        qtbot.waitUntil(lambda: mode.part is mode.result, timeout=JOB)
    else:
        hand.come_to(mode.primary)
        mode.show_result(result)
    hand.look(looking, *NAMES)
    assert said(mode.verdict).startswith(translate("Some files were refused", hand.language))
    verdicts = [(row["path"], row["verdict"]) for row in mode.outcome.model.rows]
    assert verdicts[0] == ("evil.pt", "refused")
    assert verdicts[1:3] == [("deep/model.pt", "converted"), ("model.bin", "converted")]
    assert verdicts[3:] == [("good.safetensors", "already")]
    assert "posix.system" in mode.outcome.first.text()  # the worst is chosen, with its reason, before one asks
    table = mode.outcome.table
    hand.come_to(table)
    if hand.mouse:
        third = table.visualRect(mode.outcome.model.index(2, 0)).center()
        qtbot.mouseClick(table.viewport(), Qt.MouseButton.LeftButton, pos=third)
    else:
        for _ in range(2):
            qtbot.keyClick(table, Qt.Key.Key_Down)
    assert "model.safetensors" in mode.outcome.first.text()
    assert "epoch" in mode.outcome.second.text()
    hand.look(looking, *NAMES)
    assert not mark.exists()
    if mode.row is not None:
        made = mode.row.folder / "converted"
        assert load_file(made / "deep" / "model.safetensors")["weight"].shape == (3, 2)
        assert load_file(made / "model.safetensors")["weight"].tolist() == [0, 0]
        hand.press(mode.protect)
        assert (page.mode, page.protect.path) == ("protect", made)


def test_several_files_dropped_at_once_become_one_job_and_what_is_refused_is_found_again_in_the_queue(
    page: CheckpointsPage, qtbot: QtBot, downloads: Path, mark: Path
) -> None:
    mode = page.convert
    page.choose("convert")
    drop(mode.start.zone, [downloads / "evil.pt", downloads / "good.safetensors"])
    qtbot.waitUntil(mode.primary.isEnabled, timeout=20_000)
    assert page.header.subtitle.text() == "evil.pt + 1"
    qtbot.mouseClick(mode.primary, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: mode.part is mode.result, timeout=JOB)
    assert "Nothing was converted" in said(mode.verdict)
    assert cells(mode.outcome.model, 1)[:2] == ["good.safetensors", "Safetensors already: stays where it is"]
    assert not mode.protect.isVisible()
    row = mode.row
    page.choose("protect")
    page.open_job(row)
    assert (page.mode, mode.part, mode.paths[1].name) == ("convert", mode.result, "good.safetensors")
    assert not mark.exists()


def test_one_checkpoint_shows_its_tensors_first_and_one_that_is_safetensors_is_refused_in_place(
    page: CheckpointsPage, qtbot: QtBot, downloads: Path, mark: Path
) -> None:
    mode = page.convert
    page.choose("convert")
    page.open_file(downloads / "good.safetensors")
    qtbot.waitUntil(mode.start.error.isVisible, timeout=20_000)
    assert "There is nothing to convert in good.safetensors" in said(mode.start)
    page.open_file(downloads / "model.bin")
    qtbot.waitUntil(lambda: len(mode.tensors.model.tensors) == 1, timeout=20_000)
    qtbot.waitUntil(lambda: "No tensors, left out 1" in said(mode.plan), timeout=20_000)
    page.open_file(downloads / "evil.pt")
    qtbot.waitUntil(lambda: mode.start.isVisible() and mode.start.error.isVisible(), timeout=20_000)
    assert "posix.system" in said(mode.start)
    assert not mark.exists()
