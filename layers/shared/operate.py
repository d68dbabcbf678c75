"""What an operator does with a deployed stack: `make replay`, `make redrive`, `make verdicts`, and how a deploy ends.

It runs where the operator is, with the operator's AWS credentials, and is no part of the layer, though it stands beside
`meeting_agents`: it speaks of the same table. Each command shows its progress, and ends with a count.
"""

import argparse
import json
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import batched
from typing import TYPE_CHECKING, Any

import boto3
import httpx
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, NoRegionError

from meeting_agents.aws.keys import ENTRY_PREFIX, RECORD, timestamp
from meeting_agents.domain.model import State, Verdict

if TYPE_CHECKING:
    from mypy_boto3_sqs.type_defs import MessageTypeDef

AT_ONCE = 4
"""Requests to the API at a time: a replay must not crowd out those of callers."""
HIDDEN = 300
"""Seconds for which a message is taken: longer than whatever it is handed to needs."""
ENTRIES = 100
"""Entries that `track` is given at once, as by the stream."""
LEEWAY = timedelta(minutes=1)
"""By how much an entry's own time may differ from that at which the stream got it."""


class UnknownQueue(Exception):
    """A dead-letter queue that the stack does not have."""


@dataclass(frozen=True)
class Stack:
    """A deployed stack, as the operator's session sees it."""

    name: str
    session: boto3.Session

    @property
    def outputs(self) -> dict[str, str]:
        (stack,) = self.session.client("cloudformation").describe_stacks(StackName=self.name)["Stacks"]
        return {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}

    @property
    def resources(self) -> dict[str, str]:
        """Physical ids by logical ones."""
        pages = (
            self.session.client("cloudformation").get_paginator("list_stack_resources").paginate(StackName=self.name)
        )
        found = [one for page in pages for one in page["StackResourceSummaries"]]
        return {one["LogicalResourceId"]: one.get("PhysicalResourceId", "") for one in found}

    def scan(self, **more: Any) -> Iterator[dict[str, Any]]:
        """The items of the agents table: every one is read, so the cost follows the size of the table."""
        client = self.session.client("dynamodb")
        pages = client.get_paginator("scan").paginate(TableName=self.outputs["AgentsTableName"], **more)
        return (item for page in pages for item in page["Items"])

    def entries(self, start: str, end: str) -> Iterator[dict[str, Any]]:
        """The keys of the entries that were written down from `start` until before `end`."""
        return self.scan(
            FilterExpression="begins_with(sk, :entry) AND #at >= :start AND #at < :end",
            ExpressionAttributeNames={"#at": "at"},
            ExpressionAttributeValues={":entry": {"S": ENTRY_PREFIX}, ":start": {"S": start}, ":end": {"S": end}},
            ProjectionExpression="pk, sk",
        )


# --------------------------------------------------------------------------------------------------------------- replay


def replay(stack: Stack, start: datetime, end: datetime, state: str | None, *, dry_run: bool) -> int:
    """Announce again what was written down from `start` until before `end`; how many agents could not be replayed."""
    agents = list(dict.fromkeys(item["pk"]["S"] for item in stack.entries(timestamp(start), timestamp(end))))
    wanted = {"from": timestamp(start), "to": timestamp(end), "state": state, "dry_run": str(dry_run).lower()}
    query = str(httpx.QueryParams({name: value for name, value in wanted.items() if value}))
    base = stack.outputs["ApiUrl"]
    announced, failed = 0, []
    with httpx.Client(timeout=40) as client, ThreadPoolExecutor(AT_ONCE) as pool:
        urls = [f"{base}/v1/meeting_agents/{agent}/replay?{query}" for agent in agents]
        answers = pool.map(lambda url: _post(client, stack, url), urls)
        for done, (agent, answer) in enumerate(zip(agents, answers, strict=True), 1):
            if answer.status_code == 200:
                announced += len(answer.json()["announcements"])
            else:
                failed.append(f"{agent}: {answer.status_code} {answer.text}")
            _progress(f"{done} of {len(agents)} agents, {announced} announcements")
    verb = "would be announced" if dry_run else "were announced"
    _end(
        [f"not replayed: {one}" for one in failed],
        f"{announced} entries of {len(agents) - len(failed)} agents {verb} again",
    )
    return len(failed)


def _post(client: httpx.Client, stack: Stack, url: str) -> httpx.Response:
    """The answer to a POST without a body, signed for the API's IAM authoriser."""
    request = AWSRequest("POST", url, data=b"")
    credentials = stack.session.get_credentials()
    if credentials is None:
        raise NoCredentialsError
    SigV4Auth(credentials.get_frozen_credentials(), "execute-api", stack.session.region_name).add_auth(request)
    return client.post(url, headers=dict(request.headers.items()))


# -------------------------------------------------------------------------------------------------------------- redrive


def redrive(stack: Stack, name: str) -> int:
    """Give what is in a dead-letter queue back to where it failed; how many messages remain.

    A message is deleted once it was taken: by the queue that it came from, or by the function without an error. What is
    dead-lettered meanwhile is not touched, so that a message that fails again does not go round and round.
    """
    resources, title = stack.resources, name.title()
    if f"{title}DeadLetterQueue" not in resources:
        known = sorted(
            one.removesuffix("DeadLetterQueue").lower() for one in resources if one.endswith("DeadLetterQueue")
        )
        raise UnknownQueue(f"there is no dead-letter queue {name}: say QUEUE={'|'.join(known)}")
    sqs, url, began = stack.session.client("sqs"), resources[f"{title}DeadLetterQueue"], time.time() * 1000
    about = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"])["Attributes"]
    back, kept = 0, []
    while messages := sqs.receive_message(
        QueueUrl=url,
        MaxNumberOfMessages=10,
        VisibilityTimeout=HIDDEN,
        WaitTimeSeconds=2,
        MessageSystemAttributeNames=["SentTimestamp"],
        MessageAttributeNames=["All"],
    ).get("Messages"):
        for message in messages:
            is_new = float(message["Attributes"]["SentTimestamp"]) >= began
            problem = "it was dead-lettered just now" if is_new else _given_back(stack, resources, title, message)
            if problem:
                kept.append((message, problem))
            else:
                sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
                back += 1
            _progress(f"{back} of about {about['ApproximateNumberOfMessages']} messages")
    for message, _ in kept:
        sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=0)
    _end(
        [f"kept: {message['MessageId']}: {problem}" for message, problem in kept],
        f"{back} messages given back, {len(kept)} kept",
    )
    return len(kept)


def _given_back(stack: Stack, resources: Mapping[str, str], title: str, message: "MessageTypeDef") -> str:
    """Hand a message back; why it could not be."""
    if queue := resources.get(f"{title}Queue"):
        attributes = message.get("MessageAttributes", {})
        bare = {
            name: {k: v for k, v in one.items() if k in ("DataType", "StringValue")} for name, one in attributes.items()
        }
        stack.session.client("sqs").send_message(QueueUrl=queue, MessageBody=message["Body"], MessageAttributes=bare)  # type: ignore[arg-type]
        return ""
    for event in _events(stack, json.loads(message["Body"])):
        answer = stack.session.client("lambda").invoke(
            FunctionName=resources[f"{title}Function"], Payload=json.dumps(event).encode()
        )
        said = json.loads(answer["Payload"].read() or b"null")
        if answer.get("FunctionError"):
            return f"the function failed: {said.get('errorType', 'unknown')}"
        if isinstance(said, dict) and said.get("batchItemFailures"):
            return f"{len(said['batchItemFailures'])} entries could not be announced yet: see the function's log"
    return ""


def _events(stack: Stack, dead_letters: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The Lambda events of what was dead-lettered: it says so itself, or where in the stream they are."""
    if "DDBStreamBatchInfo" not in dead_letters:
        yield dead_letters.get("requestPayload", dead_letters)  # Lambda wraps what it could not hand over
        return
    for some in batched(_stream_records(stack, dead_letters["DDBStreamBatchInfo"]), ENTRIES, strict=False):
        yield {"Records": list(some)}


def _stream_records(stack: Stack, place: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The new entries of a part of the stream; once the stream has forgotten them, after a day, those of its time."""
    streams = stack.session.client("dynamodbstreams")
    last = int(place["endSequenceNumber"])
    try:
        iterator = streams.get_shard_iterator(
            StreamArn=place["streamArn"],
            ShardId=place["shardId"],
            ShardIteratorType="AT_SEQUENCE_NUMBER",
            SequenceNumber=place["startSequenceNumber"],
        ).get("ShardIterator")
        keys: list[Mapping[str, Any]] = []
        while iterator:
            page = streams.get_records(ShardIterator=iterator)
            within = [one for one in page["Records"] if int(one["dynamodb"]["SequenceNumber"]) <= last]
            keys += [
                one["dynamodb"]["Keys"]
                for one in within
                if one["eventName"] == "INSERT" and one["dynamodb"]["Keys"]["sk"]["S"].startswith(ENTRY_PREFIX)
            ]
            is_done = len(within) < len(page["Records"]) or (
                within and int(within[-1]["dynamodb"]["SequenceNumber"]) == last
            )
            iterator = None if is_done else page.get("NextShardIterator")
    except (streams.exceptions.TrimmedDataAccessException, streams.exceptions.ResourceNotFoundException):
        first, end = (
            datetime.fromisoformat(place[f"approximateArrivalOf{one}Record"]).astimezone(UTC)
            for one in ("First", "Last")
        )
        keys = list(stack.entries(timestamp(first - LEEWAY), timestamp(end + LEEWAY)))
    for number, key in enumerate(keys):
        yield {
            "eventSource": "aws:dynamodb",
            "eventName": "INSERT",
            "dynamodb": {"Keys": dict(key), "SequenceNumber": str(number)},
        }


# ------------------------------------------------------------------------------------------------------------- verdicts


def verdicts(stack: Stack) -> int:
    """What became of every notification that was kept; how many have no verdict yet.

    kept = applied + repeated + late + conflicting + mismatched + unrecognised + in flight
    """
    kept: Counter[str] = Counter()
    judged: Counter[str] = Counter()
    found: Counter[str] = Counter()
    now = time.time()
    for item in stack.scan(ProjectionExpression="pk, sk, signed_with, judged, expires_at", ConsistentRead=True):
        if float(item.get("expires_at", {}).get("N", "inf")) <= now:
            continue
        agent = item["pk"]["S"]
        kept[agent] += "signed_with" in item
        if item["sk"]["S"] == RECORD:
            counts = {verdict: int(count["N"]) for verdict, count in item.get("judged", {}).get("M", {}).items()}
            judged[agent] += sum(counts.values())
            found.update(counts)
    waiting = {agent: kept[agent] - judged[agent] for agent in kept if kept[agent] != judged[agent]}
    parts = [f"{verdict} {found[verdict]:,}" for verdict in Verdict]
    _end(
        [f"in flight: {agent}: {count}" for agent, count in sorted(waiting.items())[:20]],
        f"kept {kept.total():,} = {' + '.join(parts)} + in flight {sum(waiting.values()):,}",
    )
    return sum(map(abs, waiting.values()))


# ---------------------------------------------------------------------------------------------------------- subscribers


def subscribers(stack: Stack) -> None:
    """Say how many confirmed subscribers the alerts topic has, and what to do if it has none."""
    topic = stack.outputs["AlertsTopicArn"]
    attributes = stack.session.client("sns").get_topic_attributes(TopicArn=topic)["Attributes"]
    confirmed, pending = (int(attributes[f"Subscriptions{which}"]) for which in ("Confirmed", "Pending"))
    count = f"{confirmed} confirmed subscriber{'' if confirmed == 1 else 's'} of the alerts"
    if confirmed:
        _end([], count)
    elif pending:
        _end([], f"{count}: nobody receives them until the link in the mail from AWS is followed ({pending} pending)")
    else:
        _end(
            [],
            f"{count}: nobody receives them. Say aws sns subscribe --topic-arn {topic}"
            " --protocol email --notification-endpoint oncall@example.com",
        )


# -------------------------------------------------------------------------------------------------------------- command


def _progress(text: str) -> None:
    if sys.stderr.isatty():
        print(f"\r{text}", end="", file=sys.stderr, flush=True)  # noqa: T201 - a command speaks


def _end(remarks: Iterable[str], count: str) -> None:
    for line in ([""] if sys.stderr.isatty() else []) + list(remarks):
        print(line, file=sys.stderr)  # noqa: T201
    print(count)  # noqa: T201


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no time: say FROM=2026-11-22T08:00:00Z TO=2026-11-22T09:00:00Z"
        ) from None
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


def _queue(text: str) -> str:
    if not text:
        raise argparse.ArgumentTypeError("which one? say QUEUE=track|alert|…")
    return text


def main(arguments: list[str]) -> int:
    """Run a command; 1 if something remains to be done, 2 if nothing could be."""
    parser = argparse.ArgumentParser(prog="operate", description=__doc__.partition("\n")[0])
    parser.add_argument("--stack", default="meeting-agents")
    commands = parser.add_subparsers(dest="command", required=True)
    again = commands.add_parser("replay", help="announce again what was written down in a span of time")
    again.add_argument("--from", dest="start", type=_moment, required=True, metavar="TIME", help="2026-04-29T15:30:00Z")
    again.add_argument("--to", dest="end", type=_moment, required=True, metavar="TIME", help="exclusive")
    again.add_argument("--state", choices=[state.value for state in State], help="only what led to this state")
    again.add_argument("--dry-run", action="store_true", help="only count")
    back = commands.add_parser("redrive", help="give back what is in a dead-letter queue")
    back.add_argument("--queue", type=_queue, required=True, help="track, alert, …")
    commands.add_parser("verdicts", help="what became of every notification")
    commands.add_parser("subscribers", help="how many receive the alerts")
    asked = parser.parse_args(arguments)
    left = 0
    try:
        stack = Stack(asked.stack, boto3.Session())
        match asked.command:
            case "replay":
                left = replay(stack, asked.start, asked.end, asked.state, dry_run=asked.dry_run)
            case "redrive":
                left = redrive(stack, asked.queue)
            case "subscribers":
                subscribers(stack)
            case _:
                left = verdicts(stack)
    except (BotoCoreError, ClientError, httpx.HTTPError, UnknownQueue) as error:
        print(f"operate: {_hindrance(error)}", file=sys.stderr)  # noqa: T201
        return 2
    return 1 if left else 0


def _hindrance(error: Exception) -> str:
    """In one line what kept a command from its work, and what to do."""
    match error:
        case NoRegionError():
            return "no AWS region is known: say AWS_REGION=eu-central-1 or AWS_PROFILE=…"
        case NoCredentialsError():
            return "no AWS credentials are found: say AWS_PROFILE=…, or sign in"
        case ClientError() if error.operation_name in ("DescribeStacks", "ListStackResources"):
            message = error.response["Error"].get("Message", "")
            return f"the stack could not be read: {message}; say STACK=… and AWS_REGION=…"
        case _:
            return " ".join(str(error).split())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
