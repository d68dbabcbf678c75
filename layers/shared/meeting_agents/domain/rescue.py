"""Second agents, for meetings that still run: the conditions to send one, its time, and its outcome. Pure.

An agent that is sent now has no key at Cronofy by which it could be called off, and two agents in one meeting disturb
it. So a second one is sent once for a meeting, and only where each condition of a table holds.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from enum import StrEnum

from meeting_agents.domain.alerts import is_same_meeting
from meeting_agents.domain.attempts import with_attempt
from meeting_agents.domain.grace_periods import GracePeriods, start_of
from meeting_agents.domain.incidents import is_cancellation_requested
from meeting_agents.domain.model import (
    Action,
    Conference,
    DeadlineType,
    Entry,
    EntryType,
    IncidentType,
    RescueMode,
    State,
    Verdict,
)
from meeting_agents.domain.reasons import Reason, ReasonCode
from meeting_agents.domain.record import Attempt, Record
from meeting_agents.domain.state_machine import TERMINAL_STATES


class Obstacle(StrEnum):
    """The reasons why no second agent is sent. `wording` has a sentence for each."""

    # from the record
    NOT_REQUESTED = "not_requested"
    CALLERS_TOKEN = "callers_token"  # noqa: S105 - a word, not a token
    NOT_ACCEPTED = "not_accepted"
    NOT_WANTED = "not_wanted"
    STILL_OPEN = "still_open"
    MAY_BE_THERE = "may_be_there"
    INCURABLE = "incurable"
    NO_CONFERENCE = "no_conference"
    NO_END = "no_end"
    SECOND_BEFORE = "second_before"
    # at the moment of sending
    TOO_LATE = "too_late"
    BUDGET_SPENT = "budget_spent"
    NO_ATTENDEE = "no_attendee"
    ACCOUNT_DISCONNECTED = "account_disconnected"
    NOTHING_HEARD = "nothing_heard"
    FIRST_HEARD_OF = "first_heard_of"


class Outcome(StrEnum):
    """The outcome of a second agent, sent or only reported, as the digest counts it."""

    REPORTED = "reported"
    """It would have been sent, and no agent came without it."""
    NOT_NEEDED = "not_needed"
    """An agent came without it, after the time at which it was, or would have been, sent."""
    WITHHELD = "withheld"
    """It was due, and could not be sent."""
    SENT = "sent"
    """It was sent, and its end is not known."""
    COMPLETE = "complete"
    FAILED = "failed"
    """It failed, was refused, or was never heard of."""


_AGAINST_A_SECOND = re.compile(
    r"lock|consent|verif|denied|deny|reject|refus|declin|remov|kick|eject|block|banned|not.allowed|permission",
    re.IGNORECASE,
)
"""Words of a failure that a second agent would meet as well, or that people decided. Cronofy documents none."""

# ----------------------------------------------------------------------------------------------------------- conditions


def is_requested(record: Record) -> bool:
    """The agent was requested here."""
    return record.was_requested


def is_of_account_or_api_key(record: Record) -> bool:
    """It was requested with a registered account or the API key, not with a token of its caller's own."""
    request = record.current.request
    return request is not None and bool(request.account or not request.calendar_id)


def is_accepted(record: Record) -> bool:
    """Cronofy accepted its request: what keeps a request away keeps a second agent away, too."""
    return record.current.accepted_revision > 0


def is_wanted(record: Record) -> bool:
    """No one cancelled it, tried to, or deleted its calendar event."""
    attempt = record.current
    is_cancelled = attempt.cancelled_at is not None or attempt.deleted_at is not None
    pending = attempt.pending is not None and attempt.pending.request.action is Action.CANCEL
    return not (is_cancelled or pending or is_cancellation_requested(attempt))


def is_settled(record: Record) -> bool:
    """No other request is without an outcome, or was refused."""
    return not record.current.unanswered and record.current.refusal is None


def is_alone(record: Record) -> bool:
    """No other agent may still come to this meeting, or be in it, by what is known."""
    attempts = [attempt for attempt in record.attempts if is_same_meeting(attempt, record.current)]
    return not any(_may_be_there(attempt, is_current=attempt is record.current) for attempt in attempts)


def _may_be_there(attempt: Attempt, *, is_current: bool) -> bool:
    active, failed, complete = (
        {sub for sub, reported in attempt.reports if reported is kind}
        for kind in (EntryType.ACTIVATED, EntryType.FAILED, EntryType.COMPLETE)
    )
    is_open = not is_current and attempt.state not in TERMINAL_STATES
    return is_open or attempt.is_unwanted or attempt.may_have_arrived or bool(active - failed - complete)


def is_curable(record: Record) -> bool:
    """No word that came with its failure says that a second agent would meet the same, or that people keep it out."""
    return not any(_AGAINST_A_SECOND.search(failure) for failure in record.current.failures)


def has_conference(record: Record) -> bool:
    """Cronofy gave the link of the conference, and does not say that it cannot make one."""
    return record.has_join_link and record.current.conference is not Conference.FAILING


def has_end(record: Record) -> bool:
    """The start and the end of the meeting are known."""
    return record.current.meeting.start is not None and record.current.meeting.end is not None


def is_first(record: Record) -> bool:
    """There was no second agent for this meeting before, sent, reported or withheld."""
    attempts = (attempt for attempt in record.attempts if attempt.is_rescue or attempt.rescue)
    return not any(is_same_meeting(attempt, record.current) for attempt in attempts)


CONDITIONS: Mapping[Obstacle, Callable[[Record], bool]] = {
    Obstacle.NOT_REQUESTED: is_requested,
    Obstacle.NOT_ACCEPTED: is_accepted,
    Obstacle.CALLERS_TOKEN: is_of_account_or_api_key,
    Obstacle.NOT_WANTED: is_wanted,
    Obstacle.STILL_OPEN: is_settled,
    Obstacle.SECOND_BEFORE: is_first,
    Obstacle.MAY_BE_THERE: is_alone,
    Obstacle.INCURABLE: is_curable,
    Obstacle.NO_CONFERENCE: has_conference,
    Obstacle.NO_END: has_end,
}
"""The conditions, each with the obstacle that there is if it does not hold. The first one is named."""

# ------------------------------------------------------------------------------------------------------------- decision


def cause_of(attempt: Attempt) -> IncidentType | None:
    """Return the incident that may cause a second agent: the agent failed, or was never heard of; None if none."""
    if attempt.state is State.FAILED:
        return IncidentType.FAILED
    is_silent = attempt.state is State.OVERDUE and DeadlineType.ACTIVATION in attempt.missed
    return IncidentType.NEVER_ACTIVATED if is_silent and not attempt.is_heard_of else None


def obstacle_to(record: Record) -> Obstacle | None:
    """Return the first obstacle to a second agent that the record has; None if it has none."""
    return next((obstacle for obstacle, holds in CONDITIONS.items() if not holds(record)), None)


def due_at(record: Record, grace_periods: GracePeriods) -> datetime | None:
    """Return the time at which a second agent is to be sent, or reported; None if none is.

    A silent agent has twice the time that it has to report itself: it may be late. So much must be left until the end.
    """
    cause = cause_of(record.current) if record.attempts and grace_periods.rescue is not RescueMode.OFF else None
    if cause is None or obstacle_to(record):
        return None
    attempt = record.current
    times = [start_of(attempt), attempt.failed_at]
    if cause is IncidentType.NEVER_ACTIVATED:
        since = max(start_of(attempt), attempt.requested_at)
        times = [since + 2 * grace_periods.activation, attempt.overdue_at]
    at = max(filter(None, times))
    return at if at <= _last_at(attempt, grace_periods) else None


def is_late(record: Record, grace_periods: GracePeriods, now: datetime) -> bool:
    """Return True if too little is left of the meeting for a second agent to be of use."""
    return now > _last_at(record.current, grace_periods)


def _last_at(attempt: Attempt, grace_periods: GracePeriods) -> datetime:
    return (attempt.meeting.end or start_of(attempt)) - grace_periods.activation


def is_sent(record: Record, grace_periods: GracePeriods) -> bool:
    """Return True if the deployment sends a second agent, False if it only reports that it would.

    A silent agent may be in the meeting, with its callbacks lost: a deployment decides on those apart.
    """
    is_silent = not record.attempts or cause_of(record.current) is not IncidentType.FAILED
    return grace_periods.rescue is RescueMode.ONCE and (grace_periods.rescues_silent or not is_silent)


def is_rescue_due(record: Record, grace_periods: GracePeriods, now: datetime) -> bool:
    """Return True if a second agent must be sent now."""
    at = due_at(record, grace_periods) if is_sent(record, grace_periods) else None
    return at is not None and at <= now


def is_still_needed(record: Record) -> bool:
    """Return True if the current attempt is that of a second agent, and the first was not heard of since."""
    rescued = record.rescued
    return rescued is not None and cause_of(rescued) is not None and not _may_be_there(rescued, is_current=True)


# -------------------------------------------------------------------------------------------------------------- entries


def request_reason(record: Record) -> Reason:
    """Return the reason of the entry by which a second agent is requested: it makes an attempt of its own."""
    return Reason.of(ReasonCode.RESCUE, cause=cause_of(record.current))


def is_second(reason: Reason | None) -> bool:
    """Return True for the reason of a request for a second agent."""
    return reason is not None and reason.code is ReasonCode.RESCUE


def reported_entry(record: Record, grace_periods: GracePeriods, at: datetime) -> Entry:
    """Return the entry which says that a second agent would have been sent."""
    if is_late(record, grace_periods, at):
        return withheld_entry(record, Obstacle.TOO_LATE, at)
    return _entry(record, Reason.of(ReasonCode.RESCUE_REPORTED, cause=cause_of(record.current)), at)


def withheld_entry(record: Record, obstacle: Obstacle, at: datetime) -> Entry:
    """Return the entry which says that no second agent is sent, though it was due."""
    return _entry(record, Reason.of(ReasonCode.RESCUE_WITHHELD, cause=cause_of(record.current), obstacle=obstacle), at)


def _entry(record: Record, reason: Reason, at: datetime) -> Entry:
    """Every sweep that finds the same makes the same key."""
    number, start = record.current.number, start_of(record.current)
    key = f"rescue#{number}#{start.isoformat()}"
    return Entry(key=key, kind=EntryType.RESCUE, at=at, attempt=number, reason=reason)


def apply_rescue(record: Record, entry: Entry) -> tuple[Record, Verdict]:
    """Return the record after an entry about a second agent that was not sent."""
    attempt = record.current
    if entry.attempt != attempt.number:
        return record, Verdict.STALE
    if attempt.rescue:
        return record, Verdict.DUPLICATE
    return with_attempt(record, replace(attempt, rescue=entry.reason)), Verdict.APPLIED


# -------------------------------------------------------------------------------------------------------- what is known


def second_agent(record: Record, number: int, grace_periods: GracePeriods, now: datetime) -> Reason | None:
    """Return what people are to know of a second agent in an alert about an attempt; None if there is nothing."""
    attempt, later = record.attempt(number), record.attempt(number + 1)
    second = attempt if attempt and attempt.is_rescue else later if later and later.is_rescue else None
    if second:
        return Reason.of(ReasonCode.RESCUE_SENT, at=second.began_at.isoformat(), outcome=second.state)
    if attempt is None or attempt.rescue:
        return attempt.rescue if attempt else None
    if grace_periods.rescue is RescueMode.OFF or attempt is not record.current or cause_of(attempt) is None:
        return None
    at = due_at(record, grace_periods)
    if at is None or is_late(record, grace_periods, now):
        return Reason.of(ReasonCode.RESCUE_WITHHELD, obstacle=obstacle_to(record) or Obstacle.TOO_LATE)
    code = ReasonCode.RESCUE_DUE if is_sent(record, grace_periods) else ReasonCode.RESCUE_REPORTED
    return Reason.of(code, at=max(at, now).isoformat())


def outcome_of(record: Record) -> Outcome | None:
    """Return the outcome of the newest second agent of a record; None if there was none."""
    for attempt in reversed(record.attempts):
        if attempt.is_rescue:
            return _outcome_of_sent(record.attempt(attempt.number - 1), attempt)
        if attempt.rescue:
            is_withheld = attempt.rescue.code is ReasonCode.RESCUE_WITHHELD
            since = (a for a in record.attempts if a.number >= attempt.number)
            came = [a for a in since if is_same_meeting(attempt, a) and _has_come(a)]
            return Outcome.WITHHELD if is_withheld else Outcome.NOT_NEEDED if came else Outcome.REPORTED
    return None


def _outcome_of_sent(first: Attempt | None, second: Attempt) -> Outcome:
    if first and _has_come(first):
        return Outcome.NOT_NEEDED
    if second.state is State.COMPLETE:
        return Outcome.COMPLETE
    return Outcome.FAILED if second.state in (State.FAILED, State.REJECTED, State.OVERDUE) else Outcome.SENT


def _has_come(attempt: Attempt) -> bool:
    """Return True if an agent of an attempt came, and did not fail."""
    return attempt.complete_at is not None or (attempt.activated_at is not None and attempt.failed_at is None)
