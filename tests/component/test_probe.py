"""The deployed system tests itself: the faults that a probe finds, and that only the alarm hears of them."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from functions.probe.app import INTERVAL, check_previous_probe, send_probe
from meeting_agents.aws.dynamodb import Table
from meeting_agents.aws.journal import Journal
from meeting_agents.aws.keys import PROBE_PREFIX, is_probe
from meeting_agents.domain.grace_periods import GracePeriods
from meeting_agents.domain.identity import agent_id
from meeting_agents.domain.model import Entry, EntryType, IncidentType
from tests.sandbox.stage import Stage, wait_until

PATIENCE = timedelta(seconds=90)


@pytest.fixture(scope="module")
def journal(stage: Stage) -> Journal:
    """Use the deployed table, at times at which no other probe is sent."""
    table = Table(stage.stack.session.client("dynamodb"), stage.stack.outputs["AgentsTableName"])
    return Journal(table, GracePeriods(), timedelta(days=1))


def invoke(stage: Stage) -> dict[str, Any]:
    functions = stage.stack.session.client("lambda")
    answer = functions.invoke(FunctionName=stage.stack.functions["probe"], Payload=b"{}")
    content: dict[str, Any] = json.loads(answer["Payload"].read())
    assert "FunctionError" not in answer, content
    return content


def probes(stage: Stage, kind: str) -> list[dict[str, Any]]:
    return [
        one for one in stage.lifecycle.messages() if is_probe(one["subject"]) and one["data"]["entry"]["kind"] == kind
    ]


def test_a_probe_takes_every_step_and_is_in_no_alert_and_no_list(stage: Stage) -> None:
    """It is stored, announced with a cause, received from the queue and recorded as alerted, and not published."""
    probes_alone = stage.stack.listen("LifecycleTopic", "probes", {"probe": ["true"]})
    assert invoke(stage) == {"problems": []}
    alerted = wait_until(lambda: probes(stage, "alerted") or None)
    assert alerted, "no alert of the probe was recorded"
    agent = alerted[0]["subject"]
    # The schedule's own probe may have come within the same five minutes: then the agent has both.
    owed = [alert for one in probes(stage, "failed") if one["subject"] == agent for alert in one["data"]["alerts"]]
    assert "failed" in {alert["type"] for alert in owed}
    assert {entry["kind"] for entry in stage.read(agent)["timeline"]} == {"failed", "alerted"}
    sqs = stage.stack.session.client("sqs")
    received = wait_until(lambda: sqs.receive_message(QueueUrl=probes_alone, MaxNumberOfMessages=10).get("Messages"))
    assert received, "a subscriber cannot tell probes from agents"
    assert all(is_probe(json.loads(message["Body"])["subject"]) for message in received)
    assert not any(is_probe(one["agent_id"]) for message in stage.alerts.messages() for one in message["agents"])
    listed = stage.api.get("/v1/meeting_agents", params={"limit": 100}).json()["agents"]
    assert not any(is_probe(one["id"]) for one in listed)
    assert invoke(stage) == {"problems": []}


def test_no_natural_key_gives_the_id_of_a_probe() -> None:
    """The alphabet of agent ids has no hyphen."""
    assert "-" in PROBE_PREFIX
    assert not any("-" in agent_id("us", "cal", str(number)) for number in range(100))


def stored_probe(journal: Journal, at: datetime, *kinds: EntryType) -> str:
    """Write the entries of a probe that was sent at that time."""
    agent = f"{PROBE_PREFIX}{int(at.timestamp() // INTERVAL.total_seconds())}"
    for kind in kinds:
        journal.append(agent, Entry(key=f"{kind}#1", kind=kind, at=at, attempt=1, cause=IncidentType.FAILED))
    return agent


def test_a_probe_without_an_alert_fails_after_its_time(journal: Journal) -> None:
    """A younger probe and one that was never sent are not checked."""
    now = datetime(2091, 1, 1, 12, 2, 30, tzinfo=UTC)
    assert check_previous_probe(journal, now, PATIENCE) == ""
    agent = stored_probe(journal, now - INTERVAL, EntryType.UNRECOGNISED)
    assert check_previous_probe(journal, now, timedelta(seconds=360)) == ""
    assert check_previous_probe(journal, now, PATIENCE).startswith(f"{agent} is in the journal, and no alert followed")
    stored_probe(journal, now - INTERVAL, EntryType.ALERTED)
    assert check_previous_probe(journal, now, PATIENCE) == ""


def test_the_newest_probe_that_had_its_time_is_checked_even_if_a_run_was_left_out(journal: Journal) -> None:
    """A newer success overrides an old failure."""
    now = datetime(2092, 1, 1, 12, 2, 30, tzinfo=UTC)
    stored_probe(journal, now - 3 * INTERVAL, EntryType.UNRECOGNISED)
    assert "no alert followed" in check_previous_probe(journal, now, PATIENCE)
    stored_probe(journal, now - 2 * INTERVAL, EntryType.UNRECOGNISED, EntryType.ALERTED)
    assert check_previous_probe(journal, now, PATIENCE) == ""


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (httpx.Response(503), "answered 503"),
        (httpx.Response(200), "is not in the journal"),
        (httpx.ConnectError("down"), "could not be reached: ConnectError"),
    ],
)
def test_a_probe_that_is_not_accepted_fails_at_once(
    journal: Journal, answer: httpx.Response | Exception, problem: str
) -> None:
    """The address is down, rejects the probe, or answers 200 without storing it."""

    def respond(request: httpx.Request) -> httpx.Response:
        if isinstance(answer, Exception):
            raise answer
        return answer

    with httpx.Client(transport=httpx.MockTransport(respond)) as http:
        found = send_probe(
            journal, http, "https://agents.example.com", b"{}", "signature", datetime(2093, 1, 1, tzinfo=UTC)
        )
    assert problem in found


def test_a_missing_secret_fails_the_probe(stage: Stage) -> None:
    """A fault that makes the webhook reject every notification is found before Cronofy calls."""
    secrets = stage.stack.session.client("secretsmanager")
    arn = stage.stack.outputs["CronofySecretArn"]
    stored = secrets.get_secret_value(SecretId=arn)["SecretString"]
    environment = stage.stack.session.client("lambda")
    name = stage.stack.functions["probe"]
    secrets.put_secret_value(SecretId=arn, SecretString="{}")
    try:
        # a new process has not read the secret yet
        variables = environment.get_function_configuration(FunctionName=name)["Environment"]["Variables"]
        environment.update_function_configuration(FunctionName=name, Environment={"Variables": variables | {"X": "1"}})
        (problem,) = invoke(stage)["problems"]
    finally:
        secrets.put_secret_value(SecretId=arn, SecretString=stored)
        environment.update_function_configuration(FunctionName=name, Environment={"Variables": variables})
    assert "holds no client_secrets" in problem
