"""The attempt that a report is about: by its agent, its address and its time. And two agents of one attempt."""

from dataclasses import replace
from datetime import datetime, timedelta
from itertools import permutations
from typing import Any

import pytest

from meeting_agents.domain import reasons
from meeting_agents.domain.deadlines import deadlines
from meeting_agents.domain.lifecycle import fold
from meeting_agents.domain.model import (
    DeadlineType,
    Entry,
    EntryType,
    IncidentType,
    Meeting,
    Notification,
    Reading,
    Request,
    State,
    Verdict,
)
from meeting_agents.domain.overdue import find_missed
from meeting_agents.domain.reasons import Reason, ReasonCode
from meeting_agents.domain.record import Attempt, Record
from meeting_agents.domain.reports import EARLIEST_ACTIVATION, attempt_of, reports_end
from meeting_agents.errors import RateLimited, ReauthorisationRequired, Unreachable, UpstreamTimeout
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
    history = later(waiting(timedelta(minutes=40), TIMED_OUT), START - 2 * MINUTE)
    assert states(history.report(EntryType.ACTIVATED, sub="agt_1")) == [State.ACTIVATED]
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


def over(trigger: bool) -> History:
    """An agent that was active, and reported nothing by the end of its meeting."""
    history = later(scheduled(), START - MINUTE).report(EntryType.ACTIVATED, sub="agt_1")
    later(history, END + 5 * MINUTE)
    return history.report(EntryType.AFTER_END, meeting=WISH.meeting) if trigger else history


def test_a_cancellation_after_the_end_leaves_open_what_became_of_the_agent() -> None:
    for history in (over(trigger=True).cancel(), over(trigger=True).request(AWAY).answer(EntryType.REJECTED)):
        assert states(history) == [State.ACTIVATED]
        assert [each.phase for each in deadlines(history.record, GRACE_PERIODS)] == [DeadlineType.COMPLETION]
    waits = over(trigger=True).request(AWAY).answer(EntryType.UNCONFIRMED, retry_at=END + HOUR)
    phases = {each.phase for each in deadlines(waits.record, GRACE_PERIODS)}
    assert phases == {DeadlineType.COMPLETION, DeadlineType.RETRY}


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
