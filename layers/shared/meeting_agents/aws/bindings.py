"""The bindings of callers in the agents table: only an operator writes them."""

from collections.abc import Iterator

from meeting_agents.aws import keys
from meeting_agents.aws.attributes import pack, unpack_item
from meeting_agents.aws.dynamodb import Item, Table
from meeting_agents.domain.bindings import NOTHING, Binding, caller_keys


class Bindings:
    """The bindings of callers. Every method raises `StoreUnavailable` and `StoreRejected`."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def of(self, caller: str) -> Binding:
        """Return the binding of a caller, by its IAM ARN or JWT subject; a caller without one is bound to nothing."""
        items = (self._table.get(keys.binding(key)) for key in caller_keys(caller) if key)
        return next((_binding(item) for item in items if item), NOTHING)

    def all(self) -> Iterator[tuple[str, Binding]]:
        """Iterate over the callers that are bound, each with its binding."""
        items = self._table.query(
            KeyConditionExpression="pk = :bindings",
            ExpressionAttributeValues={":bindings": {"S": keys.BINDINGS}},
            ConsistentRead=True,
        )
        return ((item["sk"]["S"], _binding(item)) for item in items)

    def put(self, caller: str, binding: Binding) -> None:
        """Bind a caller, in place of the binding that it has."""
        values = {
            "accounts": sorted(binding.accounts),
            "labels": {name: list(options) for name, options in binding.labels.items()},
            "everything": binding.everything,
        }
        self._table.put({**keys.binding(caller), **{name: pack(value) for name, value in values.items()}})

    def delete(self, caller: str) -> bool:
        """Unbind a caller; False if it had no binding."""
        return self._table.delete(keys.binding(caller))


def _binding(item: Item) -> Binding:
    values = unpack_item(item)
    return Binding(
        accounts=frozenset(values["accounts"]),
        labels={name: tuple(options) for name, options in values["labels"].items()},
        everything=values["everything"],
    )
