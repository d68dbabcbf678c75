"""Silences and quiet hours: the spans of time in which alerts are held back, and the alerts that they are for. Pure.

An alert that is held back is still owed: once the time is over, it is sent if it is still true. A resolved alert is
never held back, because it ends what people were alerted of before.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from meeting_agents.domain.groups import Group, Waiting, group_of
from meeting_agents.domain.incidents import Incident
from meeting_agents.domain.labels import Labels, WantedLabels, matches
from meeting_agents.domain.model import IncidentType, Severity
from meeting_agents.domain.record import Record

MAX_SILENCES = 100
"""The silences that a deployment has at a time: each is looked at for each alert."""
MAX_DURATION = timedelta(days=30)
MAX_AHEAD = timedelta(days=90)
"""The time from now to the start of a silence."""
QUIET_HOURS = "quiet hours"
"""The name of the quiet hours where a silence has its own, which has no space."""


def silence_name(agent_id: str) -> str:
    """Return the name of the silence of one agent, where a person gives it none."""
    return f"agent-{agent_id.lower().replace('_', '-')}"[:64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """An agent with an incident, as far as a silence tells agents apart."""

    agent_id: str
    type: IncidentType
    """The type of the incident."""
    account: str = ""
    data_center: str = ""
    labels: Labels = field(default_factory=dict)

    @classmethod
    def of(cls, agent_id: str, record: Record, type_: IncidentType) -> "Target":
        """Return an agent with an incident of a type."""
        identity = record.identity
        return cls(
            agent_id=agent_id,
            type=type_,
            account=identity.account if identity else "",
            data_center=identity.data_center if identity else "",
            labels=record.labels,
        )

    @classmethod
    def of_waiting(cls, agent: Waiting) -> "Target":
        """Return an agent of a group."""
        names = {"account": agent.account, "data_center": agent.data_center}
        return cls(agent_id=agent.agent_id, type=agent.type, labels=agent.labels, **names)


@dataclass(frozen=True, slots=True, kw_only=True)
class Silence:
    """A span of time in which the alerts about some incidents are held back. An empty criterion selects all."""

    name: str
    start: datetime
    end: datetime
    """Exclusive."""
    why: str
    by: str = ""
    """The person who asked for it; empty if that is not known."""
    types: frozenset[IncidentType] = frozenset()
    accounts: frozenset[str] = frozenset()
    data_centers: frozenset[str] = frozenset()
    agents: frozenset[str] = frozenset()
    labels: WantedLabels = field(default_factory=dict)

    def is_active(self, at: datetime) -> bool:
        return self.start <= at < self.end

    def covers(self, target: Target) -> bool:
        """Return True if the silence is for an agent's incident."""
        chosen = (
            (self.types, target.type),
            (self.accounts, target.account),
            (self.data_centers, target.data_center),
            (self.agents, target.agent_id),
        )
        return all(not values or value in values for values, value in chosen) and matches(target.labels, self.labels)

    def covers_group(self, group: Group) -> bool:
        """Return True if the silence is for the incident of a group: for more than some of its agents."""
        if self.agents or self.labels or (self.types and group.type not in self.types):
            return False
        is_account = group.type is IncidentType.ACCOUNT_DISCONNECTED
        named, others = (self.accounts, self.data_centers) if is_account else (self.data_centers, self.accounts)
        return not others and (not named or group.name in named)


@dataclass(frozen=True, slots=True, kw_only=True)
class QuietHours:
    """The hours of each day in which alerts of some severities are held back: from `start` until `end`, local time."""

    start: time
    end: time
    """At or before `start`: on the next day."""
    zone: str
    severities: frozenset[Severity] = frozenset({Severity.WARNING})

    def end_after(self, at: datetime) -> datetime | None:
        """Return the end of the quiet hours that a time is in; None if it is in none.

        They begin and end at an instant. A local time that clocks skip is that much later, and of one that comes twice
        the first counts.
        """
        today = at.astimezone(ZoneInfo(self.zone)).date()
        for day in (today - timedelta(days=1), today):
            start = self._instant(day, self.start)
            end = self._instant(day + timedelta(days=self.end <= self.start), self.end)
            if start <= at < end:
                return end
        return None

    def _instant(self, day: date, local: time) -> datetime:
        return datetime.combine(day, local, ZoneInfo(self.zone)).astimezone(UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """The silence, or the quiet hours, by which an alert is held back."""

    name: str
    until: datetime
    why: str = ""


@dataclass(frozen=True, slots=True)
class Quiet:
    """All silences and the quiet hours at a time."""

    silences: tuple[Silence, ...] = ()
    quiet_hours: QuietHours | None = None

    def of_agent(self, target: Target, at: datetime) -> Hold | None:
        """Return the silence that holds back alerts about an agent's incident: of several the one that ends last."""
        return _last(silence for silence in self.silences if silence.is_active(at) and silence.covers(target))

    def of_group(self, group: Group, severity: Severity, at: datetime) -> Hold | None:
        """Return the silence, or the quiet hours, that hold back alerts about the incident of a group.

        None for a channel that fails: it is an alarm about the system itself, and no agent owes it later.
        """
        if group.type is IncidentType.CHANNEL_FAILING:
            return None
        silences = (silence for silence in self.silences if silence.is_active(at) and silence.covers_group(group))
        return _last(silences) or self.of_severity(severity, at)

    def of_incident(self, agent_id: str, record: Record, incident: Incident, at: datetime) -> Hold | None:
        """Return the reason why no message about an agent's incident would be sent now."""
        group = group_of(record, incident.type)
        return self.of_agent(Target.of(agent_id, record, incident.type), at) or (
            self.of_group(group, incident.severity, at) if group else self.of_severity(incident.severity, at)
        )

    def of_severity(self, severity: Severity, at: datetime) -> Hold | None:
        """Return the quiet hours that hold back alerts of a severity."""
        if self.quiet_hours is None or severity not in self.quiet_hours.severities:
            return None
        end = self.quiet_hours.end_after(at)
        return Hold(name=QUIET_HOURS, until=end) if end else None


def _last(silences: Iterable[Silence]) -> Hold | None:
    last = max(silences, key=lambda silence: (silence.end, silence.name), default=None)
    return Hold(name=last.name, until=last.end, why=last.why) if last else None
