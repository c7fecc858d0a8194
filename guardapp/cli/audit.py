"""`guardapp audit`: the log of every protective act, whether it is whole, and an export to verify elsewhere."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from guardapp.cli import print_json
from guardapp.cli.vault_access import passphrase_options, unlocked_vault
from guardapp.errors import GuardError, from_os_error

if TYPE_CHECKING:
    from guardapp.vault.chain import Entry

LARGEST_EXPORT = 1 << 30


@click.group()
def audit() -> None:
    """Read and verify the log of every protective act.

    Example: guardapp audit verify
    """


@audit.command("list")
@click.option("--last", default=20, show_default=True, help="How many entries; 0 for all.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def list_(last: int, as_json: bool) -> None:
    """Show the latest entries.

    Example: guardapp audit list --last 50
    """
    from guardapp.vault.audit import Audit

    entries = Audit().entries(last) if Audit().count() else []
    if as_json:
        print_json({"entries": [entry._asdict() for entry in entries]})
        return
    for entry in entries:
        facts = ", ".join(
            f"{name} {value}" for name, value in entry.facts.items() if isinstance(value, str | int | float)
        )
        print(f"{entry.number:>6}  {entry.time[:19]}  {entry.event:<20}  {entry.subject}  ({facts})")


@audit.command()
@click.argument("file", required=False, type=click.Path(dir_okay=False, path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def verify(file: Path | None, as_json: bool) -> None:
    """Recompute every hash of the log, or of an exported FILE; exit code 1 if an entry was edited, removed or moved.

    An export that ends early is whole as far as it goes: compare its last hash with a later export, or sign it.

    Example: guardapp audit verify
    """
    from guardapp.vault.audit import Audit
    from guardapp.vault.chain import verify_exported

    if file is None:
        checked, name, head = Audit().verify(), "The audit log", Audit().head()[1]
    else:
        entries = _exported(file)
        checked, name, head = verify_exported(entries), file.name, entries[-1].hash if entries else ""
    if as_json:
        print_json({"intact": checked.intact, "entries": checked.entries, "why": checked.why, "head": head})
    if not checked.intact:
        raise GuardError(
            what=f"{name} is not as it was written",
            why=checked.why,
            next="Compare it with an earlier export or a backup, and find out who could write it.",
            code="audit.changed",
            answer="no",
        )
    if not as_json:
        print(f"{name} is whole: {checked.entries} entries, the last one is {head}")


@audit.command()
@click.option("-o", "--out", required=True, type=click.Path(dir_okay=False, path_type=Path), help="A new file.")
@click.option("--key", help="Sign the export with this signing key of the vault: OUT.sig beside it.")
@passphrase_options
def export(out: Path, key: str | None, passphrase_file: Path | None, passphrase_fd: int | None) -> None:
    """Write the whole log as JSON lines, each with its hash, to a new file; with --key also a signature over it.

    Example: guardapp audit export -o audit.jsonl --key signer
    """
    from guardapp.vault.audit import Audit

    checked = Audit().verify()
    lines = [json.dumps(entry._asdict(), ensure_ascii=False, sort_keys=True) + "\n" for entry in _entries()]
    try:
        with out.open("x", encoding="utf-8") as file:
            file.writelines(lines)
    except OSError as error:
        raise from_os_error(error, out) from error
    if key is not None:
        from guardapp.seal.signing import sign
        from guardapp.vault.rules import check_not_expired

        vault = unlocked_vault(passphrase_file, passphrase_fd)
        check_not_expired(vault, key)
        sign(out, vault.private(key), out.with_name(out.name + ".sig"))
        vault.audit.append("signed", out.name, key=key, fingerprint=vault.info(key).fingerprint)
    print(f"Wrote {len(lines)} entries to {out}.", file=sys.stderr)
    if not checked.intact:
        print(f"The log itself is not as it was written: {checked.why}.", file=sys.stderr)


def _entries() -> list[Entry]:
    from guardapp.vault.audit import Audit

    return Audit().entries() if Audit().count() else []


def _exported(file: Path) -> list[Entry]:
    from guardapp.vault.chain import Entry

    try:
        if file.stat().st_size > LARGEST_EXPORT:
            raise ValueError
        lines = file.read_text(encoding="utf-8").splitlines()
        return [Entry(**{name: json.loads(line)[name] for name in Entry._fields}) for line in lines]
    except OSError as error:
        raise from_os_error(error, file) from error
    except (ValueError, KeyError, TypeError):
        raise GuardError(
            what=f"{file.name} is no export of an audit log",
            why="a line of it is not an entry",
            next="Choose a file that `guardapp audit export` wrote.",
            code="audit.not-an-export",
        ) from None
