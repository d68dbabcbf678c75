"""The queue of announcements worth an alert: a batch of them becomes few messages to people."""

from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import batched
from typing import Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit
from botocore.exceptions import BotoCoreError, ClientError
from pydantic import ValidationError

from meeting_agents import VERSION, wiring
from meeting_agents.alerting.grouping import group_alerts
from meeting_agents.alerting.message import Alert, Links
from meeting_agents.announcement import Announcement
from meeting_agents.aws.journal import Journal
from meeting_agents.aws.keys import is_probe
from meeting_agents.aws.lease import Lease
from meeting_agents.aws.topics import AlertsTopic
from meeting_agents.domain.model import Entry, EntryType, Reason, ReasonCode
from meeting_agents.errors import MessageRejected, TopicUnavailable

logger = Logger(version=VERSION)
metrics = Metrics()

INITIAL_BACKOFF, MAX_BACKOFF = 15, 600
"""Seconds until what was not told is tried again: the first pause, which doubles each time, and the longest."""

wiring.make_ready(wiring.journal, wiring.alerts_topic)


@metrics.log_metrics
@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """A batch from the queue. What cannot be read or told is left to the queue, at last to its dead-letter queue."""
    records = {record["messageId"]: record for record in event["Records"]}
    messages: dict[str, Announcement] = {}
    for message_id, record in records.items():
        try:
            messages[message_id] = Announcement.model_validate_json(record["body"])
        except ValidationError:
            logger.error("announcement cannot be read", message_id=message_id)
    places = Links(wiring.settings().api_url, wiring.settings().dashboard_url)
    done: set[str] = set()
    try:
        untold = publish_alerts(
            list(messages.values()), wiring.journal(), wiring.alerts_topic(), wiring.lease("alert"), places
        )
        done = {message_id for message_id, announcement in messages.items() if announcement.id not in untold}
    finally:  # when telling ends with an error, too
        failed = sorted(records.keys() - done)
        if failed:  # to Lambda a batch that is given back is no error; to whoever waits to be told it is one
            metrics.add_metric("AlertsFailed", MetricUnit.Count, len(failed))
        _shorten_visibility([records[message_id] for message_id in failed])
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in failed]}


def publish_alerts(
    announcements: Sequence[Announcement], journal: Journal, topic: AlertsTopic, lease: Lease, places: Links
) -> set[str]:
    """Publish an alert of each announcement once, and note in each journal to how many; the ids of those untold.

    One copy of this function at a time looks, tells and notes, so that an announcement delivered twice is told once.
    The note follows the message: should the function die between the two, the queue delivers again and people are told
    twice, which is better than never. A probe goes the same way, but for the telling.
    """
    unique = {announcement.id: announcement for announcement in announcements}
    untold: set[str] = set()
    with lease.acquire():
        noted = journal.existing_keys([(announcement.subject, _key(announcement)) for announcement in unique.values()])
        news = [a for a in unique.values() if (a.subject, _key(a)) not in noted]
        alerts = group_alerts((a for a in news if not is_probe(a.subject)), places)
        subscribers = _subscribers(topic) if alerts else None
        for alert in alerts:
            try:
                topic.publish(alert.subject, alert.message, alert.attributes)
            except (TopicUnavailable, MessageRejected) as error:
                logger.error(
                    "people could not be told", code=error.code, detail=error.detail, agents=len(alert.announcements)
                )
                untold |= {announcement.id for announcement in alert.announcements}
            else:
                _record_alerted(
                    alert.announcements,
                    journal,
                    ReasonCode.ALERT_PUBLISHED,
                    "unknown" if subscribers is None else subscribers,
                )
                _count(alert, subscribers)
        _record_alerted([a for a in news if is_probe(a.subject)], journal, ReasonCode.PROBE_NOT_PUBLISHED)
    return untold


def _subscribers(topic: AlertsTopic) -> int | None:
    """Count those who get the alerts; none if that fails, for an alert matters more than its count."""
    try:
        return topic.subscribers()
    except TopicUnavailable as error:
        logger.warning("subscribers could not be counted", detail=error.detail)
        return None


def _record_alerted(
    announcements: Sequence[Announcement], journal: Journal, outcome: ReasonCode, subscribers: object = None
) -> None:
    for announcement in announcements:
        entry = Entry(
            key=_key(announcement),
            kind=EntryType.ALERTED,
            at=datetime.now(UTC),
            attempt=announcement.data.attempt,
            cause=announcement.data.cause,
            reason=Reason.of(outcome, incident=announcement.data.cause, subscribers=subscribers),
        )
        journal.append(announcement.subject, entry)


def _shorten_visibility(records: Sequence[dict[str, Any]]) -> None:
    """Let the queue hand these out again soon, instead of when their time is over in which they are ours alone."""
    for some in batched(records, 10, strict=False):  # as many as one call takes
        try:
            wiring.client("sqs").change_message_visibility_batch(
                QueueUrl=wiring.settings().alert_queue_url,
                Entries=[
                    {
                        "Id": str(number),
                        "ReceiptHandle": record["receiptHandle"],
                        "VisibilityTimeout": _backoff(int(record["attributes"]["ApproximateReceiveCount"])),
                    }
                    for number, record in enumerate(some)
                ],
            )
        except (ClientError, BotoCoreError) as error:  # then they come again later, by themselves
            logger.warning("the next try is late", kind=type(error).__name__, messages=len(records))
            return


def _backoff(tries: int) -> int:
    seconds: int = INITIAL_BACKOFF << (tries - 1)
    return min(seconds, MAX_BACKOFF)


def _count(alert: Alert, subscribers: int | None) -> None:
    now = datetime.now(UTC)
    metrics.add_metric("AlertsPublished", MetricUnit.Count, 1)
    metrics.add_metric("AgentsAlerted", MetricUnit.Count, len(alert.announcements))
    for announcement in alert.announcements:
        metrics.add_metric("TimeToAlert", MetricUnit.Seconds, (now - announcement.time).total_seconds())
    subjects = [announcement.subject for announcement in alert.announcements]
    known: Any = {"severity": alert.severity, "agents": len(subjects), "subjects": subjects, "subscribers": subscribers}
    if subscribers == 0:
        metrics.add_metric("AlertsWithoutSubscriber", MetricUnit.Count, 1)
        logger.error("alert published, and the alerts topic has no confirmed subscriber", **known)
    else:
        logger.info("alert published", **known)


def _key(announcement: Announcement) -> str:
    return f"alerted#{announcement.data.cause}#{announcement.data.entry.key}"
