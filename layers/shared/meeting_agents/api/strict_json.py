"""Strict parsing of a request's JSON. Pure."""

import json
from typing import Any

from meeting_agents.cronofy.json_text import MAX_DEPTH, depth
from meeting_agents.errors import FieldError, InvalidRequest, TooLarge

MAX_BODY_BYTES = 256 * 1024
"""Bytes of a request's body; one at its documented limits has some tens of thousands."""


def strict_json(body: str) -> dict[str, Any]:
    """Return a request's JSON object.

    Raises `TooLarge`, and `InvalidRequest` for text that two parsers may read differently or that only does harm: no
    JSON object, a name twice in one object, `NaN`, a lone surrogate, more than 32 levels.
    """
    if len(body.encode("utf-8", "surrogatepass")) > MAX_BODY_BYTES:
        raise TooLarge(f"a request has at most {MAX_BODY_BYTES} bytes")
    try:
        value = json.loads(body, object_pairs_hook=_unique_names, parse_constant=_refuse_constant)
        json.dumps(value, ensure_ascii=False).encode()
        levels = depth(value)
    except (ValueError, RecursionError) as error:
        raise InvalidRequest("the body must be a JSON object", FieldError("body", _expected(error))) from None
    if not isinstance(value, dict):
        raise InvalidRequest("the body must be a JSON object", FieldError("body", "a JSON object"))
    if levels > MAX_DEPTH:
        raise InvalidRequest("the body is nested too deeply", FieldError("body", f"at most {MAX_DEPTH} levels"))
    return value


def _expected(error: Exception) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"JSON; it breaks off, or goes wrong, at line {error.lineno} column {error.colno}"
    if isinstance(error, UnicodeError):
        return "text that can be encoded as UTF-8"
    return str(error) if isinstance(error, ValueError) else f"at most {MAX_DEPTH} levels"


def _unique_names(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name, value in pairs:
        if name in values:
            raise ValueError(f"each name once in an object; {name[:64]!r} occurs twice")
        values[name] = value
    return values


def _refuse_constant(name: str) -> None:
    raise ValueError(f"JSON, which has no {name}")
