"""A lease in the agents table: work that two copies of a function must not do at the same time."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from uuid import uuid4

from meeting_agents.aws import keys
from meeting_agents.aws.dynamodb import Table
from meeting_agents.errors import LeaseTimeout, MeetingAgentsError

LEASE_SECONDS = 30.0
"""A lease ends after this time even if its holder died: several times the duration of a thousand entries."""
LEASE_WAIT_SECONDS = 40.0
"""Longer than a lease, so that a holder that died does not fail the next one."""
POLL_SECONDS = 0.25


class Lease:
    """The right to do the work called `name`. One holder has it at a time."""

    def __init__(
        self,
        table: Table,
        name: str,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._table = table
        self._name = name
        self._clock = clock
        self._sleep = sleep

    @contextmanager
    def acquire(self) -> Iterator[None]:
        """Wait for the lease and release it at the end. Raises `LeaseTimeout` and `StoreUnavailable`."""
        holder = uuid4().hex
        until = self._clock() + LEASE_WAIT_SECONDS
        while not self._hold(holder, self._clock() + LEASE_SECONDS):
            if self._clock() > until:
                raise LeaseTimeout(f"the lease {self._name} was not free within {LEASE_WAIT_SECONDS:.0f} s; try again")
            self._sleep(POLL_SECONDS)
        try:
            yield
        finally:
            with suppress(MeetingAgentsError):  # it also ends by itself
                self._hold(holder, 0.0)

    def _hold(self, holder: str, until: float) -> bool:
        item = {**keys.lease(self._name), "holder": {"S": holder}, "held_until": {"N": f"{until:.3f}"}}
        return self._table.put(
            item,
            "attribute_not_exists(pk) OR holder = :holder OR held_until <= :now",
            {":holder": {"S": holder}, ":now": {"N": f"{self._clock():.3f}"}},
        )
