"""The engine's short ways do what plain ones would: ends by bits, losses by tables, keys by blocks, cuts by counts."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from guardapp.deid import lattice_keys, mondrian, pairs
from guardapp.deid.axes import Axis, Calendar, Flat, Line, Tree
from guardapp.deid.coding import Coded, looked_up, narrow
from guardapp.deid.ladders import Ladder
from guardapp.deid.lattice_keys import NodeKeys, numbered, united
from guardapp.deid.pairs import Pairs
from guardapp.deid.spans import Spans


@settings(max_examples=30)
@given(st.lists(st.sampled_from([1, 2, 13, 49, 50, 51, 300]), min_size=1, max_size=6), st.integers(0, 99))
def test_the_ends_of_boxes_are_their_least_and_greatest_values(sizes: list[int], seed: int) -> None:
    luck = np.random.default_rng(seed)
    codes = np.stack([luck.integers(0, size, 40) for size in sizes]).astype(np.uint16)
    order, starts = luck.permutation(40), np.array([0, 1, 17, 30])
    low, high = Spans(codes, np.array(sizes)).of(order, starts)
    for box, rows in enumerate(np.split(order, starts[1:])):
        assert low[:, box].tolist() == codes[:, rows].min(axis=1).tolist()
        assert high[:, box].tolist() == codes[:, rows].max(axis=1).tolist()


def axes() -> list[Axis]:
    """One of each kind, with missing values and without, of 12 values each."""
    texts, places = [str(i) for i in range(12)], np.arange(12.0) ** 2
    tree = [texts, [str(i // 3) for i in range(12)], [str(i // 6) for i in range(12)]]
    days = (372 * 1990 + np.arange(12) * 20 + 1).astype(np.float64)
    return [
        Flat(texts, missing=False),
        Line(texts, places, missing=False),
        Calendar(texts, days, ["month", "year"], missing=False),
        Tree(tree, missing=False),
        Flat(texts[1:], missing=True),
        Line(texts[1:], places[1:], missing=True),
        Tree([level[1:] for level in tree], missing=True),
    ]


@pytest.mark.parametrize("most", [0, 1 << 17])
def test_pairs_say_what_their_axes_say(most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pairs, "MOST_PAIRS", most)
    made = axes()
    low, high = np.triu_indices(12)
    found = Pairs(made)
    loss = found.loss(np.tile(low, (len(made), 1)), np.tile(high, (len(made), 1)))
    for index, axis in enumerate(made):
        assert loss[index].tolist() == axis.loss(low, high).tolist()
        natural = found.preference(np.full(len(low), index), low, high)
        assert natural is not None
        assert natural.tolist() == axis.preference(low, high).tolist()
    assert Pairs(made[:2]).preference(low, low, high) is None


def groups(box: NDArray[np.int32]) -> set[frozenset[int]]:
    return {frozenset(np.flatnonzero(box == number).tolist()) for number in range(int(box.max()) + 1)}


@settings(max_examples=12)
@given(st.integers(0, 9999), st.integers(2, 9), st.booleans(), st.sampled_from([7, 40]))
def test_a_long_table_is_split_where_mondrian_would_cut_it(seed: int, k: int, weighted: bool, most: int) -> None:
    luck = np.random.default_rng(seed)
    # columns that go together, so that the ends of a box come closer on axes along which it was not cut
    first = luck.integers(0, 12, 150)
    columns = [np.clip(first + luck.integers(-2, 3, 150), 0, 11) * luck.integers(0, 2, 150) for _ in axes()]
    weights = luck.integers(1, 4, 150) if weighted else None
    with pytest.MonkeyPatch.context() as patch:
        whole = mondrian.partition(columns, axes(), weights, k)
        patch.setattr(mondrian, "TOGETHER", most)
        patch.setattr(mondrian, "AT_ONCE", 1)
        found = mondrian.partition(columns, axes(), weights, k)
    assert groups(found.box) == groups(whole.box)
    counted = np.ones(150, np.int64) if weights is None else weights
    for number in range(len(found.weight)):
        inside = found.box == number
        assert found.weight[number] == counted[inside].sum() >= k
        assert found.low[:, number].tolist() == [column[inside].min() for column in columns]
        assert found.high[:, number].tolist() == [column[inside].max() for column in columns]


@settings(max_examples=12, deadline=None)
@given(st.integers(0, 9999), st.integers(1, 9), st.sampled_from([7, 40, 1 << 17]))
def test_rows_of_no_weight_widen_boxes_and_fill_none(seed: int, k: int, most: int) -> None:
    luck = np.random.default_rng(seed)
    columns = [luck.integers(0, 12, 150) for _ in axes()]
    weights = luck.integers(0, 3, 150)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mondrian, "TOGETHER", most)
        found = mondrian.partition(columns, axes(), weights, k)
    assert len(found.weight) > 1
    for number in range(len(found.weight)):
        inside = found.box == number
        assert found.weight[number] == weights[inside].sum() >= k
        assert found.low[:, number].tolist() == [column[inside].min() for column in columns]
        assert found.high[:, number].tolist() == [column[inside].max() for column in columns]


@pytest.mark.parametrize("radix", [5, 1000, 1 << 50])
def test_equal_keys_are_united(radix: int) -> None:
    luck = np.random.default_rng(radix)
    key = luck.choice(luck.integers(0, radix, 20), 200)
    weights = luck.integers(1, 9, 200)
    entry, sizes = united(key, radix, weights)
    assert key[entry].tolist() == sorted(set(key.tolist()))
    assert sizes.tolist() == [int(weights[key == value].sum()) for value in key[entry]]
    label, count = numbered(key, radix)
    assert count == len(entry)
    assert (key[entry][label] == key).all()


@pytest.mark.parametrize("kept", [0, 20_000_000])
def test_rows_have_one_key_if_they_are_alike_at_the_levels_of_a_node(
    kept: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lattice_keys, "KEPT_ENTRIES", kept)
    luck = np.random.default_rng(1)
    columns = [luck.integers(0, 6, 100).astype(np.int32) for _ in range(5)]
    steps = np.array([[0, 1, 2, 3, 4, 5], [0, 0, 1, 1, 2, 2], [0] * 6], np.int32)
    ladder = Ladder(steps, [list("abcdef"), list("abc"), ["*"]])
    rows = luck.permutation(100)[:60]
    keys = NodeKeys(columns, [ladder] * 5)
    for node in ((0, 1, 2, 0, 1), (1, 1, 2, 2, 1), (2, 2, 2, 2, 2)):
        key, radix = keys.of(node, rows)
        alike = [
            tuple(int(steps[level][column[row]]) for column, level in zip(columns, node, strict=True)) for row in rows
        ]
        assert len(set(zip(key.tolist(), alike, strict=True))) == len(set(key.tolist())) == len(set(alike))
        assert key.max() < radix


def test_codes_are_looked_up_and_counted_piece_by_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("guardapp.deid.coding.PIECE", 7)
    codes = np.random.default_rng(2).integers(0, 5, 100).astype(np.int32)
    table = np.array([9, 8, 7, 6, 5]).astype(narrow(10))
    assert looked_up(table, codes).tolist() == table[codes].tolist()
    assert looked_up(table, codes).dtype == np.uint8
    counts = Counter(codes.tolist())
    assert Coded(codes, list("abcde")).counts().tolist() == [counts[code] for code in range(5)]
