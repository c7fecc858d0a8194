"""The report of a protected table for people: what was done, what holds, what does not follow from it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from guardapp.deid.attacks.report import add_attacks
from guardapp.reports import Figure, Report, Words

if TYPE_CHECKING:
    from guardapp.deid.check import Measured
    from guardapp.deid.policy import Policy
    from guardapp.deid.protect import CellCounts
    from guardapp.deid.recoding import Recoded
    from guardapp.formats.tables import Table

_RULES = {
    "drop": "Column removed",
    "redact": "Covered",
    "mask": "Masked",
    "pseudonym": "Keyed pseudonym",
    "token": "Reversible token",
    "generalise": "Generalised",
    "top_bottom_code": "Extremes bounded",
    "redact_text": "Covered inside text",
    "fpe": "Encrypted in its format",
    "date_shift": "Dates shifted by person",
    "round": "Rounded",
    "replace": "Replaced from a list",
    "noise": "Noise, not a DP guarantee",
    "microaggregate": "Means of small groups",
    "pram": "Randomised (PRAM)",
    "rank_swap": "Ranks swapped",
    "record_swap": "Records swapped",
    "fake": "Invented values",
    "keep": "Kept",
}
_CAUTIONS = {
    "fpe": "Encryption in format shows equal values, lengths, and the characters outside its alphabet.",
    "date_shift": "Shifted dates keep the intervals of a person; two known intervals can still point to somebody.",
    "noise": "Noise on cells is no guarantee of differential privacy: no bound on what can be learnt follows from it.",
    "microaggregate": "Means of small groups lie near the values of their rows.",
    "pram": "Randomised columns hold true values, some in other rows. Statistics across columns are weakened.",
    "rank_swap": "Swapped ranks leave every value in the column, near to where it was.",
    "record_swap": "Swapped records leave every value in the column; statistics with other columns are weakened.",
    "fake": "Invented values agree with what is left in their row. They are no data: leave them out of statistics.",
}
"""What a person should know of a rule that is in use."""
_ROLES = {"direct": "Identifier", "quasi": "Quasi-identifier", "sensitive": "Sensitive", "other": "Other"}


def write_report(
    path: Path,
    policy: Policy,
    table: Table,
    recoded: Recoded,
    counts: CellCounts,
    measured: Measured,
    report: dict[str, Any],
) -> None:
    """Write `report.html` to `path`."""
    page = Report(f"Protected table {table.path.name}", f"{measured.rows:,} rows · {len(policy.columns)} columns")
    red_flags = sum(attack["outcome"] == "succeeded" for attack in report["attacks"])
    if red_flags:
        page.verdict(
            "An attack succeeded on this release"
            if red_flags == 1
            else f"{red_flags} attacks succeeded on this release",
            level="danger",
            detail="It holds what the policy asks for, and still gives something away. What and where stands below.",
        )
    if policy.k is not None:
        page.verdict(
            f"Every row looks like at least {measured.k - 1} others",
            level="success",
            detail="k was counted again in the written file, by code that shares nothing with the one that wrote it.",
        )
    elif policy.presence:
        page.verdict(
            "The release holds every guarantee that was asked for",
            level="success",
            detail="They were measured again in the written file, against the table of the population that was given.",
        )
    elif policy.risks:
        page.verdict(
            "The risk of recognition is as low as the policy asks for",
            level="success",
            detail="It was measured again in the written file. Groups may be small where the risks asked for let them.",
        )
    else:
        page.verdict(
            "The rules were applied; no group size was asked for",
            level="warning",
            detail="Without k-anonymity, people may be recognised by a combination of what is left.",
        )
    page.figures(_figures(policy, recoded, measured))
    _guarantees(page, report)
    _columns(page, policy, recoded, counts)
    _risk(page, report)
    _model_utility(page, report["model_utility"])
    add_attacks(page, report["attacks"])
    page.section("What this does not prove")
    page.bullets(
        [
            "Risk is measured for the columns with the role quasi-identifier. Who knows other columns may know more.",
            "k-anonymity hides who a row belongs to. It does not hide what all rows of a group have in common.",
            "Free text is searched for the kinds that were asked for. People named in other words are not found.",
            "Two releases of the same people, each safe by itself, can give away more together.",
            "Whoever holds the key can test whether a value belongs to a pseudonym, and can turn tokens back.",
        ]
    )
    if policy.presence:
        page.paragraph(
            "k-map and delta-presence are as good as the table of the population: they say nothing about people who "
            f"are not in it. It was {report['population']['name']}."
        )
    rules = {column.effective_rule for column in policy.columns.values()}
    cautions = [text for rule, text in _CAUTIONS.items() if rule in rules]
    if cautions:
        page.section("What the rules of this policy leave open")
        page.bullets(cautions)
    if policy.sample is not None:
        page.paragraph(
            f"The result holds {measured.rows:,} of {counts.rows:,} rows, drawn at random. "
            "Risk before is that of all rows; which rows were drawn is not stored."
        )
    if report["escaped_cells"]:
        page.paragraph(
            f"{report['escaped_cells']:,} cells begin with a sign that a spreadsheet would run; "
            "an apostrophe was put in front."
        )
    page.details("Policy", policy.model_dump(mode="json", exclude_none=True))
    page.write(path)


def _figures(policy: Policy, recoded: Recoded, measured: Measured) -> list[Figure]:
    if policy.k is None:
        return []
    cells = max(measured.rows * len(recoded.columns), 1)
    return [
        Figure("k, smallest group", f"{measured.k:,}", f"target at least {policy.k:,}", "success"),
        Figure(
            "Records at risk", f"{100 * measured.at_risk:.1f} %", f"was {100 * recoded.before.at_risk:.1f} %", "success"
        ),
        Figure("Suppressed cells", f"{100 * recoded.suppressed / cells:.1f} %", "of the quasi-identifying cells"),
        Figure("Utility kept", f"{100 * (1 - recoded.utility.gcp):.0f} %", "one minus the certainty penalty"),
    ]


def _guarantees(page: Report, report: dict[str, Any]) -> None:
    if not report["models"]:
        return
    page.section("Guarantees, counted in the written file")
    page.table(
        ["Guarantee", "Column", "Asked for", "Measured"],
        [
            [entry["name"], entry.get("column", "—"), _asked(entry), f"{entry['measured']:.6g}"]
            for entry in report["models"]
        ],
        numeric=(2, 3),
    )


def _asked(entry: dict[str, Any]) -> str:
    return ", ".join(
        f"{name} = {entry[name]:g}"
        for name in ("k", "c", "l", "t", "beta", "delta", "max", "people", "low", "high")
        if name in entry
    )


def _columns(page: Report, policy: Policy, recoded: Recoded, counts: CellCounts) -> None:
    page.section("Columns")
    rows = []
    for name, column in policy.columns.items():
        rule = "Grouped" if name in recoded.columns and policy.models else _RULES[column.effective_rule]
        lost = recoded.lost.get(name)
        changed = counts.changed.get(name)
        rows.append(
            [
                name,
                Words(_ROLES[column.role]),
                Words(rule),
                "—" if changed is None else f"{changed:,}",
                "—" if lost is None else f"{100 * lost:.1f} %",
            ]
        )
    page.table(["Column", "Role", "Treatment", "Changed cells", "Information lost"], rows, numeric=(3, 4))


def _risk(page: Report, report: dict[str, Any]) -> None:
    page.section("Risk of recognition")
    before, after = report["risk"]["before"], report["risk"]["after"]
    names = {
        "prosecutor_max": "Highest risk of a row, if the person is known to be in the table",
        "prosecutor_mean": "Mean of that risk",
        "journalist_max": "Highest risk of a row, if that is not known",
        "marketer": "Share of rows that an attacker would link correctly",
        "at_risk": "Share of rows in groups smaller than k",
        "unique": "Share of rows that are alone in their group",
    }
    page.table(
        ["Measure", "Before", "After"],
        [[Words(text), f"{100 * before[key]:.1f} %", f"{100 * after[key]:.1f} %"] for key, text in names.items()],
        numeric=(1, 2),
    )


def _model_utility(page: Report, found: dict[str, Any] | None) -> None:
    """What a model loses that is trained on the result."""
    if found is None:
        return
    page.section("A model trained before and after")
    if found["loss"] is None:
        page.paragraph(f"Too few rows have a known value of “{found['target']}” to train and try a model.")
        return
    page.paragraph(f"A naive Bayes model predicts “{found['target']}” from the quasi-identifiers.")
    page.table(
        ["Model", "Predicted right"],
        [
            [Words("trained on the original rows"), f"{100 * found['before']:.1f} %"],
            [Words("trained on the protected rows"), f"{100 * found['after']:.1f} %"],
            [Words("for comparison: always the commonest value"), f"{100 * found['baseline']:.1f} %"],
        ],
        numeric=(1,),
    )
    page.paragraph(
        f"The loss is {100 * found['loss']:.1f} percentage points, between {100 * found['low']:.1f} and "
        f"{100 * found['high']:.1f} by the {found['tested']:,} rows it was tried on, "
        "which neither model was trained with."
    )
    if found["before"] - found["baseline"] < 0.01:
        page.paragraph(
            "Even the original quasi-identifiers hardly predict this column, so that a loss could not be seen here."
        )
    page.paragraph("Other models, and other columns to predict, can lose more or less.")
