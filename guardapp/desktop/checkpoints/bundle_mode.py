"""Export bundle: finished jobs, one signature over all, for someone else to verify."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from PySide6.QtWidgets import QVBoxLayout, QWidget

from guardapp.desktop import wording
from guardapp.desktop.checkpoints.mode import Mode
from guardapp.desktop.checkpoints.written import Line, Written
from guardapp.desktop.i18n import Key
from guardapp.desktop.job_kinds import look
from guardapp.desktop.kit import Button, Card, Choice, Combo, EmptyState, Field, Label, Tick, clear, row
from guardapp.desktop.theme import tokens

if TYPE_CHECKING:
    from guardapp.desktop.child_session import ChildSession
    from guardapp.desktop.kit import Footer, PageHeader
    from guardapp.desktop.page import Services
    from guardapp.jobs.states import JobRow
    from guardapp.spec import Spec

_CHAIN = ("deid", "tables", "train", "check", "leak", "scan", "convert", "strip", "seal", "recipients")
"""Kinds of job that may stand in a chain."""

MOST = 50
"""Finished jobs that are offered, the latest."""


class BundleMode(Mode):
    """Choose jobs and a signing key; the bundle is made, signed and read back."""

    kinds = ("bundle",)

    def __init__(self, services: Services, session: ChildSession) -> None:
        super().__init__(services, session)
        self.ticks: dict[str, Tick] = {}
        self._make_settings()
        self.running.back.connect(self.begin)
        self.written = Written()
        self.add_parts(self.settings, self.running, self.written)
        self.report = Button("Open the report", icon="ph.file-text")
        self.report.clicked.connect(self.open_report)
        self.folder = Button("Open folder", "primary", "ph.folder-open")
        self.folder.clicked.connect(self.open_folder)
        self.primary = Button("Sign and export", "primary", "ph.archive-box")
        self.primary.clicked.connect(self._press)
        self.buttons = [self.report, self.folder, self.primary]
        services.vault.changed.connect(self._show_keys)

    def _make_settings(self) -> None:
        self._list = QVBoxLayout()
        self._list.setSpacing(tokens.space(1))
        self.jobs = Card("Jobs in the bundle")
        self.jobs.body.addLayout(self._list)
        self.jobs.body.addStretch(1)
        self.key = Combo("Signing key")
        self.key.picked.connect(lambda _: self.moved.emit())
        self.new_key = Button("New signing key…", icon="ph.plus")
        self.new_key.clicked.connect(lambda: self.services.vault.unlocked(self._make_key))
        signed = Card("Signed with")
        self._key_field = Field("Signing key", self.key)
        signed.body.addWidget(self._key_field)
        signed.body.addLayout(row(self.new_key, None))
        text = "Give its fingerprint to those who will verify, by another way than the bundle."
        signed.body.addWidget(Label(text, "small", "muted", wrap=True))
        what = Card("What goes into it")
        for text in _CONTENTS:
            what.body.addWidget(Label(text, "body", "muted", wrap=True))
        side = QVBoxLayout()
        side.setSpacing(tokens.space(4))
        side.addWidget(signed)
        side.addWidget(what)
        side.addStretch(1)
        self.settings = QWidget()
        line = row(self.jobs, gap=tokens.space(4))
        line.addLayout(side, 2)
        line.setStretch(0, 3)
        self.settings.setLayout(line)

    # -- what is chosen --------------------------------------------------------------------------------------------

    def begin(self) -> None:
        """Offer the finished jobs; the latest sealing, and what may belong to it, is for the user to tick."""
        self.forget_job()
        clear(self._list)
        self.ticks = {}
        rows = [job for job in self.services.jobs.rows if job.state == "done" and job.kind in _CHAIN]
        for job in sorted(rows, key=lambda job: job.finished or 0, reverse=True)[:MOST]:
            when = datetime.fromtimestamp(job.finished or 0)
            tick = Tick(
                "{job} · {kind} · {when}",
                job=job.name,
                kind=Key(look(job.kind).title),
                when=lambda when=when: wording.moment(when),
            )
            tick.toggled.connect(self.moved)
            self.ticks[job.id] = tick
            self._list.addWidget(tick)
        if not rows:
            text = "De-identify, train, check or seal something first; finished jobs stand here then."
            self._list.addWidget(EmptyState("ph.archive-box", "No finished jobs yet", text))
        self._show_keys()
        self.show_part(self.settings)

    def _show_keys(self) -> None:
        snapshot = self.services.vault.snapshot
        keys = [key for key in snapshot.keys if key.type == "signing" and key.has_private] if snapshot else []
        self.key.set_choices([Choice(key.name, key.name, "ph.key") for key in keys])
        self._key_field.setVisible(bool(keys))
        self.moved.emit()

    def _make_key(self) -> None:
        from guardapp.desktop.vault_sheets import ask_new_key

        ask_new_key(self.window(), self.services.vault)

    def _chosen(self) -> list[JobRow]:
        """In the order in which they were done, as a chain is."""
        found = [self.services.jobs.row(job_id) for job_id, tick in self.ticks.items() if tick.isChecked()]
        return sorted((job for job in found if job is not None), key=lambda job: job.finished or 0)

    def _why_not(self) -> str:
        if not self._chosen():
            return "Choose at least one finished job."
        if not self.key.value:
            return "There is no signing key in the vault: make one first."
        return ""

    def focus_first(self) -> None:
        first = next(iter(self.ticks.values()), self.new_key)
        (first if self.part is self.settings else self.folder).setFocus()

    def _press(self) -> None:
        if not self._why_not():
            self.services.vault.unlocked(self._queue)

    def _queue(self) -> None:
        chosen, key = self._chosen(), self.key.value
        document = {
            "from": [str(job.folder) for job in chosen],
            "key": key,
            "name": f"bundle {chosen[-1].name}"[:120],
        }
        self.running.wait()
        self.show_part(self.running)
        self.queue(lambda: _spec(document))

    # -- the job ---------------------------------------------------------------------------------------------------

    def show_job(self, row: Any) -> None:
        if row.state != "done" or row.result is None:
            self.running.show_job(row)
            self.show_part(self.running)
            return
        result = row.result
        self.written.verdict.show_verdict(
            "success" if result["chained"] else "warning",
            "ph.shield-check-fill" if result["chained"] else "ph.shield-warning-fill",
            "Signed and read back",
            "Signed with <b>{key}</b>. Give away the folder “bundle” as it is.",
            key=result["key"],
        )
        caption, note = "Fingerprint of the signing key", "Tell it to those who verify, by another way."
        self.written.verdict.show_fingerprint(caption, result["fingerprint"], note)
        facts = [("Jobs", str(result["jobs"])), ("Sealed files", str(result["sealed_files"]))]
        if result["chained"]:
            text = "Every job is linked to the others by the hashes of what it read and made."
            line = Line("done", "One unbroken chain", text, {})
        else:
            text = "Some jobs share no file with the others, so nothing connects what they state."
            line = Line("amberFlag", "Not one chain", text, {})
        self.written.show_written(facts, None, [], [line])
        self.show_part(self.written)

    def say(self, header: PageHeader, footer: Footer) -> None:
        part, row = self.part, self.row
        header.subtitle.say("Finished jobs, one signature over all, for someone else to verify")
        self.report.setVisible(part is self.written)
        self.folder.setVisible(part is self.written)
        self.primary.setVisible(part is self.settings)
        footer.setVisible(True)
        footer.note.say("Data are not in it: only what jobs state of themselves, and sealed files.")
        if part is self.settings:
            chosen = self._chosen()
            footer.sentence.say("1 job" if len(chosen) == 1 else "{n} jobs", n=len(chosen))
            reason = self._why_not()
            if reason:
                self.primary.why_disabled(reason)
                footer.note.say(reason)
            else:
                self.primary.enable()
        elif part is self.written and row is not None:
            footer.sentence.say("Written: {file}", file="bundle")
            footer.note.say("In {folder}.", folder=str(row.folder))
        else:
            self.say_waiting(footer)


def _spec(document: dict[str, Any]) -> Spec:
    from guardapp.jobs.registry import lookup

    return lookup("bundle").spec.model_validate(document)


_CONTENTS = (
    "The sealed checkpoints, as their jobs wrote them.",
    "What each job states of itself, without paths.",
    "A passport: what was done and what it guarantees, for people and for programs.",
    "One signature over every file (OpenSSF Model Signing).",
)
