"""The errors of a request's fields are words, in one shape."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import ValidationError

from functions.provision import app
from meeting_agents.api import docs
from meeting_agents.api.bodies import AccountRegistration, AgentRequest, CalendarEventRequest
from meeting_agents.api.patterns import WORDS
from meeting_agents.api.silence_request import SilenceRequest
from meeting_agents.api.wrong_fields import OTHER, as_errors, wrong_field
from meeting_agents.errors import FieldError


def patterns(node: Any) -> Iterator[str]:
    """Iterate over the patterns of a document."""
    children = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
    if isinstance(node, dict) and isinstance(node.get("pattern"), str):
        yield node["pattern"]
    for child in children:
        yield from patterns(child)


def test_every_pattern_of_the_api_has_words() -> None:
    assert {*patterns(docs.document(app.app, ""))} == {*WORDS}


EVENT = {"event_id": "e"}
SILENCE = {"until": "PT2H", "why": "x"}
AGENT = {"join_url": "https://example.com/"}


@pytest.mark.parametrize(
    ("model", "body", "field", "key", "expected"),
    [
        (CalendarEventRequest, {}, "event_id", "errors.required", "a value; it is required"),
        (CalendarEventRequest, {"event_id": 1}, "event_id", "errors.invalid", "text"),
        (CalendarEventRequest, {"event_id": ""}, "event_id", "errors.invalid", "1 or more characters"),
        (CalendarEventRequest, EVENT | {"summary": "x" * 1025}, "summary", "errors.invalid", "at most 1024 characters"),
        (CalendarEventRequest, EVENT | {"subscriptions": {}}, "subscriptions", "errors.invalid", "a list"),
        (CalendarEventRequest, EVENT | {"meeting_agent": "cronofy"}, "meeting_agent", "errors.invalid", "an object"),
        (
            CalendarEventRequest,
            EVENT | {"meeting_agent": {"profile_id": "zoom"}},
            "meeting_agent.profile_id",
            "errors.invalid",
            "'cronofy' or 'none'",
        ),
        (
            CalendarEventRequest,
            EVENT | {"meeting_agent": {"profile_id": "cronofy"}},
            "start",
            "errors.required",
            "a value; it is required with a meeting_agent, whose deadlines depend on it",
        ),
        (
            AgentRequest,
            AGENT | {"scheduling_key": "k"},
            "join_time",
            "errors.required",
            "a value; both scheduling_key and join_time schedule an agent, neither sends it now",
        ),
        (
            AgentRequest,
            AGENT | {"on_behalf_of_attendee": {"email": "m"}},
            "on_behalf_of_attendee.email",
            "errors.invalid",
            "an e-mail address",
        ),
        (SilenceRequest, SILENCE | {"account": "x"}, "account", "errors.invalid", "a list"),
        (SilenceRequest, SILENCE | {"label": ["a:b"] * 51}, "label", "errors.invalid", "at most 50 entries"),
        (
            AccountRegistration,
            {"refresh_token": "t", "data_center": "de", "x": 1},
            "x",
            "errors.invalid",
            "no such field; it is not known here",
        ),
    ],
)
def test_an_error_is_words(model: Any, body: dict[str, Any], field: str, key: str, expected: str) -> None:
    with pytest.raises(ValidationError) as refused:
        model.model_validate(body)
    errors = as_errors(map(wrong_field, map(dict, refused.value.errors())))
    assert errors[field] == [{"key": key, "description": expected}]


def test_a_header_is_named_as_it_is_documented() -> None:
    wrong = wrong_field(
        {"type": "string_pattern_mismatch", "loc": ("header", "idempotency-key"), "ctx": {"pattern": r"^[!-~]{1,255}$"}}
    )
    assert wrong == FieldError("Idempotency-Key", "1 to 255 visible ASCII characters")


def test_an_error_of_an_unknown_type_has_no_words_of_the_library() -> None:
    wrong = wrong_field({"type": "frozen_set_type", "loc": ("body", "a", 0), "msg": "Input should be a frozenset"})
    assert wrong == FieldError("a[0]", OTHER)


def test_several_errors_of_a_field_are_together() -> None:
    errors = as_errors([FieldError("a", "one"), FieldError("b", "two"), FieldError("a", "three")])
    assert {field: [error["description"] for error in wrong] for field, wrong in errors.items()} == {
        "a": ["one", "three"],
        "b": ["two"],
    }
    assert all(re.fullmatch(r"errors\.[a-z]+", error["key"]) for wrong in errors.values() for error in wrong)
