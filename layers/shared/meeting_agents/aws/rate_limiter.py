"""Cronofy's limits, shared by all functions: 50 requests a second and 500 a minute for each application.

https://docs.cronofy.com/developers/api/rate-limits/. One item of the agents table for each data center holds the time
of the newest request and the number of requests in each of the last seconds. A request gets the next free time: those
of a second are spaced (the generic cell rate algorithm, with a burst of one), those of a minute are counted. Getting a
time is one conditional write; the loser of a race gets the newer state, and tries again.
"""

import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import ceil
from typing import Any

from meeting_agents.aws import keys
from meeting_agents.aws.dynamodb import Table
from meeting_agents.cronofy.messages import Permit
from meeting_agents.errors import RateLimited

SECOND, MINUTE = 1.1, 61
"""Seconds in which no more than a limit are sent: a little longer than its period, because the way to Cronofy does not
take each request equally long."""
MAX_WAIT = 2.0
"""Seconds for which a request waits for its time; one that would have to wait longer is refused."""
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


@dataclass(frozen=True, slots=True)
class Sent:
    """The requests that were sent to a data center, or have a time to be."""

    counts: Mapping[int, int] = field(default_factory=dict, hash=False)
    """Their number in each of the last seconds, by seconds since 1970."""
    last_at: float = 0.0
    """The time of the newest."""

    def next_at(self, limits: Limits, now: float) -> float:
        """Return the earliest time from now on at which another request is within the limits."""
        is_believed = self.last_at <= now + 2 * MAX_WAIT  # else it is of a clock that is ahead: no one waits so long
        at = max(now, self.last_at + SECOND / limits.per_second) if is_believed else now
        recent = sorted(second for second in self.counts if second >= int(at) - MINUTE)
        excess = sum(self.counts[second] for second in recent) - limits.per_minute + 1
        for second in recent:
            if excess <= 0:
                break
            excess -= self.counts[second]
            at = max(at, second + MINUTE + 1)  # a count does not say when in its second
        return at

    def with_one_at(self, at: float) -> "Sent":
        """Return the same with one more request."""
        counts = {second: count for second, count in self.counts.items() if second >= int(at) - MINUTE - 1}
        return Sent({**counts, int(at): counts.get(int(at), 0) + 1}, at)


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
        self._sent: dict[str, Sent] = {}

    def permit(self, data_center: str, share: float = 1.0) -> Permit:
        """Wait for the next free time, at most `MAX_WAIT`, and return a permit to send one request.

        `share`: the part of the limits that this caller may use; the sweep leaves the rest to callers who wait.
        Raises `RateLimited` with the seconds after which to try again, and `StoreUnavailable`.
        """
        limits = self._limits.scaled(share)
        for _ in range(MAX_WRITE_CONFLICTS):
            now, sent = self._clock(), self._sent.get(data_center, Sent())
            at = sent.next_at(limits, now)
            if at - now > MAX_WAIT:
                raise RateLimited(ceil(at - now))
            if self._take(data_center, sent, at):
                self._sleep(at - now)
                return Permit(data_center)
            self._sleep(random.uniform(0.0, 0.02))  # noqa: S311 - jitter, not a secret
        raise RateLimited(1)

    def _take(self, data_center: str, sent: Sent, at: float) -> bool:
        """Take a time for one request, unless another function took one since; then remember what it has taken."""
        after = sent.with_one_at(at)
        is_taken, item = self._table.try_update(
            keys.rate_counts(data_center),
            "SET counts = :after, last_at = :at",
            {":after": _packed(after.counts), ":at": {"S": f"{at:.6f}"}}
            | ({":before": _packed(sent.counts)} if sent.counts else {}),
            "counts = :before" if sent.counts else "attribute_not_exists(counts)",
        )
        self._sent[data_center] = after if is_taken else _unpacked(item)
        return is_taken


def _packed(counts: Mapping[int, int]) -> dict[str, Any]:
    return {"M": {str(second): {"N": str(count)} for second, count in counts.items()}}


def _unpacked(item: Mapping[str, Any]) -> Sent:
    counts = item.get("counts", {"M": {}})["M"]
    return Sent(
        {int(second): int(count["N"]) for second, count in counts.items()}, float(item.get("last_at", {"S": "0"})["S"])
    )
