"""The window's settings: one small JSON file in the data folder, JSON values by name."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, Signal

DEFAULTS: dict[str, Any] = {
    "language": "",  # "" follows the system
    "theme": "system",
    "device": "auto",
    "results": "",  # "" keeps results in the data folder
    "page": "home",
    "dock_open": False,
}


class Settings(QObject):
    """Read once at the start, written at every change. A damaged file counts as absent: these are only preferences."""

    changed = Signal(str)

    def __init__(self, home: Path) -> None:
        super().__init__()
        self._path = home / "settings.json"
        self._values: dict[str, Any] = {}
        try:
            found = json.loads(self._path.read_text(encoding="utf-8"))
            self._values = found if isinstance(found, dict) else {}
        except (OSError, ValueError):
            pass

    def get(self, name: str, otherwise: Any = None) -> Any:
        return self._values.get(name, DEFAULTS.get(name, otherwise))

    def put(self, name: str, value: Any) -> None:
        if self.get(name) == value:
            return
        self._values[name] = value
        part = self._path.with_name(f"{self._path.name}.{os.getpid()}.part")
        try:
            part.write_text(json.dumps(self._values, ensure_ascii=False, indent=2), encoding="utf-8")
            part.replace(self._path)
        except OSError:
            part.unlink(missing_ok=True)  # a preference that cannot be kept is no reason to stop anyone
        self.changed.emit(name)
