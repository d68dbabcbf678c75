"""A channel, what is sent to it, and the meaning of its answer. Pure."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import parsedate_to_datetime
from enum import StrEnum
from hashlib import sha256
from typing import Any

from meeting_agents.alerting.change import Change
from meeting_agents.domain.labels import WantedLabels, match_pairs
from meeting_agents.domain.model import ChangeType

QUOTED = 200
"""The characters of an answer that a problem quotes."""
ALL_ACTIONS = frozenset(ChangeType)


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    """A channel as it is stored in the secret. Its address, key and secrets are never logged or shown."""

    name: str
    kind: str
    address: str = ""
    key: str = ""
    secrets: tuple[str, ...] = ()
    """Keys of signatures: the current one first, others while it is replaced."""
    room: str = ""
    """The id of the vendor's own channel, where one key serves many."""
    severity: frozenset[str] = frozenset()
    """The severities that it wants; empty: all, as with the next four."""
    type: frozenset[str] = frozenset()
    account: frozenset[str] = frozenset()
    data_center: frozenset[str] = frozenset()
    label: WantedLabels = field(default_factory=dict, hash=False)

    def wants(self, change: Change) -> bool:
        """Return True if a new incident is for this channel. Later changes of one that it took are sent anyway."""
        pairs = (
            (self.severity, change.severity),
            (self.type, change.type),
            (self.account, change.account),
            (self.data_center, change.data_center),
        )
        return match_pairs(change.labels, self.label) and all(not wanted or value in wanted for wanted, value in pairs)

    @property
    def fingerprint(self) -> str:
        """Another one as soon as anything about the channel is stored anew; it tells nothing of the secrets."""
        return sha256(repr((self.address, self.key, self.secrets, self.room)).encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Parcel:
    """The changes that are sent at once: one, or in a chat many of the same action and severity.

    `message`: the id of the message about the same incident that the channel took last; empty: none.
    `is_alone`: that message is about this incident alone.
    """

    changes: tuple[Change, ...]
    at: datetime
    message: str = ""
    is_alone: bool = True

    @property
    def action(self) -> ChangeType:
        return self.changes[0].action


@dataclass(frozen=True, slots=True)
class Request:
    """A `POST` to a channel."""

    address: str
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, address: str, content: Any, **headers: str) -> "Request":
        """Make a request with a JSON body."""
        body = json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return cls(address, body, {"Content-Type": "application/json; charset=utf-8", **named})


class Outcome(StrEnum):
    """The meanings of a channel's answer."""

    TAKEN = "taken"
    LATER = "later"
    """It may be taken later."""
    REFUSED = "refused"
    """This will never be taken, something else may."""
    OFF = "off"
    """Nothing will be taken until the channel is stored anew."""


@dataclass(frozen=True, slots=True)
class Response:
    """A channel's answer. The names of headers are in lower case; `status` 0: none came."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    text: str = ""

    @property
    def content(self) -> Mapping[str, Any]:
        """The body's JSON object; empty if it is none."""
        try:
            value = json.loads(self.text)
        except (ValueError, RecursionError):
            return {}
        return value if isinstance(value, dict) else {}


@dataclass(frozen=True, slots=True)
class Answer:
    """The meaning of a channel's answer. `retry_after`: seconds; `message`: the id of what it took.

    `is_gone`: the message about the incident that it had is gone, and this one, where it has an id, is in its place.
    """

    outcome: Outcome
    problem: str = ""
    retry_after: float | None = None
    message: str = ""
    is_gone: bool = False

    @property
    def is_taken(self) -> bool:
        return self.outcome is Outcome.TAKEN


def answer_of(response: Response, now: datetime, words: str = "") -> Answer:
    """Return the meaning of an answer by its status. `words`: the channel's own for a refusal."""
    status = response.status
    problem = f"it answered {status}{_quoted(words or response.text)}"
    if 200 <= status < 300:
        return Answer(Outcome.TAKEN)
    if status == 0:
        return Answer(Outcome.LATER, f"it did not answer{_quoted(response.text)}")
    if status in (401, 403, 404, 405, 410):
        return Answer(Outcome.OFF, problem)
    if 300 <= status < 400:
        return Answer(Outcome.OFF, f"it answered {status}, a redirect, which is not followed")
    if status in (408, 409, 425, 429) or status >= 500:
        return Answer(Outcome.LATER, problem, retry_after(response, now))
    return Answer(Outcome.REFUSED, problem)


def retry_after(response: Response, now: datetime) -> float | None:
    """Return the seconds of `Retry-After`, which is a number or a date; None without one that can be read."""
    value = response.headers.get("retry-after", "").strip()
    try:
        return max(0.0, float(value)) if value[:1].isdigit() else _until(value, now)
    except (ValueError, TypeError):
        return None


def _until(date: str, now: datetime) -> float | None:
    return max(0.0, (parsedate_to_datetime(date) - now).total_seconds()) if date else None


def _quoted(words: str) -> str:
    text = " ".join("".join(character if character.isprintable() else " " for character in words).split())
    return f": {text[:QUOTED]}" if text else ""


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of channel: the members of the secret that it needs and allows, its request and its answers."""

    build: Callable[[Channel, Parcel], Request]
    read: Callable[[Response, datetime], Answer] = answer_of
    needs: frozenset[str] = frozenset()
    allows: frozenset[str] = frozenset()
    address: str = ""
    """The vendor's address, where the secret has none."""
    hosts: tuple[str, ...] = ()
    """The ends of the hosts that its address may have; empty: any."""
    actions: frozenset[ChangeType] = ALL_ACTIONS
    is_chat: bool = False
    """People read it: many changes become one message."""
    pause: float = 0.0
    """Seconds between two requests."""


def shortened(text: str, length: int) -> str:
    """Return a text of at most `length` characters."""
    return text if len(text) <= length else text[: length - 1] + "…"


def fitted(lines: Sequence[str], length: int) -> str:
    """Return as many whole lines as fit, and the number of the others."""
    kept: list[str] = []
    for number, line in enumerate(lines):
        rest = f"… and {len(lines) - number} more"
        if sum(map(len, kept)) + len(kept) + len(line) + 1 + len(rest) > length:
            return "\n".join([*kept, rest])
        kept.append(line)
    return "\n".join(kept)
