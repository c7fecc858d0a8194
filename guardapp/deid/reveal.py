"""Turning the reversible tokens of a protected table back into values, for whoever holds the key."""

from __future__ import annotations

import os
from collections.abc import Generator
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from guardapp.deid.policy import Policy
from guardapp.deid.rules.token import values_of
from guardapp.errors import GuardError, from_os_error
from guardapp.formats.table_writing import format_of, write_table
from guardapp.formats.tables import Table, open_table

if TYPE_CHECKING:
    import pyarrow as pa


class Revealed(NamedTuple):
    """columns: those that were turned back; cells: how many; rows: of the table."""

    columns: list[str]
    cells: int
    rows: int


def token_columns(policy: Policy, table: Table) -> list[str]:
    """Columns of the table that the policy made tokens of. GuardError `reveal.no-tokens`."""
    found = [n for n in table.columns if n in policy.columns and policy.columns[n].effective_rule == "token"]
    if not found:
        raise GuardError(
            f"{table.path.name} has nothing to reveal",
            "none of its columns has the rule token in the policy",
            "Choose the policy that the table was protected with. Pseudonyms cannot be turned back, by nobody.",
            "reveal.no-tokens",
        )
    return found


def reveal(path: Path, policy: Policy, key: bytes, out: Path) -> Revealed:
    """Write the table at `path` to the new file `out` with its tokens turned back; all other cells stay.

    key: the 32 bytes of the vault's key that the policy names
    Nothing is left behind on an error. GuardError `reveal.no-tokens`, `reveal.not-a-token` (a wrong key, another
    column, or a changed token), `file.exists`, and what reading and writing refuse.
    """
    table = open_table(path)
    names = token_columns(policy, table)
    back = {name: values_of(key, name) for name in names}
    cells = 0

    def batches() -> Generator[pa.RecordBatch]:
        import pyarrow as pa

        nonlocal cells
        for batch in table.batches():
            columns = {name: batch.column(name) for name in batch.schema.names}
            for name in names:
                before = columns[name].cast(pa.string()).to_pylist()
                different = [cell for cell in dict.fromkeys(before) if cell]
                known = dict(zip(different, back[name](different), strict=True))
                wrong = [cell for cell, value in known.items() if value is None]
                if wrong:
                    raise _not_a_token(path.name, name, len(wrong), len(known))
                cells += sum(1 for cell in before if cell)
                columns[name] = pa.array([known.get(cell, cell) if cell else cell for cell in before], pa.string())
            yield pa.RecordBatch.from_arrays(list(columns.values()), list(columns))

    if out.exists():
        raise from_os_error(FileExistsError(), out)
    partial = out.with_name(f".part-{out.name}")
    source = batches()
    try:
        # revealed values are for the owner's eyes alone
        os.close(os.open(partial, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        first = next(source, None)
        written = write_table(
            partial,
            source if first is None else chain([first], source),
            schema=table.columns if first is None else first.schema,
            format=format_of(out),
            title=out.stem,
        )
        partial.rename(out)
    except OSError as error:
        raise from_os_error(error, out) from error
    finally:
        source.close()
        partial.unlink(missing_ok=True)
    return Revealed(names, cells, written.rows)


def _not_a_token(name: str, column: str, wrong: int, known: int) -> GuardError:
    return GuardError(
        f"{name} could not be revealed",
        f"{wrong:,} of {known:,} different cells in “{column}” are no tokens of this key",
        "Use the key and the policy that the table was protected with, and a table that was not edited since.",
        "reveal.not-a-token",
        answer="no",
    )
