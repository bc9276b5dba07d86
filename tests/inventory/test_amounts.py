"""Rates of links are what rsync and people mean; what may mean two things is refused."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleetpush.inventory import amounts


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("10Gbit", 1_250_000_000),
        ("10gbit/s", 1_250_000_000),
        ("10 Gbit/s", 1_250_000_000),
        ("2.5Gbps", 312_500_000),
        ("100mbits", 12_500_000),
        ("800kbit", 100_000),
        ("80000bps", 10_000),
        ("1.25GB/s", 1_250_000_000),
        ("125MB", 125_000_000),
        ("1g", 1 << 30),
        ("1GiB/s", 1 << 30),
        ("2900m", 2900 << 20),
        ("2gb", 2_000_000_000),
        ("100", 102_400),
        (" 100M ", 100 << 20),
    ],
)
def test_a_link_is_measured_in_bits_or_bytes(text, expected):
    assert amounts.link_rate(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "0",
        "0Gbit",
        "-1",
        "-10Gbit",
        "",
        "fast",
        "10Gbitt",
        "10 G",
        "1e9",
        "1000b",
        "8bit",
        "10Gibit",
    ],
)
def test_what_is_no_rate_is_refused_by_name(text):
    with pytest.raises(ValueError, match=re.escape(repr(text))):
        amounts.link_rate(text)


@pytest.mark.parametrize("text", ["10Gb", "100Mb/s", "2.5 Gb/s"])
def test_bits_that_look_like_bytes_are_asked_about(text):
    with pytest.raises(ValueError, match="may be bits or bytes"):
        amounts.link_rate(text)


@pytest.mark.parametrize("function", [amounts.size, amounts.rate, amounts.link_rate])
def test_numbers_without_end_are_refused(function):
    with pytest.raises(ValueError, match="is not a"):
        function("9" * 400)


@given(st.text(max_size=12))
def test_any_text_is_a_rate_or_a_complaint(text):
    try:
        found = amounts.link_rate(text)
    except ValueError as error:
        found = 1024
        said = str(error)
    else:
        said = repr(text)
    assert found >= 1024
    assert repr(text) in said
