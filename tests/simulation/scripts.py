"""The scripts of a month: everything that chance decides, as data, before anything happens.

A script is one meeting: what its caller, the people in it, Cronofy and AWS will do. It is executed without chance, so
that a script that is shortened is still the same story, and can be pasted into a test.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime

MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0


def format_time(at: float) -> str:
    """Return a time as a story has it, in UTC: `02 Mar 09:00:00`."""
    return f"{datetime.fromtimestamp(at, UTC):%d %b %H:%M:%S}"


@dataclass(frozen=True)
class Destiny:
    """The fate of one agent at Cronofy. Minutes count from the start of its meeting, or from its request."""

    activates: float | None = -1.0
    """When it reports that it prepares to join; None: never."""
    joins: float | None = 0.0
    """When it is in the meeting; None: never."""
    fails: float | None = None
    """When it reports that it failed."""
    leaves: float | None = None
    """When it leaves, complete; None: some minutes after the end of the meeting."""
    is_silent_at_end: bool = False
    """It never reports its end."""
    resources: float | None = 0.0
    """Minutes after its end until the resources are there; None: never."""
    reports_both: bool = False
    """It reports that it failed after it was complete."""


DESTINIES: dict[str, Destiny] = {
    "works": Destiny(),
    "a little late": Destiny(activates=4.0, joins=5.0),
    "late, after the alert": Destiny(activates=16.0, joins=17.0),
    "never comes": Destiny(activates=None, joins=None, is_silent_at_end=True),
    "fails at once": Destiny(activates=None, joins=None, fails=1.0),
    "waits in the lobby": Destiny(joins=None, fails=12.0),
    "waits in the lobby for ever": Destiny(joins=None, is_silent_at_end=True),
    "drops out": Destiny(fails=20.0),
    "leaves early": Destiny(leaves=15.0),
    "captures nothing": Destiny(resources=None),
    "captures late": Destiny(resources=6.0),
    "captures after the alert": Destiny(resources=25.0),
    "complete and failed": Destiny(reports_both=True),
}
"""The fate of an agent, by name."""

ACTS = {
    "puts": "the caller sends the same again",
    "retitles": "the caller changes the title",
    "moves": "the caller moves the meeting by so many minutes",
    "extends": "the caller moves the end by so many minutes",
    "switches off": "the caller de-provisions the agent",
    "switches on": "the caller provisions the agent again",
    "deletes": "the caller deletes the calendar event",
    "moves twice at once": "two callers move the meeting at the same time, the second by so many minutes",
    "off and on at once": "two callers switch the agent off and on at the same time",
    "sends a typo": "the caller sends a body that Cronofy refuses",
    "acknowledges": "a person acknowledges the incident",
    "asks again": "a person lets Cronofy be asked again for the agent",
    "drags": "a person moves the meeting in the calendar by so many minutes",
    "stretches": "a person moves the end in the calendar by so many minutes",
    "erases": "a person deletes the meeting in the calendar",
    "overruns": "the meeting lasts so many minutes longer than its calendar event",
}
"""The acts of callers and people."""

FATES = {
    "503": "Cronofy answers 503",
    "hangs": "Cronofy does not answer, and does nothing",
    "hangs and does it": "Cronofy does not answer, and does what was requested",
    "answers late": "Cronofy answers after 8 seconds",
    "unreachable": "no connection to Cronofy",
    "429": "Cronofy answers 429",
    "423": "Cronofy answers that the account is locked",
    "422": "Cronofy refuses the request",
    "404": "Cronofy does not find the calendar",
    "401": "Cronofy refuses the token",
    "a page": "a proxy answers 200 with a page of HTML",
}
"""The fate of a request to Cronofy."""

CALLBACKS = {
    "lost": "a callback is lost",
    "doubled": "a callback comes twice",
    "late": "a callback comes four minutes late",
    "very late": "a callback comes forty minutes late",
}

FAULTS = ("throttled", "answer lost", "slow write", "killed before", "killed after")
"""The faults of a call of AWS."""

PARTS = {
    "cronofy": "Cronofy answers nothing, and calls no one",
    "token": "Cronofy renews no token",
    "callbacks": "Cronofy's callbacks are lost",
    "grant": "an account is revoked; at the end its user consents again (`grant alice`)",
    "profile": "the conferencing profile of an account is disconnected, until its user connects it (`profile alice`)",
    "sweep": "no sweep is called",
    "sns": "SNS refuses every alert",
    "stream": "the stream stands still",
    "index": "the indexes are half a minute behind the table",
    "aws": "AWS refuses every call",
}
"""The parts of the world that do not work for a time."""

CALLERS = ("account", "own token", "key", "now")
CONFERENCES = ("assigned", "late", "failing", "never", "none")
SERIES = {
    "": "a meeting of its own",
    "occurrences": "each occurrence is a calendar event of its own; all are requested at once, and change together",
    "one event": "one calendar event, which its caller moves to the next week after each occurrence",
}
CLOCKS = {"utc": "the caller sends times in UTC", "local": "the caller sends local times and a time zone"}


@dataclass(frozen=True)
class Act:
    """Something that a caller or a person does. `at`: minutes from the first start of the meeting."""

    at: float
    what: str
    minutes: float = 0.0


@dataclass(frozen=True)
class Script:
    """One meeting. `requested`: minutes from the start until the first request, mostly negative."""

    number: int
    start: float
    minutes: float = 60.0
    requested: float = -2 * 24 * 60.0
    caller: str = "account"
    """The credentials: `account`, `own token`, `key` (an agent with a scheduling key), `now` (an agent sent now)."""
    tries: int = 1
    """The number of times that the caller sends a request that was not answered with success."""
    conference: str = "assigned"
    """`assigned`, `late`, `failing` (and then assigned), `never`, or `none`: none is requested."""
    agents: tuple[str, ...] = ("works",)
    """The fate of the first agent, of the second, …; the last one stands for all others."""
    after_move: str | None = "complete"
    """The report of an agent whose meeting was moved away, or that was switched off; None: it says nothing."""
    ignores_cancellation: bool = False
    """Cronofy accepts the cancellation, and the agent comes or stays although it did."""
    sends_another: bool = False
    """Cronofy sends another agent when the same is requested again after one failed."""
    reuses_sub: bool = False
    keeps_address: bool = False
    """Cronofy calls the address of the first request for ever."""
    acts: tuple[Act, ...] = ()
    fates: tuple[tuple[int, str], ...] = ()
    """The fate of the meeting's n-th request to Cronofy."""
    callbacks: tuple[tuple[int, str], ...] = ()
    """The fate of the meeting's n-th callback."""
    faults: tuple[tuple[int, str], ...] = ()
    """The faults of AWS at the n-th call about the agent."""
    stream: tuple[tuple[int, float], ...] = ()
    """The delay of the n-th entry in the stream, in seconds; negative: it comes twice."""
    account: str = "alice"
    series: str = ""
    clock: str = "utc"
    is_at_clock_change: bool = False
    """In the night in which the clocks of Europe change."""

    @property
    def behaviours(self) -> tuple[str, ...]:
        """The names of everything unusual in it, for counting."""
        names = [f"caller: {self.caller}"]
        if self.requested >= 0:
            names.append("caller: requests a meeting of the past" if self.requested >= self.minutes else "caller: late")
        names.append(f"conference: {self.conference}")
        names += [f"series: {self.series}"] if self.series else []
        names += [f"time: {self.clock}"] + (["time: the clocks change"] if self.is_at_clock_change else [])
        names += [f"agent: {name}" for name in self.agents]
        return tuple(names)


@dataclass(frozen=True)
class MonthScript:
    """A month: its meetings, and the times (part, since, until) in which parts of the world do not work."""

    seed: int
    meetings: tuple[Script, ...]
    windows: tuple[tuple[str, float, float], ...] = ()
    parameters: tuple[tuple[str, str], ...] = field(default=())
    """Environment variables of the functions that differ from the template's defaults."""


def everything() -> set[str]:
    """Return the names of all that can happen, as it is counted."""
    kinds: dict[str, Iterable[str]] = {
        "act": ACTS,
        "agent": DESTINIES,
        "callback": CALLBACKS,
        "cronofy": FATES,
        "aws": FAULTS,
        "down": PARTS,
        "caller": CALLERS,
        "conference": CONFERENCES,
        "series": [name for name in SERIES if name],
        "time": (*CLOCKS, "the clocks change"),
    }
    return {f"{kind}: {name}" for kind, names in kinds.items() for name in names}
