"""The six actions: what each may be told, and what its arguments are once they are read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from fleetpush.inventory import amounts
from fleetpush.inventory.located import located
from fleetpush.playbook import readers
from fleetpush.playbook.model import Template

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


class Argument(NamedTuple):
    """``read`` types a value or raises ValueError. ``written``: it wants a scalar as it is written."""

    read: Callable[[object], Any]
    written: bool = False


class Action(NamedTuple):
    """``short`` is the argument that the action's value is when it is no mapping, "" if there is none.

    ``complaint`` says what is wrong with arguments that are each fine, "" if nothing.
    """

    arguments: Mapping[str, Argument]
    short: str
    complaint: Callable[[Mapping[str, object]], str]


def _amount(read: Callable[[str], Any]) -> Argument:
    return Argument(readers.amount(read), written=True)


def _push(given: Mapping[str, object]) -> str:
    if "src" not in given:
        return "push needs 'src': the file to deliver, or a list of them"
    topology = given.get("topology", "auto")
    if "tree_fanout" in given and topology in ("mesh", "star"):
        return f"'tree_fanout' needs a tree; 'topology' says {topology}"
    if given.get("discovery") == "gossip" and (
        "tree_fanout" in given or topology in ("tree", "star")
    ):
        return "'discovery: gossip' is for a mesh; a tree or a star needs the tracker"
    if "keep_releases" in given and "release_dir" not in given:
        return "'keep_releases' goes with 'release_dir'"
    if given.get("delete") and given.get("activate") == "none":
        return "'delete' removes on activation: leave one of 'delete' and 'activate: none' out"
    return _push_where(given)


def _push_where(given: Mapping[str, object]) -> str:
    if "release_dir" in given and "dest" in given:
        return "'dest' and 'release_dir' both say where it goes: leave one out"
    src, dest = given["src"], given.get("dest", "/")
    for each in src if isinstance(src, tuple) and not isinstance(src, Template) else ():
        if isinstance(each, str) and located(each) is not None:
            return (
                f"'src' {each}: a push takes files of this machine (./{each} for one of that name)"
            )
    several = isinstance(src, tuple) and not isinstance(src, Template) and len(src) > 1
    if several and isinstance(dest, str) and not dest.endswith("/"):
        return "several sources need a directory: end 'dest' in '/'"
    return ""


def _command(given: Mapping[str, object]) -> str:
    if ("cmd" in given) == ("argv" in given):
        return "command needs either 'cmd' or 'argv'"
    return ""


def _shell(given: Mapping[str, object]) -> str:
    return "" if "cmd" in given else "shell needs 'cmd'"


def _wait_for(given: Mapping[str, object]) -> str:
    if ("port" in given) == ("url" in given):
        return "wait_for needs either 'port' or 'url'"
    if "url" in given and "host" in given:
        return "'host' goes with 'port'; a 'url' names its host itself"
    if "status" in given and "port" in given:
        return "'status' goes with 'url'"
    if "interval" in given and "sleep" in given:
        return "'sleep' and 'interval' are the same: leave one out"
    return ""


def _activate(given: Mapping[str, object]) -> str:
    if "threshold" in given and given.get("together") is False:
        return "a 'threshold' is for hosts that switch together"
    return ""


def _rollback(given: Mapping[str, object]) -> str:
    return "" if "release_dir" in given else "rollback needs 'release_dir'"


_TEXT = Argument(readers.text)
_TEXTS = Argument(readers.texts)
_FLAG = Argument(readers.flag)
_TIME = _amount(amounts.positive_duration)
_DELAY = _amount(amounts.duration)

_RUN = {
    "cmd": _TEXT,
    "chdir": _TEXT,
    "creates": _TEXT,
    "removes": _TEXT,
    "stdin": Argument(readers.any_text),
    "stdin_add_newline": _FLAG,
    "strip_empty_ends": _FLAG,
    "timeout": _TIME,
}

ACTIONS: Mapping[str, Action] = {
    "push": Action(
        {
            "src": _TEXTS,
            "dest": _TEXT,
            "exclude": _TEXTS,
            "delete": _FLAG,
            "mode": Argument(readers.mode, written=True),
            "owner": _TEXT,
            "group": _TEXT,
            "topology": Argument(readers.choice("auto", "mesh", "tree", "star")),
            "tree_fanout": Argument(readers.whole(1)),
            "discovery": Argument(readers.choice("tracker", "gossip")),
            "rack_by": _TEXT,
            "chunk_size": _amount(amounts.chunk_size),
            "bwlimit": _amount(amounts.rate),
            "host_bwlimit": _amount(amounts.rate),
            "port_range": _amount(amounts.port_range),
            "encrypt": _FLAG,
            "verify": Argument(readers.choice("chunks", "full")),
            "activate": Argument(readers.choice("each", "together", "none")),
            "release_dir": _TEXT,
            "keep_releases": Argument(readers.whole(1)),
            "stall": _TIME,
            "deadline": _TIME,
            "detach_grace": _DELAY,
            "min_success": _amount(amounts.percentage),
        },
        "src",
        _push,
    ),
    "command": Action({**_RUN, "argv": Argument(readers.text_list)}, "cmd", _command),
    "shell": Action({**_RUN, "executable": _TEXT}, "cmd", _shell),
    "wait_for": Action(
        {
            "port": Argument(readers.port),
            "host": _TEXT,
            "url": _TEXT,
            "status": Argument(readers.statuses),
            "timeout": _TIME,
            "delay": _DELAY,
            "sleep": _TIME,
            "interval": _TIME,
            "state": Argument(readers.choice("started", "stopped")),
        },
        "",
        _wait_for,
    ),
    "activate": Action(
        {"together": _FLAG, "threshold": _amount(amounts.percentage)}, "", _activate
    ),
    "rollback": Action({"release_dir": _TEXT, "to": _TEXT}, "release_dir", _rollback),
}
"""Durations in seconds, rates in bytes a second, sizes in bytes, percentages from 0 to 100.

``src`` and ``argv`` are tuples of text, ``status`` one of numbers, ``port_range`` a pair, ``mode`` a number.
"""
