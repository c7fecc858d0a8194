"""Rules as files: writing them with the hierarchies they name, reading them, and why some do not fit a table."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject

from guardapp.desktop.deidentify.rules import Draft
from guardapp.desktop.deidentify.table_desk import TableDesk
from guardapp.errors import GuardError, from_os_error

if TYPE_CHECKING:
    from guardapp.desktop.page import Services

RULES = "Rules (*.yaml *.yml);;All files (*)"
NO_TABLE = GuardError(
    what="There is no table to use these rules on",
    why="rules name the columns of a table, and none is open",
    next="Open the table first, then drop the rules here.",
    code="deid.no-table",
)


class PolicyFiles(QObject):
    """Saving and loading; take(policy): rules were read that fit the table."""

    def __init__(
        self, services: Services, desk: TableDesk, parent: QObject, take: Callable[[dict[str, Any]], None]
    ) -> None:
        super().__init__(parent)
        self._services, self._desk, self._take = services, desk, take

    def ask_and_save(self, draft: Draft) -> None:
        self._services.choose_target(lambda path: self.save(draft, path), "Save rules…", "policy.yaml")

    def save(self, draft: Draft, path: Path) -> None:
        """Write the rules as a policy file that `guardapp deid run` takes."""

        def write(text: str) -> None:
            self._services.background(lambda: write_rules(path, text), told)

        def told(_: object) -> None:
            self._services.tell("The rules were saved to {file}.", "success", file=path.name)

        self._desk.policy_text(draft.policy(), write, self._services.fail)

    def load(self, path: Path, names: Sequence[str]) -> None:
        """Read rules for the table with these columns."""

        def read(policy: dict[str, Any]) -> None:
            misfit = fit(policy["columns"], names)
            if misfit is None:
                self._take(policy)
            else:
                self._services.fail(misfit)

        self._desk.read_policy(path, read, self._services.fail)


def write_rules(path: Path, text: str) -> None:
    """Write rules, and beside them the hierarchy files that they name, so that the folder can be moved.

    Runs off the window's thread. GuardError where the system refuses.
    """
    import yaml

    document = yaml.safe_load(text)
    own = {}
    for number, column in enumerate(document["columns"].values(), start=1):
        if isinstance(hierarchy := column.get("hierarchy"), str):
            own[f"{path.stem}-hierarchy-{number}.csv"] = Path(hierarchy)
            column["hierarchy"] = f"{path.stem}-hierarchy-{number}.csv"
    if own:
        text = yaml.safe_dump(document, allow_unicode=True, sort_keys=False, width=120)
    try:
        for name, source in own.items():
            target = path.with_name(name)
            if not (target.exists() and target.samefile(source)):
                shutil.copyfile(source, target)
        # nobody may find half of the rules under their name
        half = path.with_name(f".{path.name}.half")
        half.write_text(text, encoding="utf-8")
        half.replace(path)
    except OSError as error:
        raise from_os_error(error, path) from error


def fit(rules: Iterable[str] | Mapping[str, Any], table: Sequence[str]) -> GuardError | None:
    """Why rules for these columns cannot be used on a table with those, or None."""
    named = list(rules)
    missing = [name for name in table if name not in named]
    extra = [name for name in named if name not in table]
    if not missing and not extra:
        return None
    names = ", ".join((missing or extra)[:5])
    why = f"they say nothing about {names}" if missing else f"the table has no column {names}"
    return GuardError(
        what="These rules belong to another table",
        why=why,
        next="Open the table that they were written for, or start from the suggestions.",
        code="deid.other-columns",
    )
