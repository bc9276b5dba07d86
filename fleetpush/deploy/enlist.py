"""Bringing agents up: connect, bootstrap, keep the connection until the run lets it go."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import fleetpush
from fleetpush.deploy.progress import HostPhase
from fleetpush.deploy.sharing import shared
from fleetpush.errors import HostError, HostFailure
from fleetpush.remote import become, bootstrap
from fleetpush.remote.connection import Target
from fleetpush.swarm.plan import shape_of

if TYPE_CHECKING:
    from fleetpush.deploy.fleet import Place
    from fleetpush.deploy.identity import RunIdentity
    from fleetpush.deploy.member import Member
    from fleetpush.deploy.options import DeployOptions
    from fleetpush.deploy.source import Source
    from fleetpush.remote.connectors import Connectors

HELLO_WITHIN = 60.0
"""Seconds that a slow host may take to start a Python."""

REPORTS_A_SECOND = 400
"""Progress messages that all agents together may send in a second."""


class Enlistment:
    """Shared by all hosts of a run. ``draining``: no further host is begun once it is set."""

    def __init__(
        self, options: DeployOptions, connectors: Connectors, run_id: str, draining: asyncio.Event
    ) -> None:
        self._options = options
        self._connectors = connectors
        self._run_id = run_id
        self._draining = draining
        self._common: dict[str, Any] = {}
        self._manifest = b""
        self._identity: RunIdentity | None = None
        self._paths: list[str] = []
        self._have_source = asyncio.Event()
        self.warnings: list[str] = []

    def ready(self, source: Source, identity: RunIdentity, topology: str, hosts: int) -> None:
        """The manifest is known: agents may be configured."""
        shape = shape_of(topology, source.manifest.chunk_size)
        self._manifest = source.manifest.encode()
        self._identity = identity
        self._paths = [str(path) for path in source.paths]
        self._common = {
            "version": fleetpush.__version__,
            "run": self._run_id,
            "ca": identity.ca_pem.decode(),
            "shape": shape._asdict(),
            "encrypt": self._options.encrypt,
            "verify_full": self._options.verify == "full",
            "activate": self._options.activate,
            "grace": self._options.detach_grace,
            "mode": self._options.mode,
            "owner": self._options.owner,
            "group": self._options.group,
            "report_every": max(0.25, hosts / REPORTS_A_SECOND),
        }
        self._have_source.set()

    async def host(self, member: Member, place: Place) -> None:
        """One host's whole life in the run; its failures become its result."""
        member.dest = place.dest
        member.rates = place.rates
        member.becomes = place.target.become is not None
        try:
            await self._connect(member, place.target)
            await self._have_source.wait()
            config = {
                "role": "host",
                "ssh": place.target.connection != "local",
                "address": place.address
                or ("127.0.0.1" if place.target.connection == "local" else ""),
                "ports": place.ports,
                "dest": place.dest,
                "paths": [],
                "up_limit": self._options.host_bwlimit,
                "down_limit": self._options.host_bwlimit,
            }
            await self._bootstrap(member, config, place.target)
        except HostError as error:
            member.fail(error.failure)
        finally:
            await self._let_go(member)

    async def origin(self, member: Member, places: list[Place]) -> None:
        """The operator's own machine as a peer; its failure ends the run."""
        here = all(
            p.target.address.startswith("127.") or p.target.connection == "local" for p in places
        )
        try:
            target = Target(name="origin", address="localhost", connection="local")
            member.connection = await self._connectors.connect(target)
            config = {
                "role": "origin",
                "ssh": False,
                # Reachable from outside only if there is an outside.
                "address": "127.0.0.1" if here else "",
                "ports": self._options.port_range,
                "dest": "",
                "paths": self._paths,
                "down_limit": None,
            }
            limit = self._options.bwlimit
            async with shared(limit, member.channel, self.warnings.append) as share:
                await self._bootstrap(member, {**config, "up_limit": share}, target)
        except HostError as error:
            member.fail(error.failure)
        finally:
            await self._let_go(member)

    async def _connect(self, member: Member, target: Target) -> None:
        if self._draining.is_set():
            raise HostError("interrupted", "the run was interrupted before this host's turn came")
        member.enter(HostPhase.CONNECTING)
        member.connection = await self._connectors.connect(target)
        member.connected()

    async def _bootstrap(self, member: Member, config: dict[str, Any], target: Target) -> None:
        """Starts the agent and stays until it is gone."""
        assert self._identity is not None
        assert member.connection is not None
        if self._draining.is_set():
            raise HostError("interrupted", "the run was interrupted before this host's turn came")
        member.enter(HostPhase.BOOTSTRAPPING)
        certificate, key = self._identity.issue(member.peer)
        config |= self._common
        config |= {
            "me": member.peer,
            "marker": member.channel.marker,
            "cert": certificate.decode(),
            "key": key.decode(),
        }
        line = bootstrap.command(target.python)
        process = await become.start(member.connection, line, member.channel, target.become)
        member.channel.attach(process, bootstrap.payload(config, self._manifest))
        try:
            async with asyncio.timeout(HELLO_WITHIN):
                await member.greeted.wait()
        except TimeoutError:
            member.fail(
                HostFailure(
                    "bootstrap_timeout",
                    f"no agent came up within {HELLO_WITHIN:.0f} s; is its Python broken?",
                )
            )
            member.channel.kill()
        await member.gone.wait()

    async def _let_go(self, member: Member) -> None:
        member.gone.set()
        member.greeted.set()
        if member.connection is not None:
            await member.connection.close()
