"""Cronofy's HTTP API: one request, with bounded time and bounded tries, within Cronofy's limits."""

import random
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

import httpx

from meeting_agents.cronofy.messages import CronofyRequest, CronofyResponse, Permit
from meeting_agents.cronofy.payloads import HOSTS
from meeting_agents.errors import RateLimited, Unreachable, UntrustedResourceUrl, UpstreamTimeout

MAX_ATTEMPTS = 2
TOTAL_TIMEOUT = 20.0
"""Seconds for all that one request of a caller sends to Cronofy: API Gateway allows 30, and the journal needs some."""
TIMEOUT = httpx.Timeout(9.0, connect=3.0)
"""Seconds of silence after which a try ends, so that two tries fit into the total."""
MAX_RESPONSE_BYTES = 64 * 1024
"""Bytes that are read of a response: it is stored in an item of the table, which holds 400 KB."""


class Limiter(Protocol):
    """Keeps Cronofy's limits: `RateLimiter`."""

    def permit(self, data_center: str, share: float = 1.0) -> Permit:
        """Return a permit to send one request. Raises `RateLimited`."""


class CronofyClient:
    """Cronofy in all its data centers. `url`: its address, `{host}` standing for a data center's API host."""

    def __init__(
        self, client: httpx.Client, url: str, limiter: Limiter, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self._client = client
        self._url = url
        self._limiter = limiter
        self._sleep = sleep

    def permit(self, data_center: str, share: float = 1.0) -> Permit:
        """Return a permit to send one request; see `RateLimiter.permit`."""
        return self._limiter.permit(data_center, share)

    def send(
        self, request: CronofyRequest, token: str, *, permit: Permit | None = None, until: float | None = None
    ) -> CronofyResponse:
        """Return Cronofy's response, of any status; the last one, where a 5xx was worth a second try.

        `until`: of `time.monotonic`, when to wait no longer. Raises `RateLimited` and `Unreachable` when the request
        certainly did not reach Cronofy, `UpstreamTimeout` when it may have.
        """
        until = until or time.monotonic() + TOTAL_TIMEOUT
        permit = permit or self.permit(request.data_center)
        url = self._address(request.data_center) + request.path
        for tried in range(1, MAX_ATTEMPTS + 1):
            try:
                response = replace(self._once(request, url, token, until), tries=tried)
            except Unreachable as error:
                may_repeat = request.is_idempotent or not isinstance(error, UpstreamTimeout)
                if not may_repeat or tried == MAX_ATTEMPTS or not self._may_go_on(permit, until):
                    raise
            else:
                may_repeat = request.is_idempotent and response.status >= 500
                if not may_repeat or tried == MAX_ATTEMPTS or not self._may_go_on(permit, until):
                    return response
        raise AssertionError("the last try returns or raises")

    def resolve(self, url: str, data_center: str, api_key: str) -> CronofyResponse:
        """Return Cronofy's response to a resource's address: a redirect to where it can be had without credentials.

        https://docs.cronofy.com/developers/api/meeting-agents/resource-download/. Raises `UntrustedResourceUrl` for an
        address that is not Cronofy's: the API key goes nowhere else.
        """
        try:
            place = httpx.URL(url)  # as it will be read when it is asked
            is_cronofys = place.scheme == "https" and place.host.endswith(".cronofy.com") and not place.port
            is_known = is_cronofys or url.startswith(self._address(data_center) + "/")
        except (httpx.InvalidURL, ValueError):
            is_known = False
        if not is_known:
            raise UntrustedResourceUrl(
                "the resource is not at one of Cronofy's addresses, so the API key was not sent there"
            )
        self.permit(data_center)
        return self._once(CronofyRequest("GET", "", data_center, ""), url, api_key, time.monotonic() + TOTAL_TIMEOUT)

    def _address(self, data_center: str) -> str:
        return self._url.format(host=HOSTS[data_center])

    def _may_go_on(self, permit: Permit, until: float) -> bool:
        """Pause before a second try, if there is time for one and Cronofy's limits leave room."""
        self._sleep(random.uniform(0.1, 0.5))  # noqa: S311 - jitter, not a secret
        if time.monotonic() >= until:
            return False
        try:
            self.permit(permit.data_center)
        except RateLimited:
            return False
        return True

    def _once(self, request: CronofyRequest, url: str, token: str, until: float) -> CronofyResponse:
        patience = max(0.1, until - time.monotonic())
        headers = {"Content-Type": "application/json; charset=utf-8"} if request.body else {}
        try:
            with self._client.stream(
                request.method,
                url,
                headers=headers | ({"Authorization": f"Bearer {token}"} if token else {}),
                content=request.body.encode() or None,
                timeout=httpx.Timeout(min(TIMEOUT.read or patience, patience), connect=min(3.0, patience)),
            ) as response:
                known = {name.lower(): value for name, value in response.headers.items()}
                return CronofyResponse.read(response.status_code, _read(response, until), known)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
            raise Unreachable("Cronofy could not be reached; nothing was asked of it") from error
        except httpx.HTTPError as error:
            raise UpstreamTimeout("Cronofy did not response; it may have acted all the same") from error


def _read(response: httpx.Response, until: float) -> bytes:
    """The response's body, or nothing of one that breaks off or does not end: its status has said what matters most."""
    content = bytearray()
    try:
        for chunk in response.iter_bytes():
            content += chunk
            if len(content) > MAX_RESPONSE_BYTES or time.monotonic() > until:
                return b""
    except httpx.HTTPError:
        return b""
    return bytes(content)
