"""A widget of the CloudWatch dashboard: today's agents with incidents, each with its timeline.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/add_custom_widget_dashboard.html. The dashboard calls
this function with its viewer's own permissions.
"""

from datetime import UTC, datetime, timedelta, timezone, tzinfo
from typing import Any

from aws_lambda_powertools import Logger

from meeting_agents import VERSION, wiring
from meeting_agents.alerting.widget import SHOWN, has_incident, render_html
from meeting_agents.aws.journal import Journal
from meeting_agents.domain.lifecycle import timeline
from meeting_agents.errors import TopicUnavailable

logger = Logger(version=VERSION)

DESCRIPTION = """## Incidents of today
Today's meeting agents that failed, were refused, went silent or lack something, newest first, each with its timeline,
and the number of subscribers of the alerts. *Today* is the day in the dashboard's time zone. No parameters.
"""


@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], context: object) -> str:
    """Return HTML for the dashboard; a description in Markdown if the console requests one."""
    if event.get("describe"):
        return DESCRIPTION
    return render_widget(wiring.journal(), datetime.now(UTC), _zone(event), _subscribers())


def render_widget(journal: Journal, now: datetime, zone: tzinfo, subscribers: int | None) -> str:
    """Return the page of the agents whose meeting is on this day."""
    midnight = now.astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0)
    rows = [row for row in journal.query_range(midnight, midnight + timedelta(days=1), now) if has_incident(row)]
    rows.sort(key=lambda row: str(row.get("since", "")), reverse=True)
    agents = {row["pk"]: timeline(journal.read(row["pk"], now)) for row in rows[:SHOWN]}
    return render_html({agent_id: steps for agent_id, steps in agents.items() if steps}, len(rows), zone, subscribers)


def _subscribers() -> int | None:
    """Count the subscribers of the alerts; None if that fails, since the agents can still be shown."""
    try:
        return wiring.alerts_topic().subscribers()
    except TopicUnavailable as error:
        logger.warning("subscribers could not be counted", detail=error.detail)
        return None


def _zone(event: dict[str, Any]) -> tzinfo:
    """Return the dashboard's time zone, an offset like `+02:00`; UTC if it is missing."""
    offset = str(event.get("widgetContext", {}).get("timezone", {}).get("offsetISO", ""))
    try:
        utc_offset = datetime.fromisoformat(f"2000-01-01T00:00:00{offset}").utcoffset()
    except ValueError:
        return UTC
    return timezone(utc_offset) if utc_offset else UTC
