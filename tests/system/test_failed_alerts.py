"""Redelivery of failed alerts: how soon, and for how long."""

import json

import pytest

from tests.component.test_alert import record
from tests.runtime.platform import Fault
from tests.runtime.stories import Scene
from tests.sandbox.deployment import source_template


def redelivery_seconds(scene: Scene) -> list[list[int]]:
    """The visibility timeouts that each run of the function set, in seconds."""
    runs = [run for run in scene.platform.invocations if run.function == "alert"]
    calls = [[c for c in run.calls if c["operation"] == "ChangeMessageVisibilityBatch"] for run in runs]
    return [[entry["VisibilityTimeout"] for call in some for entry in call["fields"]["Entries"]] for some in calls]


def counted(scene: Scene, metric: str) -> list[float]:
    """The values of a metric, one for each run of the function, the oldest first."""
    logs = [json.loads(line) for line in scene.platform.printed("alert").splitlines() if '"_aws"' in line]
    return [log[metric][0] for log in logs if metric in log]


@pytest.mark.parametrize("call", [0, 15], ids=["the table", "SNS"])
def test_failed_alerts_are_redelivered_after_a_short_backoff(scene: Scene, call: int) -> None:
    """The queue's own visibility timeout is long enough for the slowest run."""
    events = [f"failed-{call}-{number}" for number in range(12)]  # more than one call to the queue takes
    agents = [scene.request_agent(scene.event(event_id)) for event_id in events]
    scene.platform.settle()
    scene.platform.forget()
    for agent, event_id in zip(agents, events, strict=True):
        scene.notify(agent, event_id, "meeting_agent_failed")
    scene.platform.fault = Fault("alert", 0, call, "refused")
    scene.platform.settle()
    assert redelivery_seconds(scene) == [[15] * 12, []]
    assert counted(scene, "AlertsFailed")[-1:] == [12]  # the alarm's metric
    (alert,) = scene.platform.alerts()
    assert all(agent in alert for agent in agents)


def test_the_pauses_grow_to_ten_minutes_and_bridge_an_outage_of_an_hour(scene: Scene) -> None:
    """Each receive of a message lengthens the pause; after the last it is dead-lettered."""
    template = source_template()
    max_receives = template["Resources"]["AlertQueue"]["Properties"]["RedrivePolicy"]["maxReceiveCount"]
    scene.platform.forget()
    for tries in range(1, max_receives):
        scene.platform.invoke("alert", {"Records": [record("broken", "not for people", tries)]})
    pauses = [pause for (pause,) in redelivery_seconds(scene)]
    assert pauses[:6] == [15, 30, 60, 120, 240, 480]
    assert max(pauses) == 600
    assert 3600 <= sum(pauses) < 2 * 3600
