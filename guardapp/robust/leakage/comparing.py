"""The attacks of one leakage check, and what each compares the model with."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from guardapp.errors import GuardError
from guardapp.formats.datasets import Dataset
from guardapp.formats.device import choose_threads
from guardapp.formats.models import LoadedModel, build
from guardapp.progress import Progress
from guardapp.robust.leakage.pool import Pool
from guardapp.robust.leakage.references import fit, halves
from guardapp.robust.leakage.regression import expected
from guardapp.robust.leakage.scores import (
    Array,
    Signals,
    offline_lira,
    online_lira,
    relative_likelihood,
    signals,
)
from guardapp.robust.victim import Victim

if TYPE_CHECKING:
    from guardapp.robust.leakage.job import LeakSpec


def scores_by_attack(
    spec: LeakSpec,
    model: LoadedModel,
    victim: Victim,
    pool: Pool,
    aside: Dataset | None,
    target: Signals,
    progress: Progress,
) -> dict[str, Array]:
    """Each attack's score of every example of the pool, (2n,): the larger, the likelier a member.

    aside: the non-members that the attacker may learn from; None when online
    """
    found = {"loss threshold": target.log_likelihood}
    if spec.compare == "quantile":
        assert aside is not None
        with progress.stage("Fitting the regression"):
            x, y = torch.from_numpy(aside.x), torch.from_numpy(aside.y)
            seen = signals(victim.all_scores(x), y).phi
            told = progress.checkpoint
            mean, spread = expected(x, y, seen, (pool.x, pool.y), len(aside.classes), seed=spec.seed, told=told)
        return found | {"quantile regression": (target.phi - mean) / spread}
    if not spec.references:
        return found
    if aside is not None:
        x, y = torch.from_numpy(aside.x), torch.from_numpy(aside.y)
        given = [(x, y)] * spec.references
    else:
        masks = halves(spec.references, len(pool.x), spec.seed)
        given = [(pool.x[mask], pool.y[mask]) for mask in masks]
    others = references(spec, model, pool, given, progress)
    log_likelihoods, phis = np.stack([s.log_likelihood for s in others]), np.stack([s.phi for s in others])
    found["RMIA"] = relative_likelihood(target.log_likelihood, log_likelihoods)
    if aside is not None:
        return found | {"LiRA, offline": offline_lira(target.phi, phis)}
    return found | {"LiRA": online_lira(target.phi, phis, masks)}


def references(
    spec: LeakSpec, model: LoadedModel, pool: Pool, given: list[tuple[Tensor, Tensor]], progress: Progress
) -> list[Signals]:
    """What models say of the pool that were fitted to `given`, examples and labels of one each."""
    card, found = model.card, []
    if card.architecture == "foreign":
        raise GuardError(
            "No reference models can be fitted",
            "how to build an untrained model of this kind is not known from its file",
            "Set references to 0, or name a built-in architecture.",
            "leak.references",
        )
    sample = given[0][0][: spec.fit.batch], given[0][1][: spec.fit.batch]
    trial = build(card.architecture, card.options, card.input_shape, len(card.classes))
    choose_threads(lambda: fit(trial, *sample, epochs=1, batch=spec.fit.batch, learning_rate=1e-9, seed=0))
    with progress.stage("Fitting reference models", total=spec.references) as stage:
        for number, (x, y) in enumerate(given):
            torch.manual_seed(spec.seed * 1000 + number)
            fresh = build(card.architecture, card.options, card.input_shape, len(card.classes))
            fit(
                fresh,
                x,
                y,
                epochs=spec.fit.epochs,
                batch=spec.fit.batch,
                learning_rate=spec.fit.learning_rate,
                seed=number,
                told=progress.checkpoint,
            )
            reference = Victim(fresh, len(card.classes), checkpoint=progress.checkpoint)
            found.append(signals(reference.all_scores(pool.x), pool.y))
            stage.advance(1)
    return found
