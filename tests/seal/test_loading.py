"""A sealed checkpoint is loaded into a model without a plaintext file."""

from __future__ import annotations

import pytest

from guardapp.errors import GuardError
from guardapp.seal.loading import load_state_dict
from guardapp.seal.sealed import write_sealed


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


def test_what_is_no_checkpoint_has_no_tensors(pair, tmp_path):
    (tmp_path / "t.csv").write_text("a\n")
    write_sealed(tmp_path / "t.csv", tmp_path / "t.sealed", [pair.recipient], flush=False)
    with pytest.raises(GuardError) as error:
        load_state_dict(tmp_path / "t.sealed", [pair.identity])
    assert error.value.code == "checkpoint.not-a-checkpoint"
