"""``--bwlimit`` and ``--host-bwlimit`` hold on the cables: no more than so many bytes, headers included."""

from __future__ import annotations

import pytest

from tests.lab.meter import Meter
from tests.lab.rated import Layout, RatedFleet

pytestmark = pytest.mark.sshd

MIB = 1024 * 1024
SIZE = 9 * MIB
LIMIT, HOST_LIMIT = 4 * MIB, 3 * MIB
WITHIN = 1.05
AT_ONCE = MIB
"""Bytes that may come before their time: the agents on their way to the hosts, and what kernels hold of
what an agent does not read yet."""


def test_both_limits_hold_over_any_time_of_a_run() -> None:
    with RatedFleet(Layout(4, 12_500_000)) as fleet:
        fleet.source(SIZE)
        names = list(fleet.hosts)
        with Meter(fleet) as meter:
            done = fleet.deploy(names, "--bwlimit", "4M", "--host-bwlimit", "3M")
        assert done.exit == 0, done.stderr
        assert fleet.copies() == names
    cables = [("origin", "sent", LIMIT)]
    cables += [(name, way, HOST_LIMIT) for name in names for way in ("sent", "received")]
    for name, way, limit in cables:
        early = max(s.count - WITHIN * limit * s.seconds for s in meter.spans(name, way))
        assert early < AT_ONCE, f"{name} {way}"
    # What was counted is what went over: nobody got it another way.
    assert all(meter.whole(name, "received").count > SIZE for name in names)
