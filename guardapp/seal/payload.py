"""The encrypted content: Tink's streaming AEAD AES256_GCM_HKDF_1MB, segment by segment (docs/sealed.md, Payload).

Every segment stands alone: its nonce holds its number and whether it is the last, so segments can be sealed, opened
and written by several threads in any order, and none can be moved, dropped or added.
"""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Callable
from typing import NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from guardapp.secret_bytes import Readable, SecretBytes

SEGMENT = 1 << 20
TAG = 16
HEAD = 40
MAX_SEGMENTS = 1 << 32

# Two segments a write and three threads were the fastest of 1 to 8 and 1 to 4 on two cores (tests/bench): while
# one thread waits for the file system another encrypts, and writes of 4 MiB and more were two to three times as slow.
BATCH = 2
THREADS = 3

_INFO = b"guard-sealed/1/payload"


class Geometry(NamedTuple):
    """Which bytes are where.

    start:  offset of the payload in the file, which is the length of the header
    nbytes: of the plaintext
    """

    start: int
    nbytes: int

    @property
    def segments(self) -> int:
        """How many there are; an empty plaintext is one empty segment."""
        return max(1, -(-(self.nbytes + HEAD) // (SEGMENT - TAG)))

    @property
    def file_bytes(self) -> int:
        """Size of the whole sealed file."""
        return self.start + HEAD + self.nbytes + TAG * self.segments

    def plain(self, segment: int) -> tuple[int, int]:
        """Offset in the plaintext and length of what a segment holds."""
        begin = max(0, segment * (SEGMENT - TAG) - HEAD)
        end = min(self.nbytes, (segment + 1) * (SEGMENT - TAG) - HEAD)
        return begin, end - begin

    def cipher(self, segment: int) -> tuple[int, int]:
        """Offset in the file and length of a segment's ciphertext and tag."""
        begin = self.start + (segment * SEGMENT if segment else HEAD)
        return begin, self.plain(segment)[1] + TAG

    def at(self, offset: int) -> int:
        """The segment that holds the plaintext byte `offset`."""
        return (offset + HEAD) // (SEGMENT - TAG)


def measure(start: int, file_bytes: int) -> Geometry | None:
    """The geometry of a file of `file_bytes` with its payload at `start`; None where no writer makes that length."""
    payload = file_bytes - start
    segments = -(-payload // SEGMENT)
    geometry = Geometry(start, payload - HEAD - TAG * segments)
    whole = payload >= HEAD + TAG and segments <= MAX_SEGMENTS
    return geometry if whole and geometry.nbytes >= 0 and geometry.segments == segments else None


class Cipher:
    """The segment cipher of one payload.

    head: the payload's first 40 bytes: 0x28, a 32-byte salt, a 7-byte nonce prefix
    """

    def __init__(self, file_key: Readable, head: bytes) -> None:
        if len(head) != HEAD or head[0] != HEAD:
            raise ValueError("the payload does not begin as one should")
        # kept as long as the AEAD, which with some versions of OpenSSL reads its key anew for every segment
        self._key = SecretBytes(32)
        HKDF(hashes.SHA256(), 32, salt=head[1:33], info=_INFO).derive_into(file_key, self._key.view)
        self._aead, self._prefix = AESGCM(self._key.view), head[33:]

    def release(self) -> None:
        """Forget the key, when nothing more is sealed or opened."""
        if hasattr(self, "_aead"):
            del self._aead
        self._key.release()

    def _nonce(self, segment: int, last: bool) -> bytes:
        return self._prefix + segment.to_bytes(4, "big") + bytes([last])

    def seal(self, segment: int, last: bool, plain: memoryview, out: memoryview) -> None:
        """Encrypt `plain` into `out`, which is 16 bytes longer."""
        self._aead.encrypt_into(self._nonce(segment, last), plain, None, out)

    def open(self, segment: int, last: bool, cipher: memoryview, out: memoryview) -> bool:
        """Decrypt `cipher` into `out`, 16 bytes shorter; False, with zeros in `out`, if it is not authentic."""
        try:
            self._aead.decrypt_into(self._nonce(segment, last), cipher, None, out)
        except InvalidTag:
            out[:] = bytes(len(out))
            return False
        return True


def new_head() -> bytes:
    """The first 40 bytes of a new payload."""
    return bytes([HEAD]) + os.urandom(HEAD - 1)


class Buffers(NamedTuple):
    """What one thread works in, reused for every batch: BATCH segments of ciphertext and as much plaintext."""

    cipher: memoryview
    plain: memoryview


Work = Callable[[range, Buffers], int]
"""Handle the segments of one batch within the thread's buffers; returns the plaintext bytes handled."""


def in_batches(segments: int, work: Work, on_bytes: Callable[[int], None] | None, threads: int = THREADS) -> None:
    """Do `work` for every batch of segments, in order of start, on a few threads.

    The calling thread alone calls `on_bytes`, so that whatever that raises (a wish to stop) ends the work. The first
    error of a thread is raised here, after all threads have ended.
    """
    batches = iter(range(0, segments, BATCH))
    lock = threading.Lock()
    stop = threading.Event()
    finished: queue.SimpleQueue[int | BaseException | None] = queue.SimpleQueue()

    def run() -> None:
        buffers = Buffers(memoryview(bytearray(BATCH * SEGMENT)), memoryview(bytearray(BATCH * SEGMENT)))
        try:
            while not stop.is_set():
                with lock:
                    first = next(batches, None)
                if first is None:
                    break
                finished.put(work(range(first, min(first + BATCH, segments)), buffers))
        except BaseException as error:
            finished.put(error)
        finally:
            finished.put(None)

    running = [threading.Thread(target=run, name="segments") for _ in range(min(threads, -(-segments // BATCH)))]
    for thread in running:
        thread.start()
    failure: BaseException | None = None
    alive = len(running)
    try:
        while alive:
            done = finished.get()
            if done is None:
                alive -= 1
            elif isinstance(done, BaseException):
                stop.set()
                failure = failure or done
            elif on_bytes and failure is None:
                on_bytes(done)
    finally:
        stop.set()
        for thread in running:
            thread.join()
    if failure is not None:
        raise failure
