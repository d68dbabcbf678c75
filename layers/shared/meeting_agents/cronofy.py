"""Cronofy's HTTP API: one call, with bounded time and bounded retries, and an answer that says what it means."""

import json
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import httpx

from meeting_agents.errors import TimedOut, Unreachable
from meeting_agents.vendor import HOSTS

TRIES = 2
BUDGET = 20.0
"""Seconds after which no more of an answer is waited for: API Gateway gives a caller 30, and the journal wants its share."""
TIMEOUT = httpx.Timeout(9.0, connect=3.0)
"""Seconds of silence that one try bears, so that two tries fit into the budget."""
LARGEST_ANSWER = 1_000_000
"""Bytes that are read of an answer; Cronofy's are a few hundred."""


class Outcome(StrEnum):
    """What an answer means for the request."""

    ACCEPTED = "accepted"
    REFUSED = "refused"
    """It will not be different next time."""
    POSTPONED = "postponed"
    """Not now (423, 429, 5xx): the same request may be accepted later."""


@dataclass(frozen=True, slots=True)
class Call:
    """One request to Cronofy, in full: whoever sends it again sends the same."""

    method: str
    path: str
    data_center: str
    body: str = field(repr=False)
    is_idempotent: bool = True
    """Whether sending it twice asks for the same thing: an upsert does, sending an agent now does not."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What Cronofy answered. `content` is its JSON, or none if it sent none."""

    status: int
    content: Any = field(repr=False)
    retry_after: float | None = None

    @property
    def outcome(self) -> Outcome:
        if 200 <= self.status < 300:
            return Outcome.ACCEPTED
        if self.status in (423, 429) or not 400 <= self.status < 500:
            return Outcome.POSTPONED
        return Outcome.REFUSED


class Cronofy:
    """Cronofy in all its data centers. `url`: where it is, `{host}` standing for a data center's API host."""

    def __init__(self, client: httpx.Client, url: str, sleep: Callable[[float], None] = time.sleep) -> None:
        self._client = client
        self._url = url
        self._sleep = sleep

    def send(self, call: Call, token: str) -> Answer:
        """Cronofy's answer, whatever its status; the last one, where a 5xx was worth a second try.

        Raises `Unreachable` when the request certainly never reached it, `TimedOut` when it may have.
        """
        until = time.monotonic() + BUDGET
        for tries_left in reversed(range(TRIES)):
            try:
                answer = self._once(call, token, until)
            except Unreachable as error:
                may_repeat = call.is_idempotent or not isinstance(error, TimedOut)
                if not (tries_left and may_repeat):
                    raise
            else:
                if answer.status < 500 or not (tries_left and call.is_idempotent):
                    return answer
            self._sleep(random.uniform(0.1, 0.5))  # noqa: S311 - jitter, not a secret
        raise AssertionError("the last try returns or raises")

    def _once(self, call: Call, token: str, until: float) -> Answer:
        request = self._client.build_request(
            call.method,
            self._url.format(host=HOSTS[call.data_center]) + call.path,
            headers={"Authorization": f"Bearer {token}", "Content-Type": "application/json; charset=utf-8"},
            content=call.body.encode(),
        )
        try:
            response = self._client.send(request, stream=True)
            try:
                content = bytearray()
                for chunk in response.iter_bytes():
                    content += chunk
                    if len(content) > LARGEST_ANSWER or time.monotonic() > until:
                        raise TimedOut("Cronofy's answer did not end in time")
            finally:
                response.close()
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
            raise Unreachable("Cronofy could not be reached; nothing was asked of it") from error
        except httpx.HTTPError as error:
            raise TimedOut("Cronofy did not answer; it may have acted all the same") from error
        return Answer(response.status_code, _json(bytes(content)), _seconds(response.headers))


def _json(content: bytes) -> Any:
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        return None


def _seconds(headers: Mapping[str, str]) -> float | None:
    value = headers.get("retry-after", "")
    return float(value) if value.isdecimal() else None
