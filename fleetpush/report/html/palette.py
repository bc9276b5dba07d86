"""The colours, light and dark: chosen after Okabe and Ito, so that few eyes take one for another."""

from __future__ import annotations

from fleetpush.report.html.columns import LEVELS, State

WORDS = {
    State.DONE: "done",
    State.VERIFYING: "verifying",
    State.RECEIVING: "receiving",
    State.PREPARING: "preparing",
    State.CONNECTING: "connecting",
    State.WAITING: "waiting",
    State.UNREACHABLE: "unreachable",
    State.FAILED: "failed",
}

LIGHT = {
    State.DONE: "#74c9ad",
    State.VERIFYING: "#e8a200",
    State.RECEIVING: "#4f9fdc",
    State.PREPARING: "#a9b7cc",
    State.CONNECTING: "#c6cfdc",
    State.WAITING: "#e6e9ee",
    State.UNREACHABLE: "#a44fa0",
    State.FAILED: "#d1480b",
}
DARK = {
    State.DONE: "#0d6e57",
    State.VERIFYING: "#f0b429",
    State.RECEIVING: "#4a98d6",
    State.PREPARING: "#55627a",
    State.CONNECTING: "#3d475a",
    State.WAITING: "#282e39",
    State.UNREACHABLE: "#c77cc3",
    State.FAILED: "#f0692c",
}

_LIGHT_RAMP = ("#d3e6f7", "#1762ab")
_DARK_RAMP = ("#173450", "#7cc0f5")


def pixels(dark: bool) -> list[str]:
    """A colour for each value that ``pixel`` has: the states, receiving in its levels."""
    states = DARK if dark else LIGHT
    better = [states[state] for state in State if state < State.RECEIVING]
    worse = [states[state] for state in State if state > State.RECEIVING]
    return [*better, *reversed(ramp(dark)), *worse]


def pixel(state: State, fraction: float) -> int:
    """The greater, the further from done; ``fraction`` of the content that a receiving host has."""
    if state is State.RECEIVING:
        return int(state) + LEVELS - 1 - min(LEVELS - 1, int(fraction * LEVELS))
    return int(state) + (LEVELS - 1 if state > State.RECEIVING else 0)


def ramp(dark: bool) -> list[str]:
    """From hardly begun to nearly there."""
    first, last = (_parts(colour) for colour in (_DARK_RAMP if dark else _LIGHT_RAMP))
    found = []
    for level in range(LEVELS):
        share = level / (LEVELS - 1)
        mixed = (round(a + (b - a) * share) for a, b in zip(first, last, strict=True))
        found.append("#" + "".join(f"{part:02x}" for part in mixed))
    return found


def rgb(colour: str) -> bytes:
    return bytes(_parts(colour))


def variables(dark: bool) -> str:
    """As CSS: ``--done: #74c9ad; ...``."""
    states = DARK if dark else LIGHT
    return " ".join(f"--{WORDS[state]}: {colour};" for state, colour in states.items())


def _parts(colour: str) -> tuple[int, ...]:
    return tuple(int(colour[at : at + 2], 16) for at in (1, 3, 5))
