"""A change of an incident, as machines and the channels of teams get it. Pure.

Each change has one shape for all channels, which is published as JSON by `Change.to_json`:

| member | meaning |
|---|---|
| `id` | the same each time this change is sent |
| `event_action` | `trigger`, `acknowledge` or `resolve` |
| `dedup_key` | the same for every change of the incident, and as in its alerts |
| `severity` | `critical`, `warning` or `info` |
| `summary` | one line: what is wrong, with which meeting |
| `component` | the id of the agent; or the account, the data center or the channel |
| `source` | the name of the stack |
| `timestamp` | when it was opened, acknowledged or over |
| `links` | `text` and `href` of each |
| `details` | `type`, `attempt`, `agent_id`, `event_id`, `account`, `data_center`, `labels`, `next_steps` and others |

No join link, token or body of a request is in it: texts from outside have their addresses removed.
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from meeting_agents.alerting.agent_alert import AgentAlert
from meeting_agents.alerting.group_alert import MAX_LABELS, NAMED_BY, GroupAlert
from meeting_agents.alerting.message import Links
from meeting_agents.alerting.runbook import next_steps, summary
from meeting_agents.alerting.text import format_time, sanitize, timezone, without_links
from meeting_agents.aws.keys import timestamp
from meeting_agents.domain.acknowledgement import Acknowledgement
from meeting_agents.domain.labels import most_frequent, pairs
from meeting_agents.domain.model import ChangeType, IncidentType, Severity
from meeting_agents.plain_values import plain

SHOWN_WAITING = 20
"""The agents of a group that its change names."""


@dataclass(frozen=True, slots=True)
class Link:
    """An address to follow, and its words."""

    text: str
    href: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One change of one incident."""

    action: ChangeType
    dedup_key: str
    number: int
    """The number of alerts about the incident so far."""
    type: IncidentType
    severity: Severity
    summary: str
    component: str
    source: str
    at: datetime
    reminder: int = 0
    """The number of the reminder; 0: it is none."""
    account: str = ""
    data_center: str = ""
    labels: tuple[str, ...] = ()
    """The caller's, as `name:value`; of a group those of most of its agents."""
    detail: str = ""
    next_steps: tuple[str, ...] = ()
    links: tuple[Link, ...] = ()
    note: str = ""
    """Of the person who acknowledged it."""
    more: dict[str, Any] = field(default_factory=dict)
    """The other details."""

    @property
    def id(self) -> str:
        return f"{self.dedup_key}#{self.number}#{self.action}"

    @property
    def headline(self) -> str:
        """The summary with what a person must know first: that it is over, in hand, or told again."""
        match self.action:
            case ChangeType.RESOLVE:
                return f"Over: {self.summary}"
            case ChangeType.ACKNOWLEDGE:
                return f"Acknowledged: {self.summary}"
            case _ if self.reminder:
                return f"Reminder {self.reminder}: {self.summary}"
        return self.summary

    @property
    def details(self) -> dict[str, Any]:
        """Everything that has no member of its own."""
        values = {
            "type": str(self.type),
            "reminder": self.reminder,
            "account": self.account,
            "data_center": self.data_center,
            "labels": list(self.labels),
            "detail": self.detail,
            "note": self.note,
            "next_steps": list(self.next_steps),
            **self.more,
        }
        return {name: value for name, value in values.items() if value not in ("", None, [], 0)}

    def to_json(self) -> dict[str, Any]:
        """Return the documented shape."""
        return {
            "id": self.id,
            "event_action": str(self.action),
            "dedup_key": self.dedup_key,
            "severity": str(self.severity),
            "summary": self.summary,
            "component": self.component,
            "source": self.source,
            "timestamp": timestamp(self.at),
            "links": [{"text": link.text, "href": link.href} for link in self.links],
            "details": self.details,
        }


def change_of_agent(
    action: ChangeType, alert: AgentAlert, links: Links, acknowledgement: Acknowledgement | None
) -> Change:
    """Return a change of an agent's incident. `alert`: the last one about the incident, as it would be sent now."""
    meeting, incident = alert.meeting, alert.owed.incident
    start = f", {format_time(meeting.start, timezone(meeting.tzid), '%d %b %H:%M')}" if meeting.start else ""
    names = {name: value for name, value in alert.names.items() if name not in ("account", "data_center")}
    addresses = [
        Link("Timeline", links.timeline(alert.agent_id)),
        Link("Overview", links.dashboard),
        Link("At Cronofy", alert.dashboard),
    ]
    at = {ChangeType.TRIGGER: incident.opened_at, ChangeType.RESOLVE: alert.record.updated_at}.get(action)
    return Change(
        action=action,
        dedup_key=alert.dedup_key,
        number=alert.owed.number,
        type=alert.type,
        severity=alert.severity,
        summary=f"{alert.noun} {summary(alert)}: {alert.title}{start}",
        component=alert.agent_id,
        source=links.stack,
        at=at or (acknowledgement.at if acknowledgement else alert.at),
        reminder=alert.owed.reminder if action is ChangeType.TRIGGER else 0,
        account=alert.names["account"],
        data_center=alert.names["data_center"],
        labels=pairs(alert.labels),
        detail=alert.explanation,
        next_steps=next_steps(alert) if action is ChangeType.TRIGGER else (),
        links=tuple(link for link in addresses if link.href),
        note=_note(action, acknowledgement),
        more={
            "attempt": incident.attempt,
            "agent_id": alert.agent_id,
            "state": str(alert.record.state),
            "meeting": without_links(plain(meeting)),
            **names,
        },
    )


def change_of_group(
    action: ChangeType, alert: GroupAlert, number: int, acknowledgement: Acknowledgement | None
) -> Change:
    """Return a change of the incident of a group."""
    group, opened_at = alert.group, alert.state.opened_at or alert.at
    at = {ChangeType.TRIGGER: opened_at, ChangeType.RESOLVE: alert.at}.get(action)
    name = {NAMED_BY[group.type]: group.name}
    return Change(
        action=action,
        dedup_key=group.key,
        number=number,
        type=group.type,
        severity=alert.severity,
        summary=alert.summary,
        component=group.name,
        source=alert.links.stack,
        at=at or (acknowledgement.at if acknowledgement else alert.at),
        reminder=alert.reminder if action is ChangeType.TRIGGER else 0,
        account=name.get("account", ""),
        data_center=name.get("data_center", ""),
        labels=most_frequent((agent.labels for agent in alert.agents), MAX_LABELS),
        detail=alert.detail,
        next_steps=alert.next_steps if action is ChangeType.TRIGGER else (),
        links=(Link("Overview", alert.links.dashboard),) if alert.links.dashboard else (),
        note=_note(action, acknowledgement),
        more={"agents": [agent.agent_id for agent in alert.agents[:SHOWN_WAITING]], "waiting": len(alert.agents)},
    )


def _note(action: ChangeType, acknowledgement: Acknowledgement | None) -> str:
    if action is not ChangeType.ACKNOWLEDGE or acknowledgement is None:
        return ""
    by = f" ({sanitize(acknowledgement.by, 100)})" if acknowledgement.by else ""
    return f"{sanitize(acknowledgement.note)}{by}"
