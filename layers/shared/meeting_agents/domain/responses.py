"""The outcome of a request: accepted, rejected, cancelled, or not confirmed yet. Pure."""

from dataclasses import replace
from datetime import datetime

from meeting_agents.domain.attempts import (
    collected,
    is_after_end,
    new_attempt,
    remembering,
    rescheduled,
    transition,
    united,
    with_attempt,
    with_request,
    without_newest,
)
from meeting_agents.domain.model import Action, DeadlineType, Entry, EntryType, State, Verdict
from meeting_agents.domain.reasons import Reason, ReasonCode
from meeting_agents.domain.record import Attempt, Pending, Record, Refusal
from meeting_agents.domain.state_machine import TERMINAL_STATES

_TAKEN = {Action.PROVISION: EntryType.ACCEPTED, Action.CANCEL: EntryType.CANCELLED}


def apply_response(record: Record, entry: Entry) -> tuple[Record, Verdict]:
    """Return the record after the outcome of a request, and the verdict on it."""
    record = _with_taken_move(record, entry)
    attempt, pending = _answered(record, entry)
    if pending is None:
        is_duplicate = {
            EntryType.ACCEPTED: entry.revision == attempt.accepted_revision,
            EntryType.REJECTED: attempt.state is State.REJECTED,
            EntryType.CANCELLED: attempt.cancelled_at is not None,
        }
        return record, Verdict.DUPLICATE if is_duplicate.get(entry.kind) else Verdict.STALE
    is_newest = attempt is record.current and pending is attempt.pending
    if entry.kind is EntryType.ACCEPTED and is_newest and _is_late_move(record, entry.at):
        record = without_newest(record, entry.at)
        attempt = record.current
    changed = {
        EntryType.UNCONFIRMED: _unconfirmed,
        EntryType.ACCEPTED: _accepted,
        EntryType.REJECTED: _rejected,
        EntryType.CANCELLED: _cancelled,
    }[entry.kind](attempt, pending, entry)
    if entry.kind is EntryType.REJECTED and _is_refused_move(record, attempt, pending):
        return _without_refused_move(record, pending), Verdict.APPLIED
    return with_attempt(record, changed), Verdict.APPLIED if attempt.number == record.current.number else Verdict.STALE


def _is_late_move(record: Record, at: datetime) -> bool:
    """Return True if Cronofy accepts the move that began the newest attempt when the meeting runs at its new time.

    The agent that is active since the old time stays in it.
    """
    before, attempt = record.attempts[-2] if len(record.attempts) > 1 else None, record.current
    if before is None or before.state is not State.ACTIVATED or attempt.is_heard_of or attempt.is_rescue:
        return False
    *older, newest = attempt.unanswered
    has_come_since = newest.requested_at < attempt.began_at  # so none of the older ones had moved the meeting
    may_have_moved = not has_come_since and any(pending.may_have_arrived for pending in older)
    is_first = not attempt.accepted_revision and not may_have_moved
    start, end = attempt.meeting.start, attempt.meeting.end
    if not is_first or start is None or start > at or (end is not None and end <= at):
        return False
    return before.meeting.end is None or start <= before.meeting.end  # no agent waits from one to the other


def _is_refused_move(record: Record, attempt: Attempt, pending: Pending) -> bool:
    """Return True if the refused request began an attempt while the agent of the one before is active, or has failed.

    A request that was tried before is another thing: its caller was told that it would be sent again.
    """
    before = record.attempts[-2] if len(record.attempts) > 1 else None
    is_all = attempt is record.current and attempt.unanswered == (pending,) and not attempt.accepted_revision
    is_known = pending.request.action is Action.PROVISION and not pending.tries and not attempt.is_rescue
    has_failed = before is not None and before.state is State.FAILED
    return is_all and is_known and before is not None and (has_failed or before.state not in TERMINAL_STATES)


def _without_refused_move(record: Record, move: Pending) -> Record:
    """Return the record with the attempt before as the current one: the meeting stays at its old time."""
    *earlier, before, _ = record.attempts
    return replace(record, attempts=(*earlier, replace(before, refused_move=move)))


def _with_taken_move(record: Record, entry: Entry) -> Record:
    """Return the record with the attempt of a refused move again, if Cronofy took it: it was sent twice at once."""
    current, move = record.current, record.current.refused_move
    if move is None or not move.revision == entry.revision == record.revision or entry.kind is not EntryType.ACCEPTED:
        return record
    record = with_attempt(record, replace(current, refused_move=None))
    return new_attempt(record, current.number + 1, move, Reason.of(ReasonCode.REQUESTED), is_rescue=False)


def _answered(record: Record, entry: Entry) -> tuple[Attempt, Pending | None]:
    """Return the request that a response is for. It may have followed the meeting into another attempt.

    One that was sent twice at the same time may be refused once and taken once: then Cronofy has it.
    """
    for attempt in record.attempts:
        for pending in attempt.unanswered:
            if pending.revision == entry.revision:
                return attempt, pending
    attempt = record.attempt(entry.attempt) or record.current
    refusal = attempt.refusal
    if refusal and refusal.revision == entry.revision and entry.kind is _TAKEN[refusal.action]:
        return with_request(attempt, refusal.pending), refusal.pending
    return attempt, None


def _unconfirmed(attempt: Attempt, pending: Pending, entry: Entry) -> Attempt:
    tried = replace(
        pending,
        tries=pending.tries + 1,
        retry_at=entry.retry_at,
        reason=entry.reason,
        may_have_arrived=_may_have_arrived(pending, entry.at, entry.reason or Reason.of(ReasonCode.RETRY_PLANNED)),
    )
    explains_state = attempt.state is State.REQUESTED and pending is attempt.pending
    return replace(
        attempt,
        unanswered=tuple(tried if p is pending else p for p in attempt.unanswered),
        reason=entry.reason or attempt.reason if explains_state else attempt.reason,
    )


def _may_have_arrived(pending: Pending, at: datetime, failure: Reason) -> bool:
    """Return True if this try of a request, or one before, may have had an effect at Cronofy."""
    is_first_lost = not pending.tries and pending.retry_at is not None and pending.retry_at <= at
    was_open = pending.may_have_arrived and (pending.tries > 0 or is_first_lost)
    return was_open or not failure.leaves_no_agent


def _accepted(attempt: Attempt, pending: Pending, entry: Entry) -> Attempt:
    was_expected = attempt.accepted_revision or attempt.conference_at
    attempt = replace(
        attempt,
        request=pending.request,
        accepted_revision=pending.revision,
        arranged_at=attempt.arranged_at or entry.at,
        accepted_at=entry.at,
        unanswered=_newer_than(attempt, pending),
        refusal=_newer_refusal(attempt, pending),
        subs=united(attempt.subs, entry.sub),
        resources=collected(attempt.resources, entry.resources),
    )
    # A report of the time before the move, while that was on its way, says that it had not arrived.
    is_before = attempt.reported is not None and attempt.reported.start in {old.start for old in attempt.replaced}
    is_new_to_cronofy = is_before or (pending.tries > 0 and not pending.may_have_arrived)
    if attempt.reported_at and (is_new_to_cronofy or attempt.reported_at < pending.requested_at):
        attempt = replace(attempt, reported=None, reported_at=None)
    if DeadlineType.ACTIVATION in attempt.missed:
        if was_expected:
            return attempt  # the agent stays overdue until it reports itself
        attempt = replace(attempt, state=State.REQUESTED, missed=(), requested_at=entry.at)
    return transition(attempt, EntryType.ACCEPTED, entry.at, entry.reason or Reason.of(ReasonCode.REQUEST_ACCEPTED))


def _newer_refusal(attempt: Attempt, accepted: Pending) -> Refusal | None:
    """Return the refusal of a move that was requested after the request which Cronofy accepts now."""
    refusal = attempt.refusal
    if refusal is None or refusal.revision < accepted.revision or refusal.action is Action.CANCEL:
        return None
    return refusal if refusal.meeting.start != accepted.request.meeting.start else None


def _rejected(attempt: Attempt, pending: Pending, entry: Entry) -> Attempt:
    """Remove a rejected request. A rejected change or cancellation leaves the accepted request in place."""
    is_newest, before = pending is attempt.pending, attempt.meeting
    reason = entry.reason or Reason.of(ReasonCode.REQUEST_REFUSED)
    attempt = replace(attempt, unanswered=tuple(p for p in attempt.unanswered if p is not pending))
    is_unconfirmed = attempt.state is State.REQUESTED
    if pending.request.action is Action.CANCEL:
        # An older request may have reached Cronofy, but sending it again would bring back an agent that is not wanted.
        older = (replace(p, retry_at=None) if p.revision < pending.revision else p for p in attempt.unanswered)
        attempt = replace(attempt, unanswered=tuple(older))
        stays = attempt.latest_request is not None or not is_unconfirmed
    else:
        if is_newest:  # no one wants any more what was requested before
            attempt = _without_older(attempt, is_expired=reason.code is ReasonCode.REQUEST_EXPIRED)
        stays = not is_newest or (attempt.accepted_revision > 0 and not is_unconfirmed)
        attempt = attempt if stays else replace(attempt, request=pending.request)
        if _may_have_arrived(pending, entry.at, reason):
            attempt = replace(attempt, may_have_arrived=True)
    if is_newest and (attempt.refusal is None or attempt.refusal.revision < pending.revision):
        attempt = replace(attempt, refusal=Refusal(pending=pending, at=entry.at, reason=reason))
    if not stays:
        return transition(remembering(attempt, before), EntryType.REJECTED, entry.at, reason)
    replaced = tuple(old for old in attempt.replaced if old.start != attempt.meeting.start)
    return rescheduled(replace(attempt, replaced=replaced), before, entry.at)


def _without_older(attempt: Attempt, *, is_expired: bool) -> Attempt:
    """Return the attempt without its open cancellations, or all its open requests; one may have brought an agent."""
    closed = [p for p in attempt.unanswered if is_expired or p.request.action is Action.CANCEL]
    may_have_arrived = any(p.may_have_arrived for p in closed if p.request.action is Action.PROVISION)
    return replace(
        attempt,
        unanswered=tuple(p for p in attempt.unanswered if p not in closed),
        may_have_arrived=attempt.may_have_arrived or may_have_arrived,
    )


def _cancelled(attempt: Attempt, pending: Pending, entry: Entry) -> Attempt:
    is_newest = pending is attempt.pending
    attempt = replace(
        attempt,
        cancelled_at=entry.at,
        unwanted_at=entry.at if attempt.is_rescue and not attempt.ended_at else None,  # it cannot be called off
        unanswered=_newer_than(attempt, pending),
        refusal=None,
    )
    if is_after_end(attempt, pending.requested_at):
        return attempt  # what became of the agent is still to be told
    reason = entry.reason or Reason.of(ReasonCode.CANCELLATION_ACCEPTED)
    # What was accepted before is undone, even if a newer request waits.
    return transition(attempt, entry.kind, entry.at, reason) if is_newest else replace(attempt, accepted_revision=0)


def _newer_than(attempt: Attempt, answered: Pending) -> tuple[Pending, ...]:
    """Return the requests that stay open after a response: those that are newer than the answered one."""
    return tuple(pending for pending in attempt.unanswered if pending.revision > answered.revision)
