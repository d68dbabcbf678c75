"""What 1,000 meetings cost on AWS: what was measured, times a list of prices."""

import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.runtime.stories import Scene

PRICES = json.loads(Path(__file__).with_name("prices.json").read_text(encoding="utf-8"))

FAILING = 0.02
"""Share of meetings whose agent fails, so that people are told."""
A_CALL, A_CRONOFY_CALL = 5.0, 300.0
"""Milliseconds that a function is taken to wait for an answer of AWS, and of Cronofy: assumed."""
A_PROCESSOR = 1769.0
"""Megabytes of memory for which Lambda gives one whole processor."""
PLATFORM_LOG = 900
"""Bytes that Lambda itself logs of an invocation: start, runtime and report, as JSON; assumed."""
ACCESS_LOG = 250
"""Bytes of a line in the API's access log."""
COLD = 0.05
"""Share of invocations that begin with a cold start, whose time is paid for; assumed."""
A_MONTH = 30.4
"""Days."""
OVERHEAD = 100
"""Bytes that DynamoDB stores with each item."""


def cost(scene: Scene, steps: dict[str, dict[str, dict[str, Any]]], cold: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """US dollars for 1,000 meetings by item, and what the system costs in a month in which nothing happens."""
    shares = {
        "requested": 1.0,
        "conferencing_assigned": 1.0,
        "activated": 1.0,
        "complete": 1 - FAILING,
        "failed": FAILING,
    }
    amounts: defaultdict[str, float] = defaultdict(float)
    for step, share in shares.items():
        for name, amount in _amounts(steps[step], scene, cold):
            amounts[name] += amount * share * 1000
    amounts["alarm e-mails"] = 1000 * FAILING
    stored, items = _stored(scene)
    amounts["table GB-months"] = 1000 * stored * _default(scene, "RetentionDays") / A_MONTH / 1e9
    amounts["backup GB-months"] = amounts["table GB-months"]
    priced = {name: amount * PRICES["usd"][name] for name, amount in amounts.items()}
    by_item = dict(sorted(priced.items(), key=lambda item: -item[1]))
    return {
        "region": PRICES["region"],
        "prices_as_known": PRICES["as_known"],
        "usd_per_1000_meetings": round(sum(priced.values()), 4),
        "usd_with_traces": round(sum(priced.values()) + amounts["Lambda requests"] * PRICES["usd"]["X-Ray traces"], 4),
        "largest": next(iter(by_item)),
        "usd_by_item": {name: round(usd, 5) for name, usd in by_item.items()},
        "amounts": {name: round(amount, 4) for name, amount in amounts.items()},
        "bytes_in_the_table_per_meeting": stored,
        "items_per_meeting": items,
        "usd_per_month_at_rest": _at_rest(scene, steps, cold),
    }


def _amounts(
    step: dict[str, dict[str, Any]], scene: Scene, cold: dict[str, dict[str, Any]]
) -> Iterator[tuple[str, float]]:
    total: defaultdict[str, float] = defaultdict(float)
    for name, did in step.items():
        memory = _memory(scene, name)
        waits = sum(
            n * (A_CRONOFY_CALL if c.startswith(("cronofy", "http")) else A_CALL) for c, n in did["calls"].items()
        )
        busy = did["processor_ms"] * max(1.0, A_PROCESSOR / memory)
        started = cold[name]["ready_ms"]["function"]["median"] * COLD if name in cold else 0.0
        is_api = name in {function for function, _ in scene.platform.events("HttpApi")}
        number = did["invocations"]
        total["Lambda requests"] += number
        total["Lambda GB-seconds"] += number * (waits / number + busy + started) / 1000 * memory / 1024
        total["HTTP API requests"] += number * is_api
        total["read units"] += did["read_units"]
        total["write units"] += did["write_units"]
        total["SNS publishes"] += sum(n for call, n in did["calls"].items() if call.startswith("sns Publish"))
        total["SQS requests"] += 3 * (name == "alert")  # sent, received, deleted
        total["log GB"] += (did["bytes_logged"] + number * (PLATFORM_LOG + ACCESS_LOG * is_api)) / 1e9
    yield from total.items()


def _at_rest(
    scene: Scene, steps: dict[str, dict[str, dict[str, Any]]], cold: dict[str, dict[str, Any]]
) -> dict[str, float]:
    resources = scene.platform.template["Resources"].values()
    kinds = Counter(resource["Type"] for resource in resources)
    watched = [json.dumps(one).count('"MetricName"') for one in resources if one["Type"] == "AWS::CloudWatch::Alarm"]
    month: defaultdict[str, float] = defaultdict(float)
    for name, event in scene.platform.events("Schedule"):
        often = _per_month(str(event["Properties"].get("Schedule", event["Properties"].get("ScheduleExpression", ""))))
        for item, amount in _amounts(steps[f"nothing due: {name}"], scene, cold):
            month["clock: " + item] += amount * often * PRICES["usd"][item]
    month["alarms"] = sum(watched) * PRICES["usd"]["alarm month"]  # paid for by the metrics that they look at
    month["keys"] = kinds["AWS::KMS::Key"] * PRICES["usd"]["key month"]
    month["secrets"] = kinds["AWS::SecretsManager::Secret"] * PRICES["usd"]["secret month"]
    month["dashboards"] = kinds["AWS::CloudWatch::Dashboard"] * PRICES["usd"]["dashboard month"]
    month["metrics"] = len(_metrics(scene)) * PRICES["usd"]["metric month"]
    queues = sum(1 for _ in scene.platform.events("SQS"))
    month["polling of queues"] = queues * 5 * 3 * 60 * 24 * 30 * PRICES["usd"]["SQS requests"]  # 5 pollers, 20 s each
    return {name: round(usd, 3) for name, usd in sorted(month.items(), key=lambda item: -item[1]) if round(usd, 3)}


def _per_month(schedule: str) -> float:
    if found := re.fullmatch(r"rate\((\d+) (minute|hour|day)s?\)", schedule):
        return 30 * 24 * 60 / (int(found[1]) * {"minute": 1, "hour": 60, "day": 1440}[found[2]])
    return 30.0  # a time of the day


def _metrics(scene: Scene) -> set[tuple[str, ...]]:
    """Each metric that was printed, with its dimensions: so many are paid for by the month."""
    found: set[tuple[str, ...]] = set()
    for line in scene.platform.said().splitlines():
        if '"_aws"' in line:
            told = json.loads(line)
            for group in told["_aws"]["CloudWatchMetrics"]:
                for dimensions in group["Dimensions"]:
                    values = [f"{name}={told[name]}" for name in dimensions]
                    found.update((group["Namespace"], *values, metric["Name"]) for metric in group["Metrics"])
    return found


def _memory(scene: Scene, function: str) -> float:
    template = scene.platform.template
    own = template["Resources"][scene.platform.logical(function)]["Properties"]
    return float(own.get("MemorySize", template["Globals"]["Function"].get("MemorySize", 128)))


def _default(scene: Scene, parameter: str) -> float:
    return float(scene.platform.template["Parameters"][parameter]["Default"])


def _stored(scene: Scene) -> tuple[int, int]:
    """Bytes and items that a meeting leaves in the table, with the copies in an index."""
    scene.platform.forget()
    agent = scene.ask(scene.event("stored", conferencing={"profile_id": "default"}))
    for name in ("conferencing_assigned", "meeting_agent_activated", "meeting_agent_complete"):
        scene.notify(agent, "stored", name)
    scene.platform.settle()
    items = scene.platform.items()
    copies = [item for item in items if "day" in item]  # in the index for lists, which has all of an item
    return sum(item_size(item) + OVERHEAD for item in items + copies), len(items)


def item_size(item: dict[str, Any]) -> int:
    """Bytes of an item as DynamoDB counts them.

    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html
    """
    return sum(len(name.encode()) + _value_size(value) for name, value in item.items())


def _value_size(value: dict[str, Any]) -> int:
    ((kind, content),) = value.items()
    match kind:
        case "S":
            return len(content.encode())
        case "B":
            return len(content)
        case "N":
            return (len(content.strip("-0.").replace(".", "")) + 1) // 2 + 1
        case "M":
            return 3 + sum(1 + len(name.encode()) + _value_size(part) for name, part in content.items())
        case "L":
            return 3 + sum(1 + _value_size(part) for part in content)
        case _:
            return 1
