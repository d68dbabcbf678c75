"""A table: conditional writes return whether they took place, and DynamoDB's errors are ours."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.config import Config
from botocore.exceptions import ConnectTimeoutError
from botocore.session import Session
from botocore.stub import Stubber

from meeting_agents.aws import keys
from meeting_agents.aws.dynamodb import MAX_TRANSACTIONS, Table
from meeting_agents.errors import StoreRejected, StoreUnavailable

KEY = keys.record("ma_1")
IS_NEW = "attribute_not_exists(sk)"
ITEM = {**KEY, "state": {"S": "failed"}}
WRITE = {"Put": {"Item": ITEM, "ConditionExpression": IS_NEW}}


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
    "transact_write_items": lambda table: table.write_all([WRITE]),
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


def test_an_item_replaces_only_one_that_has_expired(table: Table, dynamodb: Stubber) -> None:
    """The expired item is deleted first, so that the new one is an insertion in the stream."""
    expired = {"Item": ITEM | {"expires_at": {"N": "100"}}}
    dynamodb.add_client_error("put_item", "ConditionalCheckFailedException", modeled_fields=expired)
    condition = {"ConditionExpression": "expires_at <= :now", "ExpressionAttributeValues": {":now": {"N": "100"}}}
    dynamodb.add_response("delete_item", {}, {"TableName": "agents", "Key": KEY, **condition})
    dynamodb.add_response("put_item", {})
    assert table.insert(ITEM, 100.0) is True
    for existing in (expired, {"Item": ITEM}):
        dynamodb.add_client_error("put_item", "ConditionalCheckFailedException", modeled_fields=existing)
        assert table.insert(ITEM, 99.0) is False
    dynamodb.assert_no_pending_responses()


def test_an_expired_item_is_replaced_once(table: Table, dynamodb: Stubber) -> None:
    """Of two writers, the one that comes second neither deletes nor replaces the item of the first."""
    expired = {"Item": ITEM | {"expires_at": {"N": "100"}}}
    dynamodb.add_client_error("put_item", "ConditionalCheckFailedException", modeled_fields=expired)
    dynamodb.add_client_error("delete_item", "ConditionalCheckFailedException")
    dynamodb.add_client_error("put_item", "ConditionalCheckFailedException", modeled_fields={"Item": ITEM})
    assert table.insert(ITEM, 200.0) is False
    dynamodb.assert_no_pending_responses()


def cancel(dynamodb: Stubber, *codes: str) -> None:
    reasons = {"CancellationReasons": [{"Code": code} for code in codes]}
    dynamodb.add_client_error("transact_write_items", "TransactionCanceledException", modeled_fields=reasons)


def sent(table: Table) -> list[int]:
    """Collect the numbers of writes that `write_all` sends in each transaction."""
    sizes: list[int] = []

    def record(params: dict[str, Any], **_: object) -> None:
        sizes.append(len(params["TransactItems"]))

    table.client.meta.events.register("provide-client-params.dynamodb.TransactWriteItems", record)
    return sizes


def test_writes_whose_condition_does_not_hold_are_left_out_of_a_transaction(table: Table, dynamodb: Stubber) -> None:
    """DynamoDB makes all writes of a transaction or none. A conflict with another writer passes."""
    sizes = sent(table)
    cancel(dynamodb, "None", "ConditionalCheckFailed", "None", "ConditionalCheckFailed")
    cancel(dynamodb, "TransactionConflict", "None")
    dynamodb.add_response("transact_write_items", {})
    assert table.write_all([WRITE] * 4) == [True, False, True, False]
    assert sizes == [4, 2, 2]


def test_a_transaction_without_writes_is_not_sent(table: Table, dynamodb: Stubber) -> None:
    """All conditions do not hold, or there was nothing to write."""
    cancel(dynamodb, "ConditionalCheckFailed")
    assert (table.write_all([WRITE]), table.write_all([])) == ([False], [])
    dynamodb.assert_no_pending_responses()


def test_a_conflict_that_does_not_pass_is_unavailable(table: Table, dynamodb: Stubber) -> None:
    """A retry may succeed."""
    for _ in range(MAX_TRANSACTIONS):
        cancel(dynamodb, "TransactionConflict")
    with pytest.raises(StoreUnavailable):
        table.write_all([WRITE])


def test_a_transaction_that_dynamodb_always_rejects_is_a_defect(table: Table, dynamodb: Stubber) -> None:
    """An item that is too large is an example."""
    cancel(dynamodb, "None", "ValidationError")
    with pytest.raises(StoreRejected):
        table.write_all([WRITE] * 2)


def test_unprocessed_keys_are_requested_again(table: Table, dynamodb: Stubber) -> None:
    pending = {"agents": {"Keys": [KEY]}}
    dynamodb.add_response("batch_get_item", {"Responses": {"agents": [KEY]}, "UnprocessedKeys": pending})
    dynamodb.add_response("batch_get_item", {"Responses": {}, "UnprocessedKeys": {}})
    assert table.existing([KEY]) == [KEY]
    dynamodb.assert_no_pending_responses()
