"""The result of a leakage check: the answer in one line, tiles, the curve, and the figures of one attack."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from guardapp.desktop.i18n import Key
from guardapp.desktop.kit import Button, Card, Choice, Combo, FigureLine, Icon, Label, SoftFrame, Tile, TileRow
from guardapp.desktop.robustness.finding import share
from guardapp.desktop.robustness.job_strip import JobStrip
from guardapp.desktop.robustness.leakage.finding import LeakFinding, Rate, Told
from guardapp.desktop.robustness.leakage.roc_plot import RocPlot
from guardapp.desktop.theme import tokens

_NARROW = 1200
_LOW = 560
"""Below this height what the figures do not say stands in the report alone."""


class LeakResult(QWidget):
    """again(): change the settings and queue again; `strip` has signals of its own."""

    again = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.strip = JobStrip(pausable=False)
        self.finding: LeakFinding | None = None
        self._other: LeakFinding | None = None
        self.answer = SoftFrame("neutral")
        self._icon = Icon("ph.info", "text", tokens.icon_size("title"))
        self.said = Label("", "strong", wrap=True)
        self._detail = Label("", "small", "text", wrap=True)
        texts = QVBoxLayout()
        texts.setSpacing(2)
        texts.addWidget(self.said)
        texts.addWidget(self._detail)
        line = QHBoxLayout(self.answer)
        line.setContentsMargins(16, 10, 16, 10)
        line.setSpacing(tokens.space(3))
        line.addWidget(self._icon, 0, Qt.AlignmentFlag.AlignTop)
        line.addLayout(texts, 1)
        self.auc = Tile("AUC of the strongest attack", _WHY_AUC)
        self.rate = Tile("Members told at few errors", _WHY_RATE)
        self.accuracy = Tile("Right on members", _WHY_ACCURACY)
        self.epsilon = Tile("ε shown by attack", _WHY_EPSILON)
        self._tiles = TileRow(self.auc, self.rate, self.accuracy, self.epsilon)
        self.plot = RocPlot()
        self._side = self._attack_card()
        columns = QHBoxLayout()
        columns.setSpacing(tokens.space(4))
        columns.addWidget(self.plot, 1)
        columns.addWidget(self._side)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.setSpacing(tokens.space(4))
        whole.addWidget(self.strip)
        whole.addWidget(self.answer)
        whole.addWidget(self._tiles)
        whole.addLayout(columns, 1)
        self.answer.hide()

    def _attack_card(self) -> Card:
        card = Card("Attack")
        card.body.setSpacing(tokens.space(1))
        self.attack = Combo("Attack")
        self.attack.picked.connect(lambda _: self._show_attack())
        card.body.addWidget(self.attack)
        card.body.addSpacing(tokens.space(1))
        self.lines: dict[str, FigureLine] = {}
        for key, title in _LINES:
            self.lines[key] = FigureLine(title)
            card.body.addWidget(self.lines[key])
        card.body.addStretch(1)
        self._note = Label(_NOT_SAID, "small", "muted", wrap=True)
        card.body.addWidget(self._note)
        self.change = Button("Change and queue again…", "secondary", "ph.sliders-horizontal")
        self.change.clicked.connect(self.again)
        foot = QHBoxLayout()
        foot.addWidget(self.change)
        foot.addStretch(1)
        card.body.addLayout(foot)
        return card

    # -- showing ---------------------------------------------------------------------------------------------------

    def show_waiting(self) -> None:
        """Nothing was measured yet."""
        self.finding = self._other = None
        self.answer.hide()
        for tile in (self.auc, self.rate, self.accuracy, self.epsilon):
            tile.clear()
        self.attack.set_choices([])
        self.attack.setEnabled(False)
        for line in self.lines.values():
            line.put("–")
        self.plot.clear()
        for key in ("ours", "other", "allowed", "guessing"):
            self.plot.mark_present(key, False)

    def show_finding(self, finding: LeakFinding, other: LeakFinding | None) -> None:
        """A finished check, beside another one or alone."""
        kept = self.attack.value if self.finding is finding else ""
        self.finding, self._other = finding, other
        self.strip.hide()
        self._say_answer(finding)
        self._show_tiles(finding)
        names = [attack.name for attack in finding.attacks]
        self.attack.setEnabled(True)
        self.attack.set_choices([Choice(name, name) for name in names], kept or names[finding.strongest])
        self._show_attack()

    def _say_answer(self, finding: LeakFinding) -> None:
        best = finding.attacks[finding.strongest]
        self.answer.show()
        if finding.contradicted:
            tone, icon = "danger", tokens.state("redFlag").icon
            self.said.say("The promised privacy is contradicted")
            text = "The attack shows ε ≥ {shown}, and ε = {promised} was promised. Do not hand the model on before this is explained."  # noqa: E501
            self._detail.say(text, shown=f"{finding.at_least:.2f}", promised=f"{finding.promised:g}")
        else:
            leaks = best.low > 0.5
            tone, icon = ("warning", "ph.warning") if leaks else ("success", "ph.check-circle")
            pairs = f"{100 * best.auc:.0f}"
            self.said.say("An attacker picks the member out of a pair in {found} of 100 cases", found=pairs)
            self._detail.say(_HOLDS if finding.promised is not None else _GUESSING)
        self.answer.set_tone(tone)
        self._icon.set(icon, tone)
        self.said.set_color(tone)

    def _show_tiles(self, finding: LeakFinding) -> None:
        best = finding.attacks[finding.strongest]
        leaks = best.low > 0.5
        icon, color = ("ph.warning", "warning") if leaks else ("ph.check-circle", "success")
        interval = {"low": f"{best.low:.3f}", "high": f"{best.high:.3f}"}
        self.auc.show_value(f"{best.auc:.3f}", best.name, icon, "95 % interval {low} to {high}", color, **interval)
        known = [rate for rate in best.rates if rate.true is not None]
        if known:
            rate = known[-1]
            told = rate.low is not None and rate.low > rate.false
            icon, color = ("ph.warning", "warning") if told else ("ph.check-circle", "success")
            self.rate.show_value(share(rate.true or 0), "", icon, "at {false} errors", color, false=share(rate.false))
        else:
            self.rate.show_value("–", "", "ph.info", "{n} non-members needed", "muted", n=best.rates[0].needed)
        others = share(finding.on_others)
        self.accuracy.show_value(
            share(finding.on_members), "", "ph.info", "{share} on non-members", "muted", share=others
        )
        shown = f"{finding.at_least:.2f}"
        if finding.promised is None:
            self.epsilon.show_value(shown, "", "ph.info", "nothing was promised", "muted")
        else:
            icon, color = ("ph.warning-circle", "danger") if finding.contradicted else ("ph.check-circle", "success")
            self.epsilon.show_value(shown, "", icon, "promised: ε = {epsilon}", color, epsilon=f"{finding.promised:g}")

    def _show_attack(self) -> None:
        finding = self.finding
        attack = finding.named(self.attack.value) if finding is not None else None
        if finding is None or attack is None:
            return
        beside = None
        if self._other is not None:
            # where the other model was not attacked in this way, its strongest attack stands beside this one
            beside = self._other.named(attack.name) or self._other.attacks[self._other.strongest]
        self.plot.show_curves(finding, attack, self._other, beside)
        if beside is None or beside.name == attack.name:
            self.plot.note.say("{attack}", attack=Key(attack.name))
        else:
            self.plot.note.say("{ours} against {theirs}", ours=Key(attack.name), theirs=Key(beside.name))
        self._line("auc", f"{attack.auc:.3f}", None if beside is None else f"{beside.auc:.3f}")
        self.lines["interval"].say("{low} to {high}", low=f"{attack.low:.3f}", high=f"{attack.high:.3f}")
        for place, key in enumerate(("tenth", "hundredth", "thousandth")):
            theirs = None if beside is None else _rate_words(beside.rates[place])
            ours = attack.rates[place]
            if ours.true is None:
                self.lines[key].say("needs {n}", n=f"{ours.needed:,}")
            else:
                self._line(key, _rate_words(ours), theirs)
        self._line("epsilon", f"{attack.at_least:.2f}", None if beside is None else f"{beside.at_least:.2f}")

    def _line(self, key: str, ours: str, theirs: str | None) -> None:
        if theirs is None:
            self.lines[key].put(ours)
        else:
            self.lines[key].say("{ours} against {theirs}", ours=ours, theirs=theirs)

    @property
    def shown_attack(self) -> Told | None:
        return self.finding.named(self.attack.value) if self.finding is not None else None

    def retranslate(self) -> None:
        """Say again what was composed here."""
        self._show_attack()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._side.setFixedWidth(tokens.width("flags") - (24 if self.width() < _NARROW else 0))
        self._note.setVisible(self.height() >= _LOW)


def _rate_words(rate: Rate) -> str:
    return "–" if rate.true is None else share(rate.true)


_LINES = (
    ("auc", "AUC"),
    ("interval", "95 % interval"),
    ("tenth", "True at 10 % false"),
    ("hundredth", "True at 1 % false"),
    ("thousandth", "True at 0.1 % false"),
    ("epsilon", "ε shown"),
)
_WHY_AUC = "How often the attack scores a member above a non-member; guessing reaches 0.5."
_WHY_RATE = "The share of members that are told while so few non-members are taken for members."
_WHY_ACCURACY = "A model that is right on members far more often than on others has learnt some by heart."
_WHY_EPSILON = "A lower bound from this attack with 95 % confidence; a promised ε below it does not hold."
_NOT_SAID = "Attacks give lower bounds: one that tells nothing proves nothing."
_GUESSING = "Guessing alone would be right in 50 of 100 cases."
_HOLDS = "Guessing alone would be right in 50 of 100 cases. The promised ε is not contradicted, which is no proof."
