"""The API as its callers see it, on the deployed stack: Cronofy's own paths, and the additions."""

import base64
import json
import time
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from meeting_agents.cronofy.payloads import HOSTS, INTERACTIONS
from meeting_agents.cronofy.subscriptions import event_triggers, subscription
from tests.sandbox.stage import CALENDAR, Stage, wait_until

EVENTS = f"/v1/calendars/{CALENDAR}/events"
AGENTS = "/v1/meeting_agents"
LATER = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=3)


def written(at: datetime) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%SZ}"


def event(**changes: Any) -> dict[str, Any]:
    """Return a new calendar event with an agent, in three hours."""
    body = {
        "event_id": uuid.uuid4().hex,
        "summary": "Weekly sync",
        "start": written(LATER),
        "end": written(LATER + timedelta(hours=1)),
        "meeting_agent": {"profile_id": "cronofy"},
    }
    return {name: value for name, value in (body | changes).items() if value is not None}


def agent(**changes: Any) -> dict[str, Any]:
    """Return an agent without a calendar event, to be sent now unless the changes schedule it."""
    return {"join_url": "https://zoom.us/j/1", "on_behalf_of_attendee": {"email": "marty@example.com"}} | changes


@pytest.fixture
def application(stage: Stage) -> Iterator[httpx.Client]:
    """A caller without a token of its own, for requests of the application and of registered accounts."""
    with httpx.Client(base_url=stage.stack.api_url, timeout=40, trust_env=False) as client:
        yield client


def delete(client: httpx.Client, path: str, body: Any, **headers: str) -> httpx.Response:
    return client.request("DELETE", path, json=body, headers=headers)


def received(stage: Stage, path: str) -> list[Any]:
    """Return the requests that Cronofy received at this path, oldest first."""
    return [request for request in stage.cronofy.requests if request.path == path]


def kinds(stage: Stage, agent_id: str) -> list[str]:
    return [entry["kind"] for entry in stage.read(agent_id)["timeline"]]


# ------------------------------------------------------------------------------------------------------ calendar events


def test_cronofy_receives_the_callers_own_text_with_our_subscription(stage: Stage) -> None:
    """Every character: spaces, escapes, numbers, undocumented fields."""
    event_id = uuid.uuid4().hex
    text = (
        f'{{ "event_id":"{event_id}",\t"summary" : "Gr\\u00fc\\u00dfe \\ud83d\\ude00", "price":1.10, "n":1e2,\n'
        f' "start":"{written(LATER)}","end":"{written(LATER + timedelta(hours=1))}",'
        ' "meeting_agent":{"profile_id":"cronofy", "mood":null}, "location": {"lat":"52.50","long":"13.40"}}'
    )
    answer = stage.api.post(EVENTS, content=text, headers={"Content-Type": "text/plain"})
    assert answer.status_code == 202
    sent = received(stage, EVENTS)[-1].body.decode()
    uri = f"{stage.stack.api_url}/webhooks/cronofy/{answer.json()['agent']['id']}"
    ours = [subscription(uri), *event_triggers(uri, timedelta(minutes=15))]
    assert ours[0]["interactions"] == [{"type": name} for name in INTERACTIONS]
    assert sent == text[:-1] + f',"subscriptions":[{",".join(map(json.dumps, ours))}]}}'


def test_the_callers_subscriptions_stay_and_ours_is_there_once(stage: Stage) -> None:
    """Transitions too; also when a caller sends back our subscription."""
    own = {
        "type": "webhook",
        "uri": "https://example.com/notification",
        "interactions": [{"type": "meeting_agent_failed"}],
        "transitions": [{"before": "event_start", "offset": {"minutes": 5}}],
    }
    body = event(subscriptions=[own])
    stage.api.post(EVENTS, json=body)
    first = stage.cronofy.meeting(body["event_id"]).subscriptions
    assert first[0] == own
    assert len(first) == 4
    stage.api.post(EVENTS, json=body | {"summary": "New", "subscriptions": [own, *first[1:]]})
    assert received(stage, EVENTS)[-1].json["subscriptions"] == first


def test_an_agent_is_followed_from_the_request_to_its_end(stage: Stage) -> None:
    """Each step is in the timeline."""
    body = event()
    answer = stage.api.post(EVENTS, json=body)
    assert answer.status_code == 202
    agent_summary = answer.json()["agent"]
    assert (agent_summary["state"], agent_summary["attempt"], agent_summary["retry_at"]) == ("scheduled", 1, None)
    assert agent_summary["links"]["self"] == f"{stage.stack.api_url}/v1/meeting_agents/{agent_summary['id']}"
    stage.cronofy.activate(body["event_id"])
    stage.cronofy.complete(body["event_id"])
    shown = stage.read(agent_summary["id"])
    assert shown["state"] == "complete"
    assert [e["kind"] for e in shown["timeline"]] == ["requested", "accepted", "activated", "complete"]
    assert {e["verdict"] for e in shown["timeline"]} == {"applied"}


def test_the_same_request_again_adds_nothing_and_is_passed_on(stage: Stage) -> None:
    body = event()
    first, second = stage.api.post(EVENTS, json=body), stage.api.post(EVENTS, json=body)
    assert first.json() == second.json()
    assert kinds(stage, first.json()["agent"]["id"]) == ["requested", "accepted"]
    assert len(stage.cronofy.meeting(body["event_id"]).agents) == 1


def test_a_meeting_that_moves_takes_its_deadline_with_it(stage: Stage) -> None:
    body = event()
    agent_summary = stage.api.post(EVENTS, json=body).json()["agent"]
    before = stage.read(agent_summary["id"])["next_deadline"]
    moved = body | {"start": written(LATER + timedelta(days=1)), "end": written(LATER + timedelta(days=1, hours=1))}
    stage.api.post(EVENTS, json=moved)
    after = stage.read(agent_summary["id"])["next_deadline"]
    assert before["phase"] == after["phase"] == "activation"
    assert datetime.fromisoformat(after["at"]) - datetime.fromisoformat(before["at"]) == timedelta(days=1)


def test_a_change_after_activation_is_journalled_and_passed_on(stage: Stage) -> None:
    """Also without `meeting_agent`: our subscription is sent each time, as the list is sent in full."""
    body = event()
    agent_summary = stage.api.post(EVENTS, json=body).json()["agent"]
    stage.cronofy.activate(body["event_id"])
    changed = {name: value for name, value in body.items() if name not in ("meeting_agent", "start", "end")}
    answer = stage.api.post(EVENTS, json=body | {"summary": "Renamed"})
    assert answer.json()["agent"]["state"] == "activated"
    answer = stage.api.post(EVENTS, json=event(**changed | {"summary": "Again", "meeting_agent": None}))
    assert answer.json()["agent"]["state"] == "activated"
    assert len(received(stage, EVENTS)[-1].json["subscriptions"]) == 3
    shown = stage.read(agent_summary["id"])
    assert shown["meeting"]["summary"] == "Again"
    assert [e["kind"] for e in shown["timeline"]][2:] == ["activated", "requested", "accepted", "requested", "accepted"]


def test_a_calendar_event_without_an_agent_is_passed_on_unchanged(stage: Stage) -> None:
    """Without our subscription, and without a journal."""
    body = event(meeting_agent=None)
    answer = stage.api.post(EVENTS, json=body)
    assert (answer.status_code, answer.json()) == (202, {"agent": None, "warnings": []})
    assert received(stage, EVENTS)[-1].json == body
    found = stage.api.get(AGENTS, params={"calendar_id": CALENDAR, "event_id": body["event_id"]})
    assert found.json()["agents"] == []


@pytest.mark.parametrize("how", ["delete", "none"])
def test_deleting_the_event_and_the_profile_none_cancel_the_agent(stage: Stage, how: str) -> None:
    body = event()
    agent_summary = stage.api.post(EVENTS, json=body).json()["agent"]
    if how == "delete":
        answer = delete(stage.api, EVENTS, {"event_id": body["event_id"]})
    else:
        answer = stage.api.post(EVENTS, json=body | {"meeting_agent": {"profile_id": "none"}})
    assert answer.status_code == 202
    assert answer.json()["agent"]["state"] == "cancelled"
    assert [agent.cancelled for agent in stage.cronofy.meeting(body["event_id"]).agents] == [True]
    assert stage.read(agent_summary["id"])["next_deadline"] is None
    again = stage.api.post(EVENTS, json=body).json()["agent"]
    assert (again["id"], again["state"], again["attempt"]) == (agent_summary["id"], "scheduled", 2)
    assert received(stage, EVENTS)[-1].json["subscriptions"][0]["uri"].endswith(f"{agent_summary['id']}?attempt=2")


@pytest.mark.parametrize("how", ["delete", "none"])
def test_an_agent_that_cronofy_refused_can_be_cancelled(stage: Stage, how: str) -> None:
    """The cancellation is in the journal, so no one is alerted near the meeting of an agent that is not wanted."""
    body = event()
    stage.cronofy.faults.add("POST", EVENTS, status=404)
    refused = stage.api.post(EVENTS, json=body)
    assert (refused.status_code, refused.json()["agent"]["state"]) == (404, "rejected")
    if how == "delete":
        answer = delete(stage.api, EVENTS, {"event_id": body["event_id"]})
    else:
        answer = stage.api.post(EVENTS, json=body | {"meeting_agent": {"profile_id": "none"}})
    assert (answer.status_code, answer.json()["agent"]["state"]) == (202, "cancelled")
    shown = stage.read(answer.json()["agent"]["id"])
    assert (shown["incidents"], shown["timeline"][-1]["kind"]) == ([], "cancelled")


def test_deleting_an_event_that_has_no_agent_is_passed_on(stage: Stage) -> None:
    answer = delete(stage.api, EVENTS, {"event_id": "nobodys", "extra": 1})
    assert (answer.status_code, answer.json()) == (202, {"agent": None, "warnings": []})
    assert received(stage, EVENTS)[-1].json == {"event_id": "nobodys", "extra": 1}


@pytest.mark.parametrize("data_center", HOSTS)
def test_each_data_center_is_chosen_by_the_request(stage: Stage, data_center: str) -> None:
    """The same ids in two data centers are two agents."""
    token = stage.cronofy.grant(data_center, calendars=("cal_here",)).access_token
    headers = {"Cronofy-Authorization": f"Bearer {token}", "Cronofy-Data-Center": data_center}
    body = event(event_id="everywhere")
    agent_summary = stage.api.post("/v1/calendars/cal_here/events", json=body, headers=headers).json()["agent"]
    assert stage.cronofy.meeting((data_center, "cal_here", "everywhere")).subscriptions
    assert stage.read(agent_summary["id"])["data_center"] == data_center


# ---------------------------------------------------------------------------------------------- agents without an event


@pytest.mark.parametrize("older_beta", [False, True])
def test_an_agent_is_sent_now_and_its_sub_known_at_once(
    stage: Stage, application: httpx.Client, older_beta: bool
) -> None:
    """In both shapes of the beta; Cronofy's response is passed on unchanged."""
    stage.cronofy.behaviour.older_beta = older_beta
    try:
        answer = application.post(AGENTS, json=agent() if not older_beta else {"join_url": "https://zoom.us/j/1"})
    finally:
        stage.cronofy.behaviour.older_beta = False
    assert answer.status_code == 200
    content = answer.json()
    theirs = content if older_beta else content["meeting_agent"]
    assert content["agent"]["state"] == "scheduled"
    assert stage.read(content["agent"]["id"])["attempts"][0]["subs"] == [theirs["sub"]]
    stage.cronofy.activate(theirs["sub"])
    assert stage.read(content["agent"]["id"])["state"] == "activated"


def test_an_agent_is_scheduled_found_by_its_key_and_cancelled(stage: Stage, application: httpx.Client) -> None:
    """Its `sub` is first known from a callback."""
    key = uuid.uuid4().hex
    answer = application.post(AGENTS, json=agent(scheduling_key=key, join_time=written(LATER)))
    assert answer.status_code == 202
    agent_summary = answer.json()["agent"]
    again = application.post(AGENTS, json=agent(scheduling_key=key, join_time=written(LATER)))
    assert again.json() == answer.json()
    assert len(received(stage, AGENTS)) == len([r for r in received(stage, AGENTS) if r.json != again.json()])
    (row,) = application.get(AGENTS, params={"scheduling_key": key}).json()["agents"]
    assert (row["id"], row["scheduling_key"], row["meeting"]["start"]) == (agent_summary["id"], key, written(LATER))
    answer = delete(application, AGENTS, {"scheduling_key": key})
    assert (answer.status_code, answer.json()["agent"]["state"]) == (202, "cancelled")
    assert [agent.cancelled for agent in stage.cronofy.meeting(("us", key)).agents] == [True]


def test_a_callers_own_api_key_is_preferred(stage: Stage, application: httpx.Client) -> None:
    """In `Cronofy-Authorization`, or in `Authorization` if the authoriser does not use it."""
    for name in ("Cronofy-Authorization", "Authorization"):
        answer = application.post(AGENTS, json=agent(), headers={name: "Bearer not-a-key"})
        assert (answer.status_code, answer.json()["code"]) == (401, "cronofy_401")


def test_requests_with_one_idempotency_key_make_one_agent(stage: Stage, application: httpx.Client) -> None:
    """Each response is the first one; the key with another body is refused."""
    key = {"Idempotency-Key": uuid.uuid4().hex}
    answers = [application.post(AGENTS, json=agent(), headers=key) for _ in range(3)]
    assert {answer.status_code for answer in answers} == {200}
    assert len({json.dumps(answer.json(), sort_keys=True) for answer in answers}) == 1
    other = application.post(AGENTS, json=agent(display_name="Else"), headers=key)
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
    assert application.post(AGENTS, json=agent()).json()["agent"]["id"] != answers[0].json()["agent"]["id"]


# -------------------------------------------------------------------------------------------------- registered accounts


def test_an_account_is_registered_used_read_and_deleted(stage: Stage, application: httpx.Client) -> None:
    grant = stage.cronofy.grant("de", calendars=("cal_de",))
    body = {"refresh_token": grant.refresh_token, "data_center": "de"}
    put = application.put("/v1/accounts/marty@example.com", json=body)
    assert put.status_code == 200
    answer = application.post(
        "/v1/calendars/cal_de/events", json=event(), headers={"Cronofy-Account": "marty@example.com"}
    )
    assert answer.status_code == 202
    assert stage.read(answer.json()["agent"]["id"])["account"] == "marty@example.com"
    read = application.get("/v1/accounts/marty@example.com")
    assert read.json()["state"] == "active"
    assert read.json()["refreshed_at"]
    for shown in (put.text, read.text):
        assert grant.refresh_token not in shown
        assert grant.access_token not in shown
    assert application.delete("/v1/accounts/marty@example.com").status_code == 204
    assert application.get("/v1/accounts/marty@example.com").status_code == 404
    assert application.delete("/v1/accounts/marty@example.com").status_code == 404
    gone = application.post(
        "/v1/calendars/cal_de/events", json=event(), headers={"Cronofy-Account": "marty@example.com"}
    )
    assert (gone.status_code, gone.json()["code"]) == (422, "unknown_account")


def test_a_request_in_an_accounts_name_is_retried_by_the_sweep(stage: Stage, application: httpx.Client) -> None:
    """On the deployed stack, by its own sweep: 202 at once, and scheduled some seconds later."""
    grant = stage.cronofy.grant("au", calendars=("cal_au",))
    application.put("/v1/accounts/doc", json={"refresh_token": grant.refresh_token, "data_center": "au"})
    stage.cronofy.faults.add("POST", "/v1/calendars/cal_au", status=429)
    answer = application.post("/v1/calendars/cal_au/events", json=event(), headers={"Cronofy-Account": "doc"})
    agent_summary = answer.json()["agent"]
    assert (answer.status_code, agent_summary["state"]) == (202, "requested")
    assert agent_summary["retry_at"]
    assert agent_summary["reason"]["values"] == {"failure": "429"}
    found = wait_until(lambda: (shown := stage.read(agent_summary["id"]))["state"] == "scheduled" and shown, within=40)
    assert found
    assert [entry["kind"] for entry in found["timeline"]] == ["requested", "unconfirmed", "accepted"]


def test_a_refusal_is_passed_on_although_an_earlier_request_waits(stage: Stage, application: httpx.Client) -> None:
    """The one that waits is sent again, and the refused one is not."""
    grant = stage.cronofy.grant("au", calendars=("cal_au",))
    application.put("/v1/accounts/doc", json={"refresh_token": grant.refresh_token, "data_center": "au"})
    body, headers = event(), {"Cronofy-Account": "doc"}
    stage.cronofy.faults.add("POST", "/v1/calendars/cal_au", status=423)
    waits = application.post("/v1/calendars/cal_au/events", json=body, headers=headers)
    assert (waits.status_code, bool(waits.json()["agent"]["retry_at"])) == (202, True)
    errors = {"summary": [{"key": "errors.invalid", "description": "is odd"}]}
    stage.cronofy.faults.add("POST", "/v1/calendars/cal_au", status=422, body={"errors": errors})
    refused = application.post("/v1/calendars/cal_au/events", json=body | {"summary": "Another"}, headers=headers)
    assert (refused.status_code, refused.json()["code"]) == (422, "cronofy_422")
    assert refused.json()["agent"]["retry_at"] == waits.json()["agent"]["retry_at"]


def test_beyond_cronofys_limits_a_durable_request_waits_and_one_by_own_token_gets_429(
    stage: Stage, application: httpx.Client
) -> None:
    """Other functions have used up the limit of this minute. The waiting request is sent when there is room."""
    ago, period = 44, 62  # seconds: of the first of these requests, and until a request counts no more
    counts = {str(int(time.time()) - ago + second): {"N": "50"} for second in range(10)}
    key = {"pk": {"S": "rate#sg"}, "sk": {"S": "counts"}}
    table = stage.stack.outputs["AgentsTableName"]
    stage.stack.session.client("dynamodb").put_item(TableName=table, Item=key | {"counts": {"M": counts}})
    body = agent(scheduling_key=uuid.uuid4().hex, join_time=written(LATER))
    response = application.post(AGENTS, json=body, headers={"Cronofy-Data-Center": "sg"})
    assert (response.status_code, response.json()["agent"]["state"]) == (202, "requested")
    token = stage.cronofy.grant("sg", calendars=("cal_sg",)).access_token
    headers = {"Cronofy-Authorization": f"Bearer {token}", "Cronofy-Data-Center": "sg"}
    refused = application.post("/v1/calendars/cal_sg/events", json=event(), headers=headers)
    assert (refused.status_code, refused.json()["code"]) == (429, "rate_limited")
    assert 1 <= int(refused.headers["retry-after"]) <= period - ago + 1
    ours = ("cal_sg", body["scheduling_key"])
    assert not [sent for sent in stage.cronofy.requests if any(token in f"{sent.path} {sent.body!r}" for token in ours)]
    agent_id = response.json()["agent"]["id"]
    assert wait_until(lambda: stage.read(agent_id)["state"] == "scheduled" or None, within=60)


def test_a_revoked_account_is_an_incident_of_each_agent_that_waits_and_is_shown(
    stage: Stage, application: httpx.Client
) -> None:
    grant = stage.cronofy.grant("ca", calendars=("cal_ca",))
    application.put("/v1/accounts/biff", json={"refresh_token": grant.refresh_token, "data_center": "ca"})
    stage.cronofy.revoke(grant)
    summaries = [
        application.post("/v1/calendars/cal_ca/events", json=event(), headers={"Cronofy-Account": "biff"}).json()[
            "agent"
        ]
        for _ in range(3)
    ]
    assert {summary["state"] for summary in summaries} == {"requested"}
    assert application.get("/v1/accounts/biff").json()["state"] == "reauthorisation_required"
    for summary in summaries:
        assert [incident["type"] for incident in stage.read(summary["id"])["incidents"]] == ["account_disconnected"]


# ---------------------------------------------------------------------------------------------------------------- reads


def test_pages_of_a_list_are_stable_while_agents_are_added(stage: Stage, application: httpx.Client) -> None:
    """Each agent once, by the start of its meeting, even if others are added before the position of the cursor."""
    first = datetime(2091, 5, 1, 23, 30, tzinfo=UTC)
    starts = [first + timedelta(minutes=10 * number) for number in range(7)]
    wanted = [
        application.post(AGENTS, json=agent(scheduling_key=uuid.uuid4().hex, join_time=written(start))).json()["agent"][
            "id"
        ]
        for start in reversed(starts)
    ][::-1]
    span = {"from": written(starts[0]), "to": written(starts[-1] + timedelta(seconds=1))}

    def listed(**more: Any) -> dict[str, Any]:
        answer = application.get(AGENTS, params=span | more)
        assert answer.status_code == 200
        content: dict[str, Any] = answer.json()
        return content

    assert wait_until(lambda: len(listed()["agents"]) == len(wanted) or None)
    pages, page = [], listed(limit=3)
    while True:
        pages += [row["id"] for row in page["agents"]]
        early = agent(scheduling_key=uuid.uuid4().hex, join_time=written(starts[0] + timedelta(seconds=len(pages))))
        application.post(AGENTS, json=early)
        if not page["next_cursor"]:
            break
        page = listed(limit=3, cursor=page["next_cursor"])
    assert pages == wanted
    assert [row["id"] for row in listed(to=written(starts[-1]))["agents"] if row["id"] in wanted] == wanted[:-1]


def test_a_list_is_filtered_by_state_data_center_and_account(stage: Stage, application: httpx.Client) -> None:
    at = datetime(2092, 1, 1, 12, tzinfo=UTC)
    grant = stage.cronofy.grant("uk", calendars=("cal_uk",))
    application.put("/v1/accounts/jen", json={"refresh_token": grant.refresh_token, "data_center": "uk"})
    body = event(start=written(at), end=written(at + timedelta(hours=1)))
    british = application.post("/v1/calendars/cal_uk/events", json=body, headers={"Cronofy-Account": "jen"}).json()
    american = application.post(AGENTS, json=agent(scheduling_key="k32", join_time=written(at))).json()
    delete(application, AGENTS, {"scheduling_key": "k32"})

    def listed(**more: str) -> set[str]:
        answer = application.get(AGENTS, params={"from": written(at), "to": written(at + timedelta(days=1))} | more)
        return {row["id"] for row in answer.json()["agents"]}

    british_id, other = british["agent"]["id"], american["agent"]["id"]
    assert wait_until(lambda: listed(state="cancelled") == {other} or None)
    assert listed() == {british_id, other}
    assert listed(state="scheduled") == listed(data_center="uk") == listed(account="jen") == {british_id}
    assert listed(data_center="us") == {other}
    assert listed(account="unknown") == set()


@pytest.mark.parametrize(
    "params",
    [
        {"limit": "0"},
        {"limit": "101"},
        {"limit": "many"},
        {"cursor": "!"},
        {"cursor": base64.urlsafe_b64encode(b'["x", "y"]').decode()},
        {"cursor": base64.urlsafe_b64encode(b"[1, 2]").decode()},
        {"cursor": base64.urlsafe_b64encode(b'["2026-01-01", "2526-01-01"]').decode()},
        {"from": "yesterday"},
        {"from": "2026-01-02T00:00:00Z", "to": "2026-01-01T00:00:00Z"},
        {"from": "2026-01-01T00:00:00Z", "to": "2026-12-31T00:00:00Z"},
        {"from": "9999-12-31T23:59:59Z"},
        {"to": "0001-01-01T00:00:00+14:00"},
        {"state": "asleep"},
        {"data_center": "mars"},
        {"calendar_id": "cal_1"},
        {"event_id": "e"},
        {"scheduling_key": "k", "event_id": "e", "calendar_id": "cal_1"},
    ],
)
def test_a_contradictory_list_request_is_refused(application: httpx.Client, params: dict[str, str]) -> None:
    answer = application.get(AGENTS, params=params)
    assert answer.status_code == 422
    assert answer.json()["code"] == "invalid_request"
    assert answer.json()["errors"]


def test_an_unknown_agent_is_not_found(application: httpx.Client) -> None:
    for path in ("/ma_nobody", "/ma_nobody/resources/transcript"):
        answer = application.get(AGENTS + path)
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


def test_a_resource_is_resolved_on_each_request_and_the_api_key_goes_no_further(
    stage: Stage, application: httpx.Client
) -> None:
    """A redirect to an address without credentials, or that address as JSON."""
    body = event()
    agent_summary = stage.api.post(EVENTS, json=body).json()["agent"]
    stage.cronofy.activate(body["event_id"])
    path = f"{AGENTS}/{agent_summary['id']}/resources"
    assert application.get(f"{path}/transcript").status_code == 404
    stage.cronofy.complete(body["event_id"])
    answer = application.get(f"{path}/transcript")
    assert (answer.status_code, answer.headers["cache-control"]) == (302, "no-store")
    content = httpx.get(answer.headers["location"], trust_env=False)
    assert content.json()["transcript"]["summary"] == "They began."
    shown = application.get(f"{path}/video", params={"format": "json"}).json()
    assert (shown["category"], shown["type"]) == ("video", "conference")
    assert httpx.get(shown["url"], trust_env=False).headers["content-type"] == "video/mp4"
    presigned = [request for request in stage.cronofy.requests if request.path.startswith("/presigned/")]
    assert len(presigned) >= 2
    assert {request.token for request in presigned} == {None}
    assert application.get(f"{path}/video", params={"format": "json"}).json()["url"] != shown["url"]
    dashboard = application.get(f"{path}/cronofy")
    assert (dashboard.status_code, "/dashboard/" in dashboard.headers["location"]) == (302, True)
    assert application.get(f"{path}/audio", params={"type": "conference"}).status_code == 404


@pytest.mark.parametrize(
    ("fault", "status", "code"),
    [
        ({"status": 404}, 404, "cronofy_404"),
        ({"status": 503}, 502, "cronofy_unreachable"),
        ({"status": 302, "body": "no address"}, 502, "cronofy_unreachable"),
        ({"close": "unanswered"}, 504, "cronofy_timed_out"),
    ],
)
def test_a_resource_that_cronofy_refuses_is_not_a_redirect(
    stage: Stage, application: httpx.Client, fault: dict[str, Any], status: int, code: str
) -> None:
    body = event()
    agent_summary = stage.api.post(EVENTS, json=body).json()["agent"]
    stage.cronofy.complete(body["event_id"])
    stage.cronofy.faults.add("GET", "/resources/", **fault)
    answer = application.get(f"{AGENTS}/{agent_summary['id']}/resources/transcript")
    assert (answer.status_code, answer.json()["code"]) == (status, code)


def test_the_api_key_is_not_sent_to_an_address_that_is_not_cronofys(stage: Stage, application: httpx.Client) -> None:
    """Even if a signed notification has it as a resource."""
    body = event()
    agent_summary = stage.api.post(EVENTS, json=body).json()["agent"]
    foreign = [{"category": "audio", "type": "voice", "url": f"{stage.aws.url}/steal"}]
    stage.cronofy.complete(body["event_id"], extra={"meeting_agent": {"resources": foreign}})
    answer = application.get(f"{AGENTS}/{agent_summary['id']}/resources/audio")
    assert (answer.status_code, answer.json()["code"]) == (502, "untrusted_resource_url")


def test_a_correlation_id_is_in_the_response_the_journal_and_the_log(stage: Stage) -> None:
    """An unusual one is replaced, as it goes into headers and logs."""
    name = f"order-{uuid.uuid4().hex}"
    answer = stage.api.post(EVENTS, json=event(), headers={"X-Correlation-Id": name})
    assert answer.headers["x-correlation-id"] == name
    timeline = stage.read(answer.json()["agent"]["id"])["timeline"]
    assert [entry["correlation_id"] for entry in timeline] == [name, name]
    logs, group = stage.stack.session.client("logs"), stage.stack.resources["ProvisionLog"]
    messages = [log["message"] for log in logs.filter_log_events(logGroupName=group)["events"]]
    assert {json.loads(message)["correlation_id"] for message in messages if name in message} == {name}
    for strange in ("two words", "x" * 129, "ä"):
        answer = stage.api.get(f"{AGENTS}/ma_nobody", headers={b"X-Correlation-Id": strange.encode()})
        assert uuid.UUID(answer.headers["x-correlation-id"]).version == 4


# ------------------------------------------------------------------------------------------------------ Cronofy's moods


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 418, 422, 423, 429, 499])
def test_cronofys_refusal_is_passed_on_with_the_next_step(stage: Stage, status: int) -> None:
    """Its status, its errors, a stable code; and the agent."""
    errors = {"event_id": [{"key": "errors.invalid", "description": "is odd"}]}
    stage.cronofy.faults.add("POST", EVENTS, status=status, body={"errors": errors}, headers={"Retry-After": "7"})
    answer = stage.api.post(EVENTS, json=event())
    problem = answer.json()
    assert answer.headers["content-type"] == "application/problem+json"
    assert (answer.status_code, problem["status"], problem["code"]) == (status, status, f"cronofy_{status}")
    assert problem["errors"] == errors
    assert problem["agent"]["state"] == ("requested" if status in (401, 423, 429) else "rejected")
    assert len(problem["detail"]) > 20
    assert answer.headers["retry-after"] == "7"


@pytest.mark.parametrize(
    ("fault", "status"),
    [
        ({"status": 202, "body": "<html>not JSON</html>", "has_effect": True}, 502),
        ({"body": {"much": "x" * 1000}, "truncate": True}, 202),
        ({"status": 422, "body": "<html>not JSON</html>", "times": 2}, 422),  # the second without event triggers
        ({"status": 418, "body": "teapot"}, 418),
        ({"status": 302, "headers": {"Location": "https://example.com/"}, "times": 2}, 502),
        ({"status": 500, "times": 2}, 502),
        ({"close": "unread", "times": 2}, 504),
        ({"close": "unanswered", "times": 2}, 504),
    ],
)
def test_an_unusual_response_of_cronofys_is_a_defined_response_of_ours(
    stage: Stage, fault: dict[str, Any], status: int
) -> None:
    """The status counts; a status that the API does not have is a 502 or a 504, and the agent stays known."""
    stage.cronofy.faults.clear()
    stage.cronofy.faults.add("POST", EVENTS, **fault)
    answer = stage.api.post(EVENTS, json=event())
    stage.cronofy.faults.clear()
    assert answer.status_code == status
    assert answer.json()["agent"]["id"]
    assert not any(request.path == "/" for request in stage.cronofy.requests)


def test_a_silent_cronofy_is_a_504_in_time(stage: Stage) -> None:
    """API Gateway gives up after thirty seconds."""
    stage.cronofy.faults.add("POST", EVENTS, delay=60, times=2)
    answer = stage.api.post(EVENTS, json=event())
    assert (answer.status_code, answer.json()["code"]) == (504, "cronofy_timed_out")
    assert answer.elapsed < timedelta(seconds=27)
    assert answer.json()["agent"]["reason"]["code"] == "retry_left_to_caller"


@pytest.mark.parametrize("token", ["expired", "revoked"])
def test_an_expired_and_a_revoked_token_are_cronofys_401(stage: Stage, token: str) -> None:
    grant = stage.cronofy.grant("us", calendars=(CALENDAR,))
    if token == "expired":
        stage.cronofy.expire(grant.access_token)
    else:
        stage.cronofy.revoke(grant)
    answer = stage.api.post(EVENTS, json=event(), headers={"Cronofy-Authorization": f"Bearer {grant.access_token}"})
    assert (answer.status_code, answer.json()["code"]) == (401, "cronofy_401")


# ------------------------------------------------------------------------------------------------------------ bad input

DEEP = "[" * 40 + "]" * 40
WRONG_EVENTS: dict[str, dict[str, Any]] = {
    "event_id": {"missing": ..., "type": 1, "empty": "", "long": "x" * 1025, "hostile": "a\nb", "none": "\x00"},
    "summary": {"type": 1, "long": "x" * 1025},
    "description": {"type": [], "long": "x" * 4097},
    "start": {
        "type": 1,
        "words": "tomorrow",
        "missing": ...,
        "zone": {"time": "2026-04-29T17:30:00", "tzid": "Mars/Base"},
    },
    "end": {"type": True, "words": "2026-13-01", "missing": ..., "before": "2020-01-01T00:00:00Z"},
    "tzid": {"type": 1, "unknown": "Mars/Base", "path": "../../etc/passwd"},
    "conferencing": {"type": "default", "profile": {"profile_id": 1}, "empty": {"profile_id": ""}},
    "meeting_agent": {
        "type": "cronofy",
        "missing": {},
        "unknown": {"profile_id": "robot"},
        "name": {"profile_id": "cronofy", "display_name": 1},
        "http": {"profile_id": "cronofy", "image_url": "http://example.com/a.png"},
        "loopback": {"profile_id": "cronofy", "image_url": "https://127.0.0.1/a.png"},
        "private": {"profile_id": "cronofy", "image_url": "https://10.0.0.1/a.png"},
        "metadata": {"profile_id": "cronofy", "image_url": "https://169.254.169.254/latest"},
        "nameless": {"profile_id": "cronofy", "image_url": "https://2130706433/a.png"},
    },
    "subscriptions": {
        "type": {},
        "item": [1],
        "kind": [{"type": "email", "uri": "https://example.com/"}],
        "missing": [{"type": "webhook"}],
        "loopback": [{"type": "webhook", "uri": "http://localhost:8080/"}],
        "private": [{"type": "webhook", "uri": "http://192.168.0.1/"}],
        "six": [{"type": "webhook", "uri": "http://[::1]/"}],
        "scheme": [{"type": "webhook", "uri": "ftp://example.com/"}],
        "interactions": [{"type": "webhook", "uri": "https://example.com/", "interactions": [{"type": 1}]}],
        "transitions": [{"type": "webhook", "uri": "https://example.com/", "transitions": [{"before": "lunch"}]}],
    },
}
WRONG_AGENTS: dict[str, dict[str, Any]] = {
    "join_url": {
        "missing": ...,
        "type": 1,
        "scheme": "zoom://1",
        "private": "https://10.1.1.1/",
        "space": "https://a .com",
    },
    "on_behalf_of_attendee": {"type": "marty", "email": {"email": "no-address"}, "missing": {}},
    "scheduling_key": {"alone": "k", "type": 1, "empty": "", "long": "x" * 1025},
    "join_time": {"alone": "2091-01-01T00:00:00Z", "type": 5},
    "image_url": {"http": "http://example.com/a.png", "loopback": "https://localhost/a.png"},
    "display_name": {"type": []},
}


def cases(wrong: dict[str, dict[str, Any]]) -> list[Any]:
    return [
        pytest.param(field, value, id=f"{field}-{name}")
        for field, values in wrong.items()
        for name, value in values.items()
    ]


def refused(stage: Stage, answer: httpx.Response, before: int) -> dict[str, Any]:
    """Assert a 422 as documented, without a request to Cronofy; return the problem."""
    assert answer.status_code == 422, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert len(stage.cronofy.requests) == before
    problem: dict[str, Any] = answer.json()
    assert problem["code"] == "invalid_request"
    return problem


def is_named(field: str, problem: dict[str, Any]) -> bool:
    """A field is named itself, or where it is missing beside another one."""
    return any(
        name.startswith(field) or any(field in error["description"] for error in errors)
        for name, errors in problem["errors"].items()
    )


@pytest.mark.parametrize(("field", "value"), cases(WRONG_EVENTS))
def test_a_wrong_field_of_an_event_is_named_and_goes_no_further(stage: Stage, field: str, value: Any) -> None:
    before, body = len(stage.cronofy.requests), event()
    body = {k: v for k, v in body.items() if k != field} if value is ... else body | {field: value}
    problem = refused(stage, stage.api.post(EVENTS, json=body), before)
    assert is_named(field, problem), problem


@pytest.mark.parametrize(
    ("changes", "headers", "field", "expected"),
    [
        ({"event_id": None}, {}, "event_id", "a value; it is required"),
        ({"tzid": "Mars/Base"}, {}, "tzid", 'must be an IANA time zone like "Europe/Berlin"'),
        ({"event_id": "a\n"}, {}, "event_id", "an id without control characters"),
        (
            {"subscriptions": [{"type": "webhook", "uri": "ftp://a.example", "interactions": []}]},
            {},
            "subscriptions[0].uri",
            "an http(s) address",
        ),
        (
            {"meeting_agent": {"profile_id": "cronofy", "image_url": "http://a.example"}},
            {},
            "meeting_agent.image_url",
            "an https address",
        ),
        ({}, {"Cronofy-Authorization": "Basic abc"}, "Cronofy-Authorization", "`Bearer <token>`"),
        (
            {},
            {"Cronofy-Account": "-"},
            "Cronofy-Account",
            "the name of an account: at most 128 letters, digits and . _ @ + -; the first is a letter or a digit",
        ),
    ],
)
def test_the_expectation_that_a_field_fails_is_in_words(
    stage: Stage, changes: dict[str, Any], headers: dict[str, str], field: str, expected: str
) -> None:
    """Not as a pattern, and not in the words of the library."""
    answer = stage.api.post(EVENTS, json=event(**changes), headers=headers)
    problem = refused(stage, answer, len(stage.cronofy.requests))
    assert [error["description"] for error in problem["errors"].get(field, [])] == [expected], problem


@pytest.mark.parametrize(("field", "value"), cases(WRONG_AGENTS))
def test_a_wrong_field_of_an_agent_is_named_and_goes_no_further(
    stage: Stage, application: httpx.Client, field: str, value: Any
) -> None:
    before, body = len(stage.cronofy.requests), agent()
    body = {k: v for k, v in body.items() if k != field} if value is ... else body | {field: value}
    problem = refused(stage, application.post(AGENTS, json=body), before)
    assert is_named(field, problem), problem


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"null",
        b"[]",
        b'"text"',
        b"{",
        b'{"event_id": "a", "event_id": "b"}',
        b'{"event_id": NaN}',
        b'{"event_id": "\\ud800"}',
        b"\xff\xfe\x00",
        b'{"event_id": "a", "deep": ' + DEEP.encode() + b"}",
        b"[" * 200_000,
        b"event_id=a&summary=b",
    ],
)
@pytest.mark.parametrize(
    ("method", "path"), [("POST", EVENTS), ("DELETE", EVENTS), ("POST", AGENTS), ("PUT", "/v1/accounts/a")]
)
def test_a_body_that_is_not_a_plain_json_object_is_refused(
    stage: Stage, method: str, path: str, content: bytes
) -> None:
    before = len(stage.cronofy.requests)
    problem = refused(stage, stage.api.request(method, path, content=content), before)
    assert problem["errors"]


def test_ten_megabytes_are_refused(stage: Stage) -> None:
    """API Gateway has that limit; ours is far below."""
    before = len(stage.cronofy.requests)
    answer = stage.api.post(EVENTS, json=event(padding="x" * 300_000))
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")
    answer = stage.api.post(EVENTS, json=event(padding="x" * 10_000_000))
    assert answer.status_code == 413
    assert len(stage.cronofy.requests) == before


@pytest.mark.parametrize(
    "calendar",
    ["", "..", ".", "%2e%2e", "a%2fb", "a/b", "a%2Fevents%3F", "%252e%252e", "a%00b", "a%0Ab", "a%5cb", "a%23b"],
)
def test_no_calendar_id_leads_to_another_path_of_cronofys(stage: Stage, calendar: str) -> None:
    """`DELETE /v1/events` would delete all events."""
    before = len(stage.cronofy.requests)
    for method in ("POST", "DELETE"):
        url = httpx.URL(stage.stack.api_url).copy_with(
            raw_path=httpx.URL(stage.stack.api_url).raw_path + f"/v1/calendars/{calendar}/events".encode()
        )
        answer = stage.api.request(method, url, json=event())
        assert 400 <= answer.status_code < 500, answer.text
    assert len(stage.cronofy.requests) == before


@pytest.mark.parametrize("calendar", ["cal_U9uuErStTG@EAAAB_IsAsykA2DBTWqQTf-f0kJw", "a b", "ü", "a;b=c", "a&b"])
def test_an_unusual_calendar_id_is_quoted(stage: Stage, calendar: str) -> None:
    """It arrives as the same id, as one segment of the path."""
    token = stage.cronofy.grant("us", calendars=(calendar,)).access_token
    answer = stage.api.post(
        f"/v1/calendars/{calendar}/events", json=event(), headers={"Cronofy-Authorization": f"Bearer {token}"}
    )
    assert answer.status_code == 202, answer.text
    assert stage.cronofy.requests[-1].parts == ("v1", "calendars", calendar, "events")


@pytest.mark.parametrize(
    ("headers", "status", "code"),
    [
        ({"Cronofy-Data-Center": "mars"}, 422, "invalid_request"),
        ({"Cronofy-Data-Center": ""}, 422, "invalid_request"),
        ({"Cronofy-Authorization": "Bearer a b"}, 422, "invalid_request"),
        ({"Cronofy-Authorization": "Basic YTpi"}, 422, "invalid_request"),
        ({"Cronofy-Authorization": "Bearer " + "x" * 5000}, 422, "invalid_request"),
    ],
)
def test_a_wrong_header_is_refused(stage: Stage, headers: dict[str, str], status: int, code: str) -> None:
    before = len(stage.cronofy.requests)
    answer = stage.api.post(EVENTS, json=event(), headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert len(stage.cronofy.requests) == before


def test_a_request_without_a_token_is_refused_with_the_ways_to_send_one(application: httpx.Client) -> None:
    answer = application.post(EVENTS, json=event())
    assert (answer.status_code, answer.json()["code"]) == (401, "missing_token")
    assert "Cronofy-Account" in answer.json()["detail"]


def test_an_account_and_a_data_center_that_contradict_each_other_are_refused(
    stage: Stage, application: httpx.Client
) -> None:
    grant = stage.cronofy.grant("sg", calendars=("cal_lou",))
    application.put("/v1/accounts/lou", json={"refresh_token": grant.refresh_token, "data_center": "sg"})
    headers = {"Cronofy-Account": "lou", "Cronofy-Data-Center": "us"}
    answer = application.post(EVENTS, json=event(), headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")


@pytest.mark.parametrize(
    "body",
    [
        {"refresh_token": "t"},
        {"refresh_token": "", "data_center": "us"},
        {"refresh_token": "t", "data_center": "mars"},
        {"refresh_token": "a b", "data_center": "us"},
        {"refresh_token": "x" * 2049, "data_center": "us"},
        {"refresh_token": "t", "data_center": "us", "acess_token": "typo"},
    ],
)
def test_a_wrong_registration_is_refused_and_its_token_not_repeated(application: httpx.Client, body: Any) -> None:
    answer = application.put("/v1/accounts/strickland", json=body)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
    assert "x" * 100 not in answer.text
    assert application.get("/v1/accounts/strickland").status_code == 404


def test_a_route_that_does_not_exist_is_not_found(application: httpx.Client) -> None:
    for method, path in (("PATCH", AGENTS), ("GET", "/v1/calendars"), ("DELETE", "/v1/events"), ("GET", "/")):
        assert application.request(method, path).status_code in (404, 405)


def test_a_note_on_an_agent_without_an_incident_is_stored_once(stage: Stage) -> None:
    """It is in the timeline, with a key of its own."""
    agent_id = stage.api.post(EVENTS, json=event()).json()["agent"]["id"]
    answers = [stage.api.post(f"{AGENTS}/{agent_id}/acknowledgement", json={"note": "all is well"}) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 200]
    keys = [entry["key"] for entry in stage.read(agent_id)["timeline"] if entry["kind"] == "acknowledged"]
    assert [key.split("#")[2] for key in keys] == ["0"]
