"""Small models of every supported layer, and random ones, for the tests and benchmarks of clipping."""

from __future__ import annotations

import math
import random
from collections.abc import Callable

import torch
from torch import Tensor, nn

ROWS, PLACES, WIDE, CLASSES = 6, 5, 8, 3


def one_by_one(
    model: nn.Module, x: Tensor, y: Tensor, clip: float, loss: Callable[[Tensor, Tensor], Tensor]
) -> list[Tensor]:
    """The definition, by torch's own autograd: one backward pass per example, in plain Python."""
    parameters = [p for p in model.parameters() if p.requires_grad]
    total = [torch.zeros_like(p) for p in parameters]
    for row in range(len(y)):
        value = loss(model(x[row : row + 1]), y[row : row + 1])[0]
        found = torch.autograd.grad(value, parameters, allow_unused=True)
        kept = [torch.zeros_like(p) if g is None else g for g, p in zip(found, parameters, strict=True)]
        norm = math.sqrt(sum(float(g.square().sum()) for g in kept))
        for into, gradient in zip(total, kept, strict=True):
            into += gradient * min(1.0, clip / norm if norm else 1.0)
    return total


class Mean(nn.Module):
    """Over everything between the rows and the features."""

    def forward(self, x: Tensor) -> Tensor:
        return x.flatten(1, -2).mean(1)


class Pooled(nn.Module):
    """(n, channels, …) → (n, channels)."""

    def forward(self, x: Tensor) -> Tensor:
        return x.flatten(2).mean(2)


class First(nn.Module):
    """The output sequence of a recurrent layer, without its states; with time first if it wants it so."""

    def __init__(self, layer: nn.RNNBase) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.layer(x if self.layer.batch_first else x.transpose(0, 1))[0]
        return out if self.layer.batch_first else out.transpose(0, 1)


class Attends(nn.Module):
    """Self- or cross-attention, with or without a mask."""

    def __init__(
        self, *, batch_first: bool = True, cross: bool = False, causal: bool = False, bias: bool = True
    ) -> None:
        super().__init__()
        self.layer = nn.MultiheadAttention(WIDE, 2, batch_first=batch_first, bias=bias)
        self.cross, self.causal = cross, causal

    def forward(self, x: Tensor) -> Tensor:
        if not self.layer.batch_first:
            x = x.transpose(0, 1)
        other = x.tanh() if self.cross else x
        mask = torch.ones(PLACES, PLACES, dtype=torch.bool).triu(1) if self.causal else None
        out: Tensor = self.layer(x, other, other, attn_mask=mask, need_weights=self.cross)[0]
        return out if self.layer.batch_first else out.transpose(0, 1)


class Residual(nn.Module):
    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = x + self.inner(x)
        return out


class Twice(nn.Module):
    """One layer, called twice: its two gradients have to be added before the norm is taken."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.inner(torch.tanh(self.inner(x)))
        return out


class Tied(nn.Module):
    """An embedding whose weight also makes the output, as in many language models."""

    def __init__(self) -> None:
        super().__init__()
        self.words = nn.Embedding(CLASSES, WIDE)

    def forward(self, x: Tensor) -> Tensor:
        return self.words(x).mean(1) @ self.words.weight.T


class Token(nn.Module):
    """A weight of the model itself beside layers: the closed forms cannot see it."""

    def __init__(self) -> None:
        super().__init__()
        self.token, self.layer = nn.Parameter(torch.randn(WIDE)), nn.Linear(WIDE, WIDE)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.layer(x + self.token)
        return out


def sequence(*layers: nn.Module) -> nn.Module:
    return nn.Sequential(*layers, Mean(), nn.Linear(WIDE, CLASSES))


def image(*layers: nn.Module, channels: int) -> nn.Module:
    return nn.Sequential(*layers, nn.Tanh(), Pooled(), nn.Linear(channels, CLASSES))


def words() -> Tensor:
    return torch.randint(0, CLASSES, (ROWS, PLACES))


def places() -> Tensor:
    return torch.randn(ROWS, PLACES, WIDE)


def pictures() -> Tensor:
    return torch.randn(ROWS, 2, 9, 8)


def signals() -> Tensor:
    return torch.randn(ROWS, 2, 12)


Case = tuple[Callable[[], nn.Module], Callable[[], Tensor], str]
"""(model, input, the way that its sums are found)"""

CASES: dict[str, Case] = {
    "Linear": (lambda: nn.Sequential(nn.Flatten(), nn.Linear(PLACES * WIDE, CLASSES)), places, "book-keeping"),
    "Linear over places": (lambda: sequence(nn.Linear(WIDE, WIDE, bias=False), nn.Tanh()), places, "book-keeping"),
    "Conv2d with overwritten output": (
        lambda: image(nn.Conv2d(2, 3, 3), nn.ReLU(inplace=True), channels=3), pictures, "book-keeping",
    ),
    "Linear over places, overwritten": (lambda: sequence(nn.Linear(WIDE, WIDE), nn.ReLU(inplace=True)), places, "vmap"),
    "Conv1d": (lambda: image(nn.Conv1d(2, 4, 3, 2, 1, dilation=2), channels=4), signals, "book-keeping"),
    "Conv1d same, circular": (
        lambda: image(nn.Conv1d(2, 4, 4, padding="same", padding_mode="circular"), channels=4), signals, "book-keeping",
    ),
    "Conv2d": (lambda: image(nn.Conv2d(2, 3, (3, 2), (2, 1), (1, 0), (1, 2)), channels=3), pictures, "book-keeping"),
    "Conv2d in groups": (lambda: image(nn.Conv2d(2, 4, 3, groups=2, bias=False), channels=4), pictures, "book-keeping"),
    "Conv2d twice": (lambda: image(Twice(nn.Conv2d(2, 2, 3, padding=1)), channels=2), pictures, "book-keeping"),
    "Conv3d": (
        lambda: nn.Sequential(nn.Unflatten(1, (1, 2)), nn.Conv3d(1, 3, 2), Pooled(), nn.Linear(3, CLASSES)),
        pictures, "book-keeping",
    ),
    "ConvTranspose2d": (lambda: image(nn.ConvTranspose2d(2, 3, 3, 2), channels=3), pictures, "book-keeping"),
    "Embedding": (lambda: sequence(nn.Embedding(CLASSES, WIDE, padding_idx=1)), words, "book-keeping"),
    "Embedding, tied": (Tied, words, "vmap"),
    "GroupNorm": (lambda: image(nn.Conv2d(2, 4, 3), nn.GroupNorm(2, 4), channels=4), pictures, "book-keeping"),
    "InstanceNorm2d": (
        lambda: image(nn.Conv2d(2, 4, 3), nn.InstanceNorm2d(4, affine=True), channels=4), pictures, "book-keeping",
    ),
    "LayerNorm": (lambda: sequence(nn.LayerNorm([PLACES, WIDE]), nn.LayerNorm(WIDE)), places, "book-keeping"),
    "RMSNorm": (lambda: sequence(nn.RMSNorm(WIDE), nn.Tanh()), places, "book-keeping"),
    "PReLU": (lambda: sequence(nn.Linear(WIDE, WIDE), nn.PReLU()), places, "book-keeping"),
    "LSTM": (lambda: sequence(First(nn.LSTM(WIDE, WIDE, batch_first=True))), places, "book-keeping"),
    "LSTM, deep, both ways, projected": (
        lambda: sequence(First(nn.LSTM(WIDE, 6, 2, bidirectional=True, proj_size=4))), places, "book-keeping",
    ),
    "GRU": (lambda: sequence(First(nn.GRU(WIDE, 4, 2, bias=False, bidirectional=True))), places, "book-keeping"),
    "RNN": (lambda: sequence(First(nn.RNN(WIDE, WIDE, nonlinearity="relu", batch_first=True))), places, "book-keeping"),
    "MultiheadAttention": (lambda: sequence(Attends()), places, "book-keeping"),
    "MultiheadAttention, across, places first": (
        lambda: sequence(Attends(batch_first=False, cross=True, bias=False)), places, "book-keeping",
    ),
    "TransformerEncoderLayer": (
        lambda: sequence(Attends(causal=True), nn.TransformerEncoderLayer(WIDE, 2, 12, 0.0, batch_first=True)),
        places, "book-keeping",
    ),
    "a layer called twice": (lambda: sequence(Twice(nn.Linear(WIDE, WIDE))), places, "book-keeping"),
    "a norm called twice": (lambda: sequence(Twice(nn.LayerNorm(WIDE))), places, "book-keeping"),
    "a weight beside layers": (lambda: sequence(Token()), places, "vmap"),
}  # fmt: skip


def random_network(seed: int) -> tuple[nn.Module, Tensor]:
    """A network of one to six random layers over sequences or pictures, and rows for it."""
    chance = random.Random(seed)
    torch.manual_seed(seed)
    if chance.random() < 0.5:
        makers: list[Callable[[], nn.Module]] = [
            lambda: nn.Linear(WIDE, WIDE, bias=chance.random() < 0.5),
            lambda: nn.LayerNorm(WIDE),
            lambda: nn.RMSNorm(WIDE),
            lambda: nn.PReLU(),
            lambda: nn.GELU(),
            lambda: First(chance.choice([nn.LSTM, nn.GRU, nn.RNN])(WIDE, WIDE, batch_first=chance.random() < 0.5)),
            lambda: Attends(
                batch_first=chance.random() < 0.5, cross=chance.random() < 0.5, causal=chance.random() < 0.5
            ),
            lambda: Residual(nn.Sequential(nn.Linear(WIDE, WIDE), nn.Tanh())),
            lambda: Twice(nn.Linear(WIDE, WIDE)),
            lambda: nn.TransformerEncoderLayer(WIDE, 2, 12, 0.0, batch_first=True),
        ]
        start: list[nn.Module] = [nn.Embedding(CLASSES, WIDE)] if chance.random() < 0.3 else []
        layers = start + [chance.choice(makers)() for _ in range(chance.randint(1, 5))]
        model = sequence(*layers)
        rows = words() if start else places()
    else:
        channels, layers = 2, []
        for _ in range(chance.randint(1, 4)):
            out = chance.choice([2, 4, 6])
            layers.append(
                nn.Conv2d(
                    channels, out, chance.choice([1, 2, 3]), chance.choice([1, 1, 2]), padding=chance.choice([1, 2]),
                    groups=chance.choice([1, 2]), bias=chance.random() < 0.5,
                    padding_mode=chance.choice(["zeros", "zeros", "replicate"]),
                )
            )  # fmt: skip
            channels = out
            layers.append(chance.choice([nn.GroupNorm(2, out), nn.Identity(), nn.InstanceNorm2d(out, affine=True)]))
            layers.append(chance.choice([nn.Tanh(), nn.ReLU(inplace=True), nn.Softplus(), nn.PReLU()]))
        model = image(*layers, channels=channels)
        rows = pictures()
    parameters = list(model.parameters())
    if chance.random() < 0.3:
        chance.choice(parameters[:-2] or parameters).requires_grad_(False)
    return model, rows
