"""An attempt at a time, and the patience with what is wrong with it then. Pure."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from meeting_agents.domain.grace_periods import GracePeriods, end_of, start_of
from meeting_agents.domain.model import Action
from meeting_agents.domain.record import Attempt

LEAST_PATIENCE = timedelta(minutes=2)
"""Near the start of a meeting, when there is no time for the deployment's patience."""


@dataclass(frozen=True, slots=True)
class Situation:
    """An attempt at a time."""

    attempt: Attempt
    grace_periods: GracePeriods
    now: datetime

    @property
    def start(self) -> datetime:
        return start_of(self.attempt)

    @property
    def end(self) -> datetime:
        return end_of(self.attempt, self.grace_periods)

    @property
    def lead_time(self) -> datetime:
        """The time before the start from which an incident is critical."""
        return self.start - self.grace_periods.arrangement

    @property
    def was_over(self) -> bool:
        """The meeting was over when the agent was requested, so nothing is expected of it."""
        return self.end <= self.attempt.requested_at


def owed_at(situation: Situation, opened_at: datetime) -> datetime:
    """Return the end of the patience: the deployment's, or less near the start.

    There is none with an agent that is active, or a refusal that the caller did not get as the response. The report of
    an agent that is cancelled may have been on its way while Cronofy accepted that.
    """
    if situation.attempt.is_unwanted:
        return max(opened_at, (situation.attempt.cancelled_at or opened_at) + LEAST_PATIENCE)
    pending, refusal = situation.attempt.pending, situation.attempt.refusal
    if pending and pending.retry_at and pending.request.action is Action.CANCEL:
        return opened_at + LEAST_PATIENCE  # it may still be taken in time
    if situation.attempt.activated_at or (refusal and refusal.tries):
        return opened_at
    patience = situation.grace_periods.patience
    least = opened_at + min(patience, LEAST_PATIENCE)
    return max(least, min(opened_at + patience, situation.lead_time))
