"""The words for what the journal has only as codes and values. Pure.

An entry keeps facts; this file, beside the runbook of the alerts, has the sentences that people read.
"""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from meeting_agents.domain.model import IncidentType, State
from meeting_agents.domain.reasons import Reason, ReasonCode
from meeting_agents.domain.rescue import Obstacle

REASONS: Mapping[ReasonCode, str] = {
    ReasonCode.REQUESTED: "requested; Cronofy has not confirmed it yet",
    ReasonCode.REQUESTED_AGAIN: "requested again; Cronofy has not confirmed it yet",
    ReasonCode.REQUESTED_WHILE_ACTIVE: "requested again after it was reported active",
    ReasonCode.CANCELLATION_REQUESTED: "cancellation requested; Cronofy has not confirmed it yet",
    ReasonCode.REQUEST_ACCEPTED: "Cronofy accepted the request[ ({status})][ after it refused our {without}]",
    ReasonCode.CANCELLATION_ACCEPTED: "Cronofy accepted the cancellation[ ({status})]",
    ReasonCode.REQUEST_REFUSED: "Cronofy refused the request[ ({status})][: {complaint}]",
    ReasonCode.CANCELLATION_REFUSED: "Cronofy refused the cancellation[ ({status})][: {complaint}]",
    ReasonCode.RETRY_PLANNED: "{failure}; the request is sent again",
    ReasonCode.RETRY_LEFT_TO_CALLER: "{failure}; only the caller can send the request again",
    ReasonCode.REQUEST_EXPIRED: "the request could not be delivered in time[; the last time, {failure}]",
    ReasonCode.CANCELLATION_EXPIRED: "the cancellation could not be delivered in time[; the last time, {failure}]",
    ReasonCode.SENT_ONCE: "the request is sent once; it may have taken effect and is not sent again",
    ReasonCode.SCHEDULING_KEY_REFUSED: "Cronofy refused the scheduling_key ({status}) after an earlier try that may"
    " have arrived; it is unknown whether Cronofy has the request",
    ReasonCode.ACCOUNT_UNKNOWN: "account {account} is not registered",
    ReasonCode.NOT_REQUESTED_HERE: "Cronofy sent a notification about an agent that was not requested here",
    ReasonCode.REPORTED_ACTIVE: "Cronofy reported the agent active",
    ReasonCode.REPORTED_COMPLETE: "Cronofy reported the agent complete",
    ReasonCode.REPORTED_FAILED: "Cronofy reported the agent failed[: {remarks}]",
    ReasonCode.CONFERENCE_ASSIGNED: "Cronofy assigned a conference",
    ReasonCode.CONFERENCE_FAILING: "Cronofy could not make the conference yet, and tries again",
    ReasonCode.MEETING_MOVED: "the meeting was moved to {start}",
    ReasonCode.DELETED_IN_CALENDAR: "the meeting was deleted in the calendar",
    ReasonCode.PROFILE_DISCONNECTED: "the account's conferencing profile ({profile}) is disconnected, and the meeting"
    " has no conference",
    ReasonCode.PROFILE_CONNECTED: "the account's conferencing profile[ ({profile})] is no longer disconnected",
    ReasonCode.REMARKS: "{remarks}",
    ReasonCode.CONFERENCE_MISSED: "no conference was reported[ by {at}]",
    ReasonCode.ACTIVATION_MISSED: "the agent did not report itself active[ by {at}]",
    ReasonCode.COMPLETION_MISSED: "the agent did not report its end[ by {at}]",
    ReasonCode.RESOURCES_MISSED: "the agent is complete, but the expected resources were not reported[ by {at}]",
    ReasonCode.ARCHIVE_MISSED: "not all resources were in the archive[ by {at}]",
    ReasonCode.ARCHIVED: "{category} is in the archive: {key}, {size} bytes",
    ReasonCode.RESOURCE_EXPIRED: "Cronofy no longer has the {category}[ ({status})]",
    ReasonCode.ARCHIVE_GIVEN_UP: "the {category} could not be copied into the archive: {failure}",
    ReasonCode.ALERT_OWED: "an alert is owed: {incidents}",
    ReasonCode.ALERT_PUBLISHED: "alert published to {subscribers}: {incident} {status}",
    ReasonCode.ALERT_SILENCED: "held back until {until} by {silence}: {incident} {status}",
    ReasonCode.ALERT_INCLUDED: "included in the alert about {group}: {incident} {status}",
    ReasonCode.GROUP_RESOLVED: "the alert about {group} is resolved; {incident} is decided for this agent alone",
    ReasonCode.PROBE_NOT_PUBLISHED: "alert of a probe, not published: {incident} {status}",
    ReasonCode.DELIVERED: "channel {channel} took it: {incident} {action}",
    ReasonCode.ERASED: "the data of the agent was erased: {entries} entries[, by {caller}]",
    ReasonCode.NOTE: "{note}[ ({caller})]",
    ReasonCode.RESCUE: "a second agent, because the first {cause}",
    ReasonCode.RESCUE_DUE: "one is sent at {at}, unless the first is heard of",
    ReasonCode.RESCUE_REPORTED: "one would be sent[ at {at}]; this deployment only reports it",
    ReasonCode.RESCUE_WITHHELD: "none is sent: {obstacle}",
    ReasonCode.RESCUE_STAYS: "a second agent was sent, and Cronofy documents no way to call it off",
    ReasonCode.RESCUE_SENT: "sent at {at}; it is {outcome}",
    ReasonCode.ALREADY_KNOWN: "the record says so already",
    ReasonCode.COMPLETE_AND_FAILED: "both complete and failed were reported; complete counts, as it has the resources",
    ReasonCode.OTHER_CALENDAR_EVENT: "it is about the calendar event {event_id}; this agent is for {expected}",
    ReasonCode.NOTHING_RECOGNISED: "it has no known interaction[: {interactions}]",
    ReasonCode.OTHER_ATTEMPT: "it is about attempt {attempt}; the current one is attempt {current}",
    ReasonCode.NEWER_REQUEST: "it is about request {request}; request {newest} is newer",
    ReasonCode.CONFERENCE_ALREADY_ASSIGNED: "a conference was assigned before",
    ReasonCode.STATE_ALREADY_LEFT: "the agent was already {state}",
}
"""A sentence for each reason. A part in brackets is left out where the reason lacks its value."""

STATES: Mapping[State, str] = {
    State.REQUESTED: "requested, not confirmed by Cronofy",
    State.SCHEDULED: "on its way",
    State.ACTIVATED: "preparing to join",
    State.COMPLETE: "complete",
    State.FAILED: "failed",
    State.REJECTED: "refused",
    State.CANCELLED: "cancelled",
    State.OVERDUE: "silent past a deadline",
}
"""Each follows `The agent is`, or stands alone."""

FAILURES: Mapping[str, str] = {
    "archive_unavailable": "the bucket of the archive did not answer",
    "archive_rejected": "the bucket of the archive refused the request",
    "cronofy_timed_out": "Cronofy did not answer in time",
    "cronofy_unreachable": "Cronofy could not be reached",
    "missing_secret": "the secret of the Cronofy application is missing",
    "missing_token": "the request carries no access token",
    "rate_limited": "Cronofy's limits were used up",
    "queue_unavailable": "a queue did not answer",
    "reauthorisation_required": "Cronofy no longer accepts the account's refresh token",
    "untrusted_resource_url": "the resource is not at one of Cronofy's addresses",
    "store_unavailable": "a table or a key of the deployment did not answer",
}
"""The words for an error's code where a request was not answered, or a copy failed."""

COPIES: Mapping[str, str] = {
    "download_changed": "the file changed while it was copied",
    "download_empty": "the file was empty",
    "download_interrupted": "the download broke off",
    "download_length": "the download had another length than was announced",
    "download_refused": "the address that Cronofy gave was refused",
    "download_slow": "the download was too slow",
    "download_unavailable": "the host of the address could not serve it",
    "key_taken": "another file has the key",
    "upload_gone": "the copy was ended by another one",
}
"""The words for the code of a copy into the archive that failed for another reason."""

GROUPS: Mapping[str, str] = {
    IncidentType.ACCOUNT_DISCONNECTED: "account",
    IncidentType.CALLBACKS_MISSING: "data center",
    IncidentType.CHANNEL_FAILING: "channel",
    IncidentType.DRILL: "drill",
}
"""The common noun of a group, by the type of its incident."""


CAUSES: Mapping[str, str] = {IncidentType.FAILED: "failed", IncidentType.NEVER_ACTIVATED: "was never heard of"}
"""The words for what causes a second agent."""

OBSTACLES: Mapping[str, str] = {
    Obstacle.NOT_REQUESTED: "the agent was not requested here",
    Obstacle.CALLERS_TOKEN: "the agent was requested with a token of its caller's own",
    Obstacle.NOT_ACCEPTED: "Cronofy has not accepted the first request",
    Obstacle.NOT_WANTED: "the agent was cancelled",
    Obstacle.STILL_OPEN: "another request is not settled",
    Obstacle.MAY_BE_THERE: "another agent may still come, or be in the meeting",
    Obstacle.INCURABLE: "it would be kept out as the first was",
    Obstacle.NO_CONFERENCE: "Cronofy has not given the link of a conference",
    Obstacle.NO_END: "the end of the meeting is not known",
    Obstacle.SECOND_BEFORE: "there was one for this meeting before",
    Obstacle.TOO_LATE: "too little is left of the meeting",
    Obstacle.BUDGET_SPENT: "the account's budget for this hour is spent",
    Obstacle.NO_ATTENDEE: "Cronofy has not said in whose name it may join",
    Obstacle.ACCOUNT_DISCONNECTED: "the account must authorise the application again",
    Obstacle.NOTHING_HEARD: "no callback came from the data center since the meeting began",
    Obstacle.FIRST_HEARD_OF: "the first was heard of, or its caller sent another request",
}
"""The words for the obstacles to a second agent."""


def in_utc(at: datetime) -> str:
    """`2026-04-29 15:31:00 UTC`."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def of(reason: Reason | None, format_time: Callable[[datetime], str] = in_utc) -> str:
    """Return the sentence of a reason; empty if there is none."""
    return text(reason.code, dict(reason.values), format_time) if reason else ""


def text(code: str, values: Mapping[str, str], format_time: Callable[[datetime], str] = in_utc) -> str:
    """Return the sentence for a code and its values; the bare code if this version does not know it."""
    if code not in REASONS:
        return code
    shown = {name: _shown(name, value, format_time) for name, value in values.items()}
    parts = re.findall(r"\[([^]]*)\]|([^[]+)", REASONS[ReasonCode(code)])
    return "".join(_filled(optional or required, shown, is_optional=bool(optional)) for optional, required in parts)


def group(key: str) -> str:
    """Return the words for a group of agents: `account acc_1`, `data center de`."""
    type_, _, name = key.partition("/")
    return f"{GROUPS.get(type_, type_)} {name}"


def _filled(template: str, values: Mapping[str, str], *, is_optional: bool) -> str:
    names = re.findall(r"{(\w+)}", template)
    if is_optional and not values.keys() >= {*names}:
        return ""
    return template.format_map(dict.fromkeys(names, "unknown") | dict(values))


def _shown(name: str, value: str, format_time: Callable[[datetime], str]) -> str:
    match name:
        case "at" | "start" | "until":
            return format_time(datetime.fromisoformat(value))
        case "cause":
            return CAUSES.get(value, value)
        case "obstacle":
            return OBSTACLES.get(value, value)
        case "outcome":
            return STATES.get(State(value), value)
        case "failure":
            return (
                FAILURES.get(value) or COPIES.get(value) or (f"Cronofy answered {value}" if value.isdigit() else value)
            )
        case "group":
            return group(value)
        case "subscribers" if value == "unknown":
            return "an unknown number of subscribers"
        case "subscribers":
            return f"{value} subscriber{'' if value == '1' else 's'}"
    return value
