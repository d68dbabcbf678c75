"""The crash matrix, made from the calls that the functions make, so that a new call is in it by itself.

Each story runs once undisturbed. Then, for every outside call of every invocation in it, once for each fault, it runs
again with that fault; callers retry as on AWS; and in the end everything must be as in the undisturbed run: the same
records, the same announcements, no alert missing, the same requests to Cronofy. A story with a call that may not be
repeated has two right ends: it was made, or it was not and people are alerted.
"""

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

from meeting_agents.aws import keys
from meeting_agents.aws.keys import is_probe
from meeting_agents.domain.erasures import ERASED_KEY
from tests.runtime.platform import FAULT_TYPES, Fault, Invocation
from tests.runtime.stories import STORIES, Scene
from tests.sandbox.deployment import source_template

FAULT_ENTRIES = frozenset({"unconfirmed"})
"""Types of entries that record the fault itself, and so do not occur without it."""
COUNTED = frozenset({"entries", "verdicts"})
"""Attributes of a record that count its entries, the fault entries included."""
UNREPEATED = {"rescued": "sweep"}
"""Stories with a call that is never repeated, and the function that makes it; others have the other functions."""
RETENTION = timedelta(days=source_template()["Parameters"]["RetentionDays"]["Default"])
LATER = 120
"""Seconds after a story, when every lease is over and every request to retry is due."""


@dataclass(frozen=True)
class Outcome:
    """The results of a story that do not depend on the clock or on chance."""

    records: dict[str, Any]
    entries: frozenset[str]
    """The announcement ids of the entries in the table, without the fault entries."""
    announced: frozenset[str]
    alerted: frozenset[tuple[str, str]]
    """The announcements that are in an alert."""
    transitions: dict[str, tuple[Any, ...]]
    """The announcements: the state before and after the entry, its verdict, the incident."""
    files: dict[str, str]
    """The files in the archive, each with its sum."""
    requests: frozenset[tuple[str, str, str]]
    """The requests to Cronofy: method, path and body; not those for tokens, nor a look at profiles that may fail."""
    sent_now: int
    """The agents that Cronofy sent at once: requests for the same one do not exist."""


@dataclass(frozen=True)
class Cell:
    """One call and one fault, and what was wrong in the end; empty if nothing was."""

    story: str
    operation: str
    fault: Fault
    wrong: str = ""


def outcome(scene: Scene, fault_types: frozenset[str] = FAULT_ENTRIES) -> Outcome:
    """Read the present outcome. The topics' queues are empty afterwards."""
    items = [item for item in scene.platform.items() if not is_probe(item["pk"]["S"])]  # their ids contain the time
    fault_entries = {_id(item) for item in items if item.get("kind", {}).get("S") in fault_types}
    erased = {item["pk"]["S"] for item in items if item["sk"]["S"] == keys.ENTRY_PREFIX + ERASED_KEY}
    announcements = {
        _timeless(announcement["id"]): announcement["data"]
        for announcement in scene.platform.announcements()
        if not is_probe(announcement["subject"])
        # what was announced of an agent before its data was erased is no longer there
        and (announcement["subject"] not in erased or announcement["data"]["entry"]["key"] == ERASED_KEY)
    }
    alerts = [json.loads(text) for text in scene.platform.alerts()]
    return Outcome(
        records={item["pk"]["S"]: _lasting(item) for item in items if item["sk"]["S"] == "record"},
        entries=frozenset(_id(item) for item in items if item["sk"]["S"].startswith("entry#")) - fault_entries,
        announced=frozenset(announcements) - fault_entries,
        transitions={
            id_: (
                data["previous_state"],
                data["state"],
                data["entry"]["verdict"],
                tuple(alert["type"] for alert in data["alerts"]),
            )
            for id_, data in announcements.items()
        },
        alerted=frozenset((key, alert["status"]) for alert in alerts for key in _dedup_keys(alert)),
        files={key: sha256(content).hexdigest() for key, content in scene.platform.files().items()},
        requests=frozenset(
            (request.method, request.path, _wish(request.body.decode()))
            for request in scene.cronofy.requests
            if request.status is not None
            and request.status < 300
            and request.path not in ("/oauth/token", "/v1/userinfo")
            and not request.path.startswith("/presigned/")  # a copy may be read again
        ),
        sent_now=sum(
            (request.method, request.path) == ("POST", "/v1/meeting_agents") and b"scheduling_key" not in request.body
            for request in scene.cronofy.requests
            if request.status is not None and request.status < 300
        ),
    )


def run(scene: Scene, story: str, fault: Fault | None = None) -> tuple[Outcome, list[Invocation]]:
    """Run a story from an empty table; its outcome some minutes later, and its own invocations."""
    scene.platform.forget()
    scene.cronofy.forget_requests()
    scene.platform.fault = fault
    STORIES[story](scene)
    invocations = list(scene.platform.invocations)
    for _ in range(2 if story in UNREPEATED else 1):  # what one sweep does late is judged by the next
        _wait(scene)
    # A call that waits for the next sweep leaves an alert owed meanwhile.
    return outcome(scene, FAULT_ENTRIES | ({"alert_due"} if story in UNREPEATED else set())), invocations


def _wait(scene: Scene) -> None:
    """Let time pass: leases end, and the sweep retries what is due."""
    scene.platform.age(LATER)
    scene.platform.tick("sweep")
    scene.platform.settle()
    scene.platform.catch_up()


def cells(scene: Scene, stories: Iterable[str], *, sample: bool = False) -> Iterator[Cell]:
    """Run the cells of these stories. `sample`: only so many that each function has each fault, and each call one."""
    expected: dict[str, Outcome] = {}
    every: list[Cell] = []
    for story in stories:
        expected[story], invocations = run(scene, story)
        every += [
            Cell(story, operation, fault)
            for operation, fault in _faults(invocations)
            if fault.function == UNREPEATED.get(story, fault.function)
        ]
    for cell in _sampled(every) if sample else every:
        yield replace(cell, wrong=_compared(scene, cell.story, cell.fault, expected[cell.story]))


def _sampled(every: list[Cell]) -> list[Cell]:
    """Choose first the cells in which both the function's fault and its call are new, then those in which one is."""
    chosen: list[Cell] = []
    seen: set[tuple[str, str]] = set()
    for needed in (2, 1):
        for cell in every:
            new = {(cell.fault.function, cell.fault.how), (cell.fault.function, cell.operation)} - seen
            if len(new) >= needed:
                chosen.append(cell)
                seen |= new
    return chosen


def _faults(invocations: list[Invocation]) -> list[tuple[str, Fault]]:
    counts: defaultdict[str, int] = defaultdict(int)
    found = []
    for invocation in invocations:
        number = counts[invocation.function]
        counts[invocation.function] += 1
        for at, call in enumerate(invocation.calls):
            operation = f"{call['service']} {call['operation']}"
            found += [(operation, Fault(invocation.function, number, at, how)) for how in FAULT_TYPES]
    return found


def _compared(scene: Scene, story: str, fault: Fault, expected: Outcome) -> str:
    """Describe the differences after the fault."""
    try:
        left, _ = run(scene, story, fault)
    except Exception as error:  # noqa: BLE001 (any error means that the story did not end)
        return f"the story did not end: {type(error).__name__}: {error}"[:2000]
    if story in UNREPEATED and _is_alerted(left, expected):
        return ""
    wrong = []
    if left.records != expected.records:
        wrong.append(f"records {_difference(left.records, expected.records)}")
    if left.announced != left.entries:
        wrong.append(f"entries not announced, or announced without being there: {left.entries ^ left.announced}")
    if left.entries != expected.entries:
        wrong.append(f"other entries: {left.entries ^ expected.entries}")
    if left.alerted != expected.alerted:
        wrong.append(f"other alerts: {left.alerted ^ expected.alerted}")
    if left.files != expected.files:
        wrong.append(f"other files: {sorted(left.files.items() ^ expected.files.items())}")
    if left.requests != expected.requests:
        wrong.append(f"other requests to Cronofy: {left.requests ^ expected.requests}")
    if left.sent_now != expected.sent_now:
        wrong.append(f"{left.sent_now} agents were sent now, not {expected.sent_now}")
    return "; ".join(wrong)


def _is_alerted(left: Outcome, expected: Outcome) -> bool:
    """Return True if the call was made once or not at all, nothing else is missing, and an alert says so."""
    not_arranged = {key.rpartition("/")[0] for key, _ in left.alerted if key.endswith("/not_arranged")}
    other = {one for one in expected.alerted if one[0].rpartition("/")[0] not in not_arranged}
    is_whole = left.announced == left.entries and left.requests <= expected.requests and left.alerted >= other
    return bool(not_arranged) and is_whole and left.sent_now <= expected.sent_now


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
    return _timeless(f"{item['pk']['S']}.{item['sk']['S'].removeprefix('entry#')}")


def _dedup_keys(alert: dict[str, Any]) -> list[str]:
    """The keys of the incidents in an alert: that of a group, or those of agents."""
    return [alert["group"]["dedup_key"]] if "group" in alert else [agent["dedup_key"] for agent in alert["agents"]]


def _lasting(item: dict[str, Any]) -> Any:
    """A record without the values that depend on the clock or on chance."""
    text = json.dumps({name: value for name, value in item.items() if name not in COUNTED}, sort_keys=True, default=str)
    return json.loads(re.sub(r"agt_[0-9a-f]+", "agt", _timeless(text)))


def _wish(body: str) -> str:
    """The caller's wish, without times. An event whose agent is called off is passed on again without callbacks."""
    wish = _timeless(body)
    return re.sub(r',"subscriptions":.*', "}", wish) if '"profile_id": "none"' in wish else wish


def _timeless(text: str) -> str:
    """The text with a word for each time of these days, and for each at the end of the retention."""
    now = datetime.now(UTC)

    def word(found: re.Match[str]) -> str:
        written = found[0].replace(" UTC", "Z")
        at = datetime.fromtimestamp(int(written), UTC) if written.isdigit() else datetime.fromisoformat(written)
        at = at if at.tzinfo else at.replace(tzinfo=UTC)
        words = {"now": now, "expired": now + RETENTION}
        return next((word for word, then in words.items() if abs(at - then) < timedelta(days=2)), found[0])

    return re.sub(r"\b\d{4}-\d\d-\d\d([T ][\d:.]+(Z| UTC|\+00:00))?|\b\d{10}\b", word, text)


def table(done: Iterable[Cell]) -> str:
    """Calls by faults, in Markdown: in each cell the good ones and their total."""
    by_call: defaultdict[tuple[str, str], defaultdict[str, list[Cell]]] = defaultdict(lambda: defaultdict(list))
    for cell in done:
        by_call[cell.fault.function, cell.operation][cell.fault.how].append(cell)
    lines = [f"| function | call | {' | '.join(FAULT_TYPES)} |", "|---|---|" + "---|" * len(FAULT_TYPES)]
    for (function, operation), row in sorted(by_call.items()):
        shown = [f"{sum(not cell.wrong for cell in row[how])} of {len(row[how])}" for how in FAULT_TYPES]
        lines.append(f"| `{function}` | {operation} | {' | '.join(shown)} |")
    return "\n".join(lines)
