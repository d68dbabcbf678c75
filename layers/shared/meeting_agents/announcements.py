"""Announcements: one for each new entry, as a message of the lifecycle topic."""

from collections.abc import Collection, Sequence
from urllib.parse import quote

from meeting_agents.announcement import Announcement
from meeting_agents.aws.journal import StoredEntry
from meeting_agents.aws.keys import is_probe
from meeting_agents.aws.topics import MAX_TEXT_BYTES, Message
from meeting_agents.deadlines import Graces, deadline
from meeting_agents.domain.verdicts import Step


def build_announcements(
    agent_id: str, told: Sequence[Step], entries: Sequence[StoredEntry], graces: Graces, keys: Collection[str]
) -> list[Announcement]:
    """The announcements of the entries with these keys, as they were, or would have been, made the first time.

    `told`: the agent's whole timeline, for an announcement says what its entry did; `entries`: what that is made of.
    """
    raw = {stored.entry.key: stored.raw for stored in entries}
    return [
        Announcement.of(agent_id, step, raw[step.entry.key], deadline(step.after, graces))
        for step in told
        if step.entry.key in keys
    ]


def to_message(announcement: Announcement) -> Message:
    """Return the announcement as a message of the lifecycle topic.

    Attributes: `kind`, `verdict`, `state`; `data_center` and `account` where known; `cause` only where people are to be
    alerted; `replayed` (`true`) only for a replay; `probe` (`true`) only where the system checks itself.
    """
    data = announcement.data
    values = {
        "kind": data.entry.kind,
        "verdict": data.entry.verdict,
        "state": data.state,
        "data_center": data.data_center,
        "account": data.account,
        "cause": data.cause,
        "replayed": "true" if data.replayed else "",
        "probe": "true" if is_probe(announcement.subject) else "",
    }
    return Message(_fitting(announcement), {name: value for name, value in values.items() if value})


def _fitting(announcement: Announcement) -> str:
    """Return the announcement as text; where that is too long, with a reference in place of Cronofy's own words."""
    message = announcement.model_dump_json()
    if len(message.encode()) <= MAX_TEXT_BYTES:
        return message
    key = quote(announcement.data.entry.key, safe="")
    reference = {"too_large": True, "read": f"/v1/meeting_agents/{announcement.subject}/notifications/{key}"}
    shorter = announcement.data.model_copy(update={"notification": reference, "resources": (), "failures": ()})
    return announcement.model_copy(update={"data": shorter}).model_dump_json()
