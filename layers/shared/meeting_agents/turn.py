"""One at a time: a lease in the agents table, for what two copies of a function must not do at once."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING
from uuid import uuid4

from botocore.exceptions import BotoCoreError, ClientError

from meeting_agents.errors import Outage

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

LEASE = 30.0
"""Seconds after which a turn ends whatever became of its holder: several times what a thousand notes take."""
PATIENCE = 40.0
"""Seconds for which a turn is waited for: longer than the lease of a holder that died."""
PAUSE = 0.25


class NoTurn(Outage):
    """Another copy of the function did not come to its end in time; the same may succeed later."""

    code = "no_turn"


class Turn:
    """The right to do what is called `name`, which one holder has at a time."""

    def __init__(
        self,
        client: "DynamoDBClient",
        table: str,
        name: str,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._client = client
        self._table = table
        self._name = name
        self._clock = clock
        self._sleep = sleep

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Wait for the turn, and give it back. Raises `NoTurn`, or botocore's errors if the table does not answer."""
        holder = uuid4().hex
        until = self._clock() + PATIENCE
        while not self._take(holder):
            if self._clock() > until:
                raise NoTurn(f"the turn to {self._name} was not to be had within {PATIENCE:.0f} s")
            self._sleep(PAUSE)
        try:
            yield
        finally:
            with suppress(BotoCoreError, ClientError):  # it ends by itself, too
                self._put(holder, 0.0)

    def _take(self, holder: str) -> bool:
        try:
            self._put(holder, self._clock() + LEASE)
        except self._client.exceptions.ConditionalCheckFailedException:
            return False
        return True

    def _put(self, holder: str, free_at: float) -> None:
        self._client.put_item(
            TableName=self._table,
            Item={
                "pk": {"S": f"turn#{self._name}"},
                "sk": {"S": "lease"},
                "holder": {"S": holder},
                "free_at": {"N": f"{free_at:.3f}"},
            },
            ConditionExpression="attribute_not_exists(pk) OR holder = :holder OR free_at <= :now",
            ExpressionAttributeValues={":holder": {"S": holder}, ":now": {"N": f"{self._clock():.3f}"}},
        )
