"""Ranges of names: what they stand for, what is refused, and that folding loses nothing."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleetpush.errors import InputError
from fleetpush.inventory.nodeset import expand, fold


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("web1", ["web1"]),
        ("web[1:3]", ["web1", "web2", "web3"]),
        ("web[008:010]", ["web008", "web009", "web010"]),
        ("web[01:07:3]", ["web01", "web04", "web07"]),
        ("web[:2].example.net", ["web0.example.net", "web1.example.net", "web2.example.net"]),
        ("db-[a:c]", ["db-a", "db-b", "db-c"]),
        ("db-[a:g:3]", ["db-a", "db-d", "db-g"]),
        ("node[9-11]", ["node9", "node10", "node11"]),
        ("n[0-6/2]", ["n0", "n2", "n4", "n6"]),
        ("n[1,3-5]", ["n1", "n3", "n4", "n5"]),
        ("n[7]", ["n7"]),
        ("dc[1-2]n[08-09]", ["dc1n08", "dc1n09", "dc2n08", "dc2n09"]),
        ("a, b[1-2] ,a", ["a", "b1", "b2"]),
        ("[2001:db8::1]", ["2001:db8::1"]),
        ("", []),
    ],
)
def test_expand(text: str, names: list[str]) -> None:
    assert expand(text) == names


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("n[5-1]", "ends before it begins"),
        ("n[c:a]", "ends before it begins"),
        ("n[1-5/0]", "step must be at least 1"),
        ("n[1:5:0]", "step must be at least 1"),
        ("n[01-100]", "same number of digits"),
        ("n[1-05]", "same number of digits"),
        ("n[]", "bad range"),
        ("n[1,]", "bad range"),
        ("n[1-]", "bad range"),
        ("n[one]", "bad range"),
        ("n[1-2", "never closed"),
        ("n1-2]", "do not pair up"),
        ("n[[1-2]]", "do not pair up"),
        ("n[1-99999999999]", "more than 1,000,000 hosts"),
        ("a[1-2000]b[1-2000]", "more than 1,000,000 hosts"),
    ],
)
def test_a_bad_range_is_refused_with_its_reason(text: str, reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        expand(text)


@pytest.mark.parametrize(
    ("names", "folded"),
    [
        ([], ""),
        (["node4", "node2", "node3"], "node[2-4]"),
        (["node1"], "node1"),
        (["node1", "node1"], "node1"),
        (["node8", "node9", "node10"], "node[8-10]"),
        (["node08", "node09", "node10"], "node[08-10]"),
        (["n1", "n01"], "n[1,01]"),
        (["n1", "n3", "n4"], "n[1,3-4]"),
        (["db", "node1", "node2", "db1"], "db,db1,node[1-2]"),
        (["10.0.0.1", "10.0.0.2", "10.0.1.1", "10.0.1.2"], "10.0.[0-1].[1-2]"),
    ],
)
def test_fold(names: list[str], folded: str) -> None:
    assert fold(names) == folded


def test_a_thousand_regular_names_fold_into_one_word() -> None:
    names = [f"r{rack:02d}n{slot:02d}" for rack in range(1, 26) for slot in range(1, 41)]
    assert fold(reversed(names)) == "r[01-25]n[01-40]"


host_names = st.lists(
    st.from_regex(r"[ab.-]{0,2}([0-9]{1,3}[ab.-]{0,2}){0,3}", fullmatch=True).filter(bool),
    max_size=60,
)


@given(host_names)
def test_expand_reads_back_what_fold_wrote(names: list[str]) -> None:
    back = expand(fold(names))
    assert len(back) == len(set(back))
    assert set(back) == set(names)


@given(st.text(alphabet="n019ac:[],-/ ", max_size=20))
def test_any_text_is_expanded_or_refused_in_words(text: str) -> None:
    with contextlib.suppress(InputError):
        assert all(name == name.strip() and name for name in expand(text))
