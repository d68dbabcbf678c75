"""The exported journals of a real stack, lived again with other parameters: the alerts that would have been sent.

What callers, Cronofy and people did is in the journals, and happens again at its time. What the product made of it, its
missed deadlines and alerts, is left out: the functions as they are decide on it anew. No request is sent, because
its outcome is in the journals, and no calendar is read, because what was read is there, too.
"""

import base64
import json
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

from meeting_agents import wiring
from meeting_agents.domain.model import EntryType
from meeting_agents.domain.reasons import REAUTHORISATION_REQUIRED
from meeting_agents.errors import MissingSetting
from tests.simulation.deployed import deployed, parameters, variables
from tests.simulation.expressions import Item
from tests.simulation.scheduler import Scheduler
from tests.simulation.scripts import DAY
from tests.simulation.stack import Stack

TOLERANCE = 120.0
"""Seconds by which the same alert may differ: a sweep and the group wait."""
READING_EARLY = 61.0
"""Seconds by which a reading comes earlier: a sweep read it before the alert that it spared, and sweeps differ."""
_DECIDED_ANEW = {EntryType.OVERDUE, EntryType.ALERT_DUE, EntryType.ALERTED}
_TABLE = "AgentsTable"


@dataclass(frozen=True)
class Journals:
    """The entries of a file, and the parameters of the stack that it is from."""

    parameters: Mapping[str, str]
    items: Sequence[Item]


@dataclass(frozen=True)
class Alerted:
    """An alert about an incident of an agent."""

    agent_id: str
    key: str
    at: float
    status: str
    severity: str
    type: str

    def __str__(self) -> str:
        return f"{datetime.fromtimestamp(self.at, UTC):%d %b %H:%M}  {self.status} {self.severity} {self.type}"


def read(file: Path) -> Journals:
    """Read an exported file."""
    head, *lines = file.read_text(encoding="utf-8").splitlines()
    return Journals(json.loads(head)["parameters"], [_decoded(json.loads(line)) for line in lines])


def _decoded(value: Any) -> Any:
    """Return an item with its bytes, which are written as base64."""
    if not isinstance(value, dict):
        return [_decoded(item) for item in value] if isinstance(value, list) else value
    return {n: base64.b64decode(v) if n == "B" and isinstance(v, str) else _decoded(v) for n, v in value.items()}


def to_base64(raw: Any) -> str:
    """Return bytes as a file has them."""
    return base64.b64encode(bytes(raw)).decode()


def alerts_of(items: Sequence[Item]) -> dict[tuple[str, str], Alerted]:
    """Return the alerts that these entries say were sent, by agent and key."""
    alerts = [
        Alerted(
            item["pk"]["S"],
            item["sk"]["S"],
            _at(item),
            item["status"]["S"],
            item.get("severity", {}).get("S", ""),
            item["cause"]["S"],
        )
        for item in items
        if _kind(item) == EntryType.ALERTED
    ]
    return {(alert.agent_id, alert.key): alert for alert in sorted(alerts, key=lambda alert: alert.at)}


def rerun(journals: Journals, values: Mapping[str, str]) -> dict[tuple[str, str], Alerted]:
    """Live the journals again with these values of the template's parameters; return the alerts."""
    happened = sorted((item for item in journals.items if _kind(item) not in _DECIDED_ANEW), key=_at)
    if not happened:
        return {}
    times = [_at(happened[0]), *map(_at, journals.items), *_ends(happened)]
    scheduler = Scheduler(min(times) - 60)
    stack = Stack(scheduler, max(times) + DAY)
    with (
        deployed(stack, random.Random(0), variables(values)),
        patch.object(wiring, "provisioning", _NoRequests),
        patch.object(wiring, "calendars", _NoCalendars),
    ):
        wiring.journal()  # a parameter that is no number is an error now, and not in every function
        for account, data_center in sorted(set(_accounts(happened))):
            wiring.accounts().register(account, data_center, "none")
        for item in happened:
            early = READING_EARLY if _kind(item) == EntryType.CALENDAR_READ else 0.0
            scheduler.at(_at(item) - early, partial(_append, stack, item))
        scheduler.run()
    return alerts_of(stack.session.dynamodb.tables[_TABLE].all())


def _append(stack: Stack, item: Item) -> None:
    """Append an entry; its account is what the entry says of it."""
    stack.session.dynamodb.put_item(_TABLE, {name: value for name, value in item.items() if name != "expires_at"})
    accounts, values = wiring.accounts(), item.get("reason", {}).get("M", {}).get("values", {}).get("M", {})
    for account, data_center in _accounts_of(stack, item):
        if values.get("failure", {}).get("S") == REAUTHORISATION_REQUIRED:
            accounts.require_authorisation(accounts.read(account))
        elif _kind(item) == EntryType.ACCEPTED:
            accounts.register(account, data_center, "none")
        stack.look_at_groups()


def _accounts_of(stack: Stack, item: Item) -> Iterator[tuple[str, str]]:
    """Yield the account of the agent whose entry this is."""
    if _kind(item) in (EntryType.ACCEPTED, EntryType.UNCONFIRMED, EntryType.REJECTED):
        yield from set(_accounts(stack.session.dynamodb.tables[_TABLE].partition(item["pk"]["S"])))


def _accounts(items: Sequence[Item]) -> Iterator[tuple[str, str]]:
    for item in items:
        request = item.get("request", {}).get("M", {})
        if "account" in request:
            yield request["account"]["S"], request["data_center"]["S"]


def _ends(items: Sequence[Item]) -> Iterator[float]:
    """Yield the ends of the meetings that were requested."""
    for item in items:
        meeting = item.get("request", {}).get("M", {}).get("meeting", {}).get("M", {})
        yield from (datetime.fromisoformat(meeting[name]["S"]).timestamp() for name in ("end",) if name in meeting)


def _kind(item: Item) -> str:
    return str(item.get("kind", {}).get("S", ""))


def _at(item: Item) -> float:
    return datetime.fromisoformat(item["at"]["S"]).timestamp()


class _NoRequests:
    def retry(self, _: str) -> None:
        """Send nothing: the outcome is in the journal."""


class _NoCalendars:
    def read(self, *_: object, **__: object) -> dict[str, Any]:
        """Return nothing new: what was read is in the journal."""
        return {}


# --------------------------------------------------------------------------------------------------------------- report


def run(file: Path, changes: Mapping[str, str]) -> int:
    """Print the alerts that would have been sent, against those that were."""
    if unknown := sorted(changes.keys() - parameters().keys()):
        print(f"the template has no parameter {', '.join(unknown)}")
        return 2
    try:
        journals = read(file)
        before = alerts_of(journals.items)
    except (OSError, ValueError, KeyError) as error:
        print(f"{file} is no exported journal ({type(error).__name__}): make export FROM=… TO=… JOURNAL={file}")
        return 2
    try:
        same = rerun(journals, journals.parameters)
        after = rerun(journals, {**journals.parameters, **changes}) if changes else same
    except MissingSetting as error:
        print(error)
        return 2
    kept = sum(key in same and not _differ(alert, same[key]) for key, alert in before.items())
    print(f"{len(before)} alerts were sent; with the stack's own parameters {kept} of them come out as they were")
    for line in differences(before, after, _titles(journals.items)):
        print(line)
    return 0


def differences(
    before: Mapping[tuple[str, str], Alerted], after: Mapping[tuple[str, str], Alerted], titles: Mapping[str, str]
) -> Iterator[str]:
    """Yield a line for each alert that differs, in the order of their times, and at last their number."""
    lines = []
    for key in before.keys() | after.keys():
        was, would_be = before.get(key), after.get(key)
        known = was or would_be
        assert known
        if was is None:
            change = "would be sent, and was not"
        elif would_be is None:
            change = "was sent, and would not be"
        elif _differ(was, would_be):
            change = f"would be {would_be}"
        else:
            continue
        lines.append((known.at, f"  {known}: {change}  ({titles.get(known.agent_id, known.agent_id)})"))
    yield from (line for _, line in sorted(lines))
    yield f"{len(lines)} of {len(before.keys() | after.keys())} alerts differ"


def _differ(was: Alerted, would_be: Alerted) -> bool:
    return abs(was.at - would_be.at) > TOLERANCE or was.severity != would_be.severity


def _titles(items: Sequence[Item]) -> dict[str, str]:
    """Return the newest title that each agent's meeting was requested with, and the agent's id."""
    titles = {}
    for item in sorted(items, key=_at):
        meeting = item.get("request", {}).get("M", {}).get("meeting", {}).get("M", {})
        if "summary" in meeting:
            titles[item["pk"]["S"]] = f"{meeting['summary']['S']}, {item['pk']['S']}"
    return titles
