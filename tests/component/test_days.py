"""The index by day on a real table: pages of many shards are the sorted whole, also those of earlier versions."""

import random
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import batched, pairwise
from typing import Any

import pytest

from meeting_agents import wiring
from meeting_agents.api import pagination
from meeting_agents.api.pagination import read_rows
from meeting_agents.aws import keys
from meeting_agents.aws.attributes import unpack_item
from meeting_agents.aws.days import Span, share_of
from meeting_agents.aws.entry_items import packed
from meeting_agents.domain.lifecycle import timeline
from meeting_agents.domain.model import State
from tests.sandbox.embedded_aws import EmbeddedAws
from tests.stored import FAR, VERSIONS, load
from tests.tables import Tables, made

NOW = datetime(2026, 4, 29, 12, tzinfo=UTC)
DAY = timedelta(days=1)
STATES = ("scheduled", "complete", "failed")


@pytest.fixture
def tables(aws: EmbeddedAws) -> Iterator[Tables]:
    with made(aws) as tables:
        yield tables


def records(chance: random.Random, number: int, share_of_old: float) -> list[dict[str, Any]]:
    """Return records of three days. Many meetings start together, an earlier version stored some, and some expired."""
    starts = [NOW - DAY + timedelta(minutes=chance.randrange(3 * 24 * 60)) for _ in range(10)]
    return [
        record(f"ma_{chance.randbytes(8).hex()}", chance.choice(starts), chance.choice(STATES))
        | ({"expires_at": int(NOW.timestamp())} if chance.random() < 0.1 else {})
        | ({"is_old": True} if chance.random() < share_of_old else {})
        for _ in range(number)
    ]


def record(agent_id: str, start: datetime, state: str = "scheduled") -> dict[str, Any]:
    key = {"pk": agent_id, "sk": keys.RECORD, "expires_at": int((NOW + DAY).timestamp())}
    return key | {"state": state} | keys.day_index(agent_id, start)


def store(tables: Tables, some: list[dict[str, Any]]) -> None:
    """Store records; versions without shards had the day alone as the key."""
    items = [packed(one | ({"day": one["day"][:10]} if one.get("is_old") else {})) for one in some]
    for batch in batched(items, 25, strict=False):
        puts: Any = [{"PutRequest": {"Item": item}} for item in batch]
        tables.session.client("dynamodb").batch_write_item(RequestItems={tables.table: puts})


def alive(some: list[dict[str, Any]], *states: str) -> list[str]:
    """Return what is to be listed of records, in its order."""
    at = int(NOW.timestamp())
    return sorted(one["listed"] for one in some if one["expires_at"] > at and (not states or one["state"] in states))


@pytest.mark.parametrize("share_of_old", [0.0, 0.5, 1.0], ids=["new", "mixed", "old"])
@pytest.mark.parametrize("seed", range(3))
def test_pages_are_the_sorted_whole(
    tables: Tables, monkeypatch: pytest.MonkeyPatch, seed: int, share_of_old: float
) -> None:
    """Nothing is left out, twice or out of order: of any page size, with a filter or without, across days."""
    chance = random.Random(seed)
    some = records(chance, 150, share_of_old)
    store(tables, some)
    bounds = (keys.timestamp(NOW - 2 * DAY), keys.timestamp(NOW + 3 * DAY))
    for limit, most, states in ((1, 500, ()), (7, 500, ()), (50, 500, ()), (5, 12, ("failed",)), (20, 40, STATES[:2])):
        monkeypatch.setattr(pagination, "MAX_READ", most)
        wanted = {"state": states} if states else {}
        found: list[str] = []
        after = bounds[0]
        while after:
            rows, after = read_rows(wiring.days(), (after, bounds[1]), wanted, limit, NOW)
            assert len(rows) <= limit
            found += [row["listed"] for row in rows]
        assert found == alive(some, *states), (limit, most, states)


@pytest.mark.parametrize("version", VERSIONS)
def test_agents_of_an_earlier_version_are_listed_with_new_ones(tables: Tables, version: str) -> None:
    """And once their records are stored again, which puts them into their shards."""
    dynamodb, items = tables.session.client("dynamodb"), load(version)
    for item in items:
        dynamodb.put_item(TableName=tables.table, Item=item)
    day = "2099-04-29"
    old = [one for one in map(unpack_item, items) if one.get("listed", "").startswith(day)]
    new = [record(f"ma_{number:026}", datetime.fromisoformat(f"{day}T15:30:00Z")) for number in range(9)]
    store(tables, [one | {"expires_at": FAR} for one in new])
    assert {one["day"] for one in old} == {day}
    assert len({one["day"] for one in new}) > 1

    def listed() -> list[str]:
        bounds = (f"{day}T00:00:00.000Z", f"{day}T23:59:59.000Z")
        rows, position = read_rows(wiring.days(), bounds, {}, 100, NOW)
        assert position == ""
        return [row["listed"] for row in rows]

    expected = sorted(one["listed"] for one in (*old, *new))
    assert listed() == expected
    for agent_id in (one["pk"] for one in old):
        entries = wiring.journal().read(agent_id, NOW)
        changed = {**keys.record(agent_id), "entries": {"N": "0"}}  # older than its journal
        dynamodb.put_item(TableName=tables.table, Item=changed)
        wiring.journal().save_record(agent_id, timeline(entries), entries, NOW)
    assert {tables.record(one["pk"])["day"] for one in old} == {
        keys.day_index(one["pk"], datetime.fromisoformat(f"{day}T00:00:00Z"))["day"] for one in old
    }
    assert listed() == expected


@pytest.mark.parametrize("page_size", [None, 3])
@pytest.mark.parametrize("share_of_old", [0.0, 0.5])
def test_a_span_is_read_in_either_direction(tables: Tables, page_size: int | None, share_of_old: float) -> None:
    some = records(random.Random(7), 100, share_of_old)
    store(tables, some)
    listed = alive(some)
    start, end = (datetime.fromisoformat(listed[number].partition("#")[0]) for number in (20, -20))
    between = [one for one in listed if keys.timestamp(start) < one < keys.timestamp(end)]
    assert between
    for is_newest_first in (False, True):
        rows = wiring.days().between(
            start, end, NOW, ("listed", "state"), is_newest_first=is_newest_first, page_size=page_size
        )
        found = list(rows)
        assert [row["listed"] for row in found] == (between[::-1] if is_newest_first else between)
        assert {*found[0]} == {"listed", "state"}


@pytest.mark.parametrize("page_size", [None, 2], ids=["one page", "pages"])
@pytest.mark.parametrize("share_of_old", [0.0, 0.5])
def test_counts_are_those_of_the_rows(tables: Tables, page_size: int | None, share_of_old: float) -> None:
    """Also where DynamoDB counts the usual ones and returns the others alone, page by page."""
    some = records(random.Random(5), 200, share_of_old)
    for one in some[::5]:
        one["incident"] = "failed"
    for one in some[1::5]:
        one["second_agent"] = "sent"
    store(tables, some)

    def in_pages(params: dict[str, Any], **_: object) -> None:
        params |= {"Limit": page_size} if page_size else {}

    wiring.client("dynamodb").meta.events.register("provide-client-params.dynamodb.Query", in_pages)
    bounds = [NOW + hours * timedelta(hours=1) for hours in (-20, -13, -12, 0, 17, 30)]
    spans = [Span(start, end, State.COMPLETE if end <= NOW else State.SCHEDULED) for start, end in pairwise(bounds)]
    found: Counter[tuple[datetime, str, bool]] = Counter()
    rows = 0
    for counted in wiring.days().count(spans, ("listed", "state", "incident", "second_agent"), NOW):
        rows += len(counted.rows)
        found.update(kind_of(row, spans) for row in counted.rows)
        if counted.span:
            found[counted.span.start, counted.span.usual, False] += counted.usual
    at, last = int(NOW.timestamp()), keys.timestamp(bounds[-1])
    known = [one for one in some if keys.timestamp(bounds[0]) < one["listed"] < last and one["expires_at"] > at]
    assert found == Counter(kind_of(one, spans) for one in known)
    assert (rows < len(known) - 10) is bool(page_size)


def kind_of(row: dict[str, Any], spans: list[Span]) -> tuple[datetime, str, bool]:
    return span_of(row, spans).start, row["state"], "incident" in row or "second_agent" in row


def span_of(row: dict[str, Any], spans: list[Span]) -> Span:
    (span,) = (one for one in spans if keys.timestamp(one.start) < row["listed"] < keys.timestamp(one.end))
    return span


def test_a_day_is_spread_over_its_shards_and_a_page_reads_little_of_each(tables: Tables) -> None:
    """No key takes more than its share of a minute's writes, and a page costs hardly more than what it shows."""
    some = [record(f"ma_{number:026}", NOW) for number in range(400)]
    sizes = [sum(one["day"] == shard for one in some) for shard in keys.day_shards("2026-04-29")]
    assert sum(sizes) == len(some)
    assert max(sizes) < 1.2 * len(some) / keys.SHARDS
    store(tables, some)
    of_day = wiring.days().of_day("2026-04-29", "2026-04-29", "2026-04-30", NOW, page_size=share_of(50))
    rows = [row for _, row in zip(range(50), of_day, strict=False)]
    assert len(rows) == 50
    assert of_day.read <= 80
    assert tables.calls == ["Query"] * keys.SHARDS
