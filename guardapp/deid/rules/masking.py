"""Cover a cell or most of its characters."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from guardapp.deid.axes import SUPPRESSED
from guardapp.deid.rule_options import Mask


def redact(values: Sequence[str]) -> list[str]:
    return [SUPPRESSED] * len(values)


def mask(options: Mask | None) -> Callable[[Sequence[str]], list[str]]:
    """Keep some characters at the ends, cover the rest one by one, so that the length stays.

    A value that the kept characters would show whole is covered whole.
    """
    keep = options or Mask()

    def cover(value: str) -> str:
        hidden = len(value) - keep.keep_first - keep.keep_last
        if hidden <= 0:
            return keep.sign * len(value)
        return value[: keep.keep_first] + keep.sign * hidden + value[len(value) - keep.keep_last :]

    return lambda values: [cover(value) for value in values]
