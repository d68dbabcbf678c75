"""Any request: never a 5xx; at the webhook nothing is stored that Cronofy did not sign.

`make fuzz` generates 100,000 requests to the webhook and 5,000 to the API; the quick form in `make test`, some hundred.
"""

import base64
import hmac
import json
import os
import zlib
from collections.abc import Iterator
from hashlib import sha256
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from functions.provision import app as provision
from functions.webhook import app
from meeting_agents import wiring
from meeting_agents.api import docs
from meeting_agents.cronofy.signature import HEADER
from tests.callback import example
from tests.component.test_webhook import CONTEXT, event
from tests.hostile import bodies, jsons
from tests.sandbox.stage import CALENDAR, Stage
from tests.wire import CURRENT, ENVIRONMENT, PREVIOUS, Aws, forget

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "300"))
SECRETS = (CURRENT, PREVIOUS)

members = st.sampled_from(["notification", "event", "meeting_agent", "", "extra"])
callbacks = st.dictionaries(members, jsons, max_size=3).map(lambda changes: json.dumps(example() | changes).encode())
notifications = st.one_of(
    callbacks,
    bodies,
    st.text(max_size=200).map(lambda text: text.encode("utf-8", "surrogatepass")),
    st.sampled_from([b"{}", b"[" * 5000, b"\xff\xfe", b"0" * app.MAX_BODY_BYTES, b"0" * (app.MAX_BODY_BYTES + 1)]),
)
secrets = st.sampled_from([*SECRETS, "CRN_of_another", ""])
agents = st.sampled_from(["ma_6k3q5n2wv7jx4ypzc2drtb5e7a", "x", "a" * 128, "a" * 129, "..", "a/b", ""]) | st.text(
    max_size=140
)
attempts = (
    st.none() | st.sampled_from(["1", "2", "999999", "1000000", "2,3", "-1", "٢", "0x2", ""]) | st.text(max_size=8)
)


def digest(body: bytes, secret: str) -> str:
    """The signature by Cronofy's documentation, independent of our own code."""
    return base64.b64encode(hmac.new(secret.encode(), body, sha256).digest()).decode()


@st.composite
def headers(draw: st.DrawFn, body: bytes) -> str | None:
    """Nothing, nonsense, or a list of values: right ones, foreign ones, damaged ones."""
    if draw(st.integers(0, 9)) == 0:
        return draw(st.none() | st.text(max_size=100))
    values = []
    for secret in draw(st.lists(secrets, min_size=1, max_size=4)):
        value = digest(body, secret)
        match draw(st.integers(0, 9)):
            case 0:
                value = value.rstrip("=")
            case 1:
                value = value.replace("+", "-").replace("/", "_")
            case 2:
                value = value.lower()
            case 3:
                value = value[1:] + value[:1]
            case 4:
                value = digest(body + b" ", secret)
        values.append(draw(st.sampled_from(["", " ", "\t"])) + value + draw(st.sampled_from(["", " ", "\t ", "é"])))
    return ",".join(values)


@st.composite
def callbacks_as_sent(draw: st.DrawFn) -> tuple[dict[str, Any], bytes | None]:
    """A whole Lambda event, and the bytes that were received; none where the event is no such thing."""
    body = draw(notifications)
    received: bytes | None = body
    one: dict[str, Any] = event("activated")
    one["headers"][HEADER] = draw(headers(body))
    if one["headers"][HEADER] is None:
        one["headers"] = draw(st.sampled_from([{}, None]))
    one["pathParameters"] = {"agent_id": draw(agents)}
    if (attempt := draw(attempts)) is not None:
        one["queryStringParameters"] = {"attempt": attempt}
    one["isBase64Encoded"] = draw(st.booleans())
    if one["isBase64Encoded"]:
        one["body"] = base64.b64encode(body).decode()
        if draw(st.integers(0, 19)) == 0:
            one["body"], received = draw(st.text(max_size=9)), None
    else:
        try:
            one["body"] = body.decode("utf-8", "surrogatepass")
        except UnicodeDecodeError:
            one["body"], received = body.decode("utf-8", "replace"), None
    return one, received


@pytest.fixture(scope="module")
def wire() -> Iterator[Aws]:
    """One process for all requests, as a warm function is."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in ENVIRONMENT.items():
            patch.setenv(name, value)
        forget()
        wire = Aws()
        wiring._session().register("before-send", wire)
        app.logger.setLevel("CRITICAL")
        yield wire
        app.logger.setLevel("INFO")


@given(request=callbacks_as_sent())
@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
def test_no_request_breaks_the_receiver_and_nothing_unsigned_is_stored(
    wire: Aws, request: tuple[dict[str, Any], bytes | None]
) -> None:
    """Accepted exactly when one value of the header is a digest of the very bytes, under an address that may be one."""
    one, received = request
    wire.items.clear()
    writes = wire.calls.count("PutItem")

    answer = app.handler(one, CONTEXT)

    assert answer["statusCode"] in (200, 401, 404, 413)
    offered = [value.strip(" \t") for value in ((one["headers"] or {}).get(HEADER) or "").split(",")]
    if answer["statusCode"] == 200:
        (item,) = wire.items.values()
        stored = zlib.decompress(base64.b64decode(item["zipped"]["B"]))
        assert any(digest(stored, secret) in offered for secret in SECRETS)
        assert received is None or stored == received
    else:
        assert not wire.items
        assert wire.calls.count("PutItem") == writes
    if received is not None and len(received) <= app.MAX_BODY_BYTES and answer["statusCode"] != 404:
        is_signed = any(digest(received, secret) in offered for secret in SECRETS)
        assert answer["statusCode"] == (200 if is_signed else 401)


TAKING = [
    (method.upper(), path, {*operation["responses"]})
    for path, methods in docs.document(provision.app, "https://api.example.com")["paths"].items()
    for method, operation in methods.items()
    if "requestBody" in operation
]
"""The routes that take a body, and the statuses that each is described with."""
IDENTIFIERS = {
    "calendar_id": CALENDAR,
    "agent_id": "ma_fuzzed",
    "account_id": "fuzzed",
    "group_type": "account_disconnected",
    "name": "fuzzed",
}


@given(
    route=st.sampled_from(TAKING),
    body=bodies,
    headers=st.fixed_dictionaries(
        {},
        optional={
            "Content-Type": st.sampled_from(["application/json", "text/xml", "application/json; charset=utf-16", "/"]),
            "Cronofy-Data-Center": st.sampled_from(["de", "mars", ""]),
            "Cronofy-Account": st.sampled_from(["fuzzed", "..", "a" * 200]),
            "Idempotency-Key": st.sampled_from(["1", "a" * 300, "{}"]),
        },
    ),
)
@settings(max_examples=max(100, EXAMPLES // 20), deadline=None, suppress_health_check=list(HealthCheck))
def test_no_body_breaks_the_api(
    stage: Stage, route: tuple[str, str, set[str]], body: bytes, headers: dict[str, str]
) -> None:
    """Every answer is one that the route is described with, and every refusal a problem."""
    method, path, described = route
    answer = stage.api.request(method, path.format(**IDENTIFIERS), content=body, headers=headers)
    assert str(answer.status_code) in described
    assert answer.status_code < 500
    if answer.is_error:
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["status"] == answer.status_code
