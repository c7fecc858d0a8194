"""Saying what was hit: from segments that are not authentic to byte ranges of the file and the names of tensors.

A range is (begin, end), its end not included.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from guardapp.errors import GuardError
from guardapp.formats import safetensors
from guardapp.formats.safetensors import Layout
from guardapp.seal.payload import Geometry
from guardapp.seal.positioned import Short

if TYPE_CHECKING:
    from guardapp.seal.reader import SealedFile

_NAMED = 5
_AGAIN = "Get the file again from where it came, and do not use what is in it until it verifies."


Range = tuple[int, int]


class Hit(NamedTuple):
    """A tensor that cannot be believed, or with the name "" the list of tensors, and where that shows.

    begin, end: of the damaged part of the sealed file that held it or some of it; for what is cut off, where it was
    """

    tensor: str
    begin: int
    end: int


class DamageError(GuardError):
    """A sealed file that is not whole. hits: empty where its content is no safetensors, or nothing of it was hit"""

    def __init__(self, what: str, why: str, code: str, hits: Sequence[Hit] = ()) -> None:
        super().__init__(what, why, _AGAIN, code, answer="no")
        self.hits = tuple(hits)


def cut_in_first_segment(name: str) -> DamageError:
    """For a file so short that not one segment is left, and with it no list of tensors."""
    return DamageError(
        what=f"{name} is not whole",
        why="it ends within its first segment, and the list of what it held is lost",
        code="sealed.truncated",
    )


def report_damage(sealed: SealedFile, failed: Sequence[int]) -> DamageError:
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


def _truncated(sealed: SealedFile, layout: Layout | None, expected: int | None) -> DamageError:
    what = f"{sealed.name} is not whole"
    if layout is None or expected is None:
        why = f"its end is missing, after byte {sealed.file_bytes}"
        return DamageError(what, why, code="sealed.truncated")
    # what stands in the last segment that is left cannot be believed either
    last = sealed.segments - 1
    hits = _hits(
        layout, [((sealed.geometry.plain(last)[0], layout.nbytes), (sealed.geometry.cipher(last)[0], expected))]
    )
    missing = expected - sealed.file_bytes
    lost = "its last byte is missing" if missing == 1 else f"its last {missing} bytes are missing"
    return DamageError(what, f"{lost}, and with that {_named(hits)}", "sealed.truncated", hits)


def _appended(sealed: SealedFile, end: int) -> DamageError:
    added = sealed.file_bytes - end
    why = "1 byte was added after its end" if added == 1 else f"{added} bytes were added after its end"
    return DamageError(what=f"{sealed.name} is not as it was sealed", why=why, code="sealed.appended")


def _changed(sealed: SealedFile, layout: Layout | None, failed: Sequence[int]) -> DamageError:
    runs = _runs(failed)
    places = [(sealed.geometry.cipher(first)[0], sum(sealed.geometry.cipher(last))) for first, last in runs]
    listed = ", ".join(f"{begin}–{end - 1}" for begin, end in places[:_NAMED])
    more = len(places) - _NAMED
    hits: list[Hit] = []
    if len(failed) == 1:
        where = f"segment {failed[0] + 1} of {sealed.segments} (bytes {listed} of the file)"
    elif more > 0:
        where = f"{len(failed)} of {sealed.segments} segments (bytes {listed} of the file, and more ranges: {more})"
    else:
        where = f"{len(failed)} of {sealed.segments} segments (bytes {listed} of the file)"
    if layout is None and failed[-1] == sealed.segments - 1:
        why = f"{where} was changed, or the end of the file is missing"
    elif sealed.content == "file":
        why = f"{where} was changed or is not in its place"
    elif layout is None:
        why = f"{where} was changed or is not in its place; the list of tensors itself was hit"
        hits = [Hit("", *places[0])]
    else:
        plain = [(sealed.geometry.plain(first)[0], sum(sealed.geometry.plain(last))) for first, last in runs]
        hits = _hits(layout, list(zip(plain, places, strict=True)))
        why = f"{where} was changed or is not in its place; it held {_named(hits)}"
    return DamageError(f"{sealed.name} is not as it was sealed", why, "sealed.segment", hits)


def _runs(segments: Sequence[int]) -> list[tuple[int, int]]:
    """First and last of each run of neighbours; `segments` ascending."""
    runs: list[tuple[int, int]] = []
    for segment in segments:
        if runs and segment == runs[-1][1] + 1:
            runs[-1] = (runs[-1][0], segment)
        else:
            runs.append((segment, segment))
    return runs


def _hits(layout: Layout, damaged: Sequence[tuple[Range, Range]]) -> list[Hit]:
    """What lies in one of the damaged ranges, in file order. damaged: ascending; of the plaintext, and of the file."""
    found: list[Hit] = []
    for tensor in layout.tensors:
        places = [
            place for (begin, end), place in damaged if begin < tensor.begin + tensor.nbytes and tensor.begin < end
        ]
        if places and tensor.nbytes:
            found.append(Hit(tensor.name, places[0][0], places[-1][1]))
    return found or [Hit("", damaged[0][1][0], damaged[-1][1][1])]


def _named(hits: Sequence[Hit]) -> str:
    names = [hit.tensor for hit in hits if hit.tensor]
    if not names:
        return "the list of tensors itself"
    if len(names) == 1:
        return f"the tensor {names[0]}"
    listed = ", ".join(names[:_NAMED])
    more = len(names) - _NAMED
    return f"the tensors {listed} and {more} more" if more > 0 else f"the tensors {listed}"
