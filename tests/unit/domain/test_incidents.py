"""The table of incidents: for each type the histories that open it, its severity by time, and its patience."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from meeting_agents.domain.deadlines import deadlines
from meeting_agents.domain.grace_periods import GracePeriods
from meeting_agents.domain.groups import GROUPS
from meeting_agents.domain.incidents import INCIDENTS, NOTICES, Incident, open_incidents
from meeting_agents.domain.model import (
    ArchiveScope,
    Conference,
    DeadlineType,
    EntryType,
    IncidentType,
    Meeting,
    Request,
    Severity,
)
from meeting_agents.domain.reasons import REAUTHORISATION_REQUIRED, Reason, ReasonCode
from meeting_agents.domain.record import Record
from meeting_agents.domain.situation import LEAST_PATIENCE
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
    kept,
    moved,
    scheduled,
)

GRACE_PERIODS = GracePeriods(archive_scope=ArchiveScope.ALL)
LEAD_TIME = START - GRACE_PERIODS.arrangement
SECOND = timedelta(seconds=1)


def incidents(history: History, at: datetime | None = None) -> tuple[Incident, ...]:
    return open_incidents(history.record, GRACE_PERIODS, at or history.at)


def types(history: History, at: datetime | None = None) -> list[IncidentType]:
    return [incident.type for incident in incidents(history, at)]


def tried() -> History:
    return History().request().answer(EntryType.UNCONFIRMED, retry_at=START)


def disconnected(history: History | None = None) -> History:
    """An agent whose newest request waits for its account."""
    dead = Reason.of(ReasonCode.RETRY_PLANNED, failure=REAUTHORISATION_REQUIRED)
    return (history or History().request()).answer(EntryType.UNCONFIRMED, retry_at=START, reason=dead)


def change() -> History:
    """An agent that Cronofy accepted, with a change of its title that waits for its account."""
    return disconnected(scheduled().request(replace(WISH, digest="title")))


def unanswered() -> History:
    """An agent whose cancellation was not answered and is not sent again."""
    return scheduled().request(AWAY).answer(EntryType.UNCONFIRMED)


def later(history: History, at: datetime) -> History:
    """Let the next entry of a history be written at this time."""
    history.at = at - MINUTE
    return history


def expired() -> History:
    """An agent whose cancellation could not be delivered in time."""
    history = scheduled().request(AWAY).answer(EntryType.UNCONFIRMED, retry_at=START)
    return later(history, START).answer(EntryType.REJECTED)


def back() -> History:
    """An agent that reports itself active long after its cancellation was accepted."""
    return scheduled().cancel().report(EntryType.ACTIVATED)


def refused_move() -> History:
    return scheduled().request(moved(60 * MINUTE)).answer(EntryType.REJECTED)


def silent() -> History:
    return later(scheduled(), START + 10 * MINUTE).overdue(DeadlineType.ACTIVATION)


def unfinished() -> History:
    return later(scheduled().report(EntryType.ACTIVATED), END + 30 * MINUTE).overdue(DeadlineType.COMPLETION)


def without(*missing: str) -> History:
    history = scheduled().report(EntryType.COMPLETE, resources=(DASHBOARD,))
    return history.overdue(DeadlineType.RESOURCES, missing=missing)


def recorded() -> History:
    return scheduled().report(EntryType.COMPLETE, resources=(DASHBOARD, TRANSCRIPT))


def unarchived(code: ReasonCode) -> History:
    reason = Reason.of(code, category="transcript", failure="download_slow")
    return recorded().answer(EntryType.ARCHIVE_FAILED, resources=(TRANSCRIPT,), reason=reason)


OPEN: list[tuple[IncidentType, Callable[[], History], datetime | None]] = [
    (IncidentType.UNWANTED, kept, None),
    (IncidentType.UNWANTED, expired, None),
    (IncidentType.UNWANTED, back, None),
    (IncidentType.UNWANTED, unanswered, LEAD_TIME),
    (IncidentType.UNWANTED, lambda: unanswered().report(EntryType.ACTIVATED), None),
    (IncidentType.ACCOUNT_DISCONNECTED, disconnected, None),
    (IncidentType.ACCOUNT_DISCONNECTED, lambda: disconnected(scheduled().request(AWAY)), None),
    (IncidentType.NOT_ARRANGED, tried, LEAD_TIME),
    (IncidentType.NOT_ARRANGED, lambda: History().request(), LEAD_TIME),
    (IncidentType.NOT_ARRANGED, lambda: scheduled().request(moved(60 * MINUTE)), LEAD_TIME + 60 * MINUTE),
    (IncidentType.NOT_ARRANGED, refused_move, LEAD_TIME),
    (IncidentType.REJECTED, lambda: History().request().answer(EntryType.REJECTED), None),
    (IncidentType.FAILED, lambda: scheduled().report(EntryType.FAILED), None),
    (IncidentType.FAILED, lambda: History().report(EntryType.FAILED), None),
    (IncidentType.NEVER_ACTIVATED, silent, None),
    (IncidentType.NO_CONFERENCE, lambda: scheduled().report(EntryType.CONFERENCING_FAILING), None),
    (IncidentType.NO_CONFERENCE, lambda: History().report(EntryType.CONFERENCING_FAILING), None),
    (
        IncidentType.NO_CONFERENCE,
        lambda: later(scheduled(), START - 15 * MINUTE).overdue(DeadlineType.CONFERENCE),
        None,
    ),
    (IncidentType.NOT_FINISHED, unfinished, None),
    (IncidentType.RESOURCES_MISSING, lambda: without("transcript"), None),
    (IncidentType.RESOURCES_MISSING, lambda: without("anything"), None),
    (IncidentType.NOT_ARCHIVED, lambda: recorded().overdue(DeadlineType.ARCHIVE, missing=("transcript",)), None),
    (IncidentType.NOT_ARCHIVED, lambda: unarchived(ReasonCode.ARCHIVE_GIVEN_UP), None),
    (IncidentType.NOT_ARCHIVED, lambda: unarchived(ReasonCode.RESOURCE_EXPIRED), None),
]
"""The type, a history that opens it, and the time from which it is open; None: from the last entry on."""


def test_every_type_has_a_row_and_an_example() -> None:
    assert sorted([*INCIDENTS, *NOTICES, *GROUPS]) == sorted(IncidentType)
    assert {type_ for type_, *_ in OPEN} == set(INCIDENTS)


@pytest.mark.parametrize(("type_", "history", "at"), OPEN)
def test_a_row_opens_from_its_time_on(type_: IncidentType, history: Callable[[], History], at: datetime | None) -> None:
    made = history()
    [incident] = incidents(made, at)
    assert (incident.type, incident.attempt) == (type_, made.record.current.number)
    assert incident.opened_at <= (at or made.at) <= incident.owed_at + GRACE_PERIODS.patience
    assert incident.key == f"{incident.attempt}/{type_}"
    if at:
        assert incidents(made, at - SECOND) == ()


@pytest.mark.parametrize(
    "history",
    [
        scheduled,
        lambda: scheduled().report(EntryType.ACTIVATED),
        lambda: scheduled().report(EntryType.COMPLETE),
        lambda: scheduled().cancel(),
        lambda: scheduled().report(EntryType.FAILED).cancel(),
        lambda: scheduled().report(EntryType.FAILED).request().answer(EntryType.ACCEPTED),
        lambda: back().report(EntryType.COMPLETE),
        lambda: back().report(EntryType.FAILED),
        lambda: scheduled().request(replace(WISH, digest="title")),
        lambda: scheduled().request(replace(WISH, digest="title")).answer(EntryType.REJECTED),
        lambda: tried().report(EntryType.ACTIVATED),
        lambda: unanswered().request(),
        lambda: kept().report(EntryType.FAILED),
        lambda: kept().report(EntryType.COMPLETE),
        lambda: without("transcript").report(EntryType.COMPLETE, resources=(TRANSCRIPT,)),
    ],
)
def test_nothing_is_open_for_an_agent_that_is_as_it_should_be(history: Callable[[], History]) -> None:
    made = history()
    assert types(made) == types(made, max(made.at, START)) == []


@pytest.mark.parametrize(
    "history",
    [
        lambda: kept().overdue(DeadlineType.ACTIVATION),
        lambda: kept().report(EntryType.CONFERENCING_FAILING),
        lambda: kept().report(EntryType.ACTIVATED).overdue(DeadlineType.COMPLETION),
    ],
)
def test_an_unwanted_agent_has_no_other_incident(history: Callable[[], History]) -> None:
    assert types(history()) == [IncidentType.UNWANTED]


def test_a_request_that_was_never_accepted_is_the_reason_of_the_silence() -> None:
    """The advice to open the meeting and look for the agent would be wrong."""
    refused = Reason.of(ReasonCode.RETRY_PLANNED, failure=503)
    history = History().request().answer(EntryType.UNCONFIRMED, retry_at=START, reason=refused)
    later(history, START + 10 * MINUTE).overdue(DeadlineType.ACTIVATION)
    [incident] = incidents(history)
    assert (incident.type, incident.reason) == (IncidentType.NOT_ARRANGED, refused)


def test_a_request_that_is_given_up_is_no_other_incident() -> None:
    """The incident stays the same, with the newest reason; a refusal on the way is another one."""
    given_up = Reason.of(ReasonCode.REQUEST_EXPIRED, failure=503)
    history = later(tried(), END).answer(EntryType.REJECTED, reason=given_up)
    [incident] = incidents(history)
    assert (incident.type, incident.opened_at, incident.reason) == (IncidentType.NOT_ARRANGED, LEAD_TIME, given_up)
    assert types(later(tried(), START).answer(EntryType.REJECTED)) == [IncidentType.REJECTED]
    early = tried().answer(EntryType.REJECTED, reason=given_up)
    [incident] = incidents(early)
    assert (incident.type, incident.severity) == (IncidentType.REJECTED, Severity.WARNING)  # no one knew it yet


def test_a_move_that_is_refused_while_it_waits_is_not_arranged_although_the_agent_comes() -> None:
    """It comes at the old time. Its caller does not know of the refusal, or else has it in hand."""
    waits = scheduled().request(moved(30 * MINUTE)).answer(EntryType.UNCONFIRMED, retry_at=NOON)
    refused = later(waits.answer(EntryType.REJECTED), START - MINUTE).report(EntryType.ACTIVATED)
    assert types(refused, START) == [IncidentType.NOT_ARRANGED]
    rule = INCIDENTS[IncidentType.NOT_ARRANGED]
    assert not rule.is_resolved(refused.record.current)
    in_hand = later(refused_move(), START - MINUTE).report(EntryType.ACTIVATED)
    assert types(in_hand, START) == []
    assert rule.is_resolved(in_hand.record.current)
    title = scheduled().request(replace(WISH, digest="title")).answer(EntryType.UNCONFIRMED, retry_at=NOON)
    title = later(title.answer(EntryType.REJECTED), START - MINUTE).report(EntryType.ACTIVATED)
    assert types(title, START) == []
    assert rule.is_resolved(title.record.current)


@pytest.mark.parametrize(
    ("by", "refused_at", "opened_at"),
    [
        (timedelta(hours=-2), START - timedelta(hours=3), START - timedelta(hours=2, minutes=30)),
        (timedelta(hours=-2), START - timedelta(hours=1), START - timedelta(hours=1)),
        (timedelta(hours=-2), END - timedelta(hours=2) - SECOND, END - timedelta(hours=2) - SECOND),
        (timedelta(hours=-2), END - timedelta(hours=2), None),
        (timedelta(hours=2), START - timedelta(hours=3), LEAD_TIME),
        (timedelta(hours=2), START - MINUTE, START - MINUTE),
    ],
)
def test_a_refused_move_counts_before_the_first_of_both_times_and_not_when_its_own_is_over(
    by: timedelta, refused_at: datetime, opened_at: datetime | None
) -> None:
    waits = scheduled().request(moved(by)).answer(EntryType.UNCONFIRMED, retry_at=NOON)
    refused = later(waits, refused_at).answer(EntryType.REJECTED)
    assert [incident.opened_at for incident in incidents(refused, START)] == ([opened_at] if opened_at else [])


def test_a_refused_move_without_times_counts_near_the_meeting() -> None:
    endless = replace(
        moved(timedelta(hours=2)), meeting=replace(WISH.meeting, start=START + timedelta(hours=2), end=None)
    )
    waits = scheduled().request(endless).answer(EntryType.UNCONFIRMED, retry_at=NOON)
    refused = later(waits, START).answer(EntryType.REJECTED)
    assert [incident.opened_at for incident in incidents(refused)] == [START]


def test_an_agent_that_is_in_the_meeting_while_its_cancellation_waits_is_unwanted() -> None:
    """Not at once: Cronofy may take it in time. One that is called off after the end has done its part."""
    active_at, cancelled_at = START - MINUTE, START + 10 * MINUTE
    active = later(scheduled(), active_at).report(EntryType.ACTIVATED, sub="agt_1")
    waits = later(active, cancelled_at).request(AWAY).answer(EntryType.UNCONFIRMED, retry_at=END)
    [incident] = incidents(waits, cancelled_at + MINUTE)
    assert (incident.type, incident.opened_at) == (IncidentType.UNWANTED, cancelled_at)
    assert incident.owed_at == cancelled_at + LEAST_PATIENCE
    assert types(later(active, cancelled_at).request(AWAY)) == []
    unheard = later(scheduled(), cancelled_at).request(AWAY).answer(EntryType.UNCONFIRMED, retry_at=END)
    assert types(unheard, cancelled_at + MINUTE) == []
    came = later(unheard, cancelled_at + 5 * MINUTE).report(EntryType.ACTIVATED, sub="agt_1")
    assert [incident.opened_at for incident in incidents(came)] == [cancelled_at + 5 * MINUTE]
    active = later(scheduled(), active_at).report(EntryType.ACTIVATED, sub="agt_1")
    for cancelled_at, expected in ((END - MINUTE, [IncidentType.UNWANTED]), (END, [])):
        late = later(active, cancelled_at).request(AWAY).answer(EntryType.UNCONFIRMED, retry_at=END + 60 * MINUTE)
        assert types(late, END + MINUTE) == expected
        active.entries = active.entries[:3]


def test_an_agent_that_is_wanted_again_after_it_has_left_is_settled() -> None:
    rule = INCIDENTS[IncidentType.UNWANTED]
    left = later(kept(), START - MINUTE).report(EntryType.ACTIVATED, sub="agt_1")
    left = later(left, END - 30 * MINUTE).report(EntryType.COMPLETE, sub="agt_1", resources=(TRANSCRIPT,))
    assert not rule.is_resolved(left.record.current)
    again = left.request().answer(EntryType.ACCEPTED)
    assert len(again.record.attempts) == 1
    assert rule.is_resolved(again.record.current)


def test_an_agent_that_is_wanted_again_before_it_reports_that_it_has_left_is_settled() -> None:
    rule = INCIDENTS[IncidentType.UNWANTED]
    active = later(kept(), START - MINUTE).report(EntryType.ACTIVATED, sub="agt_1")
    again = later(active, START + MINUTE).request(replace(WISH, digest="again")).answer(EntryType.ACCEPTED)
    left = again.report(EntryType.COMPLETE, sub="agt_1", resources=(TRANSCRIPT,))
    assert rule.is_resolved(left.record.current)
    off = left.record.current.newest_request_at
    for cancelled_at, expected in ((off, False), (off - SECOND, True)):
        assert rule.is_resolved(replace(left.record.current, cancelled_at=cancelled_at)) is expected


@pytest.mark.parametrize(("status", "expected"), [(401, []), (503, [IncidentType.UNWANTED])])
def test_what_cronofy_does_not_have_lacks_no_conference(status: int, expected: list[IncidentType]) -> None:
    """Its caller got an error for the request, and then for the cancellation."""
    reason = Reason.of(ReasonCode.RETRY_LEFT_TO_CALLER, failure=status)
    history = History().request().answer(EntryType.UNCONFIRMED, reason=reason)
    history = later(history, START - 15 * MINUTE).overdue(DeadlineType.CONFERENCE)
    assert types(history.request(AWAY).answer(EntryType.UNCONFIRMED, reason=reason)) == expected


def test_an_agent_that_is_on_again_in_vain_is_wanted() -> None:
    again = expired().request(replace(WISH, digest="again")).answer(EntryType.UNCONFIRMED, retry_at=END)
    refused = later(again, START + 5 * MINUTE).answer(EntryType.REJECTED)
    assert refused.record.current.refusal is not None
    assert INCIDENTS[IncidentType.UNWANTED].is_resolved(refused.record.current)
    assert types(refused) == []


def test_an_agent_that_comes_after_its_request_was_refused_is_arranged() -> None:
    """Cronofy took an earlier try without an answer, and refused the next one."""
    refused = later(tried(), START - 60 * MINUTE).answer(EntryType.REJECTED)
    came = later(refused, START - MINUTE).report(EntryType.ACTIVATED, sub="agt_1")
    assert types(came, START) == []
    assert INCIDENTS[IncidentType.NOT_ARRANGED].is_resolved(came.record.current)


def test_a_silent_agent_whose_meeting_is_moved_so_that_it_is_over_is_no_news() -> None:
    at = START + 12 * MINUTE
    for end, expected in ((at + SECOND, [IncidentType.NEVER_ACTIVATED]), (at, [])):
        history = later(silent(), at).request(moved(end - END)).answer(EntryType.ACCEPTED)
        assert types(history) == expected


def _activation_by(history: History) -> list[datetime]:
    found = deadlines(history.record, GRACE_PERIODS)
    return [each.at for each in found if each.phase is DeadlineType.ACTIVATION]


def test_a_request_that_is_accepted_after_its_meeting_leaves_no_silent_agent() -> None:
    """While it waited the alert was that it was not arranged; a new title later changes nothing."""
    waits = later(tried(), START + 10 * MINUTE).overdue(DeadlineType.ACTIVATION)
    assert types(waits) == [IncidentType.NOT_ARRANGED]
    late = later(waits, END).answer(EntryType.ACCEPTED)
    assert types(late) == []
    assert _activation_by(late) == []
    waits.entries.pop()
    just_before = later(waits, END - SECOND).answer(EntryType.ACCEPTED)
    assert (types(just_before), _activation_by(just_before)) == ([], [END - SECOND + GRACE_PERIODS.activation])
    retitled = later(silent(), END + MINUTE).request(replace(WISH, digest="title")).answer(EntryType.ACCEPTED)
    assert types(retitled) == [IncidentType.NEVER_ACTIVATED]


def test_an_agent_whose_scheduling_key_may_be_taken_is_expected() -> None:
    """Most likely an earlier try has created it, so no one is paged before it is silent."""
    refused = Reason.of(ReasonCode.SCHEDULING_KEY_REFUSED, status=422)
    history = History().request().answer(EntryType.UNCONFIRMED, reason=refused)
    assert types(history, START) == []
    assert types(later(history, START + 10 * MINUTE).overdue(DeadlineType.ACTIVATION)) == [IncidentType.NEVER_ACTIVATED]


def test_a_refused_cancellation_matters_until_the_agent_would_be_done() -> None:
    over = END + GRACE_PERIODS.completion
    assert types(kept(), over - SECOND) == [IncidentType.UNWANTED]
    assert types(kept(), over) == []


def test_a_meeting_that_was_over_when_it_was_requested_has_no_incident() -> None:
    history = History()
    history.at = END
    history.request().answer(EntryType.REJECTED)
    assert types(history) == []
    exactly = History()
    exactly.at = END - MINUTE
    assert types(exactly.request().answer(EntryType.REJECTED)) == []
    late = History()
    late.at = END
    late.request().answer(EntryType.UNCONFIRMED, retry_at=END).answer(EntryType.REJECTED)
    assert types(late) == [IncidentType.REJECTED]  # the caller got no response


def test_a_disconnected_account_is_the_reason_and_hides_nothing_else() -> None:
    """Neither that Cronofy has not accepted the request nor its silence is told; of a change that waits, both are."""
    waiting = disconnected()
    assert types(waiting, LEAD_TIME) == [IncidentType.ACCOUNT_DISCONNECTED]
    later(waiting, START + 10 * MINUTE).overdue(DeadlineType.ACTIVATION)
    assert types(waiting) == [IncidentType.ACCOUNT_DISCONNECTED]
    changed = later(change(), START + 10 * MINUTE).overdue(DeadlineType.ACTIVATION)
    assert types(changed) == [IncidentType.ACCOUNT_DISCONNECTED, IncidentType.NEVER_ACTIVATED]


def test_a_request_that_fails_otherwise_or_is_given_up_no_longer_waits_for_its_account() -> None:
    unavailable = Reason.of(ReasonCode.RETRY_PLANNED, failure=503)
    assert types(disconnected().answer(EntryType.UNCONFIRMED, retry_at=START, reason=unavailable)) == []
    assert types(disconnected().answer(EntryType.REJECTED)) == [IncidentType.REJECTED]
    assert types(disconnected().answer(EntryType.ACCEPTED)) == []


def test_a_request_that_is_given_up_near_the_meeting_is_no_alert_beside_that_of_its_account() -> None:
    """Days before, the caller must send it again; later the meeting is lost, as the alert says."""
    for failure, near in ((REAUTHORISATION_REQUIRED, []), ("503", [IncidentType.NOT_ARRANGED])):
        reason = Reason.of(ReasonCode.REQUEST_EXPIRED, failure=failure)
        assert types(later(disconnected(), END).answer(EntryType.REJECTED, reason=reason)) == near
        early = disconnected().answer(EntryType.REJECTED, reason=reason)
        assert types(early) == [IncidentType.REJECTED]


# ------------------------------------------------------------------------------------------------------------- severity


def severity(history: History, at: datetime) -> Severity:
    [incident] = incidents(history, at)
    return incident.severity


@pytest.mark.parametrize(
    "history",
    [
        lambda: History().request().answer(EntryType.REJECTED),
        lambda: scheduled().report(EntryType.CONFERENCING_FAILING),
        disconnected,
        lambda: disconnected(scheduled().request(AWAY)),
    ],
)
def test_what_can_be_corrected_in_time_is_a_warning_until_the_meeting_is_near(history: Callable[[], History]) -> None:
    made = history()
    assert severity(made, LEAD_TIME - SECOND) is Severity.WARNING
    assert severity(made, LEAD_TIME) is Severity.CRITICAL
    assert severity(made, END - SECOND) is Severity.CRITICAL
    assert severity(made, END) is Severity.WARNING


@pytest.mark.parametrize("history", [lambda: scheduled().report(EntryType.FAILED), silent, tried])
def test_a_lost_meeting_is_critical_until_it_ends(history: Callable[[], History]) -> None:
    assert severity(history(), END - SECOND) is Severity.CRITICAL
    assert severity(history(), END) is Severity.WARNING


def test_a_change_that_waits_for_its_account_is_critical_only_if_it_moves_the_meeting() -> None:
    """The agent comes without its new title, and does not come to the new time."""
    move = disconnected(scheduled().request(moved(60 * MINUTE)))
    assert severity(move, LEAD_TIME + 59 * MINUTE) is Severity.WARNING
    assert severity(move, LEAD_TIME + 60 * MINUTE) is Severity.CRITICAL
    assert {severity(change(), at) for at in (NOON + 5 * MINUTE, LEAD_TIME, START)} == {Severity.WARNING}


def test_an_unwanted_agent_is_always_critical_and_a_late_end_never() -> None:
    assert {severity(kept(), at) for at in (NOON + 5 * MINUTE, START, END)} == {Severity.CRITICAL}
    assert severity(unfinished(), END + 31 * MINUTE) is Severity.WARNING
    assert severity(without("anything"), START) is Severity.WARNING


def test_a_meeting_without_times_begins_with_its_request() -> None:
    history = History().request(replace(WISH, meeting=Meeting())).answer(EntryType.REJECTED)
    assert severity(history, history.at) is Severity.CRITICAL


# ------------------------------------------------------------------------------------------------------------- patience


def owed_at(history: History, at: datetime | None = None) -> datetime:
    [incident] = incidents(history, at)
    return incident.owed_at


def test_a_refusal_that_the_caller_has_in_hand_is_owed_after_a_while() -> None:
    """A token that expired is refreshed, and the request sent again, a second later; a typo is corrected."""
    for history in (History().request().answer(EntryType.REJECTED), kept(), disconnected()):
        if history.record.current.pending:
            history.at = history.record.current.pending.requested_at
        assert owed_at(history) == history.at + GRACE_PERIODS.patience


def test_near_the_meeting_there_is_little_patience() -> None:
    history = History()
    history.at = LEAD_TIME - 6 * MINUTE
    history.request().answer(EntryType.REJECTED)
    assert owed_at(history) == LEAD_TIME
    history = History()
    history.at = START
    history.request().answer(EntryType.REJECTED)
    assert owed_at(history) == history.at + 2 * MINUTE


@pytest.mark.parametrize(("minutes", "patience"), [(1, 1), (2, 0), (25 * 60, 0)])
def test_an_agent_that_is_not_wanted_is_owed_once_its_report_cannot_have_crossed_the_cancellation(
    minutes: int, patience: int
) -> None:
    history = scheduled().cancel()
    history.at += (minutes - 1) * MINUTE
    history.report(EntryType.ACTIVATED)
    assert owed_at(history) == history.at + patience * MINUTE


@pytest.mark.parametrize(
    "history", [expired, silent, unfinished, lambda: scheduled().report(EntryType.FAILED), lambda: without("any")]
)
def test_what_no_one_knows_yet_is_owed_at_once(history: Callable[[], History]) -> None:
    made = history()
    assert owed_at(made) <= made.at


def test_an_acknowledgement_is_of_the_incidents_that_are_open() -> None:
    history = silent().answer(EntryType.ACKNOWLEDGED)
    [incident] = incidents(history)
    assert incident.acknowledged_at == history.at
    [incident] = incidents(history.report(EntryType.FAILED))
    assert (incident.type, incident.acknowledged_at) == (IncidentType.FAILED, None)


def test_an_assigned_conference_ends_the_incident() -> None:
    history = scheduled().report(EntryType.CONFERENCING_FAILING).report(EntryType.CONFERENCING_ASSIGNED)
    assert (history.record.current.conference, types(history, START)) == (Conference.ASSIGNED, [])


@pytest.mark.parametrize("type_", INCIDENTS)
def test_a_condition_is_a_sentence_in_one_cell(type_: IncidentType) -> None:
    """As the documentation shows it."""
    rule = INCIDENTS[type_]
    words = [rule.opened_at.__doc__ or "", rule.is_resolved.__doc__ or ""]
    assert all(sentence.endswith(".") and sentence[0].isupper() for sentence in words)
    assert not {*"|\n"} & {*"".join(words), *(rule.severity.__doc__ or "|")}


def test_the_silence_of_an_agent_that_is_being_cancelled_is_no_incident() -> None:
    """Its calendar was locked until now, so that another incident had kept the silence from opening."""
    history = later(History().request(), START + 10 * MINUTE).overdue(DeadlineType.ACTIVATION).request(AWAY)
    history.answer(EntryType.UNCONFIRMED, retry_at=history.at + MINUTE)
    assert IncidentType.NEVER_ACTIVATED not in types(history)


@pytest.mark.parametrize(
    ("history", "code"),
    [
        (back, ReasonCode.REPORTED_ACTIVE),
        (lambda: scheduled().report(EntryType.CONFERENCING_FAILING), ReasonCode.CONFERENCE_FAILING),
        (
            lambda: later(scheduled(), START - 15 * MINUTE).overdue(DeadlineType.CONFERENCE),
            ReasonCode.CONFERENCE_MISSED,
        ),
        (lambda: without("transcript"), ReasonCode.RESOURCES_MISSED),
        (lambda: scheduled().report(EntryType.FAILED), ReasonCode.REPORTED_FAILED),
    ],
)
def test_an_incident_has_the_reason_that_opened_it(history: Callable[[], History], code: ReasonCode) -> None:
    """Not that of the last transition, where the two differ."""
    [incident] = incidents(history())
    assert incident.reason
    assert incident.reason.code is code


def test_a_request_without_an_outcome_has_the_reason_of_its_attempt() -> None:
    [incident] = incidents(History().request(), LEAD_TIME)
    assert incident.reason
    assert (incident.type, incident.reason.code) == (IncidentType.NOT_ARRANGED, ReasonCode.REQUESTED)


def test_the_missed_deadline_of_the_conference_is_before_the_start() -> None:
    [incident] = incidents(later(scheduled(), START - 5 * MINUTE).overdue(DeadlineType.CONFERENCE))
    assert incident.opened_at == START - GRACE_PERIODS.conference


@pytest.mark.parametrize(
    ("history", "at"),
    [
        (unanswered, LEAD_TIME),
        (tried, LEAD_TIME),
        (lambda: scheduled().report(EntryType.CONFERENCING_FAILING), None),
    ],
)
def test_an_incident_that_may_end_by_itself_is_owed_later(history: Callable[[], History], at: datetime | None) -> None:
    [incident] = incidents(history(), at)
    assert incident.opened_at < incident.owed_at


def test_an_empty_record_and_a_new_incident_have_nothing() -> None:
    assert open_incidents(Record(), GRACE_PERIODS, NOON) == ()
    [incident] = incidents(silent())
    assert (incident.reminders, incident.acknowledged_at) == (0, None)


# ------------------------------------------------------------------------------------ what only months of meetings show


def test_an_agent_that_came_without_an_acceptance_is_arranged_when_its_meeting_is_moved_by_hand() -> None:
    by = timedelta(hours=1)
    history = later(tried(), START - MINUTE).report(EntryType.ACTIVATED, sub="agt_1", meeting=WISH.meeting)
    later(history, START + MINUTE).report(EntryType.FAILED, sub="agt_1", meeting=moved(by).meeting)
    assert history.record.current.meeting.start == START + by
    assert types(history, LEAD_TIME + by) == []
    history.request(moved(2 * by)).answer(EntryType.UNCONFIRMED, retry_at=END)
    assert types(history, LEAD_TIME + 2 * by) == [IncidentType.NOT_ARRANGED]


def test_a_change_that_is_not_accepted_is_none_of_an_agent_that_came_without_an_acceptance() -> None:
    history = later(tried(), START + MINUTE)
    history.report(EntryType.ACTIVATED, sub="agt_1", meeting=moved(15 * MINUTE).meeting)
    assert types(later(history, END).answer(EntryType.REJECTED)) == []


@pytest.mark.parametrize(
    ("newer", "expected"),
    [
        (moved(timedelta(days=7)), [IncidentType.NOT_ARRANGED]),
        (replace(moved(MINUTE), digest="title"), []),
        (AWAY, []),
    ],
)
def test_of_two_changes_that_wait_the_newer_stays_refused_as_the_older_is_taken(
    newer: Request, expected: list[IncidentType]
) -> None:
    history = later(scheduled(), START - MINUTE).request(moved(MINUTE)).answer(EntryType.UNCONFIRMED, retry_at=END)
    history.request(newer).answer(EntryType.UNCONFIRMED, retry_at=END).answer(EntryType.REJECTED)
    history.answer(EntryType.ACCEPTED, revision=2)
    refusal = history.record.current.refusal
    assert types(history, START + timedelta(days=7)) == expected
    assert (refusal is not None) == bool(expected)


def test_a_refusal_is_gone_as_a_newer_request_is_taken() -> None:
    history = scheduled().request(moved(MINUTE)).answer(EntryType.UNCONFIRMED, retry_at=END).answer(EntryType.REJECTED)
    assert history.record.current.refusal
    assert history.request(moved(timedelta(hours=1))).answer(EntryType.ACCEPTED).record.current.refusal is None
