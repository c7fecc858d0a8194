"""Doubts about the result, each with its reason and what to do. One red flag, and the number is no headline.

The rules follow what experts look for before they believe a defence: Athalye et al. 2018 (Obfuscated Gradients),
Carlini et al. 2019 (On Evaluating Adversarial Robustness), and the warnings of Croce & Hein's AutoAttack.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from guardapp.robust import model_flags
from guardapp.robust.contradictions import contradiction
from guardapp.robust.evaluator import StrengthRecord
from guardapp.robust.flag import Flag, Level, percent
from guardapp.robust.intervals import Share
from guardapp.robust.selfchecks import SelfChecks

__all__ = ["Flag", "Level", "Measured", "judge", "percent"]

WIDE = 0.05
"""Half an interval beyond which a share says little: 5 points, about 400 examples."""


class Measured(NamedTuple):
    """All that the flags judge. classes: of the data; certified: what is proved at some strengths, on these examples"""

    clean: Share
    classes: int
    curve: list[StrengthRecord]
    checks: SelfChecks
    certified: Sequence[tuple[float, Share]] = ()


def judge(measured: Measured) -> list[Flag]:
    """Every self-check that applies, red ones first."""
    rules = (
        _randomness,
        _neighbours,
        _gradients,
        _search,
        _single_step,
        _unlimited,
        _confirmed,
        _zero,
        _nested,
        _restarts,
        _probabilities,
        _sample,
        _better_than_guessing,
        _others,
        _certified,
    )
    flags = [flag for rule in rules for flag in rule(measured)]
    flags += model_flags.judge(measured.checks.model, measured.classes)
    order: dict[Level, int] = {"red": 0, "amber": 1, "passed": 2}
    return sorted(flags, key=lambda flag: order[flag.level])


def _randomness(measured: Measured) -> Iterator[Flag]:
    changing = measured.checks.changing
    if changing > 0:
        why = f"two equal forward passes gave different scores for {percent(changing)} of the examples"
        if measured.checks.averaged is not None:
            left = percent(measured.checks.averaged)
            why = (
                f"two equal forward passes gave different scores for {percent(changing)} of the examples; "
                f"an attack on the average of several answers leaves {left} right at the largest strength"
            )
        yield Flag(
            "random-outputs",
            "red",
            "The model answers at random",
            why,
            "Switch off dropout and added noise when the model is used, then check again.",
        )
    else:
        yield Flag("random-outputs", "passed", "Answers repeat", "two equal forward passes gave equal scores", "")


def _neighbours(measured: Measured) -> Iterator[Flag]:
    neighbours = measured.checks.neighbours
    if neighbours > 0 and measured.checks.changing == 0:
        yield Flag(
            "batch-dependence",
            "red",
            "Answers depend on the other examples of a batch",
            f"alone, {percent(neighbours)} of the examples got other scores than among others",
            "Put batch normalisation into evaluation mode, or replace it by group normalisation.",
        )


def _gradients(measured: Measured) -> Iterator[Flag]:
    gone = measured.checks.no_gradient
    if gone is None:
        return
    if gone > 0.01:
        yield Flag(
            "masked-gradients",
            "red" if gone > 0.1 else "amber",
            "Masked gradients",
            f"the gradient is zero for {percent(gone)} of the examples, so attacks that follow it are blind; "
            "the model hides its gradients, it is not that robust",
            "Check the model without its rounding, saturating or detached layer.",
        )
    else:
        yield Flag("masked-gradients", "passed", "Gradients lead somewhere", "no example lacks a gradient", "")


def _search(measured: Measured) -> Iterator[Flag]:
    worst = max(_shares(measured, "search"), default=None)
    if worst is None:
        return
    if worst > 0.01:
        yield Flag(
            "search-beats-gradient",
            "red" if worst > 0.03 else "amber",
            "A search without gradients finds more",
            f"it broke another {percent(worst)} of the examples after all gradient attacks",
            "Trust the lower figure at most, and check with the reference budget.",
        )
    else:
        why = f"a search without gradients broke only another {percent(worst)}"
        yield Flag("search-beats-gradient", "passed", "Gradient attacks are the stronger ones", why, "")


def _single_step(measured: Measured) -> Iterator[Flag]:
    worst = max(point.overlooked / point.robust.total for point in measured.curve)
    if worst > 0.002:
        yield Flag(
            "single-step-beats-iterative",
            "red" if worst > 0.01 else "amber",
            "One step finds what many steps miss",
            f"only the single step broke {percent(worst)} of the examples",
            "Check with the reference budget; a model with such a loss surface misleads gradient attacks.",
        )
    else:
        yield Flag(
            "single-step-beats-iterative", "passed", "Many steps beat one step", "as they should at every strength", ""
        )


def _unlimited(measured: Measured) -> Iterator[Flag]:
    left = measured.checks.unlimited
    if left is None:
        return
    if measured.checks.answers < 2:
        yield Flag(
            "constant-answer",
            "amber",
            "The model always gives the same answer",
            "nothing that was tried changed it, so its robustness is that of a constant",
            "Look at its accuracy for each class before you use it.",
        )
    elif left > 1 / measured.classes:
        yield Flag(
            "unlimited-strength",
            "red",
            "Unlimited strength does not break the model",
            f"{percent(left)} stay right although every value may be chosen freely, so the attack does not work here",
            "Check the model without layers that hide its gradients, or with the reference budget.",
        )
    else:
        why = f"{percent(left)} stay right when every value may be chosen freely, so the attack itself works"
        yield Flag("unlimited-strength", "passed", "Unlimited strength breaks the model", why, "")


def _confirmed(measured: Measured) -> Iterator[Flag]:
    worst = max(point.unconfirmed / point.robust.total for point in measured.curve)
    if measured.checks.not_held:
        yield Flag(
            "not-held",
            "red",
            "Stored mistakes do not hold",
            f"{percent(measured.checks.not_held)} of the stored examples break a bound or are answered rightly now",
            "Look for randomness in the model; if it answers alike every time, report this.",
        )
    if worst > 0:
        yield Flag(
            "unconfirmed",
            "red" if worst > 0.01 else "amber",
            "Some mistakes did not repeat",
            f"a fresh forward pass did not bear out {percent(worst)} of the examples, which were not counted",
            "Look for randomness in the model, or run the check on the CPU.",
        )
    else:
        why = "norm, range and mistake of every adversarial held in a fresh forward pass"
        yield Flag("unconfirmed", "passed", "Every mistake was confirmed", why, "")


def _zero(measured: Measured) -> Iterator[Flag]:
    moved = measured.checks.moved_at_zero
    if moved:
        yield Flag(
            "zero-strength",
            "red",
            "An attack of strength 0 changes answers",
            f"{percent(moved)} of the examples changed although nothing may change",
            "Report this: the check itself is at fault, or the model answers at random.",
        )
    elif moved is not None:
        yield Flag("zero-strength", "passed", "Strength 0 equals no attack", "no answer changed", "")


def _nested(measured: Measured) -> Iterator[Flag]:
    lost = measured.checks.lost
    if lost is None:
        return
    if lost > 0.1:
        yield Flag(
            "not-monotone",
            "red" if lost > 0.3 else "amber",
            "A stronger attack does less harm",
            f"a fresh attack at the largest strength missed {percent(lost)} of what the smallest strength broke",
            "Check with the reference budget: the short attacks lose their way on this model.",
        )
    else:
        why = f"a fresh attack at the largest strength repeats {percent(1 - lost)} of what the smallest broke"
        yield Flag("not-monotone", "passed", "Stronger attacks do more harm", why, "")


def _restarts(measured: Measured) -> Iterator[Flag]:
    worst = max(_shares(measured, "restart"), default=0.0)
    if worst > 0.01:
        yield Flag(
            "not-converged",
            "amber",
            "More restarts still help",
            f"the last restart broke another {percent(worst)} of the examples, so the true figure is lower",
            "Use the next larger budget.",
        )
    else:
        why = f"the last restart changes the result by {percent(worst)}"
        yield Flag("not-converged", "passed", "Enough restarts", why, "")


def _probabilities(measured: Measured) -> Iterator[Flag]:
    if measured.checks.probabilities:
        yield Flag(
            "probabilities",
            "amber",
            "The model answers with probabilities",
            "where it is sure of itself its gradient fades, and attacks look weaker than they are",
            "Give the model without its last softmax.",
        )


def _sample(measured: Measured) -> Iterator[Flag]:
    half = max((point.robust.high - point.robust.low) / 2 for point in measured.curve)
    if half > WIDE:
        yield Flag(
            "few-examples",
            "amber",
            "Few examples",
            f"with {measured.clean.total} examples a figure may be off by {percent(half)} either way",
            "Raise the limit to 500 examples or more.",
        )
    else:
        yield Flag("few-examples", "passed", "Enough examples", f"no figure is off by more than {percent(half)}", "")


def _better_than_guessing(measured: Measured) -> Iterator[Flag]:
    if measured.clean.low <= 1 / measured.classes:
        yield Flag(
            "no-better-than-guessing",
            "amber",
            "The model is hardly better than guessing",
            f"without any attack it is right on {percent(measured.clean.value)} of the examples",
            "Choose the data that it was made for, or train it first: there is little to attack.",
        )


_OTHERS = {
    "noise": (
        "noise-beats-attack",
        "Random noise finds what attacks miss",
        "The attacks do not work on this model: check it without layers that hide its gradients.",
    ),
    "labels": (
        "labels-beat-attack",
        "An attack that sees answers alone finds more",
        "Trust the lower figure at most, and check the model without layers that hide its gradients.",
    ),
    "transfer": (
        "transfer-beats-attack",
        "What fools a copy fools the model",
        "Trust the lower figure at most, and check the model without layers that hide its gradients.",
    ),
    "longer": (
        "longer-climb",
        "A longer climb still finds more",
        "Use the next larger budget.",
    ),
}


def _others(measured: Measured) -> Iterator[Flag]:
    """What a fresh attack broke of those that held, as a part of all examples; a single one is no sign yet."""
    others = measured.checks.others
    if others is None or measured.checks.changing > 0:
        return
    held = next(point.robust.value for point in measured.curve if point.strength == others.strength)
    raised = False
    for kind, (name, title, step) in _OTHERS.items():
        found = int(getattr(others, kind))
        more = found / others.tried * held
        if found >= 2 and more > 0.01:
            raised = True
            level: Level = "red" if more > 0.03 and found >= 3 else "amber"
            why = f"of {others.tried} examples that held at strength {others.strength:g} it broke {found}"
            yield Flag(name, level, title, why, step)
    if not raised:
        why = f"noise, answers alone, a copy and a longer climb broke next to nothing of {others.tried} that held"
        yield Flag("second-opinions", "passed", "Other attacks find no more", why, "")


def _certified(measured: Measured) -> Iterator[Flag]:
    attacked = [(point.strength, point.robust) for point in measured.curve]
    found = contradiction(measured.certified, attacked)
    if found is not None:
        yield Flag(
            "certified-above-attacked",
            "red",
            "More is proved than is true",
            f"{percent(found.certified.value)} are proved to hold at strength {found.strength:g}, and an attack leaves "
            f"{percent(found.attacked.value)}",
            "Report this: a proof or an attack of this check is at fault.",
        )
    elif measured.certified:
        yield Flag("certified-above-attacked", "passed", "Certificate under the curve", "at every strength tried", "")


def _shares(measured: Measured, kind: str) -> list[float]:
    return [
        sum(p.broken for p in point.passes if p.kind == kind) / point.robust.total
        for point in measured.curve
        if any(p.kind == kind for p in point.passes)
    ]
