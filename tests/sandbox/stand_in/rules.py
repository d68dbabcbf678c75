"""The rules that the stand-in Cronofy enforces with 422: those documented for request bodies, and no others.

Pure. Each rule yields problems: a field and a description. Of the error keys only
`errors.required` is published; `errors.invalid` and the way nested fields are spelt are the stand-in's own.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, available_timezones

type JsonObject = dict[str, Any]
type Problem = tuple[str, str]

CONFERENCING = {"default", "integrated", "explicit", "none"}
TIME_ZONES = available_timezones()


def errors_in_event(body: JsonObject) -> JsonObject:
    """Check an upsert.

    https://docs.cronofy.com/developers/api/events/upsert-event/ and …/api/meeting-agents/provisioning/.
    """
    return _by_field(
        [
            *_text(body, "event_id", required=True),
            *_text(body, "summary", required=True, max_length=1024),
            *_text(body, "description", max_length=4096),
            *_time_zone(body),
            *_time(body, "start"),
            *_time(body, "end"),
            *_conferencing(body),
            *_meeting_agent(body),
            *_subscriptions(body),
        ]
    )


def errors_in_deletion(body: JsonObject, field: str) -> JsonObject:
    """Check a deletion, which names one thing: an event by `event_id`, an agent by `scheduling_key`."""
    return _by_field(_text(body, field, required=True))


def errors_in_agent(body: JsonObject, *, attendee_required: bool) -> JsonObject:
    """Check a request for an agent without an event.

    https://docs.cronofy.com/developers/api/meeting-agents/schedule/
    """
    return _by_field(
        [
            *_address(body, "join_url", required=True),
            *_text(body, "display_name"),
            *_address(body, "image_url"),
            *(_attendee(body) if attendee_required else ()),
            *_schedule(body),
            *_subscriptions(body),
        ]
    )


def moment_of(transition: object) -> tuple[str, timedelta] | None:
    """Read a transition as a moment of the event and the time after it, negative for before; None if it is none.

    https://docs.cronofy.com/developers/api/event-triggers/
    """
    match transition:
        case {"before": "event_start" | "event_end" as moment, "offset": {"minutes": int(minutes)}}:
            return moment, timedelta(minutes=-minutes)
        case {"after": "event_start" | "event_end" as moment, "offset": {"minutes": int(minutes)}}:
            return moment, timedelta(minutes=minutes)
    return None


def parse_time(value: object, tzid: str = "Etc/UTC") -> datetime | None:
    """Read a time, a date (its midnight) or `{"time", "tzid"}`; None when it is none of these."""
    if isinstance(value, dict):
        timezone = value.get("tzid", tzid)
        return parse_time(value.get("time"), timezone) if isinstance(timezone, str) else None
    if not isinstance(value, str):
        return None
    try:
        timezone = ZoneInfo(tzid) if tzid in TIME_ZONES else UTC
        if len(value) == len("2026-04-29"):
            return datetime.combine(date.fromisoformat(value), time(), timezone)
        parsed = datetime.fromisoformat(value)
    except ValueError:
        return None
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=timezone)


def _by_field(problems: Iterable[Problem]) -> JsonObject:
    errors: JsonObject = {}
    for field, description in problems:
        key = "errors.required" if description == "required" else "errors.invalid"
        errors.setdefault(field, []).append({"key": key, "description": description})
    return errors


def _text(
    body: JsonObject, field: str, *, within: str = "", required: bool = False, max_length: int | None = None
) -> Iterator[Problem]:
    value = body.get(field)
    if value is None or value == "":
        if required:
            yield within + field, "required"
    elif not isinstance(value, str):
        yield within + field, "must be a string"
    elif max_length is not None and len(value) > max_length:
        yield within + field, f"must be at most {max_length} characters"


def _address(body: JsonObject, field: str, *, within: str = "", required: bool = False) -> Iterator[Problem]:
    problems = list(_text(body, field, within=within, required=required))
    yield from problems
    if not problems and body.get(field) and not _is_address(body[field]):
        yield within + field, "must be an HTTP or HTTPS address"


def _is_address(value: str) -> bool:
    try:
        parts = urlsplit(value)
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and bool(parts.netloc)


def _time(body: JsonObject, field: str) -> Iterator[Problem]:
    if body.get(field) is None:
        yield field, "required"
    elif parse_time(body[field]) is None:
        yield field, "must be a time, a date, or an object with time and tzid"


def _time_zone(body: JsonObject) -> Iterator[Problem]:
    problems = list(_text(body, "tzid"))
    yield from problems
    # A machine without a time zone database cannot check this.
    if not problems and body.get("tzid") and TIME_ZONES and body["tzid"] not in TIME_ZONES:
        yield "tzid", "must be a name from the IANA time zone database"


def _conferencing(body: JsonObject) -> Iterator[Problem]:
    conferencing = body.get("conferencing")
    if conferencing is None:
        return
    profile = conferencing.get("profile_id") if isinstance(conferencing, dict) else None
    if not isinstance(profile, str) or not (profile in CONFERENCING or profile.startswith("pro_")):
        yield "conferencing.profile_id", "must be default, integrated, explicit, none or a profile"


def _meeting_agent(body: JsonObject) -> Iterator[Problem]:
    """Omitted is documented ("left untouched"); present, it must say which agent is meant."""
    if "meeting_agent" not in body:
        return
    agent = body["meeting_agent"]
    if not isinstance(agent, dict) or agent.get("profile_id") is None:
        yield "meeting_agent.profile_id", "required"
        return
    if agent["profile_id"] not in ("cronofy", "none"):
        yield "meeting_agent.profile_id", "must be cronofy or none"
    yield from _text(agent, "display_name", within="meeting_agent.")
    yield from _address(agent, "image_url", within="meeting_agent.")


def _attendee(body: JsonObject) -> Iterator[Problem]:
    attendee = body.get("on_behalf_of_attendee")
    named = attendee if isinstance(attendee, dict) else {}
    yield from _text(named, "email", within="on_behalf_of_attendee.", required=True)


def _schedule(body: JsonObject) -> Iterator[Problem]:
    """An agent for later has a key and a time; one for now has neither."""
    if "scheduling_key" in body or "join_time" in body:
        yield from _text(body, "scheduling_key", required=True)
        yield from _time(body, "join_time")


def _subscriptions(body: JsonObject) -> Iterator[Problem]:
    subscriptions = body.get("subscriptions", [])
    if not isinstance(subscriptions, list):
        yield "subscriptions", "must be a list"
        return
    for subscription in subscriptions:
        if not isinstance(subscription, dict):
            yield "subscriptions", "must be a list of objects"
            continue
        if subscription.get("type") != "webhook":
            yield "subscriptions.type", "must be webhook"
        yield from _address(subscription, "uri", within="subscriptions.", required=True)
        interactions = subscription.get("interactions", [])
        if not isinstance(interactions, list) or not all(_is_interaction(each) for each in interactions):
            yield "subscriptions.interactions", "must be a list of objects with a type"
        transitions = subscription.get("transitions", [])
        if not isinstance(transitions, list) or any(moment_of(each) is None for each in transitions):
            yield "subscriptions.transitions", "must be a list of objects with before or after, and an offset"


def _is_interaction(value: object) -> bool:
    return isinstance(value, dict) and isinstance(value.get("type"), str)
