"""``--tags`` and ``--skip-tags``: which tasks are meant, by Ansible's rules."""

from __future__ import annotations

from dataclasses import dataclass

UNTAGGED = frozenset({"untagged"})


@dataclass(frozen=True, slots=True)
class TagChoice:
    """``always`` is done unless skipped, ``never`` only when asked for by one of its names."""

    only: frozenset[str] = frozenset({"all"})
    skip: frozenset[str] = frozenset()

    def takes(self, tags: frozenset[str]) -> bool:
        """Whether a task with these tags, its play's included, is to be done."""
        tags = tags or UNTAGGED
        return self._asked_for(tags) and not self._skipped(tags)

    def _asked_for(self, tags: frozenset[str]) -> bool:
        if "always" in tags or tags & self.only:
            return True
        if "never" in tags:
            return False
        return "all" in self.only or ("tagged" in self.only and tags != UNTAGGED)

    def _skipped(self, tags: frozenset[str]) -> bool:
        if "all" in self.skip:
            return "always" not in tags or "always" in self.skip
        return bool(tags & self.skip) or ("tagged" in self.skip and tags != UNTAGGED)
