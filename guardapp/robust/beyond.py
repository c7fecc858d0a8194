"""What is tried beyond the norm: rows that could be handed in, and harm without malice."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from guardapp.formats.datasets import read_cells
from guardapp.progress import Progress
from guardapp.robust.certify.twin import Twin, certify_twin
from guardapp.robust.constrained import RowAttack, Table, attack_rows
from guardapp.robust.constraints import Constraints
from guardapp.robust.natural import (
    MOST,
    Corrupted,
    Part,
    Summary,
    corrupted,
    faults,
    shuffled,
    subgroups,
    summary,
    turned_and_shifted,
)
from guardapp.robust.patches import Patched, Repainted, attack_squares
from guardapp.robust.stress import Damage, right_share
from guardapp.robust.subject import Subject
from guardapp.robust.victim import Victim

if TYPE_CHECKING:
    from guardapp.robust.job import CheckSpec


class Beyond(NamedTuple):
    """damage joins the check's other damage; rows: None where no constraints were asked for

    twins: of the model under noise, what was proved; empty where none were asked for
    patches: by side, empty where none were asked for; repainted: the pictures that they fooled
    """

    damage: tuple[Damage, ...] = ()
    corruptions: tuple[Corrupted, ...] = ()
    summary: Summary | None = None
    parts: tuple[Part, ...] = ()
    rows: RowAttack | None = None
    patches: tuple[Patched, ...] = ()
    repainted: Repainted | None = None
    twins: tuple[Twin, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """The fields of report.json; damage stands with the check's other damage."""
        return {
            "corruptions": [
                {"name": one.name, "group": one.group, "severity": one.severity, "accuracy": one.right.value}
                | {"low": one.right.low, "high": one.right.high}
                for one in self.corruptions
            ],
            "corruption_summary": None if self.summary is None else self.summary._asdict(),
            "parts": [
                {"kind": part.kind, "name": part.name, "accuracy": part.right.value, "rows": part.right.total}
                | {"low": part.right.low, "high": part.right.high}
                for part in self.parts
            ],
            "constrained": None if self.rows is None else self.rows.as_json(),
            "smoothed": [twin.as_json() for twin in self.twins],
            "patches": [
                {"side": one.side, "robust_accuracy": one.right.value, "pictures": one.right.total}
                | {"low": one.right.low, "high": one.right.high}
                for one in self.patches
            ],
        }


def go_beyond(spec: CheckSpec, subject: Subject, victim: Victim, progress: Progress) -> Beyond:
    """Raises GuardError: check.constraints, check.patch."""
    if subject.data.kind == "image":
        found = _pictures(spec, subject, victim, progress) if spec.natural else Beyond()
        found = _squares(found, spec, subject, victim, progress) if spec.patches else found
    else:
        found = _rows(spec, subject, victim, progress)
    return found._replace(twins=_twins(spec, subject, victim, progress)) if spec.smoothing else found


def _twins(spec: CheckSpec, subject: Subject, victim: Victim, progress: Progress) -> tuple[Twin, ...]:
    found = []
    for sigma in spec.smoothing:
        with progress.stage("Proving the smoothed twin", total=1.0) as stage:
            found.append(certify_twin(victim, subject.x, subject.y, sigma, spec.seed, stage.reach))
    return tuple(found)


def _pictures(spec: CheckSpec, subject: Subject, victim: Victim, progress: Progress) -> Beyond:
    x, y = subject.x[:MOST], subject.y[:MOST]
    with progress.stage("Corrupting pictures", total=1.0) as stage:
        corruptions = corrupted(victim, x, y, spec.seed, stage.reach)
    with progress.stage("Turning and shifting pictures", total=1.0) as stage:
        damage = turned_and_shifted(victim, x, y, stage.reach)
    return Beyond(tuple(damage), tuple(corruptions), summary(corruptions, right_share(victim, x, y)))


def _squares(found: Beyond, spec: CheckSpec, subject: Subject, victim: Victim, progress: Progress) -> Beyond:
    x, y = subject.x[:MOST], subject.y[:MOST]
    with progress.stage("Repainting squares", total=1.0) as stage:
        patches, repainted = attack_squares(victim, x, y, spec.patches, spec.seed, stage.reach)
    return found._replace(patches=tuple(patches), repainted=repainted)


def _rows(spec: CheckSpec, subject: Subject, victim: Victim, progress: Progress) -> Beyond:
    if not spec.natural and spec.constraints is None:
        return Beyond()
    table = table_of(spec, subject)
    attacked: RowAttack | None = None
    damage: tuple[Damage, ...] = ()
    parts: tuple[Part, ...] = ()
    if spec.constraints is not None:
        with progress.stage("Attacking with rows that could be handed in", total=1.0) as stage:
            attacked = attack_rows(victim, table, spec.constraints, spec.seed, stage.reach)
    if spec.natural:
        with progress.stage("Damaging cells"):
            damage = tuple(faults(victim, table, subject.y, spec.seed))
            parts = (*subgroups(victim, table, subject.y), *shuffled(victim, table, subject.y, spec.seed))
    return Beyond(damage, parts=parts, rows=attacked)


def table_of(spec: CheckSpec, subject: Subject) -> Table:
    assert spec.data.table is not None and spec.data.label is not None
    return Table(subject.data, spec.data.label, read_cells(spec.data.table))


def starting_constraints(spec: CheckSpec) -> dict[str, Any]:
    """What an attacker of the spec's table has to keep, everything filled in, for a person to edit.

    Raises GuardError: check.*, model.*, data.*, schema.*, table.*.
    """
    from guardapp.robust.feasible import as_facts
    from guardapp.robust.subject import load

    wanted = spec.constraints or Constraints.model_validate({})
    table = table_of(spec, load(spec))
    resolved = table.resolve(wanted)
    facts = as_facts(wanted, resolved, table.layout)
    columns = {}
    for name, rule in facts["columns"].items():
        columns[name] = {key: rule[key] for key in ("change", "whole", "low", "high", "scale") if key in rule}
        if not columns[name].get("scale", 1):
            # every value of the data is the same, so there is no unit to move it by
            columns[name] = {"change": "fixed"}
    found = wanted.model_dump(exclude_none=True) | {"columns": columns}
    return {
        name: found[name] for name in ("budgets", "categories", "most_columns", "columns", "relations") if name in found
    }
