"""The kinds of things that are taken out of a checkpoint, as programs and as people call them."""

from __future__ import annotations

from typing import Final, Literal

Kind = Literal["optimizer", "random", "loop", "hyper", "path", "person", "text", "data", "behind", "other"]

KIND_WORDS: Final[dict[Kind, str]] = {
    "optimizer": "Optimizer state",
    "random": "States of random generators",
    "loop": "State of the training loop",
    "hyper": "Hyper-parameters",
    "path": "File paths",
    "person": "User and host names",
    "text": "Free text",
    "data": "Data, perhaps of the training",
    "behind": "Bytes behind views of tensors",
    "other": "Other values",
}
"""In the order of lists."""
