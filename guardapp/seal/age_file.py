"""age v1 files: writing and opening them as streams, with the memory of one batch of chunks.

age is the second format, for people who do not have this program. It is opened only as a whole: its chunks have no
table, and an armored file cannot be entered in its middle.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from guardapp.errors import GuardError
from guardapp.formats.whole_file import WholeFile
from guardapp.seal import age_header, age_payload
from guardapp.seal.age_armor import AGE_PREFIX, ArmorError, ArmorReader, ArmorWriter, Read, is_armored
from guardapp.seal.age_payload import CHUNK, NONCE, TAG, PayloadError, Stream
from guardapp.seal.age_recipients import for_age, for_age_identities
from guardapp.seal.header import damaged
from guardapp.seal.plaintext import FilePlaintext, Plaintext
from guardapp.seal.positioned import write_at
from guardapp.seal.reader import open_file
from guardapp.seal.recipients import Identity, Recipient
from guardapp.seal.sealed import OnBytes, Opened, Written, not_as_written
from guardapp.seal.stanzas import MAX_BYTES, HeaderText
from guardapp.secret_bytes import Readable, SecretBytes

_START = 2048
"""Bytes that show whether a file is armored, whatever white space comes first."""


def write_age(
    source: Path | Plaintext,
    target: Path,
    recipients: Sequence[Recipient],
    *,
    armor: bool = False,
    verify: bool = True,
    flush: bool = True,
    on_bytes: OnBytes | None = None,
    on_checked: OnBytes | None = None,
) -> Written:
    """Encrypt `source` for `recipients`, given as for a sealed file, into the new age file `target`.

    armor:  as text (PEM), a third longer
    others: as `write_sealed`
    GuardError: as `write_sealed`, and age.no-rsa, age.passphrase-alone, age.mixed
    """
    if isinstance(source, Path):
        with FilePlaintext(source) as plaintext:
            return write_age(
                plaintext, target, recipients, armor=armor, verify=verify, flush=flush, on_bytes=on_bytes,
                on_checked=on_checked,
            )  # fmt: skip
    with SecretBytes.random(age_header.FILE_KEY_BYTES) as file_key:
        header = age_header.write([recipient.wrap(file_key.view) for recipient in for_age(recipients)], file_key.view)
        with WholeFile(target) as file:
            nonce = os.urandom(NONCE)
            with closing(Stream(file_key.view, nonce)) as stream:
                _write(source, file.fd, header + nonce, stream, armor, on_bytes)
            source.check_unchanged()
            sha256 = _check_written(source, file.fd, file_key.view, target.name, on_checked) if verify else None
            file.commit(flush=flush)
    return Written(target, "file", source.nbytes, age_payload.chunks(source.nbytes), sha256)


def _write(source: Plaintext, fd: int, start: bytes, stream: Stream, armor: bool, on_bytes: OnBytes | None) -> None:
    at = 0

    def append(data: bytes | memoryview) -> None:
        nonlocal at
        write_at(fd, memoryview(data), at)
        at += len(data)

    armored = ArmorWriter(append) if armor else None
    put: Callable[[bytes | memoryview], None] = armored.write if armored else append
    put(start)
    for nbytes, cipher in age_payload.sealed(source, stream):
        put(cipher)
        if on_bytes:
            on_bytes(nbytes)
    if armored:
        armored.finish()


def _check_written(source: Plaintext, fd: int, file_key: Readable, name: str, on_bytes: OnBytes | None) -> str:
    """Decrypt what was written, compare it with the source, and return the SHA-256 of both."""
    digest, at = hashlib.sha256(), 0
    try:
        read = _reader(fd, name)
        _, rest = _read_header(read, name)
        read_payload, stream = _payload(rest, read, file_key, name)
        with closing(stream):
            for piece in age_payload.opened(read_payload, stream):
                expected = bytearray(min(len(piece), max(source.nbytes - at, 0)))
                source.read_into(memoryview(expected), at)
                if bytes(piece) != expected:
                    raise not_as_written()
                digest.update(piece)
                at += len(piece)
                if on_bytes:
                    on_bytes(len(piece))
    except (PayloadError, ArmorError):
        raise not_as_written() from None
    if at != source.nbytes:
        raise not_as_written()
    return digest.hexdigest()


class AgeFile:
    """An age file that one of `keys` opens, as a context manager; `plaintext` reads it from its start to its end.

    GuardError: sealed.version, sealed.header, sealed.header-mac, sealed.no-key, age.armor
    """

    def __init__(self, path: Path, keys: Sequence[Identity]) -> None:
        self.name = path.name
        self._fd = open_file(path)
        try:
            self._read = _reader(self._fd, self.name)
            self.header, rest = _read_header(self._read, self.name)
            with age_header.find_file_key(self.header, for_age_identities(keys), self.name) as file_key:
                self._read_payload, self._stream = _payload(rest, self._read, file_key.view, self.name)
        except BaseException:
            os.close(self._fd)
            raise

    def plaintext(self) -> Iterator[memoryview]:
        """Authentic plaintext in pieces that are valid until the next one; once only.

        GuardError sealed.segment, sealed.truncated, age.armor: then what came before must not be used as if it were all
        """
        try:
            yield from age_payload.opened(self._read_payload, self._stream)
        except PayloadError as error:
            raise _damaged_payload(self.name, error) from None

    def __enter__(self) -> AgeFile:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._fd)
        self._stream.close()


def open_age_to_file(
    path: Path, target: Path, keys: Sequence[Identity], *, flush: bool = True, on_bytes: OnBytes | None = None
) -> Opened:
    """Open an age file into the new file `target`, which appears only if all of it is authentic."""
    at = 0
    with AgeFile(path, keys) as age, WholeFile(target) as file:
        for piece in age.plaintext():
            write_at(file.fd, piece, at)
            at += len(piece)
            if on_bytes:
                on_bytes(len(piece))
        file.commit(flush=flush)
    return Opened("file", at, age_payload.chunks(at), None)


def verify_age(path: Path, keys: Sequence[Identity], *, on_bytes: OnBytes | None = None) -> Opened:
    """Decrypt all of an age file, writing nothing: GuardError unless every byte is as it was sealed."""
    digest, nbytes = hashlib.sha256(), 0
    with AgeFile(path, keys) as age:
        for piece in age.plaintext():
            digest.update(piece)
            nbytes += len(piece)
            if on_bytes:
                on_bytes(len(piece))
    return Opened("file", nbytes, age_payload.chunks(nbytes), digest.hexdigest())


class AgeLook(NamedTuple):
    """What an age file tells without a key; content_bytes: None for an armored one and for a length no writer makes."""

    recipients: tuple[str, ...]
    armored: bool
    header_bytes: int
    content_bytes: int | None


def look_at_age(path: Path) -> AgeLook:
    """GuardError: sealed.version, sealed.header, age.armor"""
    fd = open_file(path)
    try:
        armored = is_armored(os.pread(fd, _START, 0) if hasattr(os, "pread") else path.read_bytes()[:_START])
        header, _ = _read_header(_reader(fd, path.name), path.name)
        payload = os.fstat(fd).st_size - header.nbytes - NONCE
    finally:
        os.close(fd)
    last = payload % (CHUNK + TAG)
    content = payload - TAG * -(-payload // (CHUNK + TAG))
    whole = payload >= TAG and (last == 0 or last > TAG or payload == TAG)
    return AgeLook(
        tuple(stanza.kind for stanza in header.stanzas),
        armored,
        header.nbytes,
        content if whole and not armored else None,
    )


def _reader(fd: int, name: str) -> Read:
    """The bytes of an age file from its start, without its armor if it has one. GuardError age.armor as it is read."""
    os.lseek(fd, 0, os.SEEK_SET)

    def read(count: int) -> bytes:
        data = bytearray()
        while len(data) < count and (more := os.read(fd, count - len(data))):
            data += more
        return bytes(data)

    start = read(_START)
    os.lseek(fd, 0, os.SEEK_SET)
    if start.startswith(AGE_PREFIX):
        return read
    reader: list[ArmorReader] = []

    def read_armored(count: int) -> bytes:
        try:
            if not reader:
                reader.append(ArmorReader(read))
            return reader[0].read(count)
        except ArmorError as error:
            raise GuardError(
                what=f"{name} cannot be opened",
                why=str(error),
                next="Copy the whole text again, from its BEGIN line to its END line, without changing a line.",
                code="age.armor",
            ) from None

    return read_armored


def _read_header(read: Read, name: str) -> tuple[HeaderText, bytes]:
    """The header, and what was read beyond it."""
    data = b""
    while not _holds_header(data) and len(data) <= MAX_BYTES and (more := read(CHUNK)):
        data += more
    header = age_header.read(data, name)
    return header, data[header.nbytes :]


def _holds_header(data: bytes) -> bool:
    end = data.find(b"\n---")
    return end >= 0 and data.find(b"\n", end + 1) >= 0


def _payload(rest: bytes, read: Read, file_key: Readable, name: str) -> tuple[Read, Stream]:
    """A stream of the payload after its nonce, and its cipher. GuardError sealed.header where the nonce is cut."""
    rest += read(max(0, NONCE - len(rest)))
    if len(rest) < NONCE:
        raise damaged(name, "it ends before its payload")
    nonce, waiting = rest[:NONCE], rest[NONCE:]

    def read_payload(count: int) -> bytes:
        nonlocal waiting
        data, waiting = waiting[:count], waiting[count:]
        return data + read(count - len(data)) if len(data) < count else data

    return read_payload, Stream(file_key, nonce)


def _damaged_payload(name: str, error: PayloadError) -> GuardError:
    if error.kind == "appended":
        return GuardError(
            what=f"{name} is damaged",
            why=f"something follows the end of its content, which has {error.offset} bytes",
            next="Get the file again from where it came.",
            code="sealed.appended",
            answer="no",
        )
    if error.kind == "cut":
        return GuardError(
            what=f"{name} cannot be read to its end",
            why=f"it ends after {error.offset} bytes of its content, which go on",
            next="Copy or download it completely, then try again.",
            code="sealed.truncated",
            answer="no",
        )
    return GuardError(
        what=f"{name} is damaged",
        why=f"its content is not as it was sealed from byte {error.offset} on",
        next="Get the file again from where it came.",
        code="sealed.segment",
        answer="no",
    )
