"""The rule sheet gives the policy what its fields say, and shows what the policy has."""

from __future__ import annotations

from typing import Any

import pytest
from pytestqt.qtbot import QtBot

from guardapp.deid.policy import build_policy
from guardapp.desktop.deidentify.rule_sheet import RuleForm

OTHERS = {"born": {"role": "other"}, "sex": {"role": "other"}, "who": {"role": "direct"}}
RULES: list[tuple[str, str, Any]] = [
    ("direct", "text", "pseudonym"),
    ("direct", "text", {"token": {"consistent": "project"}}),
    ("direct", "text", {"fpe": {"alphabet": "digits_upper", "short": "redact", "consistent": "column"}}),
    ("direct", "text", {"fake": {"kind": "email", "language": "zh", "birth": "born", "sex": "sex"}}),
    ("other", "date", {"date_shift": {"person": "who", "days": 90, "consistent": "project"}}),
    ("other", "integer", {"round": {"to": 100.0}}),
    ("sensitive", "decimal", {"noise": {"kind": "gaussian", "scale": 2.5, "low": 0.0}}),
    ("other", "integer", {"microaggregate": {"size": 7, "together": "numbers"}}),
    ("quasi", "text", {"pram": {"keep": 0.75}}),
    ("quasi", "integer", {"rank_swap": {"within": 12.0}}),
    ("other", "text", {"record_swap": {"share": 0.1, "agree": ["sex"]}}),
    ("other", "text", {"record_swap": {"share": 0.1, "agree": ["sex", "born"], "together": "place"}}),
]


@pytest.mark.parametrize(("role", "type_name", "rule"), RULES)
def test_a_rule_passes_through_the_sheet_unchanged(qtbot: QtBot, role: str, type_name: str, rule: Any) -> None:
    columns = {"c": {"role": role, "rule": rule}, **OTHERS}
    form = RuleForm({"name": "c", "type": type_name}, columns)
    qtbot.addWidget(form.kind)
    for fields in form.fields.values():
        for field in fields:
            qtbot.addWidget(field)
    assert form.rule() == (rule, None)
    # and the policy takes it
    build_policy({"columns": columns})


def test_every_rule_that_is_offered_makes_a_policy(qtbot: QtBot) -> None:
    for role in ("direct", "quasi", "sensitive", "other"):
        for type_name in ("integer", "date", "text"):
            columns: dict[str, Any] = {"c": {"role": role}, **OTHERS}
            form = RuleForm({"name": "c", "type": type_name}, columns)
            for number in range(form.kind.count()):
                form.kind.setCurrentIndex(number)
                if form.kind.value in ("bounds",):
                    continue
                found = form.rule()
                assert found is not None
                fields = dict(zip(("rule", "hierarchy"), found, strict=True))
                column = {"role": role, **{name: value for name, value in fields.items() if value is not None}}
                build_policy({"columns": {**columns, "c": column}})
            for fields_of in form.fields.values():
                for field in fields_of:
                    qtbot.addWidget(field)
            qtbot.addWidget(form.kind)
