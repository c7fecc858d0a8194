"""All attacks on one written release, one after the other, each shown as a stage and free to be stopped."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from guardapp.deid.attacks.background import background_knowledge
from guardapp.deid.attacks.dictionary import dictionary
from guardapp.deid.attacks.differencing import differencing
from guardapp.deid.attacks.evidence import SAMPLE_ROWS, Earlier, Evidence, read_side
from guardapp.deid.attacks.homogeneity import homogeneity
from guardapp.deid.attacks.leftovers import leftovers
from guardapp.deid.attacks.linkage import nearest_row, population_linkage, record_linkage
from guardapp.deid.attacks.rare import rare_combination
from guardapp.deid.attacks.refinement import refinement
from guardapp.deid.attacks.result import AttackResult
from guardapp.deid.policy import Policy
from guardapp.deid.rule_options import KEYED
from guardapp.errors import GuardError
from guardapp.progress import Progress

if TYPE_CHECKING:
    from guardapp.formats.tables import Table

ATTACKS: tuple[Callable[[Evidence], AttackResult], ...] = (
    record_linkage,
    population_linkage,
    nearest_row,
    homogeneity,
    background_knowledge,
    dictionary,
    leftovers,
    refinement,
    rare_combination,
    differencing,
)


def attack(evidence: Evidence, progress: Progress | None = None) -> list[AttackResult]:
    """Every attack, in the order of `ATTACKS`."""
    results = []
    with (progress or Progress()).stage("Attacking the release", total=len(ATTACKS)) as stage:
        for one in ATTACKS:
            results.append(one(evidence))
            stage.advance(1)
    return results


def gather(
    policy: Policy,
    original: Table,
    release: Table,
    as_written: dict[str, str],
    rows: int,
    progress: Progress,
    *,
    population: Table | None = None,
    earlier: Sequence[tuple[Table, bool]] = (),
    in_order: bool = True,
) -> Evidence:
    """Read both tables afresh, and what else is at hand.

    as_written: name in the policy to name in the release, where a header may have been escaped
    earlier:    tables of earlier releases, each with whether it was made from the same input
    in_order:   whether the rows of both come in the same order
    """
    stride = max(-(-rows // SAMPLE_ROWS), 1)
    quasi = [name for name in policy.quasi if name in as_written]
    sensitive = [name for name in as_written if policy.columns[name].role == "sensitive"]
    keyed = [name for name in as_written if policy.columns[name].effective_rule in KEYED] if earlier else []
    with progress.stage("Preparing the attacks", total=2 * rows) as stage:
        before = read_side(original, quasi, stride=stride, on_rows=stage.advance)
        after = read_side(
            release,
            [*quasi, *sensitive, *(name for name in keyed if name not in sensitive)],
            names=as_written,
            categories=[name for name in as_written if policy.columns[name].role == "other" and name not in keyed],
            stride=stride,
            on_rows=stage.advance,
        )
    known = read_side(population, quasi, stride=0) if population is not None else None
    then = []
    for table, same_input in earlier:
        names = {name: name for name in policy.columns if name in table.columns}
        whole = [n for n, column in policy.columns.items() if column.role in ("quasi", "sensitive") or n in keyed]
        progress.checkpoint()
        try:
            then.append(Earlier(read_side(table, whole, names=names, stride=0), same_input))
        except GuardError:
            # an earlier file that was damaged since is no help to an attacker either
            continue
    aligned = in_order and before.rows == after.rows == rows
    return Evidence(policy, before, after, aligned, stride, known, then, progress.checkpoint)
