"""Cronofy's words and their translation into ours: data centers, interactions, times, callbacks.

Reading is tolerant on purpose: a callback that says nothing known is stored and counted, never rejected.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, time
from typing import Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from meeting_agents.cronofy.meeting_end import BELIEVED_YEARS
from meeting_agents.domain.model import EntryType, Meeting, Notification, Reading, Resource

DataCenter = Literal["us", "au", "ca", "de", "sg", "uk"]
"""The places in which Cronofy keeps an account or an application."""
HOSTS: Mapping[str, str] = {
    "us": "api.cronofy.com",
    "au": "api-au.cronofy.com",
    "ca": "api-ca.cronofy.com",
    "de": "api-de.cronofy.com",
    "sg": "api-sg.cronofy.com",
    "uk": "api-uk.cronofy.com",
}
"""API host by data center: https://docs.cronofy.com/developers/data-centers/. Nothing is shared between them."""

INTERACTIONS: Mapping[str, EntryType] = {
    "meeting_agent_activated": EntryType.ACTIVATED,
    "meeting_agent_complete": EntryType.COMPLETE,
    "meeting_agent_failed": EntryType.FAILED,
    "conferencing_assigned": EntryType.CONFERENCING_ASSIGNED,
    "conferencing_failing": EntryType.CONFERENCING_FAILING,
}
"""The entry type of each interaction: https://docs.cronofy.com/developers/api/meeting-agents/."""

EVENT_TRIGGERS: Mapping[str, EntryType] = {"before": EntryType.BEFORE_START, "after": EntryType.AFTER_END}
"""The entry type of each event trigger, by the name in its address. Its body names no interaction."""

_DOCUMENTED_FIELDS = {
    "": {"notification", "event", "meeting_agent"},
    "notification": {"type", "interactions"},
    "meeting_agent": {"sub", "state", "resources"},
}
_MAX_REMARK_LENGTH = 300
_LINK = re.compile(r"[A-Za-z][A-Za-z0-9+.-]{0,30}://[^\s\"'<>]+")
"""A link in an undocumented field may be a join link, and an alert quotes these fields."""
_MAX_LINK_LENGTH = 2048
_NEXT_PAGE = re.compile(r"https?://[^/?#]+(?:/[^/?#]+)?(/v1/events/[!-~]{1,500})")
MAX_REMARKS = 20
"""The most undocumented fields, and the most interactions, that are read from a notification."""
_MAX_LENGTH = 1024
"""The most characters of a title or an id, as in the requests of our API."""


def parse_time(value: object, tzid: str = "Etc/UTC", *, fold: int = 0) -> datetime | None:
    """Read Cronofy's time (`2026-04-29T15:30:00Z`, a date, or `{"time", "tzid"}`) as an aware UTC time, or None.

    A date, and a time without an offset, is local time in `tzid`. `fold`: 1 takes a local time that exists twice as the
    second, and one that does not exist as an hour earlier.
    """
    if isinstance(value, Mapping):
        tzid = _text(value.get("tzid")) or tzid
        value = value.get("time")
    if not isinstance(value, str):
        return None
    try:
        parsed = datetime.fromisoformat(value) if "T" in value else datetime.combine(date.fromisoformat(value), time())
        if parsed.tzinfo is None:
            parsed = parsed.replace(tzinfo=ZoneInfo(tzid), fold=fold)
        return parsed.astimezone(UTC) if parsed.year in BELIEVED_YEARS else None
    except (ValueError, OverflowError, ZoneInfoNotFoundError, OSError):
        return None


def read_notification(raw: bytes, trigger: str = "") -> Notification:
    """Read a callback. Bytes of any kind are accepted; what cannot be read is an empty notification.

    `trigger` is the event trigger in its address: it counts if the body has no known interaction.
    """
    try:
        body = _mapping(json.loads(raw))
    except (ValueError, RecursionError):
        return Notification()
    notification, event, agent = (_mapping(body.get(name)) for name in ("notification", "event", "meeting_agent"))
    interactions = [_mapping(interaction) for interaction in _list(notification.get("interactions"))]
    names = tuple(_text(interaction.get("type")) for interaction in interactions)
    kinds = {INTERACTIONS[name] for name in names if name in INTERACTIONS}
    if not kinds and trigger in EVENT_TRIGGERS:
        kinds = {EVENT_TRIGGERS[trigger]}
    tzid = _text(event.get("tzid")) or "Etc/UTC"
    return Notification(
        kinds=tuple(kind for kind in EntryType if kind in kinds),
        interactions=tuple(name[:_MAX_REMARK_LENGTH] for name in names[:MAX_REMARKS]),
        sub=_text(agent.get("sub"))[:_MAX_LENGTH],
        event_id=_text(event.get("event_id"))[:_MAX_LENGTH],
        meeting=Meeting(
            start=parse_time(event.get("start"), tzid),
            end=parse_time(event.get("end"), tzid),
            tzid=tzid if _is_timezone(tzid) else "Etc/UTC",
            summary=_text(event.get("summary"))[:_MAX_LENGTH],
        ),
        resources=tuple(read_resources(agent)),
        has_join_link=bool(_join_link(event)),
        remarks=tuple(_remarks(body, notification, agent, interactions)),
    )


def join_link_of(raw: bytes) -> str:
    """Return the link by which people join the meeting of a callback; empty if the callback has none.

    https://docs.cronofy.com/developers/api/meeting-agents/. The link lets anyone in: it belongs into no log or message.
    """
    try:
        return _join_link(_mapping(_mapping(json.loads(raw)).get("event")))
    except (ValueError, RecursionError):
        return ""


def _join_link(event: Mapping[str, Any]) -> str:
    link = _text(_mapping(event.get("conferencing")).get("join_url"))
    return link if len(link) <= _MAX_LINK_LENGTH and _LINK.fullmatch(link) and link.startswith("http") else ""


def write_notification(kind: EntryType, event_id: str, summary: str) -> bytes:
    """Write a callback as Cronofy writes it, with the fewest fields that it can have."""
    name = next(name for name, interaction in INTERACTIONS.items() if interaction is kind)
    body = {
        "notification": {"interactions": [{"type": name}]},
        "event": {"event_id": event_id, "summary": summary},
        "meeting_agent": {"resources": []},
    }
    return json.dumps(body).encode()


def read_resources(agent: Mapping[str, Any]) -> Iterator[Resource]:
    """Read the resources that Cronofy's `meeting_agent` object lists."""
    for resource in map(_mapping, _list(agent.get("resources"))):
        if url := _text(resource.get("url")):
            yield Resource(_text(resource.get("category")), _text(resource.get("type")), url)


def read_calendar(pages: Iterable[object], calendar_id: str, tzids: Mapping[str, str]) -> dict[str, Reading]:
    """Read what the pages of a calendar show of these calendar events, by `event_id`.

    https://docs.cronofy.com/developers/api/events/read-events/. `tzids`: the time zones of all-day meetings. A meeting
    that is shown several times, such as a recurring one, or without a time, is left out: its time is not known.
    """
    shown: dict[str, list[Mapping[str, Any]]] = {}
    for item in (_mapping(item) for page in pages for item in _list(_mapping(page).get("events"))):
        name = item.get("event_id")
        if isinstance(name, str) and name in tzids and item.get("calendar_id") in (None, calendar_id):
            shown.setdefault(name, []).append(item)
    readings = {name: _reading(items, tzids[name]) for name, items in shown.items()}
    return {name: reading for name, reading in readings.items() if reading}


def _reading(items: Sequence[Mapping[str, Any]], tzid: str) -> Reading | None:
    existing = [item for item in items if item.get("deleted") is not True]
    if len(existing) > 1 or any(item.get("recurring") is True for item in items):
        return None
    if not existing:
        return Reading(is_deleted=True)
    (item,) = existing
    start, end = parse_time(item.get("start"), tzid), parse_time(item.get("end"), tzid)
    if start is None:
        return None
    return Reading(meeting=Meeting(start=start, end=end, summary=_text(item.get("summary"))[:_MAX_LENGTH]))


def next_page(page: object) -> str:
    """Return the path of the page after one of a calendar; empty if there is none, or it is not one of Cronofy's API.

    Only the path is followed, so that the token goes to no other host.
    """
    address = _text(_mapping(_mapping(page).get("pages")).get("next_page"))
    found = _NEXT_PAGE.fullmatch(address)
    return found[1] if found else ""


def _remarks(
    body: Mapping[str, Any],
    notification: Mapping[str, Any],
    agent: Mapping[str, Any],
    interactions: list[Mapping[str, Any]],
) -> Iterator[str]:
    """List the first undocumented fields. Only they can hold a reason for a failure."""
    objects = [("", body), ("notification", notification), ("meeting_agent", agent)]
    fields = [
        (f"{path}.{name}".lstrip("."), values[name])
        for path, values in objects
        for name in sorted(values.keys() - _DOCUMENTED_FIELDS[path])
    ] + [
        (f"interaction.{name}", interaction[name])
        for interaction in interactions
        for name in sorted(interaction.keys() - {"type"})
    ]
    for path, value in fields[:MAX_REMARKS]:
        yield _remark(path, value)
    if len(fields) > MAX_REMARKS:
        yield f"… and {len(fields) - MAX_REMARKS:,} more fields"


def _remark(path: str, value: object) -> str:
    try:
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    except RecursionError:
        text = "…"
    shortened = f"{path}: {text}"[: 2 * _MAX_REMARK_LENGTH]
    return _text(_LINK.sub("[link removed]", shortened))[:_MAX_REMARK_LENGTH]


def _is_timezone(tzid: str) -> bool:
    try:
        ZoneInfo(tzid)
    except (ValueError, ZoneInfoNotFoundError, OSError):
        return False
    return True


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _text(value: object) -> str:
    """Return a text unchanged but for lone surrogates, which become question marks; anything else is empty.

    JSON can hold a lone surrogate. Neither DynamoDB nor SNS can.
    """
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else ""
