"""A request to Cronofy, the credentials it is made with, and the meaning of the response. Pure."""

import json
import re
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

MAX_NAMED_FIELDS = 5
"""Fields of Cronofy's `errors` that are repeated; the rest are counted."""
_NAME = re.compile(r"(?:[a-z_.]|\[\d{1,3}\]){1,60}")
"""A field or a key of Cronofy's; what looks otherwise may be a value that somebody sent."""


class Outcome(StrEnum):
    """The meaning of a response for its request."""

    ACCEPTED = "accepted"
    REJECTED = "rejected"
    """It will not be different next time."""
    RETRYABLE = "retryable"
    """Not now (423, 429, 5xx, or an answer that the API does not have): the same request may be accepted later."""


class AccountState(StrEnum):
    """Says whether requests can be made in an account's name."""

    ACTIVE = "active"
    REAUTHORISATION_REQUIRED = "reauthorisation_required"
    """Cronofy takes its refresh token no more: a person must authorise it again."""


@dataclass(frozen=True, slots=True)
class CallerCredentials:
    """A caller's own token, the name of a registered account, or neither: then the application's own API key."""

    token: str = field(default="", repr=False)
    account: str = ""

    @property
    def outlives_the_request(self) -> bool:
        """True if the sweep can try again with them: a caller's own token is stored nowhere."""
        return not self.token


@dataclass(frozen=True, slots=True)
class Permit:
    """A permit to send one request within Cronofy's limits, counted already."""

    data_center: str


@dataclass(frozen=True, slots=True)
class CronofyRequest:
    """One request to Cronofy, in full: a retry sends the same."""

    method: str
    path: str
    data_center: str
    body: str = field(repr=False)
    is_idempotent: bool = True
    """Sent twice it asks for one thing: an upsert does, sending an agent now does not."""


@dataclass(frozen=True, slots=True)
class CronofyResponse:
    """Cronofy's answer. `content` is its JSON, or None if it sent none that could be read."""

    status: int
    content: Any = field(default=None, repr=False)
    retry_after: float | None = None
    """Seconds; whether Cronofy ever says so is unknown."""
    location: str = field(default="", repr=False)
    tries: int = 1
    """Requests that this response took."""

    @classmethod
    def read(cls, status: int, text: bytes, headers: dict[str, str]) -> "CronofyResponse":
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
            return Outcome.RETRYABLE
        return Outcome.REJECTED

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
        named = [_complaint(name, wrong) for name, wrong in self._errors.items() if _NAME.fullmatch(name)][
            :MAX_NAMED_FIELDS
        ]
        more = len(self._errors) - len(named)
        return ", ".join([*named, f"{more} more"] if named and more else named)

    @property
    def _errors(self) -> dict[str, Any]:
        errors = self.content.get("errors") if isinstance(self.content, dict) else None
        return errors if isinstance(errors, dict) else {}


def _complaint(name: str, wrong: Any) -> str:
    said = [one.get("key") for one in wrong if isinstance(one, dict)] if isinstance(wrong, list) else []
    keys = [key for key in said if isinstance(key, str) and _NAME.fullmatch(key)][:MAX_NAMED_FIELDS]
    return f"{name} ({', '.join(keys)})" if keys else name
