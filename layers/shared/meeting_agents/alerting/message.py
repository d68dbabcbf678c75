"""The messages that people read, each about one or many agents. Pure.

One message has one status and one severity, so that a filter on them gets exactly what it names, and a resolved
incident hides no firing one. Of the types, data centers and accounts a message may have several, and lists them.
"""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import batched, zip_longest
from textwrap import fill
from typing import Any

from meeting_agents.alerting.runbook import WORDINGS, next_steps
from meeting_agents.alerting.text import (
    ascii_only,
    format_meeting,
    format_time,
    format_time_with_utc,
    relative_to_meeting,
    sanitize,
    table,
    timezone,
    truncate,
)
from meeting_agents.announcement import AlertView, Announcement, AnnouncementData, is_link
from meeting_agents.domain.model import MAX_REMINDERS, AlertStatus, EntryType, IncidentType, Severity

LISTED = 20
"""The agents shown in full in one message; the others are counted and named."""
MAX_MESSAGE_BYTES = 240 * 1024
"""The bytes of one message with all its texts; SNS allows 256 KB: https://docs.aws.amazon.com/sns/latest/api/API_Publish.html."""
SUBJECT_LENGTH = 100
"""The ASCII characters of a subject: the same page."""
SMS_LENGTH = 140
"""One segment, in any of SNS's encodings but UCS-2: https://docs.aws.amazon.com/sns/latest/dg/sms_sending-overview.html."""
WIDTH = 76
"""The characters of a line of next steps in an e-mail."""
MAX_QUOTED = 10
"""The undocumented fields shown; one notification can have thousands."""
DESCRIPTION_LENGTH = 4000
"""The characters of a chat message's text; Amazon Q Developer documents a higher limit, which was not tried."""


@dataclass(frozen=True, slots=True)
class Links:
    """The addresses of our API, and of the CloudWatch dashboard if there is one."""

    api: str
    dashboard: str

    def timeline(self, agent_id: str) -> str:
        return f"{self.api}/v1/meeting_agents/{agent_id}"


@dataclass(frozen=True, slots=True)
class Alert:
    """One message about one or many announcements of one status and severity. `group_alerts` makes them."""

    announcements: tuple[Announcement, ...]
    links: Links

    @property
    def severity(self) -> Severity:
        return alert_of(self.announcements[0]).severity

    @property
    def status(self) -> AlertStatus:
        return alert_of(self.announcements[0]).status

    @property
    def reminder(self) -> int:
        """The number of the reminder; 0: the first alert."""
        return alert_of(self.announcements[0]).reminder

    @property
    def types(self) -> Counter[IncidentType]:
        return Counter(alert_of(announcement).type for announcement in self.announcements)

    @property
    def attributes(self) -> dict[str, str | tuple[str, ...]]:
        """The message attributes; `type`, `data_center` and `account` have every value of the message."""
        agents = [announcement.data for announcement in self.announcements]
        lists = {
            "type": {str(type_) for type_ in self.types},
            "data_center": {agent.data_center for agent in agents},
            "account": {agent.account for agent in agents},
        }
        sorted_lists = {name: tuple(sorted(filter(None, values))) for name, values in lists.items()}
        return {"status": str(self.status), "severity": str(self.severity)} | {
            name: values for name, values in sorted_lists.items() if values
        }

    @property
    def is_resolved(self) -> bool:
        return self.status is AlertStatus.RESOLVED

    @property
    def subject(self) -> str:
        """At most 100 ASCII characters: the incident, the meeting, and its start."""
        reminder = f", reminder {self.reminder}/{MAX_REMINDERS}" if self.reminder else ""
        mark = f"[{self.status if self.is_resolved else self.severity}{reminder}] "
        if len(self.announcements) > 1:
            return ascii_only(f"{mark}{len(self.announcements)} meeting agents: {self._counted}")[:SUBJECT_LENGTH]
        return mark + self._headline(SUBJECT_LENGTH - len(mark))

    @property
    def sms(self) -> str:
        """One segment, in characters that every encoding of SMS has."""
        if len(self.announcements) > 1:
            return f"{len(self.announcements)} meeting agents: {self._counted}. See e-mail."[:SMS_LENGTH]
        agent = f". {self.announcements[0].subject}"
        again = "REMINDER: " if self.reminder else "RESOLVED: " if self.is_resolved else ""
        return (again + self._headline(SMS_LENGTH - len(again) - len(agent)) + agent).translate(_OUTSIDE_GSM)

    @property
    def text(self) -> str:
        """The message for e-mail."""
        parts = [self._alone(self.announcements[0])] if len(self.announcements) == 1 else list(self._together())
        if self.reminder:
            parts.insert(0, f"No one has acknowledged this yet: reminder {self.reminder} of {MAX_REMINDERS}.")
        return "\n\n".join(parts) + "\n"

    @property
    def machine(self) -> str:
        """The message as JSON: `agents` has the first twenty in full, `omitted` the ids of the others by type."""
        shown, omitted = self._shown
        content = {
            "id": self._id,
            "status": self.status,
            "severity": self.severity,
            "reminder": self.reminder,
            "types": dict(self.types),
            "subject": self.subject,
            "count": len(self.announcements),
            "agents": [self._to_json(announcement) for announcement in shown],
            "omitted": omitted,
            "dashboard": self.links.dashboard,
        }
        return json.dumps(content, ensure_ascii=False)

    @property
    def chat(self) -> str:
        """The message as a custom notification of Amazon Q Developer in chat applications, for Slack and Teams.

        Other machines subscribe by HTTPS, too. They find the JSON of `machine` in `metadata.additionalContext.alert`,
        since the format documents no member for it:
        https://docs.aws.amazon.com/chatbot/latest/adminguide/custom-notifs.html.
        """
        shown, _ = self._shown
        lines = [self._line(announcement) for announcement in shown]
        if omitted := len(self.announcements) - len(shown):
            lines.append(f"And {omitted} more, see the overview.")
        if self.links.dashboard:
            lines.append(f"Overview: {self.links.dashboard}")
        summary = self.subject.translate(_WITHOUT_MARKUP)
        content = {
            "textType": "client-markdown",
            "title": summary,
            "description": truncate("\n".join(lines).translate(_WITHOUT_MARKUP), DESCRIPTION_LENGTH),
            "nextSteps": [step.translate(_WITHOUT_MARKUP) for step in self._steps(next(iter(self._by_type)))],
            "keywords": [str(self.status), str(self.severity), *map(str, self.types)],
        }
        metadata = {
            **({"threadId": self.announcements[0].subject} if len(self.announcements) == 1 else {}),
            "summary": summary,
            "eventType": "meeting_agents.alert",
            "relatedResources": [announcement.subject for announcement in shown],
            "additionalContext": {"status": str(self.status), "severity": str(self.severity), "alert": self.machine},
        }
        notification = {"version": "1.0", "source": "custom", "id": self._id, "content": content, "metadata": metadata}
        return json.dumps(notification, ensure_ascii=False)

    @property
    def message(self) -> str:
        """The texts for each protocol of SNS, for `MessageStructure: json`; queues and functions get the default."""
        texts = {"default": self.machine, "email": self.text, "sms": self.sms, "https": self.chat}
        return json.dumps(texts, ensure_ascii=False)

    @property
    def size(self) -> int:
        """The bytes of the message with its attributes."""
        return len((self.message + json.dumps(self.attributes)).encode())

    @property
    def _id(self) -> str:
        return sha256("\n".join(announcement.id for announcement in self.announcements).encode()).hexdigest()[:32]

    @property
    def _counted(self) -> str:
        return ", ".join(f"{count} {self._words(type_, count)}" for type_, count in self.types.most_common())

    def _words(self, type_: IncidentType, count: int = 1) -> str:
        wording = WORDINGS[type_]
        if self.is_resolved:
            return wording.resolved
        return wording.one if count == 1 else wording.many

    @property
    def _by_type(self) -> dict[IncidentType, list[Announcement]]:
        """The announcements of each type, the earliest meeting first; the most frequent type first."""
        ordered = sorted(self.announcements, key=lambda a: (a.data.meeting.start or a.time, a.subject))
        return {type_: [a for a in ordered if alert_of(a).type is type_] for type_, _ in self.types.most_common()}

    @property
    def _shown(self) -> tuple[list[Announcement], dict[IncidentType, list[str]]]:
        """The announcements shown in full, taken from each type in turn; and the agents of the others."""
        rounds = zip_longest(*self._by_type.values())
        shown = [announcement for round_ in rounds for announcement in round_ if announcement is not None][:LISTED]
        ids = {announcement.id for announcement in shown}
        omitted = {type_: [a.subject for a in same if a.id not in ids] for type_, same in self._by_type.items()}
        return shown, {type_: agents for type_, agents in omitted.items() if agents}

    def _steps(self, type_: IncidentType) -> tuple[str, ...]:
        """The next steps for all agents of a type, each once."""
        steps = (next_steps(announcement.data, announcement.time) for announcement in self._by_type[type_])
        return tuple(dict.fromkeys(step for of_agent in steps for step in of_agent))

    def _headline(self, room: int) -> str:
        """`Meeting agent failed: "Quarterly review", 29 Apr 17:30 CEST`, in ASCII; the title is shortened to fit."""
        announcement = self.announcements[0]
        meeting = announcement.data.meeting
        head = f"Meeting agent {self._words(alert_of(announcement).type)}: "
        tail = f", {format_time(meeting.start, timezone(meeting.tzid), '%d %b %H:%M')}" if meeting.start else ""
        title = truncate(ascii_only(_title(announcement.data)), room - len(head) - len(tail))
        return ascii_only(head + title + tail)[:room]

    def _alone(self, announcement: Announcement) -> str:
        agent, alert = announcement.data, alert_of(announcement)
        at = agent.since if alert.reminder else announcement.time
        has_moved = agent.previous_state is not None and agent.previous_state is not agent.state
        facts = [
            ("Meeting", format_meeting(agent.meeting)),
            ("Known since", format_time_with_utc(at, timezone(agent.meeting.tzid))),
            ("Detail", _detail(agent)),
            ("Reason", _failure_reason(agent)),
            ("State", f"{agent.previous_state} -> {agent.state}" if has_moved else str(agent.state)),
        ]
        number = f"attempt {agent.attempt} of agent {agent.agent_id}"
        names = (
            ("account", agent.account),
            ("calendar", agent.calendar_id),
            ("event", agent.event_id),
            ("scheduling key", agent.scheduling_key),
            ("data center", agent.data_center),
        )
        timeline = self.links.timeline(agent.agent_id)
        can_acknowledge = alert.severity is Severity.CRITICAL and not self.is_resolved
        links = [
            ("At Cronofy", next((r.url for r in agent.resources if r.type == "dashboard" and is_link(r.url)), "")),
            ("Overview", self.links.dashboard),
            ("Timeline", timeline),
            ("Acknowledge", f'POST {timeline}/acknowledgement {{"note": "..."}}' if can_acknowledge else ""),
            ("Agent", ", ".join([number, *(f"{name} {sanitize(value)}" for name, value in names if value)])),
        ]
        return "\n\n".join(
            [
                (
                    f"{'Resolved: the' if self.is_resolved else 'The'} meeting agent for {_title(agent)}"
                    f" {self._words(alert.type)}{relative_to_meeting(at, agent.meeting)}."
                ),
                table(facts),
                _numbered(next_steps(agent, announcement.time)),
                table(links),
            ]
        )

    def _together(self) -> Iterator[str]:
        shown, omitted = self._shown
        ids = {announcement.id for announcement in shown}
        need = "" if self.is_resolved else " need a person"
        yield f"{len(self.announcements)} meeting agents{need}: {self._counted}."
        for type_, announcements in self._by_type.items():
            yield f"{len(announcements)} {self._words(type_, len(announcements))}".upper()
            yield _numbered(self._steps(type_))
            yield "\n".join(self._line(announcement) for announcement in announcements if announcement.id in ids)
        if omitted:
            count = sum(map(len, omitted.values()))
            yield f"And {count} more; the timeline of each is at {self.links.timeline('<agent id>')}"
            for type_, agents in omitted.items():
                rows = ("  " + "  ".join(row) for row in batched(agents, 3, strict=False))
                yield f"{self._words(type_, len(agents))}:\n" + "\n".join(rows)
        if self.links.dashboard:
            yield table([("Overview", self.links.dashboard)])

    def _line(self, announcement: Announcement) -> str:
        agent, type_ = announcement.data, alert_of(announcement).type
        explanation = ""
        if not self.is_resolved and type_ is IncidentType.FAILED:
            explanation = f"; reason: {_failure_reason(agent)}"
        elif type_ in (IncidentType.REJECTED, IncidentType.NOT_CANCELLED, IncidentType.REAUTHORISATION):
            explanation = f"; {_detail(agent)}"
        summary = f"{self._words(type_)}{relative_to_meeting(announcement.time, agent.meeting)}{explanation}"
        meeting = f"{_title(agent)}, {format_meeting(agent.meeting)}"
        return f"- {meeting}\n  {summary}\n  {self.links.timeline(agent.agent_id)}"

    def _to_json(self, announcement: Announcement) -> dict[str, Any]:
        agent, type_ = announcement.data, alert_of(announcement).type
        return {
            "announcement_id": announcement.id,
            "agent_id": announcement.subject,
            "type": type_,
            "at": announcement.time.isoformat(),
            "summary": self._words(type_),
            "detail": _detail(agent),
            "next_steps": next_steps(agent, announcement.time),
            "timeline": self.links.timeline(announcement.subject),
            **_bounded(
                agent.model_dump(
                    mode="json",
                    include={"state", "previous_state", "reason", "attempt", "data_center", "calendar_id", "event_id"}
                    | {"scheduling_key", "account", "meeting", "failures"},
                )
            ),
        }


def alert_of(announcement: Announcement) -> AlertView:
    """Return the alert of an announcement; ValueError if it has none."""
    if announcement.data.alert is None:
        raise ValueError("the announcement causes no alert")
    return announcement.data.alert


def _detail(agent: AnnouncementData) -> str:
    """Return the reason of the entry, where the type of the incident alone does not say it."""
    if agent.alert is None or agent.alert.status is AlertStatus.RESOLVED:
        return sanitize(agent.reason.text)
    match agent.alert.type:
        case IncidentType.FAILED | IncidentType.MISMATCHED:
            return ""
        case IncidentType.CONFLICTING:
            return "Cronofy reported both; the record says complete, as that state has the resources"
        case IncidentType.NO_CONFERENCE if agent.entry.kind is EntryType.CONFERENCING_FAILING:
            return "Cronofy reported that it could not make the conference; it tries again"
        case _:
            return sanitize((agent.entry.reason or agent.reason).text)


def _failure_reason(agent: AnnouncementData) -> str:
    """Return Cronofy's own words for a failure; empty for any other incident."""
    alert = agent.alert
    if alert is None or alert.type is not IncidentType.FAILED or alert.status is AlertStatus.RESOLVED:
        return ""
    return "; ".join(map(sanitize, agent.failures[:MAX_QUOTED])) or "unknown, Cronofy gave none"


def _title(agent: AnnouncementData) -> str:
    summary = sanitize(agent.meeting.summary, 120)
    return f'"{summary}"' if summary else f"event {sanitize(agent.event_id, 120)}" if agent.event_id else agent.agent_id


def _bounded(value: Any) -> Any:
    """Return the value with long texts and lists shortened, so that the alert fits into a message."""
    if isinstance(value, dict):
        return {name: _bounded(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_bounded(inner) for inner in value[:MAX_QUOTED]]
    return truncate(value, 1024) if isinstance(value, str) else value


def _numbered(lines: Sequence[str]) -> str:
    numbered = (
        fill(line, WIDTH, initial_indent=f"  {number}. ", subsequent_indent=" " * 5, break_long_words=False)
        for number, line in enumerate(lines, 1)
    )
    return "\n".join(["Next steps", *numbered])


_WITHOUT_MARKUP = str.maketrans("<>", "()")
"""Mentions of channels and hidden addresses in a chat need angle brackets."""

_OUTSIDE_GSM = str.maketrans("[]{}\\|^~`", "()()//'-'")
"""ASCII characters that GSM 7-bit lacks or counts twice."""
