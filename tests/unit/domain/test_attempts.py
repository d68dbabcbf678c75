"""The attempts of an agent: what begins one, what its meeting is, and what a change of the meeting renews."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from meeting_agents.domain.attempts import (
    LEAVES_WITHIN,
    ON_ITS_WAY,
    collected,
    follow_meeting,
    is_another_agent,
    moved,
    next_request,
    rescheduled,
    transition,
    united,
)
from meeting_agents.domain.model import (
    Conference,
    DeadlineType,
    EntryType,
    Meeting,
    Notification,
    Reading,
    Request,
    State,
)
from meeting_agents.domain.reasons import Reason, ReasonCode
from meeting_agents.domain.record import Attempt, Pending, Record
from tests.unit.domain.test_incidents import later, silent, unfinished
from tests.unit.domain.test_lifecycle import (
    AWAY,
    DASHBOARD,
    END,
    MINUTE,
    NOON,
    START,
    TRANSCRIPT,
    WISH,
    History,
    scheduled,
)

SECOND, HOUR = timedelta(seconds=1), timedelta(hours=1)
DURING = START + 10 * MINUTE
TITLE = replace(WISH, digest="title")


def at(by: timedelta, request: Request = WISH) -> Request:
    meeting = replace(request.meeting, start=START + by, end=END + by)
    return replace(request, meeting=meeting, digest=f"moved by {by}")


def until(end: datetime) -> Request:
    return replace(WISH, meeting=replace(WISH.meeting, end=end), digest=f"until {end}")


def active() -> History:
    return later(scheduled(), START - MINUTE).report(EntryType.ACTIVATED, sub="agt_1")


def left_at(end: datetime) -> History:
    return later(active(), end).report(EntryType.COMPLETE, sub="agt_1")


def complete() -> History:
    return left_at(DURING)


# ------------------------------------------------------------------------------------------------------------- requests

EXPIRED = Reason.of(ReasonCode.CANCELLATION_EXPIRED, failure="cronofy_timed_out")
LIMITED = Reason.of(ReasonCode.RETRY_LEFT_TO_CALLER, failure=429)
NEXT: list[tuple[Callable[[], History], Request, datetime, tuple[int, int, bool]]] = [
    (lambda: History().request(), WISH, NOON, (1, 1, False)),
    (lambda: History().request(), TITLE, NOON, (1, 2, True)),
    (lambda: History().request(), AWAY, NOON, (1, 2, True)),
    (scheduled, WISH, NOON, (1, 1, False)),
    (scheduled, at(60 * MINUTE), NOON, (1, 2, True)),
    # a cancellation: again only if it failed
    (lambda: scheduled().request(AWAY), AWAY, NOON, (1, 2, False)),
    (lambda: scheduled().request(AWAY), replace(AWAY, digest="other"), NOON, (1, 3, True)),
    (lambda: scheduled().cancel(), AWAY, NOON, (1, 2, False)),
    (lambda: scheduled().cancel(), replace(AWAY, digest="other"), NOON, (1, 2, False)),
    (lambda: scheduled().cancel().report(EntryType.ACTIVATED), AWAY, NOON, (1, 3, True)),
    (lambda: scheduled().request(AWAY).answer(EntryType.REJECTED), AWAY, NOON, (1, 3, True)),
    # what was refused or cancelled, or has failed, needs a new agent
    (lambda: History().request().answer(EntryType.REJECTED), WISH, NOON, (2, 2, True)),
    (lambda: History().request().answer(EntryType.REJECTED), WISH, END, (2, 2, True)),
    (lambda: scheduled().cancel(), WISH, NOON, (2, 3, True)),
    (lambda: scheduled().cancel(), WISH, END - SECOND, (2, 3, True)),
    (lambda: scheduled().cancel(), WISH, END, (1, 2, False)),
    (lambda: later(scheduled(), DURING).report(EntryType.FAILED), WISH, DURING, (2, 2, True)),
    (lambda: later(scheduled(), DURING).report(EntryType.FAILED), WISH, END, (1, 1, False)),
    # a refused change may be sent again
    (lambda: scheduled().request(TITLE).answer(EntryType.REJECTED), WISH, NOON, (1, 3, True)),
    (lambda: scheduled().request(TITLE).answer(EntryType.REJECTED), TITLE, NOON, (1, 3, True)),
    # one that is complete: only after it was switched off, or for another time ahead or after the agent has left
    (complete, WISH, DURING, (1, 1, False)),
    (complete, TITLE, DURING, (1, 2, True)),
    (lambda: complete().cancel(), TITLE, DURING, (2, 3, True)),
    (lambda: complete().request(AWAY), TITLE, DURING, (2, 3, True)),
    (lambda: complete().request(AWAY).answer(EntryType.UNCONFIRMED, reason=LIMITED), TITLE, DURING, (1, 3, True)),
    (complete, at(60 * MINUTE), DURING, (2, 2, True)),
    (complete, at(5 * MINUTE), DURING + 5 * MINUTE, (2, 2, True)),
    (complete, at(5 * MINUTE - SECOND), DURING + 5 * MINUTE, (1, 2, True)),
    (lambda: complete().request(AWAY).answer(EntryType.REJECTED), WISH, DURING, (1, 3, True)),
    (lambda: complete().request(AWAY).answer(EntryType.REJECTED, reason=EXPIRED), WISH, DURING, (2, 3, True)),
    (complete, replace(WISH, meeting=Meeting(), digest="no times"), DURING, (1, 2, True)),
    (lambda: left_at(END + 2 * MINUTE), at(87 * MINUTE), END + HOUR, (2, 2, True)),
    (lambda: left_at(END + 2 * MINUTE), at(10 * MINUTE), END + 5 * MINUTE, (2, 2, True)),
    (lambda: left_at(END - SECOND), at(10 * MINUTE), END + 5 * MINUTE, (1, 2, True)),
    (
        lambda: later(left_at(END + 2 * MINUTE), END + HOUR).request(at(60 * MINUTE)),
        at(90 * MINUTE),
        END + HOUR,
        (2, 3, True),
    ),
    (lambda: left_at(END + 2 * MINUTE), at(90 * MINUTE), END + 90 * MINUTE, (1, 2, True)),
    (lambda: left_at(START - SECOND), TITLE, DURING, (1, 2, True)),
    # one that was heard of: another time ahead
    (active, TITLE, START, (1, 2, True)),
    (active, at(60 * MINUTE), START, (2, 2, True)),
    (active, at(10 * MINUTE), DURING, (1, 2, True)),
    (active, at(10 * MINUTE), DURING - SECOND, (2, 2, True)),
    (active, at(-60 * MINUTE), START, (1, 2, True)),
    (active, replace(WISH, meeting=Meeting(), digest="no times"), START, (1, 2, True)),
    (active, until(END + 60 * MINUTE), START, (1, 2, True)),
    # one that is overdue: the same body once more
    (silent, WISH, DURING + 2 * MINUTE, (1, 2, True)),
    (lambda: silent().request(), WISH, DURING + 2 * MINUTE, (1, 2, False)),
]


@pytest.mark.parametrize(("history", "request_", "now", "expected"), NEXT)
def test_a_request_is_new_or_not_and_of_this_attempt_or_the_next(
    history: Callable[[], History], request_: Request, now: datetime, expected: tuple[int, int, bool]
) -> None:
    assert next_request(history().record, request_, now) == expected


def test_an_agent_that_left_in_the_moment_of_the_end_is_done() -> None:
    """A later start is another meeting, although it lies long before the end of this one."""
    assert left_at(END).request(at(5 * MINUTE)).record.current.number == 2
    assert left_at(END - 2 * MINUTE).request(at(5 * MINUTE)).record.current.number == 1


def test_the_first_request_is_new() -> None:
    assert next_request(None, WISH, NOON) == (1, 1, True)
    assert next_request(Record(), WISH, NOON) == (1, 1, True)


def test_a_new_attempt_keeps_an_assigned_conference_and_nothing_else() -> None:
    for kind, kept in ((EntryType.CONFERENCING_ASSIGNED, Conference.ASSIGNED), (EntryType.CONFERENCING_FAILING, None)):
        attempt = scheduled().report(kind).cancel().request().record.current
        assert (attempt.number, attempt.state, attempt.conference) == (2, State.REQUESTED, kept)
        assert attempt.since == attempt.began_at == attempt.requested_at == NOON + 6 * MINUTE
        assert attempt.reason.code is ReasonCode.REQUESTED


@pytest.mark.parametrize(
    ("moved_at", "left_at", "expected"),
    [
        (DURING, DURING, 2),
        (DURING, DURING + LEAVES_WITHIN - SECOND, 2),
        (DURING, DURING + LEAVES_WITHIN, 1),
        (DURING, DURING - SECOND, 1),
        (None, DURING, 1),
    ],
)
def test_an_agent_without_a_known_end_that_left_as_its_meeting_was_moved_away_is_not_there_at_a_later_start(
    moved_at: datetime | None, left_at: datetime, expected: int
) -> None:
    here, past, back = (
        replace(WISH, meeting=Meeting(start=START + by), digest=f"{number} {by}")
        for number, by in enumerate((timedelta(), timedelta(days=-1), -MINUTE))
    )
    history = later(History().request(here).answer(EntryType.ACCEPTED), START).report(EntryType.ACTIVATED, sub="agt_1")
    if moved_at and moved_at <= left_at:
        later(history, moved_at).request(past).answer(EntryType.ACCEPTED, at=moved_at)
    later(history, left_at).report(EntryType.COMPLETE, sub="agt_1")
    if moved_at and moved_at > left_at:
        later(history, moved_at).request(past).answer(EntryType.ACCEPTED)
    if moved_at is None:
        back = replace(here, meeting=Meeting(start=START + MINUTE), digest="a minute later")
    later(history, DURING + HOUR).request(back)
    assert history.record.current.number == expected


@pytest.mark.parametrize(
    ("history", "state"),
    [
        (lambda: History().request(), State.REQUESTED),
        (lambda: later(History().request(), START + 10 * MINUTE).overdue(DeadlineType.ACTIVATION), State.REQUESTED),
        (silent, State.SCHEDULED),
    ],
    ids=["it waits", "it waits and is overdue", "it is silent"],
)
@pytest.mark.parametrize("cancelled", [EntryType.UNCONFIRMED, EntryType.REJECTED])
def test_an_agent_that_is_on_again_before_it_was_off_is_due_anew(
    history: Callable[[], History], state: State, cancelled: EntryType
) -> None:
    off = history().request(AWAY).answer(cancelled)
    on = off.request(replace(WISH, digest="on again"))
    attempt = on.record.current
    assert (attempt.number, attempt.state, attempt.missed, attempt.requested_at) == (1, state, (), on.at)
    assert attempt.since == (on.at if off.record.state is State.OVERDUE else off.record.current.since)


def test_an_agent_that_was_heard_of_is_not_due_anew_when_it_is_on_again() -> None:
    history = active().request(AWAY).answer(EntryType.REJECTED)
    before = history.record.current
    assert history.request(replace(WISH, digest="on again")).record.current.requested_at == before.requested_at
    title = silent().request(TITLE)
    assert title.record.current.requested_at == silent().record.current.requested_at


def test_a_meeting_that_was_over_when_it_was_requested_is_judged_by_the_newest_request() -> None:
    """Its end may be moved to another time that is over as well: nothing is expected of it."""
    for end, requested_at in (
        (NOON - 2 * HOUR, NOON + HOUR),
        (NOON, NOON + HOUR),
        (NOON + SECOND, NOON),
    ):
        past = replace(WISH, meeting=replace(WISH.meeting, start=NOON - 3 * HOUR, end=end), digest="past")
        history = later(scheduled(), NOON).request(past).answer(EntryType.ACCEPTED)
        longer = replace(past, meeting=replace(past.meeting, end=end + 30 * MINUTE), digest="longer")
        history = later(history, NOON + HOUR).request(longer)
        assert history.record.current.requested_at == requested_at
    until_later = replace(WISH, meeting=replace(WISH.meeting, end=END + HOUR), digest="until later")
    plain = scheduled()
    requested_at = plain.record.current.requested_at
    assert plain.request(until_later).record.current.requested_at == requested_at


# -------------------------------------------------------------------------------------------------------------- renewed


def renewed(history: History, meeting: Meeting, now: datetime) -> Attempt:
    """Return the current attempt after Cronofy reported another time of its meeting."""
    before = history.record.current
    return rescheduled(replace(before, reported=meeting, reported_at=now), before.meeting, now)


def times(start: timedelta = timedelta(), end: timedelta = timedelta()) -> Meeting:
    return replace(WISH.meeting, start=START + start, end=END + end)


def test_the_same_times_and_an_ended_attempt_renew_nothing() -> None:
    history = silent()
    assert renewed(history, replace(WISH.meeting, summary="Retro"), DURING).rescheduled_at is None
    for ended in (complete(), scheduled().cancel(), History().request().answer(EntryType.REJECTED)):
        assert renewed(ended, times(60 * MINUTE, 60 * MINUTE), DURING).rescheduled_at is None


@pytest.mark.parametrize("by", [60 * MINUTE, -60 * MINUTE])
def test_a_change_of_the_start_or_the_end_is_remembered_and_its_calls_come_anew(by: timedelta) -> None:
    history = scheduled().report(EntryType.BEFORE_START).report(EntryType.AFTER_END)
    start, end = (renewed(history, meeting, NOON + HOUR) for meeting in (times(start=by), times(end=by)))
    assert start.rescheduled_at == end.rescheduled_at == NOON + HOUR
    assert (start.before_start_at, start.after_end_at, end.after_end_at) == (None, None, None)
    assert end.before_start_at is not None
    assert (start.requested_at, end.requested_at) == (NOON + HOUR, history.record.current.requested_at)


@pytest.mark.parametrize(("by", "is_kept"), [(6 * MINUTE, False), (5 * MINUTE, True), (-60 * MINUTE, True)])
def test_a_call_after_the_end_confirms_an_earlier_end_as_well(by: timedelta, is_kept: bool) -> None:
    history = later(active(), END + 5 * MINUTE).report(EntryType.AFTER_END)
    attempt = renewed(history, times(end=by), END + 6 * MINUTE)
    assert attempt.after_end_at == (END + 5 * MINUTE if is_kept else None)
    assert renewed(history, Meeting(start=START), END + 6 * MINUTE).after_end_at is None
    assert renewed(active(), times(end=by), END + 6 * MINUTE).after_end_at is None


def test_an_agent_that_was_heard_of_is_not_requested_anew() -> None:
    history = active().report(EntryType.BEFORE_START)
    attempt = renewed(history, times(10 * MINUTE, 10 * MINUTE), DURING)
    assert attempt.requested_at == history.record.current.requested_at
    assert attempt.before_start_at is not None


def test_a_silent_agent_is_expected_at_a_new_time_ahead() -> None:
    attempt = renewed(silent(), times(60 * MINUTE, 60 * MINUTE), DURING)
    assert (attempt.state, attempt.missed, attempt.requested_at) == (State.SCHEDULED, (), DURING)
    assert attempt.reason == moved(times(60 * MINUTE))
    assert attempt.reason["start"] == (START + 60 * MINUTE).isoformat()
    assert attempt.since == DURING
    waits = silent().request(at(60 * MINUTE)).record.current
    assert (waits.state, waits.missed) == (State.REQUESTED, ())


def test_a_silent_agent_stays_silent_if_its_meeting_moves_back() -> None:
    """A calendar that is synchronised every few minutes would hide it."""
    for meeting in (times(-30 * MINUTE), times(10 * MINUTE), times(end=60 * MINUTE)):
        attempt = renewed(silent(), meeting, DURING)
        assert (attempt.state, attempt.missed) == (State.OVERDUE, (DeadlineType.ACTIVATION,))
        assert attempt.requested_at == silent().record.current.requested_at


def test_an_unfinished_agent_has_more_time_if_the_end_moves_ahead() -> None:
    now = END + 30 * MINUTE
    for end, state, missed in (
        (now + SECOND, State.ACTIVATED, ()),
        (now, State.OVERDUE, (DeadlineType.COMPLETION,)),
    ):
        attempt = renewed(unfinished(), replace(WISH.meeting, end=end), now)
        assert (attempt.state, attempt.missed) == (state, missed)
    assert renewed(unfinished(), replace(WISH.meeting, end=now + HOUR), now).since == now
    assert renewed(unfinished(), replace(WISH.meeting, end=None), now).state is State.OVERDUE


def test_an_end_that_moves_ahead_gives_a_silent_agent_no_time() -> None:
    assert renewed(silent(), times(end=HOUR), DURING).missed == (DeadlineType.ACTIVATION,)


def test_a_meeting_without_a_start_is_moved_to_no_time() -> None:
    assert moved(Meeting())["start"] == ""


# ------------------------------------------------------------------------------------------------------------- followed


def notification(meeting: Meeting, *kinds: EntryType, sub: str = "") -> Notification:
    return Notification(kinds=kinds or (EntryType.CONFERENCING_ASSIGNED,), event_id="evt_1", meeting=meeting, sub=sub)


def followed(history: History, reported: Notification, now: datetime, *, is_current: bool = False) -> Record:
    return follow_meeting(history.record, reported, now, is_current=is_current)


def test_an_agent_follows_its_meeting_until_it_is_heard_of() -> None:
    meeting = times(HOUR, HOUR)
    record = followed(scheduled(), notification(meeting), NOON + HOUR)
    assert (record.meeting, len(record.attempts)) == (meeting, 1)
    assert (record.current.reported_at, record.current.rescheduled_at) == (NOON + HOUR, NOON + HOUR)
    record = followed(active(), notification(meeting), START)
    assert (record.meeting, len(record.attempts)) == (meeting, 2)
    first, second = record.attempts
    assert (first.meeting, first.state, second.state, second.number) == (
        WISH.meeting,
        State.ACTIVATED,
        State.SCHEDULED,
        2,
    )
    assert (second.since, second.began_at, second.requested_at, second.reported_at) == (START,) * 4
    assert (second.is_requested, second.request, second.accepted_revision) == (False, WISH, 1)
    assert (second.accepted_at, second.reason) == (first.accepted_at, moved(meeting))


def test_a_request_that_waits_goes_with_its_meeting() -> None:
    history = active().request(TITLE)
    record = followed(history, notification(times(HOUR, HOUR)), history.at)
    assert [len(attempt.unanswered) for attempt in record.attempts] == [0, 1]


def deleted() -> History:
    """An agent whose calendar event a person deleted, and which reports that it failed."""
    history = later(scheduled(), START - HOUR).add(EntryType.CALENDAR_READ, attempt=1, reading=Reading(is_deleted=True))
    return later(history, DURING).report(EntryType.FAILED, sub="agt_1")


@pytest.mark.parametrize("history", [lambda: active().cancel(), lambda: complete().cancel(), deleted])
def test_an_agent_that_is_not_wanted_follows_to_no_new_attempt(history: Callable[[], History]) -> None:
    record = followed(history(), notification(times(HOUR, HOUR)), DURING)
    assert (record.meeting, len(record.attempts)) == (times(HOUR, HOUR), 1)


@pytest.mark.parametrize(
    ("history", "reported", "now", "attempts"),
    [
        (active, times(-HOUR), START, 1),
        (active, times(10 * MINUTE), DURING, 1),
        (active, times(10 * MINUTE), DURING - SECOND, 2),
        (active, times(end=HOUR), START, 1),
        (complete, times(10 * MINUTE + SECOND), END, 2),  # after its end: the next occurrence of the meeting
        (complete, times(10 * MINUTE), END, 1),
    ],
)
def test_another_time_is_one_ahead_or_after_the_end(
    history: Callable[[], History], reported: Meeting, now: datetime, attempts: int
) -> None:
    made = history()
    if made.record.current.ended_at:
        assert made.record.current.ended_at == START + 10 * MINUTE
    assert len(followed(made, notification(reported), now).attempts) == attempts


def test_another_agent_shows_another_time() -> None:
    """It is in the meeting already, and the first one was not."""
    meeting = times(10 * MINUTE, 10 * MINUTE)
    for sub, attempts in (("agt_2", 2), ("agt_1", 1), ("", 1)):
        record = followed(active(), notification(meeting, EntryType.ACTIVATED, sub=sub), DURING)
        assert len(record.attempts) == attempts
    record = followed(active(), notification(meeting, EntryType.CONFERENCING_ASSIGNED, sub="agt_2"), DURING)
    assert len(record.attempts) == 1
    second = followed(active(), notification(times(HOUR, HOUR)), START)
    late = follow_meeting(second, notification(times(2 * HOUR), EntryType.ACTIVATED, sub="agt_1"), DURING)
    assert len(late.attempts) == 2  # the first agent is known from the first attempt
    both = replace(second, attempts=(second.attempts[0], replace(second.current, subs=("agt_2",))))
    of_whom = [is_another_agent(both, notification(meeting, EntryType.FAILED, sub=f"agt_{n}")) for n in (1, 2, 3)]
    assert of_whom == [False, False, True]
    assert not is_another_agent(scheduled().record, notification(meeting, EntryType.ACTIVATED, sub="agt_1"))


@pytest.mark.parametrize(
    ("reported_at", "at", "expected"),
    [
        (START + MINUTE, DURING, START - HOUR),
        (START, DURING, START - HOUR),
        (START - SECOND, DURING, START),
        (START - SECOND, START - SECOND, START),
        (START, START, START - HOUR),
    ],
)
def test_a_call_before_the_start_that_is_late_is_older_than_what_was_reported_since(
    reported_at: datetime, at: datetime, expected: datetime
) -> None:
    moved_back = followed(scheduled(), notification(times(-HOUR, -HOUR)), reported_at)
    trigger = notification(WISH.meeting, EntryType.BEFORE_START)
    assert follow_meeting(moved_back, trigger, at).meeting.start == expected


@pytest.mark.parametrize("end", [EntryType.COMPLETE, EntryType.FAILED])
def test_an_agent_that_reports_itself_active_after_its_end_was_active_before_that(end: EntryType) -> None:
    """So its report has older times, and moves nothing."""
    ended = later(scheduled(), DURING).report(end, sub="agt_1", meeting=times(-HOUR, -HOUR))
    for sub, kinds, expected in (
        ("agt_1", (EntryType.ACTIVATED,), START - HOUR),
        ("agt_1", (EntryType.ACTIVATED, end), START),
        ("agt_1", (EntryType.CONFERENCING_ASSIGNED,), START),
        ("agt_2", (EntryType.ACTIVATED,), START),
        ("", (EntryType.ACTIVATED,), START),
    ):
        assert followed(ended, notification(WISH.meeting, *kinds, sub=sub), DURING + MINUTE).meeting.start == expected
    again = notification(times(HOUR, HOUR), EntryType.ACTIVATED, sub="agt_1")
    assert followed(ended, again, DURING + MINUTE).meeting.start == START + HOUR  # its `sub` is used again


def test_what_a_report_leaves_out_is_as_before() -> None:
    before = WISH.meeting
    for reported, expected in (
        (Meeting(), before),
        (Meeting(summary="Retro"), before),
        (Meeting(start=START + HOUR), replace(before, start=START + HOUR, end=END + HOUR)),
        (Meeting(start=START, end=END, summary="Retro"), replace(before, summary="Retro")),
        (Meeting(start=START, end=END, tzid="Asia/Tokyo"), replace(before, tzid="Asia/Tokyo")),
    ):
        assert followed(scheduled(), notification(reported), NOON).meeting == expected
    for unchanged in (Meeting(), WISH.meeting):
        assert followed(scheduled(), notification(unchanged), NOON).current.reported_at is None
    endless = History().request(replace(WISH, meeting=Meeting(start=START)))
    assert followed(endless, notification(Meeting(start=START + HOUR)), NOON + HOUR).meeting == Meeting(
        start=START + HOUR
    )
    timeless = History().request(replace(WISH, meeting=Meeting(end=END)))
    assert followed(timeless, notification(Meeting(start=START)), NOON + HOUR).meeting == Meeting(start=START)


def test_a_report_with_a_time_that_a_request_replaced_is_old() -> None:
    history = scheduled().request(at(HOUR)).answer(EntryType.ACCEPTED)
    for reported in (WISH.meeting, times(end=5 * MINUTE)):
        assert follow_meeting(history.record, notification(reported), NOON).meeting == at(HOUR).meeting
        trigger = notification(reported, EntryType.BEFORE_START)
        assert followed(history, trigger, NOON + HOUR).meeting.start == START  # it comes at the start that is current
        assert followed(history, trigger, START - SECOND).meeting.start == START
        assert followed(history, trigger, START).meeting == at(HOUR).meeting  # this one was delivered late
        assert followed(history, notification(reported), NOON, is_current=True).meeting.start == START
    late = notification(WISH.meeting, EntryType.BEFORE_START)
    accepted_at = history.record.current.accepted_at
    assert accepted_at is not None
    assert followed(history, late, accepted_at + ON_ITS_WAY - SECOND).meeting == at(HOUR).meeting  # it was
    assert followed(history, late, accepted_at + ON_ITS_WAY).meeting.start == START
    by_hand = notification(times(2 * HOUR, 2 * HOUR), EntryType.BEFORE_START)
    assert followed(history, by_hand, accepted_at).meeting.start == START + 2 * HOUR
    longer = scheduled().request(until(END + HOUR)).answer(EntryType.ACCEPTED)
    assert followed(longer, notification(WISH.meeting), NOON).meeting.end == END + HOUR
    assert followed(longer, notification(times(end=5 * MINUTE)), NOON).meeting.end == END + 5 * MINUTE


def test_a_report_with_the_time_of_an_earlier_attempt_is_old() -> None:
    history = active().request(at(HOUR)).answer(EntryType.ACCEPTED)
    assert len(history.record.attempts) == 2
    assert followed(history, notification(WISH.meeting), DURING).meeting == at(HOUR).meeting
    shorter = notification(times(HOUR, HOUR - MINUTE))
    assert followed(history, shorter, DURING).meeting.end == END + HOUR - MINUTE


def test_an_earlier_attempt_may_have_no_accepted_request() -> None:
    history = later(History().request(), START - MINUTE).report(EntryType.ACTIVATED, sub="agt_1").request(at(HOUR))
    assert [attempt.request for attempt in history.record.attempts] == [None, None]
    assert followed(history, notification(WISH.meeting), DURING).meeting == at(HOUR).meeting


# ------------------------------------------------------------------------------------------------------------ the small


def test_a_transition_that_the_table_lacks_changes_nothing() -> None:
    attempt, reason = complete().record.current, Reason.of(ReasonCode.REPORTED_ACTIVE)
    assert transition(attempt, EntryType.ACTIVATED, END, reason) is attempt
    changed = transition(scheduled().record.current, EntryType.ACTIVATED, END, reason)
    assert (changed.state, changed.since, changed.reason) == (State.ACTIVATED, END, reason)


def test_subs_and_resources_are_each_there_once_and_sorted() -> None:
    assert united(("b",), "a") == ("a", "b")
    assert united(("a",), "a") == united(("a",), "") == ("a",)
    assert collected((TRANSCRIPT,), (DASHBOARD, TRANSCRIPT)) == (DASHBOARD, TRANSCRIPT)


def test_an_open_request_has_its_own_times() -> None:
    pending = Pending(revision=2, request=at(HOUR), requested_at=NOON)
    assert replace(scheduled().record.current, unanswered=(pending,)).meeting == at(HOUR).meeting
