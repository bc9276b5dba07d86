"""The arithmetic of ``serial`` and ``max_fail_percentage``, also against Ansible's."""

from __future__ import annotations

from itertools import chain

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from fleetpush.playbook.batches import BatchSize, batches, read_size, too_many

SIZES = st.lists(
    st.builds(BatchSize, st.integers(0, 50))
    | st.builds(BatchSize, st.integers(0, 100), st.just(True)),
    max_size=4,
)


@given(st.integers(0, 300), SIZES)
def test_every_host_is_in_one_batch_in_its_order(hosts: int, sizes: list[BatchSize]) -> None:
    dealt = batches(range(hosts), sizes)
    assert list(chain.from_iterable(dealt)) == list(range(hosts))
    assert all(dealt)


@given(st.integers(1, 300), SIZES.filter(bool))
def test_each_batch_has_its_size_and_the_last_size_serves_on(
    hosts: int, sizes: list[BatchSize]
) -> None:
    dealt = [len(batch) for batch in batches(range(hosts), sizes)]
    wanted = [sizes[min(at, len(sizes) - 1)].of(hosts) for at in range(len(dealt))]
    assert dealt[:-1] == wanted[:-1]
    assert 1 <= dealt[-1] <= wanted[-1]


@given(st.integers(1, 1000), st.integers(0, 100))
@example(100, 29)
def test_hundredths_are_those_of_ansible_or_exact(hosts: int, percent: int) -> None:
    from ansible.utils.helpers import pct_to_int

    ours, theirs = BatchSize(percent, True).of(hosts), pct_to_int(f"{percent}%", hosts)
    exact = percent * hosts / 100
    assert ours == theirs or (ours == exact and ours == theirs + 1)
    assert ours == max(1, int(exact))


@pytest.mark.parametrize(
    ("sizes", "hosts", "dealt"),
    [
        ([], 7, [7]),
        (["0"], 7, [7]),
        ([2], 5, [2, 2, 1]),
        (["50%"], 5, [2, 2, 1]),
        ([1, "10%", "100%"], 1000, [1, 100, 899]),
        ([1, "10%", "100%"], 5, [1, 1, 3]),
        (["1%"], 3, [1, 1, 1]),
        ([20], 3, [3]),
        ([2], 0, []),
    ],
)
def test_examples(sizes: list[object], hosts: int, dealt: list[int]) -> None:
    assert [len(b) for b in batches(range(hosts), [read_size(s) for s in sizes])] == dealt


@given(st.integers(0, 2000), st.integers(1, 2000), st.integers(0, 1000))
@example(333, 1000, 333)
def test_a_threshold_must_be_exceeded(lost: int, batch: int, tenths: int) -> None:
    assert too_many(lost, batch, tenths / 10) == (lost * 1000 > tenths * batch)


def test_a_third_of_three_is_not_more_than_34_per_cent() -> None:
    assert not too_many(1, 3, 34)
    assert too_many(2, 3, 34)
    assert not too_many(0, 3, 0)
    assert too_many(1, 1000, 0)
