"""Small models to attack: many shapes, trainings and class counts, made within minutes, kept in a folder.

Data: MNIST halved to 14×14, the digits that come with guardapp, coloured blobs on noise (like photographs in
shape, not in content), and rows of twelve numbers from a mixture of Gaussians. The last two are drawn, not collected.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from guardapp.formats.datasets import DataSpec, load_dataset
from guardapp.resource_files import resource

EXAMPLES = 500
MNIST = Path(__file__).parents[3] / "shared" / "data" / "mnist-train"
Training = Literal["standard", "adversarial", "dp"]


class Entry(NamedTuple):
    """One model. reach: of the adversarial training; strengths: in the norm's units, at which it is attacked"""

    name: str
    data: str
    shape: str
    training: Training
    norm: Literal["linf", "l2", "l1"]
    strengths: tuple[float, ...]
    reach: float = 0.0


ZOO = [
    Entry("digits MLP", "digits", "mlp", "standard", "linf", (0.03, 0.06)),
    Entry("digits MLP, adversarial", "digits", "mlp", "adversarial", "linf", (0.1, 0.15), 0.12),
    Entry("digits MLP, DP", "digits", "mlp", "dp", "linf", (0.03, 0.06)),
    Entry("table MLP, 2 classes", "table", "mlp", "standard", "linf", (0.02, 0.05)),
    Entry("table MLP, 2 classes, adversarial", "table", "mlp", "adversarial", "linf", (0.02, 0.05), 0.04),
    Entry("colour CNN, 3 classes", "colour", "cnn", "standard", "linf", (0.01, 0.02)),
    Entry("colour residual, 3 classes, adversarial", "colour", "residual", "adversarial", "linf", (0.01, 0.02), 0.02),
    Entry("digits transformer", "digits", "transformer", "standard", "linf", (0.03, 0.06)),
    Entry("digits CNN, L2", "digits", "cnn", "adversarial", "l2", (0.4, 0.8), 0.08),
    Entry("digits CNN, L1", "digits", "cnn", "adversarial", "l1", (1.5, 3.0), 0.08),
    Entry("MNIST CNN", "mnist", "cnn", "standard", "linf", (0.05, 0.1)),
    Entry("MNIST CNN, adversarial", "mnist", "cnn", "adversarial", "linf", (0.1, 0.15), 0.15),
    Entry("MNIST CNN, DP", "mnist", "cnn", "dp", "linf", (0.03, 0.06)),
    Entry("MNIST residual, adversarial", "mnist", "residual", "adversarial", "linf", (0.1, 0.15), 0.15),
    Entry("MNIST MLP", "mnist", "mlp", "standard", "linf", (0.03, 0.06)),
]


class Residual(nn.Module):
    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(x + self.inner(x))


class Transformer(nn.Module):
    """Patches of 2×2 pixels as words, one block of attention, the mean of the words."""

    def __init__(self, shape: tuple[int, ...], classes: int) -> None:
        super().__init__()
        self.words = nn.Conv2d(shape[0], 24, 2, stride=2)
        self.place = nn.Parameter(torch.randn(1, shape[1] // 2 * (shape[2] // 2), 24) * 0.1)
        self.block = nn.TransformerEncoderLayer(24, 2, 48, dropout=0.0, batch_first=True)
        self.out = nn.Linear(24, classes)

    def forward(self, x: Tensor) -> Tensor:
        words = self.words(x).flatten(2).transpose(1, 2)
        scores: Tensor = self.out(self.block(words + self.place).mean(1))
        return scores


def network(kind: str, shape: tuple[int, ...], classes: int) -> nn.Module:
    if kind == "transformer":
        return Transformer(shape, classes)
    if kind == "mlp":
        features = math.prod(shape)
        return nn.Sequential(
            nn.Flatten(), nn.Linear(features, 64), nn.ReLU(), nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, classes)
        )
    side = (((shape[1] + 1) // 2) + 1) // 2
    middle: list[nn.Module] = [nn.ReLU()]
    if kind == "residual":
        middle += [Residual(nn.Sequential(nn.Conv2d(8, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 8, 3, padding=1)))]
    return nn.Sequential(
        nn.Conv2d(shape[0], 8, 3, stride=2, padding=1),
        *middle,
        nn.Conv2d(8, 16, 3, stride=2, padding=1),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(16 * side * side, 32),
        nn.ReLU(),
        nn.Linear(32, classes),
    )


def examples(data: str) -> tuple[Tensor, Tensor, int]:
    """(x in 0…1, y, classes), shuffled; the first `EXAMPLES` are never trained on."""
    if data == "colour":
        return _colour()
    if data == "table":
        return _table()
    if data == "mnist":
        spec = DataSpec(
            images=MNIST / "train-images-idx3-ubyte.gz", labels=MNIST / "train-labels-idx1-ubyte.gz", limit=10_000
        )
    else:
        spec = DataSpec(images=resource("samples", "digits.npz"))
    found = load_dataset(spec)
    order = np.random.default_rng(0).permutation(len(found))
    x, y = torch.from_numpy(found.x[order]), torch.from_numpy(found.y[order])
    if data == "mnist":
        x = nn.functional.avg_pool2d(x, 2)
    return x, y, 10


def _colour() -> tuple[Tensor, Tensor, int]:
    generator = torch.Generator().manual_seed(5)
    count, side = 4000, 12
    y = torch.randint(0, 3, (count,), generator=generator)
    centre = 3 + 6 * torch.rand((2, count, 1, 1), generator=generator)
    axis = torch.arange(side, dtype=torch.float32)
    away = (axis[None, :, None] - centre[0]) ** 2 + (axis[None, None, :] - centre[1]) ** 2
    hue = 0.12 * nn.functional.one_hot(y, 3) + 0.05 * torch.randn((count, 3), generator=generator)
    x = 0.4 + hue[:, :, None, None] * torch.exp(-away / 8)[:, None]
    return (x + 0.06 * torch.randn(x.shape, generator=generator)).clamp(0, 1), y, 3


def _table() -> tuple[Tensor, Tensor, int]:
    generator = torch.Generator().manual_seed(6)
    group = torch.randint(0, 6, (4000,), generator=generator)
    centres = 0.3 + 0.4 * torch.rand((6, 12), generator=generator)
    x = centres[group] + 0.1 * torch.randn((4000, 12), generator=generator)
    return x.clamp(0, 1), group % 2, 2


def moved(model: nn.Module, x: Tensor, y: Tensor, reach: float) -> Tensor:
    """One gradient step of size `reach` from a random start (Wong et al. 2020)."""
    change = ((torch.rand_like(x) * 2 - 1) * reach).requires_grad_(True)
    loss = nn.functional.cross_entropy(model((x + change).clamp(0, 1)), y)
    (gradient,) = torch.autograd.grad(loss, change)
    return (x + (change.detach() + 1.25 * reach * gradient.sign()).clamp(-reach, reach)).clamp(0, 1)


def private_gradients(model: nn.Module, x: Tensor, y: Tensor, clip: float = 1.0, noise: float = 0.8) -> None:
    """The gradients of one step of DP-SGD (Abadi et al. 2016); its ε is not accounted for here."""
    weights = {name: tensor.detach() for name, tensor in model.named_parameters()}

    def loss(parameters: dict[str, Tensor], row: Tensor, label: Tensor) -> Tensor:
        scores = torch.func.functional_call(model, parameters, (row[None],))
        return nn.functional.cross_entropy(scores, label[None])

    each = torch.func.vmap(torch.func.grad(loss), in_dims=(None, 0, 0))(weights, x, y)
    length = torch.stack([part.flatten(1).norm(dim=1) for part in each.values()]).norm(dim=0)
    factor = (clip / length.clamp(min=1e-9)).clamp(max=1.0)
    for name, parameter in model.named_parameters():
        total = torch.einsum("n,n...->...", factor, each[name])
        parameter.grad = (total + noise * clip * torch.randn_like(total)) / len(x)


def fit(entry: Entry, x: Tensor, y: Tensor, classes: int, steps: int = 800) -> nn.Module:
    torch.manual_seed(0)
    model = network(entry.shape, tuple(x.shape[1:]), classes)
    optimiser = torch.optim.Adam(model.parameters(), 3e-3)
    for step in range(steps):
        chosen = torch.randint(0, len(x), (128,))
        batch, labels = x[chosen], y[chosen]
        if entry.training == "adversarial":
            batch = moved(model, batch, labels, entry.reach * min(1.0, step / 200))
        optimiser.zero_grad()
        if entry.training == "dp":
            private_gradients(model, batch, labels)
        else:
            nn.functional.cross_entropy(model(batch), labels).backward()
        optimiser.step()
    return model.eval().requires_grad_(False)


def trained(entry: Entry, folder: Path) -> tuple[Callable[[Tensor], Tensor], Tensor, Tensor, int]:
    """(model, x, y, classes) with the held-back examples; trained at first use, then read from `folder`."""
    x, y, classes = examples(entry.data)
    kept = folder / f"{entry.name.replace(', ', '-').replace(' ', '-')}.pt"
    if kept.exists():
        model = network(entry.shape, tuple(x.shape[1:]), classes)
        model.load_state_dict(torch.load(kept, weights_only=True))
        model.eval().requires_grad_(False)
    else:
        model = fit(entry, x[EXAMPLES:], y[EXAMPLES:], classes)
        folder.mkdir(parents=True, exist_ok=True)
        torch.save(model.state_dict(), kept)
    return model, x[:EXAMPLES], y[:EXAMPLES], classes
