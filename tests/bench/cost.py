"""The cost of 1,000 meetings on AWS: measured amounts, times a list of prices."""

import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

from operate_cost import DAYS_PER_MONTH, PRICES, priced
from tests.bench.steps import TRIGGERS
from tests.runtime.platform import Platform
from tests.runtime.stories import Scene

FAILING = 0.02
"""Share of meetings whose agent fails, so that an alert is sent."""
AWS_CALL_MS, CRONOFY_CALL_MS = 5.0, 300.0
"""Milliseconds that a function waits for AWS, and for Cronofy; assumed."""
MEGABYTES_PER_PROCESSOR = 1769.0
"""Megabytes of memory for which Lambda gives one whole processor."""
PLATFORM_LOG_BYTES = 900
"""Bytes that Lambda itself logs of an invocation, unless its `SystemLogLevel` is WARN: start and report; assumed.

https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-log-level.html
"""
ACCESS_LOG_BYTES = 250
"""Bytes of a line in the API's access log."""
COLD_SHARE = 0.05
"""Share of invocations that begin with a cold start, whose time is paid for; assumed."""
ITEM_OVERHEAD_BYTES = 100
"""Bytes that DynamoDB stores with each item."""
KEY_REUSE_SECONDS = 300.0
"""Time for which SNS, SQS and DynamoDB use a data key before they call KMS again."""
POLLERS, POLL_SECONDS = 5, 20.0
"""Number of Lambda's pollers of an idle queue, and the longest wait of each; assumed."""

type Step = dict[str, dict[str, Any]]
"""Calls, units, metrics and time of a step, by function."""
type Steps = dict[str, Step]


def cost(scene: Scene, steps: Steps, cold: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """US dollars for 1,000 meetings by item, and for a month in which nothing happens."""
    platform = scene.platform
    shares = {
        "requested": 1.0,
        "conferencing_assigned": 1.0,
        "activated": 1.0,
        "complete": 1 - FAILING,
        "failed": FAILING,
    }
    amounts: defaultdict[str, float] = defaultdict(float)
    shares |= dict.fromkeys(TRIGGERS, 1.0)
    at_hand = {use for _, step in idle(platform, steps) for use in key_uses(platform, step)}
    of_triggers: defaultdict[str, float] = defaultdict(float)
    for step, share in shares.items():
        for name, amount in _amounts(platform, steps[step], cold):
            amounts[name] += amount * share * 1000
            of_triggers[name] += amount * share * 1000 * (step in TRIGGERS)
        for use, requests in key_uses(platform, steps[step]).items():
            amounts["KMS requests"] += requests * share * 1000 * (use not in at_hand)
    amounts["alarm e-mails"] = 1000 * FAILING
    stored, items = _stored(scene)
    amounts["table GB-months"] = 1000 * stored * _default(scene, "RetentionDays") / DAYS_PER_MONTH / 1e9
    amounts["backup GB-months"] = amounts["table GB-months"]
    by_item = priced(amounts)
    return {
        "region": PRICES["region"],
        "prices_as_known": PRICES["as_known"],
        "usd_per_1000_meetings": round(sum(by_item.values()), 4),
        "usd_of_event_triggers": round(sum(priced(of_triggers).values()), 4),
        "usd_with_traces": round(sum(by_item.values()) + amounts["Lambda requests"] * PRICES["usd"]["X-Ray traces"], 4),
        "largest": next(iter(by_item)),
        "usd_by_item": {name: round(usd, 5) for name, usd in by_item.items()},
        "amounts": {name: round(amount, 4) for name, amount in amounts.items()},
        "bytes_in_the_table_per_meeting": stored,
        "items_per_meeting": items,
        "usd_per_month_at_rest": _rounded(priced(at_rest(platform, steps, cold))),
        "usd_per_month_of_the_dashboard": _rounded(priced(standing(of_the_dashboard(platform)))),
    }


def _rounded(usd: dict[str, float]) -> dict[str, float]:
    return {name: round(amount, 3) for name, amount in usd.items() if round(amount, 3)}


def item_of(call: str) -> str:
    """The item of the bill for a call; nothing, if something else is paid for it. LookupError for an unknown call."""
    service = call.partition(" ")[0]
    if service in PRICES["calls_without_a_price"]:
        return ""
    if service not in PRICES["calls"]:
        raise LookupError(f"{call} has no price, and no reason why it needs none")
    return str(PRICES["calls"][service])


def _amounts(platform: Platform, step: Step, cold: dict[str, dict[str, Any]]) -> Iterator[tuple[str, float]]:
    total: defaultdict[str, float] = defaultdict(float)
    for name, did in step.items():
        memory = _memory(platform, name)
        waits = sum(
            n * (CRONOFY_CALL_MS if c.startswith(("cronofy", "http")) else AWS_CALL_MS) for c, n in did["calls"].items()
        )
        busy = did["processor_ms"] * max(1.0, MEGABYTES_PER_PROCESSOR / memory)
        started = cold[name]["ready_ms"]["function"]["median"] * COLD_SHARE if name in cold else 0.0
        is_api = name in _called_by(platform, "HttpApi")
        number = did["invocations"]
        total["Lambda requests"] += number
        total["Lambda GB-seconds"] += number * (waits / number + busy + started) / 1000 * memory / 1024
        total["HTTP API requests"] += number * is_api
        total["read units"] += did["read_units"]
        total["write units"] += did["write_units"]
        total["SQS requests"] += 3 * number * (name in _called_by(platform, "SQS"))  # sent, received, deleted
        by_others = _platform_log_bytes(platform, name) + ACCESS_LOG_BYTES * is_api
        total["log GB"] += (did["bytes_logged"] + number * by_others) / 1e9
        for call, n in did["calls"].items():
            if item := item_of(call):
                total[item] += n
    yield from total.items()


def key_uses(platform: Platform, step: Step) -> dict[tuple[str, str], int]:
    """KMS requests of other services for a function, by function and service: they ask once in `KEY_REUSE_SECONDS`.

    https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html: two for each publisher.
    https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-key-management.html: two for each
    sender, here SNS, and one for each receiver.
    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/encryption.howitworks.html: one for each client, if
    the table's key is not DynamoDB's own. Secrets Manager's default key is free.
    """
    uses: dict[tuple[str, str], int] = {}
    for name, did in step.items():
        services = {call.partition(" ")[0] for call in did["calls"]}
        if any(call.startswith("sns Publish") for call in did["calls"]):
            uses[name, "sns"] = 2
        if name in _called_by(platform, "SQS"):
            uses[name, "sqs"] = 3
        if "dynamodb" in services:
            uses[name, "dynamodb"] = 1
    return uses


def at_rest(platform: Platform, steps: Steps, cold: dict[str, dict[str, Any]]) -> dict[str, float]:
    """Amounts of a month in which nothing happens, without the dashboard: resources, and runs of the schedules.

    A metric is paid for by the hour in which it is sent: https://aws.amazon.com/cloudwatch/pricing/.
    """
    optional = of_the_dashboard(platform)
    standing_there = [one for one in platform.template["Resources"].values() if one not in optional]
    month = defaultdict[str, float](float, standing(standing_there))
    hours: dict[str, float] = {}
    for often, step in idle(platform, steps):
        for item, amount in _amounts(platform, step, cold):
            month[item] += amount * often
        for metric in {metric for did in step.values() for metric in did["metrics"]}:
            hours[metric] = max(hours.get(metric, 0.0), min(1.0, often / (DAYS_PER_MONTH * 24)))
        for requests in key_uses(platform, step).values():
            month["KMS requests"] += requests * min(often, DAYS_PER_MONTH * 24 * 3600 / KEY_REUSE_SECONDS)
    month["metric months"] = sum(hours.values())
    month["SQS requests"] += len(_called_by(platform, "SQS")) * POLLERS * DAYS_PER_MONTH * 24 * 3600 / POLL_SECONDS
    return dict(month)


def idle(platform: Platform, steps: Steps) -> list[tuple[float, Step]]:
    """Runs per month of each schedule, and its step when nothing is due."""
    clocks = [(name, event["Properties"]) for name, event in platform.events("Schedule")]
    return [
        (_per_month(str(one.get("Schedule") or one.get("ScheduleExpression"))), steps[f"nothing due: {name}"])
        for name, one in clocks
    ]


def of_the_dashboard(platform: Platform) -> list[dict[str, Any]]:
    """The resources that only the dashboard needs: itself, and all with the same condition."""
    resources = platform.template["Resources"].values()
    dashboards = [one for one in resources if one["Type"] == "AWS::CloudWatch::Dashboard"]
    conditions = {one["Condition"] for one in dashboards if "Condition" in one}
    return [one for one in resources if one in dashboards or one.get("Condition") in conditions]


def standing(resources: Sequence[dict[str, Any]]) -> dict[str, float]:
    """Amounts of what is paid for by the month."""
    kinds = Counter(resource["Type"] for resource in resources)
    alarms = [one for one in resources if one["Type"] == "AWS::CloudWatch::Alarm"]
    return {
        "alarm months": sum(json.dumps(one).count('"MetricName"') for one in alarms),  # by the metrics they look at
        "key months": kinds["AWS::KMS::Key"],
        "secret months": kinds["AWS::SecretsManager::Secret"],
        "dashboard months": kinds["AWS::CloudWatch::Dashboard"],
    }


def _per_month(schedule: str) -> float:
    if found := re.fullmatch(r"rate\((\d+) (minute|hour|day)s?\)", schedule):
        return DAYS_PER_MONTH * 24 * 60 / (int(found[1]) * {"minute": 1, "hour": 60, "day": 1440}[found[2]])
    return DAYS_PER_MONTH  # a time of the day


def _called_by(platform: Platform, kind: str) -> set[str]:
    """The functions that have an event of this kind."""
    return {function for function, _ in platform.events(kind)}


def _memory(platform: Platform, function: str) -> float:
    template = platform.template
    own = template["Resources"][platform.logical(function)]["Properties"]
    return float(own.get("MemorySize", template["Globals"]["Function"].get("MemorySize", 128)))


def _platform_log_bytes(platform: Platform, function: str) -> int:
    config = platform.template["Resources"][platform.logical(function)]["Properties"].get("LoggingConfig", {})
    config = platform.template["Globals"]["Function"].get("LoggingConfig", {}) | config
    is_quiet = (config.get("LogFormat"), config.get("SystemLogLevel")) == ("JSON", "WARN")
    return 0 if is_quiet else PLATFORM_LOG_BYTES


def _default(scene: Scene, parameter: str) -> float:
    return float(scene.platform.template["Parameters"][parameter]["Default"])


def _stored(scene: Scene) -> tuple[int, int]:
    """Bytes and items of a meeting in the table, with the copies in an index."""
    scene.platform.forget()
    agent = scene.request_agent(scene.event("stored", conferencing={"profile_id": "default"}))
    for name in ("conferencing_assigned", "meeting_agent_activated", "meeting_agent_complete"):
        scene.notify(agent, "stored", name)
    scene.platform.settle()
    items = scene.platform.items()
    copies = [item for item in items if "day" in item]  # in the index for lists, which has all of an item
    return sum(item_size(item) + ITEM_OVERHEAD_BYTES for item in items + copies), len(items)


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
