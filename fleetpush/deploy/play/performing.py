"""Does the tasks of plays on hosts: one SSH connection a host for all of them, and an agent that stays."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

from fleetpush.deploy.fleet import place_of
from fleetpush.deploy.play.asking import outcome, question
from fleetpush.deploy.play.looking import Looking
from fleetpush.deploy.play.performer import Call, Outcome
from fleetpush.deploy.play.pushing import Pushes, in_groups
from fleetpush.deploy.progress import Notice
from fleetpush.deploy.sessions.fleet import Sessions
from fleetpush.remote import bootstrap
from fleetpush.remote.target import target_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fleetpush.deploy.options import DeployOptions
    from fleetpush.deploy.play.events import PlayObserver
    from fleetpush.deploy.play.options import PlayOptions
    from fleetpush.deploy.play.performer import Performer
    from fleetpush.deploy.play.program import Program
    from fleetpush.deploy.progress import Level
    from fleetpush.deploy.sessions.session import Session
    from fleetpush.inventory.model import Host
    from fleetpush.playbook.model import Become, Task
    from fleetpush.remote.connection import Target
    from fleetpush.remote.settings import BecomeMethod


def performer_for(options: PlayOptions, program: Program, observer: PlayObserver) -> Performer:
    """The performer that does tasks over SSH, as ``options.ssh`` says; ``observer`` hears of its progress."""
    return SessionPerformer(options, observer, gossips=program.may_gossip())


class SessionPerformer:
    """A session for each host and, where tasks become somebody else there, one more over its connection.

    A host's connection is called by its name; an agent by that and whom it runs as. ``gossips``: some push is
    one whose hosts find each other.
    """

    def __init__(
        self, options: PlayOptions, observer: PlayObserver, *, gossips: bool = False
    ) -> None:
        self._options = options
        self._observer = observer
        self._began = time.monotonic()
        self._sessions = Sessions(options.ssh, bootstrap.staying_kit(gossip=gossips))
        self._pushes = Pushes(options, self._sessions.connectors, self._notice)
        self._hosts: dict[str, Host] = {}
        self._agents: dict[str, set[str]] = {}
        self._awake = False

    # -- Performer

    async def begin(self, hosts: Sequence[Host]) -> Mapping[str, Outcome]:
        """Connects; agents are started by the first task, which says whom they run as."""
        if not self._awake:
            self._awake = True
            await self._sessions.__aenter__()
        await self.release(
            [host.name for host in hosts]
        )  # what is left of one that was lost before
        self._hosts |= {host.name: host for host in hosts}
        targets = {host.name: self._target(host, None) for host in hosts}
        failures = await self._sessions.connect(targets)
        for name in failures:
            await self._sessions.end([name])
        return {name: Outcome.of(failure) for name, failure in failures.items()}

    async def perform(
        self, task: Task, calls: Mapping[str, Call], check: bool
    ) -> Mapping[str, Outcome]:
        """Asks each host's agent, or lets all of them take part in an exchange."""
        agents = {name: self._agent(name, call.become) for name, call in calls.items()}
        failures = await self._sessions.start(agents.values())
        outcomes = {
            name: Outcome.of(failures[agent]) for name, agent in agents.items() if agent in failures
        }
        left = {name: call for name, call in calls.items() if name not in outcomes}
        if task.action in ("push", "activate"):
            done = await self._deliver(task.action == "push", agents, left, check=check)
        else:
            done = await self._ask(agents, left, check=check)
        return {**outcomes, **done}

    async def release(self, hosts: Sequence[str]) -> None:
        """Their agents leave, and their connections end."""
        names = [agent for host in hosts for agent in self._agents.pop(host, set())]
        await self._sessions.end([*names, *hosts])

    async def close(self) -> None:
        """All agents leave."""
        if self._awake:
            self._awake = False
            await self._sessions.__aexit__(None, None, None)
            for text in self._sessions.warnings:
                self._notice("warning", text)

    # -- sessions

    def _agent(self, name: str, become: Become) -> str:
        """The session of ``name`` in which tasks that say ``become`` are done."""
        target = self._target(self._hosts[name], become)
        user = target.become
        agent = f"{name}\0{user.user}\0{user.method}" if user else f"{name}\0"
        self._agents.setdefault(name, set()).add(agent)
        self._sessions.add_beside(agent, target, name)
        return agent

    def _target(self, host: Host, become: Become | None) -> Target:
        settings = self._options.ssh
        if become is not None:
            # What is not said is as the command line has it; a template is filled in by now.
            wanted, user = cast("bool | None", become.become), cast("str | None", become.user)
            method = cast("BecomeMethod | None", become.method)
            settings = replace(
                settings,
                become=settings.become if wanted is None else wanted,
                become_user=user or settings.become_user,
                become_method=method or settings.become_method,
            )
        return target_of(host, settings, lambda text: self._notice("warning", text))

    # -- tasks

    async def _ask(
        self, agents: Mapping[str, str], calls: Mapping[str, Call], *, check: bool
    ) -> dict[str, Outcome]:
        outcomes: dict[str, Outcome] = {}
        questions: dict[str, tuple[str, Mapping[str, Any]]] = {}
        for name, call in calls.items():
            try:
                questions[agents[name]] = question(call, check=check)
            except ValueError as error:
                outcomes[name] = Outcome("failed", "bad_command", f"{error}: {call.arguments}")
        answers = await self._sessions.ask(questions)
        for name, call in calls.items():
            if name not in outcomes:
                outcomes[name] = outcome(call, answers[agents[name]])
        return outcomes

    async def _deliver(
        self, push: bool, agents: Mapping[str, str], calls: Mapping[str, Call], *, check: bool
    ) -> dict[str, Outcome]:
        """A push, or the switch to what was pushed before."""
        wanted = self._pushes.wanted(calls) if push else self._pushes.again(calls)
        text = "nothing was pushed to it in these plays that could be switched to"
        missing = {
            name: Outcome("failed", "nothing_pushed", text) for name in calls if name not in wanted
        }
        if check:
            return {**missing, **await self._compare(agents, wanted)}
        sessions: dict[str, Session] = {name: self._sessions[agents[name]] for name in wanted}
        targets = {name: session.target for name, session in sessions.items()}
        hosts = {name: self._hosts[name] for name in wanted}
        return {**missing, **await self._pushes.run(hosts, targets, sessions, wanted)}

    async def _compare(
        self, agents: Mapping[str, str], wanted: Mapping[str, DeployOptions]
    ) -> dict[str, Outcome]:
        """Changed is what would be."""
        looking = Looking(self._sessions, self._notice)
        outcomes: dict[str, Outcome] = {}
        for group in in_groups(wanted):
            places = {
                name: place_of(self._hosts[name], options, self._sessions[agents[name]].target)
                for name, options in group.items()
            }
            outcomes |= await looking.at(agents, places, next(iter(group.values())))
        return outcomes

    def _notice(self, level: str, text: str) -> None:
        at = time.monotonic() - self._began
        self._observer.handle(Notice(at, cast("Level", level), text))
