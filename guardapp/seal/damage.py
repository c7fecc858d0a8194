"""Saying what was hit: from segments that are not authentic to byte ranges of the file and the names of tensors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from guardapp.errors import GuardError
from guardapp.formats import safetensors
from guardapp.formats.safetensors import Layout
from guardapp.seal.payload import Geometry
from guardapp.seal.positioned import Short

if TYPE_CHECKING:
    from guardapp.seal.reader import SealedFile

_NAMED = 5
_AGAIN = "Get the file again from where it came, and do not use what is in it until it verifies."


def cut_in_first_segment(name: str) -> GuardError:
    """For a file so short that not one segment is left, and with it no list of tensors."""
    return GuardError(
        what=f"{name} is not whole",
        why="it ends within its first segment, and the list of what it held is lost",
        next=_AGAIN,
        code="sealed.truncated",
        answer="no",
    )


def report_damage(sealed: SealedFile, failed: Sequence[int]) -> GuardError:
    """The error for `failed`, the segments (ascending) that are not authentic in their place.

    Codes: sealed.truncated and sealed.appended where the file's length is to blame, else sealed.segment
    """
    layout = _layout(sealed)
    last = sealed.segments - 1
    expected = Geometry(sealed.geometry.start, layout.nbytes).file_bytes if layout else None
    if expected is not None and expected > sealed.file_bytes:
        return _truncated(sealed, layout, expected)
    if expected is not None and expected < sealed.file_bytes:
        return _appended(sealed, expected)
    if failed[-1] == last and _authentic(sealed, last, last=False):
        return _truncated(sealed, None, None)
    for segment in failed:
        if _authentic(sealed, segment, last=True):
            return _appended(sealed, sum(sealed.geometry.cipher(segment)))
    return _changed(sealed, layout, failed)


def _authentic(sealed: SealedFile, segment: int, *, last: bool) -> bool:
    return sealed.try_segment(segment, last=last) is not None


def _layout(sealed: SealedFile) -> Layout | None:
    """The safetensors header of a file that may be too short or too long, if its own segments are authentic."""
    if sealed.content != "safetensors":
        return None

    def read(offset: int, length: int) -> bytes:
        out = bytearray()
        while (at := offset + len(out)) < offset + length:
            segment = sealed.geometry.at(at)
            if segment >= sealed.segments:
                raise Short
            plain = sealed.try_segment(segment, last=False) or sealed.try_segment(segment, last=True)
            if not plain:
                raise Short
            begin = sealed.geometry.plain(segment)[0]
            out += plain[at - begin : offset + length - begin]
        return bytes(out)

    try:
        return safetensors.read_layout(read, None, sealed.name)
    except (GuardError, Short):
        return None


def _truncated(sealed: SealedFile, layout: Layout | None, expected: int | None) -> GuardError:
    if layout is None or expected is None:
        why = f"its end is missing, after byte {sealed.file_bytes}"
    else:
        # what stands in the last segment that is left cannot be believed either
        kept = sealed.geometry.plain(sealed.segments - 1)[0]
        missing = expected - sealed.file_bytes
        why = f"its last {missing} bytes are missing, and with them {_hit(layout, [(kept, layout.nbytes)])}"
    return GuardError(what=f"{sealed.name} is not whole", why=why, next=_AGAIN, code="sealed.truncated", answer="no")


def _appended(sealed: SealedFile, end: int) -> GuardError:
    return GuardError(
        what=f"{sealed.name} is not as it was sealed",
        why=f"{sealed.file_bytes - end} bytes were added after its end",
        next=_AGAIN,
        code="sealed.appended",
        answer="no",
    )


def _changed(sealed: SealedFile, layout: Layout | None, failed: Sequence[int]) -> GuardError:
    begin, nbytes = sealed.geometry.cipher(failed[0])
    end = sum(sealed.geometry.cipher(failed[-1]))
    if len(failed) == 1:
        where = f"segment {failed[0] + 1} of {sealed.segments} (bytes {begin} to {begin + nbytes - 1} of the file)"
    else:
        where = f"{len(failed)} of {sealed.segments} segments (between bytes {begin} and {end - 1} of the file)"
    if layout is None and failed[-1] == sealed.segments - 1:
        why = f"{where} was changed, or the end of the file is missing"
    elif sealed.content == "file":
        why = f"{where} was changed or is not in its place"
    elif layout is None:
        why = f"{where} was changed or is not in its place; the list of tensors itself was hit"
    else:
        ranges = [(at, at + length) for at, length in map(sealed.geometry.plain, failed)]
        why = f"{where} was changed or is not in its place; it held {_hit(layout, ranges)}"
    return GuardError(
        what=f"{sealed.name} is not as it was sealed", why=why, next=_AGAIN, code="sealed.segment", answer="no"
    )


def _hit(layout: Layout, ranges: Sequence[tuple[int, int]]) -> str:
    """The tensors that have bytes in one of `ranges` (begin, end) of the plaintext, in words."""
    names = tensors_in(layout, ranges)
    if not names:
        return "the list of tensors itself"
    listed = ", ".join(names[:_NAMED])
    more = len(names) - _NAMED
    return f"the tensors {listed} and {more} more" if more > 0 else f"the tensors {listed}"


def tensors_in(layout: Layout, ranges: Sequence[tuple[int, int]]) -> list[str]:
    """Names of the tensors that have bytes in one of `ranges` (begin, end) of the plaintext, in file order."""
    return [
        tensor.name
        for tensor in layout.tensors
        if any(begin < tensor.begin + tensor.nbytes and tensor.begin < end for begin, end in ranges)
    ]
