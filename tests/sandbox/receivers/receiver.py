"""The parts that all receivers share: the requests, the answers, and faults that a test asks for."""

import json
import re
import threading
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Answer:
    """A receiver's answer."""

    status: int
    content: Any = ""
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def body(self) -> bytes:
        return (self.content if isinstance(self.content, str) else json.dumps(self.content)).encode()


@dataclass(frozen=True)
class Request:
    """A request to a receiver; the names of headers are in lower case."""

    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def content(self) -> dict[str, Any]:
        """The JSON object of the body; raises `RefusalError`."""
        need(self.headers.get("content-type", "").startswith("application/json"), "Content-Type must be JSON")
        try:
            value = json.loads(self.body)
        except ValueError:
            raise RefusalError("the body is no JSON") from None
        need(isinstance(value, dict), "the body is no JSON object")
        found: dict[str, Any] = value
        return found


class RefusalError(Exception):
    """A request is not as the vendor documents it."""


def need(condition: object, problem: str) -> None:
    """Refuse a request unless the condition holds."""
    if not condition:
        raise RefusalError(problem)


def members(content: Mapping[str, Any], required: str, optional: str = "") -> None:
    """Refuse an object without its required members, or with others."""
    needed, known = set(required.split()), {*required.split(), *optional.split()}
    need(needed <= content.keys(), f"missing: {sorted(needed - content.keys())}")
    need(content.keys() <= known, f"not documented: {sorted(content.keys() - known)}")


def text(content: Mapping[str, Any], name: str, longest: int) -> str:
    """Return a member that must be a text that is not empty, of at most so many characters."""
    value = content.get(name)
    need(isinstance(value, str) and value, f"{name} must be a text")
    found = str(value)
    need(len(found) <= longest, f"{name} has {len(found)} characters, {longest} are allowed")
    return found


class Receiver(ABC):
    """A vendor's stand-in. `hosts`: those of the vendor."""

    hosts: tuple[str, ...] = ()

    def __init__(self) -> None:
        self.requests: list[tuple[int, Request]] = []
        """Each request with the status of its answer."""
        self._faults: list[Answer] = []
        self._down: Answer | None = None
        self._lock = threading.Lock()

    def refuse(self, status: int, content: Any = "", *, times: int = 1, retry_after: int | None = None) -> None:
        """Answer the next requests so."""
        headers = {"Retry-After": str(retry_after)} if retry_after is not None else {}
        self._faults += [Answer(status, content, headers)] * times

    def go_down(self, status: int = 503, content: Any = "") -> None:
        """Answer every request so, until `come_back`."""
        self._down = Answer(status, content)

    def come_back(self) -> None:
        self._down = None

    def forget(self) -> None:
        """Forget all requests."""
        self.requests.clear()

    @property
    def taken(self) -> list[Request]:
        """The requests that were taken."""
        return [request for status, request in self.requests if 200 <= status < 300]

    def answer(self, request: Request) -> Answer:
        """Answer a request, one after the other."""
        with self._lock:
            if self._down:
                answer = self._down
            elif self._faults:
                answer = self._faults.pop(0)
            else:
                answer = self._checked(request)
            self.requests.append((answer.status, request))
            return answer

    def _checked(self, request: Request) -> Answer:
        try:
            return self.take(request)
        except RefusalError as error:
            return self.refusal(str(error))

    @abstractmethod
    def take(self, request: Request) -> Answer:
        """Take a request; raises `RefusalError`."""

    def refusal(self, problem: str) -> Answer:
        """Return the vendor's answer to a request that is not as documented."""
        return Answer(400, {"message": problem})


SECRETS = re.compile(r"(?i)bearer|authorization|refresh_token|join_url|zoom\.us|meet\.example\.com")
"""Texts that no channel may receive."""
