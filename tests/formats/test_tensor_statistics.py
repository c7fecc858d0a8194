"""The statistics of a tensor are those of its numbers, whatever its type, size and strange values."""

from __future__ import annotations

import json
import math
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import save

from guardapp.formats import tensor_statistics
from guardapp.formats.safetensors import TensorInfo
from guardapp.formats.tensor_statistics import BINS, Statistics, statistics


def of(values: np.ndarray, dtype: str = "", raw: bytes | None = None) -> Statistics | None:
    data = save({"t": values}) if raw is None else raw
    length = struct.unpack("<Q", data[:8])[0]
    entry = json.loads(data[8 : 8 + length])["t"]
    begin = 8 + length
    info = TensorInfo(
        name="t", dtype=dtype or entry["dtype"], shape=tuple(entry["shape"]), begin=begin, nbytes=len(data) - begin
    )

    def read_into(view: memoryview, offset: int) -> None:
        view[:] = data[offset : offset + len(view)]

    return statistics(info, read_into)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.floats(-1e6, 1e6, width=32), min_size=1, max_size=50))
def test_they_agree_with_plain_arithmetic_however_the_tensor_is_cut(numbers: list[float]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tensor_statistics, "_PIECE", 12)
        found = of(np.array(numbers, np.float32))
    assert found is not None
    mean = math.fsum(numbers) / len(numbers)
    assert (found.numbers, found.low, found.high) == (len(numbers), min(numbers), max(numbers))
    assert found.zeros == numbers.count(0)
    assert found.mean == pytest.approx(mean, abs=1e-6)
    spread = math.sqrt(math.fsum((one - mean) ** 2 for one in numbers) / len(numbers))
    assert found.std == pytest.approx(spread, rel=1e-6, abs=1e-6)
    assert (len(found.bins), sum(found.bins)) == (BINS, len(numbers))


def test_what_is_no_number_is_counted_and_left_out() -> None:
    found = of(np.array([1.0, math.nan, math.inf, -math.inf, 3.0, 0.0]))
    assert found is not None
    assert found[:6] == (6, 1, 1, 2, 0.0, 3.0)
    assert found.bins[0] == found.bins[16] == found.bins[-1] == 1
    assert of(np.array([math.nan, math.nan])) == Statistics(2, 0, 2, 0, None, None, None, None, [])
    assert of(np.zeros((0, 3))) == Statistics(0, 0, 0, 0, None, None, None, None, [])


def test_the_largest_numbers_do_no_harm() -> None:
    largest = np.finfo(np.float64).max
    found = of(np.array([-largest, largest, 0.0]))
    assert found is not None
    assert (found.low, found.high, sum(found.bins)) == (-largest, largest, 3)


@pytest.mark.parametrize("dtype", ["bool", "uint8", "int8", "int64", "float16", "float64"])
def test_every_plain_type_is_read(dtype: str) -> None:
    found = of(np.array([0, 1, 1, 0], dtype))
    assert found is not None
    assert (found.low, found.high, found.mean, found.zeros) == (0, 1, 0.5, 2)


def test_bfloat16_is_the_upper_half_of_a_float() -> None:
    upper = (np.array([1.5, -2.0], np.float32).view(np.uint32) >> 16).astype(np.uint16)
    found = of(upper, "BF16")
    assert found is not None
    assert (found.low, found.high) == (-2.0, 1.5)


def test_other_types_are_not_guessed_at() -> None:
    assert of(np.zeros(4, np.uint8), "F8_E4M3") is None
