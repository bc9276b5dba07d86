"""GitHub Actions: the summary read by a Markdown parser, annotations read as the runner reads them."""

import html
import itertools
import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from fleetpush.deploy.results import HostResult, HostStatus
from fleetpush.report.github import (
    ANNOTATIONS,
    SUMMARY_LIMIT,
    annotate,
    command_data,
    command_property,
    markdown,
    summary,
)
from fleetpush.report.sanitise import clean
from tests.report.endings import ended, failing, not_begun, report_of

MARKDOWN = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
COMMAND = re.compile(r"::(\w+) title=([^:,]*)::(.*)")


def shown(text):
    """What a reader sees of Markdown, cell by cell and paragraph by paragraph."""
    rendered = re.sub(r"</?(code|table|thead|tbody|tr)>", "", MARKDOWN.render(text))
    return [
        html.unescape(part).strip() for part in re.split(r"</?[a-z0-9]+>", rendered) if part.strip()
    ]


def commands(ending):
    """Level, title and message of each annotation, unescaped in the runner's order."""

    def unescaped(text, *names):
        for name in (*names, "%0D", "%0A", "%25"):
            text = text.replace(name, bytes.fromhex(name[1:]).decode())
        return text

    found = []
    for line in annotate(ending):
        level, title, message = COMMAND.fullmatch(line).groups()
        found.append((level, unescaped(title, "%3A", "%2C"), unescaped(message)))
    return found


# -- the summary


def test_the_summary_has_the_figures_and_every_host_that_failed():
    seen = shown(summary(ended(report_of(1000))))
    assert seen[0] == "fleetpush deploy of model.pt to 1,000 hosts: failed"
    assert "exit 3: at least one host failed in transfer, verification or activation" in seen
    pairs = dict(itertools.pairwise(seen))
    assert seen[2:4] == ["hosts", "1,000"]
    assert "-l 'node[6,18,43,200,400,418,600,800,818,1000]'" in seen[-1]
    assert pairs["verified"] == "990 (20 already there)"
    assert (pairs["failed"], pairs["unreachable"]) == ("5", "5")
    assert pairs["ratio"] == "2.85 times the bound"
    assert pairs["no_space"] == "node[18,418,818] (3)"
    assert "HOST did not answer on port 22 within 15 s; check that it is up" in seen


def test_a_run_that_was_well_says_so_and_has_no_failures():
    seen = shown(summary(ended(report_of(4))))
    assert seen[0] == "fleetpush deploy of model.pt to 4 hosts: passed"
    assert "reason" not in seen


def test_enough_hosts_are_a_pass_that_names_the_others():
    seen = shown(summary(ended(report_of(12, exit_code=0))))
    assert seen[0].endswith("passed")
    assert "exit 0: 91.66% of the hosts have it, which is enough (--min-success)" in seen
    assert "node6" in seen


def test_a_run_that_never_began_says_why():
    seen = shown(summary(not_begun(5, "- dc1.yaml:3: no *such* <b>host</b>", "bad_input")))
    assert seen[0] == "fleetpush deploy: failed"
    assert seen[1].startswith("error: - dc1.yaml:3: no *such* <b>host</b> (exit 5: bad inventory")


def test_names_that_do_not_fold_and_a_thousand_reasons_stay_far_below_the_limit():
    many = {f"{'x' * 200}{n * 7919}x": f"{n} & <{'&' * 3000}" for n in range(1000)}
    text = summary(ended(failing(many)))
    assert len(text.encode()) < SUMMARY_LIMIT / 2
    assert re.search(r"and 9\d\d more reasons", text)
    one = {f"{n * n}x{'y' * 60}": "the same" for n in range(5000)}
    assert len(summary(ended(failing(one))).encode()) < 20_000


def test_a_summary_that_has_no_room_is_shorter_or_not_there():
    ending = ended(report_of(1000))
    text = summary(ending)
    assert summary(ending, len(text.encode())) == text
    short = summary(ending, len(text.encode()) - 1)
    assert shown(short)[0].endswith("failed")
    assert "no_space" not in short
    assert summary(ending, 20) == ""


CHARACTERS = st.one_of(st.characters(), st.sampled_from("|`*_~<>&#[]!\\\"'@$:./-=+w()^{}0"))


@given(st.text(CHARACTERS, max_size=60))
@example(
    "www.example.com | <script>alert(1)</script> &lt; `x` **b** ~~s~~ \\| https://x @all #1 :tada:"
)
def test_markdown_shows_every_text_as_it_is(text):
    text = " ".join(clean(text).split())
    cells = shown(f"| a | b |\n|---|---|\n| x{markdown(text)}x | end |\n")
    assert cells == ["a", "b", f"x{text}x", "end"]
    assert "|" not in markdown(text)
    assert "www." not in markdown(text).lower()


# -- annotations


def test_there_is_one_error_for_each_class_of_failures():
    found = commands(ended(report_of(1000)))
    assert [(level, title) for level, title, _ in found] == [
        ("error", "fleetpush deploy: no_space (3 hosts)"),
        ("error", "fleetpush deploy: no_python (1 host)"),
        ("error", "fleetpush deploy: stalled (1 host)"),
        ("error", "fleetpush deploy: connect_timeout (5 hosts)"),
    ]
    assert found[0][2].startswith("node[18,418,818] (3): no space left on /data")


def test_they_are_warnings_where_enough_hosts_were_well():
    assert [level for level, *_ in commands(ended(report_of(12, exit_code=0)))] == ["warning"]


def test_a_run_that_was_well_has_none():
    assert annotate(ended(report_of(4))) == []


@pytest.mark.parametrize(
    ("ending", "title", "message"),
    [
        (not_begun(5, "no such\ninventory", "bad_input"), "bad_input", "no such; inventory"),
        (ended(report_of(4), 130), "exit 130", "stopped by SIGINT (Ctrl-C)"),
        (ended(report_of(4, error="it changed"), 5), "exit 5", "it changed"),
    ],
)
def test_a_run_that_failed_as_a_whole_has_one(ending, title, message):
    assert commands(ending) == [("error", f"fleetpush deploy: {title}", message)]


def test_there_are_never_more_than_are_shown_and_the_last_says_what_is_left():
    results = tuple(
        HostResult(f"n{i}", HostStatus.FAILED, slug=f"slug{i}", message="m") for i in range(30)
    )
    found = commands(ended(report_of(results=results)))
    assert len(found) == ANNOTATIONS
    assert found[-1][1] == "fleetpush deploy: 21 more reasons"
    assert "slug9 (1 host)" in found[-1][2]


@given(st.text(st.characters(), max_size=40).filter(clean), st.text(st.characters(), max_size=40))
def test_no_text_ends_its_property_or_its_line(slug, message):
    (found,) = commands(ended(failing({"node1": message}, slug=slug)))
    assert found[0] == "error"
    assert found[1] == f"fleetpush deploy: {clean(slug)} (1 host)"
    assert found[2] == f"node1: {clean(message)}"


@given(st.text(st.characters()))
def test_what_is_escaped_has_nothing_that_the_runner_reads(text):
    assert not set(command_property(text)) & set("\r\n:,")
    assert not set(command_data(text)) & set("\r\n")
