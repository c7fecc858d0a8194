"""The one judge: it owns the norm, the strengths and the range, runs the attacks, and believes no adversarial unseen.

An attack only proposes. Every proposal is measured again here: its distance and range in float64, and the model's
answer in a fresh forward pass, batched with others than the attack had. What does not hold is thrown away and counted.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from guardapp.robust import losses
from guardapp.robust.cascade import Climb, Search
from guardapp.robust.intervals import Share, share
from guardapp.robust.pgd import Attacked, auto_pgd, single_step
from guardapp.robust.search import block_search
from guardapp.robust.threat import Norm, Threat
from guardapp.robust.victim import Victim

UNBROKEN = float("inf")

Attack = Callable[[Tensor, Tensor, Tensor, torch.Generator], Attacked]
"""(examples, labels, starts, random numbers) of one batch on the victim's device."""


class PassRecord(NamedTuple):
    """What one pass added. kind: "climb", "restart" (the last climb), "search"; tried, broken: examples"""

    kind: str
    tried: int
    broken: int


class StrengthRecord(NamedTuple):
    """One point of the curve.

    robust:       examples that are right without attack and under every attack at this strength or a weaker one
    single_step:  the same under FGSM alone, which is weak by design and shown beside the curve
    overlooked:   examples that only the single step broke
    unconfirmed:  proposals that the fresh forward pass, the distance or the range did not bear out
    passes:       in the order in which they ran
    """

    strength: float
    robust: Share
    single_step: Share
    overlooked: int
    unconfirmed: int
    passes: list[PassRecord]


class Evaluator:
    """Attacks the examples `x` (n, *example) in 0…1 with labels `y` (n,), both on the CPU, at rising strengths.

    An example that is broken at one strength counts as broken at every larger one, so the curve never rises; examples
    that hold are attacked from the best point of the strength before.

    broken_at:    (n,) the smallest strength tried at which the model is wrong; 0 without attack; inf: unbroken
    adversarials: (n, *example) the confirmed adversarial of each broken example, x itself elsewhere
    """

    def __init__(
        self, victim: Victim, x: Tensor, y: Tensor, norm: Norm, *, mutable: Tensor | None = None, seed: int = 0
    ) -> None:
        self.victim, self.x, self.y, self.norm, self.mutable, self.seed = victim, x, y, norm, mutable, seed
        self.clean_scores = victim.all_scores(x)
        right = self.clean_scores.argmax(1) == y
        self.broken_at = torch.where(right, UNBROKEN, 0.0).double()  # a strength such as 0.1 must stay itself
        self.adversarials = x.clone()
        self._best = x.clone()

    def state(self) -> dict[str, Tensor]:
        """All that a finished strength leaves for the next."""
        return {"broken_at": self.broken_at, "adversarials": self.adversarials, "best": self._best}

    def set_state(self, state: dict[str, Tensor]) -> None:
        self.broken_at, self.adversarials, self._best = state["broken_at"], state["adversarials"], state["best"]

    @property
    def clean(self) -> Share:
        return share(int((self.broken_at > 0).sum()), len(self.x))

    def threat(self, strength: float) -> Threat:
        mutable = None if self.mutable is None else self.mutable.to(self.victim.device)
        return Threat(self.norm, strength, mutable)

    def attack(
        self, strength: float, passes: list[Climb | Search], told: Callable[[float], None] = lambda _: None
    ) -> StrengthRecord:
        """Run the cascade at a strength that is not below the ones before. told: hears the share that is done, 0…1."""
        records, unconfirmed = [], 0
        fooled_in_one, wrong = self._single_step(strength)
        unconfirmed += wrong
        for number, step in enumerate(passes):
            rows = self._unbroken()
            said = _part_of(told, number, len(passes))
            broken, wrong = self._run(rows, strength, self._as_attack(step, strength), number, said)
            unconfirmed += wrong
            kind = "search" if isinstance(step, Search) else "restart" if number == len(passes) - 1 else "climb"
            records.append(PassRecord(kind, len(rows), broken))
        overlooked = self._take(fooled_in_one, strength)
        told(1.0)
        robust = share(int((self.broken_at > strength).sum()), len(self.x))
        return StrengthRecord(strength, robust, self._single_share(fooled_in_one), overlooked, unconfirmed, records)

    def sharpen(self, strength: float, most: int = 32, steps: int = 20) -> None:
        """Make the mistakes at this strength as confident as the threat allows, for the `most` that already are so.

        The attacks stop at the first mistake, which is always a close one; what a person should see is how sure the
        model can be made of it.
        """
        rows = (self.broken_at == strength).nonzero().squeeze(1)
        if not len(rows):
            return
        rows = rows[self._margin_of_mistake(rows).argsort(descending=True)[:most]]
        device = self.victim.device
        x, y, start = (part[rows].to(device) for part in (self.x, self.y, self.adversarials))
        point = auto_pgd(
            self.victim, x, y, start, self.threat(strength), losses.margin, steps, until_broken=False
        ).point.cpu()
        before = self._margin_of_mistake(rows)
        better = self.holds(rows, point, strength) & (self._margins(point, rows) > before)
        self.adversarials[rows[better]] = point[better]

    def _margin_of_mistake(self, rows: Tensor) -> Tensor:
        return self._margins(self.adversarials[rows], rows)

    def _margins(self, points: Tensor, rows: Tensor) -> Tensor:
        return losses.margin(self.victim.all_scores(points), self.y[rows], self.y[rows])

    def _unbroken(self) -> Tensor:
        return (self.broken_at == UNBROKEN).nonzero().squeeze(1)

    def _as_attack(self, step: Climb | Search, strength: float) -> Attack:
        threat = self.threat(strength)

        def search(x: Tensor, y: Tensor, start: Tensor, generator: torch.Generator) -> Attacked:
            assert isinstance(step, Search)
            return block_search(self.victim, x, y, threat, step.queries, generator)

        def climb(x: Tensor, y: Tensor, start: Tensor, generator: torch.Generator) -> Attacked:
            assert isinstance(step, Climb)
            aim = None
            if step.rank:
                with torch.no_grad():
                    aim = losses.ranked_wrong_class(self.victim.scores(x), y, step.rank)
            begin = start if step.start == "here" else threat.random_start(x, generator)
            return auto_pgd(self.victim, x, y, begin, threat, step.loss, step.steps, aim)

        return search if isinstance(step, Search) else climb

    def _run(
        self, rows: Tensor, strength: float, attack: Attack, number: int, told: Callable[[float], None]
    ) -> tuple[int, int]:
        """Attack the examples `rows` batch by batch; returns how many broke, and how many proposals did not hold."""
        broken = unconfirmed = 0
        # random numbers depend on the seed, the strength and the pass, never on what ran before
        generator = torch.Generator().manual_seed(hash((self.seed, strength, number)) & 0x7FFF_FFFF)
        batches = torch.split(rows, self.victim.batch)
        for done, batch in enumerate(batches):
            device = self.victim.device
            x, y = self.x[batch].to(device), self.y[batch].to(device)
            attacked = attack(x, y, self._best[batch].to(device), generator)
            self._best[batch] = attacked.point.cpu()
            proposed = attacked.broken.cpu()
            taken = self._confirm(batch[proposed], attacked.point.cpu()[proposed], strength)
            broken += taken
            unconfirmed += int(proposed.sum()) - taken
            told((done + 1) / len(batches))
        return broken, unconfirmed

    def _confirm(self, rows: Tensor, points: Tensor, strength: float) -> int:
        """Take the adversarials that hold when looked at afresh; returns how many."""
        if not len(rows):
            return 0
        holds = self.holds(rows, points, strength)
        self.broken_at[rows[holds]] = strength
        self.adversarials[rows[holds]] = points[holds]
        return int(holds.sum())

    def holds(self, rows: Tensor, points: Tensor, strength: float) -> Tensor:
        """(rows,) bool: whether each proposal keeps distance and range and fools the model when seen afresh."""
        threat = Threat(self.norm, strength, self.mutable)
        # the other half of the batch is examples as they are, so a model that mixes its batch cannot repeat itself
        answers = self.victim.predictions(torch.cat([points, self.x[rows]]))[: len(rows)]
        return threat.allows(self.x[rows], points) & (answers != self.y[rows])

    def _single_step(self, strength: float) -> tuple[dict[int, Tensor], int]:
        """FGSM on all that is right without attack: confirmed adversarials by row, and how many did not hold."""
        threat, unconfirmed = self.threat(strength), 0
        found: dict[int, Tensor] = {}
        for batch in torch.split((self.broken_at > 0).nonzero().squeeze(1), self.victim.batch):
            x, y = self.x[batch].to(self.victim.device), self.y[batch].to(self.victim.device)
            attacked = single_step(self.victim, x, y, threat, losses.margin)
            proposed = attacked.broken.cpu()
            rows, points = batch[proposed], attacked.point.cpu()[proposed]
            if len(rows):
                holds = self.holds(rows, points, strength)
                unconfirmed += int((~holds).sum())
                found |= {int(row): point for row, point in zip(rows[holds], points[holds], strict=True)}
        return found, unconfirmed

    def _take(self, found: dict[int, Tensor], strength: float) -> int:
        """Count what only the single step broke; returns how many."""
        fresh = [row for row in found if self.broken_at[row] == UNBROKEN]
        for row in fresh:
            self.broken_at[row] = strength
            self.adversarials[row] = found[row]
        return len(fresh)

    def _single_share(self, found: dict[int, Tensor]) -> Share:
        right = int((self.broken_at > 0).sum())
        return share(right - len(found), len(self.x))


def _part_of(told: Callable[[float], None], number: int, count: int) -> Callable[[float], None]:
    return lambda part: told((number + part) / count)
