"""What is proved is true: no point of the threat, however found, breaks a bound."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from torch import Tensor, nn

from guardapp.formats.architectures import PiecewiseLinear
from guardapp.formats.models import build
from guardapp.robust.certify.accuracy import answer, certify, margins
from guardapp.robust.certify.bounds import Region, intervals, least_margins
from guardapp.robust.certify.layers import NotAvailable, steps_of
from guardapp.robust.certify.smoothing import ABSTAIN, clopper_pearson_low, smooth


class Residual(nn.Module):
    """A convolution beside the identity."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.inner = nn.Sequential(nn.Conv2d(channels, channels, 3, padding=1), nn.ReLU())
        self.last = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(x + self.last(self.inner(x)))


NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "relu": lambda: nn.Sequential(
        nn.Flatten(), nn.Linear(36, 9), nn.ReLU(), nn.Linear(9, 8), nn.ReLU(), nn.Linear(8, 3)
    ),
    "tanh": lambda: build("mlp", {"hidden": [9, 8]}, (1, 6, 6), 3),
    "sigmoid": lambda: nn.Sequential(
        nn.Flatten(), nn.Linear(36, 9), nn.Sigmoid(), nn.Linear(9, 8), nn.Sigmoid(), nn.Linear(8, 3)
    ),
    "convolutions": lambda: nn.Sequential(
        nn.Conv2d(1, 3, 3, padding=1, stride=2), nn.BatchNorm2d(3), nn.ReLU(), nn.Flatten(), nn.Linear(27, 3)
    ),
    "max pooling": lambda: nn.Sequential(
        nn.Conv2d(1, 2, 3),
        nn.ReLU(),
        nn.MaxPool2d(3, 1, 1),
        nn.Conv2d(2, 2, 2),
        nn.MaxPool2d(2, 1),
        nn.Flatten(),
        nn.Linear(8, 3),
    ),
    "average pooling": lambda: nn.Sequential(
        nn.AvgPool2d(2), nn.Conv2d(1, 4, 2), nn.Tanh(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3)
    ),
    "residual": lambda: nn.Sequential(
        nn.Conv2d(1, 2, 3, stride=2), Residual(2), Residual(2), nn.Flatten(), nn.Linear(8, 3)
    ),
}


def made(name: str, seed: int) -> nn.Module:
    torch.manual_seed(seed)
    model = NETWORKS[name]()
    with torch.no_grad():
        for weight in model.parameters():
            weight *= 2.0  # larger weights bend more
        for layer in model.modules():
            if isinstance(layer, nn.BatchNorm2d):
                assert layer.running_mean is not None and layer.running_var is not None
                layer.running_mean.normal_()
                layer.running_var.uniform_(0.5, 2)
    return model.double().eval()


def inside(region: Region, count: int) -> Tensor:
    """(count, n, *example) points of the threat: corners, and points spread within."""
    shape = (count, *region.x.shape)
    way = torch.where(torch.rand(shape) < 0.5, torch.randn(shape).sign(), torch.rand(shape) * 2 - 1).double()
    if region.mutable is not None:
        way = way * region.mutable
    if region.norm == "l2":
        way = way / way.flatten(2).norm(dim=2).reshape(count, -1, *[1] * (region.x.dim() - 1)).clamp(min=1e-12)
    return (region.x + region.strength * way).clamp(0, 1)


def worst_found(model: nn.Module, region: Region, rows: Tensor, steps: int = 12) -> Tensor:
    """The smallest margins that a plain gradient descent and random points found."""
    points = inside(region, 20)
    found = torch.stack([(rows * model(point)[:, None]).sum(2) for point in points]).amin(0)
    for other in range(rows.shape[1]):
        point = region.x.clone()
        for _ in range(steps):
            point.requires_grad_(True)
            value = (rows[:, other] * model(point)).sum()
            (way,) = torch.autograd.grad(value, point)
            if region.mutable is not None:
                way = way * region.mutable
            with torch.no_grad():
                if region.norm == "linf":
                    point = region.x + (point - region.x - region.strength / 4 * way.sign()).clamp(
                        -region.strength, region.strength
                    )
                else:
                    move = point - region.x - region.strength * way / way.flatten(1).norm().clamp(min=1e-12)
                    length = move.flatten(1).norm(dim=1).reshape(-1, *[1] * (move.dim() - 1))
                    point = region.x + move * (region.strength / length.clamp(min=1e-12)).clamp(max=1)
                point = point.clamp(0, 1)
            found = torch.minimum(found, (rows * model(point)[:, None]).sum(2).detach())
    return found


@settings(max_examples=15)
@given(
    st.sampled_from(list(NETWORKS)),
    st.integers(0, 10_000),
    st.sampled_from(["linf", "l2"]),
    st.floats(0.001, 0.6),
    st.booleans(),
)
def test_no_point_of_the_threat_breaks_a_bound(name: str, seed: int, norm: str, strength: float, some: bool) -> None:
    model = made(name, seed)
    x, y = torch.rand(2, 1, 6, 6).double(), torch.randint(0, 3, (2,))
    mutable = (torch.rand(1, 6, 6) < 0.5).double() if some else None
    region, rows = Region(x, norm, strength, mutable), margins(y, 3)  # type: ignore[arg-type]
    interval, crown = least_margins(steps_of(model), region, rows)
    _, fast = least_margins(steps_of(model), region, rows, most_work=100)
    found = worst_found(model, region, rows) + 1e-9
    assert all((found >= bound).all() for bound in (interval, crown, fast))


@pytest.mark.parametrize("name", NETWORKS)
def test_the_steps_compute_what_the_model_computes(name: str) -> None:
    model, x = made(name, 1), torch.rand(4, 1, 6, 6).double()
    assert torch.allclose(answer(steps_of(model), x), model(x))


@pytest.mark.parametrize("name", NETWORKS)
def test_a_threat_of_no_strength_leaves_the_answer(name: str) -> None:
    model, x = made(name, 2), torch.rand(3, 1, 6, 6).double()
    rows = margins(torch.tensor([0, 1, 2]), 3)
    exact = (rows * model(x)[:, None]).sum(2)
    for bound in least_margins(steps_of(model), Region(x, "linf", 0.0), rows):
        assert torch.allclose(bound, exact, atol=1e-9)


@pytest.mark.parametrize("norm", ["linf", "l2", "l1"])
def test_a_linear_model_is_bounded_exactly(norm: str) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(5, 3)).double()
    x, y = 0.3 + 0.4 * torch.rand(20, 5).double(), torch.randint(0, 3, (20,))
    rows, strength = margins(y, 3), 0.2  # 0.3 … 0.7 ± 0.2 never meets the border of the range
    weights, bias = model[1].weight.detach(), model[1].bias.detach()
    differences = rows @ weights
    dual = torch.linalg.vector_norm(differences, ord={"linf": 1, "l2": 2, "l1": torch.inf}[norm], dim=2)
    exact = (differences * x[:, None]).sum(2) + rows @ bias - strength * dual
    _, found = least_margins(steps_of(model), Region(x, norm, strength), rows)  # type: ignore[arg-type]
    assert torch.allclose(found, exact, atol=1e-12)


@pytest.mark.parametrize("norm", ["linf", "l2", "l1"])
@pytest.mark.parametrize("seed", range(3))
def test_in_two_dimensions_nothing_that_is_proved_is_broken_anywhere(norm: str, seed: int) -> None:
    torch.manual_seed(seed)
    model = nn.Sequential(nn.Linear(2, 8), nn.ReLU(), nn.Linear(8, 6), nn.Tanh(), nn.Linear(6, 2)).double()
    x = torch.rand(30, 2).double()
    y = model(x).argmax(1)
    found = certify(model, x, y, norm, [0.02, 0.1, 0.3])  # type: ignore[arg-type]
    axis = torch.linspace(-1, 1, 41).double()
    around = torch.stack(torch.meshgrid(axis, axis, indexing="ij"), -1).reshape(-1, 2)
    if norm != "linf":
        around = around[around.norm(dim=1, p={"l2": 2, "l1": 1}[norm]) <= 1]
    shares = []
    for strength, proved in found.proved.items():
        points = (x[:, None] + strength * around).clamp(0, 1)
        holds = (model(points).argmax(2) == y[:, None]).all(1)
        assert (holds | ~proved).all()
        assert (proved | ~found.interval[strength]).all()
        shares.append((proved & holds).sum() / holds.sum())
    assert shares[0] > 0.6, "a bound that proves hardly anything is of no use"
    assert (found.proved[0.02] | ~found.proved[0.1]).all()


def test_nothing_is_said_of_a_count_of_changes() -> None:
    model = nn.Sequential(nn.Linear(2, 2)).double()
    found = certify(model, torch.rand(3, 2).double(), torch.zeros(3, dtype=torch.int64), "l0", [1.0])
    assert found.proved == {} and "count" in found.unavailable


def test_crown_is_exact_where_no_unit_changes_sign() -> None:
    model = nn.Sequential(nn.Linear(1, 2), nn.ReLU(), nn.Linear(2, 2)).double()
    with torch.no_grad():
        model[0].weight.copy_(torch.tensor([[1.0], [2.0]]))
        model[0].bias.copy_(torch.tensor([1.0, 1.0]))
        model[2].weight.copy_(torch.tensor([[1.0, 0.0], [0.0, 1.0]]))
        model[2].bias.zero_()
    rows = torch.tensor([[[-1.0, 1.0]]]).double()  # (2x + 1) - (x + 1) = x
    interval, crown = least_margins(steps_of(model), Region(torch.tensor([[0.5]]).double(), "linf", 0.25), rows)
    assert crown.item() == pytest.approx(0.25) and interval.item() == pytest.approx(-0.25)


def test_one_output_is_bounded_as_a_logit() -> None:
    model = nn.Linear(1, 1).double()
    with torch.no_grad():
        model.weight.fill_(1.0)
        model.bias.fill_(-0.5)
    x, y = torch.tensor([[0.1], [0.45], [0.9]]), torch.tensor([0, 0, 1])
    assert certify(model, x, y, "linf", [0.1]).proved[0.1].tolist() == [True, False, True]


@pytest.mark.parametrize(
    "layer",
    [nn.GroupNorm(1, 1), nn.Softmax(1), nn.GELU(), nn.MaxPool2d(2, ceil_mode=True), PiecewiseLinear(36, [0], 4)],
)
def test_a_layer_that_is_not_covered_gives_no_bound(layer: nn.Module) -> None:
    model = nn.Sequential(layer, nn.Flatten(), nn.LazyLinear(3))
    if not isinstance(layer, PiecewiseLinear):
        model(torch.rand(1, 1, 6, 6))
    found = certify(model, torch.rand(2, 1, 6, 6), torch.zeros(2, dtype=torch.int64), "linf", [0.1])
    assert not found.proved and found.unavailable


def test_a_model_whose_way_depends_on_its_input_gives_no_bound() -> None:
    class Forked(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x if x.sum() > 0 else -x

    with pytest.raises(NotAvailable):
        steps_of(Forked())


@given(st.integers(0, 1000), st.floats(0, 3), st.floats(-3, 3))
def test_lines_enclose_their_bends(seed: int, width: float, middle: float) -> None:
    from guardapp.robust.certify.bounds import Range, _lines

    low, high = torch.tensor([middle - width]).double(), torch.tensor([middle + width]).double()
    points = torch.linspace(0, 1, 101).double() * (high - low) + low
    for name, function in (("relu", torch.relu), ("tanh", torch.tanh), ("sigmoid", torch.sigmoid)):
        (below, under), (above, over) = _lines(name, Range(low, high))
        values = function(points)
        assert (below * points + under <= values + 1e-9).all() and (above * points + over >= values - 1e-9).all()


def published(shared: Path) -> nn.Module:
    """The MNIST model of Wong & Kolter 2018: 94.2 % of the test digits proved at ε = 0.1 by their own bound."""
    layers = [nn.Conv2d(1, 16, 4, 2, 1), nn.ReLU(), nn.Conv2d(16, 32, 4, 2, 1), nn.ReLU(), nn.Flatten()]
    model = nn.Sequential(*layers, nn.Linear(32 * 7 * 7, 100), nn.ReLU(), nn.Linear(100, 10))
    weights = torch.load(shared / "robust-convex_adversarial/models/mnist.pth", weights_only=True, map_location="cpu")
    model.load_state_dict(weights.get("state_dict", weights) if isinstance(weights, dict) else weights)
    return model.eval()


@pytest.mark.realdata
def test_the_published_model_is_proved_about_as_often_as_was_published(shared: Path) -> None:
    from guardapp.formats.images import read_idx

    torch.set_num_threads(1)
    count = 2
    x = torch.from_numpy(read_idx(shared / "mnist-train/train-images-idx3-ubyte.gz")[:count].copy())[:, None] / 255
    y = torch.from_numpy(read_idx(shared / "mnist-train/train-labels-idx1-ubyte.gz")[:count].astype(np.int64))
    found = certify(published(shared), x, y, "linf", [0.1])
    assert found.proved[0.1].double().mean() >= 0.8


def test_smoothing_a_half_space_gives_its_distance() -> None:
    """The smoothed twin of a half-space is the half-space itself, so no radius may exceed the distance to it."""
    x = torch.tensor([[0.5, 0.0], [-1.0, 0.3], [0.05, 0.0]])
    found = smooth(
        lambda points: (points[:, 0] > 0).long(),
        x,
        0.5,
        draws=4000,
        generator=torch.Generator().manual_seed(0),
    )
    assert found.answer[:2].tolist() == [1, 0]
    assert (found.radius <= x[:, 0].abs().double()).all()
    assert found.radius[0] > 0.4 and found.radius[1] > 0.8


def test_smoothing_abstains_where_a_coin_decides() -> None:
    generator = torch.Generator().manual_seed(0)
    found = smooth(lambda points: (points[:, 0] > 0).long(), torch.zeros(20, 1), 1.0, draws=100, generator=generator)
    assert (found.answer == ABSTAIN).all() and (found.radius == 0).all()


@given(st.integers(1, 60), st.data(), st.sampled_from([0.001, 0.05]))
def test_the_bound_of_a_share_is_where_so_many_hits_become_unlikely(
    draws: int, data: st.DataObject, alpha: float
) -> None:
    hits = data.draw(st.integers(0, draws))
    low = clopper_pearson_low(hits, draws, alpha)
    assert 0 <= low <= hits / draws
    if hits:
        assert float(stats.binom.sf(hits - 1, draws, low)) == pytest.approx(alpha, rel=1e-6)


def test_intervals_of_a_small_net_are_those_by_hand() -> None:
    model = nn.Sequential(nn.Linear(2, 1)).double()
    with torch.no_grad():
        model[0].weight.copy_(torch.tensor([[2.0, -1.0]]))
        model[0].bias.fill_(0.5)
    last = intervals(steps_of(model), Region(torch.tensor([[0.5, 0.95]]).double(), "linf", 0.1))[-1]
    corners = [2 * a - b + 0.5 for a, b in itertools.product((0.4, 0.6), (0.85, 1.0))]
    assert (last.low.item(), last.high.item()) == pytest.approx((min(corners), max(corners)))
