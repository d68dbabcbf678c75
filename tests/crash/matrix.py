"""The crash matrix, made from what the functions are seen to call, so that a new call is in it by itself.

Each story is told once undisturbed. Then, for every outside call of every invocation in it, once for each fault, it is
told again with that fault; whoever called repeats as on AWS; and in the end everything must be as if nothing had been:
the same records, the same announcements, no alert missing, Cronofy asked for the same.
"""

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from meeting_agents.aws.keys import is_probe
from tests.runtime.platform import HOWS, Fault, Invocation
from tests.runtime.stories import STORIES, Scene
from tests.sandbox.deployment import source_template

NOTED = frozenset({"unconfirmed"})
"""Kinds of entries that tell of the fault itself, and so are more than there were without it."""
COUNTED = frozenset({"entries", "verdicts"})
"""What in a record counts its entries, those included."""
RETENTION = timedelta(days=source_template()["Parameters"]["RetentionDays"]["Default"])
LATER = 120
"""Seconds after a story, when every lease is over and every postponed request is due."""


@dataclass(frozen=True)
class Outcome:
    """What a story leads to, as far as it does not depend on the clock or on chance."""

    records: dict[str, Any]
    entries: frozenset[str]
    """The ids that the entries in the table are announced under, but for those that tell of the fault."""
    announced: frozenset[str]
    alerted: frozenset[str]
    """The announcements that people were told of."""
    moves: dict[str, tuple[str | None, ...]]
    """What each announcement says its entry did: the state before and after it, its verdict, why people are told."""
    asked: frozenset[tuple[str, str, str]]
    """What Cronofy was asked for: method, path and body; tokens, which are renewed when needed, do not count."""


@dataclass(frozen=True)
class Cell:
    """One call and one fault, and what was wrong in the end; nothing: all is well."""

    story: str
    operation: str
    fault: Fault
    wrong: str = ""


def outcome(scene: Scene) -> Outcome:
    """What is there now. Everything is read once: the listeners are empty afterwards."""
    items = [item for item in scene.platform.items() if not is_probe(item["pk"]["S"])]  # their ids tell the time
    noted = {_id(item) for item in items if item.get("kind", {}).get("S") in NOTED}
    announcements = {
        told["id"]: told["data"] for told in scene.platform.announcements() if not is_probe(told["subject"])
    }
    alerts = "\n".join(scene.platform.alerts())
    return Outcome(
        records={item["pk"]["S"]: _lasting(item) for item in items if item["sk"]["S"] == "record"},
        entries=frozenset(_id(item) for item in items if item["sk"]["S"].startswith("entry#")) - noted,
        announced=frozenset(announcements) - noted,
        moves={
            told: (
                data["previous_state"],
                data["state"],
                data["entry"]["verdict"],
                data["alert"] and data["alert"]["type"],
            )
            for told, data in announcements.items()
        },
        alerted=frozenset(told for told in announcements if told in alerts),
        asked=frozenset(
            (request.method, request.path, _timeless(request.body.decode()))
            for request in scene.cronofy.requests
            if request.status is not None and request.status < 300 and request.path != "/oauth/token"
        ),
    )


def tell(scene: Scene, story: str, fault: Fault | None = None) -> tuple[Outcome, list[Invocation]]:
    """What the story leads to, from an empty table and some minutes later; and the invocations in it, without those."""
    scene.platform.forget()
    scene.cronofy.forget_requests()
    scene.platform.fault = fault
    STORIES[story](scene)
    invocations = list(scene.platform.invocations)
    _afterwards(scene)
    return outcome(scene), invocations


def _afterwards(scene: Scene) -> None:
    """Time passes, and whatever was left to the clock is done: leases end, and the sweep asks again what it was to."""
    scene.platform.age(LATER)
    scene.platform.tick("sweep")
    scene.platform.settle()
    scene.platform.catch_up()


def cells(scene: Scene, stories: Iterable[str], *, sample: bool = False) -> Iterator[Cell]:
    """Every cell of these stories, done. `sample`: only so many that each function meets each fault, each call one."""
    expected: dict[str, Outcome] = {}
    every: list[Cell] = []
    for story in stories:
        expected[story], invocations = tell(scene, story)
        every += [Cell(story, operation, fault) for operation, fault in _faults(invocations)]
    for cell in _sampled(every) if sample else every:
        yield replace(cell, wrong=_compared(scene, cell.story, cell.fault, expected[cell.story]))


def _sampled(every: list[Cell]) -> list[Cell]:
    """First those in which both the function's fault and its call are new, then those in which one is."""
    chosen: list[Cell] = []
    seen: set[tuple[str, str]] = set()
    for wanted in (2, 1):
        for cell in every:
            news = {(cell.fault.function, cell.fault.how), (cell.fault.function, cell.operation)} - seen
            if len(news) >= wanted:
                chosen.append(cell)
                seen |= news
    return chosen


def _faults(invocations: list[Invocation]) -> list[tuple[str, Fault]]:
    counts: defaultdict[str, int] = defaultdict(int)
    found = []
    for invocation in invocations:
        number = counts[invocation.function]
        counts[invocation.function] += 1
        for at, call in enumerate(invocation.calls):
            operation = f"{call['service']} {call['operation']}"
            found += [(operation, Fault(invocation.function, number, at, how)) for how in HOWS]
    return found


def _compared(scene: Scene, story: str, fault: Fault, expected: Outcome) -> str:
    """What is wrong after the fault."""
    try:
        left, _ = tell(scene, story, fault)
    except Exception as error:  # noqa: BLE001 (whatever it was, the story did not come to its end)
        return f"the story did not end: {type(error).__name__}: {error}"[:2000]
    wrong = []
    if left.records != expected.records:
        wrong.append(f"records {_difference(left.records, expected.records)}")
    if left.announced != left.entries:
        wrong.append(f"entries not announced, or announced without being there: {left.entries ^ left.announced}")
    if left.entries != expected.entries:
        wrong.append(f"other entries: {left.entries ^ expected.entries}")
    if missing := expected.alerted - left.alerted:
        wrong.append(f"no alert of {missing}")
    if left.asked != expected.asked:
        wrong.append(f"Cronofy was asked for something else: {left.asked ^ expected.asked}")
    return "; ".join(wrong)


def _difference(left: dict[str, Any], expected: dict[str, Any]) -> str:
    parts = []
    for agent in left.keys() | expected.keys():
        mine, theirs = left.get(agent, {}), expected.get(agent, {})
        parts += [
            f"{name}: {mine.get(name)} not {theirs.get(name)}"
            for name in mine | theirs
            if mine.get(name) != theirs.get(name)
        ]
    return ", ".join(parts)


def _id(item: dict[str, Any]) -> str:
    return f"{item['pk']['S']}.{item['sk']['S'].removeprefix('entry#')}"


def _lasting(item: dict[str, Any]) -> Any:
    """A record without what the clock and chance decide."""
    text = json.dumps({name: value for name, value in item.items() if name not in COUNTED}, sort_keys=True, default=str)
    return json.loads(re.sub(r"agt_[0-9a-f]+", "agt", _timeless(text)))


def _timeless(text: str) -> str:
    """The text with a word for each time of these days, and for each that lies as far ahead as journals are kept."""
    now = datetime.now(UTC)

    def word(found: re.Match[str]) -> str:
        written = found[0].replace(" UTC", "Z")
        at = datetime.fromtimestamp(int(written), UTC) if written.isdigit() else datetime.fromisoformat(written)
        at = at if at.tzinfo else at.replace(tzinfo=UTC)
        words = {"now": now, "expired": now + RETENTION}
        return next((word for word, then in words.items() if abs(at - then) < timedelta(days=2)), found[0])

    return re.sub(r"\b\d{4}-\d\d-\d\d([T ][\d:.]+(Z| UTC))?|\b\d{10}\b", word, text)


def table(done: Iterable[Cell]) -> str:
    """Calls by faults, in Markdown: in each cell how many came out well, of how many."""
    by_call: defaultdict[tuple[str, str], defaultdict[str, list[Cell]]] = defaultdict(lambda: defaultdict(list))
    for cell in done:
        by_call[cell.fault.function, cell.operation][cell.fault.how].append(cell)
    lines = [f"| function | call | {' | '.join(HOWS)} |", "|---|---|" + "---|" * len(HOWS)]
    for (function, operation), row in sorted(by_call.items()):
        shown = [f"{sum(not cell.wrong for cell in row[how])} of {len(row[how])}" for how in HOWS]
        lines.append(f"| `{function}` | {operation} | {' | '.join(shown)} |")
    return "\n".join(lines)
