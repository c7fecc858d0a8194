"""`guardapp check`: attack a model as a spec says, and report how far the result can be trusted."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from guardapp.spec import Spec

MAX_SPEC_BYTES = 1 << 20
GUIDES = {"check": "robustness.md", "leak": "leakage.md"}


@click.command(epilog="Example: guardapp check check.yaml --out attack")
@click.argument("spec", type=click.Path(path_type=Path), metavar="SPEC.yaml")
@click.option("--out", type=click.Path(path_type=Path), help="A folder that does not exist yet.")
@click.option("--trust-sha256", metavar="HEX", help="Let the model's Python file run, if this is its hash.")
@click.option("--json", "as_json", is_flag=True, help="Print report.json on stdout.")
@click.option("--show-constraints", is_flag=True, help="Print what rows of the table have to keep, as YAML, and stop.")
@click.pass_context
def check(
    ctx: click.Context,
    spec: Path,
    out: Path | None,
    trust_sha256: str | None,
    as_json: bool,
    show_constraints: bool,
) -> None:
    """Attack a model within bounds and measure how often it stays right.

    SPEC.yaml names the model, the labelled examples, the norm and the strengths; docs/robustness.md shows one.
    With --show-constraints nothing is attacked: paste what it prints under “constraints:” and edit it.

    OUT gets report.html, report.json, adversarials.npz and pictures of the worst examples. The exit code is 1 when a
    red flag says that the figures are not to be trusted.
    """
    from guardapp.cli.single import run_single
    from guardapp.jobs.specs import parse

    wanted = parse(trusting(read(spec), trust_sha256), base=spec.absolute().parent)
    if show_constraints:
        click.echo(constraints_of(wanted), nl=False)
        return
    if out is None:
        raise click.UsageError("Missing option '--out'.")
    result = run_single(wanted, out, as_json=as_json)
    report = json.loads((out / "report.json").read_text(encoding="utf-8"))
    if as_json:
        click.echo(json.dumps(report, ensure_ascii=False, indent=2))
    else:
        click.echo("\n".join(lines(report, out)))
    if not result.holds:
        ctx.exit(1)


def constraints_of(spec: Spec) -> str:
    """The starting constraints of a spec's table as YAML; raises GuardError `check.no-table` for images."""
    import yaml

    from guardapp.errors import GuardError
    from guardapp.robust.beyond import starting_constraints
    from guardapp.robust.job import CheckSpec

    assert isinstance(spec, CheckSpec)
    if spec.data.table is None:
        raise GuardError(
            "There are no constraints to show",
            "the spec checks a model of images, and constraints are for tables",
            "Name a table and its label in the spec.",
            "check.no-table",
        )
    found = starting_constraints(spec)
    return str(yaml.safe_dump({"constraints": found}, allow_unicode=True, sort_keys=False, default_flow_style=None))


def read(path: Path, kind: str = "check") -> dict[str, Any]:
    """The fields of the YAML file of a job of that kind; raises GuardError `check.spec` when it is none."""
    import yaml

    from guardapp.errors import GuardError, from_os_error

    try:
        with path.open("rb") as file:
            content = file.read(MAX_SPEC_BYTES + 1)
    except OSError as error:
        raise from_os_error(error, path) from None
    reason = "it is larger than 1 MiB" if len(content) > MAX_SPEC_BYTES else ""
    try:
        fields = None if reason else yaml.safe_load(content)
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError):
        reason, fields = "it is not well-formed YAML", None
    if isinstance(fields, dict) and fields.get("kind", kind) == kind:
        return {"kind": kind, **{str(name): value for name, value in fields.items()}}
    raise GuardError(
        f"{path.name} does not describe a check",
        reason or f"it holds something else than the fields of one job of kind “{kind}”",
        f"Write it as docs/{GUIDES[kind]} shows.",
        "check.spec",
    )


def trusting(fields: dict[str, Any], sha256: str | None) -> dict[str, Any]:
    """The fields with the hash of a trusted Python file in them."""
    model = fields.get("model")
    return {**fields, "model": {**model, "trust_sha256": sha256}} if sha256 and isinstance(model, dict) else fields


def lines(report: dict[str, Any], out: Path) -> list[str]:
    """The result for a person at a terminal."""
    shown = [report["headline"], ""]
    for point in report["curve"]:
        interval = f"{point['low']:.1%} to {point['high']:.1%}"
        shown.append(f"  strength {point['strength']:<8g} {point['robust_accuracy']:7.1%} right   ({interval})")
    for point in (report["constrained"] or {}).get("points", []):
        interval = f"{point['low']:.1%} to {point['high']:.1%}"
        shown.append(
            f"  budget {point['budget']:<10g} {point['robust_accuracy']:7.1%} right   ({interval}), possible rows"
        )
    for flag in report["flags"]:
        shown += ["", f"  {flag['level'].upper()}: {flag['title']}: {flag['why']}.", f"  Next: {flag['next']}"]
    return [*shown, "", f"Report: {out / 'report.html'}"]
