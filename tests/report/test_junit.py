"""``--junit``: what a schema allows, what another program reads, and no character that breaks either."""

from pathlib import Path
from xml.etree import ElementTree

import pytest
import xmlschema
from hypothesis import given
from hypothesis import strategies as st
from junitparser import Error, Failure, JUnitXml

from fleetpush.deploy.results import HostStatus
from fleetpush.report.junit import THE_RUN, junit
from fleetpush.report.sanitise import clean
from tests.report.endings import ended, failing, not_begun, report_of

SCHEMA = xmlschema.XMLSchema(Path(__file__).with_name("junit.xsd"))


def cases(ending):
    """What an independent reader finds, by name, in a document that the schema allows."""
    text = junit(ending)
    SCHEMA.validate(text)
    (suite,) = JUnitXml.fromstring(text.encode())
    found = list(suite)
    assert suite.tests == len(found)
    assert suite.failures == sum(isinstance(p, Failure) for c in found for p in c.result)
    assert suite.errors == sum(isinstance(p, Error) for c in found for p in c.result)
    return {case.name: case for case in found}


def test_every_host_is_a_case_and_what_was_never_reached_is_an_error():
    report = report_of(1000)
    found = cases(ended(report))
    assert set(found) == {r.host for r in report.results}
    for result in report.results:
        kinds = [type(problem) for problem in found[result.host].result]
        if result.status.good:
            assert kinds == []
        else:
            unreachable = result.status is HostStatus.UNREACHABLE
            assert kinds == [Error if unreachable else Failure]


def test_a_failure_has_its_slug_and_its_sentence():
    (problem,) = cases(ended(failing({"node1": "disk on fire"})))["node1"].result
    assert (problem.type, problem.message) == ("io_error", "disk on fire")
    assert problem.text == "io_error: disk on fire"


def test_the_name_of_a_case_is_the_same_in_every_run():
    found = cases(ended(report_of(12, run_id="other", manifest_name="other.bin")))
    assert (found["node1"].classname, found["node1"].name) == ("fleetpush.deploy", "node1")


def test_the_time_of_a_case_is_when_its_host_was_done():
    found = cases(ended(report_of(12), finished_at={"node6": 4.5, "node1": 12.25}))
    assert (found["node6"].time, found["node1"].time) == (4.5, 12.25)
    assert found["node2"].time > 0


@pytest.mark.parametrize(
    ("ending", "slug", "words"),
    [
        (not_begun(5, "no such inventory: dc1.yaml", "bad_input"), "bad_input", "dc1.yaml"),
        (not_begun(75, "another run holds it", "locked"), "locked", "another run"),
        (ended(report_of(4), 130), "exit_130", "SIGINT"),
        (ended(report_of(4, error="model.pt changed"), 5), "exit_5", "model.pt changed"),
    ],
)
def test_a_run_that_failed_without_a_host_that_did_has_one_failing_case(ending, slug, words):
    found = cases(ending)
    (problem,) = found.pop(THE_RUN).result
    assert isinstance(problem, Error)
    assert problem.type == slug
    assert words in problem.message
    assert all(case.is_passed for case in found.values())


def test_a_run_that_failed_by_its_hosts_needs_no_other_case():
    assert THE_RUN not in cases(ended(report_of(12)))
    assert THE_RUN not in cases(ended(report_of(4)))


def test_the_recap_is_in_it_for_who_sees_nothing_else():
    root = ElementTree.fromstring(junit(ended(report_of(12))))
    assert "no_python" in root.findtext("testsuite/system-out")


ANYTHING = st.text(st.characters(), max_size=40)
NAME = ANYTHING.filter(lambda text: clean(text).strip())


@given(host=NAME, slug=NAME, message=ANYTHING)
def test_no_text_breaks_the_document_or_is_lost(host, slug, message):
    ending = ended(failing({host: message}, slug=slug))
    text = junit(ending)
    case = ElementTree.fromstring(text).find("testsuite/testcase")
    assert case.get("name") == clean(host)
    assert (case[0].get("type"), case[0].get("message")) == (clean(slug), clean(message))
    assert SCHEMA.is_valid(text)
    assert not [c for c in text if ord(c) < 32 and c != "\n"]
