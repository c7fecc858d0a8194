"""Verify: one large plain verdict with the fingerprint, then what was checked, what is inside, and who can open it."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QApplication, QVBoxLayout, QWidget

from guardapp.desktop import wording
from guardapp.desktop.checkpoints import verdicts
from guardapp.desktop.checkpoints.flow import Flow
from guardapp.desktop.checkpoints.mode import Mode, Start, file_line
from guardapp.desktop.checkpoints.passport_card import PassportCard
from guardapp.desktop.checkpoints.tensor_card import TensorCard, from_result, write_csv
from guardapp.desktop.i18n import Key
from guardapp.desktop.kit import Button, Card, CheckLine, Chip, Label, VerdictCard, clear, row
from guardapp.desktop.theme import tokens

if TYPE_CHECKING:
    from guardapp.desktop.child_session import ChildSession
    from guardapp.desktop.kit import Footer, PageHeader
    from guardapp.desktop.page import Services
    from guardapp.spec import Spec
    from guardapp.vault.store import Vault

_KINDS = (("ph.folder", "Signed folder"), ("ph.archive-box", "Export bundle"), ("ph.lock-key", "Sealed file"))
_NARROW = 1200
"""Below this width the fingerprint stands on two lines, so that the verdict is not shortened."""

_HASHED = "Read from the header and hashed, without unpickling and without loading weights."


class VerifyMode(Mode):
    """open_wanted(path): a sealed file that was verified is to be opened."""

    kinds = ("verify",)

    open_wanted = Signal(object)

    def __init__(self, services: Services, session: ChildSession) -> None:
        super().__init__(services, session)
        self._key: Path | None = None
        self._seen: dict[str, Any] = {}
        self._result: dict[str, Any] | None = None
        self._make_start()
        self._make_result()
        self.add_parts(self.start, self.running, self.result)
        self.export = Button("Export report…", icon="ph.export")
        self.export.clicked.connect(partial(self.export_report, "verification"))
        self.another = Button("Verify another…", icon="ph.folder-open")
        self.another.clicked.connect(self.start_over)
        self.with_key = Button("Check with a public key file…", icon="ph.key")
        self.with_key.clicked.connect(
            lambda: services.choose_file(self._again_with, "Choose the signer's public key", _PEM)
        )
        self.tools = [self.with_key, self.export, self.another]
        self.folder = Button("Open result folder", icon="ph.folder-open")
        self.folder.clicked.connect(self.open_folder)
        self.open = Button("Open the checkpoint…", "primary", "ph.lock-simple-open")
        self.open.clicked.connect(self._open_checkpoint)
        self.buttons = [self.folder, self.open]
        services.vault.changed.connect(self._say_locked)
        self.start_over()

    def _make_start(self) -> None:
        self._choose_folder = Button("Choose a folder…", icon="ph.folder")
        self._choose_key = Button("Check with a public key file…", "link", "ph.key")
        self._key_chip = Chip("", "ph.key", "accent", removable=True)
        self._key_chip.removed.connect(lambda: self.use_key(None))
        self._key_chip.hide()
        self.start = Start(
            "Drop a signed folder, a bundle or a sealed file here",
            "It is only read. You see who signed it, whether it is whole, and what is inside.",
            "Choose a file…",
            _KINDS,
            self._choose_folder,
            self._choose_key,
            self._key_chip,
        )
        self.start.dropped.connect(self.open_file)
        ask = self.services.choose_file
        self.start.zone.choose.connect(lambda: ask(self.open_file, "Choose what to verify"))
        self._choose_folder.clicked.connect(lambda: ask(self.open_file, "Choose what to verify", folder=True))
        self._choose_key.clicked.connect(lambda: ask(self.use_key, "Choose the signer's public key", _PEM))

    def _make_result(self) -> None:
        self.verdict = VerdictCard()
        self.verdict.copy.connect(lambda _: self._copy())
        self.checks = Card("What was checked")
        self._passed = Label("", "small", "success")
        self.checks.tools.addWidget(self._passed)
        self._lines = QVBoxLayout()
        self._lines.setSpacing(0)
        self.checks.body.setContentsMargins(15, 6, 15, 4)
        self.checks.body.addLayout(self._lines)
        self.checks.body.addStretch(1)
        self.who = Card("Who can open it", line=False)
        self._count = Label("", "small", "muted")
        self.who.tools.addWidget(self._count)
        self._chips = Flow()
        self._note = Label("", "small", "muted", wrap=True)
        self._unlock = Button("Unlock and verify again", icon="ph.lock-simple-open", compact=True)
        self._unlock.clicked.connect(lambda: self.services.vault.unlocked(self._again))
        self.who.body.addWidget(self._chips)
        self.who.body.addWidget(self._note)
        self.who.body.addLayout(row(self._unlock, None))
        self.passport = PassportCard()
        left = QVBoxLayout()
        left.setSpacing(tokens.space(4))
        left.addWidget(self.checks, 1)
        left.addWidget(self.who)
        left.addWidget(self.passport)
        self.tensors = TensorCard()
        self.tensors.exported.connect(self._export_tensors)
        lower = row(gap=tokens.space(4))
        lower.addLayout(left, 12)
        lower.addWidget(self.tensors, 20)
        self.result = QWidget()
        whole = QVBoxLayout(self.result)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.setSpacing(tokens.space(4))
        whole.addWidget(self.verdict)
        whole.addLayout(lower, 1)

    # -- what is verified ------------------------------------------------------------------------------------------

    def start_over(self) -> None:
        self.forget_job()
        self.path, self._result = None, None
        self.show_part(self.start)

    def use_key(self, path: Path | None) -> None:
        """Check with this public key instead of the vault's."""
        self._key = path
        self._key_chip.setVisible(path is not None)
        self._choose_key.setVisible(path is None)
        if path is not None:
            self._key_chip.put(path.name)

    def open_file(self, path: Path) -> None:
        """Verify it at once: it is only read."""
        self.forget_job()
        self.path, self._result, self._seen = path, None, {}
        self.start.show_error(None)
        self.running.wait()
        self.show_part(self.running)
        self.session.ask({"do": "look", "path": str(path)}, self._looked)
        key = self._key
        self.queue(lambda: _spec(path, key, self.services.vault.vault()))

    def _again(self) -> None:
        if self.path is not None:
            self.open_file(self.path)

    def _again_with(self, key: Path) -> None:
        self.use_key(key)
        self._again()

    def _looked(self, seen: dict[str, Any]) -> None:
        self._seen = seen
        self.moved.emit()

    # -- the job ---------------------------------------------------------------------------------------------------

    def show_job(self, row: Any) -> None:
        path = Path(row.spec["path"])
        if path != self.path:
            self.path, self._seen = path, {}
            self.session.ask({"do": "look", "path": str(path)}, self._looked)
        if row.state != "done" or row.result is None:
            self.running.show_job(row)
            self.show_part(self.running)
        elif row.result is not self._result:
            self.show_result(row.result)

    def show_result(self, result: dict[str, Any]) -> None:
        """A `VerifyResult` as plain data."""
        self._result = result
        found = verdicts.words(result)
        self.verdict.show_verdict(found.tone, found.icon, found.headline, found.sentence, **found.values)
        self._show_fingerprint()
        clear(self._lines)
        for check in result["checks"]:
            state = {True: "done", False: "failed", None: "amberFlag"}[check["ok"]]
            said = partial(verdicts.evidence, check["sentence"])
            self._lines.addWidget(CheckLine(state, check["name"], "{found}", found=said))
        done, total = verdicts.passed(result["checks"])
        self._passed.say("{done} of {total} passed", done=done, total=total)
        self._passed.set_color(found.tone)
        self._show_recipients(result["recipients"])
        if result["tensors"]:
            plain = self.path if self.path is not None and self.path.suffix == ".safetensors" else None
            self.tensors.show_tensors(from_result(result["tensors"]), _HASHED, plain, self.session)
        elif result["recipients"]:
            text = "Tensors are listed when one of your keys opens the sealed file and it is whole."
            self.tensors.show_nothing("No tensors to show", text)
        else:
            self.tensors.show_nothing("No tensors to show", "There is no safetensors file in it.")
        self.passport.hide()
        if self.path is not None:
            self.session.ask({"do": "passport", "path": str(self.path)}, self.passport.show_passport)
        self.show_part(self.result)

    def _show_fingerprint(self) -> None:
        identity = verdicts.key_print(self._result) if self._result is not None else None
        if identity is None:
            self.verdict.hide_fingerprint()
        else:
            groups = verdicts.halves(identity.groups, "\n" if self.width() < _NARROW else "  ")
            self.verdict.show_fingerprint(identity.caption, groups, identity.note)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        if (event.size().width() < _NARROW) != (event.oldSize().width() < _NARROW):
            self._show_fingerprint()

    def focus_first(self) -> None:
        (self.start.zone.button if self.path is None else self.another).setFocus()

    def _show_recipients(self, recipients: dict[str, str]) -> None:
        self.who.setVisible(bool(recipients))
        chips: list[QWidget] = []
        for file, kinds in recipients.items():
            text = "{file}: {kind}" if len(recipients) > 1 else "{kind}"
            chips += [Chip(text, "ph.key", file=file, kind=Key(kind)) for kind in kinds.split(" as well as ")]
        self._chips.fill(chips)
        text = "1 sealed file" if len(recipients) == 1 else "{n} sealed files"
        self._count.say(text, n=len(recipients))
        self._say_locked()

    def _say_locked(self) -> None:
        closed = self._result is not None and any(
            check["name"] == "Header" and check["ok"] is None for check in self._result["checks"]
        )
        locked = closed and self.services.vault.locked
        self._unlock.setVisible(locked)
        if locked:
            self._note.say("The vault is locked, so its private keys were not tried.")
        else:
            self._note.say("A sealed file tells what kind of key opens it, not whose it is.")

    # -- what header and footer say --------------------------------------------------------------------------------

    def say(self, header: PageHeader, footer: Footer) -> None:
        row, result = self.row, self._result
        there = result is not None and row is not None
        self._say_header(header)
        self.export.setVisible(there)
        self.another.setVisible(self.path is not None)
        self.folder.setVisible(there)
        self.open.setVisible(there and self._sealed() is not None)
        footer.setVisible(self.path is not None)
        if not there:
            over = row is not None and row.is_over
            footer.sentence.say("There is no verdict." if over else "It is only read. You may go on working meanwhile.")
        else:
            seconds = (row.finished or 0) - (row.started or 0)
            footer.sentence.say(
                "Verified on this computer in {time}. It was only read.", time=lambda: wording.exact_duration(seconds)
            )
        tone = verdicts.words(result).tone if result is not None else "success"
        footer.note.say(_LIMITS[tone])
        self.with_key.setVisible(there and tone == "warning" and bool((result or {}).get("key_id")))
        if tone == "danger":
            self.open.why_disabled(_LIMITS[tone])
        else:
            self.open.enable()

    def _say_header(self, header: PageHeader) -> None:
        seen = self._seen
        if self.path is None:
            header.subtitle.say("Who signed it, whether it is whole, and what is inside")
        elif not seen:
            header.subtitle.put(self.path.name)
        elif seen["kind"] == "folder":
            text = "{file} · {n} files · {size}"
            header.subtitle.say(text, file=seen["name"], n=seen["files"], size=wording.size(seen["bytes"]))
        else:
            header.subtitle.put(file_line(seen))

    # -- what can be done with it ----------------------------------------------------------------------------------

    def _sealed(self) -> Path | None:
        """The sealed file that can be opened: what was verified, or the only one in the folder."""
        files = list((self._result or {}).get("recipients", {}))
        row = self.row
        if len(files) != 1 or row is None:
            return None
        path = Path(row.spec["path"])
        return path if path.name == files[0] else path / files[0]

    def _open_checkpoint(self) -> None:
        sealed = self._sealed()
        if sealed is not None:
            self.open_wanted.emit(sealed)

    def _copy(self) -> None:
        found = verdicts.key_print(self._result) if self._result is not None else None
        if found is not None:
            QApplication.clipboard().setText(found.whole)
            self.services.tell("The fingerprint is on the clipboard.", "success")

    def _export_tensors(self, tensors: list[Any]) -> None:
        self.services.choose_target(
            lambda path: self.services.background(partial(write_csv, tensors, path), self.exported),
            "Export the list of tensors…",
            "tensors.csv",
        )


_LIMITS = {
    "success": "This shows who signed it and that it is whole, not that the model is accurate or free of backdoors.",
    "warning": "Nothing here shows who made it, nor that the model is accurate or free of backdoors.",
    "danger": "It is changed or damaged, so it is not opened from here. Get it again from where it came.",
}
"""What the verdict does not prove."""

_PEM = "Public keys (*.pem *.pub);;All files (*)"


def _spec(path: Path, key: Path | None, vault: Vault) -> Spec:
    from guardapp.seal.verify_job import spec_for

    return spec_for(path, vault, key=key).model_copy(update={"name": f"verify {path.name}"[:120]})
