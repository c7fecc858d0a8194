"""Values that change places stay in their column, within what was promised."""

from __future__ import annotations

import secrets

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from guardapp.deid.rules.chance import Chance
from guardapp.deid.rules.exchange import pairs_to_swap, randomised, rank_swapped
from guardapp.deid.rules.microaggregation import groups, means
from guardapp.progress import Progress


def _chance() -> Chance:
    return Chance(secrets.token_bytes(32), "test")


@settings(deadline=None)
@given(st.integers(2, 300), st.floats(0.01, 1))
def test_ranks_are_swapped_in_pairs_and_not_farther_than_allowed(rows: int, within: float) -> None:
    # all values differ, so that a code is its own rank
    codes = np.random.default_rng().permutation(rows).astype(np.int32)
    new = rank_swapped(codes, np.arange(rows), np.arange(rows), within, _chance())
    assert sorted(new) == sorted(codes)
    assert abs(new.astype(int) - codes).max() <= max(int(within * rows), 1)
    partner = dict(zip(codes.tolist(), new.tolist(), strict=True))
    assert all(partner[partner[one]] == one for one in partner)


def test_swapped_ranks_leave_missing_cells_alone() -> None:
    codes = np.array([0, 1, 2, 0, 3, 4], np.int32)
    new = rank_swapped(codes, np.flatnonzero(codes), np.array([-1, 0, 1, 2, 3]), 1.0, _chance())
    assert new[[0, 3]].tolist() == [0, 0]
    assert sorted(new) == sorted(codes)


def test_randomised_columns_keep_their_distribution_in_expectation() -> None:
    codes = np.repeat(np.arange(4, dtype=np.int32), [70_000, 20_000, 9_000, 1_000])
    present = np.flatnonzero(codes < 3)
    new = randomised(codes, present, 0.6, _chance())
    assert (new[codes == 3] == 3).all()
    assert np.abs(np.bincount(new) - [70_000, 20_000, 9_000, 1_000]).max() < 1200
    # a cell stays with p + (1-p)π
    expected = [0.6 + 0.4 * share / 99 for share in (70, 20, 9)]
    assert np.allclose([(new[codes == code] == code).mean() for code in range(3)], expected, atol=0.03)


@settings(deadline=None)
@given(st.integers(2, 400), st.integers(1, 5), st.floats(0.01, 1))
def test_swapped_records_agree_where_they_must_and_each_moves_once(rows: int, classes: int, share: float) -> None:
    luck = np.random.default_rng()
    column, agree = luck.integers(0, 6, rows).astype(np.int32), luck.integers(0, classes, rows).astype(np.int32)
    pairs = pairs_to_swap([column], [agree], share, _chance())
    assert len(np.unique(pairs)) == pairs.size <= share * rows + 1
    assert (agree[pairs[:, 0]] == agree[pairs[:, 1]]).all()
    assert (column[pairs[:, 0]] != column[pairs[:, 1]]).all()


@settings(deadline=None, max_examples=40)
@given(st.integers(2, 7), st.integers(0, 300), st.integers(1, 3))
def test_every_group_of_means_is_large_enough_and_sums_stay(size: int, more: int, width: int) -> None:
    points = np.random.default_rng(more).normal(size=(size + more, width))
    label = groups(points, size, Progress())
    count = np.bincount(label)
    assert size <= count.min() and count.max() < 2 * size
    assert np.allclose(means(points, label)[label].sum(axis=0), points.sum(axis=0))


def test_large_tables_are_cut_into_blocks_and_lose_little() -> None:
    points = np.random.default_rng(1).normal(size=(10_000, 2))
    label = groups(points, 5, Progress())
    assert np.bincount(label).min() >= 5
    lost = ((points - means(points, label)[label]) ** 2).sum() / ((points - points.mean(axis=0)) ** 2).sum()
    assert lost < 0.01


def test_groups_are_those_of_mdav_worked_by_hand() -> None:
    # (30, 30) is the farthest from the mean and takes the two next to it; what is left is one group
    points = np.array([[0, 0], [0, 1], [1, 0], [10, 10], [10, 11], [11, 10], [30, 30]], float)
    label = groups(points, 3, Progress())
    assert [set(np.flatnonzero(label == group)) for group in (label[6], label[0])] == [{4, 5, 6}, {0, 1, 2, 3}]
