"""To which page a dropped file belongs, by its content first and its name second. Reads at most a few kilobytes."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import NamedTuple

_TABLE_NAMES = {".csv", ".tsv", ".txt", ".parquet", ".jsonl", ".ndjson", ".xlsx", ".sqlite", ".sqlite3", ".db"}
_CHECKPOINT_NAMES = {
    ".safetensors",
    ".pt",
    ".pth",
    ".ckpt",
    ".bin",
    ".onnx",
    ".sealed",
    ".age",
    ".sig",
    ".pkl",
    ".pickle",
}
_PICTURES = {".png", ".jpg", ".jpeg", ".bmp", ".webp", ".dcm"}
_HEAD = 4096


class Route(NamedTuple):
    """page: a name in `PAGES`, "queue" for a batch file, "" where no page takes the file."""

    page: str
    path: Path


def route(path: Path) -> Route:
    """Look at a file or a folder. Raises OSError where it cannot be read."""
    if path.is_dir():
        return Route(_folder(path), path)
    with path.open("rb") as file:
        head = file.read(_HEAD)
    return Route(_by_content(path, head) or _by_name(path), path)


def _folder(path: Path) -> str:
    if (path / "job.json").is_file():
        return _job_page(path / "job.json")
    names = [entry for entry, _ in zip(sorted(path.iterdir()), range(2000), strict=False)]
    suffixes = {entry.suffix.lower() for entry in names if entry.is_file()}
    if suffixes & _CHECKPOINT_NAMES:
        return "checkpoints"
    if any(entry.is_dir() and _holds_pictures(entry) for entry in names[:20]):
        return "training"
    return "deidentify" if suffixes & (_TABLE_NAMES | _PICTURES) else ""


def _holds_pictures(folder: Path) -> bool:
    return any(entry.suffix.lower() in _PICTURES for entry, _ in zip(folder.iterdir(), range(50), strict=False))


def _job_page(path: Path) -> str:
    from guardapp.desktop.job_kinds import look

    try:
        kind = str(json.loads(path.read_text(encoding="utf-8"))["spec"]["kind"])
    except (ValueError, KeyError, TypeError):
        return ""
    return look(kind).page


def _by_content(path: Path, head: bytes) -> str:
    if head.startswith((b"guard-sealed/", b"age-encryption.org/", b"-----BEGIN AGE")):
        return "checkpoints"
    if head.startswith((b"PAR1", b"SQLite format 3\x00")):
        return "deidentify"
    if head.startswith(b"PK\x03\x04"):
        return _archive(path, head)
    if _is_safetensors(head) or head[:1] == b"\x80":
        return "checkpoints"
    if head[:2] == b"\x1f\x8b" and "idx" in path.name:
        return "training"
    if head[:2] == b"\x00\x00" and len(head) > 4 and head[2] in (8, 9, 11, 12, 13, 14) and 1 <= head[3] <= 4:
        return "training"  # IDX, as MNIST has it: two zero bytes, element type, dimensions
    if path.suffix.lower() in (".yaml", ".yml"):
        return _yaml(head)
    return ""


def _archive(path: Path, head: bytes) -> str:
    name = path.suffix.lower()
    if name == ".npz" or b".npy" in head[:64]:
        return "training"
    return "deidentify" if name == ".xlsx" or b"[Content_Types].xml" in head else "checkpoints"


def _is_safetensors(head: bytes) -> bool:
    if len(head) < 9:
        return False
    (length,) = struct.unpack("<Q", head[:8])
    return 2 <= length <= 100_000_000 and head[8:9] == b"{"


def _yaml(head: bytes) -> str:
    lines = [line.split("#")[0].rstrip() for line in head.decode("utf-8", "replace").splitlines()]
    keys = {line.split(":")[0]: line.split(":", 1)[1].strip() for line in lines if ":" in line and line[:1].isalpha()}
    if "jobs" in keys:
        return "queue"
    if "columns" in keys or "tables" in keys:
        return "deidentify"
    from guardapp.desktop.job_kinds import look

    return look(keys["kind"]).page if "kind" in keys else ""


def _by_name(path: Path) -> str:
    name = path.suffix.lower()
    if name in _CHECKPOINT_NAMES:
        return "checkpoints"
    if name in _TABLE_NAMES | _PICTURES or path.name.lower().endswith(
        (".csv.gz", ".tsv.gz", ".jsonl.gz", ".parquet.gz")
    ):
        return "deidentify"
    return "training" if name == ".npz" else ""
