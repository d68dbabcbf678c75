"""The verdict on each entry, and the reason why one was not applied. Pure."""

from dataclasses import dataclass

from meeting_agents.domain.model import Conference, Entry, EntryType, Notification, State, Verdict
from meeting_agents.domain.reasons import Reason, ReasonCode
from meeting_agents.domain.record import Attempt, Record
from meeting_agents.domain.reports import attempt_of
from meeting_agents.domain.state_machine import REPORTS


@dataclass(frozen=True, slots=True)
class Step:
    """One entry, its verdict, and the record before and after."""

    entry: Entry
    verdict: Verdict
    before: Record
    after: Record

    @property
    def state_before(self) -> State | None:
        return self.before.state if self.before.attempts else None

    @property
    def ignored_because(self) -> Reason | None:
        """The reason why the entry was not applied; None for one that was."""
        return _ignored_because(self)


def verdict_of(record: Record, before: Attempt, after: Attempt, notification: Notification) -> Verdict:
    """Return the verdict on a notification that made one attempt of a record into another."""
    if after == before:
        is_overtaken = (
            notification.kinds == (EntryType.CONFERENCING_FAILING,) and after.conference is Conference.ASSIGNED
        )
        return Verdict.STALE if is_overtaken else Verdict.DUPLICATE
    if before.number != record.current.number:
        return Verdict.STALE
    if after.is_unwanted and not before.is_unwanted:
        return Verdict.APPLIED
    if after.is_conflicting and not before.is_conflicting:
        return Verdict.CONFLICTING
    is_before_activation = before.state in (State.REQUESTED, State.SCHEDULED, State.OVERDUE)
    if after.state is not before.state or (is_before_activation and after.conference is not before.conference):
        return Verdict.APPLIED
    if {EntryType.BEFORE_START, EntryType.AFTER_END}.intersection(notification.kinds):
        return Verdict.APPLIED
    if after.state in {REPORTS.get(kind) for kind in notification.kinds}:
        return Verdict.APPLIED  # no transition, but a new resource, `sub` or remark
    return Verdict.STALE


def _ignored_because(step: Step) -> Reason | None:
    record, notification = step.after, step.entry.notification
    match step.verdict:
        case Verdict.APPLIED:
            return None
        case Verdict.CONFLICTING:
            return Reason.of(ReasonCode.COMPLETE_AND_FAILED)
        case Verdict.DUPLICATE:
            return Reason.of(ReasonCode.ALREADY_KNOWN)
        case Verdict.MISMATCHED if notification:
            return Reason.of(ReasonCode.OTHER_CALENDAR_EVENT, event_id=notification.event_id, expected=record.event_id)
        case Verdict.UNRECOGNISED:
            names = ", ".join(notification.interactions[:10]) if notification else ""
            return Reason.of(ReasonCode.NOTHING_RECOGNISED, interactions=names)
    return _reason_of_stale(step, notification)


def _reason_of_stale(step: Step, notification: Notification | None) -> Reason:
    """Return the reason why a stale entry came too late."""
    entry, record = step.entry, step.after
    number = attempt_of(record, entry, notification).number if notification else entry.attempt
    if number is not None and number != record.current.number:
        return Reason.of(ReasonCode.OTHER_ATTEMPT, attempt=number, current=record.current.number)
    if notification and notification.kinds == (EntryType.CONFERENCING_FAILING,):
        return Reason.of(ReasonCode.CONFERENCE_ALREADY_ASSIGNED)
    if entry.revision is not None and entry.revision < record.revision:
        return Reason.of(ReasonCode.NEWER_REQUEST, request=entry.revision, newest=record.revision)
    return Reason.of(ReasonCode.STATE_ALREADY_LEFT, state=record.state)
