"""A running sandbox as a live view: each announcement and each alert is a line as soon as it comes."""

from typing import Any

from tests.sandbox.screen import Screen
from tests.sandbox.stage import Stage
from tests.sandbox.story import transition


class LiveView:
    """The announcements and alerts of a stage from now on. Other readers of its queues miss what this one receives."""

    def __init__(self, stage: Stage, screen: Screen) -> None:
        self._stage, self._screen = stage, screen
        self._announced, self._alerted = len(stage.lifecycle.messages()), len(stage.alerts.messages())

    def show_new(self) -> None:
        """Print the announcements and alerts that are new since the last time."""
        announcements = self._stage.lifecycle.messages()[self._announced :]
        alerts = self._stage.alerts.messages()[self._alerted :]
        for announcement in announcements:
            data = announcement["data"]
            self._screen.step("agent", f"{_name(data)} {data['entry']['kind']}", transition(announcement))
        for alert in alerts:
            self._screen.step("on-call", alert["subject"])
        self._announced += len(announcements)
        self._alerted += len(alerts)


def _name(data: dict[str, Any]) -> str:
    name = data["meeting"]["summary"] or data["event_id"] or data["scheduling_key"]
    return f'"{name if len(name) <= 16 else name[:15] + "…"}"'
