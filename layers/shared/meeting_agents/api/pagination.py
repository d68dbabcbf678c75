"""Lists of agents by the days of their meetings: ranges, pages, and the cursor from one page to the next."""

import base64
import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from meeting_agents.api.views import AgentList, AgentRow, Links
from meeting_agents.aws.journal import Journal
from meeting_agents.aws.keys import timestamp
from meeting_agents.errors import FieldError, InvalidRequest

DEFAULT_WINDOW = timedelta(days=1), timedelta(days=14)
"""Before and after now: the meetings that a list without `from` and `to` shows."""
LONGEST_WINDOW = timedelta(days=92)
READS = 10
"""How often a list asks the table at most before it answers with what it has, and says where to go on."""


def parse_range(start: datetime | None, end: datetime | None, cursor: str | None, now: datetime) -> tuple[str, str]:
    """The keys of the index between which a list is, from its cursor or its window of time."""
    if cursor:
        return _read_cursor(cursor)
    try:
        last = _utc(end) or max(now, _utc(start) or now) + DEFAULT_WINDOW[1]
        first = _utc(start) or min(now, last) - DEFAULT_WINDOW[0]
        is_window = timedelta(0) < last - first <= LONGEST_WINDOW
    except OverflowError:
        first, last, is_window = now, now, False
    if not is_window:
        raise InvalidRequest("this is no window of time", FieldError("to", "after `from`, by 92 days at most"))
    return timestamp(first), timestamp(last)


def _utc(at: datetime | None) -> datetime | None:
    return at and (at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC))


def _read_cursor(cursor: str) -> tuple[str, str]:
    try:
        after, before = json.loads(base64.urlsafe_b64decode(cursor))
        first, last = (datetime.fromisoformat(position) for position in (after.partition("#")[0], before))
        first = first if first.tzinfo else first.replace(tzinfo=UTC)  # a page that ends with a day ends with its date
        is_written_by_us = after[:10] == first.date().isoformat() and before == timestamp(last)
        is_ours = is_written_by_us and first <= last <= first + LONGEST_WINDOW
    except (ValueError, TypeError, AttributeError, OverflowError):
        is_ours, after, before = False, "", ""
    if not is_ours:
        raise InvalidRequest("this is no cursor of ours", FieldError("cursor", "`next_cursor` of a page before"))
    return after, before


def list_page(
    journal: Journal,
    span: tuple[str, str],
    equal: dict[str, str],
    limit: int,
    now: datetime,
    links: Callable[[str], Links],
) -> AgentList:
    """One page. It ends early, and says where to go on, when it took too much reading to fill it."""
    after, before = span
    rows: list[dict[str, Any]] = []
    reads = 0
    for day in _days(after, before):
        position = after if after[:10] == day else day
        while position:
            if reads == READS:
                return _page(rows, position, before, links)
            page = journal.query_day(day, position, before, equal, limit - len(rows), now)
            reads += 1
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
