"""One job for one command: through the same worker and supervisor as every other job, in a queue of its own.

The queue is thrown away afterwards, so the command neither waits behind what the window runs nor shows up there.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from guardapp.cli.follow import follow
from guardapp.cli.job_keys import vault_keys
from guardapp.errors import GuardError
from guardapp.jobs.recovery import SINGLE, clear_away_the_dead
from guardapp.jobs.registry import lookup
from guardapp.jobs.states import JobRow, new_id
from guardapp.jobs.supervisor import Supervisor
from guardapp.spec import Result, Spec
from guardapp.vault.home import data_folder


class JobFault(RuntimeError):
    """A job met a fault of the program itself (exit code 3); its text is the worker's traceback."""


def run_single(spec: Spec, out: Path, *, as_json: bool) -> Result:
    """Run `spec` as a job whose results become the folder `out`, showing progress on stderr, and return its result.

    as_json: say nothing but warnings and, on a terminal, the progress bar
    Raises GuardError for what a person can mend, JobFault for the program's own faults, KeyboardInterrupt after Ctrl-C;
    in each case there is nothing at `out`.
    """
    queues = data_folder() / SINGLE
    queues.mkdir(mode=0o700, exist_ok=True)
    clear_away_the_dead(queues)
    home = queues / new_id()
    home.mkdir(mode=0o700)
    try:
        row = _run(Supervisor(home, vault_keys()), spec, out, quiet=as_json)
    finally:
        shutil.rmtree(home, ignore_errors=True)
    if row.state == "done":
        return lookup(row.kind).result.model_validate(row.result)
    error = row.error or {}
    if error.get("fault"):
        raise JobFault(str(error.get("details") or error.get("what")))
    if not error:
        raise KeyboardInterrupt
    raise GuardError.from_dict({name: str(value) for name, value in error.items()})


def _run(supervisor: Supervisor, spec: Spec, out: Path, *, quiet: bool) -> JobRow:
    try:
        job_id = supervisor.submit(spec, out)
        return follow(supervisor, [job_id], quiet=quiet, stages_only=True)[0]
    finally:
        supervisor.close("cancel")
