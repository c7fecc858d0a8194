"""What can be seen inside the files of a folder without running anything: sealed files, tensors, and code."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from guardapp.errors import GuardError
from guardapp.formats import checkpoints
from guardapp.formats.safetensors import Layout
from guardapp.progress import Progress
from guardapp.seal.counted import counted
from guardapp.seal.damage import DamageError
from guardapp.seal.inspect import inspect_sealed
from guardapp.seal.opening import format_of, verify_any
from guardapp.seal.reader import SealedFile
from guardapp.seal.recipients import Identity
from guardapp.seal.tensor_line import DamageLine, TensorLine
from guardapp.seal.unwrap import recipient_kinds

PIECE_BYTES: Final = 1 << 20
_PICKLES: Final = {
    "torch-zip": "a pickle in a zip archive",
    "torch-legacy": "a pickle",
    "torchscript": "TorchScript, which carries code",
}


class Inside(NamedTuple):
    """What was found.

    checks:     (name, ok or None, sentence) each
    recipients: sealed file to the kinds of key that open it
    damaged:    a sealed file is not whole, or a safetensors file is malformed
    hits:       the tensors of sealed files that are not whole
    """

    checks: list[tuple[str, bool | None, str]]
    recipients: dict[str, str]
    tensors: list[TensorLine]
    damaged: bool
    hits: list[DamageLine]


def look_inside(path: Path, keys: Sequence[Identity], progress: Progress) -> Inside:
    """Look into a file, or into every file of a folder; links are not followed."""
    finds = Inside([], {}, [], False, [])
    runs_code: list[str] = []
    safe, unseen = 0, 0
    for name, file in _files(path):
        try:
            if format_of(file) is not None:
                opened = _look_into_sealed(name, file, keys, progress, finds)
                safe, unseen = safe + (opened is True), unseen + (opened is None)
                continue
            kind = checkpoints.sniff(file)
            if kind == "safetensors" and file.suffix == ".safetensors":
                _look_into_tensors(name, file, progress, finds)
                safe += 1
            elif kind in _PICKLES:
                runs_code.append(f"{name} is {_PICKLES[kind]}")
        except GuardError as error:
            finds.checks.append(("Whole", False, str(error)))
            finds = finds._replace(damaged=True)
            if isinstance(error, DamageError):
                finds.hits.extend(
                    DamageLine(file=name, tensor=hit.tensor, first_byte=hit.begin, last_byte=hit.end - 1)
                    for hit in error.hits
                )
    if finds.tensors:
        parameters = f"{counted(len(finds.tensors), 'tensor')}, read from the header and hashed without loading"
        finds.checks.append(("Tensors", True, parameters))
    if runs_code:
        finds.checks.append(("No code inside", False, f"{'; '.join(runs_code)}: loading it can run code"))
    elif unseen:
        finds.checks.append(("No code inside", None, "a sealed file is closed to the keys at hand"))
    elif safe:
        finds.checks.append(("No code inside", True, "safetensors: nothing in it can run when it is loaded"))
    return finds


def _look_into_sealed(
    name: str, file: Path, keys: Sequence[Identity], progress: Progress, finds: Inside
) -> bool | None:
    """Whether it holds safetensors; None if no key opens it. Raises GuardError for a damaged one."""
    finds.recipients[name] = recipient_kinds(inspect_sealed(file).recipients)
    try:
        with progress.stage("Checking sealed files", total=float(file.stat().st_size)) as stage:
            opened = verify_any(file, keys, on_bytes=stage.advance)
    except GuardError as error:
        if error.code != "sealed.no-key":
            raise
        sentence = (
            f"{name} is for {finds.recipients[name]}; none of the keys at hand opens it, so only its form was seen"
        )
        finds.checks.append(("Header", None, sentence))
        return None
    sentence = f"{name} is authentic and whole: {counted(opened.segments, 'segment')}, for {finds.recipients[name]}"
    finds.checks.append(("Header", True, sentence))
    if opened.content != "safetensors":
        return False
    with SealedFile(file, keys) as sealed:

        def read_sealed(view: memoryview, offset: int) -> None:
            sealed.read_into(view, offset)

        finds.tensors.extend(_tensors(name, sealed.layout, read_sealed, progress))
    return True


def _look_into_tensors(name: str, file: Path, progress: Progress, finds: Inside) -> None:
    layout = checkpoints.layout(file)
    with file.open("rb", buffering=0) as source:

        def read_plain(view: memoryview, offset: int) -> None:
            source.seek(offset)
            while len(view) and (count := source.readinto(view)):
                view = view[count:]

        finds.tensors.extend(_tensors(name, layout, read_plain, progress))


def _tensors(
    name: str, layout: Layout, read_into: Callable[[memoryview, int], None], progress: Progress
) -> list[TensorLine]:
    lines = []
    buffer = memoryview(bytearray(PIECE_BYTES))
    with progress.stage("Hashing tensors", total=float(sum(tensor.nbytes for tensor in layout.tensors))) as stage:
        for tensor in layout.tensors:
            hasher = hashlib.sha256()
            for offset in range(tensor.begin, tensor.begin + tensor.nbytes, PIECE_BYTES):
                piece = buffer[: min(PIECE_BYTES, tensor.begin + tensor.nbytes - offset)]
                read_into(piece, offset)
                hasher.update(piece)
                stage.advance(len(piece))
            lines.append(
                TensorLine(
                    file=name,
                    name=tensor.name,
                    shape=list(tensor.shape),
                    dtype=tensor.dtype,
                    bytes=tensor.nbytes,
                    sha256=hasher.hexdigest(),
                )
            )
    return lines


def _files(path: Path) -> list[tuple[str, Path]]:
    if not path.is_dir():
        return [(path.name, path)]
    found = [file for file in path.rglob("*") if file.is_file() and not file.is_symlink()]
    return sorted((file.relative_to(path).as_posix(), file) for file in found)
