"""What we show: answers to callers, and announcements to subscribers. Pure."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from meeting_agents.cronofy.messages import AccountState
from meeting_agents.deadlines import Deadline
from meeting_agents.jsontext import readable
from meeting_agents.lifecycle import Step
from meeting_agents.vendor import DataCenter
from meeting_agents.vocabulary import Cause, Conference, Kind, Phase, Record, State, Verdict


class _View(BaseModel):
    """Shown as it is: made from the lifecycle's own values."""

    model_config = ConfigDict(from_attributes=True, frozen=True, populate_by_name=True)


class Links(_View):
    """Where to go from here."""

    self: str


class AgentSummary(_View):
    """What a caller of Cronofy's paths learns besides Cronofy's own answer."""

    id: str
    state: State
    attempt: int
    retry_at: datetime | None = Field(
        default=None, description="When Cronofy is asked again, by itself; none: nobody asks again but the caller."
    )
    reason: str = ""
    links: Links

    @classmethod
    def of(cls, agent_id: str, record: Record, links: Links) -> "AgentSummary":
        pending = record.current.pending
        return cls(
            id=agent_id,
            state=record.state,
            attempt=record.current.number,
            retry_at=pending.retry_at if pending else None,
            reason=record.current.reason,
            links=links,
        )


class Answered(_View):
    """Cronofy's own answer, if it had a body, and what we add to it."""

    model_config = ConfigDict(extra="allow")

    agent: AgentSummary | None = Field(description="None: the request concerns no agent.")


class DeadlineView(_View):
    """What must happen next, and by when."""

    phase: Phase
    at: datetime


class ResourceView(_View):
    """Something the agent left behind; `url` is Cronofy's and wants the API key, but for the dashboard's."""

    category: str
    type: str
    url: str


class MeetingView(_View):
    """The meeting as it was last asked for."""

    summary: str = ""
    start: datetime | None = None
    end: datetime | None = None
    tzid: str = "Etc/UTC"


class AttemptView(_View):
    """One go at having an agent in the meeting."""

    number: int
    state: State
    since: datetime
    reason: str
    subs: tuple[str, ...]
    resources: tuple[ResourceView, ...]
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


class AgentRow(_View):
    """An agent as a list shows it."""

    id: str
    state: State
    since: datetime
    reason: str
    attempt: int
    data_center: str = ""
    calendar_id: str = ""
    event_id: str = ""
    scheduling_key: str = ""
    account: str = ""
    meeting: MeetingView
    links: Links

    @classmethod
    def of(cls, agent_id: str, record: Record, links: Links) -> "AgentRow":
        return cls(
            id=agent_id,
            state=record.state,
            since=record.current.since,
            reason=record.current.reason,
            attempt=record.current.number,
            links=links,
            **_known_of(record),
        )


class AgentList(_View):
    """One page of agents, in the order in which their meetings start."""

    agents: tuple[AgentRow, ...]
    next_cursor: str | None = Field(
        description="Where the next page begins; none: this is the last one. A page may be short, or empty, before."
    )


class AccountView(_View):
    """A registered account: everything but its tokens."""

    id: str
    data_center: DataCenter
    state: AccountState
    registered_at: datetime
    refreshed_at: datetime | None
    access_token_until: datetime | None


class ResourceAddress(_View):
    """Where a resource can be had for a while, without credentials."""

    category: str
    type: str
    url: str


class WrongFieldView(_View):
    """One wrong field of a request: where it is, and what was expected there."""

    field: str
    expected: str


class Problem(_View):
    """An error, as RFC 9457 has it; `code` is stable, `detail` is for people."""

    type: str
    title: str
    status: int
    code: str
    detail: str
    errors: tuple[WrongFieldView, ...] | dict[str, Any] | None = Field(
        default=None, description="The wrong fields, or Cronofy's own `errors`."
    )
    agent: AgentSummary | None = Field(
        default=None, description="The agent that the request concerns, where it has been written down."
    )


class EntryView(_View):
    """One line of the timeline: what was written down, what became of it, and the state after it."""

    key: str
    at: datetime
    kind: Kind
    verdict: Verdict
    state: State
    attempt: int | None
    interactions: tuple[str, ...]
    sub: str
    reason: str
    correlation_id: str
    because: str
    """Why it was not obeyed; empty if it was."""

    @classmethod
    def of(cls, step: Step) -> "EntryView":
        entry, said = step.entry, step.entry.notification
        return cls(
            key=entry.key,
            at=entry.at,
            kind=entry.kind,
            verdict=step.verdict,
            state=step.after.state,
            attempt=entry.attempt,
            interactions=said.interactions if said else (),
            sub=said.sub if said else entry.sub,
            reason=entry.reason or ("; ".join(said.remarks) if said else ""),
            correlation_id=entry.correlation_id,
            because=step.because,
        )


class AgentView(_View):
    """Everything known of one agent: its record, its attempts, its timeline, and what it is waiting for."""

    id: str
    state: State
    since: datetime
    reason: str
    origin: Literal["request", "notification"]
    data_center: str
    calendar_id: str
    event_id: str
    scheduling_key: str
    account: str
    meeting: MeetingView
    awaited: DeadlineView | None
    troubled: bool
    trouble: Cause | None
    """What people were told of, as long as nothing has shown that it is over."""
    acknowledged_at: datetime | None
    """When a person took that on."""
    verdicts: dict[str, int]
    attempts: tuple[AttemptView, ...]
    timeline: tuple[EntryView, ...]
    links: Links

    @classmethod
    def of(cls, agent_id: str, timeline: Sequence[Step], awaited: Deadline | None, links: Links) -> "AgentView":
        record = timeline[-1].after
        return cls(
            id=agent_id,
            state=record.state,
            since=record.current.since,
            reason=record.current.reason,
            origin="request" if record.was_requested else "notification",
            awaited=DeadlineView.model_validate(awaited) if awaited else None,
            troubled=record.troubled,
            trouble=record.trouble,
            acknowledged_at=record.acknowledged_at,
            verdicts=dict(record.verdicts),
            attempts=tuple(AttemptView.model_validate(attempt) for attempt in record.attempts),
            timeline=tuple(EntryView.of(step) for step in timeline),
            links=links,
            **_known_of(record),
        )


def _known_of(record: Record) -> dict[str, Any]:
    """Which agent it is, and for which meeting."""
    identity = record.identity
    return {
        "data_center": identity.data_center if identity else "",
        "calendar_id": identity.calendar_id if identity else "",
        "event_id": record.event_id,
        "scheduling_key": identity.scheduling_key if identity else "",
        "account": identity.account if identity else "",
        "meeting": MeetingView.model_validate(record.meeting),
    }


class Replay(_View):
    """What was announced again, or would be."""

    dry_run: bool
    announcements: tuple[str, ...]
    """Their ids, which are those that they had before."""


# -------------------------------------------------------------------------------------------------------- announcements


class Announced(_View):
    """The `data` of an announcement: one entry, and what it did to its agent."""

    agent_id: str
    entry: EntryView
    state: State
    previous_state: State | None
    """None: this entry is the first of its agent."""
    cause: Cause | None
    """Why people are told of it; none: they are not."""
    escalations: int = 0
    """How often people were to be told again of what nobody has taken on."""
    since: datetime
    """When the agent came into its state."""
    reason: str
    attempt: int
    data_center: str
    calendar_id: str
    event_id: str
    scheduling_key: str
    account: str
    meeting: MeetingView
    resources: tuple[ResourceView, ...]
    failures: tuple[str, ...]
    awaited: DeadlineView | None
    notification: Any = None
    """Cronofy's own body, where the entry is a notification: its JSON, or `{"base64": "…"}` if it is none."""
    replayed: bool = False
    """Whether somebody asked to be told again; the announcement's id is the one that it had before."""


class Announcement(_View):
    """A CloudEvent (1.0, JSON format) on the lifecycle topic: https://github.com/cloudevents/spec."""

    specversion: Literal["1.0"] = "1.0"
    id: str
    """The same each time this entry is announced."""
    source: str
    type: str
    subject: str
    time: datetime
    datacontenttype: Literal["application/json"] = "application/json"
    data: Announced

    @classmethod
    def of(cls, agent_id: str, step: Step, raw: bytes | None, awaited: Deadline | None) -> "Announcement":
        record = step.after
        return cls(
            id=f"{agent_id}.{step.entry.key}",
            source="/meeting_agents",
            type=f"meeting_agents.{step.entry.kind}",
            subject=agent_id,
            time=step.entry.at,
            data=Announced(
                agent_id=agent_id,
                entry=EntryView.of(step),
                state=record.state,
                previous_state=step.state_before,
                cause=step.cause,
                escalations=record.escalations,
                since=record.current.since,
                reason=record.current.reason,
                attempt=record.current.number,
                resources=tuple(ResourceView.model_validate(resource) for resource in record.current.resources),
                failures=record.current.failures,
                awaited=DeadlineView.model_validate(awaited) if awaited else None,
                notification=readable(raw),
                **_known_of(record),
            ),
        )
