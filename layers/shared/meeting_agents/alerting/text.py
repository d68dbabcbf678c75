"""Formatting of times, titles and text from outside for people. Pure."""

import re
import unicodedata
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

from meeting_agents.domain.labels import Labels
from meeting_agents.domain.model import Meeting

MAX_LISTED, MAX_TEXT_LENGTH = 10, 1024
"""The values of a list, and the characters of a text from outside, in the JSON of an alert."""
MIN_TITLE_LENGTH = 12
"""The characters of a title without which it says nothing."""
_MOMENT = timedelta(seconds=1)
"""Less is no number of seconds."""
_ADDRESS = (
    r"(?:\b[a-z][a-z0-9+.-]{0,30}://|(?<![:\w])//(?=\w)|\b(?:mailto|tel|sms|javascript|data):|\bwww\."
    r"|\b(?:[\w-]{1,63}\.){1,9}[^\W\d_]{2,24}(?::\d{1,5})?[/?#]|\b(?:\d{1,3}\.){3}\d{1,3}(?::\d{1,5})?/)"
)
"""The beginning of an address: a scheme, or a host with a path. Each part is bounded, so that no text is slow."""
_LINK = re.compile(
    rf"\[(?P<label>[^][]{{0,200}})\]\(\s*{_ADDRESS}[^()]{{0,2000}}\)"
    rf"|<\s*{_ADDRESS}[^<>|]{{0,2000}}(?:\|(?P<name>[^<>|]{{0,200}}))?>"
    rf"|{_ADDRESS}\S+",
    re.IGNORECASE,
)
"""An address; as Markdown, as Slack writes it, or bare."""
_MARKUP = str.maketrans("<>[]|`", "()()/'")
"""The characters without which a chat knows no link with a label, no image, no mention of a channel and no code."""
_BREAK = "\u200b"
"""Without width: a chat does not make a link of a host, or a mention of a name, that has it inside."""
_DEFUSED = re.compile(r"(?<=\w)\.(?=\w)|@(?=\w)|&(?=#?\w+;)|:(?=//)")
_PLAIN = str.maketrans(
    {
        **dict(zip("ØøŁłĐđıÐð‘’‚“”„«»‐‑‒–—−·", 'OoLlDdiDd\'\'\'"""""------.', strict=True)),  # noqa: RUF001 - as typed
        "ß": "ss",
        "Æ": "AE",
        "æ": "ae",
        "Œ": "OE",
        "œ": "oe",
        "Þ": "Th",
        "þ": "th",
        "€": "EUR",
    }
)
"""The letters and signs that Unicode does not take apart, as people write them in ASCII."""


def sanitize(text: str, length: int = 1000) -> str:
    """Return one line without control or direction characters, so that text from outside cannot forge lines.

    Addresses are removed: one of them may be the link to join the meeting, or lead anywhere.
    """
    visible = "".join(" " if unicodedata.category(character)[0] in "CZ" else character for character in text)
    return truncate(" ".join(_without_addresses(visible).split()), length)


def for_chat(text: str) -> str:
    """Return text from outside so that no chat makes a link, a mention or an image of it."""
    return _DEFUSED.sub(lambda found: found[0] + _BREAK, text.translate(_MARKUP))


def title_of(summary: str, agent_id: str, *, event_id: str = "", scheduling_key: str = "") -> str:
    """Return the title of a meeting in quotes, or the best name that its agent has."""
    if title := sanitize(summary, 120):
        return f'"{title}"'
    if event_id:
        return f"event {sanitize(event_id, 120)}"
    return f"scheduling key {sanitize(scheduling_key, 120)}" if scheduling_key else agent_id


def ascii_title_of(summary: str, agent_id: str, *, event_id: str = "", scheduling_key: str = "") -> str:
    """Return the title in ASCII. One that is not in Latin letters is replaced by the best other name of the agent."""
    title = title_of(
        ascii_only(sanitize(summary)).strip() if _is_latin(summary) else "",
        agent_id,
        event_id=event_id if event_id.isascii() else "",
        scheduling_key=scheduling_key if scheduling_key.isascii() else "",
    )
    return ascii_only(title)


def format_labels(labels: Labels) -> str:
    """`team: sales, region: emea`; empty without labels."""
    return ", ".join(f"{name}: {sanitize(value)}" for name, value in sorted(labels.items()))


def without_links(value: Any) -> Any:
    """Return a JSON value without addresses and with long texts and lists shortened."""
    if isinstance(value, dict):
        return {name: without_links(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [without_links(inner) for inner in value[:MAX_LISTED]]
    return truncate(_without_addresses(value), MAX_TEXT_LENGTH) if isinstance(value, str) else value


def truncate(text: str, length: int) -> str:
    """Shorten a text to `length` characters, with dots at the end if some are missing. Quotes around it stay."""
    if len(text) <= length:
        return text
    end = '..."' if text[:1] == text[-1:] == '"' else "..."
    return text[: max(0, length - len(end))] + end


def ascii_only(text: str) -> str:
    """Replace accented letters by plain ones, other letters by question marks; other characters are left out."""
    bare = unicodedata.normalize("NFKD", text.translate(_PLAIN))
    return "".join(
        character if " " <= character <= "~" else "?" if character.isalnum() else ""
        for character in bare
        if not unicodedata.combining(character)
    )


def _is_latin(text: str) -> bool:
    """Return True if ASCII can say at least two thirds of a text's letters."""
    written = ascii_only(sanitize(text, 120))
    letters = sum(character.isalnum() for character in written)
    return bool(written.strip()) and 2 * written.count("?") <= letters


def _without_addresses(text: str) -> str:
    def shown(found: re.Match[str]) -> str:
        label = found["label"] or found["name"] or ""
        return f"{_without_addresses(label)} (link)".lstrip()

    return _LINK.sub(shown, text)


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


def format_meeting(meeting: Meeting) -> str:
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


def relative_to_meeting(at: datetime, meeting: Meeting) -> str:
    """`, 3 minutes after the meeting began`; empty if its time is unknown."""
    if meeting.start is None:
        return ""
    if at < meeting.start:
        return f", {_distance(meeting.start - at, 'just')} before the meeting begins"
    if meeting.end and at >= meeting.end:
        return f", {_distance(at - meeting.end, 'right')} after the meeting ended"
    since = at - meeting.start
    return f", {format_duration(since)} after the meeting began" if since >= _MOMENT else ", as the meeting began"


def time_left(at: datetime, meeting: Meeting) -> str:
    """` The meeting begins in 15 minutes.`, ` The meeting ends in …`; empty after it, or if its time is unknown."""
    if meeting.start and at < meeting.start:
        return f" The meeting begins in {format_duration(max(_MOMENT, meeting.start - at))}."
    if meeting.start and meeting.end and at < meeting.end:
        return f" The meeting ends in {format_duration(max(_MOMENT, meeting.end - at))}."
    return ""


def _distance(time: timedelta, moment: str) -> str:
    return format_duration(time) if time >= _MOMENT else moment


def format_size(size: int) -> str:
    """`284 bytes`, `4.1 KB`, `1.6 GB`."""
    if size < 1000:
        return f"{size} bytes"
    power = min(4, (len(str(size)) - 1) // 3)
    return f"{size / 1000**power:.1f} {'KMGT'[power - 1]}B"


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
