"""A prediction is the plan of the run itself, from public figures, and never needs torch."""

from __future__ import annotations

import subprocess
import sys

import pytest

from guardapp.errors import GuardError
from guardapp.train.plan import Privacy, make_plan, public_examples
from guardapp.train.predict import epsilon_for, noise_for, predict
from guardapp.train.recipes import Shape, choose

PRIVACY = Privacy(epsilon=2.0, delta=1e-5, max_examples=20_000)


def test_a_prediction_is_the_plan_of_the_run() -> None:
    prediction = predict(PRIVACY, "logistic", "table", test_fraction=0.2, classes=2)
    examples = public_examples(20_000, 0.2)
    plan = make_plan(choose("logistic", Shape("table", examples)), examples, 2, PRIVACY)
    assert examples == 16_000
    assert prediction["epsilon"] == plan.epsilons[-1] <= 2.0 and prediction["sigma"] == plan.noise
    assert prediction["curve"][-1] == (plan.steps, plan.epsilons[-1])
    assert prediction["seconds"] > 0 and prediction["epochs"] == pytest.approx(20, rel=0.01)


def test_what_if_questions_are_each_other_s_inverse() -> None:
    noise = noise_for(2.0, 1e-5, 0.05, 200)
    assert epsilon_for(noise, 1e-5, 0.05, 200) == pytest.approx(2.0, rel=1e-3)


def test_the_displayed_epsilon_is_that_of_the_block_s_end() -> None:
    plan = make_plan(choose("logistic", Shape("table", 16_000)), 16_000, 2, PRIVACY)
    assert plan.epsilon_at(0) == 0.0
    for charged in (1, 2, 17, plan.steps - 1, plan.steps):
        end = min(end for end in plan.ends if end >= charged)
        assert plan.epsilon_at(charged) == plan.epsilons[plan.ends.index(end)]
    assert plan.block_after(plan.steps) is None and plan.block_after(0) == plan.ends[0]


@pytest.mark.parametrize("max_examples", [1, 5, 40, 10**9])
def test_any_public_size_has_a_plan(max_examples: int) -> None:
    prediction = predict(Privacy(epsilon=3, delta=1e-6, max_examples=max_examples), "logistic")
    assert 0 < prediction["sample_rate"] <= 1 and prediction["epsilon"] <= 3


def test_a_recipe_for_images_is_refused_for_a_table() -> None:
    with pytest.raises(GuardError) as error:
        predict(PRIVACY, "cnn", "table")
    assert error.value.code == "train.recipe"


def test_neither_a_spec_nor_a_prediction_imports_torch() -> None:
    code = (
        "import sys, guardapp.train.job, guardapp.train.predict as p\n"
        "assert 'pandas' not in sys.modules and 'scipy' not in sys.modules\n"
        "p.predict(p.Privacy(epsilon=1, delta=1e-5, max_examples=1000))\n"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_a_tables_learning_rate_falls_with_the_noise_and_never_rises_above_the_recipes() -> None:
    rates = [choose("logistic", Shape("table", 20_000, epsilon)).learning_rate for epsilon in (0.05, 0.5, 1.25, 8.0)]
    assert rates[0] < rates[1] < rates[2] == rates[3]
    assert choose("logistic", Shape("table", 20_000)).learning_rate == rates[3]
    assert choose("logistic", Shape("table", 10_000, 0.1)).learning_rate == pytest.approx(rates[0])
