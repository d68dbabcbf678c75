"""Slack, by an incoming webhook or by a bot's token. Pure.

https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks: a `POST` of text and blocks to a secret
address. https://docs.slack.dev/reference/methods/chat.postMessage: a bot's token can also answer in the thread of a
message and change it.
"""

from datetime import datetime
from typing import Any

from meeting_agents.alerting.text import for_chat
from meeting_agents.channels.channel import (
    Answer,
    Channel,
    Kind,
    Outcome,
    Parcel,
    Request,
    Response,
    answer_of,
    fitted,
    retry_after,
    shortened,
)
from meeting_agents.channels.chat import chat_text
from meeting_agents.domain.model import ChangeType

HEADER_LENGTH, SECTION_LENGTH = 150, 3000
"""The characters of a header and of a section: https://docs.slack.dev/reference/block-kit/blocks."""
WEB_API = "https://slack.com/api/"
_OFF = frozenset(
    {"invalid_auth", "not_authed", "account_inactive", "token_revoked", "token_expired", "missing_scope"}
    | {"channel_not_found", "not_in_channel", "is_archived"}
)
"""The errors after which nothing is taken until a person does something."""
_GONE = frozenset({"message_not_found", "thread_not_found"})
"""A person deleted the message that was to be changed or answered."""


def _build(channel: Channel, parcel: Parcel) -> Request:
    content = _content(parcel)
    if not channel.key:
        return Request.of(channel.address, content)
    method, content = "chat.postMessage", content | {"channel": channel.room}
    if parcel.message:
        room, _, at = parcel.message.rpartition("/")
        if parcel.is_alone and parcel.action is not ChangeType.TRIGGER:
            method, content = "chat.update", content | {"channel": room, "ts": at}
        else:
            content |= {"channel": room, "thread_ts": at}
            if parcel.action is ChangeType.TRIGGER:  # an escalation or a reminder: an answer alone calls no one
                content["reply_broadcast"] = True
    return Request.of(WEB_API + method, content, Authorization=f"Bearer {channel.key}")


def _content(parcel: Parcel) -> dict[str, Any]:
    text = chat_text(parcel)
    title = for_chat(text.title)
    steps = [f"{number}. {step}" for number, step in enumerate(text.steps, 1)]
    sections = [fitted([for_chat(line) for line in lines], SECTION_LENGTH) for lines in (text.lines, steps) if lines]
    links = " · ".join(f"<{link.href}|{link.text}>" for link in text.links)
    footer = " · ".join(filter(None, [for_chat(text.footer), links]))
    blocks: list[dict[str, Any]] = [
        {"type": "header", "text": {"type": "plain_text", "text": shortened(title, HEADER_LENGTH)}}
    ]
    blocks += [{"type": "section", "text": {"type": "mrkdwn", "text": _escaped(section)}} for section in sections]
    blocks.append({"type": "context", "elements": [{"type": "mrkdwn", "text": shortened(footer, SECTION_LENGTH)}]})
    return {"text": _escaped(shortened(title, SECTION_LENGTH)), "blocks": blocks}


def _escaped(text: str) -> str:
    """Return text without the characters of Slack's markup; `for_chat` has removed the others."""
    return shortened(text.replace("&", "&amp;"), SECTION_LENGTH)


def _read(response: Response, now: datetime) -> Answer:
    content = response.content
    if response.status != 200 or "ok" not in content:
        return answer_of(response, now)
    error = str(content.get("error", ""))
    if error in _GONE:
        return Answer(Outcome.TAKEN, is_gone=True)
    if content["ok"]:
        sent_at = content.get("ts", "")
        return Answer(Outcome.TAKEN, message=f"{content.get('channel', '')}/{sent_at}" if sent_at else "")
    problem = f"it answered {error}"
    if error in _OFF:
        return Answer(Outcome.OFF, problem)
    if error in ("ratelimited", "rate_limited", "internal_error", "fatal_error", "service_unavailable"):
        return Answer(Outcome.LATER, problem, retry_after(response, now))
    return Answer(Outcome.REFUSED, problem)


WEBHOOK = Kind(
    _build,
    _read,
    needs=frozenset({"url"}),
    hosts=("slack.com", "slack-gov.com"),
    is_chat=True,
    pause=1.0,
)
BOT = Kind(_build, _read, needs=frozenset({"token", "channel"}), is_chat=True, pause=1.0)
