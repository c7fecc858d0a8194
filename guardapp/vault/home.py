"""Where the app keeps what it must remember: keys, ledger, audit log, queue and settings."""

from __future__ import annotations

import os
from pathlib import Path

from guardapp.errors import GuardError

ENVIRONMENT = "GUARDAPP_HOME"


def data_folder() -> Path:
    """The data folder, made for this user alone (0700) if it is not there.

    `$GUARDAPP_HOME` where it is set, else the platform's usual place. Raises GuardError `home.unusable`.
    """
    chosen = os.environ.get(ENVIRONMENT)
    if chosen:
        folder = Path(chosen).expanduser().absolute()
    else:
        import platformdirs

        folder = platformdirs.user_data_path("guardapp", appauthor=False)
    return private_folder(folder)


def private_folder(folder: Path) -> Path:
    """`folder`, made with mode 0700 if it is absent; one that is there keeps its mode.

    Raises GuardError `home.unusable`.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise unusable(folder, error) from None
    return folder


def unusable(folder: Path, error: OSError) -> GuardError:
    """The error for a data folder that cannot be made, read or written."""
    return GuardError(
        what=f"The data folder {folder} cannot be used",
        why=(error.strerror or "the operating system refused it").lower(),
        next=f"Give your account write access to it, or set {ENVIRONMENT} to another folder.",
        code="home.unusable",
    )
