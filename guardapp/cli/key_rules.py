"""`guardapp keys rotate|expire|recovery`: what a vault requires of its keys."""

from __future__ import annotations

import sys
from datetime import datetime
from pathlib import Path

import click

from guardapp.cli.vault_access import passphrase_options, unlocked_vault, vault_for_reading


@click.command()
@click.argument("name")
@passphrase_options
def rotate(name: str, passphrase_file: Path | None, passphrase_fd: int | None) -> None:
    """Make a new key of the same type under NAME. The old one is kept under another name, to open what it opened.

    Files that are sealed to the old key stay so: use `guardapp rekey` on them.

    Example: guardapp keys rotate archive
    """
    from guardapp.vault.rules import rotate as make_new

    new, old = make_new(unlocked_vault(passphrase_file, passphrase_fd), name)
    print(new.public.strip())
    print(
        f"“{new.name}” is a new key, fingerprint {new.fingerprint}. The old one is now “{old.name}”.", file=sys.stderr
    )


@click.command()
@click.argument("name")
@click.argument("day", required=False, type=click.DateTime(["%Y-%m-%d"]))
@click.option("--never", is_flag=True, help="Lift the date.")
@passphrase_options
def expire(
    name: str, day: datetime | None, never: bool, passphrase_file: Path | None, passphrase_fd: int | None
) -> None:
    """Use the key NAME for nothing new after DAY (UTC): no sealing to it, no signing. Opening stays allowed.

    Example: guardapp keys expire archive 2027-12-31
    """
    from guardapp.vault.rules import set_expiry

    if never == (day is not None):
        raise click.UsageError("Give either a day or --never.")
    info = set_expiry(unlocked_vault(passphrase_file, passphrase_fd), name, day.date() if day else None)
    until = f"expires after {day.date().isoformat()}" if day else "does not expire"
    print(f"“{info.name}” {until}.", file=sys.stderr)


@click.command()
@click.argument("name", required=False)
@click.option("--none", "lift", is_flag=True, help="Require no recovery key.")
@passphrase_options
def recovery(name: str | None, lift: bool, passphrase_file: Path | None, passphrase_fd: int | None) -> None:
    """Require that whatever is sealed from now on can also be opened with the key NAME; without NAME, show it.

    Import only the public half of an organisation's recovery key, and keep its private half somewhere else.

    Example: guardapp keys recovery company-recovery
    """
    from guardapp.vault.rules import recovery_key, require_recovery

    if name is not None and lift:
        raise click.UsageError("Give either a key or --none.")
    if name is None and not lift:
        print(recovery_key(vault_for_reading(passphrase_file, passphrase_fd)) or "none")
        return
    vault = unlocked_vault(passphrase_file, passphrase_fd)
    require_recovery(vault, name or "")
    said = f"Everything that is sealed is also for “{recovery_key(vault)}”." if name else "No recovery key is required."
    print(said, file=sys.stderr)
