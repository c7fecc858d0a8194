"""Lists of numbers as people write them in one line."""

from __future__ import annotations

from collections.abc import Sequence

from guardapp.desktop.robustness.finding import strength_words


def read_numbers(text: str) -> list[float] | None:
    """ "0.02, 8/255" as numbers; None where a part is not one."""
    found = []
    for part in text.replace("，", ",").replace("、", ",").replace(";", ",").split(","):
        if not part.strip():
            continue
        above, _, below = part.partition("/")
        try:
            number = float(above) / float(below) if below else float(above)
        except (ValueError, ZeroDivisionError):
            return None
        if number != number or number in (float("inf"), float("-inf")):
            return None
        found.append(number)
    return sorted(set(found))


def listed(numbers: Sequence[float]) -> str:
    """Numbers so that `read_numbers` reads the same."""
    words = [strength_words(number) for number in numbers]
    # what is written is read again, so it must be the same number
    return ", ".join(w if read_numbers(w) == [n] else repr(n) for w, n in zip(words, numbers, strict=True))
