"""Sealing a checkpoint from the command line: it is loaded in a worker process, never in this one."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from guardapp.cli.seal_how import How
from guardapp.cli.seal_keys import STANDARD_INPUT
from guardapp.cli.single import run_single
from guardapp.errors import GuardError
from guardapp.seal.job import SealResult, SealSpec


def seal_in_worker(
    file: Path, out: Path, recipients: Sequence[str], passphrase_file: Path | None, how: How
) -> dict[str, Any]:
    """Run the sealing job beside `out`, then give its sealed file that name; returns the job's figures."""
    if passphrase_file == STANDARD_INPUT:
        raise GuardError(
            what="The passphrase cannot be read from standard input here",
            why="the checkpoint is loaded in another process",
            next="Put the passphrase into a file that only you can read, and give that.",
            code="sealed.passphrase-from-pipe",
        )
    if os.path.lexists(out):
        raise FileExistsError(17, "exists", str(out))
    spec = SealSpec(
        input=file.absolute(),
        recipients=list(recipients),
        passphrase_file=passphrase_file and passphrase_file.absolute(),
        verify=how.verify,
        flush=how.flush,
        format=how.form,
        armor=how.armor,
    )
    with tempfile.TemporaryDirectory(prefix=".guardapp-seal-", dir=out.parent) as folder:
        result = run_single(spec, Path(folder) / "job", as_json=False)
        assert isinstance(result, SealResult)
        (Path(folder) / "job" / result.path).rename(out)
    return {**result.model_dump(exclude={"headline", "holds"}), "path": str(out)}
