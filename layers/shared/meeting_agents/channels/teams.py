"""Microsoft Teams, by the webhook of a workflow ("When a Teams webhook request is received"). Pure.

It takes an Adaptive Card as a message's attachment, of at most 28 KB. It gives nothing back by which a message could be
found again, so each change is a message of its own.
"""

from datetime import datetime
from typing import Any

from meeting_agents.alerting.text import for_chat
from meeting_agents.channels.channel import (
    Answer,
    Channel,
    Kind,
    Parcel,
    Request,
    Response,
    answer_of,
    fitted,
    shortened,
)
from meeting_agents.channels.chat import chat_text
from meeting_agents.domain.model import ChangeType, Severity

MAX_BYTES = 28 * 1024
"""The size of a message."""
_LISTED = (6000, 3000, 1000)
"""The characters of lines that are tried until the message fits."""
_COLOURS = {Severity.CRITICAL: "Attention", Severity.WARNING: "Warning", Severity.INFO: "Accent"}


def _build(channel: Channel, parcel: Parcel) -> Request:
    requests = (Request.of(channel.address, _content(parcel, length)) for length in _LISTED)
    return next((each for each in requests if len(each.body) <= MAX_BYTES), _short(channel, parcel))


def _short(channel: Channel, parcel: Parcel) -> Request:
    return Request.of(channel.address, _content(parcel, 0))


def _content(parcel: Parcel, length: int) -> dict[str, Any]:
    text = chat_text(parcel)
    colour = "Good" if parcel.action is not ChangeType.TRIGGER else _COLOURS[parcel.changes[0].severity]
    steps = [f"{number}. {step}" for number, step in enumerate(text.steps, 1)]
    body: list[dict[str, Any]] = [
        {
            "type": "TextBlock",
            "text": shortened(for_chat(text.title), 300),
            "weight": "Bolder",
            "size": "Medium",
            "color": colour,
            "wrap": True,
        }
    ]
    for lines in (text.lines, steps):
        if lines and length:
            listed = fitted([for_chat(line) for line in lines], length)
            body.append({"type": "TextBlock", "text": listed.replace("\n", "\n\n"), "wrap": True})
    body.append({"type": "TextBlock", "text": for_chat(text.footer), "isSubtle": True, "wrap": True, "size": "Small"})
    card = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "body": body,
        "actions": [{"type": "Action.OpenUrl", "title": link.text, "url": link.href} for link in text.links],
    }
    attachment = {"contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": None, "content": card}
    return {"type": "message", "attachments": [attachment]}


def _read(response: Response, now: datetime) -> Answer:
    error = response.content.get("error")
    words = str(error.get("message", "")) if isinstance(error, dict) else ""
    return answer_of(response, now, words)


KIND = Kind(_build, _read, needs=frozenset({"url"}), is_chat=True, pause=0.3)
