"""A widget of the CloudWatch dashboard: today's troubled agents, each with its timeline.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/add_custom_widget_dashboard.html. Only whoever may call
this function sees it: the dashboard calls it with its viewer's own permissions.
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

DESCRIPTION = """## Troubled agents
The meeting agents of today that failed, were refused, went silent or lack something, newest first, each with its
timeline, and how many subscribers get the alerts. *Today* is the day in the dashboard's time zone. It takes no
parameters.
"""


@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], context: object) -> str:
    """HTML for the dashboard; what it is in Markdown, when the console asks for that."""
    if event.get("describe"):
        return DESCRIPTION
    return render_widget(wiring.journal(), datetime.now(UTC), _zone(event), _subscribers())


def render_widget(journal: Journal, now: datetime, there: tzinfo, subscribers: int | None) -> str:
    """The page of the agents whose meeting is on this day."""
    midnight = now.astimezone(there).replace(hour=0, minute=0, second=0, microsecond=0)
    rows = [row for row in journal.query_range(midnight, midnight + timedelta(days=1), now) if has_incident(row)]
    rows.sort(key=lambda row: str(row.get("since", "")), reverse=True)
    agents = {row["pk"]: timeline(journal.read(row["pk"], now)) for row in rows[:SHOWN]}
    return render_html({agent_id: told for agent_id, told in agents.items() if told}, len(rows), there, subscribers)


def _subscribers() -> int | None:
    """Count those who get the alerts; none if that fails, for the agents can be shown all the same."""
    try:
        return wiring.alerts_topic().subscribers()
    except TopicUnavailable as error:
        logger.warning("subscribers could not be counted", detail=error.detail)
        return None


def _zone(event: dict[str, Any]) -> tzinfo:
    """The dashboard's time zone, which comes as an offset like `+02:00`; UTC if it does not."""
    offset = str(event.get("widgetContext", {}).get("timezone", {}).get("offsetISO", ""))
    try:
        known = datetime.fromisoformat(f"2000-01-01T00:00:00{offset}").utcoffset()
    except ValueError:
        return UTC
    return timezone(known) if known else UTC
