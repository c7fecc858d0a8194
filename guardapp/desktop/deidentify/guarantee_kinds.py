"""The guarantees that a policy can ask for beside k: their numbers, and how each is said, promised and measured."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

from guardapp.desktop import wording
from guardapp.desktop.deidentify.rules import Words


class Guarantee(NamedTuple):
    """One model of a policy.

    title: for the list of those that can be added; promise: with its numbers, for the review; why: what it is against
    numbers: fields of the policy with (label, start, lowest, highest, whether whole)
    about: a sensitive column, the groups of the table, or the groups together with a table of the population
    measured: what the result says of one that is not about a column
    """

    title: str
    promise: str
    why: str
    numbers: Mapping[str, tuple[str, float, float, float | None, bool]]
    about: Literal["column", "groups", "population"] = "column"
    measured: str = ""


_L = ("Different values, at least", 2, 2, 10_000, True)
GUARANTEES: dict[str, Guarantee] = {
    "distinct-l-diversity": Guarantee(
        "Different values in every group (distinct ℓ)",
        "Every group holds at least {l} different values of {column}",
        "So who knows the group of a person does not know the value.",
        {"l": _L},
    ),
    "entropy-l-diversity": Guarantee(
        "Well mixed values in every group (entropy ℓ)",
        "The values of {column} in every group are as mixed as {l} equally common ones",
        "So no value prevails in a group.",
        {"l": ("As mixed as so many equally common values", 2, 1, None, False)},
    ),
    "recursive-cl-diversity": Guarantee(
        "No value prevails (recursive c, ℓ)",
        "In every group the commonest value of {column} is rarer than {c} times all from rank {l} on",
        "So a group does not give its commonest value away, even if some others are ruled out.",
        {"c": ("Factor c", 3, 1e-6, None, False), "l": ("Rank ℓ", 2, 2, 10_000, True)},
    ),
    "t-closeness": Guarantee(
        "Like the whole table (t-closeness)",
        "The values of {column} in every group are spread like in the whole table, up to t = {t}",
        "So a group tells little more than the table does.",
        {"t": ("Largest distance t, 0 to 1", 0.3, 1e-6, 1, False)},
    ),
    "beta-likeness": Guarantee(
        "No value becomes much likelier (β-likeness)",
        "No value of {column} is more than {beta} times likelier in a group than in the table, beyond once",
        "So rare values do not become telling in a small group.",
        {"beta": ("Largest relative gain β", 2, 1e-6, None, False)},
    ),
    "delta-disclosure": Guarantee(
        "No value changes its share much (δ-disclosure)",
        "Every value of {column} is in every group, its share changed by less than 2 to the power {delta}",
        "The strictest of these: nothing is ruled out and nothing stands out.",
        {"delta": ("Largest change δ, in powers of two", 2, 1e-6, None, False)},
    ),
    "average-risk": Guarantee(
        "Mean risk of a row is low (average risk)",
        "A row is recognised with a probability of {max} at most, on average",
        "Small groups may stay where most are large: more is kept than with a group size for all.",
        {"max": ("Largest mean risk, 0 to 1", 0.05, 1e-6, 1, False)},
        "groups",
        "Mean risk of a row: {measured}",
    ),
    "maximum-risk": Guarantee(
        "Highest risk of a row is low (maximum risk)",
        "No row is recognised with a probability above {max}",
        "One over the size of the smallest group.",
        {"max": ("Largest risk of a row, 0 to 1", 0.1, 1e-6, 1, False)},
        "groups",
        "Highest risk of a row: {measured}",
    ),
    "sample-uniqueness": Guarantee(
        "Few rows are alone (sample uniqueness)",
        "At most {max} of the rows are alone in their group",
        "Rows that look like no other are the first that somebody recognises.",
        {"max": ("Largest share of rows that are alone, 0 to 1", 0.01, 0, 1, False)},
        "groups",
        "Rows that are alone in their group: {measured}",
    ),
    "population-uniqueness": Guarantee(
        "Few people are alone (population uniqueness)",
        "An estimated {max} of {people} people at most are alone in their group of the population",
        "Who is alone in a sample may have doubles among the people who are not in it. This is an estimate, no bound.",
        {
            "max": ("Largest share of people who are alone, 0 to 1", 0.01, 0, 1, False),
            "people": ("People in the population", 1_000_000, 1, 20_000_000_000, True),
        },
        "groups",
        "People who are alone in the population, estimated: {measured}",
    ),
    "k-map": Guarantee(
        "Every row may be one of many people (k-map)",
        "Every row fits at least {k} people of the population",
        "Groups may be small where many people outside the table look the same.",
        {"k": ("People that every row fits, at least", 10, 2, 100_000, True)},
        "population",
        "People of the population that every row fits: {measured} or more",
    ),
    "delta-presence": Guarantee(
        "Who is in the table stays open (δ-presence)",
        "Anybody of the population is in the release with a probability from {low} to {high}",
        "Where being in the table tells something by itself. Needs the full-domain search without suppression.",
        {
            "low": ("Lowest probability, 0 to 1", 0, 0, 1, False),
            "high": ("Highest probability, 0 to 1", 0.5, 1e-6, 1, False),
        },
        "population",
        "Highest probability that somebody of the population is in the release: {measured}",
    ),
}
ESTIMATORS = (
    ("dankar", "Chosen by sampling fraction (Dankar)"),
    ("zayatz", "Zayatz"),
    ("pitman", "Pitman"),
    ("snb", "Shifted negative binomial"),
)
"""How the people who are alone are estimated: value in the policy, and what it is called."""


NEED_POPULATION = frozenset(name for name, known in GUARANTEES.items() if known.about == "population")


def promised(model: Mapping[str, Any]) -> tuple[Words, str]:
    """What a model of a policy promises, and why that helps."""
    known = GUARANTEES.get(str(model["name"]))
    if known is None:
        return Words("{model}, as the rules file has it", {"model": model["name"]}), ""
    values = {name: _shown(name, model[name]) for name in known.numbers}
    return Words(known.promise, values | {"column": model.get("column", "")}), known.why


def counted(model: Mapping[str, Any]) -> tuple[Words, Words] | None:
    """What the written file shows of a model that is not about a column, and what was asked; None for another."""
    known = GUARANTEES.get(str(model["name"]))
    if known is None or known.about == "column":
        return None
    share = known.numbers.keys() != {"k"}
    shown = wording.percent(model["measured"], 2) if share else wording.number(int(model["measured"]))
    asked = ", ".join(str(_shown(name, model[name])) for name in known.numbers if name != "people")
    return Words(known.measured, {"measured": shown}), Words("Asked for: {asked}.", {"asked": asked})


def _shown(name: str, value: Any) -> Any:
    """A number of a policy as it is said: shares of the whole in percent, people with their thousands."""
    if name in ("max", "low", "high"):
        return f"{100 * value:g} %"
    return wording.number(int(value)) if name == "people" else value
