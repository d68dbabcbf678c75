"""A DynamoDB table: conditional writes that say whether they happened, and botocore's errors as ours."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from meeting_agents.errors import StoreRejected, StoreUnavailable

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

type Item = Mapping[str, Any]
"""Attributes by name, in DynamoDB's own form: `{"pk": {"S": "ma_1"}}`."""


class Table:
    """One table. Every method raises `StoreUnavailable` and `StoreRejected`; botocore has retried by then."""

    def __init__(self, client: "DynamoDBClient", name: str) -> None:
        self.client = client
        self.name = name

    def get(self, key: Item) -> Item | None:
        """Return an item, the newest writes included, or None."""
        with store_errors("DynamoDB"):
            return self.client.get_item(TableName=self.name, Key=key, ConsistentRead=True).get("Item")

    def existing(self, keys: Sequence[Item]) -> list[Item]:
        """Return those of up to 100 keys that have an item."""
        found: list[Item] = []
        pending: Any = {self.name: {"Keys": keys, "ProjectionExpression": "pk, sk", "ConsistentRead": True}}
        while pending:
            with store_errors("DynamoDB"):
                answer = self.client.batch_get_item(RequestItems=pending)
            found += answer["Responses"].get(self.name, [])
            pending = answer.get("UnprocessedKeys", {})
        return found

    def query(self, **condition: Any) -> Iterator[Item]:
        """Iterate over all items of a query, page by page as they are consumed."""
        with store_errors("DynamoDB"):
            for page in self.client.get_paginator("query").paginate(TableName=self.name, **condition):
                yield from page["Items"]

    def query_page(self, **condition: Any) -> tuple[list[Item], Item]:
        """Return one page of a query, and the key after which the next begins, empty if there is none."""
        with store_errors("DynamoDB"):
            answer = self.client.query(TableName=self.name, **condition)
        return list(answer["Items"]), answer.get("LastEvaluatedKey", {})

    def put(self, item: Item, condition: str, values: Item | None = None) -> bool:
        """Write an item if the condition holds; False if it does not."""
        return self.replace(item, condition, values) is not None

    def replace(self, item: Item, condition: str, values: Item | None = None) -> Item | None:
        """Write an item and return the one before it, empty if there was none; None if the condition does not hold."""
        more: dict[str, Any] = {"ExpressionAttributeValues": values} if values else {}
        try:
            with store_errors("DynamoDB"):
                return self.client.put_item(
                    TableName=self.name, Item=item, ConditionExpression=condition, ReturnValues="ALL_OLD", **more
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
        """Change an item if the condition holds; return whether it does, and the item as it is now."""
        more: dict[str, Any] = {"ExpressionAttributeNames": names} if names else {}
        if condition:
            more |= {"ConditionExpression": condition, "ReturnValuesOnConditionCheckFailure": "ALL_OLD"}
        try:
            with store_errors("DynamoDB"):
                return True, self.client.update_item(
                    TableName=self.name,
                    Key=key,
                    UpdateExpression=change,
                    ExpressionAttributeValues=values,
                    ReturnValues="ALL_NEW",
                    **more,
                )["Attributes"]
        except _ConditionFailed as failed:
            return False, failed.item

    def delete(self, key: Item) -> bool:
        """Delete an item; False if there was none."""
        with store_errors("DynamoDB"):
            return "Attributes" in self.client.delete_item(TableName=self.name, Key=key, ReturnValues="ALL_OLD")


class _ConditionFailed(Exception):
    """The condition of a write does not hold. `item`: what is there, where the write asked for it."""

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
            raise StoreRejected(f"{service} rejected what it was asked; it will do so again") from error
        raise StoreUnavailable(f"{service} answered {code}; try again") from error
    except BotoCoreError as error:
        raise StoreUnavailable(f"{service} did not answer; try again") from error
