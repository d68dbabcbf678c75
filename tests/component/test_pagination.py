"""Lists to their last page, and notifications by their key: the function in this process, on the embedded AWS."""

import base64
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote

import pytest

from functions.provision import app
from functions.track import app as track
from meeting_agents import wiring
from meeting_agents.api import docs
from meeting_agents.aws.notifications import append_notification
from tests.answers import example
from tests.sandbox.embedded_aws import EmbeddedAws
from tests.tables import CONTEXT, Tables, made

AGENT = "ma_a2b3c4d5e6f7g2h3i4j5k6l7m2"
AGENTS = "/v1/meeting_agents"


@pytest.fixture
def tables(aws: EmbeddedAws) -> Iterator[Tables]:
    with made(aws) as tables:
        yield tables


def get(path: str, method: str = "GET", **query: str) -> tuple[int, Any]:
    """The status and body of an answer to what API Gateway hands over: the path decoded."""
    event = {
        "version": "2.0",
        "rawPath": path,
        "rawQueryString": "",
        "headers": {},
        "queryStringParameters": query,
        "requestContext": {
            "domainName": "api.example.com",
            "stage": "$default",
            "http": {"method": method, "path": path},
        },
        "isBase64Encoded": False,
    }
    answer = app.handler(event, CONTEXT)
    is_json = "json" in answer["headers"]["Content-Type"]
    return answer["statusCode"], json.loads(answer["body"]) if is_json else answer["body"]


def test_a_notification_of_a_later_attempt_is_read_where_its_announcement_says(tables: Tables) -> None:
    """A path comes decoded, and a route takes only some characters."""
    raw = json.dumps(example(extra="x" * 259_000)).encode()
    now = datetime.now(UTC)
    append_notification(wiring.agents_table(), AGENT, raw, at=now, attempt=2, signed_with="us:current")
    (line,) = wiring.journal().read(AGENT, datetime.now(UTC))
    assert track.handler(tables.batch((AGENT, line.entry.key)), CONTEXT) == {"batchItemFailures": []}
    (announcement,) = tables.announced()
    status, _ = get(unquote(announcement["data"]["notification"]["read"]))
    assert status == 200


def test_a_list_without_parameters_is_read_to_its_last_page(tables: Tables) -> None:
    """Though its days are more than one answer reads."""
    _, page = get(AGENTS)
    pages = 1
    while page["next_cursor"]:
        status, page = get(AGENTS, cursor=page["next_cursor"])
        assert status == 200, page
        pages += 1
    assert pages == 2
    assert tables.calls.count("Query") == 16


def test_a_window_without_length_is_refused(tables: Tables) -> None:
    """It has no agents, whoever asks for it means something else."""
    at = "2026-04-29T15:30:00Z"
    status, problem = get(AGENTS, **{"from": at, "to": at})
    assert (status, problem["errors"][0]["field"]) == (422, "to")
    assert tables.calls == []


def test_a_page_that_begins_at_the_end_of_its_list_is_empty(tables: Tables) -> None:
    """DynamoDB refuses to look between a place and one before it, so it is not asked."""
    at = "2026-04-29T15:30:00.000Z"
    cursor = base64.urlsafe_b64encode(json.dumps([at, at]).encode()).decode()
    assert get(AGENTS, cursor=cursor) == (200, {"agents": [], "next_cursor": None})
    assert tables.calls == []


def test_the_first_days_of_the_calendar_have_no_agents(tables: Tables) -> None:
    """A year of less than four digits sorts as text all the same."""
    status, page = get(AGENTS, **{"from": "0001-01-01T00:00:00Z", "to": "0001-01-03T00:00:00Z"})
    assert (status, page["agents"]) == (200, [])
    assert tables.calls == ["Query"] * 3


@pytest.mark.parametrize("places", [("20260101T000000Z", "20260102T000000Z"), ("2026-01-01", "2026-01-02")])
def test_a_cursor_that_is_not_written_as_ours_are_is_refused(tables: Tables, places: tuple[str, str]) -> None:
    """Though it names two times."""
    status, problem = get(AGENTS, cursor=base64.urlsafe_b64encode(json.dumps(places).encode()).decode())
    assert (status, problem["errors"][0]["field"]) == (422, "cursor")
    assert tables.calls == []


@pytest.mark.parametrize(
    ("path", "method", "taken"),
    [
        (
            AGENTS,
            "GET",
            "known are state, from, to, data_center, account, calendar_id, event_id, scheduling_key, limit, cursor",
        ),
        (f"{AGENTS}/{AGENT}/resources/transcript", "GET", "known are type, format"),
        (f"{AGENTS}/{AGENT}/replay", "POST", "known are from, to, state, dry_run"),
        (f"{AGENTS}/{AGENT}", "GET", "the request has none"),
        ("/openapi.json", "GET", "the request has none"),
    ],
)
def test_a_parameter_that_a_route_does_not_have_is_refused(tables: Tables, path: str, method: str, taken: str) -> None:
    """Overlooked, a filter would let everything through, and a trial run would be none."""
    tables.notify(AGENT)
    status, problem = get(path, method, stat="failed", State="failed")
    assert (status, problem["code"]) == (422, "invalid_request")
    expected = f"no such parameter; {taken}"
    assert problem["errors"] == [{"field": "stat", "expected": expected}, {"field": "State", "expected": expected}]
    assert tables.calls == []
    assert tables.announced() == []


def test_an_unknown_parameter_is_named_beside_a_wrong_one(tables: Tables) -> None:
    status, problem = get(AGENTS, limit="0", dry="true")
    assert (status, {wrong["field"] for wrong in problem["errors"]}) == (422, {"limit", "dry"})
    assert tables.calls == []


def test_a_signature_may_stand_in_the_query(tables: Tables) -> None:
    """AWS takes one there as well as in headers: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-authentication-methods.html."""
    assert get(AGENTS, **{"X-Amz-Signature": "0", "x-amz-date": "0"})[0] == 200
    assert tables.calls


@pytest.mark.parametrize("url", ["javascript:alert(1)", "https://app.cronofy.com/\nSet-Cookie: a=b", "//example.com"])
def test_nobody_is_led_to_a_dashboard_whose_address_is_no_link(tables: Tables, url: str) -> None:
    """Though a signed notification named it as one."""
    tables.notify(AGENT, meeting_agent={"sub": "agt_1", "resources": [{"category": "cronofy", "url": url}]})
    status, problem = get(f"{AGENTS}/{AGENT}/resources/cronofy")
    assert (status, problem["code"]) == (502, "untrusted_resource_url")


def test_an_unforeseen_error_is_logged_by_its_place_alone(tables: Tables, caplog: pytest.LogCaptureFixture) -> None:
    """Its own words may quote what was asked, and a log is read by more people than a calendar is."""
    join_link = "https://zoom.us/j/1?pwd=marked"

    def fail(**_: Any) -> None:
        raise LookupError(join_link)

    wiring._session().register("before-send", fail)
    status, problem = get(f"{AGENTS}/{AGENT}")
    assert (status, problem["code"]) == (500, "internal_error")
    (record,) = [one for one in caplog.records if one.levelname == "ERROR"]
    told = vars(record)
    assert (told["kind"], told["exc_info"]) == ("LookupError", None)
    assert "test_listing.py" in told["line"]
    assert join_link not in repr(told) + caplog.text


def test_callers_are_told_that_they_share_their_idempotency_keys() -> None:
    """Two who take the same one get the same agent, or a refusal."""
    parameters = docs.document(app.app, "https://api.example.com")["paths"][AGENTS]["post"]["parameters"]
    (described,) = [one["description"] for one in parameters if one["name"] == "idempotency-key"]
    assert "All callers of the deployment share" in described
