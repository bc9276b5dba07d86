"""Bringing agents up: connect, bootstrap, keep the connection until the run lets it go."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import fleetpush
from fleetpush.deploy import kits
from fleetpush.deploy.channel import AgentChannel
from fleetpush.deploy.member import ORIGIN
from fleetpush.deploy.progress import HostPhase
from fleetpush.deploy.said import told_every
from fleetpush.deploy.sharing import shared
from fleetpush.deploy.walk import means_contents, on_hosts
from fleetpush.errors import HostError, HostFailure
from fleetpush.remote import become, bootstrap
from fleetpush.remote.connection import Target
from fleetpush.swarm.plan import shape_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fleetpush.deploy.fleet import Place
    from fleetpush.deploy.identity import RunIdentity
    from fleetpush.deploy.member import Member
    from fleetpush.deploy.options import DeployOptions
    from fleetpush.deploy.source import Source
    from fleetpush.remote.connectors import Connectors

HELLO_WITHIN = 60.0
"""Seconds that a slow host may take to start a Python."""


def stamp_now() -> str:
    """How a release is called that begins now (UTC)."""
    return time.strftime("%Y%m%d%H%M%S", time.gmtime())


def what_to_delete(options: DeployOptions) -> dict[str, Any] | None:
    """Where the hosts remove what the source lacks, below the destination, and what stays."""
    if not options.delete:
        return None
    source = options.sources[0]
    below = "" if means_contents(source) else on_hosts(Path(source).name)
    return {"below": below, "exclude": options.exclude}


class Memory(Protocol):
    """What earlier runs left to know: files that hosts have shown to hold."""

    def recall(
        self, host: str, dest: str, files: Mapping[int, tuple[str, str]]
    ) -> dict[int, Sequence[int]]:
        """Of ``files`` (number: path and SHA-256 in hex) below ``dest``, those noted there, and the notes."""


class Enlistment:
    """Shared by all hosts of a run. ``draining``: no further host is begun once it is set."""

    def __init__(
        self,
        options: DeployOptions,
        connectors: Connectors,
        run_id: str,
        draining: asyncio.Event,
        memory: Memory | None = None,
    ) -> None:
        self._options = options
        self._memory = memory
        self._connectors = connectors
        self._run_id = run_id
        self._draining = draining
        self._stamp = stamp_now()
        """How the run's release begins, on every host that has not seen its content before."""
        self._gossips = options.discovery == "gossip"
        self._racks: dict[str, list[str]] = {}
        """The peers of each, in the order in which they were begun."""
        self._common: dict[str, Any] = {}
        self._manifest = b""
        self._identity: RunIdentity | None = None
        self._anchors = ""
        self._paths: list[str] = []
        self._leaves: dict[str, Any] | None = None
        self._names: list[str] = []
        self._is_tree = False
        self._sums: Sequence[str | None] = ()
        self._have_source = asyncio.Event()
        self.warnings: list[str] = []

    def ready(self, source: Source, identity: RunIdentity, topology: str, hosts: int) -> None:
        """The manifest is known: agents may be configured."""
        shape = shape_of(topology, source.manifest.chunk_size)
        self._manifest = source.manifest.encode()
        self._identity = identity
        self._anchors = source.anchors.hex()
        self._paths = [str(path) for path in source.paths]
        self._leaves = source.leaves
        self._sums = source.sums.known
        self._names = [file.path for file in source.manifest.files]
        self._is_tree = source.manifest.tree is not None
        self._common = {
            "version": fleetpush.__version__,
            "run": self._run_id,
            "ca": identity.ca_pem.decode(),
            "shape": shape._asdict(),
            "gossip": {"origin": ORIGIN, "peers": hosts + 1} if self._gossips else None,
            "encrypt": self._options.encrypt,
            "verify_full": self._options.verify == "full",
            "activate": self._options.activate,
            "grace": self._options.detach_grace,
            "mode": self._options.mode,
            "owner": self._options.owner,
            "group": self._options.group,
            "notes": self._memory is not None,
            "delete": what_to_delete(self._options),
            "report_every": told_every(hosts),
        }
        self._have_source.set()

    async def host(self, member: Member, place: Place) -> None:
        """One host's whole life in the run; its failures become its result."""
        member.dest = place.dest
        member.rates = place.rates
        member.becomes = place.target.become is not None
        self._racks.setdefault(member.rack, []).append(member.peer)
        try:
            await self._connect(member, place.target)
            await self._have_source.wait()
            local = place.target.connection == "local"
            config = {
                "role": "host",
                "ssh": not local,
                "address": place.address or ("127.0.0.1" if local else ""),
                "ports": place.ports,
                "dest": place.dest,
                "release": self._release(place.release_dir),
                "known": self._known(member.name, place),
                "reuse": self._reuse(place),
                "paths": [],
                "up_limit": self._options.host_bwlimit,
                "down_limit": self._options.host_bwlimit,
            }
            await self.take_part(member, config, place.target)
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
                "release": None,
                "known": {},
                "reuse": None,
                "paths": self._paths,
                "leaves": self._leaves,
                "holds": None,
                "share": None,
                "down_limit": None,
            }
            limit = self._options.bwlimit
            async with shared(limit, member.channel, self.warnings.append) as share:
                await self.take_part(member, {**config, "up_limit": share}, target)
        except HostError as error:
            member.fail(error.failure)
        finally:
            await self._let_go(member)

    def _known(self, host: str, place: Place) -> dict[int, Sequence[int]]:
        """By the files' numbers: how those are known again that this host has shown to hold already."""
        if self._memory is None or self._options.checksum:
            return {}
        wanted = {
            index: (name, sha256)
            for index, (name, sha256) in enumerate(zip(self._names, self._sums, strict=True))
            if sha256 is not None
        }
        return self._memory.recall(host, place.dest, wanted)

    def _reuse(self, place: Place) -> dict[str, Any] | None:
        """Which older content a host looks at, and by what it finds its place in the new."""
        if self._options.no_reuse:
            return None
        return {"paths": place.reuse, "anchors": self._anchors}

    def _release(self, directory: str) -> dict[str, Any] | None:
        if not directory:
            return None
        return {"dir": directory, "stamp": self._stamp, "keep": self._options.keep_releases}

    async def _connect(self, member: Member, target: Target) -> None:
        if self._draining.is_set():
            raise HostError("interrupted", "the run was interrupted before this host's turn came")
        member.enter(HostPhase.CONNECTING)
        member.connection = await self._connectors.connect(target)
        member.connected()

    async def take_part(self, member: Member, config: dict[str, Any], target: Target) -> None:
        """Lets its agent take part in the exchange, and stays until it has left."""
        assert self._identity is not None
        if self._draining.is_set():
            raise HostError("interrupted", "the run was interrupted before this host's turn came")
        member.enter(HostPhase.BOOTSTRAPPING)
        certificate, key = self._identity.issue(member.peer)
        config |= self._common
        config |= {"me": member.peer, "cert": certificate.decode(), "key": key.decode()}
        if self._gossips:
            config["seat"] = self._seat(member)
        await self._begin(member, config, self._manifest, target)
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

    def _seat(self, member: Member) -> tuple[int, int, int]:
        """Its rack's number, its place there and of how many; all have been begun by now."""
        if len(self._racks) < 2 or member.is_origin:
            return 0, 0, 1
        mates = self._racks[member.rack]
        return list(self._racks).index(member.rack) + 1, mates.index(member.peer), len(mates)

    async def _begin(
        self, member: Member, config: dict[str, Any], manifest: bytes, target: Target
    ) -> None:
        """Starts an agent for this exchange alone, or tells one that stays of it."""
        if not isinstance(member.channel, AgentChannel):
            member.channel.say({"do": "push", "config": config, "manifest": manifest.hex()})
            return
        assert member.connection is not None
        config |= {"stays": False, "marker": member.channel.marker}
        kit = bootstrap.agent_kit(
            gossip=self._gossips,
            tree=self._is_tree,
            releases=self._options.release_dir is not None,
            full=self._options.verify == "full",
            # Not for the origin, but to pack two kits takes longer than to read what one has more.
            reuse=not self._options.no_reuse,
        )
        kits.prepare(kit)
        line = bootstrap.command(target.python, kit)
        process = await become.start(member.connection, line, member.channel, target.become)
        member.channel.attach(process, bootstrap.payload(config, manifest, kit))

    async def _let_go(self, member: Member) -> None:
        member.gone.set()
        member.greeted.set()
        if member.connection is not None:
            await member.connection.close()
