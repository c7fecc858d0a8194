"""Bounds on what a network can answer for every input within a threat: interval arithmetic, and CROWN backward.

CROWN (Zhang et al. 2018, arXiv 1811.00866) replaces every bend by a line below and a line above and carries a linear
bound from the scores back to the input, where its minimum over the threat is known in closed form. Every bound before
a bend is found in the same way, and the better of it and the interval is kept. All in float64.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn

from guardapp.robust.certify.layers import Affine, Bend, Input, Largest, Step, Sum
from guardapp.robust.threat import Norm

MOST_NUMBERS = 1 << 23
"""Numbers in one linear bound at a time: 64 MiB; more rows are bounded one part after the other."""


class Range(NamedTuple):
    """low, high: (n, *shape) with low ≤ every possible value ≤ high"""

    low: Tensor
    high: Tensor


class Region(NamedTuple):
    """Every input that a threat allows. x: (n, *example) in 0…1; mutable: (*example,) 0 or 1, or None for everything"""

    x: Tensor
    norm: Norm
    strength: float
    mutable: Tensor | None = None

    @property
    def box(self) -> Range:
        reach = self.strength if self.mutable is None else self.strength * self.mutable
        # the example itself may lie a rounding beyond 0…1
        low, high = (self.x - reach).clamp(0, 1), (self.x + reach).clamp(0, 1)
        return Range(torch.minimum(low, self.x), torch.maximum(high, self.x))

    def least(self, slopes: Tensor) -> Tensor:
        """The smallest value of slopes · input: (n, rows) for (n, rows, *example)."""
        box = self.box
        flat, low, high = slopes.flatten(2), box.low.flatten(1)[:, None], box.high.flatten(1)[:, None]
        least = (flat.clamp(min=0) * low + flat.clamp(max=0) * high).sum(2)
        if self.norm == "linf":
            return least
        free = flat if self.mutable is None else flat * self.mutable.flatten()
        # what a ball can do to a linear function is its radius times the dual norm of the slopes
        dual = free.abs().amax(2) if self.norm == "l1" else free.square().sum(2).sqrt()
        ball = (flat * self.x.flatten(1)[:, None]).sum(2) - self.strength * dual
        return torch.maximum(least, ball)  # the threat lies in the ball and in the box, so both bounds hold


def intervals(steps: list[Step], region: Region) -> list[Range]:
    """The range of every step by interval arithmetic (Gowal et al. 2018)."""
    ranges: list[Range] = []
    for step in steps:
        ranges.append(_interval(step, ranges, region))
    return ranges


def _interval(step: Step, ranges: list[Range], region: Region) -> Range:
    if isinstance(step, Input):
        return region.box
    if isinstance(step, Sum):
        left, right = ranges[step.left], ranges[step.right]
        if step.sign > 0:
            return Range(left.low + right.low, left.high + right.high)
        return Range(left.low - right.high, left.high - right.low)
    low, high = ranges[step.source]
    if isinstance(step, Affine):
        centre, radius = step.forward((low + high) / 2), step.spread((high - low) / 2)
        return Range(centre - radius, centre + radius)
    return Range(step.forward(low), step.forward(high))


def least_margins(
    steps: list[Step],
    region: Region,
    rows: Tensor,
    told: Callable[[], None] = lambda: None,
    *,
    most_work: float = float("inf"),
) -> tuple[Tensor, Tensor]:
    """Lower bounds of rows · scores over the region, by intervals and by CROWN: (n, rows) each.

    region: one for all examples; rows: (n, rows, scores), for instance right class minus each other one
    told: called every few milliseconds to seconds
    most_work: units of a layer times the widest layer before it, up to which the layer's ranges are sharpened
    """
    with torch.no_grad():
        ranges = _interval_ranges(steps, region, told, most_work)
        last = ranges[-1]
        positive, negative = rows.clamp(min=0), rows.clamp(max=0)
        by_interval = (positive * last.low[:, None] + negative * last.high[:, None]).sum(2)
        return by_interval, torch.maximum(by_interval, _backward(steps, ranges, region, len(steps) - 1, rows, told))


def _interval_ranges(steps: list[Step], region: Region, told: Callable[[], None], most_work: float) -> list[Range]:
    """Ranges of every step; those before a bend or a pooling are sharpened by CROWN, as far as it can matter."""
    ranges: list[Range] = []
    needed = {step.source for step in steps if isinstance(step, Bend | Largest)}
    for number, step in enumerate(steps):
        ranges.append(_interval(step, ranges, region))
        work = ranges[-1].low[0].numel() * max(part.low[0].numel() for part in ranges)
        if number in needed and number and work <= most_work:
            ranges[number] = _sharpened(steps, ranges, region, number, told)
    return ranges


def _sharpened(steps: list[Step], ranges: list[Range], region: Region, number: int, told: Callable[[], None]) -> Range:
    low, high = (part.flatten(1).clone() for part in ranges[number])
    only_relu = all(
        isinstance(step, Bend) and step.name == "relu"
        for step in steps
        if isinstance(step, Bend | Largest) and step.source == number
    )
    open_ = ((low < 0) & (high > 0)).any(0) if only_relu else (low < high).any(0)
    wanted = open_.nonzero()[:, 0]  # a ReLU whose input never changes sign is a line already
    shape = ranges[number].low.shape
    most = max(1, MOST_NUMBERS // max(len(low) * max(part.low[0].numel() for part in ranges), 1))
    for chosen in torch.split(wanted, most):
        units = torch.zeros(len(chosen), low.shape[1], dtype=low.dtype)
        units[torch.arange(len(chosen)), chosen] = 1.0
        rows = units.reshape(1, len(chosen), *shape[1:]).expand(len(low), -1, *shape[1:])
        least = _backward(steps, ranges, region, number, rows, told)
        most_ = -_backward(steps, ranges, region, number, -rows, told)
        low[:, chosen] = torch.maximum(low[:, chosen], least)
        high[:, chosen] = torch.minimum(high[:, chosen], most_)
    # two sound bounds may cross by a rounding
    return Range(torch.minimum(low, high).reshape(shape), torch.maximum(low, high).reshape(shape))


def _backward(
    steps: list[Step], ranges: list[Range], region: Region, last: int, rows: Tensor, told: Callable[[], None]
) -> Tensor:
    """The lower bound of rows · (step `last`), rows: (n, rows, *shape of it)."""
    slopes: dict[int, Tensor] = {last: rows}
    constant = torch.zeros(rows.shape[:2], dtype=rows.dtype)
    for number in range(last, -1, -1):
        if number not in slopes:
            continue
        told()
        slope, step = slopes.pop(number), steps[number]
        if isinstance(step, Input):
            constant = constant + region.least(slope)
        elif isinstance(step, Sum):
            _add(slopes, step.left, slope)
            _add(slopes, step.right, step.sign * slope)
        elif isinstance(step, Affine):
            earlier, offset = _through_affine(step, slope, ranges[step.source].low)
            constant = constant + offset
            _add(slopes, step.source, earlier)
        elif isinstance(step, Bend):
            under, over = _lines(step.name, ranges[step.source])
            rising, falling = slope.clamp(min=0), slope.clamp(max=0)
            offset = rising * under[1][:, None] + falling * over[1][:, None]
            constant = constant + offset.flatten(2).sum(2)
            _add(slopes, step.source, rising * under[0][:, None] + falling * over[0][:, None])
        else:
            earlier, offset = _through_pool(step, slope, ranges[step.source])
            constant = constant + offset
            _add(slopes, step.source, earlier)
    return constant


def _add(slopes: dict[int, Tensor], number: int, slope: Tensor) -> None:
    slopes[number] = slopes[number] + slope if number in slopes else slope


def _through_affine(step: Affine, slope: Tensor, like: Tensor) -> tuple[Tensor, Tensor]:
    """rows · (Wx + b) as (rows W) · x + rows · b; W transposed is the map's vector-Jacobian product."""
    nothing = torch.zeros_like(like[:1])
    constant = step.forward(nothing)
    flat = slope.flatten(0, 1)
    if step.transposed is not None:
        earlier = step.transposed(flat, tuple(like.shape[1:]))
    else:
        point = torch.zeros(len(flat), *like.shape[1:], dtype=like.dtype, requires_grad=True)
        with torch.enable_grad():
            (earlier,) = torch.autograd.grad(step.forward(point), point, flat)
    offset = (slope * constant[None]).flatten(2).sum(2)
    return earlier.reshape(*slope.shape[:2], *like.shape[1:]), offset


Line = tuple[Tensor, Tensor]
"""(slope, offset) of each value."""


def _lines(name: str, within: Range) -> tuple[Line, Line]:
    """A line below and a line above the bend over `within`."""
    low, high = within
    if name == "relu":
        gap = (high - low).clamp(min=1e-300)
        crossing = (low < 0) & (high > 0)
        passing = (low >= 0).to(low.dtype)
        above = torch.where(crossing, high / gap, passing)
        over = torch.where(crossing, -low * high / gap, torch.zeros_like(low))
        below = torch.where(crossing, (high > -low).to(low.dtype), passing)
        return (below, torch.zeros_like(low)), (above, over)
    function = torch.tanh if name == "tanh" else torch.sigmoid
    return _s_lines(function, low, high)


def _s_lines(function: Callable[[Tensor], Tensor], low: Tensor, high: Tensor) -> tuple[Line, Line]:
    """Lines around tanh or sigmoid, which curve up left of 0 and down right of it.

    Over both signs the smaller of the two end slopes is at most any slope between, so lines of that slope through the
    ends hold (Singh et al. 2019, DeepPoly); over one sign a chord and a tangent are closer.
    """
    at_low, at_high, middle = function(low), function(high), (low + high) / 2
    least = torch.minimum(_slope(function, low), _slope(function, high))
    gap = high - low
    chord = torch.where(gap > 1e-9, (at_high - at_low) / gap.clamp(min=1e-9), least)
    tangent = _slope(function, middle)
    down, up = low >= 0, high <= 0
    wide = gap > 1e-9
    through_low, through_high = at_low - least * low, at_high - least * high
    below = torch.where(down & wide, chord, torch.where(up & wide, tangent, least))
    under = torch.where(
        down & wide, at_low - chord * low, torch.where(up & wide, function(middle) - tangent * middle, through_low)
    )
    above = torch.where(up & wide, chord, torch.where(down & wide, tangent, least))
    over = torch.where(
        up & wide, at_low - chord * low, torch.where(down & wide, function(middle) - tangent * middle, through_high)
    )
    return (below, under), (above, over)


def _slope(function: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    value = function(x)
    return 1 - value**2 if function is torch.tanh else value * (1 - value)


def _through_pool(step: Largest, slope: Tensor, within: Range) -> tuple[Tensor, Tensor]:
    """The largest of a window is at least the value with the largest lower bound, and at most the largest upper one.

    Where that value's lower bound is above the others' upper ones, it is the largest, and both are exact.
    """
    pool = step.pool
    _, place = nn.functional.max_pool2d(within.low, pool.kernel_size, pool.stride, pool.padding, return_indices=True)
    lowest = within.low.flatten(2).gather(2, place.flatten(2)).reshape(place.shape)
    rivals = _windows(pool, within.high).clone()
    channels, spots = within.low.shape[1], within.low[0, 0].numel()
    numbers = torch.arange(spots, dtype=within.low.dtype).reshape(1, 1, *within.low.shape[2:])
    where = _windows(pool, numbers.expand(1, channels, -1, -1))
    rivals[(where == place.flatten(2)[:, :, None]).expand_as(rivals)] = -torch.inf
    certain = lowest >= rivals.amax(2).reshape(place.shape)
    highest = step.forward(within.high)
    rising, falling = slope.clamp(min=0), slope.clamp(max=0)
    offset = (falling * torch.where(certain, torch.zeros_like(highest), highest)[:, None]).flatten(2).sum(2)
    kept = (rising + falling * certain[:, None]).flatten(3)
    earlier = torch.zeros(*slope.shape[:3], spots, dtype=slope.dtype)
    earlier.scatter_add_(3, place.flatten(2)[:, None].expand_as(kept), kept)
    return earlier.reshape(*slope.shape[:2], *within.low.shape[1:]), offset


def _windows(pool: nn.MaxPool2d, x: Tensor) -> Tensor:
    """(n, channels, values of a window, windows); what lies beyond the border is -∞."""
    sides = [
        side if isinstance(side, tuple) else (side, side) for side in (pool.kernel_size, pool.stride, pool.padding)
    ]
    (height, width), (down, right), (top, left) = sides
    padded = nn.functional.pad(x, (left, left, top, top), value=-torch.inf)
    parts = padded.unfold(2, height, down).unfold(3, width, right)
    return parts.flatten(4).flatten(2, 3).transpose(2, 3)
