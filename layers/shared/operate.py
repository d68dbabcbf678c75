"""The commands for a deployed stack: `make replay`, `redrive`, `verdicts`, `export`, and the last step of a deploy.

Runs on the operator's machine with the operator's AWS credentials. It is no part of the layer, but stands beside
`meeting_agents` because it reads the same table. Each command shows its progress and ends with a count.
"""

import argparse
import base64
import json
import os
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import batched
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import httpx
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, NoRegionError

from meeting_agents.aws.keys import DAY_INDEX, ENTRY_PREFIX, RECORD, timestamp
from meeting_agents.domain.model import State, Verdict

if TYPE_CHECKING:
    from mypy_boto3_sqs.type_defs import MessageTypeDef

CONCURRENT_REQUESTS = 4
"""Requests to the API at the same time: few, so that a replay does not crowd out callers."""
VISIBILITY_SECONDS = 300
"""Longer than the function needs that gets a message again."""
BATCH_SIZE = 100
"""Entries in one event for `track`, as in the stream's own events."""
CLOCK_TOLERANCE = timedelta(minutes=1)
"""The most by which the time in an entry and its arrival in the stream differ."""


class UnknownQueue(Exception):
    """The stack has no dead-letter queue of this name."""


@dataclass(frozen=True)
class Stack:
    """A deployed stack, read with the operator's session."""

    name: str
    session: boto3.Session

    @property
    def outputs(self) -> dict[str, str]:
        return {output["OutputKey"]: output["OutputValue"] for output in self._described.get("Outputs", [])}

    @property
    def parameters(self) -> dict[str, str]:
        return {one["ParameterKey"]: one["ParameterValue"] for one in self._described.get("Parameters", [])}

    @property
    def _described(self) -> dict[str, Any]:
        described: Any = self.session.client("cloudformation").describe_stacks(StackName=self.name)["Stacks"][0]
        return dict(described)

    @property
    def resources(self) -> dict[str, str]:
        """Physical ids by logical id."""
        pages = (
            self.session.client("cloudformation").get_paginator("list_stack_resources").paginate(StackName=self.name)
        )
        summaries = [summary for page in pages for summary in page["StackResourceSummaries"]]
        return {summary["LogicalResourceId"]: summary.get("PhysicalResourceId", "") for summary in summaries}

    def scan(self, **options: Any) -> Iterator[dict[str, Any]]:
        """Iterate over the items of the agents table. Reads all of them, so the cost grows with the table."""
        return self._items("scan", options)

    def query(self, **options: Any) -> Iterator[dict[str, Any]]:
        """Iterate over the items of the agents table that a query finds."""
        return self._items("query", options)

    def _items(self, operation: Any, options: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        paginator = self.session.client("dynamodb").get_paginator(operation)
        pages = paginator.paginate(TableName=self.outputs["AgentsTableName"], **options)
        return (item for page in pages for item in page["Items"])

    def entries(self, start: str, end: str) -> Iterator[dict[str, Any]]:
        """Iterate over the keys of the entries from `start` until before `end`."""
        return self.scan(
            FilterExpression="begins_with(sk, :entry) AND #at >= :start AND #at < :end",
            ExpressionAttributeNames={"#at": "at"},
            ExpressionAttributeValues={":entry": {"S": ENTRY_PREFIX}, ":start": {"S": start}, ":end": {"S": end}},
            ProjectionExpression="pk, sk",
        )


# --------------------------------------------------------------------------------------------------------------- replay


def replay(stack: Stack, start: datetime, end: datetime, state: str | None, *, dry_run: bool) -> int:
    """Announce the entries from `start` until before `end` again. Return the number of agents that failed."""
    agents = list(dict.fromkeys(item["pk"]["S"] for item in stack.entries(timestamp(start), timestamp(end))))
    parameters = {"from": timestamp(start), "to": timestamp(end), "state": state, "dry_run": str(dry_run).lower()}
    query = str(httpx.QueryParams({name: value for name, value in parameters.items() if value}))
    base = stack.outputs["ApiUrl"]
    announced, failures = 0, []
    with httpx.Client(timeout=40) as client, ThreadPoolExecutor(CONCURRENT_REQUESTS) as pool:
        urls = [f"{base}/v1/meeting_agents/{agent}/replay?{query}" for agent in agents]
        responses = pool.map(lambda url: _post(client, stack, url), urls)
        for done, (agent, response) in enumerate(zip(agents, responses, strict=True), 1):
            if response.status_code == 200:
                announced += len(response.json()["announcements"])
            else:
                failures.append(f"{agent}: {response.status_code} {response.text}")
            _show_progress(f"{done} of {len(agents)} agents, {announced} announcements")
    verb = "would be announced" if dry_run else "were announced"
    _finish(
        [f"not replayed: {failure}" for failure in failures],
        f"{announced} entries of {len(agents) - len(failures)} agents {verb} again",
    )
    return len(failures)


def _post(client: httpx.Client, stack: Stack, url: str) -> httpx.Response:
    """Send a POST without a body, signed for the API's IAM authoriser."""
    request = AWSRequest("POST", url, data=b"")
    credentials = stack.session.get_credentials()
    if credentials is None:
        raise NoCredentialsError
    SigV4Auth(credentials.get_frozen_credentials(), "execute-api", stack.session.region_name).add_auth(request)
    return client.post(url, headers=dict(request.headers.items()))


# -------------------------------------------------------------------------------------------------------------- redrive


def redrive(stack: Stack, name: str) -> int:
    """Return the messages of a dead-letter queue to their source. Return the number of messages that remain.

    A message is deleted once the source queue has it, or the function has handled it without an error. A message that
    is dead-lettered after the start of the command stays, so that one that fails again does not go round and round.
    """
    resources, title = stack.resources, name.title()
    if f"{title}DeadLetterQueue" not in resources:
        suffix = "DeadLetterQueue"
        names = sorted(logical_id.removesuffix(suffix).lower() for logical_id in resources if suffix in logical_id)
        raise UnknownQueue(f"the stack has no dead-letter queue {name}: set QUEUE={'|'.join(names)}")
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
            _show_progress(f"{redriven} of about {total['ApproximateNumberOfMessages']} messages")
    for message, _ in kept:
        sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=0)
    _finish(
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


# ------------------------------------------------------------------------------------------------------------- verdicts


def verdicts(stack: Stack) -> int:
    """Count the stored notifications by verdict. Return the number of those without one.

    stored = applied + duplicate + stale + conflicting + mismatched + unrecognised + in flight
    """
    stored: Counter[str] = Counter()
    judged: Counter[str] = Counter()
    by_verdict: Counter[str] = Counter()
    now = time.time()
    for item in stack.scan(ProjectionExpression="pk, sk, signed_with, judged, expires_at", ConsistentRead=True):
        if float(item.get("expires_at", {}).get("N", "inf")) <= now:
            continue
        agent = item["pk"]["S"]
        stored[agent] += "signed_with" in item
        if item["sk"]["S"] == RECORD:
            counts = {verdict: int(count["N"]) for verdict, count in item.get("judged", {}).get("M", {}).items()}
            judged[agent] += sum(counts.values())
            by_verdict.update(counts)
    in_flight = {agent: stored[agent] - judged[agent] for agent in stored if stored[agent] != judged[agent]}
    parts = [f"{verdict} {by_verdict[verdict]:,}" for verdict in Verdict]
    _finish(
        [f"in flight: {agent}: {count}" for agent, count in sorted(in_flight.items())[:20]],
        f"stored {stored.total():,} = {' + '.join(parts)} + in flight {sum(in_flight.values()):,}",
    )
    return sum(map(abs, in_flight.values()))


# --------------------------------------------------------------------------------------------------------------- export


def export(stack: Stack, start: datetime, end: datetime, file: Path) -> None:
    """Write the journals of the agents whose meetings start from `start` until before `end`, an entry a line.

    The first line has the stack's parameters. Journals have titles of meetings and addresses of people: only the
    file's owner can read it.
    """
    agents, entries = list(_agents(stack, start, end)), 0
    head = {"stack": stack.name, "from": timestamp(start), "to": timestamp(end), "parameters": stack.parameters}
    with os.fdopen(os.open(file, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "w", encoding="utf-8") as lines:
        print(json.dumps(head), file=lines)
        for done, agent_id in enumerate(agents, 1):
            for item in stack.query(
                KeyConditionExpression="pk = :pk AND begins_with(sk, :entry)",
                ExpressionAttributeValues={":pk": {"S": agent_id}, ":entry": {"S": ENTRY_PREFIX}},
            ):
                print(json.dumps(item, default=lambda raw: base64.b64encode(raw).decode()), file=lines)
                entries += 1
            _show_progress(f"{done} of {len(agents)} agents")
    _finish([], f"{entries} entries of {len(agents)} agents are in {file}")


def _agents(stack: Stack, start: datetime, end: datetime) -> Iterator[str]:
    bounds = {":start": {"S": timestamp(start)}, ":end": {"S": timestamp(end)}}  # a meeting at the end sorts after it
    for number in range((end.date() - start.date()).days + 1):
        day = (start.date() + timedelta(days=number)).isoformat()
        items = stack.query(
            IndexName=DAY_INDEX,
            KeyConditionExpression="#day = :day AND listed BETWEEN :start AND :end",
            ExpressionAttributeNames={"#day": "day"},
            ExpressionAttributeValues={":day": {"S": day}, **bounds},
        )
        yield from (item["pk"]["S"] for item in items)


# ---------------------------------------------------------------------------------------------------------- subscribers


def subscribers(stack: Stack) -> None:
    """Print the number of confirmed subscribers of the alerts topic, and the next step if there is none."""
    topic = stack.outputs["AlertsTopicArn"]
    attributes = stack.session.client("sns").get_topic_attributes(TopicArn=topic)["Attributes"]
    confirmed, pending = (int(attributes[f"Subscriptions{status}"]) for status in ("Confirmed", "Pending"))
    count = f"{confirmed} confirmed subscriber{'' if confirmed == 1 else 's'} of the alerts"
    if confirmed:
        _finish([], count)
    elif pending:
        _finish(
            [], f"{count}: alerts reach no one until the link in the e-mail from AWS is followed ({pending} pending)"
        )
    else:
        _finish(
            [],
            f"{count}: alerts reach no one. Subscribe an address: aws sns subscribe --topic-arn {topic}"
            " --protocol email --notification-endpoint oncall@example.com",
        )


# -------------------------------------------------------------------------------------------------------------- command


def _show_progress(text: str) -> None:
    if sys.stderr.isatty():
        print(f"\r{text}", end="", file=sys.stderr, flush=True)  # noqa: T201 - a command prints


def _finish(remarks: Iterable[str], count: str) -> None:
    for line in ([""] if sys.stderr.isatty() else []) + list(remarks):
        print(line, file=sys.stderr)  # noqa: T201
    print(count)  # noqa: T201


def _time(text: str) -> datetime:
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a time: set FROM=2026-11-22T08:00:00Z TO=2026-11-22T09:00:00Z"
        ) from None
    return time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)


def _queue(text: str) -> str:
    if not text:
        raise argparse.ArgumentTypeError("no queue is named: set QUEUE=track|alert|…")
    return text


def _file(text: str) -> Path:
    if not text:
        raise argparse.ArgumentTypeError("no file is named: set JOURNAL=week.jsonl")
    return Path(text)


_SWITCH = (
    {"": False} | dict.fromkeys(("0", "no", "false", "off"), False) | dict.fromkeys(("1", "yes", "true", "on"), True)
)


def _switch(text: str) -> bool:
    if text.lower() not in _SWITCH:
        raise argparse.ArgumentTypeError(f"{text!r} is neither yes nor no: set DRY_RUN=yes or DRY_RUN=no")
    return _SWITCH[text.lower()]


def main(arguments: list[str]) -> int:
    """Run a command. Return 1 if something remains to be done, 2 if the command could not run."""
    parser = argparse.ArgumentParser(prog="operate", description=__doc__.partition("\n")[0])
    parser.add_argument("--stack", default="meeting-agents")
    commands = parser.add_subparsers(dest="command", required=True)
    replay_parser = commands.add_parser("replay", help="announce the entries of a span of time again")
    replay_parser.add_argument("--state", choices=[state.value for state in State], help="only entries that led to it")
    replay_parser.add_argument(
        "--dry-run", type=_switch, nargs="?", const=True, default=False, metavar="yes|no", help="only count"
    )
    redrive_parser = commands.add_parser("redrive", help="return the messages of a dead-letter queue to their source")
    redrive_parser.add_argument("--queue", type=_queue, required=True, help="track, alert, …")
    export_parser = commands.add_parser("export", help="write the journals of the meetings of a span of time to a file")
    for span in (replay_parser, export_parser):
        example = "2026-04-29T15:30:00Z"
        span.add_argument("--from", dest="start", type=_time, required=True, metavar="TIME", help=example)
        span.add_argument("--to", dest="end", type=_time, required=True, metavar="TIME", help="exclusive")
    export_parser.add_argument("--file", type=_file, required=True, help="week.jsonl")
    commands.add_parser("verdicts", help="count the notifications by verdict")
    commands.add_parser("subscribers", help="count the subscribers of the alerts")
    options = parser.parse_args(arguments)
    if options.command in ("replay", "export") and options.start >= options.end:
        (replay_parser if options.command == "replay" else export_parser).error("FROM must be before TO")
    remaining = 0
    try:
        stack = Stack(options.stack, boto3.Session(region_name=os.environ.get("AWS_REGION") or None))
        match options.command:
            case "replay":
                remaining = replay(stack, options.start, options.end, options.state, dry_run=options.dry_run)
            case "redrive":
                remaining = redrive(stack, options.queue)
            case "export":
                export(stack, options.start, options.end, options.file)
            case "subscribers":
                subscribers(stack)
            case _:
                remaining = verdicts(stack)
    except (BotoCoreError, ClientError, httpx.HTTPError, OSError, UnknownQueue) as error:
        print(f"operate: {_problem(error)}", file=sys.stderr)  # noqa: T201
        return 2
    return 1 if remaining else 0


def _problem(error: Exception) -> str:
    """Describe in one line why a command could not run, and the next step."""
    match error:
        case NoRegionError():
            return "no AWS region is configured: set AWS_REGION=eu-central-1 or AWS_PROFILE=…"
        case NoCredentialsError():
            return "no AWS credentials are found: set AWS_PROFILE=…, or sign in"
        case ClientError() if error.operation_name in ("DescribeStacks", "ListStackResources"):
            message = error.response["Error"].get("Message", "")
            return f"the stack could not be read: {message}; set STACK=… and AWS_REGION=…"
        case _:
            return " ".join(str(error).split())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
