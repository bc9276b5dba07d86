"""Our variables are read strictly, and a slip in the name of one is told once."""

from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleetpush.deploy.variables import KNOWN, DeclaredRates, declared_rates, warn_of_unknown
from fleetpush.errors import InputError
from fleetpush.inventory.load import load

FORMS = ["10Gbit", "1.25GB/s", "{{ half }}0Gbit"]


def hosts_of(tmp_path, text):
    path = tmp_path / "fleet.yaml"
    path.write_text(text)
    return load([str(path)], cwd=Path.cwd()).select()


@pytest.mark.parametrize("text", FORMS)
def test_rates_are_read_and_templates_filled_in(tmp_path, text):
    hosts = hosts_of(
        tmp_path, f"all: {{hosts: {{a: {{half: 1, fleetpush_uplink: '{text}'}}, b: {{}}}}}}"
    )
    assert declared_rates(hosts[0]) == DeclaredRates(uplink=1_250_000_000)
    assert declared_rates(hosts[1]) == DeclaredRates()


@pytest.mark.parametrize("name", ["fleetpush_uplink", "fleetpush_downlink", "fleetpush_disk"])
@pytest.mark.parametrize(
    "value", ["'0'", "0", "'-5M'", "-5", "fast", "1000", "1.5", "true", "[10Gbit]", "{a: 1}", "''"]
)
def test_a_bad_rate_names_host_and_variable(tmp_path, name, value):
    (host,) = hosts_of(tmp_path, f"all: {{hosts: {{web7: {{{name}: {value}}}}}}}")
    with pytest.raises(InputError, match=f"^web7: {name}") as caught:
        declared_rates(host)
    assert caught.value.exit_code == 5


def test_an_empty_variable_says_nothing(tmp_path):
    (host,) = hosts_of(tmp_path, "all: {hosts: {a: {fleetpush_disk: }}}")
    assert declared_rates(host) == DeclaredRates()


def told(hosts):
    said = []
    warn_of_unknown(hosts, said.append)
    return said


def test_a_slip_is_told_once_with_a_host_and_the_name_that_was_meant(tmp_path):
    hosts = hosts_of(
        tmp_path,
        "all: {vars: {fleetpush_uplnk: 1G}, hosts: {'web[1:9]': {}, db: {fleetpush_rak: x}}}",
    )
    assert told(hosts) == [
        "web1: nobody reads the variable fleetpush_uplnk; did you mean fleetpush_uplink?",
        "db: nobody reads the variable fleetpush_rak; did you mean fleetpush_rack?",
    ]


def test_a_name_like_no_other_gets_all_of_them(tmp_path):
    (text,) = told(hosts_of(tmp_path, "all: {hosts: {a: {fleetpush_zzz: 1}}}"))
    assert all(name in text for name in KNOWN)


def test_what_is_known_or_not_ours_is_no_slip(tmp_path):
    ours = ", ".join(f"{name}: '1G'" for name in KNOWN)
    assert (
        told(hosts_of(tmp_path, f"all: {{hosts: {{a: {{{ours}, my_rack: 2, fleet: 3}}}}}}")) == []
    )


@given(st.sampled_from(KNOWN), st.data())
def test_one_letter_left_out_is_found(name, data):
    at = data.draw(st.integers(min_value=len("fleetpush_"), max_value=len(name) - 1))
    slip = name[:at] + name[at + 1 :]

    (text,) = told([SimpleNamespace(name="a", variables={slip: 1})])
    assert text.endswith(f"did you mean {name}?")
