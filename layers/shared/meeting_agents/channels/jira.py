"""Jira Service Management's operations API, which is also Opsgenie's: an alert by its alias. Pure.

https://developer.atlassian.com/cloud/jira/service-desk-ops/: the alias opens one alert, however often it is sent;
`…/{alias}/acknowledge` and `…/{alias}/close` find it again.
"""

from datetime import datetime
from typing import Any
from urllib.parse import quote

from meeting_agents.channels.channel import (
    Answer,
    Channel,
    Kind,
    Outcome,
    Parcel,
    Request,
    Response,
    answer_of,
    shortened,
)
from meeting_agents.domain.model import ChangeType, Severity

MESSAGE_LENGTH, ALIAS_LENGTH, DESCRIPTION_LENGTH = 130, 512, 15_000
_PRIORITIES = {Severity.CRITICAL: "P1", Severity.WARNING: "P3", Severity.INFO: "P5"}
_PATHS = {ChangeType.ACKNOWLEDGE: "acknowledge", ChangeType.RESOLVE: "close"}


def _build(channel: Channel, parcel: Parcel) -> Request:
    (change,) = parcel.changes
    alias, authorization = change.dedup_key[:ALIAS_LENGTH], f"GenieKey {channel.key}"
    if path := _PATHS.get(change.action):
        address = f"{channel.address}/{quote(alias, safe='')}/{path}?identifierType=alias"
        note = {"source": change.source, "note": change.note or change.headline}
        return Request.of(address, note, Authorization=authorization)
    lines = [change.summary, change.detail, *change.next_steps, *(f"{link.text}: {link.href}" for link in change.links)]
    content: dict[str, Any] = {
        "message": shortened(change.summary, MESSAGE_LENGTH),
        "alias": alias,
        "description": shortened("\n".join(filter(None, lines)), DESCRIPTION_LENGTH),
        "tags": [str(change.type), str(change.severity)],
        "details": {name: str(value) for name, value in change.details.items() if not isinstance(value, list | dict)},
        "entity": change.component,
        "source": change.source,
        "priority": _PRIORITIES[change.severity],
    }
    return Request.of(channel.address, content, Authorization=authorization)


def _read(response: Response, now: datetime) -> Answer:
    content = response.content
    answer = answer_of(response, now, str(content.get("message", "")))
    return Answer(Outcome.TAKEN, message=str(content.get("requestId", ""))) if answer.is_taken else answer


KIND = Kind(
    _build,
    _read,
    needs=frozenset({"api_key"}),
    allows=frozenset({"url"}),
    address="https://api.atlassian.com/jsm/ops/integration/v2/alerts",
    hosts=("atlassian.com", "opsgenie.com"),
)
