"""The report of several tables for people: what became of each, and what they give away together."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from guardapp.deid.attacks.report import add_attacks
from guardapp.deid.job import DeidResult
from guardapp.reports import Report


def write_report(path: Path, source: str, results: Mapping[str, DeidResult], report: dict[str, Any]) -> None:
    """Write `report.html` to `path`; each table's own report lies in the folder of its name."""
    rows = sum(result.rows for result in results.values())
    page = Report(f"Protected tables of {source}", f"{len(results)} tables · {rows:,} rows")
    attack = report["attacks"][0]
    if attack["outcome"] == "succeeded":
        page.verdict(
            "Joined, the tables show people in groups that are too small", level="danger", detail=attack["sentence"]
        )
    elif attack["outcome"] == "withstood":
        page.verdict("Joined, the tables still hide people among others", level="success", detail=attack["sentence"])
    else:
        page.verdict("The tables were protected one by one", level="warning", detail=attack["sentence"])
    page.section("Tables")
    page.table(
        ["Table", "Rows", "k", "Records at risk", "Utility kept", "Red flags"],
        [
            [
                name,
                f"{result.rows:,}",
                "—" if result.k is None else f"{result.k:,}",
                f"{100 * result.at_risk:.1f} %",
                f"{100 * (1 - result.gcp):.0f} %",
                str(result.red_flags),
            ]
            for name, result in results.items()
        ],
        numeric=(1, 2, 3, 4, 5),
    )
    page.paragraph("Each table has a folder of its name, with its own report and certificate.")
    add_attacks(page, report["attacks"])
    if report["not_released"]:
        page.section("Files that were not released")
        page.table(["File"], [[name] for name in report["not_released"]])
    page.section("What this does not prove")
    page.bullets(
        [
            "Tables are joined by the column that the policy names. Other columns may link rows too.",
            "Who joins the tables is assumed to know all quasi-identifiers of all rows of a person, and nothing else.",
        ]
    )
    page.details("Whose rows they are", report["person"])
    page.write(path)
