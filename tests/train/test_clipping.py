"""The clipped sum is the sum of clipped gradients, for every layer that it knows and those that it does not."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from guardapp.formats.architectures import PiecewiseLinear
from guardapp.formats.models import build
from guardapp.train.clipping import book_keeping_fits, clip_factors, clipped_sum, example_loss

CLIP, BOUND = 0.37, 2.0


def by_hand(model: nn.Module, x: Tensor, y: Tensor) -> tuple[list[Tensor], float]:
    """One backward pass per example: the definition."""
    parameters = [p for p in model.parameters() if p.requires_grad]
    total = [torch.zeros_like(p) for p in parameters]
    loss_total = 0.0
    for row in range(len(y)):
        loss = example_loss(model(x[row : row + 1]), y[row : row + 1])[0]
        gradients = torch.autograd.grad(loss, parameters, allow_unused=True)
        kept = [torch.zeros_like(p) if g is None else g for g, p in zip(gradients, parameters, strict=True)]
        norm = math.sqrt(sum(float(g.square().sum()) for g in kept))
        for into, gradient in zip(total, kept, strict=True):
            into += gradient * min(1.0, CLIP / norm if norm else 1.0)
        loss_total += min(float(loss.detach()), BOUND)
    return total, loss_total


def assert_same(model: nn.Module, x: Tensor, classes: int = 3, physical: int = 4) -> None:
    model.double()
    y = torch.arange(len(x)) % classes
    got = clipped_sum(model, x.double(), y, clip=CLIP, loss_bound=BOUND, physical=physical)
    expected, loss = by_hand(model, x.double(), y)
    for one, other in zip(got.gradients, expected, strict=True):
        assert torch.allclose(one, other, rtol=1e-12, atol=1e-12)
    assert got.loss == pytest.approx(loss, abs=1e-12)
    assert all(p.requires_grad and p.grad is None for p in model.parameters())


class Twice(nn.Module):
    """A layer that is called twice: its two gradients have to be added before the norm is taken."""

    def __init__(self) -> None:
        super().__init__()
        self.layer, self.out = nn.Linear(5, 5), nn.Linear(5, 3)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.out(torch.tanh(self.layer(torch.tanh(self.layer(x)))))
        return out


class Unused(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.out, self.unused = nn.Linear(5, 3), nn.Linear(5, 3)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.out(x)
        return out


class Words(nn.Module):
    """Sequences (n, 4, 5): linear layers and LayerNorm over places."""

    def __init__(self) -> None:
        super().__init__()
        self.inner, self.norm, self.out = nn.Linear(5, 6, bias=False), nn.LayerNorm(6), nn.Linear(6, 3)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.out(self.norm(torch.tanh(self.inner(x)))).mean(1)
        return out


@pytest.mark.parametrize("architecture", ["cnn", "features-linear", "logistic", "mlp"])
def test_built_in_models_agree_with_a_loop_over_examples(architecture: str) -> None:
    torch.manual_seed(0)
    assert_same(build(architecture, {}, (1, 16, 16), 3), torch.rand(7, 1, 16, 16))


@pytest.mark.parametrize("after", [[], [nn.PReLU()]])  # the second has no closed form
def test_tables_with_knots_agree_with_a_loop_over_rows(after: list[nn.Module]) -> None:
    torch.manual_seed(1)
    assert_same(build("mlp", {"numbers": [0, 3], "knots": 4}, (5,), 3), torch.rand(7, 5))
    layer = PiecewiseLinear(5, [0, 3], 4)
    assert_same(nn.Sequential(layer, *after, nn.Linear(layer.size, 3)), torch.rand(7, 5))


@settings(max_examples=25)
@given(
    st.integers(1, 3), st.integers(1, 4), st.integers(1, 3), st.integers(1, 2), st.integers(0, 2), st.integers(1, 2),
    st.booleans(), st.integers(0, 9), st.integers(1, 9),
)  # fmt: skip
def test_convolutions_of_any_shape_agree(
    channels: int, out: int, kernel: int, stride: int, padding: int, dilation: int, bias: bool, rows: int, physical: int
) -> None:
    torch.manual_seed(rows)
    model = nn.Sequential(
        nn.Conv2d(channels, out, kernel, stride=stride, padding=padding, dilation=dilation, bias=bias),
        nn.GroupNorm(1, out),
        nn.Tanh(),
        nn.AdaptiveAvgPool2d(2),
        nn.Flatten(),
        nn.Linear(out * 4, 3),
    )
    assert book_keeping_fits(model)
    assert_same(model, torch.randn(rows, channels, 8, 9), physical=physical)


@pytest.mark.parametrize("model", [Twice(), Unused(), nn.Linear(5, 3), nn.Sequential(nn.LayerNorm(5), nn.Linear(5, 3))])
def test_reused_unused_and_single_layers_agree(model: nn.Module) -> None:
    torch.manual_seed(3)
    assert_same(model, torch.randn(6, 5))


def test_layers_over_sequences_agree() -> None:
    torch.manual_seed(4)
    assert_same(Words(), torch.randn(6, 4, 5))


def test_layers_without_a_closed_form_agree() -> None:
    torch.manual_seed(5)
    model = nn.Sequential(nn.Conv1d(2, 3, 3), nn.PReLU(), nn.Flatten(), nn.Linear(18, 3))
    assert not book_keeping_fits(model)
    assert_same(model, torch.randn(6, 2, 8))


def test_frozen_layers_are_left_alone() -> None:
    torch.manual_seed(6)
    model = nn.Sequential(nn.Linear(5, 4), nn.Tanh(), nn.Linear(4, 3)).double()
    model[0].requires_grad_(False)
    x, y = torch.randn(6, 5).double(), torch.arange(6) % 3
    got = clipped_sum(model, x, y, clip=CLIP, loss_bound=BOUND, physical=3)
    expected, _ = by_hand(model, x, y)
    assert len(got.gradients) == 2 and not model[0].weight.requires_grad
    for one, other in zip(got.gradients, expected, strict=True):
        assert torch.allclose(one, other, rtol=1e-12, atol=1e-12)


@settings(max_examples=40)
@given(st.integers(0, 2**30), st.floats(1e-3, 1e3), st.floats(0.01, 5))
def test_one_example_moves_the_sum_by_at_most_the_clip(seed: int, scale: float, clip: float) -> None:
    torch.manual_seed(seed)
    model = build("mlp", {"hidden": [4]}, (6,), 3)
    x, y = torch.randn(5, 6) * scale, torch.arange(5) % 3
    whole = clipped_sum(model, x, y, clip=clip, loss_bound=BOUND, physical=5)
    less = clipped_sum(model, x[:-1], y[:-1], clip=clip, loss_bound=BOUND, physical=5)
    alone = clipped_sum(model, x[-1:], y[-1:], clip=clip, loss_bound=BOUND, physical=5)
    moved = math.sqrt(
        sum(float((a - b).double().square().sum()) for a, b in zip(whole.gradients, less.gradients, strict=True))
    )
    assert moved <= clip * (1 + 1e-4)  # float32 sums
    assert math.sqrt(sum(float(g.double().square().sum()) for g in alone.gradients)) <= clip * (1 + 1e-6)
    assert 0 <= whole.loss - less.loss <= BOUND + 1e-5


def test_a_row_that_is_not_finite_contributes_nothing_but_a_bounded_loss() -> None:
    torch.manual_seed(0)
    model = build("mlp", {"hidden": [4]}, (6,), 3)
    x, y = torch.randn(5, 6), torch.arange(5) % 3
    x[2] = float("inf")
    got = clipped_sum(model, x, y, clip=CLIP, loss_bound=BOUND, physical=5)
    rest = clipped_sum(model, x[[0, 1, 3, 4]], y[[0, 1, 3, 4]], clip=CLIP, loss_bound=BOUND, physical=5)
    for one, other in zip(got.gradients, rest.gradients, strict=True):
        assert torch.isfinite(one).all() and torch.allclose(one, other, atol=1e-6)
    assert got.loss - rest.loss <= BOUND + 1e-6


def test_no_examples_give_zeros() -> None:
    model = build("cnn", {}, (1, 28, 28), 10)
    got = clipped_sum(
        model, torch.empty(0, 1, 28, 28), torch.empty(0, dtype=torch.int64), clip=1, loss_bound=1, physical=4
    )
    assert got.loss == 0 and all((g == 0).all() for g in got.gradients)


@given(st.lists(st.floats(width=32).map(abs), min_size=1), st.floats(1e-3, 1e3))
def test_factors_never_let_a_norm_exceed_the_clip(norms: list[float], clip: float) -> None:
    tensor = torch.tensor(norms)
    factors = clip_factors(tensor, clip)
    finite = torch.isfinite(tensor)
    assert (factors >= 0).all() and (factors <= 1).all() and (factors[~finite] == 0).all()
    assert ((tensor * factors)[finite].double() <= clip * (1 + 1e-6)).all()
