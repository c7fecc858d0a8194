"""What an attacker tells about the training data is measured, bounded from both sides, and never called zero."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from scipy import stats

from guardapp.cli import run as command
from guardapp.errors import GuardError
from guardapp.formats.datasets import DataSpec, load_dataset
from guardapp.formats.models import ModelCard, build, save_model
from guardapp.language import translate
from guardapp.progress import Progress
from guardapp.robust.leakage.auditing import audit, highest_true_rate, probability
from guardapp.robust.leakage.job import LeakSpec, run
from guardapp.robust.leakage.pool import Pool, balanced
from guardapp.robust.leakage.references import fit, halves
from guardapp.robust.leakage.regression import expected
from guardapp.robust.leakage.roc import auc, roc
from guardapp.robust.leakage.scores import offline_lira, online_lira, relative_likelihood, signals

SIDE, CLASSES, COUNT = 8, 10, 150
SCORES = st.lists(st.integers(-4, 4).map(float), min_size=1, max_size=30).map(np.array)


def examples(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Noisy pictures of four kinds, hard enough that a model can only learn some of them by heart."""
    generator = np.random.default_rng(seed)
    y = generator.integers(0, CLASSES, count)
    kinds = np.random.default_rng(0).random((CLASSES, SIDE, SIDE))
    noisy = 0.5 + 0.2 * (kinds[y] - 0.5) + 0.2 * generator.standard_normal((count, SIDE, SIDE))
    return (noisy.clip(0, 1) * 255).astype(np.uint8), y


@pytest.fixture
def made(tmp_path: Path) -> Callable[..., Path]:
    """A folder with a model and its members and non-members; `epochs` 0 leaves the model untrained."""

    def make(*, epochs: int, random_labels: bool = False) -> Path:
        torch.set_num_threads(1)
        (x, y), (others, their) = examples(COUNT, 1), examples(COUNT, 2)
        if random_labels:
            y, their = (np.random.default_rng(seed).integers(0, CLASSES, COUNT) for seed in (3, 4))
        np.savez(tmp_path / "in.npz", images=x, labels=y)
        np.savez(tmp_path / "out.npz", images=others, labels=their)
        torch.manual_seed(0)
        shape, options = (1, SIDE, SIDE), {"hidden": [64]}
        model = build("mlp", options, shape, CLASSES)
        pixels = torch.from_numpy(x[:, None].astype(np.float32) / 255)
        fit(model, pixels, torch.from_numpy(y), epochs=epochs, batch=32, learning_rate=3e-3, seed=0)
        card = ModelCard(
            architecture="mlp",
            options=options,
            input="image",
            input_shape=shape,
            classes=[str(number) for number in range(CLASSES)],
        )
        (tmp_path / "model").mkdir()
        save_model(model, card, tmp_path / "model")
        return tmp_path

    return make


def spec_for(folder: Path, **fields: Any) -> LeakSpec:
    sides = {"members": {"images": folder / "in.npz"}, "non_members": {"images": folder / "out.npz"}}
    return LeakSpec.model_validate({"model": {"job": folder / "model"}, **sides, **fields})


def found(folder: Path, name: str = "found", **fields: Any) -> dict[str, Any]:
    (folder / name).mkdir()
    run(spec_for(folder, **fields), folder / name, Progress())
    report: dict[str, Any] = json.loads((folder / name / "report.json").read_text(encoding="utf-8"))
    return report


def test_random_labels_learnt_by_heart_are_told_apart(made: Callable[..., Path]) -> None:
    report = found(made(epochs=60, random_labels=True))
    assert report["accuracy_on_members"] > 0.95
    assert report["attacks"][0]["auc"] >= 0.9 and report["epsilon_at_least"] > 1
    assert report["cpu_seconds"] > 0


def test_a_model_that_learnt_nothing_gives_nothing_away(made: Callable[..., Path]) -> None:
    (attack,) = found(made(epochs=0))["attacks"]
    assert attack["low"] <= 0.5 <= attack["high"]
    assert attack["audit"]["at_least"] == 0


def test_swapping_members_and_non_members_gives_one_minus_the_auc(made: Callable[..., Path]) -> None:
    folder = made(epochs=10)
    fields = {"references": 2, "fit": {"epochs": 3}}
    there = found(folder, "there", **fields)
    swapped = {"members": {"images": folder / "out.npz"}, "non_members": {"images": folder / "in.npz"}}
    back = found(folder, "back", **fields, **swapped)
    assert [attack["attack"] for attack in there["attacks"]] == ["loss threshold", "RMIA", "LiRA"]
    for one, other in zip(there["attacks"], back["attacks"], strict=True):
        assert one["auc"] == pytest.approx(1 - other["auc"], abs=1e-12)


def test_sixteen_references_tell_more_than_the_loss_alone(made: Callable[..., Path]) -> None:
    fields = {"references": 16, "fit": {"epochs": 25, "batch": 32, "learning_rate": 3e-3}}
    by_name = {attack["attack"]: attack["auc"] for attack in found(made(epochs=25), **fields)["attacks"]}
    assert by_name["LiRA"] >= by_name["loss threshold"] + 0.05


def test_a_false_promise_is_contradicted_and_a_true_one_is_not(
    made: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    folder = made(epochs=60, random_labels=True)
    text = "kind: leak\nmodel: {job: model}\nmembers: {images: in.npz}\nnon_members: {images: out.npz}\n"
    (folder / "leak.yaml").write_text(text + "claim: {epsilon: 0.5, delta: 1.0e-6}\n", encoding="utf-8")
    assert command(["leak", str(folder / "leak.yaml"), "--out", str(folder / "false"), "--json"]) == 1
    report = json.loads(capsys.readouterr().out)
    assert report["contradicted"] and report["headline"].startswith("Contradicted")
    assert not found(folder, "true", claim={"epsilon": 50})["contradicted"]


def test_the_promise_is_read_from_the_statement_of_the_training(made: Callable[..., Path]) -> None:
    folder = made(epochs=0)
    statement = folder / "model" / "statement.json"
    statement.write_text(json.dumps({"guarantee": "differential privacy", "epsilon": 1.5, "delta": 1e-5}))
    assert found(folder, "with")["claim"] == {"epsilon": 1.5, "delta": 1e-5}
    statement.write_text(json.dumps({"guarantee": "none"}))
    assert found(folder, "without")["claim"] is None
    statement.write_text("[1]")
    (folder / "bad").mkdir()
    with pytest.raises(GuardError) as error:
        run(spec_for(folder), folder / "bad", Progress())
    assert error.value.code == "leak.statement"


def test_rows_on_both_sides_are_left_out_and_counted(made: Callable[..., Path]) -> None:
    folder = made(epochs=0)
    with np.load(folder / "in.npz") as inside, np.load(folder / "out.npz") as outside:
        mixed = {name: np.concatenate([outside[name], inside[name][:20]]) for name in ("images", "labels")}
    np.savez(folder / "out.npz", **mixed)
    report = found(folder)
    assert (report["left_out_on_both_sides"], report["members"]) == (20, COUNT - 20)
    (folder / "same").mkdir()
    with pytest.raises(GuardError) as error:
        run(spec_for(folder, non_members={"images": folder / "in.npz"}), folder / "same", Progress())
    assert error.value.code == "leak.too-few"


def test_the_order_tells_nothing_however_uneven_the_sides(tmp_path: Path) -> None:
    for name, count, seed in (("in", 200, 5), ("out", 800, 6)):
        x, y = examples(count, seed)
        np.savez(tmp_path / f"{name}.npz", images=x, labels=y)
    inside, outside = (load_dataset(DataSpec(images=tmp_path / f"{name}.npz")) for name in ("in", "out"))
    sides = balanced(inside, outside, 2000, 0)
    pool = Pool(sides.members, sides.others, 0)
    place = np.arange(400.0)
    # a model that always answers alike leaves every score tied, and ties stay in this order
    assert 0.4 < auc(place[pool.member], place[~pool.member]) < 0.6
    assert audit(np.zeros(400), pool.member, 0.0).at_least < 0.3


def test_the_report_speaks_both_languages_and_the_same_spec_gives_the_same(made: Callable[..., Path]) -> None:
    folder = made(epochs=5)
    first, second = (found(folder, name, references=2, fit={"epochs": 1}) for name in ("a", "b"))
    assert {**first, "cpu_seconds": 0} == {**second, "cpu_seconds": 0}
    assert translate(first["headline"], "zh") != first["headline"]
    page = (folder / "a" / "report.html").read_text(encoding="utf-8")
    assert "成员" in page and "LiRA" in page


@pytest.mark.parametrize(
    "fields",
    [
        {"references": 3},
        {"limit": 10},
        {"claim": {"epsilon": -1}},
        {"refs": 2},
        {"compare": "offline"},
        {"compare": "quantile", "references": 2},
    ],
)
def test_a_spec_out_of_bounds_is_refused(tmp_path: Path, fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        spec_for(tmp_path, **fields)


def test_an_attacker_without_members_learns_from_non_members_that_are_not_told_apart(made: Callable[..., Path]) -> None:
    folder = made(epochs=60, random_labels=True)
    x, y = examples(2 * COUNT + 40, 2)
    np.savez(folder / "out.npz", images=x, labels=np.random.default_rng(4).integers(0, CLASSES, len(y)))
    offline = found(folder, "offline", compare="offline", references=1, fit={"epochs": 5})
    assert [attack["attack"] for attack in offline["attacks"]] == ["loss threshold", "RMIA", "LiRA, offline"]
    quantile = found(folder, "quantile", compare="quantile")
    assert [attack["attack"] for attack in quantile["attacks"]] == ["loss threshold", "quantile regression"]
    for attack in offline["attacks"] + quantile["attacks"]:
        assert attack["auc"] > 0.85, attack["attack"]
    with np.load(folder / "quantile" / "scores.npz") as kept:
        assert len(kept["non_members_1"]) == quantile["members"] <= COUNT


def test_no_row_that_taught_the_attacker_is_told_apart(tmp_path: Path) -> None:
    x, y = examples(400, 5)
    np.savez(tmp_path / "in.npz", images=x[:150], labels=y[:150])
    # every other row stands there twice
    np.savez(tmp_path / "out.npz", images=np.concatenate([x[150:], x[150:]]), labels=np.concatenate([y[150:], y[150:]]))
    sides = [load_dataset(DataSpec(images=tmp_path / name)) for name in ("in.npz", "out.npz")]
    chosen = balanced(*sides, limit=2000, seed=0, aside=True)
    assert chosen.aside is not None and 150 < len(chosen.aside) < 350
    taught = {digest.tobytes() for digest in chosen.aside.digests}
    assert not taught & {digest.tobytes() for digest in np.concatenate([chosen.members.digests, chosen.others.digests])}


def test_offline_lira_counts_spreads_above_what_others_say() -> None:
    references, target = np.array([[0.0, 1.0], [2.0, 3.0]]), np.array([3.0, 0.0])
    assert offline_lira(target, references) == pytest.approx([2.0, -2.0])


def test_the_regression_learns_what_confidence_depends_on() -> None:
    generator = np.random.default_rng(0)
    x = torch.from_numpy(generator.random((600, 3))).float()
    y = torch.from_numpy(generator.integers(0, 2, 600))
    phi = 4 * x[:, 0].numpy() - 2 * y.numpy() + 0.5 * generator.normal(size=600)
    asked = torch.tensor([[0.2, 0.5, 0.5], [0.8, 0.5, 0.5]]), torch.tensor([0, 1])
    mean, spread = expected(x, y, phi, asked, 2, seed=0)
    assert mean == pytest.approx([0.8, 1.2], abs=0.3)
    assert spread == pytest.approx([0.5, 0.5], abs=0.15)


def test_a_drawn_curve_is_that_of_the_scores(made: Callable[..., Path]) -> None:
    folder = made(epochs=10)
    report = found(folder, claim={"epsilon": 1.0, "delta": 1e-5})
    with np.load(folder / "found" / "scores.npz") as kept:
        members, others = kept["members_0"], kept["non_members_0"]
    grid, curve = report["false_positives"], report["attacks"][0]["curve"]
    for false, true in list(zip(grid, curve, strict=True))[::20]:
        # the lowest threshold that so few non-members exceed
        levels = [level for level in np.unique([*members, *others]) if (others >= level).mean() <= false + 1e-12]
        assert true == max([(members >= level).mean() for level in levels], default=0.0)
    assert report["allowed"] == pytest.approx(highest_true_rate(np.array(grid), 1.0, 1e-5))


@given(SCORES, SCORES)
def test_the_auc_counts_pairs(members: np.ndarray, others: np.ndarray) -> None:
    pairs = [(1.0 if a > b else 0.5 if a == b else 0.0) for a in members for b in others]
    assert auc(members, others) == pytest.approx(sum(pairs) / len(pairs))
    assert auc(members, others) + auc(others, members) == pytest.approx(1, abs=1e-15)


def test_the_interval_holds_the_true_auc_about_as_often_as_it_says() -> None:
    true, hits = float(stats.norm.cdf(0.7 / np.sqrt(2))), 0
    for seed in range(60):
        generator = np.random.default_rng(seed)
        curve = roc(generator.normal(0.7, 1, 120), generator.normal(0, 1, 120), seed=seed, resamples=200)
        hits += curve.low <= true <= curve.high
    assert hits >= 52


def test_a_rate_is_refused_where_the_sample_is_too_small_to_say() -> None:
    generator = np.random.default_rng(0)
    small, large = generator.random(999), generator.random(10_000)
    assert [rate.true is None for rate in roc(small, small, resamples=50).rates] == [False, True, True]
    rates = roc(large + 0.2, large, resamples=100).rates
    assert [rate.non_members for rate in rates] == [1000, 100, 10]
    assert rates[0].true == pytest.approx((large + 0.2 > np.sort(large)[-1001]).mean())
    assert all(rate.low <= rate.true <= rate.high for rate in rates)  # type: ignore[operator]


@given(st.integers(1, 40), st.floats(0, 5), st.data())
def test_the_probability_of_right_guesses_is_the_binomial_one(
    guesses: int, epsilon: float, data: st.DataObject
) -> None:
    right = data.draw(st.integers(0, guesses))
    chance = np.exp(epsilon) / (1 + np.exp(epsilon))
    by_hand = sum(stats.binom.pmf(v, guesses, chance) for v in range(right, guesses + 1))
    assert probability(guesses, guesses, right, epsilon, 0.0) == pytest.approx(by_hand, abs=1e-9)
    gain = max([by_hand_gain(guesses, right, i, chance) for i in range(1, right + 1)], default=0.0)
    expected = min(1.0, by_hand + 2 * 100 * 1e-3 * gain)
    assert probability(100, guesses, right, epsilon, 1e-3) == pytest.approx(expected, abs=1e-9)


def by_hand_gain(guesses: int, right: int, fewer: int, chance: float) -> float:
    return float(sum(stats.binom.pmf(v, guesses, chance) for v in range(right - fewer, right))) / fewer


def test_randomised_response_is_never_shown_to_leak_more_than_it_does() -> None:
    epsilon, count, above = 1.0, 1000, 0
    for seed in range(60):
        generator = np.random.default_rng(seed)
        inside = generator.random(2 * count) < 0.5
        told = np.where(generator.random(2 * count) < np.exp(epsilon) / (1 + np.exp(epsilon)), inside, ~inside)
        bound = audit(told.astype(float), inside, 0.0).at_least
        above += bound > epsilon
        assert bound > 0.4
    assert above <= 6  # 5 % of 60 are 3; with exactly 5 %, more than 6 would have a chance of 3 %


def test_privacy_allows_what_randomised_response_reaches() -> None:
    chance = np.e / (1 + np.e)
    assert highest_true_rate(np.array([0.0, 1 - chance, 1.0]), 1.0, 0.0) == pytest.approx([0, chance, 1])


@pytest.mark.parametrize("models", [2, 4, 16])
def test_every_example_is_in_half_of_the_references(models: int) -> None:
    masks = halves(models, 101, seed=5)
    assert (masks.sum(0) == models // 2).all()
    assert len({tuple(row) for row in masks.tolist()}) == models


def test_the_signals_are_exact_where_a_probability_rounds_to_one() -> None:
    said = signals(torch.tensor([[60.0, 0.0], [0.0, 60.0], [1.0, 1.0]]), torch.tensor([0, 0, 1]))
    assert said.phi == pytest.approx([60, -60, 0])
    assert said.log_likelihood == pytest.approx([-np.exp(-60), -60, -np.log(2)])


def test_lira_is_the_ratio_of_two_normal_densities() -> None:
    generator = np.random.default_rng(0)
    references, target = generator.normal(size=(64, 3)), np.array([0.3, -1.0, 2.0])
    inside = halves(64, 3, seed=1)
    expected = []
    for row in range(3):
        present, absent = references[inside[:, row], row], references[~inside[:, row], row]
        first = stats.norm(present.mean(), present.std()).logpdf(target[row])
        expected.append(first - stats.norm(absent.mean(), absent.std()).logpdf(target[row]))
    assert online_lira(target, references, inside) == pytest.approx(expected)


def test_the_relative_likelihood_is_a_ratio_to_the_mean() -> None:
    logs = np.log([[0.2, 0.5], [0.4, 0.1]])
    assert relative_likelihood(np.log([0.6, 0.3]), logs) == pytest.approx(np.log([2.0, 1.0]))
