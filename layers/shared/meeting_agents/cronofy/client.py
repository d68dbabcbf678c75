"""Cronofy's HTTP API: one request, within a bounded time, a bounded number of tries and Cronofy's rate limits."""

import random
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

import httpx

from meeting_agents.cronofy.messages import CronofyRequest, CronofyResponse, Permit
from meeting_agents.cronofy.payloads import HOSTS
from meeting_agents.errors import RateLimited, Unreachable, UntrustedResourceUrl, UpstreamTimeout
from meeting_agents.time_limit import within

MAX_ATTEMPTS = 2
TOTAL_TIMEOUT = 20.0
"""Seconds for all requests to Cronofy that one request of a caller causes: API Gateway allows 30 for everything."""
TIMEOUT = httpx.Timeout(9.0, connect=3.0)
"""Seconds of silence that end a try, so that two tries fit into the total."""
TIMEOUT_MARGIN = 0.25
"""Seconds by which the limit of a whole response is longer than those of its parts, which are to end it first."""
MAX_RESPONSE_BYTES = 64 * 1024
"""Bytes read of a response: it is stored in an item of the table, which holds 400 KB."""
MAX_READ_BYTES = 4 * 1024 * 1024
"""Bytes read of the response to a GET, which is not stored: a page of a calendar has hundreds of descriptions."""


class Limiter(Protocol):
    """Keeps Cronofy's rate limits: `RateLimiter`."""

    def permit(self, data_center: str, share: float = 1.0) -> Permit:
        """Return a permit to send one request. Raises `RateLimited`."""


class CronofyClient:
    """Cronofy in all its data centers. `url`: its address, with `{host}` in place of a data center's API host."""

    def __init__(
        self, client: httpx.Client, url: str, limiter: Limiter, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self._client = client
        self._url = url
        self._limiter = limiter
        self._sleep = sleep

    def permit(self, data_center: str, share: float = 1.0) -> Permit:
        """Return a permit to send one request; `share`: the part of Cronofy's limits, up to 1, that may be in use.

        Raises `RateLimited`.
        """
        return self._limiter.permit(data_center, share)

    def send(
        self,
        request: CronofyRequest,
        token: str,
        *,
        permit: Permit | None = None,
        until: float | None = None,
        may_repeat: Callable[[], bool] = lambda: True,
    ) -> CronofyResponse:
        """Send a request and return Cronofy's response, of any status; an idempotent request is tried twice.

        `until`: the value of `time.monotonic` at which to stop waiting, by default in 20 seconds. `may_repeat`: called
        before the second try. Raises `RateLimited` and `Unreachable` if the request certainly did not reach Cronofy,
        `UpstreamTimeout` if it may have.
        """
        until = until or time.monotonic() + TOTAL_TIMEOUT
        permit = permit or self.permit(request.data_center)
        url = self._address(request.data_center) + request.path
        for number in range(1, MAX_ATTEMPTS + 1):
            try:
                response = replace(self._once(request, url, token, until), tries=number)
            except Unreachable as error:
                is_safe = request.is_idempotent or not isinstance(error, UpstreamTimeout)
                if not is_safe or number == MAX_ATTEMPTS or not self._may_go_on(permit, until, may_repeat):
                    raise
            else:
                is_worth_it = request.is_idempotent and response.status >= 500
                if not is_worth_it or number == MAX_ATTEMPTS or not self._may_go_on(permit, until, may_repeat):
                    return response
        raise AssertionError("the last try returns or raises")

    def resolve(self, url: str, data_center: str, api_key: str) -> CronofyResponse:
        """Return Cronofy's response for the address of a resource: a redirect to a presigned address.

        https://docs.cronofy.com/developers/api/meeting-agents/resource-download/. Raises `UntrustedResourceUrl` for an
        address that is not Cronofy's, so that the API key is sent nowhere else; otherwise what `send` raises.
        """
        try:
            address = httpx.URL(url)  # the same parser as that of the request
            is_cronofys = address.scheme == "https" and address.host.endswith(".cronofy.com") and not address.port
            is_trusted = is_cronofys or url.startswith(self._address(data_center) + "/")
        except (httpx.InvalidURL, ValueError):
            is_trusted = False
        if not is_trusted:
            raise UntrustedResourceUrl(
                "the resource is not at one of Cronofy's addresses, so the API key was not sent there"
            )
        self.permit(data_center)
        return self._once(CronofyRequest("GET", "", data_center, ""), url, api_key, time.monotonic() + TOTAL_TIMEOUT)

    def _address(self, data_center: str) -> str:
        return self._url.format(host=HOSTS[data_center])

    def _may_go_on(self, permit: Permit, until: float, may_repeat: Callable[[], bool]) -> bool:
        """Pause before a second try; False if it may not be, lacks the time, or Cronofy's limits are used up."""
        self._sleep(random.uniform(0.1, 0.5))  # noqa: S311 - jitter, not a secret
        if time.monotonic() >= until or not may_repeat():
            return False
        try:
            self.permit(permit.data_center)
        except RateLimited:
            return False
        return True

    def _once(self, request: CronofyRequest, url: str, token: str, until: float) -> CronofyResponse:
        remaining = max(0.1, until - time.monotonic())
        limit = MAX_READ_BYTES if request.method == "GET" else MAX_RESPONSE_BYTES
        headers = {"Content-Type": "application/json; charset=utf-8"} if request.body else {}

        def exchange() -> CronofyResponse:
            with self._client.stream(
                request.method,
                url,
                headers=headers | ({"Authorization": f"Bearer {token}"} if token else {}),
                content=request.body.encode() or None,
                timeout=httpx.Timeout(min(TIMEOUT.read or remaining, remaining), connect=min(3.0, remaining)),
            ) as response:
                lowercased = {name.lower(): value for name, value in response.headers.items()}
                return CronofyResponse.read(response.status_code, _read(response, until, limit), lowercased)

        try:
            return within(remaining + TIMEOUT_MARGIN, exchange)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
            raise Unreachable("Cronofy could not be reached, so the request had no effect") from error
        except (httpx.HTTPError, TimeoutError) as error:
            raise UpstreamTimeout("Cronofy did not answer; the request may have taken effect") from error


def _read(response: httpx.Response, until: float, limit: int) -> bytes:
    """Return the response's body; empty if it breaks off, is too long or does not end in time: the status counts."""
    content = bytearray()
    try:
        for chunk in response.iter_bytes():
            content += chunk
            if len(content) > limit or time.monotonic() > until:
                return b""
    except httpx.HTTPError:
        return b""
    return bytes(content)
