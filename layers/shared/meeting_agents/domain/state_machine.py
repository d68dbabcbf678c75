"""The states of an agent: what moves it from one to the next, which of them are ends, and what each waits for."""

from collections.abc import Mapping

from meeting_agents.vocabulary import Kind, Phase, State

REPORTS: Mapping[Kind, State] = {
    Kind.ACTIVATED: State.ACTIVATED,
    Kind.FAILED: State.FAILED,
    Kind.COMPLETE: State.COMPLETE,
}
"""The state that Cronofy itself reports."""

MOVES: Mapping[State, Mapping[Kind, State]] = {
    State.REQUESTED: {
        Kind.ACCEPTED: State.SCHEDULED,
        Kind.CONFERENCING_ASSIGNED: State.SCHEDULED,
        Kind.CONFERENCING_FAILING: State.SCHEDULED,
        Kind.REJECTED: State.REJECTED,
        Kind.CANCELLED: State.CANCELLED,
        Kind.OVERDUE: State.OVERDUE,
        **REPORTS,
    },
    State.SCHEDULED: {
        Kind.REJECTED: State.REJECTED,
        Kind.CANCELLED: State.CANCELLED,
        Kind.OVERDUE: State.OVERDUE,
        **REPORTS,
    },
    State.ACTIVATED: {
        Kind.CANCELLED: State.CANCELLED,
        Kind.OVERDUE: State.OVERDUE,
        Kind.FAILED: State.FAILED,
        Kind.COMPLETE: State.COMPLETE,
    },
    State.OVERDUE: {
        Kind.REQUESTED: State.REQUESTED,
        Kind.REJECTED: State.REJECTED,
        Kind.CANCELLED: State.CANCELLED,
        **REPORTS,
    },
    State.REJECTED: {Kind.ACCEPTED: State.SCHEDULED, Kind.CANCELLED: State.CANCELLED, **REPORTS},
    State.FAILED: {Kind.CANCELLED: State.CANCELLED, Kind.COMPLETE: State.COMPLETE},
    State.CANCELLED: {Kind.COMPLETE: State.COMPLETE},
    State.COMPLETE: {},
}
"""Within one attempt: the state an entry moves to; a kind that is not in a row leaves that state as it is.

A request after an end begins a new attempt, in `requested`; that is `lifecycle.next_request`, not a row here. An answer
moves only what no newer request has overtaken, so that a refused change leaves in place what Cronofy accepted before.
"""

ENDS = frozenset({State.COMPLETE, State.FAILED, State.REJECTED, State.CANCELLED})
"""The states in which an attempt is over."""

AWAITED: Mapping[State, Phase] = {
    State.REQUESTED: Phase.ACTIVATION,
    State.SCHEDULED: Phase.ACTIVATION,
    State.ACTIVATED: Phase.COMPLETION,
    State.COMPLETE: Phase.RESOURCES,
}
"""What a state waits for. A state without a row waits for nobody but a person."""
