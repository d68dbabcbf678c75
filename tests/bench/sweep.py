"""A sweep of many due agents, on a DynamoDB that answers every call after a fixed time.

Run with `python -m tests.bench.sweep 20000 0.005`: agents, and seconds for each call. Everything but the network and
the server is real, so the time includes that of the client library.
"""

import json
import sys
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from typing import Any

from botocore.awsrequest import AWSRequest

from functions.sweep.app import sweep
from meeting_agents.aws import keys
from meeting_agents.aws.dynamodb import Table
from meeting_agents.aws.journal import Journal
from meeting_agents.calendars import Calendars
from meeting_agents.domain.grace_periods import GracePeriods
from meeting_agents.sweeping import CalendarLanes
from tests.bench.answered_client import answered_client

PAGE = 5_000
"""Keys in a page of the index: a page has a megabyte."""


class SlowDynamoDB:
    """A client whose calls are answered here. `agents` are due, each requested and accepted an hour ago."""

    def __init__(self, agents: int, seconds: float, account: str = "") -> None:
        self.calls: Counter[str] = Counter()
        self.entries = 0
        self.most_at_once = 0
        self._in_flight: list[str] = []
        self._agents = agents
        self._account = account
        self._seconds = seconds
        start = datetime.now(UTC) - timedelta(hours=1)
        self._start, self._requested_at = (keys.timestamp(at) for at in (start, start - timedelta(days=1)))
        self.client = answered_client(self._answer)

    def _answer(self, operation: str, request: AWSRequest) -> bytes:
        self.calls[operation] += 1
        self._in_flight.append(operation)
        self.most_at_once = max(self.most_at_once, len(self._in_flight))
        time.sleep(self._seconds)
        self._in_flight.pop()
        content = getattr(self, f"_{operation.lower()}")(json.loads(request.body))
        return json.dumps(content).encode()

    def _query(self, fields: dict[str, Any]) -> dict[str, Any]:
        if fields.get("IndexName") == keys.DUE_INDEX:
            return self._due(int(fields["ExpressionAttributeValues"][":shard"]["S"]), fields.get("ExclusiveStartKey"))
        agent = fields["ExpressionAttributeValues"][":pk"]["S"]
        meeting = {"M": {"start": {"S": self._start}, "tzid": {"S": "Etc/UTC"}, "summary": {"S": "Weekly sync"}}}
        request = {"action": {"S": "provision"}, "data_center": {"S": "us"}, "meeting": meeting}
        if self._account:
            names = {"account": self._account, "calendar_id": agent, "event_id": agent}
            request |= {name: {"S": value} for name, value in names.items()}
        common = {"pk": {"S": agent}, "at": {"S": self._requested_at}, "attempt": {"N": "1"}, "revision": {"N": "1"}}
        items = [
            common | {"sk": {"S": f"entry#{kind}#0001"}, "kind": {"S": kind}, "request": {"M": request}}
            for kind in ("requested", "accepted")
        ]
        return {"Items": items, "Count": 2}

    def _due(self, shard: int, after: dict[str, Any] | None) -> dict[str, Any]:
        first = int(after["pk"]["S"].removeprefix("ma_")) + keys.SHARDS if after else shard
        numbers = range(first, self._agents, keys.SHARDS)[:PAGE]
        items = [{"pk": {"S": f"ma_{n:026}"}, "sk": {"S": "record"}, "due_at": {"S": self._start}} for n in numbers]
        is_last = not numbers or numbers[-1] + keys.SHARDS >= self._agents
        return {"Items": items} | ({} if is_last else {"LastEvaluatedKey": {"pk": items[-1]["pk"]}})

    def _putitem(self, _: dict[str, Any]) -> dict[str, Any]:
        self.entries += 1
        return {}

    def _updateitem(self, _: dict[str, Any]) -> dict[str, Any]:
        return {"Attributes": {}}

    def _transactwriteitems(self, fields: dict[str, Any]) -> dict[str, Any]:
        self.entries += sum("Put" in item for item in fields["TransactItems"])
        return {}


def time_sweep(agents: int, seconds: float, calendars: Callable[[], Calendars] | None = None) -> dict[str, Any]:
    """Sweep once. Return the calls, the entries and the seconds. With `calendars`, each agent has a calendar."""
    dynamodb = SlowDynamoDB(agents, seconds, "alice" if calendars else "")
    journal = Journal(Table(dynamodb.client, "agents"), GracePeriods(), timedelta(days=400))
    began, processor = time.perf_counter(), time.process_time()
    with ExitStack() as opened:
        lanes = opened.enter_context(CalendarLanes(journal, calendars, lambda: True)) if calendars else None
        overdue = sweep(journal, lambda: True, lambda _: None, lanes)
    return {
        "overdue": overdue,
        "entries": dynamodb.entries,
        "calls": dict(dynamodb.calls),
        "most_at_once": dynamodb.most_at_once,
        "seconds": round(time.perf_counter() - began, 1),
        "processor_seconds": round(time.process_time() - processor, 1),
    }


if __name__ == "__main__":
    print(json.dumps(time_sweep(int(sys.argv[1]), float(sys.argv[2])), indent=2))
