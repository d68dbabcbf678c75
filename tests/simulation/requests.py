"""The requests of the product to Cronofy, in place of httpx's client."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from urllib.parse import SplitResult, urlsplit

import httpx


@dataclass(frozen=True)
class Request:
    """A request of the product's, as httpx would send it."""

    method: str
    address: str
    headers: Mapping[str, str]
    content: bytes
    seconds: float
    """The time for which it waits for an answer."""

    @cached_property
    def url(self) -> SplitResult:
        return urlsplit(self.address)

    @property
    def token(self) -> str:
        return self.headers.get("Authorization", "").removeprefix("Bearer ")


class Http:
    """Stands for httpx's client: what it sends is answered by a function, which may raise httpx's errors."""

    def __init__(self, answer: Callable[[Request], httpx.Response]) -> None:
        self._answer = answer

    @contextmanager
    def stream(
        self, method: str, url: str, *, headers: Mapping[str, str], content: bytes | None, timeout: httpx.Timeout
    ) -> Iterator[httpx.Response]:
        """Send a request."""
        yield self._answer(Request(method, url, headers, content or b"", timeout.read or 0.0))
