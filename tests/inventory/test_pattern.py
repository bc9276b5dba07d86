"""Host patterns against a small fleet, and their algebra against Python's sets."""

import contextlib

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from fleetpush.errors import InputError
from fleetpush.inventory.load import load
from fleetpush.inventory.model import Inventory

FLEET = """
web:
  hosts: {"web[1:5]": }
db:
  hosts: {"db-[a:c].example.net": }
prod:
  children: {web: }
  hosts: {db-a.example.net: }
canary:
  hosts: {web3: , db-c.example.net: }
node:
  hosts: {"node[8-12]": }
v6:
  hosts: {"2001:db8::1": , "[2001:db8::2]:2222": }
"""
WEB = {"web1", "web2", "web3", "web4", "web5"}
DB = {"db-a.example.net", "db-b.example.net", "db-c.example.net"}
NODE = {"node8", "node9", "node10", "node11", "node12"}
V6 = {"2001:db8::1", "2001:db8::2"}
ALL = WEB | DB | NODE | V6


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Inventory:
    cwd = tmp_path_factory.mktemp("patterns")
    (cwd / "fleet.yaml").write_text(FLEET)
    return load(["fleet.yaml"], cwd=cwd)


def names(inventory: Inventory, pattern: str, limit: str | None = None) -> set[str]:
    return {host.name for host in inventory.select(pattern, limit)}


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("all", ALL),
        ("*", ALL),
        ("web", WEB),
        ("web1", {"web1"}),
        ("web,db", WEB | DB),
        ("web:db", WEB | DB),
        ("web , db ,", WEB | DB),
        ("prod", WEB | {"db-a.example.net"}),
        ("web:&canary", {"web3"}),
        ("web,!canary", WEB - {"web3"}),
        ("!canary,web", WEB - {"web3"}),
        ("&canary:web", {"web3"}),
        ("!web", ALL - WEB),
        ("&web", WEB),
        ("web:db:&prod:!web3", (WEB | {"db-a.example.net"}) - {"web3"}),
        ("!web3:web3", set()),
        ("web*", WEB),
        ("*.example.net", DB),
        ("web?", WEB),
        ("web[!12]", {"web3", "web4", "web5"}),
        ("w*,!web[1-2]", {"web3", "web4", "web5"}),
        ("~web[12]$", {"web1", "web2"}),
        (r"~(web|db-)[1ab]", {"web1", "db-a.example.net", "db-b.example.net"}),
        (r"~node\d{2,3},web1", {"node10", "node11", "node12", "web1"}),
        ("~(?:web|db):!canary", (WEB | DB) - {"web3", "db-c.example.net"}),
        ("web[0]", {"web1"}),
        ("web[-1]", {"web5"}),
        ("web[1:2]", {"web2", "web3"}),
        ("web[3:]", {"web4", "web5"}),
        ("web[3:99]", {"web4", "web5"}),
        ("web[7]", set()),
        ("all[0]", {"web1"}),
        ("*[0:1]", {"web1", "web2"}),
        ("prod[0]", {"db-a.example.net"}),
        ("node[9-11]", {"node9", "node10", "node11"}),
        ("node[8,10]", {"node8", "node10"}),
        ("node[0:1]", {"node8", "node9"}),
        ("web[1-2],node[8-9]", {"web1", "web2", "node8", "node9"}),
        ("db-[a:b].example.net", {"db-a.example.net", "db-b.example.net"}),
        ("2001:db8::1", {"2001:db8::1"}),
        ("[2001:db8::1]", {"2001:db8::1"}),
        ("v6:![2001:db8::1]", {"2001:db8::2"}),
        ("v6,!2001:db8::1", {"2001:db8::2"}),
        ("nobody", set()),
        ("ungrouped", set()),
    ],
)
def test_pattern(fleet: Inventory, pattern: str, expected: set[str]) -> None:
    assert names(fleet, pattern) == expected


def test_the_selection_keeps_the_inventory_order(fleet: Inventory) -> None:
    picked = [host.name for host in fleet.select("node[8-12],web5,web1")]
    assert picked == ["web1", "web5", "node8", "node9", "node10", "node11", "node12"]


def test_a_limit_narrows_and_never_adds(fleet: Inventory) -> None:
    assert names(fleet, "web", "web1,node8") == {"web1"}
    assert names(fleet, "web", "!web1") == WEB - {"web1"}


def test_a_limit_may_be_a_file_of_patterns(fleet: Inventory) -> None:
    (fleet.cwd / "site.retry").write_text("# two that failed\nweb1\n\nnode[8-9]  # and these\n")
    assert names(fleet, "all", "@site.retry") == {"web1", "node8", "node9"}
    assert names(fleet, "all", "web2,@site.retry,!node8") == {"web1", "web2", "node9"}


@pytest.mark.parametrize(
    ("pattern", "reason"),
    [
        ("", "empty"),
        (" , :", "empty"),
        ("!", "says nothing"),
        ("web:&", "says nothing"),
        ("!!web", "says nothing"),
        ("~web(", "not a regular expression"),
        ("web[1", "never closed"),
        ("web1]", "do not pair up"),
        ("node[9-8]", "ends before it begins"),
        ("web[3:1]", "ends before it begins"),
        ("n[1-99999999999]", "more than 1,000,000"),
        ("@site.retry", "only in a limit"),
    ],
)
def test_a_pattern_that_cannot_be_read_is_refused(
    fleet: Inventory, pattern: str, reason: str
) -> None:
    with pytest.raises(InputError, match=reason):
        fleet.select(pattern)


@pytest.mark.parametrize(
    ("content", "reason"),
    [(None, "No such file"), (b"\n# nobody\n", "names no host"), (b"\xff\xfe", "not a text file")],
)
def test_a_limit_file_must_name_hosts(fleet: Inventory, content: bytes | None, reason: str) -> None:
    path = fleet.cwd / "bad.retry"
    path.unlink(missing_ok=True)
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=rf"@bad\.retry.*{reason}"):
        fleet.select("all", "@bad.retry")


def test_parts_that_match_nobody_are_told(fleet: Inventory) -> None:
    assert fleet.unmatched("web,wbe,!dbb,node[8-14],web[0],web[9],~x,v6") == [
        "wbe", "!dbb", "node[13-14]", "web[9]", "~x",
    ]  # fmt: skip
    assert fleet.unmatched("all") == []


ATOMS = {
    "web": WEB,
    "db": DB,
    "canary": {"web3", "db-c.example.net"},
    "node[8-10]": {"node8", "node9", "node10"},
    "web*": WEB,
    "~.*3$": {"web3"},
    "nobody": set(),
    "[2001:db8::1]": {"2001:db8::1"},
}
parts = st.lists(
    st.tuples(st.sampled_from(["", "&", "!"]), st.sampled_from(sorted(ATOMS))),
    min_size=1,
    max_size=6,
)


@given(parts, st.sampled_from([",", ":"]))
def test_patterns_are_set_algebra(
    fleet: Inventory, chosen: list[tuple[str, str]], separator: str
) -> None:
    unions = [ATOMS[atom] for operator, atom in chosen if operator == ""]
    expected = set().union(*unions) if unions else set(ALL)
    for operator, atom in chosen:
        if operator == "&":
            expected &= ATOMS[atom]
    for operator, atom in chosen:
        if operator == "!":
            expected -= ATOMS[atom]
    assert names(fleet, separator.join(operator + atom for operator, atom in chosen)) == expected


@given(st.text(alphabet="web1*?~!&,:[]-@ (", max_size=16))
@example("~[[")
def test_any_text_selects_or_is_refused_in_words(fleet: Inventory, text: str) -> None:
    with contextlib.suppress(InputError):
        assert names(fleet, text) <= ALL


def test_a_directory_as_limit_file_is_an_input_error(fleet: Inventory) -> None:
    with pytest.raises(InputError, match="cannot read the limit file"):
        fleet.select("all", "@/")
