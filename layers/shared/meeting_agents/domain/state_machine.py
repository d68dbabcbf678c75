"""The state machine of an attempt: its transitions, its terminal states, and the deadline of each state. Pure."""

from collections.abc import Mapping

from meeting_agents.domain.model import DeadlineType, EntryType, State

REPORTS: Mapping[EntryType, State] = {
    EntryType.ACTIVATED: State.ACTIVATED,
    EntryType.FAILED: State.FAILED,
    EntryType.COMPLETE: State.COMPLETE,
}
"""The state that each of Cronofy's reports on the agent leads to."""
ENDS = frozenset({EntryType.COMPLETE, EntryType.FAILED})
"""The reports of an agent that is gone."""

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
        EntryType.REJECTED: State.REJECTED,
        EntryType.CANCELLED: State.CANCELLED,
        **REPORTS,
    },
    State.REJECTED: {EntryType.ACCEPTED: State.SCHEDULED, EntryType.CANCELLED: State.CANCELLED, **REPORTS},
    State.FAILED: {EntryType.CANCELLED: State.CANCELLED, EntryType.COMPLETE: State.COMPLETE},
    State.CANCELLED: {EntryType.COMPLETE: State.COMPLETE},
    State.COMPLETE: {},
}
"""The state that each type of entry leads to, within one attempt. A type without a cell leaves the state unchanged.

A request after a terminal state begins a new attempt, in `requested`: that is `lifecycle.next_request`, not a row here.
A response to a request that is not the newest moves nothing: a rejected change leaves the accepted request in place.
"""

TERMINAL_STATES = frozenset({State.COMPLETE, State.FAILED, State.REJECTED, State.CANCELLED})
"""The states in which an attempt has ended."""

EXPECTED: Mapping[State, DeadlineType] = {
    State.REQUESTED: DeadlineType.ACTIVATION,
    State.SCHEDULED: DeadlineType.ACTIVATION,
    State.ACTIVATED: DeadlineType.COMPLETION,
    State.COMPLETE: DeadlineType.RESOURCES,
}
"""The deadline of each state. A state without a row has none."""
