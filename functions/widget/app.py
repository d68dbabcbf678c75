"""The overview on the CloudWatch dashboard: open incidents, the day, the details of an agent.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/add_custom_widget_dashboard.html. The dashboard calls
this function with its viewer's own permissions. It only reads; the buttons that change something call `button`.
"""

from typing import Any

from aws_lambda_powertools import Logger

from meeting_agents import VERSION, wiring
from meeting_agents.errors import TopicUnavailable
from meeting_agents.widget.calls import DESCRIPTION, read_call
from meeting_agents.widget.card import render_details
from meeting_agents.widget.html import tag
from meeting_agents.widget.page import render_page, within

logger = Logger(version=VERSION)


@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], context: Any) -> str:
    """Return HTML for the dashboard; a description in Markdown if the console requests one."""
    if event.get("describe"):
        return DESCRIPTION
    call = read_call(event, reading=str(context.invoked_function_arn), writing=wiring.settings().button_function_arn)
    reader = wiring.overview_reader(_subscribers)
    if not call.agent_id:
        return render_page(reader.overview(call.viewer, call.query, call.page))
    agent = reader.details(call.agent_id)
    if agent is None:
        return within(tag("p", "No such agent is known here; its journal may have expired."), call.viewer)
    return within(render_details(agent, call.viewer), call.viewer)


def _subscribers() -> int | None:
    """Count the subscribers of the alerts; None if that fails, since the agents can still be shown."""
    try:
        return wiring.alerts_topic().subscribers()
    except TopicUnavailable as error:
        logger.warning("subscribers could not be counted", detail=error.detail)
        return None
