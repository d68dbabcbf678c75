"""`make redrive`: the messages of a dead-letter queue go back to the queue or the function that they came from."""

import json
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from itertools import batched
from typing import TYPE_CHECKING, Any

from meeting_agents.aws.keys import ENTRY_PREFIX, timestamp
from operate_stack import OperatorError, Stack, finish, show_progress

if TYPE_CHECKING:
    from mypy_boto3_sqs.type_defs import MessageTypeDef

VISIBILITY_SECONDS = 300
"""Longer than the function needs that gets a message again."""
BATCH_SIZE = 100
"""Entries in one event for `track`, as in the stream's own events."""
CLOCK_TOLERANCE = timedelta(minutes=1)
"""The most by which the time in an entry and its arrival in the stream differ."""


def redrive(stack: Stack, name: str) -> int:
    """Return the messages of a dead-letter queue to their source. Return the number of messages that remain.

    A message is deleted once the source queue has it, or the function has handled it without an error. A message that
    is dead-lettered after the start of the command stays, so that one that fails again does not go round and round.
    """
    resources, title = stack.resources, name.title()
    if f"{title}DeadLetterQueue" not in resources:
        suffix = "DeadLetterQueue"
        names = sorted(logical_id.removesuffix(suffix).lower() for logical_id in resources if suffix in logical_id)
        raise OperatorError(f"the stack has no dead-letter queue {name}: set QUEUE={'|'.join(names)}")
    sqs, url, began_at = stack.session.client("sqs"), resources[f"{title}DeadLetterQueue"], time.time() * 1000
    total = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"])["Attributes"]
    redriven, kept = 0, []
    while messages := sqs.receive_message(
        QueueUrl=url,
        MaxNumberOfMessages=10,
        VisibilityTimeout=VISIBILITY_SECONDS,
        WaitTimeSeconds=2,
        MessageSystemAttributeNames=["SentTimestamp"],
        MessageAttributeNames=["All"],
    ).get("Messages"):
        for message in messages:
            is_new = float(message["Attributes"]["SentTimestamp"]) >= began_at
            problem = "it was dead-lettered just now" if is_new else _redrive_message(stack, resources, title, message)
            if problem:
                kept.append((message, problem))
            else:
                sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
                redriven += 1
            show_progress(f"{redriven} of about {total['ApproximateNumberOfMessages']} messages")
    for message, _ in kept:
        sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=0)
    finish(
        [f"kept: {message['MessageId']}: {problem}" for message, problem in kept],
        f"{redriven} messages redriven, {len(kept)} kept",
    )
    return len(kept)


def _redrive_message(stack: Stack, resources: Mapping[str, str], title: str, message: "MessageTypeDef") -> str:
    """Return a message to its source. Return the problem, empty if there is none."""
    if queue := resources.get(f"{title}Queue"):
        attributes = {
            name: {key: value for key, value in attribute.items() if key in ("DataType", "StringValue")}
            for name, attribute in message.get("MessageAttributes", {}).items()
        }
        stack.session.client("sqs").send_message(
            QueueUrl=queue,
            MessageBody=message["Body"],
            MessageAttributes=attributes,  # type: ignore[arg-type]
        )
        return ""
    for event in _events(stack, json.loads(message["Body"])):
        response = stack.session.client("lambda").invoke(
            FunctionName=resources[f"{title}Function"], Payload=json.dumps(event).encode()
        )
        result = json.loads(response["Payload"].read() or b"null")
        if response.get("FunctionError"):
            return f"the function failed: {result.get('errorType', 'unknown')}"
        if isinstance(result, dict) and result.get("batchItemFailures"):
            return f"{len(result['batchItemFailures'])} entries were not announced: see the function's log"
    return ""


def _events(stack: Stack, dead_letter: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Iterate over the Lambda events of a dead letter: it holds the event itself, or a position in the stream."""
    if "DDBStreamBatchInfo" not in dead_letter:
        yield dead_letter.get("requestPayload", dead_letter)  # Lambda wraps an event that it failed to deliver
        return
    for batch in batched(_stream_records(stack, dead_letter["DDBStreamBatchInfo"]), BATCH_SIZE, strict=False):
        yield {"Records": list(batch)}


def _stream_records(stack: Stack, batch_info: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Iterate over the new entries of a part of the stream.

    The stream forgets its records after a day: then the entries come from the table, by their time.
    """
    streams = stack.session.client("dynamodbstreams")
    last = int(batch_info["endSequenceNumber"])
    try:
        iterator = streams.get_shard_iterator(
            StreamArn=batch_info["streamArn"],
            ShardId=batch_info["shardId"],
            ShardIteratorType="AT_SEQUENCE_NUMBER",
            SequenceNumber=batch_info["startSequenceNumber"],
        ).get("ShardIterator")
        keys: list[Mapping[str, Any]] = []
        while iterator:
            page = streams.get_records(ShardIterator=iterator)
            records = [record for record in page["Records"] if int(record["dynamodb"]["SequenceNumber"]) <= last]
            keys += [
                record["dynamodb"]["Keys"]
                for record in records
                if record["eventName"] == "INSERT" and record["dynamodb"]["Keys"]["sk"]["S"].startswith(ENTRY_PREFIX)
            ]
            is_done = len(records) < len(page["Records"]) or (
                records and int(records[-1]["dynamodb"]["SequenceNumber"]) == last
            )
            iterator = None if is_done else page.get("NextShardIterator")
    except (streams.exceptions.TrimmedDataAccessException, streams.exceptions.ResourceNotFoundException):
        first, end = (
            datetime.fromisoformat(batch_info[f"approximateArrivalOf{position}Record"]).astimezone(UTC)
            for position in ("First", "Last")
        )
        keys = list(stack.entries(timestamp(first - CLOCK_TOLERANCE), timestamp(end + CLOCK_TOLERANCE)))
    for number, key in enumerate(keys):
        yield {
            "eventSource": "aws:dynamodb",
            "eventName": "INSERT",
            "dynamodb": {"Keys": dict(key), "SequenceNumber": str(number)},
        }
