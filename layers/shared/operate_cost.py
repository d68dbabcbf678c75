"""`make cost`: the bill of a deployed stack, from its own metrics and a dated list of prices.

AWS meters the calls of KMS and Secrets Manager for the account only. Those of the stack are estimated: each function
that ran within five minutes counts as one process, which asks KMS once in that time, and reads its secret once an hour.
"""

import json
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from operate_metrics import FIVE_MINUTES, Metric, Metrics
from operate_stack import Stack, finish, show_progress

PRICES: dict[str, Any] = json.loads(Path(__file__).with_name("prices.json").read_text(encoding="utf-8"))
DAYS_PER_MONTH = 30.4
HOURS_PER_MONTH = DAYS_PER_MONTH * 24
DAY = timedelta(days=1)
MAX_DAYS = 63
"""CloudWatch keeps the points of five minutes for so long."""
FREE_DASHBOARDS = 3
"""Of an account."""
LEAST_SAVING = 0.005
"""US dollars a month; less is not worth a line."""
KEY_USES = {"TrackFunction": 2, "AlertFunction": 5, "ForwardFunction": 5, "DigestFunction": 2, "ArchiveFunction": 6}
"""KMS requests in five minutes in which a function runs: two to publish to a topic, three to receive from a queue. The
archive sends to its queue as well, and its bucket has a key of its own, which a bucket key asks seldom.

https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-key-management.html
"""
SECRETS = ("CRONOFY_SECRET_ARN", "CHANNELS_SECRET_ARN")
"""The variables of a function that reads a secret; it keeps what it read for an hour."""
QUEUE_METRICS = (
    "NumberOfMessagesSent",
    "NumberOfMessagesReceived",
    "NumberOfMessagesDeleted",
    "NumberOfEmptyReceives",
)
ESTIMATED = ("KMS requests", "secret requests", "S3 writes", "S3 reads")
WRITES_OF_A_FILE, READS_OF_A_FILE = 6, 4
"""Requests to S3 for a resource: the file, its manifest and what is made of it; and to find and read these. A list
counts as a write. A large file has one more write for each part, and is read once more."""
PART_BYTES = 16 * 1024 * 1024
"""Of the archive: `archiving.PART_BYTES`, whose module loads more than this needs."""
STORED = ("table GB-months", "backup GB-months")


@dataclass
class Bill:
    """Amounts of each item, of which `PRICES` has the price."""

    region: str
    start: datetime
    end: datetime
    parameters: Mapping[str, str]
    meetings: float = 0
    """Agents that were requested; one that is requested anew for another time of its meeting counts again."""
    used: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))
    """Amounts in the span."""
    standing: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))
    """Amounts a month of what is paid for as long as it is there, as it is now."""
    of_function: dict[str, float] = field(default_factory=dict)
    """US dollars of Lambda in the span, by the logical id of the function."""
    callbacks: float = 0
    announcements: float = 0
    of_archive: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))
    """Amounts a month of what only the archive needs, without what is stored in it."""
    of_channels: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))
    """Amounts a month of what only channels need."""
    dashboards: int = 0
    """The dashboards of the account."""

    @property
    def months(self) -> float:
        """The span in months."""
        return (self.end - self.start) / DAY / DAYS_PER_MONTH

    def priced(self, amounts: Mapping[str, float]) -> dict[str, float]:
        """US dollars by item in the stack's region, the largest first."""
        return priced(amounts, self.region)

    @property
    def usd_used(self) -> dict[str, float]:
        return self.priced(self.used)

    @property
    def usd_by_month(self) -> dict[str, float]:
        """US dollars a month by item, the largest first, if what was used in the span goes on as it did."""
        month: defaultdict[str, float] = defaultdict(float, self.standing)
        for item, amount in self.used.items():
            month[item] += amount / self.months
        return self.priced(month)


def prices_in(region: str) -> dict[str, float]:
    """US dollars of one of each item; those of us-east-1 where the region's own are not in the list."""
    return {**PRICES["usd"], **PRICES["usd_elsewhere"].get(region, {})}


def priced(amounts: Mapping[str, float], region: str = PRICES["region"]) -> dict[str, float]:
    """US dollars by item, the largest first. KeyError for an item without a price."""
    prices = prices_in(region)
    usd = {name: amount * prices[name] for name, amount in amounts.items()}
    return dict(sorted(usd.items(), key=lambda item: -item[1]))


# -------------------------------------------------------------------------------------------------------------- savings


def _without_triggers(bill: Bill) -> float:
    """Two callbacks of each meeting: their share of the function, the API, the writes and the announcements."""
    if bill.parameters.get("EventTriggers") != "on" or not bill.callbacks or not bill.announcements:
        return 0.0
    of_callbacks = min(1.0, bill.callbacks / bill.announcements)
    usd, api = bill.usd_used, prices_in(bill.region)["HTTP API requests"] * bill.callbacks
    each = usd.get("write units", 0.0) + usd.get("SNS requests", 0.0) + bill.of_function.get("TrackFunction", 0.0)
    share = min(1.0, 2 * bill.meetings / bill.callbacks)
    return float(share * (bill.of_function.get("WebhookFunction", 0.0) + api + of_callbacks * each) / bill.months)


def _shorter(name: str, days: int, items: tuple[str, ...], bill: Bill) -> float:
    """The part of what is stored that is older than `days`."""
    kept = float(bill.parameters.get(name, 0))
    stored = sum(usd for item, usd in bill.usd_by_month.items() if item in items)
    return stored * (1 - days / kept) if kept > days else 0.0


def _on_arm(bill: Bill) -> float:
    item = "Lambda GB-seconds"
    prices = prices_in(bill.region)
    ratio = prices[item] / prices[f"{item} on x86_64"]
    return bill.usd_by_month.get(f"{item} on x86_64", 0.0) * (1 - ratio)


def _without_channels(bill: Bill) -> float:
    return sum(bill.priced(bill.of_channels).values()) + bill.of_function.get("ForwardFunction", 0.0) / bill.months


def _without_archive(bill: Bill) -> float:
    return sum(bill.priced(bill.of_archive).values()) + bill.of_function.get("ArchiveFunction", 0.0) / bill.months


SAVINGS: dict[str, tuple[Callable[[Bill], float], str]] = {
    "EventTriggers=off": (_without_triggers, "a meeting that moves in the calendar is known late"),
    "Tracing=PassThrough": (lambda bill: bill.usd_by_month.get("X-Ray traces", 0.0), "no traces of your own"),
    "RetentionDays=30": (
        lambda bill: _shorter("RetentionDays", 30, STORED, bill),
        "journals end 30 days after their meeting",
    ),
    "LogRetentionDays=7": (
        lambda bill: _shorter("LogRetentionDays", 7, ("stored log GB-months",), bill),
        "logs of a week",
    ),
    "Dashboard=off": (
        lambda bill: bill.usd_by_month.get("dashboard months", 0.0),
        "no overview",
    ),
    "Channels=off": (_without_channels, "alerts go to the topic alone"),
    "Archive=off": (_without_archive, "no more copies; those that are there stay"),
    "Architecture=arm64": (_on_arm, "the functions run on another processor"),
}
"""US dollars that a change of a parameter saves in a month, and what is different then."""


# -------------------------------------------------------------------------------------------------------------- reading


def read_bill(stack: Stack, days: int, now: datetime) -> Bill:
    """Return the amounts of the last `days`, or of the life of a stack that is younger."""
    end = now.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
    start = max(end - days * DAY, stack.description["CreationTime"].astimezone(UTC).replace(minute=0, second=0))
    bill = Bill(str(stack.session.region_name), start.replace(microsecond=0), end, stack.parameters)
    metrics = Metrics(stack.session, bill.start, bill.end)
    for part in (_functions, _tables, _messages, _logs, _monitoring, _archive):
        show_progress(f"{part.__name__.strip('_')} …")
        part(stack, metrics, bill)
    return bill


def _of(stack: Stack, *suffixes: str) -> dict[str, str]:
    """The physical ids of the resources whose logical ids end so."""
    return {name: id_ for name, id_ in stack.resources.items() if name.endswith(suffixes)}


def _functions(stack: Stack, metrics: Metrics, bill: Bill) -> None:
    functions, client = _of(stack, "Function"), stack.session.client("lambda")
    wanted = {"Api": Metric("AWS/ApiGateway", "Count", (("ApiId", stack.resources["Api"]),), "SampleCount")}
    for name, id_ in functions.items():
        dimensions = (("FunctionName", id_),)
        wanted[f"{name} ran"] = Metric("AWS/Lambda", "Invocations", dimensions, period=FIVE_MINUTES)
        wanted[f"{name} took"] = Metric("AWS/Lambda", "Duration", dimensions)
    read = metrics.read(wanted)
    bill.used["HTTP API requests"] = sum(read["Api"])
    for name, id_ in functions.items():
        settings = client.get_function_configuration(FunctionName=id_)
        x86 = " on x86_64" if settings.get("Architectures", ["x86_64"]) == ["x86_64"] else ""
        invocations = sum(read[f"{name} ran"])
        seconds = sum(read[f"{name} took"]) / 1000 * settings["MemorySize"] / 1024
        own = {"Lambda requests": invocations, f"Lambda GB-seconds{x86}": seconds}
        bill.of_function[name] = sum(bill.priced(own).values())
        periods = sum(1 for count in read[f"{name} ran"] if count)
        own["KMS requests"] = periods * KEY_USES.get(name, 0)
        hours = (bill.end - bill.start) / timedelta(hours=1)  # a secret is read once an hour at most
        own["secret requests"] = min(periods, hours) * any(
            each in settings.get("Environment", {}).get("Variables", {}) for each in SECRETS
        )
        own["X-Ray traces"] = invocations * (bill.parameters.get("Tracing") == "Active")
        for item, amount in own.items():
            bill.used[item] += amount
    bill.callbacks = sum(read["WebhookFunction ran"])


def _tables(stack: Stack, metrics: Metrics, bill: Bill) -> None:
    client = stack.session.client("dynamodb")
    wanted = {}
    for id_ in _of(stack, "Table").values():
        table: Any = client.describe_table(TableName=id_)["Table"]
        indexes = table.get("GlobalSecondaryIndexes", [])
        bill.standing["table GB-months"] += (
            table["TableSizeBytes"] + sum(each.get("IndexSizeBytes", 0) for each in indexes)
        ) / 1e9
        bill.standing["backup GB-months"] += table["TableSizeBytes"] / 1e9
        for index in ["", *(each["IndexName"] for each in indexes)]:
            dimensions = (("TableName", id_), *((("GlobalSecondaryIndexName", index),) if index else ()))
            for kind in ("Read", "Write"):
                name = f"Consumed{kind}CapacityUnits"
                wanted[f"{kind.lower()} units {id_} {index}"] = Metric("AWS/DynamoDB", name, dimensions)
    for name, points in metrics.read(wanted).items():
        bill.used[" ".join(name.split()[:2])] += sum(points)


def _messages(stack: Stack, metrics: Metrics, bill: Bill) -> None:
    topics, queues = _of(stack, "Topic"), _of(stack, "Queue")
    wanted = {
        name: Metric("AWS/SNS", "NumberOfMessagesPublished", (("TopicName", id_.rpartition(":")[2]),))
        for name, id_ in topics.items()
    }
    for name, id_ in queues.items():
        dimensions = (("QueueName", id_.rpartition("/")[2]),)
        wanted |= {f"{name} {metric}": Metric("AWS/SQS", metric, dimensions) for metric in QUEUE_METRICS}
    read = {name: sum(points) for name, points in metrics.read(wanted).items()}
    bill.announcements = read["LifecycleTopic"]
    bill.used["SNS requests"] = sum(read[name] for name in topics)
    bill.used["SQS requests"] = sum(amount for name, amount in read.items() if name not in topics)
    forwarded = sum(amount for name, amount in read.items() if name.startswith("ForwardQueue "))
    bill.of_channels["SQS requests"] = forwarded / bill.months
    pages = stack.session.client("sns").get_paginator("list_subscriptions_by_topic")
    emails = [
        each
        for page in pages.paginate(TopicArn=topics["AlertsTopic"])
        for each in page["Subscriptions"]
        if each["Protocol"] == "email" and each["SubscriptionArn"].startswith("arn:")
    ]
    bill.used["alarm e-mails"] = read["AlertsTopic"] * len(emails)


def _logs(stack: Stack, metrics: Metrics, bill: Bill) -> None:
    logs, client = _of(stack, "Log"), stack.session.client("logs")
    wanted = {name: Metric("AWS/Logs", "IncomingBytes", (("LogGroupName", id_),)) for name, id_ in logs.items()}
    bill.used["log GB"] = sum(sum(points) for points in metrics.read(wanted).values()) / 1e9
    for id_ in logs.values():
        groups = client.describe_log_groups(logGroupNamePrefix=id_)["logGroups"]
        stored = sum(group.get("storedBytes", 0) for group in groups if group["logGroupName"] == id_)
        bill.standing["stored log GB-months"] += stored / 1e9


def _monitoring(stack: Stack, metrics: Metrics, bill: Bill) -> None:
    client = stack.session.client("cloudwatch")
    own = dict(enumerate(metrics.custom(stack.name)))
    read = metrics.read({str(number): metric for number, metric in own.items()})
    bill.used["metric months"] = sum(len(points) for points in read.values()) / HOURS_PER_MONTH
    bill.meetings = sum(sum(points) for points in metrics.read({"": _requested(stack)}).values())
    logical = {id_: name for name, id_ in _of(stack, "Alarm").items()}
    names = list(logical)
    for at in range(0, len(names), 100):  # so many can be asked for at once
        for alarm in client.describe_alarms(AlarmNames=names[at : at + 100])["MetricAlarms"]:
            count = sum("MetricStat" in each for each in alarm.get("Metrics", [])) or 1
            bill.standing["alarm months"] += count
            if logical[alarm["AlarmName"]].startswith("Forward"):
                bill.of_channels["alarm months"] += count
    bill.standing["key months"] = len(_of(stack, "Key"))
    bill.standing["secret months"] = len(_of(stack, "Secret"))
    bill.of_channels["secret months"] = len(_of(stack, "ChannelsSecret"))
    pages = client.get_paginator("list_dashboards").paginate()
    bill.dashboards = sum(len(page["DashboardEntries"]) for page in pages)
    has_one = "CloudWatchDashboard" in stack.resources
    bill.standing["dashboard months"] = float(has_one and bill.dashboards > FREE_DASHBOARDS)


def _archive(stack: Stack, metrics: Metrics, bill: Bill) -> None:
    """Count what the archive has, by S3's daily metric, and estimate its requests, which S3 meters for a price only."""
    if not (bucket := stack.resources.get("ArchiveBucket")):
        return
    dimensions = (("BucketName", bucket), ("StorageType", "StandardStorage"))
    service = (("service", "archive"),)
    read = metrics.read(
        {
            "stored": Metric("AWS/S3", "BucketSizeBytes", dimensions, "Average", int(DAY.total_seconds())),
            "files": Metric(stack.name, "ResourcesArchived", service),
            "bytes": Metric(stack.name, "BytesArchived", service),
        }
    )
    files, parts = sum(read["files"]), sum(read["bytes"]) / PART_BYTES
    bill.standing["archive GB-months"] = max(read["stored"], default=0.0) / 1e9
    bill.used["S3 writes"] = files * WRITES_OF_A_FILE + parts
    bill.used["S3 reads"] = files * READS_OF_A_FILE
    bill.of_archive |= {item: bill.used[item] / bill.months for item in ("S3 writes", "S3 reads")}
    bill.of_archive |= {"alarm months": 3, "key months": 1}


def _requested(stack: Stack) -> Metric:
    return Metric(stack.name, "AgentsRequested", (("service", "track"),))


# ------------------------------------------------------------------------------------------------------------- printing


def cost(stack: Stack, days: int) -> None:
    """Print the bill of the last `days`, the forecast for a month, and what a change of parameters would save."""
    bill = read_bill(stack, days, datetime.now(UTC))
    finish([], "\n".join(lines(stack.name, bill)))


def lines(name: str, bill: Bill) -> Iterator[str]:
    """Iterate over the lines of a bill."""
    span = (bill.end - bill.start) / DAY
    yield f"{name} in {bill.region}, from {bill.start:%Y-%m-%d %H:%M} to {bill.end:%Y-%m-%d %H:%M} UTC, {span:.1f} days"
    if bill.region in PRICES["usd_elsewhere"]:
        yield f"Prices of {bill.region}, {PRICES['elsewhere_as_known']}"
        yield f"As in {PRICES['region']}, because not known: {PRICES['not_known_elsewhere']}"
    else:
        yield f"Prices of {PRICES['region']}, {PRICES['as_known']}"
    yield ""
    month, used = bill.usd_by_month, bill.usd_used
    yield _row("", f"{span:.1f} days", "US$", "US$ a month")
    for item, usd in month.items():
        amount = bill.used.get(item)
        if amount or usd >= LEAST_SAVING / 100:
            name_of = f"{item}, estimated" if item in ESTIMATED else item
            yield _row(name_of, *((_plain(amount), f"{used[item]:.4f}") if amount else ("", "")), f"{usd:.4f}")
    total, forecast = sum(used.values()), sum(month.values())
    yield _row("total", "", f"{total:.2f}", f"{forecast:.2f}")
    yield ""
    if span < 1:
        yield "The stack is younger than a day, so the forecast says little yet."
    savings = {change: saved(bill) for change, (saved, _) in SAVINGS.items()}
    for change, usd in sorted(savings.items(), key=lambda one: -one[1]):
        if usd >= LEAST_SAVING:
            yield f"{change:22}saves US$ {usd:.2f} a month: {SAVINGS[change][1]}"
    of_meetings = (
        f", US$ {total / bill.meetings * 1000:.3f} for 1,000, sweeps and probes included" if bill.meetings else ""
    )
    yield f"{bill.meetings:,.0f} meetings{of_meetings}; forecast US$ {forecast:.2f} a month"


def _row(item: str, amount: str, usd: str, month: str) -> str:
    return f"{item:38}{amount:>18}{usd:>10}{month:>14}".rstrip()


def _plain(amount: float) -> str:
    return f"{amount:,.0f}" if amount >= 100 else f"{amount:,.3f}"
