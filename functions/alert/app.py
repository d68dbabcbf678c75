"""The queue of agents and groups that may owe alerts: a batch of them becomes few messages."""

from datetime import UTC, datetime
from typing import Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

from meeting_agents import VERSION, wiring
from meeting_agents.alerting.group_alert import GroupAlert
from meeting_agents.aws.lease import Lease
from meeting_agents.aws.queues import shorten_visibility, subject_of
from meeting_agents.domain.groups import Group, Subject
from meeting_agents.domain.model import IncidentType
from meeting_agents.publishing import Published, Publisher

logger = Logger(version=VERSION)
metrics = Metrics()

wiring.make_ready(wiring.journal, wiring.alerts_topic)


@metrics.log_metrics
@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Publish the alerts of a batch. Failed messages stay in the queue, and move to its dead-letter queue at last."""
    records = {record["messageId"]: record for record in event["Records"]}
    subjects: dict[str, Subject] = {}
    for message_id, record in records.items():
        try:
            subjects[message_id] = subject_of(record["body"])
        except ValueError:
            logger.error("message not readable", message_id=message_id)
    links = wiring.links()
    silences, event_triggers = wiring.silences(), wiring.event_triggers()
    publisher = Publisher(wiring.journal(), wiring.groups(), wiring.alerts_topic(), links, event_triggers, silences)
    done: set[str] = set()
    try:
        failed_subjects = publish_alerts(set(subjects.values()), publisher, wiring.lease("alert"))
        done = {message_id for message_id, subject in subjects.items() if subject not in failed_subjects}
    finally:  # an error fails the whole batch, which is redelivered soon, too
        failed = sorted(records.keys() - done)
        if failed:  # Lambda counts a batch that is returned to the queue as a success
            metrics.add_metric("AlertsFailed", MetricUnit.Count, len(failed))
            queue_url = wiring.settings().alert_queue_url
            shorten_visibility(wiring.client("sqs"), queue_url, [records[message_id] for message_id in failed])
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in failed]}


def publish_alerts(subjects: set[Subject], publisher: Publisher, lease: Lease) -> set[Subject]:
    """Publish the alerts about these agents and groups. Return those whose alerts failed.

    Under the lease one copy of this function at a time reads, publishes and journals.
    """
    groups = {subject for subject in subjects if isinstance(subject, Group)}
    agent_ids = {subject for subject in subjects if isinstance(subject, str)}
    try:
        with lease.acquire():
            published = publisher.publish(agent_ids, groups)
    finally:
        _count(publisher.published)
    return published.failed_agents | published.failed_groups


def _count(published: Published) -> None:
    now, subscribers = datetime.now(UTC), published.subscribers
    for message, alerts in published.messages:
        if isinstance(message, GroupAlert) and message.is_resolved and message.group.type is IncidentType.DRILL:
            metrics.add_metric("DrillsUnheard", MetricUnit.Count, int(message.is_unheard))
        metrics.add_metric("AlertsPublished", MetricUnit.Count, 1)
        metrics.add_metric("AgentsAlerted", MetricUnit.Count, len(alerts))
        for alert in alerts:
            metrics.add_metric("TimeToAlert", MetricUnit.Seconds, (now - alert.owed_since).total_seconds())
        agent_ids = [alert.agent_id for alert in alerts]
        fields: dict[str, Any] = {"status": message.status, "severity": message.severity, "agents": len(agent_ids)}
        fields |= {"subjects": agent_ids, "subscribers": subscribers}
        if subscribers == 0:
            metrics.add_metric("AlertsWithoutSubscriber", MetricUnit.Count, 1)
            logger.error("alert published, and the alerts topic has no confirmed subscriber", **fields)
        else:
            logger.info("alert published", **fields)
