"""The effect of a reading of a calendar, the calendars that are read, and the times."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from zlib import crc32

import pytest

from meeting_agents.domain.alerts import alerting_owed
from meeting_agents.domain.attempts import next_request
from meeting_agents.domain.deadlines import deadline
from meeting_agents.domain.grace_periods import GracePeriods
from meeting_agents.domain.lifecycle import fold
from meeting_agents.domain.model import (
    Action,
    DeadlineType,
    Entry,
    EntryType,
    Meeting,
    Notification,
    Reading,
    Request,
    State,
)
from meeting_agents.domain.readings import (
    READ_UNTIL,
    READING_WINDOW,
    SETTLING,
    Calendar,
    calendar_of,
    is_reading_due,
    is_settled,
    known_since,
    next_look,
    next_reading_at,
    reading_entry,
)
from meeting_agents.domain.reasons import ReasonCode
from meeting_agents.domain.record import Record

START = datetime(2026, 4, 29, 10, 0, tzinfo=UTC)
HOUR, DAY, MINUTE = timedelta(hours=1), timedelta(days=1), timedelta(minutes=1)
REQUESTED_AT = START - 2 * DAY
GRACE_PERIODS = GracePeriods()
WISH = Request(
    action=Action.PROVISION,
    data_center="us",
    calendar_id="cal_1",
    event_id="evt_1",
    account="alice",
    meeting=Meeting(start=START, end=START + HOUR, tzid="Europe/Berlin", summary="Standup"),
)


def entry(kind: EntryType, at: datetime, **fields: Any) -> Entry:
    return Entry(key=f"{kind}#{at.isoformat()}", kind=kind, at=at, **{"attempt": 1} | fields)


def scheduled(request: Request = WISH) -> Record:
    """Requested in the name of an account two days before the meeting, and accepted."""
    return fold(
        [
            entry(EntryType.REQUESTED, REQUESTED_AT, revision=1, request=request),
            entry(EntryType.ACCEPTED, REQUESTED_AT + MINUTE / 60, revision=1),
        ]
    )


def at_time(by: timedelta) -> Reading:
    return Reading(meeting=Meeting(start=START + by, end=START + by + HOUR, summary="Standup"))


DELETED = Reading(is_deleted=True)
NOW = START + 10 * MINUTE


def read(record: Record, reading: Reading, at: datetime = NOW) -> Record:
    """Return the record after a reading that says something new."""
    found = reading_entry(record, reading, at)
    assert found
    return fold([found], record)


def silent(record: Record, at: datetime = NOW) -> Record:
    return fold(
        [entry(EntryType.OVERDUE, at, revision=record.revision, phase=DeadlineType.ACTIVATION)],
        record,
    )


def activated(record: Record, at: datetime = START) -> Record:
    notification = Notification(kinds=(EntryType.ACTIVATED,), event_id="evt_1", sub="agt_1", meeting=record.meeting)
    return fold([entry(EntryType.ACTIVATED, at, notification=notification)], record)


# ----------------------------------------------------------------------------------------------------------- its effect


@pytest.mark.parametrize("by", [DAY, 2 * HOUR, 20 * MINUTE], ids=str)
def test_a_postponed_meeting_owes_everything_anew(by: timedelta) -> None:
    after = read(scheduled(), at_time(by))
    found = deadline(after, GRACE_PERIODS)
    assert found
    assert (after.state, found.phase, found.at) == (State.SCHEDULED, DeadlineType.ACTIVATION, START + by + 10 * MINUTE)
    assert after.meeting == Meeting(start=START + by, end=START + by + HOUR, tzid="Europe/Berlin", summary="Standup")


def test_a_postponed_meeting_owes_everything_anew_after_its_silence_was_found() -> None:
    """No resolved alert is owed: the agent did not come."""
    record = silent(scheduled())
    assert record.state is State.OVERDUE
    after = read(record, at_time(DAY), NOW + HOUR)
    assert (after.state, after.current.missed) == (State.SCHEDULED, ())
    assert alerting_owed(after, GRACE_PERIODS, NOW + HOUR) == ()


def test_a_meeting_that_is_postponed_after_its_agent_was_active_needs_another_one() -> None:
    after = read(activated(scheduled()), at_time(DAY))
    assert (after.current.number, after.state, after.current.meeting.start) == (2, State.SCHEDULED, START + DAY)
    found = deadline(after, GRACE_PERIODS)
    assert found
    assert (found.phase, found.at) == (DeadlineType.ACTIVATION, START + DAY + 10 * MINUTE)


@pytest.mark.parametrize("record", [scheduled(), silent(scheduled())], ids=["scheduled", "overdue"])
def test_a_deleted_meeting_ends_its_agent_without_an_alert(record: Record) -> None:
    after = read(record, DELETED, NOW + MINUTE)
    assert (after.state, after.current.reason.code) == (State.CANCELLED, ReasonCode.DELETED_IN_CALENDAR)
    assert deadline(after, GRACE_PERIODS) is None
    assert alerting_owed(after, GRACE_PERIODS, NOW + DAY) == ()
    assert next_request(after, replace(WISH, meeting=at_time(DAY).meeting, digest="new"), NOW)[0] == 2


def test_a_deleted_meeting_does_not_end_an_agent_that_reported_itself() -> None:
    """The calendar may be tidied up while it runs; its reports say how it ends."""
    assert reading_entry(activated(scheduled()), DELETED, NOW) is None


def test_an_agent_that_is_active_after_all_is_followed_to_its_end() -> None:
    """No one cancelled it. The calendar event may have been restored."""
    after = activated(read(scheduled(), DELETED, START - HOUR))
    found = deadline(after, GRACE_PERIODS)
    assert found
    assert (after.state, found.phase) == (State.ACTIVATED, DeadlineType.COMPLETION)
    assert alerting_owed(after, GRACE_PERIODS, START + MINUTE) == ()


def test_an_agent_that_was_cancelled_and_is_active_is_unwanted_also_if_its_meeting_is_deleted() -> None:
    record = scheduled()
    cancellation = replace(WISH, action=Action.CANCEL, digest="off")
    record = fold(
        [
            entry(EntryType.REQUESTED, START - HOUR, revision=2, request=cancellation),
            entry(EntryType.CANCELLED, START - HOUR, revision=2),
        ],
        record,
    )
    assert reading_entry(record, DELETED, NOW) is None
    assert activated(record).current.is_unwanted


@pytest.mark.parametrize(
    "reading",
    [
        at_time(timedelta()),
        Reading(meeting=Meeting(start=START, end=START + HOUR, summary="Another title")),
        Reading(meeting=Meeting(start=START)),
        Reading(),
    ],
    ids=["the same", "title only", "no end", "no time"],
)
def test_a_reading_that_says_nothing_new_is_not_journalled(reading: Reading) -> None:
    assert reading_entry(scheduled(), reading, NOW) is None


@pytest.mark.parametrize("reading", [at_time(DAY), DELETED], ids=["moved", "deleted"])
def test_a_reading_is_not_believed_while_a_request_is_open_or_new(reading: Reading) -> None:
    """Cronofy writes a calendar event after it has accepted it."""
    record = scheduled()
    accepted_at = record.current.accepted_at
    assert accepted_at
    assert reading_entry(record, reading, accepted_at + SETTLING - MINUTE / 60) is None
    assert reading_entry(record, reading, accepted_at + SETTLING)
    renamed = replace(WISH, digest="renamed")
    record = fold([entry(EntryType.REQUESTED, START - HOUR, revision=2, request=renamed)], record)
    assert not is_settled(record.current, NOW)
    assert reading_entry(record, reading, NOW) is None


def test_a_meeting_that_is_moved_back_in_the_calendar_is_followed() -> None:
    """A callback with an old time is late; the calendar never is."""
    there = read(scheduled(), at_time(DAY), START - 5 * HOUR)
    back = read(there, at_time(timedelta()), START - 4 * HOUR)
    assert (back.meeting.start, back.current.number) == (START, 1)
    again = reading_entry(back, at_time(DAY), START - 3 * HOUR)
    first = reading_entry(scheduled(), at_time(DAY), START - 5 * HOUR)
    assert again
    assert first
    assert again.key != first.key


def test_a_meeting_that_a_person_moves_back_to_where_the_caller_had_it_is_followed() -> None:
    """A callback with that time would be older than the request that replaced it."""
    changed = replace(WISH, meeting=at_time(DAY).meeting, digest="moved")
    record = fold(
        [
            entry(EntryType.REQUESTED, START - 6 * HOUR, revision=2, request=changed),
            entry(EntryType.ACCEPTED, START - 6 * HOUR + MINUTE, revision=2),
        ],
        scheduled(),
    )
    assert record.meeting.start == START + DAY
    assert read(record, at_time(timedelta()), START - HOUR).meeting.start == START


def test_sweeps_that_read_the_same_at_the_same_time_make_one_entry() -> None:
    first, second = (reading_entry(scheduled(), at_time(DAY), NOW + by) for by in (timedelta(), MINUTE))
    assert first
    assert second
    assert first.key == second.key
    assert fold([first, second], scheduled()).entries == scheduled().entries + 1


# ----------------------------------------------------------------------------------------------------- whose, and when


@pytest.mark.parametrize(
    "request_",
    [
        replace(WISH, account=""),
        replace(WISH, calendar_id="", event_id=""),
    ],
    ids=["own token", "no calendar event"],
)
def test_only_the_calendar_of_a_registered_account_is_read(request_: Request) -> None:
    record = scheduled(request_)
    assert calendar_of(record) is None
    assert next_reading_at(record, GRACE_PERIODS, REQUESTED_AT) is None
    assert calendar_of(scheduled()) == Calendar("alice", "us", "cal_1")


def test_the_calendar_of_an_agent_that_has_ended_is_not_read() -> None:
    assert calendar_of(read(scheduled(), DELETED)) is None
    assert calendar_of(fold([entry(EntryType.REQUESTED, REQUESTED_AT, revision=1, request=WISH)])) is None


def test_a_calendar_is_read_once_a_day_at_the_same_time_for_all_its_agents() -> None:
    record = scheduled()
    first = next_reading_at(record, GRACE_PERIODS, REQUESTED_AT)
    assert first
    assert REQUESTED_AT < first <= REQUESTED_AT + DAY
    assert next_reading_at(record, GRACE_PERIODS, first) == first + DAY
    assert next_reading_at(record, GRACE_PERIODS, first - MINUTE) == first
    other = scheduled(replace(WISH, event_id="evt_2", meeting=at_time(5 * HOUR).meeting))
    assert next_reading_at(other, GRACE_PERIODS, REQUESTED_AT) == first
    assert next_reading_at(record, GRACE_PERIODS, START + 10 * DAY) is None


def test_the_time_of_a_reading_follows_from_the_name_of_its_calendar() -> None:
    """Every sweep, and every function, comes to the same time."""
    at = next_reading_at(scheduled(), GRACE_PERIODS, REQUESTED_AT)
    assert at
    of_day = timedelta(seconds=crc32(b"us/alice/cal_1") % 86_400)
    assert at - datetime(at.year, at.month, at.day, tzinfo=UTC) == of_day


def test_a_calendar_is_read_until_a_day_after_the_meeting() -> None:
    """Its agent may be overdue for weeks."""
    at = next_reading_at(scheduled(), GRACE_PERIODS, START)
    assert at
    for end, expected in ((at - DAY, None), (at - DAY + MINUTE, at)):
        record = scheduled(replace(WISH, meeting=Meeting(start=end - HOUR, end=end)))
        assert next_reading_at(record, GRACE_PERIODS, at - MINUTE) == expected


def test_the_times_are_those_of_the_documents() -> None:
    assert (SETTLING, READ_UNTIL, READING_WINDOW) == (2 * MINUTE, DAY, HOUR)


def test_a_deletion_without_its_reason_has_one() -> None:
    """An entry of another version may lack it."""
    deletion = entry(EntryType.CALENDAR_READ, NOW, reading=DELETED)
    assert fold([deletion], scheduled()).current.reason.code == ReasonCode.DELETED_IN_CALENDAR


def test_the_readings_of_many_calendars_are_spread_over_the_day() -> None:
    times = [
        next_reading_at(scheduled(replace(WISH, calendar_id=f"cal_{number}")), GRACE_PERIODS, REQUESTED_AT)
        for number in range(2_400)
    ]
    hours = [sum(time is not None and time.hour == hour for time in times) for hour in range(24)]
    assert min(hours) > 50
    assert max(hours) < 150


def test_a_daily_reading_is_due_for_an_hour_unless_something_was_heard() -> None:
    record = scheduled()
    at = next_reading_at(record, GRACE_PERIODS, REQUESTED_AT)
    assert at
    assert not is_reading_due(record, GRACE_PERIODS, at - MINUTE)
    assert is_reading_due(record, GRACE_PERIODS, at)
    assert is_reading_due(record, GRACE_PERIODS, at + READING_WINDOW - MINUTE)
    assert not is_reading_due(record, GRACE_PERIODS, at + READING_WINDOW)
    assert is_reading_due(record, GRACE_PERIODS, at + DAY)
    after = read(record, at_time(HOUR), at)
    assert not is_reading_due(after, GRACE_PERIODS, at + MINUTE)


def test_the_sweep_looks_at_an_agent_at_its_deadline_or_at_the_daily_reading() -> None:
    record = scheduled()
    at = next_reading_at(record, GRACE_PERIODS, REQUESTED_AT)
    due = deadline(record, GRACE_PERIODS)
    assert at
    assert due
    assert next_look(record, GRACE_PERIODS, REQUESTED_AT) == at
    assert next_look(record, GRACE_PERIODS, due.at - MINUTE) == due.at
    own = scheduled(replace(WISH, account=""))
    assert next_look(own, GRACE_PERIODS, REQUESTED_AT) == due.at


def test_changes_are_read_since_the_newest_word() -> None:
    record = scheduled()
    assert known_since(record) == record.current.accepted_at
    moved = read(record, at_time(DAY), START - HOUR)
    assert known_since(moved) == START - HOUR
