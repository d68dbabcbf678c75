"""The fold: the record that an agent's journal adds up to.

Two rules guard this file. It is pure: no clock, no network, no environment, only the domain and the standard library.
And it refuses nothing: every entry, in any order, folds to a record and gets exactly one verdict.

These rules hold for every history. Each has a test of that name in `tests/unit/domain/test_lifecycle.py`:

1. The notifications of one attempt give the same outcome in every order and with every repetition.
2. A terminal state is left only by a new request or by evidence from Cronofy.
3. Every entry has exactly one verdict.
4. A deadline exists exactly where something is expected.
5. Folding is incremental: `fold(b, onto=fold(a))` equals `fold(a + b)` for any b written after a.
6. An entry counts once, however often it is listed.
7. An earlier attempt may learn facts, and never changes the state.
8. A resolved alert follows a firing one.
9. No cancellation fails without an alert while the agent may come.

The *outcome* of an attempt is its state, its conference, its `sub`s, resources and failures, and which of its times are
known: everything that Cronofy's callbacks can change, once there is a request or a first notification. The rest depends
on the order of arrival and says so: the times themselves, the verdicts, the reason and `since` (of the entry that made
the last transition), the alerts, and the missed deadlines.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime
from typing import Protocol, assert_never

from meeting_agents.domain.alerts import with_alert, with_notices
from meeting_agents.domain.archive import apply_archive, is_lacking, with_resources, without_archive
from meeting_agents.domain.attempts import (
    collected,
    follow_meeting,
    is_another_agent,
    new_attempt,
    transition,
    united,
    with_attempt,
    with_request,
    without_newest,
)
from meeting_agents.domain.incidents import has_resources, reason_of
from meeting_agents.domain.model import (
    Action,
    Conference,
    DeadlineType,
    Entry,
    EntryType,
    IncidentType,
    Meeting,
    Notification,
    Request,
    State,
    Verdict,
)
from meeting_agents.domain.readings import apply_look
from meeting_agents.domain.reasons import Reason, ReasonCode
from meeting_agents.domain.receipts import with_receipt
from meeting_agents.domain.record import Attempt, Pending, Record, incident_key
from meeting_agents.domain.reports import apply_report, attempt_of, reports_end, separated, with_second_agent
from meeting_agents.domain.rescue import apply_rescue, is_second
from meeting_agents.domain.responses import apply_response
from meeting_agents.domain.state_machine import EXPECTED, TERMINAL_STATES
from meeting_agents.domain.verdicts import Step, verdict_of


class HasEntry(Protocol):
    """A stored entry of the journal."""

    @property
    def entry(self) -> Entry: ...


# ---------------------------------------------------------------------------------------------------------- folding


def fold(entries: Iterable[Entry], onto: Record | None = None) -> Record:
    """Return the record of these entries, on top of the record of the entries before them."""
    record = onto or Record()
    for step in steps(entries, onto):
        record = step.after
    return record


def steps(entries: Iterable[Entry], onto: Record | None = None) -> Iterator[Step]:
    """Yield a step for each entry, once, in the order of writing, with its verdict."""
    record = onto or Record()
    unique = {entry.key: entry for entry in entries}
    for entry in sorted(unique.values(), key=_order):
        before = record
        changed, verdict = _apply(before, entry)
        counted = replace(
            _with_notices_left(before, changed),
            entries=before.entries + 1,
            updated_at=_updated_at(before, entry),
            verdicts={**before.verdicts, verdict.value: before.verdicts.get(verdict, 0) + 1},
        )
        step = Step(entry, verdict, before, counted)
        step = replace(step, after=with_notices(counted, entry, verdict, step.ignored_because))
        record = step.after
        yield step


def timeline(stored_entries: Iterable[HasEntry]) -> list[Step]:
    """Return the steps of stored entries, in order."""
    return list(steps(stored.entry for stored in stored_entries))


def _updated_at(before: Record, entry: Entry) -> datetime:
    """Return the time of the newest entry; a `delivered` one is no news of the agent."""
    is_news = entry.kind is not EntryType.DELIVERED or not before.attempts
    return max(before.updated_at, entry.at) if is_news else before.updated_at


_KIND_ORDER = {kind: position for position, kind in enumerate(EntryType)}


def _order(entry: Entry) -> tuple[datetime, int, str]:
    return entry.at, _KIND_ORDER[entry.kind], entry.key


def _apply(record: Record, entry: Entry) -> tuple[Record, Verdict]:
    if entry.notification is not None:
        return _apply_notification(record, entry, entry.notification)
    match entry.kind:
        case EntryType.REQUESTED if entry.request is not None:
            return _apply_request(record, entry, entry.request)
        case EntryType.ACCEPTED | EntryType.REJECTED | EntryType.CANCELLED | EntryType.UNCONFIRMED:
            return apply_response(_begun(record, entry), entry)
        case EntryType.CALENDAR_READ | EntryType.PROFILE_READ | EntryType.ARCHIVED | EntryType.ARCHIVE_FAILED:
            is_look = entry.kind in (EntryType.CALENDAR_READ, EntryType.PROFILE_READ)
            return (apply_look if is_look else apply_archive)(_begun(record, entry), entry)
        case EntryType.OVERDUE | EntryType.RESCUE:
            fold_in = apply_rescue if entry.kind is EntryType.RESCUE else _apply_missed_deadline
            return fold_in(_begun(record, entry), entry)
        case EntryType.ACKNOWLEDGED | EntryType.LABELLED:
            return _apply_note(_begun(record, entry), entry)
        case EntryType.ALERTED | EntryType.SILENCED | EntryType.DELIVERED:
            add = with_receipt if entry.kind is EntryType.DELIVERED else with_alert
            return add(_begun(record, entry), entry), Verdict.APPLIED
        case EntryType.ALERT_DUE:
            begun = _begun(record, entry)
            return replace(begun, alerts_due=begun.alerts_due + 1), Verdict.APPLIED
        case (
            EntryType.REQUESTED
            | EntryType.CONFERENCING_FAILING
            | EntryType.CONFERENCING_ASSIGNED
            | EntryType.ACTIVATED
            | EntryType.FAILED
            | EntryType.COMPLETE
            | EntryType.BEFORE_START
            | EntryType.AFTER_END
            | EntryType.UNRECOGNISED
            | EntryType.ERASED
        ):  # an entry of these types without its request or notification says nothing; an erased journal is not folded
            return _begun(record, entry), Verdict.UNRECOGNISED
        case _:
            assert_never(entry.kind)


def _begun(record: Record, entry: Entry) -> Record:
    """Return the record with at least one attempt. An agent that was not requested here is scheduled by others."""
    if record.attempts:
        return record
    first = Attempt(
        number=1,
        state=State.SCHEDULED,
        since=entry.at,
        began_at=entry.at,
        requested_at=entry.at,
        reason=Reason.of(ReasonCode.NOT_REQUESTED_HERE),
    )
    return replace(record, attempts=(first,))


def _apply_note(record: Record, entry: Entry) -> tuple[Record, Verdict]:
    """Apply what a person or a caller says about an agent, and Cronofy does not get."""
    if entry.kind is EntryType.ACKNOWLEDGED:
        return replace(record, acknowledged_at=entry.at), Verdict.APPLIED
    is_news = bool(entry.labels) and entry.labels != record.labels
    return replace(record, labels=entry.labels or record.labels), Verdict.APPLIED if is_news else Verdict.DUPLICATE


# ------------------------------------------------------------------------------------------------ requests

_UNCONFIRMED = {
    Action.PROVISION: Reason.of(ReasonCode.REQUESTED),
    Action.CANCEL: Reason.of(ReasonCode.CANCELLATION_REQUESTED),
}


def _apply_request(record: Record, entry: Entry, request: Request) -> tuple[Record, Verdict]:
    revision = entry.revision or record.revision + 1
    if record.was_requested and revision <= record.revision:
        return record, Verdict.DUPLICATE
    number = entry.attempt or 1
    pending = Pending(revision=revision, request=request, requested_at=entry.at, retry_at=entry.retry_at)
    if not record.attempts or number > record.current.number:
        reason = entry.reason or _UNCONFIRMED[request.action]
        record = new_attempt(record, number, pending, reason, is_rescue=is_second(entry.reason))
    else:
        record = _without_move(with_attempt(record, with_request(record.current, pending)))
    record = replace(
        record,
        revision=revision,
        was_requested=True,
        identity=record.identity or request,
        event_id=record.event_id or request.event_id,
        labels=entry.labels or record.labels,
    )
    return record, Verdict.APPLIED


def _without_move(record: Record) -> Record:
    """Return the record without its newest attempt if its newest request takes back a move that Cronofy did not get.

    The agent of before is still in its meeting, or done with it.
    """
    if len(record.attempts) == 1:
        return record
    before, attempt = record.attempts[-2:]
    is_done = before.state is State.COMPLETE and not before.cancelled_at
    is_back = (is_done or before.state not in TERMINAL_STATES) and attempt.meeting.start == before.meeting.start
    others = attempt.unanswered[:-1]
    may_be_sent = attempt.accepted_revision or attempt.may_have_arrived or any(p.may_have_arrived for p in others)
    if not is_back or attempt.is_heard_of or attempt.is_rescue or may_be_sent:
        return record
    return without_newest(record, attempt.unanswered[-1].requested_at)


# ----------------------------------------------------------------------------------------------------- missed deadlines

_MISSED = {
    DeadlineType.ACTIVATION: ReasonCode.ACTIVATION_MISSED,
    DeadlineType.COMPLETION: ReasonCode.COMPLETION_MISSED,
}


def _apply_missed_deadline(record: Record, entry: Entry) -> tuple[Record, Verdict]:
    attempt, phase = record.current, entry.phase
    earlier = next((each for each in record.attempts[:-1] if each.number == entry.attempt), None)
    if earlier and phase in _OF_EARLIER:
        return _apply_missed_earlier(record, earlier, entry, phase)
    if entry.attempt != attempt.number or entry.revision != record.revision or phase is None:
        return record, Verdict.STALE
    if phase in attempt.missed:
        return record, Verdict.DUPLICATE
    if not _is_expected(attempt, phase) or _is_before(entry, phase, attempt.meeting):
        return record, Verdict.STALE
    attempt = _missed(attempt, entry, phase)
    if phase in (DeadlineType.ACTIVATION, DeadlineType.COMPLETION):
        reason = entry.reason or Reason.of(_MISSED[phase])
        attempt = transition(replace(attempt, overdue_at=entry.at), EntryType.OVERDUE, entry.at, reason)
    return with_attempt(record, attempt), Verdict.APPLIED


_OF_EARLIER = {
    DeadlineType.COMPLETION: (State.ACTIVATED, IncidentType.NOT_FINISHED),
    DeadlineType.RESOURCES: (State.COMPLETE, IncidentType.RESOURCES_MISSING),
    DeadlineType.ARCHIVE: (State.COMPLETE, IncidentType.NOT_ARCHIVED),
}
"""The deadlines that apply to an earlier attempt: the state in which each can be missed, and the notice of it."""


def _missed(attempt: Attempt, entry: Entry, phase: DeadlineType) -> Attempt:
    """Return the attempt after a deadline was missed. `missing` of the entry: the categories of resources."""
    attempt = replace(attempt, missed=(*attempt.missed, phase))
    if phase is DeadlineType.ARCHIVE:
        return without_archive(attempt, entry.missing, entry.at, entry.reason)
    return replace(attempt, missing=frozenset(entry.missing))


def _apply_missed_earlier(
    record: Record, attempt: Attempt, entry: Entry, phase: DeadlineType
) -> tuple[Record, Verdict]:
    """Return the record after a deadline was missed of a meeting that has moved since: a notice says so."""
    state, type_ = _OF_EARLIER[phase]
    if phase in attempt.missed:
        return record, Verdict.DUPLICATE
    missed = _missed(attempt, entry, phase)
    is_there = not is_lacking(missed) if phase is DeadlineType.ARCHIVE else has_resources(missed)
    if attempt.state is not state or is_there:
        return record, Verdict.STALE
    reason = entry.reason
    if phase is DeadlineType.COMPLETION:
        reason = reason or Reason.of(_MISSED[phase])
        missed = transition(replace(missed, overdue_at=entry.at), EntryType.OVERDUE, entry.at, reason)
    notices = {**record.notices, incident_key(attempt.number, type_): (entry.at, reason)}
    return replace(with_attempt(record, missed), notices=notices), Verdict.APPLIED


def _with_notices_left(before: Record, after: Record) -> Record:
    """Return the record with a notice of what was missed of an attempt that another follows: no incident says it now.

    An alert about it may not have been sent yet.
    """
    is_followed = before.attempts and after.current.number > before.current.number
    attempt = after.attempt(before.current.number) if is_followed else None
    if attempt is None:
        return after
    is_left = {
        IncidentType.NOT_FINISHED: attempt.state is State.OVERDUE and DeadlineType.COMPLETION in attempt.missed,
        IncidentType.RESOURCES_MISSING: DeadlineType.RESOURCES in attempt.missed and not has_resources(attempt),
        IncidentType.NOT_ARCHIVED: is_lacking(attempt),
    }
    at, types = after.current.began_at, [type_ for type_, is_true in is_left.items() if is_true]
    left = {incident_key(attempt.number, type_): (at, reason_of(type_, attempt, at)) for type_ in types}
    return replace(after, notices={**left, **after.notices}) if left else after


def _is_before(entry: Entry, phase: DeadlineType, meeting: Meeting) -> bool:
    """Return True if a deadline of an older time of the meeting was missed: the sweep did not see that it moved."""
    at = entry.reason["at"] if entry.reason else ""
    since = {DeadlineType.ACTIVATION: meeting.start, DeadlineType.COMPLETION: meeting.end}.get(phase)
    return bool(at) and since is not None and datetime.fromisoformat(at) < since


def _is_expected(attempt: Attempt, phase: DeadlineType) -> bool:
    if phase is DeadlineType.CONFERENCE:
        return attempt.conference is not Conference.ASSIGNED and EXPECTED.get(attempt.state) is DeadlineType.ACTIVATION
    if phase is DeadlineType.ARCHIVE:
        return attempt.complete_at is not None
    return EXPECTED.get(attempt.state) is phase


# -------------------------------------------------------------------------------------------------------- notifications


def _apply_notification(record: Record, entry: Entry, notification: Notification) -> tuple[Record, Verdict]:
    record = _begun(record, entry)
    if notification.event_id and record.event_id and notification.event_id != record.event_id:
        return record, Verdict.MISMATCHED
    if not notification.kinds:
        return record, Verdict.UNRECOGNISED
    has_join_link = record.has_join_link or notification.has_join_link
    record = replace(record, event_id=record.event_id or notification.event_id, has_join_link=has_join_link)
    record = with_second_agent(record, entry, notification)
    known = len(record.attempts)
    record = separated(record, entry, notification)
    is_separated = len(record.attempts) > known
    is_about_old_time = reports_end(notification) and not is_another_agent(record, notification)
    followed = record if is_about_old_time else _follow(record, entry, notification)
    before = followed.attempts[known - 1] if is_separated else attempt_of(followed, entry, notification)
    after = before
    for kind in notification.kinds:
        after = _apply_interaction(after, kind, entry.at, notification)
    is_its = is_separated or before is followed.current
    after = replace(after, subs=united(after.subs, notification.sub) if is_its else after.subs)
    after = with_resources(after, collected(after.resources, notification.resources), entry.at)
    verdict = verdict_of(followed, before, after, notification)
    changed = with_attempt(followed, after)
    if is_about_old_time:
        changed = _follow(changed, entry, notification)
    changed = _with_notice_of_failure(changed, before, after)
    is_moved = changed.meeting != record.meeting or len(changed.attempts) > known
    is_news = is_moved and verdict in (Verdict.DUPLICATE, Verdict.STALE)
    return changed, Verdict.APPLIED if is_news else verdict


def _with_notice_of_failure(record: Record, before: Attempt, after: Attempt) -> Record:
    """Return the record with a notice if the agent of an earlier attempt fails after its meeting was over.

    That has moved on since, so no incident says it. An event trigger must have confirmed the end.
    """
    later, end = record.attempt(after.number + 1), after.meeting.end
    has_failed = before.state is State.ACTIVATED and after.state is State.FAILED and before.after_end_at is not None
    if not has_failed or later is None or end is None or later.began_at < end or after.failed_at is None:
        return record
    key = incident_key(after.number, IncidentType.FAILED)
    return replace(record, notices={**record.notices, key: (after.failed_at, after.reason)})


def _follow(record: Record, entry: Entry, notification: Notification) -> Record:
    if record.current.latest_request is None and notification.meeting != Meeting():
        # An agent that was not requested here: only the notification has the meeting.
        request = Request(
            action=Action.PROVISION, data_center="", meeting=notification.meeting, event_id=notification.event_id
        )
        return with_attempt(record, replace(record.current, request=request))
    return follow_meeting(record, notification, entry.at)


def _apply_interaction(attempt: Attempt, kind: EntryType, at: datetime, notification: Notification) -> Attempt:
    match kind:
        case EntryType.ACTIVATED | EntryType.COMPLETE | EntryType.FAILED:
            return apply_report(attempt, kind, at, notification)
        case EntryType.CONFERENCING_ASSIGNED:
            attempt = replace(attempt, conference=Conference.ASSIGNED, conference_at=attempt.conference_at or at)
            reason = Reason.of(ReasonCode.CONFERENCE_ASSIGNED)
        case EntryType.CONFERENCING_FAILING:
            attempt = replace(
                attempt,
                conference=attempt.conference or Conference.FAILING,
                conference_at=attempt.conference_at or at,
            )
            reason = Reason.of(ReasonCode.CONFERENCE_FAILING)
        case EntryType.BEFORE_START | EntryType.AFTER_END:
            is_before = kind is EntryType.BEFORE_START
            return replace(attempt, before_start_at=at) if is_before else replace(attempt, after_end_at=at)
        case (
            EntryType.REQUESTED
            | EntryType.ACCEPTED
            | EntryType.REJECTED
            | EntryType.UNCONFIRMED
            | EntryType.CANCELLED
            | EntryType.LABELLED
            | EntryType.ERASED
            | EntryType.UNRECOGNISED
            | EntryType.CALENDAR_READ
            | EntryType.PROFILE_READ
            | EntryType.OVERDUE
            | EntryType.RESCUE
            | EntryType.ALERT_DUE
            | EntryType.ALERTED
            | EntryType.SILENCED
            | EntryType.ACKNOWLEDGED
            | EntryType.DELIVERED
            | EntryType.ARCHIVED
            | EntryType.ARCHIVE_FAILED
        ):  # not of Cronofy's
            return attempt
        case _:
            assert_never(kind)
    return transition(attempt, kind, at, reason)
