"""The bodies of requests, modelled after Cronofy's documentation, with its limits. Pure.

Every field that we do not know is let through. What is sent on is never the model but the caller's own text.
"""

from dataclasses import replace
from datetime import datetime, timedelta
from hashlib import sha256
from ipaddress import ip_address
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit
from zoneinfo import available_timezones

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationInfo,
    field_validator,
    model_validator,
)

from meeting_agents.cronofy.payloads import DataCenter, parse_time
from meeting_agents.domain.model import Action, Meeting, Request
from meeting_agents.errors import FieldError as WrongField
from meeting_agents.errors import InvalidRequest


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
    if parse_time(value) is None:
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


class MeetingAgentField(_Vendor):
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
    tzid: Zone = "Etc/UTC"
    conferencing: Conferencing | None = None
    meeting_agent: MeetingAgentField | None = Field(
        default=None, description="Left out: an agent that is there is left untouched."
    )
    start: Time | None = Field(default=None, validate_default=True)  # after what it is checked against
    end: Time | None = Field(default=None, validate_default=True)
    subscriptions: list[Subscription] = Field(default_factory=list)

    @field_validator("start", "end")
    @classmethod
    def _is_given_with_an_agent(cls, value: str | ZonedTime | None, among: ValidationInfo) -> str | ZonedTime | None:
        wish = among.data.get("meeting_agent")
        if value is None and wish and wish.profile_id == "cronofy":
            raise ValueError("a value; it is required with a meeting_agent, whose deadlines are counted from it")
        return value

    @field_validator("end")
    @classmethod
    def _is_after_the_start(cls, value: str | ZonedTime | None, among: ValidationInfo) -> str | ZonedTime | None:
        tzid = among.data.get("tzid", "")  # where it is wrong, what depends on it is not compared
        start, end = _moment(among.data.get("start"), tzid), _moment(value, tzid)
        if start and end and end <= start:
            raise ValueError("must be after start")
        return value

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
        if is_new_conference and meeting.start and meeting.start < now - CLOCK_TOLERANCE:
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


_MISSING = object()


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

    @model_validator(mode="before")
    @classmethod
    def _comes_now_or_later(cls, body: Any) -> Any:
        """Mark the one of the two that is missing, so that it is named beside whatever else is wrong."""
        if not isinstance(body, dict):
            return body
        missing = [name for name in ("scheduling_key", "join_time") if body.get(name) is None]
        return body | {missing[0]: _MISSING} if len(missing) == 1 else body

    @field_validator("scheduling_key", "join_time", mode="before")
    @classmethod
    def _is_not_missing(cls, value: Any) -> Any:
        if value is _MISSING:
            raise ValueError("a value; scheduling_key and join_time belong together: both for later, none for now")
        return value

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
    """The body of `POST /v1/meeting_agents/{agent_id}/acknowledgement`: that somebody takes care of it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    note: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=1000)]
    """Who does what about it: it stands in the timeline."""


CLOCK_TOLERANCE = timedelta(minutes=5)
"""How long a meeting may have begun when a conference is asked for: clocks differ, and requests take their time."""


def digest(body: str) -> str:
    """By which the same request is recognised when it comes again."""
    return sha256(body.encode()).hexdigest()


def _moment(value: str | ZonedTime | None, tzid: str) -> datetime | None:
    return parse_time(value.model_dump() if isinstance(value, ZonedTime) else value, tzid)
