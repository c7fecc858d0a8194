"""Keys are taken in the forms that people have them in, and a refusal never quotes one."""

from __future__ import annotations

import os

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from guardapp.errors import GuardError
from guardapp.formats import age_hybrid, age_keys
from guardapp.seal import keys

FILE_KEY = os.urandom(32)


def public_pem(key) -> str:
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def private_pem(key, passphrase: bytes = b"") -> bytes:
    protection = BestAvailableEncryption(passphrase) if passphrase else NoEncryption()
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, protection)


def test_age_rsa_and_hybrid_keys_are_read_and_fit_together(pair):
    rsa_key, seed = rsa.generate_private_key(65537, 3072), os.urandom(32)
    texts = [
        age_keys.encode_recipient(pair.public),
        public_pem(rsa_key),
        age_keys.bech32_encode("age1pq", age_hybrid.public_of(seed)),
    ]
    files = [
        b"# a comment\n\n" + age_keys.encode_identity(pair.private).encode() + b"\r\n",
        private_pem(rsa_key),
        age_keys.bech32_encode("AGE-SECRET-KEY-PQ-", seed).encode(),
    ]
    for text, file in zip(texts, files, strict=True):
        [identity] = keys.identities(file, "key.txt")
        assert identity.unwrap(keys.recipient(text).wrap(FILE_KEY)) == FILE_KEY


def test_a_file_may_hold_several_recipients_or_identities(pair, stranger):
    public = [age_keys.encode_recipient(one.public) for one in (pair, stranger)]
    assert keys.recipients_in(f"# us\n{public[0]}\n\n{public[1]}\n".encode(), "team.txt") == public
    private = [age_keys.encode_identity(one.private) for one in (pair, stranger)]
    assert len(keys.identities("\n".join(private).encode(), "keys.txt")) == 2


@pytest.mark.parametrize(
    "data", [b"", b"# nothing\n", b"\xff\xfe", b"rsa", b"ssh-ed25519 AAAA", b"-----BEGIN X-----\n"]
)
def test_what_is_no_key_is_refused(data):
    for read in (keys.recipients_in, keys.identities):
        with pytest.raises(GuardError) as error:
            for found in read(data, "k"):
                keys.recipient(str(found))
        assert error.value.code.startswith("key.")


def test_a_private_key_is_no_recipient_and_is_not_quoted(pair):
    secret = age_keys.encode_identity(pair.private)
    for data in (secret.encode(), private_pem(rsa.generate_private_key(65537, 3072))):
        with pytest.raises(GuardError) as error:
            keys.recipients_in(data, "k")
        assert "AGE-SECRET" not in str(error.value)
    with pytest.raises(GuardError) as error:
        keys.identities(secret[:-1].encode() + b"!", "k")
    assert secret[20:40] not in str(error.value)


def test_keys_of_other_kinds_and_locked_ones_are_refused():
    curve = ec.generate_private_key(ec.SECP256R1())
    for data in (private_pem(curve), private_pem(rsa.generate_private_key(65537, 3072), b"locked")):
        with pytest.raises(GuardError) as error:
            keys.identities(data, "k")
        assert error.value.code == "key.unreadable"
    with pytest.raises(GuardError) as error:
        keys.recipient(public_pem(curve))
    assert error.value.code == "key.unreadable"


def test_a_passphrase_is_the_first_line():
    assert keys.passphrase("pass wort ü\r\nsecond\n".encode(), "f") == "pass wort ü"
    assert keys.passphrase(b"", "f") == ""
