"""A job that does as it is told, step by step, for the tests of the engine. It cannot resume."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from pydantic import Field

from guardapp.errors import GuardError
from guardapp.progress import Progress
from guardapp.spec import InputPath, JobFolder, KeyNeed, Part, Result, Spec


class Options(Part):
    speed: float = 1.0


class ExerciseSpec(Spec, kind="exercise"):
    steps: list[dict[str, Any]] = Field(default_factory=list)
    source: InputPath | None = None
    jobs: list[JobFolder] = Field(default_factory=list, alias="from")
    options: Options = Options()
    key_names: list[str] = Field(default_factory=list)

    def keys(self) -> list[KeyNeed]:
        return [KeyNeed(name, "private") for name in self.key_names]


class ExerciseResult(Result):
    figures: dict[str, Any] = Field(default_factory=dict)


def run(spec: ExerciseSpec, out: Path, progress: Progress) -> ExerciseResult:
    result = ExerciseResult(headline="exercised")
    for step in spec.steps:
        for verb, value in step.items():
            _DO[verb](value, spec, out, progress, result)
    return result


def _write(value, spec, out, progress, result):
    for name, text in value.items():
        (out / name).parent.mkdir(parents=True, exist_ok=True)
        (out / name).write_text(text)
        progress.artifact(Path(name).stem, out / name)


def _copy(value, spec, out, progress, result):
    (out / value).write_bytes(spec.source.read_bytes())
    progress.artifact(Path(value).stem, out / value)


def _sleep(value, spec, out, progress, result):
    with progress.stage("Sleeping", total=value) as stage:
        for _ in range(max(1, round(value / 0.02))):
            time.sleep(0.02)
            stage.advance(0.02)


def _deaf(value, spec, out, progress, result):
    """Work that never looks up."""
    (out / "started").write_text("")
    time.sleep(value)


def _fail(value, spec, out, progress, result):
    raise GuardError("It failed", "it was told to", "Tell it something else.", "exercise.failed")


def _crash(value, spec, out, progress, result):
    os.kill(os.getpid(), value) if isinstance(value, int) else 1 / 0


def _metrics(value, spec, out, progress, result):
    for x in range(value):
        progress.metric("loss", x, 1 / (x + 1))
    progress.metric("loss", value, float("nan"))


def _tell(value, spec, out, progress, result):
    progress.log(value)
    progress.log(value, "warning")
    progress.facts(told=value)


def _print(value, spec, out, progress, result):
    print(value)
    sys.stdout.flush()
    os.write(1, b'{"type":"done","result":{}}\n')
    os.system("echo from a child")


def _keys(value, spec, out, progress, result):
    result.figures["key_lengths"] = {name: len(progress.key(name)) for name in spec.key_names}


def _spawn(value, spec, out, progress, result):
    child = subprocess.Popen([sys.executable, "-c", f"import time; time.sleep({value})"])
    progress.facts(child=child.pid)


def _no(value, spec, out, progress, result):
    result.holds = False
    result.headline = "the answer is no"


def _figures(value, spec, out, progress, result):
    result.figures.update(value)


def _link(value, spec, out, progress, result):
    (out / "link").symlink_to(value)


def _promise(value, spec, out, progress, result):
    progress.artifact(value, out / value)


def _fill(value, spec, out, progress, result):
    with (out / "big").open("wb") as file:
        for _ in range(value):
            file.write(b"\0" * (1 << 20))
            progress.checkpoint()


def _spoil(value, spec, out, progress, result):
    spec.source.write_text("something else, longer than before")


_DO = {
    name.removeprefix("_"): value
    for name, value in dict(globals()).items()
    if name.startswith("_") and callable(value) and not name.startswith("__")
}
