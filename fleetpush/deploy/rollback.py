"""Back to the release before, on every host of an inventory."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from fleetpush.deploy.errand import Errand
from fleetpush.deploy.fleet import choose

if TYPE_CHECKING:
    from collections.abc import Callable

    from fleetpush.deploy.options import DeployOptions


def rollback(
    options: DeployOptions, to: str | None, warn: Callable[[str], None], *, check: bool = False
) -> Errand:
    """The errand that does it; ``to`` is a part of the name of the release that is wanted.

    ``options`` say where and on which hosts. Raises FleetpushError for what is wrong before any is touched.
    """
    places = choose(replace(options, dest=None), warn, without_sources=True)
    tasks = {
        place.name: ("roll_back", {"dir": place.release_dir, "to": to, "check": check})
        for place in places
    }
    return Errand(options.ssh, {place.name: place.target for place in places}, tasks, warn)
