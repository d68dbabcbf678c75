"""The bill of a deployed stack, from metrics as CloudWatch gives them."""

from datetime import UTC, datetime, timedelta

import pytest

from meeting_agents import archiving
from operate_cost import PART_BYTES, PRICES, SAVINGS, Bill, lines, priced, prices_in, read_bill
from operate_metrics import QUERIES_PER_CALL, Metric, Metrics
from operate_stack import Stack
from tests.component.cloudwatch_stand_in import CloudWatchStandIn
from tests.component.test_terminal import Operate, operate
from tests.sandbox.stage import Stage

__all__ = ["operate"]

NOW = datetime(2026, 11, 26, 12, 30, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.fixture
def cloudwatch() -> CloudWatchStandIn:
    return CloudWatchStandIn(NOW, page=100)


def stack_of(stage: Stage, cloudwatch: CloudWatchStandIn, age: timedelta = 400 * DAY) -> Stack:
    """The stack of the sandbox as it is at that age, with these metrics."""
    stack = Stack(stage.stack.name, cloudwatch.session(stage.stack.session))
    stack.description["CreationTime"] = NOW - age
    return stack


def use(stage: Stage, cloudwatch: CloudWatchStandIn) -> None:
    """A month of a thousand meetings, in round numbers: so much each day, at noon."""
    ids = stage.stack.resources
    table = ids["AgentsTable"]
    daily: list[tuple[str, str, float, dict[str, str]]] = [
        ("AWS/Lambda", "Invocations", 200, {"FunctionName": ids["WebhookFunction"]}),
        ("AWS/Lambda", "Duration", 20_000, {"FunctionName": ids["WebhookFunction"]}),
        ("AWS/Lambda", "Invocations", 400, {"FunctionName": ids["TrackFunction"]}),
        ("AWS/Lambda", "Duration", 40_000, {"FunctionName": ids["TrackFunction"]}),
        ("AWS/DynamoDB", "ConsumedWriteCapacityUnits", 1000, {"TableName": table}),
        ("AWS/DynamoDB", "ConsumedWriteCapacityUnits", 500, {"TableName": table, "GlobalSecondaryIndexName": "day"}),
        ("AWS/DynamoDB", "ConsumedReadCapacityUnits", 100, {"TableName": table}),
        ("AWS/SNS", "NumberOfMessagesPublished", 400, {"TopicName": ids["LifecycleTopic"].rpartition(":")[2]}),
        ("AWS/SNS", "NumberOfMessagesPublished", 2, {"TopicName": ids["AlertsTopic"].rpartition(":")[2]}),
        ("AWS/SQS", "NumberOfEmptyReceives", 1000, {"QueueName": ids["AlertQueue"].rpartition("/")[2]}),
        ("AWS/Logs", "IncomingBytes", 1e7, {"LogGroupName": ids["TrackLog"]}),
        (stage.stack.name, "AgentsRequested", 34, {"service": "track"}),
    ]
    for day in range(31):
        at = NOW.replace(minute=0) - day * DAY
        for namespace, name, value, dimensions in daily:
            cloudwatch.put(namespace, name, at, value, **dimensions)
        for _ in range(250):
            cloudwatch.put("AWS/ApiGateway", "Count", at, 1, ApiId=ids["Api"])


def test_a_bill_is_what_the_metrics_counted_at_the_prices_of_the_list(
    stage: Stage, cloudwatch: CloudWatchStandIn
) -> None:
    """Also where an answer of CloudWatch has many pages."""
    use(stage, cloudwatch)
    bill = read_bill(stack_of(stage, cloudwatch), 30, NOW)
    assert (bill.start, bill.end) == (NOW.replace(minute=0) - 30 * DAY + DAY / 24, NOW.replace(minute=0) + DAY / 24)
    assert bill.meetings == 34 * 30
    seconds = [item for item in bill.used if item.startswith("Lambda GB-seconds")]  # of this machine's processor
    assert dict(bill.used) == {
        "Lambda requests": 600 * 30,
        **dict.fromkeys(seconds, 60 * 0.5 * 30),
        "HTTP API requests": 250 * 30,
        "read units": 100 * 30,
        "write units": 1500 * 30,
        "SNS requests": 402 * 30,
        "SQS requests": 1000 * 30,
        "alarm e-mails": 2 * 30,
        "log GB": pytest.approx(0.3),
        "metric months": pytest.approx(30 / (30.4 * 24)),
        "KMS requests": 2 * 30,
        "secret requests": 1 * 30,
        "X-Ray traces": 0,
    }
    month = bill.usd_by_month
    assert month["write units"] == pytest.approx(1500 * 30.4 * prices_in(bill.region)["write units"])
    assert month["key months"] == 1.0
    assert month["alarm months"] > 2
    assert list(month.values()) == sorted(month.values(), reverse=True)
    assert cloudwatch.calls > 5


def test_the_bill_of_an_archive_is_what_it_has_and_the_requests_that_made_it(
    stage: Stage, cloudwatch: CloudWatchStandIn
) -> None:
    """A hundred recordings of 160 MB, and what they made of it."""
    stack = stack_of(stage, cloudwatch)
    stack.resources["ArchiveBucket"] = "bucket"
    at = NOW.replace(minute=0) - DAY
    of_bucket = {"BucketName": "bucket", "StorageType": "StandardStorage"}
    cloudwatch.put("AWS/S3", "BucketSizeBytes", at, 16e9, **of_bucket)
    cloudwatch.put(stack.name, "ResourcesArchived", at, 100, service="archive")
    cloudwatch.put(stack.name, "BytesArchived", at, 100 * 10 * PART_BYTES, service="archive")
    bill = read_bill(stack, 30, NOW)
    assert bill.standing["archive GB-months"] == 16
    assert (bill.used["S3 writes"], bill.used["S3 reads"]) == (600 + 1000, 400)
    assert PART_BYTES == archiving.PART_BYTES
    assert any("S3 writes, estimated" in line for line in lines("x", bill))
    assert "Archive=off" in "".join(lines("x", bill))


def test_a_young_stack_is_counted_from_its_creation(stage: Stage, cloudwatch: CloudWatchStandIn) -> None:
    use(stage, cloudwatch)
    bill = read_bill(stack_of(stage, cloudwatch, age=timedelta(hours=4)), 30, NOW)
    assert bill.end - bill.start == timedelta(hours=5)
    assert bill.callbacks == 200
    assert any("younger than a day" in line for line in lines("x", bill))


def bill_of(region: str = "us-east-1", /, **parameters: str) -> Bill:
    """A month with every item, and these parameters."""
    bill = Bill(region, NOW - 30.4 * DAY, NOW, parameters, meetings=1000, callbacks=6000, announcements=9000)
    bill.used |= {"write units": 60_000, "SNS requests": 9000, "X-Ray traces": 20_000}
    bill.used["Lambda GB-seconds on x86_64"] = 100_000
    bill.standing |= {"table GB-months": 9, "backup GB-months": 9, "stored log GB-months": 30, "dashboard months": 1}
    bill.of_channels |= {"secret months": 1, "alarm months": 3}
    bill.of_archive |= {"key months": 1, "alarm months": 3}
    bill.of_function = {
        "WebhookFunction": 0.01,
        "TrackFunction": 0.03,
        "ForwardFunction": 0.05,
        "ArchiveFunction": 0.02,
    }
    return bill


@pytest.mark.parametrize(
    ("change", "parameters", "usd"),
    [
        ("EventTriggers=off", {"EventTriggers": "on"}, (0.01 + 0.006 + (0.0375 + 0.0045 + 0.03) * 6 / 9) / 3),
        ("EventTriggers=off", {"EventTriggers": "off"}, 0),
        ("Tracing=PassThrough", {}, 0.1),
        ("RetentionDays=30", {"RetentionDays": "90"}, (9 * 0.25 + 9 * 0.2) * 2 / 3),
        ("RetentionDays=30", {"RetentionDays": "30"}, 0),
        ("LogRetentionDays=7", {"LogRetentionDays": "30"}, 0.9 * 23 / 30),
        ("Dashboard=off", {}, 3),
        ("Channels=off", {}, 0.4 + 0.3 + 0.05),
        ("Archive=off", {}, 1 + 0.3 + 0.02),
        ("Architecture=arm64", {}, 1.66667 - 1.33334),
    ],
)
def test_a_change_of_a_parameter_saves_what_only_it_costs(change: str, parameters: dict[str, str], usd: float) -> None:
    assert SAVINGS[change][0](bill_of(**parameters)) == pytest.approx(usd, rel=1e-3)


def test_savings_are_parameters_of_the_template(stage: Stage) -> None:
    described = stage.stack.session.client("cloudformation").describe_stacks(StackName=stage.stack.name)["Stacks"][0]
    known = {each["ParameterKey"] for each in described["Parameters"]}
    assert {change.partition("=")[0] for change in SAVINGS} <= known


def test_a_bill_fits_a_terminal_and_ends_with_its_sum(cloudwatch: CloudWatchStandIn) -> None:
    printed = list(lines("meeting-agents", bill_of("eu-central-1", EventTriggers="on", RetentionDays="90")))
    assert not [line for line in printed if len(line) > 96]
    assert printed[0] == "meeting-agents in eu-central-1, from 2026-10-27 02:54 to 2026-11-26 12:30 UTC, 30.4 days"
    assert "eu-central-1, 2025-10" in printed[1]
    assert "SQS" in printed[2]
    assert [line.split()[0] for line in printed if " saves " in line][:2] == ["RetentionDays=30", "Dashboard=off"]
    total = sum(bill_of("eu-central-1").usd_by_month.values())
    assert printed[-1].endswith(f"; forecast US$ {total:.2f} a month")


@pytest.mark.parametrize(("region", "usd"), [("us-east-1", 0.625), ("eu-central-1", 0.7625), ("sa-east-1", 0.625)])
def test_a_bill_has_the_prices_of_its_region_where_they_are_known(region: str, usd: float) -> None:
    """And says of which region they are."""
    bill = Bill(region, NOW - DAY, NOW, {})
    bill.used["write units"] = 1_000_000
    assert bill.usd_used == {"write units": usd}
    shown = region if region in PRICES["usd_elsewhere"] else "us-east-1"
    assert list(lines("x", bill))[1].startswith(f"Prices of {shown}, ")


def test_prices_elsewhere_are_of_items_in_the_list() -> None:
    for prices in PRICES["usd_elsewhere"].values():
        assert prices.keys() <= PRICES["usd"].keys()
        assert all(1 <= usd / PRICES["usd"][item] < 1.5 for item, usd in prices.items())


def test_an_item_without_a_price_is_a_mistake() -> None:
    with pytest.raises(KeyError):
        priced({"wishes": 1})


def test_more_metrics_than_one_call_takes_are_read_in_several(stage: Stage, cloudwatch: CloudWatchStandIn) -> None:
    wanted = {f"n{number}": Metric("here", f"n{number}") for number in range(QUERIES_PER_CALL + 1)}
    for name in wanted:
        cloudwatch.put("here", name, NOW, 2)
    assert Metrics(cloudwatch.session(stage.stack.session), NOW - DAY, NOW + DAY).read(wanted) == {
        name: [2.0] for name in wanted
    }


def test_the_command_prints_the_bill_of_the_sandbox(operate: Operate) -> None:
    """With the metrics that the embedded AWS has: those of Lambda."""
    done = operate("cost")
    assert done.returncode == 0, done.stderr
    assert "Lambda requests" in done.stdout
    assert "The stack is younger than a day" in done.stdout
    assert done.stdout.splitlines()[-1].startswith("0 meetings; forecast US$ ")


@pytest.mark.parametrize("days", ["0", "64", "a", ""])
def test_a_wrong_number_of_days_says_what_is_right(operate: Operate, days: str) -> None:
    done = operate("cost", "--days", days)
    assert done.returncode == 2
    assert done.stderr.endswith(f"argument --days: {days!r} is no number of days from 1 to 63: set DAYS=30\n")
