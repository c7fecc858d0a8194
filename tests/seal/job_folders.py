"""Hand-made folders of finished jobs, as the engine leaves them; shares no code with the app."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def finished_job(
    folder: Path,
    kind: str,
    files: dict[str, bytes],
    spec: dict[str, Any],
    inputs: list[Path],
    result: dict[str, Any],
) -> Path:
    """A job's folder with `files` and a job.json that tells the truth about them."""
    folder.mkdir(parents=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    record = {
        "version": 1,
        "id": hashlib.sha256(folder.name.encode()).hexdigest()[:12],
        "attempt": 1,
        "kind": kind,
        "name": folder.name,
        "base": str(folder.parent),
        "spec": {"kind": kind, "name": folder.name, **spec},
        "inputs": [described(path) for path in inputs],
        "outputs": {
            name: {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
            for name, content in sorted(files.items())
        },
        "artifacts": {},
        "result": result,
        "facts": {"read_from": str(inputs[0]) if inputs else ""},
        "timings": {"started": 1.7e9, "finished": 1.7e9 + 2, "seconds": 2.0, "stages": {}},
        "versions": {"guardapp": "0.1.0", "python": "3.11"},
        "device": {"system": "Linux"},
    }
    (folder / "job.json").write_text(json.dumps(record, indent=2))
    return folder


def described(path: Path) -> dict[str, Any]:
    if path.is_dir():
        names = sorted(file.relative_to(path).as_posix() for file in path.rglob("*") if file.is_file())
        lines = "".join(f"{sha256(path / name)}  {name}\n" for name in names)
        return {"path": str(path), "bytes": 1, "sha256": hashlib.sha256(lines.encode()).hexdigest(), "folder": True}
    return {"path": str(path), "bytes": path.stat().st_size, "sha256": sha256(path)}


def whole_chain(place: Path, sealed: bytes = b"guard-sealed bytes") -> list[Path]:
    """protect → model → attack, sealed: each read what the one before made."""
    (place / "in").mkdir(parents=True)
    table, policy = place / "in" / "clinic.csv", place / "in" / "policy.yaml"
    table.write_text("age,outcome\n34,1\n")
    policy.write_text("version: 1\n")
    protect = finished_job(
        place / "protect",
        "deid",
        {"clinic.csv": b"age,outcome\n30-39,1\n", "report.html": b"<html>"},
        {"input": str(table), "policy": str(policy)},
        [table, policy],
        {"headline": "k = 10", "k": 10, "rows_in": 100, "rows_out": 98, "suppressed_rows": 2},
    )
    statement = {"adjacency": "add-or-remove-one", "sampler": "poisson", "accountant": "pld", "unit": "record"}
    model = finished_job(
        place / "model",
        "train",
        {"model.safetensors": b"weights", "report.json": json.dumps({"statement": statement}).encode()},
        {"data": {"table": str(protect / "clinic.csv")}},
        [protect / "clinic.csv"],
        {"epsilon": 0.98, "delta": 1e-5, "steps": 500, "clip": 1.0, "noise_multiplier": 1.1, "test_accuracy": 0.83},
    )
    attack = finished_job(
        place / "attack",
        "check",
        {"report.json": b"{}"},
        {"model": {"job": str(model)}, "norm": "linf"},
        [model],
        {
            "clean_accuracy": 0.83,
            "curve": [{"strength": 0.1, "robust_accuracy": 0.5, "low": 0.46, "high": 0.54}],
            "flags": [],
            "trustworthy": True,
        },
    )
    seal = finished_job(
        place / "sealed",
        "seal",
        {"model.sealed": sealed},
        {"input": str(model / "model.safetensors"), "recipients": ["archive"]},
        [model / "model.safetensors"],
        {"path": "model.sealed", "sha256": sha256(model / "model.safetensors")},
    )
    return [protect, model, attack, seal]
