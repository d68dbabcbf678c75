"""A second agent: the conditions under which one is due, the entries about it, and what becomes of it."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from meeting_agents import wording
from meeting_agents.domain.alerts import alerting_owed
from meeting_agents.domain.deadlines import deadlines
from meeting_agents.domain.grace_periods import GracePeriods
from meeting_agents.domain.incidents import all_incidents, open_incidents
from meeting_agents.domain.lifecycle import fold, steps
from meeting_agents.domain.model import (
    Action,
    AlertStatus,
    DeadlineType,
    Entry,
    EntryType,
    IncidentType,
    Meeting,
    Notification,
    Reading,
    Request,
    RescueMode,
    State,
    Verdict,
)
from meeting_agents.domain.overdue import find_missed
from meeting_agents.domain.reasons import Reason, ReasonCode
from meeting_agents.domain.record import Record
from meeting_agents.domain.rescue import (
    CONDITIONS,
    Obstacle,
    Outcome,
    cause_of,
    due_at,
    is_rescue_due,
    is_still_needed,
    obstacle_to,
    outcome_of,
    reported_entry,
    request_reason,
    second_agent,
    withheld_entry,
)

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
START = datetime(2026, 4, 29, 10, tzinfo=UTC)
END = START + HOUR
REPORT = GracePeriods(rescue=RescueMode.REPORT)
ONCE = GracePeriods(rescue=RescueMode.ONCE)
RISKY = GracePeriods(rescue=RescueMode.ONCE, rescues_silent=True)
WISH = Request(
    action=Action.PROVISION,
    data_center="us",
    calendar_id="cal_1",
    event_id="evt_1",
    account="alice",
    meeting=Meeting(start=START, end=END, summary="Standup"),
)
SENT = Request(action=Action.PROVISION, data_center="us", meeting=WISH.meeting, event_id="evt_1")
CANCEL = replace(WISH, action=Action.CANCEL)


def entry(kind: EntryType, at: datetime, **fields: Any) -> Entry:
    return Entry(key=f"{kind}#{at.isoformat()}", kind=kind, at=at, **{"attempt": 1} | fields)


def scheduled(**changes: Any) -> Record:
    """Requested in the name of an account a day before, accepted, and with a conference whose link is known."""
    return with_report(
        fold(
            [
                entry(EntryType.REQUESTED, START - DAY, revision=1, request=replace(WISH, **changes)),
                entry(EntryType.ACCEPTED, START - DAY + MINUTE, revision=1),
            ]
        ),
        EntryType.CONFERENCING_ASSIGNED,
        START - DAY + 2 * MINUTE,
        has_join_link=True,
    )


def with_report(record: Record, kind: EntryType, at: datetime, attempt: int = 1, **fields: Any) -> Record:
    values = {"kinds": (kind,), "event_id": "evt_1"} | fields
    return fold([entry(kind, at, attempt=attempt, notification=Notification(**values))], record)


def failed(record: Record | None = None, at: datetime = START + 5 * MINUTE, **fields: Any) -> Record:
    return with_report(record or scheduled(), EntryType.FAILED, at, **{"sub": "agt_1"} | fields)


def silent(record: Record | None = None) -> Record:
    at = START + 10 * MINUTE
    return fold([entry(EntryType.OVERDUE, at, revision=1, phase=DeadlineType.ACTIVATION)], record or scheduled())


def rescued(record: Record, at: datetime = START + 6 * MINUTE) -> Record:
    """A second agent was requested."""
    reason = request_reason(record)
    return fold([entry(EntryType.REQUESTED, at, attempt=2, revision=2, request=SENT, reason=reason)], record)


def accepted(record: Record, at: datetime = START + 6 * MINUTE + MINUTE / 60) -> Record:
    return fold([entry(EntryType.ACCEPTED, at, attempt=2, revision=2, sub="agt_2")], record)


def second(kind: EntryType, minute: int = 8, record: Record | None = None) -> Record:
    """The second agent reports itself."""
    return with_report(record or accepted(rescued(failed())), kind, START + minute * MINUTE, attempt=2, sub="agt_2")


# ----------------------------------------------------------------------------------------------------------- conditions


def test_an_agent_that_failed_while_its_meeting_runs_is_due_a_second_one_at_once() -> None:
    assert obstacle_to(failed()) is None
    assert (cause_of(failed().current), due_at(failed(), ONCE)) == (IncidentType.FAILED, START + 5 * MINUTE)


def test_an_agent_that_failed_before_the_start_is_due_a_second_one_at_the_start() -> None:
    assert due_at(failed(at=START - 3 * MINUTE), ONCE) == START


def test_a_silent_agent_has_twice_the_time_to_report_itself() -> None:
    assert cause_of(silent().current) is IncidentType.NEVER_ACTIVATED
    assert due_at(silent(), ONCE) == START + 20 * MINUTE


def test_a_silent_agent_is_given_the_time_from_a_late_request() -> None:
    record = scheduled()
    late = replace(record.current, requested_at=START + 4 * MINUTE)
    assert due_at(silent(replace(record, attempts=(late,))), ONCE) == START + 24 * MINUTE


def test_a_silent_agent_that_was_cancelled_or_heard_of_since_is_no_cause() -> None:
    at = START + 11 * MINUTE
    wish = fold([entry(EntryType.REQUESTED, at, revision=2, request=CANCEL)], silent())
    assert cause_of(fold([entry(EntryType.CANCELLED, at + MINUTE, revision=2)], wish).current) is None
    assert cause_of(with_report(silent(), EntryType.ACTIVATED, at).current) is None


def test_nothing_is_due_if_the_deployment_does_not_want_it_or_nothing_is_known() -> None:
    assert due_at(failed(), GracePeriods()) is None
    assert due_at(Record(), ONCE) is None
    assert due_at(scheduled(), ONCE) is None


def test_only_as_long_as_an_agent_has_to_report_itself_is_left_of_the_meeting() -> None:
    assert due_at(failed(at=END - 10 * MINUTE), ONCE) == END - 10 * MINUTE
    assert due_at(failed(at=END - 10 * MINUTE + MINUTE / 60), ONCE) is None


def cancelled(record: Record) -> Record:
    at = START + 2 * MINUTE
    wish = fold([entry(EntryType.REQUESTED, at, revision=2, request=CANCEL)], record)
    return failed(fold([entry(EntryType.CANCELLED, at + MINUTE, revision=2)], wish))


def with_change(kind: EntryType | None, **fields: Any) -> Record:
    """A retitled meeting was requested anew before the agent failed, with this outcome."""
    change = replace(WISH, meeting=replace(WISH.meeting, summary="Weekly"), digest="2")
    record = fold([entry(EntryType.REQUESTED, START - HOUR, revision=2, request=change)], scheduled())
    return failed(fold([entry(kind, START - HOUR + MINUTE, revision=2, **fields)], record) if kind else record)


def two_active() -> Record:
    """Two requests at the same time brought two agents; one of them failed."""
    record = with_report(scheduled(), EntryType.ACTIVATED, START, sub="agt_1")
    record = failed(record)
    attempt = record.current
    return replace(record, attempts=(replace(attempt, reports=attempt.reports | {("agt_9", EntryType.ACTIVATED)}),))


def earlier_open() -> Record:
    """An agent was active in the same meeting when it was moved by some minutes, and has not ended."""
    record = with_report(scheduled(), EntryType.ACTIVATED, START - MINUTE, sub="agt_0")
    moved = Meeting(start=START + 5 * MINUTE, end=END + 5 * MINUTE)
    record = with_report(record, EntryType.BEFORE_START, START - MINUTE / 2, meeting=moved)
    assert len(record.attempts) == 2
    return with_report(record, EntryType.FAILED, START + 6 * MINUTE, attempt=2, sub="agt_1")


def may_have_arrived() -> Record:
    record = failed()
    return replace(record, attempts=(replace(record.current, may_have_arrived=True),))


OBSTACLES: dict[Obstacle, list[Callable[[], Record]]] = {
    Obstacle.NOT_REQUESTED: [
        lambda: failed(Record()),
    ],
    Obstacle.CALLERS_TOKEN: [lambda: failed(scheduled(account=""))],
    Obstacle.NOT_ACCEPTED: [
        lambda: failed(fold([entry(EntryType.REQUESTED, START - DAY, revision=1, request=WISH)])),
    ],
    Obstacle.NOT_WANTED: [
        lambda: cancelled(scheduled()),
        lambda: failed(
            fold([entry(EntryType.REQUESTED, START, revision=2, request=CANCEL, retry_at=START + MINUTE)], scheduled())
        ),
        lambda: failed(fold([entry(EntryType.REQUESTED, START, revision=2, request=CANCEL)], scheduled())),
        lambda: failed(
            fold(
                [entry(EntryType.CALENDAR_READ, START - HOUR, reading=Reading(is_deleted=True))],
                scheduled(),
            )
        ),
        lambda: failed(
            fold(
                [
                    entry(EntryType.REQUESTED, START - HOUR, revision=2, request=CANCEL),
                    entry(EntryType.REJECTED, START - HOUR + MINUTE, revision=2),
                ],
                scheduled(),
            )
        ),
    ],
    Obstacle.STILL_OPEN: [lambda: with_change(None), lambda: with_change(EntryType.REJECTED)],
    Obstacle.MAY_BE_THERE: [two_active, earlier_open, may_have_arrived],
    Obstacle.INCURABLE: [
        lambda: failed(remarks=("meeting_agent.reason: The meeting is LOCKED",)),
        lambda: failed(remarks=("reason: other", "meeting_agent.reason: consent is missing")),
    ],
    Obstacle.NO_CONFERENCE: [
        lambda: replace(failed(), has_join_link=False),
        lambda: failed(
            with_report(
                replace(scheduled(), attempts=(replace(scheduled().current, conference=None),)),
                EntryType.CONFERENCING_FAILING,
                START - HOUR,
            )
        ),
    ],
    Obstacle.NO_END: [
        lambda: failed(scheduled(meeting=Meeting(start=START))),
        lambda: failed(scheduled(meeting=Meeting(end=END))),
    ],
    Obstacle.SECOND_BEFORE: [
        lambda: second(EntryType.FAILED),
        lambda: fold([reported_entry(failed(), REPORT, START + 6 * MINUTE)], failed()),
    ],
}
"""Records of agents that failed, each with one obstacle to a second one."""


def test_each_condition_has_a_record_that_does_not_meet_it() -> None:
    assert OBSTACLES.keys() == CONDITIONS.keys()


@pytest.mark.parametrize(
    ("obstacle", "record"), [(obstacle, record) for obstacle, records in OBSTACLES.items() for record in records]
)
def test_no_second_agent_is_due_if_a_condition_is_not_met(obstacle: Obstacle, record: Callable[[], Record]) -> None:
    assert cause_of(record().current) is IncidentType.FAILED or obstacle is Obstacle.NOT_WANTED
    assert obstacle_to(record()) is obstacle
    assert due_at(record(), ONCE) is None


def test_an_agent_of_the_api_key_is_due_a_second_one_if_cronofy_says_where_and_until_when() -> None:
    key = {"account": "", "calendar_id": "", "event_id": "", "scheduling_key": "key"}
    assert obstacle_to(failed(scheduled(**key))) is None


def test_one_agent_that_failed_after_it_was_active_leaves_the_meeting_without_one() -> None:
    assert obstacle_to(failed(with_report(scheduled(), EntryType.ACTIVATED, START, sub="agt_1"))) is None


def test_an_agent_that_left_and_is_complete_is_no_obstacle_to_another() -> None:
    record = with_report(scheduled(), EntryType.ACTIVATED, START - 2 * MINUTE, sub="agt_0")
    moved = Meeting(start=START + 5 * MINUTE, end=END + 5 * MINUTE)
    record = with_report(record, EntryType.BEFORE_START, START - MINUTE, meeting=moved)
    record = with_report(record, EntryType.COMPLETE, START - MINUTE / 2, sub="agt_0")
    record = with_report(record, EntryType.FAILED, START + 6 * MINUTE, attempt=2, sub="agt_1")
    assert [attempt.state for attempt in record.attempts] == [State.COMPLETE, State.FAILED]
    assert obstacle_to(record) is None


def test_a_meeting_at_quite_another_time_may_have_a_second_agent_of_its_own() -> None:
    record = second(EntryType.FAILED)
    later = replace(WISH, meeting=Meeting(start=START + 7 * DAY, end=END + 7 * DAY), digest="2")
    record = fold(
        [
            entry(EntryType.REQUESTED, END + HOUR, attempt=3, revision=3, request=later),
            entry(EntryType.ACCEPTED, END + HOUR + MINUTE, attempt=3, revision=3),
        ],
        record,
    )
    record = with_report(record, EntryType.FAILED, START + 7 * DAY + MINUTE, attempt=3, sub="agt_3")
    assert (obstacle_to(record), due_at(record, ONCE)) == (None, START + 7 * DAY + MINUTE)


# ----------------------------------------------------------------------------------------------------- report, and send


def test_the_deadline_of_a_second_agent_is_there_only_if_the_deployment_wants_one() -> None:
    def phases(grace_periods: GracePeriods) -> set[DeadlineType]:
        return {deadline.phase for deadline in deadlines(failed(), grace_periods)}

    assert DeadlineType.RESCUE in phases(REPORT) & phases(ONCE)
    assert DeadlineType.RESCUE not in phases(GracePeriods())


def test_a_second_agent_that_is_only_reported_makes_one_entry() -> None:
    at = START + 6 * MINUTE
    (found,) = (f for f in find_missed(failed(), REPORT, at) if f.deadline.phase is DeadlineType.RESCUE)
    assert (found.entry.kind, found.entry.attempt) == (EntryType.RESCUE, 1)
    assert found.entry.reason == Reason.of(ReasonCode.RESCUE_REPORTED, cause="failed")
    after = fold([found.entry], failed())
    assert not [f for f in find_missed(after, REPORT, at) if f.deadline.phase is DeadlineType.RESCUE]
    assert after.current.rescue == found.entry.reason


def test_a_second_agent_that_is_to_be_sent_is_due_and_makes_no_entry_by_itself() -> None:
    at = START + 6 * MINUTE
    assert not [f for f in find_missed(failed(), ONCE, at) if f.deadline.phase is DeadlineType.RESCUE]
    assert is_rescue_due(failed(), ONCE, at)
    assert not is_rescue_due(Record(), ONCE, at)
    assert is_rescue_due(failed(), ONCE, START + 5 * MINUTE)
    assert not is_rescue_due(failed(), ONCE, START + 4 * MINUTE)
    assert not is_rescue_due(failed(), REPORT, at)


def test_a_silent_agent_is_only_reported_unless_the_deployment_takes_the_risk() -> None:
    at = START + 20 * MINUTE
    assert is_rescue_due(silent(), RISKY, at)
    assert not is_rescue_due(silent(), ONCE, at)
    assert not is_rescue_due(silent(), replace(REPORT, rescues_silent=True), at)

    def is_reported(grace_periods: GracePeriods) -> bool:
        return any(found.entry.kind is EntryType.RESCUE for found in find_missed(silent(), grace_periods, at))

    assert (is_reported(ONCE), is_reported(RISKY)) == (True, False)


def test_a_sweep_that_comes_too_late_says_so() -> None:
    on_time, late = (reported_entry(failed(), REPORT, END - 10 * MINUTE + after) for after in (0 * MINUTE, MINUTE))
    assert on_time.reason
    assert on_time.reason.code is ReasonCode.RESCUE_REPORTED
    assert late.reason == Reason.of(ReasonCode.RESCUE_WITHHELD, cause="failed", obstacle=Obstacle.TOO_LATE)
    assert late.key == on_time.key  # two sweeps make one entry


def test_an_entry_counts_once_and_for_its_own_attempt() -> None:
    record = failed()
    first = reported_entry(record, REPORT, START + 6 * MINUTE)
    again = replace(withheld_entry(record, Obstacle.BUDGET_SPENT, START + 7 * MINUTE), key="again")
    of_another = replace(first, key="other", attempt=9)
    assert [step.verdict for step in steps([first, again], record)] == [Verdict.APPLIED, Verdict.DUPLICATE]
    assert [step.verdict for step in steps([of_another], record)] == [Verdict.STALE]


# --------------------------------------------------------------------------------------------------- what becomes of it


def test_a_second_agent_is_an_attempt_of_its_own_with_its_own_origin() -> None:
    record = accepted(rescued(failed()))
    assert [attempt.origin for attempt in record.attempts] == ["request", "rescue"]
    assert (record.state, record.current.subs) == (State.SCHEDULED, ("agt_2",))
    assert record.current.reason.code is ReasonCode.REQUEST_ACCEPTED
    assert rescued(failed()).current.reason == Reason.of(ReasonCode.RESCUE, cause="failed")


def test_the_first_ones_incident_stays_open_until_the_second_is_complete() -> None:
    def opened(record: Record, minute: int = 9) -> list[str]:
        return [incident.key for incident in open_incidents(record, ONCE, START + minute * MINUTE)]

    assert opened(failed()) == opened(rescued(failed()), 7) == opened(accepted(rescued(failed()))) == ["1/failed"]
    assert opened(rescued(failed())) == ["2/not_arranged"]
    [waiting] = all_incidents(rescued(failed()), ONCE, START + 9 * MINUTE)
    for now, key in ((waiting.owed_at - MINUTE / 60, "1/failed"), (waiting.owed_at, "2/not_arranged")):
        assert [incident.key for incident in open_incidents(rescued(failed()), ONCE, now)] == [key]
    assert opened(second(EntryType.ACTIVATED)) == ["1/failed"]
    assert opened(second(EntryType.FAILED)) == ["2/failed"]
    assert opened(second(EntryType.COMPLETE, 62), 63) == []


def alerted(record: Record) -> Record:
    """People were alerted of everything that is open."""
    at = record.updated_at + MINUTE / 60
    alerts = [
        entry(
            EntryType.ALERTED,
            at,
            attempt=incident.attempt,
            cause=incident.type,
            status=AlertStatus.FIRING,
            severity=incident.severity,
        )
        for incident in open_incidents(record, ONCE, at)
    ]
    return fold(alerts, record)


def owed(record: Record, minute: int) -> list[tuple[str, str]]:
    now = START + minute * MINUTE
    return [(str(alert.status), alert.incident.key) for alert in alerting_owed(record, ONCE, now)]


def test_the_link_is_known_from_a_notification_that_has_it() -> None:
    request = entry(EntryType.REQUESTED, START - DAY, revision=1, request=WISH)
    record = fold([request, entry(EntryType.ACCEPTED, START - DAY + MINUTE, revision=1)])
    assert not record.has_join_link
    assert scheduled().has_join_link


def test_a_second_agent_replaces_none_of_which_the_journal_has_expired() -> None:
    record = accepted(rescued(failed()))
    assert record.rescued == record.attempts[0]
    assert replace(record, attempts=record.attempts[1:]).rescued is None


def test_an_alert_is_owed_about_the_first_although_a_second_is_on_its_way() -> None:
    assert owed(accepted(rescued(failed())), 7) == [("firing", "1/failed")]


def test_the_alert_is_resolved_when_the_second_agent_is_complete_and_not_before() -> None:
    record = accepted(rescued(alerted(failed())))
    assert owed(record, 7) == owed(second(EntryType.ACTIVATED, 8, record), 9) == []
    assert owed(second(EntryType.COMPLETE, 62, record), 63) == [("resolved", "1/failed")]


def test_the_alert_is_resolved_although_the_meeting_was_moved_on_after_its_second_agent() -> None:
    later = replace(WISH, meeting=Meeting(start=START + DAY, end=END + DAY), digest="2")
    record = accepted(rescued(alerted(failed())))
    for kind, expected in ((EntryType.COMPLETE, [("resolved", "1/failed")]), (EntryType.ACTIVATED, [])):
        move = entry(EntryType.REQUESTED, START + 63 * MINUTE, attempt=3, revision=3, request=later)
        accept = entry(EntryType.ACCEPTED, START + 64 * MINUTE, attempt=3, revision=3)
        assert owed(fold([move, accept], second(kind, 62, record)), 65) == expected


def test_a_second_agent_that_fails_as_well_is_an_alert_of_its_own() -> None:
    assert owed(second(EntryType.FAILED, 8, accepted(rescued(alerted(failed())))), 9) == [("firing", "2/failed")]


def test_a_refused_second_agent_does_not_bring_back_the_silent_first_one() -> None:
    record = rescued(silent(), START + 21 * MINUTE)
    refused = fold([entry(EntryType.REJECTED, START + 22 * MINUTE, attempt=2, revision=2)], record)
    assert [attempt.state for attempt in refused.attempts] == [State.OVERDUE, State.REJECTED]
    assert due_at(refused, ONCE) is None


def called_off(record: Record, minute: int = 8) -> Record:
    at = START + minute * MINUTE
    return fold(
        [
            entry(EntryType.REQUESTED, at, attempt=2, revision=3, request=CANCEL),
            entry(EntryType.CANCELLED, at + MINUTE, attempt=2, revision=3),
        ],
        record,
    )


def test_a_second_agent_that_is_cancelled_stays_and_is_an_incident_until_it_has_ended() -> None:
    record = called_off(accepted(rescued(failed())))
    assert (record.state, record.rescued) == (State.CANCELLED, None)
    (incident,) = open_incidents(record, ONCE, START + 10 * MINUTE)
    assert (incident.key, incident.reason) == ("2/unwanted", Reason.of(ReasonCode.RESCUE_STAYS))
    active = with_report(record, EntryType.ACTIVATED, START + 10 * MINUTE, attempt=2, sub="agt_2")
    (incident,) = open_incidents(active, ONCE, START + 11 * MINUTE)
    assert incident.reason == Reason.of(ReasonCode.REPORTED_ACTIVE)
    ended = with_report(active, EntryType.FAILED, START + 12 * MINUTE, attempt=2, sub="agt_2")
    assert open_incidents(ended, ONCE, START + 13 * MINUTE) == ()
    assert not called_off(second(EntryType.FAILED), 10).current.is_unwanted


def test_a_second_agent_is_needed_as_long_as_the_first_is_not_heard_of() -> None:
    assert is_still_needed(rescued(failed()))
    assert is_still_needed(rescued(silent(), START + 21 * MINUTE))
    assert not is_still_needed(failed())
    come = with_report(rescued(silent(), START + 21 * MINUTE), EntryType.ACTIVATED, START + 22 * MINUTE, sub="agt_1")
    assert come.attempts[0].activated_at
    assert not is_still_needed(come)
    assert not is_still_needed(second(EntryType.COMPLETE, 62))


def test_an_agent_that_came_and_failed_has_not_come() -> None:
    """Neither has one that was never heard of: its second agent was needed."""
    active = with_report(scheduled(), EntryType.ACTIVATED, START, sub="agt_1")
    sent = accepted(rescued(failed(active)))
    assert outcome_of(sent) is Outcome.SENT
    assert outcome_of(replace(sent, attempts=sent.attempts[1:])) is Outcome.SENT  # the first one's entries expired
    sent = accepted(rescued(silent(), START + 21 * MINUTE), START + 21 * MINUTE)
    assert outcome_of(second(EntryType.COMPLETE, 62, sent)) is Outcome.COMPLETE


def test_an_agent_of_another_week_keeps_no_second_one_away() -> None:
    """It was never heard of again, and may be anywhere but in this meeting."""
    week = timedelta(days=7)
    record = with_report(scheduled(), EntryType.ACTIVATED, START, sub="agt_1")
    wish = replace(WISH, meeting=Meeting(start=START + week, end=END + week), digest="next week")
    at = START + DAY
    record = fold(
        [
            entry(EntryType.REQUESTED, at, attempt=2, revision=2, request=wish),
            entry(EntryType.ACCEPTED, at + MINUTE, attempt=2, revision=2),
        ],
        record,
    )
    record = with_report(record, EntryType.FAILED, START + week + MINUTE, attempt=2, sub="agt_2")
    assert [attempt.state for attempt in record.attempts] == [State.ACTIVATED, State.FAILED]
    assert obstacle_to(record) is None


@pytest.mark.parametrize(
    ("record", "outcome"),
    [
        (failed, None),
        (lambda: accepted(rescued(failed())), Outcome.SENT),
        (lambda: second(EntryType.ACTIVATED), Outcome.SENT),
        (lambda: second(EntryType.COMPLETE, 62), Outcome.COMPLETE),
        (lambda: second(EntryType.FAILED), Outcome.FAILED),
        (
            lambda: with_report(
                rescued(silent(), START + 21 * MINUTE), EntryType.ACTIVATED, START + 22 * MINUTE, sub="agt_1"
            ),
            Outcome.NOT_NEEDED,
        ),
        (lambda: fold([reported_entry(failed(), REPORT, START + 6 * MINUTE)], failed()), Outcome.REPORTED),
        (
            lambda: with_report(
                fold([reported_entry(silent(), REPORT, START + 20 * MINUTE)], silent()),
                EntryType.ACTIVATED,
                START + 22 * MINUTE,
            ),
            Outcome.NOT_NEEDED,
        ),
        (
            lambda: with_report(
                fold([reported_entry(failed(), REPORT, START + 6 * MINUTE)], failed()), EntryType.COMPLETE, END
            ),
            Outcome.NOT_NEEDED,
        ),
        (
            lambda: fold([withheld_entry(failed(), Obstacle.BUDGET_SPENT, START + 6 * MINUTE)], failed()),
            Outcome.WITHHELD,
        ),
    ],
)
def test_the_outcome_says_what_became_of_a_second_agent(record: Callable[[], Record], outcome: Outcome | None) -> None:
    assert outcome_of(record()) is outcome


# ----------------------------------------------------------------------------------------------- the words for people


@pytest.mark.parametrize(
    ("record", "attempt", "grace_periods", "minute", "words"),
    [
        (failed, 1, GracePeriods(), 6, ""),
        (scheduled, 1, ONCE, 6, ""),
        (failed, 9, ONCE, 6, ""),
        (failed, 1, ONCE, 6, "one is sent at 2026-04-29 10:06:00 UTC, unless the first is heard of"),
        (silent, 1, ONCE, 11, "one would be sent at 2026-04-29 10:20:00 UTC; this deployment only reports it"),
        (silent, 1, RISKY, 11, "one is sent at 2026-04-29 10:20:00 UTC, unless the first is heard of"),
        (failed, 1, REPORT, 6, "one would be sent at 2026-04-29 10:06:00 UTC; this deployment only reports it"),
        (failed, 1, ONCE, 51, "none is sent: too little is left of the meeting"),
        (lambda: failed(at=END - MINUTE), 1, ONCE, 59, "none is sent: too little is left of the meeting"),
        (OBSTACLES[Obstacle.INCURABLE][0], 1, ONCE, 6, "none is sent: it would be kept out as the first was"),
        (
            lambda: fold([withheld_entry(failed(), Obstacle.BUDGET_SPENT, START + 6 * MINUTE)], failed()),
            1,
            ONCE,
            7,
            "none is sent: the account's budget for this hour is spent",
        ),
        (
            lambda: accepted(rescued(failed())),
            1,
            ONCE,
            7,
            "sent at 2026-04-29 10:06:00 UTC; it is on its way",
        ),
        (lambda: second(EntryType.FAILED), 2, ONCE, 9, "sent at 2026-04-29 10:06:00 UTC; it is failed"),
        (lambda: second(EntryType.COMPLETE, 62), 1, ONCE, 63, "sent at 2026-04-29 10:06:00 UTC; it is complete"),
    ],
)
def test_an_alert_says_what_is_known_of_a_second_agent(
    record: Callable[[], Record], attempt: int, grace_periods: GracePeriods, minute: int, words: str
) -> None:
    assert wording.of(second_agent(record(), attempt, grace_periods, START + minute * MINUTE)) == words


def test_a_meeting_that_was_moved_on_says_nothing_more_of_a_second_agent() -> None:
    later = replace(WISH, meeting=Meeting(start=START + DAY, end=END + DAY), digest="2")
    record = fold([entry(EntryType.REQUESTED, START + 7 * MINUTE, attempt=2, revision=2, request=later)], failed())
    assert second_agent(record, 1, ONCE, START + 8 * MINUTE) is None


def test_every_obstacle_has_words() -> None:
    assert wording.OBSTACLES.keys() == set(Obstacle)
