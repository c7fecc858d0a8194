"""Random mutants of every header are refused in words; tests/seal/fuzz.py does the same at full size."""

from __future__ import annotations

import importlib.util
import random
from pathlib import Path

SCRIPT = Path(__file__).with_name("fuzz.py")


def test_200_mutants_of_each_kind_are_refused_in_words(tmp_path):
    spec = importlib.util.spec_from_file_location("fuzz_seal", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    for target in module.targets(tmp_path):
        figures = module.fuzz(target, iter(range(200)), random.Random(3))
        assert figures["mutants"] == 200
        assert not [fault for fault in figures["faults"] if "MiB" not in fault], target.name
