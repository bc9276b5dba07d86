"""Pushes under ``--check``: what they would do to each host, asked of the agents that are there."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from fleetpush.deploy.play.performer import Outcome
from fleetpush.deploy.preview import read_content
from fleetpush.errors import HostFailure
from fleetpush.inventory.nodeset import fold

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from fleetpush.deploy.fleet import Place
    from fleetpush.deploy.options import DeployOptions
    from fleetpush.deploy.preview import Content, Finding
    from fleetpush.deploy.sessions.fleet import Answer, Sessions

SHOWN = 8
"""Paths that would be removed and are named aloud; what is registered has all of them."""


class Looking:
    """``notice`` is told a level and a text."""

    def __init__(self, sessions: Sessions, notice: Callable[[str, str], None]) -> None:
        self._sessions = sessions
        self._notice = notice

    async def at(
        self, agents: Mapping[str, str], places: Mapping[str, Place], options: DeployOptions
    ) -> dict[str, Outcome]:
        """What pushing ``options`` to each of ``places`` would come to; ``agents`` are their sessions' names.

        Raises InputError for sources that cannot be.
        """
        content = await asyncio.to_thread(read_content, options, len(places), lambda: False)
        questions = {
            agents[name]: content.question(options, place.dest, place.release_dir)
            for name, place in places.items()
        }
        answers = await self._sessions.ask(questions)
        outcomes: dict[str, Outcome] = {}
        removed: dict[tuple[str, ...], list[str]] = {}
        for name in places:
            found = _understood(answers[agents[name]], content)
            if isinstance(found, HostFailure):
                outcomes[name] = Outcome.of(found)
                continue
            outcomes[name] = _would(found, content)
            if found.removed:
                removed.setdefault(found.removed, []).append(name)
        for paths, names in removed.items():
            self._notice("info", f"{fold(names)}: would remove {_some(paths)}")
        return outcomes


def _understood(answer: Answer, content: Content) -> Finding | HostFailure:
    if isinstance(answer, HostFailure):
        return answer
    try:
        return content.finding(answer)
    except ValueError as error:
        return HostFailure("bad_agent", str(error))


def _would(found: Finding, content: Content) -> Outcome:
    files = content.source.manifest.files
    sums = content.source.sums.known
    told: list[dict[str, Any]] = [
        {"path": file.path, "size": file.size, "sha256": sha256}
        for file, sha256 in zip(files, sums, strict=True)
    ]
    result = {**found.as_json(), "msg": "", "files": told}
    return Outcome("ok" if found.would == "nothing" else "changed", result=result)


def _some(paths: tuple[str, ...]) -> str:
    more = f" and {len(paths) - SHOWN:,} more" if len(paths) > SHOWN else ""
    return ", ".join(paths[:SHOWN]) + more
