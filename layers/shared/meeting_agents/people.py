"""The alerts topic: where people are told."""

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from meeting_agents.errors import TopicUnavailable

if TYPE_CHECKING:
    from mypy_boto3_sns import SNSClient
    from mypy_boto3_sns.type_defs import MessageAttributeValueTypeDef


class People:
    """Whoever subscribed to the alerts topic, by whichever protocol, filtering on the message attributes."""

    def __init__(self, client: "SNSClient", topic_arn: str) -> None:
        self._client = client
        self._topic_arn = topic_arn

    def tell(self, subject: str, texts: str, attributes: Mapping[str, Sequence[str]]) -> None:
        """Publish one message. Raises botocore's errors; nothing keeps a second call from telling again.

        `texts`: JSON with a text for each protocol. `severity` is one string, every other attribute a list, so that a
        filter reads the same whether a message is about one agent or about many.
        """
        held: dict[str, MessageAttributeValueTypeDef] = {
            name: {"DataType": "String", "StringValue": values[0]}
            if name == "severity"
            else {"DataType": "String.Array", "StringValue": json.dumps(list(values), ensure_ascii=False)}
            for name, values in attributes.items()
        }
        self._client.publish(
            TopicArn=self._topic_arn,
            Subject=subject,
            Message=texts,
            MessageStructure="json",
            MessageAttributes=held,
        )

    def subscribers(self) -> int:
        """Count the confirmed subscribers: without one SNS takes every message and delivers none.

        Raises `TopicUnavailable`.
        """
        try:
            answer = self._client.get_topic_attributes(TopicArn=self._topic_arn)
        except ClientError as error:
            code = error.response.get("Error", {}).get("Code", "")
            raise TopicUnavailable(f"the alerts topic answered {code}") from error
        except BotoCoreError as error:
            raise TopicUnavailable("the alerts topic did not answer") from error
        return int(answer["Attributes"]["SubscriptionsConfirmed"])
