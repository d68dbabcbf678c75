"""PagerDuty, by its `Events API v2`: https://developer.pagerduty.com/docs/events-api-v2-overview. Pure.

The key of the incident opens, acknowledges and closes one alert there, however often it is sent.
"""

from datetime import datetime
from typing import Any

from meeting_agents.aws.keys import timestamp
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
from meeting_agents.domain.model import ChangeType

SUMMARY_LENGTH, KEY_LENGTH = 1024, 255


def _build(channel: Channel, parcel: Parcel) -> Request:
    (change,) = parcel.changes
    content: dict[str, Any] = {
        "routing_key": channel.key,
        "event_action": str(change.action),
        "dedup_key": change.dedup_key[:KEY_LENGTH],
        "payload": {
            "summary": shortened(change.summary, SUMMARY_LENGTH),
            "source": change.source,
            "severity": str(change.severity),
            "timestamp": timestamp(change.at),
            "component": change.component,
            "group": change.account or change.data_center or change.component,
            "class": str(change.type),
            "custom_details": change.details,
        },
    }
    if change.action is ChangeType.TRIGGER:  # the other two take none
        content["client"] = change.source
        content["links"] = [{"href": link.href, "text": link.text} for link in change.links]
        if change.links:
            content["client_url"] = change.links[0].href
    return Request.of(channel.address, content)


def _read(response: Response, now: datetime) -> Answer:
    content = response.content
    errors = content.get("errors")
    words = [str(content.get("message", "")), *(map(str, errors) if isinstance(errors, list) else ())]
    answer = answer_of(response, now, "; ".join(filter(None, words)))
    return Answer(Outcome.TAKEN, message=str(content.get("dedup_key", ""))) if answer.is_taken else answer


KIND = Kind(
    _build,
    _read,
    needs=frozenset({"routing_key"}),
    allows=frozenset({"url"}),
    address="https://events.pagerduty.com/v2/enqueue",
    hosts=("pagerduty.com",),
)
