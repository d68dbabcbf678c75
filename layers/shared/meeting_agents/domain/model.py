"""The words of the domain: entries, states, verdicts, incidents. Pure.

The same word is stored, announced, logged and drawn; each has a line saying what it means in the world.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from meeting_agents.domain.reasons import Reason


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
    LABELLED = "labelled"
    """A caller sent the same request again with other labels."""
    ERASED = "erased"
    """The agent's data was erased: this entry takes the place of all others."""
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
    PROFILE_READ = "profile_read"
    """The conferencing profile that is to make the conference was seen disconnected, or no longer is."""
    OVERDUE = "overdue"
    """A deadline passed in silence."""
    RESCUE = "rescue"
    """A second agent would have been sent, or is not sent: the reason says which."""
    ALERT_DUE = "alert_due"
    """An alert became owed by time alone, or was owed and not published."""
    # from alerting
    SILENCED = "silenced"
    """An alert that is owed is held back by a silence or by quiet hours: no message was sent."""
    ALERTED = "alerted"
    """An alert was published; the reason has the number of subscribers."""
    ACKNOWLEDGED = "acknowledged"
    """A person acknowledged the incident."""
    DELIVERED = "delivered"
    """A channel took a change of an incident; it changes nothing else."""
    # from the archive
    ARCHIVED = "archived"
    """A resource was copied into the archive; the reason has its key there."""
    ARCHIVE_FAILED = "archive_failed"
    """A resource could not be copied: Cronofy no longer has it, or all tries failed."""


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
    ARCHIVE = "archive"
    """The resources of a complete agent must be in the archive."""
    ALERT = "alert"
    """An alert that is owed must be published."""
    RESCUE = "rescue"
    """A second agent is to be sent."""


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
    NOT_ARCHIVED = "not_archived"
    """A resource is not in the archive, and may be lost."""
    ACCOUNT_DISCONNECTED = "account_disconnected"
    """The account must authorise the application again before its requests can be sent."""
    CALLBACKS_MISSING = "callbacks_missing"
    """Several agents of a data center are silent, and no callback came from it."""
    CHANNEL_FAILING = "channel_failing"
    """A channel takes nothing any more: those who read it are not told."""
    DRILL = "drill"
    """Nothing is wrong: once a week a person must acknowledge an alert, which shows that alerts are heard."""
    CONFLICTING = "conflicting"
    MISMATCHED = "mismatched"


class AlertStatus(StrEnum):
    """The two things that an alert can say of an incident."""

    FIRING = "firing"
    """The incident is open."""
    RESOLVED = "resolved"
    """The incident is over."""


class ChangeType(StrEnum):
    """The types of changes of an incident, which channels are to know."""

    TRIGGER = "trigger"
    """People were alerted of it: for the first time, again, or by a reminder."""
    ACKNOWLEDGE = "acknowledge"
    """A person has it in hand."""
    RESOLVE = "resolve"
    """It is over."""


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


class ArchiveScope(StrEnum):
    """The resources that are archived, as the parameter `Archive` has it."""

    OFF = "off"
    TRANSCRIPTS = "transcripts"
    ALL = "all"
    """All but the page in Cronofy's dashboard, which is for a browser."""


class RescueMode(StrEnum):
    """The use of second agents, for meetings whose agent failed or was never heard of."""

    OFF = "off"
    REPORT = "report"
    """Nothing is sent; the journal, the alert and the digest say what would have been."""
    ONCE = "once"
    """One second agent is sent."""


class Conference(StrEnum):
    """The states of the conference that the agent is to join."""

    FAILING = "failing"
    ASSIGNED = "assigned"


@dataclass(frozen=True, slots=True, kw_only=True)
class Meeting:
    """The meeting of an agent. Times are aware and in UTC; `tzid` is for showing them to people."""

    summary: str = ""
    start: datetime | None = None
    end: datetime | None = None
    tzid: str = "Etc/UTC"

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Meeting:
        """Return a meeting from its values as they are stored, published and shown: times are text."""
        times = {name: datetime.fromisoformat(values[name]) for name in ("start", "end") if values.get(name)}
        return cls(**{**values, "start": None, "end": None, **times})


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
    conference_profile: str = ""
    """The conferencing profile that is to make it: `default` or a `pro_…` id; empty: none of the account's."""


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
    has_join_link: bool = False
    """It has the link by which people join the meeting. The link itself stays in the bytes, for it lets anyone in."""
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
    """The status of an alert; `severity` and `reminder` are the alert's, too."""
    severity: Severity | None = None
    reminder: int = 0
    until: datetime | None = None
    """The time until which an alert is held back."""
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
    labels: Mapping[str, str] = field(default_factory=dict, hash=False)
    """The labels that came with the request; none: the agent keeps those that it has."""
