"""The Python API: one deploy, awaited or waited for. What the command line does, and nothing more."""

from __future__ import annotations

import asyncio
import json
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypedDict, Unpack, get_args, get_origin, get_type_hints

from fleetpush.deploy.history.recorder import history_or_none, remembering
from fleetpush.deploy.options import DeployOptions, SshOptions, Topology
from fleetpush.deploy.progress import Notice
from fleetpush.deploy.runner import Run
from fleetpush.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from fleetpush.deploy.progress import Event
    from fleetpush.deploy.results import RunReport

    Names = str | os.PathLike[str] | Iterable[str | os.PathLike[str]]


class Keywords(TypedDict, total=False):
    """What may be said of a deploy beside sources and inventory; the flags of the same names say more.

    Sizes in bytes, rates in bytes a second, times in seconds.
    """

    dest: str | None
    """A Jinja2 template over the host's variables. Default: ``fleetpush_dest``, else as ``scp`` does."""
    exclude: tuple[str, ...]
    """Patterns of what directories are deployed without, as ``--exclude`` has them."""
    delete: bool
    """Removes what the source directory lacks."""
    limit: str | None
    """A host pattern."""
    ssh: SshOptions
    topology: Topology
    tree_fanout: int | None
    discovery: Literal["tracker", "gossip"]
    rack_by: str | None
    """Racks where ``fleetpush_rack`` names none: as ``--rack-by`` has them."""
    chunk_size: int | None
    """A whole number of 64 KiB blocks; None chooses one."""
    bwlimit: int | None
    """What this machine sends at most."""
    host_bwlimit: int | None
    """What each host receives at most, and sends."""
    port_range: tuple[int, int]
    """Both ends included."""
    encrypt: bool
    verify: Literal["chunks", "full"]
    checksum: bool
    reuse: tuple[str, ...]
    """Files on the hosts that may hold some of the content; templates like ``dest``."""
    no_reuse: bool
    activate: Literal["each", "together", "none"]
    release_dir: str | None
    """A directory of releases, ``current`` the active one; a template like ``dest``, instead of it."""
    keep_releases: int
    mode: int | None
    """Permissions: ``0o644``."""
    owner: str | None
    group: str | None
    expected: str | None
    """The manifest's digest in hex, as an earlier report has it: any other content is refused."""
    stall: float
    deadline: float | None
    detach_grace: float
    min_success: float | None
    """In per cent."""
    sign_key: Path | None
    """What the run's receipt is signed with; by default a key that the state directory has."""
    gather: bool


def deploy(
    sources: Names,
    inventory: Names,
    *,
    extra_vars: Mapping[str, str] | None = None,
    on_event: Callable[[Event], None] | None = None,
    state_dir: str | os.PathLike[str] | None = None,
    record: bool = True,
    **keywords: Unpack[Keywords],
) -> RunReport:
    """Pushes ``sources`` to every host of ``inventory``, verifies them there and activates them.

    ``sources``: one path or several, here or (``HOST:PATH``) on hosts of the inventory. ``inventory``:
    what ``-i`` takes, one or several. ``extra_vars`` beat the inventory's variables. ``on_event`` hears
    what happens (``fleetpush.deploy.progress``), in the thread and event loop of the run: it must return
    quickly; what it raises ends the run and is raised here.

    The run is recorded where ``fleetpush runs`` looks, or in ``state_dir``; with ``record=False`` it is not.
    A record that cannot be written is a notice to ``on_event``.

    A host that fails is no exception: the report's ``results`` say what became of each, its ``exit_code``
    what the command would have ended with. Raises FleetpushError (InputError, UsageError) for what is wrong
    before any host is touched, RuntimeError inside an event loop: there await ``deploy_async``. Ctrl-C ends
    the run, hosts cleaned up, in KeyboardInterrupt.
    """
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        work = deploy_async(
            sources,
            inventory,
            extra_vars=extra_vars,
            on_event=on_event,
            state_dir=state_dir,
            record=record,
            **keywords,
        )
        return asyncio.run(work)
    raise RuntimeError("an event loop is running here: await fleetpush.deploy_async(...) instead")


async def deploy_async(
    sources: Names,
    inventory: Names,
    *,
    extra_vars: Mapping[str, str] | None = None,
    on_event: Callable[[Event], None] | None = None,
    state_dir: str | os.PathLike[str] | None = None,
    record: bool = True,
    **keywords: Unpack[Keywords],
) -> RunReport:
    """As ``deploy``, in the running event loop. Cancelling it ends the run and cleans the hosts up first."""
    options = DeployOptions(
        sources=_names(sources),
        inventories=_names(inventory),
        extra_vars=(json.dumps(dict(extra_vars)),) if extra_vars else (),
        **keywords,
    )
    _check_choices(options)
    _check_choices(options.ssh)
    listener = _Listener(on_event)
    place = None if state_dir is None else Path(state_dir)
    history = history_or_none(place, listener.warn) if record else None
    try:
        recorded = remembering(history, options, listener, listener.warn)
        async with recorded as (recorder, memory):
            run = Run(options, recorder, memory=memory)
            listener.work = asyncio.create_task(run.execute())
            report = await listener.work
    except asyncio.CancelledError:
        if listener.error is not None:
            raise listener.error from None
        raise
    if listener.error is not None:
        raise listener.error
    return report


class _Listener:
    """Hands events on; the first exception that comes back ends the run."""

    def __init__(self, callback: Callable[[Event], None] | None) -> None:
        self._callback = callback
        self.error: Exception | None = None
        self.work: asyncio.Task[RunReport] | None = None
        self._made = time.monotonic()

    def handle(self, event: Event) -> None:
        if self._callback is None or self.error is not None:
            return
        try:
            self._callback(event)
        except Exception as error:  # noqa: BLE001 - the caller's own; it is raised where the caller waits
            self.error = error
            if self.work is not None:
                self.work.cancel()

    def warn(self, text: str) -> None:
        """Something to know that came up after the run's end."""
        self.handle(Notice(time.monotonic() - self._made, "warning", text))


def _names(given: Names) -> tuple[str, ...]:
    """One name or several, as the options take them."""
    return tuple(
        os.fspath(name) for name in ([given] if isinstance(given, str | os.PathLike) else given)
    )


def _check_choices(options: DeployOptions | SshOptions) -> None:
    """The command line's parser refuses what is no choice; here nobody else would. Raises UsageError."""
    for name, wanted in get_type_hints(type(options), localns={"Path": Path}).items():
        value = getattr(options, name)
        if get_origin(wanted) is Literal and value not in get_args(wanted):
            choices = ", ".join(map(repr, get_args(wanted)))
            raise UsageError(f"{name} must be one of {choices}, not {value!r}")
