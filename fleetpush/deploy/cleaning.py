"""Takes away what runs that died have left on hosts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fleetpush.deploy.errand import Errand
from fleetpush.deploy.fleet import choose

if TYPE_CHECKING:
    from collections.abc import Callable

    from fleetpush.deploy.options import DeployOptions


def clean(options: DeployOptions, warn: Callable[[str], None], *, check: bool) -> Errand:
    """The errand that does it, where ``options`` would deploy to; ``check``: only looks.

    Raises FleetpushError for what is wrong before any host is touched.
    """
    places = choose(options, warn, without_sources=True)
    tasks = {
        place.name: ("clean", {"dir": place.release_dir, "dest": place.dest, "check": check})
        for place in places
    }
    return Errand(options.ssh, {place.name: place.target for place in places}, tasks, warn)
