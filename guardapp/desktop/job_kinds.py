"""How the window names and shows each kind of job: the field's name, the page it opens on, the icon of its rows."""

from __future__ import annotations

from typing import NamedTuple


class KindLook(NamedTuple):
    """title: English key in lists; short: English key in the status bar; page: in `PAGES`."""

    title: str
    short: str
    page: str
    icon: str


_LOOKS = {
    "deid": KindLook("De-identify", "De-identify", "deidentify", "ph.table"),
    "tables": KindLook("De-identify", "De-identify", "deidentify", "ph.table"),
    "train": KindLook("Private training", "Training", "training", "ph.chart-line-up"),
    "check": KindLook("Robustness", "Robustness", "robustness", "ph.shield-check"),
    "leak": KindLook("Leakage", "Leakage", "robustness", "ph.shield-check"),
    "seal": KindLook("Checkpoints · Seal", "Seal", "checkpoints", "ph.package"),
    "open": KindLook("Checkpoints · Open", "Open", "checkpoints", "ph.package"),
    "recipients": KindLook("Checkpoints · Recipients", "Recipients", "checkpoints", "ph.package"),
    "sign": KindLook("Checkpoints · Sign", "Sign", "checkpoints", "ph.package"),
    "verify": KindLook("Checkpoints · Verify", "Verify", "checkpoints", "ph.package"),
    "scan": KindLook("Checkpoints · Scan", "Scan", "checkpoints", "ph.package"),
    "convert": KindLook("Checkpoints · Convert", "Convert", "checkpoints", "ph.package"),
    "strip": KindLook("Checkpoints · Strip", "Strip", "checkpoints", "ph.package"),
    "bundle": KindLook("Checkpoints · Bundle", "Bundle", "checkpoints", "ph.archive-box"),
}


def look(kind: str) -> KindLook:
    """A kind that has no page of its own opens on Home."""
    return _LOOKS.get(kind, KindLook(kind, kind, "home", "ph.file"))
