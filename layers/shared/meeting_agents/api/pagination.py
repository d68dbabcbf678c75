"""Lists of agents by the days of their meetings: time ranges, pages, and the cursor from one page to the next."""

import base64
import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from meeting_agents.api.views import AgentList, AgentRow, Links
from meeting_agents.aws.journal import Journal
from meeting_agents.aws.keys import timestamp
from meeting_agents.errors import FieldError, InvalidRequest

TIME_BEFORE_NOW, TIME_AFTER_NOW = timedelta(days=1), timedelta(days=14)
"""The time range of a list without `from` and `to`."""
MAX_RANGE = timedelta(days=92)
MAX_QUERIES = 10
"""Queries of the table for one page; a page that needs more ends early, with a cursor."""


def parse_range(start: datetime | None, end: datetime | None, cursor: str | None, now: datetime) -> tuple[str, str]:
    """Return the exclusive bounds of a list in the index by day, from its cursor or its time range.

    Raises `InvalidRequest` for a range that is empty or longer than 92 days, and for a cursor that is not ours.
    """
    if cursor:
        return _read_cursor(cursor)
    try:
        last = _utc(end) or max(now, _utc(start) or now) + TIME_AFTER_NOW
        first = _utc(start) or min(now, last) - TIME_BEFORE_NOW
        is_valid = timedelta(0) < last - first <= MAX_RANGE
    except OverflowError:
        first, last, is_valid = now, now, False
    if not is_valid:
        raise InvalidRequest("the time range is not valid", FieldError("to", "after `from`, by 92 days at most"))
    return timestamp(first), timestamp(last)


def _utc(at: datetime | None) -> datetime | None:
    return at and (at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC))


def _read_cursor(cursor: str) -> tuple[str, str]:
    try:
        after, before = json.loads(base64.urlsafe_b64decode(cursor))
        first, last = (datetime.fromisoformat(position) for position in (after.partition("#")[0], before))
        first = first if first.tzinfo else first.replace(tzinfo=UTC)  # a page that ends with a day ends with its date
        is_ours = after[:10] == first.date().isoformat() and before == timestamp(last)
        is_valid = is_ours and first <= last <= first + MAX_RANGE
    except (ValueError, TypeError, AttributeError, OverflowError):
        is_valid, after, before = False, "", ""
    if not is_valid:
        raise InvalidRequest(
            "the cursor is not valid", FieldError("cursor", "the `next_cursor` of the page before, unchanged")
        )
    return after, before


def list_page(
    journal: Journal,
    bounds: tuple[str, str],
    equal: dict[str, str],
    limit: int,
    now: datetime,
    links: Callable[[str], Links],
) -> AgentList:
    """Return one page of at most `limit` agents; `equal`: the values that attributes must have.

    A page that would need too many queries ends early, with a cursor.
    """
    after, before = bounds
    rows: list[dict[str, Any]] = []
    queries = 0
    for day in _days(after, before):
        position = after if after[:10] == day else day
        while position:
            if queries == MAX_QUERIES:
                return _page(rows, position, before, links)
            page = journal.query_day(day, position, before, equal, limit - len(rows), now)
            queries += 1
            rows += page.rows
            if len(rows) == limit:
                return _page(rows, rows[-1]["listed"], before, links)
            position = page.last
    return _page(rows, "", before, links)


def _days(after: str, before: str) -> Iterator[str]:
    day, last = datetime.fromisoformat(after[:10]).date(), datetime.fromisoformat(before[:10]).date()
    while day <= last:
        yield day.isoformat()
        day += timedelta(days=1)


def _page(rows: list[dict[str, Any]], last: str, before: str, links: Callable[[str], Links]) -> AgentList:
    cursor = base64.urlsafe_b64encode(json.dumps([last, before]).encode()).decode() if last else None
    return AgentList(
        agents=tuple(AgentRow(**row | {"id": row["pk"], "links": links(row["pk"])}) for row in rows),
        next_cursor=cursor,
    )
