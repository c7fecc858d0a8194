"""Turning tokens, encrypted values and shifted dates of a protected table back, for whoever holds the key."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Generator, Sequence
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from guardapp.deid.axes import SUPPRESSED
from guardapp.deid.policy import Policy
from guardapp.deid.rule_options import DateShift, Fpe
from guardapp.deid.rules import domain
from guardapp.deid.rules.date_shift import shifted
from guardapp.deid.rules.format_preserving import decrypted
from guardapp.deid.rules.key_check import is_key
from guardapp.deid.rules.token import values_of
from guardapp.errors import GuardError, from_os_error
from guardapp.formats.table_writing import format_of, write_table
from guardapp.formats.tables import Table, open_table

if TYPE_CHECKING:
    import pyarrow as pa


_APOSTROPHE = re.compile(r"^'(?=[=+\-@\t\r\n])")
"""What was put in front of a cell of a CSV, so that no spreadsheet runs it."""


class Revealed(NamedTuple):
    """columns: those that were turned back; cells: how many; rows: of the table."""

    columns: list[str]
    cells: int
    rows: int


def reversible_columns(policy: Policy, table: Table) -> list[str]:
    """Columns of the table that can be turned back. GuardError `reveal.no-tokens`.

    Shifted dates are among them where the column of persons is in the table, as it was or reversible itself.
    """
    found = []
    for name in table.columns:
        column = policy.columns.get(name)
        if column is None:
            continue
        told = column.options()
        if isinstance(told, DateShift):
            by_itself = told.person in table.columns
            column = policy.columns[told.person]
        else:
            by_itself = column.effective_rule != "keep"
        if by_itself and column.effective_rule in ("token", "fpe", "keep"):
            found.append(name)
    if not found:
        raise GuardError(
            f"{table.path.name} has nothing to reveal",
            "none of its columns has the rule token or fpe in the policy, or dates shifted by a person who is known",
            "Choose the policy that the table was protected with. Pseudonyms cannot be turned back, by nobody.",
            "reveal.no-tokens",
        )
    return found


def reveal(path: Path, policy: Policy, key: bytes, out: Path) -> Revealed:
    """Write the table at `path` to the new file `out` with what is reversible turned back; all other cells stay.

    key: the 32 bytes of the vault's key that the policy names
    Nothing is left behind on an error. GuardError `reveal.no-tokens`, `reveal.not-a-token` (a wrong key, another
    column, or a changed token), `reveal.wrong-key`, `reveal.no-sign` (encrypted values and dates are turned back only
    by a policy with a sign of the key, as that of a release has), `file.exists`, and what reading and writing refuse.
    """
    table = open_table(path)
    names = reversible_columns(policy, table)
    if policy.key_check is not None and not is_key(key, policy.key_check):
        raise GuardError(
            f"{path.name} could not be revealed",
            f"the key “{policy.key}” of this vault is not the one that protected it",
            "Use the vault that it was protected with.",
            "reveal.wrong-key",
            answer="no",
        )
    # what carries no proof of its key
    unproven = [name for name in names if policy.columns[name].effective_rule != "token"]
    if unproven and policy.key_check is None:
        raise GuardError(
            f"{path.name} could not be revealed",
            "the policy has no sign of the key (key_check), and encrypted values and dates do not show which is right",
            "Use the policy.yaml that lies beside the protected table.",
            "reveal.no-sign",
        )
    back = {name: found for name in names if (found := _back(policy, key, name)) is not None}
    shifts = [
        (name, told)
        for name in names
        if name not in back and isinstance(told := policy.columns[name].options(), DateShift)
    ]
    cells = 0

    def batches() -> Generator[pa.RecordBatch]:
        import pyarrow as pa

        nonlocal cells
        for batch in table.batches():
            columns = {name: batch.column(name) for name in batch.schema.names}
            for name in back:
                before = columns[name].cast(pa.string()).to_pylist()
                if table.format == "csv" and name in unproven:
                    before = [_APOSTROPHE.sub("", cell) if cell else cell for cell in before]
                different = [cell for cell in dict.fromkeys(before) if cell]
                known = dict(zip(different, back[name](different), strict=True))
                wrong = [cell for cell, value in known.items() if value is None]
                if wrong:
                    raise _not_a_token(path.name, name, len(wrong), len(known))
                cells += sum(1 for cell in before if cell)
                columns[name] = pa.array([known.get(cell, cell) if cell else cell for cell in before], pa.string())
            for name, told in shifts:
                persons = columns[told.person].cast(pa.string()).to_pylist()
                if policy.columns[told.person].effective_rule == "fpe":
                    # a person who was covered cannot be known, nor by how much the dates moved
                    persons = [None if person == SUPPRESSED else person for person in persons]
                elif table.format == "csv" and told.person not in back:
                    persons = [_APOSTROPHE.sub("", person) if person else person for person in persons]
                dates = columns[name].cast(pa.string()).to_pylist()
                columns[name] = pa.array(shifted(key, told, dates, persons, back=True), pa.string())
                cells += sum(1 for cell in dates if cell)
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


def _back(policy: Policy, key: bytes, name: str) -> Callable[[Sequence[str]], list[str | None]] | None:
    """What turns the values of a column back each by itself; None for dates, which need the person."""
    column = policy.columns[name]
    told = column.options()
    if isinstance(told, Fpe):
        return decrypted(key, name, told)
    return values_of(key, domain(name, column)) if column.effective_rule == "token" else None


def _not_a_token(name: str, column: str, wrong: int, known: int) -> GuardError:
    return GuardError(
        f"{name} could not be revealed",
        f"{wrong:,} of {known:,} different cells in “{column}” do not come from this key",
        "Use the key and the policy that the table was protected with, and a table that was not edited since.",
        "reveal.not-a-token",
        answer="no",
    )
