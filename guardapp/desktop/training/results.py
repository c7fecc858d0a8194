"""What a finished training wrote, read off the window's thread."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any, NamedTuple

from guardapp.errors import GuardError, from_os_error


class Finished(NamedTuple):
    """summary: report.json, with the statement inside; metrics: the rows of metrics.csv as texts"""

    summary: dict[str, Any]
    metrics: list[dict[str, str]]


def read_finished(folder: Path) -> Finished:
    """Raises GuardError `train.bad-report`, or what the system refused."""
    path = folder / "report.json"
    try:
        summary = json.loads(path.read_text(encoding="utf-8"))
        path = folder / "metrics.csv"
        with path.open(newline="", encoding="utf-8") as file:
            metrics = list(csv.DictReader(file))
        statement = summary["statement"]
        if not isinstance(statement["words"], list):
            raise ValueError
    except OSError as error:
        raise from_os_error(error, path) from error
    except (ValueError, KeyError, TypeError) as error:
        raise GuardError(
            what=f"The report in {folder.name} cannot be read",
            why="the file is damaged",
            next="Run the job again.",
            code="train.bad-report",
        ) from error
    return Finished(summary, metrics)
