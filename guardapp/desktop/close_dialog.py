"""Closing the window while a job runs: keep running, pause, or cancel. Nothing is lost without being said."""

from __future__ import annotations

from typing import TYPE_CHECKING

from guardapp.desktop.sheet import Sheet

if TYPE_CHECKING:
    from guardapp.desktop.window import Window


def ask_before_closing(window: Window) -> Sheet:
    """Three ways on, and one back; shown once."""
    names = ", ".join(row.name for row in window.jobs.running)
    sheet = Sheet(
        window,
        "ph.play-circle",
        "A job is running",
        "{names} is not done. Paused jobs go on when you open guardapp again; cancelled ones leave no result.",
        names=names,
    )
    sheet.add_button("Back")
    sheet.add_button("Cancel the job", window.cancel_and_close, "danger")
    sheet.add_button("Pause", window.pause_and_close)
    sheet.add_button("Keep running", window.keep_running, "primary", default=True)
    sheet.open()
    return sheet
