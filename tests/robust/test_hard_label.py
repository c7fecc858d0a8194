"""By answers alone: as near as closed form on linear models, and never a mistake that is none."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from torch import Tensor, nn

from guardapp.progress import Progress
from guardapp.robust.checking import check
from guardapp.robust.hard_label import nearest_mistakes
from guardapp.robust.job import CheckSpec
from guardapp.robust.label_evaluator import LabelEvaluator
from guardapp.robust.threat import Threat, distance
from guardapp.robust.victim import Victim

FEATURES = 16


class Answers(nn.Module):
    """Says which side of a plane an example is on, as 0 or 1, and has no gradient."""

    def __init__(self) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(3)
        self.register_buffer("normal", torch.randn(FEATURES, generator=generator))
        self.asked = 0

    def height(self, x: Tensor) -> Tensor:
        return (x.flatten(1) - 0.5) @ self.normal

    def forward(self, x: Tensor) -> Tensor:
        self.asked += len(x)
        return nn.functional.one_hot((self.height(x) > 0).long(), 2).float()


def near_the_plane(count: int) -> Tensor:
    """Examples so near the middle of the range that no nearest mistake meets its edges."""
    return 0.5 + 0.05 * torch.randn((count, FEATURES), generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize(("norm", "order", "slack"), [("linf", 1, 0.03), ("l2", 2, 0.08)])
def test_the_nearest_mistake_of_a_linear_model_is_found(norm: str, order: int, slack: float) -> None:
    model, x = Answers(), near_the_plane(12)
    victim = Victim(model, 2)
    y = victim.predictions(x)
    points, found = nearest_mistakes(victim, x, y, x, Threat(norm, 1.0), torch.Generator().manual_seed(0))  # type: ignore[arg-type]
    assert found.all()
    assert (victim.predictions(points) != y).all()
    true = model.height(x).abs().double() / model.normal.norm(order)
    reached = distance(x, points, norm)  # type: ignore[arg-type]
    assert (reached >= true * (1 - 1e-4)).all(), "nearer than the nearest"
    assert (reached <= true * (1 + slack)).all()
    assert model.asked < 12 * 4000


def test_what_may_not_change_stays_as_it_is() -> None:
    model, x = Answers(), near_the_plane(8)
    victim, mutable = Victim(model, 2), torch.tensor([1.0, 0.0] * (FEATURES // 2))
    y = victim.predictions(x)
    for norm, order in (("linf", 1), ("l2", 2)):
        threat = Threat(norm, 1.0, mutable)  # type: ignore[arg-type]
        points, found = nearest_mistakes(victim, x, y, x, threat, torch.Generator().manual_seed(0))
        assert found.any() and (points[:, 1::2] == x[:, 1::2]).all()
        true = model.height(x).abs().double() / model.normal[::2].norm(order)
        assert (distance(x, points, norm)[found] <= 1.15 * true[found]).all()  # type: ignore[arg-type]


def test_the_curve_is_that_of_the_distances() -> None:
    model, x = Answers(), near_the_plane(40)
    victim = Victim(model, 2)
    evaluator = LabelEvaluator(victim, x, victim.predictions(x), "linf")
    true = model.height(x).abs().double() / model.normal.norm(1)
    for strength in (0.01, 0.03, 0.06):
        record = evaluator.attack(strength, [])
        holding = int((true > strength).sum())
        assert holding <= record.robust.right <= int((true * 1.03 > strength).sum())
        assert record.unconfirmed == 0
    assert evaluator.doubts().unlimited == 0


def test_a_check_by_answers_alone_says_so(tmp_path: Path) -> None:
    from guardapp.formats.models import ModelCard, build, save_model

    torch.manual_seed(0)
    generator = np.random.default_rng(0)
    x = generator.integers(0, 256, (40, 4, 4), dtype=np.uint8)
    model = build("logistic", {}, (1, 4, 4), 2)
    y = model(torch.from_numpy(x[:, None].astype(np.float32) / 255)).argmax(1).numpy()
    np.savez(tmp_path / "x.npz", images=x, labels=y)
    card = ModelCard(architecture="logistic", options={}, input="image", input_shape=(1, 4, 4), classes=["0", "1"])
    save_model(model, card, tmp_path)
    spec = CheckSpec.model_validate(
        {
            "model": {"job": tmp_path},
            "data": {"images": tmp_path / "x.npz"},
            "budget": "labels",
            "strengths": [0.05],
            "noise": [],
            "natural": False,
            "patches": [2],
        }
    )
    (tmp_path / "out").mkdir()
    findings = check(spec, tmp_path / "out", Progress())
    assert findings.trustworthy
    assert [flag.id for flag in findings.flags if flag.level != "passed"][:1] == ["answers-only"]
    report = json.loads((tmp_path / "out" / "report.json").read_text(encoding="utf-8"))
    (point,) = report["curve"]
    assert point["single_step_accuracy"] is None and [one["kind"] for one in point["passes"]] == ["labels"]
    assert point["certified_accuracy"] <= point["robust_accuracy"] < report["clean_accuracy"]
    (square,) = report["patches"]
    with np.load(tmp_path / "out" / "patches.npz") as painted:
        assert square["robust_accuracy"] == pytest.approx(1 - len(painted["y"]) / 40)
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "answers alone" in page and "one gradient step" not in page


def test_answers_alone_are_for_two_norms() -> None:
    with pytest.raises(ValidationError, match="answers alone"):
        CheckSpec.model_validate({"model": {"job": "m"}, "data": {"images": "x.npz"}, "budget": "labels", "norm": "l1"})
