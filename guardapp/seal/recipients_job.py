"""Changing for whom a sealed file is, as a job: a new file is written, and the old one stays as it is."""

from __future__ import annotations

import time
from contextlib import ExitStack
from pathlib import Path

from pydantic import Field, PositiveInt, model_validator

from guardapp.progress import Progress, Stage
from guardapp.seal import keys as key_texts
from guardapp.seal.inspect import inspect_sealed
from guardapp.seal.job import RecipientText, SecretPath, gather_recipients, names_vault_key
from guardapp.seal.open_job import gather_identities
from guardapp.seal.reader import open_file, read_header
from guardapp.seal.recipients import Identity, Recipient
from guardapp.seal.recipients_report import write_recipients_report
from guardapp.seal.rewrap import change_recipients, rekey
from guardapp.spec import InputPath, KeyNeed, Result, Spec
from guardapp.vault.rules import RECOVERY_NEED

_OURS = ("job.json", "report.json", "report.html")


class RecipientsSpec(Spec, kind="recipients"):
    """Add and remove recipients of a sealed file, or seal its content anew for others."""

    input: InputPath = Field(description="The sealed file. It is read, never changed.")
    recipients: list[RecipientText] = Field(
        default=[], description="Who may open it, too: age1… or age1pq1…, an RSA public key in PEM, or a vault key."
    )
    passphrase_file: SecretPath | None = Field(None, description="A file whose first line opens it, too.")
    passphrase: str = Field("", description="The name under which a passphrase that opens it, too, is handed over.")
    remove: list[PositiveInt] = Field([], description="Numbers of recipients to take out, as `guardapp inspect` shows.")
    new_key: bool = Field(False, description="Encrypt all of it anew under a new key, for the named recipients alone.")
    private_keys: list[str] = Field([], description="Keys in the vault to open it with, by name.")
    identity_files: list[SecretPath] = Field([], description="Files with keys to open it with.")
    old_passphrase_file: SecretPath | None = Field(None, description="A file whose first line opens it now.")
    old_passphrase: str = Field("", description="The name under which a passphrase that opens it now is handed over.")
    verify: bool = Field(True, description="Decrypt all of the new file before it is kept.")
    flush: bool = Field(True, description="Wait until the file is on the disk.")

    @model_validator(mode="after")
    def _something_to_do(self) -> RecipientsSpec:
        somebody = bool(self.recipients or self.passphrase or self.passphrase_file)
        if self.new_key and not somebody:
            raise ValueError("nobody could open the file: name a recipient or a passphrase")
        if self.new_key and self.remove:
            raise ValueError("a new key leaves out everybody who is not named, so that nobody is to be removed")
        if not somebody and not self.remove:
            raise ValueError("nothing would change: name recipients to add or to remove")
        return self

    def keys(self) -> list[KeyNeed]:
        named = [text for text in self.recipients if names_vault_key(text)]
        needs = [KeyNeed(name, "own" if name in named else "private") for name in self.private_keys]
        needs += [KeyNeed(name, "recipient") for name in named if name not in self.private_keys]
        needs += [KeyNeed(name, "private") for name in (self.passphrase, self.old_passphrase) if name]
        return [*needs, KeyNeed(RECOVERY_NEED, "recipient")]


class RecipientsResult(Result):
    """What was written.

    path:            of the new file, within the job's folder
    recipient_kinds: kinds of all recipients' stanzas, in file order
    still_opens:     one of the keys that opened the old file opens the new one
    sha256:          of the content; None where verifying, which computes it, was switched off
    """

    path: str
    recipients: int
    recipient_kinds: list[str]
    added: int
    removed: int
    new_key: bool
    still_opens: bool
    content: str
    sha256: str | None
    content_bytes: int
    sealed_bytes: int
    segments: int
    verified: bool
    flushed: bool
    seconds: float


def run(spec: RecipientsSpec, out: Path, progress: Progress) -> RecipientsResult:
    begun = time.monotonic()
    keys = gather_identities(
        spec.private_keys, spec.identity_files, spec.old_passphrase_file, spec.old_passphrase, progress
    )
    people = gather_recipients(spec.recipients, spec.passphrase_file, spec.passphrase, progress)
    recovery = progress.key(RECOVERY_NEED).decode()
    # nothing shows whether the recovery key is among those that are taken out
    if recovery and (spec.new_key or spec.remove):
        people.append(key_texts.recipient(recovery))
    target = out / (f"sealed-{spec.input.name}" if spec.input.name in _OURS else spec.input.name)
    before = _count(spec.input)
    sha256 = _write(spec, target, keys, people, progress)
    progress.artifact("sealed", target)
    seen = inspect_sealed(target, keys)
    count = len(seen.recipients)
    result = RecipientsResult(
        headline=_headline(spec, count),
        path=target.name,
        recipients=count,
        recipient_kinds=list(seen.recipients),
        added=len(people),
        removed=before if spec.new_key else before + len(people) - count,
        new_key=spec.new_key,
        still_opens=seen.opened,
        content=seen.content,
        sha256=sha256,
        content_bytes=seen.content_bytes or 0,
        sealed_bytes=seen.file_bytes,
        segments=seen.segments or 0,
        verified=spec.verify,
        flushed=spec.flush,
        seconds=round(time.monotonic() - begun, 3),
    )
    write_recipients_report(out, spec, result)
    return result


def _headline(spec: RecipientsSpec, count: int) -> str:
    if spec.new_key:
        return f"{spec.input.name} is sealed under a new key, recipients: {count}"
    return f"{spec.input.name} is for others now, recipients: {count}"


def _count(path: Path) -> int:
    fd = open_file(path)
    with open(fd, "rb"):  # noqa: PTH123 - takes over the descriptor, and closes it
        return len(read_header(fd, path.name).stanzas)


def _write(
    spec: RecipientsSpec, target: Path, keys: list[Identity], people: list[Recipient], progress: Progress
) -> str | None:
    """The new file, in two stages shown one after the other; the SHA-256 of its content where it is known."""
    nbytes = spec.input.stat().st_size
    with ExitStack() as stages:
        writing = stages.enter_context(progress.stage("Encrypting" if spec.new_key else "Copying", nbytes))
        checking: list[Stage] = []

        def on_checked(count: int) -> None:
            if not checking:
                stages.close()
                checking.append(stages.enter_context(progress.stage("Checking", nbytes)))
            checking[0].advance(count)

        if spec.new_key:
            return rekey(
                spec.input, keys, people, target=target, verify=spec.verify, flush=spec.flush,
                on_bytes=writing.advance, on_checked=on_checked,
            ).sha256  # fmt: skip
        return change_recipients(
            spec.input, keys, add=people, remove=spec.remove, target=target, verify=spec.verify, flush=spec.flush,
            on_bytes=writing.advance, on_checked=on_checked,
        ).sha256  # fmt: skip
