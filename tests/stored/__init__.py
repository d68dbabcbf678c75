"""Items of the agents table as a released version stored them: an agent in every state, and what else is kept there.

`python -m tests.stored` writes those of the version in this folder, before it is released. Files of earlier versions
stay as they are: today's code must read them.
"""

import base64
import json
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent
VERSIONS = sorted(path.stem for path in FOLDER.glob("*.json"))
FAR = 4_102_444_800
"""Seconds: the year 2100."""


def load(version: str) -> list[dict[str, Any]]:
    """Return the items of a version, which expire in a far future."""
    items = json.loads((FOLDER / f"{version}.json").read_text(encoding="utf-8"), object_hook=_read_binary)
    return [item | ({"expires_at": {"N": str(FAR)}} if "expires_at" in item else {}) for item in items]


def dump(items: list[dict[str, Any]], version: str) -> None:
    """Write the items of a version, an item a line."""
    lines = ",\n".join(json.dumps(item, sort_keys=True, default=_write_binary) for item in items)
    (FOLDER / f"{version}.json").write_text(f"[\n{lines}\n]\n", encoding="utf-8")


def _write_binary(value: bytes) -> dict[str, str]:
    return {"base64": base64.b64encode(value).decode()}


def _read_binary(value: dict[str, Any]) -> Any:
    return base64.b64decode(value["base64"]) if value.keys() == {"base64"} else value
