"""Plays a simulation for the command line: progress, picture and result, never a traceback."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from fleetpush.cli.simulation_text import lines
from fleetpush.errors import FleetpushError, InputError
from fleetpush.sim.outcome import simulate
from fleetpush.sim.plot import svg

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from fleetpush.cli.output import Output
    from fleetpush.sim.curve import Point
    from fleetpush.sim.outcome import Outcome
    from fleetpush.sim.scenario import Scenario

_FAILED = 3
_INTERRUPTED = 130


def conclude(output: Output, scenario: Callable[[], Scenario], plot: Path | None) -> int:
    """The exit code; never a traceback."""
    try:
        outcome = _play(scenario(), plot)
        code = _FAILED if outcome.lacking else 0
        output.tell(outcome.as_json(), lines(outcome), code)
    except FleetpushError as error:
        return output.fail(error)
    except KeyboardInterrupt:
        return output.stopped(_INTERRUPTED)
    except Exception as error:  # noqa: BLE001 - a defect of ours is one line, not a traceback
        return output.fail_internally(error)
    return code


def _play(scenario: Scenario, plot: Path | None) -> Outcome:
    if plot is not None and (plot.is_dir() or not os.access(plot.parent, os.W_OK)):
        why = "it is a directory" if plot.is_dir() else f"{plot.parent} is no place to write to"
        raise _no_plot(plot, why)  # before the minutes that a big fleet takes
    watch = _show if sys.stderr.isatty() else None
    outcome = simulate(scenario, watch)
    if watch is not None:
        sys.stderr.write("\r\x1b[K")
    if plot is not None:
        try:
            plot.write_text(svg(outcome), encoding="utf-8")
        except OSError as error:
            raise _no_plot(plot, error.strerror or str(error)) from error
    return outcome


def _no_plot(plot: Path, why: str) -> InputError:
    return InputError(
        f"cannot write the picture {plot}: {why}; name another file with --plot", slug="plot"
    )


def _show(point: Point) -> None:
    sys.stderr.write(
        f"\r{point.delivered:4.0%} delivered, {point.complete:4.0%} of the hosts complete"
    )
    sys.stderr.flush()
