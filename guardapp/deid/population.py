"""How many people of the population are alone in their group, estimated from a sample alone.

A row that is unique in a sample may have doubles among the people who were not sampled; only one who is unique in the
population can be recognised for certain. With n rows out of N people, pi = n/N, u groups in the sample and f_j groups
of j rows:

- zayatz: groups of the population are taken to be as large as those of the sample are; the chance that a unique row is
  unique in the population follows by Bayes with hypergeometric sampling (Zayatz, "Estimation of the percent of unique
  population elements on a microdata file using the sample", US Census Bureau 1991)
- pitman: the sample is drawn by Pitman's sampling formula; its two parameters by maximum likelihood, then the expected
  number of uniques among N (Hoshino, "Applying Pitman's sampling formula to microdata disclosure risk assessment",
  Journal of Official Statistics 17(4), 2001)
- snb: sizes of groups less one are negative binomial and rows are sampled one by one with probability pi; the three
  parameters by the moments N, u and f_1 (Chen & McNulty 1998, shifted negative binomial)
- dankar: pitman up to pi = 0.1; above, the smaller of zayatz and snb where snb has a solution (Dankar et al.,
  "Estimating the re-identification risk of clinical data sets", BMC Medical Informatics and Decision Making 12:66,
  2012)

All are shares of the population, 0 … 1. They are estimates: models of the data, not bounds.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from guardapp.deid.risk_options import Estimator

Sizes = NDArray[np.int64]
Floats = NDArray[np.float64]

SMALL_FRACTION = 0.1


class Sample(NamedTuple):
    """Groups of a sample by size: (m,) sizes j, ascending, and (m,) their numbers f_j."""

    size: Sizes
    number: Sizes
    people: int

    @property
    def rows(self) -> int:
        return int((self.size * self.number).sum())

    @property
    def groups(self) -> int:
        return int(self.number.sum())

    @property
    def uniques(self) -> int:
        return int(self.number[self.size == 1].sum())


def population_uniqueness(sizes: Sizes, people: int, estimator: Estimator) -> float:
    """The estimated share of `people` who are alone in their group.

    sizes: rows in each group of the sample; a population smaller than the sample is taken to be the sample
    ArithmeticError where the estimator named has no solution for this sample; `dankar` always has one
    """
    size, number = np.unique(sizes, return_counts=True)
    rows = int(sizes.sum())
    sample = Sample(size.astype(np.int64), number.astype(np.int64), max(people, rows))
    if sample.uniques == 0:
        return 0.0
    if sample.people == rows:
        return sample.uniques / rows
    if estimator == "dankar":
        return _dankar(sample)
    return {"zayatz": zayatz, "pitman": pitman, "snb": snb}[estimator](sample)


def _dankar(sample: Sample) -> float:
    by_zayatz = zayatz(sample)
    try:
        if sample.rows / sample.people <= SMALL_FRACTION:
            return pitman(sample)
        return min(by_zayatz, snb(sample))
    except ArithmeticError:
        return by_zayatz


def zayatz(sample: Sample) -> float:
    """f_1 P / n, where P is the chance that a row that is unique in the sample is so in the population."""
    from scipy.special import gammaln

    n, people = sample.rows, sample.people
    j = sample.size.astype(np.float64)

    def log_choose(top: Floats | float, below: float) -> Floats:
        return np.asarray(gammaln(np.add(top, 1)) - gammaln(below + 1) - gammaln(np.subtract(top, below) + 1))

    with np.errstate(invalid="ignore", divide="ignore"):
        # j ways to be the one that is drawn of a group of j
        chance = j * np.exp(log_choose(people - j, n - 1) - log_choose(float(people), n))
    chance = np.where(people - j >= n - 1, chance, 0.0)
    weight = sample.number * chance
    alone = float(weight[sample.size == 1].sum() / weight.sum())
    return min(sample.uniques * alone / n, 1.0)


def pitman(sample: Sample) -> float:
    """N^(alpha-1) Gamma(theta+1) / Gamma(theta+alpha), with theta and alpha most likely for the sample."""
    from scipy.special import gammaln

    alpha, theta = pitman_parameters(sample)
    log_uniques = gammaln(theta + 1) - gammaln(theta + alpha) + alpha * math.log(sample.people)
    return min(math.exp(float(log_uniques)) / sample.people, 1.0)


def pitman_parameters(sample: Sample) -> tuple[float, float]:
    """alpha, 0 … 1, and theta > 0 of Pitman's sampling formula. ArithmeticError if every row is unique."""
    from scipy.optimize import minimize
    from scipy.special import gammaln, logit

    n, u = sample.rows, sample.groups
    j = sample.size.astype(np.float64)
    if u == n:
        raise ArithmeticError("every row is unique: the likelihood has no maximum")

    def loss(point: Floats) -> float:
        alpha, theta = _inside(point)
        grown = (u - 1) * math.log(alpha) + gammaln(theta / alpha + u) - gammaln(theta / alpha + 1)
        drawn = gammaln(theta + n) - gammaln(theta + 1)
        inside = (sample.number * (gammaln(j - alpha) - gammaln(1 - alpha))).sum()
        return float(drawn - grown - inside) / n

    found = [
        minimize(
            loss,
            np.array([logit(alpha), math.log(max(u / 2, 1.0))]),
            method="Nelder-Mead",
            options={"xatol": 1e-8, "fatol": 1e-14, "maxiter": 4000},
        )
        for alpha in (0.1, 0.5, 0.9)
    ]
    best = min(found, key=lambda one: float(one.fun))
    return _inside(best.x)


def _inside(point: Floats) -> tuple[float, float]:
    """alpha and theta of a point of the search, kept from where float64 knows no logarithm of them."""
    from scipy.special import expit

    return float(np.clip(expit(point[0]), 1e-9, 1 - 1e-9)), float(np.exp(np.clip(point[1], -30.0, 40.0)))


def snb(sample: Sample) -> float:
    """K (1-b)^a / N, where K groups with a and b have N people, u groups in the sample, and f_1 of one row."""
    groups, a, b = snb_parameters(sample)
    alone: float = groups * (1 - b) ** a
    return min(alone / sample.people, 1.0)


def snb_parameters(sample: Sample) -> tuple[float, float, float]:
    """K, a > 0 and b, 0 … 1: a group of the population has 1 + Y people, Y negative binomial with a and 1 - b.

    ArithmeticError where no such population has the moments of the sample.
    """
    from scipy.optimize import brentq

    n, people, u, uniques = sample.rows, sample.people, sample.groups, sample.uniques
    pi = n / people

    def groups_of(a: float, b: float) -> float:
        return people / (1 + a * b / (1 - b))

    def seen(a: float, b: float) -> float:
        unseen: float = (1 - pi) * ((1 - b) / (1 - b * (1 - pi))) ** a
        return groups_of(a, b) * (1 - unseen)

    def once(a: float, b: float) -> float:
        rest = 1 - b * (1 - pi)
        share: float = ((1 - b) / rest) ** a
        return groups_of(a, b) * pi * share * (1 + (1 - pi) * a * b / rest)

    def a_for(b: float) -> float:
        """The a by which u groups are seen: the more the groups hold, the fewer they are."""
        low, high = 1e-9, 1.0
        if seen(low, b) < u:
            raise ArithmeticError("the sample has more groups than any such population")
        while seen(high, b) > u:
            high *= 2
            if high > 1e12:
                raise ArithmeticError("the sample has fewer groups than any such population")
        return float(brentq(lambda a: seen(a, b) - u, low, high, xtol=1e-14, rtol=1e-13))

    def gap(b: float) -> float:
        return once(a_for(b), b) - uniques

    last: tuple[float, float] | None = None
    for b in (1 - np.geomspace(1 - 1e-6, 1e-7, 60)).tolist():
        try:
            here = gap(b)
        except ArithmeticError:
            last = None
            continue
        if last is not None and (last[1] < 0) != (here < 0):
            root = float(brentq(gap, last[0], b, xtol=1e-14, rtol=1e-12))
            a = a_for(root)
            return groups_of(a, root), a, root
        last = b, here
    raise ArithmeticError("no shifted negative binomial has these moments")
