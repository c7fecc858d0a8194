"""`guardapp gui`: the window."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from guardapp.errors import GuardError


@click.command()
@click.argument("files", nargs=-1, type=click.Path(path_type=Path))
def gui(files: tuple[Path, ...] = ()) -> None:
    """Open the window, on the page of FILES if any are named.

    \b
    Example:
      guardapp gui patients.csv
    """
    for path in files:
        if not path.exists():
            raise GuardError(
                what=f"{path.name} cannot be opened",
                why="there is no file or folder of that name",
                next="Check the spelling and the folder, then run it again.",
                code="gui.no-file",
            )
    try:
        from guardapp.desktop.app import run
    except ImportError as error:
        raise GuardError(
            what="The window cannot be shown",
            why=f"a library that Qt needs is missing ({error})",
            next="Install the libraries that the README lists, or use the commands of `guardapp --help`.",
            code="gui.qt",
        ) from None
    sys.exit(run([path.absolute() for path in files]))
