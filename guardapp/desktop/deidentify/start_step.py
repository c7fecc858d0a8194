"""The first step: no table yet, or one that cannot be read, with its cause and the next step in place."""

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
            "Drop a table here",
            "It is read, never changed. Nothing leaves this computer.",
            "Choose a table…",
            "",
            (
                ("ph.table", "CSV or TSV"),
                ("ph.table", "Excel workbook"),
                ("ph.database", "Parquet"),
                ("ph.database", "SQLite database"),
                ("ph.file-text", "JSON Lines"),
                ("ph.file-text", "policy.yaml"),
            ),
        )
        self.zone.choose.connect(self.choose)
        self.zone.dropped.connect(self._take)
        self.sample_button = Button("Try with sample data", "link", "ph.table")
        self.sample_button.clicked.connect(self.sample)
        self.folder_button = Button("Choose a folder of tables…", "link", "ph.folder-open")
        self.folder_button.clicked.connect(self.choose_folder)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.setSpacing(tokens.space(4))
        whole.addWidget(self.error)
        whole.addWidget(self.zone, 1)
        whole.addLayout(row(None, self.folder_button, self.sample_button, None, gap=tokens.space(5)))

    def _take(self, paths: list[Path]) -> None:
        if paths:
            self.dropped.emit(paths[0])

    def show_error(self, error: GuardError | None) -> None:
        if error is None:
            self.error.hide()
        else:
            self.error.show_error(error)
