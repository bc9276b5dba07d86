"""Failures that say the same thing are one group, whatever the host's own name in them."""

from fleetpush.report.failures import FailureGroups


def groups(*failures):
    made = FailureGroups()
    for host, slug, message in failures:
        made.add(host, slug, message, unreachable=False)
    return made


def test_the_hosts_own_name_does_not_keep_failures_apart():
    made = groups(*((f"node{n}", "full", f"node{n}: no space on node{n}.") for n in (1, 2, 10)))
    (group,) = made
    assert group.folded() == "node[1-2,10] (3)"
    assert group.sentence() == "HOST: no space on HOST."


def test_a_name_inside_a_longer_one_is_not_the_host():
    made = groups(("node1", "full", "node10 is full"), ("node2", "full", "node10 is full"))
    (group,) = made
    assert group.sentence() == "node10 is full"


def test_a_single_host_keeps_its_own_words():
    (group,) = groups(("node1", "full", "no space on node1"))
    assert (group.folded(), group.sentence()) == ("node1", "no space on node1")


def test_slugs_and_messages_keep_failures_apart_and_the_newest_is_last():
    made = groups(("a", "full", "x"), ("b", "full", "y"), ("c", "stalled", "x"), ("d", "full", "x"))
    assert [group.hosts for group in made] == [["b"], ["c"], ["a", "d"]]
    assert made.headline() == "failures: 4 hosts, 3 reasons"


def test_folding_again_after_growth():
    made = groups(("node1", "full", "x"))
    group = next(iter(made))
    assert group.folded() == "node1"
    made.add("node2", "full", "x", unreachable=False)
    assert group.folded() == "node[1-2] (2)"
