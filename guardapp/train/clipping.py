"""The sum of clipped per-example gradients, without storing a gradient per example where the layer allows it.

One backward pass gives the gradient of every layer's output; with the layer's input that is enough for the norm of
each example's gradient ("ghost norms", Goodfellow 2015; Li et al. 2022), and again for the clipped sum, with each
example reweighted ("book-keeping", Bu et al., arXiv 2210.00038): there is no second backward pass.

Before a model is trained, this way is tried on a few of its examples against the definition, a backward pass for each.
Where it does not agree (a weight that is used outside its layer, rows that do not come first), or does not apply,
`torch.func.vmap(grad)` of the whole model is tried, and at last the definition itself, which is slow and always right.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from guardapp.train.contributions import Contribution, together
from guardapp.train.layers import contributions
from guardapp.train.stepwise import unfused
from guardapp.train.taps import NotTapped, flows, owners, tapped

PerExampleLoss = Callable[[Tensor, Tensor], Tensor]
"""(logits (n, classes), y (n,)) → (n,)"""

Style = Literal["flat", "per-layer", "automatic"]
"""flat:      min(1, C/‖g‖) over all trained weights together
per-layer:    each of K layers to C/√K by itself, so that together they are at most C long
automatic:    C/(‖g‖ + 0.01): every example is scaled to about C (Bu et al., arXiv 2206.07136)"""

AUTOMATIC_SHIFT = 0.01

Way = Literal["book-keeping", "vmap", "loop"]


class ClippedSum(NamedTuple):
    """gradients: one tensor per trained parameter, in the order of `model.parameters()`: Σᵢ factorᵢ·gᵢ, ‖·‖ ≤ C each
    loss:      Σᵢ min(lossᵢ, bound), a number ≥ 0
    short:     Σᵢ (½ if ‖gᵢ‖ ≤ C, else -½), for adapting C; one example moves it by ½
    """

    gradients: list[Tensor]
    loss: float
    short: float


def example_loss(logits: Tensor, y: Tensor) -> Tensor:
    return F.cross_entropy(logits, y, reduction="none")


def clip_factors(norms: Tensor, clip: float, *, automatic: bool = False) -> Tensor:
    """By what each gradient is multiplied, a few roundings less so that none is longer than C; 0 if not finite.

    Nor is a gradient used that is so long that its factor has lost digits, and could be rounded up by more than that.
    """
    numbers = torch.finfo(norms.dtype)
    slack = 1 + 8 * numbers.eps
    if automatic:
        factors = clip / ((norms + AUTOMATIC_SHIFT) * slack)
    else:
        factors = (clip / (norms * slack).clamp_min(numbers.tiny)).clamp(max=1.0)
    usable = torch.isfinite(norms) & (factors >= numbers.tiny)
    return torch.where(usable, factors, torch.zeros_like(factors))


class Clipper:
    """Clips the gradients of one model. Not for several threads at once."""

    def __init__(self, model: nn.Module, loss: PerExampleLoss = example_loss, *, style: Style = "flat") -> None:
        """loss: must treat every example by itself."""
        self.model, self.loss, self.style = model, loss, style
        named = [(name, p) for name, p in model.named_parameters() if p.requires_grad]
        self.parameters: list[Tensor] = [p for _, p in named]
        self._layers = owners(model)
        groups = [name.rpartition(".")[0] for name, _ in named] if style == "per-layer" else [""] * len(named)
        order = {group: place for place, group in enumerate(dict.fromkeys(groups))}
        self._group = [order[group] for group in groups]
        self._groups = len(order)
        self._way: Way | None = None

    @property
    def way(self) -> Way | None:
        """How the sums are found; None before the first example was seen."""
        return self._way

    def sum(self, x: Tensor, y: Tensor, *, clip: float, loss_bound: float, physical: int, views: int = 1) -> ClippedSum:
        """Clip each example's gradient to norm `clip`, and add them up.

        x: (n · views, …), y: (n,); n may be 0. An example may come in several views, one after the other, whose
        losses are averaged before its gradient is clipped (augmentation multiplicity, De et al. 2022). `physical` rows
        of x are held in memory at a time. Adding or removing one example changes the gradients by at most `clip`
        (2-norm), the loss by at most `loss_bound` and `short` by ½.
        """
        if not len(y):
            return ClippedSum([torch.zeros_like(p) for p in self.parameters], 0.0, 0.0)
        if self._way is None:
            self._way = self._choose_way(x, y, clip, views)
        total: list[Tensor] = []
        loss, short = 0.0, 0.0
        size = max(1, physical // views)
        for start in range(0, len(y), size):
            rows = slice(start, start + size)
            gradients, losses, norms = self._part(x[start * views : (start + size) * views], y[rows], clip, views)
            total = gradients if not total else [into.add_(one) for into, one in zip(total, gradients, strict=True)]
            loss += float(losses.nan_to_num(nan=loss_bound).clamp(0, loss_bound).sum(dtype=torch.float64))
            short += float((norms <= clip).sum()) - len(norms) / 2
        return ClippedSum(total, loss, short)

    def _part(self, x: Tensor, y: Tensor, clip: float, views: int) -> tuple[list[Tensor], Tensor, Tensor]:
        """Clipped gradients summed, and each example's loss and norm (∞ if it has none)."""
        if self._way == "book-keeping":
            try:
                return self._book_keeping(x, y, clip, views)
            except NotTapped:  # the model went another way than in the trial
                self._way = "vmap" if self._agrees(self._by_vmap, x, y, clip, views) else "loop"
        return (self._by_vmap if self._way == "vmap" else self._one_by_one)(x, y, clip, views)

    def _factors(self, squares: Tensor, clip: float) -> tuple[Tensor, Tensor]:
        """squares: (groups, n) → factors, likewise, and norms (n,)."""
        norms = squares.sum(0).sqrt()
        each = squares.sqrt() if self._groups > 1 else norms[None]
        factors = clip_factors(each, clip / math.sqrt(self._groups), automatic=self.style == "automatic")
        return torch.where(torch.isfinite(norms), factors, torch.zeros_like(factors)), norms

    def _by_group(self, squares: list[Tensor | None], like: Tensor) -> Tensor:
        """Each parameter's (n,) squares added up by group, (groups, n)."""
        found: list[Tensor | None] = [None] * self._groups
        for group, one in zip(self._group, squares, strict=True):
            if one is not None:
                before = found[group]
                found[group] = one if before is None else before + one
        return torch.stack([torch.zeros_like(like) if one is None else one for one in found])

    def _book_keeping(self, x: Tensor, y: Tensor, clip: float, views: int) -> tuple[list[Tensor], Tensor, Tensor]:
        with torch.enable_grad(), tapped(self._layers) as taps:
            losses = self._losses(self.model(x), y, views)
        found: dict[int, list[Contribution]] = {}
        for tap, flow in zip(taps.found, flows(losses, taps.found), strict=True):
            tap.check()
            if flow is not None:
                for parameter, one in contributions(tap, flow, len(y), views):
                    found.setdefault(id(parameter), []).append(one)
        parts = [together(found[id(p)]) if id(p) in found else None for p in self.parameters]
        losses = losses.detach()
        squares = self._by_group([None if part is None else part.squares() for part in parts], losses)
        factors, norms = self._factors(squares, clip)
        finite = torch.isfinite(norms)
        if not finite.all():
            # 0 · ∞ is no number: a factor of 0 would not take such an example out of the sum, so it is left out
            return self._without(~finite, x, y, losses, clip, views)
        gradients = [
            torch.zeros_like(p) if part is None else part.weighted(factors[group])
            for p, part, group in zip(self.parameters, parts, self._group, strict=True)
        ]
        return gradients, losses, norms

    def _without(
        self, bad: Tensor, x: Tensor, y: Tensor, losses: Tensor, clip: float, views: int
    ) -> tuple[list[Tensor], Tensor, Tensor]:
        norms = torch.full_like(losses, math.inf)
        if bad.all():
            return [torch.zeros_like(p) for p in self.parameters], losses, norms
        good = ~bad
        gradients, _, norms[good] = self._book_keeping(x[good.repeat_interleave(views)], y[good], clip, views)
        return gradients, losses, norms

    def _losses(self, logits: Tensor, y: Tensor, views: int) -> Tensor:
        if views == 1:
            return self.loss(logits, y)
        return self.loss(logits, y.repeat_interleave(views)).view(-1, views).mean(1)

    def _by_vmap(self, x: Tensor, y: Tensor, clip: float, views: int) -> tuple[list[Tensor], Tensor, Tensor]:
        """The same with a gradient per example, for any model that torch.func understands."""
        model = self.model
        trained = {name: p for name, p in model.named_parameters() if p.requires_grad}
        rest = {name: p for name, p in model.named_parameters() if not p.requires_grad} | dict(model.named_buffers())

        def of_one(weights: dict[str, Tensor], one: Tensor, label: Tensor) -> tuple[Tensor, Tensor]:
            value = self._losses(torch.func.functional_call(model, {**weights, **rest}, (one,)), label[None], views)[0]
            return value, value

        per_example = torch.func.vmap(torch.func.grad(of_one, has_aux=True), (None, 0, 0), randomness="different")
        with unfused(model):
            weights = {name: p.detach() for name, p in trained.items()}
            gradients, losses = per_example(weights, x.reshape(-1, views, *x.shape[1:]), y)
        order = [gradients[name] for name in trained]
        squares = self._by_group([gradient.flatten(1).square().sum(1) for gradient in order], losses)
        factors, norms = self._factors(squares, clip)
        sums = [
            torch.tensordot(factors[group], gradient.nan_to_num(0, 0, 0), 1)
            for group, gradient in zip(self._group, order, strict=True)
        ]
        return sums, losses.detach(), norms.masked_fill(~torch.isfinite(norms), math.inf)

    def _one_by_one(self, x: Tensor, y: Tensor, clip: float, views: int) -> tuple[list[Tensor], Tensor, Tensor]:
        """The definition: a backward pass for each example."""
        total = [torch.zeros_like(p) for p in self.parameters]
        losses, norms = [], []
        for row in range(len(y)):
            with torch.enable_grad():
                loss = self._losses(self.model(x[row * views : (row + 1) * views]), y[row : row + 1], views)
                found = torch.autograd.grad(loss.sum(), self.parameters, allow_unused=True)
            squares = self._by_group([None if g is None else g.square().sum()[None] for g in found], loss.detach())
            factors, norm = self._factors(squares, clip)
            for into, gradient, group in zip(total, found, self._group, strict=True):
                if gradient is not None and torch.isfinite(norm[0]):
                    into.add_(gradient * factors[group, 0])
            losses.append(loss.detach())
            norms.append(norm.masked_fill(~torch.isfinite(norm), math.inf))
        return total, torch.cat(losses), torch.cat(norms)

    def _choose_way(self, x: Tensor, y: Tensor, clip: float, views: int) -> Way:
        if self._agrees(self._book_keeping, x, y, clip, views):
            return "book-keeping"
        return "vmap" if self._agrees(self._by_vmap, x, y, clip, views) else "loop"

    def _agrees(
        self,
        way: Callable[[Tensor, Tensor, float, int], tuple[list[Tensor], Tensor, Tensor]],
        x: Tensor,
        y: Tensor,
        clip: float,
        views: int,
    ) -> bool:
        """Whether `way` gives the sum that the definition gives, on two and on three examples.

        With two numbers of examples, a dimension that only happens to be as long as the first cannot pass for it.
        Without dropout, which differs from one call to the next.
        """
        modes = [(module, module.training) for module in self.model.modules()]
        self.model.eval()
        for module, mode in modes:
            if isinstance(module, nn.RNNBase) and not module.dropout:
                module.training = mode  # on a GPU, recurrent layers have a backward pass in training mode only
        try:
            for count in (2, 3):
                rows = torch.arange(count, device=y.device) % len(y)
                some = x.reshape(-1, views, *x.shape[1:])[rows].flatten(0, 1)
                found = way(some, y[rows], clip, views)
                expected = self._one_by_one(some, y[rows], clip, views)
                if not _close(found[0], expected[0]) or not torch.allclose(found[2], expected[2], rtol=1e-3):
                    return False
        except torch.OutOfMemoryError:
            raise
        except (NotTapped, RuntimeError, ValueError, TypeError, NotImplementedError):
            return False
        finally:
            for module, mode in modes:
                module.training = mode
        return True


def _close(found: list[Tensor], expected: list[Tensor]) -> bool:
    apart = sum(float((a - b).double().square().sum()) for a, b in zip(found, expected, strict=True))
    return math.sqrt(apart) <= 1e-3 * math.sqrt(sum(float(b.double().square().sum()) for b in expected)) + 1e-12


def clipped_sum(
    model: nn.Module,
    x: Tensor,
    y: Tensor,
    *,
    clip: float,
    loss_bound: float,
    physical: int,
    loss: PerExampleLoss = example_loss,
) -> ClippedSum:
    """`Clipper.sum` once; for many sums of one model, keep the Clipper."""
    return Clipper(model, loss).sum(x, y, clip=clip, loss_bound=loss_bound, physical=physical)
