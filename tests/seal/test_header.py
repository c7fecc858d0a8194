"""A header has one spelling; everything else is refused, quickly and with a code."""

from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardapp.errors import GuardError
from guardapp.seal import header
from guardapp.seal.stanzas import Stanza

KEY = bytes(range(32))
PRINTABLE = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=20)
KINDS = PRINTABLE.filter(lambda text: text != "content")
STANZAS = st.lists(
    st.builds(Stanza, KINDS, st.lists(PRINTABLE, max_size=3).map(tuple), st.binary(max_size=200)), max_size=5
)


def lines(*middle: bytes) -> bytes:
    return b"\n".join([b"guard-sealed/1", b"-> content file", b"", *middle, b"--- " + b"A" * 43]) + b"\n"


@given(st.sampled_from(["safetensors", "file"]), STANZAS)
def test_what_is_written_is_read_back(content, stanzas):
    written = header.write(content, stanzas, KEY)
    read = header.read(written + b"payload", "x")
    assert (read.content, list(read.stanzas), read.nbytes) == (content, stanzas, len(written))
    header.check_mac(read, KEY, "x")


def test_a_body_of_48_bytes_is_one_full_line_and_one_empty_one():
    written = header.write("file", [Stanza("X25519", ("a",), bytes(48))], KEY).split(b"\n")
    assert written[3:6] == [b"-> X25519 a", b"A" * 64, b""]


def test_an_empty_body_is_one_empty_line():
    assert header.write("safetensors", [], KEY).split(b"\n")[1:3] == [b"-> content safetensors", b""]


def test_another_file_key_does_not_vouch_for_the_header():
    read = header.read(header.write("file", [], KEY), "x")
    with pytest.raises(GuardError) as error:
        header.check_mac(read, os.urandom(32), "x")
    assert error.value.code == "sealed.header-mac"


HOSTILE = {
    "CRLF": lines().replace(b"\n", b"\r\n"),
    "CRLF after the version": lines().replace(b"-> content file\n", b"-> content file\r\n"),
    "padded base64": lines(b"-> X a", b"AAA="),
    "base64 with bits to spare": lines(b"-> X a", b"AB"),
    "base64 of the other alphabet": lines(b"-> X a", b"A_-A"),
    "a space in base64": lines(b"-> X a", b"AA AA"),
    "one column of base64": lines(b"-> X a", b"A"),
    "a line of 65 columns": lines(b"-> X a", b"A" * 65, b""),
    "a body without its short line": lines(b"-> X a", b"A" * 64),
    "no arguments": lines(b"->", b""),
    "an empty argument": lines(b"-> X  a", b""),
    "a space at the end": lines(b"-> X ", b""),
    "a tab": lines(b"-> X\ta", b""),
    "an argument beyond ASCII": lines("-> X ü".encode(), b""),
    "another bullet": lines(b"=> X a", b""),
    "a second content stanza": lines(b"-> content file", b""),
    "a content stanza that comes second": b"guard-sealed/1\n-> X a\n\n-> content file\n\n--- " + b"A" * 43 + b"\n",
    "content with a body": lines().replace(b"file\n\n", b"file\nAAAA\n"),
    "content of an unknown kind": lines().replace(b"content file", b"content folder"),
    "content with two arguments": lines().replace(b"content file", b"content file x"),
    "no stanza": b"guard-sealed/1\n--- " + b"A" * 43 + b"\n",
    "a MAC that is too short": lines().replace(b"A" * 43, b"A" * 42),
    "a MAC with bits to spare": lines().replace(b"A" * 43, b"A" * 42 + b"B"),
    "a MAC with padding": lines().replace(b"A" * 43, b"A" * 43 + b"="),
    "no MAC": lines().replace(b" " + b"A" * 43, b""),
    "two spaces before the MAC": lines().replace(b"--- ", b"---  "),
    "no end": lines()[:-1],
    "1,001 stanzas": lines(*[b"-> X a", b""] * 1000),
    "2 MiB": lines(b"-> X a", *[b"A" * 64] * 33_000, b""),
    "an argument of 2 MiB": lines(b"-> X " + b"a" * (2 << 20), b""),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_header_that_no_writer_makes_is_refused(name):
    with pytest.raises(GuardError) as error:
        header.read(HOSTILE[name], "x")
    assert error.value.code in ("sealed.header", "sealed.not-sealed")


def test_1000_stanzas_are_read():
    assert len(header.read(lines(*[b"-> X a", b""] * 999), "x").stanzas) == 999


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "sealed.not-sealed"),
        (b"PK\x03\x04", "sealed.not-sealed"),
        (b"guard-sealed/1", "sealed.not-sealed"),
        (b"guard-sealed/2\n", "sealed.version"),
        (b"age-encryption.org/v1\n-> X25519 a\n", "sealed.age"),
        (b"-----BEGIN AGE ENCRYPTED FILE-----\n", "sealed.age"),
    ],
)
def test_what_is_no_sealed_file_is_told_apart(data, code):
    with pytest.raises(GuardError) as error:
        header.read(data, "x")
    assert error.value.code == code


def test_a_writer_keeps_to_the_reader_s_limits():
    with pytest.raises(GuardError) as error:
        header.write("file", [Stanza("X", (), b"")] * 1000, KEY)
    assert error.value.code == "sealed.too-many-recipients"


@given(st.binary(max_size=300))
def test_rubbish_is_refused_with_a_code(data):
    with pytest.raises(GuardError):
        header.read(b"guard-sealed/1\n" + data, "x")
