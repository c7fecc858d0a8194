"""The attacks in the report for people: which were tried, what came of each, and the worst rows by number."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from guardapp.reports import Report, Words

TITLES = {
    "record-linkage": "Find people by what is known of them",
    "population-linkage": "Find people of a population table",
    "nearest-row": "Take the nearest row",
    "homogeneity": "Read what a whole group has in common",
    "background-knowledge": "Rule one row out",
    "dictionary": "Hash known values and compare",
    "leftover-identifiers": "Search for identifiers left elsewhere",
    "refinement": "Narrow generalised values",
    "rare-combination": "Look for rare values and pairs",
    "differencing": "Compare with earlier releases",
    "joined-tables": "Join the tables by person",
}
OUTCOMES = {"withstood": "Withstood", "succeeded": "Succeeded: red flag", "not-run": "Nothing to attack"}


def add_attacks(page: Report, attacks: Sequence[dict[str, Any]]) -> None:
    """A section with every attack; those that succeeded come first."""
    page.section("Attacked before release")
    page.paragraph(
        "Before this file was released, it was attacked with the original at hand, as an outsider who knows more than "
        "most would do it. What withstands these attacks is not proven to withstand others."
    )
    order = sorted(attacks, key=lambda attack: list(OUTCOMES).index(attack["outcome"]) != 1)
    page.table(
        ["Attack", "Outcome", "What was found", "What was measured", "Measured", "Worst rows"],
        [
            [
                Words(TITLES[attack["name"]]),
                Words(OUTCOMES[attack["outcome"]]),
                Words(attack["sentence"]),
                Words(attack["measure"]),
                figure(attack),
                ", ".join(map(str, attack["rows"])) or "—",
            ]
            for attack in order
        ],
        numeric=(4,),
    )


def figure(attack: dict[str, Any]) -> str:
    """What was measured, as people write it: a share in percent, a group in rows."""
    measured = attack["measured"]
    if measured is None:
        return "—"
    return f"{measured:,.0f}" if attack["measure"].startswith("Smallest") else f"{100 * measured:.1f} %"
