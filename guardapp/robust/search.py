"""Attacks that use scores alone, no gradient: a model that hides its gradients does not hide from these.

After Square Attack (Andriushchenko et al. 2020): blocks of the change are drawn anew at random and kept where they
bring the example closer to a mistake. On tables a block is a random set of features.
"""

from __future__ import annotations

import torch
from torch import Tensor

from guardapp.robust import losses
from guardapp.robust.pgd import Attacked
from guardapp.robust.threat import Threat
from guardapp.robust.victim import Victim

FIRST_SHARE = 0.3
"""Share of an example's features in the first blocks; it falls with the queries as in the paper, section 4.1."""


@torch.no_grad()
def block_search(
    victim: Victim, x: Tensor, y: Tensor, threat: Threat, queries: int, generator: torch.Generator
) -> Attacked:
    """At most `queries` forward passes for each example of one batch; broken examples leave it at once."""
    row = torch.arange(len(x), device=x.device)
    point, broken = x.clone(), torch.zeros(len(x), dtype=torch.bool, device=x.device)
    here = threat.project(x, x + threat.epsilon * _signs(x, generator, stripes=True))
    origin, label, best = x, y, torch.full((len(x),), float("-inf"), device=x.device)
    trial = here
    for query in range(queries):
        scores = victim.scores(trial)
        value = losses.margin(scores, label, label)
        better = value > best
        shaped = better.view(-1, *[1] * (x.dim() - 1))
        here, best = torch.where(shaped, trial, here), torch.where(better, value, best)
        wrong = scores.argmax(1) != label
        point[row] = here
        broken[row[wrong]] = True
        row, origin, label, here, best = (part[~wrong] for part in (row, origin, label, here, best))
        if not len(row):
            break
        blocks = _blocks(here, FIRST_SHARE * _shrink(query / queries), generator)
        fresh = min(threat.epsilon, 1.0) * _signs(here, generator)
        change = here - origin
        # for other norms the block is added and the whole change brought back into the ball; for linf it is replaced
        moved = torch.where(blocks, fresh if threat.norm == "linf" else change + fresh, change)
        trial = threat.project(origin, origin + moved)
    return Attacked(point, broken)


def _shrink(part: float) -> float:
    """Halved at 0.1, 0.5, 2, 5, 10, 20, 40, 60 and 80 % of the queries (the paper's schedule, as shares)."""
    halvings = sum(part > edge for edge in (0.001, 0.005, 0.02, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8))
    return float(0.5**halvings)


def _signs(like: Tensor, generator: torch.Generator, *, stripes: bool = False) -> Tensor:
    """±1: one for each channel of an image (stripes: for each of its columns), or for each feature of a table."""
    shape = list(like.shape)
    if like.dim() == 4:
        shape = [shape[0], shape[1], 1, shape[3] if stripes else 1]
    signs = torch.randint(0, 2, shape, generator=generator).to(like) * 2 - 1
    return signs.expand_as(like)


def _blocks(like: Tensor, part: float, generator: torch.Generator) -> Tensor:
    """(n, *example) bool: a square window of an image, or a random set of features, `part` of the whole in size."""
    count = len(like)
    if like.dim() != 4:
        width = like[0].numel()
        draw = torch.rand((count, width), generator=generator).to(like.device)
        kept = max(1, round(part * width))
        chosen: Tensor = draw <= draw.kthvalue(kept, dim=1, keepdim=True).values
        return chosen.view_as(like)
    height, width = like.shape[2], like.shape[3]
    side = max(1, min(round((part * height * width) ** 0.5), height, width))
    top = torch.randint(0, height - side + 1, (count, 1, 1, 1), generator=generator).to(like.device)
    left = torch.randint(0, width - side + 1, (count, 1, 1, 1), generator=generator).to(like.device)
    rows = torch.arange(height, device=like.device).view(1, 1, -1, 1)
    columns = torch.arange(width, device=like.device).view(1, 1, 1, -1)
    inside = (rows >= top) & (rows < top + side) & (columns >= left) & (columns < left + side)
    window: Tensor = inside.expand_as(like)
    return window
