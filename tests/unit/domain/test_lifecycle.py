"""The rules of the lifecycle: what holds for every history, and what each entry does in each state."""

import operator
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import reduce
from itertools import permutations, product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meeting_agents.domain.deadlines import Deadline, GracePeriods, deadline, missing_resources, relevant_until
from meeting_agents.domain.lifecycle import fold, next_request, steps
from meeting_agents.domain.model import (
    ASSUMED_MEETING_DURATION,
    Action,
    Attempt,
    Conference,
    DeadlineType,
    Entry,
    EntryType,
    IncidentType,
    Meeting,
    Notification,
    Reason,
    ReasonCode,
    Record,
    Request,
    Resource,
    State,
    Verdict,
)
from meeting_agents.domain.state_machine import TERMINAL_STATES, TRANSITIONS
from meeting_agents.domain.verdicts import Step

MINUTE = timedelta(minutes=1)
NOON = datetime(2026, 4, 29, 12, 0, tzinfo=UTC)
START, END = NOON + 240 * MINUTE, NOON + 330 * MINUTE
GRACES = GracePeriods(expected_resources=frozenset({"transcript"}))
WISH = Request(
    action=Action.PROVISION,
    data_center="us",
    calendar_id="cal_1",
    event_id="evt_1",
    meeting=Meeting(start=START, end=END, tzid="Europe/Berlin", summary="Standup"),
    digest="wish",
    conference_expected=True,
)
AWAY = replace(WISH, action=Action.CANCEL, digest="away")
DASHBOARD = Resource("cronofy", "dashboard", "https://app.cronofy.com/1")
TRANSCRIPT = Resource("transcript", "cronofy", "https://api.cronofy.com/2")
REPORTS = (EntryType.ACTIVATED, EntryType.FAILED, EntryType.COMPLETE)
REPORTED = (EntryType.CONFERENCING_FAILING, EntryType.CONFERENCING_ASSIGNED, *REPORTS)


def moved(by: timedelta, request: Request = WISH) -> Request:
    """The same wish for a meeting that begins and ends later."""
    meeting = replace(request.meeting, start=START + by, end=END + by)
    return replace(request, meeting=meeting, digest=f"moved by {by}")


class History:
    """A journal in the making: each entry is written down a minute after the one before, with a key of its own."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.at = NOON

    def add(self, kind: EntryType, **more: Any) -> "History":
        self.at += MINUTE
        self.entries.append(Entry(key=f"{len(self.entries):03d}", kind=kind, at=more.pop("at", self.at), **more))
        return self

    def request(self, request: Request = WISH) -> "History":
        attempt, revision, is_news = next_request(self.record if self.entries else None, request, self.at)
        return self.add(EntryType.REQUESTED, attempt=attempt, revision=revision, request=request) if is_news else self

    def answer(self, kind: EntryType, revision: int | None = None, **more: Any) -> "History":
        record = self.record
        return self.add(kind, **{"attempt": record.current.number, "revision": revision or record.revision} | more)

    def report(self, *kinds: EntryType, attempt: int | None = None, **said: Any) -> "History":
        notification = Notification(
            kinds=tuple(kind for kind in EntryType if kind in kinds),
            interactions=said.pop("interactions", tuple(kinds)),
            **{"event_id": "evt_1"} | said,
        )
        return self.add(kinds[-1] if kinds else EntryType.UNRECOGNISED, attempt=attempt, notification=notification)

    def overdue(self, phase: DeadlineType, **more: Any) -> "History":
        return self.answer(
            EntryType.OVERDUE, phase=phase, reason=Reason.of(ReasonCode.ACTIVATION_MISSED, at=START), **more
        )

    def cancel(self) -> "History":
        return self.request(AWAY).answer(EntryType.CANCELLED)

    @property
    def record(self) -> Record:
        return fold(self.entries)

    @property
    def steps(self) -> list[Step]:
        return list(steps(self.entries))

    @property
    def last(self) -> Step:
        return self.steps[-1]

    @property
    def causes(self) -> list[IncidentType | None]:
        """Why people are told, leaving out the steps of which they are not."""
        return [step.cause for step in self.steps if step.cause]


def scheduled() -> History:
    return History().request().answer(EntryType.ACCEPTED)


REACHED: dict[State, Callable[[], History]] = {
    State.REQUESTED: lambda: History().request(),
    State.SCHEDULED: scheduled,
    State.ACTIVATED: lambda: scheduled().report(EntryType.ACTIVATED),
    State.COMPLETE: lambda: scheduled().report(EntryType.COMPLETE),
    State.FAILED: lambda: scheduled().report(EntryType.FAILED),
    State.REJECTED: lambda: History().request().answer(EntryType.REJECTED),
    State.CANCELLED: lambda: scheduled().cancel(),
    State.OVERDUE: lambda: scheduled().overdue(DeadlineType.ACTIVATION),
}
"""The shortest way into each state."""


def outcome(attempt: Attempt) -> tuple[Any, ...]:
    """What `lifecycle.py` calls so: all that does not depend on when and in which order Cronofy's callbacks arrive."""
    times = (attempt.activated_at, attempt.complete_at, attempt.failed_at, attempt.cancelled_at)
    return (
        attempt.state,
        attempt.conference,
        attempt.subs,
        attempt.resources,
        attempt.failures,
        attempt.is_conflicting,
        tuple(time is not None for time in times),
    )


# --------------------------------------------------------------------------------------------- every state, every entry

S, V = State, Verdict
REQUESTED, SCHEDULED, ACTIVATED, COMPLETE = S.REQUESTED, S.SCHEDULED, S.ACTIVATED, S.COMPLETE
FAILED, REJECTED, CANCELLED, OVERDUE = S.FAILED, S.REJECTED, S.CANCELLED, S.OVERDUE
applied, repeated, late, conflicting = V.APPLIED, V.DUPLICATE, V.STALE, V.CONFLICTING

EXPECTED: dict[EntryType, dict[State, tuple[State, Verdict]]] = {
    # Somebody asks again, for the meeting at another time. After an end this begins a new attempt.
    EntryType.REQUESTED: {
        REQUESTED: (REQUESTED, applied),
        SCHEDULED: (SCHEDULED, applied),
        ACTIVATED: (ACTIVATED, applied),
        COMPLETE: (REQUESTED, applied),
        FAILED: (REQUESTED, applied),
        REJECTED: (REQUESTED, applied),
        CANCELLED: (REQUESTED, applied),
        OVERDUE: (REQUESTED, applied),
    },
    # Cronofy's answers to the request that led here.
    EntryType.ACCEPTED: {
        REQUESTED: (SCHEDULED, applied),
        SCHEDULED: (SCHEDULED, repeated),
        ACTIVATED: (ACTIVATED, repeated),
        COMPLETE: (COMPLETE, repeated),
        FAILED: (FAILED, repeated),
        REJECTED: (REJECTED, late),
        CANCELLED: (CANCELLED, repeated),
        OVERDUE: (OVERDUE, repeated),
    },
    EntryType.REJECTED: {
        REQUESTED: (REJECTED, applied),
        SCHEDULED: (SCHEDULED, late),
        ACTIVATED: (ACTIVATED, late),
        COMPLETE: (COMPLETE, late),
        FAILED: (FAILED, late),
        REJECTED: (REJECTED, repeated),
        CANCELLED: (CANCELLED, late),
        OVERDUE: (OVERDUE, late),
    },
    EntryType.UNCONFIRMED: {
        REQUESTED: (REQUESTED, applied),
        SCHEDULED: (SCHEDULED, late),
        ACTIVATED: (ACTIVATED, late),
        COMPLETE: (COMPLETE, late),
        FAILED: (FAILED, late),
        REJECTED: (REJECTED, late),
        CANCELLED: (CANCELLED, late),
        OVERDUE: (OVERDUE, late),
    },
    # Cronofy accepts a cancellation that was asked for just before.
    EntryType.CANCELLED: {
        REQUESTED: (CANCELLED, applied),
        SCHEDULED: (CANCELLED, applied),
        ACTIVATED: (CANCELLED, applied),
        COMPLETE: (COMPLETE, applied),
        FAILED: (CANCELLED, applied),
        REJECTED: (CANCELLED, applied),
        CANCELLED: (CANCELLED, repeated),
        OVERDUE: (CANCELLED, applied),
    },
    # Cronofy's callbacks.
    EntryType.CONFERENCING_FAILING: {
        REQUESTED: (SCHEDULED, applied),
        SCHEDULED: (SCHEDULED, applied),
        ACTIVATED: (ACTIVATED, late),
        COMPLETE: (COMPLETE, late),
        FAILED: (FAILED, late),
        REJECTED: (REJECTED, late),
        CANCELLED: (CANCELLED, late),
        OVERDUE: (OVERDUE, applied),
    },
    EntryType.CONFERENCING_ASSIGNED: {
        REQUESTED: (SCHEDULED, applied),
        SCHEDULED: (SCHEDULED, applied),
        ACTIVATED: (ACTIVATED, late),
        COMPLETE: (COMPLETE, late),
        FAILED: (FAILED, late),
        REJECTED: (REJECTED, late),
        CANCELLED: (CANCELLED, late),
        OVERDUE: (OVERDUE, applied),
    },
    EntryType.ACTIVATED: {
        REQUESTED: (ACTIVATED, applied),
        SCHEDULED: (ACTIVATED, applied),
        ACTIVATED: (ACTIVATED, repeated),
        COMPLETE: (COMPLETE, late),
        FAILED: (FAILED, late),
        REJECTED: (ACTIVATED, applied),
        CANCELLED: (CANCELLED, late),
        OVERDUE: (ACTIVATED, applied),
    },
    EntryType.FAILED: {
        REQUESTED: (FAILED, applied),
        SCHEDULED: (FAILED, applied),
        ACTIVATED: (FAILED, applied),
        COMPLETE: (COMPLETE, conflicting),
        FAILED: (FAILED, repeated),
        REJECTED: (FAILED, applied),
        CANCELLED: (CANCELLED, late),
        OVERDUE: (FAILED, applied),
    },
    EntryType.COMPLETE: {
        REQUESTED: (COMPLETE, applied),
        SCHEDULED: (COMPLETE, applied),
        ACTIVATED: (COMPLETE, applied),
        COMPLETE: (COMPLETE, repeated),
        FAILED: (COMPLETE, conflicting),
        REJECTED: (COMPLETE, applied),
        CANCELLED: (COMPLETE, applied),
        OVERDUE: (COMPLETE, applied),
    },
    EntryType.UNRECOGNISED: {state: (state, Verdict.UNRECOGNISED) for state in State},
    # What the sweep finds: what the state waits for, or where it waits for nothing, that the agent is not active.
    EntryType.OVERDUE: {
        REQUESTED: (OVERDUE, applied),
        SCHEDULED: (OVERDUE, applied),
        ACTIVATED: (OVERDUE, applied),
        COMPLETE: (COMPLETE, applied),
        FAILED: (FAILED, late),
        REJECTED: (REJECTED, late),
        CANCELLED: (CANCELLED, late),
        OVERDUE: (OVERDUE, repeated),
    },
    # People are told, told again, and take it on: the agent stands where it stood.
    EntryType.ESCALATED: {state: (state, late) for state in State},
    EntryType.ALERTED: {state: (state, applied) for state in State},
    EntryType.ACKNOWLEDGED: {state: (state, applied) for state in State},
}
AWAITED = {ACTIVATED: DeadlineType.COMPLETION, COMPLETE: DeadlineType.RESOURCES}


def followed_by(history: History, kind: EntryType) -> Step:
    """One more entry of this kind, as it would come."""
    state = history.record.state
    match kind:
        case EntryType.REQUESTED:
            history.request(moved(60 * MINUTE))
        case EntryType.ACCEPTED | EntryType.REJECTED | EntryType.UNCONFIRMED:
            history.answer(kind, revision=1)
        case EntryType.CANCELLED:
            history.cancel()
        case EntryType.OVERDUE:
            history.overdue(AWAITED.get(state, DeadlineType.ACTIVATION))
        case EntryType.UNRECOGNISED:
            history.report(interactions=("meeting_agent_waiting",))
        case EntryType.ESCALATED | EntryType.ALERTED | EntryType.ACKNOWLEDGED:
            history.answer(kind)
        case _:
            history.report(kind)
    return history.last


def test_the_table_below_speaks_of_every_state_and_every_kind_of_entry() -> None:
    assert EXPECTED.keys() == set(EntryType)
    assert all(row.keys() == set(State) for row in EXPECTED.values())
    assert TRANSITIONS.keys() == REACHED.keys() == set(State)


@pytest.mark.parametrize("state", State)
def test_every_state_is_reached(state: State) -> None:
    assert REACHED[state]().record.state is state


@pytest.mark.parametrize(("kind", "state"), list(product(EntryType, State)))
def test_every_entry_does_in_every_state_what_the_table_says(kind: EntryType, state: State) -> None:
    step = followed_by(REACHED[state](), kind)
    assert (step.after.state, step.verdict) == EXPECTED[kind][state]
    assert step.state_before is state
    assert bool(step.ignored_because) is (step.verdict is not Verdict.APPLIED)
    assert isinstance(step.after.current.reason, Reason)


@pytest.mark.parametrize(("state", "kind"), [(state, kind) for state, row in TRANSITIONS.items() for kind in row])
def test_a_move_in_the_table_of_moves_is_a_move_to_another_state(state: State, kind: EntryType) -> None:
    assert TRANSITIONS[state][kind] is not state


def test_nothing_leaves_complete_but_a_new_attempt() -> None:
    assert TRANSITIONS[State.COMPLETE] == {}
    assert {
        state for state in State if state.value in ("complete", "failed", "rejected", "cancelled")
    } == TERMINAL_STATES


# ---------------------------------------------------------------------------------------------------- whole histories

NOTIFICATIONS = st.builds(
    lambda kinds, sub, resources, remarks, meeting, event_id: Notification(
        kinds=tuple(kind for kind in EntryType if kind in kinds),
        interactions=tuple(kinds) or ("meeting_agent_waiting",),
        sub=sub,
        event_id=event_id,
        meeting=meeting,
        resources=tuple(resources),
        remarks=tuple(remarks),
    ),
    kinds=st.sets(st.sampled_from(REPORTED), max_size=2),
    sub=st.sampled_from(["", "agt_1", "agt_2"]),
    resources=st.sets(st.sampled_from([DASHBOARD, TRANSCRIPT])),
    remarks=st.sets(st.sampled_from(["meeting_agent.reason: kicked", "meeting_agent.code: 7"])),
    meeting=st.sampled_from([Meeting(), WISH.meeting]),
    event_id=st.sampled_from(["evt_1", "evt_1", "evt_1", "", "evt_2"]),
)
REQUESTS = st.sampled_from([WISH, WISH, replace(WISH, digest="other title"), moved(30 * MINUTE), AWAY])
ANSWERS = st.sampled_from([EntryType.ACCEPTED, EntryType.ACCEPTED, EntryType.REJECTED, EntryType.UNCONFIRMED])


@st.composite
def histories(draw: st.DrawFn) -> list[Entry]:
    """What can be in a journal: each writer acts on what it knew, which may be a while ago."""
    history = History()
    known: list[Record] = [Record()]
    for _ in range(draw(st.integers(1, 14))):
        history.at += draw(st.sampled_from([0, 1, 90, 240])) * MINUTE
        now = known[-1]
        then = draw(st.sampled_from([now, now, now, known[draw(st.integers(0, len(known) - 1))]]))
        open_ = [pending for attempt in now.attempts for pending in attempt.unanswered]
        deed = draw(
            st.sampled_from(["request", "request", "answer", "answer", "report", "report", "report", "sweep", "people"])
        )
        if deed == "request":
            request = draw(REQUESTS)
            attempt, revision, _ = next_request(then if then.attempts else None, request, history.at)
            history.add(EntryType.REQUESTED, attempt=attempt, revision=revision, request=request)
        elif deed == "answer" and open_:
            pending = draw(st.sampled_from(open_))
            kind = draw(ANSWERS)
            if pending.request.action is Action.CANCEL and kind is EntryType.ACCEPTED:
                kind = EntryType.CANCELLED
            number = next(a.number for a in now.attempts if pending in a.unanswered)
            retry_at = history.at + 5 * MINUTE if kind is EntryType.UNCONFIRMED and draw(st.booleans()) else None
            history.add(kind, attempt=number, revision=pending.revision, retry_at=retry_at)
        elif deed == "sweep" and then.attempts:
            due = deadline(then, GRACES)
            if due and due.phase is not DeadlineType.RETRY:
                history.at = max(history.at, due.at)
                missing = tuple(missing_resources(then.current, GRACES))
                more = {"attempt": then.current.number, "revision": then.revision, "missing": missing}
                history.add(EntryType.OVERDUE, phase=due.phase, **more)
        elif deed == "people" and now.attempts:
            kind = draw(st.sampled_from([EntryType.ALERTED, EntryType.ACKNOWLEDGED, EntryType.ESCALATED]))
            history.add(kind, attempt=now.current.number, cause=now.incident)
        else:
            address = draw(st.sampled_from([None, None, 1, 2]))
            history.add(EntryType.UNRECOGNISED, attempt=address, notification=draw(NOTIFICATIONS))
        known.append(history.record)
    return history.entries


def ordered(entries: Iterable[Entry]) -> list[Entry]:
    return [step.entry for step in steps(entries)]


OWN_ENTRIES: dict[str, Callable[[], History]] = {
    "nothing of ours": History,
    "requested": lambda: History().request(),
    "accepted": scheduled,
    "rejected": lambda: History().request().answer(EntryType.REJECTED),
    "unconfirmed": lambda: History().request().answer(EntryType.UNCONFIRMED),
    "moved": lambda: scheduled().request(moved(MINUTE)).answer(EntryType.ACCEPTED),
    "moved in vain": lambda: scheduled().request(moved(MINUTE)).answer(EntryType.REJECTED),
    "cancelled": lambda: scheduled().cancel(),
    "cancelled in vain": lambda: scheduled().request(AWAY).answer(EntryType.REJECTED),
    "rejected and cancelled": lambda: History().request().answer(EntryType.REJECTED).cancel(),
}


def placed(own: Sequence[Entry], notifications: Sequence[Notification], places: Sequence[int]) -> Record:
    """The record when each notification arrives after so many of our own entries, and after those given before it."""
    entries = list(own)
    for number, (notification, place) in enumerate(zip(notifications, places, strict=True)):
        at = (own[min(place, len(own) - 1)].at if own else NOON) + timedelta(seconds=number + 1)
        entries.append(Entry(key=f"n{number}", kind=EntryType.UNRECOGNISED, at=at, notification=notification))
    return fold(entries)


def same_event(notification: Notification) -> Notification:
    return replace(notification, event_id="evt_1", meeting=WISH.meeting)


@given(st.data())
def test_the_notifications_of_one_attempt_give_the_same_outcome_in_every_order_and_with_every_repetition(
    data: st.DataObject,
) -> None:
    """Wherever they fall between our own entries, once there is a request."""
    own = OWN_ENTRIES[data.draw(st.sampled_from(list(OWN_ENTRIES)))]().entries
    notifications = data.draw(st.lists(NOTIFICATIONS.map(same_event), min_size=1, max_size=6))
    shuffled = data.draw(st.permutations([*notifications, *data.draw(st.lists(st.sampled_from(notifications)))]))
    place = st.integers(0, 6)
    one = placed(own, notifications, [data.draw(place) for _ in notifications])
    other = placed(own, shuffled, [data.draw(place) for _ in shuffled])
    assert outcome(one.current) == outcome(other.current)
    assert one.event_id == other.event_id
    assert one.meeting == other.meeting


@pytest.mark.parametrize("own", OWN_ENTRIES)
def test_all_120_orders_of_all_five_notifications_give_one_outcome(own: str) -> None:
    entries = OWN_ENTRIES[own]().entries
    five = [Notification(kinds=(kind,), sub="agt_1", event_id="evt_1") for kind in REPORTED]
    records = [placed(entries, order, [9] * 5) for order in permutations(five)]
    assert len({outcome(record.current) for record in records}) == 1
    assert {record.state for record in records} == {State.COMPLETE}


@given(histories())
def test_an_end_is_left_only_by_a_new_request_or_by_evidence_from_cronofy(entries: list[Entry]) -> None:
    """Evidence: one of its callbacks, or its answer to what was asked."""
    for step in steps(entries):
        if step.state_before in TERMINAL_STATES and step.after.state is not step.state_before:
            begins_anew = step.after.current.number > step.before.current.number
            said = set(step.entry.notification.kinds) if step.entry.notification else {step.entry.kind}
            assert begins_anew or said & {*REPORTS, EntryType.ACCEPTED, EntryType.CANCELLED}
            assert begins_anew or step.state_before is not State.COMPLETE


@given(histories())
def test_every_entry_has_exactly_one_verdict(entries: list[Entry]) -> None:
    timeline = list(steps(entries))
    assert sorted(step.entry.key for step in timeline) == sorted(entry.key for entry in entries)
    assert sum(timeline[-1].after.verdicts.values()) == timeline[-1].after.entries == len(entries)
    for step in timeline:
        assert step.after.verdicts[step.verdict] == step.before.verdicts.get(step.verdict, 0) + 1
        assert bool(step.ignored_because) is (step.verdict is not Verdict.APPLIED)


ANYTHING = st.builds(
    Entry,
    key=st.text(max_size=2),
    kind=st.sampled_from(EntryType),
    at=st.datetimes(timezones=st.just(UTC)),
    attempt=st.none() | st.integers(-1, 3),
    revision=st.none() | st.integers(-1, 3),
    request=st.none() | REQUESTS,
    notification=st.none() | NOTIFICATIONS,
    phase=st.none() | st.sampled_from(DeadlineType),
    cause=st.none() | st.sampled_from(IncidentType),
)


@given(st.lists(ANYTHING, min_size=1, max_size=12))
def test_no_entry_is_refused_however_senseless(entries: list[Entry]) -> None:
    timeline = list(steps(entries))
    assert len(timeline) == len({entry.key for entry in entries})
    for step in timeline:
        assert step.verdict in Verdict
        assert step.cause is None or step.cause in IncidentType


@given(histories(), st.sampled_from([GRACES, GracePeriods()]))
def test_a_deadline_exists_exactly_where_something_is_still_owed(entries: list[Entry], graces: GracePeriods) -> None:
    """Nobody but an end, a silence that was reported, or a person is waited for without one."""
    for step in steps(entries):
        attempt, due = step.after.current, deadline(step.after, graces)
        awaited = {
            State.REQUESTED: attempt.asked is not None,
            State.SCHEDULED: attempt.asked is not None,
            State.ACTIVATED: True,
            State.COMPLETE: bool(missing_resources(attempt, graces)) and DeadlineType.RESOURCES not in attempt.missed,
        }
        is_retried = attempt.pending is not None and attempt.pending.retry_at is not None
        is_open = attempt.pending is not None and attempt.pending.request.action is Action.CANCEL
        is_wanted = not is_open and step.after.incident is not IncidentType.NOT_CANCELLED
        assert (due is not None) == ((awaited.get(attempt.state, False) and is_wanted) or is_retried)


@given(histories(), st.integers(0, 14))
def test_folding_is_incremental(entries: list[Entry], split: int) -> None:
    entries = ordered(entries)
    before, after = entries[:split], entries[split:]
    assert fold(after, onto=fold(before)) == fold(entries)


@given(histories(), st.randoms())
def test_an_entry_counts_once_however_often_it_is_listed(entries: list[Entry], chance: Any) -> None:
    listed = entries * 2
    chance.shuffle(listed)
    assert fold(listed) == fold(entries)


@given(histories())
def test_an_earlier_attempt_may_still_learn_facts_and_never_changes_the_state(entries: list[Entry]) -> None:
    for step in steps(entries):
        earlier = step.after.attempts[:-1]
        if step.before.attempts and earlier != step.before.attempts[: len(earlier)]:
            assert step.verdict is Verdict.STALE
            assert step.cause is None
            assert step.after.current == step.before.current


TROUBLES = frozenset(IncidentType) - {
    IncidentType.REAUTHORISATION,
    IncidentType.CONFLICTING,
    IncidentType.MISMATCHED,
    IncidentType.RECOVERED,
}


@given(histories())
def test_an_all_clear_follows_a_trouble_that_people_were_told_of_and_each_trouble_has_at_most_one(
    entries: list[Entry],
) -> None:
    trouble: IncidentType | None = None
    for step in steps(entries):
        if step.cause is IncidentType.RECOVERED:
            assert trouble is not None
            trouble = None
        elif step.cause in TROUBLES:
            trouble = step.cause
        assert step.after.incident in (trouble, None)


@given(histories(), st.integers(0, 2))
def test_no_cancellation_fails_in_silence_while_the_agent_may_come(entries: list[Entry], unanswered: int) -> None:
    """Whatever came before it; told once, until the agent is wanted again or has come to an end."""
    asked: dict[int, Request] = {}
    history = History()
    history.entries, history.at = list(entries), fold(entries).updated_at
    history.request(AWAY)
    for _ in range(unanswered):
        history.answer(EntryType.UNCONFIRMED)
    is_troubled = False
    for step in history.answer(EntryType.REJECTED).steps:
        entry, record = step.entry, step.after
        if entry.request and step.verdict is Verdict.APPLIED:
            asked[record.revision] = entry.request
            is_troubled &= entry.request.action is Action.CANCEL
        is_troubled |= (
            step.cause is IncidentType.NOT_CANCELLED
        )  # it may be active already, while the cancellation waits
        is_refused = entry.kind is EntryType.REJECTED and step.verdict is Verdict.APPLIED
        is_last_word = is_refused and entry.revision == record.revision
        has_failed = is_last_word and asked[record.revision].action is Action.CANCEL
        may_come = record.state not in TERMINAL_STATES and entry.at < (
            record.meeting.end or datetime.max.replace(tzinfo=UTC)
        )
        if has_failed and may_come and record.current.asked is not None:
            assert is_troubled or step.cause is IncidentType.NOT_CANCELLED
            is_troubled = True
        is_troubled &= record.state not in TERMINAL_STATES


# ---------------------------------------------------------------------------------------- requests, answers, attempts


def asked(record: Record | None, request: Request, at: datetime = NOON) -> tuple[int, int, bool]:
    return next_request(record, request, at)


def test_the_first_request_is_the_first_of_the_first_attempt() -> None:
    assert asked(None, WISH) == asked(Record(), WISH) == (1, 1, True)


def test_the_same_body_again_is_no_news_while_it_stands() -> None:
    """Not while its outcome is open, and not once it is accepted."""
    for history in (History().request(), scheduled(), scheduled().report(EntryType.ACTIVATED)):
        assert asked(history.record, WISH) == (1, 1, False)
        assert asked(history.record, moved(MINUTE)) == (1, 2, True)


def test_a_request_that_is_written_down_twice_is_one() -> None:
    """Two callers who knew the same made the same of it."""
    history = scheduled()
    before = history.record
    history.add(EntryType.REQUESTED, attempt=1, revision=1, request=WISH)
    assert (history.last.verdict, history.last.ignored_because) == (
        Verdict.DUPLICATE,
        Reason.of(ReasonCode.ALREADY_KNOWN),
    )
    assert history.record.attempts == before.attempts


def test_a_request_without_a_number_is_the_next_one_of_the_first_attempt() -> None:
    """Numbered or not, each request counts."""
    history = History().add(EntryType.REQUESTED, request=WISH)
    assert (history.record.revision, history.record.current.number) == (1, 1)
    history.add(EntryType.REQUESTED, request=moved(MINUTE))
    assert (history.record.revision, history.record.current.number) == (2, 1)


def test_the_body_of_an_overtaken_request_is_news_again() -> None:
    history = scheduled().request(moved(MINUTE))
    assert asked(history.record, WISH) == (1, 3, True)
    assert asked(history.record, moved(MINUTE)) == (1, 2, False)
    assert asked(history.answer(EntryType.REJECTED).record, WISH) == (1, 2, False)


@pytest.mark.parametrize("state", sorted(TERMINAL_STATES))
def test_a_request_after_an_end_begins_a_new_attempt_unless_the_meeting_is_over(state: State) -> None:
    """What Cronofy refused was never there, so that even then it is a new attempt."""
    record = REACHED[state]().record
    anew = (2, record.revision + 1, True)
    assert asked(record, WISH, END - MINUTE) == anew
    assert asked(record, moved(MINUTE), END) == anew
    late_wish = replace(WISH, digest="corrected")
    is_corrected = state is not State.REJECTED
    assert asked(record, late_wish, END) == ((1, record.revision + 1, True) if is_corrected else anew)
    endless = replace(WISH, meeting=Meeting(start=START))
    assert asked(record, endless, END) == anew


def test_a_request_to_a_silent_agent_is_news_until_it_is_under_way() -> None:
    history = scheduled().overdue(DeadlineType.ACTIVATION)
    assert asked(history.record, WISH) == (1, 2, True)
    assert asked(history.request().record, WISH) == (1, 2, False)
    never_confirmed = History().request().answer(EntryType.UNCONFIRMED).overdue(DeadlineType.ACTIVATION)
    assert asked(never_confirmed.record, WISH) == (1, 2, True)
    assert due(never_confirmed.request().answer(EntryType.ACCEPTED))


def test_a_cancellation_is_news_until_it_is_under_way_or_done() -> None:
    history = scheduled()
    assert asked(history.record, AWAY) == (1, 2, True)
    assert asked(history.request(AWAY).record, AWAY) == (1, 2, False)
    assert asked(history.record, replace(AWAY, digest="deleted")) == (1, 3, True)
    assert asked(history.answer(EntryType.CANCELLED).record, replace(AWAY, digest="deleted")) == (1, 2, False)


def test_the_same_digest_asks_for_the_same_only_with_the_same_action() -> None:
    history = scheduled().request(replace(AWAY, digest=WISH.digest))
    assert asked(history.record, WISH) == (1, 3, True)


def test_a_cancellation_of_nothing_is_written_down_and_owes_nothing() -> None:
    history = History().request(AWAY)
    assert (history.record.state, history.record.current.asked) == (State.REQUESTED, None)
    assert history.record.current.reason == Reason.of(ReasonCode.CANCELLATION_REQUESTED)
    assert deadline(history.record, GRACES) is None
    assert history.answer(EntryType.CANCELLED).record.state is State.CANCELLED


def test_a_refused_cancellation_of_nothing_is_an_end_that_troubles_nobody() -> None:
    history = History().request(AWAY).answer(EntryType.REJECTED)
    assert history.record.state is State.REJECTED
    assert (history.causes, history.record.has_incident) == ([], False)


def test_a_refused_cancellation_leaves_the_agent_as_it_was() -> None:
    for history in (scheduled(), History().request(), scheduled().report(EntryType.ACTIVATED)):
        before = history.record
        after = history.request(AWAY).answer(EntryType.REJECTED).record
        assert (after.state, after.current.asked) == (before.state, WISH)
        assert deadline(after, GRACES) is None  # nobody waits for whom nobody wants
        assert after.current.pending is None or after.current.pending.request == WISH


def test_a_refused_cancellation_of_an_agent_known_only_from_cronofy_leaves_it() -> None:
    history = History().report(EntryType.CONFERENCING_ASSIGNED).request(AWAY).answer(EntryType.REJECTED)
    assert history.record.state is State.SCHEDULED


def test_a_refused_change_leaves_what_was_accepted_before() -> None:
    history = scheduled().request(moved(30 * MINUTE))
    assert history.record.meeting == moved(30 * MINUTE).meeting
    history.answer(EntryType.REJECTED)
    assert (history.record.state, history.record.meeting) == (State.SCHEDULED, WISH.meeting)
    assert history.causes == []


def test_a_refused_request_is_kept_as_what_was_wanted() -> None:
    history = History().request().answer(EntryType.REJECTED, reason=Reason.of(ReasonCode.REQUEST_REFUSED, status=422))
    assert (history.record.meeting, history.record.current.reason) == (
        WISH.meeting,
        Reason.of(ReasonCode.REQUEST_REFUSED, status=422),
    )


def test_a_silent_agent_whose_new_request_is_refused_is_rejected() -> None:
    history = scheduled().overdue(DeadlineType.ACTIVATION).request().answer(EntryType.REJECTED)
    assert history.record.state is State.REJECTED
    assert history.causes == [IncidentType.NEVER_ACTIVATED, IncidentType.REJECTED]


def test_a_request_that_is_refused_after_all_retries_is_rejected_though_it_was_overdue() -> None:
    history = (
        History().request().answer(EntryType.UNCONFIRMED).overdue(DeadlineType.ACTIVATION).answer(EntryType.REJECTED)
    )
    assert history.record.state is State.REJECTED


def test_evidence_of_a_conference_does_not_save_a_request_from_refusal() -> None:
    """The calendar event may have had one before."""
    assert (
        History().request().report(EntryType.CONFERENCING_ASSIGNED).answer(EntryType.REJECTED).record.state
        is State.REJECTED
    )


def test_answers_to_two_requests_at_once_may_come_in_any_order() -> None:
    """The newer request holds, whichever is answered first, and only an accepted one."""
    for first, second in ((1, 2), (2, 1)):
        history = History().request().request(moved(MINUTE))
        history.answer(EntryType.ACCEPTED, revision=first).answer(EntryType.ACCEPTED, revision=second)
        assert (history.record.state, history.record.meeting) == (State.SCHEDULED, moved(MINUTE).meeting)
        assert history.record.current.pending is None
        overtaken = Reason.of(ReasonCode.NEWER_REQUEST, request=1, newest=2)
        assert history.last.ignored_because == (None if second == 2 else overtaken)
    for answers in (
        [(1, EntryType.ACCEPTED), (2, EntryType.REJECTED)],
        [(2, EntryType.REJECTED), (1, EntryType.ACCEPTED)],
    ):
        history = History().request().request(moved(MINUTE))
        for revision, kind in answers:
            history.answer(kind, revision=revision)
        assert (history.record.state, history.record.meeting) == (State.SCHEDULED, WISH.meeting)
        assert not history.record.has_incident


def test_the_refusal_of_an_overtaken_request_is_no_end() -> None:
    history = History().request().request(moved(MINUTE)).answer(EntryType.REJECTED, revision=1)
    assert (history.record.state, history.record.meeting) == (State.REQUESTED, moved(MINUTE).meeting)


def test_of_two_open_requests_the_newer_says_what_is_wanted() -> None:
    history = History().request().request(moved(MINUTE))
    assert history.record.meeting == moved(MINUTE).meeting
    history.answer(EntryType.UNCONFIRMED, revision=1, reason=Reason.of(ReasonCode.RETRY_PLANNED, failure=503))
    assert history.record.current.reason == Reason.of(ReasonCode.REQUESTED)


def test_a_request_after_a_cancellation_holds_though_the_cancellation_is_answered_later() -> None:
    history = scheduled().request(AWAY).request(moved(MINUTE)).answer(EntryType.CANCELLED, revision=2)
    assert history.record.state is State.SCHEDULED
    assert history.record.current.cancelled_at
    assert history.answer(EntryType.ACCEPTED, revision=3).record.state is State.SCHEDULED
    history = scheduled().request(AWAY).request(moved(MINUTE))
    history.answer(EntryType.ACCEPTED, revision=3).answer(EntryType.CANCELLED, revision=2)
    assert (history.record.state, history.last.verdict) == (State.SCHEDULED, Verdict.STALE)


def test_an_acceptance_after_the_silence_was_reported_gives_no_more_time() -> None:
    history = (
        History()
        .request()
        .request(moved(MINUTE))
        .overdue(DeadlineType.ACTIVATION)
        .answer(EntryType.REJECTED, revision=2)
    )
    assert history.answer(EntryType.ACCEPTED, revision=1).record.state is State.REJECTED
    assert history.report(EntryType.ACTIVATED).record.state is State.ACTIVATED


def test_unconfirmed_counts_the_tries_and_says_when_the_next_one_is() -> None:
    history = (
        History()
        .request()
        .answer(
            EntryType.UNCONFIRMED, reason=Reason.of(ReasonCode.RETRY_PLANNED, failure=503), retry_at=NOON + 9 * MINUTE
        )
    )
    pending = history.record.current.pending
    assert pending
    assert (pending.tries, pending.retry_at) == (1, NOON + 9 * MINUTE)
    assert history.record.current.reason == Reason.of(ReasonCode.RETRY_PLANNED, failure=503)
    assert deadline(history.record, GRACES) == Deadline(NOON + 9 * MINUTE, DeadlineType.RETRY)
    pending = history.answer(EntryType.UNCONFIRMED).record.current.pending
    assert pending
    assert (pending.tries, pending.retry_at) == (2, None)
    assert history.record.current.reason == Reason.of(ReasonCode.RETRY_PLANNED, failure=503)


def test_a_change_that_is_not_confirmed_does_not_change_why_the_agent_stands_where_it_stands() -> None:
    history = (
        scheduled()
        .request(moved(MINUTE))
        .answer(EntryType.UNCONFIRMED, reason=Reason.of(ReasonCode.RETRY_PLANNED, failure=503))
    )
    assert history.record.current.reason == Reason.of(ReasonCode.REQUEST_ACCEPTED)


def test_what_an_acceptance_told_is_kept() -> None:
    history = History().request().answer(EntryType.ACCEPTED, sub="agt_1", resources=(DASHBOARD,))
    assert (history.record.current.subs, history.record.current.resources) == (("agt_1",), (DASHBOARD,))
    assert history.record.current.accepted_at == history.at


def test_an_answer_for_an_earlier_attempt_is_late() -> None:
    """Its facts are noted; what happens now is not moved."""
    history = History().request().report(EntryType.FAILED).request()
    history.answer(EntryType.ACCEPTED, revision=1, attempt=1)
    assert (history.last.verdict, history.record.state) == (Verdict.STALE, State.REQUESTED)
    assert history.record.attempts[0].accepted_revision == 1
    assert history.last.ignored_because == Reason.of(ReasonCode.OTHER_ATTEMPT, attempt=1, current=2)


def test_a_request_for_an_agent_known_only_from_cronofy_makes_it_ours() -> None:
    history = History().report(EntryType.ACTIVATED, meeting=WISH.meeting)
    assert (history.record.was_requested, history.record.identity) == (False, None)
    history.request()
    assert (history.record.was_requested, history.record.identity) == (True, WISH)
    assert (history.record.state, len(history.record.attempts)) == (State.ACTIVATED, 1)


# ------------------------------------------------------------------------------------------------------- notifications


def test_the_attempt_is_told_by_sub_then_by_address_then_by_being_the_newest() -> None:
    def history() -> History:
        return scheduled().report(EntryType.FAILED, sub="agt_1").request().answer(EntryType.ACCEPTED)

    late_news = history().report(EntryType.COMPLETE, sub="agt_1", attempt=2)
    assert [attempt.state for attempt in late_news.record.attempts] == [State.COMPLETE, State.SCHEDULED]
    assert (late_news.last.verdict, late_news.last.cause) == (Verdict.STALE, None)
    assert late_news.last.ignored_because == Reason.of(ReasonCode.OTHER_ATTEMPT, attempt=1, current=2)
    for news in (history().report(EntryType.COMPLETE, sub="agt_2", attempt=2), history().report(EntryType.COMPLETE)):
        assert [attempt.state for attempt in news.record.attempts] == [State.FAILED, State.COMPLETE]
    addressed = history().report(EntryType.COMPLETE, attempt=1)
    assert [attempt.state for attempt in addressed.record.attempts] == [State.COMPLETE, State.SCHEDULED]


def test_a_notification_about_another_calendar_event_changes_nothing() -> None:
    history = scheduled()
    before = history.record
    history.report(EntryType.FAILED, event_id="evt_2", sub="agt_9", resources=(DASHBOARD,))
    assert (history.last.verdict, history.last.cause) == (Verdict.MISMATCHED, IncidentType.MISMATCHED)
    assert history.record.attempts == before.attempts
    assert history.last.ignored_because == Reason.of(
        ReasonCode.OTHER_CALENDAR_EVENT, event_id="evt_2", expected="evt_1"
    )


def test_a_notification_without_a_calendar_event_is_not_mismatched() -> None:
    assert scheduled().report(EntryType.ACTIVATED, event_id="").record.state is State.ACTIVATED


def test_an_unknown_interaction_is_named() -> None:
    history = scheduled().report(interactions=("meeting_agent_waiting", "x"))
    assert history.last.ignored_because == Reason.of(
        ReasonCode.NOTHING_RECOGNISED, interactions="meeting_agent_waiting, x"
    )
    assert scheduled().report(interactions=()).last.ignored_because == Reason.of(ReasonCode.NOTHING_RECOGNISED)


def test_an_agent_that_was_never_requested_is_followed_from_what_cronofy_says() -> None:
    record = History().report(EntryType.CONFERENCING_ASSIGNED, meeting=WISH.meeting).record
    assert (record.state, record.was_requested, record.meeting) == (State.SCHEDULED, False, WISH.meeting)
    assert (record.event_id, record.current.number) == ("evt_1", 1)
    assert record.current.reason == Reason.of(ReasonCode.NOT_REQUESTED_HERE)
    assert deadline(record, GRACES) == Deadline(START + GRACES.activation, DeadlineType.ACTIVATION)


def test_what_cronofy_says_of_a_meeting_does_not_replace_what_was_asked_for() -> None:
    """And where nothing was asked for and it says nothing, nothing is known."""
    assert scheduled().report(EntryType.ACTIVATED, meeting=moved(60 * MINUTE).meeting).record.meeting == WISH.meeting
    assert History().report(EntryType.ACTIVATED).record.current.asked is None


def test_nobody_is_awaited_of_whom_nothing_is_known() -> None:
    """A signed body that says nothing is no reason to call people ten minutes later."""
    assert deadline(History().report(interactions=("x",)).record, GRACES) is None


def test_several_interactions_in_one_body_all_count() -> None:
    history = scheduled().report(EntryType.COMPLETE, EntryType.ACTIVATED, EntryType.CONFERENCING_ASSIGNED)
    attempt = history.record.current
    assert (attempt.state, attempt.conference) == (State.COMPLETE, Conference.ASSIGNED)
    assert attempt.activated_at == attempt.complete_at == history.at


def test_complete_wins_over_failed_and_the_record_says_that_both_were_reported() -> None:
    for kinds in permutations((EntryType.FAILED, EntryType.COMPLETE)):
        history = scheduled()
        for kind in kinds:
            history.report(kind)
        assert (history.record.state, history.record.current.is_conflicting) == (State.COMPLETE, True)
        assert (history.last.verdict, history.last.cause) == (Verdict.CONFLICTING, IncidentType.CONFLICTING)
        assert not history.record.has_incident
        assert history.last.ignored_because == Reason.of(ReasonCode.COMPLETE_AND_FAILED)
        history.report(EntryType.FAILED)
        assert history.last.verdict is Verdict.DUPLICATE


def test_the_times_are_those_of_the_first_report() -> None:
    history = scheduled().report(EntryType.ACTIVATED)
    first = history.at
    assert history.report(EntryType.ACTIVATED).record.current.activated_at == first
    history.report(EntryType.COMPLETE)
    first = history.at
    assert history.report(EntryType.COMPLETE, sub="agt_1").record.current.complete_at == first
    history = scheduled().report(EntryType.FAILED)
    assert history.report(EntryType.FAILED, sub="agt_1").record.current.failed_at == history.at - MINUTE


def test_a_failure_is_told_in_every_word_that_cronofy_gave() -> None:
    history = scheduled().report(EntryType.FAILED)
    assert history.record.current.reason == Reason.of(ReasonCode.REPORTED_FAILED)
    history.report(EntryType.FAILED, remarks=("b: 2",)).report(EntryType.FAILED, remarks=("a: 1",))
    assert history.record.current.reason == Reason.of(ReasonCode.REPORTED_FAILED, remarks="a: 1; b: 2")
    assert (history.record.current.failures, history.last.verdict) == (("a: 1", "b: 2"), Verdict.APPLIED)
    assert history.record.current.since == history.at - 2 * MINUTE


def test_more_resources_for_a_complete_agent_are_news() -> None:
    history = (
        scheduled()
        .report(EntryType.COMPLETE, resources=(TRANSCRIPT,))
        .report(EntryType.COMPLETE, resources=(DASHBOARD,))
    )
    assert history.record.current.resources == (DASHBOARD, TRANSCRIPT)
    assert history.last.verdict is Verdict.APPLIED


def test_a_conference_that_is_assigned_stays_so() -> None:
    history = scheduled().report(EntryType.CONFERENCING_ASSIGNED).report(EntryType.CONFERENCING_FAILING)
    assert (history.record.current.conference, history.last.verdict) == (Conference.ASSIGNED, Verdict.STALE)
    assert history.last.ignored_because == Reason.of(ReasonCode.CONFERENCE_ALREADY_ASSIGNED)
    assert (
        scheduled().report(EntryType.CONFERENCING_FAILING).report(EntryType.CONFERENCING_FAILING).last.verdict
        is V.DUPLICATE
    )


def test_said_again_that_it_is_active_an_agent_that_never_ended_stays_overdue() -> None:
    """It is no sign of life, and otherwise nobody would wait for its end any more."""
    history = (
        scheduled()
        .report(EntryType.ACTIVATED)
        .overdue(DeadlineType.COMPLETION)
        .report(EntryType.ACTIVATED, resources=(DASHBOARD,))
    )
    assert (history.record.state, history.last.verdict) == (State.OVERDUE, Verdict.STALE)
    assert history.last.ignored_because == Reason.of(ReasonCode.STATE_ALREADY_LEFT, state="overdue")


def test_the_record_says_since_when_and_why() -> None:
    reasons = {state: reach().record.current.reason for state, reach in REACHED.items()}
    assert reasons == {
        State.REQUESTED: Reason.of(ReasonCode.REQUESTED),
        State.SCHEDULED: Reason.of(ReasonCode.REQUEST_ACCEPTED),
        State.ACTIVATED: Reason.of(ReasonCode.REPORTED_ACTIVE),
        State.COMPLETE: Reason.of(ReasonCode.REPORTED_COMPLETE),
        State.FAILED: Reason.of(ReasonCode.REPORTED_FAILED),
        State.REJECTED: Reason.of(ReasonCode.REQUEST_REFUSED),
        State.CANCELLED: Reason.of(ReasonCode.CANCELLATION_ACCEPTED),
        State.OVERDUE: Reason.of(ReasonCode.ACTIVATION_MISSED, at=START),
    }
    for reach in REACHED.values():
        history = reach()
        assert history.record.current.since == history.record.updated_at == history.at


def test_the_answers_own_words_come_first() -> None:
    accepted, gone = Reason.of(ReasonCode.REQUEST_ACCEPTED, status=202), Reason.of(ReasonCode.NOTE, note="gone")
    assert History().request().answer(EntryType.ACCEPTED, reason=accepted).record.current.reason == accepted
    assert scheduled().request(AWAY).answer(EntryType.CANCELLED, reason=gone).record.current.reason == gone


# ------------------------------------------------------------------------------------------------------------ deadlines


def due(history: History, graces: GracePeriods = GRACES) -> Deadline | None:
    return deadline(history.record, graces)


def test_before_the_meeting_the_conference_is_awaited_then_the_agent() -> None:
    history = scheduled()
    assert due(history) == Deadline(START - GRACES.conference, DeadlineType.CONFERENCE)
    activation = Deadline(START + GRACES.activation, DeadlineType.ACTIVATION)
    assert due(scheduled().report(EntryType.CONFERENCING_ASSIGNED)) == activation
    assert due(history.overdue(DeadlineType.CONFERENCE)) == activation
    unexpected = replace(WISH, conference_expected=False)
    assert due(History().request(unexpected)) == activation


def test_a_conference_is_awaited_only_if_it_was_asked_for_in_time() -> None:
    """What is asked for a moment before the meeting is asked for too late to be missed."""
    for lead, phase in (
        (GRACES.conference, DeadlineType.ACTIVATION),
        (GRACES.conference + MINUTE, DeadlineType.CONFERENCE),
    ):
        history = History()
        history.at = START - lead - MINUTE
        awaited = due(history.request())
        assert awaited
        assert awaited.phase is phase


def test_a_running_meeting_gives_an_agent_its_grace_from_the_request() -> None:
    history = History()
    history.at = START + 20 * MINUTE
    history.request()
    assert due(history) == Deadline(history.at + GRACES.activation, DeadlineType.ACTIVATION)


def test_an_active_agent_owes_its_end_and_a_complete_one_its_resources() -> None:
    history = scheduled().report(EntryType.ACTIVATED)
    assert due(history) == Deadline(END + GRACES.completion, DeadlineType.COMPLETION)
    history.report(EntryType.COMPLETE, resources=(DASHBOARD,))
    assert due(history) == Deadline(history.at + GRACES.resources, DeadlineType.RESOURCES)
    assert due(history, GracePeriods()) is None
    assert due(scheduled().report(EntryType.COMPLETE, resources=(TRANSCRIPT,))) is None
    assert due(history.overdue(DeadlineType.RESOURCES)) is None


def test_an_agent_that_becomes_active_late_has_its_grace_from_then() -> None:
    history = scheduled()
    history.at = END + 5 * MINUTE
    history.report(EntryType.ACTIVATED)
    assert due(history) == Deadline(history.at + GRACES.completion, DeadlineType.COMPLETION)


def test_a_meeting_without_an_end_is_taken_as_long() -> None:
    history = History().request(replace(WISH, meeting=Meeting(start=START))).report(EntryType.ACTIVATED)
    assert due(history) == Deadline(
        START + GRACES.assumed_meeting_duration + GRACES.completion, DeadlineType.COMPLETION
    )


def test_a_meeting_without_a_start_begins_with_its_request() -> None:
    history = History().request(replace(WISH, meeting=Meeting(), conference_expected=False))
    assert due(history) == Deadline(history.at + GRACES.activation, DeadlineType.ACTIVATION)


def test_a_moved_meeting_moves_its_deadlines() -> None:
    """At once, for the agent is wanted then; and back, if Cronofy refuses."""
    history = scheduled().report(EntryType.CONFERENCING_ASSIGNED).request(moved(60 * MINUTE))
    later = Deadline(START + 60 * MINUTE + GRACES.activation, DeadlineType.ACTIVATION)
    assert due(history) == later
    assert due(history.answer(EntryType.REJECTED)) == Deadline(START + GRACES.activation, DeadlineType.ACTIVATION)
    assert due(history.request(moved(60 * MINUTE)).answer(EntryType.ACCEPTED)) == later
    assert due(history.report(EntryType.ACTIVATED)) == Deadline(
        END + 60 * MINUTE + GRACES.completion, DeadlineType.COMPLETION
    )


def test_a_moved_meeting_owes_its_conference_anew() -> None:
    history = scheduled().overdue(DeadlineType.CONFERENCE).request(moved(600 * MINUTE)).answer(EntryType.ACCEPTED)
    assert due(history) == Deadline(START + 600 * MINUTE - GRACES.conference, DeadlineType.CONFERENCE)


def test_a_new_title_gives_silence_no_more_time() -> None:
    """Or whoever changes a title every five minutes would keep a dead agent from being found."""
    history = scheduled().overdue(DeadlineType.CONFERENCE)
    before = due(history)
    history.at = START + 5 * MINUTE
    titled = replace(WISH, digest="new title", meeting=replace(WISH.meeting, summary="New title"))
    assert due(history.request(titled)) == due(history.answer(EntryType.ACCEPTED)) == before


def test_a_deadline_missed_for_an_older_request_is_late() -> None:
    history = scheduled().request(moved(60 * MINUTE)).overdue(DeadlineType.ACTIVATION, revision=1)
    assert (history.last.verdict, history.record.state) == (Verdict.STALE, State.SCHEDULED)
    assert history.last.ignored_because == Reason.of(ReasonCode.NEWER_REQUEST, request=1, newest=2)


def test_a_deadline_missed_by_an_earlier_attempt_is_late() -> None:
    history = scheduled().report(EntryType.FAILED).request().overdue(DeadlineType.ACTIVATION, attempt=1)
    assert (history.last.verdict, history.record.state) == (Verdict.STALE, State.REQUESTED)


@pytest.mark.parametrize("phase", [DeadlineType.RETRY, DeadlineType.RESOURCES, DeadlineType.COMPLETION, None])
def test_a_deadline_that_nobody_was_awaiting_is_late(phase: DeadlineType | None) -> None:
    history = scheduled().answer(EntryType.OVERDUE, phase=phase)
    assert (history.last.verdict, history.last.cause, history.record.state) == (Verdict.STALE, None, State.SCHEDULED)
    assert history.last.ignored_because == Reason.of(ReasonCode.STATE_ALREADY_LEFT, state="scheduled")


def test_a_conference_that_was_assigned_meanwhile_is_not_missed() -> None:
    history = scheduled().report(EntryType.CONFERENCING_ASSIGNED).overdue(DeadlineType.CONFERENCE)
    assert (history.last.verdict, history.causes) == (Verdict.STALE, [])


def test_an_active_agent_that_is_asked_for_again_after_its_end_has_its_grace_again() -> None:
    history = scheduled().report(EntryType.ACTIVATED)
    history.at = END + 60 * MINUTE
    history.overdue(DeadlineType.COMPLETION).request()
    assert due(history) == Deadline(history.at + GRACES.completion, DeadlineType.COMPLETION)


def test_a_silent_agent_that_is_asked_for_again_has_its_grace_again() -> None:
    history = scheduled().overdue(DeadlineType.ACTIVATION)
    assert due(history) is None
    history.at = START + 30 * MINUTE
    history.request()
    assert due(history) == Deadline(history.at + GRACES.activation, DeadlineType.ACTIVATION)
    assert history.answer(EntryType.ACCEPTED).overdue(DeadlineType.ACTIVATION).record.state is State.OVERDUE


def test_an_active_agent_whose_meeting_is_prolonged_after_its_silence_owes_its_end_again() -> None:
    """It is in the meeting already and will not be reported active a second time."""
    history = scheduled().report(EntryType.ACTIVATED).overdue(DeadlineType.COMPLETION).request(moved(90 * MINUTE))
    assert history.record.state is State.ACTIVATED
    assert due(history) == Deadline(END + 90 * MINUTE + GRACES.completion, DeadlineType.COMPLETION)
    assert history.causes == [IncidentType.NOT_FINISHED]


def test_a_correction_after_the_end_owes_nothing_anew() -> None:
    history = scheduled().report(EntryType.COMPLETE).overdue(DeadlineType.RESOURCES, missing=("transcript",))
    history.at = END
    history.request(replace(WISH, digest="corrected", meeting=replace(WISH.meeting, start=START - MINUTE)))
    assert (history.record.state, due(history)) == (State.COMPLETE, None)


def test_the_earliest_of_several_deadlines_counts() -> None:
    history = History().request().answer(EntryType.UNCONFIRMED, retry_at=START)
    assert due(history) == Deadline(START - GRACES.conference, DeadlineType.CONFERENCE)
    assert due(history.overdue(DeadlineType.CONFERENCE)) == Deadline(START, DeadlineType.RETRY)


def test_people_who_do_not_react_are_a_deadline_too() -> None:
    graces = replace(GRACES, escalation=60 * MINUTE)
    history = scheduled().report(EntryType.FAILED)
    assert due(history, graces) is None
    for _ in range(2):
        history.answer(EntryType.ALERTED, cause=IncidentType.FAILED)
        assert due(history, graces) == Deadline(history.at + 60 * MINUTE, DeadlineType.ESCALATION)
        assert due(history) is None
        history.answer(EntryType.ESCALATED)
        assert (history.last.verdict, history.last.cause) == (Verdict.APPLIED, IncidentType.FAILED)
        assert due(history, graces) is None
    history.answer(EntryType.ALERTED, cause=IncidentType.FAILED)
    assert due(history, graces) is None
    assert history.answer(EntryType.ESCALATED).last.ignored_because == Reason.of(ReasonCode.REMINDER_NOT_DUE)


@pytest.mark.parametrize("deed", [EntryType.ACKNOWLEDGED, EntryType.COMPLETE, EntryType.REQUESTED, EntryType.CANCELLED])
def test_nobody_is_told_again_of_what_was_taken_on_or_is_past(deed: EntryType) -> None:
    graces = replace(GRACES, escalation=60 * MINUTE)
    history = scheduled().report(EntryType.FAILED).answer(EntryType.ALERTED, cause=IncidentType.FAILED)
    followed_by(history, deed)
    awaited = due(history, graces)
    assert awaited is None or awaited.phase is not DeadlineType.ESCALATION
    assert history.answer(EntryType.ESCALATED).last.verdict is Verdict.STALE


def test_an_agent_matters_until_its_meeting_has_ended_and_nothing_more_happens() -> None:
    history = scheduled()
    assert relevant_until(history.record, GRACES) == END
    history.at = END + 10 * MINUTE
    assert relevant_until(history.report(EntryType.COMPLETE).record, GRACES) == history.at
    endless = History().request(replace(WISH, meeting=Meeting(start=START)))
    assert relevant_until(endless.record, GRACES) == START + GRACES.assumed_meeting_duration
    unknown = History().report(interactions=("x",))
    assert relevant_until(unknown.record, GRACES) == unknown.at + GRACES.assumed_meeting_duration


# ------------------------------------------------------------------------------------------------- why people are told


def test_every_bad_end_is_told_each_time_an_attempt_comes_to_it() -> None:
    history = (
        scheduled().report(EntryType.FAILED).request().answer(EntryType.REJECTED).request().report(EntryType.FAILED)
    )
    assert history.causes == [IncidentType.FAILED, IncidentType.REJECTED, IncidentType.FAILED]
    assert history.report(EntryType.FAILED, remarks=("more: 1",)).causes[3:] == []


@pytest.mark.parametrize(
    ("history", "cause"),
    [
        (scheduled().overdue(DeadlineType.CONFERENCE), IncidentType.NO_CONFERENCE),
        (scheduled().overdue(DeadlineType.ACTIVATION), IncidentType.NEVER_ACTIVATED),
        (scheduled().report(EntryType.ACTIVATED).overdue(DeadlineType.COMPLETION), IncidentType.NOT_FINISHED),
        (scheduled().report(EntryType.COMPLETE).overdue(DeadlineType.RESOURCES), IncidentType.RESOURCES_MISSING),
        (scheduled().report(EntryType.CONFERENCING_FAILING), IncidentType.NO_CONFERENCE),
        (History().report(EntryType.FAILED), IncidentType.FAILED),
    ],
)
def test_each_trouble_has_its_name(history: History, cause: IncidentType) -> None:
    assert history.causes == [cause]
    assert (history.record.incident, history.record.has_incident) == (cause, True)


def test_a_conference_that_fails_is_trouble_only_while_the_agent_is_awaited_and_told_once() -> None:
    failing = EntryType.CONFERENCING_FAILING
    assert scheduled().report(EntryType.ACTIVATED).report(failing).causes == []
    assert scheduled().overdue(DeadlineType.CONFERENCE).report(failing).causes == [IncidentType.NO_CONFERENCE]
    assert scheduled().report(failing).report(failing, sub="agt_1").causes == [IncidentType.NO_CONFERENCE]
    assert scheduled().report(EntryType.CONFERENCING_ASSIGNED).report(failing).causes == []
    assert scheduled().overdue(DeadlineType.ACTIVATION).report(failing).causes == [IncidentType.NEVER_ACTIVATED]


def kept() -> History:
    """An agent that could not be cancelled."""
    return (
        scheduled()
        .request(AWAY)
        .answer(EntryType.REJECTED, reason=Reason.of(ReasonCode.CANCELLATION_REFUSED, status=403))
    )


@pytest.mark.parametrize(
    "after",
    [
        kept().overdue(DeadlineType.ACTIVATION),
        kept().overdue(DeadlineType.CONFERENCE),
        kept().report(EntryType.CONFERENCING_FAILING),
        kept().report(EntryType.FAILED),
        kept().answer(EntryType.ACKNOWLEDGED).request(AWAY).answer(EntryType.REJECTED),
    ],
    ids=["silent", "no conference", "failing", "failed", "refused again"],
)
def test_nothing_that_befalls_an_agent_that_nobody_wants_is_news(after: History) -> None:
    """Nobody is told to send the request again; nobody who has taken it on is told once more."""
    assert after.causes == [IncidentType.NOT_CANCELLED]


def test_who_has_taken_on_a_failed_cancellation_keeps_it_when_it_fails_again() -> None:
    history = kept().answer(EntryType.ALERTED, cause=IncidentType.NOT_CANCELLED).answer(EntryType.ACKNOWLEDGED)
    at = history.record.acknowledged_at
    assert at is not None
    assert history.request(AWAY).answer(EntryType.REJECTED).record.acknowledged_at == at


def test_a_cancellation_that_only_its_caller_could_repeat_is_told_when_the_agent_comes() -> None:
    """Whether it took effect is unknown: silence says that it did, and the agent that it did not."""
    history = scheduled().request(AWAY).answer(EntryType.UNCONFIRMED)
    assert (history.causes, due(history, GRACES)) == ([], None)
    assert history.report(EntryType.ACTIVATED).causes == [IncidentType.NOT_CANCELLED]
    assert history.report(EntryType.ACTIVATED, sub="agt_2").causes == [IncidentType.NOT_CANCELLED]
    open_still = scheduled().request(AWAY).answer(EntryType.UNCONFIRMED, retry_at=START)
    assert open_still.report(EntryType.ACTIVATED).causes == []
    wanted = scheduled().request(AWAY).answer(EntryType.UNCONFIRMED).request(moved(MINUTE))
    assert wanted.report(EntryType.ACTIVATED).causes == []


def test_a_cancellation_of_an_agent_that_others_asked_for_is_told_when_it_was_promised_and_could_not_be_kept() -> None:
    """Who is refused at once knows of it."""
    tried = History().request(AWAY).answer(EntryType.UNCONFIRMED, retry_at=START)
    assert tried.answer(EntryType.REJECTED).causes == [IncidentType.NOT_CANCELLED]
    assert History().request(AWAY).answer(EntryType.UNCONFIRMED).answer(EntryType.REJECTED, at=END).causes == []


def test_a_meeting_without_an_end_is_taken_to_be_over_after_its_longest_time() -> None:
    """Then nobody needs to be kept out of it."""
    endless = replace(WISH, meeting=Meeting(start=START))
    over = START + ASSUMED_MEETING_DURATION
    for at, causes in ((over - MINUTE, [IncidentType.NOT_CANCELLED]), (over, [])):
        history = History().request(endless).answer(EntryType.ACCEPTED).request(AWAY)
        assert history.answer(EntryType.REJECTED, at=at).causes == causes


@pytest.mark.parametrize(
    "before",
    [
        scheduled(),
        History().request(),
        scheduled().report(EntryType.ACTIVATED),
        scheduled().overdue(DeadlineType.ACTIVATION),
    ],
    ids=["scheduled", "requested", "activated", "overdue"],
)
def test_a_cancellation_that_fails_is_told_once_while_the_agent_may_come(before: History) -> None:
    told = len(before.causes)
    state = before.record.state
    before.request(AWAY).answer(EntryType.REJECTED).answer(EntryType.REJECTED, revision=2)
    assert before.causes[told:] == [IncidentType.NOT_CANCELLED]
    assert (before.record.incident, before.record.state) == (IncidentType.NOT_CANCELLED, state)
    assert before.request(AWAY).answer(EntryType.REJECTED).causes[told:] == [IncidentType.NOT_CANCELLED]


@pytest.mark.parametrize(
    "history",
    [
        lambda: History().request(AWAY).answer(EntryType.REJECTED),
        lambda: scheduled().report(EntryType.COMPLETE).request(AWAY).answer(EntryType.REJECTED),
        lambda: scheduled().request(AWAY).request(moved(MINUTE)).answer(EntryType.REJECTED, revision=2),
        lambda: scheduled().request(AWAY).answer(EntryType.REJECTED, at=END),
        lambda: (
            scheduled().request(AWAY).request(replace(AWAY, digest="deleted")).answer(EntryType.REJECTED, revision=2)
        ),
        lambda: History().request().request(AWAY).answer(EntryType.REJECTED, revision=1),
        lambda: (
            scheduled()
            .request(AWAY)
            .request(moved(MINUTE))
            .answer(EntryType.REJECTED)
            .answer(EntryType.REJECTED, revision=2)
        ),
        lambda: scheduled().request(AWAY).answer(EntryType.UNCONFIRMED),
        lambda: scheduled().cancel().answer(EntryType.REJECTED, revision=2),
    ],
    ids=[
        "never asked for",
        "complete",
        "wanted again",
        "over",
        "another one is open",
        "the request is what was refused",
        "wanted again in vain",
        "not yet answered",
        "cancelled all the same",
    ],
)
def test_a_failed_cancellation_is_no_trouble_where_no_agent_comes_unwanted(history: Callable[[], History]) -> None:
    assert history().causes == []


def test_nobody_hears_again_of_a_failed_cancellation_once_the_agent_is_gone() -> None:
    """Until then it is as grave as a failure, and people are told again if nobody takes it on."""
    graces = replace(GRACES, escalation=60 * MINUTE, expected_resources=frozenset())
    history = kept().answer(EntryType.ALERTED, cause=IncidentType.NOT_CANCELLED)
    told = Deadline(history.at + 60 * MINUTE, DeadlineType.ESCALATION)
    assert due(history, replace(graces, conference=-timedelta(days=1))) == told
    history.report(EntryType.ACTIVATED)
    assert due(history, graces) == told
    assert due(history.report(EntryType.COMPLETE), graces) is None
    assert (history.record.incident, history.causes) == (None, [IncidentType.NOT_CANCELLED])


def chain(*deeds: Callable[[History], History]) -> Callable[[], History]:
    return lambda: reduce(lambda history, deed: deed(history), deeds, scheduled())


report, answer, silence = History.report, History.answer, History.overdue


@pytest.mark.parametrize(
    ("trouble", "relief"),
    [
        (chain(lambda h: silence(h, DeadlineType.ACTIVATION)), lambda h: report(h, EntryType.ACTIVATED)),
        (chain(lambda h: silence(h, DeadlineType.ACTIVATION)), lambda h: report(h, EntryType.COMPLETE)),
        (
            chain(lambda h: silence(report(h, EntryType.ACTIVATED), DeadlineType.COMPLETION)),
            lambda h: report(h, EntryType.COMPLETE),
        ),
        (
            chain(lambda h: report(h, EntryType.FAILED).request().answer(EntryType.ACCEPTED)),
            lambda h: report(h, EntryType.ACTIVATED, attempt=2),
        ),
        (
            chain(lambda h: report(h, EntryType.FAILED).cancel().request()),
            lambda h: report(h, EntryType.COMPLETE, attempt=2),
        ),
        (lambda: History().request().answer(EntryType.REJECTED).request(), lambda h: answer(h, EntryType.ACCEPTED)),
        (lambda: History().request().answer(EntryType.REJECTED), lambda h: report(h, EntryType.ACTIVATED)),
        (lambda: History().request().answer(EntryType.REJECTED), lambda h: report(h, EntryType.COMPLETE)),
        (kept, lambda h: h.cancel()),
        (kept, lambda h: h.request(moved(MINUTE))),
        (lambda: kept().report(EntryType.ACTIVATED), lambda h: h.cancel()),
        (
            chain(lambda h: report(h, EntryType.CONFERENCING_FAILING)),
            lambda h: report(h, EntryType.CONFERENCING_ASSIGNED),
        ),
        (chain(lambda h: report(h, EntryType.CONFERENCING_FAILING)), lambda h: report(h, EntryType.ACTIVATED)),
        (chain(lambda h: silence(h, DeadlineType.CONFERENCE)), lambda h: report(h, EntryType.CONFERENCING_ASSIGNED)),
        (
            chain(lambda h: silence(report(h, EntryType.COMPLETE), DeadlineType.RESOURCES, missing=("transcript",))),
            lambda h: report(h, EntryType.COMPLETE, resources=(DASHBOARD, TRANSCRIPT)),
        ),
        (
            chain(lambda h: silence(report(h, EntryType.COMPLETE), DeadlineType.RESOURCES, missing=("transcript",))),
            lambda h: report(h, EntryType.COMPLETE, resources=(TRANSCRIPT,)),
        ),
    ],
)
def test_people_are_told_once_when_a_trouble_is_over(
    trouble: Callable[[], History], relief: Callable[[History], History]
) -> None:
    history = trouble()
    assert len(history.causes) == 1
    assert history.record.has_incident
    relief(history)
    assert history.last.cause is IncidentType.RECOVERED
    now = history.record
    assert (now.incident, now.alerted_at, now.escalations, now.acknowledged_at) == (None, None, 0, None)
    history.report(EntryType.COMPLETE, sub="agt_1", attempt=history.record.current.number).answer(
        EntryType.ACKNOWLEDGED
    )
    assert history.causes[2:] == []


@pytest.mark.parametrize(
    "history",
    [
        scheduled().report(EntryType.FAILED).request().answer(EntryType.ACCEPTED),
        scheduled().report(EntryType.FAILED).request().report(EntryType.CONFERENCING_ASSIGNED),
        scheduled().report(EntryType.FAILED).report(EntryType.ACTIVATED),
        kept().request(AWAY),
        kept().report(EntryType.ACTIVATED),
        scheduled().overdue(DeadlineType.ACTIVATION).report(EntryType.CONFERENCING_ASSIGNED),
        scheduled().overdue(DeadlineType.ACTIVATION).request().answer(EntryType.ACCEPTED),
        scheduled()
        .report(EntryType.COMPLETE)
        .overdue(DeadlineType.RESOURCES, missing=("transcript",))
        .answer(EntryType.ALERTED),
        scheduled().report(EntryType.COMPLETE).overdue(DeadlineType.RESOURCES).answer(EntryType.ALERTED),
        scheduled()
        .report(EntryType.COMPLETE, resources=(DASHBOARD,))
        .overdue(DeadlineType.RESOURCES)
        .answer(EntryType.ALERTED),
        scheduled()
        .report(EntryType.COMPLETE)
        .overdue(DeadlineType.RESOURCES, missing=("transcript",))
        .report(EntryType.COMPLETE, resources=(DASHBOARD,)),
    ],
)
def test_what_does_not_end_a_trouble_tells_nobody_that_it_is_over(history: History) -> None:
    assert len(history.causes) == 1
    assert history.record.has_incident


def test_a_cancelled_agent_troubles_nobody_and_its_trouble_is_not_forgotten() -> None:
    history = scheduled().report(EntryType.FAILED).cancel()
    assert (history.record.incident, history.record.has_incident) == (IncidentType.FAILED, False)


def test_mismatched_and_conflicting_are_told_and_need_no_all_clear() -> None:
    history = scheduled().report(EntryType.ACTIVATED, event_id="evt_2").report(EntryType.ACTIVATED)
    assert history.causes == [IncidentType.MISMATCHED]
    history.report(EntryType.COMPLETE).report(EntryType.FAILED).report(EntryType.COMPLETE, sub="agt_1")
    assert history.causes == [IncidentType.MISMATCHED, IncidentType.CONFLICTING]


def test_an_account_that_must_authorise_again_is_told_by_the_entry_itself() -> None:
    history = History().request().answer(EntryType.UNCONFIRMED, cause=IncidentType.REAUTHORISATION)
    assert history.last.cause is IncidentType.REAUTHORISATION
    assert not history.record.has_incident


def test_a_new_trouble_is_told_anew_and_must_be_taken_on_anew() -> None:
    history = scheduled().overdue(DeadlineType.ACTIVATION).answer(EntryType.ALERTED, cause=IncidentType.NEVER_ACTIVATED)
    history.answer(EntryType.ACKNOWLEDGED)
    assert (history.record.alerted_at, history.record.acknowledged_at) == (history.at - MINUTE, history.at)
    record = history.report(EntryType.FAILED).record
    assert (record.incident, record.alerted_at, record.acknowledged_at) == (IncidentType.FAILED, None, None)
    assert history.answer(EntryType.ALERTED, cause=IncidentType.NEVER_ACTIVATED).record.alerted_at is None


def test_what_happens_at_the_same_moment_happens_in_the_order_of_the_kinds() -> None:
    """A time has milliseconds; a request and its answer may share one."""
    entries = scheduled().report(EntryType.ACTIVATED).entries
    entries = [replace(entry, at=NOON, key=f"{9 - number}") for number, entry in enumerate(entries)]
    assert [step.entry.kind for step in steps(entries)] == [
        EntryType.REQUESTED,
        EntryType.ACCEPTED,
        EntryType.ACTIVATED,
    ]
    assert reduce(operator.and_, (step.verdict is Verdict.APPLIED for step in steps(entries)))
