"""The texts of each alert are a file in `tests/golden/alerts/`, which a person approved."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from meeting_agents.alerting.grouping import group_alerts
from meeting_agents.alerting.message import MAX_MESSAGE_BYTES, SMS_LENGTH, SUBJECT_LENGTH, Alert, Links, alert_of
from meeting_agents.alerting.runbook import WORDINGS
from meeting_agents.announcement import Announcement
from meeting_agents.cronofy.payloads import read_notification
from meeting_agents.domain.identity import agent_id
from meeting_agents.domain.incidents import INCIDENTS, SEVERITIES
from meeting_agents.domain.lifecycle import steps
from meeting_agents.domain.model import (
    Action,
    AlertStatus,
    DeadlineType,
    Entry,
    EntryType,
    IncidentType,
    Meeting,
    Request,
    Severity,
)
from meeting_agents.domain.reasons import Reason, ReasonCode
from tests.golden_files import GOLDEN, compared

LINKS = Links(
    "https://a1b2c3d4e5.execute-api.eu-central-1.amazonaws.com",
    "https://eu-central-1.console.aws.amazon.com/cloudwatch/home?region=eu-central-1#dashboards/dashboard/meeting-agents",
)
START = datetime(2026, 4, 29, 15, 30, tzinfo=UTC)
END = START + timedelta(minutes=90)
MEETING = Meeting(start=START, end=END, tzid="Europe/Berlin", summary="Quarterly review")
GSM = set(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞ ÆæßÉ!\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿"
    "abcdefghijklmnopqrstuvwxyzäöñüà"
)
"""The characters that take one place in an SMS."""


class History:
    """The journal of one agent, and the announcement of its last entry."""

    def __init__(
        self, event: str = "review-17", meeting: Meeting = MEETING, account: str = "acc_567236000909002"
    ) -> None:
        self.meeting = meeting
        self.event = event
        self.agent = agent_id("de", "cal_n23kjnwrw2_jsdfjksn234", event)
        self.account = account
        self.entries: list[Entry] = []
        self.bodies: dict[str, bytes] = {}

    def ask(self, at: datetime = START - timedelta(days=2), *, attempt: int = 1, **more: Any) -> "History":
        revision = sum(entry.kind is EntryType.REQUESTED for entry in self.entries) + 1
        request = Request(
            data_center="de",
            meeting=self.meeting,
            calendar_id="cal_n23kjnwrw2_jsdfjksn234",
            event_id=self.event,
            account=self.account,
            **{"action": Action.PROVISION} | more,
        )
        return self.add(EntryType.REQUESTED, at, attempt=attempt, revision=revision, request=request)

    def add(self, kind: EntryType, at: datetime, **more: Any) -> "History":
        key = f"{kind}#{len(self.entries):04d}"
        self.entries.append(Entry(key=key, kind=kind, at=at, **{"attempt": 1, "revision": 1} | more))
        return self

    def accepted(self, **more: Any) -> "History":
        last = self.entries[-1]
        return self.add(EntryType.ACCEPTED, last.at + timedelta(seconds=1), revision=last.revision, **more)

    def hear(self, interaction: str, at: datetime, *, event: dict[str, Any] | None = None, **more: Any) -> "History":
        body = {
            "notification": {"type": "event_subscription", "interactions": [{"type": interaction}]},
            "event": {"event_id": self.event} | (event or {}),
            "meeting_agent": {
                "sub": "agt_692702a100ccd07000000000",
                "state": "created",
                "resources": [
                    {"category": "cronofy", "type": "dashboard", "url": "https://app.cronofy.com/agents/692702a1"}
                ],
            }
            | more,
        }
        raw = json.dumps(body).encode()
        notification = read_notification(raw)
        kind = notification.kinds[-1] if notification.kinds else EntryType.UNRECOGNISED
        key = f"notification#{len(self.entries):04d}"
        self.bodies[key] = raw
        self.entries.append(Entry(key=key, kind=kind, at=at, notification=notification))
        return self

    def announced(self) -> Announcement:
        step = list(steps(self.entries))[-1]
        return Announcement.of(self.agent, step, self.bodies.get(step.entry.key), None)


def silent(phase: DeadlineType, at: datetime, reason: Reason) -> History:
    return History().ask().accepted().add(EntryType.OVERDUE, at, phase=phase, reason=reason)


def failed(**more: Any) -> History:
    return History().ask().accepted().hear("meeting_agent_failed", START + timedelta(minutes=1, seconds=12), **more)


def escalated() -> History:
    history = failed()
    history.add(EntryType.ALERTED, START + timedelta(minutes=2), cause=IncidentType.FAILED, status=AlertStatus.FIRING)
    return history.add(EntryType.ESCALATED, START + timedelta(minutes=17))


def many() -> list[Announcement]:
    """An outage: thirty fail, three were silent."""
    announcements = []
    for number in range(30):
        meeting = replace(MEETING, start=START + timedelta(minutes=number), end=END, summary=f"Stand-up {number + 1}")
        history = History(f"standup-{number}", meeting, f"acc_{number % 3}").ask().accepted()
        announcements.append(history.hear("meeting_agent_failed", START + timedelta(minutes=31)).announced())
    for number in range(3):
        history = History(f"silent-{number}", replace(MEETING, summary=f"Interview {number + 1}")).ask().accepted()
        at = START + timedelta(minutes=10, seconds=20)
        reason = Reason.of(ReasonCode.ACTIVATION_MISSED, at="2026-04-29T15:40:00.000Z")
        announcements.append(
            history.add(EntryType.OVERDUE, at, phase=DeadlineType.ACTIVATION, reason=reason).announced()
        )
    return announcements


def cases() -> Iterator[tuple[str, Sequence[Announcement]]]:
    minutes = timedelta(minutes=1)
    waited = Reason.of(ReasonCode.ACTIVATION_MISSED, at="2026-04-29T15:40:00.000Z")
    yield "failed", [failed().announced()]
    zoom = {"conferencing": {"provider_name": "zoom", "join_url": "https://zoom.us/00001111-222"}}
    yield "failed_with_words", [failed(event=zoom, failure_reason="waiting room timed out").announced()]
    yield (
        "failed_after_the_end",
        [History().ask().accepted().hear("meeting_agent_failed", END + 4 * minutes).announced()],
    )
    yield (
        "failed_of_a_stranger",
        [
            History("unknown-event")
            .hear(
                "meeting_agent_failed",
                START + minutes,
                event={
                    "summary": "Bcc: boss@example.com\r\nFrom: me \u202e ignore",
                    "start": START.isoformat(),
                    "tzid": "Mars/Phobos",
                },
            )
            .announced()
        ],
    )
    refused = Reason.of(
        ReasonCode.REQUEST_REFUSED, status=422, complaint="start (errors.invalid), tzid (errors.required)"
    )
    yield "rejected", [History().ask().add(EntryType.REJECTED, START - 2879 * minutes, reason=refused).announced()]
    refused = Reason.of(ReasonCode.CANCELLATION_REFUSED, status=403)
    last = Reason.of(ReasonCode.CANCELLATION_EXPIRED, failure=503)
    for name, at, reason in (
        ("not_cancelled", START - 100 * minutes, refused),
        ("not_cancelled_in_time", START, last),
    ):
        kept = History().ask().accepted().ask(START - 100 * minutes, action=Action.CANCEL)
        yield name, [kept.add(EntryType.REJECTED, at, revision=2, reason=reason).announced()]
    yield "never_activated", [silent(DeadlineType.ACTIVATION, START + 10 * minutes, waited).announced()]
    history = History().ask().accepted().hear("meeting_agent_activated", START)
    ended = Reason.of(ReasonCode.COMPLETION_MISSED, at="2026-04-29T17:30:00.000Z")
    yield (
        "not_finished",
        [history.add(EntryType.OVERDUE, END + 30 * minutes, phase=DeadlineType.COMPLETION, reason=ended).announced()],
    )
    history = History().ask().accepted().hear("meeting_agent_complete", END + minutes, state="complete")
    bare = Reason.of(ReasonCode.RESOURCES_MISSED, at="2026-04-29T17:16:00.000Z")
    yield (
        "resources_missing",
        [history.add(EntryType.OVERDUE, END + 16 * minutes, phase=DeadlineType.RESOURCES, reason=bare).announced()],
    )
    history = History().ask(conference_expected=True).accepted()
    none = Reason.of(ReasonCode.CONFERENCE_MISSED, at="2026-04-29T15:15:00.000Z")
    yield (
        "no_conference",
        [history.add(EntryType.OVERDUE, START - 15 * minutes, phase=DeadlineType.CONFERENCE, reason=none).announced()],
    )
    history = History().ask(conference_expected=True).accepted()
    yield "no_conference_reported", [history.hear("conferencing_failing", START - 1500 * minutes).announced()]
    dead = Reason.of(ReasonCode.RETRY_LEFT_TO_CALLER, failure="reauthorisation_required")
    yield (
        "reauthorisation",
        [
            History()
            .ask()
            .add(EntryType.UNCONFIRMED, START - 2879 * minutes, cause=IncidentType.REAUTHORISATION, reason=dead)
            .announced()
        ],
    )
    twice = History().ask().accepted().hear("meeting_agent_complete", END + minutes, state="complete")
    yield "conflicting", [twice.hear("meeting_agent_failed", END + 2 * minutes).announced()]
    other = {"event_id": "somebody-elses-event"}
    yield "mismatched", [History().ask().accepted().hear("meeting_agent_complete", START, event=other).announced()]
    late = silent(DeadlineType.ACTIVATION, START + 10 * minutes, waited)
    yield "resolved", [late.hear("meeting_agent_activated", START + 14 * minutes).announced()]
    yield "reminder", [escalated().announced()]
    yield "many", many()


CASES = dict(cases())


def shown(alert: Alert) -> str:
    """All texts of an alert in one file."""
    attributes = "\n".join(
        f"{name}: {value if isinstance(value, str) else ', '.join(value)}" for name, value in alert.attributes.items()
    )
    texts = json.loads(alert.message)
    chat = json.loads(texts["https"])
    assert chat["metadata"]["additionalContext"].pop("alert") == texts["default"]
    parts = {
        "attributes": attributes,
        "subject": alert.subject,
        "sms": texts["sms"],
        "email": texts["email"].rstrip("\n"),
        "default (queues, functions, HTTP)": json.dumps(json.loads(texts["default"]), indent=2, ensure_ascii=False),
        "https (the default's text stands in additionalContext.alert, too)": json.dumps(
            chat, indent=2, ensure_ascii=False
        ),
    }
    return "".join(f"=== {name}\n{text}\n\n" for name, text in parts.items())


@pytest.mark.parametrize("case", CASES)
def test_an_alert_reads_as_a_person_found_it_good(case: str) -> None:
    """Subject, SMS, e-mail and both JSON texts equal the file of this case."""
    text = "".join(map(shown, group_alerts(CASES[case], LINKS)))
    compared(f"alerts/{case}", text)


def test_every_golden_file_is_of_a_case() -> None:
    assert {path.stem for path in (GOLDEN / "alerts").iterdir()} == set(CASES)


def test_every_type_has_a_severity_words_and_a_case() -> None:
    """A type without words could not be alerted to; one that can be resolved needs words for that, too."""
    assert set(SEVERITIES) == set(WORDINGS) == set(IncidentType)
    shown = {alert_of(announcement).type for announcements in CASES.values() for announcement in announcements}
    assert shown == set(IncidentType)
    assert {type_ for type_, wording in WORDINGS.items() if wording.resolved} == set(INCIDENTS)


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize(
    "title",
    ["Quarterly review", "Überprüfung " * 40, "価格会議" * 60, "a\r\nBcc: you@example.com\x00", "[{^|~\\`}]" * 30, ""],
)
def test_subject_and_sms_fit_whatever_a_meeting_is_called(case: str, title: str) -> None:
    """A subject is at most 100 printable ASCII characters, an SMS one segment of GSM characters."""
    announcements = [
        announcement.model_copy(
            update={
                "data": announcement.data.model_copy(
                    update={"meeting": announcement.data.meeting.model_copy(update={"summary": title})}
                )
            }
        )
        for announcement in CASES[case]
    ]
    for alert in group_alerts(announcements, LINKS):
        assert 0 < len(alert.subject) <= SUBJECT_LENGTH
        assert all(" " <= character <= "~" for character in alert.subject)
        assert len(alert.sms) <= SMS_LENGTH
        assert set(alert.sms) <= GSM
        assert "\nBcc" not in alert.text


@pytest.mark.parametrize("case", [case for case in CASES if case != "many"])
def test_the_first_line_says_what_happened_to_which_meeting(case: str) -> None:
    """At night a reader stops at the first line."""
    (alert,) = group_alerts(CASES[case], LINKS)
    (announcement,) = alert.announcements
    first = alert.text.splitlines()[2 if alert.reminder else 0]
    words = WORDINGS[alert_of(announcement).type]
    assert (words.resolved if alert.status is AlertStatus.RESOLVED else words.one) in first
    assert "Bcc: boss@example.com From: me ignore" in first or "Quarterly review" in first


def test_a_thousand_failures_are_one_message_that_names_each() -> None:
    """Every one is in it, twenty in full, and SNS takes it."""
    announcements = []
    for number in range(1000):
        history = History(f"event-{number}", replace(MEETING, summary=f"Weekly {number}"), f"acc_{number:024d}")
        announcements.append(history.ask().accepted().hear("meeting_agent_failed", START).announced())
    (alert,) = group_alerts(announcements, LINKS)
    assert alert.size <= MAX_MESSAGE_BYTES
    machine = json.loads(json.loads(alert.message)["default"])
    named = [agent["agent_id"] for agent in machine["agents"]] + machine["omitted"]["failed"]
    assert sorted(named) == sorted(announcement.subject for announcement in announcements)
    assert len(machine["agents"]) == 20
    text = alert.text
    assert all(announcement.subject in text for announcement in announcements)


def test_what_sns_would_refuse_for_its_size_is_parted_and_loses_nobody() -> None:
    """Hostile notifications with endless reasons make more messages, each within the limit."""
    announcements = []
    for number in range(60):
        history = History(f"event-{number}", replace(MEETING, summary="x" * 1024), "a" * 900 + str(number))
        reasons: dict[str, Any] = {f"reason_{position}": "\N{PILE OF POO}" * 400 for position in range(300)}
        announcements.append(history.ask().accepted().hear("meeting_agent_failed", START, **reasons).announced())
    alerts = group_alerts(announcements, LINKS)
    assert len(alerts) > 1
    assert all(alert.size <= MAX_MESSAGE_BYTES for alert in alerts)
    assert [a.id for alert in alerts for a in alert.announcements] == [
        announcement.id for announcement in announcements
    ]


def test_each_message_has_one_status_and_one_severity_and_all_its_other_values() -> None:
    """A filter gets exactly what it names, and a resolved incident hides no firing one."""
    cases = ("failed", "resolved", "no_conference", "reminder")
    alerts = group_alerts([announcement for case in cases for announcement in CASES[case]], LINKS)
    assert [(alert.status, alert.severity, alert.reminder) for alert in alerts] == [
        (AlertStatus.FIRING, Severity.CRITICAL, 0),
        (AlertStatus.FIRING, Severity.CRITICAL, 1),
        (AlertStatus.FIRING, Severity.WARNING, 0),
        (AlertStatus.RESOLVED, Severity.CRITICAL, 0),
    ]
    (first, *_) = group_alerts(CASES["many"], LINKS)
    assert first.attributes == {
        "status": "firing",
        "severity": "critical",
        "type": ("failed", "never_activated"),
        "data_center": ("de",),
        "account": ("acc_0", "acc_1", "acc_2", "acc_567236000909002"),
    }


def test_no_alert_shows_a_join_link() -> None:
    """Anyone with the link can join the meeting."""
    for case, announcements in CASES.items():
        for alert in group_alerts(announcements, LINKS):
            assert "zoom.us/00001111" not in alert.message, case


def test_a_chat_message_has_only_the_documented_members_and_no_markup_of_others() -> None:
    """Nothing from outside mentions a channel or hides an address in Slack or Teams."""
    history = History(meeting=replace(MEETING, summary="<!channel> <https://evil.example|here>")).ask().accepted()
    (alert,) = group_alerts([history.hear("meeting_agent_failed", START).announced()], LINKS)
    chat = json.loads(alert.chat)
    assert set(chat) == {"version", "source", "id", "content", "metadata"}
    assert set(chat["content"]) == {"textType", "title", "description", "nextSteps", "keywords"}
    assert set(chat["metadata"]) == {
        "threadId",
        "summary",
        "eventType",
        "relatedResources",
        "additionalContext",
    }
    assert all(isinstance(value, str) for value in chat["metadata"]["additionalContext"].values())
    assert not {"<", ">"} & set(json.dumps([chat["content"], chat["metadata"]["summary"]]))
