"""A sealed file is read in parts, and only the segments that are wanted are decrypted."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guardapp.errors import GuardError
from guardapp.formats.safetensors import write_header
from guardapp.seal.payload import SEGMENT
from guardapp.seal.sealed import open_sealed, write_sealed


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_tensors_are_listed_and_read_one_by_one(sealed_checkpoint, pair):
    before = names(sealed_checkpoint.path.parent)
    with open_sealed(sealed_checkpoint.path, [pair.identity]) as sealed:
        listed = sealed.tensors()
        assert {name: (info.dtype, info.shape) for name, info in listed.items()} == {
            name: ("F32", array.shape) for name, array in sealed_checkpoint.tensors.items()
        }
        for name, array in sealed_checkpoint.tensors.items():
            np.testing.assert_array_equal(sealed[name], array)
            assert bytes(sealed.raw(name)) == array.tobytes()
    assert names(sealed_checkpoint.path.parent) == before


def test_a_tensor_needs_its_own_segments_alone(sealed_checkpoint, pair):
    """Damage elsewhere does not matter to a tensor, and damage in it is named."""
    whole = bytearray(sealed_checkpoint.path.read_bytes())
    whole[-(2 * SEGMENT)] ^= 1
    sealed_checkpoint.path.write_bytes(whole)
    with open_sealed(sealed_checkpoint.path, [pair.identity]) as sealed:
        readable, refused = [], []
        for name, array in sealed_checkpoint.tensors.items():
            try:
                np.testing.assert_array_equal(sealed[name], array)
                readable.append(name)
            except GuardError as error:
                assert error.code == "sealed.segment" and name in error.why
                refused.append(name)
    assert readable and refused


@settings(max_examples=40)
@given(data=st.data())
def test_any_range_is_read(data, seal_bytes, pair):
    plain = bytes(range(256)) * (10 * SEGMENT // 1024)
    path = seal_bytes(plain)
    begin = data.draw(st.integers(0, len(plain)))
    end = data.draw(st.integers(begin, len(plain)))
    with open_sealed(path, [pair.identity]) as sealed:
        assert sealed.read(begin, end - begin) == plain[begin:end]
        with pytest.raises(ValueError, match="asked for"):
            sealed.read(begin, len(plain) - begin + 1)
    path.unlink()


def test_types_that_numpy_lacks_are_given_to_torch(tmp_path, pair):
    torch = pytest.importorskip("torch")
    from safetensors.torch import save_file

    tensors = {
        "half": torch.arange(10, dtype=torch.bfloat16).reshape(2, 5),
        "eight": torch.ones(3).to(torch.float8_e4m3fn),
        "none": torch.zeros((0, 4)),
        "one": torch.tensor(7, dtype=torch.int64),
        "yes": torch.tensor([True, False]),
    }
    save_file(tensors, tmp_path / "a")
    write_sealed(tmp_path / "a", tmp_path / "s", [pair.recipient])
    with open_sealed(tmp_path / "s", [pair.identity]) as sealed:
        for name, tensor in tensors.items():
            read = sealed.torch(name)
            assert (read.dtype, read.shape) == (tensor.dtype, tensor.shape)
            assert torch.equal(read.float(), tensor.float())
        assert sealed["one"].item() == 7 and sealed["none"].shape == (0, 4)
        with pytest.raises(GuardError) as error:
            sealed["half"]
        assert error.value.code == "checkpoint.no-such-type"


def test_a_sealed_file_that_is_no_checkpoint_has_no_tensors(seal_bytes, pair):
    with open_sealed(seal_bytes(b"text"), [pair.identity]) as sealed:
        assert sealed.content == "file"
        with pytest.raises(GuardError) as error:
            sealed.tensors()
    assert error.value.code == "checkpoint.not-a-checkpoint"


def test_content_that_only_claims_to_be_safetensors_is_refused(tmp_path, pair):
    """Its sealer lied: the segments are authentic, the tensors are not there."""
    (tmp_path / "a").write_bytes(write_header([("w", "F32", (4,), 16)], {}) + bytes(8))
    write_sealed(tmp_path / "a", tmp_path / "s", [pair.recipient], content="safetensors")
    with open_sealed(tmp_path / "s", [pair.identity]) as sealed, pytest.raises(GuardError):
        sealed.tensors()


def test_what_is_nearly_safetensors_is_sealed_as_a_file(tmp_path, pair):
    (tmp_path / "a").write_bytes(write_header([("w", "F32", (4,), 16)], {}) + bytes(17))
    assert write_sealed(tmp_path / "a", tmp_path / "s", [pair.recipient]).content == "file"
