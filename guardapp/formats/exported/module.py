"""A `.pt2` file as a torch module: its graph is walked operator by operator, each from the list of allowed ones."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from guardapp.formats.exported.archive import read
from guardapp.formats.exported.operators import ATEN, IGNORED, IN_PLACE, SIZES, TRAINS
from guardapp.formats.exported.refusals import refuse

MOST_NODES = 50_000
_NAME = re.compile(r"[A-Za-z_]\w{0,200}")
_SYMBOL = re.compile(r"(?:Symbol\(')?([su]\d{1,9})(?:'(?:, (?:positive|integer|nonnegative)=True)*\))?")
"""A symbol by itself, as torch prints it or by its bare name; the text is never evaluated."""

_TYPES = {
    1: torch.uint8,
    2: torch.int8,
    3: torch.int16,
    4: torch.int32,
    5: torch.int64,
    6: torch.float16,
    7: torch.float32,
    8: torch.float64,
    12: torch.bool,
    13: torch.bfloat16,
}
"""Numbers of `torch._export.serde.schema.ScalarType`."""

_MEMORY = {1: torch.contiguous_format, 4: torch.preserve_format}


class Name(NamedTuple):
    """A value that an earlier step, the input or a weight gave."""

    name: str


class Node(NamedTuple):
    """One step. run: the operator; outputs: the names of its results; listed: they are one list"""

    run: Callable[..., Any]
    positional: list[Any]
    keywords: dict[str, Any]
    outputs: list[str]
    listed: bool


class Exported(nn.Module):
    """The model of a `.pt2` file; weights are buffers under the names of the graph.

    carried: bytes of example inputs in the file, which were not read
    """

    def __init__(self, nodes: list[Node], taken: str, given: str, values: dict[str, Tensor], carried: int) -> None:
        super().__init__()
        self.nodes, self.taken, self.given, self.carried = nodes, taken, given, carried
        self.kept = list(values)
        for number, value in enumerate(values.values()):
            self.register_buffer(f"value_{number}", value)

    def forward(self, x: Tensor) -> Tensor:
        known: dict[str, Any] = {name: getattr(self, f"value_{number}") for number, name in enumerate(self.kept)}
        known[self.taken] = x
        for node in self.nodes:
            found = node.run(*_filled(node.positional, known), **_filled(node.keywords, known))
            several = isinstance(found, list | tuple) and (node.listed or len(node.outputs) > 1)
            known.update(zip(node.outputs, found if several else [found], strict=False))
        answer: Tensor = known[self.given]
        return answer


def _filled(value: Any, known: dict[str, Any]) -> Any:
    if isinstance(value, Name):
        return known[value.name]
    if isinstance(value, list):
        return [_filled(part, known) for part in value]
    if isinstance(value, dict):
        return {name: _filled(part, known) for name, part in value.items()}
    return value


def load_exported(path: Path) -> Exported:
    """The model in a `.pt2` file, on the CPU. Raises GuardError `model.exported…`, OSError."""
    contents = read(path)
    try:
        return _Reading(path.name, contents.tensors).module(contents.graph, contents.carried)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, RecursionError, RuntimeError):
        raise refuse(path.name, "it is damaged, or no file of torch.export", "exported-damaged") from None


class _Reading:
    """One file's graph, turned into steps. Whatever does not look as torch writes it raises."""

    def __init__(self, file: str, tensors: dict[str, tuple[dict[str, Any], bytes]]) -> None:
        self.file, self.tensors = file, tensors
        self.names: set[str] = set()

    def module(self, document: dict[str, Any], carried: int) -> Exported:
        part = document["graph_module"]
        graph, signature = part["graph"], part["signature"]
        values: dict[str, Tensor] = {}
        taken: list[str] = []
        for spec in signature["input_specs"]:
            ((kind, entry),) = spec.items()
            if kind == "user_input":
                taken.append(self._new(entry["arg"]["as_tensor"]["name"]))
            elif kind in ("parameter", "buffer", "tensor_constant"):
                label = "parameter_name" if kind == "parameter" else f"{kind}_name"
                name = self._new(entry["arg"]["name"])
                values[name] = self._tensor(entry[label])
            else:
                raise refuse(self.file, "it holds an object of its own", "exported-object")
        outputs = signature["output_specs"]
        if any("user_output" not in spec for spec in outputs):
            raise refuse(self.file, "it changes its own state: it was exported in training mode", "exported-training")
        if len(taken) != 1 or len(outputs) != 1:
            raise refuse(self.file, "it does not have one input and one output", "exported-inputs")
        self._batch_is_free(graph["tensor_values"][taken[0]]["sizes"])
        fixed = set(self.names)
        if len(graph["nodes"]) > MOST_NODES:
            raise refuse(self.file, "it is too large, or holds more than one model", "exported-large")
        nodes = [node for entry in graph["nodes"] if (node := self._node(entry, fixed)) is not None]
        given = outputs[0]["user_output"]["arg"]["as_tensor"]["name"]
        return Exported(nodes, taken[0], self._old(given).name, values, carried)

    def _new(self, name: str) -> str:
        if not _NAME.fullmatch(name) or name in self.names:
            raise ValueError
        self.names.add(name)
        return name

    def _old(self, name: str) -> Name:
        if name not in self.names:
            raise ValueError
        return Name(name)

    def _tensor(self, label: str) -> Tensor:
        meta, raw = self.tensors[label]
        dtype = _TYPES[meta["dtype"]]
        sizes, strides = (_whole_numbers(meta[key]) for key in ("sizes", "strides"))
        (offset,) = _whole_numbers([meta["storage_offset"]])
        flat = torch.frombuffer(bytearray(raw), dtype=dtype) if raw else torch.empty(0, dtype=dtype)
        if len(sizes) != len(strides) or len(sizes) > 8:
            raise ValueError
        last = offset + sum((size - 1) * stride for size, stride in zip(sizes, strides, strict=True))
        if 0 not in sizes and last >= len(flat):
            raise ValueError
        value = flat.as_strided(sizes, strides, offset) if 0 not in sizes else torch.empty(sizes, dtype=dtype)
        if value.is_floating_point() and not value.isfinite().all():
            raise refuse(self.file, f"the tensor {label[:80]} holds values that are not finite numbers", "exported-nan")
        return value.clone()

    def _batch_is_free(self, sizes: list[dict[str, Any]]) -> None:
        """The first size has to be a symbol; it is looked at, never evaluated."""
        first = sizes[0]
        text = str(first.get("as_expr", {}).get("expr_str", ""))
        if "as_int" in first or not _SYMBOL.fullmatch(text):
            raise refuse(self.file, "it takes batches of one size only", "exported-batch")

    def _node(self, entry: dict[str, Any], fixed: set[str]) -> Node | None:
        target = str(entry["target"])
        operator = target.removeprefix("torch.ops.aten.")
        if operator != target and operator in IGNORED:
            return None
        positional: list[Any] = []
        keywords: dict[str, Any] = {}
        by_name: dict[str, Any] = {}
        for given in entry["inputs"]:
            value = self._argument(given["arg"])
            by_name[str(given["name"])] = value
            if given["kind"] == 2:
                if not _NAME.fullmatch(given["name"]):
                    raise ValueError
                keywords[given["name"]] = value
            else:
                positional.append(value)
        run = self._operator(target, operator)
        if operator in TRAINS and by_name.get(TRAINS[operator]) is not False:
            raise refuse(self.file, "it was exported in training mode", "exported-training")
        if operator in IN_PLACE and (not isinstance(positional[0], Name) or positional[0].name in fixed):
            raise refuse(self.file, "it writes into its own weights or input, as in training mode", "exported-training")
        outputs, listed = self._outputs(entry["outputs"])
        return Node(run, positional, keywords, outputs, listed)

    def _operator(self, target: str, operator: str) -> Callable[..., Any]:
        if target in SIZES:
            return SIZES[target]
        if target == "torch.ops.aten.sym_size.int":
            return lambda x, dim: x.shape[dim]
        if operator == target or operator not in ATEN | IN_PLACE:
            raise refuse(
                self.file,
                f"it uses the operator {target[:80]}, which is not among the allowed ones",
                "exported-operator",
            )
        name, _, overload = operator.partition(".")
        found: Callable[..., Any] = getattr(getattr(torch.ops.aten, name), overload)
        return found

    def _outputs(self, given: list[dict[str, Any]]) -> tuple[list[str], bool]:
        if len(given) == 1 and "as_tensors" in given[0]:
            return [self._new(part["name"]) for part in given[0]["as_tensors"]], True
        names = []
        for entry in given:
            ((kind, value),) = entry.items()
            if kind not in ("as_tensor", "as_sym_int"):
                raise ValueError
            names.append(self._new(value["name"] if kind == "as_tensor" else value["as_name"]))
        return names, False

    def _argument(self, given: dict[str, Any]) -> Any:
        ((kind, value),) = given.items()
        if kind == "as_none":
            return None
        if kind in ("as_tensor", "as_optional_tensor"):
            return self._argument(value) if "name" not in value else self._old(value["name"])
        if kind == "as_tensors":
            return [self._old(part["name"]) for part in value]
        if kind in ("as_sym_int", "as_sym_ints"):
            return self._size(value) if kind == "as_sym_int" else [self._size(part) for part in value]
        if kind == "as_scalar_type":
            return _TYPES[value]
        plain = {"as_int": int, "as_float": int | float, "as_bool": bool, "as_string": str}
        if kind in plain and isinstance(value, plain[kind]):
            return value
        lists = {"as_ints": int, "as_floats": int | float, "as_bools": bool}
        if kind in lists and isinstance(value, list) and all(isinstance(part, lists[kind]) for part in value):
            return list(value)
        if kind == "as_memory_format" and value in _MEMORY:
            return _MEMORY[value]
        if kind in ("as_memory_format", "as_layout", "as_device"):
            raise refuse(self.file, "one of its steps names a device or a layout of memory", "exported-operator")
        if kind in ("as_custom_obj", "as_graph", "as_operator"):
            raise refuse(self.file, "it holds an object of its own", "exported-object")
        if kind in plain or kind in lists:
            raise ValueError
        raise refuse(self.file, "one of its steps takes a kind of value that is not covered", "exported-operator")

    def _size(self, given: dict[str, Any]) -> Any:
        ((kind, value),) = given.items()
        if kind == "as_name":
            return self._old(value)
        if kind == "as_int" and isinstance(value, int) and -1 <= value < 1 << 40:  # -1: whatever is left
            return value
        raise ValueError


def _whole_numbers(given: list[dict[str, Any]]) -> list[int]:
    found = [part["as_int"] for part in given]
    if not all(isinstance(number, int) and not isinstance(number, bool) and 0 <= number < 1 << 40 for number in found):
        raise ValueError
    return found
