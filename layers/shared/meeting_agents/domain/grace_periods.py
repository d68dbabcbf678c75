"""The grace periods of a deployment, and the times of an attempt that follow from them. Pure."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from meeting_agents.domain.model import ArchiveScope, RescueMode
from meeting_agents.domain.record import Attempt

ASSUMED_MEETING_DURATION = timedelta(hours=4)
"""The length of a meeting whose end is unknown, unless a deployment sets another."""
ANYTHING = "anything"
"""The category that is missing if a complete agent left nothing but its page in Cronofy's dashboard."""
DASHBOARD = "cronofy"
"""The category of that page."""


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
    archive: timedelta = timedelta(hours=2)
    """After `complete`, or the newest resource, until the resources must be archived."""
    archive_scope: ArchiveScope = ArchiveScope.OFF
    """The resources that are archived."""
    rescue: RescueMode = RescueMode.OFF
    """The use of second agents, for meetings whose agent failed or was never heard of."""
    rescues_silent: bool = False
    """A second agent is sent also for one that was never heard of, which may be in the meeting unheard."""


def start_of(attempt: Attempt) -> datetime:
    """Return the start of an attempt's meeting; one without a start begins with the attempt."""
    return attempt.meeting.start or attempt.began_at


def end_of(attempt: Attempt, grace_periods: GracePeriods) -> datetime:
    """Return the end of an attempt's meeting; one without an end has the assumed duration."""
    return attempt.meeting.end or start_of(attempt) + grace_periods.assumed_meeting_duration


def resources_by(attempt: Attempt, grace_periods: GracePeriods) -> datetime:
    """Return the time by which a complete attempt must have its resources: after the last of its agents has left."""
    return max((attempt.since, *attempt.completions.values())) + grace_periods.resources


def missing_resources(attempt: Attempt, grace_periods: GracePeriods) -> frozenset[str]:
    """Return the categories of resources that a complete agent must have and does not have."""
    return missing_of(attempt, grace_periods.expected_resources or frozenset({ANYTHING}))


def missing_of(attempt: Attempt, expected: frozenset[str]) -> frozenset[str]:
    """Return the categories of these that an attempt lacks."""
    categories = attempt.categories_left
    return expected - categories - ({ANYTHING} if categories - {DASHBOARD} else set())
