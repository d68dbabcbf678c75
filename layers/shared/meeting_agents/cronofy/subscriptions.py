"""Our subscription, added to the caller's JSON text. Every other character stays as it was. Pure."""

import json
from collections.abc import Iterator
from typing import Any

from meeting_agents.cronofy.payloads import INTERACTIONS


def subscription(address: str) -> dict[str, Any]:
    """Make our subscription: one webhook for every interaction that the lifecycle knows."""
    return {"type": "webhook", "uri": address, "interactions": [{"type": name} for name in INTERACTIONS]}


def with_subscription(body: str, address: str, base_url: str) -> str:
    """Add our subscription to the caller's JSON object.

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
    subscriptions = "[" + ",".join([*callers, json.dumps(subscription(address))]) + "]"
    if location:
        return body[: location[0]] + subscriptions + body[location[1] :]
    head = body.rstrip()[:-1].rstrip()
    return f'{head}{"" if head.endswith("{") else ","}"subscriptions":{subscriptions}}}'


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
