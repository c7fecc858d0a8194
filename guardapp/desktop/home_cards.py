"""The right side of Home: privacy budgets, the vault, and what comes next in the queue."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from guardapp.desktop import wording
from guardapp.desktop.job_kinds import look
from guardapp.desktop.kit.buttons import Button
from guardapp.desktop.kit.labels import ElidedLabel, Icon, Label
from guardapp.desktop.kit.messages import refill
from guardapp.desktop.kit.surfaces import Card, row
from guardapp.desktop.kit.tiles import Chip, FigureLine, ProgressBar
from guardapp.desktop.page import Services
from guardapp.desktop.queue_model import ordered
from guardapp.desktop.theme import tokens

if TYPE_CHECKING:
    from guardapp.jobs.states import JobRow
    from guardapp.vault.ledger import Balance

_MOST = 4
_NEARLY_SPENT = 0.9
"""From this share on, a budget is shown in warning."""


def _head(icon: str, title: str, *tools: QWidget) -> QHBoxLayout:
    line = row(Icon(icon, "text", tokens.icon_size("title")), ElidedLabel(title, "strong"), *tools)
    line.setStretch(1, 1)
    return line


class BudgetLine(QWidget):
    """A dataset, what was spent of its budget, and one line that judges it."""

    def __init__(self, balance: Balance) -> None:
        super().__init__()
        name = ElidedLabel("", "strong")
        name.put(balance.name or balance.dataset[:12])
        amount = Label("", "body", "muted")
        budget = balance.budget_epsilon
        share = balance.spent_epsilon / budget if budget else None
        color = "accentText"
        note = Label("", "small", "muted", wrap=True)
        note.say(balance.note)
        if budget is None:
            amount.say("ε {spent}", spent=f"{balance.spent_epsilon:.2f}")
        else:
            amount.say("ε {spent} of {budget}", spent=f"{balance.spent_epsilon:.2f}", budget=f"{budget:g}")
        if share is not None and share >= _NEARLY_SPENT:
            color = "warning" if share < 1 else "danger"
            note.set_color(color)
        bar = ProgressBar("Privacy budget")
        bar.set_value(share, color)
        top = row(name, amount)
        top.setStretch(0, 1)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.setSpacing(tokens.space(2))
        whole.addLayout(top)
        whole.addWidget(bar)
        whole.addWidget(note)


class BudgetCard(Card):
    """Every dataset that has a budget or spent from one."""

    def __init__(self, services: Services) -> None:
        super().__init__()
        self._services = services
        self.body.addLayout(_head("ph.gauge", "Privacy budget"))
        self._lines = QVBoxLayout()
        self._lines.setSpacing(tokens.space(3))
        self.body.addLayout(self._lines)
        services.vault.changed.connect(self._show)
        self._shown: tuple[Balance, ...] | None = None
        self._show()

    def _show(self) -> None:
        snapshot = self._services.vault.snapshot
        budgets = snapshot.budgets if snapshot is not None else ()
        if budgets == self._shown:
            return
        self._shown = budgets
        lines: list[QWidget] = [BudgetLine(balance) for balance in budgets[:_MOST]]
        if not lines:
            empty = "No dataset has been trained on yet. Private training keeps the account of each here."
            lines = [Label(empty, "small", "muted", wrap=True)]
        refill(self._lines, lines)


class VaultCard(Card):
    """Whether the vault is open, what it holds, and its two most needed actions."""

    def __init__(self, services: Services) -> None:
        super().__init__()
        self._services = services
        self._chip = Chip("Locked", "ph.lock-simple")
        self.body.addLayout(_head("ph.lock-key", "Vault", self._chip))
        self._keys, self._people = FigureLine("Keys"), FigureLine("Recipients")
        self._log, self._backup = FigureLine("Audit log"), FigureLine("Last backup")
        for line in (self._keys, self._people, self._log, self._backup):
            self.body.addWidget(line)
        self._back_up = Button("Back up…", icon="ph.export")
        self._back_up.clicked.connect(lambda: services.show_page("vault"))
        self._lock = Button("Lock now", icon="ph.lock-simple")
        self._lock.clicked.connect(self._toggle)
        buttons = row(self._back_up, self._lock, None)
        buttons.setContentsMargins(0, 4, 0, 0)
        self.body.addLayout(buttons)
        self._note = Label("", "small", "muted", wrap=True)
        self.body.addWidget(self._note)
        services.vault.changed.connect(self._show)
        self._show()

    def _toggle(self) -> None:
        vault = self._services.vault
        if vault.locked:
            vault.unlocked(lambda: None)
        else:
            vault.lock()

    def _show(self) -> None:
        snapshot = self._services.vault.snapshot
        if snapshot is None:
            self._chip.hide()
            return
        self._chip.show()
        self._chip.say("Locked" if snapshot.locked else "Unlocked")
        self._chip.set_tone("neutral" if snapshot.locked else "success", _lock_icon(snapshot.locked))
        self._keys.put(wording.number(sum(key.has_private for key in snapshot.keys)))
        self._people.put(wording.number(sum(not key.has_private for key in snapshot.keys)))
        whole = "{n} entries, intact" if not snapshot.log_note else "{n} entries, damaged"
        self._log.say(whole, n=wording.number(snapshot.log_count))
        if snapshot.last_backup:
            self._backup.put(wording.date(datetime.fromisoformat(snapshot.last_backup)))
        else:
            self._backup.say("never")
        if snapshot.protection == "device":
            self._lock.why_disabled("Set a passphrase first: without one nothing could unlock it again.")
            self._note.say("Protected by your account only. Set a passphrase on the Vault page.")
        else:
            self._lock.enable()
            self._note.put("")
        self._note.setVisible(snapshot.protection == "device")
        self._lock.say("Unlock…" if snapshot.locked else "Lock now")


def _lock_icon(locked: bool) -> str:
    return "ph.lock-simple" if locked else "ph.lock-simple-open"


class NextCard(Card):
    """The first jobs that wait."""

    def __init__(self, services: Services) -> None:
        super().__init__()
        self.body.addLayout(_head("ph.queue", "Next in the queue"))
        self._lines = QVBoxLayout()
        self._lines.setSpacing(tokens.space(1))
        self.body.addLayout(self._lines)
        self._shown: list[str] | None = None

    def show_rows(self, rows: list[JobRow]) -> None:
        waiting = [job for job in ordered(rows) if job.state in ("queued", "paused", "interrupted")][:_MOST]
        if [job.id for job in waiting] == self._shown:
            return
        self._shown = [job.id for job in waiting]
        lines: list[QWidget] = [self._line(job) for job in waiting]
        refill(self._lines, lines or [Label("Nothing is waiting.", "small", "muted", wrap=True)])

    @staticmethod
    def _line(job: JobRow) -> QWidget:
        holder = QWidget()
        name = ElidedLabel("", "small", "muted")
        name.put(job.name)
        kind = ElidedLabel(look(job.kind).title, "small")
        line = row(name, kind)
        line.setStretch(0, 1)
        holder.setLayout(line)
        return holder
