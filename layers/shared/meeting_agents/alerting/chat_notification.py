"""Custom notifications of Amazon Q Developer in chat applications, for Slack and Teams. Pure.

https://docs.aws.amazon.com/chatbot/latest/adminguide/custom-notifs.html
"""

import json
from collections.abc import Mapping, Sequence
from itertools import accumulate

from meeting_agents.alerting.text import truncate

REST_LENGTH = 40
"""The characters kept for the number of agents that a chat message omits."""
DESCRIPTION_LENGTH = 4000
"""The characters of a chat message's text; Amazon Q Developer documents a higher limit, which was not tried."""


def fitting(long: Sequence[str], short: Sequence[str], dashboard: str) -> list[str]:
    """Return the lines of a chat message: the long ones if all fit, else as many short ones as do."""
    overview = [f"Overview: {dashboard}"] if dashboard else []
    room = DESCRIPTION_LENGTH - sum(len(line) + 1 for line in overview)
    if sum(len(line) + 1 for line in long) <= room:
        return [*long, *overview]
    sizes = accumulate(len(line) + 1 for line in short)
    lines = [line for line, size in zip(short, sizes, strict=True) if size <= room - REST_LENGTH]
    omitted = sum(line.startswith("- ") for line in short[len(lines) :])
    rest = [f"And {omitted} more, see the {'overview' if overview else 'e-mail'}."] if omitted else []
    return [*lines, *rest, *overview]


def chat_notification(
    *,
    id_: str,
    title: str,
    lines: Sequence[str],
    steps: Sequence[str],
    keywords: Sequence[str],
    thread: str,
    resources: Sequence[str],
    context: Mapping[str, str],
) -> str:
    """Return a custom notification of Amazon Q Developer in chat applications. `thread`: its thread's id, if any.

    Texts from outside must have passed `for_chat`.
    """
    content = {
        "textType": "client-markdown",
        "title": title,
        "description": truncate("\n".join(lines), DESCRIPTION_LENGTH),
        "nextSteps": list(steps),
        "keywords": list(keywords),
    }
    metadata = {
        **({"threadId": thread} if thread else {}),
        "summary": title,
        "eventType": "meeting_agents.alert",
        "relatedResources": list(resources),
        "additionalContext": dict(context),
    }
    notification = {"version": "1.0", "source": "custom", "id": id_, "content": content, "metadata": metadata}
    return json.dumps(notification, ensure_ascii=False)
