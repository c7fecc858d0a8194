"""The supervisor trusts nothing that a worker says."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardapp.jobs.frames import MOST_BYTES, BadFrame, LogFrame, MetricFrame, decode, encode, plain

json_values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text() | st.integers(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
)


@given(st.binary(max_size=300))
def test_no_bytes_break_the_reader(line):
    with pytest.raises(BadFrame):
        decode(line)


@given(st.sampled_from(["hello", "progress", "metric", "log", "facts", "done", "error", "x"]), json_values, json_values)
def test_no_fields_break_the_reader(kind, one, two):
    line = json.dumps({"type": kind, "series": one, "lines": two, "values": one, "result": two, "stage": one}).encode()
    with pytest.raises(BadFrame):
        decode(line)


@pytest.mark.parametrize(
    "line",
    [
        b'{"type":"progress","stage":"x","done":NaN}',
        b'{"type":"progress","stage":"x","done":"1"}',
        b'{"type":"done","result":{"a":Infinity}}',
        b'{"type":"hello","v":2,"pid":1,"app":"x"}',
        b'{"type":"facts","values":{"a":' + b"[" * 500 + b"]" * 500 + b"}}",
        b'{"type":"log","lines":[["' + b"a" * MOST_BYTES + b'","info"]]}',
        b"null",
    ],
)
def test_lines_that_almost_fit_are_refused(line):
    with pytest.raises(BadFrame):
        decode(line)


def test_a_refusal_never_quotes_what_was_sent():
    with pytest.raises(BadFrame) as error:
        decode(b'{"type":"progress","stage":["MARKER"],"done":"MARKER"}')
    assert "MARKER" not in str(error.value)


@given(st.dictionaries(st.text(), json_values, max_size=3))
def test_what_is_made_plain_is_json(values):
    made = plain(values)
    assert json.loads(json.dumps(made, allow_nan=False)) == made


def test_frames_survive_the_way():
    for frame in (MetricFrame(series={"a": [(1.0, 2.5), (2.0, None)]}), LogFrame(lines=[("“你好”", "info")])):
        assert decode(encode(frame)) == frame
