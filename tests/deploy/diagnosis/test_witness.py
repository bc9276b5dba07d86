"""What a run keeps of its agents' words: pauses, when one copy had left, and the rate of one host."""

import pytest

from fleetpush.deploy.diagnosis.witness import Witness
from fleetpush.deploy.member import Member
from fleetpush.deploy.progress import HostPhase
from fleetpush.deploy.said import Spent, told_every

SIZE = 1000


class Run:
    """An origin and two hosts."""

    def __init__(self):
        self.witness = Witness()
        self.origin = Member("origin", "the origin", "", lambda *said: None)
        self.hosts = [Member(str(n), f"node{n}", "", lambda *said: None) for n in (1, 2)]

    def enter(self, host, phase, at):
        host.phase = phase
        self.witness.entered(host, at)

    def received(self, host, total, at):
        host.figures.content_in = total
        self.witness.progressed(host, at, SIZE)

    def sent(self, total, at, origin=None):
        sender = origin or self.origin
        sender.figures.content_out = total
        self.witness.progressed(sender, at, SIZE)

    def evidence(self, *, told_every=0.0):
        return self.witness.evidence(
            *(self.hosts, [self.origin]),
            **{"began": 1.0, "makespan": 9.0, "bound": 5.0, "size": SIZE, "bwlimit": None},
            told_every=told_every,
        )


@pytest.fixture
def run():
    return Run()


def test_one_copy_has_left_between_the_two_words_that_tell_of_it(run):
    run.sent(500, 2.0)
    run.sent(1500, 4.0)
    run.sent(1600, 7.0)
    sender = run.evidence().sender
    assert (sender.sent, sender.whole_at, sender.last_at) == (1600, 3.0, 7.0)


def test_several_origins_send_one_copy_together(run):
    other = Member("origin1", "nas2", "", lambda *said: None)
    run.sent(600, 2.0)
    run.sent(600, 3.0, other)
    assert run.evidence().sender.whole_at == pytest.approx(2.0 + 4 / 6)


def test_a_pause_begins_after_the_first_byte_and_is_shorter_than_words_are_apart(run):
    first, second = run.hosts
    first.verified_at = second.verified_at = 10.0
    run.received(first, 0, 0.5)
    run.received(first, 100, 2.0)
    run.received(first, 100, 3.0)
    run.received(second, 50, 4.0)
    run.received(first, 1000, 8.0)
    found = run.evidence(told_every=1.0)
    assert [host.pause for host in found.passages] == [5.0, 0.0]
    assert (found.quiet_from, found.quiet) == (4.0, 3.0)


def test_a_hosts_rate_is_that_of_its_time_in_the_exchange(run):
    host = run.hosts[0]
    run.enter(host, HostPhase.EXCHANGING, 0.5)
    assert run.witness.best_rate([host], 1.0, SIZE) == 0.0
    run.enter(host, HostPhase.VERIFYING, 3.0)
    assert run.witness.best_rate([host], 1.0, SIZE) == SIZE / 2
    host.figures.reused = 500
    assert run.witness.best_rate([host], 1.0, SIZE) == SIZE / 4


def test_only_hosts_that_got_it_are_looked_at_and_with_all_that_is_known(run):
    first, _ = run.hosts
    first.verified_at, first.figures.spent = 9.5, Spent(4.0, 1.0, 0.5, 0.25)
    (passage,) = run.evidence().passages
    assert (passage.name, passage.verified, passage.spent) == ("node1", 9.5, first.figures.spent)
    assert passage.joined is None


def test_large_fleets_tell_less_often():
    assert (told_every(10), told_every(4000)) == (1.0, 10.0)
