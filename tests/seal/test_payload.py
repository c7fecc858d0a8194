"""Segments lie where the format says, and the payload is Tink's to the byte."""

from __future__ import annotations

import io
import os
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardapp.seal import payload
from guardapp.seal.payload import HEAD, SEGMENT, TAG, Cipher, Geometry, in_batches, measure

BORDER = SEGMENT - TAG
SIZES = st.one_of(
    st.integers(0, 200),
    st.builds(lambda n, d: max(0, n * BORDER - HEAD + d), st.integers(0, 9), st.integers(-2, 2)),
    st.integers(0, 1 << 44),
)


@given(SIZES, st.integers(0, 5000))
def test_the_segments_cover_the_plaintext_and_the_file_once(nbytes, start):
    geometry = Geometry(start, nbytes)
    last = geometry.segments - 1
    for segment in {0, 1, last // 2, last - 1, last} & set(range(last + 1)):
        begin, length = geometry.plain(segment)
        place, size = geometry.cipher(segment)
        assert size == length + TAG
        assert place == start + (HEAD if segment == 0 else segment * SEGMENT)
        assert length == BORDER - (HEAD if segment == 0 else 0) or segment == last
        if length:
            assert geometry.at(begin) == geometry.at(begin + length - 1) == segment
        if segment < last:
            assert geometry.plain(segment + 1)[0] == begin + length
    assert sum(geometry.plain(last)) == nbytes
    assert sum(geometry.cipher(last)) == geometry.file_bytes


@given(SIZES, st.integers(0, 5000))
def test_the_geometry_is_found_again_from_the_size_of_the_file(nbytes, start):
    geometry = Geometry(start, nbytes)
    assert measure(start, geometry.file_bytes) == geometry


@pytest.mark.parametrize("payload_bytes", [0, 1, 39, 40, 55, SEGMENT + 1, SEGMENT + 15, SEGMENT + 16, 2 * SEGMENT + 16])
def test_lengths_that_no_writer_makes_have_no_geometry(payload_bytes):
    assert measure(100, 100 + payload_bytes) is None


def sealed_by_us(key: bytes, plain: bytes) -> bytes:
    geometry = Geometry(0, len(plain))
    head = payload.new_head()
    cipher = Cipher(key, head)
    out = bytearray(geometry.file_bytes)
    out[:HEAD] = head
    for segment in range(geometry.segments):
        begin, length = geometry.plain(segment)
        place, size = geometry.cipher(segment)
        last = segment == geometry.segments - 1
        cipher.seal(segment, last, memoryview(plain)[begin : begin + length], memoryview(out)[place : place + size])
    return bytes(out)


@pytest.fixture
def tink_streaming():
    """Tink's own AES256_GCM_HKDF_1MB with a raw key."""
    pytest.importorskip("tink")
    import tink
    from tink import cleartext_keyset_handle, streaming_aead
    from tink.proto import aes_gcm_hkdf_streaming_pb2, common_pb2, tink_pb2

    streaming_aead.register()

    def primitive(key: bytes):
        params = aes_gcm_hkdf_streaming_pb2.AesGcmHkdfStreamingParams(
            ciphertext_segment_size=SEGMENT, derived_key_size=32, hkdf_hash_type=common_pb2.SHA256
        )
        value = aes_gcm_hkdf_streaming_pb2.AesGcmHkdfStreamingKey(version=0, key_value=key, params=params)
        keyset = tink_pb2.Keyset(primary_key_id=1)
        entry = keyset.key.add(status=tink_pb2.ENABLED, key_id=1, output_prefix_type=tink_pb2.RAW)
        entry.key_data.type_url = "type.googleapis.com/google.crypto.tink.AesGcmHkdfStreamingKey"
        entry.key_data.value = value.SerializeToString()
        entry.key_data.key_material_type = tink_pb2.KeyData.SYMMETRIC
        handle = cleartext_keyset_handle.read(tink.BinaryKeysetReader(keyset.SerializeToString()))
        return handle.primitive(streaming_aead.StreamingAead)

    return primitive


TINK_SIZES = [0, 1, BORDER - HEAD - 1, BORDER - HEAD, BORDER - HEAD + 1, 2 * BORDER - HEAD, 2 * BORDER - HEAD + 1]


@pytest.mark.parametrize("nbytes", TINK_SIZES)
def test_tink_opens_our_payload(nbytes, tink_streaming):
    key, plain = os.urandom(32), os.urandom(nbytes)
    source = io.BytesIO(sealed_by_us(key, plain))
    with tink_streaming(key).new_decrypting_stream(source, b"guard-sealed/1/payload") as stream:
        assert stream.read() == plain


@pytest.mark.parametrize("nbytes", TINK_SIZES)
def test_we_open_tink_s_payload(nbytes, tink_streaming):
    key, plain = os.urandom(32), os.urandom(nbytes)
    target = Kept()
    with tink_streaming(key).new_encrypting_stream(target, b"guard-sealed/1/payload") as stream:
        stream.write(plain)
    sealed = target.kept
    geometry = measure(0, len(sealed))
    assert geometry is not None and geometry.nbytes == nbytes
    cipher, opened = Cipher(key, sealed[:HEAD]), bytearray(nbytes)
    for segment in range(geometry.segments):
        begin, length = geometry.plain(segment)
        place, size = geometry.cipher(segment)
        piece = memoryview(sealed)[place : place + size]
        last = segment == geometry.segments - 1
        assert cipher.open(segment, last, piece, memoryview(opened)[begin : begin + length])
    assert opened == plain


class Kept(io.BytesIO):
    """Keeps what was written when Tink closes it."""

    kept = b""

    def close(self) -> None:
        self.kept = self.getvalue()
        super().close()


def test_a_wish_to_stop_ends_the_threads():
    class Stop(Exception):
        pass

    def stop(_: int) -> None:
        raise Stop

    done: list[range] = []

    def work(segments: range, buffers: payload.Buffers) -> int:
        done.append(segments)
        time.sleep(0.001)
        return 1

    with pytest.raises(Stop):
        in_batches(10_000_000, work, stop)
    assert len(done) < 100_000


def test_the_first_error_of_a_thread_is_raised_when_all_have_ended():
    def fail(segments: range, buffers: payload.Buffers) -> int:
        raise OSError(28, "full")

    with pytest.raises(OSError, match="full"):
        in_batches(1000, fail, None)
