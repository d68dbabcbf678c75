"""The attempts of an agent: each is for one time of the meeting. Pure.

The meeting is when Cronofy says it is: the newest word counts, a request or the `event` of a notification. An attempt
follows its meeting to another time while nothing was heard of its agent. After that, another time is a new attempt.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from meeting_agents.domain.model import (
    Action,
    Conference,
    DeadlineType,
    EntryType,
    Meeting,
    Notification,
    Request,
    Resource,
    State,
)
from meeting_agents.domain.reasons import Reason, ReasonCode
from meeting_agents.domain.record import Attempt, Pending, Record
from meeting_agents.domain.state_machine import ENDS, REPORTS, TERMINAL_STATES, TRANSITIONS

LEAVES_WITHIN = timedelta(minutes=5)
"""After an agent has left, until it has reported that."""
ON_ITS_WAY = timedelta(minutes=5)
"""After Cronofy has accepted a request, while an event trigger may come that it sent before."""

# ------------------------------------------------------------------------------------------------------------- requests


def next_request(record: Record | None, request: Request, at: datetime) -> tuple[int, int, bool]:
    """Return the attempt and the revision of a request that is made now, and if it is new.

    A repeated body is not new while the request that it repeats still stands, and nothing else was requested since.
    """
    if record is None or not record.attempts:
        return 1, 1, True
    attempt = record.current
    last = attempt.pending.request if attempt.pending else attempt.request
    is_same = last is not None and last.digest == request.digest and last.action is request.action
    if request.action is Action.CANCEL:
        is_done = attempt.state is State.CANCELLED and not attempt.is_unwanted
        is_new = not (is_done or (attempt.pending is not None and is_same))
        return attempt.number, record.revision + is_new, is_new
    if _begins_attempt(attempt, request.meeting, at):
        return attempt.number + 1, record.revision + 1, True
    is_sent_since = attempt.pending is not None and attempt.pending.requested_at >= (attempt.overdue_at or at)
    is_new = not is_same or attempt.refusal is not None or (attempt.state is State.OVERDUE and not is_sent_since)
    return attempt.number, record.revision + is_new, is_new


def _begins_attempt(attempt: Attempt, meeting: Meeting, at: datetime) -> bool:
    """Return True if a request needs a new agent. One for a meeting that is over only corrects the calendar event."""
    if attempt.state is State.REJECTED:
        return True
    if meeting.end is not None and meeting.end <= at:
        return False
    if attempt.state in (State.FAILED, State.CANCELLED):
        return True
    if attempt.state is State.COMPLETE and (attempt.cancelled_at or _is_cancellation_newest(attempt)):
        return True
    return attempt.is_heard_of and (_is_moved_ahead(attempt.meeting, meeting, at) or _is_after(attempt, meeting))


def _is_cancellation_newest(attempt: Attempt) -> bool:
    """Return True if the newest request is a cancellation without an answer, which Cronofy may have taken."""
    if attempt.pending:
        return attempt.pending.request.action is Action.CANCEL and attempt.pending.may_have_arrived
    refusal = attempt.refusal
    return refusal is not None and refusal.action is Action.CANCEL and refusal.may_have_arrived


def _is_after(attempt: Attempt, meeting: Meeting) -> bool:
    """Return True if a meeting begins later than the one that the agent of an attempt has left.

    The agent left when that was over, or moved away; or about when the other begins. Its end may have moved since.
    """
    before, ended_at = attempt.meeting, attempt.ended_at
    if ended_at is None or meeting.start is None or before.start is None or meeting.start <= before.start:
        return False
    end = min((each for each in (before.end, attempt.end_at_leaving) if each), default=None)
    was_over = has_left_by_move(attempt) if end is None else ended_at >= end
    return was_over or meeting.start >= ended_at - LEAVES_WITHIN


def has_left_by_move(attempt: Attempt) -> bool:
    """Return True if an agent ended just after its meeting was moved: it was called off."""
    moved_at, ended_at = attempt.rescheduled_at, attempt.ended_at
    return moved_at is not None and ended_at is not None and moved_at <= ended_at < moved_at + LEAVES_WITHIN


def _is_moved_ahead(before: Meeting, after: Meeting, at: datetime) -> bool:
    return after.start is not None and after.start != before.start and after.start > at


def new_attempt(record: Record, number: int, pending: Pending, reason: Reason, *, is_rescue: bool) -> Record:
    """Begin an attempt with a request. The calendar event keeps a conference that was assigned before."""
    at = pending.requested_at
    attempt = Attempt(
        number=number,
        state=State.REQUESTED,
        since=at,
        began_at=at,
        requested_at=at,
        reason=reason,
        is_rescue=is_rescue,
        unanswered=(pending,),
        conference=_assigned_conference(record.attempts),
    )
    return replace(record, attempts=(*record.attempts, attempt))


def with_request(attempt: Attempt, pending: Pending) -> Attempt:
    """Return the attempt with a newer request, which is not answered yet."""
    before = attempt.meeting
    if pending.request.action is Action.PROVISION and _is_off(attempt):
        attempt = _on_again(attempt, pending.requested_at)
    attempt = replace(attempt, unanswered=(*attempt.unanswered, pending), refusal=None)
    attempt = remembering(attempt, before)
    if pending.request.action is Action.PROVISION:
        attempt = replace(attempt, newest_request_at=pending.requested_at)
    return rescheduled(attempt, before, pending.requested_at)


def _is_off(attempt: Attempt) -> bool:
    """Return True if the newest word is a cancellation that has no effect yet: it waits, or was refused."""
    refused = (attempt.refusal.pending,) if attempt.refusal else ()
    newest = max((*attempt.unanswered, *refused), key=lambda pending: pending.revision, default=None)
    return newest is not None and newest.request.action is Action.CANCEL


def _on_again(attempt: Attempt, at: datetime) -> Attempt:
    """Return the attempt with all that is expected of it due anew, unless its agent was heard of."""
    if attempt.is_heard_of or attempt.state in TERMINAL_STATES:
        return attempt
    attempt = replace(attempt, requested_at=at, missed=())
    if attempt.state is not State.OVERDUE:
        return attempt
    state = State.SCHEDULED if attempt.accepted_revision else State.REQUESTED
    return replace(attempt, state=state, since=at, reason=Reason.of(ReasonCode.REQUESTED))


def remembering(attempt: Attempt, before: Meeting) -> Attempt:
    """Return the attempt with the times that its meeting had before, if it has others now."""
    after = attempt.meeting
    is_moved = (before.start, before.end) != (after.start, after.end)
    return replace(attempt, replaced=(*attempt.replaced, before)) if is_moved else attempt


def _assigned_conference(attempts: Sequence[Attempt]) -> Conference | None:
    is_assigned = bool(attempts) and attempts[-1].conference is Conference.ASSIGNED
    return Conference.ASSIGNED if is_assigned else None


# -------------------------------------------------------------------------------------------------------------- meeting


def rescheduled(attempt: Attempt, before: Meeting, at: datetime) -> Attempt:
    """Renew the deadlines of an attempt whose meeting may have another time than `before`.

    A start that moves ahead makes everything due again, unless the agent was heard of. An end that moves ahead gives an
    unfinished agent more time. Other changes renew no deadline that was missed: a calendar that is synchronised every
    few minutes would hide a silent agent.
    """
    after = attempt.meeting
    if (before.start, before.end) == (after.start, after.end) or attempt.state in TERMINAL_STATES:
        return attempt
    called_at = attempt.after_end_at
    is_past_end = called_at is not None and after.end is not None and after.end <= called_at
    attempt = replace(attempt, rescheduled_at=at, after_end_at=called_at if is_past_end else None)
    was_over = before.end is not None and before.end <= attempt.requested_at
    if (after.start != before.start or was_over) and not attempt.is_heard_of:
        attempt = replace(attempt, before_start_at=None)
        if attempt.state is not State.OVERDUE:
            attempt = replace(attempt, requested_at=at)
        if _is_moved_ahead(before, after, at):
            attempt = replace(attempt, requested_at=at, missed=())
            if attempt.state is State.OVERDUE:
                state = State.REQUESTED if attempt.pending else State.SCHEDULED
                attempt = replace(attempt, state=state, since=at, reason=moved(after))
    is_unfinished = attempt.state is State.OVERDUE and DeadlineType.COMPLETION in attempt.missed
    if is_unfinished and after.end is not None and after.end > at:
        missed = tuple(type_ for type_ in attempt.missed if type_ is not DeadlineType.COMPLETION)
        attempt = replace(attempt, missed=missed, state=State.ACTIVATED, since=at, reason=moved(after))
    return attempt


def moved(meeting: Meeting) -> Reason:
    """Return the reason that a meeting has another time."""
    return Reason.of(ReasonCode.MEETING_MOVED, start=meeting.start.isoformat() if meeting.start else "")


def follow_meeting(record: Record, notification: Notification, at: datetime, *, is_current: bool = False) -> Record:
    """Return the record with the meeting as a notification has it: the same attempt, or a new one.

    `is_current`: no newer word can have replaced it.
    """
    attempt = record.current
    before, after = attempt.meeting, _merged(attempt.meeting, notification.meeting)
    if after == before or (not is_current and _is_outdated(record, notification, at)):
        return record
    is_unexpected = is_gone(attempt) or (attempt.cancelled_at is not None and attempt.state in TERMINAL_STATES)
    if is_unexpected or not _is_another_time(record, notification, at):
        attempt = rescheduled(replace(attempt, reported=after, reported_at=at), before, at)
        return with_attempt(record, attempt)
    return with_successor(record, replace(attempt, unanswered=()), after, at)


def with_successor(record: Record, ended: Attempt, meeting: Meeting, at: datetime) -> Record:
    """Return the record with another attempt after the current one, which becomes `ended`: the meeting has moved.

    No request begins it. What was accepted for the calendar event, and what is not answered yet, is its own.
    """
    attempt = record.current
    new = Attempt(
        number=attempt.number + 1,
        state=State.SCHEDULED,
        since=at,
        began_at=at,
        requested_at=at,
        reason=moved(meeting),
        is_requested=False,
        request=attempt.request,
        reported=meeting,
        reported_at=at,
        accepted_revision=attempt.accepted_revision,
        arranged_at=attempt.arranged_at,
        accepted_at=attempt.accepted_at,
        unanswered=attempt.unanswered,
        conference=_assigned_conference(record.attempts),
    )
    record = with_attempt(record, ended)
    return replace(record, attempts=(*record.attempts, new))


def without_newest(record: Record, at: datetime) -> Record:
    """Return the record without its newest attempt, whose requests are those of the one before: its agent stays."""
    *earlier, before, attempt = record.attempts
    after = replace(before, unanswered=(*before.unanswered, *attempt.unanswered), reported=None, reported_at=None)
    after = rescheduled(remembering(after, before.meeting), before.meeting, at)
    return replace(record, attempts=(*earlier, after))


def _merged(before: Meeting, reported: Meeting) -> Meeting:
    """Return the reported meeting, completed with what was known before."""
    if reported.start is None:
        return before
    end = reported.end
    if end is None and before.start is not None and before.end is not None:
        end = reported.start + (before.end - before.start)
    tzid = before.tzid if reported.tzid == Meeting().tzid else reported.tzid
    return Meeting(start=reported.start, end=end, tzid=tzid, summary=reported.summary or before.summary)


def _is_outdated(record: Record, notification: Notification, at: datetime) -> bool:
    """Return True if the notification has times that a newer word replaced.

    A trigger that comes before the start comes at the current one, unless it was on its way as the meeting was moved;
    another was delivered late, and is older than all that Cronofy reported since that start. No agent becomes active
    after its end: a report of that with the times of the request is older than those that Cronofy reported since.
    """
    attempt, meeting = record.current, notification.meeting
    old_starts = {old.start for old in (*attempt.replaced, *_meetings(record.attempts[:-1]))}
    if _is_late_activation(attempt, notification):
        return True
    if EntryType.BEFORE_START in notification.kinds and meeting.start is not None:
        if at < meeting.start:
            is_just_accepted = attempt.accepted_at is not None and at < attempt.accepted_at + ON_ITS_WAY
            return is_just_accepted and meeting.start in old_starts
        if attempt.reported_at is not None and attempt.reported_at >= meeting.start:
            return True
    if any((meeting.start, meeting.end) == (old.start, old.end) for old in attempt.replaced):
        return True
    return meeting.start != attempt.meeting.start and meeting.start in old_starts


def _is_late_activation(attempt: Attempt, notification: Notification) -> bool:
    """Return True if an agent that has ended reports itself active, at the time that was requested."""
    sub, requested = notification.sub, attempt.request.meeting.start if attempt.request else None
    is_activation = REPORTS.keys() & set(notification.kinds) == {EntryType.ACTIVATED}
    has_ended = any((sub, end) in attempt.reports for end in ENDS)
    return is_activation and bool(sub) and has_ended and notification.meeting.start == requested


def _meetings(attempts: Sequence[Attempt]) -> list[Meeting]:
    """Return the meetings of attempts: as they are known, as they were before, and as they were accepted."""
    accepted = [attempt.request.meeting for attempt in attempts if attempt.request]
    replaced = [meeting for attempt in attempts for meeting in attempt.replaced]
    return [*(attempt.meeting for attempt in attempts), *replaced, *accepted]


def _is_another_time(record: Record, notification: Notification, at: datetime) -> bool:
    """Return True if the meeting has another time than the one at which the agent was heard of.

    The next occurrence of a recurring meeting is one as well: another start, another `sub`. So is the time at which an
    agent reports itself active that has left an earlier one: Cronofy may use a `sub` again.
    """
    attempt, start = record.current, notification.meeting.start
    if not attempt.is_heard_of or start is None or attempt.meeting.start in (None, start):
        return False
    is_later = attempt.ended_at is not None and start > attempt.ended_at
    is_again = EntryType.ACTIVATED in notification.kinds and _is_after(attempt, notification.meeting)
    return start > at or is_later or is_again or is_another_agent(record, notification)


def is_another_agent(record: Record, notification: Notification) -> bool:
    """Return True if a notification reports on an agent that is not the known one of the current attempt."""
    is_report = bool(REPORTS.keys() & set(notification.kinds))
    is_known = any(notification.sub in attempt.subs for attempt in record.attempts)
    return is_report and bool(record.current.subs and notification.sub) and not is_known


def is_after_end(attempt: Attempt, at: datetime) -> bool:
    """Return True if the meeting in which an agent was active was over: a cancellation says nothing about it any more.

    An event trigger must have confirmed the end: people may have prolonged the meeting in the calendar.
    """
    end = attempt.meeting.end
    return attempt.state is State.ACTIVATED and attempt.after_end_at is not None and end is not None and end <= at


def is_gone(attempt: Attempt) -> bool:
    """Return True if no agent is expected any more, and none was reported to have ended."""
    return attempt.state in (State.CANCELLED, State.REJECTED)


def with_attempt(record: Record, attempt: Attempt) -> Record:
    """Return the record with a changed attempt."""
    return replace(record, attempts=tuple(attempt if a.number == attempt.number else a for a in record.attempts))


# ------------------------------------------------------------------------------------------------------------- changes


def transition(attempt: Attempt, kind: EntryType, at: datetime, reason: Reason) -> Attempt:
    """Return the attempt in its state after an entry, with the reason; unchanged if the entry is no transition."""
    state = TRANSITIONS[attempt.state].get(kind, attempt.state)
    if state is attempt.state:
        return attempt
    return replace(attempt, state=state, since=at, reason=reason)


def united(subs: tuple[str, ...], sub: str) -> tuple[str, ...]:
    """Return the `sub`s with one more, sorted; an empty one is none."""
    return tuple(sorted({*subs, sub})) if sub else subs


def collected(resources: tuple[Resource, ...], new: tuple[Resource, ...]) -> tuple[Resource, ...]:
    """Return the resources with the new ones, each once, sorted."""
    return tuple(sorted({*resources, *new}))
