"""Failures that say the same thing, taken together: a thousand refused keys are one line."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from fleetpush.deploy.results import HostStatus
from fleetpush.inventory.nodeset import fold
from fleetpush.report.quantities import hosts
from fleetpush.report.sanitise import clean

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fleetpush.deploy.results import RunReport

HOST = "HOST"
"""Stands for the host's own name where messages differ in nothing else."""


@dataclass(slots=True)
class FailureGroup:
    """Hosts that failed for one reason. ``message`` and ``slug`` are safe to print."""

    slug: str
    unreachable: bool
    message: str
    hosts: list[str] = field(default_factory=list)
    _first_message: str = ""
    _folded: tuple[int, str] = (0, "")

    def add(self, host: str, message: str) -> None:
        if not self.hosts:
            self._first_message = message
        self.hosts.append(host)

    def folded(self) -> str:
        """``node[2-4] (3)``; a single host stands alone. Folded again only after it grew."""
        if self._folded[0] != len(self.hosts):
            text = clean(fold(self.hosts))
            if len(self.hosts) > 1:
                text += f" ({len(self.hosts):,})"
            self._folded = (len(self.hosts), text)
        return self._folded[1]

    def sentence(self) -> str:
        """The message as its only host gave it, else with the names taken out."""
        return self._first_message if len(self.hosts) == 1 else self.message


class FailureGroups:
    """Every failure so far, by slug and message; the group that grew last comes last."""

    def __init__(self) -> None:
        self._groups: dict[tuple[str, bool, str], FailureGroup] = {}
        self.count = 0

    def __len__(self) -> int:
        return len(self._groups)

    def __iter__(self) -> Iterator[FailureGroup]:
        return iter(self._groups.values())

    def newest(self) -> Iterator[FailureGroup]:
        return reversed(self._groups.values())

    def largest(self) -> list[FailureGroup]:
        """Failed before unreachable, many before few."""
        return sorted(self, key=lambda g: (g.unreachable, -len(g.hosts), g.slug, g.message))

    def by_class(self) -> Iterator[tuple[str, list[FailureGroup]]]:
        """Slugs with their groups, ``unreachable`` or ``failed`` where there is none; worst first."""
        classes: dict[tuple[str, bool], list[FailureGroup]] = {}
        for group in self.largest():
            classes.setdefault((group.slug, group.unreachable), []).append(group)
        for (slug, unreachable), same in classes.items():
            yield slug or (HostStatus.UNREACHABLE if unreachable else HostStatus.FAILED).value, same

    def add(self, host: str, slug: str, message: str, *, unreachable: bool) -> FailureGroup:
        """Takes one host's failure and says which group it joined."""
        text = clean(message)
        template = re.sub(rf"(?<![\w.-]){re.escape(clean(host))}(?![\w-])", HOST, text)
        key = (slug, unreachable, template)
        group = self._groups.pop(key, None) or FailureGroup(clean(slug), unreachable, template)
        group.add(host, text)
        self._groups[key] = group
        self.count += 1
        return group

    @classmethod
    def of(cls, report: RunReport) -> FailureGroups:
        """Every host of ``report`` that is without the content."""
        groups = cls()
        for result in report.results:
            if not result.status.good:
                unreachable = result.status is HostStatus.UNREACHABLE
                groups.add(result.host, result.slug, result.message, unreachable=unreachable)
        return groups

    def headline(self) -> str:
        """``failures: 12 hosts, 3 reasons``."""
        reasons = f"{len(self)} reason{'' if len(self) == 1 else 's'}"
        return f"failures: {hosts(self.count)}, {reasons}"
