"""The memory of a month: entries that were read before, and the steps, deadlines and incidents after them.

Each function of the product reads the whole journal of an agent, and folds it again. An item that is stored is never
changed, and the fold is pure: what the product's functions returned for the same items is returned again.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from typing import Any
from unittest.mock import patch

from meeting_agents.aws import entry_items, journal
from meeting_agents.aws.entry_items import StoredEntry
from meeting_agents.aws.keys import EXPIRES_AT
from meeting_agents.domain import alerts, deadlines, incidents, lifecycle, overdue
from meeting_agents.domain.grace_periods import GracePeriods
from meeting_agents.domain.model import Entry
from meeting_agents.domain.record import Record
from meeting_agents.domain.verdicts import Step

type _Item = Mapping[str, Any]


@contextmanager
def remembered() -> Iterator[None]:
    """Let the product's functions as they are now remember what they read and folded."""
    entries, steps = _Entries(entry_items.read_entry), _Steps(lifecycle.steps)
    expected, opened = _OfRecord(deadlines.deadlines), _OfRecord(incidents.open_incidents)
    with (
        patch.object(journal, "read_entry", entries.read),
        patch.object(lifecycle, "steps", steps.fold),
        patch.object(deadlines, "deadlines", expected.of),
        patch.object(overdue, "deadlines", expected.of),
        patch.object(alerts, "open_incidents", opened.of),
        patch.object(journal, "open_incidents", opened.of),
    ):
        yield


class _Entries:
    def __init__(self, read_entry: Callable[[_Item], StoredEntry]) -> None:
        self._read_entry = read_entry
        self._known: dict[tuple[str, str], tuple[_Item, StoredEntry]] = {}
        self._same: dict[int, tuple[_Item, StoredEntry]] = {}

    def read(self, item: _Item) -> StoredEntry:
        """Return what the item was read as; one that only expires later is the same entry."""
        same = self._same.get(id(item))
        if same is None or same[0] is not item:
            same = self._same[id(item)] = item, self._read(item)
        return same[1]

    def _read(self, item: _Item) -> StoredEntry:
        key = item["pk"]["S"], item["sk"]["S"]
        before, stored = self._known.get(key, ({}, None))
        if stored and item == {**before, EXPIRES_AT: item.get(EXPIRES_AT)}:
            stored = replace(stored, expires_at=int(item[EXPIRES_AT]["N"]))
        else:
            stored = self._read_entry(item)
        self._known[key] = item, stored
        return stored


class _Step:
    """An entry and its step, and those that came after it, by the identity of their entries."""

    def __init__(self, entry: Entry, step: Step) -> None:
        self.entry = entry
        self.step = step
        self.next: dict[int, _Step] = {}


class _Steps:
    def __init__(self, steps: Callable[..., Iterator[Step]]) -> None:
        self._steps = steps
        self._first: dict[int, _Step] = {}

    def fold(self, entries: Iterable[Entry], onto: Record | None = None) -> Iterator[Step]:
        """Yield the steps of entries: those that follow the same ones as before are not made again."""
        if onto is not None:
            yield from self._steps(entries, onto)
            return
        unique = {entry.key: entry for entry in entries}
        known, record = self._first, None
        for entry in sorted(unique.values(), key=lifecycle._order):
            found = known.get(id(entry))
            if found is None:
                (step,) = self._steps([entry], record)
                found = known[id(entry)] = _Step(entry, step)
            known, record = found.next, found.step.after
            yield found.step


class _OfRecord:
    """A pure function of a record and, it may be, the time; a month has one deployment with its grace periods."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function
        self._known: dict[tuple[int, datetime | None], tuple[Record, Any]] = {}

    def of(self, record: Record, grace_periods: GracePeriods, now: datetime | None = None) -> Any:
        """Return what the function returned for the same record and time."""
        key = id(record), now
        before, found = self._known.get(key, (None, None))
        if before is not record:
            found = self._function(record, grace_periods, *([now] if now else []))
            self._known[key] = record, found
        return found
