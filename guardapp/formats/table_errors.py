"""What can be wrong with a table, each said once: the readers raise these, the pages show them."""

from __future__ import annotations

from pathlib import Path

from guardapp.errors import GuardError


def _unreadable(path: Path) -> str:
    return f"{path.name} cannot be opened as a table"


def empty(path: Path) -> GuardError:
    return GuardError(
        _unreadable(path),
        "the file is empty",
        "Export it again from where it came from, with its header.",
        "table.empty",
    )


def no_rows(path: Path) -> GuardError:
    return GuardError(
        f"{path.name} has no rows",
        "there is a header and nothing below it",
        "Choose a file that has at least one row.",
        "table.no-rows",
    )


def ragged(path: Path, line: int | None, found: int, expected: int) -> GuardError:
    where = f"line {line}" if line else "a line"
    return GuardError(
        _unreadable(path),
        f"{where} has {found} cells, the header has {expected}",
        "Repair that line, for instance put quotes around a cell that holds the delimiter, then open the file again.",
        "table.ragged",
    )


def binary(path: Path, kind: str) -> GuardError:
    return GuardError(
        _unreadable(path),
        f"it is {kind}, not a CSV or Parquet file",
        "Save the data as CSV or Parquet, then open that file.",
        "table.binary",
    )


def encoding(path: Path, offset: int | None = None) -> GuardError:
    where = f"byte {offset} is" if offset is not None else "some of its bytes are"
    return GuardError(
        _unreadable(path),
        f"{where} neither UTF-8, UTF-16 nor GB18030 text",
        "Save the file as “CSV UTF-8”, then open it again.",
        "table.encoding",
    )


def truncated(path: Path) -> GuardError:
    return GuardError(
        _unreadable(path),
        "the file ends too early: a part of it is missing",
        "Copy or download it again, and compare its size with the original.",
        "table.truncated",
    )


def open_quote(path: Path) -> GuardError:
    return GuardError(
        _unreadable(path),
        "a quotation mark is opened and never closed, so the end of the file was taken for one cell",
        "Close or remove the quotation mark; if the file was cut, copy it again.",
        "table.open-quote",
    )


def damaged(path: Path) -> GuardError:
    return GuardError(
        _unreadable(path),
        "its contents contradict each other: the file is damaged",
        "Copy or download it again, or export it again from where it came from.",
        "table.damaged",
    )


def duplicate_columns(path: Path, name: str) -> GuardError:
    return GuardError(
        _unreadable(path),
        f"two columns are called “{name}”",
        "Rename one of them in the header, so that every column can be named.",
        "table.duplicate-columns",
    )


def not_a_table(path: Path) -> GuardError:
    return GuardError(
        _unreadable(path),
        "it has no lines and columns that could be made out",
        "Choose a CSV or Parquet file.",
        "table.not-a-table",
    )


def long_line(path: Path, mebibytes: int) -> GuardError:
    return GuardError(
        _unreadable(path),
        f"one line is longer than {mebibytes} MiB, or a quotation mark is opened and never closed",
        "Repair that line, then open the file again.",
        "table.line-too-long",
    )


def nested(path: Path, name: str, kind: str) -> GuardError:
    return GuardError(
        f"{path.name} cannot be used as it is",
        f"the cells of column “{name}” hold {kind}, not single values",
        "Leave that column out, or spread it over several columns, and save the file again.",
        "table.nested",
    )


def too_wide(path: Path, most: int) -> GuardError:
    return GuardError(
        _unreadable(path),
        f"it has more than {most} columns",
        "Leave out columns that are not needed, and save the file again.",
        "table.too-wide",
    )


def bad_json(path: Path, line: int | None) -> GuardError:
    where = f"line {line}" if line else "a line"
    return GuardError(
        _unreadable(path),
        f"{where} is not one JSON object with single, different keys",
        "Repair that line, then open the file again.",
        "table.bad-json",
    )


class SeveralTables(GuardError):
    """A file of several sheets or tables, and it was not said which; `names` are theirs."""

    names: tuple[str, ...] = ()


def choose(path: Path, names: list[str], asked: str | None) -> str:
    """Which of the sheets or tables `names` is meant: the one asked for, or the only one.

    SeveralTables, a GuardError `table.which`, where that is not clear.
    """
    if asked is None and len(names) == 1:
        return names[0]
    if asked in names:
        return asked
    listed = ", ".join(f"“{name}”" for name in names[:20])
    if not names:
        raise not_a_table(path)
    error = SeveralTables(
        _unreadable(path),
        f"which of its tables is meant is not clear; it has {listed}",
        "Name one with --table on the command line, or save it in a file of its own.",
        "table.which",
    )
    error.names = tuple(names)
    raise error


def unfinished(path: Path, beside: str) -> GuardError:
    return GuardError(
        _unreadable(path),
        f"{beside} beside it holds changes that are not in the file yet",
        "Close the program that uses the database, then open it again.",
        "table.unfinished",
    )


def computed(path: Path, name: str) -> GuardError:
    return GuardError(
        f"{path.name} cannot be used as it is",
        f"the cells of column “{name}” are computed by the database",
        "Copy the table with its values into a new one, and open that.",
        "table.computed",
    )


def merged(path: Path, sheet: str) -> GuardError:
    return GuardError(
        f"{path.name} cannot be used as it is",
        f"cells are merged in the sheet “{sheet}”, so it is not clear which rows they belong to",
        "Split the merged cells and fill in their values, and save the file again.",
        "table.merged",
    )


def no_cached_values(path: Path, sheet: str) -> GuardError:
    return GuardError(
        f"{path.name} cannot be used as it is",
        f"formulas in the sheet “{sheet}” were saved without their values",
        "Open the file in a spreadsheet program and save it again.",
        "table.no-values",
    )


def bomb(path: Path, mebibytes: int) -> GuardError:
    return GuardError(
        _unreadable(path),
        f"a part of it would take more than {mebibytes} MiB of memory",
        "Save the sheet as CSV, and open that file.",
        "table.too-large",
    )


def over_limits(path: Path, what: str) -> GuardError:
    return GuardError(
        f"{path.name} cannot be written as a workbook",
        f"a sheet cannot hold {what}",
        "Choose another format for the result, such as CSV or Parquet.",
        "table.workbook-limits",
    )
