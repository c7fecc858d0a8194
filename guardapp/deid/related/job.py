"""The job kind `tables`: a folder or database of tables in, each protected by one policy, and all attacked together."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field

from guardapp.deid.job import DeidResult, DeidSpec, Output, remember
from guardapp.deid.job import run as run_table
from guardapp.deid.related.policy import TablesPolicy, load_tables_policy, places
from guardapp.errors import GuardError, from_os_error
from guardapp.progress import Progress
from guardapp.spec import REFERENCE, InputPath, KeyNeed, Result, Spec

if TYPE_CHECKING:
    from guardapp.deid.attacks.result import AttackResult

ATTACK = "joined-tables"
MEASURE = "Share of people in groups that are too small when the tables are joined"


class TablesSpec(Spec, kind="tables"):
    """Protect several tables about the same people under one policy."""

    input: InputPath = Field(description="A folder of tables, or a workbook or database. It is read, never changed.")
    policy: TablesPolicy | InputPath = Field(description="A policy for several tables, or the same in place.")
    output: Output = Field(default_factory=Output, description="How the results are written.")
    sign: str = Field("", max_length=120, description="Signing key in the vault for the certificates; none: unsigned.")

    def read_policy(self) -> TablesPolicy:
        return self.policy if isinstance(self.policy, TablesPolicy) else load_tables_policy(self.policy)

    def keys(self) -> list[KeyNeed]:
        signing = [KeyNeed(self.sign, "private")] if self.sign else []
        if isinstance(self.policy, Path) and str(self.policy).startswith(REFERENCE):
            return signing
        policy = self.read_policy()
        return [KeyNeed(policy.key, "pseudonym"), *signing] if policy.needs_key else signing


class TablesResult(Result):
    """The tables by name with their rows; joined figures are of people, None where the tables cannot be joined."""

    tables: dict[str, int]
    people: int | None = None
    joined_k: int | None = None
    joined_at_risk: float | None = None
    red_flags: int = 0


def run(spec: TablesSpec, out: Path, progress: Progress) -> TablesResult:
    """Write a release for each table into a folder of its name in `out`, and `report.json` and `report.html`.

    GuardError: what `guardapp.deid.job.run` raises, for any of the tables; `tables.*`; `deid.attack-succeeded` if the
    policy requires that no attack does and joining the tables makes groups of people that are too small.
    """
    from guardapp.deid.related.report import write_report

    policy = spec.read_policy()
    sources = places(policy, spec.input)
    results: dict[str, DeidResult] = {}
    for name, table in policy.tables.items():
        progress.log(f"Table {name}")
        folder = out / name
        folder.mkdir()
        single = DeidSpec(
            name=name,
            input=sources[name],
            table=table.table,
            policy=table.alone(),
            output=spec.output,
            sign=spec.sign,
        )
        results[name] = run_table(single, folder, progress.part(name))
    attack, people, k = _attack_joined(policy, out, progress)
    unused = _unused(spec.input, policy)
    report: dict[str, Any] = {
        "tables": {name: json.loads((out / name / "report.json").read_text("utf-8")) for name in results},
        "person": policy.person,
        "people": people,
        "joined_k": k,
        "attacks": [attack.model_dump()],
        "not_released": unused,
    }
    try:
        (out / "report.json").write_text(json.dumps(report, ensure_ascii=False, indent=2), encoding="utf-8")
        write_report(out / "report.html", spec.input.name, results, report)
    except OSError as error:
        raise from_os_error(error, out) from error
    progress.artifact("report", out / "report.html")
    rows = {name: result.rows for name, result in results.items()}
    progress.facts(rows=sum(rows.values()))
    red_flags = attack.succeeded + sum(result.red_flags for result in results.values())
    return TablesResult(
        headline=_headline(len(rows), k, red_flags),
        tables=rows,
        people=people,
        joined_k=k,
        joined_at_risk=attack.measured,
        red_flags=red_flags,
    )


def published(spec: TablesSpec, folder: Path) -> None:
    """Remember each table's release."""
    for name in spec.read_policy().tables:
        remember(folder / name)


def _attack_joined(policy: TablesPolicy, out: Path, progress: Progress) -> tuple[AttackResult, int | None, int | None]:
    """Join what was released, as an outsider would. GuardError `deid.attack-succeeded` if that must not succeed."""
    from guardapp.deid.attacks.result import UNLINKED_K, AttackResult, not_run, row_numbers
    from guardapp.deid.certificate import released
    from guardapp.deid.related.joining import JoinedTable, join

    linked = policy.joined
    if len(linked) < 2:
        return not_run(ATTACK, MEASURE, "Fewer than two tables say whose rows they hold"), None, None
    asked = max([policy.tables[name].k or UNLINKED_K for name in linked])
    tables, total = {}, 0
    for name, column in linked.items():
        table, stated = released(out / name)
        # a header that a spreadsheet would run was written with an apostrophe in front
        written = column if column in table.columns else f"'{column}"
        tables[name] = JoinedTable(table, written, list(stated["guarantees"]["quasi"]))
        total += int(stated["output"]["rows"])
    with progress.stage("Joining the released tables", total=total) as stage:
        found = join(tables, asked, stage.advance)
    succeeded = found.k < asked and found.people > 0
    first = next(iter(linked))
    sentence = (
        f"Joined by person, {found.people} people show a smallest group of {found.k}; {asked} were asked for. "
        f"Rows are those of {first}"
        if succeeded
        else f"Joined by person, each of {found.people} people looks like at least {found.k - 1} others"
        if found.people
        else "No row says whose it is"
    )
    result = AttackResult(
        name=ATTACK,
        outcome="succeeded" if succeeded else "withstood",
        measure=MEASURE,
        measured=found.at_risk,
        sentence=sentence,
        rows=row_numbers(found.rows),
        columns=sorted(set(linked.values())),
    )
    if succeeded:
        progress.log(f"Attack {ATTACK}: {sentence}.", "warning")
        if policy.attacks.require == "pass":
            raise GuardError(
                "Nothing was released: an attack on the protected tables succeeded",
                sentence,
                "Drop the column that links the tables where it is not needed, group more, or write "
                "attacks: {require: report} to release them with this red flag.",
                "deid.attack-succeeded",
                answer="no",
            )
    return result, found.people, found.k


def _unused(source: Path, policy: TablesPolicy) -> list[str]:
    """Files of the folder that the policy does not name: they are not released, and the report says so."""
    if not source.is_dir():
        return []
    named = {table.file for table in policy.tables.values()}
    return sorted(entry.name for entry in source.iterdir() if entry.name not in named and entry.name[0] != ".")


def _headline(tables: int, k: int | None, red_flags: int) -> str:
    if red_flags:
        return (
            "An attack succeeded on this release: see its report"
            if red_flags == 1
            else f"{red_flags} attacks succeeded on this release: see its report"
        )
    if k is None:
        return f"{tables} tables · not joined by person"
    return f"{tables} tables · joined k = {k}"
