"""The words: what can happen to an agent, where it can stand, and what is known of it. Pure.

The same word is stored, announced, logged and drawn; each has a line saying what it means in the world.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum

ASSUMED_MEETING_DURATION = timedelta(hours=4)
"""Taken as the length of a meeting whose end nobody told us, unless a deployment says otherwise."""
NEVER = datetime.min.replace(tzinfo=UTC)


class State(StrEnum):
    """Where an agent stands. The word is the same in the table, in announcements, in logs and in the README."""

    REQUESTED = "requested"
    """Asked for through us; Cronofy has not confirmed it."""
    SCHEDULED = "scheduled"
    """Cronofy accepted the request. That does not prove that an agent exists."""
    ACTIVATED = "activated"
    """Cronofy reported the agent active in the meeting."""
    COMPLETE = "complete"
    """Cronofy reported the end, with resources. An end."""
    FAILED = "failed"
    """Cronofy reported that the agent failed. An end."""
    REJECTED = "rejected"
    """Cronofy refused the request, or it could not be delivered in time. An end."""
    CANCELLED = "cancelled"
    """De-provisioned, or its calendar event deleted, through us. An end."""
    OVERDUE = "overdue"
    """Silent past a deadline. Not an end: whatever comes later moves it on."""


class EntryType(StrEnum):
    """What one entry of the journal says."""

    # from the API
    REQUESTED = "requested"
    """Somebody asked; written before Cronofy hears of it."""
    ACCEPTED = "accepted"
    """Cronofy answered 200 or 202."""
    REJECTED = "rejected"
    """Cronofy refused for good, or the last try was used up."""
    UNCONFIRMED = "unconfirmed"
    """Cronofy did not answer, or could not now: the request may or may not have taken effect."""
    CANCELLED = "cancelled"
    """Cronofy accepted the de-provisioning or the deletion."""
    # from Cronofy
    CONFERENCING_FAILING = "conferencing_failing"
    """The conference could not be made; Cronofy tries again."""
    CONFERENCING_ASSIGNED = "conferencing_assigned"
    """The calendar event has a conference to join."""
    ACTIVATED = "activated"
    """The agent is active."""
    FAILED = "failed"
    """The agent failed."""
    COMPLETE = "complete"
    """The agent is done; its resources are listed."""
    UNRECOGNISED = "unrecognised"
    """Signed by Cronofy, and nothing in it that we know."""
    # from the sweep
    OVERDUE = "overdue"
    """A deadline passed in silence."""
    ESCALATED = "escalated"
    """People were told of something grave, and nobody has taken it on."""
    # from alerting
    ALERTED = "alerted"
    """An alert was published; its reason says to how many subscribers."""
    ACKNOWLEDGED = "acknowledged"
    """A person has taken it on."""


class Verdict(StrEnum):
    """What became of one entry. Nothing that was accepted is without one."""

    APPLIED = "applied"
    """It changed what the record says."""
    DUPLICATE = "duplicate"
    """It says what the record said already."""
    STALE = "stale"
    """Later news, or a later attempt, had overtaken it: noted, not obeyed."""
    CONFLICTING = "conflicting"
    """Complete and failed were both reported for one attempt; complete wins, for there are resources."""
    MISMATCHED = "mismatched"
    """It speaks of another calendar event than the agent's: kept, without effect."""
    UNRECOGNISED = "unrecognised"
    """It says nothing that we know: kept, without effect."""


class DeadlineType(StrEnum):
    """What a deadline is for."""

    RETRY = "retry"
    """The request must be sent to Cronofy again."""
    CONFERENCE = "conference"
    """The conference that was asked for must exist shortly before the start."""
    ACTIVATION = "activation"
    """The agent must be active soon after the start."""
    COMPLETION = "completion"
    """The agent must be done soon after the end."""
    RESOURCES = "resources"
    """A complete agent must have the resources that were expected."""
    ESCALATION = "escalation"
    """A person must have taken on what people were told of."""


class IncidentType(StrEnum):
    """Why people are told."""

    FAILED = "failed"
    REJECTED = "rejected"
    NOT_CANCELLED = "not_cancelled"
    """Its cancellation was refused, or not delivered in time: an agent that nobody wants is on its way."""
    NEVER_ACTIVATED = "never_activated"
    NOT_FINISHED = "not_finished"
    RESOURCES_MISSING = "resources_missing"
    NO_CONFERENCE = "no_conference"
    REAUTHORISATION = "reauthorisation"
    """The account must authorise the application again before anything more can be asked for it."""
    CONFLICTING = "conflicting"
    MISMATCHED = "mismatched"
    RECOVERED = "recovered"


class Severity(StrEnum):
    """How soon a person should look."""

    HIGH = "high"
    """A meeting is, or will be, without its agent; or with one that nobody wants."""
    MEDIUM = "medium"
    """Something is missing or odd, or can still be put right."""
    CLEAR = "all-clear"
    """What people were told of is over."""


MAX_REMINDERS = 2
"""How often people are told again of a grave cause that nobody has taken on."""


class Action(StrEnum):
    """What a request asks of Cronofy."""

    PROVISION = "provision"
    CANCEL = "cancel"


class Conference(StrEnum):
    """What is known of the conference that the agent is to join."""

    FAILING = "failing"
    ASSIGNED = "assigned"


class ReasonCode(StrEnum):
    """The causes that an entry, a state or a verdict can have. `wording` has a sentence for each."""

    # requests and the answers to them
    REQUESTED = "requested"
    """Cronofy has not confirmed the request yet."""
    REQUESTED_AGAIN = "requested_again"
    """Cronofy has not confirmed another request of the same attempt yet."""
    REQUESTED_WHILE_ACTIVE = "requested_while_active"
    """Another request came after the agent was reported active."""
    CANCELLATION_REQUESTED = "cancellation_requested"
    """Cronofy has not confirmed the cancellation yet."""
    REQUEST_ACCEPTED = "request_accepted"
    """Values: `status`, Cronofy's."""
    CANCELLATION_ACCEPTED = "cancellation_accepted"
    """Values: `status`."""
    REQUEST_REFUSED = "request_refused"
    """Values: `status`; `complaint`, the fields that Cronofy named."""
    CANCELLATION_REFUSED = "cancellation_refused"
    """Values: `status`, `complaint`."""
    RETRY_PLANNED = "retry_planned"
    """The request is sent again. Values: `failure`, Cronofy's status or the code of an error."""
    RETRY_LEFT_TO_CALLER = "retry_left_to_caller"
    """The request is not sent again. Values: `failure`."""
    REQUEST_EXPIRED = "request_expired"
    """The request could not be delivered in time. Values: `failure`, the last one."""
    CANCELLATION_EXPIRED = "cancellation_expired"
    """The cancellation could not be delivered in time. Values: `failure`."""
    SENT_ONCE = "sent_once"
    """A request that must not be sent twice is being sent."""
    SCHEDULING_KEY_REFUSED = "scheduling_key_refused"
    """Cronofy may have refused the key because an earlier try has it. Values: `status`."""
    ACCOUNT_UNKNOWN = "account_unknown"
    """The request names an account that is not registered. Values: `account`."""
    # notifications
    NOT_REQUESTED_HERE = "not_requested_here"
    """The first thing known of the agent is a notification."""
    REPORTED_ACTIVE = "reported_active"
    REPORTED_COMPLETE = "reported_complete"
    REPORTED_FAILED = "reported_failed"
    """Values: `remarks`, the undocumented fields of the notification."""
    CONFERENCE_ASSIGNED = "conference_assigned"
    CONFERENCE_FAILING = "conference_failing"
    REMARKS = "remarks"
    """A notification has undocumented fields. Values: `remarks`."""
    # deadlines
    CONFERENCE_MISSED = "conference_missed"
    """Values: `at`, the deadline; as in the next three."""
    ACTIVATION_MISSED = "activation_missed"
    COMPLETION_MISSED = "completion_missed"
    RESOURCES_MISSED = "resources_missed"
    UNACKNOWLEDGED = "unacknowledged"
    """Values: `at`, the time of the alert."""
    # people
    ALERT_PUBLISHED = "alert_published"
    """Values: `incident`; `subscribers`, their number, or `unknown`."""
    PROBE_NOT_PUBLISHED = "probe_not_published"
    """Values: `incident`."""
    NOTE = "note"
    """A person wrote it. Values: `note`; `caller`, if the caller is signed in."""
    # verdicts other than `applied`
    ALREADY_KNOWN = "already_known"
    COMPLETE_AND_FAILED = "complete_and_failed"
    OTHER_CALENDAR_EVENT = "other_calendar_event"
    """Values: `event_id`, the notification's; `expected`, the agent's."""
    NOTHING_RECOGNISED = "nothing_recognised"
    """Values: `interactions`, if the notification has any."""
    OTHER_ATTEMPT = "other_attempt"
    """Values: `attempt`, the entry's; `current`."""
    NEWER_REQUEST = "newer_request"
    """Values: `request`, the entry's; `newest`."""
    CONFERENCE_ALREADY_ASSIGNED = "conference_already_assigned"
    REMINDER_NOT_DUE = "reminder_not_due"
    STATE_ALREADY_LEFT = "state_already_left"
    """Values: `state`, the agent's when the entry came."""


@dataclass(frozen=True, slots=True)
class Reason:
    """The cause of an entry, a state or a verdict: a code and its values. `wording.text` makes a sentence of it."""

    code: ReasonCode
    values: tuple[tuple[str, str], ...] = ()

    @classmethod
    def of(cls, code: ReasonCode, **values: object) -> Reason:
        """Make a reason; values that are None or empty are left out."""
        return cls(code, tuple((name, str(value)) for name, value in values.items() if value not in (None, "")))

    def __getitem__(self, name: str) -> str:
        """Return a value; empty if the reason has none of this name."""
        return dict(self.values).get(name, "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Meeting:
    """The meeting an agent is for. Times are aware and in UTC; `tzid` is for showing them to people."""

    start: datetime | None = None
    end: datetime | None = None
    tzid: str = "Etc/UTC"
    summary: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What was asked of Cronofy, as far as the lifecycle cares."""

    action: Action
    data_center: str
    meeting: Meeting
    calendar_id: str = ""
    event_id: str = ""
    scheduling_key: str = ""
    account: str = ""
    digest: str = ""
    """SHA-256 of the caller's body: the same request again is recognised by it."""
    conference_expected: bool = False
    """A new conference was asked for, so that Cronofy is to report it."""


@dataclass(frozen=True, slots=True, order=True)
class Resource:
    """Something an agent left behind: `category`/`type`, and where it is. Cronofy's words."""

    category: str
    type: str
    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Notification:
    """What a callback says, in our words. `kinds` holds the interactions that we know, `interactions` all of them."""

    kinds: tuple[EntryType, ...] = ()
    interactions: tuple[str, ...] = ()
    sub: str = ""
    event_id: str = ""
    meeting: Meeting = field(default_factory=Meeting)
    resources: tuple[Resource, ...] = ()
    remarks: tuple[str, ...] = ()
    """Fields that nobody documented, as `path: value`. A reason for a failure can only be among them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One immutable line of the journal. `key` is unique within its agent and made from what the entry says."""

    key: str
    kind: EntryType
    at: datetime
    attempt: int | None = None
    """Known for our own entries; for a notification only if its address said so."""
    revision: int | None = None
    """Which request of this agent an answer, or a missed deadline, belongs to; counted from 1."""
    request: Request | None = None
    notification: Notification | None = None
    phase: DeadlineType | None = None
    cause: IncidentType | None = None
    """What people were told of, or are to be told of, where the entry itself says so."""
    missing: tuple[str, ...] = ()
    """The resource categories that were missing when their deadline passed."""
    retry_at: datetime | None = None
    """When the sweep is to send the request to Cronofy (again); none: nobody will."""
    sub: str = ""
    """The agent's `sub`, where Cronofy's answer had it."""
    resources: tuple[Resource, ...] = ()
    reason: Reason | None = None
    correlation_id: str = ""
    """The caller's name for the request that led to this entry."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pending:
    """A request whose outcome is open."""

    revision: int
    request: Request
    asked_at: datetime
    tries: int = 0
    retry_at: datetime | None = None
    """When the sweep sends it again; None if only the caller can, or until its first outcome."""
    reason: Reason | None = None
    """The failure of its newest try."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One go at having an agent in the meeting, from a request to an end."""

    number: int
    state: State
    since: datetime
    reason: Reason
    began_at: datetime
    asked_at: datetime
    """When the agent was asked for at this time of the meeting. Changing a title gives silence no more time."""
    request: Request | None = None
    """The newest request that Cronofy accepted; before there is one, the refused one, or what Cronofy told of it."""
    accepted_revision: int = 0
    unanswered: tuple[Pending, ...] = ()
    """The requests whose outcome is open, oldest first: two callers may ask at the same time."""
    subs: tuple[str, ...] = ()
    resources: tuple[Resource, ...] = ()
    failures: tuple[str, ...] = ()
    conference: Conference | None = None
    missed: tuple[DeadlineType, ...] = ()
    """What was not done by its deadline. A request that moves the meeting owes it anew."""
    missing: frozenset[str] = frozenset()
    """The resource categories that people were told are missing."""
    accepted_at: datetime | None = None
    """When Cronofy accepted the request that holds."""
    activated_at: datetime | None = None
    complete_at: datetime | None = None
    failed_at: datetime | None = None
    cancelled_at: datetime | None = None
    overdue_at: datetime | None = None

    @property
    def is_conflicting(self) -> bool:
        return self.complete_at is not None and self.failed_at is not None

    @property
    def asked(self) -> Request | None:
        """What the agent is wanted for now: the newest open request for one, else the request that holds."""
        wanted = [pending.request for pending in self.unanswered if pending.request.action is Action.PROVISION]
        return wanted[-1] if wanted else self.request

    @property
    def pending(self) -> Pending | None:
        """The newest request whose outcome is open."""
        return self.unanswered[-1] if self.unanswered else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """What the journal of one agent adds up to. Derived, never edited; `entries` is its version."""

    attempts: tuple[Attempt, ...] = ()
    entries: int = 0
    revision: int = 0
    updated_at: datetime = NEVER
    was_requested: bool = False
    """False for an agent that we know only because Cronofy spoke of it."""
    identity: Request | None = None
    """The first thing known of it: data center, calendar and calendar event, or scheduling key."""
    event_id: str = ""
    incident: IncidentType | None = None
    """What people are told of, as long as nothing has shown that it is over."""
    alerted_at: datetime | None = None
    """When people were last told of that trouble."""
    escalations: int = 0
    """How often people were to be told of it again."""
    acknowledged_at: datetime | None = None
    """When a person took it on."""
    verdicts: Mapping[str, int] = field(default_factory=dict)

    @property
    def current(self) -> Attempt:
        """The newest attempt. Every record that `fold` returns has one."""
        return self.attempts[-1]

    @property
    def state(self) -> State:
        return self.current.state

    @property
    def has_incident(self) -> bool:
        """Whether somebody should look. A cancelled agent troubles nobody, whatever became of it before."""
        return self.incident is not None and self.state is not State.CANCELLED

    @property
    def meeting(self) -> Meeting:
        known = self.current.asked or self.identity
        return known.meeting if known else Meeting()
