"""The grouping of alerts about agents into few messages. Pure."""

from collections.abc import Iterable

from meeting_agents.alerting.agent_alert import AgentAlert
from meeting_agents.alerting.message import MAX_MESSAGE_BYTES, Alert, Links
from meeting_agents.domain.model import AlertStatus, Severity

_STATUSES, _SEVERITIES = list(AlertStatus), list(Severity)


def group_alerts(agents: Iterable[AgentAlert], links: Links) -> list[Alert]:
    """Return one alert for each status, severity and reminder, the most urgent first."""
    groups: dict[tuple[int, int, int], list[AgentAlert]] = {}
    for agent in agents:
        key = _STATUSES.index(agent.status), _SEVERITIES.index(agent.severity), agent.owed.reminder
        groups.setdefault(key, []).append(agent)
    return [part for _, group in sorted(groups.items()) for part in _split(Alert(tuple(group), links))]


def _split(alert: Alert) -> list[Alert]:
    """Halve an alert until each part fits into a message."""
    agents = alert.agents
    if len(agents) == 1 or alert.size <= MAX_MESSAGE_BYTES:
        return [alert]
    half = len(agents) // 2
    return [piece for part in (agents[:half], agents[half:]) for piece in _split(Alert(part, alert.links))]
