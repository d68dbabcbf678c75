"""JSON from outside, made readable by every JSON parser. Pure."""

import base64
import json
from typing import Any

MAX_DEPTH = 32
"""Levels of nesting. Cronofy's documentation shows six."""


def readable(raw: bytes | None) -> Any:
    """Read bytes as JSON; return `{"base64": "…"}` if another parser might reject them."""
    if raw is None:
        return None
    try:
        value: Any = json.loads(raw)
        json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
        if depth(value) <= MAX_DEPTH:
            return value
    except (ValueError, RecursionError):
        pass
    return {"base64": base64.b64encode(raw).decode()}


def depth(value: object) -> int:
    """Count the levels of nesting."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return 1 + max(map(depth, inner), default=0) if isinstance(value, dict | list) else 0
