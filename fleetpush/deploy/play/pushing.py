"""Pushes in a play: hosts that are told the same take part in one exchange, over the sessions they have."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any

from fleetpush.deploy.enlist import stamp_now
from fleetpush.deploy.fleet import place_of
from fleetpush.deploy.history.recorder import history_or_none, remembering
from fleetpush.deploy.options import DeployOptions
from fleetpush.deploy.play.performer import Outcome
from fleetpush.deploy.play.watching import PushWatch
from fleetpush.deploy.results import HostStatus
from fleetpush.deploy.runner import Run
from fleetpush.deploy.sessions.enlistment import Gathering
from fleetpush.errors import HostFailure, InputError
from fleetpush.inventory.located import located

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from fleetpush.deploy.fleet import Place
    from fleetpush.deploy.play.options import PlayOptions
    from fleetpush.deploy.play.performer import Call
    from fleetpush.deploy.results import HostResult, RunReport
    from fleetpush.deploy.sessions.session import Session
    from fleetpush.inventory.model import Host
    from fleetpush.remote.connection import Target
    from fleetpush.remote.connectors import Connectors

_PLACE = ("dest", "release_dir")
"""What may differ from host to host in one exchange."""


class Pushes:
    """``warn`` hears what is not one host's. Remembers what each host was pushed, for ``activate``."""

    def __init__(
        self,
        options: PlayOptions,
        connectors: Connectors,
        notice: Callable[[str, str], None],
    ) -> None:
        """``notice``: told a level and a text."""
        self._options = options
        self._connectors = connectors
        self._notice = notice
        self._pushed: dict[str, DeployOptions] = {}
        self._stamp = stamp_now()  # one name for a release in all batches

    def wanted(self, calls: Mapping[str, Call]) -> dict[str, DeployOptions]:
        """What each host is pushed."""
        found = {}
        for name, call in calls.items():
            options = self._deploy_options(call.arguments)
            self._pushed[name] = options
            found[name] = options
        return found

    def again(self, calls: Mapping[str, Call]) -> dict[str, DeployOptions]:
        """What each host that was pushed something is to switch to; the others are missing."""
        found = {}
        for name, call in calls.items():
            if name not in self._pushed:
                continue
            together = bool(call.arguments.get("together"))
            threshold: Any = call.arguments.get("threshold")
            found[name] = replace(
                self._pushed[name],
                activate="together" if together or threshold is not None else "each",
                min_success=threshold,
            )
        return found

    def _deploy_options(self, given: Mapping[str, Any]) -> DeployOptions:
        names = {field.name for field in fields(DeployOptions)}
        said = {name: value for name, value in given.items() if name in names}
        for source in given["src"]:
            if located(source) is not None:
                raise InputError(
                    f"push: {source}: it takes files of this machine (./{source} for one of that name)"
                )
        return DeployOptions(
            sources=tuple(given["src"]),
            inventories=self._options.inventories,
            extra_vars=self._options.extra_vars,
            ssh=self._options.ssh,
            **said,
        )

    async def run(
        self,
        hosts: Mapping[str, Host],
        targets: Mapping[str, Target],
        sessions: Mapping[str, Session],
        wanted: Mapping[str, DeployOptions],
    ) -> dict[str, Outcome]:
        """Delivers to each host what is ``wanted`` there. Raises InputError for sources that cannot be."""
        outcomes: dict[str, Outcome] = {}
        for group in in_groups(wanted):
            places = [
                place_of(hosts[name], options, targets[name]) for name, options in group.items()
            ]
            among = Gathering(places, sessions, self._connectors, self._stamp)
            report = await self._one(next(iter(group.values())), among)
            outcomes |= {result.host: outcome_of(result, report) for result in report.results}
        return outcomes

    async def _one(self, options: DeployOptions, among: Gathering) -> RunReport:
        recorded = as_one(options, among.places)
        history = history_or_none(self._options.state_dir, self._warn)
        watch = PushWatch(self._notice)
        told = remembering(history, recorded, watch, self._warn)
        async with told as (recorder, memory):
            return await Run(options, recorder, among=among, memory=memory).execute()

    def _warn(self, text: str) -> None:
        self._notice("warning", text)


def in_groups(wanted: Mapping[str, DeployOptions]) -> list[dict[str, DeployOptions]]:
    """Hosts that take part in one exchange: they are told the same, but for the place."""
    groups: dict[DeployOptions, dict[str, DeployOptions]] = {}
    for name, options in wanted.items():
        alike = replace(options, dest=None, release_dir=None)
        groups.setdefault(alike, {})[name] = options
    return list(groups.values())


def as_one(options: DeployOptions, places: Sequence[Place]) -> DeployOptions:
    """The deploy that would do the same: so can the push be looked at, tried again and resumed."""
    limit = ",".join(place.name for place in places)
    if options.release_dir is not None:
        where = {place.name: place.release_dir for place in places}
        return replace(options, limit=limit, release_dir=_template(where))
    return replace(options, limit=limit, dest=_template({p.name: p.dest for p in places}))


def _template(by_host: Mapping[str, str]) -> str:
    """A template that comes to each host's own value."""
    values = set(by_host.values())
    if len(values) == 1:
        return values.pop()
    pairs = (f"{_literal(name)}: {_literal(value)}" for name, value in by_host.items())
    return "{{ {" + ", ".join(pairs) + "}[inventory_hostname] }}"


def _literal(text: str) -> str:
    """As a template has it, where a backslash is one, and before a quote spoils it."""
    parts = [_quoted(part) for part in text.split("'")]
    return "(" + ' ~ "\'" ~ '.join(parts) + ")"


def _quoted(text: str) -> str:
    odd = (len(text) - len(text.rstrip("\\"))) % 2
    return f"'{text[:-1]}' ~ '\\\\'[:1]" if odd else f"'{text}'"


def outcome_of(result: HostResult, report: RunReport) -> Outcome:
    """What a host's result of an exchange is to a play."""
    kept = {
        "dest": result.dest,
        "digest": result.digest,
        "run_id": report.run_id,
        "bytes_received": result.bytes_received,
        "over_ssh": result.over_ssh,
        "files": [
            {"path": file.path, "size": file.size, "sha256": file.sha256} for file in report.files
        ],
    }
    if not result.status.good:
        unreachable = result.status is HostStatus.UNREACHABLE
        return Outcome.of(HostFailure(result.slug, result.message, unreachable), **kept)
    if report.error:
        text = f"verified, and not switched: {report.error}"
        return Outcome("failed", "held_back", text, {**kept, "msg": text})
    changed = result.changed or result.status is HostStatus.VERIFIED
    return Outcome("changed" if changed else "ok", result={**kept, "msg": ""})
