"""Calendars of registered accounts: read before an agent counts as silent, and once a day, within a budget."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from functions.sweep.app import sweep
from meeting_agents import sweeping
from meeting_agents.aws.notifications import append_notification
from meeting_agents.aws.rate_limiter import Limits
from meeting_agents.calendars import MAX_PAGES
from meeting_agents.cronofy.messages import CallerCredentials
from meeting_agents.domain.lifecycle import fold
from meeting_agents.domain.model import AlertStatus, Entry, EntryType, IncidentType, Reading, Severity, State
from meeting_agents.domain.readings import Calendar
from meeting_agents.domain.record import Record
from meeting_agents.errors import NotFound, Unreachable
from meeting_agents.sweeping import URGENT, CalendarLanes, Lane
from tests.bench.sweep import time_sweep
from tests.desk import CALENDAR, Desk
from tests.sandbox.embedded_aws import EmbeddedAws

NOW = datetime.now(UTC).replace(microsecond=0)
START = NOW - timedelta(minutes=11)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
ALICES = Calendar("alice", "us", CALENDAR)
READ = "/v1/events"


@pytest.fixture
def desk(aws: EmbeddedAws) -> Iterator[Desk]:
    """Its clock begins before the meetings, and goes to the present before the sweep."""
    with Desk(aws) as desk:
        desk.now = NOW - 2 * DAY
        yield desk


def written(at: datetime) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%SZ}"


def times(start: datetime, end: datetime | None = None) -> dict[str, str]:
    return {"start": written(start), "end": written(end or start + HOUR)}


def key(name: str = "event_1") -> tuple[str, str, str]:
    return ("us", CALENDAR, name)


def requested(
    desk: Desk, caller: CallerCredentials, name: str = "event_1", start: datetime = START, **changes: Any
) -> str:
    """An accepted request for an agent; its id."""
    request = desk.upsert(caller, event_id=name, **times(start) | changes)
    desk.provisioning().submit(request)
    desk.track(request.agent_id)
    return request.agent_id


@pytest.fixture(autouse=True)
def _daily_reading(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the daily reading be over for today at any hour of the day; tests of it choose another time."""
    monkeypatch.setattr("meeting_agents.domain.readings.crc32", lambda _: _seconds(NOW - timedelta(minutes=65)))


def swept(desk: Desk, *, has_time: bool = True, urgent: Lane = URGENT) -> int:
    """Sweep now; the number of missed deadlines."""
    desk.now = max(desk.now, NOW)
    with CalendarLanes(desk.journal(), desk.calendars, lambda: has_time, urgent) as lanes:
        return sweep(desk.journal(), lambda: True, lambda _: None, lanes)


def record(desk: Desk, agent: str) -> Record:
    return fold(stored.entry for stored in desk.journal().read(agent, datetime.now(UTC)))


def kinds(desk: Desk, agent: str) -> list[EntryType]:
    entries = sorted(desk.journal().read(agent, datetime.now(UTC)), key=lambda stored: stored.entry.at)
    return [stored.entry.kind for stored in entries][2:]


# ---------------------------------------------------------------------------------------------- before a silent agent


def test_an_agent_whose_meeting_was_postponed_is_not_overdue(desk: Desk) -> None:
    agent = requested(desk, desk.register())
    desk.cronofy.drag(key(), **times(NOW + 3 * HOUR))
    assert swept(desk) == 0
    assert kinds(desk, agent) == [EntryType.CALENDAR_READ]
    found = record(desk, agent)
    assert (found.state, found.meeting.start, found.meeting.end) == (State.SCHEDULED, NOW + 3 * HOUR, NOW + 4 * HOUR)
    desk.track(agent)
    assert agent not in list(desk.journal().due(NOW + 3 * HOUR))
    assert agent in list(desk.journal().due(NOW + 4 * HOUR))


def test_an_agent_whose_meeting_was_deleted_ends_quietly(desk: Desk) -> None:
    agent = requested(desk, desk.register())
    desk.cronofy.delete_in_calendar(key())
    assert swept(desk) == 0
    assert kinds(desk, agent) == [EntryType.CALENDAR_READ]
    assert record(desk, agent).state is State.CANCELLED
    desk.track(agent)
    assert agent not in list(desk.journal().due(NOW + 9 * DAY))


def test_a_silent_agent_of_an_unchanged_meeting_is_overdue_in_the_same_sweep(desk: Desk) -> None:
    agent = requested(desk, desk.register())
    assert swept(desk) == 1
    assert kinds(desk, agent) == [EntryType.OVERDUE]
    assert desk.cronofy.count("GET", READ) == 1


def test_an_agent_whose_meeting_was_prolonged_has_more_time(desk: Desk) -> None:
    """It is active, and its end is not overdue."""
    agent = requested(desk, desk.register(), start=NOW - timedelta(minutes=100))
    raw = desk.cronofy.activate(key(), deliver=False).body
    at = NOW - timedelta(minutes=101)
    append_notification(desk._table(), agent, raw, at=at, attempt=None, signed_with="us:current")
    desk.track(agent)
    desk.cronofy.drag(key(), end=written(NOW + HOUR))
    assert swept(desk) == 0
    assert kinds(desk, agent) == [EntryType.ACTIVATED, EntryType.CALENDAR_READ]
    assert record(desk, agent).meeting.end == NOW + HOUR
    desk.track(agent)
    assert agent in list(desk.journal().due(datetime.now(UTC) + 2 * HOUR))


def test_the_calendar_of_a_caller_with_an_own_token_is_not_read(desk: Desk) -> None:
    token = desk.cronofy.grant("us", calendars=(CALENDAR,)).access_token
    agent = requested(desk, CallerCredentials(token=token))
    desk.cronofy.delete_in_calendar(key())
    assert swept(desk) == 1
    assert kinds(desk, agent) == [EntryType.OVERDUE]
    assert desk.cronofy.count("GET", READ) == 0


@pytest.mark.parametrize(
    "fault",
    [
        {"status": 503, "times": None},
        {"status": 429},
        {"status": 403},
        {"status": 404},
        {"status": 200, "body": "<html>"},
        {"status": 200, "body": ["x"]},
        {"status": 200, "body": {"pages": {}, "events": [{"event_id": "event_1", "start": "soon"}]}},
        {"status": 302, "headers": {"Location": "https://example.com"}, "times": None},
        {"close": "unanswered", "times": None},
        {"truncate": True, "times": None},
    ],
    ids=str,
)
def test_a_calendar_that_cannot_be_read_changes_nothing(desk: Desk, fault: dict[str, Any]) -> None:
    agent = requested(desk, desk.register())
    desk.cronofy.delete_in_calendar(key())
    desk.cronofy.faults.add("GET", READ, **fault)
    assert swept(desk) == 1
    assert kinds(desk, agent) == [EntryType.OVERDUE]


def test_a_slow_cronofy_delays_no_entry_by_more_than_a_few_seconds(desk: Desk) -> None:
    agents = [requested(desk, desk.register(f"user_{n}"), f"event_{n}") for n in range(12)]
    desk.cronofy.faults.add("GET", READ, times=None, delay=30.0)
    began = time.monotonic()
    assert swept(desk) == len(agents)
    assert time.monotonic() - began < URGENT.seconds + 4
    assert all(kinds(desk, agent) == [EntryType.OVERDUE] for agent in agents)


def test_an_account_that_must_authorise_again_changes_nothing(desk: Desk) -> None:
    grant = desk.cronofy.grant("us", calendars=(CALENDAR,))
    desk.accounts().register("alice", "us", grant.refresh_token)
    agent = requested(desk, CallerCredentials(account="alice"))
    desk.cronofy.revoke(grant)
    assert swept(desk) == 1
    assert kinds(desk, agent) == [EntryType.OVERDUE]


def test_the_limits_of_cronofy_are_kept(desk: Desk) -> None:
    """A sweep that may send no request appends at once."""
    agent = requested(desk, desk.register())
    desk.cronofy.delete_in_calendar(key())
    desk.now = NOW
    desk.tokens().access_token("alice")
    desk.limits = Limits(per_second=1, per_minute=1)
    assert swept(desk) == 1
    assert kinds(desk, agent) == [EntryType.OVERDUE]
    assert desk.cronofy.count("GET", READ) == 0


def test_the_agents_of_a_calendar_share_one_request(desk: Desk) -> None:
    caller = desk.register()
    agents = [requested(desk, caller, f"event_{n}") for n in range(5)]
    desk.cronofy.delete_in_calendar(key("event_3"))
    assert swept(desk) == 4
    assert desk.cronofy.count("GET", READ) == 1
    assert [kinds(desk, agent) for agent in agents] == [
        [EntryType.CALENDAR_READ if n == 3 else EntryType.OVERDUE] for n in range(5)
    ]


def test_agents_beyond_the_budget_are_overdue_at_once(desk: Desk) -> None:
    agents = [requested(desk, desk.register(f"user_{n}"), f"event_{n}") for n in range(6)]
    assert swept(desk, urgent=Lane(calendars=2, threads=2, share=0.8)) == len(agents)
    assert desk.cronofy.count("GET", READ) == 2
    assert all(kinds(desk, agent) == [EntryType.OVERDUE] for agent in agents)


def test_after_some_failures_no_more_calendars_are_read(desk: Desk) -> None:
    """Cronofy is down: the alerts of all agents are in time."""
    agents = [requested(desk, desk.register(f"user_{n}"), f"event_{n}") for n in range(9)]
    desk.cronofy.faults.add("GET", READ, status=503, times=None)
    assert swept(desk, urgent=Lane(calendars=200, threads=1, share=0.8)) == len(agents)
    assert desk.cronofy.count("GET", READ) == 2 * sweeping.MAX_FAILURES


class SlowCalendars:
    """Calendars that take a second to be read."""

    def read(self, *_: object, **__: object) -> dict[str, Reading]:
        time.sleep(1)
        return {}


def test_two_thousand_silent_agents_of_as_many_calendars_are_found_in_one_sweep() -> None:
    """A few of their calendars are read; no agent is held up by more than the lane's seconds."""
    agents = 2_000
    calendars: Any = SlowCalendars()
    began = time.monotonic()
    result = time_sweep(agents, seconds=0.0, calendars=lambda: calendars)
    assert (result["overdue"], result["entries"]) == (agents, agents)
    assert time.monotonic() - began < 60


def test_a_fault_of_ours_in_reading_loses_no_entry(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    agent = requested(desk, desk.register())

    def fail(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    calendars = desk.calendars()
    monkeypatch.setattr(calendars, "read", fail)
    desk.now = NOW
    with CalendarLanes(desk.journal(), lambda: calendars, lambda: True) as lanes:
        assert sweep(desk.journal(), lambda: True, lambda _: None, lanes) == 1
    assert kinds(desk, agent) == [EntryType.OVERDUE]


def test_two_sweeps_at_the_same_time_make_one_entry(desk: Desk) -> None:
    agent = requested(desk, desk.register())
    desk.cronofy.drag(key(), **times(NOW + 3 * HOUR))
    desk.now = NOW
    first, second = (CalendarLanes(desk.journal(), desk.calendars, lambda: True) for _ in range(2))
    with first, second:
        known = {agent: record(desk, agent)}
        assert first.take(URGENT, known) == second.take(URGENT, known) == {agent}
        results = [*first.results(), *second.results()]
    assert sorted(len(result.readings) for result in results) == [0, 1]
    assert kinds(desk, agent) == [EntryType.CALENDAR_READ]


# ----------------------------------------------------------------------------------------------------------- once a day


def test_the_daily_reading_finds_a_meeting_that_was_moved_and_one_that_was_deleted(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its start is days ahead; without it, the agent would be expected at the old time."""
    monkeypatch.setattr("meeting_agents.domain.readings.crc32", lambda _: _seconds(NOW - timedelta(minutes=5)))
    caller = desk.register()
    moved, gone, same = (requested(desk, caller, f"event_{n}", NOW + 5 * DAY) for n in range(3))
    desk.cronofy.drag(key("event_0"), **times(NOW + HOUR))
    desk.cronofy.delete_in_calendar(key("event_1"))
    assert sorted(desk.journal().due(datetime.now(UTC))) == sorted([moved, gone, same])
    assert swept(desk) == 0
    assert (record(desk, moved).meeting.start, record(desk, gone).state) == (NOW + HOUR, State.CANCELLED)
    assert kinds(desk, same) == []
    assert desk.cronofy.count("GET", READ) == 1
    for agent in (moved, gone):
        desk.track(agent)
    assert list(desk.journal().due(datetime.now(UTC))) == []
    assert swept(desk) == 0
    assert desk.cronofy.count("GET", READ) == 1
    assert sorted(desk.journal().due(datetime.now(UTC) + DAY)) == sorted([moved, same])


def _seconds(at: datetime) -> int:
    return int((at - at.replace(hour=0, minute=0, second=0, microsecond=0)).total_seconds())


def test_a_daily_reading_that_fails_is_tried_again_in_some_minutes(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("meeting_agents.domain.readings.crc32", lambda _: _seconds(NOW - timedelta(minutes=5)))
    agent = requested(desk, desk.register(), start=NOW + 5 * DAY)
    desk.cronofy.faults.add("GET", READ, status=503, times=2)
    assert swept(desk) == 0
    assert list(desk.journal().due(datetime.now(UTC))) == []
    assert list(desk.journal().due(datetime.now(UTC) + sweeping.RECHECK_AFTER)) == [agent]


def test_a_daily_reading_without_a_lane_is_tried_again_in_some_minutes(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("meeting_agents.domain.readings.crc32", lambda _: _seconds(NOW - timedelta(minutes=5)))
    agent = requested(desk, desk.register(), start=NOW + 5 * DAY)
    assert swept(desk, has_time=False) == 0
    assert desk.cronofy.count("GET", READ) == 0
    assert list(desk.journal().due(datetime.now(UTC) + sweeping.RECHECK_AFTER)) == [agent]


@pytest.mark.parametrize("has_time", [True, False])
def test_a_daily_reading_that_is_left_out_delays_no_deadline(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, has_time: bool
) -> None:
    now, conference = datetime.now(UTC), {"profile_id": "default"}  # it is due a quarter of an hour before the start
    monkeypatch.setattr("meeting_agents.domain.readings.crc32", lambda _: _seconds(now - timedelta(minutes=5)))
    agent = requested(desk, desk.register(), start=now + timedelta(minutes=18), conferencing=conference)
    desk.cronofy.faults.add("GET", READ, status=503, times=2)
    assert swept(desk, has_time=has_time) == 0
    due = desk.journal().due
    assert [list(due(datetime.now(UTC) + timedelta(minutes=minutes))) for minutes in (1, 4)] == [[], [agent]]


def test_an_hour_after_its_time_a_daily_reading_is_left_out_until_the_next_day(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sweep did not run. The agent is not looked at every few minutes."""
    monkeypatch.setattr("meeting_agents.domain.readings.crc32", lambda _: _seconds(NOW - timedelta(minutes=65)))
    agent = requested(desk, desk.register(), start=NOW + 5 * DAY)
    assert swept(desk) == 0
    assert desk.cronofy.count("GET", READ) == 0
    assert list(desk.journal().due(datetime.now(UTC) + 20 * HOUR)) == []
    assert list(desk.journal().due(datetime.now(UTC) + DAY)) == [agent]


def test_after_its_last_reading_a_silent_agent_is_not_looked_at_every_few_minutes(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A day after its meeting nothing is expected of it any more."""
    monkeypatch.setattr("meeting_agents.domain.readings.crc32", lambda _: _seconds(NOW - timedelta(minutes=5)))
    agent = requested(desk, desk.register(), start=NOW - 26 * HOUR)
    assert swept(desk) == 1
    alerted = Entry(
        key="alerted",
        kind=EntryType.ALERTED,
        at=NOW - 26 * HOUR,
        attempt=1,
        cause=IncidentType.NEVER_ACTIVATED,
        status=AlertStatus.FIRING,
        severity=Severity.CRITICAL,
    )
    desk.journal().append(agent, alerted)
    assert swept(desk) == 0
    assert list(desk.journal().due(datetime.now(UTC) + 20 * HOUR)) == []


# ------------------------------------------------------------------------------------------------------------- requests


def read(desk: Desk, *names: str, since: datetime = NOW - 2 * DAY) -> dict[str, Any]:
    tzids = dict.fromkeys(names, "Etc/UTC")
    return dict(desk.calendars().read(ALICES, tzids, since, until=time.monotonic() + 5, share=1.0))


def test_a_request_for_a_calendar_is_for_what_changed_and_with_the_accounts_own_token(desk: Desk) -> None:
    requested(desk, desk.register())
    desk.now = NOW
    assert read(desk, "event_1").keys() == {"event_1"}
    request = desk.cronofy.requests[-1]
    assert (request.method, request.path, request.token) == ("GET", READ, desk.tokens().access_token("alice"))
    assert request.query == {
        "tzid": "Etc/UTC",
        "calendar_ids[]": CALENDAR,
        "only_managed": "true",
        "include_deleted": "true",
        "include_moved": "true",
        "last_modified": written(NOW - 3 * DAY),
    }
    assert read(desk, "event_1", since=NOW + 3 * DAY) == {}
    assert read(desk, "unknown") == {}


def test_an_expired_token_is_renewed_and_the_calendar_read_again(desk: Desk) -> None:
    requested(desk, desk.register())
    desk.now = NOW
    desk.cronofy.expire(desk.tokens().access_token("alice"))
    assert read(desk, "event_1").keys() == {"event_1"}


def test_all_pages_of_a_calendar_are_read(desk: Desk) -> None:
    caller = desk.register()
    names = [f"event_{n}" for n in range(7)]
    for name in names:
        requested(desk, caller, name)
    desk.now = NOW
    desk.cronofy.behaviour.page_size = 2
    assert read(desk, *names).keys() == set(names)
    assert desk.cronofy.count("GET", READ) == 4
    assert {request.data_center for request in desk.cronofy.requests} == {"us"}


def test_a_calendar_with_too_many_pages_is_not_known(desk: Desk) -> None:
    caller = desk.register()
    for number in range(MAX_PAGES + 1):
        requested(desk, caller, f"event_{number}")
    desk.now = NOW
    desk.cronofy.behaviour.page_size = 1
    with pytest.raises(Unreachable):
        read(desk, "event_0")


def test_a_page_of_many_descriptions_is_read_whole(desk: Desk) -> None:
    """Responses that are stored have a smaller limit."""
    caller = desk.register()
    for number in range(40):
        desk.provisioning().submit(desk.upsert(caller, event_id=f"event_{number}", description="x" * 4000))
    desk.now = NOW
    assert len(read(desk, *(f"event_{number}" for number in range(40)))) == 40


def test_an_account_without_the_scope_may_not_read(desk: Desk) -> None:
    grant = desk.cronofy.grant("us", calendars=(CALENDAR,), scope="create_event delete_event")
    desk.accounts().register("alice", "us", grant.refresh_token)
    with pytest.raises(NotFound):
        read(desk, "event_1")


def test_the_stand_in_shows_a_moved_meeting_and_hides_a_deleted_one_by_default(desk: Desk) -> None:
    requested(desk, desk.register())
    desk.cronofy.drag(key(), **times(NOW + 3 * HOUR), summary="Moved")
    token = desk.tokens().access_token("alice")
    url = f"{desk.cronofy.url}{READ}"
    headers = {"Authorization": f"Bearer {token}"}

    def shown(**query: str) -> list[Any]:
        found: list[Any] = desk.http.get(url, params={"tzid": "Etc/UTC", **query}, headers=headers).json()["events"]
        return found

    assert shown() == []
    (item,) = shown(only_managed="true")
    assert (item["start"], item["summary"], item["deleted"]) == (written(NOW + 3 * HOUR), "Moved", False)
    desk.cronofy.delete_in_calendar(key())
    assert shown(only_managed="true") == []
    assert [item["deleted"] for item in shown(include_managed="true", include_deleted="true")] == [True]
    assert desk.http.get(url, headers=headers).status_code == 422
