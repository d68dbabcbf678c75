"""The words of the domain: entries, states, verdicts, incidents, and the record of an agent. Pure.

The same word is stored, announced, logged and drawn; each has a line saying what it means in the world.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from meeting_agents.domain.reasons import REAUTHORISATION_REQUIRED, Reason

ASSUMED_MEETING_DURATION = timedelta(hours=4)
"""The length of a meeting whose end is unknown, unless a deployment sets another."""
NEVER = datetime.min.replace(tzinfo=UTC)


class State(StrEnum):
    """The states of an agent."""

    REQUESTED = "requested"
    """Requested through us; Cronofy has not confirmed it."""
    SCHEDULED = "scheduled"
    """Cronofy accepted the request. That does not prove that an agent exists."""
    ACTIVATED = "activated"
    """Cronofy reported the agent active: it prepares to join the meeting."""
    COMPLETE = "complete"
    """Cronofy reported the end, with resources. Terminal."""
    FAILED = "failed"
    """Cronofy reported that the agent failed. Terminal."""
    REJECTED = "rejected"
    """Cronofy refused the request, or it could not be delivered in time. Terminal."""
    CANCELLED = "cancelled"
    """De-provisioned, or its calendar event deleted, through us. Terminal."""
    OVERDUE = "overdue"
    """Silent past a deadline. Not terminal: a later notification moves it on."""


class EntryType(StrEnum):
    """The types of journal entries."""

    # from the API
    REQUESTED = "requested"
    """A caller requested or cancelled an agent; written before the request is sent to Cronofy."""
    ACCEPTED = "accepted"
    """Cronofy answered 200 or 202."""
    REJECTED = "rejected"
    """Cronofy refused the request, or the last try was used up."""
    UNCONFIRMED = "unconfirmed"
    """Cronofy did not answer, or answered that it cannot now: the request may have taken effect."""
    CANCELLED = "cancelled"
    """Cronofy accepted the de-provisioning or the deletion."""
    # from Cronofy
    CONFERENCING_FAILING = "conferencing_failing"
    """Cronofy could not make the conference, and tries again."""
    CONFERENCING_ASSIGNED = "conferencing_assigned"
    """The calendar event has a conference to join."""
    ACTIVATED = "activated"
    """The agent is active."""
    FAILED = "failed"
    """The agent failed."""
    COMPLETE = "complete"
    """The agent is done; its resources are listed."""
    BEFORE_START = "before_start"
    """An event trigger: the meeting is about to start. Like every notification it has the meeting's current times."""
    AFTER_END = "after_end"
    """An event trigger: the meeting has ended."""
    UNRECOGNISED = "unrecognised"
    """A signed notification without a known interaction."""
    # from the sweep
    CALENDAR_READ = "calendar_read"
    """The calendar showed the meeting at another time, or deleted."""
    OVERDUE = "overdue"
    """A deadline passed in silence."""
    ALERT_DUE = "alert_due"
    """An alert became owed by time alone, or was owed and not published."""
    # from alerting
    ALERTED = "alerted"
    """An alert was published; the reason has the number of subscribers."""
    ACKNOWLEDGED = "acknowledged"
    """A person acknowledged the incident."""


class Verdict(StrEnum):
    """The effect of one entry. Every entry has exactly one."""

    APPLIED = "applied"
    """It changed what the record says."""
    DUPLICATE = "duplicate"
    """The record says so already."""
    STALE = "stale"
    """A later entry or a later attempt came first: kept, not applied."""
    CONFLICTING = "conflicting"
    """Complete and failed were both reported for one attempt; complete wins, as it has the resources."""
    MISMATCHED = "mismatched"
    """It names another calendar event than the agent's: kept, without effect."""
    UNRECOGNISED = "unrecognised"
    """It has no known interaction: kept, without effect."""


class DeadlineType(StrEnum):
    """The types of deadlines."""

    RETRY = "retry"
    """The request must be sent to Cronofy again."""
    CONFERENCE = "conference"
    """The requested conference must exist shortly before the start."""
    ACTIVATION = "activation"
    """The agent must be active soon after the start."""
    COMPLETION = "completion"
    """The agent must be done soon after the end."""
    RESOURCES = "resources"
    """A complete agent must have the expected resources."""
    ALERT = "alert"
    """An alert that is owed must be published."""


class IncidentType(StrEnum):
    """The types of incidents; each is a row of the table in `incidents`."""

    UNWANTED = "unwanted"
    """The agent may join, or is active, although it was cancelled."""
    NOT_ARRANGED = "not_arranged"
    """Cronofy has not accepted the newest request, and the meeting is near."""
    REJECTED = "rejected"
    FAILED = "failed"
    NEVER_ACTIVATED = "never_activated"
    NO_CONFERENCE = "no_conference"
    NOT_FINISHED = "not_finished"
    RESOURCES_MISSING = "resources_missing"
    ACCOUNT_DISCONNECTED = "account_disconnected"
    """The account must authorise the application again before its requests can be sent."""
    CALLBACKS_MISSING = "callbacks_missing"
    """Several agents of a data center are silent, and no callback came from it."""
    CONFLICTING = "conflicting"
    MISMATCHED = "mismatched"


class AlertStatus(StrEnum):
    """The two things that an alert can say of an incident."""

    FIRING = "firing"
    """The incident is open."""
    RESOLVED = "resolved"
    """The incident is over."""


class Severity(StrEnum):
    """The urgency of an incident."""

    CRITICAL = "critical"
    """A meeting is, or will be, without its agent; or with one against the caller's will."""
    WARNING = "warning"
    """Something is missing or odd, or there is time to correct it."""
    INFO = "info"
    """Nothing to do: the daily digest."""


class Action(StrEnum):
    """The actions of a request."""

    PROVISION = "provision"
    CANCEL = "cancel"


class Conference(StrEnum):
    """The states of the conference that the agent is to join."""

    FAILING = "failing"
    ASSIGNED = "assigned"


@dataclass(frozen=True, slots=True, kw_only=True)
class Meeting:
    """The meeting of an agent. Times are aware and in UTC; `tzid` is for showing them to people."""

    start: datetime | None = None
    end: datetime | None = None
    tzid: str = "Etc/UTC"
    summary: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A request to Cronofy, as far as the lifecycle needs it."""

    action: Action
    data_center: str
    meeting: Meeting
    calendar_id: str = ""
    event_id: str = ""
    scheduling_key: str = ""
    account: str = ""
    digest: str = ""
    """SHA-256 of the caller's body; detects repeated requests."""
    conference_expected: bool = False
    """The request is for a new conference, which Cronofy is to report."""


@dataclass(frozen=True, slots=True, order=True)
class Resource:
    """A resource that an agent left: `category` and `type` in Cronofy's words, and its address."""

    category: str
    type: str
    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Notification:
    """A notification in our words. `kinds` holds the known interactions, `interactions` all of them."""

    kinds: tuple[EntryType, ...] = ()
    interactions: tuple[str, ...] = ()
    sub: str = ""
    event_id: str = ""
    meeting: Meeting = field(default_factory=Meeting)
    resources: tuple[Resource, ...] = ()
    remarks: tuple[str, ...] = ()
    """Undocumented fields as `path: value`. A reason for a failure can only be among them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """A calendar event as its calendar showed it."""

    meeting: Meeting = field(default_factory=Meeting)
    is_deleted: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One immutable line of the journal. `key` is unique within its agent and made from the content."""

    key: str
    kind: EntryType
    at: datetime
    attempt: int | None = None
    """Set for our own entries; for a notification only if its address has it."""
    revision: int | None = None
    """The number of the request, from 1, to which an answer or a missed deadline belongs."""
    request: Request | None = None
    notification: Notification | None = None
    reading: Reading | None = None
    phase: DeadlineType | None = None
    cause: IncidentType | None = None
    """The incident that the entry itself names."""
    status: AlertStatus | None = None
    """The status of a published alert; `severity` and `reminder` are the alert's, too."""
    severity: Severity | None = None
    reminder: int = 0
    missing: tuple[str, ...] = ()
    """The resource categories that were missing when their deadline passed."""
    retry_at: datetime | None = None
    """The time at which the sweep sends the request again; None: it does not."""
    sub: str = ""
    """The agent's `sub`, if Cronofy's answer has it."""
    resources: tuple[Resource, ...] = ()
    reason: Reason | None = None
    correlation_id: str = ""
    """The caller's id of the request that led to this entry."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """The newest request, refused or not delivered in time, while an earlier one still stands."""

    revision: int
    action: Action
    meeting: Meeting
    at: datetime
    reason: Reason
    tries: int
    """Earlier tries; 0: the caller got the refusal as the response."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LastAlert:
    """The last alert about one incident, as the journal has it."""

    status: AlertStatus
    severity: Severity
    at: datetime
    count: int
    """The number of alerts about the incident so far."""
    reminders: int = 0
    is_included: bool = False
    """It was no message of its own: the alert about a group of agents says it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pending:
    """A request without an outcome yet."""

    revision: int
    request: Request
    requested_at: datetime
    tries: int = 0
    retry_at: datetime | None = None
    """When the sweep sends it again; None if only the caller can, or until its first outcome."""
    reason: Reason | None = None
    """The failure of its newest try."""

    @property
    def waits_for_account(self) -> bool:
        """Its account must authorise the application again before it can be sent."""
        return self.reason is not None and self.reason["failure"] == REAUTHORISATION_REQUIRED


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One try to have an agent in the meeting, from a request to a terminal state."""

    number: int
    state: State
    since: datetime
    reason: Reason
    began_at: datetime
    requested_at: datetime
    """The time of the request for this time of the meeting. A new title gives silence no more time."""
    rescheduled_at: datetime | None = None
    """The last change of the start or the end of its meeting; None: none."""
    is_requested: bool = True
    """A request began it; otherwise the meeting moved after an agent was heard of."""
    request: Request | None = None
    """The newest accepted request; before there is one, the refused one, or what a notification says."""
    reported: Meeting | None = None
    """The meeting as Cronofy reported it after the newest request; None: as requested."""
    reported_at: datetime | None = None
    replaced: tuple[Meeting, ...] = ()
    """The meeting before each request that changed its times. A notification with one of these is older than that."""
    before_start_at: datetime | None = None
    """The time of the event trigger which said that the meeting is about to start."""
    after_end_at: datetime | None = None
    """The time of an event trigger after the end that is known now."""
    accepted_revision: int = 0
    unanswered: tuple[Pending, ...] = ()
    """The requests without an outcome, oldest first: two callers may send one at the same time."""
    subs: tuple[str, ...] = ()
    resources: tuple[Resource, ...] = ()
    failures: tuple[str, ...] = ()
    refusal: Refusal | None = None
    conference: Conference | None = None
    conference_at: datetime | None = None
    """The time of the first report on the conference."""
    missed: tuple[DeadlineType, ...] = ()
    """The deadlines missed. A request that moves the meeting sets them anew."""
    missing: frozenset[str] = frozenset()
    """The resource categories that were missing at their deadline."""
    accepted_at: datetime | None = None
    """The time at which Cronofy accepted `request`."""
    activated_at: datetime | None = None
    complete_at: datetime | None = None
    failed_at: datetime | None = None
    cancelled_at: datetime | None = None
    deleted_at: datetime | None = None
    """When the calendar showed the meeting as deleted."""
    unwanted_at: datetime | None = None
    """When the agent reported itself active although its cancellation had been accepted."""
    overdue_at: datetime | None = None

    @property
    def is_conflicting(self) -> bool:
        return self.complete_at is not None and self.failed_at is not None

    @property
    def is_heard_of(self) -> bool:
        """Cronofy has reported on the agent of this attempt."""
        return self.activated_at is not None or self.ended_at is not None

    @property
    def ended_at(self) -> datetime | None:
        """The time at which Cronofy reported the end of the agent."""
        return self.complete_at or self.failed_at

    @property
    def is_unwanted(self) -> bool:
        """The agent is active although its cancellation was accepted."""
        return self.state is State.CANCELLED and self.unwanted_at is not None

    @property
    def latest_request(self) -> Request | None:
        """The newest open request for the agent, else the accepted one, with the meeting's current times."""
        request = self._newest_provision.request if self._newest_provision else self.request
        return request if not request or request.meeting == self.meeting else replace(request, meeting=self.meeting)

    @property
    def meeting(self) -> Meeting:
        """The meeting according to the newest word: a request, or Cronofy's report after it."""
        pending = self._newest_provision
        if self.reported and self.reported_at and not (pending and pending.requested_at > self.reported_at):
            return self.reported
        request = pending.request if pending else self.request
        return request.meeting if request else Meeting()

    @property
    def _newest_provision(self) -> Pending | None:
        requests = [pending for pending in self.unanswered if pending.request.action is Action.PROVISION]
        return requests[-1] if requests else None

    @property
    def pending(self) -> Pending | None:
        """The newest request without an outcome."""
        return self.unanswered[-1] if self.unanswered else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """The fold of one agent's journal. Derived, never edited; `entries` is its version."""

    attempts: tuple[Attempt, ...] = ()
    entries: int = 0
    revision: int = 0
    updated_at: datetime = NEVER
    was_requested: bool = False
    """False for an agent that is known from a notification only."""
    identity: Request | None = None
    """The first request: data center, calendar and calendar event, or scheduling key."""
    event_id: str = ""
    alerts: Mapping[str, LastAlert] = field(default_factory=dict)
    """The last alert about each incident, by `incident_key`."""
    alerts_due: int = 0
    """The `alert_due` entries since the last alert."""
    notices: Mapping[str, tuple[datetime, Reason | None]] = field(default_factory=dict)
    """The time and the reason of each notice, by `incident_key`."""
    acknowledged_at: datetime | None = None
    """The time at which a person last acknowledged the open incidents."""
    verdicts: Mapping[str, int] = field(default_factory=dict)

    @property
    def current(self) -> Attempt:
        """The newest attempt. Every record that `fold` returns has one."""
        return self.attempts[-1]

    @property
    def state(self) -> State:
        return self.current.state

    @property
    def meeting(self) -> Meeting:
        if self.current.latest_request or self.current.reported or not self.identity:
            return self.current.meeting
        return self.identity.meeting


def incident_key(attempt: int, type_: IncidentType) -> str:
    """Return the key of an incident within its agent. With the agent's id it is the `dedup_key` of its alerts."""
    return f"{attempt}/{type_}"
