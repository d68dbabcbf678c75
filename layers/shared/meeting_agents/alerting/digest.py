"""The daily digest: the agents of a day, compared with the seven days before, and those still open. Pure."""

import json
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from hashlib import sha256
from typing import Any

from meeting_agents.alerting.chat_notification import DESCRIPTION_LENGTH
from meeting_agents.alerting.message import SMS_LENGTH, STACK_LENGTH, SUBJECT_LENGTH, Links
from meeting_agents.alerting.runbook import WORDINGS
from meeting_agents.alerting.text import for_chat, format_meeting, relative_to_meeting, table, title_of, truncate
from meeting_agents.domain.model import IncidentType, Meeting, Severity, State
from meeting_agents.domain.rescue import Outcome
from meeting_agents.wording import STATES

DAYS_BEFORE = 7
LISTED = 10
"""The agents shown in each section."""

ATTRIBUTES = ("pk", "listed", "state", "since", "incident", "meeting", "second_agent", "event_id", "scheduling_key")
"""The attributes of a record that it needs."""

SECOND_AGENTS: Mapping[Outcome, str] = {
    Outcome.REPORTED: "would have been sent; no agent came without it",
    Outcome.NOT_NEEDED: "not needed: an agent came without it",
    Outcome.WITHHELD: "due, and not sent: the timeline says why",
    Outcome.SENT: "sent; its end is not known",
    Outcome.COMPLETE: "sent, and complete",
    Outcome.FAILED: "sent, and failed as well",
}
"""The words for the outcome of a second agent."""
_MISSED = (State.FAILED, State.REJECTED, State.OVERDUE)
_OPEN = (State.REQUESTED, State.SCHEDULED, State.ACTIVATED, State.OVERDUE)


@dataclass(slots=True)
class Tally:
    """The numbers of agents by state."""

    states: Counter[str] = field(default_factory=Counter)

    @property
    def total(self) -> int:
        return self.states.total()

    @property
    def complete(self) -> int:
        return self.states[State.COMPLETE]

    @property
    def decided(self) -> int:
        """The agents that are complete or missed; the others say nothing about success."""
        return self.complete + sum(self.states[state] for state in _MISSED)

    @property
    def rate(self) -> str:
        return f"{self.complete / self.decided:.1%}" if self.decided else "none decided"


@dataclass(slots=True)
class Digest:
    """The digest of one day, which begins then. `zone`: the time zone of the day."""

    day: date
    zone: str
    links: Links
    begins: datetime
    now: datetime
    of_day: Tally = field(default_factory=Tally)
    before: Tally = field(default_factory=Tally)
    slow: list[Mapping[str, Any]] = field(default_factory=list)
    still_open: list[Mapping[str, Any]] = field(default_factory=list)
    open_count: int = 0
    second_agents: Counter[Outcome] = field(default_factory=Counter)
    """The meetings of the day by the outcome of their second agent, sent or only reported."""

    def add(self, row: Mapping[str, Any]) -> None:
        """Count the stored record of an agent of the day, or of one of the seven before."""
        meeting, since = _meeting(row), datetime.fromisoformat(row["since"])
        start = meeting.start or since
        self.count(start, State(row["state"]))
        if start >= self.begins and "second_agent" in row:
            self.second_agents[Outcome(row["second_agent"])] += 1
        if start >= self.begins and row["state"] in _MISSED and since >= start:
            self.slow = sorted([*self.slow, row], key=_delay, reverse=True)[:LISTED]
        if (meeting.end or start) < self.now and row["state"] in _OPEN:
            self.open_count += 1
            self.still_open = sorted([*self.still_open, row], key=_start)[:LISTED]

    def count(self, start: datetime, state: State, number: int = 1) -> None:
        """Count agents whose meetings start at a time."""
        (self.of_day if start >= self.begins else self.before).states[state] += number

    @property
    def is_worth_publishing(self) -> bool:
        """False for a day without agents and with none open."""
        return bool(self.of_day.total or self.open_count)

    @property
    def subject(self) -> str:
        return truncate(f"[digest] {self._headline}", SUBJECT_LENGTH)

    @property
    def _headline(self) -> str:
        stack = f"{truncate(self.links.stack, STACK_LENGTH)}: " if self.links.stack else ""
        rate = f"{self.of_day.complete} of {self.of_day.decided} agents complete ({self.of_day.rate})"
        return f"{stack}{self.day:%a %d %b %Y}: {rate}, {self.open_count} still open"

    @property
    def text(self) -> str:
        """The message for e-mail."""
        return self._text(str)

    def _text(self, written: Callable[[str], str]) -> str:
        """Return the message. `written`: returns text from outside as the reader can take it."""
        before = f"{self.before.complete} of {self.before.decided}, {self.before.rate}"
        ended = f"{self.of_day.complete} of {self.of_day.decided} meeting agents are complete: {self.of_day.rate}."
        parts = [
            f"On {self.day:%A, %d %B %Y} ({self.zone}) {ended}\nThe seven days before: {before}.",
            "\n".join(f"{count:>6,}  {_words(state)}" for state, count in self.of_day.states.most_common())
            or "No meetings.",
        ]
        if self.second_agents:
            counts = (f"{count:>6,}  {SECOND_AGENTS[outcome]}" for outcome, count in self.second_agents.most_common())
            parts.append("\n".join(["Second agents", *counts]))
        if self.slow:
            parts.append("Noticed latest\n" + "\n".join(self._line(row, written) for row in self.slow))
        if self.still_open:
            heading = f"Still open although the meeting is over: {self.open_count}"
            omitted = [f"- and {self.open_count - len(self.still_open)} more"] if self.open_count > LISTED else []
            parts.append("\n".join([heading, *(self._line(row, written) for row in self.still_open), *omitted]))
        if self.links.dashboard:
            parts.append(table([("Overview", self.links.dashboard)]))
        return "\n\n".join(parts) + "\n"

    @property
    def message(self) -> str:
        """The texts for each protocol of SNS, for `MessageStructure: json`."""
        machine = {
            "severity": Severity.INFO,
            "type": "digest",
            "day": self.day.isoformat(),
            "time_zone": self.zone,
            "subject": self.subject,
            "states": dict(self.of_day.states),
            "complete": self.of_day.complete,
            "decided": self.of_day.decided,
            "seven_days_before": {"complete": self.before.complete, "decided": self.before.decided},
            "still_open": self.open_count,
            **({"second_agents": dict(self.second_agents)} if self.second_agents else {}),
            "dashboard": self.links.dashboard,
            "stack": self.links.stack,
        }
        default = json.dumps(machine, ensure_ascii=False)
        chat = {
            "version": "1.0",
            "source": "custom",
            "id": sha256(default.encode()).hexdigest()[:32],
            "content": {
                "textType": "client-markdown",
                "title": self.subject,
                "description": truncate(self._text(for_chat), DESCRIPTION_LENGTH),
            },
            "metadata": {
                "summary": self.subject,
                "eventType": "meeting_agents.alerting.digest",
                "additionalContext": {"severity": str(Severity.INFO), "alert": default},
            },
        }
        texts = {
            "default": default,
            "email": self.text,
            "sms": truncate(f"INFO, {self._headline}", SMS_LENGTH),
            "https": json.dumps(chat, ensure_ascii=False),
        }
        return json.dumps(texts, ensure_ascii=False)

    def _line(self, row: Mapping[str, Any], written: Callable[[str], str]) -> str:
        meeting = _meeting(row)
        incident = row.get("incident")
        summary = WORDINGS[IncidentType(incident)].one if incident in set(IncidentType) else _words(row["state"])
        names = {name: row.get(name, "") for name in ("event_id", "scheduling_key")}
        title = written(title_of(meeting.summary, row["pk"], **names))
        since = relative_to_meeting(datetime.fromisoformat(row["since"]), meeting)
        return f"- {title}, {format_meeting(meeting)}\n  {summary}{since}\n  {self.links.timeline(row['pk'])}"


def _words(state: str) -> str:
    return STATES[State(state)]


def _start(row: Mapping[str, Any]) -> tuple[datetime, str]:
    """Return the start of an agent's meeting, and its id, which orders those that start together."""
    return _meeting(row).start or datetime.fromisoformat(row["since"]), row["pk"]


def _delay(row: Mapping[str, Any]) -> tuple[timedelta, str]:
    start, agent_id = _start(row)
    return datetime.fromisoformat(row["since"]) - start, agent_id


def _meeting(row: Mapping[str, Any]) -> Meeting:
    return Meeting.of(row["meeting"])
