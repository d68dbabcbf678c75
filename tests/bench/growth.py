"""Calls and units of a sweep, a read and a page of a list while the table grows; the emulator's time says nothing."""

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from itertools import batched
from random import Random
from typing import Any

from meeting_agents.aws.keys import day_shards
from tests.bench.steps import consumed_units
from tests.runtime.platform import Invocation
from tests.runtime.stories import Scene

DUE = 10
"""Agents past their deadline, in a table of any size."""
BATCH_SIZE = 25


def growth(scene: Scene, sizes: list[int]) -> dict[str, dict[str, Any]]:
    """Calls and consumed units, by number of agents and operation. `DUE` agents are due in each."""
    platform = scene.platform
    platform.forget()
    agent = scene.request_agent(scene.event("growth"))
    platform.settle()
    items = platform.items()
    figures: dict[str, dict[str, Any]] = {}
    seeded = 0
    for size in sizes:
        _seed(scene, items, agent, range(seeded, size))
        seeded = size
        _make_due(scene, items, agent, size)
        platform.invocations.clear()
        answer = platform.tick("sweep")
        figures[str(size)] = {"sweep": _cost(platform.invocations[-1]) | {"answer": answer}}
        _forget_due(scene)
        for name, path in _reads(scene, agent).items():
            platform.invocations.clear()
            answered = platform.request("GET", path)
            if answered["statusCode"] != 200:
                raise RuntimeError(f"GET {path}: {answered}")
            figures[str(size)][name] = _cost(platform.invocations[-1])
    return figures


def _reads(scene: Scene, agent: str) -> dict[str, str]:
    """Paths of reads: an agent, and a list where the template has such a route."""
    paths = {"read": f"/v1/meeting_agents/{agent}"}
    routes = {
        event["Properties"]["Path"]
        for _, event in scene.platform.events("HttpApi")
        if event["Properties"].get("Method", "").upper() == "GET"
    }
    if "/v1/meeting_agents" in routes:
        paths["list page"] = "/v1/meeting_agents?from=2091-04-25&to=2091-04-26&limit=50"
    return paths


def _seed(scene: Scene, items: list[dict[str, Any]], agent: str, numbers: range) -> None:
    """Copy one agent's record under other ids, with meetings on many days."""
    dynamodb, table = scene.platform.client("dynamodb"), scene.platform.table

    def write(some: tuple[dict[str, Any], ...]) -> None:
        dynamodb.batch_write_item(RequestItems={table: [{"PutRequest": {"Item": item}} for item in some]})

    records = [item for item in items if item["sk"]["S"] == "record"]
    with ThreadPoolExecutor(4) as pool:
        for _ in pool.map(write, batched(_copies(records, agent, numbers), BATCH_SIZE, strict=False)):
            pass


def _copies(items: list[dict[str, Any]], agent: str, numbers: range) -> Iterator[dict[str, Any]]:
    chance = Random(numbers.start)
    for number in numbers:
        day = date(2091, 4, 25) + timedelta(days=number % 1000)
        for item in items:
            copy = replaced(item, {agent: f"ma_growth{number:07d}", "2091-04-25": f"{day}"})
            copy["day"] = {"S": chance.choice(day_shards(f"{day}"))}
            if "due_shard" in copy:
                copy["due_shard"] = {"S": str(number % 4)}
            yield copy


def replaced(value: Any, texts: Mapping[str, str]) -> Any:
    """Return an item in which these texts are replaced; what is compressed stays as it is."""
    if isinstance(value, dict):
        return {name: replaced(part, texts) for name, part in value.items()}
    if isinstance(value, list):
        return [replaced(part, texts) for part in value]
    for old, new in texts.items():
        value = value.replace(old, new) if isinstance(value, str) else value
    return value


def _make_due(scene: Scene, items: list[dict[str, Any]], agent: str, size: int) -> None:
    """Add agents whose deadlines are past, new ones for each size."""
    dynamodb, table = scene.platform.client("dynamodb"), scene.platform.table
    for number in range(DUE):
        for item in items:
            copy = replaced(item, {agent: f"ma_due{size}_{number}", "2091-04-25": "2020-04-25"})
            if "due_shard" in copy:
                copy["due_shard"] = {"S": str(number % 4)}
                copy["due_at"] = {"S": f"{datetime.now(UTC) - timedelta(minutes=1):%Y-%m-%dT%H:%M:%S}.000Z"}
            dynamodb.put_item(TableName=table, Item=copy)


def _forget_due(scene: Scene) -> None:
    """Delete the agents and their entries, because no record is stored that would take them off the index."""
    dynamodb, table = scene.platform.client("dynamodb"), scene.platform.table
    for item in scene.platform.items():
        if item["pk"]["S"].startswith("ma_due"):
            dynamodb.delete_item(TableName=table, Key={"pk": item["pk"], "sk": item["sk"]})


def _cost(run: Invocation) -> dict[str, Any]:
    units = sum(consumed_units(answer) for answer in run.answered)
    return {"calls": len(run.calls), "units": round(units, 1)}
