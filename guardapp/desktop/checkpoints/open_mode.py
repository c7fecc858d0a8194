"""Open: a sealed file, what it tells without a key, the keys to try, and what was opened."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from guardapp.desktop import wording
from guardapp.desktop.checkpoints.flow import Flow
from guardapp.desktop.checkpoints.mode import Mode, Start, file_line
from guardapp.desktop.checkpoints.recipients import kind_chips
from guardapp.desktop.checkpoints.written import Line, Written
from guardapp.desktop.kit import Button, Card, CheckLine, Field, FigureLine, FileField, Label, TextField, Tick, clear
from guardapp.desktop.theme import tokens
from guardapp.desktop.vault_tables import SEALING_TYPES
from guardapp.errors import GuardError

if TYPE_CHECKING:
    from guardapp.desktop.child_session import ChildSession
    from guardapp.desktop.kit import Footer, PageHeader
    from guardapp.desktop.page import Services
    from guardapp.spec import Spec
    from guardapp.vault.keys import KeyInfo

_STANZA = {"x25519": "X25519", "hybrid": "mlkem768x25519", "rsa": "RSA-OAEP"}
"""The kind of recipient that a vault key of a type opens."""


class OpenMode(Mode):
    """Unseal with one's own key."""

    kinds = ("open",)

    def __init__(self, services: Services, session: ChildSession) -> None:
        super().__init__(services, session)
        self._seen: dict[str, Any] | None = None
        self.ticks: dict[str, Tick] = {}
        self.start = Start(
            "Drop a sealed file here",
            "It is decrypted into a new file, if all of it is as it was sealed.",
            "Choose a file…",
            (("ph.lock-key", "Sealed file"),),
        )
        self.start.dropped.connect(self.open_file)
        self.start.zone.choose.connect(
            lambda: services.choose_file(
                self.open_file, "Choose a sealed file", "Sealed files (*.sealed *.age);;All files (*)"
            )
        )
        self._make_settings()
        self.running.back.connect(self._change)
        self.written = Written()
        self.add_parts(self.start, self.settings, self.running, self.written)
        self.another = Button("Open another…", icon="ph.folder-open")
        self.another.clicked.connect(self.start_over)
        self.tools = [self.another]
        self.report = Button("Open the report", icon="ph.file-text")
        self.report.clicked.connect(self.open_report)
        self.primary = Button("Open and queue", "primary", "ph.lock-simple-open")
        self.primary.clicked.connect(self._press)
        self.buttons = [self.report, self.primary]
        services.vault.changed.connect(self._show_keys)
        self.start_over()

    def _make_settings(self) -> None:
        self.facts = Card("What it tells without a key")
        self._facts = QVBoxLayout()
        self._facts.setSpacing(tokens.space(1))
        self.facts.body.addLayout(self._facts)
        who = Card("Who can open it")
        self._chips = Flow()
        who.body.addWidget(self._chips)
        text = "A sealed file tells what kind of key opens it, not whose it is."
        who.body.addWidget(Label(text, "small", "muted", wrap=True))
        keys = Card("Keys to try")
        self._at_hand = QVBoxLayout()
        self._ticks = QVBoxLayout()
        self._ticks.setSpacing(tokens.space(1))
        choose = self.services.choose_file
        self.key_file = FileField("Private key file", lambda then: choose(then, "Choose a private key file"), "ph.key")
        self.key_file.chosen.connect(lambda _: self.moved.emit())
        self.passphrase = FileField(
            "Passphrase file", lambda then: choose(then, "Choose a file with the passphrase"), "ph.lock-key"
        )
        self.passphrase.chosen.connect(lambda _: self.moved.emit())
        self._key_field = Field(
            "A key that is not in the vault", self.key_file, "An age identity, or an RSA key in PEM."
        )
        self._passphrase_field = Field("A file whose first line is the passphrase", self.passphrase, _FROM_FILE)
        self.typed = TextField("Passphrase", secret=True)
        self.typed.textChanged.connect(self.moved)
        self._typed_field = Field("Passphrase", self.typed, _TYPED)
        keys.body.addLayout(self._at_hand)
        keys.body.addLayout(self._ticks)
        keys.body.addWidget(self._key_field)
        keys.body.addWidget(self._typed_field)
        keys.body.addWidget(self._passphrase_field)
        where = Card("Where the result goes")
        self.unpack = Tick("Take the folder apart")
        self.unpack.toggled.connect(self._show_name)
        self._unpack_help = Label(_UNPACK_HELP, "small", "muted", wrap=True)
        self.output = TextField("Name of the opened file")
        self.output.textChanged.connect(self.moved)
        self._output = Field("Name of the opened file", self.output)
        self._folder = Label("", "small", "muted", wrap=True)
        where.body.addWidget(self.unpack)
        where.body.addWidget(self._unpack_help)
        where.body.addWidget(self._output)
        where.body.addWidget(self._folder)
        left, right = QVBoxLayout(), QVBoxLayout()
        for column, cards in ((left, (self.facts, who)), (right, (keys, where))):
            column.setSpacing(tokens.space(4))
            for card in cards:
                column.addWidget(card)
            column.addStretch(1)
        self.settings = QWidget()
        line = QHBoxLayout(self.settings)
        line.setContentsMargins(0, 0, 0, 0)
        line.setSpacing(tokens.space(4))
        line.addLayout(left, 1)
        line.addLayout(right, 1)

    # -- the file --------------------------------------------------------------------------------------------------

    def start_over(self) -> None:
        self.forget_job()
        self.path, self._seen = None, None
        self.show_part(self.start)

    def open_file(self, path: Path) -> None:
        self.forget_job()
        self.path, self._seen = path, None
        self.start.show_error(None)
        for field in (self.key_file, self.passphrase):
            field.set_path(None)
        self.typed.clear()
        self.session.ask({"do": "look", "path": str(path)}, self._looked, self._refused)
        self.moved.emit()

    def _refused(self, error: GuardError) -> None:
        self.start_over()
        self.start.show_error(error)

    def _looked(self, seen: dict[str, Any]) -> None:
        if seen["sealed"] is None:
            self._refused(GuardError(*_not_sealed(seen["name"])))
            return
        self._seen = seen
        sealed = seen["sealed"]
        clear(self._facts)
        facts = [("File", seen["name"]), ("Size", wording.size(seen["bytes"])), ("Content", sealed["content"])]
        if sealed["content_bytes"] is not None:
            facts.append(("Size of the content", wording.size(sealed["content_bytes"])))
            facts.append(("Segments", wording.number(sealed["segments"])))
        for name, value in facts:
            line = FigureLine(name)
            line.put(value)
            self._facts.addWidget(line)
        self._chips.fill(kind_chips(sealed["recipients"]))
        for field in (self._typed_field, self._passphrase_field):
            field.setVisible(bool({"argon2id", "scrypt"} & set(sealed["recipients"])))
        for shown in (self.unpack, self._unpack_help):
            shown.setVisible(bool(sealed["folder_name"]))
        self.unpack.setChecked(bool(sealed["folder_name"]))
        self._show_name()
        self._folder.say("New folder: {folder}", folder=str(self.services.jobs.new_folder(self._job_name())))
        self._show_keys()
        self.show_part(self.settings)

    def _show_name(self) -> None:
        if self._seen is not None:
            self.output.setText(self._seen["sealed"]["folder_name" if self.unpack.isChecked() else "opened_name"])

    def _keys(self) -> list[KeyInfo]:
        """The vault's private keys of a kind that could open it."""
        snapshot, kinds = self.services.vault.snapshot, (self._seen or {}).get("sealed", {}).get("recipients", [])
        keys = snapshot.keys if snapshot is not None else ()
        return [key for key in keys if key.has_private and key.type in SEALING_TYPES and _STANZA[key.type] in kinds]

    def _show_keys(self) -> None:
        if self._seen is None:
            return
        keys = self._keys()
        if [key.name for key in keys] != list(self.ticks) or not self._at_hand.count():
            clear(self._ticks)
            clear(self._at_hand)
            self.ticks = {}
            for key in keys:
                tick = Tick("{key} · {kind}", key=key.name, kind="RSA" if key.type == "rsa" else "age")
                tick.setChecked(True)
                tick.toggled.connect(self.moved)
                self.ticks[key.name] = tick
                self._ticks.addWidget(tick)
            if keys:
                text = "Your vault has keys of a kind that can open it"
                self._at_hand.addWidget(CheckLine("done", text, "Whether one of them fits shows when it is tried."))
            else:
                text = "No private key in your vault is of a kind that opens it"
                self._at_hand.addWidget(CheckLine("amberFlag", text, "Choose a key file below."))
        self.moved.emit()

    # -- where one is ----------------------------------------------------------------------------------------------

    def focus_first(self) -> None:
        first: dict[QWidget, QWidget] = {self.start: self.start.zone.button, self.settings: self.output}
        first.get(self.part, self.another).setFocus()

    def _change(self) -> None:
        path = self.path
        if self._seen is not None:
            self.forget_job()
            self.show_part(self.settings)
        elif path is not None:
            self.open_file(path)
        else:
            self.start_over()

    def _chosen(self) -> list[str]:
        return [name for name, tick in self.ticks.items() if tick.isChecked()]

    def _why_not(self) -> str:
        if not (self._chosen() or self.key_file.path or self.passphrase.path or self.typed.text()):
            return "Choose at least one key to try."
        if not self.output.text().strip() or any(letter in self.output.text() for letter in "/\\\0"):
            return "Give the opened file a name without slashes."
        return ""

    def _job_name(self) -> str:
        return f"open {self.path.name if self.path else ''}"[:120]

    def _press(self) -> None:
        if self.part is self.written:
            self.open_folder()
        elif self.part is self.settings and not self._why_not():
            if self._chosen():
                self.services.vault.unlocked(self._queue)
            else:
                self._queue()

    def _queue(self) -> None:
        document = {
            "input": str(self.path),
            "private_keys": self._chosen(),
            "identity_files": [str(self.key_file.path)] if self.key_file.path else [],
            "passphrase_file": str(self.passphrase.path) if self.passphrase.path else None,
            "passphrase": self.services.typed.keep(self.typed.text()) if self.typed.text() else "",
            "output_name": self.output.text().strip(),
            "unpack": self.unpack.isChecked(),
            "name": self._job_name(),
        }
        self.typed.clear()
        self.running.wait()
        self.show_part(self.running)
        self.queue(lambda: _spec(document))

    # -- the job ---------------------------------------------------------------------------------------------------

    def show_job(self, row: Any) -> None:
        path = Path(row.spec["input"])
        if path != self.path:
            self.path, self._seen = path, None
        if row.state == "done" and row.result is not None:
            self._show_written(row.result, unpacked=bool(row.spec.get("unpack")))
        else:
            self.running.show_job(row)
            self.show_part(self.running)

    def _show_written(self, result: dict[str, Any], *, unpacked: bool) -> None:
        self.written.verdict.show_verdict(
            "success",
            "ph.shield-check-fill",
            "Opened, and whole",
            "<b>{file}</b> · {size}. It is not encrypted any more: whoever can read the folder can read it.",
            file=result["path"],
            size=wording.size(result["content_bytes"]),
        )
        facts = [("File", result["path"]), ("Content", result["content"])]
        facts.append(("Size of the content", wording.size(result["content_bytes"])))
        # an unpacked folder counts its files where a file counts its segments
        whole = "{n} files out of one archive." if unpacked else "{n} segments, in their order, to the last one."
        lines = [
            Line("done", "Every segment is authentic", whole, {"n": wording.number(result["segments"])}),
            Line(
                "amberFlag",
                "This does not show who sealed it",
                "Anyone with a public key can. A signature shows it.",
                {},
            ),
        ]
        self.written.show_written(facts, None, [], lines)
        self.show_part(self.written)

    # -- what header and footer say --------------------------------------------------------------------------------

    def say(self, header: PageHeader, footer: Footer) -> None:
        part = self.part
        if self.path is None:
            header.subtitle.say("Decrypt a sealed file with your key")
        elif self._seen is None:
            header.subtitle.put(self.path.name)
        else:
            header.subtitle.put(file_line(self._seen))
        self.another.setVisible(part is not self.start)
        self.report.setVisible(part is self.written)
        self.primary.setVisible(part in (self.settings, self.written))
        footer.setVisible(part is not self.start)
        self.primary.enable()
        footer.note.say("A new file is written. The sealed one stays as it is.")
        if part is self.settings:
            self.primary.set_icon("ph.lock-simple-open")
            self.primary.say("Open and queue")
            footer.sentence.say("It becomes {file}", file=self.output.text().strip())
            reason = self._why_not()
            if reason:
                self.primary.why_disabled(reason)
                footer.note.say(reason)
        elif part is self.written and self.row is not None:
            self.primary.set_icon("ph.folder-open")
            self.primary.say("Open folder")
            footer.sentence.say("Written: {file}", file=(self.row.result or {}).get("path", ""))
            footer.note.say("In {folder}. The sealed file stays as it is.", folder=str(self.row.folder))
        else:
            self.say_waiting(footer)


def _spec(document: dict[str, Any]) -> Spec:
    from guardapp.jobs.registry import lookup

    return lookup("open").spec.model_validate(document)


_UNPACK_HELP = "It is the archive of a folder. The folder appears when all of it is authentic."
_TYPED = "It stays in this window's memory: it is written nowhere, and forgotten when the window is closed."
_FROM_FILE = "Delete the file afterwards."


def _not_sealed(name: str) -> tuple[str, str, str, str]:
    return (
        f"{name} is not a sealed file",
        "it does not begin as sealed files do",
        "Choose a file that “Protect” has made, usually with the ending .sealed.",
        "open.not-sealed",
    )
