"""What people could not be told: how soon it is tried again, and for how long."""

import json

import pytest

from tests.component.test_alert import failures, record
from tests.runtime.platform import Fault
from tests.runtime.stories import Scene
from tests.sandbox.deployment import source_template


def postponed(scene: Scene) -> list[list[int]]:
    """For each run of the function, the seconds after which what it gave back comes again."""
    runs = [run for run in scene.platform.invocations if run.function == "alert"]
    calls = [[c for c in run.calls if c["operation"] == "ChangeMessageVisibilityBatch"] for run in runs]
    return [[entry["VisibilityTimeout"] for call in some for entry in call["fields"]["Entries"]] for some in calls]


def counted(scene: Scene, metric: str) -> list[float]:
    """What each run of the function has counted, the oldest first."""
    told = [json.loads(line) for line in scene.platform.said("alert").splitlines() if '"_aws"' in line]
    return [one[metric][0] for one in told if metric in one]


@pytest.mark.parametrize("call", [0, 3], ids=["the table", "SNS"])
def test_what_could_not_be_told_is_told_as_soon_as_it_can_be(scene: Scene, call: int) -> None:
    """Not when the queue's own time is over, which is long enough for the slowest run."""
    scene.platform.forget()
    histories = failures(f"untold-{call}", 12)  # more than one call to the queue can speak of
    queue = scene.platform.stack.resources["AlertQueue"]
    for history in histories:
        body = history.announced().model_dump_json()
        scene.platform.client("sqs").send_message(QueueUrl=queue, MessageBody=body)
    scene.platform.fault = Fault("alert", 0, call, "refused")
    scene.platform.settle()
    assert postponed(scene) == [[15] * 12, []]
    assert counted(scene, "AlertsFailed")[-1:] == [12]  # what the alarm looks at
    (alert,) = scene.platform.alerts()
    assert all(history.agent in alert for history in histories)


def test_the_pauses_grow_to_ten_minutes_and_bridge_an_outage_of_an_hour(scene: Scene) -> None:
    """With each time that a message is handed out; then it is dead-lettered."""
    template = source_template()
    most = template["Resources"]["AlertQueue"]["Properties"]["RedrivePolicy"]["maxReceiveCount"]
    scene.platform.forget()
    for tries in range(1, most):
        scene.platform.invoke("alert", {"Records": [record("broken", "not for people", tries)]})
    pauses = [pause for (pause,) in postponed(scene)]
    assert pauses[:6] == [15, 30, 60, 120, 240, 480]
    assert max(pauses) == 600
    assert 3600 <= sum(pauses) < 2 * 3600
