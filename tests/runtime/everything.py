"""All stories on one scene, then requests that are rejected: all that was written, and all that was run."""

import json
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.runtime.platform import Invocation
from tests.runtime.stories import (
    EVENTS,
    MARKS,
    STORIES,
    Scene,
    archive_erased,
    archived_again,
    disconnected,
    errands,
    forwarded,
    lost,
    moved,
    notification,
    pressed_late,
    returned,
    unlinked,
)


@dataclass(frozen=True)
class Written:
    """All that was written, as text; and the invocations that wrote it."""

    table: str
    lifecycle: str
    alerts: str
    printed: str
    answers: str
    invocations: tuple[Invocation, ...]


def everything(scene: Scene) -> Written:
    """Run everything, each story from an empty table."""
    parts: dict[str, list[str]] = {"table": [], "lifecycle": [], "alerts": [], "answers": []}
    invocations: list[Invocation] = []
    others: tuple[Callable[[Scene], None], ...] = (moved, returned, pressed_late, disconnected, unlinked, forwarded)
    others += (lost, archived_again, archive_erased, errands)
    for story in (*STORIES.values(), *others):
        scene.platform.forget()
        story(scene)
        if story is errands:
            _rejections(scene)
            scene.platform.settle()
        parts["table"] += [repr(_unzipped(scene.platform.items(table))) for table in scene.platform.tables]
        parts["lifecycle"].append(json.dumps(scene.platform.announcements()))
        parts["alerts"] += scene.platform.alerts()
        parts["answers"] += [json.dumps(run.answer) + run.error for run in scene.platform.invocations]
        invocations += scene.platform.invocations
    text = {name: "\n".join(texts) for name, texts in parts.items()}
    return Written(**text, printed=scene.platform.printed(), invocations=tuple(invocations))


def _unzipped(value: Any) -> Any:
    """Return items with the bodies that are stored compressed as text: a search finds what is in them."""
    match value:
        case dict():
            return {name: _unzipped(each) for name, each in value.items()}
        case list():
            return [_unzipped(each) for each in value]
        case bytes() if value[:1] == b"\x78":
            return zlib.decompress(value).decode()
        case _:
            return value


def _rejections(scene: Scene) -> None:
    """Send requests that end in an error, because an error may quote a value."""
    path, token = EVENTS, scene.own_token
    event = scene.event("refused")
    wrong = event | {
        "tzid": MARKS["person"],
        "start": MARKS["attendee"],
        "subscriptions": [MARKS["join link requested"]],
    }
    scene.platform.request("POST", path, wrong, token)
    scene.platform.request("POST", path, json.dumps(event)[:-3], token)
    scene.platform.request("POST", path, event, {"authorization": scene.token})
    for status in (401, 422):
        answer = {"errors": {"event_id": [{"key": "errors.invalid", "description": MARKS["description"]}]}}
        scene.cronofy.faults.add("POST", "/v1/calendars", status=status, body=answer)
        scene.platform.request("POST", path, scene.event(f"refused-{status}"), token)
    forged = {"cronofy-hmac-sha256": scene.token}
    scene.platform.request("POST", "/webhooks/cronofy/ma_forged", notification("x", "meeting_agent_failed"), forged)
    scene.platform.request("GET", "/v1/meeting_agents/ma_unknown", None, token)
