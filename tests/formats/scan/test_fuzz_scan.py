"""Mutants of every kind of file end in a verdict; tests/formats/scan/fuzz_scan.py does the same at full size."""

from __future__ import annotations

import importlib.util
import random
from pathlib import Path

SCRIPT = Path(__file__).with_name("fuzz_scan.py")


def test_200_mutants_end_in_a_verdict_and_run_nothing(tmp_path: Path) -> None:
    place = importlib.util.spec_from_file_location("fuzz_scan", SCRIPT)
    assert place is not None
    assert place.loader is not None
    module = importlib.util.module_from_spec(place)
    place.loader.exec_module(module)
    figures = module.fuzz(tmp_path / "mutant", iter(range(200)), random.Random(3))
    assert figures["mutants"] == 200
    assert sum(figures["verdicts"].values()) == 200
    assert not [fault for fault in figures["faults"] if "MiB" not in fault]
