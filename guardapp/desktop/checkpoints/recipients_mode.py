"""Change who can open a sealed file: take recipients out, add some, or encrypt it anew under a new key."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtWidgets import QVBoxLayout, QWidget

from guardapp.desktop import wording
from guardapp.desktop.checkpoints.keys_to_try import KeysToTry
from guardapp.desktop.checkpoints.mode import Mode, Start, file_line
from guardapp.desktop.checkpoints.present_recipients import PresentRecipients
from guardapp.desktop.checkpoints.recipients import RecipientsCard, kind_chips
from guardapp.desktop.checkpoints.written import Line, Written
from guardapp.desktop.kit import Button, Card, Label, Tick, row
from guardapp.desktop.theme import tokens
from guardapp.errors import GuardError

if TYPE_CHECKING:
    from guardapp.desktop.child_session import ChildSession
    from guardapp.desktop.kit import Footer, PageHeader
    from guardapp.desktop.page import Services
    from guardapp.spec import Spec


class RecipientsMode(Mode):
    """One sealed file, who stays, who comes, and the new file."""

    kinds = ("recipients",)

    def __init__(self, services: Services, session: ChildSession) -> None:
        super().__init__(services, session)
        self._seen: dict[str, Any] | None = None
        self.start = Start(
            "Drop a sealed file here",
            "Others get to open it, or some no longer. A new file is written; the old one stays as it is.",
            "Choose a file…",
            (("ph.lock-key", "Sealed file"),),
        )
        self.start.dropped.connect(self.open_file)
        self.start.zone.choose.connect(
            lambda: services.choose_file(
                self.open_file, "Choose a sealed file", "Sealed files (*.sealed);;All files (*)"
            )
        )
        self._make_settings()
        self.running.back.connect(self._change)
        self.written = Written()
        self.written.copied.connect(lambda: services.tell("The hash is on the clipboard.", "success"))
        self.add_parts(self.start, self.settings, self.running, self.written)
        self.another = Button("Change another…", icon="ph.folder-open")
        self.another.clicked.connect(self.start_over)
        self.tools = [self.another]
        self.report = Button("Open the report", icon="ph.file-text")
        self.report.clicked.connect(self.open_report)
        self.primary = Button("Change and queue", "primary", "ph.arrow-right", trailing=True)
        self.primary.clicked.connect(self._press)
        self.folder = Button("Open folder", "primary", "ph.folder-open")
        self.folder.clicked.connect(self.open_folder)
        self.buttons = [self.report, self.primary, self.folder]
        self.start_over()

    def _make_settings(self) -> None:
        self.present = PresentRecipients()
        self.present.changed.connect(self.moved)
        self.keys = KeysToTry(self.services)
        self.keys.changed.connect(self.moved)
        self.recipients = RecipientsCard(self.services, self.session)
        self.recipients.changed.connect(self.moved)
        self.new_key = Tick("Encrypt it anew under a new key")
        self.new_key.toggled.connect(self._show_form)
        self.verify = Tick("Read all of the new file back")
        self.verify.toggled.connect(self.moved)
        how = Card("How")
        for tick, text in ((self.new_key, _NEW_KEY_HELP), (self.verify, _VERIFY_HELP)):
            help = row(28, Label(text, "small", "muted", wrap=True))
            help.setStretch(1, 1)
            how.body.addWidget(tick)
            how.body.addLayout(help)
        where = Card("Where the result goes")
        self._folder = Label("", "small", "muted", wrap=True)
        where.body.addWidget(self._folder)
        self.settings = QWidget()
        line = row(gap=tokens.space(4))
        for cards in ((self.present, self.recipients, how), (self.keys, where)):
            column = QVBoxLayout()
            column.setSpacing(tokens.space(4))
            for card in cards:
                column.addWidget(card)
            column.addStretch(1)
            line.addLayout(column, 1)
        self.settings.setLayout(line)

    # -- the file --------------------------------------------------------------------------------------------------

    def start_over(self) -> None:
        self.forget_job()
        self.path, self._seen = None, None
        self.show_part(self.start)

    def open_file(self, path: Path) -> None:
        self.forget_job()
        self.path, self._seen = path, None
        self.start.show_error(None)
        self.keys.begin()
        self.new_key.setChecked(False)
        self.verify.setChecked(True)
        self.recipients.alone = False
        self.recipients.begin()
        self.session.ask({"do": "look", "path": str(path)}, self._looked, self._refused)
        self.moved.emit()

    def _refused(self, error: GuardError) -> None:
        self.start_over()
        self.start.show_error(error)

    def _looked(self, seen: dict[str, Any]) -> None:
        sealed = seen["sealed"]
        if sealed is None or sealed["format"] != "guard-sealed/1":
            self._refused(GuardError(*_not_sealed(seen["name"], age=sealed is not None)))
            return
        self._seen = seen
        self.present.show_kinds(sealed["recipients"])
        self.keys.show_for(sealed["recipients"])
        self._folder.say("New folder: {folder}", folder=str(self.services.jobs.new_folder(self._job_name())))
        self._show_form()
        self.show_part(self.settings)

    def _show_form(self) -> None:
        anew = self.new_key.isChecked()
        self.present.set_all_leave(anew)
        self.recipients.set_alone(anew)
        self.moved.emit()

    # -- where one is ----------------------------------------------------------------------------------------------

    def focus_first(self) -> None:
        keys = self.recipients
        first: dict[QWidget, QWidget] = {
            self.start: self.start.zone.button,
            self.settings: keys.vault_keys if keys.vault_keys.isVisible() else keys.paste,
        }
        first.get(self.part, self.another).setFocus()

    def _change(self) -> None:
        if self._seen is not None:
            self.forget_job()
            self.show_part(self.settings)
        elif self.path is not None:
            self.open_file(self.path)
        else:
            self.start_over()

    def _why_not(self) -> str:
        """Why it cannot be queued now, in English; "" where it can."""
        if self._seen is None:
            return "The file is still being looked at."
        if not self.present.staying and not self.recipients.chosen:
            return "Add at least one key that may open it."
        if not (self.present.removed or self.recipients.chosen):
            return "Nothing is changed yet: add or remove somebody."
        return self.keys.why_not

    def _job_name(self) -> str:
        return f"recipients {self.path.name if self.path else ''}"[:120]

    def _press(self) -> None:
        if self.part is not self.settings or self._why_not():
            return
        if self.keys.chosen:
            self.services.vault.unlocked(self._queue)
        else:
            self._queue()

    def _queue(self) -> None:
        keys = self.keys.take()
        anew = self.new_key.isChecked()
        document = {
            "input": str(self.path),
            "recipients": self.recipients.texts,
            "passphrase": self.recipients.typed,
            "remove": [] if anew else sorted(self.present.removed),
            "new_key": anew,
            "private_keys": keys["private_keys"],
            "identity_files": keys["identity_files"],
            "old_passphrase_file": keys["passphrase_file"],
            "old_passphrase": keys["passphrase"],
            "verify": self.verify.isChecked(),
            "name": self._job_name(),
        }
        self.running.wait()
        self.show_part(self.running)
        self.queue(lambda: _spec(document))

    # -- the job ---------------------------------------------------------------------------------------------------

    def show_job(self, row: Any) -> None:
        path = Path(row.spec["input"])
        if path != self.path:
            self.path, self._seen = path, None
        if row.state == "done" and row.result is not None:
            self._show_written(row.result)
        else:
            self.running.show_job(row)
            self.show_part(self.running)

    def _show_written(self, result: dict[str, Any]) -> None:
        mine = result["still_opens"]
        self.written.verdict.show_verdict(
            "success" if mine else "warning",
            "ph.shield-check-fill" if mine else "ph.shield-warning-fill",
            "Sealed for {n} recipient" if result["recipients"] == 1 else "Sealed for {n} recipients",
            _ONLY_THEY if mine else _NOT_YOU,
            n=result["recipients"],
            file=result["path"],
            size=wording.size(result["sealed_bytes"]),
        )
        facts = [
            ("File", result["path"]),
            ("Content", result["content"]),
            ("Size of the content", wording.size(result["content_bytes"])),
            ("Added", wording.number(result["added"])),
            ("Removed", wording.number(result["removed"])),
        ]
        self.written.show_written(facts, result["sha256"], kind_chips(result["recipient_kinds"]), _checked(result))
        self.show_part(self.written)

    # -- what header and footer say --------------------------------------------------------------------------------

    def say(self, header: PageHeader, footer: Footer) -> None:
        part = self.part
        if self.path is None:
            header.subtitle.say("Change who can open a sealed file")
        elif self._seen is None:
            header.subtitle.put(self.path.name)
        else:
            header.subtitle.put(file_line(self._seen))
        self.another.setVisible(part is not self.start)
        self.report.setVisible(part is self.written)
        self.primary.setVisible(part is self.settings)
        self.folder.setVisible(part is self.written)
        footer.setVisible(part is not self.start)
        self.primary.enable()
        footer.note.say(_STAYS)
        if part is self.settings:
            text = "All of it is encrypted anew." if self.new_key.isChecked() else "Only the header is written anew."
            footer.sentence.say(text)
            reason = self._why_not()
            if reason:
                self.primary.why_disabled(reason)
                footer.note.say(reason)
        elif part is self.written and self.row is not None:
            footer.sentence.say("Written: {file}", file=(self.row.result or {}).get("path", ""))
        else:
            self.say_waiting(footer)


def _checked(result: dict[str, Any]) -> list[Line]:
    lines = []
    if result["verified"]:
        lines.append(Line("done", "Read back", "Every segment of the new file is authentic.", {}))
    else:
        lines.append(Line("amberFlag", "Not read back", "You switched this off.", {}))
    if result["new_key"]:
        lines.append(Line("done", "A new key", "The old key of the file does not open this one.", {}))
    elif result["removed"]:
        text = "Who was removed may have kept it. A new key shuts them out."
        lines.append(Line("amberFlag", "The key of the file is the same", text, {}))
    if not result["still_opens"]:
        text = "Take it as it is only if that was meant; otherwise add your own key."
        lines.append(Line("amberFlag", "You cannot open the new file", text, {}))
    text = "It opens for whom it opened before. Delete it where somebody was to be shut out."
    lines.append(Line("amberFlag", "The old file stays as it is", text, {}))
    return lines


def _spec(document: dict[str, Any]) -> Spec:
    from guardapp.jobs.registry import lookup

    return lookup("recipients").spec.model_validate(document)


_ONLY_THEY = "<b>{file}</b> · {size}. Only their private keys and passphrases open it."
_NOT_YOU = "<b>{file}</b> · {size}. None of the keys that opened the old file opens this one."
_STAYS = "A new file is written. The old one stays as it is, and opens for whom it opened before."
_NEW_KEY_HELP = "Shuts out whoever kept the old key. Nobody stays by himself: everybody has to be named. Takes longer."
_VERIFY_HELP = "Every byte is decrypted before the file is kept, so that no damage is passed on."


def _not_sealed(name: str, *, age: bool) -> tuple[str, str, str, str]:
    if age:
        return (
            f"The recipients of {name} cannot be changed",
            "it is in the age format, whose header belongs to one sealing",
            "Open it with your key, then protect what was in it for the others.",
            "recipients.age",
        )
    return (
        f"{name} is not a sealed file",
        "it does not begin as sealed files do",
        "Choose a file that “Protect” has made, usually with the ending .sealed.",
        "open.not-sealed",
    )
