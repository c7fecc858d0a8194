"""Memory does not grow with the file."""

from __future__ import annotations

import subprocess
import sys

import pytest

MEASURE = """
import re, sys
from pathlib import Path
import numpy
import psutil
from guardapp.seal.recipients import X25519Identity, X25519Recipient
from guardapp.seal.sealed import open_to_file, write_sealed
key = bytes.fromhex(sys.stdin.readline())
idle = psutil.Process().memory_info().rss
write_sealed(Path(sys.argv[1]), Path(sys.argv[2]), [X25519Recipient(X25519Identity(key)._public)], flush=False)
open_to_file(Path(sys.argv[2]), Path(sys.argv[3]), [X25519Identity(key)], flush=False)
print(int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) * 1024 - idle)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_512_mib_are_sealed_checked_and_opened_in_150_mib_of_memory(tmp_path, pair):
    source = tmp_path / "a"
    with source.open("wb") as file:
        file.truncate(512 << 20)
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, source, tmp_path / "s", tmp_path / "out"],
        input=pair.private.hex() + "\n", capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 150 << 20
