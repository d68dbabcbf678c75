"""The cost of 1,000 meetings on AWS, and of a month in which nothing happens: measured amounts, times a list of prices.

What stands all month is that of the template's default parameters; the steps are those of the stack that is given.
"""

import json
import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from meeting_agents.cronofy.client_secrets import CACHE_SECONDS
from meeting_agents.domain.groups import HEARD_EVERY
from operate_cost import DAYS_PER_MONTH, PRICES, priced
from tests.bench.bodies import real_request
from tests.bench.item_size import item_size
from tests.bench.steps import LIFE, TRIGGERS, Step, report
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
KEPT_SECONDS = 300.0
"""Seconds for which Lambda keeps a process that is not used; assumed, since AWS documents none."""
LEAST_COLD_SHARE = 0.01
"""Share of invocations that begin with a cold start at any load, because processes end and others are added.

https://aws.amazon.com/blogs/compute/operating-lambda-performance-optimization-part-1/: "under 1% of invocations".
"""
MONTH_SECONDS = DAYS_PER_MONTH * 24 * 3600
BUSY_SECONDS = 170 * 3600.0
"""Seconds of a month in which people meet: eight hours of each working day; assumed."""
LOADS = (1_000, 100_000)
"""Meetings in a month: with few, more invocations begin with a cold start."""
ITEM_OVERHEAD_BYTES = 100
"""Bytes that DynamoDB stores with each item."""
KEY_REUSE_SECONDS = 300.0
"""Time for which SNS, SQS and DynamoDB use a data key before they call KMS again."""
POLLERS, POLL_SECONDS = 5, 20.0
"""Number of Lambda's pollers of an idle queue, and the longest wait of each; assumed."""

type Steps = dict[str, Step]


def cost(scene: Scene, steps: Steps, second: Step, cold: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """US dollars for 1,000 meetings by item, at each load, and for a month in which nothing happens.

    `second`: the step of sending a second agent, which reports itself active and complete like any other.
    """
    platform = scene.platform
    steps = {**steps, "second agent": second}
    shares = {"requested": 1.0, **{name: 1.0 for name, _, _ in LIFE}, "complete": 1 - FAILING, "failed": FAILING}
    stored, items = _stored(scene)
    gigabyte_months = 1000 * stored * _default(scene, "RetentionDays") / DAYS_PER_MONTH / 1e9
    of_all = {"alarm e-mails": 1000 * FAILING, "table GB-months": gigabyte_months, "backup GB-months": gigabyte_months}

    def amounts(shares: Mapping[str, float], meetings: int) -> dict[str, float]:
        found = of_load(platform, steps, cold, shares, meetings)
        return {name: amount * 1000 / meetings for name, amount in found.items()}

    few, many = ({**amounts(shares, meetings), **of_all} for meetings in LOADS)
    by_item = priced(few)
    of_triggers = priced(amounts(dict.fromkeys(TRIGGERS, 1.0), LOADS[0]))
    rest = at_rest(platform, steps, cold)
    of_second = priced(amounts(dict.fromkeys(("second agent", "activated", "complete"), 1.0), LOADS[0]))
    return {
        "region": PRICES["region"],
        "prices_as_known": PRICES["as_known"],
        "usd_per_1000_meetings": round(sum(by_item.values()), 4),
        "usd_per_1000_of_many_meetings": round(sum(priced(many).values()), 4),
        "usd_of_event_triggers": round(sum(of_triggers.values()), 4),
        "usd_per_1000_second_agents": round(sum(of_second.values()), 4),
        "usd_elsewhere": {
            region: [round(sum(priced(each, region).values()), 4) for each in (few, many, rest)]
            for region in PRICES["usd_elsewhere"]
        },
        "usd_with_traces": round(sum(by_item.values()) + few["Lambda requests"] * PRICES["usd"]["X-Ray traces"], 4),
        "largest": next(iter(by_item)),
        "usd_by_item": {name: round(usd, 5) for name, usd in by_item.items()},
        "usd_by_item_of_many_meetings": {name: round(usd, 5) for name, usd in priced(many).items()},
        "amounts": {name: round(amount, 4) for name, amount in few.items()},
        "cold_share": {name: round(share, 3) for name, share in cold_shares(platform, steps, shares, LOADS[0]).items()},
        "bytes_in_the_table_per_meeting": stored,
        "items_per_meeting": items,
        "usd_per_month_at_rest": _rounded(priced(rest)),
        "usd_per_month_of_the_dashboard": _rounded(priced(standing(of_the_dashboard(platform)))),
    }


def of_load(
    platform: Platform,
    steps: Steps,
    cold: dict[str, dict[str, Any]],
    shares: Mapping[str, float],
    meetings: int,
) -> dict[str, float]:
    """Amounts of a month's meetings, beside those of a month at rest. `shares`: of meetings, by step."""
    begins = cold_shares(platform, steps, shares, meetings)
    month: defaultdict[str, float] = defaultdict(float)
    readers: Counter[str] = Counter()
    occasional = 0.0
    at_hand = {use for _, step in idle(platform, steps) for use in key_uses(platform, step)}
    for name, share in shares.items():
        for item, amount in _amounts(platform, steps[name], cold, begins):
            month[item] += amount * share * meetings
        for function, did in steps[name].items():
            occasional += did["occasional_units"] * share * meetings
            if _reads_secrets(did):
                readers[function] += round(did["invocations"] * share * meetings)
        for use, requests in key_uses(platform, steps[name]).items():
            month["KMS requests"] += requests * share * meetings * (use not in at_hand)
    month["write units"] += min(occasional, BUSY_SECONDS / HEARD_EVERY.total_seconds())
    month["secret requests"] += sum(min(number, BUSY_SECONDS / CACHE_SECONDS) for number in readers.values())
    return dict(month)


def cold_shares(platform: Platform, steps: Steps, shares: Mapping[str, float], meetings: int) -> dict[str, float]:
    """Share of invocations that begin with a cold start, by function, if they come at random.

    A process is gone when none came for `KEPT_SECONDS`.
    """
    a_second: Counter[str] = Counter()
    for name, share in shares.items():
        for function, did in steps[name].items():
            a_second[function] += did["invocations"] * share * meetings / BUSY_SECONDS
    for often, step in idle(platform, steps):
        for function, did in step.items():
            a_second[function] += did["invocations"] * often / MONTH_SECONDS
    return {function: max(LEAST_COLD_SHARE, math.exp(-rate * KEPT_SECONDS)) for function, rate in a_second.items()}


def _is_created(platform: Platform, resource: str) -> bool:
    name = platform.template["Resources"][resource].get("Condition")
    return name is None or _holds(platform, platform.template["Conditions"][name])


def _holds(platform: Platform, condition: Any) -> bool:
    """True if a condition of the template holds with the default parameters. LookupError for one of another form."""
    match condition:
        case {"Fn::Not": [other]}:
            return not _holds(platform, other)
        case {"Fn::Equals": [{"Ref": parameter}, value]}:
            return bool(platform.template["Parameters"][parameter]["Default"] == value)
    raise LookupError(f"{condition} is a condition that the bill cannot read")


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


def _amounts(
    platform: Platform, step: Step, cold: dict[str, dict[str, Any]], begins: Mapping[str, float]
) -> Iterator[tuple[str, float]]:
    """Amounts of a step. `begins`: the share of cold starts by function; only these read the secret."""
    total: defaultdict[str, float] = defaultdict(float)
    for name, did in step.items():
        memory = _memory(platform, name)
        waits = sum(
            n * (CRONOFY_CALL_MS if c.startswith(("cronofy", "http")) else AWS_CALL_MS) for c, n in did["calls"].items()
        )
        busy = did["processor_ms"] * max(1.0, MEGABYTES_PER_PROCESSOR / memory)
        started = cold[name]["ready_ms"]["function"]["median"] * begins[name] if name in cold else 0.0
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
                total[item] += n * (begins[name] if call.startswith("secretsmanager") else 1)
    yield from total.items()


def _reads_secrets(did: dict[str, Any]) -> bool:
    return any(call.startswith("secretsmanager") for call in did["calls"])


def key_uses(platform: Platform, step: Step) -> dict[tuple[str, str], int]:
    """KMS requests of other services for a function, by function and service: they ask once in `KEY_REUSE_SECONDS`.

    https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html: two for each publisher.
    https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-key-management.html: two for each
    sender, here SNS, and one for each receiver.
    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/encryption.howitworks.html: one for each client, if
    a table's key is not DynamoDB's own. Secrets Manager's default key is free.
    """
    tables = [one["Properties"] for one in platform.template["Resources"].values() if one["Type"].endswith("::Table")]
    is_key_paid = any(table.get("SSESpecification", {}).get("SSEEnabled") for table in tables)
    uses: dict[tuple[str, str], int] = {}
    for name, did in step.items():
        services = {call.partition(" ")[0] for call in did["calls"]}
        if any(call.startswith("sns Publish") for call in did["calls"]):
            uses[name, "sns"] = 2
        if name in _called_by(platform, "SQS"):
            uses[name, "sqs"] = 3
        if "dynamodb" in services and is_key_paid:
            uses[name, "dynamodb"] = 1
    return uses


def at_rest(platform: Platform, steps: Steps, cold: dict[str, dict[str, Any]]) -> dict[str, float]:
    """Amounts of a month in which nothing happens, without the dashboard: resources, and runs of the schedules.

    A metric is paid for by the hour in which it is sent: https://aws.amazon.com/cloudwatch/pricing/.
    """
    optional = of_the_dashboard(platform)
    there = [one for name, one in platform.template["Resources"].items() if _is_created(platform, name)]
    month = defaultdict[str, float](float, standing([one for one in there if one not in optional]))
    hours: dict[str, float] = {}
    begins = cold_shares(platform, steps, {}, 0)
    for often, step in idle(platform, steps):
        for item, amount in _amounts(platform, step, cold, begins):
            month[item] += amount * often
        for metric in {metric for did in step.values() for metric in did["metrics"]}:
            hours[metric] = max(hours.get(metric, 0.0), min(1.0, often / (DAYS_PER_MONTH * 24)))
        for requests in key_uses(platform, step).values():
            month["KMS requests"] += requests * min(often, MONTH_SECONDS / KEY_REUSE_SECONDS)
        month["secret requests"] += sum(
            min(did["invocations"] * often, MONTH_SECONDS / CACHE_SECONDS)
            for did in step.values()
            if _reads_secrets(did)
        )
    month["metric months"] = sum(hours.values())
    receivers = [name for name in _called_by(platform, "SQS") if _is_created(platform, platform.logical(name))]
    month["SQS requests"] += len(receivers) * POLLERS * MONTH_SECONDS / POLL_SECONDS
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
    agent = scene.request_agent(real_request(scene.event("stored", conferencing={"profile_id": "default"})))
    for _, interaction, trigger in LIFE:
        report(scene, agent, "stored", interaction, trigger)
    scene.platform.settle()
    items = [item for item in scene.platform.items() if item["pk"]["S"] == agent]
    copies = [item for item in items if "day" in item]  # in the index for lists, which has all of an item
    return sum(item_size(item) + ITEM_OVERHEAD_BYTES for item in items + copies), len(items)
