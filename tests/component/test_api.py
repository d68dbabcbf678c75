"""The API in this process, with a stand-in Cronofy: what is passed on, what is refused, and what is warned of."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from functions.provision import app
from meeting_agents import wiring
from meeting_agents.alerting.message import Links
from meeting_agents.api.context import Collaborators
from meeting_agents.cronofy.subscriptions import has_event_triggers
from meeting_agents.domain.silences import Silence
from meeting_agents.incident_list import IncidentList
from tests.desk import CALENDAR, Desk
from tests.sandbox.embedded_aws import EmbeddedAws
from tests.tables import CONTEXT

EVENTS = f"/v1/calendars/{CALENDAR}/events"
AGENTS = "/v1/meeting_agents"
LATER = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=3)

type Call = Callable[..., tuple[int, dict[str, Any]]]


@pytest.fixture
def desk(aws: EmbeddedAws) -> Iterator[Desk]:
    with Desk(aws) as desk:
        desk.now = datetime.now(UTC)
        yield desk


@pytest.fixture
def call(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> Call:
    """Return a function that sends a request of a caller with its own token."""
    collaborators = Collaborators(
        default_data_center=lambda: "us",
        trigger_lead_time=lambda: desk.trigger_lead_time,
        event_triggers=desk.event_triggers,
        public_url=lambda: "https://api.example.com",
        journal=desk.journal,
        days=desk.days,
        provisioning=desk.provisioning,
        accounts=desk.accounts,
        client_secrets=desk.client_secrets,
        resource_addresses=desk.resource_addresses,
        lifecycle_topic=wiring.lifecycle_topic,
        groups=desk.groups,
        silences=desk.silences,
        eraser=desk.eraser,
        tokens=desk.tokens,
        profiles=desk.profiles,
        incident_list=lambda address: IncidentList(
            desk.journal(), desk.groups(), Links(address, ""), lambda: datetime.now(UTC)
        ),
    )
    monkeypatch.setattr(app, "COLLABORATORS", collaborators)
    own = {"cronofy-authorization": f"Bearer {desk.cronofy.grant('us', calendars=(CALENDAR,)).access_token}"}

    def send(method: str, path: str, body: Any, **headers: str) -> tuple[int, dict[str, Any]]:
        event = {
            "version": "2.0",
            "rawPath": path,
            "rawQueryString": "",
            "headers": headers if "cronofy-account" in headers else own | headers,
            "requestContext": {
                "domainName": "api.example.com",
                "stage": "$default",
                "http": {"method": method, "path": path},
            },
            "body": body if isinstance(body, str) else json.dumps(body),
            "isBase64Encoded": False,
        }
        response = app.handler(event, CONTEXT)
        return response["statusCode"], json.loads(response["body"])

    return send


def event(start: datetime = LATER, **changes: Any) -> dict[str, Any]:
    """Return a calendar event with an agent."""
    body = {
        "event_id": "event_1",
        "summary": "Weekly sync",
        "start": f"{start:%Y-%m-%dT%H:%M:%SZ}",
        "end": f"{start + timedelta(hours=1):%Y-%m-%dT%H:%M:%SZ}",
        "meeting_agent": {"profile_id": "cronofy"},
    }
    return {name: value for name, value in (body | changes).items() if value is not None}


def test_a_new_conference_in_a_meeting_that_has_begun_is_passed_on_with_a_warning(desk: Desk, call: Call) -> None:
    """Off and on again in a running meeting must not be refused: Cronofy only creates no conference."""
    body = event(datetime.now(UTC) - timedelta(minutes=20), conferencing={"profile_id": "default"})
    status, answer = call("POST", EVENTS, body)
    assert (status, answer["agent"]["state"]) == (202, "scheduled")
    assert [(warning["code"], warning["field"]) for warning in answer["warnings"]] == [
        ("no_new_conference", "conferencing")
    ]
    assert desk.cronofy.requests[-1].json["conferencing"] == {"profile_id": "default"}
    call("POST", EVENTS, body | {"meeting_agent": {"profile_id": "none"}})
    status, answer = call("POST", EVENTS, body)
    assert (status, answer["agent"]["attempt"]) == (202, 2)


def test_a_recurring_event_is_passed_on_with_a_warning(desk: Desk, call: Call) -> None:
    recurrence = [{"rrule": "FREQ=DAILY"}]
    status, answer = call("POST", EVENTS, event(recurrence=recurrence))
    assert (status, [warning["code"] for warning in answer["warnings"]]) == (202, ["first_occurrence_only"])
    assert desk.cronofy.requests[-1].json["recurrence"] == recurrence
    assert call("POST", EVENTS, event(event_id="event_2"))[1]["warnings"] == []


def test_a_data_center_that_refuses_event_triggers_is_counted_and_gets_no_more_of_them(
    desk: Desk, call: Call, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    """The caller does not notice, and the journalled text of the next request has none."""
    desk.trigger_lead_time = timedelta(minutes=15)
    desk.cronofy.behaviour.refuse_transitions = ["us"]
    for number in (1, 2):
        status, answer = call("POST", EVENTS, event(event_id=f"event_{number}"))
        assert (status, answer["agent"]["state"]) == (202, "scheduled")
        entries = desk.journal().read(answer["agent"]["id"], desk.now)
        texts = [stored.cronofy_request.body for stored in entries if stored.cronofy_request]
        assert [has_event_triggers(text) for text in texts] == [number == 1]
    assert len(desk.cronofy.requests) == 3
    assert capsys.readouterr().out.count('"EventTriggersRefused":[1.0]') == 1
    assert caplog.messages.count("event triggers refused") == 1


@pytest.mark.parametrize(
    ("path", "body"), [(EVENTS, event()), (AGENTS, {"join_url": "https://zoom.us/j/1"})], ids=["event", "agent"]
)
def test_an_agent_in_a_data_center_without_a_secret_is_refused(
    desk: Desk, call: Call, path: str, body: dict[str, Any]
) -> None:
    """Its callbacks could not be verified. Nothing is journalled, and Cronofy receives nothing."""
    token = desk.cronofy.grant("de", calendars=(CALENDAR,)).access_token
    headers = {"cronofy-data-center": "de", "cronofy-authorization": f"Bearer {token}"}
    status, problem = call("POST", path, body, **headers)
    assert (status, problem["code"]) == (503, "missing_secret")
    assert "data center de" in problem["detail"]
    assert desk.cronofy.requests == []
    assert desk._agents() == set()


def test_a_calendar_event_without_an_agent_needs_no_secret(desk: Desk, call: Call) -> None:
    """There are no callbacks of ours to verify."""
    token = desk.cronofy.grant("de", calendars=(CALENDAR,)).access_token
    headers = {"cronofy-data-center": "de", "cronofy-authorization": f"Bearer {token}"}
    assert call("POST", EVENTS, event(meeting_agent=None), **headers)[0] == 202
    assert call("DELETE", EVENTS, {"event_id": "event_1"}, **headers)[0] == 202


def test_de_provisioning_an_event_that_never_had_an_agent_leaves_no_record(desk: Desk, call: Call) -> None:
    """It is passed on unchanged."""
    body = event(meeting_agent={"profile_id": "none"})
    assert call("POST", EVENTS, body) == (202, {"agent": None, "warnings": []})
    assert desk.cronofy.requests[-1].json == body
    assert desk._agents() == set()


def test_a_200_with_a_page_is_not_accepted(desk: Desk, call: Call) -> None:
    """A proxy sent it: the request stays open."""
    desk.cronofy.faults.add("POST", EVENTS, status=200, body="<html>Sign in to this network</html>")
    status, problem = call("POST", EVENTS, event())
    assert (status, problem["agent"]["state"]) == (502, "requested")


@pytest.mark.parametrize("value", ["9" * 30, "Thu, 31 Dec 9999 23:59:59 GMT", "Wed, 29 Apr 2026 12:00:00 GMT"])
def test_any_retry_after_leads_to_a_retry_within_an_hour(desk: Desk, call: Call, value: str) -> None:
    grant = desk.cronofy.grant("us", calendars=(CALENDAR,))
    desk.accounts().register("alice", "us", grant.refresh_token)
    headers = {"Retry-After": value, "Date": "Wed, 29 Apr 2026 12:00:00 GMT"}
    desk.cronofy.faults.add("POST", EVENTS, status=429, headers=headers)
    status, answer = call("POST", EVENTS, event(), **{"cronofy-account": "alice"})
    assert (status, answer["agent"]["state"]) == (202, "requested")
    assert desk.now < datetime.fromisoformat(answer["agent"]["retry_at"]) <= desk.now + timedelta(hours=1, seconds=1)


@pytest.mark.parametrize("year", ["0001", "9999"])
def test_a_meeting_in_a_year_without_deadlines_is_refused(desk: Desk, call: Call, year: str) -> None:
    """The record of the agent could not be stored."""
    body = event() | {"start": f"{year}-12-30T10:00:00Z", "end": f"{year}-12-31T23:59:59Z"}
    status, problem = call("POST", EVENTS, body)
    assert (status, set(problem["errors"])) == (422, {"start", "end"})
    assert desk._agents() == set()


@pytest.mark.parametrize(
    ("start", "end"),
    [
        ("2026-10-25T02:45:00", "2026-10-25T02:15:00"),
        ("2026-03-29T02:30:00", "2026-03-29T03:15:00"),
    ],
)
def test_local_times_on_the_nights_when_clocks_change_are_passed_on(
    desk: Desk, call: Call, start: str, end: str
) -> None:
    body = event() | {"start": start, "end": end, "tzid": "Europe/Berlin"}
    assert call("POST", EVENTS, body)[0] == 202
    assert desk.cronofy.requests[-1].json["start"] == start


def test_an_expired_token_leaves_the_agent_requested(desk: Desk, call: Call) -> None:
    """Its caller refreshes it and sends the request again, as Cronofy documents: the first attempt goes on."""
    grant = desk.cronofy.grant("us", calendars=(CALENDAR,))
    desk.cronofy.expire(grant.access_token)
    status, problem = call("POST", EVENTS, event(), **{"cronofy-authorization": f"Bearer {grant.access_token}"})
    assert (status, problem["code"], problem["agent"]["state"]) == (401, "cronofy_401", "requested")
    status, answer = call("POST", EVENTS, event())
    assert (status, answer["agent"]["state"], answer["agent"]["attempt"]) == (202, "scheduled", 1)


def test_there_are_a_hundred_silences_at_most(desk: Desk, call: Call) -> None:
    until = datetime.now(UTC) + timedelta(hours=1)
    for number in range(100):
        silence = Silence(name=f"s{number}", start=desk.now, end=until, why="x")
        assert desk.silences().put(silence, desk.now)
    body = {"until": until.isoformat(), "why": "x", "agent": ["ma_1"]}
    status, problem = call("PUT", "/v1/silences/more", body)
    assert (status, problem["code"]) == (409, "too_many_silences")
    assert call("PUT", "/v1/silences/s7", body)[0] == 200
