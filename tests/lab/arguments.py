"""What the commands that bring a lab up have in common: its flags, and that they always take it down."""

from __future__ import annotations

import argparse
import signal
import sys

from fleetpush.inventory.amounts import link_rate
from tests.fleet import sshd
from tests.lab import netns
from tests.lab.rated import Layout

SKIPPED = 77
"""The exit status for "cannot run here", as automake has it."""


def skipped() -> bool:
    """Whether this machine can have no lab; says why."""
    reason = netns.missing() or sshd.missing()
    if reason:
        print(f"skipped: {reason}", file=sys.stderr)
    return bool(reason)


def add_layout_arguments(
    parser: argparse.ArgumentParser, *, hosts: int = 31, rate: str = "50mbit"
) -> None:
    """What ``layout_from`` reads."""
    parser.add_argument("--hosts", type=int, default=hosts)
    parser.add_argument("--rate", type=_rate, default=_rate(rate), help="each way: 50mbit, 6M")
    parser.add_argument("--slow", type=_slow, default=(0, 10.0), metavar="N:FACTOR")
    parser.add_argument("--racks", type=int, default=0)
    parser.add_argument("--oversubscription", type=float, default=4.0)


def layout_from(options: argparse.Namespace) -> Layout:
    return Layout(
        options.hosts, options.rate, *options.slow, options.racks, options.oversubscription
    )


def end_by_exception() -> None:
    """SIGTERM and SIGHUP unwind the stack, as Ctrl-C does: what stands is taken down."""

    def leave(number: int, _frame: object) -> None:
        sys.exit(128 + number)

    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, leave)


def _rate(text: str) -> int:
    try:
        return link_rate(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _slow(text: str) -> tuple[int, float]:
    count, _, factor = text.partition(":")
    try:
        return int(count), float(factor or 10)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r}: write HOSTS:FACTOR, such as 2:10") from error
