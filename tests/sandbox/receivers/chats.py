"""Slack and Microsoft Teams."""

from dataclasses import dataclass, field
from itertools import count
from typing import Any

from tests.sandbox.receivers.receiver import Answer, Receiver, RefusalError, Request, members, need, text

MAX_BLOCKS = 50
SECTION, HEADER = 3000, 150
TEAMS_BYTES = 28 * 1024


def check_blocks(blocks: Any) -> None:
    """Check the blocks of a message: https://docs.slack.dev/reference/block-kit/blocks."""
    need(isinstance(blocks, list) and 0 < len(blocks) <= MAX_BLOCKS, "invalid_blocks")
    for block in blocks:
        match block.get("type"):
            case "header":
                need(block["text"]["type"] == "plain_text", "a header is plain text")
                text(block["text"], "text", HEADER)
            case "section":
                need(block["text"]["type"] in ("mrkdwn", "plain_text"), "a section is text")
                text(block["text"], "text", SECTION)
            case "context":
                need(0 < len(block["elements"]) <= 10, "a context has 1 to 10 elements")
                for element in block["elements"]:
                    text(element, "text", SECTION)
            case other:
                raise RefusalError(f"invalid_blocks: {other}")


class SlackWebhook(Receiver):
    """An incoming webhook: it answers `ok`, or one of its words."""

    hosts = ("hooks.slack.com",)
    address = "https://hooks.slack.com/services/T000/B000/secret-of-the-webhook"

    def __init__(self) -> None:
        super().__init__()
        self.messages: list[dict[str, Any]] = []

    def take(self, request: Request) -> Answer:
        if f"https://hooks.slack.com{request.path}" != self.address:
            return Answer(404, "no_service")
        content = request.content
        members(content, "text", "blocks")
        text(content, "text", 40_000)
        check_blocks(content["blocks"])
        self.messages.append(content)
        return Answer(200, "ok")

    def refusal(self, problem: str) -> Answer:
        return Answer(400, "invalid_payload" if problem else problem)


@dataclass
class SlackMessage:
    """A message in a channel of Slack: as it is now, and the answers in its thread."""

    content: dict[str, Any]
    thread: list[dict[str, Any]] = field(default_factory=list)
    updates: int = 0


class SlackBot(Receiver):
    """The Web API, for a bot's token: `chat.postMessage` and `chat.update`. Errors come with status 200."""

    hosts = ("slack.com",)
    token, room = "xoxb-secret-of-the-bot", "C0123456789"

    def __init__(self) -> None:
        super().__init__()
        self.messages: dict[str, SlackMessage] = {}
        self._numbers = count(1)

    def take(self, request: Request) -> Answer:
        if request.headers.get("authorization") != f"Bearer {self.token}":
            return Answer(200, {"ok": False, "error": "invalid_auth"})
        content = request.content
        if content.get("channel") != self.room:
            return Answer(200, {"ok": False, "error": "channel_not_found"})
        check_blocks(content["blocks"])
        text(content, "text", 40_000)
        at = f"1700000000.{next(self._numbers):06d}"
        match request.path:
            case "/api/chat.postMessage" if "thread_ts" not in content:
                members(content, "channel text blocks")
                self.messages[at] = SlackMessage(content)
            case "/api/chat.postMessage":
                if content["thread_ts"] not in self.messages:
                    return Answer(200, {"ok": False, "error": "thread_not_found"})
                members(content, "channel text blocks thread_ts", "reply_broadcast")
                self.messages[content["thread_ts"]].thread.append(content)
            case "/api/chat.update":
                members(content, "channel text blocks ts")
                at = content["ts"]
                if at not in self.messages:
                    return Answer(200, {"ok": False, "error": "message_not_found"})
                self.messages[at].content = content
                self.messages[at].updates += 1
            case _:
                return Answer(200, {"ok": False, "error": "unknown_method"})
        return Answer(200, {"ok": True, "channel": self.room, "ts": at})

    def refusal(self, problem: str) -> Answer:
        return Answer(200, {"ok": False, "error": "invalid_blocks", "problem": problem})


class Teams(Receiver):
    """The webhook of a workflow: an Adaptive Card 1.4 in a message, of at most 28 KB."""

    hosts = ("prod-00.westeurope.logic.azure.com",)
    address = (
        "https://prod-00.westeurope.logic.azure.com/workflows/abc/triggers/manual/paths/invoke"
        "?api-version=2016-06-01&sig=secret-of-the-workflow"
    )

    def __init__(self) -> None:
        super().__init__()
        self.cards: list[dict[str, Any]] = []

    def take(self, request: Request) -> Answer:
        if not self.address.endswith(request.path):
            return Answer(401, {"error": {"code": "DirectApiAuthorizationRequired", "message": "wrong signature"}})
        need(len(request.body) <= TEAMS_BYTES, f"{len(request.body)} bytes")
        content = request.content
        members(content, "type attachments")
        need(content["type"] == "message", "type must be message")
        (attachment,) = content["attachments"]
        members(attachment, "contentType content", "contentUrl")
        need(attachment["contentType"] == "application/vnd.microsoft.card.adaptive", "no adaptive card")
        card = attachment["content"]
        members(card, "type version body", "$schema actions")
        need(card["type"] == "AdaptiveCard" and card["version"] == "1.4", "no AdaptiveCard 1.4")
        for element in card["body"]:
            members(element, "type text", "weight size color wrap isSubtle")
            need(element["type"] == "TextBlock", f"element {element['type']}")
            need(element.get("color", "Default") in ("Default", "Good", "Warning", "Attention", "Accent"), "color")
        for action in card.get("actions", []):
            need(action["type"] == "Action.OpenUrl" and action["url"].startswith("http"), "action")
        self.cards.append(card)
        return Answer(202)

    def refusal(self, problem: str) -> Answer:
        return Answer(400, {"error": {"code": "InvalidRequestContent", "message": problem}})
