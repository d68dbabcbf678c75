"""The stand-in Cronofy behaves as Cronofy documents, and misbehaves as it is told."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pycronofy
import pytest
from pycronofy.exceptions import PyCronofyRequestError

from tests.sandbox.stand_in import HOSTS, Application, Behaviour, Grant, Request, StandIn, sign
from tests.sandbox.stand_in.control import HELP
from tests.sandbox.stand_in.wire import Answer, Faults, Server
from tests.sandbox.stand_in.world import STEPS

# https://docs.cronofy.com/developers/api/push-notifications/authentication/
WELL_KNOWN = b'{"example":"well-known"}'
FIRST_SECRET = "CRN_NggYusqPGLxwjw5FHOJYOqSrTPNXy8WQf14OID"
SECOND_SECRET = "CRN_nGlYDFXwfSXgB9rvGNBJyfE454GGPtWIbNuPwr"
FIRST_VALUE = "5DxentQi5YSXODEzTVv06sRwJ3pULIz1KrYv20qxEK0="
SECOND_VALUE = "BmQmWVuZ70ILWjr1CAt5oC7YOolgnku4WZtlrKfx/6k="

CALENDAR = "cal_n23kjnwrw2_jsdfjksn234"
EVENTS = f"/v1/calendars/{CALENDAR}/events"
EVENT = "qTtZdczOccgaPncGJaCiLg"
KEY = ("de", CALENDAR, EVENT)
AGENT_STEPS = ("meeting_agent_activated", "meeting_agent_complete", "meeting_agent_failed")
NOW = {"join_url": "https://zoom.us/j/1", "on_behalf_of_attendee": {"email": "marty@example.com"}}
LATER = NOW | {"scheduling_key": "weekly-42", "join_time": "2099-04-29T15:30:00Z"}


def event(**changes: Any) -> dict[str, Any]:
    """The documented example request, with some of its fields changed; None removes one."""
    body = {
        "event_id": EVENT,
        "summary": "Meeting agent enhanced",
        "start": "2099-04-29T15:30:00Z",
        "end": "2099-04-29T17:00:00Z",
        "tzid": "Europe/Berlin",
        "conferencing": {"profile_id": "default"},
        "meeting_agent": {"profile_id": "cronofy"},
    }
    return {name: value for name, value in (body | changes).items() if value is not None}


def subscription(uri: str, *interactions: str) -> dict[str, Any]:
    return {
        "type": "webhook",
        "uri": uri,
        "interactions": [{"type": each} for each in interactions or AGENT_STEPS],
    }


class Receiver:
    """Somebody who is called back: it keeps what arrives and answers 204, or what its faults say."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.faults = Faults()
        self.server = Server(0, lambda _: Answer(204), self.faults, self.requests.append)
        self.uri = f"http://127.0.0.1:{self.server.server_port}/notification?of=ma_1"

    @property
    def bodies(self) -> list[Any]:
        return [each.json for each in self.requests]


@pytest.fixture
def cronofy() -> Iterator[StandIn]:
    with StandIn(backoff=(0.01, 0.02), callback_timeout=0.5) as stand_in:
        yield stand_in


@pytest.fixture
def grant(cronofy: StandIn) -> Grant:
    return cronofy.grant("de", calendars=[CALENDAR])


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    with ThreadPoolExecutor(1) as thread:
        thread.submit(receiver.server.serve_forever, 0.01)
        yield receiver
        receiver.server.stop()


@pytest.fixture
def call(cronofy: StandIn) -> Iterator[Callable[..., httpx.Response]]:
    """Call Cronofy in Germany."""
    with httpx.Client(base_url=cronofy.url_for("de"), trust_env=False) as client:

        def send(method: str, path: str, token: str | None, body: object = None, **more: Any) -> httpx.Response:
            headers = {} if token is None else {"Authorization": f"Bearer {token}"}
            return client.request(method, path, headers=headers, json=body, **more)

        yield send


@pytest.fixture
def upsert(grant: Grant, call: Callable[..., httpx.Response]) -> Callable[..., httpx.Response]:
    """Upsert the example event with some changes, as a user who may."""
    return lambda **changes: call("POST", EVENTS, grant.access_token, event(**changes))


@pytest.fixture
def api_key(cronofy: StandIn) -> str:
    return cronofy.applications["de"].client_secrets[0]


@pytest.fixture
def control(cronofy: StandIn) -> Iterator[Callable[..., httpx.Response]]:
    with httpx.Client(base_url=f"{cronofy.url}/_control", trust_env=False) as client:

        def send(method: str, path: str, body: object = None) -> httpx.Response:
            return client.request(method, path, json=body)

        yield send


# Signatures


@pytest.mark.parametrize(
    ("secrets", "value"),
    [
        ([FIRST_SECRET], FIRST_VALUE),
        ([SECOND_SECRET], SECOND_VALUE),
        ([FIRST_SECRET, SECOND_SECRET], f"{FIRST_VALUE},{SECOND_VALUE}"),
    ],
)
def test_signing_agrees_with_the_published_vectors(secrets: list[str], value: str) -> None:
    assert sign(WELL_KNOWN, secrets) == value


# Calendar events


def test_an_upsert_is_accepted_without_a_body_and_provisions_one_agent(
    cronofy: StandIn, upsert: Callable[..., httpx.Response]
) -> None:
    """(calendar_id, event_id) is the upsert key: a second request changes the event and keeps its agent."""
    answer = upsert()
    upsert(summary="Moved")
    assert (answer.status_code, answer.content) == (202, b"")
    assert [meeting.key for meeting in cronofy.meetings] == [KEY]
    assert cronofy.meeting(KEY).request["summary"] == "Moved"
    assert len(cronofy.agents) == 1
    assert re.fullmatch(r"agt_[0-9a-f]{24}", cronofy.agent(KEY).sub)


def test_the_same_event_id_in_another_calendar_is_another_event(
    cronofy: StandIn, call: Callable[..., httpx.Response]
) -> None:
    grant = cronofy.grant("de", calendars=["cal_1", "cal_2"])
    for calendar in grant.calendars:
        call("POST", f"/v1/calendars/{calendar}/events", grant.access_token, event())
    assert {meeting.key for meeting in cronofy.meetings} == {("de", "cal_1", EVENT), ("de", "cal_2", EVENT)}


def test_leaving_the_agent_out_leaves_it_as_it_is(cronofy: StandIn, upsert: Callable[..., httpx.Response]) -> None:
    upsert()
    upsert(meeting_agent=None, summary="Moved")
    assert cronofy.agent(KEY).is_live
    assert cronofy.meeting(KEY).request["meeting_agent"] == {"profile_id": "cronofy"}


def test_an_event_without_an_agent_gets_none(cronofy: StandIn, upsert: Callable[..., httpx.Response]) -> None:
    assert upsert(meeting_agent=None).status_code == 202
    assert cronofy.agents == []


def test_the_profile_none_removes_the_agent_and_asking_again_makes_another(
    cronofy: StandIn, upsert: Callable[..., httpx.Response]
) -> None:
    upsert()
    first = cronofy.agent(KEY)
    upsert(meeting_agent={"profile_id": "none"})
    assert first.cancelled
    upsert()
    assert cronofy.agent(KEY).sub != first.sub


def test_an_agent_requested_after_the_end_of_another_is_a_new_one(
    cronofy: StandIn, upsert: Callable[..., httpx.Response]
) -> None:
    upsert()
    first = cronofy.agent(KEY)
    cronofy.fail(KEY)
    upsert()
    assert cronofy.agent(KEY).sub != first.sub
    assert cronofy.agent(first.sub) is first


def test_deleting_an_event_cancels_its_agent(
    cronofy: StandIn,
    grant: Grant,
    upsert: Callable[..., httpx.Response],
    call: Callable[..., httpx.Response],
) -> None:
    upsert()
    answer = call("DELETE", EVENTS, grant.access_token, {"event_id": EVENT})
    assert (answer.status_code, answer.content) == (202, b"")
    assert cronofy.meeting(KEY).deleted
    assert cronofy.agent(KEY).cancelled


@pytest.mark.parametrize(("merges", "kept"), [(False, ["http://b/"]), (True, ["http://a/", "http://b/"])])
def test_a_second_list_of_subscriptions_replaces_the_first_or_adds_to_it(
    cronofy: StandIn, upsert: Callable[..., httpx.Response], merges: bool, kept: list[str]
) -> None:
    """Cronofy does not say which; both can be had. That an empty list removes all is documented."""
    cronofy.behaviour.merge_subscriptions = merges
    upsert(subscriptions=[subscription("http://a/")])
    upsert()
    upsert(subscriptions=[subscription("http://b/")])
    assert [each["uri"] for each in cronofy.meeting(KEY).subscriptions] == kept
    upsert(subscriptions=[])
    assert cronofy.meeting(KEY).subscriptions == []


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"event_id": None}, "event_id"),
        ({"event_id": ""}, "event_id"),
        ({"event_id": 7}, "event_id"),
        ({"summary": None}, "summary"),
        ({"summary": "x" * 1025}, "summary"),
        ({"description": "x" * 4097}, "description"),
        ({"start": None}, "start"),
        ({"start": "tomorrow"}, "start"),
        ({"start": {"time": "2099-04-29T15:30:00Z", "tzid": 7}}, "start"),
        ({"end": 1777476600}, "end"),
        ({"tzid": "Mars/Olympus"}, "tzid"),
        ({"conferencing": {"profile_id": "carrier-pigeon"}}, "conferencing.profile_id"),
        ({"meeting_agent": {}}, "meeting_agent.profile_id"),
        ({"meeting_agent": "cronofy"}, "meeting_agent.profile_id"),
        ({"meeting_agent": {"profile_id": "other"}}, "meeting_agent.profile_id"),
        ({"meeting_agent": {"profile_id": "cronofy", "image_url": "C:\\me.png"}}, "meeting_agent.image_url"),
        ({"meeting_agent": {"profile_id": "cronofy", "display_name": 7}}, "meeting_agent.display_name"),
        ({"subscriptions": {}}, "subscriptions"),
        ({"subscriptions": ["https://example.com/"]}, "subscriptions"),
        ({"subscriptions": [{"type": "email", "uri": "https://a/"}]}, "subscriptions.type"),
        ({"subscriptions": [{"type": "webhook"}]}, "subscriptions.uri"),
        ({"subscriptions": [{"type": "webhook", "uri": "ftp://a/"}]}, "subscriptions.uri"),
        ({"subscriptions": [{"type": "webhook", "uri": "https://[/"}]}, "subscriptions.uri"),
        (
            {"subscriptions": [{"type": "webhook", "uri": "https://a/", "interactions": ["complete"]}]},
            "subscriptions.interactions",
        ),
    ],
)
def test_a_body_that_breaks_a_documented_rule_is_refused_with_its_field(
    cronofy: StandIn, upsert: Callable[..., httpx.Response], changes: dict[str, Any], field: str
) -> None:
    answer = upsert(**changes)
    assert answer.status_code == 422
    [(named, [error])] = answer.json()["errors"].items()
    assert named == field
    assert error.keys() == {"key", "description"}
    assert cronofy.meetings == []


@pytest.mark.parametrize(
    "changes",
    [
        {"summary": "x" * 1024, "description": "x" * 4096},
        {"start": "2099-04-29", "end": "2099-04-30"},
        {"start": {"time": "2099-04-29T15:30:00Z", "tzid": "Europe/Berlin"}},
        {"conferencing": {"profile_id": "pro_n23kjnwrw2"}},
        {"conferencing": {"profile_id": "explicit", "join_url": "https://example.com/1"}},
        {"attendees": {"invite": [{"email": "doc@example.com"}]}, "nobody_knows": [{"this": None}]},
        {"subscriptions": [subscription("https://example.com/?a=1", "anything_new") | {"transitions": []}]},
    ],
)
def test_every_documented_form_is_accepted(upsert: Callable[..., httpx.Response], changes: dict[str, Any]) -> None:
    assert upsert(**changes).status_code == 202


def test_a_missing_field_is_reported_as_documented(upsert: Callable[..., httpx.Response]) -> None:
    errors = upsert(event_id=None).json()["errors"]
    assert errors == {"event_id": [{"key": "errors.required", "description": "required"}]}


@pytest.mark.parametrize("body", [b"", b"{", b"[1]", b"\xff", b"[" * 100_000])
def test_a_body_that_is_no_object_is_judged_as_one_without_fields(cronofy: StandIn, grant: Grant, body: bytes) -> None:
    headers = {"Authorization": f"Bearer {grant.access_token}"}
    answer = httpx.post(cronofy.url_for("de") + EVENTS, headers=headers, content=body, trust_env=False)
    assert answer.status_code == 422
    assert answer.json()["errors"].keys() == {"event_id", "summary", "start", "end"}


# Credentials


def test_the_data_centers_share_nothing(cronofy: StandIn) -> None:
    """A token of one is worth nothing in another; without a host in the path it is the American one."""
    answers = {}
    for name in HOSTS:
        token = cronofy.grant(name, calendars=[CALENDAR]).access_token
        headers = {"Authorization": f"Bearer {token}"}
        for url in (cronofy.url_for(name), cronofy.url, cronofy.url_for("uk")):
            answer = httpx.post(url + EVENTS, headers=headers, json=event(), trust_env=False)
            answers[name, url] = answer.status_code
    own = {(name, cronofy.url_for(name)) for name in HOSTS} | {("us", cronofy.url)}
    assert {where for where, status in answers.items() if status == 202} == own
    assert set(answers.values()) == {202, 401}
    assert len({application.client_id for application in cronofy.applications.values()}) == len(HOSTS)


def test_a_token_that_is_unknown_expired_revoked_or_an_api_key_is_worth_401(
    cronofy: StandIn, grant: Grant, api_key: str, call: Callable[..., httpx.Response]
) -> None:
    revoked = cronofy.grant("de", calendars=[CALENDAR])
    cronofy.revoke(revoked)
    cronofy.expire(grant.access_token)
    tokens = [None, "unknown", api_key, grant.access_token, revoked.access_token]
    assert [call("POST", EVENTS, token, event()).status_code for token in tokens] == [401] * len(tokens)


def test_tokens_expire_by_the_clock() -> None:
    """`expires_in` is 3600 seconds for a user and 1800 for a service account."""
    now = [1_000_000.0]
    with StandIn(clock=lambda: now[0]) as cronofy:
        tokens = [
            cronofy.grant("us", calendars=[CALENDAR], service_account=service).access_token for service in (False, True)
        ]
        statuses = []
        for now[0] in (1_001_799.0, 1_001_800.0, 1_003_600.0):
            for token in tokens:
                headers = {"Authorization": f"Bearer {token}"}
                answer = httpx.post(cronofy.url + EVENTS, headers=headers, json=event(), trust_env=False)
                statuses.append(answer.status_code)
    assert statuses == [202, 202, 202, 401, 401, 401]


def test_a_missing_scope_is_worth_403_and_a_calendar_of_somebody_else_404(
    cronofy: StandIn, grant: Grant, call: Callable[..., httpx.Response]
) -> None:
    reader = cronofy.grant("de", calendars=[CALENDAR], scope="read_events")
    assert call("POST", EVENTS, reader.access_token, event()).status_code == 403
    assert call("DELETE", EVENTS, reader.access_token, {"event_id": EVENT}).status_code == 403
    for path in ("/v1/calendars/cal_other/events", "/v1/calendars//events", "/v1/calendars/a%2Fb/events"):
        assert call("POST", path, grant.access_token, event()).status_code == 404


def test_a_user_has_conferencing_profiles_that_can_be_disconnected(
    cronofy: StandIn, call: Callable[..., httpx.Response], control: Callable[..., httpx.Response]
) -> None:
    """https://docs.cronofy.com/developers/api/conferencing-services/conferencing-profiles/."""
    grant = cronofy.grant("de", calendars=[CALENDAR], providers=["zoom", "go_to"])
    names = {"provider_name", "profile_id", "profile_name", "profile_connected"}

    def shown() -> list[dict[str, Any]]:
        content = call("GET", "/v1/userinfo", grant.access_token).json()
        assert (content["sub"], content["cronofy.type"]) == (grant.sub, "account")
        return list(content["cronofy.data"]["conferencing_profiles"])

    assert [profile.keys() == names and profile["profile_connected"] for profile in shown()] == [True, True]
    named = {"profile_id": shown()[1]["profile_id"]}
    assert control("POST", "profiles/disconnect", named).status_code == 200
    assert [profile["profile_connected"] for profile in shown()] == [True, False]
    assert shown()[1]["profile_relink_url"].startswith("https://app.cronofy.com/v2/relink/go_to?")
    assert control("POST", "profiles/connect", named).status_code == 200
    assert [profile.keys() == names and profile["profile_connected"] for profile in shown()] == [True, True]
    assert control("POST", "profiles/connect", {"profile_id": "pro_unknown"}).status_code == 404
    assert call("GET", "/v1/userinfo", "unknown").status_code == 401
    other = cronofy.grant("de", calendars=[CALENDAR])
    content = call("GET", "/v1/userinfo", other.access_token).json()
    assert content["cronofy.data"]["conferencing_profiles"] == []


def refresh(cronofy: StandIn, grant: Grant, **changes: str) -> httpx.Response:
    application = cronofy.applications[grant.data_center]
    body = {
        "client_id": application.client_id,
        "client_secret": application.client_secrets[0],
        "grant_type": "refresh_token",
        "refresh_token": grant.refresh_token,
    }
    url = f"{cronofy.url_for(grant.data_center)}/oauth/token"
    return httpx.post(url, json=body | changes, trust_env=False)


@pytest.mark.parametrize(("service_account", "seconds"), [(False, 3600), (True, 1800)])
def test_a_refresh_answers_a_new_access_token(
    cronofy: StandIn, call: Callable[..., httpx.Response], service_account: bool, seconds: int
) -> None:
    grant = cronofy.grant("de", calendars=[CALENDAR], service_account=service_account)
    cronofy.expire(grant.access_token)
    answer = refresh(cronofy, grant)
    assert answer.status_code == 200
    assert answer.json() == {
        "token_type": "bearer",
        "access_token": grant.access_token,
        "expires_in": seconds,
        "refresh_token": grant.refresh_token,
        "scope": "create_event delete_event read_events",
    }
    assert call("POST", EVENTS, grant.access_token, event()).status_code == 202
    assert cronofy.count("POST", "/oauth/token") == 1


def test_a_rotated_refresh_token_replaces_the_old_one(cronofy: StandIn, grant: Grant) -> None:
    cronofy.behaviour.rotate_refresh_tokens = True
    old = grant.refresh_token
    assert refresh(cronofy, grant).json()["refresh_token"] != old
    assert refresh(cronofy, grant).status_code == 200
    assert refresh(cronofy, grant, refresh_token=old).json() == {"error": "invalid_grant"}


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"client_id": "unknown"}, "invalid_client"),
        ({"client_secret": "unknown"}, "invalid_client"),
        ({"grant_type": "password"}, "unsupported_grant_type"),
        ({"refresh_token": "unknown"}, "invalid_grant"),
    ],
)
def test_a_refresh_that_cannot_be_is_worth_400(
    cronofy: StandIn, grant: Grant, changes: dict[str, str], error: str
) -> None:
    answer = refresh(cronofy, grant, **changes)
    assert (answer.status_code, answer.json()) == (400, {"error": error})


def test_a_revoked_grant_can_not_be_refreshed(cronofy: StandIn, grant: Grant) -> None:
    cronofy.revoke(grant)
    assert refresh(cronofy, grant).json() == {"error": "invalid_grant"}


def test_while_secrets_rotate_both_are_good(cronofy: StandIn, grant: Grant) -> None:
    """After the rotation only the new one is."""
    [old] = cronofy.applications["de"].client_secrets
    [_, new] = cronofy.rotate_secrets("de").client_secrets
    assert [refresh(cronofy, grant, client_secret=each).status_code for each in (old, new)] == [200, 200]
    assert cronofy.rotate_secrets("de", finish=True).client_secrets == (new,)
    assert [refresh(cronofy, grant, client_secret=each).status_code for each in (old, new)] == [400, 200]


# Agents without a calendar event


def test_an_agent_sent_at_once_is_answered(cronofy: StandIn, api_key: str, call: Callable[..., httpx.Response]) -> None:
    answer = call("POST", "/v1/meeting_agents", api_key, NOW)
    agent = answer.json()["meeting_agent"]
    assert answer.status_code == 200
    assert agent["state"] == "created"
    assert [(each["category"], each["type"]) for each in agent["resources"]] == [("cronofy", "dashboard")]
    assert cronofy.agent(agent["sub"]).is_live


def test_the_older_beta_answered_at_top_level_and_needed_no_attendee(
    cronofy: StandIn, api_key: str, call: Callable[..., httpx.Response]
) -> None:
    body = {"join_url": NOW["join_url"]}
    assert call("POST", "/v1/meeting_agents", api_key, body).status_code == 422
    cronofy.behaviour.older_beta = True
    assert call("POST", "/v1/meeting_agents", api_key, body).json().keys() == {"sub", "state", "resources"}


def test_a_scheduled_agent_is_accepted_without_its_sub(
    cronofy: StandIn, api_key: str, call: Callable[..., httpx.Response]
) -> None:
    answer = call("POST", "/v1/meeting_agents", api_key, LATER)
    assert (answer.status_code, answer.content) == (202, b"")
    assert cronofy.agent(("de", "weekly-42")) is cronofy.agent("weekly-42")


def test_an_access_token_sends_no_agent(grant: Grant, call: Callable[..., httpx.Response]) -> None:
    assert call("POST", "/v1/meeting_agents", grant.access_token, NOW).status_code == 401
    assert call("DELETE", "/v1/meeting_agents", grant.access_token, LATER).status_code == 401


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"join_url": "meet me"}, "join_url"),
        ({"on_behalf_of_attendee": "marty@example.com"}, "on_behalf_of_attendee.email"),
        ({"scheduling_key": None}, "scheduling_key"),
        ({"join_time": "soon"}, "join_time"),
        ({"subscriptions": None}, "subscriptions"),
    ],
)
def test_a_wrong_request_for_an_agent_is_refused_with_its_field(
    api_key: str, call: Callable[..., httpx.Response], changes: dict[str, Any], field: str
) -> None:
    answer = call("POST", "/v1/meeting_agents", api_key, LATER | changes)
    assert answer.status_code == 422
    assert list(answer.json()["errors"]) == [field]


def test_a_scheduling_key_used_again_updates_its_meeting(
    cronofy: StandIn, api_key: str, call: Callable[..., httpx.Response]
) -> None:
    """Unknown of Cronofy; so are the two others, which can be chosen: a refusal, and a second agent."""
    moved = LATER | {"join_time": "2099-05-06T15:30:00Z"}
    for body in (LATER, moved):
        assert call("POST", "/v1/meeting_agents", api_key, body).status_code == 202
    assert cronofy.meeting("weekly-42").request == moved
    assert len(cronofy.agents) == 1
    cronofy.behaviour.reschedule = "refuse"
    assert call("POST", "/v1/meeting_agents", api_key, LATER).status_code == 422
    cronofy.behaviour.reschedule = "duplicate"
    assert call("POST", "/v1/meeting_agents", api_key, LATER).status_code == 202
    assert len(cronofy.agents) == 2


def test_cancelling_stops_a_scheduled_agent_but_not_one_that_joins(
    cronofy: StandIn, api_key: str, call: Callable[..., httpx.Response]
) -> None:
    for key in ("waiting", "joining"):
        call("POST", "/v1/meeting_agents", api_key, LATER | {"scheduling_key": key})
    cronofy.activate("joining")
    for key in ("waiting", "joining"):
        answer = call("DELETE", "/v1/meeting_agents", api_key, {"scheduling_key": key})
        assert (answer.status_code, answer.content) == (202, b"")
    assert (cronofy.agent("waiting").cancelled, cronofy.agent("joining").cancelled) == (True, False)
    assert call("DELETE", "/v1/meeting_agents", api_key, {}).status_code == 422


# Callbacks


def test_an_activation_is_reported_as_documented(
    cronofy: StandIn, receiver: Receiver, upsert: Callable[..., httpx.Response]
) -> None:
    upsert(subscriptions=[subscription(receiver.uri)])
    [delivery] = cronofy.activate(KEY).deliveries
    [request] = receiver.requests
    agent = cronofy.agent(KEY)
    assert (delivery.uri, delivery.outcomes, delivery.succeeded) == (receiver.uri, (204,), True)
    assert request.method == "POST"
    assert request.query == {"of": "ma_1"}
    assert request.headers["content-type"] == "application/json; charset=utf-8"
    assert request.json == {
        "notification": {
            "type": "event_subscription",
            "interactions": [{"type": "meeting_agent_activated"}],
        },
        "event": {
            "event_id": EVENT,
            "summary": "Meeting agent enhanced",
            "start": "2099-04-29T15:30:00Z",
            "end": "2099-04-29T17:00:00Z",
            "tzid": "Europe/Berlin",
            "conferencing": {"provider_name": "zoom", "join_url": cronofy.meeting(KEY).conference_url},
            "meeting_agent": {"profile_id": "cronofy"},
        },
        "meeting_agent": {
            "sub": agent.sub,
            "state": "created",
            "resources": [{"category": "cronofy", "type": "dashboard", "url": f"{cronofy.url}/dashboard/{agent.sub}"}],
        },
    }


def test_completion_brings_the_recordings(
    cronofy: StandIn, receiver: Receiver, upsert: Callable[..., httpx.Response]
) -> None:
    upsert(subscriptions=[subscription(receiver.uri)])
    cronofy.complete(KEY)
    [body] = receiver.bodies
    assert body["notification"]["interactions"] == [{"type": "meeting_agent_complete"}]
    assert body["meeting_agent"]["state"] == "complete"
    assert [(each["category"], each["type"]) for each in body["meeting_agent"]["resources"]] == [
        ("cronofy", "dashboard"),
        ("transcript", "cronofy"),
        ("audio", "voice"),
        ("video", "conference"),
    ]


def test_a_failure_can_carry_what_nobody_documented(
    cronofy: StandIn, receiver: Receiver, upsert: Callable[..., httpx.Response]
) -> None:
    upsert(subscriptions=[subscription(receiver.uri)])
    cronofy.fail(KEY, extra={"meeting_agent": {"reason": "lobby"}, "severity": 3})
    [body] = receiver.bodies
    assert body["notification"]["interactions"] == [{"type": "meeting_agent_failed"}]
    assert body["meeting_agent"]["sub"] == cronofy.agent(KEY).sub
    assert (body["meeting_agent"]["reason"], body["severity"]) == ("lobby", 3)


def test_conferencing_is_reported_without_the_agent(
    cronofy: StandIn, receiver: Receiver, upsert: Callable[..., httpx.Response]
) -> None:
    """An event needs no agent for it; and while the conference can not be made, the event has none."""
    both = subscription(receiver.uri, "conferencing_assigned", "conferencing_failing")
    upsert(subscriptions=[both], meeting_agent=None)
    cronofy.fail_conferencing(KEY)
    cronofy.assign_conferencing(KEY)
    failing, assigned = receiver.bodies
    assert failing["notification"]["interactions"] == [{"type": "conferencing_failing"}]
    assert "conferencing" not in failing["event"]
    assert assigned["notification"]["interactions"] == [{"type": "conferencing_assigned"}]
    assert assigned["event"]["conferencing"]["join_url"] == cronofy.meeting(KEY).conference_url
    assert "meeting_agent" not in failing.keys() | assigned.keys()


@pytest.mark.parametrize(
    ("changes", "conferencing"),
    [
        ({"conferencing": None}, None),
        ({"conferencing": {"profile_id": "none"}}, None),
        ({"start": "2020-04-29T15:30:00Z", "end": "2020-04-29T17:00:00Z"}, None),
        ({"start": "2020-04-29", "end": "2020-04-30"}, None),
        (
            {
                "conferencing": {
                    "profile_id": "explicit",
                    "provider_description": "Room",
                    "join_url": "https://a/1",
                }
            },
            {"provider_name": "Room", "join_url": "https://a/1"},
        ),
    ],
)
def test_a_conference_exists_only_where_one_is_made(
    cronofy: StandIn, upsert: Callable[..., httpx.Response], changes: dict[str, Any], conferencing: object
) -> None:
    """None is made for an event in the past."""
    upsert(**changes)
    body = json.loads(cronofy.activate(KEY, deliver=False).body)
    assert body["event"].get("conferencing") == conferencing


def test_an_agent_without_an_event_is_reported_without_one(
    cronofy: StandIn, receiver: Receiver, api_key: str, call: Callable[..., httpx.Response]
) -> None:
    call("POST", "/v1/meeting_agents", api_key, LATER | {"subscriptions": [subscription(receiver.uri)]})
    cronofy.activate("weekly-42")
    [body] = receiver.bodies
    assert body.keys() == {"notification", "meeting_agent"}
    assert body["meeting_agent"]["sub"] == cronofy.agent("weekly-42").sub


def test_only_the_subscribers_of_an_interaction_receive_it(
    cronofy: StandIn, receiver: Receiver, upsert: Callable[..., httpx.Response]
) -> None:
    other = receiver.uri + "&other=1"
    upsert(
        subscriptions=[
            subscription(receiver.uri, "meeting_agent_activated", "meeting_agent_failed"),
            subscription(other, "meeting_agent_failed"),
        ]
    )
    uris = {step: cronofy.report(step, KEY).uris for step in ("activate", "complete", "fail")}
    assert uris == {"activate": (receiver.uri,), "complete": (), "fail": (receiver.uri, other)}
    assert len(receiver.requests) == 3


def test_a_callback_is_signed_with_every_active_secret(
    receiver: Receiver, upsert: Callable[..., httpx.Response], cronofy: StandIn
) -> None:
    upsert(subscriptions=[subscription(receiver.uri)], summary="Grüße an Zoë 🚀")
    cronofy.activate(KEY)
    old, new = cronofy.rotate_secrets("de").client_secrets
    cronofy.complete(KEY)
    cronofy.fail(KEY, secrets="not-ours")
    first, second, forged = receiver.requests
    assert "Grüße an Zoë 🚀".encode() in first.body
    assert first.headers["cronofy-hmac-sha256"] == sign(first.body, [old])
    assert second.headers["cronofy-hmac-sha256"] == sign(second.body, [old, new])
    assert forged.headers["cronofy-hmac-sha256"] == sign(forged.body, ["not-ours"])


def test_what_utf_8_can_not_write_does_no_harm(cronofy: StandIn, grant: Grant) -> None:
    """JSON can name half a surrogate pair."""
    body = json.dumps(event(summary="\ud800"))
    headers = {"Authorization": f"Bearer {grant.access_token}"}
    answer = httpx.post(cronofy.url_for("de") + EVENTS, headers=headers, content=body, trust_env=False)
    assert answer.status_code == 202
    assert json.loads(cronofy.activate(KEY, deliver=False).body)["event"]["summary"] == "?"


def test_the_spaces_of_the_json_can_be_chosen(cronofy: StandIn, upsert: Callable[..., httpx.Response]) -> None:
    upsert()
    assert b'":"' in cronofy.activate(KEY, deliver=False).body
    cronofy.behaviour.compact_json = False
    assert b'": "' in cronofy.activate(KEY, deliver=False).body


@pytest.mark.parametrize("status", [301, 404, 410, 503])
def test_whatever_is_no_2xx_is_tried_again(
    cronofy: StandIn, receiver: Receiver, upsert: Callable[..., httpx.Response], status: int
) -> None:
    upsert(subscriptions=[subscription(receiver.uri)])
    receiver.faults.add("POST", "/", times=2, status=status, headers={"Location": receiver.uri})
    [delivery] = cronofy.activate(KEY).deliveries
    assert (delivery.outcomes, delivery.attempts, delivery.succeeded) == ((status, status, 204), 3, True)
    assert len({each.body for each in receiver.requests}) == 1


def test_a_receiver_that_does_not_answer_is_tried_again_and_given_up_in_the_end(
    cronofy: StandIn, receiver: Receiver, upsert: Callable[..., httpx.Response]
) -> None:
    upsert(subscriptions=[subscription(receiver.uri)])
    receiver.faults.add("POST", "/", delay=0.7)
    receiver.faults.add("POST", "/", close="unanswered")
    receiver.faults.add("POST", "/", status=500)
    [delivery] = cronofy.activate(KEY).deliveries
    assert delivery.outcomes == ("ReadTimeout", "RemoteProtocolError", 500)
    assert (delivery.status, delivery.succeeded) == (500, False)
    assert delivery.milliseconds >= 500


def test_nobody_listening_is_an_outcome_too(cronofy: StandIn, upsert: Callable[..., httpx.Response]) -> None:
    upsert()
    [delivery] = cronofy.activate(KEY, to="http://127.0.0.1:1/").deliveries
    assert (delivery.status, delivery.succeeded) == (None, False)
    assert delivery.outcomes == ("ConnectError",) * 3


def test_a_notification_can_be_made_now_and_delivered_later_in_any_order(
    cronofy: StandIn, receiver: Receiver, upsert: Callable[..., httpx.Response]
) -> None:
    upsert(subscriptions=[subscription(receiver.uri)])
    activated = cronofy.activate(KEY, deliver=False)
    completed = cronofy.complete(KEY, deliver=False)
    assert receiver.requests == []
    cronofy.deliver(completed)
    delivered = cronofy.deliver(activated, times=2)
    assert [each.body for each in receiver.requests] == [completed.body, activated.body, activated.body]
    assert [each.succeeded for each in delivered.deliveries] == [True, True]


def test_a_notification_can_be_doubled_redirected_replaced_and_delayed(
    cronofy: StandIn, receiver: Receiver, upsert: Callable[..., httpx.Response], api_key: str
) -> None:
    upsert()
    began = time.time()
    notification = cronofy.activate(KEY, to=receiver.uri, body=b"{not json", times=2, delay=0.05)
    first, second = receiver.requests
    assert first.body == second.body == b"{not json"
    assert notification.signature == first.headers["cronofy-hmac-sha256"] == sign(b"{not json", [api_key])
    assert first.received_at - began >= 0.05


def test_an_unknown_key_and_an_unknown_option_are_errors(
    cronofy: StandIn, upsert: Callable[..., httpx.Response]
) -> None:
    with pytest.raises(LookupError, match="have the key"):
        cronofy.activate("unknown")
    upsert(meeting_agent=None)
    with pytest.raises(LookupError, match="no agent"):
        cronofy.activate(KEY)
    with pytest.raises(LookupError, match="no agent"):
        cronofy.agent(KEY)
    with pytest.raises(TypeError, match="delivery"):
        cronofy.activate(KEY, delivery=False)  # type: ignore[call-arg]  # on purpose


# Resources


def test_a_recording_is_had_by_a_presigned_address(
    cronofy: StandIn, api_key: str, upsert: Callable[..., httpx.Response]
) -> None:
    """The API key is for Cronofy alone: the record of the presigned address shows who sends it on."""
    upsert()
    cronofy.complete(KEY)
    _, *recordings = cronofy.agent(KEY).resources
    headers = {"Authorization": f"Bearer {api_key}"}
    contents = {}
    for recording in recordings:
        answer = httpx.get(recording["url"], headers=headers, trust_env=False)
        address = answer.headers["location"]
        assert answer.status_code == 302
        assert answer.json() == {"resource": {"download_url": address}}
        contents[recording["category"]] = httpx.get(address, trust_env=False)
        assert "authorization" not in cronofy.requests[-1].headers
        assert httpx.get(address + "0", trust_env=False).status_code == 403
        httpx.get(address, headers=headers, trust_env=False)
        assert "authorization" in cronofy.requests[-1].headers
    assert contents["audio"].content != contents["video"].content
    transcript = contents["transcript"].json()
    assert transcript["meeting_agent"] == {"sub": cronofy.agent(KEY).sub}
    [paragraph] = transcript["transcript"]["paragraphs"]
    assert paragraph.keys() == {"speaker", "start", "end", "sentences"}


def test_resources_are_refused_without_the_api_key_and_before_they_exist(
    cronofy: StandIn,
    grant: Grant,
    api_key: str,
    upsert: Callable[..., httpx.Response],
    call: Callable[..., httpx.Response],
) -> None:
    upsert()
    path = f"/resources/{cronofy.agent(KEY).sub}/transcript/cronofy"
    assert call("GET", path, api_key).status_code == 404
    cronofy.complete(KEY)
    assert call("GET", path, grant.access_token).status_code == 401
    assert call("GET", path, api_key).status_code == 302
    assert call("GET", path.replace("transcript", "audio"), api_key).status_code == 404
    assert call("GET", path.replace("transcript/cronofy", "cronofy/dashboard"), api_key).status_code == 404
    assert call("GET", path.replace("agt_", "agt_0"), api_key).status_code == 404


def test_a_data_center_has_no_resources_of_another(cronofy: StandIn, upsert: Callable[..., httpx.Response]) -> None:
    upsert()
    cronofy.complete(KEY)
    headers = {"Authorization": f"Bearer {cronofy.applications['uk'].client_secrets[0]}"}
    url = cronofy.agent(KEY).resources[1]["url"].replace(HOSTS["de"], HOSTS["uk"])
    assert httpx.get(url, headers=headers, trust_env=False).status_code == 404


def test_the_dashboard_is_for_a_browser(cronofy: StandIn, upsert: Callable[..., httpx.Response]) -> None:
    upsert()
    [dashboard] = cronofy.agent(KEY).resources
    assert "browser" in httpx.get(dashboard["url"], trust_env=False).text


# Misbehaviour


def test_a_fault_with_a_status_replaces_the_answer_and_prevents_the_effect(
    cronofy: StandIn, upsert: Callable[..., httpx.Response]
) -> None:
    cronofy.faults.add("POST", "/v1/calendars/", times=2, status=429, headers={"Retry-After": "3"})
    answers = [upsert() for _ in range(3)]
    assert [answer.status_code for answer in answers] == [429, 429, 202]
    assert answers[0].headers["retry-after"] == "3"
    assert [request.status for request in cronofy.requests] == [429, 429, 202]


def test_a_fault_with_a_status_may_let_the_effect_happen(
    cronofy: StandIn, upsert: Callable[..., httpx.Response]
) -> None:
    cronofy.faults.add("*", "/", status=500, has_effect=True)
    assert upsert().status_code == 500
    assert cronofy.agent(KEY).is_live
    cronofy.faults.add("*", "/", status=500)
    upsert(event_id="other")
    assert [meeting.key for meeting in cronofy.meetings] == [KEY]


def test_a_fault_meets_only_its_method_and_path(cronofy: StandIn, upsert: Callable[..., httpx.Response]) -> None:
    """A path may name the data center."""
    for method, path in [("DELETE", "/v1"), ("POST", "/oauth"), ("POST", "/api-uk.cronofy.com/v1")]:
        cronofy.faults.add(method, path, status=500)
    assert upsert().status_code == 202
    cronofy.faults.add("POST", "/api-de.cronofy.com/v1", times=None, status=500)
    assert {upsert().status_code for _ in range(3)} == {500}
    cronofy.faults.clear()
    assert upsert().status_code == 202


def test_an_answer_can_be_lost_after_the_effect_or_the_request_before_it(
    cronofy: StandIn, upsert: Callable[..., httpx.Response]
) -> None:
    cronofy.faults.add("POST", "/", close="unread")
    with pytest.raises(httpx.TransportError):
        upsert()
    assert cronofy.meetings == []
    cronofy.faults.add("POST", "/", close="unanswered")
    with pytest.raises(httpx.RemoteProtocolError):
        upsert()
    assert cronofy.agent(KEY).is_live
    assert [request.status for request in cronofy.requests] == [None, None]
    assert upsert().status_code == 202


def test_an_answer_can_be_late(cronofy: StandIn, grant: Grant, call: Callable[..., httpx.Response]) -> None:
    cronofy.faults.add("POST", "/", delay=0.4)
    with pytest.raises(httpx.ReadTimeout):
        call("POST", EVENTS, grant.access_token, event(), timeout=0.1)
    assert cronofy.agent(KEY).is_live


@pytest.mark.parametrize("path", [EVENTS, "/v1/meeting_agents"])
def test_an_answer_can_be_cut_off(
    cronofy: StandIn, grant: Grant, api_key: str, call: Callable[..., httpx.Response], path: str
) -> None:
    cronofy.faults.add("POST", "/", truncate=True)
    credential, body = (grant.access_token, event()) if path == EVENTS else (api_key, NOW)
    with pytest.raises(httpx.RemoteProtocolError, match="complete message body"):
        call("POST", path, credential, body)


def test_an_answer_can_be_no_json_or_a_redirect(
    cronofy: StandIn, api_key: str, call: Callable[..., httpx.Response]
) -> None:
    cronofy.faults.add("POST", "/", body="<html>")
    cronofy.faults.add("POST", "/", status=307, headers={"Location": "https://example.com/"})
    cronofy.faults.add("POST", "/", status=422, body={"errors": {}}, headers={"Content-Type": "text/plain"})
    page, redirect, refusal = (call("POST", "/v1/meeting_agents", api_key, NOW) for _ in range(3))
    assert (page.status_code, page.text, page.headers["content-type"]) == (200, "<html>", "text/html")
    assert (redirect.status_code, redirect.headers["location"]) == (307, "https://example.com/")
    assert (refusal.json(), refusal.headers["content-type"]) == ({"errors": {}}, "text/plain")


@pytest.mark.parametrize("retry_after", [None, 7])
def test_the_limits_hold_when_they_are_switched_on(
    cronofy: StandIn, upsert: Callable[..., httpx.Response], retry_after: int | None
) -> None:
    """50 requests a second for each application."""
    cronofy.behaviour.enforce_limits = True
    cronofy.behaviour.retry_after = retry_after
    answers = [upsert(event_id=f"event-{number}") for number in range(60)]
    refused = [answer for answer in answers if answer.status_code == 429]
    assert [answer.status_code for answer in answers[:50]] == [202] * 50
    assert refused
    assert refused[0].headers.get("retry-after") == (None if retry_after is None else "7")
    us = cronofy.grant("us", calendars=[CALENDAR])
    headers = {"Authorization": f"Bearer {us.access_token}"}
    assert httpx.post(cronofy.url + EVENTS, headers=headers, json=event(), trust_env=False).status_code == 202


# What it tells its operator


def test_every_request_is_kept_without_its_credentials(
    cronofy: StandIn, grant: Grant, upsert: Callable[..., httpx.Response]
) -> None:
    upsert()
    refresh(cronofy, grant)
    written, refreshed = cronofy.requests
    assert (written.method, written.path, written.data_center, written.status) == ("POST", EVENTS, "de", 202)
    assert written.json == event()
    assert written.headers["authorization"] == "[redacted]"
    for request in (written, refreshed):
        shown = f"{request!r} {request.as_json()}"
        for credential in (written.token, grant.refresh_token, *cronofy.applications["de"].client_secrets):
            assert str(credential) not in shown
    assert written.as_json(reveal=True)["headers"]["authorization"] == f"Bearer {written.token}"
    assert refreshed.as_json(reveal=True)["body"]["refresh_token"] == grant.refresh_token


def test_many_callers_at_once_lose_nothing(cronofy: StandIn, grant: Grant) -> None:
    def write(caller: int) -> None:
        with httpx.Client(base_url=cronofy.url_for("de"), trust_env=False) as client:
            for number in range(40):
                body = event(event_id=f"{caller}-{number}")
                client.post(EVENTS, json=body, headers={"Authorization": f"Bearer {grant.access_token}"})

    with ThreadPoolExecutor(8) as callers:
        list(callers.map(write, range(8)))
    assert len(cronofy.meetings) == len(cronofy.agents) == cronofy.count("POST", "/v1/calendars") == 320
    assert cronofy.busiest(60, "de") == 320
    assert cronofy.busiest(60, "us") == 0


def test_the_busiest_stretch_is_found_wherever_it_lies(cronofy: StandIn) -> None:
    for at in (10.0, 10.9, 11.0, 11.5, 11.9, 12.0, 20.0):
        cronofy._record(Request("POST", "/v1/x", {}, None, at))
    assert [cronofy.busiest(seconds) for seconds in (0.5, 1, 2, 60)] == [2, 3, 5, 7]


def test_the_help_lists_every_control(cronofy: StandIn, control: Callable[..., httpx.Response]) -> None:
    answer = control("GET", "")
    assert (answer.status_code, answer.text) == (200, HELP)
    for step in STEPS:
        assert step in HELP
    for method, path in re.findall(r"^(GET|POST|DELETE) +/_control/(\S+)", HELP, re.MULTILINE):
        assert control(method, path).status_code != 404 or "{key}" in path
    assert cronofy.requests == []


def test_an_operator_can_let_an_agent_live(
    cronofy: StandIn,
    receiver: Receiver,
    upsert: Callable[..., httpx.Response],
    control: Callable[..., httpx.Response],
) -> None:
    upsert(subscriptions=[subscription(receiver.uri)])
    sub = cronofy.agent(KEY).sub
    for key in (EVENT, sub, "/".join(KEY)):
        answer = control("POST", f"agents/{key}/activate").json()
        assert [each["outcomes"] for each in answer["deliveries"]] == [[204]]
    prepared = control("POST", f"agents/{sub}/complete", {"deliver": False}).json()
    assert (prepared["deliveries"], len(receiver.requests)) == ([], 3)
    assert len(control("POST", "notifications", prepared | {"times": 2}).json()["deliveries"]) == 2
    assert receiver.bodies[3] == receiver.bodies[4] == json.loads(prepared["body"])
    [agent] = control("GET", "agents").json()["agents"]
    assert (agent["sub"], agent["state"], agent["key"]) == (sub, "complete", "/".join(KEY))


def test_an_operator_can_make_it_misbehave(
    upsert: Callable[..., httpx.Response], control: Callable[..., httpx.Response]
) -> None:
    fault = {"method": "POST", "path_prefix": "/v1", "times": 5, "status": 503, "body": "down"}
    [added] = control("POST", "faults", fault).json()["faults"]
    assert fault.items() <= added.items()
    assert (upsert().status_code, upsert().text) == (503, "down")
    assert control("GET", "faults").json()["faults"][0]["times"] == 3
    assert control("DELETE", "faults").json() == {"faults": []}
    assert upsert().status_code == 202


def test_an_operator_can_read_requests_rotate_secrets_and_change_behaviour(
    cronofy: StandIn,
    upsert: Callable[..., httpx.Response],
    control: Callable[..., httpx.Response],
) -> None:
    granted = control("POST", "grants", {"data_center": "de", "calendars": [CALENDAR]}).json()
    headers = {"Authorization": f"Bearer {granted['access_token']}"}
    httpx.post(cronofy.url_for("de") + EVENTS, headers=headers, json=event(), trust_env=False)
    [shown] = control("GET", "requests").json()["requests"]
    [revealed] = control("GET", "requests?reveal=1").json()["requests"]
    assert (shown["status"], shown["body"], shown["data_center"]) == (202, event(), "de")
    assert shown["headers"]["authorization"] == "[redacted]"
    assert revealed["headers"]["authorization"] == headers["Authorization"]
    control("POST", "tokens/expire", {"access_token": granted["access_token"]})
    assert httpx.post(cronofy.url_for("de") + EVENTS, headers=headers, trust_env=False).status_code == 401
    assert len(control("POST", "secrets/rotate", {"data_center": "de"}).json()["client_secrets"]) == 2
    assert len(control("GET", "applications").json()["de"]["client_secrets"]) == 2
    assert control("POST", "behaviour", {"older_beta": True}).json()["older_beta"] is True
    assert cronofy.behaviour.older_beta
    control("DELETE", "requests")
    assert cronofy.requests == []


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "agents/unknown/activate", {}, 404),
        ("POST", "agents/unknown/explode", {}, 404),
        ("POST", f"agents/{EVENT}/activate", {"tymes": 2}, 400),
        ("POST", "faults", {"method": "POST", "path_prefix": "/", "statsu": 500}, 400),
        ("POST", "behaviour", {"mergee_subscriptions": True}, 404),
        ("GET", "nothing", None, 404),
    ],
)
def test_a_wrong_control_is_answered_with_an_error(
    control: Callable[..., httpx.Response], method: str, path: str, body: object, status: int
) -> None:
    answer = control(method, path, body)
    assert answer.status_code == status
    assert answer.json()["error"]


def test_given_applications_and_behaviour_are_used() -> None:
    application = Application("an-id", (FIRST_SECRET, SECOND_SECRET))
    with StandIn(applications={"us": application}, behaviour=Behaviour(older_beta=True)) as cronofy:
        headers = {"Authorization": f"Bearer {SECOND_SECRET}"}
        answer = httpx.post(f"{cronofy.url}/v1/meeting_agents", headers=headers, json=NOW, trust_env=False)
        assert answer.json()["state"] == "created"


def test_what_cronofy_does_not_have_is_404(api_key: str, call: Callable[..., httpx.Response]) -> None:
    """There is no endpoint to read or list agents."""
    for method, path in [("GET", "/v1/meeting_agents"), ("GET", EVENTS), ("PUT", EVENTS), ("GET", "/")]:
        assert call(method, path, api_key).status_code == 404


def test_once_stopped_it_answers_nobody() -> None:
    """Not even a client that kept its connection."""
    with httpx.Client(trust_env=False) as client:
        with StandIn() as cronofy:
            client.get(f"{cronofy.url}/_control")
        with pytest.raises(httpx.TransportError):
            client.get(f"{cronofy.url}/_control")


def test_it_runs_alone_and_says_how_to_use_it() -> None:
    command = [sys.executable, "-u", "-m", "tests.sandbox.stand_in", "--port", "0"]
    root = Path(__file__).parents[2]
    with subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, text=True, env={**os.environ}) as process:
        assert process.stdout is not None
        shown = dict(process.stdout.readline().split(maxsplit=1) for _ in range(6))
        headers = {"Authorization": f"Bearer {shown['access_token'].strip()}"}
        url = f"{shown['url'].strip()}/v1/calendars/{shown['calendar_id'].strip()}/events"
        answer = httpx.post(url, headers=headers, json=event(), trust_env=False)
        process.terminate()
    assert answer.status_code == 202
    assert shown["url"].startswith("http://127.0.0.1:")


# Cronofy's own SDK as the client


@pytest.fixture
def sdk(cronofy: StandIn, grant: Grant, monkeypatch: pytest.MonkeyPatch) -> pycronofy.Client:
    """The SDK knows only Cronofy's hosts, so its base address is replaced; nothing else is."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    application = cronofy.applications["de"]
    client = pycronofy.Client(
        client_id=application.client_id,
        client_secret=application.client_secrets[0],
        access_token=grant.access_token,
        refresh_token=grant.refresh_token,
        data_center="de",
    )
    assert client.request_handler.base_url == f"https://{HOSTS['de']}"
    client.request_handler.base_url = cronofy.url_for("de")
    return client


def test_the_sdk_writes_and_deletes_an_event(cronofy: StandIn, sdk: pycronofy.Client) -> None:
    sdk.upsert_event(CALENDAR, event())
    assert cronofy.agent(KEY).is_live
    sdk.delete_event(CALENDAR, EVENT)
    assert cronofy.agent(KEY).cancelled


def test_the_sdk_refreshes_an_expired_token(cronofy: StandIn, sdk: pycronofy.Client, grant: Grant) -> None:
    cronofy.expire(grant.access_token)
    with pytest.raises(PyCronofyRequestError) as refused:
        sdk.upsert_event(CALENDAR, event())
    assert refused.value.response.status_code == 401
    assert sdk.refresh_authorization()["access_token"] == grant.access_token
    sdk.upsert_event(CALENDAR, event())
    assert cronofy.agent(KEY).is_live


def test_the_sdk_understands_a_refusal(sdk: pycronofy.Client) -> None:
    with pytest.raises(PyCronofyRequestError) as refused:
        sdk.upsert_event(CALENDAR, event(summary="x" * 1025))
    assert list(refused.value.response.json()["errors"]) == ["summary"]


def test_the_sdk_accepts_our_signatures_and_no_others(
    cronofy: StandIn, receiver: Receiver, sdk: pycronofy.Client
) -> None:
    """Also while secrets rotate, whichever of the two it holds."""
    sdk.upsert_event(CALENDAR, event(summary="Grüße", subscriptions=[subscription(receiver.uri)]))
    cronofy.activate(KEY)
    cronofy.rotate_secrets("de")
    cronofy.activate(KEY)
    cronofy.activate(KEY, secrets=["not-ours"])
    cronofy.rotate_secrets("de", finish=True)
    cronofy.activate(KEY)
    valid = [sdk.hmac_valid(each.headers["cronofy-hmac-sha256"], each.body.decode()) for each in receiver.requests]
    assert valid == [True, True, False, False]
