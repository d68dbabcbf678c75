"""An outage, if Cronofy, its tokens, its callbacks or AWS do not work for a time: the meetings that would be missed.

The same day is lived twice, with the outage and without. What differs is what the outage does.
"""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from random import Random

from operate_stack import counted
from tests.simulation.findings import Fault
from tests.simulation.judge import judge
from tests.simulation.scripts import HOUR, MINUTE, MonthScript, Script
from tests.simulation.world import Month, live

MEETINGS = 120
_UNITS = {"m": MINUTE, "h": HOUR}


def run(outage: str, start: datetime) -> int:
    """Print what an outage would do. `outage`: the part and the duration, as `cronofy:2h`."""
    found = re.fullmatch(r"(cronofy|token|callbacks|aws|sweep|sns|stream):(\d+)([mh])", outage)
    if not found:
        print("an outage is cronofy, token, callbacks, aws, sweep, sns or stream, and a time: cronofy:2h")
        return 2
    begins = start.timestamp()
    ends = begins + int(found[2]) * _UNITS[found[3]]
    print(f"{MEETINGS} meetings around {_clock(begins)} to {_clock(ends)}, without {found[1]}\n")
    plain = day(begins, ends)
    without, with_it = (live(MonthScript(0, plain.meetings, windows)) for windows in ((), ((found[1], begins, ends),)))
    _print_missed(without, with_it)
    _print_messages(with_it)
    _print_faults(judge(with_it).faults)
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
    missed, late = list[tuple[float, str]](), list[tuple[float, str]]()
    for plain, meeting in zip(without.meetings, with_it.meetings, strict=True):
        joined = [agent.joined_at for agent in meeting.event.agents if agent.joined_at]
        before = [agent.joined_at for agent in plain.event.agents if agent.joined_at]
        start = meeting.script.start
        if before and not joined:
            statuses = ", ".join(str(wish.status) for wish in meeting.wishes)
            requested = f"requested {_clock(meeting.wishes[0].at)} by {meeting.script.caller}"
            missed.append((start, f"without an agent: {requested}, answered {statuses}"))
        elif before and joined[0] - before[0] > MINUTE:
            late.append((start, f"an agent {(joined[0] - before[0]) / MINUTE:.0f} minutes late"))
    print(f"{counted(len(missed), 'meeting')} would be without an agent, {len(late)} would get one late")
    for start, what in sorted(missed + late):
        print(f"  {_clock(start)}  {what}")


def _print_messages(month: Month) -> None:
    print(f"\n{counted(len(month.alerts), 'alert')}")
    for published in month.alerts:
        print(f"  {_clock(published.at)}  {published.content['subject']}")


def _print_faults(faults: Sequence[Fault]) -> None:
    print(f"\nthe judge: {counted(sum(not fault.excuse for fault in faults), 'fault')} of the product's")
    times: dict[tuple[str, str, str], list[float]] = {}
    for fault in faults:
        times.setdefault((fault.excuse, fault.kind, fault.what), []).append(fault.at)
    for (excuse, kind, detail), at in sorted(times.items()):
        between = dict.fromkeys((_clock(min(at)), _clock(max(at))))  # once, if all are of one minute
        reason = f"; no one could know: {excuse}" if excuse else ""
        print(f"  {counted(len(at), 'time')} {kind}, {' to '.join(between)}: {detail}{reason}")


def _clock(at: float) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%d %b %H:%M}"
