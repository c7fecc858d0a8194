"""For whom a file is sealed: wrapping and unwrapping the file key (docs/sealed.md, Recipients).

A recipient wraps a file key into a stanza; an identity tries to unwrap one. Curve keys are age's own, RSA keys are PEM.
"""

from __future__ import annotations

import hashlib
import os
import unicodedata
from collections.abc import Sequence
from typing import Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from guardapp.errors import GuardError
from guardapp.seal.header import FILE_KEY_BYTES
from guardapp.seal.hybrid import ENC_BYTES
from guardapp.seal.stanzas import Stanza, decode, encode
from guardapp.secret_bytes import Readable

WRAP_BYTES = FILE_KEY_BYTES + 16
MIN_RSA_BITS = 3072
MAX_RSA_BITS = 16384

_X25519_INFO = b"guard-sealed/1/X25519"
_RSA_LABEL = b"guard-sealed/1/RSA-OAEP"
_ARGON_SALT = b"guard-sealed/1/argon2id"
_ZERO_NONCE = bytes(12)

# what a reader refuses, so that a hostile header cannot take all memory or hours (docs/sealed.md, Recipients)
MAX_LOG2_KIB, MAX_PASSES, MAX_LANES = 21, 64, 16
# RFC 9106, section 4, second recommended option
DEFAULT_LOG2_KIB, DEFAULT_PASSES, DEFAULT_LANES = 16, 3, 4
# each try costs seconds and memory, and a person has one passphrase at hand
MAX_PASSPHRASES = 8
# KiB × passes of all passphrases of a file together: no more than the costliest single one
MAX_WORK = MAX_PASSES << MAX_LOG2_KIB


class Recipient(Protocol):
    """Somebody who will be able to open the file."""

    kind: str

    def wrap(self, file_key: Readable) -> Stanza: ...


class Identity(Protocol):
    """Somebody who may be able to open the file."""

    kind: str

    def unwrap(self, stanza: Stanza) -> bytes | None:
        """The file key, or None where the stanza, which is of this identity's kind, is for somebody else."""


def check(stanzas: tuple[Stanza, ...]) -> None:
    """ValueError for a stanza of a known kind that no writer makes, before any key is tried or memory is taken."""
    for stanza in stanzas:
        if stanza.kind in _CHECKS:
            _CHECKS[stanza.kind](stanza)
    costs = [_argon2id_costs(stanza) for stanza in stanzas if stanza.kind == "argon2id"]
    if len(costs) > MAX_PASSPHRASES:
        raise ValueError(f"it has more than {MAX_PASSPHRASES} passphrases")
    if sum(passes << log2_kib for log2_kib, passes, _ in costs) > MAX_WORK:
        raise ValueError("its passphrases together would take more time than is allowed")


def check_writable(stanzas: Sequence[Stanza]) -> None:
    """GuardError sealed.too-many-passphrases where every reader would refuse a file with these stanzas."""
    passphrases = [stanza for stanza in stanzas if stanza.kind == "argon2id"]
    try:
        check(tuple(passphrases))
    except ValueError:
        raise GuardError(
            what="The file cannot be sealed with these passphrases",
            why=f"at most {MAX_PASSPHRASES} are allowed, which together may cost no more than the costliest single one",
            next="Remove a passphrase first, or seal for a key instead.",
            code="sealed.too-many-passphrases",
        ) from None


def wrap_key(key: bytes, file_key: Readable) -> bytes:
    """ChaCha20-Poly1305 under a key that is used once, so that the nonce may be zero."""
    return ChaCha20Poly1305(key).encrypt(_ZERO_NONCE, file_key, None)


def unwrap_key(key: bytes, body: bytes) -> bytes | None:
    try:
        return ChaCha20Poly1305(key).decrypt(_ZERO_NONCE, body, None)
    except InvalidTag:
        return None


def argument_bytes(stanza: Stanza, count: int, nbytes: int) -> bytes:
    """The first of `count` arguments, decoded; ValueError unless it is `nbytes` long."""
    if len(stanza.args) != count or len(data := decode(stanza.args[0])) != nbytes:
        raise ValueError(f"a stanza for {stanza.kind} is malformed")
    return data


def check_body(stanza: Stanza, lengths: range) -> None:
    if len(stanza.body) not in lengths:
        raise ValueError(f"a stanza for {stanza.kind} is malformed")


# --- X25519


def _x25519_key(shared: bytes, share: bytes, recipient: bytes, info: bytes) -> bytes:
    return HKDF(hashes.SHA256(), 32, salt=share + recipient, info=info).derive(shared)


def _check_x25519(stanza: Stanza) -> None:
    argument_bytes(stanza, 1, 32)
    check_body(stanza, range(WRAP_BYTES, WRAP_BYTES + 1))


class X25519Recipient:
    """An age public key, `age1…`: 32 bytes."""

    kind = "X25519"
    info = _X25519_INFO

    def __init__(self, public: bytes) -> None:
        self.public = public

    def wrap(self, file_key: Readable) -> Stanza:
        ephemeral = X25519PrivateKey.generate()
        share = ephemeral.public_key().public_bytes_raw()
        try:
            shared = ephemeral.exchange(X25519PublicKey.from_public_bytes(self.public))
        except ValueError as error:  # an all-zero shared secret: a point of low order
            raise _unusable("it is not a point that X25519 may be used with") from error
        return Stanza(
            self.kind, (encode(share),), wrap_key(_x25519_key(shared, share, self.public, self.info), file_key)
        )


class X25519Identity:
    """An age private key, `AGE-SECRET-KEY-1…`: 32 bytes."""

    kind = "X25519"
    info = _X25519_INFO

    def __init__(self, private: bytes) -> None:
        self.private = X25519PrivateKey.from_private_bytes(private)
        self._public = self.private.public_key().public_bytes_raw()

    def unwrap(self, stanza: Stanza) -> bytes | None:
        share = decode(stanza.args[0])
        try:
            shared = self.private.exchange(X25519PublicKey.from_public_bytes(share))
        except ValueError:  # an all-zero shared secret, which no writer makes
            return None
        return unwrap_key(_x25519_key(shared, share, self._public, self.info), stanza.body)


# --- RSA-OAEP


def _oaep() -> padding.OAEP:
    return padding.OAEP(mgf=padding.MGF1(hashes.SHA256()), algorithm=hashes.SHA256(), label=_RSA_LABEL)


def _rsa_tag(public: rsa.RSAPublicKey) -> str:
    der = public.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return encode(hashlib.sha256(der).digest()[:16])


def _check_rsa(stanza: Stanza) -> None:
    argument_bytes(stanza, 1, 16)
    check_body(stanza, range(MIN_RSA_BITS // 8, MAX_RSA_BITS // 8 + 1))


def _check_modulus(bits: int) -> None:
    if not MIN_RSA_BITS <= bits <= MAX_RSA_BITS:
        raise GuardError(
            what="The RSA key cannot be used",
            why=f"it has {bits} bits, and {MIN_RSA_BITS} to {MAX_RSA_BITS} are allowed",
            next="Make an RSA key of 3072 bits or more, or use an age key.",
            code="sealed.weak-key",
        )


class RsaRecipient:
    """An RSA public key of at least 3072 bits."""

    kind = "RSA-OAEP"

    def __init__(self, public: rsa.RSAPublicKey) -> None:
        _check_modulus(public.key_size)
        self.public = public

    def wrap(self, file_key: Readable) -> Stanza:
        return Stanza(self.kind, (_rsa_tag(self.public),), self.public.encrypt(bytes(file_key), _oaep()))


class RsaIdentity:
    """An RSA private key of at least 3072 bits."""

    kind = "RSA-OAEP"

    def __init__(self, private: rsa.RSAPrivateKey) -> None:
        _check_modulus(private.key_size)
        self._private = private
        self._tag = _rsa_tag(private.public_key())

    def unwrap(self, stanza: Stanza) -> bytes | None:
        if stanza.args[0] != self._tag:
            return None
        try:
            return self._private.decrypt(stanza.body, _oaep())
        except ValueError:
            return None


# --- argon2id


def _argon2id_key(passphrase: str, salt: bytes, log2_kib: int, passes: int, lanes: int) -> bytes:
    kdf = Argon2id(salt=_ARGON_SALT + salt, length=32, iterations=passes, lanes=lanes, memory_cost=1 << log2_kib)
    return kdf.derive(unicodedata.normalize("NFC", passphrase).encode("utf-8"))


def _argon2id_costs(stanza: Stanza) -> tuple[int, int, int]:
    """log2 of the memory in KiB, passes and lanes; ValueError beyond a reader's limits."""
    costs = [int(text) if text.isdecimal() and len(text) <= 2 else 0 for text in stanza.args[1:]]
    if len(costs) != 3 or [str(cost) for cost in costs] != list(stanza.args[1:]):
        raise ValueError("a stanza for argon2id is malformed")
    log2_kib, passes, lanes = costs
    if log2_kib > MAX_LOG2_KIB or passes > MAX_PASSES or lanes > MAX_LANES:
        raise ValueError("its passphrase would take more memory or time than is allowed")
    if passes < 1 or lanes < 1 or 1 << log2_kib < 8 * lanes:
        raise ValueError("a stanza for argon2id is malformed")
    return log2_kib, passes, lanes


def _check_argon2id(stanza: Stanza) -> None:
    argument_bytes(stanza, 4, 16)
    _argon2id_costs(stanza)
    check_body(stanza, range(WRAP_BYTES, WRAP_BYTES + 1))


class PassphraseRecipient:
    """Whoever knows a passphrase. Costs may only be raised, up to what readers allow."""

    kind = "argon2id"

    def __init__(
        self,
        passphrase: str,
        log2_kib: int = DEFAULT_LOG2_KIB,
        passes: int = DEFAULT_PASSES,
        lanes: int = DEFAULT_LANES,
    ) -> None:
        if not passphrase:
            raise GuardError(
                what="The passphrase cannot be used",
                why="it is empty",
                next="Choose a passphrase of several words.",
                code="sealed.empty-passphrase",
            )
        self.passphrase = passphrase
        self._costs = (
            min(max(log2_kib, DEFAULT_LOG2_KIB), MAX_LOG2_KIB),
            min(max(passes, DEFAULT_PASSES), MAX_PASSES),
            min(max(lanes, DEFAULT_LANES), MAX_LANES),
        )

    def wrap(self, file_key: Readable) -> Stanza:
        salt = os.urandom(16)
        key = _argon2id_key(self.passphrase, salt, *self._costs)
        return Stanza(self.kind, (encode(salt), *map(str, self._costs)), wrap_key(key, file_key))


class PassphraseIdentity:
    """A passphrase to try."""

    kind = "argon2id"

    def __init__(self, passphrase: str) -> None:
        self.passphrase = passphrase

    def unwrap(self, stanza: Stanza) -> bytes | None:
        salt = decode(stanza.args[0])
        return unwrap_key(_argon2id_key(self.passphrase, salt, *_argon2id_costs(stanza)), stanza.body)


def _unusable(why: str) -> GuardError:
    return GuardError(
        what="The recipient's key cannot be used",
        why=why,
        next="Ask the recipient for their public key again.",
        code="sealed.bad-recipient",
    )


def _check_hybrid(stanza: Stanza) -> None:
    argument_bytes(stanza, 1, ENC_BYTES)
    check_body(stanza, range(WRAP_BYTES, WRAP_BYTES + 1))


_CHECKS = {
    "X25519": _check_x25519,
    "mlkem768x25519": _check_hybrid,
    "RSA-OAEP": _check_rsa,
    "argon2id": _check_argon2id,
}
