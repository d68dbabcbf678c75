"""A request to Cronofy, in whose name it is made, and what the answer means. Pure."""

import json
import re
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

NAMED = 5
"""Fields of Cronofy's `errors` that are repeated; the rest are counted."""
_NAME = re.compile(r"(?:[a-z_.]|\[\d{1,3}\]){1,60}")
"""A field or a key of Cronofy's; what looks otherwise may be a value that somebody sent."""


class Outcome(StrEnum):
    """What an answer means for the request."""

    ACCEPTED = "accepted"
    REFUSED = "refused"
    """It will not be different next time."""
    POSTPONED = "postponed"
    """Not now (423, 429, 5xx, or an answer that the API does not have): the same request may be accepted later."""


class AccountState(StrEnum):
    """Whether calls can be made in an account's name."""

    ACTIVE = "active"
    NEEDS_AUTHORISATION = "needs_authorisation"
    """Cronofy takes its refresh token no more: a person must authorise it again."""


@dataclass(frozen=True, slots=True)
class Authority:
    """In whose name Cronofy is asked: a caller's own token, a registered account, or else the application itself."""

    token: str = field(default="", repr=False)
    account: str = ""

    @property
    def is_durable(self) -> bool:
        """Whether it is still there when the sweep tries again: a caller's own token is written down nowhere."""
        return not self.token


@dataclass(frozen=True, slots=True)
class Call:
    """One request to Cronofy, in full: whoever sends it again sends the same."""

    method: str
    path: str
    data_center: str
    body: str = field(repr=False)
    is_repeatable: bool = True
    """Whether sending it twice asks for one thing: an upsert does, sending an agent now does not."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What Cronofy answered. `content` is its JSON, or none if it sent none that could be read."""

    status: int
    content: Any = field(default=None, repr=False)
    retry_after: float | None = None
    """Seconds; whether Cronofy ever says so is unknown."""
    location: str = field(default="", repr=False)
    tries: int = 1
    """How often it was asked."""

    @classmethod
    def read(cls, status: int, text: bytes, headers: dict[str, str]) -> "Answer":
        """From the wire, whatever came. `headers`: names in lower case."""
        wait = headers.get("retry-after", "")
        try:
            content = json.loads(text)
        except (ValueError, RecursionError):
            content = None
        return cls(status, content, float(wait) if wait.isdecimal() else None, headers.get("location", ""))

    @property
    def outcome(self) -> Outcome:
        if 200 <= self.status < 300:
            return Outcome.ACCEPTED
        if self.status in (423, 429) or not 400 <= self.status < 500:
            return Outcome.POSTPONED
        return Outcome.REFUSED

    @property
    def agent(self) -> dict[str, Any]:
        """Cronofy's `meeting_agent`, where the answer has it; the older beta answered it at top level.

        https://docs.cronofy.com/developers/api/meeting-agents/schedule/
        """
        content = self.content if isinstance(self.content, dict) else {}
        inner = content.get("meeting_agent", content)
        return inner if isinstance(inner, dict) and isinstance(inner.get("sub"), str) else {}

    @property
    def wrong_fields(self) -> set[str]:
        """The names in Cronofy's `errors`."""
        return set(self._errors)

    @property
    def complaint(self) -> str:
        """`start (errors.invalid), tzid (errors.required), 2 more`: the fields that Cronofy names, and what is wrong.

        Never its descriptions, which may quote what the caller sent; empty where it names no field.
        """
        named = [_complaint(name, wrong) for name, wrong in self._errors.items() if _NAME.fullmatch(name)][:NAMED]
        more = len(self._errors) - len(named)
        return ", ".join([*named, f"{more} more"] if named and more else named)

    @property
    def _errors(self) -> dict[str, Any]:
        errors = self.content.get("errors") if isinstance(self.content, dict) else None
        return errors if isinstance(errors, dict) else {}


def _complaint(name: str, wrong: Any) -> str:
    said = [one.get("key") for one in wrong if isinstance(one, dict)] if isinstance(wrong, list) else []
    keys = [key for key in said if isinstance(key, str) and _NAME.fullmatch(key)][:NAMED]
    return f"{name} ({', '.join(keys)})" if keys else name
