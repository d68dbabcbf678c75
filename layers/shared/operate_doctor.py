"""`make doctor`: says in one screen if a deployed stack will work. Each check that fails comes with its cure."""

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from textwrap import fill
from typing import Any
from uuid import uuid4

import httpx
from botocore.exceptions import BotoCoreError, ClientError

from meeting_agents import VERSION
from meeting_agents.alerting.text import format_duration
from meeting_agents.aws.keys import ENTRY_PREFIX, PROBE_PREFIX, RECORD, group
from meeting_agents.cronofy.payloads import HOSTS, write_notification
from meeting_agents.cronofy.signature import HEADER, sign
from meeting_agents.domain.groups import Group
from meeting_agents.domain.model import EntryType, IncidentType
from meeting_agents.errors import MissingSecret
from operate_channels import failing, stored_channels
from operate_stack import WIDTH, Stack, clear_progress, show_progress

MARGIN = 60.0
"""Seconds that a probe may take besides the alerts' group wait."""
POLL = 1.0
SUFFIX = "DeadLetterQueue"


class Health(StrEnum):
    """The result of a check."""

    OK = "ok"
    RED = "RED"
    """It does not work, and alerts may not come."""
    UNKNOWN = "?"
    """It could not be checked."""


@dataclass(frozen=True)
class Finding:
    """The result of one check. `cure`: the next step, of one that is red; commands on lines of their own."""

    health: Health
    text: str
    cure: str = ""


type Check = Callable[[Stack], Iterator[Finding]]


def doctor(stack: Stack) -> int:
    """Print the result of each check. Return the number of those that are red."""
    title = f"{stack.description['StackName']} in {stack.session.region_name}"
    print(f"{title}, {datetime.now(UTC):%Y-%m-%d %H:%M} UTC\n")  # noqa: T201 - a command prints
    findings = [finding for title, check in CHECKS.items() for finding in _examined(title, check, stack)]
    red = sum(finding.health is Health.RED for finding in findings)
    unknown = sum(finding.health is Health.UNKNOWN for finding in findings)
    open_ = f", {unknown} could not be checked" if unknown else ""
    verdict = "It will work" if not red + unknown else f"{red} of {len(findings)} red{open_}"
    print(f"\n{verdict}.")  # noqa: T201 - a command prints
    return red


def _examined(title: str, check: Check, stack: Stack) -> list[Finding]:
    """Make a check and print its result; a permission that is missing makes it unknown."""
    show_progress(f"  ..    {title}")
    try:
        findings = list(check(stack))
    except ClientError as error:
        code, operation = error.response["Error"].get("Code", ""), error.operation_name
        findings = [Finding(Health.UNKNOWN, f"not checked: {operation} answered {code}")]
    except (BotoCoreError, httpx.HTTPError) as error:
        findings = [Finding(Health.UNKNOWN, f"not checked: {' '.join(str(error).split())}")]
    clear_progress()
    for finding in findings:
        start = f"  {finding.health:<4}  {title:<12}  "
        print(fill(start + finding.text, WIDTH, subsequent_indent=" " * len(start)))  # noqa: T201 - a command prints
        for line in finding.cure.splitlines():
            print(_indented(line, len(start)))  # noqa: T201 - a command prints
        title = ""
    return findings


def _indented(line: str, width: int) -> str:
    """Return a line of a cure. A command is not wrapped, so that it can be pasted."""
    if line.startswith(("aws ", "make ", "  ")):
        return f"{' ' * width}{line}"
    return fill(line, WIDTH, initial_indent=" " * width, subsequent_indent=" " * width)


# --------------------------------------------------------------------------------------------------------------- checks


def _version(stack: Stack) -> Iterator[Finding]:
    deployed = stack.outputs.get("Version", "")
    status = stack.description["StackStatus"]
    if not status.endswith("_COMPLETE") or "ROLLBACK" in status:
        cure = "Read the stack's events in CloudFormation, then deploy again."
        yield Finding(Health.RED, f"the stack is {status}", cure)
    if deployed == VERSION:
        yield Finding(Health.OK, f"{deployed}, as in this folder")
    else:
        yield Finding(Health.RED, f"{deployed or 'unknown'} is deployed, {VERSION} is in this folder", "make deploy")


def _secrets(stack: Stack) -> Iterator[Finding]:
    value = _stored_secrets(stack)
    home = stack.parameters.get("DefaultDataCenter", "us")
    needed = _data_centers_of_accounts(stack) | {home: "the default data center"}
    complete, incomplete = [], []
    for data_center in sorted({*needed, *value}):
        application = value.get(data_center)
        has_id = isinstance(application, dict) and bool(application.get("client_id"))
        count = len(_secrets_of(application))
        if count and has_id:
            complete.append(data_center + (f" ({count} secrets)" if count > 1 else ""))
            continue
        missing = " and ".join(name for name, has in (("client id", has_id), ("client secret", count)) if not has)
        reason = f", {needed[data_center]}" if data_center in needed else ""
        incomplete.append((data_center, f"{data_center}{reason}: {missing} missing"))
    if complete:
        yield Finding(Health.OK, f"client id and secret for {', '.join(complete)}")
    if incomplete:
        commands = "\n".join(f"make secret DATA_CENTER={name} STACK={stack.name}" for name, _ in incomplete)
        yield Finding(
            Health.RED,
            f"{'; '.join(text for _, text in incomplete)}. Callbacks are refused there",
            f"Type what Cronofy's developer dashboard shows for your application:\n{commands}",
        )


def _secrets_of(application: Any) -> list[str]:
    """Return the client secrets of a data center, none if the value is not as it should be."""
    secrets = application.get("client_secrets") if isinstance(application, dict) else None
    return [each for each in secrets if isinstance(each, str) and each] if isinstance(secrets, list) else []


def _stored_secrets(stack: Stack) -> dict[str, Any]:
    arn = stack.outputs["CronofySecretArn"]
    text = stack.session.client("secretsmanager").get_secret_value(SecretId=arn)["SecretString"]
    try:
        value = json.loads(text)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def _data_centers_of_accounts(stack: Stack) -> dict[str, str]:
    """Return the data centers of registered accounts, each with a reason why its secret is needed."""
    table = stack.resources.get("AccountsTable", "")
    pages = (
        stack.session.client("dynamodb")
        .get_paginator("scan")
        .paginate(TableName=table, ProjectionExpression="data_center")
    )
    names = {item["data_center"]["S"] for page in pages for item in page["Items"] if "data_center" in item}
    return dict.fromkeys(names, "with registered accounts")


def _subscribers(stack: Stack) -> Iterator[Finding]:
    topic = stack.outputs["AlertsTopicArn"]
    attributes = stack.session.client("sns").get_topic_attributes(TopicArn=topic)["Attributes"]
    confirmed, pending = (int(attributes.get(f"Subscriptions{status}", 0)) for status in ("Confirmed", "Pending"))
    waiting = f", {pending} not confirmed yet" if pending else ""
    if confirmed:
        yield Finding(Health.OK, f"{confirmed} confirmed{waiting}")
    elif pending:
        yield Finding(Health.RED, f"none confirmed, {pending} pending", "Follow the link in the e-mail from AWS.")
    else:
        yield Finding(
            Health.RED,
            "none: alerts reach no one",
            "Subscribe an address, and follow the link in the e-mail from AWS:\n"
            f"aws sns subscribe --protocol email --notification-endpoint oncall@example.com \\\n  --topic-arn {topic}",
        )


def _round_trip(stack: Stack) -> Iterator[Finding]:
    """Send a notification as Cronofy does, and wait for the alert; it is journalled, and not published."""
    secrets = [secret for application in _stored_secrets(stack).values() for secret in _secrets_of(application)]
    if not secrets:
        cure = f"Store one, as above, then:\nmake doctor STACK={stack.name}"
        yield Finding(Health.RED, "not sent: there is no client secret to sign with", cure)
        return
    agent_id = f"{PROBE_PREFIX}doctor-{uuid4().hex[:12]}"
    body = write_notification(EntryType.FAILED, "probe", f"Probe by hand of {datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC")
    address = f"{stack.outputs['ApiUrl']}/webhooks/cronofy/{agent_id}"
    headers = {HEADER: sign(body, secrets[:1]), "Content-Type": "application/json"}
    began = time.monotonic()
    try:
        answer = str(httpx.post(address, content=body, headers=headers, timeout=30.0).status_code)
    except httpx.HTTPError as error:
        answer = type(error).__name__
    answered = time.monotonic() - began
    if answer != "200":
        cure = "401: a new secret is read within a minute. Else read the log of WebhookFunction, and check PublicUrl."
        yield Finding(Health.RED, f"POST {stack.outputs['ApiUrl']}/webhooks/cronofy/… : {answer}", cure)
        return
    wait = float(stack.parameters.get("AlertGroupWait", 30)) + MARGIN
    while time.monotonic() < began + wait:
        if "alerted" in _kinds(stack, agent_id):
            took = time.monotonic() - began
            yield Finding(Health.OK, f"callback answered in {answered:.1f} s, its alert decided after {took:.0f} s")
            return
        show_progress(f"  ..    Round trip    {time.monotonic() - began:.0f} of at most {wait:.0f} s")
        time.sleep(POLL)
    function = "AlertFunction" if RECORD in _kinds(stack, agent_id) else "TrackFunction"
    yield Finding(
        Health.RED,
        f"callback answered in {answered:.1f} s, and no alert followed within {wait:.0f} s",
        f"Read the log of {function}, and look at the alarms and queues below.",
    )


def _kinds(stack: Stack, agent_id: str) -> set[str]:
    """Return the kinds of an agent's entries, and `record` if its record is stored."""
    condition: dict[str, Any] = {
        "KeyConditionExpression": "pk = :pk",
        "ExpressionAttributeValues": {":pk": {"S": agent_id}},
    }
    items = {item["sk"]["S"]: item for item in stack.query(**condition, ConsistentRead=True)}
    kinds = {item["kind"]["S"] for key, item in items.items() if key.startswith(ENTRY_PREFIX) and "kind" in item}
    return kinds | ({RECORD} & items.keys())


def _channels(stack: Stack) -> Iterator[Finding]:
    if "ChannelsSecretArn" not in stack.outputs:
        yield Finding(Health.OK, "off: alerts go to the subscribers of the alerts topic alone")
        return
    try:
        stored = stored_channels(stack)
    except MissingSecret as error:
        yield Finding(Health.RED, error.detail, "CHANNELS.md has an example of each kind.")
        return
    for name, problem in stored.problems.items():
        yield Finding(Health.RED, f"{name}: {problem}", "CHANNELS.md has an example of each kind.")
    failures = {channel.name: failing(stack, channel.name) for channel in stored.channels}
    for name, failure in failures.items():
        if failure:
            cure = f"Correct it there or in the secret, then:\nmake channel-test NAME={name} STACK={stack.name}"
            yield Finding(Health.RED, f"{name} {failure}", cure)
    working = [f"{channel.name} ({channel.kind})" for channel in stored.channels if not failures[channel.name]]
    if working or not (stored.channels or stored.problems):
        yield Finding(Health.OK, ", ".join(working) or "on, and none is stored yet: CHANNELS.md says how")


def _alarms(stack: Stack) -> Iterator[Finding]:
    names = sorted(name for logical, name in stack.resources.items() if logical.endswith("Alarm"))
    client = stack.session.client("cloudwatch")
    pages = [client.describe_alarms(AlarmNames=names[at : at + 100]) for at in range(0, len(names), 100)]
    alarms = [alarm for page in pages for alarm in page["MetricAlarms"]]
    logical = {name: each for each, name in stack.resources.items()}
    ringing = [alarm for alarm in alarms if alarm["StateValue"] == "ALARM"]
    for alarm in ringing:
        yield Finding(Health.RED, logical[alarm["AlarmName"]], alarm.get("AlarmDescription", ""))
    if not ringing:
        yield Finding(Health.OK, f"none of {len(alarms)} in ALARM")


def _queues(stack: Stack) -> Iterator[Finding]:
    sqs = stack.session.client("sqs")
    names = sorted(logical for logical in stack.resources if logical.endswith(SUFFIX))
    is_empty = True
    for name in names:
        url = stack.resources[name]
        answer = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"])
        count = int(answer["Attributes"]["ApproximateNumberOfMessages"])
        if count:
            is_empty = False
            queue = name.removesuffix(SUFFIX).lower()
            alarm = "Its alarm says what to fix first."
            text = f"{count} message{'' if count == 1 else 's'} in {name}"
            yield Finding(Health.RED, text, f"{alarm}\nmake redrive QUEUE={queue} STACK={stack.name}")
    if is_empty:
        yield Finding(Health.OK, f"all {len(names)} empty")


def _callbacks(stack: Stack) -> Iterator[Finding]:
    client, heard = stack.session.client("dynamodb"), []
    for data_center in HOSTS:
        key = group(Group(IncidentType.CALLBACKS_MISSING, data_center).key)
        item = client.get_item(TableName=stack.outputs["AgentsTableName"], Key=key).get("Item", {})
        if "heard_at" in item:
            at = datetime.fromisoformat(item["heard_at"]["S"])
            heard.append(f"{data_center} {format_duration(datetime.now(UTC) - at)} ago")
    yield Finding(Health.OK, f"last heard: {', '.join(heard)}" if heard else "none yet; the first agent brings them")


CHECKS: dict[str, Check] = {
    "Version": _version,
    "Secrets": _secrets,
    "Subscribers": _subscribers,
    "Channels": _channels,
    "Round trip": _round_trip,
    "Alarms": _alarms,
    "Dead letters": _queues,
    "Callbacks": _callbacks,
}
"""In the order in which an operator sets a stack up."""
