"""The clipped sum is the sum of clipped gradients, for every layer that it knows and those that it does not."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from guardapp.formats.architectures import PiecewiseLinear
from guardapp.formats.models import build
from guardapp.formats.wide_network import StandardisedConv2d
from guardapp.train.clipping import Clipper, Style, clip_factors, clipped_sum, example_loss
from guardapp.train.contributions import Outer
from tests.train.models_for_clipping import CASES, CLASSES, ROWS, WIDE, one_by_one, random_network

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


class Unused(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.out, self.unused = nn.Linear(5, 3), nn.Linear(5, 3)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.out(x)
        return out


@pytest.mark.parametrize("architecture", ["cnn", "features-linear", "logistic", "mlp"])
def test_built_in_models_agree_with_a_loop_over_examples(architecture: str) -> None:
    torch.manual_seed(0)
    assert_same(build(architecture, {}, (1, 16, 16), 3), torch.rand(7, 1, 16, 16))


@pytest.mark.parametrize("options", [{"depth": 10, "width": 1}, {"depth": 10, "width": 2}])
def test_convolutions_with_standardised_weights_agree_with_a_loop(options: dict[str, int]) -> None:
    torch.manual_seed(2)
    assert_same(build("wide-resnet", options, (3, 17, 16), 3), torch.rand(5, 3, 17, 16))


@settings(max_examples=15)
@given(st.integers(1, 3), st.integers(1, 4), st.integers(1, 3), st.integers(1, 2), st.integers(0, 2), st.integers(1, 2))
def test_a_standardised_convolution_of_any_shape_agrees(
    channels: int, out: int, kernel: int, stride: int, padding: int, views: int
) -> None:
    torch.manual_seed(3)
    layer = StandardisedConv2d(channels, out, kernel, stride, padding)
    model = nn.Sequential(layer, nn.Tanh(), nn.Flatten(), nn.LazyLinear(3)).double()
    x, y = torch.rand(4 * views, channels, 6, 5).double(), torch.arange(4) % 3
    model(x)
    clipper = Clipper(model)
    found = clipper.sum(x, y, clip=CLIP, loss_bound=BOUND, physical=3, views=views).gradients
    assert clipper.way == "book-keeping"
    clipper._way = "loop"
    expected = clipper.sum(x, y, clip=CLIP, loss_bound=BOUND, physical=3, views=views).gradients
    for one, other in zip(found, expected, strict=True):
        assert torch.allclose(one, other, rtol=1e-10, atol=1e-10)


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
    assert_same(model, torch.randn(rows, channels, 8, 9), physical=physical)


@pytest.mark.parametrize("model", [Unused(), nn.Linear(5, 3), nn.Sequential(nn.LayerNorm(5), nn.Linear(5, 3))])
def test_unused_and_single_layers_agree(model: nn.Module) -> None:
    torch.manual_seed(3)
    assert_same(model, torch.randn(6, 5))


@pytest.mark.parametrize("name", list(CASES))
def test_every_supported_layer_agrees_with_a_loop_over_examples(name: str) -> None:
    torch.manual_seed(4)
    make, rows, way = CASES[name]
    model, x, y = make().double(), rows(), torch.arange(ROWS) % CLASSES
    x = x.double() if x.is_floating_point() else x
    clipper = Clipper(model)
    got = clipper.sum(x, y, clip=CLIP, loss_bound=BOUND, physical=4)
    assert clipper.way == way
    for one, other in zip(got.gradients, one_by_one(model, x, y, CLIP, example_loss), strict=True):
        assert torch.allclose(one, other, rtol=1e-10, atol=1e-12)
    assert "forward" not in {key for layer in model.modules() for key in vars(layer)}


@pytest.mark.parametrize("seed", range(20))
def test_random_networks_agree_with_a_loop_over_examples(seed: int) -> None:
    model, x = random_network(seed)
    model.double()
    x, y = x.double() if x.is_floating_point() else x, torch.arange(ROWS) % CLASSES
    got = clipped_sum(model, x, y, clip=CLIP, loss_bound=BOUND, physical=4)
    for one, other in zip(got.gradients, one_by_one(model, x, y, CLIP, example_loss), strict=True):
        assert torch.allclose(one, other, rtol=1e-10, atol=1e-12)


class TimeFirst(nn.Module):
    """A layer that is given places first, as many as there are examples: their norms must not be taken for theirs."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(WIDE, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.layer(x.transpose(0, 1)).transpose(0, 1)
        return out.mean(1)


@pytest.mark.parametrize("rows", [2, 3, 5, 6])
def test_a_model_that_puts_places_first_is_not_measured_by_place(rows: int) -> None:
    model, x, y = TimeFirst().double(), torch.randn(rows, 5, WIDE).double(), torch.arange(rows) % CLASSES
    clipper = Clipper(model)
    got = clipper.sum(x, y, clip=CLIP, loss_bound=BOUND, physical=9)
    assert clipper.way == "vmap"
    for one, other in zip(got.gradients, one_by_one(model, x, y, CLIP, example_loss), strict=True):
        assert torch.allclose(one, other, rtol=1e-10, atol=1e-12)


class ByValue(nn.Module):
    """Branches by the value of a row: no transform can follow it, only the definition."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(WIDE, CLASSES))

    def forward(self, x: Tensor) -> Tensor:
        return torch.stack([row @ self.weight if float(row.sum()) > 0 else -row @ self.weight for row in x])


def test_a_model_that_no_transform_follows_is_summed_example_by_example() -> None:
    model, x, y = ByValue().double(), torch.randn(6, WIDE).double(), torch.arange(6) % CLASSES
    clipper = Clipper(model)
    got = clipper.sum(x, y, clip=CLIP, loss_bound=BOUND, physical=4)
    assert clipper.way == "loop"
    assert torch.allclose(got.gradients[0], one_by_one(model, x, y, CLIP, example_loss)[0], rtol=1e-12)


def gradients_of(model: nn.Module, x: Tensor, y: Tensor) -> list[list[Tensor]]:
    """Of every example, one by one."""
    return [
        list(torch.autograd.grad(example_loss(model(x[i : i + 1]), y[i : i + 1])[0], list(model.parameters())))
        for i in range(len(y))
    ]


def test_clipping_by_layer_gives_every_layer_its_share() -> None:
    torch.manual_seed(8)
    model = nn.Sequential(nn.Linear(5, 4), nn.Tanh(), nn.Linear(4, 3)).double()
    x, y = 9 * torch.randn(6, 5).double(), torch.arange(6) % 3
    got = Clipper(model, style="per-layer").sum(x, y, clip=CLIP, loss_bound=BOUND, physical=4)
    share, expected = CLIP / math.sqrt(2), [torch.zeros_like(p) for p in model.parameters()]
    for gradients in gradients_of(model, x, y):
        for layer in (0, 2):
            norm = math.sqrt(sum(float(g.square().sum()) for g in gradients[layer : layer + 2]))
            for place in (layer, layer + 1):
                expected[place] += gradients[place] * min(1, share / norm)
    for one, other in zip(got.gradients, expected, strict=True):
        assert torch.allclose(one, other, rtol=1e-10)


def test_automatic_clipping_scales_every_gradient() -> None:
    torch.manual_seed(9)
    model = nn.Linear(5, 3).double()
    x, y = torch.randn(6, 5).double() / 50, torch.arange(6) % 3
    got = Clipper(model, style="automatic").sum(x, y, clip=CLIP, loss_bound=BOUND, physical=4)
    expected = [torch.zeros_like(p) for p in model.parameters()]
    for gradients in gradients_of(model, x, y):
        norm = math.sqrt(sum(float(g.square().sum()) for g in gradients))
        for into, gradient in zip(expected, gradients, strict=True):
            into += gradient * CLIP / (norm + 0.01)
    for one, other in zip(got.gradients, expected, strict=True):
        assert torch.allclose(one, other, rtol=1e-10)


@pytest.mark.parametrize(
    "name", ["Linear", "Conv2d", "Embedding", "LayerNorm", "LSTM", "PReLU", "a weight beside layers"]
)
def test_several_views_of_an_example_are_averaged_before_they_are_clipped(name: str) -> None:
    torch.manual_seed(10)
    make, rows, way = CASES[name]
    model, x = make().double(), torch.cat([rows(), rows()])
    x, y = x.double() if x.is_floating_point() else x, torch.arange(4) % CLASSES

    def averaged(logits: Tensor, labels: Tensor) -> Tensor:
        return example_loss(logits, labels.repeat_interleave(len(logits))).mean()[None]

    clipper = Clipper(model)
    got = clipper.sum(x, y, clip=CLIP, loss_bound=BOUND, physical=6, views=3)
    expected = [torch.zeros_like(p) for p in model.parameters()]
    for row in range(4):
        for into, one in zip(
            expected,
            one_by_one(Grouped(model), x[3 * row : 3 * row + 3][None], y[row : row + 1], CLIP, averaged),
            strict=True,
        ):
            into += one
    assert clipper.way == way
    for one, other in zip(got.gradients, expected, strict=True):
        assert torch.allclose(one, other, rtol=1e-10, atol=1e-12)


class Grouped(nn.Module):
    """A model of one example that consists of several rows."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.inner(x[0])
        return out


def test_short_gradients_are_counted_around_a_half() -> None:
    torch.manual_seed(11)
    model, x, y = nn.Linear(5, 3), torch.randn(9, 5), torch.arange(9) % 3
    norms = [math.sqrt(sum(float(g.square().sum()) for g in one)) for one in gradients_of(model, x, y)]
    clip = sorted(norms)[5] * 1.001
    got = clipped_sum(model, x, y, clip=clip, loss_bound=BOUND, physical=4)
    assert got.short == 6 / 2 - 3 / 2


def test_terms_that_cancel_are_not_measured_too_small() -> None:
    """In single precision the ghost norm is rounding alone here, and so is the gradient; it must be bounded even so."""
    torch.manual_seed(12)
    half, flow = torch.randn(1, 3, 900) * 1e4, torch.randn(1, 3, 900)
    values, flow = torch.cat([half, half * (1 + 1e-7)], 1), torch.cat([flow, -flow], 1)
    part = Outer(torch.empty(900, 900), values, flow)
    factors = clip_factors(part.squares().sqrt(), CLIP)
    assert float(part.weighted(factors).double().norm()) <= CLIP


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
@given(
    st.integers(0, 2**30), st.floats(1e-3, 1e3), st.floats(0.01, 5),
    st.sampled_from(["flat", "per-layer", "automatic"]),
)  # fmt: skip
def test_one_example_moves_the_sum_by_at_most_the_clip(seed: int, scale: float, clip: float, style: Style) -> None:
    torch.manual_seed(seed)
    clipper = Clipper(build("mlp", {"hidden": [4]}, (6,), 3), style=style)
    x, y = torch.randn(5, 6) * scale, torch.arange(5) % 3
    whole = clipper.sum(x, y, clip=clip, loss_bound=BOUND, physical=5)
    less = clipper.sum(x[:-1], y[:-1], clip=clip, loss_bound=BOUND, physical=5)
    alone = clipper.sum(x[-1:], y[-1:], clip=clip, loss_bound=BOUND, physical=5)
    moved = math.sqrt(
        sum(float((a - b).double().square().sum()) for a, b in zip(whole.gradients, less.gradients, strict=True))
    )
    assert moved <= clip * (1 + 1e-4)  # float32 sums
    assert math.sqrt(sum(float(g.double().square().sum()) for g in alone.gradients)) <= clip * (1 + 1e-6)
    assert 0 <= whole.loss - less.loss <= BOUND + 1e-5
    assert abs(whole.short - less.short) == 0.5


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
@example(norms=[9.834958670979338e37], clip=0.03125)  # the factor would be a number with few digits left
def test_factors_never_let_a_norm_exceed_the_clip(norms: list[float], clip: float) -> None:
    tensor = torch.tensor(norms)
    factors = clip_factors(tensor, clip)
    finite = torch.isfinite(tensor)
    assert (factors >= 0).all() and (factors <= 1).all() and (factors[~finite] == 0).all()
    assert ((tensor * factors)[finite].double() <= clip * (1 + 1e-6)).all()
