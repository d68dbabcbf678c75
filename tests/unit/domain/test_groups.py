"""Groups of agents: to which an agent belongs, when the incident of a group is open or over, and what is news."""

from dataclasses import replace
from datetime import timedelta

import pytest

from meeting_agents.domain.acknowledgement import Acknowledgement
from meeting_agents.domain.grace_periods import GracePeriods
from meeting_agents.domain.groups import (
    COVERING,
    GROUPS,
    HEARD_EVERY,
    MIN_SILENT_AGENTS,
    REPEAT_AFTER,
    TYPES,
    ChannelFailure,
    Group,
    GroupState,
    Waiting,
    group_of,
    is_news,
    is_open,
    is_over,
    silent_after,
    waits_from,
)
from meeting_agents.domain.incidents import open_incidents
from meeting_agents.domain.model import AlertStatus, EntryType, IncidentType, Meeting, Severity
from meeting_agents.domain.reasons import REAUTHORISATION_REQUIRED
from meeting_agents.domain.record import LastAlert, Record
from meeting_agents.errors import ReauthorisationRequired
from tests.unit.domain.test_incidents import disconnected, silent, unfinished
from tests.unit.domain.test_lifecycle import END, MINUTE, NOON, START, WISH, History, scheduled

ACCOUNT = Group(IncidentType.ACCOUNT_DISCONNECTED, "alice")
DATA_CENTER = Group(IncidentType.CALLBACKS_MISSING, "de")
FIRED = LastAlert(status=AlertStatus.FIRING, severity=Severity.WARNING, at=NOON, count=1)
CRITICAL = replace(FIRED, severity=Severity.CRITICAL)
RESOLVED = replace(CRITICAL, status=AlertStatus.RESOLVED)


def test_the_failure_is_the_code_of_the_error() -> None:
    """The record has the code, not the error."""
    assert ReauthorisationRequired.code == REAUTHORISATION_REQUIRED


# ---------------------------------------------------------------------------------------------------------- membership


@pytest.mark.parametrize("group", [ACCOUNT, DATA_CENTER, Group(IncidentType.ACCOUNT_DISCONNECTED, "a/b")])
def test_a_group_is_known_by_its_key(group: Group) -> None:
    assert Group.of_key(group.key) == group


@pytest.mark.parametrize("key", ["", "alice", "failed/alice", "never_activated/de", "account_disconnected/"])
def test_another_key_is_none_of_a_group(key: str) -> None:
    with pytest.raises(ValueError, match=r"IncidentType|not the key"):
        Group.of_key(key)


def of_alice(history: History) -> Record:
    """The record of a history whose request is in the name of an account."""
    entries = [
        replace(entry, request=replace(entry.request, account="alice", data_center="de")) if entry.request else entry
        for entry in history.entries
    ]
    history.entries = entries
    return history.record


def test_an_agent_belongs_to_the_account_of_its_newest_request() -> None:
    record = of_alice(disconnected())
    assert group_of(record, IncidentType.ACCOUNT_DISCONNECTED) == ACCOUNT
    record = of_alice(disconnected().answer(EntryType.ACCEPTED))
    assert group_of(record, IncidentType.ACCOUNT_DISCONNECTED) == ACCOUNT
    own = disconnected(scheduled().request(replace(WISH, digest="other"))).record
    assert group_of(own, IncidentType.ACCOUNT_DISCONNECTED) is None


@pytest.mark.parametrize("type_", [IncidentType.NEVER_ACTIVATED, IncidentType.NOT_FINISHED])
def test_a_silent_agent_belongs_to_its_data_center(type_: IncidentType) -> None:
    assert group_of(of_alice(silent()), type_) == DATA_CENTER
    assert group_of(History().report(EntryType.ACTIVATED).record, type_) is None  # it was not requested here


@pytest.mark.parametrize("type_", [type_ for type_ in IncidentType if type_ not in COVERING])
def test_other_incidents_are_of_one_agent(type_: IncidentType) -> None:
    assert group_of(of_alice(silent()), type_) is None
    assert group_of(Record(), IncidentType.NEVER_ACTIVATED) is None


def test_an_agent_is_missed_from_the_start_or_from_the_end_of_its_meeting() -> None:
    for history, at in ((disconnected(), START), (silent(), START), (unfinished(), END)):
        [incident] = open_incidents(history.record, GracePeriods(), history.at)
        assert waits_from(history.record, incident, GracePeriods()) == at


# ------------------------------------------------------------------------------------------------------ open and over


def test_an_account_that_nothing_is_known_of_is_registered_and_connected() -> None:
    state = GroupState()
    assert state.is_registered
    assert not is_open(ACCOUNT, state, MIN_SILENT_AGENTS)


def test_three_agents_one_minute_and_half_a_day_are_the_limits() -> None:
    """Two silent agents are a coincidence; a minute of callbacks is one write; a day later another meeting is news."""
    assert MIN_SILENT_AGENTS == 3
    assert HEARD_EVERY == MINUTE
    assert REPEAT_AFTER == 12 * 60 * MINUTE


def test_an_account_is_disconnected_as_long_as_it_says_so() -> None:
    state = GroupState(is_disconnected=True, last=FIRED)
    assert (is_open(ACCOUNT, state, 0), is_over(ACCOUNT, state, NOON)) == (True, False)
    state = replace(state, is_disconnected=False)
    assert (is_open(ACCOUNT, state, 9), is_over(ACCOUNT, state, NOON)) == (False, True)


@pytest.mark.parametrize("last", [None, RESOLVED])
def test_an_incident_without_an_alert_is_never_over(last: LastAlert | None) -> None:
    """Then no resolved alert is owed."""
    assert not is_over(ACCOUNT, GroupState(last=last), NOON)
    assert not is_over(DATA_CENTER, GroupState(heard_at=NOON, last=last), NOON)


def test_a_channel_fails_until_it_takes_something() -> None:
    channel = Group(IncidentType.CHANNEL_FAILING, "pager")
    failing = GroupState(last=FIRED, failure=ChannelFailure(since=NOON, problem="503"))
    assert is_open(channel, failing, 0)
    assert not is_over(channel, failing, NOON)
    works = replace(failing, failure=None)
    assert not is_open(channel, works, 0)
    assert is_over(channel, works, NOON)
    assert not ChannelFailure(since=NOON, problem="503").is_off


def test_each_incident_that_no_agent_has_says_how_it_opens_and_is_resolved() -> None:
    assert GROUPS.keys() == TYPES - {IncidentType.ACCOUNT_DISCONNECTED}
    assert all(opens and resolved for opens, resolved in GROUPS.values())


def test_callbacks_are_missing_if_three_agents_are_silent() -> None:
    state = GroupState(heard_at=NOON)
    assert not is_open(DATA_CENTER, state, MIN_SILENT_AGENTS - 1)
    assert is_open(DATA_CENTER, state, MIN_SILENT_AGENTS)
    assert is_open(DATA_CENTER, replace(state, last=CRITICAL), 1)
    assert not is_open(DATA_CENTER, replace(state, last=RESOLVED), 1)


def test_callbacks_come_again_with_the_first_one() -> None:
    never = GroupState(last=CRITICAL)
    assert not is_over(DATA_CENTER, never, NOON)
    assert is_over(DATA_CENTER, replace(never, heard_at=NOON), NOON)
    before = replace(never, heard_at=NOON, heard_before=NOON)
    assert not is_over(DATA_CENTER, before, NOON)
    assert is_over(DATA_CENTER, replace(before, heard_at=NOON + MINUTE), NOON)


def test_a_callback_may_have_come_later_than_recorded() -> None:
    assert silent_after(GroupState(heard_at=NOON)) == NOON + HEARD_EVERY
    assert silent_after(GroupState()) is None


# ----------------------------------------------------------------------------------------------------------------- news


def news(last: LastAlert | None, severity: Severity, reminder: int = 0, *waiting: Waiting, after: int = 0) -> bool:
    return is_news(GroupState(last=last), severity, reminder, waiting, NOON + timedelta(minutes=after))


def test_an_incident_is_news_once_for_each_severity() -> None:
    for last in (None, RESOLVED):
        assert news(last, Severity.WARNING)
        assert news(last, Severity.CRITICAL)
    assert not news(FIRED, Severity.WARNING, after=10_000)
    assert news(FIRED, Severity.CRITICAL)
    assert not news(CRITICAL, Severity.CRITICAL)
    assert not news(CRITICAL, Severity.WARNING, after=10_000)


def test_another_meeting_that_comes_near_is_news_after_half_a_day() -> None:
    half_a_day = int(REPEAT_AFTER / MINUTE)
    assert not news(CRITICAL, Severity.CRITICAL, after=half_a_day - 1)
    assert news(CRITICAL, Severity.CRITICAL, after=half_a_day)


def test_a_reminder_is_news_once_and_not_after_an_acknowledgement() -> None:
    assert news(CRITICAL, Severity.CRITICAL, 1)
    assert not news(replace(CRITICAL, reminders=1), Severity.CRITICAL, 1)
    assert news(replace(CRITICAL, reminders=1), Severity.CRITICAL, 2)

    def agent(minutes: int) -> Waiting:
        at = NOON + timedelta(minutes=minutes)
        return Waiting(agent_id="ma_1", type=IncidentType.NEVER_ACTIVATED, meeting=Meeting(), acknowledged_at=at)

    silent_one = replace(agent(0), acknowledged_at=None)
    assert news(CRITICAL, Severity.CRITICAL, 1, agent(-1), silent_one)
    assert not news(CRITICAL, Severity.CRITICAL, 1, silent_one, agent(0))


def test_a_reminder_is_no_news_after_the_group_was_acknowledged() -> None:
    """One acknowledgement before the last alert was about an earlier severity."""

    def is_reminded(minutes: int) -> bool:
        acknowledgement = Acknowledgement(at=NOON + timedelta(minutes=minutes))
        state = GroupState(last=CRITICAL, acknowledgement=acknowledgement)
        return is_news(state, Severity.CRITICAL, 1, (), NOON)

    assert is_reminded(-1)
    assert not is_reminded(0)
