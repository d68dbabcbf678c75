"""The HTTP server of the stand-in Cronofy: it records every request, and applies faults."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler
from typing import Any, Literal
from urllib.parse import parse_qsl, unquote

from tests.sandbox.loopback import LoopbackServer
from tests.sandbox.stand_in.rules import JsonObject
from tests.sandbox.stand_in.world import HOSTS

JSON = "application/json; charset=utf-8"
REDACTED = "[redacted]"
DATA_CENTERS = {host: name for name, host in HOSTS.items()}


@dataclass
class Request:
    """One request as received. Its repr shows no credential; `token` and `body` have them."""

    method: str
    target: str
    headers: dict[str, str]
    token: str | None = field(repr=False)
    received_at: float
    body: bytes = field(default=b"", repr=False)
    status: int | None = None
    """Status of the answer; None if there was none."""

    @classmethod
    def read(cls, method: str, target: str, headers: Iterable[tuple[str, str]]) -> Request:
        received = {name.lower(): value for name, value in headers}
        scheme, _, token = received.get("authorization", "").partition(" ")
        shown = {name: REDACTED if name.endswith("authorization") else value for name, value in received.items()}
        return cls(method, target, shown, token if scheme.lower() == "bearer" else None, time.time())

    @property
    def _split(self) -> tuple[str, str]:
        """Data center and path: `/api-de.cronofy.com/v1` is `/v1` in Germany; `/v1` alone is American."""
        path = self.target.partition("?")[0]
        host, slash, rest = path[1:].partition("/")
        return (DATA_CENTERS[host], slash + rest) if host in DATA_CENTERS else ("us", path)

    @property
    def data_center(self) -> str:
        return self._split[0]

    @property
    def path(self) -> str:
        """The path without the data center, still encoded."""
        return self._split[1]

    @property
    def parts(self) -> tuple[str, ...]:
        """The decoded parts of the path: ("v1", "calendars", "cal_1", "events")."""
        return tuple(unquote(part) for part in self.path[1:].split("/"))

    @property
    def query(self) -> dict[str, str]:
        return dict(parse_qsl(self.target.partition("?")[2]))

    @property
    def json(self) -> Any:
        """The parsed body, or None when it is not JSON."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            return None

    def as_json(self, *, reveal: bool = False) -> JsonObject:
        """The request as an operator sees it; with `reveal`, the credentials too."""
        body = self.json if self.json is not None else self.body.decode(errors="replace")
        headers = self.headers
        if reveal and self.token is not None:
            headers = headers | {"authorization": f"Bearer {self.token}"}
        elif not reveal and isinstance(body, dict):
            body = body | {name: REDACTED for name in ("client_secret", "refresh_token") if name in body}
        return {
            "method": self.method,
            "data_center": self.data_center,
            "path": self.path,
            "headers": headers,
            "body": body,
            "status": self.status,
            "received_at": self.received_at,
        }


@dataclass(frozen=True)
class Answer:
    """Status, body and headers to send back."""

    status: int
    body: bytes = b""
    content_type: str = JSON
    headers: Mapping[str, str] = field(default_factory=dict)
    pieces: Iterator[bytes] | None = None
    """The body of a large answer, `length` bytes."""
    length: int = 0

    @classmethod
    def of(cls, status: int, body: object, **headers: str) -> Answer:
        return cls(status, encode(body), headers=headers)


@dataclass
class Fault:
    """One way of misbehaving, for the next `times` matching requests (None: for all).

    With a `status` the request has no effect, unless `has_effect`. Otherwise it has, and only its answer is changed.
    """

    method: str
    path_prefix: str
    times: int | None = 1
    status: int | None = None
    body: object = None
    """Sent as it is when text or bytes, else as JSON."""
    headers: Mapping[str, str] = field(default_factory=dict)
    has_effect: bool = False
    hold: Callable[[], object] = lambda: None
    """Called between the request and its effect, which waits for it."""
    delay: float = 0.0
    """Seconds between the effect and its answer."""
    close: Literal["unread", "unanswered"] | None = None
    """Hang up before the body is read, or after the effect without an answer."""
    truncate: bool = False
    """Announce the length of the whole answer and send half of it."""
    cut: int | None = None
    """Hang up after so many bytes of a large answer."""
    drip: float = 0.0
    """Seconds between the pieces of a large answer, of a kilobyte each."""
    announce: int = 0
    """Bytes that a large answer announces beside those that it has."""
    skip: int = 0
    """Matching requests that come before, and are answered as they should."""

    @property
    def prevents_effect(self) -> bool:
        return self.status is not None and not self.has_effect

    def apply_to(self, answer: Answer) -> Answer:
        """Replace status, body and headers by those of this fault."""
        if self.status is None and self.body is None:
            return replace(answer, headers={**answer.headers, **self.headers})
        content_type = "text/html" if isinstance(self.body, str | bytes) else JSON
        return Answer(self.status or answer.status, as_bytes(self.body), content_type, self.headers)


class Faults:
    """The faults still to come, in the order in which they were added."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: list[Fault] = []

    def add(self, method: str, path_prefix: str, **fields: Any) -> Fault:
        """Add a fault with these fields. A path may begin with a data center; `*` is any method."""
        fault = Fault(method, path_prefix, **fields)
        with self._lock:
            self._waiting.append(fault)
        return fault

    def clear(self) -> None:
        with self._lock:
            self._waiting.clear()

    def take(self, request: Request) -> Fault | None:
        """Use the first fault that matches this request, once."""
        with self._lock:
            for fault in self._waiting:
                is_method = fault.method in ("*", request.method)
                if is_method and (
                    request.path.startswith(fault.path_prefix) or request.target.startswith(fault.path_prefix)
                ):
                    if fault.skip:
                        fault.skip -= 1
                        continue
                    if fault.times is not None:
                        fault.times -= 1
                        if fault.times <= 0:
                            self._waiting.remove(fault)
                    return fault
        return None

    def __iter__(self) -> Iterator[Fault]:
        with self._lock:
            return iter(list(self._waiting))


class Server(LoopbackServer):
    """A loopback server. It answers with `respond` unless a fault prevents it, and passes each request to `record`."""

    request_queue_size = 128

    def __init__(
        self,
        port: int,
        respond: Callable[[Request], Answer],
        faults: Faults,
        record: Callable[[Request], None],
    ) -> None:
        self.respond, self.faults, self.record = respond, faults, record
        self._connections: set[socket.socket] = set()
        super().__init__(("127.0.0.1", port), _Handler)

    def get_request(self) -> tuple[socket.socket, Any]:
        connection, address = super().get_request()
        self._connections.add(connection)
        return connection, address

    def shutdown_request(self, request: Any) -> None:
        self._connections.discard(request)
        super().shutdown_request(request)

    def stop(self) -> None:
        """Stop listening, and close every connection that is still open."""
        self.shutdown()
        self.server_close()
        for connection in list(self._connections):
            with suppress(OSError):  # it hung up first
                connection.shutdown(socket.SHUT_RDWR)


class _Handler(BaseHTTPRequestHandler):
    """Reads one request after another from a connection, and answers each in one write."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    server: Server

    def _handle(self) -> None:
        request = Request.read(self.command, self.path, self.headers.items())
        fault = None if request.path.startswith("/_control") else self.server.faults.take(request)
        if fault and fault.close == "unread":
            self._finish(request, None)
            return
        length = self.headers.get("Content-Length", "0")
        request.body = self.rfile.read(int(length)) if length.isdecimal() else b""
        if fault:
            fault.hold()
        answer = Answer(200) if fault and fault.prevents_effect else self.server.respond(request)
        if fault is None:
            self._finish(request, answer)
        elif fault.close:
            self._finish(request, None, delay=fault.delay)
        else:
            self._finish(request, fault.apply_to(answer), delay=fault.delay, truncate=fault.truncate, fault=fault)

    def _finish(
        self,
        request: Request,
        answer: Answer | None,
        *,
        delay: float = 0.0,
        truncate: bool = False,
        fault: Fault | None = None,
    ) -> None:
        """Record the request before it is answered, so that its sender finds it recorded."""
        request.status = answer.status if answer else None
        self.server.record(request)
        time.sleep(delay)
        if answer is None:
            self.close_connection = True
            return
        self.send_response_only(answer.status)
        content_type = {"Content-Type": answer.content_type} if answer.body or answer.pieces else {}
        for name, value in {**content_type, **answer.headers}.items():
            self.send_header(name, value)
        if answer.pieces is not None:
            self._stream(answer, fault or Fault("*", ""))
            return
        self.send_header("Content-Length", str(max(len(answer.body), 2 * truncate)))
        self.end_headers()
        self.wfile.write(answer.body[: len(answer.body) // 2] if truncate else answer.body)
        self.close_connection = self.close_connection or truncate

    def _stream(self, answer: Answer, fault: Fault) -> None:
        self.send_header("Content-Length", str(answer.length + fault.announce))
        self.end_headers()
        sent = 0
        for piece in answer.pieces or ():
            for part in (piece[at : at + 1024] for at in range(0, len(piece), 1024)) if fault.drip else (piece,):
                room = len(part) if fault.cut is None else min(len(part), fault.cut - sent)
                self.wfile.write(part[:room])
                sent += room
                time.sleep(fault.drip)
            if sent == fault.cut:
                break
        self.close_connection = self.close_connection or fault.cut is not None or bool(fault.announce)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _handle  # noqa: N815 (the names that http.server calls)


def encode(body: object, *, compact: bool = False) -> bytes:
    """Write JSON as UTF-8. A lone surrogate, which JSON allows and UTF-8 does not, becomes a question mark."""
    separators = (",", ":") if compact else None
    return json.dumps(body, ensure_ascii=False, separators=separators).encode(errors="replace")


def as_bytes(body: object) -> bytes:
    """Text and bytes as they are, nothing as nothing, anything else as JSON."""
    match body:
        case None:
            return b""
        case bytes():
            return body
        case str():
            return body.encode()
        case _:
            return encode(body)
