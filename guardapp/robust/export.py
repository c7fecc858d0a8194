"""Adversarial examples for outsiders: the points, and in words for programs what they must keep."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from guardapp.robust.evaluator import UNBROKEN, Evaluator
from guardapp.robust.smallest import Smallest
from guardapp.robust.subject import Subject
from guardapp.robust.threat import TOLERANCE

if TYPE_CHECKING:
    from guardapp.robust.job import CheckSpec


def write_adversarials(evaluator: Evaluator, smallest: Smallest, index: NDArray[np.int64], path: Path) -> None:
    """Every confirmed adversarial, with all that an outsider needs to check it.

    index: (n,) the example's number in its source; x, x_adv: (n, *example) float32 in 0…1; y: (n,) the right class;
    strength: (n,) float64, the bound that x_adv keeps; x_smallest, smallest: the same of the smallest change found
    """
    broken = ((evaluator.broken_at > 0) & (evaluator.broken_at < UNBROKEN)).numpy()
    np.savez_compressed(
        path,
        index=index[broken],
        x=evaluator.x.numpy()[broken],
        x_adv=evaluator.adversarials.numpy()[broken],
        y=evaluator.y.numpy()[broken],
        strength=evaluator.broken_at.double().numpy()[broken],
        x_smallest=smallest.points.numpy()[broken],
        smallest=smallest.strength.double().numpy()[broken],
    )


def describe_adversarials(spec: CheckSpec, subject: Subject, path: Path) -> None:
    """What the arrays beside it must keep: norm, range, rounding, unmoved features, and the model that they fool."""
    card = subject.model.card
    described = {
        "norm": spec.norm,
        "range": [0.0, 1.0],
        "tolerance": TOLERANCE,
        "mutable": None if subject.mutable is None else subject.mutable.tolist(),
        "architecture": card.architecture,
        "options": card.options,
        "input_shape": list(card.input_shape),
        "classes": list(card.classes),
        "data_fingerprint": subject.data.fingerprint,
    }
    path.write_text(json.dumps(described, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
