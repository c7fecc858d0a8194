"""How a long task tells how far it is, what it measured and made, and learns that it should stop.

A field's `run(spec, out, progress)` sees this object and nothing else of the engine. Used alone, as tests and scripts
do, `Progress()` swallows what it is told and never asks to stop.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, Protocol

from guardapp.secret_bytes import SecretBytes

Level = Literal["info", "warning"]


class Stopped(Exception):
    """Raised inside a task that was asked to stop: let it pass, clean nothing up that the engine owns."""


class Paused(Exception):
    """Raised by a resumable task once its state is safe in `Progress.resume_folder`."""


class Listener(Protocol):
    """The engine's end of a task's progress. Every method returns at once, except `checkpoint`."""

    def stage(self, title: str, done: float, total: float | None) -> None: ...
    def metric(self, series: str, x: float, y: float) -> None: ...
    def artifact(self, name: str, path: Path) -> None: ...
    def log(self, message: str, level: Level) -> None: ...
    def facts(self, values: Mapping[str, object]) -> None: ...
    def checkpoint(self) -> None:
        """Raise `Stopped` if the task should stop; wait here while a task that cannot resume is paused."""

    def pause_wanted(self) -> bool: ...


class Silent:
    """A listener for tests and scripts."""

    def stage(self, title: str, done: float, total: float | None) -> None: ...
    def metric(self, series: str, x: float, y: float) -> None: ...
    def artifact(self, name: str, path: Path) -> None: ...
    def log(self, message: str, level: Level) -> None: ...
    def facts(self, values: Mapping[str, object]) -> None: ...
    def checkpoint(self) -> None: ...
    def pause_wanted(self) -> bool:
        return False


class Stage:
    """One part of a task, with a known or unknown amount of work (bytes, rows, steps)."""

    def __init__(self, listener: Listener, title: str, total: float | None) -> None:
        self._listener, self._title, self._total, self._done = listener, title, total, 0.0

    def advance(self, amount: float) -> None:
        """Tell that `amount` more is done. Cheap enough for every batch; raises `Stopped` if the task should stop."""
        self.reach(self._done + amount)

    def reach(self, done: float) -> None:
        """Tell that `done` in all is done."""
        self._done = done
        self._listener.stage(self._title, self._done, self._total)
        self._listener.checkpoint()


class _Part:
    """Passes on what a part of a task tells, and names what it made after the part."""

    def __init__(self, listener: Listener, name: str) -> None:
        self._listener, self._name = listener, name
        self.stage, self.metric, self.log, self.facts = listener.stage, listener.metric, listener.log, listener.facts
        self.checkpoint, self.pause_wanted = listener.checkpoint, listener.pause_wanted

    def artifact(self, name: str, path: Path) -> None:
        self._listener.artifact(f"{self._name}-{name}", path)


class Progress:
    """A task's view of the engine.

    keys:          secret or public key material by the name under which the spec asked for it
    resume_folder: where a resumable task keeps its state between a pause (or a crash) and its resumption;
                   it outlives the attempt and is removed when the job is done
    device:        "auto", "cpu", "cuda", "mps": what the user allows
    """

    def __init__(
        self,
        listener: Listener | None = None,
        *,
        keys: Mapping[str, bytes | SecretBytes] | None = None,
        resume_folder: Path | None = None,
        device: str = "auto",
    ) -> None:
        self._listener: Listener = listener or Silent()
        self._keys = dict(keys or {})
        self.resume_folder = resume_folder
        self.device = device

    @contextmanager
    def stage(self, title: str, total: float | None = None) -> Iterator[Stage]:
        """A named part of the work, shown as such: `with progress.stage("Encrypting", total=nbytes) as stage`."""
        stage = Stage(self._listener, title, total)
        stage.reach(0)
        yield stage
        if total is not None:
            self._listener.stage(title, total, total)

    def part(self, name: str) -> Progress:
        """The view for one of several things that a task does one after the other; its artifacts are `name-…`."""
        return Progress(
            _Part(self._listener, name), keys=self._keys, resume_folder=self.resume_folder, device=self.device
        )

    def metric(self, series: str, x: float, y: float) -> None:
        """One point of a live curve, for instance `metric("epsilon", step, value)`."""
        self._listener.metric(series, x, y)

    def artifact(self, name: str, path: Path) -> None:
        """Name a file in the job's folder so that later jobs can ask for it as `${job.name}`."""
        self._listener.artifact(name, path)

    def facts(self, **values: object) -> None:
        """Things worth showing while the job runs, JSON values only: `facts(rows=48211, predicted_epsilon=2.93)`."""
        self._listener.facts(values)

    def log(self, message: str, level: Level = "info") -> None:
        self._listener.log(message, level)

    def checkpoint(self) -> None:
        """A place where the task may be stopped. Raises `Stopped`."""
        self._listener.checkpoint()

    @property
    def pause_wanted(self) -> bool:
        """Asked only by resumable tasks, which then save to `resume_folder` and raise `Paused`."""
        return self._listener.pause_wanted()

    def key(self, name: str) -> bytes:
        """Key material that the spec named in `Spec.keys()`; KeyError if it did not."""
        key = self._keys[name]
        return bytes(key.view) if isinstance(key, SecretBytes) else key
