"""Recipients come and go in the header alone; a new key means a new payload."""

from __future__ import annotations

import hashlib
import stat

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from guardapp.errors import GuardError
from guardapp.seal import header
from guardapp.seal.recipients import PassphraseIdentity, PassphraseRecipient, RsaIdentity, RsaRecipient, check
from guardapp.seal.rewrap import add_recipients, change_recipients, rekey, remove_recipients
from guardapp.seal.sealed import open_sealed, verify_sealed
from guardapp.seal.stanzas import Stanza, encode


def payload_of(path) -> bytes:
    data = path.read_bytes()
    return data[data.index(b"\n--- ") + 49 :]


def opens(path, identity) -> bool:
    try:
        verify_sealed(path, [identity])
    except GuardError as error:
        assert error.code == "sealed.no-key"
        return False
    return True


def test_an_added_recipient_opens_the_same_payload(sealed_checkpoint, pair, stranger):
    path = sealed_checkpoint.path
    path.chmod(0o640)
    before = payload_of(path)
    key = rsa.generate_private_key(65537, 3072)
    added = [stranger.recipient, RsaRecipient(key.public_key()), PassphraseRecipient("word")]
    assert add_recipients(path, [pair.identity], added) == 4
    assert payload_of(path) == before
    assert all(
        opens(path, one) for one in (pair.identity, stranger.identity, RsaIdentity(key), PassphraseIdentity("word"))
    )
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_a_removed_recipient_no_longer_opens_the_same_payload(sealed_checkpoint, pair, stranger):
    path = sealed_checkpoint.path
    before = payload_of(path)
    add_recipients(path, [pair.identity], [stranger.recipient])
    assert remove_recipients(path, [stranger.identity], [1]) == 1
    assert payload_of(path) == before
    assert opens(path, stranger.identity) and not opens(path, pair.identity)


@pytest.mark.parametrize(
    ("numbers", "code"),
    [([2], "sealed.no-such-recipient"), ([0], "sealed.no-such-recipient"), ([1], "sealed.nobody-left")],
)
def test_a_removal_that_makes_no_sense_changes_nothing(numbers, code, sealed_checkpoint, pair):
    before = sealed_checkpoint.path.read_bytes()
    with pytest.raises(GuardError) as error:
        remove_recipients(sealed_checkpoint.path, [pair.identity], numbers)
    assert error.value.code == code
    assert sealed_checkpoint.path.read_bytes() == before


def test_who_has_no_key_cannot_add_anyone(sealed_checkpoint, stranger):
    before = sealed_checkpoint.path.read_bytes()
    with pytest.raises(GuardError) as error:
        add_recipients(sealed_checkpoint.path, [stranger.identity], [stranger.recipient])
    assert error.value.code == "sealed.no-key"
    assert sealed_checkpoint.path.read_bytes() == before


def test_stanzas_of_unknown_kinds_are_kept(seal_bytes, pair, stranger):
    path = seal_bytes(b"content")
    with open_sealed(path, [pair.identity]) as sealed:
        stanzas = [Stanza("future", ("x",), b"y" * 70), *sealed.header.stanzas]
        path.write_bytes(header.write("file", stanzas, sealed.file_key.view) + payload_of(path))
    add_recipients(path, [pair.identity], [stranger.recipient])
    with open_sealed(path, [stranger.identity]) as sealed:
        assert sealed.header.stanzas[0] == Stanza("future", ("x",), b"y" * 70)
        assert sealed.read(0, 7) == b"content"


def test_a_new_key_gives_a_new_payload_of_the_same_content(sealed_checkpoint, pair, stranger):
    path = sealed_checkpoint.path
    before = payload_of(path)
    with open_sealed(path, [pair.identity]) as sealed:
        old_key = bytes(sealed.file_key.view)
    rekey(path, [pair.identity], [stranger.recipient])
    after = payload_of(path)
    assert len(after) == len(before)
    assert not {before[at : at + 64] for at in range(0, len(before), 64)} & {after[:64], after[-64:]}
    assert not opens(path, pair.identity)
    with open_sealed(path, [stranger.identity]) as sealed:
        assert bytes(sealed.file_key.view) != old_key
        assert sealed.content == "safetensors"
        assert sealed.read(0, sealed.nbytes) == sealed_checkpoint.plain


def test_a_damaged_file_gets_no_new_key(sealed_checkpoint, pair, stranger):
    whole = bytearray(sealed_checkpoint.path.read_bytes())
    whole[-(2 << 20)] ^= 1
    sealed_checkpoint.path.write_bytes(whole)
    with pytest.raises(GuardError) as error:
        rekey(sealed_checkpoint.path, [pair.identity], [stranger.recipient])
    assert error.value.code == "sealed.segment"
    assert sealed_checkpoint.path.read_bytes() == whole


def test_a_new_file_with_other_recipients_leaves_the_old_one(sealed_checkpoint, pair, stranger, tmp_path):
    before = sealed_checkpoint.path.read_bytes()
    target = tmp_path / "for-others.sealed"
    changed = change_recipients(
        sealed_checkpoint.path, [pair.identity], add=[stranger.recipient], remove=[1], target=target, verify=True
    )
    assert changed == (1, hashlib.sha256(sealed_checkpoint.plain).hexdigest())
    assert opens(target, stranger.identity) and not opens(target, pair.identity)
    assert payload_of(target) == payload_of(sealed_checkpoint.path)
    assert sealed_checkpoint.path.read_bytes() == before


def test_a_damaged_file_is_not_passed_on_as_a_new_one(sealed_checkpoint, pair, stranger, tmp_path):
    whole = bytearray(sealed_checkpoint.path.read_bytes())
    whole[-(2 << 20)] ^= 1
    sealed_checkpoint.path.write_bytes(whole)
    target = tmp_path / "for-others.sealed"
    with pytest.raises(GuardError) as error:
        change_recipients(sealed_checkpoint.path, [pair.identity], add=[stranger.recipient], target=target, verify=True)
    assert error.value.code == "sealed.segment"
    assert not target.exists()


def test_a_ninth_passphrase_is_refused_before_it_makes_the_file_unreadable(seal_bytes, pair):
    path = seal_bytes(b"content")
    with open_sealed(path, [pair.identity]) as sealed:
        # one real stanza eight times: a wrap costs a tenth of a second
        eight = [PassphraseRecipient("word").wrap(sealed.file_key.view)] * 8
        path.write_bytes(
            header.write("file", [*sealed.header.stanzas, *eight], sealed.file_key.view) + payload_of(path)
        )
    before = path.read_bytes()
    with pytest.raises(GuardError) as error:
        add_recipients(path, [pair.identity], [PassphraseRecipient("ninth")])
    assert error.value.code == "sealed.too-many-passphrases"
    assert path.read_bytes() == before
    assert opens(path, PassphraseIdentity("word"))


def test_passphrases_together_cost_no_more_than_the_costliest_one():
    def costing(*of: tuple[int, int]) -> tuple[Stanza, ...]:
        salt = encode(bytes(16))
        return tuple(Stanza("argon2id", (salt, str(log2), str(passes), "1"), bytes(48)) for log2, passes in of)

    check(costing((21, 64)))
    check(costing((21, 32), (20, 64)))
    with pytest.raises(ValueError, match="together"):
        check(costing((21, 64), (16, 1)))
    assert PassphraseRecipient("word", 30, 99, 99)._costs == (21, 64, 16)
