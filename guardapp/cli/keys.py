"""`guardapp keys`: the keys in the vault, its passphrase, and its backups."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from guardapp.cli import print_json
from guardapp.cli.key_rules import expire, recovery, rotate
from guardapp.cli.vault_access import passphrase_options, read_passphrase, unlocked_vault, vault_for_reading
from guardapp.errors import GuardError, from_os_error

TYPES = {
    "x25519": "sealing and opening (age keys)",
    "hybrid": "the same, also against quantum computers",
    "rsa": "sealing and opening with RSA",
    "signing": "signing (P-256)",
    "pseudonym": "keyed pseudonyms",
}


@click.group()
def keys() -> None:
    """Make and keep keys in the vault.

    Example: guardapp keys new archive --type x25519
    """


@keys.command()
@click.argument("name")
@click.option(
    "--type",
    "kind",
    type=click.Choice([*TYPES]),
    default="x25519",
    show_default=True,
    help="; ".join(f"{kind}: {use}" for kind, use in TYPES.items()) + ".",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@passphrase_options
def new(name: str, kind: str, as_json: bool, passphrase_file: Path | None, passphrase_fd: int | None) -> None:
    """Make a key called NAME.

    Example: guardapp keys new signer --type signing
    """
    vault = unlocked_vault(passphrase_file, passphrase_fd)
    info = vault.new_key(name, kind)  # type: ignore[arg-type]
    if as_json:
        print_json(info._asdict())
        return
    print(info.public.strip() or info.fingerprint)
    print(f"Made the key “{info.name}” ({TYPES[kind]}), fingerprint {info.fingerprint}.", file=sys.stderr)
    print(vault.protection_note, file=sys.stderr)


@keys.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@passphrase_options
def list_(as_json: bool, passphrase_file: Path | None, passphrase_fd: int | None) -> None:
    """List the keys in the vault.

    Example: guardapp keys list --json
    """
    from guardapp.vault.rules import expiries, recovery_key

    vault = vault_for_reading(passphrase_file, passphrase_fd)
    found, ends, recovery_name = vault.keys(), expiries(vault), recovery_key(vault)
    if as_json:
        listed = [{**info._asdict(), "expires": str(ends.get(info.name, "")) or None} for info in found]
        state = {"protection": vault.protection, "locked": vault.locked, "recovery": recovery_name or None}
        print_json({**state, "keys": listed})
        return
    width = max((len(info.name) for info in found), default=0)
    for info in found:
        own = "" if info.has_private else "  (public half only)"
        own += f"  (until {ends[info.name]})" if info.name in ends else ""
        own += "  (recovery)" if info.name == recovery_name else ""
        print(f"{info.name:<{width}}  {info.type:<9}  {info.created[:10]}  {info.fingerprint}{own}")
    if not found:
        print("The vault has no keys yet. Make one with: guardapp keys new NAME", file=sys.stderr)
    print(vault.protection_note, file=sys.stderr)


@keys.command()
@click.argument("name")
@click.option("--public/--private", default=True, show_default=True, help="Which half.")
@click.option("-o", "--out", type=click.Path(dir_okay=False, path_type=Path), help="A new file to write to.")
@passphrase_options
def export(name: str, public: bool, out: Path | None, passphrase_file: Path | None, passphrase_fd: int | None) -> None:
    """Write the key NAME as `age1…` or PEM; a private key only to a new file that nobody else may read.

    Example: guardapp keys export archive --public
    """
    if not public and out is None:
        raise GuardError(
            what="A private key is not shown",
            why="what is printed may end up in a terminal's history or a log",
            next="Give a new file with -o FILE.",
            code="keys.private-to-screen",
        )
    vault = (
        vault_for_reading(passphrase_file, passphrase_fd) if public else unlocked_vault(passphrase_file, passphrase_fd)
    )
    data = vault.export(name, public=public)
    if out is None:
        sys.stdout.write(data.decode())
        return
    _write_new(out, data, mode=0o644 if public else 0o600)
    print(f"Wrote {out}.", file=sys.stderr)


@keys.command("import")
@click.argument("name")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@passphrase_options
def import_(name: str, file: Path, passphrase_file: Path | None, passphrase_fd: int | None) -> None:
    """Take a key from FILE into the vault as NAME: an age identity or recipient, a PEM or an OpenSSH key.

    An OpenSSH Ed25519 key becomes the age key that its curve maps to; seal to the `age1…` that is shown.

    A public key is kept as someone else's: to seal for them, and to recognise their signatures.

    Example: guardapp keys import aiko aiko.pem
    """
    try:
        with file.open("rb") as source:
            data = source.read(1 << 16)
    except OSError as error:
        raise from_os_error(error, file) from error
    info = unlocked_vault(passphrase_file, passphrase_fd).import_key(name, data)
    half = "private key" if info.has_private else "public key"
    print(f"Imported the {half} “{info.name}” ({info.type}), fingerprint {info.fingerprint}.", file=sys.stderr)


@keys.command()
@click.argument("name")
@click.option("--yes", is_flag=True, help="Do not ask.")
@passphrase_options
def delete(name: str, yes: bool, passphrase_file: Path | None, passphrase_fd: int | None) -> None:
    """Delete the key NAME for good, after saying what is lost.

    Example: guardapp keys delete archive
    """
    vault = unlocked_vault(passphrase_file, passphrase_fd)
    print(vault.what_is_lost(name), file=sys.stderr)
    if not yes and not (sys.stdin.isatty() and click.confirm(f"Delete “{name}”?", err=True)):
        raise GuardError(
            what=f"The key “{name}” was not deleted",
            why="this was not confirmed",
            next="Repeat the command with --yes if you mean it.",
            code="keys.not-confirmed",
        )
    vault.delete(name)
    print(f"Deleted “{name}”.", file=sys.stderr)


@keys.command()
@click.option(
    "--new-passphrase-file", type=click.Path(dir_okay=False, path_type=Path), help="Read the new one from here."
)
@click.option("--new-passphrase-fd", type=int, metavar="N", help="Read the new one from this file descriptor.")
@click.option("--remove", is_flag=True, help="Protect the vault by your account only.")
@passphrase_options
def passphrase(
    new_passphrase_file: Path | None,
    new_passphrase_fd: int | None,
    remove: bool,
    passphrase_file: Path | None,
    passphrase_fd: int | None,
) -> None:
    """Set, change or remove the passphrase that protects the vault.

    Example: guardapp keys passphrase
    """
    vault = unlocked_vault(passphrase_file, passphrase_fd)
    if remove:
        vault.set_passphrase(None)
    else:
        vault.set_passphrase(read_passphrase(new_passphrase_file, new_passphrase_fd, "New passphrase", confirm=True))
    print(vault.protection_note, file=sys.stderr)


@keys.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option(
    "--backup-passphrase-file", type=click.Path(dir_okay=False, path_type=Path), help="The backup's passphrase."
)
@passphrase_options
def backup(
    file: Path, backup_passphrase_file: Path | None, passphrase_file: Path | None, passphrase_fd: int | None
) -> None:
    """Write keys, budget ledger and audit log to FILE, under a passphrase of its own.

    Example: guardapp keys backup vault.backup
    """
    from guardapp.vault.backup import back_up

    vault = unlocked_vault(passphrase_file, passphrase_fd)
    secret = read_passphrase(backup_passphrase_file, None, "Passphrase for the backup", confirm=True)
    count = back_up(vault, file, secret)
    print(f"Backed up {count} keys, the budget ledger and the audit log to {file}, and read it back.", file=sys.stderr)


@keys.command()
@click.argument("file", required=False, type=click.Path(dir_okay=False, path_type=Path))
@click.option("--last-good", is_flag=True, help="Go back to the copy that is kept beside the vault.")
@click.option(
    "--backup-passphrase-file", type=click.Path(dir_okay=False, path_type=Path), help="The backup's passphrase."
)
def restore(file: Path | None, last_good: bool, backup_passphrase_file: Path | None) -> None:
    """Restore the vault from the backup FILE, or a damaged vault from its last good copy.

    The present vault is set aside, never deleted. A ledger is never replaced by a shorter one.

    Example: guardapp keys restore vault.backup
    """
    from guardapp.vault.home import data_folder

    if last_good == (file is not None):
        raise click.UsageError("Give either a backup file or --last-good.")
    if last_good:
        from guardapp.vault.last_good import restore_last_good

        aside = restore_last_good(data_folder())
        print(f"Restored the last good copy. The damaged vault is kept as {aside.name}.", file=sys.stderr)
        return
    from guardapp.vault.backup import restore as restore_backup

    assert file is not None
    done = restore_backup(
        file, read_passphrase(backup_passphrase_file, None, "Passphrase of the backup"), data_folder()
    )
    print(f"Restored {done.keys} keys. The vault is now protected by the backup's passphrase.", file=sys.stderr)
    for name in done.kept:
        print(f"The present {name} was kept, because it knows more than the one in the backup.", file=sys.stderr)
    if done.set_aside is not None:
        print(f"The vault that was there is kept as {done.set_aside.name}.", file=sys.stderr)


for command in (rotate, expire, recovery):
    keys.add_command(command)


def _write_new(path: Path, data: bytes, *, mode: int) -> None:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise from_os_error(error, path) from error
