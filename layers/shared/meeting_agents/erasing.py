"""The erasure of an agent's data: one entry first, which hides all others, then their deletion.

The entry is the durable record: as soon as it is written, no reader finds the agent, and no request for it is taken.
The rest is repeated until it is done, by a caller who asks again or by `track`, which gets the entry from the stream.
What is written late, such as a notification, comes to `track` too, and is deleted.
"""

from collections.abc import Iterable
from datetime import datetime

from meeting_agents.aws.entry_items import StoredEntry
from meeting_agents.aws.erasures import Erasures
from meeting_agents.aws.journal import Journal
from meeting_agents.aws.silences import Silences
from meeting_agents.domain.erasures import Erasure, may_come_until
from meeting_agents.domain.lifecycle import fold
from meeting_agents.domain.model import EntryType, State
from meeting_agents.errors import AgentExpected, NotFound


class Eraser:
    """Erases the data of agents. Every method raises `StoreUnavailable` and `StoreRejected`."""

    def __init__(self, journal: Journal, erasures: Erasures, silences: Silences) -> None:
        self._journal = journal
        self._erasures = erasures
        self._silences = silences

    def erase(self, agent_id: str, by: str, now: datetime) -> Erasure:
        """Erase an agent's data, and return what remains; the same again if it was erased before.

        Raises `NotFound`, and `AgentExpected` for an agent that may still come.
        """
        entries, erasure = self._journal.read_with_erasure(agent_id, now)
        if erasure is None:
            at = now.replace(microsecond=now.microsecond // 1000 * 1000)  # as it is stored
            erasure = self._erasure(agent_id, entries, by, at)
            if not self._journal.append(agent_id, erasure.entry()):
                erasure = self.find(agent_id, now)  # somebody else was sooner
        self.finish(agent_id, entries)
        return erasure

    def _erasure(self, agent_id: str, entries: list[StoredEntry], by: str, now: datetime) -> Erasure:
        stored = self._erasures.entries(agent_id)
        if not stored:
            raise NotFound.of_agent(agent_id)
        record = fold(stored.entry for stored in entries)
        if not entries:  # all have expired, and DynamoDB has not deleted them yet
            return Erasure(at=now, by=by, entries=len(stored), state=State.COMPLETE)
        if until := may_come_until(record, self._journal.grace_periods, now):
            raise AgentExpected(
                f"the agent is {record.state} and may still come: cancel it first, or erase its data after"
                f" {until:%Y-%m-%dT%H:%M:%SZ}"
            )
        return Erasure(at=now, by=by, entries=len(stored), state=record.state, attempt=record.current.number)

    def find(self, agent_id: str, now: datetime) -> Erasure:
        """Return what remains of an agent whose data was erased. Raises `NotFound`."""
        _, erasure = self._journal.read_with_erasure(agent_id, now)
        if erasure is None:
            raise NotFound(f"no data of an agent {agent_id} was erased")
        return erasure

    def finish(self, agent_id: str, entries: Iterable[StoredEntry]) -> int:
        """Delete all that is left of an agent whose erasure is in its journal. Return the number of entries.

        `entries`: those that are left; they name the silences that held its alerts back.
        """
        silenced = (stored.entry for stored in entries if stored.entry.kind is EntryType.SILENCED)
        self._silences.forget(agent_id, {entry.reason["silence"] for entry in silenced if entry.reason})
        return self._erasures.delete(agent_id)
