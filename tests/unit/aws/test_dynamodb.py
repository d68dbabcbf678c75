"""A table: conditional writes return whether they took place, and DynamoDB's errors are ours."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.config import Config
from botocore.exceptions import ConnectTimeoutError
from botocore.session import Session
from botocore.stub import Stubber

from meeting_agents.aws import keys
from meeting_agents.aws.dynamodb import Table
from meeting_agents.errors import StoreRejected, StoreUnavailable

KEY = keys.record("ma_1")
IS_NEW = "attribute_not_exists(sk)"
ITEM = {**KEY, "state": {"S": "failed"}}


@pytest.fixture
def table() -> Table:
    client: Any = Session().create_client(
        "dynamodb",
        "eu-central-1",
        aws_access_key_id="x",
        aws_secret_access_key="x",
        config=Config(retries={"total_max_attempts": 1}),
    )
    return Table(client, "agents")


@pytest.fixture
def dynamodb(table: Table) -> Iterator[Stubber]:
    with Stubber(table.client) as stubbed:
        yield stubbed


OPERATIONS: dict[str, Callable[[Table], object]] = {
    "get_item": lambda table: table.get(KEY),
    "batch_get_item": lambda table: table.existing([KEY]),
    "query": lambda table: list(table.query(KeyConditionExpression="pk = :pk")),
    "put_item": lambda table: table.put(ITEM, IS_NEW),
    "update_item": lambda table: table.update(KEY, "SET x = :x", {":x": {"S": "x"}}),
    "delete_item": lambda table: table.delete(KEY),
}


@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_table_that_does_not_answer_is_unavailable(table: Table, dynamodb: Stubber, operation: str) -> None:
    """A retry may succeed."""
    dynamodb.add_client_error(operation, "ProvisionedThroughputExceededException")
    with pytest.raises(StoreUnavailable, match="ProvisionedThroughputExceededException"):
        OPERATIONS[operation](table)

    def time_out(**_: object) -> None:
        raise ConnectTimeoutError(endpoint_url="https://dynamodb.eu-central-1.amazonaws.com")

    dynamodb.deactivate()
    table.client.meta.events.register("before-send", time_out)
    with pytest.raises(StoreUnavailable, match="did not answer"):
        OPERATIONS[operation](table)


@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_request_that_dynamodb_always_rejects_is_a_defect(table: Table, dynamodb: Stubber, operation: str) -> None:
    """An item that is too large is an example: a retry fails again."""
    dynamodb.add_client_error(operation, "ValidationException")
    with pytest.raises(StoreRejected):
        OPERATIONS[operation](table)


def test_a_write_whose_condition_does_not_hold_is_no_error(table: Table, dynamodb: Stubber) -> None:
    """It returns so, with the current item where the write requests it."""
    for operation in ("put_item", "put_item", "update_item"):
        dynamodb.add_client_error(operation, "ConditionalCheckFailedException")
    assert table.put(ITEM, IS_NEW) is False
    assert table.replace(ITEM, IS_NEW) is None
    assert table.update(KEY, "SET x = :x", {":x": {"S": "x"}}, IS_NEW) is None
    dynamodb.add_client_error("update_item", "ConditionalCheckFailedException", modeled_fields={"Item": ITEM})
    assert table.try_update(KEY, "SET x = :x", {":x": {"S": "x"}}, IS_NEW) == (False, ITEM)


def test_a_write_whose_condition_holds_returns_the_old_or_the_new_item(table: Table, dynamodb: Stubber) -> None:
    for attributes in ({}, {}, {"Attributes": ITEM}):
        dynamodb.add_response("put_item", attributes)
    assert table.put(ITEM, IS_NEW) is True
    assert table.replace(ITEM, IS_NEW) == {}
    assert table.replace(ITEM, IS_NEW) == ITEM
    dynamodb.add_response("update_item", {"Attributes": ITEM})
    assert table.update(KEY, "SET x = :x", {":x": {"S": "x"}}) == ITEM


def test_unprocessed_keys_are_requested_again(table: Table, dynamodb: Stubber) -> None:
    pending = {"agents": {"Keys": [KEY]}}
    dynamodb.add_response("batch_get_item", {"Responses": {"agents": [KEY]}, "UnprocessedKeys": pending})
    dynamodb.add_response("batch_get_item", {"Responses": {}, "UnprocessedKeys": {}})
    assert table.existing([KEY]) == [KEY]
    dynamodb.assert_no_pending_responses()
