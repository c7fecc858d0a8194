"""One check from the model's file to the report: load, attack at rising strengths, damage, doubt, write."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from guardapp.errors import GuardError
from guardapp.formats.device import choose_device, choose_threads
from guardapp.progress import Paused, Progress
from guardapp.robust import losses
from guardapp.robust.beyond import go_beyond
from guardapp.robust.cascade import passes
from guardapp.robust.certify.accuracy import Certified, certify
from guardapp.robust.constrained import write_rows
from guardapp.robust.evaluator import Evaluator, StrengthRecord
from guardapp.robust.export import describe_adversarials, write_adversarials
from guardapp.robust.findings import Findings
from guardapp.robust.flags import Measured, judge
from guardapp.robust.intervals import share
from guardapp.robust.label_evaluator import LabelEvaluator, flags_of_labels
from guardapp.robust.patches import write_patches
from guardapp.robust.pictures import write_worst
from guardapp.robust.report import write_report
from guardapp.robust.resume import Kept, identity
from guardapp.robust.selfchecks import check_itself
from guardapp.robust.smallest import bisect
from guardapp.robust.stress import Damage, gaussian_noise, missing_values, right_share
from guardapp.robust.subject import Subject, load
from guardapp.robust.victim import Victim

if TYPE_CHECKING:
    from guardapp.robust.job import CheckSpec

LONGEST_STEP = 0.2
"""Seconds that one forward and backward pass may take, so that a task that is asked to stop does so at once."""


def check(spec: CheckSpec, out: Path, progress: Progress) -> Findings:
    started = time.process_time()
    with progress.stage("Reading the model and the data"):
        subject = load(spec)
    victim = Victim(
        subject.model.module,
        len(subject.data.classes),
        device=choose_device(progress.device if spec.device == "auto" else spec.device),
        checkpoint=lambda: stop_or_pause(progress),
    )
    victim.refuse_if_unfit(subject.x)
    with progress.stage("Measuring the computer's speed"):
        kept = Kept(progress.resume_folder, identity(spec, subject.data.fingerprint, victim.model.state_dict()))
        if before := kept.settled():
            victim.batch, threads = before
            torch.set_num_threads(threads)
        else:
            threads = settle(victim, subject.x, subject.y)
    kind = LabelEvaluator if spec.budget == "labels" else Evaluator
    evaluator = kind(victim, subject.x, subject.y, spec.norm, mutable=subject.mutable, seed=spec.seed)
    if not evaluator.clean.right:
        raise GuardError(
            "There is nothing to attack",
            f"the model is wrong on all {evaluator.clean.total} examples even without an attack",
            "Check that the data and its labels are those that the model was made for.",
            "check.all-wrong",
        )
    progress.metric("robust_accuracy", 0.0, evaluator.clean.value)
    curve = attack(spec, evaluator, progress, kept, threads)
    with progress.stage("Looking for the smallest changes", total=1.0) as stage:
        # the bisection climbs along gradients, which a search by answers alone may not
        rounds = 0 if spec.budget == "labels" else spec.refine
        smallest = bisect(evaluator, spec.strengths, rounds, stage.reach)
    certified = prove(spec, subject, progress)
    damage = stress(spec, subject, victim, progress)
    beyond = go_beyond(spec, subject, victim, progress)
    damage += beyond.damage
    with progress.stage("Doubting the result"):
        by_labels = evaluator if isinstance(evaluator, LabelEvaluator) else None
        checks = by_labels.doubts() if by_labels else check_itself(evaluator, spec.strengths)
        proved = sorted(certified.proved.items()) if certified is not None else []
        shares = [(strength, share(int(held.sum()), evaluator.clean.total)) for strength, held in proved]
        flags = judge(Measured(evaluator.clean, len(subject.data.classes), curve, checks, shares))
        if by_labels:
            flags = flags_of_labels(flags)
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
            smallest=smallest,
            certified=certified,
            beyond=beyond,
        )
        write(findings, evaluator, spec, subject, out, progress)
    return findings


def settle(victim: Victim, x: Tensor, y: Tensor) -> int:
    """Choose the batch so that a step leaves room to stop in time, and the number of threads; returns the latter."""
    while True:
        part, labels = x[: victim.batch].to(victim.device), y[: victim.batch].to(victim.device)
        try:
            begun = time.perf_counter()
            victim.scores_and_gradient(part, labels, labels, losses.margin)
            seconds = time.perf_counter() - begun
        except torch.OutOfMemoryError:
            seconds = float("inf")
        if seconds <= LONGEST_STEP or victim.batch == 1:
            break
        victim.batch = max(1, min(victim.batch, len(x)) // 2)
    if victim.device.type != "cpu":
        return torch.get_num_threads()
    return choose_threads(lambda: victim.scores_and_gradient(part, labels, labels, losses.margin))


def stop_or_pause(progress: Progress) -> None:
    """A pause needs no saving: each strength is saved when it is done, and the rest of one is computed again."""
    progress.checkpoint()
    if progress.resume_folder is not None and progress.pause_wanted:
        raise Paused


def attack(spec: CheckSpec, evaluator: Evaluator, progress: Progress, kept: Kept, threads: int) -> list[StrengthRecord]:
    plan = [] if spec.budget == "labels" else passes(spec.budget, evaluator.clean_scores.shape[1])
    curve = kept.restore(evaluator)
    for done in curve:
        progress.metric("robust_accuracy", done.strength, done.robust.value)
        if plan:
            progress.metric("single_step_accuracy", done.strength, done.single_step.value)
    for strength in spec.strengths[len(curve) :]:
        with progress.stage(f"Attacking at {strength:g}", total=1.0) as stage:
            record = evaluator.attack(strength, plan, stage.reach)
            evaluator.sharpen(strength)
        progress.metric("robust_accuracy", strength, record.robust.value)
        if plan:
            progress.metric("single_step_accuracy", strength, record.single_step.value)
        curve.append(record)
        kept.save(evaluator, curve, threads)
    return curve


def prove(spec: CheckSpec, subject: Subject, progress: Progress) -> Certified | None:
    """The examples on which no attack can succeed; None where this is not wanted."""
    if spec.certify == "off":
        return None
    with progress.stage("Proving what no attack can do", total=1.0) as stage:
        return certify(
            subject.model.module,
            subject.x,
            subject.y,
            spec.norm,
            spec.strengths,
            mutable=subject.mutable,
            full=spec.certify == "full",
            told=stage.reach,
            checkpoint=progress.checkpoint,
        )


def stress(spec: CheckSpec, subject: Subject, victim: Victim, progress: Progress) -> list[Damage]:
    generator = torch.Generator().manual_seed(spec.seed)
    rates = spec.missing if subject.missing is not None else []
    measured = []
    with progress.stage("Damaging without malice", total=len(spec.noise) + len(rates)) as stage:
        for sigma in spec.noise:
            noisy = gaussian_noise(subject.x, sigma, generator, subject.mutable)
            measured.append(Damage("noise", sigma, right_share(victim, noisy, subject.y)))
            stage.advance(1)
        for rate in rates:
            assert subject.missing is not None
            holed = missing_values(subject.x, rate, generator, subject.missing)
            measured.append(Damage("missing", rate, right_share(victim, holed, subject.y)))
            stage.advance(1)
    return measured


def facts(spec: CheckSpec, subject: Subject, victim: Victim, threads: int) -> dict[str, Any]:
    """How it was measured, for whoever wants to repeat it."""
    source = spec.model.job or spec.model.weights
    assert source is not None
    return {
        "model": source.name,
        "architecture": subject.model.card.architecture,
        "notes": list(subject.model.notes),
        "classes": list(subject.data.classes),
        "data_fingerprint": subject.data.fingerprint,
        "budget": spec.budget,
        "change": spec.change if subject.missing is not None else "all",
        "seed": spec.seed,
        "device": victim.device.type,
        "threads": threads,
        "batch": victim.batch,
        "torch": torch.__version__,
    }


def write(
    findings: Findings, evaluator: Evaluator, spec: CheckSpec, subject: Subject, out: Path, progress: Progress
) -> None:
    found = out / "report.json"
    found.write_text(json.dumps(findings.as_json(), ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    assert findings.smallest is not None
    write_adversarials(evaluator, findings.smallest, subject.data.index, out / "adversarials.npz")
    describe_adversarials(spec, subject, out / "adversarials.json")
    write_report(findings, spec.model_dump(mode="json", exclude_defaults=True), out)
    if findings.beyond.rows is not None:
        lines, rules = write_rows(findings.beyond.rows, out)
        progress.artifact("changed_rows", lines)
        progress.artifact("constraints", rules)
    if findings.beyond.repainted is not None:
        squares = out / "patches.npz"
        write_patches(findings.beyond.repainted, subject.x, subject.y, subject.data.index.tolist(), squares)
        progress.artifact("patches", squares)
    progress.artifact("report", out / "report.html")
    progress.artifact("figures", found)
    progress.artifact("adversarials", out / "adversarials.npz")
    if findings.worst:
        progress.artifact("worst", out / "worst")
