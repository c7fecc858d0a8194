"""One policy for several tables, and which column of each says whose row it is."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from pydantic import Field, SerializerFunctionWrapHandler, ValidationError, model_serializer, model_validator

from guardapp.deid.policy import DEFAULT_KEY, Attacks, Policy, explain, load_document
from guardapp.deid.rule_options import Fpe, Keyed
from guardapp.errors import GuardError
from guardapp.spec import Part

_SHARED = ("key", "attacks", "version")
_NAME = re.compile(r"[\w-]{1,60}")


class TablePolicy(Policy):
    """The policy of one table, and where the table lies in the input."""

    file: str | None = Field(None, max_length=255, description="File in the folder; left out: the input itself.")
    table: str | None = Field(None, description="Which sheet of a workbook or table of a database, if several.")

    def alone(self) -> Policy:
        """As a policy for a job about this table only."""
        return Policy.model_construct(**{name: getattr(self, name) for name in Policy.model_fields})


class TablesPolicy(Part):
    """What a policy file for several tables holds.

    person: by table, the column that says whose row it is; a table about no people is left out
    """

    version: int = Field(1, ge=1, le=1)
    tables: dict[str, TablePolicy] = Field(min_length=1, max_length=100)
    person: dict[str, str] = Field(default_factory=dict)
    attacks: Attacks = Field(default_factory=Attacks)
    key: str = Field(DEFAULT_KEY, min_length=1, max_length=120, description="Vault key, the same for all tables.")

    @model_validator(mode="before")
    @classmethod
    def _shared(cls, document: Any) -> Any:
        """What is said once for all tables is handed to each."""
        if not isinstance(document, dict) or not isinstance(document.get("tables"), dict):
            return document
        said = {name: document[name] for name in ("key", "attacks") if name in document}
        tables = {}
        for name, table in document["tables"].items():
            if isinstance(table, dict):
                for field in _SHARED:
                    if field in table:
                        raise ValueError(f"“{field}” is said once, beside tables, and not again for “{name}”")
                table = {**table, **said}
            tables[name] = table
        return {**document, "tables": tables}

    @model_serializer(mode="wrap")
    def _said_once(self, whole: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """As a file has it, so that what was written can be read again: a job's spec holds a policy in place."""
        document: dict[str, Any] = whole(self)
        for table in document["tables"].values():
            for field in _SHARED:
                table.pop(field, None)
        return document

    @model_validator(mode="after")
    def _together(self) -> TablesPolicy:
        for name in self.tables:
            if _NAME.fullmatch(name) is None:
                raise ValueError(f"the table name “{name}” may hold letters, digits, - and _ only: it names a folder")
        folded = [name.casefold() for name in self.tables]
        if len(set(folded)) < len(folded):
            raise ValueError("two tables have the same name but for capital letters")
        for name, table in self.tables.items():
            if table.presence:
                raise ValueError(f"{table.presence[0].name} of “{name}” needs a table of the population: run it alone")
        for name, column in self.person.items():
            if name not in self.tables:
                raise ValueError(f"person names the table “{name}”, which is not under tables")
            if column not in self.tables[name].columns:
                raise ValueError(f"person names the column “{column}”, which is not under columns of “{name}”")
        self._refuse_unsaid_links()
        return self

    def _refuse_unsaid_links(self) -> None:
        """Two tables with the same pseudonyms can be joined, so whose they are must be said before it is measured."""
        seen: dict[str | None, tuple[str, str]] = {}
        for name, table in self.tables.items():
            for column, domain in _link_domains(table):
                first = seen.setdefault(domain, (name, column))
                missing = [t for t in (first[0], name) if first[0] != name and t not in self.person]
                if missing:
                    raise ValueError(
                        f"“{column}” of “{name}” and “{first[1]}” of “{first[0]}” get the same pseudonyms; "
                        f"say under person which column of “{missing[0]}” says whose row it is"
                    )

    @property
    def needs_key(self) -> bool:
        return any(table.needs_key for table in self.tables.values())

    @property
    def joined(self) -> dict[str, str]:
        """The tables that can be joined by person: those whose person column is still in the result."""
        return {
            name: column
            for name, column in self.person.items()
            if self.tables[name].columns[column].effective_rule not in ("drop", "redact")
        }


def _link_domains(table: TablePolicy) -> list[tuple[str, str | None]]:
    """Columns with keyed stand-ins, and what keeps their stand-ins apart from others: a name, or None for nothing."""
    found: list[tuple[str, str | None]] = []
    for name, column in table.columns.items():
        if column.effective_rule in ("pseudonym", "token", "fpe"):
            told = column.options()
            project = isinstance(told, Keyed | Fpe) and told.consistent == "project"
            found.append((name, None if project else name))
    return found


def holds_tables(document: dict[str, Any]) -> bool:
    """Whether a policy file is one for several tables."""
    return "tables" in document


def load_tables_policy(path: Path) -> TablesPolicy:
    """Read a policy file; paths in it are relative to it. GuardError `policy.*` and what the system refuses."""
    try:
        return TablesPolicy.model_validate(load_document(path), context={"base": path.parent})
    except ValidationError as error:
        raise explain(path.name, error) from error


def places(policy: TablesPolicy, source: Path) -> dict[str, Path]:
    """Where each table lies. GuardError `tables.missing` for a file that the folder lacks, `tables.not-a-folder`."""
    found = {}
    for name, table in policy.tables.items():
        if table.file is None:
            if source.is_dir():
                raise GuardError(
                    f"The table “{name}” cannot be found",
                    f"{source.name} is a folder and the policy does not say which file the table is",
                    "Add file: NAME to it.",
                    "tables.missing",
                )
            found[name] = source
            continue
        if not source.is_dir():
            raise GuardError(
                f"The table “{name}” cannot be found",
                f"the policy names a file of a folder, and {source.name} is not a folder",
                "Choose the folder, or leave file out and name the table.",
                "tables.not-a-folder",
            )
        place = source / table.file
        if Path(table.file).name != table.file or not place.is_file():
            raise GuardError(
                f"The table “{name}” cannot be found",
                f"there is no file “{table.file}” in {source.name}",
                "Correct the name of the file in the policy.",
                "tables.missing",
            )
        found[name] = place
    return found
