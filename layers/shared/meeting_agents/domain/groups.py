"""The groups of agents that share an incident: those of a disconnected account, those silent in a data center. Pure.

People get one message about a group instead of one about each agent. The truth of a group's incident is not in the
journals of its agents: the account says if it is disconnected, the last callback of the data center if any still come.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from meeting_agents.domain.acknowledgement import Acknowledgement
from meeting_agents.domain.alerts import MAX_REMINDERS
from meeting_agents.domain.grace_periods import GracePeriods, end_of, start_of
from meeting_agents.domain.incidents import Incident
from meeting_agents.domain.model import AlertStatus, IncidentType, Meeting, Severity
from meeting_agents.domain.profiles import Profile
from meeting_agents.domain.record import LastAlert, Receipt, Record

MIN_SILENT_AGENTS = 3
"""Fewer silent agents may each have a cause of its own: a lobby, a locked meeting, one lost callback."""
HEARD_EVERY = timedelta(minutes=1)
"""The last callback of a data center is recorded this often, so it may be as much later than recorded."""
REPEAT_AFTER = timedelta(hours=12)
"""After this time an alert about a group is repeated when another of its meetings comes near: a day has passed."""
DRILL_PATIENCE = timedelta(days=1)
"""A drill that no one acknowledged for so long is over: no one hears the alerts."""
COVERING: Mapping[IncidentType, IncidentType] = {
    IncidentType.ACCOUNT_DISCONNECTED: IncidentType.ACCOUNT_DISCONNECTED,
    IncidentType.NEVER_ACTIVATED: IncidentType.CALLBACKS_MISSING,
    IncidentType.NOT_FINISHED: IncidentType.CALLBACKS_MISSING,
}
"""The incident of a group by the agent's incident that it covers."""
WITHOUT_AGENTS = frozenset({IncidentType.CHANNEL_FAILING, IncidentType.DRILL})
"""The incidents of groups without agents: a channel, and the deployment itself."""
TYPES = frozenset({*COVERING.values(), *WITHOUT_AGENTS})
"""The incidents of groups."""
GROUPS: Mapping[IncidentType, tuple[str, str]] = {
    IncidentType.CALLBACKS_MISSING: (
        "Of a data center: three agents are silent past a deadline, without a callback.",
        "A callback comes.",
    ),
    IncidentType.CHANNEL_FAILING: (
        "Of a channel: it takes nothing for ten minutes, or says that it never will again.",
        "The channel takes something, a test included, or is stored no more.",
    ),
    IncidentType.DRILL: (
        "Of the deployment: the time of the parameter `Drill` has come. Nothing is wrong.",
        "A person acknowledges it, or no one does within a day.",
    ),
}
"""The incidents that no agent has, and how each opens and is resolved."""


@dataclass(frozen=True, slots=True, order=True)
class Group:
    """The agents that have an incident in common. `name`: the account, the data center, the channel, or the drill."""

    type: IncidentType
    name: str

    @property
    def key(self) -> str:
        """The `dedup_key` of all alerts about the group."""
        return f"{self.type}/{self.name}"

    @classmethod
    def of_key(cls, key: str) -> Group:
        """Return the group with a key. Raises `ValueError`."""
        type_, _, name = key.partition("/")
        if IncidentType(type_) not in TYPES or not name:
            raise ValueError("not the key of a group")
        return cls(IncidentType(type_), name)


type Subject = str | Group
"""The subject of an alert, or of a change of an incident: an agent, by its id, or a group."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """An agent of a group, as the index of what is open has it."""

    agent_id: str
    type: IncidentType
    """The agent's own incident."""
    meeting: Meeting
    event_id: str = ""
    scheduling_key: str = ""
    acknowledged_at: datetime | None = None
    account: str = ""
    data_center: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelFailure:
    """A channel that does not take what it is sent."""

    since: datetime
    problem: str
    retry_at: datetime | None = None
    """Nothing is sent before this time."""
    is_off: bool = False
    """Nothing is sent until the channel is stored anew."""
    fingerprint: str = ""
    """Of the channel as it was stored: stored anew, it is tried at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupState:
    """The facts about a group, and the last alert about it."""

    is_registered: bool = True
    """Of an account; False: it was deleted."""
    is_disconnected: bool = False
    """Of an account: it must authorise the application again, or connect its conferencing profile again."""
    disconnected: tuple[Profile, ...] = ()
    """Of an account: the disconnected conferencing profiles that keep a meeting from its conference."""
    heard_at: datetime | None = None
    """Of a data center: the last callback that was recorded; None: none yet."""
    last: LastAlert | None = None
    heard_before: datetime | None = None
    """Of a data center: `heard_at` at the time of the first alert about the incident."""
    opened_at: datetime | None = None
    """The time of the first alert about the open incident."""
    acknowledgement: Acknowledgement | None = None
    """Of the open incident."""
    failure: ChannelFailure | None = None
    """Of a channel; None: it took what it was sent last."""
    drill_at: datetime | None = None
    """Of a drill: the time at which the last one began; its alert may still be owed."""
    receipts: Mapping[str, Receipt] = field(default_factory=dict)
    """The last change of the incident that a channel took, by the channel's name."""

    @property
    def is_firing(self) -> bool:
        """The last alert says that the incident is open."""
        return self.last is not None and self.last.status is AlertStatus.FIRING


def group_of(record: Record, type_: IncidentType) -> Group | None:
    """Return the group to which an agent belongs with an incident of this type, or None."""
    covering = COVERING.get(type_)
    if covering is None or not record.attempts:
        return None
    if covering is IncidentType.CALLBACKS_MISSING:
        name = record.identity.data_center if record.identity else ""
    else:
        pending = record.current.pending
        latest = pending.request if pending else record.current.latest_request
        name = latest.account if latest else ""
    return Group(covering, name) if name else None


def waits_from(record: Record, incident: Incident, grace_periods: GracePeriods) -> datetime:
    """Return the time since which an agent of a group is missed: the meeting's start, or its end if that is missing."""
    attempt = record.current
    return end_of(attempt, grace_periods) if incident.type is IncidentType.NOT_FINISHED else start_of(attempt)


def silent_after(state: GroupState) -> datetime | None:
    """Return the time since which no callback came from a data center; None: none ever came."""
    return state.heard_at + HEARD_EVERY if state.heard_at else None


def is_over(group: Group, state: GroupState, now: datetime) -> bool:
    """Return True if the last alert says that the incident is open, and it is over."""
    if not state.is_firing:
        return False
    if group.type is IncidentType.DRILL:
        opened_at = state.opened_at or now
        return state.acknowledgement is not None or opened_at + DRILL_PATIENCE <= now
    if group.type is IncidentType.CHANNEL_FAILING:
        return state.failure is None
    if group.type is IncidentType.CALLBACKS_MISSING:
        return state.heard_at is not None and state.heard_at != state.heard_before
    return not state.is_disconnected


def is_open(group: Group, state: GroupState, waiting: int) -> bool:
    """Return True if the incident is open. `waiting`: the agents that wait, since `silent_after` in a data center."""
    if group.type is IncidentType.CALLBACKS_MISSING:
        return waiting >= MIN_SILENT_AGENTS or state.is_firing
    if group.type is IncidentType.CHANNEL_FAILING:
        return state.failure is not None
    if group.type is IncidentType.DRILL:
        is_alerted = state.last is not None and state.drill_at is not None and state.last.at >= state.drill_at
        return state.is_firing or (state.drill_at is not None and not is_alerted)
    return state.is_disconnected


def owed_reminder(group: Group, state: GroupState, escalation: timedelta | None, now: datetime) -> int:
    """Return the number of the reminder that is owed about a drill; 0: none. Agents remind of the other groups."""
    last = state.last
    if group.type is not IncidentType.DRILL or last is None or not state.is_firing or escalation is None:
        return 0
    is_due = last.at + escalation <= now and last.reminders < MAX_REMINDERS
    return last.reminders + 1 if is_due else 0


def owes_alert(group: Group, state: GroupState, escalation: timedelta | None, now: datetime) -> bool:
    """Return True if an alert about a group is owed of which no agent has news: it is over, or it is a drill."""
    is_begun = group.type is IncidentType.DRILL and not state.is_firing and is_open(group, state, 0)
    return is_begun or is_over(group, state, now) or owed_reminder(group, state, escalation, now) > 0


def is_news(state: GroupState, severity: Severity, reminder: int, waiting: Iterable[Waiting], now: datetime) -> bool:
    """Return True if an open incident needs an alert: there is none yet, it is less severe, or long ago.

    A reminder is sent once for all agents, and not if a person acknowledged the group's incident, or that of one of its
    agents, since the last alert.
    """
    last = state.last
    if last is None or last.status is AlertStatus.RESOLVED:
        return True
    if severity is not Severity.CRITICAL:
        return False
    if last.severity is not Severity.CRITICAL:
        return True
    if reminder:
        times = [agent.acknowledged_at for agent in waiting if agent.acknowledged_at]
        times += [state.acknowledgement.at] if state.acknowledgement else []
        is_acknowledged = any(at >= last.at for at in times)
        return reminder > last.reminders and not is_acknowledged
    return last.at + REPEAT_AFTER <= now
