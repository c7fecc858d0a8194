"""The policy while it is edited: roles and rules of columns, the chosen k, undo and redo. No Qt in here.

A draft is plain data as `policy.yaml` has it; the helper process checks it at every preview, the job again.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from guardapp.desktop.deidentify.history import History

ROLES = ("direct", "quasi", "sensitive", "other")
KEYED = ("pseudonym", "token", "fpe", "date_shift")
"""Rules that need a key of the vault."""
_GONE = ("drop", "redact", "redact_text")
_UNFORESEEN = ("date_shift", "noise", "fake")
"""Rules that change every cell by itself, so that no guarantee can rest on the column."""
_FACTORS = (0.4, 0.6, 0.8, 1, 1.4, 2, 3, 4)
_SURE = 0.9
"""Confidence from which a suggestion is not asked to be checked."""


class Words(NamedTuple):
    """An English key and the values for its places."""

    key: str
    values: dict[str, Any]


class Treatment(NamedTuple):
    """look: `pseudonym`, `generalise`, `suppress` or `keep` of the tokens; words: what happens, for one line."""

    look: str
    words: Words


class Plan(NamedTuple):
    """What a policy says beside its columns and k.

    models:  further guarantees, each as the policy has it; search: engine, metric, suppression, weights
    sample:  share of the rows that stay, None for all; require: `pass` or `report`, what the attacks decide
    """

    models: tuple[Mapping[str, Any], ...]
    search: Mapping[str, Any]
    sample: float | None
    require: str


class State(NamedTuple):
    """One point of the history. Columns are replaced, never changed in place.

    k: the size of groups that is asked for, None for none; target: the k below which a setting misses its aim
    """

    columns: dict[str, dict[str, Any]]
    models: list[dict[str, Any]]
    rest: dict[str, Any]
    k: int | None
    target: int | None


class Draft(History[State]):
    """A policy with its history."""

    def __init__(self, policy: Mapping[str, Any]) -> None:
        models = [dict(model) for model in policy.get("models", [])]
        k = next((int(model["k"]) for model in models if model["name"] == "k-anonymity"), None)
        rest = {name: value for name, value in policy.items() if name not in ("columns", "models")}
        others = [model for model in models if model["name"] != "k-anonymity"]
        super().__init__(State({name: dict(column) for name, column in policy["columns"].items()}, others, rest, k, k))

    # -- what it says ----------------------------------------------------------------------------------------------

    @property
    def columns(self) -> Mapping[str, Mapping[str, Any]]:
        return self._now.columns

    @property
    def k(self) -> int | None:
        return self._now.k if self.quasi else None

    @property
    def target(self) -> int | None:
        return self._now.target if self.quasi else None

    def tradeoff_ks(self) -> list[int]:
        """Sizes of groups worth comparing: a few below the target, more above it, the chosen one among them."""
        target = self.target or 2
        found = {round(target * factor) for factor in _FACTORS} | {self.k or target}
        return sorted(k for k in found if k >= 2)

    @property
    def grouped(self) -> bool:
        """Whether rows are grouped until something holds: a group size, or a guarantee without one."""
        return bool(self.quasi) and (self.k is not None or bool(self.guarantees))

    @property
    def key(self) -> str:
        return str(self._now.rest.get("key", "pseudonyms"))

    @property
    def quasi(self) -> list[str]:
        """Quasi-identifiers that stay in the result."""
        found = self._now.columns.items()
        return [name for name, column in found if column["role"] == "quasi" and rule_name(column) not in _GONE[:2]]

    @property
    def needs_key(self) -> bool:
        return any(rule_name(column) in KEYED for column in self._now.columns.values())

    @property
    def suppression_limit(self) -> float | None:
        """The share of suppressed cells that the policy allows, if it says one."""
        limit = (self._now.rest.get("search") or {}).get("suppression")
        return None if limit is None else float(limit)

    @property
    def plan(self) -> Plan:
        rest = self._now.rest
        search = {name: value for name, value in (rest.get("search") or {}).items() if value is not None}
        require = str((rest.get("attacks") or {}).get("require", "report"))
        return Plan(tuple(self._now.models), search, rest.get("sample"), require)

    @property
    def sensitive(self) -> list[str]:
        """Sensitive columns that can carry a guarantee."""
        return [name for name in self._now.columns if self._carries({"column": name})]

    def policy(self) -> dict[str, Any]:
        """The document that the engine takes; guarantees that a column can no longer carry are left out."""
        now = self._now
        models: list[dict[str, Any]] = []
        if self.quasi:
            size = [{"name": "k-anonymity", "k": self.k}] if self.k is not None else []
            models = [*size, *self.guarantees]
        return {**now.rest, "version": 1, "columns": now.columns, "models": models}

    @property
    def guarantees(self) -> list[dict[str, Any]]:
        """Guarantees beside k; those for a sensitive column only while it is there to carry them."""
        return [model for model in self._now.models if self._carries(model)]

    def _carries(self, model: Mapping[str, Any]) -> bool:
        name = model.get("column")
        if name is None:
            return True
        column = self._now.columns.get(str(name))
        return column is not None and column["role"] == "sensitive" and rule_name(column) not in _GONE + _UNFORESEEN

    def treatment(self, name: str) -> Treatment:
        return treatment(self._now.columns[name], grouped=self.grouped)

    def counts(self) -> dict[str, int]:
        """How many columns each kind of treatment has."""
        found = dict.fromkeys(("suppress", "pseudonym", "generalise", "keep"), 0)
        for column in self._now.columns.values():
            found[treatment(column, grouped=self.grouped).look] += 1
        return found

    # -- changing it -----------------------------------------------------------------------------------------------

    def set_role(self, name: str, role: str, suggestion: Mapping[str, Any] | None = None) -> None:
        """Give a column a role, and the rule that goes with it; `suggestion` is what the profile suggested for it."""
        if self._now.columns[name]["role"] == role:
            return
        if suggestion is not None and suggestion["role"] == role:
            column = dict(suggestion)
        else:
            column = {"role": role, **({"rule": "drop"} if role == "direct" else {})}
        self._step(columns={**self._now.columns, name: column})

    def set_rule(self, name: str, rule: Any = None, hierarchy: Any = None) -> None:
        column = {"role": self._now.columns[name]["role"]}
        if rule is not None:
            column["rule"] = rule
        if hierarchy is not None:
            column["hierarchy"] = hierarchy
        if column != self._now.columns[name]:
            self._step(columns={**self._now.columns, name: column})

    def set_hierarchy(self, name: str, hierarchy: Any) -> None:
        """Another hierarchy for a column whose rule stays; a rule that changes cells by itself gives way to it."""
        now = self._now.columns[name]
        kept = now if rule_name(now) == "keep" or now["role"] == "sensitive" else {"role": now["role"]}
        column = {**kept, "hierarchy": hierarchy}
        if column != now:
            self._step(columns={**self._now.columns, name: column})

    def set_k(self, k: int) -> None:
        if k != self._now.k:
            self._step(k=k)

    def set_target(self, target: int | None) -> None:
        """Ask for groups of at least `target`; a smaller k is raised to it. None: for no size of groups."""
        if target != self._now.target:
            self._step(target=target, k=None if target is None else max(target, self._now.k or 0))

    def set_plan(self, plan: Plan) -> None:
        if plan == self.plan:
            return
        rest = {**self._now.rest, "search": plan.search, "attacks": {"require": plan.require}}
        if plan.sample is None:
            rest.pop("sample", None)
        else:
            rest["sample"] = plan.sample
        self._step(models=list(plan.models), rest=rest)

    def _step(self, **changes: Any) -> None:
        self._go_on(self._now._replace(**changes))


def rule_name(column: Mapping[str, Any]) -> str:
    """The name of the rule that is applied: the role's own where none is given."""
    rule = column.get("rule")
    if isinstance(rule, Mapping):
        return next((name for name, options in rule.items() if options is not None), "keep")
    return str(rule) if rule else ("drop" if column["role"] == "direct" else "keep")


def treatment(column: Mapping[str, Any], *, grouped: bool) -> Treatment:
    """What happens to a column, in the look and in words. grouped: quasi-identifiers are grouped until k holds."""
    rule = rule_name(column)
    options = column["rule"][rule] if isinstance(column.get("rule"), Mapping) else {}
    if rule in _PLAIN:
        look, text = _PLAIN[rule]
        return Treatment(look, Words(text, {}))
    if rule == "mask":
        return Treatment("suppress", Words("Mask, keep last {n}", {"n": options.get("keep_last", 4)}))
    if rule == "generalise":
        return Treatment("generalise", _generalised(options))
    if rule == "top_bottom_code":
        ends = [f"≤ {options['low']:g}"] if options.get("low") is not None else []
        ends += [f"≥ {options['high']:g}"] if options.get("high") is not None else []
        return Treatment("generalise", Words("Bounded, {ends}", {"ends": ", ".join(ends)}))
    if column["role"] == "quasi" and grouped:
        return Treatment("generalise", _grouped(column.get("hierarchy")))
    return Treatment("keep", Words("Keep", {}))


_PLAIN = {
    "drop": ("suppress", "Remove"),
    "redact": ("suppress", "Cover"),
    "redact_text": ("suppress", "Cover inside text"),
    "pseudonym": ("pseudonym", "Pseudonym"),
    "token": ("pseudonym", "Reversible token"),
    "fpe": ("pseudonym", "Encrypted in its format"),
    "date_shift": ("pseudonym", "Dates shifted by person"),
    "fake": ("generalise", "Invented values"),
    "replace": ("generalise", "Replaced from a list"),
    "round": ("generalise", "Rounded"),
    "noise": ("generalise", "Noise, not a DP guarantee"),
    "microaggregate": ("generalise", "Means of small groups"),
    "pram": ("generalise", "Randomised (PRAM)"),
    "rank_swap": ("generalise", "Ranks swapped"),
    "record_swap": ("generalise", "Records swapped"),
}


def _generalised(options: Mapping[str, Any]) -> Words:
    if options.get("width") is not None:
        return Words("Ranges of {width}", {"width": f"{options['width']:g}"})
    return Words("Year only" if options.get("dates") == "year" else "Month only", {})


def _grouped(hierarchy: Any) -> Words:
    if isinstance(hierarchy, Mapping) and "dates" in hierarchy:
        return Words("Month or year", {})
    if isinstance(hierarchy, Mapping) and "intervals" in hierarchy:
        return Words("Ranges of {width}", {"width": f"{hierarchy['intervals']['width']:g}"})
    if isinstance(hierarchy, Mapping) and "mask_right" in hierarchy:
        return Words("First part only", {})
    if hierarchy is not None:
        return Words("Own hierarchy", {})
    return Words("Grouped as needed", {})


class Option(NamedTuple):
    """One rule that a column may have."""

    treatment: Treatment
    rule: Any
    hierarchy: Any


def options(role: str, type_name: str, current: Mapping[str, Any]) -> list[Option]:
    """The rules on offer for a role and a column's type, the present one among them."""
    pairs: list[tuple[Any, Any]] = []
    if role == "quasi":
        pairs = [(None, None), *((None, hierarchy) for hierarchy in _HIERARCHIES.get(type_name, _TEXT_HIERARCHIES))]
        pairs += [("redact", None), ("drop", None)]
    else:
        pairs = [] if role == "direct" else [(None, None)]
        pairs += [("pseudonym", None), ("token", None)] if role != "sensitive" else []
        pairs += [({"mask": {"keep_first": 0, "keep_last": 4, "sign": "*"}}, None)]
        pairs += [({"generalise": options}, None) for options in _GENERALISE.get(type_name, [])]
        pairs += [("redact", None), ("drop", None)]
    now = (current.get("rule"), current.get("hierarchy"))
    if role == "direct" and now[0] is None:
        now = ("drop", None)
    if now not in pairs and now != ("keep", None):
        pairs.insert(0, now)
    return [Option(treatment(_column(role, rule, steps), grouped=True), rule, steps) for rule, steps in pairs]


def _column(role: str, rule: Any, hierarchy: Any) -> dict[str, Any]:
    return {"role": role, "rule": rule, "hierarchy": hierarchy}


_HIERARCHIES: dict[str, list[dict[str, Any]]] = {
    "date": [{"dates": ["month", "year"]}],
    "integer": [{"intervals": {"width": width}} for width in (5.0, 10.0, 20.0)],
    "decimal": [{"intervals": {"width": width}} for width in (1.0, 5.0, 10.0)],
    "boolean": [],
}
_TEXT_HIERARCHIES: list[dict[str, Any]] = [{"mask_right": 6}]
_GENERALISE: dict[str, list[dict[str, Any]]] = {
    "date": [{"dates": "month"}, {"dates": "year"}],
    "integer": [{"width": width} for width in (5.0, 10.0, 20.0)],
    "decimal": [{"width": width} for width in (1.0, 5.0, 10.0)],
}


def to_check(profile: Mapping[str, Any]) -> bool:
    """Whether a person should look at what was suggested for a column: it rests on less than a checksum."""
    if profile["role"] == "other":
        return any(finding.get("inside") for finding in profile.get("kinds", []))
    return float(profile["confidence"]) < _SURE
