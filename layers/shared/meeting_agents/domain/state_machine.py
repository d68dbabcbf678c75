"""The states of an agent: what moves it from one to the next, which of them are ends, and what each waits for."""

from collections.abc import Mapping

from meeting_agents.domain.model import DeadlineType, EntryType, State

REPORTS: Mapping[EntryType, State] = {
    EntryType.ACTIVATED: State.ACTIVATED,
    EntryType.FAILED: State.FAILED,
    EntryType.COMPLETE: State.COMPLETE,
}
"""The state that Cronofy itself reports."""

TRANSITIONS: Mapping[State, Mapping[EntryType, State]] = {
    State.REQUESTED: {
        EntryType.ACCEPTED: State.SCHEDULED,
        EntryType.CONFERENCING_ASSIGNED: State.SCHEDULED,
        EntryType.CONFERENCING_FAILING: State.SCHEDULED,
        EntryType.REJECTED: State.REJECTED,
        EntryType.CANCELLED: State.CANCELLED,
        EntryType.OVERDUE: State.OVERDUE,
        **REPORTS,
    },
    State.SCHEDULED: {
        EntryType.REJECTED: State.REJECTED,
        EntryType.CANCELLED: State.CANCELLED,
        EntryType.OVERDUE: State.OVERDUE,
        **REPORTS,
    },
    State.ACTIVATED: {
        EntryType.CANCELLED: State.CANCELLED,
        EntryType.OVERDUE: State.OVERDUE,
        EntryType.FAILED: State.FAILED,
        EntryType.COMPLETE: State.COMPLETE,
    },
    State.OVERDUE: {
        EntryType.REQUESTED: State.REQUESTED,
        EntryType.REJECTED: State.REJECTED,
        EntryType.CANCELLED: State.CANCELLED,
        **REPORTS,
    },
    State.REJECTED: {EntryType.ACCEPTED: State.SCHEDULED, EntryType.CANCELLED: State.CANCELLED, **REPORTS},
    State.FAILED: {EntryType.CANCELLED: State.CANCELLED, EntryType.COMPLETE: State.COMPLETE},
    State.CANCELLED: {EntryType.COMPLETE: State.COMPLETE},
    State.COMPLETE: {},
}
"""Within one attempt: the state an entry moves to; a kind that is not in a row leaves that state as it is.

A request after an end begins a new attempt, in `requested`; that is `lifecycle.next_request`, not a row here. An answer
moves only what no newer request has overtaken, so that a refused change leaves in place what Cronofy accepted before.
"""

TERMINAL_STATES = frozenset({State.COMPLETE, State.FAILED, State.REJECTED, State.CANCELLED})
"""The states in which an attempt is over."""

EXPECTED: Mapping[State, DeadlineType] = {
    State.REQUESTED: DeadlineType.ACTIVATION,
    State.SCHEDULED: DeadlineType.ACTIVATION,
    State.ACTIVATED: DeadlineType.COMPLETION,
    State.COMPLETE: DeadlineType.RESOURCES,
}
"""What a state waits for. A state without a row waits for nobody but a person."""
