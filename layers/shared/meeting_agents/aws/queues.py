"""The queues: messages about agents and groups, and the visibility timeout of messages that failed."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import batched
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools import Logger
from botocore.exceptions import BotoCoreError, ClientError

from meeting_agents.domain.groups import Group, Subject
from meeting_agents.errors import QueueUnavailable

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import SendMessageBatchRequestEntryTypeDef

logger = Logger(child=True)  # its lines have the fields of the function's own logger

MAX_BATCH = 10
"""Messages that one call changes."""
INITIAL_BACKOFF, MAX_BACKOFF = 15, 600
"""Seconds until a failed message is redelivered: the first pause, which doubles each time, and the longest."""


def send_groups(
    client: "Callable[[], SQSClient]", queue_url: str, groups: Iterable[Group], *, must_arrive: bool = False
) -> None:
    """Send groups to a queue: no agent of theirs may have news that leads to the alert, or to what is forwarded.

    The next sweep sends those that failed again; with `must_arrive` the error of one is raised. `client` is called only
    if there is a group.
    """
    for group in groups:
        try:
            client().send_message(QueueUrl=queue_url, MessageBody=_body(group))
        except (ClientError, BotoCoreError) as error:
            logger.warning("group not sent", kind=type(error).__name__, group=group.key)
            if must_arrive:
                raise QueueUnavailable("a queue did not take a group; try again") from error


def send_agents(client: "Callable[[], SQSClient]", queue_url: str, agent_ids: Sequence[str]) -> list[str]:
    """Send agents to the queue of alerts, and return those that were sent. `client` is called only if there is one."""
    sent: list[str] = []
    for batch in batched(agent_ids, MAX_BATCH, strict=False):
        messages = {str(number): agent_id for number, agent_id in enumerate(batch)}
        try:
            response = client().send_message_batch(
                QueueUrl=queue_url,
                Entries=[{"Id": number, "MessageBody": _body(agent_id)} for number, agent_id in messages.items()],
            )
        except (ClientError, BotoCoreError) as error:
            logger.warning("agents not sent", kind=type(error).__name__, agents=len(batch))
            continue
        sent += [messages[success["Id"]] for success in response.get("Successful", [])]
    return sent


def send_all(client: "SQSClient", queue_url: str, bodies: Sequence[str]) -> None:
    """Send messages to a queue. Raises `QueueUnavailable` unless it took them all."""
    for batch in batched(bodies, MAX_BATCH, strict=False):
        entries: list[SendMessageBatchRequestEntryTypeDef] = [
            {"Id": str(number), "MessageBody": body} for number, body in enumerate(batch)
        ]
        try:
            response = client.send_message_batch(QueueUrl=queue_url, Entries=entries)
        except (ClientError, BotoCoreError) as error:
            raise QueueUnavailable("a queue did not take a message; try again") from error
        if response.get("Failed"):
            raise QueueUnavailable("a queue did not take a message; try again")


def dead_letter(client: "SQSClient", queue_url: str, subject: Subject) -> None:
    """Send an agent or a group to a dead-letter queue, in the form in which its own queue takes it again."""
    try:
        client.send_message(QueueUrl=queue_url, MessageBody=_body(subject))
    except (ClientError, BotoCoreError) as error:
        raise QueueUnavailable("the dead-letter queue did not take a message; try again") from error


def subject_of(body: str) -> Subject:
    """Return the agent or the group that a message, or an announcement, is about. Raises `ValueError`."""
    match json.loads(body):
        case {"group": str(key)}:
            return Group.of_key(key)
        case {"subject": str(agent_id)}:
            return agent_id
    raise ValueError("the message names no agent and no group")


def _body(subject: Subject) -> str:
    return json.dumps({"group": subject.key} if isinstance(subject, Group) else {"subject": subject})


def shorten_visibility(
    client: "SQSClient", queue_url: str, records: Sequence[Mapping[str, Any]], *, longest: int = MAX_BACKOFF
) -> None:
    """Shorten the visibility timeout so that SQS redelivers these records of a Lambda event soon.

    `longest`: the bound of the pause, in seconds.
    """
    for batch in batched(records, MAX_BATCH, strict=False):
        try:
            client.change_message_visibility_batch(
                QueueUrl=queue_url,
                Entries=[
                    {
                        "Id": str(number),
                        "ReceiptHandle": record["receiptHandle"],
                        "VisibilityTimeout": _backoff(int(record["attributes"]["ApproximateReceiveCount"]), longest),
                    }
                    for number, record in enumerate(batch)
                ],
            )
        except (ClientError, BotoCoreError) as error:  # SQS redelivers them after the queue's own timeout
            logger.warning("visibility timeout not shortened", kind=type(error).__name__, messages=len(records))
            return


def _backoff(receive_count: int, longest: int) -> int:
    return min(INITIAL_BACKOFF << min(receive_count - 1, 10), longest)
