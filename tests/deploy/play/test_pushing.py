"""Pushes of a play as deploys: what is recorded of them comes to the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleetpush.deploy.fleet import choose, place_of, selected
from fleetpush.deploy.options import DeployOptions
from fleetpush.deploy.play.pushing import as_one, outcome_of
from fleetpush.deploy.results import HostResult, HostStatus, RunReport, Timing, Traffic

if TYPE_CHECKING:
    from fleetpush.deploy.fleet import Place

HOSTS = ("a1", "b2", "c-3")
# A template cannot hold every line break, and braces are its own.
PATHS = st.text(st.characters(exclude_characters="\0\n\r{}", exclude_categories=["Cs"]), min_size=1)


def places(options: DeployOptions) -> dict[str, Place]:
    return {place.name: place for place in choose(options, lambda text: None)}


@given(
    where=st.lists(PATHS.filter(str.strip), min_size=3, max_size=3),
    kind=st.sampled_from(["dest", "release_dir"]),
    wanted=st.sets(st.sampled_from(HOSTS), min_size=1),
)
def test_each_host_has_its_own_place_again(where: list[str], kind: str, wanted: set[str]) -> None:
    base = DeployOptions(sources=("model.pt",), inventories=(",".join(HOSTS) + ",",))
    everyone = places(base)
    targets = {name: place.target for name, place in everyone.items()}
    _, hosts = selected(base.inventories, None, (), lambda text: None)
    told = {
        name: DeployOptions(**{**vars_of(base), kind: w})
        for name, w in zip(HOSTS, where, strict=True)
    }
    given = [place_of(h, told[h.name], targets[h.name]) for h in hosts if h.name in wanted]
    again = places(as_one(told[given[0].name], given))
    assert again == {place.name: place for place in given}


def vars_of(options: DeployOptions) -> dict[str, object]:
    return {"sources": options.sources, "inventories": options.inventories}


def report(error: str = "") -> RunReport:
    return RunReport(
        *("r1", "deploy", 0, "mesh", "tracker", True, "ab", "model.pt", 1, 1, 1, (), ()),
        timing=Timing(),
        traffic=Traffic(),
        error=error,
    )


@pytest.mark.parametrize(
    ("result", "error", "status", "slug"),
    [
        (HostResult("h", HostStatus.VERIFIED, changed=True), "", "changed", ""),
        (HostResult("h", HostStatus.VERIFIED), "", "changed", ""),
        (HostResult("h", HostStatus.ALREADY_PRESENT), "", "ok", ""),
        (HostResult("h", HostStatus.ALREADY_PRESENT, changed=True), "", "changed", ""),
        (HostResult("h", HostStatus.FAILED, slug="disk_full"), "", "failed", "disk_full"),
        (HostResult("h", HostStatus.UNREACHABLE, slug="gone"), "", "unreachable", "gone"),
        (HostResult("h", HostStatus.VERIFIED), "no host was switched", "failed", "held_back"),
    ],
)
def test_what_a_hosts_result_is_to_a_play(
    result: HostResult, error: str, status: str, slug: str
) -> None:
    found = outcome_of(result, report(error))
    assert (found.status, found.slug) == (status, slug)
