"""`guardapp train`: private training from a spec file, or a starting schema for a table."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
import yaml

from guardapp.cli import print_json
from guardapp.cli.train_method import method_options, with_options
from guardapp.errors import GuardError, from_os_error

MAX_SPEC_BYTES = 4 << 20


@click.command(
    epilog="""\b
Example:
  guardapp train train.yaml --out trained
  guardapp train train.yaml --out other --clipping automatic --optimizer adam --averaging 0.999
  guardapp train train.yaml --audit --out rehearsal
  guardapp train --starting-schema adult.csv --label income --out adult.schema.yaml
"""
)
@click.argument("spec", type=click.Path(path_type=Path), required=False)
@click.option("--out", type=click.Path(path_type=Path), required=True, help="A new folder (or, for a schema, file).")
@click.option("--json", "as_json", is_flag=True, help="Print the figures as one JSON document.")
@click.option(
    "--starting-schema",
    "table",
    type=click.Path(path_type=Path),
    help="Write a starting schema for this table instead. It is derived from the data, which no guarantee covers.",
)
@click.option("--audit", is_flag=True, help="Rehearse: put made-up rows into the data and attack the model.")
@click.option("--label", help="With --starting-schema: the column to predict.")
@method_options
def train(
    spec: Path | None,
    out: Path,
    as_json: bool,
    table: Path | None,
    audit: bool,
    label: str | None,
    **chosen: Any,
) -> None:
    """Train a model privately, as SPEC (a train.yaml) says.

    Writes model.safetensors with model.json, metrics.csv, statement.json, report.json and report.html into a new
    folder, and charges the dataset's budget in the ledger. With --audit the model is not for release, and the answer
    is no (exit 1) if the attack refutes the claimed ε.
    """
    if (spec is None) == (table is None):
        raise click.UsageError("Give either a SPEC file or --starting-schema TABLE.")
    if table is not None and any(value not in (None, False) for value in chosen.values()):
        raise click.UsageError("--starting-schema trains nothing: leave out the options of a training.")
    if table is not None:
        _starting_schema(table, label, out, as_json)
        return
    assert spec is not None
    from guardapp.cli.single import run_single
    from guardapp.jobs.specs import parse

    fields = with_options(read(spec), **chosen)
    if audit:
        fields["audit"] = fields.get("audit") or {}
    result = run_single(parse(fields, base=spec.absolute().parent), out, as_json=as_json)
    if as_json:
        print_json(json.loads((out / "report.json").read_text(encoding="utf-8")))
    else:
        click.echo(result.headline)
        click.echo(f"Model, statement and report: {out}")
    if not result.holds:
        raise click.exceptions.Exit(1)


def read(path: Path) -> dict[str, Any]:
    """The fields of a train.yaml. Raises GuardError `train.spec` when it holds something else."""
    try:
        if path.stat().st_size > MAX_SPEC_BYTES:
            raise ValueError("it is larger than 4 MiB")
        fields = yaml.safe_load(path.read_text(encoding="utf-8"))
        if isinstance(fields, dict) and fields.get("kind", "train") == "train":
            return {"kind": "train", **{str(name): value for name, value in fields.items()}}
        reason = "it holds something else than the fields of one job of kind “train”"
    except OSError as error:
        raise from_os_error(error, path) from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        reason = "it is not well-formed YAML" if not isinstance(error, ValueError) else str(error).splitlines()[0]
    raise GuardError(
        f"{path.name} does not describe a training", reason, "Write it as docs/training.md shows.", "train.spec"
    )


def _starting_schema(table: Path, label: str | None, out: Path, as_json: bool) -> None:
    from guardapp.formats.starting_schema import starting_schema

    if label is None:
        raise click.UsageError("--starting-schema needs --label COLUMN.")
    text = starting_schema(table, label)
    try:
        with out.open("x", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise from_os_error(error, out) from None
    if as_json:
        print_json({"schema": str(out), "source": "derived"})
    click.echo(
        "This schema was derived from the data, and no privacy guarantee covers it. Check every bound and value "
        "against what is publicly known, then write `source: declared`.",
        err=True,
    )
