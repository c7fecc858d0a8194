"""Checkpoint encryption, signing and the export bundle with its passport; and a small library (docs/sealed.md).

    from guardapp.seal import identities, load, open_sealed

    keys = identities(Path("key.txt").read_bytes(), "key.txt")
    with open_sealed(Path("model.sealed"), keys) as tensors:
        tensors["layer.weight"]
    model.load_state_dict(load("model.sealed", keys))

A name is imported when it is first asked for, because whoever needs one module should not wait for all.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from guardapp.seal.inspect import inspect_sealed
    from guardapp.seal.keys import identities, recipient
    from guardapp.seal.loading import load, load_state_dict
    from guardapp.seal.recipients import PassphraseIdentity, PassphraseRecipient
    from guardapp.seal.rewrap import add_recipients, rekey, remove_recipients
    from guardapp.seal.sealed import open_sealed, open_to_file, verify_sealed, write_sealed

_HOMES = {
    "PassphraseIdentity": "recipients",
    "PassphraseRecipient": "recipients",
    "add_recipients": "rewrap",
    "identities": "keys",
    "inspect_sealed": "inspect",
    "load": "loading",
    "load_state_dict": "loading",
    "open_sealed": "sealed",
    "open_to_file": "sealed",
    "recipient": "keys",
    "rekey": "rewrap",
    "remove_recipients": "rewrap",
    "verify_sealed": "sealed",
    "write_sealed": "sealed",
}
"""Name to the module that it lives in."""

__all__ = [
    "PassphraseIdentity",
    "PassphraseRecipient",
    "add_recipients",
    "identities",
    "inspect_sealed",
    "load",
    "load_state_dict",
    "open_sealed",
    "open_to_file",
    "recipient",
    "rekey",
    "remove_recipients",
    "verify_sealed",
    "write_sealed",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
