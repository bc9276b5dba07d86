"""Where the time beyond the bound went, a line each: what was measured, and a cause where it says one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fleetpush.inventory.nodeset import fold
from fleetpush.report.quantities import duration, hosts, percent, rate
from fleetpush.report.sanitise import clean

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fleetpush.deploy.results import LostTime

COLUMNS = 65
"""Of a line of 80 beside the fact's name."""

LETTERS = 24
"""That names may take up in it."""

_STEPS = {
    "turn": "waited {} for a turn (--forks)",
    "connecting": "{} to connect",
    "agent": "{} to start an agent",
    "reading": "{} to read what was there",
    "admission": "{} until let in",
}


def lost_time(lost: LostTime) -> str:
    """``1.20s to node7: ...``."""
    took = duration(lost.seconds)
    where = _where(lost)
    words = {
        "late_hosts": lambda: f"{took} until {where} joined{_step(lost)}",
        "slow_hosts": lambda: _fitting(
            f"{took} to {where}: {rate(lost.rate or 0.0)} in", _others(lost), _reason(lost)
        ),
        "proving": lambda: f"{took} from the last block to its proof on {where}{_usual(lost)}",
        "origin": lambda: _fitting(
            f"{took}: {where} sent one copy in {_held(lost)}", _at(lost), _reason(lost)
        ),
        "origin_copies": lambda: _fitting(
            f"{took}: {where} sent {lost.copies or 0.0:.1f} copies", _at(lost), _reason(lost)
        ),
        "processor": lambda: f"{took} waiting for a processor, {_share(lost)} of agents' time",
        "disk": lambda: f"{took} waiting for disks, {_share(lost)} of agents' time",
        "quiet": lambda: f"{took} in which no host got a byte, from {_from(lost)} on",
        "last_hosts": lambda: f"{took} from half of the hosts to the last, {where}",
    }
    known = words.get(lost.cause)
    return known() if known else f"{took}: {clean(lost.cause)}"


def _where(lost: LostTime) -> str:
    if lost.racks:
        folded = clean(_few(lost.racks))
        named = folded if folded.startswith("rack") else f"rack {folded}"
        return f"{named} ({hosts(len(lost.hosts))})"
    if lost.hosts:
        return clean(_few(lost.hosts))
    return "this machine"


def _few(names: Sequence[str]) -> str:
    folded = fold(names)
    if len(names) == 1 or len(folded) <= LETTERS:
        return folded
    return f"{len(names):,} like {names[0]}"


def _fitting(fact: str, beside: str, reason: str) -> str:
    """What is ``beside`` the fact only where there is room for it; the document has it all."""
    whole = fact + beside + reason
    return whole if len(whole) <= COLUMNS else fact + reason


def _others(lost: LostTime) -> str:
    return f", others {rate(lost.usual_rate)}" if lost.usual_rate is not None else ""


def _reason(lost: LostTime) -> str:
    words = {
        "processor": f"; CPU waits {_share(lost)}",
        "whole_core": "; a core busy",
        "disk": f"; disk waits {_share(lost)}",
        "over_ssh": "; over SSH",
        "paused": f"; stuck for {_held(lost)}",
        "bwlimit": "; --bwlimit",
    }
    return words.get(lost.held_by, "")


def _step(lost: LostTime) -> str:
    step = _STEPS.get(lost.held_by)
    return f": {step.format(_held(lost))}" if step else ""


def _usual(lost: LostTime) -> str:
    if lost.usual_s is None or lost.usual_s > lost.seconds / 2:
        return ""
    return f" (others {duration(lost.usual_s)})"


def _at(lost: LostTime) -> str:
    return f", {rate(lost.rate)}" if lost.rate is not None else ""


def _held(lost: LostTime) -> str:
    return duration(lost.held_s or 0.0)


def _share(lost: LostTime) -> str:
    return percent(lost.share or 0.0, 1.0)


def _from(lost: LostTime) -> str:
    return duration(lost.from_s or 0.0)
