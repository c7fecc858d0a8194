"""What the window shows of a folder of tables: each with its size, how they belong together, and a policy for them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from guardapp.deid.related.policy import TablePolicy, TablesPolicy, load_tables_policy, places
from guardapp.deid.related.starting import profile_tables, tables_text
from guardapp.formats.tables import open_table
from guardapp.progress import Progress


def overview(folder: Path, policy: Path | None, progress: Progress) -> dict[str, Any]:
    """`tables`, `person`, `not_released` and `policy` as JSON values; without a policy file one is suggested.

    A table has `name`, `file`, `rows`, `columns`, `quasi`, `removed` (columns that are left out) and `people`: how many
    different people its rows are of, None where that was not counted.
    GuardError `tables.*`, `policy.*` and what reading a table refuses.
    """
    people: dict[str, int] = {}
    if policy is None:
        profiles = profile_tables(folder, progress)
        chosen = TablesPolicy.model_validate(yaml.safe_load(tables_text(folder.name, profiles)))
        rows = {name: profile.rows for name, profile in profiles.items()}
        for name, column in chosen.person.items():
            found = next(entry for entry in profiles[name].columns if entry.name == column)
            if not found.distinct_at_least:
                people[name] = found.distinct
    else:
        chosen = load_tables_policy(policy)
        rows = {}
        for name, place in places(chosen, folder).items():
            progress.checkpoint()
            rows[name] = open_table(place, table=chosen.tables[name].table).count_rows()
    named = {table.file for table in chosen.tables.values()}
    return {
        "tables": [_table(name, table, rows[name], people.get(name)) for name, table in chosen.tables.items()],
        "person": chosen.person,
        "joined": chosen.joined,
        "not_released": sorted(e.name for e in folder.iterdir() if e.name not in named and not e.name.startswith(".")),
        "policy": chosen.model_dump(mode="json", exclude_none=True),
    }


def _table(name: str, table: TablePolicy, rows: int, people: int | None) -> dict[str, Any]:
    removed = [column for column, rules in table.columns.items() if rules.effective_rule == "drop"]
    return {
        "name": name,
        "file": table.file or "",
        "rows": rows,
        "columns": len(table.columns),
        "quasi": table.quasi,
        "removed": removed,
        "people": people,
    }
