"""Where the sealing commands get their keys: the command line's files, the vault, a prompt."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import click

from guardapp.cli.vault_access import unlocked_vault, vault_for_reading
from guardapp.errors import GuardError
from guardapp.seal import keys as key_texts
from guardapp.seal.recipients import Identity, PassphraseIdentity
from guardapp.vault.keys import OPENING_TYPES
from guardapp.vault.rules import check_not_expired, recovery_recipient

STANDARD_INPUT = Path("-")


def gather_recipient_texts(recipients: Sequence[str], files: Sequence[Path]) -> list[str]:
    """Every recipient as `age1…`, `age1pq1…` or PEM text. What is no key and no file is a name in the vault."""
    texts: list[str] = []
    for text in recipients:
        path = Path(text)
        if key_texts.is_key_text(text):
            texts.append(text)
        elif path.is_file():
            texts += key_texts.recipients_in(path.read_bytes(), path.name)
        elif "/" in text or "\\" in text:
            raise FileNotFoundError(2, "no such file", text)
        else:
            texts.append(_vault_recipient(text))
    for file in files:
        texts += key_texts.recipients_in(file.read_bytes(), file.name)
    return texts


def _vault_recipient(name: str) -> str:
    vault = vault_for_reading()
    check_not_expired(vault, name)
    return vault.public(name)


def with_recovery(texts: Sequence[str]) -> list[str]:
    """`texts`, and the recovery key if the vault requires one. Raises GuardError `vault.no-recovery-key`."""
    recovery = recovery_recipient(vault_for_reading())
    known = {text.strip() for text in texts}
    return [*texts, recovery] if recovery and recovery.strip() not in known else list(texts)


def check_recipients_given(
    texts: Sequence[str], passphrase_file: Path | None, option: str = "--passphrase-file"
) -> None:
    if not texts and passphrase_file is None:
        raise GuardError(
            what="Nobody could open the sealed file",
            why="no recipient and no passphrase was given",
            next=f"Add -r with a recipient, -R with a file of them, or {option}.",
            code="sealed.nobody",
        )


def gather_identities(files: Sequence[Path], passphrase_file: Path | None, *, ask: bool = True) -> list[Identity]:
    """Every key that may open a file: from the files, the passphrase, and the vault.

    ask: unlock a locked vault, by a prompt if need be, where no other key was given
    """
    found: list[Identity] = []
    for file in files:
        found += key_texts.identities(file.read_bytes(), file.name)
    passphrase = read_passphrase(passphrase_file, confirm=False)
    if passphrase is not None:
        found.append(PassphraseIdentity(passphrase))
    return [*found, *_vault_identities(ask=ask and not found)]


def _vault_identities(*, ask: bool) -> list[Identity]:
    vault = unlocked_vault() if ask else vault_for_reading()
    if vault.locked:
        return []
    found: list[Identity] = []
    for info in vault.keys():
        if info.has_private and info.type in OPENING_TYPES:
            found += key_texts.identities(vault.private(info.name), info.name)
    return found


def read_passphrase(file: Path | None, *, confirm: bool) -> str | None:
    """The first line of `file`; for `-` the answer to a prompt on a terminal, else the first line of standard input."""
    if file is None:
        return None
    if file != STANDARD_INPUT:
        return key_texts.passphrase(file.read_bytes(), file.name)
    if sys.stdin.isatty():
        answer: str = click.prompt("Passphrase", hide_input=True, confirmation_prompt=confirm, err=True)
        return answer
    return key_texts.passphrase(sys.stdin.buffer.readline(), "standard input")
