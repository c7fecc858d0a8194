"""age's X25519 key pairs as text: `age1…` for sealing, `AGE-SECRET-KEY-1…` for opening.

The text is Bech32 (BIP 173) without its limit of 90 characters, as the age v1 specification (C2SP age.md, “The X25519
recipient type”) has it. Recipients are lower case and identities upper case; all else is refused, as age refuses it.
"""

from __future__ import annotations

from typing import Final

from guardapp.errors import GuardError

KEY_BYTES: Final = 32
RECIPIENT_PREFIX: Final = "age"
IDENTITY_PREFIX: Final = "AGE-SECRET-KEY-"

_ALPHABET: Final = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_VALUE: Final = {letter: value for value, letter in enumerate(_ALPHABET)}
_GENERATOR: Final = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)
_CHECKSUM_LETTERS: Final = 6


def encode_recipient(public: bytes) -> str:
    """The `age1…` text of a 32-byte X25519 public key."""
    return bech32_encode(RECIPIENT_PREFIX, _of_key_length(public))


def encode_identity(private: bytes) -> str:
    """The `AGE-SECRET-KEY-1…` text of a 32-byte X25519 private key."""
    return bech32_encode(IDENTITY_PREFIX, _of_key_length(private))


def decode_recipient(text: str) -> bytes:
    """The 32-byte public key in `age1…`. Raises GuardError `key.recipient`."""
    return _decode(text, RECIPIENT_PREFIX, "This recipient cannot be read", "key.recipient")


def decode_identity(text: str) -> bytes:
    """The 32-byte private key in `AGE-SECRET-KEY-1…`. Raises GuardError `key.identity`, which never quotes the key."""
    return _decode(text, IDENTITY_PREFIX, "This identity cannot be read", "key.identity")


def recipient_of(private: bytes) -> str:
    """The `age1…` recipient that belongs to a 32-byte private key."""
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

    return encode_recipient(X25519PrivateKey.from_private_bytes(private).public_key().public_bytes_raw())


def read_identity_file(text: str) -> list[bytes]:
    """The private keys of an age identity file: one a line, blank lines and lines that start with `#` left out.

    Raises GuardError `key.identity` for a line that is no identity, and for a file without any.
    """
    lines = [line.strip() for line in text.splitlines()]
    keys = [decode_identity(line) for line in lines if line and not line.startswith("#")]
    if not keys:
        raise GuardError(
            what="This identity file cannot be used",
            why="it holds no line that starts with AGE-SECRET-KEY-1",
            next="Choose the file that age-keygen or “Export” wrote.",
            code="key.identity",
        )
    return keys


def bech32_encode(prefix: str, data: bytes) -> str:
    """Bech32 text of any bytes, in the case of `prefix`."""
    lower = prefix.lower()
    values = _five_bit_groups(data)
    residue = _checksum(_expand(lower) + values + [0] * _CHECKSUM_LETTERS) ^ 1
    values += [(residue >> 5 * (_CHECKSUM_LETTERS - 1 - place)) & 31 for place in range(_CHECKSUM_LETTERS)]
    text = lower + "1" + "".join(_ALPHABET[value] for value in values)
    return text.upper() if prefix.isupper() else text


def bech32_decode(text: str) -> tuple[str, bytes]:
    """Prefix (in the text's own case) and bytes. Raises ValueError, whose message never quotes the text."""
    if text != text.lower() and text != text.upper():
        raise ValueError("it mixes upper and lower case")
    prefix, separator, letters = text.rpartition("1")
    if not separator or not prefix or len(letters) < _CHECKSUM_LETTERS:
        raise ValueError("it is not Bech32 text")
    if any(not 33 <= ord(letter) <= 126 for letter in prefix):
        raise ValueError("it is not Bech32 text")
    try:
        values = [_VALUE[letter] for letter in letters.lower()]
    except KeyError:
        raise ValueError("it holds a character that Bech32 does not have") from None
    if _checksum(_expand(prefix.lower()) + values) != 1:
        raise ValueError("its checksum does not fit, so a character is wrong or missing")
    return prefix, _bytes_of_groups(values[:-_CHECKSUM_LETTERS])


def _decode(text: str, prefix: str, what: str, code: str) -> bytes:
    try:
        found, data = bech32_decode(text.strip())
        if found != prefix:
            raise ValueError(f"it does not start with {prefix}1")
        if len(data) != KEY_BYTES:
            raise ValueError("it does not hold 32 bytes")
    except ValueError as error:
        raise GuardError(
            what=what,
            why=str(error),
            next=f"Copy the whole line again; it starts with {prefix}1.",
            code=code,
        ) from None
    return data


def _of_key_length(key: bytes) -> bytes:
    if len(key) != KEY_BYTES:
        raise ValueError("an X25519 key has 32 bytes")
    return key


def _expand(prefix: str) -> list[int]:
    return [ord(letter) >> 5 for letter in prefix] + [0] + [ord(letter) & 31 for letter in prefix]


def _checksum(values: list[int]) -> int:
    """The BCH residue of BIP 173, section “Checksum”."""
    residue = 1
    for value in values:
        top = residue >> 25
        residue = (residue & 0x1FFFFFF) << 5 ^ value
        for bit, generator in enumerate(_GENERATOR):
            if top >> bit & 1:
                residue ^= generator
    return residue


def _five_bit_groups(data: bytes) -> list[int]:
    bits = "".join(f"{byte:08b}" for byte in data)
    bits += "0" * (-len(bits) % 5)
    return [int(bits[start : start + 5], 2) for start in range(0, len(bits), 5)]


def _bytes_of_groups(values: list[int]) -> bytes:
    bits = "".join(f"{value:05b}" for value in values)
    whole = len(bits) // 8 * 8
    padding = bits[whole:]
    if len(padding) > 4 or "1" in padding:
        raise ValueError("its last character carries bits that must be zero")
    return bytes(int(bits[start : start + 8], 2) for start in range(0, whole, 8))
