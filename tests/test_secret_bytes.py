"""Secrets in memory of their own: overwritten when released, never shown, and usable where nothing can be locked."""

from __future__ import annotations

import pickle
import sys
from pathlib import Path

import pytest

from guardapp import secret_bytes
from guardapp.secret_bytes import SecretBytes

KEY = bytes(range(200, 232))


def test_released_bytes_are_overwritten_even_under_a_view_that_somebody_kept():
    secret = SecretBytes.of(KEY)
    kept = secret.view
    assert bytes(kept) == KEY and len(secret) == len(KEY)
    secret.release()
    assert bytes(kept) == bytes(len(KEY))


def test_a_released_secret_is_refused_rather_than_read_as_zeros():
    with SecretBytes.of(KEY) as secret:
        pass
    with pytest.raises(RuntimeError, match="released"):
        _ = secret.view
    secret.release()


def test_a_secret_that_nobody_released_is_overwritten_with_its_object():
    kept = SecretBytes.of(KEY).view
    assert bytes(kept) == bytes(len(KEY))


def test_neither_text_nor_pickle_holds_the_secret():
    secret = SecretBytes.of(KEY)
    assert repr(secret) == str(secret) == "<SecretBytes: 32 bytes>"
    with pytest.raises(TypeError):
        pickle.dumps(secret)


@pytest.mark.parametrize("nbytes", [0, 1, 4096, 4097, 100_000])
def test_any_length_is_kept(nbytes):
    secret = SecretBytes(nbytes)
    assert bytes(secret.view) == bytes(nbytes)
    secret.view[:] = b"x" * nbytes
    assert bytes(secret.view) == b"x" * nbytes


def test_what_cannot_be_locked_works_all_the_same(monkeypatch):
    monkeypatch.setattr(secret_bytes, "_lock", lambda pages: False)
    secret = SecretBytes.of(KEY)
    assert not secret.locked and bytes(secret.view) == KEY


@pytest.mark.skipif(sys.platform != "linux", reason="/proc tells on Linux")
def test_a_reached_limit_leaves_a_secret_unlocked_and_usable():
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_MEMLOCK)
    if _may_lock_without_limit():
        pytest.skip("this account may lock any amount of memory")
    resource.setrlimit(resource.RLIMIT_MEMLOCK, (0, hard))
    try:
        secret = SecretBytes.of(KEY)
    finally:
        resource.setrlimit(resource.RLIMIT_MEMLOCK, (soft, hard))
    assert not secret.locked and bytes(secret.view) == KEY


@pytest.mark.skipif(sys.platform != "linux", reason="/proc tells on Linux")
def test_on_linux_the_page_is_locked_and_left_out_of_dumps():
    secret = SecretBytes.of(KEY)
    if not secret.locked:
        pytest.skip("this account may not lock memory")
    flags = _flags_of(secret)
    assert {"lo", "dd"} <= flags and "sh" not in flags


def _may_lock_without_limit() -> bool:
    effective = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("CapEff"))
    return bool(int(effective.split()[1], 16) & 1 << 14)


def _flags_of(secret: SecretBytes) -> set[str]:
    """The kernel's flags (proc_pid_smaps(5), VmFlags) of the memory that holds a secret."""
    import ctypes

    place = ctypes.addressof(ctypes.c_char.from_buffer(secret.view))
    inside = False
    for line in Path("/proc/self/smaps").read_text().splitlines():
        head = line.split()[0]
        if "-" in head and not head.endswith(":"):
            begin, end = (int(part, 16) for part in head.split("-"))
            inside = begin <= place < end
        elif inside and head == "VmFlags:":
            return set(line.split()[1:])
    raise AssertionError("the page is in no mapping")
