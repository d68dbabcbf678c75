"""The rules of the lifecycle: those that hold for every history, and the effect of each entry in each state."""

import operator
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import reduce
from itertools import permutations, product
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meeting_agents.cronofy.payloads import INTERACTIONS
from meeting_agents.domain.alerts import alerting_owed
from meeting_agents.domain.attempts import next_request
from meeting_agents.domain.deadlines import Deadline, deadline, deadlines, has_event_triggers, relevant_until
from meeting_agents.domain.grace_periods import ASSUMED_MEETING_DURATION, GracePeriods, end_of, missing_resources
from meeting_agents.domain.incidents import is_cancellation_requested, open_incidents
from meeting_agents.domain.lifecycle import fold, steps, timeline
from meeting_agents.domain.model import (
    Action,
    AlertStatus,
    Conference,
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
from meeting_agents.domain.readings import SETTLING
from meeting_agents.domain.reasons import Reason, ReasonCode
from meeting_agents.domain.record import Attempt, LastAlert, Record
from meeting_agents.domain.state_machine import TERMINAL_STATES, TRANSITIONS
from meeting_agents.domain.verdicts import Step

MINUTE = timedelta(minutes=1)
NOON = datetime(2026, 4, 29, 12, 0, tzinfo=UTC)
START, END = NOON + 240 * MINUTE, NOON + 330 * MINUTE
GRACE_PERIODS = GracePeriods(expected_resources=frozenset({"transcript"}))
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
INTERACTION_TYPES = (EntryType.CONFERENCING_FAILING, EntryType.CONFERENCING_ASSIGNED, *REPORTS)


def moved(by: timedelta, request: Request = WISH) -> Request:
    """Make the same request for a meeting that starts and ends later."""
    meeting = replace(request.meeting, start=START + by, end=END + by)
    return replace(request, meeting=meeting, digest=f"moved by {by}")


class History:
    """A journal that grows: each entry is written a minute after the one before, with a key of its own."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.at = NOON

    def add(self, kind: EntryType, **fields: Any) -> "History":
        self.at += MINUTE
        self.entries.append(Entry(key=f"{len(self.entries):03d}", kind=kind, at=fields.pop("at", self.at), **fields))
        return self

    def request(self, request: Request = WISH) -> "History":
        attempt, revision, is_new = next_request(self.record if self.entries else None, request, self.at)
        return self.add(EntryType.REQUESTED, attempt=attempt, revision=revision, request=request) if is_new else self

    def answer(self, kind: EntryType, revision: int | None = None, **fields: Any) -> "History":
        record = self.record
        return self.add(kind, **{"attempt": record.current.number, "revision": revision or record.revision} | fields)

    def report(self, *kinds: EntryType, attempt: int | None = None, **fields: Any) -> "History":
        notification = Notification(
            kinds=tuple(kind for kind in EntryType if kind in kinds),
            interactions=fields.pop("interactions", tuple(kinds)),
            **{"event_id": "evt_1"} | fields,
        )
        return self.add(kinds[-1] if kinds else EntryType.UNRECOGNISED, attempt=attempt, notification=notification)

    def overdue(self, phase: DeadlineType, **fields: Any) -> "History":
        meeting = self.record.meeting
        at = fields.pop("due_at", None) or (meeting.end if phase is DeadlineType.COMPLETION else meeting.start) or START
        return self.answer(
            EntryType.OVERDUE, phase=phase, reason=Reason.of(ReasonCode.ACTIVATION_MISSED, at=at), **fields
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
    def alerts(self) -> list[list[IncidentType | AlertStatus]]:
        """The alerts of each step: incident types, or `resolved`. Each is sent at once; no incident has patience."""
        alerts: dict[str, LastAlert] = {}
        found: list[list[IncidentType | AlertStatus]] = []
        for step in self.steps:
            record, at = replace(step.after, alerts=alerts), step.entry.at
            owed = alerting_owed(record, replace(GRACE_PERIODS, patience=timedelta()), at)
            found.append(
                [alert.status if alert.status is AlertStatus.RESOLVED else alert.incident.type for alert in owed]
            )
            for alert in owed:
                alerts[alert.incident.key] = LastAlert(
                    status=alert.status, severity=alert.incident.severity, at=at, count=alert.number + 1
                )
        return found

    @property
    def causes(self) -> list[IncidentType | AlertStatus]:
        """The alerts of all steps, in order."""
        return [alert for alerts in self.alerts for alert in alerts]

    @property
    def last_cause(self) -> IncidentType | AlertStatus | None:
        """The alert of the last step."""
        return next(iter(self.alerts[-1]), None)

    @property
    def incidents(self) -> list[IncidentType]:
        """The open incidents after the last step."""
        return [incident.type for incident in open_incidents(self.record, GRACE_PERIODS, self.at)]


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
    """Return the outcome as `lifecycle.py` defines it: all that does not depend on the order of Cronofy's callbacks."""
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
applied, duplicate, stale, conflicting = V.APPLIED, V.DUPLICATE, V.STALE, V.CONFLICTING

EXPECTED: dict[EntryType, dict[State, tuple[State, Verdict]]] = {
    # Another request, for the meeting at another time. Once the agent was heard of it begins a new attempt.
    EntryType.REQUESTED: {
        REQUESTED: (REQUESTED, applied),
        SCHEDULED: (SCHEDULED, applied),
        ACTIVATED: (REQUESTED, applied),
        COMPLETE: (REQUESTED, applied),
        FAILED: (REQUESTED, applied),
        REJECTED: (REQUESTED, applied),
        CANCELLED: (REQUESTED, applied),
        OVERDUE: (REQUESTED, applied),
    },
    # Cronofy's responses to the request that led here.
    EntryType.ACCEPTED: {
        REQUESTED: (SCHEDULED, applied),
        SCHEDULED: (SCHEDULED, duplicate),
        ACTIVATED: (ACTIVATED, duplicate),
        COMPLETE: (COMPLETE, duplicate),
        FAILED: (FAILED, duplicate),
        REJECTED: (SCHEDULED, applied),  # the same was sent twice at once: refused once, and taken
        CANCELLED: (CANCELLED, duplicate),
        OVERDUE: (OVERDUE, duplicate),
    },
    EntryType.REJECTED: {
        REQUESTED: (REJECTED, applied),
        SCHEDULED: (SCHEDULED, stale),
        ACTIVATED: (ACTIVATED, stale),
        COMPLETE: (COMPLETE, stale),
        FAILED: (FAILED, stale),
        REJECTED: (REJECTED, duplicate),
        CANCELLED: (CANCELLED, stale),
        OVERDUE: (OVERDUE, stale),
    },
    EntryType.UNCONFIRMED: {
        REQUESTED: (REQUESTED, applied),
        SCHEDULED: (SCHEDULED, stale),
        ACTIVATED: (ACTIVATED, stale),
        COMPLETE: (COMPLETE, stale),
        FAILED: (FAILED, stale),
        REJECTED: (REJECTED, stale),
        CANCELLED: (CANCELLED, stale),
        OVERDUE: (OVERDUE, stale),
    },
    # Cronofy accepts a cancellation that was requested just before.
    EntryType.CANCELLED: {
        REQUESTED: (CANCELLED, applied),
        SCHEDULED: (CANCELLED, applied),
        ACTIVATED: (CANCELLED, applied),
        COMPLETE: (COMPLETE, applied),
        FAILED: (CANCELLED, applied),
        REJECTED: (CANCELLED, applied),
        CANCELLED: (CANCELLED, duplicate),
        OVERDUE: (CANCELLED, applied),
    },
    # Cronofy's callbacks.
    EntryType.CONFERENCING_FAILING: {
        REQUESTED: (SCHEDULED, applied),
        SCHEDULED: (SCHEDULED, applied),
        ACTIVATED: (ACTIVATED, stale),
        COMPLETE: (COMPLETE, stale),
        FAILED: (FAILED, stale),
        REJECTED: (REJECTED, stale),
        CANCELLED: (CANCELLED, stale),
        OVERDUE: (OVERDUE, applied),
    },
    EntryType.CONFERENCING_ASSIGNED: {
        REQUESTED: (SCHEDULED, applied),
        SCHEDULED: (SCHEDULED, applied),
        ACTIVATED: (ACTIVATED, stale),
        COMPLETE: (COMPLETE, stale),
        FAILED: (FAILED, stale),
        REJECTED: (REJECTED, stale),
        CANCELLED: (CANCELLED, stale),
        OVERDUE: (OVERDUE, applied),
    },
    EntryType.ACTIVATED: {
        REQUESTED: (ACTIVATED, applied),
        SCHEDULED: (ACTIVATED, applied),
        ACTIVATED: (ACTIVATED, duplicate),
        COMPLETE: (COMPLETE, stale),
        FAILED: (FAILED, stale),
        REJECTED: (ACTIVATED, applied),
        CANCELLED: (CANCELLED, applied),
        OVERDUE: (ACTIVATED, applied),
    },
    EntryType.FAILED: {
        REQUESTED: (FAILED, applied),
        SCHEDULED: (FAILED, applied),
        ACTIVATED: (FAILED, applied),
        COMPLETE: (COMPLETE, conflicting),
        FAILED: (FAILED, duplicate),
        REJECTED: (FAILED, applied),
        CANCELLED: (CANCELLED, stale),
        OVERDUE: (FAILED, applied),
    },
    EntryType.COMPLETE: {
        REQUESTED: (COMPLETE, applied),
        SCHEDULED: (COMPLETE, applied),
        ACTIVATED: (COMPLETE, applied),
        COMPLETE: (COMPLETE, duplicate),
        FAILED: (COMPLETE, conflicting),
        REJECTED: (COMPLETE, applied),
        CANCELLED: (COMPLETE, applied),
        OVERDUE: (COMPLETE, applied),
    },
    # Event triggers of ours. Here the meeting has not moved.
    EntryType.BEFORE_START: {state: (state, applied) for state in State},
    EntryType.AFTER_END: {state: (state, applied) for state in State},
    EntryType.UNRECOGNISED: {state: (state, Verdict.UNRECOGNISED) for state in State},
    # The sweep finds the deadline of the state missed; in a state without a deadline, the activation.
    EntryType.OVERDUE: {
        REQUESTED: (OVERDUE, applied),
        SCHEDULED: (OVERDUE, applied),
        ACTIVATED: (OVERDUE, applied),
        COMPLETE: (COMPLETE, applied),
        FAILED: (FAILED, stale),
        REJECTED: (REJECTED, stale),
        CANCELLED: (CANCELLED, stale),
        OVERDUE: (OVERDUE, duplicate),
    },
    # The calendar shows that a person deleted the meeting, some minutes later.
    EntryType.CALENDAR_READ: {
        REQUESTED: (REQUESTED, stale),
        SCHEDULED: (CANCELLED, applied),
        ACTIVATED: (ACTIVATED, stale),
        COMPLETE: (COMPLETE, stale),
        FAILED: (FAILED, stale),
        REJECTED: (REJECTED, stale),
        CANCELLED: (CANCELLED, stale),
        OVERDUE: (CANCELLED, applied),
    },
    # The account's conferencing profile was seen disconnected: the state says nothing about that.
    EntryType.PROFILE_READ: {state: (state, stale if state in TERMINAL_STATES else applied) for state in State},
    # So does a second agent that would have been sent: a sent one is a request.
    EntryType.RESCUE: {state: (state, applied) for state in State},
    # Alerts, reminders, acknowledgements and receipts do not change the state.
    EntryType.ALERT_DUE: {state: (state, applied) for state in State},
    EntryType.ALERTED: {state: (state, applied) for state in State},
    EntryType.ACKNOWLEDGED: {state: (state, applied) for state in State},
    EntryType.DELIVERED: {state: (state, applied) for state in State},
    EntryType.SILENCED: {state: (state, applied) for state in State},
    # Neither does the archive. Without a resource they are unrecognised.
    EntryType.ARCHIVED: {state: (state, applied) for state in State},
    EntryType.ARCHIVE_FAILED: {state: (state, applied) for state in State},
    # A journal with it is not folded.
    EntryType.ERASED: {state: (state, Verdict.UNRECOGNISED) for state in State},
    # Nor do other labels.
    EntryType.LABELLED: {state: (state, applied) for state in State},
}
EXPECTED_DEADLINE = {ACTIVATED: DeadlineType.COMPLETION, COMPLETE: DeadlineType.RESOURCES}


def followed_by(history: History, kind: EntryType) -> Step:  # noqa: C901 - one case for each type
    """Add an entry of this type, as it would come, and return its step."""
    state = history.record.state
    match kind:
        case EntryType.REQUESTED:
            history.request(moved(60 * MINUTE))
        case EntryType.ACCEPTED | EntryType.REJECTED | EntryType.UNCONFIRMED:
            history.answer(kind, revision=1)
        case EntryType.CANCELLED:
            history.cancel()
        case EntryType.OVERDUE:
            history.overdue(EXPECTED_DEADLINE.get(state, DeadlineType.ACTIVATION))
        case EntryType.UNRECOGNISED:
            history.report(interactions=("meeting_agent_waiting",))
        case EntryType.CALENDAR_READ:
            history.at += SETTLING
            history.answer(kind, reading=Reading(is_deleted=True))
        case EntryType.PROFILE_READ:
            history.answer(kind, reason=Reason.of(ReasonCode.PROFILE_DISCONNECTED, profile="default"))
        case (
            EntryType.ALERT_DUE
            | EntryType.ALERTED
            | EntryType.SILENCED
            | EntryType.ACKNOWLEDGED
            | EntryType.DELIVERED
            | EntryType.ERASED
            | EntryType.RESCUE
        ):
            history.answer(kind)
        case EntryType.LABELLED:
            history.answer(kind, labels={"team": "sales"})
        case EntryType.ARCHIVED | EntryType.ARCHIVE_FAILED:
            code = ReasonCode.ARCHIVED if kind is EntryType.ARCHIVED else ReasonCode.ARCHIVE_GIVEN_UP
            history.answer(kind, resources=(TRANSCRIPT,), reason=Reason.of(code, category="transcript"))
        case _:
            history.report(kind)
    return history.last


def test_the_table_below_has_every_state_and_every_type_of_entry() -> None:
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
def test_a_transition_leads_to_another_state(state: State, kind: EntryType) -> None:
    assert TRANSITIONS[state][kind] is not state


def test_only_a_new_attempt_leaves_complete() -> None:
    assert TRANSITIONS[State.COMPLETE] == {}
    assert {
        state for state in State if state.value in ("complete", "failed", "rejected", "cancelled")
    } == TERMINAL_STATES


# ------------------------------------------------------------------------------------------------------ whole histories

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
    kinds=st.sets(st.sampled_from(INTERACTION_TYPES), max_size=2),
    sub=st.sampled_from(["", "agt_1", "agt_2"]),
    resources=st.sets(st.sampled_from([DASHBOARD, TRANSCRIPT])),
    remarks=st.sets(st.sampled_from(["meeting_agent.reason: kicked", "meeting_agent.code: 7"])),
    meeting=st.sampled_from([Meeting(), WISH.meeting]),
    event_id=st.sampled_from(["evt_1", "evt_1", "evt_1", "", "evt_2"]),
)
REQUESTS = st.sampled_from([WISH, WISH, replace(WISH, digest="other title"), moved(30 * MINUTE), AWAY])
ANSWERS = st.sampled_from([EntryType.ACCEPTED, EntryType.ACCEPTED, EntryType.REJECTED, EntryType.UNCONFIRMED])


NOT_MISSED = (DeadlineType.RETRY, DeadlineType.ALERT)


@st.composite
def histories(draw: st.DrawFn) -> list[Entry]:
    """Draw a journal: each writer acts on a record that may be older than the newest."""
    history = History()
    records: list[Record] = [Record()]
    for _ in range(draw(st.integers(1, 14))):
        history.at += draw(st.sampled_from([0, 1, 90, 240])) * MINUTE
        now = records[-1]
        then = draw(st.sampled_from([now, now, now, records[draw(st.integers(0, len(records) - 1))]]))
        open_ = [pending for attempt in now.attempts for pending in attempt.unanswered]
        action = draw(
            st.sampled_from(
                ["request", "request", "answer", "answer", "report", "report", "report", "sweep", "operator"]
            )
        )
        if action == "request":
            request = draw(REQUESTS)
            attempt, revision, _ = next_request(then if then.attempts else None, request, history.at)
            history.add(EntryType.REQUESTED, attempt=attempt, revision=revision, request=request)
        elif action == "answer" and open_:
            pending = draw(st.sampled_from(open_))
            kind = draw(ANSWERS)
            if pending.request.action is Action.CANCEL and kind is EntryType.ACCEPTED:
                kind = EntryType.CANCELLED
            number = next(a.number for a in now.attempts if pending in a.unanswered)
            retry_at = history.at + 5 * MINUTE if kind is EntryType.UNCONFIRMED and draw(st.booleans()) else None
            history.add(kind, attempt=number, revision=pending.revision, retry_at=retry_at)
        elif action == "sweep" and then.attempts:
            due = next((d for d in deadlines(then, GRACE_PERIODS) if d.phase not in NOT_MISSED), None)
            if due:
                history.at = max(history.at, due.at)
                missing = tuple(missing_resources(then.current, GRACE_PERIODS))
                fields = {"attempt": then.current.number, "revision": then.revision, "missing": missing}
                history.add(EntryType.OVERDUE, phase=due.phase, **fields)
        elif action == "operator" and now.attempts:
            kind = draw(st.sampled_from([EntryType.ALERTED, EntryType.ACKNOWLEDGED, EntryType.ALERT_DUE]))
            type_, status = draw(st.sampled_from(IncidentType)), draw(st.sampled_from(AlertStatus))
            history.add(kind, attempt=now.current.number, cause=type_, status=status)
        else:
            address = draw(st.sampled_from([None, None, 1, 2]))
            history.add(EntryType.UNRECOGNISED, attempt=address, notification=draw(NOTIFICATIONS))
        records.append(history.record)
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


def placed(own: Sequence[Entry], notifications: Sequence[Notification], positions: Sequence[int]) -> Record:
    """Fold the notifications, each placed after so many of our own entries and after those before it."""
    entries = list(own)
    for number, (notification, position) in enumerate(zip(notifications, positions, strict=True)):
        at = (own[min(position, len(own) - 1)].at if own else NOON) + timedelta(seconds=number + 1)
        entries.append(Entry(key=f"n{number}", kind=EntryType.UNRECOGNISED, at=at, notification=notification))
    return fold(entries)


def same_event(notification: Notification) -> Notification:
    return replace(notification, event_id="evt_1", meeting=WISH.meeting)


@given(st.data())
def test_the_notifications_of_one_attempt_give_the_same_outcome_in_every_order_and_with_every_repetition(
    data: st.DataObject,
) -> None:
    """The order includes their positions between our own entries, once there is a request."""
    own = OWN_ENTRIES[data.draw(st.sampled_from(list(OWN_ENTRIES)))]().entries
    notifications = data.draw(st.lists(NOTIFICATIONS.map(same_event), min_size=1, max_size=6))
    shuffled = data.draw(st.permutations([*notifications, *data.draw(st.lists(st.sampled_from(notifications)))]))
    position = st.integers(0, 6)
    one = placed(own, notifications, [data.draw(position) for _ in notifications])
    other = placed(own, shuffled, [data.draw(position) for _ in shuffled])
    assert outcome(one.current) == outcome(other.current)
    assert one.event_id == other.event_id
    assert one.meeting == other.meeting


@pytest.mark.parametrize("own", OWN_ENTRIES)
def test_all_120_orders_of_all_five_notifications_give_one_outcome(own: str) -> None:
    entries = OWN_ENTRIES[own]().entries
    five = [Notification(kinds=(kind,), sub="agt_1", event_id="evt_1") for kind in INTERACTION_TYPES]
    records = [placed(entries, order, [9] * 5) for order in permutations(five)]
    assert len({outcome(record.current) for record in records}) == 1
    assert {record.state for record in records} == {State.COMPLETE}


@given(histories())
def test_a_terminal_state_is_left_only_by_a_new_request_or_by_evidence_from_cronofy(entries: list[Entry]) -> None:
    """Evidence is a callback, or the response to a request."""
    for step in steps(entries):
        if step.state_before in TERMINAL_STATES and step.after.state is not step.state_before:
            begins_anew = step.after.current.number > step.before.current.number
            evidence = set(step.entry.notification.kinds) if step.entry.notification else {step.entry.kind}
            assert begins_anew or evidence & {*REPORTS, EntryType.ACCEPTED, EntryType.CANCELLED}
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
def test_senseless_entries_are_folded_too(entries: list[Entry]) -> None:
    timeline = list(steps(entries))
    assert len(timeline) == len({entry.key for entry in entries})
    for step in timeline:
        assert step.verdict in Verdict


@given(histories(), st.sampled_from([GRACE_PERIODS, GracePeriods()]))
def test_a_deadline_exists_exactly_where_something_is_expected(
    entries: list[Entry], grace_periods: GracePeriods
) -> None:
    """Only a terminal state, a missed deadline and an open cancellation have none.

    If an earlier agent is complete, what it left may be all that is expected of the meeting.
    """
    for step in steps(entries):
        attempt = step.after.current
        due = [d for d in deadlines(step.after, grace_periods) if d.phase is not DeadlineType.ALERT and not d.attempt]
        was_over = end_of(attempt, grace_periods) <= attempt.requested_at
        is_requested = attempt.latest_request is not None and not was_over
        expected = {
            State.REQUESTED: is_requested,
            State.SCHEDULED: is_requested,
            State.ACTIVATED: DeadlineType.COMPLETION not in attempt.missed,
            State.COMPLETE: bool(missing_resources(attempt, grace_periods))
            and DeadlineType.RESOURCES not in attempt.missed,
        }
        is_retried = attempt.pending is not None and attempt.pending.retry_at is not None
        is_wanted = not is_cancellation_requested(attempt)
        is_due = (expected.get(attempt.state, False) and is_wanted) or is_retried
        done = [earlier for earlier in step.after.attempts[:-1] if earlier.complete_at]
        was_moved_back = any(attempt.meeting.start in earlier.known_starts for earlier in done)
        may_be_covered = {
            State.REQUESTED: was_moved_back,
            State.SCHEDULED: was_moved_back,
            State.COMPLETE: bool(done) and not attempt.is_requested,
        }
        is_covered = may_be_covered.get(attempt.state, False) and not is_retried
        assert bool(due) == is_due or (is_covered and not due)


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
def test_an_earlier_attempt_may_learn_facts_and_never_changes_the_state(entries: list[Entry]) -> None:
    """A move that came to nothing leaves one attempt of two: then the earlier one is the current one again."""
    for step in steps(entries):
        earlier = step.before.attempts[:-1]
        is_taken_back = len(step.after.attempts) < len(step.before.attempts)
        if is_taken_back:
            assert step.after.attempts[:-1] == earlier[:-1]
            assert (step.after.current.number, step.after.current.subs) == (earlier[-1].number, earlier[-1].subs)
        is_changed = step.after.attempts[: len(earlier)] != earlier and not is_taken_back
        if is_changed and step.after.meeting == step.before.meeting:
            is_sweep = step.entry.kind is EntryType.OVERDUE
            assert step.verdict is (Verdict.APPLIED if is_sweep else Verdict.STALE)
            assert step.after.current == step.before.current


@given(histories())
def test_a_resolved_alert_follows_a_firing_one(entries: list[Entry]) -> None:
    alerts: dict[str, LastAlert] = {}
    for step in steps([entry for entry in entries if entry.kind is not EntryType.ALERTED]):
        for owed in alerting_owed(replace(step.after, alerts=alerts), GRACE_PERIODS, step.entry.at):
            last = alerts.get(owed.incident.key)
            if owed.status is AlertStatus.RESOLVED:
                assert last is not None
                assert last.status is AlertStatus.FIRING
            alerts[owed.incident.key] = LastAlert(
                status=owed.status, severity=owed.incident.severity, at=step.entry.at, count=owed.number + 1
            )


@given(histories(), st.integers(0, 2))
def test_no_cancellation_fails_without_an_alert_while_the_agent_may_come(entries: list[Entry], unanswered: int) -> None:
    requested: dict[int, Request] = {}
    history = History()
    history.entries, history.at = list(entries), fold(entries).updated_at
    history.request(AWAY)
    for _ in range(unanswered):
        history.answer(EntryType.UNCONFIRMED)
    for step in history.answer(EntryType.REJECTED).steps:
        entry, record = step.entry, step.after
        if entry.request and step.verdict is Verdict.APPLIED:
            requested[record.revision] = entry.request
        is_refused = entry.kind is EntryType.REJECTED and step.verdict is Verdict.APPLIED
        is_last_word = is_refused and entry.revision == record.revision
        has_failed = is_last_word and requested[record.revision].action is Action.CANCEL
        may_come = record.state not in TERMINAL_STATES and entry.at < (
            record.meeting.end or datetime.max.replace(tzinfo=UTC)
        )
        if has_failed and may_come and record.current.latest_request is not None:
            opened = open_incidents(record, GRACE_PERIODS, entry.at)
            was_over = end_of(record.current, GRACE_PERIODS) <= record.current.requested_at
            assert was_over or [incident.type for incident in opened] == [IncidentType.UNWANTED]


# ------------------------------------------------------------------------------------------ requests, answers, attempts


def numbered(record: Record | None, request: Request, at: datetime = NOON) -> tuple[int, int, bool]:
    return next_request(record, request, at)


def test_the_first_request_has_attempt_1_and_revision_1() -> None:
    assert numbered(None, WISH) == numbered(Record(), WISH) == (1, 1, True)


def test_a_repeated_body_is_not_new_while_its_request_stands() -> None:
    """It stands while it is pending, and once it is accepted."""
    for history in (History().request(), scheduled(), scheduled().report(EntryType.ACTIVATED)):
        assert numbered(history.record, WISH) == (1, 1, False)
        assert numbered(history.record, replace(WISH, digest="title")) == (1, 2, True)


def test_a_request_that_is_written_twice_is_one_request() -> None:
    """Two callers acted on the same record."""
    history = scheduled()
    before = history.record
    history.add(EntryType.REQUESTED, attempt=1, revision=1, request=WISH)
    assert (history.last.verdict, history.last.ignored_because) == (
        Verdict.DUPLICATE,
        Reason.of(ReasonCode.ALREADY_KNOWN),
    )
    assert history.record.attempts == before.attempts


def test_a_request_without_a_revision_is_the_next_one_of_the_first_attempt() -> None:
    """Each request counts, with or without a revision."""
    history = History().add(EntryType.REQUESTED, request=WISH)
    assert (history.record.revision, history.record.current.number) == (1, 1)
    history.add(EntryType.REQUESTED, request=moved(MINUTE))
    assert (history.record.revision, history.record.current.number) == (2, 1)


def test_the_body_of_an_older_request_is_new_again() -> None:
    history = scheduled().request(moved(MINUTE))
    assert numbered(history.record, WISH) == (1, 3, True)
    assert numbered(history.record, moved(MINUTE)) == (1, 2, False)
    assert numbered(history.answer(EntryType.REJECTED).record, WISH) == (1, 3, True)


def test_the_same_request_after_a_refused_cancellation_is_new() -> None:
    """The agent is wanted again, so the refusal is over."""
    again = kept().request()
    assert again.record.revision == 3
    assert again.answer(EntryType.ACCEPTED).record.current.refusal is None


def test_a_cancellation_that_waits_is_closed_when_the_newer_request_is_refused() -> None:
    """Its caller wanted the agent again, and what Cronofy accepted before stands."""
    history = scheduled().request(AWAY).answer(EntryType.UNCONFIRMED, retry_at=END)
    history.request(replace(WISH, digest="on again")).answer(EntryType.UNCONFIRMED, retry_at=END)
    assert [pending.revision for pending in history.record.current.unanswered] == [2, 3]
    history.answer(EntryType.REJECTED)
    attempt = history.record.current
    assert (attempt.unanswered, attempt.state, history.incidents) == ((), State.SCHEDULED, [])


def test_a_change_that_waits_stays_when_the_newer_one_is_refused() -> None:
    history = scheduled().request(replace(WISH, digest="title")).answer(EntryType.UNCONFIRMED, retry_at=END)
    history.request(replace(WISH, digest="another title")).answer(EntryType.REJECTED)
    assert [pending.revision for pending in history.record.current.unanswered] == [2]


def test_a_move_that_expires_undelivered_is_a_rejected_attempt() -> None:
    """Its caller got 202 and was told that it would be sent again; the agent at the old time proves nothing."""
    history = scheduled()
    history.at = START
    history.report(EntryType.ACTIVATED).request(moved(30 * MINUTE)).answer(
        EntryType.UNCONFIRMED, retry_at=START + 9 * MINUTE
    )
    record = history.answer(EntryType.REJECTED).record
    assert (record.current.number, record.state) == (2, State.REJECTED)


@pytest.mark.parametrize("state", sorted(TERMINAL_STATES - {State.COMPLETE}))
def test_a_request_after_a_terminal_state_begins_a_new_attempt_unless_the_meeting_is_over(state: State) -> None:
    """A rejected agent never existed, so that even then the request begins a new attempt."""
    record = REACHED[state]().record
    anew = (2, record.revision + 1, True)
    assert numbered(record, WISH, END - MINUTE) == anew
    assert numbered(record, moved(MINUTE), END) == anew
    late_wish = replace(WISH, digest="corrected")
    is_corrected = state is not State.REJECTED
    assert numbered(record, late_wish, END) == ((1, record.revision + 1, True) if is_corrected else anew)
    endless = replace(WISH, meeting=Meeting(start=START))
    assert numbered(record, endless, END) == anew


def test_a_repeated_body_is_new_while_the_agent_is_overdue() -> None:
    history = scheduled().overdue(DeadlineType.ACTIVATION)
    assert numbered(history.record, WISH) == (1, 2, True)
    assert numbered(history.request().record, WISH) == (1, 2, False)
    never_confirmed = History().request().answer(EntryType.UNCONFIRMED).overdue(DeadlineType.ACTIVATION)
    assert numbered(never_confirmed.record, WISH) == (1, 2, True)


def test_a_cancellation_is_new_until_it_is_pending_or_accepted() -> None:
    history = scheduled()
    assert numbered(history.record, AWAY) == (1, 2, True)
    assert numbered(history.request(AWAY).record, AWAY) == (1, 2, False)
    assert numbered(history.record, replace(AWAY, digest="deleted")) == (1, 3, True)
    assert numbered(history.answer(EntryType.CANCELLED).record, replace(AWAY, digest="deleted")) == (1, 2, False)


def test_a_digest_is_compared_together_with_its_action() -> None:
    history = scheduled().request(replace(AWAY, digest=WISH.digest))
    assert numbered(history.record, WISH) == (1, 3, True)


def test_a_cancellation_of_an_unknown_agent_is_recorded_and_has_no_deadline() -> None:
    history = History().request(AWAY)
    assert (history.record.state, history.record.current.latest_request) == (State.REQUESTED, None)
    assert history.record.current.reason == Reason.of(ReasonCode.CANCELLATION_REQUESTED)
    assert due(history) is None
    assert history.answer(EntryType.CANCELLED).record.state is State.CANCELLED


def test_a_rejected_cancellation_of_an_unknown_agent_opens_no_incident() -> None:
    history = History().request(AWAY).answer(EntryType.REJECTED)
    assert history.record.state is State.REJECTED
    assert (history.causes, history.incidents) == ([], [])


def test_a_rejected_cancellation_leaves_the_agent_unchanged() -> None:
    for history in (scheduled(), History().request(), scheduled().report(EntryType.ACTIVATED)):
        before = history.record
        after = history.request(AWAY).answer(EntryType.REJECTED).record
        assert (after.state, after.current.latest_request) == (before.state, WISH)
        found = {item.phase for item in deadlines(after, GRACE_PERIODS)}
        assert found == {DeadlineType.ALERT}  # an agent that is not wanted has no other deadline
        assert after.current.pending is None or after.current.pending.request == WISH


def test_a_rejected_cancellation_of_an_agent_known_only_from_cronofy_leaves_it_unchanged() -> None:
    history = History().report(EntryType.CONFERENCING_ASSIGNED).request(AWAY).answer(EntryType.REJECTED)
    assert history.record.state is State.SCHEDULED


def test_a_rejected_change_leaves_the_accepted_request() -> None:
    history = scheduled().request(moved(30 * MINUTE))
    assert history.record.meeting == moved(30 * MINUTE).meeting
    history.answer(EntryType.REJECTED)
    assert (history.record.state, history.record.meeting) == (State.SCHEDULED, WISH.meeting)
    assert history.causes == []


def test_a_rejected_request_still_names_the_meeting() -> None:
    history = History().request().answer(EntryType.REJECTED, reason=Reason.of(ReasonCode.REQUEST_REFUSED, status=422))
    assert (history.record.meeting, history.record.current.reason) == (
        WISH.meeting,
        Reason.of(ReasonCode.REQUEST_REFUSED, status=422),
    )


def test_an_overdue_agent_whose_new_time_is_rejected_is_rejected() -> None:
    history = scheduled().overdue(DeadlineType.ACTIVATION).request(moved(60 * MINUTE)).answer(EntryType.REJECTED)
    assert history.record.state is State.REJECTED
    assert history.causes == [IncidentType.NEVER_ACTIVATED, IncidentType.REJECTED]


def test_an_overdue_request_that_is_rejected_after_all_retries_is_rejected() -> None:
    history = (
        History().request().answer(EntryType.UNCONFIRMED).overdue(DeadlineType.ACTIVATION).answer(EntryType.REJECTED)
    )
    assert history.record.state is State.REJECTED


def test_a_conference_does_not_prevent_the_rejection_of_a_request() -> None:
    """The calendar event may have had one before."""
    assert (
        History().request().report(EntryType.CONFERENCING_ASSIGNED).answer(EntryType.REJECTED).record.state
        is State.REJECTED
    )


def test_responses_to_two_requests_may_come_in_any_order() -> None:
    """The newest accepted request stands, in any order of the responses."""
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
        assert not history.incidents


def test_the_rejection_of_an_older_request_is_no_terminal_state() -> None:
    history = History().request().request(moved(MINUTE)).answer(EntryType.REJECTED, revision=1)
    assert (history.record.state, history.record.meeting) == (State.REQUESTED, moved(MINUTE).meeting)


def test_the_newer_of_two_pending_requests_names_the_meeting() -> None:
    history = History().request().request(moved(MINUTE))
    assert history.record.meeting == moved(MINUTE).meeting
    history.answer(EntryType.UNCONFIRMED, revision=1, reason=Reason.of(ReasonCode.RETRY_PLANNED, failure=503))
    assert history.record.current.reason == Reason.of(ReasonCode.REQUESTED)


def test_a_request_after_a_cancellation_stands_even_if_the_cancellation_is_answered_later() -> None:
    history = scheduled().request(AWAY).request(moved(MINUTE)).answer(EntryType.CANCELLED, revision=2)
    assert history.record.state is State.SCHEDULED
    assert history.record.current.cancelled_at
    assert history.answer(EntryType.ACCEPTED, revision=3).record.state is State.SCHEDULED
    history = scheduled().request(AWAY).request(moved(MINUTE))
    history.answer(EntryType.ACCEPTED, revision=3).answer(EntryType.CANCELLED, revision=2)
    assert (history.record.state, history.last.verdict) == (State.SCHEDULED, Verdict.STALE)


def test_an_acceptance_after_a_missed_activation_extends_no_deadline_if_an_agent_was_accepted_before() -> None:
    history = scheduled().request(replace(WISH, digest="title")).overdue(DeadlineType.ACTIVATION)
    history.answer(EntryType.ACCEPTED)
    assert (history.record.state, history.record.current.missed) == (State.OVERDUE, (DeadlineType.ACTIVATION,))


def test_an_agent_is_due_anew_by_the_first_acceptance() -> None:
    history = (
        History()
        .request()
        .request(moved(MINUTE))
        .overdue(DeadlineType.ACTIVATION)
        .answer(EntryType.REJECTED, revision=2)
    )
    assert history.answer(EntryType.ACCEPTED, revision=1).record.state is State.SCHEDULED
    assert not history.record.current.missed
    assert history.report(EntryType.ACTIVATED).record.state is State.ACTIVATED


def test_an_unconfirmed_response_counts_the_tries_and_sets_the_next_one() -> None:
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
    assert deadline(history.record, GRACE_PERIODS) == Deadline(NOON + 9 * MINUTE, DeadlineType.RETRY)
    pending = history.answer(EntryType.UNCONFIRMED).record.current.pending
    assert pending
    assert (pending.tries, pending.retry_at) == (2, None)
    assert history.record.current.reason == Reason.of(ReasonCode.RETRY_PLANNED, failure=503)


def test_an_unconfirmed_change_leaves_the_reason_of_the_state() -> None:
    history = (
        scheduled()
        .request(moved(MINUTE))
        .answer(EntryType.UNCONFIRMED, reason=Reason.of(ReasonCode.RETRY_PLANNED, failure=503))
    )
    assert history.record.current.reason == Reason.of(ReasonCode.REQUEST_ACCEPTED)


def test_an_acceptance_may_carry_a_sub_and_resources() -> None:
    history = History().request().answer(EntryType.ACCEPTED, sub="agt_1", resources=(DASHBOARD,))
    assert (history.record.current.subs, history.record.current.resources) == (("agt_1",), (DASHBOARD,))
    assert history.record.current.accepted_at == history.at


def test_a_response_for_an_earlier_attempt_is_stale() -> None:
    """Its facts are recorded, and the current attempt does not change."""
    history = History().request().report(EntryType.FAILED).request()
    history.answer(EntryType.ACCEPTED, revision=1, attempt=1)
    assert (history.last.verdict, history.record.state) == (Verdict.STALE, State.REQUESTED)
    assert history.record.attempts[0].accepted_revision == 1
    assert history.last.ignored_because == Reason.of(ReasonCode.OTHER_ATTEMPT, attempt=1, current=2)


def test_a_request_for_an_agent_known_only_from_cronofy_continues_its_attempt() -> None:
    history = History().report(EntryType.ACTIVATED, meeting=WISH.meeting)
    assert (history.record.was_requested, history.record.identity) == (False, None)
    history.request()
    assert (history.record.was_requested, history.record.identity) == (True, WISH)
    assert (history.record.state, len(history.record.attempts)) == (State.ACTIVATED, 1)


# -------------------------------------------------------------------------------------------------------- notifications


def test_a_notification_belongs_to_the_attempt_of_its_sub_then_of_its_address_then_to_the_newest() -> None:
    def history() -> History:
        return scheduled().report(EntryType.FAILED, sub="agt_1").request().answer(EntryType.ACCEPTED)

    older = history().report(EntryType.COMPLETE, sub="agt_1", attempt=2)
    assert [attempt.state for attempt in older.record.attempts] == [State.COMPLETE, State.SCHEDULED]
    assert (older.last.verdict, older.last_cause) == (Verdict.STALE, AlertStatus.RESOLVED)
    assert older.last.ignored_because == Reason.of(ReasonCode.OTHER_ATTEMPT, attempt=1, current=2)
    for newer in (history().report(EntryType.COMPLETE, sub="agt_2", attempt=2), history().report(EntryType.COMPLETE)):
        assert [attempt.state for attempt in newer.record.attempts] == [State.FAILED, State.COMPLETE]


def test_a_notification_about_another_calendar_event_changes_nothing() -> None:
    history = scheduled()
    before = history.record
    history.report(EntryType.FAILED, event_id="evt_2", sub="agt_9", resources=(DASHBOARD,))
    assert (history.last.verdict, history.last_cause) == (Verdict.MISMATCHED, IncidentType.MISMATCHED)
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


def test_an_agent_that_was_not_requested_here_is_followed_by_its_notifications() -> None:
    record = History().report(EntryType.CONFERENCING_ASSIGNED, meeting=WISH.meeting).record
    assert (record.state, record.was_requested, record.meeting) == (State.SCHEDULED, False, WISH.meeting)
    assert (record.event_id, record.current.number) == ("evt_1", 1)
    assert record.current.reason == Reason.of(ReasonCode.NOT_REQUESTED_HERE)
    assert deadline(record, GRACE_PERIODS) == Deadline(START + GRACE_PERIODS.activation, DeadlineType.ACTIVATION)


def test_an_agent_that_was_not_requested_and_not_located_has_no_meeting() -> None:
    assert History().report(EntryType.ACTIVATED).record.current.latest_request is None


def test_an_agent_without_a_known_meeting_has_no_deadline() -> None:
    """A signed body without a known interaction must not lead to an alert ten minutes later."""
    assert deadline(History().report(interactions=("x",)).record, GRACE_PERIODS) is None


def test_several_interactions_in_one_body_all_count() -> None:
    history = scheduled().report(EntryType.COMPLETE, EntryType.ACTIVATED, EntryType.CONFERENCING_ASSIGNED)
    attempt = history.record.current
    assert (attempt.state, attempt.conference) == (State.COMPLETE, Conference.ASSIGNED)
    assert attempt.activated_at == attempt.complete_at == history.at


def test_each_interaction_has_an_effect_of_its_own() -> None:
    """A new interaction without a rule would have no effect, or that of another one."""
    effects = [outcome(scheduled().report(kind).record.current) for kind in INTERACTIONS.values()]
    assert len({*effects, outcome(scheduled().record.current)}) == len(INTERACTIONS) + 1


def test_complete_wins_over_failed_and_the_record_says_that_both_were_reported() -> None:
    for kinds in permutations((EntryType.FAILED, EntryType.COMPLETE)):
        history = scheduled()
        for kind in kinds:
            history.report(kind)
        assert (history.record.state, history.record.current.is_conflicting) == (State.COMPLETE, True)
        assert (history.last.verdict, history.last_cause) == (Verdict.CONFLICTING, IncidentType.CONFLICTING)
        assert history.record.notices["1/conflicting"] == (history.at, Reason.of(ReasonCode.COMPLETE_AND_FAILED))
        assert not history.incidents
        assert history.last.ignored_because == Reason.of(ReasonCode.COMPLETE_AND_FAILED)
        history.report(EntryType.FAILED)
        assert history.last.verdict is Verdict.DUPLICATE


def test_the_first_report_of_each_kind_sets_its_time() -> None:
    history = scheduled().report(EntryType.ACTIVATED)
    first = history.at
    assert history.report(EntryType.ACTIVATED).record.current.activated_at == first
    history.report(EntryType.COMPLETE)
    first = history.at
    assert history.report(EntryType.COMPLETE, sub="agt_1").record.current.complete_at == first
    history = scheduled().report(EntryType.FAILED)
    assert history.report(EntryType.FAILED, sub="agt_1").record.current.failed_at == history.at - MINUTE


def test_the_reason_of_a_failure_has_every_remark() -> None:
    history = scheduled().report(EntryType.FAILED)
    assert history.record.current.reason == Reason.of(ReasonCode.REPORTED_FAILED)
    history.report(EntryType.FAILED, remarks=("b: 2",)).report(EntryType.FAILED, remarks=("a: 1",))
    assert history.record.current.reason == Reason.of(ReasonCode.REPORTED_FAILED, remarks="a: 1; b: 2")
    assert (history.record.current.failures, history.last.verdict) == (("a: 1", "b: 2"), Verdict.APPLIED)
    assert history.record.current.since == history.at - 2 * MINUTE


def test_new_resources_of_a_complete_agent_are_applied() -> None:
    history = (
        scheduled()
        .report(EntryType.COMPLETE, resources=(TRANSCRIPT,))
        .report(EntryType.COMPLETE, resources=(DASHBOARD,))
    )
    assert history.record.current.resources == (DASHBOARD, TRANSCRIPT)
    assert history.last.verdict is Verdict.APPLIED


def test_an_assigned_conference_stays_assigned() -> None:
    history = scheduled().report(EntryType.CONFERENCING_ASSIGNED).report(EntryType.CONFERENCING_FAILING)
    assert (history.record.current.conference, history.last.verdict) == (Conference.ASSIGNED, Verdict.STALE)
    assert history.last.ignored_because == Reason.of(ReasonCode.CONFERENCE_ALREADY_ASSIGNED)
    assert (
        scheduled().report(EntryType.CONFERENCING_FAILING).report(EntryType.CONFERENCING_FAILING).last.verdict
        is V.DUPLICATE
    )


def test_a_repeated_activation_leaves_an_overdue_agent_overdue() -> None:
    """A repetition shows no new activity; the agent would otherwise have no deadline any more."""
    history = (
        scheduled()
        .report(EntryType.ACTIVATED)
        .overdue(DeadlineType.COMPLETION)
        .report(EntryType.ACTIVATED, resources=(DASHBOARD,))
    )
    assert (history.record.state, history.last.verdict) == (State.OVERDUE, Verdict.STALE)
    assert history.last.ignored_because == Reason.of(ReasonCode.STATE_ALREADY_LEFT, state="overdue")


def test_the_record_has_the_time_and_the_reason_of_its_state() -> None:
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


def test_the_reason_of_a_response_comes_first() -> None:
    accepted, gone = Reason.of(ReasonCode.REQUEST_ACCEPTED, status=202), Reason.of(ReasonCode.NOTE, note="gone")
    assert History().request().answer(EntryType.ACCEPTED, reason=accepted).record.current.reason == accepted
    assert scheduled().request(AWAY).answer(EntryType.CANCELLED, reason=gone).record.current.reason == gone


# ------------------------------------------------------------------------------------------------ the meeting has moved


def at_time(start: datetime, end: datetime | None = None, **fields: Any) -> Meeting:
    """Return the meeting at another time, as Cronofy reports it."""
    return replace(WISH.meeting, start=start, end=end or start + (END - START), **fields)


TOMORROW = START + timedelta(days=1)


def states(history: History) -> list[State]:
    return [attempt.state for attempt in history.record.attempts]


def activated() -> History:
    """An agent that reported itself active a minute before the start."""
    history = scheduled()
    history.at = START - 2 * MINUTE
    return history.report(EntryType.ACTIVATED, sub="agt_1")


@pytest.mark.parametrize("sub", ["agt_1", ""])
@pytest.mark.parametrize("end", [EntryType.COMPLETE, EntryType.FAILED])
def test_a_request_that_moves_a_running_meeting_ahead_is_a_new_attempt(sub: str, end: EntryType) -> None:
    """The end of the agent that was in the meeting does not end the one that is to come."""
    history = activated().request(moved(TOMORROW - START)).answer(EntryType.ACCEPTED).report(end, sub=sub)
    assert states(history) == [State(end), State.SCHEDULED]
    assert due(history) == Deadline(TOMORROW - GRACE_PERIODS.conference, DeadlineType.CONFERENCE)
    history.at = TOMORROW - MINUTE
    history.report(EntryType.ACTIVATED, sub="agt_2")
    assert states(history) == [State(end), State.ACTIVATED]


def test_a_refused_move_leaves_the_active_agent_in_its_meeting() -> None:
    history = activated().request(moved(TOMORROW - START)).answer(EntryType.REJECTED)
    assert (states(history), history.record.meeting) == ([State.ACTIVATED], WISH.meeting)
    assert history.report(EntryType.FAILED, sub="agt_1").record.state is State.FAILED
    assert history.last_cause is IncidentType.FAILED


@pytest.mark.parametrize("kind", [EntryType.CONFERENCING_ASSIGNED, EntryType.BEFORE_START])
def test_a_meeting_that_was_moved_in_the_calendar_owes_everything_at_its_new_time(kind: EntryType) -> None:
    history = scheduled().report(kind, meeting=at_time(TOMORROW))
    assert (states(history), history.last.verdict) == ([State.SCHEDULED], Verdict.APPLIED)
    activation = Deadline(TOMORROW + GRACE_PERIODS.activation, DeadlineType.ACTIVATION)
    assert activation in deadlines(history.record, GRACE_PERIODS)
    assert history.record.meeting == at_time(TOMORROW)
    history.at = TOMORROW - MINUTE
    history.report(EntryType.ACTIVATED, meeting=at_time(TOMORROW, TOMORROW + 10 * MINUTE))
    is_confirmed = kind is EntryType.BEFORE_START
    confirmation = GRACE_PERIODS.assumed_meeting_duration if is_confirmed else timedelta()
    end = TOMORROW + 10 * MINUTE + confirmation
    assert due(history) == Deadline(end + GRACE_PERIODS.completion, DeadlineType.COMPLETION)


def test_an_overdue_agent_is_scheduled_again_when_its_meeting_moves_ahead() -> None:
    history = scheduled()
    history.at = START + 10 * MINUTE
    history.overdue(DeadlineType.ACTIVATION).report(EntryType.BEFORE_START, meeting=at_time(TOMORROW))
    assert (history.record.state, history.record.current.missed) == (State.SCHEDULED, ())
    assert history.record.current.reason == Reason.of(ReasonCode.MEETING_MOVED, start=TOMORROW.isoformat())
    assert due(history) == Deadline(TOMORROW - GRACE_PERIODS.conference, DeadlineType.CONFERENCE)


def test_a_meeting_that_was_moved_while_it_runs_is_a_new_attempt_with_the_same_conference() -> None:
    history = activated().report(EntryType.CONFERENCING_ASSIGNED)
    history.report(EntryType.COMPLETE, sub="agt_1", meeting=at_time(TOMORROW))
    assert (states(history), history.last.verdict) == ([State.COMPLETE, State.SCHEDULED], Verdict.APPLIED)
    assert history.record.current.conference is Conference.ASSIGNED
    assert due(history) == Deadline(TOMORROW + GRACE_PERIODS.activation, DeadlineType.ACTIVATION)
    history.report(EntryType.COMPLETE, sub="agt_1", resources=(TRANSCRIPT,))
    assert states(history) == [State.COMPLETE, State.SCHEDULED]


def test_the_deadline_of_an_end_that_was_moved_in_the_calendar_is_not_missed_at_the_old_end() -> None:
    longer = at_time(START, END + 92 * MINUTE)
    history = activated().report(EntryType.CONFERENCING_ASSIGNED, meeting=longer)
    assert due(history) == Deadline(END + 92 * MINUTE + GRACE_PERIODS.completion, DeadlineType.COMPLETION)
    history.overdue(DeadlineType.COMPLETION, due_at=END + GRACE_PERIODS.completion)
    assert (history.last.verdict, history.record.state) == (Verdict.STALE, State.ACTIVATED)


def test_an_agent_has_more_time_until_an_event_trigger_confirms_the_end() -> None:
    """The meeting may have been prolonged in the calendar. Without triggers the known end counts."""
    history = scheduled()
    history.at = START - 15 * MINUTE
    history.report(EntryType.BEFORE_START, meeting=WISH.meeting).report(EntryType.ACTIVATED)
    later = END + GRACE_PERIODS.assumed_meeting_duration + GRACE_PERIODS.completion
    assert due(history) == Deadline(later, DeadlineType.COMPLETION)
    history.at = END + 65 * MINUTE
    history.report(EntryType.AFTER_END, meeting=at_time(START, END + 60 * MINUTE))
    assert due(history) == Deadline(END + 60 * MINUTE + GRACE_PERIODS.completion, DeadlineType.COMPLETION)


def test_an_agent_of_an_end_that_is_moved_into_the_past_has_some_time_to_leave() -> None:
    history = activated()
    history.at = END - MINUTE
    history.report(EntryType.CONFERENCING_ASSIGNED, meeting=at_time(START, START + 20 * MINUTE))
    assert due(history) == Deadline(history.at + GRACE_PERIODS.activation, DeadlineType.COMPLETION)


def test_a_sweep_that_did_not_see_a_move_misses_no_deadline() -> None:
    history = scheduled().report(EntryType.BEFORE_START, meeting=at_time(TOMORROW))
    history.overdue(DeadlineType.ACTIVATION, due_at=START + GRACE_PERIODS.activation)
    assert (history.last.verdict, history.record.state) == (Verdict.STALE, State.SCHEDULED)


def test_a_notification_with_a_time_that_a_request_replaced_is_older_than_the_request() -> None:
    history = scheduled().request(moved(TOMORROW - START))
    for _ in range(2):
        history.report(EntryType.CONFERENCING_ASSIGNED, meeting=WISH.meeting)
        assert history.record.meeting == at_time(TOMORROW)
        history.answer(EntryType.ACCEPTED)
    history.at += 4 * MINUTE
    history.report(EntryType.BEFORE_START, meeting=WISH.meeting)  # a trigger comes at the current start
    assert history.record.meeting == WISH.meeting


def test_a_refused_move_restores_the_time_that_cronofy_reported() -> None:
    history = scheduled().report(EntryType.CONFERENCING_ASSIGNED, meeting=at_time(TOMORROW))
    history.request(moved(3 * (TOMORROW - START)))
    assert history.record.meeting == moved(3 * (TOMORROW - START)).meeting
    assert history.answer(EntryType.REJECTED).record.meeting == at_time(TOMORROW)
    assert history.request(moved(MINUTE)).answer(EntryType.ACCEPTED).record.meeting == moved(MINUTE).meeting


def test_a_reported_meeting_without_an_end_keeps_its_duration_and_its_time_zone() -> None:
    history = scheduled().report(EntryType.CONFERENCING_ASSIGNED, meeting=Meeting(start=TOMORROW))
    assert history.record.meeting == at_time(TOMORROW)


def test_a_cancelled_agent_is_not_expected_at_another_time() -> None:
    history = scheduled().cancel().report(EntryType.BEFORE_START, meeting=at_time(TOMORROW))
    assert (states(history), due(history)) == ([State.CANCELLED], None)


def test_the_next_occurrence_of_a_recurring_meeting_is_an_attempt() -> None:
    """Another start, another `sub`; whichever of its notifications comes first."""
    week = timedelta(days=7)
    for number, kind in enumerate(
        (EntryType.BEFORE_START, EntryType.ACTIVATED, EntryType.COMPLETE, EntryType.AFTER_END)
    ):
        history = activated().report(EntryType.COMPLETE, sub="agt_1")
        history.at = START + week + (number - 1) * 10 * MINUTE
        is_report = kind in REPORTS
        history.report(kind, sub="agt_2" if is_report else "", meeting=at_time(START + week))
        assert states(history) == [State.COMPLETE, State(kind) if is_report else State.SCHEDULED]
        assert history.record.meeting == at_time(START + week)
        assert bool(due(history)) is True


def test_a_sub_that_cronofy_uses_again_is_the_current_agents() -> None:
    history = activated().request(moved(TOMORROW - START)).answer(EntryType.ACCEPTED)
    history.report(EntryType.COMPLETE, sub="agt_1")
    history.at = TOMORROW - 2 * MINUTE
    history.report(EntryType.ACTIVATED, sub="agt_1", meeting=at_time(TOMORROW))
    assert states(history) == [State.COMPLETE, State.ACTIVATED]
    assert states(history.report(EntryType.COMPLETE, sub="agt_1")) == [State.COMPLETE, State.COMPLETE]


@pytest.mark.parametrize("sub", ["agt_1", ""])
def test_the_late_failure_of_a_cancelled_agent_does_not_fail_the_next_one(sub: str) -> None:
    history = activated().cancel().request().answer(EntryType.ACCEPTED).report(EntryType.FAILED, sub=sub)
    assert states(history) == [State.CANCELLED, State.SCHEDULED]
    history.report(EntryType.ACTIVATED, sub="agt_2", attempt=2)
    assert states(history) == [State.CANCELLED, State.ACTIVATED]


def test_an_old_address_does_not_hide_the_report_of_the_current_agent() -> None:
    """It is unknown if Cronofy replaces the subscriptions of a calendar event or keeps the old ones."""
    history = scheduled().cancel().request().answer(EntryType.ACCEPTED)
    for address in (None, 2):
        history.report(EntryType.ACTIVATED, sub="agt_2", attempt=address)
        assert states(history) == [State.CANCELLED, State.ACTIVATED]


def test_an_agent_that_reports_itself_active_after_its_cancellation_is_unwanted() -> None:
    history = scheduled().cancel().report(EntryType.ACTIVATED, sub="agt_1")
    assert (history.last.verdict, history.record.state) == (Verdict.APPLIED, State.CANCELLED)
    assert history.record.current.unwanted_at == history.at
    assert history.record.current.is_unwanted
    assert numbered(history.record, AWAY) == (1, 3, True)  # the cancellation is sent again
    assert not history.cancel().record.current.is_unwanted
    for end in (EntryType.FAILED, EntryType.COMPLETE):
        history = scheduled().cancel().report(EntryType.ACTIVATED).report(end)
        assert not history.record.current.is_unwanted
        assert not history.report(EntryType.ACTIVATED, sub="agt_1").record.current.is_unwanted


def test_the_same_meeting_after_complete_starts_nothing() -> None:
    """Its transcript is there."""
    record = activated().report(EntryType.COMPLETE).record
    assert numbered(record, WISH, START) == (1, 1, False)
    assert numbered(record, replace(WISH, digest="title"), START) == (1, 2, True)
    assert numbered(record, moved(TOMORROW - START), START) == (2, 2, True)
    history = activated().report(EntryType.COMPLETE, resources=(TRANSCRIPT,))
    history.request(replace(WISH, digest="title")).answer(EntryType.ACCEPTED)
    assert (states(history), due(history, GracePeriods())) == ([State.COMPLETE], None)
    assert numbered(history.cancel().record, WISH, START) == (2, 4, True)


@pytest.mark.parametrize("end", [END, None])
def test_a_meeting_that_is_over_when_it_is_requested_owes_nothing(end: datetime | None) -> None:
    """A bulk import has hundreds of them."""
    history = History()
    history.at = (end or START + ASSUMED_MEETING_DURATION) - MINUTE
    history.request(replace(WISH, meeting=replace(WISH.meeting, end=end))).answer(EntryType.ACCEPTED)
    assert (history.record.state, due(history)) == (State.SCHEDULED, None)


def test_a_new_attempt_keeps_the_assigned_conference() -> None:
    history = scheduled().report(EntryType.CONFERENCING_ASSIGNED).cancel().request().answer(EntryType.ACCEPTED)
    assert due(history) == Deadline(START + GRACE_PERIODS.activation, DeadlineType.ACTIVATION)
    failing = scheduled().report(EntryType.CONFERENCING_FAILING).cancel().request()
    assert failing.record.current.conference is None


def test_the_response_to_a_request_follows_the_meeting_into_another_attempt() -> None:
    history = activated().request(AWAY).answer(EntryType.UNCONFIRMED, retry_at=TOMORROW)
    history.report(EntryType.COMPLETE, sub="agt_1", meeting=at_time(TOMORROW))
    assert states(history) == [State.COMPLETE, State.SCHEDULED]
    assert due(history) == Deadline(TOMORROW, DeadlineType.RETRY)
    history.answer(EntryType.CANCELLED, attempt=1)
    assert (states(history), history.last.verdict) == ([State.COMPLETE, State.CANCELLED], Verdict.APPLIED)


# ------------------------------------------------------------------------------------------------------------ deadlines


def due(history: History, grace_periods: GracePeriods = GRACE_PERIODS) -> Deadline | None:
    """Return the next deadline other than that of an alert."""
    found = deadlines(history.record, grace_periods)
    return next((item for item in found if item.phase is not DeadlineType.ALERT), None)


def test_the_conference_is_due_before_the_meeting_and_the_agent_after_its_start() -> None:
    history = scheduled()
    assert due(history) == Deadline(START - GRACE_PERIODS.conference, DeadlineType.CONFERENCE)
    activation = Deadline(START + GRACE_PERIODS.activation, DeadlineType.ACTIVATION)
    assert due(scheduled().report(EntryType.CONFERENCING_ASSIGNED)) == activation
    assert due(history.overdue(DeadlineType.CONFERENCE)) == activation
    unexpected = replace(WISH, conference_expected=False)
    assert due(History().request(unexpected)) == activation


def test_a_conference_has_a_deadline_only_if_it_was_requested_before_it() -> None:
    """A request that comes later than the conference deadline cannot miss it."""
    for lead, phase in (
        (GRACE_PERIODS.conference, DeadlineType.ACTIVATION),
        (GRACE_PERIODS.conference + MINUTE, DeadlineType.CONFERENCE),
    ):
        history = History()
        history.at = START - lead - MINUTE
        expected = due(history.request())
        assert expected
        assert expected.phase is phase


def test_the_grace_period_in_a_running_meeting_begins_with_the_request() -> None:
    history = History()
    history.at = START + 20 * MINUTE
    history.request()
    assert due(history) == Deadline(history.at + GRACE_PERIODS.activation, DeadlineType.ACTIVATION)


def test_an_active_agent_has_a_completion_deadline_and_a_complete_one_a_resources_deadline() -> None:
    history = scheduled().report(EntryType.ACTIVATED)
    assert due(history) == Deadline(END + GRACE_PERIODS.completion, DeadlineType.COMPLETION)
    history.report(EntryType.COMPLETE, resources=(DASHBOARD,))
    assert due(history) == Deadline(history.at + GRACE_PERIODS.resources, DeadlineType.RESOURCES)
    assert due(history, GracePeriods()) == due(history)
    assert due(scheduled().report(EntryType.COMPLETE, resources=(TRANSCRIPT,))) is None
    assert due(history.overdue(DeadlineType.RESOURCES)) is None


def test_the_grace_period_of_a_late_activation_begins_with_it() -> None:
    history = scheduled()
    history.at = END + 5 * MINUTE
    history.report(EntryType.ACTIVATED)
    assert due(history) == Deadline(history.at + GRACE_PERIODS.completion, DeadlineType.COMPLETION)


def test_a_meeting_without_an_end_has_the_assumed_duration() -> None:
    history = History().request(replace(WISH, meeting=Meeting(start=START))).report(EntryType.ACTIVATED)
    assert due(history) == Deadline(
        START + GRACE_PERIODS.assumed_meeting_duration + GRACE_PERIODS.completion, DeadlineType.COMPLETION
    )


def test_a_meeting_without_a_start_begins_with_its_request() -> None:
    history = History().request(replace(WISH, meeting=Meeting(), conference_expected=False))
    assert due(history) == Deadline(history.at + GRACE_PERIODS.activation, DeadlineType.ACTIVATION)


def test_a_moved_meeting_moves_its_deadlines() -> None:
    """They move with the request, and back if Cronofy rejects it."""
    history = scheduled().report(EntryType.CONFERENCING_ASSIGNED).request(moved(60 * MINUTE))
    later = Deadline(START + 60 * MINUTE + GRACE_PERIODS.activation, DeadlineType.ACTIVATION)
    assert due(history) == later
    assert due(history.answer(EntryType.REJECTED)) == Deadline(
        START + GRACE_PERIODS.activation, DeadlineType.ACTIVATION
    )
    assert due(history.request(moved(60 * MINUTE)).answer(EntryType.ACCEPTED)) == later
    assert due(history.report(EntryType.ACTIVATED)) == Deadline(
        END + 60 * MINUTE + GRACE_PERIODS.completion, DeadlineType.COMPLETION
    )


def test_a_moved_meeting_has_a_new_conference_deadline() -> None:
    history = scheduled().overdue(DeadlineType.CONFERENCE).request(moved(600 * MINUTE)).answer(EntryType.ACCEPTED)
    assert due(history) == Deadline(START + 600 * MINUTE - GRACE_PERIODS.conference, DeadlineType.CONFERENCE)


def test_a_new_title_extends_no_deadline() -> None:
    """A caller who changes a title every five minutes would otherwise hide a silent agent."""
    history = scheduled().overdue(DeadlineType.CONFERENCE)
    before = due(history)
    history.at = START + 5 * MINUTE
    titled = replace(WISH, digest="new title", meeting=replace(WISH.meeting, summary="New title"))
    assert due(history.request(titled)) == due(history.answer(EntryType.ACCEPTED)) == before


def test_a_missed_deadline_of_an_older_request_is_stale() -> None:
    history = scheduled().request(moved(60 * MINUTE)).overdue(DeadlineType.ACTIVATION, revision=1)
    assert (history.last.verdict, history.record.state) == (Verdict.STALE, State.SCHEDULED)
    assert history.last.ignored_because == Reason.of(ReasonCode.NEWER_REQUEST, request=1, newest=2)


def test_a_missed_deadline_of_an_earlier_attempt_is_stale() -> None:
    history = scheduled().report(EntryType.FAILED).request().overdue(DeadlineType.ACTIVATION, attempt=1)
    assert (history.last.verdict, history.record.state) == (Verdict.STALE, State.REQUESTED)


@pytest.mark.parametrize("phase", [DeadlineType.RETRY, DeadlineType.RESOURCES, DeadlineType.COMPLETION, None])
def test_a_missed_deadline_that_the_state_does_not_have_is_stale(phase: DeadlineType | None) -> None:
    history = scheduled().answer(EntryType.OVERDUE, phase=phase)
    assert (history.last.verdict, history.last_cause, history.record.state) == (Verdict.STALE, None, State.SCHEDULED)
    assert history.last.ignored_because == Reason.of(ReasonCode.STATE_ALREADY_LEFT, state="scheduled")


def test_an_assigned_conference_is_not_missed() -> None:
    history = scheduled().report(EntryType.CONFERENCING_ASSIGNED).overdue(DeadlineType.CONFERENCE)
    assert (history.last.verdict, history.causes) == (Verdict.STALE, [])


def test_a_new_request_for_an_unfinished_agent_extends_no_deadline() -> None:
    history = scheduled().report(EntryType.ACTIVATED)
    history.at = END + 60 * MINUTE
    history.overdue(DeadlineType.COMPLETION).request(replace(WISH, digest="title"))
    assert (history.record.state, due(history)) == (State.OVERDUE, None)


def test_an_edit_of_an_overdue_agents_event_extends_no_deadline() -> None:
    """A calendar that is synchronised every few minutes would otherwise lead to an alert each time."""
    history = scheduled().overdue(DeadlineType.ACTIVATION)
    history.at = START + 30 * MINUTE
    longer = replace(WISH, digest="longer", meeting=replace(WISH.meeting, end=END + 30 * MINUTE))
    for request in (WISH, replace(WISH, digest="title"), longer, moved(20 * MINUTE)):
        history.request(request).answer(EntryType.ACCEPTED)
        assert (history.record.state, due(history)) == (State.OVERDUE, None)
    assert history.incidents == [IncidentType.NEVER_ACTIVATED]
    assert history.report(EntryType.ACTIVATED).record.state is State.ACTIVATED


def test_an_unfinished_agent_whose_meeting_is_prolonged_has_a_new_completion_deadline() -> None:
    """It is active already and does not report itself a second time."""
    history = scheduled().report(EntryType.ACTIVATED)
    history.at = END + 40 * MINUTE
    longer = replace(WISH, digest="longer", meeting=replace(WISH.meeting, end=END + 90 * MINUTE))
    history.overdue(DeadlineType.COMPLETION).request(longer)
    assert history.record.state is State.ACTIVATED
    assert due(history) == Deadline(END + 90 * MINUTE + GRACE_PERIODS.completion, DeadlineType.COMPLETION)
    assert history.causes == [IncidentType.NOT_FINISHED]


def test_a_correction_after_the_end_has_no_deadline() -> None:
    history = scheduled().report(EntryType.COMPLETE).overdue(DeadlineType.RESOURCES, missing=("transcript",))
    history.at = END
    history.request(replace(WISH, digest="corrected", meeting=replace(WISH.meeting, start=START - MINUTE)))
    assert (history.record.state, due(history)) == (State.COMPLETE, None)


def test_a_retry_does_not_hide_a_missed_deadline() -> None:
    history = History().request().answer(EntryType.UNCONFIRMED, retry_at=START)
    types = [item.phase for item in deadlines(history.record, GRACE_PERIODS)]
    assert types == [DeadlineType.ALERT, DeadlineType.CONFERENCE, DeadlineType.RETRY, DeadlineType.ACTIVATION]


def test_the_earliest_of_several_deadlines_counts() -> None:
    history = History().request().answer(EntryType.UNCONFIRMED, retry_at=START)
    assert due(history) == Deadline(START - GRACE_PERIODS.conference, DeadlineType.CONFERENCE)
    assert due(history.overdue(DeadlineType.CONFERENCE)) == Deadline(START, DeadlineType.RETRY)


def test_an_agent_is_relevant_until_the_end_of_its_meeting_or_its_last_entry() -> None:
    history = scheduled()
    assert relevant_until(history.record, GRACE_PERIODS) == END
    history.at = END + 10 * MINUTE
    assert relevant_until(history.report(EntryType.COMPLETE).record, GRACE_PERIODS) == history.at
    endless = History().request(replace(WISH, meeting=Meeting(start=START)))
    assert relevant_until(endless.record, GRACE_PERIODS) == START + GRACE_PERIODS.assumed_meeting_duration
    unknown = History().report(interactions=("x",))
    assert relevant_until(unknown.record, GRACE_PERIODS) == unknown.at + GRACE_PERIODS.assumed_meeting_duration


# ------------------------------------------------------------------------------------------------- incidents and alerts


def test_each_attempt_that_ends_badly_leads_to_an_alert() -> None:
    history = (
        scheduled().report(EntryType.FAILED).request().answer(EntryType.REJECTED).request().report(EntryType.FAILED)
    )
    assert history.causes == [IncidentType.FAILED, IncidentType.FAILED]  # the caller has the refusal as the response
    assert history.report(EntryType.FAILED, remarks=("more: 1",)).causes[2:] == []


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
def test_each_incident_has_its_type(history: History, cause: IncidentType) -> None:
    assert history.causes == [cause]
    assert history.incidents == [cause]


def test_a_failing_conference_opens_an_incident_once_and_only_before_activation() -> None:
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
def test_an_unwanted_agent_opens_no_second_incident(after: History) -> None:
    """No alert advises to send the request again, and an acknowledged incident is not repeated."""
    assert after.causes == [IncidentType.UNWANTED]


def test_a_second_rejected_cancellation_leaves_the_acknowledgement() -> None:
    history = (
        kept()
        .answer(EntryType.ALERTED, status=AlertStatus.FIRING, cause=IncidentType.UNWANTED)
        .answer(EntryType.ACKNOWLEDGED)
    )
    at = history.record.acknowledged_at
    assert at is not None
    assert history.request(AWAY).answer(EntryType.REJECTED).record.acknowledged_at == at


def test_an_unconfirmed_cancellation_leads_to_an_alert_when_the_agent_comes() -> None:
    """Its effect is unknown, and its caller knows that: the agent is expected as before."""
    history = scheduled().request(AWAY).answer(EntryType.UNCONFIRMED)
    assert (history.causes, due(history)) == ([], due(scheduled()))
    assert history.report(EntryType.ACTIVATED).causes == [IncidentType.UNWANTED]
    assert history.report(EntryType.ACTIVATED, sub="agt_2").causes == [IncidentType.UNWANTED]
    open_still = scheduled().request(AWAY).answer(EntryType.UNCONFIRMED, retry_at=START)
    assert open_still.report(EntryType.ACTIVATED).causes == []
    wanted = scheduled().request(AWAY).answer(EntryType.UNCONFIRMED).request(moved(MINUTE))
    assert wanted.report(EntryType.ACTIVATED).causes == []


def test_a_delayed_cancellation_of_an_agent_that_others_requested_leads_to_an_alert_if_it_is_rejected() -> None:
    """A caller who gets the rejection in the response knows of it."""
    tried = History().request(AWAY).answer(EntryType.UNCONFIRMED, retry_at=START)
    assert tried.answer(EntryType.REJECTED).causes == [IncidentType.UNWANTED]
    assert History().request(AWAY).answer(EntryType.UNCONFIRMED).answer(EntryType.REJECTED, at=END).causes == []


def test_a_meeting_without_an_end_is_over_after_the_assumed_duration() -> None:
    """After that an agent can do no harm."""
    endless = replace(WISH, meeting=Meeting(start=START))
    over = START + ASSUMED_MEETING_DURATION
    for at, causes in ((over - MINUTE, [IncidentType.UNWANTED]), (over, [])):
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
def test_a_failed_cancellation_leads_to_one_alert_while_the_agent_may_come(before: History) -> None:
    alerted = len(before.causes)
    state = before.record.state
    before.request(AWAY).answer(EntryType.REJECTED).answer(EntryType.REJECTED, revision=2)
    assert before.causes[alerted:] == [IncidentType.UNWANTED]
    assert (before.incidents, before.record.state) == ([IncidentType.UNWANTED], state)
    assert before.request(AWAY).answer(EntryType.REJECTED).causes[alerted:] == [IncidentType.UNWANTED]


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
        "cancelled nevertheless",
    ],
)
def test_a_failed_cancellation_opens_no_incident_if_no_unwanted_agent_can_come(history: Callable[[], History]) -> None:
    assert history().causes == []


def chain(*actions: Callable[[History], History]) -> Callable[[], History]:
    return lambda: reduce(lambda history, action: action(history), actions, scheduled())


report, answer, silence = History.report, History.answer, History.overdue


@pytest.mark.parametrize(
    ("incident", "resolution"),
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
def test_good_news_leads_to_one_resolved_alert(
    incident: Callable[[], History], resolution: Callable[[History], History]
) -> None:
    history = incident()
    assert len(history.causes) == 1
    resolution(history)
    assert history.last_cause is AlertStatus.RESOLVED
    assert history.incidents == []
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
def test_no_resolved_alert_is_sent_without_good_news(history: History) -> None:
    assert len(history.causes) == 1


def test_a_cancelled_agent_has_no_incident() -> None:
    assert scheduled().report(EntryType.FAILED).cancel().incidents == []


def test_mismatched_and_conflicting_are_notices_that_are_never_resolved() -> None:
    history = scheduled().report(EntryType.ACTIVATED, event_id="evt_2").report(EntryType.ACTIVATED)
    assert history.causes == [IncidentType.MISMATCHED]
    history.report(EntryType.COMPLETE).report(EntryType.FAILED).report(EntryType.COMPLETE, sub="agt_1")
    assert history.causes == [IncidentType.MISMATCHED, IncidentType.CONFLICTING]


def test_entries_of_the_same_moment_are_in_the_order_of_their_types() -> None:
    """Times have milliseconds; a request and its response may share one."""
    entries = scheduled().report(EntryType.ACTIVATED).entries
    entries = [replace(entry, at=NOON, key=f"{9 - number}") for number, entry in enumerate(entries)]
    assert [step.entry.kind for step in steps(entries)] == [
        EntryType.REQUESTED,
        EntryType.ACCEPTED,
        EntryType.ACTIVATED,
    ]
    assert reduce(operator.and_, (step.verdict is Verdict.APPLIED for step in steps(entries)))


def test_an_attempt_keeps_a_bounded_number_of_failures() -> None:
    """A notification may have thousands of undocumented fields."""
    history = scheduled().report(EntryType.FAILED, remarks=tuple(f"remark {number:02}" for number in range(25)))
    assert len(history.record.current.failures) == 20


def test_the_timeline_is_the_steps_of_the_stored_entries() -> None:
    stored = [SimpleNamespace(entry=entry) for entry in scheduled().entries]
    assert timeline(stored) == list(steps(scheduled().entries))


def test_a_repeated_response_is_judged_by_the_attempt_of_its_request() -> None:
    """The first attempt was rejected, the second is accepted: a repetition of either is a duplicate."""
    history = History().request().answer(EntryType.REJECTED).request().answer(EntryType.ACCEPTED)
    assert history.record.current.number == 2
    assert history.answer(EntryType.REJECTED, revision=1, attempt=1).last.verdict is Verdict.DUPLICATE
    assert history.answer(EntryType.ACCEPTED, revision=2, attempt=2).last.verdict is Verdict.DUPLICATE
    assert history.answer(EntryType.REJECTED, revision=2, attempt=2).last.verdict is Verdict.STALE


def test_a_refused_move_leaves_the_times_of_before_as_the_newest_word() -> None:
    """A notification with them is not outdated, though a request had replaced them."""
    history = scheduled().request(moved(60 * MINUTE)).answer(EntryType.REJECTED)
    longer = replace(WISH.meeting, end=END + 60 * MINUTE)
    history.report(EntryType.CONFERENCING_ASSIGNED, meeting=WISH.meeting)
    assert history.report(EntryType.CONFERENCING_ASSIGNED, meeting=longer).record.meeting.end == longer.end
    assert history.report(EntryType.CONFERENCING_ASSIGNED, meeting=WISH.meeting).record.meeting.end == END
    there = scheduled().request(moved(60 * MINUTE)).answer(EntryType.ACCEPTED)
    there.request(moved(120 * MINUTE)).answer(EntryType.REJECTED)
    there.report(EntryType.CONFERENCING_ASSIGNED, meeting=replace(WISH.meeting, end=END + 60 * MINUTE))
    assert there.record.meeting == moved(60 * MINUTE).meeting  # the first time stays replaced


def test_a_repeated_notification_that_moves_the_end_is_applied() -> None:
    """It says something new, in the same attempt, although it reports what is known."""
    history = scheduled().report(EntryType.ACTIVATED, meeting=WISH.meeting)
    longer = replace(WISH.meeting, end=END + 60 * MINUTE)
    history.report(EntryType.ACTIVATED, meeting=longer)
    assert (history.last.verdict, len(history.record.attempts)) == (Verdict.APPLIED, 1)
    assert history.report(EntryType.ACTIVATED, meeting=longer).last.verdict is Verdict.DUPLICATE
    conflicting = scheduled().report(EntryType.COMPLETE).report(EntryType.FAILED, meeting=longer)
    assert conflicting.last.verdict is Verdict.CONFLICTING


def test_one_refused_request_of_two_does_not_end_the_attempt_that_they_began() -> None:
    """Two requests for another time are open while the agent of the old time is active."""
    history = activated().request(moved(TOMORROW - START)).request(moved(2 * (TOMORROW - START)))
    first, second = history.record.current.unanswered
    assert history.answer(EntryType.REJECTED, revision=first.revision).record.current.number == 2
    assert history.answer(EntryType.REJECTED, revision=second.revision).record.current.number == 1


def test_an_accepted_request_keeps_its_attempt_when_a_change_of_it_is_refused() -> None:
    history = activated().request(moved(TOMORROW - START)).answer(EntryType.ACCEPTED)
    history.request(moved(2 * (TOMORROW - START))).answer(EntryType.REJECTED)
    assert (history.record.current.number, history.record.meeting) == (2, moved(TOMORROW - START).meeting)


def test_a_refused_request_after_an_accepted_cancellation_leaves_no_agent() -> None:
    """Two callers switched it off and on at the same time; what was accepted before is undone."""
    history = scheduled().request(AWAY).request(replace(WISH, digest="on again"))
    off, on = history.record.current.unanswered
    history.answer(EntryType.CANCELLED, revision=off.revision).answer(EntryType.REJECTED, revision=on.revision)
    assert history.record.state is State.REJECTED
    assert history.incidents == [IncidentType.REJECTED]


def test_one_attempt_with_an_event_trigger_shows_that_cronofy_sends_them() -> None:
    """The data center takes them, although the newest attempt has none yet."""
    reason = Reason.of(ReasonCode.ACTIVATION_MISSED)
    first = Attempt(number=1, state=State.COMPLETE, since=NOON, reason=reason, began_at=NOON, requested_at=NOON)
    second = replace(first, number=2)
    assert not has_event_triggers(Record(attempts=(first, second)))
    assert has_event_triggers(Record(attempts=(replace(first, before_start_at=NOON), second)))
    assert has_event_triggers(Record(attempts=(replace(first, after_end_at=NOON), second)))


def test_of_many_unknown_interactions_ten_are_named() -> None:
    names = tuple(f"interaction_{number:02}" for number in range(12))
    because = scheduled().report(interactions=names).last.ignored_because
    assert because
    assert because["interactions"] == ", ".join(names[:10])


@pytest.mark.parametrize("reason", [ReasonCode.CANCELLATION_EXPIRED, ReasonCode.CANCELLATION_REFUSED])
def test_a_request_that_waits_is_not_sent_again_after_a_cancellation_that_failed(reason: ReasonCode) -> None:
    """The agent is not wanted, though Cronofy did not hear of it; a newer request is sent."""
    history = History().request().answer(EntryType.UNCONFIRMED, retry_at=START).request(AWAY)
    history.answer(EntryType.UNCONFIRMED, retry_at=START).answer(EntryType.REJECTED, reason=Reason.of(reason))
    assert DeadlineType.RETRY not in {item.phase for item in deadlines(history.record, GRACE_PERIODS)}
    assert history.record.current.pending
    assert IncidentType.NOT_ARRANGED not in {i.type for i in open_incidents(history.record, GRACE_PERIODS, START)}
    history.request().answer(EntryType.UNCONFIRMED, retry_at=END)
    assert DeadlineType.RETRY in {item.phase for item in deadlines(history.record, GRACE_PERIODS)}


def test_each_owed_alert_that_the_sweep_found_is_counted() -> None:
    history = scheduled().add(EntryType.ALERT_DUE, attempt=1).add(EntryType.ALERT_DUE, attempt=1)
    assert history.record.alerts_due == 2


def test_the_first_report_on_a_conference_has_the_time() -> None:
    history = scheduled().report(EntryType.CONFERENCING_ASSIGNED)
    first = history.at
    history.report(EntryType.CONFERENCING_ASSIGNED, sub="agt_1")
    assert history.record.current.conference_at == first


def test_an_agent_whose_meeting_was_deleted_is_followed_if_it_comes() -> None:
    """No one cancelled it, so it is not unwanted."""
    history = scheduled()
    history.at = START - 60 * MINUTE
    history.add(EntryType.CALENDAR_READ, attempt=1, reading=Reading(is_deleted=True))
    assert history.record.state is State.CANCELLED
    history.report(EntryType.ACTIVATED)
    assert (history.record.state, history.record.current.is_unwanted) == (State.ACTIVATED, False)


# ------------------------------------------------------------------------------------------------------------- labels


def test_the_labels_are_those_of_the_newest_entry_that_has_any() -> None:
    """All together, in place of those before; another request without labels keeps them."""
    history = scheduled()
    assert history.record.labels == {}
    found = [
        history.answer(EntryType.LABELLED, labels=labels).last
        for labels in ({"team": "sales", "region": "emea"}, {"team": "sales"}, {"team": "sales"}, {})
    ]
    assert [step.verdict for step in found] == [applied, applied, Verdict.DUPLICATE, Verdict.DUPLICATE]
    assert [step.after.labels for step in found] == [{"team": "sales", "region": "emea"}, *[{"team": "sales"}] * 3]
    assert history.request(moved(60 * MINUTE)).record.labels == {"team": "sales"}
    entry = replace(history.request(moved(90 * MINUTE)).entries[-1], labels={"team": "support"})
    assert fold([*history.entries[:-1], entry]).labels == {"team": "support"}


def test_labels_change_nothing_else() -> None:
    """No deadline, no state, no incident: Cronofy does not get them."""
    before = scheduled()
    after = scheduled().answer(EntryType.LABELLED, labels={"team": "sales"})
    assert after.record.current == before.record.current
    assert deadline(after.record, GRACE_PERIODS) == deadline(before.record, GRACE_PERIODS)
