"""What was sealed comes back to the byte; what was changed is refused, names what was hit, and leaves nothing."""

from __future__ import annotations

import os
import random
import re
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from hypothesis import given, settings
from hypothesis import strategies as st

from guardapp.errors import GuardError
from guardapp.formats import whole_file
from guardapp.formats.safetensors import read_layout
from guardapp.seal import positioned
from guardapp.seal.damage import Hit
from guardapp.seal.payload import HEAD, SEGMENT, TAG
from guardapp.seal.recipients import PassphraseRecipient, RsaIdentity, RsaRecipient
from guardapp.seal.sealed import open_sealed, open_to_file, verify_sealed, write_sealed

FIRST = SEGMENT - TAG - HEAD
BORDERS = st.builds(lambda n, d: max(0, FIRST + n * (SEGMENT - TAG) + d), st.integers(0, 9), st.integers(-1, 1))


@settings(max_examples=30)
@given(nbytes=st.one_of(st.just(0), st.just(1), st.integers(0, 5000), BORDERS), seed=st.integers(0, 2**32))
def test_what_is_sealed_opens_to_the_same_bytes(nbytes, seed, tmp_path, pair):
    plain = random.Random(seed).randbytes(nbytes)
    source, sealed, opened = tmp_path / "a", tmp_path / "a.sealed", tmp_path / "b"
    source.write_bytes(plain)
    written = write_sealed(source, sealed, [pair.recipient], flush=False)
    assert verify_sealed(sealed, [pair.identity], sha256=written.sha256).nbytes == nbytes
    open_to_file(sealed, opened, [pair.identity], flush=False)
    assert opened.read_bytes() == plain
    for path in (sealed, opened):
        path.unlink()


def test_any_mix_of_recipients_opens_the_same_file(tmp_path, pair, stranger):
    key = rsa.generate_private_key(65537, 3072)
    (tmp_path / "a").write_bytes(b"data")
    recipients = [stranger.recipient, RsaRecipient(key.public_key()), PassphraseRecipient("word"), pair.recipient]
    write_sealed(tmp_path / "a", tmp_path / "s", recipients)
    for identity in (pair.identity, stranger.identity, RsaIdentity(key)):
        with open_sealed(tmp_path / "s", [identity]) as sealed:
            assert sealed.read(0, 4) == b"data"


def test_a_wrong_key_is_told_for_whom_the_file_is(sealed_checkpoint, stranger, tmp_path):
    with pytest.raises(GuardError) as error:
        open_to_file(sealed_checkpoint.path, tmp_path / "out", [stranger.identity])
    assert error.value.code == "sealed.no-key"
    assert "an age key (X25519)" in error.value.why
    assert error.value.exit_code == 2
    assert not (tmp_path / "out").exists()


# --- changes


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def refused(path: Path, pair) -> GuardError:
    """The error of verifying, after making sure that opening refuses too and leaves nothing."""
    before = sorted(path.parent.iterdir())
    with pytest.raises(GuardError) as opening:
        open_to_file(path, path.parent / "out", [pair.identity])
    assert sorted(path.parent.iterdir()) == before
    with pytest.raises(GuardError) as verifying:
        verify_sealed(path, [pair.identity])
    assert opening.value.code == verifying.value.code
    return verifying.value


def test_any_flipped_bit_of_the_header_is_refused(seal_bytes, pair):
    path = seal_bytes(b"content")
    whole = path.read_bytes()
    header = whole.index(b"\n--- ") + 5 + 44
    for bit in range(8 * header):
        changed = bytearray(whole)
        changed[bit // 8] ^= 1 << bit % 8
        path.write_bytes(changed)
        with pytest.raises(GuardError):
            verify_sealed(path, [pair.identity])


def test_any_flipped_bit_of_a_short_payload_is_refused(seal_bytes, pair):
    path = seal_bytes(b"content")
    whole = path.read_bytes()
    for bit in range(8 * (whole.index(b"\n--- ") + 49), 8 * len(whole)):
        changed = bytearray(whole)
        changed[bit // 8] ^= 1 << bit % 8
        path.write_bytes(changed)
        with pytest.raises(GuardError):
            verify_sealed(path, [pair.identity])


def hit_by(checkpoint, begin: int, end: int) -> set[str]:
    """Names of the tensors with bytes in a range of the plaintext, from the reference library's own header reader."""
    import json

    length = int.from_bytes(checkpoint.plain[:8], "little")
    entries = json.loads(checkpoint.plain[8 : 8 + length])
    entries.pop("__metadata__", None)
    places = {name: [8 + length + offset for offset in entry["data_offsets"]] for name, entry in entries.items()}
    return {name for name, (first, last) in places.items() if first < end and begin < last}


def named(error: GuardError) -> set[str]:
    """The tensors that a refusal names."""
    return set(re.split("the tensors? ", error.why)[1].split(", "))


def test_a_flipped_bit_names_the_tensors_and_the_bytes_of_its_segment(sealed_checkpoint, pair):
    path = sealed_checkpoint.path
    whole = path.read_bytes()
    start = len(whole) - (HEAD + len(sealed_checkpoint.plain) + 4 * TAG)
    generator = random.Random(5)
    for position in [start + HEAD + 500, *(generator.randrange(start + SEGMENT, len(whole)) for _ in range(20))]:
        changed = bytearray(whole)
        changed[position] ^= 1 << generator.randrange(8)
        path.write_bytes(changed)
        error = refused(path, pair)
        assert error.code == "sealed.segment"
        assert error.exit_code == 1
        segment = (position - start) // SEGMENT
        assert f"segment {segment + 1} of 4" in error.why
        begin = max(0, segment * (SEGMENT - TAG) - HEAD)
        if segment == 0:
            assert "the list of tensors itself" in error.why
        else:
            hit = hit_by(sealed_checkpoint, begin, (segment + 1) * (SEGMENT - TAG) - HEAD)
            place = start + segment * SEGMENT, min(start + (segment + 1) * SEGMENT, len(whole))
            assert f"(bytes {place[0]}–{place[1] - 1} of the file)" in error.why
            assert named(error) == hit
            assert set(error.hits) == {Hit(name, *place) for name in hit}


def test_a_file_cut_at_every_border_and_beside_it_is_refused(sealed_checkpoint, pair):
    path = sealed_checkpoint.path
    whole = path.read_bytes()
    start = len(whole) - (HEAD + len(sealed_checkpoint.plain) + 4 * TAG)
    borders = [start, start + HEAD, start + HEAD + TAG, *(start + n * SEGMENT for n in (1, 2, 3)), len(whole)]
    for length in sorted({border + d for border in borders for d in (-17, -16, -15, -1, 0, 1, 15, 16, 17)}):
        if length >= len(whole):
            continue
        path.write_bytes(whole[:length])
        error = refused(path, pair)
        within_first = start + HEAD + TAG <= length < start + SEGMENT
        if within_first:
            assert (error.code, "the end of the file is missing" in error.why) == ("sealed.segment", True)
        else:
            assert error.code in ("sealed.header", "sealed.truncated")
        if length >= start + SEGMENT:
            kept = (length - start) // SEGMENT * (SEGMENT - TAG) - HEAD
            if length >= start + 3 * SEGMENT + TAG + 1:
                assert named(error) == hit_by(sealed_checkpoint, kept, len(sealed_checkpoint.plain))
            assert named(error)


def test_a_cut_file_of_any_bytes_is_said_to_be_cut(seal_bytes, pair):
    path = seal_bytes(os.urandom(3 * SEGMENT))
    whole = path.read_bytes()
    start = len(whole) - (HEAD + 3 * SEGMENT + 4 * TAG)
    path.write_bytes(whole[: start + 2 * SEGMENT])
    assert refused(path, pair).code == "sealed.truncated"
    with pytest.raises(GuardError) as error:
        open_sealed(path, [pair.identity])
    assert error.value.code == "sealed.truncated"


def said_of_added(count: int) -> str:
    return "1 byte was added after its end" if count == 1 else f"{count} bytes were added after its end"


@pytest.mark.parametrize("added", [1, 15, 16, 17, SEGMENT, SEGMENT + 1])
def test_appended_bytes_are_refused(added, sealed_checkpoint, pair):
    with sealed_checkpoint.path.open("ab") as file:
        file.write(os.urandom(added))
    error = refused(sealed_checkpoint.path, pair)
    assert (error.code, error.why) == ("sealed.appended", said_of_added(added))


@pytest.mark.parametrize("added", [16, SEGMENT, 3 * SEGMENT])
def test_bytes_appended_to_any_content_are_refused(added, seal_bytes, pair):
    path = seal_bytes(os.urandom(FIRST + SEGMENT - TAG))
    with path.open("ab") as file:
        file.write(os.urandom(added))
    error = refused(path, pair)
    assert (error.code, error.why) == ("sealed.appended", said_of_added(added))


def test_swapped_and_repeated_segments_are_refused(sealed_checkpoint, pair):
    path = sealed_checkpoint.path
    whole = path.read_bytes()
    start = len(whole) - (HEAD + len(sealed_checkpoint.plain) + 4 * TAG)
    one, two = slice(start + SEGMENT, start + 2 * SEGMENT), slice(start + 2 * SEGMENT, start + 3 * SEGMENT)
    swapped = whole[: one.start] + whole[two] + whole[one] + whole[two.stop :]
    path.write_bytes(swapped)
    error = refused(path, pair)
    assert error.code == "sealed.segment"
    assert "2 of 4 segments" in error.why
    path.write_bytes(whole[: one.start] + whole[two] + whole[two] + whole[two.stop :])
    assert refused(path, pair).code == "sealed.segment"
    path.write_bytes(whole[: one.start] + whole[one.stop :])
    assert refused(path, pair).code == "sealed.truncated"


def test_a_segment_of_another_file_is_refused(seal_bytes, pair):
    data = os.urandom(3 * SEGMENT)
    one, other = seal_bytes(data, "one"), seal_bytes(data, "other")
    mixed, donor = bytearray(one.read_bytes()), other.read_bytes()
    place = slice(len(mixed) - 2 * SEGMENT, len(mixed) - SEGMENT)
    mixed[place] = donor[place]
    one.write_bytes(mixed)
    assert refused(one, pair).code == "sealed.segment"


def test_verifying_against_another_hash_says_so(sealed_checkpoint, pair):
    with pytest.raises(GuardError) as error:
        verify_sealed(sealed_checkpoint.path, [pair.identity], sha256="00" * 32)
    assert error.value.code == "sealed.other-content"


# --- failing, and leaving nothing


def test_an_existing_file_is_never_overwritten(tmp_path, pair):
    (tmp_path / "a").write_bytes(b"x")
    (tmp_path / "s").write_bytes(b"precious")
    with pytest.raises(GuardError) as error:
        write_sealed(tmp_path / "a", tmp_path / "s", [pair.recipient])
    assert error.value.code == "output.exists"
    assert (tmp_path / "s").read_bytes() == b"precious"


class Changing:
    """A file that is written to while it is sealed."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __call__(self, _: int) -> None:
        with self.path.open("ab") as file:
            file.write(b"more")


def test_an_input_that_changes_while_it_is_sealed_is_refused(tmp_path, pair):
    source = tmp_path / "a"
    source.write_bytes(os.urandom(9 * SEGMENT))
    with pytest.raises(GuardError) as error:
        write_sealed(source, tmp_path / "s", [pair.recipient], on_bytes=Changing(source))
    assert error.value.code == "input.changed"
    assert names(tmp_path) == ["a"]


def test_an_input_that_shrinks_while_it_is_sealed_is_refused(tmp_path, pair):
    source = tmp_path / "a"
    source.write_bytes(os.urandom(40 * SEGMENT))
    with pytest.raises(GuardError) as error:
        write_sealed(source, tmp_path / "s", [pair.recipient], on_bytes=lambda _: os.truncate(source, 5))
    assert error.value.code == "input.changed"
    assert names(tmp_path) == ["a"]


def test_what_is_not_read_back_as_written_is_not_kept(tmp_path, pair):
    """The disk returns something else: the source differs at the second reading, as memory that fails would."""

    class Fickle:
        nbytes = 100
        readings = 0

        def read_into(self, view: memoryview, offset: int) -> None:
            self.readings += 1
            view[:] = bytes([self.readings]) * len(view)

        def check_unchanged(self) -> None: ...

    with pytest.raises(GuardError) as error:
        write_sealed(Fickle(), tmp_path / "s", [pair.recipient], content="file")
    assert error.value.code == "sealed.not-as-written"
    assert not names(tmp_path)


def test_a_deleted_input_and_a_missing_folder_are_the_system_s_errors(tmp_path, pair):
    with pytest.raises(FileNotFoundError):
        write_sealed(tmp_path / "gone", tmp_path / "s", [pair.recipient])
    (tmp_path / "a").write_bytes(b"x")
    with pytest.raises(FileNotFoundError):
        write_sealed(tmp_path / "a", tmp_path / "nowhere" / "s", [pair.recipient])


@pytest.fixture
def small_disk(tmp_path: Path):
    """4 MiB of room."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if os.geteuid() != 0 or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", folder]).returncode:
        pytest.skip("a small disk can only be mounted by root")
    yield folder
    subprocess.run(["umount", folder], check=True)


def test_a_full_disk_leaves_nothing(small_disk, tmp_path, pair):
    source = tmp_path / "a"
    source.write_bytes(os.urandom(8 << 20))
    with pytest.raises(OSError, match="space"):
        write_sealed(source, small_disk / "s", [pair.recipient])
    sealed = tmp_path / "s"
    write_sealed(source, sealed, [pair.recipient], flush=False)
    with pytest.raises(OSError, match="space"):
        open_to_file(sealed, small_disk / "out", [pair.identity])
    assert not names(small_disk)
    assert os.statvfs(small_disk).f_bavail == os.statvfs(small_disk).f_blocks


def test_a_read_only_folder_is_refused(small_disk, tmp_path, pair):
    (tmp_path / "a").write_bytes(b"x")
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    with pytest.raises(OSError, match="ead-only"):
        write_sealed(tmp_path / "a", small_disk / "s", [pair.recipient])


OPENER = """
import sys, time
from pathlib import Path
from guardapp.seal.recipients import X25519Identity
from guardapp.seal.sealed import open_to_file
def slowly(_):
    print("running", flush=True)
    time.sleep(0.3)
keys = [X25519Identity(bytes.fromhex(sys.stdin.readline()))]
open_to_file(Path(sys.argv[1]), Path(sys.argv[2]), keys, on_bytes=slowly)
"""


def child(script: str, *arguments: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", script, *map(str, arguments)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


def test_a_kill_in_the_midst_of_opening_leaves_nothing(seal_bytes, pair, tmp_path):
    path = seal_bytes(os.urandom(40 * SEGMENT))
    with child(OPENER, path, tmp_path / "out") as process:
        assert process.stdin and process.stdout
        process.stdin.write(pair.private.hex() + "\n")
        process.stdin.flush()
        assert process.stdout.readline() == "running\n"
        process.kill()
    assert names(tmp_path) == [path.name]


def test_where_unfinished_files_have_names_they_go_on_failure_and_with_the_next_writer(
    seal_bytes, pair, tmp_path, monkeypatch
):
    path = seal_bytes(b"content")
    monkeypatch.delattr(os, "O_TMPFILE")
    dead = tmp_path / f".guardapp-part-{_unused_pid()}-{'0' * 16}"
    dead.write_bytes(b"plaintext of a killed process")
    living = tmp_path / f".guardapp-part-{os.getpid()}-{'0' * 16}"
    living.write_bytes(b"another thread's")
    open_to_file(path, tmp_path / "out", [pair.identity])
    assert (tmp_path / "out").read_bytes() == b"content"
    assert not dead.exists() and living.exists()
    living.unlink()
    damaged = bytearray(path.read_bytes())
    damaged[-1] ^= 1
    path.write_bytes(damaged)
    (tmp_path / "out").unlink()
    refused(path, pair)
    assert names(tmp_path) == [path.name]


def _unused_pid() -> int:
    return next(pid for pid in range(4_000_000, 5_000_000) if not psutil.pid_exists(pid))


def test_systems_without_positioned_calls_seal_and_open_the_same(tmp_path, pair, monkeypatch):
    for name in ("preadv", "pread", "pwrite"):
        monkeypatch.delattr(positioned.os, name)
    plain = os.urandom(6 * SEGMENT + 5)
    (tmp_path / "a").write_bytes(plain)
    write_sealed(tmp_path / "a", tmp_path / "s", [pair.recipient])
    open_to_file(tmp_path / "s", tmp_path / "out", [pair.identity])
    assert (tmp_path / "out").read_bytes() == plain


def test_the_map_of_a_checkpoint_is_the_reference_reader_s(sealed_checkpoint):
    plain = sealed_checkpoint.plain
    layout = read_layout(lambda offset, length: plain[offset : offset + length], len(plain), "x")
    for tensor in layout.tensors:
        assert plain[tensor.begin : tensor.begin + tensor.nbytes] == sealed_checkpoint.tensors[tensor.name].tobytes()


def test_whole_file_needs_no_sweep_where_files_have_no_name(tmp_path):
    with whole_file.WholeFile(tmp_path / "x") as file:
        os.write(file.fd, b"1")
        if hasattr(os, "O_TMPFILE"):
            assert not names(tmp_path)
        file.commit()
    assert (tmp_path / "x").read_bytes() == b"1"
