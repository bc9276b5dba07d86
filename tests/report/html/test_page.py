"""The page says what became of the run, needs nothing but itself, and lets no host write in it."""

import re
import shutil
import struct
import subprocess
import zlib
from dataclasses import replace

import pytest

from fleetpush.deploy.history.course import Course
from fleetpush.deploy.progress import (
    HostFinished,
    HostPhase,
    HostPhaseChanged,
    HostProgress,
    Notice,
    RunStarted,
    SourceReady,
)
from fleetpush.deploy.results import HostResult, HostStatus, Timing, Traffic
from fleetpush.report.html.page import page
from tests.report.feed import ESCAPES, feed
from tests.report.html.runs import Reader, course_of, page_of, record

HOSTILE = '<script>document.title="owned"</script><img src=x onerror=alert(1)>"\'&' + ESCAPES


@pytest.mark.parametrize("hosts", [1, 20, 1000])
def test_it_says_what_became_of_the_run(hosts):
    text = Reader(page_of(hosts)).text
    report = feed(hosts)[-1].report
    good = report.count(HostStatus.VERIFIED, HostStatus.ALREADY_PRESENT)
    assert f"verified {good:,}/{hosts:,}" in text
    for result in report.results:
        assert result.host in text
    for words in ("exit 3: at least one host failed", "Completion over time", "Who was slow"):
        assert words in text
    assert "bound 14.2s" in text


def test_failures_are_folded_with_their_hosts_in_ranges():
    text = Reader(page_of(1000)).text
    assert "10 hosts, 4 reasons" in text
    assert "node[200,400,600,800,1000] (5)" in text
    assert "connect_timeout HOST did not answer on port 22" in text


def test_the_slow_ones_come_with_the_reason():
    text = Reader(page_of(1000)).text
    assert "node151" in text
    assert "received at 133.3 MB/s, the others at 333.3 MB/s disk for 37" in text
    assert "more were later than the median" in text


@pytest.mark.parametrize("hosts", [20, 1000])
def test_it_needs_nothing_but_itself(hosts):
    text = page_of(hosts)
    reader = Reader(text)
    policy = next(a["content"] for _, a in reader.elements if a.get("http-equiv"))
    assert policy.startswith("default-src 'none'")
    assert {tag for tag, _ in reader.elements}.isdisjoint({"script", "link", "iframe", "object"})
    for _, attributes in reader.elements:
        assert not any(name.startswith("on") for name in attributes)
        for name in ("src", "srcset", "href"):
            assert (attributes.get(name) or "data:").startswith("data:")
    assert "url(" not in text
    assert "@import" not in text


def test_a_thousand_hosts_fit_a_mail():
    assert len(page_of(1000)) < 1_000_000


def hostile_run():
    """Whatever a host or a file may be called and say, it does."""
    names = (HOSTILE, "b" * 300, "node\x00\n3")
    course = course_of(
        [
            RunStarted(0.0, "r", "deploy", names, "mesh", "tracker", True),
            SourceReady(0.1, HOSTILE, "ab" * 32, 100, 10, 10, 1),
            *(HostPhaseChanged(0.2, name, HostPhase.EXCHANGING) for name in names),
            HostProgress(1.0, names[1], 50, 100, 1.0, 1.0, HOSTILE),
            Notice(1.5, "warning", HOSTILE, HOSTILE),
            HostFinished(2.0, names[0], HostStatus.FAILED, HOSTILE, HOSTILE),
            HostFinished(9.0, names[1], HostStatus.VERIFIED),
            HostFinished(3.0, names[2], HostStatus.VERIFIED),
        ]
    )
    report = replace(
        feed(1)[-1].report,
        manifest_name=HOSTILE,
        error=HOSTILE,
        topology=HOSTILE,
        timing=Timing(makespan_s=8.0, bound_s=1.0, bound_source=HOSTILE, total_s=9.0),
        results=(
            HostResult(names[0], HostStatus.FAILED, dest=HOSTILE, slug=HOSTILE, message=HOSTILE),
            *(HostResult(name, HostStatus.VERIFIED, dest=HOSTILE) for name in names[1:]),
        ),
    )
    return page(record(id=HOSTILE, command=HOSTILE, retry_of=HOSTILE), report, course)


def test_no_host_writes_in_the_page():
    text = hostile_run()
    reader = Reader(text)
    assert {tag for tag, _ in reader.elements}.isdisjoint({"script", "iframe"})
    assert len([1 for tag, _ in reader.elements if tag == "img"]) == 1, "the heat map's own"
    assert 'document.title="owned"' in reader.text, "it is there, as text"
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", text)
    for _, attributes in reader.elements:
        assert not any(name.startswith("on") for name in attributes)


def test_a_run_of_which_nothing_is_known():
    report = replace(
        feed(3)[-1].report,
        timing=Timing(total_s=1.0),
        traffic=Traffic(),
        manifest_digest="",
        size=0,
    )
    for course in (None, Course()):
        text = Reader(page(record(exit_code=None), report, course)).text
        assert "Nothing is known of how this run went" in text
        assert "its process was killed before the end" in text
        assert "interrupted" in text


def test_a_run_that_goes_on():
    events = [event for event in feed(20) if event.at < 10]
    report = replace(feed(20)[-1].report, results=())
    text = Reader(page(record(exit_code=None, lives=True), report, course_of(events))).text
    assert "running" in text
    assert "still going on" in text
    assert "Every host, over time" in text


def test_a_run_in_which_nothing_moved():
    names = ("a", "b")
    course = course_of(
        [
            RunStarted(0.0, "r", "deploy", names, "mesh", "tracker", True),
            SourceReady(0.1, "empty", "ab" * 32, 0, 0, 0, 1),
            *(HostFinished(0.5, name, HostStatus.ALREADY_PRESENT) for name in names),
        ]
    )
    report = replace(
        feed(2)[-1].report,
        size=0,
        exit_code=0,
        timing=Timing(total_s=1.0),
        traffic=Traffic(),
        results=tuple(HostResult(name, HostStatus.ALREADY_PRESENT) for name in names),
    )
    text = Reader(page(record(exit_code=0), report, course)).text
    assert "2 had it already" in text
    assert "Throughput" not in text
    assert "Who was slow" not in text
    assert "What failed" not in text


# -- in a real browser

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine")


def browse(profile, *words):
    command = [
        CHROMIUM,
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        f"--user-data-dir={profile}",
    ]
    return subprocess.run(
        [*command, *words], check=True, capture_output=True, text=True, timeout=120
    )


def first_pixel(png):
    """Red, green and blue of the upper left corner; there every filter leaves values as they are."""
    data = png.read_bytes()
    assert data[24:26] in (b"\x08\x02", b"\x08\x06"), "eight bits, with or without alpha"
    body, at = b"", 8
    while at < len(data):
        length, kind = struct.unpack(">I4s", data[at : at + 8])
        body += data[at + 8 : at + 8 + length] if kind == b"IDAT" else b""
        at += 12 + length
    return tuple(zlib.decompress(body)[1:4])


@needs_chromium
def test_a_browser_runs_nothing_of_what_hosts_said(tmp_path):
    (tmp_path / "page.html").write_text(hostile_run())
    seen = browse(tmp_path / "profile", "--dump-dom", f"file://{tmp_path}/page.html").stdout
    title = Reader(seen).elements
    assert "<title>owned" not in seen
    assert not [tag for tag, _ in title if tag == "script"]


@needs_chromium
@pytest.mark.parametrize(("scheme", "colour"), [(0, (0x0F, 0x12, 0x16)), (1, (0xF6, 0xF7, 0xF9))])
def test_a_browser_shows_it_dark_and_light(tmp_path, scheme, colour):
    (tmp_path / "page.html").write_text(page_of(20))
    picture = tmp_path / "page.png"
    browse(
        tmp_path / "profile",
        f"--blink-settings=preferredColorScheme={scheme}",
        f"--screenshot={picture}",
        "--window-size=400,300",
        f"file://{tmp_path}/page.html",
    )
    assert first_pixel(picture) == colour
