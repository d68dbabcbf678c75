"""The digest and the overview of many agents, on a DynamoDB that answers by size, as fast as its quotas let it.

Run with `python -m tests.bench.days 100000`: agents whose meetings are on each day. A page of the index by day has a
megabyte, and comes as fast as one key may be read: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/bp-partition-key-design.html.
Everything but the network and the server is real, so the processor's time includes that of the client library. The
records are those of `tests/stored`, in the shares of `PAST` and `COMING`.
"""

import json
import resource
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from math import ceil
from threading import Lock
from types import SimpleNamespace
from typing import Any

from botocore.awsrequest import AWSRequest

from functions.digest.app import publish_digest
from meeting_agents.alerting.message import Links
from meeting_agents.aws import keys
from meeting_agents.aws.days import Days
from meeting_agents.aws.dynamodb import Table
from meeting_agents.aws.groups import Groups
from meeting_agents.aws.journal import Journal
from meeting_agents.domain.grace_periods import GracePeriods
from meeting_agents.incident_list import IncidentList
from meeting_agents.widget import reading
from meeting_agents.widget.facts import Viewer
from meeting_agents.widget.page import render_page
from meeting_agents.widget.reading import OverviewReader
from tests.bench.answered_client import answered_client
from tests.bench.item_size import item_size
from tests.simulation import expressions
from tests.stored import VERSIONS, load

PAST: Mapping[str, int] = {"complete": 85, "cancelled": 9, "failed": 2, "overdue": 2, "rejected": 1, "activated": 1}
COMING: Mapping[str, int] = {"scheduled": 90, "cancelled": 7, "requested": 2, "rejected": 1}
"""The states of a hundred agents, whose meetings are over or still to come."""
PAGE_BYTES, UNIT_BYTES = 1 << 20, 4096
CALL_SECONDS = 0.005
PAGE_SECONDS = PAGE_BYTES / UNIT_BYTES / 2 / 3000
"""A key gives 3,000 read units a second; half a unit reads 4 KB that may be behind."""
NOW = datetime(2099, 4, 29, 12, tzinfo=UTC)
A_DAY, AN_HOUR = timedelta(days=1), timedelta(hours=1)


class ManyAgents:
    """A client whose calls are answered here. Each day has `agents`, whose meetings are spread over it evenly."""

    def __init__(self, agents: int) -> None:
        self.calls: Counter[str] = Counter()
        self.units = 0.0
        self.bytes_sent = 0
        self.own_seconds = 0.0
        """The processor's time of this server, which is not the product's."""
        self._lock = Lock()
        self._in_shard = agents // keys.SHARDS
        records = [item for item in load(VERSIONS[-1]) if item["sk"]["S"] == keys.RECORD]
        of_state = {item["state"]["S"]: item for item in records}
        self._past, self._coming = (_dealt(shares, of_state) for shares in (PAST, COMING))
        self.item_bytes = sum(map(item_size, self._past)) / len(self._past)
        self.client = answered_client(self._answer)

    def _answer(self, operation: str, request: AWSRequest) -> bytes:
        began = time.thread_time()
        fields = json.loads(request.body)
        is_of_day = fields.get("IndexName") == keys.DAY_INDEX
        content, read = self._page(fields) if is_of_day else ({"Items": [], "ScannedCount": 0}, 0)
        body = json.dumps(content).encode()
        with self._lock:
            self.calls[operation] += 1
            self.units += max(1, ceil(read / UNIT_BYTES)) / 2
            self.bytes_sent += len(body)
            self.own_seconds += time.thread_time() - began
        time.sleep(CALL_SECONDS + PAGE_SECONDS * read / PAGE_BYTES)
        return body

    def _page(self, fields: Mapping[str, Any]) -> tuple[dict[str, Any], int]:
        values, names = fields["ExpressionAttributeValues"], fields["ExpressionAttributeNames"]
        midnight = datetime.fromisoformat(values[":day"]["S"].partition("#")[0]).replace(tzinfo=UTC)
        first, last = (self._position(values[name]["S"], midnight) for name in (":after", ":before"))
        numbers = range(first, last) if fields.get("ScanIndexForward", True) else range(first, last)[::-1]
        if after := fields.get("ExclusiveStartKey"):
            numbers = numbers[numbers.index(_number(after["listed"]["S"])) + 1 :]
        attributes = [names[name] for name in fields["ProjectionExpression"].split(", ")]
        holds = expressions.condition(fields["FilterExpression"])
        kinds = {id(item): (item_size(item), holds(item, values, names)) for item in (*self._past, *self._coming)}
        items: list[Any] = []
        read, scanned, listed = 0, 0, ""
        for number in numbers:
            start = midnight + number * A_DAY / self._in_shard
            item = (self._past if start + AN_HOUR < NOW else self._coming)[number % 100]
            size, is_sent = kinds[id(item)]
            if read + size > PAGE_BYTES or scanned == fields.get("Limit"):
                return _content(items, scanned) | {"LastEvaluatedKey": {"listed": {"S": listed}}}, read
            at, agent_id = keys.timestamp(start), f"ma_{number:026}"
            read, scanned, listed = read + size, scanned + 1, f"{at}#{agent_id}"
            if is_sent:
                times = {"start": {"S": at}, "end": {"S": keys.timestamp(start + AN_HOUR)}}
                own = item | {"pk": {"S": agent_id}, "listed": {"S": listed}}
                own["meeting"] = {"M": item["meeting"]["M"] | times}
                items.append({name: own[name] for name in attributes if name in own})
        return _content(items, scanned), read

    def _position(self, bound: str, midnight: datetime) -> int:
        """Return the number of agents of a shard of the day before a bound."""
        if "#" in bound:
            return _number(bound) + 1
        at = datetime.fromisoformat(bound.strip()).replace(tzinfo=UTC)
        return min(max(0, ceil((at - midnight) / A_DAY * self._in_shard)), self._in_shard)


def _number(listed: str) -> int:
    return int(listed.partition("#ma_")[2])


def _content(items: list[Any], scanned: int) -> dict[str, Any]:
    return {"Items": items, "Count": len(items), "ScannedCount": scanned}


def _dealt(shares: Mapping[str, int], of_state: Mapping[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """Return a hundred records in these shares, mixed."""
    records = [of_state[state] for state, share in shares.items() for _ in range(share)]
    return [records[number * 37 % 100] for number in range(100)]


def digest(dynamodb: ManyAgents) -> dict[str, int]:
    """Make the digest of yesterday."""
    topic: Any = SimpleNamespace(publish=lambda *_: None)
    made = publish_digest(Days(Table(dynamodb.client, "agents")), topic, Links("", ""), NOW, "Etc/UTC")
    return {"of the day": made.of_day.total, "of the seven days before": made.before.total}


def overview(dynamodb: ManyAgents) -> dict[str, int]:
    """Make the first page of the overview."""
    table = Table(dynamodb.client, "agents")
    journal, groups = Journal(table, GracePeriods(), timedelta(days=400)), Groups(table, lambda _: None)
    incidents = IncidentList(journal, groups, Links("", ""), lambda: NOW)
    made = OverviewReader(journal, Days(table), groups, incidents, lambda: 1, lambda: NOW).overview(
        Viewer(zone=UTC), "", 1
    )
    render_page(made)
    return {"of the day": made.today.count()}


def measured(agents: int) -> Iterator[dict[str, Any]]:
    """Measure each with so many agents a day."""
    reading.COUNTING_SECONDS = 3600  # all are counted, however busy this machine is
    for make in (overview, digest):
        dynamodb = ManyAgents(agents)
        make(ManyAgents(4))  # what is only loaded once
        began, processor = time.perf_counter(), time.process_time()
        counted = make(dynamodb)
        yield {
            "what": make.__name__,
            "counted": counted,
            "bytes of a record": round(dynamodb.item_bytes),
            "calls": dynamodb.calls.total(),
            "units": round(dynamodb.units),
            "megabytes received": round(dynamodb.bytes_sent / 1e6, 1),
            "seconds": round(time.perf_counter() - began, 1),
            "processor seconds": round(time.process_time() - processor - dynamodb.own_seconds, 1),
            "megabytes of memory at most": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        }


if __name__ == "__main__":
    for figures in measured(int(sys.argv[1])):
        print(json.dumps(figures, indent=2))
