"""Microaggregation: rows in small groups of similar numbers, every number the mean of its group.

MDAV (Domingo-Ferrer & Mateo-Sanz 2002; Domingo-Ferrer & Torra 2005) on standardised columns: groups of `size` are taken
around the rows farthest from the mean. Its time grows with the square of the rows, so blocks of more than 1,024 are
first halved at the median of their widest column. One column by itself is sorted and cut into runs of `size`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from guardapp.progress import Progress

BLOCK = 1024
Points = NDArray[np.float64]
Labels = NDArray[np.int64]


def groups(points: Points, size: int, progress: Progress) -> Labels:
    """The group of each row of `points`, (rows, columns); every group has at least `size` rows, as there must be."""
    rows, width = points.shape
    if rows < size:
        raise ValueError("fewer rows than a group needs")
    label = np.empty(rows, np.int64)
    if width == 1:
        run = np.minimum(np.arange(rows) // size, rows // size - 1)
        label[np.argsort(points[:, 0], kind="stable")] = run
        return label
    spread = points.std(axis=0)
    scaled = (points - points.mean(axis=0)) / np.where(spread > 0, spread, 1.0)
    waiting, made = [np.arange(rows)], 0
    while waiting:
        block = waiting.pop()
        if len(block) > max(BLOCK, 4 * size):
            widest = int(np.ptp(scaled[block], axis=0).argmax())
            halves = np.argpartition(scaled[block, widest], len(block) // 2)
            waiting += [block[halves[: len(block) // 2]], block[halves[len(block) // 2 :]]]
            continue
        found = _mdav(scaled[block], size, progress)
        label[block] = found + made
        made += int(found.max()) + 1
    return label


def _mdav(points: Points, size: int, progress: Progress) -> Labels:
    label = np.empty(len(points), np.int64)
    left = np.arange(len(points))
    made = 0

    def take(around: Points) -> None:
        nonlocal left, made
        nearest = np.argpartition(_distances(points[left], around), size - 1)[:size]
        label[left[nearest]] = made
        left, made = np.delete(left, nearest), made + 1

    while len(left) >= 3 * size:
        progress.checkpoint()
        far = points[left[_distances(points[left], points[left].mean(axis=0)).argmax()]]
        take(far)
        take(points[left[_distances(points[left], far).argmax()]])
    if len(left) >= 2 * size:
        take(points[left[_distances(points[left], points[left].mean(axis=0)).argmax()]])
    label[left] = made
    return label


def _distances(points: Points, place: Points) -> Points:
    difference = points - place
    found: Points = np.einsum("ij,ij->i", difference, difference)
    return found


def means(values: Points, label: Labels) -> Points:
    """The mean of every group, (groups, columns)."""
    size = np.bincount(label)
    return np.column_stack([np.bincount(label, column) / size for column in values.T])
