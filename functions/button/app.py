"""The buttons of the overview that change something: acknowledge, silence, ask Cronofy again, announce again.

CloudWatch calls this function with its viewer's own permissions when a button is pressed, and shows the answer:
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/add_custom_widget_dashboard_interactivity.html.
"""

from datetime import UTC, datetime
from typing import Any

from aws_lambda_powertools import Logger

from meeting_agents import VERSION, operations, wiring
from meeting_agents.errors import MeetingAgentsError
from meeting_agents.widget import answers, card
from meeting_agents.widget.calls import Call, read_call

logger = Logger(version=VERSION)


@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], context: object) -> str:
    """Return HTML for a pop-up: what was done, or what was wrong and what to do."""
    call = read_call(event)
    try:
        answer = press(call, datetime.now(UTC))
    except MeetingAgentsError as error:
        logger.warning("button failed", action=call.action, agent_id=call.agent_id, code=error.code)
        return answers.refused(error, call.viewer)
    logger.info("button pressed", action=call.action, agent_id=call.agent_id)
    return answer


def press(call: Call, now: datetime) -> str:
    """Do what a button says. Raises `MeetingAgentsError`."""
    match call.action:
        case card.ACKNOWLEDGE if call.group:
            operations.acknowledge_group(wiring.groups(), call.group, call.note, call.by, now)
            return answers.acknowledged(call.by, call.note, now, call.viewer)
        case card.ACKNOWLEDGE if call.agent_id:
            operations.acknowledge(wiring.journal(), call.agent_id, call.note, call.by, now)
            return answers.acknowledged(call.by, call.note, now, call.viewer)
        case card.SILENCE if call.agent_id:
            silence = operations.silence_agent(
                wiring.journal(), wiring.silences(), call.agent_id, call.note, call.by, now
            )
            return answers.silenced(silence, call.viewer)
        case card.UNSILENCE if call.agent_id:
            operations.end_silence(wiring.silences(), call.agent_id, now)
            return answers.unsilenced(call.viewer)
        case card.RETRY if call.agent_id:
            result = operations.retry(wiring.journal(), wiring.provisioning(), call.agent_id, now)
            return answers.retried(result.record, call.viewer)
        case card.REPLAY if call.agent_id:
            ids = operations.replay(wiring.journal(), wiring.lifecycle_topic, call.agent_id, now)
            return answers.replayed(len(ids), call.viewer)
    return answers.unknown(call.viewer)
