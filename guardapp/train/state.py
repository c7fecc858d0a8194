"""What a run keeps so that it can go on after a pause or a crash. No seed and no key is ever among it.

Two files lie in the resume folder. `run.json` names the run and its plan and is written before anything is
charged. `state.safetensors` holds the weights and how many steps they have seen, and is replaced after every block.
What was charged is known by the ledger alone; the difference between it and the steps seen was lost in a crash,
stays charged, and is not taken again.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from pydantic import BaseModel, ConfigDict, ValidationError

from guardapp.train.plan import Plan

if TYPE_CHECKING:
    from torch import Tensor

RUN = "run.json"
STATE = "state.safetensors"


class Run(BaseModel):
    """Which run this is: its name in the ledger, its dataset, its plan, and a hash of the spec it belongs to."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    run: str
    dataset: str
    spec: str
    plan: Plan


class Saved(NamedTuple):
    """tensors: weights and optimizer memory
    steps:    charged steps that the weights have seen or that were lost before them
    unused:   steps that are charged and were surely not taken, because the run paused in good order
    lost:     steps that were charged but whose work a crash threw away
    history:  the rows of metrics.csv so far
    """

    tensors: dict[str, Tensor]
    steps: int
    unused: int
    lost: int
    history: list[dict[str, float]]


def write_run(folder: Path, run: Run) -> None:
    _replace(folder / RUN, run.model_dump_json().encode())


def read_run(folder: Path) -> Run | None:
    """The run that was interrupted here; None when there is none or its file is damaged: a new run is charged anew."""
    try:
        return Run.model_validate_json((folder / RUN).read_bytes())
    except (OSError, ValidationError):
        return None


def write_state(folder: Path, saved: Saved) -> None:
    from safetensors.torch import save

    about = {
        "steps": str(saved.steps),
        "unused": str(saved.unused),
        "lost": str(saved.lost),
        "history": json.dumps(saved.history),
    }
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in saved.tensors.items()}
    _replace(folder / STATE, save(tensors, metadata=about))


def read_state(folder: Path) -> Saved | None:
    """The last saved state; None when there is none or it is damaged: weights start anew, what is charged stays."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(folder / STATE, framework="pt") as file:
            about = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}
        return Saved(
            tensors, int(about["steps"]), int(about["unused"]), int(about["lost"]), json.loads(about["history"])
        )
    except (OSError, SafetensorError, KeyError, ValueError):
        return None


def _replace(path: Path, content: bytes) -> None:
    """Write so that after a crash the old or the new content is there, whole."""
    beside = path.with_name(path.name + ".new")
    with beside.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)
    if os.name == "posix":
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
