"""A reader and a writer made from docs/sealed.md alone, sharing no code with the program, each against its counterpart.

The payload is read by hand here; test_payload.py holds it against Tink.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import struct
import unicodedata

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import mlkem, padding, rsa, x25519
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

from guardapp.seal.hybrid import HybridIdentity, HybridRecipient
from guardapp.seal.recipients import (
    PassphraseIdentity,
    PassphraseRecipient,
    RsaIdentity,
    RsaRecipient,
    X25519Identity,
    X25519Recipient,
)
from guardapp.seal.sealed import open_to_file, write_sealed

PASSPHRASE = "correct horse 电池"
SIZES = [0, 1, 1_048_519, 1_048_520, 1_048_521, 2_097_079, 2_097_080, 2_097_081, 3_500_000]


def hkdf(ikm: bytes, salt: bytes, info: bytes) -> bytes:
    """RFC 5869 for one block of SHA-256."""
    return hmac.digest(hmac.digest(salt or bytes(32), ikm, "sha256"), info + b"\x01", "sha256")


def unb64(text: bytes) -> bytes:
    return base64.b64decode(text + b"=" * (-len(text) % 4))


def b64(data: bytes) -> bytes:
    return base64.b64encode(data).rstrip(b"=")


class Keys:
    """One key of each kind, as `cryptography` holds it."""

    def __init__(self) -> None:
        self.curve = x25519.X25519PrivateKey.generate()
        self.curve_public = self.curve.public_key().public_bytes_raw()
        self.seed = os.urandom(32)
        expanded = hashlib.shake_256(self.seed).digest(96)
        self.mlkem = mlkem.MLKEM768PrivateKey.from_seed_bytes(expanded[:64])
        self.mlkem_curve = x25519.X25519PrivateKey.from_private_bytes(expanded[64:])
        self.hybrid_public = (
            self.mlkem.public_key().public_bytes_raw() + self.mlkem_curve.public_key().public_bytes_raw()
        )
        self.rsa = rsa.generate_private_key(65537, 3072)
        der = serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        self.rsa_tag = hashlib.sha256(self.rsa.public_key().public_bytes(*der)).digest()[:16]


@pytest.fixture(scope="module")
def keys() -> Keys:
    return Keys()


OAEP = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), b"guard-sealed/1/RSA-OAEP")


def argon(passphrase: str, salt: bytes, log2: int, passes: int, lanes: int) -> bytes:
    kdf = Argon2id(
        salt=b"guard-sealed/1/argon2id" + salt, length=32, iterations=passes, lanes=lanes, memory_cost=2**log2
    )
    return kdf.derive(unicodedata.normalize("NFC", passphrase).encode())


def xwing_shared(mlkem_shared: bytes, curve_shared: bytes, share: bytes, public: bytes) -> bytes:
    """X-Wing's combiner: SHA3-256 over both secrets, the X25519 ciphertext and public key, and the label."""
    return hashlib.sha3_256(mlkem_shared + curve_shared + share + public + b"\\.//^\\").digest()


def hpke_key_and_nonce(shared: bytes) -> tuple[bytes, bytes]:
    """RFC 9180, KeySchedule in base mode, for KEM 0x647a, HKDF-SHA256 (1) and ChaCha20-Poly1305 (3)."""
    suite = b"HPKE" + struct.pack(">HHH", 0x647A, 1, 3)

    def extract(salt: bytes, label: bytes, ikm: bytes) -> bytes:
        return hmac.digest(salt or bytes(32), b"HPKE-v1" + suite + label + ikm, "sha256")

    def expand(prk: bytes, label: bytes, info: bytes, length: int) -> bytes:
        labelled = struct.pack(">H", length) + b"HPKE-v1" + suite + label + info
        return hmac.digest(prk, labelled + b"\x01", "sha256")[:length]

    context = b"\0" + extract(b"", b"psk_id_hash", b"") + extract(b"", b"info_hash", b"guard-sealed/1/mlkem768x25519")
    secret = extract(shared, b"secret", b"")
    return expand(secret, b"key", context, 32), expand(secret, b"base_nonce", context, 12)


def hybrid_wrapped(file_key: bytes, keys: Keys) -> tuple[bytes, bytes]:
    """The encapsulated key and the wrapped file key."""
    mlkem_shared, encapsulated = keys.mlkem.public_key().encapsulate()
    ephemeral = x25519.X25519PrivateKey.generate()
    share = ephemeral.public_key().public_bytes_raw()
    public = keys.mlkem_curve.public_key()
    shared = xwing_shared(mlkem_shared, ephemeral.exchange(public), share, public.public_bytes_raw())
    key, nonce = hpke_key_and_nonce(shared)
    return encapsulated + share, ChaCha20Poly1305(key).encrypt(nonce, file_key, None)


def hybrid_unwrapped(enc: bytes, body: bytes, keys: Keys) -> bytes:
    share = enc[1088:]
    curve_shared = keys.mlkem_curve.exchange(x25519.X25519PublicKey.from_public_bytes(share))
    public = keys.mlkem_curve.public_key().public_bytes_raw()
    key, nonce = hpke_key_and_nonce(xwing_shared(keys.mlkem.decapsulate(enc[:1088]), curve_shared, share, public))
    return ChaCha20Poly1305(key).decrypt(nonce, body, None)


def unwrapped(arguments: list[bytes], body: bytes, keys: Keys) -> bytes:
    kind = arguments[0]
    if kind == b"X25519":
        share = unb64(arguments[1])
        shared = keys.curve.exchange(x25519.X25519PublicKey.from_public_bytes(share))
        key = hkdf(shared, share + keys.curve_public, b"guard-sealed/1/X25519")
    elif kind == b"RSA-OAEP":
        assert unb64(arguments[1]) == keys.rsa_tag
        return keys.rsa.decrypt(body, OAEP)
    elif kind == b"mlkem768x25519":
        return hybrid_unwrapped(unb64(arguments[1]), body, keys)
    else:
        assert kind == b"argon2id"
        key = argon(PASSPHRASE, unb64(arguments[1]), *map(int, arguments[2:]))
    return ChaCha20Poly1305(key).decrypt(bytes(12), body, None)


def read_by_hand(data: bytes, keys: Keys) -> tuple[bytes, list[bytes], bytes]:
    """What is inside, every recipient's file key, the plaintext."""
    end = data.index(b"\n--- ")
    mac_end = data.index(b"\n", end + 1)
    lines = data[:end].split(b"\n")
    assert lines[0] == b"guard-sealed/1"
    stanzas: list[tuple[list[bytes], bytes]] = []
    for line in lines[1:]:
        if line.startswith(b"-> "):
            stanzas.append((line[3:].split(b" "), b""))
        else:
            assert len(line) <= 64
            stanzas[-1] = (stanzas[-1][0], stanzas[-1][1] + line)
    (first, nothing), *wrapped = stanzas
    assert first[0] == b"content" and not nothing
    file_keys = [unwrapped(arguments, unb64(body), keys) for arguments, body in wrapped]
    mac_key = hkdf(file_keys[0], b"", b"guard-sealed/1/header")
    assert hmac.digest(mac_key, data[: end + 4], "sha256") == unb64(data[end + 5 : mac_end])
    payload = data[mac_end + 1 :]
    assert payload[0] == 40
    aead = AESGCM(hkdf(file_keys[0], payload[1:33], b"guard-sealed/1/payload"))
    pieces = [payload[40 : 1 << 20]]
    pieces += [payload[at : at + (1 << 20)] for at in range(1 << 20, len(payload), 1 << 20)]
    plain = b"".join(
        aead.decrypt(payload[33:40] + struct.pack(">IB", number, number == len(pieces) - 1), piece, None)
        for number, piece in enumerate(pieces)
    )
    return first[1], file_keys, plain


def write_by_hand(plain: bytes, keys: Keys) -> bytes:
    file_key = os.urandom(32)
    ephemeral = x25519.X25519PrivateKey.generate()
    share = ephemeral.public_key().public_bytes_raw()
    shared = ephemeral.exchange(keys.curve.public_key())
    wrap = ChaCha20Poly1305(hkdf(shared, share + keys.curve_public, b"guard-sealed/1/X25519"))
    salt = os.urandom(16)
    enc, wrapped_hybrid = hybrid_wrapped(file_key, keys)
    wrap_passphrase = ChaCha20Poly1305(argon(PASSPHRASE, salt, 10, 1, 1))
    stanzas = [
        (b"content file", b""),
        (b"some-future-kind a b", os.urandom(100)),
        (b"X25519 " + b64(share), wrap.encrypt(bytes(12), file_key, None)),
        (b"mlkem768x25519 " + b64(enc), wrapped_hybrid),
        (b"RSA-OAEP " + b64(keys.rsa_tag), keys.rsa.public_key().encrypt(file_key, OAEP)),
        (b"argon2id " + b64(salt) + b" 10 1 1", wrap_passphrase.encrypt(bytes(12), file_key, None)),
    ]
    header = b"guard-sealed/1\n"
    for arguments, body in stanzas:
        text = b64(body)
        wrapped = [text[at : at + 64] for at in range(0, len(text), 64)]
        if not wrapped or len(wrapped[-1]) == 64:
            wrapped.append(b"")
        header += b"-> " + arguments + b"\n" + b"\n".join(wrapped) + b"\n"
    header += b"---"
    mac = hmac.digest(hkdf(file_key, b"", b"guard-sealed/1/header"), header, "sha256")
    payload_salt, prefix = os.urandom(32), os.urandom(7)
    aead = AESGCM(hkdf(file_key, payload_salt, b"guard-sealed/1/payload"))
    pieces = [plain[:1_048_520]] + [plain[at : at + 1_048_560] for at in range(1_048_520, len(plain), 1_048_560)]
    sealed = b"".join(
        aead.encrypt(prefix + struct.pack(">IB", number, number == len(pieces) - 1), piece, None)
        for number, piece in enumerate(pieces)
    )
    return header + b" " + b64(mac) + b"\n" + bytes([40]) + payload_salt + prefix + sealed


@pytest.mark.parametrize("nbytes", SIZES)
def test_an_independent_reader_opens_what_we_seal_with_every_recipient(nbytes, keys, tmp_path):
    plain = os.urandom(nbytes)
    (tmp_path / "plain").write_bytes(plain)
    recipients = [X25519Recipient(keys.curve_public), RsaRecipient(keys.rsa.public_key())]
    recipients.append(HybridRecipient(keys.hybrid_public))
    if nbytes == 1:
        recipients.append(PassphraseRecipient(PASSPHRASE))
    write_sealed(tmp_path / "plain", tmp_path / "sealed", recipients, flush=False)
    content, file_keys, opened = read_by_hand((tmp_path / "sealed").read_bytes(), keys)
    assert (content, opened) == (b"file", plain)
    assert len(file_keys) == len(recipients) and len(set(file_keys)) == 1


@pytest.mark.parametrize("nbytes", SIZES)
def test_we_open_what_an_independent_writer_seals_with_every_key(nbytes, keys, tmp_path):
    plain = os.urandom(nbytes)
    (tmp_path / "sealed").write_bytes(write_by_hand(plain, keys))
    identities = [X25519Identity(keys.curve.private_bytes_raw()), RsaIdentity(keys.rsa), PassphraseIdentity(PASSPHRASE)]
    identities.append(HybridIdentity(keys.seed))
    for number, identity in enumerate(identities):
        open_to_file(tmp_path / "sealed", tmp_path / f"{number}", [identity], flush=False)
        assert (tmp_path / f"{number}").read_bytes() == plain
