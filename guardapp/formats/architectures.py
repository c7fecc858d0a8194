"""The built-in models as torch modules; `guardapp.formats.models` builds them by name and imports torch only then.

Every module takes inputs as they are stored, images as pixels in 0…1 and tables as encoded features in 0…1, and
normalises them itself with fixed public constants; so an attack or a user never has to know it. No module
mixes the rows of a batch.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from guardapp.formats.scattering import Scattering


class Shift(nn.Module):
    """x → (x - mean) / scale with public constants, so that pixels in 0…1 become about -1…1."""

    def __init__(self, mean: float, scale: float) -> None:
        super().__init__()
        self.mean, self.scale = mean, scale

    def forward(self, x: Tensor) -> Tensor:
        return (x - self.mean) / self.scale


class PiecewiseLinear(nn.Module):
    """Each number feature in 0…1 as `knots` hat functions, so that a linear layer can bend at every knot.

    A number between two neighbouring knots becomes the weights of the two, which add up to 1; the knots are spread
    evenly over 0…1, and values beyond count as the border. At a knot the slope is that of the piece above it: with
    hats written as 1 - |x - knot| it would be 0 there, and an attack that follows the slope would see no way.

    numbers: positions of the number features among `features`; the others pass as they are, behind the hats
    in: (n, features); out: (n, `size`)
    """

    def __init__(self, features: int, numbers: list[int], knots: int) -> None:
        super().__init__()
        rest = sorted(set(range(features)) - set(numbers))
        self.pieces = knots - 1
        self.size = len(rest) + len(numbers) * knots
        self.register_buffer("numbers", torch.tensor(numbers, dtype=torch.int64), persistent=False)
        self.register_buffer("rest", torch.tensor(rest, dtype=torch.int64), persistent=False)
        self.register_buffer("knots", torch.arange(knots), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        numbers: Tensor = self.numbers  # type: ignore[assignment]
        rest: Tensor = self.rest  # type: ignore[assignment]
        knots: Tensor = self.knots  # type: ignore[assignment]
        place = x[:, numbers].clamp(0, 1) * self.pieces
        below = place.detach().floor().clamp(max=self.pieces - 1)
        share = (place - below)[..., None]
        first = (below[..., None] == knots).to(x.dtype)
        second = (below[..., None] + 1 == knots).to(x.dtype)
        hats = first * (1 - share) + second * share
        return torch.cat([hats.flatten(1), x[:, rest]], 1)


def table_inputs(features: int, numbers: list[int], knots: int) -> tuple[list[nn.Module], int]:
    """The fixed first layer of a table's model and the features that come out; no layer without numbers or knots."""
    if not numbers or not knots:
        return [], features
    layer = PiecewiseLinear(features, numbers, knots)
    return [layer], layer.size


def logistic(features: int, classes: int, *, mean: float, scale: float, numbers: list[int], knots: int) -> nn.Module:
    first, features = table_inputs(features, numbers, knots)
    return nn.Sequential(*first, Shift(mean, scale), nn.Flatten(), nn.Linear(features, classes))


def mlp(
    features: int, classes: int, hidden: list[int], *, mean: float, scale: float, numbers: list[int], knots: int
) -> nn.Module:
    """Linear layers with tanh between them: bounded, it loses less to clipping than ReLU (Papernot et al. 2020)."""
    layers, features = table_inputs(features, numbers, knots)
    layers += [Shift(mean, scale), nn.Flatten()]
    for width in hidden:
        layers += [nn.Linear(features, width), nn.Tanh()]
        features = width
    return nn.Sequential(*layers, nn.Linear(features, classes))


def cnn(
    shape: tuple[int, int, int], classes: int, channels: list[int], hidden: int, *, mean: float, scale: float
) -> nn.Module:
    """Two convolutions with GroupNorm and tanh, then two linear layers; 26 thousand weights on 28×28 images.

    The shape is that of Papernot et al. 2020 (Tempered Sigmoid Activations), with GroupNorm added because it
    normalises each image by itself.
    """
    first, second = channels
    return nn.Sequential(
        Shift(mean, scale),
        nn.Conv2d(shape[0], first, 8, stride=2, padding=3),
        nn.GroupNorm(_groups(first), first),
        nn.Tanh(),
        nn.MaxPool2d(2, stride=1),
        nn.Conv2d(first, second, 4, stride=2),
        nn.GroupNorm(_groups(second), second),
        nn.Tanh(),
        nn.MaxPool2d(2, stride=1),
        nn.AdaptiveAvgPool2d(4),
        nn.Flatten(),
        nn.Linear(second * 16, hidden),
        nn.Tanh(),
        nn.Linear(hidden, classes),
    )


def _groups(channels: int) -> int:
    return math.gcd(channels, 4)


BIAS_FEATURE = 0.1


class OrientedEdges(nn.Module):
    """Fixed features in the manner of HOG (Dalal & Triggs 2005): how strong edges of each direction are in each cell.

    The image is filtered with derivatives of Gaussians in `orientations` directions at each of `scales`; the positive
    and the negative part of each response are averaged over overlapping cells and their square roots taken (as in
    RootSIFT, Arandjelović & Zisserman 2012); every cell loses its mean, and the vector is scaled to norm 1, which by
    itself bounds each example's gradient. A constant feature stands for the bias: a bias of its own would
    double the gradient's norm and so the noise. Nothing is learnt, so nothing is spent. Differentiable, so that the
    model can be attacked end to end.

    in: (n, channels, height, width); out: (n, `size`)
    """

    def __init__(
        self,
        shape: tuple[int, int, int],
        *,
        orientations: int = 8,
        scales: tuple[float, ...] = (0.8, 1.6),
        cell: int = 4,
    ) -> None:
        super().__init__()
        self.cell, self.orientations = cell, orientations
        kernels = [_derivatives(scale, orientations) for scale in scales]
        for index, kernel in enumerate(kernels):
            self.register_buffer(f"kernel{index}", kernel, persistent=False)
        self.kernel_count = len(kernels)
        with torch.no_grad():
            self.size = int(self.forward(torch.zeros(1, *shape)).shape[1])

    def forward(self, x: Tensor) -> Tensor:
        gray = x.mean(1, keepdim=True)
        cells = []
        for index in range(self.kernel_count):
            kernel: Tensor = getattr(self, f"kernel{index}")
            response = nn.functional.conv2d(gray, kernel, padding=kernel.shape[-1] // 2)
            parts = torch.cat([response.relu(), (-response).relu()], 1)
            window = self.cell + self.cell // 2
            pooled = nn.functional.avg_pool2d(
                parts, window, stride=self.cell, padding=self.cell // 4, ceil_mode=True, count_include_pad=True
            )
            roots = (pooled + 1e-6).sqrt()
            cells.append(roots - roots.mean(1, keepdim=True))
        if x.shape[1] > 1:
            cells.append(nn.functional.avg_pool2d(x - 0.5, self.cell, stride=self.cell, ceil_mode=True))
        flat = torch.cat([cell.flatten(1) for cell in cells], 1)
        scaled = flat / (flat.square().sum(1, keepdim=True) + 1e-6).sqrt()
        return torch.cat([scaled, torch.full_like(scaled[:, :1], BIAS_FEATURE)], 1)


def _derivatives(scale: float, orientations: int) -> Tensor:
    """First derivatives of a Gaussian in `orientations` directions over half a turn, (orientations, 1, side, side)."""
    radius = math.ceil(3 * scale)
    axis = torch.arange(-radius, radius + 1, dtype=torch.float32)
    y, x = torch.meshgrid(axis, axis, indexing="ij")
    envelope = torch.exp(-(x**2 + y**2) / (2 * scale**2))
    kernels = []
    for turn in range(orientations):
        angle = math.pi * turn / orientations
        kernel = (x * math.cos(angle) + y * math.sin(angle)) * envelope
        kernels.append(kernel / kernel.abs().sum())
    return torch.stack(kernels)[:, None]


class FeaturesLinear(nn.Module):
    """Fixed features, then one linear layer. `features` and `head` apart, so that training computes features once."""

    def __init__(self, shape: tuple[int, int, int], classes: int, *, orientations: int, cell: int) -> None:
        super().__init__()
        self.features = OrientedEdges(shape, orientations=orientations, cell=cell)
        self.head = nn.Linear(self.features.size, classes, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.head(self.features(x))
        return logits


class ScatteringLinear(nn.Module):
    """Scattering features and a constant one, then one linear layer; split as in `FeaturesLinear`.

    The weights begin at 0: where every class is as likely as another, the first steps are not spent on forgetting.
    """

    def __init__(self, shape: tuple[int, int, int], classes: int, *, orientations: int) -> None:
        super().__init__()
        self.features = nn.Sequential(Scattering(shape, orientations=orientations), ConstantFeature())
        size = int(self.features(torch.zeros(1, *shape)).shape[1])
        self.head = nn.Linear(size, classes, bias=False)
        nn.init.zeros_(self.head.weight)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.head(self.features(x))
        return logits


class ConstantFeature(nn.Module):
    """(n, features) → (n, features + 1), the last one always `BIAS_FEATURE`, in place of a bias."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([x, torch.full_like(x[:, :1], BIAS_FEATURE)], 1)
