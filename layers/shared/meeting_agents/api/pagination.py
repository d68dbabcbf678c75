"""Lists of agents by the days of their meetings: time ranges, pages, and the cursor from one page to the next."""

import base64
import json
import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

from meeting_agents.api.patterns import ACCOUNT_ID
from meeting_agents.api.views import AgentList, AgentRow, IncidentView, Links, first_incident
from meeting_agents.aws.days import Days, share_of
from meeting_agents.aws.journal import Journal
from meeting_agents.aws.keys import SHARDS, timestamp
from meeting_agents.aws.wanted import Wanted
from meeting_agents.domain.incidents import open_incidents
from meeting_agents.domain.lifecycle import fold
from meeting_agents.domain.silences import Quiet
from meeting_agents.errors import FieldError, InvalidRequest

TIME_BEFORE_NOW, TIME_AFTER_NOW = timedelta(days=1), timedelta(days=14)
"""The time range of a list without `from` and `to`."""
MAX_RANGE = timedelta(days=92)
CONCURRENT_READS = 16
"""Journals that are read at the same time."""
MAX_DAYS, MAX_READ = 10, 500
"""Days that one page reads, and rows in them where a filter leaves some out.

A page that needs more ends early, with a cursor. So none costs more than some 50 read units, however rare a state is.
"""


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


def open_range(start: datetime | None, end: datetime | None) -> tuple[datetime | None, datetime | None]:
    """Return the bounds of a list that may be open at both ends, in UTC. Raises `InvalidRequest` for an empty range."""
    try:
        first, last = _utc(start), _utc(end)
        is_valid = first is None or last is None or first < last
    except OverflowError:
        first, last, is_valid = None, None, False
    if not is_valid:
        raise InvalidRequest("the time range is not valid", FieldError("to", "after `from`"))
    return first, last


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
        raise _wrong_cursor()
    return after, before


def _wrong_cursor() -> InvalidRequest:
    expected = "the `next_cursor` of the page before, unchanged"
    return InvalidRequest("the cursor is not valid", FieldError("cursor", expected))


def list_page(
    days: Days,
    journal: Journal,
    bounds: tuple[str, str],
    wanted: Wanted,
    limit: int,
    now: datetime,
    links: Callable[[str], Links],
    quiet: Callable[[], Quiet],
) -> AgentList:
    """Return one page of at most `limit` agents; `wanted`: the values that attributes of their records may have.

    An agent that had an open incident as of its last entry is read, because incidents open and end by time as well. If
    only those with an open incident are `wanted`, the others are left out.
    """
    rows, position = read_rows(days, bounds, wanted, limit, now)
    silences = quiet() if any("open_shard" in row for row in rows) else Quiet()
    with ThreadPoolExecutor(CONCURRENT_READS) as pool:
        incidents = list(pool.map(lambda row: _open_incident(journal, row, now, silences), rows))
    agents = (
        AgentRow(**row | {"id": row["pk"], "incident": incident, "links": links(row["pk"])})
        for row, incident in zip(rows, incidents, strict=True)
        if incident or "open_shard" not in wanted
    )
    return AgentList(agents=tuple(agents), next_cursor=write_cursor(position, bounds[1]))


def read_rows(
    days: Days, bounds: tuple[str, str], wanted: Wanted, limit: int, now: datetime
) -> tuple[list[dict[str, Any]], str]:
    """Return at most `limit` stored records, and the position of the next ones, empty if there are none.

    A page that would need too many days, or read too many rows, ends early, with a position.
    """
    after, before = bounds
    rows: list[dict[str, Any]] = []
    unread = MAX_READ
    for number, day in enumerate(_days(after, before)):
        if number == MAX_DAYS or unread <= 0:
            return rows, day
        page_size = max(1, unread // SHARDS) if wanted else share_of(limit - len(rows))
        position = after if after[:10] == day else day
        of_day = days.of_day(day, position, before, now, wanted=wanted, page_size=page_size)
        for position, row in of_day:
            if row is not None:
                rows.append(row)
            if len(rows) == limit or (row is None and of_day.read >= unread):
                return rows, position
        unread -= of_day.read
    return rows, ""


def write_cursor(position: str, bound: str) -> str | None:
    """Return the cursor of the page that begins at a position; None for an empty one."""
    return base64.urlsafe_b64encode(json.dumps([position, bound]).encode()).decode() if position else None


def read_open_cursor(cursor: str) -> tuple[str, datetime | None]:
    """Return the position and the earliest time of a list of what is open. Raises `InvalidRequest`."""
    try:
        position, first = json.loads(base64.urlsafe_b64decode(cursor))
        start = datetime.fromisoformat(first) if first else None
        is_valid = bool(_OPEN_POSITION.fullmatch(position)) and first == (timestamp(start) if start else "")
    except (ValueError, TypeError, AttributeError, OverflowError):
        is_valid, position, start = False, "", None
    if not is_valid:
        raise _wrong_cursor()
    return position, start


def read_account_cursor(cursor: str) -> str:
    """Return the account after which a page begins. Raises `InvalidRequest`."""
    try:
        account_id, bound = json.loads(base64.urlsafe_b64decode(cursor))
        is_valid = bool(re.fullmatch(ACCOUNT_ID, account_id)) and bound == ""
    except (ValueError, TypeError):
        is_valid, account_id = False, ""
    if not is_valid:
        raise _wrong_cursor()
    return str(account_id)


_OPEN_POSITION = re.compile(r"[0-9]{4}-[0-9T:.-]{18}Z#[A-Za-z0-9_-]{1,128}")


def _open_incident(journal: Journal, row: dict[str, Any], now: datetime, quiet: Quiet) -> IncidentView | None:
    """Return the first open incident of an agent at this moment; its journal is read only if one may be open."""
    if "open_shard" not in row:
        return None
    entries = journal.read(row["pk"], now)
    record = fold(stored.entry for stored in entries)
    incidents = open_incidents(record, journal.grace_periods, now)
    return first_incident(row["pk"], record, incidents, now, lambda: quiet)


def _days(after: str, before: str) -> Iterator[str]:
    day, last = datetime.fromisoformat(after[:10]).date(), datetime.fromisoformat(before[:10]).date()
    while day <= last:
        yield day.isoformat()
        day += timedelta(days=1)
