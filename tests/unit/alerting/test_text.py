"""Times as people read them."""

from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest

from meeting_agents.alerting.text import format_time

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
