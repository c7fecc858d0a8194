"""Recipes need no tuning: they follow from the kind of data, a public size and ε, and learn real data as they are."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardapp.errors import GuardError
from guardapp.formats.models import ARCHITECTURES, IMAGES_ONLY
from guardapp.progress import Progress, Silent
from guardapp.train.job import TrainSpec, run
from guardapp.train.recipes import MOST_STEPS, Shape, choose


def test_pictures_take_scattering_features_and_tables_a_linear_layer() -> None:
    assert choose("auto", Shape("image", 54_000, 3.0)).architecture == "scattering-linear"
    assert choose("auto", Shape("table", 30_000, 3.0)).architecture == "logistic"


@pytest.mark.parametrize("architecture", IMAGES_ONLY)
def test_a_recipe_for_pictures_is_refused_for_a_table(architecture: str) -> None:
    with pytest.raises(GuardError) as error:
        choose(architecture, Shape("table", 1000, 1.0))
    assert error.value.code == "train.recipe"


@given(st.sampled_from(sorted(ARCHITECTURES)), st.integers(1, 10**9), st.one_of(st.none(), st.floats(0.01, 100)))
def test_a_recipe_is_a_schedule_for_any_public_size(name: str, examples: int, epsilon: float | None) -> None:
    recipe = choose(name, Shape("image", examples, epsilon))
    assert 1 <= recipe.batch <= examples and 1 <= recipe.steps <= MOST_STEPS
    assert recipe.clip > 0 and recipe.learning_rate > 0


@given(st.integers(10, 10**6), st.floats(0.01, 5), st.sampled_from(["logistic", "scattering-linear"]))
def test_more_noise_never_means_a_larger_learning_rate(examples: int, epsilon: float, name: str) -> None:
    kind = "image" if name == "scattering-linear" else "table"
    rates = [choose(name, Shape(kind, examples, strength)).learning_rate for strength in (epsilon, 2 * epsilon)]
    assert rates[0] <= rates[1]


@pytest.mark.realdata
@pytest.mark.slow
def test_adult_is_learnt_at_epsilon_one_half_without_tuning(shared: Path, tmp_path: Path) -> None:
    """Of the nine columns that are here; check_recipes.py beside the benchmarks takes five seeds, and all columns."""
    schema = Path(__file__).parents[1] / "realdata" / "adult.schema.yaml"
    data = {"table": shared / "arx-adult" / "adult.csv.gz", "label": "salary-class", "schema": schema}
    privacy = {"epsilon": 0.5, "delta": 1e-5, "max_examples": 30_162}
    spec = TrainSpec.model_validate({"data": {**data, "test_fraction": 0.2}, "privacy": privacy, "seed": 1})
    result = run(spec, tmp_path, Progress(Silent()))
    assert result.test_accuracy is not None and result.test_accuracy >= 0.81
    assert result.epsilon is not None and result.epsilon <= 0.5
