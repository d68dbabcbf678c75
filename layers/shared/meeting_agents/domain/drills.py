"""The weekly drill: an alert about nothing, which a person must acknowledge. Pure."""

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from meeting_agents.domain.groups import Group
from meeting_agents.domain.model import IncidentType

DRILL = Group(IncidentType.DRILL, "weekly")
CATCH_UP = timedelta(hours=6)
"""A drill begins this much late at most, if no sweep ran at its time; after that the next one is a week later."""


@dataclass(frozen=True, slots=True)
class DrillTime:
    """The local time of each week at which a drill begins. `weekday`: 0 is Monday."""

    weekday: int
    hour: int
    zone: str

    def due_at(self, now: datetime) -> datetime | None:
        """Return the time at which a drill was to begin, if that was in the last `CATCH_UP`."""
        zone = ZoneInfo(self.zone)
        today = now.astimezone(zone).date()
        day = today - timedelta(days=(today.weekday() - self.weekday) % 7)
        at = datetime.combine(day, time(self.hour), zone).astimezone(UTC)
        return at if at <= now < at + CATCH_UP else None
