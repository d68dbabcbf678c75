"""The conferencing profiles that matter to a meeting, the times to look at them, and the effect of a look."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from meeting_agents.domain.alerts import alerting_owed
from meeting_agents.domain.grace_periods import GracePeriods
from meeting_agents.domain.groups import Group, group_of
from meeting_agents.domain.incidents import open_incidents
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
    Severity,
    State,
    Verdict,
)
from meeting_agents.domain.profiles import (
    FRESH,
    LOOK_AFTER,
    LOOK_BEFORE,
    LOOK_WINDOW,
    READ_AGAIN_AFTER,
    KnownProfiles,
    Profile,
    blocking,
    disconnected_since,
    is_outdated,
    is_own_look_due,
    needed_profile,
    next_own_look,
    profile_entry,
    reported_after,
)
from meeting_agents.domain.readings import is_profile_due, next_look, next_reading_at
from meeting_agents.domain.reasons import Reason, ReasonCode
from meeting_agents.domain.record import Record

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
START = datetime(2026, 4, 29, 10, tzinfo=UTC)
REQUESTED_AT = START - 2 * DAY
ACCEPTED_AT = REQUESTED_AT + MINUTE / 60
GRACE_PERIODS = GracePeriods()
WISH = Request(
    action=Action.PROVISION,
    data_center="us",
    calendar_id="cal_1",
    event_id="evt_1",
    account="alice",
    meeting=Meeting(start=START, end=START + HOUR, summary="Standup"),
    conference_expected=True,
    conference_profile="default",
)
ZOOM, GO_TO = Profile(id="pro_zoom"), Profile(id="pro_go_to")
NO_ZOOM, NO_GO_TO = replace(ZOOM, is_connected=False), replace(GO_TO, is_connected=False)
READ_AT = ACCEPTED_AT + 10 * MINUTE


def entry(kind: EntryType, at: datetime, **fields: Any) -> Entry:
    return Entry(key=f"{kind}#{at.isoformat()}", kind=kind, at=at, **{"attempt": 1} | fields)


def scheduled(**changes: Any) -> Record:
    """Requested in the name of an account two days before the meeting, and accepted."""
    return fold(
        [
            entry(EntryType.REQUESTED, REQUESTED_AT, revision=1, request=replace(WISH, **changes)),
            entry(EntryType.ACCEPTED, ACCEPTED_AT, revision=1),
        ]
    )


def reported(record: Record, kind: EntryType, at: datetime = READ_AT - MINUTE) -> Record:
    return fold([entry(kind, at, notification=Notification(kinds=(kind,), event_id="evt_1"))], record)


def known(*profiles: Profile, **fields: Any) -> KnownProfiles:
    return KnownProfiles(profiles=profiles, **{"read_at": READ_AT} | fields)


def looked(record: Record, *profiles: Profile, at: datetime = READ_AT) -> Record:
    """Return the record after a look that says something new."""
    found = profile_entry(record, known(*profiles, read_at=at), at)
    assert found
    return fold([found], record)


# ------------------------------------------------------------------------------------------------------ what is missing


@pytest.mark.parametrize(
    ("needed", "profiles", "expected"),
    [
        ("default", (), ()),
        ("default", (ZOOM, NO_GO_TO), ()),
        ("default", (ZOOM, GO_TO), ()),
        ("default", (NO_ZOOM,), (NO_ZOOM,)),
        ("default", (NO_ZOOM, NO_GO_TO), (NO_ZOOM, NO_GO_TO)),
        ("pro_zoom", (ZOOM, NO_GO_TO), ()),
        ("pro_zoom", (NO_ZOOM, GO_TO), (NO_ZOOM,)),
        ("pro_zoom", (NO_ZOOM, NO_GO_TO), (NO_ZOOM,)),
        ("pro_zoom", (NO_GO_TO,), ()),
        ("pro_zoom", (), ()),
        ("", (replace(NO_ZOOM, id="pro_other"),), ()),
    ],
    ids=str,
)
def test_a_profile_blocks_a_meeting_only_if_that_is_certain(
    needed: str, profiles: tuple[Profile, ...], expected: tuple[Profile, ...]
) -> None:
    assert blocking(needed, profiles) == expected


def test_a_meeting_waits_for_its_profile_until_it_has_a_conference_or_its_agent_is_heard_of() -> None:
    record = scheduled()
    assert needed_profile(record.current) == "default"
    assert needed_profile(reported(record, EntryType.CONFERENCING_FAILING).current) == "default"
    for kind in (EntryType.CONFERENCING_ASSIGNED, EntryType.ACTIVATED, EntryType.FAILED, EntryType.COMPLETE):
        assert needed_profile(reported(record, kind).current) == ""


@pytest.mark.parametrize(
    "changes",
    [{"account": ""}, {"conference_expected": False}, {"conference_profile": ""}],
    ids=str,
)
def test_a_meeting_waits_for_no_profile_that_is_not_to_make_its_conference(changes: dict[str, Any]) -> None:
    record = scheduled(**changes)
    assert needed_profile(record.current) == ""
    assert next_own_look(record, GRACE_PERIODS, REQUESTED_AT) is None


# -------------------------------------------------------------------------------------------------------- times to look


def test_a_profile_is_looked_at_soon_after_the_request_and_shortly_before_the_meeting() -> None:
    record = scheduled()
    first, last = ACCEPTED_AT + LOOK_AFTER, START - GRACE_PERIODS.arrangement - LOOK_BEFORE
    assert next_own_look(record, GRACE_PERIODS, ACCEPTED_AT) == first
    assert next_own_look(record, GRACE_PERIODS, first) == last
    assert next_own_look(record, GRACE_PERIODS, last - MINUTE) == last
    assert next_own_look(record, GRACE_PERIODS, last) is None
    assert next_look(record, GRACE_PERIODS, ACCEPTED_AT) == first
    late = scheduled(meeting=replace(WISH.meeting, start=ACCEPTED_AT + LOOK_AFTER))
    assert next_own_look(late, GRACE_PERIODS, ACCEPTED_AT) is None


def test_a_profile_is_looked_at_soon_after_cronofy_could_not_make_the_conference() -> None:
    record = reported(scheduled(), EntryType.CONFERENCING_FAILING, ACCEPTED_AT + HOUR)
    assert next_own_look(record, GRACE_PERIODS, record.updated_at) == ACCEPTED_AT + HOUR + LOOK_AFTER


def test_a_look_is_due_from_its_time_for_an_hour_unless_something_was_heard_since() -> None:
    record, at = scheduled(), ACCEPTED_AT + LOOK_AFTER
    for now, is_due in ((at - MINUTE, False), (at, True), (at + LOOK_WINDOW - MINUTE, True), (at + LOOK_WINDOW, False)):
        assert is_own_look_due(record, GRACE_PERIODS, now) is is_due
        assert is_profile_due(record, GRACE_PERIODS, now) is is_due
    later = fold([entry(EntryType.ACKNOWLEDGED, at)], record)
    assert not is_own_look_due(later, GRACE_PERIODS, at + MINUTE)


def test_the_daily_reading_looks_at_the_profile_of_a_meeting_that_waits() -> None:
    record = scheduled()
    at = next_reading_at(record, GRACE_PERIODS, ACCEPTED_AT + 5 * HOUR)
    assert at
    assert is_profile_due(record, GRACE_PERIODS, at)
    assigned = reported(record, EntryType.CONFERENCING_ASSIGNED, ACCEPTED_AT + MINUTE)
    assert not is_profile_due(assigned, GRACE_PERIODS, at)
    begun = scheduled(meeting=replace(WISH.meeting, start=at, end=at + HOUR))
    assert not is_profile_due(begun, GRACE_PERIODS, at)


def test_the_profile_of_a_request_without_a_response_is_not_looked_at() -> None:
    waiting = fold([entry(EntryType.REQUESTED, ACCEPTED_AT + HOUR, revision=2, request=WISH)], scheduled())
    assert next_own_look(waiting, GRACE_PERIODS, ACCEPTED_AT) is None
    assert not is_profile_due(waiting, GRACE_PERIODS, ACCEPTED_AT + LOOK_AFTER)


def test_profiles_are_looked_at_as_often_as_the_documentation_says() -> None:
    assert (LOOK_AFTER, READ_AGAIN_AFTER, FRESH) == (2 * MINUTE, 15 * MINUTE, DAY - HOUR)


def test_profiles_are_read_again_after_a_day_and_after_a_quarter_of_an_hour_while_a_meeting_waits() -> None:
    record = scheduled()
    assert is_outdated(KnownProfiles(), [record], READ_AT)
    for now, is_old in ((READ_AT + FRESH - MINUTE, False), (READ_AT + FRESH, True)):
        assert is_outdated(known(ZOOM), [record], now) is is_old
        assert is_outdated(known(NO_ZOOM), [], now) is is_old
    for now, is_old in ((READ_AT + READ_AGAIN_AFTER - MINUTE, False), (READ_AT + READ_AGAIN_AFTER, True)):
        assert is_outdated(known(NO_ZOOM), [record], now) is is_old
        assert is_outdated(known(ZOOM), [looked(record, NO_ZOOM)], now) is is_old


def test_profiles_are_read_again_when_cronofy_could_not_make_a_conference_since() -> None:
    same = reported(scheduled(), EntryType.CONFERENCING_FAILING, READ_AT)
    assert not is_outdated(known(ZOOM), [same], READ_AT + 2 * MINUTE)
    before, after = (reported(scheduled(), EntryType.CONFERENCING_FAILING, READ_AT + by) for by in (-MINUTE, MINUTE))
    assert not is_outdated(known(ZOOM), [before], READ_AT + 2 * MINUTE)
    assert is_outdated(known(ZOOM), [after], READ_AT + 2 * MINUTE)
    assigned = reported(after, EntryType.CONFERENCING_ASSIGNED, READ_AT + 2 * MINUTE)
    assert not is_outdated(known(ZOOM), [assigned], READ_AT + 2 * MINUTE)


# ----------------------------------------------------------------------------------------------------------- the effect


def test_a_look_says_something_new_when_the_profile_is_disconnected_and_when_it_no_longer_is() -> None:
    record = scheduled()
    assert profile_entry(record, known(ZOOM), READ_AT) is None
    assert profile_entry(record, replace(known(NO_ZOOM), read_at=None), READ_AT) is None
    lost = looked(record, NO_ZOOM)
    assert (lost.state, disconnected_since(lost.current)) == (State.SCHEDULED, READ_AT)
    assert profile_entry(lost, known(NO_ZOOM, read_at=READ_AT + HOUR), READ_AT + HOUR) is None
    assert disconnected_since(looked(lost, ZOOM, at=READ_AT + HOUR).current) is None
    assert disconnected_since(looked(lost, at=READ_AT + HOUR).current) is None


def test_sweeps_that_know_the_same_make_one_key_and_later_ones_another() -> None:
    record = scheduled()
    first, same = (profile_entry(record, known(NO_ZOOM), READ_AT + by) for by in (MINUTE, 2 * MINUTE))
    later = profile_entry(record, known(NO_ZOOM, read_at=READ_AT + MINUTE), READ_AT + MINUTE)
    assert first
    assert same
    assert later
    assert first.key == same.key != later.key
    named = profile_entry(scheduled(conference_profile="pro_zoom"), known(NO_ZOOM), READ_AT)
    assert named
    assert named.key != first.key


def test_each_look_has_one_verdict() -> None:
    def look(code: ReasonCode, minute: int, **fields: Any) -> Entry:
        reason = Reason.of(code, profile="default")
        return entry(EntryType.PROFILE_READ, READ_AT + minute * MINUTE, **{"reason": reason} | fields)

    entries = [
        look(ReasonCode.PROFILE_CONNECTED, 1),
        look(ReasonCode.PROFILE_DISCONNECTED, 2),
        look(ReasonCode.PROFILE_DISCONNECTED, 3),
        look(ReasonCode.PROFILE_CONNECTED, 4),
        look(ReasonCode.PROFILE_DISCONNECTED, 5, attempt=2),
        look(ReasonCode.PROFILE_DISCONNECTED, 6, reason=None),
    ]
    expected = ["duplicate", "applied", "duplicate", "applied", "stale", "unrecognised"]
    found = list(steps(entries, scheduled()))
    assert [step.verdict for step in found] == [Verdict(name) for name in expected]
    assert disconnected_since(found[2].after.current) == READ_AT + 2 * MINUTE


def test_another_profile_that_is_requested_is_not_the_one_that_is_disconnected() -> None:
    lost = looked(scheduled(), NO_ZOOM)
    changed = fold(
        [
            entry(EntryType.REQUESTED, READ_AT + MINUTE, revision=2, request=replace(WISH, conference_profile="pro_1")),
            entry(EntryType.ACCEPTED, READ_AT + 2 * MINUTE, revision=2),
        ],
        lost,
    )
    assert disconnected_since(changed.current) is None
    assert open_incidents(changed, GRACE_PERIODS, READ_AT + HOUR) == ()


def test_the_disconnected_profiles_that_keep_a_meeting_from_its_conference_are_reported() -> None:
    by_default, by_zoom = scheduled(), scheduled(conference_profile="pro_zoom")
    assert reported_after(known(ZOOM, NO_GO_TO), [by_default, by_zoom]) == ()
    assert reported_after(known(NO_ZOOM, NO_GO_TO), [by_zoom]) == (NO_ZOOM,)
    assert reported_after(known(NO_ZOOM, NO_GO_TO), [by_default, by_zoom]) == (NO_ZOOM, NO_GO_TO)


def test_a_profile_stays_reported_until_it_is_connected_though_no_meeting_waits() -> None:
    """Its new address counts."""
    elsewhere = replace(NO_ZOOM, relink_url="https://example.com/new")
    assert reported_after(known(elsewhere, NO_GO_TO, reported=(NO_ZOOM,)), []) == (elsewhere,)
    assert reported_after(known(ZOOM, NO_GO_TO, reported=(NO_ZOOM,)), []) == ()
    assert reported_after(known(reported=(NO_ZOOM,)), []) == ()


# --------------------------------------------------------------------------------------------------------- the incident


def test_the_incident_is_that_of_the_account_and_becomes_critical_near_the_meeting() -> None:
    lost = looked(scheduled(), NO_ZOOM)
    assert group_of(lost, IncidentType.ACCOUNT_DISCONNECTED) == Group(IncidentType.ACCOUNT_DISCONNECTED, "alice")
    for at, severity in (
        (READ_AT, Severity.WARNING),
        (START - GRACE_PERIODS.arrangement, Severity.CRITICAL),
        (START + MINUTE, Severity.CRITICAL),
    ):
        [incident] = open_incidents(lost, GRACE_PERIODS, at)
        assert (incident.type, incident.severity, incident.opened_at) == (
            IncidentType.ACCOUNT_DISCONNECTED,
            severity,
            READ_AT,
        )
        assert incident.reason == Reason.of(ReasonCode.PROFILE_DISCONNECTED, profile="default")
    assert open_incidents(lost, GRACE_PERIODS, START + HOUR) == ()


def test_an_alert_is_owed_when_the_patience_is_over_and_resolved_when_the_profile_is_connected() -> None:
    lost = looked(scheduled(), NO_ZOOM)
    at = READ_AT + GRACE_PERIODS.patience
    assert alerting_owed(lost, GRACE_PERIODS, at - MINUTE) == ()
    [owed] = alerting_owed(lost, GRACE_PERIODS, at)
    assert (owed.status, owed.incident.type) == (AlertStatus.FIRING, IncidentType.ACCOUNT_DISCONNECTED)
    alerted = entry(
        EntryType.ALERTED,
        at,
        cause=IncidentType.ACCOUNT_DISCONNECTED,
        status=AlertStatus.FIRING,
        severity=Severity.WARNING,
    )
    found = looked(fold([alerted], lost), ZOOM, at=at + HOUR)
    assert [one.status for one in alerting_owed(found, GRACE_PERIODS, at + HOUR)] == [AlertStatus.RESOLVED]


def test_the_alert_of_the_account_says_why_there_is_no_conference() -> None:
    """Without it, the meeting has its own."""
    failing = reported(scheduled(), EntryType.CONFERENCING_FAILING)
    lost = looked(failing, NO_ZOOM)
    for record, type_ in ((failing, IncidentType.NO_CONFERENCE), (lost, IncidentType.ACCOUNT_DISCONNECTED)):
        assert [one.type for one in open_incidents(record, GRACE_PERIODS, READ_AT + HOUR)] == [type_]
    found = looked(lost, ZOOM, at=READ_AT + HOUR)
    assert [one.type for one in open_incidents(found, GRACE_PERIODS, READ_AT + HOUR)] == [IncidentType.NO_CONFERENCE]


def test_a_meeting_that_has_begun_without_its_agent_has_an_alert_of_its_own() -> None:
    lost = looked(scheduled(), NO_ZOOM)
    at = START + GRACE_PERIODS.activation
    missed = Entry(
        key="overdue",
        kind=EntryType.OVERDUE,
        at=at,
        attempt=1,
        revision=1,
        phase=DeadlineType.ACTIVATION,
    )
    record = fold([missed], lost)
    assert [one.type for one in open_incidents(record, GRACE_PERIODS, at)] == [IncidentType.NEVER_ACTIVATED]


def test_a_cancelled_or_deleted_meeting_has_no_incident() -> None:
    lost = looked(scheduled(), NO_ZOOM)
    deleted = entry(EntryType.CALENDAR_READ, READ_AT + HOUR, reading=Reading(is_deleted=True))
    off = replace(WISH, action=Action.CANCEL)
    cancelled = [
        entry(EntryType.REQUESTED, READ_AT + HOUR, revision=2, request=off, retry_at=READ_AT + 2 * HOUR),
        entry(EntryType.CANCELLED, READ_AT + HOUR + MINUTE, revision=2),
    ]
    for entries in ([deleted], cancelled, cancelled[:1]):
        assert open_incidents(fold(entries, lost), GRACE_PERIODS, READ_AT + 2 * HOUR) == ()
