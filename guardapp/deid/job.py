"""The job kind `deid`: a table in, a protected table out, and the proof that it is."""

from __future__ import annotations

import hashlib
import json
import secrets
from contextlib import ExitStack, closing
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from guardapp.deid.policy import Policy, load_policy
from guardapp.errors import GuardError, from_os_error
from guardapp.progress import Progress
from guardapp.spec import REFERENCE, InputPath, KeyNeed, Part, Result, Spec

if TYPE_CHECKING:
    from guardapp.deid.check import Measured
    from guardapp.deid.check_population import People
    from guardapp.formats.tables import Format, Table


WRITE_ROWS = 16_384
"""Rows written between two looks at whether the job should stop: a quarter of a second of pseudonyms and text rules."""


class Output(Part):
    """How the result is written."""

    format: Literal["csv", "parquet", "jsonl", "xlsx", "sqlite"] | None = Field(
        None, description="The format of the result; otherwise that of the input."
    )
    order: Literal["keep", "shuffle"] = Field(
        "keep",
        description="Rows in their order, or in a secret random one: an order can tell who is who to someone who has "
        "seen the original list.",
    )


class DeidSpec(Spec, kind="deid"):
    """Protect a table: cover or replace what names people, group what describes them."""

    input: InputPath = Field(
        description="The table to protect: CSV, JSON Lines, Parquet, XLSX or SQLite. It is read, never changed."
    )
    table: str | None = Field(None, description="Which sheet of a workbook or table of a database, if several.")
    output: Output = Field(default_factory=Output, description="How the result is written.")
    policy: Policy | InputPath = Field(
        description="What happens to every column and which guarantees must hold: a policy file, or the same in place."
    )

    population: InputPath | None = Field(
        None,
        description="A table with the same quasi-identifiers of more people, to attack the release with, and for "
        "k-map and delta-presence.",
    )
    sign: str = Field("", max_length=120, description="Signing key in the vault for the certificate; none: unsigned.")

    def read_policy(self) -> Policy:
        return self.policy if isinstance(self.policy, Policy) else load_policy(self.policy)

    def keys(self) -> list[KeyNeed]:
        signing = [KeyNeed(self.sign, "private")] if self.sign else []
        if isinstance(self.policy, Path) and str(self.policy).startswith(REFERENCE):
            return signing
        policy = self.read_policy()
        return [KeyNeed(policy.key, "pseudonym"), *signing] if policy.needs_key else signing


class DeidResult(Result):
    """k, rows at risk and utility as recomputed from the written file; `table` and `policy` name the written files."""

    rows: int
    k: int | None
    at_risk: float
    at_risk_before: float
    gcp: float
    escaped_cells: int
    table: str
    policy: str
    red_flags: int = 0


def run(spec: DeidSpec, out: Path, progress: Progress) -> DeidResult:
    """Write the protected table, its certificate, `policy.yaml`, `report.json` and `report.html` into `out`.

    GuardError: `policy.*`, `hierarchy.*`, `rule.*`, `table.*`; `deid.not-met` if the file that was written does not
    hold what the policy asks for, and `deid.attack-succeeded` if the policy requires that no attack does: both fail
    the job.
    """
    from guardapp.deid import certificate
    from guardapp.deid.attacks.on_release import attack_release
    from guardapp.deid.classes import class_sizes
    from guardapp.deid.coding import Coded
    from guardapp.deid.model_utility import model_utility
    from guardapp.deid.policy import refuse_incomplete
    from guardapp.deid.population_table import counted_people, read_population
    from guardapp.deid.protect import (
        CellCounts,
        check_columns,
        coded_columns,
        protected_batches,
        protected_schema,
        read_codes,
    )
    from guardapp.deid.recoding import recode
    from guardapp.deid.report import write_report
    from guardapp.deid.report_document import headline, report_document
    from guardapp.deid.risk import risk
    from guardapp.deid.rules.by_row import RowRules
    from guardapp.deid.rules.chance import SECRET_BYTES
    from guardapp.deid.rules.format_preserving import ShortCells
    from guardapp.deid.rules.key_check import key_check
    from guardapp.deid.rules.sampling import sampled
    from guardapp.deid.rules.whole_column import rearranged
    from guardapp.formats.row_order import shuffled
    from guardapp.formats.tables import open_table, write_table

    policy = spec.read_policy()
    refuse_incomplete(policy)
    table = open_table(spec.input, table=spec.table)
    check_columns(policy, table)
    schema = protected_schema(policy, table)
    if not schema.names:
        raise GuardError(
            "This policy leaves nothing over",
            "every column is dropped",
            "Keep, mask or generalise at least one column.",
            "policy.nothing-left",
        )
    population = read_population(policy, spec.population, progress)
    coded, rows = read_codes(table, coded_columns(policy), progress, ShortCells(policy))
    progress.facts(rows=rows, columns=len(table.columns))
    # never stored: nobody can draw the same again, not even the holder of the key
    secret = secrets.token_bytes(SECRET_BYTES)
    chosen = sampled(policy, rows, secret)
    whole = coded
    if chosen is not None:
        coded = {name: Coded(column.codes[chosen], column.values) for name, column in coded.items()}
    kept = rows if chosen is None else int(chosen.sum())
    moved = rearranged(policy, coded, secret, progress)
    recoded = recode(policy, coded, progress, rearranged=moved, population=population)
    if chosen is not None and policy.quasi:
        # the risk before is that of the whole table; rows of a sample look rarer than they are
        sizes = class_sizes([whole[name].codes for name in policy.quasi])
        recoded = recoded._replace(before=risk(sizes, policy.k or 1))
    key = progress.key(policy.key) if policy.needs_key else None
    counts = CellCounts()
    form = spec.output.format or table.format
    target = out / _name(table, form)
    with progress.stage("Writing", total=rows) as stage, ExitStack() as parts:
        batches = protected_batches(
            policy,
            table.batches(rows=WRITE_ROWS),
            schema,
            recoded,
            key,
            counts,
            stage.advance,
            rearranged=moved,
            chosen=chosen,
            by_row=RowRules(policy, key, secret),
        )
        if spec.output.order == "shuffle":
            batches = parts.enter_context(
                closing(shuffled(batches, schema, kept, out / ".shuffle", progress.checkpoint))
            )
        written = write_table(target, batches, schema=schema, format=form, delimiter=table.delimiter or ",")
    if counts.rows != rows or written.rows != kept:
        raise GuardError(
            f"{spec.input.name} has changed while it was read",
            f"it had {rows} rows at first and {counts.rows} later",
            "Run it again when nothing writes to the file any more.",
            "deid.file-changed",
        )
    # the file is ours, so how it is written is known and need not be guessed
    own = {"encoding": "utf-8", "delimiter": table.delimiter or ",", "header": True} if form == "csv" else {}
    released, as_written = _open_written(target, own, schema.names)
    people = counted_people(policy, spec.population, progress)
    measured = _verify(policy, released, as_written, kept, progress, people)
    input_sha256 = certificate.file_sha256(spec.input)
    attacks = attack_release(
        policy,
        table,
        released,
        as_written,
        rows,
        input_sha256,
        spec.population,
        progress,
        in_order=spec.output.order == "keep",
    )
    report = report_document(policy, table, recoded, counts, measured, written.escaped)
    report["output"] = {"format": form, "order": spec.output.order, "encoding": "utf-8"}
    report["attacks"] = [result.model_dump() for result in attacks]
    report["model_utility"] = model_utility(policy, coded, recoded.columns)
    if spec.population is not None and policy.presence:
        report["population"] = {"name": spec.population.name, "sha256": certificate.file_sha256(spec.population)}
    policy = _with_own_hierarchies(policy, out)
    if key is not None:
        policy.key_check = key_check(key)
    copy = out / "policy.yaml"
    try:
        copy.write_text(policy_text(policy), encoding="utf-8")
        report["policy_sha256"] = hashlib.sha256(copy.read_bytes()).hexdigest()
        (out / "report.json").write_text(json.dumps(report, ensure_ascii=False, indent=2), encoding="utf-8")
        write_report(out / "report.html", policy, table, recoded, counts, measured, report)
    except OSError as error:
        raise from_os_error(error, out) from error
    document = certificate.certificate(
        policy,
        table,
        released,
        measured,
        report["models"],
        report["attacks"],
        quasi=[as_written[name] for name in policy.quasi],
        sensitive=[as_written[entry.column] for entry in measured.sensitive],
        search=report["search"],
        files=[copy, *sorted(out.glob("hierarchy-*.csv"))],
        input_sha256=input_sha256,
        population=report.get("population"),
    )
    if spec.sign:
        document = certificate.signed(document, progress.key(spec.sign), spec.sign)
    progress.artifact("certificate", certificate.write(document, out))
    progress.artifact("table", target)
    progress.artifact("policy", copy)
    progress.artifact("report", out / "report.html")
    return DeidResult(
        headline=headline(policy, measured, recoded, sum(result.succeeded for result in attacks)),
        rows=kept,
        k=measured.k if policy.quasi else None,
        at_risk=measured.at_risk,
        at_risk_before=recoded.before.at_risk,
        gcp=recoded.utility.gcp,
        escaped_cells=written.escaped,
        table=target.name,
        policy=copy.name,
        red_flags=sum(result.succeeded for result in attacks),
    )


def published(spec: DeidSpec, folder: Path) -> None:
    remember(folder)


def remember(folder: Path) -> None:
    """Remember a release that now lies at `folder`, so that later ones are attacked together with it."""
    from guardapp.deid import certificate
    from guardapp.vault.releases import Releases, header_sha256

    document = certificate.read(folder)
    Releases().remember(
        folder,
        document["output"]["name"],
        sha256=document["output"]["sha256"],
        input_sha256=document["input"]["sha256"],
        # a policy names every column of its input
        header_sha256=header_sha256(list(document["policy"]["columns"])),
        rows=document["output"]["rows"],
    )


def _with_own_hierarchies(policy: Policy, out: Path) -> Policy:
    """Copy hierarchy files beside the policy, so that the folder can be repeated anywhere and names no other place."""
    kept = policy.model_copy(deep=True)
    for number, column in enumerate(kept.columns.values(), start=1):
        if isinstance(column.hierarchy, Path):
            copy = Path(f"hierarchy-{number}.csv")
            try:
                (out / copy).write_bytes(column.hierarchy.read_bytes())
            except OSError as error:
                raise from_os_error(error, column.hierarchy) from error
            column.__dict__["hierarchy"] = copy
    return kept


def policy_text(policy: Policy) -> str:
    """The policy as a file: the same fields, defaults left out."""
    import yaml

    fields = policy.model_dump(mode="json", exclude_none=True, exclude_defaults=False)
    return yaml.safe_dump(fields, allow_unicode=True, sort_keys=False, width=120)


def _name(table: Table, form: Format) -> str:
    """The name of the result: the input's own, with another ending if it changes its format."""
    from guardapp.formats.table_writing import ENDINGS

    name = table.path.name
    if form == table.format:
        return name
    compressed = name.lower().endswith(".gz")
    stem = Path(name[:-3] if compressed else name).stem
    return stem + ENDINGS[form]


def _open_written(target: Path, own: dict[str, Any], names: list[str]) -> tuple[Table, dict[str, str]]:
    """The written file, and what each column of the policy is called in it."""
    from guardapp.formats.tables import open_table

    written = open_table(target, **own)
    # a column name that begins like a formula was escaped too
    return written, dict(zip(names, written.columns, strict=True))


def _verify(
    policy: Policy, written: Table, as_written: dict[str, str], rows: int, progress: Progress, people: People | None
) -> Measured:
    """Read the written file again and measure it by separate code. GuardError `deid.not-met`.

    people: the population, where a model needs one
    """
    from guardapp.deid.check import measure_table
    from guardapp.deid.report_document import model_results

    sensitive = policy.secrets
    renamed = [
        model.model_copy(update={"column": as_written[model.column]}) if hasattr(model, "column") else model
        for model in policy.models
    ]
    hierarchies = {
        as_written[name]: hierarchy
        for name in sensitive
        if isinstance(hierarchy := policy.columns[name].hierarchy, Path)
    }
    with progress.stage("Checking the written file", total=rows) as stage:
        found = measure_table(
            written,
            [as_written[name] for name in policy.quasi],
            [as_written[name] for name in sensitive],
            policy.k or 2,
            stage.advance,
            renamed,
            hierarchies,
            people,
        )
    for entry, name in zip(found.sensitive, sensitive, strict=True):
        entry.column = name
    holds = found.rows == rows and all(entry["holds"] for entry in model_results(policy, found))
    if not holds:
        raise GuardError(
            "The protected file does not hold what the policy asks for",
            f"read back, it has {found.rows} rows and a k of {found.k}",
            "Nothing was released. This is a fault of the program: please report it with the policy.",
            "deid.not-met",
            answer="no",
        )
    return found
