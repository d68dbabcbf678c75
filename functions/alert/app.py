"""The queue of announcements that cause an alert: a batch of them becomes few messages."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit
from pydantic import ValidationError

from meeting_agents import VERSION, wiring
from meeting_agents.alerting.grouping import group_alerts
from meeting_agents.alerting.message import Alert, Links, alert_of
from meeting_agents.announcement import Announcement
from meeting_agents.aws.journal import Journal
from meeting_agents.aws.keys import is_probe
from meeting_agents.aws.lease import Lease
from meeting_agents.aws.queues import shorten_visibility
from meeting_agents.aws.topics import AlertsTopic
from meeting_agents.domain.model import (
    Entry,
    EntryType,
)
from meeting_agents.domain.reasons import Reason, ReasonCode
from meeting_agents.errors import MessageRejected, TopicUnavailable

logger = Logger(version=VERSION)
metrics = Metrics()

wiring.make_ready(wiring.journal, wiring.alerts_topic)


@metrics.log_metrics
@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Publish the alerts of a batch. Failed messages stay in the queue, and move to its dead-letter queue at last."""
    records = {record["messageId"]: record for record in event["Records"]}
    announcements: dict[str, Announcement] = {}
    for message_id, record in records.items():
        try:
            announcements[message_id] = Announcement.model_validate_json(record["body"])
        except ValidationError:
            logger.error("announcement not readable", message_id=message_id)
    links = Links(wiring.settings().api_url, wiring.settings().dashboard_url)
    failed_ids: set[str] | None = None
    try:
        failed_ids = publish_alerts(
            list(announcements.values()), wiring.journal(), wiring.alerts_topic(), wiring.lease("alert"), links
        )
    finally:  # an error fails the whole batch, which is redelivered soon, too
        done = {
            message_id
            for message_id, announcement in announcements.items()
            if failed_ids is not None and announcement.id not in failed_ids
        }
        failed = sorted(records.keys() - done)
        if failed:  # Lambda counts a batch that is returned to the queue as a success
            metrics.add_metric("AlertsFailed", MetricUnit.Count, len(failed))
            queue_url = wiring.settings().alert_queue_url
            shorten_visibility(wiring.client("sqs"), queue_url, [records[message_id] for message_id in failed])
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in failed]}


def publish_alerts(
    announcements: Sequence[Announcement], journal: Journal, topic: AlertsTopic, lease: Lease, links: Links
) -> set[str]:
    """Publish the alerts of these announcements, each once, and journal them. Return the ids of the failed ones.

    Under the lease one copy of this function at a time reads, publishes and journals, so that an announcement that is
    delivered twice is published once. The entry follows the message: if the function dies between the two, the alert is
    published twice, which is better than never. The alert of a probe is journalled, but not published.
    """
    unique = {announcement.id: announcement for announcement in announcements}
    failed: set[str] = set()
    with lease.acquire():
        published = journal.existing_keys([(a.subject, _key(a)) for a in unique.values()])
        unpublished = [a for a in unique.values() if (a.subject, _key(a)) not in published]
        alerts = group_alerts((a for a in unpublished if not is_probe(a.subject)), links)
        subscribers = _subscribers(topic) if alerts else None
        for alert in alerts:
            try:
                topic.publish(alert.subject, alert.message, alert.attributes)
            except (TopicUnavailable, MessageRejected) as error:
                agents = len(alert.announcements)
                logger.error("alert not published", code=error.code, detail=error.detail, agents=agents)
                failed |= {announcement.id for announcement in alert.announcements}
            else:
                count = "unknown" if subscribers is None else str(subscribers)
                _record_alerted(alert.announcements, journal, ReasonCode.ALERT_PUBLISHED, count)
                _count(alert, subscribers)
        _record_alerted([a for a in unpublished if is_probe(a.subject)], journal, ReasonCode.PROBE_NOT_PUBLISHED)
    return failed


def _subscribers(topic: AlertsTopic) -> int | None:
    """Count the subscribers of the alerts; None if that fails, since an alert matters more than the count."""
    try:
        return topic.subscribers()
    except TopicUnavailable as error:
        logger.warning("subscribers could not be counted", detail=error.detail)
        return None


def _record_alerted(
    announcements: Sequence[Announcement], journal: Journal, outcome: ReasonCode, subscribers: str = ""
) -> None:
    for announcement in announcements:
        alert = alert_of(announcement)
        entry = Entry(
            key=_key(announcement),
            kind=EntryType.ALERTED,
            at=datetime.now(UTC),
            attempt=announcement.data.attempt,
            cause=alert.type,
            status=alert.status,
            reason=Reason.of(outcome, incident=alert.type, status=alert.status, subscribers=subscribers),
        )
        journal.append(announcement.subject, entry)


def _count(alert: Alert, subscribers: int | None) -> None:
    now = datetime.now(UTC)
    metrics.add_metric("AlertsPublished", MetricUnit.Count, 1)
    metrics.add_metric("AgentsAlerted", MetricUnit.Count, len(alert.announcements))
    for announcement in alert.announcements:
        metrics.add_metric("TimeToAlert", MetricUnit.Seconds, (now - announcement.time).total_seconds())
    agents = [announcement.subject for announcement in alert.announcements]
    fields: dict[str, Any] = {"status": alert.status, "severity": alert.severity, "agents": len(agents)}
    fields |= {"subjects": agents, "subscribers": subscribers}
    if subscribers == 0:
        metrics.add_metric("AlertsWithoutSubscriber", MetricUnit.Count, 1)
        logger.error("alert published, and the alerts topic has no confirmed subscriber", **fields)
    else:
        logger.info("alert published", **fields)


def _key(announcement: Announcement) -> str:
    alert = alert_of(announcement)
    return f"alerted#{alert.type}#{alert.status}#{announcement.data.entry.key}"
