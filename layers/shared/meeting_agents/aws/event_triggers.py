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
CALL_SECONDS = 2 * 24 * 3600.0
"""Seconds for which one call shows that event triggers come from a data center."""
CALL_WRITE_SECONDS = 3600.0
"""Seconds for which a process records no second call."""


class TriggerSupport:
    """The event triggers of all data centers. No method raises."""

    def __init__(self, table: Table, clock: Callable[[], float] = time.time) -> None:
        self._table = table
        self._clock = clock
        self._read_at: dict[str, float] = {}
        self._refused_until: dict[str, float] = {}
        self._called_at: dict[str, float] = {}
        self._recorded_at: dict[str, float] = {}

    def are_refused(self, data_center: str) -> bool:
        """Return True if the data center has refused event triggers, and is not to be tried again yet."""
        return self._read(data_center) < self._refused_until.get(data_center, 0.0)

    def have_come(self, data_center: str) -> bool:
        """Return True if an event trigger came from the data center in the last days."""
        return self._read(data_center) < self._called_at.get(data_center, 0.0) + CALL_SECONDS

    def _read(self, data_center: str) -> float:
        """Read what is known of the data center, unless that was done a moment ago. Return the time."""
        now = self._clock()
        if now >= self._read_at.get(data_center, 0.0) + CACHE_SECONDS:
            self._read_at[data_center] = now
            with suppress(StoreUnavailable, StoreRejected):
                item = self._table.get(keys.event_triggers(data_center)) or {}
                self._refused_until[data_center] = float(item.get("refused_until", {"N": "0"})["N"])
                self._called_at[data_center] = float(item.get("called_at", {"N": "0"})["N"])
        return now

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

    def record_call(self, data_center: str) -> None:
        """Record that an event trigger came from the data center."""
        now = self._clock()
        if now < self._recorded_at.get(data_center, 0.0) + CALL_WRITE_SECONDS:
            return
        self._recorded_at[data_center] = now
        with suppress(StoreUnavailable, StoreRejected):
            self._table.update(keys.event_triggers(data_center), "SET called_at = :now", {":now": {"N": f"{now:.0f}"}})
