"""The truth about the second agents of a month: meetings saved, agents not needed, two agents in one room."""

from collections import Counter
from collections.abc import Iterable

from tests.simulation.calendar_events import Agent
from tests.simulation.world import Meeting

SENT, SAVED, NOT_NEEDED, TWO, THIRD, OF_NO_USE = (
    "sent",
    "meeting saved",
    "not needed: the first was there, or came",
    "two agents in one room",
    "a third one came by a later request, or a move",
    "of no use: it failed, too, or captured nothing",
)
OUTCOMES = (SENT, SAVED, OF_NO_USE, NOT_NEEDED, TWO, THIRD)
"""The counts of second agents; those of two agents in one room must be 0."""


def counted(meetings: Iterable[Meeting]) -> Counter[str]:
    """Count the second agents of these meetings by what came of each."""
    counts: Counter[str] = Counter()
    for meeting in meetings:
        for second in filter(lambda agent: agent.is_second, meeting.event.agents):
            others = [agent for agent in meeting.event.agents if agent is not second and agent.joined_at]
            earlier = [agent for agent in others if agent.since <= second.since]
            counts[SENT] += 1
            counts[TWO] += any(_are_together(second, other) for other in earlier)
            counts[THIRD] += any(_are_together(second, other) for other in others if other not in earlier)
            counts[NOT_NEEDED] += any(_is_there_after(other, second.since) for other in earlier)
            counts[SAVED if second.captured_at else OF_NO_USE] += 1
    return counts


def _are_together(one: Agent, other: Agent) -> bool:
    ends = [agent.left_at or float("inf") for agent in (one, other)]
    return bool(one.joined_at and other.joined_at) and max(one.joined_at or 0.0, other.joined_at or 0.0) < min(ends)


def _is_there_after(agent: Agent, at: float) -> bool:
    return agent.left_at is None or agent.left_at > at
