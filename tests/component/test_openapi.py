"""The API's description is complete and true."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

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
from tests.sandbox.deployment import source_template
from tests.sandbox.stage import Stage

TEMPLATE = source_template()
UNLISTED = {"GET /openapi.json", "GET /docs"}
"""The routes that describe the API are no part of it."""


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
    """With the deployment's address."""
    assert document == docs.document(provision.app, stage.stack.api_url)


def test_the_document_has_exactly_the_routes_of_the_template(document: dict[str, Any]) -> None:
    events = TEMPLATE["Resources"]["ProvisionFunction"]["Properties"]["Events"].values()
    routes = {f"{event['Properties']['Method']} {event['Properties']['Path']}" for event in events}
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


@schemathesis.openapi.from_dict(docs.document(provision.app, "http://127.0.0.1")).parametrize()
@settings(
    max_examples=12,
    deadline=None,
    derandomize=True,
    suppress_health_check=[*HealthCheck],  # a whole stack is slow
)
def test_generated_requests_get_the_described_responses(case: Any, stage: Stage) -> None:
    """No 5xx, and no status, type or shape that is not described, for valid and invalid input."""
    response = case.call(
        base_url=stage.stack.api_url, headers={"Cronofy-Authorization": f"Bearer {stage.grant.access_token}"}
    )
    case.validate_response(
        response,
        checks=[not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance],
    )


def test_a_path_without_a_route_is_not_found(stage: Stage) -> None:
    """API Gateway responds, not this function."""
    assert httpx.get(f"{stage.stack.api_url}/nowhere", trust_env=False).status_code == 404
