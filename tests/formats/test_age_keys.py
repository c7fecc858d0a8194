"""age key text: known answers of BIP 173, and pyrage as an oracle that shares no code."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardapp.errors import GuardError
from guardapp.formats import age_keys

pyrage = pytest.importorskip("pyrage")

VALID = [  # BIP 173, “Test vectors”, with the byte strings that their groups spell
    "A12UEL5L",
    "a12uel5l",
    "an83characterlonghumanreadablepartthatcontainsthenumber1andtheexcludedcharactersbio1tt5tgs",
    "?1ezyfcl",
]
INVALID = [
    "\x201nwldj5",
    "\x7f1axkwrx",
    "pzry9x0s0muk",
    "1pzry9x0s0muk",
    "x1b4n0q5v",
    "li1dgmt3",
    "A1G7SGD8",
    "10a06t8",
    "1qzzfhee",
    "aBcdef1qpzry9x8gf2tvdw0s3jn54khce6mua7lmqqqxw",
    "split1cheo2y9e2w",
]


@pytest.mark.parametrize("text", VALID)
def test_known_bech32_texts_are_read_and_written_back(text: str) -> None:
    prefix, data = age_keys.bech32_decode(text)
    assert data == b""
    assert age_keys.bech32_encode(prefix, data).lower() == text.lower()


@pytest.mark.parametrize("text", INVALID)
def test_known_invalid_bech32_texts_are_refused(text: str) -> None:
    with pytest.raises(ValueError):
        age_keys.bech32_decode(text)


def test_pyrage_reads_our_keys_and_we_read_its() -> None:
    theirs = pyrage.x25519.Identity.generate()
    private = age_keys.decode_identity(str(theirs))
    assert age_keys.encode_identity(private) == str(theirs)
    assert age_keys.recipient_of(private) == str(theirs.to_public())
    assert age_keys.encode_recipient(age_keys.decode_recipient(str(theirs.to_public()))) == str(theirs.to_public())


@given(st.binary(min_size=32, max_size=32))
def test_any_key_makes_a_text_that_pyrage_understands(private: bytes) -> None:
    identity = pyrage.x25519.Identity.from_str(age_keys.encode_identity(private))
    assert str(identity.to_public()) == age_keys.recipient_of(private)
    assert age_keys.decode_identity(str(identity)) == private


@given(st.binary(min_size=32, max_size=32), st.data())
def test_one_wrong_character_is_always_refused(public: bytes, data: st.DataObject) -> None:
    text = age_keys.encode_recipient(public)
    place = data.draw(st.integers(0, len(text) - 1))
    letter = data.draw(st.sampled_from([c for c in age_keys._ALPHABET + "1b-A" if c != text[place]]))
    with pytest.raises(GuardError) as error:
        age_keys.decode_recipient(text[:place] + letter + text[place + 1 :])
    assert error.value.code == "key.recipient"


def test_a_refused_identity_is_not_quoted() -> None:
    text = age_keys.encode_identity(bytes(range(32)))
    for broken in (text[:-1], text.lower(), text[:20] + "Q" + text[21:], text.title()):
        with pytest.raises(GuardError) as error:
            age_keys.decode_identity(broken)
        assert broken[16:40].lower() not in str(error.value).lower()


def test_an_identity_file_is_read_past_comments_and_refused_when_empty() -> None:
    text = age_keys.encode_identity(bytes(range(32)))
    assert age_keys.read_identity_file(f"# created\n\n{text}\n") == [bytes(range(32))]
    with pytest.raises(GuardError):
        age_keys.read_identity_file("# nothing\n")
