"""The wrong fields of a request in words, in the shape of Cronofy's own `errors`. Pure.

`{"start": [{"key": "errors.required", "description": "a value; it is required"}]}`. Cronofy documents the shape and the
key `errors.required`: https://docs.cronofy.com/developers/api/errors/. The key of all else is ours.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from meeting_agents.api.patterns import WORDS
from meeting_agents.errors import FieldError

REQUIRED, INVALID = "errors.required", "errors.invalid"
EXPECTED = {
    "missing": "a value; it is required",
    "string_type": "text",
    "string_too_short": "{min_length} or more characters",
    "string_too_long": "at most {max_length} characters",
    "literal_error": "{expected}",
    "enum": "{expected}",
    "bool_parsing": "true or false",
    "bool_type": "true or false",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_parsing_size": "a smaller number",
    "int_from_float": "a whole number",
    "greater_than_equal": "{ge} or more",
    "less_than_equal": "{le} or less",
    "datetime_type": 'a time like "2026-04-29T15:30:00Z"',
    "datetime_parsing": 'a time like "2026-04-29T15:30:00Z"',
    "datetime_from_date_parsing": 'a time like "2026-04-29T15:30:00Z"',
    "timezone_aware": 'a time with its zone, like "2026-04-29T15:30:00Z"',
    "too_short": "{min_length} or more entries",
    "too_long": "at most {max_length} entries",
    "list_type": "a list",
    "tuple_type": "a list",
    "model_type": "an object",
    "model_attributes_type": "an object",
    "extra_forbidden": "no such field; it is not known here",
    "string_unicode": "text in UTF-8",
}
"""The expectation of a field by the type of its error: https://docs.pydantic.dev/latest/errors/validation_errors/."""
OTHER = "another value: see the API's description"
"""The expectation after a type of error that no route of today has."""


def wrong_field(error: Mapping[str, Any]) -> FieldError:
    """Return the wrong field of one of pydantic's errors."""
    type_, context = error["type"], error.get("ctx") or {}
    name = field(error["loc"])
    match type_:
        case "missing" | "required":
            return FieldError(name, context.get("expected", EXPECTED["missing"]), REQUIRED)
        case "string_pattern_mismatch":
            return FieldError(name, WORDS[context["pattern"]])
        case "value_error":
            return FieldError(name, str(error["msg"]).removeprefix("Value error, "))
        case _:
            return FieldError(name, EXPECTED.get(type_, OTHER).format_map(context))


def field(location: tuple[str | int, ...]) -> str:
    """Return `("body", "subscriptions", 0, "uri")` as `subscriptions[0].uri`, and a header as it is documented."""
    if location[0] == "header":
        return header_name(str(location[-1]))
    parts = location[1:] if len(location) > 1 and location[0] in ("body", "path", "query", "header") else location
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in parts).lstrip(".")


def header_name(name: str) -> str:
    """Return the name of a header as it is documented: `Cronofy-Account`."""
    return "-".join(word.capitalize() for word in name.split("-"))


def as_errors(fields: Iterable[FieldError]) -> dict[str, list[dict[str, str]]]:
    """Return the `errors` of a problem: the expectations by field."""
    errors: dict[str, list[dict[str, str]]] = {}
    for wrong in fields:
        errors.setdefault(wrong.field, []).append({"key": wrong.key, "description": wrong.expected})
    return errors
