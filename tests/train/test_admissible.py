"""Layers that mix rows are refused by name, with what to use instead."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from guardapp.errors import GuardError
from guardapp.formats.models import ARCHITECTURES, build
from guardapp.train.admissible import check_admissible


class Centre(nn.Module):
    """A home-made layer that subtracts the batch's mean."""

    def forward(self, x: Tensor) -> Tensor:
        return x - x.mean(0, keepdim=True)


@pytest.mark.parametrize(
    ("layers", "shape", "name", "advice"),
    [
        (
            [nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Flatten(), nn.Linear(72, 3)],
            (1, 8, 8),
            "1 (BatchNorm2d)",
            "GroupNorm",
        ),
        ([nn.Linear(4, 4), nn.BatchNorm1d(4)], (4,), "1 (BatchNorm1d)", "GroupNorm"),
        ([nn.Linear(4, 4), nn.SyncBatchNorm(4)], (4,), "1 (SyncBatchNorm)", "GroupNorm"),
        (
            [nn.InstanceNorm2d(1, track_running_stats=True), nn.Flatten(), nn.Linear(64, 3)],
            (1, 8, 8),
            "0 (InstanceNorm2d)",
            "track_running_stats",
        ),
        ([nn.Linear(4, 3), Centre()], (4,), "1 (Centre)", "by itself"),
        ([nn.Linear(4, 3), nn.Sequential(nn.Tanh(), Centre()), nn.Linear(3, 3)], (4,), "1.1 (Centre)", "by itself"),
        ([nn.Embedding(4, 3, max_norm=1.0)], (4,), "0 (Embedding)", "max_norm"),
        ([nn.Embedding(4, 3, scale_grad_by_freq=True)], (4,), "0 (Embedding)", "scale_grad_by_freq"),
        ([nn.Flatten()], (4,), "model (Sequential)", "Unfreeze"),
    ],
)
def test_a_layer_that_mixes_rows_is_refused_by_name(
    layers: list[nn.Module], shape: tuple[int, ...], name: str, advice: str
) -> None:
    with pytest.raises(GuardError) as error:
        check_admissible(nn.Sequential(*layers), shape)
    assert error.value.code == "train.layer" and name in error.value.what and advice in error.value.next


@pytest.mark.parametrize("architecture", list(ARCHITECTURES))
def test_every_built_in_model_is_admitted_and_left_as_it_was(architecture: str) -> None:
    model = build(architecture, {}, (1, 16, 16), 3).eval()
    state = torch.random.get_rng_state()
    check_admissible(model, (1, 16, 16))
    assert not model.training and torch.equal(state, torch.random.get_rng_state())


def test_dropout_is_admitted() -> None:
    check_admissible(nn.Sequential(nn.Dropout(0.5), nn.Linear(4, 3)), (4,))
