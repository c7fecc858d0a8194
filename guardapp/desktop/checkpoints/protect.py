"""Protect: a file, who may open it, a look before it is queued, and what was written."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QVBoxLayout, QWidget

from guardapp.desktop import wording
from guardapp.desktop.checkpoints.age_choice import AgeChoice
from guardapp.desktop.checkpoints.each_file import specs_for_each
from guardapp.desktop.checkpoints.mode import Mode, Start, file_line
from guardapp.desktop.checkpoints.recipients import RecipientsCard, short
from guardapp.desktop.checkpoints.seal_review import SealReview
from guardapp.desktop.checkpoints.tensor_card import Tensor, TensorCard, write_csv
from guardapp.desktop.checkpoints.written import Line, Written
from guardapp.desktop.kit import Button, Card, Chip, ErrorCard, Label, Tick, row
from guardapp.desktop.theme import tokens

if TYPE_CHECKING:
    from guardapp.desktop.child_session import ChildSession
    from guardapp.desktop.kit import Footer, PageHeader
    from guardapp.desktop.page import Services
    from guardapp.errors import GuardError
    from guardapp.spec import Spec

_KINDS = (("ph.package", "Checkpoint"), ("ph.package", "safetensors"), ("ph.file", "Any other file"))
_HEADER_ONLY = "Read from the header, without unpickling and without loading weights."
_LOADED = "Loaded safely in a process of its own: tensors only, no code is run."
_ONLY_KEYS = "<b>{file}</b> · {size}. Only their private keys open it."
_ONLY_THEY = "<b>{file}</b> · {size}. Only their private keys and passphrases open it."
_STAYS = "A new file is written. The original stays as it is, unprotected."


class ProtectMode(Mode):
    """bundle_wanted(): finished jobs are to be exported as a signed bundle."""

    kinds = ("seal",)

    bundle_wanted = Signal()

    def __init__(self, services: Services, session: ChildSession) -> None:
        super().__init__(services, session)
        self._seen: dict[str, Any] | None = None
        self._left_out: list[str] = []
        self._trouble: GuardError | None = None
        self.start = Start(
            "Drop a checkpoint here",
            "It is sealed for the people you choose. The original is read, never changed.",
            "Choose a file…",
            _KINDS,
        )
        self.start.dropped.connect(self.open_file)
        self.start.zone.choose.connect(self._choose)
        self._make_settings()
        self.review = SealReview(services.jobs.new_folder)
        self.running.back.connect(self._change)
        self.written = Written()
        self.written.copied.connect(lambda: services.tell("The hash is on the clipboard.", "success"))
        self.add_parts(self.start, self.settings, self.review, self.running, self.written)
        self.another = Button("Protect another…", icon="ph.folder-open")
        self.another.clicked.connect(self.start_over)
        self.bundle = Button("Export bundle…", icon="ph.archive-box")
        self.bundle.clicked.connect(self.bundle_wanted)
        self.tools = [self.bundle, self.another]
        self.back = Button("Back")
        self.back.clicked.connect(self._change)
        self.report = Button("Open the report", icon="ph.file-text")
        self.report.clicked.connect(self.open_report)
        self.primary = Button("Review & queue", "primary", "ph.arrow-right", trailing=True)
        self.primary.clicked.connect(self._press)
        self.folder = Button("Open folder", "primary", "ph.folder-open")
        self.folder.clicked.connect(self.open_folder)
        self.buttons = [self.back, self.report, self.primary, self.folder]
        self.start_over()

    def _make_settings(self) -> None:
        self.recipients = RecipientsCard(self.services, self.session)
        self.recipients.changed.connect(self.moved)
        self.each = Tick("Seal each file by itself")
        self.each.toggled.connect(self._show_convert)
        self.convert = Tick("Store the tensors as safetensors")
        self.verify = Tick("Read it back and compare")
        self.flush = Tick("Wait until it is on the disk")
        for tick in (self.convert, self.verify, self.flush):
            tick.setChecked(True)
            tick.toggled.connect(self.moved)
        self._convert_help = Label(_CONVERT_HELP, "small", "muted", wrap=True)
        options = Card("How")
        self._each_help = Label(_EACH_HELP, "small", "muted", wrap=True)
        for tick, help in (
            (self.each, self._each_help),
            (self.convert, self._convert_help),
            (self.verify, Label(_VERIFY_HELP, "small", "muted", wrap=True)),
            (self.flush, Label(_FLUSH_HELP, "small", "muted", wrap=True)),
        ):
            options.body.addWidget(tick)
            options.body.addLayout(row(28, help))
            options.body.itemAt(options.body.count() - 1).layout().setStretch(1, 1)  # type: ignore[union-attr]
        self.age = AgeChoice()
        self.age.changed.connect(self.moved)
        options.body.addWidget(self.age)
        self.error = ErrorCard(closable=False)
        self.error.hide()
        self.tensors = TensorCard()
        self.tensors.exported.connect(self._export_tensors)
        left = QVBoxLayout()
        left.setSpacing(tokens.space(4))
        left.addWidget(self.recipients)
        left.addWidget(options)
        left.addStretch(1)
        right = QVBoxLayout()
        right.setSpacing(tokens.space(4))
        right.addWidget(self.error)
        right.addWidget(self.tensors, 1)
        self.settings = QWidget()
        lower = row(gap=tokens.space(4))
        lower.addLayout(left, 1)
        lower.addLayout(right, 1)
        self.settings.setLayout(lower)

    # -- the file --------------------------------------------------------------------------------------------------

    def _choose(self) -> None:
        self.services.choose_file(self.open_file, "Choose what to protect")

    def start_over(self) -> None:
        self.forget_job()
        self.path, self._seen = None, None
        self.each.setChecked(False)
        self.show_part(self.start)

    def open_file(self, path: Path) -> None:
        self.forget_job()
        self.path, self._seen, self._left_out, self._trouble = path, None, [], None
        self.start.show_error(None)
        self.error.hide()
        self.age.reset()
        self.each.setChecked(False)
        for part in (self.each, self._each_help):
            part.hide()
        self.recipients.begin()
        self.session.forget_all()
        self.session.ask({"do": "look", "path": str(path)}, self._looked, self._refused)
        self.tensors.show_nothing("Looking at the file", "")
        self.show_part(self.settings)

    def _refused(self, error: GuardError) -> None:
        self.start_over()
        self.start.show_error(error)

    def _looked(self, seen: dict[str, Any]) -> None:
        self._seen = seen
        for part in (self.each, self._each_help):
            part.setVisible(seen["kind"] == "folder")
        self.each.setChecked(False)
        self._show_convert()
        if seen["kind"] == "safetensors" or seen["converts"]:
            self.tensors.show_nothing("Reading the list of tensors", "")
            self.session.ask({"do": "tensors", "path": str(self.path)}, self._listed, self._not_listed)
        else:
            why = "It is a folder." if seen["kind"] == "folder" else "This is no checkpoint. It is sealed as it is."
            self.tensors.show_nothing("No tensors to show", why)
        self.moved.emit()

    def _show_convert(self) -> None:
        seen = self._seen
        if seen is None:
            return
        can_convert = bool(seen["converts"]) or self.each.isChecked()
        self.convert.setEnabled(can_convert)
        self.convert.setChecked(can_convert)
        self._convert_help.say(_CONVERT_HELP if can_convert else _NO_CONVERT.get(seen["kind"], _NO_CONVERT["other"]))
        self.moved.emit()

    def _listed(self, found: dict[str, Any]) -> None:
        self._left_out = found["left_out"]
        tensors = [Tensor(name, tuple(shape), dtype, nbytes) for name, dtype, shape, nbytes in found["tensors"]]
        is_header = self._seen is not None and self._seen["kind"] == "safetensors"
        how = _HEADER_ONLY if is_header else _LOADED
        self.tensors.show_tensors(tensors, how, self.path, self.session)
        self.moved.emit()

    def _not_listed(self, error: GuardError) -> None:
        self._trouble = error
        self.tensors.show_nothing("No tensors to show", "The file could not be loaded safely; see above.")
        self.error.show_error(error)
        self.moved.emit()

    def _export_tensors(self, tensors: list[Tensor]) -> None:
        self.services.choose_target(
            lambda path: self.services.background(partial(write_csv, tensors, path), self.exported),
            "Export the list of tensors…",
            "tensors.csv",
        )

    # -- where one is ----------------------------------------------------------------------------------------------

    def focus_first(self) -> None:
        keys = self.recipients
        first: dict[QWidget, QWidget] = {
            self.start: self.start.zone.button,
            self.settings: keys.vault_keys if keys.vault_keys.isVisible() else keys.paste,
            self.review: self.review.name,
        }
        first.get(self.part, self.another).setFocus()

    def _change(self) -> None:
        if self.path is None or self._seen is None:
            self.start_over()
        else:
            self.forget_job()
            self.show_part(self.settings)

    def _press(self) -> None:
        if self.part is self.settings and self._seen is not None and not self._why_not():
            self.review.show_plan(
                self.path or Path(),
                self._sealed_name(),
                self.recipients.chosen,
                (self.convert.isChecked(), self.verify.isChecked(), self.flush.isChecked()),
                self._left_out,
                each=self.each.isChecked(),
            )
            self.show_part(self.review)
        elif self.part is self.review:
            self._queue()

    def _sealed_name(self) -> str:
        if self.each.isChecked():
            return f"*.{self.age.format}"
        names = (self._seen or {}).get("sealed_name", {}).get(self.age.format, {})
        return str(names.get("converted" if self.convert.isChecked() else "as_it_is", ""))

    def _queue(self) -> None:
        document = {
            "input": str(self.path),
            "recipients": self.recipients.texts,
            "passphrase": self.recipients.typed,
            "convert": self.convert.isChecked(),
            "verify": self.verify.isChecked(),
            "flush": self.flush.isChecked(),
            "format": self.age.format,
            "armor": self.age.armor.isChecked(),
            "name": self.review.name.text().strip(),
        }
        self.running.wait()
        self.show_part(self.running)
        if self.each.isChecked():
            self.services.background(partial(specs_for_each, document), self._submit_each, self._refused_order)
        else:
            self.queue(lambda: _spec(document))

    def _submit_each(self, specs: list[Spec]) -> None:
        for spec in specs:
            self.submitted.emit(spec)
        self.start_over()
        self.services.tell("Jobs that were queued, one for each file: {n}", "success", n=len(specs))

    def _why_not(self) -> str:
        """Why it cannot be queued now, or nothing; English."""
        if self._seen is None:
            return "The file is still being looked at."
        if not self.recipients.chosen:
            return "Add at least one key that may open it."
        if self._trouble is not None and self.convert.isChecked():
            return "It cannot be loaded safely. Switch “Store the tensors as safetensors” off to seal it as it is."
        snapshot = self.services.vault.snapshot
        return self.age.why_not(self.recipients.chosen, snapshot.keys if snapshot is not None else ())

    # -- the job ---------------------------------------------------------------------------------------------------

    def show_job(self, row: Any) -> None:
        self.path = Path(row.spec["input"])
        if row.state == "done" and row.result is not None:
            self._show_written(row)
        else:
            self.running.show_job(row)
            self.show_part(self.running)

    def _show_written(self, job: Any) -> None:
        result, spec = job.result, job.spec
        one = result["recipients"] == 1
        self.written.verdict.show_verdict(
            "success",
            "ph.shield-check-fill",
            "Sealed for {n} recipient" if one else "Sealed for {n} recipients",
            _ONLY_THEY if spec.get("passphrase") or spec.get("passphrase_file") else _ONLY_KEYS,
            n=result["recipients"],
            file=result["path"],
            size=wording.size(result["sealed_bytes"]),
        )
        content = result["content"] if result["content"] != "file" else Path(spec["input"]).name
        facts = [("File", result["path"]), ("Content", content)]
        if result["tensors"] is not None:
            facts.append(("Tensors", wording.number(result["tensors"])))
        facts.append(("Size of the content", wording.size(result["content_bytes"])))
        facts.append(("Segments", wording.number(result["segments"])))
        chips: list[QWidget] = []
        for text in spec.get("recipients", []):
            chip = Chip("", "ph.user")
            chip.put(short(text))
            chips.append(chip)
        if spec.get("passphrase") or spec.get("passphrase_file"):
            chips.append(Chip("Passphrase", "ph.lock-key"))
        self.written.show_written(facts, result["sha256"], chips, _checked(result))
        self.show_part(self.written)

    # -- what header and footer say --------------------------------------------------------------------------------

    def say(self, header: PageHeader, footer: Footer) -> None:
        part, seen = self.part, self._seen
        if self.path is None:
            header.subtitle.say("Seal a checkpoint, or any file, for chosen people")
        elif seen is None:
            header.subtitle.put(self.path.name)
        else:
            header.subtitle.put(file_line(seen))
        self.another.setVisible(part is not self.start)
        self.bundle.setVisible(part in (self.start, self.written))
        self.back.setVisible(part is self.review)
        self.report.setVisible(part is self.written)
        self.primary.setVisible(part in (self.settings, self.review))
        self.folder.setVisible(part is self.written)
        footer.setVisible(part is not self.start)
        footer.note.say(_STAYS)
        self.primary.enable()
        if part is self.settings:
            self.primary.say("Review & queue")
            reason = self._why_not()
            footer.sentence.say("It becomes {file}", file=self._sealed_name()) if seen else footer.sentence.put("")
            if reason:
                self.primary.why_disabled(reason)
                footer.note.say(reason)
        elif part is self.review:
            self.primary.say("Add to the queue")
            footer.sentence.say("It becomes {file}", file=self._sealed_name())
        elif part is self.written and self.row is not None:
            footer.sentence.say("Written: {file}", file=(self.row.result or {}).get("path", ""))
            text = "In {folder}. It does not hide its size, nor what kind of keys open it."
            footer.note.say(text, folder=str(self.row.folder))
        else:
            self.say_waiting(footer)


def _checked(result: dict[str, Any]) -> list[Line]:
    lines = []
    if result["verified"]:
        lines.append(Line("done", "Read back and compared", "Every byte was decrypted again and is the same.", {}))
    else:
        lines.append(Line("amberFlag", "Not read back", "You switched this off.", {}))
    if result["flushed"]:
        lines.append(Line("done", "On the disk", "The system confirmed that it is written.", {}))
    else:
        lines.append(Line("amberFlag", "Perhaps not on the disk yet", "You switched waiting for it off.", {}))
    if result["converted"]:
        text = "Stored as safetensors: nothing in it can run when it is loaded."
        lines.append(Line("done", "No code inside", text, {}))
    if result["left_out"]:
        names = ", ".join(result["left_out"][:8]) + (" …" if len(result["left_out"]) > 8 else "")
        lines.append(Line("amberFlag", "Left out, because it is no tensor", "{names}", {"names": names}))
    return lines


def _spec(document: dict[str, Any]) -> Spec:
    from guardapp.jobs.registry import lookup

    return lookup("seal").spec.model_validate(document)


_EACH_HELP = "One job and one sealed file for each file in it, instead of one archive of the folder."
_CONVERT_HELP = "The checkpoint is loaded safely and only its tensors are kept, so that nothing in it can run later."
_NO_CONVERT = {
    "safetensors": "It is safetensors already: nothing in it can run.",
    "sealed": "It is sealed already; it would be sealed once more.",
    "folder": "A folder becomes one sealed archive of its files; links are left out.",
    "other": "This is no checkpoint. It is sealed as it is.",
}
_VERIFY_HELP = "Every byte is decrypted again and compared before the file is kept. Takes about as long again."
_FLUSH_HELP = "The job ends only when the system says that the file would survive a power cut."
