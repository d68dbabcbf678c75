"""Erasures: what remains of an agent whose data was erased, and the agents that must not be erased yet. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from meeting_agents.domain.grace_periods import GracePeriods, end_of
from meeting_agents.domain.model import Entry, EntryType, State
from meeting_agents.domain.reasons import Reason, ReasonCode
from meeting_agents.domain.record import Record
from meeting_agents.domain.state_machine import TERMINAL_STATES

ERASED_KEY = EntryType.ERASED.value
"""The key of the entry `erased`: an agent is erased once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Erasure:
    """The remains of an agent whose data was erased: nothing about its meeting, or the persons in it."""

    at: datetime
    by: str
    """The caller's IAM ARN or JWT subject; empty if the caller was not signed in."""
    entries: int
    """The entries that were erased."""
    state: State
    """The state in which the agent was."""
    attempt: int = 1

    @property
    def reason(self) -> Reason:
        return Reason.of(ReasonCode.ERASED, entries=self.entries, caller=self.by, state=self.state)

    def entry(self) -> Entry:
        """Return the entry that takes the place of all others."""
        return Entry(key=ERASED_KEY, kind=EntryType.ERASED, at=self.at, attempt=self.attempt, reason=self.reason)

    @classmethod
    def of(cls, entry: Entry) -> Erasure:
        """Read an erasure from its entry."""
        reason = entry.reason or Reason.of(ReasonCode.ERASED)
        return cls(
            at=entry.at,
            by=reason["caller"],
            entries=int(reason["entries"] or 0),
            state=State(reason["state"] or State.COMPLETE),
            attempt=entry.attempt or 1,
        )


@dataclass(frozen=True, slots=True)
class LockedFile:
    """A version of a file in the archive that Object Lock keeps after the erasure."""

    key: str
    until: datetime | None
    """None: it is not known here, since the bucket is not this stack's any more."""


def may_come_until(record: Record, grace_periods: GracePeriods, now: datetime) -> datetime | None:
    """Return the time until which the agent may still come; None: it does not, so its data may be erased.

    Without its journal no one would notice that an agent is there which is not wanted. A request that is on its way
    counts like an agent.
    """
    attempt = record.current
    until = end_of(attempt, grace_periods) + grace_periods.completion
    if attempt.state is State.REJECTED:
        is_there = attempt.may_come
    else:
        is_there = attempt.state not in TERMINAL_STATES or attempt.is_unwanted
    return until if now < until and (is_there or attempt.pending is not None) else None
