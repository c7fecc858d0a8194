"""safetensors files: a header that accounts for every byte, or a finding."""

from __future__ import annotations

from guardapp.errors import GuardError
from guardapp.formats import safetensors
from guardapp.formats.scan.findings import Finding
from guardapp.formats.scan.piece import Piece
from guardapp.formats.scan.sentences import UNREAD


def scan_safetensors(piece: Piece, where: str) -> list[Finding]:
    """What keeps a safetensors file from being safe; pickles in its bytes are looked for elsewhere."""
    try:
        safetensors.read_layout(piece.read, len(piece), "")
    except GuardError as error:
        return [Finding("unknown", where, 0, f"A safetensors header that is not to be trusted: {error.why}", UNREAD)]
    return []
