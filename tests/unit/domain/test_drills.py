"""The weekly drill: when it begins, and when an alert about it is owed."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from meeting_agents.domain.acknowledgement import Acknowledgement
from meeting_agents.domain.alerts import MAX_REMINDERS
from meeting_agents.domain.drills import DRILL, DrillTime
from meeting_agents.domain.groups import DRILL_PATIENCE, Group, GroupState, is_open, is_over, owed_reminder, owes_alert
from meeting_agents.domain.model import AlertStatus, IncidentType, Severity
from meeting_agents.domain.record import LastAlert

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
TEN = datetime(2026, 4, 27, 8, tzinfo=UTC)
"""Monday at ten in Berlin."""
BERLIN = DrillTime(0, 10, "Europe/Berlin")
FIRING = LastAlert(status=AlertStatus.FIRING, severity=Severity.CRITICAL, at=TEN + MINUTE, count=1)
RESOLVED = replace(FIRING, status=AlertStatus.RESOLVED, at=TEN + HOUR, count=2)
BEGUN = GroupState(drill_at=TEN)
ALERTED = GroupState(drill_at=TEN, last=FIRING, opened_at=FIRING.at)
HEARD = replace(ALERTED, acknowledgement=Acknowledgement(at=TEN + 5 * MINUTE, by="marty", note="I hear it"))


# ------------------------------------------------------------------------------------------------------- when it begins


@pytest.mark.parametrize(
    ("after", "is_due"),
    [(-MINUTE, False), (timedelta(), True), (6 * HOUR - MINUTE, True), (6 * HOUR, False), (timedelta(days=-1), False)],
)
def test_a_drill_is_due_at_its_hour_and_for_a_while_after(after: timedelta, is_due: bool) -> None:
    """So that one is not lost while no sweep runs."""
    for week in range(-60, 60):
        at = TEN + timedelta(weeks=week)
        at += timedelta() if at.astimezone(ZoneInfo("Europe/Berlin")).dst() else HOUR
        assert BERLIN.due_at(at + after) == (at if is_due else None)


def test_a_drill_is_caught_up_with_after_midnight() -> None:
    late = DrillTime(6, 23, "Etc/UTC")
    sunday = datetime(2026, 4, 26, 23, tzinfo=UTC)
    assert late.due_at(sunday + 3 * HOUR) == sunday
    assert late.due_at(sunday - MINUTE) is None


def test_an_hour_that_clocks_skip_is_due_once() -> None:
    skipped = DrillTime(6, 2, "Europe/Berlin")
    midnight = datetime(2026, 3, 29, tzinfo=UTC)
    found = {skipped.due_at(midnight + minutes * MINUTE) for minutes in range(24 * 60)}
    assert found == {None, datetime(2026, 3, 29, 1, tzinfo=UTC)}


# ----------------------------------------------------------------------------------------------------- what is owed


def test_a_drill_is_open_from_its_beginning_until_it_is_acknowledged() -> None:
    assert not is_open(DRILL, GroupState(), 0)
    for state in (BEGUN, ALERTED, HEARD):
        assert is_open(DRILL, state, 0)
    assert not is_open(DRILL, replace(HEARD, last=RESOLVED), 0)
    assert not is_open(DRILL, replace(HEARD, last=replace(RESOLVED, at=TEN)), 0)
    assert is_open(DRILL, replace(HEARD, last=RESOLVED, drill_at=TEN + timedelta(weeks=1)), 0)


def test_a_drill_is_over_when_it_is_acknowledged_or_a_day_after_its_alert() -> None:
    """Not a day after its beginning: a silence may have held the alert back."""
    assert timedelta(days=1) == DRILL_PATIENCE
    assert is_over(DRILL, HEARD, TEN + 6 * MINUTE)
    assert not is_over(DRILL, ALERTED, TEN + DRILL_PATIENCE)
    assert is_over(DRILL, ALERTED, FIRING.at + DRILL_PATIENCE)
    assert not is_over(DRILL, BEGUN, TEN + timedelta(days=3))
    assert not is_over(DRILL, replace(HEARD, last=RESOLVED), TEN + timedelta(days=3))


def test_reminders_of_a_drill_come_after_each_escalation() -> None:
    assert owed_reminder(DRILL, ALERTED, HOUR, FIRING.at + HOUR - MINUTE) == 0
    assert owed_reminder(DRILL, ALERTED, HOUR, FIRING.at + HOUR) == 1
    assert owed_reminder(DRILL, replace(ALERTED, last=replace(FIRING, reminders=1)), HOUR, FIRING.at + HOUR) == 2
    last = replace(FIRING, reminders=MAX_REMINDERS)
    assert owed_reminder(DRILL, replace(ALERTED, last=last), HOUR, FIRING.at + HOUR) == 0
    for state, escalation in ((ALERTED, None), (BEGUN, HOUR), (replace(ALERTED, last=RESOLVED), HOUR)):
        assert owed_reminder(DRILL, state, escalation, TEN + 20 * HOUR) == 0
    assert owed_reminder(Group(IncidentType.CHANNEL_FAILING, "pager"), ALERTED, HOUR, TEN + 20 * HOUR) == 0


def test_an_alert_is_owed_at_the_beginning_for_a_reminder_and_at_the_end() -> None:
    """Level-triggered: as long as it was not sent."""
    soon, late = TEN + 10 * MINUTE, TEN + 10 * HOUR
    assert owes_alert(DRILL, BEGUN, None, late)
    assert not owes_alert(DRILL, ALERTED, HOUR, soon)
    assert owes_alert(DRILL, ALERTED, HOUR, late)
    assert not owes_alert(DRILL, ALERTED, None, late)
    assert owes_alert(DRILL, HEARD, None, soon)
    assert not owes_alert(DRILL, replace(HEARD, last=RESOLVED), HOUR, late)
    failing = Group(IncidentType.CHANNEL_FAILING, "pager")
    assert owes_alert(failing, ALERTED, None, soon), "it is over"
    assert not owes_alert(failing, GroupState(), None, soon)
