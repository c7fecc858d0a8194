"""The views of an image are the image itself and shifted copies, one after the other."""

from __future__ import annotations

import torch

from guardapp.train.views import FURTHEST, shifted


def test_every_view_is_a_shift_of_its_image() -> None:
    x = torch.rand(4, 2, 12, 11)
    views = shifted(x, 3)
    assert views.shape == (12, 2, 12, 11)
    inside = slice(FURTHEST, -FURTHEST)
    for place, view in enumerate(views):
        image = x[place // 3]
        moves = range(-FURTHEST, FURTHEST + 1)
        assert any(
            torch.equal(view[:, inside, inside], image.roll((down, right), (1, 2))[:, inside, inside])
            for down in moves
            for right in moves
        )
        assert place % 3 or torch.equal(view, image)


def test_one_view_and_no_images_are_left_alone() -> None:
    x = torch.rand(4, 1, 5, 5)
    assert shifted(x, 1) is x and len(shifted(x[:0], 5)) == 0
