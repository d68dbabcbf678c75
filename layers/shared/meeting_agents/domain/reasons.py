"""The reason of an entry or a state: a code and its values, which `wording` puts into words. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

REAUTHORISATION_REQUIRED = "reauthorisation_required"
"""The failure of a request whose account must authorise the application again."""
TIMED_OUT = "cronofy_timed_out"
"""The failure of a request that Cronofy did not answer in time, and may have taken."""


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
    """Values: `status`, Cronofy's; `without`, the part of ours that Cronofy refused first."""
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
    MEETING_MOVED = "meeting_moved"
    """The meeting has another time, and the agent of the old one was heard of. Values: `start`, the new one."""
    DELETED_IN_CALENDAR = "deleted_in_calendar"
    """A person deleted the calendar event, and the calendar showed that when it was read."""
    PROFILE_DISCONNECTED = "profile_disconnected"
    """Values: `profile`, the conferencing profile that the request names; as in the next one."""
    PROFILE_CONNECTED = "profile_connected"
    REMARKS = "remarks"
    """A notification has undocumented fields. Values: `remarks`."""
    # deadlines
    CONFERENCE_MISSED = "conference_missed"
    """Values: `at`, the deadline; as in the next four."""
    ACTIVATION_MISSED = "activation_missed"
    COMPLETION_MISSED = "completion_missed"
    RESOURCES_MISSED = "resources_missed"
    ARCHIVE_MISSED = "archive_missed"
    ALERT_OWED = "alert_owed"
    """Values: `incidents`, their types."""
    # the archive
    ARCHIVED = "archived"
    """Values: `category`, `type`, `bucket`, `key`, `size` in bytes, `sha256`; as the file is in the archive."""
    RESOURCE_EXPIRED = "resource_expired"
    """Cronofy no longer has it. Values: `category`, `type`; `status`, Cronofy's."""
    ARCHIVE_GIVEN_UP = "archive_given_up"
    """All tries failed. Values: `category`, `type`; `failure`, the last one."""
    # people
    ALERT_PUBLISHED = "alert_published"
    """Values: `incident`, `status`; `subscribers`, their number or `unknown`."""
    ALERT_SILENCED = "alert_silenced"
    """Values: `incident`, `status`; `silence`, its name or `quiet hours`; `until`."""
    ALERT_INCLUDED = "alert_included"
    """The alert about a group of agents says it. Values: `incident`, `status`; `group`, its key."""
    GROUP_RESOLVED = "group_resolved"
    """The alert about the group is resolved, the agent's incident may not be. Values: `incident`, `group`."""
    PROBE_NOT_PUBLISHED = "probe_not_published"
    """Values: `incident`, `status`."""
    DELIVERED = "delivered"
    """Values: `channel`, its name; `action`; `incident`; `number`, of the alerts so far; `message`, the channel's id
    for what it took."""
    ERASED = "erased"
    """Values: `entries`, their number; `caller`, if the caller is signed in; `state`, the agent's last one."""
    NOTE = "note"
    """A person wrote it. Values: `note`; `caller`, if the caller is signed in."""
    # a second agent
    RESCUE = "rescue"
    """A second agent is sent. Values: `cause`, the incident of the first; as in the next three."""
    RESCUE_DUE = "rescue_due"
    """Values: `at`, the time from which a second agent is sent, unless the first is heard of."""
    RESCUE_REPORTED = "rescue_reported"
    """A second agent would have been sent, but the deployment only reports that."""
    RESCUE_WITHHELD = "rescue_withheld"
    """No second agent is sent. Values: `obstacle`."""
    RESCUE_STAYS = "rescue_stays"
    """A second agent cannot be called off."""
    RESCUE_SENT = "rescue_sent"
    """Values: `at`, when the second agent was requested; `state`, that of its attempt."""
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
    STATE_ALREADY_LEFT = "state_already_left"
    """Values: `state`, the agent's when the entry came."""


_REFUSALS = frozenset({ReasonCode.REQUEST_REFUSED, ReasonCode.CANCELLATION_REFUSED, ReasonCode.ACCOUNT_UNKNOWN})


@dataclass(frozen=True, slots=True)
class Reason:
    """The cause of an entry, a state or a verdict: a code and its values. `wording.text` makes a sentence of it."""

    code: ReasonCode
    values: tuple[tuple[str, str], ...] = ()

    @classmethod
    def of(cls, code: ReasonCode, **values: object) -> Reason:
        """Make a reason; values that are None or empty are left out."""
        return cls(code, tuple((name, str(value)) for name, value in values.items() if value not in (None, "")))

    @property
    def leaves_no_agent(self) -> bool:
        """True for the failure of a try that certainly had no effect: Cronofy refused it, or it was not sent."""
        failure = self["failure"]
        if failure.isdigit():
            return failure.startswith("4")
        return self.code in _REFUSALS or failure not in ("", TIMED_OUT)

    def __getitem__(self, name: str) -> str:
        """Return a value; empty if the reason has none of this name."""
        return dict(self.values).get(name, "")
