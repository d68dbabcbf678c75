"""The texts of each alert are a file in `tests/golden/alerts/`, which a person approved."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from meeting_agents.alerting.agent_alert import AgentAlert, provider_of
from meeting_agents.alerting.grouping import group_alerts
from meeting_agents.alerting.message import MAX_MESSAGE_BYTES, SMS_LENGTH, SUBJECT_LENGTH, Alert, Links
from meeting_agents.alerting.runbook import GROUP_WORDINGS, WORDINGS, next_steps, summary
from meeting_agents.announcement import Announcement
from meeting_agents.cronofy.payloads import read_notification
from meeting_agents.domain.alerts import alerting_owed
from meeting_agents.domain.grace_periods import GracePeriods
from meeting_agents.domain.groups import COVERING, GROUPS, TYPES
from meeting_agents.domain.identity import agent_id
from meeting_agents.domain.incidents import INCIDENTS, NOTICES
from meeting_agents.domain.lifecycle import fold, steps
from meeting_agents.domain.model import (
    Action,
    AlertStatus,
    ArchiveScope,
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
    "prod",
)
START = datetime(2026, 4, 29, 15, 30, tzinfo=UTC)
END = START + timedelta(minutes=90)
MEETING = Meeting(start=START, end=END, tzid="Europe/Berlin", summary="Quarterly review")
GRACE_PERIODS = GracePeriods(escalation=timedelta(minutes=15), archive_scope=ArchiveScope.ALL)
MINUTE = timedelta(minutes=1)
GSM = set(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞ ÆæßÉ!\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿"
    "abcdefghijklmnopqrstuvwxyzäöñüà"
)
"""The characters that take one place in an SMS."""


class History:
    """The journal of one agent."""

    def __init__(
        self, event: str = "review-17", meeting: Meeting = MEETING, account: str = "acc_567236000909002"
    ) -> None:
        self.meeting = meeting
        self.event = event
        self.agent = agent_id("de", "cal_n23kjnwrw2_jsdfjksn234", event)
        self.account = account
        self.entries: list[Entry] = []
        self.bodies: dict[str, bytes] = {}

    def ask(
        self,
        at: datetime = START - timedelta(days=2),
        *,
        attempt: int = 1,
        labels: Mapping[str, str] | None = None,
        **more: Any,
    ) -> "History":
        revision = sum(entry.kind is EntryType.REQUESTED for entry in self.entries) + 1
        request = Request(
            data_center="de",
            meeting=self.meeting,
            calendar_id="cal_n23kjnwrw2_jsdfjksn234",
            event_id=self.event,
            account=self.account,
            **{"action": Action.PROVISION} | more,
        )
        about: dict[str, Any] = {"attempt": attempt, "revision": revision, "request": request, "labels": labels or {}}
        return self.add(EntryType.REQUESTED, at, **about)

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

    def alerts(self, at: datetime | None = None) -> list[AgentAlert]:
        """The alerts that are owed at a time, or after the last entry."""
        at = at or self.entries[-1].at
        record = fold(self.entries)
        provider = provider_of(self.bodies.values())
        return [
            AgentAlert(agent_id=self.agent, owed=owed, record=record, at=at, provider=provider)
            for owed in alerting_owed(record, GRACE_PERIODS, at)
        ]

    def announced(self) -> Announcement:
        """The announcement of the last entry."""
        step = list(steps(self.entries))[-1]
        return Announcement.of(self.agent, step, self.bodies.get(step.entry.key), GRACE_PERIODS, step.after)

    def published(self, at: datetime | None = None) -> "History":
        """Add the entries of the alerts that are owed at a time."""
        at = at or self.entries[-1].at
        for alert in self.alerts(at):
            incident = alert.owed.incident
            self.add(
                EntryType.ALERTED,
                at,
                attempt=incident.attempt,
                cause=alert.type,
                status=alert.status,
                severity=alert.severity,
                reminder=alert.owed.reminder,
            )
        return self


WAITED = Reason.of(ReasonCode.ACTIVATION_MISSED, at="2026-04-29T15:40:00.000Z")


def silent(event: str = "review-17", meeting: Meeting = MEETING) -> History:
    history = History(event, meeting).ask().accepted()
    at = START + 10 * MINUTE + timedelta(seconds=20)
    return history.add(EntryType.OVERDUE, at, phase=DeadlineType.ACTIVATION, reason=WAITED)


def failed(**fields: Any) -> History:
    return History().ask().accepted().hear("meeting_agent_failed", START + timedelta(minutes=1, seconds=12), **fields)


def reminded() -> History:
    return failed().published(START + 2 * MINUTE)


def many() -> list[AgentAlert]:
    """An outage: thirty fail, three are silent."""
    alerts = []
    for number in range(30):
        meeting = replace(MEETING, start=START + timedelta(minutes=number), end=END, summary=f"Stand-up {number + 1}")
        history = History(f"standup-{number}", meeting, f"acc_{number % 3}").ask().accepted()
        alerts += history.hear("meeting_agent_failed", START + 31 * MINUTE).alerts()
    for number in range(3):
        alerts += silent(f"silent-{number}", replace(MEETING, summary=f"Interview {number + 1}")).alerts()
    return alerts


def kept(at: datetime, reason: Reason, **fields: Any) -> History:
    """An agent whose cancellation is not accepted."""
    history = History().ask().accepted().ask(START - 100 * MINUTE, action=Action.CANCEL)
    if fields:
        history.add(EntryType.UNCONFIRMED, START - 99 * MINUTE, revision=2, **fields)
    return history.add(EntryType.REJECTED, at, revision=2, reason=reason)


def cases() -> Iterator[tuple[str, Sequence[AgentAlert]]]:
    yield "failed", failed().alerts()
    labels = {"team": "sales", "region": "emea", "owner": "ann@example.com"}
    yield "failed_with_labels", History().ask(labels=labels).accepted().hear("meeting_agent_failed", START).alerts()
    zoom = {"conferencing": {"provider_name": "zoom", "join_url": "https://zoom.us/00001111-222"}}
    yield "failed_with_words", failed(event=zoom, failure_reason="waiting room timed out").alerts()
    history = History().ask().accepted()
    yield "failed_after_the_end", history.hear("meeting_agent_failed", END + 4 * MINUTE).alerts()
    hostile = {
        "summary": "Bcc: boss@example.com\r\nFrom: me \u202e ignore",
        "start": START.isoformat(),
        "tzid": "Mars/Phobos",
    }
    history = History("unknown-event")
    yield "failed_of_a_stranger", history.hear("meeting_agent_failed", START + MINUTE, event=hostile).alerts()
    complaint = "start (errors.invalid), tzid (errors.required)"
    refused = Reason.of(ReasonCode.REQUEST_REFUSED, status=422, complaint=complaint)
    history = History().ask().add(EntryType.REJECTED, START - 2879 * MINUTE, reason=refused)
    yield "rejected", history.alerts(START - 2869 * MINUTE)
    yield "rejected_near_the_meeting", history.alerts(START - 25 * MINUTE)
    unavailable = Reason.of(ReasonCode.RETRY_PLANNED, failure=503)
    history = (
        History()
        .ask()
        .add(EntryType.UNCONFIRMED, START - 2879 * MINUTE, reason=unavailable, retry_at=START - 20 * MINUTE)
    )
    yield "not_arranged", history.alerts(START - 28 * MINUTE)
    refused = Reason.of(ReasonCode.CANCELLATION_REFUSED, status=403)
    yield "unwanted", kept(START - 99 * MINUTE, refused).alerts(START - 89 * MINUTE)
    expired = Reason.of(ReasonCode.CANCELLATION_EXPIRED, failure=503)
    yield "unwanted_in_the_meeting", kept(START, expired, retry_at=START).alerts()
    history = History().ask().accepted().ask(START - 2000 * MINUTE, action=Action.CANCEL)
    history.add(EntryType.CANCELLED, START - 1999 * MINUTE, revision=2)
    yield "unwanted_and_active", history.hear("meeting_agent_activated", START).alerts()
    yield "never_activated", silent().alerts()
    yield "never_activated_without_a_call", [replace(alert, lacks_call=True) for alert in silent().alerts()]
    yield from cases_of_the_end()


def cases_of_the_end() -> Iterator[tuple[str, Sequence[AgentAlert]]]:
    history = History().ask().accepted().hear("meeting_agent_activated", START)
    ended = Reason.of(ReasonCode.COMPLETION_MISSED, at="2026-04-29T17:30:00.000Z")
    history.add(EntryType.OVERDUE, END + 30 * MINUTE, phase=DeadlineType.COMPLETION, reason=ended)
    yield "not_finished", history.alerts()
    history = History().ask().accepted().hear("meeting_agent_complete", END + MINUTE, state="complete")
    bare = Reason.of(ReasonCode.RESOURCES_MISSED, at="2026-04-29T17:16:00.000Z")
    history.add(EntryType.OVERDUE, END + 16 * MINUTE, phase=DeadlineType.RESOURCES, reason=bare)
    yield "resources_missing", history.alerts()
    listed = [{"category": "transcript", "type": "cronofy", "url": "https://api.cronofy.com/resources/1"}]
    history = (
        History().ask().accepted().hear("meeting_agent_complete", END + MINUTE, state="complete", resources=listed)
    )
    late = Reason.of(ReasonCode.ARCHIVE_MISSED, at="2026-04-29T19:01:00.000Z")
    missed: dict[str, Any] = {"phase": DeadlineType.ARCHIVE, "missing": ("transcript",), "reason": late}
    history.add(EntryType.OVERDUE, END + 121 * MINUTE, **missed)
    yield "not_archived", history.alerts()
    history = History().ask(conference_expected=True).accepted()
    none = Reason.of(ReasonCode.CONFERENCE_MISSED, at="2026-04-29T15:15:00.000Z")
    history.add(EntryType.OVERDUE, START - 15 * MINUTE, phase=DeadlineType.CONFERENCE, reason=none)
    yield "no_conference", history.alerts(START - 13 * MINUTE)
    history = History().ask(conference_expected=True).accepted()
    history.hear("conferencing_failing", START - 1500 * MINUTE)
    yield "no_conference_reported", history.alerts(START - 1490 * MINUTE)
    dead = Reason.of(ReasonCode.RETRY_LEFT_TO_CALLER, failure="reauthorisation_required")
    history = History(account="").ask().add(EntryType.UNCONFIRMED, START - 2879 * MINUTE, reason=dead)
    yield "account_disconnected", history.alerts(START - 2869 * MINUTE)
    history = History().ask().accepted().hear("meeting_agent_complete", END + MINUTE, state="complete")
    yield "conflicting", history.hear("meeting_agent_failed", END + 2 * MINUTE).alerts()
    other = {"event_id": "somebody-elses-event"}
    yield "mismatched", History().ask().accepted().hear("meeting_agent_complete", START, event=other).alerts()
    yield "resolved", silent().published().hear("meeting_agent_activated", START + 14 * MINUTE).alerts()
    history = silent().published().hear("meeting_agent_complete", END + 2 * MINUTE)
    yield "resolved_by_its_end", history.alerts()
    yield "reminder", reminded().alerts(START + 17 * MINUTE)
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


def test_every_type_has_words_and_a_case() -> None:
    """A type without words could not be alerted to; one that can be resolved needs words for that, too."""
    assert {*WORDINGS} == {*INCIDENTS, *NOTICES}
    assert {*WORDINGS, *GROUPS} == set(IncidentType)
    assert set(GROUP_WORDINGS) == TYPES >= {*COVERING.values(), *GROUPS}
    assert {agent.type for agents in CASES.values() for agent in agents} == set(WORDINGS)
    assert {type_ for type_, wording in WORDINGS.items() if wording.resolved} == set(INCIDENTS)
    assert {type_ for type_, wording in WORDINGS.items() if wording.many_resolved} == set(INCIDENTS)


@pytest.mark.parametrize("type_", WORDINGS)
def test_the_words_for_many_are_in_the_plural(type_: IncidentType) -> None:
    words = f"{WORDINGS[type_].many} {WORDINGS[type_].many_resolved}"
    assert not re.search(r"\b(is|was|has|it|its|waits)\b", words)


def test_the_subject_about_many_that_are_resolved_is_in_the_plural() -> None:
    agents = []
    for number in range(2):
        history = History(f"e-{number}").ask(conference_expected=True).accepted()
        history.hear("conferencing_failing", START - 20 * MINUTE).published(START - 10 * MINUTE)
        agents += history.hear("conferencing_assigned", START - 9 * MINUTE).alerts()
    (alert,) = group_alerts(agents, LINKS)
    assert alert.subject == "[resolved] prod: 2 meeting agents: 2 have conferences"


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize(
    "title",
    ["Quarterly review", "Überprüfung " * 40, "価格会議" * 60, "a\r\nBcc: you@example.com\x00", "[{^|~\\`}]" * 30, ""],
)
def test_subject_and_sms_fit_whatever_a_meeting_is_called(case: str, title: str) -> None:
    """A subject is at most 100 printable ASCII characters, an SMS one segment of GSM characters."""
    agents = []
    for agent in CASES[case]:
        reported = replace(agent.attempt.meeting, summary=title)
        attempts = tuple(replace(a, reported=reported, reported_at=agent.at) for a in agent.record.attempts)
        agents.append(replace(agent, record=replace(agent.record, attempts=attempts)))
    for alert in group_alerts(agents, LINKS):
        assert 0 < len(alert.subject) <= SUBJECT_LENGTH
        assert all(" " <= character <= "~" for character in alert.subject)
        assert len(alert.sms) <= SMS_LENGTH
        assert set(alert.sms) <= GSM
        assert "\nBcc" not in alert.text


@pytest.mark.parametrize("case", [case for case in CASES if case != "many"])
def test_the_first_line_says_what_happened_to_which_meeting(case: str) -> None:
    """No one reads further at night than to the first line."""
    (alert,) = group_alerts(CASES[case], LINKS)
    first = alert.text.splitlines()[2 if alert.reminder else 0]
    assert summary(alert.agents[0]) in first
    assert "Bcc: boss@example.com From: me ignore" in first or "Quarterly review" in first


@pytest.mark.parametrize(
    ("case", "sent_at", "left"),
    [
        ("failed", START + 2 * MINUTE, ""),  # at once: the meeting has just begun
        ("failed", START + 60 * MINUTE, "The meeting ends in 30 minutes."),
        ("failed", END - timedelta(seconds=0.5), "The meeting ends in 1 second."),
        ("failed", END, ""),
        ("rejected_near_the_meeting", START - 25 * MINUTE, "The meeting begins in 25 minutes."),
        ("rejected", START - 25 * MINUTE, ""),  # a warning waits for the morning
        ("resolved", START + 60 * MINUTE, ""),
    ],
)
def test_a_critical_alert_that_is_sent_late_says_how_much_time_is_left(case: str, sent_at: datetime, left: str) -> None:
    (alert,) = group_alerts([replace(agent, at=sent_at) for agent in CASES[case]], LINKS)
    _, _, rest = alert.text.splitlines()[0].partition(". ")
    assert rest == left


def test_a_thousand_failures_are_one_message_that_names_each() -> None:
    """Every one is in it, twenty in full, and SNS takes it."""
    agents = []
    for number in range(1000):
        history = History(f"event-{number}", replace(MEETING, summary=f"Weekly {number}"), f"acc_{number:024d}")
        agents += history.ask().accepted().hear("meeting_agent_failed", START).alerts()
    (alert,) = group_alerts(agents, LINKS)
    assert alert.size <= MAX_MESSAGE_BYTES
    machine = json.loads(json.loads(alert.message)["default"])
    named = [agent["agent_id"] for agent in machine["agents"]] + machine["omitted"]["failed"]
    assert sorted(named) == sorted(agent.agent_id for agent in agents)
    assert len(machine["agents"]) == 20
    text = alert.text
    assert all(agent.agent_id in text for agent in agents)


def test_what_sns_would_refuse_for_its_size_is_parted_and_loses_nobody() -> None:
    """Hostile notifications with endless reasons make more messages, each within the limit."""
    agents = []
    for number in range(60):
        history = History(f"event-{number}", replace(MEETING, summary="x" * 1024), "a" * 900 + str(number))
        reasons: dict[str, Any] = {f"reason_{position}": "\N{PILE OF POO}" * 400 for position in range(300)}
        agents += history.ask().accepted().hear("meeting_agent_failed", START, **reasons).alerts()
    alerts = group_alerts(agents, LINKS)
    assert len(alerts) > 1
    assert all(alert.size <= MAX_MESSAGE_BYTES for alert in alerts)
    assert [a.id for alert in alerts for a in alert.agents] == [agent.id for agent in agents]


def test_each_message_has_one_status_and_one_severity_and_all_its_other_values() -> None:
    """A filter gets exactly what it names, and a resolved incident hides no firing one."""
    cases = ("failed", "resolved", "no_conference_reported", "reminder")
    alerts = group_alerts([agent for case in cases for agent in CASES[case]], LINKS)
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


JOIN_LINKS = ["https://zoom.us/00001111-222?pwd=x", "zoommtg://zoom.us/join?confno=1", "meet.google.com/abc-defg-hij"]


@pytest.mark.parametrize("link", JOIN_LINKS)
def test_no_alert_shows_a_join_link(link: str) -> None:
    """A person who has the link can join the meeting. It may be in a title, or in a field that no one documented."""
    history = History(meeting=replace(MEETING, summary=f"Join {link} now")).ask().accepted()
    event = {"conferencing": {"provider_name": "zoom", "join_url": link}}
    history.hear("meeting_agent_failed", START, event=event, join_url=link, why=f"no answer at {link}")
    for alert in group_alerts(history.alerts(), LINKS):
        assert link not in alert.message
        assert "(link)" in alert.text


def test_an_agent_that_reports_itself_late_is_on_its_way_and_not_in_the_meeting() -> None:
    """Cronofy reports it when it prepares to join: it may still wait in the lobby."""
    (alert,) = group_alerts(CASES["resolved"], LINKS)
    assert alert.subject == '[resolved] prod: Meeting agent is on its way: "Quarterly review", 29 Apr 17:30 CEST'
    assert "lobby" in alert.text


def moved(history: History, at: datetime, by: timedelta) -> History:
    """The meeting is requested for a later time, with another agent."""
    history.meeting = replace(MEETING, start=START + by, end=END + by)
    return history.ask(at, attempt=2).accepted(attempt=2)


def test_the_late_end_of_an_agent_is_sent_with_the_time_of_its_own_meeting() -> None:
    history = moved(History().ask().accepted().hear("meeting_agent_activated", START), END, timedelta(days=1))
    late = Reason.of(ReasonCode.COMPLETION_MISSED, at="2026-04-29T17:30:00.000Z")
    history.add(EntryType.OVERDUE, END + 30 * MINUTE, phase=DeadlineType.COMPLETION, reason=late).published()
    (resolved,) = history.hear("meeting_agent_complete", END + 31 * MINUTE).alerts()
    assert (resolved.type, resolved.is_resolved) == (IncidentType.NOT_FINISHED, True)
    assert resolved.meeting == MEETING


def test_the_alert_that_a_later_agent_resolves_an_incident_has_the_time_of_that() -> None:
    history = moved(failed().published(START + 2 * MINUTE), START + 3 * MINUTE, timedelta(hours=1))
    (resolved,) = history.hear("meeting_agent_complete", END + 62 * MINUTE, sub="agt_2").alerts()
    assert (resolved.type, resolved.is_resolved) == (IncidentType.FAILED, True)
    assert resolved.meeting == history.meeting


def test_every_alert_about_an_incident_has_the_same_key() -> None:
    """In the first alert, the reminder and the resolution."""
    history = silent()
    (first,) = history.alerts()
    (reminder,) = history.published().alerts(START + 26 * MINUTE)
    history.published(START + 26 * MINUTE)
    (resolved,) = history.hear("meeting_agent_activated", START + 30 * MINUTE).alerts()
    assert {first.dedup_key, reminder.dedup_key, resolved.dedup_key} == {f"{history.agent}/1/never_activated"}
    assert len({first.id, reminder.id, resolved.id}) == 3


def test_a_chat_message_has_only_the_documented_members_and_no_markup_of_others() -> None:
    """Nothing from outside mentions a channel or hides an address in Slack or Teams."""
    history = History(meeting=replace(MEETING, summary="<!channel> <https://evil.example|here>")).ask().accepted()
    (alert,) = group_alerts(history.hear("meeting_agent_failed", START).alerts(), LINKS)
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


EVIL = [
    "[x](http://evil.example/a)",
    "<http://evil.example|x>",
    "<https://evil.example>",
    "![x](https://evil.example/i.png)",
]
"""Links with a label, as Markdown and as Slack write them, an autolink and an image."""


@pytest.mark.parametrize("title", [*EVIL, "[x][1] [1]: //evil.example/a", "www.evil.example", "evil.example", "@here"])
@pytest.mark.parametrize("mention", ["", " <!channel> <@U024BE7LH> @everyone &lt;!here&gt;"])
def test_nothing_from_outside_becomes_a_link_or_a_mention_in_a_chat(title: str, mention: str) -> None:
    """Neither a title, Cronofy's words, nor a label: alone, among many, in the subject, in the copy for machines."""
    meeting = replace(MEETING, summary=title + mention)
    words: dict[str, Any] = {"failure_reason": title + mention}
    agents: list[AgentAlert] = []
    for number in range(25):
        history = History(f"e-{number}", meeting).ask(labels={"team": title + mention}).accepted()
        agents += history.hear("meeting_agent_failed", START, **words).alerts()
    for alert in (Alert(tuple(agents[:1]), LINKS), Alert(tuple(agents), LINKS)):
        chat = json.loads(alert.chat)
        shown = json.dumps([chat["content"], chat["metadata"]["summary"]], ensure_ascii=False)
        shown = shown.replace(LINKS.api, "").replace(LINKS.dashboard, "")
        assert not re.search(r"\]\(|<|>|://|evil\.example|@\w|&lt;", shown)
        assert not re.search("[<>@]", chat["metadata"]["additionalContext"]["alert"])
        assert "evil.example/" not in alert.text
        assert "team: " in alert.text
        assert ("team: " in shown) is (len(alert.agents) == 1)


@pytest.mark.parametrize(
    ("title", "named"),
    [
        ("Überprüfung \N{EN DASH} Straße „A“", '"Uberprufung - Strasse "A""'),
        ("Łódź 🎉", '"Lodz"'),
        ("価格会議", "event review-17"),
        ("Совещание по бюджету", "event review-17"),
        ("🎉", "event review-17"),
        ("", "event review-17"),
    ],
)
def test_a_title_that_ascii_cannot_say_is_replaced_by_the_event_in_the_subject(title: str, named: str) -> None:
    """Question marks name no meeting. The e-mail itself has the title."""
    history = History(meeting=replace(MEETING, summary=title)).ask().accepted()
    (alert,) = group_alerts(history.hear("meeting_agent_failed", START).alerts(), LINKS)
    assert alert.subject == f"[critical] prod: Meeting agent failed: {named}, 29 Apr 17:30 CEST"
    assert alert.sms.startswith(f"CRITICAL, prod: Meeting agent failed: {named}, 29 Apr 17:30 CEST")
    assert f'"{title}"' in alert.text or not title


@pytest.mark.parametrize("stack", ["p", "meeting-agents-production-of-europe", "x" * 128])
@pytest.mark.parametrize("case", CASES)
def test_the_stack_is_named_and_all_fits(case: str, stack: str) -> None:
    """People may have several stacks; the name can have 128 characters."""
    for alert in group_alerts(CASES[case], replace(LINKS, stack=stack)):
        assert len(alert.subject) <= SUBJECT_LENGTH
        assert len(alert.sms) <= SMS_LENGTH
        assert stack[:20] in alert.subject
        assert re.match(rf"(CRITICAL|WARNING|RESOLVED)(, reminder 1/2)?, {stack[:20]}", alert.sms)


def test_an_agent_without_a_calendar_event_is_named_by_its_scheduling_key() -> None:
    """It has no title, and the caller knows it by this key."""
    meeting = Meeting(start=START)
    request = Request(action=Action.PROVISION, data_center="de", meeting=meeting, scheduling_key="standup-7")
    history = History(event="").add(EntryType.REQUESTED, START - MINUTE, request=request).accepted()
    (alert,) = group_alerts(history.hear("meeting_agent_failed", START + MINUTE).alerts(), LINKS)
    assert alert.subject == "[critical] prod: Meeting agent failed: scheduling key standup-7, 29 Apr 15:30 UTC"
    assert alert.text.startswith("The meeting agent for scheduling key standup-7 failed")


def failing(failure: str | int, **identity: Any) -> AgentAlert:
    """An agent whose request failed thus, a quarter of an hour before the meeting."""
    names: dict[str, Any] = identity or {"calendar_id": "cal_1", "event_id": "review-17"}
    request = Request(action=Action.PROVISION, data_center="de", meeting=MEETING, **names)
    reason = Reason.of(ReasonCode.RETRY_PLANNED, failure=failure)
    history = History(event=names.get("event_id", "")).add(EntryType.REQUESTED, START - 60 * MINUTE, request=request)
    (alert,) = history.add(EntryType.UNCONFIRMED, START - 59 * MINUTE, reason=reason, retry_at=START).alerts(
        START - 15 * MINUTE
    )
    return alert


STATUSES = ["401", "402", "403", "404", "422", "423", "429", "500", "503"]


@pytest.mark.parametrize("identity", [{}, {"scheduling_key": "standup-7"}])
@pytest.mark.parametrize("status", STATUSES)
def test_the_next_step_is_that_for_the_status_that_came(status: str, identity: dict[str, str]) -> None:
    """Not for all statuses: at night no one should have to look for the right one."""
    (first, *_) = next_steps(failing(status, **identity))
    assert re.findall(r"\b[45]\d\d\b", first) == ([] if (status, bool(identity)) == ("423", True) else [status])


@pytest.mark.parametrize("count", [4, 5])
def test_many_at_once_point_to_cronofy_first(count: int) -> None:
    """One by one, thirty meetings of an outage would each be looked at for nothing."""
    agents = [alert for number in range(count) for alert in silent(f"silent-{number}").alerts()]
    (alert,) = group_alerts(agents, LINKS)
    is_many = count == 5
    assert ("So many at once: look at Cronofy's status first" in alert.text) is is_many
    assert ("Look at Cronofy's status first" in alert.sms) is is_many
    assert json.loads(alert.chat)["content"]["nextSteps"][0].startswith("So many at once") is is_many


def test_many_are_listed_by_cause_and_each_has_its_title() -> None:
    """In the e-mail and in the chat, beyond the twenty that are shown in full."""
    agents = []
    for number in range(40):
        history = History(f"e-{number}", replace(MEETING, summary=f"Weekly {number}")).ask().accepted()
        words: dict[str, Any] = {"failure_reason": "lobby"} if number % 4 else {}
        agents += history.hear("meeting_agent_failed", START, **words).alerts()
    (alert,) = group_alerts(agents, LINKS)
    description = json.loads(alert.chat)["content"]["description"]
    assert "Reason of 30: meeting_agent.failure_reason: lobby" in alert.text
    assert "Reason of 10: unknown, Cronofy gave none" in alert.text
    assert "30 failed: meeting_agent.\u200bfailure_reason: lobby" in description
    assert all(f'"Weekly {number}"' in text for number in range(40) for text in (alert.text, description))


def test_a_chat_message_ends_between_two_meetings() -> None:
    """It has all that fit, and counts the others."""
    agents = [alert for number in range(300) for alert in silent(f"silent-{number}").alerts()]
    description = json.loads(Alert(tuple(agents), LINKS).chat)["content"]["description"]
    lines = description.splitlines()
    titled = sum(line.startswith('- "Quarterly review", 29 Apr 17:30 CEST') for line in lines)
    assert lines[-2] == f"And {300 - titled} more, see the overview."
    assert titled > 50
    assert 3900 < len(description) <= 4000


def test_missing_resources_are_named_and_so_is_the_event_of_a_mismatch() -> None:
    (alert,) = CASES["resources_missing"]
    assert alert.detail.endswith("missing: any transcript or recording; there is: dashboard")
    history = History().ask().accepted().hear("meeting_agent_complete", END, state="complete")
    reason = Reason.of(ReasonCode.RESOURCES_MISSED, at="2026-04-29T17:16:00.000Z")
    at, phase = END + 16 * MINUTE, DeadlineType.RESOURCES
    (alert,) = history.add(EntryType.OVERDUE, at, phase=phase, reason=reason, missing=("transcript", "video")).alerts()
    assert "missing: transcript, video; there is: dashboard" in alert.detail
    history = History().ask().accepted()
    for number, left in enumerate(([{"category": "transcript", "type": "cronofy", "url": "https://a"}], [])):
        history.hear("meeting_agent_complete", END + number * MINUTE, sub=f"agt_{number}", resources=left)
    (alert,) = history.add(EntryType.OVERDUE, at, phase=phase, reason=reason).alerts()
    assert alert.detail.endswith(
        "missing of the agent that left last: any transcript or recording; there is: transcript"
    )
    (alert,) = CASES["mismatched"]
    assert "somebody-elses-event" in alert.detail


@pytest.mark.parametrize("case", CASES)
def test_each_time_is_local_with_utc_beside_it(case: str) -> None:
    """A time in UTC alone has to be converted at night."""
    for alert in group_alerts(CASES[case], LINKS):
        if case != "failed_of_a_stranger":  # whose time zone is unknown
            assert not re.search(r"\d UTC(?!\))", alert.text)


def test_labels_are_a_list_to_filter_on_and_each_agent_has_its_own() -> None:
    agents = []
    for number, labels in enumerate([{"team": "sales"}, {"team": "support", "region": "emea"}, {}]):
        agents += History(f"e-{number}").ask(labels=labels).accepted().hear("meeting_agent_failed", START).alerts()
    (alert,) = group_alerts(agents, LINKS)
    assert alert.attributes["labels"] == ("region:emea", "team:sales", "team:support")
    shown = {agent["agent_id"]: agent["labels"] for agent in json.loads(alert.machine)["agents"]}
    assert [shown[agent.agent_id] for agent in agents] == [{"team": "sales"}, {"team": "support", "region": "emea"}, {}]
    lines = alert.text.splitlines()
    assert [line for line in lines if "team:" in line] == ["  team: sales", "  region: emea, team: support"]
    assert "\n  region: emea, team: support\n" in json.loads(alert.chat)["content"]["description"]
    assert "labels" not in group_alerts(agents[2:], LINKS)[0].attributes
