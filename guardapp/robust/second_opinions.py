"""Attacks that share nothing with the evaluation's: what they still break shows what the evaluation overlooked.

They look at examples that every attack left standing, and each needs something else: random noise needs nothing, the
walk needs the model's answers alone (after RayS, Chen & Gu 2020), the transfer needs a copy that is trained on those
answers (after Papernot et al. 2017), and the longer climb has the gradient and more patience.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from guardapp.robust import losses
from guardapp.robust.evaluator import Evaluator
from guardapp.robust.hard_label import nearest_along_corners
from guardapp.robust.pgd import auto_pgd
from guardapp.robust.threat import Threat
from guardapp.robust.victim import Victim

MOST = 50
"""Examples that are tried again."""
DRAWS = 20
"""Random points of the ball an example."""
ROUNDS = 60
"""Turns of the walk, each of one answer, or of six where it comes closer."""
LONGER = 50
"""Steps of the longer climb."""


class SecondOpinions(NamedTuple):
    """How many of `tried` examples that held at `strength` each attack broke; confirmed in a fresh forward pass."""

    strength: float
    tried: int
    noise: int
    labels: int
    transfer: int
    longer: int


def ask(evaluator: Evaluator, strengths: list[float]) -> SecondOpinions | None:
    """None where nothing held at any strength."""
    strength, rows = _held(evaluator, strengths)
    if not len(rows):
        return None
    victim, threat = evaluator.victim, evaluator.threat(strength)
    x, y = evaluator.x[rows].to(victim.device), evaluator.y[rows].to(victim.device)
    generator = torch.Generator().manual_seed(evaluator.seed)
    others = evaluator.x[:MOST].to(victim.device)
    climb = auto_pgd(victim, x, y, threat.random_start(x, generator), threat, losses.margin, LONGER)

    def counted(points: Tensor) -> int:
        wrong = victim.predictions(points).to(points.device) != y
        return int((wrong & threat.allows(x, points)).sum())

    return SecondOpinions(
        strength=strength,
        tried=len(rows),
        noise=counted(among_random(victim, x, y, threat, generator)),
        labels=counted(walk(victim, x, y, others, threat)),
        transfer=counted(through_a_copy(evaluator, x, y, threat, generator)),
        longer=counted(climb.point),
    )


def _held(evaluator: Evaluator, strengths: list[float]) -> tuple[float, Tensor]:
    """The largest strength at which 20 examples or more held, else that with the most, and some of those examples."""
    held = {strength: (evaluator.broken_at > strength).nonzero().squeeze(1) for strength in strengths}
    enough = [strength for strength in strengths if len(held[strength]) >= 20]
    chosen = enough[-1] if enough else strengths[0]
    return chosen, held[chosen][:MOST]


@torch.no_grad()
def among_random(victim: Victim, x: Tensor, y: Tensor, threat: Threat, generator: torch.Generator) -> Tensor:
    """(n, *example): a random point of the ball that is answered wrongly, where one of `DRAWS` is."""
    found = x.clone()
    for _ in range(DRAWS):
        point = threat.random_start(x, generator)
        wrong = victim.scores(point).argmax(1) != y
        found[wrong] = point[wrong]
    return found


@torch.no_grad()
def walk(victim: Victim, x: Tensor, y: Tensor, others: Tensor, threat: Threat) -> Tensor:
    """(n, *example): the nearest mistakes in the directions of a corner that answers alone can find, or x itself."""
    found = nearest_along_corners(victim, x, y, others, threat, ROUNDS)
    within = found.reached & (found.radius <= threat.epsilon)
    point = found.at(found.radius.clamp(max=threat.epsilon))
    return torch.where(within.view(-1, *[1] * (x.dim() - 1)), point, x)


def through_a_copy(evaluator: Evaluator, x: Tensor, y: Tensor, threat: Threat, generator: torch.Generator) -> Tensor:
    """(n, *example): what fools a small smooth network that has learnt the model's answers around the examples."""
    victim = evaluator.victim
    seen = evaluator.x[:500].to(victim.device)
    around = torch.cat([seen, *(threat.random_start(seen, generator) for _ in range(2))])
    with torch.no_grad():
        answers = torch.cat([victim.scores(part).argmax(1) for part in torch.split(around, victim.batch)])
        classes = evaluator.clean_scores.shape[1]
    # the copy's first weights come from a seed of their own and leave the task's random numbers alone
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(evaluator.seed)
        copy = nn.Sequential(nn.Flatten(), nn.Linear(x[0].numel(), 48), nn.Tanh(), nn.Linear(48, classes))
    copy = copy.to(victim.device)
    weights = list(copy.parameters())
    first, second = ([torch.zeros_like(weight) for weight in weights] for _ in range(2))
    for step in range(1, 61):
        drawn = torch.randint(0, len(around), (128,), generator=generator).to(victim.device)
        loss = nn.functional.cross_entropy(copy(around[drawn]), answers[drawn])
        slopes = torch.autograd.grad(loss, weights)
        with torch.no_grad():  # Adam (arXiv 1412.6980); making torch's own takes a second longer than these steps
            for weight, slope, mean, square in zip(weights, slopes, first, second, strict=True):
                mean.lerp_(slope, 0.1)
                square.lerp_(slope * slope, 0.001)
                spread = (square / (1 - 0.999**step)).sqrt_() + 1e-8
                weight.sub_(5e-3 * (mean / (1 - 0.9**step)) / spread)
        victim.checkpoint()
    imitation = Victim(copy, victim.classes, device=victim.device.type, checkpoint=victim.checkpoint)
    return auto_pgd(imitation, x, y, x, threat, losses.margin, 20, until_broken=False).point
