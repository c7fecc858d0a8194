"""What the rules of a policy may be told: one small document for each rule that takes options."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Literal, Protocol

from pydantic import Field, model_validator

from guardapp.spec import Part

KEYED = ("pseudonym", "token", "fpe", "date_shift")
"""Rules that need a key of the vault."""
REVERSIBLE = ("token", "fpe", "date_shift")
"""Rules that `guardapp deid reveal` turns back."""
BY_ROW = ("date_shift", "noise", "fake")
"""Rules whose result depends on more than the cell's own value: on other cells of the row, or on chance."""
WHOLE_COLUMN = ("microaggregate", "pram", "rank_swap", "record_swap")
"""Rules that compare or exchange the values of a column, so that all of them are read first."""

PERTURBING = ("microaggregate", "pram", "rank_swap", "record_swap", "noise", "round")
"""Rules that leave true or nearly true values in the column, only not in their rows."""

Alphabet = Literal["digits", "lower", "upper", "letters", "digits_lower", "digits_upper", "alphanumeric"]
Consistent = Literal["column", "project"]
CONSISTENT = "column: as a rule of its own for each column; project: alike in all columns and tables under the key."


class Mask(Part):
    """Cover characters, keep the length."""

    keep_first: int = Field(0, ge=0, description="Characters left as they are at the start.")
    keep_last: int = Field(4, ge=0, description="Characters left as they are at the end.")
    sign: str = Field("*", min_length=1, max_length=1, description="What covers a character.")


class Generalise(Part):
    """Numbers into ranges, or dates into months or years: one of the two."""

    width: float | None = Field(None, gt=0, description="Width of a range of numbers.")
    dates: Literal["month", "year"] | None = Field(None, description="What is left of a date.")

    @model_validator(mode="after")
    def _one_of(self) -> Generalise:
        if (self.width is None) == (self.dates is None):
            raise ValueError("generalise takes either width or dates")
        return self


class TopBottomCode(Part):
    """Numbers beyond a bound become the bound, written `≤low` and `≥high`."""

    low: float | None = Field(None, description="Smaller values are shown as this.")
    high: float | None = Field(None, description="Larger values are shown as this.")

    @model_validator(mode="after")
    def _some_bound(self) -> TopBottomCode:
        if self.low is None and self.high is None:
            raise ValueError("top_bottom_code needs low, high or both")
        if self.low is not None and self.high is not None and self.low >= self.high:
            raise ValueError("low must be smaller than high")
        return self


class Keyed(Part):
    """A pseudonym or token."""

    consistent: Consistent = Field("column", description=CONSISTENT)


class Fpe(Part):
    """Format-preserving encryption, FF1. Characters that are not in the alphabet stay in their place."""

    alphabet: Alphabet = Field("digits", description="The characters that are encrypted, each into another of them.")
    short: Literal["refuse", "redact"] = Field(
        "refuse", description="What becomes of values with too few such characters for a million possibilities."
    )
    consistent: Consistent = Field("column", description=CONSISTENT)


class DateShift(Part):
    """Move all dates of a person by the same secret number of days; intervals stay."""

    person: str = Field(min_length=1, description="The column that says whose row it is.")
    days: int = Field(182, ge=1, le=36_500, description="The most days by which a date moves, either way.")
    consistent: Consistent = Field("column", description="As for pseudonyms, of the column that names the person.")


class Round(Part):
    """Numbers become the nearest multiple; halves go away from zero."""

    to: float = Field(gt=0, description="What numbers become multiples of: 100, or 0.5.")


class Replace(Part):
    """Values become what a list says."""

    values: dict[str, str] = Field(min_length=1, max_length=100_000, description="Each value and what replaces it.")
    others: Literal["redact", "keep"] = Field("redact", description="What becomes of values that are not listed.")


class Noise(Part):
    """Random numbers are added to the cells. This is noise, not a differential-privacy guarantee."""

    kind: Literal["laplace", "gaussian"] = "laplace"
    scale: float = Field(
        gt=0, description="Laplace: its scale b; Gaussian: the standard deviation; in the cell's unit."
    )
    low: float | None = Field(None, description="Smaller results become this.")
    high: float | None = Field(None, description="Larger results become this.")

    @model_validator(mode="after")
    def _bounds(self) -> Noise:
        if self.low is not None and self.high is not None and self.low >= self.high:
            raise ValueError("low must be smaller than high")
        return self


class Microaggregate(Part):
    """Numbers become the mean of a group of similar rows."""

    size: int = Field(5, ge=2, le=1000, description="Rows in a group, at least.")
    together: str | None = Field(None, description="Columns with the same word here are grouped together.")


class Pram(Part):
    """Post-randomisation: a cell stays, or is drawn again from the column, so that frequencies stay in expectation."""

    keep: float = Field(0.8, ge=0, lt=1, description="The probability that a cell is not drawn again.")


class RankSwap(Part):
    """Values change places with others of a similar rank."""

    within: float = Field(5, gt=0, le=100, description="The farthest difference of ranks, in percent of the rows.")


class RecordSwap(Part):
    """Pairs of rows change their values of this column (and of those together with it)."""

    share: float = Field(0.05, gt=0, le=1, description="The share of rows that change places.")
    agree: list[str] = Field(default_factory=list, description="Columns in which both rows of a pair are equal.")
    together: str | None = Field(None, description="Columns with the same word here are exchanged together.")


class Fake(Part):
    """An invented value; all invented values of a row belong to one invented person."""

    kind: Literal["name", "surname", "given", "email", "phone", "cn_resident_id"]
    language: Literal["en", "zh"] = Field("en", description="The language of names.")
    birth: str | None = Field(None, description="The column whose date of birth an ID agrees with.")
    sex: str | None = Field(None, description="The column whose sex names and IDs agree with.")
    region: str | None = Field(None, description="The column whose province an ID agrees with.")


class RuleWithOptions(Part):
    """A rule that takes options: exactly one of these."""

    mask: Mask | None = None
    generalise: Generalise | None = None
    top_bottom_code: TopBottomCode | None = None
    redact_text: list[str] | None = Field(None, min_length=1, description="Kinds to cover inside free text.")
    pseudonym: Keyed | None = None
    token: Keyed | None = None
    fpe: Fpe | None = None
    date_shift: DateShift | None = None
    round: Round | None = None
    replace: Replace | None = None
    noise: Noise | None = None
    microaggregate: Microaggregate | None = None
    pram: Pram | None = None
    rank_swap: RankSwap | None = None
    record_swap: RecordSwap | None = None
    fake: Fake | None = None

    @model_validator(mode="after")
    def _exactly_one(self) -> RuleWithOptions:
        if len(self.chosen()) != 1:
            raise ValueError(f"a rule is exactly one of {', '.join(type(self).model_fields)}")
        from guardapp.deid.detectors import ASKED_KINDS, TEXT_KINDS

        known = (*TEXT_KINDS, *ASKED_KINDS)
        for kind in self.redact_text or []:
            if kind not in known:
                near = difflib.get_close_matches(kind, known, 1)
                raise ValueError(f"redact_text does not know “{kind}”" + (f", perhaps “{near[0]}”" if near else ""))
        return self

    def chosen(self) -> list[str]:
        return [name for name in type(self).model_fields if getattr(self, name) is not None]


class _Ruled(Protocol):
    @property
    def effective_rule(self) -> str: ...

    def options(self) -> Part | None: ...


def refuse_contradictions(columns: Mapping[str, _Ruled]) -> None:
    """ValueError where a rule names a column that is not there, or columns that belong together disagree."""
    shared: dict[tuple[str, str], Part] = {}
    fakes: dict[str, str | None] = {}
    for name, column in columns.items():
        options = column.options()
        for other in _named(options):
            if other not in columns:
                raise ValueError(f"the rule of “{name}” names the column “{other}”, which is not under columns")
            if other == name:
                raise ValueError(f"the rule of “{name}” names the column itself")
        together = getattr(options, "together", None)
        if options is not None and together is not None:
            first = shared.setdefault((column.effective_rule, together), options)
            if first != options:
                raise ValueError(f"the columns with together “{together}” must have the same options")
        if isinstance(options, Fake):
            for field in ("birth", "sex", "region", "language"):
                wanted = getattr(options, field)
                if wanted is not None and fakes.setdefault(field, wanted) != wanted:
                    raise ValueError(f"all fakes of a row are one person: “{name}” has another {field}")
                if field != "language" and wanted is not None and columns[wanted].effective_rule == "fake":
                    raise ValueError(f"the fake of “{name}” cannot agree with “{wanted}”, which is a fake itself")


def _named(options: Part | None) -> list[str]:
    """The other columns that a rule refers to."""
    found = [getattr(options, field, None) for field in ("person", "birth", "sex", "region")]
    return [name for name in found if name is not None] + list(getattr(options, "agree", []))
