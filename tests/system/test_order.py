"""Lambda keeps only the order of each item, and each entry is an item: every story runs in the worst orders."""

from typing import Any

import pytest

from tests.crash.matrix import Outcome, run
from tests.runtime.platform import Order, in_order, newest_first, oldest_last, shuffled
from tests.runtime.stories import STORIES, Scene

ORDERS: dict[str, Order] = {"newest first": newest_first, "oldest last": oldest_last, "by chance": shuffled(1)}
IMAGES = {
    "KEYS_ONLY": set(),
    "NEW_IMAGE": {"NewImage"},
    "OLD_IMAGE": {"OldImage"},
    "NEW_AND_OLD_IMAGES": {"NewImage", "OldImage"},
}


def run_in_order(scene: Scene, story: str, order: Order) -> tuple[Outcome, list[list[dict[str, Any]]]]:
    """Run a story in this order; its outcome, and the batches in which its entries were delivered."""
    scene.platform.order = order
    try:
        outcome, _ = run(scene, story)
        tracked = [done for done in scene.platform.invocations if done.function == "track"]
        return outcome, [[record["dynamodb"] for record in done.event["Records"]] for done in tracked]
    finally:
        scene.platform.order = in_order


@pytest.fixture(scope="module")
def expected(scene: Scene) -> dict[str, Outcome]:
    """The outcome of each story in order."""
    return {story: run_in_order(scene, story, in_order)[0] for story in STORIES}


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("story", STORIES)
def test_a_story_leads_to_the_same_in_every_order(
    scene: Scene, expected: dict[str, Outcome], story: str, order: str
) -> None:
    """The same records and announcements, with the same transition of each entry; the same alerts and requests."""
    outcome, batches = run_in_order(scene, story, ORDERS[order])
    assert outcome == expected[story]
    assert [len(batch) for batch in batches] == [1] * len(batches)


@pytest.mark.parametrize("order", ORDERS)
def test_an_order_is_another_than_that_in_which_the_entries_were_written(scene: Scene, order: str) -> None:
    """Otherwise the test above would compare a run with itself."""
    _, batches = run_in_order(scene, "reported", ORDERS[order])
    numbers = [record["SequenceNumber"] for batch in batches for record in batch]
    assert len(numbers) == 5  # the last is of the file in the archive
    assert numbers != sorted(numbers)


def test_an_entry_that_waits_comes_after_all_that_were_written_later(scene: Scene) -> None:
    """It comes even after the entry that records the alert."""
    _, batches = run_in_order(scene, "failed", oldest_last)
    keys = [record["Keys"]["sk"]["S"].partition("#")[2] for batch in batches for record in batch]
    assert keys[-1] == "requested#0001"
    assert any(key.startswith("alerted#") for key in keys[:-1])


def test_the_stream_hands_over_what_the_template_says(scene: Scene) -> None:
    """No more of an item than `StreamViewType` names."""
    table = scene.platform.template["Resources"]["AgentsTable"]["Properties"]
    images = IMAGES[table["StreamSpecification"]["StreamViewType"]] - {"OldImage"}  # a new item has no old image
    _, batches = run_in_order(scene, "failed", in_order)
    for record in (record for batch in batches for record in batch):
        assert {name for name in record if name.endswith("Image")} == images
        assert record["Keys"].keys() == {"pk", "sk"}
