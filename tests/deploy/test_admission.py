"""``--gather``: nobody joins the exchange before every host is ready or has failed."""

from __future__ import annotations

from fleetpush.deploy.admission import Admission
from fleetpush.deploy.member import ORIGIN, Member


def members(*names: str) -> list[Member]:
    return [Member(name, name, "", lambda member, kind, message: None) for name in names]


def test_without_gather_each_joins_when_it_is_ready() -> None:
    everyone = origin, a, b = members(ORIGIN, "a", "b")
    admission = Admission(everyone, gather=False)
    assert [admission.ready(m) for m in (a, origin, b)] == [[a], [origin], [b]]


def test_with_gather_all_join_with_the_last() -> None:
    everyone = origin, a, b = members(ORIGIN, "a", "b")
    admission = Admission(everyone, gather=True)
    assert admission.ready(b) == admission.ready(origin) == []
    assert admission.holds(b)
    assert admission.ready(a) == [b, origin, a]
    assert not any(map(admission.holds, everyone))


def test_a_host_that_failed_is_not_awaited() -> None:
    everyone = origin, a, b = members(ORIGIN, "a", "b")
    admission = Admission(everyone, gather=True)
    assert admission.lost(b) == admission.ready(origin) == []
    assert admission.ready(a) == [origin, a]


def test_the_last_to_be_awaited_may_fail() -> None:
    everyone = origin, a, b = members(ORIGIN, "a", "b")
    admission = Admission(everyone, gather=True)
    assert admission.ready(origin) == admission.ready(a) == []
    assert admission.lost(b) == [origin, a]


def test_who_fails_while_it_is_held_does_not_join() -> None:
    everyone = origin, a, b = members(ORIGIN, "a", "b")
    admission = Admission(everyone, gather=True)
    assert admission.ready(a) == admission.ready(origin) == admission.lost(a) == []
    assert admission.ready(b) == [origin, b]
