"""How what we know becomes lines that a person reads: times, titles, text from outside. Pure."""

import unicodedata
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo

from meeting_agents.announcement import MeetingView


def sanitize(text: str, length: int = 1000) -> str:
    """One line without control or direction characters: what comes from outside must not forge lines of ours."""
    visible = "".join(" " if unicodedata.category(character)[0] in "CZ" else character for character in text)
    return truncate(" ".join(visible.split()), length)


def truncate(text: str, length: int) -> str:
    """At most so many characters, and dots where some are missing."""
    return text if len(text) <= length else text[: max(0, length - 3)] + "..."


def ascii_only(text: str) -> str:
    """The nearest ASCII: letters without their accents, anything else as a question mark."""
    bare = (character for character in unicodedata.normalize("NFKD", text) if not unicodedata.combining(character))
    return "".join(character if " " <= character <= "~" else "?" for character in bare)


def timezone(tzid: str) -> tzinfo:
    """The time zone of this name; UTC where we know none: a notification may have any."""
    try:
        return UTC if tzid in ("", "Etc/UTC", "UTC") else ZoneInfo(tzid)
    except (KeyError, ValueError, OSError):
        return UTC


def format_time(at: datetime, there: tzinfo, form: str = "%a %d %b %Y, %H:%M") -> str:
    """`Wed 29 Apr 2026, 17:31 CEST`."""
    local = at.astimezone(there)
    return f"{local:{form}} {_zone_name(local)}"


def format_time_with_utc(at: datetime, there: tzinfo) -> str:
    """`Wed 29 Apr 2026, 17:31 CEST (15:31 UTC)`; the date twice only where it differs."""
    if there is UTC:
        return format_time(at, UTC)
    is_same_day = at.astimezone(there).date() == at.astimezone(UTC).date()
    return f"{format_time(at, there)} ({format_time(at, UTC, '%H:%M' if is_same_day else '%a %d %b %Y, %H:%M')})"


def format_meeting(meeting: MeetingView) -> str:
    """`Wed 29 Apr 2026, 17:30 - 19:00 CEST (15:30 - 17:00 UTC)`."""
    if meeting.start is None:
        return "at an unknown time"
    there = timezone(meeting.tzid)
    local = _span(meeting.start, meeting.end, there)
    if there is UTC:
        return local
    universal = _span(meeting.start, meeting.end, UTC)
    date = f"{meeting.start.astimezone(there):%a %d %b %Y}, "
    return f"{local} ({universal.removeprefix(date)})"


def relative_to_meeting(at: datetime, meeting: MeetingView) -> str:
    """`, 3 minutes after the meeting began`; nothing where its time is not known."""
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
    """A line for each row that has a value."""
    return "\n".join(f"{name:<12} {value}" for name, value in rows if value)


def _span(start: datetime, end: datetime | None, there: tzinfo) -> str:
    start = start.astimezone(there)
    text = f"{start:%a %d %b %Y, %H:%M}"
    if end:
        end = end.astimezone(there)
        text += f" - {end:%H:%M}" if end.date() == start.date() else f" - {end:%a %d %b %Y, %H:%M}"
    return f"{text} {_zone_name(start)}"


def _zone_name(local: datetime) -> str:
    """`CEST`; of a zone that has no such abbreviation, the difference to UTC."""
    name = local.tzname() or ""
    return name if name.isalpha() else f"UTC{name}"
