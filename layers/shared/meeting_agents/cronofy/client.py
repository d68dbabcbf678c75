"""Cronofy's HTTP API: one call, with bounded time and bounded tries, within Cronofy's limits."""

import random
import time
from collections.abc import Callable
from dataclasses import replace

import httpx

from meeting_agents.calls import Answer, Call
from meeting_agents.errors import ForeignResource, LimitReached, TimedOut, Unreachable
from meeting_agents.pacing import Pacing, Permit
from meeting_agents.vendor import HOSTS

TRIES = 2
BUDGET = 20.0
"""Seconds for all that one request of ours asks of Cronofy: API Gateway gives a caller 30; the journal wants some."""
TIMEOUT = httpx.Timeout(9.0, connect=3.0)
"""Seconds of silence that one try bears, so that two tries fit into the budget."""
LARGEST_ANSWER = 64 * 1024
"""Bytes that are read of an answer: what is kept must fit into an item of the table, which holds 400 KB."""


class Cronofy:
    """Cronofy in all its data centers. `url`: where it is, `{host}` standing for a data center's API host."""

    def __init__(
        self, client: httpx.Client, url: str, pacing: Pacing, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self._client = client
        self._url = url
        self._pacing = pacing
        self._sleep = sleep

    def permit(self, data_center: str, share: float = 1.0) -> Permit:
        """Leave to send one request; see `Pacing.permit`."""
        return self._pacing.permit(data_center, share)

    def send(self, call: Call, token: str, *, permit: Permit | None = None, until: float | None = None) -> Answer:
        """Cronofy's answer, whatever its status; the last one, where a 5xx was worth a second try.

        `until`: of `time.monotonic`, when to wait no longer. Raises `LimitReached` and `Unreachable` when the request
        certainly did not reach Cronofy, `TimedOut` when it may have.
        """
        until = until or time.monotonic() + BUDGET
        permit = permit or self.permit(call.data_center)
        url = self._address(call.data_center) + call.path
        for tried in range(1, TRIES + 1):
            try:
                answer = replace(self._once(call, url, token, until), tries=tried)
            except Unreachable as error:
                may_repeat = call.is_repeatable or not isinstance(error, TimedOut)
                if not may_repeat or tried == TRIES or not self._may_go_on(permit, until):
                    raise
            else:
                may_repeat = call.is_repeatable and answer.status >= 500
                if not may_repeat or tried == TRIES or not self._may_go_on(permit, until):
                    return answer
        raise AssertionError("the last try returns or raises")

    def resolve(self, url: str, data_center: str, api_key: str) -> Answer:
        """Cronofy's answer to a resource's address: a redirect to where it can be had without credentials.

        https://docs.cronofy.com/developers/api/meeting-agents/resource-download/. Raises `ForeignResource` for an
        address that is not Cronofy's: the API key goes nowhere else.
        """
        try:
            place = httpx.URL(url)  # as it will be read when it is asked
            is_cronofys = place.scheme == "https" and place.host.endswith(".cronofy.com") and not place.port
            is_known = is_cronofys or url.startswith(self._address(data_center) + "/")
        except (httpx.InvalidURL, ValueError):
            is_known = False
        if not is_known:
            raise ForeignResource(
                "the resource is not at one of Cronofy's addresses, so the API key was not sent there"
            )
        self.permit(data_center)
        return self._once(Call("GET", "", data_center, ""), url, api_key, time.monotonic() + BUDGET)

    def _address(self, data_center: str) -> str:
        return self._url.format(host=HOSTS[data_center])

    def _may_go_on(self, permit: Permit, until: float) -> bool:
        """Pause before a second try, if there is time for one and Cronofy's limits leave room."""
        self._sleep(random.uniform(0.1, 0.5))  # noqa: S311 - jitter, not a secret
        if time.monotonic() >= until:
            return False
        try:
            self.permit(permit.data_center)
        except LimitReached:
            return False
        return True

    def _once(self, call: Call, url: str, token: str, until: float) -> Answer:
        patience = max(0.1, until - time.monotonic())
        headers = {"Content-Type": "application/json; charset=utf-8"} if call.body else {}
        try:
            with self._client.stream(
                call.method,
                url,
                headers=headers | ({"Authorization": f"Bearer {token}"} if token else {}),
                content=call.body.encode() or None,
                timeout=httpx.Timeout(min(TIMEOUT.read or patience, patience), connect=min(3.0, patience)),
            ) as response:
                known = {name.lower(): value for name, value in response.headers.items()}
                return Answer.read(response.status_code, _read(response, until), known)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
            raise Unreachable("Cronofy could not be reached; nothing was asked of it") from error
        except httpx.HTTPError as error:
            raise TimedOut("Cronofy did not answer; it may have acted all the same") from error


def _read(response: httpx.Response, until: float) -> bytes:
    """The answer's body, or nothing of one that breaks off or does not end: its status has said what matters most."""
    content = bytearray()
    try:
        for chunk in response.iter_bytes():
            content += chunk
            if len(content) > LARGEST_ANSWER or time.monotonic() > until:
                return b""
    except httpx.HTTPError:
        return b""
    return bytes(content)
