"""The benchmark in short: what it finds must be right; how fast this machine is does not matter here."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.bench.__main__ import RESULTS
from tests.bench.cold_start import clients, cold_starts, first_invocations, folders, start
from tests.bench.cost import PRICES, cost, item_size
from tests.bench.detection import outage
from tests.bench.growth import growth
from tests.bench.report import table
from tests.bench.steps import steps
from tests.bench.warm import warm
from tests.runtime.stories import Scene

ROOT = Path(__file__).parents[1]
FUNCTIONS = {path.parent.name for path in ROOT.glob("functions/*/app.py")}


def test_an_outage_becomes_few_messages_with_everybody_in_them(scene: Scene) -> None:
    """Each failure is told once."""
    found = outage(scene, 60)
    assert (found["not_in_an_alert"], found["in_two_alerts"]) == (0, 0)
    assert found["messages"] <= 5


def test_the_sweep_and_a_read_cost_the_same_in_a_larger_table(scene: Scene) -> None:
    """What is due is what costs."""
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
    """Both keep every notification."""
    found = warm(scene, 1, 3)
    assert found["webhook"]["n"] == found["floor"]["n"] == 3


def test_every_item_of_the_bill_has_a_price_and_an_amount(scene: Scene) -> None:
    """What 1,000 meetings cost is the sum of its items."""
    found = cost(scene, steps(scene), {})
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
