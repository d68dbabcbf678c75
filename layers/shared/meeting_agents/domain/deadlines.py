"""What an agent still owes, and by when. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from meeting_agents.domain.incidents import is_cancellation_requested, is_unacknowledged
from meeting_agents.domain.model import ASSUMED_MEETING_DURATION, Attempt, Conference, DeadlineType, Meeting, Record
from meeting_agents.domain.state_machine import EXPECTED


@dataclass(frozen=True, slots=True, kw_only=True)
class GracePeriods:
    """How long silence is borne. All from the deployment's parameters."""

    activation: timedelta = timedelta(minutes=10)
    """After the start, until the agent must be active."""
    completion: timedelta = timedelta(minutes=30)
    """After the end, until the agent must be done."""
    conference: timedelta = timedelta(minutes=15)
    """Before the start, when there must be a conference to join."""
    resources: timedelta = timedelta(minutes=15)
    """After `complete`, until the expected resources must be known."""
    assumed_meeting_duration: timedelta = ASSUMED_MEETING_DURATION
    """Taken as the length of a meeting whose end nobody told us."""
    escalation: timedelta | None = None
    """After people were told of something grave, until a person must have taken it on; none: they are told once."""
    expected_resources: frozenset[str] = frozenset()
    """Categories that a complete agent must have; empty: none is awaited."""


@dataclass(frozen=True, slots=True, order=True)
class Deadline:
    """When something must have happened, and what."""

    at: datetime
    phase: DeadlineType


def deadline(record: Record, graces: GracePeriods) -> Deadline | None:
    """The next thing that must happen, and by when; none: nothing is owed."""
    owed = [*_owed(record, graces)]
    if graces.escalation and record.alerted_at and is_unacknowledged(record):
        owed.append(Deadline(record.alerted_at + graces.escalation, DeadlineType.ESCALATION))
    return min(owed, default=None)


def _owed(record: Record, graces: GracePeriods) -> Iterator[Deadline]:
    attempt = record.current
    if attempt.pending and attempt.pending.retry_at:
        yield Deadline(attempt.pending.retry_at, DeadlineType.RETRY)
    if is_cancellation_requested(record):
        return
    phase, asked = EXPECTED.get(attempt.state), attempt.asked
    if phase is None or phase in attempt.missed:
        return
    meeting = asked.meeting if asked else Meeting()
    start = meeting.start or attempt.began_at
    match phase:
        case DeadlineType.ACTIVATION if asked:  # nobody is awaited whom nobody asked for
            yield Deadline(max(start, attempt.asked_at) + graces.activation, phase)
            by = start - graces.conference
            is_lacking = asked.conference_expected and attempt.conference is not Conference.ASSIGNED
            if is_lacking and by > attempt.asked_at and DeadlineType.CONFERENCE not in attempt.missed:
                yield Deadline(by, DeadlineType.CONFERENCE)
        case DeadlineType.COMPLETION:
            end = meeting.end or start + graces.assumed_meeting_duration
            yield Deadline(max(end, attempt.asked_at, attempt.activated_at or end) + graces.completion, phase)
        case DeadlineType.RESOURCES if missing_resources(attempt, graces):
            yield Deadline(attempt.since + graces.resources, phase)


def missing_resources(attempt: Attempt, graces: GracePeriods) -> frozenset[str]:
    """The categories of resources that are expected of a complete agent and are not there."""
    return graces.expected_resources - {resource.category for resource in attempt.resources}


def relevant_until(record: Record, graces: GracePeriods) -> datetime:
    """Until when the agent may still matter: the end of its meeting, or the last thing that happened to it."""
    meeting = record.meeting
    end = meeting.end or (meeting.start or record.current.began_at) + graces.assumed_meeting_duration
    return max(end, record.updated_at)
