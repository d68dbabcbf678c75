"""Answers to callers. Pure."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal

from pydantic import ConfigDict, Field

from meeting_agents.announcement import (
    DeadlineView,
    EntryView,
    MeetingView,
    ReasonView,
    ResourceView,
    View,
    agent_fields,
)
from meeting_agents.cronofy.messages import AccountState
from meeting_agents.cronofy.payloads import DataCenter
from meeting_agents.domain.deadlines import Deadline
from meeting_agents.domain.model import Conference, IncidentType, Record, State
from meeting_agents.domain.verdicts import Step


class Links(View):
    """Where to go from here."""

    self: str


class AgentSummary(View):
    """What a caller of Cronofy's paths learns besides Cronofy's own answer."""

    id: str
    state: State
    attempt: int
    retry_at: datetime | None = Field(
        default=None, description="When Cronofy is asked again, by itself; none: nobody asks again but the caller."
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
            reason=ReasonView.model_validate(record.current.reason),
            links=links,
        )


class WarningView(View):
    """A part of a request that was passed on to Cronofy and will not be followed."""

    code: str
    field: str
    detail: str


class PassthroughResponse(View):
    """Cronofy's own answer, if it had a body, and what we add to it."""

    model_config = ConfigDict(extra="allow")

    agent: AgentSummary | None = Field(description="None: the request concerns no agent.")
    warnings: tuple[WarningView, ...] = Field(
        default=(), description="Parts of the request that were passed on and will not be followed."
    )


class AttemptView(View):
    """One go at having an agent in the meeting."""

    number: int
    state: State
    since: datetime
    reason: ReasonView
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


class AgentRow(View):
    """An agent as a list shows it."""

    id: str
    state: State
    since: datetime
    reason: ReasonView
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
            reason=ReasonView.model_validate(record.current.reason),
            attempt=record.current.number,
            links=links,
            **agent_fields(record),
        )


class AgentList(View):
    """One page of agents, in the order in which their meetings start."""

    agents: tuple[AgentRow, ...]
    next_cursor: str | None = Field(
        description="Where the next page begins; none: this is the last one. A page may be short, or empty, before."
    )


class AccountView(View):
    """A registered account: everything but its tokens."""

    id: str
    data_center: DataCenter
    state: AccountState
    registered_at: datetime
    refreshed_at: datetime | None
    access_token_until: datetime | None


class ResourceAddress(View):
    """Where a resource can be had for a while, without credentials."""

    category: str
    type: str
    url: str


class WrongFieldView(View):
    """One wrong field of a request: where it is, and what was expected there."""

    field: str
    expected: str


class Problem(View):
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


class AgentView(View):
    """Everything known of one agent: its record, its attempts, its timeline, and what it is waiting for."""

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
    meeting: MeetingView
    next_deadline: DeadlineView | None
    has_incident: bool
    incident: IncidentType | None
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
            reason=ReasonView.model_validate(record.current.reason),
            origin="request" if record.was_requested else "notification",
            next_deadline=DeadlineView.model_validate(awaited) if awaited else None,
            has_incident=record.has_incident,
            incident=record.incident,
            acknowledged_at=record.acknowledged_at,
            verdicts=dict(record.verdicts),
            attempts=tuple(AttemptView.model_validate(attempt) for attempt in record.attempts),
            timeline=tuple(EntryView.of(step) for step in timeline),
            links=links,
            **agent_fields(record),
        )


class Replay(View):
    """What was announced again, or would be."""

    dry_run: bool
    announcements: tuple[str, ...]
    """Their ids, which are those that they had before."""
