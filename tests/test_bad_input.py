"""Bad input, as a person meets it at the command line: one clear message, the next step, and nothing left behind."""

from __future__ import annotations

import gzip
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

POLICY = """
version: 1
columns:
  name: {role: direct, rule: drop}
  age: {role: quasi}
  town: {role: quasi}
models: [{name: k-anonymity, k: 2}]
"""
ROWS = "name,age,town\n" + "".join(f"Person {i},{20 + i % 40},Town {i % 3}\n" for i in range(200))


class Outcome(NamedTuple):
    code: int
    out: str
    err: str


def guardapp(*arguments: object, cwd: Path | None = None) -> Outcome:
    """Run the real program, as a script would."""
    root = str(Path(__file__).parents[1])
    done = subprocess.run(
        [sys.executable, "-m", "guardapp", *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": root},
        timeout=120,
        check=False,
    )
    return Outcome(done.returncode, done.stdout, done.stderr)


def assert_clear(outcome: Outcome, *codes: int) -> None:
    """One message that says what, why and what next; no traceback."""
    assert outcome.code in codes, outcome
    assert "Traceback" not in outcome.err + outcome.out
    assert outcome.err.count("Why:") == 1, outcome.err
    assert outcome.err.count("Next:") == 1, outcome.err


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    path = tmp_path / "policy.yaml"
    path.write_text(POLICY)
    return path


BAD_TABLES = {
    "empty.csv": b"",
    "binary.csv": bytes(range(256)) * 40,
    "truncated.csv.gz": gzip.compress(ROWS.encode() * 50)[:-200],
    "truncated.parquet": b"PAR1" + b"\x00" * 100,
    "uneven.csv": ROWS.encode() + b"one,two,three,four,five\n" + ROWS.encode(),
    "header-only-twice.csv": b"name,name,town\n1,2,3\n",
}


@pytest.mark.parametrize("name", BAD_TABLES)
def test_a_bad_table_is_refused_with_a_reason_and_nothing_is_written(name: str, tmp_path: Path, policy: Path) -> None:
    table = tmp_path / name
    table.write_bytes(BAD_TABLES[name])
    outcome = guardapp("deid", "run", table, "--policy", policy, "--out", tmp_path / "out")
    assert_clear(outcome, 2)
    assert name in outcome.err
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([name, "policy.yaml"])


@pytest.mark.parametrize("encoding", ["gbk", "utf-16", "utf-8-sig", "gb18030"])
def test_a_table_in_another_encoding_is_read_right_and_written_as_utf_8(
    encoding: str, tmp_path: Path, policy: Path
) -> None:
    table = tmp_path / "table.csv"
    text = "name,age,town\n" + "".join(f"张伟{i},{20 + i % 40},北京市海淀区{i % 3}\n" for i in range(200))
    table.write_bytes(text.encode(encoding))
    outcome = guardapp("deid", "run", table, "--policy", policy, "--out", tmp_path / "out")
    assert outcome.code == 0, outcome
    assert "北京市海淀区" in (tmp_path / "out" / "table.csv").read_text(encoding="utf-8-sig")


def test_ten_thousand_columns_are_profiled_and_those_not_named_in_the_policy_refused(
    tmp_path: Path, policy: Path
) -> None:
    table = tmp_path / "wide.csv"
    header = ",".join(["name", "age", "town", *(f"c{i}" for i in range(9997))])
    table.write_text(header + "\n" + (",".join(["1"] * 10_000) + "\n") * 5)
    assert guardapp("deid", "profile", table, "--json").code == 0
    outcome = guardapp("deid", "run", table, "--policy", policy, "--out", tmp_path / "out")
    assert_clear(outcome, 2)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("arguments", "spec"),
    [
        (("run",), "jobs:\n  - {kind: deidd, name: a, input: x.csv}\n"),
        (("run",), "jobs:\n  - {kind: deid, name: a, input: x.csv, polcy: p.yaml}\n"),
        (("run",), "jobs:\n  - {kind: deid, name: a, input: '${b.table}', policy: p.yaml}\n"),
        (("run",), "jobs: [[[[\n"),
        (("run",), "jobs: []\n"),
        (("run",), "&a [*a, *a]\n"),
        (("train",), "kind: train\ndata: {images: x.idx}\nprivacy: {epsilon: -1, delta: 1.0e-5, max_examples: 10}\n"),
        (("train",), "kind: train\ndata: {images: x.idx}\nprivacy: {epsilon: 1, detla: 1.0e-5, max_examples: 10}\n"),
        (("check",), "kind: check\nmodel: {wieghts: m.safetensors}\ndata: {images: x}\nstrengths: [0.1]\n"),
    ],
)
def test_a_bad_spec_is_refused_before_anything_starts(arguments: tuple[str, ...], spec: str, tmp_path: Path) -> None:
    path = tmp_path / "spec.yaml"
    path.write_text(spec)
    outcome = guardapp(*arguments, path, "--out", tmp_path / "out")
    assert_clear(outcome, 2)
    assert not (tmp_path / "out").exists()


def test_an_unknown_field_is_named_with_the_nearest_known_one(tmp_path: Path) -> None:
    path = tmp_path / "batch.yaml"
    path.write_text("jobs:\n  - {kind: deid, name: a, input: x.csv, polcy: p.yaml}\n")
    outcome = guardapp("run", path, "--out", tmp_path / "out")
    assert "polcy" in outcome.err
    assert "policy" in outcome.err.replace("polcy", "")


@pytest.mark.parametrize("command", ["deid run", "seal", "open", "inspect", "verify", "train", "check", "run"])
def test_an_input_that_is_gone_is_said_to_be_gone(command: str, tmp_path: Path, policy: Path) -> None:
    gone = tmp_path / "gone.file"
    rest = {
        "deid run": ["--policy", policy, "--out", tmp_path / "out"],
        "seal": ["-o", tmp_path / "out", "--passphrase-file", policy],
        "open": ["-o", tmp_path / "out", "--passphrase-file", policy],
        "train": ["--out", tmp_path / "out"],
        "check": ["--out", tmp_path / "out"],
        "run": ["--out", tmp_path / "out"],
    }
    outcome = guardapp(*command.split(), gone, *rest.get(command, []))
    assert_clear(outcome, 2)
    assert "gone.file" in outcome.err
    assert not (tmp_path / "out").exists()


def test_a_wrong_key_is_said_to_be_wrong_and_writes_nothing(tmp_path: Path) -> None:
    plain, sealed, out = tmp_path / "a.bin", tmp_path / "a.sealed", tmp_path / "out"
    plain.write_bytes(b"a secret of some length")
    (tmp_path / "right").write_text("correct horse battery staple")
    (tmp_path / "wrong").write_text("incorrect horse")
    seal = ["seal", plain, "-o", sealed, "--passphrase-file", tmp_path / "right", "--no-convert"]
    assert guardapp(*seal).code == 0
    outcome = guardapp("open", sealed, "-o", out, "--passphrase-file", tmp_path / "wrong")
    assert_clear(outcome, 1, 2)
    assert not out.exists()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of one megabyte, read-write; needs root."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", disk], capture_output=True, check=False)
    if mounted.returncode != 0:
        pytest.skip("mounting a small disk needs root")
    yield disk
    subprocess.run(["umount", "-l", disk], check=True)


def test_a_full_disk_is_said_to_be_full_and_nothing_half_written_stays(
    small_disk: Path, tmp_path: Path, policy: Path
) -> None:
    big = tmp_path / "big.bin"
    big.write_bytes(os.urandom(3 << 20))
    outcome = guardapp("seal", big, "-o", small_disk / "big.sealed", "--passphrase-file", policy, "--no-convert")
    assert_clear(outcome, 2)
    assert "full" in outcome.err
    table = tmp_path / "big.csv"
    table.write_text(ROWS.split("\n", 1)[0] + "\n" + ROWS.split("\n", 1)[1] * 1500)
    outcome = guardapp("deid", "run", table, "--policy", policy, "--out", small_disk / "out")
    assert_clear(outcome, 2)
    assert "full" in outcome.err
    assert list(small_disk.iterdir()) == []


def test_a_read_only_folder_is_said_to_be_read_only(small_disk: Path, tmp_path: Path, policy: Path) -> None:
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    table = tmp_path / "table.csv"
    table.write_text(ROWS)
    outcome = guardapp("deid", "run", table, "--policy", policy, "--out", small_disk / "out")
    assert_clear(outcome, 2)
    outcome = guardapp("seal", table, "-o", small_disk / "t.sealed", "--passphrase-file", policy, "--no-convert")
    assert_clear(outcome, 2)
    assert list(small_disk.iterdir()) == []


@pytest.mark.parametrize("name", ["malicious0.pkl", "malicious1.zip", "pytorch_magic_bypass.pt", "broken_model.pkl"])
def test_a_malicious_checkpoint_is_refused_and_runs_nothing(
    name: str, tmp_path: Path, shared: Path, policy: Path
) -> None:
    path = next((shared / "malicious-pickles").rglob(name))
    outcome = guardapp("seal", path, "-o", tmp_path / "out.sealed", "--passphrase-file", policy, cwd=tmp_path)
    assert_clear(outcome, 1, 2)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["policy.yaml"]
