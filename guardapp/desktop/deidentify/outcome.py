"""A job on this page: waiting, running, failed with its error in place, or done with what was counted in the file."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QVBoxLayout, QWidget

from guardapp.desktop import wording
from guardapp.desktop.deidentify.attacks_card import AttacksCard
from guardapp.desktop.deidentify.guarantee_kinds import counted
from guardapp.desktop.kit import (
    Button,
    Card,
    CheckLine,
    ErrorCard,
    Label,
    ProgressBar,
    Tile,
    TileRow,
    VerdictCard,
    clear,
    row,
)
from guardapp.desktop.theme import tokens
from guardapp.errors import GuardError

_WAITING = {
    "queued": ("ph.clock", "Waiting for its turn"),
    "running": ("ph.play-circle", "Protecting the table"),
    "paused": ("ph.pause-circle", "Paused"),
    "interrupted": ("ph.lightning-slash", "Interrupted"),
    "cancelled": ("ph.prohibit", "Cancelled: no file was written"),
    "skipped": ("ph.prohibit", "Skipped"),
    "failed": ("ph.x-circle", "No file was released"),
}


class Outcome(QWidget):
    """again(): try the job once more; cancel(): stop it; folder(), report(): open what was written."""

    again = Signal()
    cancel = Signal()
    folder = Signal()
    report = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.verdict = VerdictCard()
        self.error = ErrorCard(closable=False)
        self.retry = Button("Try again", compact=True)
        self.retry.clicked.connect(self.again)
        self.error.buttons.addWidget(self.retry)
        self._progress = Card()
        self.stage = Label("", "body", "muted")
        self.bar = ProgressBar("Progress of the job")
        stop = Button("Cancel", compact=True)
        stop.clicked.connect(self.cancel)
        self._progress.body.addLayout(row(self.stage, None, stop))
        self._progress.body.addWidget(self.bar)
        self.k = Tile("k, smallest group")
        self.risk = Tile("Records at risk")
        self.suppressed = Tile("Suppressed cells")
        self.utility = Tile("Utility kept")
        self._tiles = TileRow(self.k, self.risk, self.suppressed, self.utility)
        self._checks = QVBoxLayout()
        self._checks.setSpacing(tokens.space(2))
        self._counted = Card("Counted in the written file")
        self._counted.body.addLayout(self._checks)
        self.attacks = AttacksCard()
        self._limits = Card("What this does not prove")
        for text in _LIMITS:
            self._limits.body.addWidget(Label(text, "body", "muted", wrap=True))
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.setSpacing(tokens.space(4))
        for part in (self.verdict, self.error, self._progress, self._tiles):
            whole.addWidget(part)
        lower = row(self._counted, self._limits, gap=tokens.space(4))
        lower.setStretch(0, 1)
        lower.setStretch(1, 1)
        whole.addWidget(self.attacks)
        whole.addLayout(lower)
        whole.addStretch(1)

    def show_job(self, job: Any) -> None:
        """A job that is not done yet, or will not be; `show_done` follows when it is."""
        for part in (self._tiles, self._counted, self._limits, self.attacks):
            part.hide()
        going = job.state in ("queued", "running", "paused")
        failed = job.state in ("failed", "skipped", "interrupted")
        icon, text = _WAITING.get(job.state, _WAITING["running"])
        tone = "danger" if job.state == "failed" else "neutral"
        self.verdict.show_verdict(tone, icon, text, "{name}", name=job.name)
        self._progress.setVisible(going)
        if going:
            self.stage.say(job.stage or ("Starting" if job.state == "running" else "Waiting for its turn"))
            self.bar.set_value(job.fraction if job.state == "running" else None)
        self.error.hide()
        if failed and job.error:
            what, why, step, code = (str(job.error.get(name, "")) for name in ("what", "why", "next", "code"))
            self.error.show_error(GuardError(what, why, step, code))
        self.retry.setVisible(failed)

    def show_done(self, job: Any, report: dict[str, Any]) -> None:
        """What the report says, which was counted in the written file."""
        self.error.hide()
        self._progress.hide()
        self._counted.show()
        self._limits.show()
        k, rows = int(report.get("k") or 0), int(report["rows_out"])
        models = report["models"]
        sized = any(model["name"] == "k-anonymity" for model in models)
        self._tiles.setVisible(k > 0 and bool(models))
        table = str((job.result or {}).get("table", ""))
        if k > 0 and models and not sized:
            self.verdict.show_verdict(
                "success",
                "ph.shield-check-fill",
                "The release holds every guarantee that was asked for",
                "<b>{table}</b> · {rows} rows. They were measured again in the written file. Groups may be small.",
                table=table,
                rows=wording.number(rows),
            )
            self._show_tiles(report, k, rows)
        elif k > 0 and models:
            self.verdict.show_verdict(
                "success",
                "ph.shield-check-fill",
                "Every row looks like at least {n} others",
                "<b>{table}</b> · {rows} rows. k was counted again in the written file.",
                n=k - 1,
                table=table,
                rows=wording.number(rows),
            )
            self._show_tiles(report, k, rows)
        else:
            self.verdict.show_verdict(
                "warning",
                "ph.warning",
                "The rules were applied",
                "<b>{table}</b> · {rows} rows. No group size was asked for, so people may be recognised by a "
                "combination of what is left.",
                table=table,
                rows=wording.number(rows),
            )
        red_flags = self.attacks.show_attacks(report.get("attacks", []))
        if red_flags:
            self.verdict.show_verdict(
                "danger",
                "ph.flag-fill",
                "An attack succeeded on this release" if red_flags == 1 else "{n} attacks succeeded on this release",
                "<b>{table}</b> · {rows} rows. It holds what the policy asks for, and still gives something away.",
                n=wording.number(red_flags),
                table=table,
                rows=wording.number(rows),
            )
        clear(self._checks)
        lost = ", ".join(report["utility"].get("loss_by_column", {}))
        for model in report["models"]:
            self._checks.addWidget(_model_line(model, lost))
        same = report["rows_in"] == rows
        text, evidence = "{n} rows came in and {m} went out", "{cells} quasi-identifying cells are hidden whole."
        self._checks.addWidget(
            CheckLine(
                "done" if same else "amberFlag",
                text,
                evidence,
                n=wording.number(int(report["rows_in"])),
                m=wording.number(rows),
                cells=wording.number(int(report.get("suppressed_cells", 0))),
            )
        )
        if report.get("escaped_cells"):
            escaped = CheckLine(
                "amberFlag", "{n} cells were escaped", _ESCAPED, n=wording.number(int(report["escaped_cells"]))
            )
            self._checks.addWidget(escaped)

    def _show_tiles(self, report: dict[str, Any], k: int, rows: int) -> None:
        target = next((int(m["k"]) for m in report["models"] if m["name"] == "k-anonymity"), None)
        before, after = report["risk"]["before"]["at_risk"], report["risk"]["after"]["at_risk"]
        if target is None:
            self.k.show_value(wording.number(k), "records", "ph.info", "no group size is asked for", "muted")
        else:
            self.k.show_value(wording.number(k), "records", "ph.check-circle", "target at least {k}", k=target)
        # who is at risk is told by a size of groups
        self.risk.setVisible(target is not None)
        self.risk.show_value(f"{100 * after:.1f}", "%", "ph.arrow-down", "was {share} %", share=f"{100 * before:.1f}")
        grouped = len(report["utility"].get("loss_by_column", {})) or 1
        share = float(report.get("suppressed_cells", 0)) / max(rows * grouped, 1)
        self.suppressed.show_value(f"{100 * share:.1f}", "%", "ph.info", "of the quasi-identifying cells", "muted")
        lost = report["utility"].get("loss_by_column", {})
        worst = max(lost, key=lambda name: lost[name], default="")
        kept = f"{100 * (1 - float(report['utility']['gcp'])):.0f}"
        self.utility.show_value(kept, "%", "ph.info", "{column} loses most", "muted", column=worst)


def _model_line(model: dict[str, Any], columns: str) -> CheckLine:
    state = "done" if model["holds"] else "failed"
    if model["name"] == "k-anonymity":
        text, evidence = "k = {measured}, at least {asked} was asked for", "Over {columns}."
        return CheckLine(state, text, evidence, measured=model["measured"], asked=model["k"], columns=columns)
    if (words := counted(model)) is not None:
        (text, values), (evidence, more) = words
        return CheckLine(state, text, evidence, **values, **more)
    if model["name"] != "distinct-l-diversity":
        text, evidence = "{model} of {column}: {measured} in the worst group", "Asked for: {asked}."
        asked = next((model[field] for field in ("t", "beta", "delta", "c", "l") if field in model), "")
        return CheckLine(
            state,
            text,
            evidence,
            model=model["name"],
            measured=f"{model['measured']:.4g}",
            asked=asked,
            column=model.get("column", ""),
        )
    text = "{measured} different values of {column} in every group"
    evidence = "At least {asked} was asked for; this is the smallest number in any group."
    asked, column = model.get("l", ""), model.get("column", "")
    return CheckLine(state, text, evidence, measured=model["measured"], asked=asked, column=column)


_ESCAPED = "They begin with a sign that a spreadsheet would run; an apostrophe was put in front."
_LIMITS = (
    "Risk is measured for the columns with the role quasi-identifier. Who knows other columns may know more.",
    "k-anonymity hides who a row belongs to. It does not hide what all rows of a group have in common.",
    "Two releases of the same people, each safe by itself, can give away more together.",
)
