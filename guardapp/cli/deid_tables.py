"""`guardapp deid run` for several tables under one policy."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from guardapp.cli import print_json

if TYPE_CHECKING:
    from guardapp.deid.job import Output


def run_tables(source: Path, policy: Path, out: Path, output: Output, sign: str, *, as_json: bool) -> None:
    """Protect the tables in `source` and print what came of it. GuardError as the job raises it."""
    from guardapp.cli.single import run_single
    from guardapp.deid.related.job import TablesSpec
    from guardapp.deid.related.policy import places

    spec = TablesSpec(
        name=source.name[:120], input=source.absolute(), policy=policy.absolute(), output=output, sign=sign
    )
    # what is wrong with the policy or the folder is said before a worker is started
    places(spec.read_policy(), spec.input)
    result = run_single(spec, out, as_json=as_json)
    if as_json:
        report = json.loads((out / "report.json").read_text(encoding="utf-8"))
        print_json({**report, "out": str(out), "rows": result.model_dump()["tables"]})
    else:
        print(result.headline)
        for name in result.model_dump()["tables"]:
            print(out / name)
        print(out / "report.html")
