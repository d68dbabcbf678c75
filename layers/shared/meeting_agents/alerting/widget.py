"""The agents with incidents as HTML for the dashboard. Pure; all text from outside is escaped.

No script, and no style that CloudWatch would remove:
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/add_custom_widget_dashboard_security.html.
"""

from collections.abc import Mapping, Sequence
from datetime import tzinfo
from html import escape
from typing import Any

from meeting_agents import wording
from meeting_agents.alerting.runbook import WORDINGS
from meeting_agents.alerting.text import format_meeting, format_time, relative_to_meeting, sanitize
from meeting_agents.announcement import MeetingView, is_link
from meeting_agents.domain.model import IncidentType, State
from meeting_agents.domain.verdicts import Step

SHOWN = 25
"""The agents shown in one page; the others are counted."""

_STYLE = """<style>
.agents { border-collapse: collapse; width: 100% } .agents, .agents-more { font: 13px/1.5 sans-serif }
.agents th, .agents td { border-bottom: 1px solid #8888; padding: 6px 10px; text-align: left; vertical-align: top }
.agents td:first-child { min-width: 16em } .agents ol { margin: 0; padding-left: 1.4em } .agents small { opacity: .75 }
.agents b.critical, .agents-more b.critical { color: #d13212 } .agents code { font-size: 11px; word-break: break-all }
</style>"""
_CRITICAL = (State.FAILED, State.REJECTED, State.OVERDUE)


def has_incident(row: Mapping[str, Any]) -> bool:
    """Return True for a stored record with an incident or in a state that needs a person."""
    return bool(row.get("incident")) or row.get("state") in {str(state) for state in _CRITICAL}


def render_html(agents: Mapping[str, Sequence[Step]], count: int, zone: tzinfo, subscribers: int | None) -> str:
    """Return a table of agents, each with its timeline, in times of `zone`.

    `count`: the number of agents with incidents, shown or not; `subscribers`: None if unknown.
    """
    reach = f'<p class="agents-more">{_reach(subscribers)}</p>'
    if not agents:
        nothing = "<b>No incidents today.</b> Every agent of today is on its way or done."
        return f'{_STYLE}{reach}<p class="agents-more">{nothing}</p>'
    rows = "".join(_row(agent_id, timeline, zone) for agent_id, timeline in agents.items())
    omitted = f'<p class="agents-more">And {count - len(agents)} more.</p>' if count > len(agents) else ""
    head = "<tr><th>Meeting</th><th>Incident</th><th>Timeline</th></tr>"
    return f'{_STYLE}{reach}<table class="agents"><thead>{head}</thead><tbody>{rows}</tbody></table>{omitted}'


def _reach(subscribers: int | None) -> str:
    if subscribers is None:
        return "The number of subscribers of the alerts could not be read."
    if subscribers:
        return f"Confirmed subscribers of the alerts: {subscribers}."
    return (
        '<b class="critical">No confirmed subscriber: no one receives the alerts.</b>'
        " Subscribe an address to the topic in the output AlertsTopicArn, and confirm the e-mail that AWS sends to it."
    )


def _row(agent_id: str, timeline: Sequence[Step], zone: tzinfo) -> str:
    record = timeline[-1].after
    meeting = MeetingView.model_validate(record.meeting)
    title = sanitize(meeting.summary, 120) or sanitize(record.event_id, 120) or "(no title)"
    incident = WORDINGS[record.incident].one if record.incident else str(record.state)
    links = [r.url for r in record.current.resources if r.type == "dashboard" and is_link(r.url)]
    at_cronofy = f' <a href="{escape(links[0])}">at Cronofy</a>' if links else ""
    at = record.acknowledged_at
    acknowledged = f"<br><small>acknowledged at {escape(format_time(at, zone, '%H:%M'))}</small>" if at else ""
    is_critical = record.state in _CRITICAL or record.incident is IncidentType.NOT_CANCELLED
    severity = "critical" if is_critical else "warning"
    since = escape(relative_to_meeting(record.current.since, meeting))
    reason = escape(sanitize(wording.of(record.current.reason), 300))
    cells = (
        f"<b>{escape(title)}</b><br>{escape(format_meeting(meeting))}<br><code>{escape(agent_id)}</code>{at_cronofy}",
        f'<b class="{severity}">{escape(incident)}</b>{since}<br>{reason}{acknowledged}',
        f"<ol>{''.join(_entry(step, zone) for step in timeline)}</ol>",
    )
    return "<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>"


def _entry(step: Step, zone: tzinfo) -> str:
    entry = step.entry
    verdict = "" if step.verdict == "applied" else f" ({step.verdict})"
    reason = f": {sanitize(wording.of(entry.reason), 120)}" if entry.reason else ""
    local = escape(format_time(entry.at, zone, "%d %b %H:%M:%S"))
    at = f'<span title="{entry.at:%Y-%m-%d %H:%M:%S} UTC">{local}</span>'
    return f"<li>{at} <b>{entry.kind}</b>{verdict}{escape(reason)}</li>"
