"""``serial`` and ``max_fail_percentage``: how many hosts are at work at once, and how many may fail."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple, TypeVar

if TYPE_CHECKING:
    from collections.abc import Sequence

Item = TypeVar("Item")

_WRITTEN = re.compile(r"(\d{1,9})(%?)")


class BatchSize(NamedTuple):
    """So many hosts, or so many hundredths of the play's. 0 hosts are all of them."""

    number: int
    percent: bool = False

    def of(self, hosts: int) -> int:
        """The number of hosts, rounded down, and of hundredths at least one."""
        if self.percent:
            return self.number * hosts // 100 or 1
        return self.number or max(1, hosts)


def read_size(value: object) -> BatchSize:
    """``3``, ``"3"`` or ``"30%"``. Raises ValueError for anything else."""
    found = None if isinstance(value, bool) else _WRITTEN.fullmatch(str(value).strip())
    if found is None or (found[2] and int(found[1]) > 100):
        raise ValueError(
            f"{value!r} is no batch size; write 5, '30%', or a list: [1, '10%', '100%']"
        )
    return BatchSize(int(found[1]), bool(found[2]))


def batches(hosts: Sequence[Item], sizes: Sequence[BatchSize]) -> list[Sequence[Item]]:
    """The hosts in order, cut into batches; the last size serves until all are dealt.

    Hundredths are of all ``hosts`` and exact: Ansible makes 28 of 29% of 100.
    """
    if not sizes:
        return [hosts] if hosts else []
    found: list[Sequence[Item]] = []
    at = 0
    while at < len(hosts):
        size = sizes[min(len(found), len(sizes) - 1)].of(len(hosts))
        found.append(hosts[at : at + size])
        at += size
    return found


def too_many(lost: int, batch: int, percentage: float) -> bool:
    """Whether ``lost`` of ``batch`` hosts are more than ``percentage``: exactly so many are not."""
    # A percentage such as 33.3 is a little less or more as a binary fraction.
    return lost * 100 - percentage * batch > 1e-6
