"""Announcements are replayed, and dead-lettered entries redriven: on the running sandbox."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any
from uuid import uuid4

import httpx
import pytest

from meeting_agents.aws.keys import ENTRY_PREFIX
from meeting_agents.cronofy.signature import HEADER, sign
from tests.answers import example
from tests.sandbox.deployment import ROOT
from tests.sandbox.embedded_aws import ACCOUNT, REGION
from tests.sandbox.stage import Stage, wait_until

FAR = {"start": "2099-04-25T15:30:00Z", "end": "2099-04-25T17:00:00Z"}
"""A meeting for which no deadline comes while tests run."""


def agent() -> str:
    """Return a new agent that was never requested."""
    return f"ma_{uuid4().hex[:26]}"


def notify(stage: Stage, agent_id: str, *interactions: str, **changes: Any) -> str:
    """Send a signed notification; return the id of its announcement."""
    said = {"type": "event_subscription", "interactions": [{"type": one} for one in interactions]}
    event = example()["event"] | FAR | {"event_id": f"event of {agent_id}"}
    raw = json.dumps(example(**{"notification": said, "event": event} | changes)).encode()
    header = sign(raw, [stage.addresses["client_secret"]])
    answer = httpx.post(
        f"{stage.stack.api_url}/webhooks/cronofy/{agent_id}", content=raw, headers={HEADER: header}, timeout=40
    )
    assert answer.status_code == 200
    return f"{agent_id}.{sha256(raw).hexdigest()}"


def heard(stage: Stage, agent_id: str, count: int, *, replayed: bool) -> list[str]:
    """Return the ids of the agent's announcements, as soon as there are `count`."""

    def find() -> list[str] | None:
        told = [one for one in stage.lifecycle.messages() if one["subject"] == agent_id]
        ids = [one["id"] for one in told if one["data"]["replayed"] is replayed]
        return ids if len(ids) >= count else None

    return wait_until(find) or []


@pytest.fixture
def followed(stage: Stage) -> tuple[str, list[str]]:
    """Return an agent that was activated and is complete, and the ids of its two announcements."""
    agent_id = agent()
    ids = [notify(stage, agent_id, f"meeting_agent_{step}") for step in ("activated", "complete")]
    assert set(heard(stage, agent_id, 2, replayed=False)) == set(ids)
    return agent_id, ids


@pytest.fixture
def operate(stage: Stage) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run the operator's command against the sandbox."""
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


def test_a_notification_can_be_read_in_its_exact_bytes(stage: Stage) -> None:
    """The announcement of a large one has its address."""
    agent_id = agent()
    announcement_id = notify(stage, agent_id, "meeting_agent_activated", extra="x" * 259_000)
    assert heard(stage, agent_id, 1, replayed=False) == [announcement_id]
    told = next(one for one in stage.lifecycle.messages() if one["id"] == announcement_id)["data"]["notification"]
    answer = stage.api.get(told["read"])
    assert answer.status_code == 200
    assert sha256(answer.content).hexdigest() == announcement_id.partition(".")[2]
    unknown = stage.api.get(f"/v1/meeting_agents/{agent_id}/notifications/{'0' * 64}")
    assert unknown.status_code == 404


# --------------------------------------------------------------------------------------------------------------- replay


def test_a_replay_has_the_same_ids_and_is_marked(stage: Stage, followed: tuple[str, list[str]]) -> None:
    """Subscribers recognise the ids, and the record stays the same."""
    agent_id, ids = followed
    before = stage.read(agent_id)
    answer = stage.api.post(f"/v1/meeting_agents/{agent_id}/replay")
    assert (answer.status_code, answer.json()) == (200, {"dry_run": False, "announcements": ids})
    assert set(heard(stage, agent_id, 2, replayed=True)) == set(ids)
    assert stage.read(agent_id) == before


def test_a_dry_run_publishes_nothing(stage: Stage, followed: tuple[str, list[str]]) -> None:
    """It lists the announcements."""
    agent_id, ids = followed
    answer = stage.api.post(f"/v1/meeting_agents/{agent_id}/replay?dry_run=true")
    assert answer.json() == {"dry_run": True, "announcements": ids}
    notify(stage, agent_id, "meeting_agent_activated", late=True)
    assert len(heard(stage, agent_id, 3, replayed=False)) == 3
    assert not [one for one in stage.lifecycle.messages() if one["subject"] == agent_id and one["data"]["replayed"]]


def test_a_replay_is_filtered_by_state_and_time(stage: Stage, followed: tuple[str, list[str]]) -> None:
    """For a subscriber that was down for an hour, or that needs the ends only."""
    agent_id, (activated, complete) = followed
    second = stage.read(agent_id)["timeline"][1]["at"]

    def would(**query: str) -> list[str]:
        path = f"/v1/meeting_agents/{agent_id}/replay"
        ids: list[str] = stage.api.post(path, params=query | {"dry_run": "true"}).json()["announcements"]
        return ids

    assert would(state="complete") == [complete]
    assert would(to=second) == [activated]
    assert would(**{"from": second}) == [complete]
    assert would(state="failed") == []


@pytest.mark.parametrize(
    "query", ["from=yesterday", "from=2026-04-25T15:30:00", "to=1e99", "state=gone", "dry_run=perhaps"]
)
def test_an_invalid_replay_is_refused(query: str, stage: Stage, followed: tuple[str, list[str]]) -> None:
    """The field is named, and nothing is published."""
    answer = stage.api.post(f"/v1/meeting_agents/{followed[0]}/replay?{query}")
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == query.partition("=")[0]


def test_a_replay_with_a_body_is_refused(stage: Stage, followed: tuple[str, list[str]]) -> None:
    """A `dry_run` in the body would be overlooked."""
    answer = stage.api.post(f"/v1/meeting_agents/{followed[0]}/replay", json={"dry_run": True})
    assert answer.status_code == 422
    expected = "none; from, to, state and dry_run are in the query"
    assert answer.json()["errors"] == [{"field": "body", "expected": expected}]


def test_an_unknown_agent_cannot_be_replayed(stage: Stage) -> None:
    """404, as for reading it."""
    assert stage.api.post(f"/v1/meeting_agents/{agent()}/replay").status_code == 404


def test_a_replay_sends_no_alert(stage: Stage) -> None:
    """A failure has one alert, however often it is announced."""
    agent_id = agent()
    notify(stage, agent_id, "meeting_agent_failed")

    def alerts() -> int:
        return sum(agent_id in json.dumps(message) for message in stage.alerts.messages())

    assert wait_until(lambda: alerts() or None) == 1
    assert stage.api.post(f"/v1/meeting_agents/{agent_id}/replay").status_code == 200
    assert heard(stage, agent_id, 1, replayed=True)
    other = agent()  # what comes after it on the same way has passed it
    notify(stage, other, "meeting_agent_failed")
    assert wait_until(lambda: any(other in json.dumps(message) for message in stage.alerts.messages()) or None)
    assert alerts() == 1


def test_the_command_replays_every_agent_of_a_time_range(
    stage: Stage, operate: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    """`make replay`: found in the table, announced through the API, counted at the end."""
    before = datetime.now(UTC)
    agents = [agent() for _ in range(3)]
    for agent_id in agents:
        notify(stage, agent_id, "meeting_agent_activated")
        notify(stage, agent_id, "meeting_agent_complete")
        assert heard(stage, agent_id, 2, replayed=False)
    span = ["--from", before.isoformat(), "--to", (datetime.now(UTC) + timedelta(seconds=1)).isoformat()]

    dry = operate("replay", *span, "--state", "complete", "--dry-run")
    assert (dry.returncode, dry.stderr) == (0, "")
    assert dry.stdout == "3 entries of 3 agents would be announced again\n"
    done = operate("replay", *span)
    assert done.stdout == "6 entries of 3 agents were announced again\n"
    for agent_id in agents:
        assert len(heard(stage, agent_id, 2, replayed=True)) == 2


# -------------------------------------------------------------------------------------------------------------- redrive


def dead_letters(stage: Stage, queue: str) -> int:
    """Return the number of messages in a dead-letter queue."""
    url = stage.stack.outputs[f"{queue}DeadLetterQueueUrl"]
    names: Any = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    got = stage.stack.session.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=names)
    return sum(map(int, got["Attributes"].values()))


def test_a_poisoned_entry_is_announced_after_repair_and_redrive(
    stage: Stage, operate: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    """A redrive before the repair dead-letters it again."""
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
    assert heard(stage, other, 1, replayed=False)
    assert wait_until(lambda: dead_letters(stage, "Track") or None) == 1

    in_vain = operate("redrive", "--queue", "track")
    assert (in_vain.returncode, in_vain.stdout) == (1, "1 messages given back, 1 kept\n")

    dynamodb.put_item(TableName=table, Item=entry | {"at": {"S": "2026-04-25T15:30:00.000Z"}})
    mended = operate("redrive", "--queue", "track")
    assert (mended.returncode, mended.stdout) == (0, "1 messages given back, 0 kept\n")
    assert heard(stage, agent_id, 1, replayed=False) == [f"{agent_id}.bad"]
    assert dead_letters(stage, "Track") == 0


@pytest.mark.parametrize("is_forgotten", [False, True], ids=["in_the_stream", "after_a_day"])
def test_entries_that_lambda_dead_lettered_are_read_from_the_stream_or_the_table(
    is_forgotten: bool,
    stage: Stage,
    followed: tuple[str, list[str]],
    operate: Callable[..., subprocess.CompletedProcess[str]],
) -> None:
    """Lambda keeps a position in the stream, which lasts a day: after it the table is searched."""
    agent_id, ids = followed
    session = stage.stack.session
    table = session.client("dynamodb").describe_table(TableName=stage.stack.outputs["AgentsTableName"])["Table"]
    streams = session.client("dynamodbstreams")
    (shard,) = streams.describe_stream(StreamArn=table["LatestStreamArn"])["StreamDescription"]["Shards"]
    iterator: Any = streams.get_shard_iterator(
        StreamArn=table["LatestStreamArn"], ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
    )["ShardIterator"]
    ours: list[str] = []
    while len(ours) < len(ids):  # the stream holds what other tests did before
        page: Any = streams.get_records(ShardIterator=iterator)
        assert page["Records"], "the entries are not in the stream"
        ours += [
            record["dynamodb"]["SequenceNumber"]
            for record in page["Records"]
            if record["dynamodb"]["Keys"]["pk"]["S"] == agent_id
            and record["dynamodb"]["Keys"]["sk"]["S"].startswith(ENTRY_PREFIX)
        ]
        iterator = page["NextShardIterator"]
    now = datetime.now(UTC)
    place = {
        "shardId": shard["ShardId"],
        "startSequenceNumber": "1".zfill(21) if is_forgotten else ours[0],
        "endSequenceNumber": ours[-1],
        "approximateArrivalOfFirstRecord": f"{now - timedelta(seconds=2):%Y-%m-%dT%H:%M:%SZ}",
        "approximateArrivalOfLastRecord": f"{now:%Y-%m-%dT%H:%M:%SZ}",
        "batchSize": len(ours),
        "streamArn": table["LatestStreamArn"],
    }
    message = {"requestContext": {"condition": "RetryAttemptsExhausted"}, "version": "1.0", "DDBStreamBatchInfo": place}
    session.client("sqs").send_message(
        QueueUrl=stage.stack.outputs["TrackDeadLetterQueueUrl"], MessageBody=json.dumps(message)
    )

    done = operate("redrive", "--queue", "track")
    assert (done.returncode, done.stdout) == (0, "1 messages given back, 0 kept\n")
    assert heard(stage, agent_id, 4, replayed=False) == [*ids, *ids]


def test_a_dead_lettered_alert_is_published_after_a_redrive(
    stage: Stage, operate: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    agent_id = agent()
    announcement_id = notify(stage, agent_id, "meeting_agent_activated")
    assert heard(stage, agent_id, 1, replayed=False)
    told = next(one for one in stage.lifecycle.messages() if one["id"] == announcement_id)
    told["data"]["cause"] = "failed"
    stage.stack.session.client("sqs").send_message(
        QueueUrl=stage.stack.outputs["AlertDeadLetterQueueUrl"], MessageBody=json.dumps(told)
    )
    done = operate("redrive", "--queue", "alert")
    assert (done.returncode, done.stdout) == (0, "1 messages given back, 0 kept\n")
    assert wait_until(lambda: any(agent_id in json.dumps(message) for message in stage.alerts.messages()) or None)


def test_an_unknown_queue_is_named_together_with_the_known_ones(
    operate: Callable[..., subprocess.CompletedProcess[str]],
) -> None:
    failed = operate("redrive", "--queue", "trakc")
    assert failed.returncode == 2
    assert failed.stderr.startswith("operate: there is no dead-letter queue trakc: say QUEUE=alert|")
