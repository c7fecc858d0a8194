"""Sealed files, guard-sealed/1: writing them, opening them, and reading parts of them without opening them.

    write_sealed(Path("model.safetensors"), Path("model.sealed"), [X25519Recipient(public)])

    with open_sealed(Path("model.sealed"), [X25519Identity(private)]) as sealed:
        sealed["layer.weight"]              # a NumPy array; only its own segments are read and decrypted

Nothing here leaves plaintext on the disk unless all of it proved authentic, and then only where it was asked for.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from guardapp.errors import GuardError
from guardapp.formats.whole_file import WholeFile
from guardapp.seal import payload
from guardapp.seal.damage import report_damage
from guardapp.seal.header import FILE_KEY_BYTES, Content, write
from guardapp.seal.payload import Buffers, Cipher, Geometry, in_batches
from guardapp.seal.plaintext import FilePlaintext, Plaintext, content_of
from guardapp.seal.positioned import Short, read_at, write_at
from guardapp.seal.reader import SealedFile
from guardapp.seal.recipients import Identity, Recipient, check_writable
from guardapp.secret_bytes import SecretBytes

__all__ = ["Opened", "SealedFile", "Written", "open_sealed", "open_to_file", "verify_sealed", "write_sealed"]

OnBytes = Callable[[int], None]


class Written(NamedTuple):
    """What was sealed.

    nbytes: of the plaintext
    sha256: of the plaintext, in hexadecimal; None where the check, which computes it, was switched off
    """

    path: Path
    content: Content
    nbytes: int
    segments: int
    sha256: str | None


class Opened(NamedTuple):
    """What was opened or verified; sha256 of the plaintext, in hexadecimal."""

    content: Content
    nbytes: int
    segments: int
    sha256: str | None


def write_sealed(
    source: Path | Plaintext,
    target: Path,
    recipients: Sequence[Recipient],
    *,
    content: Content | None = None,
    verify: bool = True,
    flush: bool = True,
    replace: bool = False,
    on_bytes: OnBytes | None = None,
    on_checked: OnBytes | None = None,
) -> Written:
    """Seal `source` for `recipients` into the new file `target`.

    content:    what the plaintext is; by default looked up in it
    verify:     decrypt what was written and compare it with the source before the file gets its name
    flush:      do not return before the file is on the disk
    replace:    `target` may exist, and is replaced in one step
    on_bytes:   called with plaintext bytes sealed; on_checked: with plaintext bytes verified
    GuardError: output.exists, input.changed, sealed.bad-recipient, sealed.too-many-recipients,
    sealed.too-many-passphrases. OSError: disk full …
    """
    if isinstance(source, Path):
        with FilePlaintext(source) as plaintext:
            return write_sealed(
                plaintext, target, recipients, content=content, verify=verify, flush=flush, replace=replace,
                on_bytes=on_bytes, on_checked=on_checked,
            )  # fmt: skip
    content = content or content_of(source)
    head = payload.new_head()
    with SecretBytes.random(FILE_KEY_BYTES) as file_key:
        stanzas = [recipient.wrap(file_key.view) for recipient in recipients]
        check_writable(stanzas)
        header = write(content, stanzas, file_key.view)
        cipher = Cipher(file_key.view, head)
    try:
        with WholeFile(target, replace=replace) as file:
            geometry = Geometry(len(header), source.nbytes)
            write_at(file.fd, memoryview(header + head), 0)
            _write_payload(source, file.fd, cipher, geometry, on_bytes)
            source.check_unchanged()
            sha256 = _check_written(source, file.fd, cipher, geometry, on_checked) if verify else None
            file.commit(flush=flush)
    finally:
        cipher.release()
    return Written(target, content, geometry.nbytes, geometry.segments, sha256)


def _write_payload(source: Plaintext, fd: int, cipher: Cipher, geometry: Geometry, on_bytes: OnBytes | None) -> None:
    last = geometry.segments - 1

    def seal_batch(segments: range, buffers: Buffers) -> int:
        done = filled = 0
        for segment in segments:
            begin, length = geometry.plain(segment)
            plain = buffers.plain[:length]
            source.read_into(plain, begin)
            cipher.seal(segment, segment == last, plain, buffers.cipher[filled : filled + length + payload.TAG])
            filled += length + payload.TAG
            done += length
        write_at(fd, buffers.cipher[:filled], geometry.cipher(segments[0])[0])
        return done

    in_batches(geometry.segments, seal_batch, on_bytes)


def _check_written(source: Plaintext, fd: int, cipher: Cipher, geometry: Geometry, on_bytes: OnBytes | None) -> str:
    """Decrypt what was written, compare it with the source, and return the SHA-256 of both."""
    digest = _InOrder()
    compared = threading.local()

    def check_batch(segments: range, buffers: Buffers) -> int:
        begin, length, failed = _open_batch(fd, cipher, geometry, segments, buffers)
        if not hasattr(compared, "buffer"):
            compared.buffer = memoryview(bytearray(len(buffers.plain)))
        source.read_into(compared.buffer[:length], begin)
        if failed or not _equal(buffers.plain[:length], compared.buffer[:length]):
            raise not_as_written()
        digest.update(segments[0] // payload.BATCH, buffers.plain[:length])
        return length

    in_batches(geometry.segments, check_batch, on_bytes)
    return digest.hexdigest()


def not_as_written() -> GuardError:
    """For a file that was read back and is not what was to be written."""
    return GuardError(
        what="The sealed file was not kept",
        why="what was read back differs from what was to be sealed",
        next="Check that no program is changing the input, then the disk and the memory, and seal it again.",
        code="sealed.not-as-written",
    )


def _equal(one: memoryview, other: memoryview) -> bool:
    import numpy as np

    # memoryviews compare element by element in Python's time; this is one pass at memory speed
    return bool(np.array_equal(np.frombuffer(one, np.uint8), np.frombuffer(other, np.uint8)))


class _InOrder:
    """SHA-256 over batches that several threads finish: each waits for its turn."""

    def __init__(self) -> None:
        self._digest = hashlib.sha256()
        self._turn = threading.Condition()
        self._next = 0

    def update(self, number: int, data: memoryview) -> None:
        with self._turn:
            self._turn.wait_for(lambda: self._next == number)
        self._digest.update(data)
        with self._turn:
            self._next += 1
            self._turn.notify_all()

    def hexdigest(self) -> str:
        return self._digest.hexdigest()


def _open_batch(
    fd: int, cipher: Cipher, geometry: Geometry, segments: range, buffers: Buffers
) -> tuple[int, int, list[int]]:
    """Decrypt a batch into `buffers.plain`: where it begins in the plaintext, its length, the segments that failed."""
    last = geometry.segments - 1
    start = geometry.cipher(segments[0])[0]
    end = sum(geometry.cipher(segments[-1]))
    sealed = buffers.cipher[: end - start]
    read_at(fd, sealed, start)
    filled, failed = 0, []
    for segment in segments:
        offset, nbytes = geometry.cipher(segment)
        plain = buffers.plain[filled : filled + nbytes - payload.TAG]
        if not cipher.open(segment, segment == last, sealed[offset - start : offset - start + nbytes], plain):
            failed.append(segment)
        filled += len(plain)
    return geometry.plain(segments[0])[0], filled, failed


def open_sealed(path: Path, keys: Sequence[Identity]) -> SealedFile:
    """A sealed file to read parts of, as a context manager; its segments are checked as they are read.

    GuardError: sealed.not-sealed, sealed.version, sealed.header, sealed.header-mac, sealed.no-key, sealed.truncated
    """
    return SealedFile(path, keys)


def open_to_file(
    path: Path, target: Path, keys: Sequence[Identity], *, flush: bool = True, on_bytes: OnBytes | None = None
) -> Opened:
    """Open a sealed file into the new file `target`, which appears only if all of it is authentic.

    GuardError: as `open_sealed`, and output.exists, sealed.segment, sealed.truncated, sealed.appended
    """
    with SealedFile(path, keys, check_end=False) as sealed, WholeFile(target) as file:
        failures: list[int] = []

        def open_batch(segments: range, buffers: Buffers) -> int:
            begin, length, failed = _open_batch(sealed.fd, sealed.cipher, sealed.geometry, segments, buffers)
            failures.extend(failed)
            # after a failure the rest is still decrypted, to say all that was hit, but no longer written
            if not failures:
                write_at(file.fd, buffers.plain[:length], begin)
            return length

        _every_batch(sealed, open_batch, failures, on_bytes)
        file.commit(flush=flush)
        return Opened(sealed.content, sealed.nbytes, sealed.segments, None)


def verify_sealed(
    path: Path, keys: Sequence[Identity], *, sha256: str | None = None, on_bytes: OnBytes | None = None
) -> Opened:
    """Decrypt all of a sealed file, writing nothing: GuardError unless every byte is as it was sealed.

    sha256: the plaintext's, in hexadecimal, where it is known: then also sealed.other-content if it is another
    """
    with SealedFile(path, keys, check_end=False) as sealed:
        found = content_sha256(sealed, sealed.fd, sealed.geometry, on_bytes)
        if sha256 is not None and sha256.lower() != found:
            raise GuardError(
                what=f"{path.name} is not the file it should be",
                why="it is whole, but its content has another SHA-256 than the one expected",
                next="Ask the sender which file was meant, or get the right one.",
                code="sealed.other-content",
                answer="no",
            )
        return Opened(sealed.content, sealed.nbytes, sealed.segments, found)


def content_sha256(sealed: SealedFile, fd: int, geometry: Geometry, on_bytes: OnBytes | None) -> str:
    """SHA-256 of all that `sealed` holds, read from its payload at `geometry` in `fd`: its own file, or a copy of it.

    GuardError: as `verify_sealed`
    """
    failures: list[int] = []
    digest = _InOrder()

    def read_batch(segments: range, buffers: Buffers) -> int:
        _, length, failed = _open_batch(fd, sealed.cipher, geometry, segments, buffers)
        failures.extend(failed)
        digest.update(segments[0] // payload.BATCH, buffers.plain[:length])
        return length

    _every_batch(sealed, read_batch, failures, on_bytes)
    return digest.hexdigest()


def _every_batch(sealed: SealedFile, work: payload.Work, failures: list[int], on_bytes: OnBytes | None) -> None:
    try:
        in_batches(sealed.segments, work, on_bytes)
    except Short:
        raise GuardError(
            what=f"{sealed.name} cannot be read to its end",
            why="it became shorter while it was being read",
            next="Wait until it is copied or downloaded completely, then try again.",
            code="sealed.truncated",
            answer="no",
        ) from None
    if failures:
        raise report_damage(sealed, sorted(failures))
