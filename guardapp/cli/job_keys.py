"""The vault's keys for jobs that the command line runs; the vault is opened when the first job asks for a key."""

from __future__ import annotations

from guardapp.jobs.engine import KeyProvider
from guardapp.spec import KeyNeed


def vault_keys() -> KeyProvider:
    """A key provider that unlocks the vault, asking for a passphrase if it has one, once a private key is needed."""
    unlocked: list[KeyProvider] = []

    def provide(need: KeyNeed) -> bytes:
        from guardapp.cli.vault_access import unlocked_vault, vault_for_reading
        from guardapp.vault.provider import key_provider

        if need.use in ("public", "recipient") and not unlocked:
            return key_provider(vault_for_reading())(need)
        if not unlocked:
            unlocked.append(key_provider(unlocked_vault()))
        return unlocked[0](need)

    return provide
