"""Every kind of recipient opens what was wrapped for it, nobody else does, and no stanza costs more than its limit."""

from __future__ import annotations

import hashlib
import os
import unicodedata

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from hypothesis import given, settings
from hypothesis import strategies as st

from guardapp.errors import GuardError
from guardapp.formats import age_hybrid
from guardapp.seal import recipients
from guardapp.seal.hybrid import HybridIdentity, HybridRecipient
from guardapp.seal.recipients import (
    PassphraseIdentity,
    PassphraseRecipient,
    RsaIdentity,
    RsaRecipient,
    X25519Identity,
    X25519Recipient,
)
from guardapp.seal.stanzas import Stanza, encode

FILE_KEY = os.urandom(32)


@pytest.fixture(scope="module")
def rsa_key():
    return rsa.generate_private_key(65537, 3072)


@pytest.fixture(scope="module")
def other_rsa_key():
    return rsa.generate_private_key(65537, 3072)


def test_x25519_opens_for_its_key_alone(pair, stranger):
    stanza = pair.recipient.wrap(FILE_KEY)
    recipients.check((stanza,))
    assert pair.identity.unwrap(stanza) == FILE_KEY
    assert stranger.identity.unwrap(stanza) is None


def test_rsa_opens_for_its_key_alone(rsa_key, other_rsa_key):
    stanza = RsaRecipient(rsa_key.public_key()).wrap(FILE_KEY)
    recipients.check((stanza,))
    assert RsaIdentity(rsa_key).unwrap(stanza) == FILE_KEY
    assert RsaIdentity(other_rsa_key).unwrap(stanza) is None
    wrongly_tagged = stanza._replace(args=(recipients._rsa_tag(other_rsa_key.public_key()),))
    assert RsaIdentity(other_rsa_key).unwrap(wrongly_tagged) is None


def test_hybrid_opens_for_its_key_alone():
    seed = os.urandom(32)
    stanza = HybridRecipient(age_hybrid.public_of(seed)).wrap(FILE_KEY)
    recipients.check((stanza,))
    assert HybridIdentity(seed).unwrap(stanza) == FILE_KEY
    assert HybridIdentity(os.urandom(32)).unwrap(stanza) is None


def test_a_passphrase_opens_in_any_unicode_form():
    stanza = PassphraseRecipient("Zürich 東京 ｶﾞ").wrap(FILE_KEY)
    recipients.check((stanza,))
    assert stanza.args[1:] == ("16", "3", "4")
    assert PassphraseIdentity(unicodedata.normalize("NFD", "Zürich 東京 ｶﾞ")).unwrap(stanza) == FILE_KEY
    assert PassphraseIdentity("Zurich").unwrap(stanza) is None


def test_costs_can_only_be_raised():
    assert PassphraseRecipient("x", log2_kib=3, passes=1, lanes=1)._costs == (16, 3, 4)


def test_an_empty_passphrase_is_refused():
    with pytest.raises(GuardError) as error:
        PassphraseRecipient("")
    assert error.value.code == "sealed.empty-passphrase"


def test_small_rsa_keys_are_refused():
    key = rsa.generate_private_key(65537, 2048)
    for use in (lambda: RsaRecipient(key.public_key()), lambda: RsaIdentity(key)):
        with pytest.raises(GuardError) as error:
            use()
        assert error.value.code == "sealed.weak-key"


@pytest.mark.parametrize("point", [bytes(32), b"\x01" + bytes(31)])
def test_a_point_of_low_order_is_no_recipient_and_no_share(point, pair):
    with pytest.raises(GuardError) as error:
        X25519Recipient(point).wrap(FILE_KEY)
    assert error.value.code == "sealed.bad-recipient"
    assert pair.identity.unwrap(Stanza("X25519", (encode(point),), bytes(48))) is None


SALT = encode(bytes(16))
BOMBS = {
    "4 TiB of memory": (SALT, "32", "3", "4"),
    "twice the memory": (SALT, "22", "3", "4"),
    "65 passes": (SALT, "16", "65", "4"),
    "17 lanes": (SALT, "16", "3", "17"),
    "a huge number": (SALT, "9" * 5000, "3", "4"),
    "a leading zero": (SALT, "016", "3", "4"),
    "a sign": (SALT, "+16", "3", "4"),
    "digits of another script": (SALT, "١٦", "3", "4"),
    "no passes": (SALT, "16", "0", "4"),
    "less memory than its lanes need": (SALT, "2", "3", "4"),
    "no costs": (SALT,),
    "a fifth argument": (SALT, "16", "3", "4", "5"),
    "a short salt": (encode(bytes(15)), "16", "3", "4"),
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_passphrase_stanza_beyond_the_limits_is_refused_before_it_costs_anything(name):
    with pytest.raises(ValueError, match=r"argon2id|memory or time"):
        recipients.check((Stanza("argon2id", BOMBS[name], bytes(48)),))


def test_more_than_eight_passphrases_are_refused():
    stanza = Stanza("argon2id", (SALT, "16", "3", "4"), bytes(48))
    recipients.check((stanza,) * 8)
    with pytest.raises(ValueError, match="passphrases"):
        recipients.check((stanza,) * 9)


@pytest.mark.parametrize(
    "stanza",
    [
        Stanza("X25519", (encode(bytes(31)),), bytes(48)),
        Stanza("X25519", (encode(bytes(32)),), bytes(47)),
        Stanza("X25519", (encode(bytes(32)), "x"), bytes(48)),
        Stanza("X25519", (), bytes(48)),
        Stanza("X25519", (encode(bytes(32)) + "=",), bytes(48)),
        Stanza("RSA-OAEP", (encode(bytes(16)),), bytes(256)),
        Stanza("RSA-OAEP", (encode(bytes(15)),), bytes(384)),
        Stanza("mlkem768x25519", (encode(bytes(1119)),), bytes(48)),
        Stanza("mlkem768x25519", (encode(bytes(1120)),), bytes(49)),
    ],
)
def test_malformed_stanzas_of_known_kinds_are_refused(stanza):
    with pytest.raises(ValueError, match=r"malformed|canonical"):
        recipients.check((stanza,))


def test_unknown_kinds_are_passed_over():
    recipients.check((Stanza("future", ("x",), b"y"),))


@settings(max_examples=25)
@given(st.integers(0, 48 * 8 - 1))
def test_one_flipped_bit_of_a_wrapped_key_opens_nothing(bit):
    key = bytes(range(32))
    public = X25519Identity(key)._public
    stanza = X25519Recipient(public).wrap(FILE_KEY)
    body = bytearray(stanza.body)
    body[bit // 8] ^= 1 << bit % 8
    assert X25519Identity(key).unwrap(stanza._replace(body=bytes(body))) is None


def test_the_rsa_tag_is_of_the_public_key(rsa_key):
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    der = rsa_key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    assert RsaRecipient(rsa_key.public_key()).wrap(FILE_KEY).args == (encode(hashlib.sha256(der).digest()[:16]),)
