"""The two SNS topics: alerts to people, and the lifecycle of every agent."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from meeting_agents.aws.topic_message import MAX_ATTRIBUTES_BYTES, MAX_BATCH, MAX_BATCH_BYTES, Message
from meeting_agents.errors import MessageRejected, TopicUnavailable

if TYPE_CHECKING:
    from mypy_boto3_sns import SNSClient
    from mypy_boto3_sns.type_defs import MessageAttributeValueTypeDef, PublishBatchRequestEntryTypeDef


class AlertsTopic:
    """The topic of alerts, with any number of subscribers by any protocol, filtering on the message attributes."""

    def __init__(self, client: "SNSClient", topic_arn: str) -> None:
        self._client = client
        self._topic_arn = topic_arn

    def publish(self, subject: str, texts: str, attributes: Mapping[str, str | Sequence[str]]) -> None:
        """Publish one message, again if called again. Raises `TopicUnavailable` and `MessageRejected`.

        `texts`: JSON with a text for each protocol. An attribute that can have several values is a list even if it has
        one, so that a filter reads the same whether a message is about one agent or about many.
        """
        typed: dict[str, MessageAttributeValueTypeDef] = {
            name: {"DataType": "String", "StringValue": value}
            if isinstance(value, str)
            else {"DataType": "String.Array", "StringValue": json.dumps(list(value), ensure_ascii=False)}
            for name, value in attributes.items()
        }
        with _topic_errors("alerts"):
            self._client.publish(
                TopicArn=self._topic_arn,
                Subject=subject,
                Message=texts,
                MessageStructure="json",
                MessageAttributes=typed,
            )

    def subscribers(self) -> int:
        """Count the confirmed subscribers: without one, SNS takes every message and delivers none.

        Raises `TopicUnavailable` and `MessageRejected`.
        """
        with _topic_errors("alerts"):
            answer = self._client.get_topic_attributes(TopicArn=self._topic_arn)
        return int(answer["Attributes"]["SubscriptionsConfirmed"])


class LifecycleTopic:
    """The topic of announcements."""

    def __init__(self, client: "SNSClient", topic_arn: str) -> None:
        self._client = client
        self._topic_arn = topic_arn

    def publish(self, messages: Iterable[Message]) -> None:
        """Publish messages in their order. Raises `TopicUnavailable` and `MessageRejected`."""
        for entries in _batches(messages):
            with _topic_errors("lifecycle"):
                answer = self._client.publish_batch(TopicArn=self._topic_arn, PublishBatchRequestEntries=entries)
            for failed in answer.get("Failed", []):
                raise _topic_error("lifecycle", failed["Code"], is_ours=failed["SenderFault"])


def _batches(messages: Iterable[Message]) -> "Iterator[list[PublishBatchRequestEntryTypeDef]]":
    """Put as many messages into a call as it may carry."""
    entries: list[PublishBatchRequestEntryTypeDef] = []
    size = 0
    for message in messages:
        length = len(message.text.encode()) + MAX_ATTRIBUTES_BYTES
        if entries and (len(entries) == MAX_BATCH or size + length > MAX_BATCH_BYTES):
            yield entries
            entries, size = [], 0
        attributes: dict[str, MessageAttributeValueTypeDef] = {
            name: {"DataType": "String", "StringValue": value} for name, value in message.attributes.items()
        }
        entries.append({"Id": str(len(entries)), "Message": message.text, "MessageAttributes": attributes})
        size += length
    if entries:
        yield entries


@contextmanager
def _topic_errors(topic: str) -> Iterator[None]:
    """Turn botocore's errors into ours."""
    try:
        yield
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "")
        raise _topic_error(topic, code, is_ours=code.startswith("Invalid")) from error
    except BotoCoreError as error:
        raise TopicUnavailable(f"the {topic} topic did not answer; try again") from error


def _topic_error(topic: str, code: str, *, is_ours: bool) -> TopicUnavailable | MessageRejected:
    if is_ours:
        return MessageRejected(f"the {topic} topic rejected a message ({code}), and will do so again")
    return TopicUnavailable(f"the {topic} topic answered {code}; try again")
