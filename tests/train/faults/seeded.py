"""Faults that DP-SGD engines have had or could have, each seeded into ours, with the check that catches it.

Sources of the real ones: shuffled batches under Poisson accounting (arXiv 2403.17673), a divisor from the data (Opacus
issue 819), empty batches (Opacus 161, 522), noise in the wrong place, resumes that forget (Opacus 117).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch

from guardapp.train import accounting, admissible, charge, clipping, job, noise, plan, release, session
from guardapp.train.clipping import ClippedSum, Clipper
from guardapp.train.contributions import Each
from guardapp.train.noise import PrivateRandom
from guardapp.train.session import Session

Patch = pytest.MonkeyPatch


class Fault(NamedTuple):
    name: str
    seed: Callable[[Patch], None]
    caught_by: str


FAULTS: list[Fault] = []


def fault(caught_by: str) -> Callable[[Callable[[Patch], None]], Callable[[Patch], None]]:
    def keep(seed: Callable[[Patch], None]) -> Callable[[Patch], None]:
        FAULTS.append(Fault(seed.__name__, seed, caught_by))
        return seed

    return keep


def around(patch: Patch, owner: Any, name: str, change: Callable[..., Any]) -> None:
    """Replace owner.name by `change`, which is given what it replaces first."""
    original = getattr(owner, name)
    patch.setattr(owner, name, lambda *given, **named: change(original, *given, **named))


# --- sampling ---------------------------------------------------------------------------------------------------------
@fault("sampling_is_poisson")
def shuffled_batches_instead_of_poisson(patch: Patch) -> None:
    def fixed_size(original: Any, self: PrivateRandom, rows: int, rate: float) -> np.ndarray:
        return np.sort(np.random.default_rng().permutation(rows)[: round(rows * rate)])

    around(patch, PrivateRandom, "poisson_sample", fixed_size)


@fault("sampling_is_poisson")
def twice_the_rate(patch: Patch) -> None:
    around(patch, PrivateRandom, "poisson_sample", lambda original, self, rows, rate: original(self, rows, 2 * rate))


@fault("sampling_is_poisson")
def rows_drawn_with_replacement(patch: Patch) -> None:
    def drawn(original: Any, self: PrivateRandom, rows: int, rate: float) -> np.ndarray:
        random = np.random.default_rng()
        return random.integers(0, rows, random.binomial(rows, rate))

    around(patch, PrivateRandom, "poisson_sample", drawn)


@fault("sampling_is_poisson")
def the_same_sample_in_every_step(patch: Patch) -> None:
    around(
        patch, PrivateRandom, "poisson_sample",
        lambda original, self, rows, rate: np.flatnonzero(np.random.default_rng(1).random(rows) < rate),
    )  # fmt: skip


# --- noise ------------------------------------------------------------------------------------------------------------
@fault("empty_steps_get_the_claimed_noise")
def half_the_noise(patch: Patch) -> None:
    around(patch, PrivateRandom, "gaussians", lambda original, self, count: original(self, count) / 2)


@fault("empty_steps_get_the_claimed_noise")
def noise_that_is_never_negative(patch: Patch) -> None:
    around(patch, PrivateRandom, "gaussians", lambda original, self, count: abs(original(self, count)))


@fault("empty_steps_get_the_claimed_noise")
def empty_steps_are_skipped(patch: Patch) -> None:
    def skipping(original: Any, self: Session, x: torch.Tensor, y: torch.Tensor) -> Any:
        return original(self, x, y) if len(y) else ([torch.zeros_like(p) for p in self._parameters], 0.0)

    around(patch, Session, "_private_mean", skipping)


@fault("empty_steps_get_the_claimed_noise")
def noise_divided_twice(patch: Patch) -> None:
    def divided(original: Any, random: Any, sums: Any, *, deviation: float, divisor: float) -> Any:
        return original(random, sums, deviation=deviation / divisor, divisor=divisor)

    around(patch, session, "noisy_mean", divided)


@fault("noise_does_not_depend_on_the_rows")
def noise_in_proportion_to_the_batch(patch: Patch) -> None:
    def scaled(original: Any, self: Session, x: torch.Tensor, y: torch.Tensor) -> Any:
        kept, self._random.gaussians = self._random.gaussians, lambda count: kept(count) * max(len(y), 10) / 10  # type: ignore[method-assign]
        try:
            return original(self, x, y)
        finally:
            self._random.gaussians = kept  # type: ignore[method-assign]

    around(patch, Session, "_private_mean", scaled)


@fault("the_loss_gets_the_claimed_noise")
def the_loss_without_noise(patch: Patch) -> None:
    around(patch, session, "noisy_number", lambda original, random, value, deviation: value)


@fault("the_adapted_clip_comes_from_a_noisy_count")
def the_count_without_noise(patch: Patch) -> None:
    around(
        patch, session, "adapted",
        lambda original, clip, short, divisor: original(clip, 0.0, divisor),
    )  # fmt: skip


@fault("noise_is_fresh")
def the_same_noise_in_every_step(patch: Patch) -> None:
    around(patch, PrivateRandom, "gaussians", lambda original, self, count: np.random.default_rng(3).normal(size=count))


@fault("noise_is_fresh")
def the_same_noise_for_every_weight(patch: Patch) -> None:
    def repeated(original: Any, self: PrivateRandom, count: int) -> np.ndarray:
        half = original(self, (count + 1) // 2)
        return np.concatenate([half, half])[:count]

    around(patch, PrivateRandom, "gaussians", repeated)


@fault("noise_is_fresh")
def a_seeded_key(patch: Patch) -> None:
    patch.setattr(noise.os, "urandom", lambda count: bytes(count))


@fault("released_values_lie_on_the_grid")
def the_last_bits_are_kept(patch: Patch) -> None:
    patch.setattr(release, "on_grid", lambda values, deviation: values)


# --- clipping ---------------------------------------------------------------------------------------------------------
@fault("the_divisor_is_public")
def divided_by_the_rows_of_the_step(patch: Patch) -> None:
    def by_rows(original: Any, self: Session, x: torch.Tensor, y: torch.Tensor) -> Any:
        gradients, loss = original(self, x, y)
        return [one * self.plan.divisor / max(1, len(y)) for one in gradients], loss

    around(patch, Session, "_private_mean", by_rows)


@fault("one_example_moves_no_more_than_the_clip")
def clipped_after_the_sum(patch: Patch) -> None:
    def late(original: Any, self: Clipper, x: Any, y: Any, clip: float, views: int) -> Any:
        gradients, losses, norms = original(self, x, y, 1e9, views)
        norm = math.sqrt(sum(float(one.square().sum()) for one in gradients))
        return [one * min(1.0, len(y) * clip / norm) for one in gradients], losses, norms

    around(patch, Clipper, "_book_keeping", late)


@fault("one_example_moves_no_more_than_the_clip")
def each_weight_clipped_by_itself_to_the_whole_norm(patch: Patch) -> None:
    def alone(original: Any, self: Clipper, *given: Any, **named: Any) -> Any:
        original(self, *given, **named)
        self._group, self._groups = list(range(len(self.parameters))), len(self.parameters)

    around(patch, Clipper, "__init__", alone)
    around(
        patch, clipping, "clip_factors",
        lambda original, norms, clip, automatic=False: original(norms, clip * 2, automatic=automatic),
    )  # fmt: skip


@fault("sums_are_those_of_the_definition")
def the_bias_is_forgotten_in_the_norm(patch: Patch) -> None:
    patch.setattr(Each, "squares", lambda self: torch.zeros(len(self.gradients)))


@fault("one_example_moves_no_more_than_the_clip")
def scaled_up_to_the_norm_as_well(patch: Patch) -> None:
    patch.setattr(clipping, "clip_factors", lambda norms, clip, automatic=False: clip / norms.clamp(max=clip))


@fault("one_example_moves_no_more_than_the_clip")
def rows_that_are_not_finite_pass(patch: Patch) -> None:
    around(patch, clipping.torch, "isfinite", lambda original, values: torch.ones_like(values, dtype=torch.bool))


@fault("one_example_moves_no_more_than_the_clip")
def the_loss_is_not_bounded(patch: Patch) -> None:
    def unbounded(original: Any, self: Clipper, x: Any, y: Any, **named: Any) -> ClippedSum:
        found: ClippedSum = original(self, x, y, **named)
        return found._replace(loss=float(self.loss(self.model(x), y).detach().nan_to_num(1e9).sum()))

    around(patch, Clipper, "sum", unbounded)


@fault("sums_are_those_of_the_definition")
def a_layer_called_twice_is_measured_twice(patch: Patch) -> None:
    class Apart(Each):
        def __init__(self, parts: Any) -> None:
            super().__init__(torch.stack([part.each() for part in parts]).sum(0))
            self.parts = parts

        def squares(self) -> torch.Tensor:
            return torch.stack([part.squares() for part in self.parts]).sum(0)

    around(patch, clipping, "together", lambda original, parts: Apart(parts) if len(parts) > 1 else original(parts))


@fault("sums_are_those_of_the_definition")
def a_norm_layer_is_left_out(patch: Patch) -> None:
    around(
        patch, clipping, "contributions",
        lambda original, tap, *given: (
            iter(()) if isinstance(tap.layer, torch.nn.LayerNorm) else original(tap, *given)
        ),
    )  # fmt: skip


# --- models -----------------------------------------------------------------------------------------------------------
@fault("layers_that_mix_rows_are_refused")
def batch_norm_is_left_in(patch: Patch) -> None:
    patch.setattr(admissible, "_MIXING", ())
    patch.setattr(admissible, "_probe", lambda model, input_shape: None)


@fault("layers_that_mix_rows_are_refused")
def running_averages_are_left_in(patch: Patch) -> None:
    patch.setattr(admissible, "_REMEMBERING", ())


# --- accounting and bookkeeping ---------------------------------------------------------------------------------------
@fault("epsilon_is_not_below_that_of_one_exact_step")
def half_the_rate_is_accounted(patch: Patch) -> None:
    around(
        patch, accounting, "step_loss_distribution",
        lambda original, mechanism, **named: original(mechanism._replace(rate=mechanism.rate / 2), **named),
    )  # fmt: skip
    patch.setattr(accounting, "_curve", accounting._curve.__wrapped__)


@fault("epsilon_is_not_below_that_of_one_exact_step")
def steps_are_not_composed(patch: Patch) -> None:
    uncached = accounting._curve.__wrapped__
    patch.setattr(
        accounting, "_curve", lambda mechanism, points, *given: uncached(mechanism, tuple(1 for _ in points), *given)
    )


@fault("shares_of_the_noise_add_up")
def the_loss_is_not_accounted_for(patch: Patch) -> None:
    patch.setattr(accounting.Mechanism, "gradient_noise", property(lambda self: self.noise))


@fault("nothing_shown_depends_on_the_number_of_rows")
def the_rate_from_the_number_of_rows(patch: Patch) -> None:
    rows: list[int] = []

    def loaded(original: Any, spec: Any) -> Any:
        data = original(spec)
        rows.append(len(data))
        return data

    around(patch, job, "load_dataset", loaded)
    around(patch, job, "public_examples", lambda original, most, fraction: original(rows[-1], fraction))


@fault("nothing_shown_depends_on_the_number_of_rows")
def the_number_of_rows_is_shown(patch: Patch) -> None:
    def shown(original: Any, self: Session) -> Any:
        self.progress.facts(rows=len(self.train.y))
        return original(self)

    around(patch, Session, "_measure_first", shown)


@fault("every_step_is_charged_before_it_is_taken")
def a_resume_that_forgets(patch: Patch) -> None:
    def forgetting(original: Any, self: Session) -> None:
        original(self)
        self._position = 0
        self.charged = self.plan.steps if self.charged else 0

    around(patch, Session, "_restore", forgetting)


@fault("every_step_is_charged_before_it_is_taken")
def charged_after_the_steps(patch: Patch) -> None:
    patch.setattr(charge.Charge, "reserve", lambda self, steps: None)


@fault("every_step_is_charged_before_it_is_taken")
def the_curve_ends_too_low(patch: Patch) -> None:
    def too_low(original: Any, *given: Any, **named: Any) -> list[float]:
        return [0.9 * epsilon for epsilon in original(*given, **named)]

    around(patch, plan.accounting, "curve", too_low)


@fault("a_spent_budget_stops_a_run")
def the_budget_is_not_asked(patch: Patch) -> None:
    patch.setattr(charge.Charge, "check_room", lambda self: None)
    patch.setattr(charge.Charge, "reserve", lambda self, steps: None)


@fault("what_is_kept_holds_no_secret")
def the_seed_is_stored(patch: Patch) -> None:
    def with_seed(original: Any, folder: Any, saved: Any) -> None:
        original(folder, saved._replace(tensors={**saved.tensors, "seed": torch.tensor(7)}))

    around(patch, session, "write_state", with_seed)


# --- what only shows from the whole: the audit ------------------------------------------------------------------------
@fault("an_audit_does_not_refute_the_claim")
def no_noise_at_all(patch: Patch) -> None:
    patch.setattr(PrivateRandom, "gaussians", lambda self, count: np.zeros(count))


@fault("an_audit_does_not_refute_the_claim")
def gradients_that_are_not_clipped(patch: Patch) -> None:
    around(
        patch, Clipper, "sum", lambda original, self, *given, **named: original(self, *given, **{**named, "clip": 1e6})
    )
