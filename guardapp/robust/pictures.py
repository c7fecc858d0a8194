"""The worst examples as pictures: the image as it is and as the attack changed it, most confident mistakes first."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from guardapp.robust.evaluator import Evaluator

MOST = 8
"""Pairs a strength."""


class Pair(NamedTuple):
    """One mistake. label, mistake: class names; *_confidence: softmax of the model's scores, 0…1

    source_row: the number of the picture in its source
    original, adversarial: file names relative to the report
    """

    strength: float
    source_row: int
    label: str
    label_confidence: float
    mistake: str
    mistake_confidence: float
    original: str
    adversarial: str


def write_worst(
    evaluator: Evaluator, strengths: list[float], classes: list[str], index: list[int], folder: Path
) -> list[Pair]:
    """Write up to `MOST` pairs a strength into `folder/worst` and say which they are; nothing for anything but images.

    An example that a weaker attack broke is a mistake of every stronger one too, and is shown with the weaker change.
    index: of each example in its source
    """
    if evaluator.x.dim() != 4 or evaluator.x.shape[1] not in (1, 3):
        return []
    written: dict[int, tuple[str, str]] = {}
    pairs = []
    (folder / "worst").mkdir(exist_ok=True)
    before = evaluator.clean_scores.double().softmax(1)
    rows = ((evaluator.broken_at > 0) & (evaluator.broken_at <= strengths[-1])).nonzero().squeeze(1)
    if not len(rows):
        return []
    after = evaluator.victim.all_scores(evaluator.adversarials[rows]).double().softmax(1)
    sure, mistakes = after.max(1)
    for strength in strengths:
        fitting = (evaluator.broken_at[rows] <= strength).nonzero().squeeze(1)
        for place in fitting[sure[fitting].argsort(descending=True)[:MOST]].tolist():
            row = int(rows[place])
            if row not in written:
                written[row] = _write_pair(evaluator, row, index[row], folder)
            label, mistake = int(evaluator.y[row]), int(mistakes[place])
            pairs.append(
                Pair(
                    strength=strength,
                    source_row=index[row],
                    label=_name(classes, label),
                    label_confidence=float(before[row, label]),
                    mistake=_name(classes, mistake),
                    mistake_confidence=float(sure[place]),
                    original=written[row][0],
                    adversarial=written[row][1],
                )
            )
    return pairs


def _name(classes: list[str], number: int) -> str:
    return classes[number] if number < len(classes) else str(number)


def _write_pair(evaluator: Evaluator, row: int, index: int, folder: Path) -> tuple[str, str]:
    names = (f"worst/{index:06d}-original.png", f"worst/{index:06d}-adversarial.png")
    for name, image in zip(names, (evaluator.x[row], evaluator.adversarials[row]), strict=True):
        as_image(image).save(folder / name, "PNG")
    return names


def as_image(pixels: Tensor) -> Image.Image:
    """(1 or 3, height, width) in 0…1 as an 8-bit picture."""
    levels = (pixels * 255).round().clamp(0, 255).to(torch.uint8).numpy()
    return Image.fromarray(levels[0] if len(levels) == 1 else np.ascontiguousarray(levels.transpose(1, 2, 0)))
