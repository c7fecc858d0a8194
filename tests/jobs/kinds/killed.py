"""A job that does another job's work and is killed in the middle of it, for the tests of what a crash leaves behind."""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from guardapp.jobs import registry
from guardapp.progress import Progress
from guardapp.spec import KeyNeed, Result, Spec


class KilledSpec(Spec, kind="killed"):
    """at: the first words of what the job tells ("artifact opened", "stage Checking") when it is killed

    more: how often that is let pass; with_app: the application is killed too, and first
    """

    job: dict[str, Any]
    at: str
    more: int = 0
    with_app: bool = False

    def inner(self) -> Spec:
        return registry.lookup(self.job["kind"]).spec.model_validate(self.job)

    def keys(self) -> list[KeyNeed]:
        return self.inner().keys()


class KilledResult(Result):
    pass


class _Executioner:
    """A listener that passes on what it is told, up to the moment."""

    def __init__(self, listener: Any, spec: KilledSpec) -> None:
        self._listener, self._spec, self._more = listener, spec, spec.more
        self.metric, self.log, self.facts = listener.metric, listener.log, listener.facts
        self.checkpoint, self.pause_wanted = listener.checkpoint, listener.pause_wanted

    def stage(self, title: str, done: float, total: float | None) -> None:
        self._listener.stage(title, done, total)
        self._moment(f"stage {title}")

    def artifact(self, name: str, path: Path) -> None:
        self._listener.artifact(name, path)
        self._moment(f"artifact {name}")

    def _moment(self, what: str) -> None:
        if what.startswith(self._spec.at):
            if self._more == 0:
                if self._spec.with_app:
                    os.kill(os.getppid(), signal.SIGKILL)
                os.kill(os.getpid(), signal.SIGKILL)
            self._more -= 1


def run(spec: KilledSpec, out: Path, progress: Progress) -> KilledResult:
    keys: Mapping[str, Any] = progress._keys
    told = Progress(_Executioner(progress._listener, spec), keys=keys, device=progress.device)
    registry.lookup(spec.job["kind"]).run(spec.inner(), out, told)
    raise AssertionError(f"the job never came to {spec.at}")
