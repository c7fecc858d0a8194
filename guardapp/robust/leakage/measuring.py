"""One leakage check from files to findings: choose examples, fit references, score, compare with what was promised."""

from __future__ import annotations

import hashlib
import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from guardapp.errors import GuardError
from guardapp.formats.datasets import Dataset, DataSpec, load_dataset
from guardapp.formats.device import choose_threads
from guardapp.formats.foreign_models import is_foreign
from guardapp.formats.models import LoadedModel, build, load_model
from guardapp.progress import Progress
from guardapp.robust.leakage.auditing import Audit, audit
from guardapp.robust.leakage.references import fit, halves
from guardapp.robust.leakage.roc import Roc, roc
from guardapp.robust.leakage.scores import Signals, online_lira, relative_likelihood, signals
from guardapp.robust.subject import refuse_other_shape
from guardapp.robust.victim import Victim

if TYPE_CHECKING:
    from guardapp.robust.job import ModelSource
    from guardapp.robust.leakage.job import Claim, LeakSpec

FEWEST = 50
STATEMENT = "statement.json"
MAX_STATEMENT_BYTES = 1 << 20


class Attack(NamedTuple):
    """What one attack found. name: "loss threshold", "RMIA" or "LiRA"; members, non_members: their scores, (n,)"""

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
            "attacks": [_attack_json(attack) for attack in self.attacks],
            "references": self.references,
            "claim": None if self.claim is None else self.claim.model_dump(),
            "epsilon_at_least": self.epsilon_at_least,
            "contradicted": self.contradicted,
            "cpu_seconds": round(self.cpu_seconds, 3),
            **self.facts,
        }


def _attack_json(attack: Attack) -> dict[str, Any]:
    return {
        "attack": attack.name,
        "auc": attack.roc.auc,
        "low": attack.roc.low,
        "high": attack.roc.high,
        "true_positive_rates": [rate._asdict() for rate in attack.roc.rates],
        "audit": attack.audit._asdict(),
    }


def measure(spec: LeakSpec, out: Path, progress: Progress) -> LeakFindings:
    from guardapp.robust.leakage.report import write

    started = time.process_time()
    with progress.stage("Reading the model and the data"):
        model = _load(spec.model, spec.members)
        inside, outside, shared = _balanced(
            _read(spec.members, model), _read(spec.non_members, model), spec.limit, spec.seed
        )
        refuse_other_shape(model, inside)
        pool = _Pool(inside, outside, spec.seed)
    victim = Victim(model.module, len(inside.classes), checkpoint=progress.checkpoint)
    victim.refuse_if_unfit(pool.x)
    scores = victim.all_scores(pool.x)
    target = signals(scores, pool.y)
    right = (scores.argmax(1) == pool.y).numpy()
    seen, masks = _references(spec, model, pool, progress)
    with progress.stage("Attacking"):
        by_name = {"loss threshold": target.log_likelihood}
        if seen:
            by_name["RMIA"] = relative_likelihood(target.log_likelihood, np.stack([s.log_likelihood for s in seen]))
            by_name["LiRA"] = online_lira(target.phi, np.stack([s.phi for s in seen]), masks)
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
        shared=shared,
        train_accuracy=float(right[pool.member].mean()),
        held_accuracy=float(right[~pool.member].mean()),
        attacks=attacks,
        references=spec.references,
        claim=claim,
        cpu_seconds=time.process_time() - started,
        facts={
            "architecture": model.card.architecture,
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


def _balanced(inside: Dataset, outside: Dataset, limit: int, seed: int) -> tuple[Dataset, Dataset, int]:
    """As many members as non-members, at most `limit` of each, and how many rows stood on both sides.

    A row that was trained on and held back says nothing about membership. Rows are chosen by a hash of themselves, so
    the choice does not depend on which side is called the members.
    """
    ours, theirs = ({digest.tobytes() for digest in data.digests} for data in (inside, outside))
    both = ours & theirs
    kept = [
        data.take(np.array([digest.tobytes() not in both for digest in data.digests], bool))
        for data in (inside, outside)
    ]
    count = min(len(kept[0]), len(kept[1]), limit)
    if count < FEWEST:
        raise GuardError(
            "There are too few examples to tell members from others",
            f"{count} remain on the smaller side, and {FEWEST} are needed",
            "Choose more training examples and more that were held back.",
            "leak.too-few",
        )
    first, second = (data.take(np.argsort(_coins(data, seed), kind="stable")[:count]) for data in kept)
    return first, second, len(both)


def _coins(data: Dataset, seed: int) -> NDArray[np.uint64]:
    key = seed.to_bytes(8, "little")
    coins = [hashlib.sha256(key + digest.tobytes()).digest()[:8] for digest in data.digests]
    return np.frombuffer(b"".join(coins), ">u8").astype(np.uint64)


class _Pool:
    """Members and non-members in one order that does not tell which is which.

    x: (2n, *example); y: (2n,); member: (2n,) bool; index: (2n,) number in the example's own source
    """

    def __init__(self, inside: Dataset, outside: Dataset, seed: int) -> None:
        order = np.argsort(np.concatenate([_coins(inside, seed), _coins(outside, seed)]), kind="stable")
        self.x = torch.from_numpy(np.concatenate([inside.x, outside.x])[order])
        self.y = torch.from_numpy(np.concatenate([inside.y, outside.y])[order])
        self.member = (np.arange(len(order)) < len(inside))[order]
        self.index = np.concatenate([inside.index, outside.index])[order]


def _references(
    spec: LeakSpec, model: LoadedModel, pool: _Pool, progress: Progress
) -> tuple[list[Signals], NDArray[np.bool_]]:
    """What each reference model says of the pool, and which half of it each was fitted to."""
    masks = halves(spec.references, len(pool.x), spec.seed) if spec.references else np.zeros((0, len(pool.x)), bool)
    if not spec.references:
        return [], masks
    card, found = model.card, []
    if card.architecture == "foreign":
        raise GuardError(
            "No reference models can be fitted",
            "how to build an untrained model of this kind is not known from its file",
            "Set references to 0, or name a built-in architecture.",
            "leak.references",
        )
    sample = pool.x[: spec.fit.batch], pool.y[: spec.fit.batch]
    trial = build(card.architecture, card.options, card.input_shape, len(card.classes))
    choose_threads(lambda: fit(trial, *sample, epochs=1, batch=spec.fit.batch, learning_rate=1e-9, seed=0))
    with progress.stage("Fitting reference models", total=spec.references) as stage:
        for number, mask in enumerate(masks):
            torch.manual_seed(spec.seed * 1000 + number)
            fresh = build(card.architecture, card.options, card.input_shape, len(card.classes))
            fit(
                fresh,
                pool.x[mask],
                pool.y[mask],
                epochs=spec.fit.epochs,
                batch=spec.fit.batch,
                learning_rate=spec.fit.learning_rate,
                seed=number,
                told=progress.checkpoint,
            )
            reference = Victim(fresh, len(card.classes), checkpoint=progress.checkpoint)
            found.append(signals(reference.all_scores(pool.x), pool.y))
            stage.advance(1)
    return found, masks


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
