"""age files that we write are opened by age's own programs and the other way round, whole, and with little memory."""

from __future__ import annotations

import os
import shutil
import subprocess
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guardapp.errors import GuardError
from guardapp.formats import age_hybrid, age_keys
from guardapp.seal import age_armor, age_recipients
from guardapp.seal import keys as key_texts
from guardapp.seal.age_armor import ArmorError, ArmorReader, ArmorWriter
from guardapp.seal.age_file import look_at_age, open_age_to_file, verify_age, write_age
from guardapp.seal.age_payload import BATCH, CHUNK
from guardapp.seal.hybrid import HybridIdentity, HybridRecipient
from guardapp.seal.recipients import PassphraseIdentity, PassphraseRecipient, RsaRecipient

SIZES = [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, BATCH * CHUNK, BATCH * CHUNK + 1, 3 * BATCH * CHUNK - 7]


def opened(path: Path, keys: list) -> bytes:
    target = path.with_suffix(".plain")
    target.unlink(missing_ok=True)
    open_age_to_file(path, target, keys, flush=False)
    return target.read_bytes()


@pytest.mark.parametrize("armor", [False, True])
@pytest.mark.parametrize("nbytes", SIZES)
def test_every_size_comes_back(nbytes, armor, pair, tmp_path):
    plain = os.urandom(nbytes)
    (tmp_path / "plain").write_bytes(plain)
    written = write_age(tmp_path / "plain", tmp_path / "f.age", [pair.recipient], armor=armor, flush=False)
    assert opened(tmp_path / "f.age", [pair.identity]) == plain
    assert written.sha256 == verify_age(tmp_path / "f.age", [pair.identity]).sha256
    look = look_at_age(tmp_path / "f.age")
    assert (look.recipients, look.armored) == (("X25519",), armor)
    assert look.content_bytes == (None if armor else nbytes)


@pytest.mark.parametrize("nbytes", [0, 5, CHUNK, 2 * CHUNK + 5])
def test_a_cut_at_any_border_or_an_appended_byte_is_refused(nbytes, pair, tmp_path):
    (tmp_path / "plain").write_bytes(os.urandom(nbytes))
    path = tmp_path / "f.age"
    write_age(tmp_path / "plain", path, [pair.recipient], flush=False)
    whole = path.read_bytes()
    start = look_at_age(path).header_bytes
    cuts = {len(whole) - 1, len(whole) - 16, len(whole) - 17, start, start + 1, start + 16}
    cuts |= {start + 16 + n * (CHUNK + 16) for n in range(3)}
    for data in [whole[:cut] for cut in cuts if cut < len(whole)] + [whole + b"\0", whole + bytes(CHUNK + 16)]:
        path.write_bytes(data)
        with pytest.raises(GuardError) as error:
            open_age_to_file(path, tmp_path / "out", [pair.identity])
        assert error.value.code in ("sealed.header", "sealed.truncated", "sealed.segment", "sealed.appended")
        assert not (tmp_path / "out").exists()


def test_a_hybrid_key_serves_both_formats(tmp_path):
    seed = os.urandom(32)
    (tmp_path / "plain").write_bytes(b"x" * 1000)
    recipient = key_texts.recipient(age_hybrid.recipient_of(seed))
    write_age(tmp_path / "plain", tmp_path / "f.age", [recipient], flush=False)
    assert opened(tmp_path / "f.age", [HybridIdentity(seed)]) == b"x" * 1000


def test_a_passphrase_opens_and_another_does_not(tmp_path, monkeypatch):
    monkeypatch.setattr(age_recipients, "WORK_FACTOR", 8)
    (tmp_path / "plain").write_bytes(b"secret")
    write_age(tmp_path / "plain", tmp_path / "f.age", [PassphraseRecipient("correct horse")], flush=False)
    assert opened(tmp_path / "f.age", [PassphraseIdentity("correct horse")]) == b"secret"
    with pytest.raises(GuardError) as error:
        verify_age(tmp_path / "f.age", [PassphraseIdentity("wrong")])
    assert error.value.code == "sealed.no-key"


def test_what_age_does_not_allow_is_refused_before_anything_is_written(tmp_path, pair):
    from cryptography.hazmat.primitives.asymmetric import rsa

    (tmp_path / "plain").write_bytes(b"x")
    hybrid = HybridRecipient(age_hybrid.public_of(bytes(32)))
    rsa_key = RsaRecipient(rsa.generate_private_key(65537, 3072).public_key())
    for recipients, code in (
        ([rsa_key], "age.no-rsa"),
        ([pair.recipient, PassphraseRecipient("a long one")], "age.passphrase-alone"),
        ([pair.recipient, hybrid], "age.mixed"),
    ):
        with pytest.raises(GuardError) as error:
            write_age(tmp_path / "plain", tmp_path / "f.age", recipients)
        assert error.value.code == code
    assert not (tmp_path / "f.age").exists()


def test_memory_does_not_grow_with_the_file(pair, tmp_path):
    with (tmp_path / "plain").open("wb") as file:
        file.truncate(24 << 20)
    tracemalloc.start()
    try:
        write_age(tmp_path / "plain", tmp_path / "f.age", [pair.recipient], flush=False)
        open_age_to_file(tmp_path / "f.age", tmp_path / "out", [pair.identity], flush=False)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 8 << 20


@settings(max_examples=40)
@given(st.binary(max_size=4000), st.sampled_from([b"\n", b"\r\n"]), st.integers(1, 700))
def test_armor_comes_back_with_either_line_ending_in_any_pieces(data, ending, piece):
    text = bytearray()
    writer = ArmorWriter(text.extend)
    for at in range(0, len(data), piece):
        writer.write(data[at : at + piece])
    writer.finish()
    assert max(map(len, text.splitlines())) <= 64
    lines = bytes(text).replace(b"\n", ending)
    source = memoryview(lines)
    at = 0

    def read(count: int) -> bytes:
        nonlocal at
        at += count
        return bytes(source[at - count : at])

    reader = ArmorReader(read)
    found = b""
    while more := reader.read(piece):
        found += more
    assert found == data


@pytest.mark.parametrize("change", [b"QQ", b"=", b" ", b"\n", b"--"])
def test_armor_with_a_line_changed_is_refused(change, monkeypatch):
    text = bytearray()
    writer = ArmorWriter(text.extend)
    writer.write(os.urandom(48 * 2000))
    writer.finish()
    for at in (40, 60_000, len(text) - 60):
        changed = bytes(text[:at]) + change + bytes(text[at:])
        rest = [changed]

        def read(count: int, rest: list[bytes] = rest) -> bytes:
            data, rest[0] = rest[0][:count], rest[0][count:]
            return data

        with pytest.raises(ArmorError):
            reader = ArmorReader(read)
            while reader.read(5000):
                pass


def test_pyrage_reads_ours_and_we_read_pyrage_s(tmp_path, monkeypatch):
    pyrage = pytest.importorskip("pyrage")
    monkeypatch.setattr(age_recipients, "WORK_FACTOR", 10)
    theirs = pyrage.x25519.Identity.generate()
    plain = os.urandom(200_000)
    (tmp_path / "plain").write_bytes(plain)
    write_age(tmp_path / "plain", tmp_path / "f.age", [key_texts.recipient(str(theirs.to_public()))], flush=False)
    assert pyrage.decrypt((tmp_path / "f.age").read_bytes(), [theirs]) == plain
    (tmp_path / "g.age").write_bytes(pyrage.encrypt(plain, [theirs.to_public()], armored=True))
    assert opened(tmp_path / "g.age", key_texts.identities(str(theirs).encode(), "key")) == plain
    write_age(tmp_path / "plain", tmp_path / "h.age", [PassphraseRecipient("correct horse")], armor=True, flush=False)
    assert pyrage.passphrase.decrypt((tmp_path / "h.age").read_bytes(), "correct horse") == plain


@pytest.mark.skipif(shutil.which("age") is None, reason="the age command is not installed")
@pytest.mark.parametrize("armor", [False, True])
def test_the_age_command_reads_ours_and_we_read_its(armor, pair, tmp_path):
    plain = os.urandom(300_000)
    (tmp_path / "plain").write_bytes(plain)
    (tmp_path / "key").write_text(age_keys.encode_identity(pair.private) + "\n")
    write_age(tmp_path / "plain", tmp_path / "f.age", [pair.recipient], armor=armor, flush=False)
    done = subprocess.run(["age", "-d", "-i", tmp_path / "key", tmp_path / "f.age"], capture_output=True, check=True)
    assert done.stdout == plain
    arguments = ["age", "-r", age_keys.encode_recipient(pair.public), *(["-a"] if armor else [])]
    subprocess.run([*arguments, "-o", tmp_path / "g.age", tmp_path / "plain"], check=True)
    assert opened(tmp_path / "g.age", [pair.identity]) == plain


def test_white_space_around_armor_has_a_limit():
    assert age_armor.is_armored(b" \r\n\t" + age_armor.BEGIN)
    rest = [b"\n" * 2000 + age_armor.BEGIN + b"\n" + age_armor.END]
    with pytest.raises(ArmorError):
        ArmorReader(lambda count: rest.pop() if rest else b"")
