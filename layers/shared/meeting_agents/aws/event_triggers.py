"""The memory of how each data center takes event triggers: whether it refuses them, and when it last called.

It is a help and never a reason to fail a request: if the table does not answer, nothing is known.
"""

import time
from collections.abc import Callable
from contextlib import suppress

from meeting_agents.aws import keys
from meeting_agents.aws.dynamodb import Table
from meeting_agents.errors import StoreRejected, StoreUnavailable

REFUSAL_SECONDS = 7 * 24 * 3600.0
"""Seconds for which a refusal is remembered; after that, one request has event triggers again."""
CACHE_SECONDS = 300.0
"""Seconds for which a process uses what it has read."""


class TriggerSupport:
    """The event triggers of all data centers. No method raises."""

    def __init__(self, table: Table, clock: Callable[[], float] = time.time) -> None:
        self._table = table
        self._clock = clock
        self._read_at: dict[str, float] = {}
        self._refused_until: dict[str, float] = {}

    def are_refused(self, data_center: str) -> bool:
        """Return True if the data center has refused event triggers, and is not to be tried again yet."""
        now = self._clock()
        if now >= self._read_at.get(data_center, 0.0) + CACHE_SECONDS:
            self._read_at[data_center] = now
            with suppress(StoreUnavailable, StoreRejected):
                item = self._table.get(keys.event_triggers(data_center)) or {}
                self._refused_until[data_center] = float(item.get("refused_until", {"N": "0"})["N"])
        return now < self._refused_until.get(data_center, 0.0)

    def record_refusal(self, data_center: str) -> None:
        """Record that the data center refuses event triggers."""
        now = self._clock()
        until = now + REFUSAL_SECONDS
        self._read_at[data_center], self._refused_until[data_center] = now, until
        with suppress(StoreUnavailable, StoreRejected):
            self._table.update(
                keys.event_triggers(data_center),
                "SET refused_until = :until",
                {":until": {"N": f"{until:.0f}"}},
            )
