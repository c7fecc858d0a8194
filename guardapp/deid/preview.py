"""What a policy would do, before it is run: figures, rows side by side, and the trade-off between risk and utility.

Runs in a helper process (`guardapp.deid.session`), never in the window's. Results are JSON values.
Pseudonyms and what is drawn by chance differ from the final ones: a preview has a key that is thrown away.
"""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from guardapp.deid.axes import SUPPRESSED
from guardapp.deid.before_after import Pair, associations, spread
from guardapp.deid.classes import class_sizes
from guardapp.deid.coding import Coded
from guardapp.deid.policy import Policy, refuse_incomplete
from guardapp.deid.population_table import read_population
from guardapp.deid.presence import thinned
from guardapp.deid.protect import check_columns, coded_columns, read_codes
from guardapp.deid.recoding import Recoded, recode
from guardapp.deid.risk import Risk, risk
from guardapp.deid.rules import rule_for
from guardapp.deid.rules.by_row import RowRules
from guardapp.deid.rules.pseudonym import KEY_BYTES
from guardapp.deid.rules.sampling import sampled
from guardapp.deid.rules.whole_column import rearranged
from guardapp.errors import GuardError
from guardapp.formats.tables import Table
from guardapp.progress import Progress

LIVE_ROWS = 200_000
CURVE_ROWS = 50_000
NEAR_SHARE = 40
"""One in so many rows of a sample stands just below the rows shown, so that scrolling on does not group anew."""

CURVE_KS = (2, 3, 5, 7, 10, 15, 20, 30, 50, 100)

_STATES = {
    "pseudonym": "pseudonym",
    "token": "pseudonym",
    "redact": "suppress",
    "mask": "suppress",
    "redact_text": "suppress",
    "generalise": "generalise",
    "top_bottom_code": "generalise",
    "fpe": "pseudonym",
    "date_shift": "pseudonym",
    "fake": "generalise",
    "replace": "generalise",
    "round": "generalise",
    "noise": "generalise",
    "microaggregate": "generalise",
    "pram": "generalise",
    "rank_swap": "generalise",
    "record_swap": "generalise",
}


class _Grouped(NamedTuple):
    """Rows under one policy. asked: those that were looked at; used: those of them that a sample of rows leaves."""

    question: str
    asked: NDArray[np.int64]
    used: NDArray[np.int64]
    recoded: Recoded
    moved: dict[str, Coded]


class Preview:
    """One opened table under changing policies. Columns are read into codes once and kept."""

    def __init__(self, table: Table) -> None:
        self.table = table
        self._coded: dict[str, Coded] = {}
        self._sizes: dict[tuple[str, ...], NDArray[np.int64]] = {}
        self._rows = 0
        self._last: _Grouped | None = None
        self._key = secrets.token_bytes(KEY_BYTES)
        self.population: Path | None = None
        self._people: tuple[tuple[Path, tuple[str, ...]], dict[str, Coded]] | None = None

    def preview(
        self,
        policy: Policy,
        progress: Progress,
        *,
        k: int | None = None,
        offset: int = 0,
        limit: int = 50,
        exact: bool = False,
    ) -> dict[str, Any]:
        """Figures and rows `offset` … under `policy`, with `k` instead of its own if given.

        On more than 200,000 rows an even sample of that size is grouped unless `exact`; `rows_used` says how many.
        A sample can only understate the utility: more rows make smaller groups.
        """
        refuse_incomplete(policy)
        check_columns(policy, self.table)
        self._read(policy, progress)
        shown = np.arange(min(offset, self._rows), min(offset + limit, self._rows))
        grouped = self._grouped(policy, progress, k, shown, self._rows if exact else LIVE_ROWS)
        asked, recoded = grouped.asked, grouped.recoded
        every = len(grouped.used) == self._rows
        before = recoded.before if every else self._risk_before(policy, k or policy.k or 1)
        original = self.table.page(offset, limit)
        protected, states = self._protect(policy, original, grouped, shown)
        cells = max(len(grouped.used) * len(recoded.columns), 1)
        return {
            "rows": self._rows,
            "rows_used": len(asked),
            "exact": len(asked) == self._rows,
            "k": recoded.k if policy.quasi else None,
            "target_k": k or policy.k,
            "groups": len(recoded.sizes),
            "at_risk": {"before": before.at_risk, "after": recoded.after.at_risk},
            "risk": {"before": before._asdict(), "after": recoded.after._asdict()},
            "suppressed": recoded.suppressed / cells,
            "utility": 1 - recoded.utility.gcp,
            "gcp": recoded.utility.gcp,
            "loss_by_column": recoded.lost,
            "columns": self.table.columns,
            "dropped": [name for name, column in policy.columns.items() if column.effective_rule == "drop"],
            "offset": offset,
            "original": original,
            "protected": protected,
            "states": states,
            "note": "Pseudonyms in the preview differ from the final ones." if policy.needs_key else "",
        }

    def curve(self, policy: Policy, progress: Progress, ks: tuple[int, ...] = CURVE_KS) -> dict[str, Any]:
        """Measured risk and utility for several k, on at most 50,000 evenly spread rows.

        A k that cannot be reached is left out and named in `unreachable`.
        """
        refuse_incomplete(policy)
        check_columns(policy, self.table)
        self._read(policy, progress)
        used = self._sample(CURVE_ROWS, np.zeros(0, np.int64))
        columns = self._take(policy, self._left(policy, used))
        moved = rearranged(policy, columns, self._key, progress)
        points, unreachable = [], []
        for k in ks:
            progress.checkpoint()
            try:
                found = recode(policy, columns, progress, k, moved, self._population(policy, len(used), progress))
            except GuardError as error:
                if error.answer != "no":
                    raise
                unreachable.append(k)
                continue
            points.append(
                {
                    "k": k,
                    "utility": 1 - found.utility.gcp,
                    "risk_max": found.after.prosecutor_max,
                    "risk_mean": found.after.prosecutor_mean,
                    "groups": len(found.sizes),
                }
            )
        return {"points": points, "unreachable": unreachable, "rows": self._rows, "rows_used": len(used)}

    def compare(self, policy: Policy, progress: Progress, k: int | None = None) -> dict[str, Any]:
        """How the compared columns are spread and go together, before and after, on at most 200,000 rows."""
        refuse_incomplete(policy)
        check_columns(policy, self.table)
        self._read(policy, progress)
        grouped = self._grouped(policy, progress, k, np.zeros(0, np.int64), LIVE_ROWS)
        before = self._take(policy, grouped.used)
        pairs: dict[str, Pair] = {}
        for name in [*policy.quasi, *(name for name in before if name not in policy.quasi)]:
            codes, labels = grouped.recoded.columns.get(name) or grouped.moved.get(name) or before[name]
            pairs[name] = Pair(before[name], Coded(codes.astype(np.int32), labels))
        progress.checkpoint()
        return {
            "rows_used": len(grouped.used),
            "rows": self._rows,
            "columns": [spread(name, pair) for name, pair in pairs.items()],
            "associations": associations(pairs),
        }

    def values(self, name: str, progress: Progress) -> list[str | None]:
        """The different values of one column; None is missing."""
        if name not in self._coded:
            coded, self._rows = read_codes(self.table, [name], progress)
            self._coded.update(coded)
        return self._coded[name].values

    def _grouped(
        self, policy: Policy, progress: Progress, k: int | None, shown: NDArray[np.int64], most: int
    ) -> _Grouped:
        """The rows that are grouped, those `shown` among them, and their groups; kept while the question is the same.

        Scrolling asks for page after page under one policy, and grouping again takes seconds on a long table.
        """
        question = f"{policy.model_dump_json()} {k} {most} {self.population}"
        last = self._last
        if last is not None and last.question == question and np.isin(shown, last.asked).all():
            return last
        near = np.arange(shown[0], min(shown[0] + most // NEAR_SHARE, self._rows)) if len(shown) else shown
        asked = self._sample(most, np.union1d(near, shown))
        used = self._left(policy, asked)
        columns = self._take(policy, used)
        moved = rearranged(policy, columns, self._key, progress)
        people = self._population(policy, len(asked), progress)
        self._last = _Grouped(question, asked, used, recode(policy, columns, progress, k, moved, people), moved)
        return self._last

    def _population(self, policy: Policy, asked: int, progress: Progress) -> dict[str, Coded] | None:
        """The population's columns, kept while it is the same; of a sample of rows, as large a share of the people.

        Otherwise a sample would seem to hide who is in the table; fewer people can only understate a k-map.
        """
        if not policy.presence or self.population is None:
            return read_population(policy, self.population, progress)
        question = (self.population, tuple(policy.quasi))
        if self._people is None or self._people[0] != question:
            found = read_population(policy, self.population, progress)
            assert found is not None
            self._people = question, found
        people = self._people[1]
        return people if asked == self._rows else thinned(people, asked / self._rows)

    def _left(self, policy: Policy, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Those of `rows` that random sampling leaves in the result."""
        chosen = sampled(policy, self._rows, self._key)
        if chosen is None:
            return rows
        left = rows[chosen[rows]]
        # a tiny share of a long table may leave none of the rows that are looked at
        return left if len(left) else np.flatnonzero(chosen)[:1]

    def _read(self, policy: Policy, progress: Progress) -> None:
        missing = [name for name in coded_columns(policy) if name not in self._coded]
        if missing or not self._rows:
            coded, self._rows = read_codes(self.table, missing, progress)
            self._coded.update(coded)

    def _risk_before(self, policy: Policy, k: int) -> Risk:
        """Of the whole table: rows of a sample look rarer than they are."""
        names = tuple(policy.quasi)
        if names not in self._sizes:
            self._sizes[names] = class_sizes([self._coded[name].codes for name in names])
        return risk(self._sizes[names], k)

    def _sample(self, most: int, shown: NDArray[np.int64]) -> NDArray[np.int64]:
        if self._rows <= most:
            return np.arange(self._rows)
        # marking them is several times as fast as sorting, and is done at every jump in a long table
        chosen = np.zeros(self._rows, bool)
        chosen[np.linspace(0, self._rows - 1, most).astype(np.int64)] = True
        chosen[shown] = True
        return np.flatnonzero(chosen)

    def _take(self, policy: Policy, used: NDArray[np.int64]) -> dict[str, Coded]:
        every = len(used) == self._rows
        return {
            name: column if every else Coded(column.codes[used], column.values)
            for name in coded_columns(policy)
            for column in [self._coded[name]]
        }

    def _protect(
        self, policy: Policy, original: list[list[str]], grouped: _Grouped, shown: NDArray[np.int64]
    ) -> tuple[list[list[str | None]], list[list[str]]]:
        """The page under the policy, and for each cell what happened: "", pseudonym, generalise or suppress."""
        names = self.table.columns
        before: dict[str, list[str | None]] = {
            name: [row[index] or None for row in original] for index, name in enumerate(names)
        }
        left = np.isin(shown, grouped.used)
        places = np.minimum(np.searchsorted(grouped.used, shown), len(grouped.used) - 1)
        after = {name: self._column(policy, name, cells, grouped, places) for name, cells in before.items()}
        at = str(shown[0]) if len(shown) else ""
        rules = RowRules(policy, self._key, self._key, at)
        if rules.columns:
            after |= rules.apply(before.__getitem__, after.__getitem__, len(original))
        protected: list[list[str | None]] = [[] for _ in original]
        states: list[list[str]] = [[] for _ in original]
        for name, cells in after.items():
            happened = _STATES.get(policy.columns[name].effective_rule, "generalise")
            gone = policy.columns[name].effective_rule == "drop"
            for row, (cell, new) in enumerate(zip(before[name], cells, strict=True)):
                if gone or not left[row]:
                    protected[row].append(None)
                    states[row].append("suppress")
                    continue
                protected[row].append(new or "")
                same = (new or "") == (cell or "")
                states[row].append("" if same else "suppress" if new == SUPPRESSED else happened)
        return protected, states

    def _column(
        self, policy: Policy, name: str, before: list[str | None], grouped: _Grouped, places: NDArray[np.int64]
    ) -> list[str | None]:
        if name in grouped.recoded.columns:
            codes, labels = grouped.recoded.columns[name]
            return [labels[codes[place]] for place in places.tolist()]
        if name in grouped.moved:
            codes, labels = grouped.moved[name]
            return [labels[codes[place]] for place in places.tolist()]
        column = policy.columns[name]
        if column.effective_rule == "drop":
            return [None] * len(before)
        rule = rule_for(name, column, self._key)
        if rule is None:
            return list(before)
        known = [cell for cell in dict.fromkeys(before) if cell]
        changed = dict(zip(known, rule(known), strict=True))
        return [changed[cell] if cell else None for cell in before]
