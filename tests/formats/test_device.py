"""Where torch runs."""

from __future__ import annotations

import time

import pytest
import torch

from guardapp.errors import GuardError
from guardapp.formats.device import choose_device, choose_threads


def test_auto_is_what_the_machine_has():
    best = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    assert choose_device("auto") == best and choose_device("cpu") == "cpu"


def test_a_device_that_is_not_there_is_an_error():
    absent = next(name for name in ("mps", "cuda") if name != choose_device("auto"))
    with pytest.raises(GuardError) as error:
        choose_device(absent)
    assert error.value.code == "device.absent"


def test_more_threads_have_to_prove_themselves(monkeypatch):
    monkeypatch.setattr("guardapp.formats.device._most_threads", lambda: 4)
    before = torch.get_num_threads()
    assert choose_threads(lambda: time.sleep(0.002)) == 1
    assert choose_threads(lambda: time.sleep(0.02 / torch.get_num_threads())) == 4
    torch.set_num_threads(before)
