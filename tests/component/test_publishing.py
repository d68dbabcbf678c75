"""The alerts that `alert` publishes are decided from the journal as it is at that moment."""

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from functions.alert.app import publish_alerts
from meeting_agents.aws.journal import Journal
from meeting_agents.aws.lease import Lease
from meeting_agents.aws.notifications import append_notification
from meeting_agents.aws.topics import AlertsTopic
from meeting_agents.domain.groups import Group
from meeting_agents.domain.model import DeadlineType, Entry, EntryType
from meeting_agents.errors import TopicUnavailable
from meeting_agents.publishing import Publisher
from tests.desk import Desk
from tests.sandbox.embedded_aws import EmbeddedAws
from tests.unit.alerting.test_message import LINKS, MEETING, History

NOW = datetime.now(UTC).replace(microsecond=0)


class Topic(AlertsTopic):
    """A topic that keeps the subjects, and refuses as many messages as it is told to."""

    def __init__(self) -> None:
        self.subjects: list[str] = []
        self.refusals = 0

    def publish(self, subject: str, texts: str, attributes: Mapping[str, str | Sequence[str]]) -> None:
        assert texts
        assert attributes["status"] in ("firing", "resolved")
        if self.refusals:
            self.refusals -= 1
            raise TopicUnavailable("the topic is down")
        self.subjects.append(subject)

    def subscribers(self) -> int:
        return 1


@pytest.fixture
def desk(aws: EmbeddedAws) -> Iterator[Desk]:
    """Tables without a stream, so that nothing else publishes."""
    with Desk(aws) as desk:
        yield desk


@pytest.fixture
def topic() -> Topic:
    return Topic()


def agent(desk: Desk, name: str = "review", **request: Any) -> History:
    """An agent whose meeting began five minutes ago."""
    meeting = replace(MEETING, start=NOW - timedelta(minutes=5), end=NOW + timedelta(hours=1), summary=name)
    history = History(name, meeting).ask(NOW - timedelta(hours=1), **request).accepted()
    for entry in history.entries:
        desk.journal().append(history.agent, entry)
    return history


def hear(desk: Desk, history: History, interaction: str, at: datetime = NOW) -> History:
    history.hear(interaction, at)
    raw = history.bodies[history.entries[-1].key]
    append_notification(desk._table(), history.agent, raw, at=at, attempt=1, signed_with="x")
    return history


def silence(desk: Desk, history: History) -> None:
    at, phase = NOW - timedelta(minutes=1), DeadlineType.ACTIVATION
    overdue = Entry(key="overdue#1", kind=EntryType.OVERDUE, at=at, attempt=1, revision=1, phase=phase)
    desk.journal().append(history.agent, overdue)


def titles(topic: Topic) -> list[str]:
    return [": ".join(subject.split(": ")[:2]) for subject in topic.subjects]


def publish(desk: Desk, topic: Topic, *histories: History) -> set[str | Group]:
    agents: set[str | Group] = {history.agent for history in histories}
    publisher = Publisher(desk.journal(), desk.groups(), topic, LINKS, desk.event_triggers(), desk.silences())
    # Copies wait for each other in real time: the desk's own clock would end the lease of a slow one.
    return publish_alerts(agents, publisher, Lease(desk._table(), "alert"))


def alerted(journal: Journal, history: History) -> list[Entry]:
    entries = [stored.entry for stored in journal.read(history.agent, datetime.now(UTC))]
    return [entry for entry in entries if entry.kind is EntryType.ALERTED]


def test_many_agents_are_one_message_and_none_is_published_twice(desk: Desk, topic: Topic) -> None:
    histories = [hear(desk, agent(desk, f"outage-{number}"), "meeting_agent_failed") for number in range(60)]
    assert publish(desk, topic, *histories) == publish(desk, topic, *histories) == set()
    assert topic.subjects == ["[critical] prod: 60 meeting agents: 60 failed"]
    assert [len(alerted(desk.journal(), history)) for history in histories] == [1] * 60


def test_copies_that_run_at_the_same_time_publish_once(desk: Desk, topic: Topic) -> None:
    history = hear(desk, agent(desk), "meeting_agent_failed")
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: publish(desk, topic, history), range(4)))
    assert len(topic.subjects) == 1


def test_an_incident_that_is_over_before_its_alert_is_sent_is_never_sent(desk: Desk, topic: Topic) -> None:
    """However late the queue is."""
    history = hear(desk, agent(desk), "meeting_agent_failed")
    hear(desk, history, "meeting_agent_complete")
    assert publish(desk, topic, history) == set()
    assert titles(topic) == ["[warning] prod: Meeting agent was reported complete and failed"]


def test_a_refused_alert_is_published_later_and_nothing_overtakes_it(desk: Desk, topic: Topic) -> None:
    """A resolved alert never comes first, and the last word is the truth."""
    history = agent(desk)
    silence(desk, history)
    topic.refusals = 1
    assert publish(desk, topic, history) == {history.agent}
    assert alerted(desk.journal(), history) == []
    hear(desk, history, "meeting_agent_activated")
    assert publish(desk, topic, history) == set()
    assert topic.subjects == []  # the agent is on its way, and people were not alerted
    hear(desk, history, "meeting_agent_failed", NOW + timedelta(seconds=1))
    assert publish(desk, topic, history) == set()
    assert titles(topic) == ["[critical] prod: Meeting agent failed"]


def test_an_alert_and_its_resolution_have_one_key_and_numbers_of_their_own(desk: Desk, topic: Topic) -> None:
    history = agent(desk)
    silence(desk, history)
    publish(desk, topic, history)
    hear(desk, history, "meeting_agent_activated", datetime.now(UTC))
    publish(desk, topic, history)
    assert titles(topic) == [
        "[critical] prod: Meeting agent never became active",
        "[resolved] prod: Meeting agent is on its way",
    ]
    assert sorted(entry.key for entry in alerted(desk.journal(), history)) == [
        "alerted#1/never_activated#firing#0",
        "alerted#1/never_activated#resolved#1",
    ]
