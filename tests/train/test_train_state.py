"""A run's state is whole or not there, and damage never makes a run cheaper."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from guardapp.train.plan import Plan
from guardapp.train.state import RUN, STATE, Run, Saved, read_run, read_state, write_run, write_state

PLAN = Plan(
    architecture="logistic", examples=10, steps=4, batch=2, clip=1, learning_rate=1, optimizer="sgd", rate=0.2,
    divisor=2, loss_bound=3, ends=[2, 4], noise=1, target=1, delta=1e-5, epsilons=[0.5, 1],
)  # fmt: skip


def test_state_and_run_come_back_as_they_were(tmp_path: Path) -> None:
    run = Run(run="r", dataset="d", spec="s", plan=PLAN)
    write_run(tmp_path, run)
    write_state(tmp_path, Saved({"weight.0": torch.arange(3.0)}, 2, 1, 0, [{"step": 1.0, "epsilon": 0.5}]))
    assert read_run(tmp_path) == run
    saved = read_state(tmp_path)
    assert saved is not None and saved[1:] == (2, 1, 0, [{"step": 1.0, "epsilon": 0.5}])
    assert torch.equal(saved.tensors["weight.0"], torch.arange(3.0))
    assert {path.name for path in tmp_path.iterdir()} == {RUN, STATE}


@pytest.mark.parametrize("name", [RUN, STATE])
@pytest.mark.parametrize("content", [None, b"", b"{}", b"\xff" * 50])
def test_a_damaged_file_counts_as_none(tmp_path: Path, name: str, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    assert (read_run(tmp_path) if name == RUN else read_state(tmp_path)) is None
