"""A safetensors header is believed in nothing: whatever does not account for every byte once is refused."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import save

from guardapp.errors import GuardError
from guardapp.formats import safetensors
from guardapp.formats.safetensors import read_layout, write_header

SHAPES = st.lists(st.integers(0, 5), max_size=3).map(tuple)
ARRAYS = st.dictionaries(
    st.text(min_size=1, max_size=12).filter(lambda name: name != "__metadata__"),
    st.tuples(SHAPES, st.sampled_from(["float32", "float16", "int64", "uint8", "bool"])),
    max_size=6,
)


def layout_of(data: bytes) -> safetensors.Layout:
    return read_layout(lambda offset, length: data[offset : offset + length], len(data), "x")


def file_of(header: object, nbytes: int = 0, *, length: int | None = None) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return (len(text) if length is None else length).to_bytes(8, "little") + text + bytes(nbytes)


@given(ARRAYS)
def test_what_the_reference_library_writes_is_understood(entries):
    arrays = {name: np.ones(shape, dtype) for name, (shape, dtype) in entries.items()}
    data = save(arrays)
    layout = layout_of(data)
    assert {tensor.name: tensor.shape for tensor in layout.tensors} == {n: a.shape for n, a in arrays.items()}
    for tensor in layout.tensors:
        assert data[tensor.begin : tensor.begin + tensor.nbytes] == arrays[tensor.name].tobytes()


@given(ARRAYS)
def test_the_reference_library_understands_what_we_write(entries):
    from safetensors.numpy import load

    arrays = {name: np.ones(shape, "float32") for name, (shape, _) in entries.items()}
    header = write_header(((n, "F32", a.shape, a.nbytes) for n, a in arrays.items()), {"format": "pt"})
    assert len(header) % 8 == 0
    read = load(header + b"".join(array.tobytes() for array in arrays.values()))
    assert {name: array.shape for name, array in read.items()} == {name: array.shape for name, array in arrays.items()}


def tensor(begin: int, end: int, shape: object = None, dtype: object = "U8") -> dict[str, object]:
    return {"dtype": dtype, "shape": [end - begin] if shape is None else shape, "data_offsets": [begin, end]}


ABUSES = {
    "too short": b"\x00" * 9,
    "a header longer than the file": file_of({}, length=1000),
    "a header of 2^63 bytes": file_of({}, length=1 << 63),
    "a header beyond the limit": file_of(b"{" + b" " * safetensors.MAX_HEADER_BYTES + b"}"),
    "an overlap": file_of({"a": tensor(0, 8), "b": tensor(4, 12)}, 12),
    "the same bytes twice": file_of({"a": tensor(0, 8), "b": tensor(0, 8)}, 8),
    "a gap": file_of({"a": tensor(0, 4), "b": tensor(8, 12)}, 12),
    "bytes at the front that belong to nobody": file_of({"a": tensor(4, 8)}, 8),
    "bytes after the end": file_of({"a": tensor(0, 4)}, 5),
    "bytes that are missing": file_of({"a": tensor(0, 4)}, 3),
    "offsets beyond the file": file_of({"a": tensor(0, 1 << 50)}, 4),
    "offsets the wrong way round": file_of({"a": {"dtype": "U8", "shape": [0], "data_offsets": [4, 0]}}, 4),
    "a negative offset": file_of({"a": {"dtype": "U8", "shape": [4], "data_offsets": [-4, 0]}}, 4),
    "a shape that does not fit": file_of({"a": tensor(0, 4, [5])}, 4),
    "a shape that overflows": file_of({"a": tensor(0, 0, [1 << 62, 1 << 62])}),
    "a negative shape": file_of({"a": tensor(0, 4, [-2, -2])}, 4),
    "a shape of booleans": file_of({"a": tensor(0, 1, [True])}, 1),
    "a shape of floats": file_of({"a": tensor(0, 4, [4.0])}, 4),
    "a shape that is a number": file_of({"a": tensor(0, 4, 4)}, 4),
    "an unknown type": file_of({"a": tensor(0, 4, [4], "Q8")}, 4),
    "a type that is a list": file_of({"a": tensor(0, 4, [4], ["U8"])}, 4),
    "a fourth field": file_of({"a": tensor(0, 4) | {"x": 1}}, 4),
    "a missing field": file_of({"a": {"dtype": "U8", "shape": [4]}}, 4),
    "a tensor that is a list": file_of({"a": [1, 2]}, 4),
    "three offsets": file_of({"a": {"dtype": "U8", "shape": [4], "data_offsets": [0, 4, 4]}}, 4),
    "a name twice": file_of(b'{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},'
                            b'"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}', 1),
    "a field twice": file_of(b'{"a":{"dtype":"U8","dtype":"U8","shape":[1],"data_offsets":[0,1]}}', 1),
    "metadata that is no text": file_of({"__metadata__": {"a": 1}}),
    "metadata that is a list": file_of({"__metadata__": []}),
    "a list": file_of(b"[]"),
    "a space before the header": file_of(b" {}"),
    "no JSON": file_of(b"{nonsense}"),
    "not UTF-8": file_of(b'{"\xff":1}'),
    "NaN": file_of(b'{"a":NaN}'),
    "a number of 10,000 digits": file_of(b'{"a":' + b"9" * 10_000 + b"}", 1),
    "nesting without end": file_of(b'{"a":' + b"[" * 100_000),
}  # fmt: skip


@pytest.mark.parametrize("name", ABUSES)
def test_an_abused_header_is_refused(name):
    with pytest.raises(GuardError) as error:
        layout_of(ABUSES[name])
    assert error.value.code == "checkpoint.damaged"


@given(st.binary(max_size=200))
def test_rubbish_is_refused(data):
    with pytest.raises(GuardError):
        layout_of(file_of(b"{" + data, 3))
