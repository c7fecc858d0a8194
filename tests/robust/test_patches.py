"""One repainted square: as strong as brute force on a linear model, and never more than a square."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from torch import nn

from guardapp.errors import GuardError
from guardapp.robust.job import CheckSpec
from guardapp.robust.patches import attack_squares, square, within_square, write_patches
from guardapp.robust.victim import Victim

HEIGHT, WIDTH = 6, 7


def linear(seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Flatten(), nn.Linear(2 * HEIGHT * WIDTH, 2))


def pictures(count: int) -> torch.Tensor:
    return torch.rand((count, 2, HEIGHT, WIDTH), generator=torch.Generator().manual_seed(1))


def by_brute_force(model: nn.Module, x: np.ndarray, y: int, side: int) -> bool:
    """Whether some square of this side, painted in the best colours, makes a linear model wrong."""
    weight, bias = (part.detach().numpy().astype(float) for part in model[1].parameters())  # type: ignore[index]
    against = (weight[1 - y] - weight[y]).reshape(x.shape)
    now = float((against * x).sum() + bias[1 - y] - bias[y])
    gain = np.where(against > 0, against * (1 - x), -against * x)
    places = [(top, left) for top in range(HEIGHT - side + 1) for left in range(WIDTH - side + 1)]
    return max(now + gain[:, top : top + side, left : left + side].sum() for top, left in places) > 0


def test_the_best_square_of_a_linear_model_is_found() -> None:
    sides = [1, 2, 3]
    model, x = linear(), pictures(40)
    victim = Victim(model, 2)
    y = victim.predictions(x)
    found, painted = attack_squares(victim, x, y, sides, 0, lambda _: None)
    for one in found:
        true = sum(not by_brute_force(model, x[row].numpy().astype(float), int(y[row]), one.side) for row in range(40))
        assert one.right.right == true
    assert found[0].right.right > found[-1].right.right, "the sides tell models apart"
    broken = painted.side > 0
    assert (victim.predictions(painted.points)[broken] != y[broken]).all()
    assert (painted.points[~broken] == x[~broken]).all()
    for side in sides:
        rows = painted.side == side
        assert within_square(x[rows], painted.points[rows], side).all()


@given(st.integers(1, HEIGHT), st.data())
def test_every_place_is_a_square_inside_the_picture(side: int, data: st.DataObject) -> None:
    place = data.draw(st.integers(0, (HEIGHT - side + 1) * (WIDTH - side + 1) - 1))
    x = pictures(1)
    inside = square(x, torch.tensor([place]), side)
    assert inside.sum() == side * side
    moved = torch.where(inside, 1 - x, x)
    assert within_square(x, moved, side).all()
    assert side == 1 or not within_square(x, moved, side - 1).any()


def test_what_is_larger_than_the_pictures_is_refused() -> None:
    with pytest.raises(GuardError) as error:
        attack_squares(Victim(linear(), 2), pictures(2), torch.zeros(2, dtype=torch.long), [7], 0, lambda _: None)
    assert error.value.code == "check.patch"
    table = {"model": {"job": "m"}, "data": {"table": "t.csv", "label": "y"}, "patches": [3]}
    for wrong in (table, {**table, "data": {"images": "x.npz"}, "patches": [0]}):
        with pytest.raises(ValidationError):
            CheckSpec.model_validate(wrong)


def test_what_was_fooled_is_written_for_others_to_verify(tmp_path: Path) -> None:
    model, x = linear(), pictures(20)
    victim = Victim(model, 2)
    y = victim.predictions(x)
    _, painted = attack_squares(victim, x, y, [3], 0, lambda _: None)
    path = tmp_path / "patches.npz"
    write_patches(painted, x, y, list(range(100, 120)), path)
    weight, bias = (part.detach().numpy() for part in model[1].parameters())  # type: ignore[index]
    with np.load(path) as kept:
        assert len(kept["index"]) == int((painted.side > 0).sum()) and (kept["index"] >= 100).all()
        answers = (kept["x_adv"].reshape(len(kept["y"]), -1) @ weight.T + bias).argmax(1)
        assert (answers != kept["y"]).all() and (kept["side"] == 3).all()
        differs = (kept["x"] != kept["x_adv"]).any(1)
        for one in differs:
            rows, columns = one.nonzero()
            assert np.ptp(rows) < 3 and np.ptp(columns) < 3
