"""The responses to callers. Pure."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from meeting_agents.announcement import DeadlineView, EntryView, ReasonView, agent_fields
from meeting_agents.cronofy.messages import AccountState
from meeting_agents.cronofy.payloads import DataCenter
from meeting_agents.domain.deadlines import deadline
from meeting_agents.domain.grace_periods import GracePeriods
from meeting_agents.domain.incidents import Incident, open_incidents
from meeting_agents.domain.model import AlertStatus, Conference, IncidentType, Meeting, Resource, Severity, State
from meeting_agents.domain.reasons import Reason
from meeting_agents.domain.record import Record
from meeting_agents.domain.silences import Hold, Quiet, Silence
from meeting_agents.domain.verdicts import Step


class View(BaseModel):
    """A model that is made from the domain's own values."""

    model_config = ConfigDict(from_attributes=True, frozen=True, populate_by_name=True)


def _with_sentence(reason: object) -> object:
    match reason:
        case Reason():
            return ReasonView.of(reason)
        case {"code": str(code), "values": dict(values)}:
            return ReasonView.of_values(code, values)
    return reason


type ReasonOf = Annotated[ReasonView, BeforeValidator(_with_sentence)]
"""A reason of the domain, or as it is stored, with its sentence."""


class Links(View):
    """Links to related pages."""

    self: str


class AgentSummary(View):
    """The agent that a response of Cronofy is about."""

    id: str
    state: State
    attempt: int
    retry_at: datetime | None = Field(
        default=None, description="the time at which the request is sent again; null: only the caller can send it again"
    )
    reason: ReasonView
    links: Links

    @classmethod
    def of(cls, agent_id: str, record: Record, links: Links) -> "AgentSummary":
        pending = record.current.pending
        return cls(
            id=agent_id,
            state=record.state,
            attempt=record.current.number,
            retry_at=pending.retry_at if pending else None,
            reason=ReasonView.of(record.current.reason),
            links=links,
        )


class WarningView(View):
    """A part of a request that was passed on to Cronofy and will not be followed."""

    code: str
    field: str
    detail: str


class PassthroughResponse(View):
    """Cronofy's response, if it has a body, with the agent added."""

    model_config = ConfigDict(extra="allow")

    agent: AgentSummary | None = Field(description="null: the request concerns no agent")
    warnings: tuple[WarningView, ...] = Field(
        default=(), description="Parts of the request that were passed on and will not be followed."
    )


class ArchivedFileView(View):
    """A resource in the archive."""

    resource: Resource
    bucket: str
    key: str
    size: int
    sha256: str = Field(description="of the whole file; empty for one that is too large to be read at once")
    at: datetime


class AttemptView(View):
    """One try to have an agent in the meeting."""

    number: int
    origin: str = Field(description="`request`; `move`: the meeting moved; `rescue`: a second agent was sent")
    state: State
    since: datetime
    reason: ReasonOf
    subs: tuple[str, ...]
    resources: tuple[Resource, ...]
    archived: tuple[ArchivedFileView, ...] = Field(description="its resources that are in the archive")
    failures: tuple[str, ...]
    conference: Conference | None
    conflicting: bool = Field(validation_alias="is_conflicting")
    began_at: datetime
    accepted_at: datetime | None
    activated_at: datetime | None
    complete_at: datetime | None
    failed_at: datetime | None
    cancelled_at: datetime | None
    overdue_at: datetime | None


class SilencedView(View):
    """The silence, or the quiet hours, by which messages about an incident are held back now."""

    name: str = Field(description="the silence's, or `quiet hours`")
    until: datetime
    why: str


class IncidentView(View):
    """An open incident of an agent."""

    type: IncidentType
    severity: Severity
    opened_at: datetime
    acknowledged_at: datetime | None = Field(description="null: a person has not acknowledged it yet")
    reminders: int
    silenced: SilencedView | None = Field(default=None, description="null: messages about it are sent")

    @classmethod
    def of(cls, incident: Incident, hold: Hold | None = None) -> "IncidentView":
        view = cls.model_validate(incident)
        return view.model_copy(update={"silenced": SilencedView.model_validate(hold)}) if hold else view


class AgentRow(View):
    """An agent in a list."""

    id: str
    state: State
    since: datetime
    reason: ReasonOf
    attempt: int
    data_center: str = ""
    calendar_id: str = ""
    event_id: str = ""
    scheduling_key: str = ""
    account: str = ""
    labels: dict[str, str] = Field(default={}, description="the caller's own, from the headers `X-Label-…`")
    meeting: Meeting
    incident: IncidentView | None = Field(default=None, description="the open incident; null: none is open")
    next_deadline: DeadlineView | None = None
    links: Links

    @classmethod
    def of(
        cls,
        agent_id: str,
        record: Record,
        grace_periods: GracePeriods,
        now: datetime,
        links: Links,
        quiet: Callable[[], Quiet],
    ) -> "AgentRow":
        incidents = open_incidents(record, grace_periods, now)
        next_deadline = deadline(record, grace_periods)
        return cls(
            id=agent_id,
            state=record.state,
            since=record.current.since,
            reason=ReasonView.of(record.current.reason),
            attempt=record.current.number,
            incident=first_incident(agent_id, record, incidents, now, quiet),
            next_deadline=DeadlineView.of(next_deadline) if next_deadline else None,
            links=links,
            **agent_fields(record),
        )


def incidents_of(
    agent_id: str, record: Record, incidents: Sequence[Incident], now: datetime, quiet: Callable[[], Quiet]
) -> tuple[IncidentView, ...]:
    """Return an agent's open incidents. `quiet`: is called only if there is one."""
    silences = quiet() if incidents else Quiet()
    return tuple(IncidentView.of(one, silences.of_incident(agent_id, record, one, now)) for one in incidents)


def first_incident(
    agent_id: str, record: Record, incidents: Sequence[Incident], now: datetime, quiet: Callable[[], Quiet]
) -> IncidentView | None:
    """Return the most important of an agent's open incidents."""
    return next(iter(incidents_of(agent_id, record, incidents[:1], now, quiet)), None)


class AgentList(View):
    """One page of agents, in the order of the starts of their meetings."""

    agents: tuple[AgentRow, ...]
    next_cursor: str | None = Field(
        description="the cursor of the next page; null: this is the last one. Earlier pages may be short or empty."
    )


class AccountView(View):
    """A registered account, without its tokens."""

    id: str
    data_center: DataCenter
    state: AccountState
    registered_at: datetime
    refreshed_at: datetime | None
    access_token_until: datetime | None
    relink_urls: tuple[str, ...] = Field(
        description="where the user connects disconnected conferencing profiles again, for which meetings wait"
    )


class AccountList(View):
    """One page of accounts, in no order."""

    accounts: tuple[AccountView, ...]
    next_cursor: str | None = Field(description="the cursor of the next page; null: this is the last one")


class ConferencingProfile(View):
    """A conferencing profile of a user, as Cronofy lists it."""

    id: str = Field(description="Cronofy's id: `pro_…`")
    is_connected: bool = Field(description="false only if Cronofy says so")
    relink_url: str = Field(description="where the user connects it again; may be empty")


class RegisteredAccount(AccountView):
    """A registered account, and the result of using its refresh token once."""

    verified: bool = Field(description="Cronofy accepted the refresh token and returned an access token")
    problem: str = Field(description="why the token could not be used yet; empty if it was. It is stored either way")
    conferencing_profiles: tuple[ConferencingProfile, ...] | None = Field(
        description="the user's, as Cronofy lists them now; null: it did not list them"
    )


class LastAlertView(View):
    """The last alert about an incident."""

    status: AlertStatus
    severity: Severity
    at: datetime
    count: int = Field(description="the alerts about the incident so far")
    reminders: int


class AcknowledgementView(View):
    """The newest acknowledgement of an incident."""

    at: datetime
    by: str = Field(description="the caller's IAM ARN or JWT subject; empty if the caller was not signed in")
    note: str


class GroupView(View):
    """A group of agents that share an incident: those of an account, or those silent in a data center."""

    type: IncidentType
    name: str = Field(description="the account, or the data center")


class IncidentAgent(View):
    """The agent of an incident."""

    id: str
    title: str
    calendar_id: str
    event_id: str
    scheduling_key: str
    labels: dict[str, str] = Field(description="the caller's own, from the headers `X-Label-…`")
    meeting: Meeting
    retry_problem: str = Field(description="why Cronofy cannot be asked again; empty: POST …/retry asks it")
    links: Links


class IncidentRow(View):
    """An incident of an agent or of a group of agents, with what a person needs who looks at it."""

    dedup_key: str = Field(description="the same as in its alerts")
    type: IncidentType
    status: Literal["open", "over"]
    severity: Severity
    opened_at: datetime
    over_at: datetime | None
    summary: str
    detail: str
    next_steps: tuple[str, ...] = Field(description="the most urgent first; none once it is over")
    last_alert: LastAlertView | None = Field(description="null: no alert about it was published")
    acknowledgement: AcknowledgementView | None
    account: str
    data_center: str
    silenced: SilencedView | None = Field(description="null: messages about it are sent, or it is over")
    agent: IncidentAgent | None = Field(description="null: it is the incident of a group")
    group: GroupView | None = Field(
        description="the group; of an agent the group whose alert says it, null if it has alerts of its own"
    )
    waiting: int | None = Field(description="of a group: the agents that wait or are silent; null once it is over")


class IncidentPageView(View):
    """One page of incidents."""

    incidents: tuple[IncidentRow, ...]
    next_cursor: str | None = Field(
        description="the cursor of the next page; null: this is the last one. Earlier pages may be short or empty."
    )


class SilenceView(View):
    """A silence, with what it is for; an empty list selects all."""

    name: str
    status: Literal["planned", "active", "over"]
    start: datetime = Field(serialization_alias="from")
    until: datetime
    why: str
    by: str = Field(description="the caller's IAM ARN or JWT subject; empty if the caller was not signed in")
    account: tuple[str, ...]
    data_center: tuple[str, ...]
    type: tuple[str, ...]
    agent: tuple[str, ...]
    label: tuple[str, ...]

    @classmethod
    def of(cls, silence: Silence, now: datetime) -> "SilenceView":
        is_planned, is_over = now < silence.start, silence.end <= now
        return cls(
            name=silence.name,
            status="planned" if is_planned else "over" if is_over else "active",
            start=silence.start,
            until=silence.end,
            why=silence.why,
            by=silence.by,
            account=tuple(sorted(silence.accounts)),
            data_center=tuple(sorted(silence.data_centers)),
            type=tuple(sorted(silence.types)),
            agent=tuple(sorted(silence.agents)),
            label=tuple(f"{name}:{value}" for name, values in sorted(silence.labels.items()) for value in values),
        )


class SilenceList(View):
    """All silences that are not over."""

    silences: tuple[SilenceView, ...]


class ResourceAddress(View):
    """The temporary address of a resource, which needs no credentials."""

    category: str
    type: str
    url: str
    source: Literal["cronofy", "archive"] = Field(description="the one that has it: Cronofy, or the archive here")


class Problem(View):
    """An error in the format of RFC 9457; `code` is stable, `detail` is for people."""

    type: str
    title: str
    status: int
    code: str
    detail: str
    errors: dict[str, Any] | None = Field(
        default=None,
        description="what is expected of each wrong field, in the shape of Cronofy's own `errors`, which are passed on",
        examples=[{"start": [{"key": "errors.required", "description": "a value; it is required"}]}],
    )
    agent: AgentSummary | None = Field(
        default=None, description="the agent that the request concerns, if it is in the journal"
    )


class AgentView(View):
    """One agent: its record, its attempts, its timeline, and its next deadline."""

    id: str
    state: State
    since: datetime
    reason: ReasonView
    origin: Literal["request", "notification"]
    data_center: str
    calendar_id: str
    event_id: str
    scheduling_key: str
    account: str
    labels: dict[str, str] = Field(description="the caller's own, from the headers `X-Label-…`")
    meeting: Meeting
    next_deadline: DeadlineView | None
    incidents: tuple[IncidentView, ...] = Field(description="the open incidents of the current attempt")
    verdicts: dict[str, int]
    attempts: tuple[AttemptView, ...]
    timeline: tuple[EntryView, ...]
    links: Links

    @classmethod
    def of(
        cls,
        agent_id: str,
        timeline: Sequence[Step],
        grace_periods: GracePeriods,
        now: datetime,
        links: Links,
        quiet: Callable[[], Quiet],
    ) -> "AgentView":
        record = timeline[-1].after
        next_deadline = deadline(record, grace_periods)
        return cls(
            id=agent_id,
            state=record.state,
            since=record.current.since,
            reason=ReasonView.of(record.current.reason),
            origin="request" if record.was_requested else "notification",
            next_deadline=DeadlineView.of(next_deadline) if next_deadline else None,
            incidents=incidents_of(agent_id, record, open_incidents(record, grace_periods, now), now, quiet),
            verdicts=dict(record.verdicts),
            attempts=tuple(AttemptView.model_validate(attempt) for attempt in record.attempts),
            timeline=tuple(EntryView.of(step) for step in timeline),
            links=links,
            **agent_fields(record),
        )


class Replay(View):
    """The announcements that were published again, or would be."""

    dry_run: bool
    announcements: tuple[str, ...]
    """Their ids, which do not change."""
