"""Runs to make pages of, and what a reader of a page sees."""

from __future__ import annotations

from html.parser import HTMLParser

from fleetpush.deploy.history.course import Course
from fleetpush.deploy.history.record import RunRecord
from fleetpush.deploy.progress import RunFinished
from fleetpush.report.html.page import page
from tests.report.feed import feed

VOID = {"meta", "img", "source", "br"}


def record(**more):
    values = {
        "id": "a1b2c3d4e5f60718",
        "command": "deploy",
        "began": 1_800_000_000.0,
        "ended": 1_800_000_060.0,
        "lives": False,
        "exit_code": 3,
        "error": "",
        "retry_of": None,
        "version": "0.1.0",
        "topology": "mesh",
        "discovery": "tracker",
        "encrypt": True,
        "options": "{}",
        "source": "model.pt",
        "digest": "",
        "size": 0,
        "chunk_size": 0,
        "chunks": 0,
        "hosts": 0,
        "good": 0,
        "lost": 0,
    }
    return RunRecord(**{**values, **more})


def course_of(events):
    course = Course()
    for event in events:
        course.fold(event)
    return course


def page_of(hosts, **more):
    """The page of the feed."""
    events = feed(hosts)
    assert isinstance(events[-1], RunFinished)
    return page(record(**more), events[-1].report, course_of(events))


class Reader(HTMLParser):
    """Elements with their attributes, and text; refuses what is not closed in order."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self._open.pop() == tag

    def handle_data(self, data):
        if self._open and self._open[-1] != "style":
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())
