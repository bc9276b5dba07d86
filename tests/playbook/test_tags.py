"""A choice of tags takes the tasks that it takes in Ansible."""

from __future__ import annotations

from itertools import chain, combinations
from typing import Any

from fleetpush.playbook.tags import TagChoice

OF_TASKS = [
    ("a",),
    ("b",),
    ("a", "b"),
    (),
    ("always",),
    ("never",),
    ("never", "a"),
    ("always", "a"),
]
CHOICES = ("a", "b", "always", "never", "tagged", "untagged", "all")


def subsets(most: int) -> list[tuple[str, ...]]:
    return list(chain.from_iterable(combinations(CHOICES, size) for size in range(most + 1)))


class Taggable:
    """As much of a task as Ansible's own rule asks for."""

    def __new__(cls, tags: tuple[str, ...]) -> Any:
        from ansible.playbook.taggable import Taggable as Theirs

        class One(Theirs):
            untagged = frozenset({"untagged"})
            _loader = None

            def _get_all_taggable_objects(self) -> list[object]:
                return []

        One.tags = list(tags)
        return One()


def test_a_choice_takes_what_it_takes_in_ansible() -> None:
    for tags in OF_TASKS:
        theirs = Taggable(tags)
        for only in subsets(2):
            for skip in subsets(2):
                wanted = theirs.evaluate_tags(set(only) or {"all"}, set(skip), {})
                ours = TagChoice(frozenset(only) or frozenset({"all"}), frozenset(skip))
                assert ours.takes(frozenset(tags)) == wanted, (tags, only, skip)
