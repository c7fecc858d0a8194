"""Stripping: the model's tensors come through bit for bit, and nothing else that was in the checkpoint does."""

from __future__ import annotations

import argparse
import collections
import json
import math
import os
import pathlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

from guardapp.cli import main
from guardapp.errors import GuardError
from guardapp.formats import checkpoints
from guardapp.formats.scan.scanner import scan_file
from guardapp.progress import Progress
from guardapp.seal.masking import rounded
from guardapp.seal.strip_job import StripResult, StripSpec, run

SECRETS = [
    "/home/zhang.wei/patients",
    "gpu-node-17",
    "zhang.wei@hospital.cn",
    "Do not publish before June",
    "PATIENT 4711",
]


@pytest.fixture(autouse=True)
def in_the_child() -> Iterator[None]:
    """As a worker process is set up."""
    before = checkpoints.UNPICKLE_ALLOWED
    checkpoints.UNPICKLE_ALLOWED = True
    yield
    checkpoints.UNPICKLE_ALLOWED = before


def trained() -> tuple[torch.nn.Module, dict[str, Any]]:
    """A network after two steps, with everything that training programs save beside it."""
    torch.manual_seed(3)
    network = torch.nn.Sequential(torch.nn.Linear(6, 8), torch.nn.BatchNorm1d(8), torch.nn.Linear(8, 2))
    optimizer = torch.optim.AdamW(network.parameters())
    for _ in range(2):
        network(torch.randn(5, 6)).square().mean().backward()
        optimizer.step()
    examples = torch.frombuffer(bytearray(f"{SECRETS[4]:<240}".encode()), dtype=torch.uint8)
    state = network.state_dict()
    return network, {
        "state_dict": state,
        "optimizer_states": [optimizer.state_dict()],
        "lr_schedulers": [{"last_epoch": 2, "_step_count": 3}],
        "epoch": 2,
        "global_step": 40,
        "rng_state": torch.get_rng_state(),
        "numpy_rng": np.random.RandomState(1).get_state(),
        "hyper_parameters": argparse.Namespace(lr=0.1, data_dir=SECRETS[0], user="zhang.wei"),
        "run": {"host": SECRETS[1], "author": SECRETS[2], "note": SECRETS[3], "out": pathlib.PurePosixPath(SECRETS[0])},
        "sample_batch": examples,
        "history": collections.OrderedDict(loss=[0.3, 0.2]),
    }


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    _, content = trained()
    path = tmp_path / "wards-secret-run.ckpt"
    torch.save(content, path)
    return path


def stripped(path: Path, out: Path, **fields: Any) -> StripResult:
    out.mkdir(exist_ok=True)
    return run(StripSpec(input=path, **fields), out, Progress())


@pytest.mark.parametrize("form", ["safetensors", "torch"])
@pytest.mark.parametrize("legacy", [False, True])
def test_the_model_comes_through_and_nothing_else(tmp_path: Path, form: str, legacy: bool) -> None:
    network, content = trained()
    path = tmp_path / "secret-run.ckpt"
    torch.save(content, path, _use_new_zipfile_serialization=not legacy)  # type: ignore[attr-defined]
    before = path.read_bytes()
    result = stripped(path, tmp_path / "out", format=form)
    made = tmp_path / "out" / result.path
    state = load_file(made) if form == "safetensors" else torch.load(made, weights_only=True)["state_dict"]
    assert sorted(state) == sorted(network.state_dict())
    assert all(torch.equal(state[name], value) for name, value in network.state_dict().items())
    data = made.read_bytes()
    for secret in [*SECRETS, "AdamW", "exp_avg", "betas", "MT19937", "global_step", "secret-run", "Namespace"]:
        assert secret.encode() not in data, secret
    assert scan_file(made) == []
    assert path.read_bytes() == before


def test_the_list_says_what_was_there_and_never_what_it_said(checkpoint: Path, tmp_path: Path) -> None:
    result = stripped(checkpoint, tmp_path / "out")
    kinds = {(row.under, row.kind) for row in result.removed}
    assert {
        ("optimizer_states", "optimizer"),
        ("lr_schedulers", "loop"),
        ("epoch", "loop"),
        ("rng_state", "random"),
        ("numpy_rng", "random"),
        ("hyper_parameters", "hyper"),
        ("hyper_parameters", "path"),
        ("hyper_parameters", "person"),
        ("run", "person"),
        ("run", "path"),
        ("run", "text"),
        ("sample_batch", "data"),
        ("archive", "text"),
    } <= kinds
    assert result.removed_count == sum(result.kinds.values()) == sum(row.count for row in result.removed)
    assert result.bytes_after < result.bytes_before
    for file in ("report.json", "report.html"):
        text = (tmp_path / "out" / file).read_text()
        assert not [secret for secret in SECRETS if secret in text]
    assert "优化器状态" in (tmp_path / "out" / "report.html").read_text()


def test_data_behind_a_view_and_tensors_that_hold_data_stay_behind(tmp_path: Path) -> None:
    hidden = torch.frombuffer(bytearray(SECRETS[4].encode() * 500), dtype=torch.uint8)
    content = {"layer.weight": hidden[:8], "encoder.queue": torch.randn(4, 100), "head.bias": torch.zeros(3)}
    path = tmp_path / "m.pt"
    torch.save(content, path)
    for form in ("safetensors", "torch"):
        result = stripped(path, tmp_path / form, format=form)
        made = tmp_path / form / result.path
        assert made.read_bytes().count(b"PATIENT") <= 1
        assert {(row.under, row.kind) for row in result.removed} >= {("encoder.queue", "data"), ("storage", "behind")}
        assert result.tensors == 2
    kept = stripped(path, tmp_path / "kept", keep=["*.queue"], drop=["head.*", "*.queue"])
    assert sorted(load_file(tmp_path / "kept" / kept.path)) == ["encoder.queue", "layer.weight"]


def test_metadata_of_safetensors_is_taken_out(tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    save_file(
        {"w": torch.ones(3)}, path, {"format": "pt", "ss_train_data_dir": SECRETS[0], "author": "x", "note": SECRETS[3]}
    )
    result = stripped(path, tmp_path / "out")
    assert checkpoints.layout(tmp_path / "out" / result.path).metadata == {"format": "pt"}
    assert [row.kind for row in result.removed] == ["path", "person", "text"]


def test_networks_in_networks_keep_their_nesting(tmp_path: Path) -> None:
    content = {
        "encoder": {"w": torch.ones(2), "note": "x"},
        "decoder": [{"w": torch.zeros(2)}],
        "optim": {"m": torch.ones(9)},
    }
    path = tmp_path / "m.pt"
    torch.save(content, path)
    result = stripped(path, tmp_path / "out", format="torch")
    again = torch.load(tmp_path / "out" / result.path, weights_only=True)
    assert set(again) == {"encoder", "decoder"}
    assert set(again["encoder"]) == {"w"}
    assert torch.equal(again["decoder"][0]["w"], torch.zeros(2))


def test_what_would_run_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> Any:
            return os.system, (f"touch {tmp_path / 'mark'}",)

    torch.save({"state_dict": {"w": torch.ones(2)}, "x": Evil()}, tmp_path / "m.pt")
    with pytest.raises(GuardError) as error:
        stripped(tmp_path / "m.pt", tmp_path / "out")
    assert error.value.code == "checkpoint.unsafe"
    assert not (tmp_path / "mark").exists()
    assert list((tmp_path / "out").iterdir()) == []


def test_a_file_without_a_model_is_refused(tmp_path: Path) -> None:
    torch.save({"optimizer": {"m": torch.ones(2)}, "epoch": 3}, tmp_path / "m.pt")
    with pytest.raises(GuardError) as error:
        stripped(tmp_path / "m.pt", tmp_path / "out")
    assert error.value.code == "strip.nothing-left"


def test_real_checkpoints_keep_every_tensor_of_the_model(shared: Path, tmp_path: Path) -> None:
    for number, path in enumerate(sorted((shared / "ckpt-mtcnn").rglob("*.pt"))[:3]):
        result = stripped(path, tmp_path / str(number))
        expected = checkpoints.load_state_dict(path)
        made = load_file(tmp_path / str(number) / result.path)
        assert set(made) == set(expected)
        assert all(torch.equal(made[name], tensor) for name, tensor in expected.items())


# -- rounding ----------------------------------------------------------------------------------------------------------


def test_rounding_halves_the_file_and_tells_its_cost(checkpoint: Path, tmp_path: Path) -> None:
    network, _ = trained()
    for to in ("bf16", "int8"):
        result = stripped(checkpoint, tmp_path / to, round_to=to)
        made = load_file(tmp_path / to / result.path)
        cost = result.rounding
        assert cost is not None
        worst = error = square = 0.0
        for name, tensor in network.state_dict().items():
            if tensor.is_floating_point():
                assert made[name].dtype == torch.bfloat16
                pairs = zip(tensor.flatten().tolist(), made[name].flatten().tolist(), strict=True)
                for exact, coarse in pairs:
                    worst = max(worst, abs(exact - coarse))
                    error += (exact - coarse) ** 2
                    square += exact**2
            else:
                assert torch.equal(made[name], tensor)
        assert cost.largest == pytest.approx(worst, rel=1e-9)
        assert cost.relative == pytest.approx(math.sqrt(error / square), rel=1e-9)
        assert cost.bytes_after * 2 == cost.bytes_before
    assert "bfloat16" in (tmp_path / "int8" / "report.html").read_text()


@given(st.lists(st.floats(width=32, allow_nan=True, allow_infinity=True), min_size=6, max_size=6))
def test_bf16_is_the_nearest_and_int8_keeps_to_its_grid(values: list[float]) -> None:
    tensor = torch.tensor(values).reshape(2, 3)
    near, _ = rounded(tensor, "bf16")
    overflows = any(math.isfinite(value) and abs(value) > 3.38e38 for value in values)
    if overflows:
        return
    assert torch.equal(near.nan_to_num(nan=7), tensor.to(torch.bfloat16).nan_to_num(nan=7))
    coarse, cost = rounded(tensor, "int8")
    for row, exact in zip(coarse.tolist(), tensor.tolist(), strict=True):
        top = max((abs(value) for value in exact if math.isfinite(value)), default=0.0)
        if not top:
            continue
        step = 2.0 ** math.ceil(math.log2(top / 127))
        for value, was in zip(row, exact, strict=True):
            if math.isfinite(was):
                assert abs(value - was) <= step / 2 * 1.01 + 1e-40
    assert math.isfinite(cost.largest)


# -- the command -------------------------------------------------------------------------------------------------------


def test_the_command_writes_the_new_file_and_lists_the_old_one(checkpoint: Path, tmp_path: Path) -> None:
    checkpoints.UNPICKLE_ALLOWED = False  # this process must not be the one that loads
    target = tmp_path / "model.safetensors"
    done = CliRunner().invoke(
        main, ["strip", str(checkpoint), "-o", str(target), "--round", "bf16", "--json"], standalone_mode=False
    )
    assert done.exception is None
    document = json.loads(done.stdout)
    assert document["path"] == str(target)
    assert document["rounding"]["to"] == "bf16"
    assert len(load_file(target)) == document["tensors"] == 9
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model.safetensors", "wards-secret-run.ckpt"]
    again = CliRunner().invoke(main, ["strip", str(checkpoint), "-o", str(target)], standalone_mode=False)
    assert isinstance(again.exception, FileExistsError)
