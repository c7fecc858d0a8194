"""What `report.json` says of a release, and the one line that stands for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from guardapp.deid.check import Measured
    from guardapp.deid.policy import Policy
    from guardapp.deid.protect import CellCounts
    from guardapp.deid.recoding import Recoded
    from guardapp.formats.tables import Table


def model_results(policy: Policy, found: Measured) -> list[dict[str, Any]]:
    """Each model of the policy with what was measured in the written file."""
    return [
        {**model.model_dump(), "holds": measure.holds, "measured": measure.measured}
        for model, measure in zip(policy.models, found.models, strict=True)
    ]


def report_document(
    policy: Policy, table: Table, recoded: Recoded, counts: CellCounts, measured: Measured, escaped: int
) -> dict[str, Any]:
    fields = ("prosecutor_max", "prosecutor_mean", "journalist_max", "marketer", "at_risk", "unique")
    return {
        "rows_in": counts.rows,
        "sample": policy.sample,
        "rows_out": measured.rows,
        "k": measured.k if policy.quasi else None,
        "suppressed_rows": recoded.suppressed_rows,
        "suppressed_cells": recoded.suppressed,
        "models": model_results(policy, measured),
        "risk": {
            "before": recoded.before._asdict(),
            # from the written file, not from the engine
            "after": {field: getattr(measured, field) for field in fields},
        },
        "utility": {**recoded.utility._asdict(), "loss_by_column": recoded.lost},
        "search": {
            "engine": policy.search.engine,
            # without a metric the loss is the certainty penalty that the local engine keeps small
            "metric": (policy.search.metric or "loss") if recoded.levels is not None else None,
            "levels": recoded.levels or {},
            "loss": recoded.utility.gcp if recoded.cost is None else recoded.cost,
        },
        "columns": {
            name: {"role": column.role, "rule": column.effective_rule, "changed_cells": counts.changed.get(name)}
            | ({"note": "noise, not a DP guarantee"} if column.effective_rule == "noise" else {})
            for name, column in policy.columns.items()
        },
        "escaped_cells": escaped,
        "groups": measured.groups,
        "meanings": {
            "missing": "an empty cell (CSV, XLSX), null (Parquet, SQLite), null or no key (JSON Lines); "
            "it equals other missing cells and nothing else",
            "suppressed": "*",
        },
        "input": table.path.name,
    }


def headline(policy: Policy, measured: Measured, recoded: Recoded, red_flags: int) -> str:
    if red_flags:
        return (
            "An attack succeeded on this release: see its report"
            if red_flags == 1
            else f"{red_flags} attacks succeeded on this release: see its report"
        )
    if not policy.quasi:
        return f"{measured.rows:,} rows · no quasi-identifiers"
    utility = 100 * (1 - recoded.utility.gcp)
    return f"k = {measured.k} · {100 * measured.at_risk:.1f} % at risk · utility {utility:.0f} %"
