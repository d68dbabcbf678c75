"""Nothing that was accepted is unaccounted for, under load: through the HTTP API of a stack of its own."""

import json
import os
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from typing import Any

import httpx
import pytest

from meeting_agents.cronofy.signature import HEADER, sign
from meeting_agents.domain.model import Verdict
from tests.bench.burst import burst
from tests.bench.detection import alert_times
from tests.callback import example
from tests.sandbox import deployment
from tests.sandbox.deployment import ROOT, Stack
from tests.sandbox.embedded_aws import ACCOUNT, REGION, EmbeddedAws
from tests.sandbox.stage import TopicQueue, wait_until

SECRET = "CRN_of_the_load"
SENDERS = 50
AGENTS = 25
REQUESTS = 500
COPIES = 50
BURST = int(os.environ.get("BURST", "10"))
"""Notifications that arrive in 50 copies at once; BURST=200 is the benchmark's number."""


@pytest.fixture(scope="module")
def stack(aws: EmbeddedAws) -> Stack:
    """A deployed stack for these tests alone."""
    stack = deployment.deploy(aws, deployment.build(), {"AlertGroupWait": "1"}, name="accounting")
    value = json.dumps({"us": {"client_id": "id", "client_secrets": [SECRET]}})
    stack.session.client("secretsmanager").put_secret_value(
        SecretId=stack.outputs["CronofySecretArn"], SecretString=value
    )
    return stack


@pytest.fixture(scope="module")
def subscriber(stack: Stack) -> TopicQueue:
    return TopicQueue(stack, "LifecycleTopic")


class Sender:
    """A sender that signs as Cronofy does."""

    def __init__(self, stack: Stack) -> None:
        self._url = f"{stack.api_url}/webhooks/cronofy/"
        self._client = httpx.Client(timeout=60, limits=httpx.Limits(max_connections=SENDERS), trust_env=False)

    def __call__(self, sent: tuple[str, bytes]) -> int:
        agent_id, raw = sent
        return self._client.post(self._url + agent_id, content=raw, headers={HEADER: sign(raw, [SECRET])}).status_code


@pytest.fixture
def send(stack: Stack) -> Iterator[Sender]:
    sender = Sender(stack)
    yield sender
    sender._client.close()


def body(agent_id: str, *interactions: str, **changes: Any) -> bytes:
    """A callback about the agent's own calendar event, long in the future."""
    notification = {"type": "event_subscription", "interactions": [{"type": name} for name in interactions]}
    event = example()["event"] | {"event_id": agent_id, "start": "2099-04-25T15:30:00Z", "end": "2099-04-25T17:00:00Z"}
    return json.dumps(example(**{"notification": notification, "event": event} | changes)).encode()


def everything(agent_id: str) -> list[bytes]:
    """Twelve different notifications for an agent: every verdict is among them."""
    steps = [f"meeting_agent_{step}" for step in ("activated", "complete", "failed")]
    bodies = [body(agent_id, step, n=n) for n in range(3) for step in steps]
    other = example()["event"] | {"event_id": "somebody else's"}
    return [*bodies, body(agent_id, steps[0], event=other), body(agent_id, "meeting_agent_danced"), b"nonsense"]


def verdicts(aws: EmbeddedAws, stack: Stack) -> str:
    """The output of `make verdicts`."""
    environment = os.environ | {
        "AWS_ENDPOINT_URL": aws.url,
        "AWS_ACCESS_KEY_ID": ACCOUNT,
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_DEFAULT_REGION": REGION,
    }
    command = [sys.executable, "layers/shared/operate.py", "--stack", stack.name, "verdicts"]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False).stdout


def counted(stack: Stack, function: str) -> Counter[str]:
    """The sums of the metrics in a function's log."""
    logs = stack.session.client("logs")
    pages = logs.get_paginator("filter_log_events").paginate(logGroupName=stack.resources[f"{function.title()}Log"])
    sums: Counter[str] = Counter()
    for page in pages:
        for line in page["events"]:
            if line["message"].startswith('{"_aws"'):
                values = json.loads(line["message"])
                for metric in values["_aws"]["CloudWatchMetrics"][0]["Metrics"]:
                    sums[metric["Name"]] += int(sum(values[metric["Name"]]))
    return sums


def counted_at_least(stack: Stack, function: str, wanted: int, *metrics: str) -> Counter[str]:
    """The same, once these metrics add up to so much: the embedded AWS may log a line with the next invocation only."""
    client, name = stack.session.client("lambda"), stack.functions[function]
    nothing = {"headers": {}, "body": "", "pathParameters": {"agent_id": "ma_nobody"}, "Records": []}
    until = time.monotonic() + 30
    while sum((found := counted(stack, function))[metric] for metric in metrics) < wanted and time.monotonic() < until:
        with ThreadPoolExecutor(SENDERS) as pool:  # each of its processes may have a line
            pool.map(lambda _: client.invoke(FunctionName=name, Payload=json.dumps(nothing)), range(SENDERS))
    return found


def test_five_hundred_notifications_from_fifty_senders_are_all_accounted_for(
    aws: EmbeddedAws, stack: Stack, subscriber: TopicQueue, send: Sender
) -> None:
    """Accepted = applied + duplicate + stale + conflicting + mismatched + unrecognised, by metric and by query.

    Duplicates, wrong addresses, nonsense, and every order; at the end nothing is in flight.
    """
    chance = random.Random(4)
    different = [(agent, raw) for n in range(AGENTS) for agent in [f"ma_{n:026d}"] for raw in everything(agent)]
    sent = different + chance.choices(different, k=REQUESTS - len(different))
    chance.shuffle(sent)
    began = time.monotonic()
    with ThreadPoolExecutor(SENDERS) as senders:
        assert set(senders.map(send, sent)) == {200}
    print(f"{REQUESTS} requests in {time.monotonic() - began:.0f} s")  # noqa: T201 - shown with -s

    stored = len(different)
    output = wait_until(lambda: out if (out := verdicts(aws, stack)).endswith(" + in flight 0\n") else None, 60)
    assert output is not None, verdicts(aws, stack)
    assert output.startswith(f"stored {stored} = applied ")

    metrics = {verdict: f"Notifications{verdict.title()}" for verdict in Verdict}
    receiver = counted_at_least(stack, "webhook", REQUESTS, "NotificationsAccepted")
    tracker = counted_at_least(stack, "track", stored, *metrics.values())
    by_verdict = {verdict: tracker[metric] for verdict, metric in metrics.items()}
    assert receiver["NotificationsAccepted"] == REQUESTS
    assert receiver["NotificationsAccepted"] == receiver["NotificationsDuplicate"] + sum(by_verdict.values())
    assert output == f"stored {stored} = {' + '.join(f'{name} {n}' for name, n in by_verdict.items())} + in flight 0\n"
    assert all(by_verdict.values()), "every verdict is among them"

    entries = {f"{agent}.{sha256(raw).hexdigest()}" for agent, raw in different}

    def announced() -> set[str] | None:
        ids = {announcement["id"] for announcement in subscriber.messages()}
        return ids if entries <= ids else None

    assert wait_until(announced, 60), "every entry is announced"


def test_a_burst_as_in_the_benchmark_is_neither_doubled_nor_lost(stack: Stack) -> None:
    """Copies may arrive at the same time, and many times."""
    found = burst(stack, [SECRET], agents=5, copies=6, senders=10)
    assert (found["doubled"], found["unaccounted"], found["not_announced"]) == (0, 0, 0)
    assert found["statuses"] == {"200": 60}


def test_the_benchmark_sees_an_alert_of_each_failure(stack: Stack) -> None:
    """From Cronofy's call to the alert published."""
    assert alert_times(stack, [SECRET], 2)["n"] == 2


def test_fifty_copies_at_once_of_each_notification_are_one_entry_and_one_id(
    stack: Stack, subscriber: TopicQueue, send: Sender
) -> None:
    """Every copy is answered 200; one is stored, and announced under one id."""
    agents = [f"ma_copied{n:020d}" for n in range(BURST)]
    with ThreadPoolExecutor(SENDERS) as senders:
        for agent in agents:
            copies = [(agent, body(agent, "meeting_agent_activated"))] * COPIES
            assert set(senders.map(send, copies)) == {200}

    def announced() -> list[str] | None:
        ids = [message["id"] for message in subscriber.messages() if message["subject"] in agents]
        return ids if len(set(ids)) >= BURST else None

    ids = wait_until(announced, 60) or []
    assert {id_.partition(".")[0] for id_ in ids} == set(agents)
    assert len(set(ids)) == BURST
    table = stack.session.client("dynamodb")
    for agent in agents:
        found = table.query(
            TableName=stack.outputs["AgentsTableName"],
            KeyConditionExpression="pk = :pk AND begins_with(sk, :entry)",
            ExpressionAttributeValues={":pk": {"S": agent}, ":entry": {"S": "entry#"}},
            ConsistentRead=True,
        )
        assert found["Count"] == 1
