"""JSON by the C code alone is JSON by the public module, in all that an agent may meet."""

import json
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleetpush.lean import KNOWN_PYTHON, c_json, public_json

pytestmark = pytest.mark.skipif(not KNOWN_PYTHON, reason="the public module is used on this Python")

values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text()
    | st.sampled_from(["\udc80", "\x00", '"\\/\n\u2028']),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)
BAD = [b"", b"{", b"[1,", b"{} {}", b'{"a" 1}', b"nul", b"'a'", b'"\x01"', b"\xff", b"[" * 100_000]


@given(values, st.booleans())
def test_both_write_the_same_bytes_and_read_them_back(value, sort_keys):
    written = c_json.dumps(value, sort_keys=sort_keys)
    assert written == public_json.dumps(value, sort_keys=sort_keys)
    assert c_json.loads(written) == value


@given(values)
def test_white_space_is_read_over(value):
    assert c_json.loads(b" \n\t" + json.dumps(value, indent=2).encode() + b"\r\n") == value


@given(st.binary() | st.text(alphabet='[]{}":,.0123456789eE-+ntruefalsN I\\').map(str.encode))
def test_both_read_the_same_and_refuse_the_same(data):
    assert outcome(c_json.loads, data) == outcome(public_json.loads, data)


@pytest.mark.parametrize("data", BAD, ids=lambda d: repr(d[:10]))
def test_what_is_no_json_is_refused_in_a_fresh_interpreter(data):
    """There nobody has imported the public module yet, whose exceptions the C code looks for."""
    program = """
import sys
from fleetpush.lean import c_json
assert "json" not in sys.modules
try:
    c_json.loads(sys.stdin.buffer.read())
except (ValueError, RecursionError):
    print("refused")
"""
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, input=data, capture_output=True, check=False)
    assert done.stdout.split() == [b"refused"], done.stderr


def test_what_json_has_no_words_for_is_refused():
    with pytest.raises(TypeError, match="set"):
        c_json.dumps({"a": {1}})


def outcome(loads, data):
    try:
        return repr(loads(data))
    except (ValueError, RecursionError) as error:
        return type(error).__name__
