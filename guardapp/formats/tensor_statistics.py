"""What the numbers of one tensor are like: range, mean, spread, how many are zero or no number, and a histogram.

The tensor is read twice in pieces of 4 MiB, so that one of any size can be looked at.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, NamedTuple

from guardapp.formats.safetensors import TensorInfo

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

BINS = 48
_PIECE = 4 << 20
_NUMPY = {
    "BOOL": "uint8", "U8": "uint8", "I8": "int8", "U16": "<u2", "I16": "<i2", "U32": "<u4", "I32": "<i4", "U64": "<u8",
    "I64": "<i8", "F16": "<f2", "F32": "<f4", "F64": "<f8", "BF16": "<u2",
}  # fmt: skip
"""BF16 is the upper half of a float32."""

ReadInto = Callable[[memoryview, int], None]
"""Fill a view with the bytes of the file from an offset on."""


class Statistics(NamedTuple):
    """Of the finite numbers, but for the counts.

    numbers:   all of them; zeros: those that are 0; nans, infinite: those that are no finite number
    mean, std: in float64; std of the population. None, as low and high, where no number is finite
    bins:      how many fall into each of BINS equal parts of low … high; empty where no number is finite
    """

    numbers: int
    zeros: int
    nans: int
    infinite: int
    low: float | None
    high: float | None
    mean: float | None
    std: float | None
    bins: list[int]


def statistics(tensor: TensorInfo, read_into: ReadInto) -> Statistics | None:
    """None for a type whose numbers are not read here: the 8-bit floats and complex numbers."""
    import numpy as np

    if tensor.dtype not in _NUMPY:
        return None
    count = zeros = nans = infinite = finite = 0
    low, high, mean, squares = math.inf, -math.inf, 0.0, 0.0
    for values in _pieces(tensor, read_into):
        count += len(values)
        zeros += int((values == 0).sum())
        nans += int(np.isnan(values).sum())
        infinite += int(np.isinf(values).sum())
        good = values[np.isfinite(values)]
        if len(good):
            low, high = min(low, float(good.min())), max(high, float(good.max()))
            # Chan, Golub & LeVeque 1979: means and sums of squares of parts, joined without losing digits
            with np.errstate(over="ignore", invalid="ignore"):
                part, spread = float(good.mean()), float(((good - good.mean()) ** 2).sum())
            step = part - mean
            total = finite + len(good)
            mean += step * len(good) / total
            squares += spread + step * step * finite * len(good) / total
            finite = total
    if not finite:
        return Statistics(count, zeros, nans, infinite, None, None, None, None, [])
    std = math.sqrt(squares / finite)
    mean_, std_ = (value if math.isfinite(value) else None for value in (mean, std))
    return Statistics(count, zeros, nans, infinite, low, high, mean_, std_, _histogram(tensor, read_into, low, high))


def _histogram(tensor: TensorInfo, read_into: ReadInto, low: float, high: float) -> list[int]:
    import numpy as np

    bins = np.zeros(BINS, np.int64)
    # halves, because high - low of the largest numbers is no number
    width = high / 2 - low / 2
    for values in _pieces(tensor, read_into):
        good = values[np.isfinite(values)]
        place = (good / 2 - low / 2) / width if width else np.zeros(len(good))
        bins += np.bincount(np.minimum((place * BINS).astype(np.int64), BINS - 1), minlength=BINS)
    return bins.tolist()


def _pieces(tensor: TensorInfo, read_into: ReadInto) -> Iterator[NDArray[np.float64]]:
    import numpy as np

    buffer = memoryview(bytearray(min(_PIECE, tensor.nbytes)))
    for at in range(tensor.begin, tensor.begin + tensor.nbytes, _PIECE):
        piece = buffer[: min(_PIECE, tensor.begin + tensor.nbytes - at)]
        read_into(piece, at)
        values = np.frombuffer(piece, _NUMPY[tensor.dtype])
        if tensor.dtype == "BF16":
            values = (values.astype(np.uint32) << 16).view(np.float32)
        yield values.astype(np.float64)
