"""Silences and quiet hours: whose alerts they hold back, until when, and that none is lost."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meeting_agents.domain.alerts import PUBLISH_WITHIN, alerting_owed, next_alert_at
from meeting_agents.domain.deadlines import relevant_until
from meeting_agents.domain.grace_periods import GracePeriods
from meeting_agents.domain.groups import Group, Waiting, group_of
from meeting_agents.domain.incidents import open_incidents
from meeting_agents.domain.lifecycle import fold
from meeting_agents.domain.model import AlertStatus, Entry, EntryType, IncidentType, Severity
from meeting_agents.domain.overdue import find_missed
from meeting_agents.domain.silences import QUIET_HOURS, Quiet, QuietHours, Silence, Target, silence_name
from tests.unit.alerting.test_message import END, MINUTE, START, History, failed, silent

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
NOW = START + 20 * MINUTE
TARGET = Target(agent_id="ma_1", type=IncidentType.FAILED, account="acc_1", data_center="de", labels={"team": "sales"})


def silence(name: str = "move", start: datetime = START, end: datetime = START + 2 * HOUR, **criteria: Any) -> Silence:
    return Silence(name=name, start=start, end=end, why="We move", **criteria)


CRITERIA: list[tuple[Mapping[str, Any], bool]] = [
    ({}, True),
    ({"types": {IncidentType.FAILED, IncidentType.REJECTED}}, True),
    ({"types": {IncidentType.REJECTED}}, False),
    ({"accounts": {"acc_1"}}, True),
    ({"accounts": {"acc_2"}}, False),
    ({"data_centers": {"us", "de"}}, True),
    ({"data_centers": {"us"}}, False),
    ({"agents": {"ma_1"}}, True),
    ({"agents": {"ma_2"}}, False),
    ({"labels": {"team": ("sales",)}}, True),
    ({"labels": {"team": ("support",)}}, False),
    ({"accounts": {"acc_1"}, "types": {IncidentType.REJECTED}}, False),
    ({"accounts": {"acc_1"}, "types": {IncidentType.FAILED}, "labels": {"team": ("sales",)}}, True),
]


@pytest.mark.parametrize(("criteria", "expected"), CRITERIA)
def test_a_silence_is_for_the_incidents_that_meet_each_of_its_criteria(
    criteria: Mapping[str, Any], *, expected: bool
) -> None:
    assert silence(**criteria).covers(TARGET) is expected
    assert (Quiet((silence(**criteria),)).of_agent(TARGET, START) is not None) is expected


def test_an_incident_is_held_back_by_what_its_record_says_of_it() -> None:
    """Account, data center and labels are those of the record; those of an agent in a group are its own."""
    history = failed()
    record = replace(fold(history.entries), labels={"team": "sales"})
    (incident,) = open_incidents(record, GRACE_PERIODS, NOW)
    identity = record.identity
    assert identity
    record = replace(record, identity=replace(identity, account="acc_1", data_center="de"))
    target = Target.of(TARGET.agent_id, record, incident.type)
    assert target == TARGET
    waiting = Waiting(
        agent_id="ma_1",
        type=IncidentType.FAILED,
        meeting=history.meeting,
        account="acc_1",
        data_center="de",
        labels={"team": "sales"},
    )
    assert Target.of_waiting(waiting) == TARGET
    assert Target.of("ma_1", replace(record, identity=None), incident.type) == replace(
        TARGET, account="", data_center=""
    )
    for criteria, expected in CRITERIA:
        hold = Quiet((silence(**criteria),)).of_incident("ma_1", record, incident, NOW)
        assert (hold is not None) is expected, criteria


def test_an_incident_is_held_back_by_quiet_hours_and_with_its_group() -> None:
    """A silence of a whole data center covers the agents whose callbacks are missing."""
    every_hour = QuietHours(start=time(), end=time(), zone="Etc/UTC", severities=frozenset(Severity))
    record = fold(failed().entries)
    (incident,) = open_incidents(record, GRACE_PERIODS, NOW)
    hold = Quiet(quiet_hours=every_hour).of_incident("ma_1", record, incident, NOW)
    assert hold
    assert hold.name == QUIET_HOURS
    assert Quiet().of_incident("ma_1", record, incident, NOW) is None
    missing = replace(incident, type=IncidentType.NEVER_ACTIVATED)
    grouped = fold(silent().entries)
    group = group_of(grouped, missing.type)
    assert group
    of_group = silence(types={IncidentType.CALLBACKS_MISSING}, data_centers={group.name})
    hold = Quiet((of_group,)).of_incident("ma_1", grouped, missing, NOW)
    assert hold
    assert hold.name == of_group.name


def test_the_silence_of_one_agent_has_a_name_that_an_address_can_have() -> None:
    assert silence_name("ma_2SZupd_x") == "agent-ma-2szupd-x"
    assert silence_name("m" * 99) == "agent-" + "m" * 58


def test_a_silence_begins_at_its_start_and_ends_before_its_end() -> None:
    quiet = Quiet((silence(),))
    times = [START - timedelta(milliseconds=1), START, START + 2 * HOUR - timedelta(milliseconds=1), START + 2 * HOUR]
    assert [quiet.of_agent(TARGET, at) is not None for at in times] == [False, True, True, False]


def test_of_several_silences_the_one_that_ends_last_counts() -> None:
    """So an alert is looked at once, when the last of them is over."""
    quiet = Quiet((silence("a"), silence("c", end=START + 3 * HOUR), silence("b", agents={"ma_2"}, end=START + DAY)))
    hold = quiet.of_agent(TARGET, NOW)
    assert hold
    assert (hold.name, hold.until, hold.why) == ("c", START + 3 * HOUR, "We move")


DATA_CENTER, ACCOUNT = Group(IncidentType.CALLBACKS_MISSING, "de"), Group(IncidentType.ACCOUNT_DISCONNECTED, "acc_1")


@pytest.mark.parametrize(
    ("criteria", "of_data_center", "of_account"),
    [
        ({}, True, True),
        ({"types": {IncidentType.CALLBACKS_MISSING}}, True, False),
        ({"types": {IncidentType.ACCOUNT_DISCONNECTED}}, False, True),
        ({"data_centers": {"de"}}, True, False),
        ({"data_centers": {"us"}}, False, False),
        ({"accounts": {"acc_1"}}, False, True),
        ({"accounts": {"acc_2"}}, False, False),
        ({"accounts": {"acc_1"}, "data_centers": {"de"}}, False, False),
        ({"agents": {"ma_1"}}, False, False),
        ({"labels": {"team": ("sales",)}}, False, False),
    ],
)
def test_the_incident_of_a_group_is_silenced_only_with_all_its_agents(
    criteria: Mapping[str, Any], *, of_data_center: bool, of_account: bool
) -> None:
    quiet = Quiet((silence(**criteria),))
    found = [quiet.of_group(group, Severity.CRITICAL, NOW) is not None for group in (DATA_CENTER, ACCOUNT)]
    assert found == [of_data_center, of_account]
    assert quiet.of_group(DATA_CENTER, Severity.CRITICAL, START - MINUTE) is None


@pytest.mark.parametrize("criteria", [{}, {"types": {IncidentType.CHANNEL_FAILING}}, {"data_centers": {"de"}}])
def test_nothing_holds_back_the_incident_of_a_channel(criteria: Mapping[str, Any]) -> None:
    """It is about the system itself. A channel may have the name of a data center."""
    every_hour = QuietHours(start=time(), end=time(), zone="Etc/UTC", severities=frozenset(Severity))
    quiet = Quiet((silence(**criteria),), every_hour)
    assert quiet.of_group(Group(IncidentType.CHANNEL_FAILING, "de"), Severity.CRITICAL, NOW) is None
    hold = Quiet(quiet_hours=every_hour).of_group(DATA_CENTER, Severity.CRITICAL, NOW)
    assert hold
    assert hold.name == QUIET_HOURS


# ---------------------------------------------------------------------------------------------------------- quiet hours


def hours(start: str, end: str, zone: str = "Europe/Berlin") -> QuietHours:
    return QuietHours(start=time.fromisoformat(start), end=time.fromisoformat(end), zone=zone)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("at", "end"),
    [
        ("2026-07-01T19:59", None),
        ("2026-07-01T20:00", "2026-07-02T05:00"),
        ("2026-07-02T02:00", "2026-07-02T05:00"),
        ("2026-07-02T04:59", "2026-07-02T05:00"),
        ("2026-07-02T05:00", None),
        ("2026-07-02T12:00", None),
    ],
)
def test_quiet_hours_are_those_of_the_time_zone_over_midnight(at: str, end: str | None) -> None:
    assert hours("22:00", "07:00").end_after(utc(at)) == (utc(end) if end else None)


def test_quiet_hours_may_be_those_of_one_day() -> None:
    noon = hours("12:00", "13:30", "Etc/UTC")
    assert noon.end_after(utc("2026-07-01T11:59")) is None
    assert noon.end_after(utc("2026-07-01T12:00")) == utc("2026-07-01T13:30")
    assert noon.end_after(utc("2026-07-01T13:30")) is None


@pytest.mark.parametrize(
    ("span", "at", "end"),
    [
        # The night of 29 March has nine hours less one, that of 25 October nine and one.
        (("22:00", "07:00"), "2026-03-28T21:00", "2026-03-29T05:00"),
        (("22:00", "07:00"), "2026-10-24T20:00", "2026-10-25T06:00"),
        # 02:30 does not exist on 29 March: it is an hour later by the clock.
        (("22:00", "02:30"), "2026-03-29T01:29", "2026-03-29T01:30"),
        (("22:00", "02:30"), "2026-03-29T01:30", None),
        (("02:30", "06:00"), "2026-03-29T01:29", None),
        (("02:30", "06:00"), "2026-03-29T01:30", "2026-03-29T04:00"),
        # 02:30 comes twice on 25 October: the first one counts, and the hour in between is not quiet again.
        (("22:00", "02:30"), "2026-10-25T00:29", "2026-10-25T00:30"),
        (("22:00", "02:30"), "2026-10-25T00:30", None),
        (("22:00", "02:30"), "2026-10-25T01:15", None),
        (("02:30", "06:00"), "2026-10-25T00:30", "2026-10-25T05:00"),
        (("02:30", "06:00"), "2026-10-25T01:15", "2026-10-25T05:00"),
    ],
)
def test_quiet_hours_begin_and_end_once_in_the_nights_when_clocks_change(
    span: tuple[str, str], at: str, end: str | None
) -> None:
    assert hours(*span).end_after(utc(at)) == (utc(end) if end else None)


@given(
    st.sampled_from(["Europe/Berlin", "America/St_Johns", "Australia/Lord_Howe", "Pacific/Apia", "Etc/UTC"]),
    st.times().map(lambda at: at.replace(second=0, microsecond=0)),
    st.times().map(lambda at: at.replace(second=0, microsecond=0)),
    st.datetimes(datetime(2011, 12, 20), datetime(2026, 12, 31), timezones=st.just(UTC)),  # noqa: DTZ001 - as hypothesis wants them
)
def test_quiet_hours_end_within_a_day_and_a_little_and_never_before_they_are_looked_at(
    zone: str, start: time, end: time, at: datetime
) -> None:
    quiet = QuietHours(start=start, end=end, zone=zone)
    until = quiet.end_after(at)
    if until:
        assert at < until <= at + timedelta(hours=26)
        again = quiet.end_after(until)
        assert again is None or start == end or again > until


def test_quiet_hours_hold_back_the_severities_that_they_are_for() -> None:
    """A critical alert only if the owner says so."""
    at, quiet = utc("2026-07-01T22:00"), Quiet(quiet_hours=hours("22:00", "07:00"))
    hold = quiet.of_severity(Severity.WARNING, at)
    assert hold
    assert (hold.name, hold.until) == (QUIET_HOURS, utc("2026-07-02T05:00"))
    assert quiet.of_severity(Severity.CRITICAL, at) is None
    assert quiet.of_severity(Severity.WARNING, utc("2026-07-01T12:00")) is None
    assert Quiet().of_severity(Severity.WARNING, at) is None
    every = replace(hours("22:00", "07:00"), severities=frozenset({Severity.WARNING, Severity.CRITICAL}))
    assert Quiet(quiet_hours=every).of_severity(Severity.CRITICAL, at)


# ------------------------------------------------------------------------------------------------- the time of the next


def held(history: History, until: datetime, at: datetime | None = None) -> History:
    """Add the entries of the alerts that are owed at a time, held back until later."""
    at = at or history.entries[-1].at
    for alert in history.alerts(at):
        incident = alert.owed.incident
        about: dict[str, Any] = {"attempt": incident.attempt, "cause": alert.type, "status": alert.status}
        history.add(EntryType.SILENCED, at, severity=alert.severity, until=until, **about)
    return history


GRACE_PERIODS = GracePeriods()


def test_an_alert_that_is_held_back_is_owed_and_looked_at_when_the_silence_is_over() -> None:
    """Once, however long that is: an agent under a silence is no work for each sweep."""
    until = START + 30 * DAY
    history = held(failed(), until)
    record = fold(history.entries)
    assert [alert.status for alert in alerting_owed(record, GRACE_PERIODS, record.updated_at)] == [AlertStatus.FIRING]
    assert record.alerts == {}
    assert next_alert_at(record, GRACE_PERIODS) == until + PUBLISH_WITHIN
    assert find_missed(record, GRACE_PERIODS, until) == []
    (found,) = find_missed(record, GRACE_PERIODS, until + PUBLISH_WITHIN)
    after = fold([found.entry], record)
    assert next_alert_at(after, GRACE_PERIODS) == found.entry.at + 2 * PUBLISH_WITHIN


def test_each_incident_is_held_back_by_itself() -> None:
    history = held(failed(), START + DAY)
    (key,) = fold(history.entries).held
    other = {"attempt": 1, "cause": IncidentType.RESOURCES_MISSING, "status": AlertStatus.FIRING}
    history.add(EntryType.SILENCED, START + HOUR, severity=Severity.WARNING, until=START + 2 * DAY, **other)
    assert fold(history.entries).held.keys() == {key, "1/resources_missing"}


def test_an_alert_that_was_published_is_held_back_no_more() -> None:
    history = held(failed(), START + DAY).published()
    record = fold(history.entries)
    assert record.held == {}
    assert next_alert_at(record, GRACE_PERIODS) is None


def test_the_time_to_an_alert_begins_with_the_end_of_its_silence() -> None:
    """That it was held back is no delay."""
    history = failed()
    (alert,) = history.alerts()
    assert alert.owed_since == alert.owed.incident.owed_at
    (at_the_end,) = held(history, START + DAY).alerts(START + DAY + MINUTE)
    assert at_the_end.owed_since == START + DAY
    (before,) = history.alerts(START + HOUR)
    assert before.owed_since == before.owed.incident.owed_at


def test_an_alert_is_held_back_as_often_as_silences_follow_each_other() -> None:
    """The count is in the key of the next entry. With the alert it begins anew."""
    history = held(held(failed(), START + HOUR), START + DAY, START + 2 * HOUR)
    assert [(one.count, one.until) for one in fold(history.entries).held.values()] == [(2, START + DAY)]
    assert fold(history.entries).alerts_due == 0
    published = history.published(START + DAY)
    assert fold(published.entries).held == {}


def test_another_severity_is_looked_at_when_it_begins() -> None:
    """Quiet hours hold back a warning: near the meeting the incident is critical."""
    history = History().ask(conference_expected=True).accepted()
    history.hear("conferencing_failing", START - 1500 * MINUTE)
    held(history, START + DAY, START - 1490 * MINUTE)
    record = fold(history.entries)
    assert {alert.severity for alert in record.held.values()} == {Severity.WARNING}
    assert next_alert_at(record, GRACE_PERIODS) == START - GRACE_PERIODS.arrangement


def test_an_alert_that_is_not_held_back_is_looked_at_as_before() -> None:
    """Beside one that is."""
    history = held(failed(), START + DAY)
    other = {"event_id": "somebody-elses-event"}
    record = fold(history.hear("meeting_agent_complete", NOW, event=other).entries)
    assert next_alert_at(record, GRACE_PERIODS) == NOW + PUBLISH_WITHIN


def test_a_journal_is_kept_until_the_silence_is_over() -> None:
    """Its alert is still owed then."""
    record = fold(held(failed(), START + 30 * DAY).entries)
    assert relevant_until(record, GRACE_PERIODS) == START + 30 * DAY
    assert relevant_until(fold(failed().entries), GRACE_PERIODS) == END


# ------------------------------------------------------------------------------------------------------ whole histories


def histories() -> st.SearchStrategy[History]:
    return st.sampled_from(["failed", "silent", "warning", "late", "complete"]).map(_history)


def _history(name: str) -> History:
    match name:
        case "failed":
            return failed()
        case "silent":
            return silent()
        case "warning":
            return History().ask(conference_expected=True).accepted().hear("conferencing_failing", START - 3 * DAY / 2)
        case "late":
            return silent().hear("meeting_agent_activated", START + 14 * MINUTE)
        case _:
            return History().ask().accepted().hear("meeting_agent_complete", END + MINUTE, state="complete")


SPANS = st.lists(
    st.tuples(st.integers(-3000, 4000), st.integers(1, 3000)).map(
        lambda span: silence("s", START + span[0] * MINUTE, START + (span[0] + span[1]) * MINUTE)
    ),
    max_size=4,
)
QUIET = st.one_of(st.none(), st.just(hours("22:00", "07:00")), st.just(hours("12:00", "18:30")))


@given(histories(), SPANS, QUIET, st.sampled_from([None, 15 * MINUTE]))
def test_no_silence_swallows_an_alert_for_ever_and_none_is_looked_at_each_minute(
    history: History, silences: list[Silence], quiet_hours: QuietHours | None, escalation: timedelta | None
) -> None:
    """Without any the same alerts are published in the end, and each was published while nothing held it back."""
    grace_periods, quiet = replace(GRACE_PERIODS, escalation=escalation), Quiet(tuple(silences), quiet_hours)
    loud, _ = lived(list(history.entries), history.agent, Quiet(), grace_periods)
    entries, looks = lived(list(history.entries), history.agent, quiet, grace_periods)
    sent = [entry for entry in entries if entry.kind is EntryType.ALERTED]
    for entry in sent:
        assert entry.cause
        assert entry.severity
        target = replace(TARGET, agent_id=history.agent, type=entry.cause)
        assert entry.status is AlertStatus.RESOLVED or not quiet.of_agent(target, entry.at)
        assert entry.status is AlertStatus.RESOLVED or not quiet.of_severity(entry.severity, entry.at)
    final = fold(entries)
    assert alerting_owed(final, grace_periods, final.updated_at + 40 * DAY) == ()
    published = {key for key, last in fold(loud).alerts.items() if last.status is AlertStatus.FIRING}
    over = {entry.cause for entry in loud if entry.status is AlertStatus.RESOLVED}
    assert {key for key in published if key.split("/")[1] not in over} <= set(final.alerts)
    ends = sum(entry.kind is EntryType.SILENCED for entry in entries)
    assert looks <= len(loud) + 2 * ends + 12


def lived(entries: list[Entry], agent_id: str, quiet: Quiet, grace_periods: GracePeriods) -> tuple[list[Entry], int]:
    """Let the sweep and the publisher live with a journal until nothing is due. Return it, and the sweep's looks."""
    record, looks = fold(entries), 0
    now = record.updated_at
    while looks < 100:
        for owed in alerting_owed(fold(entries), grace_periods, now):
            incident, before = owed.incident, fold(entries)
            target = Target.of(agent_id, before, incident.type)
            hold = quiet.of_agent(target, now) or quiet.of_severity(incident.severity, now)
            is_held = hold is not None and owed.status is AlertStatus.FIRING
            about: dict[str, Any] = {"until": hold.until} if hold and is_held else {"reminder": owed.reminder}
            kind = EntryType.SILENCED if is_held else EntryType.ALERTED
            if is_held and hold and before.held.get(incident.key) and before.held[incident.key].until == hold.until:
                continue
            entries.append(
                Entry(
                    key=f"{kind}#{len(entries)}",
                    kind=kind,
                    at=now,
                    attempt=incident.attempt,
                    cause=incident.type,
                    status=owed.status,
                    severity=incident.severity,
                    **about,
                )
            )
        record = fold(entries)
        due = next_alert_at(record, grace_periods)
        if due is None:
            return entries, looks
        looks += 1
        now = max(now, due)
        missed = [found.entry for found in find_missed(record, grace_periods, now)]
        entries += [entry for entry in missed if entry.kind is EntryType.ALERT_DUE]
    raise AssertionError("the sweep never comes to an end")
