"""The privacy statement: what is promised, by which mechanism, and what is not covered, in words and for programs."""

from __future__ import annotations

from typing import Any

from guardapp.train.accounting import COUNT_SHARE, LOSS_SHARE, accountant, grid_interval, replace_one_epsilon
from guardapp.train.noise import GRID_BITS, NAMES
from guardapp.train.plan import Plan

FORMAT = "guardapp-privacy-statement/1"

REPLACE_ONE = "PLD of two rows that pull in opposite directions, the worst case of Poisson sampling"

NO_GUARANTEE = "This model was trained without differential privacy. Nothing is promised about its training data."

REHEARSAL = (
    "This model is from a rehearsal: made-up rows were in its data so that it could be audited. It is not for release."
)
NOT_AUDITED = "This training was not audited; a rehearsal with the same settings can be."
AUDIT_PASSED = "That does not refute the claim. An audit finds faults; it cannot confirm ε."
AUDIT_REFUTED = "That refutes the claim: the training does not protect as it says. Do not rely on it, and report it."

CLIPPED_ONLY = "Its gradients were clipped row by row, but without noise: that is no guarantee."

_CLIPPING = {
    "flat": "flat, per row, over all trained weights",
    "per-layer": "per row and layer, each of K layers to clip/√K",
    "automatic": "automatic, per row: gradient · clip / (norm + 0.01)",
    "adaptive": "flat, per row, to a norm that follows a noisy count of shorter gradients",
}
_STEPS = {
    "flat": "In each of {steps} steps every row took part with probability {rate}, by itself; its gradient was clipped "
    "to norm {clip}; Gaussian noise was added to the sum.",
    "per-layer": "In each of {steps} steps every row took part with probability {rate}, by itself; its gradient was "
    "clipped layer by layer, to norm {clip} in all; Gaussian noise was added to the sum.",
    "automatic": "In each of {steps} steps every row took part with probability {rate}, by itself; its gradient was "
    "scaled to at most norm {clip}; Gaussian noise was added to the sum.",
    "adaptive": "In each of {steps} steps every row took part with probability {rate}, by itself; its gradient was "
    "clipped to a norm that began at {clip} and followed a noisy count, whose cost is part of ε; Gaussian noise was "
    "added to the sum.",
}
_GENERATOR = {
    "aes": "The noise came from a cryptographic generator whose key was not stored; ε was computed by {accountant}.",
    "fast": "The noise came from a fast generator that is not cryptographic, as was chosen: who can tell its state can "
    "take the noise away; ε was computed by {accountant}.",
}


def state(
    plan: Plan,
    charged: int,
    *,
    derived: tuple[str, ...],
    overridden: tuple[str, ...],
    held_fraction: float,
    stopped_early: str,
    lost: int,
    audit: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """The statement of a run that was charged `charged` steps, of which a crash threw `lost` away.

    derived:    what was read from the data and counts as public ("classes", "schema", "image shape")
    overridden: settings that the user chose and that may have been tuned on the same data
    audit:      what a rehearsal found; None for any other training
    """
    if not plan.private:
        words = [NO_GUARANTEE, CLIPPED_ONLY] if plan.clipped else [NO_GUARANTEE]
        return {"format": FORMAT, "guarantee": "none", "words": words}
    assert plan.target is not None and plan.delta is not None
    mechanism = plan.mechanism
    epsilon = plan.epsilon_at(charged)
    replace = replace_one_epsilon(mechanism, charged, plan.delta, interval=grid_interval(plan.target))
    fields: dict[str, Any] = {
        "format": FORMAT,
        "guarantee": "differential privacy",
        "unit": "one row",
        "adjacency": "add-or-remove-one",
        "epsilon": epsilon,
        "delta": plan.delta,
        "epsilon_replace_one": replace,
        "epsilon_replace_one_method": REPLACE_ONE,
        "target_epsilon": plan.target,
        "sampler": "Poisson: each row by itself in each step",
        "sample_rate": plan.rate,
        "steps": charged,
        "clip": plan.clip,
        "clipping": _CLIPPING[plan.method.clipping],
        "noise_multiplier": mechanism.noise,
        "gradient_noise_multiplier": mechanism.gradient_noise,
        "loss_noise_multiplier": mechanism.loss_noise,
        "loss_bound": plan.loss_bound,
        "loss_share": LOSS_SHARE,
        "count_noise_multiplier": mechanism.count_noise if mechanism.counted else None,
        "count_share": COUNT_SHARE if mechanism.counted else None,
        "optimizer": plan.optimizer,
        "method": plan.method.model_dump(),
        "divisor": plan.divisor,
        "divisor_source": "public: expected batch from max_examples",
        "max_examples_trained": plan.examples,
        "accountant": accountant(),
        "generator": NAMES[plan.method.generator],
        "generator_is_cryptographic": plan.method.generator == "aes",
        "noise_grid": f"2^-{GRID_BITS} to 2^-{GRID_BITS + 1} of its standard deviation",
        "released": [
            "the trained weights",
            "the training loss of every step, with noise",
            "the weights after every step",
            *(["the clipping norm of every step, from a count with noise"] if mechanism.counted else []),
        ],
        "not_covered": _not_covered(plan, derived, overridden, held_fraction),
        "stopped_early": stopped_early or None,
        "steps_charged_but_lost": lost,
        "rehearsal": audit is not None,
        "audit": audit,
    }
    fields["words"] = _words(plan, fields) + (_audited(audit) if audit else [NOT_AUDITED])
    return fields


def _words(plan: Plan, fields: dict[str, Any]) -> list[str]:
    return [
        f"Whoever sees the model and the training curve learns little about any one row: adding or removing a row "
        f"changes the probability of any outcome by a factor of at most e^{fields['epsilon']:.4g}, except with "
        f"probability {fields['delta']:g}.",
        f"If a row is replaced by another instead, ε is at most {fields['epsilon_replace_one']:.4g}.",
        "The unit is one row: a person with several rows is protected less, in proportion to their rows.",
        _STEPS[plan.method.clipping].format(
            steps=fields["steps"], rate=f"{fields['sample_rate']:.6g}", clip=f"{fields['clip']:g}"
        ),
        _GENERATOR[plan.method.generator].format(accountant=fields["accountant"]),
    ]


def _audited(audit: dict[str, Any]) -> list[str]:
    return [
        REHEARSAL,
        f"{audit['correct']} of {audit['guesses']} guesses which of {audit['canaries']} made-up rows were trained on "
        f"were right. With 95 % confidence, ε is at least {audit['epsilon_at_least']:.3g}.",
        AUDIT_PASSED if audit["passed"] else AUDIT_REFUTED,
    ]


def _not_covered(plan: Plan, derived: tuple[str, ...], overridden: tuple[str, ...], held_fraction: float) -> list[str]:
    found = []
    if plan.method.generator != "aes":
        found.append("Whoever can tell the state of the generator from its output, because it is not cryptographic.")
    if held_fraction > 0:
        found.append(
            "The held-back rows, with which accuracy and validation loss were measured exactly: they were not trained "
            "on, and no guarantee covers them."
        )
    if "classes" in derived:
        found.append("The list of classes, which was read from the data and counts as public.")
    if "image shape" in derived:
        found.append("The size of the images, which counts as public.")
    if "schema" in derived:
        found.append("schema: derived from the data (not covered).")
    if "starting weights" in derived:
        found.append(
            "The weights that the training started from: what they disclose was decided by their own training."
        )
    if overridden:
        found.append(
            f"The choice of {', '.join(overridden)}: if it was tuned on the same data, earlier runs have to be counted "
            "too; the ledger counts those made with this program."
        )
    found.append("The file hashes in job.json and the time that training took.")
    return found
