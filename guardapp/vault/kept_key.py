"""A key that lies beside what it vouches for, for this account alone: it shows tampering by who cannot read it."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from guardapp.vault.home import private_folder, unusable

KEY_BYTES = 32


def kept_key(path: Path) -> bytes:
    """The 32 bytes in `path`, made on first use; the first of several processes makes them."""
    private_folder(path.parent)
    try:
        if not path.exists():
            _make(path)
        return path.read_bytes()
    except OSError as error:
        raise unusable(path.parent, error) from None


def _make(path: Path) -> None:
    waiting = path.with_name(f".{path.name}.{secrets.token_hex(4)}.new")
    descriptor = os.open(waiting, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(secrets.token_bytes(KEY_BYTES))
            file.flush()
            os.fsync(file.fileno())
        # a link, unlike a rename, never replaces the key that another process has just made
        os.link(waiting, path)
    except FileExistsError:
        pass
    finally:
        waiting.unlink(missing_ok=True)
