"""What the header and the footer say at each step."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from guardapp.desktop import wording
from guardapp.desktop.deidentify.rules import Draft
from guardapp.desktop.i18n import tr
from guardapp.desktop.kit import ElidedLabel, Footer
from guardapp.errors import GuardError

if TYPE_CHECKING:
    from guardapp.desktop.deidentify.page import DeidentifyPage

INPUT, SETTINGS, REVIEW, OUTCOME, FOLDER, JOINED = range(6)
"""The steps of the page; FOLDER and JOINED are settings and result of a folder of tables."""

_PRIMARY = ("Go on with this table", "Review & queue", "Add to the queue", "Open folder")
NOTHING_TO_TRADE = (
    "There is nothing to trade: no quasi-identifier is grouped",
    "There is nothing to trade: no group size is asked for",
)
"""Without and with quasi-identifiers."""
_STAYS = "A new file is written. The original stays as it is."


def say_page(
    page: DeidentifyPage, figures: Mapping[str, Any] | None, reason: str, rows: int | None, columns: int
) -> None:
    """Header, footer and buttons of the step that is shown; reason: why the rules cannot be queued, or nothing."""
    step, draft, footer = page.step, page.draft, page.footer
    assert footer is not None
    if step in (FOLDER, JOINED):
        say_folder(page, footer)
        return
    page.steps.go(step, INPUT if draft is None else SETTINGS if reason else REVIEW)
    for button, on in (
        (page.undo, draft is not None and draft.can_undo),
        (page.redo, draft is not None and draft.can_redo),
    ):
        button.setVisible(step == SETTINGS)
        button.setEnabled(on)
    page.more.setVisible(step == SETTINGS)
    page.save.setVisible(step in (SETTINGS, REVIEW))
    page.save.setEnabled(draft is not None)
    page.back.setVisible(step == REVIEW)
    page.other.setVisible(step == OUTCOME)
    footer.setVisible(step != INPUT or draft is not None)
    if step == OUTCOME:
        say_job(page.header.subtitle, footer, page.jobs.row)
    else:
        say_table(page.header.subtitle, None if step == INPUT else page.path, rows, columns)
        say_rules(footer, draft, figures, reason if step == SETTINGS else "")
    done = step == OUTCOME and page.jobs.row is not None and page.jobs.row.state == "done"
    page.report_button.setVisible(done)
    page.primary.setVisible(step != OUTCOME or done)
    page.primary.say(_PRIMARY[step])
    if reason and step in (SETTINGS, REVIEW):
        page.primary.why_disabled(reason, k=draft.target or 0 if draft else 0)
    else:
        page.primary.enable()


def say_folder(page: DeidentifyPage, footer: Footer) -> None:
    """The same for a folder of tables."""
    done, draft, folder = page.step == JOINED, page.folder.step.draft, page.folder.path
    page.steps.go(OUTCOME if done else SETTINGS, INPUT)
    for button in (page.undo, page.redo, page.more, page.save, page.back):
        button.hide()
    footer.show()
    page.other.show()
    page.report_button.setVisible(done)
    page.primary.show()
    page.primary.say(_PRIMARY[OUTCOME if done else REVIEW])
    page.primary.enable()
    if done:
        say_job(page.header.subtitle, footer, page.jobs.row)
        return
    page.header.subtitle.put(folder.name if folder is not None else "")
    if draft is None:
        footer.sentence.say("Looking at the tables")
        page.primary.why_disabled("The tables are still being looked at.")
    else:
        footer.sentence.say("{n} tables · {rows} rows", n=len(draft.tables), rows=wording.number(draft.rows))
        if not page.folder.step.ready:
            page.primary.why_disabled("Write a group size first.")
    footer.note.say("New files are written. The originals stay as they are.")


def say_table(line: ElidedLabel, path: Path | None, rows: int | None, columns: int) -> None:
    """Which table is open, below the title."""
    if path is None:
        line.say("Protect a table so that nobody in it can be recognised")
    elif rows is None:
        line.say("{file} · {n} columns", file=path.name, n=columns)
    else:
        line.say("{file} · {rows} rows · {n} columns", file=path.name, rows=wording.number(rows), n=columns)


def say_job(line: ElidedLabel, footer: Footer, job: Any) -> None:
    """Which table a job is about, and where its result is."""
    line.put(Path(str(job.spec.get("input", ""))).name if job is not None else "")
    if job is not None and job.state == "done":
        tables = (job.result or {}).get("tables")
        if tables is not None:
            footer.sentence.say("Written: {n} tables", n=len(tables))
        else:
            footer.sentence.say("Written: {file}", file=str((job.result or {}).get("table", "")))
        footer.note.say("In {folder}. The original stays as it is.", folder=str(job.folder))
    elif job is not None and job.is_over:
        footer.sentence.put("")
        footer.note.say("The original stays as it is.")
    else:
        footer.sentence.say("You may go on working: the job runs by itself")
        footer.note.say(_STAYS)


def say_rules(footer: Footer, draft: Draft | None, figures: Mapping[str, Any] | None, reason: str) -> None:
    """What the rules come to, and why they cannot be queued, or what the figures rest on."""
    if draft is None:
        footer.sentence.say("Looking at the table")
        footer.note.say(_STAYS)
        return
    footer.sentence.put(counted(draft))
    if reason:
        footer.note.say(reason, k=draft.target or 0)
    elif figures is not None and not figures["exact"]:
        used, rows = wording.number(figures["rows_used"]), wording.number(figures["rows"])
        text = "Measured on an even sample of {used} of {rows} rows. The original stays as it is."
        footer.note.say(text, used=used, rows=rows)
    else:
        footer.note.say(_STAYS)


def counted(draft: Draft) -> str:
    """ "3 columns removed or masked · 1 pseudonym · 3 generalised · 7 kept" """
    counts = draft.counts()
    keys = {
        "suppress": "1 column removed or masked" if counts["suppress"] == 1 else "{n} columns removed or masked",
        "pseudonym": "1 pseudonym" if counts["pseudonym"] == 1 else "{n} pseudonyms",
        "generalise": "{n} generalised",
        "keep": "{n} kept",
    }
    return " · ".join(tr(key, n=counts[look]) for look, key in keys.items() if counts[look])


def why_not(draft: Draft | None, figures: Mapping[str, Any] | None, trouble: GuardError | None) -> str:
    """Why the rules cannot be queued now, or nothing. An English key; its `k` is the target."""
    if draft is None:
        return "The table is still being looked at."
    if trouble is not None:
        return "These rules cannot be carried out; see above what to change."
    if figures is None:
        return "The rules are still being measured."
    target, k = draft.target, figures["k"]
    if target is not None and k is not None and k < target:
        return "k is below the target of {k}: move the handle to the left, or ask for less in “More”."
    return ""
