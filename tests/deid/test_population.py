"""Estimates of population uniqueness solve the equations they name, and come near the truth where it is known."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction
from math import comb

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats

from guardapp.deid.population import (
    Sample,
    pitman,
    pitman_parameters,
    population_uniqueness,
    snb,
    snb_parameters,
    zayatz,
)


def sample_of(sizes: list[int] | NDArray[np.int64], people: int) -> Sample:
    size, number = np.unique(np.array(sizes, np.int64), return_counts=True)
    return Sample(size, number.astype(np.int64), people)


def of_process(alpha: float, theta: float, people: int, rows: int) -> tuple[Sample, float]:
    """A sample of a population by Pitman's process, and the true uniqueness: the first rows are a random sample."""
    chance = np.random.default_rng(11)
    group: list[int] = []
    sizes: list[int] = []
    for person in range(people):
        if chance.random() < (theta + alpha * len(sizes)) / (theta + person):
            sizes.append(1)
            group.append(len(sizes) - 1)
            continue
        # an earlier person's group, thinned so that a group is met with weight size - alpha
        while True:
            met = group[int(chance.integers(person))]
            if chance.random() < (sizes[met] - alpha) / sizes[met]:
                break
        sizes[met] += 1
        group.append(met)
    drawn = list(Counter(group[:rows]).values())
    return sample_of(drawn, people), sum(size == 1 for size in sizes) / people


@settings(max_examples=50, deadline=None)
@given(sizes=st.lists(st.integers(1, 5), min_size=1, max_size=8), more=st.integers(0, 30))
def test_zayatz_is_bayes_with_hypergeometric_sampling(sizes: list[int], more: int) -> None:
    n = sum(sizes)
    people = n + more
    chance = {j: Fraction(j * comb(people - j, n - 1), comb(people, n)) for j in set(sizes)}
    total = sum(chance[j] for j in sizes)
    alone = sizes.count(1)
    expected = Fraction(alone, n) * (alone * chance.get(1, Fraction(0)) / total) if alone and total else Fraction(0)
    assert population_uniqueness(np.array(sizes), people, "zayatz") == pytest.approx(float(expected), abs=1e-9)


def test_a_census_is_counted_and_not_estimated() -> None:
    for estimator in ("dankar", "zayatz", "pitman", "snb"):
        assert population_uniqueness(np.array([1, 1, 3]), 5, estimator) == pytest.approx(0.4)  # type: ignore[arg-type]
        assert population_uniqueness(np.array([2, 3]), 5000, estimator) == 0  # type: ignore[arg-type]


def test_the_parameters_of_pitman_solve_hoshinos_equations() -> None:
    sample, _ = of_process(0.4, 60.0, 4000, 800)
    alpha, theta = pitman_parameters(sample)
    n, u = sample.rows, sample.groups
    by_theta = sum(1 / (theta + i * alpha) for i in range(1, u)) - sum(1 / (theta + i) for i in range(1, n))
    by_alpha = sum(i / (theta + i * alpha) for i in range(1, u)) - sum(
        f * sum(1 / (i - alpha) for i in range(1, j)) for j, f in zip(sample.size, sample.number, strict=True)
    )
    assert abs(by_theta) < 1e-4
    assert abs(by_alpha) < 1e-1
    # the equations do not hold by chance: a step away they are missed by far more
    assert (
        abs(sum(1 / (1.05 * theta + i * alpha) for i in range(1, u)) - sum(1 / (1.05 * theta + i) for i in range(1, n)))
        > 1e-2
    )


def test_pitman_finds_the_uniqueness_of_a_population_of_its_kind() -> None:
    for alpha, theta in ((0.3, 100.0), (0.7, 20.0)):
        sample, truth = of_process(alpha, theta, 20_000, 1000)
        assert pitman(sample) == pytest.approx(truth, rel=0.3)


def test_the_parameters_of_the_negative_binomial_have_the_moments_of_the_sample() -> None:
    chance = np.random.default_rng(5)
    population = 1 + chance.negative_binomial(0.8, 0.3, 5000)
    drawn = chance.binomial(population, 0.3)
    people = int(population.sum())
    sample = sample_of(drawn[drawn > 0], people)
    groups, a, b = snb_parameters(sample)
    size = np.arange(1, 400)
    share = groups * stats.nbinom.pmf(size - 1, a, 1 - b)
    pi = sample.rows / people
    assert (share * size).sum() == pytest.approx(people, rel=1e-6)
    assert (share * (1 - stats.binom.pmf(0, size, pi))).sum() == pytest.approx(sample.groups, rel=1e-6)
    assert (share * stats.binom.pmf(1, size, pi)).sum() == pytest.approx(sample.uniques, rel=1e-6)
    assert snb(sample) == pytest.approx((population == 1).sum() / people, rel=0.15)
    assert population_uniqueness(drawn[drawn > 0], people, "dankar") == min(snb(sample), zayatz(sample))


def test_where_an_estimator_has_no_answer_it_says_so_and_the_choice_has_another() -> None:
    alone = np.ones(50, np.int64)
    with pytest.raises(ArithmeticError):
        population_uniqueness(alone, 10_000, "pitman")
    assert 0 < population_uniqueness(alone, 10_000, "dankar") <= 1


@settings(max_examples=40, deadline=None)
@given(sizes=st.lists(st.integers(1, 30), min_size=1, max_size=60), factor=st.integers(1, 1000))
def test_whatever_the_sample_the_choice_is_a_share(sizes: list[int], factor: int) -> None:
    estimate = population_uniqueness(np.array(sizes), sum(sizes) * factor, "dankar")
    assert 0 <= estimate <= 1
