"""Opening the vault from the command line: where its passphrase may come from.

From a file, a file descriptor or a prompt; never from an argument or from the environment, which other programs can
read and which end up in logs. `GUARDAPP_PASSPHRASE_FILE` may name the file, so that a batch of commands need not repeat
it.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from guardapp.errors import GuardError, from_os_error

if TYPE_CHECKING:
    from guardapp.vault.store import Vault

FILE_VARIABLE = "GUARDAPP_PASSPHRASE_FILE"
LONGEST = 4096

Command = TypeVar("Command", bound=Callable[..., Any])


def passphrase_options(command: Command) -> Command:
    """The options `--passphrase-file` and `--passphrase-fd` of a command that may have to unlock the vault."""
    command = click.option(
        "--passphrase-fd", type=int, metavar="N", help="Read the vault's passphrase from this open file descriptor."
    )(command)
    return click.option(
        "--passphrase-file",
        type=click.Path(dir_okay=False, path_type=Path),
        metavar="FILE",
        help=f"Read the vault's passphrase from the first line of FILE (default: ${FILE_VARIABLE}).",
    )(command)


def unlocked_vault(passphrase_file: Path | None = None, passphrase_fd: int | None = None) -> Vault:
    """The vault, unlocked; asks on a terminal where no passphrase was given.

    Raises GuardError `vault.locked`, `vault.passphrase`, `file.missing`.
    """
    from guardapp.vault.store import Vault

    vault = Vault.open()
    if vault.locked:
        vault.unlock(read_passphrase(passphrase_file, passphrase_fd, "Passphrase of the vault"))
    return vault


def vault_for_reading(passphrase_file: Path | None = None, passphrase_fd: int | None = None) -> Vault:
    """The vault, unlocked only if a passphrase is at hand without asking: for commands that can do with public keys."""
    from guardapp.vault.store import Vault

    vault = Vault.open()
    if vault.locked and (passphrase_file or passphrase_fd is not None or os.environ.get(FILE_VARIABLE)):
        vault.unlock(read_passphrase(passphrase_file, passphrase_fd, ""))
    return vault


def read_passphrase(file: Path | None, descriptor: int | None, prompt: str, *, confirm: bool = False) -> str:
    """The first line of a file or descriptor, or what is typed at the prompt. Raises GuardError `vault.locked`."""
    if descriptor is not None:
        try:
            with os.fdopen(descriptor, "rb", closefd=False) as source:
                return _first_line(source.read(LONGEST))
        except OSError as error:
            raise from_os_error(error, f"file descriptor {descriptor}") from error
    file = file or (Path(named) if (named := os.environ.get(FILE_VARIABLE)) and not confirm else None)
    if file is not None:
        try:
            with file.open("rb") as source:
                return _first_line(source.read(LONGEST))
        except OSError as error:
            raise from_os_error(error, file) from error
    if sys.stdin.isatty():
        return str(click.prompt(prompt, hide_input=True, confirmation_prompt=confirm, err=True))
    raise GuardError(
        what="A passphrase is needed",
        why="none was given, and there is no terminal to ask on",
        next=f"Give it with --passphrase-file or --passphrase-fd, or name its file in {FILE_VARIABLE}.",
        code="vault.locked",
    )


def _first_line(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape").split("\n", 1)[0].rstrip("\r")
