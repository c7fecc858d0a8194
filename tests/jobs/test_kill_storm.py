"""A short storm of kills; `kill_storm.py` is the long one."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path


def test_kills_at_random_moments_lose_nothing(tmp_path):
    place = importlib.util.spec_from_file_location("kill_storm", Path(__file__).parent / "kill_storm.py")
    module = importlib.util.module_from_spec(place)
    sys.modules["kill_storm"] = module
    place.loader.exec_module(module)
    done = module.storm(tmp_path / "storm", workers=4, apps=3, seed=7, batch=None, ledger=False)
    assert done.killed["worker"] >= 4 and done.killed["app"] >= 3 and done.completed >= 1
