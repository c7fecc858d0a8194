"""The first step: no data yet, or data that cannot be read, with its cause and the next step in place."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QVBoxLayout, QWidget

from guardapp.desktop.kit import Button, DropZone, ErrorCard, row
from guardapp.desktop.theme import tokens
from guardapp.errors import GuardError


class StartStep(QWidget):
    """dropped(path), choose(), choose_folder(), sample()"""

    dropped = Signal(object)
    choose = Signal()
    choose_folder = Signal()
    sample = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.error = ErrorCard()
        self.error.hide()
        self.zone = DropZone(
            "Drop labelled data here",
            "It is read, never changed. The model that is trained gives little away about any row of it.",
            "Choose data…",
            "",
            (("ph.image", "IDX or NPZ"), ("ph.folder", "Folder of class folders"), ("ph.table", "CSV or Parquet")),
        )
        self.zone.choose.connect(self.choose)
        self.zone.dropped.connect(self._take)
        self.folder_button = Button("Choose a folder of pictures…", "link", "ph.folder-open")
        self.folder_button.clicked.connect(self.choose_folder)
        self.sample_button = Button("Try with sample data", "link", "ph.image")
        self.sample_button.clicked.connect(self.sample)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.setSpacing(tokens.space(4))
        whole.addWidget(self.error)
        whole.addWidget(self.zone, 1)
        whole.addLayout(row(None, self.folder_button, self.sample_button, None))

    def _take(self, paths: list[Path]) -> None:
        if paths:
            self.dropped.emit(paths[0])

    def show_error(self, error: GuardError | None) -> None:
        if error is None:
            self.error.hide()
        else:
            self.error.show_error(error)
