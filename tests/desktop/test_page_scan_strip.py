"""Scan and Strip as a person uses them: real files, the real helper, the real worker."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot
from safetensors.numpy import save_file

from guardapp.desktop.checkpoints.page import CheckpointsPage
from guardapp.desktop.i18n import speech
from guardapp.desktop.kit import Label
from guardapp.desktop.window import Window
from guardapp.formats import checkpoints
from guardapp.language import translate

LEFT = Qt.MouseButton.LeftButton
JOB = 60_000
"""Milliseconds that a job may take on a slow machine."""


@pytest.fixture
def page(window: Window, qtbot: QtBot) -> CheckpointsPage:
    qtbot.waitUntil(lambda: window.vault.snapshot is not None, timeout=15_000)
    shown = window.show_page("checkpoints")
    assert isinstance(shown, CheckpointsPage)
    return shown


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    """Weights, and what programs write into the header beside them."""
    path = tmp_path / "ward.safetensors"
    tensors = {"weight": np.ones((40, 30), np.float32), "bias": np.zeros(30, np.float32)}
    save_file(tensors, path, {"format": "pt", "host": "gpu-17", "output_dir": "/home/wei/ward", "note": "not yet"})
    return path


@pytest.fixture
def hostile(tmp_path: Path) -> Path:
    """A folder with a file that would leave a mark, one that cannot be opened, and a good one."""
    folder = tmp_path / "download"
    folder.mkdir()
    harm = b"\x80\x02cposix\nsystem\nX" + len(f"touch {tmp_path}/mark").to_bytes(4, "little")
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("archive/data.pkl", harm + f"touch {tmp_path}/mark".encode() + b"\x85R.")
    (folder / "weights.safetensors").write_bytes(buffer.getvalue())
    (folder / "more.bin").write_bytes(b"7z\xbc\xaf\x27\x1c" + bytes(40))
    (folder / "good.bin").write_bytes(b"\x80\x02}q\x00.")
    return folder


def said(of: Any) -> str:
    """Every word that is shown in a widget."""
    return " ".join(label.text() for label in of.findChildren(Label) if label.isVisible())


def scanned(page: CheckpointsPage, qtbot: QtBot, path: Path) -> dict[str, Any]:
    page.choose("scan")
    page.scan.open_file(path)
    qtbot.waitUntil(lambda: page.scan.part is page.scan.result, timeout=JOB)
    found = page.scan._result
    assert found is not None
    return found


def cells(model: Any, row: int) -> list[str]:
    return [model.cell(row, column).text for column in range(len(model.columns))]


def test_a_hostile_folder_is_unsafe_and_every_finding_has_its_place(
    page: CheckpointsPage, qtbot: QtBot, hostile: Path, window: Window, looking: ModuleType
) -> None:
    mode = page.scan
    assert scanned(page, qtbot, hostile)["verdict"] == "unsafe"
    assert "Unsafe: do not load it" in said(mode.verdict)
    assert "weights.safetensors" in said(mode.verdict)
    first = cells(mode.model, 0)
    assert first[0] == "weights.safetensors › data.pkl"
    tip = mode.model.data(mode.model.index(0, 0), Qt.ItemDataRole.ToolTipRole)
    assert tip == "weights.safetensors › archive/data.pkl"
    assert first[1:3] == ["posix.system is named", "It could run any program."]
    assert not mode.strip.isVisible()
    speech().choose("zh")
    assert cells(mode.model, 0)[1:3] == ["提到了 posix.system", "它可以运行任何程序。"]
    assert looking.unnamed(window) == []
    assert not (hostile.parent / "mark").exists()
    # and again from the queue
    row = mode.row
    mode.start_over()
    page.choose("protect")
    page.open_job(row)
    assert (page.mode, mode.part) == ("scan", mode.result)


def test_an_unsafe_file_goes_nowhere_and_its_name_is_only_a_name(
    page: CheckpointsPage, qtbot: QtBot, tmp_path: Path
) -> None:
    path = tmp_path / "<img src=x>.bin"
    path.write_bytes(b"cos\nsystem\n(S'x'\ntR.")
    scanned(page, qtbot, path)
    assert "&lt;img src=x&gt;" in page.scan.verdict.sentence.text()
    assert page.scan.strip.isVisible()
    assert not page.scan.strip.isEnabled()


def test_what_cannot_be_stripped_is_refused_in_place(page: CheckpointsPage, qtbot: QtBot, hostile: Path) -> None:
    page.choose("strip")
    page.open_file(hostile)
    qtbot.waitUntil(lambda: page.strip.start.error.isVisible(), timeout=20_000)
    assert "This cannot be stripped" in said(page.strip.start)
    page.open_file(hostile / "more.bin")
    qtbot.waitUntil(lambda: "it is a 7z archive" in said(page.strip.start), timeout=20_000)


# -- the whole way -----------------------------------------------------------------------------------------------------


def test_the_whole_way_in_either_language_by_mouse_or_by_keyboard(
    page: CheckpointsPage, qtbot: QtBot, checkpoint: Path, hostile: Path, looking: ModuleType, hand: Any
) -> None:
    names = ("ward", "download", "weights.s", "more.b", "safetensors")
    window = page.window()
    hand.press(page.cards["scan"])
    hand.look(looking)
    page.open_file(hostile)
    qtbot.waitUntil(lambda: page.scan.part is page.scan.result, timeout=JOB)
    window.resize(1120, 700)
    hand.look(looking, *names)
    assert said(page.scan.verdict).startswith(translate("Unsafe: do not load it", hand.language))
    hand.press(page.scan.another)
    page.open_file(checkpoint)
    qtbot.waitUntil(lambda: page.scan.part is page.scan.result, timeout=JOB)
    hand.look(looking, *names)
    assert "ward" in page.header.subtitle.text()
    hand.press(page.scan.strip)
    assert (page.mode, page.cards["scan"].selected) == ("strip", True)
    qtbot.waitUntil(lambda: len(page.strip.tensors.model.tensors) == 2, timeout=20_000)
    hand.look(looking, *names)
    hand.reach(page.strip.tensors.table)
    qtbot.keyClick(page.strip.tensors.table, Qt.Key.Key_Down)
    look = page.strip.tensors.look
    qtbot.waitUntil(look.isVisible, timeout=20_000)
    assert sum(look.histogram.bins) in (30, 1200)
    hand.look(looking, *names)
    page.strip.rounding.set_value("bf16")
    hand.write(page.strip.output, "released.safetensors")
    hand.press(page.strip.primary)
    qtbot.waitUntil(lambda: page.strip.part is page.strip.result, timeout=JOB)
    hand.look(looking, *names, "released")
    layout = checkpoints.layout(page.strip.row.folder / "released.safetensors")
    assert {tensor.name: tensor.dtype for tensor in layout.tensors} == {"weight": "BF16", "bias": "BF16"}
    assert layout.metadata == {"format": "pt"}
    assert [row["kind"] for row in page.strip.model.rows] == ["path", "person", "text"]
    hand.press(page.strip.another)
    assert page.strip.part is page.strip.start
    hand.look(looking, *names)
