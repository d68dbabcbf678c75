"""What people are told: many announcements, few readable messages. Pure.

One message holds one severity. A subscriber that filters on it gets all that it asked for and nothing else, and an
all-clear hides no failure. Of the causes, data centers and accounts a message may hold several, and says so.
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
from meeting_agents.announcement import Announcement, AnnouncementData, is_link
from meeting_agents.domain.incidents import SEVERITIES
from meeting_agents.domain.model import MAX_REMINDERS, EntryType, IncidentType, Severity

LISTED = 20
"""Agents shown in full in one message; the rest are counted and named."""
MAX_MESSAGE_BYTES = 240 * 1024
"""Bytes of one message, all its texts together; SNS has 256 KB: https://docs.aws.amazon.com/sns/latest/api/API_Publish.html."""
SUBJECT_LENGTH = 100
"""Characters of a subject, ASCII only: the same page."""
SMS_LENGTH = 140
"""One segment, in any of SNS's encodings but UCS-2: https://docs.aws.amazon.com/sns/latest/dg/sms_sending-overview.html."""
WIDTH = 76
"""Characters of a line of advice in an e-mail."""
MAX_QUOTED = 10
"""Fields that nobody documented, of which one notification may have thousands."""
DESCRIPTION_LENGTH = 4000
"""Characters of a chat message's text; what Amazon Q Developer bears is said to be more, but not seen."""


@dataclass(frozen=True, slots=True)
class Links:
    """Where a reader goes from an alert: our API, and the CloudWatch dashboard if there is one."""

    api: str
    dashboard: str

    def timeline(self, agent_id: str) -> str:
        return f"{self.api}/v1/meeting_agents/{agent_id}"


@dataclass(frozen=True, slots=True)
class Alert:
    """One message for people, about one or many announcements of one severity. `grouped` makes them."""

    announcements: tuple[Announcement, ...]
    links: Links

    @property
    def severity(self) -> Severity:
        return SEVERITIES[cause_of(self.announcements[0].data)]

    @property
    def reminder(self) -> int:
        """How often people have been told the same before; 0: this is the first time."""
        return reminder_of(self.announcements[0])

    @property
    def causes(self) -> Counter[IncidentType]:
        return Counter(cause_of(announcement.data) for announcement in self.announcements)

    @property
    def attributes(self) -> dict[str, tuple[str, ...]]:
        """What a subscriber can filter on; `cause`, `data_center` and `account` have every value in the message."""
        told = [announcement.data for announcement in self.announcements]
        values = {
            "severity": {str(self.severity)},
            "cause": {str(cause) for cause in self.causes},
            "data_center": {one.data_center for one in told},
            "account": {one.account for one in told},
        }
        kept = {name: tuple(sorted(filter(None, held))) for name, held in values.items()}
        return {name: held for name, held in kept.items() if held}

    @property
    def subject(self) -> str:
        """At most 100 ASCII characters: what happened to which meeting, and when that is."""
        again = f", again {self.reminder}/{MAX_REMINDERS}" if self.reminder else ""
        mark = f"[{self.severity}{again}] "
        if len(self.announcements) > 1:
            return ascii_only(f"{mark}{len(self.announcements)} meeting agents: {self._counted}")[:SUBJECT_LENGTH]
        return mark + self._happened(SUBJECT_LENGTH - len(mark))

    @property
    def sms(self) -> str:
        """One segment, in characters that every encoding of SMS has."""
        if len(self.announcements) > 1:
            return f"{len(self.announcements)} meeting agents: {self._counted}. See e-mail."[:SMS_LENGTH]
        agent = f". {self.announcements[0].subject}"
        again = "AGAIN: " if self.reminder else ""
        return (again + self._happened(SMS_LENGTH - len(again) - len(agent)) + agent).translate(_OUTSIDE_GSM)

    @property
    def text(self) -> str:
        """The message as a person reads it."""
        parts = [self._alone(self.announcements[0])] if len(self.announcements) == 1 else list(self._together())
        if self.reminder:
            parts.insert(0, f"Nobody has taken this on yet: reminder {self.reminder} of {MAX_REMINDERS}.")
        return "\n\n".join(parts) + "\n"

    @property
    def machine(self) -> str:
        """The same as JSON: `agents` has the first twenty in full, `omitted` the ids of the rest by cause."""
        shown, others = self._shown
        content = {
            "id": self._id,
            "severity": self.severity,
            "reminder": self.reminder,
            "causes": dict(self.causes),
            "subject": self.subject,
            "count": len(self.announcements),
            "agents": [self._described(announcement) for announcement in shown],
            "omitted": others,
            "dashboard": self.links.dashboard,
        }
        return json.dumps(content, ensure_ascii=False)

    @property
    def chat(self) -> str:
        """A custom notification of Amazon Q Developer in chat applications, which brings it to Slack and Teams.

        It subscribes by HTTPS, as other machines do: for them the JSON of `machine` is inside, as the text
        `metadata.additionalContext.alert`, for a member that this page does not name might not be borne:
        https://docs.aws.amazon.com/chatbot/latest/adminguide/custom-notifs.html.
        """
        shown, _ = self._shown
        told = [self._line(announcement) for announcement in shown]
        if more := len(self.announcements) - len(shown):
            told.append(f"And {more} more, see the overview.")
        if self.links.dashboard:
            told.append(f"Overview: {self.links.dashboard}")
        summary = self.subject.translate(_WITHOUT_MARKUP)
        content = {
            "textType": "client-markdown",
            "title": summary,
            "description": truncate("\n".join(told).translate(_WITHOUT_MARKUP), DESCRIPTION_LENGTH),
            "nextSteps": [step.translate(_WITHOUT_MARKUP) for step in self._steps(next(iter(self._by_cause)))],
            "keywords": [str(self.severity), *map(str, self.causes)],
        }
        metadata = {
            **({"threadId": self.announcements[0].subject} if len(self.announcements) == 1 else {}),
            "summary": summary,
            "eventType": "meeting_agents.alert",
            "relatedResources": [announcement.subject for announcement in shown],
            "additionalContext": {"severity": str(self.severity), "alert": self.machine},
        }
        notification = {"version": "1.0", "source": "custom", "id": self._id, "content": content, "metadata": metadata}
        return json.dumps(notification, ensure_ascii=False)

    @property
    def message(self) -> str:
        """A text for each protocol of SNS, for `MessageStructure: json`; queues and functions get the default."""
        texts = {"default": self.machine, "email": self.text, "sms": self.sms, "https": self.chat}
        return json.dumps(texts, ensure_ascii=False)

    @property
    def size(self) -> int:
        """Bytes, attributes included."""
        return len((self.message + json.dumps(self.attributes)).encode())

    @property
    def _id(self) -> str:
        return sha256("\n".join(announcement.id for announcement in self.announcements).encode()).hexdigest()[:32]

    @property
    def _counted(self) -> str:
        return ", ".join(f"{count} {WORDINGS[cause].many}" for cause, count in self.causes.most_common())

    @property
    def _by_cause(self) -> dict[IncidentType, list[Announcement]]:
        """The announcements of each cause, the earliest meeting first; the most frequent cause first."""
        ordered = sorted(self.announcements, key=lambda a: (a.data.meeting.start or a.time, a.subject))
        return {cause: [a for a in ordered if a.data.cause is cause] for cause, _ in self.causes.most_common()}

    @property
    def _shown(self) -> tuple[list[Announcement], dict[IncidentType, list[str]]]:
        """Those shown in full, from each cause as many as there is room for; and the ids of the others."""
        in_turn = zip_longest(*self._by_cause.values())
        shown = [one for each in in_turn for one in each if one is not None][:LISTED]
        chosen = {announcement.id for announcement in shown}
        others = {cause: [a.subject for a in told if a.id not in chosen] for cause, told in self._by_cause.items()}
        return shown, {cause: ids for cause, ids in others.items() if ids}

    def _steps(self, cause: IncidentType) -> tuple[str, ...]:
        """The advice for all of a cause: that of the first, unless the others' differs."""
        told = self._by_cause[cause]
        each = {next_steps(announcement.data, announcement.time): None for announcement in told}
        return tuple(dict.fromkeys(step for some in each for step in some))

    def _happened(self, room: int) -> str:
        """`Meeting agent failed: "Quarterly review", 29 Apr 17:30 CEST`, in ASCII; the title is shortened to fit."""
        told = self.announcements[0].data
        head = f"Meeting agent {WORDINGS[cause_of(told)].one}: "
        start = told.meeting.start
        tail = f", {format_time(start, timezone(told.meeting.tzid), '%d %b %H:%M')}" if start else ""
        title = truncate(ascii_only(_title(told)), room - len(head) - len(tail))
        return ascii_only(head + title + tail)[:room]

    def _alone(self, announcement: Announcement) -> str:
        told, cause, severity = announcement.data, cause_of(announcement.data), self.severity
        known = told.since if reminder_of(announcement) else announcement.time
        has_moved = told.previous_state is not None and told.previous_state is not told.state
        facts = [
            ("Meeting", format_meeting(told.meeting)),
            ("Known since", format_time_with_utc(known, timezone(told.meeting.tzid))),
            ("What", _what(told)),
            ("Why", _why(told)),
            ("State", f"{told.previous_state} -> {told.state}" if has_moved else str(told.state)),
        ]
        number = f"attempt {told.attempt} of agent {told.agent_id}"
        names = (
            ("account", told.account),
            ("calendar", told.calendar_id),
            ("event", told.event_id),
            ("scheduling key", told.scheduling_key),
            ("data center", told.data_center),
        )
        timeline = self.links.timeline(told.agent_id)
        links = [
            ("At Cronofy", next((r.url for r in told.resources if r.type == "dashboard" and is_link(r.url)), "")),
            ("Overview", self.links.dashboard),
            ("Timeline", timeline),
            ("Take it on", f'POST {timeline}/acknowledgement {{"note": "..."}}' if severity is Severity.HIGH else ""),
            ("Which", ", ".join([number, *(f"{name} {sanitize(value)}" for name, value in names if value)])),
        ]
        return "\n\n".join(
            [
                (
                    f"The meeting agent for {_title(told)} {WORDINGS[cause].one}"
                    f"{relative_to_meeting(known, told.meeting)}."
                ),
                table(facts),
                _numbered(next_steps(told, announcement.time)),
                table(links),
            ]
        )

    def _together(self) -> Iterator[str]:
        shown, others = self._shown
        chosen = {announcement.id for announcement in shown}
        need = "" if self.severity is Severity.CLEAR else " need a person"
        yield f"{len(self.announcements)} meeting agents{need}: {self._counted}."
        for cause, told in self._by_cause.items():
            yield f"{len(told)} {WORDINGS[cause].many}".upper()
            yield _numbered(self._steps(cause))
            yield "\n".join(self._line(announcement) for announcement in told if announcement.id in chosen)
        if others:
            count = sum(map(len, others.values()))
            yield f"And {count} more; the timeline of each is at {self.links.timeline('<agent id>')}"
            for cause, ids in others.items():
                yield f"{WORDINGS[cause].many}:\n" + "\n".join(
                    "  " + "  ".join(row) for row in batched(ids, 3, strict=False)
                )
        if self.links.dashboard:
            yield table([("Overview", self.links.dashboard)])

    def _line(self, announcement: Announcement) -> str:
        told = announcement.data
        cause = cause_of(told)
        more = f"; why: {_why(told)}" if cause is IncidentType.FAILED else ""
        if cause in (IncidentType.REJECTED, IncidentType.NOT_CANCELLED, IncidentType.REAUTHORISATION):
            more = f"; {_what(told)}"
        what = f"{WORDINGS[cause].one}{relative_to_meeting(announcement.time, told.meeting)}{more}"
        return f"- {_title(told)}, {format_meeting(told.meeting)}\n  {what}\n  {self.links.timeline(told.agent_id)}"

    def _described(self, announcement: Announcement) -> dict[str, Any]:
        told, cause = announcement.data, cause_of(announcement.data)
        return {
            "announcement_id": announcement.id,
            "agent_id": announcement.subject,
            "cause": cause,
            "at": announcement.time.isoformat(),
            "summary": WORDINGS[cause].one,
            "detail": _what(told),
            "next_steps": next_steps(told, announcement.time),
            "timeline": self.links.timeline(announcement.subject),
            **_bounded(
                told.model_dump(
                    mode="json",
                    include={"state", "previous_state", "reason", "attempt", "data_center", "calendar_id", "event_id"}
                    | {"scheduling_key", "account", "meeting", "failures"},
                )
            ),
        }


def cause_of(told: AnnouncementData) -> IncidentType:
    """The incident that an announcement is about; ValueError if it is about none."""
    if told.cause is None:
        raise ValueError("an announcement without a cause is not for people")
    return told.cause


def reminder_of(announcement: Announcement) -> int:
    """The number of the reminder; 0 for what is told the first time."""
    return announcement.data.escalations if announcement.data.entry.kind is EntryType.ESCALATED else 0


def _what(told: AnnouncementData) -> str:
    """What was written down, where the cause alone does not say it."""
    match told.cause:
        case IncidentType.FAILED | IncidentType.MISMATCHED:
            return ""
        case IncidentType.CONFLICTING:
            return "Cronofy reported both; the record says complete, for that is when there are resources"
        case IncidentType.NO_CONFERENCE if told.entry.kind is EntryType.CONFERENCING_FAILING:
            return "Cronofy reported that it could not make the conference; it tries again"
        case IncidentType.RECOVERED:
            return sanitize(told.reason.text)
        case _:
            return sanitize((told.entry.reason or told.reason).text)


def _why(told: AnnouncementData) -> str:
    """Cronofy's own words, or that there were none; nothing where no reason is asked for."""
    if told.cause is not IncidentType.FAILED:
        return ""
    return "; ".join(map(sanitize, told.failures[:MAX_QUOTED])) or "unknown, for Cronofy gave no reason"


def _title(told: AnnouncementData) -> str:
    summary = sanitize(told.meeting.summary, 120)
    return f'"{summary}"' if summary else f"event {sanitize(told.event_id, 120)}" if told.event_id else told.agent_id


def _bounded(value: Any) -> Any:
    """The same with no text and no list so long that an alert could not be sent for it."""
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
    return "\n".join(["What to do next", *numbered])


_WITHOUT_MARKUP = str.maketrans("<>", "()")
"""Nothing from outside may mention a channel or hide an address in a chat: both need angle brackets."""

_OUTSIDE_GSM = str.maketrans("[]{}\\|^~`", "()()//'-'")
"""ASCII characters that GSM 7-bit lacks, or counts twice."""
