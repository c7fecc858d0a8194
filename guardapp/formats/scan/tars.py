"""Tar archives: their members as they lie in the file, and those that would be put elsewhere when unpacked."""

from __future__ import annotations

import tarfile
from typing import Final

from guardapp.formats.scan.findings import Finding
from guardapp.formats.scan.piece import Piece, Reading
from guardapp.formats.scan.sentences import UNREAD

MOST_MEMBERS: Final = 10_000
_OVERWRITES: Final = "It could write over other files."


def is_tar(head: bytes) -> bool:
    """Whether the first block is a tar header, of any age: its mark is there, or its checksum holds (POSIX ustar)."""
    if head[257:262] == b"ustar":
        return True
    if len(head) < 512:
        return False
    try:
        stated = int(head[148:156].split(b"\0")[0].strip() or b"x", 8)
    except ValueError:
        return False
    return stated == sum(head[:148]) + 8 * 32 + sum(head[156:512])


def tar_members(piece: Piece, where: str) -> tuple[list[tuple[str, Piece]], list[Finding]]:
    """Name and content of every plain member, and what is wrong with the others."""
    members: list[tuple[str, Piece]] = []
    found: list[Finding] = []
    try:
        with tarfile.open(fileobj=Reading(piece), mode="r:") as archive:
            for count, member in enumerate(archive):
                found += _misplaced(member, where)
                if member.isreg() and not member.issparse():
                    members.append((member.name, piece.part(member.offset_data, member.size)))
                if count > MOST_MEMBERS:
                    found.append(Finding("unknown", where, 0, "More members than are followed", UNREAD))
                    break
    except (tarfile.TarError, ValueError, OSError, OverflowError):
        found.append(Finding("unknown", where, 0, "A damaged tar archive", UNREAD))
    return members, found


def _misplaced(member: tarfile.TarInfo, where: str) -> list[Finding]:
    place = f"{where} › {member.name[:200]}".removeprefix(" › ")
    if member.name.startswith("/") or ".." in member.name.split("/"):
        what = "A member that would be put outside its folder"
        return [Finding("unknown", place, member.offset, what, _OVERWRITES)]
    if not (member.isreg() or member.isdir()) or member.issparse():
        return [Finding("unknown", place, member.offset, "An unusual member", _OVERWRITES)]
    return []
