"""What must hold of the training engine, each as a check that raises AssertionError when it does not.

The checks look at the engine from outside: at what it samples, releases, charges and writes. Those that measure chance
fail for a correct engine about once in a million times.
"""

from __future__ import annotations

import contextlib
import csv
import json
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
import yaml
from torch import nn

from guardapp.errors import GuardError
from guardapp.formats.models import build
from guardapp.progress import Paused, Progress, Silent
from guardapp.train import accounting, admissible, job, noise, session
from guardapp.train.accounting import Mechanism
from guardapp.train.clipping import Clipper, example_loss
from guardapp.train.method import Method
from guardapp.train.noise import GRID_BITS
from guardapp.train.plan import Plan
from guardapp.vault.ledger import Ledger
from tests.train.audit.wide_table import rehearsal
from tests.train.models_for_clipping import Twice, one_by_one

Z = 5.0
"""Standard deviations: two-sided 6e-7."""
CLIP, DIVISOR, BOUND = 0.5, 10.0, 3.0
SCHEMA = {
    "version": 1,
    "columns": {
        "a": {"type": "number", "low": -3, "high": 3},
        "label": {"type": "category", "values": ["no", "yes"], "other": False},
    },
}


def a_session(rows: int = 8, method: Method | None = None) -> session.Session:
    plan = Plan(
        architecture="logistic", examples=1000, steps=400, batch=10, clip=CLIP, learning_rate=0.1, optimizer="sgd",
        rate=0.01, divisor=DIVISOR, loss_bound=BOUND, ends=[400], noise=2.0, target=1.0, delta=1e-5, epsilons=[1.0],
        method=method or Method(),
    )  # fmt: skip
    examples = session.Examples(torch.zeros(rows, 60), torch.zeros(rows, dtype=torch.int64))
    torch.manual_seed(0)
    return session.Session(plan, build("logistic", {}, (60,), 2), examples, examples, Progress())


def nothing() -> tuple[torch.Tensor, torch.Tensor]:
    return torch.empty(0, 60), torch.empty(0, dtype=torch.int64)


def flat(gradients: list[torch.Tensor]) -> np.ndarray:
    return np.concatenate([one.double().numpy().ravel() for one in gradients])


def sampling_is_poisson(folder: Path) -> None:
    random, rows, rate, rounds = noise.private_random("aes"), 50, 0.2, 3000
    taken = np.zeros((rounds, rows))
    for place in range(rounds):
        np.add.at(taken[place], random.poisson_sample(rows, rate), 1)
    assert taken.max() <= 1, "a row is in a step twice"
    spread = math.sqrt(rate * (1 - rate) / rounds)
    assert (abs(taken.mean(0) - rate) < (Z + 1) * spread).all(), "a row is in more or fewer steps than claimed"
    variance = rows * rate * (1 - rate)
    assert abs(taken.sum(1).var() / variance - 1) < Z * math.sqrt(2.6 / rounds), "the size of a step is not binomial"
    again = (taken[1:] * taken[:-1]).mean()
    assert abs(again - rate**2) < Z * rate / math.sqrt(rounds * rows), "a step depends on the one before"


def empty_steps_get_the_claimed_noise(folder: Path) -> None:
    engine = a_session()
    values = np.concatenate([flat(engine._private_mean(*nothing())[0]) for _ in range(100)])
    expected = engine.plan.mechanism.gradient_noise * CLIP / DIVISOR
    assert abs(values.var() / expected**2 - 1) < Z * math.sqrt(2 / len(values)), "noise on gradients of another size"
    assert abs(values.mean()) < Z * expected / math.sqrt(len(values)), "noise that is not centred"


def the_loss_gets_the_claimed_noise(folder: Path) -> None:
    engine = a_session()
    losses = np.array([engine._private_mean(*nothing())[1] for _ in range(400)])
    expected = engine.plan.mechanism.loss_noise * BOUND / DIVISOR
    assert abs(losses.var() / expected**2 - 1) < Z * math.sqrt(2 / len(losses)), "noise on losses of another size"


def the_adapted_clip_comes_from_a_noisy_count(folder: Path) -> None:
    clips = set()
    for _ in range(40):
        engine = a_session(method=Method(clipping="adaptive"))
        engine._private_mean(*nothing())
        clips.add(engine._clip)
    assert len(clips) > 5, "the count of adaptive clipping has no noise"


def noise_is_fresh(folder: Path) -> None:
    engine = a_session()
    draws = np.array([flat(engine._private_mean(*nothing())[0]) for _ in range(60)])
    scale = draws.var()
    for one, other in ((draws[1:], draws[:-1]), (draws[:, 1:], draws[:, :-1]), (draws[:, :61], draws[:, 61:])):
        assert abs((one * other).mean()) < Z * scale / math.sqrt(one.size), "noise that repeats"
    first, second = (noise.private_random("aes").gaussians(8) for _ in range(2))
    assert (first != second).all(), "two runs have the same noise"


def noise_does_not_depend_on_the_rows(folder: Path) -> None:
    spreads = []
    for rows in (0, 1, 30):
        engine = a_session()
        x, y = torch.zeros(rows, 60), torch.zeros(rows, dtype=torch.int64)
        values = np.array([flat(engine._private_mean(x, y)[0]) for _ in range(60)])
        spreads.append(values.var(0, ddof=1).mean() / (engine.plan.mechanism.gradient_noise * CLIP / DIVISOR) ** 2)
    assert all(abs(one - 1) < Z * math.sqrt(2 / (59 * 122)) for one in spreads), "noise that depends on the rows"


def released_values_lie_on_the_grid(folder: Path) -> None:
    engine = a_session()
    values = flat(engine._private_mean(*nothing())[0]) * DIVISOR
    deviation = engine.plan.mechanism.gradient_noise * CLIP
    step = 2.0 ** (math.floor(math.log2(deviation)) - GRID_BITS)
    assert (abs(values / step - np.rint(values / step)) < 0.3).all(), "the last bits of the noise show"


def the_divisor_is_public(folder: Path) -> None:
    engine = a_session()
    engine._random.gaussians = np.zeros  # type: ignore[assignment, method-assign]
    x, y = torch.rand(1, 60).expand(8, 60), torch.ones(8, dtype=torch.int64)
    for rows in (1, 4, 8):
        mean = flat(engine._private_mean(x[:rows], y[:rows])[0])
        length = float(np.linalg.norm(mean))
        assert abs(length / (rows * CLIP / DIVISOR) - 1) < 1e-3, "the sum is divided by something else"


def one_example_moves_no_more_than_the_clip(folder: Path) -> None:
    torch.manual_seed(1)
    model = nn.Sequential(nn.Linear(6, 5), nn.Tanh(), nn.Linear(5, 3))
    for x in (torch.randn(7, 6) * 40, torch.full((7, 6), math.inf)):
        x[1:] = torch.randn(6, 6)
        y = torch.arange(7) % 3
        for physical in (3, 7):
            clipper = Clipper(model)
            clipper._way = "book-keeping"  # the trial before the first step would turn away from a way that is wrong
            given = {"clip": CLIP, "loss_bound": BOUND, "physical": physical}
            whole, less = clipper.sum(x, y, **given), clipper.sum(x[1:], y[1:], **given)  # type: ignore[arg-type]
            moved = float(np.linalg.norm(flat(whole.gradients) - flat(less.gradients)))
            assert moved <= CLIP * 1.001, f"one example moved the gradients by {moved}"
            assert abs(whole.loss - less.loss) <= BOUND * 1.001, "one example moved the loss by more than its bound"


def sums_are_those_of_the_definition(folder: Path) -> None:
    torch.manual_seed(2)
    y = torch.arange(5) % 3
    for inner in (nn.Linear(4, 4), Twice(nn.Linear(4, 4)), nn.LayerNorm(4)):
        model = nn.Sequential(inner, nn.Tanh(), nn.Linear(4, 3)).double()
        x = 3 * torch.randn(5, 4).double()
        clipper = Clipper(model)
        clipper._way = "book-keeping"
        for physical in (2, 5):
            found = clipper.sum(x, y, clip=CLIP, loss_bound=BOUND, physical=physical).gradients
            expected = one_by_one(model, x, y, CLIP, example_loss)
            apart = np.linalg.norm(flat(found) - flat(expected))
            assert apart < 1e-10, f"the clipped sum is {apart} away from the definition"


def layers_that_mix_rows_are_refused(folder: Path) -> None:
    class Centre(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x - x.mean(0, keepdim=True)

    layers = (
        nn.BatchNorm1d(4),
        nn.InstanceNorm1d(4, track_running_stats=True),
        Centre(),
        nn.Embedding(4, 4, max_norm=1),
    )
    for layer in layers:
        try:
            admissible.check_admissible(nn.Sequential(nn.Linear(4, 8), nn.Unflatten(1, (4, 2)), layer), (4,))
        except GuardError as error:
            assert error.code == "train.layer"
        else:
            raise AssertionError(f"{type(layer).__name__} is let in")


def epsilon_is_not_below_that_of_one_exact_step(folder: Path) -> None:
    """For one step δ(ε) is known in closed form: q·δ₁(log(1 + (e^ε - 1)/q)) of the Gaussian without sampling."""
    from scipy.stats import norm

    for sigma, rate, delta in ((1.0, 0.1, 1e-5), (0.7, 0.5, 1e-6)):
        found = accounting.epsilon(Mechanism(sigma, rate), 1, delta)
        inner = math.log1p(math.expm1(found) / rate)
        exact = norm.cdf(0.5 / sigma - inner * sigma) - math.exp(inner) * norm.cdf(-0.5 / sigma - inner * sigma)
        assert rate * exact <= delta * 1.001, "one step costs more than the accountant says"
        twice = accounting.epsilon(Mechanism(sigma, rate), 50, delta)
        assert twice > 1.5 * found, "more steps do not cost more"


def shares_of_the_noise_add_up(folder: Path) -> None:
    for counted in (False, True):
        one = Mechanism(1.3, 0.1, counted)
        parts = [one.gradient_noise, one.loss_noise] + ([one.count_noise] if counted else [])
        assert abs(sum(part**-2 for part in parts) * 1.3**2 - 1) < 1e-9, "a release is not accounted for"


def write_table(folder: Path, name: str, rows: int) -> None:
    values = np.random.default_rng(5).normal(size=rows)
    with (folder / name).open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(SCHEMA["columns"])
        writer.writerows([f"{value:.4f}", "yes" if value > 0 else "no"] for value in values)
    (folder / "t.schema.yaml").write_text(yaml.safe_dump(SCHEMA), encoding="utf-8")


def a_spec(folder: Path, rows: int = 200, **changes: object) -> job.TrainSpec:
    write_table(folder, f"t{rows}.csv", rows)
    fields: dict[str, object] = {
        "data": {"table": f"t{rows}.csv", "label": "label", "schema": "t.schema.yaml", "test_fraction": 0.2},
        "recipe": "logistic", "privacy": {"epsilon": 4.0, "delta": 1e-4, "max_examples": 500}, "batch": 40, "steps": 6,
    }  # fmt: skip
    return job.TrainSpec.model_validate({**fields, **changes}, context={"base": folder})


def train(
    folder: Path, spec: job.TrainSpec, name: str, listener: Silent, resume: Path | None = None
) -> dict[str, object]:
    out = folder / name
    out.mkdir()
    job.run(spec, out, Progress(listener, resume_folder=resume))
    found: dict[str, object] = json.loads((out / "report.json").read_text(encoding="utf-8"))
    return found


class Watching(Silent):
    """Counts steps, keeps facts, and pauses at the given step."""

    def __init__(self, pause_at: int = -1) -> None:
        self.pause_at, self.now, self.steps = pause_at, 0.0, 0
        self.told: dict[str, object] = {}

    def stage(self, title: str, done: float, total: float | None) -> None:
        self.now = done if title == "Training" else self.now

    def metric(self, series: str, x: float, y: float) -> None:
        self.steps += series == "loss"

    def facts(self, values: object) -> None:
        self.told.update(values)  # type: ignore[call-overload]

    def pause_wanted(self) -> bool:
        return self.now == self.pause_at


def nothing_shown_depends_on_the_number_of_rows(folder: Path) -> None:
    shown = []
    for rows in (150, 200):
        listener = Watching()
        report = train(folder, a_spec(folder, rows), f"out{rows}", listener)
        kept = {name: report[name] for name in ("epsilon", "noise_multiplier", "sample_rate", "steps", "clip")}
        changing = {"accuracy", "examples_per_second"}
        facts = {name: value for name, value in listener.told.items() if name not in changing}
        shown.append((kept, facts, report["statement"]["divisor"]))  # type: ignore[index]
    assert shown[0] == shown[1], "something that is shown or used depends on the number of rows"


def every_step_is_charged_before_it_is_taken(folder: Path) -> None:
    spec, taken = a_spec(folder), 0
    dataset = job.load_dataset(spec.data).fingerprint

    class Charged(Watching):
        def metric(self, series: str, x: float, y: float) -> None:
            super().metric(series, x, y)
            runs = Ledger().balance(dataset).runs
            assert series != "loss" or sum(run.reserved for run in runs) >= x, "a step was taken before it was charged"

    for place, pause_at in enumerate((2, 4, -1)):
        listener = Charged(pause_at)
        with contextlib.suppress(Paused):
            train(folder, spec, f"out{place}", listener, folder / "resume")
        taken += listener.steps
        charged = sum(run.reserved for run in Ledger().balance(dataset).runs)
        assert taken <= charged, f"{taken} steps were taken, {charged} are charged"
    report = json.loads((folder / "out2" / "report.json").read_text(encoding="utf-8"))
    assert report["steps"] == taken == 6, "the report names another number of steps than were taken"
    exact = accounting._curve(Mechanism(report["noise_multiplier"], report["sample_rate"]), (6,), 1e-4, 1e-3)[0]
    assert report["epsilon"] >= exact * (1 - 1e-6), "the report names less than was spent"
    assert Ledger().balance(dataset).spent_epsilon >= exact * (1 - 1e-6), "the ledger holds less than was spent"


def a_spent_budget_stops_a_run(folder: Path) -> None:
    spec = a_spec(folder)
    Ledger().set_budget(job.load_dataset(spec.data).fingerprint, 1.0, 1e-3)
    try:
        train(folder, spec, "out", Silent())
    except GuardError as error:
        assert error.code == "ledger.exhausted"
    else:
        raise AssertionError("a run went beyond the budget")


def what_is_kept_holds_no_secret(folder: Path) -> None:
    with contextlib.suppress(Paused):
        train(folder, a_spec(folder), "out", Watching(3), folder / "resume")
    from safetensors import safe_open

    with safe_open(folder / "resume" / "state.safetensors", framework="np") as file:
        kept = {name.split(".")[0] for name in file.keys()} | set(file.metadata())
    kept |= set(json.loads((folder / "resume" / "run.json").read_text(encoding="utf-8")))
    allowed = {"weight", "first", "second", "taken", "clip", "average", "steps", "unused", "lost", "history"}
    assert kept <= allowed | {"run", "dataset", "spec", "plan"}, f"more is kept than is needed: {kept - allowed}"


def an_audit_does_not_refute_the_claim(folder: Path) -> None:
    found = train(folder, rehearsal(folder), "out", Silent())["audit"]
    assert isinstance(found, dict)
    assert found["passed"], f"ε is at least {found['epsilon_at_least']}, and {found['claimed']} is claimed"


Check = Callable[[Path], None]
CHECKS: dict[str, Check] = {
    check.__name__: check
    for check in (
        sampling_is_poisson, empty_steps_get_the_claimed_noise, the_loss_gets_the_claimed_noise,
        the_adapted_clip_comes_from_a_noisy_count, noise_is_fresh, noise_does_not_depend_on_the_rows,
        released_values_lie_on_the_grid, the_divisor_is_public, one_example_moves_no_more_than_the_clip,
        sums_are_those_of_the_definition, layers_that_mix_rows_are_refused, epsilon_is_not_below_that_of_one_exact_step,
        shares_of_the_noise_add_up, nothing_shown_depends_on_the_number_of_rows,
        every_step_is_charged_before_it_is_taken, a_spent_budget_stops_a_run, what_is_kept_holds_no_secret,
        an_audit_does_not_refute_the_claim,
    )
}  # fmt: skip
