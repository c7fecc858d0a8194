"""One leakage check from files to findings: choose examples, fit references, score, compare with what was promised."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from guardapp.errors import GuardError
from guardapp.formats.datasets import Dataset, DataSpec, load_dataset
from guardapp.formats.foreign_models import is_foreign
from guardapp.formats.models import LoadedModel, load_model
from guardapp.progress import Progress
from guardapp.robust.leakage.auditing import Audit, audit, highest_true_rate
from guardapp.robust.leakage.comparing import scores_by_attack
from guardapp.robust.leakage.pool import Pool, balanced
from guardapp.robust.leakage.roc import Roc, roc
from guardapp.robust.leakage.scores import signals
from guardapp.robust.subject import refuse_other_shape
from guardapp.robust.victim import Victim

if TYPE_CHECKING:
    from guardapp.robust.job import ModelSource
    from guardapp.robust.leakage.job import Claim, LeakSpec

POINTS = 200
"""Points of a drawn curve, evenly spread over the powers of ten."""

LOWEST_RATE = 1e-4
STATEMENT = "statement.json"
MAX_STATEMENT_BYTES = 1 << 20


class Attack(NamedTuple):
    """What one attack found. name: as `comparing` names it; members, non_members: their scores, (n,)"""

    name: str
    roc: Roc
    audit: Audit
    members: NDArray[np.float64]
    non_members: NDArray[np.float64]


class LeakFindings(NamedTuple):
    """Everything that was found.

    members: how many were used, and as many non-members; shared: rows that stood on both sides and were left out
    train_accuracy, held_accuracy: of the model on members and on non-members
    """

    model: str
    unit: str
    members: int
    shared: int
    train_accuracy: float
    held_accuracy: float
    attacks: list[Attack]
    references: int
    claim: Claim | None
    cpu_seconds: float
    facts: dict[str, Any]

    @property
    def strongest(self) -> Attack:
        return max(self.attacks, key=lambda attack: attack.roc.auc)

    @property
    def epsilon_at_least(self) -> float:
        return max(attack.audit.at_least for attack in self.attacks)

    @property
    def contradicted(self) -> bool:
        return self.claim is not None and self.epsilon_at_least > self.claim.epsilon

    @property
    def headline(self) -> str:
        best = self.strongest
        if self.contradicted:
            assert self.claim is not None
            shown, promised = f"{self.epsilon_at_least:.2f}", f"{self.claim.epsilon:g}"
            return f"Contradicted: the attack shows ε ≥ {shown}, and ε = {promised} was promised"
        name, found = best.name, f"{best.roc.auc:.3f}"
        low, high = f"{best.roc.low:.3f}", f"{best.roc.high:.3f}"
        return f"Membership is told with AUC {found} ({low} to {high}) by {name}"

    @property
    def grid(self) -> NDArray[np.float64]:
        """False positive rates at which curves are drawn: from what one non-member stands for to 1."""
        return np.logspace(np.log10(max(LOWEST_RATE, 1 / self.members)), 0, POINTS)

    def allowed(self, claim: Claim) -> NDArray[np.float64]:
        """(POINTS,) the most true positives that the promise allows at `grid`."""
        return highest_true_rate(self.grid, claim.epsilon, claim.delta)

    def as_json(self) -> dict[str, Any]:
        return {
            "headline": self.headline,
            "model": self.model,
            "unit": self.unit,
            "members": self.members,
            "non_members": self.members,
            "left_out_on_both_sides": self.shared,
            "accuracy_on_members": self.train_accuracy,
            "accuracy_on_non_members": self.held_accuracy,
            "attacks": [_attack_json(attack, self.grid) for attack in self.attacks],
            "references": self.references,
            "false_positives": self.grid.tolist(),
            "allowed": None if self.claim is None else self.allowed(self.claim).tolist(),
            "claim": None if self.claim is None else self.claim.model_dump(),
            "epsilon_at_least": self.epsilon_at_least,
            "contradicted": self.contradicted,
            "cpu_seconds": round(self.cpu_seconds, 3),
            **self.facts,
        }


def _attack_json(attack: Attack, grid: NDArray[np.float64]) -> dict[str, Any]:
    return {
        "attack": attack.name,
        "auc": attack.roc.auc,
        "low": attack.roc.low,
        "high": attack.roc.high,
        "true_positive_rates": [rate._asdict() for rate in attack.roc.rates],
        "audit": attack.audit._asdict(),
        "curve": true_rates(attack.roc, grid).tolist(),
    }


def true_rates(found: Roc, grid: NDArray[np.float64]) -> NDArray[np.float64]:
    """True positives at false positive rates: the last point of the curve that does not exceed each."""
    # a rate that is meant to be 1 / n may be a rounding below it
    rates: NDArray[np.float64] = found.true[np.searchsorted(found.false, grid * (1 + 1e-9), "right") - 1]
    return rates


def measure(spec: LeakSpec, out: Path, progress: Progress) -> LeakFindings:
    from guardapp.robust.leakage.report import write

    started = time.process_time()
    with progress.stage("Reading the model and the data"):
        model = _load(spec.model, spec.members)
        sides = balanced(
            _read(spec.members, model),
            _read(spec.non_members, model),
            spec.limit,
            spec.seed,
            aside=spec.compare != "online",
        )
        inside = sides.members
        refuse_other_shape(model, inside)
        pool = Pool(inside, sides.others, spec.seed)
    victim = Victim(model.module, len(inside.classes), checkpoint=progress.checkpoint)
    victim.refuse_if_unfit(pool.x)
    scores = victim.all_scores(pool.x)
    target = signals(scores, pool.y)
    right = (scores.argmax(1) == pool.y).numpy()
    by_name = scores_by_attack(spec, model, victim, pool, sides.aside, target, progress)
    with progress.stage("Attacking"):
        claim = spec.claim or read_claim(spec.model)
        delta = 0.0 if claim is None else claim.delta
        attacks = []
        for name, found in by_name.items():
            progress.checkpoint()
            members, others = found[pool.member], found[~pool.member]
            attacks.append(
                Attack(
                    name,
                    roc(members, others, seed=spec.seed),
                    audit(found, pool.member, delta, attempts=len(by_name)),
                    members,
                    others,
                )
            )
            progress.metric("auc", len(attacks), attacks[-1].roc.auc)
    source = spec.model.job or spec.model.weights
    assert source is not None
    findings = LeakFindings(
        model=source.name,
        unit="images" if inside.kind == "image" else "rows",
        members=len(inside),
        shared=sides.shared,
        train_accuracy=float(right[pool.member].mean()),
        held_accuracy=float(right[~pool.member].mean()),
        attacks=attacks,
        references=spec.references,
        claim=claim,
        cpu_seconds=time.process_time() - started,
        facts={
            "architecture": model.card.architecture,
            "compare": spec.compare,
            "seed": spec.seed,
            "notes": list(model.notes),
            "torch": torch.__version__,
        },
    )
    with progress.stage("Writing the report"):
        write(findings, pool.index, spec.model_dump(mode="json", exclude_defaults=True), out, progress)
    return findings


def _load(source: ModelSource, data: DataSpec) -> LoadedModel:
    place = source.job or source.weights
    assert place is not None
    if source.architecture is None and not is_foreign(place):
        return load_model(place)
    known = load_dataset(data)
    return load_model(
        place,
        architecture=source.architecture,
        options=source.options,
        input_shape=known.input_shape,
        classes=list(known.classes),
        trust_sha256=source.trust_sha256,
    )


def _read(spec: DataSpec, model: LoadedModel) -> Dataset:
    return load_dataset(spec, encoding=model.card.encoding, classes=model.card.classes)


def read_claim(source: ModelSource) -> Claim | None:
    """What the training's statement promises for one row; None where there is no statement or it promises nothing."""
    from guardapp.robust.leakage.job import Claim

    path = (source.job or source.weights or Path()).absolute()
    statement = (path if path.is_dir() else path.parent) / STATEMENT
    if not statement.is_file():
        return None
    try:
        if statement.stat().st_size > MAX_STATEMENT_BYTES:
            raise OSError
        fields = json.loads(statement.read_text(encoding="utf-8"))
        if fields.get("guarantee") == "none":
            return None
        return Claim(epsilon=fields["epsilon"], delta=fields["delta"])
    except (OSError, ValueError, KeyError, AttributeError, RecursionError):
        raise GuardError(
            "The training's privacy statement cannot be read",
            f"{STATEMENT} beside the model does not hold a promise in the form that this program writes",
            "Give the promise as “claim” in the check's settings, or put the right file back.",
            "leak.statement",
        ) from None
