"""A preview keeps its groups while one scrolls, and forgets them when the rules change."""

from __future__ import annotations

from pathlib import Path

import pytest

from guardapp.deid import preview as previews
from guardapp.deid.policy import Policy, build_policy
from guardapp.deid.preview import Preview
from guardapp.formats.tables import open_table
from guardapp.progress import Progress

ROWS = 3_000


@pytest.fixture
def preview(tmp_path: Path) -> Preview:
    path = tmp_path / "people.csv"
    path.write_text("age,sex\n" + "".join(f"{18 + 7 * n % 61},{'FM'[n % 2]}\n" for n in range(ROWS)), encoding="utf-8")
    return Preview(open_table(path))


def policy(k: int) -> Policy:
    columns = {"age": {"role": "quasi"}, "sex": {"role": "quasi"}}
    return build_policy({"columns": columns, "models": [{"name": "k-anonymity", "k": k}]})


@pytest.fixture
def groupings(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many rows were grouped, each time that they were."""
    found: list[int] = []
    recode = previews.recode

    def counted(*arguments: object) -> object:
        made = recode(*arguments)  # type: ignore[arg-type]
        found.append(int(made.sizes.sum()))
        return made

    monkeypatch.setattr(previews, "recode", counted)
    return found


def test_scrolling_does_not_group_again(preview: Preview, groupings: list[int]) -> None:
    first = preview.preview(policy(5), Progress(), offset=0, limit=50)
    last = preview.preview(policy(5), Progress(), offset=ROWS - 50, limit=50)
    assert groupings == [ROWS]
    assert last["k"] == first["k"]
    assert len(last["protected"]) == 50


def test_other_rules_are_grouped_anew(preview: Preview, groupings: list[int]) -> None:
    assert preview.preview(policy(5), Progress())["k"] >= 5
    assert preview.preview(policy(40), Progress())["k"] >= 40
    assert preview.preview(policy(5), Progress(), k=80)["k"] >= 80
    assert len(groupings) == 3


def test_rows_outside_of_a_sample_are_grouped_with_it(
    preview: Preview, groupings: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(previews, "LIVE_ROWS", 800)
    for offset in (0, 5, 10, 1_500):
        shown = preview.preview(policy(5), Progress(), offset=offset, limit=5)
        assert len(shown["protected"]) == 5
        assert shown["k"] >= 5
    assert len(groupings) == 2
    assert all(rows <= 820 for rows in groupings)
