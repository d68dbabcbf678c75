"""Readings of a calendar: the agents to read one for, the times of it, and the effect of a reading. Pure.

A calendar is read for agents of registered accounts only: a caller's own token is stored nowhere.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from zlib import crc32

from meeting_agents.domain.attempts import follow_meeting, moved, with_attempt
from meeting_agents.domain.deadlines import deadline
from meeting_agents.domain.grace_periods import GracePeriods, end_of, start_of
from meeting_agents.domain.model import DeadlineType, Entry, EntryType, Meeting, Notification, Reading, State, Verdict
from meeting_agents.domain.profiles import apply_profile, is_own_look_due, needed_profile, next_own_look
from meeting_agents.domain.reasons import Reason, ReasonCode
from meeting_agents.domain.record import Attempt, Record
from meeting_agents.domain.state_machine import TERMINAL_STATES

SETTLING = timedelta(minutes=2)
"""After Cronofy accepted a request, until the calendar shows what it asks for."""
READ_UNTIL = timedelta(days=1)
"""After the end of a meeting, until its calendar is no longer read."""
READING_WINDOW = timedelta(hours=1)
"""After the time of a daily reading, until it is left out."""
SILENCE = frozenset({DeadlineType.CONFERENCE, DeadlineType.ACTIVATION, DeadlineType.COMPLETION})
"""The deadlines whose miss may mean that the meeting is at another time, longer, or deleted."""
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Calendar:
    """A calendar that can be read in the name of a registered account."""

    account: str
    data_center: str
    calendar_id: str


def calendar_of(record: Record) -> Calendar | None:
    """Return the calendar that has the meeting of an open agent; None if it cannot be read, or not yet trusted."""
    attempt = record.current
    request = attempt.latest_request
    if request is None or attempt.state in TERMINAL_STATES or attempt.unanswered or attempt.accepted_at is None:
        return None
    is_readable = bool(request.account and request.calendar_id and record.event_id)
    return Calendar(request.account, request.data_center, request.calendar_id) if is_readable else None


def is_settled(attempt: Attempt, now: datetime) -> bool:
    """Return True if the calendar shows the newest request by now."""
    return not attempt.unanswered and (attempt.accepted_at is None or attempt.accepted_at + SETTLING <= now)


def known_since(record: Record) -> datetime:
    """Return the time of the newest word on the meeting: a change in the calendar that is not known came later."""
    attempt = record.current
    return max(filter(None, (attempt.began_at, attempt.accepted_at, attempt.reported_at)))


# ----------------------------------------------------------------------------------------------------------- once a day


def next_reading_at(record: Record, grace_periods: GracePeriods, after: datetime) -> datetime | None:
    """Return the next time of the daily reading: the same for all agents of a calendar, spread over the day."""
    calendar = calendar_of(record)
    if calendar is None:
        return None
    at = _last_time(calendar, after) + _DAY
    return at if at < end_of(record.current, grace_periods) + READ_UNTIL else None


def is_reading_due(record: Record, grace_periods: GracePeriods, now: datetime) -> bool:
    """Return True if the time of the daily reading has just come, and nothing was heard since."""
    at = next_reading_at(record, grace_periods, max(record.updated_at, now - READING_WINDOW))
    return at is not None and at <= now and is_settled(record.current, now)


def _last_time(calendar: Calendar, at: datetime) -> datetime:
    """Return the newest time of a calendar's daily reading until a time, inclusive."""
    midnight = at.replace(hour=0, minute=0, second=0, microsecond=0)
    name = f"{calendar.data_center}/{calendar.account}/{calendar.calendar_id}"
    time = midnight + timedelta(seconds=crc32(name.encode()) % int(_DAY.total_seconds()))
    return time if time <= at else time - _DAY


def next_look(record: Record, grace_periods: GracePeriods, after: datetime) -> datetime | None:
    """Return the time at which the sweep must look at an agent: for a deadline, the daily reading, or its profile."""
    due = deadline(record, grace_periods)
    look_at = next_own_look(record, grace_periods, after)
    times = (due.at if due else None, next_reading_at(record, grace_periods, after), look_at)
    return min(filter(None, times), default=None)


def is_profile_due(record: Record, grace_periods: GracePeriods, now: datetime) -> bool:
    """Return True if it is time to look at the conferencing profile that is to make a missing conference."""
    attempt = record.current
    if calendar_of(record) is None or not needed_profile(attempt) or start_of(attempt) <= now:
        return False
    return is_own_look_due(record, grace_periods, now) or is_reading_due(record, grace_periods, now)


# -------------------------------------------------------------------------------------------------------------- reading


def reading_entry(record: Record, reading: Reading, at: datetime) -> Entry | None:
    """Return the entry of a reading; None if it says nothing new. Sweeps that read the same make the same key."""
    attempt, meeting = record.current, reading.meeting
    if reading.is_deleted:
        news, reason = "deleted", Reason.of(ReasonCode.DELETED_IN_CALENDAR)
    elif meeting.start is None or (meeting.start, meeting.end) in _known_times(attempt.meeting):
        return None
    else:
        times = filter(None, (meeting.start, meeting.end))
        news, reason = "/".join(time.isoformat() for time in times), moved(meeting)
    entry = Entry(
        key=f"calendar_read#{attempt.number}#{known_since(record).isoformat()}#{news}",
        kind=EntryType.CALENDAR_READ,
        at=at,
        attempt=attempt.number,
        reading=reading,
        reason=reason,
    )
    _, verdict = apply_reading(record, entry, reading)
    return entry if verdict is Verdict.APPLIED else None


def _known_times(meeting: Meeting) -> tuple[tuple[datetime | None, datetime | None], ...]:
    """Return the times of a reading that says what is known; one without an end says nothing about the end."""
    return (meeting.start, meeting.end), (meeting.start, None)


def apply_look(record: Record, entry: Entry) -> tuple[Record, Verdict]:
    """Return the record after a look at the calendar or at a conferencing profile; without what it saw it is none."""
    if entry.kind is EntryType.PROFILE_READ and entry.reason:
        return apply_profile(record, entry, entry.reason)
    return apply_reading(record, entry, entry.reading) if entry.reading else (record, Verdict.UNRECOGNISED)


def apply_reading(record: Record, entry: Entry, reading: Reading) -> tuple[Record, Verdict]:
    """Return the record after a reading: a moved meeting is followed, a deleted one ends an agent not heard of."""
    attempt = record.current
    if entry.attempt != attempt.number or attempt.state in TERMINAL_STATES or not is_settled(attempt, entry.at):
        return record, Verdict.STALE
    if not reading.is_deleted:
        changed = follow_meeting(record, Notification(meeting=reading.meeting), entry.at, is_current=True)
        return changed, Verdict.DUPLICATE if changed == record else Verdict.APPLIED
    if attempt.is_heard_of:
        return record, Verdict.STALE
    reason = entry.reason or Reason.of(ReasonCode.DELETED_IN_CALENDAR)
    ended = replace(
        attempt,
        state=State.CANCELLED,
        since=entry.at,
        reason=reason,
        deleted_at=entry.at,
        refusal=None,
        unwanted_at=None,
    )
    return with_attempt(record, ended), Verdict.APPLIED
