"""The messages that people read, each about one or many agents. Pure.

One message has one status and one severity, so that a filter on them gets exactly what it names, and a resolved
incident hides no firing one. Of the types, data centers and accounts a message may have several, and lists them.
"""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import batched, zip_longest
from textwrap import fill
from typing import Any

from meeting_agents.alerting.agent_alert import AgentAlert
from meeting_agents.alerting.runbook import next_steps, summary
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
from meeting_agents.domain.alerts import MAX_REMINDERS
from meeting_agents.domain.model import AlertStatus, IncidentType, Severity

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
    """One message about one or many agents, of one status and severity. `group_alerts` makes them."""

    agents: tuple[AgentAlert, ...]
    links: Links

    @property
    def severity(self) -> Severity:
        return self.agents[0].severity

    @property
    def status(self) -> AlertStatus:
        return self.agents[0].status

    @property
    def reminder(self) -> int:
        """The number of the reminder; 0: the first alert."""
        return self.agents[0].owed.reminder

    @property
    def types(self) -> Counter[IncidentType]:
        return Counter(agent.type for agent in self.agents)

    @property
    def attributes(self) -> dict[str, str | tuple[str, ...]]:
        """The message attributes; `type`, `data_center` and `account` have every value of the message."""
        lists = {
            "type": {str(type_) for type_ in self.types},
            "data_center": {agent.names["data_center"] for agent in self.agents},
            "account": {agent.names["account"] for agent in self.agents},
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
        if len(self.agents) > 1:
            return ascii_only(f"{mark}{len(self.agents)} meeting agents: {self._counted}")[:SUBJECT_LENGTH]
        return mark + self._headline(SUBJECT_LENGTH - len(mark))

    @property
    def sms(self) -> str:
        """One segment, in characters that every encoding of SMS has."""
        if len(self.agents) > 1:
            return f"{len(self.agents)} meeting agents: {self._counted}. See e-mail."[:SMS_LENGTH]
        agent = f". {self.agents[0].agent_id}"
        again = "REMINDER: " if self.reminder else "RESOLVED: " if self.is_resolved else ""
        return (again + self._headline(SMS_LENGTH - len(again) - len(agent)) + agent).translate(OUTSIDE_GSM)

    @property
    def text(self) -> str:
        """The message for e-mail."""
        parts = [self._alone(self.agents[0])] if len(self.agents) == 1 else list(self._together())
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
            "count": len(self.agents),
            "agents": [self._to_json(agent) for agent in shown],
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
        lines = [self._line(agent) for agent in shown]
        if omitted := len(self.agents) - len(shown):
            lines.append(f"And {omitted} more, see the overview.")
        if self.links.dashboard:
            lines.append(f"Overview: {self.links.dashboard}")
        return chat_notification(
            id_=self._id,
            title=self.subject,
            lines=lines,
            steps=self._steps(next(iter(self._by_type))),
            keywords=[str(self.status), str(self.severity), *map(str, self.types)],
            thread=self.agents[0].agent_id if len(self.agents) == 1 else "",
            resources=[agent.agent_id for agent in shown],
            context={"status": str(self.status), "severity": str(self.severity), "alert": self.machine},
        )

    @property
    def message(self) -> str:
        """The texts for each protocol of SNS, for `MessageStructure: json`; queues and functions get the default."""
        return for_each_protocol(self.machine, self.text, self.sms, self.chat)

    @property
    def size(self) -> int:
        """The bytes of the message with its attributes."""
        return len((self.message + json.dumps(self.attributes)).encode())

    @property
    def _id(self) -> str:
        return sha256("\n".join(agent.id for agent in self.agents).encode()).hexdigest()[:32]

    @property
    def _counted(self) -> str:
        return ", ".join(f"{len(agents)} {self._words(agents)}" for agents in self._by_type.values())

    def _words(self, agents: Sequence[AgentAlert]) -> str:
        """Return the words for the incident of these agents of one type."""
        return summary(agents[0], is_many=len(agents) > 1)

    @property
    def _by_type(self) -> dict[IncidentType, list[AgentAlert]]:
        """The agents of each type, the earliest meeting first; the most frequent type first."""
        ordered = sorted(self.agents, key=lambda agent: (agent.meeting.start or agent.known_at, agent.agent_id))
        return {type_: [agent for agent in ordered if agent.type is type_] for type_, _ in self.types.most_common()}

    @property
    def _shown(self) -> tuple[list[AgentAlert], dict[IncidentType, list[str]]]:
        """The agents shown in full, taken from each type in turn; and the ids of the others."""
        rounds = zip_longest(*self._by_type.values())
        shown = [agent for round_ in rounds for agent in round_ if agent is not None][:LISTED]
        ids = {agent.id for agent in shown}
        omitted = {type_: [a.agent_id for a in agents if a.id not in ids] for type_, agents in self._by_type.items()}
        return shown, {type_: agents for type_, agents in omitted.items() if agents}

    def _steps(self, type_: IncidentType) -> tuple[str, ...]:
        """The next steps for all agents of a type, each once."""
        return tuple(dict.fromkeys(step for agent in self._by_type[type_] for step in next_steps(agent)))

    def _headline(self, room: int) -> str:
        """`Meeting agent failed: "Quarterly review", 29 Apr 17:30 CEST`, in ASCII; the title is shortened to fit."""
        agent = self.agents[0]
        meeting = agent.meeting
        head = f"Meeting agent {summary(agent)}: "
        tail = f", {format_time(meeting.start, timezone(meeting.tzid), '%d %b %H:%M')}" if meeting.start else ""
        title = truncate(ascii_only(agent.title), room - len(head) - len(tail))
        return ascii_only(head + title + tail)[:room]

    def _alone(self, agent: AgentAlert) -> str:
        meeting = agent.meeting
        facts = [
            ("Meeting", format_meeting(meeting)),
            ("Known since", format_time_with_utc(agent.known_at, timezone(meeting.tzid))),
            ("Detail", agent.detail),
            ("Reason", agent.failure),
            ("State", str(agent.record.state)),
        ]
        names = (f"{name.replace('_', ' ')} {sanitize(value)}" for name, value in agent.names.items() if value)
        timeline = self.links.timeline(agent.agent_id)
        can_acknowledge = self.severity is Severity.CRITICAL and not self.is_resolved
        links = [
            ("At Cronofy", agent.dashboard),
            ("Overview", self.links.dashboard),
            ("Timeline", timeline),
            ("Acknowledge", f'POST {timeline}/acknowledgement {{"note": "..."}}' if can_acknowledge else ""),
            ("Agent", ", ".join([f"attempt {agent.owed.incident.attempt} of agent {agent.agent_id}", *names])),
        ]
        return "\n\n".join(
            [
                (
                    f"{'Resolved: the' if self.is_resolved else 'The'} meeting agent for {agent.title}"
                    f" {summary(agent)}{relative_to_meeting(agent.known_at, meeting)}."
                ),
                table(facts),
                numbered(next_steps(agent)),
                table(links),
            ]
        )

    def _together(self) -> Iterator[str]:
        shown, omitted = self._shown
        ids = {agent.id for agent in shown}
        need = "" if self.is_resolved else " need a person"
        yield f"{len(self.agents)} meeting agents{need}: {self._counted}."
        for type_, agents in self._by_type.items():
            yield f"{len(agents)} {self._words(agents)}".upper()
            yield numbered(self._steps(type_))
            yield "\n".join(self._line(agent) for agent in agents if agent.id in ids)
        if omitted:
            count = sum(map(len, omitted.values()))
            yield f"And {count} more; the timeline of each is at {self.links.timeline('<agent id>')}"
            for type_, agent_ids in omitted.items():
                rows = ("  " + "  ".join(row) for row in batched(agent_ids, 3, strict=False))
                yield f"{self._words(self._by_type[type_])}:\n" + "\n".join(rows)
        if self.links.dashboard:
            yield table([("Overview", self.links.dashboard)])

    def _line(self, agent: AgentAlert) -> str:
        explanation = f"; reason: {agent.failure}" if agent.failure else ""
        if agent.type in _EXPLAINED and not self.is_resolved:
            explanation = f"; {agent.detail}"
        meeting = f"{agent.title}, {format_meeting(agent.meeting)}"
        words = f"{summary(agent)}{relative_to_meeting(agent.known_at, agent.meeting)}{explanation}"
        return f"- {meeting}\n  {words}\n  {self.links.timeline(agent.agent_id)}"

    def _to_json(self, agent: AgentAlert) -> dict[str, Any]:
        return agent.to_json() | {
            "summary": summary(agent),
            "detail": agent.detail,
            "next_steps": next_steps(agent),
            "timeline": self.links.timeline(agent.agent_id),
        }


_EXPLAINED = frozenset(
    {
        IncidentType.UNWANTED,
        IncidentType.NOT_ARRANGED,
        IncidentType.REJECTED,
        IncidentType.ACCOUNT_DISCONNECTED,
    }
)
"""The types whose detail is shown in a list, too."""


def numbered(lines: Sequence[str]) -> str:
    """Return the next steps for an e-mail."""
    lines_with_numbers = (
        fill(
            line,
            WIDTH,
            initial_indent=f"  {number}. ",
            subsequent_indent=" " * 5,
            break_long_words=False,
            break_on_hyphens=False,
        )
        for number, line in enumerate(lines, 1)
    )
    return "\n".join(["Next steps", *lines_with_numbers])


def chat_notification(
    *,
    id_: str,
    title: str,
    lines: Sequence[str],
    steps: Sequence[str],
    keywords: Sequence[str],
    thread: str,
    resources: Sequence[str],
    context: Mapping[str, str],
) -> str:
    """Return a custom notification of Amazon Q Developer in chat applications. `thread`: its thread's id, if any."""
    summary = title.translate(_WITHOUT_MARKUP)
    content = {
        "textType": "client-markdown",
        "title": summary,
        "description": truncate("\n".join(lines).translate(_WITHOUT_MARKUP), DESCRIPTION_LENGTH),
        "nextSteps": [step.translate(_WITHOUT_MARKUP) for step in steps],
        "keywords": list(keywords),
    }
    metadata = {
        **({"threadId": thread} if thread else {}),
        "summary": summary,
        "eventType": "meeting_agents.alert",
        "relatedResources": list(resources),
        "additionalContext": dict(context),
    }
    notification = {"version": "1.0", "source": "custom", "id": id_, "content": content, "metadata": metadata}
    return json.dumps(notification, ensure_ascii=False)


def for_each_protocol(machine: str, text: str, sms: str, chat: str) -> str:
    """Return the texts for each protocol of SNS, for `MessageStructure: json`."""
    return json.dumps({"default": machine, "email": text, "sms": sms, "https": chat}, ensure_ascii=False)


_WITHOUT_MARKUP = str.maketrans("<>", "()")
"""Mentions of channels and hidden addresses in a chat need angle brackets."""

OUTSIDE_GSM = str.maketrans("[]{}\\|^~`", "()()//'-'")
"""ASCII characters that GSM 7-bit lacks or counts twice."""
