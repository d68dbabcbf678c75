"""Announcing entries again, and redriving dead letters, on the running sandbox."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any
from uuid import uuid4

import httpx
import pytest

from meeting_agents.aws.keys import ENTRY_PREFIX
from meeting_agents.cronofy.signature import HEADER, sign
from tests.callback import example
from tests.sandbox.deployment import ROOT
from tests.sandbox.embedded_aws import ACCOUNT, REGION
from tests.sandbox.stage import Stage, wait_until

FAR = {"start": "2099-04-25T15:30:00Z", "end": "2099-04-25T17:00:00Z"}
"""A meeting that has no deadline while tests run."""


def agent() -> str:
    """Return the id of a new agent that was never requested."""
    return f"ma_{uuid4().hex[:26]}"


def notify(stage: Stage, agent_id: str, *interactions: str, **changes: Any) -> str:
    """Send a signed notification. Return the id of its announcement."""
    notification = {"type": "event_subscription", "interactions": [{"type": name} for name in interactions]}
    event = example()["event"] | FAR | {"event_id": f"event of {agent_id}"}
    raw = json.dumps(example(**{"notification": notification, "event": event} | changes)).encode()
    header = sign(raw, [stage.addresses["client_secret"]])
    response = httpx.post(
        f"{stage.stack.api_url}/webhooks/cronofy/{agent_id}", content=raw, headers={HEADER: header}, timeout=40
    )
    assert response.status_code == 200
    return f"{agent_id}.{sha256(raw).hexdigest()}"


def announcements(stage: Stage, agent_id: str, count: int, *, replayed: bool) -> list[str]:
    """Return the ids of this agent's announcements, as soon as there are `count`."""

    def find() -> list[str] | None:
        messages = [message for message in stage.lifecycle.messages() if message["subject"] == agent_id]
        ids = [message["id"] for message in messages if message["data"]["replayed"] is replayed]
        return ids if len(ids) >= count else None

    return wait_until(find) or []


@pytest.fixture
def announced(stage: Stage) -> tuple[str, list[str]]:
    """Return an agent that was active and is complete, and the ids of its two announcements."""
    agent_id = agent()
    ids = [notify(stage, agent_id, f"meeting_agent_{step}") for step in ("activated", "complete")]
    assert set(announcements(stage, agent_id, 2, replayed=False)) == set(ids)
    return agent_id, ids


@pytest.fixture
def operate(stage: Stage) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Return a function that runs the operator's command against the sandbox."""
    environment = os.environ | {
        "AWS_ENDPOINT_URL": stage.aws.url,
        "AWS_ACCESS_KEY_ID": ACCOUNT,
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_DEFAULT_REGION": REGION,
    }

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "layers/shared/operate.py", "--stack", stage.stack.name, *arguments]
        return subprocess.run(
            command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120, check=False
        )

    return run


def test_the_exact_bytes_of_a_notification_can_be_read(stage: Stage) -> None:
    """The announcement of a large one has their URL; they are the bytes that Cronofy signed."""
    agent_id = agent()
    announcement_id = notify(stage, agent_id, "meeting_agent_activated", extra="x" * 259_000)
    assert announcements(stage, agent_id, 1, replayed=False) == [announcement_id]
    announcement = next(message for message in stage.lifecycle.messages() if message["id"] == announcement_id)
    response = stage.api.get(announcement["data"]["notification"]["read"])
    assert response.status_code == 200
    assert sha256(response.content).hexdigest() == announcement_id.partition(".")[2]
    unknown = stage.api.get(f"/v1/meeting_agents/{agent_id}/notifications/{'0' * 64}")
    assert unknown.status_code == 404


# --------------------------------------------------------------------------------------------------------------- replay


def test_a_replay_announces_with_the_same_ids_and_is_marked(stage: Stage, announced: tuple[str, list[str]]) -> None:
    """A subscriber recognises an announcement by its id, and the record does not change."""
    agent_id, ids = announced
    before = stage.read(agent_id)
    response = stage.api.post(f"/v1/meeting_agents/{agent_id}/replay")
    assert (response.status_code, response.json()) == (200, {"dry_run": False, "announcements": ids})
    assert set(announcements(stage, agent_id, 2, replayed=True)) == set(ids)
    assert stage.read(agent_id) == before


def test_a_dry_run_announces_nothing(stage: Stage, announced: tuple[str, list[str]]) -> None:
    """It returns the ids of the announcements."""
    agent_id, ids = announced
    response = stage.api.post(f"/v1/meeting_agents/{agent_id}/replay?dry_run=true")
    assert response.json() == {"dry_run": True, "announcements": ids}
    notify(stage, agent_id, "meeting_agent_activated", late=True)
    assert len(announcements(stage, agent_id, 3, replayed=False)) == 3
    assert announcements(stage, agent_id, 0, replayed=True) == []


def test_a_replay_may_be_of_one_state_or_of_a_span_of_time(stage: Stage, announced: tuple[str, list[str]]) -> None:
    """A subscriber that was down for an hour needs that hour; another one needs only the ends."""
    agent_id, (activated, complete) = announced
    second = stage.read(agent_id)["timeline"][1]["at"]

    def dry_run(**query: str) -> list[str]:
        path = f"/v1/meeting_agents/{agent_id}/replay"
        ids: list[str] = stage.api.post(path, params=query | {"dry_run": "true"}).json()["announcements"]
        return ids

    assert dry_run(state="complete") == [complete]
    assert dry_run(to=second) == [activated]
    assert dry_run(**{"from": second}) == [complete]
    assert dry_run(state="failed") == []


@pytest.mark.parametrize(
    "query", ["from=yesterday", "from=2026-04-25T15:30:00", "to=1e99", "state=gone", "dry_run=perhaps"]
)
def test_a_replay_with_a_wrong_parameter_is_refused(query: str, stage: Stage, announced: tuple[str, list[str]]) -> None:
    """The response names the field, and nothing is announced."""
    response = stage.api.post(f"/v1/meeting_agents/{announced[0]}/replay?{query}")
    assert response.status_code == 422
    assert next(iter(response.json()["errors"])) == query.partition("=")[0]


def test_a_replay_with_a_body_is_refused(stage: Stage, announced: tuple[str, list[str]]) -> None:
    """The parameters are in the query: a dry run that is requested in the body must not announce anything."""
    response = stage.api.post(f"/v1/meeting_agents/{announced[0]}/replay", json={"dry_run": True})
    assert response.status_code == 422
    expected = "none; from, to, state and dry_run are in the query"
    assert response.json()["errors"] == {"body": [{"key": "errors.invalid", "description": expected}]}


def test_a_replay_of_an_unknown_agent_is_refused(stage: Stage) -> None:
    """The status is 404, as for reading it."""
    assert stage.api.post(f"/v1/meeting_agents/{agent()}/replay").status_code == 404


def test_a_replay_causes_no_alert(stage: Stage) -> None:
    """The alert of a failure is published once."""
    agent_id = agent()
    notify(stage, agent_id, "meeting_agent_failed")

    def alerts() -> int:
        return sum(agent_id in json.dumps(message) for message in stage.alerts.messages())

    assert wait_until(lambda: alerts() or None) == 1
    assert stage.api.post(f"/v1/meeting_agents/{agent_id}/replay").status_code == 200
    assert announcements(stage, agent_id, 1, replayed=True)
    other = agent()  # its alert takes the same way, and comes later
    notify(stage, other, "meeting_agent_failed")
    assert wait_until(lambda: any(other in json.dumps(message) for message in stage.alerts.messages()) or None)
    assert alerts() == 1


def test_the_command_replays_every_agent_of_a_span_of_time(
    stage: Stage, operate: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    """`make replay` finds the agents in the table, announces through the API, and prints a count."""
    before = datetime.now(UTC)
    agents = [agent() for _ in range(3)]
    for agent_id in agents:
        notify(stage, agent_id, "meeting_agent_activated")
        notify(stage, agent_id, "meeting_agent_complete")
        assert announcements(stage, agent_id, 2, replayed=False)
    span = ["--from", before.isoformat(), "--to", (datetime.now(UTC) + timedelta(seconds=1)).isoformat()]

    dry = operate("replay", *span, "--state", "complete", "--dry-run")
    assert (dry.returncode, dry.stderr) == (0, "")
    assert dry.stdout == "3 entries of 3 agents would be announced again\n"
    done = operate("replay", *span)
    assert done.stdout == "6 entries of 3 agents were announced again\n"
    for agent_id in agents:
        assert len(announcements(stage, agent_id, 2, replayed=True)) == 2


# -------------------------------------------------------------------------------------------------------------- redrive


def dead_letters(stage: Stage, queue: str) -> int:
    """Return the number of messages in a dead-letter queue."""
    url = stage.stack.outputs[f"{queue}DeadLetterQueueUrl"]
    names: Any = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    attributes = stage.stack.session.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=names)[
        "Attributes"
    ]
    return sum(map(int, attributes.values()))


def test_a_dead_lettered_entry_is_announced_after_a_repair_and_a_redrive(
    stage: Stage, operate: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    """A redrive before the repair keeps it in the dead-letter queue."""
    agent_id, table = agent(), stage.stack.outputs["AgentsTableName"]
    dynamodb = stage.stack.session.client("dynamodb")
    entry: Any = {
        "pk": {"S": agent_id},
        "sk": {"S": f"{ENTRY_PREFIX}bad"},
        "at": {"S": "never"},
        "kind": {"S": "overdue"},
    }
    dynamodb.put_item(TableName=table, Item=entry)
    other = agent()
    notify(stage, other, "meeting_agent_activated")
    assert announcements(stage, other, 1, replayed=False)
    assert wait_until(lambda: dead_letters(stage, "Track") or None) == 1

    failed = operate("redrive", "--queue", "track")
    assert (failed.returncode, failed.stdout) == (1, "1 messages redriven, 1 kept\n")

    dynamodb.put_item(TableName=table, Item=entry | {"at": {"S": "2026-04-25T15:30:00.000Z"}})
    done = operate("redrive", "--queue", "track")
    assert (done.returncode, done.stdout) == (0, "1 messages redriven, 0 kept\n")
    assert announcements(stage, agent_id, 1, replayed=False) == [f"{agent_id}.bad"]
    assert dead_letters(stage, "Track") == 0


@pytest.mark.parametrize("is_forgotten", [False, True], ids=["in_the_stream", "after_a_day"])
def test_entries_that_lambda_dead_lettered_are_read_from_the_stream_or_found_by_their_time(
    is_forgotten: bool,
    stage: Stage,
    announced: tuple[str, list[str]],
    operate: Callable[..., subprocess.CompletedProcess[str]],
) -> None:
    """Lambda's dead letter holds a position in the stream, which forgets after a day: then the table is searched."""
    agent_id, ids = announced
    session = stage.stack.session
    table = session.client("dynamodb").describe_table(TableName=stage.stack.outputs["AgentsTableName"])["Table"]
    streams = session.client("dynamodbstreams")
    (shard,) = streams.describe_stream(StreamArn=table["LatestStreamArn"])["StreamDescription"]["Shards"]
    iterator: Any = streams.get_shard_iterator(
        StreamArn=table["LatestStreamArn"], ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
    )["ShardIterator"]
    numbers: list[str] = []
    while len(numbers) < len(ids):  # the stream also holds the entries of other tests
        page: Any = streams.get_records(ShardIterator=iterator)
        assert page["Records"], "the entries are not in the stream"
        numbers += [
            record["dynamodb"]["SequenceNumber"]
            for record in page["Records"]
            if record["dynamodb"]["Keys"]["pk"]["S"] == agent_id
            and record["dynamodb"]["Keys"]["sk"]["S"].startswith(ENTRY_PREFIX)
        ]
        iterator = page["NextShardIterator"]
    now = datetime.now(UTC)
    batch_info = {
        "shardId": shard["ShardId"],
        "startSequenceNumber": "1".zfill(21) if is_forgotten else numbers[0],
        "endSequenceNumber": numbers[-1],
        "approximateArrivalOfFirstRecord": f"{now - timedelta(seconds=2):%Y-%m-%dT%H:%M:%SZ}",
        "approximateArrivalOfLastRecord": f"{now:%Y-%m-%dT%H:%M:%SZ}",
        "batchSize": len(numbers),
        "streamArn": table["LatestStreamArn"],
    }
    message = {
        "requestContext": {"condition": "RetryAttemptsExhausted"},
        "version": "1.0",
        "DDBStreamBatchInfo": batch_info,
    }
    session.client("sqs").send_message(
        QueueUrl=stage.stack.outputs["TrackDeadLetterQueueUrl"], MessageBody=json.dumps(message)
    )

    done = operate("redrive", "--queue", "track")
    assert (done.returncode, done.stdout) == (0, "1 messages redriven, 0 kept\n")
    assert announcements(stage, agent_id, 4, replayed=False) == [*ids, *ids]


@contextmanager
def paused(stage: Stage, queue: str) -> Iterator[None]:
    """Let no function receive the messages of a queue."""
    functions, arn = stage.stack.session.client("lambda"), f":{queue.rsplit('/', 1)[-1]}"
    mappings = functions.list_event_source_mappings()["EventSourceMappings"]
    [mapping] = [one["UUID"] for one in mappings if one["EventSourceArn"].endswith(arn)]
    functions.update_event_source_mapping(UUID=mapping, Enabled=False)
    try:
        yield
    finally:
        functions.update_event_source_mapping(UUID=mapping, Enabled=True)


def test_a_dead_lettered_alert_is_published_after_a_redrive(
    stage: Stage, operate: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    """The message returns to the queue of the alerts."""
    agent_id, sqs = agent(), stage.stack.session.client("sqs")
    queue, dead_letters = stage.stack.resources["AlertQueue"], stage.stack.outputs["AlertDeadLetterQueueUrl"]
    with paused(stage, queue):
        notify(stage, agent_id, "meeting_agent_failed")
        [message] = wait_until(lambda: sqs.receive_message(QueueUrl=queue).get("Messages")) or []
        sqs.send_message(QueueUrl=dead_letters, MessageBody=message["Body"])
        sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
    done = operate("redrive", "--queue", "alert")
    assert (done.returncode, done.stdout) == (0, "1 messages redriven, 0 kept\n")
    assert wait_until(lambda: any(agent_id in json.dumps(message) for message in stage.alerts.messages()) or None)


def test_the_error_of_an_unknown_queue_names_the_queues(
    operate: Callable[..., subprocess.CompletedProcess[str]],
) -> None:
    """An operator mistypes."""
    failed = operate("redrive", "--queue", "trakc")
    assert failed.returncode == 2
    assert failed.stderr.startswith("operate: the stack has no dead-letter queue trakc: set QUEUE=alert|")
