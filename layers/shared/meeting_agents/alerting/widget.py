"""The agents that a person should know of, as HTML for the dashboard. Pure; everything from outside is escaped.

No script, and no style that CloudWatch would take out:
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
"""Agents with their timeline in one page; the rest are counted."""

_STYLE = """<style>
.agents { border-collapse: collapse; width: 100% } .agents, .agents-more { font: 13px/1.5 sans-serif }
.agents th, .agents td { border-bottom: 1px solid #8888; padding: 6px 10px; text-align: left; vertical-align: top }
.agents td:first-child { min-width: 16em } .agents ol { margin: 0; padding-left: 1.4em } .agents small { opacity: .75 }
.agents b.grave, .agents-more b.grave { color: #d13212 } .agents code { font-size: 11px; word-break: break-all }
</style>"""
_GRAVE = (State.FAILED, State.REJECTED, State.OVERDUE)


def has_incident(row: Mapping[str, Any]) -> bool:
    """Whether a stored record is one of an agent that failed, was refused, is silent, or lacks something."""
    return bool(row.get("incident")) or row.get("state") in {str(state) for state in _GRAVE}


def render_html(agents: Mapping[str, Sequence[Step]], count: int, there: tzinfo, subscribers: int | None) -> str:
    """The troubled agents, each with its timeline. `count`: how many there are; times are shown in `there`.

    `subscribers`: how many get the alerts; none: not known.
    """
    reach = f'<p class="agents-more">{_reach(subscribers)}</p>'
    if not agents:
        good = "<b>No troubled agents today.</b> Whatever was asked for today is on its way or done."
        return f'{_STYLE}{reach}<p class="agents-more">{good}</p>'
    rows = "".join(_row(agent_id, told, there) for agent_id, told in agents.items())
    more = f'<p class="agents-more">And {count - len(agents)} more.</p>' if count > len(agents) else ""
    head = "<tr><th>Meeting</th><th>What happened</th><th>Timeline</th></tr>"
    return f'{_STYLE}{reach}<table class="agents"><thead>{head}</thead><tbody>{rows}</tbody></table>{more}'


def _reach(subscribers: int | None) -> str:
    if subscribers is None:
        return "How many subscribers get the alerts could not be read."
    if subscribers:
        return f"Confirmed subscribers of the alerts: {subscribers}."
    return (
        '<b class="grave">No confirmed subscriber: nobody receives the alerts.</b>'
        " Subscribe an address to the topic in the output AlertsTopicArn, and confirm the mail that AWS sends to it."
    )


def _row(agent_id: str, told: Sequence[Step], there: tzinfo) -> str:
    record = told[-1].after
    meeting = MeetingView.model_validate(record.meeting)
    title = sanitize(meeting.summary, 120) or sanitize(record.event_id, 120) or "(no title)"
    happened = WORDINGS[record.incident].one if record.incident else str(record.state)
    links = [r.url for r in record.current.resources if r.type == "dashboard" and is_link(r.url)]
    at_cronofy = f' <a href="{escape(links[0])}">at Cronofy</a>' if links else ""
    at = record.acknowledged_at
    taken = f"<br><small>taken on at {escape(format_time(at, there, '%H:%M'))}</small>" if at else ""
    is_grave = record.state in _GRAVE or record.incident is IncidentType.NOT_CANCELLED
    grade = "grave" if is_grave else "mild"
    what = f'<b class="{grade}">{escape(happened)}</b>{escape(relative_to_meeting(record.current.since, meeting))}'
    cells = (
        f"<b>{escape(title)}</b><br>{escape(format_meeting(meeting))}<br><code>{escape(agent_id)}</code>{at_cronofy}",
        f"{what}<br>{escape(sanitize(wording.of(record.current.reason), 300))}{taken}",
        f"<ol>{''.join(_entry(step, there) for step in told)}</ol>",
    )
    return "<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>"


def _entry(step: Step, there: tzinfo) -> str:
    entry = step.entry
    verdict = "" if step.verdict == "applied" else f" ({step.verdict})"
    reason = f": {sanitize(wording.of(entry.reason), 120)}" if entry.reason else ""
    shown = escape(format_time(entry.at, there, "%d %b %H:%M:%S"))
    when = f'<span title="{entry.at:%Y-%m-%d %H:%M:%S} UTC">{shown}</span>'
    return f"<li>{when} <b>{entry.kind}</b>{verdict}{escape(reason)}</li>"
