"""A run as a picture: how far the fleet was over time, as an SVG document."""

from __future__ import annotations

from math import floor, log10
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

if TYPE_CHECKING:
    from collections.abc import Callable

    from fleetpush.sim.curve import Point
    from fleetpush.sim.outcome import Outcome

WIDTH, HEIGHT = 860, 460
LEFT, RIGHT, TOP, BOTTOM = 64, 24, 62, 84
"""Margins around the axes."""

INK, FAINT, GRID = "#24292f", "#57606a", "#d8dee4"
CURVES: tuple[tuple[str, str, str, Callable[[Point], float]], ...] = (
    ("chunks delivered", "#0969da", "", lambda p: p.delivered),
    ("median host", "#bf8700", "7 4", lambda p: p.median),
    ("slowest host", "#cf222e", "2 3", lambda p: p.slowest),
    ("hosts complete", "#1a7f37", "", lambda p: p.complete),
)
"""What is said of each, its colour, its dashes, its value from 0 to 1."""


def svg(outcome: Outcome) -> str:
    """Complete in itself: no fonts or styles from anywhere."""
    bound = outcome.bound_ratio * outcome.scenario.copy_time
    last = max((p.at for p in outcome.curve), default=0.0)
    step = _step(max(last, bound))
    end = step * -(-max(last, bound) * 1.02 // step)

    def x(at: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * min(1.0, max(0.0, at) / end)

    body = [
        *_axes(step, end, x),
        *_bound(bound, x),
        *_curves(outcome.curve, x),
        *_words(outcome),
    ]
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}"'
            f' width="{WIDTH}" height="{HEIGHT}" font-family="sans-serif" font-size="13"'
            f' fill="{INK}" role="img">',
            f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>',
            *body,
            "</svg>\n",
        ]
    )


def _y(share: float) -> float:
    return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * share


def _step(end: float) -> float:
    """Between marks of the time axis: 1, 2 or 5 of a power of ten, at most ten marks."""
    power = 10.0 ** floor(log10(end / 10))
    return next(power * m for m in (1, 2, 5, 10) if end / (power * m) <= 10)


def _text(x: float, y: float, words: str, **more: str | int) -> str:
    given = "".join(f' {name.replace("_", "-")}="{value}"' for name, value in more.items())
    return f'<text x="{x:.1f}" y="{y:.1f}"{given}>{escape(words)}</text>'


def _line(x1: float, y1: float, x2: float, y2: float, *, colour: str, dashes: str = "") -> str:
    dash = f' stroke-dasharray="{dashes}"' if dashes else ""
    return (
        f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}"{dash}/>'
    )


def _axes(step: float, end: float, x: Callable[[float], float]) -> list[str]:
    drawn = []
    for percent in range(0, 101, 20):
        y = _y(percent / 100)
        drawn.append(_line(LEFT, y, WIDTH - RIGHT, y, colour=GRID))
        drawn.append(_text(LEFT - 8, y + 4, f"{percent}%", text_anchor="end", fill=FAINT))
    for mark in range(round(end / step) + 1):
        at = x(mark * step)
        drawn.append(_line(at, _y(0), at, _y(0) + 5, colour=FAINT))
        label = f"{mark * step:.6g}"
        drawn.append(_text(at, _y(0) + 20, label, text_anchor="middle", fill=FAINT))
    middle = (LEFT + WIDTH - RIGHT) / 2
    drawn.append(_line(LEFT, _y(0), WIDTH - RIGHT, _y(0), colour=FAINT))
    drawn.append(_line(LEFT, _y(0), LEFT, _y(1), colour=FAINT))
    words = "seconds since the first byte was sent"
    drawn.append(_text(middle, _y(0) + 40, words, text_anchor="middle", fill=FAINT))
    return drawn


def _bound(bound: float, x: Callable[[float], float]) -> list[str]:
    at = x(bound)
    return [
        _line(at, _y(0), at, _y(1), colour=FAINT, dashes="4 4"),
        _text(at - 6, _y(0) - 8, "bound", text_anchor="end", fill=FAINT),
    ]


def _curves(points: tuple[Point, ...], x: Callable[[float], float]) -> list[str]:
    drawn = []
    for number, (name, colour, dashes, value) in enumerate(CURVES):
        path = " ".join(f"{x(p.at):.1f},{_y(value(p)):.1f}" for p in points)
        dash = f' stroke-dasharray="{dashes}"' if dashes else ""
        stroke = f'stroke="{colour}" stroke-width="2"{dash}'
        drawn.append(f'<polyline points="{path}" fill="none" {stroke}/>')
        left, y = LEFT + 200 * number, HEIGHT - 16
        drawn.append(f'<line x1="{left}" y1="{y - 4}" x2="{left + 28}" y2="{y - 4}" {stroke}/>')
        drawn.append(_text(left + 36, y, name))
    return drawn


def _words(outcome: Outcome) -> list[str]:
    s = outcome.scenario
    ratio = f"ratio {outcome.ratio:.3f}" if outcome.ratio is not None else "not complete"
    title = f"{s.topology}: {s.hosts:,} hosts, {s.chunks:,} chunks of {s.chunk_size // 1024:,} KiB"
    told = f"{ratio} (bound {outcome.bound_ratio:.3f}), {outcome.completed:,} of"
    return [
        _text(LEFT, 26, title, font_size=17, font_weight="bold"),
        _text(LEFT, 46, f"{told} {outcome.survivors:,} hosts complete, seed {s.seed}", fill=FAINT),
    ]
