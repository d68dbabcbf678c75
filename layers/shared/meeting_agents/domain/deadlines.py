"""The deadlines of an agent: the things that must still happen, and by when. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

from meeting_agents.domain.alerts import is_same_meeting, next_alert_at
from meeting_agents.domain.archive import archive_deadline
from meeting_agents.domain.attempts import has_left_by_move
from meeting_agents.domain.grace_periods import DASHBOARD, GracePeriods, end_of, missing_resources, resources_by
from meeting_agents.domain.incidents import is_cancellation_requested
from meeting_agents.domain.model import Conference, DeadlineType, State
from meeting_agents.domain.record import Attempt, Record
from meeting_agents.domain.rescue import due_at
from meeting_agents.domain.state_machine import EXPECTED


@dataclass(frozen=True, slots=True, order=True)
class Deadline:
    """The time by which something must have happened."""

    at: datetime
    phase: DeadlineType
    attempt: int = 0
    """The earlier attempt of whose agent it is; 0: the current one."""


def deadline(record: Record, grace_periods: GracePeriods) -> Deadline | None:
    """Return the next deadline; None if nothing more is expected."""
    return next(iter(deadlines(record, grace_periods)), None)


def deadlines(record: Record, grace_periods: GracePeriods) -> tuple[Deadline, ...]:
    """Return all deadlines, the next one first. A retry that is due does not hide a deadline that was missed."""
    return tuple(sorted([*_deadlines(record, grace_periods), *_of_earlier_attempts(record, grace_periods)]))


def _of_earlier_attempts(record: Record, grace_periods: GracePeriods) -> Iterator[Deadline]:
    """Iterate over the deadlines of agents that were active, or done, in a meeting which moved only after that."""
    for attempt, later in pairwise(record.attempts):
        end = end_of(attempt, grace_periods)
        if attempt.state is State.ACTIVATED and end <= later.began_at:
            since = max(end, attempt.activated_at or end)
            yield Deadline(since + grace_periods.completion, DeadlineType.COMPLETION, attempt.number)
        is_done = attempt.state is State.COMPLETE and min(attempt.since, end) < later.began_at
        is_expected = is_done and not attempt.cancelled_at
        if is_expected and DeadlineType.RESOURCES not in attempt.missed and missing_resources(attempt, grace_periods):
            yield Deadline(resources_by(attempt, grace_periods), DeadlineType.RESOURCES, attempt.number)
        if archive_by := archive_deadline(attempt, grace_periods):
            yield Deadline(archive_by, DeadlineType.ARCHIVE, attempt.number)


def _deadlines(record: Record, grace_periods: GracePeriods) -> Iterator[Deadline]:
    attempt = record.current
    if alert_at := next_alert_at(record, grace_periods):
        yield Deadline(alert_at, DeadlineType.ALERT)
    if rescue_at := due_at(record, grace_periods):
        yield Deadline(rescue_at, DeadlineType.RESCUE)
    if attempt.pending and attempt.pending.retry_at:
        yield Deadline(attempt.pending.retry_at, DeadlineType.RETRY)
    if archive_by := archive_deadline(attempt, grace_periods):
        yield Deadline(archive_by, DeadlineType.ARCHIVE)
    type_ = EXPECTED.get(attempt.state)
    if type_ is None or type_ in attempt.missed or is_cancellation_requested(attempt):
        return
    match type_:
        case DeadlineType.ACTIVATION:
            yield from _before_activation(record, grace_periods)
        case DeadlineType.COMPLETION:
            yield Deadline(_completion_by(record, grace_periods), type_)
        case DeadlineType.RESOURCES if missing_resources(attempt, grace_periods) and not _is_covered(record):
            yield Deadline(resources_by(attempt, grace_periods), type_)


def _is_covered(record: Record) -> bool:
    """Return True if the agent of another attempt has left something, and this time was heard of only when it was over.

    The reports of an agent that was called off as its meeting moved came late.
    """
    current, end = record.current, record.meeting.end
    if current.is_requested or end is None or end > current.began_at:
        return False
    others = (attempt for attempt in record.attempts[:-1] if is_same_meeting(attempt, current))
    return any(attempt.state is State.COMPLETE and attempt.categories_left - {DASHBOARD} for attempt in others)


def _completion_by(record: Record, grace_periods: GracePeriods) -> datetime:
    """Return the time by which an agent must report its end.

    If event triggers come at all, one confirms the end. As long as it does not come, people may have prolonged the
    meeting in the calendar. An end that is moved into the past leaves the agent some time to leave.
    """
    attempt = record.current
    end = end_of(attempt, grace_periods)
    if has_event_triggers(record) and not attempt.after_end_at:
        end += grace_periods.assumed_meeting_duration
    changed_at = attempt.rescheduled_at or end
    return max(max(end, attempt.activated_at or end) + grace_periods.completion, changed_at + grace_periods.activation)


def _before_activation(record: Record, grace_periods: GracePeriods) -> Iterator[Deadline]:
    attempt = record.current
    request = attempt.latest_request
    if request is None or end_of(attempt, grace_periods) <= attempt.requested_at or _was_done(record):
        return  # nothing is expected of an agent that was not requested, or only for a meeting that was over
    start = attempt.meeting.start or attempt.began_at
    yield Deadline(max(start, attempt.requested_at) + grace_periods.activation, DeadlineType.ACTIVATION)
    conference_by = start - grace_periods.conference
    is_missing = request.conference_expected and attempt.conference is not Conference.ASSIGNED
    if is_missing and conference_by > attempt.requested_at and DeadlineType.CONFERENCE not in attempt.missed:
        yield Deadline(conference_by, DeadlineType.CONFERENCE)


def _was_done(record: Record) -> bool:
    """Return True if a meeting was moved back to a start whose agent was complete before it moved away.

    It has left something, or the end is not known: then that tells more about the end than the assumed duration.
    """
    current, meeting = record.current, record.current.meeting
    before = next((attempt for attempt in record.attempts[-2::-1] if _came_to(attempt, meeting.start)), None)
    if before is None or before.complete_at is None or before.cancelled_at or has_left_by_move(before):
        return False
    if not current.replaced and before.meeting.start == meeting.start:
        return False  # it was not moved
    if meeting.end is not None and not before.categories_left - {DASHBOARD}:
        return False
    later = next(attempt for attempt in record.attempts if attempt.number > before.number)
    return before.complete_at <= later.began_at


def _came_to(attempt: Attempt, start: datetime | None) -> bool:
    """Return True if the attempt's meeting had that start, and its agent did not come before it, to a newer one."""
    if start is None or start not in attempt.known_starts:
        return False
    meeting, moved_at, came_at = attempt.meeting, attempt.rescheduled_at, attempt.activated_at or attempt.complete_at
    if start == meeting.start or moved_at is None or came_at is None or not moved_at < came_at < start:
        return True
    return meeting.end is not None and meeting.end <= came_at


def has_event_triggers(record: Record) -> bool:
    """Return True if Cronofy has called before a start or after an end."""
    return any(attempt.before_start_at or attempt.after_end_at for attempt in record.attempts)


def relevant_until(record: Record, grace_periods: GracePeriods) -> datetime:
    """Return the end of the agent's meeting, the time of its last entry, or the end of a silence, whichever is last."""
    meeting = record.meeting
    end = meeting.end or (meeting.start or record.current.began_at) + grace_periods.assumed_meeting_duration
    return max(end, record.updated_at, *(held.until for held in record.held.values()))
