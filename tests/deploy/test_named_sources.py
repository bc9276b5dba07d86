"""``HOST:PATH``: which files are meant, and what is refused before anybody is connected to."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleetpush.deploy.fleet import chosen, own_destinations, source_places
from fleetpush.deploy.named_sources import MOST, check_hosts, refuse_here, wanted_from
from fleetpush.deploy.options import DeployOptions
from fleetpush.deploy.walk import is_directory, name_of
from fleetpush.errors import FleetpushError, InputError, UsageError
from fleetpush.inventory.located import Located, located

if TYPE_CHECKING:
    from pathlib import Path


def options(*sources: str, **more: object) -> DeployOptions:
    given = {"inventories": ("nas1,nas2,host,",), **more}
    return DeployOptions(sources=sources, **given)  # type: ignore[arg-type]  # by name


@pytest.mark.parametrize(
    ("text", "host", "path"),
    [
        ("nas1:/a/b", "nas1", "/a/b"),
        ("nas1:b", "nas1", "b"),
        ("nas1:~/b:c", "nas1", "~/b:c"),
        ("[2001:db8::1]:/b", "2001:db8::1", "/b"),
        ("nas1:", "nas1", ""),
        (":b", "", "b"),
    ],
)
def test_text_before_the_first_colon_is_a_host(text: str, host: str, path: str) -> None:
    assert located(text) == Located(host, path)


@given(st.text(min_size=1))
def test_a_path_with_a_slash_before_any_colon_is_here(text: str) -> None:
    assert located(f"./{text}") is None
    assert located(f"/{text}") is None


def test_one_name_on_several_hosts_is_one_file() -> None:
    found = wanted_from(options("nas1:/x/a", "nas2:/y/a", "nas2:b"))
    assert [(each.name, [place.host for place in each.places]) for each in found] == [
        ("a", ["nas1", "nas2"]),
        ("b", ["nas2"]),
    ]
    assert wanted_from(options("./a:b", "c")) == ()


@pytest.mark.parametrize(
    ("given", "kind", "said"),
    [
        (options("nas1:/a", "b"), InputError, "nas1:/a is on a host and b on this machine"),
        (options("nas1:"), InputError, "HOST:PATH"),
        (options(":a"), InputError, "HOST:PATH"),
        (options("nas1:/d/"), InputError, "directories on hosts"),
        (options("nas1:.."), InputError, "directories on hosts"),
        (options("nas1:/x/a", "nas1:/y/a"), InputError, "nas1 has two files a"),
        (options(*(f"h{i}:a" for i in range(MOST + 1))), InputError, "more than 10 hosts"),
        (options("nas1:a", discovery="gossip"), UsageError, "--discovery gossip"),
        (options("nas1:a", "nas2:a", topology="star"), UsageError, "need a mesh"),
        (options("nas1:a", "nas2:b", tree_fanout=2), UsageError, "need a mesh"),
    ],
)
def test_what_cannot_be_is_refused(
    given: DeployOptions, kind: type[FleetpushError], said: str
) -> None:
    with pytest.raises(kind, match=said):
        wanted_from(given)


def test_a_host_that_is_none_of_the_inventory_is_refused_with_what_to_write() -> None:
    check_hosts(options("nas1:a", "./x:y"), {"nas1"})
    with pytest.raises(InputError, match=r"nas9 is no host of .*, or write \./nas9:a for a file"):
        chosen(options("nas9:a"), lambda text: None)


def test_sources_are_found_outside_the_limit_and_named_by_their_files() -> None:
    inventory, places = chosen(options("nas1:/x/a", "nas2:/y/a", limit="host"), lambda text: None)
    assert [(place.name, place.dest) for place in places] == [("host", "a")]
    there = source_places(wanted_from(options("nas1:a")), options("nas1:a"), inventory)
    assert list(there) == ["nas1"]
    assert there["nas1"].dest == ""


def test_a_machine_with_two_names_is_known_by_its_address(tmp_path: Path) -> None:
    file = tmp_path / "two.ini"
    file.write_text(
        "nas1 ansible_host=192.0.2.1\nweb1 ansible_host=192.0.2.1\nweb2 ansible_host=192.0.2.2\n"
    )
    given = options("nas1:/srv/a", inventories=(str(file),), limit="web*", dest="/srv/a")
    inventory, places = chosen(given, lambda text: None)
    there = source_places(wanted_from(given), given, inventory)
    assert own_destinations(there["nas1"], places) == ["/srv/a"]


def test_verbs_that_touch_no_source_host_say_so() -> None:
    refuse_here(options("a", "./a:b"), "plan")
    with pytest.raises(InputError, match="plan does not look at sources on hosts"):
        refuse_here(options("nas1:a"), "plan")


def test_what_is_on_a_host_is_never_taken_for_a_directory_here() -> None:
    assert not is_directory("nas1:/d/")
    assert name_of("nas1:d") == "d"
