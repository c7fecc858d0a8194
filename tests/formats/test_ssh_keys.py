"""OpenSSH keys become the age keys that their curve maps to: both halves fit, and other tools agree."""

from __future__ import annotations

import shutil
import subprocess

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from guardapp.errors import GuardError
from guardapp.formats import age_hybrid, ssh_keys
from guardapp.vault import keys

OPENSSH = serialization.PrivateFormat.OpenSSH
PEM = serialization.Encoding.PEM


def private_text(key) -> bytes:
    return key.private_bytes(PEM, OPENSSH, serialization.NoEncryption())


def public_text(key) -> bytes:
    return key.public_key().public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)


@given(st.binary(min_size=32, max_size=32))
def test_both_halves_fit(seed):
    key = ed25519.Ed25519PrivateKey.from_private_bytes(seed)
    private = X25519PrivateKey.from_private_bytes(ssh_keys.x25519_private(key))
    assert private.public_key().public_bytes_raw() == ssh_keys.x25519_public(key.public_key())


def test_an_ed25519_pair_is_imported_as_one_age_pair():
    key = ed25519.Ed25519PrivateKey.generate()
    private, public = keys.read(private_text(key)), keys.read(public_text(key) + b" someone@somewhere\n")
    assert private.type == public.type == "x25519"
    assert private.public == public.public and public.private == b""
    assert private.private.startswith(b"AGE-SECRET-KEY-1")


def test_an_rsa_pair_is_imported_as_rsa():
    key = rsa.generate_private_key(65537, 3072)
    private, public = keys.read(private_text(key)), keys.read(public_text(key))
    assert private.type == public.type == "rsa" and private.public == public.public
    assert private.private.startswith(b"-----BEGIN PRIVATE KEY-----")


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"-----BEGIN OPENSSH PRIVATE KEY-----\nrubbish\n-----END OPENSSH PRIVATE KEY-----\n", "key.unreadable"),
        (b"ssh-ed25519 rubbish", "key.unreadable"),
        (public_text(rsa.generate_private_key(65537, 2048)), "key.weak"),
    ],
)
def test_what_cannot_be_used_is_refused_by_name(data, code):
    with pytest.raises(GuardError) as error:
        keys.read(data)
    assert error.value.code == code


@pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="ssh-keygen is not installed")
def test_a_key_with_a_passphrase_of_its_own_is_refused(tmp_path):
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "words", "-f", tmp_path / "key"], check=True)
    with pytest.raises(GuardError) as error:
        keys.read((tmp_path / "key").read_bytes())
    assert error.value.why == "it is protected by a passphrase of its own"


def test_ecdsa_keys_sign():
    assert keys.read(private_text(ec.generate_private_key(ec.SECP256R1()))).type == "signing"


def test_hybrid_keys_are_made_and_read_again():
    made = keys.make("hybrid")
    assert keys.read(made.private) == made
    assert keys.read(made.public.encode()) == keys.Material("hybrid", made.public, b"")
    assert len(keys.fingerprint(made).split()) == 8
    assert age_hybrid.recipient_of(age_hybrid.decode_identity(made.private.decode())) == made.public
