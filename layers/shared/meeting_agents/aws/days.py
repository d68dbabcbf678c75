"""The index of agents by day: its shards, merged in the order of the meetings or read side by side to be counted."""

import time
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import partial
from heapq import merge
from operator import itemgetter
from typing import Any

from meeting_agents.aws import keys
from meeting_agents.aws.attributes import unpack_item
from meeting_agents.aws.dynamodb import Item, Table
from meeting_agents.aws.entry_items import packed
from meeting_agents.aws.keys import timestamp
from meeting_agents.aws.wanted import Wanted, condition_of
from meeting_agents.domain.model import State

SPARE = 8
"""The rows that are read of each shard beyond its share of a page, which most often spares it a second query."""
FULL_PAGE_SECONDS = 0.05
"""The least time for a full page, a megabyte or 128 units: a key gives 3,000 units a second, a new table 12,000.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/bp-partition-key-design.html
"""
WHOLE_PAGES = 2
"""The pages of a shard that are read whole before each span is read by itself: some 16,000 agents of a day."""

type Row = dict[str, Any]
"""Attributes of a record."""

_OF_DAY = "#day = :day AND listed BETWEEN :after AND :before"
_ALIVE = f"{keys.EXPIRES_AT} > :now"
_UNUSUAL = (
    f"{keys.EXPIRES_AT} <= :now OR #state <> :usual OR attribute_exists(incident) OR attribute_exists(second_agent)"
)


@dataclass(slots=True)
class DayRows:
    """The rows of a day in their order, each with its position; None in place of a row where a query ended.

    All that comes before such an end was read, and the next row costs another query. `read`: the rows read so far, also
    those that a filter left out: each is paid for by its size.
    """

    rows: Iterator[tuple[str, Row | None]] = field(default_factory=lambda: iter(()))
    read: int = 0

    def __iter__(self) -> Iterator[tuple[str, Row | None]]:
        return self.rows


@dataclass(frozen=True, slots=True)
class Span:
    """A span of time, and the state in which most of its agents are."""

    start: datetime
    end: datetime
    usual: State


@dataclass(frozen=True, slots=True)
class Counted:
    """Some agents. `usual`: the number of those that are not among the rows, since they are as usual in the span."""

    rows: Sequence[Row]
    span: Span | None = None
    usual: int = 0


class Days:
    """The index of agents by day. Every method raises `StoreUnavailable` and `StoreRejected`."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def of_day(
        self,
        day: str,
        after: str,
        before: str,
        now: datetime,
        *,
        wanted: Wanted | None = None,
        attributes: Sequence[str] = (),
        page_size: int | None = None,
        is_newest_first: bool = False,
    ) -> DayRows:
        """Return the agents with a meeting on a day (`2026-04-29`, UTC), in the order of their starts.

        `after`, `before`: the exclusive bounds of `listed` (start, `#`, agent id). `wanted`: the values that attributes
        may have. `attributes`: those to read, `listed` among them; none: all. `page_size`: the most rows that a query
        reads of a shard.
        """
        found = DayRows()
        first = after + " "
        if first > before:  # DynamoDB rejects such a BETWEEN
            return found
        condition, names, values = condition_of(wanted or {})
        values |= {":after": first, ":before": before, ":now": int(now.timestamp())}
        projected = {f"#{name}": name for name in attributes}
        query: dict[str, Any] = {
            "IndexName": keys.DAY_INDEX,
            "KeyConditionExpression": _OF_DAY,
            "FilterExpression": _ALIVE + condition,
            "ExpressionAttributeNames": {"#day": "day", **names, **projected},
            "ScanIndexForward": not is_newest_first,
            **({"ProjectionExpression": ", ".join(projected)} if projected else {}),
            **({"Limit": page_size} if page_size else {}),
        }

        def read(shard: str, last: Item | None = None) -> tuple[list[Item], Item, int]:
            position = {"ExclusiveStartKey": last} if last else {}
            of_shard = packed(values | {":day": shard})
            return self._table.query_page(**query, **position, ExpressionAttributeValues=of_shard)

        def rows(shard: str, page: tuple[list[Item], Item, int]) -> Iterator[tuple[str, Row | None]]:
            items, last, _ = page
            while True:
                yield from ((row["listed"], row) for row in map(unpack_item, items))
                if not last:
                    return
                yield last["listed"]["S"], None
                items, last, count = read(shard, last)
                found.read += count

        shards = keys.day_shards(day)
        with ThreadPoolExecutor(len(shards)) as pool:
            pages = list(pool.map(read, shards))
        found.read = sum(count for _, _, count in pages)
        found.rows = merge(*map(rows, shards, pages), key=itemgetter(0), reverse=is_newest_first)
        return found

    def between(
        self,
        start: datetime,
        end: datetime,
        now: datetime,
        attributes: Sequence[str],
        *,
        is_newest_first: bool = False,
        page_size: int | None = None,
    ) -> Iterator[Row]:
        """Iterate over the agents with a meeting from `start` until before `end`, in the order of their starts.

        A day, and a further page of `page_size`, is read when it is reached.
        """
        after, before = _bound(start), _bound(end)
        days = days_between(start, end)
        options: dict[str, Any] = {"page_size": page_size, "is_newest_first": is_newest_first}
        for day in reversed(days) if is_newest_first else days:
            rows = self.of_day(day.isoformat(), after, before, now, attributes=attributes, **options)
            yield from (row for _, row in rows if row is not None)

    def count(self, spans: Sequence[Span], attributes: Sequence[str], now: datetime) -> Iterator[Counted]:
        """Iterate over the agents of adjoining spans, in no order; each is a row, with these attributes, or is counted.

        `state` is one of the attributes.

        Those in the usual state of their span, with neither an incident nor a second agent, are counted by DynamoDB: a
        page of a query says how many items it read, and has those that a filter leaves. A day of several spans is first
        read whole, for some pages. The shards are read side by side, a page of each at a time.
        """
        return _side_by_side([self._count_shard(number, spans, attributes, now) for number in range(keys.SHARDS)])

    def _count_shard(
        self, number: int, spans: Sequence[Span], attributes: Sequence[str], now: datetime
    ) -> Iterator[Counted]:
        for day in days_between(spans[0].start, spans[-1].end):
            read = partial(self._page, keys.day_shards(day.isoformat())[number], attributes, now)
            of_day = [span for span in spans if day in days_between(span.start, span.end)]
            after = _bound(of_day[0].start)
            for _ in range(WHOLE_PAGES if len(of_day) > 1 else 0):
                rows, after, _ = read(after, _bound(of_day[-1].end))
                yield Counted(rows)
                if not after:
                    break
            for span in of_day if after else ():
                first, last = max(after, _bound(span.start)), _bound(span.end)
                while first and first < last:
                    rows, first, usual = read(first, last, span.usual)
                    yield Counted(rows, span, usual)

    def _page(
        self,
        shard: str,
        attributes: Sequence[str],
        now: datetime,
        after: str,
        before: str,
        usual: State | None = None,
    ) -> tuple[list[Row], str, int]:
        """Return a page of a shard, its end or empty, and the number of agents left out of it, which are as usual."""
        names = {f"#{name}": name for name in (*attributes, keys.EXPIRES_AT)}
        values = {":day": shard, ":after": after, ":before": before, ":now": int(now.timestamp()), ":usual": usual}
        began = time.monotonic()
        items, last, read = self._table.query_page(
            IndexName=keys.DAY_INDEX,
            KeyConditionExpression=_OF_DAY,
            FilterExpression=_UNUSUAL if usual else _ALIVE,
            ProjectionExpression=", ".join(names),
            ExpressionAttributeNames={"#day": "day", **names},
            ExpressionAttributeValues=packed(values),
        )
        if last:
            time.sleep(max(0.0, began + FULL_PAGE_SECONDS - time.monotonic()))
        rows = [row for row in map(unpack_item, items) if row.get(keys.EXPIRES_AT, 0) > now.timestamp()]
        return rows, last["listed"]["S"] + " " if last else "", read - len(items)


def _side_by_side[T](sources: Sequence[Iterator[T]]) -> Iterator[T]:
    """Iterate over all of these at the same time, in no order; each is one step ahead."""
    with ThreadPoolExecutor(len(sources)) as pool:
        pending = {pool.submit(next, source, None): source for source in sources}
        while pending:
            for future in wait(pending, return_when=FIRST_COMPLETED).done:
                source, item = pending.pop(future), future.result()
                if item is not None:
                    pending[pool.submit(next, source, None)] = source
                    yield item


def _bound(at: datetime) -> str:
    """Return the text between the meetings that start before a time and those that start then or later."""
    return timestamp(at.astimezone(UTC))


def share_of(limit: int) -> int:
    """Return the rows to read of each shard for a page of `limit` rows."""
    return min(limit, limit // keys.SHARDS + SPARE)


def days_between(start: datetime, end: datetime) -> list[date]:
    """Return the days, UTC, of the times from `start` until before `end`."""
    first, last = start.astimezone(UTC).date(), (end - datetime.resolution).astimezone(UTC).date()
    return [first + timedelta(days=number) for number in range((last - first).days + 1)]
