"""What a scan says: findings, each with its place and what it could do, and the verdict that follows from them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, NamedTuple

Level = Literal["unsafe", "unknown"]
Verdict = Literal["safe", "unsafe", "unknown"]

MOST_FINDINGS = 200
"""Per file; a hostile file could otherwise make a report of any length."""


class Finding(NamedTuple):
    """One thing that keeps a file from being safe.

    level:  "unsafe": it would act when loaded; "unknown": it could not be shown to be harmless
    where:  members from the outside in, joined by " › "; "" for the file itself
    offset: of the byte in the innermost member, decompressed, at which it was found
    what:   what was found, for instance `posix.system is called`
    could:  what that could do
    """

    level: Level
    where: str
    offset: int
    what: str
    could: str


def verdict(findings: Iterable[Finding]) -> Verdict:
    """Safe only where nothing was found: what could not be read is never safe."""
    levels = {finding.level for finding in findings}
    return "unsafe" if "unsafe" in levels else "unknown" if levels else "safe"
