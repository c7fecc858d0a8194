"""A job that counts, keeps its place, and goes on from there after a pause or a crash, for the tests of the engine."""

from __future__ import annotations

import json
import time
from pathlib import Path

from guardapp.progress import Paused, Progress
from guardapp.spec import InputPath, Result, Spec


class CounterSpec(Spec, kind="counter"):
    resumable = True
    upto: int = 100
    seconds: float = 0.01
    source: InputPath | None = None


class CounterResult(Result):
    counted: int
    started_from: list[int]


def run(spec: CounterSpec, out: Path, progress: Progress) -> CounterResult:
    assert progress.resume_folder is not None
    place = progress.resume_folder / "place.json"
    state = json.loads(place.read_text()) if place.exists() else {"count": 0, "starts": []}
    state["starts"].append(state["count"])
    with progress.stage("Counting", total=spec.upto) as stage:
        stage.reach(state["count"])
        while state["count"] < spec.upto:
            time.sleep(spec.seconds)
            state["count"] += 1
            _save(place, state)
            progress.metric("count", state["count"], state["count"])
            if progress.pause_wanted:
                raise Paused
            stage.reach(state["count"])
    path = out / "count.txt"
    path.write_text(str(state["count"]))
    progress.artifact("count", path)
    return CounterResult(headline=f"counted to {state['count']}", counted=state["count"], started_from=state["starts"])


def _save(place: Path, state: dict[str, object]) -> None:
    fresh = place.with_suffix(".new")
    fresh.write_text(json.dumps(state))
    fresh.replace(place)
