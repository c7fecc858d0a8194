"""Every seeded fault is caught by the check that is named for it, and a correct engine passes every check."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.train.faults.engine_checks import CHECKS
from tests.train.faults.seeded import FAULTS, Fault


@pytest.mark.parametrize("name", list(CHECKS))
def test_a_correct_engine_passes(name: str, tmp_path: Path) -> None:
    CHECKS[name](tmp_path)


@pytest.mark.parametrize("fault", FAULTS, ids=[fault.name for fault in FAULTS])
def test_a_seeded_fault_is_caught(fault: Fault, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fault.seed(monkeypatch)
    with pytest.raises(AssertionError):
        CHECKS[fault.caught_by](tmp_path)


def test_there_are_at_least_25_faults_and_no_check_is_idle() -> None:
    assert len(FAULTS) >= 25 and {fault.caught_by for fault in FAULTS} == set(CHECKS)
