"""Where a run of playbooks gets its performer from: the only place that knows which one it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fleetpush.errors import InputError

if TYPE_CHECKING:
    from fleetpush.deploy.play.events import PlayObserver
    from fleetpush.deploy.play.options import PlayOptions
    from fleetpush.deploy.play.performer import Performer
    from fleetpush.inventory.model import Inventory


def performer_for(options: PlayOptions, inventory: Inventory, observer: PlayObserver) -> Performer:
    """The performer that does tasks over SSH, as ``options.ssh`` says; ``observer`` hears of its progress.

    Raises InputError: there is none yet.
    """
    raise InputError(
        "this version only looks at playbooks: use --syntax-check, --list-tasks, --list-hosts or --list-tags"
    )
