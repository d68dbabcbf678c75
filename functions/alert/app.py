"""The queue of announcements of agents that owe alerts: a batch of them becomes few messages."""

from collections.abc import Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from itertools import repeat
from typing import Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit
from pydantic import ValidationError

from meeting_agents import VERSION, wiring
from meeting_agents.alerting.agent_alert import AgentAlert, provider_of
from meeting_agents.alerting.grouping import group_alerts
from meeting_agents.alerting.message import Alert, Links
from meeting_agents.announcement import Announcement
from meeting_agents.aws.journal import Journal
from meeting_agents.aws.keys import is_probe
from meeting_agents.aws.lease import Lease
from meeting_agents.aws.queues import shorten_visibility
from meeting_agents.aws.topics import AlertsTopic
from meeting_agents.delivery import expects_call
from meeting_agents.domain.alerts import alerting_owed
from meeting_agents.domain.lifecycle import fold
from meeting_agents.domain.model import Entry, EntryType
from meeting_agents.domain.reasons import Reason, ReasonCode
from meeting_agents.errors import MessageRejected, TopicUnavailable

logger = Logger(version=VERSION)
metrics = Metrics()

CONCURRENT_READS = 16
"""Journals that are read at the same time: a batch may be about a thousand agents."""

wiring.make_ready(wiring.journal, wiring.alerts_topic)


@metrics.log_metrics
@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Publish the alerts of a batch. Failed messages stay in the queue, and move to its dead-letter queue at last."""
    records = {record["messageId"]: record for record in event["Records"]}
    agent_ids: dict[str, str] = {}
    for message_id, record in records.items():
        try:
            agent_ids[message_id] = Announcement.model_validate_json(record["body"]).subject
        except ValidationError:
            logger.error("announcement not readable", message_id=message_id)
    links = Links(wiring.settings().api_url, wiring.settings().dashboard_url)
    done: set[str] = set()
    try:
        failed_agents = publish_alerts(
            set(agent_ids.values()), wiring.journal(), wiring.alerts_topic(), wiring.lease("alert"), links
        )
        done = {message_id for message_id, agent_id in agent_ids.items() if agent_id not in failed_agents}
    finally:  # an error fails the whole batch, which is redelivered soon, too
        failed = sorted(records.keys() - done)
        if failed:  # Lambda counts a batch that is returned to the queue as a success
            metrics.add_metric("AlertsFailed", MetricUnit.Count, len(failed))
            queue_url = wiring.settings().alert_queue_url
            shorten_visibility(wiring.client("sqs"), queue_url, [records[message_id] for message_id in failed])
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in failed]}


def publish_alerts(
    agent_ids: Collection[str], journal: Journal, topic: AlertsTopic, lease: Lease, links: Links
) -> set[str]:
    """Publish the alerts that these agents owe now, and journal them. Return the agents whose alerts failed.

    An announcement only says which agent to look at: the alerts are decided from the journal as it is now, so that none
    is wrong because it is late, doubled or overtaken. Under the lease one copy of this function at a time reads,
    publishes and journals. The entry follows the message: if the function dies between the two, the alert is published
    twice, which is better than never. The alert of a probe is journalled, but not published.
    """
    failed: set[str] = set()
    with lease.acquire():
        with ThreadPoolExecutor(CONCURRENT_READS) as pool:
            owed = [alert for alerts in pool.map(_owed, agent_ids, repeat(journal)) for alert in alerts]
        alerts = group_alerts((agent for agent in owed if not is_probe(agent.agent_id)), links)
        subscribers = _subscribers(topic) if alerts else None
        for alert in alerts:
            agents = {agent.agent_id for agent in alert.agents}
            if alert.is_resolved and agents & failed:
                continue  # a resolved alert never comes before the firing one that failed
            try:
                topic.publish(alert.subject, alert.message, alert.attributes)
            except (TopicUnavailable, MessageRejected) as error:
                logger.error("alert not published", code=error.code, detail=error.detail, agents=len(agents))
                failed |= agents
            else:
                count = "unknown" if subscribers is None else str(subscribers)
                _record_alerted(alert.agents, journal, ReasonCode.ALERT_PUBLISHED, count)
                _count(alert, subscribers)
        _record_alerted([a for a in owed if is_probe(a.agent_id)], journal, ReasonCode.PROBE_NOT_PUBLISHED)
    return failed


def _owed(agent_id: str, journal: Journal) -> list[AgentAlert]:
    """Return the alerts that an agent owes according to its journal."""
    now = datetime.now(UTC)
    entries = journal.read(agent_id, now)
    record = fold(stored.entry for stored in entries)
    provider = provider_of(stored.raw for stored in entries if stored.raw)
    data_center = record.identity.data_center if record.identity else ""
    lacks_call = expects_call(entries, record, journal.grace_periods.conference)
    lacks_call = lacks_call and wiring.event_triggers().have_come(data_center)
    return [
        AgentAlert(agent_id=agent_id, owed=owed, record=record, at=now, provider=provider, lacks_call=lacks_call)
        for owed in alerting_owed(record, journal.grace_periods, now)
    ]


def _subscribers(topic: AlertsTopic) -> int | None:
    """Count the subscribers of the alerts; None if that fails, since an alert matters more than the count."""
    try:
        return topic.subscribers()
    except TopicUnavailable as error:
        logger.warning("subscribers could not be counted", detail=error.detail)
        return None


def _record_alerted(agents: Sequence[AgentAlert], journal: Journal, outcome: ReasonCode, subscribers: str = "") -> None:
    for agent in agents:
        incident = agent.owed.incident
        entry = Entry(
            key=f"alerted#{incident.key}#{agent.status}#{agent.owed.number}",
            kind=EntryType.ALERTED,
            at=datetime.now(UTC),
            attempt=incident.attempt,
            cause=agent.type,
            status=agent.status,
            severity=agent.severity,
            reminder=agent.owed.reminder,
            reason=Reason.of(outcome, incident=agent.type, status=agent.status, subscribers=subscribers),
        )
        journal.append(agent.agent_id, entry)


def _count(alert: Alert, subscribers: int | None) -> None:
    now = datetime.now(UTC)
    metrics.add_metric("AlertsPublished", MetricUnit.Count, 1)
    metrics.add_metric("AgentsAlerted", MetricUnit.Count, len(alert.agents))
    for agent in alert.agents:
        owed_at = agent.known_at if agent.is_resolved else agent.owed.incident.owed_at
        metrics.add_metric("TimeToAlert", MetricUnit.Seconds, (now - owed_at).total_seconds())
    subjects = [agent.agent_id for agent in alert.agents]
    fields: dict[str, Any] = {"status": alert.status, "severity": alert.severity, "agents": len(subjects)}
    fields |= {"subjects": subjects, "subscribers": subscribers}
    if subscribers == 0:
        metrics.add_metric("AlertsWithoutSubscriber", MetricUnit.Count, 1)
        logger.error("alert published, and the alerts topic has no confirmed subscriber", **fields)
    else:
        logger.info("alert published", **fields)
