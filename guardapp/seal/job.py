"""Sealing a checkpoint, any file or a folder as a job."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Annotated, NamedTuple

from pydantic import AfterValidator, Field, ValidationInfo, model_validator

from guardapp.formats import checkpoints, safetensors
from guardapp.progress import Progress, Stage
from guardapp.seal import keys as key_texts
from guardapp.seal.age_file import write_age
from guardapp.seal.folder_archive import SUFFIX as FOLDER_SUFFIX
from guardapp.seal.folder_archive import FolderPlaintext
from guardapp.seal.job_report import write_seal_report
from guardapp.seal.opening import AGE_SUFFIX, Format
from guardapp.seal.plaintext import FilePlaintext, Plaintext
from guardapp.seal.recipients import PassphraseRecipient, Recipient
from guardapp.seal.sealed import Written, write_sealed
from guardapp.spec import InputPath, KeyNeed, Result, Spec
from guardapp.vault import keys
from guardapp.vault.rules import RECOVERY_NEED

SUFFIX = ".sealed"
_KEY_FILES = (".pem", ".pub", ".txt")


def _beside(path: Path, info: ValidationInfo) -> Path:
    base = (info.context or {}).get("base")
    return path if base is None or path.is_absolute() else Path(base) / path


def _is_path(text: str) -> bool:
    return not key_texts.is_key_text(text) and ("/" in text or "\\" in text or text.endswith(_KEY_FILES))


def _beside_the_spec(text: str, info: ValidationInfo) -> str:
    return str(_beside(Path(text), info)) if _is_path(text) else text


RecipientText = Annotated[str, AfterValidator(_beside_the_spec)]
"""A recipient as a spec names one: `age1…`, PEM text, a key file relative to the spec, or a key in the vault."""

SecretPath = Annotated[Path, AfterValidator(_beside)]
"""A file with a secret. Unlike an `InputPath` it leaves no hash in job.json, from which a secret could be guessed."""


class SealSpec(Spec, kind="seal"):
    """Encrypt a checkpoint, any file or a folder for its recipients."""

    input: InputPath = Field(description="What to protect, a file or a folder. It is read, never changed.")
    recipients: list[RecipientText] = Field(
        default=[], description="Who may open it: age1… or age1pq1…, an RSA public key in PEM, or a key in the vault."
    )
    passphrase_file: SecretPath | None = Field(None, description="A file whose first line also opens it.")
    passphrase: str = Field("", description="The name under which a passphrase that also opens it is handed over.")
    convert: bool = Field(True, description="Load a checkpoint safely and store its tensors as safetensors first.")
    verify: bool = Field(True, description="Decrypt what was written and compare it before it is kept.")
    flush: bool = Field(True, description="Wait until the file is on the disk.")
    format: Format = Field("sealed", description="guard-sealed/1, or age v1 for people who have another program.")
    armor: bool = Field(False, description="With age: as text, which is a third longer.")

    @model_validator(mode="after")
    def _somebody(self) -> SealSpec:
        if not self.recipients and self.passphrase_file is None and not self.passphrase:
            raise ValueError("nobody could open the file: name a recipient or a passphrase")
        if self.armor and self.format != "age":
            raise ValueError("only the age format can be written as text")
        return self

    def keys(self) -> list[KeyNeed]:
        needs = [KeyNeed(text, "recipient") for text in self.recipients if names_vault_key(text)]
        needs.append(KeyNeed(RECOVERY_NEED, "recipient"))
        return [*needs, KeyNeed(self.passphrase, "private")] if self.passphrase else needs


def names_vault_key(text: str) -> bool:
    """Whether a spec's recipient is a key in the vault, by its name."""
    return not key_texts.is_key_text(text) and not _is_path(text)


class SealResult(Result):
    """What was sealed.

    path:     of the sealed file, within the job's folder
    sha256:   of the content before sealing; None where verifying, which computes it, was switched off
    content:  "safetensors" or "file"
    tensors:  how many; None where the content is no safetensors file
    left_out: what a checkpoint held beside its tensors, and the sealed file does not
    """

    path: str
    recipients: int
    content: str
    sha256: str | None
    content_bytes: int
    sealed_bytes: int
    segments: int
    tensors: int | None
    converted: bool
    left_out: list[str]
    verified: bool
    flushed: bool
    seconds: float


def run(spec: SealSpec, out: Path, progress: Progress) -> SealResult:
    begun = time.monotonic()
    recipients = gather_recipients(spec.recipients, spec.passphrase_file, spec.passphrase, progress)
    recovery = progress.key(RECOVERY_NEED).decode()
    if recovery:
        recipients.append(key_texts.recipient(recovery))
    with _source(spec, progress) as source:
        target = out / sealed_name(spec.input, converted=source.converted, form=spec.format)
        written = _seal(source.plaintext, target, recipients, spec, progress)
        tensors = _tensors(source.plaintext) if written.content == "safetensors" else None
    progress.artifact("sealed", target)
    result = SealResult(
        headline=f"{spec.input.name} is sealed, recipients: {len(recipients)}",
        path=target.name,
        recipients=len(recipients),
        content=written.content,
        sha256=written.sha256,
        content_bytes=written.nbytes,
        sealed_bytes=target.stat().st_size,
        segments=written.segments,
        tensors=tensors,
        converted=source.converted,
        left_out=source.left_out,
        verified=spec.verify,
        flushed=spec.flush,
        seconds=round(time.monotonic() - begun, 3),
    )
    write_seal_report(out, spec, result, [recipient.kind for recipient in recipients])
    return result


def sealed_name(path: Path, *, converted: bool, form: Format = "sealed") -> str:
    """What to call the sealed form of `path`. A checkpoint loses its ending, because it is opened as safetensors.

    An age file does not say what is in it, so that its name does.
    """
    if path.is_dir():
        return path.absolute().name + FOLDER_SUFFIX + (AGE_SUFFIX if form == "age" else SUFFIX)
    if form == "age":
        return (f"{path.stem}.safetensors" if converted else path.name) + AGE_SUFFIX
    as_tensors = converted or checkpoints.sniff(path) == "safetensors"
    return (path.stem if as_tensors else path.name) + SUFFIX


class _Source(NamedTuple):
    """What is sealed: the input itself, a folder's archive, or the tensors that were loaded from it."""

    plaintext: Plaintext
    converted: bool
    left_out: list[str]


@contextmanager
def _source(spec: SealSpec, progress: Progress) -> Iterator[_Source]:
    """GuardError as `checkpoints.load` where the input is to be converted and is not surely harmless."""
    if spec.input.is_dir():
        with FolderPlaintext(spec.input) as folder:
            yield _Source(folder, False, folder.left_out)
        return
    as_it_is = not spec.convert or checkpoints.sniff(spec.input) == "safetensors"
    if as_it_is or checkpoints.plainly_other(spec.input):
        with FilePlaintext(spec.input) as plaintext:
            yield _Source(plaintext, False, [])
        return
    with progress.stage("Loading safely"):
        from guardapp.formats.safetensors_image import SafetensorsImage

        loaded = checkpoints.load(spec.input)
    if loaded.left_out:
        progress.log(f"Not tensors of the model, so left out: {', '.join(loaded.left_out[:20])}", "warning")
    yield _Source(SafetensorsImage(loaded.tensors), True, loaded.left_out)


def _seal(source: Plaintext, target: Path, recipients: list[Recipient], spec: SealSpec, progress: Progress) -> Written:
    """Seal with two stages shown one after the other; the second begins with its first bytes."""
    with ExitStack() as stages:
        sealing = stages.enter_context(progress.stage("Encrypting", source.nbytes))
        checking: list[Stage] = []

        def on_checked(nbytes: int) -> None:
            if not checking:
                stages.close()
                checking.append(stages.enter_context(progress.stage("Checking", source.nbytes)))
            checking[0].advance(nbytes)

        write = partial(write_age, armor=spec.armor) if spec.format == "age" else write_sealed
        return write(
            source,
            target,
            recipients,
            verify=spec.verify,
            flush=spec.flush,
            on_bytes=sealing.advance,
            on_checked=on_checked,
        )


def _tensors(source: Plaintext) -> int:
    def read(offset: int, length: int) -> bytes:
        data = bytearray(length)
        source.read_into(memoryview(data), offset)
        return bytes(data)

    return len(safetensors.read_layout(read, source.nbytes, "").tensors)


def gather_recipients(
    texts: Sequence[str], passphrase_file: Path | None, passphrase: str, progress: Progress
) -> list[Recipient]:
    """Everybody whom a spec names to seal for. GuardError: as `keys.recipient`; OSError of the files."""
    found: list[Recipient] = []
    for text in texts:
        if key_texts.is_key_text(text):
            found.append(key_texts.recipient(text))
        elif _is_path(text):
            path = Path(text)
            found += map(key_texts.recipient, key_texts.recipients_in(path.read_bytes(), path.name))
        else:
            # of a key that also opens the file, its private half was handed over
            found.append(key_texts.recipient(keys.read(progress.key(text)).public))
    if passphrase_file is not None:
        words = key_texts.passphrase(passphrase_file.read_bytes(), passphrase_file.name)
        found.append(PassphraseRecipient(words))
    if passphrase:
        found.append(PassphraseRecipient(progress.key(passphrase).decode()))
    return found
