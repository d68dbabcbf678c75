"""The records that a list wants, by the values of their attributes, as a condition of DynamoDB. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any

type Wanted = Mapping[str, Sequence[str | bool]]
"""The values that attributes of a record may have, by the attribute's name; of a label by `labels.` and its name."""


def condition_of(wanted: Wanted) -> tuple[str, dict[str, str], dict[str, Any]]:
    """Return a condition that attributes have one of these values, with its names and values."""
    condition, names, values = "", dict[str, str](), dict[str, Any]()
    for position, (path, options) in enumerate(wanted.items()):
        parts = {f"#wanted{position}_{depth}": name for depth, name in enumerate(path.split("."))}
        placeholders = {f":wanted{position}_{number}": option for number, option in enumerate(options)}
        condition += f" AND {'.'.join(parts)} IN ({', '.join(placeholders)})"
        names |= parts
        values |= placeholders
    return condition, names, values
