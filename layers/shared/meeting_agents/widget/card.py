"""An incident on the overview: its card, its timeline, and the details that a pop-up shows. Pure."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from hashlib import sha256
from html import escape

from meeting_agents import wording
from meeting_agents.alerting.runbook import WORDINGS
from meeting_agents.alerting.text import format_duration, format_meeting, format_time, format_time_with_utc, title_of
from meeting_agents.announcement import is_link
from meeting_agents.domain.groups import Waiting
from meeting_agents.domain.labels import Labels, pairs
from meeting_agents.domain.model import (
    AlertStatus,
    DeadlineType,
    Entry,
    EntryType,
    IncidentType,
    Meeting,
    Severity,
    Verdict,
)
from meeting_agents.domain.reasons import Reason, ReasonCode
from meeting_agents.domain.silences import silence_name
from meeting_agents.domain.verdicts import Step
from meeting_agents.incident_list import ListedIncident
from meeting_agents.widget.facts import AgentDetails, Overview, Viewer, span_of
from meeting_agents.widget.html import button, details, field, form, is_agent_id, link, tag, text
from meeting_agents.widget.plain_words import DEADLINES, ENTRIES, SELF_EXPLANATORY, VERDICTS

MAX_NOTE_LENGTH = 500
SHOWN_STEPS = 40
"""The newest entries of a timeline that are shown; the API has all."""
SHOWN_WAITING = 10
"""The meetings of a group that are shown."""
ACTION = "action"
"""The parameter of a button that says what it does; these are its values."""
ACKNOWLEDGE, SILENCE, UNSILENCE, RETRY, REPLAY = "acknowledge", "silence", "unsilence", "retry", "replay"
AGENT, GROUP = "agent_id", "group"
"""The parameters of a button that say what it is about."""
_ASK_AGAIN = "Send the newest request for this agent to Cronofy again?"
_SILENCE = "Send no message about this agent for two hours? What still stands then is sent."
_REPLAY = "Publish all announcements of this agent again? Subscribers receive them marked as replayed."


def note_field(name: str, *, is_popup: bool = False) -> str:
    """Return the name of the field for a note. CloudWatch passes the fields of all forms, so each has its own name."""
    return f"{'popup-' if is_popup else ''}note-{sha256(name.encode()).hexdigest()[:16]}"


def render_card(overview: Overview, incident: ListedIncident) -> str:
    """Return the card of an open incident of an agent."""
    viewer, agent_id = overview.viewer, incident.agent_id
    left = time_left(*span_of(incident, overview.assumed_duration), overview.now)
    timeline = render_timeline(incident.timeline, viewer)
    # An id that a notification brought along is no attribute.
    name = agent_id if is_agent_id(agent_id) else ""
    content = (
        f"<h4>{_name_of_incident(incident)}{tag('span', left, 'left')}</h4>"
        f"{_what(incident, viewer, overview.now)}"
        f"{tag('p', f'<b>Next:</b> {escape(incident.next_steps[0])}', 'next') if incident.next_steps else ''}"
        f"{tag('p', _meeting(incident.meeting) + _names(incident), 'meta')}"
        f"{_buttons(agent_id, viewer, [incident], incident.retry_problem)}"
        f"{details(f'Timeline, {len(incident.timeline)} entries', timeline, name=name)}"
    )
    return tag("article", content, _kind(incident))


def render_group(overview: Overview, incident: ListedIncident, number: int) -> str:
    """Return the card of an incident of an account or a data center, with the agents that wait."""
    viewer, key = overview.viewer, incident.dedup_key
    steps = "".join(tag("li", escape(step)) for step in incident.next_steps)
    rows = "".join(tag("div", _waiting(agent, viewer), "row") for agent in incident.agents[:SHOWN_WAITING])
    omitted = len(incident.agents) - SHOWN_WAITING
    more = tag("p", f"And {omitted:,} more.", "meta") if omitted > 0 else ""
    meetings = f"{len(incident.agents):,} meeting{'' if len(incident.agents) == 1 else 's'}"
    is_new = incident.acknowledgement is None
    acknowledge = {ACTION: ACKNOWLEDGE, GROUP: key}
    buttons = (
        field(note_field(key), "Note", length=MAX_NOTE_LENGTH),
        button(
            "Acknowledge for all" if incident.agents else "Acknowledge",
            viewer.writing,
            acknowledge,
            is_popup=True,
            is_primary=is_new,
        ),
    )
    content = (
        f"<h4>{text(incident.summary)}</h4>{_what(incident, viewer, overview.now, is_group=True)}<ol>{steps}</ol>"
        f"{form(*buttons) if viewer.writing else ''}"
        f"{details(meetings, rows + more, name=f'group-{number}') if rows else ''}"
    )
    return tag("article", content, _kind(incident))


def render_details(agent: AgentDetails, viewer: Viewer) -> str:
    """Return an agent in full, for a pop-up: also one without an incident."""
    record, current = agent.record, agent.record.current
    identity = record.identity
    names: Mapping[str, str] = {
        "event": record.event_id,
        "key": identity.scheduling_key if identity else "",
        "account": identity.account if identity else "",
        "": identity.data_center if identity else "",
    }
    incidents = "".join(_of_details(incident, viewer, agent.now) for incident in agent.incidents)
    due = agent.deadline
    is_shown = due is not None and due.phase is not DeadlineType.ALERT
    waits = f"By {format_time(due.at, viewer.zone)} {DEADLINES[due.phase]}." if due and is_shown else ""
    left = sorted({resource.category for resource in current.resources} - {"cronofy"})
    dashboard = next((r.url for r in current.resources if r.type == "dashboard" and is_link(r.url)), "")
    state = f"The agent is {wording.STATES[record.state]}. {text(_sentence(_reason(current.reason, viewer)))}"
    name = name_of(record.meeting.summary, agent.agent_id, event_id=record.event_id, scheduling_key=names["key"])
    parts = [
        f"<h3>{name}</h3>",
        tag("p", _meeting(record.meeting) + _listed(names) + _labels(record.labels), "meta"),
        incidents or tag("p", f"{state} No incident is open.", "why"),
        tag("p", escape(waits), "meta") if waits else "",
        tag("p", f"It left: {text(', '.join(left))}.", "meta") if left else "",
        tag("p", link("The agent in Cronofy's dashboard", dashboard)) if dashboard else "",
        _buttons(agent.agent_id, viewer, agent.incidents, agent.retry_problem, is_popup=True),
        "<h4>Timeline</h4>",
        render_timeline(agent.timeline, viewer),
        tag("p", f"{escape(agent.agent_id)}", "meta"),
    ]
    return "".join(parts)


def render_timeline(timeline: Sequence[Step], viewer: Viewer) -> str:
    """Return the entries, the newest first."""
    shown = list(reversed(timeline))[:SHOWN_STEPS]
    omitted = len(timeline) - len(shown)
    more = tag("p", f"And {omitted:,} earlier ones.", "meta") if omitted else ""
    return tag("ul", "".join(_entry(step, viewer) for step in shown), "timeline") + more


def time_left(start: datetime, end: datetime, now: datetime) -> str:
    """`begins in 12 minutes`, `running, 25 minutes left`, `ended 3 hours ago`."""
    if now < start:
        return f"begins in {format_duration(start - now)}"
    if now < end:
        return f"running, {format_duration(end - now)} left"
    return f"ended {format_duration(now - end)} ago"


def name_of(title: str, agent_id: str, *, event_id: str = "", scheduling_key: str = "") -> str:
    """Return the title of a meeting as HTML, or the best name that its agent has."""
    return text(title, 120) or text(title_of("", agent_id, event_id=event_id, scheduling_key=scheduling_key))


def when(at: datetime | None, viewer: Viewer) -> str:
    """`Wed 29 Apr, 17:30`, in the viewer's time zone, which the page names once; empty if it is not known."""
    return f"{at.astimezone(viewer.zone):%a %d %b, %H:%M}" if at else ""


def _kind(incident: ListedIncident) -> str:
    return "card ma-critical" if incident.severity is Severity.CRITICAL else "card ma-warning"


def _name_of_incident(incident: ListedIncident) -> str:
    title = incident.meeting.summary if incident.meeting else ""
    return name_of(title, incident.agent_id, event_id=incident.event_id, scheduling_key=incident.scheduling_key)


def _what(incident: ListedIncident, viewer: Viewer, now: datetime, *, is_group: bool = False) -> str:
    """Return the words for an incident, since when it is open, its acknowledgement, and its reason."""
    open_for = format_duration(max(now - incident.opened_at, timedelta()))
    words = f"Open for {open_for}" if is_group else f"<b>{text(incident.summary)}</b>, {open_for} ago"
    is_failed = incident.type is IncidentType.FAILED
    reason = f"Reason: {incident.detail}" if is_failed and incident.detail else _sentence(incident.detail)
    return tag("p", f"{words} {_acknowledged(incident, viewer)}{_silenced(incident, viewer)}", "what") + (
        tag("p", text(reason), "why") if reason else ""
    )


def _acknowledged(incident: ListedIncident, viewer: Viewer) -> str:
    found = incident.acknowledgement
    if found is None:
        return ""
    by = f" by {text(found.by, 60)}" if found.by else ""
    note = f": {text(found.note, 120)}" if found.note else ""
    return tag("span", f"acknowledged at {found.at.astimezone(viewer.zone):%H:%M}{by}{note}", "done")


def _silenced(incident: ListedIncident, viewer: Viewer) -> str:
    hold = incident.silenced
    if hold is None:
        return ""
    until = format_time(hold.until, viewer.zone, "%d %b %H:%M")
    return tag("span", f"silenced by {text(hold.name, 64)} until {escape(until)}", "done")


def _of_details(incident: ListedIncident, viewer: Viewer, now: datetime) -> str:
    steps = "".join(tag("li", escape(step)) for step in incident.next_steps)
    return tag("div", f"{_what(incident, viewer, now)}<ol>{steps}</ol>", _kind(incident))


def _sentence(words: str) -> str:
    return words[:1].upper() + words[1:]


def _meeting(meeting: Meeting | None) -> str:
    return escape(format_meeting(meeting or Meeting()))


def _names(incident: ListedIncident) -> str:
    names = {"event": incident.event_id, "key": incident.scheduling_key, "account": incident.account}
    return _listed(names | {"": incident.data_center}) + _labels(incident.labels)


def _listed(names: Mapping[str, str]) -> str:
    return "".join(f" · {label} {text(value, 80)}" for label, value in names.items() if value)


def _labels(labels: Labels) -> str:
    return "".join(f" · {text(pair, 100)}" for pair in pairs(labels))


def _waiting(agent: Waiting, viewer: Viewer) -> str:
    names = {"event_id": agent.event_id, "scheduling_key": agent.scheduling_key}
    more = button("Details", viewer.reading, {AGENT: agent.agent_id}, is_popup=True)
    return (
        tag("b", name_of(agent.meeting.summary, agent.agent_id, **names))
        + tag("span", when(agent.meeting.start, viewer), "at")
        + (more if is_agent_id(agent.agent_id) else "")
    )


def _buttons(
    agent_id: str,
    viewer: Viewer,
    incidents: Sequence[ListedIncident],
    retry_problem: str,
    *,
    is_popup: bool = False,
) -> str:
    """Return the buttons of an agent; empty for one whose id could not be a parameter."""
    if not is_agent_id(agent_id):
        return ""
    parts = []
    if incidents and viewer.writing:
        acknowledge = {ACTION: ACKNOWLEDGE, AGENT: agent_id}
        is_new = any(incident.acknowledgement is None for incident in incidents)
        parts += [
            field(note_field(agent_id, is_popup=is_popup), "Note", length=MAX_NOTE_LENGTH),
            button("Acknowledge", viewer.writing, acknowledge, is_popup=True, is_primary=is_new),
            _silence_button(agent_id, viewer, incidents),
        ]
    if incidents and not retry_problem:
        retry = {ACTION: RETRY, AGENT: agent_id}
        parts.append(button("Ask Cronofy again", viewer.writing, retry, is_popup=True, confirmation=_ASK_AGAIN))
    if is_popup:
        replay = {ACTION: REPLAY, AGENT: agent_id}
        parts.append(button("Replay", viewer.writing, replay, is_popup=True, confirmation=_REPLAY))
    else:
        parts.append(button("Details", viewer.reading, {AGENT: agent_id}, is_popup=True))
    is_left = incidents and retry_problem and is_popup
    why = tag("p", text(f"Cronofy cannot be asked again from here: {retry_problem}."), "meta") if is_left else ""
    return (form(*parts) if any(parts) else "") + why


def _silence_button(agent_id: str, viewer: Viewer, incidents: Sequence[ListedIncident]) -> str:
    """Return the button that silences an agent, or the one that ends its own silence."""
    name = silence_name(agent_id)
    if any(incident.silenced and incident.silenced.name == name for incident in incidents):
        return button("End the silence", viewer.writing, {ACTION: UNSILENCE, AGENT: agent_id}, is_popup=True)
    silence = {ACTION: SILENCE, AGENT: agent_id}
    return button("Silence for 2 hours", viewer.writing, silence, is_popup=True, confirmation=_SILENCE)


def _entry(step: Step, viewer: Viewer) -> str:
    entry = step.entry
    note = tag("span", escape(VERDICTS[step.verdict]), "verdict") if step.verdict is not Verdict.APPLIED else ""
    title, reason = _words_of(entry, viewer)
    at = escape(format_time(entry.at, viewer.zone, "%d %b %H:%M:%S"))
    utc = f"{entry.at:%Y-%m-%d %H:%M:%S} UTC"
    shown = f"<b>{text(title)}</b>{note}{': ' + text(reason) if reason else ''}"
    return tag("li", f'<span class="ma-at" title="{utc}">{at}</span><span>{shown}</span>')


def _reason(reason: Reason | None, viewer: Viewer) -> str:
    return wording.of(reason, lambda at: format_time_with_utc(at, viewer.zone))


def _words_of(entry: Entry, viewer: Viewer) -> tuple[str, str]:
    """Return the title of an entry, and what more is to say about it."""
    title, reason = ENTRIES[entry.kind], _reason(entry.reason, viewer)
    if entry.kind in SELF_EXPLANATORY and reason:
        return _sentence(reason), ""
    if entry.kind is EntryType.ALERTED and entry.cause and entry.reason:
        words = WORDINGS[entry.cause]
        incident = words.resolved if entry.status is AlertStatus.RESOLVED else words.one
        return title, f"{incident or words.one}, {_audience(entry.reason)}"
    return title, reason


def _audience(reason: Reason) -> str:
    """Return the words for the audience of an alert."""
    if reason.code is ReasonCode.ALERT_INCLUDED:
        return f"within the alert about {wording.group(reason['group'])}"
    if reason.code is not ReasonCode.ALERT_PUBLISHED:
        return "no message of its own"
    number = reason["subscribers"]
    return f"to {number} subscriber{'' if number == '1' else 's'}" if number.isdigit() else "subscribers not counted"
