"""Cronofy's limits, shared by all functions: 50 requests a second and 500 a minute for each application.

https://docs.cronofy.com/developers/api/rate-limits/. One item of the agents table for each data center holds the
number of requests in each of the last seconds. Counting is one conditional write; the loser of a race gets the newer
counts.
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
"""Seconds added to the period of a limit, because a request reaches Cronofy later than it is counted."""
MAX_WRITE_CONFLICTS = 30
"""Lost races after which the limit counts as reached."""


@dataclass(frozen=True, slots=True)
class Limits:
    """The requests that all functions together may send to one data center."""

    per_second: int = 50
    per_minute: int = 500

    def scaled(self, share: float) -> "Limits":
        """Return a part of the limits, at least one request."""
        return Limits(max(1, int(self.per_second * share)), max(1, int(self.per_minute * share)))


def wait(counts: Mapping[int, int], limits: Limits, now: float) -> float:
    """Return the seconds until another request is within the limits. `counts`: requests by second."""
    return max(
        _wait(counts, now, 1 + MARGIN, limits.per_second),
        _wait(counts, now, 60 + MARGIN, limits.per_minute),
    )


def _wait(counts: Mapping[int, int], now: float, seconds: int, limit: int) -> float:
    """Return the same for one limit. A count does not say when in its second, so one more second is counted."""
    recent = sorted(second for second in counts if second >= int(now) - seconds)
    excess = sum(counts[second] for second in recent) - limit + 1
    for second in recent:
        if excess <= 0:
            break
        excess -= counts[second]
        if excess <= 0:
            return max(0.0, second + seconds + 1 - now)
    return 0.0


class RateLimiter:
    """Permits for requests to Cronofy, for each data center."""

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
        self._counts: dict[str, dict[int, int]] = {}

    def permit(self, data_center: str, share: float = 1.0) -> Permit:
        """Return a permit to send one request now.

        `share`: the part of the limits that this caller may use; the sweep leaves the rest to callers who wait.
        Raises `RateLimited` with the seconds after which to try again, and `StoreUnavailable`.
        """
        limits = self._limits.scaled(share)
        for _ in range(MAX_WRITE_CONFLICTS):
            now = self._clock()
            counts = self._counts.get(data_center, {})
            if seconds := wait(counts, limits, now):
                raise RateLimited(ceil(seconds))
            if self._count(data_center, counts, int(now)):
                return Permit(data_center)
            self._sleep(random.uniform(0.0, 0.02))  # noqa: S311 - jitter, not a secret
        raise RateLimited(1)

    def _count(self, data_center: str, counts: dict[int, int], second: int) -> bool:
        """Count one request, unless another function did since; then remember its counts."""
        after = {at: count for at, count in counts.items() if at >= second - 60 - 2 * MARGIN}
        after[second] = after.get(second, 0) + 1
        is_counted, item = self._table.try_update(
            keys.rate_counts(data_center),
            "SET counts = :after",
            {":after": _packed(after)} | ({":before": _packed(counts)} if counts else {}),
            "counts = :before" if counts else "attribute_not_exists(counts)",
        )
        self._counts[data_center] = after if is_counted else _unpacked(item.get("counts", {"M": {}}))
        return is_counted


def _packed(counts: Mapping[int, int]) -> dict[str, Any]:
    return {"M": {str(second): {"N": str(count)} for second, count in counts.items()}}


def _unpacked(value: Mapping[str, Any]) -> dict[int, int]:
    return {int(second): int(count["N"]) for second, count in value["M"].items()}
