"""The announcement of an entry as a CloudEvent, and the views of an agent in it. Pure."""

import json
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from urllib.parse import quote

from meeting_agents import wording
from meeting_agents.aws.keys import is_probe
from meeting_agents.aws.topic_message import MAX_TEXT_BYTES, Message
from meeting_agents.cronofy.json_text import readable
from meeting_agents.domain.alerts import OwedAlert, alerting_owed
from meeting_agents.domain.archive import is_archive_owed
from meeting_agents.domain.deadlines import Deadline, deadline
from meeting_agents.domain.erasures import ERASED_KEY, Erasure
from meeting_agents.domain.grace_periods import GracePeriods
from meeting_agents.domain.labels import pairs as label_pairs
from meeting_agents.domain.model import (
    AlertStatus,
    DeadlineType,
    Entry,
    EntryType,
    IncidentType,
    Meeting,
    Notification,
    Resource,
    Severity,
    State,
    Verdict,
)
from meeting_agents.domain.reasons import Reason, ReasonCode
from meeting_agents.domain.record import Record
from meeting_agents.domain.verdicts import Step
from meeting_agents.plain_values import plain

MAX_REMARKS = 10
"""The undocumented fields of a notification that a reason quotes; one notification can have thousands."""


@dataclass(frozen=True, slots=True)
class ReasonView:
    """The reason of an entry, a state or a verdict: a code with its values, and their sentence."""

    code: str
    values: Mapping[str, str]
    text: str

    @classmethod
    def of(cls, reason: Reason) -> "ReasonView":
        return cls.of_values(reason.code.value, dict(reason.values))

    @classmethod
    def of_values(cls, code: str, values: Mapping[str, str]) -> "ReasonView":
        """Return the view of a reason as it is stored, which may have a code that this version does not know."""
        return cls(code, values, wording.text(code, values))


@dataclass(frozen=True, slots=True)
class DeadlineView:
    """The next deadline."""

    phase: DeadlineType
    at: datetime

    @classmethod
    def of(cls, next_deadline: Deadline) -> "DeadlineView":
        return cls(next_deadline.phase, next_deadline.at)


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryView:
    """One line of the timeline: an entry, its verdict, and the state after it."""

    key: str
    at: datetime
    kind: EntryType
    verdict: Verdict
    state: State
    attempt: int | None
    interactions: tuple[str, ...]
    sub: str
    reason: ReasonView | None
    correlation_id: str
    ignored_because: ReasonView | None
    """The reason why it was not applied; None if it was."""

    @classmethod
    def of(cls, step: Step) -> "EntryView":
        entry, notification = step.entry, step.entry.notification
        return cls(
            key=entry.key,
            at=entry.at,
            kind=entry.kind,
            verdict=step.verdict,
            state=step.after.state,
            attempt=entry.attempt,
            interactions=notification.interactions[:MAX_REMARKS] if notification else (),
            sub=notification.sub if notification else entry.sub,
            reason=_view(entry.reason or _remarks(notification)),
            correlation_id=entry.correlation_id,
            ignored_because=_view(step.ignored_because),
        )


def _view(reason: Reason | None) -> ReasonView | None:
    return ReasonView.of(reason) if reason else None


def _remarks(notification: Notification | None) -> Reason | None:
    remarks = notification.remarks[:MAX_REMARKS] if notification else ()
    return Reason.of(ReasonCode.REMARKS, remarks="; ".join(remarks)) if remarks else None


def agent_fields(record: Record) -> dict[str, Any]:
    """Return the fields that name an agent and its meeting."""
    identity = record.identity
    return {
        "data_center": identity.data_center if identity else "",
        "calendar_id": identity.calendar_id if identity else "",
        "event_id": record.event_id,
        "scheduling_key": identity.scheduling_key if identity else "",
        "account": identity.account if identity else "",
        "labels": dict(record.labels),
        "meeting": record.meeting,
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertView:
    """An alert that is owed after an entry."""

    status: AlertStatus
    type: IncidentType
    severity: Severity
    reminder: int
    """The number of the reminder; 0: the first alert."""

    @classmethod
    def of(cls, owed: OwedAlert) -> "AlertView":
        incident = owed.incident
        return cls(status=owed.status, type=incident.type, severity=incident.severity, reminder=owed.reminder)


@dataclass(frozen=True, slots=True, kw_only=True)
class AnnouncementData:
    """The `data` of an announcement: one entry, and the agent after it."""

    agent_id: str
    entry: EntryView
    state: State
    previous_state: State | None
    """None: this entry is the first of its agent."""
    alerts: tuple[AlertView, ...]
    """The alerts that are owed after the entry. They are decided again when they are sent."""
    since: datetime
    """The time at which the agent came into its state."""
    reason: ReasonView
    attempt: int
    data_center: str
    calendar_id: str
    event_id: str
    scheduling_key: str
    account: str
    labels: dict[str, str]
    """The caller's own."""
    meeting: Meeting
    resources: tuple[Resource, ...]
    failures: tuple[str, ...]
    next_deadline: DeadlineView | None
    notification: Any = None
    """Cronofy's own body, where the entry is a notification: its JSON, or `{"base64": "…"}` if it is none."""
    replayed: bool = False
    """True for an announcement that a caller requested again; its id does not change."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Announcement:
    """A CloudEvent (1.0, JSON format) on the lifecycle topic: https://github.com/cloudevents/spec."""

    id: str
    """The same each time this entry is announced."""
    source: str
    type: str
    subject: str
    time: datetime
    data: AnnouncementData
    was_alerted: bool = False
    """An alert about the agent was published by now, and the entry is not `delivered`: a channel may be owed a change.

    By the whole timeline, since an entry may be written after the alert and have its place before it.
    """
    is_archive_owed: bool = False
    """Resources of the agent are still to be archived, and the entry lists them, or says that it was not done."""

    @classmethod
    def of(
        cls, agent_id: str, step: Step, raw: bytes | None, grace_periods: GracePeriods, newest: Record
    ) -> "Announcement":
        """Return the announcement of an entry. `newest`: the agent after all its entries."""
        record = step.after
        next_deadline = deadline(record, grace_periods)
        return cls(
            id=f"{agent_id}.{step.entry.key}",
            source="/meeting_agents",
            type=f"meeting_agents.{step.entry.kind}",
            subject=agent_id,
            time=step.entry.at,
            data=AnnouncementData(
                agent_id=agent_id,
                entry=EntryView.of(step),
                state=record.state,
                previous_state=step.state_before,
                alerts=tuple(map(AlertView.of, alerting_owed(record, grace_periods, step.entry.at))),
                since=record.current.since,
                reason=ReasonView.of(record.current.reason),
                attempt=record.current.number,
                resources=record.current.resources,
                failures=record.current.failures,
                next_deadline=DeadlineView.of(next_deadline) if next_deadline else None,
                notification=readable(raw),
                **agent_fields(record),
            ),
            was_alerted=bool(newest.alerts) and step.entry.kind is not EntryType.DELIVERED,
            is_archive_owed=_begins_archiving(step.entry) and is_archive_owed(newest, grace_periods.archive_scope),
        )

    def to_json(self) -> dict[str, Any]:
        """Return the CloudEvent, which has neither `was_alerted` nor anything else that is only for the topic."""
        return {
            "specversion": "1.0",
            "id": self.id,
            "source": self.source,
            "type": self.type,
            "subject": self.subject,
            "time": plain(self.time),
            "datacontenttype": "application/json",
            "data": plain(self.data),
        }


def _begins_archiving(entry: Entry) -> bool:
    return entry.phase is DeadlineType.ARCHIVE or (
        entry.notification is not None and bool(entry.notification.resources)
    )


def erasure_announcement(agent_id: str, erasure: Erasure) -> Announcement:
    """Return the announcement that an agent's data was erased, the same each time. What named its meeting is empty."""
    reason = ReasonView.of(erasure.reason)
    entry = EntryView(
        key=ERASED_KEY,
        at=erasure.at,
        kind=EntryType.ERASED,
        verdict=Verdict.APPLIED,
        state=erasure.state,
        attempt=erasure.attempt,
        interactions=(),
        sub="",
        reason=reason,
        correlation_id="",
        ignored_because=None,
    )
    return Announcement(
        id=f"{agent_id}.{ERASED_KEY}",
        source="/meeting_agents",
        type=f"meeting_agents.{EntryType.ERASED}",
        subject=agent_id,
        time=erasure.at,
        data=AnnouncementData(
            agent_id=agent_id,
            entry=entry,
            state=erasure.state,
            previous_state=erasure.state,
            alerts=(),
            since=erasure.at,
            reason=reason,
            attempt=erasure.attempt,
            resources=(),
            failures=(),
            next_deadline=None,
            data_center="",
            calendar_id="",
            event_id="",
            scheduling_key="",
            account="",
            labels={},
            meeting=Meeting(),
        ),
    )


def as_replay(announcement: Announcement) -> Announcement:
    """Return the same announcement, marked as one that was requested again."""
    return replace(announcement, data=replace(announcement.data, replayed=True))


def is_link(url: str) -> bool:
    """Return True if this can be shown as an address to follow."""
    return re.fullmatch(r"https?://[!-~]{1,2000}", url) is not None


def build_announcements(
    agent_id: str,
    timeline: Sequence[Step],
    raw: Mapping[str, bytes | None],
    grace_periods: GracePeriods,
    keys: Collection[str],
) -> list[Announcement]:
    """Build the announcements of the entries with these keys, the same each time.

    `timeline`: the agent's whole one; `raw`: the bytes of the notifications in it by the keys of their entries.
    """
    return [
        Announcement.of(agent_id, step, raw.get(step.entry.key), grace_periods, timeline[-1].after)
        for step in timeline
        if step.entry.key in keys
    ]


def to_message(announcement: Announcement) -> Message:
    """Return the announcement as a message of the lifecycle topic.

    Attributes: `kind`, `verdict`, `state`; `data_center`, `account` and `labels`, a list of `name:value`, where known;
    `alert` (`owed`) only where one is owed; `archive` (`owed`) only where resources are to be archived; `incident`
    (`alerted`) only where one was published before, but not for a `delivered` entry; `replayed` (`true`) only for a
    replay; `probe` (`true`) only where the system checks itself.
    """
    data = announcement.data
    values: dict[str, str | tuple[str, ...]] = {
        "kind": data.entry.kind,
        "verdict": data.entry.verdict,
        "state": data.state,
        "data_center": data.data_center,
        "account": data.account,
        "labels": label_pairs(data.labels),
        "alert": "owed" if data.alerts else "",
        "archive": "owed" if announcement.is_archive_owed and not is_probe(announcement.subject) else "",
        "incident": "alerted" if announcement.was_alerted and not is_probe(announcement.subject) else "",
        "replayed": "true" if data.replayed else "",
        "probe": "true" if is_probe(announcement.subject) else "",
    }
    return Message(_fitting(announcement), {name: value for name, value in values.items() if value})


def _fitting(announcement: Announcement) -> str:
    """Return the announcement as text; if that is too long, with a reference instead of Cronofy's body."""
    message = _text(announcement)
    if len(message.encode()) <= MAX_TEXT_BYTES:
        return message
    key = quote(announcement.data.entry.key, safe="")
    reference = {"too_large": True, "read": f"/v1/meeting_agents/{announcement.subject}/notifications/{key}"}
    shorter = replace(announcement.data, notification=reference, resources=(), failures=())
    return _text(replace(announcement, data=shorter))


def _text(announcement: Announcement) -> str:
    return json.dumps(announcement.to_json(), ensure_ascii=False, separators=(",", ":"))
