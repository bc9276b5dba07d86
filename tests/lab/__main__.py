"""Brings a rate-limited fleet up, runs a command at its origin, takes the fleet down.

    python -m tests.lab --hosts 31 --rate 50mbit [--slow 2:10] [--racks 4 --oversubscription 4] -- COMMAND...

The command runs in the origin's network namespace (without one: a shell) and finds in its environment
LAB_INVENTORY and LAB_SSH_CONFIG (for ``fleetpush deploy -i`` and ``--ssh-config``), LAB_ORIGIN and LAB_HOSTS
(``name=address`` each) and LAB_ROOT (a folder that is gone afterwards). Ends with the command's exit status,
after a line for each link with what it carried. Needs root, iproute2 and openssh-server.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time

from tests.lab.arguments import (
    SKIPPED,
    add_layout_arguments,
    end_by_exception,
    layout_from,
    skipped,
)
from tests.lab.probe import throughput
from tests.lab.rated import RatedFleet


def main() -> int:
    options = _arguments()
    if skipped():
        return SKIPPED
    end_by_exception()
    began = time.monotonic()
    with RatedFleet(layout_from(options)) as fleet:
        took = time.monotonic() - began
        print(f"lab: {options.hosts} hosts up in {took:.1f} s", file=sys.stderr)
        if options.check:
            _check(fleet)
        status = _run(fleet, options.command or [os.environ.get("SHELL", "/bin/sh")])
        for name, bytes_ in fleet.carried().items():
            print(
                f"lab: {name:10} sent {bytes_.sent:13,}  received {bytes_.received:13,}",
                file=sys.stderr,
            )
    return status


def _run(fleet: RatedFleet, command: list[str]) -> int:
    hosts = {name: host.address for name, host in fleet.hosts.items()}
    here = {
        "LAB_INVENTORY": str(fleet.whole_inventory()),
        "LAB_SSH_CONFIG": str(fleet.ssh_config()),
        "LAB_ORIGIN": fleet.origin.address,
        "LAB_HOSTS": " ".join(f"{name}={address}" for name, address in hosts.items()),
        "LAB_ROOT": str(fleet.root),
    }
    process = fleet.origin.popen(command, env={**os.environ, **here})
    try:
        return process.wait()
    except BaseException:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        raise


def _check(fleet: RatedFleet) -> None:
    """A second's worth of bytes to and from the first host."""
    rate = fleet.layout.rate
    first = fleet.hosts[fleet.layout.names[0]]
    for sender, receiver in ((fleet.origin, first), (first, fleet.origin)):
        share = throughput(sender, receiver, rate * 2) / fleet.layout.rate_of(first.name)
        print(
            f"lab: {sender.name} to {receiver.name}: {share:.1%} of the link's rate",
            file=sys.stderr,
        )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.lab",
        description=__doc__,
        formatter_class=argparse.RawTextHelpFormatter,
    )
    add_layout_arguments(parser)
    parser.add_argument("--check", action="store_true", help="measure a pair before the command")
    parser.add_argument("command", nargs="*", help="after --")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
