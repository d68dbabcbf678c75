"""The queue of announcements worth an alert: a batch of them becomes one message to people."""

from datetime import UTC, datetime
from typing import Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit
from pydantic import ValidationError

from meeting_agents import wiring
from meeting_agents.alerts import Alert
from meeting_agents.journal import Journal
from meeting_agents.lifecycle import Entry, Kind
from meeting_agents.payloads import Announcement

logger = Logger()
metrics = Metrics()


@metrics.log_metrics
@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """A batch from the queue. What cannot be read is left to the dead-letter queue; the others are told."""
    announcements, unreadable = [], []
    for record in event["Records"]:
        try:
            announcements.append(Announcement.model_validate_json(record["body"]))
        except ValidationError:
            logger.error("announcement cannot be read", message_id=record["messageId"])
            unreadable.append({"itemIdentifier": record["messageId"]})
    tell(announcements, wiring.journal(), wiring.client("sns"), wiring.settings().alerts_topic_arn)
    return {"batchItemFailures": unreadable}


def tell(announcements: list[Announcement], journal: Journal, sns: Any, topic_arn: str) -> None:
    """Tell people of each announcement once, all in one message, and note in each journal that they were told.

    The note follows the message: should the function die between the two, the queue delivers again and people are told
    twice, which is better than never.
    """
    unique = {announcement.id: announcement for announcement in announcements}
    news = tuple(a for a in unique.values() if not journal.has(a.subject, _key(a)))
    if not news:
        return
    alert = Alert(news, wiring.settings().api_url)
    attributes = {"severity": str(alert.severity)}
    if len(alert.causes) == 1:
        attributes["cause"] = str(next(iter(alert.causes)))
    sns.publish(
        TopicArn=topic_arn,
        Subject=alert.subject,
        Message=alert.message,
        MessageStructure="json",
        MessageAttributes={name: {"DataType": "String", "StringValue": value} for name, value in attributes.items()},
    )
    for announcement in news:
        entry = Entry(
            key=_key(announcement),
            kind=Kind.ALERTED,
            at=datetime.now(UTC),
            attempt=announcement.data.attempt,
            reason=f"people were told: {announcement.data.cause}",
        )
        journal.append(announcement.subject, entry)
    metrics.add_metric("AlertsPublished", MetricUnit.Count, 1)
    metrics.add_metric("AgentsAlerted", MetricUnit.Count, len(news))
    logger.info("people told", severity=alert.severity, agents=len(news), subjects=[a.subject for a in news])


def _key(announcement: Announcement) -> str:
    return f"alerted#{announcement.data.cause}#{announcement.data.entry.key}"
