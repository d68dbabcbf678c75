"""The attempt that a report is about: by its agent, its address and its time. And two agents of one attempt."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import permutations
from typing import Any

import pytest

from meeting_agents.domain import reasons
from meeting_agents.domain.alerts import alerting_owed
from meeting_agents.domain.attempts import LEAVES_WITHIN
from meeting_agents.domain.deadlines import Deadline, deadlines
from meeting_agents.domain.grace_periods import missing_resources, resources_by
from meeting_agents.domain.incidents import open_incidents
from meeting_agents.domain.lifecycle import fold
from meeting_agents.domain.model import (
    AlertStatus,
    DeadlineType,
    Entry,
    EntryType,
    IncidentType,
    Meeting,
    Notification,
    Reading,
    Request,
    Resource,
    State,
    Verdict,
)
from meeting_agents.domain.overdue import find_missed
from meeting_agents.domain.reasons import Reason, ReasonCode
from meeting_agents.domain.record import Attempt, Record
from meeting_agents.domain.reports import EARLIEST_ACTIVATION, attempt_of, reports_end
from meeting_agents.errors import RateLimited, ReauthorisationRequired, Unreachable, UpstreamTimeout
from tests.unit.domain.test_alerts import publish
from tests.unit.domain.test_incidents import later, types
from tests.unit.domain.test_lifecycle import (
    AWAY,
    DASHBOARD,
    END,
    GRACE_PERIODS,
    MINUTE,
    NOON,
    START,
    TRANSCRIPT,
    WISH,
    History,
    scheduled,
)

HOUR, TOMORROW = timedelta(hours=1), timedelta(days=1)
LOCKED = Reason.of(ReasonCode.RETRY_PLANNED, failure=423)
OVERLOADED = Reason.of(ReasonCode.RETRY_PLANNED, failure=503)
TIMED_OUT = Reason.of(ReasonCode.RETRY_PLANNED, failure="cronofy_timed_out")
DURING = START + 5 * MINUTE


def moved(by: timedelta) -> History:
    """An agent of which nothing was heard, and whose meeting a caller moved while it took place."""
    return later(scheduled(), DURING).request(wish(by)).answer(EntryType.ACCEPTED)


def wish(by: timedelta) -> Request:
    meeting = replace(WISH.meeting, start=START + by, end=END + by)
    return replace(WISH, meeting=meeting, digest=f"moved by {by}")


def waiting(by: timedelta, reason: Reason = LOCKED) -> History:
    """An agent with a move that Cronofy has not accepted yet."""
    history = later(scheduled(), START - 10 * MINUTE).request(wish(by))
    return history.answer(EntryType.UNCONFIRMED, retry_at=END, reason=reason)


def states(history: History) -> list[State]:
    return [attempt.state for attempt in history.record.attempts]


def starts(history: History) -> list[object]:
    return [attempt.meeting.start for attempt in history.record.attempts]


# ------------------------------------------------------------------------------------------------------- of which time


@pytest.mark.parametrize("kind", [EntryType.ACTIVATED, EntryType.FAILED, EntryType.COMPLETE])
def test_a_first_report_long_before_the_new_time_is_about_the_old_one(kind: EntryType) -> None:
    history = moved(TOMORROW).report(kind, sub="agt_1", resources=(DASHBOARD,))
    assert states(history) == [State(kind.value), State.SCHEDULED]
    assert starts(history) == [START, START + TOMORROW]
    assert types(history) == []
    first, second = history.record.attempts
    assert (first.subs, second.subs, first.resources, second.resources) == (("agt_1",), (), (DASHBOARD,), ())
    assert (second.number, second.is_requested, second.accepted_revision) == (2, False, 2)
    assert history.last.verdict is Verdict.APPLIED


def test_the_agent_of_the_new_time_is_expected_after_that() -> None:
    history = moved(TOMORROW).report(EntryType.FAILED, sub="agt_1")
    later(history, START + TOMORROW - MINUTE).report(EntryType.ACTIVATED, sub="agt_2")
    later(history, END + TOMORROW).report(EntryType.COMPLETE, sub="agt_2", resources=(TRANSCRIPT,))
    assert states(history) == [State.FAILED, State.COMPLETE]


def test_later_reports_of_the_same_agent_stay_with_the_old_time() -> None:
    """Also those that come when the agent of the new time may report itself."""
    by = timedelta(hours=2)
    history = moved(by).report(EntryType.ACTIVATED, sub="agt_1")
    later(history, START + by - 10 * MINUTE).report(EntryType.FAILED, sub="agt_1")
    assert states(history) == [State.FAILED, State.SCHEDULED]
    assert types(history) == []


def test_an_hour_before_the_new_time_a_report_may_be_about_it() -> None:
    """No one can know which agent it is about, so the one that is expected counts."""
    by = EARLIEST_ACTIVATION + 10 * MINUTE
    for at, expected in (
        (START + by - EARLIEST_ACTIVATION - timedelta(seconds=1), 2),
        (START + by - EARLIEST_ACTIVATION, 1),
    ):
        history = later(moved(by), at).report(EntryType.FAILED, sub="agt_1")
        assert len(history.record.attempts) == expected


def test_no_report_is_about_a_time_for_which_it_is_too_early_as_well() -> None:
    early = START - EARLIEST_ACTIVATION
    for at, expected in ((early - timedelta(seconds=1), 1), (early, 2)):
        history = scheduled().request(wish(TOMORROW)).answer(EntryType.ACCEPTED)
        assert len(later(history, at).report(EntryType.ACTIVATED, sub="agt_1").record.attempts) == expected


def test_an_agent_that_is_complete_before_the_new_time_was_in_the_meeting_at_the_old_one() -> None:
    """One that fails may be that of the new time, within the hour before it."""
    for kind, at, expected in (
        (EntryType.COMPLETE, START + 20 * MINUTE, 2),
        (EntryType.FAILED, START + 20 * MINUTE, 1),
        (EntryType.COMPLETE, START + 30 * MINUTE, 1),
    ):
        history = later(moved(30 * MINUTE), at).report(kind, sub="agt_1", meeting=wish(30 * MINUTE).meeting)
        assert len(history.record.attempts) == expected


@pytest.mark.parametrize(
    ("by", "left", "expected"),
    [
        (-30 * MINUTE, (TRANSCRIPT,), []),
        (-30 * MINUTE, (DASHBOARD,), [DeadlineType.RESOURCES]),
        (-TOMORROW, (TRANSCRIPT,), [DeadlineType.RESOURCES]),
    ],
)
def test_what_an_agent_lacks_that_is_heard_of_only_after_its_time_is_covered_by_another_of_the_meeting(
    by: timedelta, left: tuple[Resource, ...], expected: list[DeadlineType]
) -> None:
    """All its reports came late, and those of the agent that was in the meeting came first."""
    history = later(scheduled(), END).report(EntryType.COMPLETE, sub="agt_2", resources=left, meeting=WISH.meeting)
    late = END + HOUR
    later(history, late).report(EntryType.ACTIVATED, sub="agt_1", meeting=wish(by).meeting)
    history.report(EntryType.COMPLETE, sub="agt_1", resources=(DASHBOARD,), meeting=wish(by).meeting)
    assert starts(history) == [START, START + by]
    of_current = [each.phase for each in deadlines(history.record, GRACE_PERIODS) if not each.attempt]
    assert [phase for phase in of_current if phase is DeadlineType.RESOURCES] == expected


def test_a_first_report_that_comes_after_that_of_the_end_and_names_the_old_time_is_about_that() -> None:
    """Without the old time it may be about the agent that is expected, because Cronofy may use a `sub` again."""
    for start, expected in ((START, State.SCHEDULED), (START + 30 * MINUTE, State.ACTIVATED)):
        history = later(moved(30 * MINUTE), START + 6 * MINUTE)
        history.report(EntryType.COMPLETE, sub="agt_1", resources=(TRANSCRIPT,), meeting=wish(30 * MINUTE).meeting)
        meeting = replace(WISH.meeting, start=start, end=start + (END - START))
        history.report(EntryType.ACTIVATED, sub="agt_1", meeting=meeting)
        assert states(history) == [State.COMPLETE, expected]


@pytest.mark.parametrize("by", [TOMORROW, -TOMORROW])
def test_no_agent_is_expected_where_one_left_early_before_its_meeting_was_moved_away_and_back(by: timedelta) -> None:
    """One that left because it was moved is missing."""
    for left_at, moved_at, expected in (
        (DURING, DURING + MINUTE, []),
        (DURING + MINUTE, DURING, [DeadlineType.ACTIVATION]),
    ):
        history = later(scheduled(), START - MINUTE).report(EntryType.ACTIVATED, sub="agt_1")
        for at in sorted((left_at, moved_at)):
            later(history, at)
            if at == left_at:
                history.report(EntryType.COMPLETE, sub="agt_1", resources=(TRANSCRIPT,))
            else:
                history.request(wish(by)).answer(EntryType.ACCEPTED, at=moved_at)
        later(history, DURING + 5 * MINUTE).request(replace(WISH, digest="back")).answer(EntryType.ACCEPTED)
        assert starts(history) == [START if by > timedelta() else START - TOMORROW, START]
        found = [each.phase for each in deadlines(history.record, GRACE_PERIODS) if not each.attempt]
        assert [phase for phase in found if phase is DeadlineType.ACTIVATION] == expected


def test_of_two_changes_that_wait_the_agent_stays_if_the_newer_is_taken_when_its_time_runs() -> None:
    history = later(scheduled(), START - 3 * MINUTE).request(replace(WISH, digest="title"))
    history.answer(EntryType.UNCONFIRMED, retry_at=END, reason=LOCKED)
    history.request(wish(10 * MINUTE)).answer(EntryType.UNCONFIRMED, retry_at=END, reason=LOCKED)
    later(history, START).report(EntryType.ACTIVATED, sub="agt_1", meeting=WISH.meeting)
    assert states(history) == [State.ACTIVATED, State.REQUESTED]
    older = later(history, START + 12 * MINUTE).answer(EntryType.ACCEPTED, revision=2)
    assert starts(older) == [START, START + 10 * MINUTE]
    older.entries.pop()
    taken = later(history, START + 12 * MINUTE).answer(EntryType.ACCEPTED)
    assert states(taken) == [State.ACTIVATED]
    assert (starts(taken), taken.record.current.unanswered) == ([START + 10 * MINUTE], ())


@pytest.mark.parametrize("end", [EntryType.COMPLETE, EntryType.FAILED])
@pytest.mark.parametrize(
    ("reported_at", "accepted_at", "ended_at", "expected"),
    [
        (START + MINUTE, START + 9 * MINUTE, START + 10 * MINUTE, 2),
        (START + MINUTE, START + 9 * MINUTE, START + 9 * MINUTE, 2),
        (START + MINUTE, START + 9 * MINUTE, START + 9 * MINUTE + LEAVES_WITHIN - MINUTE, 2),
        (START + MINUTE, START + 9 * MINUTE, START + 9 * MINUTE + LEAVES_WITHIN, 1),
        (START + MINUTE, START + 14 * MINUTE, START + 15 * MINUTE, 1),  # the new time has begun
        (START + 9 * MINUTE, START + 9 * MINUTE, START + 10 * MINUTE, 1),  # it came for the new time
        (START - 2 * MINUTE, START - MINUTE, START - MINUTE, 1),  # the old time has not begun
        (START - 2 * MINUTE, START - MINUTE, START, 2),
    ],
)
def test_an_agent_that_ends_as_a_move_that_waited_is_accepted_leaves_the_earlier_time(
    end: EntryType, reported_at: datetime, accepted_at: datetime, ended_at: datetime, expected: int
) -> None:
    """It was heard of while the move waited, an hour before the new time or less."""
    moved = wish(15 * MINUTE).meeting
    history = later(waiting(15 * MINUTE, TIMED_OUT), reported_at)
    history.report(EntryType.ACTIVATED, sub="agt_1", meeting=moved).answer(EntryType.ACCEPTED, at=accepted_at)
    for no_end in (EntryType.ACTIVATED, EntryType.CONFERENCING_ASSIGNED):
        assert len(later(history, ended_at).report(no_end, sub="agt_1").record.attempts) == 1
        history.entries.pop()
    later(history, ended_at).report(end, sub="agt_1")
    assert len(history.record.attempts) == expected
    if expected == 2:
        assert states(history) == [State(end.value), State.SCHEDULED]
        assert starts(history) == [START, START + 15 * MINUTE]


def test_an_agent_is_complete_at_the_earlier_time_only_if_that_has_begun() -> None:
    for at, expected in ((START - timedelta(seconds=1), 1), (START, 2)):
        history = later(scheduled(), START - 5 * MINUTE).request(wish(30 * MINUTE)).answer(EntryType.ACCEPTED)
        later(history, at).report(EntryType.COMPLETE, sub="agt_1", meeting=wish(30 * MINUTE).meeting)
        assert len(history.record.attempts) == expected


def test_the_last_of_several_earlier_times_counts() -> None:
    history = later(scheduled(), START - 20 * MINUTE)
    for by in (timedelta(minutes=5), TOMORROW):
        history.request(wish(by)).answer(EntryType.ACCEPTED)
    assert starts(history.report(EntryType.FAILED, sub="agt_1")) == [START + 5 * MINUTE, START + TOMORROW]


def test_a_report_on_an_agent_of_a_meeting_that_did_not_move_is_about_it_at_any_time() -> None:
    for history in (scheduled(), scheduled().request(replace(WISH, digest="title")).answer(EntryType.ACCEPTED)):
        assert states(history.report(EntryType.FAILED, sub="agt_1")) == [State.FAILED]


def test_a_report_in_a_meeting_that_was_moved_and_has_begun_is_about_it() -> None:
    history = later(moved(10 * MINUTE), START + 12 * MINUTE).report(EntryType.FAILED, sub="agt_1")
    assert states(history) == [State.FAILED]


def test_an_agent_that_is_cancelled_is_of_no_other_time() -> None:
    history = moved(TOMORROW).cancel().report(EntryType.FAILED, sub="agt_1")
    assert len(history.record.attempts) == 1


def test_an_agent_whose_meeting_is_moved_away_and_back_is_of_the_new_attempt() -> None:
    """It stayed. One that was cancelled meanwhile is gone, and its report is about the attempt of before."""
    history = later(scheduled(), START - MINUTE).report(EntryType.ACTIVATED, sub="agt_1")
    away = later(history, DURING).request(wish(TOMORROW)).answer(EntryType.UNCONFIRMED, retry_at=END)
    back = away.request(wish(timedelta())).answer(EntryType.ACCEPTED)
    assert states(back) == [State.ACTIVATED, State.SCHEDULED]
    assert starts(back) == [START, START]
    assert states(later(back, END).report(EntryType.COMPLETE, sub="agt_1")) == [State.ACTIVATED, State.COMPLETE]
    early = later(scheduled(), START - 10 * MINUTE).report(EntryType.ACTIVATED, sub="agt_1")
    early = early.request(wish(-HOUR)).answer(EntryType.ACCEPTED)
    back = early.request(wish(timedelta())).answer(EntryType.ACCEPTED)
    assert starts(back) == [START - HOUR, START]
    assert states(later(back, END).report(EntryType.COMPLETE, sub="agt_1")) == [State.ACTIVATED, State.COMPLETE]
    elsewhere = later(scheduled(), START - MINUTE).report(EntryType.ACTIVATED, sub="agt_1").request(wish(TOMORROW))
    assert states(later(elsewhere, DURING).report(EntryType.COMPLETE, sub="agt_1"))[0] is State.COMPLETE
    again = later(scheduled(), START - MINUTE).report(EntryType.ACTIVATED, sub="agt_1").cancel().request()
    assert states(again.report(EntryType.COMPLETE, sub="agt_1"))[0] is State.COMPLETE


def test_only_a_report_on_an_agent_is_about_an_earlier_time() -> None:
    history = moved(TOMORROW).report(EntryType.CONFERENCING_ASSIGNED)
    assert starts(history) == [START + TOMORROW]
    assert not reports_end(Notification(kinds=(EntryType.ACTIVATED,)))
    assert reports_end(Notification(kinds=(EntryType.ACTIVATED, EntryType.COMPLETE)))


# --------------------------------------------------------------------------------------------------------- by its agent


def attempt(number: int, start: datetime | None, **fields: Any) -> Attempt:
    """An attempt, by default a scheduled one that a request began."""
    request = replace(WISH, meeting=Meeting(start=start))
    usual: dict[str, Any] = {
        "state": State.SCHEDULED,
        "since": NOON,
        "began_at": NOON,
        "requested_at": NOON,
        "request": request,
    }
    return Attempt(number=number, reason=Reason.of(ReasonCode.REQUEST_ACCEPTED), **usual | fields)


NEXT = START + timedelta(days=7)
EARLY, DUE = NEXT - EARLIEST_ACTIVATION - timedelta(seconds=1), NEXT - EARLIEST_ACTIVATION
FIRST, CURRENT = attempt(1, START), attempt(2, NEXT)
FOLLOWED = attempt(2, NEXT, is_requested=False)
ACTIVE = replace(FIRST, activated_at=START, subs=("agt_1",))
DONE = replace(ACTIVE, complete_at=END, state=State.COMPLETE)
GONE = replace(FIRST, state=State.CANCELLED, cancelled_at=START, subs=("agt_1",))
REUSED = replace(CURRENT, subs=("agt_1",))
OFF = replace(FIRST, state=State.CANCELLED, cancelled_at=DURING)
ON = attempt(2, START, began_at=DURING)
ON_AT_THE_END = replace(ON, began_at=END - MINUTE, request=WISH)
TIMELESS = attempt(2, None)
ACTIVATED, COMPLETE, FAILED = (EntryType.ACTIVATED,), (EntryType.COMPLETE,), (EntryType.FAILED,)

OF: list[tuple[tuple[Attempt, ...], tuple[EntryType, ...], str, int | None, datetime, int]] = [
    # no report, or only one attempt
    ((FIRST,), ACTIVATED, "agt_9", 7, EARLY, 1),
    ((DONE,), ACTIVATED, "agt_9", None, EARLY, 1),
    ((ACTIVE, CURRENT), (EntryType.CONFERENCING_ASSIGNED,), "agt_1", 1, EARLY, 2),
    # the `sub` is known
    ((ACTIVE, CURRENT), COMPLETE, "agt_1", None, DUE, 1),
    ((ACTIVE, CURRENT), ACTIVATED, "agt_1", None, EARLY, 1),
    ((ACTIVE, CURRENT), ACTIVATED, "agt_1", None, DUE, 2),
    ((ACTIVE, CURRENT), (*ACTIVATED, *COMPLETE), "agt_1", None, DUE, 1),
    ((ACTIVE, TIMELESS), ACTIVATED, "agt_1", None, EARLY, 2),
    ((DONE, CURRENT), FAILED, "agt_1", None, DUE, 1),
    ((DONE, CURRENT), COMPLETE, "agt_1", None, DUE, 2),
    ((replace(DONE, complete_at=None, failed_at=END), CURRENT), FAILED, "agt_1", None, DUE, 2),
    ((replace(DONE, activated_at=None), CURRENT), ACTIVATED, "agt_1", None, DUE, 2),
    ((replace(DONE, activated_at=None), CURRENT), ACTIVATED, "agt_1", None, EARLY, 1),
    ((replace(DONE, activated_at=None), CURRENT), (*ACTIVATED, *FAILED), "agt_1", None, DUE, 1),
    # it is used again
    ((ACTIVE, REUSED), COMPLETE, "agt_1", 1, EARLY, 1),
    ((DONE, REUSED), FAILED, "agt_1", 1, EARLY, 2),
    ((GONE, REUSED), ACTIVATED, "agt_1", 1, EARLY, 2),
    ((GONE, REUSED), FAILED, "agt_1", 1, EARLY, 1),
    ((GONE, CURRENT), ACTIVATED, "agt_1", 1, EARLY, 1),
    ((ACTIVE, REUSED), COMPLETE, "agt_1", 2, EARLY, 2),
    ((ACTIVE, replace(ACTIVE, number=2), attempt(3, NEXT)), COMPLETE, "agt_1", 1, EARLY, 1),
    ((ACTIVE, replace(ACTIVE, number=2), attempt(3, NEXT)), COMPLETE, "agt_1", 3, EARLY, 2),
    # by the address: the first attempt if it names none
    ((FIRST, CURRENT), ACTIVATED, "agt_9", None, EARLY, 1),
    ((FIRST, CURRENT), ACTIVATED, "agt_9", 1, EARLY, 1),
    ((FIRST, CURRENT), ACTIVATED, "agt_9", 2, EARLY, 2),
    ((FIRST, CURRENT), ACTIVATED, "agt_9", 9, EARLY, 2),
    ((FIRST, FOLLOWED), ACTIVATED, "agt_9", 1, EARLY, 2),
    ((FIRST, FOLLOWED, attempt(3, NEXT)), ACTIVATED, "agt_9", 1, EARLY, 2),
    ((FIRST, CURRENT, attempt(3, NEXT, is_requested=False)), ACTIVATED, "agt_9", 1, EARLY, 1),
    ((DONE, CURRENT), FAILED, "", 1, EARLY, 2),
    ((ACTIVE, CURRENT), FAILED, "agt_9", 1, EARLY, 2),
    ((ACTIVE, CURRENT), FAILED, "", 1, EARLY, 1),
    ((GONE, CURRENT), ACTIVATED, "", 1, EARLY, 2),
    ((GONE, CURRENT), FAILED, "", 1, EARLY, 1),
    # an end just after the agent was called off is its own
    ((OFF, ON), COMPLETE, "agt_1", 1, DURING + LEAVES_WITHIN - MINUTE, 1),
    ((OFF, ON), COMPLETE, "agt_1", 1, DURING + LEAVES_WITHIN, 2),
    ((OFF, ON), COMPLETE, "agt_1", 2, DURING + MINUTE, 2),
    ((OFF, ON), ACTIVATED, "agt_1", 1, DURING + MINUTE, 2),
    ((OFF, ON_AT_THE_END), COMPLETE, "agt_1", 1, END - MINUTE, 1),
    ((OFF, ON_AT_THE_END), COMPLETE, "agt_1", 1, END, 2),
    # an end before the start is of the agent that is active
    ((ACTIVE, FOLLOWED), COMPLETE, "", 1, NEXT - MINUTE, 1),
    ((ACTIVE, FOLLOWED), COMPLETE, "", 1, NEXT, 2),
    ((ACTIVE, FOLLOWED), ACTIVATED, "", 1, NEXT - MINUTE, 2),
    ((ACTIVE, FOLLOWED), COMPLETE, "agt_9", 1, NEXT - MINUTE, 2),
    ((FIRST, FOLLOWED), COMPLETE, "", 1, NEXT - MINUTE, 2),
    ((DONE, FOLLOWED), FAILED, "", 1, NEXT - MINUTE, 2),
    ((ACTIVE, replace(TIMELESS, is_requested=False)), COMPLETE, "", 1, EARLY, 2),
    (
        (ACTIVE, replace(FOLLOWED, activated_at=START), attempt(3, NEXT, is_requested=False)),
        COMPLETE,
        "",
        1,
        NEXT - MINUTE,
        2,
    ),
    ((ACTIVE, FOLLOWED, attempt(3, NEXT, is_requested=False)), COMPLETE, "", 1, NEXT - MINUTE, 1),
]


@pytest.mark.parametrize(("attempts", "kinds", "sub", "address", "at", "expected"), OF)
def test_a_report_is_about_one_attempt(
    attempts: tuple[Attempt, ...],
    kinds: tuple[EntryType, ...],
    sub: str,
    address: int | None,
    at: datetime,
    expected: int,
) -> None:
    """Its `sub` says which, else its address, else what is still expected."""
    notification = Notification(kinds=kinds, sub=sub)
    entry = Entry(key="report", kind=kinds[-1], at=at, attempt=address, notification=notification)
    assert attempt_of(Record(attempts=attempts), entry, notification).number == expected


def test_an_agent_that_comes_as_planned_is_wanted() -> None:
    assert scheduled().report(EntryType.ACTIVATED, sub="agt_1").record.current.unwanted_at is None
    done = scheduled().report(EntryType.COMPLETE, sub="agt_1").cancel().report(EntryType.ACTIVATED, sub="agt_1")
    assert done.record.current.unwanted_at is None


def test_a_deleted_meeting_that_still_gets_its_agent_is_scheduled() -> None:
    history = later(scheduled(), START - 60 * MINUTE)
    history.add(EntryType.CALENDAR_READ, attempt=1, reading=Reading(is_deleted=True))
    assert states(history) == [State.CANCELLED]
    assert states(history.report(EntryType.ACTIVATED, sub="agt_1")) == [State.ACTIVATED]


def test_the_first_twenty_remarks_of_failures_are_kept() -> None:
    remarks = tuple(f"code: {number:02d}" for number in range(22))
    assert scheduled().report(EntryType.FAILED, remarks=remarks).record.current.failures == remarks[:20]


# ------------------------------------------------------------------------------------------------ while a request waits


def test_an_agent_that_others_requested_is_of_the_time_that_cronofy_reported() -> None:
    history = History().report(EntryType.CONFERENCING_ASSIGNED, meeting=WISH.meeting)
    history.request(wish(timedelta(hours=2))).answer(EntryType.UNCONFIRMED, retry_at=END, reason=LOCKED)
    later(history, START).report(EntryType.ACTIVATED, sub="agt_1")
    assert starts(history) == [START, START + timedelta(hours=2)]


def test_at_the_time_of_a_move_that_waits_a_report_is_about_that() -> None:
    by = timedelta(minutes=40)
    history = later(waiting(by), START + by).report(EntryType.ACTIVATED, sub="agt_1")
    assert states(history) == [State.ACTIVATED]


def test_a_report_while_a_move_waits_is_about_the_accepted_time() -> None:
    """The move that waits is a request for an agent at another time: it is still to be arranged."""
    by = timedelta(minutes=40)
    history = later(waiting(by), START - 2 * MINUTE).report(EntryType.ACTIVATED, sub="agt_1")
    assert states(history) == [State.ACTIVATED, State.REQUESTED]
    assert starts(history) == [START, START + by]
    second = history.record.current
    assert (second.accepted_revision, second.accepted_at, second.reason) == (0, None, LOCKED)
    assert second.requested_at == START - 10 * MINUTE
    assert second.pending is not None
    assert types(history, START + 11 * MINUTE) == [IncidentType.NOT_ARRANGED]
    history.answer(EntryType.ACCEPTED)
    assert (states(history), types(history, START + 11 * MINUTE)) == ([State.ACTIVATED, State.SCHEDULED], [])


def test_a_meeting_that_a_person_moves_while_a_request_waits_has_its_new_time() -> None:
    """A new title that waits says nothing of the time, and the agent comes when the calendar says."""
    by = timedelta(hours=1)
    history = later(scheduled(), START - 20 * MINUTE).request(replace(WISH, digest="title"))
    history.answer(EntryType.UNCONFIRMED, retry_at=END, reason=LOCKED)
    history.report(EntryType.BEFORE_START, meeting=wish(by).meeting)
    assert history.record.meeting.start == START + by
    assert starts(later(history, START + by).report(EntryType.ACTIVATED, sub="agt_1")) == [START + by]
    earlier = later(scheduled(), START - 120 * MINUTE).request(replace(WISH, digest="title"))
    earlier.answer(EntryType.UNCONFIRMED, retry_at=END, reason=LOCKED)
    earlier.report(EntryType.BEFORE_START, meeting=wish(-by).meeting)
    assert starts(later(earlier, START - by).report(EntryType.ACTIVATED, sub="agt_1")) == [START - by]


def test_a_repetition_that_waits_leaves_what_was_accepted_for_its_time() -> None:
    by = timedelta(hours=2)
    history = later(scheduled(), START - 10 * MINUTE).request(wish(by)).answer(EntryType.ACCEPTED)
    history.request(replace(wish(by), digest="title")).answer(EntryType.UNCONFIRMED, retry_at=END, reason=LOCKED)
    later(history, START - 2 * MINUTE).report(EntryType.ACTIVATED, sub="agt_1", meeting=WISH.meeting)
    assert states(history) == [State.ACTIVATED, State.SCHEDULED]
    assert history.record.current.accepted_revision == 2


def test_cronofys_word_counts_before_anything_was_accepted() -> None:
    history = History().request().answer(EntryType.UNCONFIRMED, retry_at=END, reason=LOCKED)
    history.report(EntryType.CONFERENCING_ASSIGNED, meeting=wish(timedelta(hours=1)).meeting)
    assert history.record.meeting.start == START + timedelta(hours=1)


def test_cronofys_word_after_a_request_that_may_have_arrived_is_newer_than_its_acceptance() -> None:
    history = waiting(timedelta(hours=1), TIMED_OUT)
    history.report(EntryType.BEFORE_START, meeting=wish(timedelta(hours=2)).meeting).answer(EntryType.ACCEPTED)
    assert history.record.meeting.start == START + timedelta(hours=2)


def test_a_report_of_an_earlier_attempt_says_nothing_against_a_move_that_waits() -> None:
    """Two moves at once while the agent is active: the second one begins an attempt."""
    history = later(scheduled(), START - MINUTE).report(EntryType.ACTIVATED, sub="agt_1")
    first, second = wish(30 * MINUTE), wish(90 * MINUTE)
    history.add(EntryType.REQUESTED, attempt=1, revision=2, request=first)
    history.add(EntryType.REQUESTED, attempt=2, revision=3, request=second)
    for revision in (2, 3):
        history.answer(EntryType.UNCONFIRMED, revision, retry_at=END, reason=LOCKED)
    history.report(EntryType.COMPLETE, sub="agt_1", meeting=WISH.meeting)
    history.report(EntryType.AFTER_END, meeting=WISH.meeting)
    assert history.record.meeting == second.meeting
    assert history.answer(EntryType.ACCEPTED, 3).record.meeting == second.meeting


def test_an_agent_reports_itself_at_the_time_that_cronofy_may_have_taken() -> None:
    """Cronofy did not answer, so the move may have arrived."""
    by = timedelta(minutes=40)
    for at, meeting, expected in (
        (START - 2 * MINUTE, wish(by).meeting, [State.ACTIVATED]),
        (START - 2 * MINUTE, Meeting(), [State.ACTIVATED, State.REQUESTED]),  # nearer to the time that is accepted
        (START + by / 2 - MINUTE, Meeting(), [State.ACTIVATED, State.REQUESTED]),
        (START + by / 2, Meeting(), [State.ACTIVATED]),
        (START + by - 2 * MINUTE, Meeting(), [State.ACTIVATED]),
    ):
        history = later(waiting(by, TIMED_OUT), at).report(EntryType.ACTIVATED, sub="agt_1", meeting=meeting)
        assert states(history) == expected
    far = later(waiting(TOMORROW, TIMED_OUT), START - 2 * MINUTE).report(EntryType.ACTIVATED, sub="agt_1")
    assert states(far) == [State.ACTIVATED, State.REQUESTED]


def test_cronofys_word_on_the_accepted_time_does_not_make_it_that_of_a_move_that_waits() -> None:
    """The move was not answered, so it may have arrived; but Cronofy still calls before the accepted time."""
    for reason in (LOCKED, TIMED_OUT):
        history = waiting(timedelta(minutes=61), reason).report(EntryType.BEFORE_START, meeting=WISH.meeting)
        later(history, START - MINUTE).report(EntryType.ACTIVATED, sub="agt_1")
        assert states(history) == [State.ACTIVATED, State.REQUESTED]
        assert starts(history) == [START, START + timedelta(minutes=61)]
    by = timedelta(minutes=61)
    arrived = waiting(by, TIMED_OUT).report(EntryType.BEFORE_START, meeting=wish(by).meeting)
    assert states(later(arrived, START + by).report(EntryType.ACTIVATED, sub="agt_1")) == [State.ACTIVATED]


def test_a_title_that_waits_is_of_the_same_time() -> None:
    history = later(scheduled(), START - 10 * MINUTE).request(replace(WISH, digest="title"))
    history.answer(EntryType.UNCONFIRMED, retry_at=END, reason=LOCKED).report(EntryType.ACTIVATED, sub="agt_1")
    assert states(history) == [State.ACTIVATED]


def test_the_first_request_that_waits_has_no_accepted_time() -> None:
    history = History().request().answer(EntryType.UNCONFIRMED, retry_at=END, reason=LOCKED)
    assert states(history.report(EntryType.ACTIVATED, sub="agt_1")) == [State.ACTIVATED]


def test_cronofys_word_does_not_replace_a_wish_that_it_did_not_get() -> None:
    """It still calls before the old start; half an hour before the new one, the move is not arranged."""
    by = timedelta(hours=1)
    history = waiting(by).report(EntryType.BEFORE_START, meeting=WISH.meeting)
    assert history.record.meeting.start == START + by
    assert types(history, START) == []
    assert types(history, START + by - 29 * MINUTE) == [IncidentType.NOT_ARRANGED]
    accepted = history.answer(EntryType.ACCEPTED).record
    assert accepted.meeting.start == START + by  # what it reported before is older than that
    may_have_arrived = waiting(by, TIMED_OUT).report(EntryType.BEFORE_START, meeting=WISH.meeting)
    assert may_have_arrived.record.meeting.start == START
    assert may_have_arrived.answer(EntryType.ACCEPTED).record.meeting.start == START + by  # it was sent again
    on_its_way = later(scheduled(), START - 10 * MINUTE).request(wish(by))
    on_its_way.report(EntryType.BEFORE_START, meeting=WISH.meeting).answer(EntryType.ACCEPTED)
    assert on_its_way.record.meeting.start == START + by


# ---------------------------------------------------------------------------------------------------------- two agents


def two_agents(*reports: tuple[str, EntryType]) -> History:
    history = later(scheduled(), DURING)
    for sub, kind in reports:
        history.report(kind, sub=sub)
    return history


def test_an_attempt_has_not_failed_while_another_agent_of_it_is_active() -> None:
    """Off and on at the same time: the first agent leaves and fails, the second one is in the meeting."""
    reports = [("agt_1", EntryType.ACTIVATED), ("agt_2", EntryType.ACTIVATED), ("agt_1", EntryType.FAILED)]
    for order in permutations(reports):
        history = two_agents(*order)
        assert (states(history), types(history)) == ([State.ACTIVATED], [])
        assert history.record.current.failed_at is None


def test_it_has_failed_when_the_other_agent_fails_too() -> None:
    reports = [("agt_2", EntryType.ACTIVATED), ("agt_1", EntryType.FAILED), ("agt_2", EntryType.FAILED)]
    for order in permutations(reports):
        assert states(two_agents(*order)) == [State.FAILED]


def test_one_complete_agent_and_one_failed_one_contradict_each_other() -> None:
    """Whichever was the newer one: if that failed, the end of the meeting may be missing."""
    reports = [("agt_2", EntryType.ACTIVATED), ("agt_1", EntryType.FAILED), ("agt_2", EntryType.COMPLETE)]
    for order in permutations(reports):
        history = two_agents(*order)
        assert (states(history), history.record.current.is_conflicting) == ([State.COMPLETE], True)


@pytest.mark.parametrize("subs", [("", "agt_2"), ("agt_1", ""), ("agt_1", "agt_1")])
def test_agents_that_cannot_be_distinguished_are_one(subs: tuple[str, str]) -> None:
    reports = [(subs[0], EntryType.FAILED), (subs[1], EntryType.ACTIVATED)]
    for order in permutations(reports):
        assert states(two_agents(*order)) == [State.FAILED]


def test_an_unwanted_agent_is_not_gone_because_another_one_failed() -> None:
    history = later(scheduled(), DURING).report(EntryType.ACTIVATED, sub="agt_1").cancel()
    history.report(EntryType.ACTIVATED, sub="agt_2")
    assert types(history) == [IncidentType.UNWANTED]
    assert types(history.report(EntryType.FAILED, sub="agt_1")) == [IncidentType.UNWANTED]
    assert types(history.report(EntryType.FAILED, sub="agt_2")) == []


@pytest.mark.parametrize(
    ("resources", "missing"),
    [
        ({"agt_1": (TRANSCRIPT,), "agt_2": (DASHBOARD,)}, {"transcript"}),
        ({"agt_1": (DASHBOARD,), "agt_2": (TRANSCRIPT,)}, set()),
        ({"agt_1": (TRANSCRIPT,), "": (DASHBOARD,)}, set()),
        ({"agt_1": (DASHBOARD,), "agt_2": (DASHBOARD,), "": (TRANSCRIPT,)}, set()),
    ],
)
def test_of_two_agents_the_last_to_leave_must_have_left_resources(
    resources: dict[str, tuple[Resource, ...]], missing: set[str]
) -> None:
    """It had the rest of the meeting. The resources of an agent that is not named may be its."""
    history = scheduled()
    for number, (sub, left) in enumerate(resources.items()):
        later(history, END + number * HOUR).report(EntryType.COMPLETE, sub=sub, resources=left)
    last = END + (len(set(resources) - {""}) - 1) * HOUR
    found = {each.phase: each.at for each in deadlines(history.record, GRACE_PERIODS)}
    assert missing_resources(history.record.current, GRACE_PERIODS) == missing
    assert found == ({DeadlineType.RESOURCES: last + GRACE_PERIODS.resources} if missing else {})
    late = find_missed(history.record, GRACE_PERIODS, last + 2 * HOUR)
    history.entries += [finding.entry for finding in late]
    opened = open_incidents(history.record, GRACE_PERIODS, last + 2 * HOUR)
    assert [(each.type, each.opened_at) for each in opened] == [
        (IncidentType.RESOURCES_MISSING, at) for at in found.values()
    ]


@pytest.mark.parametrize("subs", [[""], ["agt_1"], ["", "agt_1"], ["agt_1", "agt_1"]])
def test_an_agent_that_is_alone_is_not_the_last_of_several(subs: list[str]) -> None:
    """A report without a name may be of the one that is named."""
    history = scheduled()
    for sub in subs:
        history.report(EntryType.COMPLETE, sub=sub, resources=(DASHBOARD,))
    assert history.record.current.last_to_leave == ""


def test_what_is_reported_again_gives_an_agent_no_more_time_for_its_resources() -> None:
    history = later(scheduled(), END).report(EntryType.COMPLETE, sub="agt_1", resources=(DASHBOARD,))
    later(history, END + MINUTE).report(EntryType.COMPLETE, sub="agt_1", resources=(DASHBOARD,))
    assert resources_by(history.record.current, GRACE_PERIODS) == END + GRACE_PERIODS.resources


# -------------------------------------------------------------------------------------------------------- none can come


def refused(*answers: tuple[EntryType, Reason | None]) -> History:
    """A request with these outcomes, and then a cancellation that Cronofy refuses."""
    history = History().request()
    for kind, reason in answers:
        history.answer(kind, reason=reason, retry_at=END if kind is EntryType.UNCONFIRMED else None)
    return history.request(AWAY).answer(EntryType.REJECTED)


NO_ROOM = Reason.of(ReasonCode.REQUEST_REFUSED, status=404)
OPEN, OVER = EntryType.UNCONFIRMED, EntryType.REJECTED


@pytest.mark.parametrize(
    ("answers", "may_come"),
    [
        ([(OVER, NO_ROOM)], False),
        ([(OVER, None)], False),
        ([(OPEN, LOCKED)], False),
        ([(OPEN, LOCKED), (OPEN, LOCKED)], False),
        ([(OPEN, LOCKED), (OVER, NO_ROOM)], False),
        ([(OPEN, LOCKED), (OVER, Reason.of(ReasonCode.REQUEST_EXPIRED, failure=423))], False),
        ([(OPEN, Reason.of(ReasonCode.RETRY_PLANNED, failure="cronofy_unreachable"))], False),
        ([], True),
        ([(EntryType.ACCEPTED, None)], True),
        ([(OPEN, TIMED_OUT)], True),
        ([(OPEN, Reason.of(ReasonCode.RETRY_PLANNED, failure=503))], True),
        ([(OPEN, Reason.of(ReasonCode.SENT_ONCE))], True),
        ([(OPEN, TIMED_OUT), (OPEN, LOCKED)], True),
        ([(OPEN, TIMED_OUT), (OVER, NO_ROOM)], True),
        ([(OVER, Reason.of(ReasonCode.REQUEST_EXPIRED, failure=503))], True),
    ],
)
def test_an_agent_is_unwanted_only_if_cronofy_may_have_one(
    answers: list[tuple[EntryType, Reason | None]], may_come: bool
) -> None:
    assert types(refused(*answers)) == ([IncidentType.UNWANTED] if may_come else [])


def test_the_failures_of_the_domain_are_the_codes_of_the_errors() -> None:
    assert (TIMED_OUT["failure"], reasons.TIMED_OUT) == (UpstreamTimeout.code, UpstreamTimeout.code)
    assert ReauthorisationRequired.code == reasons.REAUTHORISATION_REQUIRED
    for error in (Unreachable, RateLimited, ReauthorisationRequired):
        assert Reason.of(ReasonCode.RETRY_PLANNED, failure=error.code).leaves_no_agent


def test_a_first_try_without_an_outcome_may_have_arrived() -> None:
    """Its function died; the sweep tries again when the time of the retry has come."""
    history = History()
    history.request()
    history.entries[-1] = replace(history.entries[-1], retry_at=history.at + MINUTE)
    died = later(history, history.at + MINUTE).answer(OPEN, reason=LOCKED, retry_at=END)
    assert types(died.request(AWAY).answer(OVER)) == [IncidentType.UNWANTED]


def test_the_conference_and_the_first_notification_show_that_cronofy_knows_of_it() -> None:
    for history in (
        History().request().answer(OPEN, reason=LOCKED, retry_at=END).report(EntryType.CONFERENCING_ASSIGNED),
        History().report(EntryType.CONFERENCING_ASSIGNED, meeting=WISH.meeting),
        History().report(EntryType.UNRECOGNISED, meeting=WISH.meeting),
    ):
        assert types(history.request(AWAY).answer(OVER)) == [IncidentType.UNWANTED]


def test_a_refused_agent_that_is_not_wanted_any_more_is_no_incident() -> None:
    history = History().request().answer(OVER, reason=NO_ROOM)
    assert types(history) == [IncidentType.REJECTED]
    assert types(history.request(AWAY).answer(OPEN, retry_at=END, reason=LOCKED)) == []
    assert types(history.answer(EntryType.CANCELLED)) == []
    assert history.record.state is State.CANCELLED


def test_a_meeting_without_times_has_no_known_start() -> None:
    assert History().request(replace(WISH, meeting=Meeting())).record.current.known_starts == ()


def test_a_request_without_times_is_of_no_other_time() -> None:
    history = History().request(replace(WISH, meeting=Meeting())).answer(EntryType.ACCEPTED)
    assert states(history.report(EntryType.FAILED, sub="agt_1")) == [State.FAILED]


# ----------------------------------------------------------------------------------------------------------- the record


def test_an_attempt_is_conflicting_only_with_both_ends() -> None:
    ends = [(False, False), (True, False), (False, True), (True, True)]
    made = [
        replace(FIRST, complete_at=END if done else None, failed_at=END if failed else None) for done, failed in ends
    ]
    assert [one.is_conflicting for one in made] == [False, False, False, True]


def test_the_latest_request_has_the_times_that_cronofy_reported() -> None:
    reported = replace(WISH.meeting, start=START + MINUTE)
    latest = replace(FIRST, reported=reported, reported_at=NOON).latest_request
    assert latest is not None
    assert latest.meeting == reported


def test_a_cancellation_is_no_request_for_an_agent() -> None:
    attempt = scheduled().request(AWAY).record.current
    assert (attempt.newest_provision, attempt.pending is not None) == (None, True)


def test_the_meeting_of_a_cancellation_alone_is_its_own() -> None:
    assert History().request(AWAY).record.meeting == WISH.meeting


# ------------------------------------------------------------------------------------------ of which agent, by the time


def test_a_first_report_that_names_an_earlier_time_is_about_it() -> None:
    """An hour before the new time a report may be of either agent, unless it has the meeting's old time."""
    for meeting, expected in ((WISH.meeting, 2), (wish(30 * MINUTE).meeting, 1), (Meeting(), 1)):
        history = moved(30 * MINUTE).report(EntryType.ACTIVATED, sub="agt_1", meeting=meeting)
        assert len(history.record.attempts) == expected


def test_the_time_of_an_agent_that_is_known_is_separated_once() -> None:
    """A move waits. What the agent reports after that is its own, and the move keeps its attempt."""
    history = later(waiting(TOMORROW, TIMED_OUT), DURING).report(EntryType.ACTIVATED, sub="agt_1")
    later(history, END).report(EntryType.COMPLETE, sub="agt_1", resources=(TRANSCRIPT,), meeting=WISH.meeting)
    assert states(history) == [State.COMPLETE, State.REQUESTED]


def test_the_time_of_an_agent_that_is_not_known_is_separated_although_an_earlier_one_was() -> None:
    """Each occurrence of a series that its caller moves has its own agent."""
    history = later(scheduled(), START - MINUTE).report(EntryType.ACTIVATED, sub="agt_1")
    later(history, END).report(EntryType.COMPLETE, sub="agt_1", resources=(TRANSCRIPT,))
    history.request(wish(TOMORROW)).answer(EntryType.ACCEPTED)
    later(history, DURING + TOMORROW).request(wish(2 * TOMORROW)).answer(EntryType.ACCEPTED)
    assert states(history.report(EntryType.ACTIVATED, sub="agt_2")) == [
        State.COMPLETE,
        State.ACTIVATED,
        State.SCHEDULED,
    ]


@pytest.mark.parametrize(
    ("kind", "at", "expected"),
    [
        (EntryType.COMPLETE, DURING + LEAVES_WITHIN - MINUTE, [State.COMPLETE, State.SCHEDULED]),
        (EntryType.FAILED, DURING + LEAVES_WITHIN - MINUTE, [State.FAILED, State.SCHEDULED]),
        (EntryType.COMPLETE, DURING + LEAVES_WITHIN, [State.ACTIVATED, State.COMPLETE]),
        (EntryType.ACTIVATED, DURING + 2 * MINUTE, [State.ACTIVATED, State.ACTIVATED]),
    ],
)
def test_an_agent_that_ends_as_its_meeting_is_moved_away_and_back_has_left_it(
    kind: EntryType, at: datetime, expected: list[State]
) -> None:
    """The meeting runs on without it. One that ends later has stayed."""
    history = later(scheduled(), START - MINUTE).report(EntryType.ACTIVATED, sub="agt_1")
    later(history, DURING).request(wish(TOMORROW)).answer(EntryType.ACCEPTED, at=DURING).request(WISH)
    history.answer(EntryType.ACCEPTED)
    assert states(later(history, at).report(kind, sub="agt_1")) == expected


def test_an_agent_without_a_known_end_that_ends_as_it_is_moved_away_and_back_has_left() -> None:
    """It was requested by its scheduling key."""
    here, there = (replace(WISH, meeting=Meeting(start=START + by), digest=f"{by}") for by in (timedelta(), HOUR))
    history = later(History().request(here).answer(EntryType.ACCEPTED), START).report(EntryType.ACTIVATED, sub="agt_1")
    later(history, DURING).request(there).answer(EntryType.ACCEPTED, at=DURING).request(replace(here, digest="back"))
    assert states(history.report(EntryType.COMPLETE, sub="agt_1")) == [State.COMPLETE, State.SCHEDULED]


@pytest.mark.parametrize(
    ("left_after", "expected"), [(MINUTE, [State.COMPLETE, State.SCHEDULED]), (LEAVES_WITHIN, [State.COMPLETE])]
)
def test_an_agent_without_a_known_end_that_ends_as_it_is_moved_into_the_past_and_back_has_left(
    left_after: timedelta, expected: list[State]
) -> None:
    here, past = (replace(WISH, meeting=Meeting(start=START + by), digest=f"{by}") for by in (timedelta(), -TOMORROW))
    history = later(History().request(here).answer(EntryType.ACCEPTED), START).report(EntryType.ACTIVATED, sub="agt_1")
    for request in (past, replace(here, digest="back")):
        later(history, DURING).request(request).answer(EntryType.ACCEPTED, at=DURING)
    assert states(later(history, DURING + left_after).report(EntryType.COMPLETE, sub="agt_1")) == expected


@pytest.mark.parametrize("ends_in", [MINUTE, timedelta()])
def test_an_agent_that_ends_with_its_meeting_after_it_was_moved_away_and_back_has_stayed(ends_in: timedelta) -> None:
    history = later(scheduled(), START - MINUTE).report(EntryType.ACTIVATED, sub="agt_1")
    later(history, END - 2 * MINUTE).request(wish(TOMORROW)).answer(EntryType.ACCEPTED, at=END - 2 * MINUTE).request(
        WISH
    )
    later(history, END - ends_in).report(EntryType.COMPLETE, sub="agt_1", resources=(TRANSCRIPT,))
    assert history.record.state is (State.SCHEDULED if ends_in else State.COMPLETE)


def test_the_end_of_an_agent_that_left_for_an_earlier_time_names_that_and_moves_nothing() -> None:
    history = later(scheduled(), START - MINUTE).report(EntryType.ACTIVATED, sub="agt_1")
    for request in (wish(-86 * MINUTE), WISH):
        later(history, DURING).request(request).answer(EntryType.ACCEPTED, at=DURING)
    later(history, DURING + MINUTE).report(EntryType.COMPLETE, sub="agt_1", meeting=wish(-86 * MINUTE).meeting)
    assert states(history) == [State.COMPLETE, State.SCHEDULED]
    assert starts(history) == [START, START]


PAST = wish(-TOMORROW).meeting


@pytest.mark.parametrize(
    ("activated_at", "moves", "ended_at", "expected"),
    [
        (START - MINUTE, (PAST, WISH.meeting), DURING + LEAVES_WITHIN - MINUTE, [State.COMPLETE, State.SCHEDULED]),
        (
            START - MINUTE,
            (wish(-2 * TOMORROW).meeting, WISH.meeting, PAST, WISH.meeting),
            DURING + MINUTE,
            [State.COMPLETE, State.SCHEDULED],
        ),
        (START - MINUTE, (PAST, WISH.meeting), DURING + LEAVES_WITHIN, [State.COMPLETE]),
        (START - MINUTE, (PAST, WISH.meeting), END, [State.COMPLETE]),
        (
            START - MINUTE,
            (wish(-86 * MINUTE).meeting, WISH.meeting),
            DURING + MINUTE,
            [State.COMPLETE, State.SCHEDULED],
        ),
        (START - MINUTE, (PAST, wish(10 * MINUTE).meeting), END + MINUTE, [State.COMPLETE]),
        (START - MINUTE, (PAST,), DURING + MINUTE, [State.COMPLETE]),
        (START - MINUTE, (wish(-HOUR).meeting, WISH.meeting), DURING + MINUTE, [State.COMPLETE]),
        (DURING + MINUTE, (PAST, WISH.meeting), DURING + 2 * MINUTE, [State.COMPLETE]),
        (None, (PAST, WISH.meeting), DURING + MINUTE, [State.COMPLETE]),
    ],
)
def test_an_agent_that_ends_as_its_meeting_is_moved_into_the_past_and_back_has_left_it(
    activated_at: datetime | None, moves: tuple[Meeting, ...], ended_at: datetime, expected: list[State]
) -> None:
    """Another one is expected: the meeting still runs, as it did before."""
    history = scheduled()
    moved_at = ended_at - MINUTE if ended_at >= END else DURING
    if activated_at is not None and activated_at < moved_at:
        later(history, activated_at).report(EntryType.ACTIVATED, sub="agt_1")
    for number, meeting in enumerate(moves):
        later(history, moved_at).request(replace(WISH, meeting=meeting, digest=f"move {number}"))
        history.answer(EntryType.ACCEPTED, at=moved_at)
    if activated_at is not None and activated_at >= moved_at:
        later(history, activated_at).report(EntryType.ACTIVATED, sub="agt_1")
    later(history, ended_at).report(EntryType.COMPLETE, sub="agt_1", resources=(TRANSCRIPT,))
    assert states(history) == expected
    if len(expected) > 1:
        assert starts(history) == [START, START]
        assert [each.at for each in deadlines(history.record, GRACE_PERIODS)] == [ended_at + GRACE_PERIODS.activation]


@pytest.mark.parametrize(
    ("reason", "expected"),
    [(LOCKED, [State.ACTIVATED]), (TIMED_OUT, [State.ACTIVATED, State.REQUESTED])],
    ids=["not sent", "perhaps sent"],
)
def test_a_move_that_is_taken_back_before_cronofy_got_it_leaves_the_agent_in_its_meeting(
    reason: Reason, expected: list[State]
) -> None:
    history = later(scheduled(), START - MINUTE).report(EntryType.ACTIVATED, sub="agt_1")
    later(history, DURING).request(wish(TOMORROW)).answer(EntryType.UNCONFIRMED, retry_at=END, reason=reason)
    assert states(history) == [State.ACTIVATED, State.REQUESTED]
    history.request(replace(WISH, digest="back")).answer(EntryType.UNCONFIRMED, retry_at=END, reason=LOCKED)
    assert states(history) == expected
    assert history.record.current.pending is not None
    assert history.record.current.pending.request.digest == "back"
    later(history, END).answer(EntryType.ACCEPTED).report(EntryType.COMPLETE, sub="agt_1", resources=(TRANSCRIPT,))
    assert history.record.state is State.COMPLETE


@pytest.mark.parametrize(
    ("end", "is_off", "expected"),
    [
        (EntryType.COMPLETE, False, [State.COMPLETE]),
        (EntryType.COMPLETE, True, [State.COMPLETE, State.REQUESTED]),
        (EntryType.FAILED, False, [State.FAILED, State.REQUESTED]),
    ],
)
def test_a_move_is_taken_back_also_of_a_meeting_whose_agent_is_done(
    end: EntryType, is_off: bool, expected: list[State]
) -> None:
    history = later(scheduled(), START - MINUTE).report(EntryType.ACTIVATED, sub="agt_1")
    history.report(end, sub="agt_1", resources=(TRANSCRIPT,))
    if is_off:
        history.cancel()
    later(history, DURING).request(wish(TOMORROW)).answer(EntryType.UNCONFIRMED, retry_at=END, reason=LOCKED)
    history.request(replace(WISH, digest="back"))
    assert states(history) == expected


def test_a_move_is_taken_back_also_of_a_meeting_that_was_moved_before() -> None:
    history = later(scheduled(), START - MINUTE).report(EntryType.ACTIVATED, sub="agt_1")
    later(history, END + MINUTE).report(EntryType.COMPLETE, sub="agt_1", resources=(TRANSCRIPT,))
    history.request(wish(TOMORROW)).answer(EntryType.ACCEPTED)
    later(history, START + TOMORROW).report(EntryType.ACTIVATED, sub="agt_2")
    history.request(wish(2 * TOMORROW)).answer(EntryType.UNCONFIRMED, retry_at=END + TOMORROW, reason=LOCKED)
    assert states(history) == [State.COMPLETE, State.ACTIVATED, State.REQUESTED]
    longer = replace(wish(TOMORROW).meeting, end=END + TOMORROW + 10 * MINUTE)
    history.request(replace(WISH, meeting=longer, digest="back, and longer"))
    assert states(history) == [State.COMPLETE, State.ACTIVATED]
    assert history.record.current.rescheduled_at == history.at


def test_one_of_several_moves_that_may_have_come_to_cronofy_is_not_taken_back() -> None:
    history = later(scheduled(), START - MINUTE).report(EntryType.ACTIVATED, sub="agt_1")
    for days, reason in ((1, TIMED_OUT), (2, LOCKED)):
        later(history, DURING).request(wish(days * TOMORROW)).answer(EntryType.UNCONFIRMED, retry_at=END, reason=reason)
    assert states(history.request(replace(WISH, digest="back"))) == [State.ACTIVATED, State.REQUESTED]


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        (START + 15 * MINUTE - timedelta(seconds=1), [State.ACTIVATED, State.SCHEDULED]),
        (START + 15 * MINUTE, [State.ACTIVATED]),
        (END + 15 * MINUTE - timedelta(seconds=1), [State.ACTIVATED]),
        (END + 15 * MINUTE, [State.ACTIVATED, State.SCHEDULED]),
    ],
)
def test_a_move_that_is_accepted_at_its_time_leaves_the_agent_in_its_meeting(
    at: datetime, expected: list[State]
) -> None:
    history = waiting(15 * MINUTE, TIMED_OUT)
    later(history, START - MINUTE).report(EntryType.ACTIVATED, sub="agt_1", meeting=WISH.meeting)
    assert states(history) == [State.ACTIVATED, State.REQUESTED]
    later(history, at).answer(EntryType.ACCEPTED)
    assert states(history) == expected
    assert history.record.meeting.start == START + 15 * MINUTE
    assert history.last.verdict is Verdict.APPLIED
    later(history, END + 20 * MINUTE).report(EntryType.COMPLETE, sub="agt_1", resources=(TRANSCRIPT,))
    assert len([state for state in states(history) if state is State.COMPLETE]) == 1


@pytest.mark.parametrize("end", [EntryType.COMPLETE, EntryType.FAILED])
def test_a_move_that_is_accepted_after_its_agent_has_ended_brings_another(end: EntryType) -> None:
    history = waiting(15 * MINUTE, TIMED_OUT)
    later(history, START - MINUTE).report(EntryType.ACTIVATED, sub="agt_1", meeting=WISH.meeting)
    later(history, START + 10 * MINUTE).report(end, sub="agt_1", meeting=WISH.meeting)
    later(history, START + 20 * MINUTE).answer(EntryType.ACCEPTED)
    assert states(history) == [State(end.value), State.SCHEDULED]


def test_what_is_given_up_may_have_come_to_cronofy_if_an_earlier_request_may() -> None:
    given_up = Reason.of(ReasonCode.REQUEST_EXPIRED, failure=423)
    for first, may_have_arrived in ((TIMED_OUT, True), (LOCKED, False)):
        history = History()
        for number, reason in enumerate((first, LOCKED)):
            history.request(replace(WISH, digest=f"title {number}"))
            history.answer(EntryType.UNCONFIRMED, retry_at=END, reason=reason)
        history.answer(EntryType.REJECTED, reason=given_up)
        assert history.record.current.unanswered == ()
        assert history.record.current.may_have_arrived is may_have_arrived


def test_a_move_that_is_changed_before_cronofy_got_it_is_a_move() -> None:
    history = later(scheduled(), START - MINUTE).report(EntryType.ACTIVATED, sub="agt_1")
    later(history, DURING).request(wish(TOMORROW)).answer(EntryType.UNCONFIRMED, retry_at=END, reason=LOCKED)
    assert states(history.request(wish(2 * TOMORROW))) == [State.ACTIVATED, State.REQUESTED]
    assert states(history.request(AWAY)) == [State.ACTIVATED, State.REQUESTED]


def test_what_the_agent_of_an_earlier_time_reports_again_is_its_own_if_another_is_known() -> None:
    """Its resources come late. A `sub` that Cronofy used again would be the only one of the current attempt."""
    history = requested_again().report(EntryType.ACTIVATED, sub="agt_2")
    history.report(EntryType.COMPLETE, sub="agt_1", resources=(DASHBOARD,))
    assert states(history) == [State.COMPLETE, State.ACTIVATED]
    assert history.record.attempts[0].resources == (DASHBOARD, TRANSCRIPT)


@pytest.mark.parametrize(
    ("first", "second", "at", "expected"),
    [
        ((), (TRANSCRIPT,), DURING + 7 * MINUTE, State.SCHEDULED),
        ((), (TRANSCRIPT,), END - MINUTE, State.SCHEDULED),
        ((), (TRANSCRIPT,), END, State.COMPLETE),
        ((DASHBOARD,), (DASHBOARD, TRANSCRIPT), DURING + 7 * MINUTE, State.SCHEDULED),
        ((), (), DURING + 7 * MINUTE, State.COMPLETE),
        ((DASHBOARD, TRANSCRIPT), (TRANSCRIPT,), DURING + 7 * MINUTE, State.COMPLETE),
    ],
)
def test_an_agent_that_reports_late_what_it_left_is_not_the_next_one(
    first: tuple[Resource, ...], second: tuple[Resource, ...], at: datetime, expected: State
) -> None:
    """Also if that has reported nothing yet. After the end it may be one whose `sub` Cronofy used again."""
    history = later(scheduled(), START - MINUTE).report(EntryType.ACTIVATED, sub="agt_1")
    later(history, DURING).request(AWAY).answer(EntryType.CANCELLED)
    later(history, DURING + MINUTE).report(EntryType.COMPLETE, sub="agt_1", resources=first)
    later(history, DURING + 2 * MINUTE).request().answer(EntryType.ACCEPTED)
    later(history, at).report(EntryType.COMPLETE, sub="agt_1", resources=second, attempt=2)
    assert states(history) == [State.COMPLETE, expected]


def requested_again(by: timedelta = 2 * MINUTE) -> History:
    """An agent that is complete, and was requested again for a time that began before it left."""
    history = later(scheduled(), START - MINUTE).report(EntryType.ACTIVATED, sub="agt_1")
    later(history, START + 20 * MINUTE).report(EntryType.COMPLETE, sub="agt_1", resources=(TRANSCRIPT,))
    return history.request(wish(by)).answer(EntryType.ACCEPTED)


def test_a_second_agent_that_becomes_active_after_a_request_is_another_attempt() -> None:
    history = requested_again().report(EntryType.ACTIVATED, sub="agt_2")
    assert states(history) == [State.COMPLETE, State.ACTIVATED]
    assert [attempt.subs for attempt in history.record.attempts] == [("agt_1",), ("agt_2",)]
    later(history, END).report(EntryType.COMPLETE, sub="agt_2", resources=(TRANSCRIPT,))
    assert states(history) == [State.COMPLETE, State.COMPLETE]


def test_a_second_agent_may_come_if_the_first_was_done_after_any_start_that_the_meeting_had() -> None:
    """Also at that very moment."""
    title = replace(WISH, digest="title")
    for done_at, again in ((START - 12 * MINUTE, wish(-20 * MINUTE)), (START, title)):
        history = later(scheduled(), done_at).report(EntryType.COMPLETE, sub="agt_1", resources=(TRANSCRIPT,))
        assert history.record.current.complete_at == done_at
        history.request(again).answer(EntryType.ACCEPTED).report(EntryType.ACTIVATED, sub="agt_2")
        assert states(history) == [State.COMPLETE, State.ACTIVATED]


def test_nothing_else_is_a_second_agent() -> None:
    assert states(requested_again().report(EntryType.ACTIVATED, sub="agt_1")) == [State.COMPLETE]
    assert states(requested_again().report(EntryType.ACTIVATED)) == [State.COMPLETE]
    assert states(requested_again().report(EntryType.COMPLETE, sub="agt_2")) == [State.COMPLETE]
    unrequested = later(scheduled(), START).report(EntryType.COMPLETE, sub="agt_1")
    assert states(unrequested.report(EntryType.ACTIVATED, sub="agt_2")) == [State.COMPLETE]


def test_a_report_before_the_agent_of_a_new_attempt_can_come_is_of_the_one_before() -> None:
    """Cronofy refused a move, and the next one began another attempt, to whose address all callbacks go."""
    for at, expected in (
        (DURING, [State.COMPLETE, State.SCHEDULED]),
        (START + TOMORROW - EARLIEST_ACTIVATION, [State.REJECTED, State.COMPLETE]),
    ):
        history = later(scheduled(), START + 10 * MINUTE).overdue(DeadlineType.ACTIVATION)
        history.request(wish(timedelta(hours=2))).answer(EntryType.REJECTED)
        history.request(wish(TOMORROW)).answer(EntryType.ACCEPTED)
        later(history, max(at, history.at)).report(EntryType.COMPLETE, sub="agt_1", attempt=2)
        assert states(history) == expected


def test_a_report_without_a_sub_before_the_agent_of_the_new_time_can_come_is_of_the_one_before() -> None:
    history = moved(TOMORROW).report(EntryType.ACTIVATED, sub="agt_1").report(EntryType.ACTIVATED)
    assert states(history) == [State.ACTIVATED, State.SCHEDULED]


def test_an_attempt_that_cronofy_refused_does_not_hide_one_that_is_still_expected() -> None:
    history = later(scheduled(), START + 10 * MINUTE).overdue(DeadlineType.ACTIVATION)
    for by in (timedelta(hours=2), TOMORROW):
        history.request(wish(by)).answer(EntryType.REJECTED)
    history.request(wish(2 * TOMORROW)).answer(EntryType.ACCEPTED).report(EntryType.COMPLETE, sub="agt_1", attempt=3)
    assert states(history) == [State.COMPLETE, State.REJECTED, State.SCHEDULED]


# ------------------------------------------------------------------------------------------------------- after the end


def left_empty(at: datetime = END + MINUTE) -> History:
    """A meeting that is moved after its agent was complete, and had left nothing."""
    history = later(scheduled(), START - MINUTE).report(EntryType.ACTIVATED, sub="agt_1")
    later(history, at).report(EntryType.COMPLETE, sub="agt_1", resources=(DASHBOARD,))
    return later(history, END + 5 * MINUTE).request(wish(TOMORROW)).answer(EntryType.ACCEPTED)


def test_resources_that_are_missing_of_an_earlier_time_are_a_notice() -> None:
    history = left_empty()
    due = next(each for each in deadlines(history.record, GRACE_PERIODS) if each.attempt)
    assert (due.phase, due.attempt) == (DeadlineType.RESOURCES, 1)
    [finding] = find_missed(history.record, GRACE_PERIODS, due.at)
    history.entries.append(finding.entry)
    assert history.last.verdict is Verdict.APPLIED
    assert history.record.notices.keys() == {"1/resources_missing"}
    assert finding.entry.missing == ("transcript",)
    assert not [each for each in deadlines(history.record, GRACE_PERIODS) if each.attempt]
    again = replace(finding.entry, key="again", at=due.at + MINUTE)
    assert fold([*history.entries, again]).verdicts["duplicate"] == 1


def test_resources_that_an_agent_of_the_same_meeting_has_left_meanwhile_owe_no_notice() -> None:
    """The alert would be resolved at once. What the agent of another day leaves says nothing about them."""
    for by, expected in ((30 * MINUTE, 0), (TOMORROW, 1)):
        history = later(scheduled(), START - MINUTE).report(EntryType.ACTIVATED, sub="agt_1")
        later(history, END + MINUTE).report(EntryType.COMPLETE, sub="agt_1", resources=(DASHBOARD,))
        later(history, END + 2 * MINUTE).request(wish(by)).answer(EntryType.ACCEPTED)
        later(history, END + by).report(EntryType.COMPLETE, sub="agt_2", resources=(TRANSCRIPT,))
        history.entries += [each.entry for each in find_missed(history.record, GRACE_PERIODS, END + by + HOUR)]
        assert history.record.notices.keys() == {"1/resources_missing"}
        assert len(alerting_owed(history.record, GRACE_PERIODS, END + by + HOUR)) == expected


def test_resources_that_came_or_that_no_one_waits_for_are_no_notice() -> None:
    history = left_empty()
    [finding] = find_missed(history.record, GRACE_PERIODS, END + HOUR)
    history.report(EntryType.COMPLETE, sub="agt_1", resources=(TRANSCRIPT,))
    late = replace(finding.entry, at=history.at + MINUTE)
    assert fold([*history.entries, late]).notices == {}
    assert not [each for each in deadlines(history.record, GRACE_PERIODS) if each.attempt]
    cancelled = later(scheduled(), DURING).report(EntryType.ACTIVATED, sub="agt_1").cancel()
    cancelled.report(EntryType.COMPLETE, sub="agt_1").request()
    assert not [each for each in deadlines(cancelled.record, GRACE_PERIODS) if each.attempt]


def test_an_end_that_an_agent_of_an_earlier_time_did_not_report_is_a_notice_beside_others() -> None:
    history = later(scheduled(), START - MINUTE).report(EntryType.ACTIVATED, sub="agt_1", event_id="evt_2")
    history.report(EntryType.ACTIVATED, sub="agt_1")
    later(history, DURING).request(wish(TOMORROW)).answer(EntryType.ACCEPTED)
    assert states(history) == [State.ACTIVATED, State.SCHEDULED]
    missed_at = END + GRACE_PERIODS.completion
    history.answer(EntryType.OVERDUE, at=missed_at, attempt=1, phase=DeadlineType.COMPLETION)
    assert states(history) == [State.OVERDUE, State.SCHEDULED]
    notices = history.record.notices
    assert notices.keys() == {"1/mismatched", "1/not_finished"}
    assert notices["1/not_finished"] == (missed_at, Reason.of(ReasonCode.COMPLETION_MISSED))
    assert history.record.attempts[0].overdue_at == missed_at


@pytest.mark.parametrize(
    ("is_called", "moved_at", "end", "expected"),
    [
        (True, END, EntryType.FAILED, {"1/failed"}),
        (True, END + MINUTE, EntryType.FAILED, {"1/failed"}),
        (True, END - MINUTE, EntryType.FAILED, set()),  # it was called off
        (False, END + MINUTE, EntryType.FAILED, set()),  # people may have prolonged the meeting
        (True, END + MINUTE, EntryType.COMPLETE, set()),
        (True, None, EntryType.FAILED, set()),  # an incident says it
    ],
)
def test_the_failure_of_an_agent_after_a_meeting_that_has_moved_on_is_a_notice_beside_others(
    is_called: bool, moved_at: datetime | None, end: EntryType, expected: set[str]
) -> None:
    history = later(scheduled(), START - MINUTE).report(EntryType.ACTIVATED, sub="agt_1")
    history.report(EntryType.ACTIVATED, sub="agt_1", event_id="another")
    if is_called:
        later(history, END - 2 * MINUTE).report(EntryType.AFTER_END)
    if moved_at:
        later(history, moved_at).request(wish(TOMORROW)).answer(EntryType.ACCEPTED)
    later(history, END + 10 * MINUTE).report(end, sub="agt_1")
    notices = history.record.notices
    assert notices.keys() == {"1/mismatched"} | expected
    if expected:
        assert notices["1/failed"] == (END + 10 * MINUTE, Reason.of(ReasonCode.REPORTED_FAILED, remarks=""))
        assert not history.report(end, sub="agt_1").record.notices.keys() - notices.keys()


def test_a_missed_deadline_is_of_the_attempt_that_it_names() -> None:
    history = later(scheduled(), START - MINUTE).report(EntryType.ACTIVATED, sub="agt_1")
    later(history, DURING).request(wish(TOMORROW)).answer(EntryType.ACCEPTED)
    later(history, START + TOMORROW).report(EntryType.ACTIVATED, sub="agt_2")
    later(history, END + TOMORROW + HOUR).answer(EntryType.OVERDUE, phase=DeadlineType.COMPLETION)
    assert states(history) == [State.ACTIVATED, State.OVERDUE]
    assert history.record.notices == {}


def over(trigger: bool) -> History:
    """An agent that was active, and reported nothing by the end of its meeting."""
    history = later(scheduled(), START - MINUTE).report(EntryType.ACTIVATED, sub="agt_1")
    later(history, END + 5 * MINUTE)
    return history.report(EntryType.AFTER_END, meeting=WISH.meeting) if trigger else history


@pytest.mark.parametrize(
    ("activated_at", "moved_at", "since"),
    [
        (START - MINUTE, END, END),
        (START - MINUTE, END + 5 * MINUTE, END),
        (END + 2 * MINUTE, END + 5 * MINUTE, END + 2 * MINUTE),
        (START - MINUTE, END - MINUTE, None),
    ],
)
def test_an_agent_whose_meeting_is_moved_after_its_end_has_the_time_to_leave(
    activated_at: datetime, moved_at: datetime, since: datetime | None
) -> None:
    """One that comes after the end has it from then on; one of a meeting that runs may be in it at its new time."""
    history = later(scheduled(), activated_at).report(EntryType.ACTIVATED, sub="agt_1")
    later(history, moved_at).request(wish(TOMORROW)).answer(EntryType.ACCEPTED)
    due = [each for each in deadlines(history.record, GRACE_PERIODS) if each.attempt]
    expected = [] if since is None else [Deadline(since + GRACE_PERIODS.completion, DeadlineType.COMPLETION, 1)]
    assert due == expected


def test_resources_are_missed_also_of_an_agent_that_was_done_before_the_end() -> None:
    history = later(scheduled(), START - MINUTE).report(EntryType.ACTIVATED, sub="agt_1")
    done_at = later(history, DURING).report(EntryType.COMPLETE, sub="agt_1", resources=(DASHBOARD,)).at
    later(history, END - 10 * MINUTE).request(wish(TOMORROW)).answer(EntryType.ACCEPTED)
    due = [each for each in deadlines(history.record, GRACE_PERIODS) if each.attempt]
    assert due == [Deadline(done_at + GRACE_PERIODS.resources, DeadlineType.RESOURCES, 1)]


def endless(by: timedelta = timedelta(), end: datetime | None = None) -> Request:
    """A request for the meeting at another time, without its end."""
    meeting = replace(WISH.meeting, start=START + by, end=end and end + by)
    return replace(WISH, meeting=meeting, digest=f"endless, moved by {by}")


def moved_back(
    *steps: timedelta,
    end: datetime | None = None,
    done_at: datetime | None = START + 9 * MINUTE,
    is_called_off: bool = False,
    at: datetime = END + HOUR,
    left: tuple[Resource, ...] = (TRANSCRIPT,),
    steps_before: int = 0,
) -> bool:
    """Return whether an agent is expected of a meeting that was moved on once its agent was done, and then again."""
    history = later(History(), START - MINUTE).request(endless(end=end)).answer(EntryType.ACCEPTED)
    if is_called_off:
        later(history, DURING).request(AWAY).answer(EntryType.CANCELLED)
    for step in steps[:steps_before]:  # the agent leaves because its meeting is moved away
        later(history, START).report(EntryType.ACTIVATED, sub="agt_1")
        later(history, at).request(endless(step, end)).answer(EntryType.ACCEPTED)
    if done_at:
        later(history, done_at).report(EntryType.COMPLETE, sub="agt_1", resources=left)
    for step in steps[steps_before:]:
        later(history, at + HOUR if steps_before else at).request(endless(step, end)).answer(EntryType.ACCEPTED)
    return DeadlineType.ACTIVATION in [each.phase for each in deadlines(history.record, GRACE_PERIODS)]


BACK = (TOMORROW, timedelta())


def test_no_agent_is_expected_of_a_meeting_that_is_moved_back_to_where_one_was_done() -> None:
    """With a known end it must have left something."""
    assert not moved_back(*BACK)
    assert not moved_back(*BACK, at=START + 20 * MINUTE)
    assert not moved_back(*BACK, at=START + 20 * MINUTE, end=END)
    assert moved_back(*BACK, at=START + 20 * MINUTE, end=END, left=(DASHBOARD,))
    assert moved_back(*BACK, at=START + 20 * MINUTE, done_at=START + 21 * MINUTE, steps_before=1)
    assert moved_back(*BACK, done_at=None, at=DURING)
    assert moved_back(*BACK, is_called_off=True)
    assert moved_back(TOMORROW, 2 * TOMORROW)


def test_no_agent_is_expected_of_a_meeting_that_is_moved_back_over_another_time_at_which_one_was_done() -> None:
    history = later(History(), START - MINUTE)
    for number, by in enumerate((timedelta(), HOUR)):
        history.request(endless(by)).answer(EntryType.ACCEPTED)
        later(history, START + by).report(EntryType.COMPLETE, sub=f"agt_{number}", resources=(TRANSCRIPT,))
    for by in (2 * TOMORROW, timedelta()):
        history.request(endless(by)).answer(EntryType.ACCEPTED)
    assert states(history) == [State.COMPLETE, State.COMPLETE, State.SCHEDULED]
    assert deadlines(history.record, GRACE_PERIODS) == ()


@pytest.mark.parametrize(("is_called_off", "start"), [(True, START), (False, START), (False, None)])
def test_an_agent_that_is_requested_anew_is_expected_also_of_a_meeting_without_an_end(
    is_called_off: bool, start: datetime | None
) -> None:
    """It was not moved: a caller who asks again knows that the meeting still runs."""
    there = replace(WISH, meeting=replace(WISH.meeting, start=start, end=None))
    history = later(History(), START - MINUTE).request(there).answer(EntryType.ACCEPTED)
    later(history, DURING)
    if is_called_off:
        history.request(AWAY).answer(EntryType.CANCELLED)
    history.report(EntryType.COMPLETE, sub="agt_1")
    number = history.record.current.number + 1
    history.add(EntryType.REQUESTED, attempt=number, revision=history.record.revision + 1, request=there)
    history.answer(EntryType.ACCEPTED)
    assert states(history) == [State.COMPLETE, State.SCHEDULED]
    assert DeadlineType.ACTIVATION in [each.phase for each in deadlines(history.record, GRACE_PERIODS)]


def test_the_last_of_two_agents_that_leaves_gives_resources_their_time_anew() -> None:
    history = later(scheduled(), START - MINUTE).report(EntryType.ACTIVATED, sub="agt_1")
    for sub, minutes in (("agt_1", 0), ("agt_2", 20)):
        later(history, END + minutes * MINUTE).report(EntryType.COMPLETE, sub=sub, resources=(DASHBOARD,))
        assert deadlines(history.record, GRACE_PERIODS)[-1].at == history.at + GRACE_PERIODS.resources
    history.report(EntryType.COMPLETE, sub="agt_1", resources=(DASHBOARD,))
    assert deadlines(history.record, GRACE_PERIODS)[-1].at == END + 20 * MINUTE + GRACE_PERIODS.resources


def test_a_cancellation_after_the_end_leaves_open_what_became_of_the_agent() -> None:
    for history in (over(trigger=True).cancel(), over(trigger=True).request(AWAY).answer(EntryType.REJECTED)):
        assert states(history) == [State.ACTIVATED]
        assert [each.phase for each in deadlines(history.record, GRACE_PERIODS)] == [DeadlineType.COMPLETION]
    waits = over(trigger=True).request(AWAY).answer(EntryType.UNCONFIRMED, retry_at=END + HOUR)
    phases = {each.phase for each in deadlines(waits.record, GRACE_PERIODS)}
    assert phases == {DeadlineType.COMPLETION, DeadlineType.RETRY}


def test_a_cancellation_in_the_moment_of_the_end_is_one_after_it() -> None:
    history = later(over(trigger=False), END - MINUTE).report(EntryType.AFTER_END, meeting=WISH.meeting)
    assert states(later(history, END).request(AWAY).answer(EntryType.CANCELLED, at=END)) == [State.ACTIVATED]


def test_a_cancellation_before_a_confirmed_end_is_the_last_word() -> None:
    assert states(over(trigger=False).cancel()) == [State.CANCELLED]


def test_a_request_that_expires_takes_those_before_it_along() -> None:
    """The newest one moved the meeting to a time that is over: no one wants what was requested before."""
    history = later(History(), START - 20 * MINUTE).request()
    history.answer(EntryType.UNCONFIRMED, retry_at=END, reason=LOCKED).request(wish(-TOMORROW))
    history.answer(EntryType.REJECTED, reason=Reason.of(ReasonCode.REQUEST_EXPIRED, failure=423))
    assert (states(history), history.record.current.unanswered) == ([State.REJECTED], ())
    assert types(history) == []
    assert not history.record.current.may_have_arrived


def test_a_cancellation_that_expires_with_a_request_brought_no_agent() -> None:
    history = later(History(), START - 20 * MINUTE).request()
    history.answer(EntryType.UNCONFIRMED, retry_at=END, reason=LOCKED)
    history.request(AWAY).answer(EntryType.UNCONFIRMED, retry_at=END, reason=TIMED_OUT).request(wish(-TOMORROW))
    history.answer(EntryType.REJECTED, reason=Reason.of(ReasonCode.REQUEST_EXPIRED, failure=423))
    assert (history.record.current.unanswered, history.record.current.may_have_arrived) == ((), False)


@pytest.mark.parametrize("before", [History, scheduled], ids=["new", "change"])
def test_a_request_that_is_sent_twice_at_once_counts_as_taken_if_it_was_refused_only_once(
    before: Callable[[], History],
) -> None:
    history = before().request(wish(HOUR)).answer(EntryType.REJECTED).answer(EntryType.ACCEPTED)
    assert (states(history), starts(history), types(history)) == ([State.SCHEDULED], [START + HOUR], [])
    assert (history.last.verdict, history.record.current.refusal) == (Verdict.APPLIED, None)


@pytest.mark.parametrize(
    "outcomes", [(EntryType.REJECTED, EntryType.ACCEPTED), (EntryType.ACCEPTED, EntryType.REJECTED)]
)
def test_a_move_of_a_running_meeting_that_is_sent_twice_at_once_counts_as_taken_if_it_was_refused_only_once(
    outcomes: tuple[EntryType, ...],
) -> None:
    history = later(scheduled(), START - MINUTE).report(EntryType.ACTIVATED, sub="agt_1")
    later(history, DURING).request(wish(TOMORROW))
    for outcome in outcomes:
        history.answer(outcome, attempt=2)
    assert (states(history), starts(history)) == ([State.ACTIVATED, State.SCHEDULED], [START, START + TOMORROW])
    assert [(each.number, each.is_rescue) for each in history.record.attempts] == [(1, False), (2, False)]
    assert [each.refused_move for each in history.record.attempts] == [None, None]
    history.answer(EntryType.REJECTED, attempt=2).answer(EntryType.ACCEPTED, attempt=2)
    assert (states(history), history.last.verdict) == ([State.ACTIVATED, State.SCHEDULED], Verdict.DUPLICATE)


def test_a_move_that_was_refused_stays_so_if_a_newer_request_or_another_outcome_comes() -> None:
    def refused() -> History:
        history = later(scheduled(), START - MINUTE).report(EntryType.ACTIVATED, sub="agt_1")
        return later(history, DURING).request(wish(TOMORROW)).answer(EntryType.REJECTED, attempt=2)

    assert states(refused()) == [State.ACTIVATED]
    for outcome, revision in ((EntryType.CANCELLED, 2), (EntryType.REJECTED, 2), (EntryType.ACCEPTED, 1)):
        assert states(refused().answer(outcome, revision, attempt=2)) == [State.ACTIVATED]
    newer = refused().request(replace(WISH, digest="title"))
    assert states(newer.answer(EntryType.ACCEPTED, 2, attempt=2).answer(EntryType.ACCEPTED, 3)) == [State.ACTIVATED]
    assert starts(newer) == [START]


def test_no_agent_is_expected_where_one_was_done_if_the_move_away_is_refused_and_an_older_change_is_taken() -> None:
    longer = replace(WISH, meeting=replace(WISH.meeting, end=END + HOUR), digest="longer")
    history = later(scheduled(), START - 10 * MINUTE).request(longer).answer(EntryType.UNCONFIRMED, reason=LOCKED)
    history = later(history, DURING).request(wish(TOMORROW)).answer(EntryType.UNCONFIRMED, reason=LOCKED)
    history = later(history, END).report(EntryType.COMPLETE, sub="agt_1", meeting=WISH.meeting, resources=(TRANSCRIPT,))
    assert states(history) == [State.COMPLETE, State.REQUESTED]
    history.answer(EntryType.REJECTED, revision=3)
    assert starts(history) == [START, START]
    history.answer(EntryType.ACCEPTED, revision=2)
    assert states(history) == [State.COMPLETE, State.SCHEDULED]
    assert not [each for each in deadlines(history.record, GRACE_PERIODS) if each.phase is DeadlineType.ACTIVATION]


def test_a_cancellation_that_is_sent_twice_at_once_counts_as_taken_if_it_was_refused_only_once() -> None:
    history = scheduled().request(AWAY).answer(EntryType.REJECTED)
    assert states(history) == [State.SCHEDULED]
    assert states(history.answer(EntryType.CANCELLED)) == [State.CANCELLED]


def test_what_is_taken_says_nothing_of_another_request_that_was_refused() -> None:
    history = scheduled().request(wish(HOUR)).answer(EntryType.REJECTED).answer(EntryType.ACCEPTED, revision=1)
    assert (history.last.verdict, starts(history)) == (Verdict.DUPLICATE, [START])
    history.answer(EntryType.CANCELLED)
    assert (history.last.verdict, states(history)) == (Verdict.STALE, [State.SCHEDULED])


def test_an_agent_is_arranged_with_the_first_request_that_is_accepted() -> None:
    history = scheduled()
    first = history.at
    assert history.record.current.arranged_at == first
    again = history.request(replace(WISH, digest="title")).answer(EntryType.ACCEPTED).record.current
    assert (again.arranged_at, again.accepted_at) == (first, history.at)


# ------------------------------------------------------------------------------------ what only months of meetings show


def test_an_agent_that_leaves_its_resources_late_is_that_of_before_although_the_meeting_has_moved_twice_since() -> None:
    history = later(scheduled(), START - MINUTE).report(EntryType.ACTIVATED, sub="agt_1")
    later(history, END + MINUTE).report(EntryType.COMPLETE, sub="agt_1")
    history.request(wish(HOUR)).request(wish(2 * HOUR)).answer(EntryType.ACCEPTED)
    later(history, END + HOUR).report(EntryType.COMPLETE, sub="agt_1", resources=(TRANSCRIPT,))
    assert states(history) == [State.COMPLETE, State.SCHEDULED]
    assert [attempt.resources for attempt in history.record.attempts] == [(TRANSCRIPT,), ()]


def test_another_agent_that_is_complete_may_be_of_the_time_before_the_last_move() -> None:
    history = later(scheduled(), START - MINUTE).report(EntryType.ACTIVATED, sub="agt_1")
    later(history, END + MINUTE).report(EntryType.COMPLETE, sub="agt_1")
    history.request(wish(HOUR)).request(wish(3 * HOUR)).answer(EntryType.ACCEPTED)
    later(history, END + HOUR).report(EntryType.COMPLETE, sub="agt_2", resources=(TRANSCRIPT,))
    assert states(history) == [State.COMPLETE, State.COMPLETE, State.SCHEDULED]
    assert [attempt.resources for attempt in history.record.attempts] == [(), (TRANSCRIPT,), ()]


@pytest.mark.parametrize(("reason", "expected"), [(LOCKED, 1), (TIMED_OUT, 2)])
def test_a_move_that_cronofy_never_got_is_taken_back_although_the_agent_has_come_and_left(
    reason: Reason, expected: int
) -> None:
    history = later(waiting(15 * MINUTE, reason), START - MINUTE)
    history.report(EntryType.ACTIVATED, sub="agt_1", meeting=WISH.meeting)
    later(history, DURING).report(EntryType.COMPLETE, sub="agt_1", meeting=WISH.meeting, resources=(TRANSCRIPT,))
    assert states(history) == [State.COMPLETE, State.REQUESTED]
    later(history, START + 30 * MINUTE).request(replace(WISH, digest="back")).answer(EntryType.ACCEPTED)
    assert len(history.record.attempts) == expected


def test_the_failure_of_an_agent_after_its_meeting_is_a_notice_also_if_the_report_says_first_that_it_moved_on() -> None:
    history = later(scheduled(), START - MINUTE).report(EntryType.ACTIVATED, sub="agt_1")
    later(history, END + 5 * MINUTE).report(EntryType.AFTER_END)
    later(history, END + 10 * MINUTE).report(EntryType.FAILED, sub="agt_1", meeting=wish(TOMORROW).meeting)
    assert states(history) == [State.FAILED, State.SCHEDULED]
    assert history.record.notices.keys() == {"1/failed"}


@pytest.mark.parametrize(
    ("end", "phase", "at", "expected"),
    [
        ((), DeadlineType.COMPLETION, END + 30 * MINUTE, {"1/not_finished"}),
        ((EntryType.COMPLETE,), DeadlineType.RESOURCES, END + 20 * MINUTE, {"1/resources_missing"}),
        ((EntryType.COMPLETE,), None, END + 20 * MINUTE, set()),
        ((), None, END + 20 * MINUTE, set()),
    ],
)
@pytest.mark.parametrize("is_alerted", [False, True])
def test_what_was_missed_just_before_a_meeting_moves_on_is_a_notice(
    is_alerted: bool, end: tuple[EntryType, ...], phase: DeadlineType | None, at: datetime, expected: set[str]
) -> None:
    """The alert may still be on its way: it is sent once."""
    history = later(scheduled(), START - MINUTE).report(EntryType.ACTIVATED, sub="agt_1")
    for kind in end:
        later(history, END + MINUTE).report(kind, sub="agt_1")
    if phase:
        later(history, at).overdue(phase)
    if is_alerted:
        publish(history)
    later(history, at + MINUTE).request(wish(TOMORROW)).answer(EntryType.ACCEPTED)
    codes = {"not_finished": ReasonCode.ACTIVATION_MISSED, "resources_missing": ReasonCode.RESOURCES_MISSED}
    reasons = {key: reason.code for key, (_, reason) in history.record.notices.items() if reason}
    assert reasons == {key: codes[key.split("/")[1]] for key in expected}
    owed = {alert.incident.key: alert.status for alert in alerting_owed(history.record, GRACE_PERIODS, history.at)}
    assert owed == ({} if is_alerted else dict.fromkeys(expected, AlertStatus.FIRING))
    if phase is DeadlineType.RESOURCES and not is_alerted:
        history.report(EntryType.COMPLETE, sub="agt_1", resources=(TRANSCRIPT,))
        assert alerting_owed(history.record, GRACE_PERIODS, history.at) == ()


def test_an_agent_that_ends_at_its_own_time_is_not_that_of_the_time_to_which_its_meeting_was_to_be_moved() -> None:
    history, tomorrow = waiting(TOMORROW), wish(TOMORROW).meeting
    shorter = replace(wish(TOMORROW), meeting=replace(tomorrow, end=END + TOMORROW - MINUTE), digest="shorter")
    history.request(shorter).answer(EntryType.UNCONFIRMED, retry_at=END, reason=LOCKED)
    later(history, END + HOUR).report(EntryType.ACTIVATED, sub="agt_1", meeting=WISH.meeting)
    history.answer(EntryType.ACCEPTED)
    assert states(history) == [State.ACTIVATED, State.SCHEDULED]
    assert history.record.meeting.start in history.record.attempts[0].known_starts
    later(history, END + 2 * HOUR).report(EntryType.COMPLETE, sub="agt_1", meeting=WISH.meeting)
    assert states(history) == [State.COMPLETE, State.SCHEDULED]


def test_what_was_missed_is_a_notice_beside_others_and_none_if_the_agent_was_done_since() -> None:
    history = later(scheduled(), START - MINUTE).report(EntryType.ACTIVATED, sub="agt_1")
    history.report(EntryType.ACTIVATED, sub="agt_1", event_id="another")
    later(history, END + 30 * MINUTE).overdue(DeadlineType.COMPLETION)
    for is_done, expected in ((False, {"1/mismatched", "1/not_finished"}), (True, {"1/mismatched"})):
        if is_done:
            later(history, END + 31 * MINUTE).report(EntryType.COMPLETE, sub="agt_1", resources=(TRANSCRIPT,))
        later(history, END + 32 * MINUTE).request(wish(TOMORROW))
        assert history.record.notices.keys() == expected
        history.entries.pop()


@pytest.mark.parametrize(
    ("came_at", "end", "is_expected"),
    [
        (START - 2 * MINUTE, END, True),
        (START + MINUTE, END, False),  # it was there at both times
        (START - 31 * MINUTE, END, True),
        (START - 2 * MINUTE, START - 3 * MINUTE, False),  # to neither: the one that the meeting had before counts
    ],
)
def test_an_agent_that_came_to_an_earlier_time_was_not_done_at_the_one_that_the_meeting_is_moved_back_to(
    came_at: datetime, end: datetime, is_expected: bool
) -> None:
    earlier = replace(WISH, meeting=replace(WISH.meeting, start=START - 30 * MINUTE, end=end), digest="earlier")
    history = later(scheduled(), START - 40 * MINUTE).request(earlier).answer(EntryType.ACCEPTED)
    later(history, came_at).report(EntryType.ACTIVATED, sub="agt_1")
    later(history, DURING).report(EntryType.COMPLETE, sub="agt_1", resources=(TRANSCRIPT,))
    later(history, DURING + MINUTE).request(replace(WISH, digest="back")).answer(EntryType.ACCEPTED)
    assert starts(history) == [START - 30 * MINUTE, START]
    phases = [each.phase for each in deadlines(history.record, GRACE_PERIODS)]
    assert (DeadlineType.ACTIVATION in phases) == is_expected


@pytest.mark.parametrize(
    ("by", "expected"),
    [
        (TOMORROW, [State.FAILED, State.SCHEDULED]),
        (45 * MINUTE, [State.FAILED]),  # it may be of either time
    ],
)
def test_an_agent_that_fails_as_its_meeting_is_dragged_far_ahead_is_of_the_time_that_was_requested(
    by: timedelta, expected: list[State]
) -> None:
    history = later(scheduled(), DURING).report(EntryType.CONFERENCING_ASSIGNED, meeting=wish(by).meeting)
    later(history, DURING + MINUTE).report(EntryType.FAILED, sub="agt_1", meeting=wish(by).meeting)
    assert states(history) == expected
    assert starts(history) == ([START] if len(expected) > 1 else []) + [START + by]


@pytest.mark.parametrize(("requested_at", "expected"), [(START - 3 * MINUTE, 1), (DURING, 2)])
def test_an_agent_that_came_after_all_that_may_have_moved_its_meeting_stays_if_that_is_accepted_late(
    requested_at: datetime, expected: int
) -> None:
    history, later_move = waiting(15 * MINUTE, OVERLOADED), wish(15 * MINUTE)
    shorter = replace(later_move, meeting=replace(later_move.meeting, end=END), digest="shorter")
    for at in sorted((requested_at, START - MINUTE)):
        later(history, at)
        if at == requested_at:
            history.request(shorter).answer(EntryType.UNCONFIRMED, retry_at=END, reason=OVERLOADED)
        else:
            history.report(EntryType.ACTIVATED, sub="agt_1", meeting=WISH.meeting)
    later(history, START + 25 * MINUTE).overdue(DeadlineType.ACTIVATION)
    later(history, START + 26 * MINUTE).answer(EntryType.ACCEPTED)
    assert len(states(history)) == expected
    assert states(history)[-1] is (State.ACTIVATED if expected == 1 else State.SCHEDULED)


@pytest.mark.parametrize(
    ("by", "end", "expected"),
    [
        (END - START, END, 1),
        (END - START + MINUTE, END, 2),  # no agent waits for so long
        (HOUR, None, 1),
    ],
)
def test_an_agent_stays_for_a_late_move_to_a_time_that_has_begun_if_the_meeting_goes_on_there(
    by: timedelta, end: datetime | None, expected: int
) -> None:
    there = replace(WISH, meeting=replace(WISH.meeting, end=end), digest="there")
    then = replace(there, meeting=replace(there.meeting, start=START + by, end=end and end + by), digest="then")
    history = later(History(), START - HOUR).request(there).answer(EntryType.ACCEPTED)
    later(history, START - 10 * MINUTE).request(then).answer(EntryType.UNCONFIRMED, retry_at=END, reason=LOCKED)
    later(history, START - MINUTE).report(EntryType.ACTIVATED, sub="agt_1", meeting=there.meeting)
    later(history, START + by + 5 * MINUTE).answer(EntryType.ACCEPTED)
    assert len(states(history)) == expected


@pytest.mark.parametrize(
    ("by", "sub", "kind", "expected"),
    [
        (HOUR, "agt_1", EntryType.ACTIVATED, [State.COMPLETE, State.ACTIVATED]),
        (-MINUTE, "agt_1", EntryType.ACTIVATED, [State.COMPLETE]),  # to before the time at which it was there
        (HOUR, "", EntryType.AFTER_END, [State.COMPLETE]),  # whether another agent is expected is not known
    ],
)
def test_an_agent_that_comes_to_a_later_time_of_a_meeting_than_it_left_is_another_one_with_the_same_sub(
    by: timedelta, sub: str, kind: EntryType, expected: list[State]
) -> None:
    history = later(scheduled(), START - MINUTE).report(EntryType.ACTIVATED, sub="agt_1")
    later(history, END + 2 * MINUTE).report(EntryType.COMPLETE, sub="agt_1")
    later(history, END + 30 * MINUTE).report(kind, sub=sub, meeting=wish(by).meeting)
    assert states(history) == expected
    assert starts(history)[-1] == START + by


@pytest.mark.parametrize(
    ("extended_at", "is_reported", "expected"),
    [
        (END + 10 * MINUTE, False, [State.COMPLETE, State.SCHEDULED]),
        (END - 10 * MINUTE, False, [State.COMPLETE]),  # it left early, with what it had
        (END + 10 * MINUTE, True, [State.COMPLETE]),  # people had prolonged it in the calendar
    ],
)
def test_an_agent_that_left_as_its_meeting_was_over_is_followed_by_another_if_that_is_prolonged_and_moved(
    extended_at: datetime, is_reported: bool, expected: list[State]
) -> None:
    left_at = END + 2 * MINUTE
    longer = replace(WISH, meeting=replace(WISH.meeting, end=END + 2 * HOUR), digest="longer")
    history = later(scheduled(), START - MINUTE).report(EntryType.ACTIVATED, sub="agt_1")
    for at in sorted((extended_at, left_at)):
        later(history, at)
        if at == extended_at:
            history.request(longer).answer(EntryType.ACCEPTED)
        else:
            meeting = longer.meeting if is_reported else Meeting()
            history.report(EntryType.COMPLETE, sub="agt_1", resources=(TRANSCRIPT,), meeting=meeting)
    moved_on = replace(longer.meeting, start=START + 15 * MINUTE, end=END + 2 * HOUR + 15 * MINUTE)
    later(history, END + 20 * MINUTE).request(replace(longer, meeting=moved_on, digest="moved on"))
    assert states(history.answer(EntryType.ACCEPTED)) == expected
