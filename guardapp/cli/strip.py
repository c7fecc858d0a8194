"""`guardapp strip`."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from guardapp.cli import print_json
from guardapp.cli.single import run_single
from guardapp.seal.strip_job import StripResult, StripSpec
from guardapp.seal.strip_words import KIND_WORDS

if TYPE_CHECKING:
    from guardapp.seal.masking import Rounding


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("-o", "--out", required=True, type=click.Path(path_type=Path), help="The new file; .safetensors or .pt.")
@click.option("--round", "round_to", type=click.Choice(["bf16", "int8"]), help="Round the weights too, at a cost said.")
@click.option("--drop", multiple=True, metavar="PATTERN", help="Take out tensors of this name too, such as *.queue.")
@click.option("--keep", multiple=True, metavar="PATTERN", help="Keep tensors of this name, though they look like data.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def strip(
    file: Path, out: Path, round_to: Rounding | None, drop: Sequence[str], keep: Sequence[str], as_json: bool
) -> None:
    """Write a checkpoint anew with the model's tensors alone, and list what was taken out.

    Optimizer, random generators, training loop, hyper-parameters, paths, names, texts and data are left behind. FILE is
    loaded in another process, weights only, and never changed. OUT keeps its nesting unless it ends in .safetensors.

    Example: guardapp strip last.ckpt -o model.safetensors --round bf16
    """
    if os.path.lexists(out):
        raise FileExistsError(17, "exists", str(out))
    spec = StripSpec(
        input=file.absolute(),
        format="safetensors" if out.suffix.lower() == ".safetensors" else "torch",
        round_to=round_to,
        drop=list(drop),
        keep=list(keep),
    )
    with tempfile.TemporaryDirectory(prefix=".guardapp-strip-", dir=out.absolute().parent) as folder:
        result = run_single(spec, Path(folder) / "job", as_json=as_json)
        assert isinstance(result, StripResult)
        (Path(folder) / "job" / result.path).rename(out)
    if as_json:
        print_json({**result.model_dump(exclude={"headline", "holds"}), "path": str(out)})
    else:
        _show(out, result)


def _show(out: Path, result: StripResult) -> None:
    print(f"{out}: tensors kept: {result.tensors}, {result.bytes_before:,} → {result.bytes_after:,} bytes")
    for row in result.removed:
        inside = f" ({', '.join(row.names)}{' …' if row.count > len(row.names) else ''})" if row.names else ""
        print(f"  taken out  {row.under}: {KIND_WORDS[row.kind]}, {row.count}, {row.bytes:,} bytes{inside}")
    if result.rounding is not None:
        cost = result.rounding
        print(
            f"  rounded    {cost.tensors} tensors to {cost.to}: relative error {cost.relative:.3g}, "
            f"largest {cost.largest:.3g}, worst {cost.worst} ({cost.worst_relative:.3g})"
        )
