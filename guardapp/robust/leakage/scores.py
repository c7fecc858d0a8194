"""Scores that tell members from non-members: the larger, the likelier was the example among the training data.

Every attack here is a function of how sure models are of the right class. φ is that confidence on the scale of a
logit, ln(p / (1 - p)), on which it is nearly normal (Carlini et al. 2022, section V).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Array = NDArray[np.float64]

OWN_SPREAD = 64
"""References from which on each example has a variance of its own; with fewer all examples share one (ibid., VI.C)."""

LEAST_SPREAD = 1e-6


class Signals(NamedTuple):
    """What models say of each example. log_likelihood: ln p of the right class, ≤ 0; phi: its logit"""

    log_likelihood: Array
    phi: Array


def signals(scores: Tensor, y: Tensor) -> Signals:
    """From the scores (n, classes) of a model and the right classes (n,), in float64.

    φ is the right class's score minus the logarithm of the sum of the other classes' exponentials, which stays exact
    where p rounds to 1.
    """
    wide = scores.double()
    right = wide.gather(1, y[:, None])[:, 0]
    others = wide.scatter(1, y[:, None], -torch.inf).logsumexp(1)
    phi = (right - others).numpy()
    return Signals(-np.logaddexp(0.0, -phi), phi)


def online_lira(target: Array, references: Array, inside: NDArray[np.bool_]) -> Array:
    """The logarithm of the likelihood ratio of Carlini et al. 2022, algorithm 1, (n,).

    target:     (n,) φ under the model that is checked
    references: (models, n) φ under each reference model
    inside:     (models, n) whether the example was in that model's training data; half of the models each
    """
    present = np.where(inside, references, np.nan)
    absent = np.where(inside, np.nan, references)
    mean_in, mean_out = np.nanmean(present, 0), np.nanmean(absent, 0)
    spread_in = _spread(present - mean_in, len(references))
    spread_out = _spread(absent - mean_out, len(references))
    ratio: Array = _log_normal(target, mean_in, spread_in) - _log_normal(target, mean_out, spread_out)
    return ratio


def offline_lira(target: Array, references: Array) -> Array:
    """How far above its references' φ the model's lies, in their spread, (n,): a rising function of Carlini et al.'s.

    Equation 4, ibid.: 1 - Pr[Z > φ] under models that did not see the example.
    target: (n,) φ; references: (models, n) φ under models none of which saw any of the examples
    """
    mean = references.mean(0)
    ratio: Array = (target - mean) / _spread(references - mean, len(references))
    return ratio


def _spread(deviations: Array, models: int) -> Array:
    if models >= OWN_SPREAD:
        own: Array = np.maximum(np.sqrt(np.nanmean(deviations**2, 0)), LEAST_SPREAD)
        return own
    shared: Array = np.full(deviations.shape[1], max(float(np.sqrt(np.nanmean(deviations**2))), LEAST_SPREAD))
    return shared


def _log_normal(value: Array, mean: Array, spread: Array) -> Array:
    scaled: Array = -0.5 * ((value - mean) / spread) ** 2 - np.log(spread)
    return scaled


def relative_likelihood(target: Array, references: Array) -> Array:
    """How much likelier the model finds each example than the references do on average, (n,), as a logarithm.

    RMIA (Zarifzadeh et al. 2024, arXiv 2312.03262) compares this ratio of an example with that of many others; against
    one fixed population that is a rising function of the ratio itself, so the curve is the same.
    target: (n,) ln p under the model that is checked; references: (models, n) ln p
    """
    ratio: Array = target - (np.logaddexp.reduce(references, axis=0) - np.log(len(references)))
    return ratio
