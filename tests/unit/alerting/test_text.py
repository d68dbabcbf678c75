"""Times as people read them."""

from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest

from meeting_agents.alerting.text import format_time, relative_to_meeting, sanitize
from meeting_agents.domain.model import Meeting

AT = datetime(2026, 4, 29, 15, 31, tzinfo=UTC)


@pytest.mark.parametrize(
    ("zone", "shown"),
    [
        (ZoneInfo("Europe/Berlin"), "Wed 29 Apr 2026, 17:31 CEST"),
        (ZoneInfo("America/Sao_Paulo"), "Wed 29 Apr 2026, 12:31 UTC-03"),
        (timezone(timedelta(hours=2)), "Wed 29 Apr 2026, 17:31 UTC+02:00"),
        (UTC, "Wed 29 Apr 2026, 15:31 UTC"),
    ],
)
def test_a_time_names_its_zone_or_its_difference_to_utc(zone: ZoneInfo | timezone, shown: str) -> None:
    """The dashboard gives only a difference."""
    assert format_time(AT, zone) == shown


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (-90, ", 1 minute before the meeting begins"),
        (-0.4, ", just before the meeting begins"),
        (0, ", as the meeting began"),
        (0.4, ", as the meeting began"),
        (5, ", 5 seconds after the meeting began"),
        (600.4, ", right after the meeting ended"),
        (605, ", 5 seconds after the meeting ended"),
    ],
)
def test_a_moment_before_or_after_is_not_0_seconds(seconds: float, words: str) -> None:
    meeting = Meeting(start=AT, end=AT + timedelta(minutes=10))
    assert relative_to_meeting(AT + timedelta(seconds=seconds), meeting) == words


@pytest.mark.parametrize("part", ["a-", "a.", "[x](", "<http://", "http:", "[", "//a.b/"])
def test_a_long_text_from_outside_costs_time_in_proportion(part: str) -> None:
    """An expression that looked at each beginning to the end would take hours for 100,000 characters."""
    assert len(sanitize(part * 50_000)) <= 1000


def test_a_link_with_a_label_leaves_the_label() -> None:
    assert sanitize("[Join](https://a.b/c) or <https://a.b/c|here> now") == "Join (link) or here (link) now"
