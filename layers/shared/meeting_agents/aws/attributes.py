"""Python's values as DynamoDB's attribute values, and back. Pure.

boto3 has the same, and a process that imports it loads all of boto3, which nothing else here needs.
"""

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef


def pack(value: Any) -> "AttributeValueTypeDef":
    """Return a value as an attribute value: `{"S": "text"}`. Raises `TypeError` for a type that is not stored."""
    if isinstance(value, str):
        return {"S": value}
    if isinstance(value, bool):
        return {"BOOL": value}
    if isinstance(value, int):
        return {"N": str(value)}
    if isinstance(value, list | tuple):
        return {"L": [pack(item) for item in value]}
    if isinstance(value, Mapping):
        return {"M": {name: pack(item) for name, item in value.items()}}
    if isinstance(value, bytes):
        return {"B": value}
    raise TypeError(f"no attribute of a table: {type(value).__name__}")


def unpack(value: Mapping[str, Any]) -> Any:
    """Return the value of an attribute value; numbers are whole."""
    ((type_, content),) = value.items()
    return _READERS[type_](content)


def unpack_item(item: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Return the values of an item by their names."""
    return {name: unpack(value) for name, value in item.items()}


def _same[T](content: T) -> T:
    return content


_READERS: Mapping[str, Callable[[Any], Any]] = {
    "S": _same,
    "N": lambda content: int(Decimal(content)),
    "BOOL": _same,
    "B": bytes,
    "M": unpack_item,
    "L": lambda content: [unpack(item) for item in content],
}
