"""A process that may hold keys writes no picture of its memory to the disk."""

from __future__ import annotations

import sys

import pytest

from guardapp.cli import run


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such limit")
def test_no_command_nor_what_it_starts_leaves_a_core_dump() -> None:
    import resource

    assert run(["--version"]) == 0
    # children inherit the limit, and nobody without privileges can raise it again
    assert resource.getrlimit(resource.RLIMIT_CORE) == (0, 0)
