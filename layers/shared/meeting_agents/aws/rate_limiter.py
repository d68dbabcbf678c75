"""Cronofy's limits, kept by all functions together: 50 requests a second and 500 a minute for each application.

https://docs.cronofy.com/developers/api/rate-limits/. One item of the agents table for each data center counts what was
sent in each of the last seconds. To count is one conditional write; the loser of a race learns the newer counts.
"""

import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import ceil
from typing import Any

from meeting_agents.aws import keys
from meeting_agents.aws.dynamodb import Table
from meeting_agents.cronofy.messages import Permit
from meeting_agents.errors import RateLimited

MARGIN = 1
"""Seconds more than a limit's own that are counted, for a request reaches Cronofy later than it was counted."""
MAX_WRITE_CONFLICTS = 30
"""Others may be faster this often before the limit is taken for reached."""


@dataclass(frozen=True, slots=True)
class Limits:
    """The requests that the application may send to one data center, all functions together."""

    per_second: int = 50
    per_minute: int = 500

    def scaled(self, share: float) -> "Limits":
        return Limits(max(1, int(self.per_second * share)), max(1, int(self.per_minute * share)))


def wait(counts: Mapping[int, int], limits: Limits, now: float) -> float:
    """Seconds until one more request is within the limits; 0: it is now. `counts`: requests by second."""
    return max(
        _wait(counts, now, 1 + MARGIN, limits.per_second),
        _wait(counts, now, 60 + MARGIN, limits.per_minute),
    )


def _wait(counts: Mapping[int, int], now: float, seconds: int, most: int) -> float:
    """Any stretch of `seconds` lies within one second more of counts, for a count does not say when in its second."""
    recent = sorted(second for second in counts if second >= int(now) - seconds)
    excess = sum(counts[second] for second in recent) - most + 1
    for second in recent:
        if excess <= 0:
            break
        excess -= counts[second]
        if excess <= 0:
            return max(0.0, second + seconds + 1 - now)
    return 0.0


class RateLimiter:
    """The permits of all data centers."""

    def __init__(
        self,
        table: Table,
        limits: Limits,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._table = table
        self._limits = limits
        self._clock = clock
        self._sleep = sleep
        self._known: dict[str, dict[int, int]] = {}

    def permit(self, data_center: str, share: float = 1.0) -> Permit:
        """Return a permit to send one request now.

        `share`: the part of the limits that this caller may use up; the sweep leaves some to callers who wait.
        Raises `RateLimited`, with the seconds after which to try again, and `StoreUnavailable`.
        """
        limits = self._limits.scaled(share)
        for _ in range(MAX_WRITE_CONFLICTS):
            now = self._clock()
            counts = self._known.get(data_center, {})
            if seconds := wait(counts, limits, now):
                raise RateLimited(ceil(seconds))
            if self._count(data_center, counts, int(now)):
                return Permit(data_center)
            self._sleep(random.uniform(0.0, 0.02))  # noqa: S311 - jitter, not a secret
        raise RateLimited(1)

    def _count(self, data_center: str, counts: dict[int, int], second: int) -> bool:
        """Count one request, unless others counted since; their counts are known then."""
        after = {at: count for at, count in counts.items() if at >= second - 60 - 2 * MARGIN}
        after[second] = after.get(second, 0) + 1
        is_counted, item = self._table.try_update(
            keys.rate_counts(data_center),
            "SET counts = :after",
            {":after": _packed(after)} | ({":before": _packed(counts)} if counts else {}),
            "counts = :before" if counts else "attribute_not_exists(counts)",
        )
        self._known[data_center] = after if is_counted else _unpacked(item.get("counts", {"M": {}}))
        return is_counted


def _packed(counts: Mapping[int, int]) -> dict[str, Any]:
    return {"M": {str(second): {"N": str(count)} for second, count in counts.items()}}


def _unpacked(value: Mapping[str, Any]) -> dict[int, int]:
    return {int(second): int(count["N"]) for second, count in value["M"].items()}
