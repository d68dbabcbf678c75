"""The alerts that are owed about an agent. Pure.

Alerting is level-triggered. What people were last told is in the record, and the difference to the incidents that are
open is owed: a firing alert about an open one, a resolved alert about one that is over. An incident that is over before
its alert is published owes nothing. One that is over without good news (the agent was cancelled, or failed after it had
been silent) owes nothing either.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from meeting_agents.domain.grace_periods import GracePeriods
from meeting_agents.domain.incidents import INCIDENTS, Incident, all_incidents, open_incidents
from meeting_agents.domain.model import AlertStatus, Entry, EntryType, IncidentType, Meeting, Severity, State, Verdict
from meeting_agents.domain.reasons import Reason, ReasonCode
from meeting_agents.domain.record import Attempt, HeldAlert, LastAlert, Record, incident_key
from meeting_agents.domain.situation import Situation

MAX_REMINDERS = 2
"""The number of reminders of a critical incident that is not acknowledged."""
PUBLISH_WITHIN = timedelta(minutes=2)
"""After this time an owed alert that is not published is due; the time doubles with each `alert_due` entry."""
MAX_ALERTS_DUE = 30
"""Entries about one owed alert, at most one an hour: then it takes news of the agent."""


@dataclass(frozen=True, slots=True)
class OwedAlert:
    """An alert that must be published."""

    status: AlertStatus
    incident: Incident
    number: int
    """The number of alerts about the incident before."""
    reminder: int = 0


def alerting_owed(record: Record, grace_periods: GracePeriods, now: datetime) -> tuple[OwedAlert, ...]:
    """Return the difference between the incidents at a time and the last alerts about them."""
    if not record.attempts:
        return ()
    opened = open_incidents(record, grace_periods, now)
    firing = (_firing(incident, last_alert(record, incident), grace_periods, now) for incident in opened)
    keys = {incident.key for incident in opened}
    return (
        *(alert for alert in firing if alert),
        *_notices(record),
        *(alert for key in record.alerts if key not in keys for alert in _resolved(record, key)),
    )


def next_alert_at(record: Record, grace_periods: GracePeriods) -> datetime | None:
    """Return the time at which the sweep must look at the alerts of an agent; None if none will be owed.

    An alert that is owed already was announced with the last entry, so it is due a little later, if at all.
    """
    if not record.attempts:
        return None
    if _is_unheld_alert_owed(record, grace_periods, record.updated_at):
        delay = min(PUBLISH_WITHIN * 2**record.alerts_due, timedelta(hours=1))
        return record.updated_at + delay if record.alerts_due < MAX_ALERTS_DUE else None
    times = sorted(at for at in _times(record, grace_periods) if at > record.updated_at)
    return next((at for at in times if _is_unheld_alert_owed(record, grace_periods, at)), None)


def _is_unheld_alert_owed(record: Record, grace_periods: GracePeriods, at: datetime) -> bool:
    """Return True if an alert is owed at a time that is not held back until later."""
    return any(not _is_held(record, alert, at) for alert in alerting_owed(record, grace_periods, at))


def _is_held(record: Record, alert: OwedAlert, at: datetime) -> bool:
    held = record.held.get(alert.incident.key)
    if held is None or alert.status is AlertStatus.RESOLVED:
        return False
    return held.severity is alert.incident.severity and at < held.until


def with_notices(record: Record, entry: Entry, verdict: Verdict, because: Reason | None) -> Record:
    """Return the record with the notice that an entry causes, if it is the first of its type in the attempt.

    `because`: the reason why the entry was not applied.
    """
    type_ = {Verdict.CONFLICTING: IncidentType.CONFLICTING, Verdict.MISMATCHED: IncidentType.MISMATCHED}.get(verdict)
    key = incident_key(record.current.number, type_) if type_ else ""
    if not type_ or key in record.notices:
        return record
    return replace(record, notices={**record.notices, key: (entry.at, entry.reason or because)})


def with_alert(record: Record, entry: Entry) -> Record:
    """Return the record after an alert was published or held back."""
    if entry.cause is None or entry.attempt is None or entry.status is None:
        return record
    key = incident_key(entry.attempt, entry.cause)
    if entry.kind is EntryType.SILENCED:
        count = record.held[key].count + 1 if key in record.held else 1
        severity, until = entry.severity or Severity.WARNING, entry.until or entry.at
        held_alert = HeldAlert(severity=severity, until=until, count=count)
        return replace(record, held={**record.held, key: held_alert}, alerts_due=0)
    before, code = record.alerts.get(key), entry.reason.code if entry.reason else None
    if before and code is ReasonCode.GROUP_RESOLVED and not before.is_included:
        return record  # an alert about the agent alone was sent since
    alert = LastAlert(
        status=entry.status,
        severity=entry.severity or Severity.WARNING,
        at=entry.at,
        count=before.count + 1 if before else 1,
        reminders=entry.reminder,
        is_included=code is ReasonCode.ALERT_INCLUDED,
    )
    held = {other: value for other, value in record.held.items() if other != key}
    return replace(record, alerts={**record.alerts, key: alert}, held=held, alerts_due=0)


def _firing(incident: Incident, last: LastAlert | None, grace_periods: GracePeriods, now: datetime) -> OwedAlert | None:
    if incident.owed_at > now:
        return None
    if last is None or last.status is AlertStatus.RESOLVED:
        return OwedAlert(AlertStatus.FIRING, incident, last.count if last else 0)
    if incident.severity is not Severity.CRITICAL or incident.acknowledged_at:
        return None
    if last.severity is not Severity.CRITICAL:
        return OwedAlert(AlertStatus.FIRING, incident, last.count)
    is_due = grace_periods.escalation is not None and last.at + grace_periods.escalation <= now
    if is_due and last.reminders < MAX_REMINDERS:
        return OwedAlert(AlertStatus.FIRING, incident, last.count, last.reminders + 1)
    return None


def last_alert(record: Record, incident: Incident) -> LastAlert | None:
    """Return the last alert about an incident; that of an earlier time of the meeting counts as resolved."""
    last = record.alerts.get(incident.key)
    if last is None or not last.at < record.current.requested_at <= incident.opened_at:
        return last
    return replace(last, status=AlertStatus.RESOLVED)


def _notices(record: Record) -> Iterator[OwedAlert]:
    for key, (at, reason) in record.notices.items():
        if key not in record.alerts and not resolving_attempt(record, key):
            yield OwedAlert(AlertStatus.FIRING, incident_of(key, at, Severity.WARNING, reason), 0)


def _resolved(record: Record, key: str) -> Iterator[OwedAlert]:
    last = record.alerts[key]
    incident = incident_of(key, last.at, last.severity, record.current.reason)
    if last.status is not AlertStatus.RESOLVED and resolving_attempt(record, key):
        yield OwedAlert(AlertStatus.RESOLVED, incident, last.count)


def resolving_attempt(record: Record, key: str) -> Attempt | None:
    """Return the attempt with good news of an incident: its own, or a later one of the same meeting; None: none has it.

    A notice is never over, but for one that is an incident.
    """
    number, type_ = key.split("/")
    rule = INCIDENTS.get(IncidentType(type_))
    if rule is None:
        return None
    attempt, current = record.attempt(int(number)) or record.current, record.current
    # A second agent was sent to the meeting of the first, to whichever time people have moved it since.
    second = record.attempt(attempt.number + 1)
    has_second = second is not None and second.is_rescue and second.state is State.COMPLETE
    of_meeting = (attempt, current if is_same_meeting(attempt, current) else None, second if has_second else None)
    return next((each for each in of_meeting if each and rule.is_resolved(each)), None)


def is_same_meeting(attempt: Attempt, later: Attempt) -> bool:
    """Return True if the meetings of two attempts overlap: the later one is a new try, not next week's agent.

    The meeting of an agent that has ended may have moved since.
    """
    known = (attempt.meeting, *attempt.replaced) if attempt.ended_at else (attempt.meeting,)
    return any(_overlap(meeting, later.meeting) for meeting in known)


def _overlap(one: Meeting, other: Meeting) -> bool:
    """Return True if two meetings have a time in common, or may have."""
    if one.start is None or other.start is None:
        return True
    if one.end is None or other.end is None:
        return one.start == other.start
    return one.start < other.end and other.start < one.end


def incident_of(key: str, at: datetime, severity: Severity, reason: Reason | None) -> Incident:
    """Return the incident with a key, as an alert about it has it."""
    number, type_ = key.split("/")
    return Incident(
        type=IncidentType(type_), attempt=int(number), opened_at=at, owed_at=at, severity=severity, reason=reason
    )


def _times(record: Record, grace_periods: GracePeriods) -> Iterator[datetime]:
    """Iterate over the times at which an alert may become owed, if nothing happens."""
    yield Situation(record.current, grace_periods, record.updated_at).lead_time
    for held in record.held.values():
        yield held.until + PUBLISH_WITHIN  # the sweep has those looked at that a silence held, when it ends
    for incident in all_incidents(record, grace_periods, record.updated_at):
        yield incident.owed_at
    if grace_periods.escalation:
        for last in record.alerts.values():
            yield last.at + grace_periods.escalation
