"""Requests to Cronofy, the credentials they are sent with, and the meaning of the responses. Pure."""

import json
import re
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from enum import StrEnum
from typing import Any

MAX_RETRY_AFTER = 3600.0
"""Seconds of a `Retry-After` at most; a longer one is taken as this."""
MAX_NAMED_FIELDS = 5
"""Fields of Cronofy's `errors` that a reason names; the rest are counted."""
_NAME = re.compile(r"(?:[a-z_.]|\[\d{1,3}\]){1,60}")
"""The name of a field or of an error key; anything else may be a value that a caller sent."""


class Outcome(StrEnum):
    """The meaning of a response for its request. https://docs.cronofy.com/developers/api/errors/."""

    ACCEPTED = "accepted"
    REJECTED = "rejected"
    """The same request will be refused again."""
    RETRYABLE = "retryable"
    """423, 429, 5xx, or a response that the API does not have: the same request may be accepted later."""


class AccountState(StrEnum):
    """The state of a registered account: requests can be sent in its name, or not."""

    ACTIVE = "active"
    REAUTHORISATION_REQUIRED = "reauthorisation_required"
    """Cronofy no longer accepts its refresh token: its user must authorise the application again."""


@dataclass(frozen=True, slots=True)
class CallerCredentials:
    """A caller's own token, the name of a registered account, or neither: then the application's API key is used."""

    token: str = field(default="", repr=False)
    account: str = ""

    @property
    def outlives_the_request(self) -> bool:
        """True if the sweep can send the request again; a caller's own token is stored nowhere."""
        return not self.token


@dataclass(frozen=True, slots=True)
class Permit:
    """A permit to send one request within Cronofy's rate limits. It is counted already."""

    data_center: str


@dataclass(frozen=True, slots=True)
class CronofyRequest:
    """One request to Cronofy, in full, so that a retry sends the same."""

    method: str
    path: str
    data_center: str
    body: str = field(repr=False)
    is_idempotent: bool = True
    """Sent twice it has one effect: true of an upsert, not of sending an agent now."""


@dataclass(frozen=True, slots=True)
class CronofyResponse:
    """Cronofy's response. `content`: its JSON, or None if there was none that could be parsed."""

    status: int
    content: Any = field(default=None, repr=False)
    retry_after: float | None = None
    """Seconds to wait before the next request. Cronofy's documentation does not mention the header."""
    location: str = field(default="", repr=False)
    tries: int = 1
    """The number of requests sent to get this response."""
    is_json: bool = True
    """False for a body that is not JSON, such as the page of a proxy: Cronofy has not sent it."""
    has_refused_triggers: bool = False
    """True for the response to a request without our event triggers, after Cronofy refused it with them."""

    @classmethod
    def read(cls, status: int, text: bytes, headers: dict[str, str]) -> "CronofyResponse":
        """Read a response from the wire, however malformed. `headers`: names in lower case."""
        try:
            content, is_json = json.loads(text), True
        except (ValueError, RecursionError):
            content, is_json = None, not text.strip()
        return cls(status, content, _retry_after(headers), headers.get("location", ""), is_json=is_json)

    @property
    def outcome(self) -> Outcome:
        if 200 <= self.status < 300:
            return Outcome.ACCEPTED if self.is_json else Outcome.RETRYABLE
        if self.status in (423, 429) or not 400 <= self.status < 500:
            return Outcome.RETRYABLE
        return Outcome.REJECTED

    @property
    def agent(self) -> dict[str, Any]:
        """Cronofy's `meeting_agent`, or an empty object; the older beta had its fields at top level.

        https://docs.cronofy.com/developers/api/meeting-agents/schedule/
        """
        content = self.content if isinstance(self.content, dict) else {}
        agent = content.get("meeting_agent", content)
        return agent if isinstance(agent, dict) and isinstance(agent.get("sub"), str) else {}

    @property
    def download_url(self) -> str:
        """The presigned address of a resource; empty if the response has none.

        https://docs.cronofy.com/developers/api/meeting-agents/resource-download/
        """
        content = self.content if isinstance(self.content, dict) else {}
        resource = content.get("resource")
        address = (resource.get("download_url") if isinstance(resource, dict) else None) or self.location
        is_address = isinstance(address, str) and re.fullmatch(r"https?://[^\s\x00-\x1f]+", address)
        return address if is_address and 200 <= self.status < 400 else ""

    @property
    def wrong_fields(self) -> set[str]:
        """The names of the fields in Cronofy's `errors`."""
        return set(self._errors)

    @property
    def complaint(self) -> str:
        """The fields that Cronofy found wrong, as `start (errors.invalid), tzid (errors.required), 2 more`, or empty.

        Cronofy's descriptions are left out, for they may quote what the caller sent.
        """
        complaints = [_complaint(name, errors) for name, errors in self._errors.items() if _NAME.fullmatch(name)]
        complaints = complaints[:MAX_NAMED_FIELDS]
        omitted = len(self._errors) - len(complaints)
        return ", ".join([*complaints, f"{omitted} more"] if complaints and omitted else complaints)

    @property
    def _errors(self) -> dict[str, Any]:
        errors = self.content.get("errors") if isinstance(self.content, dict) else None
        return errors if isinstance(errors, dict) else {}


def _retry_after(headers: dict[str, str]) -> float | None:
    """Return the seconds of `Retry-After`, from a number, or from a time after that in `Date` (RFC 9110, 10.2.3)."""
    value = headers.get("retry-after", "")
    try:
        is_number = value.isascii() and value.isdecimal()
        seconds = float(value) if is_number else _seconds_between(headers.get("date", ""), value)
    except (ValueError, TypeError, OverflowError):
        return None
    return max(0.0, min(seconds, MAX_RETRY_AFTER))


def _seconds_between(earlier: str, later: str) -> float:
    return (parsedate_to_datetime(later) - parsedate_to_datetime(earlier)).total_seconds()


def _complaint(name: str, errors: Any) -> str:
    found = [error.get("key") for error in errors if isinstance(error, dict)] if isinstance(errors, list) else []
    keys = [key for key in found if isinstance(key, str) and _NAME.fullmatch(key)][:MAX_NAMED_FIELDS]
    return f"{name} ({', '.join(keys)})" if keys else name
