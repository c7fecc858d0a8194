"""A first policy for all tables of a folder, with the column that says whose row it is where one stands out."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

from guardapp.deid.policy import DEFAULT_KEY
from guardapp.deid.profile import Profile, profile
from guardapp.deid.starting_policy import ADVICE, flow, key_line, table_lines
from guardapp.errors import GuardError, from_os_error
from guardapp.progress import Progress

_NOT_IN_NAMES = re.compile(r"[^\w-]+")
_ENDINGS = (".csv", ".tsv", ".parquet", ".jsonl", ".ndjson", ".xlsx", ".sqlite", ".db", ".gz")


def starting_tables(folder: Path) -> str:
    """The suggested policy as commented YAML; `deid run` accepts it unchanged.

    GuardError `tables.none` where no file is a table by its name, and what reading one refuses.
    """
    return tables_text(folder.name, profile_tables(folder))


def tables_text(folder: str, profiles: Mapping[str, Profile]) -> str:
    """The suggested policy for tables that have been profiled, by name, as commented YAML."""
    person = _person(list(profiles.values()))
    lines = [f"# A starting policy for the tables of {folder}.", *ADVICE, "version: 1", "tables:"]
    linked = []
    for name, found in profiles.items():
        has_person = any(column.name == person for column in found.columns)
        rules: dict[str, dict[str, object]] = {}
        if person is not None and has_person:
            rules[person] = {"role": "direct", "rule": "pseudonym"}
            linked.append(name)
        for column in found.columns:
            if column.role == "direct" and column.suggestion == "pseudonym" and column.name != person:
                # stand-ins in two tables would link them by more than the person; nobody asked for that
                rules[column.name] = {"role": "direct", "rule": "drop"}
        lines += [f"  {name}:", f"    file: {flow(Path(found.path).name)}"]
        lines += [f"    {line}" for line in table_lines(found, rules)]
    if person is not None:
        lines.append("person:  # whose row it is; what the joined tables give away is measured by it")
        lines += [f"  {name}: {flow(person)}" for name in linked]
    lines.append(key_line(DEFAULT_KEY))
    return "\n".join(lines) + "\n"


def profile_tables(folder: Path, progress: Progress | None = None) -> dict[str, Profile]:
    """The tables of a folder by a name that can name a folder. GuardError `tables.none`, and what reading refuses."""
    try:
        files = sorted(entry for entry in folder.iterdir() if entry.is_file() and entry.suffix.lower() in _ENDINGS)
    except OSError as error:
        raise from_os_error(error, folder) from error
    if not files:
        raise GuardError(
            f"There is no table in {folder.name}",
            f"no file ends in {', '.join(_ENDINGS)}",
            "Choose a folder of tables.",
            "tables.none",
        )
    found: dict[str, Profile] = {}
    for file in files:
        name = _NOT_IN_NAMES.sub("-", file.name.split(".")[0])[:60] or "table"
        taken = {known.casefold() for known in found}
        number = 1
        unique = name
        while unique.casefold() in taken:
            number += 1
            unique = f"{name[:56]}-{number}"
        found[unique] = profile(file, progress)
    return found


def _person(profiles: list[Profile]) -> str | None:
    """The column by which most tables name a person: the same header, direct, in at least two tables."""
    seen: dict[str, list[int]] = defaultdict(list)
    for found in profiles:
        for column in found.columns:
            if column.role == "direct":
                seen[column.name].append(column.distinct)
    shared = {name: (len(counts), max(counts)) for name, counts in seen.items() if len(counts) > 1}
    return max(shared, key=lambda name: shared[name]) if shared else None
