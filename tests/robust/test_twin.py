"""The smoothed twin of a linear model is the model itself, so its radius is the distance to the plane."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from guardapp.robust.certify.twin import MULTIPLES, certify_twin
from guardapp.robust.victim import Victim


def test_the_twin_of_a_linear_model_is_proved_up_to_the_plane_and_never_beyond() -> None:
    torch.manual_seed(0)
    model = nn.Linear(10, 2)
    x = torch.rand((30, 10))
    victim = Victim(model, 2)
    y = victim.predictions(x)
    y[:3] = 1 - y[:3]  # wrong without noise, so never proved right
    heard: list[float] = []
    twin = certify_twin(victim, x, y, 0.25, 0, heard.append)
    normal = (model.weight[1] - model.weight[0]).detach()
    away = ((x @ normal + (model.bias[1] - model.bias[0]).detach()).abs() / normal.norm())[3:]
    assert [radius for radius, _ in twin.proved] == pytest.approx([0.25 * multiple for multiple in MULTIPLES])
    for radius, part in twin.proved:
        assert part.right <= int((away >= radius).sum())
        # what a thousand draws and the confidence take off is less than a quarter of a radius and a little
        assert part.right >= int((away >= 1.35 * radius + 0.05).sum())
    assert heard[-1] == 1.0
    assert twin.as_json()["examples"] == 30
