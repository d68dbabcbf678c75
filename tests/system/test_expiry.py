"""An agent may return after its journal has expired, even if DynamoDB has not deleted the items yet."""

from collections import Counter

from tests.runtime.stories import Scene, returned


def test_every_entry_of_a_returned_agent_is_announced_and_alerted(scene: Scene) -> None:
    """Its entries have the same keys, and the notification has the same bytes."""
    platform = scene.platform
    platform.forget()
    returned(scene)
    announcements = platform.announcements()
    assert {"overdue", "failed", "alerted"} <= {announcement["data"]["entry"]["kind"] for announcement in announcements}
    assert set(Counter(announcement["id"] for announcement in announcements).values()) == {2}
    alerts = platform.alerts()
    assert len(alerts) > 1
    assert len(alerts) % 2 == 0
    deleting = {run.function for run in platform.invocations for call in run.calls if call["operation"] == "DeleteItem"}
    assert deleting == {"alert", "forward", "provision", "sweep", "webhook"}
