"""Our subscription in the caller's text, every other character as it was. Pure."""

import json
from collections.abc import Iterator
from typing import Any

from meeting_agents.cronofy.payloads import INTERACTIONS


def subscription(address: str) -> dict[str, Any]:
    """Ours: one webhook for everything that the lifecycle understands."""
    return {"type": "webhook", "uri": address, "interactions": [{"type": name} for name in INTERACTIONS]}


def with_subscription(body: str, address: str, ours: str) -> str:
    """The caller's JSON object with our subscription added, every other character as it was.

    `ours`: how the address of any of our subscriptions begins. One that a caller sends back to us is replaced, so that
    it is there once. The whole list is sent each time, for Cronofy does not say whether it replaces or merges.
    """
    kept: list[str] = []
    place: tuple[int, int] | None = None
    for name, start, stop in _members(body):
        if name == "subscriptions":
            place = start, stop
            kept = [
                body[a:b]
                for a, b in _items(body, start)
                if not str(json.loads(body[a:b]).get("uri", "")).startswith(ours)
            ]
    subscriptions = "[" + ",".join([*kept, json.dumps(subscription(address))]) + "]"
    if place:
        return body[: place[0]] + subscriptions + body[place[1] :]
    head = body.rstrip()[:-1].rstrip()
    return f'{head}{"" if head.endswith("{") else ","}"subscriptions":{subscriptions}}}'


_decoder = json.JSONDecoder()
_SPACE = " \t\n\r"


def _members(body: str) -> Iterator[tuple[str, int, int]]:
    """The members of a JSON object that is known to be well-formed: name, and where its value begins and ends."""
    at = _skip(body, body.index("{") + 1)
    while body[at] != "}":
        name, at = _decoder.raw_decode(body, at)
        start = _skip(body, _skip(body, at) + 1)
        _, stop = _decoder.raw_decode(body, start)
        yield name, start, stop
        at = _skip(body, stop)
        at = _skip(body, at + 1) if body[at] == "," else at


def _items(body: str, at: int) -> Iterator[tuple[int, int]]:
    """Where the items of a JSON array that is known to be well-formed begin and end."""
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
