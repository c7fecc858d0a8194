"""Opening a sealed file as a job."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from pathlib import Path

from pydantic import Field, field_validator

from guardapp.progress import Progress
from guardapp.seal import keys as key_texts
from guardapp.seal.folder_archive import SUFFIX as FOLDER_SUFFIX
from guardapp.seal.job import SUFFIX, SecretPath
from guardapp.seal.job_report import write_open_report
from guardapp.seal.opening import AGE_SUFFIX, format_of, open_any
from guardapp.seal.reader import open_file, read_header
from guardapp.seal.recipients import Identity, PassphraseIdentity
from guardapp.seal.sealed import OnBytes, Opened
from guardapp.seal.unpack import unpack_sealed
from guardapp.spec import InputPath, KeyNeed, Result, Spec

_OURS = ("job.json", "report.json", "report.html")
"""Names in the job's folder that are taken."""


class OpenSpec(Spec, kind="open"):
    """Decrypt a sealed or age file, if all of it is as it was sealed."""

    input: InputPath = Field(description="The sealed file. It is read, never changed.")
    private_keys: list[str] = Field(default=[], description="Keys in the vault to try, by name.")
    identity_files: list[SecretPath] = Field(default=[], description="Files with age identities or an RSA private key.")
    passphrase_file: SecretPath | None = Field(None, description="A file whose first line is a passphrase to try.")
    passphrase: str = Field("", description="The name under which a passphrase to try is handed over.")
    output_name: str = Field("", max_length=255, pattern=r"^[^/\\\x00]*$", description="What to call the opened file.")
    unpack: bool = Field(False, description="Take a folder archive apart into a new folder.")
    flush: bool = Field(True, description="Wait until the file is on the disk.")

    @field_validator("output_name")
    @classmethod
    def _free(cls, name: str) -> str:
        if name in (".", "..", *_OURS):
            raise ValueError("the name is taken by a file that every job writes")
        return name

    def keys(self) -> list[KeyNeed]:
        names = [*self.private_keys, self.passphrase] if self.passphrase else self.private_keys
        return [KeyNeed(name, "private") for name in names]


class OpenResult(Result):
    """What was opened; path: within the job's folder."""

    path: str
    content: str
    content_bytes: int
    segments: int
    seconds: float


def run(spec: OpenSpec, out: Path, progress: Progress) -> OpenResult:
    begun = time.monotonic()
    identities = gather_identities(
        spec.private_keys, spec.identity_files, spec.passphrase_file, spec.passphrase, progress
    )
    target = out / (spec.output_name or opened_name(spec.input))
    with progress.stage("Opening", spec.input.stat().st_size) as stage:
        if spec.unpack:
            target = target.with_name(folder_name(target.name))
            opened = _unpack(spec.input, target, identities, stage.advance)
        else:
            opened = open_any(spec.input, target, identities, flush=spec.flush, on_bytes=stage.advance)
    progress.artifact("opened", target)
    result = OpenResult(
        headline=f"{spec.input.name} is opened",
        path=target.name,
        content=opened.content,
        content_bytes=opened.nbytes,
        segments=opened.segments,
        seconds=round(time.monotonic() - begun, 3),
    )
    write_open_report(out, spec, result)
    return result


def opened_name(path: Path) -> str:
    """What to call what is in the sealed or age file `path`: its name without the ending, with what the content is."""
    if format_of(path) == "age":
        name = path.stem if path.suffix == AGE_SUFFIX else f"{path.name}.opened"
        return f"opened-{name}" if name in _OURS else name
    fd = open_file(path)
    try:
        content = read_header(fd, path.name).content
    finally:
        os.close(fd)
    name = path.stem if path.suffix == SUFFIX else f"{path.name}.opened"
    if content == "safetensors" and not name.endswith(".safetensors"):
        name += ".safetensors"
    return f"opened-{name}" if name in _OURS else name


def folder_name(name: str) -> str:
    """What to call the folder out of an archive that would be opened as `name`."""
    return name.removesuffix(FOLDER_SUFFIX) or name


def _unpack(path: Path, folder: Path, keys: list[Identity], on_bytes: OnBytes) -> Opened:
    unpacked = unpack_sealed(path, folder, keys, on_bytes=on_bytes)
    return Opened("file", unpacked.nbytes, unpacked.files, None)


def gather_identities(
    private_keys: Sequence[str],
    files: Sequence[Path],
    passphrase_file: Path | None,
    passphrase: str,
    progress: Progress,
) -> list[Identity]:
    """Every key that a spec names to open with. GuardError: as `keys.identities`; OSError of the files."""
    found: list[Identity] = []
    for path in files:
        found += key_texts.identities(path.read_bytes(), path.name)
    for name in private_keys:
        found += key_texts.identities(progress.key(name), name)
    if passphrase_file is not None:
        found.append(PassphraseIdentity(key_texts.passphrase(passphrase_file.read_bytes(), passphrase_file.name)))
    if passphrase:
        found.append(PassphraseIdentity(progress.key(passphrase).decode()))
    return found
