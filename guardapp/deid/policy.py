"""The policy: what every column is and what happens to it, and which guarantees the result must meet.

This is the file that a user keeps, reviews and repeats (`policy.yaml`); the page edits it, reports quote it.
A column that is not named is refused, never passed through.
"""

from __future__ import annotations

import difflib
import types
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, Field, ValidationError, model_validator

from guardapp.deid.presence_options import PRESENCE_MODELS, DeltaPresence, KMap, PresenceModel
from guardapp.deid.risk_options import RISK_MODELS, AverageRisk, MaximumRisk, PopulationUniqueness, SampleUniqueness
from guardapp.deid.rule_options import BY_ROW, KEYED, PERTURBING, Fpe, Replace, RuleWithOptions, refuse_contradictions
from guardapp.deid.utility_options import UtilityCheck
from guardapp.errors import GuardError, from_os_error
from guardapp.spec import InputPath, Part

Role = Literal["direct", "quasi", "sensitive", "other"]
DEFAULT_KEY = "pseudonyms"
LARGEST_POLICY = 16 << 20


class Intervals(Part):
    width: float = Field(gt=0, description="Width of a range; ranges start at multiples of it.")


class IntervalHierarchy(Part):
    intervals: Intervals = Field(description="Numbers become ranges of this width, or of several of them.")


class MaskHierarchy(Part):
    mask_right: int = Field(ge=1, le=64, description="How many characters may be masked, from the right, one by one.")


class DateHierarchy(Part):
    dates: list[Literal["month", "year"]] = Field(min_length=1, description="The steps a date may be coarsened by.")


Hierarchy = InputPath | IntervalHierarchy | MaskHierarchy | DateHierarchy


PlainRule = Literal["drop", "redact", "mask", "pseudonym", "token", "fpe", "keep"]


class Column(Part):
    """One column.

    role: direct (names a person by itself), quasi (does so in combination), sensitive (what must not be learnt), other
    """

    role: Role
    rule: PlainRule | RuleWithOptions | None = Field(None, description="Left out: drop for direct, keep for others.")
    hierarchy: Hierarchy | None = Field(
        None,
        description="How a quasi-identifier is coarsened; for a sensitive column, what its distance is measured in.",
    )

    @model_validator(mode="after")
    def _sound(self) -> Column:
        if self.hierarchy is not None and self.role not in ("quasi", "sensitive"):
            raise ValueError("only a column with role quasi or sensitive has a hierarchy")
        if self.role == "direct" and self.rule == "keep":
            raise ValueError("a direct identifier cannot be kept; drop, redact, mask, pseudonym or token it")
        if self.role == "quasi" and self.effective_rule in KEYED + BY_ROW:
            raise ValueError(
                f"a {self.effective_rule} of a quasi-identifier cannot be generalised; make its role direct"
            )
        if self.role == "direct" and self.effective_rule in PERTURBING:
            raise ValueError(f"{self.effective_rule} leaves true values in the column; a direct identifier needs more")
        told = self.options()
        if self.role == "direct" and isinstance(told, Replace) and told.others == "keep":
            raise ValueError("replace with others: keep leaves direct identifiers as they are")
        return self

    def options(self) -> Part | None:
        """What the rule was told, where it takes options."""
        if not isinstance(self.rule, RuleWithOptions):
            return Fpe() if self.rule == "fpe" else None
        chosen = getattr(self.rule, self.effective_rule)
        return chosen if isinstance(chosen, Part) else None

    @property
    def effective_rule(self) -> str:
        """The name of the rule that is applied."""
        if isinstance(self.rule, RuleWithOptions):
            return self.rule.chosen()[0]
        return self.rule or ("drop" if self.role == "direct" else "keep")


class KAnonymity(Part):
    name: Literal["k-anonymity"]
    k: int = Field(ge=2, le=100_000, description="Every row looks like at least k - 1 others.")


class DistinctLDiversity(Part):
    name: Literal["distinct-l-diversity"]
    l: int = Field(ge=2, le=10_000, description="Every group holds at least l different sensitive values.")  # noqa: E741
    column: str


class EntropyLDiversity(Part):
    name: Literal["entropy-l-diversity"]
    l: float = Field(ge=1)  # noqa: E741
    column: str


class RecursiveCLDiversity(Part):
    name: Literal["recursive-cl-diversity"]
    c: float = Field(gt=0)
    l: int = Field(ge=2)  # noqa: E741
    column: str


class TCloseness(Part):
    name: Literal["t-closeness"]
    t: float = Field(gt=0, le=1)
    column: str
    distance: Literal["equal", "ordered", "hierarchical"] = "equal"


class BetaLikeness(Part):
    name: Literal["beta-likeness"]
    beta: float = Field(gt=0)
    column: str


class DeltaDisclosure(Part):
    name: Literal["delta-disclosure"]
    delta: float = Field(gt=0)
    column: str


Model = Annotated[
    KAnonymity
    | DistinctLDiversity
    | EntropyLDiversity
    | RecursiveCLDiversity
    | TCloseness
    | KMap
    | DeltaPresence
    | BetaLikeness
    | DeltaDisclosure
    | AverageRisk
    | MaximumRisk
    | SampleUniqueness
    | PopulationUniqueness,
    Field(discriminator="name"),
]


class Search(Part):
    engine: Literal["local", "lattice"] = Field("local", description="local: Mondrian; lattice: full-domain search.")
    metric: Literal["entropy", "loss", "precision", "discernibility", "aecs", "ambiguity"] | None = Field(
        None, description="What lattice makes smallest; loss unless told otherwise."
    )
    suppression: float | None = Field(
        None, ge=0, le=1, description="Share of rows that may be suppressed; left out: 0 for lattice, any for local."
    )
    weights: dict[str, Annotated[float, Field(gt=0)]] | None = Field(
        None, description="How much the loss in a column counts for entropy, loss and precision; 1 unless named."
    )


class Attacks(Part):
    """What the attacks on the release decide."""

    require: Literal["pass", "report"] = Field(
        "report", description="pass: nothing is released if an attack succeeds; report: it is released with a red flag."
    )


class Policy(Part):
    """What the file `policy.yaml` holds."""

    version: Literal[1] = 1
    columns: dict[str, Column] = Field(min_length=1)
    models: list[Model] = Field(default_factory=list)
    search: Search = Field(default_factory=Search)
    attacks: Attacks = Field(default_factory=Attacks)
    utility: UtilityCheck | None = Field(None, description="What a model loses by the protection, if it is asked.")
    key: str = Field(
        DEFAULT_KEY, min_length=1, max_length=120, description="Vault key that makes pseudonyms and tokens."
    )
    key_check: str | None = Field(
        None, max_length=64, description="Written beside a release: a sign of the key, so that reveal refuses another."
    )
    sample: float | None = Field(
        None, gt=0, lt=1, description="Only this share of the rows, drawn at random, is in the result."
    )

    @model_validator(mode="after")
    def _together(self) -> Policy:
        for model in self.models:
            column = getattr(model, "column", None)
            if column is not None and column not in self.columns:
                near = difflib.get_close_matches(column, self.columns, 1)
                raise ValueError(
                    f"{model.name} names the column “{column}”, which is not under columns"
                    + (f"; perhaps “{near[0]}”" if near else "")
                )
            if column is not None and self.columns[column].role != "sensitive":
                raise ValueError(f"{model.name} needs the role of “{column}” to be sensitive")
            if isinstance(model, TCloseness) and model.distance == "hierarchical":
                tree = self.columns[model.column].hierarchy
                if not isinstance(tree, Path):
                    raise ValueError(f"t-closeness with hierarchical distance needs a hierarchy file for “{column}”")
            if column is not None and self.columns[column].effective_rule in ("drop", "redact", "redact_text"):
                raise ValueError(f"{model.name} needs “{column}” to stay in the result")
            told = self.columns[column].options() if column is not None else None
            if isinstance(told, Fpe) and told.short == "redact":
                raise ValueError(f"{model.name} cannot be met for “{column}” while short values are covered")
            if column is not None and self.columns[column].effective_rule in BY_ROW:
                raise ValueError(f"{model.name} cannot be met for “{column}”: its rule changes every cell by itself")
        if sum(isinstance(model, KAnonymity) for model in self.models) > 1:
            raise ValueError("k-anonymity is asked for twice")
        refuse_contradictions(self.columns)
        if self.utility is not None:
            self.utility.refuse(self.columns)
        self._comparable()
        for name in self.search.weights or {}:
            if name not in self.quasi:
                raise ValueError(f"a weight is given to “{name}”, which is no quasi-identifier of the result")
        return self

    def _comparable(self) -> None:
        """People of the population can be compared with rows only where nothing but grouping changes them."""
        for model in self.presence:
            changed = next((name for name in self.quasi if self.columns[name].effective_rule != "keep"), None)
            if changed is not None:
                raise ValueError(f"{model.name} needs “{changed}” without a rule of its own; give it a hierarchy")
            if isinstance(model, DeltaPresence) and (self.search.engine != "lattice" or self.search.suppression):
                # in other recodings a person may fit several groups, and no share of one group tells presence then
                raise ValueError("delta-presence needs search: {engine: lattice} without suppression")
        if len({model.name for model in self.presence}) < len(self.presence):
            raise ValueError("k-map or delta-presence is asked for twice")

    @property
    def k(self) -> int | None:
        return next((model.k for model in self.models if isinstance(model, KAnonymity)), None)

    @property
    def diversity(self) -> list[DistinctLDiversity]:
        return [model for model in self.models if isinstance(model, DistinctLDiversity)]

    @property
    def risks(self) -> list[AverageRisk | MaximumRisk | SampleUniqueness | PopulationUniqueness]:
        """The models that bound how likely people are recognised."""
        return [
            model
            for model in self.models
            if isinstance(model, AverageRisk | MaximumRisk | SampleUniqueness | PopulationUniqueness)
        ]

    @property
    def presence(self) -> list[PresenceModel]:
        """The models that need a table of the population."""
        return [model for model in self.models if isinstance(model, KMap | DeltaPresence)]

    @property
    def secrets(self) -> list[str]:
        """Sensitive columns that a model is asked of, each once."""
        return list(dict.fromkeys(column for m in self.models if (column := getattr(m, "column", None)) is not None))

    @property
    def quasi(self) -> list[str]:
        """Quasi-identifiers that are still in the result."""
        return [n for n, c in self.columns.items() if c.role == "quasi" and c.effective_rule not in ("drop", "redact")]

    @property
    def needs_key(self) -> bool:
        return any(column.effective_rule in KEYED for column in self.columns.values())


def refuse_incomplete(policy: Policy) -> None:
    """GuardError `policy.incomplete` where there is nothing that a model could be about."""
    if policy.models and not policy.quasi:
        raise GuardError(
            "This policy cannot be run",
            f"{policy.models[0].name} is asked for and no column has the role quasi",
            "Give the columns that describe a person, such as age or postcode, the role quasi.",
            "policy.incomplete",
        )


def load_policy(path: Path) -> Policy:
    """Read a policy file; paths in it are relative to it. GuardError `policy.*` and what the system refuses."""
    return build_policy(load_document(path), name=path.name, base=path.parent)


def load_document(path: Path) -> dict[str, Any]:
    """The fields of a policy file, unchecked. GuardError `policy.not-a-policy`, `policy.not-yaml`."""
    try:
        if path.stat().st_size > LARGEST_POLICY:
            raise _bad(path.name, "the file is larger than 16 MiB", "Choose a policy file.", "policy.not-a-policy")
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise from_os_error(error, path) from error
    except UnicodeDecodeError as error:
        raise _bad(path.name, "it is not UTF-8 text", "Save it as UTF-8.", "policy.not-a-policy") from error
    return _document(text, path.name)


def parse_policy(text: str, *, name: str = "The policy", base: Path | None = None) -> Policy:
    """A policy from YAML text; `base` is the folder that its relative paths start from."""
    return build_policy(_document(text, name), name=name, base=base)


def _document(text: str, name: str) -> dict[str, Any]:
    try:
        document = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"line {mark.line + 1} is not valid YAML" if mark else "it is not valid YAML"
        raise _bad(name, where, "Repair that line.", "policy.not-yaml") from error
    except RecursionError as error:
        raise _bad(name, "it is nested too deeply", "Choose a policy file.", "policy.not-a-policy") from error
    if not isinstance(document, dict):
        raise _bad(
            name, "it holds no fields", "Start from “guardapp deid policy FILE -o policy.yaml”.", "policy.not-a-policy"
        )
    return document


def build_policy(document: Any, *, name: str = "The policy", base: Path | None = None) -> Policy:
    """A policy from plain data. GuardError `policy.unknown-field` (with the nearest known one) or `policy.invalid`."""
    try:
        return Policy.model_validate(document, context={"base": base})
    except ValidationError as error:
        raise explain(name, error) from error


def _bad(name: str, why: str, next: str, code: str) -> GuardError:
    return GuardError(f"{name} cannot be used as a policy", why, next, code)


def explain(name: str, error: ValidationError) -> GuardError:
    """What of the document is wrong, where, and the nearest known field."""
    # a union reports every alternative; what fits one of them best says most
    first = min(error.errors(), key=lambda e: (e["type"] not in ("extra_forbidden", "value_error"), -len(e["loc"])))
    place = ".".join(str(part) for part in first["loc"] if not _internal(part)) or "the file"
    if first["type"] == "extra_forbidden":
        unknown = str(first["loc"][-1])
        near = difflib.get_close_matches(unknown, sorted(_known_fields()), 1)
        return _bad(
            name,
            f"the field “{unknown}” at {place} is not known",
            f"Did you mean “{near[0]}”?" if near else "Remove it.",
            "policy.unknown-field",
        )
    message = str(first["msg"]).removeprefix("Value error, ")
    return _bad(name, f"at {place}: {message}", "Correct it and try again.", "policy.invalid")


def _internal(part: Any) -> bool:
    """Parts of a pydantic location that name a class or a validator rather than a field of the file."""
    return isinstance(part, str) and (part[:1].isupper() or "[" in part or ("-" in part and part in _MODEL_NAMES))


def _known_fields() -> set[str]:
    return {field for part in _parts(Policy) for field in part.model_fields}


def _parts(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
        for field in annotation.model_fields.values():
            yield from _parts(field.annotation)
    elif typing.get_origin(annotation) in (typing.Union, types.UnionType, list, dict, Annotated):
        for inner in typing.get_args(annotation):
            yield from _parts(inner)


_MODEL_NAMES = {
    "k-anonymity", "distinct-l-diversity", "entropy-l-diversity", "recursive-cl-diversity", "t-closeness",
    "beta-likeness", "delta-disclosure", *PRESENCE_MODELS, *RISK_MODELS,
}  # fmt: skip
