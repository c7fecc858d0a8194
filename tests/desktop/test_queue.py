"""The queue, operated by mouse and by keyboard, on the real engine."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QMimeData, QPointF, Qt, QUrl
from PySide6.QtGui import QDropEvent
from PySide6.QtWidgets import QWidget
from pytestqt.qtbot import QtBot

from guardapp.desktop.kit import Button, IconButton
from guardapp.desktop.queue_model import ACTIONS, REASON, STATE
from guardapp.desktop.window import Window
from guardapp.jobs import registry
from guardapp.jobs.states import JobRow

LEFT = Qt.MouseButton.LeftButton
KINDS = Path(__file__).parents[1] / "jobs" / "kinds"


@pytest.fixture(autouse=True)
def kinds() -> Iterator[None]:
    for path in KINDS.glob("*.py"):
        registry.add_file(path.stem, path)
    yield
    registry.forget_files()


def submit(window: Window, qtbot: QtBot, *names: str, upto: int = 400, seconds: float = 0.02) -> list[str]:
    """Queue counting jobs and wait until the first runs."""
    model = registry.lookup("counter").spec
    for name in names:
        window.page.submit.emit(model(name=name, upto=upto, seconds=seconds))
    qtbot.waitUntil(lambda: len(window.jobs.rows) >= len(names) and bool(window.jobs.running), timeout=20_000)
    by_name = {row.name: row.id for row in window.jobs.rows}
    return [by_name[name] for name in names]


def row(window: Window, job_id: str) -> JobRow:
    found = window.jobs.row(job_id)
    assert found is not None
    return found


def wait_for(window: Window, qtbot: QtBot, job_id: str, *states: str) -> None:
    qtbot.waitUntil(lambda: row(window, job_id).state in states, timeout=30_000)


def action(window: Window, job_id: str, name: str) -> QWidget:
    view = window.dock.view
    holder = view.indexWidget(view.queue.index(view.queue.place(job_id), ACTIONS))
    buttons = [*holder.findChildren(Button), *holder.findChildren(IconButton)]
    return next(button for button in buttons if button.accessibleName().startswith(name))


def choose(window: Window, *job_ids: str) -> None:
    view = window.dock.view
    view.clearSelection()
    model = view.selectionModel()
    for job_id in job_ids:
        index = view.queue.index(view.queue.place(job_id), 0)
        model.select(index, model.SelectionFlag.Select | model.SelectionFlag.Rows)
        model.setCurrentIndex(index, model.SelectionFlag.NoUpdate)
    view.setFocus()


def order(window: Window) -> list[str]:
    queue = window.dock.view.queue
    return [job.name for at in range(queue.row_total()) if (job := queue.job(at)) is not None]


def test_a_job_shows_its_progress_and_then_its_result(window: Window, qtbot: QtBot) -> None:
    (job_id,) = submit(window, qtbot, "count", upto=20)
    assert window.dock.is_open
    wait_for(window, qtbot, job_id, "done")
    queue = window.dock.view.queue
    at = queue.place(job_id)
    shown = [queue.cell(at, column) for column in (STATE, REASON)]
    assert [cell.text.split()[0] for cell in shown if cell] == ["Done", "took"]
    assert row(window, job_id).headline == "counted to 20"


def test_a_running_job_is_paused_and_resumed_with_its_buttons(window: Window, qtbot: QtBot) -> None:
    (job_id,) = submit(window, qtbot, "count")
    qtbot.mouseClick(action(window, job_id, "Pause"), LEFT)
    wait_for(window, qtbot, job_id, "paused")
    qtbot.mouseClick(action(window, job_id, "Resume"), LEFT)
    wait_for(window, qtbot, job_id, "running")


def test_the_space_key_pauses_and_resumes_and_delete_cancels(window: Window, qtbot: QtBot) -> None:
    (job_id,) = submit(window, qtbot, "count")
    view = window.dock.view
    choose(window, job_id)
    qtbot.keyClick(view, Qt.Key.Key_Space)
    wait_for(window, qtbot, job_id, "paused")
    qtbot.keyClick(view, Qt.Key.Key_Space)
    wait_for(window, qtbot, job_id, "running")
    qtbot.keyClick(view, Qt.Key.Key_Delete)
    wait_for(window, qtbot, job_id, "cancelled")
    qtbot.keyClick(view, Qt.Key.Key_R)
    wait_for(window, qtbot, job_id, "running", "queued")
    window.jobs.cancel([job_id])
    wait_for(window, qtbot, job_id, "cancelled")


def test_pause_all_holds_what_waits_too_and_resume_all_goes_on(window: Window, qtbot: QtBot) -> None:
    first, second = submit(window, qtbot, "one", "two")
    button = window.dock._pause_all
    assert button.isVisible()
    qtbot.mouseClick(button, LEFT)
    for job_id in (first, second):
        wait_for(window, qtbot, job_id, "paused")
    assert not window.jobs.running
    assert button.accessibleName() == "Resume all"
    qtbot.mouseClick(button, LEFT)
    qtbot.waitUntil(lambda: bool(window.jobs.running), timeout=20_000)
    assert row(window, first).state != "paused"
    assert row(window, second).state != "paused"


def test_waiting_jobs_are_reordered_by_key_by_button_and_by_dragging(window: Window, qtbot: QtBot) -> None:
    _, second, third = submit(window, qtbot, "one", "two", "three")
    assert order(window) == ["one", "two", "three"]
    choose(window, third)
    qtbot.keyClick(window.dock.view, Qt.Key.Key_Up, Qt.KeyboardModifier.AltModifier)
    qtbot.waitUntil(lambda: order(window) == ["one", "three", "two"], timeout=10_000)
    qtbot.mouseClick(action(window, second, "Move"), LEFT)
    qtbot.waitUntil(lambda: order(window) == ["one", "two", "three"], timeout=10_000)
    queue = window.dock.view.queue
    dragged = queue.mimeData([queue.index(queue.place(third), 0)])
    assert not queue.dropMimeData(dragged, Qt.DropAction.MoveAction, queue.place(second), 0, queue.index(-1, -1))
    qtbot.waitUntil(lambda: order(window) == ["one", "three", "two"], timeout=10_000)


def test_several_jobs_are_cancelled_at_once_and_taken_off_the_list(window: Window, qtbot: QtBot) -> None:
    ids = submit(window, qtbot, "one", "two", "three")
    choose(window, *ids[1:])
    assert sorted(window.dock.view.chosen_ids()) == sorted(ids[1:])
    qtbot.keyClick(window.dock.view, Qt.Key.Key_Delete)
    for job_id in ids[1:]:
        wait_for(window, qtbot, job_id, "cancelled")
    choose(window, *ids[1:])
    qtbot.keyClick(window.dock.view, Qt.Key.Key_Delete)
    qtbot.waitUntil(lambda: order(window) == ["one"], timeout=10_000)


def test_a_failed_job_says_why_and_can_be_retried(window: Window, qtbot: QtBot, tmp_path: Path) -> None:
    model = registry.lookup("counter").spec
    window.page.submit.emit(model(name="broken", upto=5, source=tmp_path / "gone.csv"))
    qtbot.waitUntil(lambda: [row.state for row in window.jobs.rows] == ["failed"], timeout=20_000)
    job_id = window.jobs.rows[0].id
    queue = window.dock.view.queue
    reason = queue.cell(queue.place(job_id), REASON)
    assert reason is not None
    assert "gone.csv" in reason.text
    (tmp_path / "gone.csv").write_text("here again")
    qtbot.mouseClick(action(window, job_id, "Retry"), LEFT)
    wait_for(window, qtbot, job_id, "done")


def test_progress_reaches_the_status_bar_and_home(window: Window, qtbot: QtBot) -> None:
    submit(window, qtbot, "count")
    qtbot.waitUntil(lambda: window.status._bar.isVisible() and (window.status._bar.value or 0) > 0, timeout=20_000)
    assert "count" in window.status._job.text()
    home = window.show_page("home")
    assert home.recent.row_total() == 1  # type: ignore[attr-defined]


def test_the_log_and_the_details_tell_of_the_chosen_job(window: Window, qtbot: QtBot) -> None:
    (job_id,) = submit(window, qtbot, "count", upto=10)
    wait_for(window, qtbot, job_id, "done")
    choose(window, job_id)
    qtbot.mouseClick(window.dock.tabs[2], LEFT)
    assert "counted to 10" in window.dock.details.toPlainText()


def drop_on_dock(window: Window, path: Path) -> None:
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(path))])
    none = Qt.KeyboardModifier.NoModifier
    window.dock.dropEvent(QDropEvent(QPointF(20, 20), Qt.DropAction.CopyAction, data, LEFT, none))


def test_a_batch_file_dropped_on_the_queue_queues_all_of_its_jobs(window: Window, qtbot: QtBot, tmp_path: Path) -> None:
    path = tmp_path / "night.yaml"
    path.write_text("jobs:\n  - {kind: counter, name: first, upto: 5}\n  - {kind: counter, name: second, upto: 5}\n")
    drop_on_dock(window, path)
    qtbot.waitUntil(lambda: sorted(row.state for row in window.jobs.rows) == ["done", "done"], timeout=30_000)
    assert {row.folder.parent.name for row in window.jobs.rows} == {"night"}


def test_a_batch_that_is_wrong_is_refused_whole_with_the_next_step(
    window: Window, qtbot: QtBot, tmp_path: Path
) -> None:
    path = tmp_path / "night.yaml"
    path.write_text("jobs:\n  - {kind: counter, name: first}\n  - {kind: nothing, name: second}\n")
    drop_on_dock(window, path)
    qtbot.waitUntil(window.error.isVisible, timeout=10_000)
    assert window.jobs.rows == []


def test_several_specs_of_a_page_become_one_batch(window: Window, qtbot: QtBot) -> None:
    model = registry.lookup("counter").spec
    window.page.submit.emit([model(name="a", upto=3), model(name="b", upto=3)])
    qtbot.waitUntil(lambda: sorted(row.state for row in window.jobs.rows) == ["done", "done"], timeout=30_000)
    assert len({row.batch for row in window.jobs.rows} - {""}) == 1
