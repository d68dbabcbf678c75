"""DynamoDB in memory, as a client of botocore's has it: the operations that the product calls.

https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_Operations_Amazon_DynamoDB.html
"""

import sys
from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from threading import RLock
from typing import Any

from botocore.exceptions import ClientError

from tests.simulation import expressions
from tests.simulation.expressions import Item, Names, Values, key_of

type Key = tuple[Any, ...]
_FAILED = "ConditionalCheckFailedException"
_LAST_CHARACTER = chr(sys.maxunicode)


@dataclass
class Index:
    """A global secondary index. It may be behind the table: `delay` calls the change later."""

    hash: str
    range: str
    delay: Callable[[Callable[[], None]], None] = lambda change: change()
    on_change: Callable[[Any], None] = lambda _: None
    """Called with the range key of each item that the index has got."""
    sorted: dict[Any, list[tuple[Any, Key]]] = field(default_factory=dict)
    items: dict[Key, tuple[Any, Any, Item]] = field(default_factory=dict)

    def change(self, key: Key, item: Item | None) -> None:
        """Let the index have the new item at this key, or none."""
        if key in self.items or self._position(item):
            self.delay(lambda: self._apply(key, item))

    def _position(self, item: Item | None) -> tuple[Any, Any] | None:
        if item is None or self.hash not in item or self.range not in item:
            return None
        return key_of(item[self.hash]), key_of(item[self.range])

    def _apply(self, key: Key, item: Item | None) -> None:
        if before := self.items.pop(key, None):
            group = self.sorted[before[0]]
            del group[bisect_left(group, (before[1], key))]
        position = self._position(item)
        if position and item is not None:
            self.items[key] = (*position, item)
            insort(self.sorted.setdefault(position[0], []), (position[1], key))
            self.on_change(position[1])

    def select(self, hash_: Any) -> list[Item]:
        """Return the items with this hash key in the order of the range key."""
        return [self.items[key][2] for _, key in self.sorted.get(hash_, ())]

    def select_until(self, hash_: Any, last: Any) -> list[Item]:
        """Return those whose range key is not greater than `last`."""
        group = self.sorted.get(hash_, [])
        return [self.items[key][2] for _, key in group[: bisect_right(group, last, key=lambda pair: pair[0])]]


class MemoryTable:
    """The items of a table. An item that is stored is never changed, but replaced."""

    def __init__(self, hash_: str, range_: str | None, indexes: Mapping[str, Index]) -> None:
        self.hash = hash_
        self.range = range_
        self.indexes = indexes
        self._partitions: dict[Any, dict[Any, Item]] = {}
        self._sorted: dict[Any, list[Any]] = {}
        """The range keys of each partition."""

    def key(self, item: Item) -> Key:
        return (key_of(item[self.hash]), key_of(item[self.range]) if self.range else "")

    def get(self, key: Key) -> Item | None:
        return self._partitions.get(key[0], {}).get(key[1])

    def partition(self, hash_: Any, prefix: str = "") -> list[Item]:
        """Return the items with this hash key in the order of the range key, which begins with the prefix."""
        items, keys = self._partitions.get(hash_, {}), self._sorted.get(hash_, [])
        if prefix:
            first = bisect_left(keys, prefix)
            keys = keys[first : bisect_left(keys, prefix + _LAST_CHARACTER, first)]
        return [items[key] for key in keys]

    def all(self) -> list[Item]:
        return [item for partition in self._partitions.values() for item in partition.values()]

    def put(self, key: Key, item: Item | None) -> None:
        """Store an item, or remove the one at the key."""
        items, keys = self._partitions.setdefault(key[0], {}), self._sorted.setdefault(key[0], [])
        if item is not None:
            if key[1] not in items:
                insort(keys, key[1])
            items[key[1]] = item
        elif key[1] in items:
            del items[key[1]], keys[bisect_left(keys, key[1])]
        for index in self.indexes.values():
            index.change(key, item)


class MemoryDynamoDb:
    """A client. `observe` is called with the table's name and each new item, as a stream of insertions has it."""

    def __init__(self) -> None:
        self.tables = _Tables()
        self._lock = RLock()
        self.observe: Callable[[str, Item], None] = lambda _, __: None

    # Tables

    def create_table(self, TableName: str, KeySchema: Sequence[Mapping[str, str]], **other: Any) -> None:  # noqa: N803 - AWS's names
        indexes = {index["IndexName"]: Index(*_schema(index["KeySchema"])) for index in _indexes(other)}
        self.tables[TableName] = MemoryTable(*_schema(KeySchema), indexes)

    def scan(self, TableName: str) -> dict[str, Any]:  # noqa: N803
        return {"Items": self.tables[TableName].all()}

    # Items

    def get_item(self, TableName: str, Key: Item, **_: Any) -> dict[str, Any]:  # noqa: N803
        table = self.tables[TableName]
        item = table.get(table.key(Key))
        return {"Item": dict(item)} if item is not None else {}

    def batch_get_item(self, RequestItems: Mapping[str, Any]) -> dict[str, Any]:  # noqa: N803
        found: dict[str, list[Item]] = {}
        for name, request in RequestItems.items():
            table = self.tables[name]
            items = [table.get(table.key(key)) for key in request["Keys"]]
            found[name] = [item for item in items if item is not None]
        return {"Responses": found, "UnprocessedKeys": {}}

    def put_item(self, TableName: str, Item: Item, **options: Any) -> dict[str, Any]:  # noqa: N803
        table = self.tables[TableName]
        key = table.key(Item)
        with self._lock:
            before = table.get(key)
            _check(before, options, "PutItem")
            self._store(TableName, key, dict(Item))
        return {"Attributes": before} if before is not None and options.get("ReturnValues") == "ALL_OLD" else {}

    def update_item(self, TableName: str, Key: Item, UpdateExpression: str, **options: Any) -> dict[str, Any]:  # noqa: N803
        table = self.tables[TableName]
        key = table.key(Key)
        with self._lock:
            before = table.get(key)
            _check(before, options, "UpdateItem")
            after = dict(before or Key)
            expressions.update(UpdateExpression)(after, *_values(options))
            self._store(TableName, key, after)
        return {"Attributes": after} if options.get("ReturnValues") == "ALL_NEW" else {}

    def delete_item(self, TableName: str, Key: Item, **options: Any) -> dict[str, Any]:  # noqa: N803
        table = self.tables[TableName]
        key = table.key(Key)
        with self._lock:
            before = table.get(key)
            _check(before, options, "DeleteItem")
            self._store(TableName, key, None)
        return {"Attributes": before} if before is not None and options.get("ReturnValues") == "ALL_OLD" else {}

    def transact_write_items(self, TransactItems: Sequence[Mapping[str, Any]]) -> None:  # noqa: N803
        with self._lock:
            self._transact(TransactItems)

    def _transact(self, writes: Sequence[Mapping[str, Any]]) -> None:
        codes = []
        for action, write in (pair for each in writes for pair in each.items()):
            table = self.tables[write["TableName"]]
            item = table.get(table.key(write["Item" if action == "Put" else "Key"]))
            codes.append("None" if _holds(item, write) else "ConditionalCheckFailed")
        if set(codes) != {"None"}:
            error: Any = {
                "Error": {"Code": "TransactionCanceledException"},
                "CancellationReasons": [{"Code": code} for code in codes],
            }
            raise ClientError(error, "TransactWriteItems")
        for each in writes:
            for action, write in each.items():
                getattr(self, f"{action.lower()}_item")(**write)

    def query(self, TableName: str, KeyConditionExpression: str, **options: Any) -> dict[str, Any]:  # noqa: N803
        table, limit = self.tables[TableName], options.get("Limit")
        values, names = _values(options)
        items = _selected(table, KeyConditionExpression, options.get("IndexName"), values, names)
        items = items if options.get("ScanIndexForward", True) else items[::-1]
        page = items if limit is None else items[:limit]
        result: dict[str, Any] = {"ScannedCount": len(page)}
        if limit is not None and len(items) >= limit:
            last, index = page[-1], table.indexes.get(options.get("IndexName", ""))
            wanted = {table.hash, table.range, *((index.hash, index.range) if index else ())} - {None}
            result["LastEvaluatedKey"] = {name: last[name] for name in wanted if name}
        if "FilterExpression" in options:
            holds = expressions.condition(options["FilterExpression"])
            page = [item for item in page if holds(item, values, names)]
        return result | {"Items": page}

    def get_paginator(self, operation: str) -> "_Paginator":
        return _Paginator(getattr(self, operation))

    def _store(self, name: str, key: Key, item: Item | None) -> None:
        table = self.tables[name]
        is_new = item is not None and table.get(key) is None
        table.put(key, item)
        if item is not None and is_new:
            self.observe(name, item)


class _Tables(dict[str, MemoryTable]):
    def __missing__(self, name: str) -> MemoryTable:
        raise ClientError({"Error": {"Code": "ResourceNotFoundException"}}, "any")


@dataclass
class _Paginator:
    operation: Callable[..., dict[str, Any]]

    def paginate(self, **options: Any) -> Iterator[dict[str, Any]]:
        yield self.operation(**options)


def _indexes(described: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    indexes: Sequence[Mapping[str, Any]] = described.get("GlobalSecondaryIndexes", ())
    return indexes


def _schema(schema: Sequence[Mapping[str, str]]) -> tuple[str, Any]:
    names = {key["KeyType"]: key["AttributeName"] for key in schema}
    return names["HASH"], names.get("RANGE")


def _values(options: Mapping[str, Any]) -> tuple[Values, Names]:
    return options.get("ExpressionAttributeValues", {}), options.get("ExpressionAttributeNames", {})


def _holds(item: Item | None, options: Mapping[str, Any]) -> bool:
    text = options.get("ConditionExpression")
    return not text or expressions.condition(text)(item or {}, *_values(options))


def _check(item: Item | None, options: Mapping[str, Any], operation: str) -> None:
    if not _holds(item, options):
        error: Any = {"Error": {"Code": _FAILED}}
        if item is not None and options.get("ReturnValuesOnConditionCheckFailure") == "ALL_OLD":
            error["Item"] = item
        raise ClientError(error, operation)


def _selected(table: MemoryTable, text: str, index_name: str | None, values: Values, names: Names) -> list[Item]:
    """Return the items of a key condition. Its first part is the hash key's: `name = :value`."""
    first, _, rest = text.partition(" AND ")
    _, _, value = first.partition(" = ")
    hash_ = key_of(values[value])
    if index_name is None and rest == f"begins_with({table.range}, :entry)":
        return table.partition(hash_, values[":entry"]["S"])
    if index_name is None:
        candidates = table.partition(hash_)
    elif rest == f"{table.indexes[index_name].range} <= :now":
        return table.indexes[index_name].select_until(hash_, key_of(values[":now"]))
    else:
        candidates = table.indexes[index_name].select(hash_)
    if not rest:
        return candidates
    holds = expressions.condition(rest)
    return [item for item in candidates if holds(item, values, names)]
