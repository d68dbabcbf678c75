"""Our subscriptions, added to the caller's JSON text. Every other character stays as it was. Pure.

Interactions: https://docs.cronofy.com/developers/api/meeting-agents/. Event triggers, which Cronofy also calls
transitions: https://docs.cronofy.com/developers/api/event-triggers/. It is unknown if one subscription can have both.
So each trigger is a subscription of its own, with an address of its own.
"""

import json
import re
from collections.abc import Collection, Iterator
from datetime import timedelta
from typing import Any

from meeting_agents.cronofy.payloads import INTERACTIONS

MINUTES_AFTER_END = 5
"""The offset of the trigger after the end."""


def subscription(address: str) -> dict[str, Any]:
    """Make our subscription: one webhook for every interaction that the lifecycle knows."""
    return {"type": "webhook", "uri": address, "interactions": [{"type": name} for name in INTERACTIONS]}


def event_triggers(address: str, lead_time: timedelta) -> list[dict[str, Any]]:
    """Make our subscriptions to the time before the start, by `lead_time`, and to the time after the end."""
    minutes = max(1, int(lead_time.total_seconds() // 60))
    triggers = {
        "before": {"before": "event_start", "offset": {"minutes": minutes}},
        "after": {"after": "event_end", "offset": {"minutes": MINUTES_AFTER_END}},
    }
    separator = "&" if "?" in address else "?"
    return [
        {"type": "webhook", "uri": f"{address}{separator}trigger={name}", "transitions": [transition]}
        for name, transition in triggers.items()
    ]


def with_subscription(body: str, address: str, base_url: str, lead_time: timedelta | None = None) -> str:
    """Add our subscription to the caller's JSON object, and event triggers if there is a `lead_time`.

    Each of our subscriptions has an address that begins with `base_url`. A caller may send one back to us; it is
    replaced, so that Cronofy gets it once. The list is always sent whole, because Cronofy does not say if it replaces
    or merges lists.
    """
    callers: list[str] = []
    location: tuple[int, int] | None = None
    for name, start, stop in _members(body):
        if name == "subscriptions":
            location = start, stop
            callers = [
                body[begin:end]
                for begin, end in _items(body, start)
                if not str(json.loads(body[begin:end]).get("uri", "")).startswith(base_url)
            ]
    triggers = [] if lead_time is None else event_triggers(address, lead_time)
    ours = [json.dumps(item) for item in (subscription(address), *triggers)]
    subscriptions = "[" + ",".join([*callers, *ours]) + "]"
    if location:
        return body[: location[0]] + subscriptions + body[location[1] :]
    head = body.rstrip()[:-1].rstrip()
    return f'{head}{"" if head.endswith("{") else ","}"subscriptions":{subscriptions}}}'


def for_attempt(body: str, agent_id: str, attempt: int) -> str:
    """Return a text for Cronofy with the addresses of our subscriptions naming an attempt, as from the second on."""

    def named(address: re.Match[str]) -> str:
        number = f"attempt={attempt}" if attempt > 1 else ""
        query = "&".join(filter(None, [number, address["trigger"]]))
        return f'{address["path"]}{"?" if query else ""}{query}"'

    pattern = (
        rf'(?P<path>/webhooks/cronofy/{re.escape(agent_id)})(\?attempt=[0-9]+)?([?&](?P<trigger>trigger=[a-z]+))?"'
    )
    for name, start, stop in _members(body):
        if name == "subscriptions":
            return body[:start] + re.sub(pattern, named, body[start:stop]) + body[stop:]
    return body


def has_event_triggers(body: str) -> bool:
    """Return True if the text for Cronofy has event triggers of ours."""
    return without_event_triggers(body) != body


def is_about_event_triggers(body: str, wrong_fields: Collection[str]) -> bool:
    """Return True if the refusal of a text may be one of our event triggers; `wrong_fields`: those that it names.

    Cronofy does not document how it names them. A refusal that names only other members of the text is about those.
    """
    others = {name for name, _, _ in _members(body)} - {"subscriptions"}
    is_about_others = bool(wrong_fields) and all(_HEAD.split(field)[0] in others for field in wrong_fields)
    return has_event_triggers(body) and not is_about_others


def without_event_triggers(body: str) -> str:
    """Remove our event triggers from a text for Cronofy, in case that it refuses them."""
    if "trigger=" not in body:
        return body
    for name, start, stop in _members(body):
        if name == "subscriptions":
            items = [body[begin:end] for begin, end in _items(body, start)]
            kept = [item for item in items if not _TRIGGER.search(str(json.loads(item).get("uri", "")))]
            if len(kept) < len(items):
                return f"{body[:start]}[{','.join(kept)}]{body[stop:]}"
    return body


_TRIGGER = re.compile(r"/webhooks/cronofy/[^/?]+[?&](attempt=[0-9]+&)?trigger=(before|after)$")
_HEAD = re.compile(r"[.\[]")
"""Separates the name of a member from that of a field in it, as in `subscriptions[1].transitions`."""
_decoder = json.JSONDecoder()
_SPACE = " \t\n\r"


def _members(body: str) -> Iterator[tuple[str, int, int]]:
    """Yield the members of a well-formed JSON object: the name, and the start and end of the value."""
    at = _skip(body, body.index("{") + 1)
    while body[at] != "}":
        name, at = _decoder.raw_decode(body, at)
        start = _skip(body, _skip(body, at) + 1)
        _, stop = _decoder.raw_decode(body, start)
        yield name, start, stop
        at = _skip(body, stop)
        at = _skip(body, at + 1) if body[at] == "," else at


def _items(body: str, at: int) -> Iterator[tuple[int, int]]:
    """Yield the start and end of each item of a well-formed JSON array."""
    at = _skip(body, at + 1)
    while body[at] != "]":
        _, stop = _decoder.raw_decode(body, at)
        yield at, stop
        at = _skip(body, stop)
        at = _skip(body, at + 1) if body[at] == "," else at


def _skip(body: str, at: int) -> int:
    while body[at] in _SPACE:
        at += 1
    return at
