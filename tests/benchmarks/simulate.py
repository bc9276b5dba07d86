"""The mesh in virtual time, at the sizes and in the troubles that it is built for.

    .venv/bin/python -m tests.benchmarks.simulate [--all] [--json] [--rate 100Mbit] [--only racks]

Ratios are over F/B and are the same on every machine; the wall time and the rate of messages are this one's.
At 100 Mbit/s a chunk of 256 KiB takes 21 ms, as one of 5 MB does at 2 Gbit/s: the protocol's own times (HAVEs
are told every 250 ms) then weigh what they do in a deploy of gigabytes, and more at a higher ``--rate``.
A deploy to 1,000 hosts has some 1,000 chunks, if its file is large enough; 250 are the harder case. Takes
an hour and 0.5 GiB; ``--all`` adds 10,000 hosts, and another hour.
"""

from __future__ import annotations

import argparse
import resource
import sys
from typing import Any

from fleetpush.cli.values import link_rate
from fleetpush.sim.outcome import Outcome, simulate
from fleetpush.sim.scenario import Scenario
from tests.benchmarks import table

ROWS: dict[str, dict[str, Any]] = {
    "31/250": {"hosts": 31},
    "1000/250": {"hosts": 1000},
    "1000/1000": {"hosts": 1000, "chunks": 1000},
    "1000/250, 5% slow 10x": {"hosts": 1000, "slow": 0.05, "slowness": 10.0},
    "1000/250, 2% die": {"hosts": 1000, "deaths": 0.02},
    "31/250, gossip": {"hosts": 31, "discovery": "gossip"},
    "1000/250, gossip": {"hosts": 1000, "discovery": "gossip"},
    "1000/250, gossip, 5% lost": {"hosts": 1000, "discovery": "gossip", "loss": 0.05},
    "1000/250, 20 racks 4:1": {"hosts": 1000, "racks": 20, "oversubscription": 4.0},
    "1000/1000, 5% slow 10x": {"hosts": 1000, "chunks": 1000, "slow": 0.05, "slowness": 10.0},
    "1000/1000, 2% die": {"hosts": 1000, "chunks": 1000, "deaths": 0.02},
    "1000/1000, 20 racks 4:1": {
        "hosts": 1000,
        "chunks": 1000,
        "racks": 20,
        "oversubscription": 4.0,
    },
}
HUGE: dict[str, dict[str, Any]] = {"10000/250": {"hosts": 10_000}}
COLUMNS = ("ratio", "unslowed", "bound", "copies/rack", "ctl/chunk", "done", "wall s", "msg/s")


def main() -> int:
    options = _arguments()
    rows = {**ROWS, **(HUGE if options.all else {})}
    chosen = {name: given for name, given in rows.items() if options.only in name}
    found = {}
    if not options.json:
        print(f"{'hosts/chunks':<27}" + "".join(f"{name:>12}" for name in COLUMNS))
    for name, given in chosen.items():
        outcome = simulate(Scenario(rate=options.rate, seed=options.seed, **given))
        found[name] = outcome
        if not options.json:
            print(f"{name:<27}" + "".join(f"{cell:>12}" for cell in _cells(outcome)), flush=True)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    if options.json:
        documents = [{"row": name, **outcome.as_json()} for name, outcome in found.items()]
        print(table.as_json({"rows": documents, "peak_rss_mib": peak}))
    else:
        print(f"at most {peak:.0f} MiB")
    return 3 if any(outcome.lacking for outcome in found.values()) else 0


def _cells(outcome: Outcome) -> list[str]:
    return [
        _ratio(outcome.ratio),
        _ratio(outcome.ratio_unslowed),
        _ratio(outcome.bound_ratio),
        f"{outcome.copies_per_rack:.2f}",
        f"{outcome.control_messages_per_chunk:.1f}",
        f"{outcome.completed}/{outcome.survivors}",
        f"{outcome.wall_s:.1f}",
        f"{outcome.messages_per_s:,.0f}",
    ]


def _ratio(ratio: float | None) -> str:
    return "-" if ratio is None else f"{ratio:.3f}"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--all", action="store_true", help="10,000 hosts, too")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--only", default="", help="rows whose name has this in it")
    parser.add_argument("--rate", type=link_rate, default=12_500_000)
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
