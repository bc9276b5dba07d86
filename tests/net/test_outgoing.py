"""Which blocks of a chunk go out."""

import pytest

from fleetpush.net.outgoing import Outgoing


@pytest.mark.parametrize(
    ("block", "skip", "sent"),
    [
        (0, 0, [0, 1, 2, 3]),
        (2, 0, [2, 3]),
        (0, 0b0110, [0, 3]),
        (1, 0b1010, [2]),
        (0, 0b1000, [0, 1, 2]),
        (3, 0b0111, [3]),
    ],
)
def test_all_from_the_named_block_on_but_what_is_left_out(block, skip, sent):
    stream = Outgoing(7, block, 4, skip)
    found = []
    while not stream.ending:
        found.append(stream.block)
        stream.took()
    assert found == sent
