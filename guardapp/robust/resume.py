"""A check that was paused or killed goes on behind the last strength that it finished and ends bit for bit the same.

What follows a finished strength depends on the state kept here and on nothing else: random numbers are drawn anew for
each pass, and the batch and the threads are those chosen before, because both decide how sums are rounded.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file

from guardapp.robust.evaluator import Evaluator, PassRecord, StrengthRecord
from guardapp.robust.intervals import Share
from guardapp.robust.job import CheckSpec

FILE = "check.safetensors"


def identity(spec: CheckSpec, fingerprint: str, weights: dict[str, torch.Tensor]) -> str:
    """What has to be equal for a check to go on: the settings, the data, the model."""
    digest = hashlib.sha256(spec.model_dump_json(exclude={"name", "device"}).encode())
    digest.update(fingerprint.encode())
    for name in sorted(weights):
        digest.update(name.encode() + weights[name].detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


class Kept:
    """The state in `folder`, None where nothing is kept."""

    def __init__(self, folder: Path | None, name: str) -> None:
        self.path = folder / FILE if folder else None
        self.name = name

    def settled(self) -> tuple[int, int] | None:
        """The batch and the threads of the attempt before, if it finished a strength of the same check."""
        found = self._header()
        return (int(found["batch"]), int(found["threads"])) if found else None

    def save(self, evaluator: Evaluator, curve: list[StrengthRecord], threads: int) -> None:
        if self.path is None:
            return
        fresh = self.path.with_suffix(".fresh")
        header = {
            "check": self.name,
            "batch": str(evaluator.victim.batch),
            "threads": str(threads),
            "curve": json.dumps(curve),
        }
        save_file({name: part.contiguous() for name, part in evaluator.state().items()}, fresh, header)
        fresh.replace(self.path)

    def restore(self, evaluator: Evaluator) -> list[StrengthRecord]:
        """Put the evaluator where it was; returns the strengths that are done."""
        found = self._header()
        if not found or self.path is None:
            return []
        with safe_open(self.path, "pt") as file:
            evaluator.set_state({name: file.get_tensor(name) for name in file.keys()})
        return [_record(fields) for fields in json.loads(found["curve"])]

    def _header(self) -> dict[str, str] | None:
        if self.path is None or not self.path.exists():
            return None
        with safe_open(self.path, "pt") as file:
            header: dict[str, str] = file.metadata() or {}
        return header if header.get("check") == self.name else None


def _record(fields: list[object]) -> StrengthRecord:
    record = StrengthRecord._make(fields)
    return record._replace(
        robust=Share._make(record.robust),
        single_step=Share._make(record.single_step),
        passes=[PassRecord._make(each) for each in record.passes],
    )
