"""The attacks as a job runs them: with a named population and the earlier releases that the vault remembers."""

from __future__ import annotations

from pathlib import Path

from guardapp.deid.attacks.campaign import attack, gather
from guardapp.deid.attacks.result import AttackResult
from guardapp.deid.certificate import file_sha256
from guardapp.deid.policy import Policy
from guardapp.errors import GuardError
from guardapp.formats.tables import Table, open_table
from guardapp.progress import Progress
from guardapp.vault.releases import Releases, header_sha256

MOST_EARLIER = 3


def attack_release(
    policy: Policy,
    original: Table,
    released: Table,
    as_written: dict[str, str],
    rows: int,
    input_sha256: str,
    population: Path | None,
    progress: Progress,
    *,
    in_order: bool,
) -> list[AttackResult]:
    """All attacks on the file that was written.

    GuardError `deid.attack-succeeded` if one succeeds and the policy requires that none does.
    """
    evidence = gather(
        policy,
        original,
        released,
        as_written,
        rows,
        progress,
        population=open_table(population) if population is not None else None,
        earlier=_earlier(original, input_sha256, progress),
        in_order=in_order,
    )
    results = attack(evidence, progress)
    succeeded = [result for result in results if result.succeeded]
    for result in succeeded:
        shown = ", ".join(map(str, result.rows))
        progress.log(f"Attack {result.name}: {result.sentence}. Rows: {shown}", "warning")
    if succeeded and policy.attacks.require == "pass":
        raise GuardError(
            "Nothing was released: an attack on the protected file succeeded",
            succeeded[0].sentence,
            "Group or cover the columns that the attack used, or write attacks: {require: report} to release it with "
            "this red flag.",
            "deid.attack-succeeded",
            answer="no",
        )
    return results


def _earlier(original: Table, input_sha256: str, progress: Progress) -> list[tuple[Table, bool]]:
    """The newest releases of the same data that still lie where they were, unchanged."""
    found: list[tuple[Table, bool]] = []
    seen: set[str] = set()
    try:
        known = Releases().of_same_data(input_sha256, header_sha256(original.columns))
    except GuardError as error:
        progress.log(str(error), "warning")
        return found
    for release in known:
        progress.checkpoint()
        if len(found) == MOST_EARLIER or release.sha256 in seen or not release.path.is_file():
            continue
        try:
            if file_sha256(release.path) == release.sha256:
                found.append((open_table(release.path), release.input_sha256 == input_sha256))
                seen.add(release.sha256)
        except GuardError:
            # what cannot be read any more is no help to an attacker either
            continue
    return found
