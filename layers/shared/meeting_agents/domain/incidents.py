"""The incidents: a table of what opens, resolves and drops each type. Pure.

An incident lasts from the step that opens it to the step that resolves or drops it. The table has a row for each type;
the rest of the file reads it. An agent has at most one incident at a time: a newer one replaces the open one.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from meeting_agents.domain.model import (
    ASSUMED_MEETING_DURATION,
    MAX_REMINDERS,
    Action,
    AlertStatus,
    Conference,
    DeadlineType,
    EntryType,
    IncidentType,
    Meeting,
    Pending,
    Record,
    Severity,
    State,
    Verdict,
)
from meeting_agents.domain.state_machine import EXPECTED, TERMINAL_STATES
from meeting_agents.domain.verdicts import Step


@dataclass(frozen=True, slots=True)
class Condition:
    """A predicate on a step, and its description for the documentation."""

    holds: Callable[[Step], bool]
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentRule:
    """One row of the table. Of several conditions in a column, one is enough."""

    opened_by: tuple[Condition, ...]
    resolved_by: tuple[Condition, ...] = ()
    """The incident is over, and a resolved alert is sent."""
    dropped_by: tuple[Condition, ...] = ()
    """The incident is over, and no alert is sent."""
    severity: Severity = Severity.WARNING
    inhibits: frozenset[IncidentType] = frozenset()
    """The types that do not open while this one is open."""
    reminded_in: frozenset[State] = frozenset()
    """The states in which reminders are sent until a person acknowledges it."""


# ------------------------------------------------------------------------------------------------------- conditions


def condition(holds: Callable[[Step], bool]) -> Condition:
    """Make a condition of a function and its docstring."""
    return Condition(holds, holds.__doc__ or "")


def missed(phase: DeadlineType) -> Condition:
    """Make the condition that a deadline passes."""
    words = f"It misses its {phase} deadline."
    return Condition(lambda step: step.entry.kind is EntryType.OVERDUE and step.entry.phase is phase, words)


def is_in(*states: State) -> Condition:
    """Make the condition that the agent is in one of these states."""
    return Condition(lambda step: step.after.state in states, f"It is {' or '.join(states)}.")


@condition
def failed(step: Step) -> bool:
    """Cronofy reports that it failed."""
    return _becomes(step, State.FAILED)


@condition
def refused(step: Step) -> bool:
    """Its request is refused, or cannot be delivered in time."""
    return _becomes(step, State.REJECTED) and step.attempt.request is not None


@condition
def conference_failing(step: Step) -> bool:
    """Cronofy reports that it cannot make the conference, before the agent is active."""
    attempt, before = step.attempt, step.attempt_before
    return (
        attempt.conference is Conference.FAILING
        and (before is None or before.conference is None)
        and EXPECTED.get(attempt.state) is DeadlineType.ACTIVATION
        and DeadlineType.CONFERENCE not in attempt.missed
    )


@condition
def conference_assigned(step: Step) -> bool:
    """A conference is assigned."""
    return step.attempt.conference is Conference.ASSIGNED


@condition
def resources_complete(step: Step) -> bool:
    """The missing resources arrive."""
    attempt, before = step.attempt, step.attempt_before
    is_more = attempt.resources != (before.resources if before else ())
    categories = {resource.category for resource in attempt.resources}
    return is_more and attempt.state is State.COMPLETE and attempt.missing <= categories


@condition
def cancellation_refused(step: Step) -> bool:
    """Its cancellation is refused, or cannot be delivered in time, while it may still come."""
    if step.entry.kind is not EntryType.REJECTED or step.entry.revision != step.after.revision:
        return False
    cancellation, requested = _open_cancellation(step), step.attempt.latest_request
    if cancellation is None:
        return False
    if requested:
        return step.attempt.state not in TERMINAL_STATES and not _is_over(requested.meeting, step.entry.at)
    # An immediate refusal of an agent that was requested elsewhere is known to the caller already.
    return cancellation.tries > 0 and not _is_over(cancellation.request.meeting, step.entry.at)


@condition
def active_though_cancelled(step: Step) -> bool:
    """It becomes active although its cancellation was sent, and is not sent again."""
    cancellation = _open_cancellation(step) if _becomes(step, State.ACTIVATED) else None
    return cancellation is not None and cancellation.retry_at is None


@condition
def cancelled(step: Step) -> bool:
    """It is cancelled."""
    return step.after.state is State.CANCELLED and step.entry.request is None  # a request alone proves nothing


@condition
def wanted_again(step: Step) -> bool:
    """It is requested again."""
    request = step.entry.request
    return request is not None and request.action is Action.PROVISION and _applies(step)


@condition
def ended(step: Step) -> bool:
    """It ends otherwise."""
    before = step.attempt_before
    return before is not None and before.state not in TERMINAL_STATES and step.after.state in TERMINAL_STATES


@condition
def reauthorisation_needed(step: Step) -> bool:
    """Its account must authorise the application again."""
    return (
        step.entry.cause is IncidentType.REAUTHORISATION and step.entry.kind is EntryType.UNCONFIRMED and _applies(step)
    )


@condition
def conflicting(step: Step) -> bool:
    """Cronofy reports it both failed and complete."""
    return step.verdict is Verdict.CONFLICTING


@condition
def mismatched(step: Step) -> bool:
    """A notification for it names another calendar event."""
    return step.verdict is Verdict.MISMATCHED


def _becomes(step: Step, state: State) -> bool:
    before = step.attempt_before
    return step.attempt.state is state and (before is None or before.state is not state)


def _applies(step: Step) -> bool:
    return step.verdict is Verdict.APPLIED


def _open_cancellation(step: Step) -> Pending | None:
    """Return the newest request of the attempt that was open before the step, if it was a cancellation."""
    pending = step.attempt_before.pending if step.attempt_before else None
    return pending if pending and pending.request.action is Action.CANCEL else None


def _is_over(meeting: Meeting, at: datetime) -> bool:
    """Return True if a meeting has ended; one without times begins now."""
    return at >= (meeting.end or (meeting.start or at) + ASSUMED_MEETING_DURATION)


# -------------------------------------------------------------------------------------------------------- the table

_UNTIL_UNDER_WAY = frozenset({State.FAILED, State.REJECTED, State.OVERDUE})

INCIDENTS: Mapping[IncidentType, IncidentRule] = {
    IncidentType.NOT_CANCELLED: IncidentRule(
        opened_by=(cancellation_refused, active_though_cancelled),
        resolved_by=(cancelled, wanted_again),
        dropped_by=(ended,),
        severity=Severity.CRITICAL,
        # The agent is not wanted: its silence, its failure and a second refusal need no alert.
        inhibits=frozenset(IncidentType),
        reminded_in=frozenset(State) - {State.COMPLETE, State.CANCELLED},
    ),
    IncidentType.NEVER_ACTIVATED: IncidentRule(
        opened_by=(missed(DeadlineType.ACTIVATION),),
        resolved_by=(is_in(State.ACTIVATED, State.COMPLETE),),
        severity=Severity.CRITICAL,
        reminded_in=_UNTIL_UNDER_WAY,
    ),
    IncidentType.NOT_FINISHED: IncidentRule(
        opened_by=(missed(DeadlineType.COMPLETION),),
        resolved_by=(is_in(State.COMPLETE),),
    ),
    IncidentType.RESOURCES_MISSING: IncidentRule(
        opened_by=(missed(DeadlineType.RESOURCES),),
        resolved_by=(resources_complete,),
    ),
    IncidentType.NO_CONFERENCE: IncidentRule(
        opened_by=(missed(DeadlineType.CONFERENCE), conference_failing),
        resolved_by=(conference_assigned, is_in(State.ACTIVATED, State.COMPLETE)),
    ),
    IncidentType.FAILED: IncidentRule(
        opened_by=(failed,),
        resolved_by=(is_in(State.ACTIVATED, State.COMPLETE),),
        severity=Severity.CRITICAL,
        reminded_in=_UNTIL_UNDER_WAY,
    ),
    IncidentType.REJECTED: IncidentRule(
        opened_by=(refused,),
        resolved_by=(is_in(State.SCHEDULED, State.ACTIVATED, State.COMPLETE),),
        severity=Severity.CRITICAL,
        reminded_in=_UNTIL_UNDER_WAY,
    ),
}
"""Only an applied entry opens an incident. If a step could open several, the first row wins."""

NOTICES: Mapping[IncidentType, IncidentRule] = {
    IncidentType.REAUTHORISATION: IncidentRule(opened_by=(reauthorisation_needed,)),
    IncidentType.CONFLICTING: IncidentRule(opened_by=(conflicting,)),
    IncidentType.MISMATCHED: IncidentRule(opened_by=(mismatched,)),
}
"""A notice is alerted to once. It opens no incident, and leaves the open one as it is."""

RULES = {**INCIDENTS, **NOTICES}
SEVERITIES: Mapping[IncidentType, Severity] = {type_: rule.severity for type_, rule in RULES.items()}

# ------------------------------------------------------------------------------------------------------ the interpreter

_NO_INCIDENT = IncidentRule(opened_by=())


def with_incident(step: Step) -> Step:
    """Return the step with the incident that is open after it, and the alert that it causes."""
    current = step.before.incident
    rule = INCIDENTS[current] if current else _NO_INCIDENT
    is_resolved = _holds(rule.resolved_by, step)
    inhibited = frozenset[IncidentType]() if is_resolved else rule.inhibits
    opened = _first(INCIDENTS, step, inhibited) if _applies(step) else None
    is_reminder = step.entry.kind is EntryType.ESCALATED and _applies(step)
    if firing := _first(NOTICES, step) or opened or (current if is_reminder else None):
        step = replace(step, cause=firing, status=AlertStatus.FIRING)
    elif is_resolved:
        step = replace(step, cause=current, status=AlertStatus.RESOLVED)
    if opened or is_resolved or _holds(rule.dropped_by, step):
        after = replace(
            step.after,
            incident=opened,
            incident_opened_at=step.entry.at if opened else None,
            alerted_at=None,
            escalations=0,
            acknowledged_at=None,
        )
        return replace(step, after=after)
    return step


def _first(
    rules: Mapping[IncidentType, IncidentRule], step: Step, inhibited: frozenset[IncidentType] = frozenset()
) -> IncidentType | None:
    for incident, rule in rules.items():
        if _holds(rule.opened_by, step) and incident not in inhibited:
            return incident
    return None


def _holds(conditions: tuple[Condition, ...], step: Step) -> bool:
    for condition_ in conditions:  # noqa: SIM110 - `any` takes twice as long, and each entry tests a dozen conditions
        if condition_.holds(step):
            return True
    return False


def is_unacknowledged(record: Record) -> bool:
    """Return True if the open incident was alerted to, is not acknowledged, and has reminders left."""
    return (
        record.incident is not None
        and record.state in INCIDENTS[record.incident].reminded_in
        and record.alerted_at is not None
        and record.acknowledged_at is None
        and record.escalations < MAX_REMINDERS
    )


def is_cancellation_requested(record: Record) -> bool:
    """Return True if a cancellation is still to be sent, or an alert says that it failed: no deadline applies.

    A cancellation that only its caller can send again changes nothing: the agent is expected as before.
    """
    pending = record.current.pending
    return record.incident is IncidentType.NOT_CANCELLED or (
        pending is not None and pending.request.action is Action.CANCEL and pending.retry_at is not None
    )
