"""The demo: the README's first promise. The whole chain on the samples, verified by us and by the public tool."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_demo_ends_with_verified_bundles_and_runs_again_at_once(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "guardapp", "demo", "--out", str(tmp_path), "--json"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert [job["state"] for job in said["jobs"]] == ["done"] * 10
    for found in said["bundles"]:
        assert found["verdict"].startswith("Genuine and unchanged")
        assert_genuine_to_the_public_tool(Path(found["bundle"]), tmp_path)

    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "results").rglob("*")}
    again = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert again.returncode == 0, again.stderr
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "results").rglob("*")} == before


def assert_genuine_to_the_public_tool(bundle: Path, place: Path) -> None:
    from guardapp.vault.store import Vault

    public = place / "signer.pem"
    public.write_text(Vault.open(place / "home").public("signer"))
    tool = [sys.executable, "-m", "model_signing", "verify", "key", str(bundle)]
    options = ["--signature", str(bundle / "model.sig"), "--public_key", str(public), "--ignore-paths"]
    done = subprocess.run([*tool, *options, str(bundle / "model.sig")], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
