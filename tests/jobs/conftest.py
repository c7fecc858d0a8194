"""Kinds of job for the tests of the engine, and a supervisor that leaves nothing alive."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from guardapp.jobs import registry
from guardapp.jobs.events import Event
from guardapp.jobs.states import JobRow
from guardapp.jobs.supervisor import Supervisor

KINDS = Path(__file__).parent / "kinds"


@pytest.fixture(autouse=True)
def test_kinds() -> Iterator[None]:
    for path in KINDS.glob("*.py"):
        registry.add_file(path.stem, path)
    yield
    registry.forget_files()


class Driven(Supervisor):
    """A supervisor that remembers its events and can be driven until something is so."""

    def __init__(self, home: Path, *arguments: Any, **options: Any) -> None:
        super().__init__(home, *arguments, **options)
        self.events: list[Event] = []

    def until(self, condition: Callable[[], object], patience: float = 30) -> None:
        deadline = time.monotonic() + patience
        while not condition():
            assert time.monotonic() < deadline, [(row.name, row.state, row.error) for row in self.rows()]
            self.events += self.poll(0.05)

    def until_state(self, job_id: str, *states: str, patience: float = 30) -> JobRow:
        self.until(lambda: self.row(job_id).state in states, patience)
        return self.row(job_id)

    def run(self, spec: dict[str, Any], folder: Path) -> JobRow:
        job_id = self.submit(spec, folder)
        return self.until_state(job_id, "done", "failed", "cancelled", "interrupted", "skipped")


@pytest.fixture
def make_supervisor(home: Path) -> Iterator[Callable[..., Driven]]:
    made: list[Driven] = []

    def make(*arguments: Any, **options: Any) -> Driven:
        made.append(Driven(home, *arguments, **options))
        return made[-1]

    yield make
    for each in made:
        each.close("cancel")


@pytest.fixture
def supervisor(make_supervisor: Callable[..., Driven]) -> Driven:
    return make_supervisor()
