"""The facts of the overview: open incidents in the order of urgency, and the outcomes of a day. Pure."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, tzinfo
from enum import StrEnum
from typing import Any, Self

from meeting_agents.domain.deadlines import Deadline
from meeting_agents.domain.labels import pairs
from meeting_agents.domain.model import IncidentType, Meeting, State
from meeting_agents.domain.record import Record
from meeting_agents.domain.verdicts import Step
from meeting_agents.incident_list import ListedIncident

PAGE_SIZE = 20
"""The open incidents of one page of the overview: each is a journal to read."""
MAX_QUERY_LENGTH = 100


class Outcome(StrEnum):
    """The outcomes of agents that the picture of a day tells apart."""

    COMPLETE = "complete"
    ON_ITS_WAY = "on_its_way"
    WRONG = "wrong"
    """An incident is open, or the agent is in a state that needs a person."""
    CANCELLED = "cancelled"


_OUTCOMES: Mapping[State, Outcome] = {
    State.REQUESTED: Outcome.ON_ITS_WAY,
    State.SCHEDULED: Outcome.ON_ITS_WAY,
    State.ACTIVATED: Outcome.ON_ITS_WAY,
    State.COMPLETE: Outcome.COMPLETE,
    State.FAILED: Outcome.WRONG,
    State.REJECTED: Outcome.WRONG,
    State.CANCELLED: Outcome.CANCELLED,
    State.OVERDUE: Outcome.WRONG,
}
_PAST = (IncidentType.NOT_FINISHED, IncidentType.RESOURCES_MISSING, IncidentType.NOT_ARCHIVED)
"""The incidents about which nothing can be done in the meeting."""


def outcome_of(state: State, *, has_incident: bool) -> Outcome:
    """Return the outcome of an agent."""
    return Outcome.WRONG if has_incident else _OUTCOMES[state]


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentSummary:
    """An agent as the indexes have it, without its journal."""

    agent_id: str
    state: State
    start: datetime
    """The start of its meeting; without one, the time at which it came into its state."""
    end: datetime
    """The end of its meeting; an assumed one if it is not known."""
    title: str = ""
    incident: IncidentType | None = None
    event_id: str = ""
    scheduling_key: str = ""
    account: str = ""
    labels: tuple[str, ...] = ()
    """The caller's own, as `name:value`."""
    group_key: str = ""
    """The group whose incident covers its own."""
    is_acknowledged: bool = False

    @classmethod
    def of(cls, row: Mapping[str, Any], assumed_duration: timedelta) -> Self:
        """Make it from the attributes of a stored record."""
        meeting = row.get("meeting", {})
        start = datetime.fromisoformat(meeting.get("start") or row["since"])
        end = datetime.fromisoformat(meeting["end"]) if meeting.get("end") else start + assumed_duration
        names = ("event_id", "scheduling_key", "account", "group_key")
        return cls(
            agent_id=row["pk"],
            state=State(row["state"]),
            start=start,
            end=end,
            title=meeting.get("summary", ""),
            incident=IncidentType(row["incident"]) if row.get("incident") else None,
            is_acknowledged=bool(row.get("acknowledged_at")),
            labels=pairs(row.get("labels", {})),
            **{name: str(row.get(name, "")) for name in names},
        )

    @property
    def outcome(self) -> Outcome:
        return outcome_of(self.state, has_incident=self.incident is not None)

    def can_be_saved(self, now: datetime) -> bool:
        """Return True if the meeting is not over and its agent may still come, or be sent away."""
        return can_be_saved(self.incident, self.end, now)

    def matches(self, query: str) -> bool:
        """Return True if the title, a name, the account or a label contains the text, in any case."""
        names = (self.title, self.event_id, self.scheduling_key, self.account, self.agent_id, *self.labels)
        return any(query.casefold() in name.casefold() for name in names)


@dataclass(slots=True)
class DayTally:
    """The outcomes of the agents whose meetings begin in one day, by hour. `begins`: the local midnight."""

    begins: datetime
    counted_at: datetime
    """A count of many agents is kept for a while."""
    hours: list[Counter[Outcome]] = field(default_factory=lambda: [Counter() for _ in range(24)])
    is_partial: bool = False
    """There are more agents than were counted."""

    def add(self, start: datetime, outcome: Outcome, number: int = 1) -> None:
        """Count agents whose meetings start at a time; those of another day are left out."""
        hour = int((start - self.begins) // timedelta(hours=1))
        if 0 <= hour < len(self.hours):
            self.hours[hour][outcome] += number

    def count(self, *outcomes: Outcome) -> int:
        """Return the number of agents with these outcomes, or of all."""
        return sum(hour[outcome] for hour in self.hours for outcome in outcomes or Outcome)


@dataclass(frozen=True, slots=True, kw_only=True)
class Viewer:
    """The viewer of a page, as CloudWatch describes it, and the functions that its buttons call."""

    zone: tzinfo
    is_dark: bool = False
    forms: Mapping[str, str] = field(default_factory=dict)
    """The fields of the widget's forms."""
    reading: str = ""
    """The ARN of the function that shows pages."""
    writing: str = ""
    """The ARN of the function that acts; empty: there is none, so the page has no such button."""

    def form(self, *names: str) -> str:
        """Return the first of these fields that has a value."""
        return next(filter(None, (self.forms.get(name, "").strip() for name in names)), "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """All that one page of the overview shows."""

    now: datetime
    viewer: Viewer
    today: DayTally
    assumed_duration: timedelta
    """The length of a meeting whose end is unknown."""
    cards: Sequence[ListedIncident] = ()
    open_count: int = 0
    """The open incidents that the query finds, on this page or not; those that a group covers apart."""
    is_open_partial: bool = False
    """There are more open incidents than were read."""
    groups: Sequence[ListedIncident] = ()
    recent: Sequence[AgentSummary] = ()
    """Agents whose meetings are about now, or those that the query finds, the latest first."""
    heard_at: Mapping[str, datetime] = field(default_factory=dict)
    """The last callback from each data center that ever sent one."""
    subscribers: int | None = None
    """The confirmed subscribers of the alerts; None: unknown."""
    query: str = ""
    page: int = 1

    @property
    def pages(self) -> int:
        return max(1, -(-self.open_count // PAGE_SIZE))

    def can_be_saved(self, incident: ListedIncident) -> bool:
        """Return True if the meeting is not over and the incident can be dealt with until then."""
        return can_be_saved(incident.type, span_of(incident, self.assumed_duration)[1], self.now)


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentDetails:
    """An agent in full, with or without an incident."""

    agent_id: str
    now: datetime
    record: Record
    timeline: Sequence[Step]
    incidents: Sequence[ListedIncident] = ()
    """The open ones."""
    retry_problem: str = ""
    """The reason why Cronofy cannot be asked again; empty: it can."""
    deadline: Deadline | None = None


def can_be_saved(incident: IncidentType | None, end: datetime, now: datetime) -> bool:
    """Return True if a meeting is not over and the incident is one that can be dealt with until then."""
    return incident not in _PAST and now < end


def by_urgency(agents: Iterable[AgentSummary], now: datetime) -> list[AgentSummary]:
    """Sort agents: those that can still be saved, the earliest meeting first; then the others, the latest first.

    Among each of them, those that no one has in hand come first.
    """
    listed = list(agents)
    saved = [agent for agent in listed if agent.can_be_saved(now)]
    over = [agent for agent in listed if not agent.can_be_saved(now)]
    saved.sort(key=lambda agent: (agent.is_acknowledged, agent.start, agent.agent_id))
    over.sort(key=lambda agent: (not agent.is_acknowledged, agent.end, agent.agent_id), reverse=True)
    return saved + over


def span_of(incident: ListedIncident, assumed_duration: timedelta) -> tuple[datetime, datetime]:
    """Return the start and the end of an incident's meeting; one without a start begins with the incident."""
    meeting = incident.meeting or Meeting()
    start = meeting.start or incident.opened_at
    return start, meeting.end or start + assumed_duration
