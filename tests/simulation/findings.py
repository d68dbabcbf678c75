"""The findings of a judge: the kinds of faults, the reasons why no one could know, and the figures of a month."""

from collections import Counter
from dataclasses import dataclass, field

from tests.simulation.scripts import HOUR, MINUTE
from tests.simulation.world import Meeting

ACTIVATION, COMPLETION, RESOURCES, ARRANGEMENT = 10 * MINUTE, 30 * MINUTE, 15 * MINUTE, 30 * MINUTE
ASSUMED_DURATION = 4 * HOUR
"""The promises of a deployment by its parameters: the template's defaults."""
CALLED_AFTER = 5 * MINUTE
"""The time from the end to Cronofy's call, the event trigger."""
PATIENCE = 2 * MINUTE
"""The time near a meeting in which a caller or Cronofy may still correct an error."""
ALLOWANCE = 2 * MINUTE
"""The time from a deadline to the message: a sweep, and the group wait."""
LOOKED_AT_EVERY = 15 * MINUTE + ALLOWANCE
"""The time from which a disconnected profile, or a connected one, is known."""
RETRIED_WITHIN = 15 * MINUTE
"""The longest pause until a request that waits is sent again; the resolved alert of its account says that it waits."""
VERY_LATE = 15 * MINUTE
"""The time from which a callback comes too late to know in time what it says."""
SLACK = 5.0
"""Seconds in which something that takes place is on its way to the journal."""
RECOVERY = 12 * MINUTE
"""The time after a fault of AWS within which all that it held back is sent: the longest pause of the queue."""

BY_HAND = "moved or deleted by hand, and no callback since"
LOST = "the callback was lost, came too late, or has the same bytes as an earlier one"
CALLER_KNOWS = "the request failed, and its caller has the error in hand"
UNANSWERED = "Cronofy did not answer, so that the effect is unknown"
UNDER_WAY = "the report was sent before the cancellation, and came after it"
NO_END = "an agent without a calendar event, whose meeting has no known end"
UNHEARD = "an agent was called off before it was heard of, and then reported that it failed"
REUSED = "Cronofy uses a sub again"
AWS = "AWS did not work"
KILLED = "the process ended after it had sent an alert or a request, and before it could note that"
AT_ONCE = "two requests at the same time have no order"
NOT_MOVED = "the calendar has the meeting at the time before a move that Cronofy never took, as an alert said"
STAYS = "the agent stays or leaves after a cancellation or a move, and reports nothing"
NOT_CALLED_OFF = (
    "another agent was requested, or came by a move, while a second agent was there, which nothing calls off"
)

UNCONFIRMED = "cancelled or moved after an end that no event trigger had confirmed"


@dataclass(frozen=True)
class Fault:
    """Something that people were not sent, sent too late, or sent wrongly."""

    kind: str
    meeting: Meeting
    at: float
    detail: str
    excuse: str = ""
    """The reason why no one could know; empty: it is the product's fault."""

    @property
    def what(self) -> str:
        """The detail without its times, which is the same for the same fault of other meetings."""
        return self.detail.partition(";")[0]


@dataclass(frozen=True)
class Sent:
    """The alerts that were sent about one incident of one agent."""

    at: float
    status: str
    severity: str
    type: str
    key: str
    start: float | None
    group: str = ""
    """The group that it is about, and with it the agent; empty: it is about the agent alone."""


@dataclass(frozen=True)
class Desire:
    """The last wish, of a caller or a person in the calendar."""

    since: float
    is_wanted: bool
    start: float
    end: float
    by: str
    is_answered: bool = True
    """The caller got a response with success."""


@dataclass
class Figures:
    """The figures of a month, or of several."""

    meetings: int = 0
    messages: int = 0
    faults: list[Fault] = field(default_factory=list)
    happened: Counter[str] = field(default_factory=Counter)
    sent: Counter[str] = field(default_factory=Counter)
    dead_letters: int = 0
    obligations: int = 0
    second_agents: Counter[str] = field(default_factory=Counter)

    def count(self, kind: str) -> int:
        return sum(fault.kind == kind and not fault.excuse for fault in self.faults)

    @property
    def excuses(self) -> Counter[str]:
        return Counter(fault.excuse for fault in self.faults if fault.excuse)


KINDS = (
    "false critical",
    "false warning",
    "missed",
    "wrong last word",
    "late",
    "doubled agent",
    "unwanted without an alert",
    "notification without verdict",
    "repeated",
)
