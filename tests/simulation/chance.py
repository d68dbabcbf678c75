"""Chance: the scripts of a month, drawn from its seed.

Each meeting has a chance of its own, so that it stays the same independent of the others.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from random import Random

from tests.simulation.scripts import (
    CALLBACKS,
    CALLERS,
    CONFERENCES,
    DAY,
    FATES,
    FAULTS,
    HOUR,
    MINUTE,
    Act,
    MonthScript,
    Script,
)

MONTHS = tuple(datetime(2026, month, 1, tzinfo=UTC).timestamp() for month in (3, 10, 1, 6))
"""The beginnings of the months: in March and in October clocks change."""
CLOCK_CHANGES = tuple(datetime(2026, month, day, 1, tzinfo=UTC).timestamp() for month, day in ((3, 29), (10, 25)))
"""The moments at which the clocks of Europe change."""
DAYS, ROUGH_DAYS = 30, 5
ACCOUNTS = 40
SHARE_REVOKED, SHARE_DISCONNECTED = 0.2, 0.2
"""The accounts that are revoked once in a month, and those whose conferencing profile is disconnected."""
SERIES_LENGTH = 4
ROUGHNESS = 5
"""Times as many faults in a rough month."""
_HOURS = (7, 8, 8, 9, 9, 9, 9, 10, 10, 11, 12, 13, 13, 13, 14, 14, 15, 16, 22, 1)
"""The hours of the day at which meetings start, UTC; most at the full hour."""
_QUARTERS = (0, 0, 0, 0, 0, 30, 30, 15, 45)

_AGENTS: Mapping[str, float] = {
    "works": 82,
    "a little late": 2,
    "late, after the alert": 1,
    "never comes": 3,
    "fails at once": 1.5,
    "waits in the lobby": 3,
    "waits in the lobby for ever": 1,
    "drops out": 1,
    "leaves early": 2,
    "captures nothing": 1,
    "captures late": 1,
    "captures after the alert": 0.5,
    "complete and failed": 0.5,
}


def month(seed: int, meetings: int | range, *, is_rough: bool = False) -> MonthScript:
    """Return the script of a month; a rough one lasts four days, and next to nothing in it is as usual.

    `meetings`: how many, or the numbers of a part of them.
    """
    chance = Random(f"month {seed}")
    begins = MONTHS[seed % len(MONTHS)]
    days = ROUGH_DAYS if is_rough else DAYS
    numbers = range(meetings) if isinstance(meetings, int) else meetings
    scripts = tuple(
        with_habits(seed, meeting(Random(f"{seed}/{number}"), number, begins, is_rough=is_rough), begins)
        for number in numbers
    )
    triggers = () if seed % 2 else (("EVENT_TRIGGERS", "off"),)
    windows = (
        *_windows(chance, begins, days),
        *_of_accounts(Random(f"grants {seed}"), "grant", SHARE_REVOKED, begins, days),
        *_of_accounts(Random(f"profiles {seed}"), "profile", SHARE_DISCONNECTED, begins, days),
    )
    return MonthScript(seed, scripts, windows, triggers)


def _of_accounts(
    chance: Random, part: str, share: float, begins: float, days: int
) -> Iterator[tuple[str, float, float]]:
    """Yield the times in which an account is revoked or without its profile, until its user connects it."""
    for number in range(ACCOUNTS):
        at = begins + chance.randrange(1, days) * DAY + chance.choice(_HOURS) * HOUR + chance.randrange(60) * MINUTE
        hours = chance.choice((3.0, 20.0, 70.0))
        if chance.random() < share:
            yield f"{part} user_{number}", at, at + hours * HOUR


def _windows(chance: Random, begins: float, days: int) -> list[tuple[str, float, float]]:
    """Return the times in which a part of the world does not work."""
    windows = []
    for part, minutes in (
        ("cronofy", 120),
        ("token", 90),
        ("callbacks", 30),
        ("sweep", 10),
        ("sweep", 10),
        ("sns", 15),
        ("stream", 10),
        ("index", 20),
        ("index", 20),
        ("aws", 4),
        ("aws", 4),
    ):
        at = begins + chance.randrange(1, days) * DAY + chance.choice(_HOURS) * HOUR + chance.randrange(60) * MINUTE
        windows.append((part, at, at + minutes * MINUTE))
    return windows


def meeting(chance: Random, number: int, begins: float, *, is_rough: bool = False) -> Script:
    """Return the script of one meeting."""
    more = ROUGHNESS if is_rough else 1
    day = begins + chance.randrange(1, ROUGH_DAYS if is_rough else DAYS) * DAY
    start = day + chance.choice(_HOURS) * HOUR + chance.choice(_QUARTERS) * MINUTE
    minutes = chance.choice((30, 30, 45, 60, 60, 60, 90, 120, 25, 50))
    requested = chance.choice((-3 * 1440, -1440, -600, -180, -90)) - chance.randrange(60)
    caller = chance.choices(CALLERS, (60, 30, 7, 3 * more))[0]
    habit = chance.random()
    if habit < 0.05:
        requested = -chance.randrange(1, 45)
    elif habit < 0.07:
        requested = chance.randrange(1, int(minutes))
    elif habit < 0.10:
        requested = minutes + chance.randrange(1, 60 * 24 * 20)
    if caller == "now":
        requested = 0
    elif caller == "key":
        requested = min(requested, -1)
    agents = tuple(chance.choices(list(_AGENTS), list(_AGENTS.values()), k=2))
    return Script(
        number=number,
        start=start,
        minutes=minutes,
        requested=requested,
        caller=caller,
        tries=chance.choice((1, 2, 3, 4)),
        conference=chance.choices(CONFERENCES, (80, 1, 3, 1, 15))[0],
        agents=agents,
        after_move=chance.choice(("complete", "failed", None)),
        ignores_cancellation=chance.random() < 0.03 * more,
        reuses_sub=chance.random() < 0.1,
        keeps_address=chance.random() < 0.1,
        acts=tuple(_acts(chance, caller, minutes, requested, 40 // more)),
        fates=tuple(_fates(chance, more)),
        callbacks=tuple((n, chance.choice(list(CALLBACKS))) for n in range(1, 7) if chance.random() < 0.01 * more),
        faults=tuple((n, chance.choice(FAULTS)) for n in range(1, 40) if chance.random() < 0.004 * more),
        stream=tuple((n, chance.choice((3.0, 20.0, -5.0, 60.0))) for n in range(1, 9) if chance.random() < 0.01 * more),
        account=f"user_{chance.randrange(ACCOUNTS)}",
    )


def with_habits(seed: int, script: Script, begins: float) -> Script:
    """Return a script with what other chances decide: a series, local times, the night in which clocks change."""
    chance = Random(f"{seed}/{script.number}/habits")
    clock, is_at_change, is_one_event = chance.random() < 0.1, chance.random() < 0.02, chance.random() < 0.02
    changes = [at for at in CLOCK_CHANGES if begins < at < begins + DAYS * DAY]
    script = replace(script, clock="local" if clock else "utc", sends_another=chance.random() < 0.5)
    if chance.random() < 0.15:
        again = Act(chance.choice((-25.0, -5.0, 3.0, 14.0, script.minutes / 2)) + chance.random(), "asks again")
        script = replace(script, acts=tuple(sorted((*script.acts, again), key=lambda act: act.at)))
    if script.caller not in ("account", "own token"):
        return replace(script, clock="utc")
    if changes and is_at_change:
        start = changes[0] + chance.choice((-1.5, -1.0, -0.5, 0.0, 0.5, 1.0)) * HOUR
        return replace(script, start=start, clock="local", is_at_clock_change=True)
    if is_one_event and script.requested < 0:
        week = 7 * DAY / MINUTE
        moves = tuple(Act(script.minutes + 20 + number * week, "moves", week) for number in range(SERIES_LENGTH - 1))
        return replace(script, series="one event", acts=moves)
    return _in_series(seed, script, begins)


def _in_series(seed: int, script: Script, begins: float) -> Script:
    """Return the script as an occurrence of a series, if chance makes its number and those beside it one."""
    first = script.number - script.number % SERIES_LENGTH
    chance = Random(f"{seed}/series/{first}")
    if chance.random() >= 0.05:
        return script
    model = meeting(Random(f"{seed}/{first}"), first, begins)
    if model.caller not in ("account", "own token") or model.requested >= 0:
        return script
    occurrence = script.number - first
    start = model.start + occurrence * 7 * DAY
    at = model.start + chance.choice((-1.0, 1.0, 50.0)) * HOUR + occurrence
    by, what = chance.choice((30.0, -60.0)), chance.choice(("moves", "switches off", "retitles", "deletes"))
    acts = (Act((at - start) / MINUTE, what, by if what == "moves" else 0.0),) if at < start else ()
    return replace(
        script,
        series="occurrences",
        start=start,
        minutes=model.minutes,
        requested=model.requested + (model.start + occurrence - start) / MINUTE,
        caller=model.caller,
        account=model.account,
        acts=acts,
    )


def _fates(chance: Random, more: int) -> list[tuple[int, str]]:
    """Return what becomes of the requests: some fail, and some calendars do not work for hours."""
    fates = [(number, chance.choice(list(FATES))) for number in range(1, 5) if chance.random() < 0.03 * more]
    if chance.random() < 0.01 * more:
        first, fate = chance.choice((1, 2, 2)), chance.choice(("503", "423", "hangs"))
        fates = [(number, fate) for number in range(first, first + chance.choice((4, 30)))]
    return fates


def _acts(chance: Random, caller: str, minutes: float, requested: float, plain: int) -> list[Act]:
    """Return what the caller and the people do with the meeting."""
    moments = (requested / 2, -60.0, -20.0, -3.0, -0.5, 5.0, minutes / 2, minutes * 0.7, minutes + 10)
    if caller == "now":
        return [Act(0.1, "puts")] if chance.random() < 0.5 else []
    habits = {
        "plain": plain,
        "retitles": 12,
        "syncs": 4,
        "moves": 10,
        "off": 6,
        "off and on": 5,
        "deletes": 3,
        "deletes and creates": 3,
        "at once": max(2, 24 - plain // 2),
        "typo": 2,
        "by hand": 9,
        "overruns": 5,
        "acknowledges": 2,
    }
    at = chance.choice(moments) + chance.random()
    by = chance.choice((-30.0, 30.0, 60.0, 24 * 60.0, -24 * 60.0, 7 * 24 * 60.0, 15.0))
    habit = chance.choices(list(habits), list(habits.values()))[0]
    acts = _acts_of(chance, habit, at, by, minutes, moments)
    if caller == "key":
        acts = [act for act in acts if act.what not in ("drags", "stretches", "erases", "extends", "sends a typo")]
    return sorted(acts, key=lambda act: act.at)


def _acts_of(chance: Random, habit: str, at: float, by: float, minutes: float, moments: tuple[float, ...]) -> list[Act]:
    """Return the acts of a habit. All chances are drawn, so that they do not depend on the habit."""
    some, longer, pause = chance.random(), chance.choice((30.0, -15.0, 120.0)), chance.choice((0.2, 2.0, 20.0, 60.0))
    by_hand = chance.choice(("drags", "drags", "stretches", "erases"))
    together = chance.choice(("moves twice at once", "off and on at once"))
    moves = [Act(at, "moves", by)]
    moves += (
        [Act(at + chance.choice((1.0, 30.0, 200.0)), "moves", chance.choice((-by, by, 30.0)))] if some < 0.3 else []
    )
    moves += [Act(chance.choice(moments), "extends", longer)] if some > 0.7 else []
    titles = [Act(chance.choice(moments), "retitles") for _ in range(chance.randrange(1, 4))]
    syncs = [Act(-24.0 + 8 * n, chance.choice(("puts", "puts", "retitles"))) for n in range(9)]
    of_habit: Mapping[str, list[Act]] = {
        "retitles": titles,
        "syncs": syncs,
        "moves": moves,
        "off": [Act(at, "switches off")],
        "off and on": [Act(at, "switches off"), Act(at + pause, "switches on")],
        "deletes": [Act(at, "deletes")],
        "deletes and creates": [Act(at, "deletes"), Act(at + pause / 2, "switches on")],
        "at once": [Act(at, together, 60.0 if together == "moves twice at once" else 0.0)],
        "typo": [Act(at, "sends a typo"), Act(at + 1.0, "retitles")][: 1 + (some < 0.5)],
        "by hand": [Act(at, by_hand, {"drags": by, "stretches": longer}.get(by_hand, 0.0))],
        "overruns": [Act(minutes - 5.0, "overruns", chance.choice((10.0, 45.0, 180.0)))],
        "acknowledges": [Act(chance.choice((15.0, minutes)), "acknowledges")],
    }
    return of_habit.get(habit, [])
