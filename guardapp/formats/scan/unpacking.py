"""Decompression under limits: how far one file may unfold, in memory first and then in a file without a name."""

from __future__ import annotations

import mmap
import tempfile
from collections.abc import Iterable, Iterator
from typing import IO, Any, Final, Literal

from guardapp.formats.scan.piece import Piece, Reading

IN_MEMORY: Final = 8 << 20
MOST_DECIPHERED: Final = 4 << 20
"""Bytes of a file: zipfile's cipher is slow."""
DECIPHER_ONCE: Final = 1 << 16
_STEP: Final = 1 << 20


class TooLarge(Exception):
    """More came out than the budget allows."""


class Budget:
    """How many bytes all that is unpacked from one file may take: 200 times its size, from 64 MiB to 16 GiB."""

    def __init__(self, nbytes: int) -> None:
        self.left = min(max(200 * nbytes, 64 << 20), 16 << 30)

        self._decipher = MOST_DECIPHERED

    def take(self, nbytes: int) -> None:
        self.left -= nbytes
        if self.left < 0:
            raise TooLarge

    def decipher(self, nbytes: int) -> bool:
        """Whether so much more may be deciphered, under every password that is tried."""
        self._decipher -= nbytes + DECIPHER_ONCE
        return self._decipher >= 0


def unpack(decompressor: Any, packed: Piece, budget: Budget) -> Piece:
    """All that `decompressor` (of zlib, bz2 or lzma) makes of `packed`. TooLarge, and the decompressor's own errors."""
    return _gather(_chunks(decompressor, packed), budget)


def unpack_frames(codec: Literal["zstd", "lz4"], packed: Piece, budget: Budget) -> tuple[Piece, bool]:
    """What the frames in `packed` hold, as far as it comes out, and whether that was all. TooLarge."""
    import pyarrow as pa

    whole = [True]

    def chunks() -> Iterator[bytes]:
        try:
            with pa.CompressedInputStream(pa.PythonFile(Reading(packed), mode="r"), codec) as stream:
                while chunk := stream.read(_STEP):
                    yield chunk
        except (pa.ArrowException, OSError, ValueError):
            whole[0] = False

    return _gather(chunks(), budget), whole[0]


def _gather(chunks: Iterable[bytes], budget: Budget) -> Piece:
    kept = bytearray()
    spooled: IO[bytes] | None = None
    for chunk in chunks:
        budget.take(len(chunk))
        if spooled is None and len(kept) + len(chunk) > IN_MEMORY:
            spooled = tempfile.TemporaryFile()  # noqa: SIM115  (the mapping outlives this function)
            spooled.write(kept)
            kept.clear()
        if spooled is None:
            kept += chunk
        else:
            spooled.write(chunk)
    if spooled is None:
        return Piece.of(bytes(kept))
    with spooled:
        spooled.flush()
        return Piece.of(mmap.mmap(spooled.fileno(), 0, access=mmap.ACCESS_READ))


def _chunks(decompressor: Any, packed: Piece) -> Iterator[bytes]:
    offset = 0
    waiting = b""
    is_zlib = hasattr(decompressor, "unconsumed_tail")
    while not decompressor.eof:
        data = waiting
        if not data and (is_zlib or decompressor.needs_input):
            data = packed.read(offset, _STEP)
            offset += len(data)
            if not data:
                return
        yield decompressor.decompress(data, _STEP)
        waiting = decompressor.unconsumed_tail if is_zlib else b""
