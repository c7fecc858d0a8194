"""The zip of a `.pt2` file: its members within bounds, those of them that hold numbers or JSON, and nothing else.

Layout: `ROOT/models/model.json` (the graph), `ROOT/data/weights/…` and `ROOT/data/constants/…` (raw numbers and a JSON
list of them). Example inputs are kept by torch as a pickle; they are never opened, only counted.
"""

from __future__ import annotations

import json
import re
import zipfile
import zlib
from pathlib import Path
from typing import Any, NamedTuple

from guardapp.formats.exported.refusals import refuse
from guardapp.formats.scan.findings import verdict
from guardapp.formats.scan.scanner import scan_file

MOST_MEMBERS = 20_000
MOST_BYTES = 4 << 30
MOST_JSON = 64 << 20

_KNOWN = re.compile(
    r"models/model\.json|data/(weights|constants)/(model_(weights|constants)_config\.json|(weight|tensor)_\d{1,6})"
    r"|archive_format|archive_version|byteorder|version|\.data/(version|serialization_id)"
)
_SAMPLES = re.compile(r"data/sample_inputs/[\w.-]{1,100}\.pt|extra/[\w./-]{0,200}")


class Contents(NamedTuple):
    """graph: model.json; tensors: name in the model → (description, raw bytes); carried: bytes of example inputs"""

    graph: dict[str, Any]
    tensors: dict[str, tuple[dict[str, Any], bytes]]
    carried: int


def read(path: Path) -> Contents:
    """Everything of `path` that is needed. Raises GuardError `model.exported…`, OSError."""
    if verdict(scan_file(path)) == "unsafe":
        raise refuse(path.name, "it would run something of its own when it is loaded", "exported-unsafe")
    try:
        with zipfile.ZipFile(path) as archive:
            return _contents(path.name, archive)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, RecursionError, ValueError):
        raise refuse(path.name, "it is damaged, or no file of torch.export", "exported-damaged") from None


def _contents(name: str, archive: zipfile.ZipFile) -> Contents:
    members: dict[str, zipfile.ZipInfo] = {}
    carried = 0
    infos = archive.infolist()
    roots = {info.filename.partition("/")[0] for info in infos}
    if len(infos) > MOST_MEMBERS or sum(info.file_size for info in infos) > MOST_BYTES or len(roots) != 1:
        raise refuse(name, "it is too large, or holds more than one model", "exported-large")
    for info in infos:
        inner = info.filename.partition("/")[2]
        if _SAMPLES.fullmatch(inner):
            carried += info.file_size
        elif not _KNOWN.fullmatch(inner) or inner in members or info.flag_bits & 1:
            raise refuse(
                name,
                f"it holds {inner[:80] or 'a member without a name'}, which no plain model needs",
                "exported-extra",
            )
        else:
            members[inner] = info
    if "byteorder" in members and _read(archive, members["byteorder"], 16) != b"little":
        raise refuse(name, "its numbers are not in little-endian order", "exported-damaged")
    if "models/model.json" not in members:
        raise ValueError
    tensors: dict[str, tuple[dict[str, Any], bytes]] = {}
    for kind in ("weights", "constants"):
        listed = f"data/{kind}/model_{kind}_config.json"
        config = _json(archive, members[listed])["config"] if listed in members else {}
        for tensor, entry in config.items():
            if entry.get("use_pickle") is not False or not isinstance(entry.get("tensor_meta"), dict):
                raise refuse(name, f"{tensor[:80]} is stored as a pickled object", "exported-pickle")
            place = f"data/{kind}/{entry['path_name']}"
            if place not in members:
                raise ValueError
            tensors[str(tensor)] = entry["tensor_meta"], _read(archive, members[place], MOST_BYTES)
    return Contents(_json(archive, members["models/model.json"]), tensors, carried)


def _read(archive: zipfile.ZipFile, info: zipfile.ZipInfo, most: int) -> bytes:
    with archive.open(info) as member:
        content = member.read(min(most, info.file_size) + 1)
    if len(content) != info.file_size or len(content) > most:
        raise ValueError
    return content


def _json(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> dict[str, Any]:
    found = json.loads(_read(archive, info, MOST_JSON))
    if not isinstance(found, dict):
        raise ValueError
    return found
