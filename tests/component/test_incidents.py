"""Incidents, acknowledgements, retries and accounts, as callers of the API see them. In this process."""

import base64
import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from functions.provision import app
from meeting_agents import wiring
from meeting_agents.alerting.message import Links
from meeting_agents.api.context import Collaborators
from meeting_agents.domain.model import EntryType
from meeting_agents.domain.profiles import KnownProfiles, Profile
from meeting_agents.domain.reasons import Reason, ReasonCode
from meeting_agents.incident_list import IncidentList
from tests.component.test_groups import Room
from tests.component.test_newest_request import EVENTS
from tests.component.test_operations import own_token, submit
from tests.desk import CALENDAR, Desk
from tests.sandbox.embedded_aws import EmbeddedAws
from tests.tables import CONTEXT

INCIDENTS, AGENTS, ACCOUNTS = "/v1/incidents", "/v1/meeting_agents", "/v1/accounts"
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
REFUSED = Reason.of(ReasonCode.REQUEST_REFUSED, status=422)

type Call = Callable[..., tuple[int, dict[str, Any]]]


@pytest.fixture
def room(aws: EmbeddedAws) -> Iterator[Room]:
    with Desk(aws) as desk:
        desk.now = datetime.now(UTC)  # the API has the clock of this machine
        yield Room(desk)


@pytest.fixture
def call(room: Room, monkeypatch: pytest.MonkeyPatch) -> Call:
    """Return a function that sends a request of ann's. In `query` a list is a parameter that comes several times."""
    desk = room.desk
    collaborators = Collaborators(
        default_data_center=lambda: "us",
        trigger_lead_time=lambda: None,
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
        incident_list=lambda address: IncidentList(desk.journal(), desk.groups(), Links(address, "")),
    )
    monkeypatch.setattr(app, "COLLABORATORS", collaborators)

    def send(method: str, path: str, body: Any = None, **query: str | list[str]) -> tuple[int, dict[str, Any]]:
        parameters = {name: ",".join([value] if isinstance(value, str) else value) for name, value in query.items()}
        event = {
            "version": "2.0",
            "rawPath": path,
            "rawQueryString": "",
            "headers": {},
            "queryStringParameters": {name.rstrip("_"): value for name, value in parameters.items()},
            "requestContext": {
                "domainName": "api.example.com",
                "stage": "$default",
                "http": {"method": method, "path": path},
                "authorizer": {"iam": {"userArn": "arn:aws:iam::111122223333:user/ann"}},
            },
            "body": json.dumps(body) if body is not None else "",
            "isBase64Encoded": False,
        }
        response = app.handler(event, CONTEXT)
        return response["statusCode"], json.loads(response["body"] or "{}")

    return send


def fail(room: Room, name: str, after: timedelta) -> None:
    room.request(name, room.desk.now + after, "")
    room.answer(name, EntryType.ACCEPTED)
    room.hear(name, "meeting_agent_failed")


def refuse(room: Room, name: str, after: timedelta) -> None:
    room.request(name, room.desk.now + after)
    room.answer(name, EntryType.REJECTED, REFUSED)


def titles(answer: tuple[int, dict[str, Any]]) -> list[str]:
    status, body = answer
    assert status == 200, body
    return [row["agent"]["title"].strip('"') if row["agent"] else row["dedup_key"] for row in body["incidents"]]


# ------------------------------------------------------------------------------------------------------------ incidents


def test_an_incident_has_what_a_person_needs(room: Room, call: Call) -> None:
    fail(room, "weekly", HOUR)
    room.publish()
    [row] = call("GET", INCIDENTS)[1]["incidents"]
    agent = room.histories["weekly"].agent
    assert (row["dedup_key"], row["type"], row["status"], row["severity"]) == (
        f"{agent}/1/failed",
        "failed",
        "open",
        "critical",
    )
    assert (row["summary"], row["account"], row["data_center"]) == ("Meeting agent failed", "", "de")
    assert (row["last_alert"]["count"], row["last_alert"]["status"]) == (1, "firing")
    assert (row["acknowledgement"], row["group"], row["waiting"], row["over_at"]) == (None, None, None, None)
    assert row["next_steps"][0].startswith("Open the meeting")
    assert row["agent"]["links"]["self"] == f"https://api.example.com{AGENTS}/{agent}"
    assert row["agent"]["meeting"]["summary"] == "weekly"


def test_incidents_are_filtered_and_several_values_are_one_or_the_other(room: Room, call: Call) -> None:
    room.register()
    fail(room, "failed", HOUR)
    refuse(room, "refused", 30 * DAY)
    assert titles(call("GET", INCIDENTS)) == ["refused", "failed"]
    assert titles(call("GET", INCIDENTS, type="failed")) == ["failed"]
    assert titles(call("GET", INCIDENTS, type=["failed", "rejected"])) == ["refused", "failed"]
    assert titles(call("GET", INCIDENTS, severity="warning")) == ["refused"]
    assert titles(call("GET", INCIDENTS, account="alice")) == ["refused"]
    assert titles(call("GET", INCIDENTS, data_center="us")) == []
    tomorrow = f"{room.desk.now + DAY:%Y-%m-%dT%H:%M:%SZ}"
    assert titles(call("GET", INCIDENTS, from_=tomorrow)) == ["refused"]
    assert titles(call("GET", INCIDENTS, to=tomorrow)) == ["failed"]
    for query in ({"type": "gone"}, {"severity": "bad"}, {"status": "closed"}, {"limit": "0"}, {"data_center": "mars"}):
        status, problem = call("GET", INCIDENTS, **query)
        assert (status, next(iter(problem["errors"])).partition("[")[0]) == (422, next(iter(query)))


@pytest.mark.parametrize("status", ["open", "all"])
@pytest.mark.parametrize(
    "span",
    [
        {"from_": "2026-04-30T00:00:00Z", "to": "2026-04-29T00:00:00Z"},
        {"from_": "2026-04-29T00:00:00Z", "to": "2026-04-29T00:00:00Z"},
        {"from_": "9999-12-31T23:59:59-14:00"},
        {"to": "0001-01-01T00:00:00+14:00"},
    ],
)
def test_an_empty_or_impossible_span_of_time_is_refused(call: Call, status: str, span: dict[str, str]) -> None:
    """DynamoDB would refuse the first, and Python the last."""
    code, problem = call("GET", INCIDENTS, status=status, **span)
    assert (code, next(iter(problem["errors"]))) == (422, "to")


def test_a_span_of_time_at_the_end_of_the_calendar_has_no_incidents(call: Call) -> None:
    assert titles(call("GET", INCIDENTS, from_="9999-12-31T23:59:59Z")) == []
    assert titles(call("GET", INCIDENTS, to="0001-01-01T00:00:00Z")) == []


@pytest.mark.parametrize("status", ["open", "all"])
def test_the_pages_of_incidents_have_each_once(room: Room, call: Call, status: str) -> None:
    for number in range(7):
        fail(room, f"weekly {number}", HOUR * (number + 1))
    found: list[str] = []
    query: dict[str, Any] = {"status": status, "limit": "3"}
    while query:
        code, page = call("GET", INCIDENTS, **query)
        found += titles((code, page))
        assert len(page["incidents"]) <= 3
        query = query | {"cursor": page["next_cursor"]} if page["next_cursor"] else {}
    names = [f"weekly {number}" for number in range(7)]
    assert found == (names if status == "all" else names[::-1])


def test_all_incidents_have_those_that_are_over(room: Room, call: Call) -> None:
    """Those of which people never had an alert are left out, like a refusal that its caller corrected at once."""
    fail(room, "recovered", HOUR)
    room.publish()
    room.hear("recovered", "meeting_agent_complete")
    refuse(room, "corrected", 2 * HOUR)
    room.answer(
        "corrected", EntryType.REQUESTED, revision=2, attempt=2, request=room.histories["corrected"].entries[0].request
    )
    room.answer("corrected", EntryType.ACCEPTED, revision=2, attempt=2)
    assert titles(call("GET", INCIDENTS)) == []
    status, page = call("GET", INCIDENTS, status="all")
    assert [(row["agent"]["title"], row["type"], row["status"]) for row in page["incidents"]] == [
        ('"recovered"', "failed", "over"),
        ('"recovered"', "conflicting", "over"),
    ]
    assert status == 200
    assert page["incidents"][0]["over_at"]


@pytest.mark.parametrize("status", ["open", "all"])
@pytest.mark.parametrize(
    "value", [["a b", ""], ["2026-04-29T15:30:00.000Z#ma_1"], [1, 2], {}, "text", ["2026-04-29#a", "b"]]
)
def test_a_cursor_that_is_not_ours_is_refused(call: Call, status: str, value: Any) -> None:
    cursor = base64.urlsafe_b64encode(json.dumps(value).encode()).decode()
    for text in (cursor, "%", cursor + "A"):
        code, problem = call("GET", INCIDENTS, status=status, cursor=text)
        assert (code, next(iter(problem["errors"]))) == (422, "cursor")
        assert call("GET", ACCOUNTS, cursor=text)[0] == 422


# -------------------------------------------------------------------------------------------------------------- agents


def test_the_list_of_agents_takes_several_states_and_shows_incidents(room: Room, call: Call) -> None:
    fail(room, "failed", HOUR)
    refuse(room, "refused", 2 * HOUR)
    room.request("on its way", room.desk.now + 3 * HOUR)
    room.answer("on its way", EntryType.ACCEPTED)

    def listed(**query: str | list[str]) -> dict[str, Any]:
        return {row["meeting"]["summary"]: row for row in call("GET", AGENTS, **query)[1]["agents"]}

    assert list(listed()) == ["failed", "refused", "on its way"]
    assert list(listed(state=["failed", "scheduled"])) == ["failed", "on its way"]
    assert list(listed(incident="open")) == ["failed", "refused"]
    assert list(listed(incident="open", state="rejected")) == ["refused"]
    rows = listed()
    assert rows["on its way"]["incident"] is None
    assert rows["on its way"]["next_deadline"]["phase"] == "activation"
    assert (rows["failed"]["incident"]["type"], rows["failed"]["incident"]["severity"]) == ("failed", "critical")
    assert rows["failed"]["incident"]["acknowledged_at"] is None
    agent = room.histories["failed"].agent
    assert call("POST", f"{AGENTS}/{agent}/acknowledgement", {"note": "on it"})[0] == 200
    assert listed()["failed"]["incident"]["acknowledged_at"]
    assert call("GET", AGENTS, state="failed,gone")[0] == 422


# ------------------------------------------------------------------------------------------------------ acknowledgement


def test_an_acknowledgement_names_the_person_and_the_note(room: Room, call: Call) -> None:
    fail(room, "weekly", HOUR)
    agent = room.histories["weekly"].agent
    call("POST", f"{AGENTS}/{agent}/acknowledgement", {"note": "I call them"})
    [row] = call("GET", INCIDENTS)[1]["incidents"]
    assert (row["acknowledgement"]["by"], row["acknowledgement"]["note"]) == (
        "arn:aws:iam::111122223333:user/ann",
        "I call them",
    )


def test_a_group_is_acknowledged_as_one_and_gets_no_reminder(room: Room, call: Call) -> None:
    room.escalation = timedelta(minutes=15)
    room.desk.now -= timedelta(minutes=5)  # the alert was before the acknowledgement
    room.register()
    room.disconnect()
    room.wait_for_account("weekly", room.desk.now + HOUR / 2)
    room.desk.now += timedelta(minutes=3)
    room.publish()
    assert titles(call("GET", INCIDENTS))[0] == "account_disconnected/alice"
    path = f"{INCIDENTS}/account_disconnected/alice/acknowledgement"
    status, row = call("POST", path.replace("alice", "%61lice"), {"note": "she is on her way"})
    assert (status, row["dedup_key"], row["waiting"]) == (200, "account_disconnected/alice", 1)
    assert (row["acknowledgement"]["by"], row["acknowledgement"]["note"]) == (
        "arn:aws:iam::111122223333:user/ann",
        "she is on her way",
    )
    assert row["next_steps"][0].endswith("PUT https://api.example.com/v1/accounts/alice.")
    room.desk.now = datetime.now(UTC) + timedelta(minutes=18)
    room.publish()
    assert len(room.titles) == 1


def test_all_incidents_begin_with_those_of_groups(room: Room, call: Call) -> None:
    """The one that is open, or the last one with its acknowledgement; only the first page has them."""
    room.register()
    room.disconnect()
    room.wait_for_account("weekly", room.desk.now + HOUR / 2)
    fail(room, "monthly", HOUR)
    room.desk.now += timedelta(minutes=3)
    room.publish()
    key = "account_disconnected/alice"
    [first, *others] = call("GET", INCIDENTS, status="all")[1]["incidents"]
    assert (first["dedup_key"], first["status"], first["waiting"]) == (key, "open", 1)
    assert {row["dedup_key"] for row in others} & {key} == set()
    call("POST", f"{INCIDENTS}/{key}/acknowledgement", {"note": "she is on her way"})
    room.register()
    room.desk.now += timedelta(minutes=20)
    room.sweep()
    assert key not in titles(call("GET", INCIDENTS))
    [first, *others] = call("GET", INCIDENTS, status="all")[1]["incidents"]
    assert (first["dedup_key"], first["status"], first["waiting"], first["next_steps"]) == (key, "over", None, [])
    assert first["summary"] == "Account alice is disconnected"
    assert first["opened_at"] < first["over_at"] == first["last_alert"]["at"]
    assert (first["last_alert"]["status"], first["acknowledgement"]["note"]) == ("resolved", "she is on her way")
    assert (first["account"], first["group"]["name"], first["agent"]) == ("alice", "alice", None)
    page = call("GET", INCIDENTS, status="all", limit="1")[1]
    rest = call("GET", INCIDENTS, status="all", limit="1", cursor=page["next_cursor"])
    assert page["incidents"][0]["dedup_key"] == key
    assert key not in titles(rest)


def test_a_group_whose_incident_was_over_before_or_opened_after_the_span_is_left_out(room: Room, call: Call) -> None:
    room.register()
    room.disconnect()
    room.wait_for_account("weekly", room.desk.now + HOUR / 2)
    room.desk.now += timedelta(minutes=3)
    room.publish()
    opened_at = room.desk.now
    room.register()
    room.desk.now += timedelta(minutes=20)
    room.sweep()
    over_at = room.desk.now

    def listed(start: datetime, end: datetime, **query: str) -> bool:
        span = {"from_": f"{start:%Y-%m-%dT%H:%M:%S.%fZ}", "to": f"{end:%Y-%m-%dT%H:%M:%S.%fZ}"}
        rows = call("GET", INCIDENTS, status="all", **span, **query)[1]["incidents"]
        return any(row["dedup_key"] == "account_disconnected/alice" for row in rows)

    second = timedelta(seconds=1)
    assert listed(opened_at - DAY, opened_at + second)
    assert listed(over_at - second, over_at + DAY)
    assert not listed(opened_at - DAY, opened_at - second)
    assert not listed(over_at + second, over_at + DAY)
    for query, is_listed in (
        ({"type": "account_disconnected"}, True),
        ({"type": "failed"}, False),
        ({"account": "alice"}, True),
        ({"account": "bob"}, False),
        ({"data_center": "de"}, False),
    ):
        assert listed(opened_at, over_at + second, **query) is is_listed, query


def test_the_next_incident_of_a_group_is_not_acknowledged_by_the_one_before(room: Room, call: Call) -> None:
    key = "account_disconnected/alice"
    for number in range(2):
        room.register()
        room.disconnect()
        room.wait_for_account(f"weekly {number}", room.desk.now + HOUR / 2)
        room.desk.now += timedelta(minutes=3)
        room.publish()
        rows = call("GET", INCIDENTS, status="all")[1]["incidents"]
        [row] = [row for row in rows if row["dedup_key"] == key]
        assert (row["status"], row["acknowledgement"]) == ("open", None)
        call("POST", f"{INCIDENTS}/{key}/acknowledgement", {"note": "she is on her way"})
        room.register()
        room.desk.now += timedelta(minutes=20)
        room.sweep()


def test_only_a_group_with_a_firing_alert_can_be_acknowledged(room: Room, call: Call) -> None:
    path = f"{INCIDENTS}/account_disconnected/alice/acknowledgement"
    assert call("POST", path, {"note": "x"})[0] == 404
    assert call("POST", path.replace("alice", "bob"), {"note": ""})[0] == 422
    assert call("POST", f"{INCIDENTS}/failed/alice/acknowledgement", {"note": "x"})[0] == 422
    assert call("POST", f"{AGENTS}/ma_unknown/acknowledgement", {"note": "x"})[0] == 404


def test_a_group_that_is_over_is_not_shown_as_open_before_its_resolved_alert(room: Room, call: Call) -> None:
    room.register()
    room.disconnect()
    room.wait_for_account("weekly", room.desk.now + HOUR / 2)
    room.desk.now += timedelta(minutes=3)
    room.publish()
    room.register()
    assert titles(call("GET", INCIDENTS)) == ["weekly"]
    status, problem = call("POST", f"{INCIDENTS}/account_disconnected/alice/acknowledgement", {"note": "x"})
    assert (status, problem["status"]) == (200, "over")


# ---------------------------------------------------------------------------------------------------------------- retry


def test_a_retry_answers_as_the_request_does(room: Room, call: Call) -> None:
    desk = room.desk
    agent = submit(desk, desk.upsert(desk.register(), start=later(desk, 2), end=later(desk, 3)), 422)
    desk.track(agent)
    assert call("GET", INCIDENTS)[1]["incidents"][0]["agent"]["retry_problem"] == ""
    desk.cronofy.faults.add("POST", EVENTS, status=403)
    status, problem = call("POST", f"{AGENTS}/{agent}/retry")
    assert (status, problem["code"], problem["agent"]["state"]) == (403, "cronofy_403", "rejected")
    status, answer = call("POST", f"{AGENTS}/{agent}/retry")
    assert (status, answer["agent"]["state"], answer["agent"]["attempt"]) == (202, "scheduled", 3)
    status, problem = call("POST", f"{AGENTS}/{agent}/retry")
    assert (status, problem["code"]) == (409, "nothing_to_retry")
    assert "the agent is scheduled" in problem["detail"]


def test_a_retry_that_is_not_possible_says_so_in_the_list_and_when_it_is_requested(room: Room, call: Call) -> None:
    desk = room.desk
    agent = submit(desk, desk.upsert(own_token(desk), start=later(desk, 2), end=later(desk, 3)), 422)
    desk.track(agent)
    [row] = call("GET", INCIDENTS)[1]["incidents"]
    status, problem = call("POST", f"{AGENTS}/{agent}/retry")
    assert (status, problem["code"]) == (409, "retry_left_to_caller")
    assert row["agent"]["retry_problem"] == problem["detail"]
    assert "own token" in problem["detail"]
    assert call("POST", f"{AGENTS}/ma_unknown/retry")[0] == 404
    assert call("POST", f"{AGENTS}/{agent}/retry", {"dry_run": True})[0] == 422


def later(desk: Desk, hours: int) -> str:
    return f"{desk.now + hours * HOUR:%Y-%m-%dT%H:%M:%SZ}"


# ------------------------------------------------------------------------------------------------------------- accounts


def test_a_token_is_used_once_when_it_is_registered(room: Room, call: Call) -> None:
    grant = room.desk.cronofy.grant("us", calendars=(CALENDAR,))
    body = {"refresh_token": grant.refresh_token, "data_center": "us"}
    status, account = call("PUT", f"{ACCOUNTS}/marty@example.com", body)
    assert (status, account["verified"], account["problem"], account["state"]) == (200, True, "", "active")
    assert account["access_token_until"]
    assert room.desk.tokens().access_token("marty@example.com") == grant.access_token
    assert room.desk.cronofy.count("POST", "/oauth/token") == 1


def test_a_registration_says_which_conferencing_profiles_are_disconnected(room: Room, call: Call) -> None:
    """They are the answer alone: what meetings wait for is found and stored by the sweep."""
    cronofy = room.desk.cronofy
    grant = cronofy.grant("us", calendars=(CALENDAR,), providers=("zoom", "go_to"))
    zoom, go_to = (profile["profile_id"] for profile in grant.profiles)
    cronofy.connect_profile(zoom, is_connected=False)
    body = {"refresh_token": grant.refresh_token, "data_center": "us"}
    status, account = call("PUT", f"{ACCOUNTS}/alice", body)
    assert (status, account["conferencing_profiles"]) == (
        200,
        [
            {"id": zoom, "is_connected": False, "relink_url": grant.profiles[0]["profile_relink_url"]},
            {"id": go_to, "is_connected": True, "relink_url": ""},
        ],
    )
    assert account["relink_urls"] == []
    assert room.desk.accounts().read("alice").profiles == KnownProfiles()
    bare = cronofy.grant("us", calendars=(CALENDAR,))
    account = call("PUT", f"{ACCOUNTS}/bob", {"refresh_token": bare.refresh_token, "data_center": "us"})[1]
    assert account["conferencing_profiles"] == []


@pytest.mark.parametrize("fault", [{"status": 403}, {"status": 503}, {"status": 200, "body": {}}])
def test_an_account_is_registered_though_its_profiles_cannot_be_read(
    room: Room, call: Call, fault: dict[str, Any]
) -> None:
    """The scope that this needs is not documented."""
    grant = room.desk.cronofy.grant("us", calendars=(CALENDAR,), providers=("zoom",))
    room.desk.cronofy.faults.add("GET", "/v1/userinfo", times=None, **fault)
    body = {"refresh_token": grant.refresh_token, "data_center": "us"}
    status, account = call("PUT", f"{ACCOUNTS}/alice", body)
    assert (status, account["verified"], account["problem"], account["state"]) == (200, True, "", "active")
    assert account["conferencing_profiles"] is None


def test_the_refresh_token_that_cronofy_returns_replaces_the_registered_one(room: Room, call: Call) -> None:
    room.desk.cronofy.behaviour.rotate_refresh_tokens = True
    grant = room.desk.cronofy.grant("us", calendars=(CALENDAR,))
    before = grant.refresh_token
    assert call("PUT", f"{ACCOUNTS}/alice", {"refresh_token": before, "data_center": "us"})[1]["verified"]
    account = room.desk.accounts().read("alice")
    assert room.desk.accounts().refresh_token(account) == grant.refresh_token != before


def test_a_token_that_cronofy_refuses_is_not_registered_and_a_valid_one_stays(room: Room, call: Call) -> None:
    room.register()
    for name in ("alice", "bob"):
        status, problem = call("PUT", f"{ACCOUNTS}/{name}", {"refresh_token": "old", "data_center": "us"})
        assert (status, problem["code"]) == (422, "invalid_grant")
        assert next(iter(problem["errors"])) == "refresh_token"
        assert "data center us does not accept" in problem["detail"]
    assert call("GET", f"{ACCOUNTS}/bob")[0] == 404
    assert room.desk.tokens().access_token("alice")


@pytest.mark.parametrize("status", [401, 429, 500, 503])
def test_a_token_that_cannot_be_used_yet_is_registered_and_the_answer_says_so(
    room: Room, call: Call, status: int
) -> None:
    grant = room.desk.cronofy.grant("us", calendars=(CALENDAR,))
    room.desk.cronofy.faults.add("POST", "/oauth/token", status=status)
    body = {"refresh_token": grant.refresh_token, "data_center": "us"}
    code, account = call("PUT", f"{ACCOUNTS}/alice", body)
    assert (code, account["verified"], account["state"]) == (200, False, "active")
    assert str(status) in account["problem"]
    assert room.desk.tokens().access_token("alice") == grant.access_token


def test_a_data_center_without_a_client_secret_is_named(call: Call) -> None:
    """An operator may store it afterwards."""
    code, account = call("PUT", f"{ACCOUNTS}/alice", {"refresh_token": "t", "data_center": "de"})
    assert (code, account["verified"]) == (200, False)
    assert "de" in account["problem"]


def test_accounts_are_listed_in_pages_without_their_tokens(room: Room, call: Call) -> None:
    grants = [room.desk.cronofy.grant("us", calendars=(CALENDAR,)) for _ in range(5)]
    for number, grant in enumerate(grants):
        call(
            "PUT", f"{ACCOUNTS}/user+{number}@example.com", {"refresh_token": grant.refresh_token, "data_center": "us"}
        )
    gone = Profile(id="pro_1", is_connected=False, relink_url="https://app.cronofy.com/relink")
    known = KnownProfiles(profiles=(gone,), read_at=datetime.now(UTC), reported=(gone,))
    room.desk.accounts().save_profiles("user+3@example.com", known)
    found: list[dict[str, Any]] = []
    query: dict[str, str] = {"limit": "2"}
    while query:
        status, page = call("GET", ACCOUNTS, **query)
        assert status == 200
        assert len(page["accounts"]) <= 2
        found += page["accounts"]
        query = {"limit": "2", "cursor": page["next_cursor"]} if page["next_cursor"] else {}
    assert sorted(account["id"] for account in found) == [f"user+{number}@example.com" for number in range(5)]
    assert {account["id"]: account["relink_urls"] for account in found}["user+3@example.com"]
    text = json.dumps(found)
    assert not [grant for grant in grants if grant.refresh_token in text or grant.access_token in text]
    assert all(account["access_token_until"] for account in found)
