"""A table, a topic and its subscriber on the embedded AWS, for functions that run in this process."""

import itertools
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from boto3.dynamodb.types import TypeDeserializer
from botocore.exceptions import EndpointConnectionError

from meeting_agents import wiring
from meeting_agents.aws.dynamodb import Table
from meeting_agents.aws.keys import ENTRY_PREFIX, RECORD
from meeting_agents.aws.notifications import append_notification
from meeting_agents.domain.model import Entry
from tests.callback import example
from tests.sandbox.deployment import source_template
from tests.sandbox.embedded_aws import REGION, EmbeddedAws
from tests.wire import forget

CONTEXT = SimpleNamespace(
    function_name="a-function",
    memory_limit_in_mb=512,
    invoked_function_arn=f"arn:aws:lambda:{REGION}:111122223333:function:a-function",
    aws_request_id="52fdfc07-2182-154f-163f-5f0f9a621d72",
)

_accounts = itertools.count(300_000_000_000)


@dataclass
class Tables:
    """Table, topic and queues of the functions in this process. `calls`: all operations; `failing`: those to fail."""

    session: boto3.Session
    table: str
    subscriber_url: str
    dead_letter_queue_url: str
    calls: list[str]
    failing: set[str]

    def notify(self, agent_id: str, at: datetime | None = None, **changes: Any) -> str:
        """Append a notification as `webhook` does; its key."""
        raw = json.dumps(example(**changes)).encode()
        return self.append_raw(agent_id, raw, at)

    def append_raw(self, agent_id: str, raw: bytes, at: datetime | None = None) -> str:
        """Append these bytes as `webhook` does; their key."""
        at = at or datetime.now(UTC)
        table = Table(self.session.client("dynamodb"), self.table)  # the harness's own, whose calls are not counted
        append_notification(table, agent_id, raw, at=at, attempt=None, signed_with="us:current")
        return sha256(raw).hexdigest()

    def append(self, agent_id: str, *entries: Entry) -> None:
        for entry in entries:
            assert wiring.journal().append(agent_id, entry)

    def items(self, agent_id: str) -> dict[str, dict[str, Any]]:
        """The items of an agent in the table, by sort key."""
        found = self.session.client("dynamodb").query(
            TableName=self.table,
            KeyConditionExpression="pk = :pk",
            ExpressionAttributeValues={":pk": {"S": agent_id}},
            ConsistentRead=True,
        )["Items"]
        deserialize = TypeDeserializer().deserialize
        return {item["sk"]["S"]: {name: deserialize(value) for name, value in item.items()} for item in found}

    def record(self, agent_id: str) -> dict[str, Any]:
        return self.items(agent_id)[RECORD]

    def batch(self, *entries: tuple[str, str]) -> dict[str, Any]:
        """The stream's event for these entries, each an agent's id and a key."""
        return {
            "Records": [
                {
                    "eventSource": "aws:dynamodb",
                    "eventName": "INSERT",
                    "dynamodb": {
                        "Keys": {"pk": {"S": agent_id}, "sk": {"S": ENTRY_PREFIX + key}},
                        "SequenceNumber": f"{number:021d}",
                    },
                }
                for number, (agent_id, key) in enumerate(entries, 1)
            ]
        }

    def announced(self) -> list[dict[str, Any]]:
        """The announcements that the lifecycle topic's subscriber has received since the last call."""
        sqs, got = self.session.client("sqs"), []
        while messages := sqs.receive_message(QueueUrl=self.subscriber_url, MaxNumberOfMessages=10).get("Messages"):
            for message in messages:
                got.append(json.loads(message["Body"]))
                sqs.delete_message(QueueUrl=self.subscriber_url, ReceiptHandle=message["ReceiptHandle"])
        return got

    def dead_letters(self) -> list[dict[str, Any]]:
        """The messages in the dead-letter queue, which stay there."""
        answer = self.session.client("sqs").receive_message(
            QueueUrl=self.dead_letter_queue_url, MaxNumberOfMessages=10, VisibilityTimeout=0
        )
        return [json.loads(message["Body"]) for message in answer.get("Messages", [])]


@contextmanager
def made(aws: EmbeddedAws) -> Iterator[Tables]:
    """Create them as the template declares, in an account of their own, and let this process's functions use them."""
    account = str(next(_accounts))
    session = aws.session(account)
    template = source_template()
    properties = template["Resources"]["AgentsTable"]["Properties"]
    names = ("AttributeDefinitions", "KeySchema", "BillingMode", "GlobalSecondaryIndexes")
    session.client("dynamodb").create_table(TableName="agents", **{name: properties[name] for name in names})
    topic = session.client("sns").create_topic(Name="lifecycle")["TopicArn"]
    failures, subscriber = (
        session.client("sqs").create_queue(QueueName=one)["QueueUrl"] for one in ("failures", "heard")
    )
    policy = {
        "Version": "2012-10-17",
        "Statement": {
            "Effect": "Allow",
            "Principal": {"Service": "sns.amazonaws.com"},
            "Action": "sqs:SendMessage",
            "Resource": "*",
        },
    }
    session.client("sqs").set_queue_attributes(QueueUrl=subscriber, Attributes={"Policy": json.dumps(policy)})
    session.client("sns").subscribe(
        TopicArn=topic,
        Protocol="sqs",
        Endpoint=f"arn:aws:sqs:{REGION}:{account}:heard",
        Attributes={"RawMessageDelivery": "true"},
    )
    defaults = {name: str(one["Default"]) for name, one in template["Parameters"].items() if "Default" in one}
    variables = template["Globals"]["Function"]["Environment"]["Variables"]
    environment = {
        name: defaults.get(str(value["Ref"]), "")
        for name, value in variables.items()
        if isinstance(value, dict) and "Ref" in value
    }
    environment |= {
        "AWS_ENDPOINT_URL": aws.url,
        "AWS_ACCESS_KEY_ID": account,
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_DEFAULT_REGION": REGION,
        "AGENTS_TABLE": "agents",
        "LIFECYCLE_TOPIC_ARN": topic,
        "DEAD_LETTER_QUEUE_URL": failures,
        "POWERTOOLS_METRICS_NAMESPACE": "meeting-agents",
        "POWERTOOLS_LOG_LEVEL": "INFO",
    }
    calls: list[str] = []
    failing: set[str] = set()

    def record(**sent: Any) -> None:
        operation = sent["event_name"].rpartition(".")[2]
        calls.append(operation)
        if operation in failing:
            raise EndpointConnectionError(endpoint_url=sent["request"].url)

    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        forget()
        wiring._session().register("before-send", record)
        yield Tables(session, "agents", subscriber, failures, calls, failing)
    forget()
