"""The message about a group of agents that share one incident. Pure."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from itertools import batched
from typing import Any

from meeting_agents.alerting.chat_notification import chat_notification, fitting
from meeting_agents.alerting.message import (
    LISTED,
    OUTSIDE_GSM,
    SMS_LENGTH,
    SUBJECT_LENGTH,
    TITLES,
    Links,
    for_each_protocol,
    numbered,
    sms_mark,
    subject_mark,
    to_json,
)
from meeting_agents.alerting.runbook import (
    CONNECT_A_PROFILE_AGAIN,
    CONNECT_PROFILE_AGAIN,
    CONNECT_PROFILES_AGAIN,
    CONNECTED_THEN,
    DRILL_DETAIL,
    DRILL_UNHEARD,
    GROUP_WORDINGS,
    PROFILE_DISCONNECTED,
    WORDINGS,
)
from meeting_agents.alerting.text import (
    ascii_only,
    for_chat,
    format_duration,
    format_labels,
    format_meeting,
    format_time,
    format_time_with_utc,
    sanitize,
    table,
    timezone,
    title_of,
    truncate,
    without_links,
)
from meeting_agents.announcement import is_link
from meeting_agents.domain.alerts import MAX_REMINDERS
from meeting_agents.domain.groups import Group, GroupState, Waiting
from meeting_agents.domain.labels import most_frequent
from meeting_agents.domain.model import AlertStatus, IncidentType, Meeting, Severity
from meeting_agents.plain_values import plain

NAMED_BY: Mapping[IncidentType, str] = {
    IncidentType.ACCOUNT_DISCONNECTED: "account",
    IncidentType.CALLBACKS_MISSING: "data_center",
    IncidentType.CHANNEL_FAILING: "channel",
    IncidentType.DRILL: "drill",
}
"""The message attribute that has the name of a group."""
MAX_LABELS = 100
"""The labels in the attributes of one message, those of most agents: thousands would not fit."""
NAMED = 1000
"""The agents named in one message; the others are counted: their ids would not fit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupAlert:
    """One message about a group. `agents`: those that wait when it is sent, the earliest meeting first."""

    group: Group
    status: AlertStatus
    severity: Severity
    state: GroupState
    agents: tuple[Waiting, ...]
    at: datetime
    """The time of sending."""
    links: Links
    reminder: int = 0
    """The number of the reminder; 0: none."""

    @property
    def is_resolved(self) -> bool:
        return self.status is AlertStatus.RESOLVED

    @property
    def is_unheard(self) -> bool:
        """The alert is about a drill that is over, and that no one acknowledged."""
        return self.is_resolved and self.group.type is IncidentType.DRILL and self.state.acknowledgement is None

    @property
    def number(self) -> int:
        """The number of alerts about the group before."""
        return self.state.last.count if self.state.last else 0

    @property
    def attributes(self) -> dict[str, str | tuple[str, ...]]:
        """The message attributes, like those of a message about agents."""
        name = {NAMED_BY[self.group.type]: (self.group.name,)}
        labels = most_frequent((agent.labels for agent in self.agents), MAX_LABELS)
        values: dict[str, str | tuple[str, ...]] = {"status": str(self.status), "severity": str(self.severity)}
        return values | {"type": (str(self.group.type),), **name} | ({"labels": labels} if labels else {})

    @property
    def subject(self) -> str:
        """At most 100 ASCII characters: the incident, and the number of agents."""
        mark = subject_mark(self.status, self.severity, self.reminder, self.links.stack)
        return mark + self._headline(SUBJECT_LENGTH - len(mark))

    @property
    def sms(self) -> str:
        """One segment, in characters that every encoding of SMS has."""
        mark, end = sms_mark(self.status, self.severity, self.reminder, self.links.stack), ". See e-mail."
        return (mark + self._headline(SMS_LENGTH - len(mark) - len(end)) + end).translate(OUTSIDE_GSM)

    @property
    def text(self) -> str:
        """The message for e-mail."""
        wording, shown, others = GROUP_WORDINGS[self.group.type], self.agents[:LISTED], self.agents[LISTED:]
        parts = [f"{'Resolved: ' if self.is_resolved else ''}{self.summary}.", self.detail, numbered(self.next_steps)]
        if self.reminder:
            parts.insert(0, f"No one has acknowledged this yet: reminder {self.reminder} of {MAX_REMINDERS}.")
        if shown:
            parts.append("\n".join([wording.list_heading, *map(self._line, shown)]))
        if others:
            rows = batched((agent.agent_id for agent in others[TITLES:NAMED]), 3, strict=False)
            heading = f"And {len(others)} more; the timeline of each is at {self._timeline('<agent id>')}"
            titled = (f"- {self._short(agent)}\n  {agent.agent_id}" for agent in others[:TITLES])
            parts.append("\n".join([heading, *titled, *("  " + "  ".join(row) for row in rows)]))
        has_reminders = self.severity is Severity.CRITICAL and not self.is_resolved
        acknowledgement = self.links.group_acknowledgement(self.group.key) if has_reminders else ""
        links = table([("Overview", self.links.dashboard), ("Acknowledge", acknowledgement)])
        return "\n\n".join(filter(None, [*parts, links])) + "\n"

    @property
    def machine(self) -> str:
        """The message as JSON: `agents` has the first twenty in full, `omitted` the ids of the next thousand."""
        omitted: dict[IncidentType, list[str]] = {}
        for agent in self.agents[LISTED : LISTED + NAMED]:
            omitted.setdefault(agent.type, []).append(agent.agent_id)
        content = {
            "id": self._id,
            "status": self.status,
            "severity": self.severity,
            "reminder": self.reminder,
            "types": {self.group.type: 1},
            "subject": self.subject,
            "group": {
                "dedup_key": self.group.key,
                "type": self.group.type,
                "name": self.group.name,
                "summary": self.summary,
                "detail": self.detail,
                "next_steps": self.next_steps,
            },
            "count": len(self.agents),
            "agents": [self._to_json(agent) for agent in self.agents[:LISTED]],
            "omitted": omitted,
            "dashboard": self.links.dashboard,
            "stack": self.links.stack,
        }
        return to_json(content)

    @property
    def chat(self) -> str:
        """The message as a custom notification of Amazon Q Developer in chat applications, as `Alert.chat`."""
        head = [self.detail] if self.detail else []
        long = [*head, *(self._line(agent, for_chat) for agent in self.agents)]
        short = [*head, *(f"- {for_chat(self._short(agent))}" for agent in self.agents)]
        mark = subject_mark(self.status, self.severity, self.reminder, self.links.stack)
        return chat_notification(
            id_=self._id,
            title=mark + for_chat(self._headline(SUBJECT_LENGTH - len(mark))),
            lines=fitting(long, short, self.links.dashboard),
            steps=self._steps(for_chat(self._name)),
            keywords=[str(self.status), str(self.severity), str(self.group.type)],
            thread=self.group.key,
            resources=[self.group.key],
            context={"status": str(self.status), "severity": str(self.severity), "alert": self.machine},
        )

    @property
    def message(self) -> str:
        """The texts for each protocol of SNS, for `MessageStructure: json`; queues and functions get the default."""
        return for_each_protocol(self.machine, self.text, self.sms, self.chat)

    @property
    def summary(self) -> str:
        """One sentence: the incident, the number of meetings or agents, and the first meeting that waits."""
        return self._sentence + self._first

    @property
    def _sentence(self) -> str:
        wording, is_resolved = GROUP_WORDINGS[self.group.type], self.is_resolved
        incident = wording.resolved if is_resolved else wording.firing
        waiting = wording.still_waiting if is_resolved else wording.waiting
        if is_resolved and not self.state.is_registered:
            incident = "Account {name} is no longer registered"
        if self.is_unheard:
            incident = DRILL_UNHEARD
        if not is_resolved and self.state.disconnected:
            incident = PROFILE_DISCONNECTED
        text = f"{incident}: {waiting}" if self.agents else incident
        return text.format(name=self._name, meetings=self._counted("meeting"), agents=self._counted("meeting agent"))

    @property
    def _first(self) -> str:
        """`, first 29 Apr 17:30 CEST`; empty for agents that are silent, as their meetings have begun."""
        meeting = self.agents[0].meeting if self.agents else Meeting()
        if self.is_resolved or self.group.type is not IncidentType.ACCOUNT_DISCONNECTED or meeting.start is None:
            return ""
        return f", first {format_time(meeting.start, timezone(meeting.tzid), '%d %b %H:%M')}"

    @property
    def detail(self) -> str:
        """The facts behind the incident."""
        if self.group.type is IncidentType.DRILL:
            return self._drilled if self.is_resolved else DRILL_DETAIL
        if self.is_resolved:
            return ""
        if self.group.type is IncidentType.CHANNEL_FAILING:
            failure = self.state.failure
            since = f"Since {format_time_with_utc(failure.since, timezone(''))}: " if failure else ""
            return f"{since}{sanitize(failure.problem) if failure else 'unknown'}."
        if self.state.disconnected:
            one_or_many = "profile is" if len(self.state.disconnected) == 1 else "profiles are"
            return (
                f"The account's conferencing {one_or_many} disconnected, so these meetings have no conference to join."
            )
        if self.group.type is IncidentType.ACCOUNT_DISCONNECTED:
            return "Cronofy no longer accepts the account's refresh token, so no request can be sent in its name."
        zone = timezone(self.agents[0].meeting.tzid if self.agents else "")
        heard_at = self.state.heard_before if self.state.is_firing else self.state.heard_at
        since = f"since {format_time_with_utc(heard_at, zone)}" if heard_at else "yet"
        return f"No callback has arrived from this data center {since}. It is unknown what became of these agents."

    @property
    def _drilled(self) -> str:
        """Who acknowledged the drill that is over, and after how long."""
        opened_at, acknowledgement = self.state.opened_at or self.at, self.state.acknowledgement
        if acknowledgement is None:
            return f"No one acknowledged it within a day, from {format_time_with_utc(opened_at, timezone(''))}."
        by = f" by {sanitize(acknowledgement.by, 100)}" if acknowledgement.by else ""
        after = format_duration(max(acknowledgement.at - opened_at, timedelta()))
        return f'Acknowledged{by}, {after} after the alert: "{sanitize(acknowledgement.note)}".'

    @property
    def next_steps(self) -> tuple[str, ...]:
        """The next steps, the most urgent first."""
        return self._steps(self._name)

    def _steps(self, name: str) -> tuple[str, ...]:
        wording = GROUP_WORDINGS[self.group.type]
        if self.is_resolved and not self.agents and not self.is_unheard:
            return ("Nothing to do: the earlier alert is resolved.",)
        steps = wording.next_steps_resolved if self.is_resolved else wording.next_steps
        urls = dict.fromkeys(one.relink_url for one in self.state.disconnected if is_link(one.relink_url))
        if self.state.disconnected:
            connect = CONNECT_PROFILES_AGAIN if len(urls) > 1 else CONNECT_PROFILE_AGAIN
            steps = (connect if urls else CONNECT_A_PROFILE_AGAIN, *CONNECTED_THEN)
        return tuple(step.format(name=name, api=self.links.api, url=" and ".join(urls)) for step in steps)

    @property
    def _id(self) -> str:
        return sha256(f"{self.group.key}#{self.number}".encode()).hexdigest()[:32]

    @property
    def _name(self) -> str:
        return sanitize(self.group.name, 60)

    def _counted(self, noun: str) -> str:
        return f"{len(self.agents)} {noun}{'' if len(self.agents) == 1 else 's'}"

    def _headline(self, room: int) -> str:
        """Return the summary in ASCII, without the first meeting if that does not fit."""
        whole = ascii_only(self.summary)
        return whole if len(whole) <= room else truncate(ascii_only(self._sentence), room)

    def _line(self, agent: Waiting, written: Callable[[str], str] = str) -> str:
        words = "" if agent.type is self.group.type else f"\n  {WORDINGS[agent.type].one}"
        labels = f"\n  {written(format_labels(agent.labels))}" if agent.labels else ""
        title = f"{written(_title(agent))}, {format_meeting(agent.meeting)}"
        return f"- {title}{words}{labels}\n  {self._timeline(agent.agent_id)}"

    def _short(self, agent: Waiting) -> str:
        start, zone = agent.meeting.start, timezone(agent.meeting.tzid)
        return f"{truncate(_title(agent), 60)}, {format_time(start, zone, '%d %b %H:%M') if start else 'no time'}"

    def _timeline(self, agent_id: str) -> str:
        return self.links.timeline(agent_id)

    def _to_json(self, agent: Waiting) -> dict[str, Any]:
        return {
            "agent_id": agent.agent_id,
            "type": agent.type,
            "meeting": without_links(plain(agent.meeting)),
            "event_id": agent.event_id,
            "labels": without_links(dict(agent.labels)),
            "timeline": self._timeline(agent.agent_id),
        }


def _title(agent: Waiting) -> str:
    return title_of(agent.meeting.summary, agent.agent_id, event_id=agent.event_id, scheduling_key=agent.scheduling_key)
