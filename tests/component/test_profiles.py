"""Conferencing profiles of registered accounts: looked at ahead of a meeting without a conference, and seldom."""

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from functions.sweep.app import sweep
from meeting_agents.aws.accounts import connection_of
from meeting_agents.aws.dynamodb import Table
from meeting_agents.aws.notifications import append_notification
from meeting_agents.aws.rate_limiter import Limits
from meeting_agents.aws.topics import AlertsTopic
from meeting_agents.cronofy.messages import CallerCredentials
from meeting_agents.domain.groups import Group
from meeting_agents.domain.incidents import open_incidents
from meeting_agents.domain.lifecycle import fold
from meeting_agents.domain.model import EntryType, IncidentType
from meeting_agents.domain.profiles import FRESH, READ_AGAIN_AFTER
from meeting_agents.domain.reasons import ReasonCode
from meeting_agents.domain.record import Record
from meeting_agents.errors import UnknownAccount
from meeting_agents.incident_list import Filter, IncidentList
from meeting_agents.publishing import Publisher
from meeting_agents.sweeping import CalendarLanes, Checked
from tests.desk import CALENDAR, Desk
from tests.sandbox.embedded_aws import EmbeddedAws
from tests.unit.alerting.test_message import LINKS

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
DEFAULT = {"profile_id": "default"}
PATH = "/v1/userinfo"
RELINK = "https://app.cronofy.com/v2/relink/zoom?email=example%40cronofy.com"
DISCONNECTED, CONNECTED = ReasonCode.PROFILE_DISCONNECTED, ReasonCode.PROFILE_CONNECTED


class Topic(AlertsTopic):
    """A topic that keeps what was published."""

    def __init__(self) -> None:
        self.subjects: list[str] = []
        self.messages: list[dict[str, Any]] = []
        self.texts: list[str] = []

    def publish(self, subject: str, texts: str, attributes: Mapping[str, str | Sequence[str]]) -> None:
        assert attributes
        self.subjects.append(subject)
        self.messages.append(json.loads(json.loads(texts)["default"]))
        self.texts.append(json.loads(texts)["email"])

    def subscribers(self) -> int:
        return 1


class Office:
    """A desk with the sweep, `track` and `alert`."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.now = datetime.now(UTC).replace(microsecond=0)
        self.topic = Topic()
        self.agents: dict[str, str] = {}

    def request(
        self,
        caller: CallerCredentials,
        name: str = "event_1",
        conferencing: Mapping[str, str] | None = DEFAULT,
        *,
        starts_in: timedelta = 3 * HOUR,
        ago: timedelta = 5 * MINUTE,
    ) -> str:
        """An agent of which Cronofy accepted the request some minutes ago."""
        self.desk.now, start = self.now - ago, self.now + starts_in
        times = {"start": f"{start:%Y-%m-%dT%H:%M:%SZ}", "end": f"{start + HOUR:%Y-%m-%dT%H:%M:%SZ}"}
        fields = {"conferencing": conferencing} if conferencing else {}
        request = self.desk.upsert(caller, event_id=name, **times, **fields)
        self.desk.provisioning().submit(request)
        self.agents[name] = request.agent_id
        self.track()
        return request.agent_id

    def hear(self, name: str, step: str) -> None:
        """Let Cronofy report a step of a conference."""
        raw = self.desk.cronofy.report(step, ("us", CALENDAR, name), deliver=False).body
        at = self.now - 4 * MINUTE
        append_notification(self.desk._table(), self.agents[name], raw, at=at, attempt=None, signed_with="us:current")
        self.track()

    def track(self) -> None:
        for agent in self.agents.values():
            self.desk.track(agent)

    def sweep(self, *, has_time: bool = True) -> list[Checked]:
        """Sweep now, as the function does; the results of its lanes."""
        self.desk.now = max(self.desk.now, self.now)
        groups = self.desk.groups()
        firing = groups.firing()
        lanes = CalendarLanes(self.desk.journal(), self.desk.calendars, lambda: has_time, profiles=self.desk.profiles)
        with lanes:
            sweep(self.desk.journal(), lambda: True, lambda _: None, lanes)
            again = lanes.look_again(firing, groups)
        self.track()
        self._publish(groups=set(groups.owing(firing, None, self.desk.now)))
        return [*lanes.results(), *again]

    def alert(self) -> None:
        """Publish the alerts that are owed when the patience is over."""
        self.desk.now = max(self.desk.now, self.now + 20 * MINUTE)
        self._publish({*self.agents.values()})

    def _publish(self, agents: set[str] | None = None, groups: set[Group] | None = None) -> None:
        self.desk.now += timedelta(seconds=1)
        desk = self.desk
        publisher = Publisher(
            desk.journal(), desk.groups(), self.topic, LINKS, desk.event_triggers(), desk.silences(), lambda: desk.now
        )
        publisher.publish(agents or set(), groups or set())
        self.track()

    def connect(self, number: int = 0, name: str = "alice", *, is_connected: bool = True) -> None:
        profile = self.desk.grants[name].profiles[number]["profile_id"]
        self.desk.cronofy.connect_profile(profile, is_connected=is_connected)

    def disconnect(self, number: int = 0) -> None:
        self.connect(number, is_connected=False)

    def pass_time(self, by: timedelta, name: str = "alice") -> None:
        """Let the last reading of an account's profiles be so much longer ago."""
        table = self._accounts()
        item = table.get({"account_id": {"S": name}}) or {}
        for attribute in ("profiles_read_at", "profiles_next_at"):
            if attribute in item:
                value = {"N": f"{float(item[attribute]['N']) - by.total_seconds():.3f}"}
                table.update({"account_id": {"S": name}}, f"SET {attribute} = :at", {":at": value})

    def _accounts(self) -> Table:
        return Table(self.desk._client("dynamodb"), self.desk.accounts_table)

    @property
    def connection(self) -> Any:
        return connection_of(self._accounts(), "alice")

    @property
    def reads(self) -> int:
        return self.desk.cronofy.count("GET", PATH)

    def record(self, agent: str) -> Record:
        return fold(stored.entry for stored in self.desk.journal().read(agent, self.desk.now))

    def looks(self, agent: str) -> list[ReasonCode]:
        """Return the results of the looks at an agent's profile that said something new."""
        steps = self.desk.steps(agent)
        return [
            step.entry.reason.code for step in steps if step.entry.kind is EntryType.PROFILE_READ and step.entry.reason
        ]

    def incidents(self, agent: str) -> list[IncidentType]:
        record = self.record(agent)
        at = max(record.updated_at, self.desk.now)
        return [one.type for one in open_incidents(record, self.desk.journal().grace_periods, at)]


@pytest.fixture
def office(aws: EmbeddedAws) -> Iterator[Office]:
    with Desk(aws) as desk:
        yield Office(desk)


@pytest.fixture(autouse=True)
def _daily_reading(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the daily reading be over for today at any hour of the day; a test of it chooses another time."""
    _set_daily_reading(monkeypatch, datetime.now(UTC) - 65 * MINUTE)


def _set_daily_reading(monkeypatch: pytest.MonkeyPatch, at: datetime) -> None:
    seconds = int((at - at.replace(hour=0, minute=0, second=0, microsecond=0)).total_seconds())
    monkeypatch.setattr("meeting_agents.domain.readings.crc32", lambda _: seconds)


# ------------------------------------------------------------------------------------------------------------ the alert


def test_two_meetings_with_a_disconnected_profile_are_one_alert_with_the_address_to_connect_it(office: Office) -> None:
    """Once it is connected again, the next look resolves the alert."""
    caller = office.desk.register(providers=("zoom",))
    first, second = office.request(caller), office.request(caller, "event_2", starts_in=4 * HOUR)
    office.disconnect()
    office.sweep()
    assert (office.looks(first), office.looks(second), office.reads) == ([DISCONNECTED], [DISCONNECTED], 1)
    assert office.incidents(first) == [IncidentType.ACCOUNT_DISCONNECTED]
    office.alert()
    [subject], [message], [text] = office.topic.subjects, office.topic.messages, office.topic.texts
    assert subject.startswith("[warning] prod: Conferencing of account alice is disconnected: 2 meetings waiting")
    assert [agent["agent_id"] for agent in message["agents"]] == [first, second]
    assert RELINK in message["group"]["next_steps"][0]
    assert RELINK in text
    office.pass_time(READ_AGAIN_AFTER)
    office.sweep()
    office.alert()
    assert len(office.topic.subjects) == 1
    office.connect()
    office.pass_time(READ_AGAIN_AFTER)
    office.sweep()
    assert (office.looks(first), office.looks(second)) == ([DISCONNECTED, CONNECTED], [DISCONNECTED, CONNECTED])
    assert office.topic.subjects[1:] == ["[resolved] prod: Account alice is connected again"]
    office.sweep()
    office.alert()
    assert len(office.topic.subjects) == 2
    assert office.incidents(first) == []


def test_each_meeting_that_waits_says_to_connect_the_profile_again(office: Office) -> None:
    agent = office.request(office.desk.register(providers=("zoom",)))
    office.disconnect()
    office.sweep()
    desk = office.desk
    now = max(office.record(agent).updated_at, desk.now)  # the sweep writes down its own time
    listed = IncidentList(desk.journal(), desk.groups(), LINKS, lambda: now)
    [incident] = listed.of_agents([agent], Filter())
    connect, link = incident.next_steps
    assert connect == "Ask the owner of account alice to connect the conferencing profile again."
    assert "join link of your own" in link


def test_the_alert_is_critical_near_the_meeting(office: Office) -> None:
    caller = office.desk.register(providers=("zoom",))
    office.request(caller, starts_in=25 * MINUTE)
    office.disconnect()
    office.sweep()
    office.alert()
    assert [subject.partition("]")[0] for subject in office.topic.subjects] == ["[critical"]


def test_a_conference_that_cronofy_cannot_make_and_its_profile_are_one_alert(office: Office) -> None:
    """The alert about the account says why there is no conference."""
    caller = office.desk.register(providers=("zoom",))
    agent = office.request(caller)
    office.hear("event_1", "fail_conferencing")
    assert office.incidents(agent) == [IncidentType.NO_CONFERENCE]
    office.disconnect()
    office.sweep()
    assert office.incidents(agent) == [IncidentType.ACCOUNT_DISCONNECTED]
    office.alert()
    assert [": ".join(subject.split(": ")[:2]) for subject in office.topic.subjects] == [
        "[warning] prod: Conferencing of account alice is disconnected"
    ]
    office.connect()
    office.pass_time(READ_AGAIN_AFTER)
    office.sweep()
    assert office.incidents(agent) == [IncidentType.NO_CONFERENCE]


def test_a_profile_that_is_connected_when_no_meeting_waits_any_more_resolves_the_alert(office: Office) -> None:
    """The conference exists meanwhile. Until then the profile is read once a day."""
    caller = office.desk.register(providers=("zoom",))
    agent = office.request(caller)
    office.disconnect()
    office.sweep()
    office.alert()
    office.hear("event_1", "assign_conferencing")
    assert office.incidents(agent) == []
    office.pass_time(READ_AGAIN_AFTER)
    office.sweep()
    assert (office.reads, len(office.topic.subjects)) == (1, 1)
    office.connect()
    office.pass_time(FRESH)
    office.sweep()
    assert office.reads == 2
    assert office.topic.subjects[1:] == ["[resolved] prod: Account alice is connected again"]


# --------------------------------------------------------------------------------------------- the profiles that matter


@pytest.mark.parametrize(
    "conferencing",
    [
        {"profile_id": "explicit", "join_url": "https://zoom.us/j/1"},
        {"profile_id": "none"},
        {"profile_id": "integrated"},
        None,
    ],
    ids=str,
)
def test_a_meeting_for_which_no_profile_makes_a_conference_has_no_alert(
    office: Office, conferencing: Mapping[str, str] | None
) -> None:
    agent = office.request(office.desk.register(providers=("zoom",)), conferencing=conferencing)
    office.disconnect()
    office.sweep()
    office.alert()
    assert (office.reads, office.looks(agent), office.topic.subjects) == (0, [], [])


def test_default_matters_only_if_no_profile_is_connected(office: Office) -> None:
    """Cronofy does not document which one it picks. Then the alert has the address of each."""
    agent = office.request(office.desk.register(providers=("zoom", "go_to")))
    office.disconnect(0)
    office.sweep()
    assert (office.reads, office.looks(agent)) == (1, [])
    office.disconnect(1)
    office.pass_time(FRESH)
    again = office.request(CallerCredentials(account="alice"), "event_2")
    office.sweep()
    office.alert()
    assert office.looks(again) == [DISCONNECTED]
    assert [one.relink_url for one in office.connection.disconnected] == [RELINK, RELINK.replace("zoom", "go_to")]
    assert RELINK.replace("zoom", "go_to") in office.topic.texts[0]


def test_a_named_profile_matters_alone(office: Office) -> None:
    caller = office.desk.register(providers=("zoom", "go_to"))
    zoom, go_to = (profile["profile_id"] for profile in office.desk.grants["alice"].profiles)
    waits = office.request(caller, "event_1", {"profile_id": zoom})
    other = office.request(caller, "event_2", {"profile_id": go_to})
    office.disconnect(0)
    office.sweep()
    assert (office.looks(waits), office.looks(other)) == ([DISCONNECTED], [])
    assert [one.id for one in office.connection.disconnected] == [zoom]


def test_an_account_without_profiles_has_none_that_is_disconnected(office: Office) -> None:
    """Cronofy makes a conference with the calendar's own service, if that has one."""
    agent = office.request(office.desk.register())
    office.sweep()
    assert (office.reads, office.looks(agent)) == (1, [])


def test_a_meeting_with_a_conference_needs_no_profile(office: Office) -> None:
    agent = office.request(office.desk.register(providers=("zoom",)))
    office.hear("event_1", "assign_conferencing")
    office.disconnect()
    office.sweep()
    assert (office.reads, office.looks(agent)) == (0, [])


def test_the_profile_of_a_caller_with_an_own_token_is_not_read(office: Office) -> None:
    grant = office.desk.cronofy.grant("us", calendars=(CALENDAR,), providers=("zoom",))
    office.desk.cronofy.connect_profile(grant.profiles[0]["profile_id"], is_connected=False)
    agent = office.request(CallerCredentials(token=grant.access_token))
    office.sweep()
    assert (office.reads, office.looks(agent)) == (0, [])


# ----------------------------------------------------------------------------------------------------- few and harmless


def test_profiles_are_read_once_a_day_for_all_meetings_of_an_account(office: Office) -> None:
    caller = office.desk.register(providers=("zoom",))
    for number in range(4):
        office.request(caller, f"event_{number}")
    office.sweep()
    office.request(caller, "event_5")
    office.pass_time(FRESH - MINUTE)
    office.sweep()
    assert office.reads == 1
    office.request(caller, "event_6")
    office.pass_time(2 * MINUTE)
    office.sweep()
    assert office.reads == 2


def test_the_profile_of_a_meeting_days_ahead_is_looked_at_with_its_calendar(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    _set_daily_reading(monkeypatch, office.now - MINUTE)
    agent = office.request(office.desk.register(providers=("zoom",)), starts_in=96 * HOUR, ago=30 * HOUR)
    office.disconnect()
    office.sweep()
    assert (office.desk.cronofy.count("GET", "/v1/events"), office.reads, office.looks(agent)) == (1, 1, [DISCONNECTED])


def test_a_look_reads_no_calendar_unless_that_is_due(office: Office) -> None:
    office.request(office.desk.register(providers=("zoom",)))
    office.sweep()
    assert (office.desk.cronofy.count("GET", "/v1/events"), office.reads) == (0, 1)


def test_a_disconnected_profile_is_read_again_every_fifteen_minutes_while_a_meeting_waits(office: Office) -> None:
    office.request(office.desk.register(providers=("zoom",)))
    office.disconnect()
    office.sweep()
    office.alert()
    for passed, reads in ((timedelta(), 1), (READ_AGAIN_AFTER - MINUTE, 1), (2 * MINUTE, 2), (READ_AGAIN_AFTER, 3)):
        office.pass_time(passed)
        office.sweep()
        assert office.reads == reads


def test_two_sweeps_at_the_same_time_read_once_and_make_one_entry(office: Office) -> None:
    agent = office.request(office.desk.register(providers=("zoom",)))
    office.disconnect()
    office.desk.now = office.now
    lanes = [
        CalendarLanes(office.desk.journal(), office.desk.calendars, lambda: True, profiles=office.desk.profiles)
        for _ in range(2)
    ]
    with lanes[0], lanes[1]:
        for lane in lanes:
            assert lane.take(lane.daily, {agent: office.record(agent)}) == {agent}
        results = [result for lane in lanes for result in lane.results()]
    assert sum(len(result.profiles) for result in results) == 1
    assert (office.reads, office.looks(agent)) == (1, [DISCONNECTED])


@pytest.mark.parametrize(
    "fault",
    [
        {"status": 503, "times": None},
        {"status": 429},
        {"status": 403},
        {"status": 404},
        {"status": 200, "body": "<html>"},
        {"status": 200, "body": ["x"]},
        {"status": 200, "body": {"cronofy.data": {}}},
        {"status": 200, "body": {"cronofy.data": {"conferencing_profiles": ["x"]}}},
        {"close": "unanswered", "times": None},
        {"truncate": True, "times": None},
    ],
    ids=str,
)
def test_profiles_that_cannot_be_read_change_nothing(office: Office, fault: dict[str, Any]) -> None:
    """The failure is counted, and the profiles are read again after a quarter of an hour."""
    agent = office.request(office.desk.register(providers=("zoom",)))
    office.disconnect()
    office.desk.cronofy.faults.add("GET", PATH, **fault)
    results = office.sweep()
    assert [bool(result.profile_failure) for result in results] == [True]
    assert office.looks(agent) == []
    assert agent not in list(office.desk.journal().due(datetime.now(UTC)))
    assert agent in list(office.desk.journal().due(datetime.now(UTC) + 6 * MINUTE))
    office.desk.cronofy.faults.clear()
    office.pass_time(READ_AGAIN_AFTER)
    lanes = CalendarLanes(office.desk.journal(), office.desk.calendars, lambda: True, profiles=office.desk.profiles)
    with lanes:
        lanes.take(lanes.daily, {agent: office.record(agent)})
    assert office.looks(agent) == [DISCONNECTED]


def test_an_alert_stays_as_it_is_while_the_profiles_cannot_be_read(office: Office) -> None:
    agent = office.request(office.desk.register(providers=("zoom",)))
    office.disconnect()
    office.sweep()
    office.alert()
    office.connect()
    office.pass_time(READ_AGAIN_AFTER)
    office.desk.cronofy.faults.add("GET", PATH, status=503, times=None)
    office.sweep()
    assert (len(office.topic.subjects), office.looks(agent)) == (1, [DISCONNECTED])


def test_an_account_that_is_deleted_has_no_profile_that_is_disconnected(office: Office) -> None:
    """Each of its meetings then has alerts of its own."""
    agent = office.request(office.desk.register(providers=("zoom",)))
    office.disconnect()
    office.sweep()
    office.desk.accounts().delete("alice")
    with pytest.raises(UnknownAccount):
        office.desk.profiles().look("alice", [], office.now, until=time.monotonic() + 1, share=1.0)
    lanes = CalendarLanes(office.desk.journal(), office.desk.calendars, lambda: True, profiles=office.desk.profiles)
    with lanes:
        lanes._look_at_profiles("alice", {agent: office.record(agent)}, time.monotonic() + 1)
    assert office.looks(agent) == [DISCONNECTED, CONNECTED]


def test_the_limits_of_cronofy_are_kept(office: Office) -> None:
    agent = office.request(office.desk.register(providers=("zoom",)))
    office.disconnect()
    office.desk.now = office.now
    office.desk.limits = Limits(per_second=1, per_minute=1)
    office.desk.rate_limiter().permit("us")
    office.sweep()
    assert (office.reads, office.looks(agent)) == (0, [])


def test_no_profile_is_read_without_time(office: Office) -> None:
    agent = office.request(office.desk.register(providers=("zoom",)))
    office.sweep(has_time=False)
    assert office.reads == 0
    assert agent in list(office.desk.journal().due(datetime.now(UTC) + 6 * MINUTE))


def test_a_new_registration_keeps_what_is_known_of_the_profiles(office: Office) -> None:
    office.request(office.desk.register(providers=("zoom",)))
    office.disconnect()
    office.sweep()
    office.desk.register(providers=("zoom",))
    assert [one.relink_url for one in office.connection.disconnected] == [RELINK]
