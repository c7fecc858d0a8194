"""A sealed checkpoint is loaded into a model without a plaintext file."""

from __future__ import annotations

import numpy as np
import pytest

import guardapp.seal
from guardapp.errors import GuardError
from guardapp.seal import load, load_state_dict, open_sealed, write_sealed


def test_a_model_is_loaded_from_its_sealed_file(pair, tmp_path):
    torch = pytest.importorskip("torch")
    from safetensors.torch import save_file

    model = torch.nn.Sequential(torch.nn.Linear(5, 3), torch.nn.BatchNorm1d(3)).to(torch.bfloat16)
    save_file(model.state_dict(), tmp_path / "m.safetensors")
    write_sealed(tmp_path / "m.safetensors", tmp_path / "m.sealed", [pair.recipient], flush=False)
    (tmp_path / "m.safetensors").unlink()
    again = torch.nn.Sequential(torch.nn.Linear(5, 3), torch.nn.BatchNorm1d(3)).to(torch.bfloat16)
    again.load_state_dict(load_state_dict(tmp_path / "m.sealed", [pair.identity]))
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, again.state_dict()[name])
    assert [path.name for path in tmp_path.iterdir()] == ["m.sealed"]
    assert list(load_state_dict(tmp_path / "m.sealed", [pair.identity], names=["0.bias"])) == ["0.bias"]
    with pytest.raises(KeyError):
        load_state_dict(tmp_path / "m.sealed", [pair.identity], names=["nothing"])


def test_load_gives_what_torch_load_gives_on_the_wanted_device(pair, tmp_path):
    torch = pytest.importorskip("torch")
    from safetensors.torch import save_file

    weights = {
        "w": torch.arange(6.0).reshape(2, 3),
        "none": torch.empty(0, 4),
        "half": torch.ones(3, dtype=torch.bfloat16),
    }
    torch.save(weights, tmp_path / "m.pt")
    save_file(weights, tmp_path / "m.safetensors")
    write_sealed(tmp_path / "m.safetensors", tmp_path / "m.sealed", [pair.recipient], flush=False)
    found, expected = (
        load(str(tmp_path / "m.sealed"), [pair.identity]),
        torch.load(tmp_path / "m.pt", weights_only=True),
    )
    assert found.keys() == expected.keys()
    assert all(found[name].dtype == one.dtype and torch.equal(found[name], one) for name, one in expected.items())
    moved = load(tmp_path / "m.sealed", [pair.identity], "meta")
    assert {one.device.type for one in moved.values()} == {"meta"}


def test_an_open_file_is_a_mapping_of_its_tensors(sealed_checkpoint, pair):
    with open_sealed(sealed_checkpoint.path, [pair.identity]) as tensors:
        assert set(tensors) == set(tensors.keys()) == set(sealed_checkpoint.tensors)
        assert "bias" in tensors and "nothing" not in tensors
        for name, values in dict(tensors).items():
            assert np.array_equal(values, sealed_checkpoint.tensors[name])


def test_the_librarys_names_are_there_and_no_others():
    for name in guardapp.seal.__all__:
        assert callable(getattr(guardapp.seal, name))
    with pytest.raises(AttributeError):
        guardapp.seal.nothing  # noqa: B018


def test_what_is_no_checkpoint_has_no_tensors(pair, tmp_path):
    (tmp_path / "t.csv").write_text("a\n")
    write_sealed(tmp_path / "t.csv", tmp_path / "t.sealed", [pair.recipient], flush=False)
    with pytest.raises(GuardError) as error:
        load_state_dict(tmp_path / "t.sealed", [pair.identity])
    assert error.value.code == "checkpoint.not-a-checkpoint"
