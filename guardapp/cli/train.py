"""`guardapp train`: private training from a spec file, or a starting schema for a table."""

from __future__ import annotations

from pathlib import Path

import click
import yaml
from pydantic import ValidationError

from guardapp.cli import print_json
from guardapp.errors import GuardError, from_os_error

MAX_SPEC_BYTES = 4 << 20


@click.command(
    epilog="""\b
Example:
  guardapp train train.yaml --out trained
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
@click.option("--label", help="With --starting-schema: the column to predict.")
def train(spec: Path | None, out: Path, as_json: bool, table: Path | None, label: str | None) -> None:
    """Train a model privately, as SPEC (a train.yaml) says.

    Writes model.safetensors with model.json, metrics.csv, statement.json, report.json and report.html into a new folder,
    and charges the dataset's budget in the ledger.
    """
    if (spec is None) == (table is None):
        raise click.UsageError("Give either a SPEC file or --starting-schema TABLE.")
    if table is not None:
        _starting_schema(table, label, out, as_json)
        return
    assert spec is not None
    from guardapp.cli.single import run_single
    from guardapp.train.job import TrainResult

    result = run_single(read_spec(spec), out, as_json=as_json)
    assert isinstance(result, TrainResult)
    if as_json:
        print_json({**result.model_dump(), "out": str(out)})
        return
    click.echo(result.headline)
    click.echo(f"Model, statement and report: {out}")


def read_spec(path: Path):  # type: ignore[no-untyped-def]  # TrainSpec is imported late
    """The TrainSpec in a YAML file; relative paths are relative to that file. Raises GuardError `spec.*`."""
    from guardapp.train.job import TrainSpec

    try:
        if path.stat().st_size > MAX_SPEC_BYTES:
            raise ValueError("it is larger than 4 MiB")
        fields = yaml.safe_load(path.read_text(encoding="utf-8"))
        return TrainSpec.model_validate(fields, context={"base": path.absolute().parent})
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        reason = f"{where}: {first['msg']}" if where else str(first["msg"])
    except OSError as error:
        raise from_os_error(error, path) from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
    raise GuardError(
        f"{path.name} cannot be used as a training spec",
        reason,
        "Correct it; docs/training.md shows every field.",
        "train.spec",
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
        "This schema was derived from the data, and no privacy guarantee covers it. Check every bound and value against what "
        "is publicly known, then write `source: declared`.",
        err=True,
    )
