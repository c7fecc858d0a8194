"""What the Robustness page cannot take, and what to do instead."""

from __future__ import annotations

from pathlib import Path

from guardapp.errors import GuardError


def nothing_held_back(name: str) -> GuardError:
    return GuardError(
        what=f"{name} held no rows back",
        why="it was trained on all of its data, and a model does better on rows that it has seen",
        next="Choose other examples, or read the result as too good.",
        code="robustness.nothing-held-back",
    )


def unknown_file(path: Path) -> GuardError:
    return GuardError(
        what=f"{path.name} is nothing that can be checked",
        why="it is neither a file of weights (safetensors) nor the folder of a finished training",
        next="Choose one of these.",
        code="robustness.unknown-file",
    )
