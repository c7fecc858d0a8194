"""Models that are no pickles: what in them would run, read or write something is named; what only computes is safe."""

from __future__ import annotations

import io
import json
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from guardapp.formats.scan import keras
from guardapp.formats.scan.findings import Finding, verdict
from guardapp.formats.scan.scanner import scan_file

MARK = b"\x80\x02cposix\nsystem\nX\x0a\x00\x00\x00touch mark\x85R."
"""A pickle that would leave a file behind, if anything carried it out."""


@pytest.fixture
def found(tmp_path: Path) -> Callable[[bytes], list[Finding]]:
    """Scan bytes as a file whose name says nothing."""

    def _found(data: bytes) -> list[Finding]:
        path = tmp_path / "scanned.dat"
        path.write_bytes(data)
        findings = scan_file(path)
        assert not (tmp_path / "mark").exists()
        return findings

    return _found


Found = Callable[[bytes], list[Finding]]


def dense(**config: Any) -> dict[str, Any]:
    return {"module": "keras.layers", "class_name": "Dense", "config": {"units": 3, **config}, "registered_name": None}


def model(*layers: dict[str, Any]) -> dict[str, Any]:
    return {"module": "keras", "class_name": "Sequential", "config": {"name": "model", "layers": list(layers)}}


LAYERS = {
    "lambda": ({"class_name": "Lambda", "config": {"function": ["4wEAAAA=", None, None]}}, "unsafe"),
    "marshalled lambda": (dense(activation={"class_name": "__lambda__", "config": {"code": "4wEAAAA="}}), "unsafe"),
    "download": ({"module": "keras.utils", "class_name": "get_file", "config": {}}, "unsafe"),
    "safe mode off": (
        {"module": "keras.config", "class_name": "enable_unsafe_deserialization", "config": {}},
        "unsafe",
    ),
    "os.system": ({"module": "os", "class_name": "function", "config": "system"}, "unsafe"),
    "eval": ({"module": "builtins", "class_name": "eval", "config": {}}, "unsafe"),
    "a pickled module": ({"module": "keras.layers", "class_name": "TorchModuleWrapper", "config": {}}, "unsafe"),
    "vocabulary": ({"class_name": "StringLookup", "config": {"vocabulary": "/etc/passwd"}}, "unsafe"),
    "tensorflow file": ({"class_name": "TFOpLambda", "config": {"function": "io.write_file"}}, "unknown"),
    "somebody's": ({"class_name": "Attention2", "registered_name": "lab>Attention2", "config": {}}, "unknown"),
    "tensorflow sum": ({"class_name": "TFOpLambda", "config": {"function": "math.add"}}, "safe"),
    "dense": (dense(activation="relu", kernel_initializer={"module": "keras.initializers"}), "safe"),
    "older names": ({"module": "keras.src.layers.core.dense", "class_name": "Dense", "config": {}}, "safe"),
}


def keras_archive(config: Any) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("metadata.json", json.dumps({"keras_version": "3.5.0"}))
        archive.writestr("config.json", config if isinstance(config, str) else json.dumps(config))
        archive.writestr("model.weights.h5", hdf5())
    return buffer.getvalue()


def hdf5(text: str | bytes = "", change: Callable[[h5py.File], object] | None = None) -> bytes:
    """A file that the HDF5 library itself wrote, with `text` where Keras keeps its description."""
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        file.create_dataset("dense/kernel", data=np.arange(600, dtype="f4").reshape(20, 30), compression="gzip")
        if text:
            file.attrs["model_config"] = text
        if change is not None:
            change(file)
    return buffer.getvalue()


@pytest.mark.parametrize("name", LAYERS)
def test_a_keras_layer_is_judged_alike_in_an_archive_and_in_hdf5(found: Found, name: str) -> None:
    layer, wanted = LAYERS[name]
    config = model(dense(), layer)
    assert verdict(found(keras_archive(config))) == wanted
    assert verdict(found(hdf5(json.dumps(config)))) == wanted


def test_no_way_of_writing_a_description_hides_a_lambda(found: Found) -> None:
    config = json.dumps(model({"class_name": "Lambda", "config": {}}))
    for text in (
        config.replace("Lambda", "L\\u0061mbda"),
        config.replace('"class_name": ', '"class_name"  :\n'),
        config.replace('"class_name"', '"cl\\u0061ss_name"'),
        "{" + " " * 70_000 + config[1:],
    ):
        assert verdict(found(keras_archive(text))) == "unsafe"
        # the description is found wherever it stands, also behind one that is harmless
        decoy = json.dumps(model(dense()))
        assert verdict(found(hdf5(text, lambda file, decoy=decoy: file.attrs.create("a", decoy)))) != "safe"


def test_a_description_that_cannot_be_read_is_not_safe(found: Found) -> None:
    assert verdict(found(hdf5('{"class_name": '))) == "unknown"
    assert verdict(found(keras_archive('{"class_name": '))) == "unknown"


def test_what_only_begins_like_a_description_is_given_up_soon(found: Found, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keras, "_MOST_LETTERS", 1 << 16)
    for filling in (b'{"a', b'{"a":', b'{" ' + b"x" * 200):
        assert "More descriptions than are read" in [finding.what for finding in found(hdf5() + filling * 3000)]


def test_hdf5_that_reads_other_files_is_unsafe(found: Found, tmp_path: Path) -> None:
    def external(file: h5py.File) -> None:
        file.create_dataset("w", (8,), "u1", external=[(str(tmp_path / "secret"), 0, 8)])

    def virtual(file: h5py.File) -> None:
        layout = h5py.VirtualLayout(shape=(8,), dtype="u1")
        layout[:] = h5py.VirtualSource(str(tmp_path / "other.h5"), "w", shape=(8,))
        file.create_virtual_dataset("w", layout)

    def link(file: h5py.File) -> None:
        file["w"] = h5py.ExternalLink("/etc/other.h5", "/secret")

    for change in (external, virtual, link):
        assert [finding.level for finding in found(hdf5("", change))] == ["unsafe"], change.__name__


def test_hdf5_of_either_generation_is_safe_and_a_pickle_in_it_is_not(found: Found) -> None:
    for version in ("earliest", "latest"):
        buffer = io.BytesIO()
        with h5py.File(buffer, "w", libver=version) as file:
            for number in range(40):
                file[f"layer{number}/kernel"] = np.random.default_rng(number).normal(size=(30, 30))
                file[f"layer{number}"].attrs["weight_names"] = [b"kernel", b"bias"]
        assert found(buffer.getvalue()) == []
    hidden = hdf5("", lambda file: file.create_dataset("w", data=np.frombuffer(MARK, "u1")))
    assert verdict(found(hidden)) == "unsafe"


# -- torch's own archives ----------------------------------------------------------------------------------------------


def scripted(source: bytes, **more: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("m/constants.pkl", b"\x80\x02).")
        archive.writestr("m/code/__torch__.py", source)
        for name, content in more.items():
            archive.writestr(f"m/{name.replace('_', '.')}", content)
    return buffer.getvalue()


SOURCES = {
    b"torch.save(x, 'a')\n": "unsafe",
    b"  y = torch . save (x, 'a')\n": "unsafe",
    b"  y = torch.\\\n save(x, 'a')\n": "unsafe",
    b"  y = ops.aten.from_file('a')\n": "unsafe",
    b"  t = torch\n  t.save(x, 'a')\n": "unknown",
    b"  o = ops.aten\n": "unknown",
    b"  y = ops.lab.run(x)\n": "unknown",
    b"  y = torch.add(x, self.torch)\n  return (self.load).forward(y)\n": "safe",
}


@pytest.mark.parametrize("source", SOURCES)
def test_what_touches_files_in_a_script_is_seen(found: Found, source: bytes) -> None:
    assert verdict(found(scripted(source))) == SOURCES[source]


def test_bytecode_for_phones_is_read_as_well(found: Found) -> None:
    assert verdict(found(scripted(b"", bytecode_pkl=b"\x80\x02X\x0a\0\0\0aten::save."))) == "unsafe"
    assert verdict(found(scripted(b"", bytecode_pkl=b"\x80\x02X\x09\0\0\0aten::add."))) == "safe"
    assert verdict(found(b"\x1c\0\0\0PTMF" + bytes(64))) == "unknown"


def test_scripts_and_exported_programs_of_torch_are_safe(tmp_path: Path) -> None:
    import warnings

    import torch

    network = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.ReLU(), torch.nn.Linear(8, 2))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.script(network).save(tmp_path / "script.pt")  # type: ignore[no-untyped-call]
        size = torch.export.Dim("batch", min=2, max=64)
        program = torch.export.export(network, (torch.zeros(3, 4),), dynamic_shapes={"input": {0: size}})
        torch.export.save(program, tmp_path / "program.pt2")
    assert scan_file(tmp_path / "script.pt") == []
    assert scan_file(tmp_path / "program.pt2") == []
    _change(tmp_path / "program.pt2", tmp_path / "evil.pt2", '"expr_str"', "__import__('os').system('touch mark')")
    assert verdict(scan_file(tmp_path / "evil.pt2")) == "unsafe"


def _change(source: Path, target: Path, key: str, formula: str) -> None:
    """Copy a program with another formula for its sizes, which sympy would evaluate."""
    changed = 0
    with zipfile.ZipFile(source) as before, zipfile.ZipFile(target, "w") as after:
        for name in before.namelist():
            data = before.read(name)
            if name.endswith("model.json"):
                text = data.decode()
                begin = text.index(key) + len(key)
                begin = text.index('"', begin) + 1
                data = (text[:begin] + formula + text[text.index('"', begin) :]).encode()
                changed += 1
            after.writestr(name, data)
    assert changed == 1


# -- ONNX --------------------------------------------------------------------------------------------------------------


def varint(value: int) -> bytes:
    out = bytearray()
    while True:
        out.append(value & 127 | (128 if value > 127 else 0))
        value >>= 7
        if not value:
            return bytes(out)


def field(number: int, value: int | bytes) -> bytes:
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    return varint(number << 3 | 2) + varint(len(value)) + value


def onnx(domain: bytes = b"", location: bytes | None = None) -> tuple[bytes, bytes]:
    """An ONNX model's version and its graph, each as protobuf has it."""
    node = field(1, b"x") + field(2, b"y") + field(4, b"Relu") + (field(7, domain) if domain else b"")
    tensor = field(1, 4) + field(2, 1) + field(8, b"w")
    if location is None:
        tensor += field(9, bytes(16))
    else:
        tensor += field(13, field(1, b"location") + field(2, location)) + field(14, 1)
    return field(1, 8), field(7, field(1, node) + field(2, b"graph") + field(5, tensor))


def test_an_onnx_model_that_computes_is_safe(found: Found) -> None:
    assert found(b"".join(onnx())) == []


def test_onnx_tensors_in_other_files_and_foreign_operators_are_named(found: Found) -> None:
    for location, wanted in ((b"../../.ssh/id_rsa", "unsafe"), (b"/etc/passwd", "unsafe"), (b"w.bin", "unknown")):
        findings = found(b"".join(onnx(location=location)))
        assert (verdict(findings), location.decode() in findings[0].what) == (wanted, True)
    assert "lab.ops" in found(b"".join(onnx(b"lab.ops")))[0].what


def test_no_order_and_no_unknown_field_hides_an_onnx_model(found: Found) -> None:
    version, graph = onnx(location=b"/etc/passwd")
    hidden = [
        graph + version,
        graph,
        field(999, b"padding") + version + graph,
        varint(900 << 3 | 3) + field(1, 5) + varint(900 << 3 | 4) + version + graph,
        version + field(7, b"") + graph,
    ]
    assert [verdict(found(data)) for data in hidden] == ["unsafe"] * len(hidden)
    assert verdict(found(version + graph + b"\xff")) == "unknown"


# -- GGUF --------------------------------------------------------------------------------------------------------------


def gguf_text(text: bytes) -> bytes:
    return struct.pack("<Q", len(text)) + text


def gguf(template: bytes, *, tensors: bytes = b"", count: int = 0) -> bytes:
    entries = [
        gguf_text(b"general.architecture") + struct.pack("<I", 8) + gguf_text(b"llama"),
        gguf_text(b"tokenizer.ggml.tokens") + struct.pack("<IIQ", 9, 8, 2) + gguf_text(b"__init__") + gguf_text(b"{%"),
        gguf_text(b"tokenizer.chat_template") + struct.pack("<I", 8) + gguf_text(template),
    ]
    head = b"GGUF" + struct.pack("<IQQ", 3, count, len(entries))
    return head + b"".join(entries) + tensors + bytes(64)


CHAT = (
    b"{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + message.content | trim }}"
    b"{% if loop.last and add_generation_prompt %}{{ raise_exception('x') if tools is defined else '' }}{% endif %}"
    b"{%- set ns = namespace(found=false) %}{% set ns.found = true %}{{ tools | tojson(indent=4) }}{% endfor %}"
)
TEMPLATES = {
    CHAT: "safe",
    b"{{ ''.__class__.__mro__ }}": "unsafe",
    b"{{ x|attr('y') }}": "unsafe",
    b"{{ cycler._x }}": "unsafe",
    b"{{ x['\\x5f\\x5fclass\\x5f\\x5f'] }}": "unsafe",
    b"{% include '/etc/passwd' %}": "unsafe",
    b"{%- from 'a' import b %}": "unsafe",
    b"{{ x['_' * 2 ~ 'class'] }}": "unknown",
    b"{{ '%c%c' | format(95, 95) }}": "unknown",
    b"{{ messages | map(attribute=name) }}": "unknown",
    b"{{ x['\\137class'] }}": "unsafe",
}


@pytest.mark.parametrize("template", TEMPLATES)
def test_a_template_that_reaches_out_is_seen(found: Found, template: bytes) -> None:
    assert verdict(found(gguf(template))) == TEMPLATES[template]


def test_a_gguf_file_whose_tables_do_not_fit_is_damaged(found: Found) -> None:
    name = gguf_text(b"w")
    good = name + struct.pack("<IQQIQ", 2, 3, 4, 0, 0)
    assert found(gguf(CHAT, tensors=good, count=1)) == []
    for bad in (
        name + struct.pack("<I", 5) + bytes(100),
        name + struct.pack("<IQQIQ", 2, 1 << 40, 1 << 40, 0, 0),
        name + struct.pack("<IQQIQ", 2, 3, 4, 0, 1 << 40),
        struct.pack("<Q", 1 << 60),
    ):
        assert [finding.what for finding in found(gguf(CHAT, tensors=bad, count=1))] == ["A damaged GGUF file"]
    assert verdict(found(b"GGUF" + bytes(100))) == "unknown"


# -- safetensors -------------------------------------------------------------------------------------------------------


def safetensors(header: bytes, data: bytes = bytes(8)) -> bytes:
    return struct.pack("<Q", len(header)) + header + data


GOOD = b'{"w":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}'
ABUSED = {
    "twice": GOOD[:-1] + b"," + GOOD[1:],
    "gap": GOOD.replace(b"[0,8]", b"[4,8]").replace(b"[2]", b"[1]"),
    "beyond": GOOD.replace(b"[0,8]", b"[0,16]").replace(b"[2]", b"[4]"),
    "overlap": GOOD[:-1] + b"," + GOOD[1:].replace(b'"w"', b'"v"'),
    "shape": GOOD.replace(b"[2]", b"[3]"),
    "type": GOOD.replace(b"F32", b"OBJ"),
    "metadata": b'{"__metadata__":{"a":{"b":1}},' + GOOD[1:],
    "extra": GOOD.replace(b'"dtype"', b'"code":"x","dtype"'),
    "deep": b'{"__metadata__":' + b"[" * 100_000,
    "not a number": GOOD.replace(b"[2]", b"[NaN]"),
}


@pytest.mark.parametrize("name", ABUSED)
def test_a_safetensors_header_that_lies_is_not_safe(found: Found, name: str) -> None:
    assert verdict(found(safetensors(ABUSED[name]))) == "unknown"


def test_a_safetensors_file_with_more_in_it_is_not_safe(found: Found) -> None:
    assert found(safetensors(GOOD)) == []
    assert verdict(found(safetensors(GOOD) + b"more")) == "unknown"
    assert verdict(found(safetensors(GOOD, MARK[:8]))) == "safe"
    assert verdict(found(safetensors(GOOD.replace(b"8]", b"%d]" % len(MARK)), MARK))) == "unsafe"
    assert verdict(found(struct.pack("<Q", 1 << 30) + GOOD)) == "unknown"
