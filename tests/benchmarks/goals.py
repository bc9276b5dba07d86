"""What each benchmark's figures are aimed at."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

MESH_AND_TREE = ("mesh", "tree")
RIVALS = ("aria2", "libtorrent")
BIT = 125_000
"""Bytes a second in a Mbit/s."""


class Aim(NamedTuple):
    """``figure`` shall be at most ``goal``, or at least where that is ``least``; None: it is only told."""

    what: str
    figure: float
    goal: float | None = None
    least: bool = False

    @property
    def met(self) -> bool:
        if self.goal is None:
            return True
        return self.figure >= self.goal if self.least else self.figure <= self.goal

    @property
    def limit(self) -> str:
        return f"{'≥' if self.least else '≤'} {self.shown(self.goal or 0.0)}"

    def shown(self, value: float) -> str:
        return f"{value:.3f}".rstrip("0").rstrip(".")


RATIOS: dict[tuple[int, int, str, str], float] = {
    (31, 50, "100M", "mesh"): 1.08,
    (31, 50, "100M", "tree"): 1.05,
    (63, 25, "50M", "mesh"): 1.12,
    (15, 100, "200M", "mesh"): 1.06,
}
"""By hosts, Mbit/s, size and topology."""

UNTHROTTLED = {"clear": 0.65, "tls": 1.0}
"""Of the better rival's processor time."""

PAIR = {"pair": 0.8, "through": 0.6}
"""Of a bare loop's rate, with TLS."""

SIMULATED = {
    "31/250": ("ratio", 1.06),
    "1000/250": ("ratio", 1.12),
    "1000/1000": ("ratio", 1.05),
    "1000/250, 5% slow 10x": ("ratio_unslowed", 1.08),
    "1000/250, 2% die": ("ratio", 1.10),
    "1000/250, 20 racks 4:1": ("ratio", 1.12),
    "1000/1000, 5% slow 10x": ("ratio_unslowed", 1.08),
    "1000/1000, 2% die": ("ratio", 1.10),
    "1000/1000, 20 racks 4:1": ("ratio", 1.12),
    "10000/250": ("ratio", 1.15),
}


def aims(document: Mapping[str, Any]) -> Iterator[Aim]:
    """The figures of a benchmark's document that something is aimed at."""
    known = {
        "bound": _bound,
        "unthrottled": _unthrottled,
        "pair": _pair,
        "simulate": _simulate,
        "thousand": _thousand,
        "limits": _limits,
    }.get(document["made"]["benchmark"])
    if known is not None:
        yield from known(document)


def _bound(document: Mapping[str, Any]) -> Iterator[Aim]:
    options, medians = document["options"], document["medians"]
    for name in (name for name in MESH_AND_TREE if name in medians):
        notes = medians[name]
        yield from _makespan(name, document)
        if name == "mesh":
            yield Aim("mesh: bytes that left the origin, over F", notes["origin_sent"], 1.06)
    rivals = [medians[name]["cpu_s_per_gb"] for name in RIVALS if name in medians]
    if rivals:
        share = 0.5 if options["no_encrypt"] else 0.7
        link = "clear" if options["no_encrypt"] else "TLS"
        for name in (name for name in MESH_AND_TREE if name in medians):
            what = f"{name}, {link}: cpu-s/GB, of the better of {' and '.join(RIVALS)}"
            yield Aim(what, medians[name]["cpu_s_per_gb"] / min(rivals), share)


def _makespan(name: str, document: Mapping[str, Any]) -> Iterator[Aim]:
    options, least = document["options"], document["least_s"]
    notes = document["medians"][name]
    slow, racks = options["slow"][0], options["racks"]
    if slow:
        yield Aim(f"{name}: others' last, over F/B", notes["others_last_s"] / least, 1.15)
    elif options["kill"]:
        yield Aim(f"{name}: others' last, over F/B", notes["others_last_s"] / least, 1.20)
    elif racks:
        yield Aim(f"{name}: ratio", notes["ratio"], 1.25)
        copies = max(value for key, value in notes.items() if key.endswith("_copies"))
        yield Aim(f"{name}: copies into a rack, at most", copies, 1.3)
    elif options["size"] in ("1M", "16M"):
        yield Aim(f"{name}: makespan, s", notes["makespan_s"], 0.5 + 1.3 * least)
    else:
        size = (options["hosts"], round(options["rate"] / BIT), options["size"], name)
        yield Aim(f"{name}: ratio", notes["ratio"], RATIOS.get(size))


def _unthrottled(document: Mapping[str, Any]) -> Iterator[Aim]:
    for hosts, found in document.items():
        if hosts == "made":
            continue
        for name, ratios in found["to_better_rival"].items():
            what = f"{hosts} hosts, {name}: cpu-s/GB, of the better rival"
            yield Aim(what, ratios["cpu_s_per_gb"], UNTHROTTLED[name.split()[-1]])


def _pair(document: Mapping[str, Any]) -> Iterator[Aim]:
    for kind in (kind for kind in PAIR if kind in document):
        for name, notes in document[kind]["medians"].items():
            if not name.endswith(" bare"):
                goal = PAIR[kind] if name.startswith("tls") else None
                yield Aim(
                    f"{kind}, {name}: of a bare loop's rate", notes["ratio"], goal, least=True
                )


def _simulate(document: Mapping[str, Any]) -> Iterator[Aim]:
    for row in document["rows"]:
        key, goal = SIMULATED.get(row["row"], ("ratio", None))
        if row[key] is not None:
            yield Aim(f"{row['row']}: {key}", row[key], goal)


def _thousand(document: Mapping[str, Any]) -> Iterator[Aim]:
    cores = document["cli_cpu_ms_a_host"] * document["hosts"] / 1000 / document["wall_s"]
    yield Aim("processors that the command used", cores, 1.0)
    yield Aim("its peak memory, MB", document["cli_peak_rss_mb"], 400)
    yield Aim("control, of the bytes on peer links", document["control_share"], 0.05)


def _limits(document: Mapping[str, Any]) -> Iterator[Aim]:
    for flag in dict.fromkeys(run["flag"] for run in document["runs"]):
        shares = [run["of_limit"] for run in document["runs"] if run["flag"] == flag]
        yield Aim(f"{flag}: most that went over a cable, of the limit", max(shares), 1.05)
        used = [run["median_of_limit"] for run in document["runs"] if run["flag"] == flag]
        yield Aim(f"{flag}: least that was used of it", min(used), 0.9, least=True)
