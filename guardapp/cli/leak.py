"""`guardapp leak`: how well an attacker can tell what a model was trained on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click


@click.command(epilog="Example: guardapp leak leak.yaml --out leakage")
@click.argument("spec", type=click.Path(path_type=Path), metavar="SPEC.yaml")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="A folder that does not exist yet.")
@click.option("--trust-sha256", metavar="HEX", help="Let the model's Python file run, if this is its hash.")
@click.option("--json", "as_json", is_flag=True, help="Print report.json on stdout.")
@click.pass_context
def leak(ctx: click.Context, spec: Path, out: Path, trust_sha256: str | None, as_json: bool) -> None:
    """Try to tell a model's training examples from others.

    SPEC.yaml names the model, examples that it was trained on and others that it was not; docs/leakage.md shows one.
    OUT gets report.html, report.json and every score. The exit code is 1 when the attack contradicts a promised ε.
    """
    from guardapp.cli.check import read, trusting
    from guardapp.cli.single import run_single
    from guardapp.jobs.specs import parse

    result = run_single(
        parse(trusting(read(spec, "leak"), trust_sha256), base=spec.absolute().parent), out, as_json=as_json
    )
    report = json.loads((out / "report.json").read_text(encoding="utf-8"))
    if as_json:
        click.echo(json.dumps(report, ensure_ascii=False, indent=2))
    else:
        click.echo("\n".join(lines(report, out)))
    if not result.holds:
        ctx.exit(1)


def lines(report: dict[str, Any], out: Path) -> list[str]:
    """The result for a person at a terminal."""
    shown = [report["headline"], ""]
    for attack in report["attacks"]:
        shown.append(
            f"  {attack['attack']:<16} AUC {attack['auc']:.3f}   ({attack['low']:.3f} to {attack['high']:.3f})"
        )
        for rate in attack["true_positive_rates"]:
            if rate["true"] is not None:
                shown.append(f"    {rate['true']:6.1%} of members told at {rate['false']:.1%} false positives")
    return [*shown, "", f"Report: {out / 'report.html'}"]
