"""What a vault requires: a recovery key that every sealed file is also for, and dates after which keys are not used.

Rules lie in the vault's settings, each authenticated under the vault key and copied into backups. A locked vault shows
them unchecked, as it shows its public keys. Removing a rule from the file itself is not noticed: rules guard against
forgetting, not against the account's owner.
"""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from typing import Final

from guardapp.errors import GuardError
from guardapp.vault import keys as kinds
from guardapp.vault import rows
from guardapp.vault.keys import OPENING_TYPES, KeyInfo
from guardapp.vault.store import Vault

RECOVERY_NEED: Final = "vault:recovery"
"""The name under which a job asks for the recovery key; no key can be called so, because of the colon."""

_RECOVERY: Final = "recovery"
_EXPIRY: Final = "expiry"


def recovery_key(vault: Vault) -> str:
    """The name of the key that every sealed file is also for; "" where none is required."""
    return _rule(vault, _RECOVERY)


def require_recovery(vault: Vault, name: str) -> None:
    """Require that whatever is sealed from now on is also for the key `name`; "" to require nothing.

    Only its public half needs to be here, and should be. Raises GuardError `vault.no-key`, `vault.wrong-type`,
    `vault.locked`.
    """
    info = vault.info(name) if name else None
    if info is not None and info.type not in OPENING_TYPES:
        raise GuardError(
            what=f"The key “{info.name}” cannot be the recovery key",
            why="nothing can be sealed to it",
            next="Choose an age key, a hybrid key or an RSA key.",
            code="vault.wrong-type",
        )
    _set_rule(vault, _RECOVERY, info.name if info else "")


def recovery_recipient(vault: Vault) -> str:
    """The recovery key as `age1…` or PEM; "" where none is required. Raises GuardError `vault.no-recovery-key`."""
    name = recovery_key(vault)
    if not name:
        return ""
    try:
        return vault.public(name)
    except GuardError as error:
        if error.code != "vault.no-key":
            raise
        raise GuardError(
            what="Nothing can be sealed now",
            why=f"this vault requires the recovery key “{name}”, which is no longer in it",
            next="Import its public half again, or lift the rule with `guardapp keys recovery --none`.",
            code="vault.no-recovery-key",
        ) from None


def expiries(vault: Vault) -> dict[str, date]:
    """Key name to the last day on which it is used for something new."""
    text = _rule(vault, _EXPIRY)
    return {name: date.fromisoformat(day) for name, day in json.loads(text).items()} if text else {}


def set_expiry(vault: Vault, name: str, day: date | None) -> KeyInfo:
    """Let a key be used for something new until the end of `day` (UTC), or for ever."""
    info = vault.info(name)
    days = {known: when.isoformat() for known, when in expiries(vault).items() if known != info.name}
    if day is not None:
        days[info.name] = day.isoformat()
    _set_rule(vault, _EXPIRY, json.dumps(days, sort_keys=True, ensure_ascii=False))
    return info


def check_not_expired(vault: Vault, name: str) -> None:
    """GuardError `vault.expired` for a key that must not seal or sign anything new. Opening is always allowed."""
    info = vault.info(name)
    last = expiries(vault).get(info.name)
    if last is not None and datetime.now(UTC).date() > last:
        raise GuardError(
            what=f"The key “{info.name}” is not used for anything new",
            why=f"it expired on {last.isoformat()}",
            next="Make a new one with `guardapp keys rotate`, or set another date with `guardapp keys expire`.",
            code="vault.expired",
        )


def rotate(vault: Vault, name: str) -> tuple[KeyInfo, KeyInfo]:
    """Make a new key of the same type under `name`; the old one is kept as “name (until DATE)”, to open what it opened.

    Returns the new key and the old one. Raises GuardError `vault.only-public`, `vault.wrong-type`, `vault.locked`.
    """
    info = vault.info(name)
    if info.type == "pseudonym":
        raise GuardError(
            what=f"The key “{info.name}” is not rotated",
            why="the same people would get other pseudonyms",
            next="Make another key under a name of its own, and use that in a new policy.",
            code="vault.wrong-type",
        )
    private, material = vault.private(name), kinds.make(info.type)
    old, new = info._replace(name=_retired_name(vault, info.name)), kinds.describe(info.name, material)
    with vault.writing() as (connection, vault_key):
        rows.add(connection, vault_key, old, private)
        rows.add(connection, vault_key, new, material.private)
        vault.audit.append("key-rotated", new.name, type=new.type, fingerprint=new.fingerprint, old=old.name)
    return new, old


def _retired_name(vault: Vault, name: str) -> str:
    """A free name for the key that `name` was until today."""
    today = datetime.now(UTC).date().isoformat()
    taken = {info.name for info in vault.keys()}
    base = f"{name[:40]} (until {today})"
    number = 2
    free = base
    while free in taken:
        free, number = f"{base} {number}", number + 1
    return free


def all_rules(vault: Vault) -> dict[str, str]:
    """For a backup. Raises GuardError `vault.locked`."""
    with vault.writing() as (connection, vault_key):
        return rows.rules(connection, vault.folder, vault_key)


def _rule(vault: Vault, name: str) -> str:
    with vault.reading() as (connection, vault_key):
        return rows.rule(connection, vault.folder, name, vault_key)


def _set_rule(vault: Vault, name: str, value: str) -> None:
    with vault.writing() as (connection, vault_key):
        rows.write_rule(connection, vault_key, name, value)
        vault.audit.append("rule-set", name, value=value)
