"""The API's description is complete and true."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from functions.provision import app as provision
from meeting_agents.api import docs
from meeting_agents.aws.dynamodb import Table
from meeting_agents.aws.groups import Groups
from meeting_agents.domain.groups import Group
from meeting_agents.domain.model import AlertStatus, IncidentType, Severity
from meeting_agents.domain.record import LastAlert
from tests.sandbox.deployment import source_template
from tests.sandbox.stage import CALENDAR, Stage, wait_until

TEMPLATE = source_template()
UNLISTED = {"GET /openapi.json", "GET /docs", "ANY /$default"}
"""The routes that describe the API are no part of it, nor is the one that refuses all else."""
AGES = (timedelta(0), timedelta(minutes=5))


@pytest.fixture(scope="module")
def document(stage: Stage) -> dict[str, Any]:
    response = stage.api.get("/openapi.json")
    assert response.headers["content-type"] == "application/json"
    content: dict[str, Any] = response.json()
    return content


def operations(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {
        f"{method.upper()} {path}": operation
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    }


def test_the_served_document_is_the_one_made_from_the_code(stage: Stage, document: dict[str, Any]) -> None:
    """With the deployment's address; the dates of its examples are those of the day, which may just have ended."""
    made = [docs.document(provision.app, stage.stack.api_url, "us", datetime.now(UTC) - ago) for ago in AGES]
    assert document in made


def test_the_document_has_exactly_the_routes_of_the_template(document: dict[str, Any]) -> None:
    events = TEMPLATE["Resources"]["ProvisionFunction"]["Properties"]["Events"].values()
    routes = {
        f"{event['Properties'].get('Method', 'ANY')} {event['Properties'].get('Path', '/$default')}" for event in events
    }
    assert {*operations(document)} == routes - UNLISTED
    assert routes > UNLISTED


def test_every_operation_has_a_summary_and_its_responses(document: dict[str, Any]) -> None:
    """A name, a sentence, a description of each status, and one shape for all errors."""
    names = [operation["operationId"] for operation in operations(document).values()]
    assert len(names) == len(set(names))
    for operation in operations(document).values():
        assert operation["summary"].endswith(".")
        assert operation["tags"]
        responses = operation["responses"]
        assert {"422", "500", "503"} <= set(responses)
        for status, response in responses.items():
            assert response["description"]
            if int(status) >= 400:
                reference = response["content"]["application/problem+json"]["schema"]["$ref"]
                assert reference == "#/components/schemas/Problem"


def test_every_known_field_of_a_request_is_described(document: dict[str, Any]) -> None:
    """With its limits; unknown fields are allowed."""
    schemas = document["components"]["schemas"]
    event = schemas["CalendarEventRequest"]
    assert {*event["properties"]} == {
        *("event_id", "summary", "description", "start", "end", "tzid"),
        *("conferencing", "meeting_agent", "subscriptions"),
    }
    assert event["additionalProperties"] is True
    assert (event["properties"]["summary"]["maxLength"], event["properties"]["description"]["maxLength"]) == (
        1024,
        4096,
    )
    assert {*schemas["AgentRequest"]["properties"]} == {
        *("join_url", "on_behalf_of_attendee", "scheduling_key", "join_time"),
        *("display_name", "image_url", "subscriptions"),
    }
    assert {*schemas["Subscription"]["properties"]} == {"type", "uri", "interactions", "transitions"}
    assert {*schemas["MeetingAgentField"]["properties"]} == {"profile_id", "display_name", "image_url"}


def test_the_page_loads_nothing_from_other_sites(stage: Stage) -> None:
    """No script, style, image or font; and its link to the document works."""
    response = stage.api.get("/docs")
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    markup = re.sub(r"<(script|style)>.*?</\1>", "", response.text, flags=re.DOTALL)
    assert not re.search(r"(?:src|href|url)\s*=", markup)
    style = "".join(re.findall(r"<style>(.*?)</style>", response.text, re.DOTALL))
    assert {url.partition(":")[0] for url in re.findall(r"url\(['\"]?([^)]*)", style)} <= {"data"}
    assert stage.api.get("/docs", params={"format": "json"}).json()["openapi"].startswith("3.1")


@pytest.mark.skipif(not shutil.which("chromium"), reason="needs Chromium")
def test_the_page_works_in_a_browser(stage: Stage, tmp_path: Path) -> None:
    """It shows each operation."""
    command = ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=10000", "--dump-dom"]
    run = subprocess.run(
        [*command, f"--user-data-dir={tmp_path}", f"{stage.stack.api_url}/docs"],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert run.stdout.count('class="opblock opblock-') > 12
    assert "Create or change a calendar event, with its meeting agent." in run.stdout


@pytest.fixture
def healthy(stage: Stage) -> Iterator[None]:
    """Cronofy without faults, before and after."""
    stage.cronofy.faults.clear()
    yield
    stage.cronofy.faults.clear()


@pytest.mark.usefixtures("healthy")
def test_every_example_is_a_request_that_succeeds(stage: Stage, document: dict[str, Any]) -> None:
    """In the order in which a newcomer would try them; only what a deployment alone knows is put in its place."""
    grant = stage.cronofy.grant("us", calendars=(CALENDAR,))
    sent = Examples(stage, document)
    assert sent("register_account", refresh_token=grant.refresh_token).json()["verified"]
    assert sent("read_account").json()["data_center"] == "us"
    assert sent("list_accounts").json()["accounts"]

    is_down: dict[str, Any] = {"status": 503, "times": None}
    stage.cronofy.faults.add("POST", f"/v1/calendars/{CALENDAR}/events", **is_down)
    waiting = sent("upsert_calendar_event")
    assert waiting.json()["agent"]["state"] == "requested"
    agent = sent("read_agent")
    assert waiting.headers["Location"] == str(agent.url)
    stage.cronofy.revoke(grant)
    stage.cronofy.faults.clear()
    wait_until(lambda: stage.api.get("/v1/incidents?type=account_disconnected").json()["incidents"])
    alert_about_the_account(stage, sent.account)
    assert sent("acknowledge_group").json()["acknowledgement"]["note"] == "I ask Marty to connect again"
    stage.cronofy.faults.add("POST", f"/v1/calendars/{CALENDAR}/events", **is_down)
    grant = stage.cronofy.grant("us", calendars=(CALENDAR,))
    sent("register_account", refresh_token=grant.refresh_token)
    assert sent("retry_agent").json()["agent"]["state"] == "requested"
    stage.cronofy.faults.clear()  # and a sweep sends it again, unless this is sooner
    wait_until(lambda: retried(stage, str(agent.url)))
    stage.cronofy.activate(document_event(document))
    [key] = [entry["key"] for entry in sent("read_agent").json()["timeline"] if entry["kind"] == "activated"]
    assert sent("read_notification", key=key).content
    stage.cronofy.complete(document_event(document))
    assert sent("read_resource").headers["Location"].startswith("http")
    assert sent("acknowledge_agent").json()["timeline"][-1]["kind"] == "acknowledged"
    assert sent("replay_agent").json()["announcements"]
    assert sent("put_silence").json()["status"] == "active"
    assert sent("read_silence").json()["why"]
    assert sent("list_silences").json()["silences"]
    assert sent("delete_silence").status_code == 204
    assert sent("list_agents").json()["agents"]
    assert "incidents" in sent("list_incidents").json()
    assert sent("delete_calendar_event").status_code in (200, 202)
    assert sent("request_agent").json()["agent"]["state"] == "scheduled"
    assert sent("cancel_agent").json()["agent"]["state"] == "cancelled"
    assert sent("erase_agent").json() == sent("read_erasure").json()
    assert sent("delete_account").status_code == 204
    assert sent.names == {operation["operationId"] for operation in operations(document).values()}


def retried(stage: Stage, agent_url: str) -> bool:
    stage.api.post(f"{agent_url}/retry")
    return bool(stage.api.get(agent_url).json()["state"] == "scheduled")


class Examples:
    """Sends the example of an operation, as the page's form does: path, headers, body."""

    def __init__(self, stage: Stage, document: dict[str, Any]) -> None:
        self.names: set[str] = set()
        self._address = stage.stack.api_url
        self.account: str = operations(document)["PUT /v1/accounts/{account_id}"]["parameters"][0]["example"]
        self._operations = {
            operation["operationId"]: (route, operation) for route, operation in operations(document).items()
        }

    def __call__(self, name: str, **known: str) -> httpx.Response:
        """`known`: the values of the path and the body that only the deployment knows."""
        route, operation = self._operations[name]
        method, _, path = route.partition(" ")
        parameters = {
            where: {
                parameter["name"]: parameter["example"]
                for parameter in operation.get("parameters", [])
                if parameter["in"] == where and "example" in parameter
            }
            for where in ("path", "query", "header")
        }
        body = operation.get("requestBody", {"content": {"application/json": {}}})["content"]["application/json"]
        content = {field: known.get(field, value) for field, value in body.get("example", {}).items()}
        filled = path.format_map({field: quote(known.get(field, value)) for field, value in parameters["path"].items()})
        response = httpx.request(
            method,
            self._address + filled,
            timeout=40,
            trust_env=False,
            params=parameters["query"],
            headers=parameters["header"],
            json=content or None,
        )
        assert response.status_code < 400, f"{name}: {response.text}"
        self.names.add(name)
        return response


def alert_about_the_account(stage: Stage, account: str) -> None:
    """Record the alert that people get when the incident has stood for its patience of ten minutes."""
    table = Table(stage.stack.session.client("dynamodb"), stage.stack.outputs["AgentsTableName"])
    groups, group = Groups(table, lambda _: None), Group(IncidentType.ACCOUNT_DISCONNECTED, account)
    alert = LastAlert(status=AlertStatus.FIRING, severity=Severity.WARNING, at=datetime.now(UTC), count=1)
    groups.record_alert(group, groups.read(group), alert)


def document_event(document: dict[str, Any]) -> str:
    body = document["paths"]["/v1/calendars/{calendar_id}/events"]["post"]["requestBody"]
    event_id: str = body["content"]["application/json"]["example"]["event_id"]
    return event_id


LIBRARY_PHRASES = re.compile(r"(String|Input|List|Value) (should|error)|Expecting |pydantic|\^\[|\\\\x00")
"""Words of pydantic and of Python's JSON reader, and pieces of a pattern."""


@schemathesis.openapi.from_dict(docs.document(provision.app, "http://127.0.0.1")).parametrize()
@settings(
    max_examples=12,
    deadline=None,
    derandomize=True,
    suppress_health_check=[*HealthCheck],  # a whole stack is slow
)
def test_generated_requests_get_the_described_responses(case: Any, stage: Stage) -> None:
    """No 5xx, no status, type or shape that is not described, and no word of a library, for valid and invalid input."""
    response = case.call(
        base_url=stage.stack.api_url, headers={"Cronofy-Authorization": f"Bearer {stage.grant.access_token}"}
    )
    assert not LIBRARY_PHRASES.search(response.text)
    case.validate_response(
        response,
        checks=[not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance],
    )


@pytest.mark.parametrize("path", ["/oauth/token", "/oauth/token/revoke"])
def test_a_token_request_is_refused_and_nothing_of_it_is_kept(stage: Stage, path: str) -> None:
    secret = "a-client-secret-that-must-not-be-here"
    response = stage.api.post(path, json={"client_secret": secret})
    assert (response.status_code, response.json()["code"]) == (421, "send_to_cronofy")
    assert f"https://api.cronofy.com{path}" in response.json()["detail"]
    logs = stage.stack.session.client("logs")
    messages = [
        event["message"]
        for group in logs.describe_log_groups()["logGroups"]
        for event in logs.filter_log_events(logGroupName=group["logGroupName"])["events"]
    ]
    assert any("421" in message for message in messages)
    assert not any(secret in message for message in messages)


@pytest.mark.parametrize("path", ["/nowhere", "/v1/userinfo", "/v1/events", "/v1/meeting_agent"])
def test_a_path_without_a_route_names_the_one_who_may_have_it(stage: Stage, path: str) -> None:
    response = stage.api.get(path, headers={"Cronofy-Data-Center": "de"})
    assert (response.status_code, response.json()["code"]) == (404, "route_not_found")
    assert response.json()["detail"] == (
        f"there is no GET {path} here; what concerns no meeting agent goes to https://api-de.cronofy.com"
    )
