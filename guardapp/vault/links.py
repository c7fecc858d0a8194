"""Datasets that share people: what was spent on one counts for all that are linked with it, however far."""

from __future__ import annotations

import sqlite3

from guardapp.vault.chain import Chain

EVENT = "link"


def linked(chain: Chain, connection: sqlite3.Connection, dataset: str) -> tuple[str, ...]:
    """`dataset` and every dataset that links lead to, in both directions, sorted.

    Links are followed further than two steps although rows of the first and the last need not overlap: which do is not
    known, and counting too much is safe.
    """
    pairs = [(entry.subject, str(entry.facts["with"])) for entry in chain.entries(connection, "event = ?", EVENT)]
    found, fresh = {dataset}, {dataset}
    while fresh:
        beside = {other for pair in pairs for one, other in (pair, pair[::-1]) if one in fresh}
        fresh = beside - found
        found |= fresh
    return tuple(sorted(found))
