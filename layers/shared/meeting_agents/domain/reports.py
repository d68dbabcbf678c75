"""The reports of agents: the attempt that each is about, and what it changes. Pure.

An agent is known by its `sub`. Cronofy may use one again, and two requests at the same time may bring two agents.
"""

from dataclasses import replace
from datetime import datetime, timedelta

from meeting_agents.domain.attempts import (
    LEAVES_WITHIN,
    is_another_agent,
    is_gone,
    transition,
    with_attempt,
    with_successor,
)
from meeting_agents.domain.model import Entry, EntryType, Meeting, Notification, State
from meeting_agents.domain.reasons import Reason, ReasonCode
from meeting_agents.domain.record import Attempt, Record
from meeting_agents.domain.state_machine import ENDS, REPORTS, TERMINAL_STATES

EARLIEST_ACTIVATION = timedelta(hours=1)
"""Before the start. A report that comes earlier is about the agent of another time."""
_MAX_FAILURES = 20
"""The most undocumented fields of failures that an attempt keeps: the first of all in their order."""


# ------------------------------------------------------------------------------------------------- whose report it is


def with_second_agent(record: Record, entry: Entry, notification: Notification) -> Record:
    """Return the record with another attempt if a second agent becomes active in a meeting whose first one is done.

    An agent was requested since: Cronofy may send another one for that.
    """
    attempt, done_at = record.current, record.current.complete_at
    if done_at is None or EntryType.ACTIVATED not in notification.kinds or not is_another_agent(record, notification):
        return record
    if not any(start <= done_at < attempt.newest_request_at for start in attempt.known_starts):
        return record
    return with_successor(record, replace(attempt, unanswered=()), attempt.meeting, entry.at)


def separated(record: Record, entry: Entry, notification: Notification) -> Record:
    """Return the record with an attempt of its own for the time at which an agent reports itself.

    The first report may come after the meeting was moved away, or while a request to move it still waits. Then it is
    about the earlier time, and the agent of the new one is still expected. So is the last one, as that is accepted.
    """
    attempt, reports = record.current, REPORTS.keys() & set(notification.kinds)
    if any(_is_late_word(other, attempt, entry.at, notification) for other in record.attempts[:-1]):
        return record
    if EntryType.COMPLETE in reports and _left_for_the_past(attempt, entry.at):
        return with_successor(record, replace(attempt, unanswered=()), attempt.meeting, entry.at)
    is_first = bool(reports) and not attempt.is_heard_of and attempt.state not in TERMINAL_STATES
    time_of = _earlier_time if is_first else _left_time
    before = time_of(attempt, entry.at, notification)
    if before is None or any(a.is_heard_of and a.meeting.start == before.start for a in record.attempts[:-1]):
        return record
    ended = replace(attempt, unanswered=(), reported=before, reported_at=entry.at)
    after = with_successor(record, ended, attempt.meeting, entry.at)
    waiting, accepted = attempt.newest_provision, attempt.request if attempt.accepted_revision else None
    if waiting is None or (accepted and accepted.meeting.start == waiting.request.meeting.start):
        return after
    unaccepted = replace(
        after.current,
        state=State.REQUESTED,
        reported=None,
        reported_at=None,
        reason=waiting.reason or attempt.reason,
        requested_at=waiting.requested_at,
        accepted_revision=0,
        arranged_at=None,
        accepted_at=None,
    )
    return with_attempt(after, unaccepted)


def _left_for_the_past(attempt: Attempt, at: datetime) -> bool:
    """Return True if an agent that ends in a running meeting left it as that was moved into the past, and back."""
    active_since, moved_at = attempt.activated_at, attempt.rescheduled_at
    if active_since is None or moved_at is None or len(attempt.replaced) < 2:
        return False
    (before, past), meeting = attempt.replaced[-2:], attempt.meeting
    is_back = before.start == meeting.start != past.start and active_since < moved_at
    was_over, runs = past.end is None or past.end <= moved_at, meeting.end is None or at < meeting.end
    return is_back and was_over and runs and at < moved_at + LEAVES_WITHIN


def _left_time(attempt: Attempt, at: datetime, notification: Notification) -> Meeting | None:
    """Return the meeting at the time that an agent leaves because Cronofy has just accepted a move to one ahead."""
    active_since, accepted_at, start = attempt.activated_at, attempt.accepted_at, attempt.meeting.start
    if not reports_end(notification) or attempt.ended_at:
        return None
    if active_since is None or accepted_at is None or start is None or start <= at:
        return None
    if not active_since < accepted_at <= at < accepted_at + LEAVES_WITHIN:
        return None
    return next((old for old in reversed(attempt.replaced) if old.start and old.start <= at), None)


def _earlier_time(attempt: Attempt, at: datetime, notification: Notification) -> Meeting | None:
    """Return the meeting at the earlier time of which an agent may report itself; None: it is of the current time.

    The meeting of the notification may be an earlier one itself. No agent is complete before its meeting has begun.
    """
    waiting, accepted = attempt.newest_provision, attempt.request.meeting if attempt.request else Meeting()
    move = waiting if waiting and waiting.request.meeting.start != accepted.start else None
    start = (move.request.meeting if move else attempt.meeting).start
    if start is None or start <= at:
        return None
    times = (attempt.reported or accepted,) if move else (*attempt.replaced, accepted)
    earlier = [old for old in times if old.start not in (None, start)]
    if move and not move.may_have_arrived:
        return next(iter(earlier), None)
    possible = [old for old in reversed(earlier) if old.start and old.start - EARLIEST_ACTIVATION <= at]
    is_too_early, is_complete = at < start - EARLIEST_ACTIVATION, EntryType.COMPLETE in notification.kinds
    for old in possible:
        has_begun = old.start is not None and old.start <= at
        is_nearer = move and not notification.meeting.start and abs(at - (old.start or start)) < start - at
        if is_too_early or is_nearer or (is_complete and has_begun) or old.start == notification.meeting.start:
            return old
    return None


def reports_end(notification: Notification) -> bool:
    """Return True if a notification is about an agent that is gone, so about the time that the meeting had."""
    return not ENDS.isdisjoint(notification.kinds)


def attempt_of(record: Record, entry: Entry, notification: Notification) -> Attempt:
    """Return the attempt that a notification is about: by its `sub`, by its address, by what is still expected.

    The address names the attempt of a request. Cronofy may reuse a `sub`, or keep an old address: a report that an
    earlier attempt cannot make any more is about the current one.
    """
    current, reports = record.current, REPORTS.keys() & set(notification.kinds)
    if not reports or len(record.attempts) == 1:
        return current
    is_due = entry.at >= (current.meeting.start or entry.at) - EARLIEST_ACTIVATION
    candidates = _addressed(record, entry.attempt or 1)
    if known := [attempt for attempt in record.attempts if notification.sub in attempt.subs]:
        attempt = ([attempt for attempt in known if attempt in candidates] or known)[-1]
        is_of_now = notification.meeting.start in (None, current.meeting.start)
        is_back = attempt.state not in TERMINAL_STATES and current.meeting.start in attempt.known_starts and is_of_now
        if is_back and not (reports & ENDS and _is_leaving(current, entry.at)):
            return current  # its meeting was moved away and back, and it stayed
        is_late = attempt.ended_at is not None and reports == {EntryType.ACTIVATED}
        is_repeated = is_late or all(_has_reported(attempt, kind) for kind in reports)
        is_over = attempt.ended_at is not None or (is_gone(attempt) and EntryType.FAILED not in reports)
        is_reused = current in known and is_over
        is_late_word = _is_late_word(attempt, current, entry.at, notification)
        is_of_its_time = notification.meeting.start not in (None, *current.known_starts)
        is_reusable = is_due and not (_differs(current, notification) or is_late_word or is_of_its_time)
        return current if is_reused or (is_repeated and is_reusable) else attempt
    if not is_due and (expected := _still_expected(record, entry.at, notification)):
        return expected
    addressed = candidates[-1]
    if reports & ENDS and current.meeting.start is not None and entry.at < current.meeting.start:
        for attempt in candidates[-2::-1]:
            if attempt.activated_at and not attempt.ended_at and not _differs(attempt, notification):
                return attempt
    if addressed is current or addressed.ended_at or _differs(addressed, notification):
        return current
    is_its_end = EntryType.FAILED in reports or (EntryType.COMPLETE in reports and _is_leaving(current, entry.at))
    return addressed if is_its_end or not is_gone(addressed) else current


def _is_late_word(attempt: Attempt, current: Attempt, at: datetime, notification: Notification) -> bool:
    """Return True if an agent that is complete reports late what it left, while another is expected.

    Whether it is the other one, with the same `sub`, shows by the end of the meeting.
    """
    known, end = {resource.category for resource in attempt.resources}, current.meeting.end
    is_new = any(resource.category not in known for resource in notification.resources)
    return notification.sub in attempt.subs and is_new and attempt.state is State.COMPLETE and (end is None or at < end)


def _is_leaving(attempt: Attempt, at: datetime) -> bool:
    """Return True if an agent that ends in a running meeting left it as that was moved away, to this attempt."""
    end = attempt.meeting.end
    return at < attempt.began_at + LEAVES_WITHIN and (end is None or at < end)


def _still_expected(record: Record, at: datetime, notification: Notification) -> Attempt | None:
    """Return the newest earlier attempt whose agent may report itself now, before that of the current one can."""
    if record.current.is_heard_of:
        return None
    for attempt in record.attempts[-2::-1]:
        is_near = any(start - EARLIEST_ACTIVATION <= at for start in attempt.known_starts)
        if is_near and attempt.accepted_revision and not attempt.ended_at and not _differs(attempt, notification):
            return attempt
    return None


def _addressed(record: Record, number: int) -> list[Attempt]:
    """Return the attempts that have this number in their address, oldest first; if there is none, the current one."""
    attempts: list[Attempt] = []
    for attempt in record.attempts:
        if attempt.number == number or (attempts and not attempt.is_requested):
            attempts.append(attempt)
        elif attempts:
            break
    return attempts or [record.current]


def _differs(attempt: Attempt, notification: Notification) -> bool:
    return bool(attempt.subs and notification.sub and notification.sub not in attempt.subs)


def _has_reported(attempt: Attempt, kind: EntryType) -> bool:
    times = {
        EntryType.ACTIVATED: attempt.activated_at,
        EntryType.COMPLETE: attempt.complete_at,
        EntryType.FAILED: attempt.failed_at,
    }
    return times[kind] is not None


# ---------------------------------------------------------------------------------------------- what a report changes


def apply_report(attempt: Attempt, kind: EntryType, at: datetime, notification: Notification) -> Attempt:
    """Return the attempt after an agent of it reported itself active, complete or failed."""
    if kind in ENDS and attempt.ended_at is None:
        attempt = replace(attempt, end_at_leaving=notification.meeting.end or attempt.meeting.end)
    attempt = _with_report(attempt, kind, at, notification)
    match kind:
        case EntryType.COMPLETE:
            attempt = replace(attempt, complete_at=attempt.complete_at or at)
            return transition(attempt, kind, at, Reason.of(ReasonCode.REPORTED_COMPLETE))
        case EntryType.FAILED:
            return _failed(attempt, at, notification)
        case _:
            return _activated(attempt, at)


def _with_report(attempt: Attempt, kind: EntryType, at: datetime, notification: Notification) -> Attempt:
    """Return the attempt with a report of one of its agents. It has not failed while another one is active."""
    sub, left_by = notification.sub, {(notification.sub, resource.category) for resource in notification.resources}
    attempt = replace(attempt, reports=attempt.reports | {(sub, kind)}, left_by=attempt.left_by | left_by)
    if kind is EntryType.COMPLETE and sub not in attempt.completions:
        attempt = replace(attempt, completions={**attempt.completions, sub: at})
    has_failed = any(reported is EntryType.FAILED for _, reported in attempt.reports)
    failed_at = (attempt.failed_at or at) if has_failed and not attempt.is_failure_outweighed else None
    return replace(attempt, failed_at=failed_at)


def _failed(attempt: Attempt, at: datetime, notification: Notification) -> Attempt:
    failures = tuple(sorted({*attempt.failures, *notification.remarks})[:_MAX_FAILURES])
    reason = Reason.of(ReasonCode.REPORTED_FAILED, remarks="; ".join(failures))
    attempt = replace(attempt, failures=failures)
    if attempt.is_failure_outweighed:
        return attempt
    attempt = replace(attempt, unwanted_at=None)
    if attempt.state is State.FAILED:
        return replace(attempt, reason=reason)
    return transition(attempt, EntryType.FAILED, at, reason)


def _activated(attempt: Attempt, at: datetime) -> Attempt:
    if attempt.state is State.CANCELLED and attempt.deleted_at and not attempt.cancelled_at:
        attempt = replace(attempt, state=State.SCHEDULED, since=at)  # no one cancelled it, and it comes
    if attempt.state is State.CANCELLED and not attempt.ended_at:
        attempt = replace(attempt, unwanted_at=attempt.unwanted_at or at)
    is_repeated, reason = attempt.activated_at is not None, Reason.of(ReasonCode.REPORTED_ACTIVE)
    attempt = replace(attempt, activated_at=attempt.activated_at or at)
    if attempt.state is State.FAILED and attempt.is_failure_outweighed:
        return replace(attempt, state=State.ACTIVATED, since=at, reason=reason)
    # A repetition shows no new activity and extends no deadline.
    return attempt if is_repeated else transition(attempt, EntryType.ACTIVATED, at, reason)
