"""Labels of the caller's own: from the headers of a request to lists, announcements, alerts and the terminal."""

import subprocess
from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from uuid import uuid4

import httpx
import pytest

from meeting_agents.cronofy.messages import CallerCredentials
from meeting_agents.domain.model import EntryType
from meeting_agents.provisioning import ProvisioningRequest
from tests.component.test_provision import AGENTS, EVENTS, agent, delete, event, received
from tests.component.test_terminal import run
from tests.desk import Desk
from tests.sandbox.embedded_aws import ACCOUNT, EmbeddedAws
from tests.sandbox.stage import Stage, wait_until

# ----------------------------------------------------------------------------------------------------- on the sandbox


@pytest.fixture
def team() -> str:
    """The name of a team that no other test has."""
    return f"team-{uuid4().hex[:8]}"


def failed(stage: Stage, team: str, **labels: str) -> str:
    """Request an agent with these labels, and let it fail. Return its id."""
    headers = {"X-Label-Team": team} | {f"X-Label-{name}": value for name, value in labels.items()}
    body = event()
    answer = stage.api.post(EVENTS, json=body, headers=headers)
    assert answer.status_code == 202
    stage.cronofy.fail(body["event_id"])
    agent_id: str = answer.json()["agent"]["id"]
    return agent_id


def listed(stage: Stage, path: str, *labels: str, **parameters: Any) -> list[dict[str, Any]]:
    answer = stage.api.get(path, params={"label": list(labels), **parameters})
    assert answer.status_code == 200, answer.text
    rows: list[dict[str, Any]] = answer.json()["agents" if path == AGENTS else "incidents"]
    return rows


def test_labels_are_in_each_list_and_lists_can_be_narrowed_down_by_them(stage: Stage, team: str) -> None:
    """Of several of one name one, of different names each."""
    emea, apac = (failed(stage, team, region=region) for region in ("emea", "apac"))
    assert wait_until(lambda: len(listed(stage, "/v1/incidents", f"team:{team}")) == 2 or None)
    assert stage.read(emea)["labels"] == {"team": team, "region": "emea"}
    rows = listed(stage, AGENTS, f"team:{team}", "region:emea")
    assert [(row["id"], row["labels"]) for row in rows] == [(emea, {"team": team, "region": "emea"})]
    either = ("region:emea", "region:apac")
    assert {row["id"] for row in listed(stage, AGENTS, f"team:{team}", *either)} == {emea, apac}
    incidents = listed(stage, "/v1/incidents", f"team:{team}", "region:apac")
    assert [(row["agent"]["id"], row["agent"]["labels"]["region"]) for row in incidents] == [(apac, "apac")]
    every = listed(stage, "/v1/incidents", f"team:{team}", status="all")
    assert {row["agent"]["id"] for row in every} == {emea, apac}
    assert listed(stage, AGENTS, f"team:{team}", "region:amer") == []
    assert listed(stage, "/v1/incidents", f"Team:{team}x") == []


def test_labels_are_in_every_announcement_and_in_the_alert(stage: Stage, team: str) -> None:
    labels = {"team": team, "owner": "ann@example.com"}
    failing = failed(stage, team, Owner="ann@example.com")

    def alert() -> dict[str, Any] | None:
        return next((a for a in stage.alerts.messages() if a["agents"][0]["agent_id"] == failing), None)

    sent = wait_until(alert)
    assert sent
    assert sent["agents"][0]["labels"] == labels
    announcements = [one for one in stage.lifecycle.messages() if one["subject"] == failing]
    assert len(announcements) >= 3
    assert all(one["data"]["labels"] == labels for one in announcements)
    assert any(f"Labels       owner: ann@example.com, team: {team}" in email["text"] for email in stage.emails())


def test_no_label_reaches_cronofy(stage: Stage, team: str) -> None:
    failed(stage, team)
    sent = received(stage, EVENTS)[-1]
    assert team not in sent.body.decode()
    assert not [name for name in sent.headers if name.lower().startswith("x-label")]


def test_an_agent_without_a_calendar_event_has_labels_and_its_cancellation_keeps_them(stage: Stage, team: str) -> None:
    key, headers = f"key-{uuid4().hex}", {"X-Label-Team": team}
    body = agent(scheduling_key=key, join_time="2099-04-29T15:30:00Z")
    with httpx.Client(base_url=stage.stack.api_url, timeout=40, trust_env=False) as application:
        requested = application.post(AGENTS, json=body, headers=headers).json()["agent"]["id"]
        assert stage.read(requested)["labels"] == {"team": team}
        assert delete(application, AGENTS, {"scheduling_key": key}).status_code == 202
        assert stage.read(requested)["labels"] == {"team": team}


@pytest.mark.parametrize(
    ("headers", "wrong"),
    [
        ({"X-Label-Team": "a,b"}, {"X-Label-Team"}),
        ({"X-Label-Team": "x" * 65, "X-Label-Te.am": "b"}, {"X-Label-Team", "X-Label-Te.Am"}),
        ({f"X-Label-{number}": "a" for number in range(11)}, {"X-Label-…"}),
    ],
)
@pytest.mark.parametrize(
    ("method", "path"), [("POST", EVENTS), ("DELETE", EVENTS), ("POST", AGENTS), ("DELETE", AGENTS)]
)
def test_a_wrong_label_is_named_and_nothing_is_sent(
    stage: Stage, method: str, path: str, headers: dict[str, str], wrong: set[str]
) -> None:
    count = len(received(stage, path))
    body = event() if path == EVENTS else agent(scheduling_key="k", join_time="2099-04-29T15:30:00Z")
    if method == "DELETE":
        body = {name: body[name] for name in ("event_id", "scheduling_key") if name in body}
    answer = stage.api.request(method, path, json=body, headers=headers)
    assert answer.status_code == 422
    assert set(answer.json()["errors"]) == wrong
    assert len(received(stage, path)) == count


@pytest.mark.parametrize("path", [AGENTS, "/v1/incidents"])
def test_a_wrong_filter_is_refused(stage: Stage, path: str) -> None:
    answer = stage.api.get(path, params={"label": "sales"})
    assert answer.status_code == 422
    assert answer.json()["errors"] == {
        "label": [{"key": "errors.invalid", "description": "name:value, for instance team:sales"}]
    }


def test_the_terminal_shows_labels_and_lists_by_them(stage: Stage, team: str) -> None:
    def operate(*arguments: str) -> subprocess.CompletedProcess[str]:
        return run(stage.aws, ACCOUNT, stage.stack.name, *arguments)

    failing = failed(stage, team, region="emea")
    failed(stage, team, region="apac")
    assert wait_until(lambda: len(listed(stage, "/v1/incidents", f"team:{team}")) == 2 or None)
    lines = operate("agents", "--label", f"team:{team},region:emea").stdout.splitlines()
    assert f"          region: emea, team: {team}" in lines
    assert f"          {failing}" in lines
    assert lines[-1].startswith("1 open incident: ")
    done = operate("agents", "--state", "failed", "--label", f"team:{team}")
    assert done.stdout.splitlines()[-1] == "2 agents failed"
    assert f"labels    region: emea, team: {team}" in operate("agent", "--id", failing).stdout.splitlines()
    wrong = operate("agents", "--label", "sales")
    assert (wrong.returncode, wrong.stdout) == (2, "")
    assert "'sales' is not a label with its value: set LABEL=team:sales" in wrong.stderr


# ---------------------------------------------------------------------------------------------------- the same request


@pytest.fixture
def desk(aws: EmbeddedAws) -> Iterator[Desk]:
    with Desk(aws) as desk:
        yield desk


def requests(desk: Desk) -> list[ProvisioningRequest]:
    own = CallerCredentials(token=desk.cronofy.grant("us", calendars=("cal_1",)).access_token)
    return [desk.upsert(own), desk.schedule(), desk.send_now("key")]


@pytest.mark.parametrize("number", [0, 1, 2])
def test_the_same_request_with_other_labels_is_an_entry_of_its_own_and_no_new_request(desk: Desk, number: int) -> None:
    """Cronofy gets the same as without labels, and labels that came before may come back."""
    request = requests(desk)[number]
    desk.provisioning().submit(replace(request, labels={"team": "sales"}))
    before = desk.cronofy.count("POST", request.path)
    desk.provisioning().submit(request)
    again = desk.cronofy.count("POST", request.path) - before
    for team in ("support", "support", "sales"):
        count = desk.cronofy.count("POST", request.path)
        result = desk.provisioning().submit(replace(request, labels={"team": team}))
        assert result.record.labels == {"team": team}
        assert desk.cronofy.count("POST", request.path) == count + again
    kinds = [EntryType.REQUESTED, EntryType.ACCEPTED, EntryType.LABELLED, EntryType.LABELLED]
    assert desk.kinds(request.agent_id) == kinds


def test_a_request_without_labels_keeps_those_that_the_agent_has(desk: Desk) -> None:
    """Also one that the sweep or a person sends again."""
    account = desk.register()
    request = replace(desk.upsert(account), labels={"team": "sales", "region": "emea"})
    desk.cronofy.faults.add("POST", request.path, status=503)
    desk.provisioning().submit(request)
    desk.provisioning().submit(replace(request, labels={"team": "support"}))
    desk.sleep(3600)
    desk.sweep()
    record = desk.provisioning().submit(desk.upsert(account, summary="New")).record
    assert record.labels == {"team": "support"}
    changed = desk.provisioning().submit(replace(desk.upsert(account, summary="Newer"), labels={"team": "sales"}))
    assert changed.record.labels == {"team": "sales"}
    assert EntryType.LABELLED in desk.kinds(request.agent_id)


def test_labels_that_came_at_the_same_time_are_all_in_the_journal(desk: Desk) -> None:
    """Another entry has the key: the journal is read anew."""
    request = desk.upsert(desk.register())
    desk.provisioning().submit(request)
    provisioning = desk.provisioning()
    entries = desk.journal().read(request.agent_id, desk.now)
    desk.provisioning().submit(replace(request, labels={"team": "sales"}))
    read, stale = provisioning._journal.read_with_erasure, [(entries, None)]
    provisioning._journal.read_with_erasure = lambda *arguments: (  # type: ignore[method-assign]
        stale.pop() if stale else read(*arguments)
    )
    result = provisioning.submit(replace(request, labels={"team": "support"}))
    assert desk.kinds(request.agent_id).count(EntryType.LABELLED) == 2
    assert result.record.labels == {"team": "support"}
