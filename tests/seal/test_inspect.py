"""Without a key one sees how a file is made, never what is in it."""

from __future__ import annotations

import pytest

from guardapp.errors import GuardError
from guardapp.seal.inspect import inspect_sealed


def test_without_a_key_nothing_of_the_content_is_seen(sealed_checkpoint):
    seen = inspect_sealed(sealed_checkpoint.path)
    assert (seen.content, seen.recipients, seen.segments) == ("safetensors", ("X25519",), 4)
    assert seen.content_bytes == len(sealed_checkpoint.plain)
    assert (seen.opened, seen.tensors) == (False, ())


def test_with_a_key_tensors_are_listed(sealed_checkpoint, pair, stranger):
    assert not inspect_sealed(sealed_checkpoint.path, [stranger.identity]).opened
    seen = inspect_sealed(sealed_checkpoint.path, [stranger.identity, pair.identity])
    assert seen.opened
    assert {row["name"]: row["shape"] for row in seen.as_dict()["tensors"]} == {
        name: list(array.shape) for name, array in sealed_checkpoint.tensors.items()
    }


def test_a_changed_header_is_refused_once_a_key_is_at_hand(sealed_checkpoint, pair):
    changed = sealed_checkpoint.path.read_bytes().replace(b"content safetensors", b"content file", 1)
    sealed_checkpoint.path.write_bytes(changed)
    assert inspect_sealed(sealed_checkpoint.path).content == "file"
    with pytest.raises(GuardError) as error:
        inspect_sealed(sealed_checkpoint.path, [pair.identity])
    assert error.value.code == "sealed.header-mac"


def test_a_length_that_no_sealed_file_has_shows_as_unknown(sealed_checkpoint):
    with sealed_checkpoint.path.open("r+b") as file:
        file.truncate(inspect_sealed(sealed_checkpoint.path).header_bytes + 50)
    assert inspect_sealed(sealed_checkpoint.path).segments is None
