"""Pickles in a stretch of bytes: one after the other from its beginning, and any that lies hidden further on.

Where Python's unpickler would start (at the beginning, after each STOP) every opcode counts. Elsewhere, in the bytes of
tensors and texts, chance makes sequences that look like opcodes, so that only a call of a name that is not allowed
counts there, or a whole pickle with a protocol header that names one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from guardapp.formats.scan.findings import Finding
from guardapp.formats.scan.machine import Machine
from guardapp.formats.scan.opcodes import Malformed, read
from guardapp.formats.scan.piece import Piece
from guardapp.formats.scan.watch import Watch

MOST_STREAMS: Final = 10_000
_WINDOW: Final = 16 << 20
_LONGEST_MATCH: Final = 1 << 10

_NAME: Final = rb"[A-Za-z_][\w.]{0,200}"
_HIDDEN: Final = re.compile(
    rb"\x80[\x00-\x05](?=[c\x8c\x95X(\x5d}V\x82-\x84\x81)])"
    rb"|[ci]" + _NAME + rb"\r?\n" + _NAME + rb"\r?\n"
    rb"|\x8c[\x01-\x7f]" + _NAME + rb"(?:\x94|q.|r.{4})?\x8c[\x01-\x7f][A-Za-z_]"
    rb"|X[\x01-\x7f]\0\0\0" + _NAME + rb"(?:\x94|q.|r.{4})?X[\x01-\x7f]\0\0\0[A-Za-z_]",
    re.DOTALL,
)  # fmt: skip
_NAMED: Final = (" is named", " itself is changed", "that is only made while it loads")


def scan_streams(
    piece: Piece, where: str, *, expected: bool = False, torchscript: bool = False, watch: Watch | None = None
) -> list[Finding]:
    """What the pickles in `piece` would do.

    expected: a loader takes these bytes for a pickle, so that one that breaks off is damaged, not merely other data
    """
    watch = watch or Watch()
    findings, end, followed = _in_order(piece, where, torchscript, expected, watch)
    if followed == 0 and expected and not findings and len(piece):
        findings.append(Finding("unknown", where, end, "A damaged pickle", "What it would do is not known."))
    return findings + _hidden(piece, end if followed else 0, where, torchscript, watch)


def _in_order(
    piece: Piece, where: str, torchscript: bool, expected: bool, watch: Watch
) -> tuple[list[Finding], int, int]:
    """Findings, where the last pickle ends, and how many came to their STOP."""
    findings: list[Finding] = []
    offset = followed = 0
    while offset < len(piece) and followed < MOST_STREAMS:
        run = Machine(piece, offset, where, torchscript=torchscript, watch=watch).run()
        likely = expected or _headed(piece, offset) or any(finding.what.endswith(_NAMED) for finding in run.findings)
        if not run.stopped:
            # a text may begin like a pickle that names something; Python would fail on it before it called anything
            binary = _headed(piece, offset) or not _text(piece, offset)
            if (likely and (run.calls or binary)) or _well_known(run.findings):
                findings += run.findings
            return findings, offset, followed
        if not likely:  # the bytes of a tensor, which chance made end in a stop
            run.findings.clear()
        findings += run.findings
        offset, followed = run.end, followed + 1
    if followed == MOST_STREAMS:
        findings.append(
            Finding("unknown", where, offset, "More pickles than are followed", "What they would do is not known.")
        )
    return findings, offset, followed


def _headed(piece: Piece, offset: int) -> bool:
    return piece.read(offset, 1) == b"\x80"


def _text(piece: Piece, offset: int) -> bool:
    return not re.search(rb"[\x00-\x08\x0e-\x1f\x7f-\xff]", piece.read(offset, 4096))


def _well_known(findings: list[Finding]) -> bool:
    """Whether a name that does harm when called stands in full: a text seldom begins with one."""
    harmful = (
        r"(builtins|__builtin__|os|posix|nt|subprocess|sys|runpy|pickle|_pickle|socket|pty|shutil|importlib)\.\w+ "
    )
    return any(re.match(harmful, finding.what) for finding in findings)


def _hidden(piece: Piece, begin: int, where: str, torchscript: bool, watch: Watch) -> list[Finding]:
    findings: list[Finding] = []
    last = -1
    for offset in _candidates(piece, begin, watch):
        if offset < last or not _readable(piece, offset):
            continue
        run = Machine(piece, offset, where, torchscript=torchscript, watch=watch).run()
        allowed = watch.spend(run.steps)
        headed = _headed(piece, offset)
        # chance makes calls of nothing and extensions; it does not make names
        named = any(finding.what.endswith(_NAMED) for finding in run.findings)
        unsafe = named and (run.calls or (headed and run.stopped and run.steps > 3))
        if unsafe:
            findings += [
                finding._replace(what=f"A pickle hidden in other bytes: {finding.what}") for finding in run.findings
            ]
        if run.stopped and (headed or unsafe):
            last = run.end
        if not allowed or len(findings) > 50:
            if not allowed:
                findings.append(
                    Finding(
                        "unknown", where, offset, "More pickles than are followed", "What they would do is not known."
                    )
                )
            break
    return findings


def _readable(piece: Piece, offset: int) -> bool:
    try:
        read(piece, offset)
    except Malformed:
        return False
    return True


def _candidates(piece: Piece, begin: int, watch: Watch) -> Iterator[int]:
    """Offsets at which a pickle may begin, window after window so that a long search can be watched."""
    for window in range(piece.begin + begin, piece.end, _WINDOW):
        end = min(window + _WINDOW, piece.end)
        for match in _HIDDEN.finditer(piece.data, window, min(end + _LONGEST_MATCH, piece.end)):
            if match.start() >= end:
                break
            offset = match.start() - piece.begin
            watch.at(piece, offset)
            yield offset
        watch.at(piece, end - piece.begin)
