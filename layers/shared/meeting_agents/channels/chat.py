"""The words of a message for a chat, before a chat's own markup. Pure."""

from collections import Counter
from dataclasses import dataclass

from meeting_agents.alerting.change import Link
from meeting_agents.channels.channel import Parcel
from meeting_agents.domain.model import ChangeType

_STATUS = {ChangeType.TRIGGER: "", ChangeType.ACKNOWLEDGE: "Acknowledged: ", ChangeType.RESOLVE: "Over: "}


@dataclass(frozen=True, slots=True)
class ChatText:
    """A message for people in a chat."""

    title: str
    lines: tuple[str, ...]
    steps: tuple[str, ...]
    links: tuple[Link, ...]
    footer: str


def chat_text(parcel: Parcel) -> ChatText:
    """Return the words about one change, or about many of the same action and severity."""
    changes = parcel.changes
    first = changes[0]
    footer = f"{first.severity}, {first.source}"
    if len(changes) == 1:
        body = tuple(filter(None, (first.detail, first.note and f"Note: {first.note}")))
        return ChatText(first.headline, body, first.next_steps, first.links, footer)
    types = Counter(change.type.replace("_", " ") for change in changes)
    counted = ", ".join(f"{count} {type_}" for type_, count in types.most_common())
    reminder = f"Reminder {first.reminder}: " if first.reminder else ""
    title = f"{_STATUS[parcel.action]}{reminder}{len(changes)} incidents: {counted}"
    ordered = sorted(changes, key=lambda change: (-types[change.type.replace("_", " ")], change.type, change.at))
    lines = tuple(f"- {change.summary}" for change in ordered)
    steps = ordered[0].next_steps  # those for the most frequent type
    return ChatText(title, lines, steps, tuple(link for link in first.links if link.text == "Overview"), footer)
