"""The alerts that are owed: the difference between what is true and what people were last told."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meeting_agents.domain.alerts import MAX_ALERTS_DUE, MAX_REMINDERS, alerting_owed, is_same_meeting, next_alert_at
from meeting_agents.domain.deadlines import Deadline, deadlines
from meeting_agents.domain.grace_periods import GracePeriods
from meeting_agents.domain.lifecycle import fold
from meeting_agents.domain.model import (
    AlertStatus,
    DeadlineType,
    Entry,
    EntryType,
    IncidentType,
    Meeting,
    Request,
    Severity,
    State,
)
from meeting_agents.domain.overdue import find_missed
from meeting_agents.domain.reasons import Reason, ReasonCode
from meeting_agents.domain.record import Record
from tests.unit.domain.test_incidents import (
    LEAD_TIME,
    SECOND,
    back,
    later,
    refused_move,
    silent,
    tried,
    unanswered,
    unfinished,
)
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
    histories,
    kept,
    moved,
    scheduled,
)

GRACE_PERIODS = GracePeriods()
REMINDING = replace(GRACE_PERIODS, escalation=timedelta(minutes=15))
FIRING, RESOLVED = AlertStatus.FIRING, AlertStatus.RESOLVED
WEEK = timedelta(days=7)

type Owed = list[tuple[AlertStatus, str, Severity, int]]


def owed(history: History, at: datetime | None = None, grace_periods: GracePeriods = GRACE_PERIODS) -> Owed:
    alerts = alerting_owed(history.record, grace_periods, at or history.at)
    return [(alert.status, alert.incident.key, alert.incident.severity, alert.reminder) for alert in alerts]


def publish(history: History, at: datetime | None = None, grace_periods: GracePeriods = GRACE_PERIODS) -> History:
    """Record all alerts that are owed, as the alert function does."""
    at = at or history.at
    for alert in alerting_owed(history.record, grace_periods, at):
        history.entries.append(
            Entry(
                key=f"alerted#{alert.incident.key}#{alert.status}#{alert.number}",
                kind=EntryType.ALERTED,
                at=at,
                attempt=alert.incident.attempt,
                cause=alert.incident.type,
                status=alert.status,
                severity=alert.incident.severity,
                reminder=alert.reminder,
            )
        )
    history.at = at
    return history


def test_an_incident_is_owed_until_its_alert_is_recorded() -> None:
    history = silent()
    assert owed(history) == [(FIRING, "1/never_activated", Severity.CRITICAL, 0)]
    assert [alert.number for alert in alerting_owed(history.record, GRACE_PERIODS, history.at)] == [0]
    assert owed(publish(history)) == []
    assert len(history.record.alerts) == 1


def test_the_decision_follows_the_record_and_not_the_announcement() -> None:
    """However late, doubled or overtaken the announcement is: the last word that people have is the truth."""
    history = silent().report(EntryType.ACTIVATED)
    assert owed(history) == []  # over before its alert was sent
    history = publish(silent()).report(EntryType.ACTIVATED)
    assert owed(history) == [(RESOLVED, "1/never_activated", Severity.CRITICAL, 0)]
    assert owed(history.report(EntryType.FAILED)) == [(FIRING, "1/failed", Severity.CRITICAL, 0)]  # never both


def test_an_alert_that_comes_after_a_slow_write_of_an_earlier_entry_is_not_sent_again() -> None:
    """The entry of a notification may have an earlier time than the alert that was sent before it was written."""
    history = publish(silent())
    history.entries.append(
        Entry(
            key="slow",
            kind=EntryType.UNRECOGNISED,
            at=history.at - 5 * MINUTE,
            notification=scheduled().report(EntryType.FAILED).entries[-1].notification,
        )
    )
    assert history.record.state == "failed"
    assert owed(history) == [(FIRING, "1/failed", Severity.CRITICAL, 0)]
    assert owed(publish(history)) == []


def test_an_alert_that_could_not_be_published_is_not_overtaken_by_its_resolution() -> None:
    """Nothing is recorded, so nothing is resolved."""
    history = scheduled().report(EntryType.FAILED)
    assert [status for status, *_ in owed(history)] == [FIRING]
    assert owed(history.report(EntryType.COMPLETE)) == [(FIRING, "1/conflicting", Severity.WARNING, 0)]


def test_a_resolved_incident_that_opens_again_is_owed_again() -> None:
    history = publish(publish(kept(), NOON + 20 * MINUTE).request(moved(MINUTE)))
    assert history.record.alerts["1/unwanted"].status is RESOLVED
    history.answer(EntryType.ACCEPTED).request(AWAY).answer(EntryType.REJECTED)
    [alert] = alerting_owed(history.record, GRACE_PERIODS, history.at + 10 * MINUTE)
    assert (alert.status, alert.incident.key, alert.number) == (FIRING, "1/unwanted", 2)


def test_the_silence_at_a_new_time_of_the_meeting_is_owed_again() -> None:
    """A person moves the meeting of a silent agent to another time, and the agent is silent there, too."""
    meeting = replace(WISH.meeting, start=START + 60 * MINUTE, end=END + 60 * MINUTE)
    history = publish(silent()).report(EntryType.BEFORE_START, meeting=meeting)
    assert owed(history) == []
    history.at = START + 70 * MINUTE
    history.overdue(DeadlineType.ACTIVATION)
    assert owed(history) == [(FIRING, "1/never_activated", Severity.CRITICAL, 0)]
    assert [alert.number for alert in alerting_owed(history.record, GRACE_PERIODS, history.at)] == [1]
    assert owed(publish(history)) == []


@pytest.mark.parametrize(
    "history",
    [
        lambda: publish(scheduled().report(EntryType.FAILED)).cancel(),
        lambda: publish(scheduled().report(EntryType.FAILED)).request().answer(EntryType.ACCEPTED),
        lambda: publish(kept(), NOON + 20 * MINUTE).report(EntryType.FAILED),
        lambda: publish(silent()).answer(EntryType.ACKNOWLEDGED),
        lambda: publish(silent()).report(EntryType.CONFERENCING_FAILING),
    ],
)
def test_without_good_news_nothing_is_resolved(history: History) -> None:
    assert owed(history()) == []  # type: ignore[operator]


def test_a_new_attempt_that_comes_resolves_the_failure_of_the_one_before() -> None:
    history = publish(scheduled().report(EntryType.FAILED)).request().answer(EntryType.ACCEPTED)
    assert owed(history.report(EntryType.ACTIVATED, attempt=2)) == [(RESOLVED, "1/failed", Severity.CRITICAL, 0)]


def test_the_agent_of_next_week_does_not_resolve_the_failure_of_this_week() -> None:
    history = publish(scheduled().report(EntryType.FAILED)).request(moved(WEEK)).answer(EntryType.ACCEPTED)
    assert history.record.current.number == 2
    history.at = START + WEEK
    assert owed(history.report(EntryType.ACTIVATED, attempt=2)) == []
    assert owed(history.report(EntryType.COMPLETE, attempt=2, resources=(DASHBOARD, TRANSCRIPT))) == []


def without_end(request: Request) -> Request:
    return replace(request, meeting=replace(request.meeting, end=None))


@pytest.mark.parametrize(
    ("first", "second", "is_resolved"),
    [
        (WISH, moved(89 * MINUTE), True),
        (WISH, moved(90 * MINUTE), False),  # it begins when the first one ends
        (moved(90 * MINUTE), replace(WISH, digest="earlier"), False),
        (moved(89 * MINUTE), replace(WISH, digest="earlier"), True),
        (without_end(WISH), replace(WISH, digest="with an end"), True),
        (without_end(WISH), moved(MINUTE), False),
        (WISH, without_end(replace(WISH, digest="without an end")), True),
        (WISH, without_end(moved(MINUTE)), False),
        (replace(WISH, meeting=Meeting()), WISH, True),
        (WISH, replace(WISH, meeting=Meeting(), digest="without times"), True),
    ],
)
def test_an_agent_resolves_an_earlier_failure_if_the_meetings_overlap(
    first: Request, second: Request, *, is_resolved: bool
) -> None:
    """One without an end is the same if both begin at one time, one without a start in any case."""
    history = publish(History().request(first).answer(EntryType.ACCEPTED).report(EntryType.FAILED))
    history.request(second).answer(EntryType.ACCEPTED)
    history.at = max(history.at, second.meeting.start or START)
    assert history.record.current.number == 2
    expected = [(RESOLVED, "1/failed", Severity.CRITICAL, 0)] if is_resolved else []
    assert owed(history.report(EntryType.ACTIVATED, attempt=2)) == expected


def test_an_earlier_agent_that_came_resolves_no_failure_of_a_later_one() -> None:
    history = scheduled().report(EntryType.COMPLETE).request(moved(WEEK)).answer(EntryType.ACCEPTED)
    history.at = START + WEEK
    publish(history.report(EntryType.FAILED, attempt=2))
    assert [*history.record.alerts] == ["2/failed"]
    assert owed(history.cancel()) == []


def test_the_late_failure_of_a_cancelled_agent_is_no_incident_of_the_next_attempt() -> None:
    """Off and on again before the meeting."""
    history = scheduled().cancel().request().answer(EntryType.ACCEPTED)
    assert history.record.current.number == 2
    assert owed(history.report(EntryType.FAILED, attempt=1)) == []


def test_an_agent_that_is_active_a_day_after_its_cancellation_is_owed_at_once() -> None:
    history = back()
    history.at += timedelta(days=1)
    assert owed(history) == [(FIRING, "1/unwanted", Severity.CRITICAL, 0)]
    assert owed(publish(history).report(EntryType.COMPLETE)) == []


def test_a_cancellation_that_was_not_answered_is_owed_when_the_meeting_is_near() -> None:
    """The caller was told that it failed, and did not send it again."""
    assert owed(unanswered(), LEAD_TIME - SECOND) == []
    assert owed(unanswered(), LEAD_TIME + 2 * MINUTE) == [(FIRING, "1/unwanted", Severity.CRITICAL, 0)]


@pytest.mark.parametrize("history", [tried, refused_move])
def test_a_request_that_did_not_reach_cronofy_is_owed_before_the_meeting(history: type[History]) -> None:
    """Not after the start, as an agent that never became active."""
    assert owed(history(), LEAD_TIME - SECOND) == []
    assert owed(history(), LEAD_TIME + 2 * MINUTE) == [(FIRING, "1/not_arranged", Severity.CRITICAL, 0)]


def test_a_token_that_is_refreshed_within_a_second_alerts_no_one() -> None:
    history = History()
    history.at = START
    history.request().answer(EntryType.REJECTED)
    assert owed(history) == []
    history.request().answer(EntryType.ACCEPTED)
    assert owed(history, history.at + MINUTE) == owed(history, history.at + 3 * MINUTE) == []


def test_a_warning_becomes_critical_when_the_meeting_is_near() -> None:
    history = History().request().answer(EntryType.REJECTED)
    publish(history, history.at + 10 * MINUTE)
    assert history.record.alerts["1/rejected"].severity is Severity.WARNING
    assert owed(history, LEAD_TIME - SECOND) == []
    assert owed(history, LEAD_TIME) == [(FIRING, "1/rejected", Severity.CRITICAL, 0)]
    assert owed(publish(history, LEAD_TIME), START) == []


# ------------------------------------------------------------------------------------------------------------ reminders


def test_a_critical_incident_has_two_reminders() -> None:
    history = publish(silent())
    for number in range(1, MAX_REMINDERS + 1):
        assert owed(history, history.at + 14 * MINUTE, REMINDING) == []
        at = history.at + 15 * MINUTE
        assert owed(history, at, REMINDING) == [(FIRING, "1/never_activated", Severity.CRITICAL, number)]
        publish(history, at, REMINDING)
    assert owed(history, history.at + 15 * MINUTE, REMINDING) == []


def test_a_warning_and_an_acknowledged_incident_have_no_reminders() -> None:
    assert owed(publish(unfinished()), END + 60 * MINUTE, REMINDING) == []
    assert owed(publish(silent()).answer(EntryType.ACKNOWLEDGED), END - MINUTE, REMINDING) == []
    assert owed(publish(silent()), END, REMINDING) == []  # it is a warning now


# ------------------------------------------------------------------------------------------------------------ deadlines


def alert_deadline(record: Record, grace_periods: GracePeriods = GRACE_PERIODS) -> datetime | None:
    found = [item.at for item in deadlines(record, grace_periods) if item.phase is DeadlineType.ALERT]
    assert found == [at for at in [next_alert_at(record, grace_periods)] if at]
    return found[0] if found else None


def test_an_alert_that_is_owed_and_not_recorded_is_due_later_and_later() -> None:
    history = silent()
    for minutes in (2, 4, 8, 16, 32, 60, 60):
        due = alert_deadline(history.record)
        assert due == history.at + minutes * MINUTE
        history.add(EntryType.ALERT_DUE, attempt=1)
        history.entries[-1] = replace(history.entries[-1], at=due)
        history.at = due
    for _ in range(MAX_ALERTS_DUE):
        history.add(EntryType.ALERT_DUE, attempt=1)
    assert alert_deadline(history.record) is None
    assert history.record.alerts_due > MAX_ALERTS_DUE
    for count, is_due in ((MAX_ALERTS_DUE - 1, True), (MAX_ALERTS_DUE, False)):
        assert (alert_deadline(replace(history.record, alerts_due=count)) is not None) is is_due
    assert publish(history).record.alerts_due == 0


def test_the_end_of_the_patience_is_a_deadline() -> None:
    history = History().request().answer(EntryType.REJECTED)
    assert deadlines(history.record, GRACE_PERIODS)[0] == Deadline(history.at + 10 * MINUTE, DeadlineType.ALERT)


def test_a_request_without_an_answer_has_a_deadline_before_the_start() -> None:
    assert alert_deadline(History().request().record) == LEAD_TIME + 2 * MINUTE
    assert alert_deadline(scheduled().record) is None


def test_a_time_that_has_passed_is_no_deadline() -> None:
    """The incident would have been critical near the meeting; now it is a warning, of which people know."""
    history = publish(History().request().answer(EntryType.REJECTED), END + 5 * MINUTE)
    assert alert_deadline(history.record, REMINDING) is None


def test_the_rise_of_the_severity_and_a_reminder_are_deadlines() -> None:
    history = History().request().answer(EntryType.REJECTED)
    assert alert_deadline(publish(history, history.at + 10 * MINUTE).record) == LEAD_TIME
    history = publish(silent())
    assert alert_deadline(history.record, REMINDING) == history.at + 15 * MINUTE
    assert alert_deadline(history.record) is None


def test_an_empty_record_owes_nothing() -> None:
    assert alerting_owed(Record(), GRACE_PERIODS, NOON) == ()
    assert next_alert_at(Record(), GRACE_PERIODS) is None


def test_notices_are_owed_once_in_each_attempt() -> None:
    history = scheduled().report(EntryType.FAILED, event_id="evt_2")
    assert owed(history) == [(FIRING, "1/mismatched", Severity.WARNING, 0)]
    assert owed(publish(history).report(EntryType.COMPLETE, event_id="evt_3")) == []


def test_two_notices_of_an_attempt_are_owed_each() -> None:
    history = scheduled().report(EntryType.COMPLETE).report(EntryType.FAILED).report(EntryType.FAILED, event_id="evt_2")
    alerts = alerting_owed(history.record, GRACE_PERIODS, history.at)
    assert [(alert.incident.key, alert.number) for alert in alerts] == [("1/conflicting", 0), ("1/mismatched", 0)]
    reasons = {alert.incident.type: alert.incident.reason for alert in alerts}
    assert reasons[IncidentType.CONFLICTING] == Reason.of(ReasonCode.COMPLETE_AND_FAILED)


@pytest.mark.parametrize("code", [ReasonCode.ALERT_PUBLISHED, ReasonCode.ALERT_INCLUDED])
def test_an_alert_that_another_one_says_is_known_as_such(code: ReasonCode) -> None:
    history = publish(silent())
    history.entries[-1] = replace(history.entries[-1], reason=Reason.of(code))
    [last] = history.record.alerts.values()
    assert last.is_included is (code is ReasonCode.ALERT_INCLUDED)


@pytest.mark.parametrize(
    ("before", "expected"),
    [
        (ReasonCode.ALERT_INCLUDED, [(FIRING, "1/never_activated", Severity.CRITICAL, 0)]),
        (ReasonCode.ALERT_PUBLISHED, []),
    ],
)
def test_a_group_that_is_resolved_says_nothing_of_an_alert_about_the_agent_alone(
    before: ReasonCode, expected: list[object]
) -> None:
    """It was sent after the agent was looked at."""
    history = publish(silent())
    history.entries[-1] = replace(history.entries[-1], reason=Reason.of(before))
    uncovered = replace(
        history.entries[-1], key="uncovered", status=RESOLVED, reason=Reason.of(ReasonCode.GROUP_RESOLVED)
    )
    history.entries.append(uncovered)
    assert owed(history) == expected


def test_the_limits_are_those_that_the_documents_name() -> None:
    """Two reminders; and entries about one owed alert for about a day."""
    assert (MAX_REMINDERS, MAX_ALERTS_DUE) == (2, 30)


def test_alerts_of_entries_that_lack_a_field_change_nothing() -> None:
    record = silent().record
    bare = Entry(key="alerted", kind=EntryType.ALERTED, at=record.updated_at, attempt=1)
    assert fold([bare], onto=record).alerts == {}


# ---------------------------------------------------------------------------------------------------- for every history


@given(histories(), st.sampled_from([GRACE_PERIODS, REMINDING]))
def test_the_sweep_looks_at_an_agent_as_soon_as_an_alert_is_owed(entries: list[Entry], periods: GracePeriods) -> None:
    """Not earlier, so that it appends nothing in vain; the times between two looks are tried one by one."""
    record = fold(entries)
    due, step = next_alert_at(record, periods), 5 * MINUTE
    if alerting_owed(record, periods, record.updated_at):
        return
    for number in range(1, 24 * 12):
        at = record.updated_at + number * step
        is_owed = bool(alerting_owed(record, periods, at))
        if is_owed or (due is not None and due <= at):
            assert due is not None
            assert alerting_owed(record, periods, due)
            assert not is_owed or at - step < due <= at
            return


@given(histories(), st.sampled_from([0, 1, 30, 600]))
def test_nothing_is_owed_after_all_was_published(entries: list[Entry], minutes: int) -> None:
    history = History()
    history.entries = entries
    at = history.record.updated_at + minutes * MINUTE
    assert owed(publish(history, at), at) == []


# ------------------------------------------------------------------------------------------------- a meeting that moved


def left(at: datetime) -> History:
    """An agent that was active, and whose meeting is moved to the next week at a time."""
    history = later(scheduled(), START - MINUTE).report(EntryType.ACTIVATED, sub="agt_1")
    return later(history, at).request(moved(WEEK)).answer(EntryType.ACCEPTED)


def test_an_agent_that_is_silent_in_a_meeting_that_has_moved_since_is_a_notice() -> None:
    """The meeting was over before. The agent of the new time is another, and nothing follows for the old one."""
    history = left(END)
    by = END + GRACE_PERIODS.completion
    assert Deadline(by, DeadlineType.COMPLETION, 1) in deadlines(history.record, GRACE_PERIODS)
    assert [f.deadline.attempt for f in find_missed(history.record, GRACE_PERIODS, by - SECOND)] == []
    (finding,) = find_missed(history.record, GRACE_PERIODS, by)
    history.entries.append(finding.entry)
    first, second = history.record.attempts
    assert (first.state, second.state, history.record.state) == (State.OVERDUE, State.SCHEDULED, State.SCHEDULED)
    assert first.overdue_at == by
    assert first.reason.code is ReasonCode.COMPLETION_MISSED
    assert owed(history, by) == [(FIRING, "1/not_finished", Severity.WARNING, 0)]
    assert find_missed(history.record, GRACE_PERIODS, by + MINUTE) == []
    again = replace(finding.entry, key="again", reason=None)
    assert fold([again], history.record).verdicts["duplicate"] == 1
    assert owed(publish(history, by), by + WEEK) == []
    late = later(history, by + MINUTE).report(EntryType.COMPLETE, attempt=1, sub="agt_1")
    assert owed(late) == [(RESOLVED, "1/not_finished", Severity.WARNING, 0)]


@pytest.mark.parametrize(
    ("moved_at", "is_confirmed", "state", "expected"),
    [
        (END + MINUTE, True, EntryType.ACTIVATED, [(FIRING, "1/failed", Severity.WARNING, 0)]),
        (END + MINUTE, False, EntryType.ACTIVATED, []),
        (END - MINUTE, True, EntryType.ACTIVATED, []),
        (END + MINUTE, True, None, []),
    ],
    ids=["over", "not confirmed", "not over", "not heard of"],
)
def test_an_agent_that_fails_as_its_meeting_moves_on_after_the_end_is_a_notice(
    moved_at: datetime, is_confirmed: bool, state: EntryType | None, expected: list[object]
) -> None:
    """It may have been in the lobby all the time. Without the event trigger people may have prolonged the meeting."""
    history = later(scheduled(), START - MINUTE)
    if state:
        history.report(state, sub="agt_1")
    else:
        history.report(EntryType.COMPLETE, sub="agt_1", resources=(TRANSCRIPT,))
    if is_confirmed:
        later(history, moved_at - SECOND).report(EntryType.AFTER_END, meeting=WISH.meeting)
    later(history, moved_at).request(moved(WEEK)).answer(EntryType.ACCEPTED)
    failed = later(history, moved_at + MINUTE).report(EntryType.FAILED, attempt=1, sub="agt_1")
    assert [each for each in owed(failed, moved_at + 2 * MINUTE) if "/failed" in str(each)] == expected


def test_a_later_agent_is_of_the_same_meeting_as_one_that_failed_before_that_was_moved() -> None:
    failed = later(scheduled(), START - MINUTE).report(EntryType.FAILED, sub="agt_1")
    publish(failed, START)
    for by, number in ((-WEEK, 1), (timedelta(), 2)):
        later(failed, START + 10 * MINUTE).request(moved(by)).answer(EntryType.ACCEPTED)
        assert failed.record.current.number == number
    later(failed, END).report(EntryType.COMPLETE, attempt=2, sub="agt_2", resources=(TRANSCRIPT,))
    assert owed(failed) == [(RESOLVED, "1/failed", Severity.CRITICAL, 0)]
    assert not is_same_meeting(*left(END).record.attempts)


def test_an_agent_whose_meeting_moved_before_it_was_over_or_that_has_ended_is_no_notice() -> None:
    late = later(scheduled(), END + MINUTE).report(EntryType.ACTIVATED, sub="agt_1")
    late = later(late, END + 2 * MINUTE).request(moved(WEEK))
    by = END + MINUTE + GRACE_PERIODS.completion
    assert [each.at for each in deadlines(late.record, GRACE_PERIODS) if each.attempt] == [by]
    moved_away = left(END - SECOND)
    assert not [each for each in deadlines(moved_away.record, GRACE_PERIODS) if each.attempt]
    ended = later(left(END), END + MINUTE).report(EntryType.FAILED, attempt=1, sub="agt_1")
    assert not [each for each in deadlines(ended.record, GRACE_PERIODS) if each.attempt]
    (finding,) = find_missed(left(END).record, GRACE_PERIODS, END + GRACE_PERIODS.completion)
    stale = fold([finding.entry], ended.record)
    assert (stale.verdicts["stale"], stale.notices) == (ended.record.verdicts.get("stale", 0) + 1, {})
    bare = fold([replace(finding.entry, reason=None)], left(END).record)
    assert bare.attempts[0].reason.code is ReasonCode.COMPLETION_MISSED
