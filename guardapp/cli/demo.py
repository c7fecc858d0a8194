"""`guardapp demo`: the whole chain on invented data, from the table to the verified bundle."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from guardapp.cli import print_json
from guardapp.errors import GuardError, from_os_error
from guardapp.resource_files import resource

if TYPE_CHECKING:
    from guardapp.jobs.states import JobRow
    from guardapp.vault.keys import KeyType

KEYS: dict[str, KeyType] = {"archive": "x25519", "signer": "signing"}
BUDGET = (4.0, 2e-5)
"""(ε, δ) of the handwritten digits, which the ledger then enforces: room for the demo's training and little more."""


@click.command(epilog="Example: guardapp demo --out demo")
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("guardapp-demo"),
    show_default=True,
    help="Folder for the sample data, a data folder of its own (vault, queue, ledger) and the results.",
)
@click.option("--open", "open_window", is_flag=True, help="Open the window on the results if there is a display.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def demo(out: Path, open_window: bool, as_json: bool) -> int:
    """Make the sample data and run the sample batch on it, end to end.

    De-identify, train privately, check robustness, seal, bundle, sign, verify. Your own vault, queue and ledger are not
    touched. Run again, it keeps what is finished and intact.
    """
    out = out.absolute()
    home, data, results = out / "home", out / "data", out / "results"
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        _lay_out_samples(data)
    except OSError as error:
        raise from_os_error(error) from error
    # the worker inherits it, and so does the window that is opened afterwards
    os.environ["GUARDAPP_HOME"] = str(home)
    rows = _run(data / "batch.yaml", results, quiet=as_json)
    good = all(row.state == "done" and row.holds for row in rows)
    bundles = {row.folder / "bundle": _verdict(row.folder / "bundle") for row in rows if good and row.kind == "bundle"}
    if as_json:
        print_json(
            {
                "out": str(out),
                "bundles": [
                    {"bundle": str(path), "report": str(path / "report.html"), "verdict": verdict}
                    for path, verdict in bundles.items()
                ],
                "jobs": [{"name": row.name, "state": row.state, "headline": row.headline} for row in rows],
            }
        )
    else:
        for path, verdict in bundles.items():
            print(f"\nBundle  {path}\n        {verdict}\nReport  {path / 'report.html'}")
    if open_window and good:
        _open_window(as_json)
    return 0 if good else 1


def _lay_out_samples(data: Path) -> None:
    data.mkdir(parents=True, exist_ok=True)
    for source in sorted(resource("samples").iterdir()):
        if source.is_file() and not (data / source.name).exists():
            shutil.copyfile(source, data / source.name)


def _run(batch: Path, results: Path, *, quiet: bool) -> list[JobRow]:
    from guardapp.cli.follow import follow
    from guardapp.cli.job_keys import vault_keys
    from guardapp.cli.jobs import table
    from guardapp.jobs.batch import load
    from guardapp.jobs.supervisor import Supervisor
    from guardapp.vault.home import data_folder
    from guardapp.vault.store import Vault

    vault = Vault.open()
    present = {key.name for key in vault.keys()}
    for name, kind in KEYS.items():
        if name not in present:
            vault.new_key(name, kind)
    _set_a_budget(batch.parent / "digits.npz")
    supervisor = Supervisor(data_folder(), vault_keys(), warm=True, everything=False)
    try:
        planned = supervisor.submit_batch(load(batch), results)
        rows = follow(supervisor, [row.id for row in planned], quiet=quiet)
    finally:
        supervisor.close("pause")
    if not quiet:
        print(table(rows))
    return rows


def _set_a_budget(images: Path) -> None:
    """As the owner of the data would, before anybody trains on it."""
    from guardapp.formats.datasets import DataSpec, load_dataset
    from guardapp.vault.ledger import Ledger

    ledger = Ledger()
    if any(balance.name == images.name for balance in ledger.datasets()):
        return
    dataset = load_dataset(DataSpec(images=images)).fingerprint
    ledger.set_budget(dataset, *BUDGET, by="the demo", name=images.name)


def _verdict(bundle: Path) -> str:
    """Verify the bundle as a receiver would. Raises GuardError if it is not genuine."""
    from guardapp.progress import Progress
    from guardapp.seal.verify_job import examine, spec_for
    from guardapp.vault.provider import key_provider
    from guardapp.vault.store import Vault

    vault = Vault.open()
    spec = spec_for(bundle, vault, signature=None, key=None)
    provide = key_provider(vault)
    result = examine(spec, Progress(keys={need.name: provide(need) for need in spec.keys()}))
    if not result.holds:
        raise GuardError(
            "The bundle of the demo does not verify",
            result.headline,
            "Delete its folder and run the demo again.",
            "demo.bundle",
            answer="no",
        )
    passed = sum(check.ok is True for check in result.checks)
    return f"{result.headline}: {passed} of {len(result.checks)} checks passed"


def _open_window(quiet: bool) -> None:
    if sys.platform.startswith("linux") and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        if not quiet:
            print("There is no display, so the window stays closed. With one: make demo, or guardapp demo --open.")
        return
    from guardapp.cli.gui import gui

    click.get_current_context().invoke(gui)
