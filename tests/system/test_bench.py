"""The benchmark in short: its counts must be right; the speed of this machine does not matter here."""

import json
import math
from pathlib import Path
from typing import Any

import pytest

from operate_cost import DAYS_PER_MONTH, PRICES
from tests.bench.__main__ import RESULTS
from tests.bench.archive import archive
from tests.bench.cold_start import clients, cold_starts, first_invocations, folders, start
from tests.bench.cost import (
    Steps,
    at_rest,
    cost,
    item_of,
    of_the_dashboard,
    standing,
)
from tests.bench.detection import outage
from tests.bench.growth import growth
from tests.bench.item_size import item_size
from tests.bench.peers import PEERS, peers
from tests.bench.report import table
from tests.bench.steps import second_agent, steps
from tests.bench.warm import warm
from tests.runtime.platform import Platform
from tests.runtime.stories import Scene

ROOT = Path(__file__).parents[2]
FUNCTIONS = {path.parent.name for path in ROOT.glob("functions/*/app.py")}


def test_an_outage_becomes_few_messages_that_have_every_agent(scene: Scene) -> None:
    """Each failure is in one alert."""
    found = outage(scene, 60)
    assert (found["not_in_an_alert"], found["in_two_alerts"]) == (0, 0)
    assert found["messages"] <= 5


def test_the_sweep_and_a_read_cost_the_same_in_a_larger_table(scene: Scene) -> None:
    """The cost grows with the agents that are due."""
    small, large = growth(scene, [20, 200]).values()
    assert small == large


def test_every_function_starts_on_the_layer_alone(scene: Scene) -> None:
    """In Lambda's own runtime client, where nothing else can be imported and nothing be written."""
    firsts = first_invocations(scene)
    assert firsts.keys() == FUNCTIONS
    with folders(scene.platform.built / "SharedLayer") as (runtime, layer, _):
        for name, seen in firsts.items():
            environment = scene.platform.functions[name].environment | clients(seen)
            folder = scene.platform.built / scene.platform.logical(name)
            assert start(folder, layer, runtime, environment, seen.event).answered > 0


def test_a_cold_start_is_compared_with_a_bare_one(scene: Scene) -> None:
    """With the same clients, with bytecode and without."""
    figures = cold_starts(scene, 1, ["webhook"])["webhook"]
    assert len(figures["answered_ms"]) == 4
    assert len(figures["costliest_imports_ms"]) == 10


def test_the_receiver_is_compared_with_a_floor_that_answers(scene: Scene) -> None:
    """Both store every notification."""
    found = warm(scene, 1, 3)
    assert found["webhook"]["n"] == found["floor"]["n"] == 3


def test_receivers_that_are_built_in_other_ways_answer(scene: Scene) -> None:
    """Each takes the notification, on both kinds of packages; `peers` raises if one does not."""
    assert peers(scene, 1).keys() == {"webhook", *PEERS}


def test_a_recording_is_copied_in_bounded_memory(scene: Scene) -> None:
    """Twice the size takes as much: one part is in memory, and what Python and botocore need."""
    small, large = (archive(scene, size) for size in (40_000_000, 80_000_000))
    assert (small["calls"]["UploadPart"], large["calls"]["UploadPart"]) == (3, 5)
    assert large["peak_mb"] <= 256
    assert large["peak_mb"] <= small["peak_mb"] * 1.2


@pytest.fixture(scope="module")
def counted(scene: Scene) -> Steps:
    return steps(scene)


def test_every_call_in_a_step_has_a_price_or_a_reason_why_it_needs_none(counted: Steps) -> None:
    """A call without a price is a mistake in the bill."""
    calls = {call for step in counted.values() for did in step.values() for call in did["calls"]}
    assert {item_of(call) for call in calls} <= {"", *PRICES["usd"]}
    assert all(PRICES["calls_without_a_price"].values())
    assert not PRICES["calls"].keys() & PRICES["calls_without_a_price"].keys()
    with pytest.raises(LookupError, match="lambda Invoke"):
        item_of("lambda Invoke")


def test_the_step_of_an_idle_probe_has_all_invocations_that_follow(counted: Steps) -> None:
    """Its notification is received, tracked and alerted, and the entry of the alert is tracked."""
    runs = {function: did["invocations"] for function, did in counted["nothing due: probe"].items()}
    assert runs == {"probe": 1, "webhook": 1, "track": 2, "alert": 1}


def test_nothing_is_counted_that_did_not_happen(scene: Scene, counted: Steps) -> None:
    """An idle month sends only the metrics that an alarm watches, and none from the functions that a probe reaches."""
    resources = scene.platform.template["Resources"].values()
    alarms = json.dumps([one["Properties"] for one in resources if one["Type"] == "AWS::CloudWatch::Alarm"])
    idle = [each for name, step in counted.items() if name.startswith("nothing due: ") for each in step.items()]
    assert {function for function, did in idle if did["metrics"]} == {"probe", "sweep"}
    for metric in {metric.partition("{")[0] for _, did in idle for metric in did["metrics"]}:
        assert f'"MetricName": "{metric}"' in alarms, f"no alarm watches {metric}"


def did(*calls: str, metrics: tuple[str, ...] = (), runs: int = 1) -> dict[str, Any]:
    """The figures of a function in a step."""
    nothing = {"read_units": 0.0, "write_units": 0.0, "occasional_units": 0.0, "bytes_logged": 0, "processor_ms": 0.0}
    return {"invocations": runs, "calls": dict.fromkeys(calls, 1), "metrics": list(metrics), **nothing}


def test_an_idle_month_costs_its_resources_and_its_scheduled_runs() -> None:
    """Metrics by the hours in which they are sent, data keys by the five minutes for which they are used."""
    function = "AWS::Serverless::Function"
    alarm = {"Type": "AWS::CloudWatch::Alarm", "Properties": {"Metrics": [{"MetricName": "A"}, {"MetricName": "B"}]}}
    platform = Platform.__new__(Platform)
    platform.template = {
        "Globals": {"Function": {}},
        "Parameters": {"Dashboard": {"Default": "on"}},
        "Conditions": {"HasDashboard": {"Fn::Equals": [{"Ref": "Dashboard"}, "on"]}},
        "Resources": {
            "SweepFunction": {"Type": function, "Properties": clock("Schedule", Schedule="rate(1 minute)")},
            "ProbeFunction": {"Type": function, "Properties": clock("Schedule", Schedule="rate(5 minutes)")},
            "DigestFunction": {
                "Type": function,
                "Properties": clock("ScheduleV2", ScheduleExpression="cron(0 8 * * ? *)"),
            },
            "AlertFunction": {"Type": function, "Properties": clock("SQS")},
            "Alarm": alarm,
            "WidgetAlarm": alarm | {"Condition": "HasDashboard"},
            "Dashboard": {"Type": "AWS::CloudWatch::Dashboard", "Condition": "HasDashboard"},
            "Key": {"Type": "AWS::KMS::Key"},
        },
    }
    month = at_rest(
        platform,
        {
            "nothing due: sweep": {"sweep": did("dynamodb Query", metrics=("Heartbeat",))},
            "nothing due: probe": {
                "probe": did("secretsmanager GetSecretValue", metrics=("Heartbeat", "Lost")),
                "alert": did("dynamodb PutItem", "sns Publish"),
            },
            "nothing due: digest": {"digest": did("dynamodb Query", metrics=("Sent",))},
        },
        {},
    )
    in_five_minutes = DAYS_PER_MONTH * 24 * 12
    assert month["metric months"] == pytest.approx(2 + 1 / 24)
    assert month["KMS requests"] == pytest.approx(in_five_minutes * (2 + 3))
    each_hour = DAYS_PER_MONTH * 24
    assert month["secret requests"] == pytest.approx(in_five_minutes * math.exp(-1) + each_hour)
    assert month["SQS requests"] == pytest.approx(3 * in_five_minutes + 5 * DAYS_PER_MONTH * 24 * 180)
    assert month["Lambda requests"] == pytest.approx(in_five_minutes * (5 + 1 + 1) + DAYS_PER_MONTH)
    assert (month["alarm months"], month["key months"], month["dashboard months"]) == (2, 1, 0)
    optional = standing(of_the_dashboard(platform))
    assert (optional["alarm months"], optional["dashboard months"]) == (2, 1)


def clock(kind: str, **properties: str) -> dict[str, Any]:
    """The properties of a function with this event."""
    return {"Events": {"Call": {"Type": kind, "Properties": properties}}}


def test_every_item_of_the_bill_has_a_price_and_an_amount(scene: Scene, counted: Steps) -> None:
    """The cost of 1,000 meetings is the sum of its items."""
    found = cost(scene, counted, second_agent(scene), {})
    assert 0 < found["usd_per_1000_second_agents"] < 10 * found["usd_per_1000_meetings"]
    assert found["usd_per_month_at_rest"].keys() <= PRICES["usd"].keys()
    assert found["usd_by_item"].keys() == found["amounts"].keys() <= PRICES["usd"].keys()
    assert sum(found["usd_by_item"].values()) == pytest.approx(found["usd_per_1000_meetings"], abs=0.001)
    assert all(amount > 0 for amount in found["amounts"].values())


@pytest.mark.parametrize(
    ("item", "size"),
    [
        ({"pk": {"S": "ab"}}, 4),
        ({"n": {"N": "12345"}}, 5),
        ({"b": {"B": b"1234"}, "t": {"BOOL": True}}, 7),
        ({"m": {"M": {"x": {"S": "yz"}}}, "l": {"L": [{"NULL": True}]}}, 14),
    ],
)
def test_an_item_is_as_large_as_dynamodb_counts(item: dict[str, Any], size: int) -> None:
    """Names and values in UTF-8, a number half a byte a digit and one, a list or map three bytes and one an element."""
    assert item_size(item) == size


def test_the_published_figures_make_a_table() -> None:
    """Each kind of figure is in it."""
    if not RESULTS.exists():
        pytest.skip("`make bench` has not run")
    found = json.loads(RESULTS.read_text(encoding="utf-8"))
    shown = table(found)
    assert all(f"`{name}`" in shown for name in found["cold_start"])
    assert f"US$ {found['cost']['usd_per_1000_meetings']:.3f}" in shown
