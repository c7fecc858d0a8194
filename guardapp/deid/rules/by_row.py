"""Rules that see rows: what becomes of a cell depends on other cells of its row, or on chance. Batch by batch."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from guardapp.deid.policy import Policy
from guardapp.deid.rule_options import DateShift, Fake, Noise
from guardapp.deid.rules.chance import Chance
from guardapp.deid.rules.date_shift import shifted
from guardapp.deid.rules.fakes import persons, value
from guardapp.deid.rules.noise import noisy

Cell = str | None
Cells = Callable[[str], Sequence[Cell]]
"""The cells of a column by its name, None where one is missing."""


class RowRules:
    """The rules of a policy that see rows.

    key:    32 bytes of the vault, needed where dates are shifted
    secret: 32 fresh bytes, from which chance is drawn; where it starts anew for every page, `at` keeps pages apart
    """

    def __init__(self, policy: Policy, key: bytes | None, secret: bytes, at: str = "") -> None:
        options = {name: column.options() for name, column in policy.columns.items()}
        self._key = key
        self._shifts = {name: found for name, found in options.items() if isinstance(found, DateShift)}
        self._noises = {
            name: (found, Chance(secret, f"noise{at}/{name}"))
            for name, found in options.items()
            if isinstance(found, Noise)
        }
        self._fakes = {
            name: (found, Chance(secret, f"fake{at}/{name}"))
            for name, found in options.items()
            if isinstance(found, Fake)
        }
        self._persons = Chance(secret, f"persons{at}")
        self.columns = [*self._shifts, *self._noises, *self._fakes]

    def apply(self, before: Cells, released: Cells, rows: int) -> dict[str, list[Cell]]:
        """The new cells of `columns`. before: cells as they came; released: those of other columns as they will go."""
        new: dict[str, list[Cell]] = {}
        for name, shift in self._shifts.items():
            assert self._key is not None
            new[name] = shifted(self._key, shift, before(name), before(shift.person))
        for name, (noise, chance) in self._noises.items():
            new[name] = noisy(noise, before(name), chance)

        def known(name: str) -> Sequence[Cell]:
            return new[name] if name in new else released(name)

        if self._fakes:
            invented = persons([fake for fake, _ in self._fakes.values()], known, rows, self._persons)
            for name, (fake, chance) in self._fakes.items():
                draws = chance.shares(rows).tolist()
                new[name] = [
                    value(fake.kind, person, draw) if cell else None
                    for cell, person, draw in zip(before(name), invented, draws, strict=True)
                ]
        return new
