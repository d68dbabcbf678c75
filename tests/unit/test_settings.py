"""The settings: the error of a missing variable has its name."""

from datetime import time

import pytest

from meeting_agents.errors import MissingSetting
from meeting_agents.settings import Settings


def test_a_variable_that_is_missing_or_no_number_is_named() -> None:
    """The deployment is wrong: a retry fails again."""
    with pytest.raises(MissingSetting, match="AGENTS_TABLE"):
        _ = Settings({}).agents_table
    with pytest.raises(MissingSetting, match="REQUESTS_PER_SECOND must be a number"):
        _ = Settings({"REQUESTS_PER_SECOND": "many"}).requests_per_second


def test_a_drill_has_a_weekday_and_an_hour() -> None:
    assert Settings({}).drill is Settings({"DRILL": "off"}).drill is None
    assert (Settings({"DRILL": "MON-10"}).drill, Settings({"DRILL": "SUN-00"}).drill) == ((0, 10), (6, 0))


@pytest.mark.parametrize("text", ["on", "MON", "MON-24", "MON-7", "ABC-10", "mon-10"])
def test_a_wrong_drill_is_named(text: str) -> None:
    with pytest.raises(MissingSetting, match=f"DRILL must be off or like MON-10, not '{text}'"):
        _ = Settings({"DRILL": text}).drill


HOURS = {"QUIET_HOURS": "22:00-07:00", "QUIET_HOURS_TIME_ZONE": "Europe/Berlin", "QUIET_HOURS_SEVERITY": "warning"}


def test_quiet_hours_are_two_times_in_a_time_zone() -> None:
    assert Settings({}).quiet_hours is None
    settings = Settings(HOURS)
    assert settings.quiet_hours == (time(22), time(7))
    assert settings.quiet_hours_time_zone == "Europe/Berlin"
    assert not settings.are_critical_alerts_quiet
    assert Settings(HOURS | {"QUIET_HOURS_SEVERITY": "all"}).are_critical_alerts_quiet


@pytest.mark.parametrize("text", ["22:00", "22-", "25:00-07:00", "22:00-22:00", "night", "22:00-07:00-08:00"])
def test_wrong_quiet_hours_are_named(text: str) -> None:
    with pytest.raises(MissingSetting, match=f"QUIET_HOURS must be like 22:00-07:00, not '{text}'"):
        _ = Settings({"QUIET_HOURS": text}).quiet_hours


@pytest.mark.parametrize("name", ["Europe/Berln", "../etc", "Berlin time"])
def test_a_wrong_time_zone_of_quiet_hours_is_named(name: str) -> None:
    with pytest.raises(MissingSetting, match=f"QUIET_HOURS_TIME_ZONE must be like Europe/Berlin, not '{name}'"):
        _ = Settings(HOURS | {"QUIET_HOURS_TIME_ZONE": name}).quiet_hours_time_zone
