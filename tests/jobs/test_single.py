"""One job for one command, and the example of the documentation."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from guardapp.cli.single import JobFault, run_single
from guardapp.errors import GuardError
from guardapp.jobs import registry
from guardapp.jobs.specs import parse


def test_a_single_job_returns_its_result_and_leaves_no_queue(tmp_path, home):
    spec = parse({"kind": "exercise", "steps": [{"figures": {"a": 1}}]})
    result = run_single(spec, tmp_path / "out", as_json=True)
    assert result.figures == {"a": 1} and type(result) is registry.lookup("exercise").result
    assert (tmp_path / "out" / "job.json").exists()
    assert list((home / "single").iterdir()) == []


@pytest.mark.parametrize(("step", "error"), [({"fail": 1}, GuardError), ({"crash": "division"}, JobFault)])
def test_a_single_job_that_fails_raises_and_leaves_nothing(tmp_path, home, step, error):
    with pytest.raises(error):
        run_single(parse({"kind": "exercise", "steps": [step]}), tmp_path / "out", as_json=True)
    assert not list(tmp_path.iterdir()) and not list((home / "single").iterdir())


def test_the_example_in_the_documentation_works(tmp_path):
    text = (Path(__file__).parents[2] / "docs" / "adding-a-job-kind.md").read_text(encoding="utf-8")
    example = re.search(r"```python\n(.*?)```", text, re.DOTALL)[1]
    (tmp_path / "count.py").write_text(example)
    registry.add_file("count", tmp_path / "count.py")
    (tmp_path / "in.txt").write_text("one\ntwo\n")
    result = run_single(parse({"kind": "count", "input": "in.txt"}, base=tmp_path), tmp_path / "out", as_json=True)
    assert result.lines == 2 and (tmp_path / "out" / "lines.txt").read_text() == "2\n"
