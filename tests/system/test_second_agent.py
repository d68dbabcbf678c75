"""A second agent on the deployed system: sent for a running meeting whose agent failed, or only reported."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import httpx
import pytest

from tests.sandbox.stage import CALENDAR, HOME, Stage, wait_until

PATIENT = 40.0


@pytest.fixture(scope="module", params=["once", "report"])
def stage(request: pytest.FixtureRequest) -> Iterator[Stage]:
    """A stack of its own in each of the two modes."""
    with Stage(parameters={"Rescue": request.param}) as stage:
        yield stage


def mode(stage: Stage) -> str:
    return stage._parameters["Rescue"]


def begin(stage: Stage, event_id: str) -> str:
    """Request an agent in the name of an account for a meeting that begins in seconds; Cronofy makes the conference."""
    grant = stage.cronofy.grant(HOME, calendars=(CALENDAR,))
    account = f"acc_{event_id}"
    body = {"refresh_token": grant.refresh_token, "data_center": HOME}
    assert stage.api.put(f"/v1/accounts/{account}", json=body).status_code == 200
    start = datetime.now(UTC) + timedelta(seconds=3)
    times = {"start": f"{start:%Y-%m-%dT%H:%M:%SZ}", "end": f"{start + timedelta(hours=1):%Y-%m-%dT%H:%M:%SZ}"}
    event = {
        "event_id": event_id,
        "summary": event_id,
        **times,
        "conferencing": {"profile_id": "default"},
        "meeting_agent": {"profile_id": "cronofy"},
    }
    address, headers = f"{stage.stack.api_url}/v1/calendars/{CALENDAR}/events", {"Cronofy-Account": account}
    answer = httpx.post(address, json=event, headers=headers, timeout=40, trust_env=False)
    assert answer.status_code == 202, answer.text
    stage.cronofy.assign_conferencing((HOME, CALENDAR, event_id))
    return str(answer.json()["agent"]["id"])


def seconds_sent(stage: Stage) -> list[str]:
    """The agents that Cronofy has sent without a calendar event."""
    return [meeting.agents[0].sub for meeting in stage.cronofy.meetings if not meeting.is_calendar_event]


def alerts(stage: Stage, agent_id: str) -> list[dict[str, Any]]:
    return [
        {"status": message["status"], "subject": message["subject"]} | agent
        for message in stage.alerts.messages()
        for agent in message.get("agents", ())
        if agent["agent_id"] == agent_id
    ]


def alert(stage: Stage, agent_id: str, status: str, attempt: int = 1) -> dict[str, Any] | None:
    found = [one for one in alerts(stage, agent_id) if (one["status"], one["attempt"]) == (status, attempt)]
    return found[-1] if found else None


def overview(stage: Stage) -> str:
    """The overview as CloudWatch gets it."""
    widget = stage.stack.session.client("lambda")
    return str(json.loads(widget.invoke(FunctionName=stage.stack.functions["widget"], Payload=b"{}")["Payload"].read()))


def origins(stage: Stage, agent_id: str) -> list[str]:
    return [attempt["origin"] for attempt in stage.read(agent_id)["attempts"]]


def test_a_failed_agent_gets_a_second_one_or_the_report_of_one(stage: Stage) -> None:
    agent = begin(stage, "review")
    stage.cronofy.fail((HOME, CALENDAR, "review"))
    firing = wait_until(partial(alert, stage, agent, "firing"), PATIENT)
    assert firing
    assert firing["type"] == "failed"
    if mode(stage) == "report":
        assert firing["second_agent"]["code"] == "rescue_reported"
        assert wait_until(lambda: "rescue" in kinds(stage, agent) or None, PATIENT)
        assert (origins(stage, agent), seconds_sent(stage)) == (["request"], [])
        return
    assert firing["second_agent"]["code"] in ("rescue_due", "rescue_sent")
    assert wait_until(lambda: len(seconds_sent(stage)) == 1 or None, PATIENT)
    assert wait_until(lambda: origins(stage, agent) == ["request", "rescue"] or None, PATIENT)
    assert "second agent: sent at" in overview(stage)
    (sub,) = seconds_sent(stage)
    stage.cronofy.activate(sub)
    assert wait_until(lambda: stage.read(agent)["state"] == "activated" or None)
    assert [incident["type"] for incident in stage.read(agent)["incidents"]] == ["failed"]
    assert alert(stage, agent, "resolved") is None
    [row] = stage.api.get("/v1/incidents", params={"type": "failed"}).json()["incidents"]
    assert "second agent: sent at" in row["detail"]
    assert "it is preparing to join" in row["detail"]
    stage.cronofy.complete(sub)
    resolved = wait_until(partial(alert, stage, agent, "resolved"), PATIENT)
    assert resolved
    assert resolved["second_agent"]["values"]["outcome"] == "complete"
    assert len(seconds_sent(stage)) == 1


def kinds(stage: Stage, agent_id: str) -> list[str]:
    return [entry["kind"] for entry in stage.read(agent_id)["timeline"]]


@pytest.mark.parametrize("stage", ["once"], indirect=True)
def test_a_second_agent_that_fails_as_well_is_an_alert_of_its_own(stage: Stage) -> None:
    agent, before = begin(stage, "design"), len(seconds_sent(stage))
    stage.cronofy.fail((HOME, CALENDAR, "design"))
    assert wait_until(lambda: len(seconds_sent(stage)) == before + 1 or None, PATIENT)
    stage.cronofy.fail(seconds_sent(stage)[-1])
    found = wait_until(partial(alert, stage, agent, "firing", 2), PATIENT)
    assert found
    assert "Second meeting agent failed" in found["subject"]
    assert found["second_agent"]["values"]["outcome"] == "failed"
    assert len(seconds_sent(stage)) == before + 1  # no third one


def test_a_failure_that_a_second_agent_would_meet_again_gets_none(stage: Stage) -> None:
    agent, before = begin(stage, "locked"), len(seconds_sent(stage))
    stage.cronofy.fail((HOME, CALENDAR, "locked"), extra={"meeting_agent": {"reason": "The meeting is locked"}})
    found = wait_until(partial(alert, stage, agent, "firing"), PATIENT)
    assert found
    assert found["second_agent"]["values"] == {"obstacle": "incurable"}
    assert (origins(stage, agent), len(seconds_sent(stage))) == (["request"], before)


def test_the_link_is_in_no_message_but_cronofys_own(stage: Stage) -> None:
    """The announcement of a callback has its body, as ever; nothing that this system says has the link."""
    links = [meeting.conference_url for meeting in stage.cronofy.meetings if meeting.is_calendar_event]
    own = [m for m in stage.lifecycle.messages() if not m["data"]["notification"]]
    messages = json.dumps([own, stage.alerts.messages(), stage.emails()])
    assert links
    assert own
    assert not [link for link in links if link in messages]
