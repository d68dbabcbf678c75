"""The alerts about groups of agents: one message for an account or a data center, on real tables."""

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from functions.alert.app import publish_alerts
from meeting_agents.aws.dynamodb import Item, Table
from meeting_agents.aws.groups import LastCallbacks
from meeting_agents.aws.notifications import append_notification
from meeting_agents.aws.queues import send_groups, subject_of
from meeting_agents.aws.topics import AlertsTopic
from meeting_agents.domain.groups import HEARD_EVERY, MIN_SILENT_AGENTS, REPEAT_AFTER, Group
from meeting_agents.domain.lifecycle import fold
from meeting_agents.domain.model import AlertStatus, DeadlineType, Entry, EntryType, IncidentType
from meeting_agents.domain.reasons import REAUTHORISATION_REQUIRED, Reason, ReasonCode
from meeting_agents.domain.record import Record
from meeting_agents.errors import ReauthorisationRequired, TopicUnavailable
from meeting_agents.publishing import Publisher
from tests.desk import CALENDAR, Desk
from tests.sandbox.embedded_aws import EmbeddedAws
from tests.unit.alerting.test_message import LINKS, MEETING, History

ACCOUNT = Group(IncidentType.ACCOUNT_DISCONNECTED, "alice")
DATA_CENTER = Group(IncidentType.CALLBACKS_MISSING, "de")
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
START = datetime(2026, 4, 30, 12, tzinfo=UTC)
"""A day after the clock of the desk begins."""
DEAD = Reason.of(ReasonCode.RETRY_PLANNED, failure=REAUTHORISATION_REQUIRED)


class Topic(AlertsTopic):
    """A topic that keeps the subjects and the attributes, and refuses as many messages as required."""

    def __init__(self) -> None:
        self.subjects: list[str] = []
        self.attributes: list[Mapping[str, Any]] = []
        self.refusals = 0
        self.dies = False

    def publish(self, subject: str, texts: str, attributes: Mapping[str, str | Sequence[str]]) -> None:
        assert texts
        if self.refusals:
            self.refusals -= 1
            raise TopicUnavailable("the topic is down")
        self.subjects.append(subject)
        self.attributes.append(attributes)
        if self.dies:
            raise KeyboardInterrupt

    def subscribers(self) -> int:
        return 1


class Counting(Table):
    """A table that counts its updates."""

    calls = 0

    def try_update(self, *args: Any, **fields: Any) -> tuple[bool, Item]:
        self.calls += 1
        return super().try_update(*args, **fields)


class Room:
    """Agents on the tables of a desk, and the alerts about them. `track` stores what the journals fold to."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.topic = Topic()
        self.histories: dict[str, History] = {}
        self.escalation: timedelta | None = None

    # Agents

    def request(self, name: str, start: datetime = START, account: str = "alice") -> History:
        meeting = replace(MEETING, start=start, end=start + HOUR, summary=name)
        history = History(name, meeting, account).ask(self.desk.now)
        self.histories[name] = history
        self._append(history, history.entries[-1])
        return history

    def answer(self, name: str, kind: EntryType, reason: Reason | None = None, **fields: Any) -> None:
        history = self.histories[name]
        self._append(history, history.add(kind, self.desk.now, reason=reason, **fields).entries[-1])

    def wait_for_account(self, name: str, start: datetime = START) -> None:
        self.request(name, start)
        self.answer(name, EntryType.UNCONFIRMED, DEAD, retry_at=self.desk.now + 15 * MINUTE)

    def miss(self, name: str, start: datetime = START) -> None:
        """Let an agent miss its activation deadline."""
        self.request(name, start, "")
        self.answer(name, EntryType.ACCEPTED)
        reason = Reason.of(ReasonCode.ACTIVATION_MISSED, at=(start + 10 * MINUTE).isoformat())
        self.answer(name, EntryType.OVERDUE, reason, phase=DeadlineType.ACTIVATION)

    def hear(self, name: str, interaction: str) -> None:
        history = self.histories[name].hear(interaction, self.desk.now)
        raw = history.bodies[history.entries[-1].key]
        append_notification(self.desk._table(), history.agent, raw, at=self.desk.now, attempt=1, signed_with="x")
        self.callback()
        self.desk.track(history.agent)

    def callback(self) -> None:
        """Let another agent of the data center report something."""
        LastCallbacks(self.desk._table()).hear("de", self.desk.now)

    def _append(self, history: History, entry: Entry) -> None:
        assert self.desk.journal().append(history.agent, entry)
        self.desk.track(history.agent)

    # The account

    def register(self) -> None:
        grant = self.desk.cronofy.grant("us", calendars=(CALENDAR,))
        self.desk.accounts().register("alice", "us", grant.refresh_token)

    def disconnect(self) -> None:
        for grant in self.desk.cronofy._world._grants.values():
            self.desk.cronofy.revoke(grant)
        with pytest.raises(ReauthorisationRequired):
            self.desk.tokens().access_token("alice")

    # Alerts

    def publish(self, *names: str, groups: Sequence[Group] = ()) -> set[str | Group]:
        subjects: set[str | Group] = {self.histories[name].agent for name in names or self.histories}
        failed = self._publish(subjects | {*groups})
        for history in self.histories.values():
            self.desk.track(history.agent)
        return failed

    def sweep(self) -> None:
        """Publish the alerts about groups that have ended, as the sweep has `alert` do."""
        groups = self.desk.groups()
        if ended := list(groups.owing(groups.firing(), self.escalation, self.desk.now)):
            self._publish({*ended})
        for history in self.histories.values():
            self.desk.track(history.agent)

    def _publish(self, subjects: set[str | Group]) -> set[str | Group]:
        self.desk.now += timedelta(seconds=1)  # entries of one moment would be in the order of their keys
        journal = self.desk.journal()
        journal.grace_periods = replace(journal.grace_periods, escalation=self.escalation)
        desk = self.desk
        publisher = Publisher(
            journal, desk.groups(), self.topic, LINKS, desk.event_triggers(), desk.silences(), lambda: desk.now
        )
        return publish_alerts(subjects, publisher, self.desk.lease("alert"))

    @property
    def titles(self) -> list[str]:
        return self.topic.subjects

    def record(self, name: str) -> Record:
        return fold(stored.entry for stored in self.desk.journal().read(self.histories[name].agent, self.desk.now))

    def alerted(self, name: str) -> list[tuple[str, str]]:
        entries = [stored.entry for stored in self.desk.journal().read(self.histories[name].agent, self.desk.now)]
        return [
            (str(entry.status), str(entry.reason.code))
            for entry in sorted(entries, key=lambda entry: entry.at)
            if entry.kind is EntryType.ALERTED and entry.reason
        ]


@pytest.fixture
def room(aws: EmbeddedAws) -> Iterator[Room]:
    with Desk(aws) as desk:
        room = Room(desk)
        room.register()
        yield room


INCLUDED, PUBLISHED = "alert_included", "alert_published"


# -------------------------------------------------------------------------------------------------------------- account


def fifty(room: Room) -> list[str]:
    """Fifty meetings wait for an account, and the patience is over."""
    room.disconnect()
    names = [f"weekly {number}" for number in range(50)]
    for name in names:
        room.wait_for_account(name)
    room.desk.now += 11 * MINUTE
    return names


def test_fifty_meetings_of_a_disconnected_account_are_one_alert(room: Room) -> None:
    """They become due one after the other, and the first message lists all."""
    names = fifty(room)
    assert room.publish(names[7]) == set()
    assert room.publish(*names[:25]) == room.publish(*names) == set()
    assert room.titles == [
        "[warning] prod: Account alice is disconnected: 50 meetings waiting, first 30 Apr 14:00 CEST"
    ]
    assert room.topic.attributes == [
        {"status": "firing", "severity": "warning", "type": ("account_disconnected",), "account": ("alice",)}
    ]
    assert {tuple(room.alerted(name)) for name in names} == {((AlertStatus.FIRING, INCLUDED),)}


def test_a_meeting_that_joins_the_others_later_is_quiet(room: Room) -> None:
    fifty(room)
    room.publish()
    room.wait_for_account("weekly 51")
    room.desk.now += 11 * MINUTE
    assert room.publish("weekly 51") == set()
    assert len(room.titles) == 1
    assert room.alerted("weekly 51") == [(AlertStatus.FIRING, INCLUDED)]


def test_the_alert_is_resolved_once_when_the_account_is_registered_again(room: Room) -> None:
    """The requests are accepted one after the other."""
    names = fifty(room)
    room.publish()
    room.register()
    room.answer(names[0], EntryType.ACCEPTED)
    room.publish(names[0])
    for name in names[1:]:
        room.answer(name, EntryType.ACCEPTED)
    room.publish(*names[1:])
    room.sweep()
    assert room.titles[1:] == ["[resolved] prod: Account alice is connected again: 49 meetings still waiting"]
    room.desk.now += HOUR
    room.publish()
    assert len(room.titles) == 2
    assert {last.status for name in names for last in room.record(name).alerts.values()} == {AlertStatus.RESOLVED}


def test_the_alert_is_resolved_though_no_agent_waits_any_more(room: Room) -> None:
    """The meeting was cancelled meanwhile, so no news of an agent leads to the alert: the sweep does."""
    room.disconnect()
    room.wait_for_account("weekly")
    room.desk.now += 11 * MINUTE
    room.publish()
    room.sweep()
    room.answer("weekly", EntryType.REJECTED)
    room.register()
    room.sweep()
    room.sweep()
    assert room.titles[1:] == ["[resolved] prod: Account alice is connected again"]


def test_an_account_that_is_deleted_resolves_its_alert(room: Room) -> None:
    room.disconnect()
    room.wait_for_account("weekly")
    room.desk.now += 11 * MINUTE
    room.publish()
    room.desk.accounts().delete("alice")
    room.answer("weekly", EntryType.REJECTED, Reason.of(ReasonCode.ACCOUNT_UNKNOWN, account="alice"))
    room.sweep()
    assert room.titles[1:] == ["[resolved] prod: Account alice is no longer registered"]


def test_an_account_that_is_registered_before_the_alert_is_none(room: Room) -> None:
    """Its requests are sent again within minutes. Disconnected once more, it is alerted."""
    names = fifty(room)
    room.register()
    assert room.publish() == set()
    assert room.titles == []
    assert room.alerted(names[0]) == []
    room.disconnect()
    room.publish()
    assert len(room.titles) == 1


def test_an_account_that_is_disconnected_again_is_alerted_again(room: Room) -> None:
    """The same agents wait still, although the first alert was resolved."""
    names = fifty(room)
    room.publish()
    room.register()
    room.sweep()
    room.publish()
    room.disconnect()
    room.publish()
    assert [title.partition("]")[0] for title in room.titles] == ["[warning", "[resolved", "[warning"]
    assert room.alerted(names[3]) == [
        (AlertStatus.FIRING, INCLUDED),
        (AlertStatus.RESOLVED, "group_resolved"),
        (AlertStatus.FIRING, INCLUDED),
    ]


def test_the_alert_becomes_critical_once_when_the_first_meeting_is_near(room: Room) -> None:
    """And once more for a meeting of another day."""
    room.disconnect()
    for number in range(3):
        room.wait_for_account(f"weekly {number}", START + number * HOUR)
    room.wait_for_account("next day", START + timedelta(days=1))
    room.desk.now += 11 * MINUTE
    room.publish()
    for number in range(3):
        room.desk.now = START + number * HOUR - 30 * MINUTE
        room.publish()
    assert [title.partition("]")[0] for title in room.titles] == ["[warning", "[critical"]
    room.desk.now = START + timedelta(days=1) - 30 * MINUTE
    assert room.desk.now - START > REPEAT_AFTER
    room.publish()
    assert [title.partition("]")[0] for title in room.titles] == ["[warning", "[critical", "[critical"]


def test_a_request_that_is_refused_after_all_is_alerted_alone(room: Room) -> None:
    room.disconnect()
    for number in range(3):
        room.wait_for_account(f"weekly {number}")
    room.desk.now += 11 * MINUTE
    room.publish()
    room.register()
    room.answer("weekly 1", EntryType.REJECTED, Reason.of(ReasonCode.REQUEST_REFUSED, status=422))
    room.publish()
    room.sweep()
    assert room.titles[1:] == [
        '[warning] prod: Meeting agent was refused: "weekly 1", 30 Apr 14:00 CEST',
        "[resolved] prod: Account alice is connected again: 2 meetings still waiting",
    ]


# ---------------------------------------------------------------------------------------------------------- data center


def silence(room: Room, count: int, begin: int = 0) -> list[str]:
    """Agents of meetings that began eleven minutes ago, after the last callback, miss their deadline."""
    names = [f"stand-up {number}" for number in range(begin, begin + count)]
    room.desk.now = START + 11 * MINUTE
    for name in names:
        room.miss(name)
    return names


def test_forty_silent_agents_of_a_data_center_are_one_alert(room: Room) -> None:
    room.desk.now = START - HOUR
    room.callback()
    names = silence(room, 40)
    assert room.publish(*names[:20]) == room.publish() == set()
    assert room.titles == ["[critical] prod: No callbacks from Cronofy's data center de: 40 meeting agents silent"]
    assert room.topic.attributes == [
        {"status": "firing", "severity": "critical", "type": ("callbacks_missing",), "data_center": ("de",)}
    ]
    assert {tuple(room.alerted(name)) for name in names} == {((AlertStatus.FIRING, INCLUDED),)}


def test_two_silent_agents_are_alerted_each(room: Room) -> None:
    assert MIN_SILENT_AGENTS == 3
    names = silence(room, 2)
    room.publish()
    assert room.titles == ["[critical] prod: 2 meeting agents: 2 never became active"]
    assert {tuple(room.alerted(name)) for name in names} == {((AlertStatus.FIRING, PUBLISHED),)}


def test_a_callback_since_the_start_lets_each_silent_agent_be_alerted(room: Room) -> None:
    """Callbacks come, so the silence is the agents' own."""
    room.desk.now = START + 5 * MINUTE
    room.callback()
    silence(room, 40)
    room.publish()
    assert room.titles == ["[critical] prod: 40 meeting agents: 40 never became active"]


def test_a_callback_that_was_not_recorded_is_not_missed(room: Room) -> None:
    """The time is recorded at most once a minute, so one may have come that much later."""
    room.desk.now = START - HEARD_EVERY
    room.callback()
    silence(room, 3)
    room.publish()
    assert room.titles == ["[critical] prod: 3 meeting agents: 3 never became active"]


def test_agents_that_were_silent_before_the_last_callback_are_alerted_each(room: Room) -> None:
    room.desk.now = START - 30 * MINUTE
    room.miss("early", START - HOUR)
    room.callback()
    silence(room, 3)
    room.publish()
    assert room.titles == [
        "[critical] prod: No callbacks from Cronofy's data center de: 3 meeting agents silent",
        '[warning] prod: Meeting agent never became active: "early", 30 Apr 13:00 CEST',
    ]


def test_when_callbacks_come_again_each_agent_that_stays_silent_is_alerted(room: Room) -> None:
    """One resolved message has their number, then one alert is about them."""
    names = silence(room, 40)
    room.publish()
    room.sweep()
    room.desk.now += 5 * MINUTE
    for name in names[:2]:
        room.hear(name, "meeting_agent_activated")
    room.publish(*names[:2])
    room.sweep()
    assert room.titles[1:] == [
        "[resolved] prod: Callbacks from data center de are back: 38 meeting agents still silent"
    ]
    for _ in range(2):
        room.desk.now += MINUTE
        room.publish()
    assert room.titles[2:] == ["[critical] prod: 38 meeting agents: 38 never became active"]
    assert room.alerted(names[0]) == [(AlertStatus.FIRING, INCLUDED), (AlertStatus.RESOLVED, INCLUDED)]
    assert room.alerted(names[2]) == [
        (AlertStatus.FIRING, INCLUDED),
        (AlertStatus.RESOLVED, "group_resolved"),
        (AlertStatus.FIRING, PUBLISHED),
    ]


def test_an_agent_of_an_earlier_time_that_was_silent_is_alerted_alone(room: Room) -> None:
    """None of its deadlines is left that could say it when the callbacks come again."""
    room.request("moved", account="")
    room.answer("moved", EntryType.ACCEPTED)
    room.desk.now = START
    room.hear("moved", "meeting_agent_activated")
    room.desk.now = START + HOUR + MINUTE
    history = room.histories["moved"]
    history.meeting = replace(history.meeting, start=START + 24 * HOUR, end=START + 25 * HOUR)
    room._append(history, history.ask(room.desk.now, attempt=2).entries[-1])
    room.answer("moved", EntryType.ACCEPTED, attempt=2, revision=2)
    room.desk.now = START + HOUR + 30 * MINUTE
    for number in range(3):
        room.miss(f"silent {number}", START + HOUR + 15 * MINUTE)
    reason = Reason.of(ReasonCode.COMPLETION_MISSED, at=(START + HOUR + 30 * MINUTE).isoformat())
    room.answer("moved", EntryType.OVERDUE, reason, phase=DeadlineType.COMPLETION, attempt=1)
    room.publish()
    assert room.titles == [
        "[critical] prod: No callbacks from Cronofy's data center de: 3 meeting agents silent",
        '[warning] prod: Meeting agent went silent before its end: "moved", 30 Apr 14:00 CEST',
    ]


def test_a_callback_of_another_agent_resolves_the_alert(room: Room) -> None:
    """The sweep finds it: none of the silent agents has news."""
    silence(room, 3)
    room.publish()
    room.desk.now += 5 * MINUTE
    room.callback()
    room.sweep()
    room.sweep()
    assert room.titles[1:] == ["[resolved] prod: Callbacks from data center de are back: 3 meeting agents still silent"]


def test_agents_that_become_silent_later_are_quiet(room: Room) -> None:
    silence(room, 3)
    room.publish()
    room.desk.now += 30 * MINUTE
    room.miss("later", START + 30 * MINUTE)
    room.publish()
    assert len(room.titles) == 1
    assert room.alerted("later") == [(AlertStatus.FIRING, INCLUDED)]


# ------------------------------------------------------------------------------------------------------------ reminders


def remind(room: Room, minutes: int) -> None:
    room.desk.now += minutes * MINUTE
    room.publish()


def test_reminders_are_sent_once_for_all_agents(room: Room) -> None:
    """There are two, however many agents there are, and whenever each joined."""
    room.escalation = 15 * MINUTE
    silence(room, 3)
    room.publish()
    room.desk.now += 5 * MINUTE
    room.miss("joins", START + MINUTE)
    room.publish()
    for _ in range(8):
        remind(room, 5)
    assert [title.partition("]")[0] for title in room.titles] == [
        "[critical",
        "[critical, reminder 1/2",
        "[critical, reminder 2/2",
    ]


def test_an_acknowledgement_of_one_agent_stops_the_reminders_of_all(room: Room) -> None:
    room.escalation = 15 * MINUTE
    names = silence(room, 3)
    room.publish()
    room.desk.now += MINUTE
    room.answer(names[1], EntryType.ACKNOWLEDGED, Reason.of(ReasonCode.NOTE, note="I take notes"))
    for _ in range(3):
        remind(room, 15)
    assert len(room.titles) == 1


# --------------------------------------------------------------------------------------------------------------- faults


def test_an_alert_that_the_topic_refuses_is_owed_still(room: Room) -> None:
    names = silence(room, 3)
    room.topic.refusals = 1
    assert room.publish() == {room.histories[name].agent for name in names} | {DATA_CENTER}
    assert room.titles == []
    assert {tuple(room.alerted(name)) for name in names} == {()}
    assert room.publish() == set()
    assert len(room.titles) == 1


def test_a_resolved_alert_that_the_topic_refuses_is_sent_by_the_next_sweep(room: Room) -> None:
    silence(room, 3)
    room.publish()
    room.desk.now += 5 * MINUTE
    room.callback()
    room.topic.refusals = 1
    room.sweep()
    assert len(room.titles) == 1
    assert {tuple(room.alerted(name)) for name in room.histories} == {((AlertStatus.FIRING, INCLUDED),)}
    room.sweep()
    assert len(room.titles) == 2


def test_a_crash_after_the_message_repeats_it_at_worst(room: Room) -> None:
    """Neither the group nor the journals have it."""
    silence(room, 3)
    room.topic.dies = True
    with pytest.raises(KeyboardInterrupt):
        room.publish()
    room.topic.dies = False
    room.publish()
    room.publish()
    assert room.titles == ["[critical] prod: No callbacks from Cronofy's data center de: 3 meeting agents silent"] * 2


def test_copies_that_run_at_the_same_time_publish_once(room: Room) -> None:
    names = silence(room, 6)
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(room.publish, names[:3]))
    assert len(room.titles) == 1


# ------------------------------------------------------------------------------------------------------------ the queue


def test_the_sweep_sends_a_group_and_alert_reads_it(room: Room) -> None:
    """No client is made if there is none. One that is not sent is no error, because the next sweep sends it again."""
    sqs = room.desk._client("sqs")
    url = sqs.create_queue(QueueName="alerts-of-groups")["QueueUrl"]

    def never() -> Any:
        raise AssertionError("no client is needed")

    send_groups(never, url, [])
    with pytest.raises(sqs.exceptions.QueueDoesNotExist):
        sqs.send_message(QueueUrl=f"{url}-2", MessageBody="{}")
    send_groups(lambda: sqs, f"{url}-2", [ACCOUNT])
    send_groups(lambda: sqs, url, [ACCOUNT, DATA_CENTER])
    bodies = [message["Body"] for _ in range(2) for message in sqs.receive_message(QueueUrl=url)["Messages"]]
    assert {subject_of(body) for body in bodies} == {ACCOUNT, DATA_CENTER}


@pytest.mark.parametrize("body", ["", "[]", "{}", '{"group": "failed/de"}', '{"group": ["de"]}', '{"group": ""}'])
def test_a_message_about_neither_an_agent_nor_a_group_is_not_readable(body: str) -> None:
    with pytest.raises((ValueError, KeyError, TypeError)):
        subject_of(body)


# ----------------------------------------------------------------------------------------------------------- the tables


def test_only_agents_with_an_open_incident_are_in_the_index(room: Room) -> None:
    """An index that holds all agents would cost with each."""
    room.disconnect()
    room.wait_for_account("waits")
    room.request("asks")
    room.answer("asks", EntryType.ACCEPTED)
    table = Table(room.desk._client("dynamodb"), room.desk.agents_table)
    records = table.client.scan(TableName=table.name)["Items"]
    waiting = {item["pk"]["S"] for item in records if "open_shard" in item}
    assert waiting == {room.histories["waits"].agent}
    [agent] = room.desk.groups().waiting(ACCOUNT, None, room.desk.now)
    assert (agent.type, agent.meeting) == (IncidentType.ACCOUNT_DISCONNECTED, room.histories["waits"].meeting)
    room.answer("waits", EntryType.ACCEPTED)
    assert room.desk.groups().waiting(ACCOUNT, None, room.desk.now) == []


def test_a_callback_is_recorded_once_a_minute(room: Room) -> None:
    """A process that has recorded one makes no call, and of several processes one writes."""
    heard_at = []
    table = Counting(room.desk._client("dynamodb"), room.desk.agents_table)
    busy, other = LastCallbacks(table), LastCallbacks(table)
    for _ in range(8):
        for callbacks in (busy, other):
            callbacks.hear("de", room.desk.now)
        heard_at.append(room.desk.groups().read(DATA_CENTER).heard_at)
        room.desk.now += timedelta(seconds=20)
    assert len({*heard_at}) == 3
    assert table.calls == 6
    assert room.desk.groups().read(Group(IncidentType.CALLBACKS_MISSING, "us")).heard_at is None
