"""A model from elsewhere gives what it gave there, or one clear message; nothing that hides in its file ever runs."""

from __future__ import annotations

import hashlib
import io
import json
import pickle
import random
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from guardapp.errors import GuardError
from guardapp.formats.exported.module import load_exported
from guardapp.formats.foreign_models import is_foreign, load_foreign
from guardapp.formats.models import load_model

Change = Callable[[dict[str, bytes]], None]


class Small(nn.Module):
    """Every common layer once, a sum of branches and a reshape by the batch's size."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(inplace=True))
        self.second = nn.Conv2d(4, 4, 3, padding=1)
        self.last = nn.Sequential(nn.Dropout(), nn.Linear(16, 3))
        self.register_buffer("shift", torch.tensor([0.25]))

    def forward(self, x: Tensor) -> Tensor:
        hidden = self.first(x - self.shift)
        hidden = nn.functional.max_pool2d(hidden + torch.tanh(self.second(hidden)), 4)
        return self.last(hidden.view(x.shape[0], -1))


class Marker:
    """Unpickling this leaves a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return (open, (str(self.path), "w"))


@pytest.fixture(scope="session")
def small() -> nn.Module:
    torch.manual_seed(0)
    return Small().eval()


@pytest.fixture(scope="session")
def exported(small: nn.Module) -> bytes:
    """The file that torch.export writes for `small` with a free batch."""
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.export.export(small, (torch.rand(2, 1, 8, 8),), dynamic_shapes=({0: torch.export.Dim.AUTO},))
        torch.export.save(program, buffer)
    return buffer.getvalue()


def changed(content: bytes, path: Path, change: Change) -> Path:
    """`content` with its members changed, at `path`."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = {name.partition("/")[2]: archive.read(name) for name in archive.namelist()}
    change(members)
    with zipfile.ZipFile(path, "w") as archive:
        for name, member in members.items():
            archive.writestr(f"m/{name}", member)
    return path


def in_graph(edit: Callable[[dict[str, Any]], None]) -> Change:
    def change(members: dict[str, bytes]) -> None:
        document = json.loads(members["models/model.json"])
        edit(document)
        members["models/model.json"] = json.dumps(document).encode()

    return change


def refused(path: Path, **how: Any) -> str:
    with pytest.raises(GuardError) as error:
        load_foreign(path, **how)
    assert error.value.what and error.value.why and error.value.next
    return error.value.code


def test_an_exported_model_gives_the_same_scores_and_gradients(
    exported: bytes, small: nn.Module, tmp_path: Path
) -> None:
    (tmp_path / "m.pt2").write_bytes(exported)
    loaded = load_model(tmp_path / "m.pt2", input_shape=(1, 8, 8), classes=["a", "b", "c"])
    for count in (1, 5):
        ours = torch.rand(count, 1, 8, 8)
        theirs = ours.clone()
        ours.requires_grad_(True)
        theirs.requires_grad_(True)
        assert torch.equal(loaded.module(ours), small(theirs))
        (mine,) = torch.autograd.grad(loaded.module(ours)[:, 0].sum(), ours)
        (real,) = torch.autograd.grad(small(theirs)[:, 0].sum(), theirs)
        assert torch.equal(mine, real)


def test_data_that_an_exported_file_carries_along_is_reported_and_not_read(exported: bytes, tmp_path: Path) -> None:
    def spoil(members: dict[str, bytes]) -> None:
        (name,) = (name for name in members if name.startswith("data/sample_inputs/"))
        members[name] = bytes(5000)

    (note,) = load_foreign(changed(exported, tmp_path / "m.pt2", spoil)).notes
    assert "5000 bytes of example inputs" in note


def set_node(operator: str, name: str, value: dict[str, Any]) -> Change:
    def edit(document: dict[str, Any]) -> None:
        for node in document["graph_module"]["graph"]["nodes"]:
            if operator in node["target"]:
                for given in node["inputs"]:
                    if given["name"] == name:
                        given["arg"] = value

    return in_graph(edit)


def retarget(target: str) -> Change:
    def edit(document: dict[str, Any]) -> None:
        document["graph_module"]["graph"]["nodes"][1]["target"] = target

    return in_graph(edit)


def input_size(value: dict[str, Any]) -> Change:
    def edit(document: dict[str, Any]) -> None:
        document["graph_module"]["graph"]["tensor_values"]["x"]["sizes"][0] = value

    return in_graph(edit)


def add_input(spec: dict[str, Any]) -> Change:
    return in_graph(lambda document: document["graph_module"]["signature"]["input_specs"].append(spec))


def test_a_model_in_training_mode_is_refused(exported: bytes, tmp_path: Path) -> None:
    for operator, name in (("dropout", "train"), ("batch_norm", "training")):
        path = changed(exported, tmp_path / f"{name}.pt2", set_node(operator, name, {"as_bool": True}))
        assert refused(path) == "model.exported-training"


def test_a_model_of_one_batch_size_is_refused(exported: bytes, tmp_path: Path) -> None:
    assert refused(changed(exported, tmp_path / "m.pt2", input_size({"as_int": 2}))) == "model.exported-batch"


@pytest.mark.parametrize(
    "target",
    [
        "os.system",
        "builtins.eval",
        "torch.ops.aten.from_file.default",
        "torch.ops.aten.bernoulli.default",
        "torch.ops.prims.device_put.default",
        "torch.ops.higher_order.cond",
        "_operator.attrgetter",
        "torch.ops.aten.__class__.default",
        "torch.ops.aten.conv2d.default.__call__",
    ],
)
def test_an_operator_that_is_not_allowed_is_refused(target: str, exported: bytes, tmp_path: Path) -> None:
    code = refused(changed(exported, tmp_path / "m.pt2", retarget(target)))
    assert code in ("model.exported-operator", "model.exported-unsafe")  # the scan knows the worst by name


def test_no_payload_in_an_exported_file_runs(exported: bytes, tmp_path: Path) -> None:
    marker = tmp_path / "it ran"
    code = f"__import__('pathlib').Path({str(marker)!r}).touch()"
    payload = pickle.dumps(Marker(marker))

    def pickled_weight(members: dict[str, bytes]) -> None:
        name = "data/weights/model_weights_config.json"
        config = json.loads(members[name])
        next(iter(config["config"].values()))["use_pickle"] = True
        members[name], members["data/weights/weight_0"] = json.dumps(config).encode(), payload

    def guards(document: dict[str, Any]) -> None:
        document["guards_code"] = [code]
        document["range_constraints"] = {code: {"min_val": 0, "max_val": 9}}
        document["graph_module"]["treespec_namedtuple_fields"] = {code: {"fields": [code]}}

    hostile: dict[str, Change] = {
        "pickle as a weight": pickled_weight,
        "pickle as example inputs": lambda members: members.update({"data/sample_inputs/model.pt": payload}),
        "pickle as a constant": lambda members: members.update({"data/constants/custom_obj_0": payload}),
        "pickle beside": lambda members: members.update({"data.pkl": payload}),
        "compiled code": lambda members: members.update({"data/aotinductor/model/m.so": b"\x7fELF" + bytes(99)}),
        "a way out": lambda members: members.update({"../../../it ran": b"x"}),
        "code as a size": input_size({"as_expr": {"expr_str": code, "hint": {"as_int": 2}}}),
        "code as a step": retarget(code),
        "an object": add_input(
            {"custom_obj": {"arg": {"name": "o", "class_fqn": "os.system"}, "custom_obj_name": "o"}}
        ),
        "a graph within": set_node("conv2d", "bias", {"as_graph": {"name": "g", "graph": {}}}),
        "an operator as value": set_node("conv2d", "bias", {"as_operator": code}),
    }
    codes = {what: refused(changed(exported, tmp_path / "h.pt2", change)) for what, change in hostile.items()}
    assert set(codes.values()) <= {
        f"model.exported-{code}" for code in ("unsafe", "extra", "pickle", "batch", "operator", "object")
    }, codes
    load_foreign(changed(exported, tmp_path / "g.pt2", in_graph(guards)))  # nothing evaluates these texts
    assert not marker.exists()


def test_a_damaged_exported_file_gets_one_message(exported: bytes, tmp_path: Path) -> None:
    with zipfile.ZipFile(io.BytesIO(exported)) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith("models/model.json"))
        text = archive.read(name).decode()
    chance, loaded = random.Random(0), 0
    values = ["null", "-1", "1e9", '"x"', "[]", "{}", "true", "99999999999999999999"]
    for _ in range(80):
        words = json.loads(text)
        place: Any = words["graph_module"]
        while True:
            key = chance.choice(list(place) if isinstance(place, dict) else range(len(place)))
            if not isinstance(place[key], dict | list) or not place[key] or chance.random() < 0.15:
                break
            place = place[key]
        place[key] = json.loads(chance.choice(values))
        path = tmp_path / "m.pt2"
        path.unlink(missing_ok=True)
        changed(exported, path, in_graph(lambda document, words=words: document.update(words)))  # type: ignore[misc]
        try:
            load_exported(path)
            loaded += 1  # the change was in what is not read, such as stack traces
        except GuardError as error:
            assert error.code.startswith("model.exported-")
    assert loaded < 80
    for content in (b"", b"PK\x03\x04", exported[:500], exported[:-30]):
        (tmp_path / "cut.pt2").write_bytes(content)
        assert refused(tmp_path / "cut.pt2").startswith("model.exported-")


@pytest.mark.parametrize("change", [{"sizes": [{"as_int": 1 << 30}]}, {"storage_offset": {"as_int": 10**9}}])
def test_a_weight_that_reaches_beyond_its_bytes_is_refused(
    change: dict[str, Any], exported: bytes, tmp_path: Path
) -> None:
    def stretch(members: dict[str, bytes]) -> None:
        name = "data/weights/model_weights_config.json"
        config = json.loads(members[name])
        config["config"]["first.0.bias"]["tensor_meta"].update(change)
        members[name] = json.dumps(config).encode()

    assert refused(changed(exported, tmp_path / "m.pt2", stretch)) == "model.exported-damaged"


def test_a_program_runs_only_if_its_hash_was_given(tmp_path: Path) -> None:
    marker, path = tmp_path / "it ran", tmp_path / "mine.py"
    source = (
        f"import pathlib, torch\npathlib.Path({str(marker)!r}).touch()\ndef model(): return torch.nn.Linear(2, 3)\n"
    )
    path.write_text(source, encoding="utf-8")
    digest = hashlib.sha256(source.encode()).hexdigest()
    with pytest.raises(GuardError) as error:
        load_foreign(path)
    assert error.value.code == "model.untrusted" and digest in error.value.next
    assert refused(path, trust_sha256="0" * 64) == "model.untrusted"
    assert not marker.exists()
    assert isinstance(load_foreign(path, trust_sha256=digest.upper()).module, nn.Linear)
    assert marker.exists()
    path.write_text(source + "\n", encoding="utf-8")
    assert refused(path, trust_sha256=digest) == "model.untrusted"


@pytest.mark.parametrize("source", ["1 / 0", "def model(): return 3", "x = 1", "def model(:", "raise SystemExit"])
def test_a_program_without_a_model_gets_one_message(source: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text(source, encoding="utf-8")
    assert refused(path, trust_sha256=hashlib.sha256(source.encode()).hexdigest()) == "model.source"


def test_an_onnx_file_is_refused_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "m.onnx").write_bytes(b"\x08\x07")
    assert refused(tmp_path / "m.onnx") == "model.onnx"
    assert refused(tmp_path / "none.pt2") == "model.missing"


def test_torchscript_gives_the_same_scores_and_a_hostile_one_is_refused(tmp_path: Path) -> None:
    model = nn.Sequential(nn.Linear(4, 3), nn.ReLU())
    marker = tmp_path / "it ran"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.trace(model, torch.rand(2, 4)).save(str(tmp_path / "m.pt"))
    assert is_foreign(tmp_path / "m.pt")
    x = torch.rand(5, 4)
    assert torch.equal(load_foreign(tmp_path / "m.pt").module(x), model(x))
    content = (tmp_path / "m.pt").read_bytes()
    hostile = changed(
        content, tmp_path / "h.pt", lambda members: members.update({"data.pkl": pickle.dumps(Marker(marker))})
    )
    assert refused(hostile) == "model.script-unsafe"
    assert not marker.exists()
