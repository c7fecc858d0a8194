"""`guardapp run` and `guardapp jobs`: batches and the durable queue."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import click

from guardapp.cli import print_json
from guardapp.cli.follow import duration, follow
from guardapp.cli.job_keys import vault_keys
from guardapp.errors import GuardError
from guardapp.jobs.queue import to_plain
from guardapp.jobs.states import RETRYABLE, JobRow
from guardapp.jobs.supervisor import Supervisor
from guardapp.vault.home import data_folder


@click.command(epilog="Example: guardapp run batch.yaml --out results")
@click.argument("batch", type=click.Path(path_type=Path))
@click.option(
    "--out", type=click.Path(path_type=Path), help="Folder for the results, one folder a job. Default: beside BATCH."
)
@click.option("--keep-going", is_flag=True, help="After a failure, run what does not depend on the failed job.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def run(batch: Path, out: Path | None, keep_going: bool, as_json: bool) -> int:
    """Run the jobs of a batch file, in order.

    BATCH is a YAML list of job specs, each with kind and name; a later job takes up an earlier one's artifact as
    ${name.artifact}, and its folder as ${name}. All are checked before the first one starts.

    Run again with the same --out, a batch goes on where it was: finished jobs are kept if they are intact.
    """
    from guardapp.jobs.batch import load

    out = (out or batch.with_suffix("").with_name(f"{batch.stem}-results")).absolute()
    supervisor = Supervisor(data_folder(), vault_keys(), warm=True, everything=False)
    try:
        planned = supervisor.submit_batch(load(batch), out, keep_going=keep_going)
        if not supervisor.supervising:
            print("Another guardapp runs the queue; this batch waits its turn there.", file=sys.stderr)
        rows = follow(supervisor, [row.id for row in planned], quiet=as_json)
    finally:
        supervisor.close("cancel")
    if as_json:
        print_json({"out": str(out), "jobs": [to_plain(row) for row in rows]})
    else:
        print(table(rows))
    return 0 if all(row.state == "done" and row.holds for row in rows) else 1


@click.group()
def jobs() -> None:
    """The durable queue that the window shows."""


@jobs.command("list", epilog="Example: guardapp jobs list --json")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def list_(as_json: bool) -> None:
    """List every job, in the order in which they start."""
    supervisor = Supervisor(data_folder(), everything=False)
    try:
        rows = supervisor.rows()
    finally:
        supervisor.close()
    if as_json:
        print_json({"jobs": [to_plain(row) for row in rows]})
    else:
        print(table(rows) if rows else "The queue is empty.")


@jobs.command(epilog="Example: guardapp jobs show 3f9a2c1b7e04")
@click.argument("job_id", metavar="ID")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def show(job_id: str, as_json: bool) -> None:
    """Show one job: its state, its result or error, its folder and its spec."""
    supervisor = Supervisor(data_folder(), everything=False)
    try:
        row = _find(supervisor, job_id)
    finally:
        supervisor.close()
    if as_json:
        print_json(to_plain(row))
        return
    for name, value in _details(row):
        print(f"{name:10} {value}")


@jobs.command(epilog="Example: guardapp jobs cancel 3f9a2c1b7e04")
@click.argument("job_ids", metavar="ID…", nargs=-1, required=True)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def cancel(job_ids: tuple[str, ...], as_json: bool) -> None:
    """Stop jobs for good; their unfinished files are removed."""
    supervisor = Supervisor(data_folder(), everything=False)
    try:
        ids = [_find(supervisor, job_id).id for job_id in job_ids]
        supervisor.cancel(*ids)
        deadline = time.monotonic() + 15
        while not all(supervisor.row(each).is_over for each in ids) and time.monotonic() < deadline:
            supervisor.poll(0.1)
        rows = [supervisor.row(each) for each in ids]
    finally:
        supervisor.close()
    _print_rows(rows, as_json)


@jobs.command(epilog="Example: guardapp jobs resume 3f9a2c1b7e04")
@click.argument("job_ids", metavar="ID…", nargs=-1, required=True)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def resume(job_ids: tuple[str, ...], as_json: bool) -> int:
    """Go on with paused and interrupted jobs, here unless another guardapp runs the queue; waits for them."""
    return _go_on(job_ids, "resume", as_json)


@jobs.command(epilog="Example: guardapp jobs retry 3f9a2c1b7e04")
@click.argument("job_ids", metavar="ID…", nargs=-1, required=True)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def retry(job_ids: tuple[str, ...], as_json: bool) -> int:
    """Run failed, cancelled, interrupted or skipped jobs again from the start; waits for them."""
    return _go_on(job_ids, "retry", as_json)


def _go_on(job_ids: tuple[str, ...], verb: str, as_json: bool) -> int:
    supervisor = Supervisor(data_folder(), vault_keys(), everything=False)
    try:
        found = [_find(supervisor, job_id) for job_id in job_ids]
        for row in found:
            _refuse_useless(row, verb)
        ids = [row.id for row in found]
        if verb == "resume":
            supervisor.resume(*ids)
        else:
            supervisor.retry(*ids)
        rows = follow(supervisor, ids, quiet=as_json)
    finally:
        supervisor.close("cancel")
    _print_rows(rows, as_json)
    return 0 if all(row.state == "done" and row.holds for row in rows) else 1


def _refuse_useless(row: JobRow, verb: str) -> None:
    fits = row.state in ("paused", "interrupted", "queued") if verb == "resume" else row.state in RETRYABLE
    if not fits:
        raise GuardError(
            f"“{row.name}” cannot go on",
            f"it is {row.state}",
            "Paused and interrupted jobs can be resumed; failed, cancelled, skipped and interrupted ones retried.",
            "job.wrong-state",
        )


def _find(supervisor: Supervisor, wanted: str) -> JobRow:
    """A job by its id or the beginning of it. Raises GuardError `job.unknown`."""
    hits = [row for row in supervisor.rows() if row.id.startswith(wanted)]
    return hits[0] if len(hits) == 1 else supervisor.row(wanted)


def _print_rows(rows: list[JobRow], as_json: bool) -> None:
    if as_json:
        print_json({"jobs": [to_plain(row) for row in rows]})
    else:
        print(table(rows))


def table(rows: list[JobRow]) -> str:
    """The jobs as lines of columns: id, name, kind, state, time taken, and the result or the reason."""
    lines = [("ID", "NAME", "KIND", "STATE", "TIME", "")]
    for row in rows:
        state = row.state if row.holds else "done: no"
        taken = duration(row.finished - row.started) if row.finished and row.started else ""
        said = row.headline or (f"{row.error['why']}" if row.error else "")
        lines.append((row.id, row.name, row.kind, state, taken, said))
    widths = [max(len(line[column]) for line in lines) for column in range(5)]
    return "\n".join(
        "  ".join([*(cell.ljust(width) for cell, width in zip(line[:5], widths, strict=True)), line[5]]).rstrip()
        for line in lines
    )


def _details(row: JobRow) -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = [
        ("id", row.id),
        ("name", row.name),
        ("kind", row.kind),
        ("state", row.state if row.holds else f"{row.state}, and the answer is no"),
        ("attempt", row.attempt),
        ("folder", row.folder),
    ]
    if row.headline:
        found.append(("result", row.headline))
    if row.error:
        found += [("error", row.error["what"]), ("why", row.error["why"]), ("next", row.error["next"])]
        found += [("details", row.error["details"])] if row.error.get("details") else []
    return [*found, ("spec", row.spec)]
