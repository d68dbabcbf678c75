"""Lists, and routes that read one item: the function in this process, on the embedded AWS."""

import base64
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import batched
from typing import Any
from urllib.parse import unquote

import pytest

from functions.provision import app
from functions.track import app as track
from meeting_agents import wiring
from meeting_agents.api import docs, pagination
from meeting_agents.aws.days import share_of
from meeting_agents.aws.entry_items import packed
from meeting_agents.aws.keys import SHARDS, day_index
from meeting_agents.aws.notifications import append_notification
from tests.callback import example
from tests.sandbox.embedded_aws import EmbeddedAws
from tests.tables import CONTEXT, Tables, made

AGENT = "ma_a2b3c4d5e6f7g2h3i4j5k6l7m2"
AGENTS = "/v1/meeting_agents"
LIST_FILTERS = "from, to, data_center, account, calendar_id, event_id, scheduling_key, label"


@pytest.fixture
def tables(aws: EmbeddedAws) -> Iterator[Tables]:
    with made(aws) as tables:
        yield tables


def get(path: str, method: str = "GET", **query: str) -> tuple[int, Any]:
    """Return the status and body of a response; API Gateway passes the path decoded."""
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
    response = app.handler(event, CONTEXT)
    is_json = "json" in response["headers"]["Content-Type"]
    return response["statusCode"], json.loads(response["body"]) if is_json else response["body"]


def test_a_notification_of_a_later_attempt_is_read_at_the_address_in_its_announcement(tables: Tables) -> None:
    """Its key has a dot, and the route restricts the characters of a key."""
    raw = json.dumps(example(extra="x" * 259_000)).encode()
    now = datetime.now(UTC)
    append_notification(wiring.agents_table(), AGENT, raw, at=now, attempt=2, signed_with="us:current")
    (line,) = wiring.journal().read(AGENT, datetime.now(UTC))
    assert track.handler(tables.batch((AGENT, line.entry.key)), CONTEXT) == {"batchItemFailures": []}
    (announcement,) = tables.announced()
    status, _ = get(unquote(announcement["data"]["notification"]["read"]))
    assert status == 200


def test_a_list_without_parameters_is_read_to_its_last_page(tables: Tables) -> None:
    """It has more days than one page queries."""
    _, page = get(AGENTS)
    pages = 1
    while page["next_cursor"]:
        status, page = get(AGENTS, cursor=page["next_cursor"])
        assert status == 200, page
        pages += 1
    assert pages == 2
    assert tables.calls.count("Query") == 16 * SHARDS


def test_a_page_reads_no_more_than_it_shows_and_a_rare_state_a_bounded_part(tables: Tables) -> None:
    """Each row that is read is paid for. A cursor leads on to what was not read, and nothing is left out."""
    key = tables.notify(AGENT)
    track.handler(tables.batch((AGENT, key)), CONTEXT)
    dynamodb = wiring.client("dynamodb")
    record = dynamodb.get_item(TableName=tables.table, Key={"pk": {"S": AGENT}, "sk": {"S": "record"}})["Item"]
    at = record["listed"]["S"].partition("#")[0]
    start = datetime.fromisoformat(at)
    for numbers in batched(range(pagination.MAX_READ + 100), 25, strict=False):
        copies = [record | packed({"pk": name} | day_index(name, start)) for name in (f"ma_{n:026}" for n in numbers)]
        dynamodb.batch_write_item(RequestItems={tables.table: [{"PutRequest": {"Item": item}} for item in copies]})
    read: list[int] = []
    dynamodb.meta.events.register("after-call.dynamodb.Query", lambda parsed, **_: read.append(parsed["ScannedCount"]))
    span = {"from": at, "to": f"{start + timedelta(seconds=1):%FT%TZ}"}

    _, page = get(AGENTS, limit="50", **span)
    assert (len(page["agents"]), sum(read)) == (50, SHARDS * share_of(50))
    read.clear()
    _, page = get(AGENTS, state="failed", **span)
    assert (page["agents"], sum(read)) == ([], pagination.MAX_READ)
    _, page = get(AGENTS, cursor=page["next_cursor"], state="activated", limit="100")
    assert len(page["agents"]) == 100
    _, page = get(AGENTS, cursor=page["next_cursor"], state="activated", limit="100")
    assert 0 < len(page["agents"]) < 10  # read again, since another shard's page ended before
    assert page["next_cursor"] is None


def test_an_empty_time_range_is_refused(tables: Tables) -> None:
    at = "2026-04-29T15:30:00Z"
    status, problem = get(AGENTS, **{"from": at, "to": at})
    assert (status, next(iter(problem["errors"]))) == (422, "to")
    assert tables.calls == []


def test_a_page_that_begins_at_the_end_of_its_list_is_empty(tables: Tables) -> None:
    """Without a query: DynamoDB refuses a BETWEEN whose bounds are reversed."""
    at = "2026-04-29T15:30:00.000Z"
    cursor = base64.urlsafe_b64encode(json.dumps([at, at]).encode()).decode()
    assert get(AGENTS, cursor=cursor) == (200, {"agents": [], "next_cursor": None})
    assert tables.calls == []


def test_the_first_days_of_the_calendar_have_no_agents(tables: Tables) -> None:
    """A year of less than four digits sorts as text too."""
    status, page = get(AGENTS, **{"from": "0001-01-01T00:00:00Z", "to": "0001-01-03T00:00:00Z"})
    assert (status, page["agents"]) == (200, [])
    assert tables.calls == ["Query"] * 3 * SHARDS


@pytest.mark.parametrize("bounds", [("20260101T000000Z", "20260102T000000Z"), ("2026-01-01", "2026-01-02")])
def test_a_cursor_in_another_format_is_refused(tables: Tables, bounds: tuple[str, str]) -> None:
    status, problem = get(AGENTS, cursor=base64.urlsafe_b64encode(json.dumps(bounds).encode()).decode())
    assert (status, next(iter(problem["errors"]))) == (422, "cursor")
    assert tables.calls == []


@pytest.mark.parametrize(
    ("path", "method", "parameters"),
    [
        (
            AGENTS,
            "GET",
            f"known are state, incident, {LIST_FILTERS}, limit, cursor",
        ),
        (f"{AGENTS}/{AGENT}/resources/transcript", "GET", "known are type, format, rendition"),
        (f"{AGENTS}/{AGENT}/replay", "POST", "known are from, to, state, dry_run"),
        (f"{AGENTS}/{AGENT}", "GET", "the request has none"),
        ("/openapi.json", "GET", "the request has none"),
    ],
)
def test_an_unknown_query_parameter_is_refused(tables: Tables, path: str, method: str, parameters: str) -> None:
    """An ignored filter would list everything, an ignored `dry_run` would act."""
    tables.notify(AGENT)
    status, problem = get(path, method, stat="failed", State="failed")
    assert (status, problem["code"]) == (422, "invalid_request")
    errors = [{"key": "errors.invalid", "description": f"no such parameter; {parameters}"}]
    assert problem["errors"] == {"stat": errors, "State": errors}
    assert tables.calls == []
    assert tables.announced() == []


def test_unknown_and_invalid_parameters_are_named_together(tables: Tables) -> None:
    status, problem = get(AGENTS, limit="0", dry="true")
    assert (status, set(problem["errors"])) == (422, {"limit", "dry"})
    assert tables.calls == []


def test_a_signature_may_be_in_the_query(tables: Tables) -> None:
    """AWS accepts it there: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-authentication-methods.html."""
    assert get(AGENTS, **{"X-Amz-Signature": "0", "x-amz-date": "0"})[0] == 200
    assert tables.calls


@pytest.mark.parametrize("url", ["javascript:alert(1)", "https://app.cronofy.com/\nSet-Cookie: a=b", "//example.com"])
def test_a_dashboard_address_that_is_not_a_link_is_not_redirected_to(tables: Tables, url: str) -> None:
    """Even if a signed notification has it."""
    tables.notify(AGENT, meeting_agent={"sub": "agt_1", "resources": [{"category": "cronofy", "url": url}]})
    status, problem = get(f"{AGENTS}/{AGENT}/resources/cronofy")
    assert (status, problem["code"]) == (502, "untrusted_resource_url")


def test_an_unexpected_error_is_logged_without_its_message(tables: Tables, caplog: pytest.LogCaptureFixture) -> None:
    """The message may quote the request."""
    join_link = "https://zoom.us/j/1?pwd=marked"

    def fail(**_: Any) -> None:
        raise LookupError(join_link)

    wiring._session().register("before-send", fail)
    status, problem = get(f"{AGENTS}/{AGENT}")
    assert (status, problem["code"]) == (500, "internal_error")
    (record,) = [record for record in caplog.records if record.levelname == "ERROR"]
    fields = vars(record)
    assert (fields["kind"], fields["exc_info"]) == ("LookupError", None)
    assert "test_pagination.py" in fields["line"]
    assert join_link not in repr(fields) + caplog.text


def test_the_description_says_that_callers_share_their_idempotency_keys() -> None:
    """Two callers with the same key get the same agent, or a refusal."""
    parameters = docs.document(app.app, "https://api.example.com")["paths"][AGENTS]["post"]["parameters"]
    (description,) = [parameter["description"] for parameter in parameters if parameter["name"] == "Idempotency-Key"]
    assert "All callers of the deployment share" in description
