"""A training that starts from a model changes what was asked for, exactly clipped, and keeps the model's shape."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from guardapp.errors import GuardError
from guardapp.formats.models import ModelCard, build, load_model, save_model
from guardapp.progress import Progress, Silent
from guardapp.train.clipping import Clipper, example_loss
from guardapp.train.finetune import LowRank, merge, prepare
from guardapp.train.job import TrainSpec, run
from guardapp.train.session import features_first
from guardapp.train.start import Trained
from tests.train.models_for_clipping import one_by_one

SHAPE, CLASSES = (1, 16, 16), 3


def trained(architecture: str, options: dict[str, object] | None = None) -> nn.Module:
    torch.manual_seed(4)
    return build(architecture, options or {}, SHAPE, CLASSES)


@pytest.mark.parametrize("train", ["all", "last", "low-rank"])
@pytest.mark.parametrize("architecture", ["cnn", "mlp"])
def test_clipped_sums_of_frozen_and_corrected_models_agree_with_a_loop_over_rows(
    architecture: str, train: Trained
) -> None:
    model = trained(architecture)
    prepare(model, CLASSES, train, 2)
    model.double()
    with torch.no_grad():
        for layer in model.modules():
            if isinstance(layer, LowRank):
                layer.up.weight.normal_()  # as after some steps
    x, y = torch.rand(5, *SHAPE).double(), torch.arange(5) % CLASSES
    clipper = Clipper(model)
    found = clipper.sum(x, y, clip=0.3, loss_bound=2.0, physical=2).gradients
    assert clipper.way == "book-keeping"
    for one, other in zip(found, one_by_one(model, x, y, 0.3, example_loss), strict=True):
        assert torch.allclose(one, other, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("architecture", ["cnn", "mlp"])
def test_a_correction_begins_at_nothing_and_ends_inside_the_weights(architecture: str) -> None:
    model, x = trained(architecture).double(), torch.rand(4, *SHAPE).double()
    names, before = list(model.state_dict()), model(x)
    prepare(model, CLASSES, "low-rank", 3)
    assert torch.allclose(model(x), before)
    with torch.no_grad():
        for layer in model.modules():
            if isinstance(layer, LowRank):
                layer.up.weight.normal_()
    corrected = model(x)
    assert not torch.allclose(corrected, before)
    merge(model)
    assert list(model.state_dict()) == names
    assert torch.allclose(model(x), corrected, atol=1e-12)


def test_low_rank_trains_few_weights_and_the_last_layer_is_trained_in_full() -> None:
    model = trained("mlp", {"hidden": [128]})
    every = sum(p.numel() for p in model.parameters())
    prepare(model, CLASSES, "low-rank", 2)
    assert sum(p.numel() for p in model.parameters() if p.requires_grad) == 2 * (256 + 128) + 128 * 3 + 3 < every / 20


def test_other_classes_start_with_a_last_layer_of_their_own() -> None:
    model = trained("cnn")
    prepare(model, 7, "last", 1)
    assert model(torch.rand(2, *SHAPE)).shape == (2, 7)
    assert {name for name, p in model.named_parameters() if p.requires_grad} == {"13.weight", "13.bias"}


def test_what_stands_before_the_only_trained_layer_is_computed_once() -> None:
    model, x = trained("cnn"), torch.rand(3, *SHAPE)
    prepare(model, CLASSES, "last", 1)
    features, last = features_first(model)
    assert features is not None and torch.allclose(last(features(x)), model(x))
    assert [p.shape for p in last.parameters()] == [(CLASSES, 32), (CLASSES,)]
    assert features_first(trained("cnn"))[0] is None


def test_a_model_with_nothing_to_correct_is_refused() -> None:
    with pytest.raises(GuardError) as error:
        prepare(trained("logistic"), CLASSES, "low-rank", 1)
    assert error.value.code == "train.start"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A model in `model`, and pictures in `p.npz` whose class is the side that is lit."""
    (tmp_path / "model").mkdir()
    card = ModelCard(architecture="cnn", input="image", input_shape=SHAPE, classes=["a", "b", "c"])
    save_model(trained("cnn"), card, tmp_path / "model")
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, 300)
    pixels = rng.random((300, 16, 16)) * 0.3
    pixels[labels == 1, :, :8] += 0.6
    np.savez(tmp_path / "p.npz", images=(255 * pixels).astype(np.uint8), labels=labels)
    return tmp_path


def spec_in(folder: Path, **changes: object) -> TrainSpec:
    fields = {
        "data": {"images": "p.npz", "test_fraction": 0.2},
        "privacy": {"epsilon": 8.0, "delta": 1e-4, "max_examples": 300},
        "start": {"model": "model", "train": "low-rank", "rank": 2},
        "batch": 60,
        "steps": 12,
    }
    return TrainSpec.model_validate({**fields, **changes}, context={"base": folder})


@pytest.mark.parametrize("train", ["last", "low-rank"])
def test_a_finetuned_model_keeps_what_was_frozen_and_says_what_it_started_from(folder: Path, train: str) -> None:
    out = folder / "out"
    out.mkdir()
    result = run(spec_in(folder, start={"model": "model", "train": train}), out, Progress(Silent()))
    before, after = load_model(folder / "model").module, load_model(out)
    assert after.card.architecture == "cnn" and len(after.card.classes) == 2
    same = [
        torch.equal(one, other)
        for (name, one), (_, other) in zip(before.named_parameters(), after.module.named_parameters(), strict=True)
        if not name.startswith("13.")
    ]
    assert all(same) if train == "last" else not all(same)
    assert result.epsilon is not None and result.epsilon <= 8
    assert "started from" in (out / "statement.json").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "changes",
    [{"recipe": "mlp"}, {"options": {"hidden": 8}}, {"data": {"images": "wide.npz", "test_fraction": 0.2}}],
)
def test_a_model_that_does_not_fit_is_refused_before_anything_is_charged(
    folder: Path, changes: dict[str, object]
) -> None:
    np.savez(folder / "wide.npz", images=np.zeros((10, 16, 20), np.uint8), labels=np.arange(10) % 2)
    (folder / "out").mkdir()
    with pytest.raises(GuardError) as error:
        run(spec_in(folder, **changes), folder / "out", Progress(Silent()))
    assert error.value.code == "train.start"
