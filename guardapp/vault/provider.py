"""How a worker comes by the keys that its spec names: the process that holds the vault looks them up."""

from __future__ import annotations

from collections.abc import Callable

from guardapp.spec import KeyNeed
from guardapp.vault.rules import RECOVERY_NEED, check_not_expired, recovery_recipient
from guardapp.vault.store import Vault


def key_provider(vault: Vault) -> Callable[[KeyNeed], bytes]:
    """A function from a spec's need to key material.

    recipient, public: `age1…` or PEM, as text; for RECOVERY_NEED the recovery key, or nothing where none is required
    signing, private, own: `AGE-SECRET-KEY-1…` or PEM (PKCS #8), as text
    pseudonym:         32 bytes, made on first use

    It raises GuardError `vault.locked`, `vault.no-key`, `vault.only-public`, `vault.wrong-type`, `vault.expired`,
    `vault.no-recovery-key`.
    """

    def provide(need: KeyNeed) -> bytes:
        if need.name == RECOVERY_NEED:
            return recovery_recipient(vault).encode()
        if need.use == "pseudonym":
            return vault.pseudonym_key(need.name)
        if need.use in ("recipient", "own", "signing"):
            check_not_expired(vault, need.name)
        if need.use in ("recipient", "public"):
            return vault.public(need.name).encode()
        return vault.private(need.name)

    return provide
