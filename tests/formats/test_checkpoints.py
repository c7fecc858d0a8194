"""Checkpoints are known by their content, loaded without running anything, and refused in one clear sentence."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from guardapp.errors import GuardError
from guardapp.formats import checkpoints

IN_CHILD = """
import json, sys
from pathlib import Path
from guardapp.errors import GuardError
from guardapp.formats import checkpoints

checkpoints.UNPICKLE_ALLOWED = True
for line in sys.stdin:
    try:
        loaded = checkpoints.load(Path(json.loads(line)))
        shapes = {name: [str(tensor.dtype), list(tensor.shape)] for name, tensor in loaded.tensors.items()}
        print(json.dumps({"tensors": shapes, "left_out": loaded.left_out}), flush=True)
    except GuardError as error:
        print(json.dumps({"code": error.code, "exit": error.exit_code, "text": str(error)}), flush=True)
"""

Load = Callable[[Path], dict[str, Any]]


@pytest.fixture(scope="module")
def load():
    """Load checkpoints as the program does: in a child process, which is the only one that may."""
    root = Path(__file__).parents[2]
    with subprocess.Popen(
        [sys.executable, "-c", IN_CHILD], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=root
    ) as process:
        assert process.stdin and process.stdout

        def ask(path: Path) -> dict[str, Any]:
            process.stdin.write(json.dumps(str(path)) + "\n")
            process.stdin.flush()
            return json.loads(process.stdout.readline())

        yield ask
        process.stdin.close()


@pytest.fixture(scope="module")
def torch():
    return pytest.importorskip("torch")


ORDINARY = {"pytorch_model.bin", "new_pytorch_model.bin"}
"""Two files of the collection whose pickles, read opcode by opcode, hold tensors and nothing else."""


@pytest.mark.realdata
def test_every_harmful_pickle_is_refused_and_nothing_in_it_runs(shared, load, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    files = [path for path in sorted((shared / "malicious-pickles").rglob("*")) if path.is_file()]
    assert len(files) > 45
    for path in files:
        answer = load(path)
        if path.name in ORDINARY:
            assert answer["tensors"]
            continue
        assert answer["exit"] == 2, path.name
        assert answer["code"] in ("checkpoint.unsafe", "checkpoint.not-a-checkpoint", "checkpoint.damaged")
        assert "Traceback" not in answer["text"]
    assert not list(tmp_path.iterdir())


class Marking:
    """Leaves a mark when it is unpickled by anything that runs what a pickle asks for."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[object, tuple[str]]:
        import os

        return os.mkdir, (str(self.mark),)


@pytest.mark.parametrize("form", ["zip", "legacy", "plain", "beside weights", "protocol 0"])
def test_a_pickle_that_would_leave_a_mark_leaves_none_and_is_named(form, torch, load, tmp_path):
    import pickle

    mark, path = tmp_path / "mark", tmp_path / "model.safetensors"
    content: Any = Marking(mark)
    if form == "beside weights":
        content = {"state_dict": {"w": torch.ones(2)}, "extra": Marking(mark)}
    if form in ("plain", "protocol 0"):
        path.write_bytes(pickle.dumps(content, protocol=0 if form == "protocol 0" else 4))
    else:
        torch.save(content, path, _use_new_zipfile_serialization=form != "legacy")
    answer = load(path)
    assert answer["code"] == "checkpoint.unsafe"
    assert "mkdir" in answer["text"]
    assert not mark.exists()
    if form == "zip":
        with path.open("rb") as file:
            torch.load(file, weights_only=False)
        assert mark.is_dir()


def test_the_process_of_the_window_never_unpickles(torch, tmp_path):
    torch.save({"w": torch.ones(2)}, tmp_path / "a.pt")
    with pytest.raises(GuardError) as error:
        checkpoints.load_state_dict(tmp_path / "a.pt")
    assert error.value.code == "checkpoint.needs-child"


@pytest.mark.realdata
@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("ckpt-lpips/v0.1/vgg.pth", 5),
        ("ckpt-mtcnn/onet.pt", 21),
        ("ckpt-yunet/weights/yunet_n.pth", 208),
        ("ckpt-silero-vad/silero_vad_16k.safetensors", 15),
        ("robust-convex_adversarial/mnist.pth", None),
    ],
)
def test_real_checkpoints_load(name, count, shared, load):
    path = shared / name
    if not path.exists():
        path = next(shared.glob(name.replace("/", "/**/")))
    answer = load(path)
    assert answer.get("tensors"), answer
    assert count is None or len(answer["tensors"]) == count


@pytest.mark.realdata
def test_torchscript_is_refused_because_it_holds_code(shared, load):
    assert load(shared / "ckpt-silero-vad" / "silero_vad.jit")["code"] == "checkpoint.has-code"


def saved(torch, path: Path, content: Any, *, legacy: bool = False) -> Path:
    torch.save(content, path, _use_new_zipfile_serialization=not legacy)
    return path


@pytest.mark.parametrize("legacy", [False, True])
def test_weights_are_found_and_the_rest_is_named(legacy, torch, load, tmp_path):
    weight = torch.arange(6.0).reshape(2, 3)
    content = {"state_dict": {"w": weight}, "optimizer": {"state": {0: {"exp_avg": weight}}}, "epoch": 3}
    answer = load(saved(torch, tmp_path / "a", content, legacy=legacy))
    assert answer == {"tensors": {"w": ["torch.float32", [2, 3]]}, "left_out": ["optimizer", "epoch"]}


def test_nested_tensors_get_dotted_names(torch, load, tmp_path):
    one = torch.ones(1)
    content = {"generator": {"a": one}, "critic": {"a": one, "list": [one, 5]}, "optimizer_g": {"m": one}, "lr": 0.1}
    answer = load(saved(torch, tmp_path / "a", content))
    assert list(answer["tensors"]) == ["generator.a", "critic.a", "critic.list.0"]
    assert answer["left_out"] == ["critic.list.1", "optimizer_g", "lr"]


def test_two_tensors_of_one_name_are_refused(torch, load, tmp_path):
    content = {"a": {"b": torch.ones(1)}, "a.b": torch.zeros(1)}
    assert load(saved(torch, tmp_path / "a", content))["code"] == "checkpoint.damaged"


def test_no_tensors_are_no_checkpoint(torch, load, tmp_path):
    assert load(saved(torch, tmp_path / "a", {"epoch": 3}))["code"] == "checkpoint.not-a-checkpoint"


def test_tensors_that_safetensors_cannot_hold_are_named(torch, load, tmp_path):
    answer = load(saved(torch, tmp_path / "a", {"good": torch.ones(1), "odd": torch.eye(3).to_sparse()}))
    assert answer["code"] == "checkpoint.strange-tensor"
    assert "odd" in answer["text"]


def test_a_view_of_terabytes_on_one_number_is_refused(torch, load, tmp_path):
    answer = load(saved(torch, tmp_path / "a", {"bomb": torch.ones(1).expand(1 << 40)}))
    assert answer["code"] == "checkpoint.inflated"


def test_an_archive_that_unfolds_too_far_is_refused(torch, load, tmp_path):
    import zipfile

    saved(torch, tmp_path / "a", {"w": torch.zeros(1 << 26)})
    with zipfile.ZipFile(tmp_path / "a") as old, zipfile.ZipFile(tmp_path / "b", "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            new.writestr(name, old.read(name))
    assert (tmp_path / "b").stat().st_size < 1 << 20
    assert load(tmp_path / "b")["code"] == "checkpoint.inflated"


@pytest.mark.parametrize("legacy", [False, True])
def test_a_cut_or_changed_checkpoint_is_refused_or_loads(legacy, torch, load, tmp_path):
    whole = saved(torch, tmp_path / "a", {"w": torch.arange(500.0), "b": torch.ones(3)}, legacy=legacy).read_bytes()
    generator = np.random.default_rng(3)
    for number in range(150):
        changed = bytearray(whole)
        if number % 3 == 0:
            changed = changed[: generator.integers(len(whole))]
        else:
            for _ in range(number % 3):
                changed[generator.integers(min(len(whole), 1200))] = generator.integers(256)
        (tmp_path / "b").write_bytes(changed)
        answer = load(tmp_path / "b")
        assert "tensors" in answer or answer["code"].startswith("checkpoint.")


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "checkpoint.not-a-checkpoint"),
        (b"name,age\nAiko,31\n", "checkpoint.not-a-checkpoint"),
        (b"\x89PNG\r\n\x1a\n" + bytes(100), "checkpoint.not-a-checkpoint"),
        (b"PK\x03\x04" + bytes(100), "checkpoint.not-a-checkpoint"),
        (bytes(range(256)) * 10, "checkpoint.not-a-checkpoint"),
        (b"GGUF" + bytes(100), "checkpoint.not-a-checkpoint"),
    ],
)
def test_other_files_are_told_apart_whatever_their_name(content, code, load, tmp_path):
    (tmp_path / "model.pt").write_bytes(content)
    assert load(tmp_path / "model.pt")["code"] == code


@pytest.mark.parametrize(
    ("content", "other"),
    [
        (b"", True),
        (b"name,age\nAiko,31\n", True),
        ("姓名,年龄\n".encode() * 200_000, True),
        (b"\x89PNG\r\n\x1a\n", True),
        (b"cposix\nsystem\n(S'id'\ntR.", False),
        (b"PK\x03\x04", False),
        (b"7z\xbc\xaf\x27\x1c", False),
        (b"\x80\x04N.", False),
        (b"\x00\x01\x02", False),
    ],
)
def test_only_what_cannot_hide_a_pickle_is_plainly_something_else(content, other, tmp_path):
    (tmp_path / "a").write_bytes(content)
    assert checkpoints.plainly_other(tmp_path / "a") is other


def test_a_pickle_in_the_name_of_safetensors_and_the_other_way_round_are_known(torch, load, tmp_path):
    saved(torch, tmp_path / "a.safetensors", {"w": torch.ones(2)})
    save_file({"v": np.ones(3)}, tmp_path / "b.pt")
    assert list(load(tmp_path / "a.safetensors")["tensors"]) == ["w"]
    assert list(load(tmp_path / "b.pt")["tensors"]) == ["v"]
    assert (checkpoints.sniff(tmp_path / "a.safetensors"), checkpoints.sniff(tmp_path / "b.pt")) == (
        "torch-zip",
        "safetensors",
    )


CONVERT = """
import sys
from pathlib import Path
from guardapp.formats import checkpoints
checkpoints.UNPICKLE_ALLOWED = True
print(checkpoints.to_safetensors(Path(sys.argv[1]), Path(sys.argv[2])).tensors)
"""


def test_a_checkpoint_becomes_the_safetensors_file_that_the_reference_library_reads(torch, tmp_path):
    from safetensors.torch import load_file

    base = torch.arange(40.0)
    tensors = {
        "tied.a": base[:20],
        "tied.b": base[:20],
        "strided": base.reshape(5, 8).t(),
        "half": torch.ones(3, dtype=torch.bfloat16),
        "scalar": torch.tensor(5),
        "empty": torch.zeros(0, 7),
        "flags": torch.tensor([True, False, True]),
        "parameter": torch.nn.Parameter(torch.ones(2, 2)),
    }
    saved(torch, tmp_path / "a.pt", tensors)
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", CONVERT, tmp_path / "a.pt", tmp_path / "a.safetensors"],
        capture_output=True, text=True, cwd=root,
    )  # fmt: skip
    assert done.stdout == "8\n", done.stderr
    read = load_file(tmp_path / "a.safetensors")
    assert read.keys() == tensors.keys()
    for name, tensor in tensors.items():
        assert torch.equal(read[name], tensor.detach()) and read[name].dtype == tensor.dtype
    described = checkpoints.describe(tmp_path / "a.safetensors")
    assert {info.name: info.shape for info in described} == {name: tuple(t.shape) for name, t in tensors.items()}
