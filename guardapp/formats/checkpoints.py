"""Checkpoints from people who may not be trusted: what a file really is, and its tensors without running what is in it.

A pickle is a program. It is only ever read by torch's weights-only unpickler, which builds tensors and containers and
refuses all else; only in a child process, which may be killed, and there in a thread that the kernel confines where it
can; and when it refuses, there is no second way in.
"""

from __future__ import annotations

import codecs
import errno
import os
import warnings
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from guardapp.errors import GuardError
from guardapp.formats import pickle_names, safetensors
from guardapp.formats.confined import confined
from guardapp.formats.safetensors import Layout, TensorInfo

if TYPE_CHECKING:
    from torch import Tensor

UNPICKLE_ALLOWED = False
"""Set by a worker process at its start, and nowhere else: whether this process may be used to load pickles."""

Kind = Literal["safetensors", "torch-zip", "torch-legacy", "torchscript", "other"]

# a checkpoint may unfold to this many times its size: tied weights are stored once and loaded twice
MAX_GROWTH = 8
SMALL = 64 << 20

LEAST_SECONDS = 120.0
SLOWEST = 5e6
"""Bytes a second, of a slow disk: what takes longer was made to hang."""

_DISK_ERRORS = (errno.EIO, errno.ENOENT, errno.EACCES, errno.EPERM, errno.ESTALE)
"""Errors that speak of the disk; all others come of offsets that a damaged file makes up."""

_ZIP = b"PK\x03\x04"
_OTHERS = {
    b"\x89PNG": "a PNG picture",
    b"\xff\xd8\xff": "a JPEG picture",
    b"GGUF": "a GGUF model",
    b"\x89HDF": "an HDF5 file, as Keras writes",
    b"7z\xbc\xaf": "a 7z archive",
    b"PK": "a zip archive",
    b"\x93NUMPY": "a NumPy array",
    b"guard-sealed/": "a sealed file",
    b"PAR1": "a Parquet file",
    b"\x1f\x8b": "a gzip archive",
}


_HARMLESS = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"PAR1", b"guard-sealed/", b"%PDF-")


class Loaded(NamedTuple):
    """The tensors of a checkpoint.

    tensors:  by name, on the CPU, detached
    left_out: what else the file held, by name: optimizer state, counters, settings
    """

    tensors: dict[str, Tensor]
    left_out: list[str]


class Converted(NamedTuple):
    """A checkpoint that was written as safetensors."""

    tensors: int
    nbytes: int
    left_out: list[str]


def sniff(path: Path) -> Kind:
    """What `path` is, by its content; its name is not looked at. OSError where it cannot be read."""
    with path.open("rb") as file:
        head = file.read(16)
        size = os.fstat(file.fileno()).st_size
    if head[:4] == _ZIP:
        return _sniff_zip(path)
    if head[8:9] == b"{" and 10 <= 8 + int.from_bytes(head[:8], "little") <= size:
        return "safetensors"
    if head[:1] == b"\x80" and head[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05"):
        return "torch-legacy"
    return "other"


def _sniff_zip(path: Path) -> Kind:
    try:
        with zipfile.ZipFile(path) as archive:
            names = [name.partition("/")[2] for name in archive.namelist()]
    except pickle_names.ZIP_DAMAGE:
        return "other"
    if "constants.pkl" in names or any(name.startswith("code/") for name in names):
        return "torchscript"
    return "torch-zip" if "data.pkl" in names else "other"


def plainly_other(path: Path) -> bool:
    """Whether `path` is surely no checkpoint and hides none: text, a picture, a table; never an archive or a pickle."""
    with path.open("rb") as file:
        head = file.read(1 << 20)
    if head.startswith(_HARMLESS):
        return True
    try:
        # not final: a letter that was cut in half at the end of what was read is no fault
        codecs.getincrementaldecoder("utf-8")().decode(head, final=len(head) < 1 << 20)
    except UnicodeDecodeError:
        return False
    return b"\0" not in head and not head.startswith(b"PK") and pickle_names.wanted(path) is None


def describe(path: Path) -> list[TensorInfo]:
    """The tensors of a safetensors file, read from its header without torch; of a pickle where it may be loaded.

    GuardError: checkpoint.damaged, and as `load_state_dict`
    """
    if sniff(path) == "safetensors":
        return list(layout(path).tensors)
    from guardapp.formats.safetensors_image import SafetensorsImage

    return list(SafetensorsImage(load(path).tensors).layout.tensors)


def layout(path: Path) -> Layout:
    """The header of a safetensors file. GuardError checkpoint.damaged where it is not to be trusted."""
    with path.open("rb") as file:

        def read(offset: int, length: int) -> bytes:
            file.seek(offset)
            return file.read(length)

        return safetensors.read_layout(read, os.fstat(file.fileno()).st_size, path.name)


def load_state_dict(path: Path) -> dict[str, Tensor]:
    """The tensors of a `.pt`, `.pth`, `.bin`, `.ckpt` or `.safetensors` file, by name, on the CPU.

    GuardError: checkpoint.unsafe, checkpoint.damaged, checkpoint.not-a-checkpoint, checkpoint.has-code,
    checkpoint.inflated, checkpoint.needs-child
    """
    return load(path).tensors


def load(path: Path) -> Loaded:
    """As `load_state_dict`, and what was left out."""
    kind = sniff(path)
    if kind == "safetensors":
        return Loaded(_load_safetensors(path), [])
    if kind == "torchscript":
        raise GuardError(
            what=f"{path.name} cannot be loaded safely",
            why="it is a TorchScript archive, which holds code beside its tensors",
            next="Ask for its state dict (`torch.save(model.state_dict())`) or a safetensors file, or seal it as is.",
            code="checkpoint.has-code",
        )
    if kind == "other" and not _may_be_old_pickle(path):
        raise _not_a_checkpoint(path)
    from guardapp.formats.state_dicts import take_tensors

    return take_tensors(_unpickle(path, kind), path)


def load_content(path: Path, plain: Sequence[Any] = ()) -> Any:
    """All that a pickled checkpoint holds, as torch's weights-only unpickler makes it.

    plain: classes and functions that it may use besides its own, each of which only makes a value
    GuardError: as `load_state_dict`; checkpoint.not-a-checkpoint for safetensors as well
    """
    kind = sniff(path)
    if kind not in ("torch-zip", "torch-legacy") and not (kind == "other" and _may_be_old_pickle(path)):
        raise _not_a_checkpoint(path)
    return _unpickle(path, kind, plain)


def _may_be_old_pickle(path: Path) -> bool:
    """Protocols 0 and 1 have no magic, so that what is nothing else is offered to the weights-only unpickler."""
    return _other(path) is None and path.stat().st_size > 0


def _other(path: Path) -> str | None:
    with path.open("rb") as file:
        head = file.read(16)
    return next((words for magic, words in _OTHERS.items() if head.startswith(magic)), None)


def _not_a_checkpoint(path: Path) -> GuardError:
    found = "it is empty" if path.stat().st_size == 0 else f"it is {_other(path) or 'of an unknown kind'}"
    return GuardError(
        what=f"{path.name} is not a checkpoint",
        why=found,
        next="Choose a .pt, .pth, .bin, .ckpt or .safetensors file, or seal the file as it is, without converting it.",
        code="checkpoint.not-a-checkpoint",
    )


def _load_safetensors(path: Path) -> dict[str, Tensor]:
    layout(path)  # our own checks first: the header is not to be trusted
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        tensors: dict[str, Tensor] = load_file(path)
    except (SafetensorError, ValueError, KeyError, AttributeError) as error:
        raise damaged(path, "the safetensors library refuses it") from error
    return tensors


def _unpickle(path: Path, kind: Kind, plain: Sequence[Any] = ()) -> Any:
    if not UNPICKLE_ALLOWED:
        raise GuardError(
            what=f"{path.name} was not loaded",
            why="it is a pickle, which only a separate worker process may load",
            next="Run it as a job, or convert it to safetensors first.",
            code="checkpoint.needs-child",
        )
    # given a path, torch believes the ending .safetensors; given an open file it does not, but cannot map it
    mapped = kind == "torch-zip" and _check_members(path) and path.suffix != ".safetensors"
    import torch

    nbytes = path.stat().st_size
    try:
        limit = _memory_limit(SMALL * 32 + MAX_GROWTH * nbytes)
        with warnings.catch_warnings(), limit, torch.serialization.safe_globals(list(plain)):
            warnings.simplefilter("ignore")
            # weights_only is said, not left to a default or to torch's environment variables
            seconds = LEAST_SECONDS + nbytes / SLOWEST
            if mapped:
                read = partial(torch.load, path, map_location="cpu", weights_only=True, mmap=True)
                return confined(read, seconds)
            with path.open("rb") as file:
                return confined(partial(torch.load, file, map_location="cpu", weights_only=True), seconds)
    except TimeoutError as error:
        raise GuardError(
            what=f"{path.name} was refused",
            why="loading it takes longer than any checkpoint of its size should",
            next="Ask for a safetensors file of the same model.",
            code="checkpoint.too-slow",
        ) from error
    except OSError as error:
        if error.errno in _DISK_ERRORS:
            raise
        raise damaged(path, "torch cannot read it") from error
    except MemoryError as error:
        raise _inflated(path) from error
    except Exception as error:  # an unpickler fed with rubbish raises anything
        raise _refusal(path, error) from error


def _check_members(path: Path) -> bool:
    """Whether all members are stored plainly, so that they can be mapped; GuardError for one that unfolds too far."""
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
    if sum(member.file_size for member in members) > SMALL + MAX_GROWTH * path.stat().st_size:
        raise _inflated(path)
    return all(member.compress_type == zipfile.ZIP_STORED for member in members)


@contextmanager
def _memory_limit(more: int) -> Iterator[None]:
    """Let this process take at most `more` bytes on top of what it has, where the system can hold it to that."""
    try:
        import resource
    except ImportError:  # Windows
        yield
        return
    import psutil

    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    data = getattr(psutil.Process().memory_info(), "data", None)
    if data is None:
        yield
        return
    wanted = data + more
    resource.setrlimit(resource.RLIMIT_DATA, (wanted if hard == resource.RLIM_INFINITY else min(wanted, hard), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))


def _refusal(path: Path, error: Exception) -> GuardError:
    """Why the unpickler refused, from the names that the pickle wants to call; nothing here runs or imports them."""
    wishes = pickle_names.wanted(path)
    if wishes is None:
        return _not_a_checkpoint(path)
    foreign = [name for name in wishes if not pickle_names.ordinary(name)]
    if foreign:
        return GuardError(
            what=f"{path.name} was refused, and nothing in it was run",
            why=f"loading it would use {foreign[0]}, which is no part of a tensor",
            next="Do not load it elsewhere. Ask for a safetensors file, or for a plain state dict.",
            code="checkpoint.unsafe",
        )
    if "magic number" in str(error):
        return _not_a_checkpoint(path)
    return damaged(path, "it is cut, changed, or was not written by torch.save")


def damaged(path: Path, why: str) -> GuardError:
    return GuardError(
        what=f"{path.name} cannot be loaded",
        why=why,
        next="Get the file again from where it came, or seal it as it is, without converting it.",
        code="checkpoint.damaged",
    )


def _inflated(path: Path) -> GuardError:
    return GuardError(
        what=f"{path.name} was refused",
        why=f"loaded, it would take more than {MAX_GROWTH} times its size in memory",
        next="Ask for a safetensors file of the same model.",
        code="checkpoint.inflated",
    )


def to_safetensors(path_in: Path, path_out: Path, *, flush: bool = True) -> Converted:
    """Write the tensors of a checkpoint as the new safetensors file `path_out`, which appears when it is whole.

    GuardError: as `load_state_dict`, and output.exists
    """
    from guardapp.formats.safetensors_image import SafetensorsImage
    from guardapp.formats.whole_file import WholeFile

    loaded = load(path_in)
    image = SafetensorsImage(loaded.tensors)
    with WholeFile(path_out) as file:
        buffer = memoryview(bytearray(4 << 20))
        for at in range(0, image.nbytes, len(buffer)):
            piece = buffer[: min(len(buffer), image.nbytes - at)]
            image.read_into(piece, at)
            _write_all(file.fd, piece)
        file.commit(flush=flush)
    return Converted(len(loaded.tensors), image.nbytes, loaded.left_out)


def _write_all(fd: int, view: memoryview) -> None:
    while len(view):
        view = view[os.write(fd, view) :]
