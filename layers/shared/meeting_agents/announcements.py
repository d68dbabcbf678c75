"""The lifecycle topic: one announcement for each new entry."""

from collections.abc import Collection, Iterator, Sequence
from typing import TYPE_CHECKING
from urllib.parse import quote

from botocore.exceptions import BotoCoreError, ClientError

from meeting_agents.deadlines import Graces, deadline
from meeting_agents.errors import TopicUnavailable
from meeting_agents.inbox import is_probe
from meeting_agents.journal import Line
from meeting_agents.lifecycle import Step
from meeting_agents.views import Announcement

if TYPE_CHECKING:
    from mypy_boto3_sns import SNSClient
    from mypy_boto3_sns.type_defs import MessageAttributeValueTypeDef, PublishBatchRequestEntryTypeDef

LARGEST = 256 * 1024
"""Bytes of what one call publishes, attributes included."""
MOST = 10
"""Messages that one call publishes. https://docs.aws.amazon.com/sns/latest/api/API_PublishBatch.html."""
_ATTRIBUTES = 4 * 1024
"""Bytes that the attributes of one message may take."""


def announced(
    agent_id: str, told: Sequence[Step], lines: Sequence[Line], graces: Graces, keys: Collection[str]
) -> list[Announcement]:
    """The announcements of the entries with these keys, as they were, or would have been, made the first time.

    `told`: the agent's whole timeline, for an announcement says what its entry did; `lines`: what that is made of.
    """
    raw = {line.entry.key: line.raw for line in lines}
    return [
        Announcement.of(agent_id, step, raw[step.entry.key], deadline(step.after, graces))
        for step in told
        if step.entry.key in keys
    ]


def again(announcement: Announcement) -> Announcement:
    """The same, marked as one that somebody asked for again."""
    return announcement.model_copy(update={"data": announcement.data.model_copy(update={"replayed": True})})


class Announcements:
    """The topic that any subscriber may listen to, filtering on the message attributes.

    Attributes, all strings: `kind`, `verdict`, `state`; `data_center` and `account` where known; `cause` only where
    people are to be told; `replayed` (`true`) only where somebody asked to be told again; `probe` (`true`) only where
    the system tries itself.
    """

    def __init__(self, client: "SNSClient", topic_arn: str) -> None:
        self._client = client
        self._topic_arn = topic_arn

    def publish(self, announcements: Sequence[Announcement]) -> None:
        """Publish them; the topic keeps no order.

        Raises `TopicUnavailable`; publishing again is harmless, for the ids stay.
        """
        for entries in _batched(announcements):
            try:
                answer = self._client.publish_batch(TopicArn=self._topic_arn, PublishBatchRequestEntries=entries)
            except ClientError as error:
                code = error.response.get("Error", {}).get("Code", "")
                if code.startswith("Invalid"):
                    raise  # it will not be taken next time either
                raise TopicUnavailable(f"the lifecycle topic answered {code}; try again") from error
            except BotoCoreError as error:
                raise TopicUnavailable("the lifecycle topic did not answer; try again") from error
            for failed in answer.get("Failed", []):
                if failed["SenderFault"]:
                    raise ValueError(f"the lifecycle topic refused an announcement: {failed['Code']}")
                raise TopicUnavailable(f"the lifecycle topic answered {failed['Code']}; try again")


def _batched(announcements: Sequence[Announcement]) -> "Iterator[list[PublishBatchRequestEntryTypeDef]]":
    """As many to a call as it may carry."""
    entries: list[PublishBatchRequestEntryTypeDef] = []
    size = 0
    for announcement in announcements:
        message = _fitting(announcement)
        length = len(message.encode()) + _ATTRIBUTES
        if entries and (len(entries) == MOST or size + length > LARGEST):
            yield entries
            entries, size = [], 0
        entries.append({"Id": str(len(entries)), "Message": message, "MessageAttributes": _attributes(announcement)})
        size += length
    if entries:
        yield entries


def _fitting(announcement: Announcement) -> str:
    """The announcement as text; where that is too long, with a reference in place of Cronofy's own words."""
    message = announcement.model_dump_json()
    if len(message.encode()) <= LARGEST - _ATTRIBUTES:
        return message
    key = quote(announcement.data.entry.key, safe="")
    reference = {"too_large": True, "read": f"/v1/meeting_agents/{announcement.subject}/notifications/{key}"}
    shorter = announcement.data.model_copy(update={"notification": reference, "resources": (), "failures": ()})
    return announcement.model_copy(update={"data": shorter}).model_dump_json()


def _attributes(announcement: Announcement) -> "dict[str, MessageAttributeValueTypeDef]":
    told = announcement.data
    values = {
        "kind": told.entry.kind,
        "verdict": told.entry.verdict,
        "state": told.state,
        "data_center": told.data_center,
        "account": told.account,
        "cause": told.cause,
        "replayed": "true" if told.replayed else "",
        "probe": "true" if is_probe(announcement.subject) else "",
    }
    return {name: {"DataType": "String", "StringValue": value} for name, value in values.items() if value}
