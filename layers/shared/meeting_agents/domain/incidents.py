"""The incidents of an agent: a table that says from the record and the time which are open. Pure."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from meeting_agents.domain.archive import is_lacking
from meeting_agents.domain.attempts import is_after_end
from meeting_agents.domain.grace_periods import ANYTHING, GracePeriods, missing_of, resources_by
from meeting_agents.domain.model import (
    Action,
    ArchiveScope,
    Conference,
    DeadlineType,
    IncidentType,
    Meeting,
    Severity,
    State,
)
from meeting_agents.domain.profiles import disconnected_since
from meeting_agents.domain.reasons import REAUTHORISATION_REQUIRED, Reason, ReasonCode
from meeting_agents.domain.record import Attempt, Record, Refusal, incident_key
from meeting_agents.domain.situation import Situation, owed_at
from meeting_agents.domain.state_machine import EXPECTED, TERMINAL_STATES


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """Something that is wrong with one attempt."""

    type: IncidentType
    attempt: int
    opened_at: datetime
    owed_at: datetime
    """The time at which an alert is owed: later than `opened_at` if the incident has patience."""
    severity: Severity
    reason: Reason | None = None
    acknowledged_at: datetime | None = None
    reminders: int = 0

    @property
    def key(self) -> str:
        return incident_key(self.attempt, self.type)


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentRule:
    """One row of the table. The docstrings of its functions are its description in the documentation."""

    opened_at: Callable[[Situation], datetime | None]
    """Return the time since which it is open, or will be if nothing changes."""
    is_resolved: Callable[[Attempt], bool]
    """Return True if an attempt shows that it is over: its own, or a later one of the same meeting."""
    severity: Callable[[Situation], Severity]
    has_patience: bool = False
    inhibits: frozenset[IncidentType] = frozenset()
    """The types that are not open while this one is."""


# ------------------------------------------------------------------------------------------------------------- severity


def warning(_: Situation) -> Severity:
    """Warning."""
    return Severity.WARNING


def critical(_: Situation) -> Severity:
    """Critical."""
    return Severity.CRITICAL


def critical_near_the_meeting(at: Situation) -> Severity:
    """Critical from `ArrangementLeadTime` before the start until the end, else warning."""
    return Severity.CRITICAL if at.lead_time <= at.now < at.end else Severity.WARNING


def critical_near_the_meeting_without_agent(at: Situation) -> Severity:
    """Critical near the meeting as `rejected` is; warning while only a change of an accepted request waits."""
    pending = at.attempt.pending
    is_change = pending is not None and pending.request.action is Action.PROVISION
    if pending and is_change and not _is_elsewhere(at.attempt, pending.request.meeting):
        return Severity.WARNING
    return critical_near_the_meeting(at)


def critical_until_the_end(at: Situation) -> Severity:
    """Critical until the meeting ends, then warning."""
    return Severity.CRITICAL if at.now < at.end else Severity.WARNING


# --------------------------------------------------------------------------------------------------------------- opened


def unwanted(at: Situation) -> datetime | None:
    """It is cancelled and active; or its cancellation is refused, not answered or still waits, and it may come."""
    attempt, pending = at.attempt, at.attempt.pending
    if attempt.is_unwanted:
        return attempt.unwanted_at
    is_open = attempt.state not in TERMINAL_STATES or attempt.state is State.REJECTED
    is_over = at.was_over or at.now >= at.end + at.grace_periods.completion
    is_of_others = attempt.latest_request is None and not attempt.is_heard_of  # if there is one
    if is_over or not (is_open and (attempt.may_come or is_of_others)):
        return None
    if attempt.refusal and attempt.refusal.action is Action.CANCEL:
        is_known = attempt.refusal.at >= at.end or (is_of_others and not attempt.refusal.tries)
        return None if is_known else attempt.refusal.at
    if pending is None or pending.request.action is not Action.CANCEL or not pending.tries:
        return None
    if pending.retry_at:
        is_there = attempt.activated_at is not None and pending.requested_at < at.end
        return max(attempt.activated_at or pending.requested_at, pending.requested_at) if is_there else None
    return attempt.activated_at or (None if is_of_others else max(at.lead_time, pending.requested_at))


def account_disconnected(at: Situation) -> datetime | None:
    """Its account must authorise the application again, or connect the profile that is to make its conference."""
    attempt, pending = at.attempt, at.attempt.pending
    if pending and pending.waits_for_account:
        return pending.requested_at
    return None if is_cancellation_requested(attempt) or at.now >= at.end else disconnected_since(attempt)


def not_arranged(at: Situation) -> datetime | None:
    """Cronofy has not accepted the newest request by `ArrangementLeadTime` before the start."""
    attempt, pending = at.attempt, at.attempt.pending
    if _is_given_up(at) and not at.was_over:
        is_of_account = attempt.reason["failure"] == REAUTHORISATION_REQUIRED  # the alert about its account says so
        return None if is_of_account else max(at.lead_time, attempt.requested_at)
    is_there = attempt.is_heard_of and not _is_refused_unseen(attempt)
    if is_there or attempt.state in TERMINAL_STATES or at.was_over:
        return None
    if pending and pending.reason and pending.reason.code is ReasonCode.SCHEDULING_KEY_REFUSED:
        return None  # most likely an earlier try has created the agent
    if attempt.refusal and attempt.refusal.action is Action.PROVISION:
        return _refused_since(at, attempt.refusal) if _is_elsewhere(attempt, attempt.refusal.meeting) else None
    if pending is None or pending.request.action is Action.CANCEL or is_cancellation_requested(attempt):
        return None
    if not attempt.accepted_revision and attempt.reported_at and pending.requested_at < attempt.began_at:
        return None  # an agent came without an acceptance that is known, and Cronofy says that its meeting moved
    return max(at.lead_time, pending.requested_at) if _is_elsewhere(attempt, pending.request.meeting) else None


def _refused_since(at: Situation, refusal: Refusal) -> datetime | None:
    """Return when a refused move counts: before the first of both times of the meeting. None if the new one is over."""
    start, end = refusal.meeting.start or at.start, refusal.meeting.end
    since = max(min(at.start, start) - at.grace_periods.arrangement, refusal.at)
    return None if end is not None and end <= since else since


def _is_refused_unseen(attempt: Attempt) -> bool:
    """Return True if a move was refused while it waited: its caller does not know that."""
    refusal = attempt.refusal
    if refusal is None or not refusal.tries or not attempt.accepted_revision:
        return False  # or the agent came without an acceptance that is known
    return refusal.meeting.start != attempt.meeting.start and _is_elsewhere(attempt, refusal.meeting)


def _is_given_up(at: Situation) -> bool:
    """Return True if the request is not sent again, which is no news near the meeting: it was not accepted before."""
    attempt = at.attempt
    is_expired = attempt.state is State.REJECTED and attempt.reason.code is ReasonCode.REQUEST_EXPIRED
    return is_expired and attempt.since >= at.lead_time and not is_cancellation_requested(attempt)


def _is_elsewhere(attempt: Attempt, wanted: Meeting) -> bool:
    """Return True if no agent is accepted for the start of a request: a refused title keeps no agent away."""
    accepted = attempt.request.meeting if attempt.accepted_revision and attempt.request else None
    return accepted is None or accepted.start != wanted.start


def rejected(at: Situation) -> datetime | None:
    """Cronofy refused its request, or it was given up days before the meeting."""
    attempt = at.attempt
    if attempt.state is not State.REJECTED or attempt.request is None or _is_given_up(at):
        return None
    if is_cancellation_requested(attempt):
        return None  # its caller does not want it
    is_known = at.was_over and not (attempt.refusal and attempt.refusal.tries)
    return None if is_known else attempt.since


def failed(at: Situation) -> datetime | None:
    """Cronofy reports that it failed."""
    attempt = at.attempt
    return attempt.failed_at if attempt.state is State.FAILED and not is_cancellation_requested(attempt) else None


def never_activated(at: Situation) -> datetime | None:
    """It did not report itself by the activation deadline."""
    attempt = at.attempt
    is_missed = DeadlineType.ACTIVATION in attempt.missed and not attempt.is_heard_of
    is_expected = attempt.state not in TERMINAL_STATES and not is_cancellation_requested(attempt)
    is_known = attempt.arranged_at is not None and attempt.arranged_at >= at.end  # `not_arranged` was open until then
    is_moved_back = attempt.rescheduled_at is not None and attempt.rescheduled_at >= at.end
    return attempt.overdue_at if is_missed and is_expected and not (is_known or is_moved_back) else None


def no_conference(at: Situation) -> datetime | None:
    """No conference is assigned by the conference deadline, or Cronofy reports that it cannot make one."""
    attempt = at.attempt
    if attempt.conference is Conference.ASSIGNED or EXPECTED.get(attempt.state) is not DeadlineType.ACTIVATION:
        return None
    if disconnected_since(attempt) or is_cancellation_requested(attempt):
        return None  # the alert about its account says why; or it is not wanted
    if attempt.conference is Conference.FAILING:
        return attempt.conference_at
    if not attempt.may_come:
        return None  # no one makes a conference for what Cronofy does not have
    missed_at = min(at.now, at.start - at.grace_periods.conference)
    return missed_at if DeadlineType.CONFERENCE in attempt.missed else None


def not_finished(at: Situation) -> datetime | None:
    """It did not report its end by the completion deadline."""
    attempt = at.attempt
    is_missed = DeadlineType.COMPLETION in attempt.missed and attempt.state is State.OVERDUE
    return attempt.overdue_at if is_missed else None


def resources_missing(at: Situation) -> datetime | None:
    """It is complete, and left nothing, or less than expected, by the resources deadline."""
    attempt = at.attempt
    is_missed = DeadlineType.RESOURCES in attempt.missed and attempt.state is State.COMPLETE
    missed_at = min(at.now, resources_by(attempt, at.grace_periods))
    return missed_at if is_missed and not has_resources(attempt) else None


def not_archived(at: Situation) -> datetime | None:
    """A resource of it is not in the archive by the archive deadline, or could not be copied."""
    is_open = at.grace_periods.archive_scope is not ArchiveScope.OFF and is_lacking(at.attempt)
    return at.attempt.not_archived_at if is_open else None


# ------------------------------------------------------------------------------------------------------------- resolved


def is_settled(attempt: Attempt) -> bool:
    """It is cancelled, or requested again."""
    if attempt.state is State.CANCELLED:
        return not attempt.is_unwanted
    pending = attempt.pending
    is_open = pending is not None and pending.request.action is Action.CANCEL
    is_off = attempt.cancelled_at is not None and attempt.cancelled_at >= attempt.newest_request_at
    is_wanted = attempt.state not in TERMINAL_STATES or not is_off
    is_in_vain = attempt.refusal is not None and attempt.refusal.action is Action.CANCEL
    return is_wanted and not (is_open or is_in_vain)


def is_accepted(attempt: Attempt) -> bool:
    """Cronofy accepts the newest request, or the agent reports itself."""
    is_scheduled = attempt.state is State.SCHEDULED and attempt.pending is None and attempt.refusal is None
    return is_scheduled or is_active(attempt)


def is_arranged(attempt: Attempt) -> bool:
    """Cronofy accepts the newest request, or the agent reports itself, unless a move was refused while it waited."""
    return is_accepted(attempt) and not _is_refused_unseen(attempt)


def is_active(attempt: Attempt) -> bool:
    """It reports itself active or complete."""
    is_gone = attempt.state in (State.FAILED, State.REJECTED, State.CANCELLED)
    return attempt.state is State.COMPLETE or (attempt.activated_at is not None and not is_gone)


def has_conference(attempt: Attempt) -> bool:
    """A conference is assigned, or the agent reports itself."""
    return attempt.conference is Conference.ASSIGNED or is_active(attempt)


def is_complete(attempt: Attempt) -> bool:
    """It is complete."""
    return attempt.state is State.COMPLETE


def has_resources(attempt: Attempt) -> bool:
    """The missing resources arrive."""
    return attempt.state is State.COMPLETE and not missing_of(attempt, attempt.missing or frozenset({ANYTHING}))


def is_archived(attempt: Attempt) -> bool:
    """It is archived after all."""
    return bool(attempt.not_archived) and not is_lacking(attempt)


# ------------------------------------------------------------------------------------------------------------ the table

INCIDENTS: Mapping[IncidentType, IncidentRule] = {
    IncidentType.UNWANTED: IncidentRule(
        opened_at=unwanted,
        is_resolved=is_settled,
        severity=critical,
        has_patience=True,
        # The agent is not wanted: its silence and its failure need no alert.
        inhibits=frozenset(IncidentType),
    ),
    IncidentType.ACCOUNT_DISCONNECTED: IncidentRule(
        opened_at=account_disconnected,
        is_resolved=is_accepted,
        severity=critical_near_the_meeting_without_agent,
        has_patience=True,
        # What `not_arranged` inhibits is inhibited as well; a change that waits hides no silent agent.
        inhibits=frozenset({IncidentType.NOT_ARRANGED}),
    ),
    IncidentType.NOT_ARRANGED: IncidentRule(
        opened_at=not_arranged,
        is_resolved=is_arranged,
        severity=critical_until_the_end,
        has_patience=True,
        inhibits=frozenset({IncidentType.NEVER_ACTIVATED, IncidentType.NO_CONFERENCE}),
    ),
    IncidentType.REJECTED: IncidentRule(
        opened_at=rejected, is_resolved=is_accepted, severity=critical_near_the_meeting, has_patience=True
    ),
    IncidentType.FAILED: IncidentRule(opened_at=failed, is_resolved=is_active, severity=critical_until_the_end),
    IncidentType.NEVER_ACTIVATED: IncidentRule(
        opened_at=never_activated,
        is_resolved=is_active,
        severity=critical_until_the_end,
        inhibits=frozenset({IncidentType.NO_CONFERENCE}),
    ),
    IncidentType.NO_CONFERENCE: IncidentRule(
        opened_at=no_conference, is_resolved=has_conference, severity=critical_near_the_meeting, has_patience=True
    ),
    IncidentType.NOT_FINISHED: IncidentRule(opened_at=not_finished, is_resolved=is_complete, severity=warning),
    IncidentType.RESOURCES_MISSING: IncidentRule(
        opened_at=resources_missing, is_resolved=has_resources, severity=warning
    ),
    IncidentType.NOT_ARCHIVED: IncidentRule(opened_at=not_archived, is_resolved=is_archived, severity=warning),
}
NOTICES: Mapping[IncidentType, str] = {
    IncidentType.CONFLICTING: "Cronofy reports it both failed and complete.",
    IncidentType.MISMATCHED: "A notification for it names another calendar event.",
}
"""A notice is a warning that is sent once, and is never open or resolved."""

# ------------------------------------------------------------------------------------------------------ the interpreter


def open_incidents(record: Record, grace_periods: GracePeriods, now: datetime) -> tuple[Incident, ...]:
    """Return the incidents of the current attempt that are open at a time, in the order of the table.

    As long as no alert is owed about a second agent, the incident of the first is open, until the second is complete.
    """
    if not record.attempts:
        return ()
    opened = _opened(all_incidents(record, grace_periods, now), now)
    if not record.rescued or any(incident.owed_at <= now for incident in opened):
        return opened
    return _opened(_incidents_of(record, record.rescued, grace_periods, now), now)


def _opened(every: Iterator[Incident], now: datetime) -> tuple[Incident, ...]:
    incidents = {incident.type: incident for incident in every}
    opened = {type_: incident for type_, incident in incidents.items() if incident.opened_at <= now}
    inhibited = {type_ for other in opened for type_ in INCIDENTS[other].inhibits if type_ is not other}
    return tuple(incident for type_, incident in opened.items() if type_ not in inhibited)


def is_cancellation_requested(attempt: Attempt) -> bool:
    """Return True if a cancellation is still to be sent, or was refused: no deadline of the meeting applies.

    A cancellation that only its caller can send again changes nothing: the agent is expected as before. Nor does one
    after the end, or of an agent that is done.
    """
    pending, refusal = attempt.pending, attempt.refusal
    if attempt.state is State.COMPLETE:
        return False
    if pending and not (refusal and refusal.revision > pending.revision):
        is_sent_again = pending.request.action is Action.CANCEL and pending.retry_at is not None
        return is_sent_again and not is_after_end(attempt, pending.requested_at)
    return refusal is not None and refusal.action is Action.CANCEL and not is_after_end(attempt, refusal.at)


def all_incidents(record: Record, grace_periods: GracePeriods, now: datetime) -> Iterator[Incident]:
    """Iterate over the incidents of the current attempt that are open, or will be if nothing changes."""
    return _incidents_of(record, record.current, grace_periods, now)


def _incidents_of(record: Record, attempt: Attempt, grace_periods: GracePeriods, now: datetime) -> Iterator[Incident]:
    situation = Situation(attempt, grace_periods, now)
    for type_, rule in INCIDENTS.items():
        opened_at = rule.opened_at(situation)
        if opened_at is None:
            continue
        acknowledged_at, last = record.acknowledged_at, record.alerts.get(incident_key(attempt.number, type_))
        yield Incident(
            type=type_,
            attempt=attempt.number,
            opened_at=opened_at,
            owed_at=owed_at(situation, opened_at) if rule.has_patience else opened_at,
            severity=rule.severity(situation),
            reason=reason_of(type_, attempt, opened_at),
            acknowledged_at=acknowledged_at if acknowledged_at and acknowledged_at >= opened_at else None,
            reminders=last.reminders if last else 0,
        )


def reason_of(type_: IncidentType, attempt: Attempt, opened_at: datetime) -> Reason:
    """Return the reason of an incident of an attempt that is open since a time."""
    at = opened_at.replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"
    match type_:
        case IncidentType.UNWANTED if attempt.is_unwanted and (attempt.activated_at or not attempt.is_rescue):
            return Reason.of(ReasonCode.REPORTED_ACTIVE)
        case IncidentType.UNWANTED if attempt.is_unwanted:
            return Reason.of(ReasonCode.RESCUE_STAYS)
        case IncidentType.UNWANTED | IncidentType.NOT_ARRANGED if attempt.refusal:
            return attempt.refusal.reason
        case IncidentType.UNWANTED | IncidentType.ACCOUNT_DISCONNECTED | IncidentType.NOT_ARRANGED if (
            attempt.pending and attempt.pending.reason
        ):
            return attempt.pending.reason
        case IncidentType.ACCOUNT_DISCONNECTED if attempt.disconnected_profile:
            return Reason.of(ReasonCode.PROFILE_DISCONNECTED, profile=attempt.disconnected_profile[0])
        case IncidentType.NO_CONFERENCE if attempt.conference is Conference.FAILING:
            return Reason.of(ReasonCode.CONFERENCE_FAILING)
        case IncidentType.NO_CONFERENCE:
            return Reason.of(ReasonCode.CONFERENCE_MISSED, at=at)
        case IncidentType.RESOURCES_MISSING:
            return Reason.of(ReasonCode.RESOURCES_MISSED, at=at)
        case IncidentType.NOT_ARCHIVED if attempt.not_archived_because:
            return attempt.not_archived_because
        case _:
            return attempt.reason
