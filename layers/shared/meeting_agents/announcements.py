"""The lifecycle topic: one announcement for each new entry."""

from typing import TYPE_CHECKING

from meeting_agents.payloads import Announcement

if TYPE_CHECKING:
    from mypy_boto3_sns import SNSClient
    from mypy_boto3_sns.type_defs import MessageAttributeValueTypeDef

LARGEST = 256 * 1024
"""Bytes of one SNS message, attributes included."""
_ATTRIBUTES = 2 * 1024


class Announcements:
    """The topic that any subscriber may listen to, filtering on the message attributes.

    Attributes, all strings: `kind`, `verdict`, `state`; `data_center` and `account` where known; `cause` only where
    people are to be told.
    """

    def __init__(self, client: "SNSClient", topic_arn: str) -> None:
        self._client = client
        self._topic_arn = topic_arn

    def publish(self, announcement: Announcement) -> None:
        """Raises botocore's errors; publishing again is harmless, for the id stays."""
        message = announcement.model_dump_json()
        if len(message.encode()) > LARGEST - _ATTRIBUTES:
            reference = {"too_large": True, "read": f"/v1/meeting_agents/{announcement.subject}"}
            shorter = announcement.data.model_copy(update={"notification": reference})
            message = announcement.model_copy(update={"data": shorter}).model_dump_json()
        data = announcement.data
        values = {
            "kind": data.entry.kind,
            "verdict": data.entry.verdict,
            "state": data.state,
            "data_center": data.data_center,
            "account": data.account,
            "cause": data.cause,
        }
        attributes: dict[str, MessageAttributeValueTypeDef] = {
            name: {"DataType": "String", "StringValue": value} for name, value in values.items() if value
        }
        self._client.publish(TopicArn=self._topic_arn, Message=message, MessageAttributes=attributes)
