"""What the worker does before and after a task: hash what goes in, record and publish what comes out."""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import re
import sys
import time
from functools import cache
from pathlib import Path
from typing import Any

import guardapp
from guardapp.jobs.digests import Stamp, describe_input, file_sha256, files_below, refuse_changed, stamps, total_bytes
from guardapp.jobs.folder import ENGINES_OWN, RECORD, RESUME, publish
from guardapp.jobs.frames import Order, plain
from guardapp.jobs.reporter import Reporter
from guardapp.progress import Progress
from guardapp.spec import Result, Spec

RECORD_VERSION = 1


class Publication:
    """What `job.json` will say, gathered around one attempt of a job."""

    def __init__(self, order: Order, spec: Spec, out: Path, progress: Progress, reporter: Reporter) -> None:
        self._order, self._spec, self._out = order, spec, out
        self._progress, self._reporter = progress, reporter
        self._inputs: list[dict[str, Any]] = []
        self._stamps: dict[Path, Stamp] = {}
        self._started = time.time()

    def read_inputs(self) -> None:
        """Hash every input. Raises GuardError for one that is missing."""
        paths = list(dict.fromkeys(self._spec.inputs()))
        self._stamps = stamps(paths)
        with self._progress.stage("Reading the inputs", total=total_bytes(self._stamps)) as stage:
            self._inputs = [describe_input(path, stage.advance) for path in paths]

    def publish(self, result: Result) -> dict[str, Any]:
        """Record, flush and rename; returns the result as JSON values. Until the rename nothing can be seen.

        Raises GuardError if an input was changed meanwhile; RuntimeError for a link or a missing artifact, which are
        faults of the kind.
        """
        refuse_changed(self._stamps, list(dict.fromkeys(self._spec.inputs())))
        written = plain(result.model_dump(mode="json"))
        outputs = self._flush_outputs()
        for name, relative in self._reporter.artifacts.items():
            if relative not in outputs and not (self._out / relative).is_dir():
                raise RuntimeError(f"the artifact {name} was promised but not written")
        path = self._out / RECORD
        with path.open("x", encoding="utf-8") as file:
            json.dump(self._record(written, outputs), file, ensure_ascii=False, indent=2)
            file.flush()
            os.fsync(file.fileno())
        self._progress.checkpoint()
        self._out.chmod(0o777 & ~_umask())
        publish(self._out, Path(self._order.folder))
        return written

    def _flush_outputs(self) -> dict[str, dict[str, Any]]:
        outputs: dict[str, dict[str, Any]] = {}
        files = [
            (name, path)
            for name, path in files_below(self._out)
            if name.partition("/")[0] not in ENGINES_OWN - {RECORD}
        ]
        with self._progress.stage("Finishing", total=sum(path.lstat().st_size for _, path in files)) as stage:
            for name, path in files:
                if path.is_symlink() or not path.is_file() or name == RECORD:
                    raise RuntimeError(f"a job may only write files of its own, not {name}")
                digest = file_sha256(path, stage.advance, flush=True)
                outputs[name] = {"bytes": path.stat().st_size, "sha256": digest}
        for place, folders, _ in os.walk(self._out):
            if RESUME in folders:
                folders.remove(RESUME)
            _flush_folder(place)
        return outputs

    def _record(self, result: dict[str, Any], outputs: dict[str, dict[str, Any]]) -> dict[str, Any]:
        finished = time.time()
        return {
            "version": RECORD_VERSION,
            "id": self._order.id,
            "attempt": self._order.attempt,
            "kind": self._order.kind,
            **self._order.about,
            "spec": self._order.spec,
            "inputs": self._inputs,
            "outputs": outputs,
            "artifacts": dict(self._reporter.artifacts),
            "result": result,
            "facts": self._reporter.all_facts,
            "timings": {
                "started": self._started,
                "finished": finished,
                "seconds": round(finished - self._started, 3),
                "stages": self._reporter.timings(),
            },
            "versions": {"guardapp": guardapp.__version__, "python": platform.python_version(), **_loaded()},
            "device": {
                "allowed": self._order.device,
                "system": platform.system(),
                "machine": platform.machine(),
                "processors": os.cpu_count(),
            },
        }


def _flush_folder(place: str) -> None:
    if os.name != "nt":
        handle = os.open(place, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


@cache
def _umask() -> int:
    mask = os.umask(0o077)  # the only way to read it is to set it
    os.umask(mask)
    return mask


def _loaded() -> dict[str, str]:
    """Versions of those of the program's direct dependencies that this job has loaded."""
    try:
        required = importlib.metadata.requires("guardapp") or []
    except importlib.metadata.PackageNotFoundError:
        required = []
    names = {re.split(r"[^A-Za-z0-9._-]", requirement, maxsplit=1)[0] for requirement in required}
    found = {}
    for name in sorted(names | {"torch", "numpy", "pyarrow", "cryptography"}):
        if name.replace("-", "_") in sys.modules:
            found[name] = importlib.metadata.version(name)
    return found
