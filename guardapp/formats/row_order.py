"""Rows in a secret random order, in memory that does not grow with the table.

The order of rows can tell who is who to someone who has seen the original list, for instance in order of admission.
Every row is dealt to a random one of many files, and each file is then shuffled in memory: the result is a uniformly
random permutation (Rao 1961, Sandelius 1962). Randomness is the operating system's and is not kept.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Generator, Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pyarrow as pa

ROWS_IN_MEMORY = 1 << 16
MOST_FILES = 256


def shuffled(
    batches: Iterable[pa.RecordBatch],
    schema: pa.Schema,
    rows: int,
    folder: Path,
    checkpoint: Callable[[], None] = lambda: None,
) -> Generator[pa.RecordBatch]:
    """The rows of `batches` in random order.

    rows:   about how many there are
    folder: a new one for the parts, removed at the end or on an error
    """
    import pyarrow as pa

    files = 1
    while files < MOST_FILES and rows > files * ROWS_IN_MEMORY:
        files *= 2
    folder.mkdir()
    try:
        paths = [folder / f"{number}.arrow" for number in range(files)]
        with ExitStack() as stack:
            writers = [stack.enter_context(pa.ipc.new_stream(str(path), schema)) for path in paths]
            for batch in batches:
                # a power of two divides the range of the random numbers, so that no file is preferred
                dealt = _random(batch.num_rows) % np.uint64(files)
                for number in range(files):
                    chosen = np.flatnonzero(dealt == number)
                    if len(chosen):
                        writers[number].write_batch(batch.take(pa.array(chosen)))
        for path in paths:
            checkpoint()
            with pa.ipc.open_stream(str(path)) as reader:
                part = reader.read_all()
            path.unlink()
            order = np.argsort(_random(part.num_rows), kind="stable")
            yield from part.take(pa.array(order)).combine_chunks().to_batches(max_chunksize=ROWS_IN_MEMORY)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _random(count: int) -> NDArray[np.uint64]:
    return np.frombuffer(os.urandom(8 * count), np.uint64)
