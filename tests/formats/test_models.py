"""A model is read only when its weights fit its card exactly."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file

from guardapp.errors import GuardError
from guardapp.formats.architectures import PiecewiseLinear
from guardapp.formats.models import ARCHITECTURES, IMAGES_ONLY, ModelCard, build, load_model, save_model

IMAGE = (1, 28, 28)


def shape_for(architecture: str) -> tuple[int, ...]:
    return IMAGE if architecture in IMAGES_ONLY else (7,)


def card_for(architecture: str) -> ModelCard:
    shape = shape_for(architecture)
    return ModelCard(
        architecture=architecture,
        input="image" if len(shape) == 3 else "table",
        input_shape=shape,
        classes=["a", "b", "c"],
    )


@pytest.mark.parametrize("architecture", list(ARCHITECTURES))
def test_a_saved_model_gives_the_same_outputs_when_loaded(architecture: str, tmp_path: Path) -> None:
    torch.manual_seed(1)
    model = build(architecture, {}, shape_for(architecture), 3).eval()
    save_model(model, card_for(architecture), tmp_path)
    loaded = load_model(tmp_path)
    x = torch.rand(5, *shape_for(architecture))
    assert torch.equal(loaded.module(x), model(x))
    assert loaded.card == card_for(architecture)
    assert not loaded.module.training


@pytest.mark.parametrize("architecture", list(ARCHITECTURES))
def test_no_architecture_mixes_the_rows_of_a_batch(architecture: str) -> None:
    model = build(architecture, {}, shape_for(architecture), 3)
    x = torch.rand(4, *shape_for(architecture))
    changed = x.clone()
    changed[0] = torch.rand(shape_for(architecture))
    assert torch.allclose(model(x)[1:], model(changed)[1:], atol=1e-6)


@settings(max_examples=12)
@given(st.integers(16, 40), st.integers(16, 40), st.sampled_from([1, 3]), st.sampled_from(IMAGES_ONLY))
def test_image_models_take_any_size_from_16_pixels(height: int, width: int, channels: int, architecture: str) -> None:
    options = {"depth": 10, "width": 1} if architecture == "wide-resnet" else {}
    model = build(architecture, options, (channels, height, width), 4)
    assert model(torch.rand(2, channels, height, width)).shape == (2, 4)


def hats_by_hand(value: float, knots: int) -> list[float]:
    return [max(0.0, 1 - abs(value - knot / (knots - 1)) * (knots - 1)) for knot in range(knots)]


@given(st.lists(st.floats(0, 1, width=32), min_size=2, max_size=2), st.integers(2, 12))
def test_a_number_becomes_hat_functions_and_the_rest_passes_unchanged(values: list[float], knots: int) -> None:
    layer = PiecewiseLinear(4, [2, 0], knots)
    found = layer(torch.tensor([[values[1], 0.25, values[0], 0.75]]))[0]
    expected = [*hats_by_hand(values[0], knots), *hats_by_hand(values[1], knots), 0.25, 0.75]
    assert found.tolist() == pytest.approx(expected, abs=1e-5)
    assert len(found) == layer.size


@pytest.mark.parametrize("value", [-1.0, 0.0, 0.2, 1.0, 2.0])
def test_hats_never_hide_the_slope_at_a_knot_nor_go_beyond_the_borders(value: float) -> None:
    layer = PiecewiseLinear(1, [0], 6)
    x = torch.tensor([[value]], requires_grad=True)
    out = (layer(x) * torch.arange(6.0)).sum()  # knot k has the height k: a straight line of slope 5 between 0 and 5
    out.backward()
    assert float(out.detach()) == pytest.approx(5 * min(max(value, 0.0), 1.0), abs=1e-6)
    assert float(x.grad) == pytest.approx(5.0 if 0 <= value <= 1 else 0.0)  # type: ignore[arg-type]


@pytest.mark.parametrize("architecture", ["logistic", "mlp"])
def test_a_table_model_with_knots_is_told_apart_by_its_card(architecture: str, tmp_path: Path) -> None:
    options = {"numbers": [0, 3], "knots": 5}
    model = build(architecture, options, (7,), 3).eval()
    save_model(model, card_for(architecture).model_copy(update={"options": options}), tmp_path)
    x = torch.rand(5, 7)
    assert torch.equal(load_model(tmp_path).module(x), model(x))
    save_model(model, card_for(architecture), tmp_path)
    with pytest.raises(GuardError) as error:
        load_model(tmp_path)
    assert error.value.code.startswith("model.weights")


def test_cards_from_before_there_were_knots_still_load(tmp_path: Path) -> None:
    tensors = {"2.weight": torch.rand(3, 7), "2.bias": torch.rand(3)}
    save_file(tensors, tmp_path / "model.safetensors")
    card = card_for("logistic").model_copy(update={"options": {"mean": 0.0, "scale": 1.0}})
    (tmp_path / "model.json").write_text(card.model_dump_json(), encoding="utf-8")
    x = torch.rand(5, 7)
    assert torch.allclose(load_model(tmp_path).module(x), x @ tensors["2.weight"].T + tensors["2.bias"], atol=1e-6)


def test_the_small_cnn_has_about_26_thousand_weights() -> None:
    assert 26_000 <= sum(p.numel() for p in build("cnn", {}, IMAGE, 10).parameters()) <= 26_200


def test_weights_without_a_card_need_architecture_shape_and_classes(tmp_path: Path) -> None:
    model = build("mlp", {"hidden": [5]}, (4,), 2)
    save_model(model, card_for("mlp"), tmp_path)
    (tmp_path / "model.json").unlink()
    with pytest.raises(GuardError) as error:
        load_model(tmp_path)
    assert error.value.code == "model.card-missing"
    with pytest.raises(GuardError) as error:
        load_model(tmp_path / "model.safetensors", architecture="mlp")
    assert error.value.code == "model.inputs-unknown"
    loaded = load_model(
        tmp_path / "model.safetensors",
        architecture="mlp",
        options={"hidden": [5]},
        input_shape=(4,),
        classes=["n", "y"],
    )
    x = torch.rand(3, 4)
    assert torch.equal(loaded.module(x), model(x))


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda t: t.pop("2.bias"), "model.weights-names"),
        (lambda t: t.update(extra=torch.zeros(1)), "model.weights-names"),
        (lambda t: t.update({"2.bias": torch.zeros(4)}), "model.weights-shape"),
        (lambda t: t["2.bias"].fill_(float("nan")), "model.weights-not-finite"),
    ],
)
def test_weights_that_do_not_fit_are_refused(change, code: str, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    save_model(build("logistic", {}, (7,), 3), card_for("logistic"), tmp_path)
    tensors = {name: tensor.clone() for name, tensor in build("logistic", {}, (7,), 3).state_dict().items()}
    change(tensors)
    save_file(tensors, tmp_path / "model.safetensors")
    with pytest.raises(GuardError) as error:
        load_model(tmp_path)
    assert error.value.code == code


@pytest.mark.parametrize("content", [b"", b"{}", pickle.dumps({"2.weight": 1}), b"\xff" * 100])
def test_a_file_that_is_not_safetensors_is_refused(content: bytes, tmp_path: Path) -> None:
    save_model(build("logistic", {}, (7,), 3), card_for("logistic"), tmp_path)
    (tmp_path / "model.safetensors").write_bytes(content)
    with pytest.raises(GuardError) as error:
        load_model(tmp_path)
    assert error.value.code == "model.weights-format"


@pytest.mark.parametrize(
    "content", [b"", b"[]", b"{", b'{"architecture": "resnet"}', b"[" * 100_000, b"\xff\xfe", b'{"format": "other"}']
)
def test_a_damaged_card_is_refused(content: bytes, tmp_path: Path) -> None:
    save_model(build("logistic", {}, (7,), 3), card_for("logistic"), tmp_path)
    (tmp_path / "model.json").write_bytes(content)
    with pytest.raises(GuardError) as error:
        load_model(tmp_path)
    assert error.value.code == "model.card"


@pytest.mark.parametrize(
    ("architecture", "options", "shape", "code"),
    [
        ("resnet", {}, IMAGE, "model.architecture"),
        ("mlp", {"width": 3}, (4,), "model.option"),
        ("mlp", {"hidden": "64"}, (4,), "model.option"),
        ("mlp", {"hidden": [0]}, (4,), "model.option"),
        ("mlp", {"hidden": [65_536, 65_536]}, (4,), "model.size"),
        ("cnn", {}, (4,), "model.shape"),
        ("features-linear", {}, (1, 8, 8), "model.shape"),
        ("scattering-linear", {"orientations": 1}, IMAGE, "model.option"),
        ("wide-resnet", {"depth": 17}, IMAGE, "model.option"),
        ("wide-resnet", {"width": 4000}, IMAGE, "model.size"),
        ("logistic", {"scale": 0}, (4,), "model.option"),
        ("logistic", {"numbers": [4], "knots": 8}, (4,), "model.option"),
        ("logistic", {"numbers": [1, 1], "knots": 8}, (4,), "model.option"),
        ("logistic", {"numbers": [0], "knots": 8}, IMAGE, "model.option"),
        ("logistic", {"numbers": [0], "knots": 1}, (4,), "model.option"),
        ("mlp", {"numbers": [0], "knots": 10**6}, (4,), "model.option"),
        ("mlp", {"hidden": []}, (4,), "model.option"),
        ("cnn", {"channels": [8]}, IMAGE, "model.option"),
    ],
)
def test_a_wrong_description_is_refused(
    architecture: str, options: dict[str, object], shape: tuple[int, ...], code: str
) -> None:
    with pytest.raises(GuardError) as error:
        build(architecture, options, shape, 2)
    assert error.value.code == code
