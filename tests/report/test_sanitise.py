"""Nothing that a host says can drive the operator's terminal."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleetpush.report.sanitise import clean, shorten


@given(st.text(st.characters()))
def test_what_is_left_are_glyphs_on_one_line(text):
    shown = clean(text)
    assert all(unicodedata.category(character)[0] != "C" for character in shown)
    assert len(shown.splitlines()) <= 1


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("\x1b[2J", "\\x1b[2J"),
        ("a\x9b31m", "a\\x9b31m"),
        ("abc\u202edef", "abc\\u202edef"),
        ("zero\u200bwidth", "zero\\u200bwidth"),
        ("file-\udcff", "file-\\udcff"),
        ("one\r\ntwo\n", "one; two"),
        ("a\tb", "a b"),
        ("Grüße, 世界", "Grüße, 世界"),
    ],
)
def test_escapes_are_spelled_out_and_words_are_kept(raw, shown):
    assert clean(raw) == shown


def test_shortened_text_says_so():
    assert shorten("abcdef", 4) == "abc…"
    assert shorten("abc", 4) == "abc"
    assert shorten("abc", 0) == ""
