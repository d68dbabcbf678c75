"""Finds the deadlines that an agent has missed, and makes the entry of each. Pure."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from meeting_agents.domain.alerts import alerting_owed
from meeting_agents.domain.archive import owed_categories
from meeting_agents.domain.deadlines import Deadline, deadlines
from meeting_agents.domain.grace_periods import GracePeriods, missing_resources
from meeting_agents.domain.lifecycle import fold
from meeting_agents.domain.model import DeadlineType, Entry, EntryType
from meeting_agents.domain.reasons import Reason, ReasonCode
from meeting_agents.domain.record import Record
from meeting_agents.domain.rescue import is_sent, reported_entry

_REASONS = {
    DeadlineType.CONFERENCE: ReasonCode.CONFERENCE_MISSED,
    DeadlineType.ACTIVATION: ReasonCode.ACTIVATION_MISSED,
    DeadlineType.COMPLETION: ReasonCode.COMPLETION_MISSED,
    DeadlineType.RESOURCES: ReasonCode.RESOURCES_MISSED,
    DeadlineType.ARCHIVE: ReasonCode.ARCHIVE_MISSED,
}


@dataclass(frozen=True, slots=True)
class Finding:
    """A deadline that has passed, and its entry."""

    deadline: Deadline
    entry: Entry


def find_missed(record: Record, grace_periods: GracePeriods, now: datetime) -> list[Finding]:
    """Return all deadlines that have passed, the earliest first, without those that are requests to Cronofy.

    After a long pause, another deadline that follows a missed one may have passed too.
    """
    findings: dict[str, Finding] = {}
    requests = {DeadlineType.RETRY} | ({DeadlineType.RESCUE} if is_sent(record, grace_periods) else set())
    while record.attempts:
        passed = [
            deadline
            for deadline in deadlines(record, grace_periods)
            if deadline.at <= now and deadline.phase not in requests
        ]
        new: dict[str, Finding] = {}
        for number, deadline in enumerate(passed, len(findings)):
            # A millisecond apart, so that the journal has them in the order of the deadlines.
            entry = _entry(record, deadline, now + timedelta(milliseconds=number), grace_periods)
            if entry.key not in findings:
                new[entry.key] = Finding(deadline, entry)
        if not new:
            break
        findings |= new
        record = fold((finding.entry for finding in new.values()), record)
    return list(findings.values())


def is_retry_due(record: Record, now: datetime) -> bool:
    """Return whether the newest request must be sent to Cronofy again."""
    pending = record.current.pending if record.attempts else None
    return pending is not None and pending.retry_at is not None and pending.retry_at <= now


def _entry(record: Record, deadline: Deadline, at: datetime, grace_periods: GracePeriods) -> Entry:
    """Return the entry of a deadline. Every sweep that finds the deadline makes the same key.

    The key has the time of the deadline: the same request may have another one after that, when people move the meeting
    in the calendar, when Cronofy accepts it late, or for each resource that is reported later.
    """
    if deadline.phase is DeadlineType.RESCUE:
        return reported_entry(record, grace_periods, at)
    attempt, revision = record.attempt(deadline.attempt) or record.current, record.revision
    number, at_text = attempt.number, deadline.at.isoformat(timespec="milliseconds")
    key = f"overdue#{number}#{revision:04d}#{deadline.phase}#{at_text}"
    entry = Entry(key=key, kind=EntryType.OVERDUE, at=at, attempt=number, revision=revision, phase=deadline.phase)
    if deadline.phase is DeadlineType.ALERT:
        types = ", ".join(alert.incident.type for alert in alerting_owed(record, grace_periods, at))
        key = f"alert_due#{at_text}"
        return replace(
            entry, key=key, kind=EntryType.ALERT_DUE, reason=Reason.of(ReasonCode.ALERT_OWED, incidents=types)
        )
    owed = owed_categories if deadline.phase is DeadlineType.ARCHIVE else missing_resources
    missing = tuple(sorted(owed(attempt, grace_periods)))
    reason = Reason.of(_REASONS[deadline.phase], at=at_text)
    return replace(entry, missing=missing, reason=reason)
