"""Many announcements, few alerts. Pure."""

from collections.abc import Iterable

from meeting_agents.alerting.message import MAX_MESSAGE_BYTES, Alert, Links, cause_of, reminder_of
from meeting_agents.announcement import Announcement
from meeting_agents.domain.incidents import SEVERITIES
from meeting_agents.domain.model import Severity


def group_alerts(announcements: Iterable[Announcement], places: Links) -> list[Alert]:
    """As few messages as can be: one for each severity, reminders apart, more only where SNS would refuse the size."""
    kinds: dict[tuple[Severity, int], list[Announcement]] = {}
    for announcement in announcements:
        key = SEVERITIES[cause_of(announcement.data)], reminder_of(announcement)
        kinds.setdefault(key, []).append(announcement)
    order = list(Severity)
    ordered = sorted(kinds.items(), key=lambda item: (order.index(item[0][0]), item[0][1]))
    return [alert for _, told in ordered for alert in _fitting(Alert(tuple(told), places))]


def _fitting(alert: Alert) -> list[Alert]:
    told = alert.announcements
    if len(told) == 1 or alert.size <= MAX_MESSAGE_BYTES:
        return [alert]
    half = len(told) // 2
    return [part for some in (told[:half], told[half:]) for part in _fitting(Alert(some, alert.links))]
