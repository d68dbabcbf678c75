"""The daily digest of yesterday's agents, published to the alerts topic."""

from datetime import UTC, datetime, time, timedelta
from itertools import pairwise
from typing import Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

from meeting_agents import VERSION, wiring
from meeting_agents.alerting.digest import ATTRIBUTES, DAYS_BEFORE, Digest
from meeting_agents.alerting.message import Links
from meeting_agents.alerting.text import timezone
from meeting_agents.aws.days import Days, Span
from meeting_agents.aws.topics import AlertsTopic
from meeting_agents.domain.model import Severity, State

logger = Logger(version=VERSION)
metrics = Metrics()


@metrics.log_metrics
@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Publish the digest of yesterday, in the deployment's time zone."""
    links = wiring.links()
    digest = publish_digest(wiring.days(), wiring.alerts_topic(), links, datetime.now(UTC), wiring.settings().time_zone)
    if digest.is_worth_publishing:
        metrics.add_metric("DigestsPublished", MetricUnit.Count, 1)
    logger.info(
        "digest made", day=digest.day.isoformat(), agents=digest.of_day.total, published=digest.is_worth_publishing
    )
    return {"day": digest.day.isoformat(), "agents": digest.of_day.total, "published": digest.is_worth_publishing}


def publish_digest(days: Days, topic: AlertsTopic, links: Links, now: datetime, tzid: str) -> Digest:
    """Publish and return the digest of yesterday; nothing is published for a day without agents."""
    zone = timezone(tzid)
    today = now.astimezone(zone).date()
    yesterday = today - timedelta(days=1)

    def midnight(before: int) -> datetime:
        return datetime.combine(yesterday - timedelta(days=before), time(), zone).astimezone(UTC)

    digest = Digest(yesterday, tzid, links, begins=midnight(0), now=now)
    bounds = (midnight(DAYS_BEFORE), midnight(0), midnight(-1))
    spans = [Span(start, end, State.COMPLETE) for start, end in pairwise(bounds)]
    for counted in days.count(spans, ATTRIBUTES, now):
        for row in counted.rows:
            digest.add(row)
        if counted.span:
            digest.count(counted.span.start, counted.span.usual, counted.usual)
    if digest.is_worth_publishing:
        topic.publish(digest.subject, digest.message, {"severity": Severity.INFO, "type": ("digest",)})
    return digest
