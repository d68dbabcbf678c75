"""A DynamoDB table: conditional writes that return whether they took place, and botocore's errors as ours."""

import random
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from meeting_agents.aws.keys import EXPIRES_AT
from meeting_agents.errors import StoreRejected, StoreUnavailable

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

type Item = Mapping[str, Any]
"""Attributes by name, in DynamoDB's format: `{"pk": {"S": "ma_1"}}`."""
type Write = Mapping[str, Mapping[str, Any]]
"""An action of a transaction, without the table's name: `{"Put": {"Item": …, "ConditionExpression": …}}`."""

NOT_EXISTS = "attribute_not_exists(sk)"
"""The condition that no item has the key."""
MAX_WRITES = 100
"""The most actions of one transaction: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html."""
MAX_TRANSACTIONS = 5
"""Tries of a transaction that conflicts with other writes."""


class Table:
    """One table. Every method raises `StoreUnavailable` and `StoreRejected`, after botocore's own retries."""

    def __init__(self, client: "DynamoDBClient", name: str) -> None:
        self.client = client
        self.name = name

    def get(self, key: Item, attributes: str = "", names: Mapping[str, str] | None = None) -> Item | None:
        """Return an item with the newest writes, or None. `attributes`: those to read; empty: all."""
        options: dict[str, Any] = {"ProjectionExpression": attributes} if attributes else {}
        options |= {"ExpressionAttributeNames": names} if names else {}
        with store_errors("DynamoDB"):
            return self.client.get_item(TableName=self.name, Key=key, ConsistentRead=True, **options).get("Item")

    def existing(self, keys: Sequence[Item]) -> list[Item]:
        """Return the key and the expiry of the items that exist, for up to 100 keys."""
        items: list[Item] = []
        pending: Any = {
            self.name: {"Keys": keys, "ProjectionExpression": f"pk, sk, {EXPIRES_AT}", "ConsistentRead": True}
        }
        while pending:
            with store_errors("DynamoDB"):
                response = self.client.batch_get_item(RequestItems=pending)
            items += response["Responses"].get(self.name, [])
            pending = response.get("UnprocessedKeys", {})
        return items

    def query(self, **condition: Any) -> Iterator[Item]:
        """Iterate over all items of a query; each page is read when it is reached."""
        with store_errors("DynamoDB"):
            for page in self.client.get_paginator("query").paginate(TableName=self.name, **condition):
                yield from page["Items"]

    def query_page(self, **condition: Any) -> tuple[list[Item], Item, int]:
        """Return one page of a query, the key after which the next page begins, and the number of items read.

        The key is empty if there is no next page. More items are read than returned where a filter leaves some out.
        """
        with store_errors("DynamoDB"):
            response = self.client.query(TableName=self.name, **condition)
        return list(response["Items"]), response.get("LastEvaluatedKey", {}), response["ScannedCount"]

    def scan_page(self, **options: Any) -> tuple[list[Item], Item]:
        """Return one page of all items, and the key after which the next page begins, empty if there is none."""
        with store_errors("DynamoDB"):
            response = self.client.scan(TableName=self.name, **options)
        return list(response["Items"]), response.get("LastEvaluatedKey", {})

    def insert(self, item: Item, now: float) -> bool:
        """Write an item if its key does not exist; False if it does.

        An item past its TTL does not count, even if DynamoDB has not deleted it yet. It is deleted before the write,
        and not replaced by it, because the stream's filter lets only new items through.
        """
        options: dict[str, Any] = {"ReturnValuesOnConditionCheckFailure": "ALL_OLD"}
        for _ in range(2):
            try:
                with store_errors("DynamoDB"):
                    self.client.put_item(TableName=self.name, Item=item, ConditionExpression=NOT_EXISTS, **options)
            except _ConditionFailed as failed:
                expires_at = failed.item.get(EXPIRES_AT)
                if expires_at is None or float(expires_at["N"]) > now:
                    return False
                self._delete_expired({name: item[name] for name in ("pk", "sk")}, now)
            else:
                return True
        return False

    def _delete_expired(self, key: Item, now: float) -> None:
        """Delete an item, unless it has been replaced by one that has not expired."""
        with suppress(_ConditionFailed), store_errors("DynamoDB"):
            self.client.delete_item(
                TableName=self.name,
                Key=key,
                ConditionExpression=f"{EXPIRES_AT} <= :now",
                ExpressionAttributeValues={":now": {"N": str(int(now))}},
            )

    def put(self, item: Item, condition: str = "", values: Item | None = None) -> bool:
        """Write an item if the condition holds; False if it does not. Without one, an item there is replaced."""
        return self.replace(item, condition, values) is not None

    def replace(self, item: Item, condition: str = "", values: Item | None = None) -> Item | None:
        """Write an item and return the one it replaces, empty for a new one; None if the condition does not hold."""
        options = _conditional(condition, values)
        try:
            with store_errors("DynamoDB"):
                return self.client.put_item(TableName=self.name, Item=item, ReturnValues="ALL_OLD", **options).get(
                    "Attributes", {}
                )
        except _ConditionFailed:
            return None

    def update(
        self, key: Item, change: str, values: Item, condition: str = "", names: Mapping[str, str] | None = None
    ) -> Item | None:
        """Change an item and return it; None if the condition does not hold."""
        is_changed, item = self.try_update(key, change, values, condition, names)
        return item if is_changed else None

    def try_update(
        self, key: Item, change: str, values: Item, condition: str = "", names: Mapping[str, str] | None = None
    ) -> tuple[bool, Item]:
        """Change an item if the condition holds. Return whether it holds, and the current item."""
        options: dict[str, Any] = {"ExpressionAttributeNames": names} if names else {}
        if condition:
            options |= {"ConditionExpression": condition, "ReturnValuesOnConditionCheckFailure": "ALL_OLD"}
        try:
            with store_errors("DynamoDB"):
                return True, self.client.update_item(
                    TableName=self.name,
                    Key=key,
                    UpdateExpression=change,
                    ExpressionAttributeValues=values,
                    ReturnValues="ALL_NEW",
                    **options,
                )["Attributes"]
        except _ConditionFailed as failed:
            return False, failed.item

    def write_all(self, writes: Sequence[Write]) -> list[bool]:
        """Make up to `MAX_WRITES` writes in one call. Return for each whether its condition holds.

        DynamoDB makes all writes of a transaction or none. So those whose condition does not hold are left out, and the
        others are sent again.
        """
        pending = dict(enumerate(writes))
        is_written = [False] * len(writes)
        for _ in range(MAX_TRANSACTIONS):
            codes = self._transact(list(pending.values())) if pending else []
            if not codes:
                for number in pending:
                    is_written[number] = True
                return is_written
            holds = [code != "ConditionalCheckFailed" for code in codes]
            pending = {number: pending[number] for number, stays in zip(pending, holds, strict=True) if stays}
            if set(codes) - {"None", "ConditionalCheckFailed"}:
                time.sleep(random.uniform(0.0, 0.1))  # noqa: S311 - jitter, not a secret
        raise StoreUnavailable("other writes change the same items; try again")

    def _transact(self, writes: Sequence[Write]) -> list[str]:
        """Send a transaction. Return a code for each write if it was cancelled, else an empty list."""
        items: Any = [{kind: {"TableName": self.name, **write[kind]} for kind in write} for write in writes]
        try:
            with store_errors("DynamoDB"):
                self.client.transact_write_items(TransactItems=items)
        except _TransactionCancelled as cancelled:
            return cancelled.codes
        return []

    def delete(self, key: Item, condition: str = "", values: Item | None = None) -> bool:
        """Delete an item if the condition holds; False if it does not, or if there was none."""
        options = _conditional(condition, values)
        try:
            with store_errors("DynamoDB"):
                response = self.client.delete_item(TableName=self.name, Key=key, ReturnValues="ALL_OLD", **options)
                return "Attributes" in response
        except _ConditionFailed:
            return False


def _conditional(condition: str, values: Item | None) -> dict[str, Any]:
    """Return the options of a write under a condition, none without one."""
    options: dict[str, Any] = {"ConditionExpression": condition} if condition else {}
    return options | ({"ExpressionAttributeValues": values} if values else {})


class _ConditionFailed(Exception):
    """The condition of a write does not hold. `item`: the current item, if the write requested it."""

    def __init__(self, item: Item) -> None:
        super().__init__()
        self.item = item


class _TransactionCancelled(Exception):
    """A transaction was not made. `codes`: one for each write, `None` for a write that is not the cause."""

    def __init__(self, codes: list[str]) -> None:
        super().__init__()
        self.codes = codes


@contextmanager
def store_errors(service: str) -> Iterator[None]:
    """Turn botocore's errors into ours."""
    try:
        yield
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "")
        if code == "ConditionalCheckFailedException":
            item: Any = error.response.get("Item", {})
            raise _ConditionFailed(item) from error
        codes = [reason.get("Code", "None") for reason in error.response.get("CancellationReasons", [])]
        if code == "TransactionCanceledException" and "ValidationError" not in codes:
            raise _TransactionCancelled(codes) from error
        if code in ("ValidationException", "TransactionCanceledException"):
            raise StoreRejected(f"{service} rejected the request, and will reject it again") from error
        raise StoreUnavailable(f"{service} answered {code}; try again") from error
    except BotoCoreError as error:
        raise StoreUnavailable(f"{service} did not answer; try again") from error
