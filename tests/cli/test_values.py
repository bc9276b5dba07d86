"""What flags take is what rsync and people mean, and a typing error says what would do."""

import contextlib
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleetpush.cli import values


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0", 0),
        ("65536", 65536),
        ("1k", 1024),
        ("1K", 1024),
        ("1KiB", 1024),
        ("1kb", 1000),
        ("1.5m", 1_572_864),
        (".5G", 512 << 20),
        ("2GB", 2_000_000_000),
        ("3T", 3 << 40),
        ("10b", 10),
    ],
)
def test_sizes_are_rsyncs(text, expected):
    assert values.size(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [("100", 102_400), ("1.5m", 1_572_864), ("125MB/s", 125_000_000), ("0", None), ("1", 1024)],
)
def test_a_bare_rate_is_in_kib_and_0_is_no_limit(text, expected):
    assert values.rate(text) == expected


@pytest.mark.parametrize("text", ["10Mbit", "1gbps", "fast", "-1", "", "1b", "K", "1..5M", "5 M"])
def test_a_rate_that_is_none_is_refused_by_name(text):
    with pytest.raises(ValueError, match=re.escape(repr(text))):
        values.rate(text)


@pytest.mark.parametrize("text", ["63K", "1025M", "1MB", "x", "iB"])
def test_chunks_are_whole_blocks_between_64_kib_and_1_gib(text):
    with pytest.raises(ValueError, match=re.escape(repr(text))):
        values.chunk_size(text)
    assert values.chunk_size("64K") == 65536
    assert values.chunk_size("1G") == 1 << 30


def test_a_chunk_size_that_does_not_fit_names_those_that_do():
    with pytest.raises(ValueError, match="960K or 1024K"):
        values.chunk_size("1MB")


@pytest.mark.parametrize(
    ("text", "expected"),
    [("60s", 60), ("10m", 600), ("1h30m", 5400), ("500ms", 0.5), ("2d", 172_800), ("1.5", 1.5)],
)
def test_durations(text, expected):
    assert values.duration(text) == pytest.approx(expected)


@given(hours=st.integers(0, 99), minutes=st.integers(0, 59), seconds=st.integers(0, 59))
def test_a_duration_is_the_sum_of_its_parts(hours, minutes, seconds):
    text = f"{hours}h{minutes}m{seconds}s"
    assert values.duration(text) == hours * 3600 + minutes * 60 + seconds


@pytest.mark.parametrize("text", ["", "1x", "m", "-5s", "1h 30m", "nan", "inf"])
def test_other_durations_are_refused(text):
    with pytest.raises(ValueError, match="write 60s"):
        values.duration(text)


def test_a_limit_of_no_time_is_refused():
    with pytest.raises(ValueError, match="no time"):
        values.positive_duration("0s")


@pytest.mark.parametrize(
    ("text", "expected"), [("0644", 0o644), ("755", 0o755), ("4755", 0o4755), ("0o600", 0o600)]
)
def test_modes_are_octal(text, expected):
    assert values.mode(text) == expected


@pytest.mark.parametrize("text", ["u+x", "0888", "64", "", "12345", "0o"])
def test_other_modes_are_refused(text):
    with pytest.raises(ValueError, match="octal"):
        values.mode(text)


def test_port_ranges():
    assert values.port_range("47600-47699") == (47600, 47699)
    assert values.port_range("5000") == (5000, 5000)


@pytest.mark.parametrize("text", ["0-10", "10-9", "1-65536", "a-b", "1-2-3", ""])
def test_other_port_ranges_are_refused(text):
    with pytest.raises(ValueError, match=re.escape(repr(text))):
        values.port_range(text)


@pytest.mark.parametrize(
    ("text", "expected"), [("99.5%", 99.5), ("100", 100), ("0%", 0), (" 50 ", 50)]
)
def test_percentages(text, expected):
    assert values.percentage(text) == expected


@pytest.mark.parametrize("text", ["101%", "-1", "half", "", "%"])
def test_other_percentages_are_refused(text):
    with pytest.raises(ValueError, match=r"write 99\.5%"):
        values.percentage(text)


@given(st.text(max_size=12))
def test_nonsense_is_a_value_error_and_nothing_else(text):
    functions = (
        values.size, values.rate, values.chunk_size, values.duration, values.mode,
        values.port_range, values.percentage,
    )  # fmt: skip
    for function in functions:
        with contextlib.suppress(ValueError):
            function(text)
