"""The deadlines of an agent: the things that must still happen, and by when. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from meeting_agents.domain.incidents import is_cancellation_requested, is_unacknowledged
from meeting_agents.domain.model import ASSUMED_MEETING_DURATION, Attempt, Conference, DeadlineType, Meeting, Record
from meeting_agents.domain.state_machine import EXPECTED


@dataclass(frozen=True, slots=True, kw_only=True)
class GracePeriods:
    """The time that silence is tolerated. All from the deployment's parameters."""

    activation: timedelta = timedelta(minutes=10)
    """After the start, until the agent must be active."""
    completion: timedelta = timedelta(minutes=30)
    """After the end, until the agent must be done."""
    conference: timedelta = timedelta(minutes=15)
    """Before the start, when the meeting must have a conference."""
    resources: timedelta = timedelta(minutes=15)
    """After `complete`, until the expected resources must be listed."""
    assumed_meeting_duration: timedelta = ASSUMED_MEETING_DURATION
    """The length of a meeting whose end is unknown."""
    escalation: timedelta | None = None
    """After a critical alert, until a person must have acknowledged it; None: no reminder is sent."""
    expected_resources: frozenset[str] = frozenset()
    """The categories of resources that a complete agent must have; empty: none."""


@dataclass(frozen=True, slots=True, order=True)
class Deadline:
    """The time by which something must have happened."""

    at: datetime
    phase: DeadlineType


def deadline(record: Record, grace_periods: GracePeriods) -> Deadline | None:
    """Return the next deadline; None if nothing more is expected."""
    return min(_deadlines(record, grace_periods), default=None)


def deadlines(record: Record, grace_periods: GracePeriods) -> tuple[Deadline, ...]:
    """Return all deadlines, the earliest first. None of them hides another."""
    return tuple(sorted(_deadlines(record, grace_periods)))


def _deadlines(record: Record, grace_periods: GracePeriods) -> Iterator[Deadline]:
    if grace_periods.escalation and record.alerted_at and is_unacknowledged(record):
        yield Deadline(record.alerted_at + grace_periods.escalation, DeadlineType.ESCALATION)
    attempt = record.current
    if attempt.pending and attempt.pending.retry_at:
        yield Deadline(attempt.pending.retry_at, DeadlineType.RETRY)
    if is_cancellation_requested(record):
        return
    phase, request = EXPECTED.get(attempt.state), attempt.asked
    if phase is None or phase in attempt.missed:
        return
    meeting = request.meeting if request else Meeting()
    start = meeting.start or attempt.began_at
    match phase:
        case DeadlineType.ACTIVATION if request:  # an agent that was not requested has no activation deadline
            yield Deadline(max(start, attempt.asked_at) + grace_periods.activation, phase)
            by = start - grace_periods.conference
            is_missing = request.conference_expected and attempt.conference is not Conference.ASSIGNED
            if is_missing and by > attempt.asked_at and DeadlineType.CONFERENCE not in attempt.missed:
                yield Deadline(by, DeadlineType.CONFERENCE)
        case DeadlineType.COMPLETION:
            end = meeting.end or start + grace_periods.assumed_meeting_duration
            yield Deadline(max(end, attempt.asked_at, attempt.activated_at or end) + grace_periods.completion, phase)
        case DeadlineType.RESOURCES if missing_resources(attempt, grace_periods):
            yield Deadline(attempt.since + grace_periods.resources, phase)


def missing_resources(attempt: Attempt, grace_periods: GracePeriods) -> frozenset[str]:
    """Return the categories of resources that a complete agent must have and does not have."""
    return grace_periods.expected_resources - {resource.category for resource in attempt.resources}


def relevant_until(record: Record, grace_periods: GracePeriods) -> datetime:
    """Return the end of the agent's meeting, or the time of its last entry if that is later."""
    meeting = record.meeting
    end = meeting.end or (meeting.start or record.current.began_at) + grace_periods.assumed_meeting_duration
    return max(end, record.updated_at)
