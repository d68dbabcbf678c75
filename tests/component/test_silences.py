"""Silences and quiet hours on real tables: what is held back, what is sent at the end, and what is sent meanwhile."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, time, timedelta
from typing import Any

import pytest

from meeting_agents.aws import silences as stored
from meeting_agents.domain.model import EntryType, IncidentType, Severity
from meeting_agents.domain.silences import MAX_SILENCES, QUIET_HOURS, QuietHours, Silence
from meeting_agents.incident_list import Filter, IncidentList
from tests.component.test_groups import DATA_CENTER, HOUR, MINUTE, START, Room
from tests.desk import NOON, Desk
from tests.sandbox.embedded_aws import EmbeddedAws
from tests.unit.alerting.test_message import LINKS

DAY = timedelta(days=1)


class QuietRoom(Room):
    """The same, with a sweep that has agents looked at whose silence is over."""

    def silence(
        self, name: str = "move", *, after: timedelta = timedelta(), length: timedelta = HOUR, **more: Any
    ) -> None:
        start = self.desk.now + after
        silence = Silence(name=name, start=start, end=start + length, why="We move", **more)
        assert self.desk.silences().put(silence, self.desk.now)

    def fail(self, name: str, **labels: str) -> None:
        self.request(name, START, "")
        if labels:
            self.answer(name, EntryType.LABELLED, labels=labels)
        self.answer(name, EntryType.ACCEPTED)
        self.hear(name, "meeting_agent_failed")

    def release(self) -> list[str]:
        """Have the agents looked at whose silence is over, as the sweep does. Return their names."""
        names = {history.agent: name for name, history in self.histories.items()}
        found: list[str] = []

        def look_at(agent_ids: Sequence[str]) -> Sequence[str]:
            found.extend(names[agent_id] for agent_id in agent_ids)
            return agent_ids

        self.desk.silences().release(self.desk.now, look_at)
        if found:
            self.publish(*found)
        return sorted(found)

    def kinds(self, name: str) -> list[EntryType]:
        return [
            kind
            for kind in self.desk.kinds(self.histories[name].agent)
            if kind in (EntryType.ALERTED, EntryType.SILENCED)
        ]

    def due(self, at: datetime) -> list[str]:
        """The agents that a sweep at this time looks at."""
        names = {history.agent: name for name, history in self.histories.items()}
        return sorted(names[agent_id] for agent_id in self.desk.journal().due(at))


@pytest.fixture
def room(aws: EmbeddedAws) -> Iterator[QuietRoom]:
    with Desk(aws) as desk:
        room = QuietRoom(desk)
        room.register()
        yield room


HELD, SENT = EntryType.SILENCED, EntryType.ALERTED


def test_under_a_silence_nothing_is_sent_and_at_its_end_one_message_says_what_still_stands(room: QuietRoom) -> None:
    """One agent recovers meanwhile: no one hears of it. No agent is looked at until then."""
    room.desk.now = START + 11 * MINUTE
    room.silence(length=40 * MINUTE)
    for name in ("one", "two"):
        room.fail(name)
    room.miss("three")
    for _ in range(3):  # each is looked at with every entry
        assert room.publish() == set()
    assert room.titles == []
    assert {name: room.kinds(name) for name in room.histories} == {name: [HELD] for name in room.histories}
    room.desk.now += 20 * MINUTE
    assert room.release() == []
    assert room.due(room.desk.now) == []
    room.hear("three", "meeting_agent_activated")
    room.publish()
    room.desk.now += 21 * MINUTE
    assert room.release() == ["one", "three", "two"]
    assert room.titles == ["[critical] prod: 2 meeting agents: 2 failed"]
    assert room.kinds("one") == [HELD, SENT]
    assert room.kinds("three") == [HELD]
    assert room.release() == []
    assert room.desk.silences().find("move") is None


def test_an_alert_is_sent_at_the_end_even_if_no_sweep_releases_it(room: QuietRoom) -> None:
    """Its deadline is the end of the silence: the sweep finds it by that."""
    room.silence(length=20 * DAY)
    room.fail("one")
    room.publish()
    assert room.due(room.desk.now + 20 * DAY) == []
    assert room.due(room.desk.now + 20 * DAY + 3 * MINUTE) == ["one"]


def test_a_silence_is_for_what_it_names_and_the_others_are_heard(room: QuietRoom) -> None:
    room.silence(labels={"team": ("sales",)})
    room.fail("sales", team="sales")
    room.fail("support", team="support")
    room.fail("no label")
    room.publish()
    assert room.titles == ["[critical] prod: 2 meeting agents: 2 failed"]
    assert (room.kinds("sales"), room.kinds("support")) == ([HELD], [SENT])


def test_other_labels_end_the_silence_of_an_agent(room: QuietRoom) -> None:
    """With the entry of the labels it is looked at."""
    room.silence(labels={"team": ("sales",)})
    room.fail("one", team="sales")
    room.publish()
    room.answer("one", EntryType.LABELLED, labels={"team": "support"})
    room.publish()
    assert room.kinds("one") == [HELD, SENT]


def test_a_resolved_message_goes_out_and_a_reminder_waits(room: QuietRoom) -> None:
    """Of what people were alerted of before the silence."""
    room.desk.now = START + 11 * MINUTE
    room.escalation = 15 * MINUTE
    room.fail("one")
    room.miss("two")
    room.publish()
    room.silence(length=30 * MINUTE)
    room.desk.now += 20 * MINUTE
    room.hear("two", "meeting_agent_activated")
    room.publish()
    assert room.titles[1:] == ['[resolved] prod: Meeting agent is on its way: "two", 30 Apr 14:00 CEST']
    assert room.kinds("one") == [SENT, HELD]
    room.desk.now += 11 * MINUTE
    room.release()
    assert room.titles[2:] == ['[critical, reminder 1/2] prod: Meeting agent failed: "one", 30 Apr 14:00 CEST']


def test_a_silence_that_is_deleted_or_changed_lets_alerts_go_at_once(room: QuietRoom) -> None:
    room.silence(length=DAY)
    room.silence("other", length=2 * DAY, agents={"ma_other"})
    for name in ("one", "two"):
        room.fail(name)
    room.publish()
    room.silence(length=DAY, agents=frozenset({room.histories["two"].agent}))
    assert room.release() == ["one", "two"]
    assert room.titles == ['[critical] prod: Meeting agent failed: "one", 30 Apr 14:00 CEST']
    assert room.release() == []
    assert room.kinds("two") == [HELD, HELD]
    assert room.desk.silences().delete("move", room.desk.now)
    assert not room.desk.silences().delete("move", room.desk.now)
    assert room.release() == ["two"]
    assert room.kinds("two") == [HELD, HELD, SENT]
    assert [one.name for one in room.desk.silences().quiet().silences] == ["other"]


def test_an_alert_goes_from_one_silence_to_the_next(room: QuietRoom) -> None:
    room.silence("first")
    room.fail("one")
    room.publish()
    room.silence("second", after=30 * MINUTE, length=2 * HOUR)
    room.desk.now += 61 * MINUTE
    assert room.release() == ["one"]
    assert room.kinds("one") == [HELD, HELD]
    room.desk.now += 90 * MINUTE
    assert room.release() == ["one"]
    assert room.kinds("one") == [HELD, HELD, SENT]
    assert len(room.titles) == 1


def test_an_agent_that_is_held_back_again_while_it_is_released_stays_held(room: QuietRoom) -> None:
    """The queue may be faster than the sweep."""
    room.silence(length=DAY)
    room.fail("one")
    room.publish()
    room.silence(length=2 * DAY)

    def look_at(agent_ids: Sequence[str]) -> Sequence[str]:
        room.publish("one")
        return agent_ids

    assert room.desk.silences().release(room.desk.now, look_at) == 1
    room.desk.silences().delete("move", room.desk.now)
    assert room.release() == ["one"]
    assert room.kinds("one")[-1] is SENT


def test_agents_that_the_queue_does_not_take_are_released_later(room: QuietRoom) -> None:
    room.silence()
    for name in ("one", "two", "three"):
        room.fail(name)
    room.publish()
    room.desk.now += 61 * MINUTE
    assert room.desk.silences().release(room.desk.now, lambda agent_ids: agent_ids[:1]) == 1
    assert room.desk.silences().release(room.desk.now, lambda agent_ids: agent_ids, limit=1) == 1
    assert len(room.release()) == 1
    assert room.release() == []


def test_a_data_center_without_callbacks_is_silenced_as_a_whole(room: QuietRoom) -> None:
    room.silence(data_centers=frozenset({"de"}), types=frozenset({IncidentType.CALLBACKS_MISSING}))
    room.desk.now = START + 11 * MINUTE
    room.silence(data_centers=frozenset({"de"}), types=frozenset({IncidentType.CALLBACKS_MISSING}))
    names = [f"interview {number}" for number in range(4)]
    for name in names:
        room.miss(name)
    assert room.publish() == set()
    assert room.titles == []
    assert {tuple(room.kinds(name)) for name in names} == {(HELD,)}
    assert not room.desk.groups().read(DATA_CENTER).is_firing
    room.desk.now += 61 * MINUTE
    assert room.release() == names
    assert room.titles == ["[critical] prod: No callbacks from Cronofy's data center de: 4 meeting agents silent"]


def test_agents_under_a_silence_are_not_in_the_alert_about_their_group(room: QuietRoom) -> None:
    """And two others are no group."""
    room.desk.now = START + 11 * MINUTE
    for name in ("a", "b", "c"):
        room.miss(name)
    room.silence(agents=frozenset({room.histories["a"].agent}))
    room.publish()
    assert room.titles == ["[critical] prod: 2 meeting agents: 2 never became active"]
    room.miss("d")
    room.publish()
    assert room.kinds("a") == [HELD]


def test_the_alert_about_a_group_is_resolved_under_a_silence(room: QuietRoom) -> None:
    room.desk.now = START + 11 * MINUTE
    for name in ("a", "b", "c"):
        room.miss(name)
    room.publish()
    assert len(room.titles) == 1
    room.silence()
    room.desk.now += 2 * MINUTE
    room.callback()
    room.sweep()
    assert room.titles[1].startswith("[resolved] prod: Callbacks from data center de are back")
    room.publish()
    assert {room.kinds(name)[-1] for name in ("a", "b", "c")} == {HELD}
    room.desk.now += 2 * HOUR
    room.release()
    assert len(room.titles) == 3


# ---------------------------------------------------------------------------------------------------------- quiet hours


def refuse(room: QuietRoom, name: str, start: datetime) -> None:
    """Let Cronofy refuse a request of an account: a warning, and critical near the meeting."""
    room.request(name, start)
    room.answer(name, EntryType.REJECTED)


def test_quiet_hours_hold_back_warnings_and_send_them_as_one_message_when_they_end(room: QuietRoom) -> None:
    """It is noon, and quiet until two; a critical alert is heard."""
    room.desk.quiet_hours = QuietHours(start=time(12), end=time(14), zone="Etc/UTC")
    for name in ("one", "two"):
        refuse(room, name, NOON + 5 * DAY)
    room.fail("three")
    room.desk.now += 11 * MINUTE
    room.publish()
    assert room.titles == ['[critical] prod: Meeting agent failed: "three", 30 Apr 14:00 CEST']
    assert room.release() == []
    room.desk.now += 2 * HOUR
    assert room.release() == ["one", "two"]
    assert room.titles[1:] == ["[warning] prod: 2 meeting agents: 2 were refused"]
    assert room.kinds("one") == [HELD, SENT]


def test_a_warning_that_becomes_critical_in_quiet_hours_is_sent(room: QuietRoom) -> None:
    room.desk.quiet_hours = QuietHours(start=time(12), end=time(18), zone="Etc/UTC")
    refuse(room, "one", NOON + 2 * HOUR)
    room.desk.now += 11 * MINUTE
    room.publish()
    assert room.titles == []
    near = NOON + 2 * HOUR - room.desk.journal().grace_periods.arrangement
    assert room.due(near - MINUTE) == []
    assert room.due(near) == ["one"]
    room.desk.now = near
    room.publish()
    assert [title[:10] for title in room.titles] == ["[critical]"]


def test_the_incident_of_a_data_center_is_critical_though_its_agents_are_not(room: QuietRoom) -> None:
    """Quiet hours look at the severity of the message."""
    room.desk.quiet_hours = QuietHours(start=time(0), end=time(23, 59), zone="Etc/UTC")
    room.desk.now = START + 11 * MINUTE
    for name in ("a", "b", "c"):
        room.miss(name)
    room.desk.now = START + 3 * HOUR
    room.publish()
    assert [title[:10] for title in room.titles] == ["[critical]"]


# ------------------------------------------------------------------------------------------------------------- the list


def test_an_incident_under_a_silence_is_listed_with_it(room: QuietRoom) -> None:
    room.silence(accounts=frozenset({"alice"}))
    refuse(room, "hers", START)
    room.fail("other")
    room.desk.now += 11 * MINUTE
    room.publish()
    listed = IncidentList(
        room.desk.journal(), room.desk.groups(), LINKS, lambda: room.desk.now, room.desk.silences().quiet
    )
    found = {one.title.strip('"'): one for one in listed.open(Filter(), 10).incidents}
    assert found["other"].silenced is None
    assert found["hers"].last_alert is None
    hold = found["hers"].silenced
    assert hold
    assert (hold.name, hold.until, hold.why) == ("move", NOON + HOUR, "We move")
    room.desk.quiet_hours = QuietHours(start=time(12), end=time(14), zone="Etc/UTC")
    room.desk.silences().delete("move", room.desk.now)
    listed._quiet = room.desk.silences().quiet
    found = {one.title.strip('"'): one for one in listed.open(Filter(), 10).incidents}
    assert found["hers"].severity is Severity.WARNING
    assert found["hers"].silenced
    assert found["hers"].silenced.name == QUIET_HOURS


def test_there_are_a_hundred_silences_at_most(room: QuietRoom) -> None:
    for number in range(MAX_SILENCES):
        room.silence(f"s{number}", length=HOUR if number else MINUTE)
    extra = Silence(name="more", start=NOON, end=NOON + HOUR, why="x")
    assert not room.desk.silences().put(extra, room.desk.now)
    assert room.desk.silences().put(replace(extra, name="s7"), room.desk.now)
    room.desk.now += 2 * MINUTE  # one is over
    assert room.desk.silences().put(extra, room.desk.now)


def test_a_silence_that_no_sweep_forgets_expires(room: QuietRoom) -> None:
    room.silence()
    item = room.desk._table().get({"pk": {"S": "silences"}, "sk": {"S": "move"}})
    assert item
    assert int(item["expires_at"]["N"]) == int((NOON + HOUR + stored.KEPT).timestamp())
    room.fail("one")
    room.publish()
    (held,) = room.desk._table().query(
        KeyConditionExpression="pk = :pk", ExpressionAttributeValues={":pk": {"S": "held#move"}}
    )
    assert int(held["expires_at"]["N"]) == int((NOON + HOUR + stored.KEPT).timestamp())
