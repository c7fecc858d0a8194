"""A number with what it counts: “1 tensor”, “3 tensors”."""

from __future__ import annotations


def counted(number: int, thing: str) -> str:
    """thing: singular; its plural ends in s."""
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"
