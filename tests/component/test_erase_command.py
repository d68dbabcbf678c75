"""`make erase` as a person at a terminal uses it: it says what it will do, asks, and can be run again."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest

from meeting_agents.aws import keys
from meeting_agents.domain.groups import Group
from meeting_agents.domain.identity import agent_id
from meeting_agents.domain.model import IncidentType
from tests import terminal
from tests.component.test_terminal import Operate, account, refused
from tests.component.test_terminal import operate as operate  # noqa: PLC0414 - a fixture
from tests.sandbox.embedded_aws import ACCOUNT
from tests.sandbox.stage import Stage, wait_until

FAR = datetime(2098, 4, 29, 15, 30, tzinfo=UTC)


def typed(stage: Stage, *answers: str | None, **options: str) -> tuple[int, str]:
    arguments = [part for name, value in options.items() for part in (f"--{name}", value)]
    return terminal.typed(stage.aws, ACCOUNT, stage.stack.name, ["erase", *arguments], *answers)


def status(stage: Stage, agent: str) -> int:
    return stage.api.get(f"/v1/meeting_agents/{agent}").status_code


def scheduled(stage: Stage, name: str, start: datetime = FAR) -> tuple[str, dict[str, Any]]:
    """Request an agent that Cronofy accepts. Return its id and the calendar event."""
    times = {"start": f"{start:%Y-%m-%dT%H:%M:%SZ}", "end": f"{start + timedelta(hours=1):%Y-%m-%dT%H:%M:%SZ}"}
    event = {"event_id": uuid4().hex, "summary": "Board", **times, "meeting_agent": {"profile_id": "cronofy"}}
    send(stage, name, event)
    return agent_id("us", name, str(event["event_id"])), event


def send(stage: Stage, name: str, event: dict[str, Any]) -> None:
    url, headers = f"{stage.stack.api_url}/v1/calendars/{name}/events", {"Cronofy-Account": name}
    assert httpx.post(url, json=event, headers=headers, timeout=40, trust_env=False).status_code == 202


def test_it_says_what_it_will_do_and_asks(stage: Stage) -> None:
    agent, _ = refused(stage, account(stage))
    exit_status, screen = typed(stage, "no", id=agent)
    assert (exit_status, status(stage, agent)) == (2, 200)
    assert "the journal, the record and all notifications of\r\n1 agent. It cannot be undone." in screen
    assert "AWS keeps\r\n35 days; logs, which have ids of agents and no titles, kept 30 days" in screen
    assert screen.endswith("operate: nothing was done\r\n")
    assert typed(stage, None, id=agent)[0] == 130
    assert status(stage, agent) == 200
    exit_status, screen = typed(stage, "yes", id=agent)
    assert (exit_status, status(stage, agent)) == (0, 404)
    assert "1 agent erased, with 2 entries; 0 messages deleted from dead-letter queues" in screen


def test_a_script_says_yes_beforehand_and_can_be_run_again(stage: Stage, operate: Operate) -> None:
    agent, _ = refused(stage, account(stage))
    done = operate("erase", "--id", agent)
    assert (done.returncode, status(stage, agent)) == (2, 200)
    assert "YES=1 says yes" in done.stderr
    for _ in range(2):
        done = operate("erase", "--id", agent, "--yes")
        assert (done.returncode, status(stage, agent)) == (0, 404)
    unknown = operate("erase", "--id", "ma_unknown", "--yes")
    assert unknown.returncode == 1
    assert "not erased: ma_unknown: 404: no agent ma_unknown is known here" in unknown.stderr


def test_an_account_is_erased_when_all_its_agents_are(stage: Stage, operate: Operate) -> None:
    """One that may still come keeps it: without its account it could not be cancelled."""
    name = account(stage)
    agent, _ = refused(stage, name)
    expected, event = scheduled(stage, name)
    client, table = stage.stack.session.client("dynamodb"), stage.stack.outputs["AgentsTableName"]
    group = keys.group(Group(IncidentType.ACCOUNT_DISCONNECTED, name).key)
    client.put_item(TableName=table, Item={**group, "heard_at": {"S": "2026-04-29T15:30:00.000Z"}})
    silence = {"until": "PT2H", "why": "x", "account": [name]}
    assert stage.api.put(f"/v1/silences/{name.replace('_', '-')}", json=silence).is_success

    done = operate("erase", "--account", name, "--yes")
    assert done.returncode == 1
    assert f"not erased: {expected}: 409: the agent is scheduled and may still come" in done.stderr
    assert f"{name} stays registered" in done.stderr
    assert "1 agent erased" in done.stdout
    assert (status(stage, agent), status(stage, expected)) == (404, 200)
    assert stage.api.get(f"/v1/accounts/{name}").status_code == 200

    send(stage, name, event | {"meeting_agent": {"profile_id": "none"}})
    done = operate("erase", "--account", name, "--yes")
    assert (done.returncode, "1 agent erased" in done.stdout) == (0, True)
    assert f"make unsilence NAME={name.replace('_', '-')}" in done.stderr
    assert status(stage, expected) == 404
    assert stage.api.get(f"/v1/accounts/{name}").status_code == 404
    assert "Item" not in client.get_item(TableName=table, Key=group)
    stage.api.delete(f"/v1/silences/{name.replace('_', '-')}")


def test_the_meetings_of_a_span_of_time_are_erased(stage: Stage, operate: Operate) -> None:
    name, day = account(stage), datetime(2097, 5, 6, 10, tzinfo=UTC)
    inside, outside = (refused(stage, name, start=day + timedelta(days=days))[0] for days in (0, 2))
    done = operate("erase", "--from", "2097-05-06T00:00:00Z", "--to", "2097-05-07T00:00:00Z", "--yes")
    assert (done.returncode, "1 agent erased" in done.stdout) == (0, True)
    assert (status(stage, inside), status(stage, outside)) == (404, 200)
    again = operate("erase", "--from", "2097-05-06T00:00:00Z", "--to", "2097-05-07T00:00:00Z", "--yes")
    assert (again.returncode, again.stdout.splitlines()[-1]) == (0, "nothing to erase")


def test_what_a_dead_letter_queue_has_of_the_agent_is_deleted(stage: Stage, operate: Operate) -> None:
    """That of other agents stays."""
    agent, _ = refused(stage, account(stage))
    sqs, url = stage.stack.session.client("sqs"), stage.stack.outputs["AlertDeadLetterQueueUrl"]
    for body in ({"subject": agent, "data": {"meeting": {"summary": "Board"}}}, {"subject": "ma_other"}):
        sqs.send_message(QueueUrl=url, MessageBody=json.dumps(body))
    sqs.send_message(QueueUrl=url, MessageBody="not JSON")
    done = operate("erase", "--id", agent, "--yes")
    assert "1 message deleted from dead-letter queues" in done.stdout
    bodies: list[str] = []

    def left() -> bool:
        messages = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])
        for message in messages:
            bodies.append(message["Body"])
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        return len(bodies) == 2

    assert wait_until(lambda: left() or None)
    assert sorted(bodies) == sorted([json.dumps({"subject": "ma_other"}), "not JSON"])


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--id", "ma_1", "--account", "alice"],
        ["--from", "2026-01-01T00:00:00Z"],
        ["--account", "alice", "--from", "2026-01-01T00:00:00Z", "--to", "2026-02-01T00:00:00Z"],
    ],
)
def test_one_thing_to_erase_is_named(operate: Operate, arguments: list[str]) -> None:
    done = operate("erase", *arguments, "--yes")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "operate erase: error: set one of ID=ma_…, ACCOUNT=… or FROM=… TO=…\n"


def test_a_span_ends_after_it_begins(operate: Operate) -> None:
    done = operate("erase", "--from", "2026-02-01T00:00:00Z", "--to", "2026-01-01T00:00:00Z", "--yes")
    assert (done.returncode, done.stderr) == (2, "operate erase: error: FROM must be before TO\n")
