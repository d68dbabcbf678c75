"""The API's own description is complete and true: whatever is asked by it is answered as it says."""

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
"""What describes the API is no part of it."""


@pytest.fixture(scope="module")
def document(stage: Stage) -> dict[str, Any]:
    answer = stage.api.get("/openapi.json")
    assert answer.headers["content-type"] == "application/json"
    content: dict[str, Any] = answer.json()
    return content


def operations(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {
        f"{method.upper()} {path}": operation
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    }


def test_what_is_served_is_what_is_made_from_the_code(stage: Stage, document: dict[str, Any]) -> None:
    """At the address where the deployment is reached."""
    assert document == docs.document(provision.app, stage.stack.api_url)


def test_every_route_is_described_and_every_description_is_a_route(document: dict[str, Any]) -> None:
    """The template's routes of this function, and no others."""
    events = TEMPLATE["Resources"]["ProvisionFunction"]["Properties"]["Events"].values()
    routes = {f"{event['Properties']['Method']} {event['Properties']['Path']}" for event in events}
    assert {*operations(document)} == routes - UNLISTED
    assert routes > UNLISTED


def test_every_operation_says_what_it_is_for_and_how_it_may_fail(document: dict[str, Any]) -> None:
    """A name, a sentence, an answer for each status, and for each error the same shape."""
    names = [operation["operationId"] for operation in operations(document).values()]
    assert len(names) == len(set(names))
    for operation in operations(document).values():
        assert operation["summary"].endswith(".")
        assert operation["tags"]
        answers = operation["responses"]
        assert {"422", "500", "503"} <= set(answers)
        for status, answer in answers.items():
            assert answer["description"]
            if int(status) >= 400:
                reference = answer["content"]["application/problem+json"]["schema"]["$ref"]
                assert reference == "#/components/schemas/Problem"


def test_every_field_of_a_request_to_cronofy_is_described(document: dict[str, Any]) -> None:
    """With its limits, and with room for the fields that we do not know."""
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


def test_the_page_asks_nobody_else_for_anything(stage: Stage) -> None:
    """Neither script nor style nor picture nor font; and a link to the document leads to it."""
    answer = stage.api.get("/docs")
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    markup = re.sub(r"<(script|style)>.*?</\1>", "", answer.text, flags=re.DOTALL)
    assert not re.search(r"(?:src|href|url)\s*=", markup)
    style = "".join(re.findall(r"<style>(.*?)</style>", answer.text, re.DOTALL))
    assert {url.partition(":")[0] for url in re.findall(r"url\(['\"]?([^)]*)", style)} <= {"data"}
    assert stage.api.get("/docs", params={"format": "json"}).json()["openapi"].startswith("3.1")


@pytest.mark.skipif(not shutil.which("chromium"), reason="needs Chromium")
def test_the_page_works_in_a_browser(stage: Stage, tmp_path: Path) -> None:
    """Each operation is drawn there."""
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
    suppress_health_check=[*HealthCheck],  # whoever asks a whole stack is slow
)
def test_whatever_is_asked_by_the_description_is_answered_as_it_says(case: Any, stage: Stage) -> None:
    """No 5xx, no status, type or shape that is not described: right input and wrong."""
    answer = case.call(
        base_url=stage.stack.api_url, headers={"Cronofy-Authorization": f"Bearer {stage.grant.access_token}"}
    )
    case.validate_response(
        answer,
        checks=[not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance],
    )


def test_what_no_route_takes_is_refused_in_the_same_shape(stage: Stage) -> None:
    """API Gateway answers for routes that are not there; ours are never reached."""
    assert httpx.get(f"{stage.stack.api_url}/nowhere", trust_env=False).status_code == 404
