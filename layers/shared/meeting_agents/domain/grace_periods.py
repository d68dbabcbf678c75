"""The grace periods of a deployment, and the times of an attempt that follow from them. Pure."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from meeting_agents.domain.record import Attempt

ASSUMED_MEETING_DURATION = timedelta(hours=4)
"""The length of a meeting whose end is unknown, unless a deployment sets another."""
ANYTHING = "anything"
"""The category that is missing if a complete agent left nothing but its page in Cronofy's dashboard."""
_DASHBOARD = "cronofy"


@dataclass(frozen=True, slots=True, kw_only=True)
class GracePeriods:
    """The time that silence is tolerated. All from the deployment's parameters."""

    activation: timedelta = timedelta(minutes=10)
    """After the start, until the agent must be active."""
    completion: timedelta = timedelta(minutes=30)
    """After the end, until the agent must be done."""
    conference: timedelta = timedelta(minutes=15)
    """Before the start, when the meeting must have a conference."""
    arrangement: timedelta = timedelta(minutes=30)
    """Before the start, when Cronofy must have accepted the request; from then on an incident is critical."""
    resources: timedelta = timedelta(minutes=15)
    """After `complete`, until the expected resources must be listed."""
    patience: timedelta = timedelta(minutes=10)
    """After a caller or Cronofy may still correct an error, until an alert is owed; shorter near the start."""
    assumed_meeting_duration: timedelta = ASSUMED_MEETING_DURATION
    """The length of a meeting whose end is unknown."""
    escalation: timedelta | None = None
    """After a critical alert, until a person must have acknowledged it; None: no reminder is sent."""
    expected_resources: frozenset[str] = frozenset()
    """The categories of resources that a complete agent must have; empty: any."""


def start_of(attempt: Attempt) -> datetime:
    """Return the start of an attempt's meeting; one without a start begins with the attempt."""
    return attempt.meeting.start or attempt.began_at


def end_of(attempt: Attempt, grace_periods: GracePeriods) -> datetime:
    """Return the end of an attempt's meeting; one without an end has the assumed duration."""
    return attempt.meeting.end or start_of(attempt) + grace_periods.assumed_meeting_duration


def missing_resources(attempt: Attempt, grace_periods: GracePeriods) -> frozenset[str]:
    """Return the categories of resources that a complete agent must have and does not have."""
    return missing_of(attempt, grace_periods.expected_resources or frozenset({ANYTHING}))


def missing_of(attempt: Attempt, expected: frozenset[str]) -> frozenset[str]:
    """Return the categories of these that an attempt lacks."""
    categories = {resource.category for resource in attempt.resources}
    return expected - categories - ({ANYTHING} if categories - {_DASHBOARD} else set())
