"""What crosses our boundaries and may be refused or relied on: requests to us, our answers, announcements.

Requests are modelled after Cronofy's documentation, with its limits; every field that we do not know is let through.
What is sent on is never the model but the caller's own text, with our subscription spliced in.
"""

import base64
import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from enum import StrEnum
from hashlib import sha256
from ipaddress import ip_address
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit
from zoneinfo import available_timezones

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, model_validator

from meeting_agents.errors import Field as WrongField
from meeting_agents.errors import InvalidRequest, TooLarge
from meeting_agents.lifecycle import (
    Action,
    Cause,
    Conference,
    Deadline,
    Kind,
    Meeting,
    Phase,
    Record,
    Request,
    State,
    Step,
    Verdict,
)
from meeting_agents.vendor import INTERACTIONS, moment

# ------------------------------------------------------------------------------------------------------------- requests


def _public_host(url: str) -> str:
    """Refuse what can never be reached from Cronofy: a loopback, private or nameless host."""
    host = (urlsplit(url).hostname or "").rstrip(".").lower()
    if not host or host == "localhost" or host.endswith((".localhost", ".local", ".internal")):
        raise ValueError("must name a host that is reachable from the internet")
    try:
        is_public = ip_address(host).is_global
    except ValueError:
        # A name ends in letters; 127.1 and 0x7f.1 are ways to write an address.
        is_public = "." in host and host.rpartition(".")[2][:1].isalpha()
    if not is_public:
        raise ValueError("must name a host that is reachable from the internet")
    return url


def _is_time(value: object) -> object:
    if moment(value) is None:
        raise ValueError(
            'must be a time like "2026-04-29T15:30:00Z", a date like "2026-04-29", or {"time": "…", "tzid": "…"}'
        )
    return value


def _is_zone(value: str) -> str:
    if value not in available_timezones():
        raise ValueError('must be an IANA time zone like "Europe/Berlin"')
    return value


Url = Annotated[
    str,
    StringConstraints(pattern=r"^https?://[^\s\x00-\x1f]+$", max_length=2048),
    AfterValidator(_public_host),
    Field(examples=["https://example.com/notification"]),
]
HttpsUrl = Annotated[
    str,
    StringConstraints(pattern=r"^https://[^\s\x00-\x1f]+$", max_length=2048),
    AfterValidator(_public_host),
    Field(examples=["https://example.com/agent.png"]),
]
DataCenter = Literal["us", "au", "ca", "de", "sg", "uk"]
Key = Annotated[str, StringConstraints(min_length=1, max_length=1024, pattern=r"^[^\x00-\x1f\x7f]+$")]
Zone = Annotated[str, AfterValidator(_is_zone), Field(examples=["Europe/Berlin"])]


class ZonedTime(BaseModel):
    """A time in its own zone."""

    model_config = ConfigDict(extra="allow", frozen=True)

    time: str
    tzid: Zone = "Etc/UTC"


Time = Annotated[
    str | ZonedTime,
    BeforeValidator(_is_time),
    Field(examples=["2026-04-29T15:30:00Z", "2026-04-29", {"time": "2026-04-29T17:30:00", "tzid": "Europe/Berlin"}]),
]


class _Vendor(BaseModel):
    """A body of Cronofy's: unknown fields are its business, and are passed on."""

    model_config = ConfigDict(extra="allow", frozen=True)


class Interaction(_Vendor):
    """Something that a subscription wants to be told of."""

    type: Annotated[str, StringConstraints(min_length=1, max_length=200)]


class Offset(_Vendor):
    """How long before or after."""

    minutes: int


class Transition(_Vendor):
    """A moment of the calendar event that a subscription wants to be told of."""

    before: Literal["event_start", "event_end"] | None = None
    after: Literal["event_start", "event_end"] | None = None
    offset: Offset | None = None


class Subscription(_Vendor):
    """The caller's own: https://docs.cronofy.com/developers/api/events/event-triggers/. Ours is added to them."""

    type: Literal["webhook"]
    uri: Url
    interactions: list[Interaction] | None = None
    transitions: list[Transition] | None = None


class AgentWish(_Vendor):
    """The `meeting_agent` of a calendar event: https://docs.cronofy.com/developers/api/meeting-agents/."""

    profile_id: Literal["cronofy", "none"] = Field(description="`cronofy` provisions an agent, `none` takes it back.")
    display_name: str | None = Field(
        default=None, description="How it is called in the meeting; else as the application's branding has it."
    )
    image_url: HttpsUrl | None = Field(
        default=None,
        description="PNG or JPEG, best in 16:9; fetched shortly before the agent joins, so it must stay there.",
    )


class Conferencing(_Vendor):
    """The `conferencing` of a calendar event: https://docs.cronofy.com/developers/api/conferencing-services/create/."""

    profile_id: Annotated[str, StringConstraints(min_length=1)] | None = Field(
        default=None, examples=["default", "integrated", "explicit", "none"]
    )
    provider_description: str | None = None
    join_url: str | None = None

    @property
    def is_new(self) -> bool:
        """Whether Cronofy is asked to make the conference, rather than told of one or of none."""
        return self.profile_id not in (None, "none", "explicit")


class CalendarEventRequest(_Vendor):
    """The body of `POST /v1/calendars/{calendar_id}/events`: https://docs.cronofy.com/developers/api/events/upsert-event/."""

    event_id: Key = Field(
        description="Your own identifier of the calendar event, which together with the calendar is its key."
    )
    summary: Annotated[str, StringConstraints(max_length=1024)] = ""
    description: Annotated[str, StringConstraints(max_length=4096)] = ""
    start: Time | None = None
    end: Time | None = None
    tzid: Zone = "Etc/UTC"
    conferencing: Conferencing | None = None
    meeting_agent: AgentWish | None = Field(
        default=None, description="Left out: an agent that is there is left untouched."
    )
    subscriptions: list[Subscription] = Field(default_factory=list)

    @model_validator(mode="after")
    def _is_a_meeting(self) -> Self:
        if self.meeting_agent and self.meeting_agent.profile_id == "cronofy" and not (self.start and self.end):
            raise ValueError("start and end are required with a meeting_agent: its deadlines are counted from them")
        meeting = self.meeting
        if meeting.start and meeting.end and meeting.end <= meeting.start:
            raise ValueError("end must be after start")
        return self

    @property
    def meeting(self) -> Meeting:
        return Meeting(
            start=_moment(self.start, self.tzid),
            end=_moment(self.end, self.tzid),
            tzid=self.tzid,
            summary=self.summary,
        )

    def request(
        self, data_center: str, calendar_id: str, account: str, body: str, *, known: Request | None, now: datetime
    ) -> Request:
        """The same in the lifecycle's terms. Raises `InvalidRequest` for a conference that Cronofy makes no more.

        `body`: the caller's own text, whose digest recognises a repetition. `known`: what the agent is wanted for so
        far, which stands where this request says nothing.
        """
        is_cancelling = self.meeting_agent is not None and self.meeting_agent.profile_id == "none"
        meeting, conference_expected = self.meeting, self.conferencing is not None and self.conferencing.is_new
        if known:
            meeting = replace(meeting, start=meeting.start or known.meeting.start, end=meeting.end or known.meeting.end)
        is_new_conference = conference_expected and not is_cancelling and not (known and known.conference_expected)
        if is_new_conference and meeting.start and meeting.start < now - TARDINESS:
            raise InvalidRequest(
                "Cronofy makes no conference for a meeting that has begun",
                WrongField(
                    "start", 'a time to come, or `conferencing` left out or with the profile "explicit" or "none"'
                ),
            )
        return Request(
            action=Action.CANCEL if is_cancelling else Action.PROVISION,
            data_center=data_center,
            calendar_id=calendar_id,
            event_id=self.event_id,
            account=account,
            meeting=meeting,
            digest=digest(body),
            conference_expected=(
                known.conference_expected if known and self.conferencing is None else conference_expected
            ),
        )


class CalendarEventDeletion(_Vendor):
    """The body of `DELETE /v1/calendars/{calendar_id}/events`: https://docs.cronofy.com/developers/api/events/delete-event/."""

    event_id: Key


class Attendee(_Vendor):
    """In whose name the agent joins."""

    email: Annotated[str, StringConstraints(max_length=320, pattern=r"^[^@\s\x00-\x1f]+@[^@\s\x00-\x1f]+$")]


class AgentRequest(_Vendor):
    """The body of `POST /v1/meeting_agents`: https://docs.cronofy.com/developers/api/meeting-agents/schedule/.

    With `scheduling_key` and `join_time` the agent comes later, without them it comes now.
    """

    join_url: Url = Field(description="Where the meeting is.")
    on_behalf_of_attendee: Attendee | None = None
    scheduling_key: Key | None = Field(default=None, description="Your own identifier of this meeting.")
    join_time: Time | None = None
    display_name: str | None = None
    image_url: HttpsUrl | None = None
    subscriptions: list[Subscription] = Field(default_factory=list)

    @model_validator(mode="after")
    def _comes_now_or_later(self) -> Self:
        if (self.scheduling_key is None) != (self.join_time is None):
            raise ValueError("scheduling_key and join_time belong together: both for later, none for now")
        return self

    def request(self, data_center: str, body: str, now: datetime) -> Request:
        """The same in the lifecycle's terms; an agent without a time is for now."""
        return Request(
            action=Action.PROVISION,
            data_center=data_center,
            scheduling_key=self.scheduling_key or "",
            meeting=Meeting(start=_moment(self.join_time, "Etc/UTC") or now),
            digest=digest(body),
        )


class AgentCancellation(_Vendor):
    """The body of `DELETE /v1/meeting_agents`: https://docs.cronofy.com/developers/api/meeting-agents/schedule/."""

    scheduling_key: Key


class AccountRegistration(BaseModel):
    """The body of `PUT /v1/accounts/{account_id}`: what Cronofy gave when the user authorised the application."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    refresh_token: Annotated[
        str, StringConstraints(min_length=1, max_length=2048, pattern=r"^[!-~]+$"), Field(repr=False)
    ]
    data_center: DataCenter = Field(description="Where the account lives.")


class Acknowledgement(BaseModel):
    """The body of `POST /v1/meeting_agents/{agent}/acknowledgement`: that somebody takes care of it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    note: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=1000)]
    """Who does what about it: it stands in the timeline."""


TARDINESS = timedelta(minutes=5)
"""How long a meeting may have begun when a conference is asked for: clocks differ, and requests take their time."""


def digest(body: str) -> str:
    """By which the same request is recognised when it comes again."""
    return sha256(body.encode()).hexdigest()


def _moment(value: str | ZonedTime | None, tzid: str) -> datetime | None:
    return moment(value.model_dump() if isinstance(value, ZonedTime) else value, tzid)


def agent_id(*natural_key: str) -> str:
    """Our id of an agent, made from what the caller calls it, so that the same request always means the same agent.

    From (data center, calendar id, calendar event id), or (data center, scheduling key).
    """
    digest = sha256(json.dumps(natural_key).encode()).digest()
    return "ma_" + base64.b32encode(digest).decode().lower()[:26]


# -------------------------------------------------------------------------------------- the caller's text, and our part

DEEPEST = 32
"""Levels of nesting in a request; Cronofy's documentation shows six."""
LARGEST = 256 * 1024
"""Bytes of a request; the largest that its documented limits allow has some tens of thousands."""


def strict_json(body: str) -> dict[str, Any]:
    """A request's JSON object. Raises `InvalidRequest` for what two readers may read differently, or what only hurts.

    That is: no JSON object, a name twice in one object, `NaN`, a lone surrogate, too deep, too large.
    """
    if len(body.encode("utf-8", "surrogatepass")) > LARGEST:
        raise TooLarge(f"a request has at most {LARGEST} bytes")
    try:
        value = json.loads(body, object_pairs_hook=_distinct, parse_constant=_no_constant)
        body.encode()
        json.dumps(value, ensure_ascii=False).encode()
        depth = _depth(value)
    except (ValueError, RecursionError) as error:
        raise InvalidRequest("the body must be a JSON object", WrongField("body", _said(error))) from None
    if not isinstance(value, dict):
        raise InvalidRequest("the body must be a JSON object", WrongField("body", "a JSON object"))
    if depth > DEEPEST:
        raise InvalidRequest("the body is nested too deeply", WrongField("body", f"at most {DEEPEST} levels"))
    return value


def _said(error: Exception) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"JSON; {error.msg} at line {error.lineno} column {error.colno}"
    if isinstance(error, UnicodeError):
        return "text that can be written as UTF-8"
    return str(error) if isinstance(error, ValueError) else f"at most {DEEPEST} levels"


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name, value in pairs:
        if name in values:
            raise ValueError(f"each name once in an object, and {name[:64]!r} stands there twice")
        values[name] = value
    return values


def _no_constant(name: str) -> None:
    raise ValueError(f"JSON, which has no {name}")


def _depth(value: object) -> int:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return 1 + max(map(_depth, inner), default=0) if isinstance(value, dict | list) else 0


def subscription(address: str) -> dict[str, Any]:
    """Ours: one webhook for everything that the lifecycle understands."""
    return {"type": "webhook", "uri": address, "interactions": [{"type": name} for name in INTERACTIONS]}


def with_subscription(body: str, address: str, ours: str) -> str:
    """The caller's JSON object with our subscription added, every other character as it was.

    `ours`: how the address of any of our subscriptions begins. One that a caller sends back to us is replaced, so that
    it is there once. The whole list is sent each time, for Cronofy does not say whether it replaces or merges.
    """
    kept: list[str] = []
    place: tuple[int, int] | None = None
    for name, start, stop in _members(body):
        if name == "subscriptions":
            place = start, stop
            kept = [
                body[a:b]
                for a, b in _items(body, start)
                if not str(json.loads(body[a:b]).get("uri", "")).startswith(ours)
            ]
    subscriptions = "[" + ",".join([*kept, json.dumps(subscription(address))]) + "]"
    if place:
        return body[: place[0]] + subscriptions + body[place[1] :]
    head = body.rstrip()[:-1].rstrip()
    return f'{head}{"" if head.endswith("{") else ","}"subscriptions":{subscriptions}}}'


_decoder = json.JSONDecoder()
_SPACE = " \t\n\r"


def _members(body: str) -> Iterator[tuple[str, int, int]]:
    """The members of a JSON object that is known to be well-formed: name, and where its value begins and ends."""
    at = _skip(body, body.index("{") + 1)
    while body[at] != "}":
        name, at = _decoder.raw_decode(body, at)
        start = _skip(body, _skip(body, at) + 1)
        _, stop = _decoder.raw_decode(body, start)
        yield name, start, stop
        at = _skip(body, stop)
        at = _skip(body, at + 1) if body[at] == "," else at


def _items(body: str, at: int) -> Iterator[tuple[int, int]]:
    """Where the items of a JSON array that is known to be well-formed begin and end."""
    at = _skip(body, at + 1)
    while body[at] != "]":
        _, stop = _decoder.raw_decode(body, at)
        yield at, stop
        at = _skip(body, stop)
        at = _skip(body, at + 1) if body[at] == "," else at


def _skip(body: str, at: int) -> int:
    while body[at] in _SPACE:
        at += 1
    return at


# -------------------------------------------------------------------------------------------------------------- answers


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


class AgentList(_View):
    """One page of agents, in the order in which their meetings start."""

    agents: tuple[AgentRow, ...]
    next_cursor: str | None = Field(
        description="Where the next page begins; none: this is the last one. A page may be short, or empty, before."
    )


class AccountState(StrEnum):
    """Whether calls can be made in an account's name."""

    ACTIVE = "active"
    NEEDS_AUTHORISATION = "needs_authorisation"
    """Cronofy takes its refresh token no more: a person must authorise it again."""


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
                notification=_readable(raw),
                **_known_of(record),
            ),
        )


def _readable(raw: bytes | None) -> Any:
    if raw is None:
        return None
    try:
        value: Any = json.loads(raw)
        json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
        if _depth(value) <= DEEPEST:
            return value
    except (ValueError, RecursionError):
        pass
    return {"base64": base64.b64encode(raw).decode()}
