"""The missed deadlines of an agent: all in one look, in their order, each under the same key in every sweep."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from meeting_agents.domain.grace_periods import GracePeriods
from meeting_agents.domain.lifecycle import fold
from meeting_agents.domain.model import Action, DeadlineType, Entry, EntryType, Meeting, Notification, Request
from meeting_agents.domain.overdue import find_missed, is_retry_due
from meeting_agents.domain.reasons import ReasonCode
from meeting_agents.domain.record import Record

START = datetime(2026, 4, 29, 15, 30, tzinfo=UTC)
GRACE_PERIODS = GracePeriods()
MINUTE = timedelta(minutes=1)


def request() -> Entry:
    """Request an agent and a conference on the day before, to be retried after a minute."""
    meeting = Meeting(start=START, end=START + timedelta(hours=1))
    provision = Request(action=Action.PROVISION, data_center="us", meeting=meeting, conference_expected=True)
    at = START - timedelta(days=1)
    entry = Entry(key="requested#0001", kind=EntryType.REQUESTED, at=at, attempt=1, revision=1, request=provision)
    return replace(entry, retry_at=at + MINUTE)


@pytest.fixture
def record() -> Record:
    return fold([request()])


def missed(record: Record, at: datetime) -> list[DeadlineType]:
    """Return the types of the missed deadlines of the meeting."""
    found = [finding.deadline.phase for finding in find_missed(record, GRACE_PERIODS, at)]
    return [phase for phase in found if phase in (DeadlineType.CONFERENCE, DeadlineType.ACTIVATION)]


def test_each_deadline_is_missed_at_its_time(record: Record) -> None:
    """That of a retry is never missed, and hides no other."""
    assert missed(record, START - 16 * MINUTE) == []
    assert missed(record, START - 15 * MINUTE) == [DeadlineType.CONFERENCE]
    assert missed(record, START + 10 * MINUTE) == [DeadlineType.CONFERENCE, DeadlineType.ACTIVATION]


def test_the_journal_has_missed_deadlines_in_their_order(record: Record) -> None:
    """The fold of their entries knows both, although they are found at the same time."""
    findings = find_missed(record, GRACE_PERIODS, START + 10 * MINUTE)
    after = fold([finding.entry for finding in reversed(findings)], record)
    assert after.current.missed == (DeadlineType.CONFERENCE, DeadlineType.ACTIVATION)
    assert find_missed(after, GRACE_PERIODS, START + 11 * MINUTE) == []


def test_two_sweeps_make_entries_with_the_same_keys(record: Record) -> None:
    first, second = (find_missed(record, GRACE_PERIODS, START + minutes * MINUTE) for minutes in (10, 11))
    assert [finding.entry.key for finding in first] == [finding.entry.key for finding in second]


@pytest.mark.parametrize(
    ("kinds", "at", "reason"),
    [
        ((), START - 15 * MINUTE, ReasonCode.CONFERENCE_MISSED),
        ((EntryType.CONFERENCING_ASSIGNED,), START + 10 * MINUTE, ReasonCode.ACTIVATION_MISSED),
        ((EntryType.ACTIVATED,), START + 90 * MINUTE, ReasonCode.COMPLETION_MISSED),
        ((EntryType.COMPLETE,), START + 15 * MINUTE, ReasonCode.RESOURCES_MISSED),
    ],
)
def test_the_entry_of_a_missed_deadline_says_which(
    record: Record, kinds: tuple[EntryType, ...], at: datetime, reason: ReasonCode
) -> None:
    heard = [
        Entry(key=kind, kind=kind, at=START, notification=Notification(kinds=(kind,), interactions=(kind,)))
        for kind in kinds
    ]
    accepted = Entry(key="accepted#0001", kind=EntryType.ACCEPTED, at=START - timedelta(days=1), attempt=1, revision=1)
    finding = find_missed(fold([accepted, *heard], record), GRACE_PERIODS, at)[0]
    assert finding.entry.reason
    assert finding.entry.reason.code is reason


def test_a_deadline_of_a_meeting_that_was_moved_has_a_key_of_its_own(record: Record) -> None:
    """A person moves the meeting after the first deadline was missed. The journal would drop a second equal key."""
    first = [finding.entry for finding in find_missed(record, GRACE_PERIODS, START + 10 * MINUTE)]
    meeting = Meeting(start=START + 60 * MINUTE, end=START + 120 * MINUTE)
    trigger = Notification(kinds=(EntryType.BEFORE_START,), meeting=meeting)
    moved = Entry(key="moved", kind=EntryType.BEFORE_START, at=START + 45 * MINUTE, notification=trigger)
    after = fold([*first, moved], record)
    second = find_missed(after, GRACE_PERIODS, START + 70 * MINUTE)
    assert [finding.deadline.phase for finding in second][-1] is DeadlineType.ACTIVATION
    assert not {entry.key for entry in first} & {finding.entry.key for finding in second}


def test_a_deadline_after_a_late_acceptance_has_a_key_of_its_own(record: Record) -> None:
    """Cronofy accepts the request after its deadline was missed: its agent is due anew, with the same request."""
    first = [finding.entry for finding in find_missed(record, GRACE_PERIODS, START + 10 * MINUTE)]
    at = START + 15 * MINUTE
    accepted = Entry(key="accepted", kind=EntryType.ACCEPTED, at=at, attempt=1, revision=1)
    after = fold([*first, accepted], record)
    assert missed(after, at + 9 * MINUTE) == []
    [second] = find_missed(after, GRACE_PERIODS, at + 10 * MINUTE)
    assert second.deadline.phase is DeadlineType.ACTIVATION
    assert second.entry.key not in {entry.key for entry in first}


def test_the_deadline_of_a_meeting_without_times_is_found_too() -> None:
    """It begins when it is requested."""
    first = request()
    assert first.request
    record = fold([replace(first, request=replace(first.request, meeting=Meeting()))])
    assert missed(record, first.at + 10 * MINUTE) == [DeadlineType.ACTIVATION]


def test_a_request_is_due_to_be_retried_at_its_time(record: Record) -> None:
    at = START - timedelta(days=1)
    assert [is_retry_due(record, at + delay) for delay in (timedelta(), MINUTE)] == [False, True]
    accepted = Entry(key="accepted#0001", kind=EntryType.ACCEPTED, at=at, attempt=1, revision=1)
    assert not is_retry_due(fold([accepted], record), START)


def test_an_empty_journal_misses_nothing() -> None:
    """Its items have expired, and the record has not."""
    assert (find_missed(Record(), GRACE_PERIODS, START), is_retry_due(Record(), START)) == ([], False)
