"""How many columns of identifiers are found, and how many clean ones are flagged: `python -m tests.realdata.columns`.

Fifty generated tables of English and Chinese columns, 400 rows each: every kind several times, half of the columns
under a header that says what they are and half under one that says nothing, a twentieth of the cells missing, some with
a typing mistake. Beside them clean columns: counts, measures, order numbers, article numbers, codes, dates, categories,
texts; and all columns of Adult and of presidio-research's FakeNameGenerator table, where its columns are told apart by
name. A column is flagged when a kind of identifier is found in it; that a column of ever new values is called a running
number is no finding. Prints a table by kind.
"""

from __future__ import annotations

import csv
import random
import tempfile
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

from guardapp.deid.detectors import KINDS
from guardapp.deid.profile import profile
from tests.realdata.making import CLEAN, MAKE

SHARED = Path(__file__).parents[3] / "shared" / "data"
ROWS, TABLES = 400, 50
SURE_BY_CHECK = {"payment_card", "cn_resident_id", "iban", "nhs_number", "cn_social_credit_code", "eu_vat",
                 "national_id", "vin", "imei", "wallet"}  # fmt: skip
NAMED_ONLY = {"cn_passport", "cn_travel_permit", "bic", "phone_national"}
"""Kinds that no check can tell from other codes: they are found by their header alone."""
FAKE_NAMES = {
    "EmailAddress": {"email"},
    "TelephoneNumber": {"phone", "cn_mobile"},
    "GivenName": {"person_name"},
    "Surname": {"person_name"},
    "MothersMaiden": {"person_name"},
    "NationalID": {"national_id"},
}


def cells_of(make: Callable[[random.Random], str], luck: random.Random) -> list[str]:
    cells = [make(luck) for _ in range(ROWS)]
    for row in luck.sample(range(ROWS), ROWS // 20):
        cells[row] = ""
    for row in luck.sample(range(ROWS), ROWS // 100):
        # a typing mistake
        cells[row] = cells[row][:-1] + luck.choice("0123456789") if cells[row] else ""
    return cells


def table(number: int, folder: Path) -> tuple[Path, dict[str, str | None]]:
    """A file, and for each of its columns the kind that it holds; None for a clean one."""
    luck = random.Random(number)
    headers = {kind.name: kind.headers for kind in KINDS}
    truth: dict[str, str | None] = {}
    columns: dict[str, list[str]] = {}
    for place, kind in enumerate(luck.sample(sorted(MAKE), 8)):
        told = luck.random() < 0.5 or kind in NAMED_ONLY
        words = headers[kind.removesuffix("_national")]
        name = f"{luck.choice(words)} {place}" if told else f"field {place}"
        truth[name], columns[name] = kind, cells_of(MAKE[kind], luck)
    for place, clean in enumerate(luck.sample(sorted(CLEAN), 10)):
        name = f"{clean} {place}"
        truth[name], columns[name] = None, cells_of(CLEAN[clean], luck)
    path = folder / f"{number}.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows(zip(*columns.values(), strict=True))
    return path, truth


def main() -> None:
    found: dict[str, list[bool]] = defaultdict(list)
    flags: list[tuple[str, str]] = []
    clean = 0
    with tempfile.TemporaryDirectory() as folder:
        for number in range(TABLES):
            path, truth = table(number, Path(folder))
            for column in profile(path).columns:
                kind = truth[column.name]
                if kind is None:
                    clean += 1
                    flags += [(column.name, column.kind)] if column.kind else []
                else:
                    wanted = {kind.removesuffix("_national")} | ({"cn_mobile", "phone"} if "phone" in kind else set())
                    found[kind].append(column.kind in wanted)
                    if column.kind not in wanted:
                        print(f"missed: {kind} in “{column.name}” of table {number}, taken for {column.kind}")
    for column in profile(SHARED / "arx-adult" / "adult.csv.gz").columns:
        clean += 1
        flags += [(column.name, column.kind)] if column.kind else []
    for column in profile(SHARED / "presidio-research" / "FakeNameGenerator.com_3000.csv").columns:
        if column.name in FAKE_NAMES:
            found[f"FakeNameGenerator {column.name}"].append(column.kind in FAKE_NAMES[column.name])
        elif column.name in ("Number", "Gender", "Age", "State", "StateFull", "Country", "CountryFull", "CVV2",
                             "CCType", "ZipCode", "TelephoneCountryCode", "CCExpires", "Birthday"):  # fmt: skip
            clean += 1
            flags += [(column.name, column.kind)] if column.kind else []
    print("| kind | columns | found | recall |\n|---|---|---|---|")
    for kind in sorted(found):
        hits = found[kind]
        print(f"| {kind} | {len(hits)} | {sum(hits)} | {100 * sum(hits) / len(hits):.1f} % |")
    for title, chosen in (("with a check digit", True), ("others", False)):
        hits = [hit for kind, all_hits in found.items() if (kind in SURE_BY_CHECK) == chosen for hit in all_hits]
        print(f"| **{title}** | {len(hits)} | {sum(hits)} | {100 * sum(hits) / len(hits):.1f} % |")
    print(f"\nClean columns: {clean}, of them flagged: {len(flags)} ({100 * len(flags) / clean:.2f} %) {flags}")


if __name__ == "__main__":
    main()
