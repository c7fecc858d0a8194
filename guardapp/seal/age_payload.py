"""The payload of an age v1 file: STREAM with ChaCha20-Poly1305 in chunks of 64 KiB (C2SP `age.md`, “Payload”)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, Literal

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from guardapp.seal.age_armor import Read
from guardapp.seal.plaintext import Plaintext
from guardapp.secret_bytes import Readable, SecretBytes

CHUNK: Final = 1 << 16
TAG: Final = 16
NONCE: Final = 16

BATCH: Final = 16
"""Chunks that are read, decrypted and written at once."""


class PayloadError(Exception):
    """A payload that is not as it was written.

    offset: in the plaintext; kind: "changed", "cut" before the last chunk, or "appended" after it
    """

    def __init__(self, offset: int, kind: Literal["changed", "cut", "appended"]) -> None:
        super().__init__(offset)
        self.offset, self.kind = offset, kind


class Stream:
    """The chunk cipher of one payload. nonce: the 16 bytes that the payload begins with."""

    def __init__(self, file_key: Readable, nonce: bytes) -> None:
        # kept as long as the AEAD, which with some versions of OpenSSL reads its key anew for every chunk
        self._key = SecretBytes(32)
        HKDF(hashes.SHA256(), 32, salt=nonce, info=b"payload").derive_into(file_key, self._key.view)
        self._aead = ChaCha20Poly1305(self._key.view)

    def close(self) -> None:
        """Forget the key, when nothing more is sealed or opened."""
        if hasattr(self, "_aead"):
            del self._aead
        self._key.release()

    def seal(self, chunk: int, last: bool, plain: memoryview, out: memoryview) -> None:
        self._aead.encrypt_into(_nonce(chunk, last), plain, None, out)

    def open(self, chunk: int, last: bool, cipher: memoryview, out: memoryview) -> bool:
        """Decrypt into `out`, 16 bytes shorter; False if it is not authentic, and then `out` means nothing."""
        try:
            self._aead.decrypt_into(_nonce(chunk, last), cipher, None, out)
        except InvalidTag:
            return False
        return True


def _nonce(chunk: int, last: bool) -> bytes:
    return chunk.to_bytes(11, "big") + bytes([last])


def chunks(nbytes: int) -> int:
    """How many chunks hold `nbytes`; an empty plaintext is one empty chunk."""
    return max(1, -(-nbytes // CHUNK))


def sealed(source: Plaintext, stream: Stream) -> Iterator[tuple[int, memoryview]]:
    """The ciphertext in batches, each with how many plaintext bytes are in it; one buffer is used again and again."""
    last = chunks(source.nbytes) - 1
    plain = memoryview(bytearray(BATCH * CHUNK))
    cipher = memoryview(bytearray(BATCH * (CHUNK + TAG)))
    for first in range(0, last + 1, BATCH):
        begin, end = first * CHUNK, min(source.nbytes, (first + BATCH) * CHUNK)
        source.read_into(plain[: end - begin], begin)
        filled = 0
        for chunk in range(first, min(first + BATCH, last + 1)):
            piece = plain[(chunk - first) * CHUNK : min((chunk - first + 1) * CHUNK, end - begin)]
            stream.seal(chunk, chunk == last, piece, cipher[filled : filled + len(piece) + TAG])
            filled += len(piece) + TAG
        yield end - begin, cipher[:filled]


def opened(read: Read, stream: Stream) -> Iterator[memoryview]:
    """The plaintext in batches, every byte of them authentic; one buffer is used again and again.

    What came before a PayloadError may only be kept by a caller that takes back what it was given.
    """
    size = BATCH * (CHUNK + TAG)
    plain = memoryview(bytearray(BATCH * CHUNK))
    waiting, first, done = b"", 0, False
    while not done:
        # one byte more than a batch, to know whether its last chunk is the payload's
        waiting += read(size + 1 - len(waiting))
        done = len(waiting) <= size
        batch, waiting = memoryview(waiting)[:size], waiting[size:]
        filled = 0
        for chunk, at in enumerate(range(0, max(len(batch), 1), CHUNK + TAG), first):
            piece = batch[at : at + CHUNK + TAG]
            last = done and at + len(piece) == len(batch)
            out = plain[filled : filled + max(len(piece) - TAG, 0)]
            empty_extra = len(piece) == TAG and chunk > 0  # only an empty payload has an empty chunk
            if len(piece) < TAG or empty_extra or not stream.open(chunk, last, piece, out):
                error = _failure(stream, chunk, last, piece, out)
                if error.kind == "appended":
                    filled += len(out)
                if filled:
                    yield plain[:filled]
                raise error
            filled += len(out)
        first += BATCH
        yield plain[:filled]


def _failure(stream: Stream, chunk: int, last: bool, piece: memoryview, out: memoryview) -> PayloadError:
    """What is wrong with a chunk; one that is the last, though more follows, is left in `out`."""
    begin = chunk * CHUNK
    if len(piece) <= TAG:
        return PayloadError(begin, "cut" if last else "changed")
    if stream.open(chunk, not last, piece, out):
        return PayloadError(begin, "cut") if last else PayloadError(begin + len(out), "appended")
    return PayloadError(begin, "changed")
