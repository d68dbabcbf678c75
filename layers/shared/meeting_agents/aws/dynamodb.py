"""A DynamoDB table: conditional writes that return whether they took place, and botocore's errors as ours."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from meeting_agents.errors import StoreRejected, StoreUnavailable

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

type Item = Mapping[str, Any]
"""Attributes by name, in DynamoDB's format: `{"pk": {"S": "ma_1"}}`."""


class Table:
    """One table. Every method raises `StoreUnavailable` and `StoreRejected`, after botocore's own retries."""

    def __init__(self, client: "DynamoDBClient", name: str) -> None:
        self.client = client
        self.name = name

    def get(self, key: Item) -> Item | None:
        """Return an item with the newest writes, or None."""
        with store_errors("DynamoDB"):
            return self.client.get_item(TableName=self.name, Key=key, ConsistentRead=True).get("Item")

    def existing(self, keys: Sequence[Item]) -> list[Item]:
        """Return those of up to 100 keys that have an item."""
        items: list[Item] = []
        pending: Any = {self.name: {"Keys": keys, "ProjectionExpression": "pk, sk", "ConsistentRead": True}}
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

    def query_page(self, **condition: Any) -> tuple[list[Item], Item]:
        """Return one page of a query, and the key after which the next page begins, empty if there is none."""
        with store_errors("DynamoDB"):
            response = self.client.query(TableName=self.name, **condition)
        return list(response["Items"]), response.get("LastEvaluatedKey", {})

    def put(self, item: Item, condition: str, values: Item | None = None) -> bool:
        """Write an item if the condition holds; False if it does not."""
        return self.replace(item, condition, values) is not None

    def replace(self, item: Item, condition: str, values: Item | None = None) -> Item | None:
        """Write an item and return the one it replaces, empty for a new one; None if the condition does not hold."""
        options: dict[str, Any] = {"ExpressionAttributeValues": values} if values else {}
        try:
            with store_errors("DynamoDB"):
                return self.client.put_item(
                    TableName=self.name, Item=item, ConditionExpression=condition, ReturnValues="ALL_OLD", **options
                ).get("Attributes", {})
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

    def delete(self, key: Item) -> bool:
        """Delete an item; False if there was none."""
        with store_errors("DynamoDB"):
            return "Attributes" in self.client.delete_item(TableName=self.name, Key=key, ReturnValues="ALL_OLD")


class _ConditionFailed(Exception):
    """The condition of a write does not hold. `item`: the current item, if the write requested it."""

    def __init__(self, item: Item) -> None:
        super().__init__()
        self.item = item


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
        if code == "ValidationException":
            raise StoreRejected(f"{service} rejected the request, and will reject it again") from error
        raise StoreUnavailable(f"{service} answered {code}; try again") from error
    except BotoCoreError as error:
        raise StoreUnavailable(f"{service} did not answer; try again") from error
