"""The erasure of an agent's data: one entry first, which hides all others, then their deletion.

The entry is the durable record: as soon as it is written, no reader finds the agent, and no request for it is taken.
The rest is repeated until it is done, by a caller who asks again or by `track`, which gets the entry from the stream.
What is written late, such as a notification, comes to `track` too, and is deleted.

The files in the archive go before the entries that name them. What Object Lock keeps cannot be deleted: the entries
that name it stay, so that the same request deletes it when its lock is over.
"""

from collections.abc import Sequence
from datetime import datetime

from meeting_agents.aws.archive_bucket import ArchiveBucket
from meeting_agents.aws.archive_layout import prefixes
from meeting_agents.aws.entry_items import StoredEntry
from meeting_agents.aws.erasures import Erasures
from meeting_agents.aws.journal import Journal
from meeting_agents.aws.silences import Silences
from meeting_agents.domain.erasures import Erasure, LockedFile, may_come_until
from meeting_agents.domain.lifecycle import fold
from meeting_agents.domain.model import EntryType, State
from meeting_agents.errors import AgentExpected, NotFound


class Eraser:
    """Erases the data of agents. Every method raises `StoreUnavailable` and `StoreRejected`."""

    def __init__(
        self, journal: Journal, erasures: Erasures, silences: Silences, archive: ArchiveBucket | None = None
    ) -> None:
        self._journal = journal
        self._archive = archive
        self._erasures = erasures
        self._silences = silences

    def erase(self, agent_id: str, by: str, now: datetime) -> tuple[Erasure, Sequence[LockedFile]]:
        """Erase an agent's data, and return what remains; the same again if it was erased before.

        Raises `NotFound`, and `AgentExpected` for an agent that may still come.
        """
        entries, erasure = self._journal.read_with_erasure(agent_id, now)
        if erasure is None:
            at = now.replace(microsecond=now.microsecond // 1000 * 1000)  # as it is stored
            erasure = self._erasure(agent_id, entries, by, at)
            if not self._journal.append(agent_id, erasure.entry()):
                erasure, _ = self.find(agent_id, now)  # somebody else was sooner
        _, locked = self.finish(agent_id, entries)
        return erasure, locked

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

    def find(self, agent_id: str, now: datetime) -> tuple[Erasure, Sequence[LockedFile]]:
        """Return what remains of an agent whose data was erased. Raises `NotFound`."""
        entries, erasure = self._journal.read_with_erasure(agent_id, now)
        if erasure is None:
            raise NotFound(f"no data of an agent {agent_id} was erased")
        folders, kept = self._folders(agent_id, entries)
        return erasure, kept + (self._archive.locked(folders) if self._archive else [])

    def finish(self, agent_id: str, entries: Sequence[StoredEntry]) -> tuple[int, Sequence[LockedFile]]:
        """Delete all that is left of an agent whose erasure is in its journal.

        `entries`: those that are left; they name the silences that held its alerts back, and its files in the archive.
        Returns the number of entries that were deleted, and the files that are locked.
        """
        silenced = (stored.entry for stored in entries if stored.entry.kind is EntryType.SILENCED)
        self._silences.forget(agent_id, {entry.reason["silence"] for entry in silenced if entry.reason})
        locked = self._erase_files(agent_id, entries)
        named = {stored.entry.key for stored in entries if locked and stored.entry.kind is EntryType.ARCHIVED}
        return self._erasures.delete(agent_id, named), locked

    def _erase_files(self, agent_id: str, entries: Sequence[StoredEntry]) -> list[LockedFile]:
        """Delete an agent's files, and return those that are left."""
        folders, kept = self._folders(agent_id, entries)
        return kept + (self._archive.erase(folders) if self._archive else [])

    def _folders(self, agent_id: str, entries: Sequence[StoredEntry]) -> tuple[tuple[str, ...], list[LockedFile]]:
        """Return the prefixes of an agent's files, and the files in a bucket that is not the stack's any more."""
        record = fold(stored.entry for stored in entries)
        name = self._archive.name if self._archive else ""
        files = [file for attempt in record.attempts for file in attempt.archived]
        return prefixes(agent_id, record), [LockedFile(file.key, None) for file in files if file.bucket != name]
