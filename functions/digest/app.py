"""Once a day: how yesterday's agents ended, told to people."""

from datetime import UTC, datetime, time, timedelta
from typing import Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

from meeting_agents import VERSION, wiring
from meeting_agents.alerting.digest import DAYS_BEFORE, Digest
from meeting_agents.alerting.message import Links
from meeting_agents.alerting.text import timezone
from meeting_agents.aws.journal import Journal
from meeting_agents.aws.topics import AlertsTopic

logger = Logger(version=VERSION)
metrics = Metrics()


@metrics.log_metrics
@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """The digest of the day before this one, in the deployment's time zone."""
    places = Links(wiring.settings().api_url, wiring.settings().dashboard_url)
    digest = publish_digest(
        wiring.journal(), wiring.alerts_topic(), places, datetime.now(UTC), wiring.settings().time_zone
    )
    if digest.is_worth_telling:
        metrics.add_metric("DigestsPublished", MetricUnit.Count, 1)
    logger.info("digest made", day=digest.day.isoformat(), agents=digest.of_day.total, told=digest.is_worth_telling)
    return {"day": digest.day.isoformat(), "agents": digest.of_day.total, "told": digest.is_worth_telling}


def publish_digest(journal: Journal, topic: AlertsTopic, places: Links, now: datetime, tzid: str) -> Digest:
    """Tell people of yesterday, unless there was nothing; the digest."""
    there = timezone(tzid)
    today = now.astimezone(there).date()
    yesterday = today - timedelta(days=1)

    def midnight(before: int) -> datetime:
        return datetime.combine(yesterday - timedelta(days=before), time(), there).astimezone(UTC)

    rows = journal.query_range(midnight(DAYS_BEFORE), midnight(-1), now)
    digest = Digest.of(yesterday, tzid, places, rows=rows, begins=midnight(0), now=now)
    if digest.is_worth_telling:
        topic.publish(digest.subject, digest.message, {"severity": ("digest",)})
    return digest
