"""Several tables that were protected together: what they give away when they are joined, then each by itself."""

from __future__ import annotations

from typing import Any

from PySide6.QtWidgets import QVBoxLayout, QWidget

from guardapp.desktop import wording
from guardapp.desktop.deidentify.attacks_card import AttacksCard
from guardapp.desktop.deidentify.lists_of_tables import TableList
from guardapp.desktop.kit import Card, Column, Label, VerdictCard
from guardapp.desktop.theme import tokens

_VERDICTS = {
    "succeeded": ("danger", "ph.flag-fill", "Joined, the tables show people in groups that are too small"),
    "withstood": ("success", "ph.shield-check-fill", "Joined, the tables still hide people among others"),
    "not-run": ("warning", "ph.warning", "The tables were protected one by one"),
}
_LIMITS = (
    "Tables are joined by the column that the policy names. Other columns may link rows too.",
    "Who joins the tables is assumed to know all quasi-identifiers of all rows of a person, and nothing else.",
)


class FolderOutcome(QWidget):
    """Shown for a job of the kind `tables` that is done."""

    def __init__(self) -> None:
        super().__init__()
        self.verdict = VerdictCard()
        self.attacks = AttacksCard()
        self.list = TableList(
            "Tables",
            [
                Column("Table"),
                Column("Rows", numeric=True, width=120),
                Column("k, smallest group", numeric=True, width=150),
                Column("Records at risk", numeric=True, width=150),
                Column("Utility kept", numeric=True, width=120),
                Column("Red flags", numeric=True, width=100),
            ],
        )
        tables = Card("Counted in the written files")
        tables.body.addWidget(self.list)
        tables.body.addWidget(Label(_EACH, "small", "muted", wrap=True))
        limits = Card("What this does not prove")
        for text in _LIMITS:
            limits.body.addWidget(Label(text, "body", "muted", wrap=True))
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.setSpacing(tokens.space(4))
        for part in (self.verdict, self.attacks, tables, limits):
            whole.addWidget(part)
        whole.addStretch(1)

    def show_done(self, job: Any, report: dict[str, Any]) -> None:
        """What the report says, which was counted in the written files."""
        tables: dict[str, dict[str, Any]] = report["tables"]
        rows = sum(int(table["rows_out"]) for table in tables.values())
        values = {"folder": job.name, "n": wording.number(len(tables)), "rows": wording.number(rows)}
        flags = {name: sum(a["outcome"] == "succeeded" for a in table["attacks"]) for name, table in tables.items()}
        joined = str(report["attacks"][0]["outcome"])
        sentence = "<b>{folder}</b> · {n} tables · {rows} rows"
        if sum(flags.values()) and joined != "succeeded":
            several = "An attack succeeded on this release" if sum(flags.values()) == 1 else _SEVERAL
            self.verdict.show_verdict("danger", "ph.flag-fill", several, sentence, flags=sum(flags.values()), **values)
        else:
            tone, icon, text = _VERDICTS[joined]
            self.verdict.show_verdict(tone, icon, text, sentence, **values)
        self.attacks.show_attacks(report["attacks"])
        self.list.show_rows([_row(name, table, flags[name]) for name, table in tables.items()])


def _row(name: str, table: dict[str, Any], flags: int) -> list[str]:
    return [
        name,
        wording.number(int(table["rows_out"])),
        "–" if table["k"] is None else wording.number(int(table["k"])),
        wording.percent(table["risk"]["after"]["at_risk"], 1),
        wording.percent(1 - float(table["utility"]["gcp"])),
        wording.number(flags),
    ]


_SEVERAL = "{flags} attacks succeeded on this release"
_EACH = "Each table has a folder of its name, with its own report and certificate."
