"""Faults in the cells of rows do to a known model what arithmetic says."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from guardapp.formats.datasets import Dataset
from guardapp.formats.encoding import TableSchema, encode_columns
from guardapp.robust.constrained import Table
from guardapp.robust.natural import faults, shuffled, subgroups
from guardapp.robust.victim import Victim


def known() -> tuple[Table, nn.Module, torch.Tensor]:
    """200 rows; the label is v > 20, the model says so exactly; the city tells nothing."""
    random = np.random.default_rng(0)
    values = random.integers(1, 50, 200)
    cells = {"v": [str(v) for v in values], "city": [["a", "b"][c] for c in random.integers(0, 2, 200)]}
    schema = TableSchema.model_validate(
        {
            "columns": {
                "v": {"type": "number", "low": 0, "high": 100},
                "city": {"type": "category", "values": ["a", "b"]},
                "y": {"type": "category", "values": ["no", "yes"], "other": False},
            }
        }
    )
    x, names, groups = encode_columns(schema.inputs("y"), cells)
    y = (values > 20).astype(np.int64)
    digests = np.zeros((200, 32), np.uint8)
    data = Dataset(x, y, ("no", "yes"), "table", "", digests, np.arange(200), tuple(names), groups, schema)
    model = nn.Linear(x.shape[1], 2)
    with torch.no_grad():
        model.weight.zero_()
        model.weight[1, 0] = 100.0
        model.bias.copy_(torch.tensor([0.0, -20.5]))
    return Table(data, "y", cells), model, torch.from_numpy(y)


def test_a_wrong_unit_fools_a_threshold_as_arithmetic_says() -> None:
    table, model, y = known()
    found = {(one.kind, one.level): one.right.value for one in faults(Victim(model, 2), table, y, 0)}
    values = table.origin.numbers[:, 0]
    # ten times a value above 2 is above the threshold, and what was above stays above
    assert found["unit", 10.0] == pytest.approx(np.mean((values > 20) | (values * 10 <= 20)))
    assert found["unit", 1000.0] == pytest.approx(np.mean(values > 20))


def test_a_category_that_tells_nothing_may_be_swapped_and_shuffled() -> None:
    table, model, y = known()
    assert {one.right.value for one in faults(Victim(model, 2), table, y, 0) if one.kind == "swap"} == {1.0}
    parts = {part.name: part.right.value for part in shuffled(Victim(model, 2), table, y, 0)}
    assert parts["city"] == 1.0 and parts["v"] < 0.7


def test_subgroups_are_counted_by_hand_and_small_ones_left_out() -> None:
    table, model, y = known()
    with torch.no_grad():
        model.bias[1] = -30.5  # wrong from 21 to 30 now
    values = table.origin.numbers[:, 0]
    right = (values > 30) == (values > 20)
    found = {part.name: part.right for part in subgroups(Victim(model, 2), table, y)}
    in_a = np.array([cell == "a" for cell in table.cells["city"]])
    assert found["city = a"].right == int(right[in_a].sum()) and found["city = a"].total == int(in_a.sum())
    assert all(part.total >= 30 for part in found.values())
    assert list(found.values()) == sorted(found.values(), key=lambda part: part.value)
