"""The grouping of announcements into few alerts. Pure."""

from collections.abc import Iterable

from meeting_agents.alerting.message import MAX_MESSAGE_BYTES, Alert, Links, alert_of
from meeting_agents.announcement import Announcement
from meeting_agents.domain.model import AlertStatus, Severity

_STATUSES, _SEVERITIES = list(AlertStatus), list(Severity)


def group_alerts(announcements: Iterable[Announcement], links: Links) -> list[Alert]:
    """Return one alert for each status, severity and reminder, the most urgent first."""
    groups: dict[tuple[int, int, int], list[Announcement]] = {}
    for announcement in announcements:
        alert = alert_of(announcement)
        key = _STATUSES.index(alert.status), _SEVERITIES.index(alert.severity), alert.reminder
        groups.setdefault(key, []).append(announcement)
    return [part for _, group in sorted(groups.items()) for part in _split(Alert(tuple(group), links))]


def _split(alert: Alert) -> list[Alert]:
    """Halve an alert until each part fits into a message."""
    announcements = alert.announcements
    if len(announcements) == 1 or alert.size <= MAX_MESSAGE_BYTES:
        return [alert]
    half = len(announcements) // 2
    parts = (announcements[:half], announcements[half:])
    return [piece for part in parts for piece in _split(Alert(part, alert.links))]
