"""The daily digest: how a day's agents ended, beside the seven days before, and what is still open. Pure."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from hashlib import sha256
from typing import Any, Self

from meeting_agents.alerting.message import SMS_LENGTH, SUBJECT_LENGTH, Links
from meeting_agents.alerting.runbook import WORDINGS
from meeting_agents.alerting.text import ascii_only, format_meeting, relative_to_meeting, sanitize, table
from meeting_agents.announcement import MeetingView
from meeting_agents.domain.model import IncidentType, State

DAYS_BEFORE = 7
LISTED = 10
"""Agents shown of each kind."""

_MISSED = (State.FAILED, State.REJECTED, State.OVERDUE)


@dataclass(slots=True)
class Tally:
    """Agents by the state they are in."""

    states: Counter[str] = field(default_factory=Counter)

    @property
    def total(self) -> int:
        return self.states.total()

    @property
    def complete(self) -> int:
        return self.states[State.COMPLETE]

    @property
    def decided(self) -> int:
        """Those that came to their end, or should have: the others say nothing about success."""
        return self.complete + sum(self.states[state] for state in _MISSED)

    @property
    def rate(self) -> str:
        return f"{self.complete / self.decided:.1%}" if self.decided else "none decided"


@dataclass(slots=True)
class Digest:
    """What is told of one day. `zone`: the time zone by whose days it counts."""

    day: date
    zone: str
    links: Links
    of_day: Tally = field(default_factory=Tally)
    before: Tally = field(default_factory=Tally)
    slow: list[tuple[timedelta, Mapping[str, Any]]] = field(default_factory=list)
    still_open: list[Mapping[str, Any]] = field(default_factory=list)
    open_count: int = 0

    @classmethod
    def of(
        cls,
        day: date,
        zone: str,
        places: Links,
        *,
        rows: Iterable[Mapping[str, Any]],
        begins: datetime,
        now: datetime,
    ) -> Self:
        """The digest of the stored records of a day, which `begins` then, and of the seven before."""
        digest = cls(day, zone, places)
        for row in rows:
            meeting = _meeting(row)
            start = meeting.start or datetime.fromisoformat(row["since"])
            is_of_day = start >= begins
            (digest.of_day if is_of_day else digest.before).states[row["state"]] += 1
            since = datetime.fromisoformat(row["since"])
            if is_of_day and row["state"] in _MISSED and since >= start:
                digest.slow.append((since - start, row))
                digest.slow = sorted(digest.slow, key=lambda one: one[0], reverse=True)[:LISTED]
            end = meeting.end or start
            if end < now and row["state"] in (State.REQUESTED, State.SCHEDULED, State.ACTIVATED, State.OVERDUE):
                digest.open_count += 1
                if len(digest.still_open) < LISTED:
                    digest.still_open.append(row)
        return digest

    @property
    def is_worth_telling(self) -> bool:
        """Nothing on a day, and nothing open: nobody wants to read that."""
        return bool(self.of_day.total or self.open_count)

    @property
    def subject(self) -> str:
        told = f"{self.of_day.complete} of {self.of_day.decided} meeting agents complete ({self.of_day.rate})"
        return ascii_only(f"[digest] {self.day:%a %d %b %Y}: {told}, {self.open_count} still open")[:SUBJECT_LENGTH]

    @property
    def text(self) -> str:
        """The message as a person reads it."""
        before = f"{self.before.complete} of {self.before.decided}, {self.before.rate}"
        ended = f"{self.of_day.complete} of {self.of_day.decided} meeting agents are complete: {self.of_day.rate}."
        parts = [
            f"On {self.day:%A, %d %B %Y} ({self.zone}) {ended}\nThe seven days before: {before}.",
            table([(state, str(count)) for state, count in self.of_day.states.most_common()]) or "No meetings.",
        ]
        if self.slow:
            parts.append("Slowest detections\n" + "\n".join(self._line(row) for _, row in self.slow))
        if self.still_open:
            heading = f"Still open, though the meeting is over: {self.open_count}"
            more = [f"- and {self.open_count - len(self.still_open)} more"] if self.open_count > LISTED else []
            parts.append("\n".join([heading, *(self._line(row) for row in self.still_open), *more]))
        if self.links.dashboard:
            parts.append(table([("Overview", self.links.dashboard)]))
        return "\n\n".join(parts) + "\n"

    @property
    def message(self) -> str:
        """A text for each protocol of SNS, for `MessageStructure: json`."""
        machine = {
            "severity": "digest",
            "day": self.day.isoformat(),
            "time_zone": self.zone,
            "subject": self.subject,
            "states": dict(self.of_day.states),
            "complete": self.of_day.complete,
            "decided": self.of_day.decided,
            "seven_days_before": {"complete": self.before.complete, "decided": self.before.decided},
            "still_open": self.open_count,
            "dashboard": self.links.dashboard,
        }
        default = json.dumps(machine, ensure_ascii=False)
        chat = {
            "version": "1.0",
            "source": "custom",
            "id": sha256(default.encode()).hexdigest()[:32],
            "content": {
                "textType": "client-markdown",
                "title": self.subject,
                "description": self.text.translate(str.maketrans("<>", "()"))[:4000],
            },
            "metadata": {
                "summary": self.subject,
                "eventType": "meeting_agents.alerting.digest",
                "additionalContext": {"severity": "digest", "alert": default},
            },
        }
        texts = {
            "default": default,
            "email": self.text,
            "sms": self.subject[:SMS_LENGTH].translate(str.maketrans("[]", "()")),
            "https": json.dumps(chat, ensure_ascii=False),
        }
        return json.dumps(texts, ensure_ascii=False)

    def _line(self, row: Mapping[str, Any]) -> str:
        meeting = _meeting(row)
        cause = row.get("incident")
        what = WORDINGS[IncidentType(cause)].one if cause in set(IncidentType) else row["state"]
        title = sanitize(meeting.summary, 80) or sanitize(row.get("event_id", ""), 80) or row["pk"]
        found = relative_to_meeting(datetime.fromisoformat(row["since"]), meeting)
        return f'- "{title}", {format_meeting(meeting)}\n  {what}{found}\n  {self.links.timeline(row["pk"])}'


def _meeting(row: Mapping[str, Any]) -> MeetingView:
    return MeetingView.model_validate({"summary": "", "start": None, "end": None, "tzid": ""} | dict(row["meeting"]))
