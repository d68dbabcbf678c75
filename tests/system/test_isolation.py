"""Two callers of one deployed API, each bound to its own account: no route shows or changes what is the other's.

The stack enforces IAM policies: each caller signs with a key of its own, one of them as the session of a role.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from meeting_agents.api.isolation import RULES
from meeting_agents.aws.dynamodb import Table
from meeting_agents.aws.groups import Groups
from meeting_agents.domain.groups import Group
from meeting_agents.domain.identity import agent_id
from meeting_agents.domain.model import AlertStatus, IncidentType, Severity
from meeting_agents.domain.record import LastAlert
from tests.sandbox.deployment import ROOT
from tests.sandbox.embedded_aws import ACCOUNT, REGION, EmbeddedAws
from tests.sandbox.stage import HOME, Stage, wait_until
from tests.system.test_erasure import ROUTES

START = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=2)
NOT_FOUND, NOT_PERMITTED = (404, "not_found"), (403, "not_permitted")
OTHERS = {"ann": "bob", "bob": "ann"}


@dataclass
class Callers:
    """The callers of a stack, by their names: `ann` and `bob` are bound to the accounts of their names."""

    stage: Stage
    keys: dict[str, Credentials] = field(default_factory=dict)
    notifications: dict[str, str] = field(default_factory=dict)

    def send(self, caller: str, method: str, path: str, body: Any = None, **headers: str) -> httpx.Response:
        """Send a request that the caller signs."""
        url = self.stage.stack.api_url + path
        content = b"" if body is None else json.dumps(body).encode()
        signed = AWSRequest(method, url, data=content, headers={"Content-Type": "application/json", **headers})
        SigV4Auth(self.keys[caller], "execute-api", REGION).add_auth(signed)
        return httpx.request(
            method, url, content=content, headers=dict(signed.headers.items()), timeout=40, trust_env=False
        )

    def call(self, caller: str, route: str, owner: str) -> httpx.Response:
        """Send the request of a route that is about what `owner` has."""
        method, path = route.split(" ")
        values = {
            "account_id": owner,
            "calendar_id": owner,
            "agent_id": agent_of(owner),
            "group_type": "account_disconnected",
            "name": owner,
            "category": "transcript",
            "key": self.notifications.get(owner, "0" * 64),
        }
        bodies: dict[str, Any] = {
            "PUT /v1/accounts/{account_id}": {"data_center": HOME, "refresh_token": self.token(owner)},
            "POST /v1/calendars/{calendar_id}/events": event(f"new-{caller}"),
            "DELETE /v1/calendars/{calendar_id}/events": {"event_id": "done"},
            "POST /v1/meeting_agents": agent(f"new-{caller}"),
            "DELETE /v1/meeting_agents": {"scheduling_key": "application"},
            "POST /v1/incidents/{group_type}/{name}/acknowledgement": {"note": "I call them"},
            "POST /v1/meeting_agents/{agent_id}/acknowledgement": {"note": "I call them"},
            "PUT /v1/silences/{name}": {"until": "PT2H", "why": "quiet", "account": [owner]},
        }
        headers = {"Cronofy-Account": owner} if "calendars" in path else {}
        return self.send(caller, method, path.format_map(values), bodies.get(route), **headers)

    def token(self, name: str) -> str:
        return self.stage.cronofy.grant(HOME, calendars=(name,)).refresh_token

    def state(self, owner: str) -> str:
        """All that the table has of what `owner` has, without the bindings and what the sweep does meanwhile."""
        parts = [
            self.send("owner", "GET", f"/v1/meeting_agents/{agent_of(owner)}").json()["timeline"],
            self.send("owner", "GET", f"/v1/accounts/{owner}").json()["registered_at"],
            self.send("owner", "GET", f"/v1/silences/{owner}").json()["until"],
        ]
        return json.dumps(parts)


def agent_of(owner: str) -> str:
    return agent_id(HOME, owner, "done")


def event(event_id: str) -> dict[str, Any]:
    times = {"start": f"{START:%Y-%m-%dT%H:%M:%SZ}", "end": f"{START + timedelta(hours=1):%Y-%m-%dT%H:%M:%SZ}"}
    return {"event_id": event_id, "summary": "Board", **times, "meeting_agent": {"profile_id": "cronofy"}}


def agent(key: str) -> dict[str, Any]:
    body = {"join_url": "https://zoom.us/j/1", "on_behalf_of_attendee": {"email": "marty@example.com"}}
    return body | {"scheduling_key": key, "join_time": f"{START:%Y-%m-%dT%H:%M:%SZ}"}


def operate(stage: Stage, *arguments: str) -> str:
    """Run a command of an operator, and return what it prints."""
    environment = os.environ | {
        "AWS_ENDPOINT_URL": stage.aws.url,
        "AWS_ACCESS_KEY_ID": ACCOUNT,
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_REGION": REGION,
    }
    command = [sys.executable, "layers/shared/operate.py", "--stack", stage.stack.name, *arguments]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert "Traceback" not in done.stderr
    return done.stdout + done.stderr


def user(stage: Stage, name: str) -> tuple[str, Credentials]:
    """Make a user that may invoke every route. Return its ARN and its key."""
    iam = stage.stack.session.client("iam")
    arn = iam.create_user(UserName=name)["User"]["Arn"]
    for output in ("CallerPolicyArn", "ErasurePolicyArn"):
        iam.attach_user_policy(UserName=name, PolicyArn=stage.stack.outputs[output])
    key = iam.create_access_key(UserName=name)["AccessKey"]
    return arn, Credentials(key["AccessKeyId"], key["SecretAccessKey"])


def role(stage: Stage, name: str) -> tuple[str, Credentials]:
    """Make a role with a path, and return its ARN and the credentials of a session."""
    iam = stage.stack.session.client("iam")
    trust = {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    arn = iam.create_role(RoleName=name, Path="/apps/", AssumeRolePolicyDocument=document)["Role"]["Arn"]
    for output in ("CallerPolicyArn", "ErasurePolicyArn"):
        iam.attach_role_policy(RoleName=name, PolicyArn=stage.stack.outputs[output])
    granted = stage.stack.session.client("sts").assume_role(RoleArn=arn, RoleSessionName="one")["Credentials"]
    return arn, Credentials(granted["AccessKeyId"], granted["SecretAccessKey"], granted["SessionToken"])


@pytest.fixture(scope="module")
def callers(aws: EmbeddedAws) -> Iterator[Callers]:
    """The stack, its callers, and of each of the two an account, a complete agent, a firing incident, a silence."""
    with Stage(aws, name="isolated", enforces_iam=True, parameters={"Isolation": "on"}) as stage:
        made = Callers(stage)
        arns = {}
        for name in ("owner", "ann", "team", "stranger", "reader"):
            arns[name], made.keys[name] = user(stage, name)
        arns["bob"], made.keys["bob"] = role(stage, "bob")
        operate(stage, "bind", "--caller", arns["owner"], "--everything")
        for name in OTHERS:
            operate(stage, "bind", "--caller", arns[name], "--account", name)
        operate(stage, "bind", "--caller", arns["team"], "--label", "team:sales,team:presales")
        table = Table(stage.stack.session.client("dynamodb"), stage.stack.outputs["AgentsTableName"])
        groups = Groups(table, lambda _: None)
        made.send("owner", "POST", "/v1/meeting_agents", agent("application"))
        for name in OTHERS:
            registration = {"data_center": HOME, "refresh_token": made.token(name)}
            assert made.send("owner", "PUT", f"/v1/accounts/{name}", registration).json()["verified"]
            answer = made.send(
                "owner", "POST", f"/v1/calendars/{name}/events", event("done"), **{"Cronofy-Account": name}
            )
            assert answer.json()["agent"]["id"] == agent_of(name)
            stage.cronofy.complete((HOME, name, "done"))
            silence = {"until": "PT2H", "why": f"quiet for {name}", "account": [name]}
            assert made.send("owner", "PUT", f"/v1/silences/{name}", silence).is_success
            disconnect(stage, name)
            group = Group(IncidentType.ACCOUNT_DISCONNECTED, name)
            alert = LastAlert(status=AlertStatus.FIRING, severity=Severity.WARNING, at=datetime.now(UTC), count=1)
            groups.record_alert(group, groups.read(group), alert)
            timeline = made.send("owner", "GET", f"/v1/meeting_agents/{agent_of(name)}").json()["timeline"]
            made.notifications[name] = next(entry["key"] for entry in timeline if entry["kind"] == "complete")
        assert wait_until(lambda: len(made.send("owner", "GET", "/v1/meeting_agents").json()["agents"]) == 3 or None)
        yield made


def disconnect(stage: Stage, account: str) -> None:
    """Let an account need its user's authorisation again, as after a refusal of its refresh token."""
    stage.stack.session.client("dynamodb").update_item(
        TableName=stage.stack.resources["AccountsTable"],
        Key={"account_id": {"S": account}},
        UpdateExpression="SET #state = :state",
        ExpressionAttributeNames={"#state": "state"},
        ExpressionAttributeValues={":state": {"S": "reauthorisation_required"}},
    )


# ----------------------------------------------------------------------------------------------------------- the tables

FOREIGN: dict[str, tuple[int, str]] = {
    "GET /v1/accounts/{account_id}": NOT_FOUND,
    "PUT /v1/accounts/{account_id}": NOT_PERMITTED,
    "DELETE /v1/accounts/{account_id}": NOT_FOUND,
    "POST /v1/calendars/{calendar_id}/events": NOT_PERMITTED,
    "DELETE /v1/calendars/{calendar_id}/events": NOT_PERMITTED,
    "POST /v1/incidents/{group_type}/{name}/acknowledgement": NOT_FOUND,
    "POST /v1/meeting_agents": NOT_PERMITTED,
    "DELETE /v1/meeting_agents": NOT_PERMITTED,
    "GET /v1/meeting_agents/{agent_id}": NOT_FOUND,
    "POST /v1/meeting_agents/{agent_id}/acknowledgement": NOT_FOUND,
    "GET /v1/meeting_agents/{agent_id}/notifications/{key}": NOT_FOUND,
    "POST /v1/meeting_agents/{agent_id}/replay": NOT_FOUND,
    "GET /v1/meeting_agents/{agent_id}/resources/{category}": NOT_FOUND,
    "POST /v1/meeting_agents/{agent_id}/retry": NOT_FOUND,
    "GET /v1/meeting_agents/{agent_id}/data": NOT_FOUND,
    "DELETE /v1/meeting_agents/{agent_id}/data": NOT_FOUND,
    "GET /v1/silences/{name}": NOT_FOUND,
    "PUT /v1/silences/{name}": NOT_PERMITTED,
    "DELETE /v1/silences/{name}": NOT_FOUND,
}
"""The answer to a caller about what is the other's, of each route that names a thing."""
LISTS = ("GET /v1/accounts", "GET /v1/incidents", "GET /v1/meeting_agents", "GET /v1/silences")
OPEN = ("GET /openapi.json", "GET /docs")
OWN: dict[str, int] = {
    "GET /v1/accounts/{account_id}": 200,
    "POST /v1/incidents/{group_type}/{name}/acknowledgement": 200,
    "PUT /v1/accounts/{account_id}": 200,
    "POST /v1/calendars/{calendar_id}/events": 202,
    "GET /v1/meeting_agents/{agent_id}": 200,
    "POST /v1/meeting_agents/{agent_id}/acknowledgement": 200,
    "GET /v1/meeting_agents/{agent_id}/notifications/{key}": 200,
    "POST /v1/meeting_agents/{agent_id}/replay": 200,
    "GET /v1/meeting_agents/{agent_id}/resources/{category}": 302,
    "POST /v1/meeting_agents/{agent_id}/retry": 409,  # it is complete
    "GET /v1/silences/{name}": 200,
    "PUT /v1/silences/{name}": 200,
    "DELETE /v1/silences/{name}": 204,
    "POST /v1/meeting_agents": 403,  # it has no account, so it would be no one's
    "DELETE /v1/meeting_agents": 403,
    "DELETE /v1/calendars/{calendar_id}/events": 202,
    "DELETE /v1/meeting_agents/{agent_id}/data": 200,
    "GET /v1/meeting_agents/{agent_id}/data": 200,
    "DELETE /v1/accounts/{account_id}": 204,
}
"""The answer to a caller about its own, in an order in which each can be tried."""


def test_every_route_has_a_rule_and_is_tried() -> None:
    """A new route has neither, and no caller that is bound may use it until it has both."""
    written = {rule.replace("<", "{").replace(">", "}") for rule in RULES}
    assert written == set(ROUTES) == FOREIGN.keys() | {*LISTS, *OPEN}
    assert OWN.keys() == FOREIGN.keys()


@pytest.mark.parametrize("caller", OTHERS)
@pytest.mark.parametrize("route", FOREIGN)
def test_no_route_shows_or_changes_what_is_the_others(callers: Callers, route: str, caller: str) -> None:
    other = OTHERS[caller]
    before = callers.state(other)
    sent = len(callers.stage.cronofy.requests)
    answer = callers.call(caller, route, other)
    assert (answer.status_code, answer.json()["code"]) == FOREIGN[route], answer.text
    assert "Board" not in answer.text
    assert callers.state(other) == before
    assert [r.path for r in callers.stage.cronofy.requests[sent:] if r.path.startswith("/v1/calendars")] == []


@pytest.mark.parametrize("route", [route for route, answer in FOREIGN.items() if answer == NOT_FOUND])
def test_what_is_the_others_is_answered_like_what_is_not_there(callers: Callers, route: str) -> None:
    """Word for word, but for the name."""
    there, missing = callers.call("ann", route, "bob"), callers.call("ann", route, "eve")
    words = there.text.replace(agent_of("bob"), agent_of("eve")).replace("bob", "eve")
    assert (there.status_code, words) == (missing.status_code, missing.text)


@pytest.mark.parametrize("caller", OTHERS)
@pytest.mark.parametrize("route", LISTS)
def test_a_list_has_a_callers_own_alone(callers: Callers, route: str, caller: str) -> None:
    path = route.removeprefix("GET ")
    queries = ["", "?status=all"] if path == "/v1/incidents" else [""]
    for query in queries:
        text = callers.send(caller, "GET", path + query).text
        assert f'"{caller}"' in text
        assert f'"{OTHERS[caller]}"' not in text
        assert all(f'"{name}"' in callers.send("owner", "GET", path + query).text for name in OTHERS)


def test_no_filter_of_a_list_finds_what_is_the_others(callers: Callers) -> None:
    for query in ("account=bob", "calendar_id=bob&event_id=done", "label=team%3Asales", "scheduling_key=application"):
        assert callers.send("ann", "GET", f"/v1/meeting_agents?{query}").json()["agents"] == [], query
    for query in ("account=bob", "account=bob&status=all", "data_center=us"):
        assert callers.send("ann", "GET", f"/v1/incidents?{query}").json()["incidents"] == [], query
    own = callers.send("ann", "GET", "/v1/meeting_agents?calendar_id=ann&event_id=done").json()["agents"]
    assert [row["id"] for row in own] == [agent_of("ann")]


@pytest.mark.parametrize("route", [*FOREIGN, *LISTS])
def test_a_caller_without_a_binding_is_refused_everywhere(callers: Callers, route: str) -> None:
    answer = callers.call("stranger", route, "ann")
    assert (answer.status_code, answer.json()["code"]) == NOT_PERMITTED
    assert "user/stranger is bound to no account and no label; an operator binds it" in answer.json()["detail"]


@pytest.mark.parametrize("route", OPEN)
def test_the_description_of_the_api_is_for_all(callers: Callers, route: str) -> None:
    for caller in callers.keys:
        assert callers.call(caller, route, "ann").status_code == 200


# --------------------------------------------------------------------------------------------------- what is no route


def test_a_silence_holds_back_no_alert_of_others(callers: Callers) -> None:
    wide: tuple[dict[str, Any], ...] = (
        {"everything": True},
        {"data_center": ["us"]},
        {"type": ["failed"]},
        {"account": ["ann", "bob"]},
        {"agent": [agent_of("ann"), agent_of("bob")]},
    )
    for criteria in wide:
        answer = callers.send("ann", "PUT", "/v1/silences/wide", {"until": "PT2H", "why": "x", **criteria})
        assert (answer.status_code, answer.json()["code"]) == NOT_PERMITTED, criteria
    body = {"until": "PT2H", "why": "x", "agent": [agent_of("ann")]}
    assert callers.send("ann", "PUT", "/v1/silences/narrow", body).status_code == 200
    assert callers.send("bob", "GET", "/v1/silences/narrow").status_code == 404
    assert callers.send("ann", "DELETE", "/v1/silences/narrow").status_code == 204


def test_an_agent_stays_where_it_is(callers: Callers) -> None:
    """A caller cannot take another's agent over by a request in the name of its own account."""
    before = callers.state("bob")
    answer = callers.send("ann", "POST", "/v1/calendars/bob/events", event("done"), **{"Cronofy-Account": "ann"})
    assert (answer.status_code, answer.json()["code"]) == NOT_PERMITTED
    assert callers.state("bob") == before


def test_an_own_token_makes_no_agent_that_is_no_ones(callers: Callers) -> None:
    """It would have no account: its caller could not see it afterwards."""
    headers = {"Cronofy-Authorization": f"Bearer {callers.stage.grant.access_token}"}
    answer = callers.send("ann", "POST", "/v1/calendars/x/events", event("own-token"), **headers)
    assert (answer.status_code, answer.json()["code"]) == NOT_PERMITTED
    assert "the request needs an account in Cronofy-Account" in answer.json()["detail"]


def test_a_caller_that_is_bound_to_a_label_must_send_it(callers: Callers) -> None:
    """And it acts for no account, since none is named in its binding."""
    answer = callers.send("team", "POST", "/v1/meeting_agents", agent("labelled"))
    assert (answer.status_code, answer.json()["code"]) == NOT_PERMITTED
    assert answer.json()["detail"].endswith("the request needs X-Label-Team: sales or presales")
    wrong = callers.send("team", "POST", "/v1/meeting_agents", agent("labelled"), **{"X-Label-Team": "support"})
    assert wrong.status_code == 403
    sent = callers.send("team", "POST", "/v1/meeting_agents", agent("labelled"), **{"X-Label-Team": "sales"})
    assert sent.status_code == 202, sent.text
    again = callers.send("team", "POST", "/v1/meeting_agents", agent("labelled"))
    assert again.status_code == 202  # the agent has its label
    moved = callers.send("team", "POST", "/v1/meeting_agents", agent("labelled"), **{"X-Label-Team": "support"})
    assert moved.status_code == 403
    own = sent.json()["agent"]["id"]

    def listed() -> list[str]:
        return [row["id"] for row in callers.send("team", "GET", "/v1/meeting_agents").json()["agents"]]

    assert wait_until(lambda: listed() == [own] or None)
    assert callers.send("ann", "GET", f"/v1/meeting_agents/{own}").status_code == 404
    for_account = callers.send(
        "team", "POST", "/v1/calendars/ann/events", event("x"), **{"Cronofy-Account": "ann", "X-Label-Team": "sales"}
    )
    assert for_account.status_code == 403
    assert callers.send("team", "GET", "/v1/accounts").json()["accounts"] == []
    assert (
        callers.send("team", "PUT", "/v1/accounts/new", {"data_center": HOME, "refresh_token": "x"}).status_code == 403
    )


def test_a_binding_is_in_force_at_once(callers: Callers) -> None:
    """The commands of an operator; a role is named by its ARN, and a session only where its role pins the name."""
    iam = callers.stage.stack.session.client("iam")
    arn = iam.get_user(UserName="reader")["User"]["Arn"]
    path = f"/v1/meeting_agents/{agent_of('ann')}"
    assert callers.send("reader", "GET", path).status_code == 403
    shown = operate(callers.stage, "bind", "--caller", arn, "--account", "ann,zoe", "--label", "team:sales")
    assert shown == f"{arn}\n          account ann, zoe; label team:sales\nin force from now on\n"
    assert callers.send("reader", "GET", path).status_code == 404  # it has no label
    operate(callers.stage, "bind", "--caller", arn, "--account", "ann")
    assert callers.send("reader", "GET", path).status_code == 200
    session = "arn:aws:sts::000000000001:assumed-role/bob/two"
    assert "unless the role's trust policy sets sts:RoleSessionName" in operate(
        callers.stage, "bind", "--caller", session, "--account", "bob"
    )
    operate(callers.stage, "unbind", "--caller", session)
    listed = operate(callers.stage, "bindings")
    assert ":assumed-role/bob\n          account bob\n" in listed
    assert listed.endswith("5 bindings\n")
    assert "is bound to nothing" in operate(callers.stage, "unbind", "--caller", arn)
    assert callers.send("reader", "GET", path).status_code == 403
    assert "has no binding" in operate(callers.stage, "unbind", "--caller", arn)
    for wrong in (["--account", "a", "--everything"], [], ["--label", "sales"]):
        assert operate(callers.stage, "bind", "--caller", arn, *wrong).startswith("operate: ")


# -------------------------------------------------------------------------------------------------------------- its own


@pytest.mark.parametrize("caller", OTHERS)
@pytest.mark.parametrize("route", OWN)
def test_a_caller_does_with_its_own_what_it_may(callers: Callers, route: str, caller: str) -> None:
    """At the end it erases its agent and reads what remains, which the other cannot."""
    answer = callers.call(caller, route, caller)
    assert answer.status_code == OWN[route], answer.text
    if route == "GET /v1/meeting_agents/{agent_id}/data":
        assert callers.call(OTHERS[caller], route, caller).status_code == 404
        assert callers.call("owner", route, caller).status_code == 200


def test_erasing_is_a_permission_beside_the_binding(callers: Callers) -> None:
    """With the policy for callers alone, API Gateway refuses it."""
    iam = callers.stage.stack.session.client("iam")
    iam.detach_user_policy(UserName="ann", PolicyArn=callers.stage.stack.outputs["ErasurePolicyArn"])
    answer = callers.call("ann", "DELETE /v1/meeting_agents/{agent_id}/data", "ann")
    assert (answer.status_code, "code" in answer.json()) == (403, False)
    assert callers.call("ann", "GET /v1/silences", "ann").status_code == 200
