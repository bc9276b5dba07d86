"""What a processor can move is the sum of a block's steps, each of which costs something."""

import pytest

from fleetpush.deploy.planning import processor


@pytest.fixture(autouse=True)
def small(monkeypatch):
    monkeypatch.setattr(processor, "AMOUNT", 8 * 1024 * 1024)


@pytest.mark.parametrize("encrypted", [True, False])
def test_every_step_costs_and_the_rate_is_of_all_together(encrypted):
    found = processor.measure(encrypted=encrypted)
    assert all(cost > 0 for cost in found)
    assert found.rate == pytest.approx(1 / sum(found))
    assert found.rate < 1 / max(found)


def test_encrypting_is_in_the_cost_of_receiving():
    sealed, clear = (processor.measure(encrypted=wanted) for wanted in (True, False))
    assert sealed.receive > clear.receive
