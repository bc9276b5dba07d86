"""What a run that switched hosts together left open: settled where all have switched, or undone."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from fleetpush.deploy.errand import Errand
from fleetpush.deploy.fleet import choose
from fleetpush.deploy.walk import is_directory, name_of
from fleetpush.errors import InputError
from fleetpush.inventory.located import located

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from fleetpush.deploy.fleet import Place
    from fleetpush.deploy.options import DeployOptions


def after_switching(
    what: Literal["settle", "undo"],
    options: DeployOptions,
    digest: str,
    warn: Callable[[str], None],
) -> Errand:
    """The errand that does it on the hosts of ``options``; ``digest`` is the run's manifest's, in hex.

    Raises FleetpushError for what is wrong before any host is touched.
    """
    if what == "undo" and options.release_dir is None:
        _refuse_trees(options.sources)
    places = choose(options, warn)
    tasks = {place.name: (what, _arguments(place, options, digest)) for place in places}
    return Errand(options.ssh, {place.name: place.target for place in places}, tasks, warn)


def _refuse_trees(sources: Sequence[str]) -> None:
    trees = [name_of(source) for source in sources if is_directory(source)]
    if trees:
        raise InputError(
            f"{', '.join(trees)}: what a tree replaced is not kept and cannot be put back: go on with the "
            "run (runs resume), or deploy what was there before; --release-dir keeps it",
            slug="tree_not_kept",
        )


def _arguments(place: Place, options: DeployOptions, digest: str) -> dict[str, Any]:
    return {
        "content": digest[:12],
        "dir": place.release_dir,
        "keep": options.keep_releases,
        "dest": place.dest,
        "files": list(dict.fromkeys(map(_name, options.sources))),
    }


def _name(source: str) -> str:
    elsewhere = located(source)
    return Path(source).name if elsewhere is None else elsewhere.name
