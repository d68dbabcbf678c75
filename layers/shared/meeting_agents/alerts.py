"""What people are told: many announcements, one readable message. Pure."""

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from zoneinfo import ZoneInfo

from meeting_agents.lifecycle import Cause
from meeting_agents.payloads import Announced, Announcement, MeetingView

LISTED = 20
"""Agents shown in full in one message; the rest are counted and linked."""
SUBJECT_LENGTH = 100
"""Characters of an SNS subject, ASCII only: https://docs.aws.amazon.com/sns/latest/api/API_Publish.html."""
SMS_LENGTH = 140


class Severity(StrEnum):
    """How soon a person should look."""

    HIGH = "high"
    MEDIUM = "medium"
    CLEAR = "all-clear"


@dataclass(frozen=True, slots=True)
class Advice:
    """What a cause is called, and what a person can do. Nothing here claims to know why."""

    severity: Severity
    headline: str
    steps: str


_JOINING = (
    "Open the meeting: in Google Meet somebody has to admit the agent; a locked Teams meeting, or one where unverified"
    " participants must verify, keeps it out; a Zoom meeting that Cronofy did not create needs its organiser's one-time"
    " consent by e-mail."
)

ADVICE: Mapping[Cause, Advice] = {
    Cause.FAILED: Advice(
        Severity.HIGH, "failed", f"{_JOINING} Then send the same request again to start a new attempt."
    ),
    Cause.REJECTED: Advice(
        Severity.HIGH,
        "was refused by Cronofy",
        "Read Cronofy's answer in the timeline and correct the request, the plan or the authorisation it names;"
        " then send the request again to start a new attempt.",
    ),
    Cause.NEVER_ACTIVATED: Advice(
        Severity.HIGH,
        "has gone silent: it never became active",
        f"Look whether the agent is in the meeting. {_JOINING} If it is missing, ask somebody to take notes, and send"
        " the request again.",
    ),
    Cause.NOT_FINISHED: Advice(
        Severity.MEDIUM,
        "has gone silent: no end was reported",
        "Look in the Cronofy dashboard whether the meeting was recorded. A lost callback cannot be asked for again.",
    ),
    Cause.RESOURCES_MISSING: Advice(
        Severity.MEDIUM,
        "is complete without the resources expected",
        "Look in the Cronofy dashboard for the recording and the transcript.",
    ),
    Cause.NO_CONFERENCE: Advice(
        Severity.MEDIUM,
        "has no conference to join",
        "Add a conference link to the calendar event before the meeting starts, or check the organiser's conferencing"
        " connection.",
    ),
    Cause.CONFLICTING: Advice(
        Severity.MEDIUM,
        "was reported both complete and failed",
        "Check that the resources are whole; the record keeps them.",
    ),
    Cause.MISMATCHED: Advice(
        Severity.MEDIUM,
        "received a notification about another calendar event",
        "Somebody may be sending old notifications to wrong addresses. It was kept and had no effect.",
    ),
    Cause.RECOVERED: Advice(Severity.CLEAR, "is all right after all", "Nothing to do."),
}


@dataclass(frozen=True, slots=True)
class Alert:
    """One message for people, about one or many announcements that have a cause."""

    announcements: tuple[Announcement, ...]
    base_url: str
    """Where the API is, for links."""

    @property
    def severity(self) -> Severity:
        order = list(Severity)
        return min((ADVICE[_cause(a.data)].severity for a in self.announcements), key=order.index)

    @property
    def causes(self) -> Counter[Cause]:
        return Counter(_cause(announcement.data) for announcement in self.announcements)

    @property
    def subject(self) -> str:
        """At most 100 ASCII characters: what happened to which meeting."""
        if len(self.announcements) == 1:
            told = self.announcements[0].data
            text = f"[{self.severity}] {_title(told)}: the meeting agent {ADVICE[_cause(told)].headline}"
            overlong = len(_ascii(text)) - SUBJECT_LENGTH
            if overlong > 0:
                title = _ascii(_title(told))
                text = text.replace(_title(told), title[: max(8, len(title) - overlong - 3)] + "...")
        else:
            text = f"[{self.severity}] {len(self.announcements)} meeting agents: {self._counted}"
        return _ascii(text)[:SUBJECT_LENGTH]

    @property
    def text(self) -> str:
        """The message as a person reads it."""
        if len(self.announcements) == 1:
            return self._told(self.announcements[0].data) + "\n"
        shown = [self._told(announcement.data) for announcement in self.announcements[:LISTED]]
        parts = [f"{len(self.announcements)} meeting agents need a look: {self._counted}.", *shown]
        if more := self.announcements[LISTED:]:
            parts.append(f"And {len(more)} more:\n" + "\n".join(f"  {self._link(a.subject)}" for a in more))
        return "\n\n".join(parts) + "\n"

    @property
    def sms(self) -> str:
        """One segment."""
        if len(self.announcements) > 1:
            return self.subject[:SMS_LENGTH]
        told = self.announcements[0].data
        return _ascii(f"{_title(told)[:50]}: meeting agent {ADVICE[_cause(told)].headline}. {told.agent_id}")[
            :SMS_LENGTH
        ]

    @property
    def machine(self) -> str:
        """The same as JSON, for queues, functions and HTTPS endpoints."""
        return json.dumps(
            {
                "severity": self.severity,
                "causes": dict(self.causes),
                "subject": self.subject,
                "agents": [
                    {
                        "announcement_id": announcement.id,
                        "agent_id": announcement.subject,
                        "cause": announcement.data.cause,
                        "severity": ADVICE[_cause(announcement.data)].severity,
                        "headline": ADVICE[_cause(announcement.data)].headline,
                        "advice": ADVICE[_cause(announcement.data)].steps,
                        "timeline": self._link(announcement.subject),
                        **announcement.data.model_dump(
                            mode="json",
                            include={"state", "previous_state", "reason", "attempt", "data_center", "calendar_id"}
                            | {"event_id", "scheduling_key", "account", "meeting", "failures"},
                        ),
                    }
                    for announcement in self.announcements
                ],
            },
            ensure_ascii=False,
        )

    @property
    def message(self) -> str:
        """One text for each protocol of SNS, for `MessageStructure: json`."""
        texts = {"default": self.text, "email": self.text, "sms": self.sms}
        machine = dict.fromkeys(("sqs", "lambda", "http", "https"), self.machine)
        return json.dumps(texts | machine, ensure_ascii=False)

    @property
    def _counted(self) -> str:
        return ", ".join(f"{count} {cause.replace('_', ' ')}" for cause, count in self.causes.most_common())

    def _link(self, agent_id: str) -> str:
        return f"{self.base_url}/v1/meeting_agents/{agent_id}"

    def _told(self, told: Announced) -> str:
        advice = ADVICE[_cause(told)]
        known = "; ".join(told.failures) if told.cause is Cause.FAILED else ""
        if told.cause is Cause.FAILED:
            known = known or "unknown: Cronofy gave no reason"
        lines = [
            ("Meeting", told.meeting.summary or "(no title)"),
            ("When", _when(told.meeting)),
            ("What", f"{told.reason} (state: {told.previous_state or 'none'} -> {told.state})"),
            ("Why", known),
            ("What to do", advice.steps),
            ("Agent", f"{told.agent_id}, attempt {told.attempt}"),
            (
                "Event",
                " / ".join(filter(None, (told.data_center, told.calendar_id, told.event_id or told.scheduling_key))),
            ),
            ("Dashboard", next((r.url for r in told.resources if r.type == "dashboard"), "")),
            ("Timeline", self._link(told.agent_id)),
        ]
        table = "\n".join(f"{name + ':':<12}{value}" for name, value in lines if value)
        return f"The meeting agent for {_title(told)} {advice.headline}.\n\n{table}"


def _cause(told: Announced) -> Cause:
    if told.cause is None:
        raise ValueError("an announcement without a cause is not for people")
    return told.cause


def _title(told: Announced) -> str:
    return (
        f'"{told.meeting.summary}"' if told.meeting.summary else told.event_id or told.scheduling_key or told.agent_id
    )


def _ascii(text: str) -> str:
    return "".join(character if " " <= character <= "~" else "?" for character in text)


def _when(meeting: MeetingView) -> str:
    if meeting.start is None:
        return "unknown"
    zone = ZoneInfo(meeting.tzid)
    local = _span(meeting.start, meeting.end, zone)
    return (
        local
        if meeting.tzid in ("Etc/UTC", "UTC")
        else f"{local} ({_span(meeting.start, meeting.end, ZoneInfo('UTC'))})"
    )


def _span(start: datetime, end: datetime | None, zone: ZoneInfo) -> str:
    start = start.astimezone(zone)
    text = f"{start:%a %d %b %Y, %H:%M}"
    if end:
        end = end.astimezone(zone)
        text += f" - {end:%H:%M}" if end.date() == start.date() else f" - {end:%a %d %b %Y, %H:%M}"
    return f"{text} {start:%Z}"
