"""Signature and delivery of the stand-in Cronofy's callbacks.

The signature is documented: https://docs.cronofy.com/developers/api/meeting-agents/callbacks/. Retries are
documented, but neither their number nor their intervals: the courier retries soon, and a few times.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import ssl
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache

import httpx

from tests.sandbox.stand_in.rules import JsonObject

SIGNATURE_HEADER = "Cronofy-HMAC-SHA256"


def sign(body: bytes, secrets: Iterable[str]) -> str:
    """Sign with every active secret: one Base64(HMAC-SHA256(body, secret)) for each, separated by commas."""
    digests = (hmac.digest(secret.encode(), body, hashlib.sha256) for secret in secrets)
    return ",".join(base64.b64encode(digest).decode() for digest in digests)


@dataclass(frozen=True)
class Delivery:
    """The outcome of a notification at one address: for each attempt a status, or the name of the error."""

    uri: str
    outcomes: tuple[int | str, ...]
    milliseconds: float

    @property
    def attempts(self) -> int:
        return len(self.outcomes)

    @property
    def status(self) -> int | None:
        """The last status, or None when the last attempt was not answered."""
        return self.outcomes[-1] if isinstance(self.outcomes[-1], int) else None

    @property
    def succeeded(self) -> bool:
        return self.status is not None and 200 <= self.status < 300

    def as_json(self) -> JsonObject:
        return {
            "uri": self.uri,
            "succeeded": self.succeeded,
            "attempts": self.attempts,
            "outcomes": self.outcomes,
            "milliseconds": self.milliseconds,
        }


@dataclass(frozen=True)
class Notification:
    """A callback ready to be posted: its exact bytes, their signature and its receivers."""

    uris: tuple[str, ...]
    body: bytes
    signature: str
    deliveries: tuple[Delivery, ...] = ()

    @property
    def headers(self) -> dict[str, str]:
        return {"Content-Type": "application/json; charset=utf-8", SIGNATURE_HEADER: self.signature}

    def as_json(self) -> JsonObject:
        return {
            "uris": self.uris,
            "body": self.body.decode(errors="replace"),
            "signature": self.signature,
            "deliveries": [delivery.as_json() for delivery in self.deliveries],
        }


class Courier:
    """Posts a notification, and posts it again after each pause of `backoff` until the answer is a 2xx."""

    def __init__(self, *, backoff: Sequence[float], timeout: float) -> None:
        self._backoff = tuple(backoff)
        # Whether Cronofy follows redirects is unknown. No proxy stands between two servers on the loopback.
        self._client = httpx.Client(verify=_tls(), timeout=timeout, follow_redirects=False, trust_env=False)

    def deliver(self, notification: Notification) -> tuple[Delivery, ...]:
        """Post to every receiver, one after the other."""
        return tuple(self._deliver_to(uri, notification) for uri in notification.uris)

    def close(self) -> None:
        self._client.close()

    def _deliver_to(self, uri: str, notification: Notification) -> Delivery:
        outcomes: list[int | str] = []
        began = time.perf_counter()
        for pause in (0.0, *self._backoff):
            time.sleep(pause)
            try:
                answer = self._client.post(uri, content=notification.body, headers=notification.headers)
            except (httpx.RequestError, httpx.InvalidURL) as error:
                outcomes.append(type(error).__name__)
                continue
            outcomes.append(answer.status_code)
            if answer.is_success:
                break
        return Delivery(uri, tuple(outcomes), round((time.perf_counter() - began) * 1000, 1))


@cache
def _tls() -> ssl.SSLContext:
    """The machine's certificates, cached because reading them is the slowest part of a stand-in's start."""
    return ssl.create_default_context()
