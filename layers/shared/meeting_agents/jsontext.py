"""JSON as others wrote it: read strictly, sent on with our subscription and every other character as it was. Pure."""

import base64
import json
from collections.abc import Iterator
from typing import Any

from meeting_agents.errors import Field, InvalidRequest, TooLarge
from meeting_agents.vendor import INTERACTIONS

DEEPEST = 32
"""Levels of nesting in a request; Cronofy's documentation shows six."""
LARGEST = 256 * 1024
"""Bytes of a request; the largest that its documented limits allow has some tens of thousands."""


def strict_json(body: str) -> dict[str, Any]:
    """A request's JSON object. Raises `InvalidRequest` for what two readers may read differently, or what only hurts.

    That is: no JSON object, a name twice in one object, `NaN`, a lone surrogate, too deep, too large.
    """
    if len(body.encode("utf-8", "surrogatepass")) > LARGEST:
        raise TooLarge(f"a request has at most {LARGEST} bytes")
    try:
        value = json.loads(body, object_pairs_hook=_distinct, parse_constant=_no_constant)
        json.dumps(value, ensure_ascii=False).encode()
        depth = _depth(value)
    except (ValueError, RecursionError) as error:
        raise InvalidRequest("the body must be a JSON object", Field("body", _said(error))) from None
    if not isinstance(value, dict):
        raise InvalidRequest("the body must be a JSON object", Field("body", "a JSON object"))
    if depth > DEEPEST:
        raise InvalidRequest("the body is nested too deeply", Field("body", f"at most {DEEPEST} levels"))
    return value


def _said(error: Exception) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"JSON; {error.msg} at line {error.lineno} column {error.colno}"
    if isinstance(error, UnicodeError):
        return "text that can be written as UTF-8"
    return str(error) if isinstance(error, ValueError) else f"at most {DEEPEST} levels"


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name, value in pairs:
        if name in values:
            raise ValueError(f"each name once in an object, and {name[:64]!r} stands there twice")
        values[name] = value
    return values


def _no_constant(name: str) -> None:
    raise ValueError(f"JSON, which has no {name}")


def _depth(value: object) -> int:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return 1 + max(map(_depth, inner), default=0) if isinstance(value, dict | list) else 0


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


def readable(raw: bytes | None) -> Any:
    """Bytes as their JSON; as `{"base64": "…"}` if they are none that everybody can read."""
    if raw is None:
        return None
    try:
        value: Any = json.loads(raw)
        json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
        if _depth(value) <= DEEPEST:
            return value
    except (ValueError, RecursionError):
        pass
    return {"base64": base64.b64encode(raw).decode()}
