"""The SNS topics: alerts for people, the lifecycle of every agent, and the changes of incidents."""

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from meeting_agents.aws.topic_message import MAX_ATTRIBUTES_BYTES, MAX_BATCH, MAX_BATCH_BYTES, Attributes, Message
from meeting_agents.errors import MessageRejected, TopicUnavailable

if TYPE_CHECKING:
    from mypy_boto3_sns import SNSClient
    from mypy_boto3_sns.type_defs import MessageAttributeValueTypeDef, PublishBatchRequestEntryTypeDef


class AlertsTopic:
    """The topic of alerts. Subscribers use any protocol and filter on the message attributes."""

    def __init__(self, client: "SNSClient", topic_arn: str) -> None:
        self._client = client
        self._topic_arn = topic_arn

    def publish(self, subject: str, texts: str, attributes: Attributes) -> None:
        """Publish one message. Raises `TopicUnavailable` and `MessageRejected`.

        `texts`: JSON with a text for each protocol. An attribute that can have several values is always a list, so that
        a filter is the same for a message about one agent and about many.
        """
        with _topic_errors("alerts"):
            self._client.publish(
                TopicArn=self._topic_arn,
                Subject=subject,
                Message=texts,
                MessageStructure="json",
                MessageAttributes=_typed(attributes),
            )

    def subscribers(self) -> int:
        """Count the confirmed subscribers. Without one, SNS accepts every message and delivers none.

        Raises `TopicUnavailable` and `MessageRejected`.
        """
        with _topic_errors("alerts"):
            response = self._client.get_topic_attributes(TopicArn=self._topic_arn)
        return int(response["Attributes"]["SubscriptionsConfirmed"])


class IncidentsTopic:
    """The topic of changes of incidents, one message for each."""

    def __init__(self, client: "SNSClient", topic_arn: str) -> None:
        self._client = client
        self._topic_arn = topic_arn

    def publish(self, text: str, attributes: Attributes) -> None:
        """Publish one change. Raises `TopicUnavailable` and `MessageRejected`."""
        with _topic_errors("incidents"):
            self._client.publish(TopicArn=self._topic_arn, Message=text, MessageAttributes=_typed(attributes))


class LifecycleTopic:
    """The topic of announcements."""

    def __init__(self, client: "SNSClient", topic_arn: str) -> None:
        self._client = client
        self._topic_arn = topic_arn

    def publish(self, messages: Iterable[Message]) -> None:
        """Publish messages in order. Raises `TopicUnavailable` and `MessageRejected`."""
        for entries in _batches(messages):
            with _topic_errors("lifecycle"):
                response = self._client.publish_batch(TopicArn=self._topic_arn, PublishBatchRequestEntries=entries)
            for failure in response.get("Failed", []):
                raise _topic_error("lifecycle", failure["Code"], is_permanent=failure["SenderFault"])


def _typed(attributes: Attributes) -> "dict[str, MessageAttributeValueTypeDef]":
    """Return attributes as SNS takes them. A list matches a filter that one of its values matches."""
    return {
        name: {"DataType": "String", "StringValue": value}
        if isinstance(value, str)
        else {"DataType": "String.Array", "StringValue": json.dumps(list(value), ensure_ascii=False)}
        for name, value in attributes.items()
    }


def _batches(messages: Iterable[Message]) -> "Iterator[list[PublishBatchRequestEntryTypeDef]]":
    """Group messages into calls, each as large as the limits allow."""
    entries: list[PublishBatchRequestEntryTypeDef] = []
    size = 0
    for message in messages:
        length = len(message.text.encode()) + MAX_ATTRIBUTES_BYTES
        if entries and (len(entries) == MAX_BATCH or size + length > MAX_BATCH_BYTES):
            yield entries
            entries, size = [], 0
        attributes = _typed(message.attributes)
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
        raise _topic_error(topic, code, is_permanent=code.startswith("Invalid")) from error
    except BotoCoreError as error:
        raise TopicUnavailable(f"the {topic} topic did not answer; try again") from error


def _topic_error(topic: str, code: str, *, is_permanent: bool) -> TopicUnavailable | MessageRejected:
    if is_permanent:
        return MessageRejected(f"the {topic} topic rejected a message ({code}), and will reject it again")
    return TopicUnavailable(f"the {topic} topic answered {code}; try again")
