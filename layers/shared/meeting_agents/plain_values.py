"""The values of dataclasses as JSON has them. Pure."""

from dataclasses import fields, is_dataclass
from datetime import datetime
from functools import cache
from typing import Any

_ALREADY_PLAIN = frozenset({str, int, float, bool, dict, type(None)})


def plain(value: Any) -> Any:
    """Return a value with its dataclasses as objects, its tuples as lists, and its times as text in UTC."""
    if value.__class__ in _ALREADY_PLAIN:
        return value
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, tuple):
        return [plain(item) for item in value]
    names = field_names(value.__class__)
    return {name: plain(getattr(value, name)) for name in names} if names else value


@cache
def field_names(type_: type) -> tuple[str, ...]:
    """Return the names of a dataclass's fields; of any other type none."""
    return tuple(field.name for field in fields(type_)) if is_dataclass(type_) else ()
