"""Nothing that a host says can drive the operator's terminal."""

import json
import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleetpush.report.sanitise import clean, printable_json, shorten


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
        ("::add-mask::x", ":\\x3aadd-mask::x"),
        (" \n ::error title=a::b", ":\\x3aerror title=a::b"),
        ("see ##[error]x and ##vso[task]y", "see #\\x23[error]x and #\\x23vso[task]y"),
        ("::1 refused", "::1 refused"),
        ("use ::error:: or ## or #[", "use ::error:: or ## or #["),
    ],
)
def test_escapes_are_spelled_out_and_words_are_kept(raw, shown):
    assert clean(raw) == shown


STARTS = st.sampled_from(
    ["::error::", " ::set-env name=a::", "##[add-path]", "###[x]", "\t::A::", "##"]
)


@given(st.lists(st.one_of(STARTS, st.text(st.characters(), max_size=5)), max_size=6).map("".join))
def test_nothing_that_is_printed_is_a_command_to_who_runs_a_pipeline(text):
    line = f"      {clean(text)}".lstrip()
    assert not re.match(r"::[a-zA-Z][^:]*::", line)
    assert "##[" not in line
    assert clean(clean(text)) == clean(text)


@given(st.dictionaries(st.text(), st.text(st.sampled_from('#[\\"u')), max_size=3))
def test_json_says_the_same_without_commands(document):
    text = printable_json(json.dumps(document))
    assert json.loads(text) == document
    assert "##" not in text


def test_shortened_text_says_so():
    assert shorten("abcdef", 4) == "abc…"
    assert shorten("abc", 4) == "abc"
    assert shorten("abc", 0) == ""
