"""The evaluation of a model that gives no scores: one search for the nearest mistake serves all strengths."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from guardapp.robust.cascade import Climb, Search
from guardapp.robust.evaluator import Evaluator, PassRecord, StrengthRecord
from guardapp.robust.flag import Flag
from guardapp.robust.hard_label import nearest_mistakes
from guardapp.robust.inspection import inspect_model
from guardapp.robust.intervals import share
from guardapp.robust.selfchecks import SAMPLE, SelfChecks, differ, not_held
from guardapp.robust.threat import TOLERANCE, distance

OTHERS = 50
"""Examples among which an attack looks for an answer of another class to begin with."""

UNTRIED = ("single-step-beats-iterative", "not-converged")
"""Self-checks of attacks that this evaluation does not run."""


class LabelEvaluator(Evaluator):
    """As `Evaluator`, by attacks that see answers alone, no scores and no gradients. Its norm is linf or l2."""

    _nearest: Tensor | None = None
    _found: Tensor | None = None

    def attack(
        self, strength: float, passes: list[Climb | Search], told: Callable[[float], None] = lambda _: None
    ) -> StrengthRecord:
        """Take what the search found within `strength`; `passes` belong to other budgets and are not run."""
        nearest, found = self._search(told)
        rows = self._unbroken()
        near = distance(self.x[rows], nearest[rows], self.norm) <= strength + TOLERANCE
        chosen = rows[near & found[rows]]
        taken = self._confirm(chosen, nearest[chosen], strength)
        robust = share(int((self.broken_at > strength).sum()), len(self.x))
        passed = [PassRecord("labels", len(rows), taken)]
        return StrengthRecord(strength, robust, self.clean, 0, len(chosen) - taken, passed)

    def sharpen(self, strength: float, most: int = 32, steps: int = 20) -> None:
        """How sure a mistake is cannot be seen, so none is made surer."""

    def _search(self, told: Callable[[float], None]) -> tuple[Tensor, Tensor]:
        if self._nearest is None or self._found is None:
            nearest, found = self.x.clone(), torch.zeros(len(self.x), dtype=torch.bool)
            generator = torch.Generator().manual_seed(self.seed)
            threat, device = self.threat(1.0), self.victim.device
            others = self.x[:OTHERS].to(device)
            batches = torch.split((self.broken_at > 0).nonzero().squeeze(1), self.victim.batch)
            for done, batch in enumerate(batches):
                x, y = self.x[batch].to(device), self.y[batch].to(device)
                points, wrong = nearest_mistakes(self.victim, x, y, others, threat, generator)
                nearest[batch], found[batch] = points.cpu(), wrong.cpu()
                told((done + 1) / len(batches))
            self._nearest, self._found = nearest, found
        return self._nearest, self._found

    def doubts(self) -> SelfChecks:
        """What can be doubted without scores and gradients: whether answers repeat, modes, whether the search works."""
        victim, x = self.victim, self.x[:SAMPLE]
        first, second = victim.all_scores(x), victim.all_scores(x)
        single = torch.cat([victim.all_scores(part) for part in torch.split(x[:20], 1)])
        _, found = self._search(lambda _: None)
        right = self.broken_at > 0
        return SelfChecks(
            changing=differ(first, second, 1e-5),
            neighbours=differ(first[:20], single, 1e-3),
            no_gradient=None,
            probabilities=False,
            moved_at_zero=None,
            unlimited=float((~found[right]).double().mean()) if right.any() else None,
            answers=len(set(self.clean_scores.argmax(1).tolist())) + int(found.any()),
            lost=None,
            averaged=None,
            not_held=not_held(self),
            model=inspect_model(victim, x, self.y[:SAMPLE], torch.zeros(0, dtype=torch.long), self.threat(1.0)),
            others=None,
        )


def flags_of_labels(flags: list[Flag]) -> list[Flag]:
    """The doubts of such an evaluation: none about attacks that were not run, and one that always applies."""
    kept = [flag for flag in flags if flag.id not in UNTRIED]
    own = Flag(
        "answers-only",
        "amber",
        "The attack saw answers alone",
        "an attacker who has the model, or its scores, has stronger attacks, so the figures may be far too good",
        "Where the model gives scores, check it with another budget too.",
    )
    place = sum(flag.level == "red" for flag in kept)
    return [*kept[:place], own, *kept[place:]]
