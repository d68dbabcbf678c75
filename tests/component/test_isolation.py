"""Callers with tokens of another issuer, and what happens where a binding cannot be read: the API in this process."""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from functions.provision import app
from meeting_agents.api.isolation import RULES
from meeting_agents.aws.bindings import Bindings
from meeting_agents.aws.dynamodb import Table
from meeting_agents.domain.bindings import EVERYTHING, Binding
from meeting_agents.errors import StoreUnavailable
from tests.component.test_api import call as call  # noqa: PLC0414 - a fixture
from tests.component.test_api import desk as desk  # noqa: PLC0414 - a fixture
from tests.desk import CALENDAR, Desk
from tests.tables import CONTEXT

EVENTS = f"/v1/calendars/{CALENDAR}/events"

type Send = Callable[..., tuple[int, dict[str, Any]]]
type Authorizer = Mapping[str, Any] | None


def token(**claims: str) -> dict[str, Any]:
    """The part of the Lambda event that API Gateway makes of a token."""
    return {"jwt": {"claims": {"iss": "https://issuer.example.com/", **claims}, "scopes": None}}


@pytest.fixture
def bindings(desk: Desk) -> Bindings:
    return Bindings(Table(desk.journal()._table.client, desk.agents_table))


@pytest.fixture
def send(bindings: Bindings, call: Any, monkeypatch: pytest.MonkeyPatch) -> Send:
    """Return a function that sends a request of a caller, with isolation and two claims."""
    assert call  # it gives the app its collaborators
    isolated = replace(app.COLLABORATORS, bindings=lambda: bindings, claims=lambda: ("accounts", "labels"))
    monkeypatch.setattr(app, "COLLABORATORS", isolated)

    def sent(authorizer: Authorizer, method: str, path: str, body: Any = None, **headers: str) -> Any:
        event = {
            "version": "2.0",
            "rawPath": path,
            "rawQueryString": "",
            "headers": headers,
            "requestContext": {
                "domainName": "api.example.com",
                "stage": "$default",
                "http": {"method": method, "path": path},
                **({"authorizer": authorizer} if authorizer is not None else {}),
            },
            "body": "" if body is None else json.dumps(body),
            "isBase64Encoded": False,
        }
        response = app.handler(event, CONTEXT)
        return response["statusCode"], json.loads(response["body"])

    return sent


def event(event_id: str) -> dict[str, Any]:
    start = datetime.now(UTC) + timedelta(hours=3)
    times = {"start": f"{start:%Y-%m-%dT%H:%M:%SZ}", "end": f"{start + timedelta(hours=1):%Y-%m-%dT%H:%M:%SZ}"}
    return {"event_id": event_id, "summary": "Board", **times, "meeting_agent": {"profile_id": "cronofy"}}


def test_a_token_binds_its_caller_by_its_claims(desk: Desk, send: Send) -> None:
    """To an account, whose agent another token does not see."""
    desk.register("alice")
    alice, bob = token(sub="1", accounts="alice", labels="*"), token(sub="2", accounts="[bob carl]", labels="*")
    headers = {"cronofy-account": "alice"}
    status, refused = send(bob, "POST", EVENTS, event("e"), **headers)
    assert (status, refused["code"]) == (403, "not_permitted")
    status, accepted = send(alice, "POST", EVENTS, event("e"), **headers)
    assert (status, accepted["agent"]["state"]) == (202, "scheduled")
    agent = f"/v1/meeting_agents/{accepted['agent']['id']}"
    assert send(alice, "GET", agent)[0] == 200
    assert send(bob, "GET", agent)[0] == 404
    assert send(token(accounts="*", labels="*"), "GET", agent)[0] == 200
    assert send(token(accounts="alice", labels="team:sales"), "GET", agent)[0] == 404


@pytest.mark.parametrize(
    "authorizer",
    [
        None,
        {},
        token(sub="1"),
        token(sub="1", accounts="alice"),
        token(sub="1", accounts="", labels="*"),
        {"iam": {"userArn": "arn:aws:iam::111122223333:user/ann"}},
        {"iam": {"userArn": ""}},
    ],
)
def test_a_caller_without_a_whole_binding_is_refused(send: Send, authorizer: Authorizer) -> None:
    status, problem = send(authorizer, "GET", "/v1/meeting_agents")
    assert (status, problem["code"]) == (403, "not_permitted")


def test_a_caller_is_bound_by_its_name_where_its_token_has_no_claims(
    send: Send, bindings: Bindings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A session by its own, else by that of its role."""
    monkeypatch.setattr(app, "COLLABORATORS", replace(app.COLLABORATORS, claims=lambda: ("", "")))
    role = "arn:aws:sts::111122223333:assumed-role/sales"
    bindings.put("auth0|42", EVERYTHING)
    bindings.put(role, Binding(labels={"team": ("sales",)}))
    bindings.put(f"{role}/two", Binding(accounts=frozenset({"alice"})))
    calls: tuple[tuple[dict[str, Any], str], ...] = (
        (token(sub="auth0|42"), "unknown_account"),
        (token(sub="auth0|43"), "not_permitted"),
        ({"iam": {"userArn": f"{role}/one"}}, "not_permitted"),  # no account is named in its role's binding
        ({"iam": {"userArn": f"{role}/two"}}, "unknown_account"),
        ({"iam": {"userArn": f"{role}2/one"}}, "not_permitted"),
    )
    for authorizer, code in calls:
        _, problem = send(authorizer, "POST", EVENTS, event("named"), **{"cronofy-account": "alice"})
        assert problem["code"] == code
    assert send(calls[2][0], "GET", "/v1/accounts")[1]["accounts"] == []
    assert bindings.delete("auth0|42")
    assert send(token(sub="auth0|42"), "GET", "/v1/accounts")[0] == 403


def test_a_binding_that_cannot_be_read_permits_nothing(send: Send, monkeypatch: pytest.MonkeyPatch) -> None:
    class Down(Bindings):
        def of(self, caller: str) -> Binding:
            raise StoreUnavailable("DynamoDB did not answer; try again")

    table: Any = None
    isolated = replace(app.COLLABORATORS, bindings=lambda: Down(table), claims=lambda: ("", ""))
    monkeypatch.setattr(app, "COLLABORATORS", isolated)
    status, problem = send({"iam": {"userArn": "arn:aws:iam::1:user/ann"}}, "GET", "/v1/meeting_agents")
    assert (status, problem["code"]) == (503, "store_unavailable")


def test_a_route_without_a_rule_is_for_those_alone_that_are_bound_to_everything(
    send: Send, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(RULES, "GET /v1/silences")
    status, problem = send(token(accounts="alice", labels="*"), "GET", "/v1/silences")
    assert (status, "has no rule" in problem["detail"]) == (403, True)
    assert send(token(accounts="*", labels="*"), "GET", "/v1/silences")[0] == 200
