"""The commands for a deployed stack: `make agents`, `make retry`, `make doctor`, `make replay`, and the others.

Runs on the operator's machine with the operator's AWS credentials. It is no part of the layer, but stands beside
`meeting_agents` because it reads the same table. Each command shows its progress and ends with a count.
"""

import argparse
import json
import os
import re
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from itertools import batched
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import boto3
import httpx
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, NoRegionError

import operate_silences
from meeting_agents.aws.keys import ENTRY_PREFIX, RECORD, timestamp
from meeting_agents.domain.model import State, Verdict
from operate_doctor import doctor
from operate_export import export
from operate_incidents import acknowledge, find_agent, list_agents, list_incidents, retry, show_agent
from operate_stack import TIMEOUT, OperatorError, Stack, finish, nearest, show_progress

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


# --------------------------------------------------------------------------------------------------------------- replay


def replay(stack: Stack, start: datetime, end: datetime, state: str | None, *, dry_run: bool) -> int:
    """Announce the entries from `start` until before `end` again. Return the number of agents that failed."""
    agents = list(dict.fromkeys(item["pk"]["S"] for item in stack.entries(timestamp(start), timestamp(end))))
    parameters = {"from": timestamp(start), "to": timestamp(end), "state": state, "dry_run": str(dry_run).lower()}
    announced, failures = 0, []
    with httpx.Client(timeout=TIMEOUT) as client, ThreadPoolExecutor(CONCURRENT_REQUESTS) as pool:
        paths = (f"/v1/meeting_agents/{agent}/replay" for agent in agents)
        responses = pool.map(lambda path: stack.request(client, "POST", path, **parameters), paths)
        for done, (agent, response) in enumerate(zip(agents, responses, strict=True), 1):
            if response.status_code == 200:
                announced += len(response.json()["announcements"])
            else:
                failures.append(f"{agent}: {response.status_code} {response.text}")
            show_progress(f"{done} of {len(agents)} agents, {announced} announcements")
    verb = "would be announced" if dry_run else "were announced"
    finish(
        [f"not replayed: {failure}" for failure in failures],
        f"{announced} entries of {len(agents) - len(failures)} agents {verb} again",
    )
    return len(failures)


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
    finish(
        [f"in flight: {agent}: {count}" for agent, count in sorted(in_flight.items())[:20]],
        f"stored {stored.total():,} = {' + '.join(parts)} + in flight {sum(in_flight.values()):,}",
    )
    return sum(map(abs, in_flight.values()))


# -------------------------------------------------------------------------------------------------------------- command


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


def _states(text: str) -> list[str]:
    names = [each.value for each in State]
    states = [state for state in text.replace(",", " ").split() if state]
    for state in states:
        if state not in names:
            raise argparse.ArgumentTypeError(f"there is no state {state}: {nearest(state, names)}")
    return states


def _labels(text: str) -> list[str]:
    labels = [label.strip() for label in text.split(",") if label.strip()]
    for label in labels:
        if not all(label.partition(":")):
            raise argparse.ArgumentTypeError(f"{label!r} is not a label with its value: set LABEL=team:sales")
    return labels


def _named(example: str) -> Callable[[str], str]:
    """Return a type of an argument that must not be empty."""

    def check(text: str) -> str:
        if not text.strip():
            raise argparse.ArgumentTypeError(f"it is empty: set {example}")
        return text.strip()

    return check


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="operate", description=__doc__.partition("\n")[0])
    parser.add_argument("--stack", default="meeting-agents")
    parser.set_defaults(run=_run)
    commands = parser.add_subparsers(dest="command", required=True)
    agents = commands.add_parser("agents", help="list the open incidents, or the agents in a state")
    agents.add_argument("--state", dest="states", type=_states, default=[], help="failed, overdue, …; several: a,b")
    agents.add_argument("--account", default="", help="only agents of this account")
    agents.add_argument("--label", dest="labels", type=_labels, default=[], help="team:sales; several: team:a,region:b")
    agents.add_argument("--from", dest="start", type=_time, metavar="TIME", help="only meetings then or later")
    agent = commands.add_parser("agent", help="show an agent with its timeline")
    agent.add_argument("--id", default="", help="ma_…")
    agent.add_argument("--event", default="", help="with --calendar: the agent of a calendar event")
    agent.add_argument("--calendar", default="")
    agent.add_argument("--data-center", default="")
    acknowledgement = commands.add_parser("acknowledge", help="acknowledge an incident, which ends its reminders")
    acknowledgement.add_argument("--id", type=_named("ID=ma_…"), required=True, help="ma_…, or a group's dedup_key")
    acknowledgement.add_argument("--note", type=_named('NOTE="I call them"'), required=True)
    again = commands.add_parser("retry", help="have Cronofy asked again now")
    again.add_argument("--id", type=_named("ID=ma_…"), required=True, help="ma_…")
    commands.add_parser("doctor", help="say if the stack will work, and what to do if not")
    parameters = commands.add_parser("parameters", help="refuse parameters that the template does not have")
    parameters.add_argument("pairs", nargs="*", metavar="Name=value")
    replays = commands.add_parser("replay", help="announce the entries of a span of time again")
    replays.add_argument("--state", choices=[state.value for state in State], help="only entries that led to it")
    replays.add_argument(
        "--dry-run", type=_switch, nargs="?", const=True, default=False, metavar="yes|no", help="only count"
    )
    redrives = commands.add_parser("redrive", help="return the messages of a dead-letter queue to their source")
    redrives.add_argument("--queue", type=_queue, required=True, help="track, alert, …")
    operate_silences.add_commands(commands, _time, _named)
    exports = commands.add_parser("export", help="write the journals of the meetings of a span of time to a file")
    exports.add_argument("--file", type=_file, required=True, help="week.jsonl")
    for span in (replays, exports):
        example = "2026-04-29T15:30:00Z"
        span.add_argument("--from", dest="start", type=_time, required=True, metavar="TIME", help=example)
        span.add_argument("--to", dest="end", type=_time, required=True, metavar="TIME", help="exclusive")
    commands.add_parser("verdicts", help="count the notifications by verdict")
    return parser


def main(arguments: list[str]) -> int:
    """Run a command. Return 1 if something remains to be done, 2 if the command could not run."""
    options = _parser().parse_args(arguments)
    if options.command in ("replay", "export") and options.start >= options.end:
        _refuse(options.command, "FROM must be before TO")
    if options.command == "agent" and bool(options.id) == bool(options.event and options.calendar):
        _refuse("agent", "set ID=ma_…, or EVENT=… and CALENDAR=…")
    try:
        if options.command == "parameters":
            check_parameters(options.pairs)
            return 0
        stack = Stack(options.stack, boto3.Session(region_name=os.environ.get("AWS_REGION") or None))
        remaining = options.run(options, stack)
    except (BotoCoreError, ClientError, httpx.HTTPError, OSError, OperatorError) as error:
        print(f"operate: {_problem(error)}", file=sys.stderr)  # noqa: T201
        return 2
    return 1 if remaining else 0


def _refuse(command: str, problem: str) -> NoReturn:
    """End as `argparse` does with a wrong argument."""
    print(f"operate {command}: error: {problem}", file=sys.stderr)  # noqa: T201
    raise SystemExit(2)


def _run(options: argparse.Namespace, stack: Stack) -> int:
    """Run a command. Return the number of things that remain to be done."""
    match options.command:
        case "agents" if options.states:
            return list_agents(stack, options.states, options.account, options.labels, options.start)
        case "agents":
            list_incidents(stack, options.account, options.labels, options.start)
            return 0
        case "agent":
            found = options.id or find_agent(stack, options.calendar, options.event, options.data_center)
            return show_agent(stack, found)
        case "acknowledge":
            return acknowledge(stack, options.id, options.note)
        case "retry":
            return retry(stack, options.id)
        case "doctor":
            return doctor(stack)
        case "replay":
            return replay(stack, options.start, options.end, options.state, dry_run=options.dry_run)
        case "redrive":
            return redrive(stack, options.queue)
        case "export":
            export(stack, options.start, options.end, options.file)
            return 0
        case _:
            return verdicts(stack)


def check_parameters(pairs: Sequence[str]) -> None:
    """Raise `OperatorError` for a parameter that the template does not have: SAM leaves it out without a word."""
    text = (Path(__file__).parents[2] / "template.yaml").read_text(encoding="utf-8")
    section = text.partition("\nParameters:\n")[2].partition("\nConditions:\n")[0]
    known = re.findall(r"^  (\w+):$", section, re.MULTILINE)
    for pair in pairs:
        name, has_value, _ = pair.partition("=")
        if not has_value:
            raise OperatorError(f'{pair!r} is no Name=value: set PARAMETERS="Name=value Other=value"')
        if name not in known:
            raise OperatorError(f"the template has no parameter {name}: {nearest(name, known)}")


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
