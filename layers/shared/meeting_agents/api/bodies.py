"""The bodies of requests, with the limits that Cronofy documents. Pure.

Unknown fields are allowed. Cronofy receives the caller's own text, never a serialised model.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cache
from hashlib import sha256
from importlib.resources import files
from ipaddress import ip_address
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

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
from pydantic_core import PydanticCustomError

from meeting_agents.api.patterns import EMAIL, HTTP_URL, HTTPS_URL, KEY, VISIBLE_ASCII
from meeting_agents.cronofy.payloads import DataCenter, parse_time
from meeting_agents.domain.model import Action, Meeting, Request
from meeting_agents.domain.profiles import DEFAULT


def _public_host(url: str) -> str:
    """Refuse an address that Cronofy can never reach: its host is loopback, private or has no domain."""
    host = (urlsplit(url).hostname or "").rstrip(".").lower()
    if not host or host == "localhost" or host.endswith((".localhost", ".local", ".internal")):
        raise ValueError("must name a host that is reachable from the internet")
    try:
        is_public = ip_address(host).is_global
    except ValueError:
        # A domain ends in letters; 127.1 and 0x7f.1 are IP addresses.
        is_public = "." in host and host.rpartition(".")[2][:1].isalpha()
    if not is_public:
        raise ValueError("must name a host that is reachable from the internet")
    return url


def _is_time(value: object) -> object:
    if parse_time(value) is None:
        raise ValueError(
            'must be a time like "2026-04-29T15:30:00Z", a date like "2026-04-29", or {"time": "…", "tzid": "…"}, of a'
            " year from 1970 to 2999"
        )
    return value


@cache
def _timezones() -> frozenset[str]:
    """Return the names of time zones, from a file: to look through the database takes longer than a request."""
    return frozenset(files("tzdata").joinpath("zones").read_text(encoding="utf-8").split())


def _is_timezone(value: str) -> str:
    if value not in _timezones():
        raise ValueError('must be an IANA time zone like "Europe/Berlin"')
    return value


Url = Annotated[
    str,
    StringConstraints(pattern=HTTP_URL, max_length=2048),
    AfterValidator(_public_host),
    Field(examples=["https://example.com/notification"]),
]
HttpsUrl = Annotated[
    str,
    StringConstraints(pattern=HTTPS_URL, max_length=2048),
    AfterValidator(_public_host),
    Field(examples=["https://example.com/agent.png"]),
]
Key = Annotated[str, StringConstraints(min_length=1, max_length=1024, pattern=KEY)]
Timezone = Annotated[str, AfterValidator(_is_timezone), Field(examples=["Europe/Berlin"])]


class ZonedTime(BaseModel):
    """A time in a time zone of its own."""

    model_config = ConfigDict(extra="allow", frozen=True)

    time: str
    tzid: Timezone = "Etc/UTC"


Time = Annotated[
    str | ZonedTime,
    BeforeValidator(_is_time),
    Field(examples=["2026-04-29T15:30:00Z", "2026-04-29", {"time": "2026-04-29T17:30:00", "tzid": "Europe/Berlin"}]),
]


class _Vendor(BaseModel):
    """A body of Cronofy's. Unknown fields are passed on."""

    model_config = ConfigDict(extra="allow", frozen=True)


class Interaction(_Vendor):
    """A type of callback that a subscription receives."""

    type: Annotated[str, StringConstraints(min_length=1, max_length=200)]


class Offset(_Vendor):
    """The time between a transition and its callback."""

    minutes: int


class Transition(_Vendor):
    """A moment of the calendar event at which a subscription receives a callback."""

    before: Literal["event_start", "event_end"] | None = None
    after: Literal["event_start", "event_end"] | None = None
    offset: Offset | None = None


class Subscription(_Vendor):
    """A subscription of the caller's: https://docs.cronofy.com/developers/api/events/event-triggers/. Ours is added."""

    type: Literal["webhook"]
    uri: Url
    interactions: list[Interaction] | None = None
    transitions: list[Transition] | None = None


class MeetingAgentField(_Vendor):
    """The `meeting_agent` of a calendar event: https://docs.cronofy.com/developers/api/meeting-agents/."""

    profile_id: Literal["cronofy", "none"] = Field(
        description="`cronofy` provisions an agent, `none` de-provisions it."
    )
    display_name: str | None = Field(
        default=None, description="The agent's name in the meeting; by default that of the application's branding."
    )
    image_url: HttpsUrl | None = Field(
        default=None,
        description="PNG or JPEG, best in 16:9; fetched shortly before the agent joins, so it must stay available.",
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
        """True if Cronofy is to create the conference."""
        return self.profile_id not in (None, "none", "explicit")

    @property
    def profile(self) -> str:
        """The conferencing profile of the account that is to create it: `default` or a `pro_…` id; empty: none."""
        name = self.profile_id or ""
        return name if name == DEFAULT or name.startswith("pro_") else ""


@dataclass(frozen=True, slots=True)
class BodyWarning:
    """A part of a request that is passed on and will not be followed."""

    code: str
    field: str
    detail: str


NO_NEW_CONFERENCE = BodyWarning(
    "no_new_conference",
    "conferencing",
    "Cronofy creates no conference for a meeting that has begun; the agent needs one that exists",
)
"""https://docs.cronofy.com/developers/api/conferencing-services/create/"""
FIRST_OCCURRENCE_ONLY = BodyWarning(
    "first_occurrence_only",
    "recurrence",
    "only the first occurrence has deadlines and alerts here; request an agent for each occurrence that matters",
)


class CalendarEventRequest(_Vendor):
    """The body of `POST /v1/calendars/{calendar_id}/events`: https://docs.cronofy.com/developers/api/events/upsert-event/."""

    event_id: Key = Field(
        description="Your own id of the calendar event; together with the calendar's id it is the upsert key."
    )
    summary: Annotated[str, StringConstraints(max_length=1024)] = ""
    description: Annotated[str, StringConstraints(max_length=4096)] = ""
    tzid: Timezone = "Etc/UTC"
    conferencing: Conferencing | None = None
    meeting_agent: MeetingAgentField | None = Field(
        default=None, description="If it is left out, an existing agent is left untouched."
    )
    start: Time | None = Field(default=None, validate_default=True)  # after the fields that its check needs
    end: Time | None = Field(default=None, validate_default=True)
    subscriptions: list[Subscription] = Field(default_factory=list)

    @field_validator("start", "end")
    @classmethod
    def _is_given_with_an_agent(cls, value: str | ZonedTime | None, info: ValidationInfo) -> str | ZonedTime | None:
        agent = info.data.get("meeting_agent")
        if value is None and agent and agent.profile_id == "cronofy":
            raise _required("a value; it is required with a meeting_agent, whose deadlines depend on it")
        return value

    @field_validator("end")
    @classmethod
    def _is_after_the_start(cls, value: str | ZonedTime | None, info: ValidationInfo) -> str | ZonedTime | None:
        tzid = info.data.get("tzid", "")  # missing if it is wrong; times that need it are then not compared
        start, end = _times(info.data.get("start"), value, tzid)
        if start and end and end <= start:
            raise ValueError("must be after start")
        return value

    @property
    def meeting(self) -> Meeting:
        start, end = _times(self.start, self.end, self.tzid)
        return Meeting(start=start, end=end, tzid=self.tzid, summary=self.summary)

    @property
    def provisions_agent(self) -> bool:
        """True if `meeting_agent` is there and does not de-provision."""
        return self.meeting_agent is not None and self.meeting_agent.profile_id != "none"

    def request(
        self, data_center: str, calendar_id: str, account: str, body: str, *, earlier: Request | None, now: datetime
    ) -> Request:
        """Return the request in the lifecycle's terms.

        `body`: the caller's own text; its digest detects a repeated request. `earlier`: the agent's request so far,
        which supplies the times and the conference that this one leaves out.
        """
        is_cancelling = self.meeting_agent is not None and self.meeting_agent.profile_id == "none"
        meeting, had_conference = self.meeting, earlier is not None and earlier.conference_expected
        if earlier:
            start, end = meeting.start or earlier.meeting.start, meeting.end or earlier.meeting.end
            meeting = replace(meeting, start=start, end=end)
        has_begun = meeting.start is not None and meeting.start < now - CLOCK_TOLERANCE
        conferencing = self.conferencing
        expects_conference = (
            had_conference if conferencing is None else conferencing.is_new and (had_conference or not has_begun)
        )
        profile = conferencing.profile if conferencing else earlier.conference_profile if earlier else ""
        return Request(
            action=Action.CANCEL if is_cancelling else Action.PROVISION,
            data_center=data_center,
            calendar_id=calendar_id,
            event_id=self.event_id,
            account=account,
            meeting=meeting,
            digest=digest(body),
            conference_expected=expects_conference,
            conference_profile=profile if expects_conference else "",
        )

    def warnings(self, request: Request) -> tuple[BodyWarning, ...]:
        """Return the parts of the body that are passed on and will not be followed; `request`: that of the body."""
        if request.action is Action.CANCEL:
            return ()
        no_conference = self.conferencing is not None and self.conferencing.is_new and not request.conference_expected
        is_recurring = bool((self.model_extra or {}).get("recurrence"))
        return (NO_NEW_CONFERENCE,) * no_conference + (FIRST_OCCURRENCE_ONLY,) * is_recurring


class CalendarEventDeletion(_Vendor):
    """The body of `DELETE /v1/calendars/{calendar_id}/events`: https://docs.cronofy.com/developers/api/events/delete-event/."""

    event_id: Key


class Attendee(_Vendor):
    """The attendee in whose name the agent joins."""

    email: Annotated[str, StringConstraints(max_length=320, pattern=EMAIL)]


_MISSING = object()


class AgentRequest(_Vendor):
    """The body of `POST /v1/meeting_agents`: https://docs.cronofy.com/developers/api/meeting-agents/schedule/.

    With `scheduling_key` and `join_time` the agent is scheduled, without them it is sent now.
    """

    join_url: Url = Field(description="The address of the meeting.")
    on_behalf_of_attendee: Attendee | None = None
    scheduling_key: Key | None = Field(default=None, description="Your own id of the meeting.")
    join_time: Time | None = None
    display_name: str | None = None
    image_url: HttpsUrl | None = None
    subscriptions: list[Subscription] = Field(default_factory=list)

    @model_validator(mode="before")
    @classmethod
    def _has_both_or_neither(cls, body: Any) -> Any:
        """Mark the missing one of the two fields, so that it is reported together with all other errors."""
        if not isinstance(body, dict):
            return body
        missing = [name for name in ("scheduling_key", "join_time") if body.get(name) is None]
        return body | {missing[0]: _MISSING} if len(missing) == 1 else body

    @field_validator("scheduling_key", "join_time", mode="before")
    @classmethod
    def _is_not_missing(cls, value: Any) -> Any:
        if value is _MISSING:
            raise _required("a value; both scheduling_key and join_time schedule an agent, neither sends it now")
        return value

    def request(self, data_center: str, body: str, now: datetime) -> Request:
        """Return the request in the lifecycle's terms; without `join_time` the meeting starts at `now`."""
        return Request(
            action=Action.PROVISION,
            data_center=data_center,
            scheduling_key=self.scheduling_key or "",
            meeting=Meeting(start=_time(self.join_time, "Etc/UTC") or now),
            digest=digest(body),
        )


class AgentCancellation(_Vendor):
    """The body of `DELETE /v1/meeting_agents`: https://docs.cronofy.com/developers/api/meeting-agents/schedule/."""

    scheduling_key: Key


class AccountRegistration(BaseModel):
    """The body of `PUT /v1/accounts/{account_id}`, with the refresh token of a user who authorised the application."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    refresh_token: Annotated[
        str, StringConstraints(min_length=1, max_length=2048, pattern=VISIBLE_ASCII), Field(repr=False)
    ]
    data_center: DataCenter = Field(description="The account's data center.")


class Acknowledgement(BaseModel):
    """The body of an acknowledgement, of an agent's incident or of a group's."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    note: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=1000)]
    """The person and the action taken; shown in the timeline."""


CLOCK_TOLERANCE = timedelta(minutes=5)
"""The time after the start at which a meeting counts as begun: clocks differ, and requests take time."""


def _required(expected: str) -> PydanticCustomError:
    """Return the error of a value that is missing for a reason of its own."""
    return PydanticCustomError("required", "{expected}", {"expected": expected})


def digest(body: str) -> str:
    """Return the SHA-256 of the body, which detects repeated requests."""
    return sha256(body.encode()).hexdigest()


def _time(value: str | ZonedTime | None, tzid: str, *, fold: int = 0) -> datetime | None:
    return parse_time(value.model_dump() if isinstance(value, ZonedTime) else value, tzid, fold=fold)


def _times(
    start: str | ZonedTime | None, end: str | ZonedTime | None, tzid: str
) -> tuple[datetime | None, datetime | None]:
    """Return the start and the end in UTC.

    When clocks change, a local time exists twice or not at all: the reading counts in which the end is after the start.
    """
    folds = ((0, 0), (0, 1), (1, 0))
    readings = [(_time(start, tzid, fold=first), _time(end, tzid, fold=second)) for first, second in folds]
    return next(((first, last) for first, last in readings if first and last and first < last), readings[0])
