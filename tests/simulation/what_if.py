"""An outage, if Cronofy, its tokens, its callbacks or AWS do not work for a time: the meetings that would be missed.

The same day is lived twice, with the outage and without. What differs is what the outage does.
"""

import re
from datetime import UTC, datetime
from random import Random

from tests.simulation.findings import Figures
from tests.simulation.judge import judge
from tests.simulation.scripts import HOUR, MINUTE, MonthScript, Script
from tests.simulation.world import Month, live

MEETINGS = 120
_UNITS = {"m": MINUTE, "h": HOUR}


def run(outage: str, start: str) -> int:
    """Print what an outage would do. `outage`: the part and the duration, as `cronofy:2h`."""
    found = re.fullmatch(r"(cronofy|token|callbacks|aws|sweep|sns|stream):(\d+)([mh])", outage)
    if not found:
        print("an outage is cronofy, token, callbacks, aws, sweep, sns or stream, and a time: cronofy:2h")
        return 2
    begins = datetime.fromisoformat(start).replace(tzinfo=UTC).timestamp()
    ends = begins + int(found[2]) * _UNITS[found[3]]
    print(f"{MEETINGS} meetings around {_clock(begins)} to {_clock(ends)}, without {found[1]}\n")
    plain = day(begins, ends)
    without, with_it = (live(MonthScript(0, plain.meetings, windows)) for windows in ((), ((found[1], begins, ends),)))
    _print_missed(without, with_it)
    _print_messages(with_it)
    figures = judge(with_it)
    _print_figures(figures)
    return 0


def day(begins: float, ends: float) -> MonthScript:
    """Return meetings that all go well, around an outage: requested before, in it and after it."""
    chance = Random("what if")
    meetings = []
    for number in range(MEETINGS):
        start = begins - 2 * HOUR + chance.random() * (ends - begins + 4 * HOUR)
        start -= start % (30 * MINUTE)
        caller = chance.choice(("account", "account", "own token"))
        requested = -chance.choice((10, 20, 45, 90, 24 * 60, 3 * 24 * 60))
        tries, account = chance.choice((1, 4)), f"user_{number % 20}"
        meetings.append(Script(number, start, requested=requested, caller=caller, tries=tries, account=account))
    return MonthScript(0, tuple(meetings))


def _print_missed(without: Month, with_it: Month) -> None:
    missed = 0
    for plain, meeting in zip(without.meetings, with_it.meetings, strict=True):
        joined = [agent.joined_at for agent in meeting.event.agents if agent.joined_at]
        before = [agent.joined_at for agent in plain.event.agents if agent.joined_at]
        if before and not joined:
            missed += 1
            statuses = ", ".join(str(wish.status) for wish in meeting.wishes)
            print(
                f"  without its agent: {_clock(meeting.script.start)}, requested {_clock(meeting.wishes[0].at)}"
                f" by {meeting.script.caller}, answered {statuses}"
            )
        elif before and joined and joined[0] - before[0] > MINUTE:
            print(f"  {(joined[0] - before[0]) / MINUTE:.0f} minutes late: {_clock(meeting.script.start)}")
    print(f"\n{missed} meetings would be without their agent")


def _print_messages(month: Month) -> None:
    print(f"\n{len(month.alerts)} messages")
    for published in month.alerts:
        print(f"  {_clock(published.at)}  {published.content['subject']}")


def _print_figures(figures: Figures) -> None:
    print(f"\nthe judge: {len([fault for fault in figures.faults if not fault.excuse])} faults of the product's")
    for fault in figures.faults:
        reason = f", and no one could know: {fault.excuse}" if fault.excuse else ""
        print(f"  {_clock(fault.at)}  {fault.kind}: {fault.detail}{reason}")


def _clock(at: float) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%d %b %H:%M}"
