"""A first policy from a profile, with a comment on every line that says why; `deid run` accepts it unchanged."""

from __future__ import annotations

from typing import Any

import yaml

from guardapp.deid.detectors import TEXT_KINDS
from guardapp.deid.policy import Policy, build_policy
from guardapp.deid.profile import ColumnProfile, Profile

START_K = 5
START_L = 2


def starting_policy(profile: Profile) -> Policy:
    """The suggested policy itself, for a page that edits it."""
    return build_policy(_fields(profile), name="The suggested policy")


def starting_text(profile: Profile) -> str:
    """The suggested policy as commented YAML."""
    fields = _fields(profile)
    lines = [
        f"# A starting policy for {_one_line(profile.path)}: {profile.rows:,} rows, {len(profile.columns)} columns.",
        *ADVICE,
        "version: 1",
        *table_lines(profile),
        key_line(fields["key"]),
    ]
    return "\n".join(lines) + "\n"


ADVICE = (
    "# Review every line: what is suggested rests on names, patterns and checksums, and can be wrong.",
    "# A column that is not named here is refused, never passed through.",
    "# Roles: direct (names a person), quasi (does so in combination), sensitive (must not be learnt), other.",
    "# Rules: drop, redact, mask, pseudonym, token and fpe (reversible), keep,",
    "# {generalise: …}, {top_bottom_code: …}, {redact_text: …}, {date_shift: …} and more: docs/deid.md.",
)


def key_line(key: str) -> str:
    return f"key: {flow(key)}  # the vault key that makes pseudonyms and tokens; made on first use"


def table_lines(profile: Profile, rules: dict[str, dict[str, object]] | None = None) -> list[str]:
    """What the policy says of one table, a line each.

    rules: columns whose fields are decided already
    """
    fields = _fields(profile)
    lines = ["columns:"]
    for column in profile.columns:
        chosen = (rules or {}).get(column.name, fields["columns"][column.name])
        lines.append(f"  {flow(column.name)}: {flow(chosen)}  # {_one_line(column.why)}")
    if fields["models"]:
        lines.append("models:")
        for model in fields["models"]:
            lines.append(f"  - {flow(model)}  # {_MODEL_NOTES[model['name']]}")
    else:
        lines.append("models: []  # no column has the role quasi, so there is no group to hide in")
    return [*lines, "search: {engine: local}"]


_MODEL_NOTES = {
    "k-anonymity": "every row looks like at least k - 1 others in the columns with role quasi",
    "distinct-l-diversity": "no group shares one value of this column",
}


def _fields(profile: Profile) -> dict[str, Any]:
    columns = {column.name: _column(column) for column in profile.columns}
    models: list[dict[str, object]] = []
    if any(fields["role"] == "quasi" for fields in columns.values()) and profile.rows >= START_K:
        models.append({"name": "k-anonymity", "k": START_K})
        for column in profile.columns:
            if column.role == "sensitive" and column.distinct >= START_L:
                models.append({"name": "distinct-l-diversity", "l": START_L, "column": column.name})
                break
    return {"version": 1, "columns": columns, "models": models, "search": {"engine": "local"}, "key": "pseudonyms"}


def _column(column: ColumnProfile) -> dict[str, object]:
    fields: dict[str, object] = {"role": column.role}
    if column.suggestion == "redact_text":
        fields["rule"] = {"redact_text": [f.kind for f in column.kinds if f.inside and f.kind in TEXT_KINDS]}
    elif column.role == "direct":
        fields["rule"] = column.suggestion
    elif column.role == "quasi" and column.type == "date":
        fields["hierarchy"] = {"dates": ["month", "year"]}
    elif column.role == "quasi" and column.kind_title == "Postcode" and column.type == "text":
        fields["hierarchy"] = {"mask_right": 6}
    return fields


def flow(value: object) -> str:
    """A value as YAML on one line."""
    text = yaml.safe_dump(value, default_flow_style=True, allow_unicode=True, sort_keys=False, width=10**6)
    return text.removesuffix("\n").removesuffix("...").removesuffix("\n")


def _one_line(text: str) -> str:
    return " ".join(text.split())
