"""One check from the model's file to the report: load, attack at rising strengths, damage, doubt, write."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from torch import Tensor

from guardapp.errors import GuardError
from guardapp.formats.datasets import Dataset, load_dataset
from guardapp.formats.device import choose_device, choose_threads
from guardapp.formats.encoding import NumberColumn
from guardapp.formats.models import LoadedModel, load_model, read_card
from guardapp.progress import Progress
from guardapp.robust import losses
from guardapp.robust.cascade import passes
from guardapp.robust.evaluator import Evaluator, StrengthRecord
from guardapp.robust.findings import Damage, Findings
from guardapp.robust.flags import Measured, judge
from guardapp.robust.pictures import write_worst
from guardapp.robust.report import write_report
from guardapp.robust.selfchecks import check_itself
from guardapp.robust.stress import Missing, gaussian_noise, missing_values, right_share
from guardapp.robust.victim import Victim

if TYPE_CHECKING:
    from guardapp.robust.job import CheckSpec


class Subject(NamedTuple):
    """What is checked. mutable: (features,) 0 or 1, None for everything; missing: None for images"""

    model: LoadedModel
    data: Dataset
    x: Tensor
    y: Tensor
    mutable: Tensor | None
    missing: Missing | None


def check(spec: CheckSpec, out: Path, progress: Progress) -> Findings:
    started = time.process_time()
    with progress.stage("Reading the model and the data"):
        subject = load(spec)
    victim = Victim(
        subject.model.module,
        len(subject.data.classes),
        device=choose_device(progress.device if spec.device == "auto" else spec.device),
        checkpoint=progress.checkpoint,
    )
    victim.refuse_if_unfit(subject.x)
    with progress.stage("Measuring the computer's speed"):
        threads = settle(victim, subject)
    evaluator = Evaluator(victim, subject.x, subject.y, spec.norm, mutable=subject.mutable, seed=spec.seed)
    if not evaluator.clean.right:
        raise GuardError(
            "There is nothing to attack",
            f"the model is wrong on all {evaluator.clean.total} examples even without an attack",
            "Check that the data and its labels are those that the model was made for.",
            "check.all-wrong",
        )
    progress.metric("robust_accuracy", 0.0, evaluator.clean.value)
    curve = attack(spec, evaluator, progress)
    damage = stress(spec, subject, victim, progress)
    with progress.stage("Doubting the result"):
        checks = check_itself(evaluator, spec.strengths)
        flags = judge(Measured(evaluator.clean, len(subject.data.classes), curve, checks))
    with progress.stage("Writing the report"):
        index = subject.data.index.tolist()
        findings = Findings(
            norm=spec.norm,
            unit="images" if subject.data.kind == "image" else "rows",
            clean=evaluator.clean,
            curve=curve,
            damage=damage,
            flags=flags,
            worst=write_worst(evaluator, spec.strengths, list(subject.data.classes), index, out),
            cpu_seconds=time.process_time() - started,
            facts=facts(spec, subject, victim, threads),
        )
        write(findings, evaluator, spec, subject, out, progress)
    return findings


def load(spec: CheckSpec) -> Subject:
    """The model, and a random choice of the examples: an interval means nothing for the first rows of a sorted file."""
    folder_or_file = spec.model.job or spec.model.weights
    assert folder_or_file is not None
    if spec.model.architecture is None:
        model = load_model(folder_or_file)
        data = load_dataset(
            spec.data.model_copy(update={"limit": None}), encoding=model.card.encoding, classes=model.card.classes
        )
        refuse_other_shape(model, data)
    else:
        data = load_dataset(spec.data.model_copy(update={"limit": None}))
        model = load_model(
            folder_or_file,
            architecture=spec.model.architecture,
            options=spec.model.options,
            input_shape=data.input_shape,
            classes=list(data.classes),
        )
    limit = spec.data.limit or DEFAULT_LIMIT
    if len(data) > limit:
        chosen = np.random.default_rng(spec.seed).choice(len(data), limit, replace=False)
        data = data.take(np.sort(chosen))
    x, y = torch.from_numpy(data.x), torch.from_numpy(data.y)
    mutable, missing = table_rules(spec, data)
    return Subject(model, data, x, y, mutable, missing)
