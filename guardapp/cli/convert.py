"""`guardapp convert`."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

import click

from guardapp.cli import print_json
from guardapp.cli.single import run_single
from guardapp.seal.convert_job import ConvertResult, ConvertSpec


@click.command()
@click.argument("path", type=click.Path(path_type=Path))
@click.option("-o", "--out", required=True, type=click.Path(path_type=Path), help="The new folder, or the new file.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.pass_context
def convert(ctx: click.Context, path: Path, out: Path, as_json: bool) -> None:
    """Write a checkpoint, or every checkpoint of a folder, as safetensors.

    They are loaded in another process, weights only, and never changed. Whatever would run code is refused and named;
    the others of a folder are converted all the same, and the exit code is 1.

    Example: guardapp convert downloads/ -o converted/
    """
    if os.path.lexists(out):
        raise FileExistsError(17, "exists", str(out))
    with tempfile.TemporaryDirectory(prefix=".guardapp-convert-", dir=out.absolute().parent) as folder:
        result = run_single(ConvertSpec(input=path.absolute()), Path(folder) / "job", as_json=as_json)
        assert isinstance(result, ConvertResult)
        made = Path(folder) / "job" / result.path
        if result.converted:
            (made if path.is_dir() else made / result.converted[0].written).rename(out)
    if as_json:
        print_json({**result.model_dump(exclude={"headline"}), "path": str(out)})
    else:
        for file in result.converted:
            print(f"{file.path}: {file.written}, tensors: {file.tensors}")
        for refused in result.refused:
            print(f"{refused.path}: {refused.why} [{refused.code}]", file=sys.stderr)
    ctx.exit(0 if result.holds else 1)
