"""Formatting of times, titles and text from outside for people. Pure."""

import re
import unicodedata
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

from meeting_agents.announcement import MeetingView

MAX_LISTED, MAX_TEXT_LENGTH = 10, 1024
"""The values of a list, and the characters of a text from outside, in the JSON of an alert."""
_LINK = re.compile(r"\b[a-z][a-z0-9+.-]*://\S+|\b(?:[\w-]+\.)+[a-z]{2,}/\S+", re.IGNORECASE)


def sanitize(text: str, length: int = 1000) -> str:
    """Return one line without control or direction characters, so that text from outside cannot forge lines.

    Addresses are removed: one of them may be the link to join the meeting.
    """
    visible = "".join(" " if unicodedata.category(character)[0] in "CZ" else character for character in text)
    return truncate(" ".join(_LINK.sub("(link)", visible).split()), length)


def title_of(summary: str, event_id: str, agent_id: str) -> str:
    """Return the title of a meeting in quotes, or the best name that its agent has."""
    if title := sanitize(summary, 120):
        return f'"{title}"'
    return f"event {sanitize(event_id, 120)}" if event_id else agent_id


def without_links(value: Any) -> Any:
    """Return a JSON value without addresses and with long texts and lists shortened."""
    if isinstance(value, dict):
        return {name: without_links(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [without_links(inner) for inner in value[:MAX_LISTED]]
    return truncate(_LINK.sub("(link)", value), MAX_TEXT_LENGTH) if isinstance(value, str) else value


def truncate(text: str, length: int) -> str:
    """Shorten a text to `length` characters, with dots at the end if some are missing."""
    return text if len(text) <= length else text[: max(0, length - 3)] + "..."


def ascii_only(text: str) -> str:
    """Replace accented letters by plain ones, and other characters by question marks."""
    bare = (character for character in unicodedata.normalize("NFKD", text) if not unicodedata.combining(character))
    return "".join(character if " " <= character <= "~" else "?" for character in bare)


def timezone(tzid: str) -> tzinfo:
    """Return the time zone of this name; UTC if it is unknown, as a notification can have any."""
    try:
        return UTC if tzid in ("", "Etc/UTC", "UTC") else ZoneInfo(tzid)
    except (KeyError, ValueError, OSError):
        return UTC


def format_time(at: datetime, zone: tzinfo, form: str = "%a %d %b %Y, %H:%M") -> str:
    """`Wed 29 Apr 2026, 17:31 CEST`."""
    local = at.astimezone(zone)
    return f"{local:{form}} {_zone_name(local)}"


def format_time_with_utc(at: datetime, zone: tzinfo) -> str:
    """`Wed 29 Apr 2026, 17:31 CEST (15:31 UTC)`; the date twice only if it differs."""
    if zone is UTC:
        return format_time(at, UTC)
    is_same_day = at.astimezone(zone).date() == at.astimezone(UTC).date()
    return f"{format_time(at, zone)} ({format_time(at, UTC, '%H:%M' if is_same_day else '%a %d %b %Y, %H:%M')})"


def format_meeting(meeting: MeetingView) -> str:
    """`Wed 29 Apr 2026, 17:30 - 19:00 CEST (15:30 - 17:00 UTC)`."""
    if meeting.start is None:
        return "at an unknown time"
    zone = timezone(meeting.tzid)
    local = _span(meeting.start, meeting.end, zone)
    if zone is UTC:
        return local
    universal = _span(meeting.start, meeting.end, UTC)
    date = f"{meeting.start.astimezone(zone):%a %d %b %Y}, "
    return f"{local} ({universal.removeprefix(date)})"


def relative_to_meeting(at: datetime, meeting: MeetingView) -> str:
    """`, 3 minutes after the meeting began`; empty if its time is unknown."""
    if meeting.start is None:
        return ""
    if at < meeting.start:
        return f", {format_duration(meeting.start - at)} before the meeting begins"
    if meeting.end and at >= meeting.end:
        return f", {format_duration(at - meeting.end)} after the meeting ended"
    since = at - meeting.start
    return (
        f", {format_duration(since)} after the meeting began"
        if since >= timedelta(seconds=1)
        else ", as the meeting began"
    )


def format_duration(time: timedelta) -> str:
    """`40 seconds`, `3 minutes`, `26 hours`, `2 days`."""
    seconds = int(time.total_seconds())
    for size, name in ((86_400, "day"), (3_600, "hour"), (60, "minute")):
        if seconds >= 2 * size or (size == 60 and seconds >= size):
            return f"{seconds // size} {name}{'' if seconds < 2 * size else 's'}"
    return f"{seconds} second{'' if seconds == 1 else 's'}"


def table(rows: Sequence[tuple[str, str]]) -> str:
    """Return a line for each row that has a value."""
    return "\n".join(f"{name:<12} {value}" for name, value in rows if value)


def _span(start: datetime, end: datetime | None, zone: tzinfo) -> str:
    start = start.astimezone(zone)
    text = f"{start:%a %d %b %Y, %H:%M}"
    if end:
        end = end.astimezone(zone)
        text += f" - {end:%H:%M}" if end.date() == start.date() else f" - {end:%a %d %b %Y, %H:%M}"
    return f"{text} {_zone_name(start)}"


def _zone_name(local: datetime) -> str:
    """`CEST`; for a zone without an abbreviation, the difference to UTC."""
    name = local.tzname() or ""
    return name if name.isalpha() else f"UTC{name.removeprefix('UTC')}"
