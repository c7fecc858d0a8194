"""`guardapp deid`: look at a table, suggest a policy, protect it, measure any file."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from guardapp.cli import print_json
from guardapp.cli.deid_verify import verify_
from guardapp.cli.vault_access import passphrase_options, unlocked_vault
from guardapp.errors import GuardError, from_os_error

_FILE = click.Path(path_type=Path)
_TABLE = click.option("--table", help="Which sheet of a workbook or table of a database, if there are several.")


@click.group()
def deid() -> None:
    """Protect tables: find identifiers, group rows, check the result.

    \b
    Example:
      guardapp deid policy clinic.csv -o policy.yaml
      guardapp deid run clinic.csv --policy policy.yaml --out protected
    """


deid.add_command(verify_)


@deid.command("profile")
@click.argument("file", type=_FILE)
@_TABLE
@click.option("--policy", "policy", type=_FILE, help="Warn of what stands between it and HIPAA's Safe Harbor.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def profile_(file: Path, table: str | None, policy: Path | None, as_json: bool) -> None:
    """Show each column's type, suggested role, kinds of identifiers, what laws call them, and why.

    \b
    Example:
      guardapp deid profile clinic.csv
      guardapp deid profile clinic.csv --policy policy.yaml
    """
    from guardapp.deid.policy import load_policy
    from guardapp.deid.profile import profile
    from guardapp.deid.safe_harbor import safe_harbor

    asked = load_policy(policy) if policy is not None else None
    found = profile(file, table=table)
    hindrances = safe_harbor(asked, found.columns) if asked is not None else None
    if as_json:
        more = {} if hindrances is None else {"safe_harbor": [entry.model_dump() for entry in hindrances]}
        print_json({**found.model_dump(), **more})
        return
    print(f"{found.path}: {found.rows:,} rows, {len(found.columns)} columns")
    if found.format == "csv":
        print(_how_written(file))
    if found.sampled < found.rows:
        print(f"Counts are exact; identifiers were looked for in an even sample of {found.sampled:,} rows.")
    print()
    width = min(max(len(column.name) for column in found.columns), 32)
    for column in found.columns:
        kind = column.kind_title
        print(f"{column.name[:width]:<{width}}  {column.role:<9}  {column.suggestion:<11}  {kind}")
        print(f"{'':<{width}}  {column.missing:,} missing; {column.why}")
        if column.categories:
            print(f"{'':<{width}}  " + "; ".join(f"{c.law} {c.place} {c.title}" for c in column.categories))
    if hindrances is not None:
        print("\nHIPAA Safe Harbor (45 CFR 164.514(b)(2)) cannot be claimed:" if hindrances else _NO_HINDRANCE)
        for entry in hindrances:
            print(f"  {entry.column}: {entry.why}")


_NO_HINDRANCE = (
    "\nNothing that was found stands against HIPAA Safe Harbor. What was not found, and what the publisher knows, may."
)


@deid.command("policy")
@click.argument("file", type=_FILE)
@_TABLE
@click.option("-o", "--output", type=_FILE, help="Where to write it; otherwise it is printed.")
def policy_(file: Path, table: str | None, output: Path | None) -> None:
    """Write a commented starting policy for a table, or for all tables of a folder.

    \b
    Example:
      guardapp deid policy clinic.csv -o policy.yaml
      guardapp deid policy hospital -o policy.yaml
    """
    from guardapp.deid.profile import profile
    from guardapp.deid.related.starting import starting_tables
    from guardapp.deid.starting_policy import starting_text

    text = starting_tables(file) if file.is_dir() else starting_text(profile(file, table=table))
    if output is None:
        print(text, end="")
        return
    try:
        with output.open("x", encoding="utf-8") as out:
            out.write(text)
    except OSError as error:
        raise from_os_error(error, output) from error
    print(f"Wrote {output}. Review every line before it is used.", file=sys.stderr)


@deid.command("run")
@click.argument("file", type=_FILE)
@click.option("--policy", "policy", type=_FILE, required=True, help="The policy file.")
@click.option("--out", type=_FILE, required=True, help="Folder for the results; made if it is not there.")
@_TABLE
@click.option(
    "--format",
    "format_",
    type=click.Choice(["csv", "parquet", "jsonl", "xlsx", "sqlite"]),
    help="Format of the result; otherwise that of the input.",
)
@click.option(
    "--order",
    type=click.Choice(["keep", "shuffle"]),
    default="keep",
    show_default=True,
    help="Rows in their order, or in a secret random one: an order can tell who is who to someone who has seen the "
    "original list.",
)
@click.option("--sign", default="", help="Signing key in the vault for the certificate, release.json.")
@click.option(
    "--population", type=_FILE, help="A table of more people with the same columns: to attack with, and for k-map."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def run_(
    file: Path,
    policy: Path,
    out: Path,
    table: str | None,
    format_: str | None,
    order: str,
    sign: str,
    population: Path | None,
    as_json: bool,
) -> None:
    """Protect a table by a policy; the written file is counted again, attacked, and given a certificate.

    FILE may be a folder, or a database, of several tables if the policy is one for several tables.

    \b
    Example:
      guardapp deid run clinic.csv --policy policy.yaml --out protected --sign signer
      guardapp deid run clinic.xlsx --table 2024 --policy policy.yaml --format parquet --order shuffle --out protected
    """
    from guardapp.cli.deid_tables import run_tables
    from guardapp.cli.single import run_single
    from guardapp.deid.job import DeidSpec, Output
    from guardapp.deid.policy import load_document
    from guardapp.deid.related.policy import holds_tables

    output = Output.model_validate({"format": format_, "order": order})
    if holds_tables(load_document(policy)):
        if table is not None or population is not None:
            raise click.UsageError("A policy for several tables takes neither --table nor --population.")
        run_tables(file, policy, out, output, sign, as_json=as_json)
        return
    spec = DeidSpec(
        name=file.name[:120],
        input=file.absolute(),
        table=table,
        policy=policy.absolute(),
        output=output,
        population=population.absolute() if population is not None else None,
        sign=sign,
    )
    # what is wrong with the policy or the table is said before a worker is started
    spec.read_policy()
    result = run_single(spec, out, as_json=as_json)
    if as_json:
        report = json.loads((out / "report.json").read_text(encoding="utf-8"))
        print_json({**report, "out": str(out), **result.model_dump(exclude={"headline", "k"})})
    else:
        print(result.headline)
        print(out / str(result.model_dump()["table"]))
        print(out / "report.html")


@deid.command("reveal")
@click.argument("file", type=_FILE)
@click.option("--policy", "policy", type=_FILE, required=True, help="The policy that the file was protected with.")
@click.option(
    "-o",
    "--output",
    type=_FILE,
    required=True,
    help="The new file (.csv, .csv.gz, .jsonl, .parquet, .xlsx or .sqlite).",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@passphrase_options
def reveal_(
    file: Path,
    policy: Path,
    output: Path,
    as_json: bool,
    passphrase_file: Path | None,
    passphrase_fd: int | None,
) -> None:
    """Turn tokens, encrypted values and shifted dates back, for the holder of the key; the audit log keeps that.

    \b
    Example:
      guardapp deid reveal protected/clinic.csv --policy policy.yaml -o revealed.csv
    """
    from guardapp.deid.policy import load_policy
    from guardapp.deid.reveal import reveal

    asked = load_policy(policy)
    vault = unlocked_vault(passphrase_file, passphrase_fd)
    # never made here: a key that is made now has made no token
    key = vault.private(asked.key)
    info = vault.info(asked.key)
    if info.type != "pseudonym":
        raise GuardError(
            f"The key “{info.name}” cannot reveal tokens",
            f"it is of the type {info.type}",
            "Name the key that made them under key in the policy.",
            "vault.wrong-type",
        )
    # said before it is done, so that nothing is revealed unseen
    vault.audit.append("tokens-revealed", file.name, key=info.name, fingerprint=info.fingerprint)
    found = reveal(file, asked, key, output)
    if as_json:
        print_json({"out": str(output), **found._asdict()})
    else:
        print(f"{found.cells:,} cells of {', '.join(found.columns)} in {found.rows:,} rows were turned back.")
        print(output)


@deid.command("check")
@click.argument("file", type=_FILE)
@_TABLE
@click.option("--quasi", required=True, help="Columns that an outsider may know, separated by commas.")
@click.option("--sensitive", default="", help="Columns that must not be learnt, separated by commas.")
@click.option("--k", "least_k", type=click.IntRange(min=1), help="Exit with 1 if k is smaller than this.")
@click.option("--l", "least_l", type=click.IntRange(min=1), help="Exit with 1 if l is smaller than this.")
@click.option("--t", "most_t", type=click.FloatRange(0, 1), help="Exit with 1 if t is larger than this.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def check_(
    file: Path,
    table: str | None,
    quasi: str,
    sensitive: str,
    least_k: int | None,
    least_l: int | None,
    most_t: float | None,
    as_json: bool,
) -> int:
    """Measure k, l, t and the risk of recognition of any file.

    \b
    Example:
      guardapp deid check protected.csv --quasi age,sex,postcode --sensitive diagnosis --k 5
    """
    from guardapp.deid.check import measure

    private = _names(sensitive)
    if not private and (least_l is not None or most_t is not None):
        raise GuardError(
            "l and t cannot be measured",
            "no sensitive column was named",
            "Name one with --sensitive.",
            "check.no-sensitive",
        )
    found = measure(file, _names(quasi), private, least_k or 2, table=table)
    failed = []
    if least_k is not None and found.k < least_k:
        failed.append(f"k is {found.k}, asked for at least {least_k}")
    for entry in found.sensitive:
        if least_l is not None and entry.l < least_l:
            failed.append(f"l of {entry.column} is {entry.l}, asked for at least {least_l}")
        if most_t is not None and entry.t > most_t:
            failed.append(f"t of {entry.column} is {entry.t:.3f}, asked for at most {most_t}")
    if as_json:
        print_json({**found.model_dump(), "holds": not failed, "failed": failed})
    else:
        print(f"{found.rows:,} rows in {found.groups:,} groups")
        print(f"k                                 {found.k}")
        for entry in found.sensitive:
            print(f"l of {entry.column:<28.28} {entry.l}")
            print(f"t of {entry.column:<28.28} {entry.t:.4f} ({entry.distance} distance)")
        print(f"highest risk of a row             {100 * found.prosecutor_max:.2f} %")
        print(f"mean risk of a row                {100 * found.prosecutor_mean:.2f} %")
        print(f"rows in groups smaller than {found.asked_k:<5} {100 * found.at_risk:.2f} %")
        for reason in failed:
            print(f"Does not hold: {reason}")
    return 1 if failed else 0


def _how_written(file: Path) -> str:
    """What was found out about a CSV file, in one line."""
    from guardapp.formats.tables import CsvTable, open_table

    table = open_table(file)
    if not isinstance(table, CsvTable):
        return ""
    delimiter = {"\t": "tab"}.get(table.delimiter, table.delimiter)
    header = "names in the first line" if table.dialect.header else "no names in the first line"
    commas = ", ".join(table.decimal_commas())
    return f"CSV: delimiter {delimiter}, {table.encoding}, {header}" + (
        f", decimal comma in {commas}" if commas else ""
    )


def _names(text: str) -> list[str]:
    """Column names between commas; a name may be in quotation marks if it holds a comma."""
    import csv

    return [name.strip() for row in csv.reader([text], skipinitialspace=True) for name in row if name.strip()]
