"""One request to Cronofy: its tries, its time limits, and the reading of an unusual response."""

import contextlib
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator

import httpx
import pytest

from meeting_agents.cronofy.client import MAX_RESPONSE_BYTES, TIMEOUT, TOTAL_TIMEOUT, CronofyClient
from meeting_agents.cronofy.messages import MAX_RETRY_AFTER, CronofyRequest, CronofyResponse, Outcome, Permit
from meeting_agents.errors import RateLimited, Unreachable, UntrustedResourceUrl, UpstreamTimeout

UPSERT = CronofyRequest("POST", "/v1/calendars/cal_1/events", "de", '{"event_id": "grün"}')
SEND_NOW = CronofyRequest("POST", "/v1/meeting_agents", "us", "{}", is_idempotent=False)

type Handler = Callable[[httpx.Request], httpx.Response]


class Room:
    """A rate limiter with a fixed number of permits, which it counts."""

    def __init__(self, permits: int = 99) -> None:
        self.permits = permits
        self.used = 0

    def permit(self, data_center: str, share: float = 1.0) -> Permit:
        if self.used == self.permits:
            raise RateLimited(7)
        self.used += 1
        return Permit(data_center)


def cronofy(handler: Handler, room: Room | None = None, url: str = "https://{host}") -> CronofyClient:
    client = httpx.Client(transport=httpx.MockTransport(handler))
    return CronofyClient(client, url, room or Room(), lambda _: None)


class Script:
    """Answers in the given order, and records the requests."""

    def __init__(self, *answers: int | Exception) -> None:
        self.answers = list(answers)
        self.requests: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return httpx.Response(answer)


def test_a_request_goes_unchanged_to_the_data_centers_host() -> None:
    """Body, token and path."""
    script = Script(202)
    assert cronofy(script).send(UPSERT, "token").status == 202
    (request,) = script.requests
    assert str(request.url) == "https://api-de.cronofy.com/v1/calendars/cal_1/events"
    assert request.headers["authorization"] == "Bearer token"
    assert request.headers["content-type"] == "application/json; charset=utf-8"
    assert request.content == '{"event_id": "grün"}'.encode()


@pytest.mark.parametrize(
    "first", [500, 503, httpx.ReadTimeout("slow"), httpx.ConnectError("no"), httpx.ReadError("cut")]
)
def test_an_idempotent_request_is_tried_twice(first: int | Exception) -> None:
    """While the caller waits."""
    room, script = Room(), Script(first, 202)
    assert cronofy(script, room).send(UPSERT, "token") == CronofyResponse(202, tries=2)
    assert room.used == 2


@pytest.mark.parametrize("status", [200, 202, 400, 401, 402, 403, 404, 422, 423, 429, 302])
def test_only_a_5xx_is_worth_a_second_try(status: int) -> None:
    script = Script(status)
    assert cronofy(script).send(UPSERT, "token").status == status


def test_the_second_failure_is_the_result() -> None:
    assert cronofy(Script(500, 502)).send(UPSERT, "token").status == 502
    with pytest.raises(UpstreamTimeout):
        cronofy(Script(500, httpx.ReadTimeout("slow"))).send(UPSERT, "token")
    with pytest.raises(Unreachable):
        cronofy(Script(httpx.ConnectError("no"), httpx.ConnectTimeout("no"))).send(UPSERT, "token")


@pytest.mark.parametrize(
    ("first", "sent"),
    [(500, 1), (httpx.ReadTimeout("slow"), 1), (httpx.ReadError("cut"), 1), (httpx.ConnectError("no"), 2)],
)
def test_a_request_that_is_not_idempotent_is_tried_again_only_if_it_did_not_arrive(
    first: int | Exception, sent: int
) -> None:
    """It did not arrive if there was no connection."""
    script = Script(first, 200)
    try:
        answer = cronofy(script).send(SEND_NOW, "key")
    except UpstreamTimeout:
        answer = None
    assert len(script.requests) == sent
    assert (answer is not None and answer.status == 200) == (sent == 2)


def test_there_is_no_second_try_beyond_cronofys_limits() -> None:
    """The first failure is then the result."""
    script = Script(500, 202)
    assert cronofy(script, Room(1)).send(UPSERT, "token").status == 500
    with pytest.raises(UpstreamTimeout):
        cronofy(Script(httpx.ReadTimeout("slow"), 202), Room(1)).send(UPSERT, "token")
    with pytest.raises(RateLimited):
        cronofy(script, Room(0)).send(UPSERT, "token")


def test_a_permit_that_is_given_is_used() -> None:
    room = Room()
    cronofy(Script(202), room).send(UPSERT, "token", permit=Permit("de"))
    assert room.used == 0


def test_each_status_has_one_outcome() -> None:
    """https://docs.cronofy.com/developers/api/errors/."""
    assert {status for status in range(100, 600) if CronofyResponse(status).outcome is Outcome.ACCEPTED} == set(
        range(200, 300)
    )
    assert {status for status in range(100, 600) if CronofyResponse(status).outcome is Outcome.REJECTED} == set(
        range(400, 500)
    ) - {423, 429}


@pytest.mark.parametrize("body", [b"", b"<html>", b'{"a": ', b"\xff\xfe", b"[" * 100_000, b"null"])
def test_a_response_that_is_not_json_has_no_content(body: bytes) -> None:
    """Its status counts."""
    answer = cronofy(lambda _: httpx.Response(422, content=body)).send(UPSERT, "token")
    assert (answer.status, answer.content, answer.agent, answer.wrong_fields) == (422, None, {}, set())


@pytest.mark.parametrize("content", [{"meeting_agent": {"sub": "agt_1"}}, {"sub": "agt_1"}])
def test_both_shapes_of_the_beta_name_the_agent(content: dict[str, object]) -> None:
    """https://docs.cronofy.com/developers/api/meeting-agents/schedule/."""
    assert CronofyResponse(200, content).agent["sub"] == "agt_1"


@pytest.mark.parametrize(
    "content", [{"meeting_agent": None}, {"meeting_agent": {"sub": 1}}, {}, [], None, {"sub": None}]
)
def test_a_response_without_a_sub_names_no_agent(content: object) -> None:
    assert CronofyResponse(200, content).agent == {}


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        *(("120", 120.0), ("", None), ("soon", None), ("-1", None), ("²", None), ("٣", None)),
        *(("9" * 30, MAX_RETRY_AFTER), ("9" * 5000, MAX_RETRY_AFTER)),
        ("Wed, 29 Apr 2026 12:02:00 GMT", 120.0),
        ("Wed, 29 Apr 2026 11:00:00 GMT", 0.0),
        ("Thu, 31 Dec 9999 23:59:59 GMT", MAX_RETRY_AFTER),
        ("Wed, 29 Apr 2026 12:02:00", None),
    ],
)
def test_retry_after_is_read_as_a_number_or_a_time(value: str, seconds: float | None) -> None:
    """Cronofy does not document the header, so any value is possible; a long wait is limited to an hour."""
    headers = {"retry-after": value, "date": "Wed, 29 Apr 2026 12:00:00 GMT"}
    assert CronofyResponse.read(429, b"", headers).retry_after == seconds


def test_a_time_in_retry_after_needs_a_date() -> None:
    headers = {"retry-after": "Wed, 29 Apr 2026 12:02:00 GMT"}
    assert CronofyResponse.read(429, b"", headers).retry_after is None


@pytest.mark.parametrize(
    ("status", "body", "outcome"),
    [
        (202, b"", Outcome.ACCEPTED),
        (202, b" \n", Outcome.ACCEPTED),
        (200, b"{}", Outcome.ACCEPTED),
        (200, b"<html>Sign in to this network</html>", Outcome.RETRYABLE),
        (422, b"<html>", Outcome.REJECTED),
    ],
)
def test_a_success_that_is_not_json_is_not_accepted(status: int, body: bytes, outcome: Outcome) -> None:
    """It is the page of a proxy; Cronofy sends JSON or nothing."""
    assert cronofy(lambda _: httpx.Response(status, content=body)).send(UPSERT, "token").outcome is outcome


def test_headers_that_drip_in_end_with_the_total_time() -> None:
    """Each part comes in time, their sum does not."""

    def drip(connection: socket.socket) -> None:
        connection.recv(65536)
        with contextlib.suppress(OSError):
            for byte in b"HTTP/1.1 202 Accepted\r\n" + b"X-Slow: 1\r\n" * 50:
                connection.sendall(bytes([byte]))
                time.sleep(0.02)

    with httpx.Client(trust_env=False) as client, _silent_server(drip) as url:
        began = time.monotonic()
        with pytest.raises(UpstreamTimeout):
            CronofyClient(client, url, Room(), lambda _: None).send(UPSERT, "token", until=began + 1.0)
        assert time.monotonic() - began < 2.0


class Endless(httpx.SyncByteStream):
    """A body that does not end."""

    def __iter__(self) -> Iterator[bytes]:
        while True:
            yield b"x" * 100_000


class Broken(httpx.SyncByteStream):
    """A body that breaks off."""

    def __iter__(self) -> Iterator[bytes]:
        yield b'{"meeting_agent": {"sub"'
        raise httpx.RemoteProtocolError("peer closed connection")


@pytest.mark.parametrize("stream", [Endless(), Broken()])
def test_the_status_counts_even_if_the_body_does_not_end(stream: httpx.SyncByteStream) -> None:
    answer = cronofy(lambda _: httpx.Response(202, stream=stream)).send(UPSERT, "token")
    assert (answer.status, answer.content) == (202, None)


@pytest.mark.parametrize(("more", "is_read"), [(0, True), (1, False)])
def test_a_response_is_read_up_to_64_kb(more: int, is_read: bool) -> None:
    """A sixth of an item of the table; the rest is for the entry."""
    text = json.dumps({"x": "x" * (64 * 1024 - 9 + more)}, separators=(",", ":"))
    assert len(text) == 64 * 1024 - 1 + more
    answer = cronofy(lambda _: httpx.Response(202, text=text + " ")).send(UPSERT, "token")
    assert (answer.status, answer.content is not None) == (202, is_read)
    assert MAX_RESPONSE_BYTES == 64 * 1024


def test_the_repr_of_a_request_or_response_has_no_token_and_no_body() -> None:
    """It may get into a log line or a traceback."""
    assert "grün" not in repr(UPSERT)
    assert "agt_1" not in repr(
        CronofyResponse(200, {"sub": "agt_1"}, location="https://storage.example.com/?signature=1")
    )
    assert "signature" not in repr(CronofyResponse(200, location="https://storage.example.com/?signature=1"))


def test_a_request_to_a_silent_server_ends_in_time() -> None:
    """On a real socket that never answers: after the rest of the total time, as a timeout."""
    with httpx.Client() as client, _silent_server() as url:
        began = time.monotonic()
        with pytest.raises(UpstreamTimeout):
            CronofyClient(client, url, Room(), lambda _: None).send(UPSERT, "token", until=began + 1.0)
        assert TIMEOUT.read
        assert 0.9 < time.monotonic() - began < TIMEOUT.read
    assert TOTAL_TIMEOUT < 29 - 5  # the function's time limit, less the journal's share


class _silent_server:  # noqa: N801 - used like a function
    def __init__(self, respond: Callable[[socket.socket], None] = lambda _: None) -> None:
        self.respond = respond

    def __enter__(self) -> str:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.connections: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()
        return f"http://127.0.0.1:{self.listener.getsockname()[1]}"

    def _accept(self) -> None:
        try:
            while True:
                self.connections.append(self.listener.accept()[0])
                threading.Thread(target=self.respond, args=(self.connections[-1],), daemon=True).start()
        except OSError:
            return

    def __exit__(self, *_: object) -> None:
        self.listener.close()
        for connection in self.connections:
            connection.close()


# ------------------------------------------------------------------------------------------------------------ resources


@pytest.mark.parametrize(
    "url",
    [
        "https://api-de.cronofy.com/v1/resources/1",
        "https://files.cronofy.com/1",
    ],
)
def test_a_resource_is_requested_with_the_api_key_and_no_redirect_is_followed(url: str) -> None:
    """The redirect leads to another host."""
    script = Script(302)
    assert cronofy(script).resolve(url, "de", "CRN_key").status == 302
    (request,) = script.requests
    assert (str(request.url), request.method) == (url, "GET")
    assert request.headers["authorization"] == "Bearer CRN_key"


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example.com/v1/resources/1",
        "https://api-de.cronofy.com.evil.example.com/1",
        "https://evilcronofy.com/1",
        "http://api-de.cronofy.com/1",
        "https://api-de.cronofy.com:8443/1",
        "https://api-de.cronofy.com@evil.example.com/1",
        "//api-de.cronofy.com/1",
        "file:///etc/passwd",
        "https://[",
        "https://api-de.cronofy.com:port/1",
        "https://api-de.cronofy.com:99999/1",
        "https://api-de.cronofy.com/\x01",
        "https://api-de.cronofy.com/\ud800",
        "https://api-de.cronofy.com/" + "1" * 70_000,
        "",
    ],
)
def test_the_api_key_is_sent_to_cronofy_only(url: str) -> None:
    """Any address may be in a notification."""
    script = Script(302)
    with pytest.raises(UntrustedResourceUrl):
        cronofy(script).resolve(url, "de", "CRN_key")
    assert script.requests == []
