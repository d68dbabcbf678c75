"""A notification of any size and shape that the webhook accepts is tracked and announced."""

import json
from collections.abc import Callable, Iterator
from hashlib import sha256
from types import SimpleNamespace
from typing import Any

import pytest

from functions.track import app as track
from functions.webhook import app as webhook
from meeting_agents import wiring
from meeting_agents.aws.topic_message import MAX_TEXT_BYTES
from meeting_agents.cronofy.signature import HEADER, Secret, sign
from tests.callback import example
from tests.sandbox.embedded_aws import EmbeddedAws
from tests.tables import CONTEXT, Tables, made

AGENT = "ma_a2b3c4d5e6f7g2h3i4j5k6l7m2"
SIZE = 224_000
FAILED: dict[str, Any] = {"type": "meeting_agent_failed"}


@pytest.fixture
def tables(aws: EmbeddedAws, monkeypatch: pytest.MonkeyPatch) -> Iterator[Tables]:
    with made(aws) as tables:
        secrets = SimpleNamespace(
            secrets=lambda: (Secret("us", "current", "CRN_secret"),), reload=lambda: False, stored_at=None
        )
        monkeypatch.setattr(wiring, "client_secrets", lambda: secrets)
        yield tables


def receive(raw: bytes) -> str:
    """Pass a signed notification to the webhook. Return its key."""
    headers = {HEADER: sign(raw, ["CRN_secret"])}
    event = {"pathParameters": {"agent_id": AGENT}, "headers": headers, "body": raw.decode()}
    assert webhook.handler(event, CONTEXT)["statusCode"] == 200
    return sha256(raw).hexdigest()


def track_and_read(tables: Tables, *notifications: bytes) -> dict[str, Any]:
    """Pass signed notifications through the webhook and the tracker. Return the last announcement."""
    for raw in notifications:
        batch = tables.batch((AGENT, receive(raw)))
        assert track.handler(batch, CONTEXT) == {"batchItemFailures": []}
        assert tables.dead_letters() == []
    *_, announcement = tables.announced()
    assert len(json.dumps(announcement, ensure_ascii=False).encode()) <= MAX_TEXT_BYTES
    assert announcement["data"]["state"] == tables.record(AGENT)["state"]
    return announcement


def notification(*interactions: dict[str, Any], **fields: Any) -> bytes:
    """Write a notification of a failure."""
    body = example(**{"notification": {"type": "event_subscription", "interactions": [*interactions, FAILED]}} | fields)
    return json.dumps(body, ensure_ascii=False).encode()


def nested(levels: int, **fields: Any) -> bytes:
    """Write a failure with an undocumented field of so many levels."""
    return notification(**fields).removesuffix(b"}") + b', "detail": ' + b"[" * levels + b"]" * levels + b"}"


def event(**fields: Any) -> dict[str, Any]:
    """Return the example's event with other fields."""
    return {"event": example()["event"] | fields}


NOTIFICATIONS: dict[str, Callable[[], bytes]] = {
    "many unknown fields": lambda: notification(**{f"detail_{n:05}": "x" * 10 for n in range(SIZE // 28)}),
    "many unknown fields that become six times as long": lambda: notification(
        **{f"detail_{n:05}": "\x01" * 300 for n in range(110)}
    ),
    "a long unknown field": lambda: notification(detail="x" * SIZE),
    "a long name": lambda: notification(**{"x" * SIZE: 1}),
    "many unknown interactions": lambda: notification(*({"type": f"interaction_{n}"} for n in range(SIZE // 32))),
    "an unknown interaction with a long name": lambda: notification({"type": "x" * SIZE}),
    "fields of interactions": lambda: notification(*({"type": "x", "detail": n} for n in range(SIZE // 32))),
    "a long title": lambda: notification(**event(summary="x" * SIZE)),
    "a long title of control characters": lambda: notification(**event(summary="\x01" * (SIZE // 6))),
    "a long timezone": lambda: notification(**event(tzid="x" * SIZE)),
    "a long id": lambda: notification(**event(event_id="x" * SIZE)),
    "a long sub": lambda: notification(meeting_agent={"sub": "x" * SIZE}),
    "many resources": lambda: notification(
        meeting_agent={"resources": [{"url": f"https://example.com/{n}"} for n in range(SIZE // 40)]}
    ),
    "the last year": lambda: notification(**event(start="9999-12-31T22:00:00Z", end="9999-12-31T23:00:00Z")),
    "the first year": lambda: notification(**event(start="0001-01-01T00:00:00Z", end="0001-01-01T01:00:00Z")),
    "many levels": lambda: nested(9_000),
    "some levels": lambda: nested(995),
}


@pytest.mark.parametrize("name", NOTIFICATIONS)
def test_a_failure_is_announced_whatever_else_the_notification_holds(name: str, tables: Tables) -> None:
    """Lost or dead-lettered, it would cause no alert, and a redrive would fail again."""
    announcement = track_and_read(tables, NOTIFICATIONS[name]())
    assert (announcement["data"]["state"], announcement["data"]["entry"]["verdict"]) == ("failed", "applied")


def test_many_failures_with_different_fields_are_announced(tables: Tables) -> None:
    """Their undocumented fields do not add up to a record that the table rejects."""
    notifications = [
        notification(**{f"detail_{number}_{field}": "x" * 290 for field in range(700)}) for number in range(4)
    ]
    assert track_and_read(tables, *notifications)["data"]["state"] == "failed"


@pytest.mark.parametrize("levels", [9_900, 9_950, 9_980, 9_990, 9_997, 10_000, 100_000])
def test_a_notification_with_too_many_levels_is_announced(levels: int, tables: Tables) -> None:
    """Near the limit of the parser, and beyond it: the journal can be read, and later notifications count."""
    announcement = track_and_read(tables, nested(levels))
    assert announcement["data"]["entry"]["verdict"] in ("applied", "unrecognised")
    assert track_and_read(tables, notification())["data"]["state"] == "failed"
