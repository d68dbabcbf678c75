"""The queues: what must arrive raises if it does not, and pauses have bounds."""

from typing import Any

import pytest
from botocore.exceptions import ClientError

from meeting_agents.aws.queues import dead_letter, send_groups, shorten_visibility
from meeting_agents.domain.groups import Group
from meeting_agents.domain.model import IncidentType
from meeting_agents.errors import QueueUnavailable

GROUP = Group(IncidentType.CHANNEL_FAILING, "pager")


class Sqs:
    """A client that keeps what it is sent, or refuses it."""

    def __init__(self, *, is_down: bool = False) -> None:
        self.is_down = is_down
        self.bodies: list[str] = []
        self.pauses: list[int] = []

    def send_message(self, **message: Any) -> None:
        if self.is_down:
            raise ClientError({"Error": {"Code": "ServiceUnavailable"}}, "SendMessage")
        self.bodies.append(message["MessageBody"])

    def change_message_visibility_batch(self, **batch: Any) -> None:
        self.pauses += [entry["VisibilityTimeout"] for entry in batch["Entries"]]


def test_a_group_that_must_arrive_raises_if_it_does_not() -> None:
    """The stream hands it over again; a sweep would send it again by itself."""
    client: Any = Sqs(is_down=True)
    send_groups(lambda: client, "queue", [GROUP])
    with pytest.raises(QueueUnavailable):
        send_groups(lambda: client, "queue", [GROUP], must_arrive=True)


def test_a_dead_letter_has_the_form_of_its_queue() -> None:
    client: Any = Sqs()
    dead_letter(client, "queue", "ma_1")
    dead_letter(client, "queue", GROUP)
    assert client.bodies == ['{"subject": "ma_1"}', '{"group": "channel_failing/pager"}']
    with pytest.raises(QueueUnavailable):
        dead_letter(Sqs(is_down=True), "queue", "ma_1")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("receipts", "bounds", "pause"),
    [
        (1, {}, 15),
        (3, {}, 60),
        (7, {}, 600),
        (290, {}, 600),
        (290, {"longest": 300}, 300),
    ],
)
def test_a_pause_doubles_within_its_bounds(receipts: int, bounds: dict[str, int], pause: int) -> None:
    client: Any = Sqs()
    record = {"receiptHandle": "r", "attributes": {"ApproximateReceiveCount": str(receipts)}}
    shorten_visibility(client, "queue", [record], **bounds)
    assert client.pauses == [pause]
