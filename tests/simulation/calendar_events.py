"""The truth of a simulated month: calendar events as Cronofy has them, and the agents that it sends."""

from dataclasses import dataclass, field
from typing import Any

from tests.simulation.scripts import Destiny, Script


@dataclass
class Agent:
    """An agent of Cronofy's: the truth about it."""

    sub: str
    destiny: Destiny
    start: float
    """The start of its meeting when it was sent."""
    number: int
    since: float
    activated_at: float | None = None
    joined_at: float | None = None
    left_at: float | None = None
    failed_at: float | None = None
    complete_at: float | None = None
    captured_at: float | None = None
    gone_at: float | None = None
    """When it was called off: its meeting was moved away, or it was cancelled."""
    subscriptions: list[dict[str, Any]] | None = None
    """Its own, if it was sent without the calendar event: a second agent. It follows no calendar event."""
    ends_at: float | None = None
    """The end of the meeting when a second agent was sent to it."""
    last_start: float | None = None
    """The start since the last move through which it stayed in its meeting."""
    known: list[tuple[float, str]] = field(default_factory=list)
    """The callbacks about it that were answered with 200: the time and the interaction."""

    @property
    def is_gone(self) -> bool:
        return self.gone_at is not None

    @property
    def is_second(self) -> bool:
        return self.subscriptions is not None

    @property
    def is_moot(self) -> bool:
        """It was called off before anything came of it."""
        return self.is_gone and self.activated_at is None and self.failed_at is None and self.joined_at is None

    def is_over_at(self, at: float) -> bool:
        """It was called off, or has ended."""
        ends = (self.gone_at, self.failed_at, self.complete_at)
        return any(end is not None and end <= at for end in ends)

    def is_present(self, at: float) -> bool:
        return self.joined_at is not None and self.joined_at <= at and (self.left_at is None or at < self.left_at)


@dataclass(frozen=True)
class State:
    """A calendar event as Cronofy has it from a time on."""

    at: float
    start: float
    end: float
    is_planned: bool
    """An agent will come."""
    by: str = "caller"


@dataclass
class CalendarEvent:
    """A calendar event, or an agent's schedule without one."""

    script: Script
    key: tuple[str, str]
    body: dict[str, Any] = field(default_factory=dict)
    exists: bool = False
    is_wanted: bool = False
    start: float = 0.0
    end: float = 0.0
    generation: int = 0
    overrun: float = 0.0
    subscriptions: list[dict[str, Any]] = field(default_factory=list)
    conference: str = ""
    conference_at: float | None = None
    waits_for_profile: bool = False
    """Its conference cannot be made, because the conferencing profile is disconnected; Cronofy tries again."""
    agents: list[Agent] = field(default_factory=list)
    states: list[State] = field(default_factory=list)
    requests: int = 0
    callbacks: int = 0
    sent: dict[tuple[str, bytes], Agent | None] = field(default_factory=dict)
    """The agent of each callback, by address and bytes: another one with the same bytes tells no one anything."""
    deliveries: list[tuple[float, str]] = field(default_factory=list)
    """The callbacks that were answered with 200, with the interaction or the trigger."""
    lost: list[float] = field(default_factory=list)
    """The times of the callbacks that were lost: Cronofy takes them for delivered."""
    written: list[tuple[float, float]] = field(default_factory=list)
    """The time of each of them, and that at which it was written: it tells nothing newer."""

    @property
    def is_planned(self) -> bool:
        return self.exists and self.is_wanted
