"""The ledger never shows less than was spent: under many processes, under kill -9, and under tampering."""

from __future__ import annotations

import math
import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from guardapp.errors import GuardError
from guardapp.vault.ledger import ComposedTotal, Ledger

DATA = "d" * 64
MECHANISM = {"sample_rate": 0.01, "noise_multiplier": 1.1, "clip": 1.0}


def reserve(ledger: Ledger, run: str, steps: int, epsilon: float, delta: float = 1e-6, **more: object) -> float:
    balance = ledger.reserve(run, DATA, steps=steps, epsilon=epsilon, delta=delta, mechanism=MECHANISM, **more)  # type: ignore[arg-type]
    return balance.spent_epsilon


def test_a_new_dataset_has_spent_nothing(home: Path) -> None:
    balance = Ledger(home).balance(DATA)
    assert (balance.spent_epsilon, balance.budget_epsilon, balance.note) == (0, None, "untouched")


def test_runs_add_up_and_a_run_counts_once(home: Path) -> None:
    ledger = Ledger(home)
    reserve(ledger, "a", 100, 0.5)
    reserve(ledger, "a", 200, 0.8)
    assert reserve(ledger, "b", 100, 0.25) == pytest.approx(1.05)
    balance = ledger.balance(DATA)
    assert balance.spent_delta == pytest.approx(2e-6)
    assert [(run.run, run.reserved, run.committed) for run in balance.runs] == [("a", 200, 0), ("b", 100, 0)]
    assert balance.runs[0].mechanism == MECHANISM


def test_a_reservation_that_would_cross_the_budget_is_refused_and_charges_nothing(home: Path) -> None:
    ledger = Ledger(home)
    ledger.set_budget(DATA, 1.0, 1e-5)
    reserve(ledger, "a", 100, 0.9)
    before = ledger.head()
    with pytest.raises(GuardError) as error:
        reserve(ledger, "b", 10, 0.2)
    assert (error.value.code, error.value.answer) == ("ledger.exhausted", "no")
    assert ledger.head() == before
    assert ledger.balance(DATA).spent_epsilon == pytest.approx(0.9)


def test_delta_has_a_budget_too(home: Path) -> None:
    ledger = Ledger(home)
    ledger.set_budget(DATA, 10, 1e-5)
    reserve(ledger, "a", 1, 0.1, 9e-6)
    with pytest.raises(GuardError) as error:
        reserve(ledger, "b", 1, 0.1, 2e-6)
    assert error.value.why.startswith("δ")


def test_a_budget_can_be_spent_to_the_last(home: Path) -> None:
    ledger = Ledger(home)
    ledger.set_budget(DATA, 0.3, 1e-5)
    for run in "abc":
        reserve(ledger, run, 1, 0.1)
    assert ledger.balance(DATA).left_epsilon == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize(("steps", "epsilon", "delta"), [(9, 0.5, 1e-6), (10, 0.4, 1e-6), (20, 0.6, 1e-7)])
def test_what_was_spent_cannot_be_taken_back(home: Path, steps: int, epsilon: float, delta: float) -> None:
    ledger = Ledger(home)
    reserve(ledger, "a", 10, 0.5)
    with pytest.raises(GuardError) as error:
        reserve(ledger, "a", steps, epsilon, delta)
    assert error.value.code == "ledger.backwards"


def test_asking_again_for_the_same_changes_nothing(home: Path) -> None:
    ledger = Ledger(home)
    reserve(ledger, "a", 10, 0.5)
    before = ledger.head()
    reserve(ledger, "a", 10, 0.5)
    assert ledger.head() == before


def test_no_more_steps_are_committed_than_were_reserved(home: Path) -> None:
    ledger = Ledger(home)
    reserve(ledger, "a", 10, 0.5)
    ledger.commit("a", DATA, 10)
    with pytest.raises(GuardError):
        ledger.commit("a", DATA, 11)
    with pytest.raises(GuardError):
        ledger.commit("never", DATA, 1)


def test_guarantees_for_different_neighbours_are_not_added(home: Path) -> None:
    ledger = Ledger(home)
    reserve(ledger, "a", 10, 0.5)
    with pytest.raises(GuardError) as error:
        reserve(ledger, "b", 10, 0.5, adjacency="replace-one")
    assert error.value.code == "ledger.adjacency"


def test_a_tighter_total_counts_only_while_it_covers_every_run(home: Path) -> None:
    ledger = Ledger(home)
    reserve(ledger, "a", 100, 0.5)
    tight = ComposedTotal(0.7, 2e-6, "PLD", "0.6.0", {"a": 100, "b": 100})
    assert reserve(ledger, "b", 100, 0.5, total=tight) == pytest.approx(0.7)
    balance = ledger.balance(DATA)
    assert (balance.basic_epsilon, balance.accountant) == (pytest.approx(1.0), "PLD 0.6.0")
    assert reserve(ledger, "c", 1, 0.1) == pytest.approx(1.1)  # the total says nothing of the third run


def test_a_total_that_claims_more_than_the_sum_is_not_used(home: Path) -> None:
    ledger = Ledger(home)
    assert reserve(ledger, "a", 1, 0.5, total=ComposedTotal(0.6, 1e-6, "PLD", "1", {"a": 1})) == pytest.approx(0.5)


def test_a_budget_below_what_is_spent_stops_everything(home: Path) -> None:
    ledger = Ledger(home)
    reserve(ledger, "a", 10, 2.0)
    balance = ledger.set_budget(DATA, 1.0, 1e-5, by="owner")
    assert (balance.left_epsilon, balance.spent_epsilon) == (0.0, 2.0)
    with pytest.raises(GuardError):
        reserve(ledger, "a", 11, 2.0)


@pytest.mark.parametrize(("epsilon", "delta"), [(0, 0), (-1, 0), (math.inf, 0), (math.nan, 0), (1, 1), (1, -0.1)])
def test_a_senseless_budget_is_refused(home: Path, epsilon: float, delta: float) -> None:
    with pytest.raises(GuardError) as error:
        Ledger(home).set_budget(DATA, epsilon, delta)
    assert error.value.code == "ledger.budget"


def test_datasets_are_found_by_name_and_fingerprint(home: Path) -> None:
    ledger = Ledger(home)
    ledger.register(DATA, "digits")
    ledger.register("e" * 64, "digits too")
    assert ledger.find("digits").dataset == ledger.find(DATA[:8]).dataset == DATA
    assert [line.name for line in ledger.summary()] == ["digits", "digits too"]
    ledger.register("f" * 64, "digits")
    with pytest.raises(GuardError) as error:
        ledger.find("digits")
    assert error.value.code == "ledger.ambiguous"


class Spending(RuleBasedStateMachine):
    """Any order of reservations and commits, against a model that is a dictionary."""

    home: Path

    def __init__(self) -> None:
        super().__init__()
        self.ledger = Ledger(self.home)
        self.data = os.urandom(32).hex()
        self.spent: dict[str, tuple[int, float]] = {}
        self.budget = math.inf

    @rule(epsilon=st.floats(0.5, 3))
    def set_budget(self, epsilon: float) -> None:
        self.ledger.set_budget(self.data, epsilon, 0.5)
        self.budget = epsilon

    @rule(run=st.sampled_from("abc"), steps=st.integers(1, 50), more=st.floats(0, 1))
    def reserve(self, run: str, steps: int, more: float) -> None:
        before_steps, before = self.spent.get(run, (0, 0.0))
        wanted = before_steps + steps, before + more
        others = [epsilon for name, (_, epsilon) in self.spent.items() if name != run]
        fits = math.fsum([*others, wanted[1]]) <= self.budget * (1 + 1e-9)
        try:
            self.ledger.reserve(run, self.data, steps=wanted[0], epsilon=wanted[1], delta=0, mechanism={})
            assert fits
            self.spent[run] = wanted
        except GuardError as error:
            assert error.code == "ledger.exhausted" and not fits

    @precondition(lambda self: self.spent)
    @rule(part=st.floats(0, 1))
    def commit(self, part: float) -> None:
        run, (steps, _) = next(iter(self.spent.items()))
        self.ledger.commit(run, self.data, int(steps * part))

    @invariant()
    def nothing_is_forgotten(self) -> None:
        balance = self.ledger.balance(self.data)
        assert balance.spent_epsilon == math.fsum(epsilon for _, epsilon in self.spent.values())
        assert self.ledger.verify().intact


def test_the_ledger_agrees_with_a_dictionary(home: Path) -> None:
    Spending.home = home
    run_state_machine_as_test(Spending, settings=settings(max_examples=6, stateful_step_count=12, deadline=None))


@given(st.lists(st.floats(0, 1), min_size=1, max_size=5))
@settings(max_examples=15)
def test_the_sum_is_exact(parts: list[float]) -> None:
    ledger = Ledger()
    data = os.urandom(32).hex()
    for number, epsilon in enumerate(parts):
        ledger.reserve(str(number), data, steps=1, epsilon=epsilon, delta=0, mechanism={})
    assert ledger.balance(data).spent_epsilon == math.fsum(parts)


WRITER = """
import sys
from guardapp.vault.ledger import Ledger
name, count = sys.argv[1], int(sys.argv[2])
ledger = Ledger()
for step in range(1, count + 1):
    ledger.reserve(name, "d" * 64, steps=step, epsilon=step / 1000, delta=0, mechanism={})
    print(step, flush=True)
    ledger.commit(name, "d" * 64, step)
"""


def writer(name: str, count: int) -> subprocess.Popen[bytes]:
    root = Path(__file__).parents[2]
    command = [sys.executable, "-c", WRITER, name, str(count)]
    return subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def test_several_processes_reserve_at_once_and_none_is_lost(home: Path) -> None:
    writers = [writer(f"run{number}", 25) for number in range(4)]
    for process in writers:
        _, complaint = process.communicate(timeout=120)
        assert process.returncode == 0, complaint.decode()
    ledger = Ledger(home)
    assert {run.run: run.committed for run in ledger.balance(DATA).runs} == {f"run{n}": 25 for n in range(4)}
    assert ledger.balance(DATA).spent_epsilon == pytest.approx(0.1)
    assert ledger.verify() == (True, 200, "")


def test_the_budget_holds_against_processes_that_race_for_the_last_of_it(home: Path) -> None:
    ledger = Ledger(home)
    ledger.set_budget(DATA, 0.030, 0)
    writers = [writer(f"run{number}", 25) for number in range(3)]
    for process in writers:
        process.communicate(timeout=120)
    balance = ledger.balance(DATA)
    assert balance.spent_epsilon <= 0.030 * (1 + 1e-9)
    assert balance.spent_epsilon > 0.027


@pytest.mark.skipif(os.name != "posix", reason="needs kill -9")
def test_what_a_killed_run_said_it_reserved_is_in_the_ledger(home: Path) -> None:
    ledger = Ledger(home)
    for attempt in range(6):
        process = writer(f"run{attempt}", 100_000)
        assert process.stdout is not None and process.stderr is not None
        said = 0
        until = time.monotonic() + 0.15 + 0.03 * attempt
        while not said or time.monotonic() < until:
            said = int(process.stdout.readline())
        process.send_signal(signal.SIGKILL)
        rest = process.stdout.read().split()
        process.wait()
        process.stdout.close()
        process.stderr.close()
        said = int(rest[-1]) if rest else said
        run = next(run for run in ledger.balance(DATA).runs if run.run == f"run{attempt}")
        assert run.reserved >= said
        assert run.epsilon >= said / 1000
        assert ledger.verify().intact


def test_every_tampering_with_an_entry_is_found(home: Path) -> None:
    ledger = Ledger(home)
    ledger.set_budget(DATA, 5, 1e-5, name="digits")
    for step in range(1, 6):
        reserve(ledger, "a", step, step / 10)
        ledger.commit("a", DATA, step)
    whole = ledger.path.read_bytes() if not ledger.path.with_name("ledger.db-wal").exists() else None
    assert whole is not None, "the journal is folded in when the last connection closes"
    count = ledger.head()[0]
    tamperings = ["DELETE FROM entries WHERE number = {n}"]
    for column in ("time", "event", "subject", "facts", "previous", "hash"):
        tamperings.append(f"UPDATE entries SET {column} = {column} || ' ' WHERE number = {{n}}")
    tamperings.append("UPDATE entries SET facts = replace(facts, '0.', '0.0') WHERE number = {n}")
    tamperings.append("DELETE FROM entries WHERE number >= {n}")
    for number in range(1, count + 1):
        for statement in tamperings:
            ledger.path.write_bytes(whole)
            changed = tamper(ledger.path, statement.format(n=number))
            assert ledger.verify().intact is not changed, statement.format(n=number)
    ledger.path.write_bytes(whole)
    assert tamper(ledger.path, "UPDATE entries SET number = number + 1000")
    assert not ledger.verify().intact
    ledger.path.write_bytes(whole)
    assert ledger.verify() == (True, count, "")


def tamper(path: Path, statement: str) -> bool:
    """Do what an editor of the file could do; whether anything changed."""
    connection = sqlite3.connect(path)
    try:
        for trigger in ("entries_stay", "entries_keep"):
            connection.execute(f"DROP TRIGGER {trigger}")
        before = list(connection.execute("SELECT * FROM entries"))
        connection.execute(statement)
        connection.commit()
        return before != list(connection.execute("SELECT * FROM entries"))
    finally:
        connection.close()


def test_entries_cannot_be_changed_by_ordinary_sql(home: Path) -> None:
    ledger = Ledger(home)
    reserve(ledger, "a", 1, 0.1)
    connection = sqlite3.connect(ledger.path)
    for statement in ("DELETE FROM entries", "UPDATE entries SET facts = '{}'"):
        with pytest.raises(sqlite3.IntegrityError):
            connection.execute(statement)
    connection.close()


@pytest.mark.parametrize("content", [b"not a database at all" * 100, b"SQLite format 3\x00" + b"\xff" * 4096])
def test_a_damaged_ledger_is_refused_in_plain_words(home: Path, content: bytes) -> None:
    ledger = Ledger(home)
    ledger.path.parent.mkdir()
    ledger.path.write_bytes(content)
    with pytest.raises(GuardError) as error:
        reserve(ledger, "a", 1, 0.1)
    assert error.value.code == "vault.damaged"
    assert not ledger.verify().intact
