"""One entry and its verdict: what became of it, and why it was not obeyed. Pure."""

from dataclasses import dataclass

from meeting_agents.domain.model import (
    Attempt,
    Conference,
    Entry,
    EntryType,
    IncidentType,
    Notification,
    Record,
    State,
    Verdict,
)
from meeting_agents.domain.state_machine import REPORTS


@dataclass(frozen=True, slots=True)
class Step:
    """One entry, what became of it, and the record before and after."""

    entry: Entry
    verdict: Verdict
    before: Record
    after: Record
    cause: IncidentType | None = None
    """Why people are to be told of this step; none: they are not."""

    @property
    def state_before(self) -> State | None:
        return self.before.state if self.before.attempts else None

    @property
    def attempt(self) -> Attempt:
        """The current attempt after the step."""
        return self.after.attempts[-1]

    @property
    def attempt_before(self) -> Attempt | None:
        """The same attempt before the step; none: the step began it."""
        newest = self.before.attempts[-1] if self.before.attempts else None
        return newest if newest and newest.number == self.attempt.number else None

    @property
    def ignored_because(self) -> str:
        """Why the entry was not obeyed, in words for a person; empty for one that was."""
        return _ignored_because(self)


def attempt_of(record: Record, entry: Entry, notification: Notification) -> Attempt:
    """Return the attempt a notification is about: the one with its `sub`, else the addressed one, else the current."""
    for attempt in record.attempts:
        if notification.sub in attempt.subs:
            return attempt
    for attempt in record.attempts:
        if attempt.number == entry.attempt:
            return attempt
    return record.current


def verdict_of(record: Record, before: Attempt, after: Attempt, notification: Notification) -> Verdict:
    """Return the verdict on a notification that made one attempt of a record into another."""
    if after == before:
        is_overtaken = (
            notification.kinds == (EntryType.CONFERENCING_FAILING,) and after.conference is Conference.ASSIGNED
        )
        return Verdict.STALE if is_overtaken else Verdict.DUPLICATE
    if before.number != record.current.number:
        return Verdict.STALE
    if after.is_conflicting and not before.is_conflicting:
        return Verdict.CONFLICTING
    is_in_time = before.state in (State.REQUESTED, State.SCHEDULED, State.OVERDUE)
    if after.state is not before.state or (is_in_time and after.conference is not before.conference):
        return Verdict.APPLIED
    if after.state in {REPORTS.get(kind) for kind in notification.kinds}:
        return Verdict.APPLIED  # no move, and yet something new: a resource, a `sub`, a remark
    return Verdict.STALE


def _ignored_because(step: Step) -> str:
    record, notification = step.after, step.entry.notification
    match step.verdict:
        case Verdict.APPLIED:
            return ""
        case Verdict.CONFLICTING:
            return "complete and failed were both reported; complete counts, for there are resources"
        case Verdict.DUPLICATE:
            return "the record says so already"
        case Verdict.MISMATCHED if notification:
            return f"it is about the calendar event {notification.event_id}, and this agent is for {record.event_id}"
        case Verdict.UNRECOGNISED:
            names = ", ".join(notification.interactions) if notification else ""
            return f"nothing is known of {names}" if names else "it says nothing that is known here"
    return _overtaken(step, notification)


def _overtaken(step: Step, notification: Notification | None) -> str:
    """Say why a late entry came too late."""
    entry, record = step.entry, step.after
    number = attempt_of(record, entry, notification).number if notification else entry.attempt
    if number is not None and number != record.current.number:
        return f"it is about attempt {number}; the current one is attempt {record.current.number}"
    if notification and notification.kinds == (EntryType.CONFERENCING_FAILING,):
        return "a conference had been assigned before"
    if entry.kind is EntryType.ESCALATED:
        return "nobody was to be told again by then"
    if entry.revision is not None and entry.revision < record.revision:
        return f"it is about request {entry.revision}; request {record.revision} has overtaken it"
    return f"the agent was {record.state} by then"
