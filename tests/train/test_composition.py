"""Several runs together: never below the truth, below the plain sum, and only where the owner chose it."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from guardapp.errors import GuardError
from guardapp.train.accounting import Mechanism, epsilon, gaussian_epsilon
from guardapp.train.charge import Charge
from guardapp.train.composition import Steps, recorded, together
from guardapp.train.method import Method
from guardapp.train.plan import Plan
from guardapp.vault.ledger import Ledger

DELTA = 1e-5
DATA = "d" * 64


def plan(noise: float = 4.0, rate: float = 0.1, steps: int = 100) -> Plan:
    return Plan(
        architecture="logistic", examples=1000, steps=steps, batch=100, clip=1.0, learning_rate=0.1, optimizer="sgd",
        rate=rate, divisor=100.0, loss_bound=3.0, ends=[steps // 2, steps], noise=noise, target=9.0, delta=DELTA,
        epsilons=[epsilon(Mechanism(noise, rate), n, DELTA) for n in (steps // 2, steps)], method=Method(),
    )  # fmt: skip


def train(ledger: Ledger, name: str, what: Plan) -> None:
    charge = Charge(ledger, name, DATA, what)
    charge.check_room()
    for end in what.ends:
        charge.reserve(end)
        charge.commit(end)
    charge.close()


def test_equal_runs_cost_as_much_as_one_of_all_their_steps() -> None:
    one = Mechanism(2.0, 0.05)
    assert together([Steps(one, 100), Steps(one, 200)], DELTA) == pytest.approx(epsilon(one, 300, DELTA), rel=1e-6)


def test_gaussians_without_sampling_compose_to_just_above_their_exact_value() -> None:
    parts = [Steps(Mechanism(5.0, 1.0), 4), Steps(Mechanism(3.0, 1.0), 1)]
    exact = gaussian_epsilon(1 / math.sqrt(4 / 25 + 1 / 9), DELTA)
    assert exact <= together(parts, DELTA) * (1 + 1e-6) <= exact * 1.01


def test_other_mechanisms_are_not_composed() -> None:
    known = {"mechanism": "poisson-sampled gaussian", "noise_multiplier": 2.0, "sample_rate": 0.1}
    assert recorded(known, 3) == Steps(Mechanism(2.0, 0.1), 3)
    for change in ({"mechanism": "laplace"}, {"noise_multiplier": None}, {"sample_rate": 0.0}):
        assert recorded({**known, **change}, 3) is None
    assert together([], DELTA) == 0


def test_runs_are_composed_where_the_owner_chose_it_and_summed_elsewhere(home: Path) -> None:
    spent = {}
    for composition in ("sum", "pld"):
        ledger = Ledger(home / composition)
        ledger.set_budget(DATA, 9.0, 1e-4, composition=composition)  # type: ignore[arg-type]
        for name in ("first", "second", "third"):
            train(ledger, name, plan())
        spent[composition] = ledger.balance(DATA)
    single = plan().epsilons[-1]
    assert spent["sum"].spent_epsilon == pytest.approx(3 * single)
    tight = spent["pld"]
    assert tight.spent_epsilon < 0.8 * tight.basic_epsilon and tight.accountant.startswith("dp-accounting")
    least = epsilon(Mechanism(4.0, 0.1), 300, tight.spent_delta)
    assert least * (1 - 1e-9) <= tight.spent_epsilon <= least * 1.01


def test_a_budget_with_the_delta_of_one_run_has_room_for_two_by_pld_alone(home: Path) -> None:
    for composition, fits in (("sum", False), ("pld", True)):
        ledger = Ledger(home / composition)
        ledger.set_budget(DATA, 1.9 * plan().epsilons[-1], DELTA, composition=composition)  # type: ignore[arg-type]
        train(ledger, "first", plan())
        if fits:
            train(ledger, "second", plan())
            assert ledger.balance(DATA).spent_delta == DELTA
        else:
            with pytest.raises(GuardError):
                train(ledger, "second", plan())


def test_an_owner_who_goes_back_to_sums_gets_sums(home: Path) -> None:
    ledger = Ledger(home)
    ledger.set_budget(DATA, 9.0, 1e-4, composition="pld")
    train(ledger, "first", plan())
    train(ledger, "second", plan())
    balance = ledger.set_budget(DATA, 9.0, 1e-4)
    assert balance.spent_epsilon == balance.basic_epsilon
