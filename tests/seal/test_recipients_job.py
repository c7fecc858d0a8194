"""Changing recipients as a job: a new file that was read back, and the old one untouched."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import pytest
from pydantic import ValidationError

from guardapp.errors import GuardError
from guardapp.formats import age_keys
from guardapp.progress import Progress
from guardapp.seal import recipients_job
from guardapp.seal.recipients_job import RecipientsSpec
from guardapp.seal.rewrap import add_recipients
from guardapp.seal.sealed import open_sealed, verify_sealed
from guardapp.spec import KeyNeed
from guardapp.vault.provider import key_provider
from guardapp.vault.rules import RECOVERY_NEED, set_expiry
from guardapp.vault.store import Vault

NOBODY = KeyNeed(RECOVERY_NEED, "recipient")


@pytest.fixture
def out(tmp_path: Path) -> Path:
    (tmp_path / "out").mkdir()
    return tmp_path / "out"


def private(pair) -> bytes:
    return age_keys.encode_identity(pair.private).encode()


def public(pair) -> str:
    return age_keys.encode_recipient(pair.public)


def keys(pair, recovery: str = "") -> Progress:
    return Progress(keys={"mine": private(pair), RECOVERY_NEED: recovery.encode()})


def test_somebody_is_added_in_a_new_file_and_the_old_one_stays(sealed_checkpoint, pair, stranger, out):
    before = sealed_checkpoint.path.read_bytes()
    spec = RecipientsSpec(input=sealed_checkpoint.path, recipients=[public(stranger)], private_keys=["mine"])
    assert spec.keys() == [KeyNeed("mine", "private"), NOBODY]
    result = recipients_job.run(spec, out, keys(pair))
    assert (result.recipients, result.added, result.removed, result.still_opens) == (2, 1, 0, True)
    for who in (pair, stranger):
        verify_sealed(out / "model.sealed", [who.identity])
    assert sealed_checkpoint.path.read_bytes() == before
    assert json.loads((out / "report.json").read_text())["recipient_kinds"] == ["X25519", "X25519"]
    assert "Only the header was written anew" in (out / "report.html").read_text()


def test_whoever_takes_himself_out_is_told_so(sealed_checkpoint, pair, stranger, out):
    add_recipients(sealed_checkpoint.path, [pair.identity], [stranger.recipient])
    spec = RecipientsSpec(input=sealed_checkpoint.path, remove=[1], private_keys=["mine"])
    result = recipients_job.run(spec, out, keys(pair))
    assert (result.recipients, result.removed, result.still_opens) == (1, 1, False)
    assert "None of the keys that opened the old file opens the new one." in (out / "report.html").read_text()


def test_a_new_key_is_for_the_named_alone_the_opener_among_them(sealed_checkpoint, pair, stranger, out):
    add_recipients(sealed_checkpoint.path, [pair.identity], [stranger.recipient])
    spec = RecipientsSpec(input=sealed_checkpoint.path, recipients=["mine"], new_key=True, private_keys=["mine"])
    assert spec.keys() == [KeyNeed("mine", "own"), NOBODY]
    result = recipients_job.run(spec, out, keys(pair))
    assert (result.recipients, result.removed, result.still_opens) == (1, 2, True)
    with (
        open_sealed(out / "model.sealed", [pair.identity]) as new,
        open_sealed(sealed_checkpoint.path, [pair.identity]) as old,
    ):
        assert bytes(new.file_key.view) != bytes(old.file_key.view)
        assert new.read(0, new.nbytes) == sealed_checkpoint.plain
    with pytest.raises(GuardError, match="keys at hand"):
        open_sealed(out / "model.sealed", [stranger.identity])


def test_the_recovery_key_cannot_be_taken_out(sealed_checkpoint, pair, stranger, out):
    add_recipients(sealed_checkpoint.path, [pair.identity], [stranger.recipient])
    spec = RecipientsSpec(input=sealed_checkpoint.path, remove=[2], private_keys=["mine"])
    recipients_job.run(spec, out, keys(pair, recovery=public(stranger)))
    verify_sealed(out / "model.sealed", [stranger.identity])


def test_an_expired_key_opens_but_is_not_sealed_for(tmp_path):
    vault = Vault.open(tmp_path / "home")
    vault.new_key("mine", "x25519")
    set_expiry(vault, "mine", date(2020, 1, 1))
    provide = key_provider(vault)
    assert provide(KeyNeed("mine", "private")).startswith(b"AGE-SECRET-KEY-1")
    with pytest.raises(GuardError) as error:
        provide(KeyNeed("mine", "own"))
    assert error.value.code == "vault.expired"


@pytest.mark.parametrize("fields", [{}, {"new_key": True}, {"new_key": True, "remove": [1], "recipients": ["x"]}])
def test_a_change_that_says_nothing_is_refused(fields):
    with pytest.raises(ValidationError):
        RecipientsSpec(input=Path("model.sealed"), **fields)
