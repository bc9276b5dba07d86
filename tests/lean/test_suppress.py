"""``suppress`` is ``contextlib``'s."""

import contextlib

import pytest

from fleetpush.lean.suppress import suppress


@pytest.mark.parametrize("kinds", [(), (OSError,), (KeyError, ValueError), (Exception,)])
@pytest.mark.parametrize("problem", [None, FileNotFoundError(), ValueError(), KeyboardInterrupt()])
def test_it_lets_through_what_the_original_lets_through(kinds, problem):
    assert outcome(suppress(*kinds), problem) == outcome(contextlib.suppress(*kinds), problem)


def outcome(block, problem):
    try:
        with block:
            if problem is not None:
                raise problem
            return "done"
    except BaseException as error:
        return error
    return "suppressed"
