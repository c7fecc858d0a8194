"""Classes are the groups of equal rows, however wide the table; a table taken apart is cut into the same boxes."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from guardapp.deid import cutting, mondrian
from guardapp.deid.axes import Flat, Line
from guardapp.deid.classes import class_sizes, classes, sorted_order
from guardapp.deid.guarantees import Secret
from guardapp.deid.policy import DistinctLDiversity

CODES = st.integers(0, 3) | st.integers(0, 2**31 - 2)


@given(st.lists(st.lists(CODES, min_size=3, max_size=3), min_size=1, max_size=60))
def test_classes_are_the_groups_of_equal_rows(rows: list[list[int]]) -> None:
    columns = [np.array(column, np.int32) for column in zip(*rows, strict=True)]
    found = classes(columns)
    counted = Counter(map(tuple, rows))
    assert sorted(found.size.tolist()) == sorted(counted.values())
    assert class_sizes(columns).tolist() == found.size.tolist()
    for label, row in zip(found.label, rows, strict=True):
        assert rows[found.first[label]] == row
        assert found.size[label] == counted[tuple(row)]
        assert found.first[label] == min(at for at, other in enumerate(rows) if other == row)


@pytest.mark.parametrize("below", [10, 1 << 40, 1 << 61])
def test_the_order_sorts(below: int) -> None:
    keys = np.random.default_rng(1).integers(0, below, 500)
    assert (np.diff(keys[sorted_order(keys, below)]) >= 0).all()


def boxes(rows: int, k: int, diverse: bool) -> NDArray[np.int64]:
    luck = np.random.default_rng(rows)
    columns = [luck.integers(0, count, rows).astype(np.int32) for count in (3, 40, 700)]
    axes = [
        Flat(list("abc"), missing=False),
        *(Line([str(i) for i in range(n)], np.arange(n, dtype=float), missing=False) for n in (40, 700)),
    ]
    values = luck.integers(0, 4, rows).astype(np.int32)
    asked = Secret(values, np.full(3, 1 / 3), [DistinctLDiversity(name="distinct-l-diversity", l=2, column="x")])
    return mondrian.partition(columns, axes, np.ones(rows, np.int64), k, [asked] if diverse else []).box


@pytest.mark.parametrize("diverse", [False, True])
@pytest.mark.parametrize("sparse", [0, 100])
def test_a_table_taken_apart_is_cut_into_the_same_boxes(
    diverse: bool, sparse: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = boxes(3000, 4, diverse)
    monkeypatch.setattr(mondrian, "TOGETHER", 100)
    monkeypatch.setattr(cutting, "_SPARSE", sparse)
    apart = boxes(3000, 4, diverse)
    assert len(set(zip(whole.tolist(), apart.tolist(), strict=True))) == len(set(whole.tolist())) == apart.max() + 1


def test_a_small_box_is_cut_so_that_no_group_is_wasted() -> None:
    # 38 rows in a line hold three groups of ten: cut in halves, they would make two
    line = Line([str(i) for i in range(38)], np.arange(38, dtype=float), missing=False)
    found = mondrian.partition([np.arange(38, dtype=np.int32)], [line], np.ones(38, np.int64), 10).box
    assert sorted(Counter(found.tolist()).values()) == [10, 10, 18]
