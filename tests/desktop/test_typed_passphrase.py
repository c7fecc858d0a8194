"""A passphrase that is typed for a sealed file: measured, kept in memory alone, and handed to the worker by a handle."""

from __future__ import annotations

import pytest

from guardapp.desktop.checkpoints.strength import bits, level
from guardapp.desktop.typed_secrets import PREFIX, TypedSecrets
from guardapp.errors import GuardError
from guardapp.vault.keys import checked_name


def test_a_secret_is_found_by_its_handle_until_all_are_forgotten():
    typed = TypedSecrets()
    handle, other = typed.keep("correct horse 电池"), typed.keep("another one here")
    assert handle != other and "horse" not in handle
    assert typed.get(handle).decode() == "correct horse 电池"
    typed.forget_all()
    with pytest.raises(GuardError) as error:
        typed.get(handle)
    assert error.value.code == "typed.gone"


def test_no_key_of_the_vault_can_have_a_handle_s_name():
    with pytest.raises(GuardError):
        checked_name(PREFIX + "0011223344556677")


@pytest.mark.parametrize(
    "passphrase", ["", "a", "aaaaaaaaaaaaaaaaaaaaaaaa", "abcdefghijklmnop", "123456789012", "passwordpassword"]
)
def test_what_is_guessed_soon_is_weak(passphrase):
    assert level(passphrase) == "weak"


@pytest.mark.parametrize("passphrase", ["wolf paper cloud seven", "Tr0ub4dor&3xyz"])
def test_four_words_are_not_yet_strong(passphrase):
    assert level(passphrase) in ("fair", "strong") and bits(passphrase) < 95


@pytest.mark.parametrize("passphrase", ["wolf paper cloud seven amber violin", "x9$Kq2!vLm7#Rt4z"])
def test_six_words_or_16_random_letters_are_strong(passphrase):
    assert level(passphrase) == "strong"


def test_saying_a_word_again_adds_nothing():
    assert bits("wolf wolf wolf wolf wolf wolf") < bits("wolf paper") + 1
