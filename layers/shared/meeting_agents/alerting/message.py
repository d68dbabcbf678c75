"""The messages that people read, each about one or many agents. Pure.

One message has one status and one severity, so that a filter on them gets exactly what it names, and a resolved
incident hides no firing one. Of the types, data centers and accounts a message may have several, and lists them.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256
from itertools import batched, zip_longest
from textwrap import fill
from typing import Any
from urllib.parse import quote

from meeting_agents.alerting.agent_alert import AgentAlert
from meeting_agents.alerting.chat_notification import chat_notification, fitting
from meeting_agents.alerting.runbook import MANY_AT_ONCE, is_many_at_once, next_steps, summary
from meeting_agents.alerting.text import (
    MIN_TITLE_LENGTH,
    ascii_only,
    for_chat,
    format_labels,
    format_meeting,
    format_time,
    format_time_with_utc,
    relative_to_meeting,
    sanitize,
    table,
    time_left,
    timezone,
    truncate,
)
from meeting_agents.domain.alerts import MAX_REMINDERS
from meeting_agents.domain.labels import pairs
from meeting_agents.domain.model import AlertStatus, IncidentType, Severity

LISTED = 20
"""The agents shown in full in one message; the others are counted and named."""
MAX_MESSAGE_BYTES = 240 * 1024
"""The bytes of one message with all its texts; SNS allows 256 KB: https://docs.aws.amazon.com/sns/latest/api/API_Publish.html."""
SUBJECT_LENGTH = 100
"""The ASCII characters of a subject: the same page."""
SMS_LENGTH = 140
"""One segment, in any of SNS's encodings but UCS-2: https://docs.aws.amazon.com/sns/latest/dg/sms_sending-overview.html."""
STACK_LENGTH = 24
"""The characters of the stack's name in a subject or an SMS."""
TITLES = 300
"""The meetings named by their title beyond those that are shown in full; more would not fit into a message."""
WIDTH = 76
"""The characters of a line of next steps in an e-mail."""
STALE = timedelta(minutes=15)
"""The age of an incident from which a message also says how much time is left now."""


@dataclass(frozen=True, slots=True)
class Links:
    """The addresses of our API, and of the CloudWatch dashboard if there is one; and the name of the stack."""

    api: str
    dashboard: str
    stack: str = ""

    def timeline(self, agent_id: str) -> str:
        return f"{self.api}/v1/meeting_agents/{agent_id}"

    def acknowledgement(self, agent_id: str) -> str:
        """Return the request that acknowledges an agent's incident."""
        return f'POST {self.timeline(agent_id)}/acknowledgement {{"note": "..."}}'

    def group_acknowledgement(self, key: str) -> str:
        """Return the request that acknowledges the incident of a group. `key`: its `dedup_key`."""
        return f'POST {self.api}/v1/incidents/{quote(key, safe="/@+")}/acknowledgement {{"note": "..."}}'


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
        """The message attributes; `type`, `data_center`, `account` and `labels` have all of the message."""
        lists = {
            "type": {str(type_) for type_ in self.types},
            "data_center": {agent.names["data_center"] for agent in self.agents},
            "account": {agent.names["account"] for agent in self.agents},
            "labels": {pair for agent in self.agents for pair in pairs(agent.labels)},
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
        """At most 100 ASCII characters: the urgency, the stack, the incident, the meeting, and its start."""
        mark = subject_mark(self.status, self.severity, self.reminder, self.links.stack)
        return mark + self._headline(SUBJECT_LENGTH - len(mark))

    @property
    def sms(self) -> str:
        """One segment, in characters that every encoding of SMS has."""
        mark = sms_mark(self.status, self.severity, self.reminder, self.links.stack)
        room = SMS_LENGTH - len(mark)
        if len(self.agents) > 1:
            end = ". Look at Cronofy's status first." if is_many_at_once(self.agents) else ". See e-mail."
            text = self._headline(room - len(end)) + end
        else:
            agent, whole = f". {self.agents[0].agent_id}", self._headline(room)
            text = whole + agent if len(whole + agent) <= room else whole
        return (mark + text).translate(OUTSIDE_GSM)

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
            "stack": self.links.stack,
        }
        return to_json(content)

    @property
    def chat(self) -> str:
        """The message as a custom notification of Amazon Q Developer in chat applications, for Slack and Teams.

        Other machines subscribe by HTTPS, too. They find the JSON of `machine` in `metadata.additionalContext.alert`,
        since the format documents no member for it:
        https://docs.aws.amazon.com/chatbot/latest/adminguide/custom-notifs.html.
        """
        shown, _ = self._shown
        long, short = list(self._list(for_chat)), list(self._list(for_chat, is_short=True))
        mark = subject_mark(self.status, self.severity, self.reminder, self.links.stack)
        return chat_notification(
            id_=self._id,
            title=mark + for_chat(self._headline(SUBJECT_LENGTH - len(mark))),
            lines=fitting(long, short, self.links.dashboard),
            steps=[for_chat_with(self.links, step) for step in self._first_steps],
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

    @property
    def _first_steps(self) -> tuple[str, ...]:
        """The next steps for the most frequent type."""
        many = (MANY_AT_ONCE,) if is_many_at_once(self.agents) else ()
        return (*many, *self._steps(next(iter(self._by_type))))

    def _headline(self, room: int) -> str:
        """`Meeting agent failed: "Quarterly review", 29 Apr 17:30 CEST`, in ASCII; the title is shortened to fit.

        Where the title had no room, the time is left out.
        """
        if len(self.agents) > 1:
            return truncate(f"{len(self.agents)} meeting agents: {self._counted}", room)
        agent = self.agents[0]
        meeting = agent.meeting
        head = f"{agent.noun} {summary(agent)}: "
        tail = f", {format_time(meeting.start, timezone(meeting.tzid), '%d %b %H:%M')}" if meeting.start else ""
        title = agent.ascii_title
        if room - len(head + tail) < min(len(title), MIN_TITLE_LENGTH):
            tail = ""
        return ascii_only(head + truncate(title, room - len(head + tail)) + tail)

    def _alone(self, agent: AgentAlert) -> str:
        meeting = agent.meeting
        facts = [
            ("Meeting", format_meeting(meeting)),
            ("Known since", format_time_with_utc(agent.known_at, timezone(meeting.tzid))),
            ("Detail", agent.detail),
            ("Reason", agent.failure),
            ("Second agent", agent.on_second_agent),
            ("Labels", format_labels(agent.labels)),
        ]
        names = (f"{name.replace('_', ' ')} {sanitize(value)}" for name, value in agent.names.items() if value)
        links = [
            ("At Cronofy", agent.dashboard),
            ("Overview", self.links.dashboard),
            ("Timeline", self.links.timeline(agent.agent_id)),
            ("Acknowledge", self.links.acknowledgement(agent.agent_id) if self._has_reminders else ""),
            ("Agent", ", ".join([f"attempt {agent.owed.incident.attempt} of agent {agent.agent_id}", *names])),
        ]
        return "\n\n".join(
            [
                (
                    f"{'Resolved: the' if self.is_resolved else 'The'} {agent.noun.lower()} for {agent.title}"
                    f" {summary(agent)}{relative_to_meeting(agent.known_at, meeting)}.{self._time_left(agent)}"
                ),
                table(facts),
                numbered(next_steps(agent)),
                table(links),
            ]
        )

    @property
    def _has_reminders(self) -> bool:
        """An acknowledgement ends the reminders; without them there is nothing to end."""
        return self.severity is Severity.CRITICAL and not self.is_resolved

    def _time_left(self, agent: AgentAlert) -> str:
        """Return the time that is left for the meeting, where the incident opened long ago."""
        is_urgent = self._has_reminders and agent.at - agent.known_at >= STALE
        return time_left(agent.at, agent.meeting) if is_urgent else ""

    def _together(self) -> Iterator[str]:
        need = "" if self.is_resolved else " need a person"
        yield f"{len(self.agents)} meeting agents{need}: {self._counted}."
        if is_many_at_once(self.agents):
            yield MANY_AT_ONCE
        shown, _ = self._shown
        ids, titles = {agent.id for agent in shown}, TITLES
        for type_, agents in self._by_type.items():
            yield f"{len(agents)} {self._words(agents)}".upper()
            yield numbered(self._steps(type_))
            for cause, group in by_cause(agents).items():
                lines = [f"Reason of {len(group)}: {cause}"] if cause else []
                lines += [self._line(agent) for agent in group if agent.id in ids]
                others = [agent for agent in group if agent.id not in ids]
                lines += [f"- {self._short(agent)}\n  {agent.agent_id}" for agent in others[:titles]]
                rows = batched((agent.agent_id for agent in others[titles:]), 3, strict=False)
                yield "\n".join([*lines, *("  " + "  ".join(row) for row in rows)])
                titles = max(0, titles - len(others))
        if len(self.agents) > len(shown):
            yield f"The timeline of each is at {self.links.timeline('<agent id>')}"
        acknowledgement = f"{self.links.acknowledgement('<agent id>')} for each" if self._has_reminders else ""
        yield table([("Overview", self.links.dashboard), ("Acknowledge", acknowledgement)])

    def _list(self, written: Callable[[str], str], *, is_short: bool = False) -> Iterator[str]:
        """Iterate over the agents by type and cause. `written`: returns text from outside as the reader can take it."""
        if len(self.agents) == 1:
            (agent,) = self.agents
            reason = f"\nReason: {written(agent.cause)}" if agent.cause else ""
            yield self._line(agent, written) + reason
            return
        for agents in self._by_type.values():
            for cause, group in by_cause(agents).items():
                yield f"{len(group)} {self._words(group)}{f': {written(cause)}' if cause else ''}"
                for agent in group:
                    yield f"- {written(self._short(agent))}" if is_short else self._line(agent, written)

    def _line(self, agent: AgentAlert, written: Callable[[str], str] = str) -> str:
        meeting = f"{written(agent.title)}, {format_meeting(agent.meeting)}"
        words = f"{summary(agent)}{relative_to_meeting(agent.known_at, agent.meeting)}"
        second = f"\n  second agent: {agent.on_second_agent}" if agent.second_agent else ""
        labels = f"\n  {written(format_labels(agent.labels))}" if agent.labels else ""
        return f"- {meeting}\n  {words}{second}{labels}\n  {self.links.timeline(agent.agent_id)}"

    def _short(self, agent: AgentAlert) -> str:
        start = agent.meeting.start
        return f"{truncate(agent.title, 60)}, {format_time(start, agent.zone, '%d %b %H:%M') if start else 'no time'}"

    def _to_json(self, agent: AgentAlert) -> dict[str, Any]:
        return agent.to_json() | {
            "summary": summary(agent),
            "detail": agent.detail,
            "next_steps": next_steps(agent),
            "timeline": self.links.timeline(agent.agent_id),
        }


def by_cause(agents: Sequence[AgentAlert]) -> dict[str, list[AgentAlert]]:
    """Return the agents of one type by the cause of their incident, the most frequent cause first."""
    causes = Counter(agent.cause for agent in agents)
    return {cause: [agent for agent in agents if agent.cause == cause] for cause, _ in causes.most_common()}


def subject_mark(status: AlertStatus, severity: Severity, reminder: int, stack: str) -> str:
    """`[critical, reminder 1/2] meeting-agents: `, the beginning of a subject."""
    mark = f"{status if status is AlertStatus.RESOLVED else severity}{_number(reminder)}"
    return f"[{mark}] {_stack(stack)}"


def sms_mark(status: AlertStatus, severity: Severity, reminder: int, stack: str) -> str:
    """`CRITICAL, reminder 1/2, meeting-agents: `, the beginning of an SMS."""
    mark = f"{status if status is AlertStatus.RESOLVED else severity}".upper() + _number(reminder)
    return f"{mark}, {_stack(stack)}" if stack else f"{mark}: "


def _number(reminder: int) -> str:
    return f", reminder {reminder}/{MAX_REMINDERS}" if reminder else ""


def _stack(name: str) -> str:
    return f"{truncate(name, STACK_LENGTH)}: " if name else ""


def for_chat_with(links: Links, step: str) -> str:
    """Return a step for a chat: our own addresses stay, nothing else becomes a link or a mention."""
    return links.api.join(for_chat(part) for part in step.split(links.api)) if links.api else for_chat(step)


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


def for_each_protocol(machine: str, text: str, sms: str, chat: str) -> str:
    """Return the texts for each protocol of SNS, for `MessageStructure: json`."""
    return json.dumps({"default": machine, "email": text, "sms": sms, "https": chat}, ensure_ascii=False)


def to_json(content: Mapping[str, Any]) -> str:
    """Return JSON in which text from outside has no character of a mention or of a tag, as JSON's own escapes."""
    return json.dumps(content, ensure_ascii=False).translate(_JSON_ESCAPES)


_JSON_ESCAPES = str.maketrans({character: f"\\u{ord(character):04x}" for character in "<>@&"})
"""Outside of texts, JSON has none of these."""

OUTSIDE_GSM = str.maketrans("[]{}\\|^~`", "()()//'-'")
"""ASCII characters that GSM 7-bit lacks or counts twice."""
